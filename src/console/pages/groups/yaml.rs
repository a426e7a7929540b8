//! The groups made here in the inventory's format, to be pasted there.
//!
//! Only what the inventory would take is written as such; a group that lacks something stands there
//! as a comment that says what.

use std::collections::BTreeMap;

use crate::console::action::Action;
use crate::console::dialogs::Dialog;
use crate::console::keymap::Keymap;
use crate::console::page::Page;
use crate::console::state::Shared;
use crate::model::names::compress;
use crate::model::{
    ImageSpec, Inventory, Laggards, Limits, MadeGroup, Name, PeerChoice, SourceChoice, units,
};
use crate::plan::{Chosen, ResolvedDraft};
use crate::protocol::GroupSpec;

use super::View;
use super::conflicts::Conflict;

pub(super) fn show(view: &mut View, shared: &mut Shared) {
    let lines = lines(view, shared);
    if lines.is_empty() {
        let new = shared.key(Page::Groups, &Action::NewGroup);
        shared.say(format!("no group was made here yet: {new} makes one"));
        return;
    }
    let mut dialog = Dialog::reading("Groups made here, as YAML", lines);
    if let Dialog::Reading { file, .. } = &mut dialog {
        *file = Some("groups.yaml".into());
    }
    shared.dialogs.push(dialog);
}

/// `images:` for those that are described here, where there are any, then `groups:`.
pub(super) fn lines(view: &View, shared: &Shared) -> Vec<String> {
    let inventory = &shared.site.inventory;
    let mut groups = Vec::new();
    let mut images: BTreeMap<&str, String> = BTreeMap::new();
    let drafts = shared.drafts.iter().zip(&shared.resolved.groups);
    for ((draft, group), conflicts) in drafts.zip(&view.conflicts) {
        let GroupSpec::Made(MadeGroup { image, .. }) = &draft.spec else {
            continue;
        };
        let blocking = conflicts.iter().find(|conflict| conflict.blocks());
        if let Some(conflict) = blocking {
            groups.push(comment(shared.keys(), group, conflict));
            continue;
        }
        for conflict in conflicts {
            groups.push(comment(shared.keys(), group, conflict));
        }
        if let ImageSpec::Described {
            name,
            file,
            type_,
            version,
            size,
        } = image
        {
            let size = size.map_or(String::new(), |size| format!(", size: {size}"));
            let text = format!(
                "  {}: {{ file: {}, type: {}, version: {}{size} }}",
                scalar(name),
                quoted(file),
                quoted(type_),
                quoted(version)
            );
            images.insert(name, text);
        }
        groups.extend(lines_of(inventory, group));
    }
    if groups.is_empty() {
        return groups;
    }
    let mut lines = Vec::new();
    if !images.is_empty() {
        lines.push("images:".to_owned());
        lines.extend(images.into_values());
    }
    lines.push("groups:".to_owned());
    lines.extend(groups);
    lines
}

fn comment(keys: &Keymap, group: &ResolvedDraft, conflict: &Conflict) -> String {
    let text = format!("{}: {}", group.name, conflict.words(keys));
    // A control character would end the comment.
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("  # {text}")
}

fn lines_of(inventory: &Inventory, group: &ResolvedDraft) -> Vec<String> {
    let names: Vec<&Name> = group
        .members
        .iter()
        .map(|at| &inventory.entities[*at].name)
        .collect();
    let image = group.image.known().map_or("", |image| &image.name);
    let source = |source: &Chosen<SourceChoice>| match source {
        Chosen::Known(SourceChoice::FileServer(server)) => {
            format!("{{ file_server: {} }}", scalar(&server.name))
        }
        Chosen::Known(SourceChoice::File(path)) => {
            format!("{{ file: {} }}", scalar(path.as_str()))
        }
        Chosen::Known(SourceChoice::Peer(PeerChoice::Named(peer))) => {
            format!("{{ peer: {} }}", scalar(&peer.name))
        }
        _ => "{ peer: any }".into(),
    };
    let sources: Vec<String> = group.sources().map(source).collect();
    let mut lines = vec![format!("  {}:", scalar(&group.name))];
    lines.push("    entities:".into());
    let names = compress(&names);
    lines.extend(names.iter().map(|name| format!("      - {}", scalar(name))));
    lines.push(format!("    image: {}", scalar(image)));
    match sources.as_slice() {
        [one] => lines.push(format!("    source: {one}")),
        order => {
            lines.push("    sources:".into());
            lines.extend(order.iter().map(|source| format!("      - {source}")));
        }
    }
    let campaign = &group.campaign;
    if !group.policy.extent.is_default() {
        let word = campaign.activate_word(group.policy.extent);
        lines.push(format!("    activate: {word}"));
    }
    if group.policy.laggards != Laggards::default() {
        lines.push(format!("    laggards: {}", group.policy.laggards.word()));
    }
    let (limits, default) = (group.policy.limits, Limits::default());
    if limits.laggard != default.laggard {
        lines.push(format!(
            "    laggard_limit: {}",
            units::written(limits.laggard)
        ));
    }
    if limits.retries != default.retries {
        lines.push(format!("    retries: {}", limits.retries));
    }
    // Without retries their time may be anything, also what the inventory would not take.
    if limits.retries > 0 && limits.retry_for != default.retry_for {
        lines.push(format!(
            "    retry_for: {}",
            units::written(limits.retry_for)
        ));
    }
    if let Some(parallel) = group.policy.parallel {
        lines.push(format!("    parallel: {parallel}"));
    }
    let keys = campaign.written();
    lines.extend(
        keys.iter()
            .map(|(key, value)| format!("    {key}: {value}")),
    );
    lines
}

/// Without quotes where nothing can be mistaken.
fn scalar(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let special = [
        "null", "true", "false", "yes", "no", "on", "off", "y", "n", "any",
    ];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(word)
        && !special.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.into() } else { quoted(text) }
}

/// In double quotes, escaped as YAML 1.2 section 5.7 has it; JSON's escapes are among those.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::scalar;

    #[test]
    fn what_could_be_mistaken_is_quoted() {
        for (text, written) in [
            ("adsl-2.4", "adsl-2.4"),
            ("2.4", "\"2.4\""),
            ("shelf1-[01-08]", "\"shelf1-[01-08]\""),
            ("no", "\"no\""),
            ("a: b # c", "\"a: b # c\""),
            ("say \"x\"\\", "\"say \\\"x\\\"\\\\\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }
}
