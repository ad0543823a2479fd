//! What a hostile document costs: memory in proportion to its size, with a small factor.
//!
//! The high-water mark of a process never falls: each document is read in a process of its own, which is this test
//! binary once more.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{env, fs, process::Command};

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

/// Reads a document of that many pieces, and says what it cost.
fn measure(before: &str, piece: &str, after: &str) {
    const BYTES: usize = 16 << 20;
    let text = message(BYTES, before, piece, after);
    let (start, size) = (high_water(), text.len());
    let outcome = Envelope::<AnyBody>::decode(text, &Limits::default());
    let cost = high_water().saturating_sub(start);
    assert!(cost < 8 * size, "{piece}: {cost} bytes for {size}, {:?}", outcome.map(|_| ()));
}

/// The documents: what stands before, between and after their many pieces.
macro_rules! documents {
    ($( $name:ident $before:literal $piece:literal $after:literal; )*) => {
        $( #[test] #[ignore = "runs in a process of its own, below"] fn $name() { measure($before, $piece, $after); } )*

        #[test]
        fn s12_a_hostile_document_costs_memory_in_proportion_to_its_size() {
            for document in [$( stringify!($name) ),*] {
                let mut alone = Command::new(env::current_exe().unwrap());
                let verdict = alone.args(["--ignored", "--exact", document]).output().unwrap();
                let said = String::from_utf8_lossy(&verdict.stdout);
                assert!(verdict.status.success() && said.contains("1 passed"), "{document}: {said}");
            }
        }
    };
}

documents! {
    parameters
        "<c:GetParameterValuesResponse><ParameterList>"
        "<ParameterValueStruct><Name/><Value/></ParameterValueStruct>"
        "</ParameterList></c:GetParameterValuesResponse>";
    entities
        "<c:GetParameterValuesResponse><ParameterList>"
        "<ParameterValueStruct><Name>&amp;</Name><Value>&lt;</Value></ParameterValueStruct>"
        "</ParameterList></c:GetParameterValuesResponse>";
    references "<c:Reboot><CommandKey>" "&#65;" "</CommandKey></c:Reboot>";
    names
        "<c:GetParameterValues><ParameterNames>"
        "<string/>"
        "</ParameterNames></c:GetParameterValues>";
}
