//! Reports of a run that has one of everything, and of one whose names are an attack.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use roxmltree::{Document, Node};

use super::*;
use crate::journal::{
    AfterCrash, Amounts, Change, Copied, Counts, EntityRow, GroupRow, Note, Origin, PassRow,
    Process, RunRow, RunStatus, RunWhole,
};
use crate::model::columns::width;
use crate::model::series::{self, Sample};
use crate::model::{EntityState, Holds, Outcome, Series, Standing};

const BEGAN: i64 = 1_795_380_600;
/// What a device may call itself, or say.
const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"&'",
    "two\nlines\r\n",
    "nul\u{0}bell\u{7}esc\u{1b}[2J",
    "]]>",
    "=cmd()",
    "\u{fffe}\u{202e}backwards",
    "--><!--",
];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGAN + second).unwrap()
}

fn made() -> Made {
    Made {
        at: at(3600),
        zone: TimeZone::UTC,
    }
}

fn entity(name: &str, state: EntityState) -> EntityRow {
    let failed = matches!(state, EntityState::Failed | EntityState::RolledBack);
    let sent = state == EntityState::Delivered;
    let change = |second, state| Change {
        at: at(second),
        state,
        step: None,
        cause: None,
        attempt: 1,
        holds: None,
    };
    EntityRow {
        entity: name.into(),
        type_: "adsl".into(),
        address: "192.0.2.33:21".into(),
        path: "/flash/image.bin".into(),
        state,
        step: failed.then(|| "send".into()),
        cause: match state {
            EntityState::Skipped => Some("it has version 2.4".into()),
            _ => failed.then(|| "the server said 552 full".into()),
        },
        attempts: 2,
        at: at(62),
        copied: Copied {
            bytes: if sent { 32 << 20 } else { 0 },
            verified: sent.then(|| "digest".into()),
            source: Some("hq".into()),
            left: failed.then(|| "/flash/image.bin.new".into()),
        },
        holds: Some(if failed { Holds::Old } else { Holds::New }),
        after_crash: AfterCrash::Delivered,
        found: None,
        runs: None,
        advice: failed.then(|| "make room on it".into()),
        changes: vec![
            change(0, EntityState::Waiting),
            change(2, EntityState::Sending),
            change(62, state),
        ],
        steps: Vec::new(),
    }
}

/// 20 MiB a second read in the first two seconds of three, by ten entities.
fn went() -> Series {
    let mut series = Series::default();
    for (second, mebibytes) in (0..).zip([20_u64, 20, 0]) {
        let standing = Standing::In(EntityState::Sending);
        let sample = Sample {
            read: mebibytes << 20,
            delivered: (mebibytes * 10) << 20,
            filled: mebibytes << 16,
            depth: 2 << 20,
            counts: series::Counts::of(std::iter::repeat_n(standing, 10)),
        };
        series.push(Duration::from_millis(second * 1000 + 999), &sample);
    }
    series
}

fn whole(entities: Vec<EntityRow>) -> RunWhole {
    let mut counts = Counts::default();
    for one in &entities {
        counts.add(one.state, one.verified());
    }
    let inventory = serde_json::json!({
        "entities": entities.iter()
            .map(|one| serde_json::json!({ "name": one.entity, "version": "2.3" }))
            .collect::<Vec<_>>(),
    });
    RunWhole {
        run: RunRow {
            run: "20261122T205000Z-1a2b".into(),
            started: at(0),
            ended: Some(at(64)),
            status: RunStatus::Ended,
            outcome: Some(Outcome::Partial),
            origin: Origin {
                user: "craft".into(),
                host: "noc7".into(),
                ssh_client: None,
            },
            process: Process {
                pid: 4711,
                subtend: "0.1.0".into(),
            },
            inventory_file: "/home/craft/bremen.yaml".into(),
            practice: false,
            groups: vec!["adsl".into()],
            counts,
            amounts: Amounts {
                memory: 8 << 20,
                peak_pool_bytes: Some(7 << 20),
                source_bytes: Some(40 << 20),
                delivered_bytes: Some(64 << 20),
            },
            settled: None,
            in_doubt: false,
        },
        groups: vec![GroupRow {
            group: "adsl".into(),
            started: at(0),
            image: "adsl-2.4".into(),
            version: "2.4".into(),
            type_: "adsl".into(),
            file: "adsl-2.4.bin".into(),
            size: Some(32 << 20),
            sha256: Some("9f".repeat(32)),
            source: "hq".into(),
            force: false,
            spec: None,
            passes: vec![PassRow {
                pass: 1,
                at: at(0),
                source: "hq".into(),
                offset: 0,
                ended: Some(at(60)),
                read: Some(32 << 20),
            }],
            notes: Vec::new(),
            entities,
            series: Some(went()),
        }],
        inventory,
        series: Some(went()),
    }
}

fn everything() -> RunWhole {
    let mut unproven = entity("e2", EntityState::Delivered);
    unproven.copied.verified = Some("size".into());
    whole(vec![
        entity("e1", EntityState::Delivered),
        unproven,
        entity("e3", EntityState::Failed),
        entity("e4", EntityState::Skipped),
        entity("e5", EntityState::Cancelled),
        entity("e6", EntityState::RolledBack),
    ])
}

/// Wherever a text from outside can stand.
fn hostile() -> RunWhole {
    let entities = HOSTILE.iter().map(|text| {
        let mut one = entity(text, EntityState::Failed);
        one.cause = Some((*text).into());
        one.advice = Some((*text).into());
        one.step = Some((*text).into());
        one.type_ = (*text).into();
        one.address = (*text).into();
        one.path = (*text).into();
        one.runs = Some((*text).into());
        one.copied.left = Some((*text).into());
        one.copied.source = Some((*text).into());
        one
    });
    let mut run = whole(entities.collect());
    let all = HOSTILE.concat();
    run.run.inventory_file = format!("/x/{all}.yaml");
    run.run.origin.user = all.clone();
    run.run.origin.host = all.clone();
    run.run.process.subtend = all.clone();
    let group = &mut run.groups[0];
    for text in [
        &mut group.group,
        &mut group.image,
        &mut group.version,
        &mut group.type_,
    ] {
        text.clone_from(&all);
    }
    group.passes[0].source.clone_from(&all);
    group.notes.push(Note {
        at: at(1),
        kind: "source".into(),
        text: all,
    });
    run
}

fn report(run: RunWhole, format: ReportFormat) -> String {
    written(&Report::of(run, made()), format)
}

/// The page read as XML, which it is but for its head.
fn page(html: &str) -> String {
    let (_, body) = html.split_once("</head>\n").unwrap();
    body.strip_suffix("</html>\n").unwrap().to_owned()
}

fn class<'a>(node: Node<'a, '_>) -> &'a str {
    node.attribute("class").unwrap_or_default()
}

#[test]
fn no_text_from_outside_becomes_a_tag_of_the_page() {
    let html = report(hostile(), ReportFormat::Html);
    let body = page(&html);
    let document = Document::parse(&body).unwrap();
    let names: Vec<&str> = (document.descendants().filter(Node::is_element))
        .map(|node| node.tag_name().name())
        .collect();
    assert!(!names.contains(&"script"), "{names:?}");
    assert!(!document.descendants().any(|node| node.is_comment()));
    let controls = |c: char| c.is_control() && c != '\n';
    assert!(!html.contains(controls), "{html}");
    assert!(!html.contains(['\u{202e}', '\u{fffe}']));
    // It is all there, in words.
    let text: String = document
        .descendants()
        .filter_map(|node| node.text())
        .collect();
    for words in [
        "<script>alert(1)</script>",
        "\"&'",
        "two lines",
        "\\u{0}",
        "]]>",
        "=cmd()",
        "\\u{fffe}",
    ] {
        assert!(text.contains(words), "{words}");
    }
    // Whatever it is: nothing is loaded.
    assert!(html.contains("default-src 'none'"));
    for outside in ["http://", "https://", "url(", "<link", "<img", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn every_link_of_the_page_leads_somewhere_and_no_place_is_there_twice() {
    for run in [everything(), hostile()] {
        let html = report(run, ReportFormat::Html);
        let body = page(&html);
        let document = Document::parse(&body).unwrap();
        let mut ids: Vec<&str> = document
            .descendants()
            .filter_map(|node| node.attribute("id"))
            .collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        let links = document
            .descendants()
            .filter_map(|node| node.attribute("href"));
        let mut many = 0;
        for link in links {
            let place = link.strip_prefix('#').unwrap();
            assert!(ids.contains(&place), "{link}");
            many += 1;
        }
        assert!(many > 4);
    }
}

#[test]
fn the_page_says_what_an_operator_asks_and_what_failed_comes_first() {
    let html = report(everything(), ReportFormat::Html);
    let body = page(&html);
    let document = Document::parse(&body).unwrap();
    let texts = |node: Node<'_, '_>| {
        node.descendants()
            .filter(Node::is_text)
            .filter_map(|node| node.text())
            .collect::<String>()
    };
    let outcome = document
        .descendants()
        .find(|node| class(*node).starts_with("outcome"))
        .unwrap();
    assert_eq!(
        texts(outcome),
        "3 of 6 entities have the image (1 delivered and proven, 1 delivered without proof of the content, 1 had it \
         before, 1 failed, 1 rolled back, 1 cancelled)."
    );
    assert_eq!(class(outcome), "outcome bad");
    let place = |id: &str| {
        let id = format!("id=\"{id}\"");
        body.find(&id).unwrap_or_else(|| panic!("{id}"))
    };
    assert!(place("failures") < place("open") && place("open") < place("entities"));
    let case = document
        .descendants()
        .find(|node| class(*node) == "case bad")
        .unwrap();
    let said = texts(case);
    for words in [
        "e3",
        "send",
        "552 full",
        "make room on it",
        "it holds what it held before",
        "2 tries",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let row = document
        .descendants()
        .find(|node| node.attribute("id") == Some("e0-e1"))
        .unwrap();
    let cells: Vec<String> = row.children().filter(Node::is_element).map(texts).collect();
    assert_eq!(
        cells,
        [
            "e1",
            "adsl",
            "192.0.2.33:21",
            "2.3",
            "2.4",
            "delivered",
            "its own digest",
            "2",
            "1m 00s"
        ]
    );
}

/// Numbers of attributes and paths.
fn numbers(text: &str) -> Vec<f64> {
    let parts = text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    parts
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().unwrap())
        .collect()
}

#[test]
fn plots_stay_in_their_view_box_and_say_what_they_show() {
    let html = report(everything(), ReportFormat::Html);
    let body = page(&html);
    assert!(!body.contains("NaN") && !body.contains("inf"), "{body}");
    let document = Document::parse(&body).unwrap();
    let plots: Vec<Node<'_, '_>> = document
        .descendants()
        .filter(|node| node.attribute("role") == Some("img"))
        .collect();
    assert_eq!(plots.len(), 4);
    for plot in plots {
        let view = numbers(plot.attribute("viewBox").unwrap());
        let (width, height) = (view[2], view[3]);
        let titles = plot
            .children()
            .filter(|node| matches!(node.tag_name().name(), "title" | "desc"));
        assert_eq!(
            titles
                .filter(|node| !node.text().unwrap().is_empty())
                .count(),
            2
        );
        for node in plot.descendants() {
            for name in ["x", "x1", "x2", "y", "y1", "y2"] {
                let most = if name.starts_with('x') { width } else { height };
                for value in node.attribute(name).map(numbers).unwrap_or_default() {
                    assert!((0.0..=most).contains(&value), "{name}={value}");
                }
            }
            for value in node.attribute("d").map(numbers).unwrap_or_default() {
                assert!((0.0..=width).contains(&value), "{value}");
            }
        }
        // Labels of the time axis stand apart.
        let labels = plot
            .children()
            .filter(|node| node.attribute("text-anchor") == Some("middle"));
        let times: Vec<f64> = labels
            .map(|node| node.attribute("x").unwrap().parse().unwrap())
            .collect();
        assert!(
            times.windows(2).all(|pair| pair[1] - pair[0] > 40.0),
            "{times:?}"
        );
    }
    assert!(body.contains("at most 20.0 MiB/s"), "{body}");
}

#[test]
fn without_a_series_the_page_says_so_and_has_no_plots() {
    let mut run = everything();
    run.series = None;
    run.groups[0].series = None;
    run.run.status = RunStatus::Running;
    let html = report(run.clone(), ReportFormat::Html);
    assert!(html.contains("no plots of this run yet"), "{html}");
    run.run.status = RunStatus::Ended;
    let html = report(run, ReportFormat::Html);
    assert!(html.contains("There are no plots of this run:") && !html.contains("role=\"img\""));
}

#[test]
fn a_run_that_goes_on_or_was_cut_off_is_not_called_ended() {
    for (status, state, words) in [
        (
            RunStatus::Running,
            EntityState::Sending,
            "The run is going on",
        ),
        (
            RunStatus::CutOff,
            EntityState::Verifying,
            "The run was cut off",
        ),
    ] {
        let mut run = whole(vec![entity("e1", state)]);
        run.run.status = status;
        run.run.ended = None;
        run.run.outcome = None;
        for format in [ReportFormat::Html, ReportFormat::Text] {
            let text = report(run.clone(), format);
            assert!(text.contains(words), "{text}");
            assert!(
                text.contains("1 entity cancelled or not finished"),
                "{text}"
            );
        }
        let xml = report(run, ReportFormat::Junit);
        let document = Document::parse(&xml).unwrap();
        let error = document
            .descendants()
            .find(|node| node.has_tag_name("error"))
            .unwrap();
        assert_eq!(error.attribute("type"), Some(state.as_str()));
    }
}

#[test]
fn junit_is_what_build_servers_read() {
    let xml = report(everything(), ReportFormat::Junit);
    let document = Document::parse(&xml).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let suites: Vec<Node<'_, '_>> = root.children().filter(Node::is_element).collect();
    assert_eq!(suites.len(), 1);
    for node in [root, suites[0]] {
        let counts =
            ["tests", "failures", "errors", "skipped"].map(|name| node.attribute(name).unwrap());
        assert_eq!(counts, ["6", "2", "1", "1"]);
        assert!(!node.attribute("name").unwrap().is_empty());
        assert!(node.attribute("time").unwrap().parse::<f64>().unwrap() > 60.0);
        assert_eq!(node.attribute("timestamp"), Some("2026-11-22T20:50:00"));
    }
    let case = |name: &str| {
        let mut cases = suites[0]
            .children()
            .filter(|node| node.has_tag_name("testcase"));
        cases
            .find(|node| node.attribute("name") == Some(name))
            .unwrap()
    };
    let child = |name: &str, kind: &str| case(name).children().find(|node| node.has_tag_name(kind));
    assert_eq!(case("e1").attribute("classname"), Some("adsl"));
    assert_eq!(case("e1").attribute("time"), Some("60.000"));
    for kind in ["failure", "error", "skipped"] {
        assert!(child("e1", kind).is_none() && child("e2", kind).is_none());
    }
    let failure = child("e3", "failure").unwrap();
    assert_eq!(failure.attribute("type"), Some("send"));
    assert_eq!(
        failure.attribute("message"),
        Some("send: the server said 552 full")
    );
    let text = failure.text().unwrap();
    assert!(
        text.contains("make room on it") && text.contains("it holds what it held before"),
        "{text}"
    );
    let skipped = child("e4", "skipped").unwrap();
    assert_eq!(skipped.attribute("message"), Some("it has version 2.4"));
    assert_eq!(
        child("e5", "error").unwrap().attribute("type"),
        Some("cancelled")
    );
    let said = child("e2", "system-out").unwrap().text().unwrap();
    assert!(said.contains("size alone"), "{said}");
}

#[test]
fn hostile_texts_make_no_other_xml_and_stay_readable() {
    let xml = report(hostile(), ReportFormat::Junit);
    let document = Document::parse(&xml).unwrap();
    let cases = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    let names: Vec<&str> = cases.map(|node| node.attribute("name").unwrap()).collect();
    assert_eq!(
        names,
        [
            "<script>alert(1)</script>",
            "\"&'",
            "two lines",
            "nul\\u{0}bell\\u{7}esc\\u{1b}[2J",
            "]]>",
            "=cmd()",
            "\\u{fffe}\\u{202e}backwards",
            "--><!--"
        ]
    );
    assert!(!xml.contains(|c: char| c.is_control() && c != '\n'));
}

/// Rows of comma-separated values, as RFC 4180 has them.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.next_if_eq(&'"').is_some() => cell.push('"'),
            ('"', _) => quoted = !quoted,
            (',', false) => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

#[test]
fn csv_has_a_row_per_entity_and_no_formula() {
    let csv = report(hostile(), ReportFormat::Csv);
    let rows: Vec<Vec<String>> = csv.split_terminator("\r\n").map(cells).collect();
    assert_eq!(rows.len(), 1 + HOSTILE.len());
    let column = |name: &str| rows[0].iter().position(|one| one == name).unwrap();
    for row in &rows {
        assert_eq!(row.len(), rows[0].len());
        for cell in row {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
            assert!(!cell.contains(char::is_control), "{cell}");
        }
    }
    assert_eq!(rows[6][column("entity")], "'=cmd()");
    assert_eq!(rows[2][column("cause")], "\"&'");
    let csv = report(everything(), ReportFormat::Csv);
    let first = cells(csv.split("\r\n").nth(1).unwrap());
    for (name, value) in [
        ("entity", "e1"),
        ("state", "delivered"),
        ("version_before", "2.3"),
        ("version", "2.4"),
        ("seconds", "60.000"),
        ("run", "20261122T205000Z-1a2b"),
        ("began", "2026-11-22T20:50:02Z"),
    ] {
        assert_eq!(first[column(name)], value, "{name}");
    }
}

#[test]
fn the_text_fits_80_columns_and_tells_failures_before_all_else() {
    for run in [everything(), hostile()] {
        let text = report(run, ReportFormat::Text);
        for line in text.lines() {
            assert!(width(line) <= 80, "{line}");
            assert!(!line.contains(char::is_control), "{line}");
        }
    }
    let text = report(everything(), ReportFormat::Text);
    let place = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("{words}: {text}"))
    };
    assert!(place("2 failures") < place("1 group in all"));
    assert!(place("make room on it") < place("All entities"));
    assert!(place("3 of 6 entities have the image") < place("2 failures"));
}

/// A series is what a file says: nothing in it breaks a page.
#[test]
fn a_series_of_odd_figures_makes_a_page_all_the_same() {
    let odd = r#"{"interval":1000,"until":0,"keep":0,"points":[
        [0,18446744073709551615,0,0,18446744073709551615,[4294967295,4294967295,0,0,0,0]],
        [9000000,1,1,1,1,[0,0,0,0,0,0]]]}"#;
    let mut run = everything();
    run.series = Series::of(serde_json::from_str(odd).unwrap());
    assert!(run.series.is_some());
    let html = report(run, ReportFormat::Html);
    let body = page(&html);
    Document::parse(&body).unwrap();
    assert!(!body.contains("NaN") && !body.contains("inf"));
}
