//! The conversation with one device: a line is sent, and what comes is read until it is an answer.
//!
//! What a device sends is bounded (`screen`) and judged without a clock (`expect`); here are the deadlines, the
//! cancellation, and the passwords, which are starred out of everything that is given away.

use std::time::Duration;

use regex::Regex;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::model::text::shown;
use crate::model::{Failure, Fault, Login, Side, Step};
use crate::transport::{Redact, Terminal};

pub mod expect;
mod login;
mod open;
pub mod screen;

use expect::{Answer, Asked, Decision, Exchange};
pub use expect::{Ended, Typed};
pub use open::open;
use screen::{Screen, Shown};

/// After a prompt nothing more should come. What does shows that it was none, or belongs to it.
const SETTLE: Duration = Duration::from_millis(20);
/// A question waits for an answer; a line that only looks like one goes on.
const ASKS: Duration = Duration::from_secs(1);
/// Lines, and characters, of what was shown last that stand in a cause.
const LAST_LINES: usize = 3;
const LAST: usize = 200;

/// What is expected of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expectation<'a> {
    /// None: any answer will do.
    pub expect: Option<&'a Regex>,
    /// Questions, as the device asks them at the end of a line, and what is typed then.
    pub answers: &'a [(Regex, Typed)],
}

/// An answer, escaped and without passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Without the echo and the prompt; at most 64 KiB, and a line where something was left out.
    pub text: String,
    /// The named groups of the pattern that was expected, in its order; none if [`Ended::Closed`] came before.
    pub groups: Vec<(String, String)>,
    /// Bytes that were left out of the text.
    pub dropped: u64,
    /// [`Ended::Closed`]: the device ended the session, as it does when it restarts.
    pub ended: Ended,
}

/// A device that shows its prompt.
pub struct Session {
    terminal: Box<dyn Terminal>,
    prompt: Regex,
    reply: Duration,
    cancel: CancellationToken,
    redact: Vec<Redact>,
    /// Bytes of the longest password.
    longest: usize,
    echoes: bool,
    /// What comes next may be the rest of an answer that was not waited for.
    is_over: bool,
    /// The device has ended it.
    has_ended: bool,
    /// The last answer, also where it was not the one that was expected.
    said: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(…)")
    }
}

impl Session {
    /// Waits for the prompt. `asks`: the device asks for name and password itself, as over telnet; each is sent
    /// once. `reply` is the deadline of each of its answers.
    ///
    /// # Errors
    /// [`Fault::LoginRefused`] where it asks again or says no, [`Fault::Answer`] where it has no room for another
    /// session, [`Fault::Unanswered`] where no prompt comes.
    pub async fn open(
        terminal: Box<dyn Terminal>,
        login: &Login,
        asks: bool,
        prompt: &Regex,
        reply: Duration,
        cancel: &CancellationToken,
    ) -> Result<Self, Failure> {
        let mut session = Self {
            terminal,
            prompt: prompt.clone(),
            reply,
            cancel: cancel.clone(),
            redact: vec![Redact::of(login, None)],
            longest: login.password.expose_secret().len(),
            echoes: false,
            is_over: false,
            has_ended: false,
            said: String::new(),
        };
        match session.log_in(login, asks).await {
            Ok(()) => Ok(session),
            Err(fault) => {
                session.close().await;
                Err(Failure::new(Step::Login, fault))
            }
        }
    }

    /// Sends a line, and waits until it is answered.
    ///
    /// # Errors
    /// [`Fault::Unanswered`] after `within`; [`Fault::Unexpected`] where the prompt comes back without what is
    /// expected; [`Fault::Cancelled`]; a line with control characters, which would be several.
    pub async fn run(
        &mut self,
        line: &str,
        expectation: Expectation<'_>,
        within: Duration,
    ) -> Result<Output, Failure> {
        let asked = (line, format!("\"{}\"", shown(&self.hide(line))), false);
        self.exchange(asked, expectation, within).await
    }

    /// As [`Self::run`], with a password in place of a line: it is shown nowhere, from now on. One that is asked
    /// for again was wrong.
    pub async fn run_secret(
        &mut self,
        secret: &SecretString,
        expectation: Expectation<'_>,
        within: Duration,
    ) -> Result<Output, Failure> {
        self.conceal(secret);
        let asked = (secret.expose_secret(), "the password".to_owned(), true);
        self.exchange(asked, expectation, within).await
    }

    /// What is starred out from now on.
    fn conceal(&mut self, secret: &SecretString) {
        let secret = secret.expose_secret();
        let redact = Redact::of(&Login::with_password("", secret), None);
        self.redact.push(redact);
        self.longest = self.longest.max(secret.len());
    }

    async fn exchange(
        &mut self,
        (line, named, is_secret): (&str, String, bool),
        expectation: Expectation<'_>,
        within: Duration,
    ) -> Result<Output, Failure> {
        let failed = |fault| Failure::new(Step::Command, fault);
        self.said.clear();
        let typed = expectation.answers.iter().map(|(_, typed)| typed.text());
        if typed
            .chain([line])
            .any(|line| line.chars().any(char::is_control))
        {
            let reason = format!(
                "{named}, or what is typed at its questions, has control characters, and is not sent"
            );
            return Err(failed(Fault::Local(reason)));
        }
        for (_, typed) in expectation.answers {
            if let Typed::Secret(secret) = typed {
                self.conceal(secret);
            }
        }
        if self.is_over {
            let reason = "an answer before was not waited for, or it has ended".into();
            let side = Side::Session;
            return Err(failed(Fault::Lost { side, reason }));
        }
        let prompt = self.prompt.clone();
        let mut exchange = Exchange::new(Asked {
            line,
            prompt: &prompt,
            expect: expectation.expect,
            answers: expectation.answers,
            echoes: self.echoes && !is_secret,
            is_secret,
        });
        self.is_over = true;
        let ended = self.answered(&mut exchange, line, &named, within).await;
        let ended = ended.map_err(|fault| {
            self.said = self.without_secrets(&exchange.screen().shown());
            failed(fault)
        })?;
        self.is_over = ended == Ended::Closed;
        self.has_ended |= self.is_over;
        let answer = exchange.answer(ended);
        self.echoes |= answer.has_echo && !is_secret;
        self.output(answer, ended, named).map_err(failed)
    }

    async fn answered(
        &mut self,
        exchange: &mut Exchange<'_>,
        line: &str,
        named: &str,
        within: Duration,
    ) -> Result<Ended, Fault> {
        let until = Instant::now() + within;
        let sent = timeout_at(until, self.type_in(format!("{line}\r").as_bytes())).await;
        match sent {
            Ok(Err(Fault::Lost { .. })) => return Ok(Ended::Closed),
            Ok(sent) => sent?,
            Err(_) => return Err(self.unanswered(named, within, exchange.screen())),
        }
        loop {
            let data = match exchange.decide() {
                Decision::Send(data) => {
                    match timeout_at(until, self.type_in(&data)).await {
                        Ok(Err(Fault::Lost { .. })) => return Ok(Ended::Closed),
                        Ok(sent) => sent?,
                        Err(_) => return Err(self.unanswered(named, within, exchange.screen())),
                    }
                    continue;
                }
                Decision::Done(ended) => {
                    let is_question = ended == Ended::Question;
                    let settled = Instant::now() + if is_question { ASKS } else { SETTLE };
                    match self.read(settled.min(until)).await {
                        Ok(None) if is_question || settled <= until => return Ok(ended),
                        data => data,
                    }
                }
                Decision::Wait => self.read(until).await,
            };
            match data {
                Ok(Some(data)) if data.is_empty() => return Ok(Ended::Closed),
                Ok(Some(data)) => exchange.feed(&data),
                Ok(None) => return Err(self.unanswered(named, within, exchange.screen())),
                // A device that restarts need not take leave.
                Err(Fault::Lost { .. }) => return Ok(Ended::Closed),
                Err(fault) => return Err(fault),
            }
            if Instant::now() >= until {
                return Err(self.unanswered(named, within, exchange.screen()));
            }
        }
    }

    fn output(&mut self, answer: Answer, ended: Ended, named: String) -> Result<Output, Fault> {
        let text = self.without_secrets(&answer.shown);
        let text = text.trim_end().to_owned();
        self.said.clone_from(&text);
        let groups = match (answer.groups, ended) {
            (_, Ended::AskedAgain) => None,
            (None, Ended::Closed) => Some(Vec::new()),
            (groups, _) => groups,
        };
        let Some(groups) = groups else {
            let answer = match last_of(&text).as_str() {
                "" => "nothing but its prompt".to_owned(),
                last => last.to_owned(),
            };
            return Err(Fault::Unexpected {
                command: named,
                answer,
            });
        };
        let groups = groups.into_iter();
        Ok(Output {
            text,
            groups: groups
                .map(|(name, group)| (name, self.hide(&group)))
                .collect(),
            dropped: answer.shown.dropped,
            ended,
        })
    }

    /// Some bytes: none at the end, and `None` after the deadline.
    async fn read(&mut self, until: Instant) -> Result<Option<Vec<u8>>, Fault> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Fault::Cancelled),
            read = timeout_at(until, self.terminal.read()) => match read {
                Ok(read) => read.map(Some).map_err(|failure| failure.fault),
                Err(_) => Ok(None),
            },
        }
    }

    async fn type_in(&mut self, data: &[u8]) -> Result<(), Fault> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Fault::Cancelled),
            sent = self.terminal.write(data) => sent.map_err(|failure| failure.fault),
        }
    }

    fn hide(&self, text: &str) -> String {
        let redact = self.redact.iter();
        redact.fold(text.to_owned(), |text, redact| redact.hide(&text))
    }

    /// What was shown, without passwords, nor parts of one where something was left out.
    fn without_secrets(&self, shown: &Shown) -> String {
        if shown.dropped == 0 {
            return self.hide(&shown.head);
        }
        let head = shown.head.char_indices().rev().map(|(at, _)| at);
        let head = head
            .chain([0])
            .find(|at| shown.head.len() - at >= self.longest);
        let tail = shown.tail.char_indices().map(|(at, _)| at);
        let tail = tail
            .chain([shown.tail.len()])
            .find(|at| *at >= self.longest);
        let cut = Shown {
            head: shown.head[..head.unwrap_or(0)].to_owned(),
            tail: shown.tail[tail.unwrap_or(shown.tail.len())..].to_owned(),
            dropped: shown.dropped,
        };
        self.hide(&cut.text())
    }

    fn last(&self, screen: &Screen) -> String {
        last_of(&self.without_secrets(&screen.shown()))
    }

    fn unanswered(&self, command: &str, after: Duration, screen: &Screen) -> Fault {
        Fault::Unanswered {
            command: command.to_owned(),
            after,
            showed: self.last(screen),
        }
    }

    /// What came of the last line, escaped and without passwords, also where that was a failure.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// Whether it can be used for another line. What the device has shown unasked meanwhile is dropped: a device ends
    /// a session that nobody types in, and says so.
    pub async fn is_ready(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.gone() => false,
            // The runtime looks at its sockets before it comes back.
            () = tokio::task::yield_now() => !self.is_over,
        }
    }

    /// Waits until the device has ended it. Nothing is lost by giving up the wait, but what it showed meanwhile.
    pub async fn gone(&mut self) {
        while !self.has_ended {
            let read = self.terminal.read().await;
            self.has_ended = read.map_or(true, |data| data.is_empty());
        }
        self.is_over = true;
    }

    /// Ends it in good order, without waiting long.
    pub async fn close(self) {
        self.terminal.close().await;
    }
}

/// The end of a text, on one line, in the length of a message.
fn last_of(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    let from = last.char_indices().rev().nth(LAST).map_or(0, |(at, _)| at);
    shown(&last[from..])
}
