//! What watching costs: making a snapshot, drawing it, and the bytes for the terminal, with 20, 200
//! and 2000 entities: `cargo bench --bench console`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use subtend::console::bench::Watching;
use subtend::engine::bench::Sending;
use subtend::inventory;
use subtend::model::Inventory;

const ENTITIES: [usize; 3] = [20, 200, 2000];
const SCREENS: [(u16, u16); 2] = [(80, 24), (200, 60)];

fn site(entities: usize) -> Inventory {
    let text = format!(
        "memory: 8 MiB\n\
         file_servers: {{ hq: {{ url: 'ftp://192.0.2.10' }} }}\n\
         images: {{ image: {{ file: image.bin, type: adsl, version: '2' }} }}\n\
         defaults: {{ path: /flash/image.bin }}\n\
         entities:\n  \
         - {{ name: 'n[1-{entities}]', type: adsl, version: '1', address: '192.0.2.1:[1-{entities}]' }}\n\
         groups: {{ all: {{ select: {{ type: adsl }}, image: image, source: {{ file_server: hq }} }} }}\n"
    );
    inventory::parse(&text, Path::new("bench.yaml")).expect("the inventory is good")
}

fn snapshots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    for entities in ENTITIES {
        let mut sending = Sending::of(&site(entities)).expect("it has a group");
        group.bench_function(BenchmarkId::from_parameter(entities), |bench| {
            bench.iter(|| {
                sending.go_on();
                black_box(sending.snapshot())
            });
        });
    }
    group.finish();
}

fn pictures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("picture");
    for (columns, rows) in SCREENS {
        for entities in ENTITIES {
            let inventory = site(entities);
            let mut sending = Sending::of(&inventory).expect("it has a group");
            let snapshots: Vec<_> = (0..2)
                .map(|_| {
                    sending.go_on();
                    sending.snapshot()
                })
                .collect();
            let mut watching = Watching::new(inventory, &snapshots[0], columns, rows);
            let whole = watching.draw(&snapshots[0]);
            let shows = String::from_utf8_lossy(&whole).contains("sending");
            assert!(shows, "it is the watch page");
            let bytes = watching.draw(&snapshots[1]).len();
            assert!(bytes > 100, "two pictures differ in their figures");
            println!("{columns}x{rows}, {entities} entities: {bytes} bytes for the next picture");
            let mut turn = 0;
            let id = BenchmarkId::new(format!("{columns}x{rows}"), entities);
            group.bench_function(id, |bench| {
                bench.iter(|| {
                    turn ^= 1;
                    black_box(watching.draw(&snapshots[turn]))
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = snapshots, pictures
}
criterion_main!(benches);
