//! What is said beside the bytes of a file: commands, and the lines of the protocol. There is no standard;
//! OpenSSH's `scp.c`, and the `rcp` that it descends from, are what everybody follows.

use crate::model::Fault;

/// What a file that is stored may be used for, as over SFTP.
const MODE: &str = "0644";
/// Lines are no longer than this.
pub(super) const LONGEST_LINE: usize = 8192;

/// The command that takes a file.
pub(super) fn takes(path: &str) -> String {
    format!("scp -t {}", quoted(path))
}

/// The command that gives a file.
pub(super) fn gives(path: &str) -> String {
    format!("scp -f {}", quoted(path))
}

/// A path as one word of a command. Most servers hand the command to a shell, and devices without one know
/// no quotes: so a path has them only where a shell would take it for something else.
fn quoted(path: &str) -> String {
    // It would be taken for an option.
    let path = match path.starts_with('-') {
        true => format!("./{path}"),
        false => path.to_owned(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+,@%=".contains(c);
    match path.chars().all(plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// The line before the bytes of a file.
pub(super) fn header(path: &str, size: u64) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!("C{MODE} {size} {name}\n")
}

/// The size in the line before the bytes of a file, without what ends it.
///
/// # Errors
/// The line is another one.
pub(super) fn size_in(line: &str) -> Result<u64, Fault> {
    let nonsense = || Fault::Malformed {
        reply: format!(
            "not the header of a file: {}",
            crate::model::text::shown(line)
        ),
    };
    let mut words = line.strip_prefix('C').ok_or_else(nonsense)?.splitn(3, ' ');
    let (mode, size, name) = (words.next(), words.next(), words.next());
    let is_mode = mode.is_some_and(|mode| {
        (3..=5).contains(&mode.len()) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit))
    });
    let size = size.filter(|size| size.bytes().all(|digit| digit.is_ascii_digit()));
    match size.and_then(|size| size.parse().ok()) {
        Some(size) if is_mode && name.is_some_and(|name| !name.is_empty()) => Ok(size),
        _ => Err(nonsense()),
    }
}

/// What a refusal of a file that is to be read means.
pub(super) fn fault_of_file(reply: String) -> Fault {
    match says(&reply) {
        Some(Says::NoFile) => Fault::NoFile { reply },
        Some(Says::NotAllowed) => Fault::NotReadable { reply },
        None => refused(reply),
    }
}

/// What a refusal of a file that is to be written means.
pub(super) fn fault_of_directory(path: &str, reply: String) -> Fault {
    let directory = path
        .rsplit_once('/')
        .map_or(".", |(directory, _)| directory);
    let directory = if directory.is_empty() { "/" } else { directory }.to_owned();
    match says(&reply) {
        Some(Says::NoFile) => Fault::NoDirectory { directory, reply },
        Some(Says::NotAllowed) => Fault::NotWritable { directory, reply },
        None => refused(reply),
    }
}

pub(super) fn refused(said: String) -> Fault {
    Fault::Answer {
        said,
        may_pass: false,
    }
}

enum Says {
    NoFile,
    NotAllowed,
}

/// There are no codes, so the words of the C library are all that there is.
fn says(reply: &str) -> Option<Says> {
    let reply = reply.to_ascii_lowercase();
    let has = |words: &str| reply.contains(words);
    if has("no such file") || has("not found") && !has("command not found") {
        Some(Says::NoFile)
    } else if has("permission denied") || has("read-only file system") || has("is a directory") {
        Some(Says::NotAllowed)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a shell makes of a word, asked of a real one.
    #[cfg(unix)]
    #[test]
    fn a_shell_takes_any_path_for_one_word_and_runs_nothing_of_it() {
        for path in [
            "/flash/image.bin",
            "a b",
            "it's",
            "$(touch /tmp/never)",
            "`id`",
            "a;b&c|d>e<f",
            "~root",
            "*",
            "a\"b\\c",
            "ä€",
            "",
        ] {
            let command = format!("printf %s {}", quoted(path));
            let ran = std::process::Command::new("sh")
                .args(["-c", &command])
                .output();
            let said = ran.unwrap();
            assert!(said.status.success() && said.stderr.is_empty(), "{path}");
            assert_eq!(String::from_utf8(said.stdout).unwrap(), path);
        }
    }

    #[test]
    fn plain_paths_stand_as_they_are_and_none_is_an_option() {
        assert_eq!(takes("flash:/image-2.4.bin"), "scp -t flash:/image-2.4.bin");
        assert_eq!(gives("-rf"), "scp -f ./-rf");
    }

    #[test]
    fn a_header_names_the_file_and_its_size() {
        assert_eq!(header("/flash/a.bin", 12), "C0644 12 a.bin\n");
        assert_eq!(size_in("C0644 12 a.bin").unwrap(), 12);
        assert_eq!(size_in("C0644 0 a b").unwrap(), 0);
        assert_eq!(size_in("C100755 1 a").ok(), None);
        for wrong in [
            "",
            "D0755 0 a",
            "C0644",
            "C0644 12",
            "C0644 12 ",
            "C0644 -1 a",
            "C0849 1 a",
        ]
        .into_iter()
        .chain([
            "C0644 99999999999999999999 a",
            "C0644 +1 a",
            "C 1 a",
            "Last login: today",
        ]) {
            assert!(size_in(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn refusals_are_told_from_one_another_by_their_words() {
        let no_file = fault_of_file("scp: /a: No such file or directory".into());
        assert!(matches!(no_file, Fault::NoFile { .. }));
        let shell = fault_of_file("sh: scp: command not found".into());
        assert!(matches!(shell, Fault::Answer { .. }));
        let there = fault_of_directory("/flash/a", "scp: /flash/a: Permission denied".into());
        assert!(matches!(there, Fault::NotWritable { directory, .. } if directory == "/flash"));
        let full = fault_of_directory("a", "scp: a: No space left on device".into());
        assert!(matches!(full, Fault::Answer { said, .. } if said.contains("No space")));
    }
}
