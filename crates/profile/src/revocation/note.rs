//! What is wrong with a list that an operator configured: what, where, and what would be right.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::certificate::{MAX_TEXT, bounded};

macro_rules! troubles {
    ($( $(#[$doc:meta])* $name:ident $code:literal $remedy:literal )*) => {
        /// What is wrong with a list: the rows of a table, each an alarm of its own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CrlTrouble { $( $(#[$doc])* $name, )* }

        impl CrlTrouble {
            /// Every trouble, in the order of the table.
            pub const ALL: &[Self] = &[$( Self::$name ),*];

            /// The stable word for alarms.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$name => $code ),* }
            }

            /// What an operator does about it.
            pub const fn remedy(self) -> &'static str {
                match self { $( Self::$name => $remedy ),* }
            }
        }
    };
}

troubles! {
    /// The file cannot be read, or holds no list.
    Unreadable "crl_unreadable"
        "put the CA's list there, in PEM (X509 CRL) or DER, readable for this program"
    /// It says something that must not be passed over, and that this program does not know.
    Unsupported "crl_unsupported"
        "have the CA publish a complete list of all its certificates: no delta, no distribution point of its own, no foreign critical extension"
    /// Signed with MD5 or SHA-1.
    WeakSignature "crl_weak_signature"
        "have the CA sign its lists with SHA-256 or better"
    /// Without a next update nobody could tell that it is stale.
    NoNextUpdate "crl_no_next_update"
        "have the CA publish its lists with a next update"
    /// Older than one that is known.
    RolledBack "crl_rolled_back"
        "fetch the CA's newest list; find out who put the old one there"
    /// Nobody whom the certificates name as their issuer signed it.
    BadSignature "crl_bad_signature"
        "fetch the CA's list again; find out who changed it on its way"
    /// The bound of lists is reached.
    TooMany "crl_too_many"
        "list only the CAs that this system trusts"
    /// It counts, and a restart would forget it.
    NotKept "crl_not_kept"
        "let this program write to its state folder"
}

/// One finding about a list; an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlNote {
    /// The row of the table.
    pub trouble: CrlTrouble,
    /// The file, where one is to blame; otherwise empty.
    pub file: PathBuf,
    /// Who issued the list, escaped and bounded; empty where it cannot be read.
    pub issuer: String,
    /// What exactly is wrong, escaped and bounded.
    pub detail: String,
}

impl CrlNote {
    pub(super) fn new(trouble: CrlTrouble, file: impl AsRef<Path>, issuer: &str, detail: &str) -> Self {
        let file = file.as_ref().to_path_buf();
        Self { trouble, file, issuer: issuer.to_owned(), detail: bounded(detail, MAX_TEXT) }
    }
}

impl fmt::Display for CrlNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.trouble.code())?;
        if !self.file.as_os_str().is_empty() {
            write!(f, ": {}", self.file.display())?;
        }
        if !self.issuer.is_empty() {
            write!(f, ": the list of {}", self.issuer)?;
        }
        write!(f, ": {}; {}", self.detail, self.trouble.remedy())
    }
}
