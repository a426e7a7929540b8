//! How the copy on an entity is checked, and what its protocol can show of it.

use super::inventory::Entity;
use super::names::compress;
use super::text::shown;

/// How thoroughly an entity's copy is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyMode {
    /// The strongest proof that the entity allows: its digest, else its file read back. By size
    /// only where it lets nobody read the file.
    #[default]
    Best,
    /// Without reading the file: its digest where it offers one, else the size where it reports it.
    Quick,
    Readback,
    Size,
    None,
}

/// The most that can be learned about a copy, as far as the protocol goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A digest that the entity computes; else its bytes.
    Digest,
    /// Its bytes, and its size.
    Content,
    /// What steps of its procedure say that they prove (`proves: digest`).
    Steps,
    Nothing,
}

impl Evidence {
    /// Whether the entity can be asked about its copy without carrying a procedure out.
    pub fn can_be_asked(self) -> bool {
        matches!(self, Self::Digest | Self::Content)
    }
}

/// What can be done about entities that are not proven, of whatever protocol.
pub const UNPROVEN_HINT: &str = "`subtend verify` reads it back where the protocol has a way to";

impl VerifyMode {
    pub const ALL: [Self; 5] = [
        Self::Best,
        Self::Quick,
        Self::Readback,
        Self::Size,
        Self::None,
    ];

    /// As it is written in an inventory.
    pub fn word(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Quick => "quick",
            Self::Readback => "readback",
            Self::Size => "size",
            Self::None => "none",
        }
    }

    /// The word, and what it means where there is such evidence.
    pub fn in_words(self, evidence: Evidence) -> &'static str {
        use Evidence::{Content, Digest, Nothing, Steps};
        match (self, evidence) {
            (Self::Best, Digest) => "best: its digest, else its file is read back",
            (Self::Best, Content) => "best: its file is read back",
            (Self::Best, Nothing) => {
                "best: nothing, as its protocol has no way to ask about a file"
            }
            (Self::Best | Self::Quick, Steps) => {
                "as far as steps of its procedure say that they prove it"
            }
            (Self::Quick, Digest) => "quick: its digest, else the size alone",
            (Self::Quick, Content) => "quick: the size alone, which proves no content",
            (Self::Quick, Nothing) => {
                "quick: nothing, as its protocol has no way to ask about a file"
            }
            // The inventory refuses these two where there is nothing.
            (Self::Readback, _) => "readback: its file is read back",
            (Self::Size, _) => "size: the size alone, which proves no content",
            (Self::None, _) => "none: nothing is checked",
        }
    }

    /// How each of these entities is checked, for people: names only where they differ.
    pub fn of_all_in_words<'a>(entities: impl Iterator<Item = &'a Entity>) -> String {
        let mut used: Vec<((Self, &str), Vec<String>)> = Vec::new();
        for entity in entities {
            let way = (entity.verify, entity.verify_in_words());
            match used.iter_mut().find(|(known, _)| *known == way) {
                Some((_, names)) => names.push(shown(&entity.name)),
                None => used.push((way, vec![shown(&entity.name)])),
            }
        }
        let rank = |mode| Self::ALL.iter().position(|one| *one == mode);
        used.sort_by_key(|((mode, _), _)| rank(*mode));
        match used.as_slice() {
            [((_, words), _)] => (*words).into(),
            several => {
                let words = several.iter().map(|((_, words), names)| {
                    let names = compress(names).join(", ");
                    format!("{words} ({names})")
                });
                words.collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// Whether the entity is asked for a digest of its copy.
    pub fn asks_digest(self) -> bool {
        matches!(self, Self::Best | Self::Quick)
    }
}

impl Entity {
    /// What its protocol can show of its copy.
    pub fn evidence(&self) -> Evidence {
        match self.http.has_files() {
            true => self.address.scheme.evidence(),
            false => Evidence::Nothing,
        }
    }

    /// How its copy is checked, for people.
    pub fn verify_in_words(&self) -> &'static str {
        self.verify.in_words(self.evidence())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::http::{Http, Upload};
    use super::super::scheme::Scheme;
    use super::super::testing::entity;
    use super::*;

    #[test]
    fn a_plan_says_how_each_entity_is_checked() {
        let with = |name: &str, verify, scheme| {
            let mut entity = Entity {
                verify,
                ..entity(name, "1")
            };
            entity.address.scheme = scheme;
            entity
        };
        let said = |entities: &[Entity]| VerifyMode::of_all_in_words(entities.iter());
        let mut entities = vec![
            with("e3", VerifyMode::Size, Scheme::Ftp),
            with("e1", VerifyMode::Best, Scheme::Ftp),
            with("e2", VerifyMode::Best, Scheme::FtpsExplicit),
        ];
        assert_eq!(
            said(&entities),
            "best: its digest, else its file is read back (e[1-2]); \
             size: the size alone, which proves no content (e3)"
        );
        entities.remove(0);
        assert_eq!(
            said(&entities),
            "best: its digest, else its file is read back"
        );
        entities.extend([
            with("s1", VerifyMode::Best, Scheme::Sftp),
            with("s2", VerifyMode::Best, Scheme::Scp),
            with("t1", VerifyMode::Best, Scheme::Tftp),
        ]);
        let mut form = with("t2", VerifyMode::Best, Scheme::Http);
        form.http = Http {
            upload: Some(Upload::Field(Arc::from("file"))),
            ..Http::default()
        };
        entities.push(form);
        assert_eq!(
            said(&entities),
            "best: its digest, else its file is read back (e[1-2]); best: its file is read back \
             (s[1-2]); best: nothing, as its protocol has no way to ask about a file (t[1-2])"
        );
    }

    #[test]
    fn only_what_can_be_shown_is_promised() {
        for mode in VerifyMode::ALL {
            for evidence in [
                Evidence::Digest,
                Evidence::Content,
                Evidence::Steps,
                Evidence::Nothing,
            ] {
                let said = mode.in_words(evidence);
                let is_named = said.starts_with(&format!("{}: ", mode.word()));
                assert!(is_named || evidence == Evidence::Steps, "{said}");
                let digest = said.contains("digest");
                assert!(!digest || evidence == Evidence::Digest, "{said}");
            }
        }
        assert!(
            !VerifyMode::Best
                .in_words(Evidence::Nothing)
                .contains("read back")
        );
    }
}
