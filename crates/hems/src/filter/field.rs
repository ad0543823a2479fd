//! What a filter may ask for: the fields, the type of each, and which of them an index answers.

use std::fmt;

use jiff::Timestamp;

/// A field of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Text(Text),
    /// `label.KEY`
    Label(String),
    Flag(Flag),
    Time(Moment),
    State,
}

/// A field that is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Identity,
    Realm,
    Oui,
    ProductClass,
    Serial,
    Site,
    Tag,
    Software,
    Plmn,
    Tac,
    Pci,
    TlsVersion,
    Suite,
}

/// A field that is true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    InService,
    AdminState,
    OpState,
    RfTxStatus,
    DeadLetter,
}

/// A field that is a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    FirstSeen,
    LastInform,
    CertificateNotAfter,
}

/// How a cell is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No Inform of it was ever taken.
    Never,
    /// Its certificate is good and nobody admitted it.
    Quarantined,
    /// Known is not yet what is desired.
    Provisioning,
    /// Known equals desired and it is on air.
    InService,
    /// Its next Inform is overdue.
    Late,
    /// So long overdue that somebody should look.
    Lost,
    /// Its identity is shut out by an operator.
    Blocked,
    /// Admitted with a DeviceId that another one has too.
    Disputed,
}

/// What is known of a device, as a filter asks for it.
pub(crate) trait Facts {
    /// The texts of a field: tags have many, what is not known has none.
    fn texts(&self, field: Text) -> Vec<&str>;
    /// A label's value.
    fn label(&self, name: &str) -> Option<&str>;
    /// A field that is true or false.
    fn flag(&self, field: Flag) -> Option<bool>;
    /// A field that is a time, in milliseconds since 1970.
    fn time(&self, field: Moment) -> Option<i64>;
    /// How it is doing.
    fn state(&self, now: Timestamp) -> Option<State>;
}

/// One line of the table of fields.
struct Row {
    name: &'static str,
    field: Field,
    /// How few devices a value usually leaves: 1 is one device; nothing where no index answers.
    index: Option<u8>,
    /// Whether a template's selector may ask for it: it must not change by what the template sets, nor by time.
    selects: bool,
}

const fn row(name: &'static str, field: Field, index: Option<u8>, selects: bool) -> Row {
    Row { name, field, index, selects }
}

/// Every field but labels, as they are written.
static FIELDS: [Row; 22] = [
    row("identity", Field::Text(Text::Identity), Some(1), true),
    row("serial", Field::Text(Text::Serial), Some(1), true),
    row("site", Field::Text(Text::Site), Some(2), true),
    row("pci", Field::Text(Text::Pci), Some(3), false),
    row("dead_letter", Field::Flag(Flag::DeadLetter), Some(3), false),
    row("tag", Field::Text(Text::Tag), Some(4), true),
    row("tac", Field::Text(Text::Tac), Some(4), false),
    row("certificate_not_after", Field::Time(Moment::CertificateNotAfter), Some(5), false),
    row("last_inform", Field::Time(Moment::LastInform), Some(5), false),
    row("first_seen", Field::Time(Moment::FirstSeen), Some(5), false),
    row("software", Field::Text(Text::Software), Some(6), false),
    row("plmn", Field::Text(Text::Plmn), None, false),
    row("state", Field::State, Some(8), false),
    row("product_class", Field::Text(Text::ProductClass), Some(8), true),
    row("oui", Field::Text(Text::Oui), Some(8), true),
    row("in_service", Field::Flag(Flag::InService), Some(9), false),
    row("realm", Field::Text(Text::Realm), None, true),
    row("tls_version", Field::Text(Text::TlsVersion), None, false),
    row("suite", Field::Text(Text::Suite), None, false),
    row("admin_state", Field::Flag(Flag::AdminState), None, false),
    row("op_state", Field::Flag(Flag::OpState), None, false),
    row("rf_tx_status", Field::Flag(Flag::RfTxStatus), None, false),
];

/// What a label's name begins with.
pub(super) const LABEL: &str = "label.";

impl Field {
    /// Finds a field by its name in any letter case.
    pub(super) fn find(name: &str) -> Option<Self> {
        let label = name.split_at_checked(LABEL.len()).filter(|(word, _)| word.eq_ignore_ascii_case(LABEL));
        if let Some((_, key)) = label.filter(|(_, key)| !key.is_empty()) {
            return Some(Self::Label(key.to_ascii_lowercase()));
        }
        FIELDS.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.field.clone())
    }

    fn row(&self) -> Option<&'static Row> {
        FIELDS.iter().find(|row| row.field == *self)
    }

    /// How few devices a value of it usually leaves; nothing where no index answers.
    pub(super) fn index(&self) -> Option<u8> {
        match self {
            Self::Label(_) => Some(4),
            Self::Text(_) | Self::Flag(_) | Self::Time(_) | Self::State => {
                self.row().and_then(|row| row.index)
            }
        }
    }

    /// Whether a template's selector may ask for it.
    pub(crate) fn selects(&self) -> bool {
        matches!(self, Self::Label(_)) || self.row().is_some_and(|row| row.selects)
    }

    /// Every name, for messages.
    pub(crate) fn names(is_meant: impl Fn(&Self) -> bool) -> String {
        let named = FIELDS.iter().filter(|row| is_meant(&row.field)).map(|row| row.name);
        named.chain(["label.KEY"]).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(key) => write!(f, "{LABEL}{key}"),
            Self::Text(_) | Self::Flag(_) | Self::Time(_) | Self::State => {
                f.write_str(self.row().map_or("", |row| row.name))
            }
        }
    }
}

/// Every state, as it is written.
const STATES: [(&str, State); 8] = [
    ("never", State::Never),
    ("quarantined", State::Quarantined),
    ("provisioning", State::Provisioning),
    ("in_service", State::InService),
    ("late", State::Late),
    ("lost", State::Lost),
    ("blocked", State::Blocked),
    ("disputed", State::Disputed),
];

impl State {
    /// Finds a state by its name.
    pub(super) fn find(name: &str) -> Option<Self> {
        STATES.iter().find(|(other, _)| *other == name).map(|(_, state)| *state)
    }

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        STATES.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }

    /// Every name, for messages.
    pub(super) fn names() -> String {
        STATES.map(|(name, _)| name).join(", ")
    }
}
