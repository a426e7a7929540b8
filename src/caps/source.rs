//! A file that is read under the cap of its server.

use async_trait::async_trait;

use crate::model::Failure;
use crate::transport::Source;

use super::pacer::Pacer;

/// The time that is waited for the cap is time in which nothing is asked of the server.
pub(crate) struct CappedSource {
    source: Box<dyn Source>,
    pacer: Pacer,
}

impl CappedSource {
    pub(crate) fn boxed(source: Box<dyn Source>, pacer: Pacer) -> Box<dyn Source> {
        Box::new(Self { source, pacer })
    }
}

#[async_trait]
impl Source for CappedSource {
    fn size(&self) -> Option<u64> {
        self.source.size()
    }

    fn size_hint(&self) -> Option<u64> {
        self.source.size_hint()
    }

    fn modified(&self) -> Option<&str> {
        self.source.modified()
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let granted = self.pacer.grant(buffer.len()).await;
        let room = granted.min(buffer.len());
        let count = self.source.read(&mut buffer[..room]).await?;
        self.pacer.sent(count);
        Ok(count)
    }

    async fn close(self: Box<Self>) {
        self.source.close().await;
    }
}
