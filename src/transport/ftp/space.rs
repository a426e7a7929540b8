//! How much room a server says that it has. There is no standard that servers keep to: `AVBL`
//! (draft-peterson-streamlined-ftp-command-extensions, section 4) gives bytes, `SITE DF` what
//! `df` prints or a sentence. What is not certain is taken for unknown.

use std::time::Duration;

use crate::model::Step;

use super::session::Session;

/// Who takes longer does not know the command.
const DEADLINE: Duration = Duration::from_secs(5);

/// Bytes that are free in a directory, where the server reports it. The session may be out of step
/// afterwards, so this comes last. `features`: what `FEAT` said.
pub(super) async fn free(
    session: &mut Session,
    directory: &str,
    features: Option<&str>,
) -> Option<u64> {
    let offers_avbl = features.is_some_and(|features| {
        let mut verbs = features.lines().filter_map(|l| l.split_whitespace().next());
        verbs.any(|verb| verb.eq_ignore_ascii_case("AVBL"))
    });
    let command = match offers_avbl {
        true => format!("AVBL {directory}"),
        false => "SITE DF".to_owned(),
    };
    let deadline = session.timeouts.reply.min(DEADLINE);
    let asked = session.command_within(Step::Prepare, &command, deadline);
    let reply = asked.await.ok()?;
    reply.is_done().then(|| in_text(&reply.raw)).flatten()
}

/// The free bytes in a reply: its only amount, the amount beside a word like `free`, or the column
/// of that name in a table of `df`.
fn in_text(text: &str) -> Option<u64> {
    if let Some(free) = in_table(text) {
        return Some(free);
    }
    let amounts = amounts(text);
    match amounts.as_slice() {
        [] => None,
        [only] if !only.is_other => Some(only.bytes),
        [_] => None,
        several => {
            let mut named = several.iter().filter(|amount| amount.is_free);
            let first = named.next()?;
            named.next().is_none().then_some(first.bytes)
        }
    }
}

struct Amount {
    bytes: u64,
    /// `… 12 MB free`, `free: 12 MB`
    is_free: bool,
    /// `used 52 MB`
    is_other: bool,
}

/// Clause by clause, so that a word belongs to the amount that it stands beside.
fn amounts(text: &str) -> Vec<Amount> {
    let clauses = text.split([';', '\n', '(', ')']);
    let clauses = clauses.flat_map(|part| part.split(", "));
    clauses.flat_map(in_clause).collect()
}

fn in_clause(clause: &str) -> Vec<Amount> {
    let words: Vec<&str> = clause
        .split(|c: char| c.is_whitespace() || matches!(c, ':' | '=' | '/'))
        .map(|word| word.trim_end_matches([',', '.']))
        .filter(|word| !word.is_empty())
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    // Where the amount before this one ended.
    let mut taken = 0;
    while at < words.len() {
        let (number, joined) = split(words[at]);
        let Some(number) = number else {
            at += 1;
            continue;
        };
        let begin = at;
        at += 1;
        let factor = match joined {
            "" => match words.get(at).and_then(|word| unit(word)) {
                Some(factor) => {
                    at += 1;
                    factor
                }
                None => 1.0,
            },
            joined => match unit(joined) {
                Some(factor) => factor,
                // A name, a date, a percentage.
                None => continue,
            },
        };
        // `free space: 12 MB` and `used 52 MB` go before `12 MB free`.
        let before = words[taken..begin].iter().rev().take(2);
        let is_free = before.clone().find_map(|word| label(word)).or_else(|| {
            let is_free = words.get(at).and_then(|word| label(word))?;
            at += 1;
            Some(is_free)
        });
        taken = at;
        found.push(Amount {
            bytes: (number * factor) as u64,
            is_free: is_free == Some(true),
            is_other: is_free == Some(false),
        });
    }
    found
}

/// Whether a word that says what an amount is of means the free ones.
fn label(word: &str) -> Option<bool> {
    let word = word.to_ascii_lowercase();
    let is = |beginnings: &[&str]| beginnings.iter().any(|begin| word.starts_with(begin));
    if is(&["free", "avail", "remain", "left"]) {
        Some(true)
    } else {
        is(&["used", "total", "size", "capacity", "in-use", "quota"]).then_some(false)
    }
}

/// A number, with thousands in groups of three after commas perhaps, and what is joined to it.
fn split(word: &str) -> (Option<f64>, &str) {
    let end = word
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
        .unwrap_or(word.len());
    let (number, joined) = word.split_at(end);
    let mut groups = number.split(',');
    let first_is_short = groups.next().is_some_and(|first| first.len() <= 3);
    let grouped = number.contains(',') && first_is_short && groups.all(|group| group.len() == 3);
    let number = match grouped {
        true => number.replace(',', ""),
        false => number.replace(',', "."),
    };
    (number.parse().ok(), joined)
}

/// How many bytes a unit has. Servers mean 1024 with `KB`.
fn unit(word: &str) -> Option<f64> {
    const KIB: f64 = 1024.0;
    Some(match word.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => 1.0,
        "k" | "kb" | "kib" | "kbyte" | "kbytes" | "kilobytes" => KIB,
        "m" | "mb" | "mib" | "mbyte" | "mbytes" | "megabytes" => KIB * KIB,
        "g" | "gb" | "gib" | "gbyte" | "gbytes" | "gigabytes" => KIB * KIB * KIB,
        "t" | "tb" | "tib" | "terabytes" => KIB * KIB * KIB * KIB,
        _ => return None,
    })
}

/// The table of `df`: one line with the names of columns, one file system below it.
fn in_table(text: &str) -> Option<u64> {
    let mut lines = text.lines().skip_while(|line| !line.contains("Avail"));
    let head: Vec<&str> = lines.next()?.split_whitespace().collect();
    let row: Vec<&str> = lines.next()?.split_whitespace().collect();
    let from_start = |name: &str| head.iter().position(|word| word.starts_with(name));
    let (number, joined) = split(row.get(from_start("Avail")?)?);
    let factor = match (joined, from_start("1K-blocks").is_some()) {
        ("", true) => 1024.0,
        ("", false) => return None,
        (joined, _) => unit(joined)?,
    };
    Some((number? * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_found_in_what_servers_say() {
        const MIB: u64 = 1 << 20;
        for (text, free) in [
            ("16777216", Some(16 * MIB)),
            ("16777216 bytes available", Some(16 * MIB)),
            ("Free space: 1,048,576 bytes", Some(MIB)),
            ("12 MB free of 64 MB", Some(12 * MIB)),
            ("64MB total, 12MB free", Some(12 * MIB)),
            ("Total 64 MB, used 52 MB, free: 12 MB", Some(12 * MIB)),
            ("1.5 GiB available", Some(1536 * MIB)),
            (
                "Filesystem 1K-blocks Used Available Use% Mounted on\n /dev/f 65536 32768 2048 50% /",
                Some(2 * MIB),
            ),
            (
                "Filesystem Size Used Avail Use% Mounted on\n /dev/f 64M 32M 2M 50% /",
                Some(2 * MIB),
            ),
            ("Used 52 MB Free 12 MB Total 64 MB", Some(12 * MIB)),
            ("64 MB total 12 MB free", Some(12 * MIB)),
            // Which of them it is can't be known.
            ("64 MB, 12 MB", None),
            ("52 MB used", None),
            ("done", None),
            ("", None),
            ("50% in use", None),
        ] {
            assert_eq!(in_text(text), free, "{text}");
        }
    }
}
