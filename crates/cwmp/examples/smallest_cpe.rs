//! The smallest CPE: informs an ACS that it booted, and answers what it is asked.
//!
//! `cargo run --example smallest_cpe -- 127.0.0.1:7557`, with `smallest_acs` listening there.
//! Plain TCP, for learning only: Hearth itself speaks CWMP over mutual TLS and nothing else.

#![expect(clippy::disallowed_types, clippy::print_stdout, reason = "an example does I/O")]

mod http;

use std::{
    env,
    error::Error,
    io::{BufReader, Write},
    net::TcpStream,
};

use cwmp::{
    CpeMethod, CpeResponse, DateTime, DeviceId, Envelope, EventCode, Fault, FaultCode, FromAcs,
    GetParameterValuesResponse, Inform, Limits, ParameterValueStruct, Value,
    session::cpe::{Demand, Session},
};

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7557".to_owned());
    let mut stream = TcpStream::connect(&address)?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let (mut session, mut post) = Session::open(inform(), Vec::new());
    loop {
        let body = post.encode();
        let soap = if body.is_empty() { "" } else { "Content-Type: text/xml\r\nSOAPAction:\r\n" };
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\n{soap}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let reply = Envelope::<FromAcs>::decode(http::read_body(&mut replies)?, &Limits::default())?.envelope;
        post = match session.receive(reply)?.demand {
            Demand::Post(post) => post,
            Demand::Execute(method) => session.respond(execute(&method)),
            Demand::Closed => break,
        };
    }
    println!("the session is over");
    Ok(())
}

fn inform() -> Inform {
    let device_id = DeviceId {
        manufacturer: "Example Cells".into(),
        oui: "00005E".into(),
        product_class: "Smallest".into(),
        serial_number: "1".into(),
    };
    let (event, current_time) = (vec![EventCode::BOOT.into()], DateTime::UNKNOWN);
    Inform { device_id, event, max_envelopes: 1, current_time, retry_count: 0, parameter_list: Vec::new() }
}

fn execute(method: &CpeMethod) -> Result<CpeResponse, Fault> {
    let CpeMethod::GetParameterValues(call) = method else {
        return Err(Fault::from(FaultCode::METHOD_NOT_SUPPORTED));
    };
    let value = |name: &cwmp::Text| ParameterValueStruct::new(name.clone(), Value::string("1.0"));
    Ok(GetParameterValuesResponse { parameter_list: call.parameter_names.iter().map(value).collect() }.into())
}
