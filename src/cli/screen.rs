//! TEMPORARY, until `crate::console::run` is merged: its signature, and nothing behind it. What
//! stands here is replaced by `pub(super) use crate::console::{Keeper, Options, run};`.

use std::io;

use tokio::sync::mpsc;

use crate::console::Site;
use crate::link::{GroupSpec, Link};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    pub mono: bool,
    pub ascii: bool,
    pub slow: bool,
    pub mouse: bool,
}

pub trait Keeper: Send + 'static {
    /// # Errors
    /// A sentence for the operator.
    fn keep(&self, groups: &[GroupSpec]) -> Result<(), String>;
    /// # Errors
    /// A sentence for the operator.
    fn write(&self, file: &str, text: &str) -> Result<String, String>;
}

pub(super) async fn run(
    _link: Link,
    _site: Site,
    _options: Options,
    _keeper: impl Keeper,
    _stop: mpsc::Receiver<()>,
) -> io::Result<()> {
    Err(io::Error::other("the console is not merged yet"))
}
