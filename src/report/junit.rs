//! JUnit's XML, as servers for tests read it: a suite per group, a case per entity.
//!
//! Delivered, upgraded and skipped ones pass or are skipped; what failed or was rolled back is a failure; what was
//! cancelled or is not finished is an error, for nobody knows that it is good.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{EntityState, Standing};

use super::escape::markup;
use super::facts::{Entity, Group, Report};
use super::words;

/// What servers count.
#[derive(Default, Clone, Copy)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

enum Verdict {
    Passed,
    Skipped,
    Failure,
    Error,
}

fn verdict(one: &Entity) -> Verdict {
    match one.row.state {
        EntityState::Skipped => Verdict::Skipped,
        EntityState::Failed | EntityState::RolledBack => Verdict::Failure,
        state if state.is_success() => Verdict::Passed,
        _ => Verdict::Error,
    }
}

impl Tally {
    fn of(group: &Group) -> Self {
        let mut tally = Self::default();
        for one in &group.entities {
            tally.tests += 1;
            match verdict(one) {
                Verdict::Passed => {}
                Verdict::Skipped => tally.skipped += 1,
                Verdict::Failure => tally.failures += 1,
                Verdict::Error => tally.errors += 1,
            }
        }
        tally
    }

    fn add(&mut self, other: Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }

    fn attributes(self) -> String {
        format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
            self.tests, self.failures, self.errors, self.skipped
        )
    }
}

fn seconds(took: Option<Duration>) -> String {
    format!("{:.3}", took.unwrap_or_default().as_secs_f64())
}

/// ISO 8601, UTC, without a zone: their schema allows none.
fn timestamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string()
}

pub(super) fn suites(report: &Report) -> String {
    let mut all = Tally::default();
    report
        .groups
        .iter()
        .for_each(|group| all.add(Tally::of(group)));
    let name = format!("subtend {}, run {}", report.site, report.run.run);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" {} time=\"{}\" timestamp=\"{}\">\n",
        markup(&name),
        all.attributes(),
        seconds(report.took()),
        timestamp(report.run.started)
    );
    for (place, group) in report.groups.iter().enumerate() {
        suite(report, (place, group), &mut out);
    }
    out + "</testsuites>\n"
}

fn suite(report: &Report, (place, group): (usize, &Group), out: &mut String) {
    let row = &group.row;
    *out += &format!(
        "  <testsuite name=\"{}\" id=\"{place}\" {} time=\"{}\" timestamp=\"{}\" hostname=\"{}\">\n    <properties>\n",
        markup(&row.group),
        Tally::of(group).attributes(),
        seconds(group.took()),
        timestamp(row.started),
        markup(&report.run.origin.host)
    );
    let sources = words::sources(group).join(", ");
    for (name, value) in [
        ("run", report.run.run.as_str()),
        ("outcome", &report.run.outcome_word()),
        ("image", &row.image),
        ("version", &row.version),
        ("sha256", row.sha256.as_deref().unwrap_or_default()),
        ("source", &sources),
    ] {
        let _ = writeln!(
            out,
            "      <property name=\"{name}\" value=\"{}\"/>",
            markup(value)
        );
    }
    *out += "    </properties>\n";
    for one in &group.entities {
        case(report, (group, one), out);
    }
    *out += "  </testsuite>\n";
}

fn case(report: &Report, (group, one): (&Group, &Entity), out: &mut String) {
    let row = &one.row;
    *out += &format!(
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{}\">\n",
        markup(&row.entity),
        markup(&row.type_),
        seconds(one.took())
    );
    let state = row.state.as_str();
    let cause = words::cause(one);
    let message = markup(cause.as_deref().unwrap_or(state));
    match verdict(one) {
        Verdict::Passed => {}
        Verdict::Skipped => *out += &format!("      <skipped message=\"{message}\"/>\n"),
        Verdict::Failure => {
            let step = row.step.as_deref().unwrap_or(state);
            let text = markup(&detail(report, one));
            *out += &format!(
                "      <failure type=\"{}\" message=\"{message}\">{text}</failure>\n",
                markup(step)
            );
        }
        Verdict::Error => {
            let text = markup(&detail(report, one));
            *out +=
                &format!("      <error type=\"{state}\" message=\"{message}\">{text}</error>\n");
        }
    }
    *out += &format!(
        "      <system-out>{}</system-out>\n    </testcase>\n",
        markup(&about(group, one))
    );
}

/// Behind the cause: what to do, and what it holds.
fn detail(report: &Report, one: &Entity) -> String {
    let mut parts = Vec::new();
    parts.extend(words::cause(one));
    parts.extend(one.row.advice.clone());
    parts.push(words::holds(report, one).to_owned());
    parts.join("; ")
}

fn about(group: &Group, one: &Entity) -> String {
    let version = |version: Option<&str>| version.unwrap_or("not known").to_owned();
    let mut text = format!(
        "{}, {}: version before {}, now {}; {}",
        one.row.address,
        one.row.path,
        version(one.before.as_deref()),
        version(group.version_now(one)),
        one.row.standing()
    );
    if let Some(verified) = words::verified(one) {
        text += &format!(", verified: {verified}");
    }
    if one.row.standing() == Standing::Unproven {
        text += "; nobody has looked at the content";
    }
    text
}
