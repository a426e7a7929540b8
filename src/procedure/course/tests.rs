//! All histories of one device, with lost answers, refusals, images that don't boot and processes that are killed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::model::procedure::{Expect, StepSpec, Template};

/// What the steps of the procedure below do to the device.
const ACTIVATE: [Act; 3] = [Act::Boot(Version::New), Act::Reload, Act::Wait];
const UNDO: [Act; 3] = [Act::Boot(Version::Old), Act::Reload, Act::Wait];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Version {
    Old,
    New,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Names the image of the next start.
    Boot(Version),
    Reload,
    /// Nothing but a wait.
    Wait,
}

/// A device as it is, whatever is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Device {
    runs: Version,
    boots: Version,
    can_boot: bool,
    /// How often each step that changes something took effect: of `activate`, and of `undo`.
    done: [[u8; 3]; 2],
}

/// What can go wrong with one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    Refused,
    LostBefore,
    LostAfter,
    /// No session could be opened.
    Unreached,
    /// The process is killed: before the step is written down, after it and before it is carried out, after that.
    Killed(u8),
}

const FATES: [Fate; 7] = [
    Fate::Refused,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Unreached,
    Fate::Killed(0),
    Fate::Killed(1),
    Fate::Killed(2),
];

fn step(deed: Deed, is: Option<&str>) -> StepSpec {
    let expect = is.map(|is| Expect {
        pattern: "(?<version>.*)".parse().unwrap(),
        is: Some(("version".into(), Template::parse(is).unwrap())),
    });
    StepSpec {
        deed,
        expect,
        within: Duration::from_secs(1),
        safe: is.is_some(),
        role: Default::default(),
    }
}

fn procedure(has_undo: bool) -> Procedure {
    let send = |line: &str| Deed::Send {
        line: Template::parse(line).unwrap(),
        answers: Vec::new(),
    };
    let restart = Deed::Restart {
        down: Duration::from_secs(1),
        back: Duration::from_secs(1),
    };
    let steps = |line| {
        vec![
            step(send(line), None),
            step(send("reload"), None),
            step(restart.clone(), None),
        ]
    };
    Procedure {
        name: "p".into(),
        session: None,
        web: None,
        before: Vec::new(),
        activate: steps("boot system {path}"),
        check: vec![step(send("show version"), Some("{version}"))],
        undo: match has_undo {
            true => steps("boot system {previous}"),
            false => Vec::new(),
        },
        fetch: Vec::new(),
    }
}

impl Device {
    fn act(&mut self, part: Part, number: usize) {
        let (acts, of) = match part {
            Part::Undo => (UNDO, 1),
            _ => (ACTIVATE, 0),
        };
        match acts[number] {
            Act::Boot(version) => self.boots = version,
            Act::Reload => {
                self.runs = match (self.boots, self.can_boot) {
                    // It falls back by itself.
                    (Version::New, false) => Version::Old,
                    (boots, _) => boots,
                };
            }
            Act::Wait => return,
        }
        self.done[of][number] += 1;
    }
}

/// One history: a device, what is written down of it, and what may still go wrong.
#[derive(Debug, Clone)]
struct History {
    device: Device,
    written: Vec<PastStep>,
    faults: usize,
    trail: Vec<(Part, usize, Fate)>,
}

impl History {
    /// But for naming the previous image once more, where nobody knows whether that was done.
    fn assert_nothing_done_twice(&self) {
        let in_doubt = |one: &&(Part, usize, Fate)| {
            matches!(one, (Part::Undo, 0, Fate::LostAfter | Fate::Killed(2)))
        };
        let before = &self.trail[..self.trail.len() - 1];
        let again = before.iter().filter(in_doubt).count();
        for (part, done) in self.device.done.iter().enumerate() {
            for (number, done) in done.iter().enumerate() {
                let most = 1 + if (part, number) == (1, 0) { again } else { 0 };
                assert!(usize::from(*done) <= most, "carried out twice: {self:?}");
            }
        }
    }
}

#[derive(Default)]
struct Walk {
    histories: u64,
    ends: BTreeSet<&'static str>,
}

impl Walk {
    /// A process begins with what is written down.
    fn process(&mut self, procedure: &Procedure, history: &History, depth: usize) {
        assert!(depth < 8, "without end: {:?}", history.trail);
        let course = Course::new(procedure, &history.written, false);
        self.steps(procedure, history, course, depth);
    }

    fn steps(
        &mut self,
        procedure: &Procedure,
        history: &History,
        course: Course<'_>,
        depth: usize,
    ) {
        let (part, number, wanted) = match course.next() {
            Next::End(verdict) => return self.ended(procedure, history, verdict, depth),
            Next::Do {
                part,
                number,
                wanted,
                ..
            } => (part, number, wanted),
        };
        let few = history.faults > 0;
        let fates = FATES.iter().copied().filter(|_| few);
        for fate in fates.chain([Fate::Well]) {
            let mut history = history.clone();
            history.faults -= usize::from(fate != Fate::Well);
            history.trail.push((part, number, fate));
            let mut course = course.clone();
            if fate == Fate::Killed(0) {
                self.process(procedure, &history, depth + 1);
                continue;
            }
            if part != Part::Check {
                let end = None;
                history.written.push(PastStep { part, number, end });
            }
            let device = &mut history.device;
            if !matches!(
                fate,
                Fate::Refused | Fate::LostBefore | Fate::Unreached | Fate::Killed(1)
            ) && part != Part::Check
            {
                device.act(part, number);
                history.assert_nothing_done_twice();
            }
            if matches!(fate, Fate::Killed(_)) {
                self.process(procedure, &history, depth + 1);
                continue;
            }
            let end = match fate {
                Fate::Well if part == Part::Check => {
                    let right = match wanted {
                        Wanted::Image => Version::New,
                        Wanted::Previous => Version::Old,
                    };
                    match history.device.runs == right {
                        true => StepEnd::Done,
                        false => StepEnd::Refused,
                    }
                }
                Fate::Well => StepEnd::Done,
                Fate::Refused => StepEnd::Refused,
                Fate::Unreached => StepEnd::Undone,
                _ => StepEnd::Unanswered,
            };
            if let Some(last) = history.written.last_mut().filter(|_| part != Part::Check) {
                last.end = Some(end);
            }
            course.did(end);
            self.steps(procedure, &history, course, depth);
        }
    }

    fn ended(&mut self, procedure: &Procedure, history: &History, verdict: Verdict, depth: usize) {
        self.histories += 1;
        let (runs, trail) = (history.device.runs, &history.trail);
        let name = match verdict {
            Verdict::Upgraded => "upgraded",
            Verdict::RolledBack => "rolled back",
            Verdict::RunsAnother => "runs another",
            Verdict::Untouched => "untouched",
            Verdict::Failed => "failed",
            Verdict::Unknown => "unknown",
            Verdict::Cancelled => "cancelled",
        };
        self.ends.insert(name);
        match verdict {
            // Nor does it start another one next time.
            Verdict::Upgraded => {
                assert_eq!(
                    (runs, history.device.boots),
                    (Version::New, Version::New),
                    "{trail:?}"
                );
            }
            Verdict::RolledBack => {
                assert_eq!(
                    (runs, history.device.boots),
                    (Version::Old, Version::Old),
                    "{trail:?}"
                );
                assert!(
                    history.device.done[1] != [0, 0, 0] || history.faults < FAULTS,
                    "{trail:?}"
                );
            }
            Verdict::Untouched => {
                assert_eq!(history.device.boots, Version::Old, "{trail:?}");
                assert_eq!(runs, Version::Old, "{trail:?}");
            }
            // Taken up once more, with nothing else going wrong, it comes to an end that is known.
            Verdict::Unknown if depth < 7 => {
                let again = History {
                    faults: 0,
                    ..history.clone()
                };
                self.process(procedure, &again, depth + 1);
            }
            Verdict::RunsAnother | Verdict::Cancelled => panic!("{trail:?}"),
            Verdict::Failed | Verdict::Unknown => {}
        }
        let only_killed = trail
            .iter()
            .all(|(_, _, fate)| matches!(fate, Fate::Well | Fate::Killed(_)));
        if only_killed && !procedure.undo.is_empty() {
            let is_end = matches!(verdict, Verdict::Upgraded | Verdict::RolledBack);
            assert!(is_end, "{verdict:?}: {trail:?}");
        }
    }
}

const FAULTS: usize = 3;

#[test]
fn whatever_is_lost_or_killed_no_step_is_carried_out_twice_and_what_is_said_is_so() {
    let mut walk = Walk::default();
    for has_undo in [true, false] {
        for can_boot in [true, false] {
            let device = Device {
                runs: Version::Old,
                boots: Version::Old,
                can_boot,
                done: [[0; 3]; 2],
            };
            let history = History {
                device,
                written: Vec::new(),
                faults: FAULTS,
                trail: Vec::new(),
            };
            walk.process(&procedure(has_undo), &history, 0);
        }
    }
    println!("{} histories end as {:?}", walk.histories, walk.ends);
    let all = ["failed", "rolled back", "unknown", "untouched", "upgraded"];
    assert!(walk.ends.iter().eq(all.iter()), "{:?}", walk.ends);
}

#[test]
fn one_that_runs_the_image_is_not_touched() {
    let procedure = procedure(true);
    let mut course = Course::new(&procedure, &[], true);
    assert!(matches!(
        course.next(),
        Next::Do {
            part: Part::Check,
            number: 0,
            wanted: Wanted::Image,
            may_be_away: true
        }
    ));
    let mut other = course.clone();
    course.did(StepEnd::Done);
    assert_eq!(course.next(), Next::End(Verdict::Upgraded));
    other.did(StepEnd::Refused);
    assert_eq!(other.next(), Next::End(Verdict::RunsAnother));
}

#[test]
fn a_cancellation_ends_the_way_where_it_is() {
    let procedure = procedure(true);
    let mut course = Course::new(&procedure, &[], false);
    course.did(StepEnd::Done);
    course.did(StepEnd::Cancelled);
    assert_eq!(course.next(), Next::End(Verdict::Cancelled));
    // What is taken up again asks first, and does not repeat the step that was cut off.
    let past = course.past.clone();
    let mut course = Course::new(&procedure, &past, false);
    course.did(StepEnd::Refused);
    assert!(matches!(
        course.next(),
        Next::Do {
            part: Part::Undo,
            number: 0,
            ..
        }
    ));
}
