//! What came of asking many hosts: all answers so far, and these as rows of text: problems first, and
//! hosts of which the same is to be said in one row.

use serde::Serialize;

use crate::model::columns::count;
use crate::model::text::shown;
use crate::model::{Abilities, Holding, Name, Probe, names, units};

use super::{Event, Installed, ProbeCheck, ProcedureCheck};

/// All answers to a question so far.
#[derive(Debug, Clone, Serialize)]
pub struct Findings<A> {
    pub checks: Vec<A>,
    /// Hosts that have not answered yet; at the end, that were not asked any more.
    pub left: usize,
    /// File bytes.
    #[serde(skip)]
    pub read: u64,
    pub stopped: bool,
    #[serde(skip)]
    pub ended: bool,
}

impl<A> Default for Findings<A> {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            left: 0,
            read: 0,
            stopped: false,
            ended: false,
        }
    }
}

impl<A: Answer> Findings<A> {
    /// Adds what the event says; `false`: it is about something else.
    pub fn take(&mut self, event: &Event) -> bool {
        let Some((checks, left, read, ended, stopped)) = A::of(event) else {
            return false;
        };
        self.checks.extend_from_slice(checks);
        (self.left, self.read) = (left, read);
        (self.ended, self.stopped) = (ended, stopped);
        true
    }

    /// Number of hosts that are not as they should be.
    pub fn problems(&self) -> usize {
        self.checks
            .iter()
            .filter(|check| check.is_problem())
            .count()
    }

    /// Number of hosts that were looked at, for people, and of those that have no way to be asked.
    pub fn looked_at(&self) -> String {
        let mute = self.checks.iter().filter(|check| check.is_mute()).count();
        let looked_at = count(self.checks.len() - mute, "host");
        match mute {
            0 => format!("{looked_at} looked at"),
            _ => format!("{looked_at} looked at, {mute} with no way to be asked"),
        }
    }

    /// Whether any host was looked at.
    pub fn has_looked(&self) -> bool {
        self.checks.iter().any(|check| !check.is_mute())
    }

    /// About one group.
    pub fn of_group(&self, group: &Name) -> Vec<&A> {
        let checks = self.checks.iter();
        checks.filter(|check| check.group() == group).collect()
    }
}

/// Answers, hosts that are left, bytes read, and whether it has ended and was stopped.
type More<'a, A> = (&'a [A], usize, u64, bool, bool);

/// What one host answered.
pub trait Answer: Clone {
    /// What an event brings, where it is about this.
    fn of(event: &Event) -> Option<More<'_, Self>>;

    fn group(&self) -> &Name;

    fn is_problem(&self) -> bool;

    /// Nothing could be asked of it.
    fn is_mute(&self) -> bool {
        false
    }

    /// How much it matters, what is to be said, and of whom.
    fn said(&self) -> (Weight, String, Who<'_>);
}

impl Answer for ProbeCheck {
    fn of(event: &Event) -> Option<More<'_, Self>> {
        match event {
            Event::Probed {
                checks,
                left,
                ended,
                stopped,
                ..
            } => Some((checks, *left, 0, *ended, *stopped)),
            _ => None,
        }
    }

    fn group(&self) -> &Name {
        &self.group
    }

    fn is_problem(&self) -> bool {
        self.problem.is_some()
    }

    fn is_mute(&self) -> bool {
        let unasked = self.probe.as_ref().is_some_and(|probe| probe.unasked);
        self.problem.is_none() && self.procedure.is_none() && unasked
    }

    fn said(&self) -> (Weight, String, Who<'_>) {
        let (weight, text) = match &self.problem {
            Some(problem) => (Weight::Problem, shown(problem)),
            None if self.notes.is_empty() => (Weight::Fine, in_words(self)),
            None => (
                Weight::Note,
                format!("{}; {}", self.notes.join("; "), in_words(self)),
            ),
        };
        // A source has a row of its own.
        let who = match self.is_source {
            true => Who::Source(&self.host),
            false => Who::Entity(&self.host),
        };
        (weight, text, who)
    }
}

impl Answer for Installed {
    fn of(event: &Event) -> Option<More<'_, Self>> {
        match event {
            Event::Held {
                checks,
                left,
                read,
                ended,
                stopped,
                ..
            } => Some((checks, *left, *read, *ended, *stopped)),
            _ => None,
        }
    }

    fn group(&self) -> &Name {
        &self.group
    }

    fn is_problem(&self) -> bool {
        self.holds != Holding::Has
    }

    fn said(&self) -> (Weight, String, Who<'_>) {
        let word = self.holds.word();
        let text = match (&self.cause, self.holds) {
            (_, Holding::Has) if !self.verified.is_proof() => {
                format!("{word} by size alone: unproven")
            }
            (_, Holding::Has) => format!("{word} ({})", self.verified),
            (Some(cause), _) => format!("{word}: {}", shown(cause)),
            (None, _) => word.to_owned(),
        };
        let weight = match self.holds {
            Holding::Has if self.verified.is_proof() => Weight::Fine,
            Holding::Has => Weight::Note,
            _ => Weight::Problem,
        };
        (weight, text, Who::Entity(&self.entity))
    }
}

/// How much a row matters; what matters more comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    Problem,
    Note,
    Fine,
}

/// A row. Its text is fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub weight: Weight,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Who<'a> {
    Source(&'a Name),
    Entity(&'a Name),
}

/// What was found, in words.
pub fn rows<'a, A: Answer + 'a>(checks: impl IntoIterator<Item = &'a A>) -> Vec<Row> {
    let mut order: Vec<(Weight, bool, String, Vec<String>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (weight, text, who) in checks.into_iter().map(Answer::said) {
        match who {
            Who::Source(name) => order.push((weight, false, text, vec![shown(name)])),
            Who::Entity(name) => {
                let place = *places.entry((weight, text.clone())).or_insert_with(|| {
                    order.push((weight, true, text, Vec::new()));
                    order.len() - 1
                });
                order[place].3.push(shown(name));
            }
        }
    }
    for (_, _, _, who) in &mut order {
        who.sort();
    }
    order.sort_by(|a, b| (a.0, a.1, &a.3).cmp(&(b.0, b.1, &b.3)));
    (order.into_iter())
        .map(|(weight, is_entity, text, who)| {
            let who = names::compress(&who).join(", ");
            let text = match is_entity {
                true => format!("{who}: {text}"),
                false => format!("source {who}: {text}"),
            };
            Row { weight, text }
        })
        .collect()
}

fn in_words(check: &ProbeCheck) -> String {
    let words = match &check.probe {
        Some(probe) => of_entity(probe),
        None => match check.size {
            Some(size) => format!("it has the file, {}", units::size(size)),
            None => "it has the file".into(),
        },
    };
    match &check.procedure {
        Some(procedure) => format!("{words}; {}", of_procedure(procedure)),
        None => words,
    }
}

fn of_procedure(check: &ProcedureCheck) -> String {
    let mut words = Vec::new();
    if check.logged_in {
        words.push("logged in".to_owned());
    }
    match &check.runs {
        Some(runs) => words.push(format!("runs {}", shown(runs))),
        None if check.steps > 0 => words.push(format!("{} tried", count(check.steps, "step"))),
        None => {}
    }
    let what = match check.logged_in {
        true => "command line",
        false => "procedure",
    };
    format!("{what}: {}", words.join(", "))
}

fn of_entity(probe: &Probe) -> String {
    if probe.unasked {
        return "its address was looked up, and nothing was sent".into();
    }
    let Abilities {
        epsv,
        size,
        rest,
        rename,
        digest,
        read,
    } = &probe.can;
    let mut words = Vec::new();
    if probe.written {
        words.push("can be written".to_owned());
    }
    let able = [
        (epsv, "EPSV", "PASV"),
        (size, "SIZE", "no SIZE"),
        (rest, "REST", "no REST"),
        (rename, "rename", "no rename"),
        (read, "can be read back", "can't be read back"),
    ];
    words.extend(able.into_iter().filter_map(|(can, yes, no)| {
        let can = (*can)?;
        Some(if can { yes } else { no }.to_owned())
    }));
    words.push(match digest {
        Some(digest) => digest.clone(),
        None => "no digest".into(),
    });
    words.push(match probe.free {
        Some(free) => format!("{} free", units::size(free)),
        None => "free space not told".into(),
    });
    words.join(", ")
}
