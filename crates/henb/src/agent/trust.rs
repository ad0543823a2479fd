//! Whom the agent trusts: its anchors, what the operator signed, the alarms about certificates, the way back.
//!
//! The roots live in the state; the file of anchors that the TLS engine reads is written from them at each start. A
//! bundle and the news of it become one save, as every transfer does.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cwmp::{FaultCode, FaultStruct};
use profile::{
    CertificateFacts, ChainDates, ClockCorrection, Connector, ContextError, HemsUrl, Provision,
    RestoredClock, RootCertificate, StatementError, Terms, TransportMode, TrustBundle, WakeAcceptor, Watched,
};

use super::{Agent, DaemonError, connection_request};
use crate::{
    alarms::Alarm,
    config::Config,
    connection_request::Requests,
    device::{Row, path},
    dialler::Dialler,
    link::{LinkError, Way},
    recovery::{Outcome, Target},
    session::SessionError,
    transfer,
    trust::Trust,
};

/// The anchors that a bundle brought, in the state folder: derived from the state.
const ANCHORS_FILE: &str = "anchors.pem";

/// Where accepted revocation lists are kept, in the state folder.
const LISTS: &str = "lists";

/// What a connection to the serving H(e)MS is made of, under these anchors.
pub(super) fn provision(config: &Config, anchors: &Path) -> Provision {
    Provision {
        crls: config.trust.crls.clone(),
        kept_lists: Some(config.state_dir.join(LISTS)),
        staple: config.trust.staple,
        ..Provision::new(&config.identity, anchors)
    }
}

pub(super) fn terms(config: &Config, clock: &Arc<RestoredClock>) -> Terms {
    Terms { lab: config.lab, profile: config.trust.profile, ..Terms::new(clock.clone()) }
}

/// Says whether the cell's certificate, its key, the anchors and the lists are good, and keeps nothing.
pub(super) fn check(config: &Config, clock: &Arc<RestoredClock>) -> Result<Connector, DaemonError> {
    let provision = Provision { kept_lists: None, ..provision(config, &config.anchors) };
    Ok(Connector::with(&terms(config, clock), &provision)?)
}

/// The same for the listener's.
pub(super) fn check_listener(
    config: &Config,
    clock: &Arc<RestoredClock>,
    cell: &Connector,
) -> Result<(), DaemonError> {
    let listener = connection_request::provision(config, &config.anchors);
    let listener = listener.map(|provision| Provision { kept_lists: None, ..provision });
    Ok(connection_request::acceptor(config, clock, listener, cell).map(drop)?)
}

/// The way to the recovery endpoint, where there is one: its anchors serve nothing else.
pub(super) fn recovery(
    config: &Config,
    clock: &Arc<RestoredClock>,
    dialler: &Arc<dyn Dialler>,
) -> Result<Option<Way>, DaemonError> {
    let Some(endpoint) = &config.trust.recovery else { return Ok(None) };
    // The operator's lists and answers say nothing of this endpoint's CA.
    let connector = Connector::new(&terms(config, clock), &config.identity, &endpoint.anchors)?;
    Ok(Some(Way { connector, mode: TransportMode::Public, tunnel: None, dialler: Arc::clone(dialler) }))
}

/// The roots that a cell begins with, and the connector that trusts them.
pub(super) fn start(
    config: &Config,
    clock: &Arc<RestoredClock>,
    kept: Trust,
) -> Result<(Trust, Connector), DaemonError> {
    // What is wrong with the file is said by the connector, better.
    let configured = fs::read(&config.anchors).ok().and_then(|pem| RootCertificate::read_all(&pem).ok());
    let trust = Trust::start(kept, configured.unwrap_or_default());
    if trust.is_changed() {
        write(config, &trust)?;
    }
    let anchors = anchors(config, &trust);
    let connector = Connector::with(&terms(config, clock), &provision(config, &anchors))?;
    Ok((trust, connector))
}

/// The configured files of a cell: a change of one counts from the next session. (decision 8)
pub(super) fn files(config: &Config) -> Watched {
    let mut files = provision(config, &config.anchors).files();
    files.extend(config.trust.recovery.as_ref().map(|endpoint| endpoint.anchors.clone()));
    files.extend(
        connection_request::provision(config, &config.anchors).into_iter().flat_map(|made| made.files()),
    );
    Watched::new(files)
}

/// The file of the roots that are trusted.
pub(super) fn anchors(config: &Config, trust: &Trust) -> PathBuf {
    if trust.is_changed() { config.state_dir.join(ANCHORS_FILE) } else { config.anchors.clone() }
}

fn write(config: &Config, trust: &Trust) -> Result<PathBuf, DaemonError> {
    let path = config.state_dir.join(ANCHORS_FILE);
    let beside = path.with_extension("new");
    let written: io::Result<()> = fs::write(&beside, trust.pem()).and_then(|()| fs::rename(&beside, &path));
    written.map_err(|source| ContextError::Read { path: path.clone(), source })?;
    Ok(path)
}

/// What TransferComplete says of a statement that is not believed. (TR-069 A.5.1)
pub(super) fn statement_fault(error: &StatementError) -> FaultStruct {
    let code =
        if error.is_corrupted() { FaultCode::FILE_CORRUPTED } else { FaultCode::FILE_AUTHENTICATION_FAILURE };
    transfer::fault(code, error.to_string())
}

impl Agent {
    /// Takes a signed set of roots: all of it, or nothing.
    pub(super) fn take_bundle(&mut self, content: &[u8]) -> Result<(), FaultStruct> {
        let anchors = self.cell.trust.pem();
        let bundle = TrustBundle::open(content, anchors.as_bytes(), self.cell.now());
        let bundle = bundle.map_err(|error| statement_fault(&error))?;
        let mut trust = self.cell.trust.clone();
        if trust.offer(&bundle).map_err(|error| statement_fault(&error))? {
            self.adopt(trust).map_err(|error| {
                transfer::fault(
                    FaultCode::FILE_CORRUPTED,
                    format!("the roots cannot be used: {}", super::chain(&error)),
                )
            })?;
            tracing::info!(
                sequence = bundle.sequence,
                roots = bundle.roots.len(),
                "a trust bundle is on trial"
            );
        }
        Ok(())
    }

    /// Sets the clock as the operator signed it. (K-02)
    pub(super) fn take_correction(&mut self, content: &[u8]) -> Result<(), FaultStruct> {
        let (anchors, now) = (self.cell.trust.pem(), self.cell.now());
        let correction = ClockCorrection::open(content, anchors.as_bytes(), now);
        let correction = correction.map_err(|error| statement_fault(&error))?;
        let is_repeated = correction.sequence == self.clock.kept().corrections;
        if !is_repeated {
            let concern = correction.concerns(self.way.connector.identity(), now);
            concern.map_err(|error| statement_fault(&error))?;
        }
        let refused = |text: String| transfer::fault(FaultCode::FILE_AUTHENTICATION_FAILURE, text);
        self.cell.correct_clock(&correction).map_err(|error| refused(error.to_string()))
    }

    /// Makes a set of roots the one that connections trust; where that fails the old ones stay.
    fn adopt(&mut self, trust: Trust) -> Result<(), DaemonError> {
        let anchors = write(&self.config, &trust)?;
        match self.way.connector.reload(&provision(&self.config, &anchors)) {
            Ok(()) => {
                self.reload_listener(&anchors);
                self.cell.trust = trust;
                self.show_certificates();
                Ok(())
            }
            Err(error) => {
                write(&self.config, &self.cell.trust)?;
                Err(error.into())
            }
        }
    }

    /// Reads certificates, key, anchors and lists again; what cannot be used is said, and the old ones stay.
    pub(super) fn read_again(&mut self) {
        match self.reload() {
            Ok(()) => {
                // What is still wrong is noted anew.
                self.cell.clear(Alarm::RevocationList);
                tracing::info!("certificate, anchors and revocation lists were read again");
            }
            Err(error) => {
                tracing::error!(error = super::chain(&error), "the old certificate and anchors stay");
            }
        }
    }

    fn reload(&mut self) -> Result<(), DaemonError> {
        let path = &self.config.anchors;
        let pem = fs::read(path).map_err(|source| ContextError::Read { path: path.clone(), source })?;
        // No root at all is said by the connector, better.
        let configured = RootCertificate::read_all(&pem).unwrap_or_default();
        self.adopt(Trust::start(self.cell.trust.clone(), configured))?;
        if let (Some(way), Some(endpoint)) = (&self.recovery, &self.config.trust.recovery) {
            way.connector.reload(&Provision::new(&self.config.identity, &endpoint.anchors))?;
        }
        Ok(())
    }

    /// A session closed, or did not: its chain may prove new roots, or has to be judged again later. (K-10)
    pub(super) fn learn(&mut self, target: Target, dates: Option<ChainDates>) {
        let Some(dates) = dates else { return };
        self.cell.clear(Alarm::PeerOutOfDate);
        let mut trust = self.cell.trust.clone();
        if target == Target::Serving && trust.carried(&dates.root()) {
            match self.adopt(trust) {
                Ok(()) => tracing::info!("the new roots have carried a session, the old ones go"),
                Err(error) => tracing::warn!(error = super::chain(&error), "the old roots stay"),
            }
        }
        self.unsure = (!self.clock.synchronised()).then_some(dates);
    }

    /// Counts what leads to the recovery endpoint and back (G-03), and complains of who wants a shared secret.
    pub(super) fn count(&mut self, target: Target, outcome: &Result<(), SessionError>) {
        if let Err(SessionError::Link(error @ LinkError::SharedSecret(_))) = outcome {
            self.cell.raise(Alarm::SharedSecret, &error.to_string());
        }
        let outcome = match outcome {
            Ok(()) => Outcome::Closed,
            Err(SessionError::Link(LinkError::Tls(refusal))) if refusal.reason.is_by_certificate() => {
                Outcome::Refused
            }
            Err(SessionError::OutOfDate(_)) => Outcome::Refused,
            Err(_) => Outcome::Failed,
        };
        let after = self.config.trust.recovery.as_ref().map_or(u32::MAX, |endpoint| endpoint.after);
        self.cell.recovery.ended(target, outcome, after);
        match (target, outcome) {
            (Target::Serving, Outcome::Closed) => {
                self.cell.clear(Alarm::HemsRefused);
                self.cell.clear(Alarm::SharedSecret);
                if self.clock.synchronised() {
                    self.cell.clear(Alarm::ClockCorrected);
                    self.cell.clear(Alarm::ClockFile);
                }
            }
            (Target::Serving, Outcome::Refused) if self.cell.recovery.target() == Target::Recovery => {
                self.cell.raise(Alarm::HemsRefused, &format!("{after} refusals in a row and more"));
            }
            (Target::Recovery, Outcome::Closed) => self.cell.call_back(),
            (Target::Serving | Target::Recovery, _) => {}
        }
    }

    /// The way to the host of a file: one of the recovery endpoint is fetched under that endpoint's anchors.
    pub(super) fn way_to(&self, url: &HemsUrl) -> &Way {
        let is_recovery = |host: &str| host == url.authority() && host != self.serving().authority();
        match (&self.config.trust.recovery, &self.recovery) {
            (Some(endpoint), Some(way)) if is_recovery(&endpoint.url.authority()) => way,
            _ => &self.way,
        }
    }

    /// Alarms about certificates: our own that ends, one that was trusted too early, lists that are of no use.
    /// (A-19, K-10, A-12)
    pub(super) fn look_at_certificates(&mut self) {
        let acceptor = self.requests.as_ref().and_then(Requests::acceptor);
        let notes = acceptor.map(WakeAcceptor::take_notes).unwrap_or_default();
        for note in self.way.connector.take_notes().into_iter().chain(notes) {
            self.cell.raise(Alarm::RevocationList, &note.to_string());
        }
        let listeners = acceptor.map(WakeAcceptor::certificate);
        let own = std::iter::once(self.way.connector.certificate()).chain(listeners);
        let Some(own) = own.min_by_key(|certificate| certificate.not_after) else { return };
        let now = self.cell.now();
        let left = own.not_after.duration_since(now);
        if left <= jiff::SignedDuration::try_from(self.config.trust.warn).unwrap_or(jiff::SignedDuration::MAX)
        {
            self.cell.raise(Alarm::CertificateEnds, &format!("{} ends at {}", own.subject, own.not_after));
        } else {
            self.cell.clear(Alarm::CertificateEnds);
        }
        if self.clock.synchronised()
            && let Some(Err(refusal)) = self.unsure.take().map(|dates| dates.check(now))
        {
            self.cell.raise(Alarm::PeerOutOfDate, &refusal.to_string());
        }
    }

    /// Device.Security.Certificate: our own certificate, then the roots.
    pub(super) fn show_certificates(&mut self) {
        let own = self.way.connector.certificate();
        let roots = self.cell.trust.roots().into_iter().filter_map(RootCertificate::facts);
        let rows: Vec<Row> = std::iter::once(own).chain(roots).map(|facts| certificate_row(&facts)).collect();
        self.cell.device.put_rows(path::CERTIFICATES, &rows);
    }
}

/// As many names as the column holds.
fn names(names: &[String]) -> String {
    let mut list = String::new();
    for name in names {
        if list.len() + 1 + name.len() > MOST_CHARACTERS {
            break;
        }
        list.extend((!list.is_empty()).then_some(','));
        list.push_str(name);
    }
    list
}

/// Longest text of a column.
const MOST_CHARACTERS: usize = 256;

fn certificate_row(facts: &CertificateFacts) -> Row {
    let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let date = |at: jiff::Timestamp| cwmp::DateTime::from(at).0.to_string();
    vec![
        ("Enable", "true".to_owned()),
        ("SerialNumber", short(&facts.serial, 64)),
        ("Issuer", short(&facts.issuer, MOST_CHARACTERS)),
        ("NotBefore", date(facts.not_before)),
        ("NotAfter", date(facts.not_after)),
        ("LastModif", date(facts.not_before)),
        ("Subject", short(&facts.subject, MOST_CHARACTERS)),
        ("SubjectAlt", names(&facts.dns_names)),
        ("SignatureAlgorithm", facts.signature.clone()),
    ]
}
