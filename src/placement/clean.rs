//! Giving an attempt up, and tidying after a run that was cut off: nothing is removed that may be
//! the only copy of anything.

use super::{File, Ground, Hands, How, Known, Placement, Proof, Reply, Seen, look_again};
use crate::model::{Failure, Fault, Holds, Step};

impl Placement {
    /// Removes what was written, as far as nothing is lost by it. `again`: the entity will be tried
    /// again soon, and can go on from a copy that it has confirmed.
    ///
    /// # Errors
    /// Something stays under [`Placement::written`], and why.
    pub async fn give_up<H: Hands>(&mut self, hands: &mut H, again: bool) -> Result<(), Failure> {
        if self.policy.direct {
            return self.give_up_direct(hands).await;
        }
        if !self.begun || self.aside {
            return Ok(());
        }
        let may_be_whole = self.confirmed && !self.disproved;
        if may_be_whole {
            if self.ground == Ground::Ours {
                return Ok(());
            }
            if again {
                return Err(kept("the next attempt goes on from it"));
            }
            // It is removed beside an image alone, which was there before: one that has come since
            // may be this very file under another name.
            match hands.look(File::Final).await? {
                Seen::Present { .. } if self.before.is_present() => {}
                Seen::Present { .. } => {
                    self.ground = Ground::Unknown;
                    return Err(kept("it may be the only copy"));
                }
                _ => return Err(kept("it may be the only copy")),
            }
        }
        // Whatever becomes of the command, it is no copy to count on any more.
        self.checked = None;
        let reply = hands.delete(self.written).await?;
        match reply {
            Reply::Done => Ok(()),
            Reply::Refused(refusal) => match hands.look(self.written).await? {
                Seen::Absent => Ok(()),
                _ => Err(Failure::new(Step::Discard, refusal.failure.fault)),
            },
        }
    }

    /// Under the final name only the part of a file is removed that this attempt has begun, and
    /// nothing that may be the old image: some entities keep that until a new one is whole.
    async fn give_up_direct<H: Hands>(&mut self, hands: &mut H) -> Result<(), Failure> {
        if !self.accepted || self.confirmed {
            return Ok(());
        }
        let now = hands.look(File::Final).await?;
        let is_part = match self.before {
            Seen::Absent => now.is_present(),
            before => before.differs_in_size(now),
        };
        if !is_part {
            let is_old = now.size().is_some()
                && now == self.before
                && self.before_modified.is_some()
                && self.before_modified == hands.modified(File::Final).await?;
            if is_old {
                self.ground = Ground::AsBefore;
                return Ok(());
            }
            if now == Seen::Absent {
                self.ground = Ground::Nothing;
                return Ok(());
            }
            return Err(kept("it may be the old image"));
        }
        match hands.delete(File::Final).await? {
            Reply::Done => {}
            Reply::Refused(refusal) => {
                return Err(Failure::new(Step::Discard, refusal.failure.fault));
            }
        }
        if hands.look(File::Final).await? == Seen::Absent {
            self.ground = Ground::Nothing;
        }
        Ok(())
    }
}

fn kept(why: &str) -> Failure {
    let why = why.to_owned();
    Failure::new(Step::Discard, Fault::Kept { why })
}

/// What something beside the final name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It can go: an image stands under the final name.
    Litter,
    /// The old image, with nothing under the final name: it is to be put back.
    OldImage,
    /// The image of the run, with nothing under the final name: the next run puts it in place.
    NewImage,
    /// It may be the only copy of an image, or the same file as the final one: it stays.
    Unclear,
}

/// A file beside the final one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    pub file: File,
    pub size: Option<u64>,
    pub is: Use,
}

/// What is on an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub holds: Holds,
    pub named: Seen,
    /// The final name holds the image, by its content.
    pub proven: bool,
    pub leftovers: Vec<Leftover>,
}

/// Looks at all names; changes nothing. `known`: the image of the run, where its digest is known;
/// `reads`: whether files may be read for it.
///
/// # Errors
/// The entity can't be looked at.
pub async fn inspect<H: Hands>(
    hands: &mut H,
    known: Option<&Known>,
    reads: bool,
) -> Result<Found, Failure> {
    let mut named = hands.look(File::Final).await?;
    if named == Seen::Absent && !hands.is_surely_absent(File::Final).await? {
        named = Seen::Unknown;
    }
    let mut proof = None;
    let differs = |known: &&Known| named.size().is_some_and(|size| size != known.image.size);
    if known.as_ref().is_some_and(differs) {
        proof = Some(false);
    } else if let Some(known) = known.filter(|_| reads && named != Seen::Absent) {
        proof = match hands.prove(File::Final, &known.image, How::Content).await? {
            Proof::Same(verified) => Some(verified.is_proof()),
            Proof::Other(_) => Some(false),
            Proof::Missing(_) | Proof::Untold(_) => None,
        };
    }
    let can_be_image = |seen: Seen| {
        known.is_some_and(|known| seen.size().is_none_or(|size| size == known.image.size))
    };
    let mut leftovers = Vec::new();
    let mut new_staged = false;
    for file in [File::Staging, File::Spare, File::Aside] {
        let seen = hands.look(file).await?;
        if !seen.is_present() {
            continue;
        }
        let is = match (named, file) {
            (Seen::Absent, File::Aside) => Use::OldImage,
            (Seen::Absent, _) => {
                let is_image = match known.filter(|_| reads && can_be_image(seen)) {
                    Some(known) => matches!(
                        hands.prove(file, &known.image, How::Content).await?,
                        Proof::Same(verified) if verified.is_proof()
                    ),
                    None => false,
                };
                new_staged |= is_image;
                match is_image {
                    true => Use::NewImage,
                    false => Use::Unclear,
                }
            }
            // The old image goes only where the new one is proven.
            (_, File::Aside) if proof != Some(true) => Use::Unclear,
            _ if named.differs_in_size(seen) => Use::Litter,
            _ => {
                let (one, other) = (
                    hands.modified(File::Final).await?,
                    hands.modified(file).await?,
                );
                match (one, other) {
                    (Some(one), Some(other)) if named.is_present() && one != other => Use::Litter,
                    _ => Use::Unclear,
                }
            }
        };
        let size = seen.size();
        leftovers.push(Leftover { file, size, is });
    }
    let holds = match (named, proof) {
        (_, Some(true)) => Holds::New,
        (Seen::Absent, _) if new_staged => Holds::NewStaged,
        (Seen::Absent, _) => Holds::Nothing,
        (_, Some(false)) => Holds::Old,
        _ => Holds::Unknown,
    };
    Ok(Found {
        holds,
        named,
        proven: proof == Some(true),
        leftovers,
    })
}

/// Removes litter, and puts an old image back. What was found is brought up to date.
///
/// # Errors
/// The entity was lost; or something could not be removed or put back, and why.
pub async fn tidy<H: Hands>(hands: &mut H, found: &mut Found) -> Result<(), Failure> {
    let mut refused = None;
    for leftover in std::mem::take(&mut found.leftovers) {
        let (file, stays) = (leftover.file, leftover);
        let done = match leftover.is {
            Use::Litter => {
                // It was looked at a while ago.
                if !look_again(hands, File::Final).await?.is_present() {
                    found.leftovers.push(stays);
                    continue;
                }
                let reply = hands.delete(file).await?;
                match hands.look(file).await? {
                    Seen::Absent => Ok(()),
                    _ => Err(reply),
                }
            }
            Use::OldImage => {
                let reply = hands.rename(file, File::Final).await?;
                found.named = look_again(hands, File::Final).await?;
                match found.named {
                    Seen::Present { .. } => {
                        found.holds = Holds::Old;
                        Ok(())
                    }
                    _ => Err(reply),
                }
            }
            Use::NewImage | Use::Unclear => {
                found.leftovers.push(stays);
                continue;
            }
        };
        if let Err(reply) = done {
            found.leftovers.push(stays);
            refused = Some(match reply {
                Reply::Refused(refusal) => Failure::new(Step::Discard, refusal.failure.fault),
                Reply::Done => Failure::new(Step::Discard, Fault::NotRenamed),
            });
        }
    }
    match refused {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}
