//! What HTTP asks of the storage: files (RFC 9110 section 9), and `MOVE` (RFC 4918 section 9.9).
//!
//! Settings name commands of FTP; the methods that do the same are meant too: `STOR` is `PUT` and `POST`, `RETR`
//! is `GET`, `SIZE` is `HEAD`, `RNTO` is `MOVE`, `DELE` is `DELETE`. Other methods go by their own names.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, HOST, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Uri};

use super::body::Body;
use super::reply::{self, Answer, Result};
use super::{Line, file};
use crate::lab::storage::{Refusal, Storage};

const METHODS: &str = "DELETE, GET, HEAD, MOVE, OPTIONS, POST, PUT";
const METHODS_WITHOUT_MOVE: &str = "DELETE, GET, HEAD, OPTIONS, POST, PUT";

/// The requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    pub(super) storage: Storage,
    pub(super) line: Arc<Line>,
}

impl Requests {
    pub(super) fn new(storage: Storage, line: Arc<Line>) -> Self {
        Self { storage, line }
    }

    pub(super) async fn answered(self, request: Request<Incoming>) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        let answered = self.carried_out(&head, &mut body).await;
        let mut response = answered.unwrap_or_else(Response::from);
        if !body.is_end_stream() {
            self.line.leave(body);
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }

    async fn carried_out(&self, head: &Parts, body: &mut Incoming) -> Result<Response<Body>> {
        let server = &self.storage.server;
        if server.is_leaving() {
            std::future::pending::<()>().await;
        }
        let (number, open) = server.open_session();
        if server.has_no_room(number) {
            return Err(self.turned_away().await);
        }
        self.let_in(head)?;
        let verb = match head.method.as_str() {
            "PUT" | "POST" => "STOR",
            "GET" => "RETR",
            "HEAD" => "SIZE",
            "MOVE" => "RNTO",
            "DELETE" => "DELE",
            other => other,
        };
        self.begin(verb).await?;
        let path = decoded(head.uri.path());
        let answer = match head.method.as_str() {
            "PUT" => self.put(head, body, &path).await?.into(),
            "POST" => self.post(head, body, &path).await?.into(),
            "GET" => file::get(self, head, &path, open).await?,
            "HEAD" => file::head(self, &path).await?,
            "MOVE" => self.renamed(head, &path).await?.into(),
            "DELETE" => {
                let deleted = self.storage.delete(&path);
                self.done(deleted).await?;
                Answer::done().into()
            }
            "OPTIONS" => Answer::done().with(ALLOW, self.allowed()).into(),
            _ => return Err(self.not_allowed()),
        };
        self.end(verb).await;
        Ok(answer)
    }

    async fn turned_away(&self) -> Answer {
        let said = self.storage.server.behaviour.busy_reply.as_deref();
        match said.unwrap_or("421 Too many sessions, try later") {
            "" => match self.lost().await {},
            said => reply::of_line(said),
        }
    }

    /// Any user, or the one whom the inventory names; neither passwords nor tokens are looked at, for the lab must
    /// work without secrets.
    fn let_in(&self, head: &Parts) -> Result<()> {
        let server = &self.storage.server;
        let said = head.headers.get(AUTHORIZATION);
        let said = said.and_then(|said| said.to_str().ok()?.split_once(' '));
        let is_known = match (&server.user, said) {
            (None, _) => true,
            (Some(_), Some((scheme, _))) if scheme.eq_ignore_ascii_case("bearer") => true,
            (Some(known), Some((scheme, login))) if scheme.eq_ignore_ascii_case("basic") => {
                let login = STANDARD.decode(login.trim()).unwrap_or_default();
                login.split(|byte| *byte == b':').next() == Some(known.as_bytes())
            }
            _ => false,
        };
        match is_known && !server.behaviour.refuse_login {
            true => Ok(()),
            false => {
                let ask = HeaderValue::from_static("Basic realm=\"subtend lab\"");
                let refused = Answer::new(StatusCode::UNAUTHORIZED, "not logged in");
                Err(refused.with(WWW_AUTHENTICATE, ask))
            }
        }
    }

    /// What happens before a request is carried out.
    async fn begin(&self, verb: &str) -> Result<()> {
        let server = &self.storage.server;
        if server.hangs_up_on(verb).await {
            self.lost().await;
        }
        reply::of_bad_line(server.behaviour.replies.get(verb)).map_or(Ok(()), Err)
    }

    /// What happens in place of the answer to a request that was carried out.
    async fn end(&self, verb: &str) {
        if self.storage.server.hangs_up_after(verb) {
            self.lost().await;
        }
    }

    /// The end of the connection. Nothing is answered any more.
    async fn lost(&self) -> Infallible {
        self.line.hang_up();
        std::future::pending().await
    }

    /// What the storage made of it.
    pub(super) async fn done<T>(&self, done: std::result::Result<T, Refusal>) -> Result<T> {
        match done {
            Err(Refusal::Cut(_)) => {
                self.line.reset();
                std::future::pending().await
            }
            done => done.map_err(|refusal| reply::refused(&refusal)),
        }
    }

    async fn renamed(&self, head: &Parts, from: &str) -> Result<Answer> {
        let behaviour = &self.storage.server.behaviour;
        if behaviour.no_rename {
            return Err(self.not_allowed());
        }
        let to = destination(head)?;
        if from == to {
            return Err(Answer::new(StatusCode::FORBIDDEN, "that is its name"));
        }
        let is_new = self.storage.find(&to).is_err();
        let keeps = head
            .headers
            .get("overwrite")
            .is_some_and(|said| said == "F");
        if keeps && !is_new {
            return Err(Answer::new(StatusCode::PRECONDITION_FAILED, "file exists"));
        }
        let renamed = self.storage.rename(from, &to);
        if let Err(Refusal::Name(_) | Refusal::Busy) = renamed
            && let Some(said) = reply::of_bad_line(behaviour.rename_reply.as_ref())
        {
            return Err(said);
        }
        self.done(renamed).await?;
        Ok(stored(is_new))
    }

    fn allowed(&self) -> HeaderValue {
        HeaderValue::from_static(match self.storage.server.behaviour.no_rename {
            true => METHODS_WITHOUT_MOVE,
            false => METHODS,
        })
    }

    fn not_allowed(&self) -> Answer {
        let refused = Answer::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "not a method of this server",
        );
        refused.with(ALLOW, self.allowed())
    }
}

/// A file has this name now.
pub(super) fn stored(is_new: bool) -> Answer {
    match is_new {
        true => Answer::new(StatusCode::CREATED, "stored"),
        false => Answer::done(),
    }
}

/// The new name of a file, on this very server.
fn destination(head: &Parts) -> Result<String> {
    let said = head.headers.get("destination");
    let uri = said.and_then(|said| said.to_str().ok()?.parse::<Uri>().ok());
    let Some(uri) = uri else {
        return Err(Answer::new(StatusCode::BAD_REQUEST, "no destination"));
    };
    let here = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    match uri
        .authority()
        .is_none_or(|there| Some(there.as_str()) == here)
    {
        true => Ok(decoded(uri.path())),
        false => Err(Answer::new(
            StatusCode::BAD_GATEWAY,
            "the destination is elsewhere",
        )),
    }
}

/// A path as it is meant (RFC 3986 section 2.1).
pub(super) fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let mut meant = [0];
        let digits = after.split_at_checked(2).filter(|_| *byte == b'%');
        match digits.filter(|(digits, _)| hex::decode_to_slice(digits, &mut meant).is_ok()) {
            Some((_, after)) => {
                bytes.extend(meant);
                rest = after;
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once() {
        for (path, meant) in [
            ("/a%20b/%C3%BC%23%3F", "/a b/ü#?"),
            ("/%2541", "/%41"),
            ("/a%2", "/a%2"),
            ("/a%zz%", "/a%zz%"),
        ] {
            assert_eq!(decoded(path), meant);
        }
    }
}
