//! What daylight saving does to the coming windows, in words.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::{Calendar, Jump, Opening, Stretch, each_day};
use crate::model::units;

impl Calendar {
    /// Which windows of the next days open or close at another time than they say, are shorter, or don't open, and why.
    pub fn notes(&self, from: Timestamp, days: u32) -> Vec<String> {
        if self.is_endless() {
            return Vec::new();
        }
        let days = usize::try_from(days).unwrap_or(usize::MAX);
        each_day(self.today(from))
            .take(days)
            .filter_map(|day| self.stretch(day))
            .flat_map(|stretch| {
                let day = stretch.from.strftime("%A, %Y-%m-%d");
                let said = self.said(stretch);
                said.into_iter()
                    .map(move |said| format!("the window of {day} {said}"))
            })
            .collect()
    }

    fn said(&self, stretch: Stretch) -> Vec<String> {
        let jumps = [self.jump(stretch.from), self.jump(stretch.to)];
        let Some(opening) = self.opening(stretch) else {
            let why = jumps.into_iter().flatten().next();
            return why
                .map(|why| format!("does not open: {}", self.why(why)))
                .into_iter()
                .collect();
        };
        let [opens, closes] = jumps;
        let mut said = Vec::new();
        if let Some(jump) = opens {
            let when = match jump.skips() {
                true => time(jump.to, jump),
                false => format!("the second {}", time(stretch.from, jump)),
            };
            said.push(format!("opens at {when}: {}", self.why(jump)));
        }
        if let Some(jump) = closes {
            let when = match jump.skips() {
                true => time(jump.from, jump),
                false => format!("the first {}", time(stretch.to, jump)),
            };
            said.push(format!("closes at {when}: {}", self.why(jump)));
        }
        if let Some((less, jump)) = self.shorter(stretch, opening)
            && said.is_empty()
        {
            let less = units::duration(less.unsigned_abs());
            said.push(format!("is {less} shorter: {}", self.why(jump)));
        }
        said
    }

    /// By how much, and what skips that.
    fn shorter(&self, stretch: Stretch, opening: Opening) -> Option<(SignedDuration, Jump)> {
        let shown = stretch.to.duration_since(stretch.from);
        let less = shown - opening.closes.duration_since(opening.opens);
        if !less.is_positive() {
            return None;
        }
        let inside = self.zone.following(opening.opens);
        let mut inside = inside.take_while(|set| set.timestamp() < opening.closes);
        let jump = inside.find_map(|set| {
            let at = set.timestamp();
            let before = at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
            let jump = Jump {
                at,
                from: self.zone.to_offset(before).to_datetime(at),
                to: set.offset().to_datetime(at),
            };
            jump.skips().then_some(jump)
        })?;
        Some((less, jump))
    }

    fn why(&self, jump: Jump) -> String {
        let zone = &self.name;
        let (from, to) = (time(jump.from, jump), time(jump.to, jump));
        match jump.skips() {
            true => format!("clocks in {zone} skip the time from {from} to {to}"),
            false => format!("clocks in {zone} show the time from {to} to {from} twice"),
        }
    }
}

impl Jump {
    /// And else doubles.
    fn skips(self) -> bool {
        self.from < self.to
    }
}

/// With its day where the jump is from one day into another.
fn time(time: DateTime, jump: Jump) -> String {
    match jump.from.date() == jump.to.date() {
        true => time.strftime("%H:%M").to_string(),
        false => time.strftime("%Y-%m-%d %H:%M").to_string(),
    }
}
