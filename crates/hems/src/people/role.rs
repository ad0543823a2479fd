//! What each role may do: rights by role, one table. Which operation needs which right stands in the API's table.
//!
//! ```text
//!               look  operate  engineer  secure  audit  administer
//!  viewer        x
//!  operator      x       x
//!  engineer      x       x         x
//!  security      x                          x       x
//!  auditor       x                                  x
//!  admin         x       x         x        x       x        x
//! ```

use serde::{Deserialize, Serialize};

/// What somebody is to the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Looks.
    Viewer,
    /// Brings cells into service and calls their methods.
    Operator,
    /// Says what is desired of cells.
    Engineer,
    /// Decides who is shut out and which evidence counts, and reads the audit log.
    Security,
    /// Looks, and reads the audit log.
    Auditor,
    /// May do everything, and says who else may what.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Viewer, Self::Operator, Self::Engineer, Self::Security, Self::Auditor, Self::Admin];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
            Self::Security => "security",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Whether the other may all that this one may.
    pub(crate) fn is_within(self, other: Self) -> bool {
        Right::ALL.iter().all(|right| !right.permits(self) || right.permits(other))
    }

    /// Reads what was stored; what no version wrote may nothing that a viewer may not.
    pub(crate) fn read(name: &str) -> Self {
        Self::ALL.into_iter().find(|role| role.name() == name).unwrap_or(Self::Viewer)
    }
}

/// What an operation asks of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Nothing: it is how one comes in.
    Open,
    /// To be known.
    Oneself,
    Look,
    Operate,
    Engineer,
    Secure,
    Audit,
    Administer,
}

impl Right {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Open,
        Self::Oneself,
        Self::Look,
        Self::Operate,
        Self::Engineer,
        Self::Secure,
        Self::Audit,
        Self::Administer,
    ];

    /// Who has it.
    pub(crate) fn roles(self) -> &'static [Role] {
        match self {
            Self::Open | Self::Oneself | Self::Look => &Role::ALL,
            Self::Operate => &[Role::Operator, Role::Engineer, Role::Admin],
            Self::Engineer => &[Role::Engineer, Role::Admin],
            Self::Secure => &[Role::Security, Role::Admin],
            Self::Audit => &[Role::Security, Role::Auditor, Role::Admin],
            Self::Administer => &[Role::Admin],
        }
    }

    /// Whether this role has it.
    pub(crate) fn permits(self, role: Role) -> bool {
        self.roles().contains(&role)
    }
}
