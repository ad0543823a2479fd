//! No shared secret in the device plane: no type for one, no call into the engine's functions for one, and no
//! HTTP header that carries one. (TS 33.320 8.3.4, P-07)
//!
//! What the data model makes everybody carry (fields called Username and Password, which stay empty) is no
//! type of its own, and so is not found here; tests beside those fields see that they stay empty. The
//! operator's API has people with passwords and tokens, and is no part of the device plane.

use super::{Finding, Reasons};
use crate::project::Project;
use crate::rust::{self, Kind, Token};

/// Where cells and the management system talk to each other.
const PLANE: [&str; 6] = [
    "crates/cwmp/src/",
    "crates/datamodel/src/",
    "crates/fleet/src/",
    "crates/hems/src/",
    "crates/henb/src/",
    "crates/profile/src/",
];
/// The operator's plane beside it.
const OPERATOR: [&str; 4] = [
    "crates/hems/src/api.rs",
    "crates/hems/src/api/",
    "crates/hems/src/people.rs",
    "crates/hems/src/people/",
];

/// Parts of a type's name that say it holds or checks a shared secret.
const TYPES: [&str; 7] = ["Password", "Passphrase", "Psk", "Srp", "Credentials", "Nonce", "Challenge"];
/// Parts of any word, between underscores: the engine's functions for keys that both ends know.
const WORDS: [&str; 2] = ["psk", "srp"];
/// Headers of HTTP authentication. (RFC 9110 11)
const HEADERS: [&str; 4] = ["authorization", "www-authenticate", "proxy-authorization", "proxy-authenticate"];
const KEYWORDS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// Every place where a shared secret could begin, but for those with a reason.
pub(super) fn secrets(project: &Project, exempt: &Reasons) -> Vec<Finding> {
    let right = "certificates alone authenticate here (TS 33.320 8.3.4, P-07)";
    let mut findings = Vec::new();
    let is_ours = |path: &str| PLANE.iter().any(|place| path.starts_with(place));
    let is_operators = |path: &str| OPERATOR.iter().any(|place| path.starts_with(place));
    for file in project.rust().filter(|file| is_ours(&file.path) && !is_operators(&file.path)) {
        let tokens = rust::tokens(&file.text);
        let before = std::iter::once(None).chain(tokens.iter().map(Some));
        for (before, token) in before.zip(&tokens) {
            let is_exempt = |what: &str| exempt.contains_key(&format!("{}: {what}", file.path));
            let found = secret(before, token).filter(|what| !is_exempt(what));
            findings.extend(found.map(|what| {
                Finding::new(&file.path, token.line, format!("`{what}` belongs to a shared secret"), right)
            }));
        }
    }
    findings
}

/// The word that gives a token away.
fn secret(before: Option<&Token<'_>>, token: &Token<'_>) -> Option<String> {
    let lower = token.text.to_ascii_lowercase();
    match token.kind {
        Kind::Text => {
            HEADERS.iter().find(|header| lower.trim_matches('"') == **header).map(|header| (*header).into())
        }
        Kind::Word => {
            let is_type = before.is_some_and(|before| KEYWORDS.iter().any(|keyword| before.is_word(keyword)));
            let is_header =
                HEADERS.iter().any(|header| header.replace('-', "_").to_ascii_uppercase() == token.text);
            let is_call = lower.split('_').any(|part| WORDS.contains(&part));
            let is_named = is_type && TYPES.iter().any(|part| token.text.contains(part));
            (is_header || is_call || is_named).then(|| token.text.into())
        }
        Kind::Comment | Kind::Mark => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project;

    fn found(path: &str, text: &str) -> Vec<usize> {
        let findings = secrets(&Project::of(&[(path, text)]), &Reasons::new());
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn p07_a15_a_type_a_call_and_a_header_of_a_shared_secret_are_found() {
        let text = "struct CpePassword;\nstruct Token;\nssl.set_psk_client_callback(f);\nlet a = \"Authorization\";\n\
                    use http::header::WWW_AUTHENTICATE;\n// a Psk\nlet password = \"\";\nenum Digest {}";
        assert_eq!(found("crates/henb/src/link.rs", text), [1, 3, 4, 5]);
        assert_eq!(found("crates/hems/src/api/token.rs", text), Vec::<usize>::new());
        assert_eq!(found("crates/e2e/src/http.rs", text), Vec::<usize>::new());
    }

    #[test]
    fn p07_the_device_plane_has_none() {
        let project = Project::read(&project::root()).unwrap();
        let rules = super::super::Rules::read(&project).unwrap();
        let findings: Vec<String> =
            secrets(&project, &rules.secrets).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }
}
