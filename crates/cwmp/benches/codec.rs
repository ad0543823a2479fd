//! How fast the codec is, against quick-xml's bare event loop over the same bytes in the same run.
//!
//! Prints one JSON line a figure: `{"id", "what", "measured", "unit"}`. Goals stand in
//! `xtask/goals.toml`; `./x bench codec` compares. Rounds are interleaved, figures are medians.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark measures time and prints it"
)]
#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a benchmark stops where it cannot go on"
)]

use std::{hint::black_box, time::Instant};

use cwmp::{
    DateTime, DeviceId, Envelope, EventCode, FromCpe, GetParameterValuesResponse, Header, Inform, Limits,
    ParameterValueStruct, Value, Version,
};
use quick_xml::{Reader, events::Event};

const ROUNDS: usize = 9;
/// Bytes that one loop of one round goes over.
const BYTES: usize = 12_000_000;

fn main() {
    measure("inform", "an Inform of 2 KB", &message(inform().into()));
    let parameter_list = parameters(2_000);
    let response = FromCpe::Response(GetParameterValuesResponse { parameter_list }.into());
    measure("values", "a GetParameterValuesResponse of 2,000 parameters", &envelope(response));
}

fn measure(id: &str, what: &str, text: &str) {
    let decode = || Envelope::<FromCpe>::decode(text.as_bytes(), &Limits::default()).unwrap();
    let message = decode().envelope;
    assert_eq!(message.encode(), text, "the loops work on the same bytes");
    eprintln!("{id}: {} bytes, {} events", text.len(), bare(text));
    let rounds: Vec<[f64; 3]> = (0..ROUNDS)
        .map(|_| [speed(text, || bare(text)), speed(text, decode), speed(text, || message.encode())])
        .collect();
    let column = |at: usize| rounds.iter().map(|round| round[at]).collect::<Vec<_>>();
    let ratio =
        |over: usize, under: usize| rounds.iter().map(|round| round[over] / round[under]).collect::<Vec<_>>();
    print(&format!("{id}_bare"), &format!("bare event loop over {what}"), &column(0), "MB/s");
    print(&format!("{id}_decode"), &format!("decoding {what}"), &column(1), "MB/s");
    print(&format!("{id}_encode"), &format!("encoding {what}"), &column(2), "MB/s");
    print(
        &format!("{id}_decode_ratio"),
        &format!("decoding against the bare loop, {what}"),
        &ratio(1, 0),
        "",
    );
    print(&format!("{id}_encode_ratio"), &format!("encoding against decoding, {what}"), &ratio(2, 1), "");
}

/// quick-xml's events, looked at by nobody.
fn bare(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut events = 0;
    while !matches!(black_box(reader.read_event().unwrap()), Event::Eof) {
        events += 1;
    }
    events
}

/// Megabytes a second of one loop.
fn speed<T>(text: &str, mut work: impl FnMut() -> T) -> f64 {
    let turns = (BYTES / text.len()).max(1);
    let began = Instant::now();
    (0..turns).for_each(|_| drop(black_box(work())));
    (turns * text.len()) as f64 / began.elapsed().as_secs_f64() / 1e6
}

fn print(id: &str, what: &str, figures: &[f64], unit: &str) {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (median, least, most) = (sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1]);
    println!(
        "{{\"id\":\"codec_{id}\",\"what\":\"{what}\",\"measured\":{median:.3},\"unit\":\"{unit}\",\"least\":{least:.3},\"most\":{most:.3}}}"
    );
}

fn message(inform: cwmp::AcsMethod) -> String {
    envelope(FromCpe::Call(inform))
}

fn envelope(body: FromCpe) -> String {
    Envelope { version: Version::V1_1, header: Header::with_id(Some("1".into())), body }.encode()
}

fn inform() -> Inform {
    Inform {
        device_id: DeviceId {
            manufacturer: "Example Cells".into(),
            oui: "00005E".into(),
            product_class: "SimulatedCell".into(),
            serial_number: "00005E005301".into(),
        },
        event: vec![EventCode::BOOT.into(), EventCode::VALUE_CHANGE.into()],
        max_envelopes: 1,
        current_time: DateTime("2026-11-23T10:00:00Z".into()),
        retry_count: 0,
        parameter_list: parameters(6),
    }
}

fn parameters(count: u32) -> Vec<ParameterValueStruct> {
    let name =
        |at| format!("Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList.LTECell.{at}.PhyCellID");
    (0..count).map(|at| ParameterValueStruct::new(name(at), Value::unsigned_int(at % 504))).collect()
}
