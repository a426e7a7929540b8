//! Calls into the file system, each with a deadline.
//!
//! A call into a share whose server is gone does not come back, and can't be taken back: its thread stays
//! behind. There are never more of those than [`MOST`]; a call that comes then waits for one of them, up to its
//! own deadline.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use crate::model::{Failure, Fault, Step};

/// Maximum number of threads in the file system at one time.
pub(super) const MOST: usize = 16;

#[derive(Debug, Clone)]
pub(super) struct Workers(Arc<Semaphore>);

impl Default for Workers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

/// A call on its way. Dropped, it ends by itself.
pub(super) type Call<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

impl Workers {
    /// Begins at once where there is a thread for it, else when it is waited for.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Call<T> {
        // Held until the file system comes back, whether anybody waits for it or not.
        let on = |permit: OwnedSemaphorePermit| {
            spawn_blocking(move || {
                let done = work();
                drop(permit);
                done
            })
        };
        match self.0.clone().try_acquire_owned() {
            Ok(permit) => {
                let call = on(permit);
                Box::pin(async move { call.await.map_err(lost) })
            }
            Err(_) => {
                let free = self.0.clone().acquire_owned();
                Box::pin(async move {
                    let permit = free.await.map_err(|_| gone())?;
                    on(permit).await.map_err(lost)
                })
            }
        }
    }

    /// What the work comes to within a time.
    ///
    /// # Errors
    /// The file system did not come back, or what the work says.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        step: Step,
        (command, after): (&str, Duration),
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Failure> {
        let done = timeout(after, self.begin(work)).await.unwrap_or_else(|_| {
            let command = command.to_owned();
            Err(Fault::NoReply { command, after })
        });
        done.flatten().map_err(|fault| Failure::new(step, fault))
    }
}

fn lost(error: JoinError) -> Fault {
    Fault::Local(format!("a call into the file system was lost: {error}"))
}

fn gone() -> Fault {
    Fault::Local("no file is read any more".into())
}
