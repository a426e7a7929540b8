//! Reports of runs as operators get them: from the command line, and with a key of the console.

use std::fs;
use std::path::Path;

use roxmltree::Document;
use subtend::lab::Behaviour;

use crate::support::host::Host;
use crate::support::program::{Program, served, subtend};
use crate::support::pty::Pty;
use crate::support::{IMAGE, LONG, PATH, within};

const MIB: u64 = 1 << 20;

/// What a command prints, its exit code, and what it complains of.
async fn told(state: &Path, args: &[&str]) -> (String, Option<i32>, String) {
    let (lines, code, said) = Program::keeping(state, args).end().await;
    (lines.join("\n"), code, said)
}

async fn printed(state: &Path, args: &[&str]) -> String {
    let (text, code, said) = told(state, args).await;
    assert_eq!((code, said.as_str()), (Some(0), ""), "{args:?}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_exported_in_all_formats() {
    let full = Behaviour {
        disk_full_at: Some(MIB),
        ..Behaviour::default()
    };
    let (lab, folder, file) = served(3, 2 * MIB, &[("e002", full)]).await;
    let state = folder.path().join("state");
    let (_, code, said) = told(&state, &["run", "all", "-i", &file]).await;
    assert_eq!(code, Some(1), "{said}");
    lab.stop().await;

    let html = printed(&state, &["export", "--html"]).await;
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"),
        "{html}"
    );
    for words in [
        "2 of 3 entities have the image (2 delivered and proven, 1 failed).",
        "1 failure",
        "552",
        "make room on it",
        "it holds what it held before",
        "read back",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert_eq!(html.matches("role=\"img\"").count(), 4, "{html}");
    assert!(!html.contains("NaN"), "{html}");

    let xml = printed(&state, &["export", "--junit"]).await;
    let document = Document::parse(&xml).unwrap();
    let suite = document
        .descendants()
        .find(|node| node.has_tag_name("testsuite"))
        .unwrap();
    let counts = ["name", "tests", "failures", "errors", "skipped"]
        .map(|name| suite.attribute(name).unwrap());
    assert_eq!(counts, ["all", "3", "1", "0", "0"]);
    let failure = suite
        .descendants()
        .find(|node| node.has_tag_name("failure"))
        .unwrap();
    assert_eq!(failure.parent().unwrap().attribute("name"), Some("e002"));
    assert!(
        failure.attribute("message").unwrap().contains("552"),
        "{xml}"
    );

    let csv = printed(&state, &["export", "--csv"]).await;
    let history = printed(&state, &["history", "2", "--csv"]).await;
    assert_eq!(csv, history, "one table, however it is asked for");
    assert_eq!(csv.lines().count(), 4, "{csv}");

    let text = printed(&state, &["export", "--text"]).await;
    let place = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("{words}: {text}"))
    };
    assert!(place("e002: failed") < place("All entities"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_written_whole_and_what_can_not_be_written_is_said() {
    let (lab, folder, file) = served(2, MIB, &[]).await;
    let state = folder.path().join("state");
    let (_, code, said) = told(&state, &["export", "--html"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no run was recorded"), "{said}");
    let (_, code, said) = told(&state, &["run", "all", "-i", &file]).await;
    assert_eq!(code, Some(0), "{said}");
    lab.stop().await;

    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let report = out.join("report.html");
    fs::write(&report, "an old one").unwrap();
    let path = |name: &str| out.join(name).to_str().unwrap().to_owned();
    let html = ["export", "--html", "--output", &path("report.html")];
    assert_eq!(printed(&state, &html).await, "");
    let written = fs::read_to_string(&report).unwrap();
    assert!(written.ends_with("</html>\n"), "{written}");
    assert_eq!(
        fs::read_dir(&out).unwrap().count(),
        1,
        "nothing is left beside it"
    );

    std::os::unix::fs::symlink(&report, out.join("link")).unwrap();
    for (name, words) in [
        ("link", "no regular file"),
        (".", "no regular file"),
        ("missing/report.html", "can't be written"),
    ] {
        let name = path(name);
        let (_, code, said) = told(&state, &["export", "--text", "-o", &name]).await;
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains(&name) && said.contains(words), "{said}");
    }
    assert_eq!(fs::read_to_string(&report).unwrap(), written);
    for args in [
        &["export", "1999", "--html"][..],
        &["export"],
        &["export", "--html", "--csv"],
    ] {
        let (_, code, said) = told(&state, args).await;
        assert_eq!(code, Some(2), "{said}");
    }
}

/// While its engine runs, which does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_is_exported_as_it_stands() {
    let site = Host::new(4 * MIB).await;
    site.detached().await;
    within(LONG, site.lab.until_received("e001", MIB)).await;
    let text = site.said(&["export", "--text"]).await;
    assert!(
        text.contains("The run is going on: 0 of 3 entities have the image"),
        "{text}"
    );
    assert!(
        text.contains("3 entities cancelled or not finished"),
        "{text}"
    );
    site.nothing_is_left().await;
    let html = site.said(&["export", "--html"]).await;
    assert!(
        html.contains("All 3 entities have the image (3 delivered and proven)."),
        "{html}"
    );
}

/// The console in a folder of its own, where reports go.
fn console(site: &Host, folder: &Path) -> Pty {
    let program = subtend();
    let folder = folder.to_str().unwrap();
    let args = [
        "-C",
        folder,
        program.to_str().unwrap(),
        "-i",
        &site.file,
        "--state-dir",
        &site.state,
    ];
    Pty::start("/usr/bin/env", &args, &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_console_writes_a_report_while_the_run_goes_on_and_after_it() {
    let site = Host::new(4 * MIB).await;
    let folder = tempfile::tempdir().unwrap();
    let mut pty = console(&site, folder.path());
    pty.until("idle");
    pty.type_in("4w");
    pty.until("nothing was started yet");
    pty.type_in("1Utt");
    pty.until("Y starts.");
    pty.has_read();
    pty.type_in("Y");
    pty.until("1 group runs");
    within(LONG, site.lab.until_received("e001", MIB)).await;
    pty.type_in("w");
    pty.until("Report of run");
    pty.type_in("\r");
    pty.until("Write the report to");
    pty.type_in("\r");
    pty.until("written: subtend-");
    let files = || -> Vec<_> {
        let files = fs::read_dir(folder.path()).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    };
    let [report] = &files()[..] else {
        panic!("{:?}", files());
    };
    let html = fs::read_to_string(report).unwrap();
    assert!(
        html.contains("The run is going on") && html.ends_with("</html>\n"),
        "{html}"
    );
    pty.until("ended: delivered");
    for entity in ["e001", "e002", "e003"] {
        let file = site.lab.file(entity, PATH).expect("it has a file");
        assert!(file.same_as_image(IMAGE), "{entity}");
    }
    // The same name again, which is taken, and one where nothing can be written.
    pty.type_in("w\r\r");
    pty.until("-2.html (");
    assert_eq!(fs::read_to_string(report).unwrap(), html);
    pty.type_in("w\r\x15missing/report.html\r");
    pty.until("can't be written");
    // From the history, another format.
    pty.type_in("H");
    pty.until("w report");
    pty.until("all by ");
    pty.type_in("w");
    pty.until("Report of run");
    pty.type_in("G\r");
    pty.until("Write the report to");
    pty.type_in("\x15night.xml\r");
    pty.until("written: night.xml");
    let xml = fs::read_to_string(folder.path().join("night.xml")).unwrap();
    let document = Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("failures"), Some("0"));
    assert_eq!(files().len(), 3);
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
}
