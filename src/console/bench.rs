//! The drawing of pictures, for `benches/console.rs`: the watch page without a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::Inventory;
use crate::protocol::Snapshot;
use crate::terminal::{Canvas, Palette, Theme};

use super::action::Action;
use super::page::Page;
use super::pages::State;
use super::state::Site;
use super::{update, view};

/// A console that watches a run.
#[derive(Debug)]
pub struct Watching {
    state: State,
    canvas: Canvas,
}

impl Watching {
    pub fn new(inventory: Inventory, first: &Snapshot, columns: u16, rows: u16) -> Self {
        let mut state = State::new(Site {
            inventory: Arc::new(inventory),
            kept: Vec::new(),
            without_password: BTreeMap::new(),
            to_ask: BTreeSet::new(),
            log_file: None,
        });
        update::update(&mut state, first, Action::Resize { columns, rows });
        update::update(&mut state, first, Action::Go(Page::Watch));
        let canvas = Canvas::new(columns, rows, false);
        Self { state, canvas }
    }

    /// The bytes that bring the terminal from the last picture to this one.
    pub fn draw(&mut self, snapshot: &Snapshot) -> Vec<u8> {
        let theme = Theme {
            palette: Palette::Indexed,
            ascii: false,
        };
        let state = &self.state;
        (self.canvas).draw(|frame| view::draw(state, snapshot, &theme, frame))
    }
}
