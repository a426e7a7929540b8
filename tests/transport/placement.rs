//! No entity has less than before, and no success is false: devices that lose images with a client
//! that believes them, each over a real socket. What `placement` decides in all histories is tested
//! beside it; here it is shown that a real session asks, and carries out, what it decides.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use subtend::model::staging::{File, Names as Named};
use subtend::model::{Failure, Fault, Holds, Staging, Step, Verified, VerifyMode};
use subtend::placement::{self, Delivery, Entity, Known, Opened, Use};
use subtend::transport::ftp::FtpTransport;
use subtend::transport::{Destination, Transport};
use tokio::task::JoinSet;

use crate::common::*;
use crate::probe::probe;
use crate::support::scripted::{Action, NameCut, Passive, Reply, Script, ScriptedServer};
use crate::support::within;

const SIZE: usize = 70_000;

/// What an attempt came to.
#[derive(Debug)]
struct Attempt {
    result: Result<Verified, Failure>,
    /// `None` where nobody could look.
    holds: Option<Holds>,
    /// Why something was left.
    kept: Option<String>,
    began: Option<Opened>,
}

impl Attempt {
    fn cause(&self) -> String {
        self.result.as_ref().unwrap_err().to_string()
    }

    /// Failed for a reason with these words in it, and the entity holds what it did.
    fn assert_failed(&self, words: &str) {
        assert!(self.cause().contains(words), "{self:?}");
        assert_eq!(self.holds, Some(Holds::Old), "{self:?}");
        assert_eq!(self.kept, None, "{self:?}");
    }
}

/// One attempt, as an agent makes it: given up where it fails.
async fn attempt(destination: &Destination, bytes: &[u8], known: Option<&Known>) -> Attempt {
    let image = digest(bytes);
    let transport = FtpTransport::new();
    let opened = within(SOON * 3, Delivery::open(&transport, destination, known)).await;
    let (mut delivery, began) = match opened {
        Ok(opened) => opened,
        Err(not_opened) => {
            return Attempt {
                result: Err(not_opened.failure),
                holds: not_opened.holds,
                kept: not_opened.left.map(|path| path.to_string()),
                began: None,
            };
        }
    };
    let result = async {
        match began {
            Opened::Placed(verified) => return Ok(verified),
            Opened::Staged => {}
            Opened::Writing => {
                write_all(&mut delivery, bytes).await?;
                delivery.finish().await?;
                delivery.verify(&image).await?;
            }
        }
        delivery.commit(&image).await
    };
    let result = within(SOON * 3, result).await;
    let mut kept = None;
    if result.is_err() {
        kept = within(SOON, delivery.discard(false)).await.err();
    }
    let holds = Some(delivery.holds());
    within(SOON, delivery.close()).await;
    Attempt {
        result,
        holds,
        kept: kept.map(|failure| failure.to_string()),
        began: Some(began),
    }
}

/// The image, after an attempt that had it confirmed.
fn confirmed(bytes: &[u8]) -> Known {
    Known {
        image: digest(bytes),
        may_be_placed: true,
    }
}

fn proving(server: &ScriptedServer, verify: VerifyMode) -> Destination {
    Destination {
        verify,
        ..destination(server)
    }
}

/// A server that refuses renames in these words, as far as it refuses any.
fn refusing(reply: &str) -> Behaviour {
    Behaviour {
        rename_reply: Some(reply.into()),
        ..Behaviour::default()
    }
}

/// The entity holds this under that name, and nothing else.
fn assert_only(server: &ScriptedServer, path: &str, bytes: &[u8]) {
    assert!(server.file(path).unwrap() == bytes, "other bytes: {path}");
    assert_eq!(server.files().len(), 1, "{:?}", server.files());
}

fn assert_delivered_and_known(server: &ScriptedServer, attempt: &Attempt, bytes: &[u8]) {
    assert!(attempt.result.is_ok(), "{attempt:?}");
    assert_eq!(attempt.holds, Some(Holds::New));
    assert_delivered(server, bytes);
}

// --- Names that are one. -------------------------------------------------------------------------

/// Names as they are cut, a path, and a pattern that gives the same name there.
fn cutting() -> [(Behaviour, &'static str, &'static str); 5] {
    let cut = |cut, fold_case| Behaviour {
        cut_names: cut,
        fold_case,
        ..Behaviour::default()
    };
    let first = |most| cut(Some(NameCut::At(most)), false);
    [
        (
            cut(Some(NameCut::Dos), true),
            "/flash/image.bin",
            "{name}.subtend",
        ),
        (first(12), "/flash/image12c.bin", "{name}.subtend"),
        (first(14), "/flash/image-2.40.bin", "{name}.new"),
        (
            first(31),
            "/flash/adsl-firmware-release-2.4.0.bin",
            "{name}.subtend",
        ),
        (cut(None, true), "/flash/image.bin", "IMAGE.BIN"),
    ]
}

async fn cutting_device(names: Behaviour, path: &str) -> ScriptedServer {
    let server = ScriptedServer::start(Script::behaving(names)).await;
    server.put(path, OLD);
    server
}

#[tokio::test]
async fn an_image_keeps_its_name_where_names_are_cut_or_folded() {
    for (names, path, pattern) in cutting() {
        for pattern in ["auto", pattern] {
            let server = cutting_device(names.clone(), path).await;
            let mut destination = at_path(destination(&server), path);
            destination.names = Named::new(&destination.remote.path, pattern, "").unwrap();
            let bytes = image(SIZE);
            let transport = FtpTransport::new();
            let mut sink = open_sink(&transport, &destination).await.unwrap();
            write_all(&mut sink, &bytes[..SIZE / 2]).await.unwrap();
            server.until(|log| log.uploads[0].taken > 1000).await;
            assert!(server.file(path).unwrap() == OLD, "{names:?} {pattern}");
            // Given up in the middle, and tidied by a run that knows nothing but the names.
            within(SOON, sink.discard(false)).await.unwrap();
            within(SOON, sink.close()).await;
            assert_only(&server, path, OLD);
            let _ = within(SOON, placement::discard(&transport, &destination)).await;
            assert_only(&server, path, OLD);

            let attempt = attempt(&destination, &bytes, None).await;
            assert_eq!(attempt.result, Ok(Verified::Size), "{names:?} {pattern}");
            assert_eq!(attempt.holds, Some(Holds::New));
            assert_only(&server, path, &bytes);
        }
    }
}

/// With no file there it can't be shown that the names are two.
#[tokio::test]
async fn names_that_may_be_one_are_not_written_to_a_new_entity() {
    for (names, path, pattern) in cutting() {
        let server = cutting_device(names.clone(), path).await;
        server.remove(path);
        let mut destination = at_path(destination(&server), path);
        destination.names = Named::new(&destination.remote.path, pattern, "").unwrap();
        let attempt = attempt(&destination, &image(SIZE), None).await;
        assert_eq!(
            attempt.result,
            failed(Step::Prepare, Fault::NamesAlike),
            "{names:?}"
        );
        assert_eq!(attempt.holds, Some(Holds::Nothing));
        assert_eq!(server.log().count("STOR"), 0);
    }
}

/// The image gets the name that it has for people, not another one beside the old image.
#[tokio::test]
async fn a_name_in_letters_of_its_own_is_the_same_name_on_the_entity() {
    let path = "/flash/прошивка-é.bin";
    let names = Behaviour {
        encode_names: true,
        ..Behaviour::default()
    };
    let server = cutting_device(names, path).await;
    let destination = at_path(destination(&server), path);
    for round in 0..2 {
        let bytes = image(SIZE + round);
        let attempt = attempt(&destination, &bytes, None).await;
        assert_eq!(attempt.result, Ok(Verified::Size));
        assert_eq!(attempt.holds, Some(Holds::New));
        assert_only(&server, path, &bytes);
    }
}

// --- A rename that is refused. -------------------------------------------------------------------

const REFUSALS: [&str; 5] = [
    "501 bad name",
    "504 not for that",
    "532 need account for storing files",
    "550 permission denied",
    "553 file exists",
];

#[tokio::test]
async fn where_nothing_is_renamed_onto_a_file_the_old_image_makes_way_and_goes_last() {
    for instead in REFUSALS {
        let server = device(Script::behaving(Behaviour {
            no_overwrite: true,
            ..refusing(instead)
        }))
        .await;
        for round in 0..2 {
            let bytes = image(SIZE + round);
            let attempt = attempt(&destination(&server), &bytes, None).await;
            assert_delivered_and_known(&server, &attempt, &bytes);
        }
        let deleted = server.log().commands().contains(&&*format!("DELE {PATH}"));
        assert!(!deleted, "{instead}");
    }
}

#[tokio::test]
async fn where_nothing_is_renamed_at_all_the_old_image_stays_run_after_run() {
    for instead in REFUSALS {
        for delete_first in [false, true] {
            let server = device(Script::behaving(Behaviour {
                refuse_rename: true,
                ..refusing(instead)
            }))
            .await;
            let mut destination = destination(&server);
            destination.delete_first = delete_first;
            for _ in 0..2 {
                let attempt = attempt(&destination, &image(SIZE), None).await;
                attempt.assert_failed(instead);
                assert_untouched(&server);
            }
        }
    }
}

/// The old image is moved aside, and then the entity does not let the new one have its name.
#[tokio::test]
async fn an_old_image_that_was_moved_aside_is_put_back() {
    for instead in REFUSALS {
        let renames = AtomicUsize::new(0);
        let script = Script::behaving(Behaviour {
            no_overwrite: true,
            ..refusing(instead)
        })
        .handle(move |line, _| {
            // Onto the old image, and once that is moved aside; and not back.
            let is_named = line == format!("RNTO {PATH}");
            match is_named && renames.fetch_add(1, SeqCst) == 1 {
                true => Action::Reply(Reply::line(instead)),
                false => Action::Default,
            }
        });
        let server = device(script).await;
        let refused = attempt(&destination(&server), &image(SIZE), None).await;
        refused.assert_failed(instead);
        assert!(
            server
                .log()
                .commands()
                .contains(&&*format!("RNTO {}", aside()))
        );
        assert_untouched(&server);
    }
}

/// Nor let the old one have it back, although it replaces no file: nothing is deleted but what was
/// rehearsed with, and the next run puts it right.
#[tokio::test]
async fn an_old_image_that_stays_aside_is_put_back_by_the_next_run() {
    let locked = Arc::new(AtomicBool::new(true));
    let is_locked = Arc::clone(&locked);
    let script = Script::behaving(Behaviour {
        no_overwrite: true,
        ..Behaviour::default()
    })
    .handle(
        move |line, _| match line == format!("RNTO {PATH}") && is_locked.load(SeqCst) {
            true => Action::Reply(Reply::line("553 locked")),
            false => Action::Default,
        },
    );
    let server = device(script).await;
    let bytes = image(SIZE);
    let first = attempt(&destination(&server), &bytes, None).await;
    assert!(first.cause().contains("can't be put back"), "{first:?}");
    assert!(first.cause().contains("553 locked"), "{first:?}");
    assert_eq!(first.holds, Some(Holds::NewStaged));
    assert!(server.file(&aside()).unwrap() == OLD);
    assert!(server.file(&staging()).unwrap() == bytes);

    // It can't yet.
    let again = attempt(&destination(&server), &bytes, None).await;
    assert!(again.cause().contains("can't be put back"), "{again:?}");
    let log = server.log();
    let deleted = log
        .commands()
        .into_iter()
        .filter(|line| line.starts_with("DELE"));
    assert_eq!(deleted.collect::<Vec<_>>(), [format!("DELE {}", spare())]);

    locked.store(false, SeqCst);
    let last = attempt(&destination(&server), &bytes, Some(&confirmed(&bytes))).await;
    assert_eq!(last.began, Some(Opened::Staged), "it is not sent again");
    assert_delivered_and_known(&server, &last, &bytes);
}

/// Killed in the middle, by which the entity has no file under the name.
#[tokio::test]
async fn an_old_image_that_a_killed_run_left_aside_is_put_back_first() {
    let server = ScriptedServer::start(Script::default().on("STOR", Reply::line("552 full"))).await;
    server.put(&aside(), OLD);
    let attempt = attempt(&destination(&server), &image(SIZE), None).await;
    attempt.assert_failed("552 full");
    assert_untouched(&server);
}

#[tokio::test]
async fn a_rename_that_is_refused_for_a_while_is_asked_for_again() {
    for instead in ["450 busy", "451 flash is being erased"] {
        let server = device(Script::behaving(Behaviour {
            busy_renames: Some(2),
            ..refusing(instead)
        }))
        .await;
        let bytes = image(SIZE);
        let mut destination = destination(&server);
        destination.delete_first = true;
        let delivered = attempt(&destination, &bytes, None).await;
        assert_delivered_and_known(&server, &delivered, &bytes);
        assert_eq!(server.log().count("DELE"), 0);

        // For ever: then it is given up, and nothing was deleted or moved but the copy.
        let server = device(Script::behaving(Behaviour {
            refuse_rename: true,
            ..refusing(instead)
        }))
        .await;
        destination.remote = remote(&server);
        let attempt = attempt(&destination, &bytes, None).await;
        attempt.assert_failed(instead);
        assert!(attempt.result.unwrap_err().is_transient());
        assert_untouched(&server);
        let log = server.log();
        let commands = log.commands();
        let moves = |line: &&&str| line.starts_with("RNTO") && !line.ends_with(PATH);
        assert_eq!(commands.iter().filter(moves).count(), 0, "{commands:?}");
        assert!(!commands.contains(&&*format!("DELE {PATH}")));
    }
}

// --- The connection is lost between two commands. ------------------------------------------------

/// At each command that changes anything, before and after it; then an attempt that is refused, and
/// one that is not. There is a whole image all the time, and in the end it is the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_at_any_command_costs_no_image() {
    let mut histories = JoinSet::new();
    for verb in ["RNFR", "RNTO", "DELE", "SIZE", "RETR"] {
        for nth in 0..5 {
            for done in [false, true] {
                for kept in [false, true] {
                    histories.spawn(lost_at(losing(verb, nth, done), kept));
                }
            }
        }
    }
    histories.join_all().await;
}

/// A server that loses the session at one command of that verb, before or after it is carried out.
fn losing(verb: &str, nth: u32, done: bool) -> Behaviour {
    Behaviour {
        hang_up_on: (!done).then(|| verb.into()),
        hang_up_after: done.then(|| verb.into()),
        hang_up_skip: Some(nth),
        hang_up_times: Some(1),
        ..Behaviour::default()
    }
}

async fn lost_at(lost: Behaviour, kept: bool) {
    let refuses = Arc::new(AtomicBool::new(false));
    let is_refusing = Arc::clone(&refuses);
    let script = Script::behaving(Behaviour {
        no_overwrite: true,
        ..lost.clone()
    });
    let script = script.handle(move |line, _| {
        // The old image can't be moved aside, so that it is deleted first.
        let not_aside = kept && line == format!("RNTO {}", aside());
        match not_aside || is_refusing.load(SeqCst) && line.starts_with("STOR") {
            true => Action::Reply(Reply::line("553 no")),
            false => Action::Default,
        }
    });
    let server = device(script).await;
    let bytes = image(1000);
    let mut destination = proving(&server, VerifyMode::Best);
    destination.delete_first = true;
    // The connection may be lost as late as in the fourth.
    for round in 0..5 {
        refuses.store(round == 1, SeqCst);
        let known = (round > 0).then(|| confirmed(&bytes));
        let attempt = attempt(&destination, &bytes, known.as_ref()).await;
        let under = |path: &str| server.file(path);
        let story = format!(
            "{lost:?}, {kept}, {round}: {attempt:?}, {:?}",
            server.files()
        );
        let is_whole = |file: &Vec<u8>| *file == OLD || *file == bytes;
        let somewhere = server
            .files()
            .iter()
            .filter_map(|path| under(path))
            .any(|f| is_whole(&f));
        assert!(somewhere, "{story}");
        let named = under(PATH);
        match attempt.holds {
            Some(Holds::Old) => assert!(named.as_deref() == Some(OLD), "{story}"),
            Some(Holds::New) => assert!(named.as_ref() == Some(&bytes), "{story}"),
            Some(Holds::Nothing | Holds::NewStaged) => assert!(named.is_none(), "{story}"),
            Some(Holds::Unknown) | None => {}
        }
        if attempt.result.is_ok() {
            assert!(named.as_ref() == Some(&bytes), "{story}");
        }
        assert!(named.is_none_or(|named| is_whole(&named)), "{story}");
        assert!(round != 4 || attempt.result.is_ok(), "{story}");
    }
}

// --- Written in place. ---------------------------------------------------------------------------

/// Nothing was sent, so nothing is removed.
#[tokio::test]
async fn an_image_that_is_written_in_place_is_not_removed_by_who_has_not_written_it() {
    let dead = Script {
        passive: Passive::DeadPort,
        ..Script::default()
    };
    let lost = Script::behaving(losing("STOR", 0, false));
    for (script, words) in [
        (
            Script::default().on("STOR", Reply::line("552 full")),
            "552 full",
        ),
        (
            Script::default().on("STOR", Reply::line("450 busy")),
            "450 busy",
        ),
        (
            Script::default().on("STOR", Reply::line("553 no")),
            "553 no",
        ),
        (dead, "refused"),
        (lost, "was lost"),
    ] {
        let server = device(script).await;
        let mut destination = destination(&server);
        destination.staging = Staging::Direct;
        destination.delete_first = true;
        attempt(&destination, &image(SIZE), None)
            .await
            .assert_failed(words);
        assert_eq!(server.log().count("DELE"), 0);
        assert_untouched(&server);
    }

    // Cancelled while it opened: what tidies up knows nothing but the name.
    let server = device(Script::default()).await;
    let mut destination = destination(&server);
    destination.staging = Staging::Direct;
    let transport = FtpTransport::new();
    within(SOON, placement::discard(&transport, &destination))
        .await
        .unwrap();
    assert_untouched(&server);
    assert_eq!(server.log().count("DELE"), 0);
}

/// Half a file goes, and one that was confirmed stays, whatever is said of it afterwards.
#[tokio::test]
async fn what_is_written_in_place_is_removed_only_while_it_is_a_part() {
    let server = device(Script::default()).await;
    let mut half = destination(&server);
    half.staging = Staging::Direct;
    let mut sink = open_sink(&FtpTransport::new(), &half).await.unwrap();
    write_all(&mut sink, &image(SIZE)).await.unwrap();
    server
        .until(|log| log.uploads[0].taken == SIZE as u64)
        .await;
    within(SOON, sink.discard(false)).await.unwrap();
    assert_eq!(sink.holds(), Holds::Nothing);
    assert!(server.files().is_empty());

    let bytes = image(SIZE);
    for reply in ["550 no such file", "213 12", "421 going down"] {
        let confirmed = Arc::new(AtomicBool::new(false));
        let (stored, reply) = (Arc::clone(&confirmed), reply.to_owned());
        let script = Script::default().handle(move |line, _| {
            if line.starts_with("STOR") {
                stored.store(true, SeqCst);
            }
            match stored.load(SeqCst) && line.starts_with("SIZE") {
                true => Action::Reply(Reply::line(&reply)),
                false => Action::Default,
            }
        });
        let server = device(script).await;
        let mut destination = destination(&server);
        destination.staging = Staging::Direct;
        destination.verify = VerifyMode::Size;
        let attempt = attempt(&destination, &bytes, None).await;
        assert!(attempt.result.is_err(), "{attempt:?}");
        assert_delivered(&server, &bytes);
        assert_eq!(server.log().count("DELE"), 0);
    }
}

// --- What can't be asked. ------------------------------------------------------------------------

#[tokio::test]
async fn an_entity_that_denies_every_file_gets_its_image_and_keeps_it() {
    let denies = || Script::default().on("SIZE", Reply::line("550 not a plain file"));
    let no_times = || denies().on("MDTM", Reply::line("500 what?"));
    let lists = || Script {
        lists: true,
        ..no_times()
    };
    for (place, script) in [denies(), no_times(), lists()].into_iter().enumerate() {
        for staging in [Staging::Rename, Staging::Direct] {
            for verify in [VerifyMode::Best, VerifyMode::Quick] {
                let server = device(script.clone()).await;
                let mut destination = proving(&server, verify);
                destination.staging = staging;
                for round in 0..2 {
                    let bytes = image(SIZE + round);
                    let attempt = attempt(&destination, &bytes, None).await;
                    assert!(
                        attempt.result.is_ok(),
                        "{place} {staging:?} {verify:?} {attempt:?}"
                    );
                    assert_delivered_and_known(&server, &attempt, &bytes);
                    let is_read = attempt.result == Ok(Verified::Readback);
                    assert!(is_read || verify == VerifyMode::Quick, "{attempt:?}");
                }
                assert!(
                    probe(&destination).await.is_ok(),
                    "the check and the run agree"
                );
            }
        }
    }
}

/// A listing takes two sessions, and an entity that has none is not asked for it at each look.
#[tokio::test]
async fn a_new_entity_that_lists_nothing_is_asked_to_once() {
    let server = ScriptedServer::start(Script::default()).await;
    let bytes = image(SIZE);
    let attempt = attempt(&destination(&server), &bytes, None).await;
    assert_delivered_and_known(&server, &attempt, &bytes);
    let log = server.log();
    assert_eq!((log.count("MLSD"), log.connections.len()), (1, 3));
}

/// Another writer's file grows between two looks.
#[tokio::test]
async fn a_foreign_file_that_grows_is_neither_deleted_nor_written() {
    let script = Script::default().handle(|line, state| {
        let asked = |one: &&String| **one == format!("SIZE {}", staging());
        let number = state.commands.iter().filter(asked).count();
        match line == format!("SIZE {}", staging()) {
            true => Action::Reply(Reply::line(&format!("213 {}", 1000 * number))),
            false => Action::Default,
        }
    });
    let server = device(script).await;
    server.put(&staging(), b"theirs");
    let attempt = attempt(&destination(&server), &image(SIZE), None).await;
    assert_eq!(attempt.result, failed(Step::Prepare, Fault::OtherWriter));
    assert_eq!(attempt.holds, Some(Holds::Old));
    assert!(server.file(&staging()).unwrap() == b"theirs");
    assert!(server.file(PATH).unwrap() == OLD);
    let log = server.log();
    assert_eq!((log.count("STOR"), log.count("DELE")), (0, 0));
}

/// What is stored there stays there, under the name under which it was stored.
fn upload_box() -> Script {
    let script = Script::behaving(Behaviour {
        no_replace: true,
        no_overwrite: true,
        no_delete: true,
        ..Behaviour::default()
    });
    script.on("RNFR", Reply::line("550 not yours"))
}

#[tokio::test]
async fn an_upload_box_is_called_one() {
    let server = device(upload_box()).await;
    let looked = probe(&destination(&server)).await;
    // A byte is there now: that is said, beside why.
    let cause = looked.unwrap_err().to_string();
    assert!(cause.contains(&format!("{}, which", staging())), "{cause}");
    assert!(
        cause.contains("can't rename files (550 not yours)"),
        "{cause}"
    );
    assert_eq!(server.file(PATH).unwrap(), OLD);

    // And a taken name that can't be freed is why nothing is sent.
    let attempt = attempt(&destination(&server), &image(SIZE), None).await;
    assert!(
        attempt
            .cause()
            .contains("can't be removed: the server said 550 not yours"),
        "{attempt:?}"
    );
    assert_eq!(attempt.holds, Some(Holds::Old));
    assert_eq!(server.log().count("STOR"), 1);
    assert_eq!(server.file(PATH).unwrap(), OLD);
}

// --- A success that is none. ---------------------------------------------------------------------

const MODES: [VerifyMode; 5] = [
    VerifyMode::Best,
    VerifyMode::Quick,
    VerifyMode::Readback,
    VerifyMode::Size,
    VerifyMode::None,
];

/// The old image: another one of this length.
fn other_of(bytes: &[u8]) -> Vec<u8> {
    let mut other = bytes.to_vec();
    other[SIZE / 2] ^= 1;
    other
}

#[tokio::test]
async fn a_rename_that_is_only_said_is_none() {
    let bytes = image(SIZE);
    for verify in MODES {
        for old in [OLD.to_vec(), other_of(&bytes)] {
            let server = device(Script::behaving(Behaviour {
                false_rename: true,
                ..Behaviour::default()
            }))
            .await;
            server.put(PATH, old.clone());
            let attempt = attempt(&proving(&server, verify), &bytes, None).await;
            assert_eq!(
                attempt.result,
                failed(Step::Rename, Fault::NotRenamed),
                "{verify:?}"
            );
            attempt.assert_failed("said that it renamed the file, and it did not");
            assert_delivered(&server, &old);
        }
    }
}

#[tokio::test]
async fn a_rename_to_another_name_is_none() {
    let bytes = image(SIZE);
    for verify in [
        VerifyMode::Best,
        VerifyMode::Quick,
        VerifyMode::Readback,
        VerifyMode::Size,
    ] {
        for (old, unsized_) in [
            (OLD.to_vec(), false),
            (other_of(&bytes), false),
            (other_of(&bytes), true),
        ] {
            if unsized_ && verify == VerifyMode::Size {
                continue;
            }
            for lost in [false, true] {
                let script = Script::behaving(Behaviour {
                    rename_elsewhere: true,
                    hang_up_after: lost.then(|| "RNTO".into()),
                    ..Behaviour::default()
                });
                let script = match unsized_ {
                    true => script.on("SIZE", Reply::line("500 what?")),
                    false => script,
                };
                let server = device(script).await;
                server.put(PATH, old.clone());
                let attempt = attempt(&proving(&server, verify), &bytes, None).await;
                let failure = attempt.result.clone().unwrap_err();
                assert_eq!(failure.step, Step::Rename, "{verify:?} {attempt:?}");
                let words = if lost {
                    "was lost"
                } else {
                    "can't be shown to be the image"
                };
                assert!(attempt.cause().contains(words), "{attempt:?}");
                assert_ne!(attempt.holds, Some(Holds::New));
                assert!(server.file(PATH).unwrap() == old);
            }
        }
    }
}

/// A lost reply is no success, and no failure either where the final name shows the image.
#[tokio::test]
async fn a_rename_whose_reply_is_lost_is_looked_at_by_content() {
    let bytes = image(SIZE);
    for sized in [true, false] {
        for done in [true, false] {
            let script = Script::behaving(losing("RNTO", 0, done));
            let script = match sized {
                true => script,
                false => script.on("SIZE", Reply::line("500 what?")),
            };
            let server = device(script).await;
            let old = other_of(&bytes);
            server.put(PATH, old.clone());
            let attempt = attempt(&destination(&server), &bytes, None).await;
            if done {
                assert_eq!(attempt.result, Ok(Verified::Readback));
                assert_delivered_and_known(&server, &attempt, &bytes);
            } else {
                attempt.assert_failed("was lost");
                assert_delivered(&server, &old);
            }
        }
    }
}

/// The upload goes elsewhere where its name is taken, and is said to be stored.
#[tokio::test]
async fn an_upload_under_a_taken_name_is_never_begun() {
    let script = || {
        Script::behaving(Behaviour {
            store_elsewhere: true,
            ..Behaviour::default()
        })
    };
    let server = device(script().on("DELE", Reply::line("550 not yours"))).await;
    server.put(&staging(), b"half");
    let attempt_at = attempt(&destination(&server), &image(SIZE), None).await;
    let failure = attempt_at.result.clone().unwrap_err();
    assert!(matches!(failure.fault, Fault::Leftover { .. }), "{failure}");
    assert!(
        attempt_at
            .cause()
            .contains("can't be removed: the server said 550 not yours")
    );
    assert_eq!(attempt_at.holds, Some(Holds::Old));
    assert_eq!(server.log().count("STOR"), 0);
    assert_eq!(server.file(PATH).unwrap(), OLD);

    // In place its name is always taken.
    let bytes = image(SIZE);
    for (old, verify) in [
        (OLD.to_vec(), VerifyMode::Quick),
        (other_of(&bytes), VerifyMode::Quick),
        (other_of(&bytes), VerifyMode::Best),
    ] {
        let server = device(script()).await;
        server.put(PATH, old.clone());
        let mut destination = proving(&server, verify);
        destination.staging = Staging::Direct;
        let attempt = attempt(&destination, &bytes, None).await;
        assert!(attempt.result.is_err(), "{attempt:?}");
        assert_ne!(attempt.holds, Some(Holds::New));
        assert!(server.file(PATH).unwrap() == old);
    }
}

#[tokio::test]
async fn a_byte_that_the_flash_flips_is_found_or_the_proof_is_called_a_size() {
    for (digests, verify) in [
        (vec![], VerifyMode::Best),
        (vec!["HASH"], VerifyMode::Best),
        (vec!["XCRC"], VerifyMode::Best),
        (vec!["XCRC"], VerifyMode::Quick),
        (vec![], VerifyMode::Readback),
        (vec![], VerifyMode::Quick),
    ] {
        let worn = Behaviour {
            corrupt_at: Some(SIZE as u64 - 1),
            ..Behaviour::default()
        };
        let script = Script {
            digests: digests.clone(),
            ..Script::behaving(worn)
        };
        let server = device(script).await;
        let attempt = attempt(&proving(&server, verify), &image(SIZE), None).await;
        if verify == VerifyMode::Quick && digests.is_empty() {
            assert_eq!(attempt.result, Ok(Verified::Size));
            continue;
        }
        let failure = attempt.result.clone().unwrap_err();
        let found = matches!(failure.fault, Fault::WrongDigest { .. });
        assert!(found && failure.step == Step::Verify, "{failure}");
        attempt.assert_failed("that of what was sent is");
        assert_untouched(&server);
    }
}

/// It was confirmed before, and another file of its size stands there: it is not in place.
#[tokio::test]
async fn a_file_of_the_same_size_is_not_the_image() {
    let bytes = image(SIZE);
    for digests in [vec![], vec!["HASH"], vec!["XMD5"]] {
        let server = device(Script {
            digests,
            ..Script::default()
        })
        .await;
        let destination = destination(&server);
        server.put(PATH, other_of(&bytes));
        let sent = attempt(&destination, &bytes, Some(&confirmed(&bytes))).await;
        assert_eq!(sent.began, Some(Opened::Writing));
        assert_delivered_and_known(&server, &sent, &bytes);
        let again = attempt(&destination, &bytes, Some(&confirmed(&bytes))).await;
        assert!(matches!(again.began, Some(Opened::Placed(_))), "{again:?}");
        assert_eq!(server.log().count("STOR"), 1);
    }
}

/// Tidied up after a run that was killed, and then begun again, beside an old file as long as the
/// image.
#[tokio::test]
async fn a_copy_that_was_tidied_away_was_not_renamed() {
    let bytes = image(SIZE);
    let old = other_of(&bytes);
    let script = Script::default().handle(|line, _| match line.strip_prefix("MDTM ") {
        // Two files, as their times say.
        Some(path) if path == PATH => Action::Reply(Reply::line("213 20200101000000")),
        _ => Action::Default,
    });
    let server = device(script).await;
    let destination = destination(&server);
    server.put(PATH, old.clone());
    server.put(&staging(), bytes.clone());
    let mut sink = within(SOON, FtpTransport::new().open_sink(&destination))
        .await
        .unwrap();
    let mut entity = Entity {
        sink: &mut *sink,
        names: &destination.names,
    };
    let known = confirmed(&bytes);
    let mut found = within(SOON, placement::inspect(&mut entity, Some(&known), true))
        .await
        .unwrap();
    assert_eq!(found.holds, Holds::Old);
    let leftovers: Vec<_> = found
        .leftovers
        .iter()
        .map(|left| (left.file, left.is))
        .collect();
    assert_eq!(leftovers, [(File::Staging, Use::Litter)]);
    within(SOON, placement::tidy(&mut entity, &mut found))
        .await
        .unwrap();
    assert_delivered(&server, &old);

    let sent = attempt(&destination, &bytes, Some(&known)).await;
    assert_eq!(sent.began, Some(Opened::Writing));
    assert_delivered(&server, &bytes);
}

/// An entity that says nothing of a missing file but in its listings, and has no port left for one at
/// the moment: that is no reason to take its names for one.
#[tokio::test]
async fn a_listing_that_has_no_room_at_the_moment_is_asked_for_again() {
    let says = |listing: Option<&'static str>| {
        let script = Script {
            lists: true,
            ..Script::default()
        };
        script.handle(move |line, _| {
            let verb = line.split(' ').next().unwrap_or_default();
            let is_final = line.ends_with(PATH);
            // Some servers say so of a missing file.
            let is_size = verb == "SIZE" && !is_final;
            let lists = ["MLSD", "LIST", "NLST"].contains(&verb);
            match listing {
                _ if is_size => Action::Reply(Reply::line("450 no size")),
                _ if verb == "MDTM" => Action::Reply(Reply::line("502 what?")),
                Some(line) if lists => Action::Reply(Reply::line(line)),
                _ => Action::Default,
            }
        })
    };
    let bytes = image(SIZE);
    let server = device(says(Some("425 no port left"))).await;
    let failure = send(&destination(&server), &bytes).await.unwrap_err();
    assert!(failure.is_transient(), "{failure}");
    assert!(
        matches!(failure.fault, Fault::Reply { code: 425, .. }),
        "{failure}"
    );
    assert_untouched(&server);
    let server = device(says(None)).await;
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);
}
