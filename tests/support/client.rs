//! An FTP client without opinions: sends lines, returns replies as they came, and hides nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Every wait of this client ends in an error after this.
const LIMIT: Duration = Duration::from_secs(30);

pub struct Client {
    control: BufReader<TcpStream>,
    pub greeting: String,
}

async fn limited<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(LIMIT, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Client {
    /// Connects and reads the greeting.
    pub async fn connect(address: impl ToString) -> io::Result<Self> {
        let address: SocketAddr = address.to_string().parse().map_err(io::Error::other)?;
        let control = BufReader::new(limited(TcpStream::connect(address)).await?);
        let mut client = Self {
            control,
            greeting: String::new(),
        };
        client.greeting = client.reply().await?;
        Ok(client)
    }

    /// Connects, logs in as anonymous, and asks for binary.
    pub async fn login(address: impl ToString) -> io::Result<Self> {
        Self::login_as(address, "anonymous", "x@").await
    }

    pub async fn login_as(address: impl ToString, user: &str, password: &str) -> io::Result<Self> {
        let mut client = Self::connect(address).await?;
        client.command(&format!("USER {user}")).await?;
        let reply = client.command(&format!("PASS {password}")).await?;
        assert!(reply.starts_with("230"), "{reply}");
        client.command("TYPE I").await?;
        Ok(client)
    }

    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\r\n");
        limited(self.control.get_mut().write_all(line.as_bytes())).await
    }

    /// Sends a command and returns the whole reply.
    pub async fn command(&mut self, line: &str) -> io::Result<String> {
        self.send(line).await?;
        self.reply().await
    }

    /// The next reply, all its lines, without the last line's end.
    pub async fn reply(&mut self) -> io::Result<String> {
        let mut reply = String::new();
        let mut code = None;
        loop {
            let start = reply.len();
            if limited(self.control.read_line(&mut reply)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = &reply[start..];
            let first = code.get_or_insert_with(|| line[..3].to_owned());
            if line.starts_with(&*first) && line.as_bytes().get(3) != Some(&b'-') {
                return Ok(reply.trim_end().to_owned());
            }
        }
    }

    /// A data connection, by `EPSV`.
    pub async fn data(&mut self) -> io::Result<TcpStream> {
        let reply = self.command("EPSV").await?;
        let port = reply
            .split_once("(|||")
            .and_then(|(_, rest)| rest.split_once('|'))
            .and_then(|(port, _)| port.parse().ok())
            .ok_or_else(|| io::Error::other(reply.clone()))?;
        let mut address = self.control.get_ref().peer_addr()?;
        address.set_port(port);
        limited(TcpStream::connect(address)).await
    }

    /// Opens an upload: the data connection, after a positive preliminary reply.
    pub async fn open_store(&mut self, path: &str) -> io::Result<TcpStream> {
        let data = self.data().await?;
        let reply = self.command(&format!("STOR {path}")).await?;
        if reply.starts_with("150") || reply.starts_with("125") {
            Ok(data)
        } else {
            Err(io::Error::other(reply))
        }
    }

    /// Stores a file; the final reply, also where the data connection broke.
    pub async fn store(&mut self, path: &str, bytes: &[u8]) -> io::Result<String> {
        let mut data = self.open_store(path).await?;
        let _ = limited(data.write_all(bytes)).await;
        let _ = limited(data.shutdown()).await;
        self.reply().await
    }

    /// Opens a download, from an offset.
    pub async fn open_retrieve(&mut self, path: &str, offset: u64) -> io::Result<TcpStream> {
        let data = self.data().await?;
        if offset > 0 {
            let reply = self.command(&format!("REST {offset}")).await?;
            if !reply.starts_with("350") {
                return Err(io::Error::other(reply));
            }
        }
        let reply = self.command(&format!("RETR {path}")).await?;
        if reply.starts_with("150") || reply.starts_with("125") {
            Ok(data)
        } else {
            Err(io::Error::other(reply))
        }
    }

    /// Retrieves a file from an offset; what came, and the final reply.
    pub async fn retrieve(&mut self, path: &str, offset: u64) -> io::Result<(Vec<u8>, String)> {
        let mut data = self.open_retrieve(path, offset).await?;
        let mut bytes = Vec::new();
        let _ = limited(data.read_to_end(&mut bytes)).await;
        Ok((bytes, self.reply().await?))
    }

    /// Whether the server has closed or reset the control connection; waits for it.
    pub async fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match timeout(LIMIT, self.control.read_to_end(&mut rest)).await {
            Ok(Ok(_) | Err(_)) => true,
            Err(_) => false,
        }
    }
}
