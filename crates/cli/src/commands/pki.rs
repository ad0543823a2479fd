//! `hearth pki`: the certificates of a laboratory, requests for real ones, and what an operator signs for cells.

mod statement;

use std::path::PathBuf;

use clap::Subcommand;
use profile::pki::{RevocationReason, Validity};

use crate::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a lab PKI: an operator CA and a manufacturer CA.
    ///
    /// DIR/operator.pem holds the CAs that cells trust, DIR/manufacturer.pem those that the H(e)MS
    /// trusts. Lab CAs carry a marker that `hearth serve` and henbd refuse unless `lab = true`.
    Init {
        /// Where; made where it is missing.
        dir: PathBuf,
    },
    /// Issue a H(e)MS certificate: DIR/hems/FQDN.pem and .key.
    Hems {
        /// The PKI's folder.
        dir: PathBuf,
        /// The host of the H(e)MS's URL.
        #[arg(long, value_name = "FQDN")]
        name: String,
    },
    /// Issue a H(e)NB certificate: DIR/henb/EUI.REALM.pem and .key, and a line in DIR/identities.csv.
    Henb {
        /// The PKI's folder.
        dir: PathBuf,
        /// The cell's EUI-48 or EUI-64: 12 or 16 hexadecimal digits.
        #[arg(long, value_name = "HEX")]
        eui: String,
        /// The realm that follows the EUI in the cell's identity.
        #[arg(long, value_name = "REALM", default_value = "hnb.example")]
        realm: String,
    },
    /// Issue the certificate with which a H(e)MS sends Connection Requests: DIR/wake/FQDN.pem and .key.
    Wake {
        /// The PKI's folder.
        dir: PathBuf,
        /// The host of the H(e)MS's URL.
        #[arg(long, value_name = "FQDN")]
        name: String,
    },
    /// Issue the certificate with which a cell takes them: DIR/listener/EUI.REALM.pem and .key.
    Listener {
        /// The PKI's folder.
        dir: PathBuf,
        /// The cell's EUI-48 or EUI-64: 12 or 16 hexadecimal digits.
        #[arg(long, value_name = "HEX")]
        eui: String,
        /// The realm that follows the EUI in the cell's identity.
        #[arg(long, value_name = "REALM", default_value = "hnb.example")]
        realm: String,
    },
    /// Revoke a certificate of the lab, and write new revocation lists.
    Revoke {
        /// The PKI's folder.
        dir: PathBuf,
        /// The certificate: a file below DIR/hems, DIR/henb, DIR/wake or DIR/listener.
        certificate: PathBuf,
        /// Why, as RFC 5280 5.3.1 spells it: keyCompromise, superseded, cessationOfOperation, …
        #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
        reason: RevocationReason,
        /// For how many days the lists are good.
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        days: u32,
    },
    /// Write new revocation lists: DIR/manufacturer.crl.pem for the H(e)MS, DIR/operator.crl.pem for cells.
    Crl {
        /// The PKI's folder.
        dir: PathBuf,
        /// For how many days the lists are good.
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        days: u32,
    },
    /// Make a request for a certificate (PKCS #10), with a new key or an existing one.
    Csr(statement::Csr),
    /// Issue the lab certificate of who signs for cells: DIR/signer/DOMAIN.pem and .key.
    Signer {
        /// The PKI's folder.
        dir: PathBuf,
        /// The domain of the operator CA.
        #[arg(long, default_value = "localhost")]
        domain: String,
    },
    /// Issue the lab certificate of who signs firmware: DIR/firmware/NAME.pem and .key.
    FirmwareSigner {
        /// The PKI's folder.
        dir: PathBuf,
        /// What the key is for: the one in use, or the one in the safe.
        #[arg(long, default_value = "working")]
        name: String,
    },
    /// Sign the set of roots that cells shall trust.
    ///
    /// Deliver it by Download with the file type "X 00005E Trust Bundle".
    Bundle(statement::Bundle),
    /// Sign the time for cells whose clock is wrong.
    ///
    /// Deliver it by Download with the file type "X 00005E Clock Correction".
    CorrectClock(statement::CorrectClock),
}

fn reason(text: &str) -> Result<RevocationReason, String> {
    // An entry for a removal would revoke nothing.
    let names =
        RevocationReason::NAMES.map(|(_, name)| name).into_iter().filter(|name| *name != "removeFromCRL");
    let names: Vec<_> = names.collect();
    let known = RevocationReason::named(text).filter(|_| names.contains(&text));
    known.ok_or_else(|| format!("a reason is one of {}", names.join(", ")))
}

pub(crate) fn run(command: &Command) -> Answer {
    match command {
        Command::Csr(order) => return statement::csr(order),
        Command::Bundle(order) => return statement::bundle(order),
        Command::CorrectClock(order) => return statement::correct_clock(order),
        Command::Signer { dir, domain } => print(&profile::pki::issue_signer(dir, domain)?),
        Command::FirmwareSigner { dir, name } => print(&profile::pki::issue_firmware_signer(dir, name)?),
        Command::Init { dir } => {
            profile::pki::init(dir)?;
            println!("{}", dir.join("operator.pem").display());
            println!("{}", dir.join("manufacturer.pem").display());
        }
        Command::Hems { dir, name } => print(&profile::pki::issue_hems(dir, name)?),
        Command::Henb { dir, eui, realm } => print(&profile::pki::issue_henb(dir, eui, realm, None)?),
        Command::Wake { dir, name } => print(&profile::pki::issue_wake(dir, name)?),
        Command::Listener { dir, eui, realm } => print(&profile::pki::issue_listener(dir, eui, realm)?),
        Command::Revoke { dir, certificate, reason, days } => {
            print_all(&profile::pki::revoke(dir, certificate, *reason, from_now(*days))?);
        }
        Command::Crl { dir, days } => print_all(&profile::pki::write_crls(dir, from_now(*days))?),
    }
    Ok(true)
}

fn from_now(days: u32) -> Validity {
    Validity::days(jiff::Timestamp::now(), days)
}

fn print_all(paths: &[PathBuf]) {
    for path in paths {
        println!("{}", path.display());
    }
}

fn print(pair: &profile::KeyPair) {
    println!("{}", pair.chain.display());
    println!("{}", pair.key.display());
}
