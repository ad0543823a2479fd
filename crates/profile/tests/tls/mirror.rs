//! The corpus of bad certificates as a H(e)MS would bring them: one row each, with the reason that our cell
//! reports and the alert that it sends, at TLS 1.1 and 1.2. (A-05 to A-10, P-18)
//!
//! The server is a script that shows a chain and listens: what a cell thinks of a certificate it says at once.

use audit::{Credentials, Heard, Script, TLS11, TLS12};
use jiff::Timestamp;
use profile::pki::{
    Authority, AuthorityOrder, Defect, Digest, Issued, Key, LeafOrder, Purpose, Usage, Validity,
};
use profile::{Reason, Refusal};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::{Row, bad, edges, good};
use crate::world::{HOST, World, future, identity, past};

fn hems() -> LeafOrder {
    LeafOrder::hems(HOST)
}

/// Whom the certificate names. The host of the URL is a name.
fn names(world: &World) -> Vec<Row> {
    let issue = |order: &LeafOrder| world.operator.issue(order, &world.key).unwrap();
    let named = |names: &[&str]| issue(&hems().dns_names(names));
    let wrong = |name: &str, dns: &str| bad(name, &named(&[dns]), Reason::WrongName, 42);
    let address = ["127.0.0.1".parse().unwrap()];
    vec![
        wrong("another host", "other.operator.example"),
        wrong("the domain above", "operator.example"),
        wrong("a host below", "a.hems.operator.example"),
        wrong("NUL", "hems.operator.example\0.evil.example"),
        wrong("wildcard for a part of a label", "h*.operator.example"),
        wrong("wildcard one label up", "*.example"),
        wrong("wildcard for everything", "*"),
        wrong("wildcard in the middle", "hems.*.example"),
        bad("common name only", &named(&[]), Reason::WrongName, 42),
        bad(
            "address only",
            &issue(&hems().dns_names::<&str>(&[]).addresses(&address)),
            Reason::WrongName,
            42,
        ),
        bad("trailing dot", &named(&[HOST, "hems.operator.example."]), Reason::HostileName, 40),
        good("wildcard for one label", &named(&["*.operator.example"])),
        good("upper case", &named(&["HEMS.Operator.Example"])),
        good("among others", &named(&["other.operator.example", HOST])),
    ]
}

fn dates(world: &World) -> Vec<Row> {
    let issue = |order: &LeafOrder| world.operator.issue(order, &world.key).unwrap();
    let valid = |validity: Validity| issue(&hems().valid(validity));
    let outside = [(Reason::CertificateNotYetValid, 42), (Reason::CertificateExpired, 45)];
    let mut rows = edges(valid, outside);
    rows.extend(edges(|validity| issue(&hems().key_period(validity)), [(Reason::KeyPeriod, 40); 2]));
    let usual = issue(&hems());
    rows.extend([
        bad("expired", &valid(past()), Reason::CertificateExpired, 45),
        bad("not yet valid", &valid(future()), Reason::CertificateNotYetValid, 42),
        bad("clock at 1970", &usual, Reason::CertificateNotYetValid, 42).at(Timestamp::UNIX_EPOCH),
        bad("clock whose floor lies after the end", &usual, Reason::CertificateExpired, 45)
            .at("2040-01-01T00:00:00Z".parse().unwrap()),
        bad("clock whose floor lies before the begin", &usual, Reason::CertificateNotYetValid, 42)
            .at("2020-01-01T00:00:00Z".parse().unwrap()),
    ]);
    rows
}

fn usages(world: &World) -> Vec<Row> {
    let issue = |order: LeafOrder| world.operator.issue(&order, &world.key).unwrap();
    vec![
        bad(
            "purpose of a client",
            &issue(hems().purposes(&[Purpose::ClientAuth])),
            Reason::ExtendedKeyUsage,
            43,
        ),
        bad(
            "key usage for certificates",
            &issue(hems().usages(&[Usage::KeyCertSign])),
            Reason::CaCertificate,
            40,
        ),
        bad("no key usage", &issue(hems().usages(&[])), Reason::KeyUsage, 43),
        bad("key usage that is not critical", &issue(hems().uncritical_usage()), Reason::KeyUsage, 43),
        bad("CA flag", &issue(hems().as_ca()), Reason::CaCertificate, 40),
        good("no purposes", &issue(hems().purposes(&[]))),
    ]
}

fn strengths(world: &World) -> Vec<Row> {
    let digest = |digest| world.operator.issue(&hems().digest(digest), &world.key).unwrap();
    let small = world.operator.issue(&hems(), &Key::generate(1024).unwrap()).unwrap();
    vec![
        bad("RSA of 1024 bits", &small, Reason::WeakKey, 42),
        bad("SHA-1", &digest(Digest::Sha1), Reason::WeakSignature, 42),
        bad("MD5", &digest(Digest::Md5), Reason::WeakSignature, 42),
    ]
}

fn issuers(world: &World) -> Vec<Row> {
    let stranger = Authority::create(&AuthorityOrder::lab("operator", HOST).unconstrained()).unwrap();
    let by = |authority: &Authority, order: &LeafOrder| authority.issue(order, &world.key).unwrap();
    let between = world.operator.subordinate(&AuthorityOrder::lab("between", HOST).unconstrained()).unwrap();
    let by_nobody: Issued = Authority::self_signed(&hems(), &world.key).unwrap();
    vec![
        bad("unknown CA of the same name", &by(&stranger, &hems()), Reason::UnknownIssuer, 48),
        bad("the CA of cells", &by(&world.manufacturer, &hems()), Reason::UnknownIssuer, 48),
        bad("self-signed", &by_nobody, Reason::SelfSigned, 48),
        bad("CA where none may be", &by(&between, &hems()), Reason::BadChain, 48),
        bad(
            "version 1",
            &by(&world.operator, &hems().defective(Defect::Version1)),
            Reason::MalformedCertificate,
            42,
        ),
        bad(
            "unknown critical extension",
            &by(&world.operator, &hems().defective(Defect::UnknownCritical)),
            Reason::CriticalExtension,
            46,
        ),
    ]
}

/// Lets our cell call the script: what it reports, and what the script heard.
pub(crate) async fn played(
    world: &World,
    at: Option<Timestamp>,
    script: &Script,
    own: &Credentials,
) -> (Refusal, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connector = world.connector();
    world.clock.set(at.unwrap_or_else(Timestamp::now));
    let play = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        script.play(&mut tcp, own).await.unwrap()
    };
    let call = async {
        let tcp = TcpStream::connect(address).await.unwrap();
        connector.connect(tcp, HOST).await.map(|_| ()).unwrap_err()
    };
    let (heard, refusal) = tokio::join!(play, call);
    world.clock.set(Timestamp::now());
    (refusal, heard)
}

async fn judged(rows: fn(&World) -> Vec<Row>) {
    let world = World::new();
    let mut wrong = Vec::new();
    for row in rows(&world) {
        let own = Credentials::without_key(&row.chain).unwrap();
        for version in [TLS11, TLS12] {
            let (refusal, heard) = played(&world, row.at, &Script::new(version, 0x002F), &own).await;
            // The script asks for no certificate, which is looked at when its own is found good.
            let found = match heard.said {
                _ if refusal.reason == Reason::NoCertificateRequest => None,
                Some(_) => None,
                None => Some((refusal.reason, heard.alert.unwrap_or_default())),
            };
            let has_facts = found.is_none() || refusal.certificate.is_some();
            if found != row.verdict || !has_facts {
                wrong.push(format!("{} at {version:04x}: {found:?}, expected {:?}", row.name, row.verdict));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a05_our_cell_judges_names_by_the_table() {
    judged(names).await;
}

#[tokio::test]
async fn p18_t18_k05_our_cell_judges_dates_by_the_table() {
    judged(dates).await;
}

#[tokio::test]
async fn a07_a08_a10_our_cell_judges_usages_by_the_table() {
    judged(usages).await;
}

#[tokio::test]
async fn a09_t17_our_cell_judges_keys_and_signatures_by_the_table() {
    judged(strengths).await;
}

#[tokio::test]
async fn a06_a10_our_cell_judges_issuers_by_the_table() {
    judged(issuers).await;
}

/// Hellos that no honest server sends. (P-02, P-06, P-13, P-14, P-16, T-06, T-12)
#[tokio::test]
async fn p02_p06_p13_p14_p16_t06_t07_our_cell_refuses_a_bad_hello_by_the_table() {
    let world = World::new();
    let own = Credentials::without_key(&std::fs::read(&world.hems.chain).unwrap()).unwrap();
    let script = Script::new(TLS12, 0x002F);
    let suite = |suite| Script { suite, ..script.clone() };
    let extended = |number, content: &[u8]| {
        let extensions = vec![(0xFF01, vec![0]), (number, content.to_vec())];
        Script { extensions, ..script.clone() }
    };
    let mut wrong = Vec::new();
    for (name, script, reason, alert) in [
        ("SSL 3.0", Script::new(0x0300, 0x002F), Reason::ProtocolVersion, 70),
        ("TLS 1.0", Script::new(0x0301, 0x002F), Reason::ProtocolVersion, 70),
        ("version 3.9", Script::new(0x0309, 0x002F), Reason::ProtocolVersion, 70),
        ("TLS 1.3", extended(43, &[3, 4]), Reason::HandshakeBroken, 110),
        ("RC4", suite(0x0005), Reason::HandshakeBroken, 47),
        ("NULL", suite(0x0002), Reason::HandshakeBroken, 47),
        ("anonymous", suite(0x0034), Reason::HandshakeBroken, 47),
        ("3DES", suite(0x000A), Reason::HandshakeBroken, 47),
        ("ECDHE with GCM", suite(0xC02F), Reason::HandshakeBroken, 47),
        ("PSK", suite(0x008C), Reason::HandshakeBroken, 47),
        ("a suite of TLS 1.2 at TLS 1.1", Script::new(TLS11, 0x003C), Reason::HandshakeBroken, 47),
        ("compression", Script { compression: 1, ..script.clone() }, Reason::HandshakeBroken, 47),
        (
            "wrong renegotiation information",
            Script { extensions: vec![(0xFF01, vec![1, 7])], ..script.clone() },
            Reason::HandshakeBroken,
            47,
        ),
        ("an extension that nobody asked for", extended(16, &[0, 2, 1, b'h']), Reason::HandshakeBroken, 110),
    ] {
        let (refusal, heard) = played(&world, None, &script, &own).await;
        if (refusal.reason, heard.alert) != (reason, Some(alert)) {
            wrong.push(format!("{name}: {refusal}, {:?}; expected {reason}, {alert}", heard.alert));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Groups and shares of a server that end the handshake at once; the engine goes on with a group of 1024 bits,
/// which `hello.rs` sees refused after the handshake. (T-05)
#[tokio::test]
async fn t05_our_cell_refuses_a_bad_group_and_a_bad_share_by_the_table() {
    let world = World::new();
    let own = crate::world::credentials(&world.hems);
    let number = |number: openssl::bn::BigNum| number.to_vec();
    let large = number(openssl::bn::BigNum::get_rfc3526_prime_2048().unwrap());
    let small = number(openssl::bn::BigNum::get_rfc2409_prime_768().unwrap());
    let below = |prime: &[u8]| [&prime[..prime.len() - 1], &[prime[prime.len() - 1] - 1]].concat();
    let mut wrong = Vec::new();
    for (name, prime, share, alert) in [
        ("a group of 512 bits", vec![0xFF; 64], vec![4], 40),
        ("a group of 768 bits", small.clone(), vec![4], 40),
        ("a share of 0", large.clone(), vec![0], 47),
        ("a share of 1", large.clone(), vec![1], 47),
        ("a share of p - 1", large.clone(), below(&large), 47),
        ("a share of p", large.clone(), large.clone(), 47),
    ] {
        let script = Script { group: Some([prime, vec![2], share]), ..Script::new(TLS12, 0x0067) };
        let (refusal, heard) = played(&world, None, &script, &own).await;
        if (refusal.reason, heard.alert) != (Reason::WeakDhGroup, Some(alert)) {
            wrong.push(format!("{name}: {refusal}, {:?}; expected {alert}", heard.alert));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn p19_a18_our_cell_sends_its_chain_without_the_root() {
    let mut world = World::new();
    let root = Authority::create(&AuthorityOrder::lab("root", "hnb.example").path_length(1)).unwrap();
    let between = root.subordinate(&AuthorityOrder::lab("between", "hnb.example")).unwrap();
    let issued = between.issue(&LeafOrder::henb(&identity()), &world.key).unwrap();
    world.henb = issued.write(world.dir.path(), "henb", &world.key).unwrap();
    let own = issued.pem().unwrap();
    let with_root = [own.as_slice(), &root.pem().unwrap()].concat();
    for chain in [own, with_root] {
        std::fs::write(&world.henb.chain, &chain).unwrap();
        let server = Credentials::without_key(&std::fs::read(&world.hems.chain).unwrap()).unwrap();
        for version in [TLS11, TLS12] {
            let script = Script { requests: true, ..Script::new(version, 0x002F) };
            let said = played(&world, None, &script, &server).await.1.said.unwrap();
            let [11, _, _, _, _, _, _, list @ ..] = said.as_slice() else { panic!("{said:?}") };
            assert_eq!(sizes(list).len(), 2, "the leaf and the CA between");
        }
    }
}

/// The lengths of the certificates in a list of them.
fn sizes(mut list: &[u8]) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let [high, middle, low, rest @ ..] = list {
        let size = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        sizes.push(size);
        list = rest.get(size..).unwrap_or_default();
    }
    sizes
}
