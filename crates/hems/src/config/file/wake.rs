//! What was typed about waking cells.

use super::super::reader::{At, Reader, Section};

/// `[wake]`: how cells are asked for a session at once, by Connection Requests. Default: they are not, but in mode `ipsec`
/// they are, through the tunnel.
#[derive(Clone, Debug)]
pub struct Wake {
    pub(crate) line: Option<usize>,
    /// The certificate chain with the wake role, PEM, leaf first, for the host of `cwmp.url`. Required outside mode
    /// `ipsec`, which has none.
    pub certificate: Option<At<String>>,
    /// Its private key, which no listener has: PEM, readable by its owner only, or a PKCS#11 URI.
    pub key: Option<At<String>>,
    /// Networks where cells may listen although they did not call from there or are not public, such as `10.45.0.0/16`.
    /// Default: none.
    pub networks: Vec<At<String>>,
    /// Connection Requests on their way at a time, of this node: 1 to 1000. Default: 32.
    pub at_once: u32,
    /// Connection Requests that this node sends in a second: 1 to 1000. Default: 20.
    pub per_second: u32,
    /// Seconds that one may take, from the connection to the answer: 1 to 60. Default: 15, more than a slow handshake.
    pub seconds: u32,
}

impl Wake {
    pub(super) fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "wake");
        let wake = Self {
            line: section.line(),
            certificate: reader.text(&mut section, "certificate"),
            key: reader.text(&mut section, "key"),
            networks: reader.some_texts(
                &mut section,
                "networks",
                "a list of networks such as \"10.45.0.0/16\"",
            ),
            at_once: reader.number(&mut section, "at_once", 1..1001, 32),
            per_second: reader.number(&mut section, "per_second", 1..1001, 20),
            seconds: reader.number(&mut section, "seconds", 1..61, 15),
        };
        reader.finish(section);
        wake
    }
}
