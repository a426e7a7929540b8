//! The inventory page: every action, and how it looks.

use super::*;
use crate::console::dialogs::Dialog;
use crate::console::page::Page;
use crate::console::pages::State;
use crate::console::testing::{self, ASCII, COLOURS, MONO, press, screen};
use crate::model::names::compress;

fn shown(state: &State) -> String {
    names(state, state.shared.picks.shown.iter())
}

fn marked(state: &State) -> String {
    names(state, state.shared.picks.marks.iter())
}

fn names<'a>(state: &State, places: impl Iterator<Item = &'a usize>) -> String {
    let entities = &state.shared.site.inventory.entities;
    let names: Vec<_> = places.map(|at| entities[*at].name.clone()).collect();
    compress(&names).join(" ")
}

fn current(state: &State) -> String {
    let at = state.pages.inventory.current(&state.shared).unwrap();
    state.shared.site.inventory.entities[at].name.to_string()
}

fn after(keys: &str) -> State {
    let mut state = testing::state();
    let effects = press(&mut state, &testing::snapshot(), keys);
    assert_eq!(effects, [], "{keys}");
    state
}

#[test]
fn the_filter_works_while_it_is_typed_and_stays_until_escape() {
    let mut state = after("/type:vdsl ver");
    assert_eq!(shown(&state), "");
    let snapshot = testing::snapshot();
    press(&mut state, &snapshot, "<Ctrl-W>!version:3.1");
    assert_eq!(shown(&state), "shelf2-[03-05]");
    assert!(state.pages.inventory.typing);
    // Keys that mean something on the page are only letters now; arrows still move.
    press(&mut state, &snapshot, "<Down>");
    assert_eq!(current(&state), "shelf2-04");
    press(&mut state, &snapshot, "<Enter>");
    assert!(!state.pages.inventory.typing);
    assert_eq!(shown(&state), "shelf2-[03-05]");
    press(&mut state, &snapshot, "2");
    assert_eq!(state.shared.page, Page::Groups);
    press(&mut state, &snapshot, "1");
    assert_eq!(
        shown(&state),
        "shelf2-[03-05]",
        "it is there after a look elsewhere"
    );
    press(&mut state, &snapshot, "<Esc>");
    assert_eq!(shown(&state), "shelf1-[01-08] shelf2-[01-05]");
    assert_eq!(
        current(&state),
        "shelf2-04",
        "the cursor stays where it was"
    );
}

#[test]
fn an_address_names_its_protocol_unless_it_is_ftp() {
    let yaml = "memory: 8 MiB\ndefaults: { path: /flash/image.bin }\nentities:\n  \
                - { name: e1, type: olt, version: \"1\", address: 192.0.2.1 }\n  \
                - { name: e2, type: olt, version: \"1\", address: \"sftp://192.0.2.2:24022\" }\n  \
                - { name: e3, type: olt, version: \"1\", address: \"tftp://192.0.2.3\", staging: direct }\n  \
                - { name: e4, type: olt, version: \"1\", address: \"ftps+implicit://[2001:db8::4]\" }\n";
    let mut state = State::new(testing::site_of(testing::inventory(yaml)));
    let wide = screen(&mut state, &testing::idle(), 80, 24, MONO);
    for shown in [
        " 192.0.2.1:21",
        "sftp://192.0.2.2:24022",
        "tftp://192.0.2.3:69",
        "ftps+implicit://[2001:…",
    ] {
        assert!(wide.contains(shown), "{shown} in {wide}");
    }
    insta::assert_snapshot!("addresses_80x24", wide);
}

#[test]
fn escape_while_typing_clears_the_filter() {
    let state = after("/shelf2<Esc>");
    assert!(!state.pages.inventory.typing && !state.pages.inventory.has_filter(&state.shared));
    assert_eq!(state.shared.picks.shown.len(), 13);
}

#[test]
fn groups_and_states_are_filtered_too() {
    assert_eq!(shown(&after("/state:failed")), "shelf1-05");
    assert_eq!(shown(&after("/group:vdsl")), "shelf2-[03-05]");
    assert_eq!(shown(&after("/group:none")), "shelf2-[01-02]");
    assert_eq!(
        shown(&after("/!state:none !group:vdsl site=north state:r")),
        "shelf1-06"
    );
}

#[test]
fn the_order_follows_any_column_both_ways() {
    let first = |keys: &str| {
        let state = after(keys);
        let at = state.shared.picks.shown[0];
        state.shared.site.inventory.entities[at].name.to_string()
    };
    assert_eq!(first(""), "shelf1-01");
    assert_eq!(first("R"), "shelf2-05");
    assert_eq!(after("s").pages.inventory.sort, Column::Type);
    assert_eq!(first("sR"), "shelf2-05");
    assert_eq!(after("ss").pages.inventory.sort, Column::Version);
    assert_eq!(first("ss"), "shelf2-03", "1.8");
    assert_eq!(first("sss"), "shelf1-01", "192.0.2.21");
    assert_eq!(after("ssss").pages.inventory.sort, Column::Group);
    assert_eq!(first("ssssR"), "shelf2-02", "those without a group");
    assert_eq!(after("sssss").pages.inventory.sort, Column::State);
    assert_eq!(first("sssss"), "shelf1-05", "what has failed");
    assert_eq!(after("ssssss").pages.inventory.sort, Column::Name);
    // A new column begins in its own order.
    assert!(!after("Rs").pages.inventory.reverse);
}

#[test]
fn the_cursor_stays_on_its_entity_when_the_order_changes() {
    let state = after("<Down><Down>R");
    assert_eq!(current(&state), "shelf1-03");
}

#[test]
fn states_are_sorted_anew_when_the_operator_comes_back() {
    let mut state = after("sssss");
    let mut snapshot = testing::snapshot();
    let mut group = (*snapshot.groups[0]).clone();
    group.entities[6].state = EntityState::Failed;
    snapshot.groups = vec![group.into()];
    press(&mut state, &snapshot, "21");
    assert_eq!(
        names(&state, state.shared.picks.shown[..2].iter()),
        "shelf1-05 shelf1-07"
    );
}

#[test]
fn entities_are_marked_one_by_one_by_range_all_inverted_and_none() {
    assert_eq!(marked(&after("<Space><Space>")), "shelf1-[01-02]");
    assert_eq!(marked(&after("<Space><Up><Insert>")), "");
    assert_eq!(
        marked(&after("<Down><Space><Down><Down>v")),
        "shelf1-[02-05]"
    );
    assert_eq!(
        marked(&after("G<Space><Up><Up>v")),
        "shelf2-[03-05]",
        "upwards too"
    );
    assert_eq!(marked(&after("vjjv")), "shelf1-[01-03]", "from the first v");
    assert_eq!(marked(&after("/shelf2<Enter>a")), "shelf2-[01-05]");
    assert_eq!(
        marked(&after("/shelf2<Enter><Space>*")),
        "shelf2-[02-05]",
        "only what is shown"
    );
    assert_eq!(marked(&after("au")), "");
    // Marks outlive the filter that they were made in.
    let mut state = after("/shelf2-01<Enter>a<Esc>/shelf1-01<Enter>a");
    assert_eq!(marked(&state), "shelf1-01 shelf2-01");
    let screen = screen(&mut state, &testing::idle(), 80, 24, MONO);
    assert!(
        screen.contains("2 marked (1 not shown)   1 shown   13 in all"),
        "{screen}"
    );
}

#[test]
fn a_range_in_another_order_is_what_lies_between_on_the_screen() {
    // Sorted by version: 1.8 (shelf2-03…05), 2.3 (shelf1-01…07), …
    let state = after("ssg<Space><Down><Down><Down>v");
    assert_eq!(marked(&state), "shelf1-[01-02] shelf2-[03-05]");
}

#[test]
fn details_tell_everything_of_an_entity() {
    let state = after("/shelf1-05<Enter><Enter>");
    let Some(Dialog::Reading { title, lines, .. }) = state.shared.dialog() else {
        panic!("no details");
    };
    assert_eq!(title, "shelf1-05");
    insta::assert_snapshot!(lines.join("\n"));
}

/// What is asked for beyond the defaults is shown, and only then.
#[test]
fn details_tell_how_an_entity_is_written() {
    let shown = |setting: &str| {
        let yaml = testing::SITE.replacen("defaults:\n", &format!("defaults:\n  {setting}\n"), 1);
        let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
        press(&mut state, &testing::idle(), "/shelf1-05<Enter><Enter>");
        let Some(Dialog::Reading { lines, .. }) = state.shared.dialog() else {
            panic!("no details");
        };
        let words: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.split_whitespace())
            .collect();
        words.join(" ")
    };
    let named = shown("staging_name: \"{stem}.new\"");
    assert!(named.contains("staging name {stem}.new"), "{named}");
    assert!(!named.contains("deleted"), "{named}");
    for plain in [shown("staging_name: auto"), shown("staging: direct")] {
        assert!(!plain.contains("staging name"), "{plain}");
    }
    let aside = "that is moved aside first";
    let allowed = shown("delete_first: true");
    assert!(
        allowed.contains(&format!("{aside}, or deleted where it can't be moved")),
        "{allowed}"
    );
    assert!(!shown("staging: direct").contains(aside));
}

#[test]
fn a_click_moves_the_cursor() {
    let mut state = testing::state();
    let snapshot = testing::idle();
    let click = |state: &mut State, row| {
        crate::console::update::update(state, &snapshot, Action::Click { row, column: 5 });
    };
    click(&mut state, 5);
    assert_eq!(current(&state), "shelf1-04");
    click(&mut state, 1);
    click(&mut state, 22);
    assert_eq!(current(&state), "shelf1-04", "not a row of the table");
    press(&mut state, &snapshot, "/shelf2<Enter>");
    click(&mut state, 4);
    assert_eq!(current(&state), "shelf2-02", "below the filter");
}

#[test]
fn thousands_of_entities_are_filtered_sorted_and_drawn_by_the_screenful() {
    let mut state = testing::large(5000);
    let snapshot = testing::idle();
    press(&mut state, &snapshot, "G");
    assert_eq!(current(&state), "n5000");
    press(&mut state, &snapshot, "<PgUp>");
    assert_eq!(current(&state), "n4982", "a page less one row");
    let last = screen(&mut state, &snapshot, 80, 24, ASCII);
    assert!(last.contains("n5000") && last.contains("n4982") && !last.contains("n4981"));
    press(&mut state, &snapshot, "/n49[1-2]?<Enter>a");
    assert_eq!(state.shared.picks.marks.len(), 20);
}

#[test]
fn the_page_at_80_by_24() {
    let mut state = after("<Space><Space>/shelf1<Enter>sssss");
    insta::assert_snapshot!(screen(&mut state, &testing::snapshot(), 80, 24, MONO));
}

#[test]
fn the_page_at_80_by_24_in_ascii_while_a_filter_is_typed() {
    let mut state = after("R/");
    insta::assert_snapshot!(screen(&mut state, &testing::snapshot(), 80, 24, ASCII));
}

#[test]
fn the_page_at_120_by_40() {
    let mut state = testing::state();
    insta::assert_snapshot!(screen(&mut state, &testing::snapshot(), 120, 40, COLOURS));
}

#[test]
fn the_page_at_60_by_16() {
    let mut state = after("/!site=south<Enter>G");
    insta::assert_snapshot!(screen(&mut state, &testing::snapshot(), 60, 16, MONO));
}

#[test]
fn the_page_when_nothing_matches() {
    let mut state = after("/nothing<Enter>");
    let screen = screen(&mut state, &testing::snapshot(), 80, 24, ASCII);
    assert!(screen.contains("no entity matches the filter; Esc clears it"));
    assert!(screen.is_ascii());
    // Nothing is under the cursor: these do nothing.
    press(&mut state, &testing::snapshot(), "<Space>v<Enter>a*");
    assert!(state.shared.picks.marks.is_empty() && state.shared.dialogs.is_empty());
}

/// The console with settings that a file has given.
fn with(settings: crate::console::Settings) -> State {
    State::with(testing::site(), settings)
}

#[test]
fn labels_have_columns_of_their_own_as_long_as_there_is_room() {
    let columns = |names: &[&str]| {
        let columns = names.iter().map(|name| (*name).to_owned()).collect();
        with(crate::console::Settings {
            columns,
            ..Default::default()
        })
    };
    let drawn = |state: &mut State, width| screen(state, &testing::idle(), width, 24, MONO);
    let head = |text: &str| text.lines().nth(1).unwrap().to_owned();
    let mut state = columns(&["site"]);
    let text = drawn(&mut state, 120);
    assert!(head(&text).contains("State          site   Note"), "{text}");
    let line = text
        .lines()
        .find(|line| line.contains("shelf1-01"))
        .unwrap();
    assert!(
        line.trim_end().ends_with("north"),
        "what has a column is no note: {line}"
    );
    // A label that nobody has, and a name that acts on no terminal.
    let mut state = columns(&["no\u{1b}such", "site"]);
    let text = drawn(&mut state, 160);
    assert!(head(&text).contains("no\\u{1b}such  site"), "{text}");
    // Where there is no room there are none, and the table is what it is without.
    let mut none = columns(&[]);
    let many = ["a-label-that-is-long", "site", "b", "c", "d", "e", "f", "g"];
    for width in [60, 66, 72, 80] {
        let text = drawn(&mut columns(&many), width);
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= usize::from(width))
        );
        let cells = |text: &str| {
            text.lines()
                .take(10)
                .map(|line| line.chars().take(50).collect())
                .collect::<Vec<String>>()
        };
        assert_eq!(cells(&text), cells(&drawn(&mut none, width)), "{width}");
    }
}

#[test]
fn a_filter_with_a_name_is_chosen_from_a_list() {
    let filter = |name: &str, words: &str| crate::console::SavedFilter {
        name: name.into(),
        words: words.into(),
    };
    let snapshot = testing::idle();
    let mut state = with(crate::console::Settings {
        filters: vec![
            filter("north", "site=north"),
            filter("old", "type:vdsl version:1.8"),
        ],
        ..Default::default()
    });
    press(&mut state, &snapshot, "F");
    let text = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(
        text.contains("north  site=north") && text.contains("old    type:vdsl"),
        "{text}"
    );
    press(&mut state, &snapshot, "<Down><Enter>");
    assert_eq!(shown(&state), "shelf2-[03-05]");
    assert!(!state.pages.inventory.typing);
    press(&mut state, &snapshot, "F<Enter>");
    assert_eq!(shown(&state), "shelf1-[01-08]");
    press(&mut state, &snapshot, "<Esc>");
    assert_eq!(shown(&state), "shelf1-[01-08] shelf2-[01-05]");
    // By its command too; without one it is said where they come from.
    press(&mut state, &snapshot, ":filters<Enter>");
    assert!(state.shared.dialog().is_some());
    let mut state = testing::state();
    press(&mut state, &snapshot, "F");
    let said = state.shared.message.as_ref().map(|said| said.text.clone());
    assert!(said.is_some_and(|said| said.contains("subtend config")));
    assert!(state.shared.dialog().is_none());
}
