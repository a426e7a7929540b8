//! A program of this host: without a shell, without the environment of this one, and with an end.
//!
//! It and what it starts are one process group, which is killed when the program has ended, when its time is over,
//! and when the step is given up: what it leaves behind could go on changing the device.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::model::procedure::{StepSpec, Template, Values};
use crate::model::text::shown;
use crate::model::{Failure, Fault, Step, units};
use crate::transport::Transport;

use super::expected::Expected;
use super::said::{Printed, last_line, plain};
use super::{Device, Done, filled};

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
        let running = Running::of(command(&self.target.folder, program, arguments));
        let mut running =
            running.map_err(|error| failed(format!("can't be started: {error}"), ""))?;
        self.is_begun = true;
        let mut printed = Printed::default();
        let ended = running.ran(&mut printed, step.within).await;
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
                let within = units::duration(step.within);
                let why = format!("did not end within {within}, and was killed");
                Err(failed(why, last))
            }
            Err(error) => Err(failed(format!("can't be waited for: {error}"), last)),
        };
        Ok(Done { said, result })
    }

    /// A session that is open shows at once that the device goes, however short that is.
    pub(super) async fn watches(
        &mut self,
        within: Duration,
        before_restart: bool,
    ) -> Result<(), Failure> {
        if !before_restart || !self.has_session() {
            return Ok(());
        }
        match self.opened(within).await {
            Err(failure) if !failure.is_transient() => Err(failure),
            Err(_) => {
                self.permit = None;
                Ok(())
            }
            Ok(_) => Ok(()),
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
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// A program that runs, and what it prints.
struct Running {
    group: ProcessGroup,
    child: Child,
    pipes: [Option<Pipe>; 2],
}

#[cfg(unix)]
type Pipe = tokio::net::unix::pipe::Receiver;
#[cfg(not(unix))]
type Pipe = Box<dyn tokio::io::AsyncRead + Send + Unpin>;

impl Running {
    /// Both outputs are one pipe: what was printed last stands last.
    #[cfg(unix)]
    fn of(mut command: Command) -> io::Result<Self> {
        let (from, to) = io::pipe()?;
        let from = Pipe::from_owned_fd(from.into())?;
        let child = command.stdout(to.try_clone()?).stderr(to).spawn()?;
        Ok(Self {
            group: ProcessGroup::of(&child),
            child,
            pipes: [Some(from), None],
        })
    }

    #[cfg(not(unix))]
    fn of(mut command: Command) -> io::Result<Self> {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Pipe);
        let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Pipe);
        Ok(Self {
            group: ProcessGroup::of(&child),
            child,
            pipes: [stdout, stderr],
        })
    }

    /// Waits for its end; `None`: it was killed after `within`.
    async fn ran(
        &mut self,
        printed: &mut Printed,
        within: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        match timeout(within, self.ended(printed)).await {
            Ok(status) => status.map(Some),
            Err(_) => {
                self.group.kill();
                let _ = timeout(KILLED, self.child.wait()).await;
                Ok(None)
            }
        }
    }

    async fn ended(&mut self, printed: &mut Printed) -> io::Result<ExitStatus> {
        let mut reading = pin!(read(&mut self.pipes, printed));
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status?,
                () = &mut reading, if !is_read => is_read = true,
            }
        };
        self.group.kill();
        if !is_read {
            let _ = timeout(REST, reading).await;
        }
        Ok(status)
    }
}

/// Reads both to their ends, in the order in which something comes.
async fn read([first, second]: &mut [Option<Pipe>; 2], printed: &mut Printed) {
    let (mut one, mut other) = (vec![0; PIECE], vec![0; PIECE]);
    while first.is_some() || second.is_some() {
        tokio::select! {
            count = some(first, &mut one) => match count {
                0 => *first = None,
                count => printed.take(&one[..count]),
            },
            count = some(second, &mut other) => match count {
                0 => *second = None,
                count => printed.take(&other[..count]),
            },
        }
    }
}

/// Some bytes of what is there; 0 at its end, and also where it can't be read any more.
async fn some(from: &mut Option<Pipe>, buffer: &mut [u8]) -> usize {
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
