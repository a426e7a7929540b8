//! What the errors of servers mean (RFC 1350 section 5, RFC 2347).

use crate::model::Fault;
use crate::model::text::shown;

pub(super) fn fault(code: u16, text: &str) -> Fault {
    let meaning = match code {
        1 => "file not found",
        2 => "access violation",
        3 => "disk full",
        4 => "illegal operation",
        5 => "unknown transfer",
        6 => "file exists",
        7 => "no such user",
        8 => "options refused",
        _ => "",
    };
    let text = shown(text);
    let said = match (meaning, text.is_empty()) {
        (meaning, _) if text.eq_ignore_ascii_case(meaning) => meaning.to_owned(),
        (meaning, true) => meaning.to_owned(),
        ("", false) => text.clone(),
        (meaning, false) => format!("{meaning}: {text}"),
    };
    let said = match said.is_empty() {
        true => format!("error {code}"),
        false => format!("error {code}, {said}"),
    };
    let may_pass = may_pass(code, &text.to_ascii_lowercase());
    Fault::Answer { said, may_pass }
}

/// As 552 of FTP, a full disk stays so until somebody makes room. Many servers have no codes but 0: their words
/// tell more.
fn may_pass(code: u16, text: &str) -> bool {
    let lasts = [
        "no space",
        "full",
        "quota",
        "too large",
        "too big",
        "denied",
        "permi",
        "not allowed",
        "exist",
        "read-only",
        "invalid",
        "no such",
    ];
    match code {
        1..=4 | 6..=8 => false,
        5 => true,
        _ => !lasts.iter().any(|words| text.contains(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_said_with_its_code_and_may_pass_or_not() {
        for (code, text, said, may_pass) in [
            (0, "Busy \u{1b}[2J", "error 0, Busy \\u{1b}[2J", true),
            (
                0,
                "No space left on device",
                "error 0, No space left on device",
                false,
            ),
            (0, "", "error 0", true),
            (1, "File not found", "error 1, file not found", false),
            (
                2,
                "Only absolute filenames allowed",
                "error 2, access violation: Only absolute filenames allowed",
                false,
            ),
            (3, "", "error 3, disk full", false),
            (5, "", "error 5, unknown transfer", true),
            (6, "x", "error 6, file exists: x", false),
            (99, "later", "error 99, later", true),
        ] {
            let said = said.to_owned();
            assert_eq!(fault(code, text), Fault::Answer { said, may_pass });
        }
        let Fault::Answer { said, .. } = fault(0, &"x".repeat(5000)) else {
            panic!()
        };
        assert!(said.len() < 400, "{said}");
    }
}
