//! A cursor in a list, and the part of the list that is on the screen.

use super::action::Action;

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
    pub(crate) fn follow(&mut self, action: &Action, len: usize, rows: usize) -> bool {
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
