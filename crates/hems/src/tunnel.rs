//! Who is at the other end of an IPsec tunnel, where TLS does not say it. (X-03, I-08)
//!
//! ```text
//!  inner address ─┬─ table: a watched file ─────────────┬─▶ Vouched, checked again at each request
//!                 └─ vici: the gateway's IKE daemon ────┘    or a refusal; there is no default
//! ```
//!
//! The security gateway authenticated the cell; what it says of an inner address is the identity, and nothing that the
//! cell sends is. A voucher is bound to what it was given for: when the table's line or the IKE SA is gone, so is it.

mod table;
mod vici;

use std::{net::IpAddr, path::PathBuf};

use profile::{Identity, Reason, Refusal};

pub(crate) use table::Table;
use vici::Vici;

/// Who vouches for inner addresses.
#[derive(Debug)]
pub(crate) enum Tunnel {
    /// A file that the operator or the gateway writes.
    Table(Table),
    /// strongSwan on this machine.
    Vici(Vici),
}

/// An inner address whose cell is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vouched {
    /// Who it is.
    pub(crate) identity: Identity,
    /// `table` or `vici`.
    pub(crate) source: &'static str,
    /// The gateway's number of the IKE SA, where there is one.
    pub(crate) ike_sa: Option<String>,
}

impl Tunnel {
    /// Asks the daemon behind a VICI socket.
    pub(crate) fn vici(socket: PathBuf) -> Self {
        Self::Vici(Vici::new(socket))
    }

    /// Says who has an inner address now.
    pub(crate) async fn vouch(&self, address: IpAddr) -> Result<Vouched, Refusal> {
        let address = address.to_canonical();
        let vouched = match self {
            Self::Table(table) => table.vouch(address).await,
            Self::Vici(vici) => vici.vouch(address).await,
        };
        vouched.map_err(|why| refusal(address, &why))
    }

    /// Says whether what was vouched for still holds: the same cell, in the same tunnel. (decision 4)
    pub(crate) async fn confirm(&self, address: IpAddr, vouched: &Vouched) -> Result<(), Refusal> {
        let address = address.to_canonical();
        let now = match (self, &vouched.ike_sa) {
            (Self::Vici(vici), Some(sa)) => vici.confirm(address, sa).await,
            (Self::Vici(_), None) => Err("no IKE SA vouched for it".to_owned()),
            (Self::Table(table), _) => table.vouch(address).await,
        };
        match now {
            Ok(now) if now == *vouched => Ok(()),
            Ok(now) => Err(refusal(
                address,
                &format!("it belonged to {}, now to {}", vouched.identity, now.identity),
            )),
            Err(why) => Err(refusal(address, &why)),
        }
    }
}

fn refusal(address: IpAddr, why: &str) -> Refusal {
    Refusal::new(Reason::NoTunnelIdentity, format!("{address}: {why}"))
}
