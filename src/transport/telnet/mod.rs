//! Telnet (RFC 854): the command line of a device in clear text, passwords included.

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::model::{Failure, Fault, Side, Step};

use super::terminal::Terminal;
use super::{Endpoint, tcp};

mod codec;

use codec::Codec;

/// Bytes that are taken at once.
const PIECE: usize = 4096;

/// A connection to a device.
pub(super) struct Telnet {
    stream: TcpStream,
    codec: Codec,
    /// Answers of the negotiation that are not sent yet.
    answers: Vec<u8>,
    reply: std::time::Duration,
}

impl Telnet {
    pub(super) async fn connect(endpoint: &Endpoint) -> Result<Self, Failure> {
        let address = &endpoint.address;
        let connected = tcp::connect(address, endpoint.timeouts.connect).await;
        let stream = connected.map_err(|fault| {
            let fault = match fault {
                Fault::Refused { address, .. } => Fault::Refused {
                    address,
                    server: "telnet",
                },
                // The address has the scheme of another protocol.
                Fault::ConnectTimeout { after, .. } => Fault::ConnectTimeout {
                    address: format!("{}:{}", address.host, address.port),
                    after,
                },
                fault => fault,
            };
            Failure::new(Step::Connect, fault)
        })?;
        Ok(Self {
            stream,
            codec: Codec::default(),
            answers: Vec::new(),
            reply: endpoint.timeouts.reply,
        })
    }

    async fn send_answers(&mut self) -> std::io::Result<()> {
        while !self.answers.is_empty() {
            let count = self.stream.write(&self.answers).await?;
            self.answers.drain(..count);
        }
        Ok(())
    }
}

fn lost(reason: &str) -> Failure {
    let fault = Fault::Lost {
        side: Side::Telnet,
        reason: reason.to_owned(),
    };
    Failure::new(Step::Command, fault)
}

#[async_trait]
impl Terminal for Telnet {
    async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        let mut piece = [0; PIECE];
        loop {
            let sent = self.send_answers().await;
            sent.map_err(|error| lost(&error.to_string()))?;
            let count = self.stream.read(&mut piece).await;
            let count = count.map_err(|error| lost(&error.to_string()))?;
            if count == 0 {
                return Ok(Vec::new());
            }
            let mut data = Vec::new();
            let decoded = self
                .codec
                .decode(&piece[..count], &mut data, &mut self.answers);
            decoded.map_err(|_| {
                let reply = "a subnegotiation of telnet without an end".into();
                Failure::new(Step::Command, Fault::Malformed { reply })
            })?;
            if !data.is_empty() {
                return Ok(data);
            }
        }
    }

    async fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        let (data, after) = (Codec::encode(data), self.reply);
        let writing = async {
            self.send_answers().await?;
            self.stream.write_all(&data).await
        };
        match timeout(after, writing).await {
            Ok(written) => written.map_err(|error| lost(&error.to_string())),
            Err(_) => Err(Failure::new(Step::Command, Fault::Stalled { after })),
        }
    }

    async fn close(mut self: Box<Self>) {
        // Only says that no more is sent.
        let _ = self.stream.shutdown().await;
    }
}
