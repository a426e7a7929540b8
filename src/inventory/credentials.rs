//! `credentials`: the user, and where the password comes from. Never the password itself, and what is
//! written instead of a source is never repeated in a message.

use std::path::{Path, PathBuf};

use crate::model::{CredentialsRef, Name, SecretSource};

use super::error::{Complaint, Problems, did_you_mean, quoted};
use super::fields::{Fields, Shape, list, section};
use super::redact::is_variable;
use super::tree::{Node, Value};
use super::values;

const CREDENTIALS: Shape = Shape::new("credentials", &[&["user", "password"]]);

const SOURCES: [&str; 4] = ["env", "file", "command", "ask"];

const WAYS: &str = "write where it comes from: `password: { env: NAME }`, `{ file: PATH }`, \
                    `{ command: [PROGRAM, ARGUMENT] }` or `{ ask: true }`";

/// Reads the section; credentials with errors are in the result too, so that they can be named.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    file: &Path,
) -> Vec<CredentialsRef> {
    section(problems, node, "credentials")
        .into_iter()
        .map(|(name, _, node)| {
            let fields = Fields::read(problems, node, &CREDENTIALS);
            let user = fields.require(problems, "user", "craft");
            let user = user.and_then(|node| values::label(problems, node, "user"));
            let secret = fields.get("password").and_then(|node| {
                let refused = |refusal: Refusal<'_>| {
                    let (at, complaint) = refusal?;
                    problems.complain(&at.span, complaint);
                    None
                };
                password_source(node, file).map_or_else(refused, Some)
            });
            CredentialsRef {
                name: name.into(),
                user: user.unwrap_or_default(),
                secret: secret.unwrap_or(SecretSource::Empty),
            }
        })
        .collect()
}

/// Reads a reference to credentials.
pub(super) fn reference(
    problems: &mut Problems,
    node: Option<&Node>,
    known: &[CredentialsRef],
) -> Option<Name> {
    let node = node?;
    let name = values::text(problems, node, "credentials")?;
    if let Some(found) = known.iter().find(|credentials| &*credentials.name == name) {
        return Some(Name::clone(&found.name));
    }
    let names = known.iter().map(|credentials| &*credentials.name);
    let help = did_you_mean(name, names, || {
        format!("describe them under `credentials`: `{name}: {{ user: … }}`")
    });
    let message = format!("there are no credentials {}", quoted(name));
    problems.refuse(&node.span, message, help)
}

type Refusal<'a> = Option<(&'a Node, Complaint)>;

fn refuse<'a, T>(at: &'a Node, message: &str, help: &str) -> Result<T, Refusal<'a>> {
    Err(Some((at, Complaint::new(message, help))))
}

fn password_source<'a>(node: &'a Node, file: &Path) -> Result<SecretSource, Refusal<'a>> {
    let entries = match &node.value {
        Value::Mapping(entries) => entries,
        Value::Broken => return Err(None),
        Value::Scalar { .. } | Value::Sequence(_) => {
            return refuse(
                node,
                "a password can't stand in the inventory: whoever reads, copies or backs up this \
                 file would have it",
                WAYS,
            );
        }
    };
    let [entry] = entries.as_slice() else {
        return refuse(node, "a password comes from exactly one source", WAYS);
    };
    let value = &*entry.value;
    let written = match &value.value {
        Value::Broken => return Err(None),
        Value::Scalar { .. } => value.text().unwrap_or(""),
        _ => "",
    };
    match entry.key.text().unwrap_or("") {
        "env" if is_variable(written) => Ok(SecretSource::Env(written.to_owned())),
        "env" => refuse(
            value,
            "this is not the name of an environment variable",
            "write its name without `$`, like `{ env: SUBTEND_CRAFT }`",
        ),
        "file" if !written.is_empty() && !written.contains('\0') => {
            Ok(SecretSource::File(absolute(file, written)))
        }
        "file" => refuse(
            value,
            "this is not the path of a file",
            "write it relative to the inventory's folder, like `{ file: secrets/craft }`",
        ),
        "command" => command(value),
        "ask" if written == "true" => Ok(SecretSource::Ask),
        "ask" => refuse(
            value,
            "`ask` can only be `true`",
            "write `{ ask: true }`; leave `password` out if there is none",
        ),
        other => {
            let help = did_you_mean(other, SOURCES, || format!("known are {}", list(SOURCES)));
            refuse(
                &entry.key,
                "this is not where a password can come from",
                &help,
            )
        }
    }
}

fn command(node: &Node) -> Result<SecretSource, Refusal<'_>> {
    let wrong = |at| {
        refuse(
            at,
            "a command is a list of its program and arguments: there is no shell",
            "write `{ command: [pass, show, craft] }`",
        )
    };
    let Value::Sequence(items) = &node.value else {
        return wrong(node);
    };
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        match item.text() {
            Some(word) if !word.contains('\0') => words.push(word.to_owned()),
            _ => return wrong(item),
        }
    }
    match words.first() {
        Some(program) if !program.is_empty() => Ok(SecretSource::Command(words)),
        _ => wrong(node),
    }
}

/// A path relative to the folder of the inventory.
pub(super) fn absolute(inventory: &Path, path: &str) -> PathBuf {
    let folder = inventory.parent().unwrap_or(Path::new(""));
    let joined = folder.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}
