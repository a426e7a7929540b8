//! A file that comes in blocks, in windows of some of them (RFC 7440 section 4).

use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{ACK, DATA, ERROR, Line, OACK};
use crate::lab::storage::Refusal;
use crate::lab::upload::Upload;

/// From an acknowledgement without an answer to its repetition.
const AGAIN: Duration = Duration::from_secs(1);
/// It is repeated this number of times, then the client is given up.
const TIMES: u32 = 5;
const LARGEST_BLOCK: u64 = 1428;
const LARGEST_WINDOW: u64 = 64;

/// How the file comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreed {
    block_size: usize,
    /// Blocks for one acknowledgement.
    window: u64,
}

impl Agreed {
    /// What of the options is granted, and the packet that says so: none for a request without any.
    pub(super) fn of(options: &[(String, String)]) -> (Self, Option<Vec<u8>>) {
        let mut agreed = Self {
            block_size: 512,
            window: 1,
        };
        let mut packet = OACK.to_be_bytes().to_vec();
        for (name, value) in options {
            let Ok(value) = value.parse::<u64>() else {
                continue;
            };
            let granted = match &**name {
                "blksize" if value >= 8 => {
                    let size = value.min(LARGEST_BLOCK);
                    agreed.block_size = usize::try_from(size).unwrap_or(512);
                    size
                }
                "windowsize" if value > 0 => {
                    agreed.window = value.min(LARGEST_WINDOW);
                    agreed.window
                }
                "tsize" | "timeout" => value,
                _ => continue,
            };
            for word in [name, &granted.to_string()] {
                packet.extend_from_slice(word.as_bytes());
                packet.push(0);
            }
        }
        let has_options = packet.len() > OACK.to_be_bytes().len();
        (agreed, has_options.then_some(packet))
    }
}

/// The blocks of one file.
pub(super) struct Receiver<'a> {
    socket: &'a UdpSocket,
    agreed: Agreed,
    /// Blocks that are there.
    received: u64,
    /// Those of them that came since the last acknowledgement.
    unanswered: u64,
    /// What was sent last, and is repeated when nothing comes.
    last: Vec<u8>,
    packet: Vec<u8>,
}

impl<'a> Receiver<'a> {
    pub(super) fn new(socket: &'a UdpSocket, agreed: Agreed) -> Self {
        Self {
            socket,
            agreed,
            received: 0,
            unanswered: 0,
            last: Vec::new(),
            // One byte more than a block with its headers shows one that is too long.
            packet: vec![0; agreed.block_size + 5],
        }
    }

    /// Receives the file up to its last block, which is not acknowledged yet; `false`: the client is gone.
    pub(super) async fn receive(
        &mut self,
        line: &Line,
        mut upload: Upload,
        options: Option<Vec<u8>>,
    ) -> Result<bool, Refusal> {
        match options {
            Some(options) => self.send(options).await?,
            None => self.acknowledge().await?,
        }
        // The block before which something is missing was answered once: its repetition says nothing new.
        let mut asked_for = None;
        let mut silences = 0;
        loop {
            let length = match timeout(AGAIN, self.socket.recv(&mut self.packet)).await {
                Ok(Ok(length)) => length,
                // Nobody is there any more.
                Ok(Err(_)) => return Ok(false),
                Err(_) if silences == TIMES => return Ok(false),
                Err(_) => {
                    silences += 1;
                    self.socket.send(&self.last).await?;
                    continue;
                }
            };
            let Some((number, length)) = self.block(length) else {
                if self.packet.starts_with(&ERROR.to_be_bytes()) {
                    return Ok(false);
                }
                continue;
            };
            silences = 0;
            if number != wire_number(self.received + 1) {
                if asked_for != Some(self.received) {
                    asked_for = Some(self.received);
                    self.acknowledge().await?;
                }
                continue;
            }
            upload.take(line, &mut self.packet[4..4 + length]).await?;
            self.received += 1;
            self.unanswered += 1;
            if length < self.agreed.block_size {
                upload.end(line).await?;
                upload.finish().await;
                return Ok(true);
            }
            if self.unanswered == self.agreed.window {
                self.acknowledge().await?;
            }
        }
    }

    /// Number and length of the block that came.
    fn block(&self, length: usize) -> Option<(u16, usize)> {
        let (head, data) = self.packet[..length].split_first_chunk::<4>()?;
        let [kind_high, kind_low, high, low] = *head;
        let is_block = u16::from_be_bytes([kind_high, kind_low]) == DATA;
        (is_block && data.len() <= self.agreed.block_size)
            .then(|| (u16::from_be_bytes([high, low]), data.len()))
    }

    /// Acknowledges everything that is there.
    pub(super) async fn confirm(&mut self) -> io::Result<()> {
        self.acknowledge().await
    }

    /// Answers the last block again, should its acknowledgement be lost.
    pub(super) async fn linger(&mut self) {
        while let Ok(Ok(_)) = timeout(AGAIN, self.socket.recv(&mut self.packet)).await {
            if self.socket.send(&self.last).await.is_err() {
                return;
            }
        }
    }

    async fn acknowledge(&mut self) -> io::Result<()> {
        self.unanswered = 0;
        let [high, low] = wire_number(self.received).to_be_bytes();
        let [kind_high, kind_low] = ACK.to_be_bytes();
        self.send(vec![kind_high, kind_low, high, low]).await
    }

    async fn send(&mut self, packet: Vec<u8>) -> io::Result<()> {
        self.socket.send(&packet).await?;
        self.last = packet;
        Ok(())
    }
}

/// A block's number on the wire: 0 follows 65,535.
fn wire_number(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}
