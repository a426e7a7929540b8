//! How the console is left, by its operator, by signals, and for a while.

use std::time::Instant;

use tokio::time::timeout;

use crate::console::work::Storage;
use crate::protocol::{Command, Target};
use crate::terminal::Device;

use super::{App, CANCELLING, ENDING, LAST_PICTURE, Leaving, Stop, TOGETHER};

impl<D: Device, K: Storage> App<D, K> {
    pub(super) fn leave(&mut self, cancel: bool) {
        let first = self.leaving.is_none();
        let leaving = self.leaving.get_or_insert(Leaving {
            cancelled: false,
            until: None,
            at_once: false,
        });
        let now = Instant::now();
        let idle = !self.link.snapshots.borrow().is_busy();
        if cancel && !leaving.cancelled {
            leaving.cancelled = true;
            leaving.until = Some(now + CANCELLING);
            let target = Target::All;
            self.work.send([Command::Cancel { target }]);
        } else if first && (self.state.shared.engine.shared || idle && self.screen.is_some()) {
            leaving.until = Some(now + ENDING);
        }
        if first {
            self.work.send([Command::Finish]);
        }
        // What becomes of the work is to be seen.
        self.state.shared.dialogs.clear();
        self.state.shared.frozen = None;
        self.now();
    }

    pub(super) fn stop(&mut self, stop: Stop) {
        let gone = (self.screen.as_ref()).is_none_or(|screen| screen.device.is_gone());
        match (stop, &mut self.leaving) {
            (Stop::Hangup, _) if gone => self.lose("it has hung up"),
            (_, Some(leaving)) if self.state.shared.engine.shared => leaving.at_once = true,
            (_, None) if self.state.shared.engine.shared => self.leave(false),
            (Stop::Hangup, Some(leaving)) if leaving.cancelled => {}
            (Stop::Terminate, Some(leaving)) if leaving.cancelled => leaving.at_once = true,
            _ => self.leave(true),
        }
    }

    /// The terminal is gone: the engine ends when what runs has ended.
    pub(super) fn lose(&mut self, cause: &str) {
        if self.screen.take().is_some() {
            tracing::warn!("the terminal is lost ({cause}); what runs goes on without a screen");
            self.presses.close();
            // Commands that were given before are still carried out first.
            self.leave(false);
        }
    }

    pub(super) async fn suspend(&mut self) {
        let Some(screen) = &mut self.screen else {
            return;
        };
        let _ = timeout(LAST_PICTURE, screen.output.idle()).await;
        let suspended = screen.device.suspend();
        screen.enter = true;
        self.resumed = Some(Instant::now());
        match suspended {
            Ok(()) => self.redraw(),
            Err(error) => self.lose(&error.to_string()),
        }
    }

    /// Somebody else stopped this process and has continued it.
    pub(super) fn resume(&mut self) {
        if self.resumed.is_some_and(|at| at.elapsed() < TOGETHER) {
            return;
        }
        let Some(screen) = &mut self.screen else {
            return;
        };
        screen.enter = true;
        match screen.device.resume() {
            Ok(()) => self.redraw(),
            Err(error) => self.lose(&error.to_string()),
        }
    }
}
