//! The beginning of a transfer: its data connection, and the command that uses it.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::model::{Failure, Fault, Side, Step};
use crate::transport::tls;

use super::passive::{self, Opening, Way, way_fault};
use super::reply::{Kind, Reply, verb};
use super::session::{REASON, Session};
use super::stream::{Plain, Securing, Stream};

/// A server that says nothing before the end of a transfer may still refuse it, and does so at once.
const SILENT: Duration = Duration::from_millis(500);

/// What an error of a data connection means.
pub(super) fn lost(error: &io::Error) -> Fault {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    let reason = match error.kind() {
        // Which of them it is depends on the moment alone.
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected => {
            "the server closed it".into()
        }
        _ => error.to_string(),
    };
    Fault::Lost {
        side: Side::Data,
        reason,
    }
}

impl Session {
    /// Makes a data connection what the session's transfers go over.
    fn securing(&self, stream: TcpStream) -> Securing {
        match &self.control.tls {
            Some(tls) => Securing::over(tls.clone(), stream),
            None => Securing::Done(Ok(Plain(stream))),
        }
    }

    /// What a data connection has become, once the server has said that the transfer begins.
    pub(super) async fn secured(
        &mut self,
        mut securing: Securing,
        step: Step,
    ) -> Result<Stream, Failure> {
        let limit = self.timeouts.reply;
        let fault = match timeout(limit, securing.go_on()).await {
            Ok(()) => match securing {
                Securing::Done(Ok(stream)) => return Ok(stream),
                Securing::Done(Err(fault)) => fault,
                Securing::Shaking(_) => tls::late(Side::Data, limit),
            },
            Err(_) => tls::late(Side::Data, limit),
        };
        let ours = matches!(fault, Fault::TlsCertificate { .. });
        if !ours
            && let Ok(reply) = self.final_reply(step, REASON, fault.clone()).await
            && !reply.is_done()
        {
            return Err(self.transfer_failure(step, &reply));
        }
        Err(Failure::new(step, fault))
    }
}

/// A transfer that has begun.
pub(super) struct Begun {
    pub(super) stream: Securing,
    /// What the server said; absent where it says nothing before the end.
    pub(super) reply: Option<Reply>,
    pub(super) begins_at: u64,
    /// The code of a reply that has ended the transfer already.
    pub(super) confirmed: Option<u16>,
}

/// This side's end of a data connection while the command that uses it is sent.
enum DataEnd {
    Here(Securing),
    /// The server connects.
    ToCome(Opening),
}

/// Waits for the server to say that the transfer begins. Where it is silent for a moment, it may
/// wait for the TLS handshake of the data connection to say so: either may come first (RFC 4217
/// section 10), and here neither waits for the other. Not at once, for a command that is refused
/// would use up a ticket of the TLS session that the next data connection has to go on with.
async fn beside<T>(begins: impl Future<Output = T>, end: &mut DataEnd) -> T {
    let mut begins = pin!(begins);
    if let DataEnd::Here(securing @ Securing::Shaking(_)) = end {
        tokio::select! {
            biased;
            begun = &mut begins => return begun,
            () = sleep(SILENT) => {}
        }
        tokio::select! {
            biased;
            begun = &mut begins => return begun,
            () = securing.go_on() => {}
        }
    }
    begins.await
}

/// Opens a data connection and sends the command that uses it.
pub(super) async fn start(
    session: &mut Session,
    step: Step,
    command: &str,
    offset: u64,
) -> Result<Begun, Failure> {
    let mut refused = None;
    loop {
        let opening = match (passive::open_data(session, step).await, refused.take()) {
            (Ok(opening), _) => opening,
            // It knows the one way alone, and has said what is wrong with it: for now, perhaps.
            (Err(failure), Some(refused)) if passive::is_unknown(&failure) => {
                session.data.avoids_epsv = false;
                session.learn(|quirks| quirks.no_epsv = false);
                return Err(refused);
            }
            (Err(failure), _) => return Err(failure),
        };
        let way = opening.way;
        session.data.went_extended = way == Way::Extended;
        // Right before the transfer command (RFC 3659 section 5.3).
        let begins_at = match offset > 0 && restart(session, offset, step).await? {
            true => offset,
            false => 0,
        };
        let mut end = match opening.connected() {
            Ok(stream) => DataEnd::Here(session.securing(stream)),
            Err(opening) => DataEnd::ToCome(opening),
        };
        let reply = match beside(begin(session, step, command), &mut end).await {
            Ok(reply) => reply,
            Err(failure) => {
                let no_data = matches!(failure.fault, Fault::Reply { code: 425, .. });
                let is_first = way == Way::Extended && !session.data.avoids_epsv;
                if no_data && is_first && session.in_step() && session.control.peer.is_ipv4() {
                    // What answered at the port was something on the way, perhaps.
                    session.data.avoids_epsv = true;
                    refused = Some(failure);
                    continue;
                }
                let fault = match no_data {
                    true => way_fault(session, way, failure.fault),
                    false => failure.fault,
                };
                return Err(Failure::new(step, fault));
            }
        };
        let (stream, mut confirmed) = match end {
            DataEnd::Here(securing) => (securing, None),
            DataEnd::ToCome(opening) => {
                let (stream, ended) = opening.arrived(session, step, verb(command)).await?;
                (session.securing(stream), ended)
            }
        };
        if let Some(reply) = reply.as_ref().filter(|reply| reply.code == 226) {
            confirmed = Some(reply.code);
        }
        session.learn(|quirks| quirks.opens_data = true);
        return Ok(Begun {
            stream,
            reply,
            begins_at,
            confirmed,
        });
    }
}

/// Sends a command that begins a transfer, and waits until the server says that it does. `None`: it
/// is known to say nothing before the end.
async fn begin(session: &mut Session, step: Step, command: &str) -> Result<Option<Reply>, Failure> {
    let is_silent = session.known().no_preliminary;
    let deadline = match is_silent {
        true => SILENT.min(session.timeouts.reply),
        false => session.timeouts.reply,
    };
    match session.command_within(step, command, deadline).await {
        // Some say 200 or 250 in place of 150; with 226 all has been sent that there was.
        Ok(reply) if matches!(reply.kind(), Kind::Begun | Kind::Done) => {
            session.begin_transfer();
            Ok(Some(reply))
        }
        Ok(reply) => Err(Failure::new(step, refused(session, command, &reply))),
        Err(failure) if matches!(failure.fault, Fault::NoReply { .. }) => {
            if is_silent {
                session.goes_on_unanswered();
                return Ok(None);
            }
            session.learn(|quirks| quirks.no_preliminary = true);
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

fn refused(session: &Session, command: &str, reply: &Reply) -> Fault {
    match session.begin_fault(reply) {
        Fault::Reply { code: 550, .. } if verb(command) == "RETR" => reply.fault_of_file(),
        fault => fault,
    }
}

/// Asks the server to begin at `offset`. `Ok(false)`: it sends the file from its beginning.
async fn restart(session: &mut Session, offset: u64, step: Step) -> Result<bool, Failure> {
    if session.known().no_rest {
        return Ok(false);
    }
    let has_none = |session: &Session| {
        session.learn(|quirks| quirks.no_rest = true);
    };
    match session.ask(step, &format!("REST {offset}")).await {
        Ok(reply) if reply.code == 350 => Ok(true),
        Ok(reply) => {
            // A passing trouble says nothing about the next time.
            if !(400..500).contains(&reply.code) {
                has_none(session);
            }
            Ok(false)
        }
        Err(failure) => {
            if matches!(failure.fault, Fault::NoReply { .. }) {
                has_none(session);
            }
            Err(failure)
        }
    }
}
