//! One file per command; each gives an [`Answer`](crate::Answer).

pub(crate) mod account;
pub(crate) mod alarm;
pub(crate) mod audit_log;
pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod cwmp;
pub(crate) mod device;
pub(crate) mod firmware;
pub(crate) mod fleet;
pub(crate) mod machine;
pub(crate) mod model;
pub(crate) mod pki;
pub(crate) mod refusal;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod template;
pub(crate) mod token;
pub(crate) mod trust;
