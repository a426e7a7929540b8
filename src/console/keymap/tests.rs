//! The table holds together, and keys that are bound anew keep what must hold.

use proptest::prelude::*;

use super::*;
use crate::console::testing::{MONO, idle, press, screen, state};

fn scopes() -> Vec<Scope> {
    let pages = Page::ALL.into_iter().chain([Page::History]);
    let pages = pages.map(Scope::Page);
    let kinds = [
        Kind::Confirm,
        Kind::Sheet,
        Kind::Text,
        Kind::Command,
        Kind::List,
        Kind::Ticks,
        Kind::Reading,
        Kind::Find,
    ];
    pages.chain(kinds.map(Scope::Dialog)).collect()
}

#[test]
fn every_name_in_the_table_is_a_key() {
    for binding in KEYS {
        let names = binding.keys.split(' ');
        for name in names.chain(binding.hidden.split_whitespace()) {
            let key = Key::written(name).unwrap();
            assert_eq!(key.to_string(), name);
            assert_eq!(Key::of(&key.event()), Some(key));
        }
    }
}

/// Two rows for one key in one place: the second could never be reached.
#[test]
fn no_key_is_bound_twice_in_one_place() {
    for scope in scopes() {
        let keymap = Keymap::default();
        let keys: Vec<Key> = keymap
            .rows(scope)
            .flat_map(|row| row.keys.clone())
            .collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key:?} twice in {scope:?}");
        }
    }
}

#[test]
fn escape_and_control_c_never_do_work() {
    let harmless = [Action::Back, Action::No, Action::Quit];
    for scope in scopes() {
        for event in [
            KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
            KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
        ] {
            let meant = Keymap::default().action(&event, scope).unwrap();
            assert!(
                harmless.contains(&meant),
                "{event:?} means {meant:?} in {scope:?}"
            );
        }
    }
}

#[test]
fn redrawing_and_suspending_work_wherever_one_is() {
    for scope in scopes().into_iter().chain([Scope::Typing]) {
        for (key, wanted) in [('l', Action::Redraw), ('z', Action::Suspend)] {
            let event = KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
            assert_eq!(
                Keymap::default().action(&event, scope),
                Some(wanted),
                "{scope:?}"
            );
        }
    }
}

#[test]
fn the_status_line_fits_and_tells_how_to_get_help_and_out() {
    for page in Page::ALL.into_iter().chain([Page::History]) {
        let line = Keymap::default().hints(Scope::Page(page), 80, &Hints::default());
        assert!(
            line.len() <= 80 && line.contains("? help") && line.contains("q quit"),
            "{line}"
        );
    }
    let watch = Scope::Page(Page::Watch);
    assert!(Keymap::default().hints(watch, 20, &Hints::default()).len() <= 20);
    let wanted = Hints {
        first: vec![(Action::Activate, "activate"), (Action::Pause, "go on")],
        without: vec![Action::Cancel],
    };
    let line = Keymap::default().hints(watch, 80, &wanted);
    assert!(line.starts_with("a activate  p go on  r retry"), "{line}");
    assert!(
        !line.contains("pause") && !line.contains("cancel"),
        "{line}"
    );
}

#[test]
fn every_action_of_the_table_has_a_name_of_its_own() {
    let mut names: Vec<(&str, &Action)> = Vec::new();
    for binding in KEYS {
        let name = names::name_of(&binding.action);
        assert!(!name.is_empty(), "{:?}", binding.action);
        let is_kebab = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(name.chars().all(is_kebab), "{name}");
        assert_eq!(named(name), Some(&binding.action));
        let other = names.iter().find(|(known, _)| *known == name);
        assert!(
            other.is_none_or(|(_, action)| **action == binding.action),
            "{name}"
        );
        names.push((name, &binding.action));
    }
    // Every command by name is one of the table.
    for (name, action) in commands() {
        assert!(names.iter().any(|(_, one)| *one == action), "{name}");
    }
}

#[test]
fn keys_are_written_as_people_write_them() {
    for (written, shown) in [
        ("x", "x"),
        ("X", "X"),
        ("ctrl-u", "Ctrl-U"),
        ("CTRL-U", "Ctrl-U"),
        ("f5", "F5"),
        ("F12", "F12"),
        ("shift-tab", "Shift-Tab"),
        ("space", "Space"),
        ("pgup", "PgUp"),
        ("ESC", "Esc"),
        ("é", "é"),
        ("#", "#"),
    ] {
        assert_eq!(Key::written(written).unwrap().to_string(), shown);
    }
    for (written, wanted) in [
        ("", "`` is no key"),
        (" ", "`` is no key"),
        ("f0", "`f0` is no key"),
        ("F13", "`F13` is no key"),
        ("alt-x", "`alt-x` is no key"),
        ("ctrl-", "`ctrl-` is no key"),
        ("ctrl-1", "`ctrl-1` is no key"),
        ("ctrl-m", "`ctrl-m` can't be told from another key"),
        ("xx", "`xx` is no key"),
    ] {
        assert_eq!(Key::written(written).unwrap_err().message, wanted);
    }
}

/// All places that keys can be bound in, with the actions there.
fn bindable() -> Vec<(Context, &'static str)> {
    let contexts = Context::pages().chain(Context::dialogs());
    let all = contexts.flat_map(|(_, context)| {
        let bound = Keymap::default().bound(context).into_iter();
        bound.map(move |(name, ..)| (context, name))
    });
    all.collect()
}

fn scopes_of(context: Context) -> Vec<Scope> {
    match context {
        Context::Global => scopes()
            .into_iter()
            .filter(|scope| matches!(scope, Scope::Page(_)))
            .collect(),
        Context::Page(page) => vec![Scope::Page(page)],
        Context::Dialog(kind) => vec![Scope::Dialog(kind)],
    }
}

#[test]
fn every_action_can_be_bound_anew_and_the_help_shows_the_new_key() {
    let all = bindable();
    assert!(all.len() > 120, "{}", all.len());
    let key = Key::written("F9").unwrap();
    for (context, name) in all {
        let mut keymap = Keymap::default();
        let places = keymap.places(context, name);
        keymap.bind(&places, &[key]);
        assert_eq!(keymap.faults(), [], "{context:?} {name}");
        let wanted = named(name).unwrap();
        for scope in scopes_of(context) {
            let meant = keymap.action(&key.event(), scope);
            assert_eq!(meant.as_ref(), Some(wanted), "{scope:?} {name}");
            assert_eq!(keymap.key(scope, wanted), "F9", "{scope:?} {name}");
            let rows: Vec<&Row> = keymap
                .rows(scope)
                .filter(|row| row.action() == wanted)
                .collect();
            assert!(
                rows.iter().any(|row| row.label().starts_with("F9")),
                "{name}"
            );
            // The keys that it had do nothing of the kind, but for the one that always leaves.
            let before = Keymap::default();
            for old in before.rows(scope).filter(|row| row.action() == wanted) {
                for old in old.keys.iter().filter(|old| **old != Key::CANCEL) {
                    assert_ne!(keymap.action(&old.event(), scope).as_ref(), Some(wanted));
                }
            }
        }
    }
}

#[test]
fn hints_help_commands_and_messages_name_the_new_key() {
    let mut state = state();
    let rebind = |keymap: &mut Keymap, context, name: &str, key: &str| {
        let places = keymap.places(context, name);
        assert!(!places.is_empty(), "{name}");
        keymap.bind(&places, &[Key::written(key).unwrap()]);
    };
    let keys = &mut state.shared.settings.keys;
    rebind(keys, Context::Page(Page::Inventory), "upgrade", "F4");
    rebind(keys, Context::Page(Page::Groups), "start", "F6");
    rebind(keys, Context::Page(Page::Review), "begin", "ctrl-g");
    rebind(keys, Context::Global, "groups", "F2");
    rebind(keys, Context::Global, "help", "F1");
    rebind(keys, Context::Global, "quit", "Q");
    rebind(keys, Context::Dialog(Kind::Reading), "back", "F8");
    assert_eq!(keys.faults(), []);
    let drawn = |state: &mut _| screen(state, &idle(), 80, 24, MONO);
    let text = drawn(&mut state);
    for wanted in ["F4 upgrade", "F1 help", "Q quit", "F2 Groups"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(
        !text.contains("U upgrade") && !text.contains("Inventory 2"),
        "{text}"
    );
    press(&mut state, &idle(), "0");
    let text = drawn(&mut state);
    assert!(text.contains("there F4 upgrades what is picked"), "{text}");
    assert!(
        text.contains("F2 shows the groups: there F6 reviews them, and Ctrl-G starts"),
        "{text}"
    );
    press(&mut state, &idle(), "?");
    assert!(state.shared.dialogs.is_empty(), "the old key is none");
    press(&mut state, &idle(), ":");
    assert!(
        drawn(&mut state).contains("groups          F2"),
        "{}",
        drawn(&mut state)
    );
}

#[test]
fn what_must_not_be_is_told() {
    for (context, name, key, wanted) in [
        (
            Context::Page(Page::Watch),
            "cancel",
            "p",
            "p is bound twice on page Watch: to `cancel` and `pause`",
        ),
        (
            Context::Global,
            "quit",
            "s",
            "s is bound twice on page Inventory: to `sort` and `quit`",
        ),
        (
            Context::Page(Page::Review),
            "begin",
            "S",
            "S is bound twice on page Review: to `begin` and `start`",
        ),
        (
            Context::Page(Page::Review),
            "begin",
            "U",
            "U is both `upgrade` on page Inventory and `begin` on page Review",
        ),
        (
            Context::Page(Page::Inventory),
            "upgrade",
            "Y",
            "Y is both `upgrade` on page Inventory and `begin` on page Review",
        ),
        (
            Context::Page(Page::Groups),
            "start",
            "Y",
            "Y is both `start` on page Groups and `begin` on page Review",
        ),
        (
            Context::Page(Page::Watch),
            "activate",
            "Y",
            "Y is both `activate` on page Watch and `begin` on page Review",
        ),
        (
            Context::Page(Page::Review),
            "begin",
            "esc",
            "Esc can't be `begin`",
        ),
        (
            Context::Page(Page::Review),
            "begin",
            "ctrl-c",
            "Ctrl-C can't be `begin`",
        ),
        (
            Context::Dialog(Kind::Confirm),
            "yes",
            "esc",
            "Esc can't be `yes`",
        ),
        (
            Context::Dialog(Kind::Text),
            "submit",
            "x",
            "x is typed there, so it can't be `submit`",
        ),
        (
            Context::Dialog(Kind::Find),
            "down",
            "space",
            "Space is typed there, so it can't be `down`",
        ),
        (
            Context::Global,
            "redraw",
            "r",
            "r means something where text is typed, so it can't be `redraw`",
        ),
        (
            Context::Global,
            "suspend",
            "ctrl-u",
            "Ctrl-U means something where text is typed, so it can't be `suspend`",
        ),
        (
            Context::Dialog(Kind::List),
            "up",
            "ctrl-l",
            "Ctrl-L is bound twice in a list: to `redraw` and `up`",
        ),
    ] {
        let mut keymap = Keymap::default();
        let places = keymap.places(context, name);
        keymap.bind(&places, &[Key::written(key).unwrap()]);
        let told: Vec<String> = keymap
            .faults()
            .into_iter()
            .map(|fault| fault.message)
            .collect();
        assert!(
            told.iter().any(|one| one == wanted),
            "{name} {key}: {told:?}"
        );
    }
    assert_eq!(Keymap::default().faults(), []);
}

#[test]
fn the_way_out_keeps_ctrl_c() {
    let mut keymap = Keymap::default();
    let places = keymap.places(Context::Global, "quit");
    keymap.bind(&places, &[Key::written("F10").unwrap()]);
    for page in Page::EVERY {
        for key in [Key::CANCEL, Key::written("F10").unwrap()] {
            let meant = keymap.action(&key.event(), Scope::Page(page));
            assert_eq!(meant, Some(Action::Quit));
        }
    }
    assert!(keymap.is_way_out(&places));
    assert_eq!(keymap.key(Scope::Page(Page::Log), &Action::Quit), "F10");
}

fn any_key() -> impl Strategy<Value = Key> {
    let named = [
        "space", "enter", "esc", "tab", "up", "home", "f1", "F7", "ctrl-c", "ctrl-t", "ctrl-l",
    ];
    prop_oneof![
        proptest::char::range('!', '~').prop_map(|c| Key::written(&c.to_string()).unwrap()),
        proptest::sample::select(named.to_vec()).prop_map(|name| Key::written(name).unwrap()),
    ]
}

proptest! {
    /// With any keys for any actions: where no fault is reported, no key does two things anywhere.
    #[test]
    fn without_a_fault_no_key_does_two_things(
        bound in proptest::collection::vec((any::<proptest::sample::Index>(), any_key()), 0..4),
    ) {
        let all = bindable();
        let mut keymap = Keymap::default();
        for (which, key) in bound {
            let (context, name) = all[which.index(all.len())];
            let places = keymap.places(context, name);
            keymap.bind(&places, &[key]);
        }
        let mut doubles = 0;
        for scope in scopes() {
            let rows: Vec<&Row> = keymap.rows(scope).chain(keymap.always()).collect();
            for (at, row) in rows.iter().enumerate() {
                let others = rows[..at].iter().filter(|other| other.action() != row.action());
                doubles += others.filter(|other| row.keys.iter().any(|key| other.is(*key))).count();
            }
        }
        let faults = keymap.faults();
        prop_assert!(doubles == 0 || !faults.is_empty());
        if faults.is_empty() {
            for scope in scopes() {
                // The way out is always there.
                let meant = keymap.action(&Key::CANCEL.event(), scope);
                prop_assert!(matches!(meant, Some(Action::Back | Action::No | Action::Quit)));
                if let Some(meant) = keymap.action(&Key::ESCAPE.event(), scope) {
                    prop_assert!(matches!(meant, Action::Back | Action::No | Action::Quit));
                }
            }
        }
    }
}
