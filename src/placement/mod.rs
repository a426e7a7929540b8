//! How a file comes to stand, whole, under its final name on an entity, and what the entity holds
//! meanwhile (promises 3 and 4). No I/O and no protocol: FTP, and what comes after it, drive the same
//! decisions.
//!
//! The decisions are written as straight code over [`Hands`], seven questions that an entity can be
//! asked; each is asked, answered, and nothing else happens between two of them. A process that is
//! killed, or a run that is cancelled, is a future that is dropped at one of these points, so the
//! tests can walk every history: `histories` asks a model entity, whose every answer can be any of
//! those that real devices give.
//!
//! - `prepare`: before a byte is sent: what earlier runs left, and that the names are different files
//! - `place`: after the entity has confirmed the file: check, rename, prove
//! - `replace`: where the old image has to be moved aside before that
//! - `rehearse`: what a refused rename means, before the old image is moved aside
//! - `clean`: giving up, and tidying after a run that was cut off
//! - `delivery`: the decisions carried out over a session with an entity
//!
//! Rules that all of it keeps:
//! 1. Nothing is written or deleted under a name that is not known to be another file than the
//!    final one.
//! 2. The final name is changed by a rename of a checked copy, and by nothing else; the old image is
//!    moved aside where the entity can't rename onto it, and removed when the new one is proven.
//! 3. A whole copy is deleted only while another one stands under the final name.
//! 4. After every change of the final name the final name is looked at; what an answer says about
//!    itself is no evidence.

use std::future::Future;

use crate::model::staging::File;
use crate::model::{Failure, Holds, Verified, VerifyMode};
use crate::transport::{How, ImageDigest, Proof, Refusal, RefusalKind, Reply, Seen};

mod clean;
mod delivery;
#[cfg(test)]
mod histories;
mod place;
mod prepare;
mod rehearse;
mod replace;

pub use clean::{Found, Leftover, Use, inspect, tidy};
pub use delivery::{Delivery, Entity, NotOpened, Opened, discard};

/// One entity, as something that answers questions about its files. A question that is answered
/// with an error was lost: what it asked for may have been done or not, and the next one goes over
/// a new session.
pub trait Hands: Send {
    fn look(&mut self, file: File) -> impl Future<Output = Result<Seen, Failure>> + Send;

    /// One answer that there is no such file is not enough where a whole copy could be lost by it: whether three
    /// more say so too. None of them hangs on another's, so they may be asked for at once.
    fn is_surely_absent(
        &mut self,
        file: File,
    ) -> impl Future<Output = Result<bool, Failure>> + Send {
        async move {
            Ok(self.look(file).await? == Seen::Absent
                && self.look(file).await? == Seen::Absent
                && self.modified(file).await?.is_none())
        }
    }

    /// When the file was last changed, in the entity's own words; `None` where it does not say, or
    /// where there is no such file.
    fn modified(
        &mut self,
        file: File,
    ) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    fn delete(&mut self, file: File) -> impl Future<Output = Result<Reply, Failure>> + Send;

    fn rename(
        &mut self,
        from: File,
        to: File,
    ) -> impl Future<Output = Result<Reply, Failure>> + Send;

    /// Stores a file of one byte under a name that is free; `false`: it was refused.
    fn put(&mut self, file: File) -> impl Future<Output = Result<bool, Failure>> + Send;

    fn prove(
        &mut self,
        file: File,
        image: &ImageDigest,
        how: How,
    ) -> impl Future<Output = Result<Proof, Failure>> + Send;

    /// Waits before what was refused for now, or lost, is asked again; `again` counts from 0.
    fn pause(&mut self, again: u32) -> impl Future<Output = ()> + Send;
}

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The data goes to the final name at once.
    pub direct: bool,
    /// The old image may be deleted where it can't be moved aside.
    pub delete_first: bool,
    /// How copies are compared with the image.
    pub verify: VerifyMode,
}

impl Policy {
    /// Whether a copy is looked at at all after the entity has confirmed it.
    fn verifies(self) -> bool {
        self.verify != VerifyMode::None
    }

    fn as_asked(self) -> How {
        How::As(self.verify)
    }
}

/// What is known of the image before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub image: ImageDigest,
    /// An earlier attempt of this run had the file confirmed by this entity, or another run wrote to
    /// it meanwhile, so that the image may be in place already.
    pub may_be_placed: bool,
}

/// What is to be done once everything is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// The image is to be written to this name.
    Write(File),
    /// A whole copy of the image is there already, under this name, and checked.
    Staged(File),
    /// It stands under the final name already.
    Placed(Verified),
}

/// What stands under the final name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// What stood there at the first look.
    AsBefore,
    /// The image, proven as the operator asked.
    Ours,
    Nothing,
    Unknown,
}

/// One attempt to place an image on an entity.
#[derive(Debug, Clone)]
pub struct Placement {
    policy: Policy,
    /// The final name at the first look.
    before: Seen,
    /// When that was last changed; asked only where sizes can't tell two files apart.
    before_modified: Option<String>,
    written: File,
    /// A command that writes was sent.
    begun: bool,
    /// The entity has accepted such a command.
    accepted: bool,
    /// The entity has confirmed the file.
    confirmed: bool,
    /// The written copy was checked, and how.
    checked: Option<Verified>,
    /// The written copy is not the image.
    disproved: bool,
    /// The old image stands under [`File::Aside`].
    aside: bool,
    /// The other staging name, where it was taken when nothing stood under the final one, so that it
    /// may have been the only copy of an image; or where what a rehearsal stored could not be removed.
    other: Option<File>,
    /// What could not be removed beside the image that is in place.
    left: Vec<File>,
    ground: Ground,
}

impl Placement {
    pub fn new(policy: Policy) -> Self {
        let written = if policy.direct {
            File::Final
        } else {
            File::Staging
        };
        Self {
            policy,
            before: Seen::Unknown,
            before_modified: None,
            written,
            begun: false,
            accepted: false,
            confirmed: false,
            checked: None,
            disproved: false,
            aside: false,
            other: None,
            left: Vec::new(),
            ground: Ground::AsBefore,
        }
    }

    /// A file was seen under the final name.
    pub fn has_final(&self) -> bool {
        self.before.is_present()
    }

    /// The name that data goes to.
    pub fn written(&self) -> File {
        self.written
    }

    /// The command that opens the file is about to be sent.
    pub fn begins(&mut self) {
        self.begun = true;
    }

    /// The entity takes the file: from here on something may stand under the name.
    pub fn accepts(&mut self) {
        self.accepted = true;
        if self.policy.direct {
            self.ground = Ground::Unknown;
        }
    }

    /// The entity says that it has stored the whole file.
    pub fn confirms(&mut self) {
        self.confirmed = true;
    }

    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// What may still stand beside the image that is in place.
    pub fn left(&self) -> &[File] {
        &self.left
    }

    /// What the entity holds, as far as is known.
    pub fn holds(&self) -> Holds {
        match self.ground {
            Ground::AsBefore if self.before == Seen::Absent => self.staged_or(Holds::Nothing),
            Ground::AsBefore => Holds::Old,
            Ground::Ours => Holds::New,
            Ground::Nothing => self.staged_or(Holds::Nothing),
            Ground::Unknown => Holds::Unknown,
        }
    }

    fn staged_or(&self, otherwise: Holds) -> Holds {
        let is_whole = self.checked.is_some() && !self.disproved;
        match is_whole && self.written != File::Final {
            true => Holds::NewStaged,
            false => otherwise,
        }
    }
}

/// How many times something is asked again that was refused for now, or lost at a moment at which
/// nothing else can be done before the answer is known.
const AGAIN: u32 = 3;

/// Looks, and again where the answer was lost.
async fn look_again<H: Hands>(hands: &mut H, file: File) -> Result<Seen, Failure> {
    let mut again = 0;
    loop {
        match hands.look(file).await {
            Err(_) if again < AGAIN => hands.pause(again).await,
            answered => return answered,
        }
        again += 1;
    }
}
