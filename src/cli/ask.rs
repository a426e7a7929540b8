//! Asks the operator for the secrets that the inventory says to ask for (`{ ask: true }`).
//!
//! The question goes to the controlling terminal, never to standard output, and the answer is never
//! echoed. Without a terminal nothing is started: the error names all that would have been asked.

use std::io;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::model::text::shown;
use crate::model::{CredentialsRef, Login, LoginBy, Logins, SecretSource};

#[derive(Debug, Error)]
pub enum AskError {
    #[error(
        "there is no terminal to ask for the secret of {}; \
         give it with `{{ env: NAME }}` or `{{ file: PATH }}` instead of `{{ ask: true }}`",
        .credentials.join(", ")
    )]
    NoTerminal { credentials: Vec<String> },
    #[error("the question for the secret of {credentials} was not answered")]
    Interrupted { credentials: String },
    #[error("the secret of {credentials} could not be read: {reason}")]
    Failed {
        credentials: String,
        reason: io::Error,
    },
}

/// Reads one line without echo after a prompt.
pub trait Prompt {
    /// # Errors
    /// `Interrupted` when the operator gave up; anything else when there is no terminal.
    fn password(&mut self, prompt: &str) -> io::Result<SecretString>;
    fn is_there(&self) -> bool;
}

/// The controlling terminal.
#[derive(Debug)]
pub struct Tty;

impl Prompt for Tty {
    fn password(&mut self, prompt: &str) -> io::Result<SecretString> {
        // From before the question is seen: what is typed at once is not shown either.
        #[cfg(unix)]
        let _hidden = Hidden::begin();
        // Copied at its length: cutting off the room that it grew into would leave it behind.
        let typed = Zeroizing::new(rpassword::prompt_password(prompt)?);
        Ok(SecretString::from(typed.as_str()))
    }

    fn is_there(&self) -> bool {
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .is_ok()
    }
}

/// The terminal shows nothing of what is typed until this is dropped.
#[cfg(unix)]
struct Hidden {
    tty: std::fs::File,
    before: nix::sys::termios::Termios,
}

#[cfg(unix)]
impl Hidden {
    /// `None` without a terminal, which the question will say.
    fn begin() -> Option<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let mut open = std::fs::OpenOptions::new();
        let tty = open.read(true).write(true).open("/dev/tty").ok()?;
        let before = tcgetattr(&tty).ok()?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&tty, SetArg::TCSANOW, &hidden).ok()?;
        Some(Self { tty, before })
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(&self.tty, SetArg::TCSANOW, &self.before);
    }
}

/// Reads a line that is seen while it is typed, on the controlling terminal.
///
/// # Errors
/// There is no terminal, or it is gone.
pub(super) fn line(prompt: &str) -> io::Result<String> {
    use io::{BufRead as _, Read as _, Write as _};
    /// More than any name has.
    const LONGEST: u64 = 4096;
    let mut open = std::fs::OpenOptions::new();
    let mut tty = open.read(true).write(true).open("/dev/tty")?;
    tty.write_all(prompt.as_bytes())?;
    let mut typed = String::new();
    io::BufReader::new(tty.take(LONGEST)).read_line(&mut typed)?;
    Ok(typed)
}

/// Asks for each of the credentials that are to be asked for, and adds the logins.
///
/// # Errors
/// When there is no terminal, or the operator gives up.
pub fn ask(
    credentials: &[CredentialsRef],
    logins: &mut Logins,
    prompt: &mut impl Prompt,
) -> Result<(), AskError> {
    let asked: Vec<&CredentialsRef> = credentials
        .iter()
        .filter(|one| one.secret == SecretSource::Ask && !logins.contains(&one.name))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    if !prompt.is_there() {
        let credentials = asked
            .iter()
            .map(|one| format!("`{}`", shown(&one.name)))
            .collect();
        return Err(AskError::NoTerminal { credentials });
    }
    for one in asked {
        let name = shown(&one.name);
        let secret = prompt
            .password(&question(one))
            .map_err(|reason| match reason.kind() {
                io::ErrorKind::Interrupted => AskError::Interrupted { credentials: name },
                _ => AskError::Failed {
                    credentials: name,
                    reason,
                },
            })?;
        logins.insert(one.name.clone(), Login::of(one, secret));
    }
    Ok(())
}

fn question(one: &CredentialsRef) -> String {
    let (name, user) = (shown(&one.name), shown(&one.user));
    match &one.by {
        LoginBy::Key(path) => {
            let path = shown(&path.display().to_string());
            format!("Passphrase of the key {path} (credentials {name}): ")
        }
        LoginBy::Token => format!("Token (credentials {name}): "),
        LoginBy::Password | LoginBy::Agent => format!("Password of {user} (credentials {name}): "),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    struct Fake {
        terminal: bool,
        prompts: Vec<String>,
        answer: io::Result<&'static str>,
    }

    impl Fake {
        fn new(terminal: bool) -> Self {
            Self {
                terminal,
                prompts: Vec::new(),
                answer: Ok("open sesame"),
            }
        }
    }

    impl Prompt for Fake {
        fn password(&mut self, prompt: &str) -> io::Result<SecretString> {
            self.prompts.push(prompt.into());
            match &self.answer {
                Ok(answer) => Ok(SecretString::from(*answer)),
                Err(error) => Err(error.kind().into()),
            }
        }

        fn is_there(&self) -> bool {
            self.terminal
        }
    }

    fn credentials() -> Vec<CredentialsRef> {
        [
            ("craft", SecretSource::Ask),
            ("hq", SecretSource::Empty),
            ("noc", SecretSource::Ask),
        ]
        .map(|(name, secret)| CredentialsRef {
            name: name.into(),
            user: "op".into(),
            by: LoginBy::Password,
            secret,
        })
        .into()
    }

    #[test]
    fn each_password_is_asked_once_and_only_where_the_inventory_says_so() {
        let (mut prompt, mut logins) = (Fake::new(true), Logins::default());
        ask(&credentials(), &mut logins, &mut prompt).unwrap();
        ask(&credentials(), &mut logins, &mut prompt).unwrap();
        assert_eq!(
            prompt.prompts,
            [
                "Password of op (credentials craft): ",
                "Password of op (credentials noc): "
            ]
        );
        let login = logins.get(Some(&"noc".into())).unwrap();
        assert_eq!(login.password.expose_secret(), "open sesame");
        assert!(!logins.contains("hq"));
    }

    #[test]
    fn it_is_said_which_secret_is_wanted() {
        let mut asked = credentials();
        asked[0].by = LoginBy::Key(std::sync::Arc::new("/etc/subtend/id".into()));
        asked[2].by = LoginBy::Token;
        let (mut prompt, mut logins) = (Fake::new(true), Logins::default());
        ask(&asked, &mut logins, &mut prompt).unwrap();
        assert_eq!(
            prompt.prompts,
            [
                "Passphrase of the key /etc/subtend/id (credentials craft): ",
                "Token (credentials noc): "
            ]
        );
        let key = logins.get(Some(&"craft".into())).unwrap().key.clone();
        assert_eq!(key.unwrap().passphrase.expose_secret(), "open sesame");
        let token = logins.get(Some(&"noc".into())).unwrap().token.clone();
        assert_eq!(token.unwrap().expose_secret(), "open sesame");
    }

    #[test]
    fn without_a_terminal_the_error_names_all_credentials() {
        let (mut prompt, mut logins) = (Fake::new(false), Logins::default());
        let error = ask(&credentials(), &mut logins, &mut prompt)
            .unwrap_err()
            .to_string();
        assert!(error.contains("`craft`, `noc`"), "{error}");
        assert!(prompt.prompts.is_empty());
        // Nothing to ask: no terminal is needed.
        ask(&credentials()[1..2], &mut logins, &mut prompt).unwrap();
    }

    #[test]
    fn giving_up_is_told_apart_from_failing() {
        let (mut prompt, mut logins) = (Fake::new(true), Logins::default());
        prompt.answer = Err(io::ErrorKind::Interrupted.into());
        let error = ask(&credentials(), &mut logins, &mut prompt).unwrap_err();
        assert!(matches!(error, AskError::Interrupted { .. }));
    }
}
