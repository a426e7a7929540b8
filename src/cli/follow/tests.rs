//! When a run that is watched is at an end.

use jiff::Timestamp;

use super::*;
use crate::console::testing::{entity, group};
use crate::protocol::{CampaignSnapshot, GroupPhase, Held, HeldBy, PauseReason, Wait};

/// Those in which an entity has come to no end.
fn left() -> impl Iterator<Item = EntityState> {
    let all = EntityState::ALL.into_iter();
    all.filter(|state| !state.is_final())
}

fn campaign(held: Option<HeldBy>) -> Option<Box<CampaignSnapshot>> {
    let since = Timestamp::UNIX_EPOCH;
    Some(Box::new(CampaignSnapshot {
        waves: Vec::new(),
        wave: 1,
        held: held.map(|by| Held { since, by }),
        untouched: 0,
        offline: 0,
        failed: 0,
        stops_at: None,
        rate: None,
    }))
}

fn holds() -> [HeldBy; 4] {
    [
        HeldBy::Pause(PauseReason::Operator),
        HeldBy::Pause(PauseReason::Asks { wave: 1 }),
        HeldBy::Wait(Wait::Window { until: None }),
        HeldBy::Wait(Wait::Secrets {
            credentials: vec!["craft".into()],
        }),
    ]
}

/// One that has come to an end, and these.
fn one(states: &[EntityState], campaign: Option<Box<CampaignSnapshot>>) -> Arc<GroupSnapshot> {
    let states = [EntityState::Delivered].iter().chain(states);
    let entities = states.map(|state| entity("e1", *state, 0)).collect();
    let mut group = group("adsl", entities);
    group.campaign = campaign;
    Arc::new(group)
}

#[test]
fn nothing_but_waiting_is_left_where_all_wait_and_something_holds_them() {
    for first in left() {
        for second in left() {
            for held in holds().into_iter().map(Some).chain([None]) {
                let group = one(&[first, second], campaign(held.clone()));
                let waits = |state| match state {
                    EntityState::Offline => true,
                    EntityState::Waiting => held.is_some(),
                    _ => false,
                };
                let found = matches!(stand(&[group]), Stand::Waits(_));
                assert_eq!(
                    found,
                    waits(first) && waits(second),
                    "{first} {second} {held:?}"
                );
            }
            // Without a campaign nothing holds them.
            assert_eq!(stand(&[one(&[first, second], None)]), Stand::UnderWay);
        }
    }
}

#[test]
fn all_of_its_groups_count() {
    let waits = one(&[EntityState::Waiting], campaign(Some(holds()[0].clone())));
    let runs = one(&[EntityState::Sending], campaign(None));
    let mut ended = (*one(&[], campaign(None))).clone();
    ended.phase = GroupPhase::Ended(Outcome::Delivered);
    let ended = Arc::new(ended);
    assert_eq!(stand(&[ended.clone(), ended.clone()]), Stand::Over);
    assert_eq!(stand(&[waits.clone(), runs]), Stand::UnderWay);
    let Stand::Waits(why) = stand(&[waits, ended]) else {
        panic!("it waits");
    };
    let [why] = why.as_slice() else {
        panic!("{why:?}");
    };
    assert!(
        why.starts_with("adsl: ") && why.contains("by an operator"),
        "{why}"
    );
    assert!(
        why.ends_with("`subtend resume adsl` lets it go on"),
        "{why}"
    );
    // At its end, before its phase says so.
    assert_eq!(stand(&[one(&[], campaign(None))]), Stand::UnderWay);
}
