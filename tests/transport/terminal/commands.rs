//! Lines that a device carries out without a shell that they are typed into: by the real sshd, with real programs
//! behind it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use subtend::inventory;
use subtend::model::procedure::{Placeholder, StepSpec, Values};
use subtend::model::{Fault, Logins};
use subtend::procedure::{Carried, Device, Hands, Target};
use subtend::transport::AnyTransport;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::sftp::sshd::{Sshd, is_here};
use crate::support::{LONG, within};

/// Between looks whether a command has begun.
const POLL: Duration = Duration::from_millis(10);

/// A device that carries lines out, the steps of its `check`, and what ends them.
struct Machine {
    device: Device<AnyTransport>,
    steps: Vec<StepSpec>,
    cancel: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn new(sshd: &Sshd, steps: &str) -> Self {
        let text = format!(
            r#"
credentials: {{ craft: {{ user: craft, password: {{ env: CRAFT }} }} }}
types: {{ adsl: {{ procedure: p }} }}
procedures:
  p:
    session: {{ ssh: {}, exec: true, known_hosts: hosts }}
    before:
{steps}
entities:
  - {{ name: e1, type: adsl, version: "1", address: "sftp://127.0.0.1", credentials: craft, path: /x, known_hosts: hosts }}
"#,
            sshd.endpoint().address.port
        );
        let read = inventory::parse(&text, Path::new("site.yaml"));
        let inventory = read.unwrap_or_else(|errors| panic!("{errors}"));
        let mut procedure = (**inventory.procedure("adsl").unwrap()).clone();
        let endpoint = sshd.endpoint();
        if let Some(session) = &mut procedure.session {
            session.ssh = endpoint.ssh.clone();
        }
        let mut entity = (*inventory.entities[0]).clone();
        entity.timeouts = endpoint.timeouts;
        let mut logins = Logins::default();
        logins.insert("craft".into(), (*endpoint.login).clone());
        let folder = tempfile::tempdir().unwrap();
        let steps = procedure.before.clone();
        let target = Target {
            entity: Arc::new(entity),
            procedure: Arc::new(procedure),
            logins: Arc::new(logins),
            keep: folder.path().to_owned(),
            folder: folder.path().to_owned(),
            sessions: Arc::new(Semaphore::new(1)),
        };
        let cancel = CancellationToken::new();
        Self {
            device: Device::new(Arc::new(AnyTransport::default()), target, cancel.clone()),
            steps,
            cancel,
            _folder: folder,
        }
    }

    async fn carry_out(&mut self, step: usize) -> Carried {
        let values = Values::from([(Placeholder::Entity, "e1".into())]);
        let step = self.steps[step].clone();
        within(LONG, self.device.carry_out(&step, &values, false)).await
    }
}

#[tokio::test]
async fn lines_are_commands_of_their_own_and_say_how_they_ended() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let mut machine = Machine::new(
        &sshd,
        r#"
      - { send: "echo Version 2.4; echo to both >&2", expect: 'Version (?<version>\S+)' }
      - { send: "echo no such {entity}; exit 3" }
      - { send: "echo nothing of it", expect: Version }
      - { send: "echo first; kill -TERM $$" }
      - { send: "echo begun; sleep 100", within: 1s }
      - { send: "yes | head -c 3000000; echo end", expect: '(?m)^end$' }
      - { send: "true" }
"#,
    );
    let good = machine.carry_out(0).await;
    assert_eq!(good.result.unwrap()["version"], "2.4");
    assert!(good.said.contains("Version 2.4\n") && good.said.contains("to both"));
    assert!(!good.is_undone);
    for (step, why) in [
        (
            1,
            "\"echo no such e1; exit 3\" failed (exit status: 3): no such e1",
        ),
        (
            2,
            "the device answered \"echo nothing of it\" with: nothing of it",
        ),
        (3, "was ended by the device (signal: TERM): first"),
        (4, "begun"),
    ] {
        let carried = machine.carry_out(step).await;
        let failure = carried.result.unwrap_err();
        assert!(failure.to_string().contains(why), "{failure}");
        assert_eq!(matches!(failure.fault, Fault::Unanswered { .. }), step == 4);
        assert!(!carried.is_undone, "{failure}");
    }
    // Of an answer without end the beginning and the end are kept.
    let long = machine.carry_out(5).await;
    assert!(long.result.is_ok(), "{:?}", long.result);
    assert!(long.said.len() <= 64 * 1024 && long.said.contains("bytes …"));
    assert!(machine.carry_out(6).await.result.is_ok());
    within(LONG, machine.device.close()).await;
}

#[tokio::test]
async fn a_command_that_does_not_end_is_left_at_once_when_the_run_is_cancelled() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let mark = tempfile::tempdir().unwrap();
    let begun = mark.path().join("begun");
    let step = format!(
        "      - {{ send: \"mkdir {}; sleep 100\", within: 90s }}\n",
        begun.display()
    );
    let mut machine = Machine::new(&sshd, &step);
    let cancel = machine.cancel.clone();
    let clock = Instant::now();
    let (carried, ()) = tokio::join!(machine.carry_out(0), async {
        while !begun.is_dir() {
            tokio::time::sleep(POLL).await;
        }
        cancel.cancel();
    });
    assert!(carried.result.unwrap_err().is_cancelled());
    assert!(clock.elapsed() < LONG);
}

#[tokio::test]
async fn a_device_without_room_for_a_session_is_asked_until_the_deadline() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::with("internal-sftp", "MaxSessions 0");
    let mut machine = Machine::new(&sshd, "      - { send: \"true\", within: 2s }\n");
    let carried = machine.carry_out(0).await;
    let failure = carried.result.unwrap_err();
    assert!(carried.is_undone, "{failure}");
    assert!(
        failure.to_string().contains("room for no more"),
        "{failure}"
    );
}
