//! An operation of the API: its name, where it is, what it asks of a caller, and who carries it out.
//!
//! The table of operations is the one truth: the router, the walk of the tests, what a role may do and what the audit
//! log calls it come from it.

use axum::{
    extract::DefaultBodyLimit,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};

use super::Api;
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
}

/// A rule with the code behind it.
pub(super) struct Operation {
    pub(super) rule: Rule,
    pub(super) handler: MethodRouter<Api>,
}

/// Reads something.
pub(super) fn get<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handler<T, Api>,
) -> Operation {
    new(id, ("GET", path), right, on(MethodFilter::GET, handler))
}

/// Adds something, or carries an act out.
pub(super) fn post<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handler<T, Api>,
) -> Operation {
    new(id, ("POST", path), right, on(MethodFilter::POST, handler))
}

/// Writes something whole.
pub(super) fn put<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handler<T, Api>,
) -> Operation {
    new(id, ("PUT", path), right, on(MethodFilter::PUT, handler))
}

/// Takes something away.
pub(super) fn delete<T: 'static>(
    id: &'static str,
    path: &'static str,
    right: Right,
    handler: impl Handler<T, Api>,
) -> Operation {
    new(id, ("DELETE", path), right, on(MethodFilter::DELETE, handler))
}

fn new(
    id: &'static str,
    (method, path): (&'static str, &'static str),
    right: Right,
    handler: MethodRouter<Api>,
) -> Operation {
    let is_change = method != "GET";
    Operation { rule: Rule { id, method, path, right, is_scoped: false, is_change }, handler }
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

    /// It takes bodies of up to so many bytes.
    pub(super) fn up_to(mut self, bytes: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes));
        self
    }
}

impl Rule {
    /// Whether somebody's scope does not matter: it is about himself.
    pub(super) fn is_for_any_scope(&self) -> bool {
        self.is_scoped || matches!(self.right, Right::Open | Right::Oneself)
    }
}
