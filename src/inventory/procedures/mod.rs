//! `types` and `procedures`: what is done on a device before and after its image.
//!
//! Here are the two sections and what a procedure must be as a whole; `steps` reads one step, `answers` what is
//! typed in the middle of it, `http` what is asked of a web server, `texts` patterns and templates, `session` how a
//! command line is reached, and `fits` holds all of it against the entities.

mod answers;
mod fits;
mod http;
mod session;
mod steps;
#[cfg(test)]
mod tests;
mod texts;

use std::path::Path;
use std::sync::Arc;

use crate::model::procedure::{Part, Placeholder, Role, StepSpec, Versions};
use crate::model::{CredentialsRef, Procedure, TypeSpec};

use super::defaults::Defaults;
use super::error::{Problems, Span, did_you_mean, quoted};
use super::fields::{Fields, Shape, section};
use super::tree::Node;
use super::values;

pub(super) use fits::check_entities;
pub(super) use session::{Place, parse_place};

use steps::{Reader, Steps};

const TYPE: Shape = Shape::new("a type", &[&["procedure", "versions", "deliver"]]);

const PROCEDURE: Shape = Shape::new(
    "a procedure",
    &[&[
        "session", "before", "deliver", "fetch", "activate", "check", "undo",
    ]],
);

const CHECK: &str = "`check: [ { send: \"show version\", expect: 'Version (?<version>\\S+)', is: \
                     \"{version}\" } ]`: only what the device itself says makes it upgraded";

/// What procedures are read with.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub credentials: &'a [CredentialsRef],
    pub defaults: &'a Defaults,
    /// The inventory's, where a path begins.
    pub file: &'a Path,
}

/// What a procedure asks of each entity that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Need {
    Label(String),
    /// `SITE` can be said.
    Site,
    /// Files can be read.
    Get,
    /// Requests can be made to it.
    Web,
    /// Connections to it show whether it is there.
    Door,
    /// Its credentials are taken by the command line, or for requests.
    Login,
}

/// A procedure as it stands in the file.
struct Written<'n> {
    procedure: Arc<Procedure>,
    needs: Vec<(Need, &'n Span)>,
    /// Whether `activate` stands there, readable or not.
    may_activate: bool,
    /// What `deliver` says.
    fetches: Option<bool>,
    /// Whether `fetch` stands there, readable or not.
    has_fetch: bool,
}

/// The two sections. What has errors is here too, so that it can be named.
#[derive(Default)]
pub(super) struct Kinds<'n> {
    pub(super) types: Vec<Arc<TypeSpec>>,
    /// Of the types that say so, or whose procedures do: whether entities of them fetch their image.
    fetches: Vec<(&'n str, bool)>,
    procedures: Vec<Written<'n>>,
    /// Types whose procedure is not known, which is reported.
    broken: Vec<&'n str>,
}

impl Kinds<'_> {
    /// Whether entities of this type fetch their image, where it or its procedure says so.
    pub(super) fn fetches(&self, type_: &str) -> Option<bool> {
        let mut all = self.fetches.iter();
        all.find(|(name, _)| *name == type_)
            .map(|(_, fetches)| *fetches)
    }

    /// Whether the procedure of this type makes a device fetch its image; `None` where that is not known for an error.
    pub(super) fn fetch_steps(&self, type_: &str) -> Option<bool> {
        let found = self.types.iter().find(|one| &*one.name == type_);
        let procedure = found.and_then(|one| one.procedure.as_ref());
        let wanted = match procedure {
            Some(wanted) => wanted,
            None => return (!self.broken.contains(&type_)).then_some(false),
        };
        let mut written = self.procedures.iter();
        let found = written.find(|one| Arc::ptr_eq(&one.procedure, wanted))?;
        Some(found.has_fetch)
    }

    /// Whether something activates images of this type; also where that is not known for an error.
    pub(super) fn may_activate(&self, type_: &str) -> bool {
        let found = self.types.iter().find(|one| &*one.name == type_);
        let procedure = found.and_then(|one| one.procedure.as_ref());
        self.broken.contains(&type_)
            || procedure.is_some_and(|wanted| {
                let mut written = self.procedures.iter();
                written.any(|one| Arc::ptr_eq(&one.procedure, wanted) && one.may_activate)
            })
    }
}

pub(super) fn read<'n>(
    problems: &mut Problems,
    types: Option<&'n Node>,
    procedures: Option<&'n Node>,
    known: Known<'_>,
) -> Kinds<'n> {
    let procedures = section(problems, procedures, "procedures");
    let mut kinds = Kinds {
        procedures: (procedures.into_iter())
            .map(|(name, _, node)| procedure(problems, name, node, known))
            .collect(),
        ..Kinds::default()
    };
    for (name, _, node) in section(problems, types, "types") {
        let read = type_of(problems, name, node, &mut kinds);
        kinds.types.push(Arc::new(read));
    }
    kinds
}

fn type_of<'n>(
    problems: &mut Problems,
    name: &'n str,
    node: &'n Node,
    kinds: &mut Kinds<'n>,
) -> TypeSpec {
    let fields = Fields::read(problems, node, &TYPE);
    let procedure = fields.value(problems, "procedure", |problems, node, key| {
        let wanted = values::text(problems, node, key)?;
        let all = kinds.procedures.iter().map(|one| &one.procedure);
        if let Some(found) = all.clone().find(|one| &*one.name == wanted) {
            return Some(Arc::clone(found));
        }
        let help = did_you_mean(wanted, all.map(|one| &*one.name), || {
            format!("describe it under `procedures`: `{wanted}: {{ … }}`")
        });
        let message = format!("there is no procedure {}", quoted(wanted));
        problems.refuse(&node.span, message, help)
    });
    let of_procedure = |wanted: &Arc<Procedure>| {
        let mut all = kinds.procedures.iter();
        let found = all.find(|one| Arc::ptr_eq(&one.procedure, wanted))?;
        found.fetches
    };
    let fetches = deliver(problems, &fields).or_else(|| of_procedure(procedure.as_ref()?));
    kinds.fetches.extend(fetches.map(|fetches| (name, fetches)));
    let is_written = fields.key_span("procedure").is_some() || fields.is_meant("procedure");
    if procedure.is_none() && (is_written || !fields.are_there()) {
        kinds.broken.push(name);
    }
    let versions = fields.value(problems, "versions", |problems, node, key| {
        values::choice(problems, node, key, &Versions::ALL)
    });
    TypeSpec {
        name: name.into(),
        procedure,
        versions: versions.unwrap_or_default(),
    }
}

fn procedure<'n>(
    problems: &mut Problems,
    name: &str,
    node: &'n Node,
    known: Known<'_>,
) -> Written<'n> {
    let fields = Fields::read(problems, node, &PROCEDURE);
    let session = fields.value(problems, "session", |problems, node, _| {
        session::read(problems, node, known)
    });
    let fetches = deliver(problems, &fields);
    let mut reader = Reader::new(known);
    let parts = Part::ALL.map(|part| {
        let node = fields.get(part.word())?;
        Some(reader.list(problems, node, part))
    });
    let has_line = session.as_ref().is_none_or(|one| one.line.is_some());
    check_whole(problems, node, &fields, &parts, has_line);
    let line = session.as_ref().and_then(|one| one.line.as_ref());
    let has_shell = line.is_none_or(|line| line.prompt.is_some());
    let first_answers = parts.iter().flatten().find_map(|part| part.answers);
    if let Some(at) = first_answers.filter(|_| !has_shell) {
        problems.report(
            at,
            "`answers` where the session says `exec: true`: a command that asks has nobody to answer it",
            "leave `exec` out, so that the line is typed into a shell, or give the command what it would ask for",
        );
    }
    let mut needs = reader.into_needs();
    let at = fields.key_span("session");
    // What can't be read is reported already.
    if at.is_some() && session.as_ref().is_none_or(|one| one.web.is_some()) {
        needs.retain(|(need, _)| *need != Need::Web);
    }
    if at.is_some() {
        needs.retain(|(need, _)| *need != Need::Door);
    }
    if let Some(at) = at.filter(|_| session.as_ref().is_some_and(|one| one.takes_entitys)) {
        needs.push((Need::Login, at));
    }
    let (session, web) = session.map_or((None, None), |one| (one.line, one.web));
    let [before, fetch, activate, check, undo] =
        parts.map(|part| part.map_or(Vec::new(), |part| part.steps));
    Written {
        procedure: Arc::new(Procedure {
            name: name.into(),
            session,
            web,
            before,
            fetch,
            activate,
            check,
            undo,
        }),
        needs,
        may_activate: !fields.are_there()
            || fields.key_span("activate").is_some()
            || fields.is_meant("activate"),
        fetches,
        has_fetch: !fields.are_there()
            || fields.key_span("fetch").is_some()
            || fields.is_meant("fetch"),
    }
}

/// Whether the devices fetch the image, where that is said.
pub(super) fn deliver(problems: &mut Problems, fields: &Fields<'_>) -> Option<bool> {
    fields.value(problems, "deliver", |problems, node, key| {
        values::choice(problems, node, key, &[("push", false), ("fetch", true)])
    })
}

/// What a procedure must be as a whole.
fn check_whole(
    problems: &mut Problems,
    node: &Node,
    fields: &Fields<'_>,
    parts: &[Option<Steps<'_>>; 5],
    has_line: bool,
) {
    let [_, fetch, _, check, _] = parts;
    let written = |key: &str| fields.key_span(key);
    let missing = |key: &str| written(key).is_none() && !fields.is_meant(key);
    if fields.are_there() && Part::ALL.iter().all(|part| missing(part.word())) {
        problems.report(
            &node.span,
            "a procedure without steps",
            "add `before`, `activate` and `check`, or leave the procedure out",
        );
    }
    check_fetch(problems, fields, fetch.as_ref());
    if let Some(at) = written("undo").filter(|_| missing("activate")) {
        problems.report(
            at,
            "`undo` without `activate`: there is nothing to be undone",
            "add `activate: [ … ]`, the steps that make the device run the image, or leave it out",
        );
    }
    if let Some(at) = written("activate").filter(|_| missing("check")) {
        problems.report(
            at,
            "`activate` without `check`: nothing would show whether the device runs the image",
            format!("add {CHECK}"),
        );
    }
    let proves_nothing =
        |check: &&Steps<'_>| check.is_whole && !check.steps.iter().any(shows_the_version);
    if check.as_ref().filter(proves_nothing).is_some()
        && let Some(at) = written("check")
    {
        problems.report(
            at,
            "no step of `check` compares the version that the device runs with that of the image",
            format!("add an `is` with `{{version}}`: {CHECK}"),
        );
    }
    let first_sent = parts.iter().flatten().find_map(|part| part.sends);
    if let Some(at) = first_sent.filter(|_| missing("session") || !has_line) {
        let message = match has_line {
            true => "`send` without `session`: where the device's command line is, is not known",
            false => "`send`, and `session` names no command line",
        };
        problems.report(
            at,
            message,
            "add `session: { ssh: 22, credentials: NAME }` to the procedure, or `{ telnet: 23, … }`",
        );
    }
}

/// One step of `fetch` makes the device fetch its image, and those behind it prove what it has.
fn check_fetch(problems: &mut Problems, fields: &Fields<'_>, fetch: Option<&Steps<'_>>) {
    let at = fields
        .key_span("fetch")
        .filter(|_| fetch.is_some_and(|steps| steps.is_whole));
    let (Some(at), Some(Steps { steps, .. })) = (at, fetch) else {
        return;
    };
    let is_fetch = |step: &StepSpec| matches!(step.role, Role::Fetches(_));
    let proves = |step: &StepSpec| matches!(step.role, Role::Proves(_));
    match steps.iter().filter(|step| is_fetch(step)).count() {
        0 => problems.report(
            at,
            "no step of `fetch` makes the device fetch its image",
            "add `fetch: true` to the one that does: `{ send: \"copy {url} flash:\", fetch: true, within: 30m }`",
        ),
        1 => {}
        _ => problems.report(
            at,
            "more than one step of `fetch` makes the device fetch its image",
            "leave `fetch` out of all but one of them",
        ),
    }
    let until = steps.iter().position(is_fetch).map_or(0, |at| at + 1);
    let until = steps.iter().take(until).filter(|step| !proves(step));
    let of_image = |one: &&Placeholder| matches!(one, Placeholder::Size | Placeholder::Sum(_));
    if let Some(placeholder) = until.flat_map(StepSpec::placeholders).find(of_image) {
        problems.report(
            at,
            format!("`{placeholder}` before the device has fetched its image"),
            "move it to a step behind the one with `fetch`: it is known when the image was read",
        );
    }
    if steps.iter().take_while(|step| !is_fetch(step)).any(proves) {
        problems.report(
            at,
            "a step proves what the device has before it has fetched it",
            "move it behind the step with `fetch`",
        );
    }
}

fn shows_the_version(step: &StepSpec) -> bool {
    let is = step.expect.as_ref().and_then(|expect| expect.is.as_ref());
    is.is_some_and(|(_, wanted)| {
        wanted
            .placeholders()
            .any(|one| *one == Placeholder::Version)
    })
}
