//! After the entity has confirmed the file: the copy is checked, gets its final name, and is proven
//! there.

use super::{
    AGAIN, File, Ground, Hands, How, Placement, Proof, Refusal, RefusalKind, Reply, Seen,
    look_again,
};
use crate::model::{Failure, Fault, Step, Verified};
use crate::transport::ImageDigest;

impl Placement {
    /// Checks what was written, as the operator asked.
    ///
    /// # Errors
    /// It is another file, or it can't be looked at; or it is gone although it was confirmed.
    pub async fn check<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
    ) -> Result<Verified, Failure> {
        if !self.policy.verifies() {
            self.checked = Some(Verified::None);
            if self.policy.direct {
                self.ground = Ground::Ours;
            }
            return Ok(Verified::None);
        }
        match hands
            .prove(self.written, image, self.policy.as_asked())
            .await?
        {
            Proof::Same(verified) => {
                self.checked = Some(verified);
                if self.policy.direct {
                    // Equal sizes say nothing where the old image has that size too.
                    let verified = self.prove_beside_old(hands, image, verified).await?;
                    self.checked = Some(verified);
                    self.ground = Ground::Ours;
                    return Ok(verified);
                }
                if !verified.is_proof() && !self.before.differs_in_size(image_size(image)) {
                    // Its size will not tell it from the old image: the time may.
                    self.before_modified = hands.modified(File::Final).await?;
                }
                Ok(verified)
            }
            Proof::Other(failure) | Proof::Untold(failure) => {
                self.disproved = true;
                Err(failure)
            }
            Proof::Missing(_) => {
                self.disproved = true;
                Err(Failure::new(Step::Verify, Fault::Vanished))
            }
        }
    }

    /// Gives what was checked its final name, and proves it there: how it was proven.
    ///
    /// # Errors
    /// What the entity holds is what [`Placement::holds`] says.
    pub async fn place<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
    ) -> Result<Verified, Failure> {
        if self.policy.direct {
            return Ok(self.checked.unwrap_or(Verified::None));
        }
        let verified = self.rename_and_prove(hands, image).await?;
        self.remove_rest(hands, verified).await;
        Ok(verified)
    }

    async fn rename_and_prove<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
    ) -> Result<Verified, Failure> {
        let refusal = match self.try_rename(hands, image).await? {
            Ok(verified) => return Ok(verified),
            Err(refusal) => refusal,
        };
        if refusal.kind != RefusalKind::ForGood || self.before == Seen::Absent {
            return Err(refusal.failure);
        }
        self.replace(hands, image, refusal).await
    }

    /// Renames to the final name, and proves it there. A refusal: it stands where it was, and the
    /// final name was looked at.
    pub(super) async fn try_rename<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
    ) -> Result<Result<Verified, Refusal>, Failure> {
        match self.rename_to_final(hands).await {
            Ok(Reply::Done) => self.prove_renamed(hands, image).await.map(Ok),
            Ok(Reply::Refused(refusal)) => self.after_refused_rename(hands, image, refusal).await,
            Err(lost) => self.after_lost_rename(hands, image, lost).await.map(Ok),
        }
    }

    /// Tries again what is refused for now: that is never a reason to delete anything.
    async fn rename_to_final<H: Hands>(&mut self, hands: &mut H) -> Result<Reply, Failure> {
        let mut again = 0;
        loop {
            self.ground = Ground::Unknown;
            let reply = hands.rename(self.written, File::Final).await?;
            match reply {
                Reply::Refused(Refusal {
                    kind: RefusalKind::ForNow,
                    ..
                }) if again < AGAIN => hands.pause(again).await,
                reply => return Ok(reply),
            }
            again += 1;
        }
    }

    /// The entity says that the file was renamed, or it is gone from the staging name.
    async fn prove_renamed<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
    ) -> Result<Verified, Failure> {
        self.ground = Ground::Unknown;
        if !self.policy.verifies() {
            // Nothing but the entity's word was asked for. It is enough where the staging name is
            // free: some entities restart now, and can't be looked at.
            return match hands.look(self.written).await {
                Ok(Seen::Present { .. }) => self.not_renamed(hands).await,
                _ => {
                    self.ground = Ground::Ours;
                    Ok(Verified::None)
                }
            };
        }
        let failure = match prove_again(hands, image, self.policy.as_asked()).await? {
            Proof::Same(verified) if verified.is_proof() => {
                self.ground = Ground::Ours;
                return Ok(verified);
            }
            Proof::Same(verified) => {
                if look_again(hands, self.written).await?.is_present() {
                    return self.not_renamed(hands).await;
                }
                let verified = self.prove_beside_old(hands, image, verified).await?;
                self.ground = Ground::Ours;
                return Ok(verified);
            }
            Proof::Other(failure) | Proof::Missing(failure) | Proof::Untold(failure) => failure,
        };
        match look_again(hands, self.written).await? {
            Seen::Present { .. } => self.not_renamed(hands).await,
            _ => Err(not_proven(failure.fault)),
        }
    }

    /// What stands under the staging name was not renamed, whatever was said.
    async fn not_renamed<T, H: Hands>(&mut self, hands: &mut H) -> Result<T, Failure> {
        let now = look_again(hands, File::Final).await?;
        self.ground = self.as_before(now);
        Err(Failure::new(Step::Rename, Fault::NotRenamed))
    }

    /// What stands under the final name when nothing was renamed, as far as it looks like before.
    fn as_before(&self, now: Seen) -> Ground {
        match (now, self.before) {
            (Seen::Absent, Seen::Absent) => Ground::AsBefore,
            (Seen::Absent, _) => Ground::Nothing,
            (Seen::Present { .. }, Seen::Present { .. }) if !now.differs_in_size(self.before) => {
                Ground::AsBefore
            }
            _ => Ground::Unknown,
        }
    }

    /// A size is no evidence where the old image has the same one, or where sizes are not known:
    /// then the time of the change is, or the content.
    async fn prove_beside_old<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
        verified: Verified,
    ) -> Result<Verified, Failure> {
        let tells = match self.before {
            Seen::Absent => true,
            Seen::Present { size: Some(size) } => size != image.size,
            Seen::Present { size: None } | Seen::Unknown => false,
        };
        if verified.is_proof() || verified == Verified::Size && tells {
            return Ok(verified);
        }
        if let (Some(before), Ok(Some(now))) =
            (&self.before_modified, hands.modified(File::Final).await)
            && *before != now
        {
            return Ok(verified);
        }
        match prove_again(hands, image, How::Content).await? {
            Proof::Same(better) => Ok(better),
            Proof::Other(failure) | Proof::Missing(failure) => Err(not_proven(failure.fault)),
            // The entity's word is all that there is, and is not taken for more.
            Proof::Untold(_) if !tells && self.before == Seen::Unknown => Ok(verified),
            Proof::Untold(_) if verified == Verified::None && self.before == Seen::Absent => {
                Ok(verified)
            }
            Proof::Untold(failure) => Err(not_proven(format!(
                "its old image has the same size, and it can't be read ({}); `verify: none` takes \
                 the entity's word",
                failure.fault
            ))),
        }
    }

    /// A refusal can be a lie too: what is gone from the staging name was renamed.
    async fn after_refused_rename<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
        refusal: Refusal,
    ) -> Result<Result<Verified, Refusal>, Failure> {
        self.ground = Ground::Unknown;
        match look_again(hands, self.written).await? {
            Seen::Present { .. } => {
                let now = look_again(hands, File::Final).await?;
                self.ground = self.as_before(now);
                Ok(Err(refusal))
            }
            Seen::Unknown => Err(refusal.failure),
            Seen::Absent => match self.prove_renamed(hands, image).await {
                Err(failure) if failure.fault == Fault::NotRenamed => Err(refusal.failure),
                proven => proven.map(Ok),
            },
        }
    }

    /// The connection was lost between the rename and its reply: not knowing is not success, so
    /// the final name is looked at by content.
    async fn after_lost_rename<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
        lost: Failure,
    ) -> Result<Verified, Failure> {
        self.ground = Ground::Unknown;
        let (Ok(staged), Ok(named)) = (
            look_again(hands, self.written).await,
            look_again(hands, File::Final).await,
        ) else {
            return Err(lost);
        };
        if staged.is_present() {
            self.ground = self.as_before(named);
            return Err(lost);
        }
        let tells_by_size = named.size() == Some(image.size)
            && self.before.differs_in_size(named)
            && staged == Seen::Absent;
        match prove_again(hands, image, How::Content).await {
            Ok(Proof::Same(verified)) => {
                self.ground = Ground::Ours;
                Ok(verified)
            }
            Ok(Proof::Untold(_)) if tells_by_size => {
                self.ground = Ground::Ours;
                Ok(Verified::Size)
            }
            _ => Err(lost),
        }
    }
}

pub(super) fn not_proven(reason: impl ToString) -> Failure {
    let reason = reason.to_string();
    Failure::new(Step::Rename, Fault::NotProven { reason })
}

fn image_size(image: &ImageDigest) -> Seen {
    Seen::Present {
        size: Some(image.size),
    }
}

/// Compares what stands under the final name, and again where the answer was lost: an entity that
/// has just got its image may restart.
async fn prove_again<H: Hands>(
    hands: &mut H,
    image: &ImageDigest,
    how: How,
) -> Result<Proof, Failure> {
    let mut again = 0;
    loop {
        match hands.prove(File::Final, image, how).await {
            Err(_) if again < AGAIN => hands.pause(again).await,
            answered => return answered,
        }
        again += 1;
    }
}
