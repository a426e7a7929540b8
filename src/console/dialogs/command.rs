//! `:` and a command by its name, with completion.

use tui_input::Input;

use crate::console::action::Action;
use crate::console::effect::Effect;
use crate::console::keymap;
use crate::console::state::State;
use crate::console::update::update;
use crate::protocol::Snapshot;

/// The names that begin with what was typed.
pub(super) fn matching(typed: &str) -> Vec<&'static str> {
    let typed = typed.trim();
    keymap::commands()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with(typed))
        .collect()
}

/// Extends what was typed to what all names that fit have in common.
pub(super) fn complete(input: &mut Input) {
    let names = matching(input.value());
    let Some(first) = names.first() else { return };
    let common = (0..=first.len())
        .rev()
        .find(|&len| names.iter().all(|name| name.get(..len) == first.get(..len)))
        .unwrap_or(0);
    *input = Input::new(first[..common].to_owned());
}

/// Does what the name says; a name that is short but clear is enough.
pub(super) fn run(state: &mut State, snapshot: &Snapshot, typed: &str) -> Option<Effect> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    let named = |wanted: &str| -> Option<Action> {
        keymap::commands()
            .find(|(name, _)| *name == wanted)
            .map(|(_, action)| action)
    };
    let action = named(typed).or_else(|| match matching(typed).as_slice() {
        [only] => named(only),
        _ => None,
    });
    match action {
        Some(action) => update(state, snapshot, action),
        None => {
            let names = matching(typed);
            state.complain(if names.is_empty() {
                format!("there is no command `{typed}`; `?` shows what there is")
            } else {
                format!("`{typed}` may be {}", names.join(", "))
            });
            None
        }
    }
}
