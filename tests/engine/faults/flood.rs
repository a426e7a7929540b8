//! Servers that answer one command for ever.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is said without an end, and where.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    /// The verb that it answers; empty: it is the greeting.
    pub to: &'static str,
    pub first: &'static str,
    pub again: &'static str,
}

/// Every place at which a session begins to wait for a reply, by lines and in one line.
pub const FLOODS: [Flood; 10] = [
    flood("", "220-", "220-and another thing\r\n"),
    flood("", "220 ", "and another thing "),
    flood("", "120-", "120-and another thing\r\n"),
    flood("USER", "331-", " and another thing\r\n"),
    flood("PASS", "230-", " and another thing\r\n"),
    flood("FEAT", "211-", " AND ANOTHER THING\r\n"),
    flood("FEAT", "211-", "\r\n"),
    flood("TYPE", "200 ", "and another thing "),
    flood("RNFR", "350-", "350-and another thing\r\n"),
    flood("STOR", "150 ", "and another thing "),
];

const fn flood(to: &'static str, first: &'static str, again: &'static str) -> Flood {
    Flood { to, first, again }
}

pub struct FloodServer {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for FloodServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FloodServer {
    /// A server that sends a number of bytes of it, and then nothing more.
    pub async fn start(flood: Flood, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        connections.spawn(serve(accepted.unwrap().0, flood, most));
                    }
                    Some(ended) = connections.join_next() => ended.unwrap(),
                }
            }
        });
        Self { address, task }
    }
}

async fn serve(control: TcpStream, flood: Flood, most: usize) {
    // It ends when the client has left.
    let _ = talk(BufReader::new(control), flood, most).await;
}

async fn talk(mut control: BufReader<TcpStream>, flood: Flood, most: usize) -> std::io::Result<()> {
    let mut line = String::new();
    // Held so that data connections are taken.
    let mut data = None;
    if flood.to.is_empty() {
        return pour(&mut control, flood, most).await;
    }
    control.get_mut().write_all(b"220 ready\r\n").await?;
    loop {
        line.clear();
        if control.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.split(' ').next().unwrap_or_default().trim_end();
        if verb == flood.to {
            return pour(&mut control, flood, most).await;
        }
        let reply = match verb {
            "USER" => "331 password please".to_owned(),
            "PASS" => "230 welcome".to_owned(),
            "TYPE" => "200 as you like".to_owned(),
            "EPSV" => {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let port = listener.local_addr()?.port();
                data = Some(listener);
                format!("229 Entering Extended Passive Mode (|||{port}|)")
            }
            "RNFR" | "DELE" | "SIZE" => "550 no such file".to_owned(),
            _ => "502 never heard of it".to_owned(),
        };
        let reply = format!("{reply}\r\n");
        control.get_mut().write_all(reply.as_bytes()).await?;
        let _ = &data;
    }
}

async fn pour(
    control: &mut BufReader<TcpStream>,
    flood: Flood,
    most: usize,
) -> std::io::Result<()> {
    let socket = control.get_mut();
    socket.write_all(flood.first.as_bytes()).await?;
    let much = flood.again.repeat(16 * 1024 / flood.again.len());
    let mut left = most - flood.first.len();
    while left > 0 {
        let piece = &much.as_bytes()[..much.len().min(left)];
        socket.write_all(piece).await?;
        left -= piece.len();
    }
    // Until the client leaves.
    while control.read_line(&mut String::new()).await? > 0 {}
    Ok(())
}
