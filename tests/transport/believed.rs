//! What an earlier run has delivered is skipped when the entity proves that it holds it still, and
//! for no less where more could be known.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtend::model::{
    Address, EntityState, FileServer, Group, Inventory, Memories, Name, Outcome, Remembered,
    Scheme, SourceChoice, Verified,
};

use crate::common::image;
use crate::support::run::{Run, entity};
use crate::support::scripted::{Action, Reply, Script, ScriptedServer};
use crate::support::{PATH, network};

const SIZE: usize = 100_000;

fn at(server: &ScriptedServer) -> Address {
    Address {
        scheme: Scheme::Ftp,
        host: "127.0.0.1".into(),
        port: server.address().port(),
    }
}

/// What a run in 1970 is remembered to have delivered.
fn remembered(bytes: Option<&[u8]>) -> Remembered {
    Remembered {
        type_: "adsl".into(),
        version: "2".into(),
        size: Some(SIZE as u64),
        sha256: bytes.map(|bytes| Sha256::digest(bytes).into()),
        run: "r0".into(),
        at: Timestamp::UNIX_EPOCH,
        proven: true,
    }
}

/// A group per entity, named like it, and all of them read from a source of these bytes.
async fn site(entities: &[(&str, &ScriptedServer)], new: &[u8]) -> (Inventory, ScriptedServer) {
    let (mut inventory, _) = network(entities.len(), SIZE as u64);
    let source = ScriptedServer::start(Script::default()).await;
    source.put("/images/adsl-2.bin", new);
    let hq = Arc::new(FileServer {
        address: at(&source),
        ..(*inventory.file_servers[0]).clone()
    });
    let like = inventory.entities.clone();
    let entities: Vec<_> = (entities.iter().zip(like))
        .map(|((name, server), like)| {
            let mut one = (*like).clone();
            (one.name, one.address) = ((*name).into(), at(server));
            Arc::new(one)
        })
        .collect();
    let group = inventory.groups[0].clone();
    inventory.groups = (entities.iter())
        .map(|one| {
            Arc::new(Group {
                name: one.name.clone(),
                source: SourceChoice::FileServer(hq.clone()),
                entities: vec![one.clone()],
                ..(*group).clone()
            })
        })
        .collect();
    (inventory.file_servers, inventory.entities) = (vec![hq], entities);
    (inventory, source)
}

/// Its name, what it does, what it holds, whether a digest is known, why it is skipped if it is.
type Row<'a> = (&'a str, Script, Option<&'a [u8]>, bool, Option<&'a str>);

#[tokio::test(flavor = "multi_thread")]
async fn a_skip_is_proven_as_strongly_as_it_can_be_and_says_how() {
    let new = image(SIZE);
    let mut worn = new.clone();
    worn[SIZE / 2] ^= 1;
    let digests = |script| Script {
        digests: vec!["HASH"],
        ..script
    };
    let refusing = |verb| Script::default().on(verb, Reply::line("550 permission denied"));
    // Only the time says that the file is another one than before.
    let unreadable = refusing("RETR").handle(|line, state| {
        let renamed = state.commands.iter().any(|line| line.starts_with("RNTO"));
        match line.starts_with("MDTM") && renamed {
            true => Action::Reply(Reply::line("213 20260101000000")),
            false => Action::Default,
        }
    });
    let digest = "its size and digest were asked again";
    let read = "its file was read again";
    let by_size = "by size alone";
    let rows: [Row<'_>; 9] = [
        (
            "digest",
            digests(Script::default()),
            Some(&new),
            true,
            Some(digest),
        ),
        ("read", Script::default(), Some(&new), true, Some(read)),
        (
            "no digest after all",
            digests(refusing("HASH")),
            Some(&new),
            true,
            Some(read),
        ),
        ("worn", Script::default(), Some(&worn), true, None),
        (
            "worn, and says so",
            digests(Script::default()),
            Some(&worn),
            true,
            None,
        ),
        ("other size", Script::default(), Some(b"old"), true, None),
        ("none", Script::default(), None, true, None),
        // It has it, but nobody can know.
        ("unreadable", unreadable, Some(&new), true, None),
        (
            "never had one",
            Script::default(),
            Some(&new),
            false,
            Some(by_size),
        ),
    ];
    let mut servers = Vec::new();
    let mut memories: HashMap<Name, Remembered> = HashMap::new();
    for (name, script, holds, known, _) in &rows {
        let server = ScriptedServer::start(script.clone()).await;
        if let Some(bytes) = holds {
            server.put(PATH, *bytes);
        }
        servers.push((*name, server));
        memories.insert((*name).into(), remembered(known.then_some(&new)));
    }
    let entities: Vec<_> = servers.iter().map(|(name, one)| (*name, one)).collect();
    let (mut inventory, _source) = site(&entities, &new).await;
    // One group of them all.
    let mut all = (*inventory.groups[0]).clone();
    (all.name, all.entities) = ("all".into(), inventory.entities.clone());
    inventory.groups = vec![Arc::new(all)];
    let mut run = Run::knowing(&inventory, Memories(memories));
    run.begin(&["all"]).await;
    run.until_state("digest", EntityState::Skipped).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    for ((name, _, _, _, why), (_, server)) in rows.iter().zip(&servers) {
        let said = entity(&summary, name);
        match why {
            Some(why) => {
                let cause = said.cause.as_deref().unwrap_or_default();
                assert_eq!(said.state, EntityState::Skipped, "{said:?}");
                assert!(
                    cause.starts_with("delivered by run r0 on 1970-01-01 00:00 UTC; ")
                        && cause.contains(why),
                    "{name}: {cause}"
                );
                assert_eq!(server.log().uploads.len(), 0, "{name}");
            }
            None => {
                assert_eq!(said.state, EntityState::Delivered, "{said:?}");
                assert!(server.file(PATH).unwrap() == new, "{name}");
            }
        }
    }
    // What was taken by its size is counted with those that can't be read.
    assert_eq!(summary.delivered_unproven, 1);
    assert_eq!(entity(&summary, "unreadable").verified, Verified::Size);
}

/// Nobody changed its version, its size or the inventory: only reading it shows that.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_built_again_is_sent_once_this_engine_has_read_it() {
    let new = image(SIZE);
    let mut old = new.clone();
    old[7] ^= 1;
    let had = ScriptedServer::start(Script::default()).await;
    had.put(PATH, old.as_slice());
    let other = ScriptedServer::start(Script::default()).await;
    let (inventory, _source) = site(&[("had", &had), ("other", &other)], &new).await;
    let memories = HashMap::from([("had".into(), remembered(Some(&old)))]);
    let mut run = Run::knowing(&inventory, Memories(memories));
    run.begin(&["had"]).await;
    run.until_state("had", EntityState::Skipped).await;
    run.begin(&["other"]).await;
    run.until_state("other", EntityState::Delivered).await;
    run.begin(&["had"]).await;
    run.until_state("had", EntityState::Delivered).await;
    assert!(had.file(PATH).unwrap() == new);
    run.finish().await;
}
