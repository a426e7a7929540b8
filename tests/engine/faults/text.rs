//! Escape sequences in everything that a server can say: none reaches the terminal, the lines, the
//! JSON or the log as such, with every log level on.

use serde_json::Value;

use crate::faults::program::{Left, Program, yaml};
use crate::support::scripted::{Greeting, Reply, Script, ScriptedServer};

/// Clears the screen, sets the title, moves the cursor, in C0 and in C1 controls, rings, goes back,
/// and turns the direction of writing around.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{8}\u{202e}evil\r-";

/// What it says before it stops, so that its text is the cause.
const STOPS: [(&str, &str); 9] = [
    ("", "421"),
    ("USER", "530"),
    ("PASS", "530"),
    ("TYPE", "530"),
    ("RNFR", "502"),
    ("STOR", "552"),
    ("SIZE", "421"),
    ("RNTO", "550"),
    ("EPSV", "229"),
];

/// What it says on the way, and is delivered all the same.
const GOES_ON: [(&str, &str); 2] = [("TYPE", "504"), ("SIZE", "550")];

fn says(code: &str) -> Vec<u8> {
    format!("{code}-{EVIL}\r\n {EVIL}\r\n{code} {EVIL}\r\n").into_bytes()
}

/// Evil in every reply that does no harm, and in the one that ends it.
fn script(verb: &str, code: &str) -> Script {
    let mut script = Script {
        greeting: Greeting::Bytes(says("220")),
        ..Script::default()
    };
    for (other, code) in [
        ("USER", "331"),
        ("PASS", "230"),
        ("TYPE", "200"),
        ("FEAT", "211"),
    ] {
        script = script.on(other, Reply::raw(says(code)));
    }
    match verb {
        "" => script.greeting = Greeting::Bytes(says(code)),
        "EPSV" => script = script.on("PASV", Reply::raw(says("227"))),
        _ => {}
    }
    script.on(verb, Reply::raw(says(code)))
}

async fn run(options: &[&str]) -> Left {
    let source = ScriptedServer::start(script("", "220")).await;
    source.put("/images/image.bin", vec![1; 10_000]);
    let mut servers = Vec::new();
    let mut entities = Vec::new();
    for (number, (verb, code)) in STOPS.into_iter().chain(GOES_ON).enumerate() {
        let server = ScriptedServer::start(script(verb, code)).await;
        entities.push((format!("e{number}"), server.address()));
        servers.push(server);
    }
    let inventory = yaml(source.address(), &entities, 1 << 20);
    // What it says of its size is part of this.
    let inventory = inventory.replace("defaults:\n", "defaults:\n  verify: quick\n");
    Program::start(&inventory, options).end().await
}

fn assert_harmless(what: &str, text: &str) {
    let bad = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
    let line = text.lines().find(|line| line.chars().any(|c| bad(&c)));
    assert_eq!(line, None, "{what}");
}

fn assert_all_harmless(left: &Left) {
    assert_eq!(left.code, Some(1), "{}", left.err);
    assert_harmless("standard output", &left.out);
    assert_harmless("standard error", &left.err);
    // A journal holds whatever bytes it likes; the words in it are shown by others.
    let sequences = ["\u{1b}[2J", "\u{1b}]0;"];
    assert!(!sequences.iter().any(|it| left.files.contains(it)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_server_says_acts_on_a_terminal() {
    let (lines, json) = tokio::join!(run(&["-vvv"]), run(&["--json", "-vvv"]));
    for left in [&lines, &json] {
        assert_all_harmless(left);
    }
    // It was reported all the same, and not left out.
    assert!(lines.out.contains("\\u{1b}[2J"), "{}", lines.out);
    for told in ["TRACE", "\\u{1b}[2J"] {
        assert!(lines.err.contains(told), "{}", lines.err);
    }
    let events: Vec<Value> = (json.out.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let failed = |event: &&Value| event["event"] == "state" && event["state"] == "failed";
    let causes: Vec<&str> = (events.iter().filter(failed))
        .map(|event| event["cause"].as_str().unwrap())
        .collect();
    assert_eq!(causes.len(), STOPS.len(), "{}", json.out);
    let delivered = |event: &&Value| event["event"] == "state" && event["state"] == "delivered";
    assert_eq!(events.iter().filter(delivered).count(), GOES_ON.len());
    for cause in causes {
        assert!(cause.contains("\\u{1b}[2J"), "{cause}");
        // Also after JSON's own escapes are undone.
        assert_harmless("a cause", cause);
    }
}
