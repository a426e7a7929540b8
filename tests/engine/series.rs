//! The past that an engine keeps of its groups and its run, for those that come late.

use std::sync::Arc;

use crate::support::run::Run;
use crate::support::{GROUP, LONG, behave, lab, network, takes_at, within};
use subtend::model::Series;
use subtend::model::series::{Class, Point};
use subtend::protocol::Snapshot;

const MIB: u64 = 1 << 20;

fn sum(series: &Series, of: fn(&Point) -> u64) -> u64 {
    series.points().iter().map(of).sum()
}

/// Once that many groups have come, and all have ended.
async fn ended(run: &Run, groups: usize) -> Arc<Snapshot> {
    let mut snapshots = run.link.snapshots.clone();
    let wanted = |now: &Arc<Snapshot>| now.groups.len() == groups && !now.is_busy();
    let snapshot = within(LONG, snapshots.wait_for(wanted)).await.unwrap();
    snapshot.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_series_of_a_run_has_every_byte_and_the_next_run_has_its_own() {
    let (mut inventory, mut settings) = network(3, 4 * MIB);
    inventory.memory = MIB;
    behave(&mut settings, "*", takes_at(2 * MIB));
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let first = ended(&run, 1).await;
    let of_group = first.groups[0].series.clone();
    for series in [&first.series, &of_group] {
        assert_eq!(sum(series, |one| one.read), 4 * MIB);
        assert_eq!(sum(series, |one| one.delivered), 3 * 4 * MIB);
        assert!(series.points().len() >= 2, "{series:?}");
        let most = series.points().iter().map(|one| one.depth).max();
        assert!((1..=MIB).contains(&most.unwrap()), "{series:?}");
        assert!(series.points().iter().any(|one| one.filled > 0));
        let counts = series.newest().unwrap().counts;
        let done = counts.get(Class::Proven) + counts.get(Class::Unproven);
        assert_eq!((done, counts.all()), (3, 3));
    }

    run.force(&[GROUP]).await;
    let second = ended(&run, 2).await;
    assert_eq!(second.groups[0].series, of_group, "it has ended");
    assert_eq!(sum(&second.series, |one| one.delivered), 3 * 4 * MIB);
    let counts = second.series.newest().unwrap().counts;
    assert_eq!(counts.all(), 3, "entities of this run alone");
    run.finish().await;
    lab.stop().await;
}
