//! The command line of a lab's device, over a raw connection that speaks RFC 854.

use subtend::lab::{Lab, Over};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{LONG, behave, does, lab, network, within};

async fn one(words: &str) -> Lab {
    let (inventory, mut settings) = network(1, 1000);
    behave(&mut settings, "e001", does(words));
    lab(&inventory, &settings).await
}

/// What comes up to these words, with the offers of the server in it.
async fn until(client: &mut TcpStream, words: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).ends_with(words) {
            read.push(client.read_u8().await.unwrap());
        }
    };
    within(LONG, reading).await;
    String::from_utf8_lossy(&read).into_owned()
}

async fn says(client: &mut TcpStream, line: &str, words: &str) -> String {
    client
        .write_all(format!("{line}\r\n").as_bytes())
        .await
        .unwrap();
    until(client, words).await
}

async fn login(lab: &Lab, prompt: &str) -> TcpStream {
    let address = lab.command_line("e001", Over::Telnet).unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    until(&mut client, "login: ").await;
    says(&mut client, "craft", "Password: ").await;
    let shown = says(&mut client, "secret", prompt).await;
    assert!(!shown.contains("secret"), "{shown}");
    client
}

#[tokio::test]
async fn a_file_is_booted_by_command_and_what_is_no_image_leaves_the_old_version() {
    let lab = one("{ cli: { telnet: 0 } }").await;
    let mut client = login(&lab, "e001> ").await;
    let shown = says(&mut client, "show version", "e001> ").await;
    assert!(shown.contains("Version 1\r\n"), "{shown}");
    let shown = says(&mut client, "set boot nothing.bin", "e001> ").await;
    assert!(shown.contains("ERROR: no such file"), "{shown}");
    let shown = says(&mut client, "set boot image.bin", "e001> ").await;
    assert!(shown.contains("OK\r\n"), "{shown}");
    says(&mut client, "restart", "(y/n) ").await;
    says(&mut client, "y", "OK\r\n").await;
    let mut rest = Vec::new();
    let _ = within(LONG, client.read_to_end(&mut rest)).await;
    within(LONG, lab.until_booted("e001", 1)).await;
    within(LONG, lab.until_serving("e001")).await;
    let state = lab.machine("e001").unwrap();
    assert_eq!(state.version, "1");
    assert_eq!(state.ran["set boot image.bin"], 1);
    assert_eq!(state.ran["restart"], 1);
    assert!(state.holds_bootable_image);
    login(&lab, "e001> ").await;
}
