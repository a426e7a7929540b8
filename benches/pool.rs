//! What a delivery costs with few readers and with many: `cargo bench --bench pool`.
//!
//! A release that looked at all readers would need a hundred times as long with 1000 of them as
//! with 10. The same number of deliveries each, medians of several runs, and their ratio.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use subtend::pool::{Budget, BufferPool, Next};

const RUNS: usize = 9;
const DELIVERIES: usize = 200_000;

/// The time that one delivery of one block to one reader takes.
async fn delivery(readers: usize) -> Duration {
    let budget = Budget::new(4096);
    let (pool, mut writer) = BufferPool::<(), ()>::new(&budget, 64, 4);
    let mut readers: Vec<_> = (0..readers).map(|_| pool.join()).collect();
    let blocks = DELIVERIES / readers.len();
    let start = Instant::now();
    for _ in 0..blocks {
        let mut buffer = writer.free().await.expect("there are readers");
        let size = buffer.spare().len();
        buffer.advance(size);
        writer.publish(buffer);
        for reader in &mut readers {
            assert!(matches!(reader.next().await, Next::Block(_)));
        }
    }
    start.elapsed() / u32::try_from(DELIVERIES).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut first = None;
    println!("{:>7} {:>14} {:>6}", "readers", "a delivery", "ratio");
    for readers in [10, 100, 1000] {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            times.push(delivery(readers).await);
        }
        times.sort();
        let median = times[RUNS / 2];
        let ratio = median.as_secs_f64() / first.get_or_insert(median).as_secs_f64();
        println!("{readers:>7} {median:>14.0?} {ratio:>6.2}");
    }
}
