//! TCP connections as this tool wants them: with a deadline, with keepalive, and to nobody else.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use crate::model::{Address, Failure, Fault, Scheme, Step};

use super::Endpoint;

/// A control connection is silent while data flows, and a NAT forgets silent connections: probes
/// every 30 s keep it in mind, and tell of a host that is gone. `NOOP` would confuse many servers.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(30);

/// Not more than this waits unsent in the kernel: what is called sent has nearly left, and a lag
/// is seen while it is small.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
const NOT_SENT_LOW_WATER: u32 = 256 * 1024;

/// The send buffer of a data connection to a host that answers within [`NEAR`]. What is on its way
/// then stays in the processor's cache; left to itself the kernel lets it grow to megabytes, and
/// every byte costs a sixth more (`benches/RESULTS.md`). Linux doubles the value, after cutting it to
/// `net.core.wmem_max`: some 400 KiB in 5 ms are 80 MiB/s.
const NEAR_SEND_BUFFER: usize = 256 * 1024;
/// Farther hosts need as much in flight as the kernel finds out.
const NEAR: Duration = Duration::from_millis(5);

/// The host's addresses, in the order in which they are to be tried.
pub(super) async fn resolve(address: &Address) -> Result<Vec<SocketAddr>, Fault> {
    let found = lookup_host((address.host.as_str(), address.port)).await;
    let found = found.map_err(|error| Fault::Unresolved {
        name: address.host.clone(),
        reason: error.to_string(),
    })?;
    Ok(found.collect())
}

pub(super) fn no_address(address: &Address) -> Fault {
    Fault::Unresolved {
        name: address.host.clone(),
        reason: "the name has no address".into(),
    }
}

/// The host's addresses: all that can be found out where nothing is connected to.
pub(super) async fn resolved(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Failure> {
    let (address, after) = (&endpoint.address, endpoint.timeouts.connect);
    let failed = |fault| Failure::new(Step::Connect, fault);
    let found = timeout(after, resolve(address)).await;
    let found = found.map_err(|_| {
        let address = address.to_string();
        failed(Fault::ConnectTimeout { address, after })
    })?;
    match found.map_err(failed)? {
        none if none.is_empty() => Err(failed(no_address(address))),
        found => Ok(found),
    }
}

/// Opens a data connection to `target`.
pub(super) async fn connect_data(
    target: SocketAddr,
    deadline: Duration,
) -> Result<TcpStream, Fault> {
    let begun = Instant::now();
    match timeout(deadline, open(target)).await {
        Ok(Ok(stream)) => {
            if begun.elapsed() < NEAR {
                // Without it the connection works as well, and costs a little more.
                let _ = SockRef::from(&stream).set_send_buffer_size(NEAR_SEND_BUFFER);
            }
            Ok(stream)
        }
        Ok(Err(error)) => {
            let address = format!("{target} (data connection)");
            Err(connect_fault(address, Scheme::Ftp, &error))
        }
        Err(_) => Err(Fault::ConnectTimeout {
            address: format!("{target} (data connection)"),
            after: deadline,
        }),
    }
}

/// A connection that came from the other side, as [`connect_data`] leaves its own.
pub(super) fn accepted(stream: &TcpStream) -> io::Result<()> {
    let _ = SockRef::from(stream).set_send_buffer_size(NEAR_SEND_BUFFER);
    prepare(stream)
}

/// Connects to the first of a host's addresses that answers. Each has an equal part of the time that is left.
pub(super) async fn connect(address: &Address, limit: Duration) -> Result<TcpStream, Fault> {
    let until = Instant::now() + limit;
    let targets = timeout(limit, resolve(address)).await;
    let targets = targets.map_err(|_| late(address, limit))??;
    connect_to(&targets, address, until, limit).await
}

/// Whether somebody answers at an address: a connection that is closed again at once.
///
/// # Errors
/// It is refused, or not answered within the `connect` deadline.
pub(crate) async fn knock(endpoint: &Endpoint) -> Result<(), Failure> {
    knock_at(&endpoint.address, endpoint.timeouts.connect).await
}

/// As [`knock`], within a time.
///
/// # Errors
/// It is refused, or not answered in time.
pub(crate) async fn knock_at(address: &Address, limit: Duration) -> Result<(), Failure> {
    if !address.scheme.has_connections() {
        let reason = format!("{} has no connections", address.scheme.word());
        return Err(Failure::new(Step::Connect, Fault::Local(reason)));
    }
    let connected = connect(address, limit).await;
    connected
        .map(drop)
        .map_err(|fault| Failure::new(Step::Connect, fault))
}

/// As [`connect`], where the host was looked up before: `limit` ends at `until`.
pub(super) async fn connect_to(
    targets: &[SocketAddr],
    address: &Address,
    until: Instant,
    limit: Duration,
) -> Result<TcpStream, Fault> {
    let mut last = no_address(address);
    for (place, target) in targets.iter().enumerate() {
        let left = u32::try_from(targets.len() - place).unwrap_or(u32::MAX);
        let begun = Instant::now();
        let deadline = until.saturating_duration_since(begun) / left;
        match timeout(deadline, open(*target)).await {
            Ok(Ok(stream)) => {
                if begun.elapsed() < NEAR {
                    let _ = SockRef::from(&stream).set_send_buffer_size(NEAR_SEND_BUFFER);
                }
                return Ok(stream);
            }
            Ok(Err(error)) => last = connect_fault(target.to_string(), address.scheme, &error),
            Err(_) => last = late(address, limit),
        }
    }
    Err(last)
}

pub(super) fn late(address: &Address, after: Duration) -> Fault {
    Fault::ConnectTimeout {
        address: address.to_string(),
        after,
    }
}

async fn open(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    prepare(&stream)?;
    Ok(stream)
}

/// Sets what a connection of ours needs.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(Duration::from_secs(10)),
    )?;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
    socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER)?;
    stream.set_nodelay(true)
}

/// Waits until the other end has made room for more bytes.
pub(super) async fn writable(stream: &TcpStream) -> io::Result<()> {
    loop {
        stream.writable().await?;
        // The runtime remembers room from before the last write, which may have filled it.
        match stream.try_io(Interest::WRITABLE, || has_room(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

#[cfg(unix)]
fn has_room(stream: &TcpStream) -> io::Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut fds, PollTimeout::ZERO) == Ok(0) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn has_room(stream: &TcpStream) -> io::Result<()> {
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

pub(super) fn connect_fault(address: String, scheme: Scheme, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::Refused {
            address,
            server: scheme.service(),
        },
        _ => Fault::Unreachable {
            address,
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Also a data connection is silent for as long as its entity erases flash.
    #[tokio::test]
    async fn keepalive_is_on_for_data_connections() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let data = connect_data(target, Duration::from_secs(10)).await.unwrap();
        let socket = SockRef::from(&data);
        assert!(socket.keepalive().unwrap());
        // The system's own two hours are longer than any NAT remembers.
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
    }

    /// The runtime remembers that there was room, and does not know that it was filled.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_is_writable_when_it_has_room_and_not_before() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let limit = Duration::from_secs(10);
        let (ours, theirs) = tokio::join!(connect_data(target, limit), listener.accept());
        let (ours, (mut theirs, _)) = (ours.unwrap(), theirs.unwrap());
        writable(&ours).await.unwrap();
        let mut sent = 0;
        while let Ok(count) = SockRef::from(&ours).send(&[0; 64 * 1024]) {
            sent += count;
        }
        let early = timeout(Duration::from_millis(200), writable(&ours)).await;
        assert!(early.is_err(), "there is no room");
        let mut taken = vec![0; sent];
        let (room, read) = tokio::join!(
            timeout(limit, writable(&ours)),
            timeout(limit, theirs.read_exact(&mut taken))
        );
        room.unwrap().unwrap();
        read.unwrap().unwrap();
        // And an end that nobody expected is reported, not taken for room.
        SockRef::from(&theirs)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(theirs);
        timeout(limit, async { while writable(&ours).await.is_ok() {} })
            .await
            .unwrap();
    }

    /// The kernel leaves a buffer alone that was set, and would let this one grow to megabytes.
    #[tokio::test]
    async fn what_is_on_its_way_to_a_near_host_is_bounded() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let mut taken = Vec::new();
        // On a busy host one connect may take longer than a near host's.
        for _ in 0..10 {
            let data = connect_data(target, Duration::from_secs(10)).await.unwrap();
            taken.push(SockRef::from(&data).send_buffer_size().unwrap());
        }
        let least = taken.into_iter().min().unwrap();
        assert!(least <= 2 * NEAR_SEND_BUFFER, "{least}");
        assert!(least > NEAR_SEND_BUFFER / 2, "{least}");
    }
}
