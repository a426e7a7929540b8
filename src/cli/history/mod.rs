//! `subtend history`: past runs, one run whole, what became of one entity; from the journal alone.

mod csv;
mod steps;
mod text;

use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::args::HistoryArgs;
use super::export::made;
use super::{Failed, json_line};
use crate::console::PastRun;
use crate::journal::{CutOff, Journal, JournalError, PastRow, RunRow, RunWhole};
use crate::model::text::quoted;
use crate::report::{self, Report};

use steps::Steps;
pub(super) use text::moment;

/// What is to be printed.
///
/// # Errors
/// When the journal can't be read, or knows nothing by that name.
pub fn history(args: &HistoryArgs, state_dir: &Path, columns: usize) -> Result<String, Failed> {
    let journal = Journal::open(state_dir)?;
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
        return json_line(&found.json()?);
    }
    if args.csv {
        return Ok(found.csv());
    }
    let zone = TimeZone::system();
    Ok(match &found {
        Found::Runs(runs, cut_off) => text::runs(runs, cut_off, &zone, columns),
        Found::Run(run) => text::run(run, Steps::of(args), &zone, columns),
        Found::Past(rows) => text::past(rows, args.run.is_some(), Steps::of(args), &zone, columns),
    })
}

/// One run for the console, with what devices said that did not get where they were to.
///
/// # Errors
/// When the journal can't be read, or knows no such run.
pub(super) fn opened(
    run: &str,
    state_dir: &Path,
    zone: &TimeZone,
    columns: usize,
) -> Result<String, Failed> {
    let none = || Failed::usage("no run was recorded yet");
    let journal = Journal::open(state_dir)?.ok_or_else(none)?;
    let whole = whole(&journal, &find(&journal, run)?)?;
    Ok(text::run(&whole, Steps::OfTroubled, zone, columns))
}

/// For the console's history page.
///
/// # Errors
/// When the journal can't be read.
pub(super) fn past_runs(state_dir: &Path, zone: &TimeZone) -> Result<Vec<PastRun>, JournalError> {
    /// More than that are looked for with `subtend history`.
    const SHOWN: usize = 200;
    let Some(journal) = Journal::open(state_dir)? else {
        return Ok(Vec::new());
    };
    Ok((journal.runs(Some(SHOWN))?.iter())
        .map(|run| PastRun {
            run: run.run.clone(),
            began: moment(run.started, zone),
            outcome: run.outcome_word(),
            delivered: run.counts.delivered,
            unproven: run.counts.delivered_unproven,
            skipped: run.counts.skipped,
            failed: run.counts.failed,
            groups: run.groups.clone(),
            about: format!("by {}{}", run.who(), upgraded(run)),
        })
        .collect())
}

/// ` (5 upgraded, 1 rolled back)`, where devices were made to run their image.
fn upgraded(run: &RunRow) -> String {
    match (run.counts.upgraded, run.counts.rolled_back) {
        (0, 0) => String::new(),
        (upgraded, 0) => format!(" ({upgraded} upgraded)"),
        (upgraded, back) => format!(" ({upgraded} upgraded, {back} rolled back)"),
    }
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
        let mut rows = journal.past(name)?;
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
            Ok(Found::Runs(journal.runs(limit)?, journal.cut_off()?))
        }
    }
}

/// The run that was meant.
pub(super) fn find(journal: &Journal, prefix: &str) -> Result<String, Failed> {
    Ok(journal.find(prefix)??)
}

pub(super) fn whole(journal: &Journal, run: &str) -> Result<RunWhole, Failed> {
    let found = journal.run(run)?;
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
            Self::Run(run) => report::csv::run(&Report::of((**run).clone(), made())),
            Self::Past(rows) => csv::past(rows),
        }
    }
}

#[cfg(test)]
mod tests;
