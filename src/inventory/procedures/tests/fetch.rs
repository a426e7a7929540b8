//! Devices that fetch their image: where that is said, what makes them, and from where they are served.

use std::time::Duration;

use super::{SITE, card, read, told};
use crate::model::procedure::{Proves, Role};
use crate::model::serve::Over;
use crate::model::{Inventory, Scheme, Staging};

const SERVED: &str = "serve: { http: \"192.0.2.1:8080\", tftp: 192.0.2.1 }\n";
const STEPS: &str = r#"[ { send: "show flash" }, { send: "copy {url} flash:{path}", fetch: http, within: 30m },
      { send: "verify /md5 flash:{path}", expect: '= (?<md5>[0-9a-f]{32})', is: "{md5}", proves: digest } ]"#;

/// Where `deliver` stands, beside what.
#[derive(Default)]
struct Said<'a> {
    defaults: &'a str,
    type_: &'a str,
    procedure: &'a str,
    entity: &'a str,
}

/// An inventory with one entity, whose procedure fetches.
fn site(served: &str, steps: &str, said: &Said<'_>) -> String {
    let Said {
        defaults,
        type_,
        procedure,
        entity,
    } = said;
    let site = SITE.replace("defaults: {", &format!("defaults: {{ {defaults}"));
    format!(
        "{site}{served}types: {{ adsl: {{ {type_} procedure: card }} }}
procedures:
  card:
    session: {{ ssh: 22, credentials: craft }}
    {procedure}
    fetch: {steps}
    activate: [ {{ send: reload }} ]
    check: [ {{ send: \"show version\", expect: 'Version (?<v>\\S+)', is: \"{{version}}\" }} ]
entities:
  - {{ name: e1, type: adsl, version: \"2.3\", address: 192.0.2.21, {entity} }}
groups: {{ adsl: {{ select: {{ type: adsl }}, image: adsl-2.4, source: {{ file_server: hq }} }} }}
"
    )
}

fn fetching(entity: &str) -> Said<'_> {
    Said {
        entity,
        type_: "deliver: fetch,",
        ..Said::default()
    }
}

fn fetches(inventory: &Inventory) -> bool {
    inventory.entities[0].fetches()
}

/// What is said of the one error of these steps, without its place.
fn wrong(steps: &str) -> String {
    only(&site(SERVED, steps, &fetching("")))
}

fn only(text: &str) -> String {
    let said = told(&[text]);
    let [one] = said.as_slice() else {
        panic!("{said:#?}")
    };
    let (_, said) = one.split_once(' ').unwrap();
    said.to_owned()
}

#[test]
fn where_its_image_is_fetched_is_said_in_four_places_and_the_nearest_counts() {
    let nowhere = read(&[&site(SERVED, STEPS, &Said::default())]);
    assert!(!fetches(&nowhere), "it is pushed where nothing is said");
    let places = [
        Said {
            defaults: "deliver: fetch,",
            ..Said::default()
        },
        Said {
            procedure: "deliver: fetch",
            ..Said::default()
        },
        fetching(""),
        Said {
            entity: "deliver: fetch",
            ..Said::default()
        },
    ];
    for said in &places {
        assert!(fetches(&read(&[&site(SERVED, STEPS, said)])));
    }
    // Each of them against all that are further away.
    let mut said = Said {
        defaults: "deliver: fetch,",
        ..Said::default()
    };
    said.procedure = "deliver: push";
    assert!(!fetches(&read(&[&site(SERVED, STEPS, &said)])));
    said.type_ = "deliver: fetch,";
    assert!(fetches(&read(&[&site(SERVED, STEPS, &said)])));
    said.entity = "deliver: push";
    let pushed = read(&[&site(SERVED, STEPS, &said)]);
    assert!(!fetches(&pushed));
    assert_eq!(pushed.entities[0].address.scheme, Scheme::Ftp);
}

#[test]
fn an_inventory_with_devices_that_fetch_is_read_as_a_whole() {
    let said = fetching("fetch_from: [198.51.100.7, nat.example]");
    let inventory = read(&[&site(SERVED, STEPS, &said)]);
    let entity = &inventory.entities[0];
    assert_eq!(entity.address.scheme, Scheme::Fetch);
    assert_eq!(entity.address.host, "192.0.2.21");
    assert_eq!(entity.staging, Staging::Direct, "it writes as it does");
    let from: Vec<&str> = entity.fetch_from.iter().map(|host| &**host).collect();
    assert_eq!(from, ["198.51.100.7", "nat.example"]);
    let at: Vec<(Over, String)> = (inventory.serve.all())
        .map(|(over, at)| (over, at.to_string()))
        .collect();
    let expected = [(Over::Http, "192.0.2.1:8080"), (Over::Tftp, "192.0.2.1:69")];
    assert_eq!(at, expected.map(|(over, at)| (over, at.to_owned())));
    let procedure = card(&inventory);
    assert_eq!(procedure.fetches(), Some((1, Some(Over::Http))));
    let roles: Vec<Role> = procedure.fetch.iter().map(|step| step.role).collect();
    let fetches = Role::Fetches(Some(Over::Http));
    assert_eq!(roles, [Role::Plain, fetches, Role::Proves(Proves::Digest)]);
    let one = read(&[&site(SERVED, STEPS, &fetching("fetch_from: 198.51.100.7"))]);
    assert_eq!(&*one.entities[0].fetch_from[0], "198.51.100.7");
}

#[test]
fn a_line_and_a_column_stand_before_what_is_wrong() {
    let text = site(SERVED, STEPS, &fetching("staging: direct"));
    let line = text.lines().position(|line| line.contains("name: e1"));
    let said = told(&[&text]);
    let begins = format!("{}:", line.unwrap() + 1);
    assert!(
        said.len() == 1 && said[0].starts_with(&begins),
        "{begins} {said:?}"
    );
}

#[test]
fn it_has_to_be_known_where_devices_fetch_from() {
    let mut said = Vec::new();
    let served = |served: &str| only(&site(served, STEPS, &fetching("")));
    said.push(served(""));
    said.push(served("serve: { http: \"0.0.0.0:8080\" }\n"));
    said.push(served("serve: { http: \"http://192.0.2.1\" }\n"));
    said.push(served("serve: { tftp: 192.0.2.1 }\n"));
    said.push(served("serve: { gather: 1m }\n"));
    // Without a device that fetches, nothing has to be.
    assert!(!fetches(&read(&[&site("", STEPS, &Said::default())])));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn how_long_a_device_is_waited_for_has_a_default_and_an_end() {
    let with = |gather: &str| {
        let served = format!("serve: {{ http: \"192.0.2.1:8080\"{gather} }}\n");
        site(&served, STEPS, &fetching(""))
    };
    for (written, seconds) in [("", 30), (", gather: 0s", 0), (", gather: 10m", 600)] {
        let gather = read(&[&with(written)]).serve.gather;
        assert_eq!(gather, Duration::from_secs(seconds), "{written}");
    }
    let wrong =
        ["11m", "5", "soon", "[1s]"].map(|gather| only(&with(&format!(", gather: {gather}"))));
    insta::assert_snapshot!(wrong.join("\n"));
}

#[test]
fn true_is_enough_where_one_protocol_is_served() {
    let steps = STEPS.replace("fetch: http", "fetch: true");
    insta::assert_snapshot!(wrong(&steps));
    let alone = "serve: { tftp: 192.0.2.1 }\n";
    let inventory = read(&[&site(alone, &steps, &fetching(""))]);
    assert_eq!(card(&inventory).fetches(), Some((1, None)));
}

#[test]
fn what_is_said_of_how_an_entity_is_written_to_means_nothing_where_it_fetches() {
    let mut said = Vec::new();
    let entity = |keys: &str| only(&site(SERVED, STEPS, &fetching(keys)));
    said.push(entity("staging: direct"));
    said.push(entity("delete_first: true"));
    said.push(entity("verify: readback"));
    said.push(entity("fetch_from: \"ftp://x\""));
    let pushed = Said {
        entity: "fetch_from: 198.51.100.7",
        ..Said::default()
    };
    said.push(only(&site(SERVED, STEPS, &pushed)));
    let address = site(SERVED, STEPS, &fetching(""));
    said.push(only(
        &address.replace("address: 192.0.2.21", "address: \"ftp://192.0.2.21\""),
    ));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn one_step_makes_a_device_fetch_and_those_that_prove_come_behind_it() {
    let mut said = Vec::new();
    let fetch = r#"{ send: "copy {url} flash:", fetch: http, within: 30m }"#;
    let proves = r#"{ send: dir, expect: '(?<size>\d+)', is: "{size}", proves: size }"#;
    read(&[&site(
        SERVED,
        &format!("[ {fetch}, {proves} ]"),
        &fetching(""),
    )]);
    said.push(wrong("[ { send: \"copy {url} flash:\" } ]"));
    said.push(wrong(&format!("[ {fetch}, {fetch} ]")));
    said.push(wrong(&format!("[ {proves}, {fetch} ]")));
    said.push(wrong("[ { send: \"copy {url} flash:\", fetch: http } ]"));
    let sized = fetch.replace("flash:", "flash: {size}");
    said.push(wrong(&format!("[ {sized} ]")));
    let both = fetch.replace("within:", "expect: OK, proves: digest, within:");
    said.push(wrong(&format!("[ {both} ]")));
    let none = site(SERVED, STEPS, &fetching("")).replace(
        "procedures:\n",
        "procedures:\n  other: { before: [ { exec: [x], within: 1s } ] }\n",
    );
    said.push(only(&none.replace("procedure: card", "procedure: other")));
    insta::assert_snapshot!(said.join("\n"));
}

/// One that is sent its image is back when it takes files again.
#[test]
fn a_device_that_fetches_has_to_have_something_that_shows_whether_it_is_back() {
    let restarts = |said: &Said<'_>| {
        let text = site(SERVED, "[ { exec: [x], fetch: http, within: 30m } ]", said);
        text.replace(
            "activate: [ { send: reload } ]",
            "activate: [ { exec: [x], within: 1m }, { restart: true } ]",
        )
        .replace("{ send: \"show version\",", "{ exec: [x], within: 1m,")
    };
    let fetching = restarts(&fetching(""));
    read(&[&fetching]);
    let line = "    session: { ssh: 22, credentials: craft }\n";
    let web = fetching.replace(line, "    session: { http: 80, credentials: craft }\n");
    read(&[&web]);
    insta::assert_snapshot!(only(&fetching.replace(line, "")));
    read(&[&restarts(&Said::default()).replace(line, "")]);
}

#[test]
fn a_step_proves_only_what_it_compares() {
    let mut said = Vec::new();
    let with = |proves: &str| {
        let fetch = r#"{ send: "copy {url} flash:", fetch: http, within: 30m }"#;
        wrong(&format!("[ {fetch}, {proves} ]"))
    };
    said.push(with("{ send: \"verify {md5}\", proves: digest }"));
    said.push(with("{ send: verify, expect: OK, proves: digest }"));
    said.push(with(
        "{ send: dir, expect: '(?<n>\\d+)', is: \"{size}\", proves: digest }",
    ));
    said.push(with("{ send: dir, expect: OK, proves: size }"));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_a_device_fetches_by_is_known_in_its_own_list_alone() {
    let mut said = Vec::new();
    let other = |from: &str, to: &str| {
        let text = site(SERVED, STEPS, &fetching(""));
        assert!(text.contains(from));
        only(&text.replace(from, to))
    };
    said.push(other("{ send: reload }", "{ send: \"boot {url}\" }"));
    let before = "activate: [ { send: reload } ]\n    before: [ { send: \"copy x\", fetch: http, within: 1m } ]";
    said.push(other("activate: [ { send: reload } ]", before));
    let restarts = "fetch: [ { restart: true },";
    said.push(other("fetch: [", restarts));
    insta::assert_snapshot!(said.join("\n"));
}
