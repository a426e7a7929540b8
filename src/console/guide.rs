//! The guided steps of `subtend demo`: one line says what to press next, and follows what is done. It takes no key away, waits
//! for nothing, and can be left at any time.

use super::action::Action;
use super::keymap::Keymap;
use super::page::Page;

/// Steps before the end.
const STEPS: usize = 5;

/// What is to be tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Pick,
    Sheet,
    Start,
    Look,
    Again,
    Over(Page),
}

/// Where the operator is, and what has been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) page: Page,
    /// Devices are marked, or a filter picks some.
    pub(crate) picked: bool,
    /// Groups that were started.
    pub(crate) groups: usize,
    /// A text is being read.
    pub(crate) reads: bool,
    /// It is asked what is tried again.
    pub(crate) retries: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guide(Step);

impl Guide {
    pub(crate) fn new() -> Self {
        Self(Step::Pick)
    }

    /// The guide after a look at where the operator is; none once it is over and they go on. What was done without it
    /// counts.
    pub(crate) fn look(self, seen: Seen) -> Option<Self> {
        let mut step = self.0;
        let reached = |step: Step| match step {
            Step::Pick => seen.page != Page::Inventory || seen.picked,
            Step::Sheet => seen.page == Page::Review || seen.groups > 0,
            Step::Start => seen.groups > 0,
            Step::Look => seen.page == Page::Overview || seen.page == Page::Watch && seen.reads,
            Step::Again => seen.retries || seen.groups > 1,
            Step::Over(page) => seen.page != page,
        };
        while reached(step) {
            step = match step {
                Step::Pick => Step::Sheet,
                Step::Sheet => Step::Start,
                Step::Start => Step::Look,
                Step::Look => Step::Again,
                Step::Again => Step::Over(seen.page),
                Step::Over(_) => return None,
            };
        }
        Some(Self(step))
    }

    /// What to press next, in about a line of 80 columns.
    pub(crate) fn line(self, keys: &Keymap) -> String {
        let key = |page, action| keys.on(page, &action);
        let [inventory, review, watch] = [Page::Inventory, Page::Review, Page::Watch];
        let leave = key(inventory, Action::Guide);
        let upgrade = key(inventory, Action::Upgrade);
        let (number, text) = match self.0 {
            Step::Pick => (
                1,
                format!(
                    "{} finds devices: type adsl, Enter ({leave} leaves this guide)",
                    key(inventory, Action::Filter)
                ),
            ),
            Step::Sheet => (
                2,
                format!(
                    "{upgrade} on page {}: one sheet says who gets what, and from where",
                    key(inventory, Action::Go(inventory))
                ),
            ),
            Step::Start => (
                3,
                format!(
                    "{} starts what the sheet shows; {} asks the devices first",
                    key(review, Action::Begin),
                    key(review, Action::Probe)
                ),
            ),
            Step::Look => (
                4,
                format!(
                    "Down, {} says all of a device; {} is a map, {} the overview",
                    key(watch, Action::Details),
                    key(watch, Action::Zoom),
                    key(watch, Action::Go(Page::Overview))
                ),
            ),
            Step::Again => (
                5,
                format!(
                    "on page {}: {} finds what failed, on purpose here; {} tries again",
                    key(watch, Action::Go(Page::Watch)),
                    key(watch, Action::NextFailure),
                    key(watch, Action::Retry)
                ),
            ),
            Step::Over(_) => {
                return format!(
                    "That was all: {} shows the keys of a page, {} past runs, {} leaves",
                    key(watch, Action::Help),
                    key(watch, Action::Go(Page::History)),
                    key(watch, Action::Quit)
                );
            }
        };
        format!("{number} of {STEPS}: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::pages::State;
    use crate::console::testing::{self, press};
    use crate::protocol::Snapshot;

    fn guided() -> State {
        let mut state = testing::state();
        state.shared.is_practice = true;
        state.shared.guide = Some(Guide::new());
        state
    }

    /// The line after these keys.
    fn after(state: &mut State, snapshot: &Snapshot, keys: &str) -> Option<String> {
        press(state, snapshot, keys);
        state.observe(snapshot);
        let guide = state.shared.guide?;
        Some(guide.line(state.shared.keys()))
    }

    #[test]
    fn it_follows_what_is_done_and_ends_by_itself() {
        let (idle, busy) = (testing::idle(), testing::snapshot());
        let mut state = guided();
        let mut step = |snapshot: &Snapshot, keys: &str, begins: &str| {
            let line = after(&mut state, snapshot, keys).unwrap_or_default();
            assert!(line.starts_with(begins), "{keys}: {line}");
            assert!(line.chars().count() <= 80, "{line}");
        };
        step(&idle, "", "1 of 5: / finds devices");
        step(&idle, "/adsl<Enter>", "2 of 5: U on page 1");
        step(&idle, "U", "3 of 5: Y starts");
        step(&busy, "4", "4 of 5: Down, Enter");
        step(&busy, "<Down><Enter>", "5 of 5: on page 4: m finds");
        step(&busy, "<Esc>mr", "That was all: ?");
        step(&busy, "<Esc>", "That was all: ?");
        assert_eq!(after(&mut state, &busy, "1"), None);
    }

    #[test]
    fn it_is_left_at_any_time_and_what_is_done_without_it_counts() {
        let busy = testing::snapshot();
        let mut state = guided();
        let line = after(&mut state, &busy, "").unwrap();
        assert!(line.starts_with("1 of 5"), "{line}");
        let line = after(&mut state, &busy, "2").unwrap();
        assert!(line.starts_with("4 of 5"), "{line}");
        assert_eq!(after(&mut state, &busy, "Z"), None);
        let line = after(&mut state, &busy, "Z").unwrap();
        assert!(line.starts_with("4 of 5"), "it can be had again: {line}");
    }
}
