//! FTPS: who is trusted, what is never sent to whom is not, and what TLS adds to a transfer's ways
//! to end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ProtocolVersion::{TLSv1_2, TLSv1_3};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use subtend::model::{
    Failure, Fault, Fingerprint, Scheme, Side, Step, Timeouts, Tls, Trust, Verified, VerifyMode,
};
use subtend::transport::ftp::FtpTransport;
use subtend::transport::{Destination, Directory, Remote, Transport};

use crate::common::*;
use crate::support::scripted::{
    Action, Data, FOREVER, Greeting, Log, Reply, Script, ScriptedServer, Store, UploadEnd,
};
use crate::support::tls::{Authority, Identity, ServerTls};
use crate::support::within;

const REUSE: &str = "522 SSL connection failed: session reuse required";
/// More than all sockets on the way hold.
const MUCH: usize = 24 << 20;

/// An authority, and the file that holds its certificate.
struct Ca {
    authority: Authority,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Ca {
    fn new() -> Self {
        Self::named("the operator's authority")
    }

    fn named(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let authority = Authority::new(name);
        std::fs::write(&file, authority.pem()).unwrap();
        Self {
            authority,
            file,
            _dir: dir,
        }
    }

    /// As a server's certificate is to be.
    fn issue(&self) -> Identity {
        self.authority.issue(&["127.0.0.1", "localhost"])
    }

    fn trusted(&self) -> Tls {
        Tls {
            trust: Trust::CaFile(Arc::new(self.file.clone())),
            ..Tls::default()
        }
    }
}

fn speaks(tls: ServerTls) -> Script {
    Script {
        tls: Some(tls),
        ..Script::default()
    }
}

/// An entity that is reached over TLS, implicit where it greets so.
fn secure(server: &ScriptedServer, implicit: bool, tls: Tls, timeouts: Timeouts) -> Destination {
    let mut destination = destination_with(server, timeouts);
    destination.remote.endpoint.address.scheme = match implicit {
        true => Scheme::FtpsImplicit,
        false => Scheme::FtpsExplicit,
    };
    destination.remote.endpoint.tls = tls;
    destination
}

fn directory(remote: Remote) -> Directory {
    Directory {
        endpoint: remote.endpoint,
        path: String::new(),
    }
}

/// What opening fails with, and that nothing got a password.
async fn refused(server: &ScriptedServer, implicit: bool, tls: Tls) -> Failure {
    let destination = secure(server, implicit, tls, impatient());
    let opened = open_sink(&FtpTransport::new(), &destination).await;
    let failure = opened.map(drop).unwrap_err();
    let log = server.log();
    assert_eq!(log.count("USER") + log.count("PASS"), 0, "{log:#?}");
    assert_eq!(failure.step, Step::Connect);
    failure
}

#[tokio::test]
async fn files_go_both_ways_over_explicit_and_implicit_tls() {
    let bytes = image(3 << 20);
    let ca = Ca::new();
    for implicit in [false, true] {
        for (server_1_2, max_1_2) in [(false, false), (true, false), (false, true)] {
            let server = device(speaks(ServerTls {
                implicit,
                max_1_2: server_1_2,
                wants_reuse: Some(REUSE),
                ..ServerTls::new(ca.issue())
            }))
            .await;
            let tls = Tls {
                max_1_2,
                ..ca.trusted()
            };
            let mut destination = secure(&server, implicit, tls, patient());
            destination.verify = VerifyMode::Readback;
            for host in ["127.0.0.1", "localhost"] {
                destination.remote.endpoint.address.host = host.into();
                assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
                assert_delivered(&server, &bytes);
                let (size, read) = receive(&destination.remote, 1000).await.unwrap();
                assert_eq!(size, Some(bytes.len() as u64));
                assert!(read == bytes[1000..]);
            }
            let log = server.log();
            let version = match server_1_2 || max_1_2 {
                true => TLSv1_2,
                false => TLSv1_3,
            };
            // Each upload, its being read back under both names, and each download.
            assert_eq!(log.data.len(), 8);
            for data in &log.data {
                // Each goes on with the TLS session of its own control connection.
                assert_eq!(data.resumed, Some(true), "{log:#?}");
                assert_eq!(data.version, Some(version));
            }
            // Its end was sent in TLS too.
            assert!(log.uploads.iter().all(|up| up.end == UploadEnd::Closed));
        }
    }
}

/// Most servers say `150` and shake hands then; some do it the other way round.
#[tokio::test]
async fn the_handshake_of_the_data_may_come_before_the_reply() {
    let ca = Ca::new();
    let bytes = image(300_000);
    for max_1_2 in [false, true] {
        let script = speaks(ServerTls {
            shakes_first: true,
            max_1_2,
            wants_reuse: Some(REUSE),
            ..ServerTls::new(ca.issue())
        });
        let server = device(script).await;
        let destination = secure(&server, false, ca.trusted(), patient());
        let sent = within(SOON, send(&destination, &bytes)).await;
        assert_eq!(sent, Ok(Verified::Size));
        assert_delivered(&server, &bytes);
        let (_, read) = within(SOON, receive(&destination.remote, 1000))
            .await
            .unwrap();
        assert!(read == bytes[1000..]);
    }
}

/// Commands that are refused use up none of the few tickets with which a data connection goes on with
/// the session of the control connection.
#[tokio::test]
async fn a_transfer_that_is_refused_costs_no_ticket() {
    let ca = Ca::new();
    let script = speaks(ServerTls {
        wants_reuse: Some(REUSE),
        ..ServerTls::new(ca.issue())
    });
    // `MLSD` and `LIST` are refused, each with a data connection of its own, and not at once.
    let moment = Duration::from_millis(100);
    let script = (script.delay("MLSD", moment).delay("LIST", moment)).listing("NLST", "a.bin\r\n");
    let server = device(script).await;
    let remote = secure(&server, false, ca.trusted(), patient()).remote;
    let listed = within(SOON, FtpTransport::new().list(&directory(remote))).await;
    assert_eq!(listed.unwrap()[0].name, "a.bin");
}

#[tokio::test]
async fn directories_are_listed_over_tls() {
    let ca = Ca::new();
    let facts = "type=file;size=7; a.bin\r\n";
    let script = speaks(ServerTls::new(ca.issue())).listing("MLSD", facts);
    let server = device(script).await;
    let remote = secure(&server, false, ca.trusted(), patient()).remote;
    let listed = within(SOON, FtpTransport::new().list(&directory(remote))).await;
    assert_eq!(listed.unwrap()[0].size, Some(7));
}

/// Rustls keeps tickets by the name of the server: with one store for all, sessions would use each
/// other's up, and this server takes no data connection without one.
#[tokio::test(flavor = "multi_thread")]
async fn entities_behind_one_name_have_sessions_of_their_own() {
    const ENTITIES: usize = 64;
    let bytes = image(200_000);
    let ca = Ca::new();
    for max_1_2 in [false, true] {
        let server = device(speaks(ServerTls {
            max_1_2,
            wants_reuse: Some(REUSE),
            ..ServerTls::new(ca.issue())
        }))
        .await;
        let transport = FtpTransport::new();
        let mut sending = tokio::task::JoinSet::new();
        for entity in 0..ENTITIES {
            let destination = secure(&server, false, ca.trusted(), patient());
            let mut destination = at_path(destination, &format!("/e{entity}.bin"));
            destination.remote.endpoint.address.host = "localhost".into();
            destination.verify = VerifyMode::Readback;
            let (transport, bytes) = (transport.clone(), bytes.clone());
            sending.spawn(async move {
                within(SOON * 3, send_with(&transport, &destination, &bytes)).await
            });
        }
        for sent in sending.join_all().await {
            assert_eq!(sent, Ok(Verified::Readback));
        }
        for entity in 0..ENTITIES {
            assert!(server.file(&format!("/e{entity}.bin")).unwrap() == bytes);
        }
        let log = server.log();
        // Written, read back, and read again under the final name.
        assert_eq!(log.data.len(), ENTITIES * 3);
        assert!(log.data.iter().all(|data| data.resumed == Some(true)));
    }
}

#[tokio::test]
async fn a_pinned_certificate_is_the_only_one_that_is_accepted() {
    let bytes = image(1000);
    for implicit in [false, true] {
        let identity = Identity::self_signed();
        let fingerprint = identity.fingerprint();
        let server = device(speaks(ServerTls {
            implicit,
            ..ServerTls::new(identity)
        }))
        .await;
        let pinned = |fingerprint| Tls {
            trust: Trust::Pinned(fingerprint),
            ..Tls::default()
        };
        let other = Fingerprint([0xAB; 32]);
        let failure = refused(&server, implicit, pinned(other)).await;
        let Fault::TlsCertificate {
            reason,
            fingerprint: shown,
            advice,
        } = &failure.fault
        else {
            panic!("{failure}");
        };
        assert!(reason.contains(&other.to_string()), "{reason}");
        assert_eq!(*shown, fingerprint.to_string());
        // It is pinned already, and an authority would be of no use.
        assert!(!advice.contains("tls: {"), "{advice}");
        let words = failure.to_string();
        for whole in [fingerprint, other] {
            assert!(words.contains(&whole.to_string()), "{words}");
        }
        assert!(!failure.is_transient());
        // What it says is what is to be written, once somebody has compared it.
        let parsed: Fingerprint = shown.parse().unwrap();
        for max_1_2 in [false, true] {
            let tls = Tls {
                max_1_2,
                ..pinned(parsed)
            };
            let destination = secure(&server, implicit, tls, patient());
            server.put(PATH, OLD);
            assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
            assert_delivered(&server, &bytes);
        }
    }
}

/// Version 1 was the default of tools for long, and pinning asks nothing of a certificate.
#[tokio::test]
async fn a_pinned_certificate_may_be_of_any_make() {
    for identity in [
        Identity::self_signed_v1(),
        Identity::self_signed_authority(),
        Authority::new("a").issue_expired(&["a.invalid"]),
    ] {
        let trust = Trust::Pinned(identity.fingerprint());
        let server = device(speaks(ServerTls {
            wants_reuse: Some(REUSE),
            ..ServerTls::new(identity)
        }))
        .await;
        for max_1_2 in [false, true] {
            let trust = trust.clone();
            let destination = secure(
                &server,
                false,
                Tls {
                    trust,
                    max_1_2,
                    ..Tls::default()
                },
                patient(),
            );
            server.put(PATH, OLD);
            assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
            assert_delivered(&server, b"new");
        }
    }
}

/// Anybody can show a certificate that was seen once.
#[tokio::test]
async fn whoever_shows_a_certificate_must_hold_its_key() {
    let ca = Ca::new();
    for (identity, pins) in [
        (Identity::self_signed(), true),
        (Identity::self_signed_v1(), true),
        (ca.issue(), true),
        (ca.issue(), false),
    ] {
        let trust = match pins {
            true => Trust::Pinned(identity.fingerprint()),
            false => ca.trusted().trust,
        };
        let server = device(speaks(ServerTls {
            wrong_key: true,
            ..ServerTls::new(identity)
        }))
        .await;
        for max_1_2 in [false, true] {
            let trust = trust.clone();
            let failure = refused(
                &server,
                false,
                Tls {
                    trust,
                    max_1_2,
                    ..Tls::default()
                },
            )
            .await;
            assert!(
                matches!(&failure.fault, Fault::TlsHandshake { .. }),
                "{failure}"
            );
            assert!(!failure.is_transient());
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_with_its_fingerprint() {
    let (ca, other) = (Ca::new(), Ca::named("another"));
    let namesake = Ca::new();
    let hosts = ["127.0.0.1", "localhost"];
    for implicit in [false, true] {
        for (identity, why) in [
            (other.issue(), "nobody who is trusted here has signed it"),
            (namesake.issue(), "of that name"),
            (ca.authority.issue_expired(&hosts), "it has expired"),
            (ca.authority.issue(&["hq.example.net"]), "for another host"),
            (Identity::self_signed(), ""),
            (
                Identity::self_signed_authority(),
                "signed theirs themselves",
            ),
        ] {
            let offered = identity.fingerprint().to_string();
            let tls = ServerTls {
                implicit,
                ..ServerTls::new(identity)
            };
            let server = device(speaks(tls)).await;
            let failure = refused(&server, implicit, ca.trusted()).await;
            let Fault::TlsCertificate {
                reason,
                fingerprint,
                ..
            } = &failure.fault
            else {
                panic!("{failure}");
            };
            assert!(reason.contains(why), "{reason}");
            assert_eq!(*fingerprint, offered);
            let words = failure.to_string();
            // An authority is named already.
            assert!(!words.contains("tls: { ca: FILE }"), "{words}");
            assert!(words.contains("ca.pem"), "{words}");
            assert!(words.contains("tls: { fingerprint: … }"), "{words}");
            assert!(words.contains(&format!("fingerprint is \"{offered}\"")));
            assert!(!failure.is_transient());
        }
    }
}

/// Nothing is accepted because nothing was said.
#[tokio::test]
async fn without_a_word_about_it_the_system_is_asked() {
    let server = device(speaks(ServerTls::new(Ca::new().issue()))).await;
    let failure = refused(&server, false, Tls::default()).await;
    assert!(
        matches!(
            failure.fault,
            // Of a host that has no authorities at all.
            Fault::TlsCertificate { .. } | Fault::NoAuthorities { .. }
        ),
        "{failure}"
    );
}

#[tokio::test]
async fn a_file_without_authorities_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = device(speaks(ServerTls::new(Ca::new().issue()))).await;
    let file = dir.path().join("ca.pem");
    for (text, why) in [
        (None, "can't be read"),
        (Some(""), "no certificate"),
        (Some("not PEM"), "no certificate"),
    ] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let tls = Tls {
            trust: Trust::CaFile(Arc::new(file.clone())),
            ..Tls::default()
        };
        let failure = refused(&server, false, tls).await;
        let Fault::NoAuthorities { reason } = &failure.fault else {
            panic!("{failure}");
        };
        assert!(reason.contains(why), "{reason}");
        assert!(reason.contains("ca.pem"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_tls_is_told_nothing() {
    let ca = Ca::new();
    for (verb, command) in [("AUTH", "AUTH TLS"), ("PBSZ", "PBSZ 0"), ("PROT", "PROT P")] {
        let script = speaks(ServerTls::new(ca.issue())).on(verb, Reply::line("534 no"));
        let server = device(script).await;
        let failure = refused(&server, false, ca.trusted()).await;
        let words = failure.to_string();
        assert!(
            words.contains("nothing is sent without encryption"),
            "{words}"
        );
        assert!(!words.contains(" ftp://"), "{words}");
        let (command, reply) = (command.into(), "534 no".into());
        assert_eq!(failure.fault, Fault::TlsRefused { command, reply });
        assert!(!failure.is_transient());
    }
    for (verb, command) in [("PBSZ", "PBSZ 0"), ("PROT", "PROT P")] {
        let script = speaks(ServerTls {
            implicit: true,
            ..ServerTls::new(ca.issue())
        });
        let server = device(script.on(verb, Reply::line("536 no"))).await;
        let failure = refused(&server, true, ca.trusted()).await;
        let (command, reply) = (command.into(), "536 no".into());
        assert_eq!(failure.fault, Fault::TlsRefused { command, reply });
    }
    // Not for good.
    let script = speaks(ServerTls::new(ca.issue()));
    let server = device(script.on("AUTH", Reply::line("431 no key at the moment"))).await;
    let failure = refused(&server, false, ca.trusted()).await;
    assert_eq!(failure, said(Step::Connect, 431, "no key at the moment"));
    assert!(failure.is_transient());
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_called_so() {
    // Clear text where TLS was asked for.
    let server = device(Script::default()).await;
    let failure = refused(&server, true, Tls::default()).await;
    let side = Side::Control;
    assert!(
        matches!(&failure.fault, Fault::TlsHandshake { side: s, .. } if *s == side)
            || matches!(failure.fault, Fault::NoAuthorities { .. }),
        "{failure}"
    );
    let ca = Ca::new();
    let failure = refused(&server, true, ca.trusted()).await;
    assert!(
        matches!(&failure.fault, Fault::TlsHandshake { side: s, .. } if *s == side),
        "{failure}"
    );
    assert!(!failure.is_transient());
    // Nothing at all.
    let server = device(Script {
        greeting: Greeting::Never,
        ..Script::default()
    })
    .await;
    let failure = refused(&server, true, ca.trusted()).await;
    let command = "the TLS handshake of the control connection";
    assert_eq!(failure, no_reply(Step::Connect, command));
    // TLS that does not begin, or a greeting that does not come.
    let script = speaks(ServerTls::new(ca.issue())).delay("AUTH", FOREVER);
    let server = device(script).await;
    let failure = refused(&server, false, ca.trusted()).await;
    assert_eq!(failure, no_reply(Step::Connect, "AUTH TLS"));
    for verb in ["PBSZ", "PROT"] {
        let script = speaks(ServerTls::new(ca.issue())).delay(verb, FOREVER);
        let failure = refused(&device(script).await, false, ca.trusted()).await;
        assert_eq!(failure, no_reply(Step::Connect, verb));
    }
}

#[tokio::test]
async fn a_port_that_is_closed_or_full_is_called_so_under_implicit_tls() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let ca = Ca::new();
    let mut remote = remote_at(address, patient());
    remote.endpoint.address.scheme = Scheme::FtpsImplicit;
    remote.endpoint.tls = ca.trusted();
    let failure = open_source(&remote, 0).await.map(drop).unwrap_err();
    let address = address.to_string();
    assert_eq!(
        failure,
        Failure::new(
            Step::Connect,
            Fault::Refused {
                address,
                server: "FTP"
            }
        )
    );

    let full = FullPort::new().await;
    remote.endpoint.address.port = full.address().port();
    remote.endpoint.timeouts.connect = SHORT;
    let failure = open_source(&remote, 0).await.map(drop).unwrap_err();
    let (address, after) = (full.address().to_string(), SHORT);
    assert_eq!(
        failure,
        Failure::new(Step::Connect, Fault::ConnectTimeout { address, after })
    );
}

/// Ours goes on with the session of the control connection; a server that has forgotten it can't
/// see that.
#[tokio::test]
async fn a_data_connection_that_is_refused_for_its_tls_is_called_so() {
    let ca = Ca::new();
    for reply in [
        REUSE,
        "425 Unable to build data connection: Operation not permitted",
    ] {
        for max_1_2 in [false, true] {
            let server = device(speaks(ServerTls {
                forgets: true,
                max_1_2,
                wants_reuse: Some(reply),
                ..ServerTls::new(ca.issue())
            }))
            .await;
            let destination = secure(&server, false, ca.trusted(), patient());
            for size in [1000, MUCH] {
                let failure = send(&destination, &image(size)).await.unwrap_err();
                let reply = reply.into();
                assert_eq!(failure.fault, Fault::TlsSession { reply });
                assert!(!failure.is_transient());
                assert_untouched(&server);
            }
            let failure = receive(&destination.remote, 0).await.unwrap_err();
            let reply = reply.into();
            assert_eq!(failure.fault, Fault::TlsSession { reply });
        }
    }
    // Without TLS a 425 is a 425.
    let store = Store {
        refuse: Some("425 Operation not permitted"),
        ..Store::default()
    };
    let server = device(Script {
        store,
        ..Script::default()
    })
    .await;
    let result = send(&destination(&server), b"x").await;
    assert_eq!(
        result,
        Err(said(Step::Open, 425, "Operation not permitted"))
    );
}

/// Anybody on the way can end a TCP connection; the end of the file is said in TLS.
#[tokio::test]
async fn a_file_without_the_end_of_its_tls_is_cut_short() {
    let ca = Ca::new();
    let server = device(speaks(ServerTls {
        truncates: true,
        ..ServerTls::new(ca.issue())
    }))
    .await;
    server.put(PATH, image(50_000));
    let remote = secure(&server, false, ca.trusted(), patient()).remote;
    let failure = receive(&remote, 0).await.unwrap_err();
    assert_eq!(failure.step, Step::Read);
    assert!(
        matches!(&failure.fault, Fault::Lost { side: Side::Data, reason } if reason.contains("close_notify")),
        "{failure}"
    );
}

/// As vsftpd does.
#[tokio::test]
async fn our_end_of_tls_is_told_without_waiting_for_the_confirmation() {
    let ca = Ca::new();
    let script = speaks(ServerTls {
        waits_for_end: true,
        ..ServerTls::new(ca.issue())
    });
    // Only the confirmation tells whether this was all.
    let server = device(script.on("SIZE", Reply::line("500 what?"))).await;
    let remote = secure(&server, false, ca.trusted(), patient()).remote;
    let (size, read) = receive(&remote, 0).await.unwrap();
    assert_eq!(size, None);
    assert!(read == OLD);
}

/// A server may also say `120` when it speaks TLS from the start.
#[tokio::test]
async fn greetings_of_120_are_waited_through_under_implicit_tls() {
    let ca = Ca::new();
    let implicit = || {
        speaks(ServerTls {
            implicit: true,
            ..ServerTls::new(ca.issue())
        })
    };
    let greetings: [&[u8]; 4] = [
        b"220 at once\r\n",
        b"120 in a moment\r\n220 now\r\n",
        b"120-busy\r\n 220 not yet\r\n120 in a moment\r\n120 nearly\r\n220-now\r\n220 really\r\n",
        b"120\r\n220 now\r\n",
    ];
    for greeting in greetings {
        let greeting = Greeting::Bytes(greeting.to_vec());
        let server = device(Script {
            greeting,
            ..implicit()
        })
        .await;
        let destination = secure(&server, true, ca.trusted(), patient());
        assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
        assert_delivered(&server, b"new");
    }
    // Nothing after the handshake, and a `120` that nothing follows.
    for (greeting, reply, confirm) in [
        (Greeting::Bytes(Vec::new()), SHORT, SOON * 3),
        (Greeting::Bytes(b"120 soon\r\n".to_vec()), SOON * 3, SHORT),
        (Greeting::Bytes(b"220-soon\r\n".to_vec()), SHORT, SOON * 3),
    ] {
        let server = device(Script {
            greeting,
            ..implicit()
        })
        .await;
        let timeouts = Timeouts {
            reply,
            confirm,
            ..patient()
        };
        let destination = secure(&server, true, ca.trusted(), timeouts);
        let opened = open_sink(&FtpTransport::new(), &destination).await;
        let failure = opened.map(drop).unwrap_err();
        let command = "the connection (no greeting)";
        assert_eq!(failure, no_reply(Step::Connect, command));
    }
}

#[tokio::test]
async fn giving_up_resets_the_data_connection_under_tls_too() {
    let ca = Ca::new();
    let server = device(speaks(ServerTls::new(ca.issue()))).await;
    let destination = secure(&server, false, ca.trusted(), patient());
    let mut sink = open_sink(&FtpTransport::new(), &destination).await.unwrap();
    write_all(&mut sink, &image(10_000)).await.unwrap();
    let taken = |log: &Log| log.uploads.iter().map(|up| up.taken).sum::<u64>();
    server.until(|log| taken(log) == 10_000).await;
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    let log = server
        .until(|log| log.uploads[0].end != UploadEnd::Open)
        .await;
    assert_eq!(log.uploads[0].end, UploadEnd::Reset);
    assert_untouched(&server);
}

#[tokio::test]
async fn a_refusal_in_the_middle_is_seen_under_tls_too() {
    let ca = Ca::new();
    for data in [Data::LeaveOpen, Data::Reset] {
        let store = Store {
            at: Some(5000),
            reply: Some("552 flash is full"),
            data,
            times: Some(1),
            ..Store::default()
        };
        let script = Script {
            store,
            ..speaks(ServerTls::new(ca.issue()))
        };
        let server = device(script).await;
        let destination = secure(&server, false, ca.trusted(), patient());
        let result = send(&destination, &image(MUCH)).await;
        assert_eq!(result, Err(said(Step::Send, 552, "flash is full")));
        assert_untouched(&server);
    }
}

/// It takes 5000 bytes of an upload, and the others when it is said to go on.
fn stops_reading(ca: &Ca) -> Script {
    let store = Store {
        at: Some(5000),
        waits: true,
        data: Data::GoOn,
        ..Store::default()
    };
    Script {
        store,
        ..speaks(ServerTls::new(ca.issue()))
    }
}

/// As an agent does that leaves a pool.
#[tokio::test]
async fn a_write_that_is_given_up_loses_and_doubles_no_byte_under_tls() {
    let ca = Ca::new();
    let script = stops_reading(&ca);
    let server = device(script).await;
    let destination = secure(&server, false, ca.trusted(), patient());
    let bytes = image(MUCH);
    let mut sink = open_sink(&FtpTransport::new(), &destination).await.unwrap();
    let slice = Duration::from_millis(100);
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(slice, sink.write(&bytes[sent..])).await {
        sent += written.unwrap();
    }
    assert!(sent < bytes.len(), "the sockets hold all of it");
    let wrong = [0xEE; 1000];
    let waited = tokio::time::timeout(slice, sink.write(&wrong)).await;
    assert!(waited.is_err(), "the entity takes nothing");
    let waited = tokio::time::timeout(slice, sink.ready()).await;
    assert!(waited.is_err(), "the entity takes nothing");
    server.go_on();
    while sent < bytes.len() {
        within(SOON, sink.ready()).await.unwrap();
        sent += within(SOON, sink.write(&bytes[sent..])).await.unwrap();
    }
    within(SOON, sink.finish()).await.unwrap();
    within(SOON, sink.verify(&digest(&bytes))).await.unwrap();
    within(SOON, sink.commit(&digest(&bytes))).await.unwrap();
    assert_delivered(&server, &bytes);
}

/// What is still to be sent at the end of the file may find no room.
#[tokio::test]
async fn an_end_that_can_not_be_sent_has_a_deadline() {
    let ca = Ca::new();
    let script = stops_reading(&ca);
    let server = device(script).await;
    let timeouts = Timeouts {
        progress: SHORT * 2,
        ..patient()
    };
    let destination = secure(&server, false, ca.trusted(), timeouts);
    let mut sink = open_sink(&FtpTransport::new(), &destination).await.unwrap();
    let bytes = image(MUCH);
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(SHORT / 3, sink.write(&bytes[sent..])).await {
        sent += written.unwrap();
    }
    let failure = within(SOON, sink.finish()).await.unwrap_err();
    let fault = Fault::Stalled { after: SHORT * 2 };
    assert_eq!(failure, Failure::new(Step::Send, fault));
}

/// What somebody on the way says before the handshake is not taken for the server's answer.
#[tokio::test]
async fn what_was_said_in_clear_text_is_forgotten() {
    let ca = Ca::new();
    let server = device(speaks(ServerTls {
        injects: "536 no",
        ..ServerTls::new(ca.issue())
    }))
    .await;
    let destination = secure(&server, false, ca.trusted(), patient());
    let mut source = open_source(&destination.remote, 0).await.unwrap();
    assert!(read_to_end(&mut *source).await.unwrap() == OLD);
    within(SOON, source.close()).await;
}

/// RFC 4217 has `PBSZ` and `PROT` in either place; some servers take them before the login alone, and
/// some after it alone.
#[tokio::test]
async fn data_connections_are_protected_before_or_after_the_login() {
    let ca = Ca::new();
    let bytes = image(20_000);
    for implicit in [false, true] {
        for refusal in [
            "503 log in first",
            "530 not logged in",
            "550 no",
            "501 what?",
        ] {
            let script = speaks(ServerTls {
                implicit,
                ..ServerTls::new(ca.issue())
            });
            let server = device(script.handle(move |line, state| {
                let is_in = state.commands.iter().any(|line| line.starts_with("PASS"));
                let is_early = !is_in && (line.starts_with("PBSZ") || line.starts_with("PROT"));
                match is_early {
                    true => Action::Reply(Reply::line(refusal)),
                    false => Action::Default,
                }
            }))
            .await;
            let transport = FtpTransport::new();
            let destination = secure(&server, implicit, ca.trusted(), patient());
            for _ in 0..2 {
                server.put(PATH, OLD);
                let sent = send_with(&transport, &destination, &bytes).await;
                assert_eq!(sent, Ok(Verified::Size), "{refusal}, {implicit}");
                assert_delivered(&server, &bytes);
            }
            let log = server.log();
            assert!(log.data.iter().all(|data| data.resumed.is_some()));
            // What was refused once is not asked again in the next session.
            assert_eq!(log.count("PBSZ"), 3, "{log:#?}");
        }
    }
    // Refused in both places: nothing is sent in clear text.
    let script = speaks(ServerTls::new(ca.issue())).on("PROT", Reply::line("503 not now"));
    let server = device(script).await;
    let destination = secure(&server, false, ca.trusted(), patient());
    let failure = send(&destination, &bytes).await.unwrap_err();
    let (command, reply) = ("PROT P".into(), "503 not now".into());
    assert_eq!(failure.fault, Fault::TlsRefused { command, reply });
    assert_untouched(&server);
}

/// By a race of the server's own, which the next attempt need not meet.
#[tokio::test]
async fn clear_text_behind_the_agreement_to_tls_may_pass() {
    let ca = Ca::new();
    let script = speaks(ServerTls::new(ca.issue())).on(
        "AUTH",
        Reply::Drip {
            bytes: b"234 go on\r\n500 what was that?\r\n".to_vec(),
            every: Duration::from_millis(5),
        },
    );
    let failure = refused(&device(script).await, false, ca.trusted()).await;
    assert!(
        matches!(failure.fault, Fault::TlsGarbled { .. }),
        "{failure}"
    );
    assert!(failure.is_transient());
    // A server that leaves instead.
    let script = speaks(ServerTls::new(ca.issue())).handle(|line, state| {
        let asked = state.commands.iter().any(|line| line.starts_with("AUTH"));
        match line.starts_with("AUTH") {
            true => Action::Reply(Reply::line("234 go on")),
            false if asked => Action::Reply(Reply::Close),
            false => Action::Default,
        }
    });
    let failure = refused(&device(script).await, false, ca.trusted()).await;
    assert!(failure.is_transient(), "{failure}");
}

/// `openssl req -x509` makes an authority of every certificate, which no server may be; one that was
/// named itself is the one that is meant.
#[tokio::test]
async fn a_certificate_that_is_named_as_its_own_authority_is_accepted() {
    for identity in [Identity::self_signed_authority(), Identity::self_signed()] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("device.pem");
        let key_and_certificate = identity.pem();
        let begin = key_and_certificate.find("-----BEGIN CERTIFICATE").unwrap();
        std::fs::write(&file, &key_and_certificate[begin..]).unwrap();
        let trusted = |max_1_2| Tls {
            trust: Trust::CaFile(Arc::new(file.clone())),
            max_1_2,
            ..Tls::default()
        };
        let server = device(speaks(ServerTls::new(identity))).await;
        for max_1_2 in [false, true] {
            let destination = secure(&server, false, trusted(max_1_2), patient());
            server.put(PATH, OLD);
            assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
        }
        assert_delivered(&server, b"new");
        // No other of its make is.
        let other = device(speaks(ServerTls::new(Identity::self_signed_authority()))).await;
        let failure = refused(&other, false, trusted(false)).await;
        assert!(
            matches!(failure.fault, Fault::TlsCertificate { .. }),
            "{failure}"
        );
    }
}

/// What a server of another time says is reported in words, and nothing is advised that can't help.
#[tokio::test]
async fn what_is_not_offered_here_is_called_so() {
    let alert = |description: u8| vec![0x15, 3, 1, 0, 2, 2, description];
    let ca = Ca::new();
    for (answer, words) in [
        (alert(70), "TLS 1.0 or 1.1"),
        (alert(40), "CBC"),
        (alert(71), "CBC"),
    ] {
        let server = device(Script {
            greeting: Greeting::Bytes(answer),
            ..Script::default()
        })
        .await;
        let failure = refused(&server, true, ca.trusted()).await;
        let cause = failure.to_string();
        assert!(cause.contains(words), "{cause}");
        assert!(!cause.contains("tls_max"), "{cause}");
        assert!(!failure.is_transient());
    }
}

const RSA_1024: &str = "-----BEGIN CERTIFICATE-----
MIICCDCCAXGgAwIBAgIUEZrV5Wuxk6SWKQPZoFgApjdS8UMwDQYJKoZIhvcNAQELBQAwFTETMBEG
A1UEAwwKb2xkIGRldmljZTAgFw0yNjExMjUxODAyMjdaGA8yMTI2MTEwMTE4MDIyN1owFTETMBEG
A1UEAwwKb2xkIGRldmljZTCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEA2yOKl8rpxqGtyMea
YJJ0HzGm/qIT2nOqGmEccpF7MCACpokddHhpkDKxdl9sPcnq7YU2Tpz0IhRkY8xiTOFu1Xx7XNfg
kGengQhdGT9slSlesuXFfnqlotCtFEZOQqxaSN44DjqtHe1Ah2gLFFa5T5VogY5KQTsK1jmCyr82
kDkCAwEAAaNTMFEwHQYDVR0OBBYEFKFjWAAPQV8V4TNkP+MdKoeq1SQkMB8GA1UdIwQYMBaAFKFj
WAAPQV8V4TNkP+MdKoeq1SQkMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEAOiBf
BGBM64Bo+srK31WQc2gahb8nQN5FkCnZxTrlx74vD4sKTU3xdq67PcDpyqWPqrwHUj7yGAeWucSz
V931o5LMt7x50sMjEmFRANs5knSlobniRddLOQEhIrcTaN8DhIUJGFk9iKlLxQBOBSbSdNSPCvVz
+KJQ/bz7W3/yXOI=
-----END CERTIFICATE-----
";

/// No pin and no authority can make it longer.
#[tokio::test]
async fn a_key_that_is_too_short_is_called_so() {
    let certificate = CertificateDer::from_pem_slice(RSA_1024.as_bytes()).unwrap();
    let identity = Identity::shown(certificate);
    let trust = Trust::Pinned(identity.fingerprint());
    let server = device(speaks(ServerTls::new(identity))).await;
    for max_1_2 in [false, true] {
        let trust = trust.clone();
        let tls = Tls {
            trust,
            max_1_2,
            ..Tls::default()
        };
        let failure = refused(&server, false, tls).await;
        let cause = failure.to_string();
        assert!(cause.contains("RSA has 1024 bits"), "{cause}");
        assert!(!cause.contains("pin it"), "{cause}");
        assert!(!failure.is_transient());
    }
}

#[tokio::test]
async fn a_server_that_wants_to_know_who_this_host_is_is_told() {
    let ca = Ca::new();
    let host = ca.authority.issue(&["noc.example.net"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("client.pem");
    std::fs::write(&file, host.pem()).unwrap();
    let permit = |mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for implicit in [false, true] {
        for max_1_2 in [false, true] {
            let server = device(speaks(ServerTls {
                implicit,
                wants_client: Some(ca.authority.certificate()),
                ..ServerTls::new(ca.issue())
            }))
            .await;
            let known = |client: Option<PathBuf>| Tls {
                max_1_2,
                client: client.map(Arc::new),
                ..ca.trusted()
            };
            let failure = refused(&server, implicit, known(None)).await;
            let cause = failure.to_string();
            assert!(
                cause.contains("`tls: { client: FILE }`"),
                "{max_1_2}: {cause}"
            );
            assert!(!failure.is_transient());

            permit(0o600);
            let destination = secure(&server, implicit, known(Some(file.clone())), patient());
            assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
            assert_delivered(&server, b"new");

            // Whoever has the key is this host.
            permit(0o644);
            let server = device(speaks(ServerTls {
                implicit,
                ..ServerTls::new(ca.issue())
            }))
            .await;
            let failure = refused(&server, implicit, known(Some(file.clone()))).await;
            let Fault::ClientCertificate { reason } = &failure.fault else {
                panic!("{failure}");
            };
            assert!(reason.contains("chmod 600"), "{reason}");
        }
    }
}
