//! Caps as operators write them, and what is reported when they make no sense.

use std::path::Path;

use subtend::inventory::parse;
use subtend::model::Inventory;

const BASE: &str = r#"
file_servers:
  hq: { url: "ftp://192.0.2.10/images"SERVER }
images:
  adsl-2.4: { file: adsl-2.4.bin, type: adsl, version: "2.4" }
defaults: { path: /flash/image.bin, timeouts: { progress: 2s } }
entities:
  - { name: "s1-[01-20]", type: adsl, version: "2.3", address: "192.0.2.[21-40]", labels: { site: north }ENTITY }
  - { name: "s2-[01-20]", type: adsl, version: "2.3", address: "192.0.2.[61-80]", labels: { site: south } }
groups:
  adsl: { select: { type: adsl }, image: adsl-2.4, source: { file_server: hq }GROUP }
"#;

fn text(server: &str, entity: &str, group: &str, rates: &str) -> String {
    let text = BASE.replace("SERVER", server).replace("ENTITY", entity);
    format!("{}{rates}", text.replace("GROUP", group))
}

fn caps(inventory: &Inventory) -> Vec<String> {
    let caps = inventory.rates.iter();
    caps.map(|cap| format!("{} {}", cap.on, cap.rate)).collect()
}

fn told(text: &str) -> Vec<String> {
    let errors = parse(text, Path::new("inventory.yaml")).expect_err("this has errors");
    let told = errors.errors().iter();
    told.map(|e| format!("{}:{} {}: {}", e.line, e.column, e.message, e.help))
        .collect()
}

#[test]
fn rates_are_read_of_all_that_they_can_be_on() {
    let text = text(
        ", rate: 8 MiB/s",
        ", rate: 256 KiB/s",
        ", rate: 4 MiB/s",
        "rates:\n  - { label: { site: south }, rate: 2MiB/s }\n",
    );
    let inventory = parse(&text, Path::new("inventory.yaml")).unwrap();
    let caps = caps(&inventory);
    assert_eq!(caps.len(), 22, "{caps:?}");
    assert_eq!(
        [&caps[0], &caps[1], &caps[20], &caps[21]],
        [
            "file-server:hq 8388608",
            "entity:s1-01 262144",
            "entity:s1-20 262144",
            "label:site=south 2097152"
        ]
    );
    assert_eq!(inventory.groups[0].campaign.rate, Some(4 << 20));
}

#[test]
fn rates_without_sense_are_refused_with_their_place_and_the_numbers() {
    for (server, entity, group, rates, expected) in [
        (
            ", rate: 0 KiB/s",
            "",
            "",
            "",
            "3:47 a cap of 0 would hold everything up for ever: write a size a second, like `2 MiB/s`, or none at \
             all; `subtend pause` holds a group",
        ),
        (
            ", rate: 5",
            "",
            "",
            "",
            "3:47 `5` is not a rate: write a size a second, like `2 MiB/s`",
        ),
        (
            "",
            ", rate: 100 B/s",
            "",
            "",
            "8:114 a cap of 100 B/s brings nothing to an end: write at least 1.0 KiB/s",
        ),
        (
            "",
            ", rate: 1500 B/s",
            "",
            "",
            "8:114 a cap of 1.5 KiB/s is too small: `progress` is 2 s, for 4.0 KiB: write at \
             least 3 KiB/s",
        ),
        (
            "",
            "",
            ", rate: 40 KiB/s",
            "",
            "11:87 a cap of 40.0 KiB/s leaves each of 40 entities 1.0 KiB/s: `progress` is 2 s, for 4.0 KiB: write at least 81 KiB/s, or let fewer begin at one time (`parallel`)",
        ),
        (
            "",
            "",
            ", parallel: 10, rate: 10 KiB/s",
            "",
            "11:101 a cap of 10.0 KiB/s leaves each of 10 entities 1.0 KiB/s: `progress` is 2 s, for 4.0 KiB: write at least 21 KiB/s, or let fewer begin at one time (`parallel`)",
        ),
        (
            "",
            "",
            "",
            "rates:\n  - { label: { site: south }, rate: 20 KiB/s }\n",
            "13:37 a cap of 20.0 KiB/s leaves each of 20 entities 1.0 KiB/s: `progress` is 2 s, for 4.0 KiB: write at least 41 KiB/s, or let fewer begin at one time (`parallel`)",
        ),
        (
            "",
            "",
            "",
            "rates: [ { label: { sight: south }, rate: 1 MiB/s } ]\n",
            "12:21 no entity has a label `sight`: write a label that entities have",
        ),
        (
            "",
            "",
            "",
            "rates: [ { label: { site: west }, rate: 1 MiB/s } ]\n",
            "12:27 no entity has `site: west`: there is north, south",
        ),
        (
            "",
            "",
            "",
            "rates: [ { label: { site: north }, rate: 1 MiB/s }, { label: { site: north }, rate: 2 MiB/s } ]\n",
            "12:62 `site: north` has a rate already: keep one of them",
        ),
        (
            "",
            "",
            "",
            "rates: { site: north }\n",
            "12:8 `rates` must be a list, and this is a mapping: write a line a label: `- { label: { site: north }, \
             rate: 2 MiB/s }`",
        ),
    ] {
        assert_eq!(told(&text(server, entity, group, rates)), [expected]);
    }
}
