//! FTP with curl, wget, lftp and busybox, and command by command.

use std::time::Duration;

use subtend::transport::serve::ftp::Ftp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::common::SOON;

struct Served {
    address: SocketAddr,
    name: String,
    agent: Agent,
    cancel: CancellationToken,
    over: oneshot::Receiver<()>,
    _tasks: JoinSet<()>,
}

async fn serve(agent: Agent) -> Served {
    let mut tasks = JoinSet::new();
    let (guard, name) = offer(&agent, &mut tasks);
    let ftp = Ftp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = ftp.address();
    let cancel = CancellationToken::new();
    let (done, over) = oneshot::channel();
    let serving = ftp.serve(guard, cancel.clone());
    tasks.spawn(async move {
        serving.await;
        let _ = done.send(());
    });
    Served {
        address,
        name,
        agent,
        cancel,
        over,
        _tasks: tasks,
    }
}

/// A program, and its arguments for an address and a name.
type Make = (&'static str, fn(SocketAddr, &str) -> Vec<String>);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn lftp(command: &str) -> Vec<String> {
    let settings = "set net:max-retries 2; set net:reconnect-interval-base 1; set net:timeout 5; \
                    set ftp:use-mdtm false; set xfer:clobber true";
    words(&["--norc", "-c", &format!("{settings}; {command}")])
}

const MAKES: [Make; 5] = [
    ("curl", |at, name| {
        words(&["-sS", "-o", "got", &format!("ftp://{at}/{name}")])
    }),
    ("wget", |at, name| {
        let url = format!("ftp://{at}/{name}");
        words(&["-q", "--tries=2", "--waitretry=0", "-O", "got", &url])
    }),
    ("lftp", |at, name| {
        lftp(&format!("get ftp://{at}/{name} -o got"))
    }),
    ("lftp", |at, name| {
        lftp(&format!("pget -n 4 ftp://{at}/{name} -o got"))
    }),
    ("busybox", |at, name| {
        let (host, port) = (at.ip().to_string(), at.port().to_string());
        words(&["ftpget", "-P", &port, &host, "got", name])
    }),
];

async fn run(client: &Client, arguments: &[String]) -> (bool, String) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    client.run(&arguments).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_fetched_as_they_are() {
    for length in [1, 513, 5_000_000] {
        for (program, arguments) in MAKES {
            let Some(client) = Client::of(program) else {
                continue;
            };
            let served = serve(Agent::of(image(length))).await;
            let arguments = arguments(served.address, &served.name);
            let (good, said) = run(&client, &arguments).await;
            assert!(good, "{arguments:?}: {said}");
            let got = client.got().unwrap_or_default();
            assert!(got == image(length), "{arguments:?}: {} bytes", got.len());
            assert!(served.agent.sent() > 0, "{arguments:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_a_file_is_fetched_from_where_it_broke_off() {
    let Some(client) = Client::of("curl") else {
        return;
    };
    let served = serve(Agent::of(image(300_000))).await;
    std::fs::write(client.dir.path().join("got"), &image(300_000)[..123_456]).unwrap();
    let url = format!("ftp://{}/{}", served.address, served.name);
    let (good, said) = client.run(&["-sS", "-C", "-", "-o", "got", &url]).await;
    assert!(good, "{said}");
    assert!(client.got().unwrap() == image(300_000));
    let from = Wanted::Bytes {
        from: 123_456,
        until: None,
    };
    assert!(served.agent.seen().contains(&from));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_takes_what_broke_off_for_whole() {
    for (program, arguments) in MAKES {
        let Some(client) = Client::of(program) else {
            continue;
        };
        let mut agent = Agent::of(image(300_000));
        agent.breaks_at = Some(100_000);
        let served = serve(agent).await;
        let arguments = arguments(served.address, &served.name);
        let (good, said) = run(&client, &arguments).await;
        let whole = client.got().is_some_and(|got| got.len() >= 300_000);
        assert!(!good || whole, "{arguments:?}: {said}");
        assert!(!said.contains("226"), "{arguments:?}: {said}");
    }
}

/// A client that sees what is answered.
struct Session {
    socket: BufReader<TcpStream>,
    ip: IpAddr,
}

impl Session {
    async fn open(from: &str, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        let mut session = Self {
            socket: BufReader::new(socket.connect(to).await.unwrap()),
            ip: to.ip(),
        };
        session.answer().await;
        session.say("USER anybody").await;
        session.say("PASS any").await;
        session
    }

    async fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            within(SOON, self.socket.read_line(&mut line))
                .await
                .unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    async fn say(&mut self, command: &str) -> String {
        let line = format!("{command}\r\n");
        self.socket.write_all(line.as_bytes()).await.unwrap();
        self.answer().await
    }

    async fn data(&mut self) -> TcpStream {
        let said = self.say("EPSV").await;
        let port = said.split('|').nth(3).unwrap().parse::<u16>().unwrap();
        TcpStream::connect((self.ip, port)).await.unwrap()
    }
}

#[tokio::test]
async fn nothing_but_reading_the_file_is_allowed() {
    let served = serve(Agent::of(image(1000))).await;
    let name = &served.name;
    let mut session = Session::open("127.0.0.1", served.address).await;
    assert!(
        session
            .say(&format!("SIZE {name}"))
            .await
            .starts_with("213 1000")
    );
    for (command, code) in [
        (format!("DELE {name}"), '5'),
        ("MKD x".into(), '5'),
        ("RMD x".into(), '5'),
        (format!("MDTM {name}"), '5'),
        ("SIZE x/y".into(), '5'),
        ("PORT 127,0,0,1,9,9".into(), '5'),
    ] {
        let said = session.say(&command).await;
        assert!(said.starts_with(code), "{command}: {said}");
    }
    if session.say(&format!("RNFR {name}")).await.starts_with('3') {
        assert!(session.say("RNTO x").await.starts_with('5'));
    }
    for command in [format!("STOR {name}"), "RETR x/y".into()] {
        let _data = session.data().await;
        session.say(&command).await;
        let said = session.answer().await;
        assert!(said.starts_with('5'), "{command}: {said}");
    }
    let mut data = session.data().await;
    session.say("NLST").await;
    let mut listed = String::new();
    within(SOON, data.read_to_string(&mut listed))
        .await
        .unwrap();
    assert_eq!(listed, "");
}

#[tokio::test]
async fn strangers_get_nothing_and_no_more_than_a_few_are_let_in() {
    let served = serve(Agent::of(image(1000))).await;
    let mut stranger = Session::open("127.0.0.2", served.address).await;
    let said = stranger.say(&format!("SIZE {}", served.name)).await;
    assert!(said.starts_with('5'), "{said}");
    let mut strangers = Vec::new();
    for _ in 0..100 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        strangers.push(socket.connect(served.address).await.unwrap());
    }
    let mut device = Session::open("127.0.0.1", served.address).await;
    let said = device.say(&format!("SIZE {}", served.name)).await;
    assert!(said.starts_with("213"), "{said}");
    assert_eq!(served.agent.seen(), [Wanted::Size]);
}

#[tokio::test]
async fn a_second_request_is_to_be_made_again_and_one_that_breaks_off_ends_with_426() {
    for (refuses, code) in [
        (Some(Refusal::Busy), "450"),
        (Some(Refusal::NotNow("no source".into())), "451"),
        (None, "426"),
    ] {
        let mut agent = Agent::of(image(1000));
        agent.refuses = refuses;
        agent.breaks_at = Some(10);
        let served = serve(agent).await;
        let mut session = Session::open("127.0.0.1", served.address).await;
        let _data = session.data().await;
        session.say(&format!("RETR {}", served.name)).await;
        let said = session.answer().await;
        assert!(said.starts_with(code), "{said}");
    }
}

#[tokio::test]
async fn when_serving_ends_connections_end_and_nothing_is_left() {
    let mut served = serve(Agent::of(image(20_000_000))).await;
    let mut session = Session::open("127.0.0.1", served.address).await;
    let _data = session.data().await;
    session.say(&format!("RETR {}", served.name)).await;
    served.cancel.cancel();
    within(Duration::from_secs(5), &mut served.over)
        .await
        .unwrap();
    drop(session);
    assert_eq!(served.agent.sent(), 0);
    assert!(TcpStream::connect(served.address).await.is_err());
}
