//! What is wrong with a file is said whole, and what is printed says the same when it is read.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::console::{Page, SavedFilter};
use crate::terminal::ThemeName;

fn file() -> &'static Path {
    Path::new("config.yaml")
}

fn written(text: &str) -> Written {
    parse(text, file()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Line, column and message of each.
fn wrong(text: &str) -> Vec<String> {
    let errors = match parse(text, file()) {
        Ok(written) => panic!("{text}: {written:?}"),
        Err(errors) => errors,
    };
    (errors.errors().iter())
        .map(|one| format!("{}:{}: {}", one.line, one.column, one.message))
        .collect()
}

fn with(text: &str, given: &Given, variables: &[(&str, &str)]) -> Config {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Config::new(written(text), given, variable).unwrap()
}

fn of(text: &str) -> Config {
    with(text, &Given::default(), &[])
}

const ALL: &str = include_str!("../../docs/config.example.yaml");

#[test]
fn the_example_of_the_docs_is_read_whole() {
    let options = of(ALL).into_options();
    assert_eq!(options.theme, ThemeName::Light);
    assert_eq!(options.settings.zone, TimeZone::UTC);
    assert_eq!(options.settings.start_page, Some(Page::Watch));
    assert_eq!(options.settings.columns, ["site", "shelf"]);
    assert_eq!(options.settings.filters.len(), 2);
    assert_eq!(options.settings.many, 20);
    let cancel = crate::console::named("cancel").unwrap();
    assert_eq!(options.settings.keys.on(Page::Watch, cancel), "F9");
    assert!(options.mouse && !options.notices.bell && options.notices.title);
}

/// What the docs tell of the file, as they show it.
#[test]
fn the_file_in_the_docs_is_read_and_has_every_key() {
    let page = include_str!("../../docs/config.md");
    let block = page.split("```yaml\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let of_docs = of(block).into_options();
    assert_eq!(of_docs.settings.columns, ["site", "shelf"]);
    for line in print(&of(""), &Place::Nowhere).lines() {
        let key = line.split(':').next().unwrap();
        let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !key.is_empty();
        assert!(!is_key || block.contains(&format!("{key}:")), "{key}");
    }
}

#[test]
fn a_file_of_nothing_changes_nothing() {
    for text in [
        "",
        "\n",
        "# theme: light\n",
        "---\n",
        "{}",
        "theme:\nfilters:\ncolumns:\n",
    ] {
        assert_eq!(written(text), Written::default(), "{text:?}");
        assert_eq!(of(text).into_options(), {
            let mut options = crate::console::Options::default();
            options.settings.zone = TimeZone::system();
            options
        });
    }
}

#[test]
fn all_errors_are_told_at_once_with_line_and_column() {
    let text = "\
theem: light
theme: ligth
ascii: yes
slow: [1]
mouse: 1
time: Mars/Base
start_page: review
columns: site
filters:
  \"a\\tb\": x
  ok: [a]
confirm: { count: 0, cuont: 1 }
notices:
  bell: loud
  title: true
  title: false
";
    let wanted = [
        "1:1: unknown key `theem` in the settings",
        "2:8: `theme` can't be `ligth`",
        "3:8: `ascii` can't be `yes`",
        "4:7: `slow` must be text, and this is a list",
        "5:8: `mouse` can't be `1`",
        "6:7: `Mars/Base` is no time zone",
        "7:13: `start_page` can't be `review`",
        "8:10: `columns` must be a list, and this is text",
        "10:3: `a\\u{9}b` can't be the name of a filter",
        "11:7: `ok` must be text, and this is a list",
        "12:19: `count` can't be `0`",
        "12:22: unknown key `cuont` in `confirm`",
        "14:9: `bell` can't be `loud`",
        "16:3: duplicate key `title`",
    ];
    assert_eq!(wrong(text), wanted);
    let shown = parse(text, file()).unwrap_err().to_string();
    for help in [
        "config.yaml:1:1: error: unknown key `theem`",
        "help: did you mean `theme`?",
        "help: did you mean `light`?",
        "help: did you mean `count`?",
        "14 errors in config.yaml",
    ] {
        assert!(shown.contains(help), "{help}: {shown}");
    }
}

#[test]
fn what_is_wrong_with_keys_is_told_where_it_stands() {
    let text = "\
keys:
  golbal: { help: F1 }
  global:
    quit: []
    hepl: F1
    cancel: F1
    redraw: r
  watch: { cancel: p, retry: [x, x], pause: alt-p, sort: [1, 2, 3, 4, 5, 6, 7, 8, 9] }
  review: { begin: U }
  dialogs:
    qestion: { yes: j }
    question: { yes: esc }
    text: { submit: x }
";
    let wanted = [
        "2:3: `golbal` is no place for keys",
        "4:5: `quit` has no key",
        "5:5: `hepl` is no action",
        "6:5: `cancel` is no action of `global`",
        "7:5: r means something where text is typed, so it can't be `redraw`",
        "8:12: p is bound twice on page Watch: to `cancel` and `pause`",
        "8:34: x stands there twice",
        "8:45: `alt-p` is no key",
        "8:83: more than 8 keys for `sort`",
        "9:13: U is both `upgrade` on page Inventory and `begin` on page Review",
        "11:5: `qestion` is no kind of dialog",
        "12:17: Esc can't be `yes`",
        "13:13: x is typed there, so it can't be `submit`",
    ];
    let told = wrong(text);
    for one in wanted {
        assert!(told.iter().any(|told| told == one), "{one}: {told:#?}");
    }
    let shown = parse(text, file()).unwrap_err().to_string();
    for help in [
        "help: did you mean `global`?",
        "help: did you mean `help`?",
        "help: it is one of `watch`",
        "help: did you mean `question`?",
    ] {
        assert!(shown.contains(help), "{help}: {shown}");
    }
    // One that is wrong on all pages is reported once.
    assert_eq!(
        wrong("keys: { global: { help: q } }"),
        ["1:19: q is bound twice on page Overview: to `help` and `quit`"]
    );
}

#[test]
fn keys_are_bound_on_all_pages_and_those_of_one_page_go_first() {
    let text = "keys: { log: { up: w }, global: { up: [F2], help: F1, quit: q } }";
    let keys = of(text).into_options().settings.keys;
    let up = crate::console::named("up").unwrap();
    assert_eq!(keys.on(Page::Log, up), "w");
    assert_eq!(keys.on(Page::Watch, up), "F2");
    // Two actions that change places.
    let swapped = of("keys: { watch: { cancel: p, pause: x } }").into_options();
    let cancel = crate::console::named("cancel").unwrap();
    assert_eq!(swapped.settings.keys.on(Page::Watch, cancel), "p");
}

#[test]
fn what_a_file_can_hold_is_bounded() {
    let many = |count: usize, of: &dyn Fn(usize) -> String| {
        (0..count).map(of).collect::<Vec<_>>().join(", ")
    };
    let columns = |count| format!("columns: [{}]", many(count, &|at| format!("c{at}")));
    assert_eq!(written(&columns(8)).columns.map(|all| all.len()), Some(8));
    assert_eq!(wrong(&columns(9)), ["1:43: more than 8 columns"]);
    let filters = |count| format!("filters: {{ {} }}", many(count, &|at| format!("f{at}: x")));
    assert_eq!(written(&filters(50)).filters.map(|all| all.len()), Some(50));
    assert!(wrong(&filters(51))[0].ends_with("more than 50 filters"));
    let long = "x".repeat(201);
    assert_eq!(
        wrong(&format!("filters: {{ a: {long} }}")),
        ["1:15: `a` is longer than 200 characters"]
    );
    assert_eq!(
        wrong(&format!("filters: {{ {long}: a }}")),
        ["1:12: the name of a filter is longer than 32 characters"]
    );
    assert_eq!(
        wrong("columns: [a, a, \"b\\e\"]"),
        [
            "1:14: the column `a` is there already",
            "1:17: `columns` holds a control character"
        ]
    );
    assert_eq!(
        wrong("confirm: { count: 10001 }"),
        ["1:19: `count` can't be `10001`"]
    );
}

#[test]
fn a_hostile_file_is_refused_in_good_order() {
    for (text, wanted) in [
        ("theme:\n\tlight", "this is not valid YAML"),
        ("theme: light\n---\ntheme: dark", "a second YAML document"),
        ("theme: !light x", "the tag `!light` means nothing here"),
        ("theme: *no", "nothing above is anchored"),
        ("a: &a [*a]", "stands inside"),
        (
            "- theme",
            "the settings must be a mapping, and this is a list",
        ),
        ("light", "the settings must be a mapping, and this is text"),
        ("{ theme: light", "this is not valid YAML"),
        ("? [a]\n: b", "a key must be text"),
        ("theme: \"\\0\"", "`theme` holds a control character"),
    ] {
        let told = wrong(text).join("\n");
        assert!(told.contains(wanted), "{text:?}: {told}");
    }
    // Ten of ten of ten.
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    assert!(wrong(bomb).join("\n").contains("more than 10000 values"));
    // As deep as a file can be.
    for open in ["[", "{a: ", "- "] {
        let deep = open.repeat((KIND.largest as usize) / open.len());
        assert!(parse(&deep, file()).is_err());
    }
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert!(parse(&deep, file()).is_err());
}

#[test]
fn a_file_that_was_named_has_to_be_there_and_not_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let given = Given::default();
    let loaded = |place: &Place| load(place, &given, |_| None).map_err(|error| error.to_string());
    let named = Place::Named(file.clone());
    let error = loaded(&named).unwrap_err();
    assert!(
        error.contains("there is no such file") && error.contains("--config"),
        "{error}"
    );
    let usual = Place::Usual(file.clone());
    assert_eq!(loaded(&usual), Ok(of("")));
    assert_eq!(loaded(&Place::Nowhere), Ok(of("")));
    std::fs::write(&file, "theme: light\n").unwrap();
    assert_eq!(loaded(&usual), Ok(of("theme: light")));
    std::fs::write(&file, "#".repeat(KIND.largest as usize + 1)).unwrap();
    let error = loaded(&usual).unwrap_err();
    assert!(error.contains("larger than 64.0 KiB"), "{error}");
    let error = loaded(&Place::Named(folder.path().to_owned())).unwrap_err();
    assert!(error.contains("this is a folder"), "{error}");
    std::fs::write(&file, b"theme: \xff\n").unwrap();
    let error = loaded(&usual).unwrap_err();
    assert!(error.contains("not UTF-8 text: see line 1"), "{error}");
}

#[test]
fn options_win_over_variables_and_variables_over_the_file() {
    let text = "{ theme: light, time: utc, mouse: true, slow: false }";
    assert_eq!(of(text).theme.value, ThemeName::Light);
    let variables = [
        ("SUBTEND_THEME", "high-contrast"),
        ("SUBTEND_TIME", "Europe/Berlin"),
        ("SUBTEND_MOUSE", "false"),
        ("SUBTEND_START_PAGE", "log"),
        ("SUBTEND_SLOW", ""),
    ];
    let config = with(text, &Given::default(), &variables);
    assert_eq!(config.theme.value, ThemeName::HighContrast);
    assert_eq!(config.time.value.word(), "Europe/Berlin");
    assert!(!config.mouse.value && !config.slow.value);
    assert_eq!(config.start_page.value, Some(Page::Log));
    let given = Given {
        theme: Some((ThemeName::Dark, "--theme")),
        time: Some(Zone::Local),
        mouse: true,
        no_notices: true,
        ..Given::default()
    };
    let config = with(text, &given, &variables);
    assert_eq!(config.theme.value, ThemeName::Dark);
    assert_eq!(config.time.value, Zone::Local);
    assert!(config.mouse.value && !config.notices.title.value);
    // Colours are not drawn then.
    let config = with(text, &given, &[("NO_COLOR", "1")]);
    assert_eq!(config.theme.value, ThemeName::Mono);
    let wrong = Config::new(Written::default(), &given, |name| {
        (name == "SUBTEND_THEME").then(|| "ligth".into())
    });
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "SUBTEND_THEME is wrong: `theme` can't be `ligth` (did you mean `light`?)"
    );
}

#[test]
fn what_is_in_force_is_printed_with_where_it_comes_from() {
    let given = Given {
        mouse: true,
        ..Given::default()
    };
    let config = with("time: utc", &given, &[("SUBTEND_THEME", "light")]);
    let printed = print(
        &config,
        &Place::Usual("/home/noc/.config/subtend/config.yaml".into()),
    );
    for line in [
        "# /home/noc/.config/subtend/config.yaml",
        "theme: light  # from SUBTEND_THEME",
        "time: \"utc\"  # from the file",
        "mouse: true  # from --mouse",
        "slow: false  # default",
        "  count: 50  # default",
    ] {
        assert!(printed.lines().any(|one| one == line), "{line}: {printed}");
    }
    assert!(printed.lines().all(|line| line.len() <= 120), "{printed}");
}

/// The values, wherever they came from.
fn values(config: Config) -> crate::console::Options {
    config.into_options()
}

fn printed_again(config: &Config) -> Config {
    of(&print(config, &Place::Nowhere))
}

#[test]
fn what_is_printed_is_read_as_the_same_settings() {
    for text in [
        ALL,
        "",
        "time: Asia/Kolkata",
        "{ ascii: false, columns: ['true', '1', 'a: #b'] }",
    ] {
        let config = of(text);
        let printed = print(&config, &Place::Nowhere);
        assert_eq!(values(of(&printed)), values(config), "{text}: {printed}");
    }
}

proptest! {
    #[test]
    fn any_settings_are_printed_as_what_is_read_as_them(
        theme in 0..ThemeName::WORDS.len(),
        page in 0..words::START_PAGES.len(),
        flags in proptest::array::uniform6(any::<bool>()),
        columns in proptest::collection::btree_set("[^\\p{C}]{1,64}", 0..8),
        filters in proptest::collection::btree_map("[^\\p{C}\\s]{1,32}", "[^\\p{C}]{1,200}", 0..5),
        many in 1..10_000_usize,
    ) {
        let mut written = Written {
            theme: Some(ThemeName::WORDS[theme].1),
            start_page: Some(words::START_PAGES[page].1),
            many: Some(many),
            columns: Some(columns.into_iter().collect()),
            ..Written::default()
        };
        let filters = filters.into_iter();
        let filters = filters.map(|(name, words)| SavedFilter { name, words });
        written.filters = Some(filters.collect());
        [written.slow, written.mouse, written.title, written.progress, written.bell, written.message] =
            flags.map(Some);
        let config = Config::new(written, &Given::default(), |_| None).unwrap();
        prop_assert_eq!(values(printed_again(&config)), values(config));
    }

    /// What is wrong is said in text that acts on no terminal.
    #[test]
    fn whatever_a_file_holds_what_is_said_of_it_is_harmless(text in "\\PC{0,80}|[a-z:{}\\[\\]\\x00-\\x1f \n-]{0,80}") {
        if let Err(errors) = parse(&text, file()) {
            let shown = errors.to_string().replace('\n', " ");
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
}
