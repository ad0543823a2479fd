//! Rust as tidy reads it: words, texts, comments and marks with their lines, and nothing more.
//!
//! A full parser does not see into macros, and half of what tidy looks for (the methods table, property
//! tests) stands in macros. So the rule of this module is: tokens and balanced braces, no grammar.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier, a keyword or a number.
    Word,
    /// A string or a character, with its quotes.
    Text,
    /// A comment, with its slashes.
    Comment,
    /// Any other character.
    Mark,
}

/// A piece of source and where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    pub(crate) fn is_mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }
}

/// Cuts source into tokens; text that is not Rust gives odd tokens, never a failure.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    loop {
        let code = rest.trim_start();
        let space = rest.len() - code.len();
        line += newlines(rest.get(..space).unwrap_or_default());
        let Some((kind, length)) = first(code) else { return tokens };
        let (text, after) = code.split_at_checked(length).unwrap_or((code, ""));
        tokens.push(Token { kind, text, line });
        line += newlines(text);
        rest = after;
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// The kind and the length in bytes of the token that opens `code`.
fn first(code: &str) -> Option<(Kind, usize)> {
    let start = code.chars().next()?;
    Some(match start {
        '/' if code.starts_with("//") => (Kind::Comment, code.find('\n').unwrap_or(code.len())),
        '/' if code.starts_with("/*") => (Kind::Comment, block_comment(code)),
        '"' => (Kind::Text, quoted(code, '"')),
        '\'' if is_character(code) => (Kind::Text, quoted(code, '\'')),
        _ if is_word(start) => prefixed_text(code).unwrap_or_else(|| (Kind::Word, word(code))),
        _ => (Kind::Mark, start.len_utf8()),
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word(code: &str) -> usize {
    code.find(|character| !is_word(character)).unwrap_or(code.len())
}

/// Tells a character from a lifetime.
fn is_character(code: &str) -> bool {
    let mut inside = code.chars().skip(1);
    match inside.next() {
        Some('\\') => true,
        Some(_) => inside.next() == Some('\''),
        None => false,
    }
}

/// The length of a text that ends at the next `quote` without a backslash.
fn quoted(code: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in code.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    code.len()
}

/// Raw, byte and C texts: `r"…"`, `br#"…"#`, `b'…'`.
fn prefixed_text(code: &str) -> Option<(Kind, usize)> {
    let prefix = ["br", "cr", "r", "b", "c"]
        .into_iter()
        .find(|prefix| code.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '#', '\''])))?;
    let rest = code.strip_prefix(prefix)?;
    if prefix.ends_with('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let inner = rest.trim_start_matches('#').strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let length = inner.find(&close).map_or(inner.len(), |at| at + close.len());
        return Some((Kind::Text, prefix.len() + hashes + 1 + length));
    }
    let quote = rest.chars().next().filter(|quote| *quote != '#')?;
    if quote == '\'' && !is_character(rest) {
        return None;
    }
    Some((Kind::Text, prefix.len() + quoted(rest, quote)))
}

/// The length of a comment in `/* */`, which may nest.
fn block_comment(code: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = code.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    code.len()
}

/// A function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    /// The line of `fn`.
    pub(crate) line: usize,
    /// From `fn` to the closing brace.
    pub(crate) lines: usize,
    /// Has an attribute with the word `test`.
    pub(crate) is_test: bool,
    /// Has the attribute `ignore`.
    pub(crate) is_ignored: bool,
}

/// All functions with bodies, those inside macro calls and other functions too.
pub(crate) fn functions<'a>(tokens: &[Token<'a>]) -> Vec<Function<'a>> {
    let code: Vec<Token<'a>> = tokens.iter().filter(|token| token.kind != Kind::Comment).copied().collect();
    let mut functions = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    let mut rest = code.as_slice();
    while let [token, tail @ ..] = rest {
        rest = tail;
        if token.is_mark("#") && tail.first().is_some_and(|next| next.is_mark("[")) {
            let attribute = tail.get(..balanced(tail, "[", "]")).unwrap_or(tail);
            is_test |= attribute.iter().any(|token| token.is_word("test"));
            is_ignored |= attribute.iter().any(|token| token.is_word("ignore"));
            rest = tail.get(attribute.len()..).unwrap_or_default();
        } else if token.is_word("fn") {
            if let Some((name, end)) = function_end(tail) {
                let lines = end + 1 - token.line;
                functions.push(Function { name, line: token.line, lines, is_test, is_ignored });
            }
            (is_test, is_ignored) = (false, false);
        } else if ["{", "}", ";"].iter().any(|mark| token.is_mark(mark)) {
            (is_test, is_ignored) = (false, false);
        }
    }
    functions
}

/// The name and the last line of the function whose `fn` stands before `code`; `None` without a body.
fn function_end<'a>(code: &[Token<'a>]) -> Option<(&'a str, usize)> {
    let name = code.first().filter(|token| token.kind == Kind::Word)?.text;
    let mut depth = 0_i32;
    for (at, token) in code.iter().enumerate().filter(|(_, token)| token.kind == Kind::Mark) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            ";" if depth == 0 => return None,
            "{" if depth == 0 => {
                let body = code.get(at..)?;
                return body.get(balanced(body, "{", "}").checked_sub(1)?).map(|last| (name, last.line));
            }
            _ => {}
        }
    }
    None
}

/// How many tokens there are up to and with the mark that closes the first `open`.
pub(crate) fn balanced(code: &[Token<'_>], open: &str, close: &str) -> usize {
    let mut depth = 0_usize;
    for (at, token) in code.iter().enumerate() {
        if token.is_mark(open) {
            depth += 1;
        } else if token.is_mark(close) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_comments_and_lifetimes_are_told_apart() {
        let source = "a\"x\\\"y\" r#\"{\"# 'c' '\\n' 'life b'{' // {\n/* { /* } */ */ r#type £";
        let kinds: Vec<(Kind, &str)> = tokens(source).iter().map(|token| (token.kind, token.text)).collect();
        let expected = [
            (Kind::Word, "a"),
            (Kind::Text, "\"x\\\"y\""),
            (Kind::Text, "r#\"{\"#"),
            (Kind::Text, "'c'"),
            (Kind::Text, "'\\n'"),
            (Kind::Mark, "'"),
            (Kind::Word, "life"),
            (Kind::Text, "b'{'"),
            (Kind::Comment, "// {"),
            (Kind::Comment, "/* { /* } */ */"),
            (Kind::Word, "r"),
            (Kind::Mark, "#"),
            (Kind::Word, "type"),
            (Kind::Mark, "£"),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn a_token_knows_its_line() {
        let lines: Vec<usize> = tokens("a\n\n\"x\ny\"\nb").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 5]);
    }

    #[test]
    fn functions_are_found_with_their_length_and_attributes() {
        let source = "macro! {\n #[test]\n #[ignore = \"x\"]\n fn a(x: [u8; 4]) -> u8 {\n  \"}\"\n }\n}\n\
                      trait T { fn none(&self); fn b() {} }\ntype F = fn(u8);";
        let found = functions(&tokens(source));
        let facts: Vec<_> =
            found.iter().map(|f| (f.name, f.line, f.lines, f.is_test, f.is_ignored)).collect();
        assert_eq!(facts, [("a", 4, 3, true, true), ("b", 8, 1, false, false)]);
    }

    #[test]
    fn unfinished_source_ends() {
        for source in ["\"", "r#\"", "/* ", "'", "b'", "fn", "fn a(", "fn a() {", "#[", "'\\"] {
            functions(&tokens(source));
        }
    }
}
