//! Help for where one is, made from the key table itself. On a page each line can be chosen, which does what its key does.

use crate::console::asked::Asked;
use crate::console::keymap::{self, Scope};

use super::{Dialog, Row};

/// The title over the keys of a dialog.
pub(super) const KEYS: &str = "Keys";

pub(super) fn dialog(scope: Scope) -> Dialog {
    let rows = keymap::bindings(scope).map(|binding| Row {
        label: binding.keys.to_owned(),
        detail: binding.help.to_owned(),
        value: binding.keys.to_owned(),
    });
    let rows: Vec<Row> = rows.collect();
    match scope {
        Scope::Page(page) => Dialog::list(
            format!("Help: {} (Enter does it, / finds)", page.title()),
            rows,
            Asked::Key(page),
        ),
        _ => {
            let lines = rows
                .iter()
                .map(|row| format!("{:<14} {}", row.label, row.detail));
            Dialog::reading(KEYS, lines.collect())
        }
    }
}
