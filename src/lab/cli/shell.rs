//! The command line of a device: reads commands, carries them out on the machine as the dialect has it, and does the
//! faults of the settings.

use std::io;
use std::sync::Arc;

use super::dialect::{Command, Dialect, Does, Mode, Question};
use super::fetch::fetch;
use super::machine::Next;
use super::terminal::Terminal;
use super::text::About;
use super::unit::Unit;
use crate::lab::behaviour::CommandLine;
use crate::lab::server::Server;
use crate::lab::storage::Storage;

/// Characters of a command as it is counted.
const LONGEST_COUNTED: usize = 128;

/// What follows a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The next one; whether this one failed.
    On {
        failed: bool,
    },
    Leave,
    /// The device restarts, once this session has ended.
    Restart,
}

const DONE: Step = Step::On { failed: false };
const FAILED: Step = Step::On { failed: true };

/// One session of somebody who has logged in.
pub(super) struct Shell<'a> {
    pub(super) server: &'a Arc<Server>,
    pub(super) unit: &'a Unit,
    pub(super) dialect: &'static Dialect,
    pub(super) terminal: Terminal<'a>,
    pub(super) user: String,
    pub(super) mode: Mode,
    /// Lines of a page; 0: no pages.
    pub(super) page: usize,
}

impl Shell<'_> {
    /// Carries out commands until the client leaves or the device restarts.
    pub(super) async fn run(&mut self) -> io::Result<Step> {
        if self.settings().no_prompt {
            self.terminal.ignore().await?;
            return Ok(Step::Leave);
        }
        loop {
            let prompt = self.filled(self.dialect.prompt(self.mode), None);
            self.terminal.show(&prompt).await?;
            let Some(line) = self.terminal.line(true).await? else {
                return Ok(Step::Leave);
            };
            match self.carry_out_and_say(&line).await? {
                Step::On { .. } => {}
                step => return Ok(step),
            }
        }
    }

    /// Carries a line out, and says whether it failed where the line asks for that.
    pub(super) async fn carry_out_and_say(&mut self, line: &str) -> io::Result<Step> {
        let status = self.dialect.status;
        let asked = line.strip_suffix(status).filter(|_| !status.is_empty());
        let step = self.carry_out(asked.unwrap_or(line)).await?;
        if let (Some(_), Step::On { failed }) = (asked, step) {
            let said = format!("result={}\n", u8::from(failed));
            self.terminal.show(&said).await?;
            // Saying so went well.
            return Ok(DONE);
        }
        Ok(step)
    }

    async fn carry_out(&mut self, line: &str) -> io::Result<Step> {
        let line = one_space(line);
        if line.is_empty() {
            return Ok(DONE);
        }
        if let Some(latency) = self.server.behaviour.latency {
            tokio::time::sleep(latency).await;
        }
        let server = Arc::clone(self.server);
        let settings = &server.behaviour.cli;
        let is = |fault: &Option<String>| {
            (fault.as_ref()).is_some_and(|fault| line.starts_with(&one_space(fault)))
        };
        if is(&settings.silent_on) {
            self.terminal.ignore().await?;
            return Ok(Step::Leave);
        }
        if is(&settings.error_on) {
            return self.fails(self.dialect.failed, None).await;
        }
        if is(&settings.endless_on) {
            for number in 1_u64.. {
                let counter = format!("counter {number}: {}\n", number.wrapping_mul(7919));
                self.terminal.show(&counter).await?;
            }
        }
        let Some(found) = self.dialect.find(&line, self.mode) else {
            return self.fails(self.dialect.wrong, None).await;
        };
        let (command, word) = (found.command, found.about);
        let about = word.map(|word| About::new(word, self.unit.resolved(&server.device, word)));
        if is(&settings.reboot_on) {
            if let Does::Say(text) = command.does {
                let text = self.filled(text, None);
                let half = text.len() / 2;
                let end = (half..).find(|end| text.is_char_boundary(*end));
                self.terminal.show(&text[..end.unwrap_or(half)]).await?;
            }
            return Ok(Step::Restart);
        }
        match (&command.does, &about, found.url) {
            (Does::Fetch { .. }, Some(about), Some(url)) => self.fetch(command, about, url).await,
            (_, about, _) => self.act(command, about.as_ref()).await,
        }
    }

    /// Fetches a file, and says what came of it.
    async fn fetch(&mut self, command: &Command, about: &About, url: &str) -> io::Result<Step> {
        let Does::Fetch {
            asks,
            replaces,
            fetched,
            failed,
        } = &command.does
        else {
            return Ok(DONE);
        };
        let is_there = self.server.device.file(&about.path).is_some();
        let replaces = replaces.as_ref().filter(|_| is_there);
        for question in asks.iter().chain(replaces) {
            let asked = self.filled(question.asks, Some(about));
            if !self.confirmed(question, &asked).await? {
                return self.fails(question.refused, Some(about)).await;
            }
        }
        let storage = Storage {
            server: Arc::clone(self.server),
            boot: self.server.boot(),
        };
        match fetch(&storage, url, &about.path).await {
            Ok(bytes) => {
                let said = fetched.replace("{size}", &bytes.to_string());
                let said = said.replace("{url}", url);
                self.changes(command, &said, Some(about)).await
            }
            Err(cause) => {
                let said = failed.replace("{cause}", &cause.to_string());
                self.fails(&said.replace("{url}", url), Some(about)).await
            }
        }
    }

    async fn act(&mut self, command: &Command, about: Option<&About>) -> io::Result<Step> {
        let path = about.map_or("", |about| &about.path);
        match &command.does {
            Does::Say(text) => self.says(text, about).await,
            Does::Enable { asks, denied } => self.enable(asks, denied).await,
            Does::Enter(mode) => {
                self.mode = *mode;
                Ok(DONE)
            }
            Does::Leave if self.mode == Mode::Configuration => {
                self.mode = Mode::Privileged;
                Ok(DONE)
            }
            Does::Leave => Ok(Step::Leave),
            Does::NoPages => {
                self.page = 0;
                Ok(DONE)
            }
            Does::About { found, missing } => match self.server.device.file(path) {
                Some(_) => self.says(found, about).await,
                None => self.fails(missing, about).await,
            },
            // That takes a url too: see `fetch`.
            Does::Fetch { .. } => self.fails(self.dialect.wrong, about).await,
            Does::Test { good, bad } => match self.version_in(path).await {
                Some(_) => self.says(good, about).await,
                None => self.fails(bad, about).await,
            },
            Does::SetFile {
                said,
                missing,
                saves,
            } => {
                let is_there = self.server.device.file(path).is_some();
                match missing.filter(|_| !is_there) {
                    Some(missing) => self.fails(missing, about).await,
                    None => {
                        self.unit.boots_file(path, *saves);
                        self.changes(command, said, about).await
                    }
                }
            }
            Does::AddFile { said } => {
                // As it was named: so it is shown again.
                let word = about.map_or("", |about| &about.word);
                self.unit.machine().add(word);
                self.changes(command, said, about).await
            }
            Does::NoFiles { said } => {
                let running = self.unit.machine().running();
                self.unit.machine().set(Next::Bank(running));
                self.changes(command, said, about).await
            }
            Does::Keep => {
                self.unit.machine().keep();
                self.changes(command, "", about).await
            }
            Does::SetKept { empty } => match self.unit.boots_kept() {
                true => self.changes(command, "", about).await,
                false => self.fails(empty, about).await,
            },
            Does::SetBank { said, empty } => {
                let bank = about.and_then(|about| about.word.parse().ok());
                match self.unit.boots_bank(bank.unwrap_or(0)) {
                    true => self.changes(command, said, about).await,
                    false => self.fails(empty, about).await,
                }
            }
            Does::Save(said) => {
                self.unit.machine().save();
                self.changes(command, said, about).await
            }
            Does::Install {
                good,
                bad,
                restarts,
            } => {
                if self.server.device.file(path).is_none() {
                    return self.fails(bad.unwrap_or(self.dialect.failed), about).await;
                }
                let version = self.version_in(path).await;
                if let (None, Some(bad)) = (&version, bad) {
                    return self.fails(bad, about).await;
                }
                self.unit.machine().install(version);
                self.changes(command, good, about).await?;
                Ok(if *restarts { Step::Restart } else { DONE })
            }
            Does::Back { said, empty } => match self.unit.goes_back() {
                true => self.changes(command, said, about).await,
                false => self.fails(empty, about).await,
            },
            Does::Restart { saves, asks, said } => {
                if let Some(question) = saves
                    && self.unit.machine().is_unsaved()
                    && self.confirmed(question, question.asks).await?
                {
                    self.unit.machine().save();
                }
                let confirm = self.settings().confirm.clone();
                if let Some(question) = asks
                    && !(self.confirmed(question, confirm.as_deref().unwrap_or(question.asks)))
                        .await?
                {
                    return self.fails(question.refused, about).await;
                }
                self.changes(command, said, about).await?;
                Ok(Step::Restart)
            }
        }
    }

    async fn enable(&mut self, asks: &str, denied: &str) -> io::Result<Step> {
        self.terminal.show(asks).await?;
        let Some(given) = self.terminal.line(self.settings().echo_password).await? else {
            return Ok(Step::Leave);
        };
        let wanted = self.settings().enable_password.as_ref();
        if wanted.is_some_and(|wanted| *wanted != given) {
            return self.fails(denied, None).await;
        }
        self.mode = Mode::Privileged;
        Ok(DONE)
    }

    async fn confirmed(&mut self, question: &Question, asks: &str) -> io::Result<bool> {
        self.terminal.show(asks).await?;
        let given = match question.is_a_key {
            true => (self.terminal.key().await?).map(|key| char::from(key).to_string()),
            false => self.terminal.line(true).await?,
        };
        let given = given.map(|given| given.trim().to_lowercase());
        Ok(given.is_some_and(|given| question.yes.contains(&&*given)))
    }

    /// Counts what has changed something, and says so.
    async fn changes(
        &mut self,
        command: &Command,
        said: &str,
        about: Option<&About>,
    ) -> io::Result<Step> {
        let named = command.named(about.map(|about| &*about.word));
        let counted: String = named.chars().take(LONGEST_COUNTED).collect();
        self.unit.machine().count(&counted);
        self.says(said, about).await
    }

    async fn fails(&mut self, text: &str, about: Option<&About>) -> io::Result<Step> {
        self.says(text, about).await?;
        Ok(FAILED)
    }

    /// Shows a text page by page.
    async fn says(&mut self, text: &str, about: Option<&About>) -> io::Result<Step> {
        let text = self.filled(text, about);
        if self.page == 0 {
            self.terminal.show(&text).await?;
            return Ok(DONE);
        }
        let mut left = self.page;
        for line in text.split_inclusive('\n') {
            if left == 0 {
                let more = self.dialect.more;
                self.terminal.show(more).await?;
                let key = self.terminal.key().await?;
                // As it is taken away: backwards, over it, and back.
                let back = "\x08".repeat(more.len());
                let blank = " ".repeat(more.len());
                self.terminal.show(&format!("{back}{blank}{back}")).await?;
                left = match key {
                    None => return Ok(Step::Leave),
                    Some(b'q' | b'Q' | 0x03) => return Ok(DONE),
                    Some(b'\r' | b'\n') => 1,
                    Some(_) => self.page,
                };
            }
            self.terminal.show(line).await?;
            left -= 1;
        }
        Ok(DONE)
    }

    /// The version in a file, which is read in whole.
    async fn version_in(&self, path: &str) -> Option<String> {
        let (server, path) = (Arc::clone(self.server), path.to_owned());
        let look = move || server.unit.as_ref()?.version_in(&server.device, &path);
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    fn filled(&self, text: &str, about: Option<&About>) -> String {
        let text = text.replace("{name}", &self.server.name);
        let text = self.unit.filled(&text.replace("{user}", &self.user));
        about.map_or_else(
            || text.clone(),
            |about| about.filled(&text, &self.server.device),
        )
    }

    fn settings(&self) -> &CommandLine {
        &self.server.behaviour.cli
    }
}

fn one_space(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
