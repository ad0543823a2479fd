//! How a whole deployment reaches its H(e)MS: one value for all of it, never a property of a path.
//!
//! Only [`TransportMode::Ipsec`] knows plain HTTP; the other two know TLS with certificates on both sides.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The transport of the reference point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportMode {
    /// TLS over the public internet. (TS 33.320 8.3.4, P-09)
    Public,
    /// TLS inside the IPsec tunnel. (TS 33.320 8.3.4, P-10)
    IpsecTls,
    /// The tunnel alone.
    Ipsec,
}

impl TransportMode {
    /// Whether a URL of the H(e)MS may be plain HTTP. (TS 33.320 8.3.4, P-11)
    pub const fn allows_plain_http(self) -> bool {
        matches!(self, Self::Ipsec)
    }
}

impl fmt::Display for TransportMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::IpsecTls => "ipsec-tls",
            Self::Ipsec => "ipsec",
        })
    }
}

impl FromStr for TransportMode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        match text {
            "public" => Ok(Self::Public),
            "ipsec-tls" => Ok(Self::IpsecTls),
            "ipsec" => Ok(Self::Ipsec),
            _ => Err(ModeError::Unknown),
        }
    }
}

/// Why a text is no transport mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// Another word.
    #[error("the transport mode is \"public\", \"ipsec-tls\" or \"ipsec\"")]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x01_x03_only_the_tunnel_alone_allows_plain_http() {
        for (text, plain) in [("public", false), ("ipsec-tls", false), ("ipsec", true)] {
            let mode: TransportMode = text.parse().unwrap();
            assert_eq!((mode.to_string().as_str(), mode.allows_plain_http()), (text, plain));
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{text}\""));
        }
        assert_eq!("tls".parse::<TransportMode>(), Err(ModeError::Unknown));
    }
}
