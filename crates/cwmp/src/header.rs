//! The headers of CWMP. (TR-069 3.5, H-20 to H-24)
//!
//! One rule: a header that must be understood and is not ends the reading; every other is passed over
//! and reported.

use crate::{
    DecodeError, DecodeErrorKind, Leniency, Text, Version,
    cursor::{Cursor, Element},
    namespace::Namespace,
    wire::Wire,
    writer::Writer,
};

/// What stands beside a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Ties a response to its call.
    pub id: Option<Text>,
    /// The ACS asks the CPE to hold its calls back.
    pub hold_requests: Option<bool>,
    /// How many seconds the CPE may take between messages, from CWMP 1.3 on.
    pub session_timeout: Option<u32>,
    /// The versions that the CPE speaks, from CWMP 1.4 on.
    pub supported_cwmp_versions: Option<Text>,
    /// The version that the ACS chose, from CWMP 1.4 on.
    pub use_cwmp_version: Option<Text>,
}

/// What the schema says of a header's `mustUnderstand` (it must be this, or it may be absent), and the namespace that
/// first had it.
const KNOWN: &[(&str, bool, Version)] = &[
    ("ID", true, Version::V1_0),
    ("HoldRequests", true, Version::V1_0),
    ("SessionTimeout", false, Version::V1_2),
    ("SupportedCWMPVersions", false, Version::V1_2),
    ("UseCWMPVersion", true, Version::V1_2),
];

impl Header {
    /// A header with nothing but an ID.
    #[must_use]
    pub fn with_id(id: Option<Text>) -> Self {
        Self { id, ..Self::default() }
    }

    /// Reads one SOAP header into what was read of an earlier one.
    pub(crate) fn decode(&mut self, cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
        while let Some(child) = cursor.child()? {
            let is_ours = child.namespace.is_cwmp() || child.namespace == Namespace::None;
            match KNOWN.iter().find(|(name, ..)| is_ours && is_spelt(child.local(), name)) {
                Some((name, must, first)) => {
                    if *name != child.local() {
                        cursor.forgive(Leniency::Misspelt);
                    }
                    check(cursor, &child, *must, *first);
                    self.decode_one(cursor, &child, name)?;
                }
                None => pass_over(cursor, &child)?,
            }
        }
        Ok(())
    }

    fn decode_one(
        &mut self,
        cursor: &mut Cursor<'_>,
        child: &Element<'_>,
        name: &str,
    ) -> Result<(), DecodeError> {
        match name {
            "ID" => {
                let id = Text::decode(cursor, child)?;
                cursor.id = Some(id.clone());
                note_second(cursor, self.id.replace(id).is_some());
            }
            "HoldRequests" => {
                let hold = bool::decode(cursor, child)?;
                note_second(cursor, self.hold_requests.replace(hold).is_some());
            }
            "SessionTimeout" => {
                let seconds = u32::decode(cursor, child)?;
                note_second(cursor, self.session_timeout.replace(seconds).is_some());
            }
            "SupportedCWMPVersions" => {
                let versions = Text::decode(cursor, child)?;
                note_second(cursor, self.supported_cwmp_versions.replace(versions).is_some());
            }
            _ => {
                let version = Text::decode(cursor, child)?;
                note_second(cursor, self.use_cwmp_version.replace(version).is_some());
            }
        }
        Ok(())
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        let hold = self.hold_requests.map(|hold| Text::from_static(if hold { "1" } else { "0" }));
        let timeout = self.session_timeout.map(|seconds| Text::from(seconds.to_string()));
        let rows = [
            ("cwmp:ID", "1", &self.id),
            ("cwmp:HoldRequests", "1", &hold),
            ("cwmp:SessionTimeout", "0", &timeout),
            ("cwmp:SupportedCWMPVersions", "0", &self.supported_cwmp_versions),
            ("cwmp:UseCWMPVersion", "1", &self.use_cwmp_version),
        ];
        for (name, must_understand, value) in rows {
            let Some(value) = value else { continue };
            let start = [name, " soap:mustUnderstand=\"", must_understand, "\""].concat();
            out.open(&start);
            out.escaped(value);
            out.close(name);
        }
    }
}

/// Reports the form of a header that we know.
fn check(cursor: &mut Cursor<'_>, child: &Element<'_>, must: bool, first: Version) {
    if child.namespace == Namespace::None {
        cursor.forgive(Leniency::Unqualified);
    }
    if matches!(child.namespace, Namespace::Cwmp(version) if version < first) {
        cursor.forgive(Leniency::MethodVersion);
    }
    if child.said.must_understand.unwrap_or(false) != must {
        cursor.forgive(Leniency::MustUnderstand);
    }
    // The schema's header types are extensions, which no simple type is derived from.
    if child.said.xsi_type.is_some() {
        cursor.forgive(Leniency::TypeAttribute);
    }
    if child.said.array_type.is_some() {
        cursor.forgive(Leniency::UnknownAttribute);
    }
}

/// Whether a header is meant, in whatever letters and number.
fn is_spelt(said: &str, name: &str) -> bool {
    said.eq_ignore_ascii_case(name)
        || name.strip_suffix('s').is_some_and(|one| said.eq_ignore_ascii_case(one))
}

fn note_second(cursor: &mut Cursor<'_>, is_second: bool) {
    if is_second {
        cursor.forgive(Leniency::Repeated);
    }
}

/// Passes over a header that we do not know, unless it must be understood.
fn pass_over(cursor: &mut Cursor<'_>, child: &Element<'_>) -> Result<(), DecodeError> {
    let is_ours = child.namespace.is_cwmp() || child.namespace == Namespace::None;
    if is_ours && is_spelt(child.local(), "NoMoreRequests") {
        cursor.forgive(Leniency::NoMoreRequests);
    } else if child.said.must_understand == Some(true) {
        let name = child.local().chars().take(80).collect();
        return Err(cursor.error(DecodeErrorKind::MustUnderstand(name)));
    } else {
        cursor.forgive(Leniency::UnknownHeader);
    }
    cursor.skip()
}
