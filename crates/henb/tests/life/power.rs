//! The plug of a cell: it counts what the cell writes and says, and pulls itself at the point that it was told.
//!
//! ```text
//!   message out · message in · commit · file asked, half sent, taken ─▶ counted ─▶ the told one: nothing runs after it
//! ```

use std::{
    panic,
    sync::{Mutex, PoisonError},
};

use cwmp::{Role, Witness};
use tokio::sync::watch;

/// What a cell's task ends with where its power was cut.
#[derive(Debug)]
pub(crate) struct PowerCut;

/// Counts the points of one step, and pulls the plug at one of them.
#[derive(Debug, Default)]
pub(crate) struct Plug {
    /// How many points are left before the one at which it is pulled; nothing where it stays in.
    left: Mutex<Option<usize>>,
    /// Where it was pulled.
    pulled: watch::Sender<Option<String>>,
}

impl Plug {
    /// Pulls the plug after so many points more; nothing leaves it in.
    pub(crate) fn arm(&self, after: Option<usize>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = after;
        self.pulled.send_replace(None);
    }

    /// Notes a point; true where it was the last one.
    pub(crate) fn passes(&self, point: &str) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let is_here = *left == Some(0);
        *left = left.take().and_then(|points| points.checked_sub(1));
        if is_here {
            self.pulled.send_replace(Some(point.to_owned()));
        }
        is_here
    }

    /// Where it was pulled.
    pub(crate) fn point(&self) -> Option<String> {
        self.pulled.borrow().clone()
    }

    /// Waits until it is pulled.
    pub(crate) async fn pulled(&self) {
        let mut pulled = self.pulled.subscribe();
        let _ = pulled.wait_for(Option::is_some).await;
    }

    fn note(&self, point: &str) {
        if self.passes(point) {
            // The agent's task ends here, and runs no line more; this is no failure, and no hook reports it.
            panic::resume_unwind(Box::new(PowerCut));
        }
    }
}

impl Witness for Plug {
    fn message(&self, from: Role, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let name =
            text.split("<cwmp:").find(|part| !part.starts_with("ID") && part.starts_with(char::is_uppercase));
        let name = name.and_then(|part| part.split(|c: char| !c.is_alphanumeric()).next()).unwrap_or("empty");
        self.note(&format!("{from:?} {name}"));
    }

    fn committed(&self, number: u64) {
        self.note(&format!("commit {number}"));
    }
}
