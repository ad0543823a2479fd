//! Where a cell that no H(e)MS knows yet looks first: what a DHCP client was told. (TR-069 3.1, D-11, D-12)
//!
//! ```text
//!   DHCP client ─hook─▶ file: url=TEXT, option43=HEX, option125=HEX, option17=HEX ─▶ an https URL, or why there is none
//! ```
//!
//! Whoever stands in the cell's local network says what arrives here. So of all the options only the URL is read: it is
//! https in every mode, and the certificate of whoever answers there is held to the cell's anchors like any other. A
//! provisioning code and retry times would be believed on nobody's word, and are skipped.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use profile::{HemsUrl, TransportMode, UrlError};

/// Longest file: each of the three options at its longest, in hexadecimal with separators, has room.
const MOST_BYTES: u64 = 4096;

/// The Broadband Forum's enterprise number. (TR-069 3.1)
const BROADBAND_FORUM: u32 = 3561;

/// Why a file leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoveryError {
    /// The file.
    #[error("cannot read {path}")]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No hook of ours wrote that.
    #[error("{} is no regular file of at most {MOST_BYTES} bytes of text", .0.display())]
    File(PathBuf),
    /// Not the content of an option.
    #[error("{0} is not in hexadecimal")]
    Hex(&'static str),
    /// A length within the option that is longer than the option.
    #[error("a length in {0} is longer than what follows it")]
    Length(&'static str),
    /// The option speaks of other things.
    #[error("{0} has no URL of a H(e)MS in it")]
    NoUrl(&'static str),
    /// A URL that the cell does not call. (P-11)
    #[error("{name}: {error}")]
    Url {
        /// Where it stood.
        name: &'static str,
        /// Why not.
        error: UrlError,
    },
}

/// Finds the URL in what follows a name.
type Source = fn(&str) -> Result<Vec<u8>, DiscoveryError>;

/// What stands before the `=` of a line.
const SOURCES: [(&str, Source); 4] = [
    ("url", |text| Ok(text.as_bytes().to_vec())),
    ("option43", |text| encapsulated(&octets("option43", text)?)),
    ("option125", |text| of_vendor_v4(&octets("option125", text)?)),
    ("option17", |text| of_vendor_v6(&octets("option17", text)?)),
];

/// The URL that a DHCP client left; nothing where it has left nothing yet.
///
/// # Errors
/// Something is there, and no line of it gives a URL that may be called.
pub(crate) fn read(path: &Path) -> Result<Option<HemsUrl>, DiscoveryError> {
    let cannot = |source| DiscoveryError::Read { path: path.to_owned(), source };
    let wrong = || DiscoveryError::File(path.to_owned());
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() <= MOST_BYTES => {}
        Ok(_) => return Err(wrong()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    File::open(path).map_err(cannot)?.take(MOST_BYTES).read_to_end(&mut bytes).map_err(cannot)?;
    find(&String::from_utf8(bytes).map_err(|_| wrong())?)
}

/// The first URL in a file that may be called; else what is wrong with the first line that should have had one.
fn find(text: &str) -> Result<Option<HemsUrl>, DiscoveryError> {
    let mut first = None;
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let source = SOURCES.iter().find(|(known, _)| *known == name.trim());
        let Some((name, url)) = source.filter(|_| !value.trim().is_empty()) else { continue };
        match url(value.trim()).and_then(|url| check(name, &url)) {
            Ok(url) => return Ok(Some(url)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(None), Err)
}

/// Plain HTTP is nobody's to choose from the local network, not even where the mode knows it.
fn check(name: &'static str, url: &[u8]) -> Result<HemsUrl, DiscoveryError> {
    let refused = |error| DiscoveryError::Url { name, error };
    let text = str::from_utf8(url).map_err(|_| refused(UrlError::Character))?;
    // A last NUL is no part of it. (TR-069 3.1)
    let text = text.strip_suffix('\0').unwrap_or(text);
    HemsUrl::parse(text, TransportMode::Public).map_err(refused)
}

/// Hexadecimal as DHCP clients write it: `0a1b`, `0a:1b` or `0a 1b`.
fn octets(name: &'static str, text: &str) -> Result<Vec<u8>, DiscoveryError> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !b": -".contains(byte)).collect();
    let octet = |pair: &[u8]| match pair {
        [high, low] => {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(*high)? << 4 | digit(*low)?)
        }
        _ => None,
    };
    digits.chunks(2).map(|pair| octet(pair).ok_or(DiscoveryError::Hex(name))).collect()
}

/// DHCPv4 option 43: sub-option 1. (TR-069 3.1, RFC 2132 8.4)
fn encapsulated(option: &[u8]) -> Result<Vec<u8>, DiscoveryError> {
    let name = "option43";
    let mut rest = option;
    while let Some((code, after)) = rest.split_first() {
        rest = after;
        match code {
            0 => {}
            255 => break,
            _ => {
                let value = take(&mut rest, 1).ok_or(DiscoveryError::Length(name))?;
                if *code == 1 {
                    return Ok(value.to_vec());
                }
            }
        }
    }
    Err(DiscoveryError::NoUrl(name))
}

/// DHCPv4 option 125: sub-option 11 of the Broadband Forum's part. (TR-069 3.1, RFC 3925 4)
fn of_vendor_v4(option: &[u8]) -> Result<Vec<u8>, DiscoveryError> {
    let name = "option125";
    let mut rest = option;
    while !rest.is_empty() {
        let (vendor, mut part) =
            number(&mut rest, 4).zip(take(&mut rest, 1)).ok_or(DiscoveryError::Length(name))?;
        while vendor == BROADBAND_FORUM && !part.is_empty() {
            let (code, value) =
                number(&mut part, 1).zip(take(&mut part, 1)).ok_or(DiscoveryError::Length(name))?;
            if code == 11 {
                return Ok(value.to_vec());
            }
        }
    }
    Err(DiscoveryError::NoUrl(name))
}

/// DHCPv6 option 17: option 1 of the Broadband Forum. (TR-069 3.1, RFC 8415 21.17)
fn of_vendor_v6(option: &[u8]) -> Result<Vec<u8>, DiscoveryError> {
    let name = "option17";
    let mut rest = option;
    let vendor = number(&mut rest, 4).ok_or(DiscoveryError::Length(name))?;
    while vendor == BROADBAND_FORUM && !rest.is_empty() {
        let (code, value) =
            number(&mut rest, 2).zip(take(&mut rest, 2)).ok_or(DiscoveryError::Length(name))?;
        if code == 1 {
            return Ok(value.to_vec());
        }
    }
    Err(DiscoveryError::NoUrl(name))
}

/// A number of so many octets at the front.
fn number(rest: &mut &[u8], octets: usize) -> Option<u32> {
    let (front, after) = rest.split_at_checked(octets)?;
    *rest = after;
    Some(front.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
}

/// What follows a length of so many octets.
fn take<'o>(rest: &mut &'o [u8], octets: usize) -> Option<&'o [u8]> {
    let length = usize::try_from(number(rest, octets)?).ok()?;
    let (value, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://hems.example/cwmp";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn sub(code: u8, value: &[u8]) -> Vec<u8> {
        [&[code, value.len().try_into().unwrap()], value].concat()
    }

    fn v4(vendor: u32, part: &[u8]) -> Vec<u8> {
        [&vendor.to_be_bytes()[..], &[part.len().try_into().unwrap()], part].concat()
    }

    fn v6(vendor: u32, code: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap();
        [&vendor.to_be_bytes()[..], &code.to_be_bytes(), &length.to_be_bytes(), value].concat()
    }

    fn found(text: &str) -> String {
        match find(text) {
            Ok(url) => url.map_or_else(String::new, |url| url.to_string()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn d11_d12_the_url_is_found_in_each_option_and_the_rest_is_skipped() {
        let url = URL.as_bytes();
        let many = [sub(0, &[]), sub(2, b"shop"), sub(3, b"5"), sub(1, url), sub(255, &[])].concat();
        // Code 0 has no length: what `sub` wrote after it is another one.
        assert_eq!(found(&format!("option43={}", hex(&many))), URL);
        let part = [sub(12, b"shop"), sub(11, url), sub(13, b"5")].concat();
        let both = [v4(9, &sub(11, b"https://other.example/")), v4(BROADBAND_FORUM, &part)].concat();
        assert_eq!(found(&format!("lease=1\noption125 = {}\n", hex(&both).to_uppercase())), URL);
        assert_eq!(found(&format!("option17={}", hex(&v6(BROADBAND_FORUM, 1, url)))), URL);
        assert_eq!(found(&format!("url={URL}")), URL);
        let separated: Vec<String> = sub(1, url).iter().map(|byte| format!("{byte:02x}")).collect();
        for separator in [":", " ", "-"] {
            assert_eq!(found(&format!("option43={}", separated.join(separator))), URL);
        }
    }

    #[test]
    fn d12_a_nul_at_the_end_is_no_part_of_the_url() {
        let nul = [URL.as_bytes(), b"\0"].concat();
        assert_eq!(found(&format!("option43={}", hex(&sub(1, &nul)))), URL);
        for bad in [&b"https://hems.example\0.other.example/"[..], b"https://hems.example/\0\0", b"\0", b""] {
            assert!(find(&format!("option43={}", hex(&sub(1, bad)))).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn p11_d11_plain_http_passwords_and_what_is_no_url_lead_nowhere() {
        let bad: [&[u8]; 5] = [
            b"http://hems.example/",
            b"https://user:secret@hems.example/",
            b"ftp://hems.example/",
            b"https://hems.example/\nurl=https://other.example/",
            b"https://hems.example/\xff",
        ];
        for url in bad {
            assert!(matches!(
                find(&format!("option43={}", hex(&sub(1, url)))),
                Err(DiscoveryError::Url { name: "option43", .. })
            ));
        }
        assert!(found("url=http://hems.example/").contains("demands https"));
        let long = found(&format!("option17={}", hex(&v6(BROADBAND_FORUM, 1, &[b'a'; 300]))));
        assert_eq!(long, format!("option17: {}", UrlError::TooLong));
    }

    #[test]
    fn d12_lengths_that_lie_are_found_out_at_every_cut() {
        let url = URL.as_bytes();
        let options = [
            ("option43", sub(1, url)),
            ("option125", v4(BROADBAND_FORUM, &sub(11, url))),
            ("option17", v6(BROADBAND_FORUM, 1, url)),
        ];
        for (name, whole) in options {
            for cut in 1..whole.len() {
                let said = find(&format!("{name}={}", hex(&whole[..cut])));
                assert!(matches!(said, Err(DiscoveryError::Length(_) | DiscoveryError::NoUrl(_))), "{cut}");
            }
            assert!(matches!(find(&format!("{name}=0")), Err(DiscoveryError::Hex(_))));
            assert!(matches!(find(&format!("{name}=0g")), Err(DiscoveryError::Hex(_))));
        }
        // A part that is shorter than the sub-option in it does not reach into what follows.
        let mut inner = v4(BROADBAND_FORUM, &sub(11, url));
        inner[4] = 3;
        assert!(matches!(find(&format!("option125={}", hex(&inner))), Err(DiscoveryError::Length(_))));
        assert!(matches!(find("option17=00"), Err(DiscoveryError::Length(_))));
        assert!(matches!(find("option125=00000de90a"), Err(DiscoveryError::Length(_))));
    }

    #[test]
    fn d11_a_bad_line_does_not_hide_a_good_one_and_nothing_is_nothing() {
        assert_eq!(found(&format!("option43=01ff\nurl={URL}")), URL);
        assert_eq!(
            found("option43=01ff\nurl=nowhere"),
            "a length in option43 is longer than what follows it"
        );
        for nothing in ["", "\n\n", "option43=\nurl= \n", "option60=64736c", "hello"] {
            assert_eq!(found(nothing), "", "{nothing:?}");
        }
        assert_eq!(found("option43=0201ff"), "option43 has no URL of a H(e)MS in it");
    }

    #[test]
    fn d11_a_file_is_small_and_plain_or_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lease");
        assert!(matches!(read(&path), Ok(None)));
        assert!(matches!(read(folder.path()), Err(DiscoveryError::File(_))));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path), Err(DiscoveryError::File(_))));
        std::fs::write(&path, format!("url={URL}\n").repeat(200)).unwrap();
        assert!(matches!(read(&path), Err(DiscoveryError::File(_))));
        std::fs::write(&path, format!("url={URL}\n")).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().to_string(), URL);
    }
}
