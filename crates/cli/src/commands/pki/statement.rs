//! `hearth pki csr`, `bundle` and `correct-clock`: for networks with a CA of their own.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use profile::{
    ClockCorrection, Identity, KeyPair, Profile, RootCertificate, StatementError, TrustBundle, pki,
};

use crate::Answer;

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// A management system: NAME is the host of its URL.
    Hems,
    /// A cell: NAME is EUI.REALM.
    Henb,
    /// Who signs trust bundles and clock corrections: NAME is the operator's domain.
    Signer,
    /// A management system that sends Connection Requests: NAME is the host of its URL.
    Wake,
    /// A cell that takes them: NAME is EUI.REALM.
    Listener,
    /// Who signs firmware: NAME is what the key is for.
    Firmware,
}

#[derive(Debug, Args)]
pub(crate) struct Csr {
    /// What the certificate is for.
    #[arg(long)]
    role: Role,
    /// Whom it is for.
    #[arg(long)]
    name: String,
    /// The TLS profile that both ends of it speak: it says which keys they take.
    #[arg(long, default_value = Profile::TS33320.name, value_parser = named)]
    profile: &'static Profile,
    /// The private key in PEM; made, readable by its owner only, where there is none.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the request goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn named(name: &str) -> Result<&'static Profile, String> {
    Profile::named(name).ok_or_else(|| {
        let names: Vec<_> = Profile::ALL.iter().map(|profile| profile.name).collect();
        format!("a profile is one of {}", names.join(", "))
    })
}

/// Who signs.
#[derive(Debug, Args)]
pub(crate) struct Signer {
    /// The signer's certificate chain in PEM, under a root that the cells trust.
    #[arg(long, value_name = "FILE")]
    signer: PathBuf,
    /// The signer's key in PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Higher than any number before: cells never go back.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    sequence: u64,
    /// Where the signed file goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Signer {
    fn pair(&self) -> KeyPair {
        KeyPair { chain: self.signer.clone(), key: self.key.clone() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Bundle {
    #[command(flatten)]
    signer: Signer,
    /// A PEM file of roots; all of them together are the new set, so name the old ones too while a change lasts.
    #[arg(long, value_name = "FILE", required = true)]
    roots: Vec<PathBuf>,
    /// How many days cells may take it; it begins 30 days back, for clocks that lag.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=3650))]
    days: i64,
}

#[derive(Debug, Args)]
pub(crate) struct CorrectClock {
    #[command(flatten)]
    signer: Signer,
    /// Only clocks that stand after this time are wrong and are set, for instance 2039-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    clock_after: Timestamp,
    /// The time that they are set to; the present where it is not given.
    #[arg(long, value_name = "TIME")]
    time: Option<Timestamp>,
    /// A cell that it is for; every cell whose clock is wrong where none is named.
    #[arg(long, value_name = "IDENTITY")]
    cell: Vec<String>,
}

/// How far back a bundle begins.
const BACK_DAYS: i64 = 30;

fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

pub(crate) fn csr(order: &Csr) -> Answer {
    let wanted = match order.role {
        Role::Hems => pki::LeafOrder::hems(&order.name.to_ascii_lowercase()),
        Role::Henb => pki::LeafOrder::henb(&Identity::parse(&order.name)?),
        Role::Signer => pki::LeafOrder::signer(&order.name),
        Role::Wake => pki::LeafOrder::wake(&order.name.to_ascii_lowercase()),
        Role::Listener => pki::LeafOrder::listener(&Identity::parse(&order.name)?),
        Role::Firmware => pki::LeafOrder::firmware(&order.name),
    };
    pki::request(&wanted, order.profile, &order.key, &order.out)?;
    println!("{}", order.out.display());
    Ok(true)
}

pub(crate) fn bundle(order: &Bundle) -> Answer {
    let mut pem = Vec::new();
    for file in &order.roots {
        pem.extend(std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?);
    }
    let roots = RootCertificate::read_all(&pem)?;
    roots.iter().try_for_each(|root| root.check(&Profile::TS33320))?;
    let now = Timestamp::now();
    let bundle = TrustBundle {
        sequence: order.signer.sequence,
        not_before: now - days(BACK_DAYS),
        not_after: now + days(order.days),
        roots,
    };
    let signed = bundle.seal(&order.signer.pair())?;
    // What cells would not believe is not worth sending: the bundle has to pass their check under one of its roots.
    if let Err(error) = TrustBundle::open(&signed, &pem, now) {
        is_signers(&error)?;
        eprintln!(
            "hearth: under these roots alone cells would not believe it ({error}); they need one that they trust now"
        );
    }
    pki::write_statement(&order.signer.out, &signed)?;
    println!("{}", order.signer.out.display());
    Ok(true)
}

/// A signer that may not sign signs nothing that any cell would believe.
fn is_signers(error: &StatementError) -> Result<(), StatementError> {
    if matches!(error, StatementError::Signer(_)) { Err(error.clone()) } else { Ok(()) }
}

pub(crate) fn correct_clock(order: &CorrectClock) -> Answer {
    let time = order.time.unwrap_or_else(Timestamp::now);
    if time >= order.clock_after {
        return Err("--clock-after must be later than the time that the clocks are set to".into());
    }
    for cell in &order.cell {
        Identity::parse(cell)?;
    }
    let cells = order.cell.iter().map(|cell| cell.to_ascii_lowercase()).collect();
    let (sequence, clock_after) = (order.signer.sequence, order.clock_after);
    let correction = ClockCorrection { sequence, clock_after, time, cells };
    let signed = correction.seal(&order.signer.pair())?;
    // Which roots the cells trust is not known here; whether the signer may sign is.
    ClockCorrection::open(&signed, &[], time).err().map_or(Ok(()), |error| is_signers(&error))?;
    pki::write_statement(&order.signer.out, &signed)?;
    println!("{}", order.signer.out.display());
    Ok(true)
}
