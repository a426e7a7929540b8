//! Writing a report of a run: in which format, and to which file. What runs is not touched by it.

use crate::model::ReportFormat;
use crate::model::names::for_a_file;
use crate::protocol::Snapshot;

use super::asked::{Answer, Asked, OfReport};
use super::dialogs::{Dialog, Row};
use super::effect::Effect;
use super::state::Shared;

/// Of what the engine runs, or has run last.
pub(crate) fn of_newest(shared: &mut Shared, snapshot: &Snapshot) {
    match snapshot.groups.is_empty() {
        true => {
            shared.complain("nothing was started yet; H shows past runs, and w there reports one")
        }
        false => ask(shared, &snapshot.run),
    }
}

/// Which format.
pub(crate) fn ask(shared: &mut Shared, run: &str) {
    let rows = ReportFormat::ALL.map(|format| Row {
        label: format.to_string(),
        detail: format.about().to_owned(),
        value: format.to_string(),
    });
    let run = run.to_owned();
    let title = format!("Report of run {run}, as");
    let asked = Asked::Report(OfReport::Format { run });
    (shared.dialogs).push(Dialog::list(title, rows.into(), asked));
}

pub(crate) fn answered(shared: &mut Shared, asked: OfReport, answer: Answer) -> Option<Effect> {
    match (asked, answer) {
        (OfReport::Which { run }, Answer::Yes) => ask(shared, &run),
        (OfReport::Format { run }, Answer::Chosen(format)) => {
            let format = ReportFormat::of(&format)?;
            let file = file_name(&shared.site_name, &run, format);
            let asked = Asked::Report(OfReport::File { run, format });
            let mut dialog = Dialog::text("Write the report to", &file, asked);
            if let Dialog::Text { lines, .. } = &mut dialog {
                lines.push(
                    "In the folder in which the console was opened, or anywhere by its path."
                        .into(),
                );
                lines.push(
                    "A file that is there is not overwritten: the new one gets a number.".into(),
                );
            }
            shared.dialogs.push(dialog);
        }
        (OfReport::File { run, format }, Answer::Text(file)) => {
            let file = file.trim().to_owned();
            if file.is_empty() {
                shared.complain("the report needs the name of a file");
                return None;
            }
            shared.say("the report is being written");
            return Some(Effect::Report { run, format, file });
        }
        _ => {}
    }
    None
}

/// `subtend-bremen-20261128T031200Z-1a2b.html`.
fn file_name(site: &str, run: &str, format: ReportFormat) -> String {
    let parts = ["subtend".to_owned(), for_a_file(site), for_a_file(run)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}.{}", parts.join("-"), format.extension())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing::{self, MONO, press, screen};

    #[test]
    fn a_report_of_what_runs_is_asked_for_and_written_with_three_keys() {
        let (mut state, busy) = (testing::state(), testing::snapshot());
        assert_eq!(press(&mut state, &busy, "4w"), []);
        let shown = screen(&mut state, &busy, 80, 24, MONO);
        assert!(
            shown.contains("Report of run run-1, as") && shown.contains("a page with plots"),
            "{shown}"
        );
        let wrote = press(&mut state, &busy, "<Enter><Enter>");
        let effect = |format, file: &str| Effect::Report {
            run: "run-1".into(),
            format,
            file: file.into(),
        };
        assert_eq!(
            wrote,
            [effect(ReportFormat::Html, "subtend-site-run-1.html")]
        );
        assert!(state.shared.dialogs.is_empty());
        // Another format, under another name.
        let wrote = press(
            &mut state,
            &busy,
            ":report<Enter><Down><Down><Enter><Ctrl-U>/tmp/night.txt<Enter>",
        );
        assert_eq!(wrote, [effect(ReportFormat::Text, "/tmp/night.txt")]);
        // None at all.
        assert_eq!(
            press(
                &mut state,
                &busy,
                "w<Esc>w<Enter><Esc>w<Enter><Ctrl-U><Enter>"
            ),
            []
        );
        assert!(
            state
                .shared
                .message
                .as_ref()
                .is_some_and(|said| said.is_error)
        );
    }

    #[test]
    fn where_nothing_was_started_there_is_nothing_to_report() {
        let (mut state, idle) = (testing::state(), testing::idle());
        assert_eq!(press(&mut state, &idle, "4w"), []);
        assert!(state.shared.dialogs.is_empty());
        assert!(screen(&mut state, &idle, 80, 24, MONO).contains("nothing was started yet"));
    }

    #[test]
    fn names_of_files_are_safe_whatever_the_site_is_called() {
        for (site, name) in [
            ("bremen mitte", "subtend-bremen-mitte-r1.xml"),
            ("../../etc", "subtend-etc-r1.xml"),
            ("漢字", "subtend-r1.xml"),
        ] {
            assert_eq!(file_name(site, "r1", ReportFormat::Junit), name);
        }
    }
}
