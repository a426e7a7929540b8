//! What is looked for in a list or a text.

use tui_input::Input;

use crate::console::action::Action;

use super::Row;

/// The words that are looked for, and whether they are still being typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Find {
    pub(super) input: Input,
    pub(super) is_typed: bool,
}

impl Find {
    pub(super) fn is_empty(&self) -> bool {
        self.input.value().trim().is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What typing does to it; `false` for an action that is no typing.
    pub(super) fn edit(&mut self, action: &Action) -> bool {
        let Action::Edit(request) = action else {
            return false;
        };
        self.input.handle(*request);
        true
    }

    fn words(&self) -> Vec<String> {
        let typed = self.input.value().to_lowercase();
        typed.split_whitespace().map(str::to_owned).collect()
    }

    /// Whether a text holds all of the words.
    pub(super) fn holds(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let words = self.words();
        !words.is_empty() && words.iter().all(|word| text.contains(word.as_str()))
    }

    /// The places of the rows that it leaves: those that hold the words, else those whose label has the letters in
    /// this order.
    pub(super) fn left(&self, rows: &[Row]) -> Vec<usize> {
        if self.is_empty() {
            return (0..rows.len()).collect();
        }
        let all = || rows.iter().enumerate();
        let holds = |row: &Row| self.holds(&format!("{} {}", row.label, row.detail));
        let found: Vec<usize> = all()
            .filter(|(_, row)| holds(row))
            .map(|(at, _)| at)
            .collect();
        if !found.is_empty() {
            return found;
        }
        let letters: String = self.words().concat();
        all()
            .filter(|(_, row)| has_letters(&row.label, &letters))
            .map(|(at, _)| at)
            .collect()
    }
}

/// Whether the letters stand in the text in this order, whatever is between them.
fn has_letters(text: &str, letters: &str) -> bool {
    let text = text.to_lowercase();
    let mut rest = text.chars();
    letters.chars().all(|letter| rest.any(|c| c == letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(typed: &str) -> Vec<usize> {
        let row = |label: &str, detail: &str| Row {
            label: label.into(),
            detail: detail.into(),
            value: String::new(),
        };
        let rows = [
            row("hq", "file server ftp://192.0.2.10/images"),
            row("peer:shelf1-07", "2.4, not checked"),
            row("peer:shelf2-07", "2.3, not checked"),
        ];
        let find = Find {
            input: Input::new(typed.into()),
            is_typed: true,
        };
        find.left(&rows)
    }

    #[test]
    fn words_are_looked_for_first_and_letters_in_their_order_after_that() {
        assert_eq!(left(""), [0, 1, 2]);
        assert_eq!(left("SHELF2"), [2]);
        assert_eq!(left("peer 2.4"), [1]);
        assert_eq!(left("s107"), [1]);
        assert_eq!(left("zzz"), [] as [usize; 0]);
    }
}
