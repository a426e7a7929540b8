//! The nearest known word to one that is not known: typing errors are the most common ones.

use std::cmp::Reverse;

use strsim::osa_distance;

/// The candidate that was most probably meant, if any is near enough to be worth a question.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |text: &str| -> String { text.to_lowercase().chars().take(LONGEST).collect() };
    let wanted = letters(wanted);
    let count = wanted.chars().count();
    let most = (count / 3).max(1);
    let near = candidates.into_iter().filter_map(|candidate| {
        let known = letters(candidate);
        // `pass` for `password`: an abbreviation is far away in letters, but not in meaning.
        let distance = match count >= 3 && known.starts_with(&wanted) {
            true => 1,
            false if known.chars().count().abs_diff(count) > most => return None,
            false => osa_distance(&wanted, &known),
        };
        let alike = wanted
            .chars()
            .zip(known.chars())
            .take_while(|(a, b)| a == b);
        (distance <= most).then_some(((distance, Reverse(alike.count())), candidate))
    });
    // Of equally near ones that which begins most alike, and of those the first.
    let best = near.min_by_key(|(rank, _)| *rank);
    best.map(|(_, candidate)| candidate)
}

/// Longer words are not typing errors.
const LONGEST: usize = 100;

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
