//! The waves as steps on a line.

use super::more;
use crate::model::columns::{count, width};
use crate::protocol::campaign::{CampaignSnapshot, WaveSnapshot};

/// How a step looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Not begun.
    Next,
    Good,
    /// Unproven or offline ones.
    Look,
    Failed,
    /// Under way.
    Now,
}

/// A wave, or several that are folded into one, on the line of waves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub mark: Mark,
    /// What stands behind the sign.
    pub text: String,
}

/// Between two steps.
pub const STEP_GAP: usize = 2;

impl CampaignSnapshot {
    /// The waves in order, in at most this number of columns (a sign is one of them): those furthest from the one
    /// that is under way are folded.
    pub fn steps(&self, columns: usize) -> Vec<Step> {
        let here = self.wave.saturating_sub(usize::from(self.wave > 0));
        let near = (0..self.waves.len()).rev();
        // More of them than these never fit.
        let near = near.skip_while(|near| *near > columns);
        for near in near {
            let steps = self.folded(here, near);
            if taken(&steps) <= columns {
                return steps;
            }
        }
        // Figures alone: some forty columns, which every screen has.
        let mut steps = self.folded(here, 0);
        for step in &mut steps {
            let figures = step.text.find(" of ").or_else(|| {
                let words = step.text.char_indices().filter(|(_, c)| *c == ' ');
                words.map(|(at, _)| at).next()
            });
            step.text.truncate(figures.unwrap_or(step.text.len()));
        }
        steps
    }

    /// As many waves on either side of one as given, the others folded.
    fn folded(&self, here: usize, near: usize) -> Vec<Step> {
        let all = self.waves.len();
        // One is not folded: that would save nothing.
        let from = match here.saturating_sub(near) {
            1 => 0,
            from => from,
        };
        let to = match (here + near + 1).min(all) {
            to if to + 1 == all => all,
            to => to,
        };
        let before = (from > 0).then(|| fold(&self.waves[..from]));
        let behind = (to < all).then(|| fold(&self.waves[to..]));
        let steps = (from..to).map(|wave| self.step(wave));
        before.into_iter().chain(steps).chain(behind).collect()
    }

    fn step(&self, at: usize) -> Step {
        let Some(wave) = self.waves.get(at) else {
            return fold(&[]);
        };
        let is_here = at + 1 == self.wave;
        let is_under_way = is_here && (wave.under_way > 0 || wave.untouched() > 0);
        let all = wave.entities;
        let (mark, many) = match self.wave {
            _ if is_under_way => (Mark::Now, format!("{}/{all}", wave.good + wave.unproven)),
            begun if at < begun => (mark(wave), all.to_string()),
            _ => (Mark::Next, all.to_string()),
        };
        let text = many + &troubles(wave);
        Step { mark, text }
    }
}

fn mark(wave: &WaveSnapshot) -> Mark {
    match wave {
        WaveSnapshot { failed: 1.., .. } => Mark::Failed,
        WaveSnapshot { unproven: 1.., .. } | WaveSnapshot { offline: 1.., .. } => Mark::Look,
        WaveSnapshot { good: 0, .. } => Mark::Next,
        _ => Mark::Good,
    }
}

/// ` 2 failed 1 offline`.
fn troubles(wave: &WaveSnapshot) -> String {
    let counts = [
        (wave.failed, "failed"),
        (wave.unproven, "unproven"),
        (wave.offline, "offline"),
    ];
    more(counts).replace(',', "")
}

/// `12 waves, 240 entities`, with what went wrong in them.
fn fold(waves: &[WaveSnapshot]) -> Step {
    let mut sum = WaveSnapshot::default();
    for wave in waves {
        sum.entities += wave.entities;
        sum.failed += wave.failed;
        sum.unproven += wave.unproven;
        sum.offline += wave.offline;
        sum.good += wave.good;
    }
    let text = format!(
        "{} of {}{}",
        count(waves.len(), "wave"),
        sum.entities,
        troubles(&sum)
    );
    Step {
        mark: mark(&sum),
        text,
    }
}

/// The columns that steps take.
fn taken(steps: &[Step]) -> usize {
    let texts: usize = steps.iter().map(|step| 1 + width(&step.text)).sum();
    texts + STEP_GAP * steps.len().saturating_sub(1)
}
