//! The pool against a naive model: random sequences of everything that can be done to it, polled by
//! hand, with what users rely on compared after every step.
//!
//! The model keeps the whole image and, for every block, the set of readers that have not let it
//! go. It knows nothing of rings, counts or wakers.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;
use subtend::pool::{BlockRef, Budget, BufferPool, FreeBuffer, Next, Reader, Writer};

const SIZE: usize = 4;

/// What can happen. Numbers choose among the readers that there are.
#[derive(Debug, Clone)]
enum Step {
    Free,
    Publish {
        len: usize,
    },
    PutBack,
    Join,
    /// At a block up to one beyond the next to come.
    JoinAt(usize),
    Next(usize),
    Release(usize),
    Leave(usize),
    SetDepth(usize),
    /// Another user of the memory takes bytes, or gives them back.
    Squeeze,
    Relax,
    Finish,
    Fail,
    Forsake,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => Just(Step::Free),
        12 => (1..=SIZE).prop_map(|len| Step::Publish { len }),
        1 => Just(Step::PutBack),
        2 => Just(Step::Join),
        2 => any::<usize>().prop_map(Step::JoinAt),
        24 => any::<usize>().prop_map(Step::Next),
        24 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => (0usize..6).prop_map(Step::SetDepth),
        1 => Just(Step::Squeeze),
        2 => Just(Step::Relax),
        1 => Just(Step::Finish),
        1 => Just(Step::Fail),
        1 => Just(Step::Forsake),
    ]
}

/// A waker that counts.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll_once<F: Future>(future: F, bell: &Arc<Bell>) -> Option<F::Output> {
    let waker = Waker::from(bell.clone());
    match pin!(future).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

type End = Result<&'static str, &'static str>;

struct Seat {
    reader: Reader<&'static str, &'static str>,
    bell: Arc<Bell>,
    block: Option<BlockRef>,
    position: usize,
    /// Rings heard before it last found nothing; none if it does not wait.
    waits_since: Option<usize>,
}

/// The pool under test and the model beside it.
struct World {
    budget: Budget,
    limit: u64,
    pool: BufferPool<&'static str, &'static str>,
    writer: Option<Writer<&'static str, &'static str>>,
    bell: Arc<Bell>,
    writer_waits: bool,
    in_hand: Option<FreeBuffer>,
    /// A pool of its own, that holds one buffer of the common memory.
    squeeze: Option<(Writer<(), ()>, FreeBuffer)>,

    // The model.
    image: Vec<Vec<u8>>,
    needed_by: BTreeMap<usize, BTreeSet<u32>>,
    seats: BTreeMap<u32, Seat>,
    next_id: u32,
    depth: usize,
    /// The writer knows that nobody is left.
    given_up: bool,
    /// None within: the writer went away without a word.
    end: Option<Option<End>>,
}

impl World {
    fn new(depth: usize, limit: u64) -> Self {
        let budget = Budget::new(limit);
        let (pool, writer) = BufferPool::new(&budget, SIZE, depth);
        Self {
            budget,
            limit,
            pool,
            writer: Some(writer),
            bell: Arc::default(),
            writer_waits: false,
            in_hand: None,
            squeeze: None,
            image: Vec::new(),
            needed_by: BTreeMap::new(),
            seats: BTreeMap::new(),
            next_id: 0,
            depth,
            given_up: false,
            end: None,
        }
    }

    fn base(&self) -> usize {
        self.needed_by
            .keys()
            .next()
            .copied()
            .unwrap_or(self.image.len())
    }

    fn all_left(&self) -> bool {
        self.next_id > 0 && self.seats.is_empty()
    }

    fn is_broken(&self) -> bool {
        matches!(self.end, Some(None | Some(Err(_))))
    }

    /// Bytes that others hold.
    fn squeezed(&self) -> u64 {
        if self.squeeze.is_some() {
            SIZE as u64
        } else {
            0
        }
    }

    fn let_go(&mut self, id: u32, index: usize) {
        if let Some(readers) = self.needed_by.get_mut(&index) {
            readers.remove(&id);
            if readers.is_empty() {
                self.needed_by.remove(&index);
            }
        }
    }

    fn pick(&self, number: usize) -> Option<u32> {
        let count = self.seats.len().max(1);
        self.seats.keys().nth(number % count).copied()
    }

    fn take_seat(&mut self, reader: Reader<&'static str, &'static str>) {
        let id = self.next_id;
        self.next_id += 1;
        let position = usize::try_from(reader.start()).unwrap();
        for (_, readers) in self.needed_by.range_mut(position..) {
            readers.insert(id);
        }
        // The first reader may begin late: then nobody needs what comes before.
        self.needed_by.retain(|_, readers| !readers.is_empty());
        self.seats.insert(
            id,
            Seat {
                reader,
                bell: Arc::default(),
                block: None,
                position,
                waits_since: None,
            },
        );
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Free => self.free(),
            Step::Publish { len } => self.publish(len),
            Step::PutBack => self.in_hand = None,
            Step::Join => {
                let reader = self.pool.join();
                assert_eq!(reader.start(), self.base() as u64);
                self.take_seat(reader);
            }
            Step::JoinAt(number) => {
                let index = number % (self.image.len() + 2);
                let reader = self.pool.join_at(index as u64);
                let can = self.base() <= index && !self.given_up;
                assert_eq!(reader.is_some(), can);
                if let Some(reader) = reader {
                    assert_eq!(reader.start(), index.min(self.image.len()) as u64);
                    self.take_seat(reader);
                }
            }
            Step::Next(number) => self.next(number),
            Step::Release(number) => {
                let Some(id) = self.pick(number) else { return };
                let block = self.seats.get_mut(&id).unwrap().block.take();
                let Some(block) = block else { return };
                let index = usize::try_from(block.index()).unwrap();
                drop(block);
                self.let_go(id, index);
            }
            Step::Leave(number) => {
                let Some(id) = self.pick(number) else { return };
                self.seats.remove(&id);
                let all: Vec<usize> = self.needed_by.keys().copied().collect();
                for index in all {
                    self.let_go(id, index);
                }
            }
            Step::SetDepth(depth) => {
                self.pool.set_depth(depth);
                self.depth = depth.max(1);
            }
            Step::Squeeze => {
                if self.squeeze.is_none() {
                    let (_, mut writer) = BufferPool::<(), ()>::new(&self.budget, SIZE, 1);
                    // The handle is gone: only a reader that never joins could keep it alive.
                    assert!(poll_once(writer.free(), &Arc::default()).unwrap().is_err());
                    let (pool, mut writer) = BufferPool::<(), ()>::new(&self.budget, SIZE, 1);
                    if let Some(buffer) = poll_once(writer.free(), &Arc::default()) {
                        self.squeeze = Some((writer, buffer.unwrap()));
                    }
                    drop(pool);
                }
            }
            Step::Relax => self.squeeze = None,
            Step::Finish => {
                if let Some(writer) = self.writer.take() {
                    writer.finish("whole");
                    self.ended(Some(Ok("whole")));
                }
            }
            Step::Fail => {
                if let Some(writer) = self.writer.take() {
                    writer.fail("source lost");
                    self.ended(Some(Err("source lost")));
                }
            }
            Step::Forsake => {
                if self.writer.take().is_some() {
                    self.ended(None);
                }
            }
        }
    }

    /// Runs a step; a writer that waits is woken by it if and only if it now has reason to look.
    fn run_and_listen(&mut self, step: Step) {
        let (waits, rung, used) = (self.writer_waits, self.bell.rung(), self.needed_by.len());
        let changes_depth = matches!(step, Step::SetDepth(_));
        let all_left = self.all_left();
        self.run(step);
        if waits && self.writer.is_some() {
            let reason =
                self.needed_by.len() < used || changes_depth || self.all_left() && !all_left;
            assert_eq!(self.bell.rung() - rung, usize::from(reason));
            self.writer_waits = !reason && self.writer_waits;
        }
    }

    fn ended(&mut self, end: Option<End>) {
        self.end = Some(end);
        if self.is_broken() {
            self.needed_by.clear();
        }
        for seat in self.seats.values_mut() {
            if let Some(since) = seat.waits_since.take() {
                assert!(
                    seat.bell.rung() > since,
                    "a waiting reader is told of the end"
                );
            }
        }
    }

    fn free(&mut self) {
        if self.in_hand.is_some() {
            return;
        }
        let stats = self.pool.stats();
        let Some(writer) = &mut self.writer else {
            return;
        };
        match poll_once(writer.free(), &self.bell) {
            Some(Ok(buffer)) => {
                // Its old waker may linger; this model listens only while it waits.
                self.writer_waits = false;
                assert!(!self.all_left());
                assert_eq!((buffer.len(), buffer.capacity()), (0, SIZE));
                self.in_hand = Some(buffer);
            }
            Some(Err(_)) => {
                assert!(self.all_left());
                self.given_up = true;
            }
            None => {
                self.writer_waits = true;
                // It waits if and only if every buffer that there may be holds a block.
                assert_eq!(stats.allocated, stats.used, "a buffer was free");
                let held = self.budget.held();
                assert!(
                    self.needed_by.len() >= self.depth || held + SIZE as u64 > self.limit,
                    "waits with {} of {} blocks and {held} of {} bytes",
                    self.needed_by.len(),
                    self.depth,
                    self.limit
                );
            }
        }
    }

    fn publish(&mut self, len: usize) {
        if self.writer.is_none() {
            return;
        }
        let Some(mut buffer) = self.in_hand.take() else {
            return;
        };
        let index = self.image.len();
        let bytes: Vec<u8> = (0..len).map(|at| (index * 31 + at) as u8).collect();
        // In two steps, as a source that returns short reads.
        for part in bytes.chunks(len.div_ceil(2)) {
            buffer.spare()[..part.len()].copy_from_slice(part);
            buffer.advance(part.len());
        }
        assert_eq!(buffer.filled(), bytes);
        self.writer.as_mut().unwrap().publish(buffer);
        self.image.push(bytes);
        // Before a first reader every block waits for it; after the last none does.
        if !self.all_left() {
            self.needed_by
                .insert(index, self.seats.keys().copied().collect());
        }
        for seat in self.seats.values_mut() {
            if let Some(since) = seat.waits_since.take() {
                assert_eq!(
                    seat.bell.rung(),
                    since + 1,
                    "a waiting reader is woken once"
                );
            }
        }
    }

    fn next(&mut self, number: usize) {
        let Some(id) = self.pick(number) else { return };
        let (is_broken, end) = (self.is_broken(), self.end);
        let seat = self.seats.get_mut(&id).unwrap();
        if seat.block.is_some() {
            return;
        }
        let next = poll_once(seat.reader.next(), &seat.bell);
        match next {
            Some(Next::Block(block)) => {
                assert!(!is_broken);
                assert_eq!(block.index(), seat.position as u64);
                assert_eq!(&*block, &self.image[seat.position], "byte for byte");
                seat.position += 1;
                seat.block = Some(block);
            }
            Some(Next::End(value)) => {
                assert_eq!(end, Some(Some(Ok(value))));
                assert_eq!(seat.position, self.image.len());
            }
            Some(Next::Failed(cause)) => assert_eq!(end, Some(Some(Err(cause)))),
            Some(Next::Abandoned) => assert_eq!(end, Some(None)),
            None => {
                assert_eq!(end, None);
                assert_eq!(seat.position, self.image.len());
                seat.waits_since = Some(seat.bell.rung());
            }
        }
    }

    fn check(&self) {
        let stats = self.pool.stats();
        assert_eq!(stats.depth, self.depth);
        assert_eq!(stats.readers, self.seats.len());
        assert_eq!(stats.published, self.image.len() as u64);
        assert_eq!(stats.ended, self.end.is_some());
        assert_eq!(
            stats.used,
            self.needed_by.len(),
            "freed with its last reader"
        );
        assert!(self.budget.held() <= self.limit);
        assert!(self.budget.peak() <= self.limit);

        let in_hand = usize::from(self.in_hand.is_some());
        let in_use = stats.used + in_hand;
        // Over the depth there is nothing but what is in use.
        assert!(stats.allocated <= self.depth.max(in_use));
        if self.end.is_some() || self.all_left() {
            assert_eq!(
                stats.allocated, in_use,
                "nobody fills a free buffer any more"
            );
        }
        if !self.is_broken() {
            let bytes = (stats.allocated * SIZE) as u64;
            assert_eq!(self.budget.held(), bytes + self.squeezed());
        }
        for (id, seat) in &self.seats {
            assert_eq!(seat.reader.position(), seat.position as u64);
            if !self.is_broken() {
                let needs = self
                    .needed_by
                    .values()
                    .filter(|readers| readers.contains(id));
                assert_eq!(seat.reader.meter().lag(), needs.count() as u64);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_pool_does_what_a_naive_model_does(
        depth in 1usize..5,
        buffers in 1u64..6,
        early in 0usize..4,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::new(depth, buffers * SIZE as u64 + 1);
        for _ in 0..early {
            world.run(Step::Join);
        }
        for step in steps {
            world.run_and_listen(step);
            world.check();
        }
        let budget = world.budget.clone();
        drop(world);
        prop_assert_eq!(budget.held(), 0, "everything was given back");
    }
}
