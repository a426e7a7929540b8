//! The things that are done with each server, and what must have come of them.

use serde_json::Value;

use crate::delivery::{killed, leftover, many, online, overwrite, recovered, source, verify};
use crate::evidence::{LOST, RUN, Wrong, delivered};
use crate::limits::expected;
use crate::line::{Family, Line, Way};
use crate::site::{By, From, HostKeys, OLD, Site, Wanted};
use crate::support::real::{SshLogin, SshSetup};
use crate::table::Cell;
use crate::{faults, sources, ssh};

/// One thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Online,
    Fresh,
    Overwrite,
    Best,
    Readback,
    Direct,
    Verify,
    Source,
    Peer,
    Killed,
    Recover,
    Leftover,
    OneSession,
    FourPorts,
    Explicit,
    Implicit,
    Broken,
    Gone,
    Stalled,
    Full,
    Denied,
    NoRename,
    WrongPassword,
    Key,
    LockedKey,
    Questions,
    Legacy,
    WrongKey,
    NewKey,
    Token,
    WrongToken,
    TooLarge,
    Offset,
    Whole,
    Changing,
    Moved,
    Away,
    Loop,
    Short,
    Cut,
    Unread,
}

/// In the order in which they are done.
pub(crate) const ROWS: [Row; 41] = [
    row("online", What::Online),
    row("fresh", What::Fresh),
    row("overwrite", What::Overwrite),
    row("best", What::Best),
    row("readback", What::Readback),
    row("direct", What::Direct),
    row("verify", What::Verify),
    row("source", What::Source),
    row("peer", What::Peer),
    row("killed", What::Killed),
    row("recover", What::Recover),
    row("leftover", What::Leftover),
    row("1 session", What::OneSession),
    row("4 ports", What::FourPorts),
    row("explicit", What::Explicit),
    row("implicit", What::Implicit),
    // The server's own faults, while it is written.
    row("broken", What::Broken),
    row("gone", What::Gone),
    row("stalled", What::Stalled),
    row("full", What::Full),
    row("denied", What::Denied),
    row("no rename", What::NoRename),
    // Who comes, and to whom.
    row("password", What::WrongPassword),
    row("key", What::Key),
    row("locked", What::LockedKey),
    row("questions", What::Questions),
    row("legacy", What::Legacy),
    row("wrong key", What::WrongKey),
    row("new key", What::NewKey),
    row("token", What::Token),
    row("no token", What::WrongToken),
    row("too large", What::TooLarge),
    // Its faults as a source.
    row("offset", What::Offset),
    row("whole", What::Whole),
    row("changing", What::Changing),
    row("moved", What::Moved),
    row("away", What::Away),
    row("loop", What::Loop),
    row("short", What::Short),
    row("cut", What::Cut),
    row("unread", What::Unread),
];

const fn row(name: &'static str, what: What) -> Row {
    Row { name, what }
}

/// A limit of a server that its own limits are tried with.
const SESSIONS: usize = 1;
const PORTS: u16 = 4;

impl Row {
    /// Whether a server has such a thing, on this way.
    pub(crate) fn is_for(self, line: Line) -> bool {
        let (way, offers) = (line.way, line.make.offers());
        let family = way.family();
        let other = family != Family::Ftp;
        let openssh = line.make.name() == "openssh";
        let nginx = line.make.name() == "nginx";
        // Faults are tried in clear text, and over the TLS of lighttpd.
        let rest = [
            "online",
            "overwrite",
            "best",
            "source",
            "killed",
            "token",
            "no token",
            "too large",
            "offset",
            "moved",
        ];
        if nginx && way == Way::Https && !rest.contains(&self.name) {
            return false;
        }
        match self.what {
            What::Online | What::Fresh | What::Overwrite | What::Direct => true,
            What::Best | What::Readback | What::Verify | What::Peer => way.gives_back(),
            What::Source => way.is_source(),
            What::Killed | What::Recover | What::Leftover => !way.is_direct(),
            What::OneSession => offers.sessions,
            What::FourPorts => family == Family::Ftp && offers.ports,
            What::Explicit => family == Family::Ftp && offers.explicit,
            What::Implicit => family == Family::Ftp && offers.implicit,
            What::Broken | What::Gone | What::Stalled | What::Full => other,
            // It runs as who runs this, to whom nothing is denied.
            What::Denied | What::Unread if line.make.owner().is_none() => false,
            What::Denied => other,
            What::NoRename => openssh && way == Way::Sftp,
            What::WrongPassword => other && way != Way::Tftp && !line.make.login().1.is_empty(),
            What::Key | What::LockedKey | What::WrongKey | What::NewKey => family == Family::Ssh,
            What::Questions => openssh && !line.make.login().1.is_empty(),
            What::Legacy => openssh,
            What::WrongToken | What::TooLarge => nginx,
            What::Token | What::Changing | What::Moved | What::Away | What::Loop => nginx,
            What::Whole => nginx || way == Way::Form,
            What::Offset => other && way.is_source() && way != Way::Form,
            What::Short | What::Cut | What::Unread => other && way.is_source(),
        }
    }
}

/// What came of it.
pub(crate) async fn cell(line: Line, row: Row) -> Cell {
    if !row.is_for(line) {
        return Cell::NotOffered;
    }
    let limit = expected(&line.name(), row.name);
    match (done(line, row).await, limit) {
        (Ok(()), None) => Cell::Delivered,
        (Ok(()), Some(limit)) => Cell::Wrong(format!("not a limit any more: {}", limit.why)),
        (Err(cause), Some(limit)) if cause.contains(limit.words) && !cause.starts_with(LOST) => {
            Cell::Limit {
                why: limit.why,
                cause,
            }
        }
        (Err(cause), _) => Cell::Wrong(cause),
    }
}

async fn done(line: Line, row: Row) -> Result<(), Wrong> {
    let plain = Wanted::default();
    match row.what {
        What::Online => online(&Site::new(line, plain).await).await,
        What::Fresh => {
            let site = Site::new(line, plain).await;
            delivered(&site, &Wanted::default(), &RUN).await?;
            Ok(())
        }
        What::Overwrite => overwrite(line, plain).await.map(drop),
        What::Best => {
            let said = overwrite(line, plain).await?;
            match said["verified"].as_str() {
                Some("digest" | "readback") => Ok(()),
                other => Err(format!("not proven by content: {other:?}")),
            }
        }
        What::Readback => {
            let settings = ", verify: readback";
            let said = overwrite(line, Wanted { settings, ..plain }).await?;
            match said["verified"].as_str() {
                Some("readback") => Ok(()),
                other => Err(format!("not read back: {other:?}")),
            }
        }
        What::Direct => {
            let settings = ", staging: direct";
            let said = overwrite(line, Wanted { settings, ..plain }).await?;
            match said["staged"].as_bool() {
                Some(false) => Ok(()),
                other => Err(format!("not direct: {other:?}")),
            }
        }
        What::Verify => verify(&Site::new(line, plain).await).await,
        What::Source => source(line, plain).await.map(drop),
        What::Peer => {
            let source = From::Peer;
            let site = Site::new(line, Wanted { source, ..plain }).await;
            site.server.put(site.name, OLD);
            let summary = delivered(&site, &Wanted::default(), &RUN).await?;
            match &summary["groups"][0]["source"] {
                Value::String(name) if name == "peer:peer" => Ok(()),
                other => Err(format!("the peer was not read, but {other}")),
            }
        }
        What::Killed => killed(line).await,
        What::Recover => recovered(line).await,
        What::Leftover => leftover(line).await,
        What::OneSession => {
            let sessions = Some(SESSIONS);
            let entities = 4;
            many(
                line,
                Wanted {
                    sessions,
                    entities,
                    ..plain
                },
            )
            .await
        }
        What::FourPorts => {
            let ports = Some(PORTS);
            let entities = 8;
            many(
                line,
                Wanted {
                    ports,
                    entities,
                    ..plain
                },
            )
            .await
        }
        What::Explicit | What::Implicit => {
            let (explicit, implicit) = match row.what {
                What::Explicit => (true, false),
                _ => (false, true),
            };
            let settings = ", verify: readback";
            let wanted = Wanted {
                explicit,
                implicit,
                settings,
                ..plain
            };
            overwrite(line, wanted).await.map(drop)
        }
        What::Broken => faults::broken(line).await,
        What::Gone => faults::gone(line).await,
        What::Stalled => faults::stalled(line).await,
        What::Full => faults::full(line).await,
        What::Denied => faults::denied(line).await,
        What::NoRename => faults::no_rename(line).await,
        What::WrongPassword => faults::wrong_password(line).await,
        What::WrongToken => faults::wrong_token(line).await,
        What::TooLarge => faults::too_large(line).await,
        What::Key => came_in(line, By::Key, SshLogin::Key).await,
        What::LockedKey => came_in(line, By::LockedKey, SshLogin::Key).await,
        What::Questions => came_in(line, By::Password, SshLogin::Questions).await,
        What::Legacy => ssh::legacy(line).await,
        What::WrongKey => ssh::wrong_key(line).await,
        What::NewKey => ssh::new_key(line).await,
        _ => as_source(line, row.what).await,
    }
}

/// The image comes to stand in the place of another file, brought by who identifies itself so.
async fn came_in(line: Line, by: By, login: SshLogin) -> Result<(), Wrong> {
    let ssh = SshSetup {
        login,
        ..SshSetup::default()
    };
    let trust = HostKeys::File;
    let wanted = Wanted {
        by,
        ssh,
        trust,
        ..Wanted::default()
    };
    overwrite(line, wanted).await.map(drop)
}

/// What is about reading the server.
async fn as_source(line: Line, what: What) -> Result<(), Wrong> {
    match what {
        What::Token => sources::token(line).await,
        // SCP reads a file from its beginning only.
        What::Offset => sources::broken(line, None, line.way != Way::Scp).await,
        What::Whole => {
            let folder = (line.way != Way::Form).then_some("whole/");
            sources::broken(line, folder, false).await
        }
        What::Changing => sources::broken(line, Some("changing/"), false).await,
        What::Moved => {
            let folder = Some("moved/");
            let wanted = Wanted {
                folder,
                ..Wanted::default()
            };
            source(line, wanted).await.map(drop)
        }
        What::Away => sources::refused(line, "away/", &["127.0.0.2"]).await,
        What::Loop => sources::refused(line, "loop/", &["redirect", "look elsewhere"]).await,
        What::Short => sources::short(line).await,
        What::Cut => sources::cut(line).await,
        What::Unread => sources::unread(line).await,
        other => Err(format!("nothing is done for {other:?}")),
    }
}
