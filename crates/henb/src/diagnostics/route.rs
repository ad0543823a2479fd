//! TraceRoute: UDP packets that live one hop longer each, and what routers say of their end. (TR-181)
//!
//! The kernel keeps a router's ICMP message in the error queue of the socket that it is about, for everybody and without
//! rights (IP_RECVERR). Each packet has a socket of its own, so that a late answer is nobody else's.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    time::Duration,
};

use nix::{
    cmsg_space,
    libc::sock_extended_err,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg},
};
use tokio::{
    io::Interest,
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use super::{Failure, Outcome, Probe, echo::milliseconds, socket};
use crate::{device::Row, tunnel::TunnelEnd};

/// Where nobody listens, as everybody's traceroute has it.
const PORT: u16 = 33_434;

/// A router's answer to one packet.
struct Answer {
    from: IpAddr,
    code: u8,
    /// The packet died on its way, as it should; else this is the end of the way.
    is_on_the_way: bool,
    after: Duration,
}

/// Finds the way, hop by hop.
pub(crate) async fn trace(to: IpAddr, probe: &Probe, tunnel: Option<&TunnelEnd>) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    for hops in 1..=probe.most_hops {
        let mut answers = Vec::new();
        for number in 0..probe.tries {
            let port =
                PORT.saturating_add(u16::from(hops) * 4).saturating_add(u16::try_from(number).unwrap_or(0));
            answers.push(one(SocketAddr::new(to, port), hops, probe, tunnel).await?);
        }
        outcome.hops.push(row(&answers));
        let Some(last) = answers.iter().flatten().find(|answer| !answer.is_on_the_way) else { continue };
        if last.from == to {
            outcome.values = vec![("ResponseTime", milliseconds(last.after).to_string())];
        } else {
            outcome.failure = Some(Failure::NoRoute(format!("{} says so, code {}", last.from, last.code)));
        }
        return Ok(outcome);
    }
    outcome.failure = Some(Failure::MostHops);
    Ok(outcome)
}

fn row(answers: &[Option<Answer>]) -> Row {
    let time =
        |answer: &Option<Answer>| answer.as_ref().map_or(0, |answer| milliseconds(answer.after)).to_string();
    let times: Vec<String> = answers.iter().map(time).collect();
    let last = answers.iter().flatten().last();
    vec![
        ("Host", last.map(|answer| answer.from.to_string()).unwrap_or_default()),
        ("ErrorCode", last.map_or(0, |answer| answer.code).to_string()),
        ("RTTimes", times.join(",")),
    ]
}

/// Sends one packet; nothing where nobody answers.
async fn one(
    to: SocketAddr,
    hops: u8,
    probe: &Probe,
    tunnel: Option<&TunnelEnd>,
) -> Result<Option<Answer>, Failure> {
    let fd = socket::open(to, None, probe, tunnel)?;
    socket::hop(&fd, to.ip(), hops)?;
    let socket = socket::connect(fd, to)?;
    let started = Instant::now();
    if let Err(error) = socket.send(&vec![b'h'; probe.bytes]).await {
        return if socket::is_no_route(&error) { Err(Failure::NoRoute(error.to_string())) } else { Ok(None) };
    }
    let error = socket.async_io(Interest::ERROR, || queued(&socket));
    let Ok(Ok(Some((error, from)))) = timeout_at(started + probe.wait, error).await else { return Ok(None) };
    let exceeded = if to.is_ipv4() { 11 } else { 3 };
    let is_on_the_way = error.ee_type == exceeded;
    Ok(Some(Answer { from, code: error.ee_code, is_on_the_way, after: started.elapsed() }))
}

/// The first message of the error queue, and who sent it; nothing where it is the machine's own.
fn queued(socket: &UdpSocket) -> io::Result<Option<(sock_extended_err, IpAddr)>> {
    let mut space = cmsg_space!([u8; 128]);
    let mut content = [0; 1];
    let mut content = [IoSliceMut::new(&mut content)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut content, Some(&mut space), flags)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::Ipv4RecvErr(error, Some(from)) = control {
            return Ok(Some((error, IpAddr::from(u32::from_be(from.sin_addr.s_addr).to_be_bytes()))));
        }
        if let ControlMessageOwned::Ipv6RecvErr(error, Some(from)) = control {
            return Ok(Some((error, IpAddr::from(from.sin6_addr.s6_addr))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> Probe {
        let wait = Duration::from_millis(500);
        Probe { host: String::new(), tries: 2, wait, bytes: 38, dscp: 10, most_hops: 4 }
    }

    #[tokio::test]
    async fn c38_the_way_to_this_machine_is_one_hop() {
        for to in ["127.0.0.1", "::1"] {
            let outcome = trace(to.parse().unwrap(), &probe(), None).await.unwrap();
            assert_eq!((outcome.failure, outcome.hops.len()), (None, 1));
            let port_unreachable = if to == "::1" { "4" } else { "3" };
            let [host, error, (name, times)] = &outcome.hops[0][..] else { panic!("no row of three") };
            assert_eq!((host.1.as_str(), error.1.as_str(), *name), (to, port_unreachable, "RTTimes"));
            // How long it takes is the machine's affair, but a time there is.
            let times: Vec<u64> = times.split(',').map(|time| time.parse().unwrap()).collect();
            assert!(times.len() == 2 && times.iter().all(|time| (1..=500).contains(time)), "{times:?}");
        }
    }

    #[test]
    fn c38_a_silent_hop_has_a_row_of_noughts() {
        let values: Vec<String> = row(&[None, None]).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["", "0", "0,0"]);
    }
}
