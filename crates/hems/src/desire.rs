//! What is desired of one device: its templates, resolved, with what must be drawn from pools.
//!
//! A session draws what is missing and is released to changes; a preview only shows what would be.
//!
//! ```text
//!  emergency ─▶ off the air, and nothing else
//!  actions   ─▶ one for many? released to it, its call is queued
//!  templates ─▶ under way? the version that this device follows ─▶ layers ─▶ draws ─▶ desired
//! ```

use std::collections::{BTreeMap, BTreeSet};

use datamodel::Model;
use jiff::Timestamp;

use crate::{
    change::{Bounds, State},
    inventory::Place,
    plan::Desired,
    store::{DrawError, Store, StoreError, UnderWay, Wishes},
    template::{Absent, Layers, Subject, Template},
};

/// What is desired, or why nothing can be said of it.
pub(crate) type Resolved = Result<Desired, Missing>;

/// What would be desired.
#[derive(Debug)]
pub(crate) struct Supposed {
    pub(crate) desired: Resolved,
    /// The numbers that it would draw from pools, as things are.
    pub(crate) draws: BTreeMap<String, i64>,
    /// Nothing is changed before that ends.
    pub(crate) is_frozen: bool,
    /// The values that count for nothing, and the tables whose rows templates fill instead.
    pub(crate) overruled: Vec<(String, String)>,
}

/// Why nothing can be said of what is desired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    /// A pool that gave nothing.
    #[error("the pool `{pool}`: {error}")]
    Pool { pool: String, error: DrawError },
    /// Something that was not drawn or worked out.
    #[error(transparent)]
    Absent(#[from] Absent),
}

/// What a session shall do.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) desired: Resolved,
    /// Nothing may be changed.
    pub(crate) is_frozen: bool,
    /// An emergency wants it off the air.
    pub(crate) is_shut: bool,
    /// It was released to a change that is under way.
    pub(crate) is_following: bool,
    /// It was released to an action, and has a call more.
    pub(crate) is_asked: bool,
}

impl Missing {
    /// Whether it is for want of a number.
    pub(crate) fn is_draw(&self) -> bool {
        matches!(self, Self::Pool { .. } | Self::Absent(Absent::Draw(_)))
    }

    /// As which step it is shown.
    pub(crate) fn step(&self) -> String {
        match self {
            Self::Pool { pool, .. } | Self::Absent(Absent::Draw(pool)) => format!("Draw {pool}"),
            Self::Absent(Absent::Expression { place, .. }) => format!("Expression {place}"),
        }
    }
}

/// Resolves the templates of a device: it is released to what it may follow, and draws what it does not hold yet.
/// `served` is whether it ever served: one that did not has nothing to lose.
pub(crate) async fn draw(
    store: &Store,
    subject: &Subject,
    (mut wishes, served): (Wishes, bool),
    rules: (&Bounds, &Model),
    now: Timestamp,
) -> Result<Wish, StoreError> {
    let identity = subject.identity.as_str();
    let is_asked = !wishes.is_shut && ask(store, identity, &wishes.actions, (rules.0, now)).await?;
    if is_asked {
        wishes = store.wishes(identity).await?;
    }
    let mut is_following = false;
    for change in std::mem::take(&mut wishes.changes) {
        if !change.state.is_under_way() {
            if served && !change.is_released && concerns(&change, subject) {
                store.count_late(change.id, identity.to_owned(), now).await?;
            }
            continue;
        }
        let follows = concerns(&change, subject)
            && (change.is_released || follows(store, &change, identity, served, (rules.0, now)).await?);
        is_following |= follows && served;
        if follows {
            wishes.follow(identity, change);
        }
    }
    let desired = if wishes.is_shut {
        Ok(Desired::off_the_air())
    } else {
        resolve(store, &wishes, subject, (rules.1, Draws::At(now))).await?.map(|(desired, _)| desired)
    };
    Ok(Wish { desired, is_frozen: wishes.is_frozen, is_shut: wishes.is_shut, is_following, is_asked })
}

/// Releases a device to actions, as far as they may ask it now; whether one does.
async fn ask(
    store: &Store,
    identity: &str,
    actions: &[i64],
    (bounds, now): (&Bounds, Timestamp),
) -> Result<bool, StoreError> {
    let mut is_asked = false;
    for action in actions {
        is_asked |= store.release_to_action(*action, identity.to_owned(), *bounds, now).await?;
    }
    Ok(is_asked)
}

/// What operators want of a device, with what it was released to or follows without that.
async fn followed(store: &Store, subject: &Subject) -> Result<Wishes, StoreError> {
    let identity = subject.identity.as_str();
    let mut wishes = store.wishes(identity).await?;
    for change in std::mem::take(&mut wishes.changes) {
        let follows = change.is_released || !subject.has_served && change.state == State::Running;
        if follows && change.state.is_under_way() {
            wishes.follow(identity, change);
        }
    }
    Ok(wishes)
}

/// Whether something else is desired of a device that stands at another place: other templates select it, or an
/// expression gives another value.
pub(crate) async fn is_other_at(
    store: &Store,
    subject: &Subject,
    place: &Place,
    model: &Model,
) -> Result<bool, StoreError> {
    let wishes = followed(store, subject).await?;
    let moved = Subject { place: place.clone(), ..subject.clone() };
    let nothing = BTreeMap::new();
    let here = resolve(store, &wishes, subject, (model, Draws::Ahead(&nothing))).await?;
    Ok(here != resolve(store, &wishes, &moved, (model, Draws::Ahead(&nothing))).await?)
}

/// The values of a device's own that count for nothing, and the tables whose rows templates fill instead.
pub(crate) async fn overruled(
    store: &Store,
    subject: &Subject,
    own: &Template,
) -> Result<Vec<(String, String)>, StoreError> {
    let wishes = Wishes { own: Some(own.clone()), ..store.wishes(subject.identity.as_str()).await? };
    Ok(layers(&wishes, subject).overruled())
}

/// Resolves the templates of a device with what it was released to and what it holds.
pub(crate) async fn preview(store: &Store, subject: &Subject, model: &Model) -> Result<Supposed, StoreError> {
    let wishes = followed(store, subject).await?;
    if wishes.is_shut {
        let desired = Ok(Desired::off_the_air());
        return Ok(Supposed { desired, draws: BTreeMap::new(), is_frozen: false, overruled: Vec::new() });
    }
    supposed(store, &wishes, subject, (model, &BTreeMap::new())).await
}

async fn supposed(
    store: &Store,
    wishes: &Wishes,
    subject: &Subject,
    (model, from): (&Model, &BTreeMap<String, i64>),
) -> Result<Supposed, StoreError> {
    let resolved = resolve(store, wishes, subject, (model, Draws::Ahead(from))).await?;
    let (desired, draws) = match resolved {
        Ok((desired, draws)) => (Ok(desired), draws),
        Err(missing) => (Err(missing), BTreeMap::new()),
    };
    let overruled = layers(wishes, subject).overruled();
    Ok(Supposed { desired, draws, is_frozen: wishes.is_frozen, overruled })
}

/// The pools that a device draws from, also where an emergency keeps it off the air for now.
pub(crate) async fn pools(store: &Store, subject: &Subject) -> Result<BTreeSet<String>, StoreError> {
    let wishes = followed(store, subject).await?;
    Ok(layers(&wishes, subject).pools().into_iter().map(str::to_owned).collect())
}

fn layers<'w>(wishes: &'w Wishes, subject: &Subject) -> Layers<'w> {
    let templates = wishes.templates.iter().map(|(name, template)| (name.as_str(), &**template));
    Layers::of(templates, wishes.own.as_ref(), subject)
}

/// Resolves what would be desired if a template were this one, with numbers from here on where it holds none.
pub(crate) async fn suppose(
    store: &Store,
    subject: &Subject,
    (name, template): (&str, Option<&Template>),
    (model, from): (&Model, &BTreeMap<String, i64>),
) -> Result<Supposed, StoreError> {
    let mut wishes = followed(store, subject).await?;
    wishes.replace(subject.identity.as_str(), name, template.cloned());
    supposed(store, &wishes, subject, (model, from)).await
}

fn concerns(change: &UnderWay, subject: &Subject) -> bool {
    let is_own = change.name == subject.identity.as_str();
    let both = [&change.from, &change.to];
    is_own || both.into_iter().flatten().any(|template| template.selector.selects(subject))
}

async fn follows(
    store: &Store,
    change: &UnderWay,
    identity: &str,
    served: bool,
    (bounds, now): (&Bounds, Timestamp),
) -> Result<bool, StoreError> {
    match (change.state, served) {
        (State::Running, true) => store.release(change.id, identity.to_owned(), *bounds, now).await,
        (State::Running, false) => Ok(true),
        (State::Preparing | State::Waiting | State::Stopped | State::Done | State::Withdrawn, _) => Ok(false),
    }
}

/// How numbers of pools that a device does not hold are had.
#[derive(Clone, Copy)]
enum Draws<'d> {
    /// Drawn for good.
    At(Timestamp),
    /// Those that are free as things are, in each pool from a number on.
    Ahead(&'d BTreeMap<String, i64>),
}

/// Lays the templates over one another; gives the numbers that are not held yet, too.
async fn resolve(
    store: &Store,
    wishes: &Wishes,
    subject: &Subject,
    (model, how): (&Model, Draws<'_>),
) -> Result<Result<(Desired, BTreeMap<String, i64>), Missing>, StoreError> {
    let identity = subject.identity.as_str();
    let layers = layers(wishes, subject);
    let (mut draws, mut ahead) = (BTreeMap::new(), BTreeMap::new());
    for pool in layers.pools() {
        let held = match how {
            Draws::At(_) => None,
            Draws::Ahead(_) => store.drawn(pool, identity).await?,
        };
        let number = match (how, held) {
            (Draws::At(now), _) => store.draw(pool, identity, now).await?,
            (Draws::Ahead(_), Some(held)) => Ok(held),
            (Draws::Ahead(from), None) => store.next_free(pool, from.get(pool).copied()).await?,
        };
        match number {
            Ok(number) => drop(draws.insert(pool.to_owned(), number)),
            Err(error) => return Ok(Err(Missing::Pool { pool: pool.to_owned(), error })),
        }
        if held.is_none() {
            ahead.extend(draws.get(pool).map(|number| (pool.to_owned(), *number)));
        }
    }
    let desired = layers.desired(subject, &draws, model).map_err(Missing::from);
    Ok(desired.map(|desired| (desired, ahead)))
}
