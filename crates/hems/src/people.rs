//! Who may use the API, and what became of it: people, their machines and tokens, roles, and the log of what they did.
//!
//! A caller is known by one of four things, and may do what every one of its grants permits: a token never may more
//! than its account, and stops when the account does.
//!
//! ```text
//!  cookie ──────▶ login ──▶ account ─▶ grant ┐
//!  token ──▶ grant, and ──▶ account ─▶ grant ┼─▶ Caller ──▶ may it? (role) ──▶ of which devices? (scope)
//!  certificate ──▶ machine ──────────▶ grant │
//!  api.token, of this machine's root ▶ admin ┘
//! ```
//!
//! Nothing here belongs to the device plane, which knows no passwords and no tokens. (TS 33.320 8.3.4, P-07)

pub(crate) mod audit;
pub(crate) mod first;
pub(crate) mod oidc;
mod role;
mod scope;
pub(crate) mod secret;
mod throttle;

use std::net::IpAddr;

use jiff::Timestamp;

pub(crate) use role::{Right, Role};
pub(crate) use scope::Scope;
pub(crate) use throttle::Throttle;

use crate::{filter::Filter, inventory::Device, software};

/// A role, and of which devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) role: Role,
    pub(crate) scope: Option<Scope>,
}

/// By what a caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The file `api.token`, which this machine's root can read.
    Local,
    /// The cookie of a login, by its hash.
    Login(String),
    /// A token, by its prefix.
    Token(String),
    /// A client certificate, by its SHA-256.
    Certificate(String),
}

/// Somebody whom the API knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The account's or the machine's name.
    pub(crate) name: String,
    pub(crate) proof: Proof,
    /// Each of them must permit what is asked.
    pub(crate) grants: Vec<Grant>,
    pub(crate) source: IpAddr,
}

impl Proof {
    /// As the audit log has it: never the secret itself.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Local => "local".to_owned(),
            Self::Login(_) => "login".to_owned(),
            Self::Token(prefix) => format!("token {prefix}"),
            Self::Certificate(fingerprint) => format!("certificate {fingerprint}"),
        }
    }
}

impl Caller {
    /// Whoever can read `api.token`.
    pub(crate) fn local(source: IpAddr) -> Self {
        let grants = vec![Grant { role: Role::Admin, scope: None }];
        Self { name: "local".to_owned(), proof: Proof::Local, grants, source }
    }

    /// Whether its roles permit this.
    pub(crate) fn may(&self, right: Right) -> bool {
        self.grants.iter().all(|grant| right.roles().contains(&grant.role))
    }

    /// Whether it sees the whole deployment.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.grants.iter().all(|grant| grant.scope.is_none())
    }

    /// The account that it stands for; a machine has none.
    pub(crate) fn account(&self) -> Option<&str> {
        match self.proof {
            Proof::Login(_) | Proof::Token(_) => Some(&self.name),
            Proof::Local | Proof::Certificate(_) => None,
        }
    }

    /// A filter, for the devices that it sees.
    pub(crate) fn narrow(&self, filter: Filter) -> Filter {
        let scopes = self.scopes().map(Scope::filter).collect::<Vec<_>>();
        if scopes.is_empty() { filter } else { Filter::All(scopes.into_iter().chain([filter]).collect()) }
    }

    /// Whether it sees a device.
    pub(crate) fn sees(&self, device: &Device) -> bool {
        // No scope asks for the time.
        self.scopes().all(|scope| scope.filter().holds(device, Timestamp::UNIX_EPOCH))
    }

    fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.grants.iter().filter_map(|grant| grant.scope.as_ref())
    }
}

/// Characters of a name.
const NAME_MAX: usize = 64;

/// What [`is_name`] asks for, in the words of JSON Schema; but for the names that are taken.
pub(crate) const NAME: &str = "^[a-z0-9_.@-]{1,64}$";

/// Whom the H(e)MS itself names as an author: nobody else shall be taken for them.
const TAKEN: [&str; 3] = ["local", "anonymous", software::AUTHOR];

/// Whether a text may name an account, a machine or a token.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.@".contains(c);
    (1..=NAME_MAX).contains(&text.len()) && text.chars().all(is_part) && !TAKEN.contains(&text)
}

#[cfg(test)]
mod tests;
