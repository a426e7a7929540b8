//! The inventory file as operators write it: what is read from it, and what is reported when
//! something is wrong.

use std::path::Path;
use std::time::Duration;

use subtend::inventory::{InventoryErrors, load, parse};
use subtend::model::staging::{File, Names};
use subtend::model::{
    Account, Active, BufferPreference, DataAddress, DataMode, DeliveryPolicy, Dialect, Fingerprint,
    ImageSpec, Inventory, Laggards, Limits, LoginBy, MadeGroup, PeerChoice, SecretSource,
    SourceChoice, SourceSpec, Staging, Tls, Trust, Upload, VerifyMode,
};
use subtend::plan::{make_group, said};

fn read(text: &str) -> Result<Inventory, InventoryErrors> {
    parse(text, Path::new("inventory.yaml"))
}

fn good(text: &str) -> Inventory {
    read(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Every error as `line:column message`.
fn told(text: &str) -> Vec<String> {
    let errors = read(text).expect_err("this has errors");
    let told = errors.errors().iter();
    told.map(|e| format!("{}:{} {}", e.line, e.column, e.message))
        .collect()
}

fn names<'a>(
    entities: impl IntoIterator<Item = &'a std::sync::Arc<subtend::model::Entity>>,
) -> String {
    let names: Vec<&str> = entities.into_iter().map(|entity| &*entity.name).collect();
    names.join(" ")
}

/// The example of the format's description, with a digest of full length.
const EXAMPLE: &str = r#"
memory: 8 MiB                 # memory available for software download, shared by all buffer pools
buffer_size: 256 KiB          # a preferred size of a buffer, or `buffers: 16`, a preferred number; not both

credentials:                  # secrets never stand in this file
  craft:
    user: craft
    password: { env: SUBTEND_CRAFT }        # or { file: secrets/craft }, { command: [pass, show, craft] }, { ask: true }

file_servers:
  hq:
    url: ftp://192.0.2.10/images            # ftp:// ; ftps:// (explicit TLS) ; ftps+implicit://
    credentials: craft

images:
  adsl-2.4:
    file: adsl-2.4.bin                      # below the file server's url
    type: adsl                              # the entity type that it is for
    version: "2.4"
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

defaults:                     # for every entity that does not say otherwise
  credentials: craft
  path: /flash/image.bin                    # the destination file; also where a peer is read from
  timeouts: { connect: 10s, reply: 30s, progress: 60s, confirm: 5m }
  verify: best                              # best | quick | readback | size | none

entities:
  - { name: shelf1-01, type: adsl, version: "2.3", address: 192.0.2.21 }
  - { name: "shelf1-[02-20]", type: adsl, version: "2.3", address: "192.0.2.[22-40]" }   # ranges expand side by side
  - { name: shelf2-01, type: vdsl, version: "1.8", address: "192.0.2.61:2121", path: /ata0/vdsl.bin }

groups:
  adsl:
    select: { type: adsl, version: "2.3" }  # by type, version, name pattern or any label; and/or
    entities: [shelf1-01]                   # by name
    image: adsl-2.4
    source: { file_server: hq }             # or { peer: shelf1-09 }, or { peer: any }: whichever has it
    laggards: catch-up                      # catch-up | wait | drop
    laggard_limit: 1500ms                   # how long it may hold up the others; default 2s
    retries: 3                              # after failures that may pass; 0: never; default 8
    retry_for: 10m                          # so long after the first failure; default 5m
    parallel: 20                            # at most so many at a time; absent: all
"#;

#[test]
fn the_example_of_the_format_is_read_whole() {
    let inventory = good(EXAMPLE);
    assert_eq!(inventory.memory, 8 << 20);
    assert_eq!(inventory.buffers, BufferPreference::Size(256 << 10));
    assert_eq!(
        inventory.credentials[0].secret,
        SecretSource::Env("SUBTEND_CRAFT".into())
    );
    let hq = inventory.file_server("hq").unwrap();
    assert_eq!(hq.address.to_string(), "192.0.2.10:21");
    let image = inventory.image("adsl-2.4").unwrap();
    assert_eq!(hq.path_of(image).unwrap().as_str(), "images/adsl-2.4.bin");
    assert_eq!(image.sha256.unwrap()[..2], [0x9f, 0x86]);
    assert_eq!(inventory.entities.len(), 21);
    let seventh = inventory.entity("shelf1-07").unwrap();
    assert_eq!(seventh.address.to_string(), "192.0.2.27:21");
    assert_eq!(seventh.path.as_str(), "/flash/image.bin");
    assert_eq!(seventh.credentials.as_deref(), Some("craft"));
    let other = inventory.entity("shelf2-01").unwrap();
    assert_eq!(
        (other.address.port, other.path.as_str()),
        (2121, "/ata0/vdsl.bin")
    );
    let group = inventory.group("adsl").unwrap();
    assert_eq!(group.entities.len(), 20);
    assert_eq!(group.source.label(), "hq");
    assert_eq!(
        (group.laggards, group.parallel),
        (Laggards::CatchUp, Some(20))
    );
    let limits = Limits {
        laggard: Duration::from_millis(1500),
        retries: 3,
        retry_for: Duration::from_secs(600),
    };
    assert_eq!(group.limits, limits);
}

#[test]
fn the_practice_network_is_read_and_has_real_life() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventory.yaml");
    let inventory = load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(inventory.entities.len() >= 24);
    let types: std::collections::BTreeSet<_> = inventory
        .entities
        .iter()
        .map(|entity| &entity.type_)
        .collect();
    assert_eq!(types.len(), 3);
    for entity in &inventory.entities {
        assert_eq!(entity.address.host, "127.0.0.1");
        assert!(entity.address.port > 1024);
        assert_eq!(entity.credentials, None, "the demo needs no set-up");
    }
    let adsl = inventory.group("adsl").unwrap();
    assert!(adsl.entities.iter().any(|entity| adsl.has_image(entity)));
    let vdsl = inventory.group("vdsl").unwrap();
    let SourceChoice::Peer(PeerChoice::Any(peers)) = &vdsl.source else {
        panic!("{:?}", vdsl.source);
    };
    assert_eq!(names(peers), "shelf2-01");
    let olt = inventory.group("olt").unwrap();
    assert!(olt.extent.activates() && olt.entities.len() > 2);
    assert!(inventory.procedure("olt").is_some());
}

#[test]
fn absent_settings_have_their_defaults() {
    let inventory =
        good("entities:\n  - { name: a, type: t, version: 2.40, address: host, path: /f }\n");
    assert_eq!(inventory.memory, 8 << 20);
    assert_eq!(inventory.buffers, BufferPreference::Size(256 << 10));
    let entity = inventory.entity("a").unwrap();
    assert_eq!(entity.version, "2.40", "a number is taken as it is written");
    assert_eq!(entity.timeouts.connect, Duration::from_secs(10));
    assert_eq!(entity.timeouts.confirm, Duration::from_secs(300));
    assert_eq!(entity.verify, VerifyMode::Best);
    assert_eq!(entity.staging, Staging::Rename);
    assert!(
        !entity.delete_first,
        "what an entity has is never deleted unasked"
    );
    assert_eq!(&*entity.staging_name, "auto");
    assert_eq!(entity.credentials, None);
}

/// A staging name of the operator's, for all or for one, with its placeholders as they are written.
#[test]
fn staging_names_are_read_from_defaults_and_entities() {
    let inventory = good(
        r#"
defaults: { path: /flash/image.bin, staging_name: "{stem}.new" }
entities:
  - { name: a, type: t, version: v, address: a }
  - { name: b, type: t, version: v, address: b, staging_name: "tmp/{name}" }
  - { name: c, type: t, version: v, address: c, staging_name: auto }
"#,
    );
    let staged = |name: &str| {
        let entity = inventory.entity(name).unwrap();
        let names = Names::new(&entity.path, &entity.staging_name, "host").unwrap();
        (
            entity.staging_name.to_string(),
            names.of(File::Staging).to_string(),
        )
    };
    assert_eq!(
        staged("a"),
        ("{stem}.new".into(), "/flash/image.new".into())
    );
    assert_eq!(
        staged("b"),
        ("tmp/{name}".into(), "/flash/tmp/image.bin".into())
    );
    let (pattern, name) = staged("c");
    assert_eq!(pattern, "auto", "an entity gives up what the defaults say");
    assert!(!name.contains("image"), "{name}");
}

#[test]
fn entities_and_file_servers_override_defaults_one_by_one() {
    let inventory = good(
        r#"
buffers: 16
credentials:
  craft: { user: craft, password: { file: secrets/craft } }
  guest: { user: anonymous }
  shell: { user: s, password: { command: [pass, show, "a b"] } }
  asked: { user: a, password: { ask: true } }
defaults:
  credentials: craft
  path: /f
  timeouts: { connect: 1s, confirm: 10m }
  verify: size
  staging: direct
  delete_first: false
  labels: { site: north, row: 1 }
file_servers:
  hq: { url: "ftps://[2001:db8::1]:2121", timeouts: { reply: 2s } }
  open: { url: ftp+nothing, credentials: guest }
entities:
  - { name: a, type: t, version: v, address: a }
  - name: b
    type: t
    version: v
    address: ftps+implicit://b
    credentials: guest
    timeouts: { confirm: 1m }
    verify: readback
    staging: rename
    delete_first: true
    labels: { row: 2 }
    x-note: extensions may stand here too
"#
        .replace("ftp+nothing", "ftp://open")
        .as_str(),
    );
    assert_eq!(inventory.buffers, BufferPreference::Count(16));
    let a = inventory.entity("a").unwrap();
    let b = inventory.entity("b").unwrap();
    assert_eq!(a.timeouts.connect, Duration::from_secs(1));
    assert_eq!(b.timeouts.connect, Duration::from_secs(1));
    assert_eq!(a.timeouts.confirm, Duration::from_secs(600));
    assert_eq!(b.timeouts.confirm, Duration::from_secs(60));
    assert_eq!(
        (a.verify, b.verify),
        (VerifyMode::Size, VerifyMode::Readback)
    );
    assert_eq!((a.staging, b.staging), (Staging::Direct, Staging::Rename));
    assert_eq!((a.delete_first, b.delete_first), (false, true));
    assert_eq!(a.labels["row"], "1");
    assert_eq!((&*b.labels["row"], &*b.labels["site"]), ("2", "north"));
    assert_eq!(b.credentials.as_deref(), Some("guest"));
    assert_eq!(b.address.port, 990);
    let hq = inventory.file_server("hq").unwrap();
    assert_eq!(hq.address.to_string(), "[2001:db8::1]:2121");
    assert_eq!(hq.credentials.as_deref(), Some("craft"));
    assert_eq!(hq.timeouts.connect, Duration::from_secs(1));
    assert_eq!(hq.timeouts.reply, Duration::from_secs(2));
    let secrets: Vec<&SecretSource> = inventory.credentials.iter().map(|c| &c.secret).collect();
    let SecretSource::File(path) = secrets[0] else {
        panic!("{secrets:?}");
    };
    assert!(path.is_absolute() && path.ends_with("secrets/craft"));
    assert_eq!(secrets[1], &SecretSource::Empty);
    assert_eq!(
        secrets[2],
        &SecretSource::Command(vec!["pass".into(), "show".into(), "a b".into()])
    );
    assert_eq!(secrets[3], &SecretSource::Ask);
}

#[test]
fn a_source_has_a_least_rate() {
    let text = r#"
memory: 1 MiB
buffer_size: 64 KiB
file_servers:
  hq: { url: "ftp://hq" }
  far: { url: "ftp://far", min_rate: none }
entities:
  - { name: a, type: t, version: v, address: a, path: /f }
  - { name: b, type: t, version: v, address: b, path: /f, min_rate: 2 MiB/s }
"#;
    let inventory = good(text);
    let rates = |inventory: &Inventory| {
        let servers = inventory.file_servers.iter().map(|one| one.timeouts);
        let entities = inventory.entities.iter().map(|one| one.timeouts);
        (servers.chain(entities).map(|of| of.min_rate)).collect::<Vec<_>>()
    };
    assert_eq!(rates(&inventory), [1024, 0, 1024, 2 << 20]);
    let inventory = good(&format!("{text}defaults: {{ min_rate: 8 KiB/s }}"));
    assert_eq!(rates(&inventory), [8192, 0, 8192, 2 << 20]);
    for (wrong, said) in [
        ("0", "6:38 `0` is not a rate"),
        ("0 KiB/s", "6:38 `min_rate` of 0 is no rate"),
        ("2 MiB", "6:38 `2 MiB` is not a rate"),
        ("fast", "6:38 `fast` is not a rate"),
        ("-1 B/s", "6:38 `-1 B/s` is not a rate"),
        (
            "1 TiB/s",
            "6:38 `min_rate` of `1 TiB/s` is more than any link carries",
        ),
        (
            "[1 KiB/s]",
            "6:38 `min_rate` must be text, and this is a list",
        ),
    ] {
        let text = text.replace(
            "far\", min_rate: none",
            &format!("far\", min_rate: {wrong}"),
        );
        assert_eq!(told(&text), [said]);
    }
}

#[test]
fn secrets_files_are_sought_beside_the_inventory() {
    let text = "credentials: { c: { user: u, password: { file: secrets/c } } }";
    let inventory = parse(text, Path::new("/etc/subtend/net.yaml")).unwrap();
    assert_eq!(
        inventory.credentials[0].secret,
        SecretSource::File("/etc/subtend/secrets/c".into())
    );
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let inventory = good(
        r#"
x-card: &card { type: adsl, version: "2.3", path: /f, timeouts: &slow { reply: 2m } }
file_servers: { hq: { url: ftp://h, timeouts: *slow } }
entities:
  - { <<: *card, name: a, address: a }
  - { <<: [*card], name: b, address: b, type: vdsl }
"#,
    );
    assert_eq!(inventory.entity("a").unwrap().type_, "adsl");
    let b = inventory.entity("b").unwrap();
    assert_eq!((&*b.type_, &*b.version), ("vdsl", "2.3"));
    let hq = inventory.file_server("hq").unwrap();
    assert_eq!(hq.timeouts.reply, Duration::from_secs(120));
}

/// Twelve entities, two images, one of each type at the image's version.
const NETWORK: &str = r#"
file_servers: { hq: { url: ftp://h } }
images:
  adsl-2.4: { file: a, type: adsl, version: "2.4" }
  vdsl-3.1: { file: v, type: vdsl, version: "3.1" }
defaults: { path: /f }
entities:
  - { name: "s1-[01-05]", type: adsl, version: "2.3", address: "10.0.0.[1-5]", labels: { site: north } }
  - { name: s1-06, type: adsl, version: "2.4", address: 10.0.0.6, labels: { site: south } }
  - { name: "s2-[1,3,5-7]", type: vdsl, version: "1.8", address: "10.0.1.1:[2101-2105]" }
  - { name: s2-9, type: vdsl, version: "3.1", address: 10.0.1.9 }
"#;

fn grouped(groups: &str) -> String {
    format!("{NETWORK}groups:\n{groups}")
}

#[test]
fn groups_select_and_name_their_entities_in_the_order_of_the_file() {
    let of = |group: &str| {
        let text = grouped(&format!(
            "  g: {{ image: adsl-2.4, source: {{ file_server: hq }}, {group} }}\n"
        ));
        names(&good(&text).group("g").unwrap().entities)
    };
    assert_eq!(
        of("select: { type: adsl }"),
        "s1-01 s1-02 s1-03 s1-04 s1-05 s1-06"
    );
    assert_eq!(of("select: { type: adsl, version: 2.4 }"), "s1-06");
    assert_eq!(
        of("select: { site: north, name: \"s1-[02-03]\" }"),
        "s1-02 s1-03"
    );
    assert_eq!(
        of("select: { site: [north, south], name: [\"*1\", \"*-06\"] }"),
        "s1-01 s1-06"
    );
    assert_eq!(
        of("select: { site: south }, entities: [s1-04, \"s1-0[1-2]\", s1-04]"),
        "s1-01 s1-02 s1-04 s1-06"
    );
    assert_eq!(of("entities: \"s1-?5\""), "s1-05");
}

#[test]
fn limits_are_set_one_by_one_and_nonsense_is_told_with_its_place() {
    let group = |keys: &str| {
        grouped(&format!(
            "  g: {{ image: adsl-2.4, source: {{ file_server: hq }}, entities: s1-01, {keys} }}\n"
        ))
    };
    let of = |keys: &str| good(&group(keys)).group("g").unwrap().limits;
    let default = Limits::default();
    assert_eq!(of("laggards: wait"), default);
    assert_eq!(
        of("retries: 0"),
        Limits {
            retries: 0,
            ..default
        }
    );
    let hour = Duration::from_secs(3600);
    assert_eq!(
        of("laggard_limit: 1h, retry_for: 24h"),
        Limits {
            laggard: hour,
            retry_for: hour * 24,
            ..default
        }
    );
    for (key, value, words) in [
        ("laggard_limit", "0s", "would make every entity a laggard"),
        ("laggard_limit", "61m", "longer than an hour"),
        ("laggard_limit", "2", "`2` is not a time"),
        ("laggard_limit", "[1s]", "must be text"),
        ("retries", "-1", "`-1` is not a number of retries"),
        ("retries", "1001", "too many"),
        ("retry_for", "0s", "within a time of 0"),
        ("retry_for", "25h", "longer than a day"),
        ("retry_for", "later", "`later` is not a time"),
        ("laggard_limt", "2s", "did you mean `laggard_limit`?"),
        ("retrys", "2", "did you mean `retries`?"),
    ] {
        let text = group(&format!("{key}: {value}"));
        let errors = read(&text).unwrap_err().to_string();
        assert!(errors.contains(words), "{key}: {value}: {errors}");
        let line = text.lines().position(|line| line.contains(key)).unwrap() + 1;
        assert!(errors.contains(&format!(":{line}:")), "{errors}");
        assert!(errors.contains("1 error"), "one mistake, once: {errors}");
    }
    // Limits are of a group: an entity has none of its own.
    let errors = read("defaults: { laggard_limit: 2s }\n").unwrap_err();
    assert!(errors.to_string().contains("unknown key `laggard_limit`"));
}

#[test]
fn peers_are_those_that_have_the_image() {
    let of = |source: &str, select: &str| {
        let text = grouped(&format!(
            "  g: {{ image: vdsl-3.1, source: {source}, select: {select} }}\n"
        ));
        read(&text).map(|inventory| inventory.group("g").unwrap().source.clone())
    };
    let named = of("{ peer: s2-9 }", "{ version: \"1.8\" }").unwrap();
    assert_eq!(named.label(), "peer:s2-9");
    for select in ["{ version: \"1.8\" }", "{ type: vdsl }"] {
        let Ok(SourceChoice::Peer(PeerChoice::Any(peers))) = of("{ peer: any }", select) else {
            panic!("{select}");
        };
        assert_eq!(names(&peers), "s2-9");
    }
    let refused = |source: &str, select: &str| {
        let errors = of(source, select).unwrap_err();
        errors.errors()[0].message.clone()
    };
    assert!(refused("{ peer: s2-9 }", "{ type: vdsl }").contains("is a target of the group too"));
    assert!(refused("{ peer: s1-06 }", "{ type: vdsl }").contains("is of type `adsl`"));
    assert!(refused("{ peer: s2-1 }", "{ name: s2-3 }").contains("has version `1.8`"));
    assert!(refused("{ peer: s2-8 }", "{ type: vdsl }").contains("no entity `s2-8`"));
}

#[test]
fn sources_are_an_order_of_preference() {
    let order = |sources: &str| {
        let text = format!("  g: {{ entities: [s1-01], image: adsl-2.4, sources: {sources} }}\n");
        let inventory = good(&grouped(&text));
        let group = inventory.group("g").unwrap();
        let labels: Vec<String> = group.sources().map(SourceChoice::label).collect();
        labels.join(" ")
    };
    let file = std::path::absolute("usb/new.bin").unwrap();
    assert_eq!(
        order("[{ file: usb/new.bin }, { file_server: hq }, { peer: any }]"),
        format!("file:{} hq peer:any", file.display())
    );
    assert_eq!(order("[{ file: /media/new.bin }]"), "file:/media/new.bin");
    let wrong = |sources: &str| {
        told(&grouped(&format!(
            "  g:\n    entities: [s1-01]\n    image: adsl-2.4\n    {sources}\n"
        )))
    };
    let first = |sources: &str| {
        let told = wrong(sources);
        assert_eq!(told.len(), 1, "{told:?}");
        let (place, message) = told[0].split_once(' ').unwrap();
        let (_, column) = place.split_once(':').unwrap();
        format!("{column} {message}")
    };
    for (sources, message) in [
        ("sources: []", "14 the list `sources` is empty"),
        (
            "sources: { file_server: hq }",
            "14 `sources` must be a list, and this is a mapping",
        ),
        (
            "source: [{ file_server: hq }]",
            "13 `source` is one, and this is a list",
        ),
        (
            "sources: [{ file_server: hq }, { file_server: hq }]",
            "36 the source `hq` stands twice in the order",
        ),
        (
            "sources: [{ file_server: hq }, hq]",
            "36 a source of `sources` must say what kind of source it is",
        ),
        (
            "sources: [{ file: /media/, peer: any }]",
            "15 a source of `sources` has both `file` and `peer`",
        ),
        (
            "sources: [{ file: /media/ }]",
            "23 `/media/` can't be a file of this host: `/media/` does not name a file",
        ),
        (
            "sources: [{}]",
            "15 a source of `sources` names neither a file server nor a file or a peer",
        ),
    ] {
        assert_eq!(first(sources), message, "{sources}");
    }
}

#[test]
fn groups_are_made_on_the_spot_by_the_same_rules() {
    let inventory = good(NETWORK);
    let make = |image: &str, source: SourceSpec, entities: &[&str], parallel| {
        let made = MadeGroup {
            name: "spot".into(),
            image: ImageSpec::Named(image.to_owned()),
            source,
            then: Vec::new(),
            entities: entities.iter().map(|name| (*name).to_owned()).collect(),
            policy: DeliveryPolicy {
                laggards: Laggards::Wait,
                parallel,
                ..DeliveryPolicy::default()
            },
            campaign: Box::default(),
        };
        make_group(&inventory, &made).map_err(|flaws| said(&flaws))
    };
    let hq = || SourceSpec::FileServer("hq".into());
    let group = make("adsl-2.4", hq(), &["s1-0[1-2]", "s1-*4", "s1-01"], Some(2)).unwrap();
    assert_eq!(names(&group.entities), "s1-01 s1-02 s1-04");
    assert_eq!((group.laggards, group.parallel), (Laggards::Wait, Some(2)));
    let group = make("vdsl-3.1", SourceSpec::AnyPeer, &["s2-[1,3,5-7]"], None).unwrap();
    assert_eq!(group.source.label(), "peer:any");

    let wrong = make(
        "adsl-2.5",
        SourceSpec::FileServer("qh".into()),
        &["s1-1", "x*", "[2-1]"],
        Some(0),
    );
    let wrong = wrong.unwrap_err().join("\n");
    for part in [
        "no image `adsl-2.5` (did you mean `adsl-2.4`?)",
        "no file server `qh` (did you mean `hq`?)",
        "no entity `s1-1` (did you mean `s1-01`?)",
        "no entity is called like `x*`",
        "`2` is more than `1`",
        "no entity at a time",
    ] {
        assert!(wrong.contains(part), "{part} in {wrong}");
    }
    let wrong = make(
        "adsl-2.4",
        SourceSpec::Peer("s1-06".into()),
        &["s1-*", "s2-1"],
        None,
    );
    let wrong = wrong.unwrap_err().join("\n");
    assert!(wrong.contains("`s2-1` is of type `vdsl`"), "{wrong}");
    assert!(wrong.contains("the peer `s1-06` is a target"), "{wrong}");
    assert!(make("adsl-2.4", hq(), &[], None).is_err());

    let limited = |limits| {
        let made = MadeGroup {
            name: "spot".into(),
            image: ImageSpec::Named("adsl-2.4".into()),
            source: hq(),
            then: Vec::new(),
            entities: vec!["s1-01".to_owned()],
            policy: DeliveryPolicy {
                limits,
                ..DeliveryPolicy::default()
            },
            campaign: Box::default(),
        };
        make_group(&inventory, &made).map_err(|flaws| said(&flaws))
    };
    let limits = Limits {
        retries: 0,
        ..Limits::default()
    };
    assert_eq!(limited(limits).unwrap().limits, limits);
    let wrong = limited(Limits {
        laggard: Duration::ZERO,
        ..limits
    });
    let wrong = wrong.unwrap_err().join("\n");
    assert!(wrong.contains("every entity a laggard"), "{wrong}");
}

/// What the reference shows is what is read.
#[test]
fn the_procedure_of_the_reference_is_read() {
    let reference = include_str!("../../docs/inventory.md");
    let (_, shown) = reference.split_once("```yaml\ntypes:").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let grouped = grouped(
        "  g: { select: { type: adsl }, image: adsl-2.4, source: { file_server: hq }, activate: now }\n",
    );
    let craft = "credentials: { craft: { user: craft, password: { env: CRAFT } } }";
    let inventory = good(&format!("{grouped}\n{craft}\ntypes:{shown}"));
    let procedure = inventory.groups[0].procedure.as_ref().unwrap();
    let words = procedure.steps().map(|(_, step)| step.deed.word());
    assert_eq!(
        words.collect::<Vec<_>>().join(" "),
        "send get send send restart send send send restart"
    );
}

/// What the reference shows of campaigns is what is read, and every key of its table is one.
#[test]
fn the_campaign_of_the_reference_is_read() {
    let reference = include_str!("../../docs/inventory.md");
    let (_, section) = reference.split_once("### Campaigns").unwrap();
    let (_, shown) = section.split_once("```yaml\ngroups:").unwrap();
    let (shown, table) = shown.split_once("```").unwrap();
    let site = r#"
file_servers: { hq: { url: "ftp://192.0.2.10" } }
images: { adsl-2.4: { file: a.bin, type: adsl, version: "2.4" } }
types: { adsl: { versions: dotted } }
defaults: { path: /a, labels: { ring: lab, pair: p } }
entities:
  - { name: "a[1-4]", type: adsl, version: "2.3", address: "192.0.2.[21-24]", labels: { shelf: s1 } }
  - { name: "b[1-4]", type: adsl, version: "2.3", address: "192.0.2.[31-34]", labels: { shelf: s2 } }
groups:"#;
    let inventory = good(&format!("{site}{shown}"));
    let group = &inventory.groups[0];
    let written = group.campaign.written();
    let keys: Vec<&str> = written.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys.len(), 11, "{keys:?}");
    let (table, _) = table.split_once("\n\nA time").unwrap();
    let rows: Vec<&str> = (table.lines())
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    // What is the default there is not written out.
    let known = keys.iter().chain(&["downgrade"]);
    assert!(known.clone().all(|key| rows.contains(key)), "{rows:?}");
    assert_eq!(rows.len(), known.count(), "{rows:?}");
}

/// The first step of writing one is an inventory that can be tried.
#[test]
fn the_beginning_of_a_procedure_in_the_reference_is_read() {
    let reference = include_str!("../../docs/inventory.md");
    let (_, writing) = reference.split_once("### Writing one").unwrap();
    let (_, shown) = writing.split_once("```yaml\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let shown = shown.replace("\n   ", "\n");
    let grouped =
        grouped("  g: { select: { type: adsl }, image: adsl-2.4, source: { file_server: hq } }\n");
    let craft = "credentials: { craft: { user: craft, password: { env: CRAFT } } }";
    let inventory = good(&format!("{grouped}\n{craft}\n{}", shown.trim_start()));
    let procedure = inventory.groups[0].procedure.as_ref().unwrap();
    assert!(procedure.check[0].safe && procedure.session.is_some());
}

#[test]
fn a_file_full_of_errors_is_told_in_one_go() {
    let text = include_str!("wrong.yaml");
    let errors = read(text).unwrap_err();
    insta::assert_snapshot!("wrong", errors.to_string());
}

#[test]
fn unknown_keys_and_references_suggest_what_was_meant() {
    let errors = read(&grouped(
        "  g: { select: { tpye: adsl }, image: adsl-2.5, source: { file_serer: hq } }\n",
    ))
    .unwrap_err();
    let told: Vec<(&str, &str)> = errors
        .errors()
        .iter()
        .map(|e| (e.message.as_str(), e.help.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("no entity has a label `tpye`", "did you mean `type`?"),
            ("there is no image `adsl-2.5`", "did you mean `adsl-2.4`?"),
            (
                "`source` names neither a file server nor a file or a peer",
                "write `{ file_server: NAME }`, `{ file: PATH }`, `{ peer: ENTITY }` or `{ peer: any }`"
            ),
            (
                "unknown key `file_serer` in `source`",
                "did you mean `file_server`?"
            ),
        ]
    );
}

#[test]
fn memory_must_hold_buffers() {
    assert_eq!(
        told("memory: 256 KiB\nbuffer_size: 256 KiB\n"),
        ["1:9 256.0 KiB of memory do not hold two buffers of 256.0 KiB"]
    );
    assert_eq!(
        told("memory: 100 KiB\n").len(),
        1,
        "the default size counts too"
    );
    assert_eq!(told("buffers: 0\n"), ["1:10 `buffers` can't be `0`"]);
    assert_eq!(
        told("memory: 8\nbuffers: 9\n"),
        ["1:9 8 B of memory can't be divided into 9 buffers"]
    );
    assert_eq!(
        told("buffers: 4\nbuffer_size: 1 KiB\n"),
        ["2:14 both `buffers` and `buffer_size` are given"]
    );
    assert_eq!(told("memory: 0\n"), ["1:9 `memory` is 0"]);
    assert_eq!(told("memory: lots\n"), ["1:9 `lots` is not a size"]);
    assert_eq!(
        told("memory: 99999999999 TiB\n"),
        ["1:9 `memory` of `99999999999 TiB` is too large"]
    );
    assert!(read("memory: 512 KiB\nbuffer_size: 256 KiB\n").is_ok());
}

#[test]
fn an_entity_is_in_one_group_only() {
    let text = grouped(
        "  one: { image: adsl-2.4, source: { file_server: hq }, select: { type: adsl } }\n\
         \x20 two: { image: adsl-2.4, source: { file_server: hq }, entities: [s1-06, s1-01] }\n",
    );
    assert_eq!(
        told(&text),
        ["14:67 `s1-06` and `s1-01` are in the group `one` already"]
    );
}

#[test]
fn two_entities_never_write_the_same_file() {
    let entity = |name: &str, address: &str, path: &str| {
        format!("  - {{ name: {name}, type: t, version: v, address: {address}, path: {path} }}\n")
    };
    let text = |second: &str| format!("entities:\n{}{second}", entity("a", "Host", "/f"));
    let told = told(&text(&entity("b", "\"ftps://host:21\"", "/f")));
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("`b` would write the same file as `a` (line 2)"),
        "{told:?}"
    );
    assert!(read(&text(&entity("b", "\"host:2121\"", "/f"))).is_ok());
    assert!(read(&text(&entity("b", "host", "/g"))).is_ok());
}

#[test]
fn passwords_in_the_file_are_refused_and_never_shown() {
    for text in [
        "credentials: { craft: { user: craft, password: hunter2 } }",
        "credentials: { craft: { user: craft, pasword: hunter2 } }",
        "credentials: { craft: { user: craft, pw: hunter2 }, b: c }",
        "credentials: { craft: hunter2 }",
        "credentials: hunter2",
        "credentials: { craft: { user: craft, password: [hunter2] } }",
        "credentials: { craft: { user: craft, password: { plain: hunter2 } } }",
        "credentials: { craft: { user: craft, password: { hunter2 } } }",
        "credentials: { craft: { user: craft, password: { env: \"hunter2!\" } } }",
        "credentials: { craft: { user: craft, password: \"hunter2",
        "credentials: { craft: { user: craft, password: >\n  hunter2\n",
        "credentials:\n  craft:\n    user: craft\n    password: |\n      hunter2\n    x: 1\n",
        "credentials:\n  craft:\n    password:\n      hunter2: : x\n",
        "credentails: { craft: { user: craft, password: hunter2 } }",
        "file_servers: { hq: { url: \"ftp://craft:hunter2@h/images\" } }",
        "entities:\n  - { name: a, type: t, version: v, path: /f, address: \"c:hunter2@h\", x: 1 }",
        "entities:\n  - { name: a, type: t, version: v, path: /f, address: h, password: hunter2 }",
    ] {
        let errors = read(text).unwrap_err();
        assert!(!errors.to_string().contains("hunter2"), "{text}:\n{errors}");
        assert!(
            !format!("{errors:?}").contains("hunter2"),
            "{text}:\n{errors:?}"
        );
    }
    let errors = read("credentials: { c: { user: c, password: hunter2 } }").unwrap_err();
    insta::assert_snapshot!(errors, @r"
    inventory.yaml:1:40: error: a password can't stand in the inventory: whoever reads, copies or backs up this file would have it
      |
    1 | credentials: { c: { user: c, password: *** } }
      |                                        ^^^
    help: write where it comes from: `password: { env: NAME }`, `{ file: PATH }`, `{ command: [PROGRAM, ARGUMENT] }` or `{ ask: true }`

    1 error in inventory.yaml
    ");
}

#[test]
fn control_characters_of_the_file_are_escaped() {
    let errors = read("\"ent\\e[31mities\": 1\nmemory: \"\u{202e}8\"\t# \u{85}\n").unwrap_err();
    let shown = errors.to_string();
    assert!(
        !shown.chars().any(|c| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    assert!(!shown.contains('\u{202e}'), "{shown:?}");
    assert!(shown.contains("\\u{1b}[31m"), "{shown}");
}

#[test]
fn what_is_not_yaml_is_told_with_its_place() {
    let errors = read("memory: 8 MiB\nimages: { a: [ }\n").unwrap_err();
    assert_eq!(errors.errors().len(), 1);
    assert_eq!(errors.errors()[0].line, 2);
    assert!(
        errors.to_string().contains("this is not valid YAML"),
        "{errors}"
    );
    let errors = read("groups:\n\ta: 1\n").unwrap_err();
    assert!(
        errors.to_string().contains("indent with spaces"),
        "{errors}"
    );
    assert_eq!(told("# nothing\n"), ["1:1 the file is empty"]);
    assert_eq!(
        told("- a\n"),
        ["1:1 the inventory must be a mapping, and this is a list"]
    );
    assert_eq!(
        told("memory: 8 MiB\n---\nmemory: 8 MiB\n"),
        ["2:1 a second YAML document begins here"]
    );
    assert_eq!(
        told("images: *none\nmemory: 0\n"),
        [
            "1:9 nothing above is anchored as `&none`",
            "2:9 `memory` is 0"
        ]
    );
}

#[test]
fn a_small_file_never_becomes_a_large_one() {
    let mut text = String::from("x-a: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("x-{level}: &a{level} [{below}]\n"));
    }
    let told = told(&text);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("more than 1000000 values"), "{told:?}");
    let deep = "[".repeat(100_000);
    assert_eq!(read(&deep).unwrap_err().errors().len(), 1);
    assert_eq!(read("x-a: &a [*a]\n").unwrap_err().errors().len(), 1);
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| load(path).unwrap_err().to_string();
    assert!(error(&folder.path().join("none.yaml")).contains("there is no such file"));
    assert!(error(folder.path()).contains("this is a folder"));
    let path = folder.path().join("inventory.yaml");
    std::fs::write(&path, b"memory: 8 MiB\nx-a: \xff\n").unwrap();
    assert!(error(&path).contains("not UTF-8 text: see line 2"));
    std::fs::write(&path, vec![b'#'; (16 << 20) + 1]).unwrap();
    assert!(error(&path).contains("larger than 16.0 MiB"));
    std::fs::write(&path, EXAMPLE.replace('\n', "\r\n")).unwrap();
    let inventory = load(&path).unwrap();
    assert_eq!((inventory.file, inventory.entities.len()), (path, 21));
}

proptest::proptest! {
    /// Whatever the file holds, the answer is an inventory or a list of errors that can be shown.
    #[test]
    fn no_text_makes_it_panic(text in "(memory|buffers|entities|groups|defaults|credentials|[-:{}\\[\\], \n&*a!|>\"'@%\t\u{1b}\u{e9}0-9]){0,30}") {
        if let Err(errors) = read(&text) {
            let shown = errors.to_string();
            proptest::prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
            proptest::prop_assert!(!errors.errors().is_empty());
        }
    }

    /// One character of a good file changed: never a panic, and every error has its place.
    #[test]
    fn a_typing_error_is_told_with_its_place(at in 0..EXAMPLE.len(), c in proptest::char::range(' ', '~')) {
        let mut text = String::from(EXAMPLE);
        text.replace_range(at..=at, &c.to_string());
        if let Err(errors) = read(&text) {
            for error in errors.errors() {
                proptest::prop_assert!(error.line > 0 && error.column > 0, "{}", errors);
                proptest::prop_assert!(!error.help.is_empty(), "{}", errors);
            }
        }
    }

    #[test]
    fn a_range_of_entities_is_side_by_side(first in 1usize..150, count in 1usize..100, port in 1025usize..60_000) {
        let last = first + count - 1;
        let ports = port + count - 1;
        let inventory = good(&format!(
            "entities:\n  - {{ name: \"c[{first:03}-{last:03}]\", type: t, version: v, path: \"/f\", address: \"h:[{port}-{ports}]\" }}\n"
        ));
        proptest::prop_assert_eq!(inventory.entities.len(), count);
        for (n, entity) in inventory.entities.iter().enumerate() {
            proptest::prop_assert_eq!(&*entity.name, format!("c{:03}", first + n));
            proptest::prop_assert_eq!(usize::from(entity.address.port), port + n);
        }
    }
}

#[test]
fn tls_is_the_servers_own_or_that_of_the_defaults() {
    let pin = "AB:".repeat(31) + "AB";
    let text = format!(
        r#"
file_servers:
  hq: {{ url: "ftps://hq.example.net/images", tls_max: 1.3 }}
  lab: {{ url: "ftp://192.0.2.10" }}
defaults: {{ path: /flash/image.bin, tls: {{ ca: certs/lab.pem }}, tls_max: 1.2 }}
entities:
  - {{ name: a, type: adsl, version: "1", address: "ftps://192.0.2.21" }}
  - {{ name: "b-[1-2]", type: adsl, version: "1", address: "ftps+implicit://192.0.2.[22-23]",
      tls: {{ fingerprint: {pin} }}, tls_max: "1.3" }}
  - {{ name: c, type: adsl, version: "1", address: 192.0.2.24 }}
"#
    );
    let inventory = parse(&text, Path::new("/etc/subtend/inventory.yaml")).unwrap();
    let ca = Trust::CaFile(std::sync::Arc::new("/etc/subtend/certs/lab.pem".into()));
    let hq = inventory.file_server("hq").unwrap();
    assert_eq!((&hq.tls.trust, hq.tls.max_1_2), (&ca, false));
    assert_eq!(hq.address.port, 21);
    let a = inventory.entity("a").unwrap();
    assert_eq!((&a.tls.trust, a.tls.max_1_2), (&ca, true));
    for name in ["b-1", "b-2"] {
        let b = inventory.entity(name).unwrap();
        let pinned = Trust::Pinned(Fingerprint([0xAB; 32]));
        assert_eq!((&b.tls.trust, b.tls.max_1_2), (&pinned, false));
        assert_eq!(b.address.port, 990);
    }
    // Without a word, the authorities of this host.
    let plain =
        good("entities: [{ name: a, type: x, version: 1, address: \"ftps://h\", path: /a }]");
    assert_eq!(plain.entities[0].tls, Tls::default());
    assert_eq!(plain.entities[0].tls.trust, Trust::System);
}

#[test]
fn tls_that_makes_no_sense_is_told_in_one_go() {
    let text = r#"
file_servers:
  clear: { url: "ftp://192.0.2.10", tls: { ca: a.pem } }
  both: { url: "ftps://192.0.2.10", tls: { ca: a.pem, fingerprint: "AB" } }
  empty: { url: "ftps://192.0.2.10", tls: {} }
defaults: { path: /a, tls: { any: true }, tls_max: 1.1 }
entities:
  - { name: a, type: x, version: "1", address: "ftps://192.0.2.21", tls: { fingerprint: "AB:CD" } }
  - { name: b, type: x, version: "1", address: "ftps://192.0.2.22", tls: { fingerprint: "no" } }
  - { name: c, type: x, version: "1", address: 192.0.2.23, tls_max: 1.2 }
  - { name: d, type: x, version: "1", address: "ftps://192.0.2.24", tls: accept-anything }
"#;
    assert_eq!(
        told(text),
        [
            "3:37 `tls` stands beside an address in clear text",
            "4:68 both `ca` and `fingerprint` are given",
            "5:43 `tls` is empty",
            "6:30 unknown key `any` in `tls`",
            "6:52 `tls_max` can't be `1.1`",
            "8:89 this is not the SHA-256 of a certificate: it has 4 digits, not 64",
            "9:89 this is not the SHA-256 of a certificate: `n` is not a hexadecimal digit",
            "10:60 `tls_max` stands beside an address in clear text",
            "11:74 `tls` must be a mapping, and this is text",
        ]
    );
}

/// A folder of this host gives images, and nothing is said or encrypted on the way.
#[test]
fn a_folder_of_this_host_is_a_file_server() {
    let text = r#"
credentials: { craft: { user: craft } }
defaults: { path: /f, credentials: craft }
file_servers:
  usb: { url: "file:///media/usb%20stick/images/", timeouts: { progress: 10s } }
entities: [{ name: a, type: x, version: "1", address: 192.0.2.21 }]
"#;
    let inventory = good(text);
    let usb = inventory.file_server("usb").unwrap();
    assert_eq!(usb.root, "/media/usb stick/images");
    assert_eq!(
        usb.directory("a/b").as_deref(),
        Ok("/media/usb stick/images/a/b")
    );
    assert_eq!(usb.address.to_string(), "this host");
    assert_eq!(usb.address.url(&usb.root), "file:///media/usb stick/images");
    // What holds for all who are logged in to is not about it.
    assert_eq!(usb.credentials, None);
    let wrong = r#"
credentials: { craft: { user: craft } }
file_servers:
  nas: { url: "file://nas/images" }
  relative: { url: "file://images" }
  login: { url: "file:///images", credentials: craft }
  tls: { url: "file:///images", tls_max: 1.2 }
  ftp: { url: "file:///images", cwd: true }
entities: [{ name: a, type: x, version: "1", address: "file:///flash", path: /f }]
"#;
    assert_eq!(
        told(wrong),
        [
            "4:15 a `file://` url is about this host, and names `nas`",
            "5:20 `images` is not the path of a folder",
            "6:35 `credentials` stand beside an address of files of this host",
            "7:33 `tls_max` stands beside an address of files of this host",
            "8:33 `cwd` stands beside an address of files of this host",
            "9:55 `file:///flash` can't be the address of an entity",
        ]
    );
}

/// How a device takes a file over HTTP is written beside its address, and nowhere else.
#[test]
fn an_entity_of_http_says_how_it_takes_a_file() {
    let inventory = good(
        r#"
credentials: { mirror: { token: { env: MIRROR_TOKEN } } }
file_servers:
  mirror: { url: "https://mirror.example/images", credentials: mirror, tls: { fingerprint: "AB" } }
  other: { url: "http://192.0.2.9:8080/" }
  ftp: { url: "ftp://192.0.2.10" }
defaults: { path: /flash/image.bin, upload: put }
entities:
  - { name: a, type: x, version: "1", address: "https://192.0.2.71" }
  - { name: b, type: x, version: "1", address: "http://192.0.2.72", path: "/up.cgi?slot=1",
      upload: { field: firmware }, expect: "Image stored", staging: direct }
  - { name: c, type: x, version: "1", address: "192.0.2.73" }
"#
        .replace("\"AB\"", &format!("\"{}\"", "AB".repeat(32)))
        .as_str(),
    );
    let http = |name: &str| &inventory.entity(name).unwrap().http;
    assert_eq!(http("a").upload, Some(Upload::Put));
    assert_eq!(http("b").upload, Some(Upload::Field("firmware".into())));
    assert_eq!(http("b").expect.as_deref(), Some("Image stored"));
    // Where redirects may lead: to the servers of HTTP, as they prove their identity.
    let mirror = inventory.file_server("mirror").unwrap();
    let hosts: Vec<_> = (mirror.http.redirects.iter())
        .map(|one| (&*one.address.host, one.tls.trust != Trust::System))
        .collect();
    assert_eq!(hosts, [("mirror.example", true), ("192.0.2.9", false)]);
    let wrong = r#"
entities:
  - { name: a, type: x, version: "1", path: /f, address: "http://192.0.2.71" }
  - { name: b, type: x, version: "1", path: /f, address: "http://192.0.2.72", upload: { field: f } }
  - { name: c, type: x, version: "1", path: /f, address: "192.0.2.73", upload: put }
  - { name: d, type: x, version: "1", path: /f, address: "http://192.0.2.74", upload: post }
  - { name: e, type: x, version: "1", path: /f, address: "http://192.0.2.75", upload: put, tls_max: 1.2 }
  - { name: f, type: x, version: "1", path: /f, address: "https://192.0.2.76", upload: put, cwd: true }
"#;
    assert_eq!(
        told(wrong),
        [
            "3:58 an entity of HTTP without `upload`, and `defaults` has none",
            "4:87 a form names no file of the device, so that nothing can be renamed there",
            "5:72 `upload` stands beside an address of FTP",
            "6:87 `upload` can't be `post`",
            "7:92 `tls_max` stands beside an address in clear text",
            "8:93 `cwd` stands beside an address of HTTP with TLS",
        ]
    );
}

/// It is written at once, under its own name, by nobody, and can't be asked about anything.
#[test]
fn an_entity_of_tftp_only_takes_files() {
    let text = r#"
credentials: { craft: { user: craft, password: { env: SUBTEND_CRAFT } } }
defaults: { path: image.bin, credentials: craft }
entities:
  - { name: a, type: x, version: "1", address: "tftp://192.0.2.91", staging: direct }
  - { name: b, type: x, version: "1", address: "tftp://192.0.2.92:6969", staging: direct, verify: none }
"#;
    let inventory = good(text);
    let a = inventory.entity("a").unwrap();
    assert_eq!((a.address.port, &a.credentials), (69, &None));
    assert_eq!(inventory.entity("b").unwrap().address.port, 6969);
    let wrong = r#"
credentials: { craft: { user: craft, password: { env: SUBTEND_CRAFT } } }
file_servers:
  boot: { url: "tftp://192.0.2.10/images" }
images:
  new: { type: x, version: "2", file: a.bin }
entities:
  - { name: a, type: x, version: "1", path: /f, address: "tftp://192.0.2.91" }
  - { name: b, type: x, version: "1", path: /f, address: "tftp://192.0.2.92", staging: direct, verify: readback }
  - { name: c, type: x, version: "1", path: /f, address: "tftp://192.0.2.93", staging: direct, verify: size }
  - { name: d, type: x, version: "1", path: /f, address: "tftp://192.0.2.94", staging: direct, credentials: craft }
  - { name: e, type: x, version: "1", path: /f, address: "tftp://192.0.2.95", staging: direct, upload: put }
  - { name: f, type: x, version: "2", path: /f, address: "tftp://192.0.2.96", staging: direct }
  - { name: g, type: x, version: "1", path: /f, address: "192.0.2.97" }
groups:
  named: { image: new, entities: [g], source: { peer: f } }
  any: { image: new, entities: [a], source: { peer: any } }
"#;
    assert_eq!(
        told(wrong),
        [
            "4:16 no image can be read from a server of TFTP",
            "8:58 TFTP has no way to rename a file",
            "9:104 `verify: readback` can't be done over TFTP, which has no way to ask about a file",
            "10:104 `verify: size` can't be done over TFTP, which has no way to ask about a file",
            "11:96 `credentials` stand beside an address of TFTP",
            "12:96 `upload` stands beside an address of TFTP",
            "16:55 nothing can be read from the peer `f` over TFTP",
            "17:53 no entity of type `x` has version `2`: there is no peer to read `new` from",
        ]
    );
}

/// Each is said once, where it is written, with what to write instead.
#[test]
fn settings_that_contradict_each_other_are_refused() {
    let text = r#"
defaults: { path: /f, staging_name: "tmp/{name}" }
entities:
  - { name: a, type: x, version: "1", address: 192.0.2.21, cwd: true }
  - { name: b, type: x, version: "1", address: 192.0.2.22, cwd: true, staging_name: "{stem}.new" }
  - { name: c, type: x, version: "1", address: 192.0.2.23, data: active, data_address: as-told }
  - { name: d, type: x, version: "1", address: 192.0.2.24, min_rate: 13 GB/s }
  - { name: e, type: x, version: "1", address: 192.0.2.25, staging_name: f }
  - { name: g, type: x, version: "1", address: 192.0.2.26, staging: direct, cwd: true }
"#;
    assert_eq!(
        told(text),
        [
            "4:65 the staging name `tmp/{name}` is in a folder of its own, and `cwd: true` sends \
             names without a folder only",
            "6:88 `data_address: as-told` makes no sense beside `data: active`",
            "7:70 `min_rate` of `13 GB/s` is more than any link carries",
            "8:74 `staging_name` can't be `f`: the staging name of `/f` is that name itself",
        ]
    );
    let both = r#"
defaults: { path: /f, staging_name: "tmp/{name}", cwd: true }
entities: [{ name: a, type: x, version: "1", address: 192.0.2.21 }]
"#;
    assert_eq!(told(both).len(), 1, "{:?}", told(both));
}

/// What servers want that others do not ask for: on an entity, for all of them, on a file server.
#[test]
fn what_a_server_wants_is_read() {
    let text = r#"
defaults:
  path: /f
  cwd: true
  before_store: SITE MEDIA FLASH
entities:
  - { name: plain, type: t, version: v, address: h }
  - name: own
    type: t
    version: v
    address: ftps://i
    cwd: false
    account: "4711"
    before_store: [ALLO 8388608, "SITE X"]
    data: { active: { address: 192.0.2.1, ports: 50000-50099 } }
    tls: { ca: ca.pem, client: secrets/noc.pem }
  - { name: elsewhere, type: t, version: v, address: k, before_store: [], data_address: as-told }
  - { name: bare, type: t, version: v, address: j, before_store: [], data: active }
file_servers:
  hq: { url: "ftp://h/i", data: active, account: x }
  other: { url: "ftp://h/i" }
"#;
    let inventory = good(text);
    let of = |name: &str| inventory.entity(name).unwrap().dialect.clone();
    let media: std::sync::Arc<[String]> = ["SITE MEDIA FLASH".to_owned()].into();
    assert_eq!(
        of("plain"),
        Dialect {
            cwd: true,
            before_store: media,
            ..Dialect::default()
        }
    );
    assert_eq!(
        of("own"),
        Dialect {
            cwd: false,
            account: Some(Account::new("4711")),
            before_store: ["ALLO 8388608".to_owned(), "SITE X".to_owned()].into(),
            data: DataMode::Active(Active {
                address: Some([192, 0, 2, 1].into()),
                ports: Some(50000..=50099),
            }),
            data_address: DataAddress::SameHost,
        }
    );
    assert_eq!(of("elsewhere").data_address, DataAddress::AsTold);
    assert!(of("bare").before_store.is_empty());
    assert_eq!(of("bare").data, DataMode::Active(Active::default()));
    let tls = &inventory.entity("own").unwrap().tls;
    assert!(tls.client.as_ref().unwrap().ends_with("secrets/noc.pem"));
    // What all devices want is nothing that a file server has asked for.
    let other = &inventory.file_server("other").unwrap().dialect;
    assert_eq!(*other, Dialect::default());
    let hq = &inventory.file_server("hq").unwrap().dialect;
    assert_eq!(hq.account, Some(Account::new("x")));
    assert_eq!(hq.data, DataMode::Active(Active::default()));
}

#[test]
fn what_a_server_can_not_want_is_told_all_at_once() {
    let entity =
        "entities:\n  - name: a\n    type: t\n    version: v\n    path: /f\n    address: h\n";
    let lines = [
        ("cwd: maybe", "`cwd` can't be `maybe`"),
        ("account: \"\"", "`account` is empty"),
        ("before_store: [\"STOR x\"]", "`STOR` can't be sent"),
        (
            "data: { active: { address: nowhere, ports: 9-1 } }",
            "`nowhere` is no address",
        ),
        ("data_address: there", "`data_address` can't be `there`"),
    ];
    let text: String = lines
        .iter()
        .map(|(line, _)| format!("    {line}\n"))
        .collect();
    let told = told(&format!("{entity}{text}"));
    for (at, (line, words)) in lines.iter().enumerate() {
        let place = format!("{}:", at + 7);
        let is_told = |told: &String| told.starts_with(&place) && told.contains(words);
        assert!(told.iter().any(is_told), "{line}: {told:?}");
    }
    assert!(
        told.iter()
            .any(|told| told.contains("`9-1` is no range of ports"))
    );
    assert_eq!(told.len(), 6, "{told:?}");
    // A file server is not stored to.
    let text = "file_servers: { hq: { url: \"ftp://h/i\", before_store: [X] } }";
    assert!(crate::inventory::told(text)[0].contains("unknown key `before_store`"));
}

/// Some servers use it like a second password.
#[test]
fn an_account_is_never_shown() {
    for line in [
        "account: hunter2",
        "account: [hunter2]",
        "account: \"hunter2\\n\"",
    ] {
        let text =
            format!("entities:\n  - {{ name: a, type: t, version: v, address: h, {line} }}\n");
        let errors = read(&text).unwrap_err();
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
        assert!(!format!("{errors:?}").contains("hunter2"), "{errors:?}");
    }
}

/// Credentials of SSH and of HTTP; a key that is no path, secrets that stand there as such, and what goes
/// with nothing.
#[test]
fn credentials_identify_a_user_in_one_way() {
    let text = r#"
credentials:
  craft: { user: craft, password: { ask: true } }
  open: { user: noc, key: secrets/noc_ed25519 }
  noc: { user: noc, key: secrets/noc_ed25519, passphrase: { command: [pass, show, noc] } }
  agent: { user: noc, agent: true }
  web: { token: { env: SUBTEND_WEB } }
"#;
    let inventory = good(text);
    let found: Vec<_> = (inventory.credentials.iter())
        .map(|one| (one.user.as_str(), one.by.word(), one.secret.clone()))
        .collect();
    let pass = ["pass", "show", "noc"].map(str::to_owned).into();
    assert_eq!(
        found,
        [
            ("craft", "password", SecretSource::Ask),
            ("noc", "key", SecretSource::Empty),
            ("noc", "key", SecretSource::Command(pass)),
            ("noc", "agent", SecretSource::Empty),
            ("", "token", SecretSource::Env("SUBTEND_WEB".into())),
        ]
    );
    let LoginBy::Key(path) = &inventory.credentials[1].by else {
        panic!("{:?}", inventory.credentials[1]);
    };
    assert!(path.is_absolute() && path.ends_with("secrets/noc_ed25519"));

    let wrong = r#"
credentials:
  a: { user: a, password: { ask: true }, key: k }
  b: { user: b, passphrase: { ask: true } }
  c: { user: c, token: { ask: true } }
  d: { user: d, agent: false }
  e: { user: e, key: k, passphrase: hunter2 }
  f: { token: hunter2 }
  g: { user: g, key: "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXkhunter2" }
  h: { user: h, agnet: true }
  i: { key: k }
  j: { user: j, key: { file: k } }
"#;
    assert_eq!(
        told(wrong),
        [
            "3:42 both `password` and `key` are given",
            "4:17 a passphrase without a key",
            "5:8 a token has no user",
            "6:24 `agent` can only be `true`",
            "7:37 a passphrase can't stand in the inventory: whoever reads, copies or backs up this \
             file would have it",
            "8:15 a token can't stand in the inventory: whoever reads, copies or backs up this file \
             would have it",
            "9:22 a private key can't stand in the inventory: whoever reads, copies or backs up \
             this file would have it",
            "10:17 unknown key `agnet` in credentials",
            "11:6 credentials without `user`",
            "12:22 this is not the path of a file",
        ]
    );
    let shown = parse(wrong, Path::new("net.yaml")).unwrap_err().to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("did you mean `agent`?"), "{shown}");
}

/// A server that knows no keys and no tokens is not given credentials that have nothing else.
#[test]
fn credentials_fit_the_protocol() {
    let text = r#"
credentials: { noc: { user: noc, agent: true }, web: { token: { env: A } } }
file_servers: { hq: { url: "ftp://h", credentials: web } }
defaults: { path: /f, credentials: noc }
entities:
  - { name: a, type: t, version: v, address: h1 }
  - { name: b, type: t, version: v, address: "ftps://h2", credentials: web }
"#;
    assert_eq!(
        told(text),
        [
            "3:52 credentials `web` identify the user by `token`, and a server of FTP does not take \
             that",
            "6:46 credentials `noc` identify the user by `agent`, and a server of FTP does not take \
             that",
            "7:72 credentials `web` identify the user by `token`, and a server of FTP with explicit \
             TLS does not take that",
        ]
    );
}
