//! An engine that stays: killed and parked in all that waits, and started again, against a lab in the test's process.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;

use crate::support::program::{Program, served};
use crate::support::{IMAGE, LONG, PATH, takes_at, within};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
use subtend::lab::Lab;
use subtend::model::campaign::{Campaign, Days, Proceed, TimeOfDay, Wave, Window};
use subtend::model::{
    DeliveryPolicy, EntityState, GroupSpec, ImageSpec, MadeGroup, Outcome, SourceSpec,
};
use subtend::protocol::{Command, GroupPhase, GroupSnapshot, HeldBy, PauseReason, Snapshot, Wait};
use subtend::remote::{Connection, Place, Wants};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_subtend");
const MIB: u64 = 1 << 20;
const SIZE: u64 = 2 * MIB;
const ENTITIES: [&str; 3] = ["e001", "e002", "e003"];
const GROUP: &str = "tonight";

struct Site {
    lab: Lab,
    file: String,
    state: String,
    folder: TempDir,
}

/// `subtend serve`, ready.
struct Serve {
    program: Program,
    place: Place,
}

impl Site {
    async fn new() -> Self {
        let (lab, folder, file) = served(3, SIZE, &[("*", takes_at(MIB))]).await;
        let state = folder.path().join("state").to_str().unwrap().to_owned();
        Self {
            lab,
            file,
            state,
            folder,
        }
    }

    /// Started as a service manager does it: it says when it is ready.
    async fn serve(&self) -> Serve {
        let socket: PathBuf = self.folder.path().join("notify");
        let _ = std::fs::remove_file(&socket);
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(LONG)).unwrap();
        let notify = format!("NOTIFY_SOCKET={}", socket.display());
        let args = [
            &notify,
            PROGRAM,
            "serve",
            "-i",
            &self.file,
            "--state-dir",
            &self.state,
        ];
        let program = Program::command(self.folder.path(), "/usr/bin/env", &args);
        let heard = tokio::task::spawn_blocking(move || {
            let mut message = [0; 512];
            let length = manager
                .recv(&mut message)
                .expect("it says that it is ready");
            String::from_utf8_lossy(&message[..length]).into_owned()
        });
        let heard = heard.await.unwrap();
        assert!(heard.starts_with("READY=1\n"), "{heard}");
        let place = Place::of(&PathBuf::from(&self.state), None).unwrap();
        Serve { program, place }
    }

    fn program(&self, args: &[&str]) -> Program {
        let args = [args, &["--state-dir", &self.state]].concat();
        Program::keeping(self.folder.path(), &args)
    }

    async fn said(&self, args: &[&str]) -> String {
        let (lines, code, said) = self.program(args).end().await;
        assert_eq!(code, Some(0), "{args:?}: {lines:?} {said}");
        lines.join("\n")
    }

    async fn status(&self) -> Value {
        serde_json::from_str(&self.said(&["status", "--json"]).await).unwrap()
    }

    fn assert_delivered_once(&self) {
        for name in ENTITIES {
            let file = self.lab.file(name, PATH).unwrap();
            assert!(file.same_as_image(IMAGE), "{name}");
            assert_eq!(self.lab.files(name), [PATH], "{name}");
        }
    }
}

impl Serve {
    async fn connection(&self) -> Connection {
        let opened = Connection::open(&self.place, Wants::Orders, "a test").await;
        opened.unwrap().expect("an engine")
    }

    async fn start(&self, campaign: Campaign) {
        let mut connection = self.connection().await;
        let spec = GroupSpec::Made(MadeGroup {
            name: GROUP.into(),
            image: ImageSpec::Named(IMAGE.into()),
            source: SourceSpec::FileServer("hq".into()),
            then: Vec::new(),
            entities: ENTITIES.map(str::to_owned).into(),
            policy: DeliveryPolicy::default(),
            campaign: Box::new(campaign),
        });
        let start = Command::Start {
            groups: vec![spec],
            force: false,
        };
        connection.order(start).await.unwrap();
        self.until(|_| true).await;
    }

    /// Waits until the group is so.
    async fn until(&self, is_so: impl Fn(&GroupSnapshot) -> bool) -> Arc<GroupSnapshot> {
        let mut connection = self.connection().await;
        let seen = async {
            loop {
                let snapshot: Arc<Snapshot> = connection.snapshot().await.unwrap();
                let group = snapshot
                    .groups
                    .iter()
                    .rev()
                    .find(|one| &*one.group == GROUP);
                if let Some(group) = group
                    && is_so(group)
                {
                    return group.clone();
                }
            }
        };
        within(LONG, seen).await
    }

    async fn kill(self) {
        self.program.signal("KILL");
        self.program.end().await;
    }
}

fn in_waves(proceed: Proceed) -> Campaign {
    Campaign {
        waves: vec![Wave::Count(1), Wave::Rest],
        proceed,
        ..Campaign::default()
    }
}

fn held(group: &GroupSnapshot) -> Option<&HeldBy> {
    let held = group.campaign.as_ref()?.held.as_ref();
    held.map(|held| &held.by)
}

fn asks(group: &GroupSnapshot) -> bool {
    held(group) == Some(&HeldBy::Pause(PauseReason::Asks { wave: 1 }))
}

fn is_delivered(group: &GroupSnapshot) -> bool {
    group.phase == GroupPhase::Ended(Outcome::Delivered)
}

fn state(group: &GroupSnapshot, name: &str) -> EntityState {
    let mut entities = group.entities.iter();
    entities.find(|one| &*one.entity == name).unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_is_paused_it_is_paused_and_goes_on() {
    let site = Site::new().await;
    let serve = site.serve().await;
    serve.start(in_waves(Proceed::Ask)).await;
    serve.until(asks).await;
    serve.kill().await;
    let status = site.status().await;
    assert_eq!(
        status["waiting"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );

    let serve = site.serve().await;
    let group = serve.until(|_| true).await;
    assert!(asks(&group), "{:?}", group.campaign);
    assert_eq!(state(&group, "e001"), EntityState::Delivered);
    assert_eq!(state(&group, "e002"), EntityState::Waiting);
    let text = site.said(&["status"]).await;
    assert!(
        text.contains("`subtend resume tonight` lets it go on"),
        "{text}"
    );
    let said = site.said(&["resume", GROUP]).await;
    assert!(said.contains("goes on"), "{said}");
    serve.until(is_delivered).await;
    site.assert_delivered_once();
    // What had ended is not sent again, and what was taken up is nobody's any more.
    assert_eq!(site.lab.bytes_received("e001"), SIZE);
    assert_eq!(site.status().await["cut_off"], Value::Array(Vec::new()));
    serve.kill().await;
    assert_eq!(site.status().await["waiting"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_wave_it_goes_on_with_that_wave() {
    let site = Site::new().await;
    let serve = site.serve().await;
    serve.start(in_waves(Proceed::Auto)).await;
    within(LONG, site.lab.until_received("e002", MIB / 2)).await;
    serve.kill().await;
    let serve = site.serve().await;
    let group = serve.until(is_delivered).await;
    assert_eq!(
        group.campaign.as_ref().map(|campaign| campaign.wave),
        Some(2)
    );
    site.assert_delivered_once();
    assert_eq!(site.lab.bytes_received("e001"), SIZE);
    serve.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_waits_for_its_window_it_waits_on() {
    let site = Site::new().await;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).weekday();
    let window = Window {
        // In three days at the earliest, however long this takes.
        days: Days::new([today.wrapping_add(4)]),
        from: TimeOfDay::new(0, 0).unwrap(),
        to: TimeOfDay::END,
        zone: "UTC".into(),
    };
    let campaign = Campaign {
        window: Some(window),
        ..Campaign::default()
    };
    let waits = |group: &GroupSnapshot| {
        matches!(
            held(group),
            Some(HeldBy::Wait(Wait::Window { until: Some(_) }))
        )
    };
    let serve = site.serve().await;
    serve.start(campaign).await;
    let before = serve.until(waits).await;
    serve.kill().await;
    let serve = site.serve().await;
    let after = serve.until(waits).await;
    assert_eq!(held(&before), held(&after));
    for name in ENTITIES {
        assert_eq!(site.lab.bytes_received(name), 0, "{name}");
    }
    serve.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_parks_and_the_next_one_goes_on() {
    let site = Site::new().await;
    let serve = site.serve().await;
    serve.start(in_waves(Proceed::Auto)).await;
    within(LONG, site.lab.until_received("e002", MIB / 2)).await;
    serve.program.signal("TERM");
    let (_, code, said) = serve.program.end().await;
    assert_eq!(code, Some(0), "{said}");
    // What it had begun to write is removed again, and what it held is there.
    for name in &ENTITIES[1..] {
        let files = site.lab.files(name);
        assert!(files.iter().all(|file| *file == PATH), "{name}: {files:?}");
        let file = site.lab.file(name, PATH);
        assert!(file.is_none_or(|file| !file.same_as_image(IMAGE)), "{name}");
    }
    let history = site.said(&["history", "--json"]).await;
    assert!(history.contains("\"outcome\":\"waiting\""), "{history}");
    let serve = site.serve().await;
    serve.until(is_delivered).await;
    site.assert_delivered_once();
    assert_eq!(site.lab.bytes_received("e001"), SIZE);
    serve.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_ends_with_code_3_and_goes_on_in_its_engine() {
    let site = Site::new().await;
    let serve = site.serve().await;
    serve.start(in_waves(Proceed::Ask)).await;
    serve.until(asks).await;
    site.said(&["cancel", GROUP]).await;
    let run = site.status().await["engine"]["run"].clone();
    let run = run.as_str().unwrap();

    let again = site.program(&["again", run, "--json"]);
    let (lines, code, said) = again.end().await;
    assert_eq!(code, Some(3), "{lines:?} {said}");
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["outcome"]),
        (&"summary".into(), &"waiting".into())
    );
    assert_eq!(
        last["groups"][0]["entities"].as_array().map(Vec::len),
        Some(2),
        "{last}"
    );
    assert!(said.contains("`subtend resume tonight`"), "{said}");
    // What had ended is left alone.
    assert_eq!(site.lab.bytes_received("e001"), SIZE);

    // Watched on, it is interrupted: what it started is cancelled, and the engine stays.
    site.said(&["cancel", "--all"]).await;
    let mut again = site.program(&["again", run, "--json", "--wait"]);
    again
        .until(|line| line.contains("\"what\":\"paused\""))
        .await;
    again.signal("INT");
    let (_, code, said) = again.end().await;
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(site.status().await["engine"]["busy"], false);
    serve.kill().await;
}
