//! An engine that stays: killed and parked in all that waits, and started again, against a lab in the test's process.

use std::future::Future;

use crate::support::host::{Host, Serve};
use crate::support::program::Program;
use crate::support::{IMAGE, LONG, PATH, within};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
use subtend::model::campaign::{Campaign, Days, Proceed, TimeOfDay, Wave, Window};
use subtend::model::{
    DeliveryPolicy, EntityState, GroupSpec, ImageSpec, MadeGroup, Outcome, SourceSpec,
};
use subtend::protocol::{Command, GroupPhase, GroupSnapshot, HeldBy, PauseReason, Wait};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 2 * MIB;
const ENTITIES: [&str; 3] = ["e001", "e002", "e003"];
const GROUP: &str = "tonight";

fn site() -> impl Future<Output = Host> {
    Host::new(SIZE)
}

fn assert_delivered_once(site: &Host) {
    site.assert_delivered(&ENTITIES);
    // What had ended is not sent again.
    assert_eq!(site.lab.bytes_received("e001"), SIZE);
}

async fn start(serve: &Serve, campaign: Campaign) {
    let mut connection = serve.connection().await;
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
    serve.until(GROUP, |_| true).await;
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
    let site = site().await;
    let serve = site.serve().await;
    start(&serve, in_waves(Proceed::Ask)).await;
    serve.until(GROUP, asks).await;
    serve.kill().await;
    let status = site.status().await;
    assert_eq!(
        status["waiting"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );

    let serve = site.serve().await;
    let group = serve.until(GROUP, |_| true).await;
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
    serve.until(GROUP, is_delivered).await;
    assert_delivered_once(&site);
    // What was taken up is nobody's any more.
    assert_eq!(site.status().await["cut_off"], Value::Array(Vec::new()));
    serve.kill().await;
    assert_eq!(site.status().await["waiting"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_wave_it_goes_on_with_that_wave() {
    let site = site().await;
    let serve = site.serve().await;
    start(&serve, in_waves(Proceed::Auto)).await;
    within(LONG, site.lab.until_received("e002", MIB / 2)).await;
    serve.kill().await;
    let serve = site.serve().await;
    let group = serve.until(GROUP, is_delivered).await;
    assert_eq!(
        group.campaign.as_ref().map(|campaign| campaign.wave),
        Some(2)
    );
    assert_delivered_once(&site);
    serve.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_waits_for_its_window_it_waits_on() {
    let site = site().await;
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
    start(&serve, campaign).await;
    let before = serve.until(GROUP, waits).await;
    serve.kill().await;
    let serve = site.serve().await;
    let after = serve.until(GROUP, waits).await;
    assert_eq!(held(&before), held(&after));
    for name in ENTITIES {
        assert_eq!(site.lab.bytes_received(name), 0, "{name}");
    }
    serve.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_parks_and_the_next_one_goes_on() {
    let site = site().await;
    let serve = site.serve().await;
    start(&serve, in_waves(Proceed::Auto)).await;
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
    serve.until(GROUP, is_delivered).await;
    assert_delivered_once(&site);
    serve.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_ends_with_code_3_and_goes_on_in_its_engine() {
    let site = site().await;
    let serve = site.serve().await;
    start(&serve, in_waves(Proceed::Ask)).await;
    serve.until(GROUP, asks).await;
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

/// Three entities in two waves, and somebody is asked between them.
async fn asking() -> Host {
    let host = site().await;
    host.edit("retries: 0", "retries: 0, waves: [1, rest], proceed: ask");
    host
}

/// `subtend run`, up to the pause after the first wave.
async fn run_to_the_pause(host: &Host, more: &[&str]) -> Program {
    let args = [&["run", "all", "--json", "-i", &host.file], more].concat();
    let mut run = host.program(&args);
    run.until(|line| line.contains("\"what\":\"paused\"")).await;
    run
}

fn outcome(lines: &[String]) -> Value {
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(last["event"], "summary");
    last["outcome"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stays_goes_on_when_another_process_lets_it() {
    let host = asking().await;
    let run = run_to_the_pause(&host, &["--wait"]).await;
    let said = host.said(&["resume", "all"]).await;
    assert!(said.contains("all goes on"), "{said}");
    let (lines, code, said) = run.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(outcome(&lines), "delivered");
    host.assert_delivered(&ENTITIES);
    host.nothing_is_left().await;

    // Without it, the run is left to its engine, which says how to go on.
    let host = asking().await;
    let run = run_to_the_pause(&host, &[]).await;
    let (lines, code, said) = run.end().await;
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(outcome(&lines), "waiting");
    assert!(said.contains("`subtend resume all`"), "{said}");
    assert!(
        host.lab
            .file("e002", PATH)
            .is_none_or(|file| !file.same_as_image(IMAGE))
    );
    host.said(&["resume", "all"]).await;
    host.nothing_is_left().await;
    host.assert_delivered(&ENTITIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_on_a_run_that_stays_cancels_what_it_has_started() {
    let host = asking().await;
    let run = run_to_the_pause(&host, &["--wait"]).await;
    run.signal("INT");
    let (lines, code, said) = run.end().await;
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(outcome(&lines), "cancelled");
    host.assert_delivered(&["e001"]);
    for name in &ENTITIES[1..] {
        assert_eq!(host.lab.bytes_received(name), 0, "{name}");
    }
    // Nothing waits for anybody any more.
    host.nothing_is_left().await;
    assert_eq!(host.status().await["waiting"], Value::Array(Vec::new()));
}
