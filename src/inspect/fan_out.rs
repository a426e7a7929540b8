//! The one way to ask many hosts at once: a limited number at a time, an answer as soon as each has
//! given its own. A host that is dead costs its own deadlines and nobody else's; an answer that
//! breaks down or comes too late takes no other with it.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Step};

/// What is made for one host.
type PerHost<I, R> = Box<dyn Fn(&I) -> R + Send>;
type Asking<O> = Pin<Box<dyn Future<Output = Option<O>> + Send>>;

/// Hosts that are to be asked and those that are being asked. Its tasks are its own: they end with it.
pub(crate) struct FanOut<I, O> {
    most: usize,
    cancel: CancellationToken,
    waiting: VecDeque<I>,
    asked: JoinSet<Option<Result<O, NoAnswer>>>,
    items: HashMap<Id, I>,
    ask: PerHost<I, Asking<O>>,
    within: Option<PerHost<I, Duration>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    Late,
    BrokeDown,
}

impl From<NoAnswer> for Failure {
    fn from(why: NoAnswer) -> Self {
        let words = match why {
            NoAnswer::Late => "it did not answer in time",
            NoAnswer::BrokeDown => "it was not asked: a fault in subtend itself",
        };
        Failure::new(Step::Select, Fault::Local(words.into()))
    }
}

impl<I, O: Send + 'static> FanOut<I, O> {
    /// `ask` asks one host, and changes nothing there: it is dropped when all is cancelled.
    pub(crate) fn new<F>(
        most: usize,
        cancel: &CancellationToken,
        ask: impl Fn(&I) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = O> + Send + 'static,
    {
        let token = cancel.clone();
        Self::gently(most, cancel, move |item| {
            token.clone().run_until_cancelled_owned(ask(item))
        })
    }

    /// As [`Self::new`], for what may have to remove something before it ends. It knows the
    /// cancellation, and answers `None` when it gave up because of it.
    pub(crate) fn gently<F>(
        most: usize,
        cancel: &CancellationToken,
        ask: impl Fn(&I) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Option<O>> + Send + 'static,
    {
        Self {
            most,
            cancel: cancel.clone(),
            waiting: VecDeque::new(),
            asked: JoinSet::new(),
            items: HashMap::new(),
            ask: Box::new(move |item| Box::pin(ask(item))),
            within: None,
        }
    }

    /// Deadline of each, from the moment at which it is asked.
    pub(crate) fn within(self, time: impl Fn(&I) -> Duration + Send + 'static) -> Self {
        Self {
            within: Some(Box::new(time)),
            ..self
        }
    }

    pub(crate) fn extend(&mut self, items: impl IntoIterator<Item = I>) {
        self.waiting.extend(items);
        self.begin();
    }

    /// Takes back one that was not asked yet.
    pub(crate) fn withdraw(&mut self, is: impl FnMut(&I) -> bool) -> Option<I> {
        self.waiting.remove(self.waiting.iter().position(is)?)
    }

    /// No more answers will come of what is here.
    pub(crate) fn is_over(&self) -> bool {
        self.asked.is_empty() && (self.waiting.is_empty() || self.cancel.is_cancelled())
    }

    /// The next answer. `None`: there is none to come, all tasks have ended; those that were cancelled
    /// give none. Can be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<(I, Result<O, NoAnswer>)> {
        loop {
            self.begin();
            let (id, answer) = match self.asked.join_next_with_id().await? {
                Ok(ended) => ended,
                Err(error) => {
                    tracing::error!("a question to a host broke down: {error}");
                    (error.id(), Some(Err(NoAnswer::BrokeDown)))
                }
            };
            if let (Some(item), Some(answer)) = (self.items.remove(&id), answer) {
                return Some((item, answer));
            }
        }
    }

    fn begin(&mut self) {
        while self.asked.len() < self.most
            && !self.cancel.is_cancelled()
            && let Some(item) = self.waiting.pop_front()
        {
            let asking = (self.ask)(&item);
            let time = self.within.as_ref().map(|time| time(&item));
            let task = self.asked.spawn(async move {
                match time {
                    None => asking.await.map(Ok),
                    Some(time) => match timeout(time, asking).await {
                        Ok(answer) => answer.map(Ok),
                        Err(_) => Some(Err(NoAnswer::Late)),
                    },
                }
            });
            self.items.insert(task.id(), item);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Counts those that are under way.
    #[derive(Clone, Default)]
    struct Count(Arc<[AtomicUsize; 2]>);

    struct UnderWay(Count);

    impl Count {
        fn enter(&self) -> UnderWay {
            let now = self.0[0].fetch_add(1, Ordering::SeqCst) + 1;
            self.0[1].fetch_max(now, Ordering::SeqCst);
            UnderWay(self.clone())
        }

        fn now(&self) -> usize {
            self.0[0].load(Ordering::SeqCst)
        }

        fn most(&self) -> usize {
            self.0[1].load(Ordering::SeqCst)
        }
    }

    impl Drop for UnderWay {
        fn drop(&mut self) {
            self.0.0[0].fetch_sub(1, Ordering::SeqCst);
        }
    }

    async fn all<O: Send + 'static>(
        hosts: &mut FanOut<usize, O>,
    ) -> Vec<(usize, Result<O, NoAnswer>)> {
        let mut answers = Vec::new();
        while let Some(answer) = hosts.next().await {
            answers.push(answer);
        }
        answers
    }

    #[tokio::test(start_paused = true)]
    async fn every_host_is_asked_once_and_never_more_at_a_time_than_may_be() {
        let count = Count::default();
        let under_way = count.clone();
        let mut hosts = FanOut::new(4, &CancellationToken::new(), move |place: &usize| {
            let (place, under_way) = (*place, under_way.enter());
            async move {
                tokio::time::sleep(Duration::from_millis(1 + place as u64 % 7)).await;
                drop(under_way);
                place * 2
            }
        });
        hosts.extend(0..50);
        let mut answers = all(&mut hosts).await;
        assert_eq!((count.most(), count.now()), (4, 0));
        answers.sort_by_key(|(place, _)| *place);
        let expected: Vec<_> = (0..50).map(|place| (place, Ok(place * 2))).collect();
        assert_eq!(answers, expected);
        assert!(hosts.is_over());
    }

    #[tokio::test]
    async fn answers_come_as_they_are_given_and_the_next_host_is_asked_then() {
        let gates: Arc<Vec<Semaphore>> = Arc::new((0..4).map(|_| Semaphore::new(0)).collect());
        let of_hosts = gates.clone();
        let mut hosts = FanOut::new(2, &CancellationToken::new(), move |place: &usize| {
            let (place, gates) = (*place, of_hosts.clone());
            async move { gates[place].acquire().await.is_ok() }
        });
        hosts.extend(0..4);
        // The first one is silent, and holds up none of the others.
        for place in [1, 2, 3, 0] {
            gates[place].add_permits(1);
            assert_eq!(hosts.next().await, Some((place, Ok(true))));
            assert_eq!(hosts.is_over(), place == 0);
        }
        assert_eq!(hosts.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_breaks_down_or_hangs_loses_no_other() {
        let mut hosts = FanOut::new(2, &CancellationToken::new(), |place: &usize| {
            let place = *place;
            async move {
                match place {
                    1 => panic!("a fault in the question"),
                    2 => std::future::pending().await,
                    _ => place,
                }
            }
        })
        .within(|_| Duration::from_secs(5));
        hosts.extend(0..6);
        let mut answers = all(&mut hosts).await;
        answers.sort_by_key(|(place, _)| *place);
        let expected = [
            (0, Ok(0)),
            (1, Err(NoAnswer::BrokeDown)),
            (2, Err(NoAnswer::Late)),
            (3, Ok(3)),
            (4, Ok(4)),
            (5, Ok(5)),
        ];
        assert_eq!(answers, expected);
    }

    /// Time stands still unless all wait: nobody's deadline is needed for the end.
    #[tokio::test(start_paused = true)]
    async fn cancelled_it_ends_at_once_and_every_task_has_ended() {
        let (count, cancel) = (Count::default(), CancellationToken::new());
        let under_way = count.clone();
        let mut hosts = FanOut::new(8, &cancel, move |place: &usize| {
            let (place, under_way) = (*place, under_way.enter());
            async move {
                if place > 0 {
                    std::future::pending::<()>().await;
                }
                drop(under_way);
            }
        });
        hosts.extend(0..100);
        assert_eq!(hosts.next().await, Some((0, Ok(()))));
        let began = tokio::time::Instant::now();
        cancel.cancel();
        assert_eq!(hosts.next().await, None);
        assert!(hosts.is_over());
        assert_eq!((count.now(), count.most()), (0, 8));
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(hosts.withdraw(|place| *place == 50), Some(50));
        assert_eq!(hosts.withdraw(|place| *place == 50), None);
        // What comes later is not asked.
        hosts.extend([100]);
        assert_eq!((hosts.next().await, count.now()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_to_remove_something_is_waited_for() {
        let (cancel, cleaned) = (CancellationToken::new(), Count::default());
        let (token, room) = (cancel.clone(), cleaned.clone());
        let mut hosts = FanOut::gently(4, &cancel, move |_: &usize| {
            let (token, room) = (token.clone(), room.enter());
            async move {
                token.cancelled().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(room);
                None::<()>
            }
        });
        hosts.extend(0..4);
        cancel.cancel();
        assert_eq!(hosts.next().await, None);
        assert_eq!(cleaned.now(), 0);
    }

    #[tokio::test]
    async fn dropped_it_leaves_nothing_behind() {
        let count = Count::default();
        let under_way = count.clone();
        let mut hosts = FanOut::new(4, &CancellationToken::new(), move |_: &usize| {
            let under_way = under_way.enter();
            async move {
                std::future::pending::<()>().await;
                drop(under_way);
            }
        });
        hosts.extend(0..9);
        assert_eq!(count.now(), 4);
        drop(hosts);
        while count.now() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
