//! A file as the body of a request: read while it is sent, so that no length of it is in memory.

use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    fs::File,
    io::{AsyncRead, ReadBuf},
};

/// What a request sends.
pub(super) type Sending = BoxBody<Bytes, io::Error>;

/// Bytes that are read at a time.
const PART: usize = 64 * 1024;

/// What is there already.
pub(super) fn whole(bytes: Bytes) -> Sending {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// A file, and how long it is. Of what is no file, such as a pipe, nobody knows that before its end.
pub(super) async fn of(path: &Path) -> io::Result<(Sending, u64)> {
    let file = File::open(path).await?;
    let metadata = file.metadata().await?;
    if metadata.is_file() {
        let left = metadata.len();
        return Ok((Content { file, left }.boxed(), left));
    }
    let bytes = tokio::fs::read(path).await?;
    let length = bytes.len() as u64;
    Ok((whole(bytes.into()), length))
}

/// A file and how much of it is still to come: what is added meanwhile is not sent.
struct Content {
    file: File,
    left: u64,
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut part = vec![0; PART.min(usize::try_from(self.left).unwrap_or(PART))];
        let mut buffer = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut self.file).poll_read(context, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        part.truncate(read);
        self.left -= read as u64;
        Poll::Ready(Some(Ok(Frame::data(part.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_goes_in_parts_and_as_long_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..=250).cycle().take(PART * 3 + 7).collect();
        std::fs::write(&path, &bytes).unwrap();
        let (mut body, length) = of(&path).await.unwrap();
        assert_eq!((length, body.size_hint().exact()), (bytes.len() as u64, Some(length)));
        let mut sent = Vec::new();
        while let Some(frame) = body.frame().await {
            let part = frame.unwrap().into_data().unwrap();
            assert!(part.len() <= PART, "{}", part.len());
            sent.extend(part);
        }
        assert!(sent == bytes);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_no_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let (body, _) = of(&path).await.unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(body.collect().await.is_err());
    }
}
