//! What a service manager is sent: that the engine is ready, and that it is ending (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;

const READY: &str = "READY=1\n";
const STOPPING: &str = "STOPPING=1\n";

/// The manager that has started this process; none where it was started by hand.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceManager {
    socket: Option<std::ffi::OsString>,
}

impl ServiceManager {
    pub(super) fn of_process() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET");
        Self {
            socket: socket.filter(|socket| !socket.is_empty()),
        }
    }

    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("{READY}STATUS={status}\n"));
    }

    pub(super) fn stopping(&self, status: &str) {
        self.send(&format!("{STOPPING}STATUS={status}\n"));
    }

    /// A manager that does not hear it finds out in another way.
    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = send(socket, message.as_bytes()) {
            tracing::warn!("the service manager can't be reached: {error}");
        }
    }
}

fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let from = UnixDatagram::unbound()?;
    // Nothing here may hold up the engine.
    from.set_nonblocking(true)?;
    let sent = match abstract_name(socket) {
        Some(name) => to_abstract(&from, name, message)?,
        None => from.send_to(message, socket)?,
    };
    match sent == message.len() {
        true => Ok(()),
        false => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// `@name`: one without a file.
fn abstract_name(socket: &OsStr) -> Option<&[u8]> {
    socket.as_encoded_bytes().strip_prefix(b"@")
}

#[cfg(target_os = "linux")]
fn to_abstract(from: &UnixDatagram, name: &[u8], message: &[u8]) -> io::Result<usize> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    from.send_to_addr(message, &address)
}

#[cfg(not(target_os = "linux"))]
fn to_abstract(_: &UnixDatagram, _: &[u8], _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(by: &UnixDatagram) -> String {
        let mut message = [0; 256];
        let length = by.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    #[test]
    fn a_manager_is_told_at_a_socket_with_or_without_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let engine = ServiceManager {
            socket: Some(path.into()),
        };
        engine.ready("on site.yaml");
        assert_eq!(heard(&manager), "READY=1\nSTATUS=on site.yaml\n");
        engine.stopping("parked");
        assert_eq!(heard(&manager), "STOPPING=1\nSTATUS=parked\n");
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let name = format!("subtend-test-{}", std::process::id());
            let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
            let manager = UnixDatagram::bind_addr(&address).unwrap();
            let engine = ServiceManager {
                socket: Some(format!("@{name}").into()),
            };
            engine.ready("x");
            assert_eq!(heard(&manager), "READY=1\nSTATUS=x\n");
        }
    }

    #[test]
    fn one_that_is_not_there_costs_nothing() {
        ServiceManager::default().ready("x");
        let gone = ServiceManager {
            socket: Some("/nowhere/notify".into()),
        };
        gone.ready("x");
    }
}
