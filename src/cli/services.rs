//! The services that the commands are put together from, behind one trait: the commands are tested
//! with others, and what stands behind them is named in one place, [`Production`].

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::path::Path;
#[cfg(feature = "lab")]
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "lab")]
use color_eyre::eyre;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::engine::{ImageManager, Surroundings};
use crate::inventory::{self, InventoryErrors, secrets, secrets::Resolved};
use crate::journal::{self, Gate, Gated, Journal, Recorder};
use crate::model::{CredentialsRef, Inventory, Logins, Memories, Name, Remembered};
use crate::procedure::{AllOpenSteps, Means, kept};
use crate::protocol::Link;
use crate::transport::AnyTransport;

use super::{Failed, state_dir};

/// An engine that runs, and the task that it runs in.
#[derive(Debug)]
pub struct Engine {
    pub link: Link,
    pub task: JoinHandle<()>,
}

/// The inventory of the repository, which describes the practice network.
#[cfg(feature = "lab")]
const PRACTICE: &str = include_str!("../../inventory.yaml");

/// Which practice network to serve.
#[cfg(feature = "lab")]
#[expect(clippy::large_enum_variant, reason = "there is one of them")]
pub enum Practice<'a> {
    /// The one that every binary carries.
    Embedded,
    /// That of an inventory; its behaviour from a file of its own, or else from the `x-lab` key.
    File {
        inventory: Inventory,
        settings: Option<&'a Path>,
    },
}

/// A practice network that serves.
#[cfg(feature = "lab")]
pub struct Lab {
    /// With the addresses that are really served.
    pub inventory: Inventory,
    /// What is served where, a line per server.
    pub serves: Vec<String>,
    /// Ends the servers and waits for them.
    pub stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What the commands need. What fails has started nothing.
pub trait Services: Sync {
    /// Reads an inventory.
    ///
    /// # Errors
    /// All that is wrong with it.
    fn load(&self, file: &Path) -> Result<Inventory, InventoryErrors>;

    /// Looks passwords up where they are kept; those to be asked for are left out. Beside the
    /// logins stands why others can't be had. `all` are those of the inventory.
    fn look_up(
        &self,
        credentials: &[CredentialsRef],
        all: &[CredentialsRef],
    ) -> impl Future<Output = (Logins, BTreeMap<Name, String>)> + Send;

    /// As [`Self::look_up`], all or nothing.
    ///
    /// # Errors
    /// When one can't be had.
    fn logins(
        &self,
        credentials: &[CredentialsRef],
        all: &[CredentialsRef],
    ) -> impl Future<Output = Result<Logins, Failed>> + Send {
        async {
            let (logins, wrong) = self.look_up(credentials, all).await;
            let wrong: Vec<String> = wrong.into_values().collect();
            match wrong.as_slice() {
                [] => Ok(logins),
                wrong => Err(Failed::usage(wrong.join("\n"))),
            }
        }
    }

    /// What earlier runs are known to have delivered.
    fn memories(&self, _inventory: &Inventory) -> Memories {
        Memories::default()
    }

    /// Starts an engine that waits for commands.
    fn engine(&self, inventory: Arc<Inventory>, logins: Logins) -> Engine;

    /// Serves the practice network of an inventory; on free ports where its own are in use, if
    /// `free_ports` says so.
    ///
    /// # Errors
    /// When an address can't be served or the settings have a fault.
    #[cfg(feature = "lab")]
    fn lab(
        &self,
        practice: Practice<'_>,
        free_ports: bool,
    ) -> impl Future<Output = eyre::Result<Lab>> + Send;
}

/// The services of this crate.
#[derive(Debug)]
pub struct Production {
    pub journal: journal::Settings,
}

impl Production {
    /// What the journal knows of entities that are still where they were. A journal that can't be
    /// read is reported when it is to be written.
    fn remembered(&self, inventory: &Inventory) -> Memories {
        let known = match &self.journal.state_dir {
            Ok(state_dir) if !self.journal.practice => Journal::open(state_dir),
            _ => Ok(None),
        };
        let known = known.and_then(|journal| match journal {
            Some(journal) => journal.delivered(),
            None => Ok(HashMap::new()),
        });
        let mut known = known.unwrap_or_else(|error| {
            tracing::warn!("what earlier runs have delivered is not known: {error}");
            HashMap::new()
        });
        let memories = inventory.entities.iter().filter_map(|entity| {
            let known = known.remove(&entity.name)?;
            let is_there = known.address == entity.address.to_string()
                && known.path == entity.path.to_string();
            let sha256 = known.sha256.and_then(|hex| {
                let mut bytes = [0; 32];
                hex::decode_to_slice(hex, &mut bytes).ok().map(|()| bytes)
            });
            let remembered = Remembered {
                type_: known.type_,
                version: known.version,
                size: known.size,
                sha256,
                run: known.run,
                at: known.at,
                proven: matches!(known.verified.as_deref(), Some("digest" | "readback")),
            };
            is_there.then(|| (entity.name.clone(), remembered))
        });
        Memories(memories.collect())
    }
}

impl Production {
    /// What procedures are carried out with. What devices give to be kept stands in the state directory.
    fn means(&self, inventory: &Inventory, gate: Gate) -> Means {
        let open = match &self.journal.state_dir {
            Ok(state_dir) if !self.journal.practice => Journal::open(state_dir),
            _ => Ok(None),
        };
        let open = open.and_then(|journal| match journal {
            Some(journal) => journal.open_steps(),
            None => Ok(HashMap::new()),
        });
        let open = open.unwrap_or_else(|error| {
            tracing::warn!("what earlier runs have begun on devices is not known: {error}");
            HashMap::new()
        });
        let folder = inventory.file.parent().map(Path::to_owned);
        let folder = folder.unwrap_or_default();
        let state_dir = self.journal.state_dir.as_deref().ok();
        let keep = kept(state_dir, &folder);
        Means::new(Arc::new(gate), AllOpenSteps::new(open), keep, folder)
    }
}

/// An entity has two connections and a lock, and common limits are 1024 files and fewer. What can't be
/// raised is left as it is.
fn raise_open_files(entities: usize) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let wanted = 128 + 4 * entities as u64;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard)
    {
        tracing::warn!("the limit of open files stays at {soft}: {error}");
    }
}

impl Services for Production {
    fn memories(&self, inventory: &Inventory) -> Memories {
        self.remembered(inventory)
    }

    fn load(&self, file: &Path) -> Result<Inventory, InventoryErrors> {
        inventory::load(file)
    }

    async fn look_up(
        &self,
        credentials: &[CredentialsRef],
        all: &[CredentialsRef],
    ) -> (Logins, BTreeMap<Name, String>) {
        let mut logins = Logins::default();
        let mut wrong = BTreeMap::new();
        // One after the other: a command may have a question of its own on the terminal.
        for one in credentials {
            let (looked_up, all) = (one.clone(), all.to_vec());
            // A password command may run for a while.
            let resolved = spawn_blocking(move || secrets::resolve(&looked_up, &all)).await;
            let reason = match resolved {
                Ok(Ok(Resolved::Login(login))) => {
                    logins.insert(one.name.clone(), login);
                    continue;
                }
                Ok(Ok(Resolved::Ask { .. })) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            wrong.insert(one.name.clone(), reason);
        }
        (logins, wrong)
    }

    fn engine(&self, inventory: Arc<Inventory>, logins: Logins) -> Engine {
        let owner = state_dir::owner(self.journal.state_dir.as_deref().ok());
        raise_open_files(inventory.entities.len());
        let (recorder, gate) = Recorder::new(self.journal.clone());
        let means = self.means(&inventory, gate.clone());
        let transport = Gated::new(AnyTransport::of(owner), gate);
        let known = Surroundings::new(self.remembered(&inventory), means);
        let (link, task) = ImageManager::start_with(inventory.clone(), logins, transport, known);
        let (link, task) = recorder.record(link, task, inventory);
        Engine { link, task }
    }

    #[cfg(feature = "lab")]
    async fn lab(&self, practice: Practice<'_>, free_ports: bool) -> eyre::Result<Lab> {
        use crate::lab::{self, LabOptions, LabSettings};
        let (inventory, settings) = match practice {
            Practice::Embedded => {
                let inventory = inventory::parse(PRACTICE, Path::new("inventory.yaml"))?;
                (inventory, LabSettings::from_inventory_text(PRACTICE)?)
            }
            Practice::File {
                inventory,
                settings,
            } => {
                let settings = match settings {
                    Some(file) => LabSettings::load(file)?,
                    None => {
                        let text = std::fs::read_to_string(&inventory.file)
                            .map_err(|error| lab::LabError::Settings(error.to_string()))?;
                        LabSettings::from_inventory_text(&text)?
                    }
                };
                (inventory, settings)
            }
        };
        let options = LabOptions {
            take_free_ports: free_ports,
        };
        let lab = lab::Lab::start(&inventory, &settings, options).await?;
        Ok(Lab {
            inventory: lab.inventory().clone(),
            serves: lab.served().iter().map(ToString::to_string).collect(),
            stop: Box::pin(lab.stop()),
        })
    }
}
