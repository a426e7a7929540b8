//! Log lines while a screen is drawn.
//!
//! The log goes to standard error. Where that is the terminal on which a screen is redrawn in place,
//! a line written past the screen would tear it, so for that time lines are handed to the screen,
//! which prints them above itself.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

/// Maximum number of lines that wait for the screen; what comes beyond it is counted, not kept.
const LINES: usize = 256;

/// Where others say something while a run is watched. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    screen: Option<mpsc::Sender<String>>,
    lost: usize,
}

impl Board {
    /// Lines go to the notes from now on, until they are dropped.
    pub fn attach(&self) -> Notes {
        let (sender, lines) = mpsc::channel(LINES);
        self.state(|state| state.screen = Some(sender));
        Notes {
            board: self.clone(),
            lines,
        }
    }

    /// Hands a text to the screen; `false` when there is none, and the caller writes it itself.
    pub fn say(&self, text: &str) -> bool {
        self.state(|state| {
            let Some(screen) = &state.screen else {
                return false;
            };
            if screen.try_send(text.to_owned()).is_err() {
                state.lost += 1;
            }
            true
        })
    }

    fn state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The screen's end. What is still unread when it is dropped goes to standard error, so that the
/// report of a panic is not lost with the screen.
#[derive(Debug)]
pub struct Notes {
    board: Board,
    lines: mpsc::Receiver<String>,
}

impl Notes {
    /// The next text; waits for ever when there is none.
    pub(super) async fn next(&mut self) -> String {
        match self.lines.recv().await {
            Some(text) => text,
            None => std::future::pending().await,
        }
    }

    /// Everything unread, and a line that counts what did not fit.
    pub fn rest(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(text) = self.lines.try_recv() {
            texts.push(text);
        }
        let lost = self.board.state(|state| std::mem::take(&mut state.lost));
        if lost > 0 {
            texts.push(format!(
                "{lost} log lines were not shown; use 2>FILE to keep all"
            ));
        }
        texts
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.board.state(|state| state.screen = None);
        let mut stderr = std::io::stderr().lock();
        for text in self.rest() {
            // Nobody is left to report to when standard error is gone too.
            let _ = writeln!(stderr, "{}", text.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_the_screen_only_while_there_is_one() {
        let board = Board::default();
        assert!(!board.say("before"));
        let mut notes = board.attach();
        assert!(board.say("during"));
        assert_eq!(notes.rest(), ["during"]);
        drop(notes);
        assert!(!board.say("after"));
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let board = Board::default();
        let mut notes = board.attach();
        for _ in 0..LINES + 7 {
            assert!(board.say("x"));
        }
        let texts = notes.rest();
        assert_eq!(texts.len(), LINES + 1);
        assert!(texts[LINES].starts_with("7 log lines"));
    }
}
