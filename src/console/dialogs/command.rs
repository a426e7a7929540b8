//! `:` and a command by its name: completed as it is typed, with the key that does the same and what it does.

use tui_input::Input;

use crate::console::action::Action;
use crate::console::keymap;

use super::Outcome;

/// A command as it is offered.
pub(super) struct Offer {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) action: &'static Action,
}

fn offers() -> impl Iterator<Item = Offer> {
    keymap::commands().map(|(name, action)| Offer {
        name,
        help: keymap::help_of(action),
        action,
    })
}

/// Those whose names begin with what was typed, then those that hold it in their names or their help.
pub(super) fn matching(typed: &str) -> Vec<Offer> {
    let typed = typed.trim().to_lowercase();
    let (mut begin, others): (Vec<Offer>, Vec<Offer>) =
        offers().partition(|offer| offer.name.starts_with(&typed));
    let holds = |offer: &Offer| {
        offer.name.contains(&typed) || offer.help.to_lowercase().contains(typed.as_str())
    };
    begin.extend(others.into_iter().filter(holds));
    begin
}

/// The names that begin with what was typed.
fn names(typed: &str) -> Vec<&'static str> {
    let typed = typed.trim();
    let names = keymap::commands().map(|(name, _)| name);
    names.filter(|name| name.starts_with(typed)).collect()
}

/// Extends what was typed to what all names that begin with it have in common.
pub(super) fn complete(input: &mut Input) {
    let names = names(input.value());
    let Some(first) = names.first() else { return };
    let common = (0..=first.len())
        .rev()
        .find(|&len| names.iter().all(|name| name.get(..len) == first.get(..len)))
        .unwrap_or(0);
    *input = Input::new(first[..common].to_owned());
}

/// The one that was `chosen` of those that are offered; else the one of this name, or the only one that begins so.
pub(super) fn run(typed: &str, chosen: Option<usize>) -> Outcome {
    let typed = typed.trim();
    if let Some(offer) = chosen.and_then(|at| matching(typed).into_iter().nth(at)) {
        return Outcome::Command(offer.action.clone());
    }
    if typed.is_empty() {
        return Outcome::Nothing;
    }
    let named = |wanted: &str| keymap::commands().find(|(name, _)| *name == wanted);
    let names = names(typed);
    let command = named(typed).or_else(|| match names.as_slice() {
        [only] => named(only),
        _ => None,
    });
    match command {
        Some((_, action)) => Outcome::Command(action.clone()),
        None if names.is_empty() => Outcome::Complain(format!(
            "there is no command `{typed}`; without a word all are shown"
        )),
        None => Outcome::Complain(format!("`{typed}` may be {}", names.join(", "))),
    }
}
