//! A report as one page of HTML: nothing from outside it, no script, and every text from outside escaped.
//!
//! - `groups`: the table of groups; `plots`: how the run went
//! - `entities`: what failed, and the table of all entities

mod entities;
mod groups;
mod plots;

use crate::journal::RunStatus;
use crate::model::columns::count;
use crate::model::text::shown;

use super::escape::markup;
use super::facts::Report;
use super::words::{self, Tone};

const STYLE: &str = include_str!("style.css");
/// A page that is opened from a mail loads nothing and runs nothing, whatever got into it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) fn page(report: &Report) -> String {
    let mut out = head(report);
    groups::table(report, &mut out);
    plots::section(report, &mut out);
    entities::failures(report, &mut out);
    entities::open(report, &mut out);
    entities::unproven(report, &mut out);
    entities::table(report, &mut out);
    out += &format!(
        "<footer><p>Made by subtend {} at {}. Times are those of this zone; sizes are in units of 1024.</p></footer>\n\
         </main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        words::moment(report.made.at, &report.made.zone)
    );
    out
}

fn head(report: &Report) -> String {
    let run = &report.run;
    let zone = &report.made.zone;
    let [site, name] = [&report.site, &run.run].map(|text| markup(text));
    let mut rows = vec![
        ("Run", format!("<code>{name}</code>")),
        ("Outcome", markup(&run.outcome_word())),
        ("Began", words::moment(run.started, zone)),
    ];
    match (run.ended, run.status) {
        (Some(ended), _) => rows.push(("Ended", words::moment(ended, zone))),
        (None, RunStatus::Running) => rows.push(("Ended", "it is going on".into())),
        (None, _) => rows.push(("Ended", "not known".into())),
    }
    rows.push(("Took", words::duration(report)));
    rows.push(("Started by", markup(&run.who())));
    rows.push((
        "Inventory",
        format!("<code>{}</code>", markup(&run.inventory_file)),
    ));
    if run.practice {
        rows.push((
            "Network",
            "a practice network, which is gone with its run".into(),
        ));
    }
    if let Some(amounts) = words::amounts(report) {
        rows.push(("Bytes", amounts));
    }
    let program = format!(
        "subtend {} (process {})",
        shown(&run.process.subtend),
        run.process.pid
    );
    rows.push(("Program", markup(&program)));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{site}, run {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"kind\">Upgrade report</p>\n<h1>{site}</h1>\n\
         <p class=\"outcome {}\">{}</p>\n{}{}{}</header>\n",
        class(words::tone(report)),
        markup(&words::outcome(report)),
        list(&rows),
        doubt(report),
        ways(report),
    )
}

/// What the reader has to know before believing any of it.
fn doubt(report: &Report) -> String {
    let mut out = String::new();
    for text in words::doubts(report) {
        out += &format!("<p class=\"look\">{}</p>\n", markup(&text));
    }
    out
}

/// To the sections of the page.
fn ways(report: &Report) -> String {
    let failures = match report.failures().count() {
        0 => "nothing failed".into(),
        many => count(many, "failure"),
    };
    format!(
        "<nav><a href=\"#groups\">groups</a> · <a href=\"#course\">how it went</a> · \
         <a href=\"#failures\">{failures}</a> · <a href=\"#entities\">all entities</a></nav>\n"
    )
}

pub(super) fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Look => "look",
        Tone::Bad => "bad",
    }
}

/// Of names and what is already escaped.
fn list(rows: &[(&str, String)]) -> String {
    let mut out = "<dl>\n".to_owned();
    for (name, text) in rows {
        out += &format!("<dt>{name}</dt><dd>{text}</dd>\n");
    }
    out + "</dl>\n"
}

/// Which columns are numbers, and stand at the right.
type Columns<'a> = &'a [(&'a str, bool)];

/// A table of cells that are escaped already, each row with its id.
fn table(
    name: &str,
    columns: Columns<'_>,
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> String {
    let number = |is_number: bool| match is_number {
        true => " class=\"number\"",
        false => "",
    };
    let mut out = format!("<div class=\"scroll\">\n<table class=\"{name}\">\n<thead><tr>");
    for (name, is_number) in columns {
        out += &format!("<th scope=\"col\"{}>{name}</th>", number(*is_number));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (id, cells) in rows {
        out += &format!("<tr id=\"{id}\">");
        for ((_, is_number), cell) in columns.iter().zip(cells) {
            out += &format!("<td{}>{cell}</td>", number(*is_number));
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table>\n</div>\n"
}
