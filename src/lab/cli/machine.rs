//! A machine that boots images: what is in its banks, which of them runs, what boots next, and how many times what
//! was done to it. It knows no files and no time: what a file holds is asked for when it boots.
//!
//! Banks hold versions, apart from the files: an image that proves good when it boots is in a bank from then on, as
//! on a device whose loader writes it there. What runs stays in memory, also where its bank was written over.

use std::collections::BTreeMap;

/// Different commands that are counted each by itself; the rest is counted as one.
const MOST_COMMANDS: usize = 64;
/// What the rest is counted as.
const THE_REST: &str = "the rest";

/// What a machine boots next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) enum Next {
    Bank(usize),
    /// What the first of these files holds, at that time, that boots.
    Files(Vec<String>),
}

/// What goes wrong when a machine boots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::lab) struct Fate {
    /// What is new does not boot.
    pub(in crate::lab) fails: bool,
    /// What is new is there, and what ran before runs again.
    pub(in crate::lab) stays_old: bool,
    /// What does not boot is written over what did.
    pub(in crate::lab) no_fallback: bool,
    /// It hangs for ever.
    pub(in crate::lab) never: bool,
}

/// One machine.
#[derive(Debug)]
pub(in crate::lab) struct Machine {
    /// The version in each bank: one bank or two. `None`: nothing that boots.
    banks: Vec<Option<String>>,
    running: usize,
    version: String,
    /// What boots next, as it was set.
    set: Next,
    /// The same, as a restart finds it.
    saved: Next,
    /// A bank that was kept for later.
    kept: Option<usize>,
    boots: u64,
    ran: BTreeMap<String, u64>,
}

/// What a lab's device has booted, holds, and was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineState {
    /// What runs.
    pub version: String,
    /// The bank that it runs from, from 0.
    pub bank: usize,
    /// The version in each bank; `None` where nothing boots.
    pub banks: Vec<Option<String>>,
    /// The file that boots next, of several the first; `None` where a bank does.
    pub boot_file: Option<String>,
    /// Restarts since the lab began.
    pub boots: u64,
    /// The number of times that each command ran that changes something, as it was given (`write memory`).
    pub ran: BTreeMap<String, u64>,
    /// Whether it could start once more: at least one bank holds an image that boots.
    pub holds_bootable_image: bool,
}

impl Machine {
    /// One that runs `version`, with one bank or `two`; `boots_file`: it boots what is in that file, unless
    /// otherwise set.
    pub(in crate::lab) fn new(version: &str, two: bool, boots_file: Option<String>) -> Self {
        let next = boots_file.map_or(Next::Bank(0), |file| Next::Files(vec![file]));
        let mut banks = vec![Some(version.to_owned())];
        banks.extend(two.then_some(None));
        Self {
            banks,
            running: 0,
            version: version.into(),
            set: next.clone(),
            saved: next,
            kept: None,
            boots: 0,
            ran: BTreeMap::new(),
        }
    }

    pub(in crate::lab) fn version(&self) -> &str {
        &self.version
    }

    pub(in crate::lab) fn banks(&self) -> &[Option<String>] {
        &self.banks
    }

    pub(in crate::lab) fn running(&self) -> usize {
        self.running
    }

    /// What boots next, if that is saved.
    pub(in crate::lab) fn next(&self) -> &Next {
        &self.set
    }

    /// The bank that an image goes to: the one that does not run, or the only one.
    pub(in crate::lab) fn other(&self) -> usize {
        (self.running + 1) % self.banks.len()
    }

    /// Sets what boots next; a restart does not find that before [`Self::save`].
    pub(in crate::lab) fn set(&mut self, next: Next) {
        self.set = next;
    }

    /// One more file to boot, behind those that are set.
    pub(in crate::lab) fn add(&mut self, file: &str) {
        match &mut self.set {
            Next::Files(files) if files.iter().any(|known| known == file) => {}
            Next::Files(files) => files.push(file.into()),
            Next::Bank(_) => self.set = Next::Files(vec![file.into()]),
        }
    }

    pub(in crate::lab) fn keep(&mut self) {
        self.kept = Some(self.running);
    }

    pub(in crate::lab) fn kept(&self) -> Option<usize> {
        self.kept
    }

    /// Whether a restart would lose what was set.
    pub(in crate::lab) fn is_unsaved(&self) -> bool {
        self.set != self.saved
    }

    pub(in crate::lab) fn save(&mut self) {
        self.saved = self.set.clone();
    }

    /// Writes a version, or what does not boot, to the other bank, which boots next.
    pub(in crate::lab) fn install(&mut self, version: Option<String>) {
        let other = self.other();
        self.banks[other] = version;
        self.set = Next::Bank(other);
        self.save();
    }

    /// Counts a command that has changed something.
    pub(in crate::lab) fn count(&mut self, command: &str) {
        let is_known = self.ran.contains_key(command) || self.ran.len() < MOST_COMMANDS;
        let counted = if is_known { command } else { THE_REST };
        *self.ran.entry(counted.into()).or_default() += 1;
    }

    /// The files of which a restart boots the first that boots; none where it boots a bank.
    pub(in crate::lab) fn saved_files(&self) -> &[String] {
        match &self.saved {
            Next::Bank(_) => &[],
            Next::Files(files) => files,
        }
    }

    /// Restarts; `held` is the version in the first of [`Self::saved_files`] that is an image that boots here. Whether
    /// the machine comes back.
    pub(in crate::lab) fn boot(&mut self, fate: Fate, held: Option<String>) -> bool {
        self.boots += 1;
        // What was not saved is lost.
        self.set = self.saved.clone();
        if fate.never {
            return false;
        }
        let (target, found) = match &self.saved {
            Next::Bank(bank) => (*bank, self.banks.get(*bank).cloned().flatten()),
            Next::Files(_) => {
                let bank = self.banks.iter().position(|bank| *bank == held);
                let bank = bank.filter(|_| held.is_some());
                (bank.unwrap_or_else(|| self.other()), held)
            }
        };
        let is_new = found.as_ref() != Some(&self.version);
        match found.filter(|_| !(is_new && fate.fails)) {
            Some(version) => {
                if let Some(bank) = self.banks.get_mut(target) {
                    *bank = Some(version);
                }
                if !(is_new && fate.stays_old) {
                    return self.run(target);
                }
                // Its own bank may be the one that was written to.
                true
            }
            None => {
                if fate.no_fallback {
                    self.banks[target] = None;
                    return false;
                }
                let other = self.other();
                self.run(self.running) || self.run(other)
            }
        }
    }

    /// Runs what is in a bank, if that boots.
    fn run(&mut self, bank: usize) -> bool {
        let Some(Some(version)) = self.banks.get(bank) else {
            return false;
        };
        self.version = version.clone();
        self.running = bank;
        true
    }

    pub(in crate::lab) fn state(&self) -> MachineState {
        MachineState {
            version: self.version.clone(),
            bank: self.running,
            banks: self.banks.clone(),
            boot_file: self.saved_files().first().cloned(),
            boots: self.boots,
            ran: self.ran.clone(),
            holds_bootable_image: self.banks.iter().any(Option::is_some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(version: &str) -> Option<String> {
        Some(version.to_owned())
    }

    /// A machine with 1 in its first bank, which is to boot a file.
    fn about_to_boot(two: bool) -> Machine {
        let mut machine = Machine::new("1", two, None);
        machine.add("/new");
        machine.save();
        machine
    }

    #[test]
    fn a_good_file_boots_from_the_other_bank_and_the_first_one_is_the_way_back() {
        let mut machine = about_to_boot(true);
        assert_eq!(machine.version(), "1");
        assert_eq!(machine.saved_files(), ["/new"]);
        assert!(machine.boot(Fate::default(), held("2")));
        assert_eq!((machine.version(), machine.running()), ("2", 1));
        assert_eq!(machine.banks(), [held("1"), held("2")]);
        // Once more is not once more elsewhere.
        assert!(machine.boot(Fate::default(), held("2")));
        assert_eq!((machine.version(), machine.running()), ("2", 1));
        machine.set(Next::Bank(machine.other()));
        machine.save();
        assert!(machine.boot(Fate::default(), None));
        assert_eq!((machine.version(), machine.running()), ("1", 0));
        assert_eq!(machine.state().boots, 3);
    }

    #[test]
    fn what_is_not_saved_is_lost() {
        let mut machine = Machine::new("1", true, None);
        machine.add("/new");
        assert!(machine.boot(Fate::default(), held("2")));
        assert_eq!(machine.version(), "1");
        assert_eq!(*machine.next(), Next::Bank(0));
    }

    #[test]
    fn files_are_booted_in_order_and_a_bank_that_was_kept_is_known_later() {
        let mut machine = about_to_boot(true);
        assert!(!machine.is_unsaved());
        machine.add("/old");
        machine.add("/new");
        assert!(machine.is_unsaved());
        machine.save();
        assert_eq!(machine.saved_files(), ["/new", "/old"]);
        assert_eq!(machine.kept(), None);
        machine.keep();
        assert!(machine.boot(Fate::default(), held("2")));
        assert_eq!((machine.running(), machine.kept()), (1, Some(0)));
    }

    #[test]
    fn what_does_not_boot_leaves_the_old_version_or_nothing() {
        for two in [false, true] {
            let mut machine = about_to_boot(two);
            assert!(machine.boot(Fate::default(), None));
            assert_eq!(machine.version(), "1");
            let fails = Fate {
                fails: true,
                ..Fate::default()
            };
            assert!(machine.boot(fails, held("2")));
            assert_eq!((machine.version(), machine.running()), ("1", 0));
            assert!(machine.state().holds_bootable_image);

            let bricks = Fate {
                no_fallback: true,
                ..Fate::default()
            };
            assert!(!machine.boot(bricks, None));
            assert_eq!(machine.state().holds_bootable_image, two);

            let hangs = Fate {
                never: true,
                ..Fate::default()
            };
            let mut machine = about_to_boot(two);
            assert!(!machine.boot(hangs, held("2")));
            assert!(machine.state().holds_bootable_image);
        }
    }

    #[test]
    fn a_machine_that_stays_old_holds_the_new_version_and_does_not_run_it() {
        let mut machine = about_to_boot(true);
        let stays = Fate {
            stays_old: true,
            ..Fate::default()
        };
        assert!(machine.boot(stays, held("2")));
        assert_eq!((machine.version(), machine.running()), ("1", 0));
        assert_eq!(machine.banks(), [held("1"), held("2")]);
    }

    #[test]
    fn an_installed_image_runs_from_the_next_boot_on() {
        let mut machine = Machine::new("1", false, None);
        machine.install(held("2"));
        assert_eq!(machine.version(), "1");
        assert!(machine.boot(Fate::default(), None));
        assert_eq!(machine.version(), "2");
        machine.install(None);
        assert!(!machine.boot(Fate::default(), None));
        assert!(!machine.state().holds_bootable_image);
    }

    #[test]
    fn commands_are_counted_each_and_their_number_is_bounded() {
        let mut machine = Machine::new("1", true, None);
        machine.count("reload");
        machine.count("reload");
        for number in 0..1000 {
            machine.count(&format!("boot system {number}"));
        }
        let ran = machine.state().ran;
        assert_eq!(ran["reload"], 2);
        assert_eq!(ran.len(), MOST_COMMANDS + 1);
        assert_eq!(ran.values().sum::<u64>(), 1002);
    }
}
