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
        Event::State {
            group,
            entity,
            state,
            step,
            cause,
            attempt,
            verified,
            ..
        } => {
            let _group = spans::group(shown(group)).entered();
            let _entity = spans::entity(shown(entity)).entered();
            let at = step.map(|step| format!(" at {step}")).unwrap_or_default();
            let cause = (cause.as_deref()).map(|cause| format!(": {}", shown(cause)));
            let cause = cause.unwrap_or_default();
            match state {
                EntityState::Failed | EntityState::Retrying => {
                    let attempt = if *attempt > 1 {
                        format!(", attempt {attempt}")
                    } else {
                        String::new()
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
        Event::Run { groups, memory, .. } => {
            for group in groups {
                let _group = spans::group(shown(group)).entered();
                tracing::info!(target: GROUP, "started; {memory} bytes for all groups");
            }
        }
        Event::Pass {
            group,
            pass,
            source,
            entities,
            read,
            ..
        } => {
            let source = shown(source);
            let _group = spans::group(shown(group)).entered();
            let _pass = spans::pass(*pass).entered();
            match read {
                Some(read) => {
                    tracing::info!(target: GROUP, "has read {read} bytes from {source}");
                }
                None => {
                    let entities = shown(&names::compress(entities).join(", "));
                    tracing::info!(target: GROUP, "reads from {source} for {entities}");
                }
            }
        }
        Event::Source {
            group,
            pass,
            source,
            offset,
            cause,
            ..
        } => {
            let (source, cause) = (shown(source), shown(cause));
            let _group = spans::group(shown(group)).entered();
            let _pass = spans::pass(*pass).entered();
            tracing::warn!(target: GROUP, "goes on at byte {offset} from {source}: {cause}");
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
