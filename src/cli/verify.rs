//! `subtend verify`: which entities hold the image at their final path.

use std::path::Path;

use serde::Serialize;

use super::args::VerifyArgs;
use super::ask::Prompt;
use super::check::COLUMNS;
use super::inspect::{self, Step};
use super::parts::Parts;
use super::{Failed, select};
use crate::headless::text::{count, wrap};
use crate::headless::{self, Stop};
use crate::model::text::shown;
use crate::model::{Group, Holding, Name, units};
use crate::protocol::inspect::held;
use crate::protocol::{Command, Event, Installed};

#[derive(Debug, Default)]
struct Answer {
    checks: Vec<Installed>,
    left: usize,
    read: u64,
    stopped: bool,
}

/// What was found, and the exit code.
///
/// # Errors
/// When the inventory or a name is wrong: nothing was looked at.
pub async fn verify(
    args: &VerifyArgs,
    file: &Path,
    parts: &impl Parts,
    stop: &mut Stop,
    prompt: &mut impl Prompt,
) -> Result<(String, u8), Failed> {
    let inventory = parts.load(file).map_err(Failed::usage)?;
    let groups = select::groups(&args.groups, &inventory).map_err(Failed::usage)?;
    let mut answer = Answer::default();
    let all: usize = groups.iter().map(|group| group.entities.len()).sum();
    inspect::inspect(
        &inventory,
        &groups,
        |groups| Command::Verify {
            groups,
            size_only: args.size,
        },
        parts,
        (stop, prompt),
        |event| match event {
            Event::Held {
                checks,
                left,
                read,
                ended,
                stopped,
                ..
            } => {
                answer.checks.extend(checks);
                (answer.left, answer.read, answer.stopped) = (left, read, stopped);
                match ended {
                    true => Step::Ended,
                    false => Step::On(format!(
                        "{} of {all} looked at, {} read",
                        all - left,
                        units::size(read)
                    )),
                }
            }
            _ => Step::Other,
        },
    )
    .await?;
    let groups: Vec<&Group> = groups.iter().map(|group| &**group).collect();
    let text = match args.json {
        true => answer.json(&groups)?,
        false => answer.text(&groups),
    };
    Ok((text, answer.exit_code()))
}

impl Answer {
    fn exit_code(&self) -> u8 {
        let has = |check: &Installed| check.holds == Holding::Has;
        if self.stopped {
            headless::CANCELLED
        } else if self.checks.iter().all(has) {
            headless::OK
        } else {
            headless::NOT_DELIVERED
        }
    }

    fn of(&self, group: &Group) -> Vec<&Installed> {
        let of_group = |check: &&Installed| check.group == group.name;
        self.checks.iter().filter(of_group).collect()
    }

    /// Number of entities that were seen to hold the image, and not only a file of its size.
    fn proven(&self) -> usize {
        self.checks.iter().filter(|check| is_proven(check)).count()
    }

    fn text(&self, groups: &[&Group]) -> String {
        let mut lines = Vec::new();
        for group in groups {
            let checks = self.of(group);
            let mut counts = String::new();
            for (kind, words) in [
                (Holding::Has, "have it"),
                (Holding::Differs, "differ"),
                (Holding::Missing, "have no file"),
                (Holding::Unreachable, "not reachable"),
                (Holding::Unknown, "not known"),
            ] {
                let many = checks.iter().filter(|check| check.holds == kind).count();
                if many > 0 || kind == Holding::Has {
                    counts += &format!(", {words}: {many}");
                }
                let proven = checks.iter().filter(|check| is_proven(check)).count();
                if kind == Holding::Has && proven < many {
                    counts += &format!(" ({} by size alone)", many - proven);
                }
            }
            if !lines.is_empty() {
                lines.push(String::new());
            }
            let (name, image) = (shown(&group.name), shown(&group.image.name));
            let of = count(group.entities.len(), "entity");
            lines.extend(wrap(&format!("{name}: {image}; {of}{counts}"), 0, COLUMNS));
            inspect::print(&held(&checks), COLUMNS, &mut lines);
        }
        let all: usize = groups.iter().map(|group| group.entities.len()).sum();
        lines.push(String::new());
        lines.push(format!(
            "Proven by content: {} of {}",
            self.proven(),
            count(all, "entity")
        ));
        if self.stopped {
            lines.push(format!("Stopped: {} not asked", count(self.left, "entity")));
        }
        lines.join("\n") + "\n"
    }

    fn json(&self, groups: &[&Group]) -> Result<String, Failed> {
        #[derive(Serialize)]
        struct Json<'a> {
            groups: Vec<JsonGroup<'a>>,
            /// Number of entities whose content is the image's.
            proven: usize,
            /// File bytes read.
            read: u64,
            left: usize,
            stopped: bool,
        }
        #[derive(Serialize)]
        struct JsonGroup<'a> {
            group: &'a Name,
            image: &'a Name,
            entities: Vec<&'a Installed>,
        }
        let groups = groups.iter().map(|group| JsonGroup {
            group: &group.name,
            image: &group.image.name,
            entities: self.of(group),
        });
        let json = Json {
            groups: groups.collect(),
            proven: self.proven(),
            read: self.read,
            left: self.left,
            stopped: self.stopped,
        };
        let mut json = serde_json::to_string(&json).map_err(Failed::other)?;
        json.push('\n');
        Ok(json)
    }
}

fn is_proven(check: &Installed) -> bool {
    check.holds == Holding::Has && check.verified.is_proof()
}
