//! A server that takes one connection after another, and answers each as the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// How much of a request's body is read before the answer.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// This number of bytes.
    Bytes(usize),
    /// As many as `Content-Length` says.
    Announced,
    /// Up to the empty chunk.
    Chunked,
}

/// What is done on one connection.
#[derive(Debug, Clone)]
pub struct Turn {
    pub body: Body,
    pub answer: Vec<u8>,
    /// Afterwards the connection stays open, and nothing more is read.
    pub holds: bool,
}

impl Turn {
    pub fn says(answer: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Body::Announced,
            answer: answer.into(),
            holds: false,
        }
    }

    /// With a length, and these headers.
    pub fn file(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        Self::says([head.as_bytes(), body].concat())
    }

    pub fn reading(self, body: Body) -> Self {
        Self { body, ..self }
    }

    pub fn holding(self) -> Self {
        Self {
            holds: true,
            ..self
        }
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub struct Turns {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Turns {
    /// When the last one is answered it takes no more connections.
    pub async fn start(turns: Vec<Turn>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), turns)
    }

    pub fn on(listener: TcpListener, turns: Vec<Turn>) -> Self {
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let seen = Arc::clone(&asked);
        let serving = async move {
            let mut held = Vec::new();
            let mut listener = Some(listener).filter(|_| !turns.is_empty());
            let last = turns.len().saturating_sub(1);
            for (at, turn) in turns.into_iter().enumerate() {
                let accepted = listener.as_ref().unwrap().accept().await;
                let (mut stream, _) = accepted.unwrap();
                if at == last {
                    listener = None;
                }
                let request = read(&mut stream, turn.body).await;
                seen.lock().unwrap().push(request);
                // The client may have gone.
                let _ = stream.write_all(&turn.answer).await;
                if turn.holds {
                    held.push(stream);
                } else {
                    let _ = stream.shutdown().await;
                }
            }
            if !held.is_empty() {
                std::future::pending::<()>().await;
            }
        };
        Self {
            address,
            asked,
            _serving: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// The requests that came, one for each connection.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        let asked = self.asked();
        asked.iter().map(|one| one.line().to_owned()).collect()
    }
}

async fn read(stream: &mut TcpStream, body: Body) -> Asked {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let asked = Asked {
                head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
                body: bytes[end + 4..].to_vec(),
            };
            let wanted = match body {
                Body::Bytes(wanted) => Some(wanted),
                Body::Announced => {
                    let length = asked.header("content-length");
                    Some(length.map_or(0, |length| length.parse().unwrap()))
                }
                Body::Chunked => asked.body.ends_with(b"0\r\n\r\n").then_some(0),
            };
            if wanted.is_some_and(|wanted| asked.body.len() >= wanted) {
                return asked;
            }
        }
        match stream.read(&mut buffer).await.unwrap() {
            0 => {
                let head = String::from_utf8_lossy(&bytes).into_owned();
                return Asked {
                    head,
                    body: Vec::new(),
                };
            }
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
