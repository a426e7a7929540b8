//! curl with tftpd-hpa and atftpd.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{client, image, installed, succeeds};
use crate::support::LONG;
use crate::support::real::{RealServer, TFTP_MAKES, require_or_skip};

#[test]
fn tftpd_hpa_and_atftpd_take_files_with_and_without_options() {
    if !installed("curl") {
        return;
    }
    for make in TFTP_MAKES {
        if !require_or_skip(make) {
            continue;
        }
        let server = RealServer::start(make);
        let local = server.dir().join("local");
        std::fs::write(&local, image()).unwrap();
        for (name, options) in [
            ("plain.bin", &["--tftp-no-options"][..]),
            ("large.bin", &["--tftp-blksize", "1428"]),
        ] {
            let url = format!("tftp://{}/{name}", server.address);
            succeeds(
                Command::new("curl")
                    .args(["-sS", "--max-time", "20"])
                    .args(options)
                    .arg("-T")
                    .arg(&local)
                    .arg(url),
            );
            // atftpd acknowledges the last block before it has written it.
            let begun = Instant::now();
            while server.file(name) != Some(image()) {
                assert!(begun.elapsed() < LONG, "{} {name}", make.name());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        server.forbid();
        let url = format!("tftp://{}/no.bin", server.address);
        let mut command = Command::new("curl");
        command
            .args(["-sS", "--max-time", "20", "-T"])
            .arg(&local)
            .arg(url);
        assert!(!client(&mut command).0);
        assert_eq!(server.files(), ["large.bin", "plain.bin"]);
    }
}
