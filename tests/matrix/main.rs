//! The program against FTP servers of other makes: a table, printed.
//!
//! A line a server, a column a thing that is done with it ([`rows::ROWS`]). Each cell is delivered,
//! byte for byte on the server's disk, or fails for a limit of that server's own, which
//! [`limits::LIMITS`] expects with its reason and with the words that the program must find for it.
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

mod limits;
mod program;
mod rows;
mod site;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use support::real::{MAKES, Make};
use table::{Cell, Table};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Servers that are tried at the same time: mostly they wait.
const AT_ONCE: usize = 4;

/// A server, and whether all of it goes over TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) make: &'static dyn Make,
    pub(crate) secure: bool,
}

impl Line {
    pub(crate) fn name(&self) -> String {
        match self.secure {
            true => format!("{} TLS", self.make.name()),
            false => self.make.name().to_owned(),
        }
    }

    /// Each make in clear text, and over TLS those that most devices' servers descend from.
    fn all() -> Vec<Self> {
        let secure =
            |make: &&'static dyn Make| ["vsftpd", "pure-ftpd", "proftpd"].contains(&make.name());
        let line = |secure| move |make: &'static dyn Make| Self { make, secure };
        let clear = MAKES.into_iter().map(line(false));
        clear
            .chain(MAKES.into_iter().filter(secure).map(line(true)))
            .collect()
    }
}

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
    let table = runtime.block_on(filled(&lines, &rows));
    print!("{}", table.text());
    println!("{:.0} s", begun.elapsed().as_secs_f64());
    // A closing line as test harnesses have it.
    let (passed, failed, skipped) = table.counts();
    println!("matrix: {passed} passed, {failed} failed, {skipped} skipped");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The lines and the columns that words are about: all where none of them is.
fn chosen(words: &[&str]) -> (Vec<Line>, Vec<rows::Row>) {
    let mut unknown = false;
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for word in words {
        let of = |line: &Line| line.name().contains(word);
        let (some, others) = (
            Line::all().into_iter().filter(of).collect::<Vec<_>>(),
            rows::ROWS
                .into_iter()
                .filter(|row| row.name.contains(word))
                .collect::<Vec<_>>(),
        );
        unknown |= some.is_empty() && others.is_empty();
        lines.extend(some);
        rows.extend(others);
    }
    if unknown {
        // It is the name of another binary's test.
        return (Vec::new(), Vec::new());
    }
    if lines.is_empty() {
        lines = Line::all();
    }
    if rows.is_empty() {
        rows = rows::ROWS.to_vec();
    }
    (lines, rows)
}

async fn filled(lines: &[Line], rows: &[rows::Row]) -> Table {
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
    Table {
        lines: lines.iter().map(Line::name).collect(),
        rows: rows.iter().map(|row| row.name).collect(),
        cells: cells.into_iter().map(|(_, cells)| cells).collect(),
    }
}
