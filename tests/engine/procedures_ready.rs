//! The ready procedures of `assets/procedures`: each is read as it stands there, and carried out on devices of the lab
//! that speak its dialect.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use subtend::inventory;
use subtend::lab::{Lab, MachineState};
use subtend::model::{EntityState, Login, Logins};
use subtend::protocol::EntitySummary;
use tokio::task::JoinSet;

use crate::support::LONG;
use crate::support::run::{Run, entity};
use crate::support::upgrades::serve as start;

/// A family, and what its inventory needs.
#[derive(Debug, Clone, Copy)]
struct Family {
    file: &'static str,
    type_: &'static str,
    /// How its command line is reached where both make sense: the file says SSH.
    telnet: bool,
    scheme: &'static str,
    path: &'static str,
    dialect: &'static str,
    /// What becomes of a device that comes back with its old version.
    stays_old: EntityState,
    /// The device says before its restart that it can't boot an image.
    is_asked: bool,
}

const FAMILY: Family = Family {
    file: "",
    type_: "",
    telnet: true,
    scheme: "sftp",
    path: "/flash/image.bin",
    dialect: "",
    stays_old: EntityState::RolledBack,
    is_asked: true,
};

const FAMILIES: [Family; 6] = [
    Family {
        file: "cisco-ios.yaml",
        type_: "cisco-ios",
        scheme: "ftp",
        path: "flash:/image-2.bin",
        dialect: "dialect: ios, enable_password: deeper, runs_file: \"flash:/image-1.bin\"",
        is_asked: false,
        ..FAMILY
    },
    Family {
        file: "junos.yaml",
        type_: "junos",
        path: "/var/tmp/junos-2.tgz",
        dialect: "dialect: junos",
        // It is not led back to what it ran before the old version.
        stays_old: EntityState::Failed,
        ..FAMILY
    },
    Family {
        file: "mikrotik.yaml",
        type_: "mikrotik",
        scheme: "ftp",
        path: "/routeros-2.npk",
        dialect: "dialect: mikrotik",
        stays_old: EntityState::Failed,
        is_asked: false,
        ..FAMILY
    },
    Family {
        file: "openwrt-sysupgrade.yaml",
        type_: "openwrt",
        telnet: false,
        path: "/tmp/sysupgrade.bin",
        dialect: "dialect: openwrt",
        stays_old: EntityState::Failed,
        ..FAMILY
    },
    Family {
        file: "openwrt-sysupgrade.yaml",
        type_: "openwrt-dual",
        telnet: false,
        path: "/tmp/sysupgrade.bin",
        dialect: "dialect: openwrt, banks: 2",
        ..FAMILY
    },
    Family {
        file: "dual-bank.yaml",
        type_: "dual-bank",
        dialect: "dialect: banks",
        ..FAMILY
    },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/procedures")
}

fn text_of(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}

impl Family {
    /// An inventory with what the file says, and these devices, each with what it does.
    fn site(&self, fragment: &str, door: &str, image: &str, devices: &[(&str, &str)]) -> String {
        let Self {
            type_,
            scheme,
            path,
            dialect,
            ..
        } = self;
        let (mut entities, mut behaviour) = (String::new(), String::new());
        for (port, (name, does)) in (1..).zip(devices) {
            entities += &format!(
                "  - {{ name: {name}, type: {type_}, version: \"1\", address: \"{scheme}://127.0.0.1:{port}\", \
                 labels: {{ bank: \"1\", fallback: \"flash:/image-1.bin\" }} }}\n"
            );
            behaviour += &format!("    {name}: {{ cli: {{ {door}: 0, {dialect}{does} }} }}\n");
        }
        format!(
            r#"
memory: 4 MiB
buffer_size: 64 KiB
credentials:
  craft: {{ user: craft, password: {{ env: SUBTEND_CRAFT }} }}
  enable: {{ user: enable, password: {{ env: SUBTEND_ENABLE }} }}
defaults: {{ credentials: craft, path: "{path}", staging: direct }}
file_servers: {{ hq: {{ url: "ftp://127.0.0.1/" }} }}
images: {{ new: {{ file: new.bin, type: {type_}, version: "2" }} }}
entities:
{entities}
groups:
  all: {{ select: {{ type: {type_} }}, image: new, source: {{ file_server: hq }}, activate: now }}
x-lab:
  images: {{ new: {{ size: 200 KB{image} }} }}
  entities:
{behaviour}
{fragment}"#
        )
    }

    /// The ways to its command line, and what the file says for each.
    fn ways(&self) -> Vec<(&'static str, String)> {
        let text = text_of(self.file);
        assert!(text.contains("session: { ssh: 22 }"), "{}", self.file);
        // What is not made for a shell alone is carried out without one too.
        let other = match self.telnet {
            true => ("telnet", text.replace("ssh: 22", "telnet: 23")),
            false => ("ssh", text.replace("ssh: 22", "ssh: 22, exec: true")),
        };
        vec![("ssh", text), other]
    }
}

/// One device, what became of it and of its machine.
type Became = (EntitySummary, MachineState);

/// Upgrades the devices of a site.
async fn upgraded(site: String, names: Vec<String>) -> Vec<Became> {
    let lab: Lab = start(&site).await;
    let mut logins = Logins::default();
    logins.insert("craft".into(), Login::with_password("craft", "sesame"));
    logins.insert("enable".into(), Login::with_password("enable", "deeper"));
    let run = Run::with_logins(lab.inventory(), logins);
    run.begin(&["all"]).await;
    let (summary, _) = run.finish_within(2 * LONG).await;
    let became = |name: &String| {
        let machine = lab.machine(name).unwrap();
        (entity(&summary, name).clone(), machine)
    };
    let became = names.iter().map(became).collect();
    lab.stop().await;
    became
}

/// Of each family, over each way, at the same time: what became of these devices, which get an image.
async fn each(
    families: impl Iterator<Item = Family>,
    image: &str,
    devices: impl Fn(&Family) -> Vec<(&'static str, &'static str)>,
    change: impl Fn(&Family, String) -> String,
) -> Vec<(Family, &'static str, Vec<Became>)> {
    let mut runs = JoinSet::new();
    for family in families {
        for (door, fragment) in family.ways() {
            let devices = devices(&family);
            let fragment = change(&family, fragment);
            let site = family.site(&fragment, door, image, &devices);
            let names = devices.iter().map(|(name, _)| (*name).to_owned()).collect();
            runs.spawn(async move { (family, door, upgraded(site, names).await) });
        }
    }
    runs.join_all().await
}

fn unchanged(_: &Family, fragment: String) -> String {
    fragment
}

/// What came of a device, in words for a test that fails.
fn state((summary, machine): &Became) -> String {
    format!("{summary:#?} {machine:?}")
}

/// What a file says at its top: nothing that an inventory has already.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    types: BTreeMap<String, IgnoredAny>,
    #[serde(rename = "procedures")]
    _procedures: IgnoredAny,
}

#[test]
fn each_file_fits_into_an_inventory_and_each_type_of_it_is_tried_below() {
    let mut types = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if file == "README.md" {
            continue;
        }
        let text = text_of(&file);
        let read: Fragment =
            serde_yaml::from_str(&text).unwrap_or_else(|why| panic!("{file}: {why}"));
        types.extend(read.types.into_keys().map(|type_| (file.clone(), type_)));
        let named = |part: &str| text.contains(part);
        assert!(
            named("UNTRIED ON HARDWARE") && named("subtend try-procedure"),
            "{file}"
        );
        assert!(
            text_of("README.md").contains(&format!("({file})")),
            "{file}"
        );
    }
    let tried = |one: &Family| (one.file.to_owned(), one.type_.to_owned());
    assert_eq!(types, FAMILIES.iter().map(tried).collect());
    for family in &FAMILIES {
        for (door, fragment) in family.ways() {
            let site = family.site(&fragment, door, "", &[("good", "")]);
            let read = inventory::parse(&site, Path::new("site.yaml"));
            read.unwrap_or_else(|errors| panic!("{} over {door}: {errors}", family.file));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_each_family_run_the_image_and_those_that_stay_old_go_back_or_fail() {
    // A system with one bank writes its image over what runs: there is nothing old to come back.
    let fault = |family: &Family| match family.type_ {
        "openwrt" => ", boots_old: true",
        _ => ", boot_fails: true",
    };
    let devices = |family: &Family| vec![("good", ""), ("bad", fault(family))];
    for (family, door, became) in each(FAMILIES.into_iter(), "", devices, unchanged).await {
        let what = format!("{} over {door}", family.type_);
        let [good, bad] = &became[..] else {
            panic!("{what}")
        };
        assert_eq!(
            good.0.state,
            EntityState::Upgraded,
            "{what}: {}",
            state(good)
        );
        assert_eq!(good.0.runs.as_deref(), Some("2"), "{what}");
        assert_eq!((&*good.1.version, good.1.boots), ("2", 1), "{what}");
        for (command, times) in &good.1.ran {
            assert_eq!(*times, 1, "{what}: {command}");
        }

        assert_eq!(bad.0.state, family.stays_old, "{what}: {}", state(bad));
        assert_eq!(bad.0.runs.as_deref(), Some("1"), "{what}: {}", state(bad));
        assert_eq!(bad.1.version, "1", "{what}");
        assert!(bad.1.holds_bootable_image, "{what}");
        let cause = bad.0.cause.as_deref().unwrap();
        let says = "says version `1`, and `2` was expected";
        assert!(
            cause.starts_with("check, step ") && cause.contains(says),
            "{what}: {cause}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_says_beforehand_that_it_cant_boot_an_image_is_left_alone() {
    let devices = |_: &Family| vec![("one", "")];
    let all = each(
        FAMILIES.into_iter(),
        ", cant_boot: 100%",
        devices,
        unchanged,
    )
    .await;
    for (family, door, became) in all {
        let what = format!("{} over {door}", family.type_);
        let [one] = &became[..] else { panic!("{what}") };
        assert_eq!(one.1.version, "1", "{what}: {}", state(one));
        if family.is_asked {
            assert_eq!(one.0.state, EntityState::Failed, "{what}: {}", state(one));
            assert_eq!(one.1.boots, 0, "{what}");
            assert!(one.1.ran.is_empty(), "{what}: {:?}", one.1.ran);
            let cause = one.0.cause.as_deref().unwrap();
            assert!(cause.starts_with("activate, step "), "{what}: {cause}");
        } else {
            assert_eq!(one.0.state, family.stays_old, "{what}: {}", state(one));
        }
    }
}

/// With one more question at the end of `check`, to which the right answer is the old version.
fn and_is_found_wanting(_: &Family, fragment: String) -> String {
    let mut is_in_check = false;
    let mut lines = Vec::new();
    for line in fragment.lines() {
        lines.push(line.to_owned());
        is_in_check |= line.trim_start().starts_with("check:");
        if is_in_check && line.contains("\"{version}\"") {
            lines.push(line.replace("\"{version}\"", "\"1\""));
            is_in_check = false;
        }
    }
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_runs_the_image_and_is_found_wanting_is_led_back() {
    let with_a_way_back =
        (FAMILIES.into_iter()).filter(|family| !matches!(family.type_, "mikrotik" | "openwrt"));
    let devices = |_: &Family| vec![("one", "")];
    for (family, door, became) in each(with_a_way_back, "", devices, and_is_found_wanting).await {
        let what = format!("{} over {door}", family.type_);
        let [one] = &became[..] else { panic!("{what}") };
        assert_eq!(
            one.0.state,
            EntityState::RolledBack,
            "{what}: {}",
            state(one)
        );
        assert_eq!(one.0.runs.as_deref(), Some("1"), "{what}");
        // It was there, and came back.
        assert_eq!(
            (&*one.1.version, one.1.boots),
            ("1", 2),
            "{what}: {}",
            state(one)
        );
        let cause = one.0.cause.as_deref().unwrap();
        assert!(
            cause.contains("says version `2`, and `1` was expected"),
            "{what}: {cause}"
        );
    }
}

/// Without the step that saves what boots next, and the look at what was saved.
fn and_nothing_is_saved(_: &Family, fragment: String) -> String {
    let is_about_saving = |line: &&str| !line.contains("write memory") && !line.contains("startup");
    let lines: Vec<&str> = fragment.lines().filter(is_about_saving).collect();
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_asks_whether_to_save_first_loses_nothing() {
    let ios = FAMILIES
        .into_iter()
        .filter(|family| family.type_ == "cisco-ios");
    let devices = |_: &Family| vec![("one", "")];
    for (_, door, became) in each(ios, "", devices, and_nothing_is_saved).await {
        let one = &became[0];
        assert_eq!(one.0.state, EntityState::Upgraded, "{door}: {}", state(one));
        assert!(!one.1.ran.contains_key("write memory"), "{:?}", one.1.ran);
        assert_eq!(one.1.boot_file.as_deref(), Some("flash:/image-2.bin"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_was_forgotten_after_the_last_upgrade_harms_nobody() {
    let with_a_label =
        (FAMILIES.into_iter()).filter(|family| matches!(family.type_, "cisco-ios" | "dual-bank"));
    let devices = |_: &Family| vec![("one", "")];
    let forgotten = |family: &Family, fragment: String| match family.type_ {
        "dual-bank" => fragment.replace("{label.bank}", "2"),
        _ => fragment.replace("{label.fallback}", "flash:/image-0.bin"),
    };
    for (family, door, became) in each(with_a_label, "", devices, forgotten).await {
        let one = &became[0];
        let what = format!("{} over {door}: {}", family.type_, state(one));
        assert_eq!(one.0.state, EntityState::Failed, "{what}");
        assert_eq!((one.0.bytes, one.1.boots), (0, 0), "{what}");
        assert!(one.1.ran.is_empty(), "{what}");
        assert!(
            one.0.cause.as_deref().unwrap().starts_with("before, step "),
            "{what}"
        );
    }
}
