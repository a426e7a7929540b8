//! `entities`: each entry is one, or a range of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::model::names::{self, Pattern};
use crate::model::scheme::{FTP_KEYS, HTTP_KEYS, SSH_KEYS, TLS_KEYS};
use crate::model::staging::Names;
use crate::model::{Address, CredentialsRef, Entity, RemotePath, Staging};

use super::able;
use super::address::{check_keys, parse_address};
use super::catalog::nowhere;
use super::credentials::{self, check_login};
use super::defaults::{Defaults, check_folder, check_path, delivery, labels, timeouts, wrong_name};
use super::dialect;
use super::error::{Complaint, Problems, Span, quoted, some_of};
use super::fields::{DELIVERY_KEYS, Fields, Shape, TIME_KEYS};
use super::http;
use super::ssh;
use super::tls;
use super::tree::{Node, Value};
use super::values;

const ENTITY: Shape = Shape {
    extensions: true,
    ..Shape::new(
        "an entity",
        &[
            &["name", "type", "version", "address", "path", "credentials"],
            TIME_KEYS,
            DELIVERY_KEYS,
            &["labels"],
            &TLS_KEYS,
            &SSH_KEYS,
            &FTP_KEYS,
            &HTTP_KEYS,
        ],
    )
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
    let mut reader = Reader {
        known,
        defaults,
        inventory,
        taken: Taken::default(),
    };
    let mut entities = Vec::new();
    for item in items {
        reader.entry(problems, item, &mut entities);
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

/// What entries are read with.
struct Reader<'a> {
    known: &'a [CredentialsRef],
    defaults: &'a Defaults,
    /// The file.
    inventory: &'a Path,
    taken: Taken,
}

impl Reader<'_> {
    fn entry(&mut self, problems: &mut Problems, node: &Node, entities: &mut Vec<Arc<Entity>>) {
        let fields = Fields::read(problems, node, &ENTITY);
        if !fields.are_there() {
            return;
        }
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
        let paths = self.paths(problems, node, &fields, names.as_deref());
        for address in addresses.iter().flatten() {
            check_keys(problems, &fields, address);
        }
        let Some(template) = self.template(problems, &fields, (type_, version)) else {
            return;
        };
        if let Some(at) = fields.get("credentials").or(address_node) {
            let addresses = addresses.iter().flatten();
            for address in addresses.filter(|address| address.scheme.has_login()) {
                let credentials = template.credentials.as_ref();
                check_login(problems, at, credentials, self.known, address);
            }
        }
        let addresses_of = addresses.as_deref().unwrap_or_default();
        able::check(problems, node, &fields, &template, addresses_of);
        let path_node = fields.get("path");
        if template.staging == Staging::Rename
            && let Some(paths) = &paths
        {
            let at = fields.get("staging_name").or(path_node).unwrap_or(node);
            let mut names = (paths.iter()).map(|path| Names::new(path, &template.staging_name, ""));
            if let Some(Err(error)) = names.find(Result::is_err) {
                wrong_name(problems, at, &template.staging_name, &error);
            }
        }
        // A name that can't be read still has a type and a version, which groups may select.
        let unreadable = || name_node.and_then(Node::text).unwrap_or("").to_owned();
        let readable = names.is_some();
        let names = names.unwrap_or_else(|| vec![unreadable()]);
        let address_of = |index: usize| pick(addresses.as_deref(), index);
        let path_of = |index: usize| pick(paths.as_deref(), index);
        if readable {
            let at = name_node.unwrap_or(node);
            self.taken.claim_names(problems, &at.span, &names);
            let at = path_node.or(address_node).unwrap_or(node);
            let files = (0..names.len()).filter_map(|n| Some((address_of(n)?, path_of(n)?)));
            let files: Vec<(&Address, &RemotePath)> = files.collect();
            self.taken.claim_files(problems, &at.span, &names, &files);
        }
        for (index, name) in names.iter().enumerate() {
            let (address, path) = (address_of(index), path_of(index));
            let address = address.unwrap_or(&template.address);
            let credentials = template.credentials.clone();
            entities.push(Arc::new(Entity {
                name: name.as_str().into(),
                address: address.clone(),
                // Those of `defaults` are for the others.
                credentials: credentials.filter(|_| address.scheme.has_login()),
                path: path.unwrap_or(&template.path).clone(),
                ..template.clone()
            }));
        }
    }

    /// `None` where there is none, or one that can't be used.
    fn paths(
        &self,
        problems: &mut Problems,
        node: &Node,
        fields: &Fields<'_>,
        names: Option<&[String]>,
    ) -> Option<Vec<RemotePath>> {
        match (fields.get("path"), &self.defaults.path) {
            (Some(node), _) => {
                let values = expanded(problems, node, "path", names)?;
                each(problems, node, &values, check_path)
            }
            (None, Some(path)) => Some(vec![path.clone().ok()?]),
            (None, None) if fields.key_span("path").is_some() => None,
            (None, None) => problems.refuse(
                &node.span,
                "an entity without `path`, and `defaults` has none",
                "add `path: /flash/image.bin`, the destination file, here or under `defaults`",
            ),
        }
    }

    /// What the entities of an entry have in common. Its address and path stand for those that are
    /// wrong: they are reported, and never used.
    fn template(
        &self,
        problems: &mut Problems,
        fields: &Fields<'_>,
        (type_, version): (String, String),
    ) -> Option<Entity> {
        let defaults = self.defaults;
        let credentials = match fields.get("credentials") {
            None => defaults.credentials.clone(),
            own => credentials::reference(problems, own, self.known),
        };
        let timeouts = timeouts(problems, fields, defaults.timeouts);
        let tls = tls::read(problems, fields, &defaults.tls, self.inventory);
        let ssh = ssh::read(problems, fields, &defaults.ssh, self.inventory);
        let dialect = dialect::read(problems, fields, &defaults.dialect);
        let http = http::read(problems, fields, &defaults.http);
        let delivery = delivery(problems, fields, &defaults.delivery);
        check_folder(problems, fields, &delivery, &dialect);
        Some(Entity {
            name: "".into(),
            type_,
            version,
            address: nowhere(),
            path: RemotePath::new("-").ok()?,
            credentials,
            timeouts,
            tls,
            ssh,
            dialect,
            http,
            verify: delivery.verify,
            staging: delivery.staging,
            delete_first: delivery.delete_first,
            staging_name: delivery.staging_name,
            labels: labels(problems, fields.get("labels"), &defaults.labels),
        })
    }
}

fn names(problems: &mut Problems, node: &Node) -> Option<Vec<String>> {
    let written = values::text(problems, node, "name")?;
    let checked = names::expand(written).and_then(|names| match names.first() {
        Some(first) => check_entity_name(first).map(|()| names),
        None => Err(Complaint::new("the name is empty", "give it a value")),
    });
    problems.ok(&node.span, checked)
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
    let pattern = problems.ok(&node.span, Pattern::ranges(written))?;
    let values = pattern.expand();
    // Without names there is nothing to compare with, but the values can be checked.
    let names = names.map_or(values.len(), <[String]>::len);
    if pattern.has_range() && values.len() != names {
        return problems.refuse(
            &node.span,
            format!(
                "ranges of unequal length: {} makes {}, and `name` makes {names}",
                quoted(key),
                values.len(),
            ),
            "ranges expand side by side: write ranges of equal length, or a value without a range",
        );
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
    problems.ok(&node.span, converted)
}

fn pick<T>(values: Option<&[T]>, index: usize) -> Option<&T> {
    match values? {
        [one] => Some(one),
        many => many.get(index),
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
