//! A device that takes files over TFTP as RFC 1350 and 7440 say, but for what a test has it do instead.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

/// What has come to the device.
#[derive(Debug, Clone)]
pub enum Came {
    /// The first request is 0.
    Request { nth: usize, options: Vec<String> },
    /// The first block is 0; blocks that come again count too.
    Data { nth: usize, number: u16 },
}

/// What the device does with it.
#[derive(Debug, Clone)]
pub enum Do {
    AsItShould,
    /// As if it was lost.
    Nothing,
    /// As if it came twice.
    Twice,
    /// Says this in place of an answer.
    Say(Vec<u8>),
    /// Does what it should, and keeps its answers back until something else has come.
    Late,
    /// Does what it should, and says this from another port.
    AndElsewhere(Vec<u8>),
    /// Is silent from now on.
    Dies,
}

/// How a device is made.
#[derive(Clone)]
pub struct Device {
    /// Of the options that are asked for, those that it grants, and as what. `None`: it knows no options.
    pub grants: Option<HashMap<&'static str, u64>>,
    /// The number after 65,535.
    pub after: u16,
}

impl Device {
    /// It knows no options.
    pub fn old() -> Self {
        Self {
            grants: None,
            after: 0,
        }
    }

    pub fn granting(options: &[(&'static str, u64)]) -> Self {
        Self {
            grants: Some(options.iter().copied().collect()),
            after: 0,
        }
    }

    pub async fn start(self, plan: impl FnMut(&Came) -> Do + Send + 'static) -> Running {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let log = Arc::<Mutex<Log>>::default();
        let task = Task {
            device: self,
            log: Arc::clone(&log),
            late: Vec::new(),
            is_dead: false,
            elsewhere: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        };
        Running {
            address,
            log,
            _task: AbortOnDropHandle::new(tokio::spawn(task.serve(socket, plan))),
        }
    }

    fn granted(&self, options: &[String]) -> Option<Vec<(String, u64)>> {
        let grants = self.grants.as_ref()?;
        let asked = options.chunks(2).map(|pair| &*pair[0]);
        let granted = asked.filter_map(|name| Some((name.to_owned(), *grants.get(name)?)));
        Some(granted.collect())
    }
}

/// What a device has seen.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Where from, and the path, the mode and the options.
    pub requests: Vec<(SocketAddr, Vec<String>)>,
    pub numbers: Vec<u16>,
    /// Codes of errors, and whether they came to the port of the transfer.
    pub errors: Vec<(u16, bool)>,
    pub file: Vec<u8>,
    pub is_whole: bool,
}

pub struct Running {
    pub address: SocketAddr,
    log: Arc<Mutex<Log>>,
    _task: AbortOnDropHandle<()>,
}

impl Running {
    pub fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has seen this.
    pub async fn until(&self, seen: impl Fn(&Log) -> bool) -> Log {
        loop {
            let log = self.log();
            if seen(&log) {
                return log;
            }
            tokio::task::yield_now().await;
        }
    }
}

pub fn ack(number: u16) -> Vec<u8> {
    [[0, 4], number.to_be_bytes()].concat()
}

pub fn error(code: u8, text: &str) -> Vec<u8> {
    [&[0, 5, 0, code], text.as_bytes(), &[0]].concat()
}

pub fn oack(options: &[(&str, &str)]) -> Vec<u8> {
    let words = options.iter().flat_map(|(name, value)| [name, value]);
    let words = words.flat_map(|word| [word.as_bytes(), &[0]].concat());
    [0, 6].into_iter().chain(words).collect()
}

struct Task {
    device: Device,
    log: Arc<Mutex<Log>>,
    late: Vec<Vec<u8>>,
    is_dead: bool,
    elsewhere: UdpSocket,
}

/// One transfer.
struct Session {
    socket: UdpSocket,
    client: SocketAddr,
    block_size: usize,
    window: u64,
    have: u64,
    since: u64,
    first_answer: Vec<u8>,
}

impl Task {
    async fn serve(mut self, socket: UdpSocket, mut plan: impl FnMut(&Came) -> Do) {
        let mut session: Option<Session> = None;
        let (mut request, mut block) = (vec![0; 2048], vec![0; 2048]);
        loop {
            let other = async {
                match &session {
                    Some(session) => session.socket.recv_from(&mut block).await,
                    None => std::future::pending().await,
                }
            };
            let mut stray = vec![0; 64];
            tokio::select! {
                came = socket.recv_from(&mut request) => {
                    let (count, from) = came.unwrap();
                    self.request(&mut plan, &mut session, from, &request[..count]).await;
                }
                came = other => {
                    let (count, _) = came.unwrap();
                    if let Some(session) = &mut session {
                        self.data(&mut plan, session, &block[..count]).await;
                    }
                }
                came = self.elsewhere.recv_from(&mut stray) => {
                    came.unwrap();
                    self.log.lock().unwrap().errors.push((u16::from(stray[3]), false));
                }
            }
        }
    }

    async fn request(
        &mut self,
        plan: &mut impl FnMut(&Came) -> Do,
        session: &mut Option<Session>,
        from: SocketAddr,
        packet: &[u8],
    ) {
        assert_eq!(packet[..2], [0, 2], "not a request to write");
        let words = packet[2..packet.len() - 1].split(|byte| *byte == 0);
        let words: Vec<String> = words
            .map(|word| String::from_utf8(word.into()).unwrap())
            .collect();
        let nth = {
            let mut log = self.log.lock().unwrap();
            log.requests.push((from, words.clone()));
            log.requests.len() - 1
        };
        let options = words[2..].to_vec();
        let came = Came::Request {
            nth,
            options: options.clone(),
        };
        let what = plan(&came);
        if self.is_dead || matches!(what, Do::Nothing) {
            return;
        }
        let granted = self
            .device
            .granted(&options)
            .filter(|granted| !granted.is_empty());
        let value = |name: &str, plain: u64| {
            let found = granted.iter().flatten().find(|(asked, _)| asked == name);
            found.map_or(plain, |(_, value)| *value)
        };
        let first_answer = match &granted {
            None => ack(0),
            Some(granted) => {
                let texts: Vec<(&str, String)> = (granted.iter())
                    .map(|(name, value)| (&**name, value.to_string()))
                    .collect();
                let pairs: Vec<(&str, &str)> = texts
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .collect();
                oack(&pairs)
            }
        };
        {
            let mut log = self.log.lock().unwrap();
            (log.file, log.is_whole) = (Vec::new(), false);
        }
        *session = Some(Session {
            socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            client: from,
            block_size: value("blksize", 512) as usize,
            window: value("windowsize", 1),
            have: 0,
            since: 0,
            first_answer: first_answer.clone(),
        });
        if let Some(session) = session {
            self.does(session, what, vec![first_answer]).await;
        }
    }

    async fn data(
        &mut self,
        plan: &mut impl FnMut(&Came) -> Do,
        session: &mut Session,
        packet: &[u8],
    ) {
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        if packet[1] == 5 {
            self.log.lock().unwrap().errors.push((number, true));
            return;
        }
        assert_eq!(packet[..2], [0, 3], "not a block");
        let nth = {
            let mut log = self.log.lock().unwrap();
            log.numbers.push(number);
            log.numbers.len() - 1
        };
        let what = plan(&Came::Data { nth, number });
        if self.is_dead || matches!(what, Do::Nothing) {
            return;
        }
        let mut answers = self.taken(session, number, &packet[4..]);
        if matches!(what, Do::Twice) {
            answers.extend(self.taken(session, number, &packet[4..]));
        }
        self.does(session, what, answers).await;
    }

    /// Takes a block: what it answers.
    fn taken(&self, session: &mut Session, number: u16, block: &[u8]) -> Vec<Vec<u8>> {
        let mut log = self.log.lock().unwrap();
        let next = self.number_of(session.have + 1);
        if !log.is_whole && number == next {
            assert!(block.len() <= session.block_size, "a block is too long");
            log.file.extend_from_slice(block);
            log.is_whole = block.len() < session.block_size;
            session.have += 1;
            session.since += 1;
            if !log.is_whole && session.since < session.window {
                return Vec::new();
            }
        }
        session.since = 0;
        vec![match session.have {
            0 => session.first_answer.clone(),
            have => ack(self.number_of(have)),
        }]
    }

    fn number_of(&self, block: u64) -> u16 {
        let after = u64::from(self.device.after);
        let number = match block {
            0..=65_535 => block,
            _ => (block - 65_536) % (65_536 - after) + after,
        };
        u16::try_from(number).unwrap()
    }

    async fn does(&mut self, session: &Session, what: Do, answers: Vec<Vec<u8>>) {
        let before = std::mem::take(&mut self.late);
        let says = match what {
            Do::Late => {
                self.late = answers;
                Vec::new()
            }
            Do::Say(words) => vec![words],
            Do::Dies => {
                self.is_dead = true;
                Vec::new()
            }
            Do::AndElsewhere(words) => {
                self.elsewhere
                    .send_to(&words, session.client)
                    .await
                    .unwrap();
                answers
            }
            Do::AsItShould | Do::Twice | Do::Nothing => answers,
        };
        for packet in before.into_iter().chain(says) {
            session
                .socket
                .send_to(&packet, session.client)
                .await
                .unwrap();
        }
    }
}
