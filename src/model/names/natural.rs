//! The order of names.

use std::cmp::Ordering;

/// As people order names: numbers in them by their value, so `slot9` stands before `slot10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(first), Some(second)) = (left.first(), right.first()) {
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let (one, rest) = number(left);
            let (other, other_rest) = number(right);
            let order = one.len().cmp(&other.len()).then_with(|| one.cmp(other));
            if order.is_ne() {
                return order;
            }
            (left, right) = (rest, other_rest);
        } else {
            if first != second {
                return first.cmp(second);
            }
            (left, right) = (&left[1..], &right[1..]);
        }
    }
    // What is equal but for leading zeros still has one order.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits at the beginning without leading zeros, and what follows.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let zeros = text[..end].iter().take_while(|byte| **byte == b'0').count();
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_names_stand_by_their_value() {
        let mut names = vec!["s10", "s9", "s1-10", "s1-9", "s", "s09", "t1", "192.0.2.9"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["192.0.2.9", "s", "s1-9", "s1-10", "s09", "s9", "s10", "t1"]
        );
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a0-9]{0,6}", b in "[a0-9]{0,6}", c in "[a0-9]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b).is_eq(), a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
