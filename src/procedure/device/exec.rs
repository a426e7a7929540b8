//! A program of this host: without a shell, without the environment of this one, and with an end.
//!
//! It and what it starts are one process group, which is killed when the program has ended, when its time is over,
//! and when the step is given up: what it leaves behind could go on changing the device.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::model::procedure::{StepSpec, Template, Values};
use crate::model::text::shown;
use crate::model::{Failure, Fault, Step};
use crate::transport::Transport;

use super::expected::Expected;
use super::said::{Printed, last_line, plain};
use super::{Device, Done, Groups, filled};

/// What a program is given of the environment.
const KEPT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
/// Bytes that are read at once.
const PIECE: usize = 8 * 1024;
/// What ended has printed what it prints; only what left its process group could hold its pipes.
const REST: Duration = Duration::from_millis(200);
/// What is killed ends, unless the kernel waits for a disk.
const KILLED: Duration = Duration::from_secs(1);

impl<T: Transport> Device<T> {
    /// # Errors
    /// Nothing was started.
    pub(super) async fn exec(
        &mut self,
        step: &StepSpec,
        words: &[Template],
        values: &Values,
        before_restart: bool,
    ) -> Result<Done, Failure> {
        let words: Result<Vec<String>, Failure> =
            words.iter().map(|word| filled(word, values)).collect();
        let words = words?;
        let expected = Expected::of(step, values)?;
        let Some((program, arguments)) = words.split_first() else {
            let reason = "`exec` names no program".to_owned();
            return Err(Failure::new(Step::Command, Fault::Local(reason)));
        };
        let named = self.name(program);
        self.watches(step.within, before_restart).await?;
        let failed = |why: String, said: &str| {
            let (program, said) = (named.clone(), shown(said));
            Failure::new(Step::Command, Fault::Program { program, why, said })
        };
        let child = command(&self.target.folder, program, arguments).spawn();
        let mut child = child.map_err(|error| failed(format!("can't be started: {error}"), ""))?;
        self.is_begun = true;
        let mut printed = Printed::default();
        let ended = ran(&mut child, &mut printed, step.within).await;
        let said = plain(&self.hide(&printed.text(self.longest)));
        let last = last_line(&said);
        let result = match ended {
            Ok(Some(status)) if status.success() => match expected.groups(&named, &said) {
                Ok(groups) => Ok(groups),
                Err(Fault::Unexpected { .. }) => {
                    Err(failed("did not print what was expected".into(), last))
                }
                Err(fault) => Err(Failure::new(Step::Command, fault)),
            },
            Ok(Some(status)) => Err(failed(format!("failed ({status})"), last)),
            Ok(None) => {
                let within = crate::model::units::duration(step.within);
                let why = format!("did not end within {within}, and was killed");
                Err(failed(why, last))
            }
            Err(error) => Err(failed(format!("can't be waited for: {error}"), last)),
        };
        let result: Result<Groups, Failure> = result;
        Ok(Done { said, result })
    }

    /// A session that is open shows at once that the device goes, however short that is.
    async fn watches(&mut self, within: Duration, before_restart: bool) -> Result<(), Failure> {
        if !before_restart || self.target.procedure.session.is_none() {
            return Ok(());
        }
        match self.opened(within).await {
            Err(failure) if !failure.is_transient() => Err(failure),
            _ => Ok(()),
        }
    }
}

fn command(folder: &Path, program: &str, arguments: &[String]) -> Command {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let program = match program.contains('/') {
        true => folder.join(program),
        false => PathBuf::from(program),
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(
            KEPT.into_iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// Waits for the end of a program; `None`: it was killed after `within`.
async fn ran(
    child: &mut Child,
    printed: &mut Printed,
    within: Duration,
) -> std::io::Result<Option<ExitStatus>> {
    let group = ProcessGroup::of(child);
    match timeout(within, ended(child, printed, &group)).await {
        Ok(status) => status.map(Some),
        Err(_) => {
            group.kill();
            // Its own end is that of its group's leader.
            let _ = timeout(KILLED, child.wait()).await;
            Ok(None)
        }
    }
}

async fn ended(
    child: &mut Child,
    printed: &mut Printed,
    group: &ProcessGroup,
) -> std::io::Result<ExitStatus> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut printing = pin!(read(stdout, stderr, printed));
    let mut is_read = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = &mut printing, if !is_read => is_read = true,
        }
    };
    group.kill();
    if !is_read {
        let _ = timeout(REST, printing).await;
    }
    Ok(status)
}

/// Reads both to their ends, in the order in which something comes.
async fn read(
    stdout: Option<impl AsyncRead + Unpin>,
    stderr: Option<impl AsyncRead + Unpin>,
    printed: &mut Printed,
) {
    let (mut stdout, mut stderr) = (stdout, stderr);
    let (mut out, mut err) = (vec![0; PIECE], vec![0; PIECE]);
    while stdout.is_some() || stderr.is_some() {
        tokio::select! {
            count = some(&mut stdout, &mut out) => match count {
                0 => stdout = None,
                count => printed.take(&out[..count]),
            },
            count = some(&mut stderr, &mut err) => match count {
                0 => stderr = None,
                count => printed.take(&err[..count]),
            },
        }
    }
}

/// Some bytes of what is there; 0 at its end, and also where it can't be read any more.
async fn some(from: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match from {
        Some(from) => from.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

/// A program and what it has started, killed at the end of this at the latest.
struct ProcessGroup {
    #[cfg(unix)]
    leader: Option<nix::unistd::Pid>,
}

impl ProcessGroup {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        let leader = leader.map(nix::unistd::Pid::from_raw);
        Self { leader }
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self {}
    }

    fn kill(&self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // There may be nobody left in it.
            let _ = nix::sys::signal::killpg(leader, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}
