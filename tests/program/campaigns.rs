//! Two hundred devices are upgraded in waves: a good image reaches all of them in order, one that some can't boot stops
//! by itself in the second wave. And what waits survives the engine that waits with it.

use std::collections::BTreeMap;

use serde_json::Value;
use subtend::lab::Lab;
use tempfile::TempDir;

use crate::support::program::Program;
use crate::support::upgrades::{Site, assert_sound};

/// The group that the waves are of; the other kinds have one device each.
const GROUP: &str = "telnet";
const WAVES: &str = "now, waves: [1, 10%, rest], stop_after: 2%, order: [{ ring: [canary] }]";
/// Ten of two hundred can't boot the image; five of them are in the second wave.
const BAD: [usize; 10] = [3, 7, 11, 15, 19, 40, 80, 120, 160, 180];

async fn network(numbers: [usize; 3], behaviour: &'static str) -> (Lab, TempDir, String) {
    let site = Site {
        numbers,
        activate: "now",
        behaviour,
    };
    let lab = site.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.yaml");
    let text = site.as_served(&lab);
    // The last device is the first to be tried.
    let last = format!("name: t{:03}, ", numbers[0]);
    let text = text.replace(&last, &format!("{last}labels: {{ ring: canary }}, "));
    let before = "image: telnet-2, source: { file_server: hq }, activate: now";
    assert!(text.contains(before));
    let text = text.replace(before, &before.replace("now", WAVES));
    std::fs::write(&file, text).unwrap();
    (lab, folder, file.to_str().unwrap().to_owned())
}

/// What each entity of the summary came to.
fn states(summary: &Value) -> BTreeMap<String, String> {
    let groups = summary["groups"].as_array().unwrap().iter();
    let entities = groups.flat_map(|group| group["entities"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entities
        .map(|one| (text(&one["entity"]), text(&one["state"])))
        .collect()
}

fn parsed(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Which wave each entity is of: the canary, then a tenth, then the rest.
fn wave(number: usize, all: usize) -> usize {
    match number {
        number if number == all => 1,
        number if number <= all / 10 => 2,
        _ => 3,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_devices_are_upgraded_in_the_order_asked_for() {
    let (lab, folder, file) = network([200, 1, 1], "").await;
    let args = ["run", GROUP, "--json", "-i", &file];
    let (lines, code, said) = Program::keeping(folder.path(), &args).end().await;
    assert_eq!(code, Some(0), "{said}");
    let events = parsed(&lines);
    let states = states(events.last().unwrap());
    assert_eq!(states.len(), 200);
    assert!(
        states.values().all(|state| state == "upgraded"),
        "{states:?}"
    );
    // Nothing of a wave begins before all of the one before runs the image.
    let mut now = 0;
    let mut done = [0; 4];
    for event in events.iter().filter(|event| event["event"] == "state") {
        let number: usize = event["entity"].as_str().unwrap()[1..].parse().unwrap();
        let its = wave(number, 200);
        match event["state"].as_str().unwrap() {
            "waiting" => {}
            "upgraded" => done[its] += 1,
            _ => {
                now = now.max(its);
                assert!(its >= now, "{event} in wave {now}");
                assert!(its == 1 || done[1] == 1, "{event}");
                assert!(its <= 2 || done[2] == 20, "{event}");
            }
        }
    }
    for number in 1..=200 {
        assert_eq!(lab.machine(&format!("t{number:03}")).unwrap().version, "2");
    }
    assert_sound(&lab);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_some_cannot_boot_stops_in_the_second_wave_and_the_rest_is_untouched() {
    let behaviour: &'static str = Box::leak(
        BAD.map(|number| format!("    \"t{number:03}\": {{ cli: {{ telnet: 0, dialect: banks, boot_fails: true }} }}\n"))
            .concat()
            .into_boxed_str(),
    );
    // The canary is one of the good ones.
    let (lab, folder, file) = network([200, 1, 1], behaviour).await;
    let state = folder.path();
    let args = ["run", GROUP, "--json", "-i", &file];
    let (lines, code, said) = Program::keeping(state, &args).end().await;
    assert_eq!(code, Some(1), "{said}");
    let events = parsed(&lines);
    let summary = events.last().unwrap();
    let states = states(summary);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, state) in &states {
        let number: usize = name[1..].parse().unwrap();
        let right = match wave(number, 200) {
            3 => "waiting",
            _ if BAD.contains(&number) => "rolled-back",
            _ => "upgraded",
        };
        assert_eq!(state, right, "{name}");
        *counts.entry(right).or_default() += 1;
        if right == "waiting" {
            assert_eq!(lab.sessions(name), 0, "{name}");
            assert!(lab.machine(name).unwrap().ran.is_empty(), "{name}");
        }
    }
    println!("{counts:?}");
    assert_eq!(summary["outcome"], "waiting");
    let paused = events
        .iter()
        .find(|event| event["what"] == "paused")
        .unwrap();
    assert_eq!(paused["reason"], "failures", "{paused}");

    // The engine waits with it. Somebody who has looked at it ends it.
    let (lines, _, said) = Program::keeping(state, &["status"]).end().await;
    let shown = lines.join("\n");
    assert!(
        shown.contains("paused") || shown.contains("stopped"),
        "{shown}{said}"
    );
    let (_, code, said) = Program::keeping(state, &["stop", "--cancel"]).end().await;
    assert_eq!(code, Some(0), "{said}");
    assert_sound(&lab);
    lab.stop().await;
}
