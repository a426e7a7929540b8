//! 200 servers at once that talk without an end: the process stays within its bound.

use serde_json::Value;

use crate::faults::flood::{FLOODS, Flood, FloodServer};
use crate::faults::program::{Program, yaml};
use crate::support::scripted::{Data, Script, ScriptedServer, Store};

const SERVERS: usize = 200;
const MEMORY: u64 = 8 << 20;
/// Beside the memory for software download.
const REST: u64 = 64 << 20;

/// The peak of a run to such servers, one for each of the floods in turn, with a deadline for replies. `words`
/// must be in the cause of a failure.
async fn peak_of(
    floods: &[Flood],
    most: usize,
    reply: &str,
    words: impl Fn(Flood) -> &'static str,
) -> u64 {
    let source = ScriptedServer::start(Script::default()).await;
    source.put("/images/image.bin", vec![1; 100_000]);
    let mut entities = Vec::new();
    // One good entity keeps the run going until the others have been counted.
    let script = Script {
        store: Store {
            at: Some(0),
            waits: true,
            data: Data::GoOn,
            ..Store::default()
        },
        ..Script::default()
    };
    let good = ScriptedServer::start(script).await;
    entities.push(("good".to_owned(), good.address()));
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        let server = FloodServer::start(floods[number % floods.len()], most).await;
        entities.push((format!("e{number:03}"), server.address));
        servers.push(server);
    }
    let inventory = yaml(source.address(), &entities, MEMORY).replace("reply: 20s", reply);
    let mut program = Program::start(&inventory, &["--json"]);
    let mut failed = 0;
    while failed < SERVERS {
        let line = program.line().await.expect("the run goes on");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == "state" && event["state"] == "failed" {
            failed += 1;
            let number: usize = event["entity"].as_str().unwrap()[1..].parse().unwrap();
            let words = words(floods[number % floods.len()]);
            assert!(event["cause"].as_str().unwrap().contains(words), "{event}");
        }
    }
    let peak = program.peak_memory();
    println!(
        "peak of {SERVERS} floods of {most} bytes: {} KiB",
        peak >> 10
    );
    good.go_on();
    let left = program.end().await;
    assert_eq!(left.code, Some(1), "{}", left.err);
    assert_eq!(good.files(), ["/flash/image.bin"]);
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_never_stop_talking_cost_little() {
    let words = |flood: Flood| match flood {
        // It is tried again without, and comes further.
        Flood { to: "FEAT", .. } => "502 never heard of it",
        Flood { first: "120-", .. } => "a greeting without an end",
        _ => "it has no end",
    };
    let (peak, most) = (
        peak_of(&FLOODS, usize::MAX, "reply: 30s", words).await,
        MEMORY + REST,
    );
    assert!(peak <= most, "{} KiB of {} KiB", peak >> 10, most >> 10);
}

/// All of them stop just before they would be cut off, and what they said is kept until they are
/// given up.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_stop_in_the_middle_of_a_long_reply_cost_little() {
    let peak = peak_of(&FLOODS[..2], 63 << 10, "reply: 4s", |_| "no greeting").await;
    let most = MEMORY + REST;
    assert!(peak <= most, "{} KiB of {} KiB", peak >> 10, most >> 10);
}
