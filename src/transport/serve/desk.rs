//! The listeners of a run: opened together or not at all, and closed together.

use std::io;
use std::net::SocketAddr;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::model::serve::{Over, Serve};
use crate::model::{Failure, Fault, Step};

use super::ftp::Ftp;
use super::http::Http;
use super::tftp::Tftp;
use super::{Guard, Offered, Offers, right};

/// Where devices fetch from while a run goes on.
#[derive(Debug)]
pub struct Desk {
    offers: Offers,
    at: Vec<(Over, SocketAddr)>,
    /// They are not aborted where this is dropped: each ends by itself then, and breaks off what is under way.
    tasks: Vec<JoinHandle<()>>,
    cancel: DropGuard,
}

/// A listener of each protocol: the one place that chooses by it.
#[derive(Debug)]
enum Listener {
    Http(Http),
    Ftp(Ftp),
    Tftp(Tftp),
}

impl Listener {
    async fn bind(over: Over, at: SocketAddr) -> io::Result<Self> {
        match over {
            Over::Http => Http::bind(at).map(Self::Http),
            Over::Tftp => Tftp::bind(at).await.map(Self::Tftp),
            Over::Ftp => Ftp::bind(at).await.map(Self::Ftp),
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Http(http) => http.address(),
            Self::Ftp(ftp) => ftp.address(),
            Self::Tftp(tftp) => tftp.address(),
        }
    }

    async fn serve(self, guard: Guard, cancel: CancellationToken) {
        match self {
            Self::Http(http) => http.serve(guard, cancel).await,
            Self::Ftp(ftp) => ftp.serve(guard, cancel).await,
            Self::Tftp(tftp) => tftp.serve(guard, cancel).await,
        }
    }
}

impl Desk {
    /// Listens wherever it is to be served.
    ///
    /// # Errors
    /// It can't be listened at one of the addresses; then it is at none.
    pub async fn open(serve: &Serve) -> Result<Self, Failure> {
        let mut listeners = Vec::new();
        for (over, at) in serve.all() {
            let listener = Listener::bind(over, at)
                .await
                .map_err(|error| not_bound(over, at, &error))?;
            listeners.push((over, listener));
        }
        let offers = Offers::default();
        let guard = Guard::new(offers.clone());
        let cancel = CancellationToken::new();
        let mut desk = Self {
            offers,
            at: Vec::new(),
            tasks: Vec::new(),
            cancel: cancel.clone().drop_guard(),
        };
        for (over, listener) in listeners {
            let at = listener.address();
            tracing::info!("images are served over {over} at {at}");
            desk.at.push((over, at));
            let serving = listener.serve(guard.clone(), cancel.clone());
            desk.tasks.push(tokio::spawn(serving));
        }
        Ok(desk)
    }

    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// What a device is to fetch.
    pub fn url(&self, over: Over, offered: &Offered) -> Option<String> {
        let at = self.address(over)?;
        Some(url(over, at, &offered.name()))
    }

    pub fn address(&self, over: Over) -> Option<SocketAddr> {
        let mut at = self.at.iter();
        at.find_map(|(this, at)| (*this == over).then_some(*at))
    }

    /// Breaks off what is under way, and returns when the addresses are free.
    pub async fn close(self) {
        drop(self.cancel);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!("a listener ended wrongly: {error}");
            }
        }
    }
}

fn url(over: Over, at: SocketAddr, name: &str) -> String {
    let scheme = over.word();
    // IPv6 in brackets; a zone means nothing to another host (RFC 6874).
    let host = match at {
        SocketAddr::V4(at) => at.ip().to_string(),
        SocketAddr::V6(at) => format!("[{}]", at.ip()),
    };
    match at.port() == over.default_port() {
        true => format!("{scheme}://{host}/{name}"),
        false => format!("{scheme}://{host}:{}/{name}", at.port()),
    }
}

fn not_bound(over: Over, at: SocketAddr, error: &io::Error) -> Failure {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, or another subtend, has this address; end that, or serve on another port".into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this host has no such address; write one that `ip address` shows".into()
        }
        io::ErrorKind::PermissionDenied => right::advice(),
        _ => error.to_string(),
    };
    let words = format!("images can't be served over {over} at {at}: {why}");
    Failure::new(Step::Select, Fault::Local(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_url_names_a_port_only_where_it_must() {
        for (over, address, wanted) in [
            (
                Over::Http,
                "192.0.2.1:8080",
                "http://192.0.2.1:8080/t/a.bin",
            ),
            (Over::Http, "192.0.2.1:80", "http://192.0.2.1/t/a.bin"),
            (Over::Ftp, "192.0.2.1:80", "ftp://192.0.2.1:80/t/a.bin"),
            (Over::Tftp, "192.0.2.1:69", "tftp://192.0.2.1/t/a.bin"),
            (
                Over::Http,
                "[2001:db8::1]:80",
                "http://[2001:db8::1]/t/a.bin",
            ),
            (
                Over::Http,
                "[2001:db8::1]:81",
                "http://[2001:db8::1]:81/t/a.bin",
            ),
            (Over::Http, "[fe80::1%2]:80", "http://[fe80::1]/t/a.bin"),
        ] {
            assert_eq!(url(over, at(address), "t/a.bin"), wanted);
        }
    }

    #[test]
    fn why_an_address_is_not_had_says_which_and_what_to_do() {
        for (kind, part) in [
            (io::ErrorKind::AddrInUse, "another subtend"),
            (io::ErrorKind::AddrNotAvailable, "no such address"),
            (
                io::ErrorKind::PermissionDenied,
                "setcap cap_net_bind_service=+ep /",
            ),
        ] {
            let said = not_bound(Over::Http, at("192.0.2.1:80"), &kind.into()).to_string();
            assert!(said.contains("over HTTP at 192.0.2.1:80: "), "{said}");
            assert!(said.contains(part), "{said}");
        }
    }

    #[tokio::test]
    async fn addresses_are_had_all_or_none_and_are_free_again_once_it_is_closed() {
        let any = Some(at("127.0.0.1:0"));
        let serve = |http| Serve {
            http,
            ..Serve::default()
        };
        let first = Desk::open(&serve(any)).await.unwrap();
        let taken = first.address(Over::Http);
        assert_eq!(first.address(Over::Ftp), None);
        let failure = Desk::open(&serve(taken)).await.unwrap_err();
        assert!(failure.to_string().contains("another subtend"), "{failure}");
        let elsewhere = Some(at("192.0.2.1:0"));
        let failure = Desk::open(&serve(elsewhere)).await.unwrap_err();
        assert!(failure.to_string().contains("no such address"), "{failure}");
        first.close().await;
        Desk::open(&serve(taken)).await.unwrap().close().await;
    }
}
