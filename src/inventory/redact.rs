//! What of the file must not be shown in a snippet: anything that may be a secret.
//!
//! A password never belongs into the file, but the errors of a file are shown exactly when
//! somebody wrote one there, perhaps under a misspelt key. So it is guessed generously.

use std::ops::Range;

use super::credentials::is_private_key;
use super::tree::{Node, Value};
use crate::model::suggest::nearest;

/// Ranges of bytes of the text that are shown as `***`.
#[derive(Debug, Default)]
pub(super) struct Redactions {
    ranges: Vec<Range<usize>>,
    /// There is no tree to go by: words that announce a secret hide what follows them.
    textual: bool,
}

/// Where a node stands, as far as secrets are concerned.
#[derive(Clone, Copy)]
enum Context {
    File,
    Anywhere,
    /// The section of all credentials, one of them, and its password.
    Section,
    Credentials,
    Password,
    /// Where an environment variable is named: what can't be a name may be the password itself.
    Variable,
    /// Where the file of a private key is named: what can't be a path may be the key itself.
    KeyFile,
    Secret,
}

impl Redactions {
    /// For a text that is not valid YAML.
    pub(super) fn textual() -> Self {
        Self {
            ranges: Vec::new(),
            textual: true,
        }
    }

    pub(super) fn of(root: &Node) -> Self {
        let mut found = Self::default();
        found.visit(root, Context::File);
        found
    }

    /// The ranges that touch a line, which begins at `start` of the text.
    pub(super) fn in_line(&self, text: &str, start: usize, line: &str) -> Vec<Range<usize>> {
        let end = start + line.len();
        if !self.textual {
            let touches = |range: &&Range<usize>| range.start < end && range.end > start;
            return self.ranges.iter().filter(touches).cloned().collect();
        }
        let above = text[..start].trim_end().lines().next_back().unwrap_or("");
        let continues = above.ends_with([':', '|', '>', '-', ',', '{', '[']);
        let from = if continues && announces_secret(above).is_some() {
            Some(line.len() - line.trim_start().len())
        } else {
            announces_secret(line).or_else(|| line.contains('@').then_some(0))
        };
        from.map(|from| start + from..end).into_iter().collect()
    }

    fn visit(&mut self, node: &Node, context: Context) {
        match &node.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    let key = entry.key.text().unwrap_or("");
                    let below = below(context, key);
                    // `password: { hunter2 }` makes a key of it.
                    if matches!((context, below), (Context::Password, Context::Secret)) {
                        self.ranges.push(entry.key.span.bytes.clone());
                    }
                    self.visit(&entry.value, below);
                }
            }
            Value::Sequence(items) => {
                let context = match context {
                    Context::Section
                    | Context::Credentials
                    | Context::Password
                    | Context::Variable
                    | Context::KeyFile => Context::Secret,
                    context => context,
                };
                items.iter().for_each(|item| self.visit(item, context));
            }
            Value::Scalar { text, .. } => {
                let hidden = match context {
                    _ if node.is_null() => false,
                    Context::File | Context::Anywhere => text.contains('@'),
                    Context::Variable => !is_variable(text),
                    Context::KeyFile => is_private_key(text),
                    Context::Section
                    | Context::Credentials
                    | Context::Password
                    | Context::Secret => true,
                };
                if hidden {
                    self.ranges.push(node.span.bytes.clone());
                }
            }
            Value::Broken => {}
        }
    }
}

fn below(context: Context, key: &str) -> Context {
    match context {
        Context::File if nearest(key, ["credentials"]).is_some() => Context::Section,
        Context::File | Context::Anywhere => match announces_secret(key) {
            Some(_) => Context::Password,
            None => Context::Anywhere,
        },
        Context::Section => Context::Credentials,
        Context::Credentials => match key {
            "user" | "agent" => Context::Anywhere,
            "key" => Context::KeyFile,
            "password" | "passphrase" | "token" => Context::Password,
            _ => Context::Secret,
        },
        Context::Password => match key {
            "env" => Context::Variable,
            "file" | "command" | "ask" => Context::Anywhere,
            _ => Context::Secret,
        },
        Context::Variable | Context::KeyFile | Context::Secret => Context::Secret,
    }
}

/// Where the first word ends that says that a secret follows.
fn announces_secret(text: &str) -> Option<usize> {
    const WORDS: [&str; 6] = ["pass", "pwd", "secret", "token", "login", "account"];
    // ASCII only, so that the places are those of the text itself.
    let lower = text.to_ascii_lowercase();
    WORDS
        .iter()
        .filter_map(|word| lower.find(word).map(|at| at + word.len()))
        .min()
}

/// Whether a text can be the name of an environment variable.
pub(super) fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
