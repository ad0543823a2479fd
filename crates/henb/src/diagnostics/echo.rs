//! IPPing: ICMP echoes over a datagram socket, one after another. (TR-181, RFC 792, RFC 4443)
//!
//! The kernel gives the socket its identifier, reckons the checksum and hands over the answers to this socket alone. It
//! does so for groups in net.ipv4.ping_group_range; for others the diagnostic ends with Error_Internal, and the log says
//! what to set.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use nix::sys::socket::SockProtocol;
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until, timeout_at},
};

use super::{Failure, Outcome, Probe, socket};
use crate::tunnel::TunnelEnd;

/// From one echo to the next, as everybody's ping has it.
const EVERY: Duration = Duration::from_secs(1);

/// Type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;

/// Sends the echoes and counts the answers.
pub(crate) async fn ping(to: IpAddr, probe: &Probe, tunnel: Option<&TunnelEnd>) -> Result<Outcome, Failure> {
    let protocol = if to.is_ipv4() { SockProtocol::Icmp } else { SockProtocol::IcmpV6 };
    let end = SocketAddr::new(to, 0);
    let fd = socket::open(end, Some(protocol), probe, tunnel).map_err(explained)?;
    let socket = socket::connect(fd, end)?;
    let mut times = Vec::new();
    let mut next = Instant::now();
    for number in 0..probe.tries {
        sleep_until(next).await;
        next = Instant::now() + EVERY;
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        times.extend(echo(&socket, to, number, probe).await?);
    }
    Ok(Outcome { values: counted(&times, probe.tries), ..Outcome::default() })
}

fn explained(failure: Failure) -> Failure {
    let Failure::Internal(text) = failure else { return failure };
    let right = "net.ipv4.ping_group_range has to include henbd's group";
    Failure::Internal(format!("an ICMP socket: {text}; {right}"))
}

/// The time of one answer; nothing where none came.
async fn echo(
    socket: &UdpSocket,
    to: IpAddr,
    number: u16,
    probe: &Probe,
) -> Result<Option<Duration>, Failure> {
    let message = question(to.is_ipv4(), number, probe.bytes);
    let started = Instant::now();
    if let Err(error) = socket.send(&message).await {
        return if socket::is_no_route(&error) { Err(Failure::NoRoute(error.to_string())) } else { Ok(None) };
    }
    let mut answer = vec![0; message.len()];
    let answered = async {
        loop {
            let length = socket.recv(&mut answer).await?;
            if answer.get(..length).is_some_and(|answer| answers(answer, &message)) {
                return Ok::<_, io::Error>(started.elapsed());
            }
        }
    };
    Ok(timeout_at(started + probe.wait, answered).await.ok().and_then(Result::ok))
}

fn question(is_v4: bool, number: u16, bytes: usize) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let kind = if is_v4 { 8 } else { 128 };
    let mut message = vec![kind, 0, 0, 0, 0, 0, high, low];
    message.resize(HEADER + bytes, b'h');
    message
}

/// An answer repeats the number and everything behind it.
fn answers(answer: &[u8], question: &[u8]) -> bool {
    let is_reply = matches!(answer.first(), Some(0 | 129));
    is_reply && answer.get(6..) == question.get(6..)
}

/// Whole milliseconds; what took less took one, as the model has it.
pub(super) fn milliseconds(time: Duration) -> u128 {
    time.as_micros().div_ceil(1000).max(1)
}

fn counted(times: &[Duration], tries: u32) -> Vec<(&'static str, String)> {
    let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let shown = |time: Option<Duration>| time.map_or(0, milliseconds).to_string();
    let average = times.iter().sum::<Duration>().checked_div(count);
    vec![
        ("SuccessCount", count.to_string()),
        ("FailureCount", tries.saturating_sub(count).to_string()),
        ("AverageResponseTime", shown(average)),
        ("MinimumResponseTime", shown(times.iter().min().copied())),
        ("MaximumResponseTime", shown(times.iter().max().copied())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c38_echoes_are_counted_as_the_model_has_it() {
        let of = |times: &[u64], tries| {
            let times: Vec<_> = times.iter().map(|time| Duration::from_micros(*time)).collect();
            counted(&times, tries).into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(of(&[], 3), ["0", "3", "0", "0", "0"]);
        assert_eq!(of(&[10, 2500, 4000], 4), ["3", "1", "3", "1", "4"]);
    }

    #[test]
    fn c38_only_an_answer_to_this_question_counts() {
        let question = question(true, 7, 4);
        assert_eq!(question, [8, 0, 0, 0, 0, 0, 0, 7, b'h', b'h', b'h', b'h']);
        let mut answer = question.clone();
        assert!(!answers(&answer, &question), "its own question");
        answer[0] = 0;
        (answer[4], answer[5]) = (3, 9);
        assert!(answers(&answer, &question), "the identifier is the kernel's");
        for (place, byte) in [(7, 8), (8, 0)] {
            let mut other = answer.clone();
            other[place] = byte;
            assert!(!answers(&other, &question));
        }
        assert!(!answers(&answer[..11], &question) && !answers(&[], &question));
    }
}
