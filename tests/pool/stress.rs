//! The pool on tokio, on several threads: many readers of uneven speed, while the depth goes up and
//! down and readers come and go.

use std::time::Duration;

use subtend::pool::{Budget, BufferPool, Next, Reader};

const BUFFER: usize = 512;
const READERS: u64 = 50;
const SIZE: usize = 400 * BUFFER + 77;

type Pool = BufferPool<usize, String>;

/// A small generator, so that a run follows from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// The byte of the image at an offset.
fn byte(at: usize) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 13) as u8
}

async fn read(
    mut reader: Reader<usize, String>,
    mut dice: Dice,
    leaves_after: Option<u64>,
) -> usize {
    let pace = 1 + dice.roll(8);
    let mut offset = 0;
    loop {
        match reader.next().await {
            Next::Block(block) => {
                for (at, found) in block.iter().enumerate() {
                    assert_eq!(*found, byte(offset + at), "offset {}", offset + at);
                }
                offset += block.len();
                for _ in 0..dice.roll(pace) {
                    tokio::task::yield_now().await;
                }
            }
            Next::End(size) => {
                assert_eq!(size, offset);
                return offset;
            }
            other => panic!("{other:?}"),
        }
        if leaves_after.is_some_and(|blocks| reader.position() >= blocks) {
            return offset;
        }
    }
}

async fn write(mut writer: subtend::pool::Writer<usize, String>, mut dice: Dice) {
    let mut offset = 0;
    while offset < SIZE {
        // A free buffer that was waited for in vain is as good as none asked for.
        drop(tokio::time::timeout(Duration::ZERO, writer.free()).await);
        let mut buffer = writer.free().await.unwrap();
        while !buffer.is_full() && offset < SIZE {
            let spare = buffer.spare();
            // Reads come short, as from a network.
            let count = (1 + dice.roll(300) as usize)
                .min(spare.len())
                .min(SIZE - offset);
            for (at, place) in spare[..count].iter_mut().enumerate() {
                *place = byte(offset + at);
            }
            buffer.advance(count);
            offset += count;
        }
        writer.publish(buffer);
    }
    writer.finish(offset);
}

async fn within_a_minute<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .expect("nothing waits for ever")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_uneven_readers_get_every_byte_while_the_depth_moves() {
    within_a_minute(async {
        let budget = Budget::new(20 * BUFFER as u64);
        let (pool, writer) = Pool::new(&budget, BUFFER, 4);
        let readers: Vec<_> = (0..READERS)
            .map(|seed| {
                // Every seventh leaves early.
                let leaves = (seed % 7 == 3).then_some(seed * 5);
                (leaves, pool.join(), Dice(seed))
            })
            .map(|(leaves, reader, dice)| {
                let meter = reader.meter();
                (leaves, meter, tokio::spawn(read(reader, dice, leaves)))
            })
            .collect();
        let changes = tokio::spawn({
            let pool = pool.clone();
            async move {
                let mut dice = Dice(99);
                while !pool.stats().ended {
                    // Sometimes more than the budget allows.
                    pool.set_depth(dice.roll(30) as usize);
                    for _ in 0..dice.roll(50) {
                        tokio::task::yield_now().await;
                    }
                }
            }
        });
        tokio::spawn(write(writer, Dice(7))).await.unwrap();
        for (leaves, meter, reader) in readers {
            let delivered = reader.await.unwrap();
            if leaves.is_none() {
                assert_eq!(delivered, SIZE);
                assert_eq!(meter.position(), SIZE.div_ceil(BUFFER) as u64);
            }
            assert_eq!(meter.lag(), 0);
        }
        changes.await.unwrap();
        assert_eq!(pool.stats().used, 0);
        assert_eq!(budget.held(), 0);
        assert!(budget.peak() <= budget.limit());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pools_that_want_more_than_the_budget_all_get_through() {
    within_a_minute(async {
        // Six pools, any of which would take it all, and buffers of different sizes.
        let budget = Budget::new(6 * BUFFER as u64);
        let pools: Vec<_> = (0..6)
            .map(|seed| {
                let (pool, writer) = Pool::new(&budget, BUFFER * (1 + seed % 3), 8);
                let seed = seed as u64;
                let readers: Vec<_> = (0..5)
                    .map(|each| tokio::spawn(read(pool.join(), Dice(seed * 10 + each), None)))
                    .collect();
                (tokio::spawn(write(writer, Dice(seed))), readers)
            })
            .collect();
        for (writer, readers) in pools {
            writer.await.unwrap();
            for reader in readers {
                assert_eq!(reader.await.unwrap(), SIZE);
            }
        }
        assert_eq!(budget.held(), 0);
        assert!(budget.peak() <= budget.limit());
    })
    .await;
}
