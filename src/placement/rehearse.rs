//! What a refused rename onto the old image means, tried where nothing can be lost by it: an entity
//! that replaces no file lets the old image be moved aside, and one that refuses this very name would
//! be left without any.

use super::look_again;
use super::{File, Ground, Hands, Placement, Refusal, RefusalKind, Reply, Seen};
use crate::model::Failure;

/// What an entity does when a file is renamed onto another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onto {
    /// It replaces the other one: so what it refuses is the final name.
    Replaces,
    /// It refuses, whatever the name.
    Refuses,
    /// It can't be found out.
    Untold,
}

impl Placement {
    /// The staging name that was not written to.
    pub(super) fn other_staging(&self) -> File {
        match self.written {
            File::Spare => File::Staging,
            _ => File::Spare,
        }
    }

    /// Renames the checked copy onto a file of one byte under the other staging name, while the old
    /// image stands under the final one.
    ///
    /// # Errors
    /// The entity was lost.
    pub(super) async fn rehearse<H: Hands>(&mut self, hands: &mut H) -> Result<Onto, Failure> {
        let other = self.other_staging();
        if self.ground != Ground::AsBefore {
            return Ok(Onto::Untold);
        }
        match look_again(hands, other).await? {
            Seen::Absent if hands.is_surely_absent(other).await? => {
                if !hands.put(other).await? {
                    return Ok(Onto::Untold);
                }
            }
            Seen::Absent => return Ok(Onto::Untold),
            // An earlier rehearsal was cut off, or an earlier run.
            seen if self.are_two(hands, other, seen).await? => {}
            _ => return Ok(Onto::Untold),
        }
        self.other = Some(other);
        if !look_again(hands, other).await?.is_present() {
            return Ok(Onto::Untold);
        }
        let reply = hands.rename(self.written, other).await?;
        let (here, there) = (
            look_again(hands, self.written).await?,
            look_again(hands, other).await?,
        );
        match (here, there) {
            (Seen::Absent, Seen::Present { .. }) => {
                (self.written, self.other) = (other, None);
                Ok(Onto::Replaces)
            }
            (Seen::Present { .. }, Seen::Present { .. }) => {
                // Where it can't be removed it is no harm, and removed when the image is in place.
                let _ = hands.delete(other).await?;
                if look_again(hands, other).await? == Seen::Absent {
                    self.other = None;
                }
                let is_refused = matches!(
                    reply,
                    Reply::Refused(Refusal {
                        kind: RefusalKind::ForGood,
                        ..
                    })
                );
                Ok(match is_refused {
                    true => Onto::Refuses,
                    false => Onto::Untold,
                })
            }
            _ => Ok(Onto::Untold),
        }
    }
}
