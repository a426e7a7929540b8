//! A device that goes and comes back, as its connections show it.
//!
//! That it goes is shown by the end of a session that was kept open, or by new connections that are refused or not
//! answered. That it is back is shown by its command line at its prompt, and by its web server where that is asked for
//! something; one that has neither answers a question about its file.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::model::procedure::Way;
use crate::model::{Failure, Fault, Side, Step, units};
use crate::transport::{Endpoint, Transport, knock};

use super::gone::{goes, is_nobody};
use super::line::Line;
use super::open::Pauses;
use super::{Device, Done, Groups};

/// A device that lets somebody in so soon may still be on its way down,
const SOON: Duration = Duration::from_secs(5);
/// and ends that session too.
const LINGERS: Duration = Duration::from_secs(2);

/// Why a device is not back.
enum Away {
    /// It may come.
    Still(Failure),
    /// It is there, and what it says will not change.
    Never(Failure),
}

impl From<Failure> for Away {
    fn from(failure: Failure) -> Self {
        // A name that was found before is found again.
        match failure.is_transient() || matches!(failure.fault, Fault::Unresolved { .. }) {
            true => Self::Still(failure),
            false => Self::Never(failure),
        }
    }
}

fn is_refusal(fault: &Fault) -> bool {
    matches!(fault, Fault::LoginRefused { .. })
}

impl<T: Transport> Device<T> {
    /// `went`: when it was seen to go in the step before.
    ///
    /// # Errors
    /// It did not go, did not come back, or is back and lets nobody in.
    pub(super) async fn restart(
        &mut self,
        down: Duration,
        back: Duration,
        went: Option<Instant>,
    ) -> Result<Done, Failure> {
        self.is_begun = true;
        // The device needs none meanwhile, and others do.
        self.permit = None;
        let begun = Instant::now();
        let door = self.door()?;
        let went = match went {
            Some(went) => went,
            None => {
                let gone = goes(self.line.as_mut(), self.orders.as_mut(), &door);
                let Ok(gone) = timeout(down, gone).await else {
                    let fault = Fault::StaysUp { after: down };
                    return Err(Failure::new(Step::Restart, fault));
                };
                gone?;
                Instant::now()
            }
        };
        self.forget();
        self.back(went, back, &door).await?;
        let said = format!(
            "went after {}, was back {} later",
            units::duration(went.saturating_duration_since(begun)),
            units::duration(went.elapsed())
        );
        let result = Ok(Groups::new());
        Ok(Done { said, result })
    }

    async fn back(
        &mut self,
        went: Instant,
        within: Duration,
        door: &Endpoint,
    ) -> Result<(), Failure> {
        let mut until = went + within;
        let mut last = "nothing answers".to_owned();
        let mut pauses = Pauses::default();
        while Instant::now() < until {
            match timeout_at(until, knock(door)).await {
                Ok(Err(failure)) if is_nobody(&failure.fault) => last = self.nobody(failure),
                Ok(_) => {
                    // That others have all the sessions there may be is not the device's doing.
                    let waits = Instant::now();
                    self.permitted().await?;
                    until += waits.elapsed();
                    match timeout_at(until, self.is_back(went)).await {
                        Ok(Ok(())) => return Ok(()),
                        Ok(Err(Away::Never(failure))) => return Err(failure),
                        Ok(Err(Away::Still(failure))) => last = failure.to_string(),
                        Err(_) => break,
                    }
                    self.permit = None;
                }
                Err(_) => break,
            }
            sleep_until(until.min(Instant::now() + pauses.next())).await;
        }
        let (after, why) = (within, last);
        Err(Failure::new(Step::Restart, Fault::StaysDown { after, why }))
    }

    /// The address of a command line has no scheme of its own.
    fn nobody(&self, failure: Failure) -> String {
        let session = self.target.procedure.session.as_ref();
        match failure.fault {
            Fault::Refused { address, .. } if session.is_some_and(|it| it.way == Way::Telnet) => {
                let server = "telnet";
                Failure::new(failure.step, Fault::Refused { address, server }).to_string()
            }
            fault => Failure::new(failure.step, fault).to_string(),
        }
    }

    async fn is_back(&mut self, went: Instant) -> Result<(), Away> {
        let asks_web = self.asks_web();
        if asks_web {
            self.web_is_back().await?;
        }
        if !self.has_session() && asks_web {
            self.permit = None;
            return Ok(());
        }
        if !self.has_session() {
            let answered = self.answers_for_its_file().await;
            self.permit = None;
            return answered;
        }
        let (spec, endpoint) = self.session()?;
        let opened = Line::open(&*self.transport, &spec, &endpoint, &self.cancel);
        let mut line = match opened.await {
            // It took this password before it went: what ends now is a device that is not down yet.
            Err(failure) if went.elapsed() < SOON && is_refusal(&failure.fault) => {
                return Err(Away::Still(failure));
            }
            opened => opened?,
        };
        if went.elapsed() < SOON && timeout(LINGERS, line.gone()).await.is_ok() {
            let side = Side::Session;
            let reason = "it let somebody in and ended that too".into();
            return Err(Failure::new(Step::Restart, Fault::Lost { side, reason }).into());
        }
        self.line = Some(line);
        Ok(())
    }

    async fn web_is_back(&mut self) -> Result<(), Away> {
        let answered = self.web_answers().await;
        answered.map_err(|(failure, is_reached)| match is_reached {
            true => Away::Still(failure),
            false => failure.into(),
        })
    }

    /// Whatever it says of the file, it is back; only where it does not get as far as that it is not.
    async fn answers_for_its_file(&mut self) -> Result<(), Away> {
        let remote = self.remote()?;
        match self.transport.size_of(&remote).await {
            Ok(_) => Ok(()),
            Err(failure) => match failure.step {
                Step::Connect | Step::Login => Err(failure.into()),
                _ if matches!(failure.fault, Fault::Lost { .. } | Fault::NoReply { .. }) => {
                    Err(Away::Still(failure))
                }
                _ => Ok(()),
            },
        }
    }
}
