//! Devices that are made to run another image: what is said of it, and the question before it.

use crate::console::asked::{Asked, OfReview};
use crate::console::dialogs::Dialog;
use crate::console::state::Shared;
use crate::model::Extent;
use crate::model::columns::{count, wrap};
use crate::plan::{Plan, PlannedGroup};

/// How many get an image and how many are made to run one, in words.
pub(super) fn deeds(plan: &Plan) -> String {
    let total = |extent: Extent| {
        let groups = plan.groups.iter().filter(|one| one.group.extent == extent);
        groups.map(|one| one.send.len()).sum::<usize>()
    };
    let parts = [
        (total(Extent::Deliver), "get an image", "gets an image"),
        (
            total(Extent::Upgrade),
            "get an image and are made to run it",
            "gets an image and is made to run it",
        ),
        (
            total(Extent::Activate),
            "are made to run the image they hold",
            "is made to run the image it holds",
        ),
    ];
    let said = parts.iter().filter(|(number, ..)| *number > 0);
    let said = said.map(|(number, many, one)| {
        let word = if *number == 1 { one } else { many };
        format!("{} {word}", count(*number, "entity"))
    });
    let said: Vec<String> = said.collect();
    match said.is_empty() {
        true => format!("{} get an image", count(0, "entity")),
        false => said.join(", "),
    }
}

/// `makes 3 entities run adsl-2.4: 3 steps each …`; of a group that only gets the image, that it waits.
pub(super) fn in_words(planned: &PlannedGroup) -> Option<String> {
    let group = &planned.group;
    let procedure = group.procedure.as_ref()?;
    if !group.extent.activates() {
        return Some(group.policy().extent_in_words().to_owned());
    }
    Some(format!(
        "makes {} run {}: {}",
        count(planned.send.len(), "entity"),
        group.image.name,
        procedure.activation_in_words()
    ))
}

/// Asks for the number of entities, which says what is done on them: one key too many must not start hundreds.
pub(super) fn ask_how_many(shared: &mut Shared, plan: &Plan, entities: usize) {
    let width = usize::from(shared.columns).saturating_sub(10).clamp(30, 70);
    let groups = plan.groups.iter();
    let activated = groups.filter(|one| one.group.extent.activates() && !one.send.is_empty());
    let activated =
        activated.filter_map(|one| Some(format!("{}: {}", one.group.name, in_words(one)?)));
    let said = std::iter::once(format!("{}.", deeds(plan))).chain(activated);
    let said = said.chain([format!("Type {entities} to start.")]);
    let lines: Vec<String> = said.flat_map(|text| wrap(&text, 0, width)).collect();
    let intent = Asked::Review(OfReview::HowMany { entities });
    let title = format!("Start on {}?", count(entities, "entity"));
    let mut dialog = Dialog::text(title, "", intent);
    if let Dialog::Text { lines: place, .. } = &mut dialog {
        *place = lines;
    }
    shared.dialogs.push(dialog);
}

/// Asks before devices go: one key too many must not restart them. Says whether it asked.
pub(super) fn ask(shared: &mut Shared, plan: &Plan) -> bool {
    let groups = plan.groups.iter();
    let groups = groups.filter(|one| one.group.extent.activates() && !one.send.is_empty());
    let devices: usize = groups.clone().map(|one| one.send.len()).sum();
    if devices == 0 {
        return false;
    }
    let said = groups.filter_map(|one| Some(format!("{}: {}", one.group.name, in_words(one)?)));
    let width = usize::from(shared.columns).saturating_sub(10).clamp(30, 70);
    let lines: Vec<String> = said.flat_map(|text| wrap(&text, 0, width)).collect();
    let title = format!("Make {} run another image?", count(devices, "device"));
    let intent = Asked::Review(OfReview::Activate);
    shared.dialogs.push(Dialog::confirm(title, lines, intent));
    true
}
