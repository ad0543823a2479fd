//! Which version of CWMP a session speaks. (TR-069 3.6.2, S-06, H-24)
//!
//! ```text
//!  CPE: SupportedCWMPVersions 1.0,1.1,1.2,1.4 ──▶ ACS: UseCWMPVersion 1.4, the highest that both know
//!  without the header the namespace says it: 1.0, 1.1, or 1.2 and later
//! ```

use crate::{Text, Version};

/// What both our sides speak, oldest first.
pub const SPOKEN: [&str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];

/// The highest version of a list such as `1.0,1.1,1.4` that we speak.
#[must_use]
pub fn choose(offered: &str) -> Option<Text> {
    let offers = |version: &&&str| offered.split(',').any(|one| one.trim() == **version);
    SPOKEN.iter().rev().find(offers).map(|version| Text::from_static(version))
}

/// The namespace that a version lives in. (TR-069 3.5, H-19)
#[must_use]
pub fn namespace_of(version: &str) -> Version {
    match version {
        "1.0" => Version::V1_0,
        "1.1" => Version::V1_1,
        _ => Version::V1_2,
    }
}

/// The header with which a CPE offers all that it speaks.
#[must_use]
pub fn offer() -> Text {
    SPOKEN.join(",").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s06_h24_the_highest_common_version_is_chosen() {
        assert_eq!(choose("1.0,1.1,1.2").as_deref(), Some("1.2"));
        assert_eq!(choose("1.4 , 1.0").as_deref(), Some("1.4"));
        assert_eq!(choose("1.3,1.9").as_deref(), Some("1.3"));
        assert_eq!(choose("2.0"), None);
        assert_eq!(choose(&offer()).as_deref(), Some("1.4"));
    }
}
