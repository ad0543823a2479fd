//! Instance aliases: names for rows that the ACS chooses, `[alias]` where a path has a number. (TR-069 3.6.1, C-35)
//!
//! ```text
//!  Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.[home].PLMNID
//! ```
//!
//! One rule: the codec carries them as they are, in paths of both directions and in the object that
//! AddObject creates; which row an alias means is for the data model to say. An ACS uses them only
//! where a CPE reports [`ALIAS_BASED_ADDRESSING`] as true.

/// The parameter by which a CPE says in its Inform that it knows aliases.
pub const ALIAS_BASED_ADDRESSING: &str = "Device.ManagementServer.AliasBasedAddressing";

/// Longest alias. (TR-106 3.6)
pub const ALIAS_CHARACTERS: usize = 64;

/// Whether this is an alias: a letter or an underscore, then letters, digits, `-` and `_`, at most
/// [`ALIAS_CHARACTERS`] in all.
#[must_use]
pub fn is_alias(text: &str) -> bool {
    let opens = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    opens && text.len() <= ALIAS_CHARACTERS && text.bytes().all(fits)
}

/// The aliases of a path, outermost first; nothing where brackets hold something else.
#[must_use]
pub fn aliases(path: &str) -> Option<Vec<&str>> {
    let bracketed = path.split('.').filter(|segment| segment.contains(['[', ']']));
    let inside = |segment| str::strip_prefix(segment, '[')?.strip_suffix(']').filter(|text| is_alias(text));
    bracketed.map(inside).collect()
}

/// Whether every bracket of a path holds an alias; most paths have none, and cost one look.
pub(crate) fn are_aliases(path: &str) -> bool {
    let has = |bracket: u8| path.as_bytes().contains(&bracket);
    !(has(b'[') || has(b']')) || aliases(path).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c35_an_alias_is_a_name_of_64_characters_at_most() {
        for right in ["home", "_1", "cpe-12", &"a".repeat(64)] {
            assert!(is_alias(right), "{right}");
        }
        for wrong in ["", "1", "-a", "a b", "a.b", "[a]", "é", &"a".repeat(65)] {
            assert!(!is_alias(wrong), "{wrong}");
        }
    }

    #[test]
    fn c35_a_path_says_which_aliases_it_holds() {
        let check = |path: &str, expected: Option<&[&str]>| {
            assert_eq!(aliases(path).as_deref(), expected, "{path}");
        };
        check("Device.IP.Interface.[wan].IPv4Address.[first].", Some(&["wan", "first"]));
        check("Device.IP.Interface.1.", Some(&[]));
        check("", Some(&[]));
        for wrong in ["A.[].", "A.[1].", "A.[a.", "A.a].", "A.[[a]].", "A.x[a].", "A.[a]x."] {
            check(wrong, None);
        }
    }
}
