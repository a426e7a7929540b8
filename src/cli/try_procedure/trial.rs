//! Carrying a procedure out on one device, and telling of each step as it goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::headless;
use crate::model::Failure;
use crate::model::procedure::{Part, Values};
use crate::procedure::{
    Arrived, Device, Hands as _, Ledger, PastStep, Rehearsed, StepBegins, StepEnded, StepFailure,
    Target, Verdict, Way,
};
use crate::transport::Transport;

/// What is carried out.
pub(super) struct Trial<T> {
    pub(super) transport: Arc<T>,
    pub(super) target: Target,
    pub(super) values: Values,
    /// The safe steps of these parts; none: everything.
    pub(super) safe: &'static [Part],
    /// What runs have begun on the device and not ended.
    pub(super) past: Vec<PastStep>,
    pub(super) cancel: CancellationToken,
}

/// What happens, in order.
#[derive(Debug)]
pub(super) enum Told {
    LoggedIn(Duration, Result<(), Failure>),
    Begins(StepBegins),
    Ended(StepEnded),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) outcome: Outcome,
    /// Steps that were carried out.
    pub(super) steps: usize,
    /// The version that the device says it runs.
    pub(super) runs: Option<String>,
    pub(super) cause: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What changes nothing went well.
    Passed,
    Failed,
    /// Everything was carried out, and the device said that it runs the image.
    Upgraded,
    RolledBack,
    /// It does not answer any more.
    Unknown,
    Cancelled,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Upgraded => "upgraded",
            Self::RolledBack => "rolled-back",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Passed | Self::Upgraded => headless::OK,
            Self::Failed | Self::RolledBack | Self::Unknown => headless::NOT_DELIVERED,
            Self::Cancelled => headless::CANCELLED,
        }
    }

    fn of(failure: &Failure) -> Self {
        match failure.is_cancelled() {
            true => Self::Cancelled,
            false => Self::Failed,
        }
    }
}

impl Tried {
    fn failed(failure: &StepFailure, steps: usize) -> Self {
        Self {
            outcome: Outcome::of(&failure.failure),
            steps,
            runs: None,
            cause: Some(failure.to_string()),
        }
    }
}

impl From<Rehearsed> for Tried {
    fn from(rehearsed: Rehearsed) -> Self {
        let (steps, runs) = (rehearsed.steps, rehearsed.runs);
        match &rehearsed.failure {
            Some(failure) => Self {
                runs,
                ..Self::failed(failure, steps)
            },
            None => Self {
                outcome: Outcome::Passed,
                steps,
                runs,
                cause: None,
            },
        }
    }
}

impl<T: Transport> Trial<T> {
    pub(super) async fn carry_out(self, tell: UnboundedSender<Told>) -> Tried {
        let (entity, procedure) = (self.target.entity.clone(), self.target.procedure.clone());
        let mut device = Device::new(self.transport, self.target, self.cancel.clone());
        let ledger = Telling { tell };
        let way = Way {
            entity: &entity.name,
            procedure: &procedure,
            values: &self.values,
            ledger: &ledger,
            cancel: &self.cancel,
        };
        let tried = match ledger
            .log_in(&mut device, procedure.session.is_some())
            .await
        {
            Err(failure) => Tried {
                outcome: Outcome::of(&failure),
                steps: 0,
                runs: None,
                cause: Some(failure.to_string()),
            },
            Ok(()) if !self.safe.is_empty() => way.rehearse(&mut device, self.safe).await.into(),
            Ok(()) => everything(&way, &mut device, &self.past).await,
        };
        device.close().await;
        tried
    }
}

async fn everything<T: Transport>(
    way: &Way<'_>,
    device: &mut Device<T>,
    past: &[PastStep],
) -> Tried {
    let mut steps = 0;
    if let Err(failure) = way.before(device, &[], |_| Ok(()), |_| steps += 1).await {
        return Tried::failed(&failure, steps);
    }
    let arrived = way.activate(device, past, false, |_| steps += 1).await;
    of_arrived(arrived, steps)
}

fn of_arrived(arrived: Arrived, steps: usize) -> Tried {
    Tried {
        outcome: match arrived.verdict {
            Verdict::Upgraded => Outcome::Upgraded,
            Verdict::RolledBack => Outcome::RolledBack,
            Verdict::Cancelled => Outcome::Cancelled,
            Verdict::Unknown => Outcome::Unknown,
            Verdict::RunsAnother | Verdict::Untouched | Verdict::Failed => Outcome::Failed,
        },
        steps,
        cause: arrived.cause(),
        runs: arrived.runs,
    }
}

/// Nobody may be listening any more.
#[derive(Debug)]
struct Telling {
    tell: UnboundedSender<Told>,
}

impl Telling {
    async fn log_in<T: Transport>(
        &self,
        device: &mut Device<T>,
        has_session: bool,
    ) -> Result<(), Failure> {
        if !has_session {
            return Ok(());
        }
        let began = Instant::now();
        let result = device.log_in().await;
        let _ = self
            .tell
            .send(Told::LoggedIn(began.elapsed(), result.clone()));
        result
    }
}

#[async_trait]
impl Ledger for Telling {
    async fn begins(&self, step: StepBegins) {
        let _ = self.tell.send(Told::Begins(step));
    }

    fn ended(&self, step: StepEnded) {
        let _ = self.tell.send(Told::Ended(step));
    }
}
