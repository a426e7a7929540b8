//! Groups made in the console, kept in the state directory: one JSON file per inventory, so that
//! they are there when the console is opened again. The inventory itself is never written.
//!
//! A file is replaced as a whole or not at all. One that can't be read is moved aside, never
//! overwritten: groups are the operator's work.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::state_dir;
use crate::model::GroupSpec;
use crate::model::text::shown;

/// Of the format below.
const VERSION: u32 = 1;
/// Characters of the inventory's name that are found again in that of its file.
const LONGEST_STEM: usize = 40;

#[derive(Debug, Error)]
pub enum KeepError {
    #[error("the groups kept in {} can't be read: {reason}", named(.file))]
    Unreadable { file: PathBuf, reason: io::Error },
    /// Nothing is lost: it lies beside.
    #[error(
        "the groups kept in {} can't be understood: {reason}; the file was moved to {}: mend it \
         and move it back, or start again without those groups",
        named(.file), named(.moved)
    )]
    Damaged {
        file: PathBuf,
        moved: PathBuf,
        reason: String,
    },
    #[error(
        "the groups kept in {} were written by a newer subtend (format {version}, this one knows \
         {VERSION}); use that one, or move the file away",
        named(.file)
    )]
    Newer { file: PathBuf, version: u32 },
    #[error("the groups can't be kept in {}: {reason}", named(.file))]
    Unwritable { file: PathBuf, reason: io::Error },
}

fn named(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// The groups kept for one inventory.
#[derive(Debug, Clone)]
pub struct SavedGroups {
    file: PathBuf,
    /// For people who look into the file.
    inventory: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    version: u32,
    inventory: String,
    groups: Vec<GroupSpec>,
}

/// What is read first, whatever the rest looks like.
#[derive(Debug, Deserialize)]
struct Header {
    version: u32,
}

impl SavedGroups {
    /// For an inventory file: known by its canonical path, so that it is the same one from
    /// whichever folder it is named.
    pub fn of(state_dir: &Path, inventory: &Path) -> Self {
        let path = fs::canonicalize(inventory)
            .or_else(|_| std::path::absolute(inventory))
            .unwrap_or_else(|_| inventory.to_owned());
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::named(state_dir, &stem, &path)
    }

    /// For an inventory that is no file.
    pub fn of_demo(state_dir: &Path) -> Self {
        Self::named(state_dir, "demo", Path::new("demo"))
    }

    fn named(state_dir: &Path, stem: &str, identity: &Path) -> Self {
        let digest = Sha256::digest(identity.as_os_str().as_encoded_bytes());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let stem: String = (stem.chars().take(LONGEST_STEM))
            .map(|c| if is_plain(c) { c } else { '_' })
            .collect();
        let name = format!("{stem}-{}.json", hex::encode(&digest[..8]));
        Self {
            file: state_dir.join("groups").join(name),
            inventory: identity.display().to_string(),
        }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The groups that were kept; none if there never were any.
    ///
    /// # Errors
    /// A file that can't be understood has been moved aside by then.
    pub fn load(&self) -> Result<Vec<GroupSpec>, KeepError> {
        let file = self.file.clone();
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(reason) => return Err(KeepError::Unreadable { file, reason }),
        };
        match serde_json::from_slice(&text) {
            Ok(Header { version }) if version > VERSION => {
                return Err(KeepError::Newer { file, version });
            }
            _ => {}
        }
        serde_json::from_slice(&text)
            .map(|content: Content| content.groups)
            .map_err(|error| self.move_aside(error.to_string()))
    }

    fn move_aside(&self, reason: String) -> KeepError {
        let file = self.file.clone();
        let beside = |number: u32| {
            let mut name = file.clone().into_os_string();
            name.push(".broken");
            if number > 1 {
                name.push(format!("-{number}"));
            }
            PathBuf::from(name)
        };
        // One that was moved aside earlier stays.
        let moved = (1..).map(beside).find(|path| !path.exists());
        let moved = moved.unwrap_or_else(|| beside(1));
        match fs::rename(&file, &moved) {
            Ok(()) => KeepError::Damaged {
                file,
                moved,
                reason,
            },
            Err(error) => KeepError::Unreadable {
                reason: io::Error::other(format!("{reason}; nor can it be moved aside: {error}")),
                file,
            },
        }
    }

    /// Keeps these groups in place of those kept before: all of them, or none if this fails.
    ///
    /// # Errors
    /// What was kept before is still there.
    pub fn save(&self, groups: &[GroupSpec]) -> Result<(), KeepError> {
        self.write(groups).map_err(|reason| KeepError::Unwritable {
            file: self.file.clone(),
            reason,
        })
    }

    fn write(&self, groups: &[GroupSpec]) -> io::Result<()> {
        let content = Content {
            version: VERSION,
            inventory: self.inventory.clone(),
            groups: groups.to_vec(),
        };
        let mut text = serde_json::to_vec_pretty(&content).map_err(io::Error::other)?;
        text.push(b'\n');
        let folder = self.file.parent().unwrap_or(Path::new("."));
        state_dir::create(folder)?;
        let written = self
            .file
            .with_extension(format!("{}.tmp", std::process::id()));
        let result = replace(&written, &self.file, &text);
        if result.is_err() {
            // It may never have been made.
            let _ = fs::remove_file(&written);
        }
        result?;
        // The new name lasts only when the folder is on the disk too.
        File::open(folder)?.sync_all()
    }
}

/// Writes one file whole and gives it the name of another.
fn replace(written: &Path, file: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut new = state_dir::open(&mut options, written)?;
    new.write_all(text)?;
    new.sync_all()?;
    fs::rename(written, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use std::time::Duration;

    use super::*;
    use crate::model::campaign::start::read_start;
    use crate::model::campaign::{Campaign, Offline, StopAfter, Wave, Window};
    use crate::model::{DeliveryPolicy, ImageSpec, Laggards, Limits, MadeGroup, SourceSpec};

    fn groups() -> Vec<GroupSpec> {
        let made = |name: &str, image, source| {
            GroupSpec::Made(MadeGroup {
                name: name.into(),
                image,
                source,
                then: Vec::new(),
                entities: vec!["shelf1-01".into(), "shelf1-02".into()],
                policy: DeliveryPolicy {
                    laggards: Laggards::Wait,
                    parallel: Some(4),
                    ..DeliveryPolicy::default()
                },
                campaign: Box::default(),
            })
        };
        let limited = GroupSpec::Made(MadeGroup {
            name: "limited".into(),
            image: ImageSpec::Named("adsl-2.4".into()),
            source: SourceSpec::AnyPeer,
            then: Vec::new(),
            entities: vec!["shelf1-01".into()],
            policy: DeliveryPolicy {
                laggards: Laggards::Drop,
                limits: Limits {
                    laggard: Duration::from_millis(2500),
                    retries: 0,
                    retry_for: Duration::from_secs(60),
                },
                parallel: None,
                extent: Default::default(),
            },
            campaign: Box::new(Campaign {
                waves: vec![Wave::Count(1), Wave::Rest],
                stop_after: StopAfter::read("2%").ok(),
                start: read_start("2026-10-25T02:30+01:00[Europe/Berlin]").ok(),
                window: Window::read("mon-fri 01:00-05:00 Europe/Berlin").ok(),
                offline: Offline::read("wait 14d").unwrap(),
                from: Some(">=2.1".into()),
                ..Campaign::default()
            }),
        });
        vec![
            made(
                "tonight",
                ImageSpec::Named("adsl-2.4".into()),
                SourceSpec::FileServer("hq".into()),
            ),
            made(
                "found",
                ImageSpec::Described {
                    name: "adsl-2.5".into(),
                    file: "new/adsl-2.5.bin".into(),
                    type_: "adsl".into(),
                    version: "2.5".into(),
                    size: Some(1 << 20),
                },
                SourceSpec::Peer("shelf2-01".into()),
            ),
            made(
                "any",
                ImageSpec::Named("adsl-2.4".into()),
                SourceSpec::AnyPeer,
            ),
            GroupSpec::Named("adsl".into()),
            limited,
        ]
    }

    struct Folder {
        state: tempfile::TempDir,
        inventory: PathBuf,
    }

    fn folder() -> Folder {
        let state = tempfile::tempdir().unwrap();
        let inventory = state.path().join("my site.yaml");
        fs::write(&inventory, "memory: 1 MiB\n").unwrap();
        Folder { state, inventory }
    }

    fn kept(folder: &Folder) -> SavedGroups {
        SavedGroups::of(&folder.state.path().join("subtend"), &folder.inventory)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn groups_are_there_again_and_for_this_user_alone() {
        let folder = folder();
        assert_eq!(kept(&folder).load().unwrap(), []);
        kept(&folder).save(&groups()).unwrap();
        assert_eq!(kept(&folder).load().unwrap(), groups());
        kept(&folder).save(&groups()[..1]).unwrap();
        assert_eq!(kept(&folder).load().unwrap(), groups()[..1]);

        let file = kept(&folder).file().to_owned();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(
            name.starts_with("my_site-") && name.ends_with(".json"),
            "{name}"
        );
        assert_eq!(mode(&file), 0o600);
        let state = folder.state.path().join("subtend");
        assert_eq!((mode(&state), mode(file.parent().unwrap())), (0o700, 0o700));
        // Limits are written down where they differ from the default.
        let text = |groups: &[GroupSpec]| {
            kept(&folder).save(groups).unwrap();
            fs::read_to_string(&file).unwrap()
        };
        for word in ["limits", "campaign"] {
            assert!(!text(&groups()[..4]).contains(word));
            assert!(text(&groups()).contains(word));
        }
        // Nothing else is left there, and the inventory is as it was.
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(
            fs::read_to_string(&folder.inventory).unwrap(),
            "memory: 1 MiB\n"
        );
    }

    #[test]
    fn an_inventory_is_the_same_however_it_is_named_and_each_has_its_own() {
        let folder = folder();
        let state = folder.state.path();
        let link = state.join("link.yaml");
        std::os::unix::fs::symlink(&folder.inventory, &link).unwrap();
        assert_eq!(
            SavedGroups::of(state, &link).file,
            SavedGroups::of(state, &folder.inventory).file
        );
        let other = state.join("elsewhere");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("my site.yaml"), "").unwrap();
        let other = SavedGroups::of(state, &other.join("my site.yaml"));
        assert_ne!(other.file, SavedGroups::of(state, &folder.inventory).file);
        assert_ne!(SavedGroups::of_demo(state).file, other.file);
    }

    #[test]
    fn a_damaged_file_is_moved_aside_and_nothing_is_lost() {
        let folder = folder();
        let file = kept(&folder).file().to_owned();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        for (number, text) in [
            "{\"version\":1,\"inventory\":\"x\",\"gro",
            "",
            "{\"version\":1,\"inventory\":\"x\",\"groups\":[{\"name\":1}]}",
        ]
        .iter()
        .enumerate()
        {
            fs::write(&file, text).unwrap();
            let error = kept(&folder).load().unwrap_err();
            let KeepError::Damaged { moved, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(fs::read_to_string(moved).unwrap(), *text);
            assert!(error.to_string().contains(".broken"), "{error}");
            assert!(!file.exists());
            assert_eq!(kept(&folder).load().unwrap(), []);
            let files = fs::read_dir(file.parent().unwrap()).unwrap().count();
            assert_eq!(files, number + 1, "an earlier one was overwritten");
        }
    }

    #[test]
    fn a_file_of_a_newer_subtend_is_left_alone() {
        let folder = folder();
        let file = kept(&folder).file().to_owned();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = "{\"version\":2,\"sets\":{}}";
        fs::write(&file, text).unwrap();
        let error = kept(&folder).load().unwrap_err();
        assert!(
            matches!(error, KeepError::Newer { version: 2, .. }),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }

    #[test]
    fn a_save_that_fails_keeps_what_was_there() {
        let folder = folder();
        kept(&folder).save(&groups()).unwrap();
        let file = kept(&folder).file().to_owned();
        // The new file can't be written where a folder has its name.
        let written = file.with_extension(format!("{}.tmp", std::process::id()));
        fs::create_dir(&written).unwrap();
        let error = kept(&folder).save(&[]).unwrap_err();
        assert!(matches!(error, KeepError::Unwritable { .. }), "{error}");
        assert_eq!(kept(&folder).load().unwrap(), groups());
    }
}
