//! Why a connection was refused, by whom, and what an operator does about it: one table. (Decision 21)
//!
//! A reason has a code that never changes (reports and stored rows carry it), the clause it rests on, and a
//! remedy in a sentence. What the other end wrote into its certificate is hostile text; it is escaped and
//! bounded before it gets into a [`Refusal`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::certificate::{CertificateFacts, MAX_TEXT, bounded};

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident $code:literal $clause:literal $remedy:literal )*) => {
        /// Why a connection was refused: the rows of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $( $(#[$doc])* #[serde(rename = $code)] $name, )* }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &[Self] = &[$( Self::$name ),*];

            /// The stable word for reports and stored rows.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$name => $code ),* }
            }

            /// The requirement that the refusal rests on.
            pub const fn clause(self) -> &'static str {
                match self { $( Self::$name => $clause ),* }
            }

            /// What an operator does about it.
            pub const fn remedy(self) -> &'static str {
                match self { $( Self::$name => $remedy ),* }
            }
        }
    };
}

reasons! {
    // What the peer's certificate says.
    /// The client sent an empty certificate message.
    NoClientCertificate "no_client_certificate" "TS 33.320 8.3.4, P-08"
        "give the cell its certificate and key; there is no other way to authenticate"
    /// The chain ends at nobody we trust.
    UnknownIssuer "unknown_issuer" "TS 33.320 8.3.3, A-04"
        "have the certificate issued by a configured trust anchor, or add the issuer to the anchors by configuration"
    /// The certificate is its own issuer.
    SelfSigned "self_signed" "TS 33.320 8.3.3, A-04"
        "replace the self-signed certificate by one of a configured trust anchor"
    /// The end of the validity is in the past of our clock.
    CertificateExpired "certificate_expired" "TS 33.320 8.3.4, P-18"
        "renew the certificate; on a cell, compare its clock with the certificate first"
    /// The begin of the validity is in the future of our clock.
    CertificateNotYetValid "certificate_not_yet_valid" "TS 33.320 8.3.4, P-18"
        "wait, or issue a certificate that is dated back; on a cell, its restored clock may stand behind"
    /// Outside the private key usage period of the certificate.
    KeyPeriod "key_period" "TS 33.320 8.3.4, P-18"
        "issue a certificate whose private key usage period covers the present"
    /// Key usage is missing, is not critical, or lacks what the suite needs.
    KeyUsage "key_usage" "TS 33.310 6.1.3, A-08"
        "issue the certificate with critical key usage: digitalSignature, for a H(e)MS with keyEncipherment too"
    /// Extended key usage does not name the role.
    ExtendedKeyUsage "extended_key_usage" "TS 33.310 6.1.3, A-07"
        "issue the certificate with clientAuth for a cell and serverAuth for a H(e)MS, or without extended key usage"
    /// An RSA key below 2048 bits, anywhere in the chain.
    WeakKey "weak_key" "TS 33.310 6.1.1, A-09"
        "replace the certificate by one with an RSA key of 2048 bits or more"
    /// Another kind of key than RSA.
    KeyType "key_type" "TS 33.320 8.3.4, T-14"
        "replace the certificate by one with an RSA key"
    /// Signed with MD5 or SHA-1, anywhere in the chain below the anchor.
    WeakSignature "weak_signature" "TS 33.310 6.1.1, A-09"
        "have the certificate signed with SHA-256 or better"
    /// A CA's certificate where an end entity's belongs.
    CaCertificate "ca_certificate" "TS 33.310 6.1.4, A-10"
        "give the peer an end-entity certificate of its own"
    /// The chain breaks a rule for CAs: basic constraints, path length, key usage or name constraints.
    BadChain "bad_chain" "TS 33.310 6.1.4, A-10"
        "have the chain issued again with proper CA certificates, within their path length and name constraints"
    /// The certificate is no well-formed X.509 v3.
    MalformedCertificate "malformed_certificate" "TS 33.310 6.1.1, A-09"
        "replace the certificate; its encoding is broken"
    /// A critical extension that this product does not know.
    CriticalExtension "critical_extension" "RFC 5280 4.2, A-09"
        "issue the certificate without the extension, or with it not critical"
    /// No dNSName of the form `<EUI>.<realm>`.
    NotAnIdentity "not_an_identity" "TS 23.003 4.10, A-02"
        "issue the certificate with the dNSName <EUI>.<realm>; a common name does not count"
    /// More than one dNSName of that form.
    SeveralIdentities "several_identities" "TS 23.003 4.10, I-01"
        "issue one certificate per cell with one EUI name"
    /// A name with a NUL, another control character or a trailing dot.
    HostileName "hostile_name" "TS 23.003 4.10, I-02"
        "find out who issued this certificate: its name is made to be read in two ways"
    /// The issuer took the certificate back, or that of a CA above it.
    CertificateRevoked "certificate_revoked" "TS 33.320 8.3.3, A-11, A-12"
        "issue the peer a new certificate with a new key; if it was revoked by mistake, a new one all the same"
    /// A CA of the chain has no revocation list here.
    CrlMissing "crl_missing" "TS 33.320 8.3.3, A-11"
        "configure the revocation list of every CA that the chain passes, the root's too"
    /// The successor of a revocation list is overdue, and grace is over.
    CrlStale "crl_stale" "RFC 5280 5.1.2.5, A-11"
        "fetch the CA's newest list; until it publishes again, an operator can extend the grace"
    /// A revocation list begins in the future of our synchronised clock.
    CrlNotYetValid "crl_not_yet_valid" "RFC 5280 5.1.2.4, A-11"
        "compare our clock with the CA's; one of them is wrong"
    /// The revocation list is not its issuer's, or is of no use.
    CrlBad "crl_bad" "RFC 5280 6.3.3, A-11"
        "fetch the CA's list again; it has to be complete, signed by that CA with SHA-256 or better, and the CA permitted to sign lists (cRLSign)"
    /// The server stapled no answer of the issuer, and this cell wants one.
    StapleMissing "staple_missing" "RFC 6066 8, A-12"
        "let the H(e)MS staple an OCSP response"
    /// The stapled answer is overdue.
    StapleStale "staple_stale" "RFC 6960 4.2.2.1, A-12"
        "let the H(e)MS fetch a new OCSP response; on a cell, compare its clock first"
    /// The stapled answer cannot be read, is not the issuer's, or does not speak for this certificate.
    StapleBad "staple_bad" "RFC 6960 3.2, A-12"
        "look at the H(e)MS's OCSP responder: it answers for the issuer of this certificate, signed by it or by its delegate"
    /// The realm belongs to another anchor than the one that the chain ends in.
    RealmNotOfAnchor "realm_not_of_anchor" "TS 33.320 8.3.3, A-04"
        "list the realm with the anchor that issues for it, or find out why this CA names a stranger's realm"
    /// The certificate names another host than the URL.
    WrongName "wrong_name" "TS 33.320 8.3.3.2, A-05"
        "issue the H(e)MS certificate for the host of the URL, or correct the URL"

    // What the handshake did.
    /// No version in common, or one that the profile refuses.
    ProtocolVersion "protocol_version" "TS 33.320 8.3.4, P-02, P-03, P-06"
        "let the peer speak TLS 1.2 or 1.1"
    /// No suite of the list in common.
    NoCommonSuite "no_common_suite" "TS 33.320 8.3.4, P-12, P-13"
        "let the peer offer a suite of the listener's profile: TLS_RSA_WITH_AES_128_CBC_SHA at least for ts33320, an ECDHE suite with AES-GCM for ts33210"
    /// The peer fell back although both ends know better. (RFC 7507)
    Fallback "fallback" "RFC 7507, T-09"
        "find what breaks the peer's first handshake; it came back with a lower version"
    /// No signature algorithm in common.
    NoCommonSignature "no_common_signature" "RFC 5246 7.4.1.4.1, T-11"
        "let the peer offer RSA signatures with SHA-256"
    /// The server's DH group is below 2048 bits.
    WeakDhGroup "weak_dh_group" "RFC 5246 7.4.3, T-05"
        "let the H(e)MS use a DH group of 2048 bits or more"
    /// TLS 1.2 without the extended master secret, which the later profile asks for. (RFC 7627)
    NoExtendedMasterSecret "no_extended_master_secret" "TS 33.210 6.2.3, T-01"
        "let the peer offer the extended master secret, or use the listener of ts33320"
    /// The server held a handshake without asking for our certificate.
    NoCertificateRequest "no_certificate_request" "TS 33.320 8.3.4, A-14"
        "let the H(e)MS ask for the cell's certificate in every handshake and refuse who has none"
    /// The server asked for another handshake on an open connection.
    Renegotiation "renegotiation" "RFC 5246 7.4.1.1, T-07"
        "let the H(e)MS ask for the cell's certificate in the first handshake; a second one is refused"
    /// What was negotiated is not in the profile's table.
    OutsideProfile "outside_profile" "TS 33.320 8.3.4, P-13"
        "report this: the engine negotiated what the table does not have"
    /// A hello in the format of SSL 2.0.
    Sslv2Hello "sslv2_hello" "TS 33.320 8.3.4, P-02"
        "let the peer begin with a TLS hello"
    /// An HTTP request where TLS was expected.
    PlainHttp "plain_http" "TS 33.320 8.3.4, P-09, P-11"
        "give the peer the https URL"
    /// The handshake took longer than its bound.
    HandshakeTimeout "handshake_timeout" "bound of this product"
        "look at the path to the peer; something may hold connections open on purpose"
    /// The connection ended, or carried what is no handshake.
    HandshakeBroken "handshake_broken" "RFC 5246 7.4"
        "look at the path to the peer; where it repeats, at who sends this"
    /// The peer could not prove that it holds the key of its certificate.
    BadProof "bad_proof" "RFC 5246 7.4.8, P-08"
        "check that the peer's key belongs to its certificate"
    /// Our own side failed.
    Internal "internal" "none"
        "see the log of this machine"

    // What the peer thinks of us, by its alert.
    /// Alert 45: our certificate is expired by the peer's clock.
    PeerRefusesUsExpired "peer_refuses_us_expired" "TS 33.320 8.3.4, P-18"
        "renew our certificate; or the cell's clock is ahead"
    /// Alert 42: to a cell, our certificate is not valid yet, or names another host, or is damaged.
    PeerRefusesUsNotYetValid "peer_refuses_us_not_yet_valid" "TS 33.320 8.3.4, P-18"
        "the cell's restored clock stands before our certificate: use one that is dated back; or the URL names another host"
    /// Alert 48: the peer does not know our issuer.
    PeerRefusesUsUnknownIssuer "peer_refuses_us_unknown_issuer" "TS 33.320 8.3.3, A-06"
        "give the peer the root that issues our certificate"
    /// Any other fatal alert.
    PeerRefusesUs "peer_refuses_us" "RFC 5246 7.2.2"
        "read the alert number and look at the peer's log"

    // What stands between the peer and us.
    /// In `ipsec` mode nobody vouches for the address, or no longer for the same cell.
    NoTunnelIdentity "no_tunnel_identity" "TS 33.320 8.3.4, X-03, I-08"
        "see that the cell's tunnel is up with its EUI name as IKE identity by certificate, or list its inner address in the table"
    /// In `ipsec-tls` mode the tunnel is another cell's than the certificate.
    TunnelOfAnother "tunnel_of_another" "TS 33.320 8.3.4, X-02, P-20"
        "find out which cell holds which certificate: one cell's tunnel carries the TLS of another"
    /// A connection without a good PROXY header on a listener behind balancers, or not from one of them.
    ProxyHeader "proxy_header" "decision 4"
        "let only the listed balancers reach this listener, and let them send PROXY protocol v1 or v2"

    // What the management system says after the handshake.
    /// The Inform names another device than the certificate. (P-20)
    DeviceIdMismatch "device_id_mismatch" "TS 33.320 8.3.4, P-20"
        "find out which cell holds which certificate; two cells may have been swapped or cloned"
    /// A good certificate of a cell that nobody admitted.
    UnknownIdentity "unknown_identity" "decision 7, I-12"
        "admit the identity, or leave it in quarantine"
    /// One DeviceId was admitted for two identities: both are stopped until one is withdrawn.
    DeviceIdClaimedTwice "device_id_claimed_twice" "decision 7, I-07"
        "find out which of the two it is, and withdraw the other from admission"
    /// The OUI of the Inform is not the EUI's, and the operator wants it to be.
    OuiMismatch "oui_mismatch" "TS 23.003 4.10, I-05"
        "find out whose device this is; where the vendor uses another OUI, set admission.oui_mismatch to alarm"
    /// An operator shut out the identity, its certificate, its key, its issuer or a range of its serial numbers.
    Blocked "blocked" "decision 7, I-12"
        "remove the block if the cell shall serve again"
    /// One identity was seen at two places, and the operator wants such an identity blocked.
    CloneSuspected "clone_suspected" "decision 7, P-20"
        "find out whether the key was copied; replace the certificate, then remove the block"
}

impl Reason {
    /// Whether it is what the peer's certificate says: another attempt ends the same way until a certificate, a set of
    /// roots or a clock has changed.
    #[must_use]
    pub const fn is_by_certificate(self) -> bool {
        matches!(
            self,
            Self::UnknownIssuer
                | Self::SelfSigned
                | Self::CertificateExpired
                | Self::CertificateNotYetValid
                | Self::KeyPeriod
                | Self::KeyUsage
                | Self::ExtendedKeyUsage
                | Self::WeakKey
                | Self::KeyType
                | Self::WeakSignature
                | Self::CaCertificate
                | Self::BadChain
                | Self::MalformedCertificate
                | Self::CriticalExtension
                | Self::HostileName
                | Self::CertificateRevoked
                | Self::CrlMissing
                | Self::CrlStale
                | Self::CrlNotYetValid
                | Self::CrlBad
                | Self::StapleMissing
                | Self::StapleStale
                | Self::StapleBad
                | Self::WrongName
        )
    }
}

impl Reason {
    /// The alert that ends a handshake for this reason (RFC 5246 7.2.2, RFC 6066 8), from either end; none where there is
    /// no handshake to end any more, or where it depends on the version.
    #[must_use]
    pub const fn alert(self) -> Option<u8> {
        Some(match self {
            Self::CertificateNotYetValid
            | Self::WeakKey
            | Self::WeakSignature
            | Self::KeyType
            | Self::MalformedCertificate
            | Self::WrongName => 42,
            Self::KeyUsage | Self::ExtendedKeyUsage => 43,
            Self::CertificateRevoked => 44,
            Self::CertificateExpired => 45,
            Self::CriticalExtension => 46,
            Self::UnknownIssuer | Self::SelfSigned | Self::BadChain => 48,
            Self::KeyPeriod
            | Self::CaCertificate
            | Self::NotAnIdentity
            | Self::SeveralIdentities
            | Self::HostileName
            | Self::CrlMissing
            | Self::CrlStale
            | Self::CrlNotYetValid
            | Self::CrlBad
            | Self::RealmNotOfAnchor
            | Self::Blocked
            | Self::NoCommonSuite
            | Self::NoExtendedMasterSecret => 40,
            Self::StapleMissing
            | Self::StapleStale
            | Self::StapleBad
            | Self::WeakDhGroup
            | Self::NoCertificateRequest => 113,
            Self::ProtocolVersion => 70,
            Self::Fallback => 86,
            Self::NoClientCertificate
            | Self::NoCommonSignature
            | Self::Renegotiation
            | Self::OutsideProfile
            | Self::Sslv2Hello
            | Self::PlainHttp
            | Self::HandshakeTimeout
            | Self::HandshakeBroken
            | Self::BadProof
            | Self::Internal
            | Self::PeerRefusesUsExpired
            | Self::PeerRefusesUsNotYetValid
            | Self::PeerRefusesUsUnknownIssuer
            | Self::PeerRefusesUs
            | Self::NoTunnelIdentity
            | Self::TunnelOfAnother
            | Self::ProxyHeader
            | Self::DeviceIdMismatch
            | Self::UnknownIdentity
            | Self::DeviceIdClaimedTwice
            | Self::OuiMismatch
            | Self::CloneSuspected => return None,
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Reason {
    type Err = RefusalError;

    fn from_str(text: &str) -> Result<Self, RefusalError> {
        Self::ALL.iter().copied().find(|reason| reason.code() == text).ok_or(RefusalError::UnknownReason)
    }
}

/// Why a stored refusal cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusalError {
    /// No row of the table has this code.
    #[error("no reason has this code")]
    UnknownReason,
}

/// One refused connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// The row of the table.
    pub reason: Reason,
    /// What exactly was wrong, escaped and bounded.
    pub detail: String,
    /// The certificate that it is about, where the peer sent one.
    pub certificate: Option<Box<CertificateFacts>>,
    /// The alert that the peer sent. (RFC 5246 7.2)
    pub alert: Option<u8>,
}

impl Refusal {
    /// A refusal for `reason`; the detail may be hostile text.
    pub fn new(reason: Reason, detail: impl AsRef<str>) -> Self {
        Self { reason, detail: bounded(detail.as_ref(), MAX_TEXT), certificate: None, alert: None }
    }

    /// The same refusal with the facts of the peer's certificate.
    #[must_use]
    pub fn about(self, certificate: Option<CertificateFacts>) -> Self {
        Self { certificate: certificate.map(Box::new), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own_a_clause_and_a_remedy() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.code().parse(), Ok(*reason));
            assert_eq!(Reason::ALL.iter().position(|other| other.code() == reason.code()), Some(at));
            assert!(
                reason
                    .code()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            );
            assert!(!reason.clause().is_empty() && !reason.remedy().is_empty());
            assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{reason}\""));
        }
        assert_eq!("nothing".parse::<Reason>(), Err(RefusalError::UnknownReason));
    }

    #[test]
    fn the_detail_is_escaped_and_bounded() {
        let refusal = Refusal::new(Reason::HostileName, format!("a\n\u{202e}{}", "x".repeat(9000)));
        assert!(refusal.detail.starts_with("a\\u{a}\\u{202e}x"));
        assert!(refusal.detail.len() <= MAX_TEXT + "…".len());
    }
}
