//! Everything that is known of one entity, as a text to read.

use crate::console::dialogs::Dialog;
use crate::console::state::Shared;
use crate::model::columns::hang;
use crate::model::staging::AUTO;
use crate::model::{Staging, Standing, units};
use crate::protocol::Snapshot;

use super::newest;

const NAMES: usize = 13;

pub(super) fn dialog(shared: &Shared, snapshot: &Snapshot, at: usize) -> Dialog {
    // As wide as a dialog on this screen, and no wider than one reads with ease.
    let columns = usize::from(shared.columns).saturating_sub(6).clamp(40, 90);
    let entity = &shared.site.inventory.entities[at];
    let mut lines = Vec::new();
    let mut row = |name: &str, value: &str| {
        for (line, text) in hang(value, 0, columns - NAMES).into_iter().enumerate() {
            let name = if line == 0 { name } else { "" };
            lines.push(format!("{name:<NAMES$}{text}"));
        }
    };
    let or_unknown = |text: &str| {
        if text.is_empty() {
            "not known".to_owned()
        } else {
            text.to_owned()
        }
    };
    row("type", &or_unknown(&entity.type_));
    row("version", &or_unknown(&entity.version));
    row("address", &entity.address.to_string());
    row("protocol", entity.address.scheme.in_words());
    row("path", entity.path.as_str());
    let credentials = entity.credentials.as_deref();
    row("credentials", credentials.unwrap_or("anonymous"));
    let times = &entity.timeouts;
    let times = [
        ("connect", times.connect),
        ("reply", times.reply),
        ("progress", times.progress),
        ("confirm", times.confirm),
    ]
    .map(|(name, time)| format!("{name} {}", units::duration(time)));
    row("timeouts", &times.join(", "));
    row("verify", entity.verify.in_words());
    row(
        "staging",
        match (entity.staging, entity.delete_first) {
            (Staging::Rename, false) => {
                "under a name of its own, renamed at the end; where the entity does not rename onto \
                 the old file, that is moved aside first"
            }
            (Staging::Rename, true) => {
                "under a name of its own, renamed at the end; where the entity does not rename onto \
                 the old file, that is moved aside first, or deleted where it can't be moved"
            }
            (Staging::Direct, _) => "none: written under the final name",
        },
    );
    if entity.staging == Staging::Rename && &*entity.staging_name != AUTO {
        row("staging name", &entity.staging_name);
    }
    for (at, (label, value)) in entity.labels.iter().enumerate() {
        row(
            if at == 0 { "labels" } else { "" },
            &format!("{label} = {value}"),
        );
    }
    let groups: Vec<&str> = shared.resolved.names_of(at).collect();
    row(
        "groups",
        &if groups.is_empty() {
            "none".to_owned()
        } else {
            groups.join(", ")
        },
    );
    let Some((group, last)) = newest(snapshot, &entity.name) else {
        row("state", "in no run yet");
        return Dialog::reading(entity.name.to_string(), lines);
    };
    let attempt = match last.attempt {
        0 | 1 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    row(
        "state",
        &format!("{} in group {}{attempt}", last.standing(), group.group),
    );
    row("image", &format!("{}, {}", group.image, group.version));
    let step = last
        .step
        .map(|step| format!("{step}: "))
        .unwrap_or_default();
    if let Some(cause) = &last.cause {
        row("cause", &format!("{step}{cause}"));
    }
    row(
        "bytes",
        &format!(
            "{} sent, {} confirmed",
            units::size(last.sent),
            units::size(last.confirmed)
        ),
    );
    let verified = match last.standing() {
        Standing::Unproven => format!("{}: its content is unproven", last.verified),
        Standing::In(_) => last.verified.to_string(),
    };
    row("verified", &verified);
    if let Some(left) = &last.left {
        row(
            "left there",
            &format!("{left}, a staging file that could not be removed"),
        );
    }
    Dialog::reading(entity.name.to_string(), lines)
}
