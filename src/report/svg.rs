//! Plots over the time of a run, as SVG within a page: colours and widths of lines are classes of its style.
//!
//! Each has a title and a description for those who hear it, axes with units, and is as wide as its view box.

use std::time::Duration;

use crate::model::Series;
use crate::model::series::scale::{bytes_top, label};
use crate::model::series::{Class, Point};
use crate::model::units;

use super::escape::markup;
use super::facts::{rates, total};

/// The view box.
const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 180.0;
/// The plot within it.
const LEFT: f64 = 78.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 30.0;

/// From the bottom to the top; each has a class of the style by the same name.
pub(super) const STACKED: [(Class, &str); 6] = [
    (Class::Skipped, "skipped"),
    (Class::Proven, "proven"),
    (Class::Unproven, "unproven"),
    (Class::Failed, "failed"),
    (Class::UnderWay, "underway"),
    (Class::Waiting, "waiting"),
];

/// What people call them.
pub(super) fn class_words(class: Class) -> &'static str {
    match class {
        Class::Skipped => "had it before",
        Class::Proven => "delivered and proven",
        Class::Unproven => "delivered, not proven",
        Class::Failed => "failed or cancelled",
        Class::UnderWay => "under way",
        Class::Waiting => "waiting",
    }
}

/// A plot that is being drawn.
struct Plot {
    /// Of its time axis, in seconds; more than 0.
    end: f64,
    /// Of the other axis; more than 0.
    top: f64,
    body: String,
}

impl Plot {
    fn new(series: &Series, top: f64) -> Self {
        let mut plot = Self {
            end: series.until().as_secs_f64().max(1.0),
            top: top.max(f64::MIN_POSITIVE),
            body: String::new(),
        };
        plot.times();
        plot
    }

    fn x(&self, time: Duration) -> f64 {
        LEFT + (time.as_secs_f64() / self.end).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (value / self.top).clamp(0.0, 1.0) * (BOTTOM - TOP)
    }

    fn times(&mut self) {
        for seconds in time_ticks(self.end) {
            let x = self.x(Duration::from_secs(seconds));
            // A label at the right end would leave the view box.
            let anchor = match x > RIGHT - 20.0 {
                true => "end",
                false => "middle",
            };
            self.body += &format!(
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
                BOTTOM + 18.0,
                label(seconds)
            );
        }
    }

    /// Lines across, each with its label at the left.
    fn values(&mut self, values: impl Iterator<Item = (f64, String)>) {
        for (value, label) in values {
            let y = self.y(value);
            self.body += &format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                LEFT - 8.0,
                y + 4.0,
                markup(&label)
            );
        }
    }

    /// Over its slots, flat in each of them and nothing between: its upper edge, as a path.
    fn steps(&self, slots: &[((Duration, Duration), f64)], base: f64) -> String {
        let mut path = String::new();
        let mut reached: Option<Duration> = None;
        let floor = self.y(base);
        for ((begins, ends), value) in slots {
            let (from, to, y) = (self.x(*begins), self.x(*ends), self.y(*value));
            match reached {
                Some(end) if end == *begins => path += &format!("V{y:.1}"),
                Some(_) => path += &format!("V{floor:.1}H{from:.1}V{y:.1}"),
                None => path += &format!("M{from:.1} {floor:.1}V{y:.1}"),
            }
            path += &format!("H{to:.1}");
            reached = Some(*ends);
        }
        if !path.is_empty() {
            path += &format!("V{floor:.1}");
        }
        path
    }

    fn shape(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            self.body += &format!("<path class=\"{class}\" d=\"{path}\"/>\n");
        }
    }

    fn finish(self, name: &str, title: &str, description: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{name}-t {name}-d\">\n\
             <title id=\"{name}-t\">{}</title>\n<desc id=\"{name}-d\">{}</desc>\n{}\
             <path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>\n</svg>\n",
            markup(title),
            markup(description),
            self.body
        )
    }
}

/// Bytes a second over the time: `name` is of the plot, `class` of its area.
pub(super) fn rate(
    series: &Series,
    (name, class): (&str, &str),
    title: &str,
    bytes: fn(&Point) -> u64,
) -> String {
    let slots: Vec<_> = rates(series, bytes).collect();
    let highest = slots.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let mut plot = Plot::new(series, bytes_top(highest));
    let top = plot.top;
    plot.values(
        [0.0, 0.5, 1.0]
            .map(|part| (part * top, units::rate(part * top)))
            .into_iter(),
    );
    let path = plot.steps(&slots, 0.0);
    plot.shape(class, &path);
    let total = total(series.points().iter().map(bytes));
    let description = format!(
        "Over {}: {} in all, at most {}.",
        units::duration(series.until()),
        units::size(total),
        units::rate(highest)
    );
    plot.finish(name, title, &description)
}

/// How full the pools were, and how much they could hold.
pub(super) fn pool(series: &Series, name: &str, title: &str) -> String {
    let of = |bytes: fn(&Point) -> u64| -> Vec<_> {
        let points = series.points().iter();
        points
            .map(|point| (series.span(point), bytes(point) as f64))
            .collect()
    };
    let (filled, depth) = (of(|point| point.filled), of(|point| point.depth));
    let most = |of: &[(_, f64)]| of.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let highest = most(&filled).max(most(&depth));
    let mut plot = Plot::new(series, bytes_top(highest));
    let top = plot.top;
    let label = |part: f64| (part * top, units::size((part * top) as u64));
    plot.values([0.0, 0.5, 1.0].map(label).into_iter());
    let path = plot.steps(&filled, 0.0);
    plot.shape("pool", &path);
    let path = plot.steps(&depth, 0.0);
    plot.shape("depth", &path);
    let description = format!(
        "At most {} were filled of {} that the pools could hold.",
        units::size(most(&filled) as u64),
        units::size(most(&depth) as u64)
    );
    plot.finish(name, title, &description)
}

/// Entities by their state, one area on the other.
pub(super) fn states(series: &Series, name: &str, title: &str) -> String {
    let points = series.points();
    let all = points
        .iter()
        .map(|point| point.counts.all())
        .max()
        .unwrap_or(0);
    let mut plot = Plot::new(series, f64::from(all.max(1)));
    // What was so at the end of a slot stays so until the next one that was looked at.
    let ends = points.iter().skip(1).map(|point| series.span(point).0);
    let ends = ends.chain([series.until()]);
    let spans: Vec<_> = points
        .iter()
        .map(|point| series.span(point).0)
        .zip(ends)
        .collect();
    let mut below = vec![0.0; points.len()];
    for (class, style) in STACKED {
        let above: Vec<f64> = (points.iter().zip(&below))
            .map(|(point, below)| below + f64::from(point.counts.get(class)))
            .collect();
        if above != below {
            let path = plot.band(&spans, &below, &above);
            plot.shape(style, &path);
        }
        below = above;
    }
    // Above the areas: many classes leave no ground.
    plot.values(
        count_ticks(all)
            .into_iter()
            .map(|count| (f64::from(count), count.to_string())),
    );
    let last = points.last().map(|point| point.counts).unwrap_or_default();
    let parts = STACKED.iter().filter(|(class, _)| last.get(*class) > 0);
    let parts = parts.map(|(class, _)| format!("{} {}", last.get(*class), class_words(*class)));
    let description = format!("At the end: {}.", parts.collect::<Vec<_>>().join(", "));
    plot.finish(name, title, &description)
}

impl Plot {
    /// Between two stairs over the same slots.
    fn band(&self, spans: &[(Duration, Duration)], below: &[f64], above: &[f64]) -> String {
        let mut path = String::new();
        for ((begins, ends), value) in spans.iter().zip(above) {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let (from, to, y) = (self.x(*begins), self.x(*ends), self.y(*value));
            path += &format!("{command}{from:.1} {y:.1}H{to:.1}");
        }
        for ((begins, ends), value) in spans.iter().zip(below).rev() {
            let (from, to, y) = (self.x(*begins), self.x(*ends), self.y(*value));
            path += &format!("L{to:.1} {y:.1}H{from:.1}");
        }
        path + "Z"
    }
}

/// Round times, at most seven of them, from 0.
fn time_ticks(end: f64) -> Vec<u64> {
    const MOST: u64 = 7;
    const STEPS: [u64; 19] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600,
        43_200, 86_400,
    ];
    let end = end as u64;
    let fits = |step: &u64| end / step < MOST;
    let step = STEPS.into_iter().find(fits).unwrap_or_else(|| {
        let day = 86_400;
        // By whole days.
        (end / day / MOST + 1) * day
    });
    (0..=end / step).map(|number| number * step).collect()
}

/// Whole numbers up to how many there are, about four of them.
fn count_ticks(all: u32) -> Vec<u32> {
    let steps = (0..9).flat_map(|power| [1, 2, 5].map(|number| number * 10_u32.pow(power)));
    let step = (steps.into_iter()).find(|step| all / step <= 5);
    let step = step.unwrap_or(1_000_000_000);
    (0..=all / step).map(|number| number * step).collect()
}
