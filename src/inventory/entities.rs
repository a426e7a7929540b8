//! `entities`: each entry is one, or a range of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::model::names::{self, Pattern};
use crate::model::staging::Names;
use crate::model::{Address, CredentialsRef, Entity, RemotePath, Staging};

use super::address::parse_address;
use super::catalog::nowhere;
use super::credentials;
use super::defaults::{Defaults, check_folder, check_path, delivery, labels, timeouts, wrong_name};
use super::dialect;
use super::error::{Complaint, Problems, Span, quoted, some_of};
use super::fields::{Fields, Shape};
use super::tls;
use super::tree::{Node, Value};
use super::values;

const ENTITY: Shape = Shape {
    what: "an entity",
    known: &[
        "name",
        "type",
        "version",
        "address",
        "path",
        "credentials",
        "timeouts",
        "min_rate",
        "verify",
        "staging",
        "delete_first",
        "staging_name",
        "labels",
        "tls",
        "tls_max",
        "cwd",
        "account",
        "before_store",
        "data",
        "data_address",
    ],
    extensions: true,
    may_be_empty: &[],
};

/// More entities than one host looks after.
const MOST_ENTITIES: usize = 100_000;

/// Reads the section. Entities with errors are in the result too, so that they can be named; what
/// is missing is empty there.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    known: &[CredentialsRef],
    defaults: &Defaults,
    inventory: &Path,
) -> Vec<Arc<Entity>> {
    let items = match node.map(|node| (node, &node.value)) {
        None | Some((_, Value::Broken)) => return Vec::new(),
        Some((_, Value::Sequence(items))) => items,
        Some((node, _)) => {
            problems.report(
                &node.span,
                format!("`entities` must be a list, and this is {}", node.kind()),
                "write a line an entity: `- { name: …, type: …, version: …, address: … }`",
            );
            return Vec::new();
        }
    };
    let mut taken = Taken::default();
    let mut entities = Vec::new();
    for item in items {
        let mut entry = Entry {
            known,
            defaults,
            inventory,
            taken: &mut taken,
        };
        read_entry(problems, item, &mut entry, &mut entities);
        if entities.len() > MOST_ENTITIES {
            problems.report(
                &item.span,
                format!("there are more than {MOST_ENTITIES} entities up to here"),
                "divide them among several inventories",
            );
            break;
        }
    }
    entities
}

/// The names and destination files that earlier entries have, and the lines of those entries.
#[derive(Default)]
struct Taken {
    names: HashMap<String, usize>,
    /// By host, port and path.
    files: HashMap<(String, u16, RemotePath), (String, usize)>,
}

/// What an entry is read with.
struct Entry<'a> {
    known: &'a [CredentialsRef],
    defaults: &'a Defaults,
    /// The file.
    inventory: &'a Path,
    taken: &'a mut Taken,
}

fn read_entry(
    problems: &mut Problems,
    node: &Node,
    entry: &mut Entry<'_>,
    entities: &mut Vec<Arc<Entity>>,
) {
    let Entry {
        known,
        defaults,
        inventory,
        taken,
    } = entry;
    let Some(fields) = Fields::read(problems, node, &ENTITY) else {
        return;
    };
    let name_node = fields.require(problems, "name", "shelf1-01");
    let names = name_node.and_then(|node| names(problems, node));
    let mut required = |key: &str, example: &str| {
        let node = fields.require(problems, key, example)?;
        values::label(problems, node, key)
    };
    let type_ = required("type", "adsl").unwrap_or_default();
    let version = required("version", "\"2.3\"").unwrap_or_default();

    let address_node = fields.require(problems, "address", "192.0.2.21");
    let addresses = address_node.and_then(|node| {
        let values = expanded(problems, node, "address", names.as_deref())?;
        each(problems, node, &values, parse_address)
    });
    let path_node = fields.get("path");
    let paths = match (path_node, &defaults.path) {
        (Some(node), _) => expanded(problems, node, "path", names.as_deref())
            .and_then(|values| each(problems, node, &values, check_path)),
        (None, Some(Ok(path))) => Some(vec![path.clone()]),
        (None, Some(Err(()))) => None,
        (None, None) if fields.key_span("path").is_some() => None,
        (None, None) => {
            problems.report(
                &node.span,
                "an entity without `path`, and `defaults` has none",
                "add `path: /flash/image.bin`, the destination file, here or under `defaults`",
            );
            None
        }
    };

    let own = fields.get("credentials");
    let credentials = match own {
        None => defaults.credentials.clone(),
        own => credentials::reference(problems, own, known),
    };
    let timeouts = timeouts(problems, Some(&fields), defaults.timeouts);
    let clear_text = |address: &&Address| address.scheme == crate::model::Scheme::Ftp;
    if let Some(address) = addresses.iter().flatten().find(clear_text) {
        tls::check_address(problems, &fields, address);
    }
    let tls = tls::read(problems, Some(&fields), &defaults.tls, inventory);
    let dialect = dialect::read(problems, Some(&fields), &defaults.dialect);
    let delivery = delivery(problems, Some(&fields), &defaults.delivery);
    let labels = labels(problems, fields.get("labels"), &defaults.labels);

    // A name that can't be read still has a type and a version, which groups may select.
    let unreadable = || name_node.and_then(Node::text).unwrap_or("").to_owned();
    let readable = names.is_some();
    let names = names.unwrap_or_else(|| vec![unreadable()]);
    let address_of = |at: usize| pick(addresses.as_deref(), at);
    let path_of = |at: usize| pick(paths.as_deref(), at);

    if readable {
        let at = name_node.map_or(&node.span, |node| &node.span);
        taken.claim_names(problems, at, &names);
        if addresses.is_some() && paths.is_some() {
            let at = path_node
                .or(address_node)
                .map_or(&node.span, |node| &node.span);
            let files = (0..names.len()).filter_map(|n| Some((address_of(n)?, path_of(n)?)));
            let files: Vec<(&Address, &RemotePath)> = files.collect();
            taken.claim_files(problems, at, &names, &files);
        }
    }
    check_folder(problems, Some(&fields), &delivery, &dialect);
    if delivery.staging == Staging::Rename
        && let Some(paths) = &paths
    {
        let at = fields.get("staging_name").or(path_node).unwrap_or(node);
        let names = paths
            .iter()
            .map(|path| Names::new(path, &delivery.staging_name, ""));
        if let Some(Err(error)) = names.into_iter().find(Result::is_err) {
            wrong_name(problems, at, &delivery.staging_name, &error);
        }
    }
    // Stands for a path that is wrong: it is reported, and never used.
    let no_path = RemotePath::new("-").ok();
    for (at, name) in names.iter().enumerate() {
        let Some(path) = path_of(at).cloned().or_else(|| no_path.clone()) else {
            continue;
        };
        entities.push(Arc::new(Entity {
            name: name.as_str().into(),
            type_: type_.clone(),
            version: version.clone(),
            address: address_of(at).cloned().unwrap_or_else(nowhere),
            path,
            credentials: credentials.clone(),
            timeouts,
            tls: tls.clone(),
            dialect: dialect.clone(),
            verify: delivery.verify,
            staging: delivery.staging,
            delete_first: delivery.delete_first,
            staging_name: delivery.staging_name.clone(),
            labels: labels.clone(),
        }));
    }
}

fn names(problems: &mut Problems, node: &Node) -> Option<Vec<String>> {
    let written = values::text(problems, node, "name")?;
    let names = names::expand(written).map_err(Complaint::from);
    let checked = names.and_then(|names| {
        match names.first() {
            Some(first) => check_entity_name(first)?,
            None => return Err(Complaint::new("the name is empty", "give it a value")),
        }
        Ok(names)
    });
    match checked {
        Ok(names) => Some(names),
        Err(complaint) => {
            problems.complain(&node.span, complaint);
            None
        }
    }
}

fn check_entity_name(name: &str) -> Result<(), Complaint> {
    if name == "any" {
        return Err(Complaint::new(
            "an entity can't be called `any`",
            "`{ peer: any }` means any entity that has the image: choose another name",
        ));
    }
    values::check_name(name)
}

/// The values that stand beside the names: as many, or one for all.
fn expanded(
    problems: &mut Problems,
    node: &Node,
    key: &str,
    names: Option<&[String]>,
) -> Option<Vec<String>> {
    let written = values::text(problems, node, key)?;
    let pattern = match Pattern::ranges(written) {
        Ok(pattern) => pattern,
        Err(unreadable) => {
            problems.complain(&node.span, unreadable.into());
            return None;
        }
    };
    let values = pattern.expand();
    // Without names there is nothing to compare with, but the values can be checked.
    let names = names.map_or(values.len(), <[String]>::len);
    if pattern.has_range() && values.len() != names {
        problems.report(
            &node.span,
            format!(
                "ranges of unequal length: {} makes {}, and `name` makes {names}",
                quoted(key),
                values.len(),
            ),
            "ranges expand side by side: write ranges of equal length, or a value without a range",
        );
        return None;
    }
    Some(values)
}

/// Converts all values; reports the first that can't be.
fn each<T>(
    problems: &mut Problems,
    node: &Node,
    values: &[String],
    convert: impl Fn(&str) -> Result<T, Complaint>,
) -> Option<Vec<T>> {
    let converted: Result<Vec<T>, Complaint> = values.iter().map(|v| convert(v)).collect();
    match converted {
        Ok(converted) => Some(converted),
        Err(complaint) => {
            problems.complain(&node.span, complaint);
            None
        }
    }
}

fn pick<T>(values: Option<&[T]>, at: usize) -> Option<&T> {
    match values? {
        [one] => Some(one),
        many => many.get(at),
    }
}

impl Taken {
    fn claim_names(&mut self, problems: &mut Problems, at: &Span, names: &[String]) {
        let mut again = Vec::new();
        let mut first = 0;
        for name in names {
            match self.names.get(name) {
                Some(line) => {
                    first = if again.is_empty() { *line } else { first };
                    again.push(name.as_str());
                }
                None => {
                    self.names.insert(name.clone(), at.line);
                }
            }
        }
        if !again.is_empty() {
            problems.report(
                at,
                format!("duplicate name: {}", some_of(again)),
                format!(
                    "the entry in line {first} makes it already: every entity has its own name"
                ),
            );
        }
    }

    fn claim_files(
        &mut self,
        problems: &mut Problems,
        at: &Span,
        names: &[String],
        files: &[(&Address, &RemotePath)],
    ) {
        let mut reported = false;
        for (name, (address, path)) in names.iter().zip(files) {
            let file = (
                address.host.to_ascii_lowercase(),
                address.port,
                RemotePath::clone(path),
            );
            match self.files.get(&file) {
                // The same name twice is reported as such.
                Some((other, _)) if other == name || reported => {}
                Some((other, line)) => {
                    problems.report(
                        at,
                        format!(
                            "{} would write the same file as {} (line {line}): {} on {address}",
                            quoted(name),
                            quoted(other),
                            quoted(path.as_str()),
                        ),
                        "give one of them another `address` or `path`",
                    );
                    reported = true;
                }
                None => {
                    self.files.insert(file, (name.clone(), at.line));
                }
            }
        }
    }
}
