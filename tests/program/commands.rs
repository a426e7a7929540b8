//! The program against a lab: what scripts and operators see of a run.

use crate::support::program::{Program, served, written};
use crate::support::run::assert_untouched;
use crate::support::{IMAGE, LONG, PATH, lab, network, within};
use serde_json::Value;
use subtend::lab::Behaviour;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

fn parsed(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_are_those_of_the_contract() {
    let full = Behaviour {
        disk_full_at: Some(MIB),
        ..Behaviour::default()
    };
    let (lab, _folder, file) = served(3, 2 * MIB, &[("e002", full)]).await;
    let run = Program::start(&["run", "all", "--json", "-i", &file]);
    let (lines, code, said) = run.end().await;
    assert_eq!(code, Some(1), "{said}");
    let events = parsed(&lines);
    for event in &events {
        let at: jiff::Timestamp = event["at"].as_str().unwrap().parse().unwrap();
        assert!(at > jiff::Timestamp::UNIX_EPOCH, "{event}");
    }
    let of = |kind: &str| -> Vec<&Value> {
        events
            .iter()
            .filter(|event| event["event"] == kind)
            .collect()
    };
    assert_eq!(events[0]["event"], "run");
    assert_eq!(
        (&events[0]["groups"][0], &events[0]["memory"]),
        (&"all".into(), &MIB.into())
    );
    let failed: Vec<_> = of("state")
        .into_iter()
        .filter(|event| event["state"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["entity"], "e002");
    assert_eq!(failed[0]["step"], "send");
    assert!(failed[0]["cause"].as_str().unwrap().contains("552"));
    for event in of("state")
        .iter()
        .filter(|event| event["state"] != "failed")
    {
        assert!(event.as_object().unwrap().contains_key("cause") && event["cause"].is_null());
    }
    let passes = of("pass");
    assert_eq!((passes.len(), &passes[1]["read"]), (2, &(2 * MIB).into()));
    assert_eq!(
        (&passes[0]["offset"], &passes[0]["source"]),
        (&0.into(), &"hq".into())
    );

    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["outcome"], "partial");
    assert_eq!(summary["source_bytes"], 2 * MIB);
    assert_eq!(summary["delivered_bytes"], 4 * MIB);
    assert!(summary["peak_pool_bytes"].as_u64().unwrap() <= MIB);
    let group = &summary["groups"][0];
    assert_eq!(
        group["sha256"],
        hex::encode(lab.image_sha256(IMAGE).unwrap())
    );
    let entity = &group["entities"][0];
    let keys = [
        "entity", "state", "bytes", "seconds", "attempts", "staged", "verified", "cause",
    ];
    for key in keys {
        assert!(
            entity.as_object().unwrap().contains_key(key),
            "{key} is missing: {entity}"
        );
    }
    assert_eq!(
        (&entity["state"], &entity["verified"]),
        (&"delivered".into(), &"readback".into())
    );
    assert_eq!(summary["delivered_unproven"], 0);
    assert!(lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
    assert_untouched(&lab, "e002");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_on_the_spot_is_delivered_and_the_exit_code_is_0() {
    let (lab, _folder, file) = served(4, MIB, &[]).await;
    let args = [
        "run",
        "--image",
        IMAGE,
        "--source",
        "hq",
        "--entities",
        "e00[1-2]",
        "-i",
        &file,
    ];
    let (lines, code, said) = Program::start(&args).end().await;
    assert_eq!(code, Some(0), "{said}");
    let text = lines.join("\n");
    assert!(text.contains("2 delivered"), "{text}");
    for (name, delivered) in [
        ("e001", true),
        ("e002", true),
        ("e003", false),
        ("e004", false),
    ] {
        assert_eq!(
            lab.file(name, PATH).unwrap().same_as_image(IMAGE),
            delivered,
            "{name}"
        );
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_cancels_in_good_order() {
    for signal in ["INT", "TERM"] {
        let slow = Behaviour {
            rate: Some(MIB),
            ..Behaviour::default()
        };
        let (lab, _folder, file) = served(5, 32 * MIB, &[("*", slow)]).await;
        let mut run = Program::start(&["run", "--all", "--json", "-i", &file]);
        run.until(|line| line.contains(r#""state":"sending""#))
            .await;
        within(LONG, lab.until_received("e001", MIB / 4)).await;
        run.signal(signal);
        let (lines, code, said) = run.end().await;
        assert_eq!(code, Some(130), "{said}");
        let events = parsed(&lines);
        let summary = events.last().unwrap();
        assert_eq!(
            (&summary["event"], &summary["outcome"]),
            (&"summary".into(), &"cancelled".into())
        );
        for entity in summary["groups"][0]["entities"].as_array().unwrap() {
            assert_eq!(entity["state"], "cancelled");
            assert!(entity.get("left").is_none(), "{entity}");
            assert_untouched(&lab, entity["entity"].as_str().unwrap());
        }
        lab.stop().await;
    }
}

/// As `cargo test &` in a script does: the programs that tests start hear Ctrl-C all the same.
#[test]
fn tests_pass_where_ctrl_c_is_ignored_from_the_beginning() {
    let ran = std::process::Command::new("sh")
        .args(["-c", r#"trap '' INT; exec "$0" --exact "$1""#])
        .arg(std::env::current_exe().unwrap())
        .arg("commands::a_second_signal_leaves_at_once")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// An entity that is silent can't be cleaned up; whoever asks twice waits for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_leaves_at_once() {
    let silent = Behaviour {
        silent_at: Some(MIB / 2),
        ..Behaviour::default()
    };
    let (lab, _folder, file) = served(2, 8 * MIB, &[("e002", silent)]).await;
    let mut run = Program::start(&["run", "--all", "--json", "-i", &file]);
    within(LONG, lab.until_received("e002", MIB / 2)).await;
    lab.silence("e002");
    run.signal("INT");
    run.until(|line| line.contains(r#""state":"cancelled""#))
        .await;
    run.signal("INT");
    let (lines, code, said) = run.end().await;
    assert_eq!(code, Some(130), "{said}");
    assert!(
        !lines
            .iter()
            .any(|line| line.contains(r#""event":"summary""#)),
        "{lines:?}"
    );
    lab.stop().await;
}

/// `subtend lab` on ports that were free a moment ago, what it served on, and what it said.
async fn serving() -> (Program, TempDir, String, String) {
    for _ in 0..5 {
        let (mut inventory, settings) = network(3, MIB);
        inventory.memory = MIB;
        let ports = lab(&inventory, &settings).await;
        let (folder, file) = written(ports.inventory());
        ports.stop().await;
        let mut lab = Program::start(&["lab", "-i", &file]);
        let mut said = String::new();
        // Another process can have taken a port; then the lab ends without serving.
        while let Some(line) = lab.line().await {
            if line.starts_with("serving") {
                return (lab, folder, file, said);
            }
            said.push_str(&line);
        }
    }
    panic!("the lab does not start");
}

/// `subtend lab` in one process, `subtend run` in another.
#[tokio::test(flavor = "multi_thread")]
async fn the_lab_serves_until_it_is_stopped() {
    let (lab, _folder, file, said) = serving().await;
    assert!(
        said.contains("e003") && said.contains("file server"),
        "{said}"
    );
    let (_, code, errors) = Program::start(&["run", "--all", "-i", &file]).end().await;
    assert_eq!(code, Some(0), "{errors}");
    lab.signal("TERM");
    let (_, code, errors) = lab.end().await;
    assert_eq!(code, Some(0), "{errors}");
    let (lines, code, _) = Program::start(&["run", "--all", "-i", &file]).end().await;
    assert_eq!(code, Some(1), "nothing serves any more");
    assert!(
        lines.join("\n").contains("refused the connection"),
        "{lines:?}"
    );
}

/// A newcomer's first minute: real life, named, and nothing to set up.
#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_delivers_to_all_but_those_that_fail() {
    let (lines, code, said) = Program::start(&["demo", "--headless", "--json"])
        .end()
        .await;
    assert_eq!(code, Some(1), "{said}");
    let events = parsed(&lines);
    let summary = events.last().unwrap();
    let entities: Vec<&Value> = (summary["groups"].as_array().unwrap().iter())
        .flat_map(|group| group["entities"].as_array().unwrap())
        .collect();
    assert!(entities.len() >= 24);
    for entity in entities {
        match entity["entity"].as_str().unwrap() {
            "shelf1-13" => {
                assert_eq!(
                    (&entity["state"], &entity["step"]),
                    (&"failed".into(), &"send".into())
                );
                assert!(entity["cause"].as_str().unwrap().contains("552"));
            }
            "shelf1-16" => assert_eq!(entity["state"], "skipped"),
            // Nothing shows what it holds: it is said so.
            "shelf1-05" => assert_eq!(
                (&entity["state"], &entity["verified"]),
                (&"delivered".into(), &"size".into())
            ),
            "shelf2-07" => {
                assert_eq!(entity["state"], "failed");
                assert!(
                    entity["cause"]
                        .as_str()
                        .unwrap()
                        .contains("renames nothing")
                );
            }
            // It can't boot the image, and says so itself.
            "shelf3-03" => {
                assert_eq!(
                    (&entity["state"], &entity["runs"]),
                    (&"rolled-back".into(), &"5.1".into())
                );
                let cause = entity["cause"].as_str().unwrap();
                assert!(cause.contains("`5.2` was expected"), "{cause}");
            }
            name if name.starts_with("shelf3-") => assert_eq!(
                (&entity["state"], &entity["runs"]),
                (&"upgraded".into(), &"5.2".into()),
                "{entity}"
            ),
            _ => assert_eq!(entity["state"], "delivered", "{entity}"),
        }
    }
    assert_eq!(summary["groups"][1]["source"], "peer:shelf2-01");
}
