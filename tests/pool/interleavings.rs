//! The pool under loom: every interleaving of small cases, within a bound on preemptions.
//!
//! The pool's own files are compiled once more here, with loom's lock and `Arc` in place of the
//! standard ones. A lost wake-up shows as a deadlock, a buffer that is both free and read as a
//! failed `Arc::get_mut`, a buffer that is never dropped as a leak.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use loom::future::block_on;
use loom::thread;

use crate::pool::{Budget, BufferPool, Next, Reader, Writer};

type Pool = BufferPool<u64, &'static str>;

/// All schedules with at most `preemptions` switches that no thread asked for.
fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(check);
}

/// Publishes blocks `from..to`, each one byte, its own number.
async fn write(writer: &mut Writer<u64, &'static str>, from: u8, to: u8) -> bool {
    for number in from..to {
        let Ok(mut buffer) = writer.free().await else {
            return false;
        };
        buffer.spare()[0] = number;
        buffer.advance(1);
        writer.publish(buffer);
    }
    true
}

/// Reads to the end, and checks that every block comes, in order; how many there were.
async fn read_all(reader: &mut Reader<u64, &'static str>) -> Result<u64, &'static str> {
    let mut expected = reader.position();
    loop {
        match reader.next().await {
            Next::Block(block) => {
                assert_eq!(block.index(), expected);
                assert_eq!(&*block, [u8::try_from(expected).unwrap()]);
                expected += 1;
            }
            Next::End(end) => {
                assert_eq!(end, expected);
                return Ok(end);
            }
            Next::Failed(cause) => return Err(cause),
            Next::Abandoned => return Err("abandoned"),
        }
    }
}

/// Polls a future once and drops it, as a `select!` that takes another branch.
async fn poll_and_cancel<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

fn reads_all(mut reader: Reader<u64, &'static str>, blocks: u8) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        assert_eq!(block_on(read_all(&mut reader)), Ok(blocks.into()));
    })
}

fn two_readers(depth: usize, blocks: u8) {
    let budget = Budget::new(depth as u64);
    let (pool, mut writer) = Pool::new(&budget, 1, depth);
    let readers = [pool.join(), pool.join()].map(|reader| reads_all(reader, blocks));
    assert!(block_on(write(&mut writer, 0, blocks)));
    writer.finish(blocks.into());
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(budget.held(), 0);
    assert!(budget.peak() <= depth as u64);
}

#[test]
fn two_readers_get_all_blocks_of_a_pool_of_one_buffer() {
    model(1, || two_readers(1, 3));
    model(2, || two_readers(1, 2));
}

#[test]
fn two_readers_get_all_blocks_of_a_pool_of_two_buffers() {
    model(1, || two_readers(2, 3));
    model(2, || two_readers(2, 2));
}

#[test]
fn a_reader_that_leaves_holds_nobody_up() {
    model(2, || {
        let budget = Budget::new(1);
        let (pool, mut writer) = Pool::new(&budget, 1, 1);
        let stays = reads_all(pool.join(), 3);
        let mut leaves = pool.join();
        let leaves = thread::spawn(move || {
            let block = block_on(leaves.next());
            // The reader goes first, the block that it has in its hands after it.
            drop(leaves);
            assert!(matches!(block, Next::Block(_)));
        });
        assert!(block_on(write(&mut writer, 0, 3)));
        writer.finish(3);
        stays.join().unwrap();
        leaves.join().unwrap();
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn a_reader_may_join_at_any_moment() {
    model(2, || {
        let budget = Budget::new(2);
        let (pool, mut writer) = Pool::new(&budget, 1, 2);
        let first = reads_all(pool.join(), 2);
        let late = thread::spawn(move || {
            let mut reader = pool.join();
            assert_eq!(block_on(read_all(&mut reader)), Ok(2));
        });
        assert!(block_on(write(&mut writer, 0, 2)));
        writer.finish(2);
        first.join().unwrap();
        late.join().unwrap();
        assert_eq!(budget.held(), 0);
    });
}

/// As an entity does that has left its pass: it waits without taking, and its meter is read meanwhile.
#[test]
fn who_comes_back_at_a_block_gets_all_that_follow_or_learns_that_it_is_gone() {
    model(1, || {
        let budget = Budget::new(1);
        let (pool, mut writer) = Pool::new(&budget, 1, 1);
        let first = reads_all(pool.join(), 2);
        let late = thread::spawn(move || {
            // The last block may have gone, or the writer with it.
            let Some(mut reader) = pool.join_at(1) else {
                return;
            };
            drop(pool);
            let meter = reader.meter();
            assert!(reader.start() <= 1 && meter.position() == reader.start());
            assert!(block_on(reader.arrived()));
            assert_eq!(block_on(read_all(&mut reader)), Ok(2));
            assert!(!block_on(reader.arrived()));
            assert_eq!((meter.position(), meter.lag(), meter.left()), (2, 0, false));
            assert!(!meter.starves() && meter.starved() == reader.meter().starved());
            drop(reader);
            assert!(meter.left());
        });
        block_on(async {
            for number in 0..2 {
                let mut buffer = writer.free().await.unwrap();
                buffer.spare()[0] = number;
                buffer.advance(1);
                assert!(buffer.is_full());
                writer.publish(buffer);
            }
        });
        writer.finish(2);
        first.join().unwrap();
        late.join().unwrap();
        budget.forget_peak();
        assert_eq!((budget.held(), budget.peak()), (0, 0));
    });
}

#[test]
fn the_writer_learns_that_all_have_left() {
    model(3, || {
        let budget = Budget::new(1);
        let (pool, mut writer) = Pool::new(&budget, 1, 1);
        let readers = [pool.join(), pool.join()].map(|reader| {
            thread::spawn(move || {
                drop(reader);
            })
        });
        // More than the pool holds: it ends only because the readers go.
        assert!(!block_on(write(&mut writer, 0, 2)));
        block_on(writer.abandoned());
        assert!(block_on(writer.free()).is_err());
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn cancelled_waits_lose_neither_buffers_nor_blocks() {
    model(2, || {
        let budget = Budget::new(1);
        let (pool, mut writer) = Pool::new(&budget, 1, 1);
        let mut reader = pool.join();
        let reader = thread::spawn(move || {
            block_on(async {
                let mut blocks = Vec::new();
                // A poll that finds a block has taken it; one that finds none has lost none.
                if let Some(next) = poll_and_cancel(reader.next()).await {
                    let Next::Block(block) = next else { panic!() };
                    blocks.push(block[0]);
                }
                loop {
                    match reader.next().await {
                        Next::Block(block) => blocks.push(block[0]),
                        Next::End(_) => break,
                        other => panic!("{other:?}"),
                    }
                }
                assert_eq!(blocks, [0, 1, 2]);
            });
        });
        block_on(async {
            assert!(write(&mut writer, 0, 1).await);
            // Whether or not one was free: it goes back, or never came.
            drop(poll_and_cancel(writer.free()).await);
            assert!(write(&mut writer, 1, 3).await);
            writer.finish(3);
        });
        reader.join().unwrap();
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn the_depth_changes_while_blocks_go_through() {
    model(2, || {
        let budget = Budget::new(2);
        let (pool, mut writer) = Pool::new(&budget, 1, 2);
        let reader = reads_all(pool.join(), 3);
        let changes = thread::spawn(move || {
            pool.set_depth(1);
            assert!(pool.stats().depth == 1);
            pool.set_depth(2);
        });
        assert!(block_on(write(&mut writer, 0, 3)));
        writer.finish(3);
        reader.join().unwrap();
        changes.join().unwrap();
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn a_writer_that_waits_on_a_full_pool_sees_it_grow() {
    model(3, || {
        let budget = Budget::new(2);
        let (pool, mut writer) = Pool::new(&budget, 1, 1);
        // Reads nothing: only the growth lets the second block in.
        let mut reader = pool.join();
        let grows = thread::spawn(move || pool.set_depth(2));
        assert!(block_on(write(&mut writer, 0, 2)));
        writer.finish(2);
        grows.join().unwrap();
        assert_eq!(block_on(read_all(&mut reader)), Ok(2));
        drop(reader);
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn no_buffer_is_added_to_a_pool_that_has_just_shrunk() {
    model(3, || {
        let budget = Budget::new(2);
        let (pool, mut writer) = Pool::new(&budget, 1, 2);
        let _reader = pool.join();
        assert!(block_on(write(&mut writer, 0, 1)));
        let shrinks = thread::spawn({
            let pool = pool.clone();
            move || {
                pool.set_depth(1);
                pool.stats().allocated
            }
        });
        let second = block_on(poll_and_cancel(writer.free()));
        let allocated = shrinks.join().unwrap();
        // Either it was there before the shrink, or it does not come.
        assert_eq!(pool.stats().allocated, allocated);
        drop(second);
        assert_eq!(pool.stats().allocated, 1);
    });
}

#[test]
fn two_pools_share_a_budget_that_holds_one_buffer() {
    model(2, || {
        let budget = Budget::new(1);
        let run = |budget: &Budget| {
            let (pool, mut writer) = Pool::new(budget, 1, 2);
            let mut reader = pool.join();
            block_on(async {
                assert!(write(&mut writer, 0, 1).await);
                writer.finish(1);
                assert_eq!(read_all(&mut reader).await, Ok(1));
            });
        };
        let other = thread::spawn({
            let budget = budget.clone();
            move || run(&budget)
        });
        run(&budget);
        other.join().unwrap();
        assert_eq!(budget.held(), 0);
        assert_eq!(budget.peak(), 1);
    });
}

#[test]
fn a_writer_waits_for_its_own_buffer_and_for_the_budget_at_once() {
    model(2, || {
        // The other pool has one of the two bytes and lets it go at some moment, or late.
        let budget = Budget::new(2);
        let (other, mut other_writer) = Pool::new(&budget, 1, 1);
        let mut other_reader = other.join();
        assert!(block_on(write(&mut other_writer, 0, 1)));
        other_writer.finish(1);
        let lets_go = thread::spawn(move || {
            assert_eq!(block_on(read_all(&mut other_reader)), Ok(1));
        });

        let (pool, mut writer) = Pool::new(&budget, 1, 2);
        let reader = reads_all(pool.join(), 3);
        assert!(block_on(write(&mut writer, 0, 3)));
        writer.finish(3);
        reader.join().unwrap();
        lets_go.join().unwrap();
        assert_eq!(budget.held(), 0);
        assert!(budget.peak() <= 2);
    });
}

#[test]
fn a_cancelled_wait_for_the_budget_passes_its_turn_on() {
    model(2, || {
        let budget = Budget::new(1);
        let (first, mut first_writer) = Pool::new(&budget, 1, 1);
        let held = block_on(first_writer.free()).unwrap();
        assert!(!first_writer.has_waited());

        let (second, mut second_writer) = Pool::new(&budget, 1, 1);
        let gives_up = thread::spawn(move || {
            // In line, perhaps already granted, and gone.
            drop(block_on(poll_and_cancel(second_writer.free())));
            drop(second);
        });
        let (third, mut third_writer) = Pool::new(&budget, 1, 1);
        let waits = thread::spawn(move || {
            assert!(block_on(write(&mut third_writer, 0, 1)));
            drop(third);
        });
        drop(held);
        drop((first, first_writer));
        gives_up.join().unwrap();
        waits.join().unwrap();
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn a_writer_that_goes_away_leaves_nobody_waiting() {
    model(2, || {
        let budget = Budget::new(2);
        let (pool, mut writer) = Pool::new(&budget, 1, 2);
        let readers = [pool.join(), pool.join()].map(|mut reader| {
            thread::spawn(move || {
                assert_eq!(block_on(read_all(&mut reader)), Err("abandoned"));
            })
        });
        assert!(block_on(write(&mut writer, 0, 1)));
        drop(writer);
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn every_reader_sees_a_failed_source() {
    model(2, || {
        let budget = Budget::new(2);
        let (pool, mut writer) = Pool::new(&budget, 1, 2);
        let readers = [pool.join(), pool.join()].map(|mut reader| {
            thread::spawn(move || {
                assert_eq!(block_on(read_all(&mut reader)), Err("source lost"));
            })
        });
        assert!(block_on(write(&mut writer, 0, 1)));
        writer.fail("source lost");
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(budget.held(), 0);
    });
}
