//! Caps that are changed while they are in use.

use jiff::Timestamp;

use crate::agent::lock;
use crate::model::rate::{self, Sharing};
use crate::model::{Capped, Complaint};
use crate::protocol::{Change, Event};
use crate::transport::Transport;

use super::ImageManager;

impl<T: Transport> ImageManager<T> {
    pub(super) fn hold_to(&mut self, on: Capped, rate: Option<u64>) {
        let checked = match rate {
            Some(rate) => self.may_hold_to(&on, rate),
            None => self.is_known(&on),
        };
        if let Err(complaint) = checked {
            return self.refuse(complaint.to_string());
        }
        self.caps.set(on.clone(), rate);
        let at = Timestamp::now();
        let text = rate::held_to(&on, rate);
        if let Capped::Group(group) = on {
            if let Some(state) = self.running(&group) {
                lock(&state.course).hold_to(rate);
            }
            let change = Change::Rate { rate };
            self.tell(Event::Campaign { at, group, change });
        } else {
            if self.runs() {
                self.tell_rate(&on, rate);
            }
            self.changed_rates.insert(on, rate);
        }
        self.tell(Event::Notice { at, text });
    }

    /// A run that begins has all that was changed before it: another engine may go on with it.
    pub(super) fn tell_changed_rates(&self) {
        for (on, rate) in &self.changed_rates {
            self.tell_rate(on, *rate);
        }
    }

    fn tell_rate(&self, on: &Capped, rate: Option<u64>) {
        let (at, on) = (Timestamp::now(), on.clone());
        self.tell(Event::Rate { at, on, rate });
    }

    fn may_hold_to(&self, on: &Capped, rate: u64) -> Result<(), Complaint> {
        rate::check_rate(rate)?;
        self.is_known(on)?;
        let entities = &self.inventory.entities;
        let sharing = match on {
            Capped::FileServer(_) => None,
            Capped::Entity(name) => {
                let named = entities.iter().filter(|one| one.name == *name);
                Sharing::of(named.map(|one| &**one), None)
            }
            Capped::Label { label, value } => Sharing::of(
                self.inventory.labelled(label, value).map(|one| &**one),
                None,
            ),
            Capped::Group(name) => self.running(name).and_then(|state| {
                let of_group = state.group.entities.iter();
                Sharing::of(of_group.map(|one| &**one), state.group.parallel)
            }),
        };
        sharing.map_or(Ok(()), |sharing| sharing.check(rate))
    }

    fn is_known(&self, on: &Capped) -> Result<(), Complaint> {
        let inventory = &self.inventory;
        let (is_known, help) = match on {
            Capped::FileServer(name) => (
                inventory.file_server(name).is_some(),
                "`subtend check` shows what there is",
            ),
            Capped::Entity(name) => (
                inventory.entity(name).is_some(),
                "`subtend check` shows what there is",
            ),
            Capped::Label { label, value } => (
                inventory.labelled(label, value).next().is_some(),
                "no entity has it",
            ),
            Capped::Group(name) => (self.running(name).is_some(), "no such group runs"),
        };
        match is_known {
            true => Ok(()),
            false => Err(Complaint::new(format!("there is no {on}"), help)),
        }
    }
}
