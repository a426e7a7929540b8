//! Which source a pass reads from next when one has failed, and after how long.
//!
//! A peer that fails, and a source that is too slow, is replaced at once; a file server is tried
//! again first, for its session may just have broken. When all have failed in turn, those whose failure may pass are tried again
//! with growing delays.

use std::time::{Duration, Instant};

use crate::inspect::Chosen;
use crate::model::{Failure, Fault, Limits, Name};

use super::retry::Tries;

/// Bytes since the last failure that show that a source works: attempts count anew.
const WORKS: u64 = 1024 * 1024;

pub(super) struct Route {
    candidates: Vec<Candidate>,
    at: usize,
    limits: Limits,
    tries: Tries,
}

struct Candidate {
    chosen: Chosen,
    /// How often it failed in this round.
    failed: u32,
    last: Option<Failure>,
}

impl Route {
    /// `candidates` are not empty, the best first.
    pub(super) fn new(candidates: Vec<Chosen>, limits: Limits) -> Self {
        let candidates = candidates.into_iter().map(|chosen| Candidate {
            chosen,
            failed: 0,
            last: None,
        });
        Self {
            candidates: candidates.collect(),
            at: 0,
            limits,
            tries: Tries::new(limits),
        }
    }

    pub(super) fn current(&self) -> &Chosen {
        &self.candidates[self.at].chosen
    }

    /// The number of bytes read since the last failure.
    pub(super) fn moved(&mut self, bytes: u64) {
        if bytes >= WORKS {
            self.tries = Tries::new(self.limits);
            for candidate in &mut self.candidates {
                candidate.failed = 0;
            }
        }
    }

    /// The present source has failed. How long to wait before the next one, now the present one,
    /// is opened.
    ///
    /// # Errors
    /// None is left to be tried: what became of the best one.
    pub(super) fn after(
        &mut self,
        failure: Failure,
        now: Instant,
    ) -> Result<Duration, (Name, Failure)> {
        let transient = failure.is_transient();
        let candidate = &mut self.candidates[self.at];
        candidate.failed += 1;
        candidate.last = Some(failure.clone());
        if transient
            && !candidate.chosen.is_peer()
            && !matches!(failure.fault, Fault::TooSlow { .. })
            && candidate.failed == 1
            && let Some(delay) = self.tries.after(&failure, now)
        {
            return Ok(delay);
        }
        let untried = |candidate: &Candidate| candidate.failed == 0;
        if let Some(next) = self.candidates.iter().position(untried) {
            self.at = next;
            return Ok(Duration::ZERO);
        }
        // One that will not do is not asked again.
        let may_pass =
            |candidate: &Candidate| candidate.last.as_ref().is_none_or(Failure::is_transient);
        if let Some(next) = self.candidates.iter().position(may_pass) {
            let last = self.candidates[next].last.clone();
            let again = self.tries.after(last.as_ref().unwrap_or(&failure), now);
            if let Some(delay) = again {
                self.at = next;
                for candidate in &mut self.candidates {
                    if may_pass(candidate) {
                        candidate.failed = 0;
                    }
                }
                return Ok(delay);
            }
        }
        let best = &self.candidates[0];
        let told = best.last.clone().unwrap_or(failure);
        Err((best.chosen.name.clone(), told))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::inspect::Peer;
    use crate::model::testing::address;
    use crate::model::{Login, RemotePath, Side, Step, Timeouts};
    use crate::transport::{Endpoint, Remote};

    fn chosen(name: &str) -> Chosen {
        Chosen {
            name: name.into(),
            remote: Remote {
                endpoint: Endpoint {
                    address: address("192.0.2.1"),
                    login: Arc::new(Login::anonymous()),
                    timeouts: Timeouts::default(),
                    tls: crate::model::Tls::default(),
                    ssh: crate::model::Ssh::default(),
                    dialect: crate::model::Dialect::default(),
                },
                path: RemotePath::new("a").unwrap(),
            },
            peer: name.strip_prefix("peer:").map(|entity| Peer {
                entity: entity.into(),
                proven: None,
            }),
        }
    }

    fn route(names: &[&str], retries: u32) -> Route {
        let limits = Limits {
            retries,
            ..Limits::default()
        };
        Route::new(names.iter().map(|name| chosen(name)).collect(), limits)
    }

    fn lost() -> Failure {
        let (side, reason) = (Side::Data, "reset".into());
        Failure::new(Step::Read, Fault::Lost { side, reason })
    }

    fn no_file() -> Failure {
        let reply = "550 no".into();
        Failure::new(Step::Open, Fault::NoFile { reply })
    }

    /// The sources in turn, with `+` before those that are tried after a delay.
    fn tried(route: &mut Route, failures: &[Failure]) -> Vec<String> {
        let now = Instant::now();
        let mut tried = vec![route.current().name.to_string()];
        for failure in failures {
            match route.after(failure.clone(), now) {
                Ok(Duration::ZERO) => tried.push(route.current().name.to_string()),
                Ok(_) => tried.push(format!("+{}", route.current().name)),
                Err((name, failure)) => tried.push(format!("{name}: {failure}")),
            }
        }
        tried
    }

    #[test]
    fn a_peer_is_replaced_and_a_file_server_tried_again() {
        let mut route = route(&["peer:a", "peer:b", "hq"], 8);
        let all = tried(&mut route, &[lost(), lost(), lost(), lost()]);
        assert_eq!(all, ["peer:a", "peer:b", "hq", "+hq", "+peer:a"]);
    }

    #[test]
    fn a_file_server_alone_is_tried_as_often_as_allowed() {
        let mut only = route(&["hq"], 2);
        let all = tried(&mut only, &[lost(), lost(), lost()]);
        assert_eq!(
            all,
            [
                "hq",
                "+hq",
                "+hq",
                "hq: read: the data connection was lost: reset"
            ]
        );
        assert_eq!(
            tried(&mut route(&["hq"], 0), &[lost()])[1],
            "hq: read: the data connection was lost: reset"
        );
    }

    #[test]
    fn a_source_that_is_too_slow_is_replaced_at_once() {
        let after = Duration::from_secs(60);
        let (rate, least) = (1, 1024);
        let slow = Failure::new(Step::Read, Fault::TooSlow { rate, least, after });
        let mut route = route(&["hq", "other"], 8);
        let all = tried(&mut route, &[slow.clone(), slow]);
        assert_eq!(all, ["hq", "other", "+hq"]);
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        let all = tried(&mut route(&["hq"], 8), &[no_file()]);
        assert_eq!(all, ["hq", "hq: open: no such file: 550 no"]);
        let all = tried(
            &mut route(&["peer:a", "hq"], 8),
            &[no_file(), lost(), lost(), no_file()],
        );
        assert_eq!(
            all,
            [
                "peer:a",
                "hq",
                "+hq",
                "+hq",
                "peer:a: open: no such file: 550 no"
            ]
        );
    }

    #[test]
    fn a_source_that_works_between_failures_is_tried_anew() {
        let mut route = route(&["hq"], 1);
        let now = Instant::now();
        for _ in 0..20 {
            assert!(route.after(lost(), now).is_ok());
            route.moved(WORKS);
        }
        assert!(route.after(lost(), now).is_ok());
        route.moved(1);
        assert!(route.after(lost(), now).is_err());
    }
}
