//! What a procedure asks of the entities that it is for, and which of them can't.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::procedure::Way;
use crate::model::{CredentialsRef, Entity, Procedure, Scheme};

use super::super::error::{Complaint, Problems, quoted, some_of};
use super::http;
use super::session::unsuitable;
use super::{Kinds, Need, Written};

/// Reports each need of a procedure that some entities of its types don't meet: once, naming some.
pub(in super::super) fn check_entities(
    problems: &mut Problems,
    kinds: &Kinds<'_>,
    entities: &[Arc<Entity>],
    credentials: &[CredentialsRef],
) {
    let mut by_type: HashMap<&str, Vec<&Entity>> = HashMap::new();
    for entity in entities {
        by_type.entry(&entity.type_).or_default().push(entity);
    }
    for written in &kinds.procedures {
        let mut types = kinds.types.iter();
        let mut concerned: Vec<&Entity> = Vec::new();
        while let Some(one) = types.find(|one| is_of(one.procedure.as_ref(), written)) {
            concerned.extend(by_type.get(&*one.name).into_iter().flatten());
        }
        for (need, at) in &written.needs {
            if let Some(complaint) = unmet(need, written, &concerned, credentials) {
                problems.complain(at, complaint);
            }
        }
    }
}

fn is_of(procedure: Option<&Arc<Procedure>>, written: &Written<'_>) -> bool {
    procedure.is_some_and(|one| Arc::ptr_eq(one, &written.procedure))
}

fn unmet(
    need: &Need,
    written: &Written<'_>,
    concerned: &[&Entity],
    credentials: &[CredentialsRef],
) -> Option<Complaint> {
    match need {
        Need::Label(label) => {
            let lacks = |entity: &Entity| !entity.labels.contains_key(label);
            let (names, _) = those(concerned, lacks)?;
            let placeholder = quoted(&format!("{{label.{label}}}"));
            Some(Complaint::new(
                format!("{placeholder} has no value for {names}"),
                format!(
                    "give them the label, `labels: {{ {label}: VALUE }}`, there or under `defaults`"
                ),
            ))
        }
        Need::Site => {
            // An address that can't be read is reported where it stands.
            let lacks = |entity: &Entity| is_known(entity) && !entity.address.scheme.has_site();
            let (names, first) = those(concerned, lacks)?;
            let protocol = first.address.scheme.in_words();
            Some(Complaint::new(
                format!("`site` is a command of FTP, and {names} can't be told it over {protocol}"),
                "use `send` or `exec`, or give entities with such addresses a type and a procedure of their own",
            ))
        }
        Need::Get => {
            let lacks = |entity: &Entity| is_known(entity) && !entity.address.scheme.can_give();
            let (names, first) = those(concerned, lacks)?;
            let protocol = first.address.scheme.in_words();
            Some(Complaint::new(
                format!("no file can be read from {names} over {protocol}"),
                "leave `get` out, or give entities with such addresses a type and a procedure of their own",
            ))
        }
        Need::Web => {
            let lacks = |entity: &Entity| is_known(entity) && !entity.address.scheme.is_http();
            let (names, first) = those(concerned, lacks)?;
            let protocol = first.address.scheme.in_words();
            Some(Complaint::new(
                format!(
                    "where `http` goes is not known: {names} can only be reached over {protocol}"
                ),
                "add `http: 80` or `https: 443` to the `session` of the procedure",
            ))
        }
        Need::Door => {
            let lacks =
                |entity: &Entity| is_known(entity) && !entity.address.scheme.has_connections();
            let (names, _) = those(concerned, lacks)?;
            Some(Complaint::new(
                format!(
                    "nothing shows whether a device is back: no connection can be made to the address of {names}"
                ),
                "add a `session` to the procedure: the command line of a device, or its web server, shows it",
            ))
        }
        Need::Login => {
            let procedure = &written.procedure;
            let line = procedure.session.as_ref();
            let line = line.and_then(|one| login(one.way, concerned, credentials));
            line.or_else(|| web_login(procedure.web.as_ref()?.scheme, concerned, credentials))
        }
    }
}

/// The session names no credentials: those of each entity are taken.
fn login(way: Way, concerned: &[&Entity], credentials: &[CredentialsRef]) -> Option<Complaint> {
    // Some command lines over telnet ask for nothing; over SSH somebody always logs in.
    let lacks = |entity: &Entity| way == Way::Ssh && entity.credentials.is_none();
    if let Some((names, _)) = those(concerned, lacks) {
        return Some(Complaint::new(
            format!(
                "`session` without `credentials`, and there are none of {names} that it could take"
            ),
            "add `credentials: NAME` to the session, or to these entities",
        ));
    }
    not_taken(concerned, credentials, |own| unsuitable(own, way))
}

/// The same for requests; without credentials nobody in particular asks.
fn web_login(
    scheme: Scheme,
    concerned: &[&Entity],
    credentials: &[CredentialsRef],
) -> Option<Complaint> {
    not_taken(concerned, credentials, |own| http::unsuitable(own, scheme))
}

fn not_taken(
    concerned: &[&Entity],
    credentials: &[CredentialsRef],
    why: impl Fn(&CredentialsRef) -> Option<Complaint>,
) -> Option<Complaint> {
    let own = |entity: &Entity| {
        let named = entity.credentials.as_ref()?;
        why(credentials.iter().find(|one| one.name == *named)?)
    };
    let (names, first) = those(concerned, |entity| own(entity).is_some())?;
    let complaint = own(first)?;
    Some(Complaint::new(
        format!(
            "`session` takes the credentials of {names}: {}",
            complaint.message
        ),
        "add `credentials: NAME` to the session",
    ))
}

fn is_known(entity: &Entity) -> bool {
    !entity.address.host.is_empty()
}

/// Those of the entities that lack something, in words, and the first of them.
fn those<'e>(
    concerned: &[&'e Entity],
    lacks: impl Fn(&Entity) -> bool,
) -> Option<(String, &'e Entity)> {
    let lacking: Vec<&Entity> = (concerned.iter().copied())
        .filter(|one| lacks(one))
        .collect();
    let first = lacking.first().copied()?;
    Some((some_of(lacking.iter().map(|one| &*one.name)), first))
}
