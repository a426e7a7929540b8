//! Servers for telnet, which run a command line for each that comes: GNU inetutils and busybox. Who comes is asked
//! for by that command line itself.

use super::daemons::{absent, command};
use super::{Make, Offers, Place, Serves, Shows};

#[derive(Debug)]
pub struct InetutilsTelnetd;
#[derive(Debug)]
pub struct BusyboxTelnetd;

pub const INETUTILS_TELNETD: InetutilsTelnetd = InetutilsTelnetd;
pub const BUSYBOX_TELNETD: BusyboxTelnetd = BusyboxTelnetd;

/// They start nothing but what they are told.
fn command_line<'a>(place: &'a Place<'_>) -> &'a str {
    let program = place.command_line.and_then(|program| program.to_str());
    program.expect("a telnetd is started with a command line")
}

impl Make for InetutilsTelnetd {
    fn name(&self) -> &'static str {
        "inetutils telnetd"
    }

    fn missing(&self) -> Option<String> {
        absent("telnetd")
    }

    fn offers(&self) -> Offers {
        Offers::default()
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let telnetd = command("telnetd");
        let words = [telnetd.get_program().to_str().unwrap(), "-h", "-E"];
        let words = words.into_iter().chain([command_line(place)]);
        Serves::Sessions(words.map(ToOwned::to_owned).collect())
    }
}

impl Make for BusyboxTelnetd {
    fn name(&self) -> &'static str {
        "busybox telnetd"
    }

    /// Not each busybox has this part.
    fn missing(&self) -> Option<String> {
        absent("busybox").or_else(|| {
            let parts = command("busybox").arg("--list").output().ok()?.stdout;
            let has_it = parts
                .split(|byte| *byte == b'\n')
                .any(|part| part == b"telnetd");
            (!has_it).then(|| "busybox has no telnetd here (.ci/servers brings one)".to_owned())
        })
    }

    fn offers(&self) -> Offers {
        Offers::default()
    }

    fn shows(&self) -> Shows {
        Shows::Listening
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let mut command = command("busybox");
        command
            .args(["telnetd", "-F", "-b"])
            .arg(place.address.ip().to_string())
            .arg("-p")
            .arg(place.address.port().to_string())
            .arg("-l")
            .arg(command_line(place));
        Serves::Daemon(command)
    }
}
