//! What a report says, as plain data: a run as the journal has it, and what follows from that.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::{Counts, EntityRow, GroupRow, RunRow, RunStatus, RunWhole};
use crate::model::names::site_name;
use crate::model::series::Point;
use crate::model::{EntityState, Holds, Series};

/// A run, to be written in one of the formats.
#[derive(Debug, Clone)]
pub struct Report {
    pub site: String,
    pub run: RunRow,
    pub groups: Vec<Group>,
    /// `None`: nothing was written of how the figures went.
    pub series: Option<Series>,
    pub made: Made,
}

/// When a report is made, and in whose time its times are.
#[derive(Debug, Clone)]
pub struct Made {
    pub at: Timestamp,
    pub zone: TimeZone,
}

#[derive(Debug, Clone)]
pub struct Group {
    /// Without its entities.
    pub row: GroupRow,
    pub entities: Vec<Entity>,
    pub counts: Counts,
    /// Bytes that came from sources, and bytes that entities have confirmed.
    pub read: u64,
    pub delivered: u64,
    /// When the last of its entities came to its end; `None`: not all have.
    pub ended: Option<Timestamp>,
    /// The highest rates of reading and of delivering.
    pub peaks: Option<(f64, f64)>,
}

#[derive(Debug, Clone)]
pub struct Entity {
    pub row: EntityRow,
    /// The version that the inventory said of it then.
    pub before: Option<String>,
    /// When it was begun; `None`: it never was.
    pub began: Option<Timestamp>,
}

impl Report {
    pub fn of(whole: RunWhole, made: Made) -> Self {
        let versions = versions(&whole.inventory);
        let groups = whole.groups.into_iter();
        Self {
            site: site(&whole.run),
            groups: groups.map(|group| Group::of(group, &versions)).collect(),
            run: whole.run,
            series: whole.series,
            made,
        }
    }

    /// `None` while it goes on, or where nobody knows when it was cut off.
    pub fn took(&self) -> Option<Duration> {
        Some(between(self.run.started, self.run.ended?))
    }

    pub fn goes_on(&self) -> bool {
        self.run.status == RunStatus::Running
    }

    /// All entities, each with its group and that one's place.
    pub fn entities(&self) -> impl Iterator<Item = (usize, &Group, &Entity)> {
        let groups = self.groups.iter().enumerate();
        groups.flat_map(|(place, group)| group.entities.iter().map(move |one| (place, group, one)))
    }

    /// Those that failed or were rolled back.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &Group, &Entity)> {
        self.entities().filter(|(_, _, one)| one.failed())
    }

    /// Those that have no image for another reason: cancelled, or not come to an end.
    pub fn open(&self) -> impl Iterator<Item = (usize, &Group, &Entity)> {
        let is_open = |one: &Entity| !one.failed() && !one.row.state.is_success();
        self.entities().filter(move |(_, _, one)| is_open(one))
    }
}

impl Group {
    fn of(mut row: GroupRow, versions: &HashMap<String, String>) -> Self {
        let rows = std::mem::take(&mut row.entities).into_iter();
        let entities: Vec<Entity> = rows
            .map(|one| Entity {
                before: versions.get(&one.entity).cloned(),
                began: begun(&one),
                row: one,
            })
            .collect();
        let mut counts = Counts::default();
        for one in &entities {
            counts.add(one.row.state, one.row.verified());
        }
        let points = row.series.as_ref().map_or(&[][..], Series::points);
        let sampled = total(points.iter().map(|point| point.read));
        let passes = total(row.passes.iter().filter_map(|pass| pass.read));
        let peak = |bytes: fn(&Point) -> u64| {
            let series = row.series.as_ref()?;
            rates(series, bytes).map(|(_, rate)| rate).reduce(f64::max)
        };
        let last = entities.iter().map(|one| one.row.at).max();
        Self {
            // A pass that did not end says nothing of what it read.
            read: passes.max(sampled),
            delivered: total(entities.iter().map(|one| one.row.copied.bytes)),
            ended: last.filter(|_| counts.unfinished == 0),
            peaks: peak(|point| point.read).zip(peak(|point| point.delivered)),
            counts,
            entities,
            row,
        }
    }

    pub fn took(&self) -> Option<Duration> {
        Some(between(self.row.started, self.ended?))
    }

    /// Bytes a second over all of its time.
    pub fn rate(&self, bytes: u64) -> Option<f64> {
        let seconds = self.took()?.as_secs_f64();
        (seconds > 0.0).then(|| bytes as f64 / seconds)
    }

    /// The version that an entity has now, as far as that is known.
    pub fn version_now<'a>(&'a self, one: &'a Entity) -> Option<&'a str> {
        let row = &one.row;
        match (&row.runs, row.state, row.holds) {
            (Some(runs), ..) => Some(runs),
            (None, state, _) if state.is_success() => Some(&self.row.version),
            (None, _, Some(Holds::New)) => Some(&self.row.version),
            (None, _, Some(Holds::Old | Holds::NewStaged)) => one.before.as_deref(),
            (None, EntityState::Waiting, None) => one.before.as_deref(),
            _ => None,
        }
    }
}

impl Entity {
    pub fn failed(&self) -> bool {
        matches!(
            self.row.state,
            EntityState::Failed | EntityState::RolledBack
        )
    }

    /// From when it was begun to its end.
    pub fn took(&self) -> Option<Duration> {
        let began = self.began.filter(|_| self.row.state.is_final())?;
        Some(between(began, self.row.at))
    }
}

/// A journal can say anything, and more than there can be.
pub(super) fn total(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.fold(0, u64::saturating_add)
}

fn site(run: &RunRow) -> String {
    let name = site_name(Path::new(&run.inventory_file));
    match name.as_str() {
        // It may be the one that every binary carries.
        "inventory" if run.practice => "practice network".into(),
        _ => name,
    }
}

/// What happened in each slot of a series, a second: with the slot's times. Of a slot that has hardly begun nothing
/// is said, where there is another one.
pub(super) fn rates(
    series: &Series,
    bytes: fn(&Point) -> u64,
) -> impl Iterator<Item = ((Duration, Duration), f64)> {
    let many = series.points().len();
    series.points().iter().filter_map(move |point| {
        let (begins, ends) = series.span(point);
        let time = ends.saturating_sub(begins);
        let is_short = time < series.interval() / 4 && many > 1;
        let rate = bytes(point) as f64 / time.as_secs_f64();
        (!is_short && !time.is_zero()).then_some(((begins, ends), rate))
    })
}

/// When something was first done on it, or said of it that it needs nothing.
fn begun(one: &EntityRow) -> Option<Timestamp> {
    let mut changes = one.changes.iter();
    let first = changes.find(|change| change.state != EntityState::Waiting);
    first.map(|change| change.at)
}

/// By the entity's name, as the inventory was when the run began.
fn versions(inventory: &serde_json::Value) -> HashMap<String, String> {
    let entities = inventory["entities"].as_array().into_iter().flatten();
    let version = |one: &serde_json::Value| {
        let name = one["name"].as_str()?.to_owned();
        Some((name, one["version"].as_str()?.to_owned()))
    };
    entities.filter_map(version).collect()
}

/// None of less than nothing: the clock may have been set back.
fn between(began: Timestamp, ended: Timestamp) -> Duration {
    Duration::try_from(ended.duration_since(began)).unwrap_or_default()
}
