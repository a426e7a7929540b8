//! Which names a key of the settings applies to: `*`, `?` and ranges like `[01-20]`.

/// Whether `name` is one of those that `pattern` stands for.
///
/// `*` is any run of characters, `?` any one, and `[01-20]` each number of the range, written with
/// as many digits as its first. A bracket that is no range stands for itself.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => name
            .char_indices()
            .map(|(at, _)| at)
            .chain([name.len()])
            .any(|at| matches(rest.as_str(), &name[at..])),
        Some('?') => {
            let mut left = name.chars();
            left.next().is_some() && matches(rest.as_str(), left.as_str())
        }
        Some('[') => match range(rest.as_str()) {
            Some((first, last, width, after)) => (width..=name.len()).any(|digits| {
                number(name, digits).is_some_and(|(value, plain)| {
                    (first..=last).contains(&value)
                        && (digits == width || plain)
                        && matches(after, &name[digits..])
                })
            }),
            None => name
                .strip_prefix('[')
                .is_some_and(|left| matches(rest.as_str(), left)),
        },
        Some(c) => name
            .strip_prefix(c)
            .is_some_and(|left| matches(rest.as_str(), left)),
    }
}

/// Whether a key is a name, and no pattern.
pub(super) fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '['])
}

/// First, last, digits of the first, and what follows the bracket.
fn range(text: &str) -> Option<(u64, u64, usize, &str)> {
    let (inside, after) = text.split_once(']')?;
    let (first, last) = inside.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    Some((first.parse().ok()?, last.parse().ok()?, first.len(), after))
}

/// The number in the first `digits` bytes of a name, and whether it has no leading zero.
fn number(name: &str, digits: usize) -> Option<(u64, bool)> {
    let text = name.get(..digits)?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((text.parse().ok()?, !text.starts_with('0')))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn names_globs_and_ranges_select_what_they_say() {
        assert!(matches("shelf1-07", "shelf1-07"));
        assert!(!matches("shelf1-07", "shelf1-070"));
        assert!(matches("shelf1-*", "shelf1-07"));
        assert!(matches("*", ""));
        assert!(!matches("shelf1-*", "shelf2-07"));
        assert!(matches("shelf?-07", "shelf2-07"));
        assert!(matches("*-[01-08]", "shelf1-08"));
        assert!(!matches("*-[01-08]", "shelf1-09"));
        assert!(!matches("*-[01-08]", "shelf1-8"));
        assert!(matches("e[1-200]", "e150"));
        assert!(!matches("e[1-200]", "e015"));
        assert!(matches("a[b", "a[b"));
    }
}
