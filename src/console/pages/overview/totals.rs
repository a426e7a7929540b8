//! The lines about everything together.

use ratatui::text::{Line, Span};

use crate::console::figures;
use crate::console::widgets::fit::{cut, span};
use crate::console::widgets::gauge::{gauge, percent};
use crate::console::widgets::plot::clock;
use crate::model::series::{Class, Counts};
use crate::model::{columns, units};
use crate::protocol::Snapshot;
use crate::terminal::Theme;

/// In which order classes are counted.
const COUNTED: [Class; 6] = [
    Class::Proven,
    Class::Unproven,
    Class::Failed,
    Class::UnderWay,
    Class::Waiting,
    Class::Skipped,
];

/// A piece of a line, and whether it is a figure.
type Piece = (String, bool);

/// What is read and delivered, the memory, the groups: as much of each as has its place on the smallest screen.
pub(super) fn rates<'a>(snapshot: &Snapshot, theme: &Theme, width: usize) -> Line<'a> {
    let (mut read, mut delivered, mut filled) = (0.0, 0.0, 0);
    for group in snapshot.running() {
        read += group.rate;
        delivered += figures::delivered_rate(group);
        filled += group.used as u64 * group.buffer_size;
    }
    let runs = snapshot.running().count();
    let ended = snapshot.groups.len() - runs;
    let share = percent(filled, snapshot.memory);
    let memory = units::size(snapshot.memory).replace(".0 ", " ");
    let time = clock(snapshot.series.until().as_secs());
    // The gauge goes first where there is no room, then the time, then what the memory is a part of, then words.
    let pieces = |style: usize| -> Vec<Piece> {
        let gauge = match style {
            0 => gauge(filled, snapshot.memory, 10, theme) + " ",
            _ => String::new(),
        };
        let of = match style {
            0..=2 => format!(" of {memory}"),
            _ => String::new(),
        };
        let groups = match style {
            0..=3 => format!("{runs} run, {ended} ended"),
            _ => format!("{runs} of {}", runs + ended),
        };
        let mut pieces: Vec<Piece> = vec![
            ("read ".to_owned(), false),
            (figures::rate(read), true),
            ("  delivered ".to_owned(), false),
            (figures::rate(delivered), true),
            ("  memory ".to_owned(), false),
            (format!("{gauge}{share}%"), true),
            (of, false),
        ];
        if style < 5 {
            pieces.push(("  groups ".to_owned(), false));
            pieces.push((groups, true));
        }
        if style < 2 {
            pieces.push(("  time ".to_owned(), false));
            pieces.push((time.clone(), true));
        }
        pieces
    };
    let line = |style: usize| {
        let spans = pieces(style)
            .into_iter()
            .map(|(text, is_figure)| match is_figure {
                true => Span::raw(text),
                false => span(text, theme.hint()),
            });
        Line::from_iter(spans)
    };
    let fits = |style: &usize| line(*style).width() <= width;
    line((0..5).find(fits).unwrap_or(5))
}

/// How many entities of all groups are what, by the marks that the plot has for them.
pub(super) fn counts<'a>(snapshot: &Snapshot, theme: &Theme, width: usize) -> Line<'a> {
    let entities = snapshot.groups.iter().flat_map(|group| &group.entities);
    let counts = Counts::of(entities.map(|one| one.standing()));
    let present = || COUNTED.into_iter().filter(|class| counts.get(*class) > 0);
    let text = |class: Class, style: usize| {
        let (mark, many) = (theme.of_class(class).0, counts.get(class));
        match style {
            0 => format!("{mark} {many} {}  ", class.as_str()),
            1 => format!("{mark}{many} {}  ", short(class)),
            _ => format!("{mark}{many}  "),
        }
    };
    let all = format!("of {}", columns::count(counts.all() as usize, "entity"));
    let fits = |style: &usize| {
        let texts = present().map(|class| columns::width(&text(class, *style)));
        texts.sum::<usize>() + columns::width(&all) <= width
    };
    let style = (0..2).find(fits).unwrap_or(2);
    let spans = present().map(|class| span(text(class, style), theme.of_class(class).1));
    let mut line = Line::from_iter(spans);
    let room = width.saturating_sub(line.width());
    line.push_span(Span::styled(cut(&all, room, theme), theme.hint()));
    line
}

fn short(class: Class) -> &'static str {
    match class {
        Class::UnderWay => "busy",
        Class::Waiting => "wait",
        Class::Skipped => "skip",
        class => class.as_str(),
    }
}
