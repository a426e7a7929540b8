//! Requests to the web server of a device, for what is no file.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Failure, Fault};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: &'static str,
    /// Path and query, encoded.
    pub target: String,
    /// The content type, and the text.
    pub body: Option<(String, String)>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answered {
    pub code: u16,
    /// As the server is quoted: `503 Service Unavailable`, and where it would lead or when to ask again.
    pub status: String,
    /// The beginning of the body, as it came: at most [`Answered::MOST`] bytes.
    pub body: Vec<u8>,
    /// Whether that is all of it; or why no more of it came.
    pub is_whole: Result<bool, Fault>,
}

impl Answered {
    /// Bytes of a body that are read.
    pub const MOST: usize = 64 * 1024;

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether there is nobody behind the server yet, as while a device starts (RFC 9110 section 15.6).
    pub fn is_starting(&self) -> bool {
        matches!(self.code, 502..=504)
    }
}

/// A connection over which nothing was asked yet.
#[async_trait]
pub trait Requests: Send {
    /// Asks, and reads the answer. Redirects are not followed: they lead to what nobody has asked for.
    ///
    /// # Errors
    /// No answer came, or not the beginning of one `within` that time.
    async fn ask(self: Box<Self>, asked: &Asked, within: Duration) -> Result<Answered, Failure>;
}
