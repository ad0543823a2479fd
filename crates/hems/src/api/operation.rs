//! An operation of the API: its name, where it is, what it asks of a caller, and who carries it out.
//!
//! The table of operations is the one truth: the router, the walk of the tests, what a role may do, what the audit
//! log calls it and the OpenAPI document come from it.

use axum::{
    extract::DefaultBodyLimit,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};

use super::{
    Api,
    describe::{Describe, Sketch},
};
use crate::people::Right;

/// What is known of an operation before it runs.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) right: Right,
    /// Whether it shows and changes only what the caller's scope has; else a scoped caller is refused.
    pub(super) is_scoped: bool,
    /// Whether it changes something, and is noted in the audit log.
    pub(super) is_change: bool,
    /// Whether no rate holds it back.
    pub(super) is_unlimited: bool,
    /// Whether it reads the query; else there is to be none.
    pub(super) has_query: bool,
}

/// A rule with the code behind it.
pub(super) struct Operation {
    pub(super) rule: Rule,
    pub(super) handler: MethodRouter<Api>,
    pub(super) words: Words,
}

/// What the document says of an operation.
#[cfg_attr(not(test), expect(dead_code, reason = "a test makes the document of it"))]
pub(super) struct Words {
    /// Draws what the types of the handler say.
    pub(super) describe: fn(&mut Sketch),
    /// The statuses of success where the types do not tell them.
    pub(super) answers: &'static [u16],
    /// The statuses of problems beyond those that the types tell.
    pub(super) refuses: &'static [u16],
    /// The media types of a body that is no JSON.
    pub(super) takes: &'static [&'static str],
}

/// A handler that runs, and says what it takes and gives.
pub(super) trait Handled<T>: Handler<T, Api> + Describe<T> {}

impl<T, H: Handler<T, Api> + Describe<T>> Handled<T> for H {}

/// Reads something.
pub(super) fn get<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handled<T>,
) -> Operation {
    new(id, ("GET", path), right, (MethodFilter::GET, handler))
}

/// Adds something, or carries an act out.
pub(super) fn post<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handled<T>,
) -> Operation {
    new(id, ("POST", path), right, (MethodFilter::POST, handler))
}

/// Writes something whole.
pub(super) fn put<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handled<T>,
) -> Operation {
    new(id, ("PUT", path), right, (MethodFilter::PUT, handler))
}

/// Takes something away.
pub(super) fn delete<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handled<T>,
) -> Operation {
    new(id, ("DELETE", path), right, (MethodFilter::DELETE, handler))
}

fn new<T: 'static, H: Handled<T>>(
    id: &'static str,
    (method, path): (&'static str, &'static str),
    right: Right,
    (filter, handler): (MethodFilter, H),
) -> Operation {
    let is_change = method != "GET";
    let has_query = H::HAS_QUERY;
    let rule = Rule { id, method, path, right, is_scoped: false, is_change, is_unlimited: false, has_query };
    let words = Words { describe: H::describe, answers: &[], refuses: &[], takes: &[] };
    Operation { rule, handler: on(filter, handler), words }
}

impl Operation {
    /// It heeds the caller's scope itself.
    pub(super) fn scoped(mut self) -> Self {
        self.rule.is_scoped = true;
        self
    }

    /// It changes nothing, whatever its method says.
    pub(super) fn harmless(mut self) -> Self {
        self.rule.is_change = false;
        self
    }

    /// No rate holds it back.
    pub(super) fn unlimited(mut self) -> Self {
        self.rule.is_unlimited = true;
        self
    }

    /// It takes bodies of up to so many bytes.
    pub(super) fn up_to(mut self, bytes: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes));
        self
    }

    /// It takes bodies of these media types.
    pub(super) fn takes(mut self, kinds: &'static [&'static str]) -> Self {
        self.words.takes = kinds;
        self
    }

    /// It succeeds with these statuses.
    pub(super) fn answers(mut self, statuses: &'static [u16]) -> Self {
        self.words.answers = statuses;
        self
    }

    /// It refuses with these statuses too.
    pub(super) fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.words.refuses = statuses;
        self
    }
}

impl Rule {
    /// Whether somebody's scope does not matter: it is about himself.
    pub(super) fn is_for_any_scope(&self) -> bool {
        self.is_scoped || matches!(self.right, Right::Open | Right::Oneself)
    }
}
