//! What happened, as lines of the log. Each is in the spans of the group, the entity and the pass
//! that it is about, so that the log can be read for one of them.

use crate::agent::spans;
use crate::model::text::shown;
use crate::model::{EntityState, names};
use crate::protocol::Event;

/// The targets of the lines, for filters.
const ENTITY: &str = "subtend::entity";
const GROUP: &str = "subtend::group";

/// Writes an event to the log of this process, as the manager does in its own.
pub fn write(event: &Event) {
    match event {
        Event::State { group, entity, .. } => {
            let _group = spans::group(shown(group)).entered();
            let _entity = spans::entity(shown(entity)).entered();
            state(event);
        }
        Event::Run { groups, memory, .. } => {
            for group in groups {
                let _group = spans::group(shown(group)).entered();
                tracing::info!(target: GROUP, "started; {memory} bytes for all groups");
            }
        }
        Event::Pass { group, pass, .. } | Event::Source { group, pass, .. } => {
            let _group = spans::group(shown(group)).entered();
            let _pass = spans::pass(*pass).entered();
            reading(event);
        }
        Event::Depth {
            group,
            from,
            to,
            reason,
            ..
        } => {
            let _group = spans::group(shown(group)).entered();
            tracing::info!(target: GROUP, "{from} buffers become {to}: {reason}");
        }
        _ => {}
    }
}

/// The state of an entity, in its span.
fn state(event: &Event) {
    let Event::State {
        state,
        step,
        cause,
        attempt,
        verified,
        ..
    } = event
    else {
        return;
    };
    let cause = (cause.as_deref()).map(|cause| format!(": {}", shown(cause)));
    let cause = cause.unwrap_or_default();
    match state {
        EntityState::Failed | EntityState::Retrying => {
            let at = step.map(|step| format!(" at {step}")).unwrap_or_default();
            let attempt = match *attempt {
                0 | 1 => String::new(),
                attempt => format!(", attempt {attempt}"),
            };
            tracing::warn!(target: ENTITY, "{state}{at}{attempt}{cause}");
        }
        EntityState::Delivered if verified.is_some_and(|how| !how.is_proof()) => {
            tracing::info!(target: ENTITY, "delivered, unproven: no digest, not read back");
        }
        // The step of a state that is not the end of anything says nothing new.
        state => tracing::info!(target: ENTITY, "{state}{cause}"),
    }
}

/// What a pass reads from, in its span.
fn reading(event: &Event) {
    match event {
        Event::Pass {
            source,
            read: Some(read),
            ..
        } => {
            let source = shown(source);
            tracing::info!(target: GROUP, "has read {read} bytes from {source}");
        }
        Event::Pass {
            source, entities, ..
        } => {
            let entities = shown(&names::compress(entities).join(", "));
            let source = shown(source);
            tracing::info!(target: GROUP, "reads from {source} for {entities}");
        }
        Event::Source {
            source,
            offset,
            cause,
            ..
        } => {
            let (source, cause) = (shown(source), shown(cause));
            tracing::warn!(target: GROUP, "goes on at byte {offset} from {source}: {cause}");
        }
        _ => {}
    }
}
