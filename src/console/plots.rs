//! The plots that the pages have: what is delivered, what is read, how full the pools are, how many entities are done.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::figures;
use super::widgets::plot::{Area, Times, Words, area, axis, bytes_top, stack};
use crate::model::units;
use crate::terminal::{Theme, Tone};

const DELIVERED: Area = Area {
    value: |column| column.delivered,
    tone: Tone::Good,
    line: None,
};
const READ: Area = Area {
    value: |column| column.read,
    tone: Tone::Busy,
    line: None,
};
const POOL: Area = Area {
    value: |column| column.filled as f64,
    tone: Tone::Busy,
    line: Some(|column| column.depth as f64),
};

/// What each plot is of, in words.
const IS_DELIVERED: &str = "taken by all together";
const IS_READ: &str = "from sources, once for all";
const IS_POOL: &str = "filled; line: all buffers";

/// Where and how something is drawn.
pub(crate) struct Draw<'d, 's, 'f> {
    pub(crate) times: Times<'s>,
    pub(crate) theme: &'d Theme,
    pub(crate) frame: &'d mut Frame<'f>,
}

impl Draw<'_, '_, '_> {
    pub(crate) fn delivered(&mut self, place: Rect) {
        self.rate(&DELIVERED, "delivered", IS_DELIVERED, place);
    }

    pub(crate) fn read(&mut self, place: Rect) {
        self.rate(&READ, "read", IS_READ, place);
    }

    fn rate(&mut self, figure: &Area, name: &'static str, legend: &str, place: Rect) {
        let top = bytes_top(figure.most(&self.times, place));
        let words = Words {
            name,
            top: figures::rate(top),
            legend: legend.into(),
        };
        area(
            figure,
            top,
            &self.times,
            &words,
            self.theme,
            self.frame,
            place,
        );
    }

    pub(crate) fn pool(&mut self, place: Rect) {
        let top = bytes_top(POOL.most(&self.times, place));
        let words = Words {
            name: "pool",
            top: units::size(top as u64).replace(".0 ", " "),
            legend: IS_POOL.into(),
        };
        area(
            &POOL,
            top,
            &self.times,
            &words,
            self.theme,
            self.frame,
            place,
        );
    }

    pub(crate) fn classes(&mut self, place: Rect) {
        let words = Words {
            name: "entities",
            top: self.times.entities().to_string(),
            legend: "X failed, u unproven: when".into(),
        };
        stack(&self.times, &words, self.theme, self.frame, place);
    }

    pub(crate) fn axis(&mut self, place: Rect) {
        axis(&self.times, self.theme, self.frame, place);
    }
}
