//! The plots: what is delivered, what is read, how full the pools are, and how many entities are done. Of the run, and,
//! where there is room, of the group under the cursor.

use ratatui::Frame;
use ratatui::text::Line;

use crate::console::plots::Draw;
use crate::console::widgets::fit::cut;
use crate::console::widgets::plot::Times;
use crate::protocol::{GroupSnapshot, Snapshot};
use crate::terminal::Theme;

use super::layout::{Four, Own, Plots};

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
            draw.delivered(*plot);
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

impl<'s> Draw<'_, 's, '_> {
    fn four(&mut self, four: &Four) {
        let [delivered, read, pool, entities] = four.plots;
        self.delivered(delivered);
        self.read(read);
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
            self.delivered(*delivered);
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
}
