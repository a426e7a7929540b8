//! Sessions with the command line of a device: over the real sshd and telnetd with a scripted one behind them,
//! and over devices that misbehave to the byte.

mod commands;
mod devices;
mod router;
mod upgrades;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use secrecy::SecretString;
use subtend::model::procedure::Way;
use subtend::model::{Failure, Fault, Login, Step};
use subtend::procedure::session::{Ended, Expectation, Session, Typed, open};
use subtend::transport::{AnyTransport, Endpoint};
use tokio_util::sync::CancellationToken;

use crate::common::{SOON, patient, remote_at};
use crate::sftp::sshd::{Sshd, is_here};
use crate::support::{LONG, within};

fn cli() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transport/terminal/cli.py")
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

fn expects(expect: &Regex) -> Expectation<'_> {
    Expectation {
        expect: Some(expect),
        answers: &[],
    }
}

/// Everything that an operator's procedure does, and what its answers are.
async fn upgrade(mut session: Session) {
    let any = Expectation::default();
    let version = pattern(r"Version (?<version>\S+)");
    let shown = session
        .run("show version", expects(&version), SOON)
        .await
        .unwrap();
    assert_eq!(
        shown.text,
        "IOS Software, Version 12.4(3)\nuptime is 3 days"
    );
    assert_eq!(shown.groups, [("version".to_owned(), "12.4(3)".to_owned())]);
    assert_eq!(shown.ended, Ended::Prompt);

    let log = session.run("show log", any, SOON).await.unwrap();
    let lines: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    assert_eq!(log.text, lines.join("\n"));

    let ok = pattern("OK");
    let failure = session
        .run("boot system x", expects(&ok), SOON)
        .await
        .unwrap_err();
    assert_eq!(
        failure.to_string(),
        "command: the device answered \"boot system x\" with: % Unknown command: boot system x"
    );

    let asks = pattern("Password: ?$");
    let wrong = SecretString::from("never-so");
    let enable = session.run("enable", expects(&asks), SOON).await.unwrap();
    assert_eq!(enable.ended, Ended::Question);
    let is_in = pattern("# $");
    let failure = session
        .run_secret(&wrong, expects(&is_in), SOON)
        .await
        .unwrap_err();
    assert_eq!(
        failure.to_string(),
        "command: the device answered the password with: % Bad secrets"
    );
    session.run("enable", expects(&asks), SOON).await.unwrap();
    let right = SecretString::from("latch-4711");
    session
        .run_secret(&right, expects(&is_in), SOON)
        .await
        .unwrap();
    // From now on it is shown nowhere.
    let echoed = session.run("say latch-4711", any, SOON).await.unwrap();
    assert_eq!(echoed.text, "% Unknown command: say ********");

    let answers = [(pattern(r"\[confirm\]"), Typed::Line("y".to_owned()))];
    let confirm = Expectation {
        expect: None,
        answers: &answers,
    };
    let reload = session.run("reload", confirm, SOON).await.unwrap();
    assert_eq!(reload.ended, Ended::Closed);
    assert!(reload.text.ends_with("Reloading"), "{}", reload.text);
    let failure = session.run("show version", any, SOON).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure}");
    session.close().await;
}

#[tokio::test]
async fn an_upgrade_over_openssh() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::with(
        "internal-sftp",
        &format!("ForceCommand python3 {}", cli().display()),
    );
    let (transport, cancel) = (AnyTransport::default(), CancellationToken::new());
    let prompt = pattern("[#>] $");
    let endpoint = sshd.endpoint();
    let opened = open(&transport, Way::Ssh, &endpoint, &prompt, &cancel);
    let session = within(LONG, opened).await.unwrap();
    within(LONG, upgrade(session)).await;
}

/// GNU inetutils' telnetd, for one connection.
struct Telnetd {
    endpoint: Endpoint,
    accepts: std::thread::JoinHandle<Child>,
    _dir: tempfile::TempDir,
}

fn telnetd() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let installed = root.join("target/servers/debian/usr/sbin/telnetd");
    let places = [installed, "/usr/sbin/telnetd".into()];
    let found = places.into_iter().find(|place| place.is_file());
    assert!(
        found.is_some() || std::env::var("CI").as_deref() != Ok("true"),
        "no telnetd"
    );
    if found.is_none() {
        println!("skipped: telnetd is not here (.ci/servers installs it)");
    }
    found
}

impl Telnetd {
    fn start(program: PathBuf, password: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It takes the name of a program, and no words behind it.
        let login = dir.path().join("login");
        let text = format!("#!/bin/sh\nexec python3 {} login\n", cli().display());
        std::fs::write(&login, text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&login, mode).unwrap();
        let accepts = std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let output = socket.try_clone().unwrap();
            Command::new(program)
                .args(["-h", "-E"])
                .arg(login)
                .stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)))
                .stdout(Stdio::from(std::os::fd::OwnedFd::from(output)))
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        });
        let mut endpoint = remote_at(address, patient()).endpoint;
        endpoint.login = Arc::new(Login::with_password("craft", password));
        Self {
            endpoint,
            accepts,
            _dir: dir,
        }
    }

    fn end(self) {
        let mut process = self.accepts.join().unwrap();
        let _ = process.kill();
        process.wait().unwrap();
    }
}

#[tokio::test]
async fn an_upgrade_over_telnetd() {
    let Some(program) = telnetd() else {
        return;
    };
    let device = Telnetd::start(program, "sesame");
    let session = within(LONG, telnet(&device.endpoint)).await.unwrap();
    within(LONG, upgrade(session)).await;
    device.end();
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_to_telnetd() {
    let Some(program) = telnetd() else {
        return;
    };
    let device = Telnetd::start(program, "ajar-1508");
    let failure = within(LONG, telnet(&device.endpoint)).await.unwrap_err();
    assert_eq!(failure.step, Step::Login);
    assert!(
        matches!(failure.fault, Fault::LoginRefused { .. }),
        "{failure}"
    );
    assert!(failure.to_string().contains("Login incorrect"), "{failure}");
    assert!(!failure.to_string().contains("ajar-1508") && !failure.is_transient());
    device.end();
}

async fn telnet(endpoint: &Endpoint) -> Result<Session, Failure> {
    let (transport, cancel) = (AnyTransport::default(), CancellationToken::new());
    let prompt = pattern("[#>] $");
    open(&transport, Way::Telnet, endpoint, &prompt, &cancel).await
}

/// Longer than a local device takes to answer, and short to wait for.
const BRIEF: Duration = Duration::from_millis(300);
