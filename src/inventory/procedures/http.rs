//! A request over HTTP, as a step has it; and where it goes, as `session` has it.

use crate::model::procedure::{
    Body, Deed, Method, Placeholder, Request, Template, WebSpec, has_dots,
};
use crate::model::scheme::TLS_KEYS;
use crate::model::{CredentialsRef, Name, Scheme};

use super::super::error::{Complaint, Problems, Span, did_you_mean, quoted};
use super::super::fields::Fields;
use super::super::tls;
use super::super::tree::{Node, Value};
use super::super::values;
use super::steps::Reader;
use super::{Known, Need, session};

const REQUEST_HELP: &str =
    "write `http: \"/api/status\"`, or with a method, `http: \"POST /api/reload\"`";
const BODY_HELP: &str = "write it in single quotes: `body: '{\"bank\": 2}'`";

/// The keys of `session` that say where requests go.
pub(super) const WAYS: [(&str, Scheme); 2] = [("http", Scheme::Http), ("https", Scheme::Https)];

impl<'n> Reader<'n, '_> {
    pub(super) fn http(
        &mut self,
        problems: &mut Problems,
        fields: &Fields<'n>,
        at: &'n Span,
    ) -> Option<Deed> {
        self.need(Need::Web, at);
        let asked = fields.get("http");
        let asked = asked.and_then(|node| self.asked(problems, node));
        let content_type = fields.value(problems, "content_type", content_type);
        let body = match fields.get("body") {
            Some(node) => self.body(problems, node, content_type).map(Some),
            None if fields.key_span("body").is_some() || fields.is_meant("body") => None,
            None => Some(None),
        };
        if let Some(at) = fields.key_span("content_type")
            && fields.key_span("body").is_none()
            && !fields.is_meant("body")
        {
            let message = "`content_type` without `body`: there is nothing of that type";
            problems.report(at, message, "add `body: TEXT`, or leave it out");
        }
        let (method, path) = asked?;
        if let Some(at) = fields.key_span("body").filter(|_| method == Method::Get) {
            return problems.refuse(
                at,
                "`body` beside `GET`, which carries none",
                "write another method, `http: \"POST /api/reload\"`, or leave it out",
            );
        }
        let body = body?;
        Some(Deed::Http(Box::new(Request { method, path, body })))
    }

    fn asked(&mut self, problems: &mut Problems, node: &'n Node) -> Option<(Method, Template)> {
        let written = values::label(problems, node, "http")?;
        let (method, path) = match written.split_once(' ') {
            Some((word, path)) if !word.starts_with('/') => {
                (problems.ok(&node.span, method(word))?, path.trim_start())
            }
            _ => (Method::Get, written.as_str()),
        };
        if let Some(complaint) = not_a_path(path) {
            problems.complain(&node.span, complaint);
            return None;
        }
        let path = problems.ok(&node.span, Template::parse(path))?;
        self.needs_of(&path, node);
        Some((method, path))
    }

    fn body(
        &mut self,
        problems: &mut Problems,
        node: &'n Node,
        content_type: Option<String>,
    ) -> Option<Body> {
        let text = match (node.text(), &node.value) {
            (Some(text), _) => text,
            (None, Value::Broken) => return None,
            (None, _) => {
                let message = format!("`body` must be text, and this is {}", node.kind());
                return problems.refuse(&node.span, message, BODY_HELP);
            }
        };
        let acts = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.chars().any(acts) {
            let message = "`body` holds a control character";
            return problems.refuse(&node.span, message, "write plain text");
        }
        let body = problems.ok(&node.span, Body::new(text, content_type))?;
        self.needs_of(&body.text, node);
        Some(body)
    }

    /// The labels that the entities must have.
    pub(super) fn needs_of(&mut self, template: &Template, node: &'n Node) {
        for placeholder in template.placeholders() {
            if let Placeholder::Label(label) = placeholder {
                self.need(Need::Label(label.clone()), &node.span);
            }
        }
    }
}

fn method(word: &str) -> Result<Method, Complaint> {
    let found = Method::ALL.into_iter().find(|method| method.word() == word);
    found.ok_or_else(|| {
        let known = Method::ALL.map(Method::word);
        let capitals = word.to_ascii_uppercase();
        let help = did_you_mean(&capitals, known, || REQUEST_HELP.to_owned());
        Complaint::new(format!("unknown method {}", quoted(word)), help)
    })
}

fn not_a_path(path: &str) -> Option<Complaint> {
    let wrong = |why: &str, help: &str| Complaint::new(format!("{} {why}", quoted(path)), help);
    if !path.starts_with('/') {
        let help = format!("{REQUEST_HELP}; which device and port, its address or `session` says");
        return Some(wrong("does not begin with `/`", &help));
    }
    if has_dots(path) {
        return Some(wrong("has `.` or `..` in it", "write where that leads"));
    }
    path.contains('#').then(|| {
        let help = "write `%23` where the sign itself is meant";
        wrong("has a `#`, and no server is sent what follows one", help)
    })
}

fn content_type(problems: &mut Problems, node: &Node, key: &str) -> Option<String> {
    let written = values::label(problems, node, key)?;
    let (kind, _) = written.split_once(';').unwrap_or((&written, ""));
    let is_token = |part: &str| {
        let is_sign = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
        !part.is_empty() && part.chars().all(is_sign)
    };
    let is_type = kind.trim_end().split_once('/');
    let is_type = is_type.is_some_and(|(one, other)| is_token(one) && is_token(other));
    if is_type && written.is_ascii() {
        return Some(written);
    }
    let message = format!("{} is not a content type", quoted(&written));
    problems.refuse(
        &node.span,
        message,
        "write one like `application/json` or `text/xml`",
    )
}

/// Where requests go, where `session` says so; `Some(None)`: it says nothing of that.
pub(super) fn web(
    problems: &mut Problems,
    fields: &Fields<'_>,
    credentials: Option<Name>,
    known: Known<'_>,
) -> Option<Option<WebSpec>> {
    let mut written = WAYS
        .into_iter()
        .filter(|(key, _)| fields.key_span(key).is_some());
    let found = written.next();
    if let (Some(_), Some((other, _))) = (found, written.next()) {
        return problems.refuse(
            fields.key_span(other)?,
            "both `http` and `https` are given",
            "keep one: requests go one way, and `https` is the one that can't be read on it",
        );
    }
    if found.is_none_or(|(_, scheme)| !scheme.is_encrypted()) {
        no_keys(problems, fields, found.map(|(key, _)| key));
    }
    let Some((key, scheme)) = found else {
        let is_meant = WAYS.iter().any(|(key, _)| fields.is_meant(key));
        return (!is_meant).then_some(None);
    };
    let port = session::port(problems, fields, key, "web server");
    let tls = match scheme.is_encrypted() {
        true => tls::read(problems, fields, &known.defaults.tls, known.file),
        false => Default::default(),
    };
    Some(Some(WebSpec {
        scheme,
        port: port?,
        credentials,
        tls,
    }))
}

fn no_keys(problems: &mut Problems, fields: &Fields<'_>, beside: Option<&str>) {
    let keys = TLS_KEYS.iter();
    for (key, at) in keys.filter_map(|key| Some((key, fields.key_span(key)?))) {
        let message = match beside {
            Some(beside) => format!("{} stands beside {}", quoted(key), quoted(beside)),
            None => format!("{} stands in a session without `https`", quoted(key)),
        };
        problems.report(at, message, "write `https: 443`, or leave the key out");
    }
}

/// Why no web server is shown these credentials.
pub(super) fn unsuitable(credentials: &CredentialsRef, scheme: Scheme) -> Option<Complaint> {
    (!scheme.logs_in_by(&credentials.by)).then(|| {
        Complaint::new(
            format!(
                "credentials {} identify the user by `{}`, and a web server does not take that",
                quoted(&credentials.name),
                credentials.by.word(),
            ),
            "name credentials with a `password` or a `token` here: `credentials: NAME`",
        )
    })
}
