//! An entity that does not rename onto a file that exists: the old image is moved aside before the new
//! one gets its name, put back where that fails, and removed last.

use super::place::not_proven;
use super::rehearse::Onto;
use super::{AGAIN, File, Ground, Hands, How, Placement, Proof, Refusal, Reply, Seen, look_again};
use crate::model::{Failure, Fault, Step, Verified};
use crate::transport::ImageDigest;

impl Placement {
    /// The entity does not rename onto a file that exists. `refusal` is what it said.
    pub(super) async fn replace<H: Hands>(
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
                let reason = "the old image was moved aside, and is not where it should be";
                return Err(not_proven(reason));
            }
        }
        let failure = match self.try_rename(hands, image).await {
            Ok(Ok(verified)) => return Ok(verified),
            Ok(Err(refusal)) => refusal.failure,
            Err(failure) => failure,
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
    pub(super) async fn remove_rest<H: Hands>(&mut self, hands: &mut H, verified: Verified) {
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
            _ => return Err(not_proven("the entity does not say where its files are")),
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
        let renamed = self.try_rename(hands, image).await?;
        renamed.map_err(|refusal| refusal.failure)
    }
}
