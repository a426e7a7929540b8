//! The inventory as it was, as JSON: what a run can be understood from years later.
//!
//! Written out by hand, so that what is recorded about secrets is chosen here: where a password
//! comes from, never what follows a command's name, and never a password.

use serde_json::{Value, json};

use crate::model::{BufferPreference, Inventory, LoginBy, Name, SecretSource, SourceChoice};

pub(super) fn content(inventory: &Inventory) -> String {
    let credentials: Vec<Value> = (inventory.credentials.iter())
        .map(|one| {
            let key = match &one.by {
                LoginBy::Key(path) => Some(path.display().to_string()),
                _ => None,
            };
            json!({
                "name": one.name, "user": one.user, "by": one.by.word(), "key": key,
                (one.by.secret()): origin(&one.secret),
            })
        })
        .collect();
    let servers: Vec<Value> = (inventory.file_servers.iter())
        .map(|one| {
            json!({
                "name": one.name, "address": one.address.to_string(), "root": one.root,
                "credentials": one.credentials,
            })
        })
        .collect();
    let images: Vec<Value> = (inventory.images.iter())
        .map(|one| {
            json!({
                "name": one.name, "file": one.file, "type": one.type_, "version": one.version,
                "size": one.size, "sha256": one.sha256.map(hex::encode),
            })
        })
        .collect();
    let entities: Vec<Value> = (inventory.entities.iter())
        .map(|one| {
            json!({
                "name": one.name, "type": one.type_, "version": one.version,
                "address": one.address.to_string(), "path": one.path.as_str(),
                "credentials": one.credentials, "labels": one.labels,
            })
        })
        .collect();
    let groups: Vec<Value> = (inventory.groups.iter())
        .map(|one| {
            let then: Vec<String> = one.then.iter().map(SourceChoice::label).collect();
            let entities: Vec<&Name> = one.entities.iter().map(|entity| &entity.name).collect();
            json!({
                "name": one.name, "image": one.image.name, "source": one.source.label(), "then": then,
                "entities": entities, "laggards": one.laggards, "parallel": one.parallel,
            })
        })
        .collect();
    let (buffers, buffer_size) = match inventory.buffers {
        BufferPreference::Count(count) => (Some(count), None),
        BufferPreference::Size(size) => (None, Some(size)),
    };
    json!({
        "file": inventory.file.display().to_string(),
        "memory": inventory.memory, "buffers": buffers, "buffer_size": buffer_size,
        "credentials": credentials, "file_servers": servers, "images": images,
        "entities": entities, "groups": groups,
    })
    .to_string()
}

fn origin(secret: &SecretSource) -> Value {
    match secret {
        SecretSource::Env(variable) => json!({ "env": variable }),
        SecretSource::File(file) => json!({ "file": file.display().to_string() }),
        // An argument could be the password itself.
        SecretSource::Command(command) => json!({ "command": command.first() }),
        SecretSource::Ask => json!({ "ask": true }),
        SecretSource::Empty => Value::Null,
    }
}
