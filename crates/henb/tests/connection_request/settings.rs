//! Who opens and closes the listener: its owner, then the ACS.

use super::*;

#[tokio::test]
async fn r03_c18_the_acs_closes_the_port_and_opens_it_again_and_the_url_tells() {
    let world = tls(LOOPBACK).await;
    world.acs.script_once(vec![set(path::CONNECTION_REQUEST_ENABLE, false)]);
    let mut cell = start(&world).await;
    let (address, _) = place(&world);
    // The URL has changed, so the cell tells: with an empty one.
    world.acs.until(|acs| acs.informs().len() == 2).await;
    let told = world.acs.informs().pop().unwrap();
    assert_eq!((codes(&told), url(&told)), (vec![EventCode::VALUE_CHANGE], String::new()));
    cell.until(|status| status.sessions == 2).await;
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    cell.stop().await;
    world.acs.script_once(vec![set(path::CONNECTION_REQUEST_ENABLE, true)]);
    let mut cell = world.start();
    world.acs.until(|acs| acs.informs().len() == 4).await;
    assert_eq!(url(&world.acs.informs()[2]), "", "what the ACS set outlives a restart");
    cell.until(|status| status.sessions == 2).await;
    assert_eq!(ask(&world).await, 204);
    cell.stop().await;
}

#[tokio::test]
async fn c31_without_cwmp_nothing_listens() {
    let world = tls(LOOPBACK).await;
    world.acs.script_once(vec![set(path::ENABLE_CWMP, false)]);
    let cell = start(&world).await;
    let (address, _) = place(&world);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.acs.informs().len(), 1);
    cell.stop().await;
}

#[tokio::test]
async fn r04_an_acs_opens_no_port_on_a_cell_whose_owner_did_not_choose_it() {
    let world = World::new().await;
    world.acs.script_once(vec![set(path::CONNECTION_REQUEST_ENABLE, true)]);
    let cell = start(&world).await;
    assert_eq!(url(&world.acs.informs()[0]), "");
    let fault = world.acs.outcomes().remove(0).unwrap_err();
    assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE);
    assert!(fault.details[0].fault_string.contains("connection_request"), "{fault:?}");
    cell.stop().await;
}

#[tokio::test]
async fn c21_r03_a_factory_reset_and_a_reboot_leave_the_owners_choice() {
    for call in [FactoryReset {}.into(), Reboot { command_key: "again".into() }.into()] {
        let world = tls(LOOPBACK).await;
        world.acs.script_once(vec![call]);
        let mut cell = start(&world).await;
        cell.until(|status| status.sessions >= 2).await;
        assert_eq!(ask(&world).await, 204);
        cell.stop().await;
    }
}
