//! The desk of a process: one for all groups with devices that fetch, open while any of them runs.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::model::Failure;
use crate::model::serve::Serve;

use super::Desk;

#[derive(Debug, Clone, Default)]
pub struct SharedDesk {
    serve: Serve,
    /// Taken while it is opened and closed, which others wait for.
    open: Arc<Mutex<Option<Arc<Desk>>>>,
}

impl SharedDesk {
    pub fn new(serve: Serve) -> Self {
        let open = Arc::default();
        Self { serve, open }
    }

    pub fn serve(&self) -> &Serve {
        &self.serve
    }

    /// Opens it, unless it is open. To be given back by [`Self::leave`].
    ///
    /// # Errors
    /// One of the addresses can't be listened at.
    pub async fn enter(&self) -> Result<Arc<Desk>, Failure> {
        let mut open = self.open.lock().await;
        if let Some(desk) = &*open {
            return Ok(desk.clone());
        }
        let desk = Arc::new(Desk::open(&self.serve).await?);
        Ok(open.insert(desk).clone())
    }

    /// Closes it when nobody else has it.
    pub async fn leave(&self, desk: Arc<Desk>) {
        drop(desk);
        let mut open = self.open.lock().await;
        match open.take().map(Arc::try_unwrap) {
            Some(Ok(last)) => last.close().await,
            Some(Err(used)) => *open = Some(used),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_open_for_as_long_as_anybody_has_it() {
        let shared = SharedDesk::new(Serve {
            http: Some(([127, 0, 0, 1], 0).into()),
            ..Serve::default()
        });
        let first = shared.enter().await.unwrap();
        let second = shared.enter().await.unwrap();
        let at = first.address(crate::model::serve::Over::Http).unwrap();
        assert_eq!(second.address(crate::model::serve::Over::Http), Some(at));
        shared.leave(first).await;
        tokio::net::TcpStream::connect(at).await.unwrap();
        shared.leave(second).await;
        let refused = tokio::net::TcpStream::connect(at).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
