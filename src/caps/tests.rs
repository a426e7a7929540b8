#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use super::schedule::Schedule;
use super::turns::{Place, Turns};
use super::{Caps, GroupCaps, HeldMeter, Pacer};
use crate::model::testing::{entity, group};
use crate::model::{self, Capped};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
/// What may go beside the rate: 50 ms that are made up for, and a turn of at most 100 ms.
const BESIDE: f64 = 0.15;

#[derive(Debug, Clone)]
enum Op {
    Ask(usize, usize),
    Leave(usize),
    /// So many of a hundred parts of its last grant.
    GiveBack(usize, usize),
    Change(u64),
    /// Milliseconds go by, and the first in line looks again; a timer that is late is a long one.
    Pass(u64),
}

#[derive(Debug, Default, Clone)]
struct Taker {
    got: Option<u64>,
    asks: Option<(Place, usize)>,
    last: usize,
    since: Duration,
}

/// A cap and those that share it, in a time of their own.
struct World {
    schedule: Schedule,
    turns: Turns<usize>,
    now: Duration,
    rate: u64,
    takers: Vec<Taker>,
    /// Bytes granted less those given back, and what would have gone at the rate, each time.
    log: Vec<(i64, f64)>,
    could: f64,
    fastest: u64,
    granted: Vec<u64>,
}

impl World {
    fn new(rate: u64, takers: usize) -> Self {
        Self {
            schedule: Schedule::new(rate, Duration::ZERO),
            turns: Turns::default(),
            now: Duration::ZERO,
            rate,
            takers: vec![Taker::default(); takers],
            log: Vec::new(),
            could: 0.0,
            fastest: rate,
            granted: vec![0; takers],
        }
    }

    fn carry_out(&mut self, op: &Op) {
        match *op {
            Op::Ask(who, most) => {
                let who = who % self.takers.len();
                let taker = &mut self.takers[who];
                if taker.asks.is_none() {
                    let credit = self.schedule.credit(8, 1);
                    let place = self.turns.enter(taker.got, credit, who);
                    taker.asks = Some((place, most.max(1)));
                    taker.since = self.now;
                }
            }
            Op::Leave(who) => {
                let who = who % self.takers.len();
                if let Some((place, _)) = self.takers[who].asks.take() {
                    self.turns.leave(place);
                }
            }
            Op::GiveBack(who, part) => {
                let who = who % self.takers.len();
                let taker = &mut self.takers[who];
                let back = taker.last * part.min(100) / 100;
                taker.last -= back;
                taker.got = taker.got.map(|got| got.saturating_sub(back as u64));
                self.schedule.give_back(back);
                self.log.push((-(back as i64), self.could));
            }
            Op::Change(rate) => {
                self.schedule.change(rate, self.now);
                self.rate = rate;
                self.fastest = self.fastest.max(rate);
            }
            Op::Pass(millis) => {
                self.now += Duration::from_millis(millis);
                self.could += self.rate as f64 * millis as f64 / 1000.0;
            }
        }
        self.serve();
    }

    fn serve(&mut self) {
        while let Some(&who) = self.turns.first() {
            let (place, most) = self.takers[who].asks.unwrap();
            let Ok(granted) = self.schedule.grant(self.now, most, (8, 1)) else {
                return;
            };
            assert!((1..=most).contains(&granted));
            let taker = &mut self.takers[who];
            taker.got = Some(self.turns.served(place, granted));
            (taker.asks, taker.last) = (None, granted);
            self.granted[who] += granted as u64;
            self.log.push((granted as i64, self.could));
        }
    }

    /// In every stretch: no more than the rates for its length, and a little beside.
    fn check(&self) {
        let beside = BESIDE * self.fastest as f64 + 2.0;
        for from in 0..self.log.len() {
            let mut sum = 0;
            for (bytes, could) in &self.log[from..] {
                sum += bytes;
                let allowed = could - self.log[from].1 + beside;
                assert!(sum as f64 <= allowed, "{sum} of {allowed}: {:?}", self.log);
            }
        }
    }
}

fn rates() -> impl Strategy<Value = u64> {
    prop_oneof![1024_u64..10_000, 10_000_u64..1_000_000, MIB..200 * MIB]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0_usize..8, 1_usize..300_000).prop_map(|(who, most)| Op::Ask(who, most)),
        1 => (0_usize..8).prop_map(Op::Leave),
        1 => (0_usize..8, 0_usize..120).prop_map(|(who, part)| Op::GiveBack(who, part)),
        1 => rates().prop_map(Op::Change),
        4 => (0_u64..60).prop_map(Op::Pass),
        1 => (60_u64..3000).prop_map(Op::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_cap_is_never_exceeded(
        rate in rates(),
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut world = World::new(rate, 8);
        for op in &ops {
            world.carry_out(op);
        }
        world.check();
    }

    /// Whatever was before, and however large the pieces are that they ask for. One that asks for smaller ones than
    /// others, and is away whenever there is something, gets less: as many turns.
    #[test]
    fn all_that_want_more_get_equally_much_and_together_all_there_is(
        rate in 1024_u64..10 * MIB,
        before in prop::collection::vec(op(), 0..60),
        (piece, wants) in (1000_usize..300_000, 1_usize..8),
        ticks in 100_u64..200,
        tick in 1_u64..45,
    ) {
        let mut world = World::new(rate, 8);
        for op in &before {
            world.carry_out(op);
        }
        for who in 0..8 {
            world.carry_out(&Op::Leave(who));
        }
        world.carry_out(&Op::Change(rate));
        // Everybody begins at the same level, and what was granted before is over.
        world.carry_out(&Op::Pass(200));
        world.granted = vec![0; 8];
        world.takers.iter_mut().for_each(|taker| taker.got = None);
        for _ in 0..ticks {
            // Until nobody is granted anything more at this moment.
            loop {
                let mut asking: Vec<usize> =
                    (0..wants).filter(|who| world.takers[*who].asks.is_none()).collect();
                if asking.is_empty() {
                    break;
                }
                // Those that were served first are back first.
                asking.sort_by_key(|who| world.granted[*who]);
                for who in asking {
                    world.carry_out(&Op::Ask(who, piece));
                }
            }
            world.carry_out(&Op::Pass(tick));
        }
        let all: u64 = world.granted.iter().sum();
        let could = rate as f64 * (ticks * tick) as f64 / 1000.0;
        let beside = BESIDE * rate as f64 + 2.0;
        prop_assert!((all as f64) <= could + beside);
        prop_assert!(all as f64 >= could - beside, "{all} of {could}");
        let turn = (0.1 * rate as f64 + 1.0) as u64;
        let got = &world.granted[..wants];
        let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
        prop_assert!(most - least <= 2 * turn, "{got:?}, and a turn is {turn}");
    }
}

/// A group of so many entities, the first half of them in the north.
fn capped(entities: usize, caps: &[(&str, u64)]) -> (Arc<Caps>, Arc<GroupCaps>) {
    let entities = (0..entities).map(|number| {
        let mut one = entity(&format!("e{number}"), "1");
        let site = if number * 2 < entities {
            "north"
        } else {
            "south"
        };
        one.labels = BTreeMap::from([("site".into(), site.into())]);
        Arc::new(one)
    });
    let group = Arc::new(group("adsl", entities.collect()));
    let caps = caps.iter().map(|(on, rate)| model::Cap {
        on: on.parse().unwrap(),
        rate: *rate,
    });
    let caps = Caps::new(&caps.collect::<Vec<_>>());
    (caps.clone(), GroupCaps::new(caps, group))
}

/// Sends as fast as it may until a moment: bytes.
async fn sends(mut pacer: Pacer, until: Instant, piece: usize) -> u64 {
    let mut sent = 0;
    // Without a cap time does not pass.
    while sent < 1 << 31 && Instant::now() < until {
        let Ok(granted) = tokio::time::timeout_at(until, pacer.grant(piece)).await else {
            break;
        };
        pacer.sent(granted);
        sent += granted as u64;
    }
    sent
}

fn near(sent: u64, expected: u64) {
    let off = sent as f64 / expected as f64 - 1.0;
    assert!(
        off.abs() < 0.02,
        "{sent} of {expected}: {:.2} %",
        off * 100.0
    );
}

async fn all(group: &Arc<GroupCaps>, entities: usize, time: Duration) -> Vec<u64> {
    let until = Instant::now() + time;
    let sending =
        (0..entities).map(|entity| tokio::spawn(sends(group.to_entity(entity), until, 64 << 10)));
    let sending: Vec<_> = sending.collect();
    let mut sent = Vec::new();
    for one in sending {
        sent.push(one.await.unwrap());
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn each_of_the_caps_is_kept_to_over_ten_seconds() {
    for rate in [2048, 50_000, 2 * MIB, 100 * MIB] {
        let (_, group) = capped(1, &[("entity:e0", rate)]);
        near(all(&group, 1, 10 * SECOND).await[0], rate * 10);
        let (_, group) = capped(10, &[("group:adsl", rate)]);
        let sent = all(&group, 10, 10 * SECOND).await;
        near(sent.iter().sum(), rate * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn one_under_several_gets_the_least_of_them_and_the_others_what_it_leaves() {
    let caps = [
        ("entity:e0", MIB / 8),
        ("label:site=north", MIB),
        ("group:adsl", 4 * MIB),
    ];
    let (_, group) = capped(8, &caps);
    let sent = all(&group, 8, 10 * SECOND).await;
    near(sent[0], 10 * MIB / 8);
    near(sent[..4].iter().sum(), 10 * MIB);
    near(sent.iter().sum(), 40 * MIB);
    for south in &sent[4..] {
        near(*south, 30 * MIB / 4);
    }
    for north in &sent[1..4] {
        near(*north, (10 * MIB - 10 * MIB / 8) / 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_share_one_equally_and_each_has_its_turn_about_once_a_second() {
    let (_, group) = capped(1000, &[("group:adsl", 2 * MIB)]);
    let until = Instant::now() + 10 * SECOND;
    let mut sending = Vec::new();
    for entity in 0..1000 {
        let mut pacer = group.to_entity(entity);
        sending.push(tokio::spawn(async move {
            let (mut sent, mut longest, mut last) = (0, Duration::ZERO, Instant::now());
            while let Ok(granted) = tokio::time::timeout_at(until, pacer.grant(64 << 10)).await {
                pacer.sent(granted);
                sent += granted as u64;
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
            (sent, longest)
        }));
    }
    let mut all = Vec::new();
    for one in sending {
        all.push(one.await.unwrap());
    }
    near(all.iter().map(|(sent, _)| sent).sum(), 20 * MIB);
    let (least, most) = (all.iter().min().unwrap().0, all.iter().max().unwrap().0);
    assert!(
        most - least <= 2 * (2 * MIB / 1000 + 1),
        "{least} to {most}"
    );
    let longest = all.iter().map(|(_, longest)| *longest).max().unwrap();
    assert!(longest < SECOND * 3 / 2, "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_rate_holds_from_then_on() {
    let (caps, group) = capped(1, &[("entity:e0", MIB)]);
    let on: Capped = "entity:e0".parse().unwrap();
    for (from, to) in [
        (Some(MIB), Some(16 * MIB)),
        (Some(16 * MIB), Some(1024)),
        (Some(1024), Some(64 * MIB)),
        (Some(64 * MIB), None),
        (None, Some(MIB)),
    ] {
        caps.set(on.clone(), from);
        let mut pacer = group.to_entity(0);
        let granted = pacer.grant(usize::MAX / 2).await;
        // Sent in part.
        pacer.sent(granted / 2);
        caps.set(on.clone(), to);
        let begin = Instant::now();
        let mut sent = 0_u64;
        let until = begin + SECOND / 10;
        while let Ok(granted) = tokio::time::timeout_at(until, pacer.grant(64 << 10)).await {
            pacer.sent(granted);
            sent += granted as u64;
            if sent > 100 * MIB {
                break;
            }
        }
        match to {
            Some(to) => {
                // A tenth of a second, and what goes beside; what came before is waited for at most as long.
                assert!(
                    sent as f64 <= to as f64 * 0.25 + 2.0,
                    "{from:?} to {to}: {sent}"
                );
                let takes_effect = sent as f64 >= to as f64 * 0.03;
                assert!(
                    takes_effect || from.is_none_or(|from| from < 5000),
                    "{from:?} to {to}: {sent}"
                );
            }
            None => assert!(sent > 100 * MIB, "{sent}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_let_go_at_once_where_the_cap_is_lifted_or_raised() {
    for to in [None, Some(100 * MIB)] {
        let (caps, group) = capped(50, &[("group:adsl", 1024)]);
        let until = Instant::now() + 2 * SECOND;
        let sending: Vec<_> = (0..50)
            .map(|entity| tokio::spawn(sends(group.to_entity(entity), until, 1 << 20)))
            .collect();
        sleep(SECOND).await;
        caps.set("group:adsl".parse().unwrap(), to);
        for one in sending {
            assert!(one.await.unwrap() > 100_000, "{to:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_granted_to_one_that_leaves_goes_to_the_others() {
    let (_, group) = capped(3, &[("group:adsl", 100_000), ("entity:e1", 1024)]);
    // Waits at the cap of the group, with a grant of its own.
    let mut first = group.to_entity(0);
    assert_eq!(first.grant(100_000).await, 5000);
    for _ in 0..20 {
        let mut left = group.to_entity(1);
        assert!(
            timeout(Duration::from_millis(1), left.grant(100_000))
                .await
                .is_err()
        );
    }
    let mut stays = group.to_entity(1);
    assert!(stays.grant(100_000).await > 0, "its own cap is not used up");
    drop(first);
    let begin = Instant::now();
    let mut third = group.to_entity(2);
    assert_eq!(third.grant(100_000).await, 5000);
    assert!(
        begin.elapsed() < Duration::from_millis(75),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn waits_are_counted_by_whose_cap_it_is() {
    let held = Arc::new(HeldMeter::default());
    let (_, group) = capped(2, &[("entity:e0", MIB)]);
    let pacer = group.to_entity(0).counted_by(held.clone());
    sends(pacer, Instant::now() + SECOND, 1 << 16).await;
    // The stopwatch goes by the clock of the host, which no test moves.
    assert!(held.totals()[1..].iter().all(Duration::is_zero));
    assert!(held.total() > Duration::ZERO && held.common().is_zero());
    let held = Arc::new(HeldMeter::default());
    let (_, group) = capped(1, &[("label:site=north", MIB)]);
    let pacer = group.to_entity(0).counted_by(held.clone());
    sends(pacer, Instant::now() + SECOND, 1 << 16).await;
    assert!(
        held.common() > Duration::ZERO,
        "all of the group have the label"
    );
}
