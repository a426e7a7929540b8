//! `upload` and `expect`: how an entity takes a file over HTTP. And where redirects may lead.

use std::sync::Arc;

use crate::model::{Address, Elsewhere, Entity, FileServer, Http, Staging, Upload};

use super::error::{Problems, quoted};
use super::fields::{Fields, Shape};
use super::tree::{Node, Value};
use super::values;

const UPLOAD: Shape = Shape::new("`upload`", &[&["field"]]);

const WAYS: &str = "write `upload: put`, where the device takes a file with `PUT` under its path, or \
                    `upload: { field: NAME }`, where it takes a form with `POST`, as its page in a \
                    browser does";

/// What is not given stays as it is in `base`.
pub(super) fn read(problems: &mut Problems, fields: &Fields<'_>, base: &Http) -> Http {
    let upload = fields.get("upload").and_then(|node| upload(problems, node));
    let expect = fields.value(problems, "expect", values::label);
    Http {
        upload: upload.or_else(|| base.upload.clone()),
        expect: expect.map(Arc::from).or_else(|| base.expect.clone()),
        redirects: Arc::clone(&base.redirects),
    }
}

fn upload(problems: &mut Problems, node: &Node) -> Option<Upload> {
    match &node.value {
        Value::Broken => None,
        Value::Mapping(_) => {
            let fields = Fields::read(problems, node, &UPLOAD);
            if !fields.are_there() {
                return None;
            }
            let field = fields.require(problems, "field", "firmware")?;
            let name = values::text(problems, field, "field")?;
            if name.is_empty() || name.chars().any(char::is_control) {
                let message = format!("{} is not the name of a field", quoted(name));
                return problems.refuse(&field.span, message, WAYS);
            }
            Some(Upload::Field(name.into()))
        }
        _ if node.text() == Some("put") => Some(Upload::Put),
        _ => {
            let written = node.text().map_or_else(|| node.kind().to_owned(), quoted);
            let message = format!("`upload` can't be {written}");
            problems.refuse(&node.span, message, WAYS)
        }
    }
}

/// Reports an entity of HTTP that nothing can be brought to.
pub(super) fn check_entity(
    problems: &mut Problems,
    at: &Node,
    fields: &Fields<'_>,
    entity: &Entity,
    address: &Address,
) {
    if !address.scheme.is_http() {
        return;
    }
    match &entity.http.upload {
        // One that can't be read is reported already.
        None if fields.key_span("upload").is_some() => {}
        None => problems.report(
            &at.span,
            "an entity of HTTP without `upload`, and `defaults` has none",
            WAYS,
        ),
        Some(Upload::Field(_)) if entity.staging == Staging::Rename => problems.report(
            &fields.get("upload").unwrap_or(at).span,
            "a form names no file of the device, so that nothing can be renamed there",
            "add `staging: direct`: the device itself has to keep its old image until it has the \
             whole of the new one",
        ),
        Some(_) => {}
    }
}

/// The servers that those of this list may lead to.
pub(super) fn redirects(servers: &[FileServer]) -> Arc<[Elsewhere]> {
    let listed = servers
        .iter()
        .filter(|server| server.address.scheme.is_http());
    let elsewhere = listed.map(|server| Elsewhere {
        address: server.address.clone(),
        tls: server.tls.clone(),
    });
    elsewhere.collect()
}
