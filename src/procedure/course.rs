//! Which step of a procedure is next, after its image is in place: pure, without a clock or a device.
//!
//! Steps that change something are carried out once, whatever was lost or killed in between. What can't be known
//! (a step was begun, and nothing says that it ended) is asked of the device by `check`, and where that doesn't say
//! that it runs the image, the way leads back: `undo` is of other steps, which have not been carried out yet.
//!
//! `undo` that was begun is carried to its end: left in the middle, a device may start either image next. From it no
//! way leads further back, so a step of it that is in doubt is carried out once more when the device has answered
//! `check`; but for one that restarts the device, where the answer shows that it has.

use crate::model::procedure::{Deed, Part, Procedure};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepEnd {
    Done,
    /// The device, or a program, said no.
    Refused,
    /// No answer came: whether it was carried out is not known.
    Unanswered,
    /// Nothing of it reached the device.
    Undone,
    /// The operator ended it.
    Cancelled,
}

impl StepEnd {
    pub const ALL: [Self; 5] = [
        Self::Done,
        Self::Refused,
        Self::Unanswered,
        Self::Undone,
        Self::Cancelled,
    ];

    /// As it stands in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Undone => "undone",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.word() == word)
    }
}

/// A step that was written down before it was carried out, by this process or by one that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PastStep {
    pub part: Part,
    /// From 0.
    pub number: usize,
    /// `None`: nothing was written down of it after it had begun.
    pub end: Option<StepEnd>,
}

impl PastStep {
    /// Whether it was to make the device run an image, or its previous one.
    pub fn is_of_activation(&self) -> bool {
        matches!(self.part, Part::Activate | Part::Undo)
    }
}

/// Which version the device has to say that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    Image,
    Previous,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Next {
    Do {
        part: Part,
        number: usize,
        wanted: Wanted,
        /// It may be on its way back from a restart that nobody has waited for to the end.
        may_be_away: bool,
    },
    End(Verdict),
}

/// What it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The device said that it runs the image.
    Upgraded,
    /// `undo` was carried out, and the device said that it runs its previous image.
    RolledBack,
    /// It was asked first, and does not run the image; nothing was done.
    RunsAnother,
    /// Nothing that changes anything was begun.
    Untouched,
    /// It answers, and neither runs the image nor is it known to be as it was.
    Failed,
    /// It does not answer.
    Unknown,
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    /// What is known leaves open what it runs: `check`, before anything else.
    Ask(usize),
    Activate(usize),
    Check(usize),
    Undo(usize),
    /// After `undo`: `check`, against the previous version.
    Confirm(usize),
    End(Verdict),
}

/// The way of one device from its image in place to one that it runs.
#[derive(Debug, Clone)]
pub(super) struct Course<'a> {
    procedure: &'a Procedure,
    at: At,
    past: Vec<PastStep>,
}

impl<'a> Course<'a> {
    /// `past`: what was written down of earlier tries with the same image, in order. `asks_first`: the device may run
    /// the image although nothing is known to have been done.
    pub(super) fn new(procedure: &'a Procedure, past: &[PastStep], asks_first: bool) -> Self {
        let past: Vec<PastStep> = (past.iter().copied())
            .filter(PastStep::is_of_activation)
            .collect();
        let is_begun = past.iter().any(|step| step.end != Some(StepEnd::Undone));
        let mut course = Self {
            procedure,
            at: At::Activate(0),
            past,
        };
        if is_begun || asks_first {
            course.at = course.first_of(Part::Check, At::Ask, At::End(Verdict::Unknown));
        }
        course
    }

    /// What is known of all tries by now.
    pub(super) fn into_past(self) -> Vec<PastStep> {
        self.past
    }

    pub(super) fn next(&self) -> Next {
        let (part, number, wanted) = match self.at {
            At::Ask(number) => (Part::Check, number, Wanted::Image),
            At::Activate(number) => (Part::Activate, number, Wanted::Image),
            At::Check(number) => (Part::Check, number, Wanted::Image),
            At::Undo(number) => (Part::Undo, number, Wanted::Image),
            At::Confirm(number) => (Part::Check, number, Wanted::Previous),
            At::End(verdict) => return Next::End(verdict),
        };
        Next::Do {
            part,
            number,
            wanted,
            may_be_away: self.at == At::Ask(0),
        }
    }

    /// The step that was next has ended.
    pub(super) fn did(&mut self, end: StepEnd) {
        if let At::Activate(number) | At::Undo(number) = self.at {
            let part = match self.at {
                At::Undo(_) => Part::Undo,
                _ => Part::Activate,
            };
            let end = Some(end);
            self.past.push(PastStep { part, number, end });
        }
        self.at = match (self.at, end) {
            (At::End(verdict), _) => At::End(verdict),
            (_, StepEnd::Cancelled) => At::End(Verdict::Cancelled),
            (at, StepEnd::Done) => self.after(at),
            (At::Ask(_), StepEnd::Refused) => self.after_asking(false),
            (At::Ask(_) | At::Check(_) | At::Confirm(_), StepEnd::Unanswered | StepEnd::Undone) => {
                At::End(Verdict::Unknown)
            }
            (At::Activate(_), _) if !self.is_touched() => At::End(Verdict::Untouched),
            // What it can't be asked now, it can't be asked by `check` either.
            (At::Activate(number), StepEnd::Unanswered)
                if self.is_restart(Part::Activate, number) =>
            {
                At::End(Verdict::Unknown)
            }
            (At::Activate(_), StepEnd::Unanswered) => {
                self.first_of(Part::Check, At::Ask, At::End(Verdict::Unknown))
            }
            (At::Activate(_), _) | (At::Check(_), StepEnd::Refused) => self.undo(),
            // One that doesn't go has gone before, or runs its previous image anyway: it says so itself.
            (at @ At::Undo(number), StepEnd::Refused) if self.is_restart(Part::Undo, number) => {
                self.after(at)
            }
            (At::Undo(_), StepEnd::Unanswered | StepEnd::Undone) => At::End(Verdict::Unknown),
            (At::Undo(_), _) | (At::Confirm(_), StepEnd::Refused) => At::End(Verdict::Failed),
        };
    }

    /// Where a step leads that went well.
    fn after(&self, at: At) -> At {
        let next = |part, number: usize, to: fn(usize) -> At, end| match self
            .procedure
            .part(part)
            .get(number + 1)
        {
            Some(_) => to(number + 1),
            None => end,
        };
        let unknown = At::End(Verdict::Unknown);
        match at {
            At::Ask(number) => next(Part::Check, number, At::Ask, self.after_asking(true)),
            At::Check(number) => next(Part::Check, number, At::Check, At::End(Verdict::Upgraded)),
            At::Activate(number) => {
                let check = self.first_of(Part::Check, At::Check, unknown);
                next(Part::Activate, number, At::Activate, check)
            }
            At::Undo(number) => {
                let confirm = self.first_of(Part::Check, At::Confirm, unknown);
                next(Part::Undo, number, At::Undo, confirm)
            }
            At::Confirm(number) => {
                let end = At::End(Verdict::RolledBack);
                next(Part::Check, number, At::Confirm, end)
            }
            At::End(verdict) => At::End(verdict),
        }
    }

    /// It was asked, and has answered.
    fn after_asking(&self, runs_image: bool) -> At {
        let begun = (self.past.iter()).filter(|step| step.end != Some(StepEnd::Undone));
        let last = begun.clone().next_back();
        if let Some(last) = last.filter(|step| step.part == Part::Undo) {
            return self.go_on_with_undo(last, runs_image);
        }
        match last {
            _ if runs_image => At::End(Verdict::Upgraded),
            None => At::End(Verdict::RunsAnother),
            Some(last) => self.go_on_with_activate(last),
        }
    }

    fn go_on_with_activate(&self, last: &PastStep) -> At {
        let goes_on = last.end == Some(StepEnd::Done);
        let number = match goes_on {
            true => last.number + 1,
            false => last.number,
        };
        let is_there = self.procedure.activate.get(number).is_some();
        match is_there && (goes_on || self.is_repeatable(last)) {
            true => At::Activate(number),
            false => self.undo(),
        }
    }

    fn go_on_with_undo(&self, last: &PastStep, runs_image: bool) -> At {
        // One that restarts it had an effect where the device runs the image no more.
        let has_restarted = !runs_image && self.is_restart(Part::Undo, last.number + 1);
        let is_behind = match last.end {
            Some(StepEnd::Done) => true,
            _ => has_restarted && !self.is_repeatable(last),
        };
        let number = last.number + usize::from(is_behind);
        match self.procedure.undo.get(number) {
            Some(_) => At::Undo(number),
            None => self.first_of(Part::Check, At::Confirm, At::End(Verdict::Unknown)),
        }
    }

    fn undo(&self) -> At {
        self.first_of(Part::Undo, At::Undo, At::End(Verdict::Failed))
    }

    fn first_of(&self, part: Part, to: fn(usize) -> At, none: At) -> At {
        match self.procedure.part(part).is_empty() {
            true => none,
            false => to(0),
        }
    }

    /// Whether a step that may have been carried out can be carried out again: it changes nothing, or is nothing but
    /// a wait.
    fn is_repeatable(&self, step: &PastStep) -> bool {
        let spec = self.procedure.part(step.part).get(step.number);
        let is_open = matches!(
            step.end,
            None | Some(StepEnd::Unanswered | StepEnd::Cancelled)
        );
        is_open && spec.is_some_and(|spec| spec.safe || matches!(spec.deed, Deed::Restart { .. }))
    }

    fn is_restart(&self, part: Part, number: usize) -> bool {
        let spec = self.procedure.part(part).get(number);
        spec.is_some_and(|spec| matches!(spec.deed, Deed::Restart { .. }))
    }

    /// Whether anything was begun that may have changed the device.
    fn is_touched(&self) -> bool {
        self.past.iter().any(|step| {
            let spec = self.procedure.part(step.part).get(step.number);
            step.end != Some(StepEnd::Undone) && !spec.is_some_and(|spec| spec.safe)
        })
    }
}

#[cfg(test)]
mod tests;
