//! That a series stays small and loses nothing that it promises to keep.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn counts(proven: u32, waiting: u32) -> Counts {
    let mut counts = Counts::default();
    counts.0[Class::Proven as usize] = proven;
    counts.0[Class::Waiting as usize] = waiting;
    counts
}

/// Milliseconds after the sample before, some of them long ones, and the sample.
fn samples() -> impl Strategy<Value = Vec<(u64, Sample)>> {
    let pause = prop_oneof![
        6 => 0_u64..400,
        3 => 400_u64..3000,
        1 => 0_u64..40_000_000,
    ];
    let sample = (
        0_u64..1 << 40,
        0_u64..1 << 40,
        0_u64..1 << 30,
        0_u32..99,
        0_u32..99,
    );
    let sample = sample.prop_map(|(read, delivered, filled, proven, waiting)| Sample {
        read,
        delivered,
        filled,
        depth: filled * 2,
        counts: counts(proven, waiting),
    });
    vec((pause, sample), 0..900)
}

fn series(samples: &[(u64, Sample)]) -> Series {
    let (mut series, mut at) = (Series::default(), 0);
    for (pause, sample) in samples {
        at += pause;
        series.push(Duration::from_millis(at), sample);
    }
    series
}

/// As it comes out of the other end of a socket.
fn carried(known: &Series, now: &Series) -> Series {
    match now.since(known) {
        None => known.clone(),
        Some(change) => {
            let text = serde_json::to_string(&change).unwrap();
            let change = serde_json::from_str(&text).unwrap();
            known.with(change).unwrap()
        }
    }
}

proptest! {
    #[test]
    fn it_is_bounded_its_times_rise_and_bytes_and_maxima_are_kept(samples in samples()) {
        let series = series(&samples);
        prop_assert!(series.points.len() <= MOST);
        prop_assert!(series.points.is_sorted_by(|one, next| one.slot < next.slot));
        let sum = |of: fn(&Point) -> u64| series.points.iter().map(of).sum::<u64>();
        let given = |of: fn(&Sample) -> u64| samples.iter().map(|(_, one)| of(one)).sum::<u64>();
        prop_assert_eq!(sum(|one| one.read), given(|one| one.read));
        prop_assert_eq!(sum(|one| one.delivered), given(|one| one.delivered));
        let most = series.points.iter().map(|one| one.filled).max();
        prop_assert_eq!(most, samples.iter().map(|(_, one)| one.filled).max());
        let newest = series.newest().map(|one| one.counts);
        prop_assert_eq!(newest, samples.last().map(|(_, one)| one.counts));
        for point in &series.points {
            let (begins, ends) = series.span(point);
            prop_assert!(begins <= ends && ends <= series.until());
        }
    }

    #[test]
    fn the_same_samples_make_the_same_series_however_it_is_carried(
        samples in samples(), cut in 0.0..1.0_f64
    ) {
        let whole = series(&samples);
        let cut = (samples.len() as f64 * cut) as usize;
        let early = series(&samples[..cut]);
        prop_assert_eq!(&carried(&early, &whole), &whole);
        prop_assert_eq!(&carried(&Series::default(), &whole), &whole);
        // Of another run, or of an engine that is another one.
        prop_assert_eq!(&carried(&whole, &early), &early);
        // Sample by sample, as one who watches gets it.
        let (mut engine, mut seen, mut at) = (Series::default(), Series::default(), 0);
        for (pause, sample) in &samples {
            at += pause;
            engine.push(Duration::from_millis(at), sample);
            if sample.read % 3 == 0 {
                seen = carried(&seen, &engine);
            }
        }
        prop_assert_eq!(&engine, &whole);
        prop_assert_eq!(&carried(&seen, &engine), &whole);
    }
}

#[test]
fn a_steady_rate_is_steady_in_every_point_at_every_length() {
    let mut series = Series::default();
    for step in 1..=36_000_u64 {
        let sample = Sample {
            read: 70,
            delivered: 700,
            ..Sample::default()
        };
        // A look every 70 ms, which fits no slot.
        series.push(Duration::from_millis(step * 70), &sample);
        if step % 997 != 0 {
            continue;
        }
        for point in &series.points {
            let (begins, ends) = series.span(point);
            let rate = point.read as f64 / (ends - begins).as_secs_f64().max(0.001);
            let is_short = ends - begins < Duration::from_millis(100);
            assert!(is_short || (rate - 1000.0).abs() < 25.0, "{rate} {point:?}");
        }
    }
    assert_eq!(series.interval(), Duration::from_secs(16), "of 42 minutes");
}

#[test]
fn a_clock_that_jumps_does_no_harm() {
    let mut series = Series::default();
    let sample = Sample {
        read: 5,
        ..Sample::default()
    };
    let times = [10, 3, 0, u64::MAX, 7, u64::MAX - 1];
    for at in times {
        series.push(Duration::from_secs(at), &sample);
    }
    assert_eq!(series.points.iter().map(|one| one.read).sum::<u64>(), 30);
    assert!(series.points.len() <= 2);
    assert_eq!(series.until(), Duration::from_millis(u64::MAX));
}

#[test]
fn a_pause_costs_no_points_and_what_is_new_costs_little() {
    let mut series = Series::default();
    let sample = Sample {
        read: 1 << 20,
        delivered: 20 << 20,
        filled: 2 << 20,
        depth: 4 << 20,
        counts: counts(20, 0),
    };
    for second in 0..100 {
        series.push(Duration::from_secs(second), &sample);
    }
    let before = series.clone();
    series.push(Duration::from_secs(100_000), &sample);
    assert_eq!(series.points.len(), 101);
    let change = serde_json::to_string(&series.since(&before).unwrap()).unwrap();
    assert!(change.len() < 140, "{change}");
    let whole = serde_json::to_string(&series.since(&Series::default()).unwrap()).unwrap();
    assert!(whole.len() < 101 * 64, "{}", whole.len());
    assert_eq!(series.since(&series), None);
}

#[test]
fn a_change_that_does_not_follow_is_refused() {
    let one = series(&[(0, Sample::default()), (5000, Sample::default())]);
    let more = series(&[
        (0, Sample::default()),
        (5000, Sample::default()),
        (9000, Sample::default()),
    ]);
    let change = more.since(&one).unwrap();
    assert_eq!(Series::default().with(change), None);
}

#[test]
fn every_state_has_its_class() {
    use crate::model::Verified;
    let of = |state, verified| Class::of(Standing::of(state, verified));
    for state in EntityState::ALL {
        let class = of(state, Verified::Digest);
        let is_final = !matches!(class, Class::Waiting | Class::UnderWay);
        assert_eq!(is_final, state.is_final(), "{state}");
        let is_good = matches!(class, Class::Proven | Class::Skipped);
        assert_eq!(is_good, state.is_success(), "{state}");
    }
    assert_eq!(of(EntityState::Delivered, Verified::Size), Class::Unproven);
    let all = EntityState::ALL.map(|state| Standing::of(state, Verified::None));
    let counts = Counts::of(all.into_iter());
    assert_eq!(counts.all() as usize, all.len());
    assert_eq!(counts.get(Class::Unproven), 1);
}
