//! Looking into a directory: `MLSD` (RFC 3659 section 7) where the server knows it, else `LIST`
//! (RFC 959), whose lines are made for people and read leniently, else the bare names of `NLST`.
//!
//! The session goes into the directory first and asks without an argument: `LIST` takes one for
//! options on some servers, and `NLST` would repeat it before each name.

use std::time::Duration;

use tokio::time::timeout;

use crate::model::{Failure, Fault, Step};
use crate::transport::{Directory, Listed};

use super::download::Download;
use super::quirks::ServerQuirks;
use super::session::Session;

/// A directory with more is no place to choose a file from.
const MOST_ENTRIES: usize = 10_000;
const MOST_BYTES: usize = 4 << 20;
/// Bytes. A line that is longer holds no name that a file system could have.
const LONGEST_LINE: usize = 4096;
/// Deadline for the whole listing, however steadily it trickles.
const WHOLE: Duration = Duration::from_secs(60);

/// How the lines of a listing are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Facts,
    ForPeople,
    Names,
}

pub(super) async fn list(
    quirks: &ServerQuirks,
    directory: &Directory,
) -> Result<Vec<Listed>, Failure> {
    let path = directory.path.as_str();
    let mut session = Session::open_at(quirks, &directory.endpoint, path).await?;
    let result = timeout(WHOLE, read_all(&mut session, path)).await;
    let result = result.unwrap_or_else(|_| {
        let command = "LIST".into();
        Err(failed(Fault::NoReply {
            command,
            after: WHOLE,
        }))
    });
    session.close().await;
    result
}

fn failed(fault: Fault) -> Failure {
    Failure::new(Step::Read, fault)
}

async fn read_all(session: &mut Session, path: &str) -> Result<Vec<Listed>, Failure> {
    if !path.is_empty() {
        session
            .expect(Step::Open, &format!("CWD {path}"), |reply| reply.is_done())
            .await?;
    }
    let mut refused = None;
    for (command, form) in [
        ("MLSD", Form::Facts),
        ("LIST", Form::ForPeople),
        ("NLST", Form::Names),
    ] {
        let text = match read(session, command).await {
            Ok(text) => text,
            Err(failure) if session.in_step() && is_refusal(&failure) => {
                // A server that has nothing to list says so with an error, on `NLST` above all.
                if is_empty(&failure) && form != Form::Facts {
                    return Ok(Vec::new());
                }
                refused.get_or_insert(failure);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let lines = || text.split(|byte| *byte == b'\n');
        let mut entries: Vec<Listed> = lines().filter_map(|line| entry(line, form)).collect();
        // Lines in no form that we know: the bare names may still be had.
        let is_unread =
            form == Form::ForPeople && entries.is_empty() && lines().any(says_something);
        if is_unread {
            continue;
        }
        if entries.len() > MOST_ENTRIES {
            return Err(too_large(format!("{MOST_ENTRIES} entries")));
        }
        entries.sort_by(|a, b| (!a.is_directory, &a.name).cmp(&(!b.is_directory, &b.name)));
        entries.dedup_by(|a, b| a.name == b.name);
        return Ok(entries);
    }
    Err(refused.unwrap_or_else(|| {
        failed(Fault::Malformed {
            reply: "its directory listing has no form that is known".into(),
        })
    }))
}

/// A line that is more than the sum that `LIST` begins with.
fn says_something(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    !line.is_empty() && !line.starts_with(b"total")
}

async fn read(session: &mut Session, command: &str) -> Result<Vec<u8>, Failure> {
    let (download, _) = Download::open(session, command, 0, Step::Open).await?;
    let mut download = download.reading();
    let (mut text, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let count = download.read(session, &mut buffer).await?;
        if count == 0 {
            // Nothing but the reply can tell that this was all.
            return match download.unconfirmed() {
                Some(failure) => Err(failure.clone()),
                None => Ok(text),
            };
        }
        text.extend_from_slice(&buffer[..count]);
        if text.len() > MOST_BYTES {
            return Err(too_large(format!("{} MiB of names", MOST_BYTES >> 20)));
        }
    }
}

fn too_large(limit: String) -> Failure {
    failed(Fault::Local(format!(
        "the directory holds more than {limit}, which is too much to look at; name the file instead"
    )))
}

/// The server refused this command in this directory, and may take the next one.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.fault, Fault::Reply { code, .. } if code != 421 && code != 425 && code != 530)
}

fn is_empty(failure: &Failure) -> bool {
    let Fault::Reply {
        code: 450 | 550,
        text,
    } = &failure.fault
    else {
        return false;
    };
    let text = text.to_ascii_lowercase();
    // Not every refusal: a directory that may not be read is not an empty one.
    ["no files", "no such file", "not found", "empty"]
        .iter()
        .any(|words| text.contains(words))
}

/// What one line says; none for lines without a name which could be part of a path.
pub(super) fn entry(line: &[u8], form: Form) -> Option<Listed> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    // A name that is not UTF-8 can't be sent back.
    let line = std::str::from_utf8(line).ok()?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let found = match form {
        Form::Facts => facts(line)?,
        Form::ForPeople => unix(line).or_else(|| dos(line))?,
        Form::Names => Listed {
            // Some servers repeat the directory before each name.
            name: line.rsplit('/').next().unwrap_or(line).into(),
            is_directory: false,
            size: None,
        },
    };
    let name = found.name.as_str();
    let is_usable =
        !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\r', '\n', '\0']);
    is_usable.then_some(found)
}

/// `type=file;size=1024; name` (RFC 3659 section 7.2). Facts come in any case of letters.
pub(super) fn facts(line: &str) -> Option<Listed> {
    let (facts, name) = match line.strip_prefix(' ') {
        Some(name) => ("", name),
        None => line.split_once("; ")?,
    };
    let (mut is_directory, mut size) = (false, None);
    for fact in facts.split(';').filter(|fact| !fact.is_empty()) {
        let (what, value) = fact.split_once('=')?;
        if what.eq_ignore_ascii_case("type") {
            match value.to_ascii_lowercase().as_str() {
                "dir" => is_directory = true,
                // The directory itself and the one above.
                "cdir" | "pdir" => return None,
                _ => {}
            }
        } else if what.eq_ignore_ascii_case("size") {
            size = value.parse().ok();
        }
    }
    Some(Listed {
        name: name.to_owned(),
        is_directory,
        size: size.filter(|_| !is_directory),
    })
}

/// `-rw-r--r-- 1 craft staff 1024 Nov 22 18:01 name`. Owner, group and the number of links are
/// left out by some devices, so the date is what is looked for: its month stands after the size.
fn unix(line: &str) -> Option<Listed> {
    let kind = line.chars().next()?;
    if !"-dlbcps".contains(kind) {
        return None;
    }
    let words = words(line);
    let date = (2..words.len().saturating_sub(3)).find(|&at| is_date(&words[at..at + 3]))?;
    let size = words[date - 1].1.parse().ok();
    let (begin, last) = words[date + 2];
    // One blank, and what follows is the name, blanks and all.
    let name = line[begin + last.len()..].strip_prefix(' ')?;
    let name = match kind {
        // What the link points at may be anything.
        'l' => name.split_once(" -> ").map_or(name, |(name, _)| name),
        _ => name,
    };
    Some(Listed {
        name: name.to_owned(),
        is_directory: kind == 'd',
        size: size.filter(|_| kind == '-'),
    })
}

/// `Nov 22 18:01`, `Nov 22 2026`, and `22 Nov 2026` as some write it.
fn is_date(words: &[(usize, &str)]) -> bool {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let [one, two, three] = [words[0].1, words[1].1, words[2].1];
    let month = |word: &str| MONTHS.contains(&word.to_ascii_lowercase().as_str());
    let day = |word: &str| (word.parse()).is_ok_and(|day: u8| (1..=31).contains(&day));
    let digits = |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == ':');
    let time = |word: &str| digits(word) && (word.contains(':') || word.len() == 4);
    (month(one) && day(two) || day(one) && month(two)) && time(three)
}

/// `11-22-26  06:01PM       <DIR>          name`, with a size in place of `<DIR>` for a file.
fn dos(line: &str) -> Option<Listed> {
    let words = words(line);
    let [(_, date), (_, time), (begin, what), ..] = words.as_slice() else {
        return None;
    };
    let is_date = date.len() >= 8
        && date
            .chars()
            .all(|c| c.is_ascii_digit() || "-/.".contains(c));
    if !is_date || !time.contains(':') {
        return None;
    }
    let is_directory = what.eq_ignore_ascii_case("<DIR>");
    let size: Option<u64> = what.replace(',', "").parse().ok();
    if !is_directory && size.is_none() {
        return None;
    }
    Some(Listed {
        name: line[begin + what.len()..].trim_start().to_owned(),
        is_directory,
        size,
    })
}

/// The words of a line and where each begins.
fn words(line: &str) -> Vec<(usize, &str)> {
    let place = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
    let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    words.map(|word| (place(word), word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str, form: Form) -> Option<(String, bool, Option<u64>)> {
        entry(line.as_bytes(), form).map(|one| (one.name, one.is_directory, one.size))
    }

    fn file(name: &str, size: u64) -> Option<(String, bool, Option<u64>)> {
        Some((name.into(), false, Some(size)))
    }

    fn directory(name: &str) -> Option<(String, bool, Option<u64>)> {
        Some((name.into(), true, None))
    }

    #[test]
    fn facts_are_read_as_rfc_3659_has_them() {
        let told = |line| told(line, Form::Facts);
        assert_eq!(
            told("type=file;size=12;modify=2026; a; b.bin\r"),
            file("a; b.bin", 12)
        );
        assert_eq!(told("Type=Dir;Size=4096; releases"), directory("releases"));
        assert_eq!(told(" bare name"), Some(("bare name".into(), false, None)));
        for line in [
            "type=cdir; .",
            "type=pdir; ..",
            "type=cdir; images",
            "type=file; a/b",
            "type=dir; ..",
            "type=file; ",
            "no facts",
            "",
        ] {
            assert_eq!(told(line), None, "{line:?}");
        }
    }

    #[test]
    fn lines_for_people_are_read_as_servers_write_them() {
        let told = |line| told(line, Form::ForPeople);
        for line in [
            "-rw-r--r--   1 craft    staff        1024 Nov 22 18:01 adsl 2.bin",
            "-rw-r--r-- 1 craft 1024 Nov 22 2026 adsl 2.bin\r",
            "-rw-rw-rw- 1024 nov  2 1998 adsl 2.bin",
            "-r--r--r--+ 1 0 0 1024 22 Nov 2026 adsl 2.bin",
            "11-22-26  06:01PM                 1024 adsl 2.bin",
            "2026-11-22  18:01                1,024 adsl 2.bin",
        ] {
            assert_eq!(told(line), file("adsl 2.bin", 1024), "{line}");
        }
        for line in [
            "drwxr-xr-x   2 ftp      ftp          4096 Jan  1 00:00 old",
            "11-22-26  06:01PM       <DIR>          old",
        ] {
            assert_eq!(told(line), directory("old"), "{line}");
        }
        assert_eq!(
            told("lrwxrwxrwx 1 root root 9 Nov 22 18:01 newest -> adsl-2.bin"),
            Some(("newest".into(), false, None))
        );
        // A name that is a date, and one that begins with a blank.
        assert_eq!(
            told("-rw 1 a b 7 Nov 22 18:01 Nov 22 18:02"),
            file("Nov 22 18:02", 7)
        );
        assert_eq!(told("-rw 1 a b 7 Nov 22 18:01  x"), file(" x", 7));
        for line in [
            "total 12",
            "drwxr-xr-x 2 a b 4096 Nov 22 18:01 .",
            "drwxr-xr-x 2 a b 4096 Nov 22 18:01 ..",
            "-rw-r--r-- 1 a b 4096 Nov 22 18:01 ../../etc/passwd",
            "-rw-r--r-- 1 a b 4096",
            "11-22-26  06:01PM  nothing",
            "hello",
            "",
        ] {
            assert_eq!(told(line), None, "{line:?}");
        }
    }

    #[test]
    fn bare_names_are_taken_without_the_directory_before_them() {
        let told = |line| told(line, Form::Names).map(|one| one.0);
        assert_eq!(told("adsl 2.bin\r").as_deref(), Some("adsl 2.bin"));
        assert_eq!(told("images/adsl.bin").as_deref(), Some("adsl.bin"));
        assert_eq!(told(".."), None);
        assert_eq!(told("a\0b"), None);
        assert_eq!(entry(b"caf\xe9", Form::Names), None);
        assert_eq!(told(&"a".repeat(LONGEST_LINE + 1)), None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_parsers_fall_over(line in "\\PC*") {
            for form in [Form::Facts, Form::ForPeople, Form::Names] {
                if let Some(found) = entry(line.as_bytes(), form) {
                    proptest::prop_assert!(!found.name.contains('/') && !found.name.is_empty());
                }
            }
        }
    }
}
