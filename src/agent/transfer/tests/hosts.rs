//! Hosts with one file each, which give it in all ways in which sources do.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Probe, Side, Step};
use crate::transport::{Compared, Destination, Directory, Listed, Remote, Sink, Source, Transport};

pub(super) const SIZE: usize = 1000;
/// Where a source breaks off, and how much one reading brings.
pub(super) const BREAKS: usize = 500;
pub(super) const BRINGS: usize = 37;
pub(super) const BLOCK: usize = 64;

/// What a source is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Like {
    Good,
    Refuses,
    /// Once, and then it is gone.
    Breaks,
    WrongAtFirst,
    /// Behind the byte at which others break off.
    WrongAtLast,
    Longer,
    /// Whatever is read of it, after one reading.
    Slow,
}

pub(super) const ALL: [Like; 7] = [
    Like::Good,
    Like::Refuses,
    Like::Breaks,
    Like::WrongAtFirst,
    Like::WrongAtLast,
    Like::Longer,
    Like::Slow,
];

pub(super) fn image() -> Vec<u8> {
    (0..SIZE).map(|at| (at * 7 % 251) as u8).collect()
}

impl Like {
    pub(super) fn holds(self) -> Vec<u8> {
        let mut bytes = image();
        match self {
            Self::WrongAtFirst => bytes[3] ^= 1,
            Self::WrongAtLast => bytes[900] ^= 1,
            Self::Longer => bytes.extend([1, 2, 3, 4, 5]),
            _ => {}
        }
        bytes
    }

    pub(super) fn is_wrong(self) -> bool {
        self.holds() != image()
    }

    /// A word of what must be said of it where nothing could be delivered.
    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Good => &[],
            Self::Refuses => &["refused"],
            Self::Breaks => &["broke off", "refused"],
            Self::WrongAtFirst | Self::WrongAtLast => &["another image", "SHA-256"],
            Self::Longer => &["another image", "SHA-256", "bytes"],
            Self::Slow => &["`min_rate`"],
        }
    }
}

/// Hosts that are called as their sources are, `s0`, `s1` and so on.
pub(super) struct Hosts {
    pub(super) likes: Vec<Like>,
    pub(super) seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
pub(super) struct Seen {
    /// Those that broke off.
    gone: HashSet<usize>,
    /// Each reading that began, and at which byte.
    pub(super) opened: Vec<(usize, u64)>,
}

fn fault(text: &str) -> Failure {
    let (side, reason) = (Side::Data, text.to_owned());
    Failure::new(Step::Read, Fault::Lost { side, reason })
}

impl Hosts {
    fn number(remote: &Remote) -> usize {
        remote.endpoint.address.host[1..].parse().unwrap()
    }

    fn is_gone(&self, number: usize) -> bool {
        self.likes[number] == Like::Refuses || self.seen.lock().unwrap().gone.contains(&number)
    }
}

struct Reading {
    number: usize,
    like: Like,
    holds: Vec<u8>,
    at: usize,
    seen: Arc<Mutex<Seen>>,
    reads: u32,
}

#[async_trait]
impl Source for Reading {
    fn size(&self) -> Option<u64> {
        Some(self.holds.len() as u64)
    }

    fn modified(&self) -> Option<&str> {
        None
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        self.reads += 1;
        let mut end = self.holds.len();
        match self.like {
            Like::Breaks if self.at >= BREAKS => {
                self.seen.lock().unwrap().gone.insert(self.number);
                return Err(fault("broke off"));
            }
            Like::Breaks => end = BREAKS,
            Like::Slow if self.reads > 1 => {
                let (rate, least, after) = (1, 1024, std::time::Duration::from_secs(60));
                let fault = Fault::TooSlow { rate, least, after };
                return Err(Failure::new(Step::Read, fault));
            }
            _ => {}
        }
        let count = BRINGS.min(buffer.len()).min(end - self.at);
        buffer[..count].copy_from_slice(&self.holds[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }

    async fn close(self: Box<Self>) {}
}

#[async_trait]
impl Transport for Hosts {
    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        let number = Self::number(remote);
        self.seen.lock().unwrap().opened.push((number, offset));
        if self.is_gone(number) {
            return Err(fault("refused"));
        }
        Ok(Box::new(Reading {
            number,
            like: self.likes[number],
            holds: self.likes[number].holds(),
            at: usize::try_from(offset).unwrap(),
            seen: self.seen.clone(),
            reads: 0,
        }))
    }

    async fn open_sink(&self, _: &Destination) -> Result<Box<dyn Sink>, Failure> {
        unreachable!("nothing is written")
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        let number = Self::number(remote);
        match self.is_gone(number) {
            true => Err(fault("refused")),
            false => Ok(Some(self.likes[number].holds().len() as u64)),
        }
    }

    async fn probe(&self, _: &Destination, _: &CancellationToken) -> Result<Probe, Failure> {
        unreachable!("nobody asks")
    }

    async fn compare(&self, _: &Remote, _: [u8; 32]) -> Result<Compared, Failure> {
        unreachable!("nobody asks")
    }

    async fn list(&self, _: &Directory) -> Result<Vec<Listed>, Failure> {
        unreachable!("nobody asks")
    }
}
