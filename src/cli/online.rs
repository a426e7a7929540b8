//! `subtend check --online`: what a run would meet, before the first byte is sent.

use std::path::Path;

use super::args::CheckArgs;
use super::check::Planned;
use super::inspect::{exit_code, findings, inspect};
use super::select::credentials_with_sessions;
use super::services::Services;
use super::{Failed, print};
use crate::headless::Stop;
use crate::headless::text::count;
use crate::model::text::shown;
use crate::plan::Plan;
use crate::protocol::inspect::Findings;
use crate::protocol::{Command, ProbeCheck};

/// Prints the plan and what was found: the exit code.
///
/// # Errors
/// When the inventory or a name is wrong: nothing was looked at.
pub async fn check_online(
    args: &CheckArgs,
    file: &Path,
    services: &impl Services,
    stop: &mut Stop,
) -> Result<u8, Failed> {
    let planned = Planned::new(args, file, services)?;
    let online = inspect(
        &planned.inventory,
        &planned.groups,
        credentials_with_sessions(&planned.groups, &planned.inventory),
        |groups| {
            let force = false;
            Command::Probe { groups, force }
        },
        services,
        stop,
    )
    .await?;
    print(&match args.json {
        true => planned.json(Some(&online))?,
        false => planned.text() + &in_words(&online, &planned.plan),
    });
    Ok(exit_code(&online))
}

fn in_words(online: &Findings<ProbeCheck>, plan: &Plan) -> String {
    let found = match online.problems() {
        0 if !online.has_looked() => String::new(),
        0 => ", no problem found".to_owned(),
        1 => ", 1 problem".to_owned(),
        many => format!(", {many} problems"),
    };
    let mut lines = vec![
        String::new(),
        format!("Online: {}{found}", online.looked_at()),
    ];
    if online.stopped {
        lines.push(format!("Stopped: {} not asked", count(online.left, "host")));
    }
    for one in &plan.groups {
        let checks = online.of_group(&one.group.name);
        if !checks.is_empty() {
            lines.push(String::new());
            lines.push(format!("{}:", shown(&one.group.name)));
            lines.extend(findings(&checks));
        }
    }
    lines.join("\n") + "\n"
}
