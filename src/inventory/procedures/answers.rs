//! What a device may ask in the middle of an answer, and what is typed then.

use crate::model::procedure::{Reaction, ReactionText, Template};
use crate::model::{CredentialsRef, LoginBy, SecretSource};

use super::super::error::{Problems, did_you_mean, quoted};
use super::super::fields::{Fields, Shape};
use super::super::tree::{Node, Value};
use super::steps::Reader;
use super::texts;

const ANSWER: Shape = Shape::new("an answer", &[&["to", "with", "password"]]);

const ANSWERS_HELP: &str = "write `answers: [ { to: 'Proceed\\?', with: \"y\" } ]`";

impl<'n> Reader<'n, '_> {
    pub(super) fn answers(
        &mut self,
        problems: &mut Problems,
        node: &'n Node,
    ) -> Option<Vec<Reaction>> {
        let items = match &node.value {
            Value::Sequence(items) if !items.is_empty() => items,
            Value::Broken => return None,
            _ => {
                let message = "`answers` is a list of what a device may ask and what is said then";
                return problems.refuse(&node.span, message, ANSWERS_HELP);
            }
        };
        let read: Vec<_> = (items.iter())
            .map(|item| self.answer(problems, item))
            .collect();
        read.into_iter().collect()
    }

    fn answer(&mut self, problems: &mut Problems, node: &'n Node) -> Option<Reaction> {
        let fields = Fields::read(problems, node, &ANSWER);
        if !fields.are_there() {
            return None;
        }
        let to = fields.require(problems, "to", "'Proceed\\?'");
        let to = to.and_then(|node| texts::shown(problems, node, "to"));
        let with = match (fields.key_span("with"), fields.key_span("password")) {
            (Some(_), None) => {
                let node = fields.get("with")?;
                // Enter alone.
                let line = match node.text() {
                    Some("") => Template::parse("").ok(),
                    _ => self.template(problems, node, "with"),
                };
                line.map(ReactionText::Line)
            }
            (None, Some(_)) => {
                let node = fields.get("password")?;
                password(problems, node, self.known.credentials)
            }
            (Some(_), Some(at)) => {
                let message = "an answer has both `with` and `password`";
                problems.refuse(at, message, "keep one: what is typed, or whose password")
            }
            (None, None) if fields.is_meant("with") || fields.is_meant("password") => None,
            (None, None) => problems.refuse(
                &node.span,
                "an answer without `with` or `password`",
                "add `with: TEXT`, what is typed then (`\"\"` is Enter alone), or `password: \
                 CREDENTIALS`",
            ),
        };
        Some(Reaction {
            to: to?,
            with: with?,
        })
    }
}

/// Whose password is typed. What stands there instead is never repeated: it may be the password.
fn password(
    problems: &mut Problems,
    node: &Node,
    known: &[CredentialsRef],
) -> Option<ReactionText> {
    let name = node.text().filter(|name| !name.is_empty());
    let found = name.and_then(|name| known.iter().find(|one| &*one.name == name));
    let Some(found) = found else {
        if matches!(node.value, Value::Broken) {
            return None;
        }
        let names = known.iter().map(|one| &*one.name);
        let help = did_you_mean(name.unwrap_or(""), names, || {
            "write the name of credentials that stand under `credentials`: `password: NAME`".into()
        });
        let message = "these are no credentials of this inventory";
        return problems.refuse(&node.span, message, help);
    };
    if found.by != LoginBy::Password || found.secret == SecretSource::Empty {
        let message = format!("credentials {} have no password", quoted(&found.name));
        let help = "name credentials that have one, or write what is typed as `with: TEXT`";
        return problems.refuse(&node.span, message, help);
    }
    Some(ReactionText::Password(found.name.clone()))
}
