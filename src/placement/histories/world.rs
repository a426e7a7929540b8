//! A model entity: files under names that it may cut or fold, and every answer that real devices
//! give, chosen by the walk.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::choices::Choices;
use crate::model::staging::File;
use crate::model::{Failure, Fault, Probe, RemotePath, Side, Step, Verified, VerifyMode};
use crate::transport::{
    Compared, Destination, Directory, How, ImageDigest, Listed, NotStored, Proof, Refusal,
    RefusalKind, Remote, Reply, Seen, Sink, Source, Transport,
};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum What {
    Old,
    /// The image of the run.
    New,
    /// The image of another run.
    Newer,
    /// A part of an image.
    Part,
    /// As long as the image, with a wrong byte.
    Spoilt,
}

impl What {
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Old | Self::New | Self::Newer)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Data {
    pub(super) what: What,
    pub(super) modified: u32,
    /// It has stood under the final name, so that it is in flash.
    pub(super) is_fixed: bool,
}

/// What an entity makes of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Exact,
    EightThree,
    Cut(usize),
    Fold,
    /// Whatever is written goes to one place.
    OneSlot,
}

/// What an entity is like, always.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) naming: Naming,
    pub(super) overwrites: bool,
    /// Nothing gets the final name by a rename, also while it is free.
    pub(super) keeps_name: bool,
    pub(super) renames: bool,
    pub(super) deletes: bool,
    pub(super) sizes: bool,
    pub(super) times: bool,
    pub(super) reads: bool,
    /// The old image is as long as the new one.
    pub(super) same_size: bool,
    /// An upload to a name that is taken goes to another name.
    pub(super) uploads_aside: bool,
    /// Uploads that were never under the final name are lost when it restarts.
    pub(super) forgets: bool,
    /// Has an image before.
    pub(super) has_old: bool,
}

pub(super) const GOOD: Kind = Kind {
    name: "good",
    naming: Naming::Exact,
    overwrites: true,
    keeps_name: false,
    renames: true,
    deletes: true,
    sizes: true,
    times: true,
    reads: true,
    same_size: false,
    uploads_aside: false,
    forgets: false,
    has_old: true,
};

/// All that changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Files {
    pub(super) files: BTreeMap<Slot, Data>,
    pub(super) clock: u32,
}

/// What one run of the walk shares.
#[derive(Debug)]
pub(super) struct World {
    pub(super) kind: Kind,
    pub(super) slots: Arc<[(String, Slot)]>,
    pub(super) disk: Files,
    pub(super) choices: Choices,
    /// A process was killed, or a run cancelled while it opened: its future is dropped.
    pub(super) ended: Option<End>,
    /// Whose turn it is, of two that compete.
    pub(super) turn: usize,
    pub(super) competes: bool,
    /// Where a rule was broken: what was wrong.
    pub(super) broken: Option<String>,
    pub(super) log: Option<Vec<String>>,
    /// An answer about what is there was wrong, so that what is said of it may be.
    pub(super) lied: bool,
    pub(super) rules: Rules,
}

/// What must hold at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Rules {
    /// The entity had an image under its final name.
    pub(super) had: Option<What>,
    pub(super) direct: bool,
    /// The operator allows that the old image is lost to the final name.
    pub(super) delete_first: bool,
    /// A whole copy of the image is the only one, as was said.
    pub(super) only_copy: bool,
    /// Of a device that keeps its final name to itself: an answer was wrong that it goes by.
    pub(super) misled: bool,
    /// A wrong byte was accepted by its file's size: nothing else could be had of the entity, or was
    /// asked for, and nothing else was said.
    pub(super) weak: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Killed,
    Cancelled,
}

pub(super) const FINAL: &str = "/flash/image.bin";
const NEW_SIZE: u64 = 90;

/// The place of a file on an entity.
type Slot = u8;

/// Where what nobody asked for goes.
const ELSEWHERE: Slot = Slot::MAX;

/// Which names are one on an entity of this kind.
pub(super) fn slots(kind: Kind, paths: &[String]) -> Arc<[(String, Slot)]> {
    let mut made: Vec<String> = Vec::new();
    let mut slots = Vec::new();
    for path in paths {
        let stands = stands_under(kind.naming, path);
        let at = made
            .iter()
            .position(|one| *one == stands)
            .unwrap_or_else(|| {
                made.push(stands);
                made.len() - 1
            });
        slots.push((path.clone(), Slot::try_from(at).unwrap_or(ELSEWHERE)));
    }
    slots.into()
}

fn stands_under(naming: Naming, path: &str) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name: String = match naming {
        Naming::Exact => name.into(),
        Naming::Fold => name.to_lowercase(),
        Naming::Cut(most) => name.chars().take(most).collect(),
        Naming::OneSlot => "slot".into(),
        Naming::EightThree => {
            let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
            let cut = |text: &str, most| text.chars().take(most).collect::<String>();
            format!("{}.{}", cut(stem, 8), cut(extension, 3)).to_uppercase()
        }
    };
    format!("{directory}/{name}")
}

impl World {
    /// The place of a file, by the name that it was given.
    fn key(&self, path: &str) -> Slot {
        let known = self.slots.iter().find(|(name, _)| name == path);
        known.map_or(ELSEWHERE, |(_, slot)| *slot)
    }

    pub(super) fn at(&self, path: &str) -> Option<Data> {
        self.disk.files.get(&self.key(path)).copied()
    }

    pub(super) fn named(&self) -> Option<What> {
        self.at(FINAL).map(|data| data.what)
    }

    fn size(&self, data: Data) -> u64 {
        match data.what {
            What::New | What::Newer | What::Spoilt => NEW_SIZE,
            What::Old if self.kind.same_size => NEW_SIZE,
            What::Old => 70,
            What::Part => 30,
        }
    }

    pub(super) fn put(&mut self, path: &str, what: What) {
        self.disk.clock += 1;
        let modified = self.disk.clock;
        let key = self.key(path);
        let data = Data {
            what,
            modified,
            is_fixed: key == self.key(FINAL),
        };
        self.disk.files.insert(key, data);
        self.check();
    }

    fn take(&mut self, path: &str) -> Option<Data> {
        let key = self.key(path);
        let taken = self.disk.files.remove(&key);
        self.check();
        taken
    }

    fn moves(&mut self, from: &str, to: &str) -> bool {
        let Some(mut data) = self.at(from) else {
            return false;
        };
        data.is_fixed |= self.key(to) == self.key(FINAL);
        let (from, to) = (self.key(from), self.key(to));
        // At once, as file systems do it.
        self.disk.files.remove(&from);
        self.disk.files.insert(to, data);
        self.check();
        true
    }

    /// The promises that hold at every moment, whichever run did what.
    fn check(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let rules = self.rules;
        let named = self.named();
        // Where every name is one place, the first image can't but be written there.
        let is_excused = self.kind.naming == Naming::OneSlot && rules.had.is_none();
        let is_whole = |what: What| what.is_whole() || rules.weak && what == What::Spoilt;
        if named.is_some_and(|what| !is_whole(what)) && !rules.direct && !is_excused {
            self.broken = Some(format!("the final name holds {named:?}"));
        }
        let others = || self.disk.files.values().map(|data| data.what);
        if rules.had.is_some() && !rules.direct && named.is_none() {
            let kept = others().any(is_whole);
            if !kept {
                self.broken = Some("the entity has less than before".into());
            }
            // However many connections are lost, and wherever it is killed.
            if self.kind.keeps_name && !rules.delete_first && !rules.misled {
                self.broken = Some("the old image can't be put back under its name".into());
            }
        }
        // One that stands under the final name is another copy of an image.
        if named.is_some_and(is_whole) {
            self.rules.only_copy = false;
        }
        let has_new = others().any(|what| what == What::New || what == What::Newer);
        if self.rules.only_copy && !has_new {
            self.broken = Some("the only copy is gone".into());
        }
    }

    fn restart(&mut self) {
        if self.kind.forgets {
            self.disk.files.retain(|_, data| data.is_fixed);
            // What a device forgets by itself is nobody's deed.
            self.rules.only_copy = false;
        }
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(text());
        }
    }
}

/// Shared by the walk and by what it drives.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_world(self) -> World {
        let shared = Arc::into_inner(self.0).expect("nothing else holds the world any more");
        shared.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be wrong with an answer, beside the faults of its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    /// The session is lost before anything is done.
    LostBefore,
    LostAfter,
    ForNow,
    ForGood,
    NotKnown,
    /// It is said to be done, and is not.
    Lie,
    /// It is said to be done, and something else was.
    Elsewhere,
    /// It is said to be refused, and was done.
    RefusedAndDone,
    Spoilt,
    Untold,
}

use Fate::{
    Elsewhere, ForGood, ForNow, Good, Lie, LostAfter, LostBefore, NotKnown, RefusedAndDone, Spoilt,
    Untold,
};

/// A run that writes to the entity.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) shared: Shared,
    pub(super) owner: &'static str,
    pub(super) me: usize,
    pub(super) image: What,
}

impl Model {
    /// Waits for its turn, and for what is to become of this question.
    async fn fate(&self, what: &str, fates: &[Fate]) -> Fate {
        let mut asked = false;
        poll_fn(|_| {
            let mut world = self.shared.lock();
            if world.competes && world.turn != self.me {
                return Poll::Pending;
            }
            if world.ended.is_some() {
                return Poll::Pending;
            }
            if world.competes && !asked {
                asked = true;
                if world.choices.switches() {
                    world.turn = 1 - self.me;
                    return Poll::Pending;
                }
            }
            // Good, each fault, killed, and cancelled.
            let chosen = world.choices.fault(fates.len() + 2);
            let fate = match chosen.checked_sub(1) {
                None => Good,
                Some(at) if at < fates.len() => fates[at],
                Some(at) if at == fates.len() => {
                    world.say(|| format!("{}: killed before {what}", self.owner));
                    world.ended = Some(End::Killed);
                    return Poll::Pending;
                }
                Some(_) => {
                    world.say(|| format!("{}: cancelled before {what}", self.owner));
                    world.ended = Some(End::Cancelled);
                    return Poll::Pending;
                }
            };
            world.rules.misled |=
                world.kind.keeps_name && !matches!(fate, Good | LostBefore | LostAfter | ForNow);
            let named = world.named();
            world.say(|| format!("{}: {what}: {fate:?} (final: {named:?})", self.owner));
            Poll::Ready(fate)
        })
        .await
    }

    fn lost(&self, step: Step) -> Failure {
        self.shared.lock().restart();
        let reason = "lost".into();
        let side = Side::Control;
        Failure::new(step, Fault::Lost { side, reason })
    }
}

fn said(step: Step, code: u16) -> Failure {
    let text = "no".into();
    Failure::new(step, Fault::Reply { code, text })
}

fn refused(step: Step, kind: RefusalKind) -> Reply {
    let code = match kind {
        RefusalKind::ForNow => 450,
        RefusalKind::NotKnown => 502,
        RefusalKind::ForGood | RefusalKind::NoSource => 550,
    };
    let failure = said(step, code);
    Reply::Refused(Refusal { failure, kind })
}

pub(super) struct ModelSink {
    model: Model,
    path: String,
}

#[async_trait]
impl Sink for ModelSink {
    async fn look(&mut self, path: &RemotePath) -> Result<Seen, Failure> {
        // Where whatever is written goes to one place, and the entity does not say that a name is
        // taken, nothing shows it before something is written: no rule can help there.
        let fates: &[Fate] = match self.model.shared.lock().kind.naming {
            Naming::OneSlot => &[LostBefore],
            _ => &[LostBefore, Lie, Untold],
        };
        let fate = self.model.fate("look", fates).await;
        let mut world = self.model.shared.lock();
        let data = world.at(path.as_str());
        let times = world.kind.times;
        let truth = match data {
            Some(data) if world.kind.sizes => Seen::Present {
                size: Some(world.size(data)),
            },
            Some(_) if times => Seen::Present { size: None },
            None if world.kind.sizes || times => Seen::Absent,
            _ => Seen::Unknown,
        };
        match fate {
            LostBefore => {
                drop(world);
                Err(self.model.lost(Step::Prepare))
            }
            Lie if data.is_some() => {
                world.lied = true;
                Ok(Seen::Absent)
            }
            Untold => Ok(Seen::Unknown),
            _ => Ok(truth),
        }
    }

    async fn modified(&mut self, path: &RemotePath) -> Result<Option<String>, Failure> {
        let fate = self.model.fate("modified", &[LostBefore, Lie]).await;
        let world = self.model.shared.lock();
        let data = world.at(path.as_str()).filter(|_| world.kind.times);
        match fate {
            LostBefore => {
                drop(world);
                Err(self.model.lost(Step::Prepare))
            }
            Lie => Ok(None),
            _ => Ok(data.map(|data| data.modified.to_string())),
        }
    }

    async fn delete(&mut self, path: &RemotePath) -> Result<Reply, Failure> {
        let fates = [
            LostBefore,
            LostAfter,
            ForNow,
            ForGood,
            NotKnown,
            Lie,
            RefusedAndDone,
        ];
        let fate = self.model.fate("delete", &fates).await;
        let mut world = self.model.shared.lock();
        world.say(|| format!("  {path}"));
        let step = Step::Discard;
        if !world.kind.deletes && fate == Good {
            return Ok(refused(step, RefusalKind::ForGood));
        }
        let deletes = matches!(fate, Good | LostAfter | RefusedAndDone);
        let was = match deletes {
            true => world.take(path.as_str()),
            false => None,
        };
        drop(world);
        match fate {
            LostBefore | LostAfter => Err(self.model.lost(step)),
            ForNow => Ok(refused(step, RefusalKind::ForNow)),
            ForGood | RefusedAndDone => Ok(refused(step, RefusalKind::ForGood)),
            NotKnown => Ok(refused(step, RefusalKind::NotKnown)),
            Good if was.is_none() => Ok(refused(step, RefusalKind::ForGood)),
            _ => Ok(Reply::Done),
        }
    }

    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<Reply, Failure> {
        let fates = [
            LostBefore,
            LostAfter,
            ForNow,
            ForGood,
            NotKnown,
            Lie,
            Elsewhere,
            RefusedAndDone,
        ];
        let fate = self.model.fate("rename", &fates).await;
        let mut world = self.model.shared.lock();
        world.say(|| format!("  {from} to {to}"));
        let step = Step::Rename;
        let (from, to) = (from.as_str(), to.as_str());
        if fate == Good || matches!(fate, LostAfter | RefusedAndDone | Elsewhere) {
            if !world.kind.renames {
                return Ok(refused(step, RefusalKind::ForGood));
            }
            if world.at(from).is_none() {
                return Ok(refused(step, RefusalKind::NoSource));
            }
            if world.kind.keeps_name && to == FINAL {
                return Ok(refused(step, RefusalKind::ForGood));
            }
            let is_taken = world.at(to).is_some() && world.key(from) != world.key(to);
            if is_taken && !world.kind.overwrites {
                return Ok(refused(step, RefusalKind::ForGood));
            }
        }
        match fate {
            Good | LostAfter | RefusedAndDone => {
                world.moves(from, to);
            }
            // Of the image that is delivered; a device that loses the old one of its own accord can't
            // be helped.
            Elsewhere
                if world.key(from) != world.key(FINAL)
                    && world.at(from).is_some_and(|data| data.what != What::Old) =>
            {
                world.rules.only_copy = false;
                world.moves(from, "/flash/elsewhere");
            }
            _ => {}
        }
        drop(world);
        match fate {
            LostBefore | LostAfter => Err(self.model.lost(step)),
            ForNow => Ok(refused(step, RefusalKind::ForNow)),
            ForGood | RefusedAndDone => Ok(refused(step, RefusalKind::ForGood)),
            NotKnown => Ok(refused(step, RefusalKind::NotKnown)),
            _ => Ok(Reply::Done),
        }
    }

    async fn put(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        let fates = [LostBefore, LostAfter, ForNow, ForGood, Lie, RefusedAndDone];
        let fate = self.model.fate("put", &fates).await;
        let mut world = self.model.shared.lock();
        world.say(|| format!("  {path}"));
        if matches!(fate, Good | LostAfter | RefusedAndDone) {
            let taken = world.kind.uploads_aside && world.at(path.as_str()).is_some();
            let path = format!("{path}{}", if taken { ".1" } else { "" });
            world.put(&path, What::Part);
        }
        drop(world);
        match fate {
            LostBefore | LostAfter => Err(self.model.lost(Step::Open)),
            ForNow | ForGood | RefusedAndDone => Ok(false),
            _ => Ok(true),
        }
    }

    async fn prove(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        let fate = self.model.fate("prove", &[LostBefore, Untold]).await;
        if fate == LostBefore {
            return Err(self.model.lost(Step::Verify));
        }
        let mut world = self.model.shared.lock();
        let untold = || Proof::Untold(said(Step::Verify, 550));
        let data = world.at(path.as_str());
        let (reads, sizes) = match how {
            How::As(VerifyMode::None) => {
                world.rules.weak = true;
                return Ok(Proof::Same(Verified::None));
            }
            How::As(VerifyMode::Size) => (false, true),
            How::As(VerifyMode::Readback) => (true, false),
            How::As(_) => (true, true),
            How::Content => (true, false),
        };
        let Some(data) = data else {
            return Ok(
                match world.kind.sizes || world.kind.times || world.kind.reads {
                    true => Proof::Missing(said(Step::Verify, 550)),
                    false if sizes => Proof::Same(Verified::None),
                    false => untold(),
                },
            );
        };
        if reads && world.kind.reads && fate == Good {
            let is_image = data.what == image_of(image);
            return Ok(match is_image {
                true => Proof::Same(Verified::Readback),
                false => Proof::Other(said(Step::Verify, 551)),
            });
        }
        if !sizes {
            return Ok(untold());
        }
        Ok(match (world.kind.sizes, how) {
            (true, _) if world.size(data) == image.size => {
                world.rules.weak |= data.what == What::Spoilt;
                Proof::Same(Verified::Size)
            }
            (true, _) => Proof::Other(said(Step::Verify, 551)),
            (false, How::As(VerifyMode::Size)) => untold(),
            (false, _) => {
                world.rules.weak |= data.what == What::Spoilt;
                Proof::Same(Verified::None)
            }
        })
    }

    async fn can_rename(&mut self, _: &RemotePath, _: Option<&RemotePath>) -> Result<(), Failure> {
        match self.model.fate("can rename", &[LostBefore]).await {
            LostBefore => Err(self.model.lost(Step::Prepare)),
            _ => Ok(()),
        }
    }

    async fn pause(&mut self, _: u32) {}

    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored> {
        let fates = [LostBefore, LostAfter, ForNow, ForGood];
        let fate = self.model.fate("store", &fates).await;
        let mut world = self.model.shared.lock();
        world.say(|| format!("  {path}"));
        let mut path = path.to_string();
        if world.kind.uploads_aside && world.at(&path).is_some() {
            path.push_str(".1");
        }
        if matches!(fate, Good | LostAfter) {
            world.put(&path, What::Part);
        }
        drop(world);
        self.path = path;
        let not_stored = |failure, may_have_begun| NotStored {
            failure,
            may_have_begun,
        };
        match fate {
            LostBefore => Err(not_stored(self.model.lost(Step::Open), true)),
            LostAfter => Err(not_stored(self.model.lost(Step::Open), true)),
            ForNow => Err(not_stored(said(Step::Open, 450), false)),
            ForGood => Err(not_stored(said(Step::Open, 553), false)),
            _ => Ok(()),
        }
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        match self.model.fate("write", &[LostBefore, ForGood]).await {
            LostBefore => Err(self.model.lost(Step::Send)),
            ForGood => Err(said(Step::Send, 552)),
            _ => Ok(data.len()),
        }
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        let fates = [LostBefore, LostAfter, ForGood, Lie, Elsewhere, Spoilt];
        let fate = self.model.fate("finish", &fates).await;
        let image = self.model.image;
        let mut world = self.model.shared.lock();
        match fate {
            // What another run has deleted meanwhile stays deleted.
            Good | LostAfter if world.at(&self.path).is_some() => world.put(&self.path, image),
            Spoilt => world.put(&self.path, What::Spoilt),
            Lie => {
                world.take(&self.path);
            }
            Elsewhere => {
                world.take(&self.path);
                world.put("/flash/elsewhere", image);
            }
            _ => {}
        }
        drop(world);
        match fate {
            LostBefore | LostAfter => Err(self.model.lost(Step::Confirm)),
            ForGood => Err(said(Step::Confirm, 552)),
            _ => Ok(()),
        }
    }

    fn abort(&mut self) {}

    async fn close(self: Box<Self>) {}
}

/// The image that a digest is of.
fn image_of(image: &ImageDigest) -> What {
    match image.sha256[0] {
        0 => What::New,
        _ => What::Newer,
    }
}

pub(super) fn digest_of(image: What) -> ImageDigest {
    ImageDigest {
        size: NEW_SIZE,
        sha256: [u8::from(image == What::Newer); 32],
    }
}

/// No file is read in these tests.
pub(super) struct NoSource;

#[async_trait]
impl Source for NoSource {
    fn size(&self) -> Option<u64> {
        None
    }

    fn modified(&self) -> Option<&str> {
        None
    }

    async fn read(&mut self, _: &mut [u8]) -> Result<usize, Failure> {
        Ok(0)
    }

    async fn close(self: Box<Self>) {}
}

#[async_trait]
impl Transport for Model {
    fn owner(&self) -> &str {
        self.owner
    }

    async fn open_source(&self, _: &Remote, _: u64) -> Result<Box<dyn Source>, Failure> {
        Ok(Box::new(NoSource))
    }

    async fn open_sink(&self, _: &Destination) -> Result<Box<dyn Sink>, Failure> {
        let model = self.clone();
        match model.fate("connect", &[LostBefore]).await {
            LostBefore => Err(model.lost(Step::Connect)),
            _ => Ok(Box::new(ModelSink {
                model,
                path: String::new(),
            })),
        }
    }

    async fn size_of(&self, _: &Remote) -> Result<Option<u64>, Failure> {
        Ok(None)
    }

    async fn probe(&self, _: &Destination, _: &CancellationToken) -> Result<Probe, Failure> {
        Ok(Probe::default())
    }

    async fn compare(&self, _: &Remote, _: [u8; 32]) -> Result<Compared, Failure> {
        Ok(Compared {
            size: None,
            same: None,
        })
    }

    async fn list(&self, _: &Directory) -> Result<Vec<Listed>, Failure> {
        Ok(Vec::new())
    }
}

/// Names in the order in which they are shown.
pub(super) const FILES: [File; 4] = [File::Final, File::Staging, File::Spare, File::Aside];
