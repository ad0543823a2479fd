//! The bearer token of the API: made at the first start, kept in a file that only its owner can read.

use std::{
    fs::OpenOptions,
    hint::black_box,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{ServeError, hex};

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;

/// The token; it is never printed.
pub(crate) struct Token(String);

impl Token {
    /// Reads the token, or makes one.
    pub(crate) fn load(path: &Path) -> Result<Self, ServeError> {
        let state = |source| ServeError::State { path: path.to_owned(), source };
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().len() >= TOKEN_BYTES => Ok(Self(text.trim().to_owned())),
            Ok(_) => Err(state(io::Error::other("the token is too short; remove the file to get a new one"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(state(error)),
        }
    }

    fn make(path: &Path) -> Result<Self, ServeError> {
        let token = hex::random::<TOKEN_BYTES>().ok_or(ServeError::Randomness)?;
        let written =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
                file.write_all(format!("{token}\n").as_bytes()).and_then(|()| file.sync_all())
            });
        written.map_err(|source| ServeError::State { path: path.to_owned(), source })?;
        Ok(Self(token))
    }

    /// Whether a header's value is this token; the time it takes does not tell how much of it is right.
    pub(super) fn admits(&self, header: &[u8]) -> bool {
        let Some((scheme, offered)) = header.split_at_checked("Bearer ".len()) else { return false };
        let expected = self.0.as_bytes();
        let pairs = expected.iter().zip(offered);
        let difference = pairs.fold(0, |difference, (left, right)| black_box(difference | (left ^ right)));
        scheme.eq_ignore_ascii_case(b"Bearer ") && offered.len() == expected.len() && difference == 0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.token");
        let token = Token::load(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Token::load(&path).unwrap().0, token.0);
        let right = format!("Bearer {}", token.0);
        assert!(token.admits(right.as_bytes()));
        assert!(!token.admits(token.0.as_bytes()));
        assert!(!token.admits(b"Bearer "));
        assert!(!token.admits(format!("{right}0").as_bytes()));
        assert!(!token.admits(right.replace('a', "b").replace('1', "2").as_bytes()));
    }
}
