//! The list of devices: pages of what a filter means, and what operators say of a device.
//!
//! ```text
//!  filter ──▶ walks ──▶ store: the next devices along an index ──▶ filter again ──▶ page
//!                          ▲                                                         │
//!                          └───────────── position, as an opaque token ◀─────────────┘
//! ```
//!
//! The store finds devices, the filter alone decides: a list and a template's selector cannot disagree. A page looks
//! at a bounded number of devices, so it may be shorter than asked for, or empty, and still have a next one.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    filter::{
        Facts, Filter, Flag, Moment, Order, OrderError, Question, Sorted, State, Term, Test, Text, Unindexed,
    },
    hex::{hex, unhex},
    store::{DeviceRow, Edited, Store, StoreError, Tag},
    template::{Complaint, Selector, is_name},
};

/// Devices that one page looks at: a few milliseconds on a machine that has other work too.
const STEPS: usize = 200;
/// Devices of a roll that one commit writes.
const TOGETHER: usize = 1_000;
/// Pages that a count looks at, a hundred thousand devices: a second or two of one core.
const COUNT_PAGES: usize = 500;
/// How long after its Inform was due a device counts as lost, in milliseconds: somebody should look the next day.
pub(crate) const LOST_AFTER: i64 = 24 * 3_600_000;
/// Tags or labels of one device.
const WORDS_MAX: usize = 64;
/// Characters of a site's name or a label's value.
const TEXT_MAX: usize = 128;

const TEXT_RULE: &str = "1 to 128 characters without control characters";
const NAME_RULE: &str = "a name has 1 to 64 of a-z, 0-9, - and _";

/// Where a device stands and what operators call it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    #[serde(default)]
    pub(crate) site: Option<String>,
    #[serde(default)]
    pub(crate) tags: BTreeSet<String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// A device of the list.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) row: DeviceRow,
    pub(crate) place: Place,
}

/// Where a page ends and the next one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Which of the list's ways.
    pub(crate) walk: usize,
    /// The last device's value in the index, where that has many.
    pub(crate) key: Option<Key>,
    /// The last device.
    pub(crate) identity: String,
}

/// A value in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Text(String),
    Number(i64),
}

/// Devices, and where to go on.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) devices: Vec<Device>,
    pub(crate) next: Option<String>,
}

/// A way through the devices, along one index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Those for which a comparison holds, as its index has them; all by identity where there is none.
    Along(Option<Term>),
    /// By a field, as far as a comparison of it holds.
    Sorted(Order, Option<Term>),
    /// Those of which the field is not known, by identity.
    Absent(Order),
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error(transparent)]
    Unindexed(#[from] Unindexed),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("the page token is none, or of another filter or order; begin with the first page")]
    Token,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A page while it is read.
struct Reading<'f> {
    filter: &'f Filter,
    ways: Vec<Way>,
    now: Timestamp,
    limit: usize,
    at: Position,
    /// Devices that may still be looked at.
    left: usize,
    devices: Vec<Device>,
}

/// One page of the devices for which a filter holds.
pub(crate) async fn page(
    store: &Store,
    filter: &Filter,
    token: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> Result<Page, ListError> {
    let ways = filter.walks()?.into_iter().map(Way::Along).collect();
    turn(store, (filter, ways, &filter.to_string()), token, (limit, now)).await
}

/// The same in an order, which the filter as somebody wrote it decides; it may have been narrowed to what he sees.
pub(crate) async fn sorted(
    store: &Store,
    (order, asked, narrowed): (&Order, &Filter, &Filter),
    token: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> Result<Page, ListError> {
    let lead = order.lead(asked)?;
    let absent = (lead.is_none() && order.by.may_lack()).then(|| Way::Absent(order.clone()));
    let mut ways: Vec<_> = absent.into_iter().chain([Way::Sorted(order.clone(), lead)]).collect();
    if order.is_descending {
        ways.reverse();
    }
    turn(store, (narrowed, ways, &format!("{narrowed} by {order}")), token, (limit, now)).await
}

/// Reads the page that a token names, of a list that `name` tells from others.
async fn turn(
    store: &Store,
    (filter, ways, name): (&Filter, Vec<Way>, &str),
    token: Option<&str>,
    (limit, now): (usize, Timestamp),
) -> Result<Page, ListError> {
    let at = match token {
        Some(token) => Position::read(token, name).ok_or(ListError::Token)?,
        None => Position::default(),
    };
    let mut reading = Reading { filter, ways, now, limit, at, left: STEPS, devices: Vec::new() };
    while let Some(way) = reading.ways.get(reading.at.walk).cloned() {
        if reading.is_over() {
            return Ok(Page { next: Some(reading.at.token(name)), devices: reading.devices });
        }
        let steps = reading.steps();
        let met = store.walk(&way, &reading.at, steps, now).await?;
        reading.take(met, &way, steps)?;
    }
    Ok(Page { devices: reading.devices, next: None })
}

/// Counts the devices for which a filter holds, and says whether all were looked at.
pub(crate) async fn count(
    store: &Store,
    filter: &Filter,
    now: Timestamp,
) -> Result<(usize, bool), ListError> {
    let (mut count, mut token) = (0, None);
    for _ in 0..COUNT_PAGES {
        let page = page(store, filter, token.as_deref(), STEPS, now).await?;
        count += page.devices.len();
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok((count, true)),
        }
    }
    Ok((count, false))
}

/// A filter for every device that one of these selects, or for all where no index answers that.
pub(crate) fn union(selectors: &[&Selector]) -> Filter {
    let filter = Filter::Any(selectors.iter().map(|selector| selector.filter().clone()).collect());
    let is_all = selectors.iter().any(|selector| selector.selects_all());
    if is_all || filter.walks().is_err() { Filter::default() } else { filter }
}

/// The roll of the admitted devices for which a filter holds at one moment. Devices call while it is read, and what
/// they report moves them along the index that it is read by: as it was, each is met once.
pub(crate) struct Roll<'f> {
    /// As it was; nothing where all are read.
    store: Option<Store>,
    filter: &'f Filter,
    now: Timestamp,
    token: Option<String>,
}

impl<'f> Roll<'f> {
    pub(crate) async fn begin(store: &Store, filter: &'f Filter, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self { store: Some(store.snapshot().await?), filter, now, token: None })
    }

    /// The next identities, as many as one commit takes; none where all are read.
    pub(crate) async fn next(&mut self) -> Result<Vec<String>, ListError> {
        let mut identities = Vec::new();
        while identities.len() < TOGETHER
            && let Some(store) = &self.store
        {
            let page = page(store, self.filter, self.token.as_deref(), STEPS, self.now).await?;
            let admitted = page.devices.into_iter().filter(|device| device.row.state == "admitted");
            identities.extend(admitted.map(|device| device.row.identity));
            self.token = page.next;
            if self.token.is_none()
                && let Some(store) = self.store.take()
            {
                store.end_snapshot().await;
            }
        }
        Ok(identities)
    }
}

/// How many devices that served before one of these selects: as many as a change of them may disturb.
pub(crate) async fn served(store: &Store, selectors: &[&Selector], now: Timestamp) -> Result<i64, ListError> {
    if selectors.iter().any(|selector| selector.selects_all()) {
        return Ok(store.count_served().await?);
    }
    let filter = union(selectors);
    let is_selected = |device: &Device| selectors.iter().any(|selector| selector.filter().holds(device, now));
    let (mut count, mut token) = (0, None);
    loop {
        let page = page(store, &filter, token.as_deref(), STEPS, now).await?;
        let is_served = |device: &&Device| device.row.in_service_at.is_some() && is_selected(device);
        count += page.devices.iter().filter(is_served).map(|_| 1).sum::<i64>();
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(count),
        }
    }
}

impl Reading<'_> {
    fn is_over(&self) -> bool {
        self.devices.len() >= self.limit || self.left == 0
    }

    /// How far to look: where every device met is shown, one further than the page, to know whether it is the last.
    fn steps(&self) -> usize {
        let is_shown = matches!(self.filter, Filter::Term(_)) || *self.filter == Filter::default();
        let wanted = self.limit.saturating_sub(self.devices.len()).saturating_add(1);
        if is_shown { wanted.min(self.left) } else { self.left }
    }

    /// Takes what the walk met, up to the end of the page.
    fn take(&mut self, met: Vec<DeviceRow>, way: &Way, steps: usize) -> Result<(), StoreError> {
        let is_last = met.len() < steps;
        for row in met {
            if self.is_over() {
                return Ok(());
            }
            let device = Device::of(row)?;
            self.left -= 1;
            self.at.key = device.key(way);
            self.at.identity.clone_from(&device.row.identity);
            if self.is_of_this_walk(&device) && self.filter.holds(&device, self.now) {
                self.devices.push(device);
            }
        }
        if is_last {
            self.at = Position { walk: self.at.walk + 1, ..Position::default() };
        }
        Ok(())
    }

    /// Several ways may meet a device; the first whose comparison holds shows it. No device is on two ways of an order.
    fn is_of_this_walk(&self, device: &Device) -> bool {
        let holds = |(number, way): (usize, &Way)| match way {
            Way::Along(walk) => walk.as_ref().is_none_or(|term| term.holds(device, self.now)),
            Way::Sorted(..) | Way::Absent(_) => number == self.at.walk,
        };
        self.ways.iter().enumerate().position(holds) == Some(self.at.walk)
    }
}

impl Device {
    /// Reads what stands in a row as JSON.
    pub(crate) fn of(row: DeviceRow) -> Result<Self, StoreError> {
        let place = row.place()?;
        Ok(Self { row, place })
    }

    /// Where it stands in the index of a way; nothing where that leaves the identity alone.
    fn key(&self, way: &Way) -> Option<Key> {
        match way {
            Way::Along(term) => self.key_of(term.as_ref()?),
            Way::Sorted(Order { by: Sorted::Text(Text::Identity), .. }, _) | Way::Absent(_) => None,
            Way::Sorted(Order { by: Sorted::Text(field), .. }, _) => {
                let text = self.texts(*field).first().copied().unwrap_or_default();
                Some(Key::Text(text.to_ascii_lowercase()))
            }
            Way::Sorted(Order { by: Sorted::Time(field), .. }, _) => self.time(*field).map(Key::Number),
        }
    }

    fn key_of(&self, term: &Term) -> Option<Key> {
        let folded = |text: &str| Key::Text(text.to_ascii_lowercase());
        match &term.question {
            Question::Text(field, _) if term.test == Test::Begins => {
                self.texts(*field).first().copied().map(folded)
            }
            Question::Label(name, _) if term.test == Test::Begins => self.label(name).map(folded),
            Question::Time(field, _) => self.time(*field).map(Key::Number),
            Question::State(State::Late | State::Lost) => self.row.due_at.map(Key::Number),
            Question::Text(..) | Question::Label(..) | Question::Flag(..) | Question::State(_) => None,
        }
    }
}

impl Facts for Device {
    fn texts(&self, field: Text) -> Vec<&str> {
        let row = &self.row;
        match field {
            Text::Identity => vec![&row.identity],
            Text::Realm => row.identity.split_once('.').map(|(_, realm)| realm).into_iter().collect(),
            Text::Oui => listed(row.oui.as_ref()),
            Text::ProductClass => listed(row.product_class.as_ref()),
            Text::Serial => listed(row.serial.as_ref()),
            Text::Software => listed(row.software.as_ref()),
            Text::Tac => listed(row.tac.as_ref()),
            Text::Pci => listed(row.pci.as_ref()),
            Text::TlsVersion => listed(row.tls_version.as_ref()),
            Text::Suite => listed(row.suite.as_ref()),
            Text::Plmn => row.plmn.iter().flat_map(|list| list.split(',')).collect(),
            Text::Site => listed(self.place.site.as_ref()),
            Text::Tag => self.place.tags.iter().map(String::as_str).collect(),
        }
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.place.labels.get(name).map(String::as_str)
    }

    fn flag(&self, field: Flag) -> Option<bool> {
        let text = match field {
            Flag::InService => return (self.row.state == "admitted").then_some(self.row.is_in_service),
            Flag::DeadLetter => return Some(self.row.has_dead_letter),
            Flag::AdminState => &self.row.admin_state,
            Flag::OpState => &self.row.op_state,
            Flag::RfTxStatus => &self.row.rf_tx_status,
        };
        text.as_deref().map(|text| text == "true" || text == "1")
    }

    fn time(&self, field: Moment) -> Option<i64> {
        match field {
            Moment::FirstSeen => Some(self.row.first_seen_at),
            Moment::LastInform => self.row.last_inform_at,
            Moment::CertificateNotAfter => self.row.certificate_not_after,
        }
    }

    fn state(&self, now: Timestamp) -> Option<State> {
        let (row, now) = (&self.row, now.as_millisecond());
        let overdue = row.due_at.map_or(0, |due| now.saturating_sub(due));
        Some(match row.state.as_str() {
            _ if row.is_blocked => State::Blocked,
            _ if row.is_disputed => State::Disputed,
            // Also one that was withdrawn before: nobody knocks, so there is nobody to admit.
            _ if row.last_inform_at.is_none() => State::Never,
            "admitted" if overdue > LOST_AFTER => State::Lost,
            "admitted" if overdue > 0 => State::Late,
            "admitted" if row.is_in_service => State::InService,
            "admitted" => State::Provisioning,
            _ => State::Quarantined,
        })
    }
}

impl Place {
    /// Everything that is wrong with it.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut complain = |is_wrong: bool, place: &str, message: &str| {
            if is_wrong {
                complaints.push(Complaint { place: place.to_owned(), message: message.to_owned() });
            }
        };
        let is_text = |text: &String| {
            (1..=TEXT_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        complain(self.site.as_ref().is_some_and(|site| !is_text(site)), "site", TEXT_RULE);
        complain(
            self.tags.len() + self.labels.len() > WORDS_MAX,
            "tags",
            "a device has at most 64 tags and labels",
        );
        complain(!self.tags.iter().all(|tag| is_name(tag)), "tags", NAME_RULE);
        complain(!self.labels.keys().all(|name| is_name(name)), "labels", NAME_RULE);
        complain(!self.labels.values().all(is_text), "labels", TEXT_RULE);
        complaints
    }
}

impl Edited for Place {
    fn tag(&self) -> Tag {
        Tag::of(self)
    }
}

impl Position {
    /// As an opaque token: it holds for one list and this version.
    fn token(&self, name: &str) -> String {
        let key = match &self.key {
            None => String::new(),
            Some(Key::Number(number)) => format!("n{number}"),
            Some(Key::Text(text)) => format!("t{text}"),
        };
        let parts = (1, digest(name), self.walk, key, &self.identity);
        hex(serde_json::to_string(&parts).unwrap_or_default().as_bytes())
    }

    fn read(token: &str, name: &str) -> Option<Self> {
        let text = String::from_utf8(unhex(token)?).ok()?;
        let (version, digested, walk, key, identity): (u8, u64, usize, String, String) =
            serde_json::from_str(&text).ok()?;
        let key = match key.split_at_checked(1) {
            None => None,
            Some(("n", number)) => Some(Key::Number(number.parse().ok()?)),
            Some(("t", text)) => Some(Key::Text(text.to_owned())),
            Some(_) => return None,
        };
        let is_ours = version == 1 && digested == digest(name);
        is_ours.then_some(Self { walk, key, identity })
    }
}

fn listed(text: Option<&String>) -> Vec<&str> {
    text.map(String::as_str).into_iter().collect()
}

fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
