//! The machine of one entity of the lab, with the images that it knows and the doors to its command line.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::machine::{Fate, Machine, MachineState, Next};
use super::text;
use crate::lab::behaviour::CommandLine;
use crate::lab::counter::Counter;
use crate::lab::device::{Device, clean};
use crate::lab::image::Generated;

/// How a command line is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Over {
    Telnet,
    Ssh,
    Http,
}

impl Over {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telnet => "telnet",
            Self::Ssh => "ssh",
            Self::Http => "http",
        }
    }
}

/// An image that boots on an entity, and what it is then.
#[derive(Debug, Clone)]
pub(in crate::lab) struct Bootable {
    pub(in crate::lab) image: Generated,
    pub(in crate::lab) version: String,
}

/// What boots the files of one device.
#[derive(Debug)]
pub(in crate::lab) struct Unit {
    machine: Mutex<Machine>,
    bootable: Vec<Bootable>,
    /// The folder of files that are named without one.
    folder: String,
    doors: Vec<(Over, SocketAddr)>,
    /// Sessions on its command lines.
    open: AtomicU32,
    /// Logins that are still ended since the last restart.
    to_end: AtomicU32,
    booted: Counter,
}

impl Unit {
    pub(in crate::lab) fn new(
        machine: Machine,
        bootable: Vec<Bootable>,
        path: &str,
        doors: Vec<(Over, SocketAddr)>,
    ) -> Self {
        Self {
            machine: Mutex::new(machine),
            bootable,
            folder: path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .into(),
            doors,
            open: AtomicU32::new(0),
            to_end: AtomicU32::new(0),
            booted: Counter::default(),
        }
    }

    pub(in crate::lab) fn doors(&self) -> &[(Over, SocketAddr)] {
        &self.doors
    }

    pub(in crate::lab) fn state(&self) -> MachineState {
        self.machine().state()
    }

    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path that a word of a command means: `flash:image.bin`, `image.bin`, `/flash/image.bin`.
    pub(in crate::lab) fn resolved(&self, device: &Device, word: &str) -> String {
        let name = word.rsplit(':').next().unwrap_or(word);
        let below = format!("{}/{}", self.folder, name.trim_start_matches('/'));
        // Also where nothing stands yet.
        let is_in_folder = clean(name).starts_with(&format!("{}/", self.folder));
        match name.starts_with('/') && (is_in_folder || device.file(name).is_some()) {
            true => clean(name),
            false => clean(&below),
        }
    }

    pub(super) fn filled(&self, text: &str) -> String {
        text::of_machine(text, &self.machine())
    }

    /// Sets the file that boots next.
    pub(in crate::lab) fn boots_file(&self, path: &str, saves: bool) {
        let mut machine = self.machine();
        machine.set(Next::Files(vec![path.into()]));
        if saves {
            machine.save();
        }
    }

    /// Sets the bank that boots next, from 1; `false` where nothing boots from it.
    pub(in crate::lab) fn boots_bank(&self, number: usize) -> bool {
        let mut machine = self.machine();
        let bank = number.checked_sub(1);
        let Some(bank) = bank.filter(|bank| matches!(machine.banks().get(*bank), Some(Some(_))))
        else {
            return false;
        };
        machine.set(Next::Bank(bank));
        machine.save();
        true
    }

    /// The bank that was kept boots next; `false` where none was.
    pub(super) fn boots_kept(&self) -> bool {
        let kept = self.machine().kept();
        kept.is_some_and(|bank| self.boots_bank(bank + 1))
    }

    /// What is in the other bank boots next; `false` where there is none.
    pub(super) fn goes_back(&self) -> bool {
        let other = self.machine().other();
        let has_other = other != self.machine().running();
        has_other && self.boots_bank(other + 1)
    }

    /// Counts a command that has changed something.
    pub(in crate::lab) fn count(&self, command: &str) {
        self.machine().count(command);
    }

    /// The version that a file of the device is the image of, where it boots here. It reads the whole file.
    pub(super) fn version_in(&self, device: &Device, path: &str) -> Option<String> {
        let file = device.file(path)?;
        let found = self.bootable.iter().find(|known| file.is(&known.image))?;
        Some(found.version.clone())
    }

    /// Restarts; whether the device comes back.
    pub(in crate::lab) fn boot(&self, settings: &CommandLine, device: &Device) -> bool {
        let fate = Fate {
            fails: settings.boot_fails,
            stays_old: settings.boots_old,
            no_fallback: settings.no_fallback,
            never: settings.never_back,
        };
        let files = self.machine().saved_files().to_vec();
        let mut held =
            (files.iter()).map(|file| self.version_in(device, &self.resolved(device, file)));
        let found = held.find_map(|version| version);
        let boots = self.machine().boot(fate, found);
        let to_end = settings.ends_logins.unwrap_or(0);
        self.to_end.store(to_end, Ordering::Release);
        self.booted.add(1);
        boots
    }

    pub(in crate::lab) async fn until_booted(&self, times: u64) {
        self.booted.at_least(times).await;
    }

    /// Whether a login is ended, as one of those that a restart still ends.
    pub(super) fn ends_login(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        let ended = self
            .to_end
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        ended.is_ok()
    }

    /// One more session; `None` where there are as many as there may be.
    pub(super) fn open(&self, most: Option<u32>) -> Option<Open<'_>> {
        let most = most.unwrap_or(u32::MAX);
        let opened = self
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < most).then(|| open.saturating_add(1))
            });
        // Made only where it counts: its end counts too.
        opened.is_ok().then(|| Open(&self.open))
    }
}

/// A session that is open.
pub(super) struct Open<'a>(&'a AtomicU32);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
