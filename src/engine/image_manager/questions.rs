//! What is asked of hosts without a run, and passwords that are given.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::engine::state::GroupState;
use crate::inspect::Inspector;
use crate::inventory::secrets;
use crate::model::lookup::Lookup;
use crate::model::text::quoted;
use crate::model::{ImageSpec, Name};
use crate::plan::{Blocker, Footprint, find, find_image, plan, said};
use crate::procedure::Looks;
use crate::protocol::{Event, GroupSpec, Secret};
use crate::transport::Transport;

use super::{Groups, ImageManager, QUESTIONS};

pub(super) const STILL_INSPECTING: &str =
    "another check is under way; wait for its end, or stop it";

impl<T: Transport> ImageManager<T> {
    pub(super) fn probe(&mut self, specs: &[GroupSpec], force: bool) {
        let running = self.footprints();
        // Each for itself: groups that can't run together may still be looked at together.
        let found = specs.iter().map(|spec| {
            plan(&self.inventory, &running, std::slice::from_ref(spec), force).startable()
        });
        let found = found.collect();
        if let Some((inspector, groups)) = self.begin_inspection(found) {
            let looks = Looks {
                transport: self.transport.clone(),
                logins: self.logins.clone(),
                means: self.means.clone(),
                run: self.run.id.clone(),
                cancel: self.asked.cancel_inspections.clone(),
            };
            let probe = inspector.probe(groups, force, Arc::new(looks));
            self.asked.inspections.spawn(probe);
        }
    }

    pub(super) fn verify(&mut self, specs: &[GroupSpec], size_only: bool) {
        let lookup = Lookup::new(&self.inventory);
        let found = specs.iter().map(|spec| Ok(vec![find(&lookup, spec)?]));
        let found = found.collect();
        let written = self.written();
        if let Some((inspector, groups)) = self.begin_inspection(found) {
            self.asked
                .inspections
                .spawn(inspector.verify(groups, size_only, written));
        }
    }

    /// One at a time: they would meet on the same entities.
    pub(super) fn begin_inspection(
        &mut self,
        found: Vec<Result<Groups, Vec<Blocker>>>,
    ) -> Option<(Arc<Inspector<T>>, Groups)> {
        if !self.asked.inspections.is_empty() {
            self.refuse(STILL_INSPECTING.into());
            return None;
        }
        let (mut groups, mut wrong) = (Vec::new(), Vec::new());
        for found in found {
            match found {
                Ok(found) => groups.extend(found),
                Err(blockers) => wrong.extend(blockers),
            }
        }
        if !wrong.is_empty() {
            self.refuse(said(&wrong).join("; "));
            return None;
        }
        self.asked.cancel_inspections = CancellationToken::new();
        Some((self.inspector(&self.asked.cancel_inspections), groups))
    }

    pub(super) fn inspector(&self, cancel: &CancellationToken) -> Arc<Inspector<T>> {
        Arc::new(Inspector {
            transport: self.transport.clone(),
            inventory: self.inventory.clone(),
            logins: self.logins.clone(),
            registry: self.holders.clone(),
            events: self.watchers.events.clone(),
            cancel: cancel.clone(),
        })
    }

    pub(super) fn cancel_inspection(&mut self) {
        self.asked.cancel_inspections.cancel();
        std::mem::take(&mut self.asked.cancel_questions).cancel();
    }

    pub(super) fn inspected(&mut self, answer: Result<Event, tokio::task::JoinError>) {
        match answer {
            Ok(event) => self.tell(event),
            Err(error) => self.refuse(format!("a check broke down: {error}")),
        }
        if self.asked.inspections.is_empty() {
            for (specs, force) in std::mem::take(&mut self.asked.postponed) {
                self.begin(specs, force);
            }
        }
    }

    /// What the groups that run take up.
    pub(super) fn footprints(&self) -> Vec<Footprint> {
        let running = self.groups.iter().filter(|group| !group.is_ended());
        running.map(GroupState::footprint).collect()
    }

    /// The entities that running groups write, and which group does.
    pub(super) fn written(&self) -> HashMap<Name, Name> {
        let running = self.groups.iter().filter(|group| !group.is_ended());
        running
            .flat_map(|group| group.written().map(|name| (name, group.group.name.clone())))
            .collect()
    }

    pub(super) fn ask_peers(&mut self, image: &ImageSpec) {
        let image = match find_image(&self.inventory, image) {
            Ok(image) => image,
            Err(flaw) => return self.refuse(flaw.to_string()),
        };
        let written = self.written();
        let inspector = self.inspector(&self.asked.cancel_questions);
        self.look_up(inspector.peers(image, written));
    }

    pub(super) fn browse(&mut self, server: String, path: String) {
        let inspector = self.inspector(&self.asked.cancel_questions);
        self.look_up(inspector.listing(server.into(), path));
    }

    /// Answers in a task of its own: the manager goes on meanwhile.
    pub(super) fn look_up(&mut self, question: impl Future<Output = Event> + Send + 'static) {
        if self.asked.questions.len() >= QUESTIONS {
            return self.refuse(format!("{QUESTIONS} questions wait for answers; ask later"));
        }
        self.asked.questions.spawn(question);
    }

    /// Groups that are started from now on use the password.
    pub(super) fn log_in(&mut self, credentials: &str, secret: &Secret) {
        let known = self
            .inventory
            .credentials
            .iter()
            .find(|known| &*known.name == credentials);
        let Some(known) = known else {
            return self.refuse(format!(
                "the inventory has no credentials {}",
                quoted(credentials)
            ));
        };
        match secrets::login(known, secret.expose().into()) {
            Ok(login) => {
                Arc::make_mut(&mut self.logins).insert(known.name.clone(), login);
                self.has_secrets();
            }
            Err(error) => self.refuse(error.to_string()),
        }
    }
}
