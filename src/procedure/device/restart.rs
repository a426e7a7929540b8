//! A device that goes and comes back, as its connections show it.
//!
//! That it goes is shown by the end of a session that was kept open, or by new connections that are refused or not
//! answered. That it is back is shown by its command line at its prompt; one without a command line answers a
//! question about its file.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::model::{Failure, Fault, Step, units};
use crate::procedure::session::{self, Session};
use crate::transport::{Endpoint, Orders, Transport, knock};

use super::open::Pauses;
use super::{Device, Done, Groups};

/// Between new connections to a device of which nothing is open.
const EACH: Duration = Duration::from_secs(1);
/// Beside a session that is watched: one that loses its power ends none, and some take connections for attempts to
/// break in.
const BESIDE: Duration = Duration::from_secs(5);
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

/// Whether an attempt to connect says that nobody is there.
fn is_nobody(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Refused { .. } | Fault::Unreachable { .. } | Fault::ConnectTimeout { .. }
    )
}

fn is_refusal(fault: &Fault) -> bool {
    matches!(fault, Fault::LoginRefused { .. })
}

impl<T: Transport> Device<T> {
    /// # Errors
    /// It did not go, did not come back, or is back and lets nobody in.
    pub(super) async fn restart(
        &mut self,
        down: Duration,
        back: Duration,
    ) -> Result<Done, Failure> {
        self.is_begun = true;
        // The device needs none meanwhile, and others do.
        self.permit = None;
        let begun = Instant::now();
        let door = match self.target.procedure.session.is_some() {
            true => self.session()?.1,
            false => self.remote()?.endpoint,
        };
        let gone = goes(self.line.as_mut(), self.orders.as_mut(), &door);
        match timeout(down, gone).await {
            Ok(gone) => gone?,
            Err(_) => {
                let fault = Fault::StaysUp { after: down };
                return Err(Failure::new(Step::Restart, fault));
            }
        }
        self.forget();
        let went = Instant::now();
        self.back(went, back, &door).await?;
        let said = format!(
            "went after {}, was back {} later",
            units::duration(went - begun),
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
                Ok(Err(failure)) if is_nobody(&failure.fault) => last = failure.to_string(),
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

    async fn is_back(&mut self, went: Instant) -> Result<(), Away> {
        if self.target.procedure.session.is_none() {
            let answered = self.answers_for_its_file().await;
            self.permit = None;
            return answered;
        }
        let (spec, endpoint) = self.session()?;
        let prompt = spec.prompt.regex();
        let opened = session::open(&*self.transport, spec.way, &endpoint, prompt, &self.cancel);
        let mut line = match opened.await {
            // It took this password before it went: what ends now is a device that is not down yet.
            Err(failure) if went.elapsed() < SOON && is_refusal(&failure.fault) => {
                return Err(Away::Still(failure));
            }
            opened => opened?,
        };
        if went.elapsed() < SOON && timeout(LINGERS, line.gone()).await.is_ok() {
            let side = crate::model::Side::Session;
            let reason = "it let somebody in and ended that too".into();
            return Err(Failure::new(Step::Restart, Fault::Lost { side, reason }).into());
        }
        self.line = Some(line);
        Ok(())
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

/// Waits until a device is seen to go.
///
/// # Errors
/// Nothing can show it.
async fn goes(
    line: Option<&mut Session>,
    orders: Option<&mut Box<dyn Orders>>,
    door: &Endpoint,
) -> Result<(), Failure> {
    let is_watched = line.is_some() || orders.is_some();
    let line_ends = async {
        match line {
            Some(line) => line.gone().await,
            None => pending().await,
        }
    };
    let orders_end = async {
        match orders {
            Some(orders) => orders.gone().await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        () = line_ends => Ok(()),
        () = orders_end => Ok(()),
        refused = refuses(door, is_watched) => refused,
    }
}

/// Waits until nobody answers at an address any more.
async fn refuses(door: &Endpoint, is_watched: bool) -> Result<(), Failure> {
    let pause = if is_watched { BESIDE } else { EACH };
    loop {
        if is_watched {
            sleep(pause).await;
        }
        match knock(door).await {
            Err(failure) if is_nobody(&failure.fault) => return Ok(()),
            Err(failure) if !is_watched && matches!(failure.fault, Fault::Local(_)) => {
                return Err(Failure::new(Step::Restart, failure.fault));
            }
            _ => {}
        }
        if !is_watched {
            sleep(pause).await;
        }
    }
}
