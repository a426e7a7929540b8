//! `credentials`: the user, and where what identifies it comes from. Never a secret itself, and what is
//! written instead of a source is never repeated in a message.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Address, CredentialsRef, LoginBy, Name, SecretSource};

use super::error::{Complaint, Problems, did_you_mean, quoted};
use super::fields::{Fields, Shape, list, section};
use super::redact::is_variable;
use super::tree::{Node, Value};
use super::values;

const CREDENTIALS: Shape = Shape::new("credentials", &[&["user", "passphrase"], &WAYS_TO_LOG_IN]);

/// What can identify the user: one of them.
const WAYS_TO_LOG_IN: [&str; 4] = ["password", "key", "agent", "token"];

const SOURCES: [&str; 4] = ["env", "file", "command", "ask"];

fn ways(secret: &str) -> String {
    format!(
        "write where it comes from: `{secret}: {{ env: NAME }}`, `{{ file: PATH }}`, `{{ command: \
         [PROGRAM, ARGUMENT] }}` or `{{ ask: true }}`"
    )
}

/// Reads the section; credentials with errors are in the result too, so that they can be named.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    file: &Path,
) -> Vec<CredentialsRef> {
    section(problems, node, "credentials")
        .into_iter()
        .map(|(name, _, node)| one(problems, name, node, file))
        .collect()
}

fn one(problems: &mut Problems, name: &str, node: &Node, file: &Path) -> CredentialsRef {
    let fields = Fields::read(problems, node, &CREDENTIALS);
    let is_token = fields.key_span("token").is_some();
    let user = match is_token {
        false => fields.require(problems, "user", "craft"),
        true => None,
    };
    let user = user.and_then(|node| values::label(problems, node, "user"));
    check_together(problems, &fields);
    let key = fields.get("key").and_then(|node| {
        let read = key_file(node, file);
        told(problems, read)
    });
    let agent = fields.value(problems, "agent", agent);
    let by = match (key, agent) {
        (Some(path), _) => LoginBy::Key(Arc::new(path)),
        (None, Some(())) => LoginBy::Agent,
        (None, None) if is_token => LoginBy::Token,
        (None, None) => LoginBy::Password,
    };
    let secrets = ["password", "passphrase", "token"];
    let mut sources = secrets.iter().filter_map(|secret| {
        let read = secret_source(fields.get(secret)?, secret, file);
        told(problems, read)
    });
    let secret = sources.next();
    // The others have their errors too.
    sources.for_each(drop);
    CredentialsRef {
        name: name.into(),
        user: user.unwrap_or_default(),
        by,
        secret: secret.unwrap_or(SecretSource::Empty),
    }
}

/// Keys that do not go together.
fn check_together(problems: &mut Problems, fields: &Fields<'_>) {
    let mut given = (WAYS_TO_LOG_IN.iter()).filter_map(|key| Some((key, fields.key_span(key)?)));
    if let Some((first, _)) = given.next() {
        for (second, at) in given {
            problems.report(
                at,
                format!("both `{first}` and `{second}` are given"),
                "keep one: each of them identifies the user alone",
            );
        }
    }
    if let Some(at) = fields.key_span("passphrase")
        && fields.key_span("key").is_none()
    {
        problems.report(
            at,
            "a passphrase without a key",
            "add `key: FILE`, the private key that it is for, or leave it out",
        );
    }
    if let Some(at) = fields.key_span("user")
        && fields.key_span("token").is_some()
    {
        problems.report(
            at,
            "a token has no user",
            "leave `user` out: the token says who it is for",
        );
    }
}

fn told<T>(problems: &mut Problems, read: Result<T, Refusal<'_>>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(Some((at, complaint))) => {
            problems.complain(&at.span, complaint);
            None
        }
        Err(None) => None,
    }
}

fn key_file<'a>(node: &'a Node, file: &Path) -> Result<PathBuf, Refusal<'a>> {
    const FILE: &str = "write the path of its file relative to the inventory's folder, like `key: \
                        secrets/noc_ed25519`";
    match (node.text(), &node.value) {
        (_, Value::Broken) => Err(None),
        (Some(text), _) if is_private_key(text) => refuse(
            node,
            "a private key can't stand in the inventory: whoever reads, copies or backs up this file \
             would have it",
            FILE,
        ),
        (Some(text), _) if !text.is_empty() && !text.chars().any(char::is_control) => {
            Ok(absolute(file, text))
        }
        _ => refuse(node, "this is not the path of a file", FILE),
    }
}

/// Whether a text is a private key, where the path of its file belongs.
pub(super) fn is_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY") || text.contains('\n') || text.starts_with("b3BlbnNza")
}

fn agent(problems: &mut Problems, node: &Node, key: &str) -> Option<()> {
    if values::boolean(problems, node, key)? {
        return Some(());
    }
    problems.refuse(
        &node.span,
        "`agent` can only be `true`",
        "write `agent: true` for the keys of the SSH agent, or leave it out",
    )
}

/// Reports credentials that no server of this kind can take.
pub(super) fn check_login(
    problems: &mut Problems,
    at: &Node,
    credentials: Option<&Name>,
    known: &[CredentialsRef],
    address: &Address,
) {
    let found = known.iter().find(|one| Some(&one.name) == credentials);
    let Some(found) = found.filter(|one| !address.scheme.logs_in_by(&one.by)) else {
        return;
    };
    problems.report(
        &at.span,
        format!(
            "credentials {} identify the user by `{}`, and a server of {} does not take that",
            quoted(&found.name),
            found.by.word(),
            address.scheme.in_words(),
        ),
        "name credentials with a `password` here, or write the address of another protocol",
    );
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

/// Where a secret comes from: a password, a passphrase or a token.
fn secret_source<'a>(
    node: &'a Node,
    secret: &str,
    file: &Path,
) -> Result<SecretSource, Refusal<'a>> {
    let entries = match &node.value {
        Value::Mapping(entries) => entries,
        Value::Broken => return Err(None),
        Value::Scalar { .. } | Value::Sequence(_) => {
            return refuse(
                node,
                &format!(
                    "a {secret} can't stand in the inventory: whoever reads, copies or backs up \
                     this file would have it"
                ),
                &ways(secret),
            );
        }
    };
    let [entry] = entries.as_slice() else {
        let message = format!("a {secret} comes from exactly one source");
        return refuse(node, &message, &ways(secret));
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
            &format!("write `{{ ask: true }}`; leave `{secret}` out if there is none"),
        ),
        other => {
            let help = did_you_mean(other, SOURCES, || format!("known are {}", list(SOURCES)));
            refuse(
                &entry.key,
                &format!("this is not where a {secret} can come from"),
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
