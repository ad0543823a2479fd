//! The time from a server inside the tunnel: one question, one answer. (RFC 4330 4 and 5, K-03)
//!
//! The question carries a random number where its own time would stand (the server returns it, so that nobody can
//! answer who did not see the question), and the machine's clock is not told to anybody. The socket is bound to the
//! tunnel's address; without a tunnel nobody is asked. What comes back is only a proposal: the clock has bounds.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::timeout;

use crate::tunnel::TunnelEnd;

/// Where servers listen.
const PORT: u16 = 123;

/// How long one may think: within a tunnel an answer takes milliseconds, and a session may be due meanwhile.
const WAIT: Duration = Duration::from_secs(3);

/// A message without extensions.
const BYTES: usize = 48;

/// Version 4, client.
const QUESTION: u8 = 4 << 3 | 3;

/// From 1900, where NTP counts from, to 1970.
const TO_UNIX_S: i64 = 2_208_988_800;

/// The seconds of NTP begin anew so often.
const ERA_S: i64 = 1 << 32;

/// Why a server's answer is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NtpError {
    #[error("the tunnel or the server is away")]
    Io(#[from] io::Error),
    #[error("no answer within 3 seconds")]
    Wait,
    #[error("the answer is not to be used: {0}")]
    Answer(&'static str),
    #[error("no random number")]
    Random(#[from] getrandom::Error),
}

/// An address as Device.Time.NTPServer holds it; a name would have to be looked up outside of the tunnel first.
pub(crate) fn server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, PORT)))
}

/// Asks `server` through the tunnel; `near` says which era is meant.
pub(crate) async fn ask(
    server: SocketAddr,
    tunnel: &TunnelEnd,
    near: Timestamp,
) -> Result<Timestamp, NtpError> {
    let mut number = [0; 8];
    getrandom::fill(&mut number)?;
    let socket = tunnel.datagrams().await?;
    // A connected socket hears this one server only.
    socket.connect(server).await?;
    socket.send(&question(number)).await?;
    let mut answer = [0; BYTES + 1];
    let length = timeout(WAIT, socket.recv(&mut answer)).await.map_err(|_| NtpError::Wait)??;
    read(answer.get(..length).unwrap_or_default(), number, near).map_err(NtpError::Answer)
}

fn question(number: [u8; 8]) -> [u8; BYTES] {
    let mut message = [0; BYTES];
    if let Some(first) = message.first_mut() {
        *first = QUESTION;
    }
    if let Some(transmit) = message.last_chunk_mut() {
        *transmit = number;
    }
    message
}

/// The server's time in an answer to the question with this number.
fn read(message: &[u8], number: [u8; 8], near: Timestamp) -> Result<Timestamp, &'static str> {
    let message: &[u8; BYTES] = message.try_into().map_err(|_| "it has not 48 bytes")?;
    let [first, stratum, ..] = *message;
    if first & 0b111 != 4 || !(3..=4).contains(&(first >> 3 & 0b111)) {
        return Err("it is no server's answer of version 3 or 4");
    }
    if first >> 6 == 3 || !(1..=15).contains(&stratum) {
        return Err("the server does not know the time itself");
    }
    if message.get(24..32) != Some(number.as_slice()) {
        return Err("it answers another question");
    }
    let [s0, s1, s2, s3, f0, f1, f2, f3] = *message.last_chunk().unwrap_or(&[0; 8]);
    let (seconds, fraction) = (u32::from_be_bytes([s0, s1, s2, s3]), u32::from_be_bytes([f0, f1, f2, f3]));
    if (seconds, fraction) == (0, 0) {
        return Err("it has no time");
    }
    let nanoseconds = (u64::from(fraction) * 1_000_000_000) >> 32;
    let seconds = nearest_era(i64::from(seconds) - TO_UNIX_S, near.as_second());
    i32::try_from(nanoseconds)
        .ok()
        .and_then(|nanoseconds| Timestamp::new(seconds, nanoseconds).ok())
        .ok_or("its time is outside of the calendar")
}

/// The time of the era that is nearest to the cell's own clock. (RFC 4330 3)
fn nearest_era(seconds: i64, near: i64) -> i64 {
    seconds + (near - seconds + ERA_S / 2).div_euclid(ERA_S) * ERA_S
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    const NUMBER: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn answer(time: Timestamp) -> [u8; BYTES] {
        let mut message = [0; BYTES];
        (message[0], message[1]) = (4 << 3 | 4, 2);
        message[24..32].copy_from_slice(&NUMBER);
        let seconds = u32::try_from((time.as_second() + TO_UNIX_S).rem_euclid(ERA_S)).unwrap();
        message[40..44].copy_from_slice(&seconds.to_be_bytes());
        message[44..48].copy_from_slice(&0x8000_0000_u32.to_be_bytes());
        message
    }

    #[test]
    fn k03_an_answer_is_read_in_the_era_of_the_cell_s_clock() {
        for (time, near) in [
            ("2026-11-23T20:00:00Z", "2026-01-01T00:00:00Z"),
            ("2036-02-07T06:28:17Z", "2036-01-01T00:00:00Z"),
            ("2050-01-01T00:00:00Z", "2049-01-01T00:00:00Z"),
        ] {
            let read = read(&answer(at(time)), NUMBER, at(near)).unwrap();
            assert_eq!(read.duration_since(at(time)).as_millis(), 500, "{time}");
        }
    }

    #[test]
    fn k03_an_answer_that_is_none_gives_no_time() {
        let (good, near) = (answer(at("2026-11-23T20:00:00Z")), at("2026-01-01T00:00:00Z"));
        assert!(read(&good, NUMBER, near).is_ok());
        for (place, byte) in
            [(0, 4 << 3 | 3), (0, 4 << 3 | 5), (0, 0b11 << 6 | 4 << 3 | 4), (1, 0), (1, 16), (24, 9)]
        {
            let mut bad = good;
            bad[place] = byte;
            assert!(read(&bad, NUMBER, near).is_err(), "{place}: {byte}");
        }
        let mut empty = good;
        empty[40..].fill(0);
        for bad in [empty.as_slice(), &good[..47], &[], &[good.as_slice(), &[0]].concat()] {
            assert!(read(bad, NUMBER, near).is_err());
        }
    }

    #[test]
    fn k03_a_server_is_an_address() {
        assert_eq!(server("192.0.2.1"), "192.0.2.1:123".parse().ok());
        assert_eq!(server("[2001:db8::1]:1123"), "[2001:db8::1]:1123".parse().ok());
        assert_eq!((server("ntp.example"), server("")), (None, None));
    }

    #[tokio::test]
    async fn k03_who_did_not_see_the_question_cannot_answer_it() {
        let tunnel = TunnelEnd { address: "127.0.0.1".parse().unwrap(), interface: None };
        let honest = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let place = honest.local_addr().unwrap();
        let time = at("2026-11-23T20:00:00Z");
        for is_blind in [false, true] {
            let ask = ask(place, &tunnel, time);
            let serve = async {
                let mut question = [0; BYTES];
                let (_, from) = honest.recv_from(&mut question).await.unwrap();
                let mut message = answer(time);
                if !is_blind {
                    message[24..32].copy_from_slice(&question[40..]);
                }
                honest.send_to(&message, from).await.unwrap();
            };
            let (outcome, ()) = tokio::join!(ask, serve);
            assert_eq!(outcome.is_err(), is_blind, "{outcome:?}");
        }
    }
}
