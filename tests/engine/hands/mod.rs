//! The steps of a procedure, each carried out on a device of the lab.

mod fetch;
mod http;
mod local;
mod orders;
mod restart;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use subtend::lab::{Lab, Over};
use subtend::model::procedure::{
    Deed, Expect, Placeholder, Procedure, Reaction, ReactionText, SessionAddress, SessionSpec,
    StepSpec, Template, Values, Way,
};
use subtend::model::{Fault, HostTrust, Login, Logins, Ssh, Timeouts};
use subtend::procedure::{Carried, Device, Hands, Target};
use subtend::transport::AnyTransport;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::support::run::Run;
use crate::support::{GROUP, LONG, behave, does, lab, network, within};

const DEVICE: &str = "e001";
const SECRET: &str = "sesame-17";
const ENABLE: &str = "latch-4711";
const BRIEF: Duration = Duration::from_millis(500);

/// A device of the lab, and what carries steps out on it.
struct Bench {
    lab: Lab,
    target: Target,
    transport: Arc<AnyTransport>,
    device: Device<AnyTransport>,
    cancel: CancellationToken,
    values: Values,
    /// The state directory, and the folder of the inventory.
    folder: TempDir,
}

fn way(over: Over) -> Way {
    match over {
        Over::Telnet => Way::Telnet,
        Over::Ssh => Way::Ssh,
        Over::Http => panic!("no session is opened there"),
    }
}

fn door(over: Over) -> &'static str {
    over.as_str()
}

impl Bench {
    /// A device with these words for its command line, which steps use over that way.
    async fn of(cli: &str, over: Option<Over>, prompt: &str) -> Self {
        let (inventory, mut settings) = network(1, 100_000);
        behave(&mut settings, DEVICE, does(&format!("{{ cli: {cli} }}")));
        let lab = lab(&inventory, &settings).await;
        let folder = tempfile::tempdir().unwrap();
        let mut entity = (*lab.inventory().entities[0]).clone();
        entity.timeouts = Timeouts {
            reply: LONG,
            ..Timeouts::default()
        };
        let address = over.map(|over| lab.command_line(DEVICE, over).unwrap());
        entity.session = address.map(|address| SessionAddress {
            host: address.ip().to_string(),
            port: Some(address.port()),
        });
        let key = lab.served().iter().find_map(|served| served.host_key);
        let session = over.map(|over| SessionSpec {
            way: way(over),
            port: 1,
            credentials: Some("craft".into()),
            ssh: Ssh {
                trust: key.map_or(HostTrust::Unset, |key| HostTrust::Key([key].into())),
                legacy: false,
            },
            prompt: Some(prompt.parse().unwrap()),
        });
        let procedure = Procedure {
            name: "card".into(),
            session,
            web: None,
            before: Vec::new(),
            activate: Vec::new(),
            check: Vec::new(),
            undo: Vec::new(),
            fetch: Vec::new(),
        };
        let mut logins = Logins::default();
        logins.insert("craft".into(), Login::with_password("craft", SECRET));
        logins.insert("enable".into(), Login::with_password("", ENABLE));
        let target = Target {
            entity: Arc::new(entity),
            procedure: Arc::new(procedure),
            logins: Arc::new(logins),
            keep: folder.path().join("state"),
            folder: folder.path().to_owned(),
            sessions: Arc::new(Semaphore::new(1)),
        };
        let (transport, cancel) = (Arc::new(AnyTransport::default()), CancellationToken::new());
        let device = Device::new(Arc::clone(&transport), target.clone(), cancel.clone());
        let values = Values::from([
            (Placeholder::Entity, DEVICE.into()),
            (Placeholder::Path, "/flash/image.bin".into()),
            (Placeholder::Version, "2".into()),
            (Placeholder::Previous, "1".into()),
            (Placeholder::Run, "r7".into()),
            (Placeholder::Address, "127.0.0.1".into()),
        ]);
        Self {
            lab,
            target,
            transport,
            device,
            cancel,
            values,
            folder,
        }
    }

    /// One with two banks.
    async fn banks(more: &str, over: Over) -> Self {
        let cli = format!("{{ {}: 0, password: {SECRET}{more} }}", door(over));
        Self::of(&cli, Some(over), "> $").await
    }

    async fn without_session(cli: &str) -> Self {
        Self::of(cli, None, "> $").await
    }

    async fn deliver(&self) {
        let run = Run::start(self.lab.inventory(), &[GROUP]).await;
        let (summary, _) = run.finish().await;
        assert_eq!(
            summary.outcome,
            subtend::model::Outcome::Delivered,
            "{summary:?}"
        );
    }

    async fn does(&mut self, step: &StepSpec) -> Carried {
        within(LONG, self.device.carry_out(step, &self.values, false)).await
    }

    /// As the last step before a restart.
    async fn does_before_restart(&mut self, step: &StepSpec) -> Carried {
        within(LONG, self.device.carry_out(step, &self.values, true)).await
    }

    fn open_sessions(&self) -> usize {
        1 - self.target.sessions.available_permits()
    }
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn step(deed: Deed) -> StepSpec {
    StepSpec {
        deed,
        expect: None,
        within: LONG,
        safe: false,
        role: Default::default(),
    }
}

fn send(line: &str) -> StepSpec {
    step(Deed::Send {
        line: template(line),
        answers: Vec::new(),
    })
}

fn answered(mut step: StepSpec, to: &str, with: ReactionText) -> StepSpec {
    if let Deed::Send { answers, .. } = &mut step.deed {
        let to = to.parse().unwrap();
        answers.push(Reaction { to, with });
    }
    step
}

fn expects(step: StepSpec, pattern: &str) -> StepSpec {
    let expect = Expect {
        pattern: pattern.parse().unwrap(),
        is: None,
    };
    StepSpec {
        expect: Some(expect),
        ..step
    }
}

fn is(mut step: StepSpec, group: &str, wanted: &str) -> StepSpec {
    if let Some(expect) = &mut step.expect {
        expect.is = Some((group.into(), template(wanted)));
    }
    step
}

fn briefly(step: StepSpec) -> StepSpec {
    StepSpec {
        within: BRIEF,
        ..step
    }
}

fn version() -> StepSpec {
    let shown = expects(send("show version"), r"Version (?<version>\S+)");
    is(shown, "version", "{version}")
}

fn restart_command() -> StepSpec {
    let yes = ReactionText::Line(template("y"));
    answered(send("restart"), r"\(y/n\) ?$", yes)
}

fn good(carried: &Carried) -> &BTreeMap<String, String> {
    (carried.result.as_ref()).unwrap_or_else(|failure| panic!("{failure}: {carried:?}"))
}

fn fault(carried: &Carried) -> &Fault {
    &carried.result.as_ref().unwrap_err().fault
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_sent_and_its_answer_judged() {
    for over in [Over::Telnet, Over::Ssh] {
        let mut bench = Bench::banks("", over).await;
        let differs = bench.does(&version()).await;
        assert_eq!(differs.what, "send \"show version\"");
        assert_eq!(differs.said, "Version 1\nRunning from bank 1");
        let said = fault(&differs).to_string();
        assert_eq!(said, "the device says version `1`, and `2` was expected");
        assert!(!differs.is_undone && !differs.result.unwrap_err().is_transient());

        bench.values.insert(Placeholder::Version, "1".into());
        let same = bench.does(&version()).await;
        assert_eq!(good(&same)["version"], "1");
        assert_eq!(bench.open_sessions(), 1);
        // Of the same session.
        let unknown = expects(send("set boot {path}.old"), "OK");
        let refused = bench.does(&unknown).await;
        assert_eq!(refused.what, "send \"set boot /flash/image.bin.old\"");
        assert_eq!(refused.said, "ERROR: no such file");
        assert!(matches!(fault(&refused), Fault::Unexpected { .. }));
        bench.device.close().await;
        assert_eq!(bench.open_sessions(), 0);
        bench.lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_sent_is_as_if_it_had_not_been_begun() {
    let mut bench = Bench::banks("", Over::Telnet).await;
    for line in ["set boot {label.none}", "boot\rrestart"] {
        let carried = bench.does(&send(line)).await;
        assert!(carried.is_undone, "{carried:?}");
        assert!(matches!(fault(&carried), Fault::Local(_)), "{carried:?}");
    }
    assert_eq!(bench.open_sessions(), 0);
    bench.lab.kill(DEVICE).await;
    let carried = bench.does(&briefly(send("restart"))).await;
    assert!(carried.is_undone);
    assert!(
        matches!(fault(&carried), Fault::Refused { .. }),
        "{carried:?}"
    );
    assert!(!bench.cancel.is_cancelled() && bench.open_sessions() == 0);
    bench.cancel.cancel();
    let carried = bench.does(&send("restart")).await;
    assert!(carried.is_undone && *fault(&carried) == Fault::Cancelled);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_device_has_no_room_for_is_opened_when_it_has() {
    let mut bench = Bench::banks(", max_sessions: 1", Over::Telnet).await;
    let mut target = bench.target.clone();
    target.sessions = Arc::new(Semaphore::new(1));
    let transport = Arc::clone(&bench.transport);
    let mut other = Device::new(transport, target, CancellationToken::new());
    let shown = send("show version");
    good(&within(LONG, other.carry_out(&shown, &bench.values, false)).await);
    let carried = bench.does(&briefly(shown.clone())).await;
    assert!(carried.is_undone, "{carried:?}");
    assert!(
        fault(&carried).to_string().contains("too many sessions"),
        "{carried:?}"
    );
    let ((), carried) = tokio::join!(other.close(), bench.does(&shown));
    good(&carried);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_lets_nobody_in_is_asked_once() {
    for over in [Over::Telnet, Over::Ssh] {
        let cli = format!("{{ {}: 0, password: other }}", door(over));
        let mut bench = Bench::of(&cli, Some(over), "> $").await;
        let carried = bench.does(&send("show version")).await;
        assert!(carried.is_undone);
        assert!(
            matches!(fault(&carried), Fault::LoginRefused { .. }),
            "{carried:?}"
        );
        assert!(!format!("{carried:?}").contains(SECRET));
        bench.lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_does_not_answer_runs_into_the_deadline_or_the_cancel() {
    let mut bench = Bench::banks(
        ", silent_on: show version, endless_on: show banks",
        Over::Ssh,
    )
    .await;
    let carried = bench.does(&briefly(send("show version"))).await;
    assert!(
        matches!(fault(&carried), Fault::Unanswered { .. }),
        "{carried:?}"
    );
    assert!(!carried.is_undone);
    let carried = bench.does(&briefly(send("show banks"))).await;
    assert!(
        matches!(fault(&carried), Fault::Unanswered { .. }),
        "{carried:?}"
    );
    assert!(carried.said.contains("counter 1:"), "{}", carried.said);
    assert!(carried.said.len() <= 64 * 1024);
    let cancel = bench.cancel.clone();
    let silent = send("show version");
    let (carried, ()) = tokio::join!(bench.does(&silent), async {
        tokio::time::sleep(BRIEF).await;
        cancel.cancel();
    });
    assert_eq!(*fault(&carried), Fault::Cancelled);
    assert_eq!(bench.open_sessions(), 0);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_shown_nowhere() {
    for over in [Over::Telnet, Over::Ssh] {
        let cli = |enable: &str| {
            let door = door(over);
            format!(
                "{{ {door}: 0, dialect: ios, password: {SECRET}, enable_password: {enable}, echo_password: true }}"
            )
        };
        let password = || ReactionText::Password("enable".into());
        let enable = || answered(send("enable"), "Password: ?$", password());

        let mut bench = Bench::of(&cli(ENABLE), Some(over), "[>#] ?$").await;
        let carried = bench.does(&expects(enable(), "Password")).await;
        good(&carried);
        assert!(carried.said.contains("********"), "{carried:?}");
        // Also later, and where it is part of what is sent.
        let says = bench.does(&send(&format!("say {ENABLE} {SECRET}"))).await;
        good(&says);
        assert_eq!(says.what, "send \"say ******** ********\"");
        // It is let in: this is only known there.
        let boots = expects(send("show boot"), "BOOT path-list");
        let boots = bench.does(&boots).await;
        good(&boots);
        for carried in [carried, says, boots] {
            let all = format!("{carried:?}");
            assert!(!all.contains(ENABLE) && !all.contains(SECRET), "{all}");
        }
        bench.lab.stop().await;

        let mut bench = Bench::of(&cli("other"), Some(over), "[>#] ?$").await;
        let denied = bench.does(&expects(enable(), "#")).await;
        assert!(
            fault(&denied).to_string().contains("Access denied"),
            "{denied:?}"
        );
        assert!(!format!("{denied:?}").contains(ENABLE));
        bench.lab.stop().await;
    }
}

/// The state directory of a bench.
fn state(bench: &Bench) -> PathBuf {
    bench.folder.path().join("state")
}
