//! `subtend history`: past runs, one run whole, what became of one entity; from the journal alone.

mod csv;
mod text;

use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Failed;
use super::args::HistoryArgs;
use crate::console::PastRun;
use crate::journal::{CutOff, Journal, PastRow, RunRow, RunWhole};
use crate::model::text::quoted;

pub(super) use text::{moment, who};

/// What is to be printed.
///
/// # Errors
/// When the journal can't be read, or knows nothing by that name.
pub fn history(args: &HistoryArgs, state_dir: &Path, columns: usize) -> Result<String, Failed> {
    let journal = Journal::open(state_dir).map_err(Failed::other)?;
    let found = match &journal {
        Some(journal) => look_up(args, journal)?,
        None if args.run.is_none() && args.entity.is_none() => Found::Runs(Vec::new(), Vec::new()),
        None => {
            return Err(Failed::usage(format!(
                "no run was recorded in {} yet",
                state_dir.display()
            )));
        }
    };
    if args.json {
        let mut text = found.json().map_err(Failed::other)?.to_string();
        text.push('\n');
        return Ok(text);
    }
    if args.csv {
        return Ok(found.csv());
    }
    let zone = TimeZone::system();
    Ok(match &found {
        Found::Runs(runs, cut_off) => text::runs(runs, cut_off, &zone, columns),
        Found::Run(run) => text::run(run, &zone, columns),
        Found::Past(rows) => text::past(rows, args.run.is_some(), &zone, columns),
    })
}

/// For the console's history page.
///
/// # Errors
/// When the journal can't be read.
pub(super) fn past_runs(state_dir: &Path) -> Result<Vec<PastRun>, String> {
    /// More than that are looked for with `subtend history`.
    const SHOWN: usize = 200;
    let Some(journal) = Journal::open(state_dir).map_err(|error| error.to_string())? else {
        return Ok(Vec::new());
    };
    let runs = journal.runs(Some(SHOWN));
    let zone = TimeZone::system();
    Ok((runs.map_err(|error| error.to_string())?.iter())
        .map(|run| PastRun {
            run: run.run.clone(),
            began: moment(run.started, &zone),
            outcome: text::outcome(run),
            delivered: run.counts.delivered,
            unproven: run.counts.delivered_unproven,
            skipped: run.counts.skipped,
            failed: run.counts.failed,
            about: format!("{} by {}", run.groups.join(", "), who(run)),
        })
        .collect())
}

enum Found {
    Runs(Vec<RunRow>, Vec<CutOff>),
    Run(Box<RunWhole>),
    /// Never none.
    Past(Vec<PastRow>),
}

fn look_up(args: &HistoryArgs, journal: &Journal) -> Result<Found, Failed> {
    let run = match &args.run {
        Some(prefix) => Some(find(journal, prefix)?),
        None => None,
    };
    if let Some(name) = &args.entity {
        let mut rows = journal.past(name).map_err(Failed::other)?;
        if let Some(run) = &run {
            rows.retain(|row| row.run == *run);
        }
        if rows.is_empty() {
            let of = run.map_or_else(|| "the journal".to_owned(), |run| format!("run {run}"));
            return Err(Failed::usage(format!(
                "{of} knows no entity {}",
                quoted(name)
            )));
        }
        return Ok(Found::Past(rows));
    }
    match run {
        Some(run) => Ok(Found::Run(Box::new(whole(journal, &run)?))),
        None => {
            let limit = (args.limit > 0).then_some(args.limit);
            let runs = journal.runs(limit).map_err(Failed::other)?;
            let cut_off = journal.cut_off().map_err(Failed::other)?;
            Ok(Found::Runs(runs, cut_off))
        }
    }
}

/// The run that was meant.
pub(super) fn find(journal: &Journal, prefix: &str) -> Result<String, Failed> {
    let found = journal.find(prefix).map_err(Failed::other)?;
    found.map_err(Failed::usage)
}

pub(super) fn whole(journal: &Journal, run: &str) -> Result<RunWhole, Failed> {
    let found = journal.run(run).map_err(Failed::other)?;
    found.ok_or_else(|| Failed::usage(format!("no run {}", quoted(run))))
}

impl Found {
    fn json(&self) -> serde_json::Result<Value> {
        Ok(match self {
            Self::Runs(runs, _) => json!({ "runs": runs }),
            Self::Run(run) => run.json()?,
            Self::Past(rows) => {
                let entity = rows.first().map(|row| &row.entity.entity);
                json!({ "entity": entity, "past": rows })
            }
        })
    }

    fn csv(&self) -> String {
        match self {
            Self::Runs(runs, _) => csv::runs(runs),
            Self::Run(run) => csv::run(run),
            Self::Past(rows) => csv::past(rows),
        }
    }
}

#[cfg(test)]
mod tests;
