//! What the servers of a lab do besides serving: the `x-lab` key of an inventory, or a file of its
//! own with the same content.
//!
//! ```yaml
//! x-lab:
//!   images: { adsl-2.4: { size: 8 MiB } }
//!   file_servers: { hq: { rate: 4 MiB/s } }
//!   entities:
//!     shelf1-07: { rate: 600 KiB/s }
//!     "shelf2-[01-04]": { pause: { every: 1 MiB, for: 400ms } }
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::behaviour::{self, Behaviour};
use super::error::LabError;
use crate::model::names;

/// The settings of a lab. By default every server is a good and fast one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabSettings {
    pub images: BTreeMap<String, ImageSettings>,
    /// By name or pattern (`*`, `?`, `[01-20]`).
    pub file_servers: BTreeMap<String, Behaviour>,
    /// By name or pattern.
    pub entities: BTreeMap<String, Behaviour>,
}

/// What is said about one generated image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageSettings {
    /// Bytes; else the inventory's, else 8 MiB.
    #[serde(deserialize_with = "behaviour::size")]
    pub size: Option<u64>,
    /// Of a hundred entities, the number on which it does not boot, drawn from their names: `5%`.
    #[serde(deserialize_with = "behaviour::percent")]
    pub cant_boot: u8,
}

impl LabSettings {
    /// The settings under the `x-lab` key of an inventory; the default where it has none. The rest
    /// of the inventory is not looked at.
    ///
    /// # Errors
    /// [`LabError::Settings`], with line and column.
    pub fn from_inventory_text(text: &str) -> Result<Self, LabError> {
        #[derive(Deserialize)]
        struct Inventory {
            #[serde(rename = "x-lab", default)]
            lab: LabSettings,
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml::from_str(text)
            .map(|inventory: Inventory| inventory.lab)
            .map_err(|error| LabError::Settings(error.to_string()))
    }

    /// The settings of a file of their own: what stands under `x-lab`, at the top level.
    ///
    /// # Errors
    /// [`LabError::Settings`], with line and column.
    pub fn from_text(text: &str) -> Result<Self, LabError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml::from_str(text).map_err(|error| LabError::Settings(error.to_string()))
    }

    /// As [`Self::from_text`], from a file.
    ///
    /// # Errors
    /// [`LabError::Read`] and [`LabError::Settings`].
    pub fn load(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|cause| LabError::Read {
            file: path.into(),
            cause,
        })?;
        Self::from_text(&text)
            .map_err(|error| LabError::Settings(format!("{}: {error}", path.display())))
    }

    pub(super) fn of_entity(&self, name: &str) -> Behaviour {
        of(&self.entities, name)
    }

    pub(super) fn of_file_server(&self, name: &str) -> Behaviour {
        of(&self.file_servers, name)
    }
}

/// What all keys say that stand for a name: its own first, then patterns from the longest to the
/// shortest, so that what is said of fewer servers goes before what is said of more.
fn of(settings: &BTreeMap<String, Behaviour>, name: &str) -> Behaviour {
    let mut said: Vec<_> = settings
        .iter()
        .filter(|(key, _)| *key == name || names::matches(key, name))
        .collect();
    said.sort_by_key(|(key, _)| {
        (
            *key != name,
            key.contains(['*', '?', '[']),
            usize::MAX - key.len(),
        )
    });
    said.into_iter()
        .fold(Behaviour::default(), |sum, (_, more)| sum.or(more))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TEXT: &str = r#"
memory: 8 MiB
entities:
  - { name: x, type: y }
x-lab:
  images: { adsl-2.4: { size: 8 MiB }, small: { size: 1000 } }
  file_servers: { hq: { rate: 4 MiB/s, truncate_at: 1 MiB } }
  entities:
    "*": { rate: 1 MiB/s, latency: 5ms }
    "shelf1-[01-08]": { rate: 600 KiB/s, no_delete: true }
    shelf1-07: { disk_full_at: 3 MiB, login: refuse, drop_at: 2 MiB, drop_times: 2 }
    shelf2-05: { pause: { every: 1 MiB, for: 400ms }, confirm_after: 2s }
    shelf3-01: { drop_somewhere: true, drop_times: 1, down_for: 2s, busy_times: 3, read_rate: 8 MiB/s }
    shelf3-02: { dies_at: 32 MiB, no_rest: true, pause: { every: 1 MiB, for: 1s }, random_pauses: true }
"#;

    #[test]
    fn settings_are_read_from_an_inventory_and_the_narrowest_key_goes_first() {
        let settings = LabSettings::from_inventory_text(TEXT).unwrap();
        assert_eq!(settings.images["adsl-2.4"].size, Some(8 << 20));
        assert_eq!(settings.images["small"].size, Some(1000));
        assert_eq!(settings.of_file_server("hq").rate, Some(4 << 20));
        assert_eq!(settings.of_file_server("other"), Behaviour::default());
        let seven = settings.of_entity("shelf1-07");
        assert_eq!(seven.rate, Some(600 << 10));
        assert_eq!(seven.latency, Some(Duration::from_millis(5)));
        assert_eq!(seven.disk_full_at, Some(3 << 20));
        assert_eq!(seven.drop_times, Some(2));
        assert!(seven.refuse_login && seven.no_delete && !seven.no_rename);
        let five = settings.of_entity("shelf2-05");
        assert_eq!(five.rate, Some(1 << 20));
        assert_eq!(five.pause.unwrap().length, Duration::from_millis(400));
        assert_eq!(
            five.words(),
            "1.0 MiB/s, answers after 5 ms, pauses 400 ms every 1.0 MiB, confirms after 2 s"
        );
    }

    #[test]
    fn settings_are_told_in_words() {
        let settings = LabSettings::from_inventory_text(TEXT).unwrap();
        let always = "answers after 5 ms";
        let reboots = settings.of_entity("shelf3-01");
        assert_eq!(
            reboots.words(),
            format!(
                "1.0 MiB/s, 8.0 MiB/s when read, {always}, turns the first 3 sessions away, drops transfers somewhere, \
                 1 times only, is gone for 2 s then"
            )
        );
        let settled = reboots.settled("shelf3-01", 1 << 20);
        assert!(settled.drop_at.is_some_and(|byte| byte < 1 << 20));
        assert!(settled.words().contains("drops transfers at"));
        let dies = settings.of_entity("shelf3-02");
        assert_eq!(
            dies.words(),
            format!(
                "1.0 MiB/s, {always}, pauses 1 s every 1.0 MiB or so, dies when it has sent 32.0 MiB, \
                 can't restart"
            )
        );
    }

    #[test]
    fn what_devices_do_to_names_and_renames_is_told_in_words() {
        let text = "entities: { a: { cut_names: 8.3, refuse_rename: true, no_read: true }, \
                    b: { cut_names: 14, fold_case: true, hang_up_on: rnto, hang_up_times: 1 } }";
        let settings = LabSettings::from_text(text).unwrap();
        assert_eq!(
            settings.of_entity("a").words(),
            "cuts names to 8.3, can't be read, refuses renames"
        );
        assert_eq!(
            settings.of_entity("b").words(),
            "cuts names to 14 characters, hangs up on RNTO, 1 times, knows no capitals"
        );
    }

    #[test]
    fn a_file_of_its_own_has_the_same_content_at_the_top() {
        let own: String = TEXT
            .split_once("x-lab:\n")
            .unwrap()
            .1
            .lines()
            .map(|line| format!("{}\n", &line[2..]))
            .collect();
        assert_eq!(
            LabSettings::from_text(&own).unwrap(),
            LabSettings::from_inventory_text(TEXT).unwrap()
        );
        assert_eq!(
            LabSettings::from_inventory_text("memory: 8 MiB").unwrap(),
            LabSettings::default()
        );
        assert_eq!(
            LabSettings::from_inventory_text("").unwrap(),
            LabSettings::default()
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (wrong, says) in [
            ("entities: { a: { speed: 1 } }", "speed"),
            ("entities: { a: { rate: 1 MiB } }", "600 KiB/s"),
            ("entities: { a: { rate: 0 B/s } }", "600 KiB/s"),
            ("entities: { a: { confirm_after: 2 } }", "30s"),
            (
                "entities: { a: { pause: { every: 0, for: 1s } } }",
                "above 0",
            ),
            ("entities: { a: { login: no } }", "refuse"),
            ("entities: { a: { cut_names: 0 } }", "8.3"),
            ("entities: { a: { hang_up_on: the phone } }", "RNTO"),
        ] {
            let error = LabSettings::from_text(wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
            assert!(error.contains("line 1"), "{wrong}: {error}");
        }
    }
}
