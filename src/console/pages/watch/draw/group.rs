//! The lines about a whole group, above its entities.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::pages::watch::figures::{STATES, Totals};
use crate::console::pages::watch::{View, figures};
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, fit, plain, span};
use crate::console::widgets::gauge::{gauge, history, percent};
use crate::model::{Bottleneck, EntityState, Standing, columns, units};
use crate::protocol::{EntitySnapshot, GroupSnapshot};
use crate::terminal::{Theme, Tone};

use super::{LABEL, Reads, campaign};

/// A group as it is seen, and what follows from that.
pub(super) struct Face<'s> {
    pub(super) view: &'s View,
    pub(super) shared: &'s Shared,
    pub(super) group: &'s GroupSnapshot,
    pub(super) totals: &'s Totals,
    /// How many hold the image and can be made to run it.
    pub(super) holders: usize,
    pub(super) reads: Reads,
    pub(super) theme: &'s Theme,
    pub(super) width: usize,
    pub(super) is_low: bool,
}

pub(super) fn group_lines<'a>(face: &Face<'_>) -> Vec<Line<'a>> {
    let mut lines = vec![title(face)];
    let campaign = campaign::lines(face.shared, face.group, face.theme, face.width);
    let is_short = face.is_low && !campaign.is_empty();
    lines.extend(campaign);
    match face.reads {
        Reads::Nothing => lines.push(runs(face)),
        Reads::Rests => {}
        Reads::Now if face.group.phase.is_ended() => ended(face, &mut lines),
        Reads::Now => {
            lines.push(source(face));
            if !is_short {
                lines.push(pool(face));
            }
        }
    }
    lines.push(sent(face));
    lines.push(counts(face.totals, face.theme, face.width));
    lines
}

fn cells(width: usize) -> usize {
    match width {
        ..70 => 6,
        70..100 => 16,
        _ => 30,
    }
}

fn label<'a>(text: &str, theme: &Theme) -> Span<'a> {
    span(format!("{text:<LABEL$}"), theme.hint())
}

fn title<'a>(face: &Face<'_>) -> Line<'a> {
    let Face {
        view,
        shared,
        group,
        theme,
        width,
        ..
    } = face;
    let (group, theme, width) = (*group, *theme, *width);
    let (accent, _) = theme.accent();
    let accent = match view.cursor.row {
        0 => format!("{accent} "),
        _ => String::new(),
    };
    let title = format!(
        "{accent}{}: {} version {}, {}",
        plain(&group.group, theme),
        plain(&group.image, theme),
        plain(&group.version, theme),
        figures::phase(group, &shared.time)
    );
    let style = if view.cursor.row == 0 {
        theme.here()
    } else {
        theme.title()
    };
    let waits = figures::waits(group, &shared.site.inventory, shared.time.now);
    let waits = cut(&waits, width / 2, theme);
    let waits_style = match group.bottleneck {
        Bottleneck::None => theme.hint(),
        _ => theme.tone(Tone::Look),
    };
    let room = width.saturating_sub(columns::width(&waits) + 1);
    Line::from(vec![
        span(fit(&title, room, theme), style),
        Span::raw(" "),
        span(waits, waits_style),
    ])
}

/// Nothing is read any more, and no buffer is filled.
fn runs<'a>(face: &Face<'_>) -> Line<'a> {
    let (group, theme) = (face.group, face.theme);
    let (done, all) = figures::upgraded(group);
    let [part, whole] = [done, all].map(|number| number as u64);
    let version = plain(&group.version, theme);
    let text = format!(
        "{} {:>3}%  {done} of {all} say that they run {version}",
        gauge(part, whole, cells(face.width), theme),
        percent(part, whole)
    );
    let room = face.width.saturating_sub(LABEL);
    Line::from(vec![
        label("runs", theme),
        Span::raw(cut(&text, room, theme)),
    ])
}

fn source<'a>(face: &Face<'_>) -> Line<'a> {
    let (group, theme, width) = (face.group, face.theme, face.width);
    let read = read(group, cells(width), theme);
    let room = width.saturating_sub(LABEL + columns::width(&read) + 2);
    Line::from(vec![
        label("source", theme),
        Span::raw(read),
        span(
            format!("  {}", cut(&pass(group, theme, width), room, theme)),
            Style::new(),
        ),
    ])
}

fn sent<'a>(face: &Face<'_>) -> Line<'a> {
    let Face {
        group,
        totals,
        theme,
        width,
        holders,
        ..
    } = face;
    let (group, theme, width, holders) = (*group, *theme, *width, *holders);
    if figures::all_had_it(group) {
        let all = columns::count(group.entities.len(), "entity");
        let text = format!("nothing: {all} had the image already");
        let room = width.saturating_sub(LABEL);
        return Line::from(vec![
            label("sent", theme),
            Span::raw(cut(&text, room, theme)),
        ]);
    }
    let share = percent(totals.sent, totals.to_send);
    let left = if face.reads != Reads::Now || group.phase.is_ended() {
        String::new()
    } else {
        format!("  left {}", figures::time_left(group.time_left))
    };
    let sent = gauge(totals.sent, totals.to_send, cells(width), theme);
    let get_it = group.entities.len() - totals.states[figures::rank(EntityState::Skipped)];
    let is_on = |one: &&EntitySnapshot| figures::is_on(one);
    let confirmed = group.entities.iter().filter(is_on).count();
    let upgraded = match figures::upgrades(group) {
        true => format!(", {} upgraded", figures::upgraded(group).0),
        false => String::new(),
    };
    let figures =
        format!("{sent} {share:>3}%  confirmed {confirmed} of {get_it}{upgraded}{left}  ");
    let room = width.saturating_sub(LABEL + columns::width(&figures));
    let hint = match group.unproven() {
        many if many > 0 && group.phase.is_ended() => {
            let verify = face.shared.key(Page::Watch, &Action::Verify);
            format!("{many} unproven: {verify} verifies")
        }
        _ if holders > 0 => {
            let activate = face.shared.key(Page::Watch, &Action::Activate);
            format!("{holders} to activate: {activate}")
        }
        _ => String::new(),
    };
    Line::from(vec![
        label("sent", theme),
        Span::raw(figures),
        span(cut(&hint, room, theme), theme.tone(Tone::Look)),
    ])
}

fn read(group: &GroupSnapshot, cells: usize, theme: &Theme) -> String {
    let size = group.size.unwrap_or(0);
    let whole = group.size.map_or("?".into(), units::size);
    format!(
        "{} {:>3}%  {} of {whole}  {}",
        gauge(group.read, size, cells, theme),
        percent(group.read, size),
        units::size(group.read),
        figures::rate(group.rate)
    )
}

fn pass(group: &GroupSnapshot, theme: &Theme, width: usize) -> String {
    let source = plain(&group.source, theme);
    let text = match group.passes {
        0 | 1 => format!("from {source}"),
        // The bytes of all passes are in the details too.
        passes if width < 100 => format!("from {source}, pass {passes}"),
        passes => format!(
            "from {source}, pass {passes}, {} in all",
            units::size(group.source_bytes)
        ),
    };
    match &group.source_reason {
        Some(reason) => format!("{text}; {}", plain(reason, theme)),
        None => text,
    }
}

/// Points of a pool's past that are shown at most, and those of which fewer say nothing.
const HISTORY: std::ops::RangeInclusive<usize> = 8..=60;

/// Its buffers, a cell each as far as there is room: how many hold a block, and for whom the oldest of them is kept.
fn pool<'a>(face: &Face<'_>) -> Line<'a> {
    let (group, theme, width) = (face.group, face.theme, face.width);
    let most = match width {
        ..70 => 10,
        70..120 => 32,
        _ => 48,
    };
    let (used, depth) = (group.used.min(group.depth), group.depth);
    let cells = depth.min(most);
    // Of more buffers than cells each cell is several, and one that is filled is seen.
    let filled = match depth {
        0 => 0,
        depth => (used * cells).div_ceil(depth),
    };
    let (full, free) = theme.buffers();
    // That it is full is well where devices are what is slow.
    let tone = match group.bottleneck {
        Bottleneck::Memory => Tone::Look,
        _ => Tone::Busy,
    };
    let size = units::size(group.buffer_size).replace(".0 ", " ");
    let figures = format!(" {used} of {depth} x {size}");
    let oldest = oldest(group).map_or_else(String::new, |oldest| format!(", oldest for {oldest}"));
    let room = width.saturating_sub(LABEL + cells + columns::width(&figures));
    let oldest = cut(&oldest, room, theme);
    let room = room.saturating_sub(columns::width(&oldest) + 2);
    // On a wider screen there is a plot of it.
    let has_history = width < 120 && room >= *HISTORY.start();
    let past = if has_history {
        let points = group.series.points().iter();
        let past = points.map(|point| percent(point.filled, point.depth));
        format!("  {}", history(past, 100, room.min(*HISTORY.end()), theme))
    } else {
        String::new()
    };
    Line::from(vec![
        label("pool", theme),
        span(full.repeat(filled), theme.tone(tone)),
        span(free.repeat(cells - filled), theme.hint()),
        span(figures, Style::new()),
        span(oldest, Style::new()),
        span(past, theme.hint()),
    ])
}

/// What the oldest block is kept for: the one that is furthest behind, or how many are.
fn oldest(group: &GroupSnapshot) -> Option<String> {
    let takes = || (group.entities.iter()).filter(|one| one.state.takes_bytes() && one.lag > 0);
    let lag = takes().map(|one| one.lag).max()?;
    let mut last = takes().filter(|one| one.lag == lag);
    let first = last.next()?;
    Some(match last.count() {
        0 => first.entity.to_string(),
        more => columns::count(more + 1, "entity"),
    })
}

fn ended(face: &Face<'_>, lines: &mut Vec<Line<'_>>) {
    let (group, theme) = (face.group, face.theme);
    let passes = match group.passes {
        1 => "once".into(),
        passes => format!("in {}", columns::count(passes as usize, "pass")),
    };
    let took = std::time::Duration::try_from_secs_f64(group.seconds).unwrap_or_default();
    let took = units::duration(took);
    let read = match group.passes {
        0 => format!("nothing, in {took}"),
        _ => format!(
            "{} {passes} from {}, {} confirmed, in {took}",
            units::size(group.source_bytes),
            group.source,
            units::size(face.totals.confirmed)
        ),
    };
    let unread = match group.passes {
        0 => "not known: nothing was read",
        _ => "not read to its end",
    };
    let digest = group.sha256.as_deref().unwrap_or(unread);
    let room = face.width.saturating_sub(LABEL);
    for (name, text) in [("read", read.as_str()), ("sha256", digest)] {
        let text = Span::raw(cut(text, room, theme));
        lines.push(Line::from(vec![label(name, theme), text]));
    }
}

/// How many entities are in which state: in words as far as there is room, then in signs, which
/// the rows below explain.
fn counts<'a>(totals: &Totals, theme: &Theme, width: usize) -> Line<'a> {
    let present = || (STATES.iter().zip(totals.states)).filter(|(_, count)| *count > 0);
    let text = |state: Standing, count: usize, style: usize| {
        let sign = theme.sign(state);
        match style {
            0 => format!("{sign} {count} {state}  "),
            1 => format!("{sign}{count} {}  ", figures::short(state)),
            _ => format!("{sign}{count} "),
        }
    };
    let wide = |style: usize| {
        let texts = present().map(|(state, count)| columns::width(&text(*state, count, style)));
        texts.sum::<usize>() <= width
    };
    let style = (0..2).find(|style| wide(*style)).unwrap_or(2);
    let spans =
        present().map(|(state, count)| span(text(*state, count, style), theme.of_state(*state)));
    Line::from_iter(spans)
}
