//! All histories of one entity, the longest wait that can be written, and many entities at one time.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn roll(at_most: Duration, first: Duration) -> Roll {
    Roll::new(Offline::Wait { at_most, first }, 7).unwrap()
}

/// What is next for one that was missed; else how long it was waited for.
fn waits(missed: Missed) -> Result<Duration, (Duration, u32)> {
    match missed {
        Missed::Waits { next, .. } => Ok(next),
        Missed::Over { waited, asked } => Err((waited, asked)),
    }
}

#[test]
fn nobody_is_waited_for_where_that_is_not_asked_for() {
    assert!(Roll::new(Offline::Fail, 7).is_none());
}

/// With the default first interval, to the end: 1 min, 2 min, … 12 h, 12 h, …, 14 days.
#[test]
fn one_that_never_comes_is_asked_less_and_less_often_and_last_when_the_time_is_over() {
    let (at_most, first) = (14 * DAY, Offline::FIRST);
    let mut roll = roll(at_most, first);
    let start = Instant::now();
    let (mut now, mut asks) = (start, 0);
    let mut missed = roll.missed(3, now);
    let (waited, asked) = loop {
        let next = match waits(missed) {
            Ok(next) => next,
            Err(over) => break over,
        };
        let longest = first
            .saturating_mul(2_u32.saturating_pow(asks))
            .min(Offline::LONGEST);
        let left = at_most - (now - start);
        assert!(next <= longest.min(left), "{asks}: {next:?}");
        assert!(
            next >= (longest - longest / 8).min(left),
            "{asks}: {next:?}"
        );
        assert_eq!(roll.next(), Some(now + next));
        assert!(roll.due(now + next - Duration::from_millis(1)).is_empty());
        now += next;
        assert_eq!(roll.due(now), [3]);
        // It is asked once, however often that is looked at.
        assert_eq!((roll.due(now), roll.next()), (Vec::new(), None));
        asks += 1;
        missed = roll.missed(3, now);
    };
    assert_eq!((waited, asked), (at_most, asks));
    assert_eq!(now - start, at_most);
    // Ten that grow, and two a day.
    assert!((36..=44).contains(&asks), "{asks}");
    assert!(roll.is_empty() && !roll.has(3));
    let words = Missed::Over { waited, asked }.words();
    let expected =
        format!("it was waited for as long as it may be: 14 d, and asked {asks} times meanwhile");
    assert_eq!(words, expected);
}

#[test]
fn a_first_interval_of_nothing_does_not_make_it_spin() {
    let mut roll = roll(SECOND, Duration::ZERO);
    let (mut now, mut asks) = (Instant::now(), 0);
    while let Ok(next) = waits(roll.missed(0, now)) {
        assert!(next > Duration::ZERO);
        now += next;
        assert_eq!(roll.due(now), [0]);
        asks += 1;
    }
    // 100 ms, 200 ms, 400 ms, and what is left.
    assert_eq!(asks, 4);
}

/// What can happen to one when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Nobody answers, after this time.
    Nobody(Duration),
    /// Somebody answers, and after this time it turns out that it can't be reached.
    Knocks(Duration),
    /// It is reached, and goes away again after a while.
    Reached,
}

const ASKS: [Ask; 5] = [
    Ask::Nobody(Duration::ZERO),
    Ask::Nobody(Duration::from_secs(10)),
    Ask::Knocks(Duration::ZERO),
    // It has waited for its window.
    Ask::Knocks(Duration::from_secs(20 * 24 * 3600)),
    Ask::Reached,
];

/// Plays one history, and compares it with what a model of it says.
fn play(history: &[Ask], (at_most, first, before): (Duration, Duration, Option<Duration>)) -> u32 {
    let mut roll = roll(at_most, first);
    let mut now = Instant::now();
    let (mut waited, mut asked) = (before.unwrap_or_default(), 0);
    let mut interval = first.clamp(SHORTEST, Offline::LONGEST);
    let mut missed = match before {
        Some(before) => {
            roll.expect(0, before, now);
            None
        }
        None => Some(roll.missed(0, now)),
    };
    for ask in history {
        assert!(roll.has(0) && roll.waits(0) && !roll.is_empty());
        let next = match missed {
            None => Duration::ZERO,
            Some(missed) => match waits(missed) {
                Ok(next) => next,
                Err(over) => panic!("it is over too early: {over:?} of {at_most:?}, {history:?}"),
            },
        };
        if missed.is_some() {
            let left = at_most - waited;
            assert!(
                next <= interval.min(left),
                "{next:?} of {interval:?}: {history:?}"
            );
            assert!(
                next >= (interval - interval / 8).min(left),
                "{next:?}: {history:?}"
            );
            assert!(next > Duration::ZERO, "it spins: {history:?}");
            interval = (interval * 2).min(Offline::LONGEST);
        }
        assert_eq!(roll.next(), Some(now + next));
        (now, waited) = (now + next, waited + next);
        assert_eq!(roll.due(now), [0], "{history:?}");
        assert!(
            roll.due(now + 100 * DAY).is_empty(),
            "it is asked already: {history:?}"
        );
        asked += 1;
        match *ask {
            Ask::Nobody(after) => (now, waited) = (now + after, waited + after),
            Ask::Knocks(after) => {
                roll.answered(0, now);
                assert!(roll.has(0) && !roll.waits(0) && roll.is_empty());
                assert!(
                    roll.due(now + 100 * DAY).is_empty(),
                    "it is worked on: {history:?}"
                );
                now += after;
            }
            Ask::Reached => {
                roll.answered(0, now);
                roll.strike(0);
                assert!(!roll.has(0) && roll.is_empty());
                now += 30 * DAY;
                (waited, asked) = (Duration::ZERO, 0);
                interval = first.clamp(SHORTEST, Offline::LONGEST);
            }
        }
        let came = roll.missed(0, now);
        if waited >= at_most {
            assert_eq!(waits(came), Err((waited, asked)), "{history:?}");
            assert!(!roll.has(0) && roll.is_empty());
            return asked;
        }
        assert!(
            waits(came).is_ok(),
            "{came:?} after {waited:?}: {history:?}"
        );
        missed = Some(came);
    }
    asked
}

/// All of them, of up to six questions, with short and with long waits, known before or not.
#[test]
fn in_all_histories_one_is_asked_in_turn_and_no_longer_than_it_may_be() {
    let mut histories = 0;
    for rules in [
        (3 * SECOND, SECOND, None),
        (60 * SECOND, SECOND, None),
        (60 * SECOND, SECOND, Some(45 * SECOND)),
        // It has waited long enough in an earlier engine: it is asked once.
        (60 * SECOND, SECOND, Some(DAY)),
        (14 * DAY, 5 * 3600 * SECOND, None),
        (14 * DAY, Offline::FIRST, Some(DAY)),
    ] {
        for length in 1..=6_u32 {
            for number in 0..ASKS.len().pow(length) {
                let ask = |place| ASKS[number / ASKS.len().pow(place) % ASKS.len()];
                let history: Vec<Ask> = (0..length).map(ask).collect();
                play(&history, rules);
                histories += 1;
            }
        }
    }
    println!("{histories} histories");
    assert_eq!(histories, 6 * 19_530);
    let long_ago = (60 * SECOND, SECOND, Some(DAY));
    assert_eq!(play(&[ASKS[0]], long_ago), 1);
}

#[test]
fn an_earlier_engine_has_waited_too() {
    let mut roll = roll(10 * SECOND, SECOND);
    let now = Instant::now();
    roll.expect(5, 8 * SECOND, now);
    assert_eq!((roll.next(), roll.due(now)), (Some(now), vec![5]));
    assert_eq!(
        waits(roll.missed(5, now)).map(|next| next <= SECOND),
        Ok(true)
    );
    let now = now + SECOND;
    assert_eq!(roll.due(now), [5]);
    let next = waits(roll.missed(5, now)).unwrap();
    assert_eq!(next, SECOND, "no more than what is left");
    let now = now + next;
    assert_eq!(roll.due(now), [5]);
    assert_eq!(waits(roll.missed(5, now)), Err((10 * SECOND, 3)));
}

proptest! {
    /// Those that went together are not asked together, and each by its own time.
    #[test]
    fn many_are_asked_each_by_its_own_time(chance: u64, entities in 2_usize..300) {
        let wait = Offline::Wait { at_most: DAY, first: 60 * SECOND };
        let mut roll = Roll::new(wait, chance).unwrap();
        let start = Instant::now();
        let mut due: Vec<Duration> = (0..entities)
            .map(|entity| waits(roll.missed(entity, start)).unwrap())
            .collect();
        let mut asked = Vec::new();
        while let Some(at) = roll.next() {
            let first = due.iter().min().copied();
            prop_assert_eq!(Some(at - start), first);
            for entity in roll.due(at) {
                prop_assert_eq!(Some(due[entity]), first);
                due[entity] = Duration::MAX;
                asked.push(entity);
            }
        }
        asked.sort_unstable();
        prop_assert_eq!(asked, (0..entities).collect::<Vec<_>>());
    }
}

#[test]
fn they_are_spread() {
    let mut roll = roll(DAY, 80 * SECOND);
    let now = Instant::now();
    let mut next: Vec<Duration> = (0..200)
        .map(|entity| waits(roll.missed(entity, now)).unwrap())
        .collect();
    next.sort_unstable();
    next.dedup();
    assert_eq!(next.len(), 200);
    let (least, most) = (next[0], next[199]);
    assert!(
        least >= 70 * SECOND && most <= 80 * SECOND,
        "{least:?} {most:?}"
    );
    assert!(most - least > 8 * SECOND, "{least:?} {most:?}");
}
