//! Looking secrets up: in the environment, in a file, from a command. Asking the operator is the
//! caller's; here it is only said that it is needed. A secret is a password, the passphrase of a private
//! key, or a token.
//!
//! No error ever holds a secret, nor what a command printed. What is read is wiped afterwards, and is
//! read into one place: a buffer that grows would leave copies behind.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::zeroize::{Zeroize, Zeroizing};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::io::AsyncReadExt;

use crate::model::ssh::is_encrypted;
use crate::model::text::shown;
use crate::model::{CredentialsRef, Login, LoginBy, Name, SecretSource, units};

/// How long a command may take. Somebody may have to touch a security key first.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// A file or an output longer than this holds no secret.
const LONGEST: usize = 64 << 10;

/// What [`resolve`] found out.
#[derive(Debug)]
pub enum Resolved {
    Login(Login),
    /// The operator must be asked for this user's secret; [`login`] makes a login of it.
    Ask {
        user: String,
    },
}

/// Why there is no secret.
#[derive(Debug, Error)]
#[error("credentials `{credentials}`: {cause}")]
pub struct SecretError {
    pub credentials: Name,
    pub cause: SecretCause,
}

#[derive(Debug, Error)]
pub enum SecretCause {
    #[error("the environment variable {0} is not set; set it to the {1}")]
    NoVariable(String, &'static str),
    #[error("the environment variable {0} is empty; set it to the {1}")]
    EmptyVariable(String, &'static str),
    #[error("the environment variable {0} is not UTF-8 text")]
    ForeignVariable(String),
    /// `what` is in the file.
    #[error("the {what} file {} can't be read: {reason}", named(.path))]
    File {
        what: &'static str,
        path: PathBuf,
        reason: io::Error,
    },
    #[error(
        "the {what} file {} can be read by others (mode {mode:03o}); run: chmod 600 {}",
        named(.path), named(.path)
    )]
    OpenFile {
        what: &'static str,
        path: PathBuf,
        mode: u32,
    },
    #[error("the {what} file {} {why}", named(.path))]
    FileContent {
        what: &'static str,
        path: PathBuf,
        why: &'static str,
    },
    #[error(
        "the key {} is encrypted; add `passphrase: {{ ask: true }}` or another source beside it",
        named(.path)
    )]
    NoPassphrase { path: PathBuf },
    #[error("the command {program} can't be started: {reason}")]
    NotStarted { program: String, reason: io::Error },
    #[error("the command {program} failed: {status}; run it by hand to see why")]
    Failed { program: String, status: ExitStatus },
    #[error("the command {program} did not end within {}", units::duration(*.after))]
    TimedOut { program: String, after: Duration },
    #[error("the first line that the command {program} printed {why}")]
    Output { program: String, why: &'static str },
    #[error("the {0} holds CR, LF or NUL, which would end the line that it is sent in")]
    Unsendable(&'static str),
}

fn named(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// Looks the secret up, where one is needed: a key that is not encrypted needs none. Takes up to 30 s where a command is run, and blocks meanwhile. `all` are
/// the credentials of the inventory: a command is not given the variables that hold the passwords
/// of others.
///
/// # Errors
/// Where it was looked for and why it is not there, and what to do.
pub fn resolve(
    credentials: &CredentialsRef,
    all: &[CredentialsRef],
) -> Result<Resolved, SecretError> {
    let named = |cause| SecretError {
        credentials: Name::clone(&credentials.name),
        cause,
    };
    let what = credentials.by.secret();
    if let LoginBy::Key(path) = &credentials.by {
        let key = read_key(path).map_err(named)?;
        if !is_encrypted(&key) {
            return Ok(Resolved::Login(Login::of(credentials, "".into())));
        }
        if credentials.secret == SecretSource::Empty {
            let path = path.to_path_buf();
            return Err(named(SecretCause::NoPassphrase { path }));
        }
    }
    let secret = match &credentials.secret {
        SecretSource::Env(variable) => from_environment(variable, what),
        SecretSource::File(path) => from_file(path, what),
        SecretSource::Command(words) => {
            let others: Vec<&str> = all.iter().filter_map(|one| one.secret.variable()).collect();
            from_command(words, &others, COMMAND_TIMEOUT)
        }
        SecretSource::Ask => {
            return Ok(Resolved::Ask {
                user: credentials.user.clone(),
            });
        }
        SecretSource::Empty => Ok(SecretString::default()),
    };
    login(credentials, secret.map_err(named)?).map(Resolved::Login)
}

/// The login of a user whose secret is known by now. Reads nothing.
///
/// # Errors
/// When the secret can't be sent: it holds CR, LF or NUL.
pub fn login(credentials: &CredentialsRef, secret: SecretString) -> Result<Login, SecretError> {
    if secret.expose_secret().contains(['\r', '\n', '\0']) {
        return Err(SecretError {
            credentials: Name::clone(&credentials.name),
            cause: SecretCause::Unsendable(credentials.by.secret()),
        });
    }
    Ok(Login::of(credentials, secret))
}

/// The text of a private key, which nobody else may be able to read: ssh too uses no other.
///
/// # Errors
/// Why it can't be read, or may not be used.
pub fn read_key(path: &Path) -> Result<Zeroizing<String>, SecretCause> {
    read_text(path, "key")
}

fn from_environment(variable: &str, what: &'static str) -> Result<SecretString, SecretCause> {
    match std::env::var(variable) {
        Ok(value) if value.is_empty() => Err(SecretCause::EmptyVariable(variable.into(), what)),
        Ok(value) => Ok(value.into()),
        Err(std::env::VarError::NotPresent) => Err(SecretCause::NoVariable(variable.into(), what)),
        Err(std::env::VarError::NotUnicode(value)) => {
            value.into_encoded_bytes().zeroize();
            Err(SecretCause::ForeignVariable(variable.into()))
        }
    }
}

fn from_file(path: &Path, what: &'static str) -> Result<SecretString, SecretCause> {
    let text = read_text(path, what)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(SecretCause::FileContent {
            what,
            path: path.into(),
            why: "is empty; write it into that file",
        });
    }
    Ok(secret.into())
}

fn read_text(path: &Path, what: &'static str) -> Result<Zeroizing<String>, SecretCause> {
    let unreadable = |reason| SecretCause::File {
        what,
        path: path.into(),
        reason,
    };
    let content = |why| SecretCause::FileContent {
        what,
        path: path.into(),
        why,
    };
    // Asked before it is opened too: opening a pipe would wait for somebody to write to it.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(content("is not a file"));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    refuse_if_open_to_others(path, what, &file.metadata().map_err(unreadable)?)?;
    let mut room = room();
    let mut filled = 0;
    while filled < room.len() {
        match file.read(&mut room[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    if filled > LONGEST {
        return Err(content("is too long to be one"));
    }
    let text = match &room[..filled] {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            return Err(content("is UTF-16 text; save it as UTF-8"));
        }
        bytes => std::str::from_utf8(bytes).map_err(|_| content("is not UTF-8 text"))?,
    };
    // Editors put it before the text, and no secret begins with it.
    Ok(Zeroizing::new(match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => {
            let path = path.display();
            tracing::warn!("{path} begins with a byte order mark, which is no part of the {what}");
            text.to_owned()
        }
        None => text.to_owned(),
    }))
}

/// What some editors write before UTF-8 text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Where a secret is read to: one byte more than may be in it.
fn room() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![0; LONGEST + 1])
}

#[cfg(unix)]
fn refuse_if_open_to_others(
    path: &Path,
    what: &'static str,
    metadata: &std::fs::Metadata,
) -> Result<(), SecretCause> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretCause::OpenFile {
            what,
            path: path.into(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_open_to_others(
    _: &Path,
    _: &'static str,
    _: &std::fs::Metadata,
) -> Result<(), SecretCause> {
    Ok(())
}

/// Runs a program and takes the first line that it prints.
fn from_command(
    words: &[String],
    variables: &[&str],
    timeout: Duration,
) -> Result<SecretString, SecretCause> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(SecretCause::NotStarted {
            program: String::new(),
            reason: io::Error::other("it has no name"),
        });
    };
    let not_started = |reason| SecretCause::NotStarted {
        program: shown(program),
        reason,
    };
    // A thread and a runtime of its own: the caller may be inside a runtime, whose threads must
    // not block, and reading a pipe with a deadline needs one.
    let outcome = std::thread::scope(|scope| {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime
                .block_on(async {
                    let output = output(program, arguments, variables);
                    tokio::time::timeout(timeout, output).await
                })
                .unwrap_or(Ok(Ran::TooLong))
        };
        let thread = scope.spawn(run);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that runs it failed")))
    });
    let (status, bytes) = match outcome.map_err(not_started)? {
        Ran::Ended(status, bytes) => (status, bytes),
        Ran::TooLong => {
            return Err(SecretCause::TimedOut {
                program: shown(program),
                after: timeout,
            });
        }
    };
    let output = |why| SecretCause::Output {
        program: shown(program),
        why,
    };
    if bytes.len() > LONGEST {
        return Err(output("is too long, or too much follows it"));
    }
    if !status.success() {
        return Err(SecretCause::Failed {
            program: shown(program),
            status,
        });
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(output("is empty")),
        Ok(line) => Ok(line.into()),
        Err(_) => Err(output("is not UTF-8 text")),
    }
}

enum Ran {
    Ended(ExitStatus, Zeroizing<Vec<u8>>),
    TooLong,
}

async fn output(program: &str, arguments: &[String], variables: &[&str]) -> io::Result<Ran> {
    let mut command = tokio::process::Command::new(program);
    for variable in variables {
        command.env_remove(variable);
    }
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut bytes = room();
    let mut filled = 0;
    if let Some(mut stdout) = child.stdout.take() {
        // Closed afterwards: a program that prints without end gets to know.
        while filled < bytes.len() {
            match stdout.read(&mut bytes[filled..]).await? {
                0 => break,
                count => filled += count,
            }
        }
    }
    bytes.truncate(filled);
    let status = child.wait().await?;
    Ok(Ran::Ended(status, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: SecretSource) -> CredentialsRef {
        CredentialsRef {
            name: "craft".into(),
            user: "craft".into(),
            by: LoginBy::Password,
            secret,
        }
    }

    fn password(secret: SecretSource) -> Result<String, String> {
        match resolve(&credentials(secret), &[]) {
            Ok(Resolved::Login(login)) => Ok(login.password.expose_secret().to_owned()),
            Ok(Resolved::Ask { .. }) => Err("ask".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn command(words: &[&str]) -> SecretSource {
        SecretSource::Command(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = password(SecretSource::Env("SUBTEND_NO_SUCH_VARIABLE".into())).unwrap_err();
        assert!(
            error.contains("SUBTEND_NO_SUCH_VARIABLE is not set"),
            "{error}"
        );
        assert!(error.contains("credentials `craft`"), "{error}");
        // Set wherever tests run.
        assert!(password(SecretSource::Env("PATH".into())).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("craft");
        let write = |text: &[u8], mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            password(SecretSource::File(path.clone()))
        };
        assert_eq!(write(b"hunter2\n", 0o600), Ok("hunter2".into()));
        assert_eq!(write(b"hunter2\r\n", 0o400), Ok("hunter2".into()));
        assert_eq!(write(b" spaces stay ", 0o600), Ok(" spaces stay ".into()));
        // A byte order mark is no part of it.
        let marked = "\u{feff}hunter2\r\n".as_bytes();
        assert_eq!(write(marked, 0o600), Ok("hunter2".into()));
        for mode in [0o640, 0o604, 0o620, 0o602] {
            let error = write(b"hunter2\n", mode).unwrap_err();
            assert!(error.contains("chmod 600 "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for (text, why) in [
            (&b"\n"[..], "is empty"),
            (b"hunter2\nmore\n", "CR, LF or NUL"),
            (b"hun\0ter2", "CR, LF or NUL"),
            (b"\xff", "not UTF-8"),
            (b"\xff\xfeh\0u\0", "UTF-16"),
            ("\u{feff}".as_bytes(), "is empty"),
            (&[b'x'; 70_000], "too long"),
        ] {
            let error = write(text, 0o600).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = password(SecretSource::File(folder.path().into())).unwrap_err();
        assert!(error.contains("is not a file"), "{error}");
        let error = password(SecretSource::File(folder.path().join("none"))).unwrap_err();
        assert!(error.contains("can't be read"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_the_owners_alone_and_its_passphrase_is_wanted_where_it_needs_one() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id");
        let with = |cipher: &str, mode: u32, secret: SecretSource| {
            let head = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA";
            std::fs::write(&path, format!("{head}{cipher}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let credentials = CredentialsRef {
                by: LoginBy::Key(path.clone().into()),
                ..credentials(secret)
            };
            match resolve(&credentials, &[]) {
                Ok(Resolved::Login(login)) => {
                    let key = login.key.unwrap();
                    assert_eq!(login.password.expose_secret(), "");
                    assert_eq!(*key.path, path);
                    Ok(key.passphrase.expose_secret().to_owned())
                }
                Ok(Resolved::Ask { .. }) => Err("ask".into()),
                Err(error) => Err(error.to_string()),
            }
        };
        let (plain, encrypted) = ("BG5vbmUAAAAEbm9uZQ", "CmFlczI1Ni1jdHI");
        let command = || command(&["echo", "open sesame"]);
        // Nobody is asked, and nothing is run, for a passphrase that is not needed.
        assert_eq!(with(plain, 0o600, SecretSource::Ask), Ok(String::new()));
        assert_eq!(with(plain, 0o400, SecretSource::Empty), Ok(String::new()));
        assert_eq!(with(encrypted, 0o600, SecretSource::Ask), Err("ask".into()));
        assert_eq!(with(encrypted, 0o600, command()), Ok("open sesame".into()));
        for (mode, secret, why) in [
            (
                0o600,
                SecretSource::Empty,
                "add `passphrase: { ask: true }`",
            ),
            (0o644, SecretSource::Ask, "chmod 600 "),
            (0o640, command(), "the key file"),
            (
                0o600,
                SecretSource::Env("SUBTEND_NONE".into()),
                "set it to the passphrase",
            ),
        ] {
            let error = with(encrypted, mode, secret).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        let gone = CredentialsRef {
            by: LoginBy::Key(path.into()),
            ..credentials(SecretSource::Ask)
        };
        let error = resolve(&gone, &[]).unwrap_err().to_string();
        assert!(error.contains("can't be read"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gives_its_first_line_and_its_output_is_never_told() {
        assert_eq!(
            password(command(&["printf", "hunter2\\nlogin: craft\\n"])),
            Ok("hunter2".into())
        );
        // No shell: what would be one's syntax is an argument.
        assert_eq!(
            password(command(&["echo", "$HOME;x"])),
            Ok("$HOME;x".into())
        );
        for (words, why) in [
            (&["sh", "-c", "echo hunter2; exit 3"][..], "exit status: 3"),
            (&["true"], "is empty"),
            (&["head", "-c", "70000", "/dev/zero"], "too long"),
            (&["printf", "hun\\000ter2"], "CR, LF or NUL"),
            (&["/nonexistent/program"], "can't be started"),
        ] {
            let error = password(command(words)).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_hangs_is_given_up_even_if_its_children_hold_the_pipe() {
        let words = ["sh", "-c", "echo hunter2; sleep 20 & wait"].map(String::from);
        let began = std::time::Instant::now();
        let error = from_command(&words, &[], Duration::from_millis(200)).unwrap_err();
        assert!(matches!(error, SecretCause::TimedOut { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[cfg(unix)]
    #[test]
    fn a_command_is_not_given_the_passwords_of_others() {
        let shell = credentials(command(&[
            "sh",
            "-c",
            "echo \"${HOME-none} ${PATH:+some}\"",
        ]));
        let other = credentials(SecretSource::Env("HOME".into()));
        // Both are set wherever tests run.
        for (all, home) in [
            (&[][..], std::env::var("HOME").unwrap()),
            (&[other][..], "none".into()),
        ] {
            let Ok(Resolved::Login(login)) = resolve(&shell, all) else {
                panic!("no password");
            };
            assert_eq!(login.password.expose_secret(), format!("{home} some"));
        }
    }

    #[test]
    fn commands_work_inside_a_runtime_too() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let found = runtime.block_on(async { password(command(&["echo", "hunter2"])) });
        assert_eq!(found, Ok("hunter2".into()));
    }

    #[test]
    fn an_operator_is_asked_elsewhere_and_an_empty_password_is_one() {
        assert_eq!(password(SecretSource::Ask), Err("ask".into()));
        assert_eq!(password(SecretSource::Empty), Ok(String::new()));
        let typed = SecretString::from("two\nlines");
        assert!(login(&credentials(SecretSource::Ask), typed).is_err());
    }
}
