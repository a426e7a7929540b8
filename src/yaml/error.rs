//! What is wrong with a file: a list of problems, and how it is shown.
//!
//! Snippets are made when the list is closed, with control characters escaped and whatever may be
//! a secret hidden, so the list holds nothing that can't be shown or logged.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::model::text::{escaped, push_shown, shown};

pub(crate) use crate::model::complaint::{Complaint, did_you_mean, some_of};
pub(crate) use crate::model::text::quoted;

/// More problems than this are counted, not listed: nobody reads on.
const MOST_LISTED: usize = 1_000;
/// Characters of a line that a snippet shows at most, and how many of them before the caret.
const SNIPPET_WIDTH: usize = 120;
const SNIPPET_BEFORE: usize = 70;
/// What ends a line in YAML.
const BREAKS: [char; 2] = ['\n', '\r'];

/// A part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub bytes: Range<usize>,
}

impl Span {
    /// Where a file begins.
    pub(crate) fn start() -> Self {
        Self {
            line: 1,
            column: 1,
            bytes: 0..0,
        }
    }
}

/// The bytes of a text that must not be shown, of a line that begins at this place of it.
pub(crate) type Hidden<'h> = &'h dyn Fn(usize, &str) -> Vec<Range<usize>>;

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<(Span, Complaint)>,
    unlisted: usize,
}

impl Problems {
    /// How many there are so far.
    pub(crate) fn len(&self) -> usize {
        self.list.len() + self.unlisted
    }

    pub(crate) fn report(
        &mut self,
        at: &Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.complain(at, Complaint::new(message, help));
    }

    pub(crate) fn complain(&mut self, at: &Span, complaint: Complaint) {
        // A node that is used twice through an alias is wrong once.
        let again = |(span, known): &(Span, Complaint)| span == at && *known == complaint;
        if self.list.len() == MOST_LISTED {
            self.unlisted += 1;
        } else if !self.list.iter().any(again) {
            self.list.push((at.clone(), complaint));
        }
    }

    /// Reports what is wrong with a value, which there is none of then.
    pub(crate) fn refuse<T>(
        &mut self,
        at: &Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.report(at, message, help);
        None
    }

    /// The value, if nothing is wrong with it, which is reported.
    pub(crate) fn ok<T>(&mut self, at: &Span, value: Result<T, impl Into<Complaint>>) -> Option<T> {
        value.map_err(|wrong| self.complain(at, wrong.into())).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn into_errors(mut self, file: &Path, text: &str, hidden: Hidden<'_>) -> Errors {
        self.list
            .sort_by_key(|(span, _)| (span.line, span.column, span.bytes.start));
        let list = self.list.into_iter();
        Errors {
            file: file.to_path_buf(),
            errors: list
                .map(|(span, complaint)| Problem {
                    snippet: Snippet::new(text, &span, hidden),
                    line: span.line,
                    column: span.column,
                    // It may repeat keys and names of the file, and words of the YAML parser.
                    message: escaped(&complaint.message),
                    help: escaped(&complaint.help),
                })
                .collect(),
            unlisted: self.unlisted,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// From 1, in characters; 0 when the file as a whole is meant.
    pub column: usize,
    pub message: String,
    /// What to write instead; may be empty.
    pub help: String,
    snippet: Option<Snippet>,
}

/// Everything that is wrong with a file, sorted by position. Its `Display` is for a terminal:
///
/// ```text
/// inventory.yaml:12:5: error: unknown key `entitys` in a group
///    |
/// 12 |     entitys: [a]
///    |     ^^^^^^^
/// help: did you mean `entities`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    file: PathBuf,
    errors: Vec<Problem>,
    unlisted: usize,
}

impl Errors {
    /// A file that can't be read at all.
    pub(crate) fn whole(file: &Path, message: String, help: &str) -> Self {
        Self {
            file: file.to_path_buf(),
            errors: vec![Problem {
                line: 0,
                column: 0,
                message,
                help: help.into(),
                snippet: None,
            }],
            unlisted: 0,
        }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn errors(&self) -> &[Problem] {
        &self.errors
    }
}

impl std::error::Error for Errors {}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = shown(&self.file.display().to_string());
        for problem in &self.errors {
            match problem.line {
                0 => writeln!(f, "{file}: error: {}", problem.message)?,
                line => writeln!(
                    f,
                    "{file}:{line}:{}: error: {}",
                    problem.column, problem.message
                )?,
            }
            if let Some(snippet) = &problem.snippet {
                snippet.write(f, problem.line)?;
            }
            if !problem.help.is_empty() {
                writeln!(f, "help: {}", problem.help)?;
            }
            writeln!(f)?;
        }
        match self.errors.len() + self.unlisted {
            1 => write!(f, "1 error in {file}")?,
            count => write!(f, "{count} errors in {file}")?,
        }
        if self.unlisted > 0 {
            write!(f, "; the first {} are listed", self.errors.len())?;
        }
        Ok(())
    }
}

/// A line of the file, fit to be shown, and what to underline in it (in characters).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snippet {
    line: String,
    from: usize,
    width: usize,
}

impl Snippet {
    fn new(text: &str, span: &Span, hidden: Hidden<'_>) -> Option<Self> {
        let before = text.get(..span.bytes.start)?;
        let start = before.rfind(BREAKS).map_or(0, |at| at + 1);
        let line = text[start..].split(BREAKS).next().unwrap_or("");
        if line.trim().is_empty() {
            return None;
        }
        let hidden = hidden(start, line);

        // Each character as it is shown; `from` and `to` are where the span begins and ends in them.
        let mut cells: Vec<String> = Vec::new();
        let (mut from, mut to) = (None, None);
        let mut covered: Option<&Range<usize>> = None;
        for (offset, c) in line.char_indices() {
            let offset = start + offset;
            if offset >= span.bytes.start && from.is_none() {
                from = Some(cells.len());
            }
            if offset >= span.bytes.end && to.is_none() {
                to = Some(cells.len());
            }
            match hidden.iter().find(|range| range.contains(&offset)) {
                Some(range) if covered == Some(range) => {}
                Some(range) => {
                    covered = Some(range);
                    cells.push("***".into());
                }
                None if c == '\t' => cells.push(" ".into()),
                None => {
                    let mut cell = String::new();
                    push_shown(&mut cell, c);
                    cells.push(cell);
                }
            }
        }
        let from = from.unwrap_or(cells.len());
        let to = to.unwrap_or(cells.len()).max(from + 1);

        let first = if cells.len() > SNIPPET_WIDTH {
            from.saturating_sub(SNIPPET_BEFORE)
        } else {
            0
        };
        let last = cells.len().min(first + SNIPPET_WIDTH);
        let width = |cells: &[String]| cells.iter().map(|cell| cell.chars().count()).sum::<usize>();
        let before = if first > 0 { "…" } else { "" };
        let after = if last < cells.len() { "…" } else { "" };
        let (from, to) = (from.min(last), to.min(last));
        Some(Self {
            from: before.chars().count() + width(&cells[first..from]),
            width: width(&cells[from..to]).max(1),
            line: format!("{before}{}{after}", cells[first..last].concat()),
        })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, number: usize) -> fmt::Result {
        let number = number.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.line)?;
        let indent = " ".repeat(self.from);
        writeln!(f, "{margin} | {indent}{}", "^".repeat(self.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, what: &str) -> Span {
        let start = text.find(what).unwrap();
        let line = text[..start].matches('\n').count() + 1;
        let column = start - text[..start].rfind('\n').map_or(0, |at| at + 1) + 1;
        Span {
            line,
            column,
            bytes: start..start + what.len(),
        }
    }

    fn reported(text: &str, spans: &[Span]) -> Errors {
        let mut problems = Problems::default();
        for span in spans {
            problems.report(span, "wrong", "do it right");
        }
        problems.into_errors(Path::new("f"), text, &|_, _| Vec::new())
    }

    #[test]
    fn the_caret_stands_under_what_is_wrong() {
        let text = "a: 1\n\u{e9}\t\u{1b}b: wrong # why\n";
        let shown = reported(text, &[at(text, "wrong")]).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[2], "2 | \u{e9} \\u{1b}b: wrong # why");
        let caret = lines[3].chars().position(|c| c == '^').unwrap();
        let word = lines[2].chars().collect::<String>();
        let word = word.chars().count() - "wrong # why".len();
        assert_eq!((caret, lines[3].matches('^').count()), (word, 5));
    }

    #[test]
    fn a_long_line_is_shown_where_it_matters() {
        let text = format!("{}wrong{}", "x".repeat(5_000), "y".repeat(5_000));
        let shown = reported(&text, &[at(&text, "wrong")]).to_string();
        assert!(shown.contains("xwrongy"), "{shown}");
        assert!(
            shown.lines().all(|line| line.chars().count() < 140),
            "{shown}"
        );
    }

    #[test]
    fn problems_are_sorted_and_reported_once() {
        let text = "b\na\n";
        let errors = reported(text, &[at(text, "a"), at(text, "b"), at(text, "a")]);
        let lines: Vec<usize> = errors.errors().iter().map(|e| e.line).collect();
        assert_eq!(lines, [1, 2]);
        assert!(errors.to_string().ends_with("2 errors in f"));
    }

    #[test]
    fn what_nobody_reads_is_counted() {
        let text = "x\n".repeat(1_200);
        let spans: Vec<Span> = (0..1_200)
            .map(|n| Span {
                line: n + 1,
                column: 1,
                bytes: 2 * n..2 * n + 1,
            })
            .collect();
        let shown = reported(&text, &spans).to_string();
        assert!(
            shown.ends_with("1200 errors in f; the first 1000 are listed"),
            "{shown}"
        );
    }
}
