//! A practice network in a program of one's own: two devices, one of which refuses renames.
//!
//!     cargo run --example practice
//!
//! Its servers are real FTP servers on free ports of loopback: what any client does to them can be
//! tried, and looked at afterwards.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, whose output is lines"
)]

use std::path::Path;

use color_eyre::eyre::{Result, eyre};
use subtend::inventory;
use subtend::lab::{Lab, LabOptions, LabSettings};

const NETWORK: &str = r#"
file_servers: { hq: { url: "ftp://127.0.0.1/images" } }
images: { new: { file: new.bin, type: card, version: "2" } }
defaults: { path: /flash/image.bin }
entities:
  - { name: good, type: card, version: "1", address: "127.0.0.1:2201" }
  - { name: odd, type: card, version: "1", address: "127.0.0.1:2202" }
x-lab:
  images: { new: { size: 1 MiB } }
  entities: { odd: { refuse_rename: true } }
"#;

#[tokio::main]
async fn main() -> Result<()> {
    let inventory = inventory::parse(NETWORK, Path::new("network.yaml"))?;
    let settings = LabSettings::from_inventory_text(NETWORK)?;
    let take_free_ports = true;
    let lab = Lab::start(&inventory, &settings, LabOptions { take_free_ports }).await?;
    for served in lab.served() {
        println!("{}: ftp://{}", served.name, served.address);
    }
    // What any FTP client does to them now is in here:
    for name in ["good", "odd"] {
        let file = lab.file(name, "/flash/image.bin");
        let file = file.ok_or_else(|| eyre!("{name} has no image"))?;
        println!("{name} holds {} bytes, {:?}", file.size(), lab.files(name));
    }
    lab.stop().await;
    Ok(())
}
