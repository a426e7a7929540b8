//! The report for people: what each entity has, those alike together.

use jiff::tz::TimeZone;

use super::{Candidate, Found};
use crate::cli::args::RecoverArgs;
use crate::cli::history::moment;
use crate::journal::{AfterCrash, RunWhole};
use crate::model::columns::{count, labelled, wrap};
use crate::model::names;
use crate::model::text::shown;

pub(super) fn report(
    args: &RecoverArgs,
    run: &RunWhole,
    found: &Found<'_>,
    columns: usize,
) -> String {
    let name = shown(&run.run.run);
    let head = format!(
        "run {name} of {}, by {}, was cut off",
        moment(run.run.started, &TimeZone::system()),
        run.run.who()
    );
    let mut lines = wrap(&head, 0, columns);
    if run.run.in_doubt {
        let doubt = "The journal could not be written when it ended: records are missing, and only \
                     a look tells what its entities have.";
        lines.extend(wrap(doubt, 0, columns));
    }
    for group in &run.groups {
        let members = found.entities.iter();
        let mut members: Vec<&Candidate<'_>> = members
            .filter(|one| std::ptr::eq(one.group, group))
            .collect();
        if members.is_empty() {
            continue;
        }
        members.sort_by_key(|one| one.holds);
        lines.push(String::new());
        let [group, image, version] = [&group.group, &group.image, &group.version];
        let head = format!(
            "{}: {}, version {}",
            shown(group),
            shown(image),
            shown(version)
        );
        lines.extend(wrap(&head, 0, columns));
        for (one, names) in alike(&members) {
            let names = names::compress(&names).join(", ");
            let label = format!("  {}", one.holds);
            lines.extend(labelled(&label, &names, INDENT, columns));
            let means = one.seen.clone().or_else(|| means(one.holds));
            if let Some(means) = means {
                lines.extend(wrap(&shown(&means), INDENT, columns));
            }
        }
    }
    lines.push(String::new());
    lines.extend(wrap(&next(args, &name, found), 0, columns));
    lines.join("\n") + "\n"
}

const INDENT: usize = 13;

/// Entities with the same fate, in their order.
fn alike<'a>(members: &[&'a Candidate<'a>]) -> Vec<(&'a Candidate<'a>, Vec<String>)> {
    let mut all: Vec<(&Candidate<'_>, Vec<String>)> = Vec::new();
    for one in members {
        let name = shown(&one.row.entity);
        let same = |other: &Candidate<'_>| (other.holds, &other.seen) == (one.holds, &one.seen);
        match all.iter_mut().find(|(other, _)| same(other)) {
            Some((_, names)) => names.push(name),
            None => all.push((one, vec![name])),
        }
    }
    all
}

fn means(holds: AfterCrash) -> Option<String> {
    let means = match holds {
        AfterCrash::Delivered | AfterCrash::Untouched => return None,
        AfterCrash::Activating => {
            "the image is in place, and it was being made to run it; `--resume` asks it first what it runs"
        }
        AfterCrash::Skipped => "has the image, as the inventory said",
        AfterCrash::Later => "written by a later run; `subtend history --entity NAME` tells",
        AfterCrash::Staged => "the file is as it was; a staging file may be beside it",
        AfterCrash::Unknown => "the final name was about to be given: the old file or the image",
    };
    Some(means.into())
}

/// What going on does with those that lack the image, and with those that are not known to run it.
fn again(lacking: usize, activating: usize) -> &'static str {
    match (lacking, activating) {
        (0, _) => "each is asked first what it runs",
        (_, 0) => "the image is sent to them again",
        _ => {
            "the image is sent again to those that lack it, and the others are asked first what they run"
        }
    }
}

fn next(args: &RecoverArgs, run: &str, found: &Found<'_>) -> String {
    let lacking = found.lacking().count();
    let activating = found.open().count() - lacking;
    if lacking + activating == 0 {
        return "nothing is left to do for this run".into();
    }
    let lack = match (lacking, activating) {
        (0, activating) => format!("{} not known to run the image", count(activating, "entity")),
        (lacking, 0) => format!("{} not known to have the image", count(lacking, "entity")),
        (lacking, activating) => format!(
            "{} not known to have the image, {activating} not known to run it",
            count(lacking, "entity")
        ),
    };
    if args.resume {
        return format!("{lack}: {}", again(lacking, activating));
    }
    let mut ways = vec![format!(
        "`subtend recover {run} --resume` goes on: {}",
        again(lacking, activating)
    )];
    if !args.check && !args.clean && !args.readback {
        ways.push("--check looks at those that are staged or unknown".into());
    }
    if !args.clean {
        ways.push("--clean removes staging files".into());
    }
    ways.push("--forget says no more of this run".into());
    format!("{lack}. {}", ways.join("; "))
}
