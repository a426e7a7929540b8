//! Ctrl-C, SIGTERM and SIGHUP as messages.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::headless::Stop;

/// Signals that were not yet taken; more than two say nothing new.
const PENDING: usize = 4;

const ENDING: [SignalKind; 2] = [SignalKind::interrupt(), SignalKind::terminate()];

/// Signals as messages until this is dropped.
#[derive(Debug)]
pub struct Signals {
    pub stop: Stop,
    _task: AbortOnDropHandle<()>,
}

/// Takes the signals over. Those that were ignored when the process began stay so: `nohup` and
/// shells without job control mean it.
///
/// # Errors
/// When the host has no means left to watch signals.
pub fn signals() -> io::Result<Signals> {
    let ignored = ignored();
    let heard = ENDING.into_iter().chain([SignalKind::hangup()]);
    watch(heard.filter(|kind| ignored & (1 << (kind.as_raw_value() - 1)) == 0))
}

/// For a process without a terminal, to which SIGHUP says nothing.
pub(super) fn without_terminal() -> io::Result<Signals> {
    // Once taken over it ends the process no more, whether or not anything listens.
    let _ = signal(SignalKind::hangup())?;
    watch(ENDING)
}

fn watch(kinds: impl IntoIterator<Item = SignalKind>) -> io::Result<Signals> {
    let streams: io::Result<Vec<Signal>> = kinds.into_iter().map(signal).collect();
    let mut streams = streams?;
    let (sender, stop) = mpsc::channel(PENDING);
    let task = tokio::spawn(async move {
        loop {
            let any = std::future::poll_fn(|context| {
                for stream in &mut streams {
                    if stream.poll_recv(context).is_ready() {
                        return std::task::Poll::Ready(());
                    }
                }
                std::task::Poll::Pending
            });
            any.await;
            // Full: what was sent before already says all.
            if let Err(mpsc::error::TrySendError::Closed(())) = sender.try_send(()) {
                return;
            }
        }
    });
    Ok(Signals {
        stop,
        _task: AbortOnDropHandle::new(task),
    })
}

/// A file that grows beyond what the process may write (`ulimit -f`) ends no run: with the signal
/// taken, writing it fails instead, which is reported like a full disk. Until this is dropped.
pub(super) fn too_large() -> Option<Signal> {
    let number = nix::sys::signal::Signal::SIGXFSZ as i32;
    match signal(SignalKind::from_raw(number)) {
        Ok(taken) => Some(taken),
        Err(error) => {
            tracing::debug!("SIGXFSZ can't be taken: {error}");
            None
        }
    }
}

/// The set of ignored signals, where the system reports it (Linux); none elsewhere.
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| sig_ign(&status))
        .unwrap_or(0)
}

fn sig_ign(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignored_signals_are_read_from_the_system() {
        assert_eq!(
            sig_ign("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"),
            Some(0x1001)
        );
        assert_eq!(sig_ign("Name:\tx\n"), None);
    }
}
