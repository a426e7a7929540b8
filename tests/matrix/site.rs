//! What one cell needs: the image, a file server that has it, real servers, and the inventory that
//! describes them.

use std::fmt::Write;
use std::path::PathBuf;

use subtend::lab::Lab;
use tempfile::TempDir;

use crate::line::{Family, Line, Way};
use crate::support::real::{Options, RealServer, Secure, SshSetup};
use crate::support::tls::Identity;
use crate::support::{IMAGE, SERVER, at_rate, lab, network, takes_at};

/// Bytes of the image: no multiple of any buffer.
pub(crate) const SIZE: u64 = (2 << 20) + 12_345;
/// How fast the slow side is: a run can be stopped in the middle.
const SLOW: u64 = 768 << 10;
/// The name that the image has on real servers, where the entity is given one.
const NAME: &str = "image.bin";
/// Where forms go to, which is what the file is called then.
const FORM: &str = "upload";
pub(crate) const OLD: &[u8] = b"the old one\r\n\0\r\r\n";
/// A fingerprint of no host key.
pub(crate) const OTHER_KEY: &str = "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// How the network of a cell is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Entities on the one server, each with a path of its own.
    pub(crate) entities: usize,
    pub(crate) sessions: Option<usize>,
    pub(crate) ports: Option<u16>,
    /// TLS before the greeting.
    pub(crate) implicit: bool,
    pub(crate) explicit: bool,
    pub(crate) pace: Pace,
    /// What fails is not tried again.
    pub(crate) once: bool,
    /// More of the entities' settings.
    pub(crate) settings: &'static str,
    /// Where the image comes from, else the lab's file server.
    pub(crate) source: From,
    /// Bytes of the server's disk.
    pub(crate) disk: Option<u64>,
    pub(crate) ssh: SshSetup,
    pub(crate) trust: HostKeys,
    pub(crate) by: By,
    /// The folder of the server's that the files are asked for in, with a `/` behind it.
    pub(crate) folder: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum From {
    #[default]
    Lab,
    /// The real server, which then serves entities of the lab.
    FileServer,
    /// Another real server of the same make, an entity that has the image.
    Peer,
}

/// How the lab's side gives, or takes, the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    #[default]
    Full,
    Slow,
    /// Not so slowly, and it is more than windows and buffers between two hosts hold.
    Large,
}

/// What the inventory says of the server's host keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum HostKeys {
    #[default]
    Right,
    Other,
    /// A file in the form of `known_hosts`, made once.
    File,
}

/// What the program comes with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum By {
    #[default]
    Password,
    WrongPassword,
    Key,
    LockedKey,
    Token,
    WrongToken,
}

/// A network, and the place where the program keeps its state.
pub(crate) struct Site {
    pub(crate) line: Line,
    /// That of the image on the server.
    pub(crate) name: &'static str,
    /// How much the program writes to its log.
    pub(crate) log: &'static str,
    /// The server is the source, and not the entity.
    pub(crate) reads: bool,
    pub(crate) server: RealServer,
    /// The entity that has the image.
    _peer: Option<RealServer>,
    pub(crate) lab: Lab,
    pub(crate) image: Vec<u8>,
    folder: TempDir,
    pub(crate) inventory: String,
}

/// How the real servers are written in the inventory.
struct Written<'a> {
    line: Line,
    wanted: &'a Wanted,
    /// Keys about certificates and host keys, with a comma before each.
    trust: String,
}

impl Written<'_> {
    fn url(&self, server: &RealServer) -> String {
        let secure = self.wanted.explicit || self.wanted.implicit;
        let way = match self.line.way {
            Way::Ftp if secure => Way::Ftps,
            way => way,
        };
        format!("{}://{}", way.scheme(self.wanted.implicit), server.address)
    }

    /// As an entity has it. Servers of HTTP have no folder that one begins in.
    fn path(&self, name: &str) -> String {
        match (self.line.way, self.line.make.name()) {
            (Way::Form, _) => format!("/{name}"),
            (Way::Http | Way::Https, "nginx") => {
                format!("/{}{name}", self.wanted.folder.unwrap_or("basic/"))
            }
            (Way::Http | Way::Https, _) => format!("/{name}"),
            _ => name.to_owned(),
        }
    }

    fn credentials(&self) -> &'static str {
        match (self.line.way, self.wanted.folder) {
            (Way::Tftp, _) => "",
            // Nobody is asked for anything there.
            (Way::Http | Way::Https, Some(folder)) if folder != "bearer/" => "",
            _ => ", credentials: craft",
        }
    }

    fn entity(&self, name: &str, version: u8, server: &RealServer, path: &str) -> String {
        let upload = match self.line.way {
            Way::Http | Way::Https => ", upload: put",
            Way::Form => ", upload: { field: files }",
            _ => "",
        };
        let direct = match self.line.way.is_direct() && !self.wanted.settings.contains("staging") {
            true => ", staging: direct",
            false => "",
        };
        format!(
            "  - {{ name: {name}, type: adsl, version: '{version}', address: '{}', \
             path: '{}'{}{}{upload}{direct}{} }}\n",
            self.url(server),
            self.path(path),
            self.credentials(),
            self.trust,
            self.wanted.settings
        )
    }

    fn file_server(&self, server: &RealServer) -> String {
        let folder = match (self.line.make.name(), self.wanted.folder) {
            ("nginx", None) => "basic/",
            (_, folder) => folder.unwrap_or_default(),
        };
        let url = self.url(server);
        format!(
            "  real: {{ url: '{url}/{folder}'{}{} }}\n",
            self.credentials(),
            self.trust
        )
    }
}

impl Site {
    pub(crate) async fn new(line: Line, wanted: Wanted) -> Self {
        let lab = lab_of(&wanted).await;
        let image = lab.image_bytes(IMAGE, 0, size(&wanted) as usize).unwrap();
        let identity = Identity::self_signed();
        let secure = line.way.is_tls() || wanted.explicit || wanted.implicit;
        let start = |wanted: &Wanted| {
            let options = Options {
                secure: secure.then_some(Secure {
                    identity: &identity,
                    // That of HTTP begins with the connection.
                    implicit: wanted.implicit || line.way.family() == Family::Http,
                }),
                sessions: wanted.sessions,
                ports: wanted.ports,
                disk: wanted.disk,
                ssh: wanted.ssh,
                command_line: None,
            };
            RealServer::start_with(line.make, &options)
        };
        let (server, peer) = tokio::task::block_in_place(|| {
            let peer = (wanted.source == From::Peer).then(|| start(&Wanted::default()));
            (start(&wanted), peer)
        });
        let written = |server: &RealServer| Written {
            line,
            wanted: &wanted,
            trust: match (secure, line.way.family()) {
                (true, _) => format!(", tls: {{ fingerprint: '{}' }}", identity.fingerprint()),
                (false, Family::Ssh) => trust(wanted.trust, server),
                (false, _) => String::new(),
            },
        };
        let text = inventory(&written(&server), &lab, &server, &image);
        let mut text = text;
        if let Some(peer) = &peer {
            peer.put(NAME, &image);
            text += &written(peer).entity("peer", 2, peer, NAME);
        }
        text += &group(&wanted);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.yaml");
        std::fs::write(&file, text).unwrap();
        Self {
            line,
            name: own_name(line),
            log: log(line, &wanted),
            reads: wanted.source == From::FileServer,
            server,
            _peer: peer,
            lab,
            image,
            inventory: file.to_str().unwrap().to_owned(),
            folder,
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }
}

fn size(wanted: &Wanted) -> u64 {
    match wanted.pace {
        Pace::Large => 6 * SIZE,
        _ => SIZE,
    }
}

/// Two entities, which count where the real server is the source.
async fn lab_of(wanted: &Wanted) -> Lab {
    let (inventory, mut settings) = network(2, size(wanted));
    let slow = wanted.pace != Pace::Full;
    let rate = match wanted.pace {
        Pace::Large => 4 * SLOW,
        _ => SLOW,
    };
    if slow && wanted.source == From::FileServer {
        for entity in &inventory.entities {
            settings
                .entities
                .insert(entity.name.to_string(), takes_at(rate));
        }
    } else if slow {
        settings.file_servers.insert(SERVER.into(), at_rate(rate));
    }
    lab(&inventory, &settings).await
}

fn trust(host_keys: HostKeys, server: &RealServer) -> String {
    match host_keys {
        HostKeys::Right => {
            let keys = ["ed25519", "rsa"].map(|kind| format!("'{}'", server.host_key(kind)));
            format!(", host_key: [{}]", keys.join(", "))
        }
        HostKeys::Other => format!(", host_key: '{OTHER_KEY}'"),
        HostKeys::File => format!(", known_hosts: '{}'", server.known_hosts().display()),
    }
}

fn credentials(by: By, server: &RealServer) -> String {
    let key = |key: PathBuf| format!("user: {}, key: '{}'", server.user, key.display());
    match by {
        By::Password if server.password == "x@" => {
            format!("user: {}, password: {{ env: MATRIX_ANYBODY }}", server.user)
        }
        // An ordinary user of this host, whose password nobody knows.
        By::Password if server.password.is_empty() => key(server.client_key()),
        By::Password => format!(
            "user: {}, password: {{ env: MATRIX_PASSWORD }}",
            server.user
        ),
        By::WrongPassword => format!("user: {}, password: {{ env: MATRIX_WRONG }}", server.user),
        By::Key => key(server.client_key()),
        By::LockedKey => {
            let key = key(server.locked_key());
            format!("{key}, passphrase: {{ env: MATRIX_PASSPHRASE }}")
        }
        By::Token => "token: { env: MATRIX_PASSWORD }".to_owned(),
        By::WrongToken => "token: { env: MATRIX_WRONG }".to_owned(),
    }
}

/// All but the peer and the group.
fn inventory(written: &Written<'_>, lab: &Lab, server: &RealServer, image: &[u8]) -> String {
    let wanted = written.wanted;
    let known = &lab.inventory().file_servers[0];
    let real = match written.line.way.is_source() {
        true => written.file_server(server),
        false => String::new(),
    };
    let mut text = format!(
        "memory: 1 MiB\nbuffer_size: 64 KiB\n\
         credentials:\n  craft: {{ {} }}\n\
         file_servers:\n  lab: {{ url: 'ftp://{}/{}' }}\n{real}\
         images:\n  {IMAGE}: {{ file: {}, type: adsl, version: '2', sha256: {} }}\n\
         entities:\n",
        credentials(wanted.by, server),
        known.address,
        known.root,
        lab.inventory().images[0].file,
        lab.image_sha256(IMAGE)
            .unwrap()
            .map(|byte| format!("{byte:02x}"))
            .concat(),
    );
    if wanted.source == From::FileServer {
        server.put(&lab.inventory().images[0].file, image);
        for entity in &lab.inventory().entities {
            let (name, address, path) = (&entity.name, &entity.address, &entity.path);
            let _ = writeln!(
                text,
                "  - {{ name: {name}, type: adsl, version: '1', address: '{address}', path: {path} }}"
            );
        }
        return text;
    }
    for number in 1..=wanted.entities.max(1) {
        text += &written.entity(
            &format!("e{number}"),
            1,
            server,
            &name(written.line, wanted, number),
        );
    }
    text
}

fn group(wanted: &Wanted) -> String {
    let source = match wanted.source {
        From::Lab => "{ file_server: lab }",
        From::FileServer => "{ file_server: real }",
        From::Peer => "{ peer: any }",
    };
    let retries = if wanted.once { 0 } else { 20 };
    format!(
        "groups:\n  all: {{ select: {{ type: adsl, version: '1' }}, image: {IMAGE}, \
         source: {source}, retries: {retries}, retry_for: 60s }}\n"
    )
}

/// An entity's path.
pub(crate) fn name(line: Line, wanted: &Wanted, number: usize) -> String {
    match wanted.entities {
        0 | 1 => own_name(line).to_owned(),
        _ => format!("e{number}.bin"),
    }
}

/// Every level of everything where it is about secrets: none of them stands there. Packets of SSH, each with
/// several lines, are slow to write.
fn log(line: Line, wanted: &Wanted) -> &'static str {
    let secrets = wanted.by != By::Password || wanted.trust == HostKeys::File;
    match secrets || line.way.family() == Family::Http {
        true => "trace",
        false => "debug",
    }
}

fn own_name(line: Line) -> &'static str {
    match line.way {
        Way::Form => FORM,
        _ => NAME,
    }
}
