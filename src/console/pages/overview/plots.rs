//! The plots: what is delivered, what is read, how full the pools are, and how many entities are done. Of the run, and,
//! where there is room, of the group under the cursor.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::console::figures;
use crate::console::widgets::fit::cut;
use crate::console::widgets::plot::{Area, Times, Words, area, axis, bytes_top, stack};
use crate::model::units;
use crate::protocol::{GroupSnapshot, Snapshot};
use crate::terminal::{Theme, Tone};

use super::layout::{Four, Own, Plots};

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

pub(super) fn draw(
    plots: &Plots,
    snapshot: &Snapshot,
    selected: Option<&GroupSnapshot>,
    theme: &Theme,
    frame: &mut Frame<'_>,
) {
    let goes_on = snapshot.running().any(|group| !group.is_at_rest());
    let times = Times::of(&snapshot.series, goes_on);
    let mut draw = Draw {
        times,
        theme,
        frame,
    };
    match plots {
        Plots::None => {}
        Plots::One(plot, below) => {
            draw.rate(&DELIVERED, "delivered", IS_DELIVERED, *plot);
            draw.axis(*below);
        }
        Plots::Four(four) => draw.four(four),
        Plots::Beside(four, own) => {
            draw.four(four);
            if let Some((own, group)) = own.as_ref().zip(selected) {
                draw.own(own, group);
            }
        }
    }
}

/// Where and how something is drawn.
struct Draw<'d, 's, 'f> {
    times: Times<'s>,
    theme: &'d Theme,
    frame: &'d mut Frame<'f>,
}

impl<'s> Draw<'_, 's, '_> {
    fn four(&mut self, four: &Four) {
        let [delivered, read, pool, entities] = four.plots;
        self.rate(&DELIVERED, "delivered", IS_DELIVERED, delivered);
        self.rate(&READ, "read", IS_READ, read);
        self.pool(pool);
        self.classes(entities);
        for place in &four.times {
            self.axis(*place);
        }
    }

    /// A group has times of its own, from its own beginning.
    fn own(&mut self, own: &Own, group: &'s GroupSnapshot) {
        let goes_on = !group.phase.is_ended() && !group.is_at_rest();
        self.times = Times::of(&group.series, goes_on);
        let name = format!("{} alone, from its own beginning", group.group);
        let name = cut(&name, usize::from(own.name.width), self.theme);
        let name = Line::styled(name, self.theme.head());
        self.frame.render_widget(name, own.name);
        if let Some(delivered) = own.plots.first() {
            self.rate(&DELIVERED, "delivered", IS_DELIVERED, *delivered);
        }
        match own.plots.get(1..).unwrap_or_default() {
            [pool, entities] => {
                self.pool(*pool);
                self.classes(*entities);
            }
            [entities] => self.classes(*entities),
            _ => {}
        }
        self.axis(own.times);
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

    fn pool(&mut self, place: Rect) {
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

    fn classes(&mut self, place: Rect) {
        let words = Words {
            name: "entities",
            top: self.times.entities().to_string(),
            legend: "X failed, u unproven: when".into(),
        };
        stack(&self.times, &words, self.theme, self.frame, place);
    }

    fn axis(&mut self, place: Rect) {
        axis(&self.times, self.theme, self.frame, place);
    }
}
