//! What hosts said when they were looked at: before a start, or for what they hold.

use crate::console::asked::Question;
use crate::console::effect::Effect;
use crate::console::state::Shared;
use crate::model::Holding;
use crate::model::units;
use crate::protocol::inspect::{self, Answer, Findings, Row, Weight};
use crate::protocol::{Command, Event, Installed, ProbeCheck};

use super::View;

#[derive(Debug, Default)]
pub(super) struct Online {
    asked: Option<Question>,
    /// More answers are to come.
    pub(super) goes_on: bool,
    /// The engine has been heard about this.
    heard: bool,
    probed: Findings<ProbeCheck>,
    installed: Findings<Installed>,
}

/// Asks about what is shown. Passwords must have been given.
pub(super) fn ask(view: &mut View, question: Question) -> Option<Effect> {
    let groups = view.specs.clone();
    let force = view.force;
    view.offset = 0;
    view.online = Online {
        asked: Some(question),
        goes_on: true,
        ..Online::default()
    };
    let size_only = false;
    Some(Effect::Send(vec![match question {
        Question::Probe => Command::Probe { groups, force },
        Question::Verify => Command::Verify { groups, size_only },
    }]))
}

/// Ends what goes on.
pub(super) fn stop(shared: &mut Shared) -> Option<Effect> {
    shared.say("no more hosts are asked");
    Some(Effect::Send(vec![Command::CancelInspection]))
}

/// An answer of the engine. One to a question of a page that was left is of no use here.
pub(crate) fn arrived(view: &mut View, event: &Event) {
    let online = &mut view.online;
    let is_of_hosts = matches!(
        event,
        Event::Refused { .. } | Event::Probed { .. } | Event::Held { .. }
    );
    if !online.goes_on || !is_of_hosts {
        return;
    }
    let is_about_this = match online.asked {
        Some(Question::Probe) => online.probed.take(event),
        Some(Question::Verify) => online.installed.take(event),
        None => false,
    };
    match event {
        _ if is_about_this => {
            online.goes_on = !(online.probed.ended || online.installed.ended);
            online.heard = true;
        }
        // Of a page that was left.
        Event::Probed { ended: true, .. } | Event::Held { ended: true, .. }
            if online.asked.is_none() =>
        {
            online.goes_on = false;
        }
        // It was refused, if this is about it.
        Event::Refused { .. } if !online.heard => *online = Online::default(),
        _ => {}
    }
}

impl Online {
    /// Entities that have a file of the image's size, and of which no more is known.
    fn by_size(&self) -> usize {
        let by_size =
            |check: &&Installed| check.holds == Holding::Has && !check.verified.is_proof();
        self.installed.checks.iter().filter(by_size).count()
    }

    /// Entities of which nobody knows what they hold.
    fn not_known(&self) -> usize {
        let unknown =
            |check: &&Installed| matches!(check.holds, Holding::Unknown | Holding::Unreachable);
        self.installed.checks.iter().filter(unknown).count()
    }

    /// The entities that the check found something against.
    pub(super) fn entities_with_problems(&self) -> Vec<String> {
        let checks = self.probed.checks.iter();
        let found = checks.filter(|check| !check.is_source && check.problem.is_some());
        found.map(|check| check.host.to_string()).collect()
    }

    /// The page is about something else now. What goes on can still be stopped.
    pub(super) fn abandoned(&self) -> Self {
        Self {
            goes_on: self.goes_on,
            heard: true,
            ..Self::default()
        }
    }

    /// A heading and the rows below it; nothing where nothing was asked. `back` is the key that stops it.
    pub(super) fn lines(&self, back: &str) -> Option<(String, Vec<Row>)> {
        fn of<A: Answer>(found: &Findings<A>) -> (String, bool, usize, Vec<Row>, usize, bool) {
            let (looked_at, has_looked) = (found.looked_at(), found.has_looked());
            let (wrong, rows) = (found.problems(), inspect::rows(&found.checks));
            (
                looked_at,
                has_looked,
                wrong,
                rows,
                found.left,
                found.stopped,
            )
        }
        let (title, (looked_at, has_looked, wrong, rows, left, stopped)) = match self.asked? {
            Question::Probe => ("Online check", of(&self.probed)),
            Question::Verify => ("What they hold", of(&self.installed)),
        };
        let mut text = format!("{title}: {looked_at}");
        text += &match (self.asked?, wrong) {
            // Nobody has answered yet.
            (_, _) if !has_looked => String::new(),
            (Question::Probe, 0) => ", no problem".to_owned(),
            (Question::Probe, 1) => ", 1 problem".to_owned(),
            (Question::Probe, many) => format!(", {many} problems"),
            (Question::Verify, 0) if self.by_size() > 0 => {
                format!(", all have a file of its size, {} unproven", self.by_size())
            }
            (Question::Verify, 0) => ", all have the image".to_owned(),
            (Question::Verify, wrong) => match wrong - self.not_known() {
                0 => format!(", {wrong} not known"),
                without if without == wrong => format!(", {wrong} without the image"),
                without => {
                    format!(
                        ", {without} without the image, {} not known",
                        wrong - without
                    )
                }
            },
        };
        if self.installed.read > 0 {
            text += &format!(", {} read", units::size(self.installed.read));
        }
        text += &match (self.goes_on, stopped) {
            (true, _) if self.heard => format!(", {left} to come ({back} stops)"),
            (true, _) => format!(" ({back} stops)"),
            (false, true) => format!(", stopped: {} not asked", left),
            (false, false) => String::new(),
        };
        Some((text, rows))
    }
}

/// What stands before a row.
pub(super) fn sign(weight: Weight) -> &'static str {
    match weight {
        Weight::Problem => "X ",
        Weight::Note => "! ",
        Weight::Fine => "  ",
    }
}
