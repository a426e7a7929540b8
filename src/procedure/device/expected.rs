//! What an answer must be: decided by its text alone.

use std::collections::BTreeMap;

use regex::Regex;

use crate::model::procedure::{StepSpec, Values};
use crate::model::text::shown;
use crate::model::{Failure, Fault};

use super::said::last_line;
use super::{Groups, filled};

/// The pattern of a step, and what one of its groups must be.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) pattern: Option<&'a Regex>,
    is: Option<(&'a str, String)>,
}

impl<'a> Expected<'a> {
    /// # Errors
    /// What a group must be can't be filled in.
    pub(super) fn of(step: &'a StepSpec, values: &Values) -> Result<Self, Failure> {
        let expect = step.expect.as_ref();
        let is = expect.and_then(|expect| expect.is.as_ref());
        let is = is.map(|(name, wanted)| filled(wanted, values).map(|wanted| (&**name, wanted)));
        Ok(Self {
            pattern: expect.map(|expect| expect.pattern.regex()),
            is: is.transpose()?,
        })
    }

    /// The named groups of the first match in an answer to what is `named`.
    ///
    /// # Errors
    /// [`Fault::Unexpected`], [`Fault::Differs`].
    pub(super) fn groups(&self, named: &str, text: &str) -> Result<Groups, Fault> {
        let Some(pattern) = self.pattern else {
            return Ok(BTreeMap::new());
        };
        let Some(found) = pattern.captures(text) else {
            let answer = match last_line(text) {
                "" => "nothing".to_owned(),
                last => shown(last),
            };
            let command = named.to_owned();
            return Err(Fault::Unexpected { command, answer });
        };
        let names = pattern.capture_names().flatten();
        let groups = names.filter_map(|name| Some((name, found.name(name)?)));
        let groups = groups.map(|(name, group)| (name.to_owned(), group.as_str().to_owned()));
        let groups = groups.collect();
        self.compare(&groups)?;
        Ok(groups)
    }

    /// # Errors
    /// [`Fault::Differs`].
    pub(super) fn compare(&self, groups: &Groups) -> Result<(), Fault> {
        let Some((name, wanted)) = &self.is else {
            return Ok(());
        };
        let is = groups.get(*name).map_or("", String::as_str);
        if is == wanted {
            return Ok(());
        }
        Err(Fault::Differs {
            what: (*name).to_owned(),
            is: shown(is),
            wanted: shown(wanted),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::procedure::{Deed, Expect, Placeholder, Template};

    #[test]
    fn a_group_must_be_what_is_expected() {
        let template = |text| Template::parse(text).unwrap();
        let step = StepSpec {
            deed: Deed::Site(template("VERSION")),
            expect: Some(Expect {
                pattern: r"Version (?<version>\S+)".parse().unwrap(),
                is: Some(("version".into(), template("{version}"))),
            }),
            within: Duration::from_secs(1),
            safe: true,
            role: Default::default(),
        };
        assert!(Expected::of(&step, &Values::new()).is_err());
        let values = Values::from([(Placeholder::Version, "2.4".into())]);
        let expected = Expected::of(&step, &values).unwrap();
        let groups = |text| {
            expected
                .groups("\"VERSION\"", text)
                .map_err(|fault| fault.to_string())
        };
        assert_eq!(groups("Version 2.4").unwrap()["version"], "2.4");
        assert_eq!(
            groups("Version 2.3").unwrap_err(),
            "the device says version `2.3`, and `2.4` was expected"
        );
        assert_eq!(
            groups("ok\nno\u{1b}pe\n").unwrap_err(),
            "the device answered \"VERSION\" with: no\\u{1b}pe"
        );
        assert!(groups("").unwrap_err().ends_with("with: nothing"));
    }
}
