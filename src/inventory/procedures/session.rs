//! `session`: how the command line of a device is reached, and its web server, of a procedure; and where, of an entity.

use std::str::FromStr;

use crate::model::procedure::{Pattern, SessionSpec, Way, WebSpec};
use crate::model::scheme::{SSH_KEYS, TLS_KEYS};
use crate::model::{CredentialsRef, LoginBy, Name, SessionAddress, Ssh};

use super::super::address::{host_with_port, refuse_user};
use super::super::credentials;
use super::super::error::{Complaint, Problems, quoted};
use super::super::fields::{Fields, Shape};
use super::super::ssh;
use super::super::tree::Node;
use super::super::values;
use super::{Known, http, texts};

const SESSION: Shape = Shape::new(
    "`session`",
    &[
        &[
            "ssh",
            "telnet",
            "http",
            "https",
            "credentials",
            "prompt",
            "exec",
        ],
        &SSH_KEYS,
        &TLS_KEYS,
    ],
);

const WAYS: &str = "write `session: { ssh: 22, credentials: NAME }` or `{ telnet: 23, credentials: NAME }`; and for \
                    `http` steps `http: 80` or `https: 443`, beside it or alone";

/// What most command lines wait with: `card7#`, `craft@card7(config)> `, `[admin@card7] /system> `, `/ # `. Not
/// every `#` or `%` at the end of a line: those are what progress is shown with.
const PROMPT: &str = r"^(\[?[A-Za-z~/][\w.@()/:~-]*\]?( [/~][\w/~-]*)? ?[#>$%]|[#>$] ) ?$";

/// A session that could be read, and whether each entity is logged in to with its own credentials.
pub(super) struct Session {
    pub(super) line: Option<SessionSpec>,
    pub(super) web: Option<WebSpec>,
    pub(super) takes_entitys: bool,
}

pub(super) fn read(problems: &mut Problems, node: &Node, known: Known<'_>) -> Option<Session> {
    let fields = Fields::read(problems, node, &SESSION);
    if !fields.are_there() {
        return None;
    }
    let way = way(problems, node, &fields);
    let named = fields.get("credentials");
    let credentials = credentials::reference(problems, named, known.credentials);
    let web = http::web(problems, &fields, credentials.clone(), known);
    if let (Some(node), Some(name)) = (named, &credentials) {
        let mut all = known.credentials.iter();
        let found = all.find(|one| one.name == *name);
        let refusal = found.and_then(|one| {
            let line = way.flatten().and_then(|(way, _)| unsuitable(one, way));
            let web = web.as_ref().and_then(Option::as_ref);
            line.or_else(|| http::unsuitable(one, web?.scheme))
        });
        if let Some(complaint) = refusal {
            problems.complain(&node.span, complaint);
        }
    }
    let line = line(problems, &fields, way, credentials, known);
    Some(Session {
        takes_entitys: fields.key_span("credentials").is_none() && !fields.is_meant("credentials"),
        line: line?,
        web: web?,
    })
}

/// The command line; `Some(None)` where there is none.
fn line(
    problems: &mut Problems,
    fields: &Fields<'_>,
    way: Option<Option<(Way, u16)>>,
    credentials: Option<Name>,
    known: Known<'_>,
) -> Option<Option<SessionSpec>> {
    let ssh = match way {
        Some(Some((Way::Telnet, _))) => {
            no_keys(problems, fields);
            Ssh::default()
        }
        // Also where it can't be read how it is reached.
        Some(Some((Way::Ssh, _))) | None => {
            ssh::read(problems, fields, &known.defaults.ssh, known.file)
        }
        Some(None) => {
            let mut keys = SSH_KEYS.iter().chain(&["prompt", "exec"]);
            if let Some((key, at)) = keys.find_map(|key| Some((key, fields.key_span(key)?))) {
                problems.report(
                    at,
                    format!("{} stands in a session without a command line", quoted(key)),
                    "add `ssh: 22` or `telnet: 23`, or leave the key out",
                );
            }
            return Some(None);
        }
    };
    let is_exec = is_exec(problems, fields, way.flatten());
    let prompt = match fields.get("prompt") {
        Some(node) => texts::shown(problems, node, "prompt").map(Some),
        None if is_exec => Some(None),
        None => Pattern::from_str(PROMPT).ok().map(Some),
    };
    let (way, port) = way.flatten()?;
    Some(Some(SessionSpec {
        way,
        port,
        credentials,
        ssh,
        prompt: prompt?,
    }))
}

/// The port of what is `called` so.
pub(super) fn port(
    problems: &mut Problems,
    fields: &Fields<'_>,
    key: &str,
    called: &str,
) -> Option<u16> {
    fields.value(problems, key, |problems, node, key| {
        let written = values::text(problems, node, key)?;
        let port = written.parse::<u16>().ok().filter(|port| *port > 0);
        port.or_else(|| {
            let message = format!("{} is not the port of a {called}", quoted(written));
            let help = format!("write `{key}: PORT`, from 1 to 65535");
            problems.refuse(&node.span, message, help)
        })
    })
}

/// Whether each line is a command of its own.
fn is_exec(problems: &mut Problems, fields: &Fields<'_>, way: Option<(Way, u16)>) -> bool {
    let is_exec = fields.value(problems, "exec", values::boolean) == Some(true);
    if let Some(at) = fields.key_span("exec").filter(|_| is_exec) {
        if matches!(way, Some((Way::Telnet, _))) {
            let message = "`exec` stands beside `telnet`, which has nothing but a shell";
            problems.report(at, message, "write `ssh: 22`, or leave `exec` out");
            return false;
        }
        if let Some(at) = fields.key_span("prompt") {
            let message = "`prompt` stands beside `exec: true`: where each line is a command, there is no shell";
            problems.report(at, message, "leave one of them out");
        }
    }
    is_exec
}

/// How the command line is reached; `Some(None)` where there is none, and only requests are made.
fn way(problems: &mut Problems, node: &Node, fields: &Fields<'_>) -> Option<Option<(Way, u16)>> {
    let mut port = |key: &str| port(problems, fields, key, "command line");
    let (ssh, telnet) = (port("ssh"), port("telnet"));
    let is_there = |key: &str| fields.key_span(key).is_some() || fields.is_meant(key);
    match (fields.key_span("ssh"), fields.key_span("telnet")) {
        (Some(_), Some(at)) => {
            let message = "both `ssh` and `telnet` are given";
            problems.refuse(
                at,
                message,
                "keep one: a command line is reached in one way",
            )
        }
        (None, None) if ["ssh", "telnet"].iter().any(|key| fields.is_meant(key)) => None,
        (None, None) if http::WAYS.iter().any(|(key, _)| is_there(key)) => Some(None),
        (None, None) => {
            let message = "`session` says neither `ssh` nor `telnet`, nor `http` or `https`";
            problems.refuse(&node.span, message, WAYS)
        }
        (Some(_), None) => Some(Some((Way::Ssh, ssh?))),
        (None, Some(_)) => Some(Some((Way::Telnet, telnet?))),
    }
}

fn no_keys(problems: &mut Problems, fields: &Fields<'_>) {
    for (key, at) in SSH_KEYS
        .iter()
        .filter_map(|key| Some((key, fields.key_span(key)?)))
    {
        problems.report(
            at,
            format!("{} stands beside `telnet`", quoted(key)),
            "telnet knows no keys and hides nothing: write `ssh: 22`, or leave the key out",
        );
    }
}

/// Why nobody can log in to a command line with these credentials.
pub(super) fn unsuitable(credentials: &CredentialsRef, way: Way) -> Option<Complaint> {
    let suits = match way {
        Way::Ssh => credentials.by != LoginBy::Token,
        Way::Telnet => credentials.by == LoginBy::Password,
    };
    let over = match way {
        Way::Ssh => "SSH",
        Way::Telnet => "telnet",
    };
    (!suits).then(|| {
        Complaint::new(
            format!(
                "credentials {} identify the user by `{}`, and a command line over {over} does not take that",
                quoted(&credentials.name),
                credentials.by.word(),
            ),
            "name credentials with a `password` here: `credentials: NAME`",
        )
    })
}

/// Where the command line of an entity is, beside its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Place {
    /// That of the entity's address where none is given.
    host: Option<String>,
    port: Option<u16>,
}

impl Place {
    pub(in super::super) fn beside(&self, host: &str) -> SessionAddress {
        SessionAddress {
            host: self.host.clone().unwrap_or_else(|| host.to_owned()),
            port: self.port,
        }
    }
}

/// Reads `host`, `host:port`, `:port`, `[v6]` or `[v6]:port`.
pub(in super::super) fn parse_place(text: &str) -> Result<Place, Complaint> {
    const LIKE: &str =
        "write `HOST:PORT`, `HOST`, or `\":PORT\"` for another port at the entity's address";
    refuse_user(text)?;
    if text.contains('/') {
        let message = format!("{} is not where a command line is", quoted(text));
        let help = format!("{LIKE}: in which way it is reached, its procedure says");
        return Err(Complaint::new(message, help));
    }
    if text.chars().all(|c| c.is_ascii_digit()) {
        let message = format!("{} is not a host", quoted(text));
        return Err(Complaint::new(message, LIKE));
    }
    // A host must stand there for it to be read as any other address.
    let (is_port, whole) = match text.starts_with(':') && !text.starts_with("::") {
        true => (true, format!("host{text}")),
        false => (false, text.to_owned()),
    };
    let (host, port) = host_with_port(&whole)?;
    Ok(Place {
        host: (!is_port).then_some(host),
        port,
    })
}
