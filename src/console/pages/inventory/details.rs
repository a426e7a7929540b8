//! Everything that is known of one entity, as a text to read.

use crate::console::dialogs::Dialog;
use crate::console::state::Shared;
use crate::model::columns::hang;
use crate::model::staging::AUTO;
use crate::model::{Entity, Staging, Standing, units};
use crate::protocol::{EntitySnapshot, GroupSnapshot, Snapshot};

use super::newest;

const NAMES: usize = 13;

/// Lines that begin with a name, and go on below its value.
struct Rows {
    columns: usize,
    lines: Vec<String>,
}

impl Rows {
    fn add(&mut self, name: &str, value: &str) {
        let values = hang(value, 0, self.columns - NAMES);
        for (line, text) in values.into_iter().enumerate() {
            let name = if line == 0 { name } else { "" };
            self.lines.push(format!("{name:<NAMES$}{text}"));
        }
    }
}

pub(super) fn dialog(shared: &Shared, snapshot: &Snapshot, at: usize) -> Dialog {
    // As wide as a dialog on this screen, and no wider than one reads with ease.
    let columns = usize::from(shared.columns).saturating_sub(6).clamp(40, 90);
    let lines = Vec::new();
    let mut rows = Rows { columns, lines };
    let entity = &shared.site.inventory.entities[at];
    described(&mut rows, entity, &shared.presence.version(entity));
    let groups: Vec<&str> = shared.resolved.names_of(at).collect();
    match groups.is_empty() {
        true => rows.add("groups", "none"),
        false => rows.add("groups", &groups.join(", ")),
    }
    match newest(snapshot, &entity.name) {
        Some((group, last)) => of_run(&mut rows, group, last),
        None => rows.add("state", "in no run yet"),
    }
    Dialog::reading(entity.name.to_string(), rows.lines)
}

/// What the inventory says of it.
fn described(rows: &mut Rows, entity: &Entity, version: &str) {
    let or_unknown = |value: &str| match value {
        "" => "not known".to_owned(),
        value => value.to_owned(),
    };
    rows.add("type", &or_unknown(&entity.type_));
    let written = or_unknown(&entity.version);
    rows.add(
        "version",
        &match version == entity.version {
            true => written,
            false => format!("{version}, delivered by subtend (the inventory: {written})"),
        },
    );
    rows.add("address", &entity.address.to_string());
    rows.add("protocol", entity.address.scheme.in_words());
    rows.add("path", entity.path.as_str());
    let credentials = entity.credentials.as_deref();
    rows.add("credentials", credentials.unwrap_or("anonymous"));
    let times = &entity.timeouts;
    let times = [
        ("connect", times.connect),
        ("reply", times.reply),
        ("progress", times.progress),
        ("confirm", times.confirm),
    ]
    .map(|(name, time)| format!("{name} {}", units::duration(time)));
    rows.add("timeouts", &times.join(", "));
    rows.add("verify", entity.verify_in_words());
    rows.add("staging", staging_in_words(entity));
    if entity.staging == Staging::Rename && &*entity.staging_name != AUTO {
        rows.add("staging name", &entity.staging_name);
    }
    for (at, (label, value)) in entity.labels.iter().enumerate() {
        let name = if at == 0 { "labels" } else { "" };
        rows.add(name, &format!("{label} = {value}"));
    }
}

fn staging_in_words(entity: &Entity) -> &'static str {
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
    }
}

/// What became of it in the newest run that it was in.
fn of_run(rows: &mut Rows, group: &GroupSnapshot, last: &EntitySnapshot) {
    let attempt = match last.attempt {
        0 | 1 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    let state = format!("{} in group {}{attempt}", last.standing(), group.group);
    rows.add("state", &state);
    rows.add("image", &format!("{}, {}", group.image, group.version));
    if let Some(cause) = &last.cause {
        let step = last.step.map(|step| format!("{step}: "));
        rows.add("cause", &format!("{}{cause}", step.unwrap_or_default()));
    }
    let [sent, confirmed] = [last.sent, last.confirmed].map(units::size);
    rows.add("bytes", &format!("{sent} sent, {confirmed} confirmed"));
    let verified = match last.standing() {
        Standing::Unproven => format!("{}: its content is unproven", last.verified),
        Standing::In(_) => last.verified.to_string(),
    };
    rows.add("verified", &verified);
    if let Some(left) = &last.left {
        let left = format!("{left}, a staging file that could not be removed");
        rows.add("left there", &left);
    }
}
