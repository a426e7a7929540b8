//! The rulebook: what can be started beside what runs, why not, and what it will need.
//!
//! All ask here: the engine before a start, the command line and `check` before an engine is there, the
//! console's groups page and review before anything is sent. They get typed
//! [`Blocker`]s and [`Finding`]s, which are said in one place; the groups page has words of its own
//! for some, which name the key that helps. Pure: nothing here waits, and only the engine knows all
//! of what runs, so it asks again and has the last word.
//!
//! | file | what |
//! | --- | --- |
//! | `draft` | a group as it is asked for, its names looked up, and what is wrong with it by itself |
//! | `beside` | what can't go on at the same time |
//! | `versions` | what must not be put on what |
//! | `schedule` | when waves may begin, and what fits into a window |
//! | `blocker` | the reasons against a start, and what is to be said about one, in words |
//!
//! What is wrong with a group by itself is a [`Flaw`](crate::model::Flaw). The rules for that are on
//! the model ([`Lookup`]), because the inventory needs them too, to say where in the file they are
//! broken.

mod beside;
mod blocker;
mod draft;
mod schedule;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::lookup::Lookup;
use crate::model::memory::{Layout, check_memory, layout, shares};
use crate::model::procedure::{SessionSpec, Way, WebSpec};
use crate::model::serve::Serve;
use crate::model::{
    Address, CredentialsRef, Entity, Extent, Group, GroupSpec, Inventory, Laggards, Name,
    PeerChoice, SecretSource, SourceChoice, Ssh,
};

pub use beside::{Footprint, beside, left_out};
pub use blocker::{Blocker, Finding, said};
pub use draft::{Chosen, ResolvedDraft, find, find_image, make_group};
pub use schedule::{Pace, PlannedWave, Row, Schedule, schedule};

/// What a start would do and need, or why it can't be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Bytes available for software download.
    pub memory: u64,
    /// Number of groups that run already and share the memory.
    pub running: usize,
    /// Without those that can't be made at all.
    pub groups: Vec<PlannedGroup>,
    /// Why nothing can be started.
    pub blockers: Vec<Blocker>,
    /// What does not stand against a start, and is to be said all the same.
    pub findings: Vec<Finding>,
    /// What is needed to log in, in the order of the inventory.
    pub credentials: Vec<CredentialsRef>,
}

/// One group of it.
#[derive(Debug, Clone)]
pub struct PlannedGroup {
    /// One that reads from any peer has only those that no group writes.
    pub group: Arc<Group>,
    /// The entities that get the image.
    pub send: Vec<Arc<Entity>>,
    /// Those that have it already; empty if it is sent to them all the same.
    pub skip: Vec<Arc<Entity>>,
    /// `None` where the memory does not suffice.
    pub pool: Option<PlannedPool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedPool {
    /// Bytes; the buffers together have no more.
    pub share: u64,
    pub layout: Layout,
}

/// What a start of these groups beside those that run would be. With `force`, entities that have
/// the image get it too.
pub fn plan(
    inventory: &Inventory,
    running: &[Footprint],
    specs: &[GroupSpec],
    force: bool,
) -> Plan {
    let lookup = Lookup::new(inventory);
    let mut plan = Plan {
        memory: inventory.memory,
        running: running.len(),
        groups: Vec::new(),
        blockers: Vec::new(),
        findings: Vec::new(),
        credentials: Vec::new(),
    };
    let mut joining: Vec<Footprint> = Vec::new();
    for spec in specs {
        match find(&lookup, spec) {
            Ok(group) => {
                joining.push(Footprint::of(&group, &group.entities, force));
                let how = lookup.versions(&group.image.type_);
                let one = PlannedGroup::new(group, force);
                (plan.blockers).extend(versions::blockers(&one.group, &one.send, how));
                (plan.findings).extend(versions::finding(&one.group, &one.send, how));
                plan.groups.push(one);
            }
            Err(blockers) => plan.blockers.extend(blockers),
        }
    }
    for (group_index, group) in joining.iter().enumerate() {
        let found = running.iter().filter_map(|other| beside(group, other));
        plan.blockers.extend(found);
        let before = joining[..group_index].iter();
        let found = before.filter_map(|other| beside::together(other, group));
        plan.blockers.extend(found);
    }
    for (one, footprint) in plan.groups.iter_mut().zip(&joining) {
        match left_out(footprint, running.iter().chain(&joining)) {
            Ok(peers) if peers.is_empty() => {}
            Ok(peers) => {
                one.leave_out(&peers);
                let group = one.group.name.clone();
                plan.findings.push(Finding::PeersLeftOut { group, peers });
            }
            Err(blocker) => plan.blockers.push(blocker),
        }
        if one.send.is_empty() {
            let group = one.group.name.clone();
            plan.findings.push(Finding::NothingToSend { group });
        }
        let by = one.fetching();
        if !by.is_empty() {
            let serve = &inventory.serve;
            let waits = one.group.laggards == Laggards::Wait;
            plan.findings.push(Finding::Served {
                group: one.group.name.clone(),
                at: serve.all().collect(),
                by,
                gather: (!waits).then_some(serve.gather),
            });
        }
        let hosts = one.legacy_ssh();
        if !hosts.is_empty() {
            let group = one.group.name.clone();
            plan.findings.push(Finding::LegacySsh { group, hosts });
        }
    }
    share_memory(inventory, &mut plan, running.len() + specs.len());
    log_in(inventory, &mut plan);
    plan
}

/// Those that run stand first in the manager's list, too.
fn share_memory(inventory: &Inventory, plan: &mut Plan, pools: usize) {
    if let Err(error) = check_memory(inventory, pools) {
        plan.blockers.push(Blocker::Memory(error));
        return;
    }
    let joining = shares(inventory.memory, pools)
        .into_iter()
        .skip(plan.running);
    for (group, share) in plan.groups.iter_mut().zip(joining) {
        let layout = layout(share, inventory.buffers);
        group.pool = Some(PlannedPool { share, layout });
    }
}

/// Which credentials are needed, and which passwords can be read on the way.
fn log_in(inventory: &Inventory, plan: &mut Plan) {
    let mut needed: BTreeSet<&Name> = BTreeSet::new();
    let (mut clear, mut clear_sessions) = (BTreeMap::new(), BTreeMap::new());
    let mut clear_webs = BTreeMap::new();
    let mut met = HashSet::new();
    for one in &plan.groups {
        one.contacted(|credentials, address, host| {
            needed.insert(credentials);
            if !address.scheme.is_encrypted() && met.insert((credentials, host)) {
                let hosts: &mut Vec<Name> = clear.entry(credentials).or_default();
                hosts.push(host.clone());
            }
        });
    }
    let mut met = HashSet::new();
    for one in &plan.groups {
        one.sessions(|credentials, way, host| {
            needed.insert(credentials);
            if way == Way::Telnet && met.insert((credentials, host)) {
                let hosts: &mut Vec<Name> = clear_sessions.entry(credentials).or_default();
                hosts.push(host.clone());
            }
        });
    }
    let mut met = HashSet::new();
    for one in &plan.groups {
        one.webs(|credentials, web, host| {
            needed.insert(credentials);
            if !web.scheme.is_encrypted() && met.insert((credentials, host)) {
                let hosts: &mut Vec<Name> = clear_webs.entry(credentials).or_default();
                hosts.push(host.clone());
            }
        });
    }
    for known in &inventory.credentials {
        if !needed.contains(&known.name) {
            continue;
        }
        if known.secret != SecretSource::Empty {
            let credentials = || known.name.clone();
            plan.findings.extend(clear.remove(&known.name).map(|hosts| {
                let credentials = credentials();
                Finding::ClearText { credentials, hosts }
            }));
            plan.findings
                .extend(clear_sessions.remove(&known.name).map(|hosts| {
                    let credentials = credentials();
                    Finding::ClearSession { credentials, hosts }
                }));
            plan.findings
                .extend(clear_webs.remove(&known.name).map(|hosts| {
                    let credentials = credentials();
                    Finding::ClearWeb { credentials, hosts }
                }));
        }
        plan.credentials.push(known.clone());
    }
}

impl Plan {
    /// Nothing is started either where devices would fetch from an address that this program may not listen at, and
    /// `missing_right` says of an address why not.
    pub fn served(
        mut self,
        serve: &Serve,
        missing_right: impl Fn(SocketAddr) -> Option<String>,
    ) -> Self {
        if self.groups.iter().any(|one| !one.fetching().is_empty()) {
            let missing = serve.all().filter_map(|(_, at)| missing_right(at));
            self.blockers
                .extend(missing.map(|why| Blocker::NoRight { why }));
        }
        self
    }

    /// The groups as they are to be started: all, or none.
    ///
    /// # Errors
    /// Every reason why they can't be.
    pub fn startable(self) -> Result<Vec<Arc<Group>>, Vec<Blocker>> {
        match self.blockers.is_empty() {
            true => Ok(self.groups.into_iter().map(|one| one.group).collect()),
            false => Err(self.blockers),
        }
    }
}

impl PlannedGroup {
    fn new(group: Arc<Group>, force: bool) -> Self {
        let entities = group.entities.iter().cloned();
        let (skip, send) = entities.partition(|entity| !force && group.has_image(entity));
        Self {
            group,
            send,
            skip,
            pool: None,
        }
    }

    /// Those that will fetch the image.
    fn fetching(&self) -> Vec<Name> {
        let delivers = self.group.extent != Extent::Activate;
        let fetching = self
            .send
            .iter()
            .filter(|entity| delivers && entity.fetches());
        fetching.map(|entity| entity.name.clone()).collect()
    }

    /// None of these peers is read.
    fn leave_out(&mut self, written: &[Name]) {
        let is_free = |peer: &Arc<Entity>| !written.contains(&peer.name);
        let left = |source: &SourceChoice| match source {
            SourceChoice::FileServer(_) | SourceChoice::File(_) => Some(source.clone()),
            SourceChoice::Peer(PeerChoice::Named(peer)) => is_free(peer).then(|| source.clone()),
            SourceChoice::Peer(PeerChoice::Any(peers)) => {
                let free = peers.iter().filter(|peer| is_free(peer)).cloned();
                Some(SourceChoice::Peer(PeerChoice::Any(free.collect())))
            }
        };
        let mut sources = self.group.sources().filter_map(left);
        if let Some(source) = sources.next() {
            let then = sources.collect();
            self.group = Arc::new(Group {
                source,
                then,
                ..(*self.group).clone()
            });
        }
    }

    /// The hosts that old algorithms of SSH are let in with. The key may come from `defaults`, which
    /// are for hosts of other protocols too.
    fn legacy_ssh(&self) -> Vec<Name> {
        let legacy =
            |ssh: &Ssh, address: &Address| ssh.legacy && address.scheme.takes("ssh_legacy");
        let servers = self.group.file_servers();
        let servers = servers.filter(|server| legacy(&server.ssh, &server.address));
        let entities = self.send.iter().chain(self.group.peers());
        let entities = entities.filter(|entity| legacy(&entity.ssh, &entity.address));
        let servers = servers.map(|server| server.name.clone());
        let mut hosts: Vec<Name> = (servers)
            .chain(entities.map(|entity| entity.name.clone()))
            .collect();
        let session = |entity: &&Arc<Entity>| {
            let session = self.session(entity);
            session.is_some_and(|session| session.ssh.legacy)
        };
        let more = self.send.iter().filter(session).map(|entity| &entity.name);
        let more: Vec<Name> = more.filter(|name| !hosts.contains(name)).cloned().collect();
        hosts.extend(more);
        hosts
    }

    /// The command line that is used of an entity.
    fn session(&self, entity: &Entity) -> Option<&SessionSpec> {
        let procedure = self.group.procedure.as_ref()?;
        procedure.session_of(self.group.extent, entity.fetches())
    }

    /// The command lines that are logged in to, and those whose passwords are typed there.
    fn sessions<'a>(&'a self, mut log_in: impl FnMut(&'a Name, Way, &'a Name)) {
        let Some(procedure) = &self.group.procedure else {
            return;
        };
        for entity in &self.send {
            let Some(session) = self.session(entity) else {
                continue;
            };
            let credentials = session.credentials.as_ref().or(entity.credentials.as_ref());
            let typed = procedure.steps_of(self.group.extent, entity.fetches());
            let typed = typed.flat_map(|(_, step)| step.deed.passwords());
            for credentials in credentials.into_iter().chain(typed) {
                log_in(credentials, session.way, &entity.name);
            }
        }
    }

    /// The web servers that the procedure's `session` names and that something is asked of.
    fn webs<'a>(&'a self, mut log_in: impl FnMut(&'a Name, &'a WebSpec, &'a Name)) {
        let Some(procedure) = &self.group.procedure else {
            return;
        };
        let Some(web) = &procedure.web else {
            return;
        };
        let extent = self.group.extent;
        let asks = |entity: &&Arc<Entity>| procedure.asks_web(extent, entity.fetches());
        for entity in self.send.iter().filter(asks) {
            if let Some(credentials) = web.credentials.as_ref().or(entity.credentials.as_ref()) {
                log_in(credentials, web, &entity.name);
            }
        }
    }

    /// The hosts that are logged in to. Entities that are skipped are not, and at the address of one that fetches
    /// nothing is opened.
    fn contacted<'a>(&'a self, mut log_in: impl FnMut(&'a Name, &'a Address, &'a Name)) {
        for server in self.group.file_servers() {
            if let Some(credentials) = &server.credentials {
                log_in(credentials, &server.address, &server.name);
            }
        }
        let entities = self.send.iter().chain(self.group.peers());
        for entity in entities.filter(|entity| !entity.fetches()) {
            if let Some(credentials) = &entity.credentials {
                log_in(credentials, &entity.address, &entity.name);
            }
        }
    }
}
