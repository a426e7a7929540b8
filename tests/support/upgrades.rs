//! A site with three kinds of devices that boot their images: by a command line over telnet and over SSH, and by `SITE`.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use subtend::inventory;
use subtend::lab::{Lab, LabOptions, LabSettings, Over};
use subtend::model::{Inventory, Login, Logins};

/// The groups of a [`Site`], each of one kind.
pub const GROUPS: [&str; 3] = ["telnet", "ssh", "site"];
/// Bytes of each image.
pub const SIZE: u64 = 200_000;

/// How many devices of each kind there are, and what they do besides.
pub struct Site {
    pub numbers: [usize; 3],
    /// `now` or `later`.
    pub activate: &'static str,
    /// Lines of `x-lab`'s entities.
    pub behaviour: &'static str,
}

impl Site {
    /// The inventory, with these lines for its entities, and this host for its file server.
    fn text(&self, entities: &str, server: &str, host_key: &str) -> String {
        let (activate, behaviour) = (self.activate, self.behaviour);
        format!(
            r#"
memory: 4 MiB
buffer_size: 64 KiB
credentials: {{ craft: {{ user: craft, password: {{ command: [echo, sesame] }} }} }}
defaults: {{ credentials: craft, path: /flash/image.bin, timeouts: {{ reply: 30s }} }}
file_servers: {{ hq: {{ url: "ftp://{server}/" }} }}
images:
  telnet-2: {{ file: telnet-2.bin, type: telnet, version: "2" }}
  ssh-2: {{ file: ssh-2.bin, type: ssh, version: "2" }}
  site-2: {{ file: site-2.bin, type: site, version: "2" }}
types:
  telnet: {{ procedure: over-telnet, versions: dotted }}
  ssh: {{ procedure: over-ssh }}
  site: {{ procedure: over-site }}
procedures:
  over-telnet: &banks
    session: {{ telnet: 23, prompt: '> $' }}
    before:
      - {{ send: show version, expect: 'Version (?<version>\S+)', is: "{{previous}}", safe: true }}
    activate:
      - {{ send: "set boot {{path}}", expect: OK, within: 20s }}
      - {{ send: restart, within: 20s, answers: [ {{ to: '\(y/n\) $', with: y }} ] }}
      - {{ restart: true, down: 5s, back: 60s }}
    check:
      - {{ send: show version, expect: 'Version (?<version>\S+)', is: "{{version}}", within: 20s }}
    undo:
      - {{ send: boot bank 1, expect: OK, within: 20s }}
      - {{ send: restart, within: 20s, answers: [ {{ to: '\(y/n\) $', with: y }} ] }}
      - {{ restart: true, down: 5s, back: 60s }}
  over-ssh:
    <<: *banks
    session: {{ ssh: 22, prompt: '> $'{host_key} }}
  over-site:
    activate:
      - {{ site: RESET, within: 20s }}
      - {{ restart: true, down: 5s, back: 60s }}
    check:
      - {{ site: VERSION, expect: 'Version (?<version>\S+)', is: "{{version}}", within: 20s }}
    undo:
      - {{ site: BANK 1, within: 20s }}
entities:
{entities}groups:
  telnet: {{ select: {{ type: telnet }}, image: telnet-2, source: {{ file_server: hq }}, activate: {activate} }}
  ssh: {{ select: {{ type: ssh }}, image: ssh-2, source: {{ file_server: hq }}, activate: {activate} }}
  site: {{ select: {{ type: site }}, image: site-2, source: {{ file_server: hq }}, activate: {activate} }}
x-lab:
  images: {{ telnet-2: {{ size: {SIZE} B }}, ssh-2: {{ size: {SIZE} B }}, site-2: {{ size: {SIZE} B }} }}
  entities:
    "t*": {{ cli: {{ telnet: 0, dialect: banks }} }}
    "s*": {{ cli: {{ ssh: 0, dialect: banks }} }}
    "f*": {{ cli: {{ site: RESET }} }}
{behaviour}"#
        )
    }

    /// Serves all of it, on free ports.
    pub async fn serve(&self) -> Lab {
        let mut entities = String::new();
        for (kind, (letter, number)) in ["t", "s", "f"].iter().zip(self.numbers).enumerate() {
            let (type_, net) = (GROUPS[kind], kind + 1);
            writeln!(
                entities,
                r#"  - {{ name: "{letter}[001-{number:03}]", type: {type_}, version: "1", address: "127.0.{net}.[1-{number}]" }}"#
            )
            .unwrap();
        }
        serve(&self.text(&entities, "127.0.0.1", "")).await
    }

    /// The inventory of what is served, for a program that is to find it there.
    pub fn as_served(&self, lab: &Lab) -> String {
        let mut entities = String::new();
        for entity in &lab.inventory().entities {
            let (name, type_, address) = (&entity.name, &entity.type_, &entity.address);
            let doors = [Over::Telnet, Over::Ssh];
            let door = doors.iter().find_map(|over| lab.command_line(name, *over));
            let session = door.map(|door| format!(", session: \"{door}\""));
            let session = session.unwrap_or_default();
            writeln!(
                entities,
                r#"  - {{ name: {name}, type: {type_}, version: "1", address: "{}:{}"{session} }}"#,
                address.host, address.port
            )
            .unwrap();
        }
        let server = &lab.inventory().file_servers[0].address;
        let key = lab.served().iter().find_map(|served| served.host_key);
        let key = key.map(|key| format!(", host_key: \"{key}\""));
        let server = format!("{}:{}", server.host, server.port);
        self.text(&entities, &server, &key.unwrap_or_default())
    }
}

/// Serves an inventory, each host on a free port.
pub async fn serve(text: &str) -> Lab {
    let inventory = inventory::parse(text, Path::new("site.yaml"));
    let mut inventory = inventory.unwrap_or_else(|errors| panic!("{errors}"));
    for entity in &mut inventory.entities {
        Arc::make_mut(entity).address.port = 0;
    }
    for server in &mut inventory.file_servers {
        Arc::make_mut(server).address.port = 0;
    }
    let settings = LabSettings::from_inventory_text(text).unwrap();
    let options = LabOptions {
        take_free_ports: true,
    };
    Lab::start(&inventory, &settings, options).await.unwrap()
}

/// What its inventory looks up.
pub fn logins() -> Logins {
    let mut logins = Logins::default();
    logins.insert("craft".into(), Login::with_password("craft", "sesame"));
    logins
}

pub fn entities(inventory: &Inventory) -> impl Iterator<Item = &str> {
    inventory.entities.iter().map(|entity| &*entity.name)
}

/// Of all devices: each could start once more, and nothing was done twice.
pub fn assert_sound(lab: &Lab) {
    for name in entities(lab.inventory()) {
        assert_eq!(unsound(lab, name, 0), None, "{name}");
    }
}

/// What is wrong with a device: it could not start once more, or a step was done twice. What `activate` and `undo`
/// both send is sent twice at most; and a step of `undo` is sent once more for each time that the program was killed.
pub fn unsound(lab: &Lab, name: &str, kills: u64) -> Option<String> {
    let state = lab.machine(name).unwrap();
    let is_twice = |(command, times): (&String, &u64)| {
        let most = match &**command {
            "boot bank 1" | "BANK 1" => 1 + kills,
            "restart" => 1 + u64::from(state.ran.contains_key("boot bank 1")),
            _ => 1,
        };
        *times > most
    };
    let is_sound = state.holds_bootable_image && !state.ran.iter().any(is_twice);
    (!is_sound).then(|| format!("{state:?}"))
}
