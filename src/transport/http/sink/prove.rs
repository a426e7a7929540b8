//! Checking an entity's copy, and saying truthfully how it was checked (promise 4).

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::model::{Failure, Fault, RemotePath, Step, Verified, VerifyMode};
use crate::transport::prove::{by_size, same_content};
use crate::transport::read_and_hash::read_and_hash;
use crate::transport::{How, ImageDigest, Proof, Seen, Sink};

use super::super::source::HttpSource;
use super::HttpSink;

impl HttpSink {
    /// Compares a file with the image, as thoroughly as `how` says.
    pub(super) async fn compared(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        let (reads, sizes) = match how {
            How::As(VerifyMode::None) => return Ok(Proof::Same(Verified::None)),
            How::As(VerifyMode::Best) => (true, true),
            How::As(VerifyMode::Quick | VerifyMode::Size) => (false, true),
            How::As(VerifyMode::Readback) | How::Content => (true, false),
        };
        if !self.has_files() {
            return Ok(match how {
                How::As(VerifyMode::Best | VerifyMode::Quick) => Proof::Same(Verified::None),
                _ => untold("what a form was sent to can't be asked for"),
            });
        }
        if reads {
            match self.by_reading(path, image).await? {
                Proof::Untold(_) if sizes => {}
                proof => return Ok(proof),
            }
        }
        match by_size(self, path, image.size).await? {
            Proof::Same(Verified::None) if how == How::As(VerifyMode::Size) => {
                Ok(untold("the entity does not tell the size of a file"))
            }
            proof => Ok(proof),
        }
    }

    async fn by_reading(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
    ) -> Result<Proof, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let response = self.ask(Step::Verify, Method::GET, path, headers).await?;
        let status = response.status();
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                let failure = self.refusal(Step::Verify, response).await;
                return Ok(match self.look(path).await? {
                    Seen::Absent => Proof::Missing(failure),
                    _ => Proof::Untold(failure),
                });
            }
            _ => {
                let failure = self.refusal(Step::Verify, response).await;
                return match failure.is_transient() {
                    true => Err(failure),
                    false => Ok(Proof::Untold(failure)),
                };
            }
        }
        let opened = HttpSource::opened(response, self.client.clone(), 0, None).await;
        let mut source = match opened {
            Ok(source) => source.at(Step::Verify),
            Err(failure) => {
                let failure = Failure {
                    step: Step::Verify,
                    ..failure
                };
                return Ok(Proof::Untold(failure));
            }
        };
        let most = Some(image.size.saturating_add(1));
        let read = read_and_hash(&mut source, most, |_| Ok(())).await?;
        Ok(match same_content(&read, image) {
            Ok(()) => Proof::Same(Verified::Readback),
            Err(failure) => Proof::Other(failure),
        })
    }
}

fn untold(reason: &str) -> Proof {
    let reason = reason.to_owned();
    Proof::Untold(Failure::new(Step::Verify, Fault::NotVerifiable { reason }))
}
