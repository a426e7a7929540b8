//! What is copied from the watch page: the entity under the cursor with its cause, or all that are listed.

use crate::console::state::Shared;
use crate::model::columns;
use crate::protocol::{EntitySnapshot, GroupSnapshot};

use super::{View, figures, listed, place_of, selected};

pub(super) fn text(view: &View, shared: &Shared, group: &GroupSnapshot) -> String {
    if let Some(entity) = selected(view, group) {
        return of_entity(shared, entity) + "\n";
    }
    let rows = (0..listed(view, group)).filter_map(|row| {
        let entity = group.entities.get(place_of(view, group, row)?)?;
        let known = shared.site.inventory.entity(&entity.entity);
        let address = known.map_or_else(String::new, |known| known.address.to_string());
        let standing = entity.standing().as_str().to_owned();
        let cause = entity.cause.clone().unwrap_or_default();
        Some([entity.entity.to_string(), address, standing, cause])
    });
    let rows: Vec<[String; 4]> = rows.collect();
    let width = |at: usize| rows.iter().map(|row| columns::width(&row[at])).max();
    let [name, address, standing] = [0, 1, 2].map(|at| width(at).unwrap_or(0));
    let title = format!(
        "{}: {} version {}, {}\n",
        group.group,
        group.image,
        group.version,
        figures::phase(group, &shared.time)
    );
    let line = |row: &[String; 4]| {
        let padded = [(0, name), (1, address), (2, standing)]
            .map(|(at, width)| columns::fit(&row[at], width, true));
        let line = format!("{}  {}", padded.join("  "), row[3]);
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).fold(title, |text, line| text + &line)
}

/// All that a ticket needs, in one line.
fn of_entity(shared: &Shared, entity: &EntitySnapshot) -> String {
    let mut text = entity.entity.to_string();
    if let Some(known) = shared.site.inventory.entity(&entity.entity) {
        text += &format!(" ({})", known.address);
    }
    text += &format!(": {}", entity.standing());
    if let Some(cause) = &entity.cause {
        text += &format!(", {cause}");
    }
    if let Some(advice) = entity.hint.as_ref().and_then(|hint| hint.advice.as_ref()) {
        text += &format!("; {advice}");
    }
    if let Some(holds) = entity.holds {
        text += &format!("; holds {holds}: {}", holds.words());
    }
    text
}
