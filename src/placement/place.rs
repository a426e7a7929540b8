//! After the entity has confirmed the file: the copy is checked, gets its final name, and is proven
//! there. Where the entity can't rename onto the old image, that is moved aside first and removed
//! last.

use super::rehearse::Onto;
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
        let refusal = match self.rename_to_final(hands).await {
            Err(lost) => return self.after_lost_rename(hands, image, lost).await,
            Ok(Reply::Done) => return self.prove_renamed(hands, image).await,
            Ok(Reply::Refused(refusal)) => refusal,
        };
        if let Some(verified) = self.after_refused_rename(hands, image, &refusal).await? {
            return Ok(verified);
        }
        if refusal.kind != RefusalKind::ForGood || self.before == Seen::Absent {
            return Err(refusal.failure);
        }
        self.replace(hands, image, refusal).await
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
            _ => Err(Failure::new(
                Step::Rename,
                Fault::NotProven {
                    reason: failure.fault.to_string(),
                },
            )),
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
            Proof::Other(failure) | Proof::Missing(failure) => Err(Failure::new(
                Step::Rename,
                Fault::NotProven {
                    reason: failure.fault.to_string(),
                },
            )),
            // The entity's word is all that there is, and is not taken for more.
            Proof::Untold(_) if !tells && self.before == Seen::Unknown => Ok(verified),
            Proof::Untold(_) if verified == Verified::None && self.before == Seen::Absent => {
                Ok(verified)
            }
            Proof::Untold(failure) => Err(Failure::new(
                Step::Rename,
                Fault::NotProven {
                    reason: format!(
                        "its old image has the same size, and it can't be read ({}); `verify: \
                         none` takes the entity's word",
                        failure.fault
                    ),
                },
            )),
        }
    }

    /// A refusal can be a lie too: what is gone from the staging name was renamed. `None`: it stands
    /// there still, and the final name was looked at.
    async fn after_refused_rename<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
        refusal: &Refusal,
    ) -> Result<Option<Verified>, Failure> {
        self.ground = Ground::Unknown;
        match look_again(hands, self.written).await? {
            Seen::Present { .. } => {
                let now = look_again(hands, File::Final).await?;
                self.ground = self.as_before(now);
                Ok(None)
            }
            Seen::Unknown => Err(refusal.failure.clone()),
            Seen::Absent => match self.prove_renamed(hands, image).await {
                Ok(verified) => Ok(Some(verified)),
                Err(failure) if failure.fault == Fault::NotRenamed => Err(refusal.failure.clone()),
                Err(failure) => Err(failure),
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

    /// The entity does not rename onto a file that exists. `refusal` is what it said.
    async fn replace<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
        refusal: Refusal,
    ) -> Result<Verified, Failure> {
        // Where the operator allows less, the old image need not come back.
        if !self.policy.delete_first {
            match self.rehearse(hands).await? {
                Onto::Refuses => {}
                Onto::Replaces => {
                    let reason = refusal.failure.fault.to_string();
                    return Err(Failure::new(Step::Rename, Fault::NameRefused { reason }));
                }
                Onto::Untold => return Err(refusal.failure),
            }
        }
        if !self.free_aside(hands, image).await? {
            return Err(refusal.failure);
        }
        match hands.rename(File::Final, File::Aside).await {
            Ok(Reply::Refused(_)) | Err(_)
                if look_again(hands, File::Final).await?.is_present() =>
            {
                self.ground = Ground::AsBefore;
                return match self.policy.delete_first {
                    true => self.delete_old(hands, image, refusal).await,
                    false => Err(refusal.failure),
                };
            }
            _ => {}
        }
        self.ground = Ground::Unknown;
        let (named, aside) = (
            look_again(hands, File::Final).await?,
            look_again(hands, File::Aside).await?,
        );
        match (named, aside) {
            (Seen::Absent, Seen::Present { .. }) => {
                self.aside = true;
                self.ground = Ground::Nothing;
            }
            (Seen::Present { .. }, _) => {
                self.ground = Ground::AsBefore;
                return Err(refusal.failure);
            }
            _ => {
                let reason = "the old image was moved aside, and is not where it should be".into();
                return Err(Failure::new(Step::Rename, Fault::NotProven { reason }));
            }
        }
        let failure = match self.rename_to_final(hands).await {
            Ok(Reply::Refused(refusal)) => {
                match self.after_refused_rename(hands, image, &refusal).await {
                    Ok(Some(verified)) => return Ok(verified),
                    Ok(None) => refusal.failure,
                    Err(failure) => failure,
                }
            }
            Err(lost) => match self.after_lost_rename(hands, image, lost).await {
                Ok(verified) => return Ok(verified),
                Err(failure) => failure,
            },
            Ok(Reply::Done) => match self.prove_renamed(hands, image).await {
                Ok(verified) => return Ok(verified),
                Err(failure) => failure,
            },
        };
        self.restore(hands).await?;
        Err(failure)
    }

    /// The name for the old image is free, or made free: what stands there is from a run that was
    /// cut off after its image was in place.
    async fn free_aside<H: Hands>(
        &self,
        hands: &mut H,
        image: &ImageDigest,
    ) -> Result<bool, Failure> {
        match look_again(hands, File::Aside).await? {
            Seen::Absent => return Ok(true),
            Seen::Unknown => return Ok(false),
            Seen::Present { .. } => {}
        }
        // Whole copies stand under the final name and, checked, under the staging name.
        if !look_again(hands, File::Final).await?.is_present() {
            return Ok(false);
        }
        if !self.checked.is_some_and(Verified::is_proof)
            && !matches!(
                hands.prove(self.written, image, How::Content).await?,
                Proof::Same(_) | Proof::Untold(_)
            )
        {
            return Ok(false);
        }
        hands.delete(File::Aside).await?;
        Ok(look_again(hands, File::Aside).await? == Seen::Absent)
    }

    /// The new image stands under its name: what is beside it goes last. What stays is reported,
    /// and removed by the next run; the image is in place either way.
    async fn remove_rest<H: Hands>(&mut self, hands: &mut H, verified: Verified) {
        let aside = std::mem::take(&mut self.aside).then_some(File::Aside);
        for file in aside.into_iter().chain(self.other.take()) {
            // Where the content of the final name was not seen, another image may yet be needed.
            let may_go = match file {
                File::Aside => self.policy.verifies(),
                _ => verified.is_proof(),
            };
            if may_go {
                // What it says of that is no evidence.
                let _ = hands.delete(file).await;
            }
            if !matches!(hands.look(file).await, Ok(Seen::Absent)) {
                self.left.push(file);
            }
        }
    }

    /// Puts the old image back under its name.
    async fn restore<H: Hands>(&mut self, hands: &mut H) -> Result<(), Failure> {
        let mut reason = String::new();
        for again in 0..=AGAIN {
            match look_again(hands, File::Final).await {
                Ok(Seen::Present { .. }) => {
                    let aside = look_again(hands, File::Aside).await?;
                    if aside == Seen::Unknown {
                        hands.pause(again).await;
                        continue;
                    }
                    if aside == Seen::Absent {
                        self.aside = false;
                        self.ground = Ground::AsBefore;
                        return Ok(());
                    }
                    // It is what was written, and is not the image: it makes way.
                    let _ = hands.rename(File::Final, self.written).await;
                }
                Ok(Seen::Absent) => match hands.rename(File::Aside, File::Final).await {
                    Ok(Reply::Refused(refusal)) => reason = refusal.failure.fault.to_string(),
                    Err(lost) => reason = lost.fault.to_string(),
                    Ok(Reply::Done) => {}
                },
                Ok(Seen::Unknown) => {}
                Err(lost) => reason = lost.fault.to_string(),
            }
            hands.pause(again).await;
        }
        if look_again(hands, File::Final).await?.is_present()
            && look_again(hands, File::Aside).await? == Seen::Absent
        {
            self.aside = false;
            self.ground = Ground::AsBefore;
            return Ok(());
        }
        Err(Failure::new(Step::Rename, Fault::NotPutBack { reason }))
    }

    /// The operator allows it: the old image is deleted, and the checked copy is all that there is
    /// until it is renamed. Not where the entity renames nothing at all.
    async fn delete_old<H: Hands>(
        &mut self,
        hands: &mut H,
        image: &ImageDigest,
        refusal: Refusal,
    ) -> Result<Verified, Failure> {
        let other = self.other_staging();
        if look_again(hands, other).await? != Seen::Absent {
            return Err(refusal.failure);
        }
        let rehearsed = hands.rename(self.written, other).await;
        let (here, there) = (
            look_again(hands, self.written).await?,
            look_again(hands, other).await?,
        );
        match (here, there) {
            (Seen::Absent, Seen::Present { .. }) => self.written = other,
            (Seen::Present { .. }, Seen::Absent) => {
                return Err(match rehearsed {
                    Err(lost) => lost,
                    Ok(_) => refusal.failure,
                });
            }
            _ => {
                let reason = "the entity does not say where its files are".into();
                return Err(Failure::new(Step::Rename, Fault::NotProven { reason }));
            }
        }
        self.ground = Ground::Unknown;
        let deleted = hands.delete(File::Final).await;
        match look_again(hands, File::Final).await? {
            Seen::Present { .. } => {
                self.ground = Ground::AsBefore;
                return Err(match deleted {
                    Err(lost) => lost,
                    Ok(_) => refusal.failure,
                });
            }
            Seen::Absent => self.ground = Ground::Nothing,
            Seen::Unknown => {}
        }
        match self.rename_to_final(hands).await {
            Ok(Reply::Done) => self.prove_renamed(hands, image).await,
            Ok(Reply::Refused(refusal)) => {
                let renamed = self.after_refused_rename(hands, image, &refusal).await?;
                renamed.ok_or(refusal.failure)
            }
            Err(lost) => self.after_lost_rename(hands, image, lost).await,
        }
    }
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
