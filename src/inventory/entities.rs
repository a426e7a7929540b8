//! `entities`: each entry is one, or a range of them.

use std::path::Path;
use std::sync::Arc;

use crate::model::names::{self, Pattern};
use crate::model::rate::Sharing;
use crate::model::scheme::{FTP_KEYS, HTTP_KEYS, SSH_KEYS, TLS_KEYS};
use crate::model::staging::Names;
use crate::model::{Address, Cap, Capped, CredentialsRef, Entity, RemotePath, Staging};

use super::able;
use super::address::{check_keys, parse_address, parse_host};
use super::catalog::nowhere;
use super::credentials::{self, check_login};
use super::defaults::{Defaults, check_folder, check_path, delivery, labels, timeouts, wrong_name};
use super::dialect;
use super::error::{Complaint, Problems, quoted};
use super::fields::{Fields, Shape};
use super::http;
use super::procedures::{Kinds, Place, deliver, parse_place};
use super::rates;
use super::serve;
use super::ssh;
use super::taken::Taken;
use super::tls;
use super::tree::{Node, Value};
use super::values::{self, DELIVERY_KEYS, TIME_KEYS};

const ENTITY: Shape = Shape {
    extensions: true,
    ..Shape::new(
        "an entity",
        &[
            &["name", "type", "version", "address", "path", "credentials"],
            TIME_KEYS,
            DELIVERY_KEYS,
            &["labels", "session", "rate", "deliver", "fetch_from"],
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
    (known, kinds): (&[CredentialsRef], &Kinds<'_>),
    (defaults, inventory): (&Defaults, &Path),
    caps: &mut Vec<Cap>,
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
        kinds,
        defaults,
        inventory,
        taken: Taken::default(),
        caps,
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

/// What entries are read with.
struct Reader<'a> {
    known: &'a [CredentialsRef],
    kinds: &'a Kinds<'a>,
    defaults: &'a Defaults,
    /// The file.
    inventory: &'a Path,
    taken: Taken,
    caps: &'a mut Vec<Cap>,
}

/// An entry as it is written; `None` for what can't be read.
struct Entry<'n> {
    node: &'n Node,
    fields: Fields<'n>,
    names: Option<Vec<String>>,
    addresses: Option<Vec<Address>>,
    paths: Option<Vec<RemotePath>>,
    sessions: Option<Vec<Place>>,
}

impl<'n> Entry<'n> {
    /// The value of the first of these keys that has one, else the whole entry.
    fn at(&self, keys: &[&str]) -> &'n Node {
        let mut values = keys.iter().filter_map(|key| self.fields.get(key));
        values.next().unwrap_or(self.node)
    }

    fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter().flatten()
    }

    fn address(&self, index: usize) -> Option<&Address> {
        pick(self.addresses.as_deref(), index)
    }

    fn path(&self, index: usize) -> Option<&RemotePath> {
        pick(self.paths.as_deref(), index)
    }
}

impl Reader<'_> {
    fn entry(&mut self, problems: &mut Problems, node: &Node, entities: &mut Vec<Arc<Entity>>) {
        let fields = Fields::read(problems, node, &ENTITY);
        if !fields.are_there() {
            return;
        }
        let names = fields.require(problems, "name", "shelf1-01");
        let names = names.and_then(|node| names_of(problems, node));
        let mut required = |key: &str, example: &str| {
            let node = fields.require(problems, key, example)?;
            values::label(problems, node, key)
        };
        let type_ = required("type", "adsl").unwrap_or_default();
        let version = required("version", "\"2.3\"").unwrap_or_default();
        let fetches = deliver(problems, &fields)
            .or_else(|| self.kinds.fetches(&type_))
            .or(self.defaults.fetches)
            .unwrap_or(false);
        let addresses = fields.require(problems, "address", "192.0.2.21");
        let addresses = addresses.and_then(|node| {
            let values = expanded(problems, node, "address", names.as_deref())?;
            let parse = match fetches {
                true => parse_host,
                false => parse_address,
            };
            each(problems, node, &values, parse)
        });
        let paths = self.paths(problems, node, &fields, names.as_deref());
        let sessions = fields.get("session").and_then(|node| {
            let values = expanded(problems, node, "session", names.as_deref())?;
            each(problems, node, &values, parse_place)
        });
        let entry = Entry {
            node,
            fields,
            names,
            addresses,
            paths,
            sessions,
        };
        for address in entry.addresses() {
            check_keys(problems, &entry.fields, address);
        }
        let Some(mut template) = self.template(problems, &entry.fields, (type_, version)) else {
            return;
        };
        if fetches {
            self.check_fetch(problems, &entry, &mut template);
        } else if let Some(at) = entry.fields.key_span("fetch_from") {
            problems.report(
                at,
                "`fetch_from` of an entity that does not fetch its image",
                "leave it out, or add `deliver: fetch`",
            );
        }
        self.check_protocol(problems, &entry, &template);
        check_staging_name(problems, &entry, &template);
        self.claim(problems, &entry);
        let sharing = || Some(Sharing::one(template.timeouts));
        let rate = rates::read(problems, &entry.fields, sharing);
        // A name that can't be read still has a type and a version, which groups may select.
        let unreadable = || entry.fields.get("name").and_then(Node::text).unwrap_or("");
        let names = entry.names.clone();
        let names = names.unwrap_or_else(|| vec![unreadable().to_owned()]);
        for (index, name) in names.iter().enumerate() {
            if let Some(rate) = rate {
                let on = Capped::Entity(name.as_str().into());
                self.caps.push(Cap { on, rate });
            }
            let (address, path) = (entry.address(index), entry.path(index));
            let address = address.unwrap_or(&template.address);
            let session = pick(entry.sessions.as_deref(), index);
            let credentials = template.credentials.clone();
            entities.push(Arc::new(Entity {
                name: name.as_str().into(),
                address: address.clone(),
                // Those of `defaults` are for the others.
                credentials: credentials.filter(|_| address.scheme.has_login()),
                path: path.unwrap_or(&template.path).clone(),
                session: session.map(|place| place.beside(&address.host)),
                ..template.clone()
            }));
        }
    }

    /// What means something where an entity fetches its image itself, and what doesn't.
    fn check_fetch(&self, problems: &mut Problems, entry: &Entry<'_>, template: &mut Entity) {
        // The device writes it as it does.
        for key in ["staging", "staging_name", "delete_first"] {
            if let Some(at) = entry.fields.key_span(key) {
                problems.report(
                    at,
                    format!("`{key}` of an entity that fetches its image: how it is written is its own affair"),
                    "leave it out, or write `deliver: push`",
                );
            }
        }
        template.staging = Staging::Direct;
        let from = (entry.fields).value(problems, "fetch_from", serve::fetch_from);
        template.fetch_from = from.unwrap_or_default();
        let steps = self.kinds.fetch_steps(&template.type_);
        if steps == Some(false) {
            problems.report(
                &entry.at(&["deliver", "type"]).span,
                format!(
                    "it fetches its image, and no step of a procedure makes it: the type {} has none",
                    quoted(&template.type_)
                ),
                "add `fetch: [ { send: \"copy {url} flash:\", fetch: true, within: 30m } ]` to the procedure of its type",
            );
        }
    }

    /// Reports what the protocols of the addresses can't do.
    fn check_protocol(&self, problems: &mut Problems, entry: &Entry<'_>, template: &Entity) {
        let at = entry.at(&["credentials", "address"]);
        for address in entry
            .addresses()
            .filter(|address| address.scheme.has_login())
        {
            let credentials = template.credentials.as_ref();
            check_login(problems, at, credentials, self.known, address);
        }
        let addresses = entry.addresses.as_deref().unwrap_or_default();
        able::check(problems, entry.node, &entry.fields, template, addresses);
    }

    /// Reports names and files that an earlier entry has, and keeps these for later ones.
    fn claim(&mut self, problems: &mut Problems, entry: &Entry<'_>) {
        let Some(names) = &entry.names else {
            return;
        };
        let at = &entry.at(&["name"]).span;
        self.taken.claim_names(problems, at, names);
        let files = (0..names.len()).filter_map(|n| Some((entry.address(n)?, entry.path(n)?)));
        let at = &entry.at(&["path", "address"]).span;
        let files: Vec<(&Address, &RemotePath)> = files.collect();
        self.taken.claim_files(problems, at, names, &files);
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
            session: None,
            fetch_from: Vec::new(),
        })
    }
}

/// Reports a staging name that is none beside one of the paths.
fn check_staging_name(problems: &mut Problems, entry: &Entry<'_>, template: &Entity) {
    if template.staging != Staging::Rename {
        return;
    }
    let pattern = &template.staging_name;
    let mut paths = entry.paths.iter().flatten();
    if let Some(error) = paths.find_map(|path| Names::new(path, pattern, "").err()) {
        wrong_name(
            problems,
            entry.at(&["staging_name", "path"]),
            pattern,
            &error,
        );
    }
}

fn names_of(problems: &mut Problems, node: &Node) -> Option<Vec<String>> {
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
