//! What our cell offers, byte for byte, and how it leaves. (P-13, P-14, T-06, T-07, T-10, T-11, T-15)

use audit::ClientHello;
use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::pkey::Params;
use openssl::ssl::{Ssl, SslContext, SslFiletype, SslMethod, SslVerifyMode, SslVersion};
use profile::{Profile, Reason, SuiteOrder, Terms};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{CELL, HOST, World, s_server};

async fn offer(world: &World, host: &'static str) -> ClientHello {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let connector = world.connector();
    let client = tokio::spawn(async move { connector.connect(tcp, host).await.map(|_| ()) });
    let (mut tcp, _) = listener.accept().await.unwrap();
    let offer = ClientHello::read(&mut tcp).await.unwrap().0;
    drop(tcp);
    assert_eq!(client.await.unwrap().unwrap_err().reason, Reason::HandshakeBroken);
    offer
}

#[tokio::test]
async fn p13_p14_p15_p07_our_cell_offers_exactly_the_table() {
    let offer = offer(&World::new(), HOST).await;
    let mut expected: Vec<u16> =
        Profile::TS33320.offered(SuiteOrder::FsFirst).iter().map(|suite| suite.code).collect();
    expected.push(0x00FF);
    assert_eq!(offer.suites, expected);
    assert_eq!(offer.version, 0x0303);
    assert!(offer.record_version >= 0x0301);
    assert_eq!(offer.extension(43), None, "no supported_versions, so no TLS 1.3");
    assert_eq!(offer.extension(41), None, "no pre-shared key");
}

#[tokio::test]
async fn t06_t07_our_cell_offers_no_compression_and_secure_renegotiation_only() {
    let offer = offer(&World::new(), HOST).await;
    assert_eq!(offer.compression, [0]);
    assert!(offer.suites.contains(&0x00FF));
}

#[tokio::test]
async fn t10_our_cell_sends_the_host_and_no_address() {
    let world = World::new();
    let named = offer(&world, HOST).await;
    let name = named.extension(0).unwrap();
    assert!(name.ends_with(HOST.as_bytes()), "{name:?}");
    assert_eq!(offer(&world, "127.0.0.1").await.extension(0), None);
    assert_eq!(offer(&world, "::1").await.extension(0), None);
}

#[tokio::test]
async fn t11_our_cell_accepts_signatures_of_rsa_with_sha_256_or_better_only() {
    let offer = offer(&World::new(), HOST).await;
    let list = offer.extension(13).unwrap();
    let schemes: Vec<u16> = list[2..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    assert!(schemes.contains(&0x0401));
    for scheme in schemes {
        assert!(matches!(scheme, 0x0401 | 0x0501 | 0x0601 | 0x0804..=0x0806), "{scheme:04x}");
    }
}

#[tokio::test]
async fn t08_our_cell_asks_for_a_ticket_and_has_none_of_a_stranger() {
    assert_eq!(offer(&World::new(), HOST).await.extension(35), Some(&[][..]));
}

#[tokio::test]
async fn t11_a_stranger_that_signs_with_sha_1_gets_nothing() {
    let world = World::new();
    let arguments = ["-tls1_2", "-cipher", "DHE-RSA-AES128-SHA256:@SECLEVEL=0", "-sigalgs", "RSA+SHA1"];
    let stranger = s_server(&world.hems, &arguments).await;
    let tcp = TcpStream::connect(stranger.address).await.unwrap();
    assert!(world.connector().connect(tcp, HOST).await.is_err());
}

#[tokio::test]
async fn p07_our_cell_offers_nothing_that_rests_on_a_shared_secret() {
    let offer = offer(&World::new(), HOST).await;
    // SRP has extension 12; a pre-shared key 41 and 45; suites with either end in the hundreds and in C0xx.
    for number in [12, 41, 45] {
        assert_eq!(offer.extension(number), None, "extension {number}");
    }
    let by_secret =
        |code: &u16| matches!(code, 0x008A..=0x0095 | 0x00A8..=0x00B9 | 0xC01A..=0xC022 | 0xC033..=0xC03B);
    assert!(!offer.suites.iter().any(by_secret), "{:x?}", offer.suites);
}

/// A server of the engine with any group that it would still use; smaller ones are in `mirror.rs`.
async fn with_group(world: &World, group: &Dh<Params>) -> std::net::SocketAddr {
    let mut builder = SslContext::builder(SslMethod::tls_server()).unwrap();
    builder.set_security_level(0);
    builder.set_cipher_list("DHE-RSA-AES128-SHA256").unwrap();
    builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    builder.set_tmp_dh(group).unwrap();
    builder.set_certificate_chain_file(&world.hems.chain).unwrap();
    builder.set_private_key_file(&world.hems.key, SslFiletype::PEM).unwrap();
    builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    let ssl = Ssl::new(&builder.build()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = tokio_openssl::SslStream::new(ssl, tcp).unwrap();
        // Whether it comes so far is the cell's to say.
        std::pin::Pin::new(&mut stream).accept().await.ok();
    });
    address
}

#[tokio::test]
async fn t05_a_small_dh_group_is_refused_by_our_cell() {
    let world = World::new();
    let known = |prime: BigNum| Dh::from_pqg(prime, None, BigNum::from_u32(2).unwrap()).unwrap();
    for (bits, group) in [
        (1024, known(BigNum::get_rfc2409_prime_1024().unwrap())),
        (1536, known(BigNum::get_rfc3526_prime_1536().unwrap())),
    ] {
        let address = with_group(&world, &group).await;
        let tcp = TcpStream::connect(address).await.unwrap();
        let refusal = world.connector().connect(tcp, HOST).await.map(|_| ()).unwrap_err();
        assert_eq!(refusal.reason, Reason::WeakDhGroup, "{bits}: {refusal}");
    }
    let address = with_group(&world, &known(BigNum::get_rfc3526_prime_2048().unwrap())).await;
    let tcp = TcpStream::connect(address).await.unwrap();
    world.connector().connect(tcp, HOST).await.unwrap();
}

#[tokio::test]
async fn t15_a_stream_that_is_cut_is_no_end() {
    let world = World::new();
    for is_clean in [true, false] {
        let acceptor = world.acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let (mut stream, _) = acceptor.accept(tcp).await.unwrap();
            stream.write_all(b"half").await.unwrap();
            stream.flush().await.unwrap();
            if is_clean {
                stream.shutdown().await.unwrap();
            }
        });
        let (mut stream, _) = world.connector().connect(tcp, HOST).await.unwrap();
        let mut heard = Vec::new();
        let end = stream.read_to_end(&mut heard).await;
        assert_eq!((heard.as_slice(), end.is_ok()), (b"half".as_slice(), is_clean));
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_cut_off_in_time_on_both_sides() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let refusal = world.acceptor().accept(tcp).await.map(|_| ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::HandshakeTimeout);
    let terms: Terms = world.terms();
    assert_eq!(terms.profile.name, "ts33320");
    drop(silent);
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_silent, _) = listener.accept().await.unwrap();
    let refusal = world.connector().connect(tcp, HOST).await.map(|_| ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::HandshakeTimeout);
    assert_eq!(world.connector().identity().as_str(), CELL);
}

#[tokio::test]
async fn garbage_ends_the_handshake_and_nothing_else() {
    let world = World::new();
    let mut server = world.server().await;
    let hello = ClientHello::new(0x0303, &[0x002F]).bytes();
    let long = [&[22, 3, 1, 0xFF, 0xFF][..], &[0; 70_000]].concat();
    let cut = &hello[..hello.len() / 2];
    for bytes in
        [b"\0\0\0\0\0\0\0\0".as_slice(), &[0xFF; 600], cut, &long, b"", b"\x15\x03\x01\x00\x02\x02\x28"]
    {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(bytes).await.ok();
        tcp.shutdown().await.ok();
        tcp.read_to_end(&mut Vec::new()).await.ok();
        let refusal = server.outcome().await.unwrap_err();
        assert!(matches!(refusal.reason, Reason::HandshakeBroken | Reason::PeerRefusesUs), "{refusal:?}");
    }
    crate::world::call(&world.connector(), server.address, HOST).await.unwrap();
}
