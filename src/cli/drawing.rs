//! What watching costs: making a snapshot, drawing it, and the bytes for the terminal, with 20, 200 and 2000 entities:
//! `just drawing`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::console::testing::{Watching, inventory};
use crate::engine::bench::Sending;
use crate::model::Inventory;

const ENTITIES: [usize; 3] = [20, 200, 2000];
const SCREENS: [(u16, u16); 2] = [(80, 24), (200, 60)];
const TURNS: usize = 1001;

fn site(entities: usize) -> Inventory {
    inventory(&format!(
        "memory: 8 MiB\n\
         file_servers: {{ hq: {{ url: 'ftp://192.0.2.10' }} }}\n\
         images: {{ image: {{ file: image.bin, type: adsl, version: '2' }} }}\n\
         defaults: {{ path: /flash/image.bin }}\n\
         entities:\n  \
         - {{ name: 'n[1-{entities}]', type: adsl, version: '1', address: '192.0.2.1:[1-{entities}]' }}\n\
         groups: {{ all: {{ select: {{ type: adsl }}, image: image, source: {{ file_server: hq }} }} }}\n"
    ))
}

fn median(mut turn: impl FnMut(usize)) -> f64 {
    let measured = (0..TURNS).map(|number| {
        let begin = Instant::now();
        turn(number);
        begin.elapsed()
    });
    let mut times: Vec<Duration> = measured.collect();
    times.sort_unstable();
    times[TURNS / 2].as_secs_f64() * 1e6
}

#[test]
#[ignore = "it measures"]
fn snapshots_and_pictures() {
    println!("entities  screen      median us  bytes of the next picture");
    for entities in ENTITIES {
        let site = site(entities);
        let mut sending = Sending::of(&site).unwrap();
        let time = median(|_| {
            sending.go_on();
            black_box(sending.snapshot());
        });
        println!("{entities:>8}  snapshot  {time:>11.1}");
        // From the beginning again: all that was sent is more than there is.
        let mut sending = Sending::of(&site).unwrap();
        let snapshots = [(); 2].map(|()| {
            sending.go_on();
            sending.snapshot()
        });
        for (columns, rows) in SCREENS {
            let mut watching = Watching::new(site.clone(), &snapshots[0], columns, rows);
            let whole = watching.draw(&snapshots[0]);
            let shows = String::from_utf8_lossy(&whole).contains("sending");
            assert!(shows, "it is the watch page");
            let bytes = watching.draw(&snapshots[1]).len();
            assert!(bytes > 100, "two pictures differ in their figures");
            let time = median(|turn| {
                black_box(watching.draw(&snapshots[turn % 2]));
            });
            let screen = format!("{columns}x{rows}");
            println!("{entities:>8}  {screen:<8}  {time:>11.1}  {bytes}");
        }
    }
}
