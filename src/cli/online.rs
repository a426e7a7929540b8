//! `subtend check --online`: what a run would meet, before the first byte is sent.

use std::path::Path;

use serde::Serialize;

use super::Failed;
use super::args::CheckArgs;
use super::ask::Prompt;
use super::check::{COLUMNS, Planned};
use super::inspect::{self, Step};
use super::parts::Parts;
use crate::headless::text::count;
use crate::headless::{self, Stop};
use crate::plan::Plan;
use crate::protocol::inspect::probed;
use crate::protocol::{Command, Event, ProbeCheck};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Online {
    pub(super) checks: Vec<ProbeCheck>,
    /// Hosts that were not asked any more.
    pub(super) left: usize,
    pub(super) stopped: bool,
}

/// The plan and what was found, and the exit code.
///
/// # Errors
/// When the inventory or a name is wrong: nothing was looked at.
pub async fn check_online(
    args: &CheckArgs,
    file: &Path,
    parts: &impl Parts,
    stop: &mut Stop,
    prompt: &mut impl Prompt,
) -> Result<(String, u8), Failed> {
    let planned = Planned::new(args, file, parts)?;
    let mut online = Online::default();
    let mut all = 0;
    inspect::inspect(
        &planned.inventory,
        &planned.groups,
        |groups| {
            let force = false;
            Command::Probe { groups, force }
        },
        parts,
        (stop, prompt),
        |event| match event {
            Event::Probed {
                checks,
                left,
                ended,
                stopped,
                ..
            } => {
                online.checks.extend(checks);
                (online.left, online.stopped) = (left, stopped);
                all = all.max(online.checks.len() + left);
                match ended {
                    true => Step::Ended,
                    false => Step::On(format!("{} of {all} looked at", all - left)),
                }
            }
            _ => Step::Other,
        },
    )
    .await?;
    let code = online.exit_code();
    let text = match args.json {
        true => planned.json(Some(&online))?,
        false => planned.text() + &online.text(&planned.plan),
    };
    Ok((text, code))
}

impl Online {
    fn problems(&self) -> usize {
        let problem = |check: &&ProbeCheck| check.problem.is_some();
        self.checks.iter().filter(problem).count()
    }

    fn exit_code(&self) -> u8 {
        if self.stopped {
            headless::CANCELLED
        } else if self.problems() > 0 {
            headless::NOT_DELIVERED
        } else {
            headless::OK
        }
    }

    fn text(&self, plan: &Plan) -> String {
        let found = match self.problems() {
            0 => "no problem found".to_owned(),
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        let mut lines = vec![
            String::new(),
            format!(
                "Online: {} looked at, {found}",
                count(self.checks.len(), "host")
            ),
        ];
        if self.stopped {
            lines.push(format!("Stopped: {} not asked", count(self.left, "host")));
        }
        for one in &plan.groups {
            let name = &one.group.name;
            let of_group = |check: &&ProbeCheck| check.group == *name;
            let checks: Vec<&ProbeCheck> = self.checks.iter().filter(of_group).collect();
            if checks.is_empty() {
                continue;
            }
            lines.push(String::new());
            lines.push(format!("{}:", crate::model::text::shown(name)));
            inspect::print(&probed(&checks), COLUMNS, &mut lines);
        }
        lines.join("\n") + "\n"
    }
}
