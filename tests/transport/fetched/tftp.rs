//! TFTP packet by packet, against a device that is a socket of the test.

use std::time::Duration;

use subtend::transport::serve::tftp::Tftp;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::common::SOON;

pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) name: String,
    pub(super) agent: Agent,
    cancel: CancellationToken,
    over: oneshot::Receiver<()>,
    pub(super) tasks: JoinSet<()>,
}

pub(super) async fn serve(agent: Agent) -> Served {
    let mut tasks = JoinSet::new();
    let (guard, name) = offer(&agent, &mut tasks);
    let tftp = Tftp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = tftp.address();
    let cancel = CancellationToken::new();
    let (done, over) = oneshot::channel();
    let serving = tftp.serve(guard, cancel.clone());
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
        tasks,
    }
}

fn request(kind: u8, name: &str, mode: &str, options: &[&str]) -> Vec<u8> {
    let mut packet = vec![0, kind];
    for word in [name, mode].iter().chain(options) {
        packet.extend_from_slice(word.as_bytes());
        packet.push(0);
    }
    packet
}

async fn socket(ip: &str) -> UdpSocket {
    UdpSocket::bind((ip, 0)).await.unwrap()
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (count, from) = within(SOON, socket.recv_from(&mut buffer)).await.unwrap();
    buffer.truncate(count);
    (buffer, from)
}

/// Its code and words.
fn error(packet: &[u8]) -> (u8, String) {
    let [0, 5, 0, code, text @ .., 0] = packet else {
        panic!("no error: {packet:?}");
    };
    (*code, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn each_request_that_gets_nothing_is_answered_with_an_error_of_its_own() {
    let mut agent = Agent::of(image(1000));
    agent.refuses = Some(Refusal::Busy);
    let served = serve(agent).await;
    let name = &served.name;
    for (ip, packet, code, words) in [
        (
            "127.0.0.1",
            request(1, name, "octet", &[]),
            0,
            "one request at a time",
        ),
        ("127.0.0.1", request(1, "x/y", "octet", &[]), 1, "not found"),
        ("127.0.0.1", request(1, name, "NetASCII", &[]), 0, "octet"),
        (
            "127.0.0.1",
            request(2, name, "octet", &[]),
            2,
            "access violation",
        ),
        (
            "127.0.0.2",
            request(1, name, "octet", &[]),
            2,
            "access violation",
        ),
        (
            "127.0.0.2",
            request(1, "x/y", "octet", &[]),
            2,
            "access violation",
        ),
        (
            "127.0.0.2",
            request(2, "x/y", "octet", &[]),
            2,
            "access violation",
        ),
    ] {
        let device = socket(ip).await;
        device.send_to(&packet, served.address).await.unwrap();
        let (answer, _) = receive(&device).await;
        let (said, text) = error(&answer);
        assert_eq!(said, code, "{packet:?}: {text}");
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(
        served.agent.seen().len(),
        1,
        "only what may be asked for is asked for"
    );
}

/// An error that was answered would be answered in turn, for ever.
#[tokio::test]
async fn what_is_no_request_is_not_answered() {
    let served = serve(Agent::of(image(1000))).await;
    let device = socket("127.0.0.1").await;
    let long = request(1, &"x".repeat(600), "octet", &[]);
    for packet in [&b""[..], b"\0\x01", b"\0\x05\0\0x\0", b"\0\x04\0\0", &long] {
        device.send_to(packet, served.address).await.unwrap();
    }
    let wrong = request(1, "x/y", "octet", &[]);
    device.send_to(&wrong, served.address).await.unwrap();
    let (answer, _) = receive(&device).await;
    assert_eq!(error(&answer).0, 1, "nothing else was answered before");
}

#[tokio::test]
async fn options_are_granted_and_all_blocks_of_a_window_come_before_an_answer() {
    let served = serve(Agent::of(image(100))).await;
    let device = socket("127.0.0.1").await;
    let options = [
        "blksize",
        "8",
        "windowsize",
        "3",
        "tsize",
        "0",
        "timeout",
        "9",
    ];
    let packet = request(1, &format!("/{}", served.name), "octet", &options);
    device.send_to(&packet, served.address).await.unwrap();
    let (granted, transfer) = receive(&device).await;
    assert_eq!(
        granted,
        b"\0\x06blksize\x008\0windowsize\x003\0tsize\x00100\0timeout\x009\0"
    );
    assert_ne!(transfer, served.address, "a transfer has a port of its own");
    let bytes = image(100);
    let mut acknowledged = 0_u8;
    loop {
        let ack = [0, 4, 0, acknowledged];
        device.send_to(&ack, transfer).await.unwrap();
        // Doubled on the way: nothing is sent twice for it.
        device.send_to(&ack, transfer).await.unwrap();
        for _ in 0..3 {
            if usize::from(acknowledged) * 8 > bytes.len() {
                break;
            }
            let (block, from) = receive(&device).await;
            acknowledged += 1;
            let begin = usize::from(acknowledged - 1) * 8;
            assert_eq!(from, transfer);
            assert_eq!(block[..4], [0, 3, 0, acknowledged]);
            assert_eq!(block[4..], bytes[begin..bytes.len().min(begin + 8)]);
        }
        if usize::from(acknowledged) * 8 > bytes.len() {
            break;
        }
    }
    assert_eq!(served.agent.sent(), 0, "the last block is not acknowledged");
    let last = [0, 4, 0, acknowledged];
    device.send_to(&last, transfer).await.unwrap();
    within(SOON, async {
        while served.agent.sent() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The source may take long to be opened.
#[tokio::test]
async fn a_request_that_is_sent_again_is_the_same_and_is_not_answered_before_the_agent_has() {
    let mut tasks = JoinSet::new();
    let offers = Offers::default();
    let mut offered = offers.offer(&"e1".into(), vec![device()], "a.bin");
    let tftp = Tftp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = tftp.address();
    tasks.spawn(tftp.serve(Guard::new(offers), CancellationToken::new()));
    let device = socket("127.0.0.1").await;
    let packet = request(1, &offered.name(), "octet", &[]);
    device.send_to(&packet, address).await.unwrap();
    let Some(Visit::Asked(asked)) = within(SOON, offered.visit()).await else {
        panic!("not asked");
    };
    for _ in 0..3 {
        device.send_to(&packet, address).await.unwrap();
    }
    // Answered after all that came before it.
    let wrong = socket("127.0.0.1").await;
    let no_such = request(1, "x/y", "octet", &[]);
    wrong.send_to(&no_such, address).await.unwrap();
    receive(&wrong).await;
    assert!(
        device.try_recv(&mut [0; 9]).is_err(),
        "nothing is said before the agent has"
    );
    let (giver, taken) = pieces();
    let answer = Answer {
        size: None,
        pieces: Some(taken),
    };
    asked.answer.send(Ok(answer)).unwrap();
    giver.give(Bytes::from_static(b"abc")).await.unwrap();
    let ending = giver.end();
    let taking = async {
        let (block, transfer) = receive(&device).await;
        assert_eq!(block, b"\0\x03\0\x01abc");
        // From another port, it is none of the transfer.
        wrong.send_to(&[0, 5, 0, 0, 0], transfer).await.unwrap();
        device.send_to(&[0, 4, 0, 1], transfer).await.unwrap();
    };
    let (ended, ()) = within(SOON, async { tokio::join!(ending, taking) }).await;
    assert_eq!(ended, Ok(()));
    let nothing = tokio::time::timeout(Duration::ZERO, offered.visit()).await;
    assert!(nothing.is_err(), "it was asked for once");
}

/// Time passes at once where nothing else is to be done.
#[tokio::test(start_paused = true)]
async fn a_device_that_falls_silent_is_given_up_after_everything_was_sent_again() {
    let mut tasks = JoinSet::new();
    let offers = Offers::default();
    let mut offered = offers.offer(&"e1".into(), vec![device()], "a.bin");
    let tftp = Tftp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = tftp.address();
    tasks.spawn(tftp.serve(Guard::new(offers), CancellationToken::new()));
    let device = socket("127.0.0.1").await;
    let packet = request(1, &offered.name(), "octet", &[]);
    device.send_to(&packet, address).await.unwrap();
    let Some(Visit::Asked(asked)) = offered.visit().await else {
        panic!("not asked");
    };
    let (giver, taken) = pieces();
    let answer = Answer {
        size: None,
        pieces: Some(taken),
    };
    asked.answer.send(Ok(answer)).unwrap();
    giver.give(Bytes::from_static(&[7; 600])).await.unwrap();
    let begun = tokio::time::Instant::now();
    giver.gone().await;
    let after = begun.elapsed();
    assert!(after >= Duration::from_secs(25), "{after:?}");
    assert!(after <= Duration::from_secs(40), "{after:?}");
    let mut came = 0;
    while device.try_recv(&mut [0; 600]).is_ok() {
        came += 1;
    }
    assert!((4..=8).contains(&came), "{came}");
}

#[tokio::test]
async fn a_device_that_is_gone_or_gives_up_is_given_up_at_once() {
    for says_so in [true, false] {
        let served = serve(Agent::of(image(5_000_000))).await;
        let device = socket("127.0.0.1").await;
        let packet = request(1, &served.name, "octet", &[]);
        device.send_to(&packet, served.address).await.unwrap();
        let (_, transfer) = receive(&device).await;
        assert_eq!(served.agent.serving.load(Ordering::SeqCst), 1);
        match says_so {
            true => drop(device.send_to(&[0, 5, 0, 3, b'x', 0], transfer).await),
            // The host says that the port is closed, when a block is sent again.
            false => drop(device),
        }
        within(SOON, async {
            while served.agent.serving.load(Ordering::SeqCst) > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(served.agent.sent(), 0);
    }
}

#[tokio::test]
async fn when_serving_ends_devices_are_let_know_and_nothing_is_left() {
    let mut served = serve(Agent::of(image(5_000_000))).await;
    let device = socket("127.0.0.1").await;
    let packet = request(1, &served.name, "octet", &[]);
    device.send_to(&packet, served.address).await.unwrap();
    receive(&device).await;
    served.cancel.cancel();
    within(SOON, &mut served.over).await.unwrap();
    let (said, _) = receive(&device).await;
    assert_eq!(error(&said).0, 0);
    UdpSocket::bind(served.address).await.unwrap();
}

#[tokio::test]
async fn a_thousand_requests_of_a_stranger_do_not_hinder_a_device() {
    let served = serve(Agent::of(image(1000))).await;
    let (stranger, device) = (socket("127.0.0.2").await, socket("127.0.0.1").await);
    let packet = request(1, &served.name, "octet", &[]);
    for _ in 0..1000 {
        stranger.send_to(&packet, served.address).await.unwrap();
        // The socket's buffer is the kernel's, and everybody's.
        tokio::task::yield_now().await;
    }
    device.send_to(&packet, served.address).await.unwrap();
    let (block, _) = receive(&device).await;
    assert_eq!(block[..4], [0, 3, 0, 1]);
    let (refused, _) = receive(&stranger).await;
    assert!(refused.len() <= packet.len(), "no more than it has sent");
}
