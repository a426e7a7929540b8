//! Images that are read from files of this host: a run to FTP entities, files that are changed while they
//! are read, and what is asked without a run.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::support::run::{Run, assert_delivered, assert_failed, assert_untouched};
use crate::support::{GROUP, IMAGE, SERVER, behave, lab, network, takes_at, with_group};
use subtend::lab::{Behaviour, Lab};
use subtend::model::{Address, FileServer, Inventory, Outcome, Scheme, SourceChoice, Step};
use subtend::protocol::{Command, Event, GroupSpec};

const MIB: u64 = 1 << 20;

/// The lab's inventory with the image in a folder, from where it is read.
fn from_folder(lab: &Lab, folder: &Path) -> Inventory {
    let size = lab.image_size(IMAGE).unwrap();
    let bytes = lab.image_bytes(IMAGE, 0, size as usize).unwrap();
    fs::write(folder.join("adsl-2.bin"), bytes).unwrap();
    let mut inventory = lab.inventory().clone();
    let folder = folder.to_str().unwrap();
    let server = Arc::new(FileServer {
        address: Address {
            scheme: Scheme::File,
            host: folder.into(),
            port: 0,
        },
        root: folder.into(),
        ..(*inventory.file_servers[0]).clone()
    });
    inventory.file_servers[0] = server.clone();
    with_group(&mut inventory, |group| {
        group.source = SourceChoice::FileServer(server)
    });
    inventory
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_get_an_image_from_a_folder_which_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let (inventory, settings) = network(20, 8 * MIB);
    let lab = lab(&inventory, &settings).await;
    let inventory = from_folder(&lab, folder.path());
    let run = Run::start(&inventory, &[GROUP]).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    for entity in &inventory.entities {
        assert_delivered(&lab, &summary, &entity.name, IMAGE);
    }
    assert_eq!(summary.source_bytes, 8 * MIB);
    assert_eq!(summary.delivered_bytes, 20 * 8 * MIB);
    assert!(summary.peak_pool_bytes <= inventory.memory);
    // The lab's own file server was not needed.
    assert_eq!(lab.sessions(SERVER), 0);
    lab.stop().await;
}

/// Another image of the same size is written over the file while it is read.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_a_mixture_of_two_images() {
    for in_place in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (inventory, mut settings) = network(2, 8 * MIB);
        // One buffer at a time: the source waits for them.
        behave(&mut settings, "*", takes_at(2 * MIB));
        let lab = lab(&inventory, &settings).await;
        let mut inventory = from_folder(&lab, folder.path());
        inventory.memory = 256 << 10;
        let run = Run::start(&inventory, &[GROUP]).await;
        lab.until_received("e001", MIB).await;
        let path = folder.path().join("adsl-2.bin");
        let other = vec![7; 8 << 20];
        if in_place {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.write_all_at(&other, 0).unwrap();
        } else {
            fs::write(path.with_extension("next"), &other).unwrap();
            fs::rename(path.with_extension("next"), &path).unwrap();
        }
        let (summary, _) = run.finish().await;
        assert_eq!(summary.outcome, Outcome::Failed);
        for entity in &inventory.entities {
            let said = assert_failed(&summary, &entity.name, Step::Read);
            let cause = said.cause.as_deref().unwrap();
            assert!(cause.contains("changed while it was read"), "{cause}");
            assert_untouched(&lab, &entity.name);
        }
        lab.stop().await;
    }
}

/// The folder is read a second time for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_failed_gets_the_image_from_the_folder_again() {
    let folder = tempfile::tempdir().unwrap();
    let (inventory, mut settings) = network(2, 4 * MIB);
    let drops = Behaviour {
        drop_at: Some(MIB),
        drop_times: Some(1),
        ..Behaviour::default()
    };
    behave(&mut settings, "e002", drops);
    let lab = lab(&inventory, &settings).await;
    let mut inventory = from_folder(&lab, folder.path());
    with_group(&mut inventory, |group| group.limits.retries = 3);
    let run = Run::start(&inventory, &[GROUP]).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{events:?}");
    for name in ["e001", "e002"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_lacks_the_image_leaves_entities_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (inventory, settings) = network(2, MIB);
    let lab = lab(&inventory, &settings).await;
    let inventory = from_folder(&lab, folder.path());
    fs::remove_file(folder.path().join("adsl-2.bin")).unwrap();
    let run = Run::start(&inventory, &[GROUP]).await;
    let (summary, _) = run.finish().await;
    for entity in &inventory.entities {
        let said = assert_failed(&summary, &entity.name, Step::Read);
        let cause = said.cause.as_deref().unwrap();
        assert!(cause.contains("no such file"), "{cause}");
        assert!(cause.contains("adsl-2.bin: No such file"), "{cause}");
        assert_untouched(&lab, &entity.name);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_looked_into_and_checked_without_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (inventory, settings) = network(1, MIB);
    let lab = lab(&inventory, &settings).await;
    let inventory = from_folder(&lab, folder.path());
    fs::create_dir(folder.path().join("old")).unwrap();
    let mut run = Run::idle(&inventory);
    let (server, path) = (SERVER.into(), String::new());
    run.send(Command::Browse { server, path }).await;
    let listed = run
        .until(|event| matches!(event, Event::Directory { .. }))
        .await;
    let Event::Directory { listing, .. } = listed else {
        unreachable!()
    };
    let names: Vec<_> = (listing.unwrap().entries.into_iter())
        .map(|entry| (entry.name, entry.size))
        .collect();
    assert_eq!(
        names,
        [("old".into(), None), ("adsl-2.bin".into(), Some(MIB))]
    );
    let groups = vec![GroupSpec::Named(GROUP.into())];
    run.send(Command::Probe {
        groups,
        force: false,
    })
    .await;
    let mut found = Vec::new();
    loop {
        let event = run
            .until(|event| matches!(event, Event::Probed { .. }))
            .await;
        let Event::Probed { checks, ended, .. } = event else {
            unreachable!()
        };
        found.extend(checks);
        if ended {
            break;
        }
    }
    let source = found.iter().find(|check| check.is_source).unwrap();
    assert_eq!((source.problem.as_ref(), source.size), (None, Some(MIB)));
    assert!(
        found.iter().all(|check| check.problem.is_none()),
        "{found:?}"
    );
    let (summary, _) = run.finish().await;
    assert!(summary.groups.is_empty());
    lab.stop().await;
}
