//! Whether a file is there: entities answer one question or another truthfully, and some none.

use crate::model::staging::names_may_be_same;
use crate::model::{Failure, Fault, RemotePath, Step};
use crate::transport::{Directory, Seen, Sink};

use super::super::list;
use super::super::session::Session;
use super::super::source::size;
use super::FtpSink;

impl FtpSink {
    /// What a look at a name shows: its size, else its time, else a listing.
    pub(super) async fn seen(&mut self, path: &RemotePath) -> Result<Seen, Failure> {
        let mut denied = false;
        let session = self.session().await?;
        match size(session, path.as_str()).await {
            Ok(Some(size)) => {
                self.denies_truly.get_or_insert(true);
                return Ok(Seen::Present { size: Some(size) });
            }
            Err(failure) if matches!(failure.fault, Fault::NoFile { .. }) => {
                if self.denies_truly == Some(true) {
                    return Ok(Seen::Absent);
                }
                denied = true;
            }
            Ok(None) => {}
            // It says no more than that it will not say.
            Err(_) if self.session.as_ref().is_some_and(Session::in_step) => {}
            Err(failure) => return Err(failure),
        }
        let told = self.tells_times;
        if self.modified(path).await?.is_some() {
            if denied {
                self.denies_truly = Some(false);
            }
            return Ok(Seen::Present { size: None });
        }
        if told
            && !self
                .quirks
                .of(&self.destination.remote.endpoint.address)
                .no_mdtm
        {
            return Ok(Seen::Absent);
        }
        Ok(match self.is_listed(path).await? {
            Some(true) => {
                if denied {
                    self.denies_truly = Some(false);
                }
                Seen::Present { size: None }
            }
            Some(false) => {
                if denied {
                    self.denies_truly.get_or_insert(true);
                }
                Seen::Absent
            }
            None => match self
                .session()
                .await?
                .command(Step::Prepare, &format!("SIZE {path}"))
                .await
            {
                Ok(reply) if reply.code == 550 => Seen::Absent,
                _ => Seen::Unknown,
            },
        })
    }

    /// Whether a directory's listing shows the name: the last resort, over a session of its own,
    /// since relative paths mean something else once a session has gone into a directory. `None`: it
    /// lists nothing.
    ///
    /// # Errors
    /// It has no room for the session, or for its data, at the moment: that says nothing of the name.
    async fn is_listed(&mut self, path: &RemotePath) -> Result<Option<bool>, Failure> {
        if self.no_listing {
            return Ok(None);
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        let (directory, name) = match path.as_str().rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((directory, name)) => (directory, name),
            None => ("", path.as_str()),
        };
        let directory = Directory {
            endpoint: self.destination.remote.endpoint.clone(),
            path: directory.to_owned(),
        };
        let listed = match list::list(&self.quirks, &directory).await {
            Ok(listed) => listed,
            Err(failure) => {
                self.no_listing = !failure.is_transient();
                let has_no_room = matches!(failure.fault, Fault::Reply { .. } | Fault::Busy { .. });
                return match has_no_room && failure.is_transient() {
                    true => Err(failure),
                    false => Ok(None),
                };
            }
        };
        // A name may stand cut or folded there.
        let is_there = (listed.iter()).any(|one| names_may_be_same(&one.name, name));
        Ok(Some(is_there))
    }
}
