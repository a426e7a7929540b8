//! What is read from the keys of a group about how it is gone through, and what is said of what can't be.

use std::path::Path;
use std::time::Duration;

use crate::inventory::parse;
use crate::model::campaign::start::read_start;
use crate::model::campaign::{
    Campaign, Downgrade, Offline, OrderBy, Percent, Proceed, StopAfter, Wave, Window,
};
use crate::model::{Extent, Group};

use super::wrong::WRONG;

const SITE: &str = r#"
file_servers: { hq: { url: "ftp://192.0.2.10" } }
defaults: { path: /flash/image.bin }
types: { adsl: { versions: dotted, procedure: card } }
procedures:
  card:
    activate: [ { site: RESET } ]
    check: [ { site: STAT, expect: '(?<version>\S+)', is: "{version}" } ]
images: { adsl-2.4: { file: a.bin, type: adsl, version: "2.4", size: 64 MiB } }
entities:
  - { name: "s1-[01-10]", type: adsl, version: "2.3", address: "192.0.2.[21-30]", labels: { shelf: "1", ring: lab, one: a } }
  - { name: "s2-[01-10]", type: adsl, version: "2.3", address: "192.0.2.[41-50]", labels: { shelf: "2", one: a } }
  - { name: s2-11, type: adsl, version: "2.3", address: "192.0.2.51", labels: { shelf: "2", pair: p, one: a } }
"#;

/// Before the keys that a test is about; they stand in line 15 on, from column 5.
const GROUP: &str = r#"groups:
  adsl:
    select: { type: adsl }
    image: adsl-2.4
    source: { file_server: hq }
"#;

fn text(keys: &str) -> String {
    let keys = keys.lines().map(|line| format!("    {line}\n"));
    format!("{SITE}{GROUP}{}", keys.collect::<String>())
}

fn group(keys: &str) -> Group {
    let text = text(keys);
    let read = parse(&text, Path::new("/site/inventory.yaml"));
    let inventory = read.unwrap_or_else(|errors| panic!("{errors}"));
    (*inventory.groups[0]).clone()
}

fn read(keys: &str) -> Campaign {
    (*group(keys).campaign).clone()
}

/// Where, what, and what is to be done.
fn told(keys: &str) -> Vec<String> {
    let text = text(keys);
    let errors = parse(&text, Path::new("/site/inventory.yaml")).expect_err(&text);
    let told = errors.errors().iter().inspect(|one| {
        assert!(!one.help.is_empty(), "{one:?}");
    });
    // From the first line of the keys.
    let first = SITE.lines().count() + GROUP.lines().count();
    told.map(|one| {
        let line = one.line - first;
        format!("{line}:{} {} ({})", one.column - 4, one.message, one.help)
    })
    .collect()
}

#[test]
fn a_campaign_is_read_whole() {
    assert_eq!(read(""), Campaign::default());
    let campaign = read(
        r#"waves: [1, 10%, rest]
by: shelf
order: [shelf, { ring: [lab, pilot] }]
proceed: ask
stop_after: 2%
start: { at: "2026-12-01 01:00", zone: Europe/Berlin }
window: { days: [mon, wed-fri], from: "01:00", to: "05:00", zone: Europe/Berlin }
takes: 20m
offline: { wait: 14d, first: 2m }
together: { never: shelf }
downgrade: allow
from: ">=2.1, <3""#,
    );
    let percent = |hundredths| Percent::new(hundredths).unwrap();
    let by = |label: &str, values: &[&str]| OrderBy {
        label: label.into(),
        values: values.iter().map(|value| (*value).into()).collect(),
    };
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    assert_eq!(
        campaign,
        Campaign {
            waves: vec![Wave::Count(1), Wave::Percent(percent(1000)), Wave::Rest],
            by: Some("shelf".into()),
            order: vec![by("shelf", &[]), by("ring", &["lab", "pilot"])],
            proceed: Proceed::Ask,
            stop_after: Some(StopAfter::Percent(percent(200))),
            start: Some(read_start("2026-12-01T01:00[Europe/Berlin]").unwrap()),
            window: Some(Window::read("mon,wed-fri 01:00-05:00 Europe/Berlin").unwrap()),
            window_is_for_activation: false,
            takes: Some(minutes(20)),
            rate: None,
            offline: Offline::Wait {
                at_most: minutes(14 * 24 * 60),
                first: minutes(2),
            },
            never_together: Some("shelf".into()),
            downgrade: Downgrade::Allow,
            from: Some(">=2.1, <3".into()),
        }
    );
    // What can stand in one text is the same there.
    let short = read(
        r#"start: "2026-12-01T01:00[Europe/Berlin]"
window: "mon,wed-fri 01:00-05:00 Europe/Berlin"
offline: wait 14d, first 2m"#,
    );
    assert_eq!(short.start.unwrap(), campaign.start.unwrap());
    assert_eq!(
        (short.window, short.offline),
        (campaign.window, campaign.offline)
    );
}

#[test]
fn the_window_may_be_for_activation_alone() {
    let window = "window: 01:00-05:00 UTC";
    let read = group(&format!("activate: window\n{window}"));
    assert_eq!(read.extent, Extent::Upgrade);
    assert!(read.campaign.window_is_for_activation);
    // The image, 64 MiB, may take as long as it likes.
    group("activate: window\nwindow: 01:00-01:01 UTC");
    let read = group(&format!("activate: now\n{window}"));
    assert_eq!(
        (read.extent, read.campaign.window_is_for_activation),
        (Extent::Upgrade, false)
    );
}

#[test]
fn what_is_wrong_is_said_where_it_stands_with_its_numbers() {
    let wrong = WRONG.iter().filter(|(keys, said)| told(keys) != [*said]);
    let wrong: Vec<String> = wrong
        .map(|(keys, said)| format!("{keys}\n  {:#?}\n  {said}", told(keys)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_compares_versions_needs_to_know_how() {
    let told = |keys: &str| {
        let text = text(keys).replace("versions: dotted, ", "");
        let errors = parse(&text, Path::new("/site/inventory.yaml")).unwrap_err();
        errors
            .errors()
            .iter()
            .map(|one| one.message.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("from: \">=2.1\""),
        ["how versions of type `adsl` compare is not known"]
    );
    assert_eq!(
        told("downgrade: refuse"),
        ["nothing would be refused: how versions of type `adsl` compare is not known"]
    );
    let text = text("from: \">=2.1\"").replace("versions: dotted", "versions: semver");
    let errors = parse(&text, Path::new("/site/inventory.yaml")).unwrap_err();
    assert_eq!(
        errors.errors()[0].message,
        "`2.1` is no version that is `semver`"
    );
}

#[test]
fn one_mistake_is_one_error_and_all_are_said_in_one_go() {
    assert_eq!(told("waves: [1, tn%]\nby: shelf\nproceed: ask").len(), 1);
    assert_eq!(
        told("window: at night\ntakes: 20m\nactivate: window").len(),
        1
    );
    assert_eq!(told("wave: [1, rest]\nby: shelf").len(), 1);
    let all =
        told("waves: [0]\nstop_after: 0\nstart: now\nwindow: 1\noffline: 1\nfrom: 1\ntogether: 1");
    assert_eq!(all.len(), 7, "{all:?}");
    // Of a group that can't be read, nothing is too much.
    let text = text("waves: [5, rest]\nstop_after: 5")
        .replace("select: { type: adsl }", "entities: [s1-01, nobody]");
    let errors = parse(&text, Path::new("/site/inventory.yaml")).unwrap_err();
    assert_eq!(errors.errors().len(), 1, "{errors}");
}

/// Two groups of one engine may run at one time.
#[test]
fn what_shares_a_value_may_be_in_another_group() {
    let other = "  - { name: v, type: vdsl, version: \"1\", address: \"192.0.2.99\", labels: { pair: p } }\ngroups:";
    let text = text("together: { never: pair }").replace("groups:", other);
    let read = parse(&text, Path::new("/site/inventory.yaml"));
    assert!(read.is_ok(), "{}", read.unwrap_err());
}

#[test]
fn a_small_group_may_have_fewer_entities_than_waves() {
    let text = text("waves: [1, 10%, rest]\nproceed: ask")
        .replace("select: { type: adsl }", "entities: [s1-01]");
    assert!(parse(&text, Path::new("/site/inventory.yaml")).is_ok());
}

/// What a console writes out is what is read.
#[test]
fn what_is_written_out_is_read_as_the_same() {
    let campaigns = [
        "",
        "waves: [1, 2.5%]\norder: [{ ring: [lab, \"x: \\\"y\\\" #\"] }, shelf]\nproceed: ask\nstop_after: 3",
        "waves: [1, rest]\nby: shelf\nstart: 2026-10-25T02:30+01:00[Europe/Berlin]\ntogether: { never: shelf }",
        "window: sat,mon 22:00-00:00 UTC\ntakes: 1m 30s\noffline: { wait: 36h, first: 90s }\nactivate: window",
        "start: 2026-10-25T02:30Z\noffline: wait 30s\ndowngrade: allow\nfrom: '>2.1 !=2.2'\nstop_after: 2%",
    ];
    for keys in campaigns {
        let first = group(keys);
        let mut written: Vec<String> = (first.campaign.written().iter())
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        written.push(format!(
            "activate: {}",
            first.campaign.activate_word(first.extent)
        ));
        let again = group(&written.join("\n"));
        assert_eq!(
            (&again.campaign, again.extent),
            (&first.campaign, first.extent)
        );
        // Times are equal by their instant alone.
        assert_eq!(again.campaign.written(), first.campaign.written());
        // So it is kept in the state directory, and comes to an engine.
        let kept = serde_json::to_string(&*first.campaign).unwrap();
        let kept: Campaign = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept, *first.campaign);
        assert_eq!(kept.written(), first.campaign.written());
    }
}
