//! The one loop that reads a file and computes its SHA-256.

use sha2::{Digest, Sha256};

use crate::model::Failure;

use super::{ImageDigest, Source};

/// What one reading may hold in memory.
const BUFFER: usize = 64 * 1024;

/// Bytes that come one after another.
pub(crate) trait Read: Send {
    /// As [`Source::read`].
    fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Failure>> + Send;
}

impl<S: Source + ?Sized> Read for S {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        Source::read(self, buffer).await
    }
}

/// Size and SHA-256 of what is read, up to the end or to `most` bytes. `seen` is given the length of
/// each piece, and can end the reading.
///
/// # Errors
/// Reading failed, or what `seen` says.
pub(crate) async fn read_and_hash(
    from: &mut (impl Read + ?Sized),
    most: Option<u64>,
    mut seen: impl FnMut(usize) -> Result<(), Failure> + Send,
) -> Result<ImageDigest, Failure> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        let left = most.map_or(u64::MAX, |most| most.saturating_sub(size));
        let room = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        let count = match room {
            0 => 0,
            room => from.read(&mut buffer[..room]).await?,
        };
        if count == 0 {
            let sha256 = hasher.finalize().into();
            return Ok(ImageDigest { size, sha256 });
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
        seen(count)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, Step};

    /// Gives pieces of at most 3 bytes.
    struct Pieces(Vec<u8>);

    impl Read for Pieces {
        async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
            let count = buffer.len().min(3).min(self.0.len());
            for (to, byte) in buffer.iter_mut().zip(self.0.drain(..count)) {
                *to = byte;
            }
            Ok(count)
        }
    }

    #[tokio::test]
    async fn the_digest_is_that_of_the_bytes_up_to_the_end_or_the_limit() {
        for (most, size) in [
            (None, 10),
            (Some(11), 10),
            (Some(10), 10),
            (Some(7), 7),
            (Some(0), 0),
        ] {
            let mut pieces = Vec::new();
            let mut from = Pieces(b"0123456789".into());
            let read = read_and_hash(&mut from, most, |count| {
                pieces.push(count);
                Ok(())
            });
            let expected = ImageDigest {
                size,
                sha256: Sha256::digest(&b"0123456789"[..size as usize]).into(),
            };
            assert_eq!(read.await, Ok(expected));
            assert_eq!(pieces.iter().sum::<usize>() as u64, size);
            // Not a byte more was taken.
            assert_eq!(from.0.len() as u64, 10 - size);
        }
    }

    #[tokio::test]
    async fn whoever_watches_can_end_it() {
        let failure = Failure::new(Step::Read, Fault::Cancelled);
        let mut from = Pieces(vec![0; 10]);
        let read = read_and_hash(&mut from, None, |_| Err(failure.clone()));
        assert_eq!(read.await, Err(failure));
        assert_eq!(from.0.len(), 7);
    }
}
