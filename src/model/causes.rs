//! Causes that are put together from several parts, in words.

use std::time::Duration;

use super::{Failure, units};

/// Empty parts are left out.
pub(super) fn refused_login(user: &str, with: &str, offers: &str, why: &str) -> String {
    let mut said = match with {
        "" => format!("the server does not let {user} in"),
        with => format!("the server does not let {user} in with {with}"),
    };
    for (before, part) in [(": ", why), ("; it takes ", offers)] {
        if !part.is_empty() {
            said = said + before + part;
        }
    }
    said
}

pub(super) fn after_colon(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

pub(super) fn unanswered(command: &str, after: Duration, showed: &str) -> String {
    let said = format!("no answer to {command} within {}", units::duration(after));
    match showed {
        "" => said + "; the device showed nothing",
        showed => said + "; the device showed: " + showed,
    }
}

/// Maximum number of sources whose causes are listed: any of a thousand peers could be one.
const MOST_CAUSES: usize = 16;

pub(super) fn causes_in_words(causes: &[(String, Failure)]) -> String {
    let listed = causes.iter().take(MOST_CAUSES);
    let listed = listed.map(|(name, failure)| format!("{name}: {failure}"));
    let mut words = listed.collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = causes.len().checked_sub(MOST_CAUSES) {
        words += &format!("; and {more} more");
    }
    words
}
