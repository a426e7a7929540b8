//! How the run went: its plots, or in words that there are none.

use crate::journal::RunStatus;
use crate::model::Series;
use crate::report::escape::markup;
use crate::report::facts::Report;
use crate::report::{svg, words};

pub(super) fn section(report: &Report, out: &mut String) {
    *out += "<section id=\"course\">\n<h2>How it went</h2>\n";
    match report
        .series
        .as_ref()
        .filter(|series| !series.points().is_empty())
    {
        None => *out += &format!("<p>{}</p>\n", words::no_plots(report)),
        Some(series) => plots(report, series, out),
    }
    *out += "</section>\n";
}

fn plots(report: &Report, series: &Series, out: &mut String) {
    let as_far = match report.run.status {
        RunStatus::Ended => "",
        RunStatus::Running | RunStatus::CutOff => ", as far as it was recorded",
    };
    let interval = crate::model::units::duration(series.interval());
    *out += &format!(
        "<p class=\"note\">Over the time of the run, from its beginning{as_far}; each step is the mean of {interval}.</p>\n\
         <div class=\"plots\">\n"
    );
    let title = "Read from sources";
    let plot = svg::rate(series, ("plot-read", "read"), title, |point| point.read);
    figure(title, "bytes a second", &plot, "", out);
    let title = "Delivered to entities";
    let plot = svg::rate(series, ("plot-delivered", "delivered"), title, |point| {
        point.delivered
    });
    figure(title, "bytes a second, of all attempts", &plot, "", out);
    let title = "Buffer pools";
    let plot = svg::pool(series, "plot-pool", title);
    figure(
        title,
        "bytes: filled, and (dashed) as many as they could hold",
        &plot,
        "",
        out,
    );
    let title = "Entities by state";
    let plot = svg::states(series, "plot-states", title);
    figure(title, "number", &plot, &key(series), out);
    *out += "</div>\n";
}

fn figure(title: &str, unit: &str, plot: &str, below: &str, out: &mut String) {
    *out += &format!(
        "<figure>\n<figcaption>{} <span>{}</span></figcaption>\n{plot}{below}</figure>\n",
        markup(title),
        markup(unit)
    );
}

/// What its colours mean, from the top to the bottom; those that there are.
fn key(series: &Series) -> String {
    let is_there = |class| {
        series
            .points()
            .iter()
            .any(|point| point.counts.get(class) > 0)
    };
    let mut out = "<ul class=\"key\">\n".to_owned();
    for (class, style) in svg::STACKED
        .into_iter()
        .rev()
        .filter(|(class, _)| is_there(*class))
    {
        out += &format!(
            "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"{style}\" width=\"10\" height=\"10\"/></svg>{}</li>\n",
            svg::class_words(class)
        );
    }
    out + "</ul>\n"
}
