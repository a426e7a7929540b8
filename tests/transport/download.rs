//! Reading: whether all of it came, and from where in the file.

use subtend::model::{Failure, Fault, Side, Step, Timeouts};
use subtend::transport::Transport;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Data, Reply, Retrieve, Script};
use crate::support::within;

const LENGTH: usize = 50_000;
const CUT: u64 = 20_000;

fn retrieves(retrieve: Retrieve) -> Script {
    Script {
        retrieve,
        ..Script::default()
    }
}

fn without_size(script: Script) -> Script {
    script.on("SIZE", Reply::line("500 what?"))
}

fn cut(reply: Option<&'static str>, data: Data) -> Retrieve {
    Retrieve {
        at: Some(CUT),
        reply,
        data,
        ..Retrieve::default()
    }
}

/// What reading such a source fails with.
async fn failure_of(script: Script, timeouts: Timeouts) -> Failure {
    let server = library(script, &image(LENGTH)).await;
    let remote = remote_at(server.address(), timeouts);
    receive(&remote, 0).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn a_file_cut_short_with_a_confirmation_is_not_whole() {
    let short = Fault::ShortImage {
        read: CUT,
        size: LENGTH as u64,
    };
    let lie = cut(Some("226 sent"), Data::Close);
    let failure = failure_of(retrieves(lie.clone()), patient()).await;
    assert_eq!(failure, Failure::new(Step::Read, short));
}

/// Some servers know `MLST` alone (RFC 3659 section 7).
#[tokio::test]
async fn a_size_may_be_one_of_the_facts_of_a_file() {
    let bytes = image(LENGTH);
    let facts = |size: usize| {
        let facts =
            format!("250-start\r\n Type=file;Size={size};Modify=20260101000000; a\r\n250 end\r\n");
        without_size(Script::default()).on("MLST", Reply::raw(facts))
    };
    let server = library(facts(LENGTH), &bytes).await;
    let remote = remote_at(server.address(), patient());
    let (size, read) = receive(&remote, 0).await.unwrap();
    assert_eq!(size, Some(LENGTH as u64));
    assert!(read == bytes);
    // And it is what the file is measured by.
    let failure = failure_of(facts(LENGTH + 1), patient()).await;
    let short = Fault::ShortImage {
        read: LENGTH as u64,
        size: LENGTH as u64 + 1,
    };
    assert_eq!(failure, Failure::new(Step::Read, short));
    // A server that never answers it is not asked again.
    let script = without_size(Script::default()).on("MLST", Reply::Never);
    let server = library(script, &bytes).await;
    let remote = remote_at(server.address(), impatient());
    let (size, read) = receive(&remote, 0).await.unwrap();
    assert_eq!(size, None);
    assert!(read == bytes);
    assert_eq!(server.log().count("MLST"), 1);
}

/// Text for people: some servers say `(0 bytes)` of every file.
#[tokio::test]
async fn what_the_preliminary_reply_says_of_the_size_never_fails_a_read() {
    for said in ["(0 bytes)", "(7 bytes)", "(50000000 bytes)"] {
        let bytes = image(LENGTH);
        let preliminary = format!("150 Opening BINARY mode data connection for it {said}");
        let script = without_size(retrieves(Retrieve {
            preliminary: Some(preliminary.leak()),
            ..Retrieve::default()
        }));
        let server = library(script, &bytes).await;
        let (size, read) = receive(&remote(&server), 0).await.unwrap();
        assert_eq!(size, None, "{said}");
        assert!(read == bytes, "{said}");
    }
}

/// proftpd does, for ten seconds.
#[tokio::test]
async fn a_server_that_waits_for_our_end_before_it_confirms_is_not_kept_waiting() {
    let bytes = image(LENGTH);
    // Without the size only the confirmation shows that this was all.
    let script = without_size(retrieves(Retrieve {
        waits_for_close: true,
        ..Retrieve::default()
    }));
    let server = library(script, &bytes).await;
    let remote = remote_at(server.address(), patient());
    let (_, read) = receive(&remote, 0).await.unwrap();
    assert!(read == bytes);
}

/// The first reply is the one that ends the transfer.
#[tokio::test]
async fn a_server_that_says_nothing_before_it_sends_is_read() {
    // Small enough for the sockets, and not.
    for length in [LENGTH, 24 << 20] {
        let bytes = image(length);
        let script = retrieves(Retrieve {
            no_preliminary: true,
            ..Retrieve::default()
        });
        let server = library(without_size(script), &bytes).await;
        let timeouts = Timeouts {
            reply: SHORT * 4,
            ..patient()
        };
        let (_, read) = receive(&remote_at(server.address(), timeouts), 0)
            .await
            .unwrap();
        assert!(read == bytes);
    }
}

#[tokio::test]
async fn a_file_that_may_not_be_read_is_not_called_missing() {
    for said in [
        "550 /flash/image.bin: Permission denied",
        "550 Access denied",
    ] {
        for verb in ["SIZE", "RETR"] {
            let script = Script::default()
                .on("SIZE", Reply::line("500 what?"))
                .on(verb, Reply::line(said));
            let server = library(script, b"x").await;
            let failure = receive(&remote(&server), 0).await.unwrap_err();
            let reply = said.into();
            assert_eq!(failure.fault, Fault::NotReadable { reply }, "{verb}");
            assert!(!failure.to_string().contains("no such file"), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_file_cut_short_with_its_reason_is_told_with_it() {
    for data in [Data::Close, Data::Reset, Data::LeaveOpen] {
        for sized in [true, false] {
            let script = retrieves(cut(Some("426 disk error"), data));
            let script = if sized { script } else { without_size(script) };
            let failure = failure_of(script, patient()).await;
            assert_eq!(
                failure,
                said(Step::Read, 426, "disk error"),
                "{data:?}, {sized}"
            );
        }
    }
}

#[tokio::test]
async fn a_source_that_stops_sending_has_a_deadline() {
    let timeouts = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let failure = failure_of(retrieves(cut(None, Data::LeaveOpen)), timeouts).await;
    let fault = Fault::Stalled { after: SHORT };
    assert_eq!(failure, Failure::new(Step::Read, fault));
}

#[tokio::test]
async fn a_source_that_breaks_off_without_a_word_is_the_cause() {
    let failure = failure_of(retrieves(cut(None, Data::Reset)), impatient()).await;
    let lost = matches!(
        failure.fault,
        Fault::Lost {
            side: Side::Data,
            ..
        }
    );
    assert!(lost, "{failure}");
    // Without the size, nothing but the reply could show whether this was all.
    for sized in [true, false] {
        let script = retrieves(cut(None, Data::Close));
        let script = if sized { script } else { without_size(script) };
        let failure = failure_of(script, impatient()).await;
        assert_eq!(failure, no_reply(Step::Read, "RETR"));
    }
}

/// The last reply is of no use where the size says that all has come.
#[tokio::test]
async fn a_whole_file_without_its_confirmation_is_whole() {
    let whole = Retrieve {
        at: Some(LENGTH as u64),
        data: Data::Close,
        ..Retrieve::default()
    };
    let talks = Retrieve {
        keeps_saying: Some("150 nearly"),
        ..Retrieve::default()
    };
    for retrieve in [whole, talks] {
        let bytes = image(LENGTH);
        let server = library(retrieves(retrieve), &bytes).await;
        let remote = remote_at(server.address(), impatient());
        let (size, read) = receive(&remote, 0).await.unwrap();
        assert_eq!(size, Some(LENGTH as u64));
        assert!(read == bytes);
    }
}

#[tokio::test]
async fn a_file_that_is_longer_than_it_said_is_refused() {
    let retrieve = Retrieve {
        extra: 5,
        ..Retrieve::default()
    };
    let failure = failure_of(retrieves(retrieve), patient()).await;
    let size = LENGTH as u64;
    assert_eq!(failure, Failure::new(Step::Read, Fault::LongImage { size }));
}

#[tokio::test]
async fn a_source_without_size_is_read_to_its_end() {
    for (preliminary, told) in [
        (Some("150 Opening connection (50000 bytes)"), Some(50_000)),
        (Some("200 fine"), None),
        (Some("250 fine"), None),
        (Some("125 (soon)"), None),
        (None, None),
    ] {
        let bytes = image(LENGTH);
        let script = without_size(retrieves(Retrieve {
            preliminary,
            ..Retrieve::default()
        }));
        let server = library(script, &bytes).await;
        let mut source = open_source(&remote(&server), 0).await.unwrap();
        assert_eq!((source.size(), source.size_hint()), (None, told));
        assert!(read_to_end(&mut *source).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn reading_begins_at_the_offset() {
    let bytes = image(LENGTH);
    let server = library(Script::default(), &bytes).await;
    let (size, read) = receive(&remote(&server), 12_345).await.unwrap();
    assert_eq!(size, Some(LENGTH as u64));
    assert!(read == bytes[12_345..]);
    // The offset holds for the very next command (RFC 3659 section 5.3).
    let commands = &server.log().connections[0].commands;
    let rest = commands
        .iter()
        .position(|line| line == "REST 12345")
        .unwrap();
    assert_eq!(commands[rest + 1], format!("RETR {PATH}"));
}

/// All of the file comes, and what is before the offset is thrown away.
#[tokio::test]
async fn a_server_without_rest_is_read_from_the_offset_all_the_same() {
    for reply in [
        "500 what?",
        "501 no REST",
        "502 no REST",
        "503 no REST",
        "504 no REST",
        "550 no REST",
        "200 fine",
        "451 not now",
    ] {
        for sized in [true, false] {
            let script = Script::default().on("REST", Reply::line(reply));
            let script = if sized { script } else { without_size(script) };
            let bytes = image(LENGTH);
            let server = library(script, &bytes).await;
            let (transport, remote) = (FtpTransport::new(), remote(&server));
            for _ in 0..2 {
                let opened = transport.open_source(&remote, 34_567);
                let mut source = within(SOON, opened).await.unwrap();
                assert_eq!(source.size(), sized.then_some(LENGTH as u64));
                let read = read_to_end(&mut *source).await.unwrap();
                assert!(read == bytes[34_567..], "{reply}, {sized}");
                within(SOON, source.close()).await;
            }
            // What is refused for good is not asked for again.
            let asked = if reply.starts_with('4') { 2 } else { 1 };
            assert_eq!(server.log().count("REST"), asked, "{reply}");
            assert_eq!(server.log().connections.len(), 2, "the session goes on");
        }
    }
}

#[tokio::test]
async fn a_rest_that_is_never_answered_costs_one_session() {
    let bytes = image(LENGTH);
    let server = library(Script::default().on("REST", Reply::Never), &bytes).await;
    let remote = remote_at(server.address(), impatient());
    let (_, read) = receive(&remote, 100).await.unwrap();
    assert!(read == bytes[100..]);
    assert_eq!(server.log().connections.len(), 2);
    assert_eq!(server.log().count("REST"), 1);
}

/// What is thrown away counts as progress, and its absence as none.
#[tokio::test]
async fn a_source_that_stops_before_the_offset_has_a_deadline() {
    let script = retrieves(cut(None, Data::LeaveOpen)).on("REST", Reply::line("502 no"));
    let server = library(script, &image(LENGTH)).await;
    let timeouts = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let remote = remote_at(server.address(), timeouts);
    let failure = receive(&remote, CUT + 1).await.unwrap_err();
    let fault = Fault::Stalled { after: SHORT };
    assert_eq!(failure, Failure::new(Step::Read, fault));
}

/// Its bytes up to there were read before, so it is not the same file any more.
#[tokio::test]
async fn a_file_that_is_shorter_than_the_offset_is_refused() {
    for (sized, step) in [(true, Step::Open), (false, Step::Read)] {
        let script = Script::default().on("REST", Reply::line("502 no"));
        let script = if sized { script } else { without_size(script) };
        let server = library(script, &image(LENGTH)).await;
        let failure = receive(&remote(&server), 60_000).await.unwrap_err();
        let reason = "it has 50000 bytes, and was to be read from byte 60000 on".into();
        assert_eq!(failure, Failure::new(step, Fault::SourceChanged { reason }));
        // At its very end there is nothing left to read, and nothing wrong.
        let rest = receive(&remote(&server), LENGTH as u64).await.unwrap();
        assert!(rest.1.is_empty());
    }
}

#[tokio::test]
async fn the_time_of_the_last_change_is_told_as_the_server_says_it() {
    let long = format!("213 {}", "2".repeat(65));
    for (reply, told) in [
        (None, Some("20020709120000")),
        (Some("213  20260102030405.678 "), Some("20260102030405.678")),
        (Some("213 "), None),
        (Some(long.as_str()), None),
        (Some("550 a secret"), None),
        (Some("502 what?"), None),
    ] {
        let script = match reply {
            None => Script::default(),
            Some(reply) => Script::default().on("MDTM", Reply::line(reply)),
        };
        let bytes = image(1000);
        let server = library(script, &bytes).await;
        let (transport, remote) = (FtpTransport::new(), remote(&server));
        for _ in 0..2 {
            let opened = transport.open_source(&remote, 0);
            let mut source = within(SOON, opened).await.unwrap();
            assert_eq!(source.modified(), told, "{reply:?}");
            assert!(read_to_end(&mut *source).await.unwrap() == bytes);
        }
        // A server that does not know the command is not asked again; one that has no answer for
        // this file is.
        let asked = if reply == Some("502 what?") { 1 } else { 2 };
        assert_eq!(server.log().count("MDTM"), asked, "{reply:?}");
    }
}

#[tokio::test]
async fn a_time_that_is_never_told_costs_one_session() {
    for reply in [Reply::Never, Reply::line("226 odd")] {
        let bytes = image(1000);
        let server = library(Script::default().on("MDTM", reply), &bytes).await;
        let remote = remote_at(server.address(), impatient());
        let mut source = open_source(&remote, 0).await.unwrap();
        assert_eq!(source.modified(), None);
        assert!(read_to_end(&mut *source).await.unwrap() == bytes);
        assert_eq!(server.log().connections.len(), 2);
        assert_eq!(server.log().count("MDTM"), 1);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_called_so() {
    for sized in [true, false] {
        let script = if sized {
            Script::default()
        } else {
            without_size(Script::default())
        };
        let server = crate::support::scripted::ScriptedServer::start(script).await;
        let failure = receive(&remote(&server), 0).await.unwrap_err();
        let reply = "550 no such file".into();
        assert_eq!(failure.fault, Fault::NoFile { reply });
        if sized {
            let asked = FtpTransport::new();
            let size = within(SOON, asked.size_of(&remote(&server))).await;
            assert!(matches!(size.unwrap_err().fault, Fault::NoFile { .. }));
        }
    }
}

/// The data may all have come; what is missing is called by its name.
#[tokio::test]
async fn a_control_connection_that_is_dropped_in_the_middle_is_survived_where_the_size_is_known() {
    for sized in [true, false] {
        let script = retrieves(Retrieve {
            no_preliminary: true,
            close_control: true,
            ..Retrieve::default()
        });
        // Without a preliminary reply there is no transfer at all.
        let script = if sized { script } else { without_size(script) };
        let failure = failure_of(script, patient()).await;
        assert_eq!(failure.step, Step::Open);
        let lost = matches!(
            failure.fault,
            Fault::Lost {
                side: Side::Control,
                ..
            }
        );
        assert!(lost, "{failure}");
    }
    let bytes = image(LENGTH);
    for sized in [true, false] {
        let script = retrieves(Retrieve {
            close_control: true,
            ..Retrieve::default()
        });
        let script = if sized { script } else { without_size(script) };
        let server = library(script, &bytes).await;
        let result = receive(&remote(&server), 0).await;
        if sized {
            assert!(result.unwrap().1 == bytes);
        } else {
            let failure = result.unwrap_err();
            let lost = matches!(
                failure.fault,
                Fault::Lost {
                    side: Side::Control,
                    ..
                }
            );
            assert!(lost, "{failure}");
        }
    }
}

#[tokio::test]
async fn names_with_spaces_are_read() {
    let bytes = image(1000);
    let server = library(Script::default(), b"other").await;
    server.put("/my images/the one.bin", bytes.clone());
    let mut remote = remote(&server);
    remote.path = subtend::model::RemotePath::new("/my images/the one.bin").unwrap();
    let mut source = open_source(&remote, 0).await.unwrap();
    assert_eq!(source.size(), Some(1000));
    assert!(read_to_end(&mut *source).await.unwrap() == bytes);
}
