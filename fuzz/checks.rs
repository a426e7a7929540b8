//! What must hold whatever bytes come: used by the fuzz targets, and by `tests/corpus.rs`, which
//! replays the corpus without a fuzzer.

use std::path::Path;

use subtend::inventory;
use subtend::transport::ftp::fuzzing;

/// An inventory is read, or what is wrong with it is said in text that acts on no terminal.
pub fn inventory(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(errors) = inventory::parse(text, Path::new("inventory.yaml")) {
        assert_harmless(&errors.to_string().replace('\n', " "));
    }
}

/// Whatever is made of a reply, what is shown of it acts on no terminal and is no longer than a
/// message may be.
pub fn reply(bytes: &[u8]) {
    if let Some(shown) = fuzzing::reply(bytes) {
        assert_harmless(&shown);
        // Two quotations of up to 300 characters, each escaped.
        assert!(shown.len() < 8000, "{} bytes are shown", shown.len());
    }
}

/// Every name that is listed can be part of a path, and of no other command.
pub fn listing(bytes: &[u8]) {
    for listed in fuzzing::listing(bytes) {
        let name = listed.name.as_str();
        let is_usable = !matches!(name, "" | "." | "..") && !name.contains(['/', '\r', '\n', '\0']);
        assert!(is_usable, "{name:?}");
    }
}

fn assert_harmless(text: &str) {
    let bad = text
        .chars()
        .find(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(bad, None, "{text:?}");
}
