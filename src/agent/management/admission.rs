//! Who of the group may begin: the course is asked, and what it says is carried out.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::agent::devices::{Devices, Happened};
use crate::agent::report::lock;
use crate::campaign::Answer;
use crate::model::{Failure, Fault, Holds, Step};
use crate::transport::Transport;

use super::{Assignment, Delivery, ManagementAgent, not_delivered};

/// How often it is asked while nothing runs: by then the time may have come, or somebody has said to go on.
pub(super) const ASK: Duration = Duration::from_millis(100);

impl<T: Transport> ManagementAgent<T> {
    /// Those that begin first. Where only what follows the image has to be admitted, they are all.
    pub(super) async fn first(&self, devices: &mut Devices) -> Option<Vec<usize>> {
        match self.work.group.campaign.window_is_for_activation {
            true => Some(lock(&self.work.course).members()),
            false => self.next(devices).await,
        }
    }

    /// Those that begin next, while nothing runs; where they only have to be admitted to run the image, that is done,
    /// and they are not among these. `None`: none will.
    pub(super) async fn next(&self, devices: &mut Devices) -> Option<Vec<usize>> {
        let mut ask = interval(ASK);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.work.cancel.is_cancelled() {
                return None;
            }
            cancel(&self.work, devices, |entity| {
                self.work.cancels[entity].is_cancelled()
            });
            let mut admitted = begin(&self.work);
            let is_one = !admitted.is_empty();
            admitted.retain(|entity| !devices.release(*entity));
            if is_one {
                return Some(admitted);
            }
            if lock(&self.work.course).not_admitted().is_empty() && devices.is_empty() {
                return None;
            }
            tokio::select! {
                biased;
                () = self.work.cancel.cancelled() => return None,
                Some(happened) = devices.next() => {
                    if self.is_next(devices, happened) {
                        return Some(Vec::new());
                    }
                }
                _ = ask.tick() => {}
            }
        }
    }

    /// What has happened to one that was waited for. Whether it gets the image, as soon as somebody asks who does.
    fn is_next(&self, devices: &mut Devices, happened: Happened) -> bool {
        match happened {
            Happened::Joins(entity) | Happened::Answers(entity) => {
                devices.put_back(entity);
                return true;
            }
            Happened::Refused(entity, failure, holds) => {
                not_delivered(&self.work.reporter, entity, &failure, 1, holds);
            }
            Happened::Over(_) => {}
        }
        false
    }
}

/// Those that may begin now, and that are not kept back by others. Those that are refused for them fail.
fn begin(work: &Assignment) -> Vec<usize> {
    let mut refused = Vec::new();
    let admitted = lock(&work.course).begin_if(work.clock.now(), |entity| {
        match work.reporter.take(entity) {
            Answer::Begins => true,
            Answer::Waits(_) => false,
            Answer::Refused(lost) => {
                refused.push((entity, lost));
                false
            }
        }
    });
    for (entity, lost) in refused {
        let failure = Failure::new(Step::Select, Fault::Local(lost.to_string()));
        not_delivered(&work.reporter, entity, &failure, 0, Some(Holds::Old));
    }
    work.reporter.campaign();
    admitted
}

impl<T: Transport> Delivery<T> {
    /// Lets those begin that may now, beside those that have begun.
    pub(super) fn admit(&mut self) {
        let work = &self.work;
        cancel(work, &mut self.devices, |entity| {
            work.cancels[entity].is_cancelled()
        });
        // Without a source they would only fail.
        if self.broken.is_some() || work.cancel.is_cancelled() {
            return;
        }
        let mut admitted = begin(work);
        admitted.retain(|entity| !self.devices.release(*entity));
        if admitted.is_empty() {
            return;
        }
        self.devices.admit(work, &mut admitted);
        let now = Instant::now();
        for entity in admitted {
            self.members.join(entity, now);
        }
    }
}

/// Ends those that were not admitted and are meant.
pub(super) fn cancel(work: &Assignment, devices: &mut Devices, is_meant: impl Fn(usize) -> bool) {
    let mut waiting = lock(&work.course).not_admitted();
    waiting.retain(|entity| is_meant(*entity));
    for entity in waiting {
        let holds = match devices.withdraw(entity) {
            true => Holds::New,
            false => Holds::Old,
        };
        let failure = Failure::new(Step::Connect, Fault::Cancelled);
        not_delivered(&work.reporter, entity, &failure, 1, Some(holds));
    }
}
