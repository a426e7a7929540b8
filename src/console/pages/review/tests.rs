//! What the review says and does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use super::*;
use crate::console::pages::State;
use crate::console::testing::{self, ASCII, COLOURS, MONO, press, screen};
use crate::model::{
    DeliveryPolicy, Extent, Holding, ImageSpec, Limits, MadeGroup, Probe, SourceSpec, Verified,
};
use crate::protocol::{Event, Installed, PeerCheck, ProbeCheck, Secret};

fn open(state: &mut State, specs: Vec<GroupSpec>) {
    super::open(&mut state.pages.review, &mut state.shared, specs);
}

fn named(names: &[&str]) -> Vec<GroupSpec> {
    names
        .iter()
        .map(|name| GroupSpec::Named((*name).into()))
        .collect()
}

fn made(name: &str, image: &str, source: SourceSpec, entities: &[&str]) -> GroupSpec {
    GroupSpec::Made(MadeGroup {
        name: name.into(),
        image: ImageSpec::Named(image.into()),
        source,
        then: Vec::new(),
        entities: entities.iter().map(|name| (*name).into()).collect(),
        policy: DeliveryPolicy::default(),
        campaign: Box::default(),
    })
}

fn from(server: &str) -> SourceSpec {
    SourceSpec::FileServer(server.into())
}

/// A review of these groups, with the password of `craft` to be asked for.
fn reviewed(specs: Vec<GroupSpec>) -> State {
    let mut state = testing::state();
    state.shared.site.to_ask.insert("craft".into());
    open(&mut state, specs);
    state
}

fn refusals(specs: Vec<GroupSpec>, snapshot: &Snapshot) -> Vec<String> {
    let state = reviewed(specs);
    against(&state.pages.review, &state.shared, snapshot)
}

#[test]
fn limits_are_shown_and_those_without_sense_refused() {
    let limited = |limits| {
        let mut spec = made("mine", "adsl-2.4", from("hq"), &["shelf1-01"]);
        if let GroupSpec::Made(made) = &mut spec {
            made.policy.limits = limits;
        }
        spec
    };
    let limits = Limits {
        laggard: Duration::from_millis(500),
        retries: 0,
        ..Limits::default()
    };
    let idle = testing::idle();
    let mut state = reviewed(vec![limited(limits)]);
    let page = screen(&mut state, &idle, 80, 24, MONO);
    for entry in [
        "laggards   catch-up after 500 ms; all at a time",
        "retries    none",
    ] {
        assert!(page.contains(entry), "{page}");
    }
    let wrong = Limits {
        laggard: Duration::ZERO,
        ..limits
    };
    let told = refusals(vec![limited(wrong)], &idle).join("\n");
    assert!(
        told.contains("group `mine`") && told.contains("every entity a laggard"),
        "{told}"
    );
}

#[test]
fn what_is_done_on_devices_and_passwords_that_telnet_shows_are_on_the_page() {
    let yaml = format!("{}{}", testing::SITE, testing::PROCEDURE);
    let page = |extent| {
        let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
        let mut spec = made("mine", "adsl-2.4", from("hq"), &["shelf1-01"]);
        if let GroupSpec::Made(made) = &mut spec {
            made.policy.extent = extent;
        }
        open(&mut state, vec![spec]);
        let page = screen(&mut state, &testing::idle(), 80, 34, MONO);
        page.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let done = "procedure `card`: over telnet, port 23, passwords in CLEAR TEXT;";
    let shown = "! craft: sent in CLEAR TEXT (telnet), readable on the way";
    let now = page(Extent::Upgrade);
    for words in [
        done,
        "activate makes 1 entity run adsl-2.4: 2 steps each",
        shown,
    ] {
        assert!(now.contains(words), "{words}: {now}");
    }
    let later = page(Extent::Deliver);
    assert!(
        later.contains("activate later") && later.contains(done),
        "{later}"
    );
    assert!(!later.contains(shown), "nobody logs in there: {later}");
}

#[test]
fn everything_that_will_happen_is_on_the_page() {
    let mut state = reviewed(named(&["adsl", "vdsl"]));
    let checks = ["shelf2-01", "shelf2-02"].map(|name| PeerCheck {
        entity: name.into(),
        file: Ok(None),
        has_it: name == "shelf2-01",
    });
    state
        .shared
        .answers
        .peers
        .insert("vdsl-3.1".into(), checks.into());
    let idle = testing::idle();
    insta::assert_snapshot!("review_80x24", screen(&mut state, &idle, 80, 24, MONO));
    insta::assert_snapshot!(
        "review_60x16_ascii",
        screen(&mut state, &idle, 60, 16, ASCII)
    );
    let ascii = screen(&mut state, &idle, 120, 40, ASCII);
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn passwords_clear_text_and_refusals_are_named() {
    let both = made("spare", "adsl-2.4", from("spare"), &["shelf1-[01-03]"]);
    let mut state = reviewed(vec![both.clone()]);
    insta::assert_snapshot!(
        "review_password_120x40",
        screen(&mut state, &testing::idle(), 120, 40, COLOURS)
    );
    let mut state = reviewed([named(&["adsl"]), vec![both]].concat());
    insta::assert_snapshot!(
        "review_refused_80x24",
        screen(&mut state, &testing::snapshot(), 80, 24, ASCII)
    );
    // What is refused is not sent, and asks for no password either.
    assert_eq!(press(&mut state, &testing::snapshot(), "Y"), []);
    assert!(state.shared.message.as_ref().unwrap().is_error && state.shared.dialogs.is_empty());
}

#[test]
fn a_start_without_passwords_goes_out_at_once_and_is_watched() {
    let mut state = reviewed(named(&["adsl", "vdsl"]));
    // Enter means details elsewhere, and S a review.
    assert_eq!(press(&mut state, &testing::idle(), "<Enter>S"), []);
    assert_eq!(state.shared.page, Page::Review);
    let start = Command::Start {
        groups: named(&["adsl", "vdsl"]),
        force: false,
    };
    let effects = press(&mut state, &testing::idle(), "Y");
    assert_eq!(effects, [Effect::Send(vec![start])]);
    assert_eq!(state.shared.page, Page::Watch);
    // It is not started twice by pressing the key again.
    state.shared.page = Page::Review;
    assert_eq!(press(&mut state, &testing::idle(), "Y"), []);
}

#[test]
fn force_sends_to_those_that_have_the_image_too() {
    let mut state = reviewed(named(&["adsl"]));
    let idle = testing::idle();
    assert_eq!(
        current(&state.pages.review, &state.shared, &idle)
            .plan
            .groups[0]
            .skip
            .len(),
        1
    );
    press(&mut state, &idle, "F");
    assert!(
        current(&state.pages.review, &state.shared, &idle)
            .plan
            .groups[0]
            .skip
            .is_empty()
    );
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("forced") && shown.contains("8: shelf1-[01-08]"),
        "{shown}"
    );
    let effects = press(&mut state, &idle, "Y");
    let groups = named(&["adsl"]);
    let start = Command::Start {
        groups,
        force: true,
    };
    assert_eq!(effects, [Effect::Send(vec![start])]);
    // The next review begins without it.
    open(&mut state, named(&["vdsl"]));
    assert!(!state.pages.review.force);
}

#[test]
fn passwords_are_asked_for_one_after_another_and_never_shown() {
    let yaml = testing::SITE
        .replace(
            "  craft: { user: craft, password: { ask: true } }\n",
            "  craft: { user: craft, password: { ask: true } }\n  \
               field: { user: field, password: { env: SUBTEND_NO_SUCH } }\n",
        )
        .replace(
            "  path: /flash/image.bin\n",
            "  path: /flash/image.bin\n  credentials: field\n",
        );
    let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
    state.shared.site.to_ask.insert("craft".into());
    state
        .shared
        .site
        .without_password
        .insert("field".into(), "SUBTEND_NO_SUCH is not set".into());
    let spec = made(
        "spare",
        "adsl-2.4",
        from("spare"),
        &["shelf1-01", "shelf1-02"],
    );
    open(&mut state, vec![spec.clone()]);
    let idle = testing::idle();
    assert_eq!(press(&mut state, &idle, "Y"), []);
    let mut seen = screen(&mut state, &idle, 80, 24, MONO);
    assert!(seen.contains("Password of craft"), "{seen}");
    let login = |credentials: &str, password: &str| Command::Login {
        credentials: credentials.into(),
        secret: Secret::new(password),
    };
    let effects = press(&mut state, &idle, "hunter2<Enter>");
    assert_eq!(effects, [Effect::Send(vec![login("craft", "hunter2")])]);
    assert!(state.shared.site.to_ask.is_empty());
    seen += &screen(&mut state, &idle, 80, 24, MONO);
    assert!(seen.contains("SUBTEND_NO_SUCH is not set"), "{seen}");
    press(&mut state, &idle, "q7!x");
    seen += &screen(&mut state, &idle, 80, 24, MONO);
    let effects = press(&mut state, &idle, "<Enter>");
    let start = Command::Start {
        groups: vec![spec],
        force: false,
    };
    assert_eq!(effects, [Effect::Send(vec![login("field", "q7!x"), start])]);
    assert!(state.shared.site.without_password.is_empty());
    seen += &screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        !seen.contains("hunter2") && !seen.contains("q7!x"),
        "{seen}"
    );
    assert!(!format!("{state:?}{effects:?}").contains("hunter2"));
}

#[test]
fn giving_no_password_starts_nothing_and_a_wrong_one_can_be_replaced() {
    let spec = made("spare", "adsl-2.4", from("spare"), &["shelf1-01"]);
    let mut state = reviewed(vec![spec]);
    let idle = testing::idle();
    assert_eq!(press(&mut state, &idle, "Ysecret<Esc>"), []);
    assert_eq!(
        (state.shared.page, state.shared.dialogs.len()),
        (Page::Review, 0)
    );
    assert!(state.shared.site.to_ask.contains("craft"));
    press(&mut state, &idle, "Yone<Enter>");
    assert!(state.shared.site.to_ask.is_empty());
    state.shared.page = Page::Review;
    let effects = press(&mut state, &idle, "P<Enter>two<Enter>");
    let login = Command::Login {
        credentials: "craft".into(),
        secret: Secret::new("two"),
    };
    assert_eq!(effects, [Effect::Send(vec![login])]);
}

#[test]
fn what_can_not_run_together_is_refused_beforehand() {
    let idle = testing::idle();
    let refused = |specs| refusals(specs, &idle).join("\n");
    assert_eq!(refused(named(&["adsl", "vdsl"])), "");
    assert_eq!(
        refused(named(&["owt"])),
        "there is no group `owt` (under `groups` there are `adsl` and `vdsl`)"
    );
    assert_eq!(
        refused(named(&["adsl", "adsl"])),
        "group `adsl` is to be started twice"
    );
    let two = [
        made("one", "adsl-2.4", from("hq"), &["shelf1-01", "shelf1-02"]),
        made("two", "adsl-2.4", from("hq"), &["shelf1-0?"]),
    ];
    assert_eq!(
        refused(two.to_vec()),
        "groups `one` and `two` can't run together: both have shelf1-[01-02]"
    );
    let peer = made(
        "one",
        "adsl-2.4",
        SourceSpec::Peer("shelf1-08".into()),
        &["shelf1-08"],
    );
    assert!(refused(vec![peer]).contains("a target of the group too"));
    let type_ = made("one", "adsl-2.4", from("hq"), &["shelf2-03"]);
    assert!(refused(vec![type_]).contains("`shelf2-03` is of type `vdsl`"));
    let none = made("one", "adsl-2.4", from("nowhere"), &["nobody"]);
    assert_eq!(
        refused(vec![none]),
        "group `one`: there is no entity `nobody` (under `entities` there are `shelf1-01`, \
         `shelf1-02`, `shelf1-03` and 10 more)\n\
         group `one`: there is no file server `nowhere` (under `file_servers` there are `hq` and \
         `spare`)"
    );
    let any = made("any", "adsl-2.4", SourceSpec::AnyPeer, &["shelf1-[01-02]"]);
    assert_eq!(refused(vec![any]), "");
    // A peer that another group upgrades, which only force makes one of its targets.
    let reads = made(
        "reads",
        "adsl-2.4",
        SourceSpec::Peer("shelf1-08".into()),
        &["shelf1-01"],
    );
    let writes = made("writes", "adsl-2.4", from("hq"), &["shelf1-08"]);
    assert_eq!(refused(vec![reads.clone(), writes.clone()]), "");
    let mut state = reviewed(vec![reads, writes]);
    state.pages.review.force = true;
    assert_eq!(
        against(&state.pages.review, &state.shared, &idle),
        ["`shelf1-08`, the source of `reads`, is being upgraded in group `writes`"]
    );
    // Beside a group that runs.
    let refused = refusals(named(&["adsl"]), &testing::snapshot());
    assert_eq!(refused, ["group `adsl` runs already"]);
    let other = made("other", "adsl-2.4", from("hq"), &["shelf1-01"]);
    let refused = refusals(vec![other], &testing::snapshot());
    assert_eq!(
        refused,
        ["shelf1-01 is in group `adsl`, which runs; `other` can start when that has ended"]
    );
    // What it is done with is free, what it reads is not written.
    let done = made("other", "adsl-2.4", from("hq"), &["shelf1-02", "shelf1-05"]);
    assert!(refusals(vec![done], &testing::snapshot()).is_empty());
    let mut snapshot = testing::snapshot();
    std::sync::Arc::make_mut(&mut snapshot.groups[0]).source = "peer:shelf2-03".into();
    assert_eq!(
        refusals(named(&["vdsl"]), &snapshot),
        ["shelf2-03 is read by group `adsl`, which runs; `vdsl` can start when that has ended"]
    );
}

/// The figures are those that the manager comes to: it uses the same arithmetic.
#[test]
fn memory_is_shared_with_what_runs() {
    let state = reviewed(named(&["vdsl"]));
    let pool = |snapshot: &Snapshot| {
        current(&state.pages.review, &state.shared, snapshot)
            .plan
            .groups[0]
            .pool
            .unwrap()
            .layout
    };
    assert_eq!(pool(&testing::idle()).bytes(), 2 << 20);
    assert_eq!(pool(&testing::snapshot()).bytes(), 1 << 20);
    let yaml = testing::SITE.replace("memory: 2 MiB", "memory: 128 KiB");
    let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
    open(&mut state, named(&["adsl", "vdsl"]));
    let refusals = against(&state.pages.review, &state.shared, &testing::idle());
    assert!(
        refusals[0].contains("too little for 2 groups"),
        "{refusals:?}"
    );
}

#[test]
fn a_long_review_scrolls_to_its_end_and_no_further() {
    let mut state = reviewed(named(&["adsl", "vdsl"]));
    let idle = testing::idle();
    screen(&mut state, &idle, 60, 16, MONO);
    press(&mut state, &idle, "<PgDn><PgDn><PgDn><PgDn><Down>");
    let end = screen(&mut state, &idle, 60, 16, MONO);
    assert!(
        end.contains("Group vdsl") && !end.contains("more lines below"),
        "{end}"
    );
    let offset = state.pages.review.offset;
    press(&mut state, &idle, "<Down>");
    assert_eq!(state.pages.review.offset, offset);
    press(&mut state, &idle, "<Home>");
    assert_eq!(state.pages.review.offset, 0);
    press(&mut state, &idle, "<Esc>");
    assert_eq!(state.shared.page, Page::Groups);
}

fn probe_check(group: &str, host: &str, problem: Option<&str>) -> ProbeCheck {
    ProbeCheck {
        group: group.into(),
        host: host.into(),
        is_source: host == "hq",
        problem: problem.map(Into::into),
        notes: Vec::new(),
        size: Some(8 << 20),
        probe: None,
        procedure: None,
    }
}

fn probed(checks: Vec<ProbeCheck>, left: usize, ended: bool) -> Event {
    Event::Probed {
        at: "2026-06-01T12:00:00Z".parse().unwrap(),
        checks,
        left,
        ended,
        stopped: ended && left > 0,
    }
}

fn told(state: &mut State, event: Event) {
    let _ = crate::console::update::update(state, &testing::idle(), Action::Engine(event));
}

#[test]
fn hosts_are_looked_at_before_a_start_and_problems_come_first() {
    let idle = testing::idle();
    let mut state = testing::state();
    open(&mut state, named(&["adsl"]));
    let asked = press(&mut state, &idle, "o");
    let groups = named(&["adsl"]);
    let force = false;
    assert_eq!(
        asked,
        [Effect::Send(vec![Command::Probe { groups, force }])]
    );
    // Once is enough.
    assert_eq!(press(&mut state, &idle, "o"), []);
    let written = |host: &str| ProbeCheck {
        probe: Some(Probe {
            written: true,
            free: Some(12 << 20),
            ..Probe::default()
        }),
        ..probe_check("adsl", host, None)
    };
    let checks = vec![
        probe_check("adsl", "hq", None),
        written("shelf1-01"),
        written("shelf1-02"),
    ];
    told(&mut state, probed(checks, 2, false));
    let dead = "connect: no connection to 192.0.2.23:21 within 10 s";
    let checks = vec![probe_check("adsl", "shelf1-03", Some(dead))];
    told(&mut state, probed(checks, 1, false));
    insta::assert_snapshot!(
        "review_online_80x24",
        screen(&mut state, &idle, 80, 24, MONO)
    );
    // Esc stops, and does not leave while there is something to stop.
    assert_eq!(
        press(&mut state, &idle, "<Esc>"),
        [Effect::Send(vec![Command::CancelInspection])]
    );
    told(&mut state, probed(Vec::new(), 1, true));
    let page = screen(&mut state, &idle, 80, 24, MONO);
    assert!(page.contains("1 problem, stopped: 1 not asked"), "{page}");
    assert_eq!(press(&mut state, &idle, "<Esc>"), []);
    assert_eq!(state.shared.page, Page::Groups);
}

#[test]
fn passwords_are_asked_for_before_hosts_are() {
    let idle = testing::idle();
    let spare = made("spare", "adsl-2.4", from("spare"), &["shelf1-[01-03]"]);
    let mut state = reviewed(vec![spare]);
    assert_eq!(press(&mut state, &idle, "o"), []);
    let sent = press(&mut state, &idle, "secret<Enter>");
    let [Effect::Send(commands)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert!(
        matches!(
            commands.as_slice(),
            [Command::Login { .. }, Command::Probe { .. }]
        ),
        "{commands:?}"
    );
}

/// A refusal ends the waiting; what comes for a page that was left changes nothing on the next.
#[test]
fn what_does_not_belong_to_the_page_is_not_shown_on_it() {
    let idle = testing::idle();
    let mut state = testing::state();
    open(&mut state, named(&["adsl"]));
    press(&mut state, &idle, "o");
    let refused = Event::Refused {
        at: "2026-06-01T12:00:00Z".parse().unwrap(),
        reason: "another check is under way".into(),
    };
    told(&mut state, refused);
    assert!(!state.pages.review.online.goes_on);

    press(&mut state, &idle, "o");
    open(&mut state, named(&["vdsl"]));
    let checks = vec![probe_check("adsl", "shelf1-03", Some("refused"))];
    told(&mut state, probed(checks, 1, false));
    let page = screen(&mut state, &idle, 80, 24, MONO);
    assert!(!page.contains("shelf1-03: refused"), "{page}");
    // It can still be stopped there, and then the new page asks for itself.
    assert_eq!(
        press(&mut state, &idle, "<Esc>"),
        [Effect::Send(vec![Command::CancelInspection])]
    );
    told(&mut state, probed(Vec::new(), 1, true));
    assert_eq!(press(&mut state, &idle, "o").len(), 1);
}

#[test]
fn what_entities_hold_is_shown_with_those_that_lack_the_image_first() {
    let idle = testing::idle();
    let mut state = testing::state();
    open(&mut state, named(&["adsl"]));
    let groups = named(&["adsl"]);
    let size_only = false;
    assert_eq!(
        press(&mut state, &idle, "v"),
        [Effect::Send(vec![Command::Verify { groups, size_only }])]
    );
    let check = |entity: &str, holds, cause: Option<&str>| Installed {
        group: "adsl".into(),
        entity: entity.into(),
        holds,
        verified: Verified::Readback,
        size: None,
        cause: cause.map(Into::into),
    };
    let checks = vec![
        check("shelf1-01", Holding::Has, None),
        check("shelf1-02", Holding::Has, None),
        check("shelf1-03", Holding::Missing, Some("prepare: no such file")),
    ];
    let held = Event::Held {
        at: "2026-06-01T12:00:00Z".parse().unwrap(),
        checks,
        left: 0,
        read: 3 << 20,
        ended: true,
        stopped: false,
    };
    told(&mut state, held);
    insta::assert_snapshot!("review_held_80x24", screen(&mut state, &idle, 80, 24, MONO));
}

#[test]
fn an_activation_is_said_in_plain_words_and_asked_about_before_it_starts() {
    let yaml = format!("{}{}", testing::SITE, testing::PROCEDURE);
    let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
    let mut spec = made("mine", "adsl-2.4", from("hq"), &["shelf1-[01-03]"]);
    if let GroupSpec::Made(made) = &mut spec {
        made.policy.extent = Extent::Activate;
    }
    open(&mut state, vec![spec.clone()]);
    let idle = testing::idle();
    insta::assert_snapshot!("activation_80x24", screen(&mut state, &idle, 80, 24, MONO));
    // Neither key starts it; the question does, and only with `y`.
    for keys in ["YY<Enter><Esc>", "<Enter>Y<Enter>n"] {
        assert_eq!(press(&mut state, &idle, keys), [], "{keys}");
        assert_eq!(state.shared.page, Page::Review, "{keys}");
    }
    assert_eq!(press(&mut state, &idle, "Y"), []);
    insta::assert_snapshot!(
        "activation_question_80x24",
        screen(&mut state, &idle, 80, 24, MONO)
    );
    let start = Command::Start {
        groups: vec![spec],
        force: false,
    };
    assert_eq!(press(&mut state, &idle, "y"), [Effect::Send(vec![start])]);
    assert_eq!(state.shared.page, Page::Watch);
}

#[test]
fn what_is_picked_is_upgraded_from_one_page_with_everything_preset() {
    let idle = testing::idle();
    // One entity, all that are like it, all of its type: that is a group of the inventory.
    let mut state = testing::state();
    assert_eq!(press(&mut state, &idle, "U"), []);
    assert_eq!(state.shared.page, Page::Review);
    insta::assert_snapshot!("upgrade_80x24", screen(&mut state, &idle, 80, 24, MONO));
    let started = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Send(commands)] => match commands.as_slice() {
            [
                Command::Start {
                    groups,
                    force: false,
                },
            ] => groups.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let of = |spec: &GroupSpec| match spec {
        GroupSpec::Made(made) => (made.name.clone(), made.entities.len()),
        GroupSpec::Named(name) => (format!("group {name}"), 0),
    };
    for (keys, name, entities) in [
        ("UY", "adsl-2.4", 1),
        ("UtY", "adsl-2.4", 7),
        ("UttY", "group adsl", 0),
        ("UtttY", "adsl-2.4", 1),
        ("/adsl 2.3<Enter>UY", "adsl-2.4", 7),
        ("<Space><Space>UY", "adsl-2.4", 2),
        ("Us<Down><Down><Enter>Y", "adsl-2.4", 1),
    ] {
        let mut state = testing::state();
        let groups = started(press(&mut state, &idle, keys));
        let seen: Vec<_> = groups.iter().map(of).collect();
        assert_eq!(seen, [(name.to_owned(), entities)], "{keys}");
    }
    // Another source was chosen.
    let mut state = testing::state();
    let groups = started(press(&mut state, &idle, "Us<Down><Down><Enter>Y"));
    let GroupSpec::Made(made) = &groups[0] else {
        panic!("{groups:?}")
    };
    assert_eq!(made.source, SourceSpec::AnyPeer);
    // Of two types: a group of each; one type without an image is said, and not touched.
    let mut state = testing::state();
    let groups = started(press(&mut state, &idle, "aUY"));
    assert_eq!(
        groups,
        named(&["adsl"])
            .into_iter()
            .chain([groups[1].clone()])
            .collect::<Vec<_>>()
    );
    assert_eq!(of(&groups[1]), ("vdsl-3.1".into(), 5));
    let mut state = testing::large(3);
    assert_eq!(press(&mut state, &idle, "UY"), []);
    let seen = screen(&mut state, &idle, 80, 24, MONO);
    assert!(seen.contains("no image for type `adsl`"), "{seen}");
}

#[test]
fn a_start_of_many_has_their_number_typed() {
    let yaml = r#"
memory: 8 MiB
file_servers: { hq: { url: "ftp://192.0.2.10/" } }
images: { a: { file: a, type: adsl, version: "2" } }
defaults: { path: /a }
entities: [ { name: "n[1-60]", type: adsl, version: "1", address: "192.0.2.1:[1-60]" } ]
"#;
    let idle = testing::idle();
    let mut state = State::new(testing::site_of(testing::inventory(yaml)));
    assert_eq!(press(&mut state, &idle, "UttY"), []);
    insta::assert_snapshot!("how_many_80x24", screen(&mut state, &idle, 80, 24, MONO));
    // Neither a second press nor another number starts it.
    for keys in ["Y<Enter>", "Y6<Enter>", "Yy<Enter>", "Y<Esc>"] {
        assert_eq!(press(&mut state, &idle, keys), [], "{keys}");
        press(&mut state, &idle, "<Esc>");
        state.shared.page = Page::Review;
    }
    assert_eq!(press(&mut state, &idle, "Y60<Enter>").len(), 1);
}

#[test]
fn a_look_at_what_they_hold_starts_nothing() {
    let idle = testing::idle();
    let mut state = reviewed(named(&["adsl"]));
    let request = Request::Verify(named(&["adsl"]));
    state.shared.request(request);
    press(&mut state, &idle, "<Down>");
    assert_eq!(press(&mut state, &idle, "Y"), []);
    let seen = screen(&mut state, &idle, 80, 24, MONO);
    assert!(seen.contains("Nothing is started here"), "{seen}");
    assert!(!seen.contains("Y start"), "{seen}");
}

#[test]
fn what_the_check_found_is_left_out_of_the_start() {
    let idle = testing::idle();
    let mut state = reviewed(named(&["adsl"]));
    press(&mut state, &idle, "o");
    let check = |host: &str, problem: Option<&str>| ProbeCheck {
        group: "adsl".into(),
        host: host.into(),
        is_source: false,
        problem: problem.map(str::to_owned),
        notes: Vec::new(),
        size: None,
        probe: None,
        procedure: None,
    };
    let probed = Event::Probed {
        at: jiff::Timestamp::UNIX_EPOCH,
        checks: vec![
            check("shelf1-01", Some("login: 530")),
            check("shelf1-02", None),
        ],
        left: 0,
        ended: true,
        stopped: false,
    };
    told(&mut state, probed);
    press(&mut state, &idle, "x");
    let seen = screen(&mut state, &idle, 80, 24, MONO);
    assert!(seen.contains("6: shelf1-[02-07]"), "{seen}");
    let effects = press(&mut state, &idle, "Y");
    let [Effect::Send(commands)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let [Command::Start { groups, .. }] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    let GroupSpec::Made(made) = &groups[0] else {
        panic!("{groups:?}")
    };
    assert!(
        !made.entities.iter().any(|name| name == "shelf1-01"),
        "{made:?}"
    );
}
