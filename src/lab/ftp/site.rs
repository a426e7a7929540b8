//! `SITE` (RFC 959, section 4.1.3) of devices without a command line: what they boot, and their restart.

use crate::lab::server::Server;

/// What is answered, and what follows that.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) said: &'static str,
    pub(super) restarts: bool,
}

/// The answer to a line where it is one of the device's own: `SITE RESET` in the word of its settings, and
/// `SITE BOOT FILE`.
pub(super) fn answer(server: &Server, line: &[u8]) -> Option<Site> {
    let (unit, word) = (server.unit.as_ref()?, server.behaviour.cli.site.as_ref()?);
    let line = String::from_utf8_lossy(line);
    let words: Vec<_> = line.split_whitespace().collect();
    let is = |said: &str, known: &str| said.eq_ignore_ascii_case(known);
    match words[..] {
        [site, said] if is(site, "SITE") && is(said, word) => {
            unit.count(&format!("SITE {word}"));
            Some(Site {
                said: "200 Restarting",
                restarts: true,
            })
        }
        [site, boot, file] if is(site, "SITE") && is(boot, "BOOT") => {
            let path = unit.resolved(&server.device, file);
            if server.device.file(&path).is_none() {
                return Some(Site {
                    said: "550 No such file",
                    restarts: false,
                });
            }
            unit.boots_file(&path, true);
            unit.count(&format!("SITE BOOT {file}"));
            Some(Site {
                said: "200 Boots that file next",
                restarts: false,
            })
        }
        _ => None,
    }
}
