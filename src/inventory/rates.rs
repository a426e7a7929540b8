//! `rate` of groups, entities and file servers, and `rates` of labels: caps, and whether what they are on survives them.

use std::sync::Arc;

use crate::model::rate::{Sharing, check_rate, read_rate};
use crate::model::{Cap, Capped, Entity};

use super::error::{Problems, did_you_mean, quoted};
use super::fields::{Fields, Shape, mapping};
use super::tree::{Node, Value};
use super::values;

const RATE: Shape = Shape::new("an item of `rates`", &[&["label", "rate"]]);
const HELP: &str = "write a line a label: `- { label: { site: north }, rate: 2 MiB/s }`";

/// The value of `rate`, which those that share it must survive.
pub(super) fn read(
    problems: &mut Problems,
    of: &Fields<'_>,
    sharing: impl FnOnce() -> Option<Sharing>,
) -> Option<u64> {
    let node = of.get("rate")?;
    let written = values::text(problems, node, "rate")?;
    let rate = problems.ok(&node.span, read_rate(written))?;
    problems.ok(&node.span, check_rate(rate))?;
    match sharing() {
        Some(sharing) => problems.ok(&node.span, sharing.check(rate)).map(|()| rate),
        None => Some(rate),
    }
}

/// The section `rates`.
pub(super) fn read_labels(
    problems: &mut Problems,
    node: Option<&Node>,
    entities: &[Arc<Entity>],
    rates: &mut Vec<Cap>,
) {
    let items = match node.map(|node| (node, &node.value)) {
        None | Some((_, Value::Broken)) => return,
        Some((_, Value::Sequence(items))) => items,
        Some((node, _)) => {
            let message = format!("`rates` must be a list, and this is {}", node.kind());
            return problems.report(&node.span, message, HELP);
        }
    };
    for item in items {
        let fields = Fields::read(problems, item, &RATE);
        if !fields.are_there() {
            continue;
        }
        let on = fields.require(problems, "label", "{ site: north }");
        let on = on.and_then(|node| label(problems, node, entities, rates));
        fields.require(problems, "rate", "2 MiB/s");
        let having = || {
            let (label, value) = on.as_ref()?;
            let has =
                |entity: &&Arc<Entity>| (entity.labels.get(label)).is_some_and(|own| own == value);
            let having = entities.iter().filter(has);
            Sharing::of(having.map(|entity| &**entity), None)
        };
        let rate = read(problems, &fields, having);
        if let (Some((label, value)), Some(rate)) = (on, rate) {
            let (label, value) = (label.into(), value.into());
            let on = Capped::Label { label, value };
            rates.push(Cap { on, rate });
        }
    }
}

/// `{ site: north }`: one label that entities have, and no other item is about.
fn label(
    problems: &mut Problems,
    node: &Node,
    entities: &[Arc<Entity>],
    rates: &[Cap],
) -> Option<(String, String)> {
    let entries = mapping(problems, node, "`label`", || HELP.to_owned())?;
    let [(label, at, value_node)] = entries.as_slice() else {
        let message = format!("a cap is on one label, and here are {}", entries.len());
        return problems.refuse(&node.span, message, HELP);
    };
    let value = values::text(problems, value_node, label)?;
    let mut known: Vec<&str> = (entities.iter())
        .filter_map(|entity| entity.labels.get(*label))
        .map(String::as_str)
        .collect();
    if known.is_empty() {
        let labels = entities.iter().flat_map(|entity| entity.labels.keys());
        let mut labels: Vec<&str> = labels.map(String::as_str).collect();
        labels.sort_unstable();
        labels.dedup();
        let help = did_you_mean(label, labels.iter().copied(), || {
            "write a label that entities have".to_owned()
        });
        let message = format!("no entity has a label {}", quoted(label));
        return problems.refuse(at, message, help);
    }
    if !known.contains(&value) {
        known.sort_unstable();
        known.dedup();
        let help = did_you_mean(value, known.iter().copied(), || {
            format!("there is {}", known.join(", "))
        });
        let message = format!("no entity has {}", quoted(&format!("{label}: {value}")));
        return problems.refuse(&value_node.span, message, help);
    }
    let on = Capped::Label {
        label: (*label).into(),
        value: value.into(),
    };
    if rates.iter().any(|cap| cap.on == on) {
        let message = format!(
            "{} has a rate already",
            quoted(&format!("{label}: {value}"))
        );
        return problems.refuse(&node.span, message, "keep one of them");
    }
    Some(((*label).to_owned(), value.to_owned()))
}
