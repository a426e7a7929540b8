//! One request for a step of a procedure: any method, a body of text, and as much of the answer as is judged.

use std::time::Duration;

use async_trait::async_trait;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::model::{Failure, Fault, Step};
use crate::transport::{Answered, Asked, Endpoint, Requests};

use super::answer;
use super::body::Body;
use super::client::Client;
use super::exchange::{Connection, Request, Response};
use super::{HttpTransport, target};

pub(super) struct HttpRequests {
    client: Client,
    connection: Connection,
}

impl HttpRequests {
    pub(super) async fn open(
        transport: &HttpTransport,
        endpoint: &Endpoint,
    ) -> Result<Self, Failure> {
        let at_connect = |fault| Failure::new(Step::Connect, fault);
        let client = Client::new(&transport.authorities, endpoint).await;
        let client = client.map_err(at_connect)?;
        let connection = client.connect().await.map_err(at_connect)?;
        Ok(Self { client, connection })
    }

    fn request(&self, asked: &Asked) -> Result<Request, String> {
        let method = Method::from_bytes(asked.method.as_bytes());
        let method = method.map_err(|error| error.to_string())?;
        let origin = target::origin(&self.client.endpoint.address);
        let url = Url::parse(&format!("{origin}{}", asked.target));
        let mut request = self
            .client
            .request(method.clone(), url.map_err(|error| error.to_string())?);
        match &asked.body {
            Some((kind, text)) => {
                let kind = HeaderValue::from_str(kind).map_err(|error| error.to_string())?;
                request.headers.insert(CONTENT_TYPE, kind);
                request.body = Body::text(text);
            }
            // Some want to be told that nothing follows (RFC 9110 section 8.6).
            None if matches!(method, Method::POST | Method::PUT | Method::PATCH) => {
                request
                    .headers
                    .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            None => {}
        }
        Ok(request)
    }
}

#[async_trait]
impl Requests for HttpRequests {
    async fn ask(self: Box<Self>, asked: &Asked, within: Duration) -> Result<Answered, Failure> {
        let at = |fault| Failure::new(Step::Command, fault);
        let until = Instant::now() + within;
        let request = self.request(asked).map_err(|why| {
            let reason = format!("the request can't be sent: {why}");
            at(Fault::Local(reason))
        })?;
        let Self { client, connection } = *self;
        let response = match timeout_at(until, connection.ask(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(broken)) => return Err(at(client.no_answer(&broken))),
            Err(_) => {
                let command = "the request".into();
                let after = within;
                return Err(at(Fault::NoReply { command, after }));
            }
        };
        let (code, status) = (
            response.status().as_u16(),
            answer::status(&response, &client.redact),
        );
        let mut body = Vec::new();
        let read = timeout_at(until, read(response, &mut body)).await;
        let is_whole = match read {
            Ok(Ok(is_whole)) => Ok(is_whole),
            Ok(Err(error)) => Err(client.fault(&error)),
            Err(_) => Err(Fault::Overdue {
                what: "the rest of the answer".into(),
                after: within,
            }),
        };
        Ok(Answered {
            code,
            status,
            body,
            is_whole,
        })
    }
}

/// Reads the beginning of a body; whether that was all.
async fn read(mut response: Response, body: &mut Vec<u8>) -> Result<bool, hyper::Error> {
    while let Some(chunk) = response.chunk().await? {
        let room = Answered::MOST - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(false);
        }
    }
    Ok(true)
}
