//! What another engine goes on with after the one before was killed or parked: devices that are off, a password that
//! nobody has kept, devices in the middle of a restart, and rates that were changed.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use subtend::model::{Bottleneck, EntityState, Outcome};
use subtend::protocol::{GroupPhase, GroupSnapshot, HeldBy, Wait};

use crate::support::host::{Host, Serve};
use crate::support::program::served;
use crate::support::upgrades::{Site, assert_sound};
use crate::support::{LONG, takes_at, within};

const MIB: u64 = 1 << 20;
const OFF: [&str; 2] = ["e002", "e005"];
const PASSWORD: &str = "Zx9~harbour~Kq7";

fn kill(process: &str) {
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", process])
        .status();
    assert!(killed.unwrap().success());
}

/// As precise as the journal has it.
fn micros(text: &Value) -> i64 {
    let at: Timestamp = text.as_str().unwrap().parse().unwrap();
    at.as_microsecond()
}

/// When each entity was first reported to be offline.
fn first_offline(lines: &[String]) -> BTreeMap<String, i64> {
    let mut first = BTreeMap::new();
    for line in lines {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["event"] == "state" && event["state"] == "offline" {
            let name = event["entity"].as_str().unwrap().to_owned();
            first.entry(name).or_insert_with(|| micros(&event["at"]));
        }
    }
    first
}

/// Since when the status says that each entity is offline.
async fn offline_in_status(host: &Host) -> BTreeMap<String, i64> {
    let status = host.status().await;
    let groups = status["engine"]["groups"].as_array().unwrap();
    let offline = groups.last().unwrap()["offline"].as_array().unwrap().iter();
    offline
        .map(|one| {
            let name = one["entity"].as_str().unwrap().to_owned();
            (name, micros(&one["since"]))
        })
        .collect()
}

fn are_offline(group: &GroupSnapshot) -> bool {
    let offline = group.entities.iter();
    let offline = offline.filter(|one| one.state == EntityState::Offline);
    offline.count() == OFF.len()
}

/// Each has been asked by this engine.
fn were_asked(group: &GroupSnapshot) -> bool {
    let asked = group.entities.iter().filter(|one| {
        let cause = one.cause.as_deref().unwrap_or_default();
        one.state == EntityState::Offline && cause.contains("asked once since then")
    });
    asked.count() == OFF.len()
}

fn is_delivered(group: &GroupSnapshot) -> bool {
    group.phase == GroupPhase::Ended(Outcome::Delivered)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twice_each_device_is_offline_since_it_was_first_missed() {
    let host = Host::of(served(8, 256 << 10, &[]).await);
    host.edit(
        "retries: 0",
        "retries: 0, offline: { wait: 14d, first: 1s }",
    );
    for name in OFF {
        host.lab.kill(name).await;
    }
    let run = host.program(&["run", "all", "--json", "-i", &host.file]);
    let (lines, code, said) = run.end().await;
    assert_eq!(code, Some(3), "{said}");
    let first = first_offline(&lines);
    assert_eq!(first.len(), OFF.len(), "{first:?}");
    let delivered: Vec<String> = (1..=8).map(|number| format!("e{number:03}")).collect();
    let received = || -> Vec<u64> {
        let bytes = delivered.iter().map(|name| host.lab.bytes_received(name));
        bytes.collect()
    };
    let before = received();
    // Paused, so that the next engine asks nobody: all that it has of them is what it was given.
    host.said(&["pause", "all"]).await;
    kill(&host.process());

    let serve = host.serve().await;
    serve.until("all", are_offline).await;
    assert_eq!(offline_in_status(&host).await, first);
    let text = host.said(&["status"]).await;
    assert!(text.contains("  offline: e00"), "{text}");
    assert!(text.contains(", paused; 6 delivered, 2 offline"), "{text}");
    serve.kill().await;

    let serve = host.serve().await;
    serve.until("all", are_offline).await;
    assert_eq!(offline_in_status(&host).await, first);
    host.said(&["resume", "all"]).await;
    serve.until("all", were_asked).await;
    assert_eq!(offline_in_status(&host).await, first);
    for name in OFF {
        host.lab.revive(name).await;
    }
    serve.until("all", is_delivered).await;
    let names: Vec<&str> = delivered.iter().map(String::as_str).collect();
    host.assert_delivered(&names);
    for ((name, before), now) in names.iter().zip(before).zip(received()) {
        let is_off = OFF.contains(name);
        assert_eq!(now != before, is_off, "{name}: {before} and {now} bytes");
    }

    // What the newest run has of them is in its history, too.
    let run = host.status().await["engine"]["run"].clone();
    let past = host.json(&["history", run.as_str().unwrap()]).await;
    let entities = past["groups"][0]["entities"].as_array().unwrap();
    for (name, since) in first {
        let mut all = entities.iter();
        let one = all.find(|one| one["entity"] == *name).unwrap();
        let mut changes = one["changes"].as_array().unwrap().iter();
        let offline = changes.find(|change| change["state"] == "offline").unwrap();
        assert_eq!(micros(&offline["at"]), since, "{one}");
    }
    serve.kill().await;
    host.lab.stop().await;
}

/// Gives the engine the password, as an operator does; what was drawn.
fn log_in(host: &Host) -> Vec<u8> {
    let mut pty = host.pty(&["login"]);
    pty.until("Password of craft");
    pty.type_in(PASSWORD);
    pty.type_in("\r");
    pty.until("given: craft");
    assert!(pty.end().success());
    std::mem::take(&mut pty.stream)
}

fn assert_without_password(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_without_password(&path);
        } else if path.is_file() {
            assert_silent(&std::fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
}

fn assert_silent(bytes: &[u8], place: &str) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains("harbour"), "{place} holds the password");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_nobody_has_kept_is_asked_for_and_the_run_goes_on() {
    let site = Site {
        numbers: [3, 1, 1],
        activate: "now",
        behaviour: "    \"t0*\": { cli: { password: \"Zx9~harbour~Kq7\" } }\n",
    };
    let lab = site.serve().await;
    let text = site.as_served(&lab);
    // The settings of the lab are not for the program.
    let (text, _) = text.split_once("x-lab:").unwrap();
    let host = Host::with(lab, text);
    host.edit("{ command: [echo, sesame] }", "{ ask: true }");
    host.edit(
        "image: telnet-2, source: { file_server: hq }, activate: now",
        "image: telnet-2, source: { file_server: hq }, activate: now, retries: 0, offline: { wait: 14d, first: 1s }",
    );
    host.lab.kill("t002").await;
    let serve = host.serve().await;
    let mut drawn = log_in(&host);
    let run = host.program(&["run", "telnet", "--json", "-i", &host.file]);
    let (lines, code, mut said) = run.end().await;
    assert_eq!(code, Some(3), "{said}");
    said += &lines.join("\n");
    let received = host.lab.bytes_received("t001");
    said += &serve.kill().await;

    let serve = host.serve().await;
    host.lab.revive("t002").await;
    let asks = |group: &GroupSnapshot| {
        let held = group.campaign.as_ref().and_then(|one| one.held.as_ref());
        let by = held.map(|held| &held.by);
        let credentials = vec!["craft".to_owned()];
        by == Some(&HeldBy::Wait(Wait::Secrets { credentials }))
    };
    serve.until("telnet", asks).await;
    let text = host.said(&["status"]).await;
    assert!(text.contains("waits for the secret of craft"), "{text}");
    assert!(text.contains("`subtend login craft` gives it"), "{text}");
    // It is there, and nothing is done on it.
    let machine = host.lab.machine("t002").unwrap();
    assert_eq!((&*machine.version, machine.ran.len()), ("1", 0));

    // One that is stopped meanwhile, and let go on, waits as it did.
    host.said(&["pause", "telnet"]).await;
    host.said(&["resume", "telnet"]).await;
    serve.until("telnet", asks).await;
    drawn.extend(log_in(&host));
    serve.until("telnet", is_delivered).await;
    for name in ["t001", "t002", "t003"] {
        assert_eq!(host.lab.machine(name).unwrap().version, "2", "{name}");
    }
    assert_sound(&host.lab);
    assert_eq!(host.lab.bytes_received("t001"), received);
    said += &host.said(&["history"]).await;
    said += &host.said(&["status", "--json"]).await;
    said += &serve.kill().await;
    assert_silent(said.as_bytes(), "what was printed");
    assert_silent(&drawn, "what was drawn");
    assert_without_password(Path::new(&host.state));
    host.lab.stop().await;
}

/// Six devices in two waves, which take a while to start.
async fn upgrade_in_waves() -> Host {
    let site = Site {
        numbers: [6, 1, 1],
        activate: "now",
        behaviour: "    \"t0*\": { cli: { boot_time: 2s } }\n",
    };
    let lab = site.serve().await;
    let text = site.as_served(&lab);
    let host = Host::with(lab, &text);
    host.edit(
        "image: telnet-2, source: { file_server: hq }, activate: now",
        "image: telnet-2, source: { file_server: hq }, activate: now, waves: [2, rest]",
    );
    host
}

/// Asked to end: it parks.
async fn park(serve: Serve) {
    serve.program.signal("TERM");
    let (_, code, said) = serve.program.end().await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_while_devices_are_made_to_run_their_image_those_are_waited_for_and_the_next_one_goes_on()
 {
    let host = upgrade_in_waves().await;
    let serve = host.serve().await;
    let args = ["run", "telnet", "--detach", "-i", &host.file];
    host.said(&args).await;
    let activates = |group: &GroupSnapshot| {
        let mut first = group.entities.iter().take(2);
        first.all(|one| one.state.is_activating())
    };
    serve.until("telnet", activates).await;
    park(serve).await;
    for name in ["t001", "t002"] {
        assert_eq!(host.lab.machine(name).unwrap().version, "2", "{name}");
    }
    let past = host.json(&["history"]).await;
    assert_eq!(past["runs"][0]["outcome"], "waiting", "{past}");
    // The second wave was not begun.
    let names: Vec<String> = (1..=6).map(|number| format!("t{number:03}")).collect();
    for name in &names[2..] {
        assert!(host.lab.machine(name).unwrap().ran.is_empty(), "{name}");
    }

    let serve = host.serve().await;
    let group = serve.until("telnet", |group| group.phase.is_ended()).await;
    for one in &group.entities {
        assert_eq!(one.state, EntityState::Upgraded, "{one:?}");
    }
    for name in &names {
        assert_eq!(host.lab.machine(name).unwrap().version, "2", "{name}");
    }
    assert_sound(&host.lab);
    serve.kill().await;
    host.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_was_changed_is_kept_by_the_next_engine() {
    let host = Host::of(served(3, 4 * MIB, &[("*", takes_at(MIB))]).await);
    // An entity may not have noticed yet that the engine before is gone.
    host.edit("retries: 0", "retries: 8");
    let is_held = |group: &GroupSnapshot| {
        let on = "entity:e002".parse().unwrap();
        group.bottleneck == Bottleneck::Cap(on)
    };
    let serve = host.serve().await;
    // Before the run, and while it goes on: the last one counts.
    host.said(&["rate", "entity:e002", "256KiB/s"]).await;
    host.said(&["rate", "entity:e003", "32KiB/s"]).await;
    host.said(&["run", "all", "--detach", "-i", &host.file])
        .await;
    within(LONG, host.lab.until_received("e001", MIB / 4)).await;
    host.said(&["rate", "entity:e003", "none"]).await;
    serve.kill().await;
    let serve = host.serve().await;
    serve.until("all", is_held).await;
    // Of what is lifted nothing is left.
    host.said(&["rate", "entity:e002", "none"]).await;
    serve.kill().await;
    let serve = host.serve().await;
    let group = serve.until("all", |group| group.phase.is_ended()).await;
    assert!(is_delivered(&group), "{:?}", group.entities);
    host.assert_delivered(&["e001", "e002", "e003"]);
    serve.kill().await;
    host.lab.stop().await;
}
