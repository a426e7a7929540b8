//! A run of the engine against a lab, watched over the link alone, as every user of it does.

use std::sync::Arc;
use std::time::Duration;

use subtend::campaign::Clock;
use subtend::engine::{ImageManager, Surroundings};
use subtend::lab::Lab;
use subtend::model::{EntityState, Inventory, Logins, Memories, Step};
use subtend::procedure::Means;
use subtend::protocol::{Command, EntitySummary, Event, GroupSpec, Link, Summary, Target};
use subtend::transport::AnyTransport;
use tokio::task::JoinHandle;

use super::{LONG, PATH, within};

/// An engine that runs, and everything that it has reported so far.
pub struct Run {
    pub link: Link,
    task: JoinHandle<()>,
    pub events: Vec<Event>,
}

impl Run {
    /// An engine on the lab's addresses that nobody has asked anything of.
    pub fn idle(inventory: &Inventory) -> Self {
        Self::with_logins(inventory, Logins::default())
    }

    pub fn with_logins(inventory: &Inventory, logins: Logins) -> Self {
        let inventory = Arc::new(inventory.clone());
        let (link, task) = ImageManager::start(inventory, logins, AnyTransport::default());
        Self {
            link,
            task,
            events: Vec::new(),
        }
    }

    /// An engine that knows what earlier runs have delivered.
    pub fn knowing(inventory: &Inventory, memories: Memories) -> Self {
        let (inventory, logins) = (Arc::new(inventory.clone()), Logins::default());
        let means = Means::unwritten(".".into());
        let (link, task) = ImageManager::start_with(
            inventory,
            logins,
            AnyTransport::default(),
            Surroundings::new(memories, means),
        );
        Self {
            link,
            task,
            events: Vec::new(),
        }
    }

    /// An engine whose windows open by this clock.
    pub fn with_clock(inventory: &Inventory, logins: Logins, clock: Arc<dyn Clock>) -> Self {
        let surroundings = Surroundings {
            clock,
            ..Surroundings::new(Memories::default(), Means::unwritten(".".into()))
        };
        let inventory = Arc::new(inventory.clone());
        let transport = AnyTransport::default();
        let (link, task) = ImageManager::start_with(inventory, logins, transport, surroundings);
        Self {
            link,
            task,
            events: Vec::new(),
        }
    }

    /// Ends it as a killed process does.
    pub fn kill(self) {
        self.task.abort();
    }

    /// Starts groups of the inventory.
    pub async fn start(inventory: &Inventory, groups: &[&str]) -> Self {
        let run = Self::idle(inventory);
        run.begin(groups).await;
        run
    }

    pub async fn begin(&self, groups: &[&str]) {
        self.start_groups(groups, false).await;
    }

    /// Entities that have the image get it too.
    pub async fn force(&self, groups: &[&str]) {
        self.start_groups(groups, true).await;
    }

    async fn start_groups(&self, groups: &[&str], force: bool) {
        let named = |name: &&str| GroupSpec::Named((*name).to_owned());
        let groups = groups.iter().map(named).collect();
        self.send(Command::Start { groups, force }).await;
    }

    /// Groups that are made on the spot.
    pub async fn begin_specs(&self, groups: Vec<GroupSpec>) {
        let force = false;
        self.send(Command::Start { groups, force }).await;
    }

    /// Waits until nothing of what was begun runs any more.
    pub async fn until_ended(&mut self) {
        let mut snapshots = self.link.snapshots.clone();
        let ended =
            snapshots.wait_for(|snapshot| !snapshot.groups.is_empty() && !snapshot.is_busy());
        within(LONG, ended).await.expect("the engine goes on");
    }

    pub async fn send(&self, command: Command) {
        self.link.commands.send(command).await.unwrap();
    }

    pub async fn cancel(&self, target: Target) {
        self.send(Command::Cancel { target }).await;
    }

    /// Waits for an event.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        within(LONG, async {
            loop {
                let event = self.link.events.recv().await.expect("the engine goes on");
                self.events.push(event.clone());
                if wanted(&event) {
                    return event;
                }
            }
        })
        .await
    }

    /// Waits until an entity is in a state.
    pub async fn until_state(&mut self, wanted: &str, in_state: EntityState) -> Event {
        self.until(|event| {
            matches!(event, Event::State { entity, state, .. }
                if &**entity == wanted && *state == in_state)
        })
        .await
    }

    /// Waits until something is refused, and gives the reason.
    pub async fn until_refused(&mut self) -> String {
        match self
            .until(|event| matches!(event, Event::Refused { .. }))
            .await
        {
            Event::Refused { reason, .. } => reason,
            other => unreachable!("{other:?}"),
        }
    }

    /// Lets the run end and gives its summary, the last of its events.
    pub async fn finish(self) -> (Summary, Vec<Event>) {
        self.finish_within(LONG).await
    }

    pub async fn finish_within(mut self, limit: Duration) -> (Summary, Vec<Event>) {
        self.send(Command::Finish).await;
        within(limit, async {
            while let Some(event) = self.link.events.recv().await {
                self.events.push(event);
            }
            self.task.await.unwrap();
        })
        .await;
        match self.events.last() {
            Some(Event::Summary(summary)) => (summary.clone(), self.events),
            other => panic!("the last event is {other:?}"),
        }
    }
}

pub fn entity<'a>(summary: &'a Summary, name: &str) -> &'a EntitySummary {
    (summary.groups.iter().flat_map(|group| &group.entities))
        .find(|entity| &*entity.entity == name)
        .unwrap_or_else(|| panic!("{name} is not in the summary"))
}

/// It failed at this step.
pub fn assert_failed<'a>(summary: &'a Summary, name: &str, step: Step) -> &'a EntitySummary {
    let said = entity(summary, name);
    assert_eq!(
        (said.state, said.step),
        (EntityState::Failed, Some(step)),
        "{said:?}"
    );
    said
}

/// Its final name holds the whole image and nothing else is there.
pub fn assert_delivered(lab: &Lab, summary: &Summary, name: &str, image: &str) {
    let said = entity(summary, name);
    assert_eq!(said.state, EntityState::Delivered, "{said:?}");
    assert_eq!(lab.files(name), [PATH], "{name} holds something else too");
    assert!(
        lab.file(name, PATH).unwrap().same_as_image(image),
        "{name} holds other bytes"
    );
}

/// Its final name still holds the old file, and nothing else is there.
pub fn assert_untouched(lab: &Lab, name: &str) {
    assert_eq!(lab.files(name), [PATH], "{name} holds something else too");
    assert_eq!(
        lab.file(name, PATH).unwrap().size(),
        4096,
        "{name} lost its old file"
    );
}
