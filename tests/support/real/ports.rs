//! Ports for servers that are given a number and bind it themselves, a moment after it was chosen.
//!
//! Numbers come from below those that the system gives to connections and to port 0, so that the
//! many sockets of the same tests don't take them meanwhile; and a server counts as started only
//! once the kernel shows that the listening socket is its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Ephemeral ports begin at 32768 on Linux.
const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;

/// The first of `count` numbers that no other test of this process gets. Another process begins
/// elsewhere.
fn numbers(count: u16) -> RangeInclusive<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        let somewhere = std::process::id().wrapping_mul(7919) % u32::from(LAST - FIRST);
        AtomicU16::new(FIRST + u16::try_from(somewhere).unwrap())
    });
    let mut first = FIRST;
    next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| {
        first = if at + count > LAST { FIRST } else { at };
        Some(first + count)
    })
    .unwrap();
    first..=first + (count - 1)
}

/// A listener on a port of its own.
pub fn free_listener() -> TcpListener {
    loop {
        let port = *numbers(1).start();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}

/// An address for datagrams that nobody has at this moment.
pub fn free_datagrams() -> SocketAddr {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], *numbers(1).start()));
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Ports side by side that nobody has at this moment.
pub fn free_ports(count: u16) -> RangeInclusive<u16> {
    loop {
        let all = numbers(count);
        // Free again at the end of the statement.
        if (all.clone()).all(|port| TcpListener::bind(("0.0.0.0", port)).is_ok()) {
            return all;
        }
    }
}

/// Whether a process of this group listens on the port.
pub fn is_listener(group: u32, port: u16) -> bool {
    has_socket(group, port, ["/proc/net/tcp", "/proc/net/tcp6"], "0A")
}

/// Whether a process of this group takes datagrams from anybody on the port.
pub fn receives(group: u32, port: u16) -> bool {
    has_socket(group, port, ["/proc/net/udp", "/proc/net/udp6"], "07")
}

/// Whether a socket of a table and in a state is that of a process of this group (`proc(5)`:
/// `/proc/net/tcp`, `/proc/PID/fd`).
fn has_socket(group: u32, port: u16, tables: [&str; 2], wanted: &str) -> bool {
    let sockets = tables
        .map(|table| fs::read_to_string(table).unwrap_or_default())
        .concat();
    let wanted: Vec<String> = sockets
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let (_, number) = local.rsplit_once(':')?;
            let listens = *state == wanted && u16::from_str_radix(number, 16) == Ok(port);
            listens.then(|| format!("socket:[{inode}]"))
        })
        .collect();
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes
        .flatten()
        .filter(|process| group_of(&process.path()) == Some(group))
        .filter_map(|process| fs::read_dir(process.path().join("fd")).ok())
        .flat_map(|open| open.flatten())
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| wanted.iter().any(|socket| target == Path::new(socket)))
}

/// The process group: the third field behind the name, which is in parentheses.
fn group_of(process: &Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(2)?.parse().ok()
}
