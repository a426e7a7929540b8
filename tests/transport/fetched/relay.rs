//! A network between a client and a server over UDP that loses packets.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// One packet in this number is lost.
const LOSES: u32 = 100;

/// Which packets are lost, the same in each run.
struct Chance(u32);

impl Chance {
    fn loses(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.is_multiple_of(LOSES)
    }
}

/// Where clients ask instead of at `server`. Requests always arrive: when a client asks again is not what is tested.
pub(super) async fn relay(server: SocketAddr, tasks: &mut JoinSet<()>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tasks.spawn(async move {
        let mut sessions = JoinSet::new();
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((count, client)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            let request = buffer[..count].to_vec();
            sessions.spawn(session(server, client, request));
        }
    });
    address
}

async fn session(server: SocketAddr, client: SocketAddr, request: Vec<u8>) {
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    front.connect(client).await.unwrap();
    back.send_to(&request, server).await.unwrap();
    let mut chance = Chance(2463534242);
    let mut transfer = None;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok((count, from)) = back.recv_from(&mut down) => {
                transfer = Some(from);
                if !chance.loses() {
                    let _ = front.send(&down[..count]).await;
                }
            }
            Ok(count) = front.recv(&mut up) => {
                if let Some(transfer) = transfer.filter(|_| !chance.loses()) {
                    let _ = back.send_to(&up[..count], transfer).await;
                }
            }
            else => return,
        }
    }
}
