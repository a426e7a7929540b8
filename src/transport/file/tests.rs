//! Reading files of this host, and all that can stand in their place.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use super::workers::MOST;
use super::*;
use crate::model::{Address, Dialect, Login, RemotePath, Scheme, Ssh, Timeouts, Tls};
use crate::transport::Endpoint;

/// Longer than what is read at once.
const SIZE: usize = 700_001;

fn bytes() -> Vec<u8> {
    (0..SIZE).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn at(folder: &Path, name: &str) -> Remote {
    Remote {
        endpoint: Endpoint {
            address: Address {
                scheme: Scheme::File,
                host: folder.to_str().unwrap().into(),
                port: 0,
            },
            login: Arc::new(Login::anonymous()),
            timeouts: Timeouts::default(),
            tls: Tls::default(),
            ssh: Ssh::default(),
            dialect: Dialect::default(),
            http: crate::model::Http::default(),
        },
        path: RemotePath::new(&format!("{}/{name}", folder.display())).unwrap(),
    }
}

/// A folder with an image, and the way to it.
fn stick() -> (tempfile::TempDir, Remote) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.bin"), bytes()).unwrap();
    let remote = at(folder.path(), "a.bin");
    (folder, remote)
}

/// Reads to the end in pieces of this length.
async fn rest(source: &mut dyn Source, piece: usize) -> Result<Vec<u8>, Failure> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match source.read(&mut buffer).await? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

async fn failed(remote: &Remote) -> Failure {
    match FileTransport::new().open_source(remote, 0).await {
        Ok(_) => panic!("{} was opened", remote.path),
        Err(failure) => failure,
    }
}

#[tokio::test]
async fn a_file_is_read_from_any_offset_in_pieces_of_any_length() {
    let (_folder, remote) = stick();
    let (transport, all) = (FileTransport::new(), bytes());
    for (offset, piece) in [
        (0, 64 * 1024),
        (0, 1 << 20),
        (1, 777),
        (262_143, 262_145),
        (SIZE as u64 - 1, 10),
        (SIZE as u64, 10),
    ] {
        let mut source = transport.open_source(&remote, offset).await.unwrap();
        assert_eq!(source.size(), Some(SIZE as u64));
        let read = rest(&mut *source, piece).await.unwrap();
        assert!(read == all[offset as usize..], "{offset} {piece}");
        // And its end stays its end.
        assert_eq!(source.read(&mut [0; 8]).await, Ok(0));
    }
    assert_eq!(transport.size_of(&remote).await, Ok(Some(SIZE as u64)));
    let past = transport.open_source(&remote, SIZE as u64 + 1).await;
    let fault = past.err().unwrap().fault;
    assert!(matches!(fault, Fault::SourceChanged { .. }), "{fault}");
}

/// A read that was given up goes on where it was.
#[tokio::test]
async fn a_read_that_is_dropped_has_read_nothing() {
    let (_folder, remote) = stick();
    let mut source = FileTransport::new().open_source(&remote, 0).await.unwrap();
    let mut read = Vec::new();
    while read.len() < SIZE {
        let mut buffer = [0; 10_000];
        // Polled once and dropped.
        let first = futures_util::poll!(source.read(&mut buffer));
        let count = match first {
            std::task::Poll::Ready(count) => count.unwrap(),
            std::task::Poll::Pending => source.read(&mut buffer).await.unwrap(),
        };
        read.extend_from_slice(&buffer[..count]);
    }
    assert!(read == bytes());
}

type Change = fn(&Path);

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_no_image() {
    let other = |path: &Path| {
        let next = path.with_extension("next");
        let mut other = bytes();
        other[SIZE - 1] ^= 1;
        fs::write(&next, other).unwrap();
        // As old as the one that it replaces.
        let time = fs::metadata(path).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&next).unwrap();
        file.set_modified(time).unwrap();
        fs::rename(&next, path).unwrap();
    };
    let in_place = |path: &Path| {
        let time = fs::metadata(path).unwrap().modified().unwrap();
        let mut other = bytes();
        other[SIZE - 1] ^= 1;
        fs::write(path, other).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(time).unwrap();
    };
    let changes: [(Change, &str); 7] = [
        (
            |path| fs::write(path, &bytes()[..300_000]).unwrap(),
            "now has 300000",
        ),
        (
            |path| fs::write(path, [bytes(), vec![1]].concat()).unwrap(),
            "now has 700002",
        ),
        (
            |path| fs::write(path, bytes()).unwrap(),
            "it was written to at",
        ),
        (in_place, "it was written to, or"),
        (other, "another file has its name"),
        (
            |path| fs::remove_file(path).unwrap(),
            "it is not there any more",
        ),
        (
            |path| {
                // It has one name more for a while.
                fs::hard_link(path, path.with_extension("link")).unwrap();
                fs::remove_file(path.with_extension("link")).unwrap();
            },
            "its name, links or rights changed",
        ),
    ];
    for (number, (change, said)) in changes.into_iter().enumerate() {
        let (folder, remote) = stick();
        let long_ago = SystemTime::now() - Duration::from_secs(1000);
        let path = folder.path().join("a.bin");
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(long_ago).unwrap();
        let mut source = FileTransport::new().open_source(&remote, 0).await.unwrap();
        let begun = source.read(&mut [0; 1000]).await.unwrap();
        assert_eq!(begun, 1000);
        change(&path);
        let failure = rest(&mut *source, 64 * 1024).await.unwrap_err();
        assert!(
            matches!(&failure.fault, Fault::SourceChanged { reason } if reason.contains(said)),
            "{number}: {failure}"
        );
        assert!(source.read(&mut [0; 8]).await.is_err(), "{number}");
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_with_what_it_is() {
    let (folder, _) = stick();
    let place = folder.path();
    fs::create_dir(place.join("folder")).unwrap();
    // Opened for reading, a pipe would wait for ever.
    nix::unistd::mkfifo(&place.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.join("socket")).unwrap();
    for (name, is) in [
        ("folder", "a folder"),
        ("pipe", "a pipe"),
        ("socket", "a socket"),
    ] {
        let failure = failed(&at(place, name)).await;
        let fault = &failure.fault;
        assert!(
            matches!(fault, Fault::NotReadable { reply } if reply.contains(is)),
            "{failure}"
        );
        assert!(!failure.is_transient());
    }
    let failure = failed(&at(Path::new("/dev"), "zero")).await;
    assert!(
        failure
            .to_string()
            .ends_with("/dev/zero is a device, not a file"),
        "{failure}"
    );
    let failure = failed(&at(place, "b.bin")).await;
    assert!(matches!(failure.fault, Fault::NoFile { .. }), "{failure}");
    let failure = failed(&at(&place.join("usb"), "a.bin")).await;
    assert!(
        failure.to_string().contains("is its medium mounted?"),
        "{failure}"
    );
    assert!(!failure.is_transient());
    if !nix::unistd::geteuid().is_root() {
        fs::set_permissions(place.join("a.bin"), fs::Permissions::from_mode(0o0)).unwrap();
        let failure = failed(&at(place, "a.bin")).await;
        assert!(
            matches!(failure.fault, Fault::NotReadable { .. }),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn links_are_followed_and_not_out_of_the_folder() {
    let (folder, _) = stick();
    let (place, outside) = (folder.path(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "root:x").unwrap();
    symlink("a.bin", place.join("latest.bin")).unwrap();
    symlink(outside.path().join("secret"), place.join("stolen.bin")).unwrap();
    symlink(outside.path(), place.join("elsewhere")).unwrap();
    symlink("loop.bin", place.join("loop.bin")).unwrap();
    let transport = FileTransport::new();
    let mut latest = transport
        .open_source(&at(place, "latest.bin"), 0)
        .await
        .unwrap();
    assert!(rest(&mut *latest, 100_000).await.unwrap() == bytes());
    for name in ["stolen.bin", "elsewhere/secret"] {
        let said = failed(&at(place, name)).await.to_string();
        assert!(said.contains("name that folder in the url"), "{said}");
    }
    failed(&at(place, "loop.bin")).await;
    // The folder itself may be a link.
    symlink(place, outside.path().join("current")).unwrap();
    let remote = at(&outside.path().join("current"), "a.bin");
    assert_eq!(transport.size_of(&remote).await, Ok(Some(SIZE as u64)));
}

#[tokio::test]
async fn a_medium_that_is_gone_may_come_back() {
    let (folder, remote) = stick();
    let transport = FileTransport::new();
    drop(transport.open_source(&remote, 0).await.unwrap());
    fs::remove_file(folder.path().join("a.bin")).unwrap();
    let gone = transport.open_source(&remote, 0).await.err().unwrap();
    assert!(
        gone.is_transient() && gone.to_string().contains("was its medium removed?"),
        "{gone}"
    );
    fs::write(folder.path().join("a.bin"), bytes()).unwrap();
    assert!(transport.open_source(&remote, 0).await.is_ok());
    // Its medium is there again, and the file is not: it is missing.
    fs::remove_file(folder.path().join("a.bin")).unwrap();
    assert!(!failed(&remote).await.is_transient());
}

#[test]
fn errors_of_the_medium_may_pass() {
    let (_folder, remote) = stick();
    let asked = FileTransport::new().asked(&remote);
    let of = |number| asked.fault(&asked.path, &std::io::Error::from_raw_os_error(number));
    for (number, may_pass) in [
        (nix::libc::EIO, true),
        (nix::libc::ENODEV, true),
        (nix::libc::ESTALE, true),
        (nix::libc::ELOOP, false),
        (nix::libc::EACCES, false),
    ] {
        let failure = Failure::new(Step::Read, of(number));
        assert_eq!(failure.is_transient(), may_pass, "{failure}");
        assert!(failure.to_string().contains("/a.bin: "), "{failure}");
    }
}

#[tokio::test]
async fn a_folder_is_listed_with_folders_first() {
    let (folder, remote) = stick();
    let place = folder.path();
    fs::create_dir(place.join("old")).unwrap();
    fs::write(place.join("B.bin"), "123").unwrap();
    nix::unistd::mkfifo(&place.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    symlink("nowhere", place.join("dangling")).unwrap();
    symlink("B.bin", place.join("c.bin")).unwrap();
    let transport = FileTransport::new();
    let directory = |path: &Path| Directory {
        endpoint: remote.endpoint.clone(),
        path: path.to_str().unwrap().into(),
    };
    let listed = transport.list(&directory(place)).await.unwrap();
    let listed: Vec<_> = (listed.iter())
        .map(|one| (&*one.name, one.is_directory, one.size))
        .collect();
    assert_eq!(
        listed,
        [
            ("old", true, None),
            ("B.bin", false, Some(3)),
            ("a.bin", false, Some(SIZE as u64)),
            ("c.bin", false, Some(3)),
        ]
    );
    let none = transport
        .list(&directory(&place.join("old")))
        .await
        .unwrap();
    assert_eq!(none, []);
    let failure = transport
        .list(&directory(&place.join("a.bin")))
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("not a folder"), "{failure}");
    let failure = transport
        .list(&directory(Path::new("/etc")))
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("out of "), "{failure}");
}

/// A mount whose server is gone: each call that is made there stays, and there is an end to them.
#[tokio::test]
async fn calls_that_never_come_back_are_bounded_and_hold_nobody_up_for_ever() {
    let workers = Workers::default();
    let limit = ("stat", Duration::from_millis(100));
    let (come_back, hung) = mpsc::channel::<()>();
    let hung = Arc::new(Mutex::new(hung));
    let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
    let hang = || {
        let (hung, entered) = (hung.clone(), entered.clone());
        move || {
            entered.send(()).unwrap();
            let _ = hung.lock().unwrap().recv();
            Ok(())
        }
    };
    for _ in 0..MOST + 3 {
        let failure = workers.run(Step::Open, limit, hang()).await.unwrap_err();
        assert!(matches!(failure.fault, Fault::NoReply { .. }), "{failure}");
        assert!(failure.is_transient());
    }
    // Those beyond the bound never began.
    let mut begun = 0;
    while inside.try_recv().is_ok() {
        begun += 1;
    }
    assert_eq!(begun, MOST);
    drop(come_back);
    let limit = ("stat", Duration::from_secs(60));
    assert_eq!(workers.run(Step::Open, limit, || Ok(7)).await, Ok(7));
}
