//! What users of the pool rely on, one promise a test. Interleavings are loom's business
//! (`tests/pool_loom.rs`), random sequences those of `tests/pool_model.rs`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::{Abandoned, Budget, BufferPool, Next, Reader, Writer};

type Pool = BufferPool<u64, &'static str>;

fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn publish(writer: &mut Writer<u64, &'static str>, bytes: &[u8]) -> bool {
    let Some(Ok(mut buffer)) = now(writer.free()) else {
        return false;
    };
    buffer.spare()[..bytes.len()].copy_from_slice(bytes);
    buffer.advance(bytes.len());
    writer.publish(buffer);
    true
}

fn read(reader: &mut Reader<u64, &'static str>) -> Option<Vec<u8>> {
    match now(reader.next()) {
        Some(Next::Block(block)) => Some(block.to_vec()),
        _ => None,
    }
}

#[test]
fn memory_is_taken_when_first_needed_and_goes_round() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 3);
    let mut reader = pool.join();
    assert_eq!(budget.held(), 0);
    let mut places = Vec::new();
    for number in 0..20 {
        let mut buffer = now(writer.free()).unwrap().unwrap();
        places.push(buffer.spare().as_ptr());
        buffer.spare()[0] = number;
        buffer.advance(1);
        writer.publish(buffer);
        assert_eq!(read(&mut reader), Some(vec![number]));
    }
    // A reader that keeps up needs no more than one, and it is the same every time.
    assert_eq!(budget.peak(), 10);
    places.dedup();
    assert_eq!(places.len(), 1);
}

#[test]
fn no_block_is_freed_before_a_first_reader_has_come() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 2);
    assert!(publish(&mut writer, b"one"));
    assert!(publish(&mut writer, b"two"));
    assert!(!publish(&mut writer, b"three"), "full");
    let mut reader = pool.join();
    assert_eq!(read(&mut reader), Some(b"one".to_vec()));
    assert_eq!(read(&mut reader), Some(b"two".to_vec()));
    assert!(publish(&mut writer, b"three"));
}

#[test]
fn one_who_comes_late_begins_at_the_oldest_block_held() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 3);
    let mut first = pool.join();
    publish(&mut writer, b"one");
    publish(&mut writer, b"two");
    assert!(pool.join_at(0).is_some(), "block 0 is still held");
    read(&mut first);
    let mut late = pool.join();
    assert_eq!(late.start(), 1);
    assert!(pool.join_at(0).is_none());
    assert_eq!(read(&mut late), Some(b"two".to_vec()));
}

#[test]
fn a_failed_source_is_seen_at_once_and_the_rest_is_dropped() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 3);
    let (mut one, mut other) = (pool.join(), pool.join());
    publish(&mut writer, b"one");
    publish(&mut writer, b"two");
    let Some(Next::Block(in_hand)) = now(one.next()) else {
        panic!()
    };
    writer.fail("lost");
    assert!(matches!(now(other.next()), Some(Next::Failed("lost"))));
    assert!(matches!(now(one.next()), Some(Next::Failed("lost"))));
    // What a reader has in its hands stays good, and stays paid for, until it lets go.
    assert_eq!(&*in_hand, b"one");
    assert_eq!(budget.held(), 10);
    drop(in_hand);
    assert_eq!(budget.held(), 0);
}

#[test]
fn the_end_gives_free_buffers_back_and_keeps_the_unread() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 3);
    let mut reader = pool.join();
    let buffers: Vec<_> = (0..3).map(|_| now(writer.free()).unwrap()).collect();
    drop(buffers);
    publish(&mut writer, b"one");
    assert_eq!(budget.held(), 30);
    writer.finish(3);
    assert_eq!(budget.held(), 10);
    assert_eq!(read(&mut reader), Some(b"one".to_vec()));
    assert!(matches!(now(reader.next()), Some(Next::End(3))));
    assert!(matches!(now(reader.next()), Some(Next::End(3))), "again");
    assert_eq!(budget.held(), 0);
}

#[test]
fn a_writer_knows_whether_it_has_waited() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 1);
    let mut reader = pool.join();
    publish(&mut writer, b"one");
    assert!(!writer.has_waited());
    let mut free = Box::pin(writer.free());
    assert!(now(&mut free).is_none());
    assert_eq!(read(&mut reader), Some(b"one".to_vec()));
    let freed = now(&mut free).unwrap().unwrap();
    drop((free, freed));
    assert!(writer.has_waited());
    publish(&mut writer, b"two");
    assert!(!writer.has_waited());
}

#[test]
fn an_empty_buffer_is_no_block() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 1);
    let mut reader = pool.join();
    let buffer = now(writer.free()).unwrap().unwrap();
    writer.publish(buffer);
    assert_eq!(pool.stats().published, 0);
    writer.finish(0);
    assert!(matches!(now(reader.next()), Some(Next::End(0))));
}

#[test]
fn a_buffer_holds_nothing_of_the_block_before() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 1);
    let mut reader = pool.join();
    publish(&mut writer, b"0123456789");
    read(&mut reader);
    publish(&mut writer, b"ab");
    assert_eq!(read(&mut reader), Some(b"ab".to_vec()));
}

/// The writer goes when it sees that no reader is left: one that joined after that would be left alone.
#[test]
fn nobody_joins_once_the_writer_has_been_told_that_nobody_is_left() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 1);
    drop(pool.join_at(0).unwrap());
    // Nobody has reported it yet.
    let reader = pool.join_at(0).unwrap();
    assert!(now(writer.abandoned()).is_none());
    drop(reader);
    assert!(now(writer.abandoned()).is_some());
    assert!(pool.join_at(0).is_none());

    let (pool, mut writer) = Pool::new(&budget, 10, 1);
    drop(pool.join_at(0).unwrap());
    assert_eq!(now(writer.free()).unwrap().unwrap_err(), Abandoned);
    assert!(pool.join_at(0).is_none());
}

#[test]
fn a_pool_that_nobody_can_join_any_more_is_abandoned() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 1);
    assert!(now(writer.abandoned()).is_none());
    let other = pool.clone();
    drop(pool);
    assert!(now(writer.abandoned()).is_none());
    drop(other);
    assert!(now(writer.abandoned()).is_some());
    assert_eq!(now(writer.free()).unwrap().unwrap_err(), Abandoned);
}

#[test]
fn a_buffer_never_exceeds_the_whole_budget() {
    let budget = Budget::new(100);
    let (pool, mut writer) = Pool::new(&budget, 1000, 4);
    let _reader = pool.join();
    let buffer = now(writer.free()).unwrap().unwrap();
    assert_eq!(buffer.capacity(), 100);
    assert_eq!(pool.stats().buffer_size, 100);
}

#[test]
fn a_large_buffer_is_not_starved_by_small_ones() {
    let budget = Budget::new(100);
    let (small, mut small_writer) = Pool::new(&budget, 10, 10);
    let (large, mut large_writer) = Pool::new(&budget, 60, 1);
    let _readers = (small.join(), large.join());
    let mut held: Vec<_> = (0..5).map(|_| now(small_writer.free()).unwrap()).collect();
    let mut cx = Context::from_waker(Waker::noop());
    let mut large_buffer = pin!(large_writer.free());
    assert!(large_buffer.as_mut().poll(&mut cx).is_pending());
    // Fifty bytes are left, but the one in line comes first.
    let next = pin!(small_writer.free());
    assert!(next.poll(&mut cx).is_pending());
    small.set_depth(4);
    held.pop();
    assert!(large_buffer.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_pool_that_shrank_while_in_line_lets_the_next_one_pass() {
    let budget = Budget::new(20);
    let (holder, mut holder_writer) = Pool::new(&budget, 10, 1);
    let (shrinks, mut shrinks_writer) = Pool::new(&budget, 10, 2);
    let (next, mut next_writer) = Pool::new(&budget, 10, 1);
    let _readers = (holder.join(), shrinks.join(), next.join());
    let held = now(holder_writer.free()).unwrap().unwrap();
    assert!(publish(&mut shrinks_writer, b"one"));

    let mut cx = Context::from_waker(Waker::noop());
    let mut first = pin!(shrinks_writer.free());
    let mut second = pin!(next_writer.free());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    shrinks.set_depth(1);
    assert!(first.as_mut().poll(&mut cx).is_pending());
    drop((held, holder_writer));
    assert!(second.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_reader_that_leaves_takes_its_waker_along() {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    let budget = Budget::new(1000);
    let (pool, _writer) = Pool::new(&budget, 10, 1);
    let task = Arc::new(Task);
    let waker = Waker::from(task.clone());
    let mut reader = pool.join();
    let next = pin!(reader.next()).poll(&mut Context::from_waker(&waker));
    assert!(next.is_pending());
    drop((reader, waker));
    assert_eq!(Arc::strong_count(&task), 1, "nothing of it stays behind");
}

#[test]
fn lag_tells_who_holds_up_the_others() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 3);
    let (mut fast, mut slow) = (pool.join(), pool.join());
    let (fast_meter, slow_meter) = (fast.meter(), slow.meter());
    for number in 0..3 {
        publish(&mut writer, &[number]);
        read(&mut fast);
    }
    let in_hand = now(slow.next());
    assert_eq!((fast_meter.lag(), fast_meter.position()), (0, 3));
    assert_eq!((slow_meter.lag(), slow_meter.position()), (3, 1));
    drop(in_hand);
    assert_eq!(slow_meter.lag(), 2);
    drop(slow);
    assert_eq!(slow_meter.lag(), 0);
}

#[test]
fn waits_are_timed_while_they_last_and_added_up() {
    let budget = Budget::new(1000);
    let (pool, mut writer) = Pool::new(&budget, 10, 1);
    let mut reader = pool.join();
    let meter = reader.meter();
    let mut cx = Context::from_waker(Waker::noop());

    let mut next = pin!(reader.next());
    assert!(next.as_mut().poll(&mut cx).is_pending());
    assert!(meter.starves());
    spin_until(|| meter.starved() > Duration::from_micros(100));
    publish(&mut writer, b"one");
    let Poll::Ready(Next::Block(block)) = next.as_mut().poll(&mut cx) else {
        panic!()
    };
    let starved = meter.starved();
    assert!(!meter.starves() && starved > Duration::from_micros(100));

    {
        let mut free = pin!(writer.free());
        assert!(free.as_mut().poll(&mut cx).is_pending());
        assert!(pool.stats().writer_waits);
        spin_until(|| pool.stats().writer_waited > Duration::from_micros(100));
        // Given up: the time counts all the same.
    }
    let waited = pool.stats().writer_waited;
    assert!(!pool.stats().writer_waits && waited > Duration::from_micros(100));
    drop(block);
    assert!(publish(&mut writer, b"two"));
    assert_eq!(pool.stats().writer_waited, waited);
    assert_eq!(meter.starved(), starved, "nobody waited since");
}

fn spin_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "no time passes");
        std::hint::spin_loop();
    }
}
