//! A request to the web server of the device, over a connection of its own.
//!
//! Any success is one, and anything else is the device's no: it is not asked again, and no redirect is followed. Only
//! what is `safe` is asked again where nobody is there yet behind the server: many a device is restarted by a `GET`.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::procedure::{Extent, Method, Request, Role, StepSpec, Values};
use crate::model::text::shown;
use crate::model::{Failure, Fault, Step};
use crate::transport::{Answered, Asked, Endpoint, Transport, page_text};

use super::expected::Expected;
use super::gone::unless_gone;
use super::open::Pauses;
use super::said::plain;
use super::{Device, Done, Groups, unfilled};

impl<T: Transport> Device<T> {
    /// # Errors
    /// Nothing was asked.
    pub(super) async fn http(
        &mut self,
        step: &StepSpec,
        request: &Request,
        values: &Values,
        before_restart: bool,
    ) -> Result<Done, Failure> {
        let asked = asked(request, values)?;
        let expected = Expected::of(step, values)?;
        let named = self.name(&request.in_words(&asked.target));
        let endpoint = self.web()?;
        self.watches(step.within, before_restart).await?;
        let door = before_restart.then_some(&endpoint);
        let mut until = None;
        let mut pauses = Pauses::default();
        loop {
            let requests = self.opened_requests(&endpoint, step.within).await?;
            if let Role::Fetches(_) = step.role {
                // It may be answered when all is fetched: others may log in meanwhile.
                self.permit = None;
            }
            self.is_begun = true;
            let until = *until.get_or_insert_with(|| Instant::now() + step.within);
            let left = until.saturating_duration_since(Instant::now());
            let Some(answered) = unless_gone(requests.ask(&asked, left), door).await else {
                return Ok(self.is_gone());
            };
            let late = |fault| late(fault, &named, step.within);
            let answered = match answered {
                Ok(answered) => Answered {
                    is_whole: answered.is_whole.map_err(late),
                    ..answered
                },
                // What comes next shows whether it goes.
                Err(failure) if before_restart && is_lost(&failure.fault) => Answered {
                    code: 200,
                    status: String::new(),
                    body: Vec::new(),
                    is_whole: Err(failure.fault),
                },
                Err(failure) => {
                    let fault = late(failure.fault);
                    return Ok(Failure::new(failure.step, fault).into());
                }
            };
            let pause = pauses.next();
            let may_come = step.safe && answered.is_starting();
            if may_come && Instant::now() + pause < until {
                sleep(pause).await;
                continue;
            }
            return Ok(self.judged(&answered, &expected, &named, before_restart));
        }
    }

    fn judged(
        &self,
        answered: &Answered,
        expected: &Expected<'_>,
        named: &str,
        before_restart: bool,
    ) -> Done {
        let (status, text) = (self.hide(&answered.status), self.body(answered));
        let beginning = page_text(&text);
        let result = match &answered.is_whole {
            _ if !answered.is_success() => Err(Fault::Answer {
                said: match &*beginning {
                    "" => shown(&status),
                    beginning => shown(&format!("{status}: {beginning}")),
                },
                may_pass: false,
            }),
            Err(fault) if before_restart && is_lost(fault) => Ok(Groups::new()),
            Err(fault) => Err(fault.clone()),
            Ok(_) => expected.groups(named, &text).map_err(|fault| match fault {
                Fault::Unexpected { command, .. } if !beginning.is_empty() => Fault::Unexpected {
                    command,
                    answer: shown(&beginning),
                },
                fault => fault,
            }),
        };
        let lines = [status, text];
        let lines: Vec<String> = (lines.into_iter())
            .filter(|line| !line.is_empty())
            .collect();
        Done {
            said: lines.join("\n"),
            result: result.map_err(|fault| Failure::new(Step::Command, fault)),
        }
    }

    /// The text of an answer, without secrets.
    fn body(&self, answered: &Answered) -> String {
        let mut text = self.hide(&String::from_utf8_lossy(&answered.body));
        if matches!(answered.is_whole, Ok(false)) {
            // At its end a part of a secret could stand, of which the longest form has two digits for each byte.
            let mut end = text.len().saturating_sub(2 * self.longest);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("\n… the rest was not read");
        }
        plain(&text)
    }

    /// Where requests go.
    pub(super) fn web(&self) -> Result<Endpoint, Failure> {
        let target = &self.target;
        Endpoint::of_web(&target.entity, &target.procedure, &target.logins)
    }

    pub(super) fn asks_web(&self) -> bool {
        let target = &self.target;
        let fetches = target.entity.fetches();
        // The steps beside those that make it fetch: its restart is theirs.
        target.procedure.asks_web(Extent::Activate, fetches)
    }

    /// Whether the web server is back, and something behind it: whatever it answers to a question about `/`.
    ///
    /// # Errors
    /// Why not; and whether it was reached at all.
    pub(super) async fn web_answers(&mut self) -> Result<(), (Failure, bool)> {
        let endpoint = self.web().map_err(|failure| (failure, false))?;
        let requests = self.transport.requests(&endpoint).await;
        let requests = requests.map_err(|failure| (failure, false))?;
        let asked = Asked {
            method: Method::Get.word(),
            target: "/".into(),
            body: None,
        };
        let answered = requests.ask(&asked, endpoint.timeouts.reply).await;
        let answered = answered.map_err(|failure| (failure, true))?;
        if !answered.is_starting() {
            return Ok(());
        }
        let (said, may_pass) = (shown(&self.hide(&answered.status)), true);
        let fault = Fault::Answer { said, may_pass };
        Err((Failure::new(Step::Command, fault), true))
    }
}

fn asked(request: &Request, values: &Values) -> Result<Asked, Failure> {
    let target = request.target(values);
    let target = target.map_err(|why| unfilled(&request.path, &why))?;
    let body = request.body.as_ref().map(|body| {
        let text = body.fill(values);
        let text = text.map_err(|why| unfilled(&body.text, &why))?;
        Ok::<_, Failure>((body.content_type.clone(), text))
    });
    Ok(Asked {
        method: request.method.word(),
        target,
        body: body.transpose()?,
    })
}

/// What was asked, and the whole time that it may take: of a question that is asked again there is less left.
fn late(fault: Fault, named: &str, within: Duration) -> Fault {
    match fault {
        Fault::NoReply { .. } => Fault::NoReply {
            command: named.to_owned(),
            after: within,
        },
        Fault::Overdue { what, .. } => Fault::Overdue {
            what,
            after: within,
        },
        fault => fault,
    }
}

fn is_lost(fault: &Fault) -> bool {
    matches!(fault, Fault::Lost { .. })
}
