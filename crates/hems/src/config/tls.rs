//! The TLS part of the file: which listeners have which certificate, profile and anchors. (TS 33.320 8.3.4)
//!
//! Everything is loaded once here, so that what is wrong is said before the first socket opens; the server loads
//! it again when it starts, and whenever a file changes.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use profile::{
    Acceptor, Candidate, CertificateFacts, Clock, Exception, HemsUrl, KeyKind, Materials, OwnCertificate,
    Profile, Reason, Refusal, Terms, TrustAnchor, revocation::CrlPolicy,
};

use super::{Anchor, At, Check, File, chain_of, file};

/// A day in seconds.
const DAY: u64 = 24 * 3600;

/// How cells are accepted by TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    /// The first are those of `[cwmp]`.
    pub(crate) listeners: Vec<Listener>,
}

/// Addresses with one certificate and one profile: one context.
#[derive(Clone)]
pub(crate) struct Listener {
    /// What logs and reports call it.
    pub(crate) name: String,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) terms: Terms,
    pub(crate) materials: Materials,
    /// Our certificate, as it was when the file was read.
    pub(crate) certificate: CertificateFacts,
}

/// What the listeners of one certificate are typed as.
struct Typed<'a> {
    name: &'a str,
    line: Option<usize>,
    listen: &'a [At<String>],
    certificate: PathBuf,
    key: profile::KeySource,
    profile: &'a At<String>,
    staple: Option<PathBuf>,
}

impl Check {
    pub(super) fn tls(&mut self, file: &File, clock: &Arc<dyn Clock>) -> Option<Tls> {
        let cwmp = &file.cwmp;
        let first = self.first(file);
        let also: Vec<_> = cwmp.also.iter().map(|also| self.also(also)).collect();
        if cwmp.anchors.is_empty() {
            let missing = "no [[cwmp.anchors]]: without one no cell can be authenticated";
            self.complain::<()>(cwmp.url.line, missing);
        }
        let anchors: Vec<_> = cwmp.anchors.iter().map(|anchor| self.anchor(anchor)).collect();
        let anchors: Vec<TrustAnchor> = anchors.into_iter().collect::<Option<_>>()?;
        let terms = self.terms(file, clock)?;
        if anchors.is_empty() || anchors.iter().any(|anchor| anchor.realms.is_empty()) {
            return None;
        }
        let kept = self.folder.join(&file.state_dir.value).join("crls");
        let typed: Vec<Typed<'_>> = std::iter::once(first).chain(also).collect::<Option<_>>()?;
        let listeners = typed.into_iter().map(|typed| self.listener(typed, &terms, &anchors, &kept));
        let listeners: Vec<Listener> = listeners.collect::<Option<_>>()?;
        self.no_shared_key(&listeners);
        Some(Tls { listeners })
    }

    fn first<'a>(&mut self, file: &'a File) -> Option<Typed<'a>> {
        let (cwmp, line) = (&file.cwmp, file.cwmp.url.line);
        let right = "a file with the chain, PEM, leaf first";
        let certificate = self.needed("certificate", right, &cwmp.certificate, line);
        let certificate = certificate.and_then(|at| self.file(&at));
        let key = self.needed("key", "a file with the private key, PEM", &cwmp.key, line);
        let key = key.and_then(|at| self.key(&at));
        let staple = cwmp.staple.as_ref().map(|at| self.file(at).ok_or(()));
        Some(Typed {
            name: "cwmp",
            line: cwmp.certificate.as_ref().and_then(|at| at.line),
            listen: &cwmp.listen,
            certificate: certificate?,
            key: key?,
            profile: &cwmp.profile,
            staple: staple.transpose().ok()?,
        })
    }

    fn also<'a>(&mut self, also: &'a file::Also) -> Option<Typed<'a>> {
        let (certificate, key) = (self.file(&also.certificate), self.key(&also.key));
        Some(Typed {
            name: &also.name.value,
            line: also.certificate.line,
            listen: &also.listen,
            certificate: certificate?,
            key: key?,
            profile: &also.profile,
            staple: None,
        })
    }

    fn terms(&mut self, file: &File, clock: &Arc<dyn Clock>) -> Option<Terms> {
        let at = &file.cwmp.suite_order;
        let wrong = |error| format!("`cwmp.suite_order`: {error}, not \"{}\"", at.value);
        let order = at.value.parse().map_or_else(|error| self.complain(at.line, wrong(error)), Some);
        let at = &file.cwmp.resumption;
        let resumption = match at.value.as_str() {
            "on" => Some(true),
            "off" => Some(false),
            other => {
                self.complain(at.line, format!("`cwmp.resumption` is \"on\" or \"off\", not \"{other}\""))
            }
        };
        let terms = Terms { lab: file.lab.value, ..Terms::new(Arc::clone(clock)) };
        Some(Terms { order: order?, resumption: resumption?, ..terms })
    }

    fn listener(
        &mut self,
        typed: Typed<'_>,
        terms: &Terms,
        anchors: &[TrustAnchor],
        kept: &std::path::Path,
    ) -> Option<Listener> {
        let names = || Profile::ALL.iter().map(|profile| profile.name).collect::<Vec<_>>().join("\" or \"");
        let profile = Profile::named(&typed.profile.value).or_else(|| {
            let wrong = format!("`profile` is \"{}\", not \"{}\"", names(), typed.profile.value);
            self.complain(typed.profile.line, wrong)
        });
        let addresses: Vec<_> = typed.listen.iter().map(|at| self.address(at, "7547")).collect();
        let own = OwnCertificate { chain: typed.certificate, key: typed.key };
        let materials = Materials {
            staple: typed.staple,
            kept_lists: Some(kept.to_owned()),
            ..Materials::new(own, anchors)
        };
        let terms = Terms { profile: profile?, ..terms.clone() };
        // Nothing is kept yet: this is only looked at.
        let trial = Materials { kept_lists: None, ..materials.clone() };
        let acceptor = Acceptor::with(&terms, &trial, Arc::new(()), None)
            .map_or_else(|error| self.complain(typed.line, chain_of(&error)), Some)?;
        let addresses = addresses.into_iter().collect::<Option<_>>()?;
        let certificate = acceptor.certificate();
        Some(Listener { name: typed.name.to_owned(), addresses, terms, materials, certificate })
    }

    /// A decryption oracle on one listener must not sign on another. (decision 9)
    fn no_shared_key(&mut self, listeners: &[Listener]) {
        for (at, listener) in listeners.iter().enumerate() {
            let key = &listener.certificate.public_key_sha256;
            let mut earlier = listeners.iter().take(at);
            if let Some(other) = earlier.find(|other| other.certificate.public_key_sha256 == *key) {
                self.complain::<()>(
                    None,
                    format!(
                        "the listeners \"{}\" and \"{}\" have one key; a key serves one listener and profile: make another",
                        other.name, listener.name
                    ),
                );
            }
        }
    }

    fn needed(
        &mut self,
        key: &str,
        right: &str,
        at: &Option<At<String>>,
        line: Option<usize>,
    ) -> Option<At<String>> {
        at.clone().or_else(|| self.complain(line, format!("`cwmp.{key}` is missing: {right}")))
    }

    fn anchor(&mut self, anchor: &Anchor) -> Option<TrustAnchor> {
        let certificates = self.file(&anchor.certificates);
        let realms = anchor.realms.iter().map(|realm| realm.value.to_ascii_lowercase()).collect();
        // A list that is not there is an alarm, like any of no use: the kept one counts, and no start fails for it.
        let crls = anchor.crls.iter().map(|at| self.folder.join(&at.value)).collect();
        let keys: Vec<_> = anchor.keys.iter().map(|at| self.key_kind(at)).collect();
        let exceptions: Vec<_> = anchor.exceptions.iter().map(|one| self.exception(one)).collect();
        let keys: Vec<KeyKind> = keys.into_iter().collect::<Option<_>>()?;
        let grace = Duration::from_secs(DAY * u64::from(anchor.crl_grace_days));
        Some(TrustAnchor {
            keys: (!keys.is_empty()).then_some(keys),
            min_rsa_bits: Some(anchor.min_rsa_bits),
            exceptions: exceptions.into_iter().collect::<Option<_>>()?,
            crls,
            crl_policy: CrlPolicy { grace, extended_until: None },
            ..TrustAnchor::new(&anchor.name.value, certificates?, realms)
        })
    }

    fn key_kind(&mut self, at: &At<String>) -> Option<KeyKind> {
        let kinds = [("rsa", KeyKind::Rsa), ("p256", KeyKind::P256), ("p384", KeyKind::P384)];
        let found = kinds.into_iter().find(|(name, _)| *name == at.value).map(|(_, kind)| kind);
        found.or_else(|| {
            self.complain(at.line, format!("`keys` are \"rsa\", \"p256\" and \"p384\", not \"{}\"", at.value))
        })
    }

    fn exception(&mut self, typed: &file::Exception) -> Option<Exception> {
        let possible = Exception::POSSIBLE.iter().find(|reason| reason.code() == typed.allow.value).copied();
        let allow: Option<Reason> = possible.or_else(|| {
            let names = Exception::POSSIBLE.map(Reason::code).join("\", \"");
            self.complain(
                typed.allow.line,
                format!("`allow` is one of \"{names}\", not \"{}\"", typed.allow.value),
            )
        });
        let until = last_moment(&typed.until.value).or_else(|| {
            let wrong = format!("`until` is a day such as \"2027-06-30\", not \"{}\"", typed.until.value);
            self.complain(typed.until.line, wrong)
        });
        Some(Exception { allow: allow?, until: until? })
    }
}

impl Tls {
    /// What every cell would refuse at this moment, whatever it trusts: its own listener and what is wrong.
    pub(super) fn faults(&self, url: &HemsUrl) -> Vec<String> {
        self.listeners.iter().enumerate().flat_map(|(at, listener)| listener.faults(url, at == 0)).collect()
    }
}

impl Listener {
    /// Listeners beside the first may have a host of their own.
    fn faults(&self, url: &HemsUrl, is_of_url: bool) -> Vec<String> {
        let path = &self.materials.own.chain;
        let said = |what: String| format!("{}, listener \"{}\": {what}", path.display(), self.name);
        let pem = match std::fs::read(path) {
            Ok(pem) => pem,
            Err(error) => return vec![said(format!("cannot be read: {error}"))],
        };
        match Candidate::read(&pem, url, self.terms.profile) {
            Ok(candidate) => {
                let now = candidate.refusal_at(self.terms.clock.now());
                let faults = candidate.faults().iter().cloned().chain(now);
                let counts = |fault: &Refusal| is_of_url || fault.reason != Reason::WrongName;
                let faults = faults.filter(counts);
                faults.map(|fault| said(format!("every cell would refuse it: {fault}"))).collect()
            }
            Err(error) => vec![said(error.to_string())],
        }
    }
}

/// The last second of a day, in UTC.
fn last_moment(day: &str) -> Option<Timestamp> {
    let end = day.parse::<Date>().ok()?.at(23, 59, 59, 0);
    TimeZone::UTC.to_timestamp(end).ok()
}
