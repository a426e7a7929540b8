//! What happened, as lines of the log. Each begins with `group/entity: ` or `group: `, so that the
//! log can be read for one of them.

use crate::link::Event;
use crate::model::text::shown;
use crate::model::{EntityState, names};

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
            let who = format!("{}/{}", shown(group), shown(entity));
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
                    tracing::warn!(target: ENTITY, "{who}: {state}{at}{attempt}{cause}");
                }
                EntityState::Delivered if verified.is_some_and(|how| !how.is_proof()) => {
                    tracing::info!(target: ENTITY, "{who}: delivered, unproven: no digest, not read back");
                }
                // The step of a state that is not the end of anything says nothing new.
                state => tracing::info!(target: ENTITY, "{who}: {state}{cause}"),
            }
        }
        Event::Run { groups, memory, .. } => {
            for group in groups {
                tracing::info!(target: GROUP, "{}: started; {memory} bytes for all groups", shown(group));
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
            let (group, source) = (shown(group), shown(source));
            match read {
                Some(read) => {
                    tracing::info!(target: GROUP, "{group}: pass {pass} has read {read} bytes from {source}");
                }
                None => {
                    let entities = shown(&names::compress(entities).join(", "));
                    tracing::info!(target: GROUP, "{group}: pass {pass} reads from {source} for {entities}");
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
            let (group, source, cause) = (shown(group), shown(source), shown(cause));
            tracing::warn!(target: GROUP, "{group}: pass {pass} goes on at byte {offset} from {source}: {cause}");
        }
        Event::Depth {
            group,
            from,
            to,
            reason,
            ..
        } => {
            tracing::info!(target: GROUP, "{}: {from} buffers become {to}: {reason}", shown(group));
        }
        _ => {}
    }
}
