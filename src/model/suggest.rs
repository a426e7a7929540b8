//! The nearest known word to one that is not known: typing errors are the most common ones.

use std::cmp::Reverse;

/// The candidate that was most probably meant, if any is near enough to be worth a question.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(LONGEST).collect();
    let most = (wanted.len() / 3).max(1);
    // The least distance first; of equal ones that which begins most alike.
    let mut best: Option<((usize, Reverse<usize>), &'a str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().take(LONGEST).collect();
        // `pass` for `password`: an abbreviation is far away in letters, but not in meaning.
        let abbreviated = wanted.len() >= 3 && letters.starts_with(&wanted);
        let distance = if abbreviated {
            1
        } else if letters.len().abs_diff(wanted.len()) > most {
            continue;
        } else {
            distance(&wanted, &letters)
        };
        let alike = wanted.iter().zip(&letters).take_while(|(a, b)| a == b);
        let rank = (distance, Reverse(alike.count()));
        if distance <= most && best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Longer words are not typing errors.
const LONGEST: usize = 100;

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other
/// (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typing_errors_find_what_was_meant() {
        let known = ["user", "password", "entities", "groups"];
        assert_eq!(nearest("entitys", known), Some("entities"));
        assert_eq!(nearest("gruops", known), Some("groups"));
        assert_eq!(nearest("pass", known), Some("password"));
        assert_eq!(nearest("Users", known), Some("user"));
        assert_eq!(
            nearest("shelf7-2", ["shelf5-2", "shelf7-1"]),
            Some("shelf7-1")
        );
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
    }
}
