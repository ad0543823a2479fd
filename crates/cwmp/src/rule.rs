//! What the schema demands of one element beyond its type: a bound, and a form of its text.
//!
//! One rule: a rule stands in the element's row of the table, and nowhere else. Breaking one is
//! forgiven and reported, never refused. (H-27)

use crate::{EventCode, Leniency, Version, cursor::Cursor};

/// A form of an element's content, which the schema of one namespace may want otherwise than another's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// Of text, and what is forgiven where it has another.
    Text(fn(&str, Version) -> bool, Leniency),
    /// Of a number.
    Number(fn(u32, Version) -> bool),
}

/// What the schema demands of one element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    characters: usize,
    least: usize,
    members: usize,
    form: Option<Form>,
}

impl Rule {
    /// Nothing is demanded.
    pub(crate) const NONE: Self = Self { characters: usize::MAX, least: 0, members: usize::MAX, form: None };

    /// At most so many characters; in an array, each member.
    pub(crate) const fn characters(self, most: usize) -> Self {
        Self { characters: most, ..self }
    }

    /// At most so many members.
    pub(crate) const fn members(self, most: usize) -> Self {
        Self { members: most, ..self }
    }

    /// One member at least.
    pub(crate) const fn some(self) -> Self {
        Self { least: 1, ..self }
    }

    pub(crate) const fn like(self, form: Form) -> Self {
        Self { form: Some(form), ..self }
    }

    /// Whether the schema has no rule for the content, so that its type is XML Schema's own.
    pub(crate) fn is_none(&self) -> bool {
        self.characters == usize::MAX && self.form.is_none()
    }

    pub(crate) fn check_text(&self, cursor: &mut Cursor<'_>, offset: usize, text: &str) {
        if text.len() > self.characters && text.chars().count() > self.characters {
            cursor.forgive_at(Leniency::TooLong, offset);
        }
        if let Some(Form::Text(fits, leniency)) = self.form
            && !fits(text, cursor.version.unwrap_or_default())
        {
            cursor.forgive_at(leniency, offset);
        }
    }

    pub(crate) fn check_number(&self, cursor: &mut Cursor<'_>, offset: usize, number: u32) {
        if let Some(Form::Number(fits)) = self.form
            && !fits(number, cursor.version.unwrap_or_default())
        {
            cursor.forgive_at(Leniency::UnknownNumber, offset);
        }
    }

    pub(crate) fn check_count(&self, cursor: &mut Cursor<'_>, offset: usize, count: usize) {
        if count > self.members {
            cursor.forgive_at(Leniency::TooMany, offset);
        }
        if count < self.least {
            cursor.forgive_at(Leniency::TooFew, offset);
        }
    }
}

/// Forms of text by the name that rows give them: what fits, and what is forgiven where it does not.
macro_rules! forms {
    ($( $(#[$doc:meta])* $name:ident($text:pat, $version:pat) = $fits:expr, $leniency:ident; )*) => { $(
        $(#[$doc])*
        #[expect(non_upper_case_globals, reason = "rows of the table read like the schema")]
        pub(crate) const $name: Form = Form::Text(|$text, $version| $fits, Leniency::$leniency);
    )*
        /// Forms of text.
        $( #[doc = concat!("\n## `", stringify!($name), "`\n")] $(#[$doc])* )*
        pub mod texts {}
    };
}

forms! {
    /// Six upper-case hexadecimal digits.
    oui(text, _) = is_oui(text), OuiForm;
    /// Instance numbers, or aliases in brackets. (TR-069 3.6.1)
    path(text, _) = crate::alias::are_aliases(text), AliasForm;
    /// A path that ends in a dot; AddObject may name the alias of what it creates. (TR-069 A.3.2.6)
    object_path(text, _) = text.ends_with('.') && crate::alias::are_aliases(text), TextForm;
    /// `1 BOOT`, `M Reboot`, `X 00005E Something`; CWMP 1.0 lists its own.
    event(text, version) = is_event(text, version), TextForm;
    /// `1 Firmware Upgrade Image`, or a vendor's.
    file_to_fetch(text, version) = is_file(text, FETCHED, version), TextForm;
    /// `1 Vendor Configuration File`, `2 Vendor Log File`, or a vendor's.
    file_to_send(text, version) = is_file(text, SENT, version), TextForm;
    /// What is fetched, and `4 Vendor Log File`.
    file_moved(text, version) = is_file(text, FETCHED, version) || is_file(text, LOG, version), TextForm;
    /// `1 At Any Time`, or a vendor's.
    window_mode(text, version) = has_ordinal(text) || has_vendor(text, version), TextForm;
    /// The one entity that access lists know.
    subscriber(text, _) = text == "Subscriber", TextForm;
    /// `Installed`, `Uninstalled`, `Failed`.
    unit_state(text, _) = matches!(text, "Installed" | "Uninstalled" | "Failed"), TextForm;
    /// Five groups of hexadecimal digits.
    uuid(text, _) = is_uuid(text), TextForm;
}

/// Forms of numbers by the name that rows give them.
macro_rules! numbers {
    ($( $(#[$doc:meta])* $name:ident($number:pat, $version:pat) = $fits:expr; )*) => { $(
        $(#[$doc])*
        #[expect(non_upper_case_globals, reason = "rows of the table read like the schema")]
        pub(crate) const $name: Form = Form::Number(|$number, $version| $fits);
    )*
        /// Forms of numbers.
        $( #[doc = concat!("\n## `", stringify!($name), "`\n")] $(#[$doc])* )*
        pub mod numbers {}
    };
}

numbers! {
    /// Off, passive, active; from CWMP 1.2 on lightweight too. (C-17)
    notification(number, version) = number <= if version < Version::V1_2 { 2 } else { 6 };
    /// Instances count from 1.
    instance(number, _) = number > 0;
    /// An option's states.
    option_state(number, _) = number <= 3;
    /// An option's modes.
    option_mode(number, _) = number <= 2;
    /// Yes or no.
    flag(number, _) = number <= 1;
    /// The codes of a fault. (TR-069 A.5)
    fault(code, version) = is_cpe_fault(code, version) || is_acs_fault(code, version);
    /// The codes of one parameter's fault.
    parameter_fault(code, version) = match version {
        Version::V1_2 => is_cpe_fault(code, version),
        Version::V1_0 | Version::V1_1 => is_cpe_fault(code, version) || is_acs_fault(code, version),
    };
    /// How a transfer may end.
    transfer_fault(code, version) = match version {
        Version::V1_0 => matches!(code, 0 | 9001 | 9002 | 9010..=9012),
        Version::V1_1 => matches!(code, 0 | 9001 | 9002 | 9010..=9012 | 9014..=9899),
        Version::V1_2 => matches!(code, 0 | 9001 | 9002 | 9010..=9012 | 9014..=9020 | 9033..=9899),
    };
    /// How a change of a deployment unit may end.
    unit_fault(code, _) = matches!(
        code,
        0 | 9001 | 9003 | 9012 | 9013 | 9015..=9018 | 9022..=9899
    );
}

fn is_cpe_fault(code: u32, version: Version) -> bool {
    matches!(code, 9000..=9013 | 9800..=9899) || (version > Version::V1_0 && matches!(code, 9014..=9799))
}

fn is_acs_fault(code: u32, version: Version) -> bool {
    matches!(code, 8000..=8005 | 8800..=8899) || (version > Version::V1_0 && matches!(code, 8006..=8799))
}

fn is_oui(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

/// What Download takes, until CWMP 1.2 left the list open.
const FETCHED: &[&str] = &["1 Firmware Upgrade Image", "2 Web Content", "3 Vendor Configuration File"];
/// What Upload takes, until CWMP 1.2 left the list open.
const SENT: &[&str] = &["1 Vendor Configuration File", "2 Vendor Log File"];
/// What a CPE may have sent of itself besides.
const LOG: &[&str] = &["4 Vendor Log File"];

fn is_file(text: &str, listed: &[&str], version: Version) -> bool {
    listed.contains(&text) || has_vendor(text, version) || (version == Version::V1_2 && has_ordinal(text))
}

fn is_event(text: &str, version: Version) -> bool {
    let is_listed = || match version {
        Version::V1_0 => EventCode::of_cwmp_1_0().iter().any(|code| code.as_str() == text),
        Version::V1_1 | Version::V1_2 => has_number(text) || is_m(text),
    };
    has_vendor(text, version) || text.strip_prefix("M X_").is_some_and(is_word) || is_listed()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.bytes().any(|byte| byte.is_ascii_whitespace())
}

/// A number and words, with one space between any two.
fn has_number(text: &str) -> bool {
    let Some((number, words)) = text.split_once(' ') else { return false };
    number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() && words.split(' ').all(is_word)
}

/// The same, counted from 1.
fn has_ordinal(text: &str) -> bool {
    !text.starts_with('0') && has_number(text)
}

/// `X`, the vendor's OUI (from CWMP 1.2 on any word), words.
fn has_vendor(text: &str, version: Version) -> bool {
    let parts = text.strip_prefix("X ").and_then(|rest| rest.split_once(' '));
    parts.is_some_and(|(vendor, words)| {
        let is_open = version == Version::V1_2;
        (is_oui(vendor) || (is_open && is_word(vendor)))
            && (!is_open || !words.is_empty())
            && !words.contains(['\n', '\r'])
    })
}

/// `M` and the name of a method.
fn is_m(text: &str) -> bool {
    text.strip_prefix("M ").is_some_and(is_word)
}

fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Text, strict::Deviations};

    fn forgiven(check: impl FnOnce(&mut Cursor<'_>)) -> Vec<Leniency> {
        let body = Text::new();
        let mut cursor = Cursor::new(&body, Limits::default(), Deviations::default()).unwrap();
        check(&mut cursor);
        cursor.into_deviations().leniencies()
    }

    #[test]
    fn h27_a_text_is_as_long_as_it_may_be_and_not_one_character_more() {
        let rule = Rule::NONE.characters(32);
        let check = |text: &str| forgiven(|cursor| rule.check_text(cursor, 0, text));
        assert_eq!(check(&"a".repeat(32)), []);
        assert_eq!(check(&"a".repeat(33)), [Leniency::TooLong]);
        assert_eq!(check(&"é".repeat(32)), [], "characters count");
    }

    #[test]
    fn h27_a_list_is_as_long_as_it_may_be_and_not_one_member_more() {
        let rule = Rule::NONE.members(16);
        assert_eq!(forgiven(|cursor| rule.check_count(cursor, 0, 16)), []);
        assert_eq!(forgiven(|cursor| rule.check_count(cursor, 0, 17)), [Leniency::TooMany]);
    }

    #[test]
    fn each_form_has_what_fits_and_what_does_not() {
        let fits = |form: Form, text: &str| match form {
            Form::Text(fits, _) => fits(text, Version::V1_2),
            Form::Number(_) => panic!("{form:?} is of numbers"),
        };
        let check = |form: Form, right: &[&str], wrong: &[&str]| {
            right.iter().for_each(|text| assert!(fits(form, text), "{text}"));
            wrong.iter().for_each(|text| assert!(!fits(form, text), "{text}"));
        };
        check(oui, &["00005E"], &["00005e", "5E", "00005E0", ""]);
        check(object_path, &["Device."], &["Device", ""]);
        check(
            event,
            &["1 BOOT", "M Reboot", "M X_00005E_Do", "X 00005E Do it"],
            &["BOOT", "X 00005E ", "M ", "1 "],
        );
        check(file_to_fetch, &["1 Firmware Upgrade Image", "X 00005E Profile"], &["Firmware", "1"]);
        check(file_to_send, &["3 Vendor Configuration File 1"], &["0 Vendor Log File"]);
        check(window_mode, &["1 At Any Time"], &["At Any Time"]);
        check(subscriber, &["Subscriber"], &["subscriber", ""]);
        check(unit_state, &["Installed"], &["installed"]);
        check(
            uuid,
            &["5eb63bbb-e01e-5ed0-93cb-22bb8f5acdc3"],
            &["5eb63bbb", "5eb63bbb-e01e-5ed0-93cb-22bb8f5acdcg"],
        );
    }
}
