//! What a hostile document costs: memory in proportion to its size, with a small factor.
//!
//! One test in a process of its own, so that the high-water mark is its own too.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::fs;

use cwmp::{AnyBody, Envelope, Limits};

/// The most memory that this process ever had, in bytes.
fn high_water() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A message of about `bytes` that makes as many of `piece` as fit between `before` and `after`.
fn message(bytes: usize, before: &str, piece: &str, after: &str) -> String {
    let names = "xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:c='urn:dslforum-org:cwmp-1-0'";
    let pieces = piece.repeat(bytes / piece.len());
    format!("<s:Envelope {names}><s:Body>{before}{pieces}{after}</s:Body></s:Envelope>")
}

#[test]
fn s12_a_hostile_document_costs_memory_in_proportion_to_its_size() {
    const BYTES: usize = 16 << 20;
    let list = "<c:GetParameterValuesResponse><ParameterList>";
    let end = "</ParameterList></c:GetParameterValuesResponse>";
    let parameter = "<ParameterValueStruct><Name/><Value/></ParameterValueStruct>";
    let escaped = "<ParameterValueStruct><Name>&amp;</Name><Value>&lt;</Value></ParameterValueStruct>";
    let key = ("<c:Reboot><CommandKey>", "&#65;", "</CommandKey></c:Reboot>");
    let names =
        ("<c:GetParameterValues><ParameterNames>", "<string/>", "</ParameterNames></c:GetParameterValues>");
    let cases = [(list, parameter, end), (list, escaped, end), key, names];
    for (before, piece, after) in cases {
        let text = message(BYTES, before, piece, after);
        let (start, size) = (high_water(), text.len());
        let outcome = Envelope::<AnyBody>::decode(text, &Limits::default());
        let cost = high_water().saturating_sub(start);
        assert!(cost < 8 * size, "{piece}: {cost} bytes for {size}, {:?}", outcome.map(|_| ()));
    }
}
