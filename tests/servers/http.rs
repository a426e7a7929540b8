//! HTTP to and from servers of other makes, byte for byte.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtend::model::staging::{AUTO, Names};
use subtend::model::{
    Address, Dialect, Elsewhere, Entity, Failure, Fault, FileServer, Group, Http, Inventory, Login,
    Logins, Outcome, RemotePath, Scheme, SourceChoice, Ssh, Staging, Step, Timeouts, Tls, Trust,
    Upload, Verified, VerifyMode,
};
use subtend::placement::Delivery;
use subtend::transport::{AnyTransport, Destination, Endpoint, ImageDigest, Remote, Transport};
use tokio_util::sync::CancellationToken;

use crate::support::real::{
    LIGHTTPD, Make, NGINX, Options, RealServer, Secure, UPLOADSERVER, require_or_skip,
};
use crate::support::run::Run;
use crate::support::tls::Identity;
use crate::support::{GROUP, IMAGE, LONG, lab, local, network, within};

fn image(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let pieces = (0..size).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    });
    pieces.collect()
}

fn address(server: &RealServer, scheme: Scheme) -> Address {
    Address {
        scheme,
        ..local(server.address.port())
    }
}

fn remote(server: &RealServer, scheme: Scheme, path: &str) -> Remote {
    Remote {
        endpoint: Endpoint {
            address: address(server, scheme),
            login: Arc::new(Login::with_password(server.user, server.password)),
            timeouts: Timeouts::default(),
            tls: Tls::default(),
            ssh: Ssh::default(),
            dialect: Dialect::default(),
            http: Http::default(),
        },
        path: RemotePath::new(path).unwrap(),
    }
}

fn destination(mut remote: Remote, upload: Upload, staging: Staging, size: usize) -> Destination {
    remote.endpoint.http.upload = Some(upload);
    Destination {
        names: Names::new(&remote.path, AUTO, "").unwrap(),
        remote,
        verify: VerifyMode::Best,
        staging,
        delete_first: false,
        size: Some(size as u64),
    }
}

async fn deliver(destination: &Destination, image: &[u8]) -> Result<Verified, Failure> {
    within(LONG, async {
        let opened = Delivery::open(&AnyTransport::default(), destination, None).await;
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

async fn read(transport: &AnyTransport, remote: &Remote, offset: u64) -> Result<Vec<u8>, Failure> {
    within(LONG, async {
        let mut source = transport.open_source(remote, offset).await?;
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match source.read(&mut buffer).await? {
                0 => return Ok(bytes),
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    })
    .await
}

fn pinned(identity: &Identity) -> Tls {
    Tls {
        trust: Trust::Pinned(identity.fingerprint()),
        ..Tls::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_to_nginx_and_lighttpd_and_come_back_in_clear_text_and_over_tls() {
    let bytes = image(1_000_003);
    let identity = Identity::self_signed();
    for make in [&NGINX as &'static dyn Make, &LIGHTTPD] {
        if !require_or_skip(make) {
            continue;
        }
        for scheme in [Scheme::Http, Scheme::Https] {
            let secure = (scheme == Scheme::Https).then_some(Secure {
                identity: &identity,
                implicit: true,
            });
            let options = Options {
                secure,
                ..Options::default()
            };
            let server = RealServer::start_with(make, &options);
            let case = format!("{} {scheme:?}", make.name());
            for staging in [Staging::Rename, Staging::Direct] {
                // lighttpd does not look again at once at what others have changed.
                let name = format!("{staging:?}.bin");
                server.put(&name, b"the old one");
                let mut remote = remote(&server, scheme, &name);
                remote.endpoint.tls = pinned(&identity);
                let destination = destination(remote, Upload::Put, staging, bytes.len());
                let nobody = CancellationToken::new();
                let probe = AnyTransport::default().probe(&destination, &nobody).await;
                let probe = probe.unwrap_or_else(|failure| panic!("{case}: {failure}"));
                assert_eq!((probe.file, probe.left), (Some(11), None), "{case}");
                assert_eq!(probe.written, staging == Staging::Rename, "{case}");
                assert!(
                    server.files().iter().all(|one| one.ends_with(".bin")),
                    "{case}"
                );
                assert_eq!(
                    deliver(&destination, &bytes).await,
                    Ok(Verified::Readback),
                    "{case} {staging:?}"
                );
                assert!(server.file(&name).unwrap() == bytes, "{case}");
            }
            assert_eq!(server.files(), ["Direct.bin", "Rename.bin"], "{case}");
            let mut remote = remote(&server, scheme, "Rename.bin");
            remote.endpoint.tls = pinned(&identity);
            let transport = AnyTransport::default();
            for offset in [0, 1, 700_000, 1_000_002, 1_000_003] {
                let read = read(&transport, &remote, offset).await;
                let read = read.unwrap_or_else(|failure| panic!("{case} {offset}: {failure}"));
                assert!(read == bytes[offset as usize..], "{case} {offset}");
            }
            let size = transport.size_of(&remote).await;
            assert_eq!(size, Ok(Some(1_000_003)), "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_the_pinned_one_ends_it_before_the_login() {
    if !require_or_skip(&NGINX) {
        return;
    }
    let identity = Identity::self_signed();
    let secure = Secure {
        identity: &identity,
        implicit: true,
    };
    let server = RealServer::start_secure(&NGINX, secure);
    server.put("image.bin", b"0123");
    let mut remote = remote(&server, Scheme::Https, "image.bin");
    remote.endpoint.tls = pinned(&Identity::self_signed());
    let failure = read(&AnyTransport::default(), &remote, 0)
        .await
        .unwrap_err();
    assert_eq!(failure.step, Step::Connect);
    match &failure.fault {
        Fault::TlsCertificate { fingerprint, .. } => {
            assert_eq!(*fingerprint, identity.fingerprint().to_string());
        }
        other => panic!("{other:?}"),
    }
    // And one that no authority has signed.
    remote.endpoint.tls = Tls::default();
    let failure = read(&AnyTransport::default(), &remote, 0)
        .await
        .unwrap_err();
    assert!(
        matches!(
            failure.fault,
            Fault::TlsCertificate { .. } | Fault::NoAuthorities { .. }
        ),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_places_of_nginx_that_sources_fail_at() {
    if !require_or_skip(&NGINX) {
        return;
    }
    let bytes = image(300_000);
    let server = RealServer::start(&NGINX);
    server.put("image.bin", &bytes);
    let at = |place: &str| remote(&server, Scheme::Http, &format!("{place}/image.bin"));
    let nobody = |mut remote: Remote| {
        remote.endpoint.login = Arc::new(Login::anonymous());
        remote
    };
    let transport = AnyTransport::default();
    assert!(read(&transport, &at("basic"), 5).await.unwrap() == bytes[5..]);
    let failure = read(&transport, &nobody(at("basic")), 0).await.unwrap_err();
    assert_eq!(failure.step, Step::Login);
    let mut with_token = at("bearer");
    with_token.endpoint.login = Arc::new(Login {
        token: Some(server.password.into()),
        ..Login::with_password("", "")
    });
    assert!(read(&transport, &with_token, 5).await.unwrap() == bytes[5..]);
    let failure = read(&transport, &at("bearer"), 0).await.unwrap_err();
    assert_eq!(failure.step, Step::Login);
    // 200 in place of 206.
    assert!(read(&transport, &at("whole"), 250_000).await.unwrap() == bytes[250_000..]);
    assert!(read(&transport, &nobody(at("moved")), 7).await.unwrap() == bytes[7..]);
    let failure = read(&transport, &at("loop"), 0).await.unwrap_err();
    assert!(
        failure.to_string().contains("more than 5 times"),
        "{failure}"
    );
    let failure = read(&transport, &at("away"), 0).await.unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("no file server of the inventory"),
        "{failure}"
    );
    let mut listed = at("away");
    let elsewhere = Address {
        host: "127.0.0.2".into(),
        ..listed.endpoint.address.clone()
    };
    let tls = Tls::default();
    listed.endpoint.http.redirects = [Elsewhere {
        address: elsewhere,
        tls,
    }]
    .into();
    // Nobody is there: it was gone to.
    let failure = read(&transport, &listed, 0).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::Refused { .. }), "{failure}");
    // The file is another one each time that it is asked for.
    assert!(read(&transport, &at("changing"), 0).await.unwrap() == bytes);
    let failure = read(&transport, &at("changing"), 5).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::SourceChanged { .. }),
        "{failure}"
    );
    server.forbid_reading("image.bin");
    let failure = read(&transport, &at("whole"), 0).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::NotReadable { .. }),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_takes_a_file() {
    if !require_or_skip(&UPLOADSERVER) {
        return;
    }
    let bytes = image(500_001);
    let server = RealServer::start(&UPLOADSERVER);
    let remote = remote(&server, Scheme::Http, "/upload");
    let field = Upload::Field("files".into());
    let destination = destination(remote, field, Staging::Direct, bytes.len());
    assert_eq!(deliver(&destination, &bytes).await, Ok(Verified::None));
    assert!(server.file("upload").unwrap() == bytes);
    let mut wrong = destination;
    wrong.remote.endpoint.login = Arc::new(Login::with_password(server.user, "wrong-secret"));
    let failure = deliver(&wrong, &bytes).await.unwrap_err();
    assert!(
        !failure.is_transient() || matches!(failure.fault, Fault::Lost { .. }),
        "{failure}"
    );
    assert!(!failure.to_string().contains("wrong-secret"), "{failure}");
}

/// An inventory whose group reads the image from a server of HTTP.
fn from_http(inventory: &mut Inventory, source: &RealServer) {
    let server = FileServer {
        address: address(source, Scheme::Http),
        root: String::new(),
        ..(*inventory.file_servers[0]).clone()
    };
    let server = Arc::new(server);
    inventory.file_servers = vec![Arc::clone(&server)];
    inventory.groups = vec![Arc::new(Group {
        source: SourceChoice::FileServer(server),
        entities: inventory.entities.clone(),
        ..(*inventory.groups[0]).clone()
    })];
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_entities_get_an_image_by_put_that_is_read_once() {
    if !require_or_skip(&NGINX) {
        return;
    }
    let bytes = image(64 << 20);
    let (source, devices) = (RealServer::start(&NGINX), RealServer::start(&NGINX));
    source.put("adsl-2.bin", &bytes);
    let (mut inventory, _) = network(20, 0);
    inventory.memory = 4 << 20;
    let entities = inventory.entities.iter().map(|entity| {
        let path = format!("{}.bin", entity.name);
        Arc::new(Entity {
            address: address(&devices, Scheme::Http),
            path: RemotePath::new(&path).unwrap(),
            verify: VerifyMode::Size,
            http: Http {
                upload: Some(Upload::Put),
                ..Http::default()
            },
            ..(**entity).clone()
        })
    });
    inventory.entities = entities.collect();
    from_http(&mut inventory, &source);
    let run = Run::with_logins(&inventory, Logins::default());
    run.begin(&[GROUP]).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    assert_eq!(summary.source_bytes, bytes.len() as u64);
    assert!(summary.peak_pool_bytes <= 4 << 20, "{summary:?}");
    let names: Vec<String> = (1..=20).map(|number| format!("e{number:03}.bin")).collect();
    assert_eq!(devices.files(), names);
    for name in names {
        assert!(devices.file(&name).unwrap() == bytes, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_http_serves_entities_of_ftp() {
    if !require_or_skip(&NGINX) {
        return;
    }
    let (inventory, settings) = network(5, 3_000_001);
    let lab = lab(&inventory, &settings).await;
    let source = RealServer::start(&NGINX);
    let bytes = lab.image_bytes(IMAGE, 0, 3_000_001).unwrap();
    source.put("adsl-2.bin", &bytes);
    let mut inventory = lab.inventory().clone();
    from_http(&mut inventory, &source);
    let run = Run::with_logins(&inventory, Logins::default());
    run.begin(&[GROUP]).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    assert_eq!(summary.source_bytes, bytes.len() as u64);
    for entity in &inventory.entities {
        let held = lab.file(&entity.name, entity.path.as_str()).unwrap();
        assert!(held.same_as_image(IMAGE), "{}", entity.name);
    }
}
