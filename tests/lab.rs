//! The practice network does what it says: it is what everything else is tested against.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use subtend::lab::{Behaviour, Lab, LabError, LabOptions, LabSettings, Pause};
use subtend::model::{CredentialsRef, Inventory, PeerChoice, SecretSource, SourceChoice};
use support::client::Client;
use support::{IMAGE, LONG, PATH, SERVER, behave, entity, lab, local, network, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MIB: u64 = 1 << 20;

fn address(lab: &Lab, entity: &str) -> String {
    lab.inventory().entity(entity).unwrap().address.to_string()
}

fn server_address(lab: &Lab) -> String {
    lab.inventory()
        .file_server(SERVER)
        .unwrap()
        .address
        .to_string()
}

/// A lab of one entity that behaves so, and the image.
async fn one(size: u64, behaviour: Behaviour) -> (Lab, Vec<u8>) {
    let (inventory, mut settings) = network(1, size);
    behave(&mut settings, "e001", behaviour);
    let lab = lab(&inventory, &settings).await;
    let image = lab.image_bytes(IMAGE, 0, size as usize).unwrap();
    (lab, image)
}

/// A lab whose file server behaves so, and the image.
async fn source(size: u64, behaviour: Behaviour) -> (Lab, Vec<u8>) {
    let (inventory, mut settings) = network(0, size);
    settings.file_servers.insert(SERVER.into(), behaviour);
    let lab = lab(&inventory, &settings).await;
    let image = lab.image_bytes(IMAGE, 0, size as usize).unwrap();
    (lab, image)
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out_byte_for_byte() {
    let (lab, image) = one(MIB + 17, Behaviour::default()).await;
    for byte in [b'\r', b'\n', 0, 0xff] {
        assert!(image.contains(&byte));
    }
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store("/flash/new", &image).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    let stored = lab.file("e001", "/flash/new").unwrap();
    assert!(stored.same_as_image(IMAGE));
    assert_eq!(stored.sha256(), lab.image_sha256(IMAGE).unwrap());
    assert!(stored.bytes() == image);

    let size = client.command("SIZE /flash/new").await.unwrap();
    assert_eq!(size, format!("213 {}", image.len()));
    let (bytes, reply) = client.retrieve("/flash/new", 0).await.unwrap();
    assert!(bytes == image && reply.starts_with("226"), "{reply}");
    let (bytes, _) = client.retrieve("/flash/new", 1000).await.unwrap();
    assert!(bytes == image[1000..]);
    let time = client.command("MDTM /flash/new").await.unwrap();
    assert!(time.starts_with("213 20"), "{time}");

    // Onto the old file, which was there before.
    assert_eq!(lab.files("e001"), [PATH, "/flash/new"]);
    let reply = client.command("RNFR /flash/new").await.unwrap();
    assert!(reply.starts_with("350"), "{reply}");
    let reply = client.command(&format!("RNTO {PATH}")).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(lab.files("e001"), [PATH]);
    assert!(lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
    let reply = client.command(&format!("DELE {PATH}")).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert!(lab.file("e001", PATH).is_none());
    let reply = client.command(&format!("SIZE {PATH}")).await.unwrap();
    assert!(reply.starts_with("550"), "{reply}");
    let reply = client.command("QUIT").await.unwrap();
    assert!(reply.starts_with("221"), "{reply}");
    assert!(client.closed().await);
    within(LONG, lab.stop()).await;
}

#[tokio::test]
async fn the_file_server_serves_its_images_and_counts_what_it_sends() {
    let (lab, image) = source(MIB, Behaviour::default()).await;
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let (bytes, reply) = client.retrieve("images/adsl-2.bin", 0).await.unwrap();
    assert!(bytes == image && reply.starts_with("226"), "{reply}");
    assert_eq!(lab.bytes_served(SERVER), MIB);
    let (rest, _) = client
        .retrieve("/images/adsl-2.bin", MIB - 5)
        .await
        .unwrap();
    assert!(rest == image[image.len() - 5..]);
    assert_eq!(lab.bytes_served(SERVER), MIB + 5);
    assert_eq!(lab.sessions(SERVER), 1);
}

#[tokio::test]
async fn passive_mode_announces_loopback() {
    let (lab, _) = one(MIB, Behaviour::default()).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.command("PASV").await.unwrap();
    assert!(
        reply.starts_with("227") && reply.contains("(127,0,0,1,"),
        "{reply}"
    );
}

#[tokio::test]
async fn an_entity_with_the_images_version_holds_the_image() {
    let (mut inventory, settings) = network(1, MIB);
    inventory.entities.push(Arc::new(entity("peer", "2")));
    let lab = lab(&inventory, &settings).await;
    assert!(lab.file("peer", PATH).unwrap().same_as_image(IMAGE));
    let old = lab.file("e001", PATH).unwrap();
    assert!(!old.same_as_image(IMAGE) && old.size() > 0);
}
