//! Servers for TFTP, which take files: tftpd-hpa and atftpd.

use super::daemons::{absent, command, needs_root};
use super::{Make, NOBODY, Offers, Place, Serves, Shows, is_root};

#[derive(Debug)]
pub struct TftpdHpa;
#[derive(Debug)]
pub struct Atftpd;

pub const TFTPD_HPA: TftpdHpa = TftpdHpa;
pub const ATFTPD: Atftpd = Atftpd;

/// Every make for TFTP, in the order in which they are shown.
pub const TFTP_MAKES: [&dyn Make; 2] = [&TFTPD_HPA, &ATFTPD];

impl Make for TftpdHpa {
    fn name(&self) -> &'static str {
        "tftpd-hpa"
    }

    /// It changes its root and its user for each transfer.
    fn missing(&self) -> Option<String> {
        absent("in.tftpd").or_else(needs_root)
    }

    fn offers(&self) -> Offers {
        Offers::default()
    }

    fn shows(&self) -> Shows {
        Shows::Datagrams
    }

    fn owner(&self) -> Option<u32> {
        Some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let mut command = command("in.tftpd");
        command
            .args(["--foreground", "--listen", "--create", "--permissive"])
            .args(["--user", "nobody", "--address"])
            .arg(place.address.to_string())
            .arg("--secure")
            .arg(place.files);
        Serves::Daemon(command)
    }
}

impl Make for Atftpd {
    fn name(&self) -> &'static str {
        "atftpd"
    }

    fn missing(&self) -> Option<String> {
        absent("atftpd")
    }

    fn offers(&self) -> Offers {
        Offers::default()
    }

    fn shows(&self) -> Shows {
        Shows::Datagrams
    }

    fn owner(&self) -> Option<u32> {
        is_root().then_some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let mut command = command("atftpd");
        command
            .args(["--daemon", "--no-fork", "--logfile", "-", "--bind-address"])
            .arg(place.address.ip().to_string())
            .arg("--port")
            .arg(place.address.port().to_string());
        if is_root() {
            command.args(["--user", "nobody.nogroup"]);
        }
        command.arg(place.files);
        Serves::Daemon(command)
    }
}
