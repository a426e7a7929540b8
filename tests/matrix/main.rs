//! The program against servers of other makes: tables, printed, one for each family of protocols.
//!
//! A line per server and way to it, a column per thing that is done with it ([`rows::ROWS`]). Each cell is
//! delivered, byte for byte on the server's disk, or is a fault that was refused as it must be: its state,
//! its cause, what the entity holds. Or it fails for a limit of that server's own, which
//! [`limits::LIMITS`] expects with its reason and with the words that the program must find for it. In all
//! that a cell writes anywhere is no password, token or passphrase.
//! What a server does not have is `-`, and a server that is not installed `not here`, which is a
//! failure where `CI=true`. Nothing is left out without a word.
//!
//! `.ci/servers` installs the servers. `cargo test --test matrix -- proftpd killed` is for servers
//! and columns whose names have these words in them.
#![cfg(all(unix, feature = "lab"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use subtend_support as support;

mod delivery;
mod evidence;
mod faults;
mod limits;
mod line;
mod program;
mod rows;
mod site;
mod sources;
mod ssh;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use line::{Family, Line};
use table::{Cell, Table};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Servers that are tried at the same time: mostly they wait.
const AT_ONCE: usize = 4;

fn main() -> ExitCode {
    // Those of the test harness that cargo was given (`--nocapture`) mean nothing here.
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let words: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let (lines, rows) = chosen(&words);
    if lines.is_empty() || rows.is_empty() {
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cells = runtime.block_on(filled(&lines, &rows));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for table in tables(&lines, &rows, cells) {
        print!("{}", table.text());
        let (held, wrong, not_tried) = table.counts();
        passed += held;
        failed += wrong;
        skipped += not_tried;
    }
    println!("{}", table::SIGNS);
    println!("{:.0} s", begun.elapsed().as_secs_f64());
    // A closing line as test harnesses have it.
    println!("matrix: {passed} passed, {failed} failed, {skipped} skipped");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The lines and the columns that words are about: all where none of them is.
fn chosen(words: &[&str]) -> (Vec<Line>, Vec<rows::Row>) {
    let (lines, rows) = (Line::all(), rows::ROWS.to_vec());
    let line_has = |line: &Line, word: &&str| line.name().contains(word);
    let row_has = |row: &rows::Row, word: &&str| row.name.contains(word);
    let is_known = |word: &&str| {
        lines.iter().any(|line| line_has(line, word)) || rows.iter().any(|row| row_has(row, word))
    };
    if !words.iter().all(is_known) {
        // It is the name of another binary's test.
        return (Vec::new(), Vec::new());
    }
    let of_lines = |line: &Line| words.iter().any(|word| line_has(line, word));
    let of_rows = |row: &rows::Row| words.iter().any(|word| row_has(row, word));
    let (some, others): (Vec<_>, Vec<_>) = (
        lines.iter().copied().filter(of_lines).collect(),
        rows.iter().copied().filter(of_rows).collect(),
    );
    (
        if some.is_empty() { lines } else { some },
        if others.is_empty() { rows } else { others },
    )
}

/// One for each family, with the columns that mean something for one of its lines.
fn tables(lines: &[Line], rows: &[rows::Row], cells: Vec<Vec<Cell>>) -> Vec<Table> {
    let mut tables = Vec::new();
    for family in Family::ALL {
        let all = || {
            lines
                .iter()
                .zip(&cells)
                .filter(|(line, _)| line.way.family() == family)
        };
        let is_for = |row: &rows::Row| all().any(|(line, _)| row.is_for(*line));
        let kept: Vec<bool> = rows.iter().map(is_for).collect();
        let of = |cells: &Vec<Cell>| {
            let kept = cells.iter().zip(&kept).filter(|(_, kept)| **kept);
            kept.map(|(cell, _)| cell.clone()).collect::<Vec<_>>()
        };
        let names = rows.iter().zip(&kept).filter(|(_, kept)| **kept);
        let table = Table {
            lines: all().map(|(line, _)| line.name()).collect(),
            rows: names.map(|(row, _)| row.name).collect(),
            cells: all().map(|(_, cells)| of(cells)).collect(),
        };
        if !table.lines.is_empty() && !table.rows.is_empty() {
            tables.push(table);
        }
    }
    tables
}

/// What came of each thing with each server.
async fn filled(lines: &[Line], rows: &[rows::Row]) -> Vec<Vec<Cell>> {
    let seats = Arc::new(Semaphore::new(AT_ONCE));
    let mut work = JoinSet::new();
    for (number, line) in lines.iter().enumerate() {
        let (seats, line, rows) = (Arc::clone(&seats), *line, rows.to_vec());
        work.spawn(async move {
            let _seat = seats.acquire().await.unwrap();
            let mut cells = Vec::new();
            let missing = tokio::task::spawn_blocking(move || line.make.missing()).await;
            let missing = missing.unwrap();
            for row in rows {
                cells.push(match &missing {
                    Some(why) => Cell::NotHere(why.clone()),
                    None => {
                        // What panics spoils its own cell.
                        let begun = Instant::now();
                        let work = tokio::spawn(rows::cell(line, row));
                        let cell =
                            (work.await).unwrap_or_else(|panic| Cell::Wrong(panic.to_string()));
                        eprintln!(
                            "{:5.1} s  {}, {}",
                            begun.elapsed().as_secs_f64(),
                            line.name(),
                            row.name
                        );
                        cell
                    }
                });
            }
            (number, cells)
        });
    }
    let mut cells = work.join_all().await;
    cells.sort_by_key(|(number, _)| *number);
    cells.into_iter().map(|(_, cells)| cells).collect()
}
