//! A file that is received: the content of a request, or out of a form.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE};
use hyper::http::request::Parts;
use tokio::sync::Notify;

use super::form::{self, Found, Parser, Wrong};
use super::reply::{self, Answer, Result};
use super::requests::{Requests, stored};
use super::{Line, body};
use crate::lab::session::reboots_soon;
use crate::lab::storage::Face;
use crate::lab::upload::Upload;

/// What an upload can do with its request and its connection.
struct Talk {
    line: Arc<Line>,
    early: Notify,
}

impl Face for Talk {
    fn confirm_early(&self) {
        self.early.notify_one();
    }

    fn hang_up(&self) {
        self.line.hang_up();
    }
}

/// Where the bytes of a file come from.
enum Content<'a> {
    Whole(&'a mut Incoming),
    Form(&'a mut Incoming, Parser),
}

impl Content<'_> {
    /// What comes next; what is no form is a file.
    async fn found(&mut self) -> Result<Found> {
        match self {
            Self::Whole(body) => Ok(frame(body).await?.map_or(Found::FileEnd, Found::Data)),
            Self::Form(body, form) => loop {
                match form.next() {
                    Ok(Found::Nothing) => {
                        let data = frame(body).await?;
                        form.push(&data.ok_or_else(cut_short)?);
                    }
                    found => {
                        let bad =
                            |wrong: Wrong| Answer::new(StatusCode::BAD_REQUEST, wrong.to_string());
                        return found.map_err(bad);
                    }
                }
            },
        }
    }

    /// Goes to the file.
    async fn begin(&mut self) -> Result<()> {
        if let Self::Whole(_) = self {
            return Ok(());
        }
        match self.found().await? {
            Found::File => Ok(()),
            _ => Err(Answer::new(
                StatusCode::BAD_REQUEST,
                "a form without a file",
            )),
        }
    }

    /// Goes to the end: only then a form was whole.
    async fn end(&mut self) -> Result<()> {
        match self {
            Self::Whole(_) => Ok(()),
            Self::Form(..) => self.found().await.map(drop),
        }
    }
}

fn cut_short() -> Answer {
    Answer::new(StatusCode::BAD_REQUEST, "it ended in the middle")
}

async fn frame(body: &mut Incoming) -> Result<Option<Vec<u8>>> {
    let received = body::received(body).await.transpose();
    received.map_err(|_| cut_short())
}

impl Requests {
    pub(super) async fn put(
        &self,
        head: &Parts,
        body: &mut Incoming,
        path: &str,
    ) -> Result<Answer> {
        if head.headers.contains_key(CONTENT_RANGE) {
            // RFC 9110 section 14.5: a part of a file would be taken for all of it.
            return Err(Answer::new(
                StatusCode::BAD_REQUEST,
                "only whole files are stored here",
            ));
        }
        let is_new = self.storage.find(path).is_err();
        self.received(Content::Whole(body), path).await?;
        self.confirmed(stored(is_new))
    }

    /// The file is stored under the path that the form is sent to, and what that has behind a `?`.
    pub(super) async fn post(
        &self,
        head: &Parts,
        body: &mut Incoming,
        path: &str,
    ) -> Result<Answer> {
        let kind = head.headers.get(CONTENT_TYPE);
        let boundary = kind.and_then(|kind| form::boundary(kind.to_str().ok()?));
        let Some(boundary) = boundary else {
            let only = "forms with a file are taken here";
            return Err(Answer::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, only));
        };
        let path = match head.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let form = Content::Form(body, Parser::new(boundary));
        self.received(form, &path).await?;
        self.confirmed(Answer::new(StatusCode::OK, "stored"))
    }

    async fn received(&self, mut content: Content<'_>, path: &str) -> Result<()> {
        content.begin().await?;
        let upload = Upload::begin(&self.storage, path, 0);
        let mut upload = self.done(upload).await?;
        let talk = Talk {
            line: Arc::clone(&self.line),
            early: Notify::new(),
        };
        let receiving = async {
            while let Found::Data(mut data) = content.found().await? {
                self.done(upload.take(&talk, &mut data).await).await?;
            }
            content.end().await?;
            self.done(upload.end(&talk).await).await?;
            upload.finish().await;
            Ok(())
        };
        tokio::select! {
            biased;
            received = receiving => received,
            () = talk.early.notified() => Ok(()),
        }
    }

    /// What is answered to an upload that is whole.
    fn confirmed(&self, usual: Answer) -> Result<Answer> {
        let server = &self.storage.server;
        reboots_soon(server);
        let said = server.behaviour.confirm_reply.as_deref();
        Ok(said.map_or(usual, reply::of_line))
    }
}
