//! How a group is gone through: its waves as steps on a line, and why nobody begins, with the key to go on.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::console::page::Page;
use crate::console::pages::watch::pause;
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, plain, span};
use crate::model::columns::{width, wrap};
use crate::protocol::{GroupSnapshot, Mark, PauseReason, STEP_GAP};
use crate::terminal::{Theme, Tone};

use super::LABEL;

/// Lines of why nobody begins.
const MOST: usize = 2;

/// How many lines there are.
pub(super) fn rows(shared: &Shared, group: &GroupSnapshot) -> usize {
    // As many as in any other look.
    let theme = Theme {
        palette: crate::terminal::Palette::Mono,
        ascii: true,
    };
    lines(shared, group, &theme, usize::from(shared.columns)).len()
}

/// None where all entities begin at once.
pub(super) fn lines<'a>(
    shared: &Shared,
    group: &GroupSnapshot,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'a>> {
    let Some(campaign) = group.campaign.as_deref() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if campaign.waves.len() > 1 {
        let mut spans = vec![span(format!("{:<LABEL$}", "waves"), theme.hint())];
        let room = width.saturating_sub(LABEL);
        for (at, step) in campaign.steps(room).into_iter().enumerate() {
            if at > 0 {
                spans.push(Span::raw(" ".repeat(STEP_GAP)));
            }
            let (sign, style) = look(step.mark, theme);
            spans.push(span(format!("{sign}{}", step.text), style));
        }
        lines.push(Line::from(spans));
    }
    if !group.phase.is_ended() {
        held(shared, group, theme, width, &mut lines);
    }
    lines
}

fn look(mark: Mark, theme: &Theme) -> (&'static str, Style) {
    let (unicode, ascii, tone) = match mark {
        Mark::Next => ("·", ".", Tone::Faint),
        Mark::Good => ("✓", "#", Tone::Good),
        Mark::Now => ("▸", ">", Tone::Busy),
        Mark::Look => ("!", "!", Tone::Look),
        Mark::Failed => ("X", "X", Tone::Bad),
    };
    (if theme.ascii { ascii } else { unicode }, theme.tone(tone))
}

fn held(
    shared: &Shared,
    group: &GroupSnapshot,
    theme: &Theme,
    columns: usize,
    lines: &mut Vec<Line<'_>>,
) {
    let time = &shared.time;
    let campaign = group.campaign.as_deref();
    let Some(text) = campaign.and_then(|one| one.held_in_words(time.now, &time.zone)) else {
        return;
    };
    let hint = pause::hint(group).filter(|(_, does)| *does != "pause" && !shared.engine.watch_only);
    let key = hint.map(|(action, does)| format!("{} {does}", shared.key(Page::Watch, &action)));
    let key = key.unwrap_or_default();
    // The key stands at the right of the last line, and nothing under it.
    let room = columns.saturating_sub(match width(&key) {
        0 => 0,
        key => key + 2,
    });
    let style = theme.tone(match campaign.and_then(|campaign| campaign.pause()) {
        Some(PauseReason::Failures { .. } | PauseReason::WaveFailed { .. }) => Tone::Bad,
        Some(_) => Tone::Look,
        None => Tone::Busy,
    });
    let mut texts = wrap(&plain(&text, theme), 0, room.max(8));
    if texts.len() > MOST {
        let rest = texts.split_off(MOST - 1).join(" ");
        texts.push(cut(&rest, room, theme));
    }
    let last = texts.len().saturating_sub(1);
    for (at, text) in texts.into_iter().enumerate() {
        let mut spans = vec![span(text.clone(), style)];
        if at == last && !key.is_empty() {
            let blanks = columns.saturating_sub(width(&text) + width(&key));
            spans.push(Span::raw(" ".repeat(blanks)));
            spans.push(span(key.as_str(), theme.title()));
        }
        lines.push(Line::from(spans));
    }
}
