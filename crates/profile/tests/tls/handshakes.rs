//! Bad handshakes, one row each: what the listener answers on the wire, and the reason that it reports.
//! (RFC 5246 7.2.2; P-02 to P-08, P-13 to P-16, T-04, T-06, T-07, T-09)

use audit::{
    Answer, Call, ClientHello, Exchange, STEPS, Step, TLS11, TLS12, ask, message, record, sslv2_hello,
    tls13_hello,
};
use profile::Reason;

use crate::world::{Server, World, credentials};

/// What a hello of its own may be answered with, and why.
struct Opening {
    name: &'static str,
    bytes: Vec<u8>,
    reason: Reason,
    /// More than one where the engine's versions differ; none for a connection that is closed without a word.
    alerts: &'static [u8],
}

fn opening(name: &'static str, bytes: Vec<u8>, reason: Reason, alerts: &'static [u8]) -> Opening {
    Opening { name, bytes, reason, alerts }
}

/// Versions and signals. (P-02, P-06, T-09, T-12)
fn versions() -> Vec<Opening> {
    let suites = [0x002F, 0x0035, 0x000A];
    let at = |version| ClientHello::new(version, &suites).bytes();
    vec![
        opening("hello of SSL 2.0", sslv2_hello(), Reason::Sslv2Hello, &[47]),
        opening("SSL 3.0", at(0x0300), Reason::ProtocolVersion, &[40, 70]),
        opening("TLS 1.0", at(0x0301), Reason::ProtocolVersion, &[70]),
        opening("TLS 1.3 alone", tls13_hello(&[0x1301, 0x1302]).bytes(), Reason::ProtocolVersion, &[70]),
        opening("version 2.0", at(0x0200), Reason::ProtocolVersion, &[70]),
        opening(
            "fallback to TLS 1.1",
            ClientHello::new(TLS11, &[0x002F, 0x5600]).bytes(),
            Reason::Fallback,
            &[86],
        ),
    ]
}

/// Suites that the clause excludes, each alone. (P-13, P-14, P-16, T-04)
fn suites() -> Vec<Opening> {
    let only = |name, version, suites: &[u16]| {
        opening(name, ClientHello::new(version, suites).bytes(), Reason::NoCommonSuite, &[40])
    };
    vec![
        only("RC4", TLS12, &[0x0004, 0x0005]),
        only("3DES", TLS12, &[0x000A, 0x0016]),
        only("NULL", TLS12, &[0x0001, 0x0002, 0x003B]),
        only("anonymous", TLS12, &[0x0034, 0x003A, 0x006C, 0x006D, 0x0018]),
        only("PSK", TLS12, &[0x008C, 0x008D, 0x00AE, 0x0090, 0x0094]),
        only("SRP", TLS12, &[0xC01D, 0xC01E, 0xC020]),
        only("ECDHE", TLS12, &[0xC013, 0xC014, 0xC027, 0xC02F]),
        only("GCM", TLS12, &[0x009C, 0x009D, 0x009E]),
        only("Camellia", TLS12, &[0x0041, 0x0084]),
        only("export", TLS11, &[0x0003, 0x0006, 0x0008, 0x0014]),
        only("SHA-256 at TLS 1.1", TLS11, &[0x003C, 0x0067]),
        only("nothing but signals", TLS12, &[0x00FF]),
    ]
}

/// Signatures and compression. (T-06, T-11)
fn algorithms() -> Vec<Opening> {
    let signed = |schemes: &[u8]| {
        let mut hello = ClientHello::new(TLS12, &[0x0067]);
        hello.extensions.retain(|(number, _)| *number != 13);
        hello.with(13, &[&[0, 2], schemes].concat()).bytes()
    };
    let compressed = |methods: &[u8]| ClientHello::new(TLS12, &[0x002F]).compression(methods).bytes();
    vec![
        opening("signatures with SHA-1 alone", signed(&[2, 1]), Reason::NoCommonSignature, &[40]),
        opening("signatures with MD5 alone", signed(&[1, 1]), Reason::NoCommonSignature, &[40]),
        opening("signatures by ECDSA alone", signed(&[4, 3]), Reason::NoCommonSignature, &[40]),
        opening("compression without none", compressed(&[1]), Reason::HandshakeBroken, &[47, 50]),
        opening("no compression method", compressed(&[]), Reason::HandshakeBroken, &[50]),
    ]
}

/// What is no hello. (RFC 5246 6.2.1 and 7.4)
fn nonsense() -> Vec<Opening> {
    let broken = |name, bytes, alerts| opening(name, bytes, Reason::HandshakeBroken, alerts);
    let hello = ClientHello::new(TLS12, &[0x002F]);
    let whole = hello.message();
    let as_record = |body: &[u8]| record(22, 0x0301, body);
    let mut overrun = whole.clone();
    overrun[4 + 2 + 32] = 255;
    let trailing = message(1, &[&whole[4..], &[0; 3]].concat());
    let twice = hello.clone().with(0xFF01, &[0]).bytes();
    let mut long = record(22, 0x0301, &[]);
    (long[3], long[4]) = (0x48, 0x01);
    long.extend([0; 0x4801]);
    vec![
        broken("record longer than the protocol has", long, &[22]),
        broken("session id that overruns", as_record(&overrun), &[50]),
        broken("bytes behind the hello", as_record(&trailing), &[50]),
        broken("hello of 16 MB", as_record(&[&[1, 0xFF, 0xFF, 0xFF], &[0; 64][..]].concat()), &[47]),
        broken("hello without content", as_record(&message(1, &[])), &[50]),
        broken("one extension twice", twice, &[47]),
        broken("Finished first", as_record(&message(20, &[0; 12])), &[10]),
        broken("ChangeCipherSpec first", record(20, TLS12, &[1]), &[10]),
        broken("application data first", record(23, TLS12, b"POST"), &[10]),
        broken("record of an unknown kind", record(99, TLS12, &[0; 8]), &[10]),
        broken("heartbeat first", record(24, TLS12, &[1, 0x40, 0]), &[10]),
        broken("SNI that overruns", hello.with(0, &[0, 9, 0]).bytes(), &[50]),
    ]
}

async fn opened(rows: Vec<Opening>) {
    let mut server = World::new().server().await;
    let mut wrong = Vec::new();
    for row in rows {
        let answer = ask(server.address, &row.bytes).await.unwrap();
        let reason = server.outcome().await.unwrap_err().reason;
        let is_right = match answer {
            Answer::Alert(alert) => row.alerts.contains(&alert),
            Answer::Closed => row.alerts.is_empty(),
            Answer::Hello { .. } => false,
        };
        if !is_right || reason != row.reason {
            wrong.push(format!(
                "{}: {answer:?}, {reason}; expected {:?}, {}",
                row.name, row.alerts, row.reason
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn p02_p06_t09_t12_every_other_version_is_refused_by_the_table() {
    opened(versions()).await;
}

#[tokio::test]
async fn g08_p13_p14_p15_p16_p07_t04_every_excluded_suite_is_refused_by_the_table() {
    opened(suites()).await;
}

#[tokio::test]
async fn t06_t11_compression_and_weak_signatures_are_refused_by_the_table() {
    opened(algorithms()).await;
}

#[tokio::test]
async fn what_is_no_hello_is_refused_by_the_table() {
    opened(nonsense()).await;
}

/// A handshake that goes wrong after the hellos.
struct Turn {
    name: &'static str,
    steps: Vec<Step>,
    exchange: Exchange,
    reason: Reason,
    alert: u8,
}

fn turn(name: &'static str, steps: &[&[Step]], reason: Reason, alert: u8) -> Turn {
    Turn { name, steps: steps.concat(), exchange: Exchange::Honest, reason, alert }
}

/// Who the client is. (P-08, P-19)
fn proofs() -> Vec<Turn> {
    let [certificate, exchange, verify, change, finished] = STEPS.map(|step| vec![step]);
    let end = [change, finished].concat();
    vec![
        turn(
            "empty certificate",
            &[&[Step::NoCertificate], &exchange, &end],
            Reason::NoClientCertificate,
            40,
        ),
        turn("no certificate message", &[&exchange, &end], Reason::HandshakeBroken, 10),
        turn("wrong signature", &[&certificate, &exchange, &[Step::WrongVerify], &end], Reason::BadProof, 51),
        turn("no signature", &[&certificate, &exchange, &end], Reason::HandshakeBroken, 10),
        turn(
            "signature before the exchange",
            &[&certificate, &verify, &exchange, &end],
            Reason::HandshakeBroken,
            10,
        ),
    ]
}

/// Messages out of their order, or with something else in them. (RFC 5246 7.3)
fn disorder() -> Vec<Turn> {
    let [certificate, exchange, verify, change, finished] = STEPS.map(|step| vec![step]);
    let flight = [certificate.clone(), exchange.clone(), verify.clone()].concat();
    let broken = |name, steps: &[&[Step]], alert| turn(name, steps, Reason::HandshakeBroken, alert);
    let content = |kind, body: &[u8]| [Step::Content(kind, body.to_vec())];
    let hello = ClientHello::new(TLS12, &[0x002F]).message();
    let spoilt = |name, spoil: fn(&[u8]) -> Vec<u8>| Turn {
        exchange: Exchange::Block(spoil),
        ..broken(name, &[&flight, &change, &finished], 20)
    };
    vec![
        broken("ChangeCipherSpec early", &[&change, &certificate, &exchange], 10),
        broken("ChangeCipherSpec before the signature", &[&certificate, &exchange, &change, &finished], 10),
        broken("no key exchange", &[&certificate, &change, &finished], 10),
        broken("Finished in the clear", &[&flight, &finished], 10),
        broken("wrong Finished", &[&flight, &change, &[Step::WrongFinished]], 51),
        broken("second hello", &[&certificate, &content(22, &hello)], 10),
        broken("application data before the end", &[&certificate, &content(23, b"POST / HTTP/1.1")], 10),
        broken("ChangeCipherSpec of another value", &[&flight, &content(20, &[2])], 10),
        spoilt("another secret", |block| [&block[..block.len() - 1], &[1]].concat()),
        spoilt("secret of a lower version", |block| {
            let at = block.len() - 47;
            [&block[..at], &[1], &block[at + 1..]].concat()
        }),
    ]
}

async fn turned(rows: Vec<Turn>) {
    let world = World::new();
    let mut server = world.server().await;
    let own = credentials(&world.henb);
    let mut wrong = Vec::new();
    for row in rows {
        for version in [TLS11, TLS12] {
            let call = Call::new(version, 0x002F).steps(&row.steps).exchange(row.exchange);
            let heard = call.make(server.address, &own).await.unwrap().refusal();
            let alert = heard.and_then(|farewell| farewell.alert);
            let reason = server.outcome().await.unwrap_err().reason;
            if alert != Some(row.alert) || reason != row.reason {
                wrong.push(format!(
                    "{} at {version:04x}: {heard:?}, {reason}; expected {}, {}",
                    row.name, row.alert, row.reason
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn p08_p19_who_proves_nothing_is_refused_by_the_table() {
    turned(proofs()).await;
}

#[tokio::test]
async fn p05_a_handshake_out_of_order_is_refused_by_the_table() {
    turned(disorder()).await;
}

/// A call of the prober that is taken for good, and the line that it gets.
async fn greeted(server: &mut Server, world: &World, call: Call) -> String {
    let outcome = call.make(server.address, &credentials(&world.henb)).await.unwrap();
    let audit::Outcome::Open(mut caller) = outcome else { panic!("{outcome:?}") };
    caller.send(23, b"hello\n").await.unwrap();
    let line = caller.data().await.unwrap().unwrap();
    server.outcome().await.unwrap();
    String::from_utf8(line).unwrap()
}

#[tokio::test]
async fn p03_p04_p12_p13_t16_the_prober_gets_data_with_each_suite_so_its_refusals_mean_something() {
    let world = World::new();
    let mut server = world.server().await;
    let at_11 = [0x002F, 0x0035, 0x0033, 0x0039].map(|suite| (TLS11, "TLSv1.1", suite));
    let at_12 = [0x002F, 0x0035, 0x0033, 0x0039, 0x003C, 0x003D, 0x0067, 0x006B]
        .map(|suite| (TLS12, "TLSv1.2", suite));
    for (version, name, suite) in at_11.into_iter().chain(at_12) {
        let line = greeted(&mut server, &world, Call::new(version, suite)).await;
        assert!(line.starts_with(&format!("00005e005301.hnb.example {name} ")), "{line}");
    }
}

#[tokio::test]
async fn a18_the_listener_names_the_authorities_that_it_accepts() {
    let world = World::new();
    let server = world.server().await;
    let call = Call::new(TLS12, 0x002F);
    let outcome = call.make(server.address, &credentials(&world.henb)).await.unwrap();
    let audit::Outcome::Open(caller) = outcome else { panic!("{outcome:?}") };
    let root = openssl::x509::X509::from_pem(&world.manufacturer.pem().unwrap()).unwrap();
    assert_eq!(caller.authorities(), [root.subject_name().to_der().unwrap()]);
}

#[tokio::test]
async fn s14_t10_t01_no_name_and_a_strange_name_choose_no_other_profile() {
    let world = World::new();
    let mut server = world.server().await;
    let hello = || ClientHello::new(TLS12, &[0x002F]);
    for hello in [
        hello(),
        hello().named("hems.operator.example"),
        hello().named("other.operator.example"),
        hello().named("127.0.0.1"),
        hello().named(&"a".repeat(255)),
    ] {
        let line = greeted(&mut server, &world, Call::new(TLS12, 0x002F).hello(hello)).await;
        assert_eq!(line, "00005e005301.hnb.example TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA\n");
    }
    let two = [&[0, 8][..], &[0, 0, 1, b'a'], &[0, 0, 1, b'b']].concat();
    let answer = ask(server.address, &hello().with(0, &two).bytes()).await.unwrap();
    assert_eq!(answer, Answer::Alert(50), "two names");
}

#[tokio::test]
async fn t07_a_client_that_renegotiates_hears_no_and_keeps_its_session() {
    let world = World::new();
    let server = world.server().await;
    for version in [TLS11, TLS12] {
        let call = Call::new(version, 0x002F);
        let outcome = call.make(server.address, &credentials(&world.henb)).await.unwrap();
        let audit::Outcome::Open(mut caller) = outcome else { panic!("{outcome:?}") };
        caller.send(22, &call.hello.message()).await.unwrap();
        assert_eq!(caller.warning().await.unwrap(), Some(100), "no_renegotiation");
        caller.send(23, b"hello\n").await.unwrap();
        let line = caller.data().await.unwrap().unwrap();
        assert!(line.starts_with(b"00005e005301.hnb.example"));
    }
}
