//! One device, and what carries the steps of its procedure out on it.
//!
//! - here: one step, from its order to what is reported of it
//! - `send` lines for the command line (`line` is what is open to it, `command` carries a line out without a shell),
//!   `site` orders over FTP, `http` requests, `exec` programs of this host, `get` files of the device that are kept,
//!   `restart` its going and coming back, `gone` what shows that
//! - `open` sessions, and how many there may be; `expected` what an answer must be; `said` what is reported of it

mod command;
mod exec;
mod expected;
mod get;
mod gone;
mod http;
mod line;
mod open;
mod restart;
mod said;
mod send;
mod site;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::model::procedure::{Deed, Procedure, StepSpec, Template, Unfilled, Values};
use crate::model::text::shown;
use crate::model::{Entity, Failure, Fault, Login, Logins, Step, units};
use crate::transport::{Orders, Redact, Transport};

use super::{Carried, Hands};
use line::Line;

/// How long taking leave may take.
const PARTING: Duration = Duration::from_secs(1);

/// The device, what is done on it, and what is needed for that.
#[derive(Debug, Clone)]
pub struct Target {
    pub entity: Arc<Entity>,
    pub procedure: Arc<Procedure>,
    pub logins: Arc<Logins>,
    /// What `get` reads is kept below it.
    pub keep: PathBuf,
    /// Of the inventory: where programs are that `exec` names by a relative path.
    pub folder: PathBuf,
    /// As many sessions may be open at a time, of all devices.
    pub sessions: Arc<Semaphore>,
}

/// Carries the steps of a procedure out on one device.
pub struct Device<T> {
    transport: Arc<T>,
    target: Target,
    cancel: CancellationToken,
    redact: Vec<Redact>,
    /// Bytes of the longest secret.
    longest: usize,
    /// Both are open under one permit: a device that waits for a second one could wait for another that does the same.
    line: Option<Line>,
    orders: Option<Box<dyn Orders>>,
    permit: Option<OwnedSemaphorePermit>,
    /// Something has reached the device or the program in this step.
    is_begun: bool,
    /// When the device was seen to go without taking leave, in the step before.
    went: Option<Instant>,
}

impl<T> std::fmt::Debug for Device<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.target.entity.name)
    }
}

type Groups = BTreeMap<String, String>;

/// What a step came to, as it was said.
struct Done {
    said: String,
    result: Result<Groups, Failure>,
}

impl From<Failure> for Done {
    fn from(failure: Failure) -> Self {
        Self {
            said: String::new(),
            result: Err(failure),
        }
    }
}

impl<T: Transport> Device<T> {
    pub fn new(transport: Arc<T>, target: Target, cancel: CancellationToken) -> Self {
        let secrets = || target.logins.all().map(Login::secret);
        let redact = secrets().map(|secret| {
            let login = Login::with_password("", secret.clone());
            Redact::of(&login, None)
        });
        Self {
            redact: redact.collect(),
            longest: (secrets().map(|secret| secret.expose_secret().len()))
                .max()
                .unwrap_or(0),
            transport,
            target,
            cancel,
            line: None,
            orders: None,
            permit: None,
            is_begun: false,
            went: None,
        }
    }

    async fn carry(&mut self, step: &StepSpec, values: &Values, before_restart: bool) -> Done {
        let went = self.went.take();
        let done = match &step.deed {
            Deed::Send { line, answers } => {
                self.send(step, (line, answers), values, before_restart)
                    .await
            }
            Deed::Site(line) => self.site(step, line, values, before_restart).await,
            Deed::Http(request) => self.http(step, request, values, before_restart).await,
            Deed::Exec(words) => self.exec(step, words, values, before_restart).await,
            Deed::Get { path, to } => self.get((path, to), values, step.within).await,
            Deed::Restart { down, back } => self.restart(*down, *back, went).await,
        };
        done.unwrap_or_else(Done::from)
    }

    /// The device went in answer to an order, and left what is open as it is.
    fn is_gone(&mut self) -> Done {
        self.forget();
        self.went = Some(Instant::now());
        Done {
            said: String::new(),
            result: Ok(Groups::new()),
        }
    }

    fn hide(&self, text: &str) -> String {
        let redact = self.redact.iter();
        redact.fold(text.to_owned(), |text, redact| redact.hide(&text))
    }

    fn name(&self, text: &str) -> String {
        format!("\"{}\"", shown(&self.hide(text)))
    }
}

/// A template's text for this device.
fn filled(template: &Template, values: &Values) -> Result<String, Failure> {
    (template.fill(values)).map_err(|why| unfilled(template, &why))
}

fn unfilled(template: &Template, why: &Unfilled) -> Failure {
    let reason = format!("\"{}\" can't be filled in: {why}", shown(template.as_str()));
    Failure::new(Step::Command, Fault::Local(reason))
}

/// As [`filled`], for what is sent as one line.
fn filled_line(template: &Template, values: &Values) -> Result<String, Failure> {
    let line = filled(template, values)?;
    if line.chars().any(char::is_control) {
        let reason = format!(
            "\"{}\" has control characters, and is not sent",
            shown(&line)
        );
        return Err(Failure::new(Step::Command, Fault::Local(reason)));
    }
    Ok(line)
}

#[async_trait]
impl<T: Transport> Hands for Device<T> {
    fn what(&self, step: &StepSpec, values: &Values) -> String {
        let named = |template: &Template| {
            let text = template.fill(values);
            self.name(text.as_deref().unwrap_or(template.as_str()))
        };
        let word = step.deed.word();
        match &step.deed {
            Deed::Send { line: text, .. } | Deed::Site(text) => format!("{word} {}", named(text)),
            Deed::Http(request) => {
                let path = request.target(values);
                let path = path.as_deref().unwrap_or(request.path.as_str());
                format!("{word} {}", self.name(&request.in_words(path)))
            }
            Deed::Exec(words) => {
                let words: Vec<String> = words.iter().map(named).collect();
                format!("{word} {}", words.join(" "))
            }
            Deed::Get { path, to } => format!("{word} {} to {}", named(path), named(to)),
            Deed::Restart { down, back } => {
                let (down, back) = (units::duration(*down), units::duration(*back));
                format!("{word}: down within {down}, back within {back}")
            }
        }
    }

    async fn carry_out(
        &mut self,
        step: &StepSpec,
        values: &Values,
        before_restart: bool,
    ) -> Carried {
        let what = self.what(step, values);
        self.is_begun = false;
        let cancel = self.cancel.clone();
        // What is open in a step that is given up ends with it.
        let done = tokio::select! {
            biased;
            () = cancel.cancelled() => Failure::new(Step::Command, Fault::Cancelled).into(),
            done = self.carry(step, values, before_restart) => done,
        };
        match &done.result {
            Err(failure) if failure.is_cancelled() => self.forget(),
            // The next answer could be the rest of this one.
            Err(_) => self.close().await,
            Ok(_) if self.line.is_none() && self.orders.is_none() => self.permit = None,
            Ok(_) => {}
        }
        let hidden = |groups: Groups| {
            let groups = groups.into_iter();
            groups
                .map(|(name, group)| (name, self.hide(&group)))
                .collect()
        };
        Carried {
            what,
            said: said::bounded(self.hide(&done.said)),
            is_undone: done.result.is_err() && !self.is_begun,
            result: done.result.map(hidden),
        }
    }

    async fn close(&mut self) {
        let (line, orders) = (self.line.take(), self.orders.take());
        let parting = async {
            if let Some(orders) = orders {
                orders.close().await;
            }
            if let Some(line) = line {
                line.close().await;
            }
        };
        let _ = timeout(PARTING, parting).await;
        self.permit = None;
    }
}
