//! Reading an image from a file server or from a peer.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Failure, Fault, Step};
use crate::transport::{Remote, Source};

use super::download::Download;
use super::list;
use super::quirks::{Quirks, ServerQuirks};
use super::reply::Reply;
use super::session::Session;

/// `MDTM` and `MLST` are answered out of a file table: a server that takes longer does not know them.
const TABLE_DEADLINE: Duration = Duration::from_secs(5);
/// No time is longer, whatever its form.
const LONGEST_TIME: usize = 64;

/// One reading of a file over one session.
pub(super) struct FtpSource {
    session: Session,
    download: Download,
    size: Option<u64>,
    /// What else was said about the size, which need not be true.
    hint: Option<u64>,
    modified: Option<String>,
    /// Offset of the first byte that is wanted; what comes before is thrown away.
    offset: u64,
    /// Offset of the next byte in the file.
    position: u64,
}

impl FtpSource {
    pub(super) async fn open(
        quirks: &ServerQuirks,
        remote: &Remote,
        offset: u64,
    ) -> Result<Self, Failure> {
        let open = || Self::open_once(quirks, remote, offset);
        quirks.while_learning(&remote.endpoint.address, open).await
    }

    async fn open_once(
        quirks: &ServerQuirks,
        remote: &Remote,
        offset: u64,
    ) -> Result<Self, Failure> {
        let mut session = Session::open(quirks, remote).await?;
        let path = remote.path.as_str();
        let size = size(&mut session, path).await?;
        let modified = modified(&mut session, path).await?;
        let too_short = |size: Option<u64>| match size {
            Some(size) if size < offset => Err(Failure::new(Step::Open, changed(size, offset))),
            _ => Ok(size),
        };
        let size = too_short(size)?;
        let (download, reply) =
            Download::open(&mut session, &format!("RETR {path}"), offset, Step::Open).await?;
        let position = download.begins_at();
        let hint = size.or_else(|| reply.and_then(|reply| size_in_preliminary(&reply, position)));
        Ok(Self {
            session,
            download: download.reading(),
            size,
            hint,
            modified,
            offset,
            position,
        })
    }

    /// As [`Source::read`], and from where the server began to send.
    async fn read_any(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let count = self.download.read(&mut self.session, buffer).await?;
        self.position += count as u64;
        let failed = |fault| Err(Failure::new(Step::Read, fault));
        match self.size {
            Some(size) if self.position > size => failed(Fault::LongImage { size }),
            Some(size) if count == 0 && self.position < size => match self.download.unconfirmed() {
                Some(failure) => Err(failure.clone()),
                None => failed(Fault::ShortImage {
                    read: self.position,
                    size,
                }),
            },
            // Only the reply could have reported whether this was all.
            None if count == 0 => match self.download.unconfirmed() {
                Some(failure) => Err(failure.clone()),
                None => Ok(0),
            },
            _ => Ok(count),
        }
    }
}

/// Bytes before `offset` were already read, so the file had more than it has now.
fn changed(size: u64, offset: u64) -> Fault {
    Fault::SourceChanged {
        reason: format!("it has {size} bytes, and was to be read from byte {offset} on"),
    }
}

#[async_trait]
impl Source for FtpSource {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn size_hint(&self) -> Option<u64> {
        self.hint
    }

    fn modified(&self) -> Option<&str> {
        self.modified.as_deref()
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        while self.position < self.offset && !buffer.is_empty() {
            let before = usize::try_from(self.offset - self.position).unwrap_or(usize::MAX);
            let most = buffer.len().min(before);
            if self.read_any(&mut buffer[..most]).await? == 0 {
                let fault = changed(self.position, self.offset);
                return Err(Failure::new(Step::Read, fault));
            }
        }
        self.read_any(buffer).await
    }

    async fn close(self: Box<Self>) {
        drop(self.download);
        self.session.close().await;
    }
}

/// Whether the file is there, and its size where the server reports it.
pub(super) async fn size_of(
    quirks: &ServerQuirks,
    remote: &Remote,
) -> Result<Option<u64>, Failure> {
    let mut session = Session::open(quirks, remote).await?;
    let size = size(&mut session, remote.path.as_str()).await;
    session.close().await;
    size
}

/// `SIZE` (RFC 3659 section 4), which not every server knows: some know `MLST` alone.
pub(super) async fn size(session: &mut Session, path: &str) -> Result<Option<u64>, Failure> {
    let asked = format!("SIZE {path}");
    let reply = session.ask(Step::Prepare, &asked).await?;
    match reply.code {
        213 => Ok(bytes_in(&reply.raw)),
        550 => Err(Failure::new(Step::Prepare, reply.fault_of_file())),
        _ if reply.is_unknown_command() => size_of_facts(session, path).await,
        _ => Ok(None),
    }
}

/// The size in what `MLST` reports of a file (RFC 3659 section 7).
async fn size_of_facts(session: &mut Session, path: &str) -> Result<Option<u64>, Failure> {
    let reply = ask_if_known(session, "MLST", path, |quirks| &mut quirks.no_mlst).await?;
    match reply {
        Some(reply) if reply.code == 250 => {
            let mut lines = reply.raw.lines();
            Ok(lines.find_map(|line| list::facts(line.trim_start())?.size))
        }
        Some(reply) if reply.code == 550 => Err(Failure::new(Step::Prepare, reply.fault_of_file())),
        _ => Ok(None),
    }
}

/// Asks what not every server knows: one that does not, or that never answers it, is not asked
/// again. `None`: it does not know it.
///
/// # Errors
/// The session is lost, or the server says that it is over.
async fn ask_if_known(
    session: &mut Session,
    verb: &str,
    path: &str,
    unknown: fn(&mut Quirks) -> &mut bool,
) -> Result<Option<Reply>, Failure> {
    if *unknown(&mut session.known()) {
        return Ok(None);
    }
    let deadline = session.timeouts.reply.min(TABLE_DEADLINE);
    let asked = format!("{verb} {path}");
    let answered = (session.command_within(Step::Prepare, &asked, deadline)).await;
    let is_unknown = match &answered {
        Ok(reply) => reply.is_unknown_command(),
        // A connection can be lost for reasons of its own.
        Err(failure) => !matches!(failure.fault, Fault::Lost { .. }),
    };
    if is_unknown {
        session.learn(|quirks| *unknown(quirks) = true);
    }
    match answered? {
        reply if reply.code == 421 => Err(Failure::new(Step::Prepare, reply.fault())),
        _ if is_unknown => Ok(None),
        reply => Ok(Some(reply)),
    }
}

/// The number of bytes in an answer to `SIZE`: some say behind it that they are bytes.
fn bytes_in(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let bytes = words.next()?.parse().ok()?;
    let is_bytes = words.next().is_none_or(|unit| {
        let unit = unit.to_ascii_lowercase();
        unit.starts_with("byte") || unit.starts_with("octet")
    });
    is_bytes.then_some(bytes)
}

/// `MDTM` (RFC 3659 section 3), as the server says it; `None` where it does not.
///
/// # Errors
/// The session is lost. Where that was the command's doing it is remembered, and not sent again.
pub(super) async fn modified(session: &mut Session, path: &str) -> Result<Option<String>, Failure> {
    let reply = ask_if_known(session, "MDTM", path, |quirks| &mut quirks.no_mdtm).await?;
    let time = reply.filter(|reply| reply.code == 213);
    let time = time.map(|reply| reply.raw.trim().to_owned());
    Ok(time.filter(|time| !time.is_empty() && time.len() <= LONGEST_TIME))
}

/// Many servers say `150 Opening … (1234 bytes)`. It is text for people: some say `(0 bytes)` of every
/// file. With an offset some count the rest, some the whole, so it is then of no use at all.
pub(super) fn size_in_preliminary(reply: &Reply, offset: u64) -> Option<u64> {
    if offset > 0 {
        return None;
    }
    let (before, _) = reply.raw.rsplit_once(" bytes")?;
    let said = before.rsplit_once('(')?.1.trim().parse().ok();
    said.filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::redact::Redact;

    #[test]
    fn a_size_is_a_number_of_bytes() {
        for (said, bytes) in [
            ("1234", Some(1234)),
            (" 1234 ", Some(1234)),
            ("1234 bytes", Some(1234)),
            ("1234 blocks", None),
            ("-1", None),
            ("", None),
            ("unknown", None),
        ] {
            assert_eq!(bytes_in(said), bytes, "{said}");
        }
    }

    #[test]
    fn the_preliminary_reply_hints_at_the_size() {
        let reply = |raw: &str| Reply::new(150, raw, &Redact::default());
        let said = reply("Opening BINARY mode data connection for a.bin (1234 bytes).");
        assert_eq!(size_in_preliminary(&said, 0), Some(1234));
        assert_eq!(size_in_preliminary(&said, 10), None);
        assert_eq!(size_in_preliminary(&reply("Opening it (0 bytes)"), 0), None);
        assert_eq!(size_in_preliminary(&reply("Here it comes (soon)"), 0), None);
    }
}
