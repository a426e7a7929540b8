//! Names in short: `shelf1-[01-20]` for twenty names in a row, and back.
//!
//! A plan or a summary of 200 entities must stay readable on one screen, and what it prints must be
//! what an operator can type again.

/// At most so many names come out of one pattern: a mistyped range must not fill the memory.
const MOST: usize = 100_000;

/// The names with runs of consecutive numbers folded into ranges, in the order given.
///
/// Only neighbours fold, only at the last number of a name, and only numbers of the same width, so
/// that [`expand`] gives back exactly what went in. A name that holds `[` or `]` is left alone.
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

/// The names that a pattern with ranges stands for; several ranges multiply.
///
/// # Errors
/// A sentence, when a range makes no sense or there are too many names.
pub fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some(open) = rest.find('[') {
        let Some(length) = rest[open..].find(']') else {
            return Err(format!("`{pattern}` has a `[` without a `]`"));
        };
        let (before, range) = (&rest[..open], &rest[open + 1..open + length]);
        rest = &rest[open + length + 1..];
        let numbers = numbers(range).ok_or_else(|| {
            format!("`[{range}]` in `{pattern}` is not a range; write it like `[01-20]`")
        })?;
        if (numbers.last - numbers.first).saturating_add(1) > (MOST / names.len()) as u64 {
            return Err(format!("`{pattern}` stands for more than {MOST} names"));
        }
        names = names
            .iter()
            .flat_map(|name| {
                let width = numbers.width;
                (numbers.first..=numbers.last)
                    .map(move |number| format!("{name}{before}{number:0width$}"))
            })
            .collect();
    }
    if rest.contains(']') {
        return Err(format!("`{pattern}` has a `]` without a `[`"));
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// Whether a name matches a pattern where `*` stands for any characters and `?` for one.
pub fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where the newest `*` stands, and how far it reaches: on a mismatch it takes one more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, reach)) => {
                    star = Some((at, reach + 1));
                    p = at + 1;
                    n = reach + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

struct Numbers {
    first: u64,
    last: u64,
    width: usize,
}

fn numbers(range: &str) -> Option<Numbers> {
    let (first, last) = range.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let numbers = Numbers {
        width: first.len(),
        first: first.parse().ok()?,
        last: last.parse().ok()?,
    };
    (numbers.first <= numbers.last).then_some(numbers)
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
            && self.last.checked_add(1) == Some(next.first)
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
    fn ranges_expand_and_nonsense_is_named() {
        assert_eq!(expand("a[08-10]b").unwrap(), ["a08b", "a09b", "a10b"]);
        assert_eq!(
            expand("s[1-2]-[1-2]").unwrap(),
            ["s1-1", "s1-2", "s2-1", "s2-2"]
        );
        assert_eq!(expand("plain").unwrap(), ["plain"]);
        for wrong in ["a[1-", "a]1", "a[2-1]", "a[x-y]", "a[]", "a[1-99999999]"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wildcards_match_whole_names() {
        assert!(matches("shelf1-*", "shelf1-01"));
        assert!(matches("*-0?", "shelf1-01"));
        assert!(matches("*a*b", "xxaxxbxb"));
        assert!(!matches("shelf1-*", "shelf2-01"));
        assert!(!matches("shelf1", "shelf1-01"));
        assert!(matches("*", ""));
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

        #[test]
        fn any_text_is_survived(pattern in "\\PC{0,20}", name in "\\PC{0,20}") {
            let _ = expand(&pattern);
            prop_assert!(matches(&name.replace(['*', '?'], "?"), &name));
            prop_assert_eq!(compress(&[&name]), [name]);
        }
    }
}
