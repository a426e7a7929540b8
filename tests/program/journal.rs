//! What the program keeps of its runs, and what it does when it can't.

use std::path::Path;

use crate::support::program::{Program, served};
use crate::support::{IMAGE, LONG, PATH, at_rate, takes_at, within};
use serde_json::Value;
use subtend::lab::Behaviour;

const MIB: u64 = 1 << 20;

/// What a command prints, and its exit code.
async fn told(state: &Path, args: &[&str]) -> (String, Option<i32>, String) {
    let (lines, code, said) = Program::keeping(state, args).end().await;
    (lines.join("\n"), code, said)
}

async fn json(state: &Path, args: &[&str]) -> Value {
    let (text, code, said) = told(state, args).await;
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_again_whole() {
    let full = Behaviour {
        disk_full_at: Some(MIB),
        ..Behaviour::default()
    };
    let (lab, folder, file) = served(3, 2 * MIB, &[("e002", full)]).await;
    let state = folder.path().join("state");
    let (_, code, said) = told(&state, &["run", "all", "-i", &file]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(!said.contains("note:"), "{said}");

    let runs = json(&state, &["history", "--json"]).await;
    let run = &runs["runs"][0];
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    for (key, value) in [
        ("status", "ended".into()),
        ("outcome", "partial".into()),
        ("delivered", 2.into()),
        ("failed", 1.into()),
        ("delivered_unproven", 0.into()),
        ("groups", serde_json::json!(["all"])),
        ("delivered_bytes", (4 * MIB).into()),
    ] {
        assert_eq!(run[key], Value::clone(&value), "{key}: {run}");
    }
    let name = run["run"].as_str().unwrap();
    let whole = json(&state, &["history", &name[..13], "--json"]).await;
    let group = &whole["groups"][0];
    assert_eq!(
        (&group["image"], &group["version"], &group["size"]),
        (&IMAGE.into(), &"2".into(), &(2 * MIB).into())
    );
    assert_eq!(
        group["sha256"],
        hex::encode(lab.image_sha256(IMAGE).unwrap())
    );
    assert_eq!(whole["inventory"]["entities"].as_array().unwrap().len(), 3);
    let [one, two] = [&group["entities"][0], &group["entities"][1]];
    assert_eq!(
        (&one["state"], &one["verified"], &one["bytes"]),
        (&"delivered".into(), &"readback".into(), &(2 * MIB).into())
    );
    assert_eq!((&one["path"], &one["source"]), (&PATH.into(), &"hq".into()));
    assert_eq!(
        (&two["state"], &two["step"]),
        (&"failed".into(), &"send".into())
    );
    let states: Vec<&str> = (one["changes"].as_array().unwrap().iter())
        .map(|change| change["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        [
            "waiting",
            "connecting",
            "sending",
            "confirming",
            "verifying",
            "verifying",
            "delivered"
        ]
    );

    let past = json(&state, &["history", "--entity", "e002", "--json"]).await;
    assert!(
        past["past"][0]["cause"].as_str().unwrap().contains("552"),
        "{past}"
    );
    let (csv, ..) = told(&state, &["history", name, "--csv"]).await;
    assert_eq!(csv.lines().count(), 4, "{csv}");
    for (args, words) in [
        (&["history"][..], "partial"),
        (&["history", name], "552"),
        (&["history", name, "--entity", "e001"], "confirming"),
    ] {
        let (text, code, said) = told(&state, args).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(text.contains(words), "{text}");
    }
    for args in [&["history", "1999"][..], &["history", "--entity", "nobody"]] {
        let (_, code, said) = told(&state, args).await;
        assert_eq!(code, Some(2), "{said}");
    }
    lab.stop().await;
}

/// Every entity is delivered all the same, and what is wrong is said once.
async fn delivers_without(state: &Path, file: &str, words: &str, limit: Option<&str>) {
    let program = env!("CARGO_BIN_EXE_subtend");
    let run = match limit {
        None => Program::keeping(state, &["run", "all", "--force", "--json", "-i", file]),
        Some(blocks) => {
            let line =
                format!("ulimit -f {blocks}; exec {program} run all --force --json -i {file}");
            Program::command(state, "sh", &["-c", &line])
        }
    };
    let (lines, code, said) = run.end().await;
    assert_eq!(code, Some(0), "{limit:?}: {said} {lines:?}");
    assert!(said.contains(words), "{limit:?} {words}: {said}");
    assert_eq!(said.matches("note: ").count(), 1, "{said}");
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(last["outcome"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_fails_is_told_and_stops_no_transfer() {
    let (lab, folder, file) = served(20, 256 << 10, &[]).await;
    let state = folder.path().join("state");
    let ours = state.join("subtend");
    std::fs::create_dir_all(&ours).unwrap();
    let garbage = vec![b'x'; 10_000];
    std::fs::write(ours.join("journal.db"), &garbage).unwrap();
    delivers_without(&state, &file, "is damaged", None).await;
    assert_eq!(std::fs::read(ours.join("journal.db")).unwrap(), garbage);
    let (_, code, said) = told(&state, &["history"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("damaged") && said.contains("mv "), "{said}");

    // No room for the tables, and none for what happens while it runs.
    let full = folder.path().join("full");
    for blocks in ["64", "256"] {
        delivers_without(&full, &file, "the journal", Some(blocks)).await;
    }
    for entity in ["e001", "e020"] {
        assert!(lab.file(entity, PATH).unwrap().same_as_image(IMAGE));
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_write_one_journal() {
    let one = served(5, MIB, &[]).await;
    let two = served(5, MIB, &[]).await;
    let state = one.1.path().join("state");
    let run = |file: &str| Program::keeping(&state, &["run", "all", "--json", "-i", file]).end();
    let both = async { tokio::join!(run(&one.2), run(&two.2)) };
    let (first, second) = within(LONG, both).await;
    for (_, code, said) in [first, second] {
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("note:"), "{said}");
    }
    let runs = json(&state, &["history", "--json"]).await;
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert_eq!(
            (&run["delivered"], &run["status"]),
            (&5.into(), &"ended".into())
        );
    }
    one.0.stop().await;
    two.0.stop().await;
}

/// What an earlier run has delivered is skipped once the entity has proven that it is still there;
/// other bytes of the same size are not it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_before_is_skipped_if_it_is_still_there() {
    let (lab, folder, file) = served(4, MIB, &[]).await;
    let state = folder.path().join("state");
    let run = ["run", "all", "-i", &file, "--json"];
    let entities = async |args: &[&str]| {
        let (text, code, said) = told(&state, args).await;
        assert_eq!(code, Some(0), "{said}");
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        summary["groups"][0]["entities"].as_array().unwrap().clone()
    };
    let states = |entities: &[Value]| {
        let states = (entities.iter()).map(|one| one["state"].as_str().unwrap().to_owned());
        states.collect::<Vec<_>>()
    };
    assert_eq!(states(&entities(&run).await), ["delivered"; 4]);
    // Somebody has put other files there since.
    let mut worn = lab.image_bytes(IMAGE, 0, MIB as usize).unwrap();
    worn[MIB as usize - 1] ^= 1;
    for (name, bytes) in [("e002", &b"another file"[..]), ("e003", &worn)] {
        let address = &lab.inventory().entity(name).unwrap().address;
        let mut client =
            crate::support::client::Client::login(format!("{}:{}", address.host, address.port))
                .await
                .unwrap();
        let stored = client.store(PATH, bytes).await.unwrap();
        assert!(stored.starts_with("226"), "{stored}");
    }
    let again = entities(&run).await;
    assert_eq!(
        states(&again),
        ["skipped", "delivered", "delivered", "skipped"]
    );
    let cause = again[0]["cause"].as_str().unwrap();
    assert!(
        cause.starts_with("delivered by run ") && cause.ends_with("; its file was read again"),
        "{cause}"
    );
    assert_eq!(lab.bytes_received("e001"), MIB);
    // The journal and what is printed of it have the reason too.
    let past = json(&state, &["history", "--entity", "e001", "--json"]).await;
    assert_eq!(past["past"][0]["cause"], cause, "{past}");

    // The image is built again under its version and size.
    let text = std::fs::read_to_string(&file).unwrap();
    let other = "0".repeat(64);
    let text = text.replace(
        "version: '2' }",
        &format!("version: '2', sha256: '{other}' }}"),
    );
    assert!(text.contains(&other), "{text}");
    let rebuilt = folder.path().join("rebuilt.yaml");
    std::fs::write(&rebuilt, text).unwrap();
    let rebuilt = rebuilt.to_str().unwrap();
    let (text, code, _) = told(&state, &["run", "all", "-i", rebuilt, "--json"]).await;
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let entities_now = summary["groups"][0]["entities"].as_array().unwrap();
    // What the source has is not that image, so nobody gets it, and nobody is said to have it.
    assert_eq!(
        (code, states(entities_now)),
        (Some(1), vec!["failed".to_owned(); 4])
    );

    let forced = ["run", "all", "-i", &file, "--json", "--force"];
    assert_eq!(states(&entities(&forced).await), ["delivered"; 4]);
    lab.stop().await;
}

/// Reading a file back takes as long as sending it: the others wait for that no longer than for any
/// laggard, and who turns out to need the image gets it then.
#[tokio::test(flavor = "multi_thread")]
async fn who_proves_slowly_that_it_has_the_image_does_not_hold_up_the_others() {
    let slow = crate::support::at_rate(MIB / 4);
    let (lab, folder, file) = served(3, MIB, &[("e001", slow)]).await;
    let state = folder.path().join("state");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("retries: 0 }", "retries: 0, laggard_limit: 50ms }");
    assert!(text.contains("50ms"), "{text}");
    std::fs::write(&file, text).unwrap();
    let run = ["run", "all", "-i", &file, "--json"];
    let (_, code, said) = told(&state, &run).await;
    assert_eq!(code, Some(0), "{said}");
    let address = &lab.inventory().entity("e002").unwrap().address;
    let mut client =
        crate::support::client::Client::login(format!("{}:{}", address.host, address.port))
            .await
            .unwrap();
    let stored = client.store(PATH, b"another file").await.unwrap();
    assert!(stored.starts_with("226"), "{stored}");

    let (text, code, said) = told(&state, &run).await;
    assert_eq!(code, Some(0), "{said}");
    let ends: Vec<(String, String)> = (text.lines())
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["event"] == "state")
        .map(|event| ["entity", "state"].map(|key| event[key].as_str().unwrap().to_owned()))
        .map(|[entity, state]| (entity, state))
        .filter(|(_, state)| ["delivered", "skipped", "failed"].contains(&&**state))
        .collect();
    let ends: Vec<(&str, &str)> = ends.iter().map(|(e, s)| (&**e, &**s)).collect();
    assert_eq!(
        ends,
        [
            ("e003", "skipped"),
            ("e002", "delivered"),
            ("e001", "skipped")
        ]
    );
    lab.stop().await;
}

/// What a run of these said of each entity at its end: state, step, cause and what it holds.
fn ends(lines: &[String]) -> Vec<Value> {
    let summary: Value = serde_json::from_str(lines.last().expect("a summary")).unwrap();
    assert_eq!(summary["event"], "summary", "{summary}");
    summary["groups"][0]["entities"].as_array().unwrap().clone()
}

/// One run at a time writes an entity: the other one reports whose it is, writes nothing, and gets it
/// when that one has ended, however it ended.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_do_not_write_one_entity() {
    let (lab, folder, file) = served(2, 12 * MIB, &[("*", takes_at(MIB * 3 / 2))]).await;
    let state = folder.path().join("state");
    let args = ["run", "all", "--json", "-i", &file];
    let mut first = Program::keeping(&state, &args);
    let line = first.until(|line| line.contains("\"event\":\"run\"")).await;
    let run: Value = serde_json::from_str(&line).unwrap();
    let run = run["run"].as_str().unwrap().to_owned();
    within(LONG, lab.until_received("e001", MIB / 2)).await;
    within(LONG, lab.until_received("e002", MIB / 2)).await;

    let (lines, code, said) = Program::keeping(&state, &args).end().await;
    assert_eq!(code, Some(1), "{said}");
    for one in ends(&lines) {
        assert_eq!(
            (&one["state"], &one["step"], &one["holds"]),
            (&"failed".into(), &"connect".into(), &"old".into()),
            "{one}"
        );
        let cause = one["cause"].as_str().unwrap();
        assert!(cause.contains(&format!("run {run} of ")), "{cause}");
    }
    // Nor does a look that writes, not even a byte.
    let (lines, code, said) = told(&state, &["check", "--online", "-i", &file]).await;
    assert_eq!(code, Some(1), "{lines} {said}");
    assert!(
        lines.contains(&format!("run {run} of ")) || said.contains(&format!("run {run} of ")),
        "{lines} {said}"
    );
    // The file that it has, and what the first run writes.
    let files = lab.files("e001");
    assert_eq!(files.len(), 2, "{files:?}");

    // One that may try again waits for its end.
    let text = std::fs::read_to_string(&file).unwrap();
    let patient = folder.path().join("patient.yaml");
    std::fs::write(&patient, text.replace("retries: 0", "retries: 20")).unwrap();
    let patient = patient.to_str().unwrap();
    let mut second = Program::keeping(&state, &["run", "all", "--json", "-i", patient]);
    second
        .until(|line| line.contains("\"retrying\"") && line.contains(&format!("run {run} of ")))
        .await;
    first.signal("KILL");
    let (lines, code, said) = second.end().await;
    assert_eq!(code, Some(0), "{said} {lines:?}");
    for one in ends(&lines) {
        assert_eq!(
            (&one["state"], &one["holds"]),
            (&"delivered".into(), &"new".into())
        );
    }
    for entity in ["e001", "e002"] {
        assert!(lab.file(entity, PATH).unwrap().same_as_image(IMAGE));
    }
    let locks = std::fs::read_dir(state.join("subtend/entities")).unwrap();
    assert_eq!(locks.count(), 0);
    lab.stop().await;
}

/// What the other run has delivered meanwhile is looked at by content, where size and digest are
/// known, and not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waited_for_another_sends_nothing_again() {
    let (lab, folder, file) = served(1, 6 * MIB, &[("*", takes_at(MIB * 3 / 2))]).await;
    let state = folder.path().join("state");
    let digest = lab
        .image_sha256(IMAGE)
        .unwrap()
        .map(|byte| format!("{byte:02x}"));
    let text = std::fs::read_to_string(&file).unwrap();
    let known = text.replace(
        "{ file: ",
        &format!("{{ size: 6 MiB, sha256: {}, file: ", digest.concat()),
    );
    assert_ne!(known, text);
    std::fs::write(&file, known.replace("retries: 0", "retries: 20")).unwrap();
    let args = ["run", "all", "--json", "-i", &file];
    let first = Program::keeping(&state, &args);
    within(LONG, lab.until_received("e001", MIB / 2)).await;
    let mut second = Program::keeping(&state, &args);
    second.until(|line| line.contains("\"retrying\"")).await;
    for run in [first, second] {
        let (lines, code, said) = run.end().await;
        assert_eq!(code, Some(0), "{said} {lines:?}");
        let ends = ends(&lines);
        assert_eq!(ends[0]["state"], "delivered", "{ends:?}");
    }
    assert!(lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
    assert_eq!(lab.bytes_received("e001"), 6 * MIB);
    lab.stop().await;
}

/// A state directory in which somebody else could put things is not used, by anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_of_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (lab, folder, file) = served(1, MIB, &[]).await;
    let dir = folder.path().join("shared");
    std::fs::create_dir(&dir).unwrap();
    let mode = |mode: u32| {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let named = dir.to_str().unwrap();
    let refused = async |words: &str| {
        for args in [
            &["run", "all", "-i", &file][..],
            &["run", "all", "--detach", "-i", &file],
            &["history"],
            &["recover"],
            &["status"],
            &["check", "--online", "-i", &file],
        ] {
            let args = [args, &["--state-dir", named]].concat();
            let (lines, code, said) = told(folder.path(), &args).await;
            assert_eq!(code, Some(2), "{args:?}: {lines} {said}");
            assert!(
                said.contains(words) && said.contains(named),
                "{args:?}: {said}"
            );
        }
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    };
    for open in [0o777, 0o770, 0o702] {
        mode(open);
        refused("others can write to the state directory").await;
    }
    // Only root can give a folder away.
    if nix::unistd::geteuid().is_root() {
        mode(0o700);
        let nobody = nix::unistd::Uid::from_raw(65534);
        nix::unistd::chown(&dir, Some(nobody), None).unwrap();
        refused("belongs to").await;
        nix::unistd::chown(&dir, Some(nix::unistd::geteuid()), None).unwrap();
    }
    mode(0o755);
    let args = ["run", "all", "-i", &file, "--state-dir", named];
    let (_, code, said) = told(folder.path(), &args).await;
    assert_eq!(code, Some(0), "{said}");
    lab.stop().await;
}

/// Standard output that can't be written is no reason to stop, and no secret either.
#[tokio::test(flavor = "multi_thread")]
async fn standard_output_that_is_full_or_closed_is_told_on_standard_error() {
    // It takes a moment, so that readers are gone before its end.
    let (lab, folder, file) = served(1, MIB, &[("*", at_rate(2 * MIB))]).await;
    let state = folder.path().join("state");
    let program = env!("CARGO_BIN_EXE_subtend");
    for json in ["", "--json"] {
        for (where_to, words) in [
            (
                ">/dev/full",
                "standard output can't be written: No space left",
            ),
            (">&-", "standard output is closed"),
            ("| true", "whoever read standard output has closed it"),
        ] {
            let line = format!(
                "{program} run all --force {json} -i {file} {where_to}; exit ${{PIPESTATUS[0]}}"
            );
            let run = Program::command(&state, "bash", &["-c", &line]);
            let (lines, code, said) = run.end().await;
            assert_eq!(code, Some(0), "{line}: {said}");
            assert_eq!(lines, [""; 0]);
            assert_eq!(said.matches(words).count(), 1, "{line}: {said}");
        }
    }
    let line = format!("{program} history >/dev/full");
    let (_, _, said) = Program::command(&state, "bash", &["-c", &line]).end().await;
    assert!(said.contains("standard output can't be written"), "{said}");
    // Read or quiet, there is nothing to tell.
    for where_to in ["| cat >/dev/null", ">/dev/null"] {
        let line = format!("{program} run all --force -i {file} {where_to}");
        let (_, _, said) = Program::command(&state, "bash", &["-c", &line]).end().await;
        assert!(!said.contains("standard output"), "{line}: {said}");
    }
    assert!(lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
    lab.stop().await;
}

/// A run that was cut off while the clock was a year ahead, and one after it: what the second one has
/// done is not undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_wrong_clock_is_not_taken_up_again_over_a_later_one() {
    let (lab, folder, file) = served(2, 4 * MIB, &[("*", at_rate(4 * MIB))]).await;
    let state = folder.path().join("state");
    // What a killed run has sent may still be on its way into the entity's file: that passes.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("retries: 0", "retries: 20")).unwrap();
    let args = ["run", "all", "--json", "-i", &file];
    let first = Program::keeping(&state, &args);
    within(LONG, lab.until_received("e001", MIB)).await;
    within(LONG, lab.until_received("e002", MIB)).await;
    first.signal("KILL");
    let (_, code, _) = first.end().await;
    assert_eq!(code, None);
    let (cut, code, said) = told(&state, &["recover", "--json"]).await;
    assert_eq!(code, Some(1), "{said}");
    let cut: Value = serde_json::from_str(&cut).unwrap();
    assert!(cut["run"].is_string(), "{cut}");

    // As if the host's clock had been wrong.
    let journal = rusqlite::Connection::open(state.join("subtend/journal.db")).unwrap();
    let year = 365_i64 * 24 * 3600 * 1_000_000;
    for (table, column) in [
        ("runs", "started"),
        ("groups", "started"),
        ("entities", "changed"),
        ("changes", "at"),
        ("touches", "at"),
    ] {
        let ahead = format!("UPDATE {table} SET {column} = {column} + {year}");
        assert!(journal.execute(&ahead, []).unwrap() > 0, "{table}");
    }
    drop(journal);

    let (lines, code, said) = told(&state, &args).await;
    assert_eq!(code, Some(0), "{said}{lines}");
    let received = lab.bytes_received("e001");
    let cut = json(&state, &["recover", "--resume", "--json"]).await;
    assert_eq!(cut["run"], Value::Null, "{cut}");
    assert_eq!(lab.bytes_received("e001"), received);
    let runs = json(&state, &["history", "--json"]).await;
    assert_eq!(runs["runs"][0]["status"], "ended", "the newest comes first");
    // And it counts for what comes next.
    let (lines, code, said) = told(&state, &args).await;
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<String> = lines.lines().map(ToOwned::to_owned).collect();
    assert!(
        ends(&lines).iter().all(|one| one["state"] == "skipped"),
        "{lines:?}"
    );
    lab.stop().await;
}
