//! One attempt to deliver: the decisions of this module carried out over a session with an entity.

use super::{Hands, Known, Placement, Policy, Prepared, inspect, tidy};
use crate::model::staging::{File, Names};
use crate::model::{Failure, Holds, RemotePath, Staging, Step, Verified};
use crate::transport::{
    Destination, How, ImageDigest, NotStored, Proof, Reply, Seen, Sink, Transport,
};

/// The names of a file, asked for over a session.
pub struct Entity<'a> {
    pub sink: &'a mut dyn Sink,
    pub names: &'a Names,
}

impl Hands for Entity<'_> {
    async fn look(&mut self, file: File) -> Result<Seen, Failure> {
        self.sink.look(self.names.of(file)).await
    }

    async fn is_surely_absent(&mut self, file: File) -> Result<bool, Failure> {
        self.sink.is_absent(self.names.of(file)).await
    }

    async fn modified(&mut self, file: File) -> Result<Option<String>, Failure> {
        self.sink.modified(self.names.of(file)).await
    }

    async fn delete(&mut self, file: File) -> Result<Reply, Failure> {
        self.sink.delete(self.names.of(file)).await
    }

    async fn rename(&mut self, from: File, to: File) -> Result<Reply, Failure> {
        let (from, to) = (self.names.of(from), self.names.of(to));
        self.sink.rename(from, to).await
    }

    async fn put(&mut self, file: File) -> Result<bool, Failure> {
        self.sink.put(self.names.of(file)).await
    }

    async fn prove(&mut self, file: File, image: &ImageDigest, how: How) -> Result<Proof, Failure> {
        self.sink.prove(self.names.of(file), image, how).await
    }

    async fn pause(&mut self, again: u32) {
        self.sink.pause(again).await;
    }
}

/// An attempt that could not begin to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOpened {
    pub failure: Failure,
    /// `None` where nobody could look.
    pub holds: Option<Holds>,
    /// What could not be removed.
    pub left: Option<RemotePath>,
}

/// What an attempt begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The image is to be written.
    Writing,
    /// A whole copy is there, and checked: it only needs its name.
    Staged,
    /// The image is in place.
    Placed(Verified),
}

/// One attempt.
pub struct Delivery {
    sink: Box<dyn Sink>,
    names: Names,
    placement: Placement,
    image: Option<ImageDigest>,
}

impl Delivery {
    /// Connects, puts right what earlier runs left, and opens the file.
    ///
    /// # Errors
    /// What was begun is removed again.
    pub async fn open(
        transport: &dyn Transport,
        destination: &Destination,
        known: Option<&Known>,
    ) -> Result<(Self, Opened), NotOpened> {
        let ready = std::future::ready(Ok(()));
        Self::open_when(transport, destination, known, ready).await
    }

    /// As [`Self::open`]; where the image has to be written, the file is not opened before `ready` has
    /// ended well, and nothing is changed if it does not.
    ///
    /// # Errors
    /// As [`Self::open`], or what `ready` ended with.
    pub async fn open_when(
        transport: &dyn Transport,
        destination: &Destination,
        known: Option<&Known>,
        ready: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(Self, Opened), NotOpened> {
        let placement = Placement::new(Policy {
            direct: destination.staging == Staging::Direct,
            delete_first: destination.delete_first,
            verify: destination.verify,
        });
        let sink = match transport.open_sink(destination).await {
            Ok(sink) => sink,
            Err(failure) => {
                return Err(NotOpened {
                    failure,
                    holds: None,
                    left: None,
                });
            }
        };
        let mut delivery = Self {
            sink,
            names: destination.names.clone(),
            placement,
            image: known.map(|known| known.image),
        };
        match delivery.begin(known, ready).await {
            Ok(opened) => Ok((delivery, opened)),
            Err(failure) => {
                let left = match delivery.discard(failure.is_transient()).await {
                    Ok(()) => None,
                    Err(_) => Some(delivery.written().clone()),
                };
                let holds = delivery.holds();
                delivery.close().await;
                Err(NotOpened {
                    failure,
                    holds: Some(holds),
                    left,
                })
            }
        }
    }

    async fn begin(
        &mut self,
        known: Option<&Known>,
        ready: impl Future<Output = Result<(), Failure>>,
    ) -> Result<Opened, Failure> {
        let distinct = self.names.is_distinct();
        let mut entity = Entity {
            sink: &mut *self.sink,
            names: &self.names,
        };
        let file = match self.placement.prepare(&mut entity, known, distinct).await? {
            Prepared::Write(file) => file,
            Prepared::Staged(_) => return Ok(Opened::Staged),
            Prepared::Placed(verified) => return Ok(Opened::Placed(verified)),
        };
        let path = self.names.of(file);
        if file != File::Final {
            let named = self.names.of(File::Final);
            let taken = self.placement.has_final().then_some(named);
            self.sink.can_rename(path, taken).await?;
        }
        ready.await?;
        self.placement.begins();
        match self.sink.store(path).await {
            Ok(()) => self.placement.accepts(),
            Err(NotStored {
                failure,
                may_have_begun,
            }) => {
                if may_have_begun {
                    self.placement.accepts();
                }
                return Err(failure);
            }
        }
        Ok(Opened::Writing)
    }

    /// Whether the data goes to a name of its own first.
    pub fn is_staged(&self) -> bool {
        self.placement.written() != File::Final
    }

    /// The name that data goes to.
    pub fn written(&self) -> &RemotePath {
        self.names.of(self.placement.written())
    }

    /// The image that a copy which was there before was compared with.
    pub fn image(&self) -> Option<ImageDigest> {
        self.image
    }

    /// As [`Sink::write`].
    ///
    /// # Errors
    /// The file is lost.
    pub async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        self.sink.write(data).await
    }

    /// As [`Sink::ready`].
    ///
    /// # Errors
    /// The file is lost.
    pub async fn ready(&mut self) -> Result<(), Failure> {
        self.sink.ready().await
    }

    /// As [`Sink::finish`].
    ///
    /// # Errors
    /// It is not known to be stored.
    pub async fn finish(&mut self) -> Result<(), Failure> {
        self.sink.finish().await?;
        self.placement.confirms();
        Ok(())
    }

    /// Whether the entity has confirmed the file.
    pub fn is_confirmed(&self) -> bool {
        self.placement.is_confirmed()
    }

    /// Checks what was written.
    ///
    /// # Errors
    /// It is not the image, or can't be looked at.
    pub async fn verify(&mut self, image: &ImageDigest) -> Result<Verified, Failure> {
        let mut entity = Entity {
            sink: &mut *self.sink,
            names: &self.names,
        };
        let checked = self.placement.check(&mut entity, image).await;
        checked.map_err(|failure| looking_at(Step::Verify, failure))
    }

    /// Gives the file its final name, and proves it there: how.
    ///
    /// # Errors
    /// It is not known to stand there.
    pub async fn commit(&mut self, image: &ImageDigest) -> Result<Verified, Failure> {
        let mut entity = Entity {
            sink: &mut *self.sink,
            names: &self.names,
        };
        let placed = self.placement.place(&mut entity, image).await;
        placed.map_err(|failure| looking_at(Step::Rename, failure))
    }

    /// What the entity holds, as far as is known.
    pub fn holds(&self) -> Holds {
        self.placement.holds()
    }

    /// What may still stand beside the image that is in place.
    pub fn left(&self) -> Vec<&RemotePath> {
        let left = self.placement.left().iter();
        left.map(|file| self.names.of(*file)).collect()
    }

    /// Gives the file up, and removes what was written as far as nothing is lost by it. `again`:
    /// another attempt may follow soon.
    ///
    /// # Errors
    /// Something stays under [`Self::written`].
    pub async fn discard(&mut self, again: bool) -> Result<(), Failure> {
        self.sink.abort();
        if !self.sink.has_names() {
            return Ok(());
        }
        let mut entity = Entity {
            sink: &mut *self.sink,
            names: &self.names,
        };
        let given_up = self.placement.give_up(&mut entity, again).await;
        given_up.map_err(|failure| Failure {
            step: Step::Discard,
            ..failure
        })
    }

    /// Ends the session.
    pub async fn close(self) {
        self.sink.close().await;
    }
}

/// A look is a part of the step that it is taken for.
fn looking_at(step: Step, failure: Failure) -> Failure {
    match failure.step {
        Step::Prepare => Failure { step, ..failure },
        _ => failure,
    }
}

/// Removes what an attempt may have left of which nothing is known but that it was begun.
///
/// # Errors
/// Something stays, or the entity can't be asked.
pub async fn discard(transport: &dyn Transport, destination: &Destination) -> Result<(), Failure> {
    if destination.staging == Staging::Direct {
        // What stands under the final name may be the old image.
        return Ok(());
    }
    let at_discard = |failure| Failure {
        step: Step::Discard,
        ..failure
    };
    let mut sink = transport.open_sink(destination).await.map_err(at_discard)?;
    let mut entity = Entity {
        sink: &mut *sink,
        names: &destination.names,
    };
    let tidied = async {
        let mut found = inspect(&mut entity, None, false).await?;
        tidy(&mut entity, &mut found).await
    };
    let tidied = tidied.await;
    sink.close().await;
    tidied.map_err(at_discard)
}
