//! A file of the device that is kept on this host: whole, by its own name at the end only, and for this user alone.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::model::procedure::{Template, Values};
use crate::model::text::shown;
use crate::model::units;
use crate::model::{Failure, Fault, RemotePath, Step};
use crate::transport::{Remote, Transport};

use super::{Device, Done, Groups, filled};

/// What devices keep that is no image is smaller.
const MOST: u64 = 64 << 20;
const BLOCK: usize = 64 * 1024;

/// Files that were begun: two devices may be told to keep theirs under the same name.
static PARTS: AtomicU64 = AtomicU64::new(0);

impl<T: Transport> Device<T> {
    /// # Errors
    /// Nothing was kept.
    pub(super) async fn get(
        &mut self,
        (path, to): (&Template, &Template),
        values: &Values,
        within: Duration,
    ) -> Result<Done, Failure> {
        let (path, to) = (filled(path, values)?, filled(to, values)?);
        let file = below(&self.target.keep, &to).map_err(local)?;
        let mut remote = self.remote()?;
        remote.path = RemotePath::new(&path).map_err(|error| local(error.to_string()))?;
        let kept = keep(
            &*self.transport,
            &remote,
            &self.target.keep,
            &file,
            &mut self.is_begun,
        );
        let said = timeout(within, kept).await.unwrap_or_else(|_| {
            let what = format!("reading {}", self.name(&path));
            let after = within;
            Err(Failure::new(Step::Read, Fault::Overdue { what, after }))
        })?;
        let result = Ok(Groups::new());
        Ok(Done { said, result })
    }
}

fn local(reason: String) -> Failure {
    Failure::new(Step::Command, Fault::Local(reason))
}

/// Where a file is kept: below the folder, and nowhere else.
fn below(keep: &Path, to: &str) -> Result<PathBuf, String> {
    let refused = |why| Err(format!("nothing is kept as \"{}\": {why}", shown(to)));
    let mut file = keep.to_owned();
    for component in Path::new(to).components() {
        match component {
            Component::Normal(name) => file.push(name),
            Component::CurDir => {}
            _ => return refused("it must be below the state directory"),
        }
    }
    match file == keep || to.ends_with(['/', '\\']) {
        true => refused("it names no file"),
        false => Ok(file),
    }
}

/// Reads the file, and says what it is.
async fn keep(
    transport: &impl Transport,
    remote: &Remote,
    folder: &Path,
    file: &Path,
    is_begun: &mut bool,
) -> Result<String, Failure> {
    let unkept = |error: io::Error| {
        let reason = format!(
            "{} can't be kept: {error}",
            shown(&file.display().to_string())
        );
        Failure::new(Step::Read, Fault::Local(reason))
    };
    let opened = transport.open_source(remote, 0).await;
    let is_reached = |failure: &Failure| !matches!(failure.step, Step::Connect | Step::Login);
    *is_begun = opened.as_ref().err().is_none_or(is_reached);
    let mut source = opened?;
    too_long(source.size().unwrap_or(0))?;
    let (keep, named) = (folder.to_owned(), file.to_owned());
    let mut part = blocking(move || Part::beside(&keep, named))
        .await
        .map_err(unkept)?;
    let (mut bytes, mut digest) = (0, Sha256::new());
    loop {
        let mut block = vec![0; BLOCK];
        let count = source.read(&mut block).await?;
        if count == 0 {
            break;
        }
        block.truncate(count);
        bytes += count as u64;
        too_long(bytes)?;
        digest.update(&block);
        part = blocking(move || part.write(&block)).await.map_err(unkept)?;
    }
    source.close().await;
    blocking(move || part.finish()).await.map_err(unkept)?;
    let digest = hex::encode(digest.finalize());
    Ok(format!("{bytes} bytes, SHA-256 {digest}"))
}

fn too_long(bytes: u64) -> Result<(), Failure> {
    if bytes <= MOST {
        return Ok(());
    }
    let reason = format!("it has more than {}, and is not kept", units::size(MOST));
    Err(Failure::new(Step::Read, Fault::Local(reason)))
}

/// What waits for a disk keeps no other task waiting.
async fn blocking<V: Send + 'static>(
    work: impl FnOnce() -> io::Result<V> + Send + 'static,
) -> io::Result<V> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// A file that is being written, under a name of its own; removed unless it is finished.
struct Part {
    file: File,
    path: PathBuf,
    named: PathBuf,
    is_done: bool,
}

impl Part {
    fn beside(keep: &Path, named: PathBuf) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (named.parent(), named.file_name()) else {
            return Err(io::ErrorKind::InvalidFilename.into());
        };
        make_folder(keep)?;
        let root = keep.canonicalize()?;
        // A link in it may lead elsewhere; what is not there yet is no link.
        let mut there = folder.ancestors().filter(|folder| folder.exists());
        let there = there.next().unwrap_or(keep).canonicalize()?;
        if !there.starts_with(&root) {
            return Err(io::Error::other("a link leads out of the state directory"));
        }
        make_folder(folder)?;
        let (name, process) = (name.to_string_lossy(), std::process::id());
        let number = PARTS.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{name}.{process}-{number}.part"));
        // What another process of this number has left.
        let _ = std::fs::remove_file(&path);
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok(Self {
            file,
            path,
            named,
            is_done: false,
        })
    }

    fn write(mut self, block: &[u8]) -> io::Result<Self> {
        self.file.write_all(block)?;
        Ok(self)
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.named)?;
        self.is_done = true;
        // The name too is to be there after a crash.
        #[cfg(unix)]
        if let Some(folder) = self.named.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// For this user alone; one that is there stays as it is.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_outside_of_the_folder() {
        let keep = Path::new("/state");
        let kept = below(keep, "backup/./e1-7.cfg").unwrap();
        assert_eq!(kept, Path::new("/state/backup/e1-7.cfg"));
        for wrong in [
            "../e1",
            "backup/../../e1",
            "/etc/passwd",
            "",
            ".",
            "backup/",
            "..",
        ] {
            assert!(below(keep, wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_outside_is_not_followed() {
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), state.path().join("backup")).unwrap();
        for to in ["backup/e1.cfg", "backup/more/e1.cfg"] {
            let named = below(state.path(), to).unwrap();
            assert!(Part::beside(state.path(), named).is_err(), "{to}");
        }
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        let named = below(state.path(), "e1.cfg").unwrap();
        let part = Part::beside(state.path(), named).unwrap();
        drop(part);
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 1);
    }
}
