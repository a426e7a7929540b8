//! `subtend verify`: which entities hold the image at their final path.

use std::path::Path;

use serde::Serialize;

use super::args::VerifyArgs;
use super::check::COLUMNS;
use super::inspect::{exit_code, findings, inspect};
use super::services::Services;
use super::{Failed, json_line, print, select};
use crate::headless::Stop;
use crate::headless::text::{count, wrap};
use crate::model::text::shown;
use crate::model::{Group, Holding, Name};
use crate::protocol::inspect::Findings;
use crate::protocol::{Command, Installed};

/// Prints what was found: the exit code.
///
/// # Errors
/// When the inventory or a name is wrong: nothing was looked at.
pub async fn verify(
    args: &VerifyArgs,
    file: &Path,
    services: &impl Services,
    stop: &mut Stop,
) -> Result<u8, Failed> {
    let inventory = services.load(file)?;
    let groups = select::groups(&args.groups, &inventory)?;
    let found = inspect(
        &inventory,
        &groups,
        select::credentials(&groups, &inventory),
        |groups| Command::Verify {
            groups,
            size_only: args.size,
        },
        services,
        stop,
    )
    .await?;
    let groups: Vec<&Group> = groups.iter().map(|group| &**group).collect();
    print(&match args.json {
        true => json(&found, &groups)?,
        false => in_words(&found, &groups),
    });
    Ok(exit_code(&found))
}

/// Number of entities that were seen to hold the image, and not only a file of its size.
fn proven(found: &Findings<Installed>) -> usize {
    found.checks.iter().filter(|check| is_proven(check)).count()
}

fn in_words(found: &Findings<Installed>, groups: &[&Group]) -> String {
    let mut lines = Vec::new();
    for group in groups {
        let checks = found.of_group(&group.name);
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
        lines.extend(findings(&checks));
    }
    let all: usize = groups.iter().map(|group| group.entities.len()).sum();
    lines.push(String::new());
    lines.push(format!(
        "Proven by content: {} of {}",
        proven(found),
        count(all, "entity")
    ));
    if found.stopped {
        lines.push(format!(
            "Stopped: {} not asked",
            count(found.left, "entity")
        ));
    }
    lines.join("\n") + "\n"
}

fn json(found: &Findings<Installed>, groups: &[&Group]) -> Result<String, Failed> {
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
        entities: found.of_group(&group.name),
    });
    let json = Json {
        groups: groups.collect(),
        proven: proven(found),
        read: found.read,
        left: found.left,
        stopped: found.stopped,
    };
    json_line(&json)
}

fn is_proven(check: &Installed) -> bool {
    check.holds == Holding::Has && check.verified.is_proof()
}
