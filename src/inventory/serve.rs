//! `serve`: where devices fetch their image from this host; and what that asks of those that do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::model::serve::{Over, Serve};
use crate::model::{Entity, Name, Procedure, TypeSpec, units};

use super::error::{Problems, quoted, some_of};
use super::fields::{Fields, Shape};
use super::tree::{Node, Value};
use super::values;

const SERVE: Shape = Shape::new("`serve`", &[&["http", "ftp", "tftp", "gather"]]);
const AT_HELP: &str =
    "write an address of this host that the devices reach, and a port: `192.0.2.1:8080`";
const GATHER_HELP: &str = "write a time up to `10m`, like `30s`; with `0s` nobody waits";
/// Who waits longer for a device that asks for nothing waits for one that never will.
const LONGEST_GATHER: Duration = Duration::from_secs(10 * 60);

/// The section.
pub(super) fn read(problems: &mut Problems, node: Option<&Node>) -> Serve {
    let fields = node.map(|node| Fields::read(problems, node, &SERVE));
    let fields = fields.unwrap_or_default();
    let has = |over: Over| fields.key_span(over.word()).is_some() || fields.is_meant(over.word());
    if let Some(node) = node.filter(|_| fields.are_there() && !Over::ALL.into_iter().any(has)) {
        problems.report(
            &node.span,
            "`serve` without an address",
            "add `http: 192.0.2.1:8080`, or `ftp` or `tftp`",
        );
    }
    let mut at = |over: Over| fields.value(problems, over.word(), address);
    let (http, ftp, tftp) = (at(Over::Http), at(Over::Ftp), at(Over::Tftp));
    let gather = fields.value(problems, "gather", gather);
    Serve {
        http,
        ftp,
        tftp,
        gather: gather.unwrap_or(Serve::default().gather),
    }
}

fn gather(problems: &mut Problems, node: &Node, key: &str) -> Option<Duration> {
    let written = values::text(problems, node, key)?;
    let message = match units::parse_duration(written) {
        Ok(time) if time <= LONGEST_GATHER => return Some(time),
        Ok(_) => format!(
            "{} for `gather` is longer than ten minutes",
            quoted(written)
        ),
        Err(_) => format!("{} is not a time", quoted(written)),
    };
    problems.refuse(&node.span, message, GATHER_HELP)
}

fn address(problems: &mut Problems, node: &Node, key: &str) -> Option<SocketAddr> {
    let written = values::text(problems, node, key)?;
    let port = Over::ALL.into_iter().find(|over| over.word() == key);
    let port = port.map_or(0, Over::default_port);
    let alone = || Some(SocketAddr::new(written.parse::<IpAddr>().ok()?, port));
    let Some(at) = written.parse().ok().or_else(alone) else {
        let message = format!("{} is not an address and a port", quoted(written));
        return problems.refuse(&node.span, message, AT_HELP);
    };
    if at.ip().is_unspecified() {
        let message = format!(
            "{} is no address that a device could ask: `{{url}}` names it",
            quoted(written)
        );
        return problems.refuse(&node.span, message, AT_HELP);
    }
    Some(at)
}

/// Hosts that ask for an entity's image.
pub(super) fn fetch_from(problems: &mut Problems, node: &Node, key: &str) -> Option<Vec<Name>> {
    let items = match &node.value {
        Value::Sequence(items) => items.iter().map(|item| &**item).collect(),
        Value::Broken => return None,
        _ => vec![node],
    };
    let hosts = items.into_iter().map(|item| {
        let host = values::text(problems, item, key)?;
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
        match !host.is_empty() && host.chars().all(is_host) {
            true => Some(Name::from(host)),
            false => {
                let message = format!("{} is not a host", quoted(host));
                let help = "write the address that the device asks from, like `198.51.100.7`, or a list of some";
                problems.refuse(&item.span, message, help)
            }
        }
    });
    hosts.collect()
}

/// Reports what those that fetch their image lack.
pub(super) fn check(
    problems: &mut Problems,
    root: &Node,
    written: Option<&Node>,
    (serve, types): (&Serve, &[Arc<TypeSpec>]),
    entities: &[Arc<Entity>],
) {
    let fetching = || entities.iter().filter(|entity| entity.fetches());
    let at = written.unwrap_or(root);
    if fetching().next().is_none() {
        return;
    }
    if serve.is_empty() {
        if written.is_none() {
            let names = some_of(fetching().map(|one| &*one.name));
            problems.report(
                &root.span,
                format!("no `serve`: from where an image is fetched by {names} is not known"),
                "add `serve: { http: 192.0.2.1:8080 }` at the top, with an address of this host",
            );
        }
        return;
    }
    let of = |entity: &Entity| {
        let found = types.iter().find(|one| *one.name == *entity.type_);
        found.and_then(|one| one.procedure.as_ref())
    };
    let mut looked: Vec<&Arc<Procedure>> = Vec::new();
    for entity in fetching() {
        let Some(procedure) = of(entity) else {
            continue;
        };
        if looked.iter().any(|one| Arc::ptr_eq(one, procedure)) {
            continue;
        }
        looked.push(procedure);
        let Some((_, over)) = procedure.fetches() else {
            continue;
        };
        if let Err(complaint) = serve.chosen(over) {
            let message = format!(
                "the procedure {}: {}",
                quoted(&procedure.name),
                complaint.message
            );
            problems.report(&at.span, message, complaint.help);
        }
    }
}
