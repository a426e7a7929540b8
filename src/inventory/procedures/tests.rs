//! What is read from `types` and `procedures`, and what is said of what can't be.

mod fetch;
mod http;

use std::path::Path;
use std::time::Duration;

use crate::inventory::parse;
use crate::model::procedure::{Deed, Part, Procedure, ReactionText, Versions, Way};
use crate::model::{Extent, HostTrust, Inventory};

const SITE: &str = r#"
credentials:
  craft: { user: craft, password: { env: CRAFT } }
  enable: { user: enable, password: { env: ENABLE } }
  bare: { user: bare }
  web: { token: { env: WEB } }
  noc: { user: noc, agent: true }
file_servers: { hq: { url: "ftp://192.0.2.10" } }
images: { adsl-2.4: { file: a.bin, type: adsl, version: "2.4" } }
defaults: { path: /flash/image.bin, labels: { bank: A }, known_hosts: hosts }
"#;

const PROCEDURE: &str = r#"
types: { adsl: { procedure: card, versions: dotted } }
procedures:
  card:
    session: { ssh: 2222, credentials: craft }
    before:
      - { send: "show version", expect: 'Version (?<version>\S+)', safe: true, within: 5s }
      - { get: /flash/startup.cfg, to: "backup/{entity}-{run}.cfg" }
    deliver: push
    activate:
      - send: "boot system {path}"
        expect: OK
        within: 2m
        answers: [ { to: '\[y/n\]', with: "" }, { to: "Password:", password: enable } ]
      - { site: "RESET {label.bank}" }
      - { exec: [./tools/reload.sh, "{address}", ""], within: 1m }
      - { restart: true, back: 20m }
    check: [ { send: "show version", expect: '(?<model>\S+) (?<version>\S+)', is: "{version}" } ]
    undo: [ { send: "boot system {previous}" } ]
"#;

const ENTITIES: &str = r#"
entities:
  - { name: "s1-[1-2]", type: adsl, version: "2.3", address: "192.0.2.[21-22]", credentials: craft }
groups: { adsl: { select: { type: adsl }, image: adsl-2.4, source: { file_server: hq }, activate: now } }
"#;

fn read(parts: &[&str]) -> Inventory {
    let text = parts.concat();
    let read = parse(&text, Path::new("/site/inventory.yaml"));
    read.unwrap_or_else(|errors| panic!("{errors}"))
}

/// Messages, and what is to be done.
fn told(parts: &[&str]) -> Vec<String> {
    let text = parts.concat();
    let errors = parse(&text, Path::new("/site/inventory.yaml")).expect_err(&text);
    let told = errors.errors().iter().inspect(|one| {
        assert!(
            one.line > 0 && one.column > 0 && !one.help.is_empty(),
            "{one:?}"
        );
    });
    told.map(|one| format!("{}:{} {} ({})", one.line, one.column, one.message, one.help))
        .collect()
}

fn card(inventory: &Inventory) -> &Procedure {
    inventory.procedure("adsl").unwrap()
}

#[test]
fn a_procedure_is_read_with_all_its_steps_and_what_holds_where_nothing_is_said() {
    let inventory = read(&[SITE, PROCEDURE, ENTITIES]);
    let procedure = card(&inventory);
    assert_eq!(inventory.types[0].versions, Versions::Dotted);
    let words = |part| {
        let steps = procedure.part(part).iter();
        steps
            .map(|step| step.deed.word())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(words(Part::Before), "send get");
    assert_eq!(words(Part::Activate), "send site exec restart");
    assert_eq!(
        (words(Part::Check), words(Part::Undo)),
        ("send".into(), "send".into())
    );

    let session = procedure.session.as_ref().unwrap();
    assert_eq!((session.way, session.port), (Way::Ssh, 2222));
    assert_eq!(session.credentials.as_deref(), Some("craft"));
    assert!(
        matches!(session.ssh.trust, HostTrust::KnownHosts(_)),
        "as in `defaults`"
    );

    let seconds = procedure.steps().map(|(_, step)| step.within.as_secs());
    assert_eq!(
        seconds.collect::<Vec<_>>(),
        [5, 30, 120, 30, 60, 1320, 30, 30]
    );
    assert_eq!(procedure.steps().filter(|(_, step)| step.safe).count(), 1);
    let check = procedure.check[0].expect.as_ref().unwrap();
    let (group, wanted) = check.is.as_ref().unwrap();
    assert_eq!((&**group, wanted.as_str()), ("version", "{version}"));

    let Deed::Send { answers, .. } = &procedure.activate[0].deed else {
        panic!("{procedure:?}")
    };
    assert!(matches!(&answers[0].with, ReactionText::Line(line) if line.as_str().is_empty()));
    assert!(matches!(&answers[1].with, ReactionText::Password(name) if &**name == "enable"));
    let Deed::Exec(words) = &procedure.activate[2].deed else {
        panic!("{procedure:?}")
    };
    let words: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
    assert_eq!(words, ["/site/tools/reload.sh", "{address}", ""]);
    let Deed::Restart { down, back } = procedure.activate[3].deed else {
        panic!("{procedure:?}")
    };
    assert_eq!(
        (down, back),
        (Duration::from_secs(120), Duration::from_secs(1200))
    );
}

#[test]
fn a_group_has_the_procedure_of_its_images_type_and_activates_when_told_to() {
    let inventory = read(&[SITE, PROCEDURE, ENTITIES]);
    let group = &inventory.groups[0];
    assert_eq!(group.extent, Extent::Upgrade);
    assert_eq!(group.procedure.as_deref(), Some(card(&inventory)));
    for (activate, extent) in [
        (", activate: later", Extent::Deliver),
        ("", Extent::Deliver),
    ] {
        let entities = ENTITIES.replace(", activate: now", activate);
        let group = &read(&[SITE, PROCEDURE, &entities]).groups[0];
        assert_eq!(group.extent, extent);
        assert!(
            group.procedure.is_some(),
            "its `before` steps are for every run"
        );
    }
    let none = read(&[SITE, &ENTITIES.replace(", activate: now", "")]);
    assert_eq!(none.groups[0].procedure, None);
    let said = told(&[SITE, ENTITIES]);
    assert!(
        said[0].contains("type `adsl` has no procedure with `activate`"),
        "{said:?}"
    );
    let later = ENTITIES.replace("activate: now", "activate: window");
    let said = told(&[SITE, PROCEDURE, &later]);
    assert!(
        said[0].contains("`activate: window` without `window`"),
        "{said:?}"
    );
    // What is wrong with the procedure is said there, and not again at the group.
    let wrong = PROCEDURE.replace("boot system {path}", "boot {pth}");
    assert_eq!(told(&[SITE, &wrong, ENTITIES]).len(), 1);
    let unknown = PROCEDURE.replace("procedure: card", "procedure: crad");
    let said = told(&[SITE, &unknown, ENTITIES]);
    assert!(
        said.len() == 1 && said[0].contains("did you mean `card`?"),
        "{said:?}"
    );
}

#[test]
fn the_prompt_where_none_is_given_is_that_of_usual_command_lines() {
    let inventory = read(&[SITE, PROCEDURE, ENTITIES]);
    let session = card(&inventory).session.clone().unwrap();
    let prompt = session.prompt.unwrap();
    for shown in [
        "s1-01>",
        "s1-01#",
        "s1-01(config-if)# ",
        "craft@s1-01> ",
        "[craft@s1-01] > ",
        "[craft@s1-01] /system> ",
        "craft@s1-01:~# ",
        "/ # ",
        "~ $ ",
        "root@s1:/tmp$ ",
        "# ",
        "> ",
        "root@s1:RE:0% ",
    ] {
        assert!(prompt.regex().is_match(shown), "{shown:?}");
    }
    for shown in [
        "",
        "45%",
        "  100% ",
        "#",
        "####",
        "!!!!",
        "Erasing flash: ###",
        "Writing 12 %",
        "Password:",
        "Proceed? [y/n]",
        "Version 2.4",
        "--More--",
    ] {
        assert!(!prompt.regex().is_match(shown), "{shown:?}");
    }
}

#[test]
fn an_entity_says_where_its_command_line_is() {
    let at = |session: &str| {
        let more = format!(", session: {session} }}\ngroups");
        let entities = ENTITIES.replace(" }\ngroups", &more);
        read(&[SITE, PROCEDURE, &entities]).entities
    };
    for (written, expected) in [
        (
            "\"console[1-2]:2001\"",
            [("console1", Some(2001)), ("console2", Some(2001))],
        ),
        (
            "\"192.0.2.1:200[1-2]\"",
            [("192.0.2.1", Some(2001)), ("192.0.2.1", Some(2002))],
        ),
        (
            "\":23\"",
            [("192.0.2.21", Some(23)), ("192.0.2.22", Some(23))],
        ),
        (
            "\"[2001:db8::1]\"",
            [("2001:db8::1", None), ("2001:db8::1", None)],
        ),
        ("console", [("console", None), ("console", None)]),
    ] {
        let entities = at(written);
        let places = entities.iter().map(|entity| {
            let place = entity.session.as_ref().unwrap();
            (place.host.as_str(), place.port)
        });
        assert_eq!(places.collect::<Vec<_>>(), expected, "{written}");
    }
    for (wrong, why) in [
        ("23", "`23` is not a host"),
        ("\":0\"", "`0` is not a port"),
        ("\":\"", "not a port"),
        ("ssh://console", "is not where a command line is"),
        ("\"craft:hunter2@console\"", "secrets never stand"),
        ("\"2001:db8::1\"", "without brackets"),
        ("\"c[1-3]\"", "ranges of unequal length"),
    ] {
        let more = format!(", session: {wrong} }}\ngroups");
        let said = told(&[SITE, PROCEDURE, &ENTITIES.replace(" }\ngroups", &more)]);
        assert!(
            said.len() == 1 && said[0].contains(why),
            "{wrong}: {said:?}"
        );
        assert!(!said[0].contains("hunter2"));
    }
}

/// Steps of `activate` that are wrong, alone.
#[test]
fn a_step_that_can_not_be_is_refused_with_what_to_write() {
    for (step, why) in [
        ("{}", "a step that does nothing"),
        ("show version", "a step must be a mapping"),
        ("{ sned: x }", "did you mean `send`?"),
        ("{ send: a, site: b }", "both `send` and `site`"),
        ("{ fetch: true }", "a step that does nothing"),
        (
            "{ send: a, fetch: true }",
            "`fetch` in a step of `activate`",
        ),
        ("{ send: \"boot {pth}\" }", "did you mean `path`?"),
        ("{ send: \"a\\nb\" }", "control character"),
        (
            "{ send: a, expect: '(' }",
            "`(` is not a pattern: unclosed group",
        ),
        ("{ send: a, expect: '\\w{1000}{1000}' }", "too large"),
        ("{ send: a, expect: '(?=b)' }", "look-around"),
        ("{ send: a, is: x }", "`is` without `expect`"),
        (
            "{ send: a, expect: b, is: x }",
            "`is` without a named group",
        ),
        (
            "{ send: a, expect: '(?<a>.)(?<b>.)', is: x }",
            "named groups `a`, `b`",
        ),
        ("{ send: a, within: soon }", "not a time"),
        ("{ send: a, within: 30h }", "longer than a day"),
        ("{ send: a, to: b }", "`to` means nothing beside `send`"),
        (
            "{ site: a, answers: [] }",
            "`answers` means nothing beside `site`",
        ),
        ("{ send: a, answers: [] }", "`answers` is a list"),
        (
            "{ send: a, answers: [ { to: b } ] }",
            "without `with` or `password`",
        ),
        (
            "{ send: a, answers: [ { with: b } ] }",
            "an answer without `to`",
        ),
        (
            "{ send: a, answers: [ { to: 'x*', with: b } ] }",
            "fits where nothing is shown",
        ),
        (
            "{ send: a, answers: [ { to: b, with: c, password: craft } ] }",
            "both `with`",
        ),
        (
            "{ send: a, answers: [ { to: b, password: hunter2 } ] }",
            "no credentials of this inv",
        ),
        (
            "{ send: a, answers: [ { to: b, password: bare } ] }",
            "`bare` have no password",
        ),
        (
            "{ send: a, answers: [ { to: b, password: web } ] }",
            "`web` have no password",
        ),
        ("{ exec: [a] }", "`exec` without `within`"),
        ("{ exec: \"a b\", within: 1s }", "there is no shell"),
        ("{ exec: [\"\"], within: 1s }", "`exec` is empty"),
        ("{ get: /a }", "`get` without `to`"),
        (
            "{ get: /a, to: \"/b/{entity}\" }",
            "not below the state directory",
        ),
        (
            "{ get: /a, to: \"{path}{entity}\" }",
            "not below the state directory",
        ),
        (
            "{ get: /a, to: \"b/../../{entity}\" }",
            "leaves the state directory",
        ),
        ("{ get: /a, to: \"{entity}/\" }", "does not name a file"),
        ("{ get: /a, to: b.cfg }", "the same file for every entity"),
        (
            "{ get: /a, to: \"{entity}\", expect: b }",
            "`expect` means nothing beside `get`",
        ),
        ("{ restart: false }", "can only be `true`"),
        (
            "{ restart: true, safe: true }",
            "`safe` means nothing beside `restart`",
        ),
        ("{ restart: true, down: 0s }", "of 0 would fail"),
        (
            "{ send: \"{label.shelf}\" }",
            "`{label.shelf}` has no value for `s1-1` and `s1-2`",
        ),
    ] {
        let (before, after) = PROCEDURE.split_once("      - { site:").unwrap();
        let written = format!("{before}      - {step}\n      - {{ site:{after}");
        let said = told(&[SITE, &written, ENTITIES]);
        assert!(
            said.len() == 1 && said[0].contains(why),
            "{step}: {said:#?}"
        );
        assert!(said[0].starts_with("25:"), "{step}: {said:#?}");
        assert!(!said[0].contains("hunter2"), "{said:#?}");
    }
}

#[test]
fn what_would_prove_nothing_or_have_nothing_to_undo_is_refused() {
    let send = "[ { send: a } ]";
    let check = "[ { send: a, expect: '(?<v>.)', is: \"{version}\" } ]";
    for (procedure, why) in [
        (String::new(), "a procedure without steps"),
        (format!("undo: {send}"), "`undo` without `activate`"),
        (format!("activate: {send}"), "`activate` without `check`"),
        (
            format!("activate: {send}, check: {send}"),
            "no step of `check` compares",
        ),
        (
            format!("check: {}", check.replace("{version}", "2.4")),
            "no step of `check` compares",
        ),
        ("before: []".into(), "the list `before` is empty"),
        ("before: { send: a }".into(), "`before` must be a list"),
        (
            "before: [ { restart: true } ]".into(),
            "`restart` in `before`",
        ),
        (
            format!(
                "check: {}",
                check.replace(" } ]", " }, { restart: true } ]")
            ),
            "`restart` in `check`",
        ),
        (
            format!("before: {send}, deliver: fecth"),
            "did you mean `fetch`?",
        ),
        (format!("befroe: {send}"), "did you mean `before`?"),
    ] {
        let text = format!(
            "types: {{ adsl: {{ procedure: p }} }}\nprocedures: {{ p: {{ session: {{ telnet: 23, \
             credentials: craft }}{}{procedure} }} }}\n",
            if procedure.is_empty() { "" } else { ", " },
        );
        let entities = ENTITIES.replace(", activate: now", "");
        let said = told(&[SITE, &text, &entities]);
        assert!(
            said.len() == 1 && said[0].contains(why),
            "{procedure}: {said:#?}"
        );
    }
    let text = format!("procedures: {{ p: {{ before: {send}, check: {check} }} }}\n");
    let said = told(&[SITE, &text]);
    assert!(
        said.len() == 1 && said[0].contains("`send` without `session`"),
        "{said:#?}"
    );
}

#[test]
fn a_session_is_one_that_somebody_can_log_in_to() {
    for (session, why) in [
        ("ssh", "must be a mapping"),
        ("{ credentials: craft }", "neither `ssh` nor `telnet`"),
        ("{ ssh: 22, telnet: 23 }", "both `ssh` and `telnet`"),
        ("{ ssh: 0 }", "`0` is not the port"),
        ("{ telnet: yes }", "`yes` is not the port"),
        ("{ shs: 22 }", "did you mean `ssh`?"),
        (
            "{ ssh: 22, credentials: web }",
            "`token`, and a command line over SSH",
        ),
        (
            "{ telnet: 23, credentials: noc }",
            "`agent`, and a command line over telnet",
        ),
        ("{ telnet: 23, credentials: craf }", "did you mean `craft`?"),
        (
            "{ telnet: 23, known_hosts: hosts }",
            "`known_hosts` stands beside `telnet`",
        ),
        ("{ ssh: 22, host_key: x }", "not the SHA-256 of a host key"),
        (
            "{ ssh: 22, prompt: '[#>' }",
            "is not a pattern: unclosed character class",
        ),
        ("{ ssh: 22, prompt: '$' }", "fits where nothing is shown"),
        (
            "{ telnet: 23, exec: true, credentials: craft }",
            "`exec` stands beside `telnet`",
        ),
        (
            "{ ssh: 22, exec: true, prompt: '> $' }",
            "`prompt` stands beside `exec: true`",
        ),
        ("{ ssh: 22, exec: maybe }", "`maybe`"),
        (
            "{ ssh: 22, exec: true }",
            "`answers` where the session says",
        ),
    ] {
        let written = PROCEDURE.replace("{ ssh: 2222, credentials: craft }", session);
        let said = told(&[SITE, &written, ENTITIES]);
        assert!(
            said.len() == 1 && said[0].contains(why),
            "{session}: {said:#?}"
        );
    }
}

#[test]
fn what_some_entities_can_not_do_is_said_at_the_step_and_names_them() {
    let sftp = ENTITIES.replace("\"192.0.2.[21-22]\"", "\"sftp://192.0.2.[21-22]\"");
    let said = told(&[SITE, PROCEDURE, &sftp]);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].contains("`s1-1` and `s1-2` can't be told it over SFTP"),
        "{said:#?}"
    );
    let tftp = ENTITIES.replace(
        "\"192.0.2.[21-22]\", credentials: craft",
        "\"tftp://192.0.2.[21-22]\", staging: direct",
    );
    let said = told(&[SITE, PROCEDURE, &tftp]).join("\n");
    assert!(
        said.contains("no file can be read from `s1-1` and `s1-2` over TFTP"),
        "{said}"
    );

    let own = PROCEDURE.replace("2222, credentials: craft", "2222");
    read(&[SITE, &own, ENTITIES]);
    let said = told(&[SITE, &own, &ENTITIES.replace(", credentials: craft", "")]);
    assert!(
        said.len() == 1 && said[0].contains("there are none of `s1-1`"),
        "{said:#?}"
    );
    let telnet = PROCEDURE.replace("ssh: 2222, credentials: craft", "telnet: 23");
    // Some ask for nothing.
    read(&[SITE, &telnet, &ENTITIES.replace(", credentials: craft", "")]);
    let by_agent = ENTITIES
        .replace("\"192.0.2.[21-22]\"", "\"sftp://192.0.2.[21-22]\"")
        .replace("credentials: craft", "credentials: noc");
    let without_site = telnet.replace("      - { site: \"RESET {label.bank}\" }\n", "");
    let said = told(&[SITE, &without_site, &by_agent]);
    assert!(
        said.len() == 1 && said[0].contains("`agent`, and a command line"),
        "{said:#?}"
    );
}

#[test]
fn every_mistake_is_reported_in_one_go() {
    let wrong = PROCEDURE
        .replace("boot system {path}", "boot {pth}")
        .replace("expect: OK", "expect: '['")
        .replace(", within: 1m", "")
        .replace("versions: dotted", "versions: dottd");
    assert_eq!(told(&[SITE, &wrong, ENTITIES]).len(), 4);
}
