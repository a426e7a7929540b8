//! `SITE` (RFC 959, section 4.1.3) of devices without a command line: what they run and boot, and their restart.

use crate::lab::server::Server;

/// What is answered, and what follows that.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) said: String,
    pub(super) restarts: bool,
}

/// The answer to a line where it is one of the device's own: `SITE RESET` in the word of its settings, `SITE VERSION`,
/// `SITE BOOT FILE` and `SITE BANK NUMBER`.
pub(super) fn answer(server: &Server, line: &[u8]) -> Option<Site> {
    let (unit, word) = (server.unit.as_ref()?, server.behaviour.cli.site.as_ref()?);
    let line = String::from_utf8_lossy(line);
    let words: Vec<_> = line.split_whitespace().collect();
    let is = |said: &str, known: &str| said.eq_ignore_ascii_case(known);
    match words[..] {
        [site, said] if is(site, "SITE") && is(said, word) => {
            unit.count(&format!("SITE {word}"));
            Some(Site {
                said: "200 Restarting".into(),
                restarts: true,
            })
        }
        [site, boot, file] if is(site, "SITE") && is(boot, "BOOT") => {
            let path = unit.resolved(&server.device, file);
            if server.device.file(&path).is_none() {
                return stays("550 No such file");
            }
            unit.boots_file(&path, true);
            unit.count(&format!("SITE BOOT {file}"));
            stays("200 Boots that file next")
        }
        [site, said] if is(site, "SITE") && is(said, "VERSION") => {
            stays(&format!("200 Version {}", unit.state().version))
        }
        [site, bank, number] if is(site, "SITE") && is(bank, "BANK") => {
            if !number.parse().is_ok_and(|number| unit.boots_bank(number)) {
                return stays("550 Nothing boots from that bank");
            }
            unit.count(&format!("SITE BANK {number}"));
            stays("200 Boots that bank next")
        }
        _ => None,
    }
}

fn stays(said: &str) -> Option<Site> {
    Some(Site {
        said: said.into(),
        restarts: false,
    })
}
