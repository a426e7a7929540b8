//! The management agent (\[0016\], step 302): one a group, with a transfer agent, a pool and a
//! download agent an entity.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::model::{EntityState, Failure, Fault, Group, Logins, Step};
use crate::pool::{Budget, BufferPool};
use crate::transport::Transport;

use super::choice::{self, Chosen};
use super::download::DownloadAgent;
use super::report::{GroupMeters, PassMeter, ReportKind, Reporter};
use super::transfer::{PassEnd, TransferAgent};

/// What a management agent is to do.
pub(crate) struct Assignment {
    pub(crate) group: Arc<Group>,
    /// The places in the group of those that get the image; the others are skipped.
    pub(crate) targets: Vec<usize>,
    /// One an entity of the group.
    pub(crate) cancels: Vec<CancellationToken>,
    pub(crate) cancel: CancellationToken,
    pub(crate) logins: Arc<Logins>,
    pub(crate) budget: Budget,
    /// Bytes of one buffer; fixed for the run of the group.
    pub(crate) buffer_size: usize,
    /// Number of buffers to keep, as the manager sees fit.
    pub(crate) depth: watch::Receiver<usize>,
    pub(crate) meters: Arc<GroupMeters>,
    pub(crate) reporter: Reporter,
}

pub(crate) struct ManagementAgent<T: Transport> {
    pub(crate) transport: Arc<T>,
    pub(crate) work: Assignment,
}

impl<T: Transport> ManagementAgent<T> {
    /// Delivers the image, in as many passes as `parallel` asks for. Ends when no task of the
    /// group runs any more, and says so.
    pub(crate) async fn run(mut self) {
        let targets = std::mem::take(&mut self.work.targets);
        if !targets.is_empty() {
            self.deliver(&targets).await;
        }
        self.work.reporter.send(ReportKind::Ended);
    }

    async fn deliver(&mut self, targets: &[usize]) {
        let chosen = tokio::select! {
            biased;
            () = self.work.cancel.cancelled() => Err(Failure::new(Step::Select, Fault::Cancelled)),
            chosen = choice::choose(&self.transport, &self.work.group, &self.work.logins) => chosen,
        };
        let chosen = match chosen {
            Ok(chosen) => chosen,
            Err(failure) => {
                let name = self.work.group.source.label();
                return self.none_delivered(targets, &failure, &name);
            }
        };
        let at_once = self.work.group.parallel.unwrap_or(targets.len()).max(1);
        let mut broken = None;
        for (pass, wave) in (1..).zip(targets.chunks(at_once)) {
            if self.work.cancel.is_cancelled() {
                broken = Some(Failure::new(Step::Connect, Fault::Cancelled));
            }
            if let Some(failure) = &broken {
                self.none_delivered(wave, failure, &chosen.name);
                continue;
            }
            if let PassEnd::Failed(failure) = self.pass(pass, &chosen, wave).await {
                broken = Some(failure);
            }
        }
    }

    /// One reading of the image for the entities of one wave.
    async fn pass(&mut self, pass: u32, chosen: &Chosen, wave: &[usize]) -> PassEnd {
        let work = &mut self.work;
        let depth = *work.depth.borrow_and_update();
        let (pool, writer) = BufferPool::new(&work.budget, work.buffer_size, depth);
        let read = Arc::new(AtomicU64::new(0));
        work.meters.begin_pass(PassMeter {
            pass,
            origin: 0,
            pool: pool.clone(),
            read: read.clone(),
        });
        let entities = wave.to_vec();
        let (source, offset) = (chosen.name.to_string(), 0);
        work.reporter.send(ReportKind::Pass {
            pass,
            source: source.clone(),
            offset,
            entities: entities.clone(),
            read: None,
        });

        let broken = CancellationToken::new();
        // Every reader joins before the first block is there: whoever connects late misses none.
        let mut downloads = JoinSet::new();
        for &entity in wave {
            let agent = DownloadAgent {
                transport: self.transport.clone(),
                entity,
                who: format!("{}/{}", work.group.name, work.group.entities[entity].name),
                destination: choice::destination(&work.group.entities[entity], &work.logins),
                source: chosen.name.clone(),
                meters: work.meters.clone(),
                reporter: work.reporter.clone(),
                cancel: work.cancels[entity].clone(),
                broken: broken.clone(),
                attempt: 1,
            };
            downloads.spawn(agent.run(pass, pool.join()));
        }
        let transfer = TransferAgent {
            transport: self.transport.clone(),
            source: chosen.remote.clone(),
            name: source.clone(),
            image: work.group.image.clone(),
            meters: work.meters.clone(),
            read: read.clone(),
            reporter: work.reporter.clone(),
            cancel: work.cancel.clone(),
            broken,
        };
        let reporter = work.reporter.clone();
        let mut transfer = JoinSet::from_iter([async move {
            let end = transfer.run(writer).await;
            tracing::debug!(?end, "pass {pass} of {source} ended");
            let read = read.load(Ordering::Relaxed);
            reporter.send(ReportKind::Pass {
                pass,
                source,
                offset,
                entities,
                read: Some(read),
            });
            end
        }]);

        // A panic in the agent counts as abandoned: the entities report what they saw of it.
        let mut end = PassEnd::Abandoned;

        loop {
            tokio::select! {
                Some(ended) = transfer.join_next() => end = ended.unwrap_or(end),
                Some(_) = downloads.join_next() => {}
                Ok(()) = work.depth.changed() => pool.set_depth(*work.depth.borrow_and_update()),
            }
            if transfer.is_empty() && downloads.is_empty() {
                work.meters.end_pass(pass);
                return end;
            }
        }
    }

    /// Nothing was sent to these.
    fn none_delivered(&self, entities: &[usize], failure: &Failure, source: &str) {
        for &entity in entities {
            let (state, step, cause) = if failure.is_cancelled() {
                (EntityState::Cancelled, None, None)
            } else {
                let name = source.to_owned();
                let fault = Fault::Source {
                    name,
                    failure: Box::new(failure.clone()),
                };
                (
                    EntityState::Failed,
                    Some(failure.step),
                    Some(fault.to_string()),
                )
            };
            self.work.reporter.send(ReportKind::State {
                entity,
                state,
                step,
                cause,
                attempt: 1,
            });
        }
    }
}
