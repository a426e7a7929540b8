//! Whether an entity has stored the file that it was sent: by the status of its answer, and where the operator
//! knows its words, by them.

use http::Method;
use url::Url;

use crate::model::text::quoted;
use crate::model::{Address, Failure, Fault, Step};

use super::super::answer;
use super::super::exchange::Response;
use super::{HttpSink, result_page};

/// A page that says more than this has said it before.
const MOST: usize = 64 * 1024;

impl HttpSink {
    /// # Errors
    /// It was not stored, or nobody can know.
    pub(super) async fn confirmed(&self, response: Response) -> Result<(), Failure> {
        let http = &self.client.endpoint.http;
        let response = match result_page(&response, http.upload.as_ref()) {
            Some(location) => self.result(response, &location).await?,
            None => response,
        };
        let status = response.status();
        if !matches!(status.as_u16(), 200 | 201 | 202 | 204) {
            return Err(self.refusal(Step::Confirm, response).await);
        }
        let Some(expect) = &http.expect else {
            return Ok(());
        };
        let deadline = self.client.endpoint.timeouts.confirm;
        let (body, whole) = answer::beginning(response, MOST, deadline).await;
        let body = String::from_utf8_lossy(&body);
        if body.contains(&**expect) {
            return Ok(());
        }
        let how_much = if whole { "" } else { "the beginning of " };
        let text = self.client.redact.hide(&body);
        let said = format!(
            "{status}, and {} is not in {how_much}its answer: {}",
            quoted(expect),
            answer::plain(&text)
        );
        let may_pass = false;
        Err(Failure::new(
            Step::Confirm,
            Fault::Answer { said, may_pass },
        ))
    }

    /// The page with the result of a form. Only words show that it is not one that asks to log in, say.
    async fn result(&self, response: Response, location: &str) -> Result<Response, Failure> {
        let endpoint = &self.client.endpoint;
        let url = response.url().join(location).ok();
        let url = url.filter(|url| is_at(&endpoint.address, url));
        match (&endpoint.http.expect, url) {
            (Some(_), Some(url)) => {
                let request = self.client.request(Method::GET, url);
                self.client.answer(Step::Confirm, request).await
            }
            (None, Some(_)) => {
                let said = answer::said(response, &self.client.redact).await;
                let said = format!(
                    "{said}, which may be where it shows its result; `expect: TEXT` names the words by which \
                     to know that the file was taken"
                );
                let may_pass = false;
                Err(Failure::new(
                    Step::Confirm,
                    Fault::Answer { said, may_pass },
                ))
            }
            (_, None) => Err(self.refusal(Step::Confirm, response).await),
        }
    }
}

/// Whether a url is one of this very server.
fn is_at(address: &Address, url: &Url) -> bool {
    let origin = super::super::target::origin(address);
    Url::parse(&origin).is_ok_and(|own| own.origin() == url.origin())
}
