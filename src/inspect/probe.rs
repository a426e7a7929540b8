//! What a run would meet, before anything is sent: its sources, and each entity.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::procedure::{Procedure, Proves, Role, StepSpec};
use crate::model::text::shown;
use crate::model::{
    Abilities, Entity, Failure, Fault, Group, Name, PeerChoice, Probe, SourceChoice, Staging, Step,
    VerifyMode, units,
};
use crate::protocol::{Event, ProbeCheck};
use crate::transport::{Destination, Transport};

use super::{AT_ONCE, FanOut, Inspector, Looked, Procedures, Sources};

/// How much of a source's file is read to see that it can be.
const FIRST_BYTES: usize = 512;

impl<T: Transport> Inspector<T> {
    /// Looks at the sources of groups and at the entities that they would write, each once.
    pub(crate) async fn probe(
        self: Arc<Self>,
        groups: Vec<Arc<Group>>,
        force: bool,
        procedures: Arc<dyn Procedures>,
    ) -> Event {
        let event = |checks, left, ended| Event::Probed {
            at: Timestamp::now(),
            checks,
            left,
            ended,
            stopped: ended && left > 0,
        };
        let inspector = self.clone();
        let ask = move |(_, asked): &Host<Asked>| {
            let (inspector, asked) = (inspector.clone(), asked.clone());
            async move { inspector.probe_source(&asked).await }
        };
        let mut sources = FanOut::new(AT_ONCE, &self.cancel, ask);
        let (inspector, of_entities) = (self.clone(), groups.clone());
        let ask = move |(place, entity): &Host<Entity>| {
            let (inspector, entity) = (inspector.clone(), entity.clone());
            let (group, procedures) = (of_entities[*place].clone(), procedures.clone());
            async move { inspector.probe_entity(&group, &entity, &*procedures).await }
        };
        let mut entities = FanOut::gently(AT_ONCE, &self.cancel, ask);
        for (place, group) in groups.iter().enumerate() {
            let asked = (group.sources().cloned()).map(|choice| Asked {
                group: group.clone(),
                choice,
            });
            sources.extend(asked.map(|asked| (place, Arc::new(asked))));
        }
        let count = |group: &Arc<Group>| group.sources().count();
        // One of several groups is looked at for the first.
        let mut seen = HashSet::new();
        let mut left: usize = groups.iter().map(count).sum();
        for (place, group) in groups.iter().enumerate() {
            let sent = (group.entities.iter())
                .filter(|entity| force || !group.has_image(entity))
                .filter(|entity| seen.insert(entity.name.clone()));
            entities.extend(sent.map(|entity| (place, entity.clone())));
        }
        left += seen.len();
        // What is free is compared with the image's size, which the source may have to report first.
        let mut of_groups: Vec<Source> = groups.iter().map(|group| Source::of(group)).collect();
        loop {
            let checks = tokio::select! {
                Some(((place, asked), found)) = sources.next() => {
                    let found = found.unwrap_or_else(|why| Err(why.into()));
                    of_groups[place].answered(&asked, found)
                }
                Some(((place, entity), found)) = entities.next() => {
                    let source = &mut of_groups[place];
                    let found = found.unwrap_or_else(|why| (Err(why.into()), None));
                    if found.0.as_ref().is_ok_and(|probe| probe.free.is_some()) && !source.is_known {
                        source.waiting.push((entity, found));
                        continue;
                    }
                    vec![entity_check(&groups[place], &entity, source.size, found)]
                }
                else => break,
            };
            left -= checks.len();
            self.tell(event(checks, left, false));
        }
        event(Vec::new(), left, true)
    }

    /// `None`: cancelled. What was written is removed before.
    async fn probe_entity(
        &self,
        group: &Group,
        entity: &Arc<Entity>,
        procedures: &dyn Procedures,
    ) -> Option<OnEntity> {
        let found = match Destination::of(entity, self.transport.owner(), &self.logins) {
            Ok(destination) => self.transport.probe(&destination, &self.cancel).await,
            Err(failure) => Err(failure),
        };
        if found.as_ref().is_err_and(Failure::is_cancelled) {
            return None;
        }
        // One that is not there, or that a run has, is not asked for more.
        let is_there = (found.as_ref().err()).is_none_or(|failure| failure.step != Step::Connect);
        let looked = match is_there {
            true => procedures.look(group, entity).await,
            false => None,
        };
        (!self.cancel.is_cancelled()).then_some((found, looked))
    }

    /// What a run would read of this source first, by its name in reports, and the bytes of its file
    /// where it reports them.
    async fn probe_source(&self, asked: &Asked) -> Result<(Name, Option<u64>), Failure> {
        let (transport, group) = (&self.transport, &asked.group);
        let first = Sources::first(
            transport,
            group,
            &self.logins,
            &self.registry,
            &asked.choice,
        );
        let first = first.await?;
        // Nothing but reading shows that a data connection can be had, and that the file may be read.
        let mut source = transport.open_source(&first.remote, 0).await?;
        let size = source.size();
        source.read(&mut [0; FIRST_BYTES]).await?;
        let fault = match (size, group.image.size) {
            (Some(0), _) => Fault::EmptyImage,
            (Some(actual), Some(expected)) if actual != expected => {
                Fault::WrongSize { expected, actual }
            }
            _ => return Ok((first.name, size)),
        };
        Err(Failure::new(Step::Prepare, fault))
    }
}

/// What was found of the file of an entity, and of its procedure.
type OnEntity = (Result<Probe, Failure>, Option<Looked>);

/// With the place of its group.
type Host<H> = (usize, Arc<H>);

/// A source that is to be looked at.
struct Asked {
    group: Arc<Group>,
    choice: SourceChoice,
}

/// The sources of a group, and those whose free space waits for its size.
struct Source {
    /// How many have not answered.
    left: usize,
    size: Option<u64>,
    /// The size is known as well as it will be.
    is_known: bool,
    waiting: Vec<(Arc<Entity>, OnEntity)>,
}

impl Source {
    fn of(group: &Group) -> Self {
        Self {
            left: group.sources().count(),
            size: group.image.size,
            is_known: group.image.size.is_some(),
            waiting: Vec::new(),
        }
    }

    /// A source's own check, and those that waited for it.
    fn answered(
        &mut self,
        asked: &Asked,
        found: Result<(Name, Option<u64>), Failure>,
    ) -> Vec<ProbeCheck> {
        let Asked { group, choice } = asked;
        let mut check = check(group, choice.label().into());
        check.is_source = true;
        self.left -= 1;
        match found {
            Ok((name, size)) => {
                check.host = name;
                check.size = size;
                self.size = self.size.or(size);
                if size.is_none() {
                    let note = "it does not tell the size of the image";
                    check.notes.push(note.into());
                }
            }
            // That nobody has it yet is no problem where it can be read elsewhere.
            Err(failure) if is_any_peer(choice) && group.sources().count() > 1 => {
                check.notes.push(failure.to_string());
            }
            Err(failure) => check.problem = Some(failure.to_string()),
        }
        self.is_known = self.size.is_some() || self.left == 0;
        let size = self.size;
        let waiting = match self.is_known {
            true => std::mem::take(&mut self.waiting),
            false => Vec::new(),
        };
        let waiting = waiting.into_iter();
        let waiting = waiting.map(|(entity, found)| entity_check(group, &entity, size, found));
        [check].into_iter().chain(waiting).collect()
    }
}

fn is_any_peer(choice: &SourceChoice) -> bool {
    matches!(choice, SourceChoice::Peer(PeerChoice::Any(_)))
}

fn check(group: &Group, host: Name) -> ProbeCheck {
    ProbeCheck {
        group: group.name.clone(),
        host,
        is_source: false,
        problem: None,
        notes: Vec::new(),
        size: None,
        probe: None,
        procedure: None,
    }
}

fn entity_check(
    group: &Group,
    entity: &Entity,
    image: Option<u64>,
    (found, looked): OnEntity,
) -> ProbeCheck {
    let mut check = check(group, entity.name.clone());
    match found {
        Ok(probe) => {
            check.problem = too_full(entity, image, &probe);
            check.notes = notes(entity, &probe, group.procedure.as_deref());
            check.probe = Some(probe);
        }
        Err(failure) => check.problem = Some(failure.to_string()),
    }
    let looked = looked.unwrap_or_default();
    let problems: Vec<String> = check.problem.into_iter().chain(looked.problem).collect();
    check.problem = (!problems.is_empty()).then(|| problems.join("; "));
    check.notes.extend(looked.note);
    check.procedure = looked.check;
    check
}

/// The old file stays until the new one is whole; what lies under the staging name goes first, and
/// without staging the old file does.
fn too_full(entity: &Entity, image: Option<u64>, probe: &Probe) -> Option<String> {
    let (free, image) = (probe.free?, image?);
    let freed = match entity.staging {
        Staging::Rename => probe.staging.as_ref().and_then(|staging| staging.size),
        Staging::Direct => probe.file,
    };
    let room = free.saturating_add(freed.unwrap_or(0));
    (room < image).then(|| {
        format!(
            "too little room: {} free, and the image has {}; remove what is not needed there",
            units::size(room),
            units::size(image)
        )
    })
}

fn notes(entity: &Entity, probe: &Probe, procedure: Option<&Procedure>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(staging) = &probe.staging {
        let size = staging.size.map_or("of unknown size".into(), units::size);
        let since = match &staging.modified {
            Some(time) => format!(", of {}", time_of(time)),
            None => String::new(),
        };
        notes.push(format!(
            "{} lies there, {size}{since}: an earlier run left it, or another one writes it now; \
             a run replaces it",
            shown(&staging.path)
        ));
    }
    if let Some(left) = &probe.left {
        let left = shown(left);
        notes.push(format!(
            "{left}, one byte, could not be removed after the check"
        ));
    }
    if entity.fetches() {
        notes.push("it fetches its image, which shows whether it can when it does".to_owned());
        let proves = |step: &StepSpec| matches!(step.role, Role::Proves(Proves::Digest));
        if !procedure.is_some_and(|one| one.fetch.iter().any(proves)) {
            let why = "no step of `fetch` proves what the device has (`proves: digest`)";
            notes.push(format!("a delivery will be unproven: {why}"));
        }
        return notes;
    }
    if probe.unasked {
        notes.push(format!(
            "{} has no question that writes nothing: whether it takes the file shows when it is sent, and a \
             delivery will be unproven",
            entity.address.scheme.in_words()
        ));
        return notes;
    }
    if let Some(why) = unproven(entity.verify, &probe.can) {
        notes.push(format!("a delivery will be unproven: {why}"));
    }
    if entity.staging == Staging::Direct {
        notes.push("nothing was written: `staging: direct` has the final name alone".into());
    }
    notes
}

/// Why the content of a delivery to it can't be proven.
fn unproven(mode: VerifyMode, can: &Abilities) -> Option<&'static str> {
    match mode {
        VerifyMode::Best if can.digest.is_none() && can.read == Some(false) => {
            Some("it computes no digest and lets nobody read its file, so the size must do")
        }
        VerifyMode::Quick if can.digest.is_none() => Some(
            "it computes no digest, and `verify: quick` takes the size then; `best` reads back",
        ),
        VerifyMode::Size => Some("`verify: size` looks at the size alone"),
        VerifyMode::None => Some("`verify: none` looks at nothing"),
        VerifyMode::Best | VerifyMode::Quick | VerifyMode::Readback => None,
    }
}

/// `20260601120000` as `2026-06-01 12:00 UTC`; anything else as it is.
fn time_of(told: &str) -> String {
    let digits = told.as_bytes();
    if digits.len() < 12 || !digits[..12].iter().all(u8::is_ascii_digit) {
        return shown(told);
    }
    let (year, month, day) = (&told[..4], &told[4..6], &told[6..8]);
    format!(
        "{year}-{month}-{day} {}:{} UTC",
        &told[8..10],
        &told[10..12]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::entity;

    #[test]
    fn nothing_is_claimed_of_a_device_that_fetches_but_that_its_proof_is_missing() {
        let mut fetching = entity("e1", "1");
        fetching.address.scheme = crate::model::Scheme::Fetch;
        let probe = Probe {
            unasked: true,
            ..Probe::default()
        };
        let said = notes(&fetching, &probe, None).join("; ");
        assert_eq!(
            said,
            "it fetches its image, which shows whether it can when it does; a delivery will be unproven: no step of \
             `fetch` proves what the device has (`proves: digest`)"
        );
    }

    #[test]
    fn it_is_said_beforehand_what_can_not_be_proven_by_content() {
        let said = |verify, digest: Option<&str>, read| {
            let entity = Entity {
                verify,
                ..entity("e1", "1")
            };
            let can = Abilities {
                digest: digest.map(Into::into),
                read,
                ..Abilities::default()
            };
            let probe = Probe {
                can,
                ..Probe::default()
            };
            notes(&entity, &probe, None).join("; ")
        };
        let sha256 = Some("SHA-256");
        for (verify, digest, read, words) in [
            (VerifyMode::Best, None, Some(false), "lets nobody read"),
            (VerifyMode::Quick, None, None, "`best` reads back"),
            (VerifyMode::Size, sha256, None, "the size alone"),
            (VerifyMode::None, sha256, None, "looks at nothing"),
        ] {
            let said = said(verify, digest, read);
            assert!(
                said.starts_with("a delivery will be unproven: ") && said.contains(words),
                "{verify:?}: {said}"
            );
        }
        for (verify, digest, read) in [
            (VerifyMode::Best, None, Some(true)),
            (VerifyMode::Best, sha256, None),
            // A staging name that is taken: it could not be tried.
            (VerifyMode::Best, None, None),
            (VerifyMode::Quick, sha256, None),
            (VerifyMode::Readback, None, Some(true)),
        ] {
            assert_eq!(said(verify, digest, read), "", "{verify:?}");
        }
    }
}
