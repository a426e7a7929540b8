//! One step as it is written.

use std::path::Path;
use std::time::Duration;

use crate::model::procedure::{Deed, Expect, Part, Placeholder, Proves, Role, StepSpec, Template};
use crate::model::serve::Over;

use super::super::credentials::absolute;
use super::super::error::{Complaint, Problems, Span, quoted};
use super::super::fields::{Fields, Shape};
use super::super::tree::{Node, Value};
use super::super::values;
use super::texts;
use super::{Known, Need};

/// What a step does: one of them.
const DEEDS: [&str; 6] = ["send", "site", "exec", "http", "get", "restart"];

const STEP: Shape = Shape::new(
    "a step",
    &[
        &DEEDS,
        &[
            "expect",
            "is",
            "within",
            "safe",
            "fetch",
            "proves",
            "answers",
            "body",
            "content_type",
            "to",
            "down",
            "back",
        ],
    ],
);

/// Which of them each further key belongs to.
const BELONGS: [(&str, &[&str]); 12] = [
    ("expect", &["send", "site", "exec", "http"]),
    ("is", &["send", "site", "exec", "http"]),
    ("within", &["send", "site", "exec", "http", "get"]),
    ("safe", &["send", "site", "exec", "http", "get"]),
    ("fetch", &["send", "site", "exec", "http"]),
    ("proves", &["send", "site", "exec", "http"]),
    ("answers", &["send"]),
    ("body", &["http"]),
    ("content_type", &["http"]),
    ("to", &["get"]),
    ("down", &["restart"]),
    ("back", &["restart"]),
];

const STEP_HELP: &str = "write one of `send: LINE`, `site: COMMAND`, `exec: [PROGRAM, ARGUMENT]`, `http: \"POST /PATH\"`, \
                         `get: FILE` and `restart: true`";
const LIST_HELP: &str = "write a list of steps: `[ { send: \"show version\" } ]`";
const EXEC_HELP: &str = "write `exec: [./reload.sh, \"{address}\"]`";

const WITHIN: Duration = Duration::from_secs(30);
/// A device writes back what it has in memory before it goes, and boots for minutes.
const DOWN: Duration = Duration::from_secs(2 * 60);
const BACK: Duration = Duration::from_secs(15 * 60);

/// One part of a procedure.
pub(super) struct Steps<'n> {
    /// Those that could be read.
    pub(super) steps: Vec<StepSpec>,
    /// These are all.
    pub(super) is_whole: bool,
    /// Where the first `send` stands.
    pub(super) sends: Option<&'n Span>,
    /// And the first `answers`.
    pub(super) answers: Option<&'n Span>,
}

pub(super) struct Reader<'n, 'k> {
    pub(super) known: Known<'k>,
    needs: Vec<(Need, &'n Span)>,
}

impl<'n, 'k> Reader<'n, 'k> {
    pub(super) fn new(known: Known<'k>) -> Self {
        let needs = Vec::new();
        Self { known, needs }
    }

    pub(super) fn need(&mut self, need: Need, at: &'n Span) {
        self.needs.push((need, at));
    }

    pub(super) fn into_needs(self) -> Vec<(Need, &'n Span)> {
        self.needs
    }

    pub(super) fn list(
        &mut self,
        problems: &mut Problems,
        node: &'n Node,
        part: Part,
    ) -> Steps<'n> {
        let mut read = Steps {
            steps: Vec::new(),
            is_whole: false,
            sends: None,
            answers: None,
        };
        let key = part.word();
        let items = match &node.value {
            Value::Sequence(items) => items,
            Value::Broken => return read,
            _ => {
                let kind = node.kind();
                let message = format!("{} must be a list, and this is {kind}", quoted(key));
                problems.report(&node.span, message, LIST_HELP);
                return read;
            }
        };
        if items.is_empty() {
            let message = format!("the list {} is empty", quoted(key));
            problems.report(&node.span, message, "add steps, or leave the key out");
            return read;
        }
        for item in items {
            let fields = Fields::read(problems, item, &STEP);
            read.sends = read.sends.or_else(|| fields.key_span("send"));
            read.answers = read.answers.or_else(|| fields.key_span("answers"));
            let step = self.step(problems, item, &fields, part);
            read.steps.extend(step);
        }
        read.is_whole = read.steps.len() == items.len();
        read
    }

    fn step(
        &mut self,
        problems: &mut Problems,
        node: &'n Node,
        fields: &Fields<'n>,
        part: Part,
    ) -> Option<StepSpec> {
        let (word, at) = which(problems, node, fields)?;
        check_keys(problems, fields, word);
        let deed = match word {
            "send" => self.send(problems, fields),
            "site" => self.site(problems, fields, at),
            "exec" => self.exec(problems, fields),
            "http" => self.http(problems, fields, at),
            "get" => self.get(problems, fields, at),
            _ => {
                self.need(Need::Door, at);
                restart(problems, fields, (at, part))
            }
        };
        let expect = self.expect(problems, fields);
        let within = fields.value(problems, "within", values::time);
        let has_within = fields.key_span("within").is_some() || fields.is_meant("within");
        let role = role(problems, fields, part);
        if let Some(at) = fields.key_span("fetch")
            && part == Part::Fetch
            && matches!(role, Role::Fetches(_))
            && !has_within
        {
            problems.report(
                at,
                "`fetch` without `within`: how long the device may take for its image, nobody else knows",
                "add `within: 30m`, from the order to the end of its answer",
            );
        }
        if word == "exec" && !has_within {
            problems.report(
                at,
                "`exec` without `within`: how long the program may take, nobody else knows",
                "add `within: 2m`: it is killed then, with all that it has started",
            );
        }
        let safe = fields.value(problems, "safe", values::boolean);
        let (deed, expect) = (deed?, expect?);
        let within = match &deed {
            Deed::Restart { down, back } => *down + *back,
            _ => within.unwrap_or(WITHIN),
        };
        let step = StepSpec {
            deed,
            expect,
            within,
            safe: safe.unwrap_or(false),
            role,
        };
        check_values(problems, (at, part), &step);
        check_proof(problems, fields, &step);
        Some(step)
    }

    /// Text with placeholders, whose labels the entities must have.
    pub(super) fn template(
        &mut self,
        problems: &mut Problems,
        node: &'n Node,
        key: &str,
    ) -> Option<Template> {
        let template = texts::template(problems, node, key)?;
        self.needs_of(&template, node);
        Some(template)
    }

    fn send(&mut self, problems: &mut Problems, fields: &Fields<'n>) -> Option<Deed> {
        let line = fields.get("send");
        let line = line.and_then(|node| self.template(problems, node, "send"));
        let answers = match fields.get("answers") {
            Some(node) => self.answers(problems, node),
            None => Some(Vec::new()),
        };
        Some(Deed::Send {
            line: line?,
            answers: answers?,
        })
    }

    fn site(&mut self, problems: &mut Problems, fields: &Fields<'n>, at: &'n Span) -> Option<Deed> {
        self.need(Need::Site, at);
        let node = fields.get("site")?;
        self.template(problems, node, "site").map(Deed::Site)
    }

    fn exec(&mut self, problems: &mut Problems, fields: &Fields<'n>) -> Option<Deed> {
        let node = fields.get("exec")?;
        let items = match &node.value {
            Value::Sequence(items) if !items.is_empty() => items,
            Value::Broken => return None,
            _ => {
                let message = "`exec` is a list of a program and its arguments: there is no shell";
                return problems.refuse(&node.span, message, EXEC_HELP);
            }
        };
        let mut words = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            // An argument may be empty, as `{label.X}` may.
            let word = match item.text() {
                Some("") if place > 0 => Template::parse("").ok(),
                _ => self.template(problems, item, "exec"),
            };
            words.push(word);
        }
        if let Some(Some(program)) = words.first_mut() {
            *program = problems.ok(&node.span, located(program, self.known.file))?;
        }
        words.into_iter().collect::<Option<_>>().map(Deed::Exec)
    }

    fn get(&mut self, problems: &mut Problems, fields: &Fields<'n>, at: &'n Span) -> Option<Deed> {
        self.need(Need::Get, at);
        let path = fields.get("get");
        let path = path.and_then(|node| self.template(problems, node, "get"));
        let to = match fields.key_span("to") {
            Some(_) => fields.get("to"),
            None if fields.is_meant("to") => None,
            None => problems.refuse(
                at,
                "`get` without `to`: where the file is kept, is not known",
                "add `to: \"backup/{entity}-{run}.cfg\"`, a path below the state directory",
            ),
        };
        let to = to.and_then(|node| {
            let to = self.template(problems, node, "to")?;
            problems.ok(&node.span, texts::check_kept(&to))?;
            Some(to)
        });
        Some(Deed::Get {
            path: path?,
            to: to?,
        })
    }

    /// `Some(None)` where nothing is expected.
    fn expect(&mut self, problems: &mut Problems, fields: &Fields<'n>) -> Option<Option<Expect>> {
        let pattern = fields.value(problems, "expect", texts::pattern);
        let is = fields.get("is");
        let wanted = is.and_then(|node| self.template(problems, node, "is"));
        if let Some(at) = fields.key_span("is")
            && fields.key_span("expect").is_none()
            && !fields.is_meant("expect")
        {
            return problems.refuse(
                at,
                "`is` without `expect`: there is nothing to compare",
                "add `expect: 'Version (?<version>\\S+)'`, with a named group around what is compared",
            );
        }
        let is_read = |key: &str, read: bool| read || fields.key_span(key).is_none();
        let all = is_read("expect", pattern.is_some()) && is_read("is", wanted.is_some());
        let is = match (is, &pattern, wanted) {
            (Some(node), Some(pattern), wanted) => {
                let group = problems.ok(&node.span, texts::compared(pattern))?;
                wanted.map(|wanted| (group.into(), wanted))
            }
            _ => None,
        };
        all.then(|| pattern.map(|pattern| Expect { pattern, is }))
    }
}

/// The one thing that a step does.
fn which<'n>(
    problems: &mut Problems,
    node: &Node,
    fields: &Fields<'n>,
) -> Option<(&'static str, &'n Span)> {
    if !fields.are_there() {
        return None;
    }
    let mut there = (DEEDS.into_iter()).filter_map(|deed| Some((deed, fields.key_span(deed)?)));
    match (there.next(), there.next()) {
        (Some(one), None) => Some(one),
        (Some((one, _)), Some((other, at))) => {
            let message = format!("a step has both {} and {}", quoted(one), quoted(other));
            problems.refuse(
                at,
                message,
                "make two steps of it, in the order in which they are done",
            )
        }
        (None, _) if DEEDS.iter().any(|deed| fields.is_meant(deed)) => None,
        (None, _) => problems.refuse(&node.span, "a step that does nothing", STEP_HELP),
    }
}

/// Reports keys that mean nothing beside what a step does.
fn check_keys(problems: &mut Problems, fields: &Fields<'_>, deed: &str) {
    for (key, deeds) in BELONGS {
        if let Some(at) = fields.key_span(key).filter(|_| !deeds.contains(&deed)) {
            let message = format!("{} means nothing beside {}", quoted(key), quoted(deed));
            let belongs: Vec<String> = deeds.iter().map(|deed| quoted(deed)).collect();
            let help = format!("leave it out: it belongs to {}", belongs.join(", "));
            problems.report(at, message, help);
        }
    }
}

/// What it is beside what it does.
fn role(problems: &mut Problems, fields: &Fields<'_>, part: Part) -> Role {
    let fetches = fields.value(problems, "fetch", |problems, node, key| {
        let over = Over::ALL.map(|over| (over.word(), Some(Some(over))));
        let [http, ftp, tftp] = over;
        let choices = [("true", Some(None)), http, ftp, tftp, ("false", None)];
        values::choice(problems, node, key, &choices)
    });
    let proves = fields.value(problems, "proves", |problems, node, key| {
        let choices = [Proves::Digest, Proves::Size].map(|one| (one.word(), one));
        values::choice(problems, node, key, &choices)
    });
    for key in ["fetch", "proves"] {
        if let Some(at) = fields.key_span(key).filter(|_| part != Part::Fetch) {
            problems.report(
                at,
                format!("{} in a step of {}", quoted(key), quoted(part.word())),
                "move the step to the list `fetch` of the procedure, which is done where `deliver: fetch` says so",
            );
        }
    }
    match (fetches, proves) {
        (Some(Some(over)), proves) => {
            if let Some(at) = fields.key_span("proves").filter(|_| proves.is_some()) {
                problems.report(
                    at,
                    "a step both fetches the image and proves what the device has",
                    "make two steps of it: the second asks the device what it has",
                );
            }
            Role::Fetches(over)
        }
        (_, Some(proves)) => Role::Proves(proves),
        (_, None) => Role::Plain,
    }
}

/// What is known only where a device fetches its image.
fn check_values(problems: &mut Problems, (at, part): (&Span, Part), step: &StepSpec) {
    if part == Part::Fetch {
        return;
    }
    if let Some(placeholder) = step.placeholders().find(|one| one.is_of_fetch()) {
        problems.report(
            at,
            format!("`{placeholder}` in a step of {}", quoted(part.word())),
            "it has a value in steps of `fetch` alone, while the device's image is served to it",
        );
    }
}

/// A step that proves something has to compare it.
fn check_proof(problems: &mut Problems, fields: &Fields<'_>, step: &StepSpec) {
    let (Role::Proves(proves), Some(at)) = (step.role, fields.key_span("proves")) else {
        return;
    };
    let is_compared = step.placeholders().any(|one| {
        matches!(
            (proves, one),
            (Proves::Digest, Placeholder::Sum(_)) | (Proves::Size, Placeholder::Size)
        )
    });
    let word = proves.word();
    if step.expect.is_none() {
        problems.report(
            at,
            format!("`proves: {word}` without `expect`: any answer would prove it"),
            "add what the device says when it has the image: `expect: 'Verified'`",
        );
    } else if !is_compared {
        let like = match proves {
            Proves::Digest => {
                "send: \"verify /md5 flash:{path}\", expect: '= (?<md5>[0-9a-f]{32})', is: \"{md5}\""
            }
            Proves::Size => "send: \"dir {path}\", expect: '(?<size>\\d+) bytes', is: \"{size}\"",
        };
        problems.report(
            at,
            format!("`proves: {word}`, and nothing in the step is compared with the image's"),
            format!("compare it: `{{ {like}, proves: {word} }}`"),
        );
    }
}

fn restart(
    problems: &mut Problems,
    fields: &Fields<'_>,
    (at, part): (&Span, Part),
) -> Option<Deed> {
    if matches!(part, Part::Before | Part::Fetch | Part::Check) {
        problems.report(
            at,
            format!(
                "`restart` in {}, whose steps leave the device as it is",
                quoted(part.word())
            ),
            "move it to `activate` or `undo`, behind the step that makes the device restart",
        );
    }
    let is_true = fields.value(problems, "restart", values::boolean)?;
    if !is_true {
        let message = "`restart` can only be `true`";
        problems.report(at, message, "write `restart: true`, or leave the step out");
    }
    let down = fields.value(problems, "down", values::time);
    let back = fields.value(problems, "back", values::time);
    Some(Deed::Restart {
        down: down.unwrap_or(DOWN),
        back: back.unwrap_or(BACK),
    })
}

/// A program beside the inventory by its whole path: where the steps are carried out, the working
/// directory is another.
fn located(program: &Template, inventory: &Path) -> Result<Template, Complaint> {
    let written = program.as_str();
    if !written.contains('/') || written.starts_with(['/', '{']) {
        return Ok(program.clone());
    }
    let folder = absolute(inventory, ".");
    let braces = |text: &str| text.replace('{', "{{").replace('}', "}}");
    let folder = braces(&folder.to_string_lossy());
    let written = written.trim_start_matches("./");
    Template::parse(&format!("{}/{written}", folder.trim_end_matches("/.")))
}
