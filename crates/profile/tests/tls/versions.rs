//! Which versions are negotiated, and what a middlebox cannot change. (P-02 to P-06, T-07 to T-09, T-12)

use audit::{Answer, ClientHello, ask, sslv2_hello, tls13_hello};
use profile::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{HOST, World, call, pinned, renegotiate, s_client, s_server, text};

#[tokio::test]
async fn p03_p04_a_stranger_gets_data_at_tls_11_and_12() {
    let world = World::new();
    let server = world.server().await;
    for (option, name) in [("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2")] {
        let heard = s_client(server.address, Some(&world.henb), &pinned(option, "DEFAULT:@SECLEVEL=0")).await;
        assert!(heard.contains(name), "{heard}");
    }
}

#[tokio::test]
async fn p03_p04_p19_our_cell_authenticates_to_a_stranger_at_tls_11_and_12() {
    let world = World::new();
    let cas = world.file("manufacturer.pem");
    for (option, name) in [("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2")] {
        let arguments = [
            option,
            "-cipher",
            "DEFAULT:@SECLEVEL=0",
            "-Verify",
            "1",
            "-verify_return_error",
            "-CAfile",
            text(&cas),
        ];
        let stranger = s_server(&world.hems, &arguments).await;
        let (peer, reply) = call(&world.connector(), stranger.address, HOST).await.unwrap();
        assert_eq!((peer.evidence.tls_version, reply.as_str()), (name, "olleh\n"));
    }
}

#[tokio::test]
async fn p05_both_ends_of_ours_meet_at_tls_12() {
    let world = World::new();
    let mut server = world.server().await;
    let (peer, reply) = call(&world.connector(), server.address, HOST).await.unwrap();
    assert_eq!(reply, "00005e005301.hnb.example TLSv1.2 TLS_DHE_RSA_WITH_AES_128_CBC_SHA256\n");
    assert_eq!(
        (peer.evidence.suite_code, peer.evidence.certificate.dns_names),
        (0x0067, vec![HOST.to_owned()])
    );
    assert_eq!(server.outcome().await.unwrap().anchor, "manufacturer");
}

/// Forwards both ways and writes another version into the first record of one of them, at the hello's place.
async fn middlebox(server: std::net::SocketAddr, from_client: bool) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(server).await.unwrap();
        let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
        tokio::join!(
            forward(client_in, server_out, from_client),
            forward(server_in, client_out, !from_client)
        );
    });
    address
}

async fn forward(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, meddle: bool) {
    let mut first = meddle;
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(size @ 1..) = from.read(&mut buffer).await {
        if first {
            assert_eq!(buffer[9..11], [3, 3], "a hello for TLS 1.2");
            buffer[10] = 2;
            buffer[2] = buffer[2].min(2);
            first = false;
        }
        if to.write_all(&buffer[..size]).await.is_err() {
            break;
        }
    }
    to.shutdown().await.ok();
}

#[tokio::test]
async fn p05_a_middlebox_cannot_roll_the_version_back() {
    let world = World::new();
    for from_client in [true, false] {
        let mut server = world.server().await;
        let between = middlebox(server.address, from_client).await;
        let ours = call(&world.connector(), between, HOST).await;
        assert!(ours.is_err(), "{ours:?}");
        let theirs = server.outcome().await;
        assert!(theirs.is_err(), "{theirs:?}");
    }
}

#[tokio::test]
async fn p02_p06_ssl_30_tls_10_and_tls_13_are_refused() {
    let mut server = World::new().server().await;
    for version in [0x0300, 0x0301] {
        let answer =
            ask(server.address, &ClientHello::new(version, &[0x002F, 0x0035, 0x000A]).bytes()).await.unwrap();
        assert!(matches!(answer, Answer::Alert(40 | 70) | Answer::Closed), "{version:04x}: {answer:?}");
        assert_eq!(server.outcome().await.unwrap_err().reason, Reason::ProtocolVersion);
    }
    let answer = ask(server.address, &tls13_hello(&[0x1301, 0x1302, 0x1303]).bytes()).await.unwrap();
    assert!(matches!(answer, Answer::Alert(70) | Answer::Closed), "{answer:?}");
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::ProtocolVersion);
}

#[tokio::test]
async fn p02_an_sslv2_hello_is_refused_with_a_reason_of_its_own() {
    let mut server = World::new().server().await;
    let answer = ask(server.address, &sslv2_hello()).await.unwrap();
    assert!(matches!(answer, Answer::Alert(_) | Answer::Closed), "{answer:?}");
    let refusal = server.outcome().await.unwrap_err();
    assert_eq!(refusal.to_string(), "sslv2_hello: the first bytes are a hello of SSL 2.0");
}

#[tokio::test]
async fn g07_p06_t12_a_stranger_with_another_version_gets_nothing() {
    let world = World::new();
    let mut server = world.server().await;
    assert_eq!(
        s_client(server.address, Some(&world.henb), &pinned("-tls1", "DEFAULT:@SECLEVEL=0")).await,
        ""
    );
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::ProtocolVersion);
    assert_eq!(s_client(server.address, Some(&world.henb), &["-tls1_3"]).await, "");
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::ProtocolVersion);
}

#[tokio::test]
async fn g07_p02_p06_t09_our_cell_refuses_a_server_with_an_old_version_and_does_not_come_back_lower() {
    let world = World::new();
    let connector = world.connector();
    for version in [0x0300_u16, 0x0301] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The agent comes again after a while; so does this one, twice.
        let server = tokio::spawn(async move {
            let offers = [old(&listener, version).await, old(&listener, version).await];
            (offers, listener)
        });
        for _ in 0..2 {
            let refusal = call(&connector, address, HOST).await.unwrap_err();
            assert_eq!(refusal.reason, Reason::ProtocolVersion);
        }
        let (offers, listener) = server.await.unwrap();
        assert_eq!(offers, [(0x0303, Some(21)); 2], "an alert, no second hello, and the same hello again");
        // A third connection would stand in the queue by now.
        let more = listener.into_std().unwrap().accept();
        assert_eq!(more.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "{version:04x}");
    }
}

/// Answers a hello with an old version: the version that was offered, and what came back.
async fn old(listener: &TcpListener, version: u16) -> (u16, Option<u8>) {
    let (mut tcp, _) = listener.accept().await.unwrap();
    let (offer, _) = ClientHello::read(&mut tcp).await.unwrap();
    let [high, low] = version.to_be_bytes();
    let hello = [&[2, 0, 0, 38, high, low][..], &[6; 32], &[0, 0, 0x2F, 0]].concat();
    tcp.write_all(&[&[22, high, low, 0, 42][..], &hello].concat()).await.unwrap();
    let mut rest = Vec::new();
    tcp.read_to_end(&mut rest).await.ok();
    (offer.version, rest.first().copied())
}

#[tokio::test]
async fn p04_t12_our_cell_gets_nothing_from_a_stranger_with_another_version() {
    let world = World::new();
    for option in ["-tls1", "-tls1_3"] {
        let stranger = s_server(&world.hems, &[option, "-cipher", "DEFAULT:@SECLEVEL=0"]).await;
        let refusal = call(&world.connector(), stranger.address, HOST).await.unwrap_err();
        assert!(matches!(refusal.reason, Reason::ProtocolVersion | Reason::PeerRefusesUs), "{refusal:?}");
    }
}

#[tokio::test]
async fn t09_a_fallback_is_refused() {
    let mut server = World::new().server().await;
    let answer =
        ask(server.address, &ClientHello::new(0x0302, &[0x002F, 0x0033, 0x5600]).bytes()).await.unwrap();
    assert_eq!(answer, Answer::Alert(86));
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::Fallback);
}

#[tokio::test]
async fn t09_p09_plain_http_on_the_tls_port_gets_no_http() {
    let mut server = World::new().server().await;
    for request in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"] {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.ok();
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        assert_eq!(server.outcome().await.unwrap_err().reason, Reason::PlainHttp);
    }
}

#[tokio::test]
async fn t08_no_session_can_be_kept() {
    let world = World::new();
    let mut server = world.server().await;
    let kept = world.file("session.pem");
    for version in ["-tls1_1", "-tls1_2"] {
        let [version, option, list] = pinned(version, "AES128-SHA:@SECLEVEL=0");
        let arguments = [version, option, list, "-sess_out", text(&kept)];
        assert!(s_client(server.address, Some(&world.henb), &arguments).await.contains("TLSv1"));
        assert!(!server.outcome().await.unwrap().evidence.resumed);
        assert!(!kept.exists(), "the server gave a session that can be resumed");
    }
}

#[tokio::test]
async fn t07_renegotiation_is_refused() {
    let world = World::new();
    let server = world.server().await;
    // Without -quiet a line that is "R" makes the stranger renegotiate before anything else is said.
    let heard = renegotiate(server.address, &world).await;
    assert!(heard.contains("RENEGOTIATING"), "{heard}");
    assert!(!heard.contains("TLS_RSA_WITH"), "{heard}");
}
