//! How a device of the lab fetches a file by a command: one small client of HTTP (RFC 9112), written here so that
//! nothing of it is what is tested with it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use crate::lab::session::reset;
use crate::lab::storage::{Face, PIECE, Refusal, Storage};
use crate::lab::upload::{Next, Upload};

/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of the head of an answer.
const MOST_OF_A_HEAD: u64 = 16 * 1024;
/// Maximum number of requests for one file: a server may answer that it is busy, or the connection be cut off.
const MOST_TIMES: usize = 8;
/// Maximum time before it asks again, whatever `Retry-After` says.
const LONGEST: u64 = 5;

/// Why a file was not fetched.
#[derive(Debug, Error)]
pub(super) enum Cause {
    #[error("Invalid URL")]
    Url,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("Connection timed out")]
    Silence,
    #[error("Server answered {0}")]
    Status(u16),
    #[error("Not understood")]
    Answer,
    #[error("Connection closed at {at} of {size} bytes")]
    Short { at: u64, size: u64 },
    #[error("{0}")]
    Refused(#[from] Refusal),
}

type Result<T> = std::result::Result<T, Cause>;

/// What a server is asked for.
struct Url {
    /// With the port.
    host: String,
    path: String,
}

/// The head of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head {
    status: u16,
    length: Option<u64>,
    again_after: Option<u64>,
}

/// A fetch has no session of its own that could be ended, or that confirms anything.
struct Alone;

impl Face for Alone {
    fn confirm_early(&self) {}

    fn hang_up(&self) {}
}

/// Fetches a file into the device, at its pace and with the faults of its uploads; the bytes of it. Where it fails,
/// nothing stands under that name, unless the settings say so.
pub(super) async fn fetch(storage: &Storage, url: &str, path: &str) -> Result<u64> {
    let server = &*storage.server;
    if server.behaviour.cli.fetches_nothing {
        return Ok(0);
    }
    let fetched = whole(storage, url, path).await;
    if fetched.is_err() && !server.behaviour.cli.fetch_keeps {
        server.device.delete(path);
    }
    fetched
}

async fn whole(storage: &Storage, url: &str, path: &str) -> Result<u64> {
    let url = Url::parse(url).ok_or(Cause::Url)?;
    let mut upload: Option<Upload> = None;
    for _ in 0..MOST_TIMES {
        let from = upload.as_ref().map_or(0, Upload::at);
        let mut stream = BufReader::new(connected(storage, &url).await?);
        let head = asked(&mut stream, &url, from).await?;
        match (head.status, head.again_after) {
            (503, Some(seconds)) => {
                tokio::time::sleep(Duration::from_secs(seconds.min(LONGEST))).await;
                continue;
            }
            (200, _) => upload = Some(Upload::begin(storage, path, 0)?),
            (206, _) if from > 0 => {}
            (status, _) => return Err(Cause::Status(status)),
        }
        let Some(upload_now) = &mut upload else {
            return Err(Cause::Answer);
        };
        let taken = taken(&mut stream, upload_now, head.length).await;
        match taken {
            Ok(()) => {
                let bytes = upload_now.at();
                if let Some(upload) = upload {
                    upload.finish().await;
                }
                return Ok(bytes);
            }
            Err(Cause::Refused(Refusal::Cut(_))) => {
                reset(&storage.server, stream.get_ref());
                drop(stream);
                let cut = storage.cut().await;
                if !storage.server.behaviour.cli.fetch_resumes {
                    return Err(cut.into());
                }
            }
            Err(cause) => return Err(cause),
        }
    }
    Err(Cause::Silence)
}

/// From the device's own address, as the other side must see it.
async fn connected(storage: &Storage, url: &Url) -> Result<TcpStream> {
    let own = storage.server.address.ip();
    let mut found = timely(lookup_host(&url.host)).await?;
    let to = found.find(|to| to.is_ipv4() == own.is_ipv4());
    let to = to.ok_or(Cause::Url)?;
    let socket = match own.is_ipv4() {
        true => TcpSocket::new_v4()?,
        false => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(own, 0))?;
    timely(socket.connect(to)).await
}

async fn asked(stream: &mut BufReader<TcpStream>, url: &Url, from: u64) -> Result<Head> {
    let Url { host, path } = url;
    let range = match from {
        0 => String::new(),
        from => format!("Range: bytes={from}-\r\n"),
    };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{range}Connection: close\r\n\r\n");
    timely(stream.get_mut().write_all(request.as_bytes())).await?;
    let mut head = String::new();
    let mut lines = stream.take(MOST_OF_A_HEAD);
    while !head.ends_with("\r\n\r\n") {
        if timely(lines.read_line(&mut head)).await? == 0 {
            return Err(Cause::Answer);
        }
    }
    Head::parse(&head).ok_or(Cause::Answer)
}

/// Takes what comes, to the length that was announced, or to the end.
async fn taken(
    stream: &mut BufReader<TcpStream>,
    upload: &mut Upload,
    length: Option<u64>,
) -> Result<()> {
    let size = length.map(|length| upload.at() + length);
    let mut buffer = vec![0; PIECE];
    loop {
        let most = match upload.next(&Alone).await {
            Next::Room(most) => most.min(buffer.len()),
            Next::Cut => return Err(Refusal::Cut("Connection reset by peer").into()),
        };
        let at = upload.at();
        let left = size.map_or(u64::MAX, |size| size.saturating_sub(at));
        let most = usize::try_from(left).map_or(most, |left| most.min(left));
        if most == 0 {
            return Ok(());
        }
        let count = timely(stream.read(&mut buffer[..most])).await?;
        match (count, size) {
            (0, Some(size)) => return Err(Cause::Short { at, size }),
            (0, None) => return Ok(()),
            (count, _) => upload.put(&mut buffer[..count]).await?,
        }
    }
}

async fn timely<T>(work: impl Future<Output = io::Result<T>>) -> Result<T> {
    let done = timeout(PATIENCE, work).await;
    Ok(done.map_err(|_| Cause::Silence)??)
}

impl Url {
    fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = match has_port {
            true => host.to_owned(),
            false => format!("{host}:80"),
        };
        let path = format!("/{path}");
        (!host.starts_with(':')).then_some(Self { host, path })
    }
}

impl Head {
    /// `None` too for a body that does not simply go to its end.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut first = lines.next()?.split(' ');
        let is_known = first.next()?.starts_with("HTTP/1.");
        let mut head = Self {
            status: first.next().filter(|_| is_known)?.parse().ok()?,
            ..Self::default()
        };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = Some(value.parse().ok()?),
                "retry-after" => head.again_after = value.parse().ok(),
                "transfer-encoding" => return None,
                _ => {}
            }
        }
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_with_a_port_and_a_path() {
        for (url, wanted) in [
            (
                "http://192.0.2.1:8080/a/b.bin",
                Some(("192.0.2.1:8080", "/a/b.bin")),
            ),
            ("http://hq/a", Some(("hq:80", "/a"))),
            ("http://hq", Some(("hq:80", "/"))),
            ("http://:80/a", None),
            ("ftp://hq/a", None),
            ("hq/a", None),
        ] {
            let parsed = Url::parse(url);
            let parsed = parsed.as_ref().map(|url| (&*url.host, &*url.path));
            assert_eq!(parsed, wanted, "{url}");
        }
    }

    #[test]
    fn a_head_says_how_much_comes_and_when_to_ask_again() {
        let head = |status, length, again_after| {
            Some(Head {
                status,
                length,
                again_after,
            })
        };
        let parse = |lines: &str| Head::parse(&lines.replace('\n', "\r\n"));
        let full = "HTTP/1.1 200 OK\ncontent-Length: 5\nX: y\n\n";
        assert_eq!(parse(full), head(200, Some(5), None));
        let busy = "HTTP/1.0 503 Service Unavailable\nRetry-After: 2\n\n";
        assert_eq!(parse(busy), head(503, None, Some(2)));
        assert_eq!(parse("HTTP/1.1 404\n\n"), head(404, None, None));
        for wrong in [
            "",
            "SSH-2.0-x\n\n",
            "HTTP/1.1 OK\n\n",
            "HTTP/1.1 200 OK\nContent-Length: -1\n\n",
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
