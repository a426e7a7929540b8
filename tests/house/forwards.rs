//! What stands between the agents and the ways to devices passes on all that those can do: a trait's own answer, "no
//! such thing here", is for ways that have it not.

use std::collections::BTreeSet;
use std::path::Path;

/// The functions in the block that begins with this line.
fn functions(file: &str, begins: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().skip_while(|line| !line.starts_with(begins));
    let block = lines.take_while(|line| *line != "}");
    let names = block.filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let name = line.strip_prefix("fn ")?;
        Some(name.split(['(', '<']).next()?.to_owned())
    });
    let names: BTreeSet<String> = names.collect();
    assert!(!names.is_empty(), "no {begins} in {file}");
    names
}

#[test]
fn the_journals_gate_and_the_choice_of_a_way_pass_on_all_that_a_way_can_do() {
    let can = functions("src/transport/mod.rs", "pub trait Transport");
    let gate = functions("src/journal/gate.rs", "impl<T: Transport> Transport for");
    assert_eq!(gate, can);
    let mut ways = functions("src/transport/any.rs", "impl Transport for");
    // Holding a device for one run is the journal's own.
    assert!(ways.insert("hold".to_owned()));
    assert_eq!(ways, can);
    let sink = functions("src/transport/mod.rs", "pub trait Sink");
    assert_eq!(functions("src/journal/gate.rs", "impl Sink for"), sink);
}
