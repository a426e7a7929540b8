//! Whether a server of the lab lives, and since when.
//!
//! A server that comes back is another boot of the same server: what belongs to an earlier boot
//! (its sessions, its transfers) stays dead, whatever happens to the server later.

use std::future::Future;

use tokio::sync::watch;

/// The count of a server's starts.
pub(super) type Boot = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Serving,
    /// Connections stay open; nothing is read, answered or sent.
    Silent,
    /// Gone, with all its connections; it comes back.
    Down,
    /// Gone until somebody revives it.
    Dead,
}

/// The life of one server.
#[derive(Debug)]
pub(super) struct Life {
    now: watch::Sender<(Boot, State)>,
}

impl Life {
    /// A life in its first boot.
    pub(super) fn new() -> Self {
        Self {
            now: watch::Sender::new((1, State::Serving)),
        }
    }

    pub(super) fn boot(&self) -> Boot {
        self.now.borrow().0
    }

    /// Whether the server is in that boot, and not silent.
    pub(super) fn serves(&self, boot: Boot) -> bool {
        *self.now.borrow() == (boot, State::Serving)
    }

    /// Polls a future while the server lives and answers. A silent server's work is neither done
    /// nor given up: its sockets stay open. `None` once that boot is over.
    pub(super) async fn while_alive<T>(
        &self,
        boot: Boot,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut now = self.now.subscribe();
        tokio::pin!(work);
        tokio::select! {
            biased;
            _ = now.wait_for(|now| *now != (boot, State::Serving)) => {}
            done = &mut work => return Some(done),
        }
        // The sender is ours: waiting can't fail before the server is gone.
        let over = |now: &(Boot, State)| *now != (boot, State::Silent);
        let _ = now.wait_for(over).await;
        None
    }

    pub(super) fn silence(&self) {
        self.step(|state| (state == State::Serving).then_some(State::Silent));
    }

    pub(super) fn kill(&self) {
        self.step(|_| Some(State::Dead));
    }

    /// Goes away to come back; `false` when it is gone already.
    pub(super) fn go_down(&self) -> bool {
        self.step(|state| matches!(state, State::Serving | State::Silent).then_some(State::Down))
    }

    /// Makes of a dead server one that comes back; `false` when it is not dead.
    pub(super) fn revive(&self) -> bool {
        self.step(|state| (state == State::Dead).then_some(State::Down))
    }

    /// Begins the next boot, unless the server was killed in the meantime. `first` is called before
    /// anybody can see that boot.
    pub(super) fn come_up<T>(&self, first: impl FnOnce() -> T) -> Option<(Boot, T)> {
        let mut begun = None;
        self.now.send_if_modified(|now| {
            let down = now.1 == State::Down;
            if down {
                let done = first();
                *now = (now.0 + 1, State::Serving);
                begun = Some((now.0, done));
            }
            down
        });
        begun
    }

    pub(super) async fn until_dead(&self) {
        let _ = (self.now.subscribe())
            .wait_for(|(_, state)| *state == State::Dead)
            .await;
    }

    pub(super) async fn until_serving(&self) {
        let _ = (self.now.subscribe())
            .wait_for(|(_, state)| *state == State::Serving)
            .await;
    }

    fn step(&self, to: impl FnOnce(State) -> Option<State>) -> bool {
        self.now.send_if_modified(|now| match to(now.1) {
            Some(state) => {
                now.1 = state;
                true
            }
            None => false,
        })
    }
}
