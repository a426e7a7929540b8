//! Whether an image may be put on what an entity runs: as the inventory has it before a start, and as the entity says
//! itself before it gets the image.

use std::cmp::Ordering;

use super::super::procedure::Versions;
use super::super::text::quoted;
use super::{Campaign, Downgrade, Requirement};

/// What judges it, for the image of one group.
#[derive(Debug, Clone, Copy)]
pub struct Fit<'a> {
    pub campaign: &'a Campaign,
    /// How versions of the image's type compare.
    pub versions: Versions,
    /// The image's version.
    pub image: &'a str,
}

impl Fit<'_> {
    /// Whether an entity that runs this version would get an older one, and must not. Versions that can't be compared
    /// are not refused.
    pub fn is_downgrade(&self, runs: &str) -> bool {
        self.campaign.downgrade == Downgrade::Refuse
            && self.versions.compare(runs, self.image) == Some(Ordering::Greater)
    }

    /// Whether it is none of the versions that the image may be put on. One that can't be read admits all: it is
    /// refused as a flaw of its group.
    pub fn is_foreign(&self, runs: &str) -> bool {
        let from = self.campaign.from.as_deref();
        let requirement = from.and_then(|from| Requirement::read(from).ok());
        requirement.is_some_and(|from| from.admits(self.versions, runs) != Some(true))
    }

    /// Both, of one entity that says itself what it runs.
    ///
    /// # Errors
    /// Why it does not get the image.
    pub fn judge(&self, runs: &str) -> Result<(), String> {
        if self.is_downgrade(runs) {
            return Err(format!(
                "it says that it runs {}, which is newer than the image, {}; correct its version in the inventory, or \
                 write `downgrade: allow`",
                quoted(runs),
                quoted(self.image)
            ));
        }
        if self.is_foreign(runs) {
            return Err(format!(
                "it says that it runs {}, and the image may be put on {} only; correct its version in the inventory, \
                 or change `from`",
                quoted(runs),
                quoted(self.campaign.from.as_deref().unwrap_or_default())
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entity_says_that_it_runs_is_judged_like_its_version_in_the_inventory() {
        let judge = |campaign: &Campaign, versions, runs| {
            let fit = Fit {
                campaign,
                versions,
                image: "2.4",
            };
            fit.judge(runs).map_err(|why| {
                let what = why.split(", which").next().unwrap_or(&why);
                let what = what.split(" only").next().unwrap_or(what);
                what.to_owned()
            })
        };
        let usual = Campaign::default();
        for runs in ["2.3", "2.4", "none", ""] {
            assert_eq!(judge(&usual, Versions::Dotted, runs), Ok(()), "{runs}");
        }
        let newer = Err("it says that it runs `2.10`".to_owned());
        assert_eq!(judge(&usual, Versions::Dotted, "2.10"), newer);
        assert_eq!(judge(&usual, Versions::None, "2.10"), Ok(()));
        let allow = Campaign {
            downgrade: Downgrade::Allow,
            from: Some(">=2.1".into()),
            ..Campaign::default()
        };
        assert_eq!(judge(&allow, Versions::Dotted, "2.10"), Ok(()));
        for foreign in ["2.0", "none"] {
            let why =
                format!("it says that it runs `{foreign}`, and the image may be put on `>=2.1`");
            assert_eq!(judge(&allow, Versions::Dotted, foreign), Err(why));
        }
    }
}
