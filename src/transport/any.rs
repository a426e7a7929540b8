//! Which protocol an address is spoken to in: the one place that knows them all.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::procedure::Way;
use crate::model::{Address, Failure, Probe, Scheme};

use super::fetch::FetchTransport;
use super::file::FileTransport;
use super::ftp::FtpTransport;
use super::http::HttpTransport;
use super::scp::ScpTransport;
use super::sftp::SftpTransport;
use super::terminal::Terminals;
use super::tftp::TftpTransport;
use super::{
    Compared, Destination, Directory, Endpoint, Listed, Orders, Remote, RemoteCommand, Requests,
    Sink, Source, Terminal, Transport,
};

/// Every protocol there is, with what was learned about the servers of this run.
#[derive(Debug, Default)]
pub struct AnyTransport {
    owner: String,
    ftp: FtpTransport,
    file: FileTransport,
    sftp: SftpTransport,
    scp: ScpTransport,
    http: HttpTransport,
    tftp: TftpTransport,
    fetch: FetchTransport,
    terminals: Terminals,
}

impl AnyTransport {
    /// `owner`: as [`Transport::owner`] says.
    pub fn of(owner: String) -> Self {
        Self {
            owner,
            ..Self::default()
        }
    }

    fn to(&self, address: &Address) -> &dyn Transport {
        match address.scheme {
            Scheme::Ftp | Scheme::FtpsExplicit | Scheme::FtpsImplicit => &self.ftp,
            Scheme::File => &self.file,
            Scheme::Sftp => &self.sftp,
            Scheme::Scp => &self.scp,
            Scheme::Http | Scheme::Https => &self.http,
            Scheme::Tftp => &self.tftp,
            Scheme::Fetch => &self.fetch,
        }
    }
}

#[async_trait]
impl Transport for AnyTransport {
    fn owner(&self) -> &str {
        &self.owner
    }

    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        let transport = self.to(&remote.endpoint.address);
        transport.open_source(remote, offset).await
    }

    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure> {
        let transport = self.to(&destination.remote.endpoint.address);
        transport.open_sink(destination).await
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        self.to(&remote.endpoint.address).size_of(remote).await
    }

    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        let transport = self.to(&destination.remote.endpoint.address);
        transport.probe(destination, cancel).await
    }

    async fn compare(&self, remote: &Remote, sha256: [u8; 32]) -> Result<Compared, Failure> {
        let transport = self.to(&remote.endpoint.address);
        transport.compare(remote, sha256).await
    }

    async fn list(&self, directory: &Directory) -> Result<Vec<Listed>, Failure> {
        let transport = self.to(&directory.endpoint.address);
        transport.list(directory).await
    }

    async fn terminal(
        &self,
        way: Way,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Terminal>, Failure> {
        match way {
            Way::Ssh => self.terminals.ssh(endpoint, cancel).await,
            Way::Telnet => self.terminals.telnet(endpoint, cancel).await,
        }
    }

    async fn command(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn RemoteCommand>, Failure> {
        self.terminals.command(endpoint, cancel).await
    }

    async fn orders(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Orders>, Failure> {
        self.to(&endpoint.address).orders(endpoint, cancel).await
    }

    async fn requests(&self, endpoint: &Endpoint) -> Result<Box<dyn Requests>, Failure> {
        self.to(&endpoint.address).requests(endpoint).await
    }
}
