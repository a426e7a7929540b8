//! What a click means that is no page's own: a page's name in the title, a key in the status line. What is drawn there is
//! what is read, so that nothing can be clicked that is not seen.

use super::action::Action;
use super::keymap::{Key, Keymap, Scope};
use super::page::Page;

/// A row as it is drawn, and the byte of it that was clicked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clicked<'r> {
    pub(crate) row: &'r str,
    pub(crate) at: usize,
}

impl Clicked<'_> {
    /// The page whose name, or key, it is.
    pub(crate) fn page(self, keys: &Keymap, current: Page) -> Option<Action> {
        let page = |page: &Page| {
            let action = Action::Go(*page);
            let key = keys.on(current, &action);
            let whole = format!(" {key} {}", page.title());
            // Of the others the key alone may be there.
            self.is_on(&whole) || self.is_on(&format!(" {key}"))
        };
        Page::ALL.into_iter().find(page).map(Action::Go)
    }

    /// What the key does that is named there.
    pub(crate) fn hint(self, keys: &Keymap, scope: Scope) -> Option<Action> {
        let (before, after) = (self.row.get(..self.at)?, self.row.get(self.at..)?);
        if after.starts_with(' ') && (before.ends_with(' ') || after.starts_with("  ")) {
            return None;
        }
        let begin = before.rfind("  ").map_or(0, |gap| gap + 2);
        let end = after.find("  ").unwrap_or(after.len());
        let hint = self.row.get(begin..self.at + end)?;
        let key = hint.split(' ').next().filter(|key| !key.is_empty())?;
        keys.action(&Key::written(key).ok()?.event(), scope)
    }

    /// At the first place that has these words: what the title says behind its pages is none of them.
    fn is_on(self, words: &str) -> bool {
        let place = self.row.find(words);
        place.is_some_and(|begin| (begin..begin + words.len()).contains(&self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_keys_are_where_they_are_drawn() {
        let keys = Keymap::default();
        let page = |row: &str, on: &str| {
            let at = row.find(on).unwrap() + on.len() - 1;
            Clicked { row, at }.page(&keys, Page::Watch)
        };
        let long = "site  0 Overview 1 Inventory 2 Groups 3 Review 4 Watch 5 Log   idle";
        assert_eq!(page(long, "2 Gr"), Some(Action::Go(Page::Groups)));
        assert_eq!(page(long, " 5"), Some(Action::Go(Page::Log)));
        assert_eq!(page(long, "id"), None);
        assert_eq!(page(long, "sit"), None);
        let short = "site  0 1 2 3 4 Watch 5   1 group runs";
        assert_eq!(page(short, " 0 1"), Some(Action::Go(Page::Inventory)));
        assert_eq!(page(short, "1 group"), None);
        assert_eq!(page(short, "  1"), None, "how many groups run");
        let hint = |row: &str, on: &str| {
            let at = row.find(on).unwrap() + on.len() - 1;
            Clicked { row, at }.hint(&keys, Scope::Page(Page::Watch))
        };
        let row = "x cancel  p pause  m next failure  : command  ? help  q quit      ";
        assert_eq!(hint(row, "x"), Some(Action::Cancel));
        assert_eq!(hint(row, "next fail"), Some(Action::NextFailure));
        assert_eq!(hint(row, "q quit"), Some(Action::Quit));
        assert_eq!(hint(row, "cancel  "), None, "between two of them");
        assert_eq!(hint(row, "quit    "), None, "behind all of them");
    }
}
