//! Groups over SFTP, and over several protocols at once: the same promises.

use std::sync::Arc;
use std::time::Duration;

use crate::support::run::{Run, assert_delivered, assert_failed, assert_untouched, entity};
use crate::support::scripted::{Script, ScriptedServer};
use crate::support::tls::{Identity, ServerTls};
use crate::support::{GROUP, IMAGE, PATH, SERVER, behave, lab, network, over, with_group};
use subtend::lab::Behaviour;
use subtend::model::{
    Entity, EntityState, HostKey, HostTrust, Inventory, Outcome, Scheme, Step, Tls, Trust, Verified,
};

const MIB: u64 = 1 << 20;

/// Read once, bounded, identical (promises 1 and 2).
#[tokio::test(flavor = "multi_thread")]
async fn twenty_entities_of_sftp_get_16_mib_out_of_1_mib_of_memory() {
    let (mut inventory, settings) = network(20, 16 * MIB);
    inventory.memory = MIB;
    over(&mut inventory, |_| Scheme::Sftp, Scheme::Sftp);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    assert_eq!(summary.source_bytes, 16 * MIB);
    assert_eq!(lab.bytes_served(SERVER), 16 * MIB);
    assert_eq!(lab.sessions(SERVER), 1);
    let peak = summary.peak_pool_bytes;
    assert!(peak > 0 && peak <= MIB, "{peak}");
    for number in 1..=20 {
        let name = format!("e{number:03}");
        assert_delivered(&lab, &summary, &name, IMAGE);
        let said = entity(&summary, &name);
        assert_eq!((said.attempts, said.verified), (1, Verified::Readback));
    }
    lab.stop().await;
}

/// The inventory of a lab with one more entity, in its group too.
fn with_one_more(inventory: &Inventory, more: Entity) -> Inventory {
    let mut inventory = inventory.clone();
    let more = Arc::new(more);
    inventory.entities.push(Arc::clone(&more));
    with_group(&mut inventory, |group| group.entities.push(more));
    inventory
}

/// FTP, FTP over TLS, and SFTP.
#[tokio::test(flavor = "multi_thread")]
async fn one_pool_feeds_entities_of_several_protocols() {
    for source in [Scheme::Ftp, Scheme::Sftp] {
        let (mut inventory, settings) = network(6, 4 * MIB);
        inventory.memory = MIB;
        let alternate = |entity: &Entity| match entity.name.ends_with(['1', '3', '5']) {
            true => Scheme::Sftp,
            false => Scheme::Ftp,
        };
        over(&mut inventory, alternate, source);
        let lab = lab(&inventory, &settings).await;
        let identity = Identity::self_signed();
        let trust = Trust::Pinned(identity.fingerprint());
        let server = ScriptedServer::start(Script {
            tls: Some(ServerTls::new(identity)),
            ..Script::default()
        })
        .await;
        server.put(PATH, "old");
        let mut secure = crate::support::entity("secure", "1");
        secure.address.scheme = Scheme::FtpsExplicit;
        secure.address.port = server.address().port();
        secure.tls = Tls {
            trust,
            ..Tls::default()
        };
        let inventory = with_one_more(lab.inventory(), secure);
        let (summary, _) = Run::start(&inventory, &[GROUP]).await.finish().await;

        assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
        assert_eq!(summary.groups[0].passes, 1);
        assert_eq!(lab.bytes_served(SERVER), 4 * MIB);
        assert!(summary.peak_pool_bytes <= MIB);
        for number in 1..=6 {
            assert_delivered(&lab, &summary, &format!("e{number:03}"), IMAGE);
        }
        let image = lab.image_bytes(IMAGE, 0, 4 << 20).unwrap();
        assert!(server.file(PATH).unwrap() == image);
        assert_eq!(entity(&summary, "secure").state, EntityState::Delivered);
        assert_eq!(server.files().len(), 1);
        server.stop().await;
        lab.stop().await;
    }
}

/// What an entity does, at which step it fails, and the words of the cause.
fn faults() -> Vec<(&'static str, Behaviour, Step, &'static str)> {
    let usual = Behaviour::default;
    let in_the_middle = Some(MIB / 2);
    vec![
        (
            "full",
            Behaviour {
                disk_full_at: in_the_middle,
                ..usual()
            },
            Step::Send,
            "disk full on purpose",
        ),
        (
            "cut",
            Behaviour {
                drop_at: in_the_middle,
                ..usual()
            },
            Step::Send,
            "SSH connection",
        ),
        (
            "stalled",
            Behaviour {
                silent_at: in_the_middle,
                ..usual()
            },
            Step::Send,
            "no progress for",
        ),
        (
            "denied",
            Behaviour {
                read_only: true,
                ..usual()
            },
            Step::Open,
            "read-only",
        ),
        (
            "login",
            Behaviour {
                refuse_login: true,
                ..usual()
            },
            Step::Login,
            "does not let anonymous in",
        ),
        (
            "key",
            Behaviour {
                other_host_key: true,
                ..usual()
            },
            Step::Connect,
            "host key",
        ),
        (
            "rename",
            Behaviour {
                refuse_rename: true,
                ..usual()
            },
            Step::Rename,
            "renames nothing",
        ),
        (
            "unconfirmed",
            Behaviour {
                no_confirm: true,
                ..usual()
            },
            Step::Confirm,
            "not confirmed within",
        ),
        (
            "liar",
            Behaviour {
                corrupt_at: in_the_middle,
                ..usual()
            },
            Step::Verify,
            "SHA-256 is",
        ),
        (
            "short",
            Behaviour {
                truncate_at: in_the_middle,
                ..usual()
            },
            Step::Verify,
            "the entity holds 524288 bytes; 1048576 were sent",
        ),
        (
            "busy",
            Behaviour {
                busy_times: Some(u32::MAX),
                ..usual()
            },
            Step::Connect,
            "the server closed it",
        ),
    ]
}

/// State, step, cause, and what the entity holds (promise 3): the old image, always.
#[tokio::test(flavor = "multi_thread")]
async fn every_class_of_fault_over_sftp_has_its_cause_and_costs_no_image() {
    let faults = faults();
    let (mut inventory, mut settings) = network(faults.len() + 1, MIB);
    over(&mut inventory, |_| Scheme::Sftp, Scheme::Sftp);
    for entity in &mut inventory.entities {
        let timeouts = &mut Arc::make_mut(entity).timeouts;
        timeouts.progress = Duration::from_secs(3);
        timeouts.confirm = Duration::from_secs(3);
    }
    let entities = inventory.entities.clone();
    with_group(&mut inventory, |group| group.entities = entities);
    let name = |number: usize| format!("e{number:03}");
    for (number, (_, behaviour, ..)) in faults.iter().enumerate() {
        behave(&mut settings, &name(number + 1), behaviour.clone());
    }
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Partial);
    for (number, (what, ..)) in faults.iter().enumerate() {
        println!("{what}: {:?}", entity(&summary, &name(number + 1)));
    }
    for (number, (what, _, step, words)) in faults.iter().enumerate() {
        let name = name(number + 1);
        let said = assert_failed(&summary, &name, *step);
        let cause = said.cause.clone().unwrap_or_default();
        assert!(cause.contains(words), "{what}: {said:?}");
        // One that answers nothing any more can't be asked to remove its staging file.
        match said.left.is_some() {
            true => assert_eq!(lab.file(&name, PATH).unwrap().size(), 4096, "{what}"),
            false => assert_untouched(&lab, &name),
        }
    }
    assert_delivered(&lab, &summary, &name(faults.len() + 1), IMAGE);
    lab.stop().await;
}

/// The key that a lab shows is the one that counts: an inventory with another pin sends it nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_with_another_pin_reaches_no_login() {
    let (mut inventory, settings) = network(1, MIB);
    over(&mut inventory, |_| Scheme::Sftp, Scheme::Ftp);
    let pinned = HostTrust::Key([HostKey([7; 32])].into());
    Arc::make_mut(&mut inventory.entities[0]).ssh.trust = pinned;
    let entities = inventory.entities.clone();
    with_group(&mut inventory, |group| group.entities = entities);
    let lab = lab(&inventory, &settings).await;
    let shown = lab.served().iter().find_map(|served| served.host_key);
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    let cause = entity(&summary, "e001").cause.clone().unwrap();
    assert!(cause.contains(&shown.unwrap().to_string()), "{cause}");
    assert!(cause.contains(&HostKey([7; 32]).to_string()), "{cause}");
    assert_untouched(&lab, "e001");
    lab.stop().await;
}
