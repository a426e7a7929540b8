//! The parts that the commands are put together from, behind one trait: the commands are tested
//! with others, and what stands behind them is named in one place, [`Real`].

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::link::Link;
use crate::model::{CredentialsRef, Inventory, Logins};

/// An engine that runs, and the task that it runs in.
#[derive(Debug)]
pub struct Engine {
    pub link: Link,
    pub task: JoinHandle<()>,
}

/// A practice network that serves.
pub struct Lab {
    /// With the addresses that are really served.
    pub inventory: Inventory,
    /// What is served where, a line each.
    pub serves: Vec<String>,
    /// Ends the servers and waits for them.
    pub stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What the commands need. Errors are complete texts for the operator; none has started anything.
pub trait Parts: Sync {
    /// Reads an inventory. The error holds every fault with its place, ready to be printed.
    ///
    /// # Errors
    /// When there is a fault in it.
    fn load(&self, file: &Path) -> Result<Inventory, String>;

    /// Looks passwords up where they are kept; those to be asked for are left out.
    ///
    /// # Errors
    /// When one can't be had.
    fn logins(
        &self,
        credentials: &[CredentialsRef],
    ) -> impl Future<Output = Result<Logins, String>> + Send;

    /// Starts an engine that waits for commands.
    ///
    /// # Errors
    /// When it can't be started.
    fn engine(&self, inventory: Arc<Inventory>, logins: Logins) -> Result<Engine, String>;

    /// Serves the practice network of an inventory; on free ports where its own are in use, if
    /// `free_ports` says so.
    ///
    /// # Errors
    /// When an address can't be served or the settings have a fault.
    fn lab(
        &self,
        inventory: Inventory,
        settings: Option<&Path>,
        free_ports: bool,
    ) -> impl Future<Output = Result<Lab, String>> + Send;
}

/// The parts of this crate.
#[derive(Debug)]
pub struct Real;

// WIRING: each of these becomes one call once its part is merged.
impl Parts for Real {
    fn load(&self, _file: &Path) -> Result<Inventory, String> {
        Err("the inventory loader is not part of this build yet".into())
    }

    async fn logins(&self, _credentials: &[CredentialsRef]) -> Result<Logins, String> {
        Err("looking passwords up is not part of this build yet".into())
    }

    fn engine(&self, _inventory: Arc<Inventory>, _logins: Logins) -> Result<Engine, String> {
        Err("the engine is not part of this build yet".into())
    }

    async fn lab(
        &self,
        _inventory: Inventory,
        _settings: Option<&Path>,
        _free_ports: bool,
    ) -> Result<Lab, String> {
        Err("the lab is not part of this build yet".into())
    }
}
