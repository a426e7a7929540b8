//! Which source a pass reads from next when one has failed, and after how long.
//!
//! Sources come in their order, and none is gone back to while another one works. A peer that fails, and
//! a source that is too slow, is replaced at once; a file server is tried again first, for its session
//! may just have broken. When all have failed in turn, those whose failure may pass are tried again
//! with growing delays, the preferred one first.

use std::time::{Duration, Instant};

use crate::inspect::{Candidate, Chosen};
use crate::model::{Failure, Fault, Limits, Name};

use super::retry::Tries;

/// Bytes since the last failure that show that a source works: attempts count anew.
const WORKS: u64 = 1024 * 1024;

pub(super) struct Route {
    stops: Vec<Stop>,
    at: usize,
    limits: Limits,
    tries: Tries,
}

/// A source on the way.
struct Stop {
    candidate: Candidate,
    /// How often it failed in this round.
    failed: u32,
    last: Option<Failure>,
}

impl Stop {
    fn new(candidate: Candidate) -> Self {
        Self {
            candidate,
            failed: 0,
            last: None,
        }
    }

    fn may_pass(&self) -> bool {
        self.last.as_ref().is_none_or(Failure::is_transient)
    }

    fn is_file_server(&self) -> bool {
        (self.candidate.known()).is_some_and(|chosen| !chosen.is_peer())
    }
}

impl Route {
    /// `candidates` are not empty, the best first; the reading begins with the one at `first`.
    pub(super) fn new(candidates: Vec<Candidate>, first: usize, limits: Limits) -> Self {
        Self {
            stops: candidates.into_iter().map(Stop::new).collect(),
            at: first,
            limits,
            tries: Tries::new(limits),
        }
    }

    pub(super) fn current(&self) -> &Candidate {
        &self.stops[self.at].candidate
    }

    /// The peers of the present source were asked, and these hold the image: the first that is not on
    /// the way already is the present one now. `None`: all are.
    pub(super) fn found(&mut self, peers: Vec<Chosen>) -> Option<Chosen> {
        let is_new = |peer: &Chosen| {
            !self
                .stops
                .iter()
                .any(|stop| is(&stop.candidate, &peer.name))
        };
        let new: Vec<Chosen> = peers.into_iter().filter(is_new).collect();
        let first = new.first().cloned()?;
        let new = new.into_iter().map(Candidate::Known).map(Stop::new);
        self.stops.splice(self.at..=self.at, new);
        Some(first)
    }

    /// The number of bytes read since the last failure.
    pub(super) fn moved(&mut self, bytes: u64) {
        if bytes >= WORKS {
            self.tries = Tries::new(self.limits);
            self.begin_round();
        }
    }

    /// One that will not do is not asked again.
    fn begin_round(&mut self) {
        for stop in self.stops.iter_mut().filter(|stop| stop.may_pass()) {
            stop.failed = 0;
        }
    }

    /// The present source has failed. How long to wait before the next one, now the present one,
    /// is opened.
    ///
    /// # Errors
    /// None is left to be tried: what became of each, in their order.
    pub(super) fn after(
        &mut self,
        failure: Failure,
        now: Instant,
    ) -> Result<Duration, Vec<(Name, Failure)>> {
        let stop = &mut self.stops[self.at];
        stop.failed += 1;
        stop.last = Some(failure.clone());
        if failure.is_transient()
            && stop.is_file_server()
            && !matches!(failure.fault, Fault::TooSlow { .. })
            && stop.failed == 1
            && let Some(delay) = self.tries.after(&failure, now)
        {
            return Ok(delay);
        }
        let mut behind = (self.at + 1..self.stops.len()).chain(0..self.at);
        if let Some(next) = behind.find(|&next| self.stops[next].failed == 0) {
            self.at = next;
            return Ok(Duration::ZERO);
        }
        if let Some(next) = self.stops.iter().position(Stop::may_pass) {
            let last = self.stops[next].last.clone();
            let again = self.tries.after(last.as_ref().unwrap_or(&failure), now);
            if let Some(delay) = again {
                self.at = next;
                self.begin_round();
                return Ok(delay);
            }
        }
        let all = self.stops.iter();
        Err(all
            .filter_map(|stop| Some((stop.candidate.name(), stop.last.clone()?)))
            .collect())
    }
}

fn is(candidate: &Candidate, name: &Name) -> bool {
    candidate.known().is_some_and(|known| known.name == *name)
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
                    http: crate::model::Http::default(),
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
        let known = names.iter().map(|name| Candidate::Known(chosen(name)));
        Route::new(known.collect(), 0, limits)
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
        let mut tried = vec![route.current().name().to_string()];
        for failure in failures {
            match route.after(failure.clone(), now) {
                Ok(Duration::ZERO) => tried.push(route.current().name().to_string()),
                Ok(_) => tried.push(format!("+{}", route.current().name())),
                Err(causes) => {
                    let cause = |(name, failure)| format!("{name}: {failure}");
                    tried.extend(causes.into_iter().map(cause));
                }
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
                "peer:a: open: no such file: 550 no",
                "hq: open: no such file: 550 no"
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
