//! Help for the page one is on, made from the key table itself.

use crate::console::keymap::{self, Scope};
use crate::console::page::Page;

use super::Dialog;

pub(super) fn dialog(page: Page) -> Dialog {
    let mut lines: Vec<String> = keymap::bindings(Scope::Page(page))
        .map(|binding| format!("{:<14} {}", binding.keys, binding.help))
        .collect();
    lines.push(String::new());
    lines.push("Commands after `:` (Tab completes):".into());
    let names: Vec<&str> = keymap::commands().map(|(name, _)| name).collect();
    lines.extend(
        names
            .chunks(5)
            .map(|names| format!("  {}", names.join("  "))),
    );
    Dialog::reading(format!("Help: {}", page.title()), lines)
}
