//! What is read from the keys of a group about how it is gone through, and what is said of what can't be.

use std::path::Path;
use std::time::Duration;

use crate::inventory::parse;
use crate::model::campaign::start::read_start;
use crate::model::campaign::{
    Campaign, Downgrade, Offline, OrderBy, Percent, Proceed, StopAfter, Wave, Window,
};
use crate::model::{Extent, Group};

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
    let cases = [
        (
            "waves: []",
            "1:8 the list `waves` is empty (write their sizes in a list, like `waves: [1, 10%, rest]`)",
        ),
        (
            "waves: 10%",
            "1:8 `waves` must be a list, and this is text (write their sizes in a list, like `waves: [1, 10%, rest]`)",
        ),
        (
            "waves: [1, 0, rest]",
            "1:12 a wave of `0` has nobody in it (write a number of entities (`1`), a part of all of the group (`10%`), or `rest`)",
        ),
        (
            "waves: [120%]",
            "1:9 a wave of `120%` is more than all (write a number of entities (`1`), a part of all of the group (`10%`), or `rest`)",
        ),
        (
            "waves: [1, rest, 5]",
            "1:12 `rest` is wave 2 of 3, and leaves nobody for those behind it (write `rest` last)",
        ),
        (
            "waves: [500, rest]",
            "1:9 a wave of 500 is more than the group has: 21 entities (write smaller waves, or `rest` for all that are left)",
        ),
        (
            "waves: [1, 10, 11]",
            "1:16 waves up to this one are 22 entities, and the group has 21 entities (write smaller waves, or `rest` for all that are left)",
        ),
        (
            "waves: [50%, 60%]",
            "1:14 waves up to this one are 110% of the group (write smaller parts, or `rest` for all that are left)",
        ),
        (
            "waves: [1, 100%, rest]",
            "1:18 nobody is left for wave 3, `rest`: 1 + 100% of 21 entities are all (write smaller waves before it, or leave it out)",
        ),
        (
            "by: shelf",
            "1:5 `by` without `waves`: nothing is divided that a label could keep together (write `waves: [1, 10%, rest]`, or leave `by` out)",
        ),
        (
            "waves: [1, rest]\nby: shelv",
            "2:5 no entity of the group has a label `shelv` (did you mean `shelf`?)",
        ),
        (
            "waves: [1, rest]\nby: one",
            "2:5 all 21 entities have `one` `a`: they would be one wave (name a label in which they differ, or leave `by` out)",
        ),
        (
            "order: []",
            "1:8 the list `order` is empty (write labels in a list, like `order: [site, { ring: [lab, pilot] }]`)",
        ),
        (
            "order: [shelf, ring, shelf]",
            "1:22 `shelf` would come before itself: it stands in `order` twice (leave it out at the later place)",
        ),
        (
            "order: [{ ring: [a, b, a] }]",
            "1:9 `a` of `ring` would come before itself: it stands there twice (leave it out at the later place)",
        ),
        (
            "order: [{ ring: a, shelf: b }]",
            "1:9 an item of `order` is one label, and these are 2 (write an item for each, in the order in which they count)",
        ),
        (
            "order: [{ ring: [] }]",
            "1:17 the list `ring` is empty (write labels in a list, like `order: [site, { ring: [lab, pilot] }]`)",
        ),
        (
            "order: [site]",
            "1:9 no entity of the group has a label `site` (their labels are `one`, `pair`, `ring`, `shelf`)",
        ),
        (
            "proceed: ask",
            "1:10 there is one wave, with all 21 entities, and nothing to be asked behind it (write `waves: [1, 10%, rest]`, or leave `proceed` out)",
        ),
        (
            "waves: [100%]\nproceed: ask",
            "2:10 there is one wave, with all 21 entities, and nothing to be asked behind it (write `waves: [1, 10%, rest]`, or leave `proceed` out)",
        ),
        (
            "proceed: maybe",
            "1:10 `proceed` can't be `maybe` (possible are `auto`, `ask`)",
        ),
        (
            "stop_after: 0",
            "1:13 with `0` it would stop before anything has failed (write a number of failures from 1, or a part of all entities of the group, like `2%`)",
        ),
        (
            "stop_after: 22",
            "1:13 22 failures can't be: the group has 21 entities (write a number from 1 to 21, or a part of all, like `5%`)",
        ),
        (
            "stop_after: 101%",
            "1:13 `101%` is more than all: so many can't fail (write a number of failures from 1, or a part of all entities of the group, like `2%`)",
        ),
        (
            "start: \"2026-12-01 01:00\"",
            "1:8 `2026-12-01 01:00` has no time zone (write day, time and zone, like `2026-12-01T01:00[Europe/Berlin]`, or `2026-12-01T00:00Z`)",
        ),
        (
            "start: { at: \"2026-12-01 01:00\" }",
            "1:8 `start` without `zone` (add `zone: Europe/Berlin`)",
        ),
        (
            "start: { at: \"2026-12-01 01:00\", zone: Berlin }",
            "1:40 there is no time zone `Berlin` (did you mean `Europe/Berlin`?)",
        ),
        (
            "start: { at: \"2026-03-29 02:30\", zone: Europe/Berlin }",
            "1:14 2026-03-29 02:30 is never shown by clocks in Europe/Berlin, where they are changed: it could be 01:30 (+01, 00:30Z) or 03:30 (+02, 01:30Z) (write `2026-03-29T01:30+01:00[Europe/Berlin]` or `2026-03-29T03:30+02:00[Europe/Berlin]`)",
        ),
        (
            "start: \"2026-10-25T02:30[Europe/Berlin]\"",
            "1:8 2026-10-25 02:30 is shown twice by clocks in Europe/Berlin, where they are changed: it could be 02:30 (+02, 00:30Z) or 02:30 (+01, 01:30Z) (write `2026-10-25T02:30+02:00[Europe/Berlin]` or `2026-10-25T02:30+01:00[Europe/Berlin]`)",
        ),
        (
            "window: { from: \"01:00\", zone: UTC }",
            "1:9 `window` without `to` (add `to: \"05:00\"`)",
        ),
        (
            "window: { from: \"01:00\", to: \"01:00\", zone: UTC }",
            "1:9 a window from 01:00 to 01:00 is open for no time (write `from: \"00:00\"` and `to: \"24:00\"` for whole days, or leave `window` out)",
        ),
        (
            "window: { days: [], from: \"01:00\", to: \"02:00\", zone: UTC }",
            "1:17 the list `days` is empty: the window would never open (name days, or leave `days` out for every day)",
        ),
        (
            "window: { days: weekend, from: \"01:00\", to: \"02:00\", zone: UTC }",
            "1:17 `weekend` is no day of the week (write `mon-fri`, `sat` or `mon,wed,fri`; without `days` it is every day)",
        ),
        (
            "window: { from: 1am, to: \"02:00\", zone: UTC }",
            "1:17 `1am` is no time of day (write hours and minutes, from `\"00:00\"` to `\"24:00\"`)",
        ),
        (
            "window: { from: \"01:00\", to: \"02:00\", zone: Europe/Berlim }",
            "1:44 there is no time zone `Europe/Berlim` (did you mean `Europe/Berlin`?)",
        ),
        (
            "window: 01:00-01:10 UTC\ntakes: 20m",
            "1:9 a window of 10 min is too short: one entity takes 20 min (`takes`) (write a window of at least 20 min)",
        ),
        (
            "takes: 20m",
            "1:8 `takes` without `window`: nothing asks how long an entity takes (write a `window`, or leave `takes` out)",
        ),
        (
            "window: 01:00-02:00 UTC\ntakes: 0s",
            "2:8 no entity takes 0 (write how long one entity takes, like `20m`)",
        ),
        (
            "window: 01:00-02:00 UTC\ntakes: soon",
            "2:8 `soon` is not a time (write how long one entity takes, like `20m`)",
        ),
        (
            "activate: window",
            "1:11 `activate: window` without `window`: nothing says when that is (write `window: { days: mon-fri, from: \"01:00\", to: \"05:00\", zone: Europe/Berlin }`)",
        ),
        (
            "offline: wait 0s",
            "1:10 to wait for 0 is not to wait (write `fail`, or how long it is asked again, like `wait 14d`)",
        ),
        (
            "offline: { wait: 0s }",
            "1:18 to wait for 0 is not to wait (write `fail`, or how long it is asked again, like `wait 14d`)",
        ),
        (
            "offline: { wait: 1h, first: 2h }",
            "1:29 the entity would be asked again after 2h, and is waited for 1h only (write a `first` of at most 1h, or wait longer)",
        ),
        (
            "offline: { first: 2h }",
            "1:10 `offline` without `wait` (add `wait: 14d`)",
        ),
        (
            "offline: retry",
            "1:10 `offline` can't be `retry` (write `fail`, or how long it is asked again, like `wait 14d`)",
        ),
        (
            "together: shelf",
            "1:11 `together` must say what it does with a label (write `together: { never: shelf }`)",
        ),
        (
            "together: { never: pair }",
            "1:11 no two entities of the group share a value of `pair`: each of 1 value is there once (give those that must not be under way together one value, or leave `together` out)",
        ),
        (
            "together: { never: site }",
            "1:11 no entity of the group has a label `site` (their labels are `one`, `pair`, `ring`, `shelf`)",
        ),
        (
            "from: \"2.1\"",
            "1:7 `2.1` does not say how it is to compare (write comparisons like `>=2.1` or `>=2.1, <3`, with `>=`, `>`, `<=`, `<`, `=` or `!=`)",
        ),
        (
            "from: \">=3 <2.1\"",
            "1:7 no version is both `>=3` and `<2.1` (leave one of them out, or correct it)",
        ),
        (
            "downgrade: never",
            "1:12 `downgrade` can't be `never` (possible are `refuse`, `allow`)",
        ),
    ];
    let wrong = cases.iter().filter(|(keys, said)| told(keys) != [*said]);
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
