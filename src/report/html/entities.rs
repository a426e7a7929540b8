//! What failed, what is open, and all entities.

use crate::model::columns::count;
use crate::model::{Standing, UNPROVEN_HINT, units};
use crate::report::escape::{id, markup};
use crate::report::facts::{Entity, Group, Report};
use crate::report::words;

use super::class;

/// Where it stands in the table.
fn anchor(place: usize, one: &Entity) -> String {
    format!("e{place}-{}", id(&one.row.entity))
}

fn version(version: Option<&str>) -> String {
    version.map_or_else(|| "not known".into(), markup)
}

pub(super) fn failures(report: &Report, out: &mut String) {
    *out += &format!(
        "<section id=\"failures\">\n<h2>{}</h2>\n",
        match report.failures().count() {
            0 => "Nothing failed".into(),
            many => count(many, "failure"),
        }
    );
    for (place, group, one) in report.failures() {
        case(report, (place, group, one), out);
    }
    *out += "</section>\n";
}

/// Those without the image that did not fail, in the same form.
pub(super) fn open(report: &Report, out: &mut String) {
    let many = report.open().count();
    if many == 0 {
        return;
    }
    *out += &format!(
        "<section id=\"open\">\n<h2>{} cancelled or not finished</h2>\n",
        count(many, "entity")
    );
    for (place, group, one) in report.open() {
        case(report, (place, group, one), out);
    }
    *out += "</section>\n";
}

fn case(report: &Report, (place, group, one): (usize, &Group, &Entity), out: &mut String) {
    let row = &one.row;
    let standing = row.standing().as_str();
    *out += &format!(
        "<article class=\"case {}\">\n<h3><a class=\"name\" href=\"#{}\">{}</a>: {standing}</h3>\n",
        class(words::tone_of(one)),
        anchor(place, one),
        markup(&row.entity)
    );
    let mut rows = Vec::new();
    if let Some(cause) = row.cause.as_deref() {
        if let Some(step) = row.step_of_cause() {
            rows.push(("Step", markup(step)));
        }
        rows.push(("Cause", markup(cause)));
    }
    if let Some(advice) = &row.advice {
        rows.push(("What to do", markup(advice)));
    }
    rows.push(("Now", markup(words::holds(report, one))));
    if let Some(left) = &row.copied.left {
        rows.push(("Left behind", format!("<code>{}</code>", markup(left))));
    }
    if let Some(runs) = &row.runs {
        rows.push(("Runs", markup(runs)));
    }
    rows.push(("Group", markup(&group.row.group)));
    rows.push((
        "At",
        format!(
            "{}, {}",
            words::moment(row.at, &report.made.zone),
            count(row.attempts as usize, "try")
        ),
    ));
    *out += &super::list(&rows);
    *out += "</article>\n";
}

pub(super) fn unproven(report: &Report, out: &mut String) {
    let unproven = report
        .entities()
        .filter(|(_, _, one)| one.row.standing() == Standing::Unproven);
    let links: Vec<String> = unproven
        .map(|(place, _, one)| {
            let name = markup(&one.row.entity);
            format!(
                "<a class=\"name\" href=\"#{}\">{name}</a>",
                anchor(place, one)
            )
        })
        .collect();
    if links.is_empty() {
        return;
    }
    *out += &format!(
        "<section id=\"unproven\">\n<h2>{} delivered without proof</h2>\n\
         <p>Nobody has looked at the content there: {}.</p>\n<p>{}</p>\n</section>\n",
        count(links.len(), "entity"),
        markup(UNPROVEN_HINT)
            .replacen('`', "<code>", 1)
            .replacen('`', "</code>", 1),
        links.join(", ")
    );
}

const COLUMNS: [(&str, bool); 9] = [
    ("Entity", false),
    ("Type", false),
    ("Address", false),
    ("Version before", false),
    ("Version now", false),
    ("State", false),
    ("Verified", false),
    ("Tries", true),
    ("Took", true),
];

pub(super) fn table(report: &Report, out: &mut String) {
    *out += "<section id=\"entities\">\n<h2>All entities</h2>\n";
    for (place, group) in report.groups.iter().enumerate() {
        if report.groups.len() > 1 {
            *out += &format!(
                "<h3>{}: {}</h3>\n",
                markup(&group.row.group),
                markup(&words::image(group))
            );
        }
        let rows = group.entities.iter().map(|one| row(place, group, one));
        *out += &super::table("entities", &COLUMNS, rows);
    }
    *out += "<p class=\"note\">Version before: as the inventory had it when the run began. Took: from when it was begun to its \
             end, with what it waited for in between.</p>\n</section>\n";
}

fn row(place: usize, group: &Group, one: &Entity) -> (String, Vec<String>) {
    let row = &one.row;
    let cells = vec![
        format!("<span class=\"name\">{}</span>", markup(&row.entity)),
        markup(&row.type_),
        format!("<code>{}</code>", markup(&row.address)),
        version(one.before.as_deref()),
        version(group.version_now(one)),
        format!(
            "<span class=\"{}\">{}</span>",
            class(words::tone_of(one)),
            row.standing()
        ),
        words::verified(one).unwrap_or("–").into(),
        row.attempts.to_string(),
        one.took().map_or_else(|| "–".into(), units::long),
    ];
    (anchor(place, one), cells)
}
