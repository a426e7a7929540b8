//! Everything that the console shows, as plain data: no terminal, no engine, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Inventory, Name};
use crate::plan::Footprint;
use crate::protocol::{GroupSpec, Listing, PeerCheck, Snapshot};

use super::dialogs::Dialog;
use super::pages::{groups, history, inventory, log, review, watch};
use crate::terminal::OutputFigures;

/// What the console is opened on.
#[derive(Debug, Clone)]
pub struct Site {
    pub inventory: Arc<Inventory>,
    /// Groups made in the console earlier.
    pub kept: Vec<GroupSpec>,
    /// Credentials whose password could not be looked up, and why.
    pub without_password: BTreeMap<Name, String>,
    /// Credentials whose password is to be asked for, and has not been yet.
    pub to_ask: BTreeSet<Name>,
    /// Where the log goes, for the log page.
    pub log_file: Option<String>,
}

/// The pages in the order of their digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Page {
    Inventory,
    Groups,
    Review,
    Watch,
    Log,
    /// Without a digit.
    History,
}

impl Page {
    pub(crate) const ALL: [Self; 5] = [
        Self::Inventory,
        Self::Groups,
        Self::Review,
        Self::Watch,
        Self::Log,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Inventory => "Inventory",
            Self::Groups => "Groups",
            Self::Review => "Review",
            Self::Watch => "Watch",
            Self::Log => "Log",
            Self::History => "History",
        }
    }

    pub(crate) fn next(self, by: isize) -> Self {
        let count = Self::ALL.len() as isize;
        // From one without a digit, as from the last one.
        let here = (self as isize).min(count - 1);
        let place = (here + by).rem_euclid(count);
        Self::ALL[place as usize]
    }
}

/// One line under the page, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) site: Site,
    pub(crate) page: Page,
    pub(crate) columns: u16,
    pub(crate) rows: u16,
    pub(crate) pages: Views,
    /// Entities marked on the inventory page, by their place in the inventory.
    pub(crate) marks: BTreeSet<usize>,
    /// Groups of the inventory and groups made here, in the order in which they are shown.
    pub(crate) drafts: Vec<Draft>,
    /// What lies over the page; the last one has the keys.
    pub(crate) dialogs: Vec<Dialog>,
    /// The picture that is kept while transfers go on.
    pub(crate) frozen: Option<Arc<Snapshot>>,
    pub(crate) message: Option<Message>,
    /// Answers of the engine: which peers hold an image, and directories of file servers.
    pub(crate) peers: BTreeMap<Name, Vec<PeerCheck>>,
    pub(crate) listings: BTreeMap<(Name, String), Result<Listing, String>>,
    /// What the terminal has been sent, as of the last picture.
    pub(crate) output: OutputFigures,
    pub(crate) engine: EngineSeen,
}

/// What each page keeps for itself.
#[derive(Debug)]
pub(crate) struct Views {
    pub(crate) inventory: inventory::View,
    pub(crate) groups: groups::View,
    pub(crate) review: review::View,
    pub(crate) watch: watch::View,
    pub(crate) log: log::View,
    pub(crate) history: history::View,
}

/// The engine, as far as it is more than its snapshots.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EngineSeen {
    /// It is a process of its own: what runs outlives this console.
    pub(crate) shared: bool,
    /// No order is taken from here.
    pub(crate) watch_only: bool,
    /// It has ended, or was killed: what is shown is the last that was known.
    pub(crate) is_gone: bool,
    /// How many others watch the same engine.
    pub(crate) others: usize,
}

/// A group as it can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) spec: GroupSpec,
    /// Of the inventory: shown and started, but not changed here.
    pub(crate) from_inventory: bool,
}

/// What the groups that run take up, as far as is seen from here. Which of any peers a group may
/// still read, and which of its entities it will skip, the engine alone knows: of the first only the
/// one that is read now is taken for one, of the second all for written.
pub(crate) fn running(snapshot: &Snapshot) -> impl Iterator<Item = Footprint> {
    snapshot.running().map(|group| {
        let targets: Vec<Name> = group.unfinished().map(|one| one.entity.clone()).collect();
        let read = group.source.strip_prefix("peer:");
        Footprint {
            group: group.group.to_string(),
            image: group.image.clone(),
            written: targets.iter().cloned().collect(),
            targets,
            read: read.map(Name::from).into_iter().collect(),
            peer: None,
            force: false,
        }
    })
}

impl State {
    pub(crate) fn new(site: Site) -> Self {
        let drafts = groups::drafts(&site);
        Self {
            page: Page::Inventory,
            columns: 80,
            rows: 24,
            pages: Views {
                inventory: inventory::View::new(&site.inventory),
                groups: groups::View::new(&site.inventory, &drafts),
                review: review::View::default(),
                watch: watch::View::default(),
                log: log::View::default(),
                history: history::View::default(),
            },
            marks: BTreeSet::new(),
            drafts,
            dialogs: Vec::new(),
            frozen: None,
            message: None,
            peers: BTreeMap::new(),
            listings: BTreeMap::new(),
            output: OutputFigures::default(),
            engine: EngineSeen::default(),
            site,
        }
    }

    /// The rows of a page: the screen without title, message and status line.
    pub(crate) fn page_rows(&self) -> usize {
        usize::from(self.rows).saturating_sub(3)
    }

    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            is_error: false,
        });
    }

    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            is_error: true,
        });
    }

    /// The dialog that has the keys.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        self.dialogs.last()
    }
}

/// A cursor in a list that may be longer than the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    pub(crate) cursor: usize,
    /// The first row that is shown.
    pub(crate) offset: usize,
}

impl Scroll {
    /// Moves the cursor by a number of rows, within a list of `len` of which `rows` are shown.
    pub(crate) fn by(&mut self, rows_down: isize, len: usize, rows: usize) {
        let last = len.saturating_sub(1);
        self.to(
            self.cursor.saturating_add_signed(rows_down).min(last),
            len,
            rows,
        );
    }

    /// Puts the cursor on a row and shows it.
    pub(crate) fn to(&mut self, row: usize, len: usize, rows: usize) {
        let rows = rows.max(1);
        self.cursor = row.min(len.saturating_sub(1));
        self.offset = self
            .offset
            .clamp((self.cursor + 1).saturating_sub(rows), self.cursor)
            .min(len.saturating_sub(rows));
    }

    /// What the keys that move do; `false` for any other action.
    pub(crate) fn follow(
        &mut self,
        action: &super::action::Action,
        len: usize,
        rows: usize,
    ) -> bool {
        use super::action::Action;
        let page = isize::try_from(rows.saturating_sub(1).max(1)).unwrap_or(isize::MAX);
        match action {
            Action::Up => self.by(-1, len, rows),
            Action::Down => self.by(1, len, rows),
            Action::PageUp => self.by(-page, len, rows),
            Action::PageDown => self.by(page, len, rows),
            Action::First => self.to(0, len, rows),
            Action::Last => self.to(len, len, rows),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Scroll;

    proptest::proptest! {
        #[test]
        fn the_cursor_is_always_in_the_list_and_on_the_screen(
            steps in proptest::collection::vec((-50_isize..50, 0_usize..60, 0_usize..30), 1..40)
        ) {
            let mut scroll = Scroll::default();
            for (by, len, rows) in steps {
                scroll.by(by, len, rows);
                proptest::prop_assert!(scroll.cursor < len.max(1));
                proptest::prop_assert!(scroll.offset <= scroll.cursor);
                proptest::prop_assert!(scroll.cursor < scroll.offset + rows.max(1));
            }
        }
    }
}
