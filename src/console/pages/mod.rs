//! The pages, and the one place that lists them: who has an action, an answer or a request of another page.

mod groups;
mod history;
mod inventory;
mod log;
mod overview;
mod review;
mod watch;

use crate::protocol::{Event, Snapshot};

use super::action::Action;
use super::asked::{Answer, Asked, OfInventory};
use super::effect::Effect;
use super::keymap::Scope;
use super::page::Page;
use super::settings::Settings;
use super::state::{Request, Screen, Shared, Site};
use super::{reports, stopping};

pub use log::LogCapture;
#[cfg(test)]
pub(crate) use log::{alone, nobody_logs};

/// Everything that the console shows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) shared: Shared,
    pub(crate) pages: Pages,
}

#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) overview: overview::View,
    pub(crate) inventory: inventory::View,
    pub(crate) groups: groups::View,
    pub(crate) review: review::View,
    pub(crate) watch: watch::View,
    pub(crate) log: log::View,
    pub(crate) history: history::View,
}

impl Pages {
    fn at(&self, page: Page) -> &dyn Screen {
        match page {
            Page::Overview => &self.overview,
            Page::Inventory => &self.inventory,
            Page::Groups => &self.groups,
            Page::Review => &self.review,
            Page::Watch => &self.watch,
            Page::Log => &self.log,
            Page::History => &self.history,
        }
    }

    fn at_mut(&mut self, page: Page) -> &mut dyn Screen {
        match page {
            Page::Overview => &mut self.overview,
            Page::Inventory => &mut self.inventory,
            Page::Groups => &mut self.groups,
            Page::Review => &mut self.review,
            Page::Watch => &mut self.watch,
            Page::Log => &mut self.log,
            Page::History => &mut self.history,
        }
    }
}

/// The page that has an action while the operator is on `here`.
fn page_of(action: &Action, here: Page) -> Page {
    match action {
        Action::Past(_) | Action::OpenedRun { .. } => Page::History,
        Action::NewGroup | Action::AutoGroup if here == Page::Inventory => Page::Groups,
        _ => here,
    }
}

fn page_asked(request: &Request) -> Page {
    match request {
        Request::Review(_) | Request::Upgrade(_) | Request::Verify(_) | Request::Secret(_) => {
            Page::Review
        }
        Request::Expect(_) | Request::Watch(_) => Page::Watch,
        Request::Regrouped => Page::Inventory,
    }
}

impl State {
    #[cfg(test)]
    pub(crate) fn new(site: Site) -> Self {
        Self::with(site, Settings::default())
    }

    pub(crate) fn with(site: Site, settings: Settings) -> Self {
        let mut shared = Shared::new(site, settings);
        let pages = Pages {
            overview: overview::View::default(),
            inventory: inventory::View::new(&mut shared),
            groups: groups::View::new(&shared),
            review: review::View::default(),
            watch: watch::View::default(),
            log: log::View::default(),
            history: history::View::default(),
        };
        Self { shared, pages }
    }

    /// The page that the operator is on.
    pub(crate) fn screen(&self) -> &dyn Screen {
        self.pages.at(self.shared.page)
    }

    /// Which review is on the screen, where one that can be started is.
    pub(crate) fn reviewed(&self) -> Option<u64> {
        let review = &self.pages.review;
        let is_shown = self.shared.page == Page::Review && !review.specs.is_empty();
        is_shown.then_some(review.edition)
    }

    /// What a key means now depends on this.
    pub(crate) fn scope(&self) -> Scope {
        match self.shared.dialog() {
            Some(dialog) => Scope::Dialog(dialog.kind()),
            None if self.screen().is_typing() => Scope::Typing,
            None => Scope::Page(self.shared.page),
        }
    }

    /// Whether it shows what no event of the engine announces.
    pub(crate) fn watches_log(&self) -> bool {
        self.shared.page == Page::Log
    }

    /// Takes what was logged; whether the screen has to be drawn for it.
    pub(crate) fn take_log(&mut self) -> bool {
        log::observe(&mut self.pages.log, &self.shared, LogCapture::take())
    }

    pub(crate) fn act(&mut self, snapshot: &Snapshot, action: Action) -> Option<Effect> {
        let page = page_of(&action, self.shared.page);
        let effect = (self.pages.at_mut(page)).update(&mut self.shared, snapshot, action);
        self.pass_on(snapshot, effect)
    }

    pub(crate) fn go(&mut self, snapshot: &Snapshot, page: Page) -> Option<Effect> {
        self.shared.page = page;
        self.pages.at_mut(page).enter(&mut self.shared, snapshot)
    }

    /// The answer goes to the page that asked.
    pub(crate) fn answered(
        &mut self,
        snapshot: &Snapshot,
        asked: Asked,
        answer: Answer,
    ) -> Option<Effect> {
        let Self { shared, pages } = self;
        let effect = match asked {
            Asked::Quit => stopping::quit_as(&answer),
            // A key that was chosen in the help is carried out like one that was pressed.
            Asked::Key => None,
            Asked::Suspend => Some(Effect::Suspend),
            Asked::Cancel(target) => Some(stopping::cancel(target)),
            Asked::Groups(asked) => {
                groups::answered(&mut pages.groups, shared, snapshot, asked, answer)
            }
            Asked::Review(asked) => {
                review::answered(&mut pages.review, shared, snapshot, asked, answer)
            }
            Asked::Watch(asked) => pages.watch.answered(shared, snapshot, asked, answer),
            Asked::Inventory(OfInventory::SavedFilter) => {
                inventory::chosen(&mut pages.inventory, shared, snapshot, answer);
                None
            }
            Asked::Log(asked) => log::answered(&mut pages.log, shared, asked, answer),
            Asked::Report(asked) => reports::answered(shared, asked, answer),
        };
        self.pass_on(snapshot, effect)
    }

    pub(crate) fn hear(&mut self, event: &Event) {
        for page in Page::EVERY {
            self.pages.at_mut(page).hear(&mut self.shared, event);
        }
    }

    /// What is known of peers has changed.
    pub(crate) fn hear_of_peers(&mut self) {
        groups::arrived(&mut self.shared);
    }

    pub(crate) fn observe(&mut self, snapshot: &Snapshot) {
        self.shared.presence.observe(snapshot);
        for page in Page::EVERY {
            self.pages.at_mut(page).observe(&mut self.shared, snapshot);
        }
        let guide = self.shared.guide;
        self.shared.guide = guide.and_then(|guide| guide.look(&self.shared, snapshot));
    }

    /// What pages ask of one another. At most one of those that have a hand in an action has an effect.
    fn pass_on(&mut self, snapshot: &Snapshot, mut effect: Option<Effect>) -> Option<Effect> {
        while let Some(request) = self.shared.requests.pop_front() {
            let page = self.pages.at_mut(page_asked(&request));
            let more = page.requested(&mut self.shared, snapshot, request);
            effect = effect.or(more);
        }
        effect
    }
}

#[cfg(test)]
impl State {
    /// What the groups page says against starting the first groups of its list.
    pub(crate) fn against_groups(&self, snapshot: &Snapshot, groups: usize) -> Vec<String> {
        groups::against(&self.pages.groups, &self.shared, snapshot, groups)
    }

    /// What the review says against a start.
    pub(crate) fn against_start(
        &mut self,
        snapshot: &Snapshot,
        specs: Vec<crate::protocol::GroupSpec>,
        force: bool,
    ) -> Vec<String> {
        let view = &mut self.pages.review;
        (view.specs, view.force) = (specs, force);
        review::against(view, &self.shared, snapshot)
    }
}
