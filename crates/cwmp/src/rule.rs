//! What the schema demands of one element beyond its type: a bound, and a form of its text.
//!
//! One rule: a rule stands in the element's row of the table, and nowhere else. Breaking one is
//! forgiven and reported, never refused. (H-27)

use crate::{Leniency, cursor::Cursor};

/// A form of text, and what is forgiven where it has another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    fits: fn(&str) -> bool,
    leniency: Leniency,
}

/// What the schema demands of one element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    characters: usize,
    members: usize,
    form: Option<Form>,
}

impl Rule {
    /// Nothing is demanded.
    pub(crate) const NONE: Self = Self { characters: usize::MAX, members: usize::MAX, form: None };

    /// At most so many characters; in an array, each member.
    pub(crate) const fn characters(self, most: usize) -> Self {
        Self { characters: most, ..self }
    }

    /// At most so many members.
    pub(crate) const fn members(self, most: usize) -> Self {
        Self { members: most, ..self }
    }

    pub(crate) const fn like(self, form: Form) -> Self {
        Self { form: Some(form), ..self }
    }

    /// Whether the schema has no rule for the text, so that its type is XML Schema's own.
    pub(crate) fn is_none(&self) -> bool {
        !self.is_of_text()
    }

    pub(crate) fn is_of_text(&self) -> bool {
        self.characters < usize::MAX || self.form.is_some()
    }

    pub(crate) fn check_text(&self, cursor: &mut Cursor<'_>, offset: usize, text: &str) {
        if text.len() > self.characters && text.chars().count() > self.characters {
            cursor.forgive_at(Leniency::TooLong, offset);
        }
        if let Some(form) = self.form.filter(|form| !(form.fits)(text)) {
            cursor.forgive_at(form.leniency, offset);
        }
    }

    pub(crate) fn check_count(&self, cursor: &mut Cursor<'_>, offset: usize, count: usize) {
        if count > self.members {
            cursor.forgive_at(Leniency::TooMany, offset);
        }
    }
}

/// Forms by the name that rows give them: what fits, and what is forgiven where it does not.
macro_rules! forms {
    ($( $(#[$doc:meta])* $name:ident($text:ident) = $fits:expr, $leniency:ident; )*) => { $(
        $(#[$doc])*
        #[expect(non_upper_case_globals, reason = "rows of the table read like the schema")]
        pub(crate) const $name: Form = Form { fits: |$text| $fits, leniency: Leniency::$leniency };
    )* };
}

forms! {
    /// Six upper-case hexadecimal digits.
    oui(text) = is_oui(text), OuiForm;
    /// Instance numbers, or aliases in brackets. (TR-069 3.6.1)
    path(text) = crate::alias::are_aliases(text), AliasForm;
    /// A path that ends in a dot; AddObject may name the alias of what it creates. (TR-069 A.3.2.6)
    object_path(text) = text.ends_with('.') && crate::alias::are_aliases(text), TextForm;
    /// `1 BOOT`, `M Reboot`, `X 00005E Something`.
    event(text) = has_number(text) || has_vendor(text) || is_m(text), TextForm;
    /// `1 Firmware Upgrade Image`, or a vendor's.
    file_to_fetch(text) = has_number(text) || has_vendor(text), TextForm;
    /// `1 Vendor Configuration File`, `2 Vendor Log File`, the same with an instance, or a vendor's.
    file_to_send(text) = (has_number(text) && text.contains(" Vendor ")) || has_vendor(text), TextForm;
    /// `1 At Any Time`, or a vendor's.
    window_mode(text) = has_number(text) || has_vendor(text), TextForm;
    /// The one entity that access lists know.
    subscriber(text) = text == "Subscriber", TextForm;
    /// `Installed`, `Uninstalled`, `Failed`.
    unit_state(text) = matches!(text, "Installed" | "Uninstalled" | "Failed"), TextForm;
    /// Five groups of hexadecimal digits.
    uuid(text) = is_uuid(text), TextForm;
}

fn is_oui(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

/// A number, a space, words.
fn has_number(text: &str) -> bool {
    let Some((number, words)) = text.split_once(' ') else { return false };
    number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() && !words.trim_ascii().is_empty()
}

/// `X`, the vendor's OUI, words.
fn has_vendor(text: &str) -> bool {
    let parts = text.strip_prefix("X ").and_then(|rest| rest.split_once(' '));
    parts.is_some_and(|(vendor, words)| is_oui(vendor) && !words.is_empty())
}

/// `M` and the name of a method.
fn is_m(text: &str) -> bool {
    text.strip_prefix("M ").is_some_and(|method| !method.is_empty() && !method.contains(' '))
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
        let check = |form: Form, right: &[&str], wrong: &[&str]| {
            right.iter().for_each(|text| assert!((form.fits)(text), "{text}"));
            wrong.iter().for_each(|text| assert!(!(form.fits)(text), "{text}"));
        };
        check(oui, &["00005E"], &["00005e", "5E", "00005E0", ""]);
        check(object_path, &["Device."], &["Device", ""]);
        check(
            event,
            &["1 BOOT", "M Reboot", "M X_00005E_Do", "X 00005E Do it"],
            &["BOOT", "X CT-COM BIND", "M ", "1 "],
        );
        check(file_to_fetch, &["1 Firmware Upgrade Image", "X 00005E Profile"], &["Firmware", "1"]);
        check(file_to_send, &["3 Vendor Configuration File 1"], &["1 Firmware Upgrade Image"]);
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
