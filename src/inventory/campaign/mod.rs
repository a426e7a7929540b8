//! Keys of a group about how it is gone through: waves, order, times, what stops it.
//!
//! Here they are read; what is wrong with them together, and for the entities of the group, are the rules of the
//! model ([`Campaign::flaws`]), which groups made on the spot are judged by too.

mod order;
#[cfg(test)]
mod tests;
mod times;
#[cfg(test)]
mod wrong;

use crate::model::Campaign;
use crate::model::campaign::rules::check_takes;
use crate::model::campaign::{Downgrade, Judged, Proceed, StopAfter, Wave};
use crate::model::procedure::Versions;
use crate::model::text::quoted;
use crate::model::units;

use super::error::{Complaint, Problems, Span};
use super::fields::{Fields, Shape};
use super::tree::{Node, Value};
use super::values;

/// Of a group.
pub(super) const KEYS: &[&str] = &[
    "waves",
    "by",
    "order",
    "proceed",
    "stop_after",
    "start",
    "window",
    "takes",
    "offline",
    "together",
    "downgrade",
    "from",
];

const WAVES_HELP: &str = "write their sizes in a list, like `waves: [1, 10%, rest]`";

/// Reads the keys, and judges them by the group as far as that could be read. `in_window`: its window is for making
/// devices run the image.
pub(super) fn read(
    problems: &mut Problems,
    fields: &Fields<'_>,
    group: &Judged<'_>,
    in_window: bool,
) -> Campaign {
    let campaign = Campaign {
        waves: fields.value(problems, "waves", waves).unwrap_or_default(),
        by: fields.value(problems, "by", values::label),
        order: fields
            .value(problems, "order", order::read)
            .unwrap_or_default(),
        proceed: (fields.value(problems, "proceed", |problems, node, key| {
            let choices = [Proceed::Auto, Proceed::Ask].map(|one| (one.word(), one));
            values::choice(problems, node, key, &choices)
        }))
        .unwrap_or_default(),
        stop_after: fields.value(problems, "stop_after", |problems, node, key| {
            value(problems, node, key, StopAfter::read)
        }),
        start: fields.value(problems, "start", times::start),
        window: fields.value(problems, "window", times::window),
        window_is_for_activation: in_window,
        takes: fields.value(problems, "takes", |problems, node, key| {
            value(problems, node, key, |text| {
                let time = units::parse_duration(text).map_err(|_| {
                    let help = "write how long one entity takes, like `20m`";
                    Complaint::new(format!("{} is not a time", quoted(text)), help)
                })?;
                check_takes(time).map(|()| time)
            })
        }),
        offline: fields
            .value(problems, "offline", times::offline)
            .unwrap_or_default(),
        never_together: fields.value(problems, "together", together),
        downgrade: downgrade(problems, fields, group).unwrap_or_default(),
        from: fields.value(problems, "from", |problems, node, key| {
            values::text(problems, node, key).map(str::to_owned)
        }),
        ..Campaign::default()
    };
    judge(problems, fields, &campaign, group);
    campaign
}

/// Reports what is wrong with the whole of it; nothing that only follows from a key that can't be read.
fn judge(problems: &mut Problems, fields: &Fields<'_>, campaign: &Campaign, group: &Judged<'_>) {
    let is_lost = |key: &str, is_read: bool| {
        !is_read && (fields.key_span(key).is_some() || fields.is_meant(key))
    };
    let no_waves = is_lost("waves", !campaign.waves.is_empty());
    let no_window = is_lost("window", campaign.window.is_some());
    let no_takes = is_lost("takes", campaign.takes.is_some());
    for bad in campaign.flaws(group) {
        let follows = match bad.key {
            "by" | "proceed" | "waves" => no_waves,
            "takes" | "activate" => no_window,
            "window" => no_window || no_takes,
            _ => false,
        };
        if follows {
            continue;
        }
        if let Some(at) = span(fields, bad.key, bad.item) {
            problems.complain(at, bad.complaint);
        }
    }
}

/// Where a key, or an item of its list, stands.
fn span<'a>(fields: &Fields<'a>, key: &str, item: Option<usize>) -> Option<&'a Span> {
    let node = fields.get(key);
    let items = node.map(|node| match &node.value {
        Value::Sequence(items) => items.as_slice(),
        _ => &[],
    });
    let item = item.and_then(|item| items?.get(item));
    item.map(|item| &item.span)
        .or(node.map(|node| &node.span))
        .or_else(|| fields.key_span(key))
}

/// A value that is text.
fn value<T>(
    problems: &mut Problems,
    node: &Node,
    key: &str,
    read: impl FnOnce(&str) -> Result<T, Complaint>,
) -> Option<T> {
    let written = values::text(problems, node, key)?;
    problems.ok(&node.span, read(written))
}

/// `None` where one of them can't be read.
fn waves(problems: &mut Problems, node: &Node, key: &str) -> Option<Vec<Wave>> {
    let items = items(problems, node, key, WAVES_HELP)?;
    let read: Vec<Option<Wave>> = (items.iter())
        .map(|item| value(problems, item, key, Wave::read))
        .collect();
    read.into_iter().collect()
}

/// The items of a list that is not empty.
fn items<'a>(
    problems: &mut Problems,
    node: &'a Node,
    key: &str,
    help: &str,
) -> Option<Vec<&'a Node>> {
    let message = match &node.value {
        Value::Sequence(items) if !items.is_empty() => {
            return Some(items.iter().map(|item| &**item).collect());
        }
        Value::Broken => return None,
        Value::Sequence(_) => format!("the list {} is empty", quoted(key)),
        _ => format!(
            "{} must be a list, and this is {}",
            quoted(key),
            node.kind()
        ),
    };
    problems.refuse(&node.span, message, help)
}

/// `{ never: LABEL }`.
fn together(problems: &mut Problems, node: &Node, _: &str) -> Option<String> {
    const SHAPE: Shape = Shape::new("`together`", &[&["never"]]);
    if let Some(label) = node.text() {
        let message = "`together` must say what it does with a label";
        let help = format!("write `together: {{ never: {label} }}`");
        return problems.refuse(&node.span, message, help);
    }
    let fields = Fields::read(problems, node, &SHAPE);
    let label = fields.require(problems, "never", "LABEL")?;
    values::label(problems, label, "never")
}

fn downgrade(
    problems: &mut Problems,
    fields: &Fields<'_>,
    group: &Judged<'_>,
) -> Option<Downgrade> {
    let node = fields.get("downgrade")?;
    let choices = [Downgrade::Refuse, Downgrade::Allow].map(|one| (one.word(), one));
    let chosen = values::choice(problems, node, "downgrade", &choices)?;
    if let Some(image) = group.image
        && chosen == Downgrade::Refuse
        && group.versions == Versions::None
    {
        let type_ = &image.type_;
        problems.report(
            &node.span,
            format!(
                "nothing would be refused: how versions of type {} compare is not known",
                quoted(type_)
            ),
            format!("write `types: {{ {type_}: {{ versions: dotted }} }}`, or `semver` or `date`"),
        );
    }
    Some(chosen)
}
