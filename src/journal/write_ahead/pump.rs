//! What comes from the engine and from agents, on its way to the thread that writes.

use crate::protocol::Event;

use super::{Ask, Message, Pump};

impl Pump {
    pub(super) fn event(&mut self, event: Event) {
        self.locks.follow(&event);
        self.send(Message::Event(event));
    }

    /// What has been reported by now.
    pub(super) fn catch_up(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.event(event);
        }
    }

    /// The manager reports what it did before it publishes it: what a snapshot knows of is in the
    /// channel by now.
    pub(super) fn snapshot(&mut self) {
        let snapshot = self.snapshots.borrow_and_update().clone();
        self.catch_up();
        self.send(Message::Snapshot(snapshot));
    }

    /// The manager reports that a group starts before its agents do anything.
    pub(super) fn answer(&mut self, ask: Ask) {
        self.catch_up();
        match ask {
            Ask::Touch { touch, done } => self.send(Message::Touch { touch, done }),
            Ask::StepBegins { step, done } => self.send(Message::StepBegins { step, done }),
            Ask::StepEnded(step) => self.send(Message::StepEnded(step)),
            Ask::Hold {
                address,
                path,
                for_run,
                done,
            } => {
                // If the requester was cancelled, it goes with the message.
                let _ = done.send(self.locks.take(address, path, for_run));
            }
        }
    }

    /// The thread lives until the end was reported to it.
    pub(super) fn send(&self, message: Message) {
        let _ = self.way_in.send(message);
    }
}
