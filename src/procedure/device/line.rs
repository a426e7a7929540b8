//! What is open to the command line of a device: a shell at its prompt, or a connection for one command.

use tokio_util::sync::CancellationToken;

use crate::model::Failure;
use crate::model::procedure::SessionSpec;
use crate::procedure::session::{self, Session};
use crate::transport::{Endpoint, RemoteCommand, Transport};

pub(super) enum Line {
    Shell(Session),
    Command(Box<dyn RemoteCommand>),
}

impl Line {
    /// # Errors
    /// The device can't be reached, lets nobody in, shows no prompt, or has no room for another.
    pub(super) async fn open(
        transport: &impl Transport,
        spec: &SessionSpec,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Self, Failure> {
        match &spec.prompt {
            Some(prompt) => {
                let prompt = prompt.regex();
                let opened = session::open(transport, spec.way, endpoint, prompt, cancel);
                opened.await.map(Self::Shell)
            }
            None => (transport.command(endpoint, cancel).await).map(Self::Command),
        }
    }

    /// Whether something can be sent there. A command is parted from when it has ended.
    pub(super) async fn is_ready(&mut self) -> bool {
        match self {
            Self::Shell(session) => session.is_ready().await,
            Self::Command(command) => tokio::select! {
                biased;
                () = command.gone() => false,
                // The runtime looks at its sockets before it comes back.
                () = tokio::task::yield_now() => true,
            },
        }
    }

    /// Waits until the device has ended it.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Shell(session) => session.gone().await,
            Self::Command(command) => command.gone().await,
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Shell(session) => session.close().await,
            Self::Command(command) => command.close().await,
        }
    }
}
