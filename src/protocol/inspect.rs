//! What came of looking at many hosts, as rows of text: problems first, and hosts of which the same
//! is to be said in one row.

use crate::model::text::shown;
use crate::model::{Abilities, Holding, Name, Probe, names, units};

use super::{Installed, ProbeCheck};

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

/// What was found by looking before a run.
pub fn probed(checks: &[&ProbeCheck]) -> Vec<Row> {
    let said = checks.iter().map(|check| {
        let (weight, text) = match &check.problem {
            Some(problem) => (Weight::Problem, shown(problem)),
            None if check.notes.is_empty() => (Weight::Fine, in_words(check)),
            None => (
                Weight::Note,
                format!("{}; {}", check.notes.join("; "), in_words(check)),
            ),
        };
        // A source has a row of its own.
        let who = match check.is_source {
            true => Who::Source(&check.host),
            false => Who::Entity(&check.host),
        };
        (weight, text, who)
    });
    rows(said)
}

/// What entities were found to hold.
pub fn held(checks: &[&Installed]) -> Vec<Row> {
    let said = checks.iter().map(|check| {
        let word = check.holds.word();
        let text = match (&check.cause, check.holds) {
            (_, Holding::Has) if !check.verified.is_proof() => {
                format!("{word} by size alone: unproven")
            }
            (_, Holding::Has) => format!("{word} ({})", check.verified),
            (Some(cause), _) => format!("{word}: {}", shown(cause)),
            (None, _) => word.to_owned(),
        };
        let weight = match check.holds {
            Holding::Has if check.verified.is_proof() => Weight::Fine,
            Holding::Has => Weight::Note,
            _ => Weight::Problem,
        };
        (weight, text, Who::Entity(&check.entity))
    });
    rows(said)
}

#[derive(PartialEq)]
enum Who<'a> {
    Source(&'a Name),
    Entity(&'a Name),
}

fn rows<'a>(said: impl Iterator<Item = (Weight, String, Who<'a>)>) -> Vec<Row> {
    let mut order: Vec<(Weight, bool, String, Vec<String>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (weight, text, who) in said {
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
    match &check.probe {
        Some(probe) => of_entity(probe),
        None => match check.size {
            Some(size) => format!("it has the file, {}", units::size(size)),
            None => "it has the file".into(),
        },
    }
}

fn of_entity(probe: &Probe) -> String {
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
