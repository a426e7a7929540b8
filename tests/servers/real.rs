//! Delivery to and from FTP servers of other makes, byte for byte.

use std::sync::Arc;

use crate::support::real::{Make, PROFTPD, PURE_FTPD, RealServer, Secure, VSFTPD, require_or_skip};
use sha2::{Digest, Sha256};
use subtend::model::staging::{AUTO, Names};
use subtend::model::{
    Address, EntityState, Failure, FileServer, Fingerprint, Group, Inventory, Login, Logins,
    Outcome, RemotePath, Scheme, SourceChoice, Staging, Timeouts, Tls, Trust, Verified, VerifyMode,
};
use subtend::placement::Delivery;
use subtend::protocol::{Command, Entry, Event, Summary, Target};
use subtend::transport::ftp::FtpTransport;
use subtend::transport::{Destination, Endpoint, ImageDigest, Remote, Transport};

use crate::support::run::{Run, entity};
use crate::support::tls::{Authority, Identity};
use crate::support::{GROUP, LONG, local, network, within};

/// Those that clear text is tried with; the matrix has all.
const CLEAR: [&dyn Make; 2] = [&VSFTPD, &PURE_FTPD];
/// Those that TLS is tried with. vsftpd and proftpd want the control connection's TLS session on
/// data connections.
const SECURE: [&dyn Make; 3] = [&VSFTPD, &PURE_FTPD, &PROFTPD];

/// CR, LF and NUL alone and in every pairing, and no multiple of any buffer's size.
fn image(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut bytes: Vec<u8> = (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            match state % 7 {
                0 => b'\r',
                1 => b'\n',
                2 => 0,
                3 => 0xff,
                _ => (state >> 8) as u8,
            }
        })
        .collect();
    bytes.extend_from_slice(b"\r\n\r\r\n\n\0\r\0\n\xff\xff\r\n.\r\n");
    bytes
}

/// One source, `count` entities of a make, and the inventory that describes them.
struct Site {
    source: RealServer,
    entities: Vec<RealServer>,
    inventory: Inventory,
    logins: Logins,
}

impl Site {
    fn new(
        source: &'static dyn Make,
        entities: &'static dyn Make,
        count: usize,
        image: &[u8],
        verify: VerifyMode,
    ) -> Self {
        let source = RealServer::start(source);
        source.put("image.bin", image);
        let entities: Vec<_> = (0..count).map(|_| RealServer::start(entities)).collect();
        let mut logins = Logins::default();
        for server in entities.iter().chain([&source]) {
            let login = Login::with_password(server.user, server.password);
            logins.insert(server.make.name().into(), login);
        }
        let (mut inventory, _) = network(count, 0);
        let changed = |entity: &subtend::model::Entity, server: &RealServer| {
            let mut entity = entity.clone();
            entity.address = local(server.address.port());
            entity.path = RemotePath::new("image.bin").unwrap();
            entity.credentials = Some(server.make.name().into());
            entity.verify = verify;
            Arc::new(entity)
        };
        inventory.entities = (inventory.entities.iter())
            .zip(&entities)
            .map(|(entity, server)| changed(entity, server))
            .collect();
        let server = FileServer {
            name: "real".into(),
            address: Address {
                port: source.address.port(),
                ..local(0)
            },
            root: String::new(),
            credentials: Some(source.make.name().into()),
            timeouts: subtend::model::Timeouts::default(),
            tls: subtend::model::Tls::default(),
            ssh: subtend::model::Ssh::default(),
            dialect: subtend::model::Dialect::default(),
            http: subtend::model::Http::default(),
        };
        let mut stored = (*inventory.images[0]).clone();
        stored.file = "image.bin".into();
        inventory.groups = vec![Arc::new(Group {
            image: Arc::new(stored),
            source: SourceChoice::FileServer(Arc::new(server)),
            entities: inventory.entities.clone(),
            ..(*inventory.groups[0]).clone()
        })];
        Self {
            source,
            entities,
            inventory,
            logins,
        }
    }

    async fn run(&self) -> Summary {
        let run = Run::with_logins(&self.inventory, self.logins.clone());
        run.begin(&[GROUP]).await;
        run.finish().await.0
    }
}

/// A server that sees a plain end keeps half a file and calls it whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_leaves_nothing_on_real_servers() {
    let image = image(96 << 20);
    for make in CLEAR {
        if !require_or_skip(make) {
            continue;
        }
        let mut site = Site::new(make, make, 2, &image, VerifyMode::Best);
        site.inventory.memory = 256 << 10;
        for server in &site.entities {
            server.put("image.bin", b"the old one");
        }
        let mut run = Run::with_logins(&site.inventory, site.logins.clone());
        run.begin(&[GROUP]).await;
        run.until_state("e002", EntityState::Sending).await;
        run.cancel(Target::All).await;
        let (summary, _) = run.finish().await;
        assert_eq!(summary.outcome, Outcome::Cancelled, "{summary:?}");
        for (server, name) in site.entities.iter().zip(["e001", "e002"]) {
            let said = entity(&summary, name);
            assert_eq!(
                (said.state, &said.left),
                (EntityState::Cancelled, &None),
                "{said:?}"
            );
            assert_eq!(server.files(), ["image.bin"], "{}", make.name());
            assert!(server.file("image.bin").unwrap() == b"the old one");
        }
    }
}

/// An entity that is gone is named; the others have the image.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_that_is_gone_is_named() {
    let image = image(1 << 20);
    for make in CLEAR {
        if !require_or_skip(make) {
            continue;
        }
        let mut site = Site::new(make, make, 3, &image, VerifyMode::Best);
        drop(site.entities.remove(1));
        let summary = site.run().await;
        assert_eq!(summary.outcome, Outcome::Partial);
        let said = entity(&summary, "e002");
        assert!(
            said.cause
                .as_ref()
                .unwrap()
                .contains("refused the connection"),
            "{said:?}"
        );
        for server in &site.entities {
            assert!(server.file("image.bin").unwrap() == image);
        }
        assert!(site.source.file("image.bin").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_of_real_servers_are_listed() {
    for make in CLEAR {
        if !require_or_skip(make) {
            continue;
        }
        let mut site = Site::new(make, make, 0, &image(1000), VerifyMode::Best);
        site.source.put_folder("empty one");
        site.source.put_folder("archive");
        site.source.put("archive/old image.bin", b"old");
        let SourceChoice::FileServer(server) = site.inventory.groups[0].source.clone() else {
            unreachable!("the source is a file server");
        };
        site.inventory.file_servers = vec![server];
        let mut run = Run::with_logins(&site.inventory, site.logins.clone());
        let entry = |name: &str, size: Option<u64>| Entry {
            name: name.into(),
            is_directory: size.is_none(),
            size,
        };
        let size = image(1000).len() as u64;
        for (path, expected) in [
            (
                "",
                &[
                    entry("archive", None),
                    entry("empty one", None),
                    entry("image.bin", Some(size)),
                ][..],
            ),
            ("archive", &[entry("old image.bin", Some(3))]),
            ("empty one", &[]),
        ] {
            run.send(Command::Browse {
                server: "real".into(),
                path: path.into(),
            })
            .await;
            let answer = run
                .until(|event| matches!(event, Event::Directory { .. }))
                .await;
            let Event::Directory { listing, .. } = answer else {
                unreachable!("{answer:?}");
            };
            assert_eq!(listing.unwrap().entries, expected, "{make:?} {path:?}");
        }
        run.send(Command::Browse {
            server: "real".into(),
            path: "no such folder".into(),
        })
        .await;
        let answer = run
            .until(|event| matches!(event, Event::Directory { .. }))
            .await;
        let told = format!("{answer:?}");
        assert!(told.contains("open: the server said 550"), "{told}");
        run.finish().await;
    }
}

/// Both ways, with all that can be learnt about a file on the way: size, time, digest by reading back,
/// an offset. vsftpd and proftpd take no data connection without the control connection's session.
#[tokio::test(flavor = "multi_thread")]
async fn real_servers_give_and_take_an_image_over_tls() {
    let image = image(3 << 20);
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    let authority = Authority::new("the operator's authority");
    std::fs::write(&ca, authority.pem()).unwrap();
    let identity = authority.issue(&["localhost", "127.0.0.1"]);
    for make in SECURE {
        if !require_or_skip(make) {
            continue;
        }
        for implicit in [false, true] {
            if implicit && !make.offers().implicit {
                continue;
            }
            let identity = &identity;
            let server = RealServer::start_secure(make, Secure { identity, implicit });
            let pinned = Trust::Pinned(identity.fingerprint());
            for (trust, max_1_2) in [
                (Trust::CaFile(Arc::new(ca.clone())), false),
                (pinned.clone(), true),
            ] {
                server.put("image.bin", b"the old one");
                let case = format!("{} {implicit} {max_1_2}", make.name());
                let destination = secured(
                    &server,
                    implicit,
                    Tls {
                        trust,
                        max_1_2,
                        ..Tls::default()
                    },
                );
                let told = deliver(&destination, &image).await;
                assert_eq!(told, Ok(Verified::Readback), "{case}");
                assert!(server.file("image.bin").unwrap() == image, "{case}");
                assert_eq!(server.files(), ["image.bin"], "{case}");
                for offset in [0, 12_345] {
                    let read = within(LONG, read_from(&destination.remote, offset)).await;
                    assert!(read == image[offset..], "{case}");
                }
            }
            // A server that is not trusted gets nothing.
            let tls = Tls {
                trust: Trust::Pinned(Fingerprint([0; 32])),
                ..Tls::default()
            };
            let destination = secured(&server, implicit, tls);
            let failure = deliver(&destination, &image).await.unwrap_err();
            let offered = identity.fingerprint().to_string();
            assert!(failure.to_string().contains(&offered), "{failure}");
            assert!(failure.to_string().contains("is not the one"), "{failure}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_with_one_real_server_go_on_with_their_own_tls() {
    const ENTITIES: usize = 64;
    let image = image(100_000);
    for make in [&VSFTPD as &dyn Make, &PROFTPD] {
        if !require_or_skip(make) {
            continue;
        }
        let identity = &Identity::self_signed();
        let implicit = false;
        let server = RealServer::start_secure(make, Secure { identity, implicit });
        let tls = Tls {
            trust: Trust::Pinned(identity.fingerprint()),
            ..Tls::default()
        };
        let mut sending = tokio::task::JoinSet::new();
        for entity in 0..ENTITIES {
            let mut destination = secured(&server, false, tls.clone());
            destination.remote.endpoint.address.host = "localhost".into();
            destination.remote.path = RemotePath::new(&format!("e{entity}.bin")).unwrap();
            destination.names = Names::new(&destination.remote.path, AUTO, "").unwrap();
            let image = image.clone();
            sending.spawn(async move { deliver(&destination, &image).await });
        }
        for told in sending.join_all().await {
            assert_eq!(told, Ok(Verified::Readback), "{}", make.name());
        }
        assert_eq!(server.files().len(), ENTITIES);
        for entity in 0..ENTITIES {
            assert!(server.file(&format!("e{entity}.bin")).unwrap() == image);
        }
    }
}

fn secured(server: &RealServer, implicit: bool, tls: Tls) -> Destination {
    let path = RemotePath::new("image.bin").unwrap();
    Destination {
        remote: Remote {
            endpoint: Endpoint {
                address: Address {
                    scheme: match implicit {
                        true => Scheme::FtpsImplicit,
                        false => Scheme::FtpsExplicit,
                    },
                    ..local(server.address.port())
                },
                login: Arc::new(Login::with_password(server.user, server.password)),
                timeouts: Timeouts::default(),
                tls,
                ssh: subtend::model::Ssh::default(),
                dialect: subtend::model::Dialect::default(),
                http: subtend::model::Http::default(),
            },
            path: path.clone(),
        },
        verify: VerifyMode::Readback,
        staging: Staging::Rename,
        delete_first: false,
        names: Names::new(&path, AUTO, "").unwrap(),
        size: None,
    }
}

/// As an agent does it.
async fn deliver(destination: &Destination, image: &[u8]) -> Result<Verified, Failure> {
    within(LONG, async {
        let opened = Delivery::open(&FtpTransport::new(), destination, None).await;
        let (mut sink, _) = opened.map_err(|not_opened| not_opened.failure)?;
        let mut rest = image;
        while !rest.is_empty() {
            sink.ready().await?;
            let count = sink.write(&rest[..rest.len().min(64 << 10)]).await?;
            rest = &rest[count..];
        }
        sink.finish().await?;
        let digest = ImageDigest {
            size: image.len() as u64,
            sha256: Sha256::digest(image).into(),
        };
        sink.verify(&digest).await?;
        let verified = sink.commit(&digest).await?;
        sink.close().await;
        Ok(verified)
    })
    .await
}

async fn read_from(remote: &Remote, offset: usize) -> Vec<u8> {
    let transport = FtpTransport::new();
    let mut source = transport.open_source(remote, offset as u64).await.unwrap();
    assert!(source.size().is_some() && source.modified().is_some());
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match source.read(&mut buffer).await.unwrap() {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    source.close().await;
    bytes
}
