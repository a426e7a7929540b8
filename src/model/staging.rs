//! The names that one delivery uses on an entity.
//!
//! Devices cut names (to 8.3, 12, 14 or 31 characters) and fold their case, and don't say so: a
//! staging name that is made by appending to the final one may be the final one. So the names made
//! here are plain 8.3, begin with other letters than the final name, and have another extension.
//! They hold a part of a digest of the final path and of the host that writes, so that each file of a
//! directory, and each host that writes it, has names of its own.

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{PathError, RemotePath};

/// A file on an entity, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum File {
    Final,
    /// What is written until it is whole and checked.
    Staging,
    /// A second staging name, for when what stands under the first may be the only copy.
    Spare,
    /// The old image while the new one takes its place.
    Aside,
}

/// The names of one file on one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    named: RemotePath,
    staging: RemotePath,
    spare: RemotePath,
    aside: RemotePath,
    /// No device that cuts or folds names can take one for another.
    is_distinct: bool,
}

/// A pattern for staging names that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NamesError {
    #[error(
        "`{{{0}}}` is no placeholder of a staging name; there are `{{name}}`, `{{stem}}`, `{{ext}}`, `{{own}}`"
    )]
    Placeholder(String),
    #[error("the staging name of `{0}` is that name itself")]
    Same(String),
    #[error("`{0}` leads out of the directory")]
    Outside(String),
    #[error(transparent)]
    Path(#[from] PathError),
}

/// What staging names are called where the operator leaves it open.
pub const AUTO: &str = "auto";

impl Names {
    /// `owner` is different on hosts that write to the same entity: a pattern keeps
    /// them apart where it has `{own}`.
    ///
    /// # Errors
    /// The pattern does not give a name of its own for this path.
    pub fn new(path: &RemotePath, pattern: &str, owner: &str) -> Result<Self, NamesError> {
        let (directory, name) = split(path.as_str());
        let part = own_part(path, owner);
        let own = |role: char| join(directory, &own_name(name, &part, role));
        let staging = match pattern {
            AUTO => own('n')?,
            pattern => join(directory, &filled(pattern, name, &part)?)?,
        };
        let (spare, aside) = (own('m')?, own('o')?);
        let all = [path, &staging, &spare, &aside];
        for (index, one) in all.iter().enumerate() {
            if all[index + 1..].contains(one) {
                return Err(NamesError::Same(path.to_string()));
            }
        }
        let is_distinct = !may_be_same(path.as_str(), staging.as_str())
            && !may_be_same(spare.as_str(), staging.as_str())
            && !may_be_same(aside.as_str(), staging.as_str());
        Ok(Self {
            named: path.clone(),
            staging,
            spare,
            aside,
            is_distinct,
        })
    }

    pub fn of(&self, file: File) -> &RemotePath {
        match file {
            File::Final => &self.named,
            File::Staging => &self.staging,
            File::Spare => &self.spare,
            File::Aside => &self.aside,
        }
    }

    /// Whether the staging name stays another one however a device cuts or folds it.
    pub fn is_distinct(&self) -> bool {
        self.is_distinct
    }
}

/// The directory with its `/`, and the name in it.
fn split(path: &str) -> (&str, &str) {
    let at = path.rfind('/').map_or(0, |at| at + 1);
    path.split_at(at)
}

fn join(directory: &str, name: &str) -> Result<RemotePath, NamesError> {
    let inside = (name.split('/')).all(|part| !matches!(part, "" | "." | ".."));
    if !inside {
        return Err(NamesError::Outside(name.into()));
    }
    Ok(RemotePath::new(&format!("{directory}{name}"))?)
}

/// Five characters of a digest of the final path and of the host that writes.
fn own_part(path: &RemotePath, owner: &str) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let digest = Sha256::new()
        .chain_update(path.as_str())
        .chain_update([0])
        .chain_update(owner)
        .finalize();
    (digest.iter().take(5))
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}

/// Eight characters and three: two of ours, the role, five of a digest.
fn own_name(name: &str, part: &str, role: char) -> String {
    let begins = |letter: char| {
        let first = name.chars().next();
        first.is_some_and(|first| first.eq_ignore_ascii_case(&letter))
    };
    let ours = if begins('s') { "ub" } else { "su" };
    let extension = match name.rsplit_once('.') {
        Some((_, extension)) if extension.eq_ignore_ascii_case("tmp") => "new",
        _ => "tmp",
    };
    format!("{ours}{role}{part}.{extension}")
}

fn filled(pattern: &str, name: &str, own: &str) -> Result<String, NamesError> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((placeholder, after)) = after.split_once('}') else {
            return Err(NamesError::Placeholder(after.to_owned()));
        };
        text.push_str(match placeholder {
            "name" => name,
            "stem" => stem,
            "ext" => extension,
            "own" => own,
            other => return Err(NamesError::Placeholder(other.to_owned())),
        });
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// Whether a device that cuts or folds names may take one path for the other. Also of what a
/// listing shows, where a name may stand cut already.
pub fn may_be_same(one: &str, other: &str) -> bool {
    let ((one_in, one), (other_in, other)) = (split(one), split(other));
    one_in.eq_ignore_ascii_case(other_in) && names_may_be_same(one, other)
}

/// As [`may_be_same`], within one directory.
pub fn names_may_be_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one == other || cuts(&one).any(|cut| cuts(&other).any(|also| cut == also))
}

/// What devices are known to make of a name.
fn cuts(name: &str) -> impl Iterator<Item = String> {
    let first = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let eight_three =
        |(stem, extension): (&str, &str)| format!("{}.{}", first(stem, 8), first(extension, 3));
    let by_length = [12, 14, 31].map(|most| first(name, most));
    let by_dots = [name.split_once('.'), name.rsplit_once('.')]
        .map(|parts| eight_three(parts.unwrap_or((name, ""))));
    by_length.into_iter().chain(by_dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).unwrap()
    }

    fn auto(text: &str) -> Names {
        Names::new(&path(text), AUTO, "host").unwrap()
    }

    const ALL: [File; 4] = [File::Final, File::Staging, File::Spare, File::Aside];

    #[test]
    fn our_names_are_plain_and_no_device_takes_one_for_another() {
        let finals = [
            "/flash/image.bin",
            "image",
            "/a/sun.tmp",
            "/a/SUNABCDE.TMP",
            "/a/subtend-image-with-a-very-long-name-2.4.bin",
            "//x/s",
            "/flash/ub.bin",
            "/flash/.hidden",
            "/flash/é.bin",
        ];
        for text in finals {
            let names = auto(text);
            assert!(names.is_distinct(), "{names:?}");
            for (index, one) in ALL.into_iter().enumerate() {
                let (directory, name) = split(names.of(one).as_str());
                assert_eq!(directory, split(text).0);
                if one != File::Final {
                    let (stem, extension) = name.split_once('.').unwrap();
                    assert!(stem.len() == 8 && extension.len() == 3, "{name}");
                    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'));
                }
                for other in &ALL[index + 1..] {
                    let (one, other) = (names.of(one).as_str(), names.of(*other).as_str());
                    assert!(!may_be_same(one, other), "{one} {other}");
                    // Not even where two characters are left of a name.
                    let first = |path| split(path).1.chars().take(3).collect::<String>();
                    assert_ne!(first(one), first(other));
                }
            }
        }
    }

    #[test]
    fn each_file_and_each_host_has_names_of_its_own() {
        let staging = |text, owner| {
            let names = Names::new(&path(text), AUTO, owner).unwrap();
            names.of(File::Staging).clone()
        };
        assert_eq!(staging("/f/a.bin", "h1"), staging("/f/a.bin", "h1"));
        assert_ne!(staging("/f/a.bin", "h1"), staging("/f/a.bin", "h2"));
        assert_ne!(staging("/f/a.bin", "h1"), staging("/f/b.bin", "h1"));
        let own = |owner| Names::new(&path("/f/a.bin"), "{stem}.{own}", owner).unwrap();
        assert_ne!(own("h1").of(File::Staging), own("h2").of(File::Staging));
    }

    #[test]
    fn a_pattern_is_filled_and_must_give_another_name() {
        let of = |pattern: &str| {
            let names = Names::new(&path("/flash/image.bin"), pattern, "h");
            names.map(|names| (names.of(File::Staging).to_string(), names.is_distinct()))
        };
        assert_eq!(of("{stem}.new"), Ok(("/flash/image.new".into(), true)));
        assert_eq!(of("tmp/{name}"), Ok(("/flash/tmp/image.bin".into(), true)));
        assert_eq!(of("new.{ext}"), Ok(("/flash/new.bin".into(), true)));
        // Allowed, and looked at more closely: some device makes one name of the two.
        assert_eq!(of("{name}.new"), Ok(("/flash/image.bin.new".into(), false)));
        assert_eq!(of("IMAGE.BIN"), Ok(("/flash/IMAGE.BIN".into(), false)));
        for wrong in [
            "{name}",
            "image.bin",
            "{nam}.x",
            "{",
            "../x",
            "",
            "a/../b",
            "/x",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_one_where_any_device_makes_them_one() {
        for (one, other) in [
            ("image.bin", "IMAGE.BIN"),
            ("image.bin", "image.bin.subtend"),
            ("longimage1.bin", "longimage2.bin"),
            ("adsl-firmware-2.4.bin", "adsl-firmware-2.5.bin"),
            ("image.bin", "image.bin2"),
        ] {
            assert!(names_may_be_same(one, other), "{one} {other}");
        }
        for (one, other) in [("image.bin", "image.new"), ("a", "b"), ("a.bin", "a.new")] {
            assert!(!names_may_be_same(one, other), "{one} {other}");
        }
        assert!(!may_be_same("/a/x", "/b/x"));
    }
}
