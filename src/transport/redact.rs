//! Some servers repeat what they refuse, the password included, at once or in a later reply: as it
//! is, in other letters, backwards, encoded, or cut by the lines of a reply.

use std::fmt;
use std::ops::Range;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::model::{Account, Login};

/// In place of a password.
const HIDDEN: &str = "********";
/// A shorter password is hidden where it stands alone: to star it out of other words would spell it.
const SHORT: usize = 4;
/// The digits of an encoding that is shorter stand in other words too often.
const SHORT_CODE: usize = 4;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Takes the password, the account and the token of a session out of what its server says.
#[derive(Clone, Default)]
pub(crate) struct Redact {
    password: SecretString,
    account: SecretString,
    token: SecretString,
}

impl Redact {
    pub(crate) fn of(login: &Login, account: Option<&Account>) -> Self {
        let account = account.map(|account| SecretString::from(account.expose()));
        Self {
            password: login.password.clone(),
            account: account.unwrap_or_default(),
            token: login.token.clone().unwrap_or_default(),
        }
    }

    /// For texts as they came, before they are escaped or cut.
    pub(crate) fn hide(&self, said: &str) -> String {
        let said = Self::without(said, self.password.expose_secret());
        let said = Self::without(&said, self.account.expose_secret());
        Self::without(&said, self.token.expose_secret())
    }

    fn without(said: &str, secret: &str) -> String {
        if secret.is_empty() {
            return said.to_owned();
        }
        let forms = Form::all(secret);
        // As it stands, and without what lines put between its characters.
        let mut hidden = Vec::new();
        for letters in [whole(said), joined(said)] {
            for form in &forms {
                form.find(&letters, &mut hidden);
            }
        }
        hidden.sort_unstable_by_key(|range| (range.start, range.end));
        let mut out = String::with_capacity(said.len());
        let mut done = 0;
        for range in hidden {
            if range.end <= done {
                continue;
            }
            // What overlaps is one.
            if range.start >= done {
                out.push_str(&said[done..range.start]);
                out.push_str(HIDDEN);
            }
            done = range.end;
        }
        out.push_str(&said[done..]);
        out
    }
}

/// A character of a text, and where it stands.
type Letter = (char, Range<usize>);

fn whole(said: &str) -> Vec<Letter> {
    (said.char_indices())
        .map(|(at, c)| (c, at..at + c.len_utf8()))
        .collect()
}

/// Without control characters, and without the codes and blanks that lines of a reply begin with
/// (RFC 959 section 4.2).
fn joined(said: &str) -> Vec<Letter> {
    let mut letters = Vec::new();
    let mut at_start = true;
    let mut rest = whole(said).into_iter().peekable();
    while let Some((c, range)) = rest.next() {
        if at_start && c.is_ascii_digit() && is_code(&said[range.start..]) {
            // The other digits, and what separates the code from the text.
            rest.nth(2);
            continue;
        }
        match c {
            '\r' | '\n' => at_start = true,
            c if c.is_control() || (at_start && c == ' ') => {}
            c => {
                at_start = false;
                letters.push((c, range));
            }
        }
    }
    letters
}

fn is_code(text: &str) -> bool {
    let mut bytes = text.bytes();
    let digits = bytes.by_ref().take(3);
    digits.filter(u8::is_ascii_digit).count() == 3 && matches!(bytes.next(), Some(b'-' | b' '))
}

/// One way in which a password may be repeated.
struct Form {
    letters: Zeroizing<Vec<char>>,
    /// Codes tell capitals from small letters; people and servers mix those of a password up.
    exact: bool,
    /// Only where it is no part of a longer word.
    alone: bool,
}

impl Form {
    fn all(secret: &str) -> Vec<Self> {
        let letters = |letters: Vec<char>| Zeroizing::new(letters);
        let plain: Vec<char> = secret.chars().collect();
        let printed: Vec<char> = secret.chars().filter(|c| !c.is_control()).collect();
        let alone = plain.len() < SHORT;
        let mut forms = Vec::new();
        for form in [plain, printed] {
            let mut backwards = form.clone();
            backwards.reverse();
            for form in [form, backwards] {
                forms.push(Self {
                    letters: letters(form),
                    exact: false,
                    alone,
                });
            }
        }
        let mut codes = vec![(hex::encode(secret).chars().collect(), false)];
        for before in 0..3 {
            let code = base64(secret.as_bytes(), before);
            let url = (code.iter()).map(|c| match c {
                '+' => '-',
                '/' => '_',
                c => *c,
            });
            codes.push((url.collect(), true));
            codes.push((code, true));
        }
        for (code, exact) in codes {
            if code.len() >= SHORT_CODE && !alone {
                forms.push(Self {
                    letters: letters(code),
                    exact,
                    alone: false,
                });
            }
        }
        forms.retain(|form| !form.letters.is_empty());
        forms
    }

    fn find(&self, said: &[Letter], found: &mut Vec<Range<usize>>) {
        let length = self.letters.len();
        let mut at = 0;
        while at + length <= said.len() {
            let here = &said[at..at + length];
            let same = (here.iter().zip(self.letters.iter()))
                .all(|((said, _), own)| said == own || (!self.exact && alike(*said, *own)));
            let joins = |other: Option<&Letter>| other.is_some_and(|(c, _)| c.is_alphanumeric());
            let before = at.checked_sub(1).and_then(|before| said.get(before));
            if same && !(self.alone && (joins(before) || joins(said.get(at + length)))) {
                let (mut first, mut last) = (at, at + length - 1);
                if self.exact {
                    // The digits beside it have a part of it, or of what it was encoded with.
                    let is_code =
                        |(c, _): &&Letter| c.is_ascii_alphanumeric() || "+/-_=".contains(*c);
                    first -= said[..first].iter().rev().take_while(is_code).count();
                    last += said[last + 1..].iter().take_while(is_code).count();
                }
                if let (Some((_, first)), Some((_, last))) = (said.get(first), said.get(last)) {
                    found.push(first.start..last.end);
                }
                at += length;
            } else {
                at += 1;
            }
        }
    }
}

fn alike(one: char, other: char) -> bool {
    one.to_lowercase().eq(other.to_lowercase())
}

/// The digits of a text that say nothing of what stands around it, `before` bytes after the beginning
/// of a group of three (RFC 4648).
fn base64(text: &[u8], before: usize) -> Vec<char> {
    let bits = |digit: usize| {
        (0..6).fold(0_usize, |value, bit| {
            let at = digit * 6 + bit;
            let byte = (at / 8).checked_sub(before).and_then(|byte| text.get(byte));
            let bit = byte.map_or(0, |byte| (byte >> (7 - at % 8)) & 1);
            value << 1 | usize::from(bit)
        })
    };
    let (first, end) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
    (first..end)
        .map(|digit| char::from(BASE64[bits(digit)]))
        .collect()
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redact(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(password: &str, said: &str) -> String {
        let login = Login::with_password("craft", password);
        Redact::of(&login, None).hide(said)
    }

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        assert_eq!(
            hidden("sesame", "PASS sesame, /sesame/sesamesesame"),
            "PASS ********, /********/****************"
        );
        assert_eq!(hidden("größe\u{1b}", "no größe\u{1b}!"), "no ********!");
        assert_eq!(hidden("", "nothing to hide"), "nothing to hide");
    }

    #[test]
    fn other_forms_of_it_are_hidden_too() {
        for said in [
            "530 SESAME is wrong",
            "530 no emases here",
            "530 EmAsEs",
            // `sesame`, `:sesame`, `craft:sesame` and `x:sesame!`, encoded.
            "530 c2VzYW1l",
            "530 OnNlc2FtZQ==",
            "530 AUTH Y3JhZnQ6c2VzYW1l",
            "530 eDpzZXNhbWUh",
            "530 736573616d65 or 736573616D65",
            "530-bad password sesa\r\n530 me",
            "530-ses\r\n 530-am\r\n  e\r\n530 end",
            "530-s\r\ne\r\ns\r\na\r\nm\r\ne\r\n530 .",
            "530 ses\u{1b}ame",
        ] {
            let shown = hidden("sesame", said);
            assert!(shown.contains("****"), "{said:?}: {shown:?}");
            let words: String = shown.to_lowercase();
            let left: String = words.chars().filter(|c| c.is_alphanumeric()).collect();
            for part in [
                "sesa", "esam", "same", "emas", "c2vzyw", "nlc2f", "73657361",
            ] {
                assert!(!left.contains(part), "{said:?}: {shown:?}");
            }
        }
        for said in ["x cGErc3MvPz4= y", "x cGErc3MvPz4 y", "x cGErc3MvPz4 y"] {
            assert_eq!(hidden("pa+ss/?>", said), "x ******** y");
        }
        // `a?b>>c` in both alphabets.
        for said in ["YT9iPj5j", "_YT9iPj5j-"] {
            assert_eq!(hidden("a?b>>c", said), "********");
        }
        // Not what merely looks alike.
        assert_eq!(
            hidden("sesame", "530 see same, 226 done"),
            "530 see same, 226 done"
        );
        assert_eq!(
            hidden("230-foo", "530-no\r\n230-foot"),
            "530-no\r\n********t"
        );
        assert_eq!(hidden("230-foo", "530 foot"), "530 foot");
    }

    #[test]
    fn a_short_one_is_not_spelled_by_what_is_missing_from_words() {
        assert_eq!(hidden("a", "bad password: a"), "bad password: ********");
        assert_eq!(hidden("cat", "concatenate cat"), "concatenate ********");
    }
}
