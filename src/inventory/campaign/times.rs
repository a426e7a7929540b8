//! `start`, `window`, `offline`: each as text, as it is written on a command line too, or in its parts.

use jiff::Zoned;

use crate::inventory::error::Problems;
use crate::inventory::fields::{Fields, Shape};
use crate::inventory::tree::{Node, Value};
use crate::inventory::values;
use crate::model::campaign::start::{self, read_start, read_start_in};
use crate::model::campaign::{Days, Offline, TimeOfDay, Window};

use super::value;

const START: Shape = Shape::new("`start`", &[&["at", "zone"]]);
const WINDOW: Shape = Shape::new("`window`", &[&["days", "from", "to", "zone"]]);
const OFFLINE: Shape = Shape::new("`offline`", &[&["wait", "first"]]);

pub(super) fn start(problems: &mut Problems, node: &Node, key: &str) -> Option<Zoned> {
    if node.text().is_some() {
        return value(problems, node, key, read_start);
    }
    let fields = Fields::read(problems, node, &START);
    let at = fields.require(problems, "at", "\"2026-12-01 01:00\"");
    let zone = fields.require(problems, "zone", "Europe/Berlin");
    // An unknown zone is reported where it stands.
    let zone = value(problems, zone?, "zone", start::zone)?;
    value(problems, at?, "at", |at| read_start_in(at, &zone))
}

pub(super) fn window(problems: &mut Problems, node: &Node, key: &str) -> Option<Window> {
    if node.text().is_some() {
        return value(problems, node, key, Window::read);
    }
    let fields = Fields::read(problems, node, &WINDOW);
    if !fields.are_there() {
        return None;
    }
    let days = fields.get("days").map(|node| days(problems, node));
    let mut time = |key, example| {
        let node = fields.require(problems, key, example)?;
        value(problems, node, key, TimeOfDay::read)
    };
    let (from, to) = (time("from", "\"01:00\""), time("to", "\"05:00\""));
    let zone = fields
        .require(problems, "zone", "Europe/Berlin")
        .and_then(|node| value(problems, node, "zone", start::zone));
    let window = Window {
        days: days.unwrap_or(Some(Days::ALL))?,
        from: from?,
        to: to?,
        zone: zone?,
    };
    let checked = window.check();
    problems.ok(&node.span, checked)?;
    Some(window)
}

/// `mon-fri`, `mon,wed`, or a list of such.
fn days(problems: &mut Problems, node: &Node) -> Option<Days> {
    match &node.value {
        Value::Sequence(items) if items.is_empty() => {
            let message = "the list `days` is empty: the window would never open";
            problems.refuse(
                &node.span,
                message,
                "name days, or leave `days` out for every day",
            )
        }
        Value::Sequence(_) => {
            let days = values::texts(problems, node, "days");
            let days: Vec<&str> = days.into_iter().map(|(text, _)| text).collect();
            problems.ok(&node.span, Days::read(&days.join(",")))
        }
        _ => value(problems, node, "days", Days::read),
    }
}

pub(super) fn offline(problems: &mut Problems, node: &Node, key: &str) -> Option<Offline> {
    if node.text().is_some() {
        return value(problems, node, key, Offline::read);
    }
    let fields = Fields::read(problems, node, &OFFLINE);
    let wait = fields.require(problems, "wait", "14d")?;
    let at_most = values::text(problems, wait, "wait")?;
    let first = fields.value(problems, "first", values::text);
    if first.is_none() && fields.key_span("first").is_some() {
        return None;
    }
    let at = fields.get("first").unwrap_or(wait);
    // What is wrong with `wait` alone stands there.
    let alone = Offline::wait(at_most, None);
    problems.ok(&wait.span, alone)?;
    problems.ok(&at.span, Offline::wait(at_most, first))
}
