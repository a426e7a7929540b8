//! The program is killed (SIGKILL) while it upgrades devices, at moments that it can't choose, and taken up again:
//! each device ends upgraded or rolled back, and none is without an image that boots. No step is done twice, but for
//! one of the way back that was cut off.
//!
//! A few moments by default; `SUBTEND_MOMENTS` for more, and `SUBTEND_SEED` for the ones of an earlier run, which
//! every run prints.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;
use subtend::lab::Lab;
use tempfile::TempDir;

use crate::recovery::{Chance, number, recover, seed};
use crate::support::program::Program;
use crate::support::upgrades::{Site, assert_sound, entities, unsound};

/// One of each kind can't boot the image.
const SITE: Site = Site {
    numbers: [4, 4, 4],
    activate: "now",
    behaviour: r#"    "*001": { cli: { boot_fails: true } }
"#,
};

async fn network() -> (Lab, TempDir, String) {
    let lab = SITE.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.yaml");
    std::fs::write(&file, SITE.as_served(&lab)).unwrap();
    (lab, folder, file.to_str().unwrap().to_owned())
}

/// What each entity said last.
fn states(summary: &Value, into: &mut BTreeMap<String, (String, String)>) {
    for group in summary["groups"].as_array().unwrap() {
        for one in group["entities"].as_array().unwrap() {
            let name = one["entity"].as_str().unwrap().to_owned();
            let state = one["state"].as_str().unwrap().to_owned();
            into.insert(name, (state, one.to_string()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_an_upgrade_every_device_ends_upgraded_or_rolled_back() {
    let moments = number("SUBTEND_MOMENTS").unwrap_or(2);
    let mut chance = Chance(seed());

    // How long it takes when nobody kills it.
    let (lab, folder, file) = network().await;
    let began = Instant::now();
    let args = ["run", "--all", "--json", "-i", &file];
    let (lines, code, said) = Program::keeping(folder.path(), &args).end().await;
    let whole = began.elapsed();
    assert_eq!(code, Some(1), "{said}");
    let mut ended = BTreeMap::new();
    let summary = serde_json::from_str(lines.last().unwrap()).unwrap();
    states(&summary, &mut ended);
    for (name, (state, said)) in &ended {
        let right = if name.ends_with("001") {
            "rolled-back"
        } else {
            "upgraded"
        };
        assert_eq!(state, right, "{said}");
    }
    assert_sound(&lab);
    lab.stop().await;

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..moments {
        let (lab, folder, file) = network().await;
        let state = folder.path().join("state");
        let moment = chance.moment(whole);
        let mut run = Program::keeping(&state, &["run", "--all", "--json", "-i", &file]);
        tokio::time::sleep(moment).await;
        run.child.kill().await.unwrap();
        let (report, code) = recover(&state, &[]).await;
        if report["run"].is_null() {
            // Before it had begun, or after it had ended.
            assert_eq!(code, Some(0));
            lab.stop().await;
            continue;
        }
        println!("killed after {moment:?}: {}", report["holds"]);
        // And once more, while it is taken up again.
        let mut again = Program::keeping(&state, &["recover", "--resume", "--json"]);
        tokio::time::sleep(chance.moment(whole)).await;
        again.child.kill().await.unwrap();
        for _ in 0..4 {
            let (report, _) = recover(&state, &[]).await;
            if report["run"].is_null() {
                break;
            }
            recover(&state, &["--resume"]).await;
        }
        let (report, code) = recover(&state, &[]).await;
        assert_eq!((report["run"].is_null(), code), (true, Some(0)), "{report}");

        for name in entities(lab.inventory()) {
            let args = ["history", "--entity", name, "--json"];
            let (lines, _, said) = Program::keeping(&state, &args).end().await;
            let past: Value =
                serde_json::from_str(&lines.concat()).unwrap_or_else(|_| panic!("{said}"));
            let unsound = unsound(&lab, name, 2);
            assert_eq!(unsound, None, "killed after {moment:?}: {name}: {past}");
            let rows = past["past"].as_array().unwrap();
            let last = &rows[0];
            let word = last["state"].as_str().unwrap();
            let machine = lab.machine(name).unwrap();
            let right = match word {
                "upgraded" => "2",
                "rolled-back" => "1",
                _ => panic!("killed after {moment:?}: {name} is {last}"),
            };
            assert_eq!(machine.version, right, "{name}: {machine:?}");
            assert!(word == "rolled-back" || !name.ends_with("001"), "{last}");
            *seen.entry(word.to_owned()).or_default() += 1;
        }
        lab.stop().await;
    }
    println!("{moments} moments: {seen:?}");
}
