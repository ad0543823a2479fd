//! Whose certificate opens the listener, and what the listener is made of.

use super::*;

#[tokio::test]
async fn g01_r05_no_other_certificate_does_anything_but_count() {
    let world = tls(LOOPBACK).await;
    let (pki, room) = (world.pki(), world.room("others"));
    std::fs::create_dir(&room).unwrap();
    let mut cell = start(&world).await;
    let strangers = world.room("strangers");
    pki::init(&strangers).unwrap();
    let key = pki::Key::generate(2048).unwrap();
    let issue = |order: &pki::LeafOrder, name: &str| {
        operator(&pki).issue(order, &key).unwrap().write(&room, name, &key).unwrap()
    };
    let now = Timestamp::now();
    let day = SignedDuration::from_hours(24);
    let past = pki::Validity { not_before: now - day * 60, not_after: now - day };
    let wake = pki::LeafOrder::wake("localhost");
    let cases = [
        ("extended_key_usage", pki::issue_hems(&pki, "localhost").unwrap()),
        ("extended_key_usage", pki::issue_signer(&pki, "localhost").unwrap()),
        ("extended_key_usage", issue(&wake.clone().purposes(&[pki::Purpose::ClientAuth]), "client")),
        ("extended_key_usage", issue(&wake.clone().purposes(&[]), "silent")),
        ("unknown_issuer", pki::issue_henb(&pki, "00005e005301", "hnb.example", None).unwrap()),
        ("unknown_issuer", pki::issue_wake(&strangers, "localhost").unwrap()),
        ("wrong_name", issue(&pki::LeafOrder::wake("another.localhost"), "another")),
        ("certificate_expired", issue(&wake.clone().valid(past), "expired")),
        ("key_usage", issue(&wake.usages(&[pki::Usage::KeyEncipherment]), "usage")),
    ];
    let mut counts = std::collections::BTreeMap::new();
    let (_, path) = place(&world);
    for (reason, pair) in &cases {
        assert_eq!(curl(&world, Some(pair), &path, &[]).await, 0, "{}", pair.chain.display());
        let count = counts.entry(*reason).and_modify(|count| *count += 1).or_insert(1);
        refused(&mut cell, reason, *count).await;
    }
    assert_eq!(curl(&world, None, &path, &[]).await, 0);
    refused(&mut cell, "no_client_certificate", 1).await;
    let (address, path) = place(&world);
    plain(address, &format!("GET {path} HTTP/1.1\r\n\r\n")).await;
    refused(&mut cell, "plain_http", 1).await;
    let status = cell.status.borrow().clone();
    assert_eq!((status.sessions, status.connection_requests), (1, 0));
    cell.stop().await;
}

#[tokio::test]
async fn g01_the_listener_speaks_dhe_alone_and_its_key_never_decrypts() {
    let world = tls(LOOPBACK).await;
    let mut cell = start(&world).await;
    let (address, path) = place(&world);
    let pair = wake(&world);
    let speak = async |suite: &str| {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-no_ign_eof", "-tls1_2", "-cipher"])
            .arg(format!("{suite}:@SECLEVEL=0"))
            .arg("-connect")
            .arg(address.to_string())
            .arg("-cert")
            .arg(&pair.chain)
            .arg("-key")
            .arg(&pair.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = client.stdin.take().unwrap();
        // A client that was refused hears nothing any more.
        let _ = said.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await;
        let mut heard = String::new();
        client.stdout.take().unwrap().read_to_string(&mut heard).await.unwrap();
        drop(said);
        client.wait().await.unwrap();
        heard
    };
    for suite in ["AES128-SHA", "AES256-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"] {
        assert_eq!(speak(suite).await, "", "{suite}");
    }
    refused(&mut cell, "no_common_suite", 3).await;
    for suite in ["DHE-RSA-AES128-SHA", "DHE-RSA-AES256-SHA256"] {
        assert!(speak(suite).await.starts_with("HTTP/1.1 204"), "{suite}");
    }
    cell.until(|status| status.connection_requests == 2).await;
    cell.stop().await;
}

#[tokio::test]
async fn g01_the_wake_role_of_the_hems_before_counts_no_more_when_the_url_names_another() {
    let world = tls(LOOPBACK).await;
    let there = world.acs.url().replace("localhost", "another.localhost");
    let there = ParameterValueStruct::new(path::URL.to_owned(), Value::string(there));
    let call = SetParameterValues { parameter_list: vec![there], parameter_key: "move".into() };
    world.acs.script_once(vec![call.into()]);
    let mut cell = start(&world).await;
    cell.until(|status| status.failures == 1).await;
    assert_eq!(ask(&world).await, 0);
    refused(&mut cell, "wrong_name", 1).await;
    cell.stop().await;
}

#[tokio::test]
async fn a06_a_listener_takes_changed_files_and_keeps_the_old_ones_where_they_are_none() {
    let world = tls(LOOPBACK).await;
    let Some(Entrance::Tls(own)) = world.config.connection_request.as_ref().map(|request| &request.entrance)
    else {
        panic!()
    };
    let mut cell = start(&world).await;
    let good = std::fs::read(&own.chain).unwrap();
    std::fs::write(&own.chain, "no certificate").unwrap();
    assert_eq!(ask(&world).await, 204);
    cell.until(|status| status.sessions == 2).await;
    assert_eq!(ask(&world).await, 204, "the files were looked at before that session");
    cell.until(|status| status.sessions == 3).await;
    std::fs::write(&own.chain, good).unwrap();
    cell.stop().await;
}

#[tokio::test]
async fn a12_a_wake_certificate_that_was_revoked_is_refused() {
    let mut world = tls(LOOPBACK).await;
    let pair = wake(&world);
    let valid = pki::Validity::days(Timestamp::now(), 7);
    let reason = pki::RevocationReason::named("keyCompromise").unwrap();
    pki::revoke(&world.pki(), &pair.chain, reason, valid).unwrap();
    world.config.trust.crls = vec![world.pki().join("operator.crl.pem")];
    let mut cell = start(&world).await;
    assert_eq!(ask(&world).await, 0);
    refused(&mut cell, "certificate_revoked", 1).await;
    cell.stop().await;
}

#[tokio::test]
async fn g01_the_listener_has_a_key_of_its_own_and_is_the_same_cell_s() {
    let mut world = tls(LOOPBACK).await;
    let refusal = |world: &World, own: &KeyPair| {
        let mut config = world.config.clone();
        config.connection_request.as_mut().unwrap().entrance = Entrance::Tls(own.into());
        Agent::check(&config).unwrap_err()
    };
    let folder: PathBuf = world.room("");
    let cell = pki::issue_henb(&world.pki(), "00005e005301", "hnb.example", None).unwrap();
    let key = pki::Key::load(&cell.key).unwrap();
    let identity = profile::Identity::parse(IDENTITY).unwrap();
    let issued = manufacturer(&world).issue(&pki::LeafOrder::listener(&identity), &key);
    let same_key = issued.unwrap().write(&folder, "same", &key).unwrap();
    let DaemonError::Tls(shared @ ContextError::SharedKey { .. }) = refusal(&world, &same_key) else {
        panic!()
    };
    assert!(shared.to_string().contains("make another"), "{shared}");
    let another = pki::issue_listener(&world.pki(), "00005e005302", "hnb.example").unwrap();
    assert!(matches!(refusal(&world, &another), DaemonError::Tls(ContextError::Own { .. })));
    assert!(matches!(refusal(&world, &cell), DaemonError::Tls(ContextError::Own { .. })), "no server's");
    Agent::check(&world.config).unwrap();
    world.config.connection_request = None;
    Agent::check(&world.config).unwrap();
}

#[tokio::test]
async fn a19_the_end_of_the_listener_s_certificate_is_told_in_time() {
    let world = tls(LOOPBACK).await;
    let Some(Entrance::Tls(own)) = world.config.connection_request.as_ref().map(|request| &request.entrance)
    else {
        panic!()
    };
    let key = pki::Key::load(own.key.path().unwrap()).unwrap();
    let order = pki::LeafOrder::listener(&profile::Identity::parse(IDENTITY).unwrap());
    let order = order.valid(pki::Validity::days(Timestamp::now(), 7));
    let issued = manufacturer(&world).issue(&order, &key).unwrap();
    std::fs::write(&own.chain, issued.pem().unwrap()).unwrap();
    let cell = start(&world).await;
    cell.stop().await;
    assert!(world.state().alarms.has(Alarm::CertificateEnds));
}
