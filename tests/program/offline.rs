//! The program is killed while some devices are off: what each has is known, and the run is taken up again for them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::recovery::recover;
use crate::support::program::{Program, served};
use crate::support::{IMAGE, PATH};

fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

async fn status(state: &Path) -> Value {
    let (lines, _, said) = Program::keeping(state, &["status", "--json"]).end().await;
    serde_json::from_str(&lines.join("\n")).expect(&said)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_devices_are_off_it_goes_on_for_them() {
    let (lab, folder, file) = served(8, 256 << 10, &[]).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(
        "retries: 0",
        "retries: 0, offline: { wait: 14d, first: 1s }",
    );
    std::fs::write(&file, text).unwrap();
    let state = folder.path().join("state");
    let off = ["e002", "e005"];
    for name in off {
        lab.kill(name).await;
    }
    let args = ["run", "all", "--json", "-i", &file];
    let mut run = Program::keeping(&state, &args);
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let is_settled = |seen: &BTreeMap<String, String>| {
        let count = |state: &str| seen.values().filter(|one| *one == state).count();
        count("delivered") == 6 && count("offline") == 2
    };
    while !is_settled(&seen) {
        let event = event(&run.line().await.expect("it waits"));
        if event["event"] == "state" {
            let word = |key: &str| event[key].as_str().unwrap().to_owned();
            seen.insert(word("entity"), word("state"));
        }
    }
    // Its engine is a process of its own, which waits for them.
    let engine = status(&state).await["engine"]["process"].to_string();
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", &engine])
        .status();
    assert!(killed.unwrap().success());
    while !status(&state).await["engine"].is_null() {}
    drop(run);

    let (report, _) = recover(&state, &[]).await;
    for one in report["entities"].as_array().unwrap() {
        let name = one["entity"].as_str().unwrap();
        let holds = if off.contains(&name) {
            "untouched"
        } else {
            "delivered"
        };
        assert_eq!(one["holds"], holds, "{one}");
    }
    for name in off {
        lab.revive(name).await;
    }
    let before: Vec<u64> = (1..=8)
        .map(|number| lab.bytes_received(&format!("e{number:03}")))
        .collect();
    let (summary, code) = recover(&state, &["--resume"]).await;
    assert_eq!(
        (&summary["event"], code),
        (&"summary".into(), Some(0)),
        "{summary}"
    );
    for number in 1..=8 {
        let name = format!("e{number:03}");
        assert!(
            lab.file(&name, PATH).unwrap().same_as_image(IMAGE),
            "{name}"
        );
        assert_eq!(lab.files(&name), [PATH]);
        let sent = lab.bytes_received(&name) - before[number - 1];
        assert_eq!(sent == 0, !off.contains(&&*name), "{name} got {sent} bytes");
    }
    lab.stop().await;
}
