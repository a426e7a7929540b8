//! What the pages share, as plain data: no terminal, no engine, no clock; and what a page is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use crate::model::lookup::Lookup;
use crate::model::names::site_name;
use crate::model::{Inventory, Memories, Name};
use crate::plan::{Footprint, ResolvedDraft};
use crate::protocol::{Event, GroupSpec, Listing, PeerCheck, Snapshot};
use crate::terminal::{OutputFigures, Theme};

use super::action::Action;
use super::dialogs::Dialog;
use super::effect::Effect;
use super::guide::Guide;
use super::keymap::{Hints, Keymap};
use super::message::Message;
use super::page::Page;
use super::presence::Presence;
use super::settings::Settings;

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
    /// What earlier runs are known to have delivered.
    pub memories: Memories,
}

impl Site {
    /// What people call the site.
    fn name(&self) -> String {
        let file = std::path::absolute(&self.inventory.file);
        site_name(file.as_deref().unwrap_or(&self.inventory.file))
    }
}

/// What the pages share, and the shell with them. No page is in here.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) site: Site,
    pub(crate) settings: Settings,
    /// As [`Site::name`], which looks where the program runs: once.
    pub(crate) site_name: String,
    pub(crate) page: Page,
    pub(crate) columns: u16,
    pub(crate) rows: u16,
    pub(crate) picks: Picks,
    /// Groups of the inventory and groups made here, in the order in which they are shown.
    pub(crate) drafts: Vec<Draft>,
    pub(crate) resolved: Resolved,
    /// What lies over the page; the last one has the keys.
    pub(crate) dialogs: Vec<Dialog>,
    /// What a page asks of another one; the registry hands it over when the page has returned.
    pub(crate) requests: VecDeque<Request>,
    /// The picture that is kept while transfers go on.
    pub(crate) frozen: Option<Arc<Snapshot>>,
    pub(crate) message: Option<Message>,
    pub(crate) answers: Answers,
    /// What the terminal has been sent, as of the last picture.
    pub(crate) output: OutputFigures,
    pub(crate) engine: EngineSeen,
    pub(crate) presence: Presence,
    /// A practice network: nothing can break.
    pub(crate) is_practice: bool,
    /// The guided steps, while they are shown.
    pub(crate) guide: Option<Guide>,
    pub(crate) time: Time,
}

/// How late it is, as of the last picture, and where the operator is. The loop sets both: nothing else here knows a
/// clock.
#[derive(Debug, Clone)]
pub(crate) struct Time {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

/// What is picked on the inventory page.
#[derive(Debug, Default)]
pub(crate) struct Picks {
    /// Marked entities, by their place in the inventory.
    pub(crate) marks: BTreeSet<usize>,
    /// Entities that the filter leaves, in the order in which they are shown.
    pub(crate) shown: Vec<usize>,
    pub(crate) filter: Input,
}

/// What the engine has answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Which peers hold an image.
    pub(crate) peers: BTreeMap<Name, Vec<PeerCheck>>,
    /// Images that peers are being asked for.
    pub(crate) asking: BTreeSet<Name>,
    /// Directories of file servers.
    pub(crate) listings: BTreeMap<(Name, String), Result<Listing, String>>,
}

/// What a page asks of another one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// Show what starting these groups would do.
    Review(Vec<GroupSpec>),
    /// Show what upgrading these entities would do, by their places in the inventory.
    Upgrade(Vec<usize>),
    /// Look what the entities of these groups hold.
    Verify(Vec<GroupSpec>),
    /// These groups are about to be started.
    Expect(Vec<GroupSpec>),
    /// Show this group, by its place in the snapshot.
    Watch(usize),
    /// Groups are others now.
    Regrouped,
    /// These credentials have no secret, and a group waits for it.
    Secret(Vec<String>),
}

/// A page: what it keeps for itself, what an action does on it, and how it looks.
pub(crate) trait Screen {
    fn update(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        action: Action,
    ) -> Option<Effect>;

    fn draw(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        theme: &Theme,
        frame: &mut Frame<'_>,
        area: Rect,
    );

    /// A line of text is being typed on it, and has the keys.
    fn is_typing(&self) -> bool {
        false
    }

    /// The operator comes to it.
    fn enter(&mut self, _shared: &mut Shared, _snapshot: &Snapshot) -> Option<Effect> {
        None
    }

    /// What the status line says first, and the keys that it leaves out, since they would do nothing now.
    fn hints(&self, _shared: &Shared, _snapshot: &Snapshot) -> Hints {
        Hints::default()
    }

    /// It shows how long it is until something, so that time alone changes it.
    fn counts_down(&self, _snapshot: &Snapshot) -> bool {
        false
    }

    /// A new snapshot, at the pace of the pictures.
    fn observe(&mut self, _shared: &mut Shared, _snapshot: &Snapshot) {}

    /// What the engine reports besides its snapshots.
    fn hear(&mut self, _shared: &mut Shared, _event: &Event) {}

    /// Another page asks for something.
    fn requested(
        &mut self,
        _shared: &mut Shared,
        _snapshot: &Snapshot,
        _request: Request,
    ) -> Option<Effect> {
        None
    }
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
            reads_no_peer: read.is_none(),
            force: false,
        }
    })
}

/// The drafts looked up, made anew when they change and not when they are drawn.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) groups: Vec<ResolvedDraft>,
    /// The groups of each entity.
    pub(crate) of_entity: Vec<Vec<usize>>,
    /// Columns of the longest list of groups that an entity is in.
    pub(crate) widest: usize,
}

impl Resolved {
    pub(crate) fn new(inventory: &Inventory, drafts: &[Draft]) -> Self {
        let lookup = Lookup::new(inventory);
        let resolve = |draft: &Draft| ResolvedDraft::new(&lookup, &draft.spec);
        let groups: Vec<ResolvedDraft> = drafts.iter().map(resolve).collect();
        let mut of_entity = vec![Vec::new(); inventory.entities.len()];
        for (at, group) in groups.iter().enumerate() {
            for member in &group.members {
                of_entity[*member].push(at);
            }
        }
        let width = |of: &Vec<usize>| {
            let names = of.iter().map(|at| groups[*at].name.chars().count() + 1);
            names.sum::<usize>().saturating_sub(1)
        };
        Self {
            widest: of_entity.iter().map(width).max().unwrap_or(0),
            groups,
            of_entity,
        }
    }

    /// The names of the groups that an entity is in.
    pub(crate) fn names_of(&self, entity: usize) -> impl Iterator<Item = &str> {
        let groups = self.of_entity.get(entity).into_iter().flatten();
        groups.map(|at| &*self.groups[*at].name)
    }
}

/// The groups of the inventory, and those that were made here earlier.
fn drafts(site: &Site) -> Vec<Draft> {
    let named = site.inventory.groups.iter().map(|group| Draft {
        spec: GroupSpec::Named(group.name.to_string()),
        from_inventory: true,
    });
    let made = site
        .kept
        .iter()
        .filter(|spec| matches!(spec, GroupSpec::Made(_)))
        .map(|spec| Draft {
            spec: spec.clone(),
            from_inventory: false,
        });
    named.chain(made).collect()
}

impl Shared {
    pub(crate) fn new(mut site: Site, settings: Settings) -> Self {
        let drafts = drafts(&site);
        Self {
            site_name: site.name(),
            page: Page::first(false),
            columns: 80,
            rows: 24,
            picks: Picks::default(),
            resolved: Resolved::new(&site.inventory, &drafts),
            drafts,
            dialogs: Vec::new(),
            requests: VecDeque::new(),
            frozen: None,
            message: None,
            answers: Answers::default(),
            output: OutputFigures::default(),
            engine: EngineSeen::default(),
            presence: Presence::new(std::mem::take(&mut site.memories)),
            is_practice: false,
            guide: None,
            time: Time {
                now: Timestamp::UNIX_EPOCH,
                zone: settings.zone.clone(),
            },
            settings,
            site,
        }
    }

    /// The rows of a page: the screen without title, message and status line.
    pub(crate) fn page_rows(&self) -> usize {
        usize::from(self.rows).saturating_sub(3)
    }

    /// The keys that are in force.
    pub(crate) fn keys(&self) -> &Keymap {
        &self.settings.keys
    }

    /// The key of an action on a page, to be named in a text.
    pub(crate) fn key(&self, page: Page, action: &Action) -> String {
        self.keys().on(page, action)
    }

    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.message = Some(Message::new(text));
    }

    pub(crate) fn complain(&mut self, cause: impl Display) {
        self.message = Some(Message::complaint(cause));
    }

    /// Rows of a list or a text that a dialog shows at most on this screen.
    pub(crate) fn list_rows(&self) -> usize {
        self.page_rows().saturating_sub(4).max(1)
    }

    /// Asks something of another page.
    pub(crate) fn request(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    /// The dialog that has the keys.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        self.dialogs.last()
    }
}
