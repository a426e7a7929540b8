//! How an entity has come to where it is: its states as signs on the axis of the plots, and the same in words.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::console::figures;
use crate::console::widgets::fit::{cut, fit, plain, right, span};
use crate::console::widgets::plot::{Times, clock, inner_and_label};
use crate::model::columns::wrap;
use crate::model::timeline::Stretch;
use crate::model::{EntityState, Standing};
use crate::protocol::EntitySnapshot;
use crate::terminal::Theme;

/// Columns of the time, of the state, and of how long it lasted.
const TIME: usize = 8;
const STATE: usize = 13;
const LASTED: usize = 9;
/// Lines of one cause at most.
const CAUSE: usize = 3;

fn standing(entity: &EntitySnapshot, state: EntityState) -> Standing {
    Standing::of(state, entity.verified)
}

/// What is shown of a time in which there was more than one state: what went wrong, else the newest.
fn worst<'t>(stretches: impl Iterator<Item = Stretch<'t>>) -> Option<EntityState> {
    let bad = |state: EntityState| {
        matches!(
            state,
            EntityState::Failed | EntityState::RolledBack | EntityState::Retrying
        )
    };
    let pick = |before: Option<EntityState>, one: Stretch<'_>| match before {
        Some(before) if bad(before) && !bad(one.mark.state) => Some(before),
        _ => Some(one.mark.state),
    };
    stretches.fold(None, pick)
}

/// The states as signs, a cell for each part of the time that the axis has.
pub(super) fn strip(
    entity: &EntitySnapshot,
    times: &Times<'_>,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let (label, line, place) = inner_and_label(area, theme);
    let name = right(
        &plain(&entity.entity, theme),
        usize::from(label.width),
        theme,
    );
    frame.render_widget(Line::raw(name), label);
    frame.render_widget(
        Line::styled(line, theme.hint()),
        Rect {
            x: label.right(),
            width: 1,
            ..area
        },
    );
    let cells = usize::from(place.width);
    let slice = times.end().as_secs_f64() / cells.max(1) as f64;
    let at = |cell: usize| Duration::try_from_secs_f64(cell as f64 * slice).unwrap_or_default();
    let spans = (0..times.shown(cells)).map(|cell| {
        let (from, until) = (at(cell), at(cell + 1));
        let here = entity.past.stretches().filter(|one| {
            one.from < until && one.until.is_none_or(|end| end > from || one.from >= from)
        });
        match worst(here) {
            Some(state) => {
                let standing = standing(entity, state);
                span(theme.sign(standing), theme.of_state(standing))
            }
            None => span(" ", Style::new()),
        }
    });
    frame.render_widget(Line::from_iter(spans), place);
}

/// The lines of one stretch.
fn lines<'a>(
    entity: &EntitySnapshot,
    one: &Stretch<'_>,
    before: Option<u32>,
    width: usize,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let state = one.mark.state;
    let standing = standing(entity, state);
    let lasted = one.until.map(|until| until.saturating_sub(one.from));
    let is_end = state.is_final();
    let text = match lasted {
        Some(lasted) => short(lasted),
        None if is_end => String::new(),
        None => "now".into(),
    };
    let mut said = Vec::new();
    if before.is_some_and(|before| before > 0 && before != one.mark.attempt) {
        said.push(format!("try {}", one.mark.attempt));
    }
    // What was taken as a state began is measured with the one before.
    let took = one.took.filter(|took| *took > 0 && state.takes_bytes());
    let mean = took.zip(lasted);
    if let Some((took, lasted)) = mean {
        let rate = took as f64 / lasted.as_secs_f64().max(1e-3);
        said.push(figures::rate(rate));
    }
    let style = theme.of_state(standing);
    let room = width.saturating_sub(TIME + STATE + LASTED + 3);
    let mut lines = vec![Line::from(vec![
        span(
            right(&clock(one.from.as_secs()), TIME - 1, theme),
            theme.hint(),
        ),
        span(" ", Style::new()),
        span(
            fit(
                &format!("{} {standing}", theme.sign(standing)),
                STATE,
                theme,
            ),
            style,
        ),
        span(right(&text, LASTED, theme), Style::new()),
        span("  ", Style::new()),
        span(cut(&said.join(", "), room, theme), Style::new()),
    ])];
    if let Some(cause) = &one.mark.cause {
        let indent = TIME + 2;
        let mut words = wrap(&plain(cause, theme), indent, width);
        if words.len() > CAUSE {
            words.truncate(CAUSE);
            if let Some(last) = words.last_mut() {
                *last = cut(&format!("{last} ..."), width, theme);
            }
        }
        lines.extend(
            words
                .into_iter()
                .map(|line| Line::styled(line, theme.hint())),
        );
    }
    if one.left_out > 0 {
        let text = format!("{:TIME$}{} more, not kept", "", one.left_out);
        lines.push(Line::styled(text, theme.hint()));
    }
    lines
}

/// `9 s`, `0:40`, `1:20:00`.
fn short(time: Duration) -> String {
    match time.as_secs() {
        0 => "< 1 s".into(),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds => clock(seconds),
    }
}

/// The newest that fit, the newest at the end.
pub(super) fn words(entity: &EntitySnapshot, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let rows = usize::from(area.height);
    let width = usize::from(area.width);
    let stretches: Vec<_> = entity.past.stretches().collect();
    let mut all: Vec<Line<'_>> = Vec::new();
    let mut begins = Vec::new();
    let mut before = None;
    for one in &stretches {
        begins.push(all.len());
        all.extend(lines(entity, one, before, width, theme));
        before = Some(one.mark.attempt);
    }
    let mut skipped = 0;
    if all.len() > rows {
        // One row says how many are not shown.
        let least = all.len() + 1 - rows;
        skipped = begins.iter().take_while(|begin| **begin < least).count();
        // One that alone needs more rows is shown from its beginning.
        skipped = skipped.min(stretches.len().saturating_sub(1));
    }
    let first = begins.get(skipped).copied().unwrap_or(0);
    let earlier = (skipped > 0).then(|| {
        let text = format!("{:TIME$}{skipped} earlier: Enter shows all", "");
        Line::styled(cut(&text, width, theme), theme.hint())
    });
    let shown = earlier.into_iter().chain(all.into_iter().skip(first));
    for (line, row) in shown.zip(area.rows()) {
        frame.render_widget(line, row);
    }
}
