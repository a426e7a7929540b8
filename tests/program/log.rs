//! The log as a whole, in processes of their own: there is one log per process.

use std::sync::Arc;
use std::time::Duration;

use crate::support::program::ignored_signals;
use crate::support::scripted::{Reply, Script, ScriptedServer};
use subtend::cli::{logging, signals};
use subtend::headless::Board;
use subtend::model::{Address, Login, RemotePath, Scheme, Timeouts};
use subtend::transport::ftp::FtpTransport;
use subtend::transport::{Endpoint, Remote, Transport};

/// suppaftp speaks through the `log` crate, so its lines take another way than ours.
#[tokio::test]
#[ignore = "run in a process of its own by `no_line_has_a_password`"]
async fn a_password_is_never_written() {
    let board = Board::default();
    logging::start(3, Some("trace,suppaftp=trace"), board.clone()).unwrap();
    let mut notes = board.attach();
    log::trace!(target: "suppaftp::tokio_ftp", "PASS secret");
    log::debug!(target: "suppaftp", "PASS secret");
    log::info!(target: "suppaftp", "informs");
    tracing::trace!("ours");

    // Logins as they are: one that works, and one that is refused by a server that repeats it.
    let echo = Reply::line("530 not `PASS secret`");
    for script in [Script::default(), Script::default().on("PASS", echo)] {
        let server = ScriptedServer::start(script).await;
        server.put("a", "b");
        let remote = Remote {
            endpoint: Endpoint {
                address: Address {
                    scheme: Scheme::Ftp,
                    host: "127.0.0.1".into(),
                    port: server.address().port(),
                },
                login: Arc::new(Login::with_password("craft", "secret")),
                timeouts: Timeouts::default(),
                tls: subtend::model::Tls::default(),
                ssh: subtend::model::Ssh::default(),
                dialect: subtend::model::Dialect::default(),
                http: subtend::model::Http::default(),
            },
            path: RemotePath::new("a").unwrap(),
        };
        tracing::trace!("{remote:?}");
        let _ = crate::support::within(crate::support::LONG, FtpTransport::new().size_of(&remote))
            .await;
        assert!(server.log().commands().contains(&"PASS secret"));
    }
    let lines = notes.rest().concat();
    assert!(!lines.contains("secret"), "{lines}");
    assert!(
        lines.contains("informs") && lines.contains("ours"),
        "{lines}"
    );
}

#[tokio::test]
#[ignore = "run in a process of its own by `signals_are_messages`"]
async fn each_signal_is_a_message() {
    // One that was ignored when this process began (a job in the background of a script) stays so.
    let ignored = ignored_signals();
    let mut signals = signals::signals().unwrap();
    for (name, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1)] {
        if ignored & (1 << (number - 1)) != 0 {
            continue;
        }
        let me = std::process::id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([name, &me])
                .status()
                .unwrap()
                .success()
        );
        let message = tokio::time::timeout(Duration::from_secs(10), signals.stop.recv());
        assert_eq!(message.await.expect(name), Some(()));
    }
}

#[test]
fn no_line_has_a_password() {
    crate::support::alone("log::a_password_is_never_written");
}

#[test]
fn signals_are_messages() {
    crate::support::alone("log::each_signal_is_a_message");
}
