//! `:` and a command by its name, with completion.

use tui_input::Input;

use crate::console::keymap;

use super::Outcome;

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

/// What the name means; a name that is short but clear is enough.
pub(super) fn run(typed: &str) -> Outcome {
    let typed = typed.trim();
    if typed.is_empty() {
        return Outcome::Nothing;
    }
    let named = |wanted: &str| keymap::commands().find(|(name, _)| *name == wanted);
    let names = matching(typed);
    let command = named(typed).or_else(|| match names.as_slice() {
        [only] => named(only),
        _ => None,
    });
    match command {
        Some((_, action)) => Outcome::Command(action),
        None if names.is_empty() => Outcome::Complain(format!(
            "there is no command `{typed}`; `?` shows what there is"
        )),
        None => Outcome::Complain(format!("`{typed}` may be {}", names.join(", "))),
    }
}
