//! Runs of names folded into ranges, for plans and summaries.

use super::pattern::{MOST_DIGITS, MOST_EXPANDED};

/// The names with runs of consecutive numbers folded into ranges, in the order given.
///
/// Only neighbours fold, only at the last number of a name, and only numbers of the same width, so
/// that [`super::expand`] gives back exactly what went in, and takes each of the ranges. A name that holds `[` or `]` is left alone.
pub fn compress<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    let mut out = Vec::new();
    let mut run: Option<Run<'_>> = None;
    for name in names {
        let name = name.as_ref();
        let next = Run::new(name);
        if let (Some(current), Some(next)) = (&mut run, &next)
            && current.takes(next)
        {
            current.last = next.first;
            continue;
        }
        out.extend(run.take().map(|run| run.to_string()));
        match next {
            Some(next) => run = Some(next),
            None => out.push(name.to_owned()),
        }
    }
    out.extend(run.map(|run| run.to_string()));
    out
}

struct Run<'a> {
    before: &'a str,
    after: &'a str,
    first: u64,
    last: u64,
    width: usize,
}

impl<'a> Run<'a> {
    fn new(name: &'a str) -> Option<Self> {
        if name.contains(['[', ']']) {
            return None;
        }
        let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
        let start = name[..end]
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |at| {
                at + name[at..].chars().next().map_or(1, char::len_utf8)
            });
        if end - start > MOST_DIGITS {
            return None;
        }
        let first = name[start..end].parse().ok()?;
        Some(Self {
            before: &name[..start],
            after: &name[end..],
            first,
            last: first,
            width: end - start,
        })
    }

    fn takes(&self, next: &Run<'_>) -> bool {
        self.before == next.before
            && self.after == next.after
            && self.width == next.width
            && self.last + 1 == next.first
            && self.last - self.first + 1 < MOST_EXPANDED as u64
    }
}

impl std::fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Run { before, after, .. } = self;
        let (first, last, width) = (self.first, self.last, self.width);
        if first == last {
            write!(f, "{before}{first:0width$}{after}")
        } else {
            write!(f, "{before}[{first:0width$}-{last:0width$}]{after}")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::names::expand;

    #[test]
    fn runs_become_ranges_and_gaps_stay_visible() {
        let names = [
            "shelf1-01",
            "shelf1-02",
            "shelf1-03",
            "shelf1-05",
            "olt",
            "shelf2-09",
        ];
        assert_eq!(
            compress(&names),
            ["shelf1-[01-03]", "shelf1-05", "olt", "shelf2-09"]
        );
        assert_eq!(compress(&["slot1-a", "slot2-a"]), ["slot[1-2]-a"]);
        // Widths differ: `[9-10]` would be read as 9, 10 here but as 09 by others.
        assert_eq!(compress(&["e9", "e10"]), ["e9", "e10"]);
        assert_eq!(compress::<&str>(&[]), Vec::<String>::new());
        assert_eq!(compress(&["é1", "é2"]), ["é[1-2]"]);
    }

    #[test]
    fn no_range_is_longer_than_one_that_can_be_typed() {
        let names: Vec<String> = (1..=10_001).map(|n| format!("e{n:05}")).collect();
        assert_eq!(compress(&names), ["e[00001-10000]", "e10001"]);
        let long = ["e1000000000000000000", "e1000000000000000001"];
        assert_eq!(compress(&long), long, "too many digits for a range");
    }

    proptest! {
        #[test]
        fn what_was_folded_unfolds_to_the_same_names(
            names in prop::collection::vec("[a-c]{0,2}-?[0-2]{0,2}[a-b]?", 0..40),
            start in 0u32..120,
            count in 0u32..30,
        ) {
            let mut names = names;
            names.extend((start..start + count).map(|n| format!("shelf-{n:02}")));
            let back: Vec<String> = compress(&names)
                .iter()
                .flat_map(|name| expand(name).unwrap())
                .collect();
            prop_assert_eq!(back, names);
        }
    }
}
