//! A connection, and one file at a time over it.

use crate::model::{Failure, Fault, RemotePath, Step};
use crate::transport::ssh::{Connection, Keys};
use crate::transport::{Endpoint, Remote};

use super::control::{fault_of_directory, fault_of_file, gives, header, refused, size_in, takes};
use super::exec::Exec;

/// A user's session on a server.
pub(super) struct Session {
    pub(super) connection: Connection,
    keys: Keys,
    pub(super) endpoint: Endpoint,
    /// The command that runs.
    pub(super) exec: Option<Exec>,
    /// A command was begun over this connection.
    is_used: bool,
}

impl Session {
    pub(super) async fn open(keys: &Keys, endpoint: &Endpoint) -> Result<Self, Failure> {
        Ok(Self {
            connection: Connection::open(keys, endpoint).await?,
            keys: keys.clone(),
            endpoint: endpoint.clone(),
            exec: None,
            is_used: false,
        })
    }

    async fn start(&mut self, command: &str) -> Result<(), Fault> {
        self.stop().await;
        let was_used = std::mem::replace(&mut self.is_used, true);
        let exec = Exec::start(&self.connection, &self.endpoint, command).await;
        let exec = match exec {
            // There are servers that carry out one command per connection.
            Err(Fault::Answer { .. } | Fault::Lost { .. }) if was_used => {
                let opened = Connection::open(&self.keys, &self.endpoint).await;
                let opened = opened.map_err(|failure| failure.fault)?;
                std::mem::replace(&mut self.connection, opened).end().await;
                Exec::start(&self.connection, &self.endpoint, command).await?
            }
            exec => exec?,
        };
        self.exec = Some(exec);
        Ok(())
    }

    /// Ends the command that runs, if one does.
    pub(super) async fn stop(&mut self) {
        if let Some(exec) = self.exec.take() {
            exec.stop().await;
        }
    }

    /// Runs the command that takes a file; nothing is written yet.
    pub(super) async fn begin_taking(&mut self, path: &RemotePath) -> Result<(), Fault> {
        let reply = self.endpoint.timeouts.reply;
        self.start(&takes(path.as_str())).await?;
        let Some(exec) = &mut self.exec else {
            return Err(ended());
        };
        let directory = |said| fault_of_directory(path.as_str(), said);
        exec.answer(
            &self.connection,
            "the request to take a file",
            reply,
            directory,
        )
        .await
    }

    /// Says which file comes.
    pub(super) async fn announce(&mut self, path: &RemotePath, size: u64) -> Result<(), Fault> {
        let reply = self.endpoint.timeouts.reply;
        let Some(exec) = &mut self.exec else {
            return Err(ended());
        };
        exec.ready(&self.connection).await?;
        exec.send(header(path.as_str(), size).into_bytes());
        let directory = |said| fault_of_directory(path.as_str(), said);
        exec.answer(&self.connection, "the header of the file", reply, directory)
            .await
    }

    /// Sends some bytes, and returns how many.
    pub(super) async fn send(&mut self, data: &[u8]) -> Result<(), Fault> {
        let Some(exec) = &mut self.exec else {
            return Err(ended());
        };
        exec.ready(&self.connection).await?;
        match exec.send_block(data) {
            true => Ok(()),
            false => Err(exec.ended(&self.connection)),
        }
    }

    pub(super) async fn ready(&mut self) -> Result<(), Fault> {
        match &mut self.exec {
            Some(exec) => exec.ready(&self.connection).await,
            None => Err(ended()),
        }
    }

    /// The file was sent: waits until the server says that it has stored it.
    pub(super) async fn confirm(&mut self) -> Result<(), Fault> {
        let confirm = self.endpoint.timeouts.confirm;
        self.send(&[0]).await?;
        let Some(exec) = &mut self.exec else {
            return Err(ended());
        };
        let confirmed = exec
            .answer(&self.connection, "the file", confirm, refused)
            .await;
        confirmed.map_err(|fault| match fault {
            Fault::NoReply { after, .. } => Fault::NotConfirmed { after },
            fault => fault,
        })?;
        exec.finish(&self.connection).await?;
        self.exec = None;
        Ok(())
    }

    /// Asks for a file: its size. Its bytes are not sent before [`Self::go_on`].
    pub(super) async fn begin_giving(&mut self, path: &RemotePath) -> Result<u64, Fault> {
        let reply = self.endpoint.timeouts.reply;
        self.start(&gives(path.as_str())).await?;
        let Some(exec) = &mut self.exec else {
            return Err(ended());
        };
        exec.send(vec![0]);
        let first = exec
            .byte(&self.connection, "the request for a file", reply)
            .await;
        let first = first.map_err(|fault| match fault {
            Fault::Lost { .. } if exec.gave_up() => refused("nothing, and its scp ended".into()),
            fault => fault,
        });
        match first? {
            b'C' => size_in(&format!("C{}", exec.line(&self.connection).await?)),
            first => Err(exec.refusal(&self.connection, first, fault_of_file).await),
        }
    }

    /// Lets the bytes come.
    pub(super) fn go_on(&mut self) {
        if let Some(exec) = &mut self.exec {
            exec.send(vec![0]);
        }
    }

    /// Takes some bytes of the file, of which `left` are still to come.
    pub(super) async fn read(&mut self, buffer: &mut [u8], left: u64) -> Result<usize, Fault> {
        let progress = self.endpoint.timeouts.progress;
        let Some(exec) = &mut self.exec else {
            return Err(ended());
        };
        let room = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        match exec.read(&mut buffer[..room], progress).await? {
            0 if room > 0 => Err(exec.ended(&self.connection)),
            count => Ok(count),
        }
    }

    /// All bytes have come: waits for the server to say that they were the file's. One that could not read
    /// it sends others in their place, and says so behind them.
    pub(super) async fn end_giving(&mut self) -> Result<(), Fault> {
        let reply = self.endpoint.timeouts.reply;
        let Some(mut exec) = self.exec.take() else {
            return Ok(());
        };
        let file = |said| Fault::NotReadable { reply: said };
        exec.answer(&self.connection, "the end of the file", reply, file)
            .await?;
        exec.send(vec![0]);
        exec.finish(&self.connection).await
    }

    /// Whether the command ended of its own accord, and called that a success.
    pub(super) fn gave_up(&self) -> bool {
        self.exec.as_ref().is_some_and(Exec::gave_up)
    }

    pub(super) async fn close(self) {
        let mut connection = self.connection;
        drop(self.exec);
        connection.end().await;
    }
}

/// The size of a file, over a session of its own.
pub(super) async fn size_of(keys: &Keys, remote: &Remote) -> Result<Option<u64>, Failure> {
    let mut session = Session::open(keys, &remote.endpoint).await?;
    let size = session.begin_giving(&remote.path).await;
    session.close().await;
    size.map(Some)
        .map_err(|fault| Failure::new(Step::Prepare, fault))
}

fn ended() -> Fault {
    Fault::Local("the file was already ended".into())
}
