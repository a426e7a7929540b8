//! What is done on a device of a type before and after its image, as the inventory describes it.
//!
//! A procedure is lists of steps. None of them is a program: a step asks or orders one thing and
//! looks at the answer, and the first that fails ends its list.

mod pattern;
mod request;
mod template;
pub mod versions;

use std::sync::Arc;
use std::time::Duration;

pub use pattern::Pattern;
pub use request::{Body, Method, Request, has_dots};
pub use template::{Placeholder, Sum, Template, Unfilled, Values};
pub use versions::Versions;

use serde::{Deserialize, Serialize};

use super::serve::Over;
use super::text::quoted;
use super::{Name, Scheme, Ssh, Tls, units};

/// What is known of the entities of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeSpec {
    pub name: Name,
    pub procedure: Option<Arc<Procedure>>,
    pub versions: Versions,
}

/// What is done on a device before and after its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    pub name: Name,
    /// `None` where nothing is sent to a command line.
    pub session: Option<SessionSpec>,
    /// Where its web server is; `None`: that of the entity's address, if it is one of HTTP.
    pub web: Option<WebSpec>,
    /// Before a byte is sent.
    pub before: Vec<StepSpec>,
    /// What makes a device fetch its image, where it is not sent to it; and what shows that it has it.
    pub fetch: Vec<StepSpec>,
    /// What makes the device run the image.
    pub activate: Vec<StepSpec>,
    /// What shows which image it runs. Only this makes an entity `upgraded`.
    pub check: Vec<StepSpec>,
    /// What makes it run its previous image again.
    pub undo: Vec<StepSpec>,
}

/// How far a run goes with the devices of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// They get the image.
    #[default]
    Deliver,
    /// They get it, and are made to run it.
    Upgrade,
    /// Those that hold it already are made to run it.
    Activate,
}

impl Extent {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// As `activate` of a group is written in an inventory.
    pub fn word(self) -> &'static str {
        match self.activates() {
            false => "later",
            true => "now",
        }
    }

    /// Whether devices are made to run the image.
    pub fn activates(self) -> bool {
        self != Self::Deliver
    }
}

/// One of the lists of a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Before,
    Fetch,
    Activate,
    Check,
    Undo,
}

impl Part {
    /// Of a word as it stands in the journal.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }

    /// In the order in which they are carried out.
    pub const ALL: [Self; 5] = [
        Self::Before,
        Self::Fetch,
        Self::Activate,
        Self::Check,
        Self::Undo,
    ];

    /// As it is written in an inventory.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Fetch => "fetch",
            Self::Activate => "activate",
            Self::Check => "check",
            Self::Undo => "undo",
        }
    }
}

impl Procedure {
    pub fn part(&self, part: Part) -> &[StepSpec] {
        match part {
            Part::Before => &self.before,
            Part::Fetch => &self.fetch,
            Part::Activate => &self.activate,
            Part::Check => &self.check,
            Part::Undo => &self.undo,
        }
    }

    /// All steps, in the order in which they are carried out.
    pub fn steps(&self) -> impl Iterator<Item = (Part, &StepSpec)> {
        let parts = Part::ALL.into_iter();
        parts.flat_map(|part| self.part(part).iter().map(move |step| (part, step)))
    }

    /// Those that a run may carry out which goes so far, on a device that `fetches` its image or is sent it.
    pub fn steps_of(
        &self,
        extent: Extent,
        fetches: bool,
    ) -> impl Iterator<Item = (Part, &StepSpec)> {
        let steps = self.steps();
        steps.filter(move |(part, _)| match part {
            Part::Before => true,
            Part::Fetch => fetches && extent != Extent::Activate,
            Part::Activate | Part::Check | Part::Undo => extent.activates(),
        })
    }

    /// The step in which devices fetch the image: its number, and over what.
    pub fn fetches(&self) -> Option<(usize, Option<Over>)> {
        let mut steps = self.fetch.iter().enumerate();
        steps.find_map(|(number, step)| match step.role {
            Role::Fetches(over) => Some((number, over)),
            Role::Plain | Role::Proves(_) => None,
        })
    }

    /// The digests that steps name, beside SHA-256.
    pub fn digests(&self) -> Vec<Sum> {
        let mut sums: Vec<Sum> = Vec::new();
        for step in &self.fetch {
            for placeholder in step.placeholders() {
                if let Placeholder::Sum(sum) = placeholder
                    && !sums.contains(sum)
                {
                    sums.push(*sum);
                }
            }
        }
        sums
    }

    /// Its command line, where such a run sends something there, or where nothing else shows that a device is back:
    /// one that fetches takes no files.
    pub fn session_of(&self, extent: Extent, fetches: bool) -> Option<&SessionSpec> {
        let uses = |(_, step): (Part, &StepSpec)| match step.deed {
            Deed::Send { .. } => true,
            Deed::Restart { .. } => fetches,
            _ => false,
        };
        self.session
            .as_ref()
            .filter(|_| self.steps_of(extent, fetches).any(uses))
    }

    /// Whether such a run asks something over HTTP: a step does, or nothing else shows that a device is back.
    pub fn asks_web(&self, extent: Extent, fetches: bool) -> bool {
        let asks = |(_, step): (Part, &StepSpec)| match step.deed {
            Deed::Http(_) => true,
            Deed::Restart { .. } => fetches && self.session.is_none(),
            _ => false,
        };
        self.steps_of(extent, fetches).any(asks)
    }

    /// Whether passwords can be read on the way to what `session` names; `None` where it names nothing.
    pub fn is_clear_text(&self) -> Option<bool> {
        let session = self.session.as_ref().map(|one| one.way == Way::Telnet);
        let web = self.web.as_ref().map(|one| !one.scheme.is_encrypted());
        match (session, web) {
            (None, None) => None,
            (session, web) => Some(session == Some(true) || web == Some(true)),
        }
    }

    /// What making a device run an image comes to: `3 steps each (send, restart), back within 15 min; then …`.
    pub fn activation_in_words(&self) -> String {
        let steps = |part: Part| match self.part(part).len() {
            1 => "1 step".to_owned(),
            many => format!("{many} steps"),
        };
        let deeds: Vec<&str> = self.activate.iter().map(|step| step.deed.word()).collect();
        let mut text = format!("{} each ({})", steps(Part::Activate), deeds.join(", "));
        let back = self.activate.iter().filter_map(|step| match step.deed {
            Deed::Restart { down, back } => Some(down + back),
            _ => None,
        });
        let back: Duration = back.sum();
        if !back.is_zero() {
            text += &format!(", back within {}", units::limit(back));
        }
        if !self.check.is_empty() {
            text += "; then each is asked what it runs";
        }
        text += &match self.undo.is_empty() {
            true => "; there is no `undo`: one that does not run it is left as it is".to_owned(),
            false => format!(
                "; one that does not run it is put back by `undo` ({})",
                steps(Part::Undo)
            ),
        };
        text
    }

    /// Its name, how devices are reached, and the steps of each part: `card: over ssh, port 22; before 1, check 2`.
    pub fn in_words(&self) -> String {
        let session = self.session.iter().map(SessionSpec::in_words);
        let ways = session.chain(self.web.iter().map(WebSpec::in_words));
        let ways: String = ways.map(|way| format!("{way}; ")).collect();
        let parts = Part::ALL.into_iter();
        let parts = parts.filter(|part| !self.part(*part).is_empty());
        let parts = parts.map(|part| {
            let steps = self.part(part).len();
            let unit = if steps == 1 { "step" } else { "steps" };
            format!("{} {steps} {unit}", part.word())
        });
        let parts: Vec<String> = parts.collect();
        let name = quoted(&self.name);
        format!("{name}: {ways}{}", parts.join(", "))
    }
}

/// A device's command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    pub way: Way,
    pub port: u16,
    /// Those of the entity where it names none.
    pub credentials: Option<Name>,
    pub ssh: Ssh,
    /// What ends every answer of its shell; `None`: each line is a command of its own, over SSH, without a shell.
    pub prompt: Option<Pattern>,
}

impl SessionSpec {
    /// How it is reached, and whether passwords can be read on the way.
    pub fn in_words(&self) -> String {
        let clear = match self.way {
            Way::Ssh => "",
            Way::Telnet => ", passwords in CLEAR TEXT",
        };
        format!("over {}, port {}{clear}", self.way.word(), self.port)
    }
}

/// A device's web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSpec {
    /// [`Scheme::Http`] or [`Scheme::Https`].
    pub scheme: Scheme,
    pub port: u16,
    /// Those of the entity where it names none.
    pub credentials: Option<Name>,
    pub tls: Tls,
}

impl WebSpec {
    /// As [`SessionSpec::in_words`].
    pub fn in_words(&self) -> String {
        let clear = match self.scheme.is_encrypted() {
            true => "",
            false => ", passwords in CLEAR TEXT",
        };
        format!("over {}, port {}{clear}", self.scheme.word(), self.port)
    }
}

/// Where the command line of one entity is; of a procedure without one, where its web server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionAddress {
    pub host: String,
    /// That of the procedure where none is given.
    pub port: Option<u16>,
}

/// How a command line is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Ssh,
    /// RFC 854. Nothing of it is encrypted.
    Telnet,
}

impl Way {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSpec {
    pub deed: Deed,
    /// What must be in the answer; its named groups are kept.
    pub expect: Option<Expect>,
    /// From the order to the end of the answer.
    pub within: Duration,
    /// It changes nothing, so that it may be carried out to see whether it works.
    pub safe: bool,
    pub role: Role,
}

/// What a step is beside what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    #[default]
    Plain,
    /// The device fetches the image in it: over this, or over the one that is served.
    Fetches(Option<Over>),
    /// Carried out well, it proves what the device has.
    Proves(Proves),
}

/// What a step proves of the device's copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proves {
    Digest,
    Size,
}

impl Proves {
    /// As it is written in an inventory.
    pub fn word(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Size => "size",
        }
    }
}

impl StepSpec {
    /// All that are named in it.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        let is = self.expect.as_ref().and_then(|expect| expect.is.as_ref());
        let templates = self.deed.templates().into_iter();
        let all = templates.chain(is.map(|(_, wanted)| wanted));
        all.flat_map(Template::placeholders)
    }
}

/// What an answer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    pub pattern: Pattern,
    /// The named group that is compared, and with what.
    pub is: Option<(Arc<str>, Template)>,
}

/// What one step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A line for the device's command line.
    Send {
        line: Template,
        answers: Vec<Reaction>,
    },
    /// A `SITE` command (RFC 959 section 4.1.3).
    Site(Template),
    /// A program of this host and its arguments: no shell.
    Exec(Vec<Template>),
    /// A request to its web server.
    Http(Box<Request>),
    /// Reads a file of the device and keeps it below the state directory.
    Get { path: Template, to: Template },
    /// Waits until the device goes and comes back.
    Restart {
        /// Until it must have gone.
        down: Duration,
        /// From then on, until it must be back.
        back: Duration,
    },
}

impl Deed {
    /// As it is written in an inventory.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Site(_) => "site",
            Self::Exec(_) => "exec",
            Self::Http(_) => "http",
            Self::Get { .. } => "get",
            Self::Restart { .. } => "restart",
        }
    }

    /// The credentials whose passwords are typed in the middle of it.
    pub fn passwords(&self) -> impl Iterator<Item = &Name> {
        let answers = match self {
            Self::Send { answers, .. } => answers.as_slice(),
            _ => &[],
        };
        answers.iter().filter_map(|answer| match &answer.with {
            ReactionText::Password(credentials) => Some(credentials),
            ReactionText::Line(_) => None,
        })
    }

    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Send { line, .. } | Self::Site(line) => vec![line],
            Self::Exec(words) => words.iter().collect(),
            Self::Http(request) => {
                let body = request.body.as_ref().map(|body| &body.text);
                [&request.path].into_iter().chain(body).collect()
            }
            Self::Get { path, to } => vec![path, to],
            Self::Restart { .. } => Vec::new(),
        }
    }
}

/// What a device may ask in the middle of an answer, and what is said then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    pub to: Pattern,
    pub with: ReactionText,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReactionText {
    /// May be empty: Enter alone.
    Line(Template),
    /// The password of these credentials.
    Password(Name),
}
