//! Every choice of a history, one after the other: an odometer over all of them.

/// The choices of one history, and how many there were at each point.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices {
    taken: Vec<(usize, usize)>,
    at: usize,
    /// Faults that may still happen.
    pub(super) faults: usize,
    /// Changes of turn, of two that compete, that may still happen.
    pub(super) turns: usize,
}

impl Choices {
    /// 0, or one of the other numbers below `options`.
    fn choose(&mut self, options: usize) -> usize {
        let chosen = match self.taken.get(self.at) {
            Some((chosen, _)) => *chosen,
            None => {
                self.taken.push((0, options));
                0
            }
        };
        self.at += 1;
        chosen
    }

    /// 0 for no fault, else the number of the one that was chosen.
    pub(super) fn fault(&mut self, faults: usize) -> usize {
        if self.faults == 0 {
            return 0;
        }
        let chosen = self.choose(faults + 1);
        if chosen > 0 {
            self.faults -= 1;
        }
        chosen
    }

    pub(super) fn switches(&mut self) -> bool {
        if self.turns == 0 {
            return false;
        }
        let switches = self.choose(2) == 1;
        self.turns -= usize::from(switches);
        switches
    }

    /// The same history again, or as far as its choices go.
    pub(super) fn again(&self, faults: usize, turns: usize) -> Self {
        Self {
            taken: self.taken.clone(),
            at: 0,
            faults,
            turns,
        }
    }

    /// The next history; `None` after the last one.
    pub(super) fn next(mut self, faults: usize, turns: usize) -> Option<Self> {
        while let Some((chosen, options)) = self.taken.pop() {
            if chosen + 1 < options {
                self.taken.push((chosen + 1, options));
                return Some(self.again(faults, turns));
            }
        }
        None
    }
}
