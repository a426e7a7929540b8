//! The making of snapshots, to be measured (`cli/drawing.rs`): a group at work without a network.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agent::GroupMeters;
use crate::campaign::{Course, Terms};
use crate::caps::Caps;
use crate::model::{EntityState, Inventory, Step};
use crate::protocol::{Event, Snapshot};

use super::state::{GroupStart, GroupState};

/// A group that is sent to.
pub(crate) struct Sending {
    state: GroupState,
    memory: u64,
}

impl Sending {
    /// The first group of an inventory, all of it being sent to; `None` where there is no group.
    pub(crate) fn of(inventory: &Inventory) -> Option<Self> {
        let group = inventory.groups.first()?.clone();
        let names: Vec<_> = group.entities.iter().map(|one| one.name.clone()).collect();
        let meters = GroupMeters::new(&group, &Caps::new(&[]));
        let course = Course::new(Terms::of(&group, &[]), 0);
        let mut state = GroupState::new(GroupStart {
            course: Arc::new(Mutex::new(course)),
            group,
            meters,
            cancel: CancellationToken::new(),
            force: false,
            depth: watch::channel(32).0,
            buffer_size: 256 << 10,
        });
        let (at, of) = (Timestamp::now(), state.group.name.clone());
        state.sized(1 << 30);
        state.apply(&mut Event::Pass {
            at,
            group: of.clone(),
            pass: 1,
            source: "hq".into(),
            offset: 0,
            entities: names.clone(),
            read: None,
        });
        for entity in names {
            state.apply(&mut Event::State {
                runs: None,
                at,
                group: of.clone(),
                entity,
                state: EntityState::Sending,
                step: Some(Step::Send),
                cause: None,
                attempt: 1,
                holds: None,
                verified: None,
            });
        }
        Some(Self {
            state,
            memory: inventory.memory,
        })
    }

    /// Every entity has got some more, each another number of bytes.
    pub(crate) fn go_on(&self) {
        for (entity_index, meter) in self.state.meters.entities.iter().enumerate() {
            meter.add_sent((16 << 20) + 4096 * (entity_index % 64));
        }
    }

    /// How it stands, as the engine publishes it.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        Snapshot {
            at: Timestamp::now(),
            run: "bench".into(),
            memory: self.memory,
            pool_bytes: 0,
            peak_pool_bytes: 0,
            groups: vec![Arc::new(self.state.snapshot())],
            series: Arc::default(),
        }
    }
}
