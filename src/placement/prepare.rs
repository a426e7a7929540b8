//! Before a byte is sent: what stands under the names, what earlier runs left there, and that the
//! names are names of different files.

use super::{
    File, Ground, Hands, How, Known, Placement, Prepared, Proof, Refusal, RefusalKind, Reply, Seen,
    look_again,
};
use crate::model::{Failure, Fault, Step};

impl Placement {
    /// Looks, puts right what a run that was cut off left, and says what is to be done next.
    /// `distinct`: no device takes the staging name for the final one.
    ///
    /// # Errors
    /// Nothing was written. What the entity holds is what [`Placement::holds`] says.
    pub async fn prepare<H: Hands>(
        &mut self,
        hands: &mut H,
        known: Option<&Known>,
        distinct: bool,
    ) -> Result<Prepared, Failure> {
        self.before = hands.look(File::Final).await?;
        if let Some(known) = known.filter(|known| known.may_be_placed)
            && self.before.is_present()
        {
            // Until that is answered it may be the one or the other.
            self.ground = Ground::Unknown;
            if let Proof::Same(verified) =
                hands.prove(File::Final, &known.image, How::Content).await?
            {
                // It was confirmed, and then the entity was gone: the image is in place.
                self.ground = Ground::Ours;
                return Ok(Prepared::Placed(verified));
            }
            self.ground = Ground::AsBefore;
        }
        if self.policy.direct {
            if self.before.is_present() {
                self.before_modified = hands.modified(File::Final).await?;
            }
            return Ok(Prepared::Write(File::Final));
        }
        if self.before == Seen::Absent && hands.is_surely_absent(File::Final).await? {
            self.put_back(hands).await?;
        }
        match self.before {
            Seen::Absent => self.prepare_without_final(hands, known, distinct).await,
            _ => self.prepare_beside_final(hands, known, distinct).await,
        }
    }

    /// A run that was cut off may have left the old image set aside and nothing in its place.
    async fn put_back<H: Hands>(&mut self, hands: &mut H) -> Result<(), Failure> {
        if !hands.look(File::Aside).await?.is_present() {
            return Ok(());
        }
        self.aside = true;
        self.ground = Ground::Unknown;
        let failure = match hands.rename(File::Aside, File::Final).await? {
            Reply::Done => None,
            Reply::Refused(refusal) => Some(refusal.failure),
        };
        self.before = look_again(hands, File::Final).await?;
        match self.before {
            Seen::Present { .. } => {
                self.aside = false;
                self.ground = Ground::AsBefore;
                return Ok(());
            }
            Seen::Absent => self.ground = Ground::Nothing,
            Seen::Unknown => {}
        }
        let reason = match failure {
            Some(failure) => failure.fault.to_string(),
            None => "the entity says that it is, and it is not".into(),
        };
        Err(Failure::new(Step::Prepare, Fault::NotPutBack { reason }))
    }

    /// What stands under a staging name may be the only copy of an image that there is.
    async fn prepare_without_final<H: Hands>(
        &mut self,
        hands: &mut H,
        known: Option<&Known>,
        distinct: bool,
    ) -> Result<Prepared, Failure> {
        if !distinct {
            return Err(alike());
        }
        let (staging, spare) = (
            self.look_closely(hands, File::Staging).await?,
            self.look_closely(hands, File::Spare).await?,
        );
        for (file, seen) in [(File::Staging, staging), (File::Spare, spare)] {
            if self.is_image(hands, file, seen, known).await? {
                self.written = file;
                return Ok(Prepared::Staged(file));
            }
        }
        // The other one is kept until the new image stands under the final name.
        self.written = match (staging, spare) {
            (Seen::Absent, _) => File::Staging,
            (_, Seen::Absent) => File::Spare,
            (Seen::Present { size: Some(one) }, Seen::Present { size: Some(other) })
                if one != other =>
            {
                // An upload that broke off is the shorter one.
                if one < other {
                    File::Staging
                } else {
                    File::Spare
                }
            }
            _ => return Err(Failure::new(Step::Prepare, Fault::TwoCopies)),
        };
        self.other = match self.written {
            File::Staging if spare != Seen::Absent => Some(File::Spare),
            File::Spare => Some(File::Staging),
            _ => None,
        };
        Ok(Prepared::Write(self.written))
    }

    async fn look_closely<H: Hands>(&self, hands: &mut H, file: File) -> Result<Seen, Failure> {
        match hands.look(file).await? {
            Seen::Absent if !hands.is_surely_absent(file).await? => Ok(Seen::Unknown),
            seen => Ok(seen),
        }
    }

    /// Whether a whole copy of the image stands under a staging name. Its size tells that it is
    /// not before it is read.
    async fn is_image<H: Hands>(
        &mut self,
        hands: &mut H,
        file: File,
        seen: Seen,
        known: Option<&Known>,
    ) -> Result<bool, Failure> {
        let Some(known) = known.filter(|_| self.policy.verifies() && seen.is_present()) else {
            return Ok(false);
        };
        if seen.size().is_some_and(|size| size != known.image.size) {
            return Ok(false);
        }
        match hands.prove(file, &known.image, How::Content).await? {
            Proof::Same(verified) if verified.is_proof() => {
                (self.begun, self.accepted, self.confirmed) = (true, true, true);
                self.checked = Some(verified);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The entity has its image: what stands under a staging name is a leftover, once it is known
    /// to be another file.
    async fn prepare_beside_final<H: Hands>(
        &mut self,
        hands: &mut H,
        known: Option<&Known>,
        distinct: bool,
    ) -> Result<Prepared, Failure> {
        for file in [File::Staging, File::Spare] {
            // One look is enough where an image is there and no device makes one name of the two.
            let is_enough = distinct && self.before.is_present();
            let mut seen = hands.look(file).await?;
            if seen == Seen::Unknown && !is_enough {
                seen = hands.look(file).await?;
            }
            if seen == Seen::Absent && !is_enough && !hands.is_surely_absent(file).await? {
                continue;
            }
            match seen {
                // The final name is there and this one is not, so they are two. Where the entity
                // says nothing of the final one, names that no device makes one are enough.
                Seen::Absent if self.before.is_present() || distinct => {
                    self.written = file;
                    return Ok(Prepared::Write(file));
                }
                // An entity that says nothing of its files at all.
                Seen::Unknown
                    if self.before == Seen::Unknown && distinct && file == File::Staging =>
                {
                    self.written = file;
                    return Ok(Prepared::Write(file));
                }
                Seen::Present { .. } if self.are_two(hands, file, seen).await? => {
                    self.written = file;
                    if self.is_image(hands, file, seen, known).await? {
                        return Ok(Prepared::Staged(file));
                    }
                    self.remove_leftover(hands, file, seen).await?;
                    return Ok(Prepared::Write(file));
                }
                _ => {}
            }
        }
        Err(alike())
    }

    /// Whether what stands under a name is another file than the final one.
    pub(super) async fn are_two<H: Hands>(
        &mut self,
        hands: &mut H,
        file: File,
        seen: Seen,
    ) -> Result<bool, Failure> {
        if self.before.differs_in_size(seen) {
            return Ok(true);
        }
        if !self.before.is_present() {
            return Ok(false);
        }
        self.before_modified = hands.modified(File::Final).await?;
        let modified = hands.modified(file).await?;
        Ok(matches!((&self.before_modified, &modified), (Some(one), Some(other)) if one != other))
    }

    /// A taken name can't be written to: some servers store the data elsewhere then, and say that
    /// all went well.
    async fn remove_leftover<H: Hands>(
        &mut self,
        hands: &mut H,
        file: File,
        seen: Seen,
    ) -> Result<(), Failure> {
        let now = hands.look(file).await?;
        if now.is_present() && now.differs_in_size(seen) {
            return Err(Failure::new(Step::Prepare, Fault::OtherWriter));
        }
        let reply = hands.delete(file).await?;
        match (hands.look(file).await?, reply) {
            (Seen::Absent, _) => Ok(()),
            (
                _,
                Reply::Refused(Refusal {
                    failure,
                    kind: RefusalKind::ForNow,
                }),
            ) => Err(failure),
            (_, reply) => {
                let reason = match reply {
                    Reply::Refused(refusal) => refusal.failure.fault.to_string(),
                    Reply::Done => "the entity says that it was deleted, and it is there".into(),
                };
                Err(Failure::new(Step::Prepare, Fault::Leftover { reason }))
            }
        }
    }
}

fn alike() -> Failure {
    Failure::new(Step::Prepare, Fault::NamesAlike)
}
