//! Logins to a server that wants to be logged in to in some way, and remembers what it was sent.

use std::sync::{Arc, Mutex};

use russh::keys::{Algorithm, PrivateKey};
use russh::server::{Auth, Config, Handler, PublicKeyOffer, Response, run_stream};
use russh::{MethodKind, MethodSet};
use subtend::model::{Failure, Fault, HostKey, HostTrust, Login, Scheme, Ssh, Step};
use subtend::transport::{AnyTransport, Directory, Endpoint, Transport};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::common::{patient, remote_at};
use crate::support::{LONG, within};

const PASSWORD: &str = "hunter2";

/// How it wants to be logged in to.
#[derive(Clone, Copy, Default)]
struct Wants {
    methods: &'static [MethodKind],
    /// What its dialogue asks, and whether the answer is shown.
    prompts: &'static [(&'static str, bool)],
    /// A password that is right is not enough.
    more: bool,
    /// The connection is over with the first attempt.
    once: bool,
}

#[derive(Clone)]
struct Server {
    wants: Wants,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn note(&self, what: String) {
        self.seen.lock().unwrap().push(what);
    }

    fn refuse(&self, partial_success: bool) -> Auth {
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(self.wants.methods)),
            partial_success,
        }
    }

    fn password(&self, password: &str) -> Result<Auth, russh::Error> {
        self.note(format!("password {password}"));
        match password == PASSWORD {
            _ if self.wants.once => Err(russh::Error::Disconnect),
            true if self.wants.more => Ok(self.refuse(true)),
            true => Ok(Auth::Accept),
            false => Ok(self.refuse(false)),
        }
    }
}

impl Handler for Server {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, russh::Error> {
        self.note(format!("user {user}"));
        match self.wants.methods {
            [] => Ok(Auth::Accept),
            _ => Ok(self.refuse(false)),
        }
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        self.password(password)
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        _: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.refuse(false))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let given: Option<Vec<String>> = response.map(|response| {
            response
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .collect()
        });
        match given.as_deref() {
            Some([one]) => self.password(one),
            Some(several) => Ok(self.refuse(!several.is_empty())),
            None => Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: (self.wants.prompts.iter())
                    .map(|(text, echo)| ((*text).into(), *echo))
                    .collect::<Vec<_>>()
                    .into(),
            }),
        }
    }
}

/// One connection to such a server: how it went, and what the server was sent.
async fn log_in(wants: Wants, login: Login, trusted: bool) -> (Failure, Vec<String>) {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let print = key.public_key().fingerprint(russh::keys::HashAlg::Sha256);
    let pin = match trusted {
        true => HostKey(print.sha256().unwrap()),
        false => HostKey([0; 32]),
    };
    let config = Arc::new(Config {
        keys: vec![key],
        auth_rejection_time: std::time::Duration::ZERO,
        auth_rejection_time_initial: Some(std::time::Duration::ZERO),
        ..Config::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server {
        wants,
        seen: Arc::default(),
    };
    let seen = Arc::clone(&server.seen);
    let serving: JoinHandle<()> = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(session) = run_stream(Arc::clone(&config), stream, server.clone()).await {
                let _ = session.await;
            }
        }
    });
    let mut endpoint: Endpoint = remote_at(address, patient()).endpoint;
    endpoint.address.scheme = Scheme::Sftp;
    endpoint.login = Arc::new(login);
    endpoint.ssh = Ssh {
        trust: HostTrust::Key([pin].into()),
        legacy: false,
    };
    let path = String::new();
    let directory = Directory { endpoint, path };
    let transport = AnyTransport::default();
    let listed = within(LONG, transport.list(&directory)).await;
    serving.abort();
    let seen = seen.lock().unwrap().clone();
    (listed.unwrap_err(), seen)
}

fn password(password: &str) -> Login {
    Login::with_password("craft", password)
}

const IN: [&str; 2] = ["user craft", "password hunter2"];

/// It opens no session for anybody.
fn is_in(failure: &Failure) -> bool {
    matches!(&failure.fault, Fault::Answer { said, .. } if said.contains("to a session"))
}

#[tokio::test]
async fn a_password_is_sent_once_and_to_the_right_host_alone() {
    let wants = Wants {
        methods: &[MethodKind::Password, MethodKind::KeyboardInteractive],
        prompts: &[("Password: ", false)],
        ..Wants::default()
    };
    let (failure, seen) = log_in(wants, password(PASSWORD), true).await;
    assert!(is_in(&failure), "{failure}");
    assert_eq!(seen, IN);
    let (failure, seen) = log_in(wants, password("guess"), true).await;
    assert_eq!(seen, ["user craft", "password guess"]);
    assert_eq!(failure.step, Step::Login);
    let said = failure.to_string();
    assert!(
        said.contains("password, keyboard-interactive") && !said.contains("guess"),
        "{said}"
    );
    assert!(!failure.is_transient());
    let (failure, seen) = log_in(wants, password(PASSWORD), false).await;
    assert!(
        matches!(failure.fault, Fault::HostKeyChanged { .. }),
        "{failure}"
    );
    assert!(seen.is_empty(), "{seen:?}");
}

#[tokio::test]
async fn one_hidden_question_gets_the_password_and_others_none() {
    let dialogue = |prompts| Wants {
        methods: &[MethodKind::KeyboardInteractive],
        prompts,
        ..Wants::default()
    };
    let (failure, seen) =
        log_in(dialogue(&[("Password: ", false)]), password(PASSWORD), true).await;
    assert!(is_in(&failure), "{failure}");
    assert_eq!(seen, IN);
    for prompts in [
        &[("Your name? ", true)][..],
        &[("Password: ", false), ("Code from the token: ", false)],
    ] {
        let (failure, seen) = log_in(dialogue(prompts), password(PASSWORD), true).await;
        assert_eq!(seen, ["user craft"]);
        let said = failure.to_string();
        assert!(said.contains(prompts[0].0.trim()), "{said}");
        assert!(said.contains("more than a password"), "{said}");
    }
}

#[tokio::test]
async fn what_is_not_enough_and_what_is_not_offered_is_said() {
    let wants = Wants {
        methods: &[MethodKind::Password],
        more: true,
        ..Wants::default()
    };
    let (failure, seen) = log_in(wants, password(PASSWORD), true).await;
    assert_eq!(seen, IN);
    assert!(
        failure
            .to_string()
            .contains("wants something else beside it"),
        "{failure}"
    );
    let keys = Wants {
        methods: &[MethodKind::PublicKey],
        ..Wants::default()
    };
    let (failure, seen) = log_in(keys, password(PASSWORD), true).await;
    assert_eq!(seen, ["user craft"]);
    let said = failure.to_string();
    assert!(
        said.contains("takes no password") && said.contains("publickey"),
        "{said}"
    );
    let over = Wants {
        methods: &[MethodKind::Password],
        once: true,
        ..Wants::default()
    };
    let (failure, _) = log_in(over, password(PASSWORD), true).await;
    assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure}");
    assert_eq!(failure.step, Step::Login);
}

/// Some devices ask nobody for anything.
#[tokio::test]
async fn a_server_that_wants_nothing_gets_no_password() {
    let (failure, seen) = log_in(Wants::default(), password(PASSWORD), true).await;
    assert!(is_in(&failure), "{failure}");
    assert_eq!(seen, ["user craft"]);
}
