//! When a device has answered, and with what: decided by what it has shown so far, without a clock.
//!
//! A prompt counts at the end of what came, never within it. A pattern is held against the whole answer when the
//! prompt is back, so that a version that came in two pieces is not cut; only a question, at the end of what came,
//! ends an answer without a prompt.

use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

use super::screen::{Screen, Shown};

/// Lines that pagers wait with, in small letters.
const PAGERS: [&str; 10] = [
    "--more--",
    "-- more --",
    "---more---",
    "--- more ---",
    "---- more ----",
    "---(more)---",
    "<--- more --->",
    "press any key to continue",
    "press any key to continue...",
    "press any key",
];
/// The beginnings and the ends of others.
const PAGERS_AROUND: [(&str, &str); 4] = [
    ("---(more ", ")---"),
    ("--more--(", ")"),
    ("-- more --, ", "control-c"),
    ("-- [q quit|", "]"),
];
/// What shows the next page.
const NEXT_PAGE: &[u8] = b" ";
/// What a question ends with.
const QUESTION: [char; 5] = [':', '?', ']', ')', '>'];
/// What it looks like and is not: the outcome of what was done, after which the prompt is still to come.
const OUTCOMES: [&str; 6] = ["ok", "done", "failed", "passed", "success", "complete"];

/// What is typed at a question.
#[derive(Debug, Clone)]
pub enum Typed {
    Line(String),
    /// Shown nowhere, and typed once: one that is asked for again was wrong, and too many of those lock the user out.
    Secret(SecretString),
}

impl Typed {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Line(line) => line,
            Self::Secret(secret) => secret.expose_secret(),
        }
    }
}

/// What was sent, and what is known of the answer before.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Without the key that ends it.
    pub line: &'a str,
    pub prompt: &'a Regex,
    pub expect: Option<&'a Regex>,
    /// Questions, and what is typed then.
    pub answers: &'a [(Regex, Typed)],
    /// The device has shown what was typed before: a prompt alone is an old one.
    pub echoes: bool,
    /// The line is a password, which is asked for again when it is wrong.
    pub is_secret: bool,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With the prompt.
    Prompt,
    /// With the question that was expected.
    Question,
    /// A password was asked for again.
    AskedAgain,
    /// With the session.
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Wait,
    /// This is to be typed.
    Send(Vec<u8>),
    Done(Ended),
}

/// An answer, as it came: with passwords that were shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Without the echo and the prompt.
    pub shown: Shown,
    /// `None`: what was expected is not there.
    pub groups: Option<Vec<(String, String)>>,
    pub has_echo: bool,
}

/// One line, and the answer to it so far.
#[derive(Debug)]
pub struct Exchange<'a> {
    asked: Asked<'a>,
    screen: Screen,
    /// Where something was typed last, in the count of the screen's changes.
    typed_at: Option<u64>,
    /// The answers that are secrets and were typed, by their place.
    given: Vec<usize>,
}

impl<'a> Exchange<'a> {
    pub fn new(asked: Asked<'a>) -> Self {
        Self {
            asked,
            screen: Screen::default(),
            typed_at: None,
            given: Vec::new(),
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.screen.feed(bytes);
    }

    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// What is to be done now. What is to be typed is returned once.
    pub fn decide(&mut self) -> Decision {
        let Some(line) = self.screen.line() else {
            return Decision::Wait;
        };
        if line.trim().is_empty() || self.is_echo_so_far(&line) {
            return Decision::Wait;
        }
        let changes = self.screen.changes();
        if self.typed_at != Some(changes) {
            let mut answers = self.asked.answers.iter().enumerate();
            let answer = answers.find(|(_, (question, _))| ends_with(question, &line));
            if let Some((place, (_, answer))) = answer {
                if matches!(answer, Typed::Secret(_)) {
                    if self.given.contains(&place) {
                        return Decision::Done(Ended::AskedAgain);
                    }
                    self.given.push(place);
                }
                self.typed_at = Some(changes);
                return Decision::Send([answer.text().as_bytes(), b"\r"].concat());
            }
            if is_pager(&line) {
                self.typed_at = Some(changes);
                return Decision::Send(NEXT_PAGE.to_vec());
            }
        }
        if self.asked.is_secret && is_password(&line) {
            return Decision::Done(Ended::AskedAgain);
        }
        if ends_with(self.asked.prompt, &line) && !self.is_old_prompt() {
            return Decision::Done(Ended::Prompt);
        }
        match self.asked.expect {
            Some(expect)
                if is_question(&line) && !has_groups(expect) && ends_with(expect, &line) =>
            {
                Decision::Done(Ended::Question)
            }
            _ => Decision::Wait,
        }
    }

    pub fn answer(&self, ended: Ended) -> Answer {
        let mut shown = self.screen.shown();
        let echo = self.echo();
        if let Some(end) = echo {
            shown.head.drain(..end);
        }
        let groups = match self.asked.expect {
            None => Some(Vec::new()),
            Some(expect) => groups(expect, &shown.text()),
        };
        if ended == Ended::Prompt {
            let last = match shown.dropped {
                0 => &mut shown.head,
                _ => &mut shown.tail,
            };
            let end = last.rfind('\n').unwrap_or(0);
            last.truncate(end);
        }
        Answer {
            shown,
            groups,
            has_echo: echo.is_some(),
        }
    }

    /// The first line that is not empty, where it is ended, and where it ends.
    fn first_line(&self) -> Option<(&str, usize)> {
        let mut end = 0;
        for line in self.screen.head().split_inclusive('\n') {
            end += line.len();
            if line.ends_with('\n') && !line.trim().is_empty() {
                return Some((line.trim_end(), end));
            }
        }
        None
    }

    /// Where the echo of the line ends, if it was ended.
    fn echo(&self) -> Option<usize> {
        let (first, end) = self.first_line()?;
        self.is_echo(first).then_some(end)
    }

    /// Whether a line shows what was typed, alone or behind the prompt.
    fn is_echo(&self, line: &str) -> bool {
        let typed = self.asked.line.trim();
        let before = line.trim_end().strip_suffix(typed);
        !typed.is_empty()
            && before.is_some_and(|before| {
                before.trim().is_empty() || ends_with(self.asked.prompt, before)
            })
    }

    fn is_echo_so_far(&self, line: &str) -> bool {
        let typed = self.asked.line.trim();
        let is_part = !typed.is_empty() && typed.starts_with(line.trim());
        self.first_line().is_none() && (is_part || self.is_echo(line))
    }

    fn is_old_prompt(&self) -> bool {
        self.asked.echoes && !self.asked.line.is_empty() && self.first_line().is_none()
    }
}

/// The named groups of the first match.
fn groups(expect: &Regex, text: &str) -> Option<Vec<(String, String)>> {
    let found = expect.captures(text)?;
    let named = expect.capture_names().flatten();
    let named = named.filter_map(|name| Some((name, found.name(name)?)));
    let named = named.map(|(name, group)| (name.to_owned(), group.as_str().to_owned()));
    Some(named.collect())
}

fn has_groups(pattern: &Regex) -> bool {
    pattern.capture_names().flatten().next().is_some()
}

/// Whether a match ends where the text does, with or without the blanks behind it.
pub fn ends_with(pattern: &Regex, text: &str) -> bool {
    [text, text.trim_end()].into_iter().any(|text| {
        let mut found = pattern.find_iter(text);
        found.any(|found| found.end() == text.len() && !found.is_empty())
    })
}

fn is_pager(line: &str) -> bool {
    let line = line.trim().to_lowercase();
    PAGERS.contains(&line.as_str())
        || PAGERS_AROUND
            .iter()
            .any(|(first, last)| line.starts_with(first) && line.ends_with(last))
}

fn is_question(line: &str) -> bool {
    let line = line.trim_end();
    let inner = line.strip_suffix([']', ')']);
    let inner = inner.and_then(|inner| inner.rsplit(['[', '(']).next());
    let is_outcome = inner.is_some_and(|inner| {
        let inner = inner.trim().to_lowercase();
        OUTCOMES.contains(&inner.as_str())
    });
    line.ends_with(QUESTION) && !is_outcome
}

/// Whether a line asks for a password.
pub fn is_password(line: &str) -> bool {
    let line = line.trim_end().to_lowercase();
    line.ends_with("password:") || line.ends_with("passcode:")
}

#[cfg(test)]
mod tests;
