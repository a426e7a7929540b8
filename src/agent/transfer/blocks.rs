//! From a source that is open into the pool, up to the end of the source's file.

use std::time::Instant;

use sha2::Digest;
use tokio::task::yield_now;

use crate::agent::Writer;
use crate::agent::pace::Pace;
use crate::agent::trust::{Givers, with};
use crate::inspect::Chosen;
use crate::model::{Failure, Fault, Step};
use crate::transport::{Source, Transport};

use super::{Reading, Stop, TransferAgent};

/// Bytes that are added to the digest before others have their turn, where nobody waits for the block.
const AT_ONCE: usize = 32 * 1024;

impl<T: Transport> TransferAgent<T> {
    pub(super) async fn read_blocks(
        &self,
        chosen: &Chosen,
        source: &mut dyn Source,
        reading: &mut Reading,
        writer: &mut Writer,
        pace: &mut Pace,
    ) -> Result<(), Stop> {
        let giver = chosen.giver();
        // A source that does not report its size itself could go on for ever.
        let most = self.digests.size(self.image());
        let mut at_end = false;
        while !at_end {
            let buffer = match &mut reading.buffer {
                Some(buffer) => buffer,
                empty => {
                    let free = writer.free().await.map_err(|_| Stop::Abandoned)?;
                    empty.insert(free)
                }
            };
            while !buffer.is_full() {
                let asked = Instant::now();
                let count = tokio::select! {
                    biased;
                    count = source.read(buffer.spare()) => count,
                    () = writer.abandoned() => return Err(Stop::Abandoned),
                };
                let count = count.map_err(|failure| self.stopped(chosen, failure))?;
                if count == 0 {
                    at_end = true;
                    break;
                }
                buffer.advance(count);
                reading.position += count as u64;
                reading.givers = with(&reading.givers, &giver);
                self.count(count);
                if let Some(size) = most.filter(|most| reading.position > *most) {
                    return Err(self.too_long(&reading.givers, size));
                }
                (pace.brought(count, asked, Instant::now()))
                    .map_err(|fault| Stop::Failed(Failure::new(Step::Read, fault)))?;
            }
            self.publish(reading, writer).await?;
        }
        Ok(())
    }

    /// Hands the readers what was filled of the buffer.
    async fn publish(&self, reading: &mut Reading, writer: &mut Writer) -> Result<(), Stop> {
        let filled = reading.buffer.take().filter(|buffer| !buffer.is_empty());
        let Some(buffer) = filled else {
            return Ok(());
        };
        self.still_believed(&reading.givers)?;
        let begins = reading.position - buffer.len() as u64;
        self.digests.pass_by(begins, &reading.published);
        // An entity that answers each packet is answered by this thread too, within microseconds: a whole
        // block takes hundreds.
        for part in buffer.filled().chunks(AT_ONCE) {
            reading.published.digest.update(part);
            reading.published.sums.update(part);
            if writer.has_waited() {
                yield_now().await;
            }
        }
        reading.published.givers = reading.givers.clone();
        writer.publish(buffer);
        Ok(())
    }

    fn too_long(&self, givers: &Givers, size: u64) -> Stop {
        let failure = Failure::new(Step::Read, Fault::LongImage { size });
        let blamed = self.blame(givers, &failure.fault.to_string());
        blamed.unwrap_or(Stop::Failed(failure))
    }
}
