//! The smallest ACS: takes one CPE, asks it one thing, and says what it heard.
//!
//! `cargo run --example smallest_acs -- 127.0.0.1:7557`, then `smallest_cpe` with the same address.
//! Plain TCP, for learning only: Hearth itself speaks CWMP over mutual TLS and nothing else.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "an example does I/O"
)]

mod http;

use std::{
    env,
    error::Error,
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use cwmp::{
    AcsMethod, Envelope, Fault, FaultCode, FromCpe, GetParameterValues, InformResponse, Limits,
    session::acs::{Demand, Session},
};

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7557".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let (stream, _) = listener.accept()?;
    serve(stream)
}

/// One session, on one connection.
fn serve(mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut posts = BufReader::new(stream.try_clone()?);
    let mut session = Session::new(Duration::from_secs(60), Instant::now());
    let mut asked = false;
    while !session.is_over() {
        let post = Envelope::<FromCpe>::decode(http::read_body(&mut posts)?, &Limits::default())?.envelope;
        let reply = match session.receive(post, Instant::now())? {
            Demand::Respond(AcsMethod::Inform(inform)) => {
                println!("{} informs: {}", inform.device_id.serial_number, inform.event.len());
                session.respond(Ok(InformResponse { max_envelopes: 1 }.into()))
            }
            Demand::Respond(_) => session.respond(Err(Fault::from(FaultCode::ACS_METHOD_NOT_SUPPORTED))),
            Demand::Choose { last: None } if !asked => {
                asked = true;
                let parameter_names = vec!["Device.DeviceInfo.SoftwareVersion".into()];
                session.call(GetParameterValues { parameter_names }.into())
            }
            Demand::Choose { last } => {
                println!("heard {last:?}");
                session.close()
            }
        };
        let body = reply.encode();
        let status = if body.is_empty() { "204 No Content" } else { "200 OK" };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}
