//! The table and how it is printed.

use std::fmt::Write;

use crate::support::real::must_be_here;

/// What came of one thing with one server.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// The image is there, byte for byte, and nothing else; or the fault was refused as it must be.
    Delivered,
    /// As expected: for a limit of the server's own.
    Limit {
        why: &'static str,
        cause: String,
    },
    /// The server has no such thing.
    NotOffered,
    NotHere(String),
    Wrong(String),
}

/// What the cells mean.
pub(crate) const SIGNS: &str = "\nok: delivered, byte for byte, or a fault refused as it must be; -: the \
     server has no such thing; limit: a limit of the server's own, named beside it\n";

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) lines: Vec<String>,
    pub(crate) rows: Vec<&'static str>,
    /// A list for each line.
    pub(crate) cells: Vec<Vec<Cell>>,
}

impl Cell {
    fn sign(&self) -> &'static str {
        match self {
            Self::Delivered => "ok",
            Self::Limit { .. } => "limit",
            Self::NotOffered => "-",
            Self::NotHere(_) => "not here",
            Self::Wrong(_) => "WRONG",
        }
    }

    fn is_failure(&self) -> bool {
        match self {
            Self::Wrong(_) => true,
            Self::NotHere(_) => must_be_here(),
            _ => false,
        }
    }
}

impl Table {
    /// Those that hold, those that don't, and those that could not be tried.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let all = || self.cells.iter().flatten();
        let failed = all().filter(|cell| cell.is_failure()).count();
        let held = all()
            .filter(|cell| matches!(cell, Cell::Delivered | Cell::Limit { .. }))
            .count();
        (held, failed, all().count() - held - failed)
    }

    pub(crate) fn text(&self) -> String {
        let first = self.lines.iter().map(String::len).max().unwrap_or(0);
        let width = |row: usize| {
            let cells = self.cells.iter().map(|line| line[row].sign().len());
            cells.max().unwrap_or(0).max(self.rows[row].len())
        };
        let mut text = format!("\n{:first$}", "");
        for (row, name) in self.rows.iter().enumerate() {
            let _ = write!(text, "  {name:width$}", width = width(row));
        }
        text.push('\n');
        for (name, cells) in self.lines.iter().zip(&self.cells) {
            let _ = write!(text, "{name:first$}");
            for (row, cell) in cells.iter().enumerate() {
                let _ = write!(text, "  {:width$}", cell.sign(), width = width(row));
            }
            text.push('\n');
        }
        for (name, cells) in self.lines.iter().zip(&self.cells) {
            for (row, cell) in self.rows.iter().zip(cells) {
                let _ = match cell {
                    Cell::Limit { why, cause } => {
                        writeln!(text, "limit  {name}, {row}: {why}; it is said so: {cause}")
                    }
                    Cell::Wrong(cause) => writeln!(text, "WRONG  {name}, {row}: {cause}"),
                    _ => Ok(()),
                };
            }
            if let Some(Cell::NotHere(why)) = cells.first() {
                let _ = writeln!(text, "not here  {name}: {why}");
            }
        }
        text
    }
}
