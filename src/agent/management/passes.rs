//! Passes of the source: which begin, what of the depth they get, and their end.

use std::sync::atomic::Ordering;

use tracing::Instrument;

use crate::agent::digests::State;
use crate::agent::passes::{Pass, most, split};
use crate::agent::report::{PassMeter, lock};
use crate::agent::route::Route;
use crate::agent::transfer::{PassEnd, TransferAgent, is_about_the_image};
use crate::agent::{Writer, spans};
use crate::model::{Fault, Step};
use crate::pool::{BufferPool, PoolStats};
use crate::transport::Transport;

use super::{Delivery, Ended, Task};

/// A pass that is about to be read.
pub(super) struct Begun {
    route: Route,
    /// The state of the image's digest where it begins.
    state: State,
    writer: Writer,
}

impl<T: Transport> Delivery<T> {
    pub(super) fn may_begin_pass(&self) -> bool {
        let most = if self.bounds.one_at_a_time {
            1
        } else {
            // What the pool gave back because it was empty comes again with another pass.
            most(self.bounds.share.max(*self.work.depth.borrow()))
        };
        let running = self.passes.iter().filter(|pass| pass.reads).count();
        self.broken.is_none() && running < most
    }

    /// Makes the pool of a pass that begins at `position`, or a little before; `None`: every source
    /// was left, and nothing can be read any more.
    pub(super) fn begin_pass(&mut self, position: u64, entities: &[usize]) -> Option<Begun> {
        let (candidates, first) = self.sources.order(self.begun > 0, &self.written());
        let Some(source) = candidates.get(first).map(|one| one.name().to_string()) else {
            self.broken = Some(self.sources.failed(Vec::new(), Step::Select));
            return None;
        };
        let work = &self.work;
        self.begun += 1;
        let number = self.begun;
        let (origin, state) = self.digests.before(position);
        let (pool, writer) = BufferPool::new(&work.budget, work.buffer_size, 1);
        let pass = Pass::new(number, origin, pool, work.buffer_size, source.clone());
        work.meters.begin_pass(PassMeter {
            pass: number,
            origin,
            pool: pass.pool.clone(),
            counters: pass.counters.clone(),
        });
        (work.reporter).pass(number, source, origin, entities, None);
        self.passes.push(pass);
        self.share_out();
        Some(Begun {
            route: Route::new(candidates, first, self.work.group.limits),
            state,
            writer,
        })
    }

    /// Every entity that is to be served from the first block on has a place now.
    pub(super) fn begin_transfer(&mut self, begun: Begun) {
        let (work, Some(pass)) = (&self.work, self.passes.last()) else {
            return;
        };
        let number = pass.number;
        let agent = TransferAgent {
            transport: self.transport.clone(),
            pass: number,
            origin: pass.origin,
            state: begun.state,
            proven: self.sources.proven(),
            before: self.deceived.take(),
            sources: self.sources.clone(),
            digests: self.digests.clone(),
            meters: work.meters.clone(),
            counters: pass.counters.clone(),
            reads_from: pass.source.clone(),
            reporter: work.reporter.clone(),
            cancel: work.cancel.clone(),
            broken: pass.broken.clone(),
        };
        let run = agent.run(begun.route, begun.writer);
        let run = async move { Ended::Transfer(run.await) };
        (self.agents).spawn(Task::Transfer(number), run.instrument(spans::pass(number)));
    }

    /// Splits the group's buffers between its passes.
    pub(super) fn share_out(&mut self) {
        let depth = *self.work.depth.borrow_and_update();
        let stats: Vec<PoolStats> = (self.passes.iter()).map(|pass| pass.pool.stats()).collect();
        let used: Vec<Option<usize>> = (self.passes.iter().zip(&stats))
            .map(|(pass, stats)| (!pass.reads).then_some(stats.used))
            .collect();
        let shares = split(depth, &used);
        for ((pass, stats), share) in self.passes.iter().zip(&stats).zip(shares) {
            if stats.depth != share {
                pass.pool.set_depth(share);
            }
        }
    }

    pub(super) fn pass_ended(&mut self, number: u32, end: PassEnd) {
        spans::pass(number).in_scope(|| tracing::debug!(?end, "ended"));
        let Some(pass) = self.passes.iter_mut().find(|pass| pass.number == number) else {
            return;
        };
        pass.reads = false;
        let read = Some(pass.counters.read.load(Ordering::Relaxed));
        let source = lock(&pass.source).clone();
        (self.work.reporter).pass(number, source, pass.origin, &pass.entities, read);
        if let PassEnd::Failed(failure) = end {
            if let Fault::Deceived { name, reason } = &failure.fault {
                // Entities that got those bytes are sent those of another source.
                self.deceived = Some(format!("what {name} sent is not the image: {reason}"));
            } else if self.passes.iter().any(|pass| pass.reads) && !is_about_the_image(&failure) {
                // Perhaps the source takes one session at a time.
                self.bounds.one_at_a_time = true;
            } else {
                self.broken = Some(failure);
            }
        }
    }
}
