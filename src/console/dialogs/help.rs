//! Help for where one is, made from the key table itself. On a page each line can be chosen, which does what its key does.

use crate::console::action::Action;
use crate::console::asked::Asked;
use crate::console::keymap::{Keymap, Kind, Scope};

use super::{Dialog, Row};

/// The title over the keys of a dialog.
pub(super) const KEYS: &str = "Keys";

pub(super) fn dialog(keys: &Keymap, scope: Scope) -> Dialog {
    let rows = keys.rows(scope).map(|row| Row {
        label: row.label(),
        detail: row.help().to_owned(),
        value: row.name().to_owned(),
    });
    let rows: Vec<Row> = rows.collect();
    match scope {
        Scope::Page(page) => Dialog::list(
            {
                let key = |action| keys.key(Scope::Dialog(Kind::List), &action);
                let (does, finds) = (key(Action::Submit), key(Action::Find));
                format!("Help: {} ({does} does it, {finds} finds)", page.title())
            },
            rows,
            Asked::Key,
        ),
        _ => {
            let lines = rows
                .iter()
                .map(|row| format!("{:<14} {}", row.label, row.detail));
            Dialog::reading(KEYS, lines.collect())
        }
    }
}
