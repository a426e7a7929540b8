//! The right to listen on low ports, which Linux gives to few programs (capabilities(7), `CAP_NET_BIND_SERVICE`).

use std::net::SocketAddr;

use crate::model::text::shown;

/// `CAP_NET_BIND_SERVICE`.
const BIND_SERVICE: u32 = 10;
/// Where the kernel does not report it.
const UNPRIVILEGED_FROM: u16 = 1024;

/// Whether a program may not listen on that port as it is.
pub fn needs_right(port: u16, unprivileged_from: u16, has_capability: bool) -> bool {
    port != 0 && port < unprivileged_from && !has_capability
}

/// What is to be done before this program can listen there; `None`: nothing, or it is not known.
pub fn missing_right(at: SocketAddr) -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    needs_right(at.port(), unprivileged_from(), has_capability(&status)?)
        .then(|| format!("{at} can't be listened on: {}", advice()))
}

/// Why a low port is refused, and what to do.
pub(super) fn advice() -> String {
    let from = unprivileged_from();
    let program = std::env::current_exe();
    let program = program.map_or("PATH_OF_THIS_PROGRAM".into(), |path| {
        shown(&path.display().to_string())
    });
    format!(
        "a port below {from} needs a right that this program does not have. `sudo setcap \
         cap_net_bind_service=+ep {program}` gives it, or `AmbientCapabilities=CAP_NET_BIND_SERVICE` in the unit \
         that systemd starts it by; or serve on a port from {from} on"
    )
}

fn unprivileged_from() -> u16 {
    let file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.trim().parse().unwrap_or(UNPRIVILEGED_FROM)
}

fn has_capability(status: &str) -> Option<bool> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let effective = u64::from_str_radix(effective.trim(), 16).ok()?;
    Some(effective >> BIND_SERVICE & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_low_port_needs_a_right_and_only_where_it_is_not_there() {
        for (port, from, has, needs) in [
            (80, 1024, false, true),
            (80, 1024, true, false),
            (1023, 1024, false, true),
            (1024, 1024, false, false),
            (80, 80, false, false),
            (80, 0, false, false),
            (0, 1024, false, false),
        ] {
            assert_eq!(needs_right(port, from, has), needs, "{port} {from} {has}");
        }
    }

    #[test]
    fn the_capability_is_found_in_what_the_kernel_reports() {
        let status =
            |set: &str| format!("Name:\tsubtend\nCapPrm:\t0\nCapEff:\t{set}\nCapBnd:\t0\n");
        assert_eq!(has_capability(&status("000001ffffffffff")), Some(true));
        assert_eq!(has_capability(&status("0000000000000400")), Some(true));
        assert_eq!(has_capability(&status("0000000000000bff")), Some(false));
        assert_eq!(has_capability(&status("0000000000000000")), Some(false));
        assert_eq!(has_capability("Name:\tsubtend\n"), None);
    }
}
