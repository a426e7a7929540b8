//! What one cell needs: the image, a file server that has it, real servers, and the inventory that
//! describes them.

use std::fmt::Write;
use std::path::PathBuf;

use subtend::lab::Lab;
use tempfile::TempDir;

use crate::Line;
use crate::support::real::{Options, RealServer, Secure};
use crate::support::tls::Identity;
use crate::support::{IMAGE, SERVER, at_rate, lab, network};

/// Bytes of the image: no multiple of any buffer.
pub(crate) const SIZE: u64 = (2 << 20) + 12_345;
/// How fast the slow file server is: a run can be killed in the middle.
const SLOW: u64 = 512 << 10;
/// The name that the image has on real servers.
pub(crate) const NAME: &str = "image.bin";
pub(crate) const OLD: &[u8] = b"the old one\r\n\0\r\r\n";

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
    /// The file server gives the image slowly.
    pub(crate) slow: bool,
    /// More of the entities' settings.
    pub(crate) settings: &'static str,
    /// Where the image comes from, else the lab's file server.
    pub(crate) source: From,
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

/// A network, and the place where the program keeps its state.
pub(crate) struct Site {
    pub(crate) server: RealServer,
    /// The entity that has the image.
    _peer: Option<RealServer>,
    pub(crate) lab: Lab,
    pub(crate) image: Vec<u8>,
    folder: TempDir,
    pub(crate) inventory: String,
}

impl Site {
    pub(crate) async fn new(line: Line, wanted: Wanted) -> Self {
        let lab = {
            // Two entities, which count where the real server is the source.
            let (inventory, mut settings) = network(2, SIZE);
            if wanted.slow {
                settings.file_servers.insert(SERVER.into(), at_rate(SLOW));
            }
            lab(&inventory, &settings).await
        };
        let image = lab.image_bytes(IMAGE, 0, SIZE as usize).unwrap();
        let identity = Identity::self_signed();
        let fingerprint = identity.fingerprint().to_string();
        let secure = line.secure || wanted.explicit || wanted.implicit;
        let start = |wanted: Wanted| {
            let options = |identity| Options {
                secure: secure.then_some(Secure {
                    identity,
                    implicit: wanted.implicit,
                }),
                sessions: wanted.sessions,
                ports: wanted.ports,
                ..Options::default()
            };
            RealServer::start_with(line.make, &options(&identity))
        };
        let (server, peer) = tokio::task::block_in_place(|| {
            let peer = (wanted.source == From::Peer).then(|| start(Wanted::default()));
            (start(wanted.clone()), peer)
        });

        let scheme = match (secure, wanted.implicit) {
            (false, _) => "ftp",
            (true, false) => "ftps",
            (true, true) => "ftps+implicit",
        };
        let trust = match secure {
            true => format!(", tls: {{ fingerprint: '{fingerprint}' }}"),
            false => String::new(),
        };
        let known = &lab.inventory().file_servers[0];
        let mut text = format!(
            "memory: 1 MiB\nbuffer_size: 64 KiB\n\
             credentials:\n  craft: {{ user: {}, password: {{ env: {} }} }}\n\
             file_servers:\n  lab: {{ url: 'ftp://{}/{}' }}\n  \
             real: {{ url: '{scheme}://{}', credentials: craft{trust} }}\n\
             images:\n  {IMAGE}: {{ file: {}, type: adsl, version: '2', sha256: {} }}\n\
             entities:\n",
            server.user,
            match server.password {
                "x@" => "MATRIX_ANYBODY",
                _ => "MATRIX_PASSWORD",
            },
            known.address,
            known.root,
            server.address,
            lab.inventory().images[0].file,
            lab.image_sha256(IMAGE)
                .unwrap()
                .map(|byte| format!("{byte:02x}"))
                .concat(),
        );
        if wanted.source == From::FileServer {
            server.put(&lab.inventory().images[0].file, &image);
            for entity in &lab.inventory().entities {
                let (name, address, path) = (&entity.name, &entity.address, &entity.path);
                let _ = writeln!(
                    text,
                    "  - {{ name: {name}, type: adsl, version: '1', address: '{address}', path: {path} }}"
                );
            }
        }
        let mut real = |name: &str, version: u8, server: &RealServer, path: &str| {
            let _ = writeln!(
                text,
                "  - {{ name: {name}, type: adsl, version: '{version}', address: '{scheme}://{}', \
                 path: {path}, credentials: craft{trust}{} }}",
                server.address, wanted.settings
            );
        };
        if wanted.source != From::FileServer {
            for number in 1..=wanted.entities.max(1) {
                real(&format!("e{number}"), 1, &server, &name(&wanted, number));
            }
        }
        if let Some(peer) = &peer {
            peer.put(NAME, &image);
            real("peer", 2, peer, NAME);
        }
        let source = match wanted.source {
            From::Lab => "{ file_server: lab }",
            From::FileServer => "{ file_server: real }",
            From::Peer => "{ peer: any }",
        };
        let _ = writeln!(
            text,
            "groups:\n  all: {{ select: {{ type: adsl, version: '1' }}, image: {IMAGE}, \
             source: {source}, retries: 20, retry_for: 60s }}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.yaml");
        std::fs::write(&file, text).unwrap();
        Self {
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

/// An entity's path.
pub(crate) fn name(wanted: &Wanted, number: usize) -> String {
    match wanted.entities {
        0 | 1 => NAME.to_owned(),
        _ => format!("e{number}.bin"),
    }
}
