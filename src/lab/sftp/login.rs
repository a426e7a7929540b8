//! The session of SSH: who may log in, and that SFTP is all there is.

use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};

use super::Line;
use super::requests::Requests;
use crate::lab::ssh;
use crate::lab::storage::Storage;

/// Any user, or the one whom the inventory names; neither passwords nor keys are looked at, for the lab must
/// work without secrets.
pub(super) struct Login {
    storage: Storage,
    line: Line,
    channel: Option<Channel<Msg>>,
}

impl Login {
    pub(super) fn new(storage: Storage, line: Line) -> Self {
        Self {
            storage,
            line,
            channel: None,
        }
    }

    fn judged(&self, user: &str) -> Auth {
        match self.storage.server.lets_in(user) {
            true => Auth::Accept,
            false => Auth::reject(),
        }
    }
}

impl Handler for Login {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, _: &str) -> Result<Auth, russh::Error> {
        Ok(self.judged(user))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judged(user))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        Ok(match response {
            Some(_) => self.judged(user),
            None => ssh::asks_for_password(),
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self
            .channel
            .take_if(|channel| channel.id() == id && name == "sftp")
        {
            Some(channel) => {
                session.channel_success(id)?;
                let requests = Requests::new(self.storage.clone(), self.line.clone());
                russh_sftp::server::run(channel.into_stream(), requests).await;
                Ok(())
            }
            None => session.channel_failure(id),
        }
    }
}
