//! What a device asks before it shows its prompt.

use regex::Regex;
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout};

use crate::model::text::shown;
use crate::model::{Fault, Login as Who, Side};

use super::expect::{ends_with, is_password};
use super::screen::Screen;
use super::{SETTLE, Session};

/// Requests for a key before the first question.
const MOST_KEYS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Wait,
    User,
    Password,
    /// The key that ends a line.
    Return,
    /// The prompt is there.
    In,
    /// It asks again for what it got.
    Refused,
}

/// How far a login is.
#[derive(Debug, Default)]
pub(super) struct Login {
    typed_at: Option<u64>,
    keys: usize,
    has_user: bool,
    pub(super) has_password: bool,
}

impl Login {
    /// What is to be done now; each question is answered once. `asks`: the device asks who comes.
    pub(super) fn next(&mut self, screen: &Screen, prompt: &Regex, asks: bool) -> Next {
        let Some(line) = screen.line() else {
            return Next::Wait;
        };
        if line.trim().is_empty() || self.typed_at == Some(screen.changes()) {
            return Next::Wait;
        }
        let small = line.trim().to_lowercase();
        let next = match () {
            () if asks && is_password(&line) => match self.has_password {
                true => return Next::Refused,
                false => Next::Password,
            },
            () if asks && is_user(&small) => match self.has_user {
                true => return Next::Refused,
                false => Next::User,
            },
            () if ends_with(prompt, &line) => return Next::In,
            () if is_return(&small) && self.keys < MOST_KEYS => Next::Return,
            () => return Next::Wait,
        };
        self.typed_at = Some(screen.changes());
        match next {
            Next::Password => self.has_password = true,
            Next::User => self.has_user = true,
            _ => self.keys += 1,
        }
        next
    }
}

fn is_user(line: &str) -> bool {
    let ends = ["login:", "username:", "user name:", "user:"];
    ends.iter().any(|end| line.ends_with(end)) && !line.starts_with("last login")
}

fn is_return(line: &str) -> bool {
    let begins = [
        "press return",
        "press enter",
        "press any key",
        "please press enter",
        "--more--",
    ];
    begins.iter().any(|begin| line.starts_with(begin))
}

impl Session {
    pub(super) async fn log_in(&mut self, login: &Who, asks: bool) -> Result<(), Fault> {
        let mut screen = Screen::default();
        let mut state = Login::default();
        let mut until = Instant::now() + self.reply;
        loop {
            let typed = match state.next(&screen, &self.prompt, asks) {
                Next::In => match timeout(SETTLE, self.terminal.read()).await {
                    Ok(Ok(more)) if !more.is_empty() => {
                        screen.feed(&more);
                        if Instant::now() < until {
                            continue;
                        }
                        return Err(self.unanswered("the login", self.reply, &screen));
                    }
                    Ok(ended) => {
                        ended.map_err(|failure| failure.fault)?;
                        return Err(self.login_closed(login, &state, &screen));
                    }
                    Err(_) => return Ok(()),
                },
                Next::Refused => return Err(self.refused(login, &screen)),
                Next::User => Some(login.user.clone()),
                Next::Password => Some(login.password.expose_secret().to_owned()),
                Next::Return => Some(String::new()),
                Next::Wait => None,
            };
            if let Some(typed) = typed {
                self.type_in(format!("{typed}\r").as_bytes()).await?;
                until = Instant::now() + self.reply;
                continue;
            }
            match self.read(until).await {
                Ok(None) => return Err(self.unanswered("the login", self.reply, &screen)),
                Ok(Some(data)) if data.is_empty() => {
                    return Err(self.login_closed(login, &state, &screen));
                }
                Ok(Some(data)) => screen.feed(&data),
                Err(Fault::Lost { .. }) if state.has_password => {
                    return Err(self.login_closed(login, &state, &screen));
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    fn refused(&self, login: &Who, screen: &Screen) -> Fault {
        Fault::LoginRefused {
            user: shown(&login.user),
            with: "its password".into(),
            offers: String::new(),
            why: self.last(screen),
        }
    }

    /// Why a device ends a session that it did not begin: its own words decide.
    fn login_closed(&self, login: &Who, state: &Login, screen: &Screen) -> Fault {
        let said = self.last(screen);
        let small = said.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| small.contains(word));
        match () {
            () if state.has_password
                && says(&["incorrect", "invalid", "denied", "fail", "refused", "bad "]) =>
            {
                self.refused(login, screen)
            }
            () if says(&[
                "too many", "limit", "maximum", "busy", "in use", "no free", "no more",
            ]) =>
            {
                Fault::Answer {
                    said: format!("{said} to a session; it has room for no more"),
                    may_pass: true,
                }
            }
            // Tried again and again, a wrong password locks the user out.
            () if state.has_password => self.refused(login, screen),
            () => {
                let reason = format!("the device ended it before its prompt: {said}");
                Fault::Lost {
                    side: Side::Session,
                    reason: reason.trim_end_matches([':', ' ']).to_owned(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_is_answered_once_and_a_second_one_is_a_refusal() {
        let prompt = Regex::new("[#>] $").unwrap();
        let mut screen = Screen::default();
        let mut login = Login::default();
        let mut fed = |bytes: &[u8]| {
            screen.feed(bytes);
            login.next(&screen, &prompt, true)
        };
        assert_eq!(fed(b"Welcome\r\nR1 log"), Next::Wait);
        assert_eq!(fed(b"in: "), Next::User);
        assert_eq!(fed(b""), Next::Wait);
        assert_eq!(fed(b"craft\r\nPassword:"), Next::Password);
        assert_eq!(fed(b" "), Next::Wait);
        assert_eq!(fed(b"\r\nLast login: "), Next::Wait);
        assert_eq!(fed(b"today\r\nR1> "), Next::In);
        assert_eq!(fed(b"\r\nlogin: "), Next::Refused);
    }
}
