//! A lane for each group: how far it is, how many entities are in which state, how fast, how long still, and what it waits for.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::console::figures;
use crate::console::state::{Shared, Time};
use crate::console::widgets::fit::{cut, fit, right, share, span};
use crate::console::widgets::gauge::{gauge, percent};
use crate::model::{Bottleneck, Capped, Standing, columns};
use crate::protocol::GroupSnapshot;
use crate::terminal::{Theme, Tone};

/// The cursor and the sign.
const LEFT: usize = 4;
const PERCENT: usize = 4;
const RATE: usize = 10;
const TIME: usize = 7;

/// The widths of the columns that can give.
pub(super) struct Widths {
    name: usize,
    gauge: usize,
    counts: usize,
    /// What it waits for; 0 where that has no place.
    waits: usize,
}

impl Widths {
    pub(super) fn of<'g>(groups: &[&'g GroupSnapshot], room: usize, theme: &Theme) -> Self {
        let most = |width: &dyn Fn(&'g GroupSnapshot) -> usize| {
            groups.iter().map(|group| width(group)).max().unwrap_or(0)
        };
        let name = most(&|group| columns::width(&group.group)).clamp(5, 28);
        let counts = most(&|group| {
            let texts = counts_of(&figures::totals(group), theme);
            texts.iter().map(|(text, _)| columns::width(text) + 1).sum()
        });
        // With the blanks between them.
        let fixed = LEFT + 1 + (1 + PERCENT + 2) + (1 + RATE) + (1 + TIME) + 2;
        let room = room.saturating_sub(fixed);
        let waits = if room >= 35 { (room / 3, 11) } else { (0, 0) };
        let wanted = [(name, 8), (room / 5, 6), (counts.clamp(10, 30), 10), waits];
        let widths = share(&wanted, room);
        let [name, gauge, counts, waits] = [0, 1, 2, 3].map(|at| widths[at]);
        let rest = room.saturating_sub(name + gauge + counts + waits);
        // What is left goes to the last column that has words.
        let (counts, waits) = match waits {
            0 => (counts + rest, 0),
            waits => (counts, waits + rest),
        };
        Self {
            name,
            gauge,
            counts,
            waits,
        }
    }
}

pub(super) fn head<'a>(widths: &Widths, theme: &Theme) -> Line<'a> {
    let waits = match widths.waits {
        0 => String::new(),
        waits => format!("  {}", cut("waits for", waits, theme)),
    };
    let text = format!(
        "{:LEFT$}{} {}  {} {} {}{waits}",
        "",
        fit("group", widths.name, theme),
        fit("done", widths.gauge + 1 + PERCENT, theme),
        fit("entities", widths.counts, theme),
        right("rate", RATE, theme),
        right("left", TIME, theme),
    );
    Line::styled(text, theme.head())
}

pub(super) fn lane<'a>(
    group: &GroupSnapshot,
    is_selected: bool,
    widths: &Widths,
    shared: &Shared,
    theme: &Theme,
) -> Line<'a> {
    let totals = figures::totals(group);
    let is_ended = group.phase.is_ended();
    let (done, all) = match figures::activates(group) {
        true => {
            let (done, all) = figures::upgraded(group);
            (done as u64, all as u64)
        }
        false => (totals.sent, totals.to_send),
    };
    let share = match percent(done, all) {
        // All is sent, which does not mean that it has arrived.
        100 if !is_ended => "sent".to_owned(),
        share => format!("{share}%"),
    };
    let (accent, none) = theme.accent();
    let mark = if is_selected { accent } else { none };
    let name = match is_selected {
        true => theme.here(),
        false => theme.title(),
    };
    // What is done needs nobody.
    let quiet = match is_ended {
        true => theme.hint(),
        false => theme.tone(Tone::Plain),
    };
    let left = match is_ended || group.is_at_rest() {
        true => String::new(),
        false => figures::time_left(group.time_left),
    };
    let rate = match is_ended {
        true => String::new(),
        false => figures::rate(figures::delivered_rate(group)),
    };
    let mut spans = vec![
        span(format!("{mark} "), theme.here()),
        span(figures::sign(group, theme), figures::tone(group, theme)),
        Span::raw(" "),
        span(fit(&group.group, widths.name, theme), name),
        Span::raw(" "),
        span(gauge(done, all, widths.gauge, theme), quiet),
        span(format!(" {share:>PERCENT$}  "), quiet),
    ];
    spans.extend(counts(&totals, widths.counts, theme));
    spans.push(span(
        format!(
            " {} {}",
            right(&rate, RATE, theme),
            right(&left, TIME, theme)
        ),
        quiet,
    ));
    if widths.waits > 0 {
        let (text, style) = waits(group, &shared.time, theme);
        // The sign of the group says that it has ended.
        let text = text.strip_prefix("ended: ").unwrap_or(&text);
        spans.push(span(format!("  {}", cut(text, widths.waits, theme)), style));
    }
    Line::from(spans)
}

/// How many entities are in which state, in signs.
fn counts_of(totals: &figures::Totals, theme: &Theme) -> Vec<(String, Style)> {
    let present = (figures::STATES.iter().zip(totals.states)).filter(|(_, count)| *count > 0);
    let text = |(state, count): (&Standing, usize)| {
        let text = format!("{}{count}", theme.sign(*state));
        (text, theme.of_state(*state))
    };
    present.map(text).collect()
}

/// The same in their place, with a sign for those that have none.
fn counts<'a>(totals: &figures::Totals, width: usize, theme: &Theme) -> Vec<Span<'a>> {
    let texts = counts_of(totals, theme);
    let last = texts.len().saturating_sub(1);
    let (mut spans, mut used) = (Vec::new(), 0);
    for (at, (text, style)) in texts.into_iter().enumerate() {
        let gap = usize::from(at > 0);
        // The sign for what is left out has its place as well.
        let more = if at == last { 0 } else { 2 };
        if used + gap + columns::width(&text) + more > width {
            let sign = if theme.ascii { "~" } else { "…" };
            let blank = " ".repeat(gap.min(width.saturating_sub(used + 1)));
            used += blank.len() + 1;
            spans.push(span(format!("{blank}{sign}"), theme.hint()));
            break;
        }
        used += gap + columns::width(&text);
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(span(text, style));
    }
    spans.push(Span::raw(" ".repeat(width.saturating_sub(used))));
    spans
}

/// What it waits for, or how it stands otherwise, in a word.
fn waits(group: &GroupSnapshot, time: &Time, theme: &Theme) -> (String, Style) {
    let is_still = group.phase.is_ended() || group.is_at_rest() || figures::activates(group);
    let what = match &group.bottleneck {
        _ if is_still => return (figures::phase(group, time), figures::tone(group, theme)),
        Bottleneck::None => return (figures::phase(group, time), theme.hint()),
        Bottleneck::Cap(Capped::Group(_)) => "its own cap".into(),
        Bottleneck::Cap(on) => format!("cap, {}", on.in_words()),
        bottleneck => figures::bottleneck(bottleneck),
    };
    (what, theme.tone(Tone::Look))
}

/// The group under the cursor in words.
pub(super) fn foot<'a>(
    group: &GroupSnapshot,
    shared: &Shared,
    theme: &Theme,
    width: usize,
) -> Line<'a> {
    let waits = figures::waits(group, &shared.site.inventory, shared.time.now);
    let text = format!(
        "{}: {} version {} from {}, {}{}{waits}",
        group.group,
        group.image,
        group.version,
        group.source,
        figures::phase(group, &shared.time),
        if waits.is_empty() { "" } else { ", " },
    );
    Line::styled(cut(&text, width, theme), theme.hint())
}
