//! What comes from other addresses than the entity's.

use socket2::{Domain, Socket, Type};

use super::*;
use crate::common::image;

/// Another address of this host. Only Linux has all of 127.0.0.0/8.
async fn from_elsewhere(to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    socket.connect(to).await.unwrap()
}

async fn asked_from_elsewhere(served: &Served, path: &str) -> String {
    let mut socket = from_elsewhere(served.address).await;
    let request = format!("GET {path} HTTP/1.1\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(LONG, socket.read_to_string(&mut answer))
        .await
        .unwrap();
    answer
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stranger_gets_nothing_and_a_device_at_another_address_is_found() {
    let served = Served::start(&image(1000), How::default()).await;
    let answer = asked_from_elsewhere(&served, "/x/image.bin").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(
        answer.contains("nothing is offered to 127.0.0.2"),
        "{answer}"
    );
    assert_eq!(served.seen(), []);
    let answer = asked_from_elsewhere(&served, &served.path).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(
        answer.contains("another address than 127.0.0.2"),
        "{answer}"
    );
    // What comes behind it is seen behind it.
    served.ask("HEAD PATH HTTP/1.1\r\n\r\n").await;
    assert_eq!(
        served.seen(),
        [Seen::FromElsewhere, Seen::Wanted(Wanted::Size)]
    );
    served.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_of_a_stranger_are_in_no_devices_way() {
    let image = image(3 << 20);
    let served = Served::start(&image, How::default()).await;
    let mut strangers = Vec::new();
    for _ in 0..1000 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into())
            .unwrap();
        if socket.connect(&served.address.into()).is_ok() {
            strangers.push(socket);
        }
    }
    assert!(strangers.len() > 900, "{}", strangers.len());
    let begun = std::time::Instant::now();
    let (head, body) = served.ask("GET PATH HTTP/1.1\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 200") && body == image, "{head}");
    // Less than it takes until a stranger's connection is closed for its silence.
    assert!(begun.elapsed() < std::time::Duration::from_secs(9));
    // All but a few are closed by now: those came before the device did.
    let is_open = |socket: &Socket| {
        socket.set_nonblocking(true).unwrap();
        let read = std::io::Read::read(&mut &*socket, &mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let open = strangers.iter().filter(|socket| is_open(socket)).count();
    assert!((1..=16).contains(&open), "{open} are open");
    drop(strangers);
    served.end().await;
}
