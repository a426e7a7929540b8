//! Names in short: `shelf1-[01-20]` for twenty names in a row, `shelf1-*` for those that are there.
//!
//! A plan or a summary of 200 entities must stay readable on one screen, and what it prints must be
//! what an operator can type again. So there is one grammar for the inventory, the command line,
//! the lab and all that is printed:
//!
//! - `pattern`: ranges expanded, patterns matched
//! - `fold`: names folded into ranges
//! - `natural`: the order in which people expect them
//! - `site`: what a site is called, and names of files

use super::complaint::Complaint;
use super::text::quoted;

mod fold;
mod natural;
mod pattern;
mod site;

pub use fold::compress;
pub use natural::natural;
pub use pattern::{MOST_EXPANDED, Pattern};
pub use site::{for_a_file, site_name};

/// A name must fit a column and a file name.
const LONGEST: usize = 200;
/// What has a meaning in patterns and lists.
const SIGNS: &str = "*?[]{},";

/// Whether something can be called so: names are typed on command lines and stand in patterns,
/// columns and lists.
///
/// # Errors
/// Why not.
pub fn check(name: &str) -> Result<(), Complaint> {
    let wrong = |why: &str| {
        Err(Complaint::new(
            format!("{} can't be a name: {why}", quoted(name)),
            "use letters, digits, `-`, `_` and `.`",
        ))
    };
    if name.is_empty() {
        wrong("it is empty")
    } else if name.trim() != name {
        wrong("it begins or ends with a space")
    } else if name.chars().any(char::is_control) {
        wrong("it holds a control character")
    } else if let Some(c) = name.chars().find(|c| SIGNS.contains(*c)) {
        wrong(&format!("`{c}` has a meaning in patterns and lists"))
    } else if name.chars().count() > LONGEST {
        wrong(&format!("it is longer than {LONGEST} characters"))
    } else {
        Ok(())
    }
}

/// The text without what a name can't hold, and no longer than `most` characters.
pub fn usable(text: &str, most: usize) -> String {
    let fit = |c: char| match c.is_control() || SIGNS.contains(c) {
        true => '-',
        false => c,
    };
    let name: String = text
        .trim()
        .chars()
        .take(most.min(LONGEST))
        .map(fit)
        .collect();
    name.trim().to_owned()
}

/// The names that a name with ranges stands for; several ranges multiply, the last one fastest.
///
/// # Errors
/// As [`Pattern::ranges`], and where brackets are no range: no name has any.
pub fn expand(name: &str) -> Result<Vec<String>, Complaint> {
    let pattern = Pattern::ranges(name)?;
    if pattern.has_bracket() {
        return Err(Complaint::new(
            format!(
                "{} can't be a name: its brackets are not a range",
                quoted(name)
            ),
            "write a range like `shelf1-[02-20]` or `shelf1-[1,3,5-7]`",
        ));
    }
    Ok(pattern.expand())
}

/// Whether a name is one of those that a pattern with ranges and wildcards describes. A pattern
/// that can't be read describes none.
pub fn matches(pattern: &str, name: &str) -> bool {
    Pattern::wildcards(pattern).is_ok_and(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    #[test]
    fn names_globs_and_ranges_select_what_they_say() {
        assert!(matches("shelf1-07", "shelf1-07"));
        assert!(!matches("shelf1-07", "shelf1-070"));
        assert!(!matches("shelf1-*", "shelf2-07"));
        assert!(matches("shelf?-07", "shelf2-07"));
        assert!(matches("*-[01-08]", "shelf1-08"));
        assert!(!matches("*-[01-08]", "shelf1-09"));
        assert!(!matches("*-[01-08]", "shelf1-8"));
        assert!(matches("e[1-200]", "e150"));
        assert!(!matches("e[1-200]", "e015"));
        assert!(matches("a[b", "a[b"));
        assert!(!matches("a[2-1]", "a[2-1]"), "not readable");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(pattern in "\\PC{0,20}", name in "\\PC{0,20}") {
            let _ = expand(&pattern);
            prop_assert!(matches(&name.replace(['*', '?', '['], "?"), &name));
            prop_assert_eq!(compress(&[&name]), [name]);
        }
    }
}
