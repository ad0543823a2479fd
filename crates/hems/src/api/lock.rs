//! Who locked a cell, and since when: its own values keep AdminState off, which is no fault and no unfinished work.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Api, Problem, time};
use crate::{
    radio,
    store::{Listed, Whose},
    template::Template,
};

/// The lock of a cell.
#[derive(Serialize, JsonSchema)]
pub(super) struct LockView {
    by: String,
    at: String,
    reason: String,
}

impl LockView {
    /// The lock in the values of a device alone.
    pub(super) async fn of(api: &Api, identity: &str) -> Result<Option<Self>, Problem> {
        Ok(locked(api.hems.store.versions(&Whose::Device(identity.to_owned())).await?).map(Self::from))
    }
}

impl From<Listed> for LockView {
    fn from(listed: Listed) -> Self {
        let version = listed.newest;
        Self { by: version.author, at: time(version.at), reason: version.reason }
    }
}

/// The version that locked, of versions from the newest on: what applies has it from there without a break.
fn locked(versions: Vec<Listed>) -> Option<Listed> {
    let newer = |one: &Listed| one.newest.version > one.applied;
    versions.into_iter().skip_while(newer).take_while(|one| is_off(&one.newest.template)).last()
}

fn is_off(template: &Template) -> bool {
    let wanted = template.values.get(radio::ADMIN_STATE).and_then(crate::template::Wanted::literal);
    wanted.is_some_and(|text| text == "false" || text == "0")
}
