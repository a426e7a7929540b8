//! The servers of other makes that tests deliver to do start, take files and give them back.

use crate::support::client::Client;
use crate::support::real::{MAKES, RealServer, require_or_skip};

#[tokio::test]
async fn several_real_servers_at_once_take_files_and_give_them_back() {
    let image: Vec<u8> = b"\r\n\0\xff\r\rx\n"
        .iter()
        .copied()
        .cycle()
        .take(300_001)
        .collect();
    for make in MAKES {
        if !require_or_skip(make) {
            continue;
        }
        let servers: Vec<_> = (0..8).map(|_| RealServer::start(make)).collect();
        for server in &servers {
            server.put("given.bin", &image);
            let mut client = Client::login_as(server.address, server.user, server.password)
                .await
                .unwrap();
            let reply = client.store("new.bin", &image).await.unwrap();
            assert!(reply.starts_with("226"), "{reply}");
            client.command("RNFR new.bin").await.unwrap();
            let reply = client.command("RNTO image.bin").await.unwrap();
            assert!(reply.starts_with("250"), "{reply}");
            assert!(server.file("image.bin").unwrap() == image);
            let (bytes, reply) = client.retrieve("given.bin", 0).await.unwrap();
            assert!(bytes == image && reply.starts_with("226"), "{reply}");
            let reply = client.command("DELE given.bin").await.unwrap();
            assert!(reply.starts_with("250"), "{reply}");
            assert_eq!(server.files(), ["image.bin"]);
        }
    }
}
