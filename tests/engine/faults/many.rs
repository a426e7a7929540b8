//! Two runs to a crowd of entities of which 30 % have a fault of a random class at a random byte.
//!
//! The seed is printed; `SUBTEND_SEED=N` plays it again. `SUBTEND_CROWD=N` has a crowd of N.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use subtend::model::EntityState;
use subtend::protocol::EntitySummary;

use crate::faults::fault::Fault;
use crate::faults::world::*;

const SIZE: u64 = 8 << 20;

/// SplitMix64: the same seed gives the same crowd on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// One line of the table. Ports are another in each run, and so is how far ahead of an early
/// confirmation the sender was.
#[derive(Debug, PartialEq, Eq)]
struct Row(String, EntityState, Option<String>);

fn row(device: &Device, said: &EntitySummary) -> Row {
    let cause = said.cause.as_deref().map(|cause| {
        let cause = cause.replace(&at(device.server.address).to_string(), "ADDRESS");
        match device.fault {
            Fault::ConfirmAt(_) => cause.replace(|c: char| c.is_ascii_digit(), ""),
            _ => cause,
        }
    });
    Row(device.name.clone(), said.state, cause)
}

async fn table(seed: u64, entities: u64, image: &Arc<Vec<u8>>) -> Vec<Row> {
    let mut chance = Chance(seed);
    let size = image.len() as u64;
    // Exactly 30 %, at random places.
    let mut numbers: Vec<u64> = (0..entities).collect();
    for last in (1..entities).rev() {
        let other = usize::try_from(chance.below(last + 1)).unwrap();
        numbers.swap(usize::try_from(last).unwrap(), other);
    }
    let mut devices = Vec::new();
    for number in 0..entities {
        let is_faulty = numbers[usize::try_from(number).unwrap()] < entities * 3 / 10;
        let (what, fault, delete_first) = match is_faulty {
            true => class(chance.below(CLASSES), chance.below(size), size),
            false => ("healthy", Fault::None, false),
        };
        let name = format!("e{number:03} {what}");
        devices.push(device(name, (fault, delete_first), image).await);
    }
    let began = Instant::now();
    // Whoever waits for a deadline that is not that of its fault takes longer.
    let summary = run(image, &devices).await;
    println!("{entities} entities, {size} bytes: {:?}", began.elapsed());
    (devices.iter())
        .map(|device| row(device, assert_as_expected(device, &summary, image)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_healthy_are_identical_and_the_table_is_the_same_again() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("SUBTEND_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    let entities = number("SUBTEND_CROWD").unwrap_or(60);
    println!("SUBTEND_SEED={seed}");
    let image = image(SIZE);
    let first = table(seed, entities, &image).await;
    assert_eq!(first, table(seed, entities, &image).await);
}
