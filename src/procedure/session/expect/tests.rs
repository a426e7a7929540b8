//! What came in pieces is what came at once.

use super::*;

fn asked<'a>(line: &'a str, prompt: &'a Regex, expect: Option<&'a Regex>) -> Asked<'a> {
    Asked {
        line,
        prompt,
        expect,
        answers: &[],
        echoes: false,
        is_secret: false,
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// What is decided at the end, what was typed meanwhile, and the answer.
fn run(asked: Asked<'_>, pieces: &[&[u8]]) -> (Decision, Vec<Vec<u8>>, Answer) {
    let mut exchange = Exchange::new(asked);
    let mut typed = Vec::new();
    let mut decision = Decision::Wait;
    for piece in pieces {
        exchange.feed(piece);
        decision = exchange.decide();
        while let Decision::Send(data) = decision {
            typed.push(data);
            decision = exchange.decide();
        }
    }
    let ended = match decision {
        Decision::Done(ended) => ended,
        _ => Ended::Closed,
    };
    (decision, typed, exchange.answer(ended))
}

/// Every cut at one, two or three places has the same end.
fn all_cuts(asked: Asked<'_>, sent: &[u8]) -> (Decision, Answer) {
    let (decision, _, answer) = run(asked, &[sent]);
    for first in 0..=sent.len() {
        for second in first..=sent.len() {
            for third in second..=sent.len() {
                let pieces = [
                    &sent[..first],
                    &sent[first..second],
                    &sent[second..third],
                    &sent[third..],
                ];
                let (cut, _, cut_answer) = run(asked, &pieces);
                assert_eq!((&cut, &cut_answer), (&decision, &answer), "{pieces:?}");
            }
        }
    }
    (decision, answer)
}

#[test]
fn a_version_is_read_whole_wherever_the_bytes_are_cut() {
    let (prompt, expect) = (pattern("[#>] $"), pattern(r"Version (?<version>\S+)"));
    let sent = "show version\r\n\u{1b}[1mIOS\u{1b}[0m Version 12.4\r\nä\r\nR1# ";
    let asked = asked("show version", &prompt, Some(&expect));
    let (decision, answer) = all_cuts(asked, sent.as_bytes());
    assert_eq!(decision, Decision::Done(Ended::Prompt));
    assert_eq!(answer.shown.head, "IOS Version 12.4\nä");
    let version = ("version".to_owned(), "12.4".to_owned());
    assert_eq!(answer.groups, Some(vec![version]));
    assert!(answer.has_echo);
}

#[test]
fn a_prompt_without_what_was_expected_is_an_answer_too() {
    let (prompt, expect) = (pattern("[#>] $"), pattern("OK"));
    let asked = asked("boot x", &prompt, Some(&expect));
    let (decision, answer) = all_cuts(asked, b"R1# boot x\r\n% Invalid input\r\nR1# ");
    assert_eq!(decision, Decision::Done(Ended::Prompt));
    assert_eq!(
        (answer.shown.head.as_str(), answer.groups),
        ("% Invalid input", None)
    );
}

#[test]
fn a_prompt_counts_at_the_end_alone() {
    let prompt = pattern("[#>] $");
    let asked = asked("show log", &prompt, None);
    let (decision, ..) = run(asked, &[b"show log\r\na# b\r\n# c\r\n"]);
    assert_eq!(decision, Decision::Wait);
    // Nor in what was typed.
    let asked = Asked {
        line: "set prompt x# ",
        ..asked
    };
    assert_eq!(run(asked, &[b"set prompt x# "]).0, Decision::Wait);
}

#[test]
fn a_prompt_that_changes_is_one_as_long_as_the_pattern_says_so() {
    let prompt = pattern(r"[\w()-]+[#>] ?$");
    for shown in ["R1>", "R1# ", "R1(config)#", "R1(config-if)# "] {
        let sent = format!("enable\r\n{shown}");
        let (decision, ..) = run(asked("enable", &prompt, None), &[sent.as_bytes()]);
        assert_eq!(decision, Decision::Done(Ended::Prompt), "{shown}");
    }
}

#[test]
fn each_page_is_asked_for_once() {
    let prompt = pattern("[#>] $");
    let pages = [
        "--More--",
        " --More-- ",
        "-- More --",
        "---- More ----",
        "---(more)---",
        "---(more 12%)---",
        "<--- More --->",
        "Press any key to continue",
        "-- [Q quit|D dump|down]",
        "-- MORE --, next page: Space, next line: Enter, quit: Control-C",
    ];
    for page in pages {
        let first = format!("show\r\none\r\n{page}");
        let erased = format!("\r{}\rtwo\r\n{page}", " ".repeat(page.len()));
        let backspaces = format!("{}three\r\nR1# ", "\u{8} \u{8}".repeat(page.len()));
        let sent = [first, erased, backspaces].concat();
        let bytes: Vec<&[u8]> = sent.as_bytes().chunks(1).collect();
        let (decision, typed, answer) = run(asked("show", &prompt, None), &bytes);
        assert_eq!(typed, [b" ", b" "], "{page}");
        assert_eq!(decision, Decision::Done(Ended::Prompt));
        assert_eq!(answer.shown.head, "one\ntwo\nthree", "{page}");
    }
}

#[test]
fn questions_are_answered_once_each() {
    let prompt = pattern("[#>] $");
    let answers = [(pattern(r"\[confirm\]"), Typed::Line("y".to_owned()))];
    let asked = Asked {
        answers: &answers,
        ..asked("reload", &prompt, None)
    };
    let pieces: [&[u8]; 4] = [
        b"reload\r\nProceed? [confirm]",
        b"y",
        b"\r\nSure? [confirm]",
        b"y\r\n# ",
    ];
    let (decision, typed, answer) = run(asked, &pieces);
    assert_eq!(typed, [b"y\r", b"y\r"]);
    assert_eq!(decision, Decision::Done(Ended::Prompt));
    assert_eq!(answer.shown.head, "Proceed? [confirm]y\nSure? [confirm]y");
}

#[test]
fn a_secret_answer_is_typed_once() {
    let prompt = pattern("[#>] $");
    let secret = Typed::Secret(SecretString::from("sesame"));
    let answers = [(pattern("Password:"), secret)];
    let enable = || Asked {
        answers: &answers,
        ..asked("enable", &prompt, None)
    };
    let wrong: [&[u8]; 2] = [b"enable\r\nPassword: ", b"\r\nPassword: "];
    let (decision, typed, _) = run(enable(), &wrong);
    assert_eq!(typed, [b"sesame\r"]);
    assert_eq!(decision, Decision::Done(Ended::AskedAgain));
    let right: [&[u8]; 2] = [b"enable\r\nPassword: ", b"\r\n# "];
    let (decision, typed, _) = run(enable(), &right);
    assert_eq!(typed, [b"sesame\r"]);
    assert_eq!(decision, Decision::Done(Ended::Prompt));
}

#[test]
fn a_question_that_is_expected_ends_the_answer_and_a_password_that_is_asked_for_again_does() {
    let (prompt, expect) = (pattern("[#>] $"), pattern("Password:"));
    let enable = asked("enable", &prompt, Some(&expect));
    let (decision, answer) = all_cuts(enable, b"enable\r\nPassword: ");
    assert!(matches!(decision, Decision::Done(Ended::Question)));
    assert_eq!(answer.groups, Some(Vec::new()));
    let secret = Asked {
        is_secret: true,
        ..asked("sesame", &prompt, None)
    };
    let (decision, ..) = run(secret, &[b"\r\nPassword: "]);
    assert_eq!(decision, Decision::Done(Ended::AskedAgain));
}

#[test]
fn what_was_done_is_no_question() {
    let prompt = pattern("[#>] $");
    for (said, pattern_) in [
        ("[OK]", r"\[OK\]"),
        ("copy ( done )", "done"),
        ("[Failed]", "(?i)failed"),
    ] {
        let expect = pattern(pattern_);
        let write = asked("write", &prompt, Some(&expect));
        let shown = format!("write\r\n{said}");
        assert_eq!(run(write, &[shown.as_bytes()]).0, Decision::Wait, "{said}");
        let all = format!("{shown}\r\nR1# ");
        assert_eq!(
            run(write, &[all.as_bytes()]).0,
            Decision::Done(Ended::Prompt)
        );
    }
    for asks in ["Reload? [confirm]", "Which? (ok/no)", "[ok]?", "Save [OK]:"] {
        let expect = pattern(&regex::escape(asks));
        let reload = asked("reload", &prompt, Some(&expect));
        let shown = format!("reload\r\n{asks}");
        let decision = run(reload, &[shown.as_bytes()]).0;
        assert_eq!(decision, Decision::Done(Ended::Question), "{asks}");
    }
}

#[test]
fn an_old_prompt_is_no_answer_of_a_device_that_echoes() {
    let prompt = pattern("[#>] $");
    let asked = Asked {
        echoes: true,
        ..asked("show", &prompt, None)
    };
    assert_eq!(run(asked, &[b"\r\nR1# "]).0, Decision::Wait);
    let (decision, _, answer) = run(asked, &[b"\r\nR1# ", b"show\r\nyes\r\nR1# "]);
    assert_eq!(decision, Decision::Done(Ended::Prompt));
    assert_eq!(answer.shown.head, "yes");
}
