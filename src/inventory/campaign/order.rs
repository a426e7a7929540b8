//! `order`: labels, each alone or with the values that come first.

use crate::inventory::error::Problems;
use crate::inventory::fields::mapping;
use crate::inventory::tree::{Node, Value};
use crate::inventory::values;
use crate::model::campaign::OrderBy;

use super::items;

const HELP: &str = "write labels in a list, like `order: [site, { ring: [lab, pilot] }]`";

/// `None` where one of them can't be read.
pub(super) fn read(problems: &mut Problems, node: &Node, key: &str) -> Option<Vec<OrderBy>> {
    let items = items(problems, node, key, HELP)?;
    let read: Vec<Option<OrderBy>> = items.iter().map(|item| one(problems, item)).collect();
    read.into_iter().collect()
}

fn one(problems: &mut Problems, node: &Node) -> Option<OrderBy> {
    if node.text().is_some() {
        let label = values::label(problems, node, "order")?;
        return Some(OrderBy {
            label,
            values: Vec::new(),
        });
    }
    let entries = mapping(problems, node, "an item of `order`", || HELP.into())?;
    let [(label, at, values)] = entries[..] else {
        let message = format!(
            "an item of `order` is one label, and these are {}",
            entries.len()
        );
        let help = "write an item for each, in the order in which they count";
        return problems.refuse(&node.span, message, help);
    };
    if values.is_null() {
        let message = format!("`{label}` has no values");
        return problems.refuse(
            at,
            message,
            format!("write `{label}` alone, or its first values"),
        );
    }
    let nodes = match &values.value {
        Value::Sequence(_) => items(problems, values, label, HELP)?,
        _ => vec![values],
    };
    let values: Vec<Option<String>> = (nodes.into_iter())
        .map(|node| values::label(problems, node, label))
        .collect();
    Some(OrderBy {
        label: label.to_owned(),
        values: values.into_iter().collect::<Option<_>>()?,
    })
}
