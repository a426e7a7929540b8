//! A line that the device carries out by itself, without a shell: its answer is all that comes until it ends.

use std::time::Duration;

use tokio::time::timeout;

use crate::model::text::shown;
use crate::model::{Failure, Fault, Step};
use crate::transport::{Exit, RemoteCommand};

use super::Groups;
use super::expected::Expected;
use super::said::{Printed, last_line};

/// Starts it, and reads what it prints to the end; `false`: it did not end in time.
///
/// # Errors
/// It was not taken, or the connection is lost.
pub(super) async fn carried_out(
    command: &mut dyn RemoteCommand,
    line: &str,
    printed: &mut Printed,
    within: Duration,
) -> Result<bool, Failure> {
    let running = async {
        command.start(line).await?;
        loop {
            let data = command.read().await?;
            if data.is_empty() {
                return Ok(());
            }
            printed.take(&data);
        }
    };
    match timeout(within, running).await {
        Ok(ended) => ended.map(|()| true),
        Err(_) => Ok(false),
    }
}

/// How one ended that was to make the device restart, or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran<'a> {
    pub(super) named: &'a str,
    /// Escaped, without passwords.
    pub(super) said: &'a str,
    pub(super) exit: Option<&'a Exit>,
    pub(super) before_restart: bool,
}

impl Ran<'_> {
    /// What it came to: `ran` is what came of [`carried_out`].
    ///
    /// # Errors
    /// It did not end in time, failed, or did not print what is expected.
    pub(super) fn result(
        self,
        ran: Result<bool, Failure>,
        expected: &Expected<'_>,
        within: Duration,
    ) -> Result<Groups, Failure> {
        let failed = |fault| Failure::new(Step::Command, fault);
        match ran {
            Ok(true) => self.judged(expected).map_err(failed),
            Ok(false) => Err(failed(Fault::Unanswered {
                command: self.named.to_owned(),
                after: within,
                showed: shown(last_line(self.said)),
            })),
            Err(failure) => self.cut_off(failure),
        }
    }

    /// What a command came to that has ended: one that does not say how has ended well.
    ///
    /// # Errors
    /// It did not, or did not print what is expected.
    fn judged(self, expected: &Expected<'_>) -> Result<Groups, Fault> {
        let failed = |why| Fault::Program {
            program: self.named.to_owned(),
            why,
            said: last_line(self.said).to_owned(),
        };
        match self.exit {
            Some(Exit::Status(status @ 1..)) => {
                return Err(failed(format!("failed (exit status: {status})")));
            }
            // A device that goes down ends what runs on it.
            Some(Exit::Signal(_)) if self.before_restart => return Ok(Groups::new()),
            Some(Exit::Signal(name)) => {
                return Err(failed(format!("was ended by the device (signal: {name})")));
            }
            Some(Exit::Status(0)) | None => {}
        }
        expected.groups(self.named, self.said)
    }

    /// What one came to that was cut off.
    ///
    /// # Errors
    /// The device was not to go.
    fn cut_off(self, failure: Failure) -> Result<Groups, Failure> {
        match failure.fault {
            Fault::Lost { .. } if self.before_restart => Ok(Groups::new()),
            fault => Err(Failure::new(Step::Command, fault)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;
    use crate::model::procedure::{Deed, Expect, StepSpec, Template, Values};

    #[test]
    fn a_command_is_judged_by_its_exit_and_by_what_it_prints() {
        let step = StepSpec {
            deed: Deed::Site(Template::parse("x").unwrap()),
            expect: Some(Expect {
                pattern: r"Version (?<version>\S+)".parse().unwrap(),
                is: None,
            }),
            within: Duration::from_secs(1),
            safe: true,
            role: Default::default(),
        };
        let expected = Expected::of(&step, &Values::new()).unwrap();
        let judged = |said, exit: Option<Exit>, before_restart| {
            let ran = Ran {
                named: "\"cat version\"",
                said,
                exit: exit.as_ref(),
                before_restart,
            };
            ran.judged(&expected).map_err(|fault| fault.to_string())
        };
        let well = Some(Exit::Status(0));
        for exit in [well.clone(), None] {
            let groups = judged("Version 2.4\n", exit, false).unwrap();
            assert_eq!(groups["version"], "2.4");
        }
        for (said, exit, before_restart, why) in [
            (
                "no\n",
                well,
                false,
                "the device answered \"cat version\" with: no",
            ),
            (
                "no such file\n",
                Some(Exit::Status(1)),
                true,
                "\"cat version\" failed (exit status: 1): no such file",
            ),
            (
                "Version 2.4",
                Some(Exit::Signal("TERM".into())),
                false,
                "\"cat version\" was ended by the device (signal: TERM): Version 2.4",
            ),
        ] {
            assert_eq!(judged(said, exit, before_restart).unwrap_err(), why);
        }
        let going = judged("", Some(Exit::Signal("TERM".into())), true);
        assert_eq!(going, Ok(Groups::new()));
    }

    #[test]
    fn only_a_device_that_is_to_restart_may_cut_a_command_off() {
        let ran = |before_restart| Ran {
            named: "\"reboot\"",
            said: "",
            exit: None,
            before_restart,
        };
        let lost = || {
            let (side, reason) = (Side::Ssh, "the server closed it".into());
            Failure::new(Step::Command, Fault::Lost { side, reason })
        };
        assert_eq!(ran(true).cut_off(lost()), Ok(Groups::new()));
        assert_eq!(ran(false).cut_off(lost()), Err(lost()));
        let no = Failure::new(Step::Command, Fault::Local("no".into()));
        assert_eq!(ran(true).cut_off(no.clone()), Err(no));
    }
}
