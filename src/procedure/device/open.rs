//! Opening what a step needs: again and again while that may help, and never more at a time than there may be.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::model::procedure::SessionSpec;
use crate::model::{Failure, Fault, Step};
use crate::transport::{Endpoint, Orders, Remote, Requests, Transport};

use super::Device;
use super::line::Line;

/// Between attempts: the first time, then twice as long each time.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// The times between attempts.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pauses {
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }
}

/// Opens something that is `named`, again while its failure may pass, until `within` is over: nothing was sent yet.
async fn again<S, F>(
    named: &str,
    within: Duration,
    mut open: impl FnMut() -> F,
) -> Result<S, Failure>
where
    F: Future<Output = Result<S, Failure>>,
{
    let until = Instant::now() + within;
    let (mut last, mut pauses) = (None, Pauses::default());
    loop {
        match timeout_at(until, open()).await {
            Ok(Err(failure)) if failure.is_transient() => last = Some(failure),
            Ok(done) => return done,
            Err(_) => break,
        }
        let pause = pauses.next();
        if Instant::now() + pause >= until {
            break;
        }
        sleep(pause).await;
    }
    Err(last.unwrap_or_else(|| {
        let (what, after) = (named.to_owned(), within);
        Failure::new(Step::Connect, Fault::Overdue { what, after })
    }))
}

impl<T: Transport> Device<T> {
    /// The command line, and how it is reached.
    pub(super) fn session(&self) -> Result<(SessionSpec, Endpoint), Failure> {
        let target = &self.target;
        let Some(session) = &target.procedure.session else {
            let reason = format!(
                "the procedure {} has no `session`, which this step needs",
                target.procedure.name
            );
            return Err(Failure::new(Step::Connect, Fault::Local(reason)));
        };
        let endpoint = Endpoint::of_session(&target.entity, session, &target.logins)?;
        Ok((session.clone(), endpoint))
    }

    /// Whether there is a command line, and somebody who may log in there.
    pub(super) fn has_session(&self) -> bool {
        self.session().is_ok()
    }

    /// The address that shows whether the device is there.
    pub(super) fn door(&self) -> Result<Endpoint, Failure> {
        match self.session() {
            Ok((_, endpoint)) => Ok(endpoint),
            Err(_) if self.asks_web() => self.web(),
            Err(_) => Ok(self.remote()?.endpoint),
        }
    }

    pub(super) fn remote(&self) -> Result<Remote, Failure> {
        Remote::of_entity(&self.target.entity, &self.target.logins)
    }

    /// Waits until there may be one more session; this takes as long as others need theirs.
    pub(super) async fn permitted(&mut self) -> Result<(), Failure> {
        if self.permit.is_none() {
            let sessions = std::sync::Arc::clone(&self.target.sessions);
            let permit = sessions.acquire_owned().await;
            // Closing it ends the run.
            self.permit = Some(permit.map_err(|_| Failure::new(Step::Connect, Fault::Cancelled))?);
        }
        Ok(())
    }

    /// Opens the command line, if the procedure has one: once, so that what is wrong is reported at once.
    ///
    /// # Errors
    /// It is not reached, lets nobody in, or shows no prompt.
    pub async fn log_in(&mut self) -> Result<(), Failure> {
        if self.target.procedure.session.is_none() {
            return Ok(());
        }
        let cancel = self.cancel.clone();
        let opening = async {
            let (spec, endpoint) = self.session()?;
            self.permitted().await?;
            let (transport, cancel) = (&*self.transport, &self.cancel);
            Line::open(transport, &spec, &endpoint, cancel).await
        };
        let opened = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::new(Step::Login, Fault::Cancelled)),
            opened = opening => opened,
        };
        match opened {
            Ok(line) => self.line = Some(line),
            Err(failure) => {
                self.permit = None;
                return Err(failure);
            }
        }
        Ok(())
    }

    /// The session that is open, or a new one; and what is to be set when something is sent there.
    pub(super) async fn opened(
        &mut self,
        within: Duration,
    ) -> Result<(&mut Line, &mut bool), Failure> {
        let kept = match self.line.take() {
            Some(mut line) => line.is_ready().await.then_some(line),
            None => None,
        };
        let line = match kept {
            Some(line) => line,
            None => {
                let (spec, endpoint) = self.session()?;
                self.permitted().await?;
                let (transport, cancel) = (&*self.transport, &self.cancel);
                let open = || Line::open(transport, &spec, &endpoint, cancel);
                again("opening the session", within, open).await?
            }
        };
        Ok((self.line.insert(line), &mut self.is_begun))
    }

    /// As [`Self::opened`], for `SITE` commands.
    pub(super) async fn opened_orders(
        &mut self,
        within: Duration,
    ) -> Result<(&mut dyn Orders, &mut bool), Failure> {
        let kept = match self.orders.take() {
            Some(mut orders) => tokio::select! {
                biased;
                () = orders.gone() => None,
                // The runtime looks at its sockets before it comes back.
                () = tokio::task::yield_now() => Some(orders),
            },
            None => None,
        };
        let orders = match kept {
            Some(orders) => orders,
            None => {
                let endpoint = self.remote()?.endpoint;
                self.permitted().await?;
                let (transport, cancel) = (&*self.transport, &self.cancel);
                let open = || transport.orders(&endpoint, cancel);
                again("opening the session", within, open).await?
            }
        };
        Ok((&mut **self.orders.insert(orders), &mut self.is_begun))
    }

    /// A connection to the web server, for one request.
    pub(super) async fn opened_requests(
        &mut self,
        endpoint: &Endpoint,
        within: Duration,
    ) -> Result<Box<dyn Requests>, Failure> {
        self.permitted().await?;
        let open = || self.transport.requests(endpoint);
        again("connecting", within, open).await
    }

    /// A device that was given up is not parted from: what is open ends at once.
    pub(super) fn forget(&mut self) {
        self.line = None;
        self.orders = None;
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Failure {
        let fault = Fault::Refused {
            address: "192.0.2.1:22".into(),
            server: "ssh",
        };
        Failure::new(Step::Connect, fault)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_until_the_deadline_and_the_last_cause_is_kept() {
        let (begun, mut tries) = (Instant::now(), 0);
        let within = Duration::from_secs(30);
        let failed = again("it", within, || {
            tries += 1;
            async { Err::<(), _>(refused()) }
        });
        assert_eq!(failed.await, Err(refused()));
        assert!(begun.elapsed() <= within);
        // After 0.25, 0.5, 1, 2, 4 and then 5 s.
        assert_eq!(tries, 10);

        tries = 0;
        let login = Failure::new(Step::Login, Fault::Local("no".into()));
        let failed = again("it", within, || {
            tries += 1;
            let login = login.clone();
            async { Err::<(), _>(login) }
        });
        assert_eq!(failed.await, Err(login.clone()));
        assert_eq!(tries, 1);

        let hangs = again("it", within, std::future::pending::<Result<(), Failure>>);
        let said = hangs.await.unwrap_err().to_string();
        assert_eq!(said, "connect: it was not done within 30 s");
    }
}
