//! Looking at a network before anything is sent, and at what it holds afterwards: over the link, and
//! as commands.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::run::{Run, assert_delivered};
use crate::support::scripted::{FOREVER, Script, ScriptedServer};
use crate::support::{GROUP, IMAGE, LONG, PATH, SERVER, behave, lab, network, over, within, yaml};
use serde_json::Value;
use subtend::lab::Behaviour;
use subtend::model::{
    Entity, EntityState, Holding, Image, Inventory, Scheme, Verified, VerifyMode,
};
use subtend::protocol::{Command, Event, GroupSpec, Installed, ProbeCheck};

const MIB: u64 = 1 << 20;

fn all() -> Vec<GroupSpec> {
    vec![GroupSpec::Named(GROUP.into())]
}

/// Every answer to the end, and whether it was stopped.
async fn probed(run: &mut Run) -> (Vec<ProbeCheck>, bool) {
    let mut found = Vec::new();
    loop {
        let event = run
            .until(|event| matches!(event, Event::Probed { .. }))
            .await;
        if let Event::Probed {
            checks,
            left,
            ended,
            stopped,
            ..
        } = event
        {
            found.extend(checks);
            if ended {
                assert_eq!(stopped, left > 0);
                return (found, stopped);
            }
        }
    }
}

async fn probe(run: &mut Run) -> Vec<ProbeCheck> {
    let (groups, force) = (all(), false);
    run.send(Command::Probe { groups, force }).await;
    probed(run).await.0
}

async fn verify(run: &mut Run, size_only: bool) -> (Vec<Installed>, u64) {
    let groups = all();
    run.send(Command::Verify { groups, size_only }).await;
    let mut found = Vec::new();
    loop {
        let event = run.until(|event| matches!(event, Event::Held { .. })).await;
        if let Event::Held {
            checks,
            read,
            ended,
            ..
        } = event
        {
            found.extend(checks);
            if ended {
                found.sort_by(|a, b| a.entity.cmp(&b.entity));
                return (found, read);
            }
        }
    }
}

fn refuse_login() -> Behaviour {
    Behaviour {
        refuse_login: true,
        ..Behaviour::default()
    }
}

fn read_only() -> Behaviour {
    Behaviour {
        read_only: true,
        ..Behaviour::default()
    }
}

/// The entity is that server.
fn served_by(inventory: &mut Inventory, index: usize, server: &ScriptedServer) {
    let address = crate::support::local(server.address().port());
    on(inventory, index, |entity| entity.address = address);
}

/// A server that says nothing at all.
async fn silent() -> ScriptedServer {
    ScriptedServer::start(Script {
        greeting: crate::support::scripted::Greeting::Never,
        ..Script::default()
    })
    .await
}

fn of<'a>(checks: &'a [ProbeCheck], host: &str) -> &'a ProbeCheck {
    let found = checks.iter().find(|check| &*check.host == host);
    found.unwrap_or_else(|| panic!("{host} was not looked at: {checks:?}"))
}

/// Changes an entity, also in the group.
fn on(inventory: &mut Inventory, index: usize, change: impl FnOnce(&mut Entity)) {
    let mut entity = Entity::clone(&inventory.entities[index]);
    change(&mut entity);
    let entity = Arc::new(entity);
    inventory.entities[index] = entity.clone();
    let mut group = (*inventory.groups[0]).clone();
    group.entities[index] = entity;
    inventory.groups[0] = Arc::new(group);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_fail_is_told_before_and_nothing_is_left() {
    let (mut inventory, mut settings) = network(5, MIB);
    on(&mut inventory, 4, |entity| entity.version = "2".into());
    behave(&mut settings, "e002", refuse_login());
    behave(&mut settings, "e003", read_only());
    let lab = lab(&inventory, &settings).await;
    lab.kill("e004").await;
    let mut run = Run::idle(lab.inventory());
    let found = probe(&mut run).await;

    let source = of(&found, SERVER);
    assert_eq!(
        (source.is_source, &source.problem, source.size),
        (true, &None, Some(MIB))
    );
    let good = of(&found, "e001");
    let seen = good.probe.as_ref().unwrap();
    assert!(seen.written && seen.can.rename == Some(true), "{good:?}");
    assert_eq!(good.problem, None);
    for (host, words) in [
        ("e002", "login: the server said 530"),
        ("e003", "can't be written"),
        ("e004", "refused the connection"),
    ] {
        let problem = of(&found, host).problem.as_deref().unwrap();
        assert!(problem.contains(words), "{host}: {problem}");
    }
    // It has the image: nothing would be sent.
    assert_eq!(found.len(), 5, "{found:?}");
    for entity in ["e001", "e002", "e003"] {
        assert_eq!(lab.files(entity), [PATH], "{entity}");
    }
    // And a run beside it goes as it would have without.
    run.begin(&[GROUP]).await;
    run.until_state("e001", EntityState::Delivered).await;
    let (summary, _) = run.finish().await;
    assert_delivered(&lab, &summary, "e001", IMAGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_fit_and_a_source_without_it_are_problems() {
    let server = ScriptedServer::start(Script::default().on(
        "SITE",
        crate::support::scripted::Reply::line("200 1000 bytes free"),
    ))
    .await;
    let (mut inventory, settings) = network(1, MIB);
    let lab = lab(&inventory, &settings).await;
    inventory = lab.inventory().clone();
    served_by(&mut inventory, 0, &server);
    let mut run = Run::idle(&inventory);
    let found = probe(&mut run).await;
    let problem = of(&found, "e001").problem.as_deref().unwrap();
    assert!(
        problem.contains("too little room: 1000 B free"),
        "{problem}"
    );
    assert!(server.files().is_empty());

    let mut other = Image::clone(&inventory.images[0]);
    other.file = "no-such.bin".into();
    let mut group = (*inventory.groups[0]).clone();
    group.image = Arc::new(other);
    inventory.groups[0] = Arc::new(group);
    let mut run = Run::idle(&inventory);
    let found = probe(&mut run).await;
    let problem = of(&found, SERVER).problem.as_deref().unwrap();
    assert!(problem.contains("no such file"), "{problem}");
}

/// What the verification needs, and the entity does not offer, is found before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_can_not_be_is_a_problem_in_each_protocol() {
    for scheme in [Scheme::Ftp, Scheme::Sftp, Scheme::Http] {
        let (mut inventory, mut settings) = network(3, MIB);
        over(&mut inventory, |_| scheme, scheme);
        on(&mut inventory, 0, |entity| entity.verify = VerifyMode::Size);
        on(&mut inventory, 1, |entity| entity.verify = VerifyMode::Size);
        on(&mut inventory, 2, |entity| {
            entity.verify = VerifyMode::Readback;
        });
        let no_size = Behaviour {
            no_size: true,
            ..Behaviour::default()
        };
        behave(&mut settings, "e002", no_size);
        let no_read = Behaviour {
            no_read: true,
            ..Behaviour::default()
        };
        behave(&mut settings, "e003", no_read);
        let lab = lab(&inventory, &settings).await;
        let mut run = Run::idle(lab.inventory());
        let found = probe(&mut run).await;
        assert_eq!(of(&found, "e001").problem, None, "{scheme:?}");
        for entity in ["e002", "e003"] {
            let problem = &of(&found, entity).problem;
            assert!(problem.is_some(), "{scheme:?} {entity}: {found:?}");
            assert_eq!(lab.files(entity), [PATH], "{scheme:?}");
        }
        lab.stop().await;
    }
}

/// 40 dead entities wait for nobody's deadline but their own; the good one answers at once.
#[tokio::test(flavor = "multi_thread")]
async fn dead_entities_hold_up_nobody_and_can_be_given_up() {
    let silent = silent().await;
    let (inventory, settings) = network(12, MIB);
    let lab = lab(&inventory, &settings).await;
    let mut inventory = lab.inventory().clone();
    for place in 1..12 {
        served_by(&mut inventory, place, &silent);
    }
    let mut run = Run::idle(&inventory);
    let (groups, force) = (all(), false);
    run.send(Command::Probe { groups, force }).await;
    run.until(|event| {
        matches!(event, Event::Probed { checks, .. } if checks.iter().any(|one| &*one.host == "e001"))
    })
    .await;
    // A second one is refused, the first one can be stopped at once.
    run.send(Command::Verify {
        groups: all(),
        size_only: true,
    })
    .await;
    assert!(run.until_refused().await.contains("under way"));
    let began = Instant::now();
    run.send(Command::CancelInspection).await;
    let (_, stopped) = probed(&mut run).await;
    assert!(stopped && began.elapsed() < Duration::from_secs(10));
}

/// What a probe wrote must be gone before a run writes there.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_ends_the_looking_first() {
    let silent = silent().await;
    let (inventory, settings) = network(2, MIB);
    let lab = lab(&inventory, &settings).await;
    let mut inventory = lab.inventory().clone();
    served_by(&mut inventory, 1, &silent);
    on(&mut inventory, 1, |entity| {
        entity.timeouts.reply = Duration::from_secs(1)
    });
    let mut run = Run::idle(&inventory);
    let (groups, force) = (all(), false);
    run.send(Command::Probe { groups, force }).await;
    run.begin(&[GROUP]).await;
    let (_, stopped) = probed(&mut run).await;
    assert!(stopped);
    assert!(
        !run.events
            .iter()
            .any(|event| matches!(event, Event::Run { .. }))
    );
    let (summary, _) = run.finish().await;
    assert_delivered(&lab, &summary, "e001", IMAGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_who_has_the_image() {
    let (mut inventory, mut settings) = network(5, MIB);
    behave(&mut settings, "e005", refuse_login());
    on(&mut inventory, 0, |entity| entity.version = "2".into());
    let lab = lab(&inventory, &settings).await;
    let empty = ScriptedServer::start(Script::default()).await;
    let worn = ScriptedServer::start(Script::default()).await;
    let mut bytes = lab.image_bytes(IMAGE, 0, MIB as usize).unwrap();
    bytes[1000] ^= 1;
    worn.put(PATH, bytes);
    let mut inventory = lab.inventory().clone();
    for (place, server) in [(1, &empty), (2, &worn)] {
        served_by(&mut inventory, place, server);
    }
    let mut run = Run::idle(&inventory);
    let (found, read) = verify(&mut run, false).await;
    let holds: Vec<(Holding, Verified)> =
        found.iter().map(|one| (one.holds, one.verified)).collect();
    assert_eq!(
        holds,
        [
            (Holding::Has, Verified::Readback),
            (Holding::Missing, Verified::None),
            (Holding::Differs, Verified::Readback),
            // An old image of another size: that is enough to know.
            (Holding::Differs, Verified::Size),
            (Holding::Unreachable, Verified::None),
        ],
        "{found:?}"
    );
    // The source, and the two of the right size.
    assert_eq!(read, 3 * MIB);

    let (found, read) = verify(&mut run, true).await;
    let holds: Vec<Holding> = found.iter().map(|one| one.holds).collect();
    assert_eq!(holds[..3], [Holding::Has, Holding::Missing, Holding::Has]);
    assert_eq!((found[0].verified, read), (Verified::Size, 0));
}

/// A reading that goes on for ever is given up when the operator says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_verify_can_be_stopped() {
    let silent = ScriptedServer::start(Script::default().delay("RETR", FOREVER)).await;
    silent.put(PATH, vec![0; 1000]);
    let (inventory, settings) = network(1, MIB);
    let lab = lab(&inventory, &settings).await;
    let mut inventory = lab.inventory().clone();
    let mut image = Image::clone(&inventory.images[0]);
    image.sha256 = Some([0; 32]);
    let mut group = (*inventory.groups[0]).clone();
    group.image = Arc::new(image);
    inventory.groups[0] = Arc::new(group);
    served_by(&mut inventory, 0, &silent);
    let mut run = Run::idle(&inventory);
    let (groups, size_only) = (all(), false);
    run.send(Command::Verify { groups, size_only }).await;
    silent.until(|log| log.count("RETR") > 0).await;
    run.send(Command::CancelInspection).await;
    let last = run
        .until(|event| matches!(event, Event::Held { ended: true, .. }))
        .await;
    assert!(
        matches!(
            last,
            Event::Held {
                stopped: true,
                left: 1,
                ..
            }
        ),
        "{last:?}"
    );
}

/// The network as a file, with that policy for its group.
fn written(inventory: &Inventory, policy: &str) -> (tempfile::TempDir, String) {
    let mut text = yaml(inventory);
    writeln!(
        text,
        "groups: {{ all: {{ select: {{ type: adsl }}, image: {IMAGE}, source: {{ file_server: {SERVER} }}{policy} }} }}"
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.yaml");
    std::fs::write(&file, text).unwrap();
    (folder, file.to_str().unwrap().to_owned())
}

async fn subtend(file: &str, args: &[&str]) -> (Option<i32>, String, String) {
    // What other runs of this user have left must not matter.
    let state = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_subtend"))
        .args(args)
        .args(["-i", file])
        .env("XDG_STATE_HOME", state.path())
        .env_remove("SUBTEND_INVENTORY")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within(LONG, output).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Ports and temporary folders differ from run to run.
fn steady(text: &str, file: &str) -> String {
    let text = text.replace(file, "network.yaml");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("127.0.0.1:") {
        out += before;
        out += "127.0.0.1:PORT";
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_say_it_in_words_and_in_json() {
    let (inventory, mut settings) = network(4, MIB);
    behave(&mut settings, "e003", read_only());
    behave(&mut settings, "e004", refuse_login());
    let lab = lab(&inventory, &settings).await;
    let (_folder, file) = written(lab.inventory(), ", retries: 0");
    let file = &*file;

    let (code, said, errors) = subtend(file, &["check", "--online"]).await;
    assert_eq!((code, &*errors), (Some(1), ""), "{said}");
    assert!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );
    let online = said.split_once("Online: ").unwrap().1;
    insta::assert_snapshot!("check_online", steady(online, file));

    let (code, said, _) = subtend(file, &["check", "--online", "--json"]).await;
    assert_eq!(code, Some(1));
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["groups"][0]["group"], "all");
    assert_eq!(
        json["groups"][0]["verify"]["best"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(json["online"]["stopped"], false);
    let checks = json["online"]["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 5);
    let problems = checks.iter().filter(|check| !check["problem"].is_null());
    assert_eq!(problems.count(), 2);

    let (code, said, errors) = subtend(file, &["verify", "all"]).await;
    assert_eq!((code, &*errors), (Some(1), ""), "{said}");
    insta::assert_snapshot!("verify", steady(&said, file));
    let (code, said, _) = subtend(file, &["verify", "all", "--json"]).await;
    assert_eq!(code, Some(1));
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["groups"][0]["entities"].as_array().unwrap().len(), 4);

    // A name that is not there is reported before anything is asked.
    let (code, _, errors) = subtend(file, &["verify", "al"]).await;
    assert!(code == Some(2) && errors.contains("al"), "{errors}");
    let (code, ..) = subtend("missing.yaml", &["check", "--online"]).await;
    assert_eq!(code, Some(2));
}

/// A stick that is not plugged in, a file server, and peers of which none has the image yet.
#[tokio::test(flavor = "multi_thread")]
async fn each_source_is_looked_at_and_the_first_that_can_be_read_is_read() {
    let (inventory, settings) = network(2, MIB);
    let lab = lab(&inventory, &settings).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.yaml");
    let text = yaml(lab.inventory())
        + &format!(
            "groups: {{ all: {{ select: {{ type: adsl }}, image: {IMAGE}, retries: 0, sources: [\
             {{ file: stick.bin }}, {{ file_server: {SERVER} }}, {{ peer: any }}] }} }}\n"
        );
    std::fs::write(&file, text).unwrap();
    let stick = format!("file:{}", folder.path().join("stick.bin").display());
    let file = file.to_str().unwrap();

    let (code, said, errors) = subtend(file, &["check", "--online", "--json"]).await;
    assert_eq!(code, Some(1), "{said}{errors}");
    let json: Value = serde_json::from_str(&said).unwrap();
    let group = &json["groups"][0];
    assert_eq!(group["source"], stick.as_str());
    assert_eq!(group["then"], serde_json::json!([SERVER, "peer:any"]));
    let checks = json["online"]["checks"].as_array().unwrap();
    let found = |host: &str| {
        let of = |check: &&Value| check["is_source"] == true && check["host"] == host;
        checks
            .iter()
            .find(of)
            .unwrap_or_else(|| panic!("{host}: {said}"))
    };
    assert!(!found(&stick)["problem"].is_null(), "{said}");
    assert!(found(SERVER)["problem"].is_null(), "{said}");
    let any = found("peer:any");
    assert!(any["problem"].is_null(), "{said}");
    let note = any["notes"][0].as_str().unwrap();
    assert!(note.contains("no peer has the image"), "{note}");

    let (code, said, errors) = subtend(file, &["run", "--all", "--json"]).await;
    assert_eq!(code, Some(0), "{said}{errors}");
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
    let change = lines
        .into_iter()
        .find(|line: &Value| line["event"] == "source");
    let change = change.unwrap();
    assert_eq!(
        (&change["source"], &change["offset"]),
        (&SERVER.into(), &0.into())
    );
    let cause = change["cause"].as_str().unwrap();
    assert!(cause.starts_with(&format!("{stick} failed: ")), "{cause}");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_is_well_the_commands_end_with_0() {
    let (mut inventory, settings) = network(3, MIB);
    inventory.memory = MIB;
    let lab = lab(&inventory, &settings).await;
    let (_folder, file) = written(lab.inventory(), "");
    let file = &*file;
    for (args, words) in [
        (&["check", "--online"][..], "no problem found"),
        (&["run", "--all"], "delivered"),
        (&["verify", "all"], "Proven by content: 3 of 3 entities"),
        (
            &["verify", "all", "--size"],
            "has it by size alone: unproven",
        ),
    ] {
        let (code, said, errors) = subtend(file, args).await;
        assert_eq!(code, Some(0), "{args:?}: {said}{errors}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}
