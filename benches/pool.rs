//! What the pool costs, with nothing to read from and nothing to write to: `cargo bench --bench pool`.
//!
//! - `blocks`: one block through the pool, to 1, 20, 200 and 1000 readers; blocks a second
//! - `deliveries`: the same work as deliveries of one block to one reader a second. A release that
//!   looked at all readers would need a hundred times as long with 1000 of them as with 10
//! - `depth`: blocks to 20 readers while the depth is changed with every block
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use subtend::pool::{Budget, BufferPool, Next, Reader, Writer};
use tokio::runtime::{Builder, Runtime};

/// Small: the cost of moving bytes is the network's.
const BUFFER: usize = 64;
const DEPTH: usize = 8;

/// A pool, its writer and its readers, and one thread for all of them.
struct Setting {
    runtime: Runtime,
    pool: BufferPool<(), ()>,
    writer: Writer<(), ()>,
    readers: Vec<Reader<(), ()>>,
}

impl Setting {
    fn new(readers: usize) -> Self {
        let budget = Budget::new(1 << 20);
        let (pool, writer) = BufferPool::new(&budget, BUFFER, DEPTH);
        let readers = (0..readers).map(|_| pool.join()).collect();
        Self {
            runtime: Builder::new_current_thread().build().expect("a runtime"),
            pool,
            writer,
            readers,
        }
    }

    /// One block from the writer to every reader.
    fn block(&mut self) {
        let Self {
            runtime,
            writer,
            readers,
            ..
        } = self;
        runtime.block_on(async {
            let mut buffer = writer.free().await.expect("there are readers");
            let size = buffer.spare().len();
            buffer.advance(size);
            writer.publish(buffer);
            for reader in readers {
                assert!(matches!(reader.next().await, Next::Block(_)));
            }
        });
    }
}

fn blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("blocks");
    for readers in [1, 20, 200, 1000] {
        let mut setting = Setting::new(readers);
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::from_parameter(readers), |bench| {
            bench.iter(|| setting.block());
        });
    }
    group.finish();
}

fn deliveries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deliveries");
    for readers in [1, 20, 200, 1000] {
        let mut setting = Setting::new(readers);
        group.throughput(Throughput::Elements(readers as u64));
        group.bench_function(BenchmarkId::from_parameter(readers), |bench| {
            bench.iter(|| setting.block());
        });
    }
    group.finish();
}

fn depth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("depth");
    group.throughput(Throughput::Elements(1));
    let mut setting = Setting::new(20);
    group.bench_function("unchanged", |bench| bench.iter(|| setting.block()));
    let mut deep = false;
    group.bench_function("changed with every block", |bench| {
        bench.iter(|| {
            deep = !deep;
            setting.pool.set_depth(if deep { 2 * DEPTH } else { 1 });
            setting.block();
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = blocks, deliveries, depth
}
criterion_main!(benches);
