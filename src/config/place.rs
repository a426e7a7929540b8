//! Which file the settings are read from.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use thiserror::Error;

/// In the folder of this user's settings.
const FILE: &str = "subtend/config.yaml";

/// Where settings are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The operator has named it: it has to be there.
    Named(PathBuf),
    Usual(PathBuf),
    /// This user has no home.
    Nowhere,
}

/// There is no file that settings could stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no home directory to look for settings in; name a file with --config")]
pub(crate) struct NoPlace;

impl Place {
    pub(crate) fn of(named: Option<&Path>) -> Self {
        match (named, etcetera::choose_base_strategy()) {
            (Some(named), _) => Self::Named(named.to_owned()),
            (None, Ok(strategy)) => Self::Usual(strategy.config_dir().join(FILE)),
            (None, Err(_)) => Self::Nowhere,
        }
    }

    /// The file, whether it is there or not.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn file(&self) -> Result<&Path, NoPlace> {
        match self {
            Self::Named(file) | Self::Usual(file) => Ok(file),
            Self::Nowhere => Err(NoPlace),
        }
    }

    /// What is to be read: the usual file only where there is one.
    pub(super) fn to_read(&self) -> Option<&Path> {
        match self {
            Self::Named(file) => Some(file),
            // What can't be looked at is opened, which says why.
            Self::Usual(file) => file.try_exists().unwrap_or(true).then_some(file.as_path()),
            Self::Nowhere => None,
        }
    }
}
