//! The servers of other makes for SSH, HTTP and TFTP do start and serve, as clients of other makes see
//! it: sftp, scp, curl and atftp.

mod http;
mod ssh;
mod tftp;

use std::process::{Command, Stdio};

use crate::support::real::must_be_here;

/// No multiple of any block.
fn image() -> Vec<u8> {
    let bytes = b"\r\n\0\xff\r\rx\n".iter().copied();
    bytes.cycle().take(300_001).collect()
}

/// What a client says, and whether it succeeded.
pub(crate) fn client(command: &mut Command) -> (bool, String) {
    let said = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [said.stdout, said.stderr].concat();
    (
        said.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn succeeds(command: &mut Command) -> String {
    let (good, said) = client(command);
    assert!(good, "{command:?}: {said}");
    said
}

pub(crate) fn installed(program: &str) -> bool {
    let there = client(Command::new("sh").args(["-c", &format!("command -v {program}")])).0;
    assert!(there || !must_be_here(), "{program} is not installed");
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}
