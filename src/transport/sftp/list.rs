//! Looking into a directory.

use tokio::time::{Duration, timeout};

use crate::model::{Failure, Fault, Step};
use crate::transport::ssh::Keys;
use crate::transport::{Directory, Listed};

use super::session::{Session, no_reply};
use super::wire::{self, Answer, Attributes, Kind, Packet};

/// A directory with more is no place to choose a file from.
const MOST_ENTRIES: usize = 10_000;
/// Bytes of names.
const MOST_BYTES: usize = 4 << 20;
/// Deadline for the whole listing, however steadily it trickles.
const WHOLE: Duration = Duration::from_secs(60);

pub(super) async fn list(keys: &Keys, directory: &Directory) -> Result<Vec<Listed>, Failure> {
    let mut session = Session::open(keys, &directory.endpoint).await?;
    let path = match directory.path.as_str() {
        "" => ".",
        path => path,
    };
    let names = names(&mut session, path, Step::Open).await;
    session.close().await;
    let mut entries: Vec<Listed> = (names?.into_iter())
        .filter(|(name, _)| is_fit(name))
        .map(|(name, attributes)| Listed {
            is_directory: attributes.is_directory(),
            size: attributes.file_size(),
            name,
        })
        .collect();
    entries.sort_by(|a, b| (!a.is_directory, &a.name).cmp(&(!b.is_directory, &b.name)));
    entries.dedup_by(|a, b| a.name == b.name);
    Ok(entries)
}

/// Whether it can be asked for again: a name that is no UTF-8 is not what it was any more.
fn is_fit(name: &str) -> bool {
    let odd = ['/', '\r', '\n', '\0', char::REPLACEMENT_CHARACTER];
    !matches!(name, "" | "." | "..") && !name.contains(odd)
}

/// The names in a directory, in the server's order.
pub(super) async fn names(
    session: &mut Session,
    path: &str,
    step: Step,
) -> Result<Vec<(String, Attributes)>, Failure> {
    let opened = session.open_handle(step, |id| {
        Packet::new(Kind::OpenDir, id).string(path.as_bytes())
    });
    let handle = opened.await?;
    let handle = handle.map_err(|status| Failure::new(step, status.fault_of_file()))?;
    let read = timeout(WHOLE, all(session, &handle)).await;
    session.let_go(&handle);
    read.unwrap_or_else(|_| Err(Failure::new(Step::Read, no_reply("the listing", WHOLE))))
}

async fn all(session: &mut Session, handle: &[u8]) -> Result<Vec<(String, Attributes)>, Failure> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    loop {
        let asked = session.ask(Step::Read, "readdir", |id| {
            Packet::new(Kind::ReadDir, id).string(handle)
        });
        match asked.await? {
            Ok(Answer::Names(names)) => found.extend(names.into_iter().inspect(|(name, _)| {
                bytes += name.len();
            })),
            Ok(_) => return Err(session.odd(Step::Read)),
            Err(status) if status.code == wire::EOF => return Ok(found),
            Err(status) => return Err(Failure::new(Step::Read, status.fault_of_file())),
        }
        if found.len() > MOST_ENTRIES || bytes > MOST_BYTES {
            let reason = format!(
                "the directory holds more than {MOST_ENTRIES} entries, which is too much to look at; name \
                 the file instead"
            );
            return Err(Failure::new(Step::Read, Fault::Local(reason)));
        }
    }
}
