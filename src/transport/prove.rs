//! What comparing an entity's copy with the image comes down to in every protocol.

use std::time::Duration;

use crate::model::{Failure, Fault, RemotePath, Step, Verified};

use super::digest::Algorithm;
use super::{ImageDigest, Proof, Seen, Sink};

/// Some entities report a file's size a moment after they have confirmed it.
const LATE_SIZE: Duration = Duration::from_secs(1);

/// Whether what was read back is the image.
///
/// # Errors
/// It has another size, or other bytes.
pub(super) fn same_content(read: &ImageDigest, image: &ImageDigest) -> Result<(), Failure> {
    let fault = if read.size != image.size {
        Fault::WrongSize {
            expected: image.size,
            actual: read.size,
        }
    } else if read.sha256 != image.sha256 {
        Fault::WrongDigest {
            algorithm: Algorithm::Sha256.name().into(),
            expected: hex::encode(image.sha256),
            actual: hex::encode(read.sha256),
        }
    } else {
        return Ok(());
    };
    Err(Failure::new(Step::Verify, fault))
}

/// Compares sizes alone. A wrong one is asked for again, a moment later.
pub(super) async fn by_size(
    sink: &mut (impl Sink + ?Sized),
    path: &RemotePath,
    expected: u64,
) -> Result<Proof, Failure> {
    let mut asked_before = false;
    loop {
        let actual = match sink.look(path).await? {
            Seen::Present { size: Some(size) } if size == expected => {
                return Ok(Proof::Same(Verified::Size));
            }
            Seen::Present { size: Some(size) } => size,
            Seen::Present { size: None } | Seen::Unknown => {
                return Ok(Proof::Same(Verified::None));
            }
            Seen::Absent => {
                let reply = "it is not where it was written".into();
                let missing = Failure::new(Step::Verify, Fault::NoFile { reply });
                return Ok(Proof::Missing(missing));
            }
        };
        if asked_before {
            let fault = Fault::WrongSize { expected, actual };
            return Ok(Proof::Other(Failure::new(Step::Verify, fault)));
        }
        asked_before = true;
        tokio::time::sleep(LATE_SIZE).await;
    }
}
