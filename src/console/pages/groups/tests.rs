//! The groups page: every action, its dialogs, and how it looks.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::console::pages::State;
use crate::console::state::Site;
use crate::console::testing::{self, ASCII, COLOURS, MONO, press, screen};
use crate::console::update::update as act;
use crate::model::campaign::{Campaign, Offline, Wave, Window};
use crate::model::names::compress;
use crate::model::{
    DeliveryPolicy, Extent, Flaw, ImageSpec, Laggards, Limits, MadeGroup, SourceSpec,
};
use crate::plan::ResolvedDraft;
use crate::protocol::{Command, Entry, Event, GroupSpec, Listing, PeerCheck};
use jiff::Timestamp;

/// The page after these keys, and what was asked of the world outside. The cursor is on `adsl`.
fn after(keys: &str) -> (State, Vec<Effect>) {
    let mut state = testing::state();
    let effects = press(&mut state, &testing::idle(), keys);
    (state, effects)
}

fn more(state: &mut State, keys: &str) -> Vec<Effect> {
    press(state, &testing::idle(), keys)
}

/// Name, entities, image and source of the groups made here.
fn made_here(state: &State) -> Vec<[String; 4]> {
    let groups = state
        .shared
        .resolved
        .groups
        .iter()
        .zip(&state.shared.drafts);
    let inventory = &state.shared.site.inventory;
    groups
        .filter(|(_, draft)| !draft.from_inventory)
        .map(|(group, _)| {
            let image = group.image.known().map(|image| image.name.to_string());
            [
                group.name.clone(),
                members::folded(inventory, &group.members),
                image.unwrap_or_default(),
                group.source_label(),
            ]
        })
        .collect()
}

fn said(state: &State) -> &str {
    state
        .shared
        .message
        .as_ref()
        .map_or("", |message| &message.text)
}

fn title(state: &State) -> &str {
    match state.shared.dialog() {
        Some(
            Dialog::Confirm { title, .. }
            | Dialog::Text { title, .. }
            | Dialog::List { title, .. }
            | Dialog::Reading { title, .. },
        ) => title,
        _ => "",
    }
}

fn rows(state: &State) -> Vec<String> {
    match state.shared.dialog() {
        Some(Dialog::List { rows, .. }) => rows
            .iter()
            .map(|row| format!("{} | {}", row.label, row.detail))
            .collect(),
        other => panic!("no list but {other:?}"),
    }
}

/// The specs of the last effect, which kept them.
fn kept(effects: &[Effect]) -> &[GroupSpec] {
    match effects.last() {
        Some(Effect::Keep(specs)) => specs,
        other => panic!("nothing was kept: {other:?}"),
    }
}

fn made_of(spec: &GroupSpec) -> &MadeGroup {
    match spec {
        GroupSpec::Made(made) => made,
        GroupSpec::Named(name) => panic!("{name} was not made here"),
    }
}

/// `new`: shelf1-01 and 02, without an image and a source.
const NEW: &str = "<Space><Space>n<Ctrl-U>new<Enter>";

#[test]
fn a_group_is_made_of_the_marked_entities() {
    let (state, effects) = after("<Space><Down><Space>n");
    assert_eq!(title(&state), "Name of the new group");
    assert_eq!(effects, []);
    let (state, effects) = after("<Space><Down><Space>n<Enter>");
    assert_eq!(
        made_here(&state),
        [["adsl-2.3", "shelf1-01, shelf1-03", "", ""]]
    );
    assert_eq!(state.shared.page, Page::Groups);
    assert_eq!(
        state.pages.groups.current(&state.shared),
        Some(2),
        "the cursor is on it"
    );
    assert!(state.shared.picks.marks.is_empty());
    assert_eq!(
        kept(&effects),
        [GroupSpec::Made(MadeGroup {
            name: "adsl-2.3".into(),
            image: ImageSpec::Named(String::new()),
            source: SourceSpec::FileServer(String::new()),
            then: Vec::new(),
            entities: vec!["shelf1-01".into(), "shelf1-03".into()],
            policy: DeliveryPolicy::default(),
            campaign: Box::default(),
        })]
    );
}

#[test]
fn without_marks_a_group_is_made_of_what_the_filter_shows() {
    let (state, _) = after("/shelf2<Enter>n<Ctrl-U>south<Enter>");
    assert_eq!(made_here(&state)[0][..2], ["south", "shelf2-[01-05]"]);
    let (state, _) = after("/nothing<Enter>n");
    assert!(state.shared.dialogs.is_empty());
    assert!(said(&state).contains("nothing to make a group of"));
}

#[test]
fn a_name_that_can_not_be_is_asked_for_again_with_the_reason() {
    for (name, reason) in [
        ("adsl", "there is a group `adsl` already"),
        ("", "it is empty"),
        ("a,b", "`a,b` can't be a name: `,` has a meaning"),
        ("a ", "it begins or ends with a space"),
    ] {
        let (mut state, effects) = after(&format!("<Space>n<Ctrl-U>{name}<Enter>"));
        assert_eq!(effects, []);
        assert!(said(&state).contains(reason), "{name}: {}", said(&state));
        let effects = more(&mut state, "<Ctrl-U>good<Enter>");
        assert_eq!(kept(&effects).len(), 1);
        assert_eq!(made_here(&state)[0][1], "shelf1-01", "nothing was lost");
    }
    let (state, effects) = after("<Space>n<Esc>");
    assert!(
        effects.is_empty()
            && state.shared.dialogs.is_empty()
            && state.shared.picks.marks.len() == 1
    );
}

#[test]
fn groups_are_made_by_type_by_version_and_by_both() {
    let groups = |keys: &str| -> Vec<[String; 2]> {
        let (state, effects) = after(keys);
        assert_eq!(kept(&effects).len(), made_here(&state).len());
        assert_eq!(
            state.pages.groups.current(&state.shared),
            Some(2),
            "on the first of them"
        );
        let made = made_here(&state).into_iter();
        made.map(|[name, entities, ..]| [name, entities]).collect()
    };
    let (state, _) = after("A");
    assert_eq!(
        rows(&state),
        [
            "by type | 2 groups: adsl, vdsl",
            "by version | 4 groups: 1.8, 2.3, 2.4, 3.1",
            "by type and version | 4 groups: adsl-2.3, adsl-2.4, vdsl-1.8, vdsl-3.1",
        ]
    );
    // The inventory has groups of these names.
    assert_eq!(
        groups("A<Enter>"),
        [["adsl_2", "shelf1-[01-08]"], ["vdsl_2", "shelf2-[01-05]"]]
    );
    assert_eq!(
        groups("/shelf1<Enter>A<Down><Enter>"),
        [["2.3", "shelf1-[01-07]"], ["2.4", "shelf1-08"]]
    );
    assert_eq!(
        groups("g<Space>G<Space>A<End><Enter>"),
        [["adsl-2.3", "shelf1-01"], ["vdsl-1.8", "shelf2-05"]],
        "of the marked ones alone"
    );
}

#[test]
fn members_are_added_and_removed() {
    let (mut state, _) = after(NEW);
    assert_eq!(more(&mut state, "+"), []);
    assert!(said(&state).contains("mark entities first"));
    let effects = more(&mut state, "1g<Space><Down><Down><Space>2+");
    assert_eq!(said(&state), "1 entity added to new", "shelf1-01 was in it");
    assert_eq!(made_here(&state)[0][1], "shelf1-[01-02], shelf1-04");
    assert_eq!(kept(&effects).len(), 1);
    let effects = more(&mut state, "1g<Space><Space>2-");
    assert_eq!(said(&state), "2 entities taken out of new");
    assert_eq!(made_here(&state)[0][1], "shelf1-04");
    assert_eq!(kept(&effects).len(), 1);
    assert_eq!(more(&mut state, "1g<Space>2-"), []);
    assert_eq!(said(&state), "none of the marked entities is in new");
}

#[test]
fn groups_are_renamed_and_deleted_after_a_question() {
    let (mut state, _) = after(NEW);
    more(&mut state, "N<Ctrl-U>adsl<Enter>");
    assert!(said(&state).contains("already"));
    let effects = more(&mut state, "<Ctrl-U>other<Enter>");
    assert_eq!(made_here(&state)[0][0], "other");
    assert_eq!(kept(&effects)[0].name(), "other");
    more(&mut state, "D");
    assert_eq!(title(&state), "Delete the group other?");
    assert_eq!(more(&mut state, "n"), []);
    assert_eq!(made_here(&state).len(), 1);
    let effects = more(&mut state, "Dy");
    assert_eq!(kept(&effects), []);
    assert_eq!(
        state.pages.groups.current(&state.shared),
        Some(1),
        "the cursor is on what is left"
    );
    more(&mut state, "D");
    assert!(said(&state).contains("vdsl is of the inventory"));
    assert_eq!(
        (state.shared.dialogs.len(), state.shared.drafts.len()),
        (0, 2)
    );
}

#[test]
fn what_is_selected_stays_so_when_another_group_is_deleted() {
    let (mut state, _) = after("A<Enter>G<Space>");
    assert_eq!(state.pages.groups.selected, BTreeSet::from([3]));
    more(&mut state, "<Up>Dy");
    assert_eq!(state.shared.resolved.groups[2].name, "vdsl_2");
    assert_eq!(state.pages.groups.selected, BTreeSet::from([2]));
    more(&mut state, "<Esc>");
    assert!(state.pages.groups.selected.is_empty());
}

#[test]
fn a_group_of_the_inventory_is_changed_in_a_copy_only() {
    let (mut state, effects) = after("2N");
    assert_eq!(title(&state), "Change a copy of adsl?");
    assert_eq!(effects, []);
    more(&mut state, "n");
    assert_eq!(state.shared.drafts.len(), 2);
    // vdsl, with all that it says.
    more(&mut state, "<Down>Ny<Ctrl-U>mine<Enter>");
    let made = made_of(&state.shared.drafts[2].spec);
    assert_eq!(made.image, ImageSpec::Named("vdsl-3.1".into()));
    assert_eq!(made.source, SourceSpec::AnyPeer);
    let policy = made.policy;
    assert_eq!(
        (policy.laggards, policy.parallel),
        (Laggards::Wait, Some(2))
    );
    assert_eq!(policy.limits.retries, 3);
    assert_eq!(
        made_here(&state),
        [["mine", "shelf2-[03-05]", "vdsl-3.1", "peer:any"]]
    );
    assert_eq!(
        state.shared.drafts[1].spec,
        GroupSpec::Named("vdsl".into()),
        "the group itself is as it was"
    );
    // What was to be done is done to the copy at once.
    let (state, effects) = after("<Space>2+y");
    assert_eq!(said(&state), "0 entities added to adsl-copy");
    assert_eq!(kept(&effects).len(), 1);
    // The copy is kept before the engine is asked anything.
    let (state, effects) = after("2oy");
    assert_eq!(kept(&effects).len(), 1);
    assert_eq!(
        (state.shared.dialogs.len(), made_here(&state).len()),
        (0, 1)
    );
}

#[test]
fn the_image_is_one_for_the_types_of_the_group() {
    let (mut state, _) = after(NEW);
    more(&mut state, "i");
    assert_eq!(title(&state), "Image of new, for type adsl");
    assert_eq!(
        rows(&state),
        [
            "adsl-2.4 | adsl 2.4, 8.0 MiB, SHA-256 known",
            "another file on a file server... | looks there",
        ]
    );
    let effects = more(&mut state, "<Enter>");
    assert_eq!(made_here(&state)[0][2], "adsl-2.4");
    let made = made_of(&kept(&effects)[0]);
    assert_eq!(made.image, ImageSpec::Named("adsl-2.4".into()));
    // A group of both types may get either, and says what is wrong with it.
    let (mut state, _) = after("n<Ctrl-U>all<Enter>i");
    assert_eq!(rows(&state).len(), 3);
    more(&mut state, "<Enter>");
    assert!(state.pages.groups.conflicts[2].iter().any(|one| matches!(
        one,
        Conflict::Flaw(Flaw::WrongType { entities, .. })
            if compress(entities) == ["shelf2-[01-05]"]
    )));
}

fn directory(state: &mut State, path: &str, listing: Result<Vec<(&str, Option<u64>)>, &str>) {
    let listing = listing.map_err(str::to_owned).map(|entries| Listing {
        entries: entries
            .into_iter()
            .map(|(name, size)| Entry {
                name: name.into(),
                is_directory: size.is_none(),
                size,
            })
            .collect(),
    });
    let event = Event::Directory {
        at: Timestamp::UNIX_EPOCH,
        server: "spare".into(),
        path: path.into(),
        listing,
    };
    act(state, &testing::idle(), Action::Engine(event));
}

fn browse(path: &str) -> Effect {
    Effect::Send(vec![Command::Browse {
        server: "spare".into(),
        path: path.into(),
    }])
}

#[test]
fn a_file_server_is_looked_at_and_a_file_there_is_described() {
    let (mut state, _) = after(NEW);
    assert_eq!(more(&mut state, "i<End><Enter>"), []);
    assert_eq!(
        rows(&state),
        [
            "hq | ftp://192.0.2.10:21/images",
            "spare | ftp://192.0.2.11:21/images"
        ]
    );
    assert_eq!(more(&mut state, "<End><Enter>"), [browse("")]);
    assert_eq!(title(&state), "spare: /");
    assert_eq!(rows(&state), ["loading... | "]);
    directory(&mut state, "elsewhere", Ok(vec![("x", None)]));
    assert_eq!(rows(&state), ["loading... | "], "another directory");
    let entries = vec![("v10.bin", Some(1)), ("v9.bin", Some(2048)), ("old", None)];
    directory(&mut state, "", Ok(entries));
    assert_eq!(
        rows(&state),
        ["old/ | ", "v9.bin | 2.0 KiB", "v10.bin | 1 B"]
    );
    // Down, up, and down again.
    assert_eq!(more(&mut state, "<Enter>"), [browse("old")]);
    assert_eq!(rows(&state), [".. | up", "loading... | "]);
    assert_eq!(more(&mut state, "<Enter>"), [browse("")]);
    assert_eq!(rows(&state).len(), 3, "what is known is shown meanwhile");
    assert_eq!(more(&mut state, "<Enter>"), [browse("old")]);
    directory(&mut state, "old", Err("550 no"));
    assert_eq!(rows(&state), [".. | up", "550 no | Enter asks again"]);
    assert_eq!(more(&mut state, "<End><Enter>"), [browse("old")]);
    assert_eq!(rows(&state), [".. | up", "loading... | "]);
    directory(&mut state, "old", Ok(vec![("adsl-2.5.bin", Some(4096))]));
    // Its type and its version.
    assert_eq!(more(&mut state, "<End><Enter>"), []);
    assert_eq!(
        title(&state),
        "Type of the entities that old/adsl-2.5.bin is for"
    );
    assert_eq!(more(&mut state, "<Enter>"), []);
    assert_eq!(title(&state), "Version of old/adsl-2.5.bin");
    let effects = more(&mut state, "<Enter>");
    let made = made_of(&kept(&effects)[0]);
    assert_eq!(
        made.image,
        ImageSpec::Described {
            name: "adsl-2.5".into(),
            file: "old/adsl-2.5.bin".into(),
            type_: "adsl".into(),
            version: "2.5".into(),
            size: Some(4096),
        }
    );
    assert_eq!(made.source, SourceSpec::FileServer("spare".into()));
    // Other groups can get it too.
    more(&mut state, "1g<Space>n<Ctrl-U>second<Enter>i");
    assert_eq!(
        rows(&state)[1],
        "adsl-2.5 | adsl 2.5, 4.0 KiB, described here"
    );
    more(&mut state, "<Down><Enter>");
    assert_eq!(made_here(&state)[1][2], "adsl-2.5");
}

#[test]
fn names_that_a_server_sends_are_shown_and_never_act_on_the_terminal() {
    let (mut state, _) = after(NEW);
    more(&mut state, "i<End><Enter><End><Enter>");
    directory(&mut state, "", Ok(vec![("a\u{1b}[2J", None)]));
    let list = screen(&mut state, &testing::idle(), 80, 24, MONO);
    more(&mut state, "<Enter>");
    assert_eq!(title(&state), "spare: /a\\u{1b}[2J");
    directory(&mut state, "a\u{1b}[2J", Ok(vec![("b\u{1b}c", Some(1))]));
    more(&mut state, "<End><Enter>");
    let type_ = screen(&mut state, &testing::idle(), 80, 24, MONO);
    for screen in [list, type_] {
        assert!(
            !screen.contains('\u{1b}') && screen.contains("\\u{1b}"),
            "{screen}"
        );
    }
}

#[test]
fn a_file_of_a_name_that_is_taken_gets_another_and_an_empty_answer_is_asked_again() {
    let (mut state, _) = after(NEW);
    more(&mut state, "i<End><Enter><End><Enter>");
    directory(&mut state, "", Ok(vec![("adsl-2.4.bin", Some(1))]));
    more(&mut state, "<Enter><Ctrl-U><Enter>");
    assert!(said(&state).contains("type"));
    more(&mut state, "<Enter><Ctrl-U><Enter>");
    assert!(said(&state).contains("version"));
    more(&mut state, "<Ctrl-U>2.4b<Enter>");
    assert_eq!(made_here(&state)[0][2], "adsl-2.4.bin");
}

#[test]
fn the_source_is_a_file_server_or_a_peer_that_is_asked_whether_it_has_the_image() {
    let (mut state, _) = after(NEW);
    assert_eq!(more(&mut state, "oa"), [], "there is nothing to ask for");
    assert!(said(&state).contains("choose one first (i)"));
    let effects = more(&mut state, "<Esc>i<Enter>o");
    let asks = |effect: &Effect| matches!(effect, Effect::Send(_));
    assert!(!effects.iter().any(asks), "nobody is logged in to unasked");
    assert_eq!(
        rows(&state)[..5],
        [
            "hq | file server ftp://192.0.2.10:21/images",
            "spare | file server ftp://192.0.2.11:21/images",
            "any peer that has it | 1 by the inventory, not checked",
            "peer:shelf1-08 | 2.4: not checked",
            "peer:shelf1-01 | 2.3, a target: not checked",
        ]
    );
    assert_eq!(
        rows(&state).len(),
        3 + 8,
        "peers of the other type can't have it"
    );
    let image = ImageSpec::Named("adsl-2.4".into());
    let asked = Effect::Send(vec![Command::AskPeers { image }]);
    assert_eq!(more(&mut state, "a"), std::slice::from_ref(&asked));
    assert_eq!(
        rows(&state)[2],
        "any peer that has it | they are being asked (Esc stops)"
    );
    let stopped = Effect::Send(vec![Command::CancelInspection]);
    assert_eq!(more(&mut state, "<Esc>"), [stopped]);
    assert_eq!(
        rows(&state)[2],
        "any peer that has it | 1 by the inventory, not checked"
    );
    // Answers come while the list is open; the cursor stays.
    assert_eq!(more(&mut state, "<Down><Down><Down>a"), [asked]);
    let check = |name: &str, file: Result<Option<u64>, &str>, has_it| PeerCheck {
        entity: name.into(),
        file: file.map_err(str::to_owned),
        has_it,
    };
    let peers = vec![
        check("shelf1-08", Ok(Some(8 << 20)), true),
        check("shelf1-03", Ok(Some(3 << 20)), false),
        check("shelf1-04", Err("550 no such file"), false),
    ];
    let event = Event::Peers {
        at: Timestamp::UNIX_EPOCH,
        image: "adsl-2.4".into(),
        peers,
    };
    act(&mut state, &testing::idle(), Action::Engine(event));
    assert_eq!(
        rows(&state)[2..8],
        [
            "any peer that has it | 1 have it, 3 checked",
            "peer:shelf1-08 | 2.4: has it, 8.0 MiB",
            "peer:shelf1-01 | 2.3, a target: not checked",
            "peer:shelf1-02 | 2.3, a target: not checked",
            "peer:shelf1-03 | 2.3: has another file, 3.0 MiB",
            "peer:shelf1-04 | 2.3: 550 no such file",
        ]
    );
    more(&mut state, "<Enter>");
    assert_eq!(made_here(&state)[0][3], "peer:shelf1-08");
    more(&mut state, "o<Enter>");
    assert_eq!(made_here(&state)[0][3], "hq");
    let effects = more(&mut state, "o<Down><Down><Enter>");
    assert_eq!(made_of(&kept(&effects)[0]).source, SourceSpec::AnyPeer);
}

#[test]
fn laggards_and_how_many_at_a_time_are_set() {
    let (mut state, _) = after(NEW);
    more(&mut state, "L<Down><Enter>P3x<Enter>");
    assert!(said(&state).contains("`3x` is not a number"));
    let effects = more(&mut state, "<Ctrl-U>3<Enter>");
    let policy = made_of(&kept(&effects)[0]).policy;
    assert_eq!(
        (policy.laggards, policy.parallel),
        (Laggards::Wait, Some(3))
    );
    more(&mut state, "P<Ctrl-U><Enter>");
    assert_eq!(state.shared.resolved.groups[2].policy.parallel, None);
}

#[test]
fn limits_are_set_and_those_without_sense_are_asked_for_again() {
    let (mut state, _) = after(NEW);
    // Whoever chooses what has a limit is asked for it; what was chosen counts already.
    more(&mut state, "L<End><Enter>");
    assert_eq!(title(&state), "Laggard limit of new");
    assert_eq!(
        state.shared.resolved.groups[2].policy.laggards,
        Laggards::Drop
    );
    assert_eq!(more(&mut state, "<Ctrl-U>2h<Enter>"), []);
    assert!(said(&state).contains("longer than an hour"));
    more(&mut state, "<Ctrl-U>500ms<Enter>");
    more(&mut state, "T<Ctrl-U>x 5m<Enter>");
    assert!(said(&state).contains("`x` is not a number of retries"));
    let effects = more(&mut state, "<Ctrl-U>3 90s<Enter>");
    let limits = |effects: &[Effect]| made_of(&kept(effects)[0]).policy.limits;
    let expected = Limits {
        laggard: Duration::from_millis(500),
        retries: 3,
        retry_for: Duration::from_secs(90),
    };
    assert_eq!(limits(&effects), expected);
    assert!(state.shared.dialogs.is_empty());
    // What is offered is what there is, and without a time that stays.
    assert_eq!(limits(&more(&mut state, "T<Enter>")), expected);
    let never = limits(&more(&mut state, "T<Ctrl-U>0<Enter>"));
    assert_eq!((never.retries, never.retry_for), (0, expected.retry_for));
}

#[test]
fn only_what_is_complete_goes_to_the_review() {
    let names = |state: &State| -> Result<Vec<String>, String> {
        let specs = chosen(&state.pages.groups, &state.shared).map_err(|why| why.to_string())?;
        Ok(specs.iter().map(|spec| spec.name().to_owned()).collect())
    };
    let (mut state, _) = after(NEW);
    assert_eq!(
        names(&state),
        Err("new: no image yet: i chooses one".into())
    );
    more(&mut state, "S");
    assert_eq!(state.shared.page, Page::Groups);
    more(&mut state, "i<Enter>S");
    assert_eq!(said(&state), "new: no source yet: o chooses one");
    more(&mut state, "o<Enter>");
    assert_eq!(
        names(&state),
        Ok(vec!["new".into()]),
        "the one under the cursor"
    );
    // What is selected counts, wherever the cursor is; the inventory's go by their names.
    more(&mut state, "gj<Space>");
    assert_eq!(
        chosen(&state.pages.groups, &state.shared),
        Ok(vec![GroupSpec::Named("vdsl".into())])
    );
    more(&mut state, "G<Space>");
    assert_eq!(names(&state), Ok(vec!["vdsl".into(), "new".into()]));
    more(&mut state, "g<Space>S");
    assert_eq!(
        said(&state),
        "adsl: shelf1-[01-02] in group new too: the two can't run together"
    );
    more(&mut state, "g<Space>");
    assert_eq!(more(&mut state, "S"), []);
    assert_eq!(state.shared.page, Page::Review);
}

#[test]
fn groups_made_earlier_are_there_again() {
    let (state, effects) = after(&format!("{NEW}i<Enter>o<Enter>"));
    let site = Site {
        kept: kept(&effects).to_vec(),
        ..testing::site()
    };
    let again = State::new(site);
    assert_eq!(made_here(&again), made_here(&state));
    assert_eq!(again.shared.drafts, state.shared.drafts);
}

/// What is shown as YAML is what the inventory takes, and means the same there.
#[test]
fn the_yaml_is_read_by_the_inventory_as_the_same_groups() {
    // Two groups that are complete, one with a described image, and one without an image.
    let (mut state, _) = after(&format!("{NEW}i<Enter>o<Down><Down><Enter>LG<Enter>"));
    more(&mut state, "<Ctrl-U>2500ms<Enter>T<Ctrl-U>3 90s<Enter>");
    more(&mut state, "1/shelf1-0[5-6]<Enter>n<Ctrl-U>no<Enter>");
    more(&mut state, "i<End><Enter><End><Enter>");
    directory(&mut state, "", Ok(vec![("a b: \"c\".bin", Some(4096))]));
    more(&mut state, "<Enter><Enter>9.0<Enter>P7<Enter>");
    more(
        &mut state,
        "1/<Ctrl-U>shelf1-07<Enter>n<Ctrl-U>later<Enter>",
    );
    more(&mut state, "y");
    let Some(Dialog::Reading { lines, file, .. }) = state.shared.dialog() else {
        panic!("no YAML");
    };
    assert_eq!(file.as_deref(), Some("groups.yaml"));
    let yaml = lines.join("\n");
    insta::assert_snapshot!(yaml);

    // The inventory without its groups, which share entities with these.
    let (before, _) = testing::SITE.split_once("groups:").unwrap();
    let (images, groups) = yaml.split_once("groups:").unwrap();
    let images = images.strip_prefix("images:\n").unwrap();
    let before = before.replace("images:\n", &format!("images:\n{images}"));
    let inventory = testing::inventory(&format!("{before}\ngroups:{groups}\n"));
    let pasted = State::new(testing::site_of(inventory));
    let facts = |groups: &[ResolvedDraft]| -> Vec<_> {
        let complete = groups.iter().filter(|one| one.image.known().is_some());
        complete
            .map(|group| {
                (
                    group.name.clone(),
                    group.members.clone(),
                    group.image.clone(),
                    group.source_label(),
                    group.policy,
                )
            })
            .collect()
    };
    assert_eq!(
        facts(&pasted.shared.resolved.groups),
        facts(&state.shared.resolved.groups[2..])
    );
    assert_eq!(pasted.shared.resolved.groups.len(), 2);
    // `w` writes it.
    assert_eq!(
        more(&mut state, "w"),
        [Effect::Write {
            file: "groups.yaml".into(),
            text: yaml + "\n"
        }]
    );
}

#[test]
fn activation_and_campaign_are_kept_in_the_yaml() {
    let yaml = format!("{}{}", testing::SITE, testing::PROCEDURE);
    let mut site = testing::site_of(testing::inventory(&yaml));
    let campaign = Campaign {
        waves: vec![Wave::Count(1), Wave::Rest],
        window: Some(Window::read("mon-fri 01:00-05:00 Europe/Berlin").unwrap()),
        window_is_for_activation: true,
        offline: Offline::read("wait 14d").unwrap(),
        ..Campaign::default()
    };
    let mut spec = GroupSpec::of(&site.inventory.groups[0]);
    if let GroupSpec::Made(made) = &mut spec {
        made.name = "tonight".into();
        made.image = ImageSpec::Named("adsl-2.4".into());
        made.policy.extent = Extent::Upgrade;
        *made.campaign = campaign.clone();
    }
    site.kept = vec![spec];
    let mut state = State::new(site);
    more(&mut state, "2y");
    let Some(Dialog::Reading { lines, .. }) = state.shared.dialog() else {
        panic!("no YAML");
    };
    let (before, _) = yaml.split_once("groups:").unwrap();
    let pasted = format!("{before}\n{}{}", lines.join("\n"), testing::PROCEDURE);
    let group = &testing::inventory(&pasted).groups[0];
    assert_eq!((&*group.name, group.extent), ("tonight", Extent::Upgrade));
    assert_eq!(*group.campaign, campaign);
}

/// On the Groups page, with the cursor on `adsl`, whose type has a procedure.
fn with_procedure() -> State {
    let yaml = format!("{}{}", testing::SITE, testing::PROCEDURE);
    let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
    more(&mut state, "2");
    state
}

#[test]
fn how_far_a_group_goes_is_chosen_where_its_devices_can_be_made_to_run_the_image() {
    let mut state = with_procedure();
    more(&mut state, "Ey");
    assert_eq!(title(&state), "How far adsl-copy goes");
    let effects = more(&mut state, "<Down><Enter>");
    assert_eq!(
        made_of(&kept(&effects)[0]).policy.extent,
        Extent::Upgrade,
        "of the copy"
    );
    let shown = screen(&mut state, &testing::idle(), 80, 24, MONO);
    assert!(shown.contains("activate"), "{shown}");
    assert!(
        shown.contains("now: they are made to run the image"),
        "{shown}"
    );
    // Enter alone keeps what it is.
    let effects = more(&mut state, "E<Enter>");
    assert_eq!(made_of(&kept(&effects)[0]).policy.extent, Extent::Upgrade);
    let effects = more(&mut state, "E<Up><Enter>");
    assert_eq!(made_of(&kept(&effects)[0]).policy.extent, Extent::Deliver);

    let (mut state, _) = after("2<Down>Ey");
    assert!(
        said(&state).contains("no procedure says how devices of type `vdsl` are made to run"),
        "{}",
        said(&state)
    );
    assert!(state.shared.dialogs.is_empty());
    assert_eq!(more(&mut state, "a"), []);
    assert!(said(&state).contains("no procedure"));
}

#[test]
fn those_that_hold_the_image_go_to_the_review_of_their_activation() {
    let reviewed = |state: &State| {
        let specs = &state.pages.review.specs;
        specs
            .iter()
            .map(|spec| made_of(spec).clone())
            .collect::<Vec<_>>()
    };
    // Nothing is known of them yet: the engine asks its journal.
    let mut state = with_procedure();
    assert_eq!(more(&mut state, "a"), [], "nothing starts");
    let [made] = &reviewed(&state)[..] else {
        panic!("no review");
    };
    assert_eq!(
        (made.policy.extent, made.entities.len()),
        (Extent::Activate, 8)
    );
    assert_eq!(state.shared.page, Page::Review);

    // A run tells who holds it.
    let mut snapshot = testing::snapshot();
    std::sync::Arc::make_mut(&mut snapshot.groups[0]).phase =
        crate::protocol::GroupPhase::Ended(crate::model::Outcome::Partial);
    let mut state = with_procedure();
    assert_eq!(press(&mut state, &snapshot, "a"), []);
    let made = reviewed(&state).remove(0);
    assert_eq!(made.entities, ["shelf1-02", "shelf1-08"]);
    assert_eq!(
        (made.name.as_str(), made.image.name()),
        ("adsl", "adsl-2.4")
    );
}

#[test]
fn without_groups_made_here_there_is_no_yaml() {
    let (state, _) = after("2y");
    assert!(state.shared.dialogs.is_empty() && said(&state).contains("no group was made here"));
}

#[test]
fn an_inventory_without_groups_says_how_to_make_one() {
    let mut state = testing::large(3);
    let screen = screen(&mut state, &testing::idle(), 80, 24, MONO);
    assert!(!screen.contains("There is no group yet."));
    let effects = more(&mut state, "2SD-+iox");
    assert_eq!(effects, []);
    let screen = self::screen(&mut state, &testing::idle(), 80, 24, MONO);
    assert!(screen.contains("There is no group yet."), "{screen}");
}

#[test]
fn an_entity_in_two_groups_is_seen_at_once_on_both() {
    let (state, _) = after(&format!("{NEW}i<Enter>o<Enter>"));
    let words = |at: usize| -> Vec<String> {
        let found = state.pages.groups.conflicts[at].iter();
        found
            .map(|one| one.words(&crate::console::Keymap::default()))
            .collect()
    };
    assert_eq!(
        words(0),
        ["shelf1-[01-02] in group new too: the two can't run together"]
    );
    assert_eq!(
        words(2),
        ["shelf1-[01-02] in group adsl too: the two can't run together"]
    );
    assert_eq!(
        state.shared.resolved.names_of(0).collect::<Vec<_>>(),
        ["adsl", "new"]
    );
}

#[test]
fn the_page_at_80_by_24() {
    let (mut state, _) = after(&format!("{NEW}i<Enter><Space>"));
    insta::assert_snapshot!(screen(&mut state, &testing::idle(), 80, 24, MONO));
}

#[test]
fn the_page_at_80_by_24_in_ascii_while_a_group_runs() {
    let (mut state, _) = after("2");
    let screen = screen(&mut state, &testing::snapshot(), 80, 24, ASCII);
    assert!(screen.is_ascii());
    insta::assert_snapshot!(screen);
}

#[test]
fn the_page_at_120_by_40() {
    let (mut state, _) = after(&format!("A<Enter>{NEW}i<Enter>"));
    insta::assert_snapshot!(screen(&mut state, &testing::snapshot(), 120, 40, COLOURS));
}

#[test]
fn the_page_at_60_by_16() {
    let (mut state, _) = after("A<End><Enter>");
    insta::assert_snapshot!(screen(&mut state, &testing::snapshot(), 60, 16, MONO));
}

#[test]
fn the_sources_at_80_by_24() {
    let (mut state, _) = after(&format!("{NEW}i<Enter>o<Down>"));
    insta::assert_snapshot!(screen(&mut state, &testing::idle(), 80, 24, MONO));
}

#[test]
fn details_of_a_large_group_can_be_read_to_their_end() {
    let mut site = testing::site();
    let mut inventory = (*site.inventory).clone();
    // Names that do not fold.
    let template = inventory.entities[0].clone();
    inventory.entities = (0..300)
        .map(|at| {
            let mut entity = (*template).clone();
            entity.name = format!("card-{}-x{}", at * 7, at * 3).into();
            Arc::new(entity)
        })
        .collect();
    inventory.groups.clear();
    site.inventory = Arc::new(inventory);
    let mut state = State::new(site);
    more(&mut state, "n<Ctrl-U>all<Enter>");
    let page = screen(&mut state, &testing::idle(), 80, 24, MONO);
    assert!(page.contains("more lines: Enter shows all"), "{page}");
    more(&mut state, "<Enter>G");
    let page = screen(&mut state, &testing::idle(), 80, 24, MONO);
    assert!(page.contains("card-2093-x897"), "the last one: {page}");
}

/// With two Enters an image of another type, or an older one, went to a whole group.
#[test]
fn a_file_of_another_type_is_refused_and_a_lower_version_asked_about() {
    let found = |file: &str| {
        let (mut state, _) = after(NEW);
        more(&mut state, "i<End><Enter><End><Enter>");
        directory(&mut state, "", Ok(vec![(file, Some(4096))]));
        more(&mut state, "<End><Enter>");
        state
    };
    // The inventory knows it.
    let mut state = found("vdsl-3.1.bin");
    assert_eq!(more(&mut state, "<Enter>"), []);
    assert!(
        said(&state).contains("is for type `vdsl`"),
        "{}",
        said(&state)
    );
    assert_eq!(made_here(&state)[0][2], "");
    // Its name says so, and its version is higher than what they have: asked about all the same.
    let mut state = found("vdsl-9.bin");
    assert_eq!(more(&mut state, "<Enter>9<Enter>"), []);
    assert_eq!(title(&state), "Is vdsl-9.bin meant?");
    assert_eq!(more(&mut state, "<Enter>n"), []);
    assert_eq!(made_here(&state)[0][2], "");
    // Lower than what runs.
    let mut state = found("adsl-1.9.bin");
    assert_eq!(more(&mut state, "<Enter><Enter>"), []);
    let shown = screen(&mut state, &testing::idle(), 80, 24, MONO);
    assert!(
        shown.contains("1.9 is lower than what entities have: 2.3."),
        "{shown}"
    );
    assert!(!more(&mut state, "y").is_empty());
    assert_eq!(made_here(&state)[0][2], "adsl-1.9");
}
