//! The command line of a device of the lab, over telnet, SSH and HTTP, and the machine behind it that boots the files
//! which come in by the other door.
//!
//! - here: one connection, from its login to its end; a restart ends those of all doors
//! - `machine` what is booted, pure; `unit` the machine of one entity, with its images and doors
//! - `dialect` what families of devices speak, as tables; `text` what is filled into their texts
//! - `fetch` what a device fetches by a command
//! - `shell` carries commands out; `terminal` reads lines and keys; `telnet`, `ssh` and `http` carry them

mod dialect;
mod fetch;
mod http;
mod machine;
mod shell;
mod ssh;
mod telnet;
mod terminal;
mod text;
mod unit;

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use self::dialect::{Dialect, Mode};
use self::shell::{Shell, Step};
use self::terminal::Terminal;
use super::behaviour::CommandLine;
use super::life::Boot;
use super::server::Server;
use super::session::{reboot, reset};

pub(super) use machine::Machine;
pub use machine::MachineState;
pub use unit::Over;
pub(super) use unit::{Bootable, Unit};

/// Wrong logins before a connection over telnet ends.
const LOGINS: usize = 3;

/// The machine behind a command line, or behind FTP alone, which boots the file at its `path`.
pub(super) fn machine(version: &str, path: &str, settings: &CommandLine) -> Machine {
    let dialect = dialect::of(settings.dialect);
    let boots_file = dialect.boots_file || !settings.has_door();
    let two = (settings.banks).map_or(dialect.two_banks, |banks| banks == 2);
    let runs = settings.runs_file.clone();
    let file = runs.or_else(|| boots_file.then(|| path.to_owned()));
    Machine::new(version, two, file)
}

/// One session on a command line, until either side closes it.
pub(super) async fn session(server: Arc<Server>, boot: Boot, over: Over, mut client: TcpStream) {
    let session = async {
        client.set_nodelay(true)?;
        match over {
            Over::Telnet => over_telnet(&server, &mut client).await,
            Over::Ssh => ssh::session(&server, &mut client).await,
            Over::Http => http::session(&server, &mut client).await,
        }
    };
    match server.while_alive(boot, session).await {
        Some(Ok(Step::Restart)) => restart(&server).await,
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            tracing::debug!(server = %server.name, "a command line of the lab ended: {error}");
        }
        // A device that vanishes does not take its leave.
        None => reset(&server, &client),
    }
}

/// The device restarts, with all its doors.
pub(super) async fn restart(server: &Arc<Server>) {
    if let Some(back) = reboot(server, server.behaviour.cli.boot_time()).await {
        // It waits for the end of this very session. The lab's runtime ends it at the latest.
        tokio::spawn(back);
    }
}

async fn over_telnet(server: &Arc<Server>, client: &mut TcpStream) -> io::Result<Step> {
    let settings = &server.behaviour.cli;
    let Some(unit) = &server.unit else {
        return Ok(Step::Leave);
    };
    let (from, to) = client.split();
    let mut terminal = Terminal::telnet(Box::new(from), Box::new(to), settings.escapes).await?;
    let dialect = dialect::of(settings.dialect);
    let open = unit.open(settings.max_sessions);
    if open.is_none() {
        terminal.show(busy(server, dialect)).await?;
        terminal.end().await?;
        return Ok(Step::Leave);
    }
    let named = |text: &str| text.replace("{name}", &server.name);
    terminal.show(&named(dialect.banner)).await?;
    for _ in 0..LOGINS {
        terminal.show(&named(dialect.user)).await?;
        let Some(user) = terminal.line(true).await? else {
            return Ok(Step::Leave);
        };
        terminal.show(dialect.password).await?;
        let Some(password) = terminal.line(settings.echo_password).await? else {
            return Ok(Step::Leave);
        };
        if unit.ends_login() {
            return Ok(Step::Leave);
        }
        if let_in(server, &user, Some(&password)) {
            let mut shell = shell(server, unit, dialect, terminal, user);
            let step = shell.run().await?;
            let ended = shell.terminal.end().await;
            // A client that leaves at once keeps no device from restarting.
            return match step {
                Step::Restart => Ok(step),
                step => ended.map(|()| step),
            };
        }
        terminal.show(dialect.denied).await?;
    }
    terminal.end().await?;
    Ok(Step::Leave)
}

fn shell<'a>(
    server: &'a Arc<Server>,
    unit: &'a Unit,
    dialect: &'static Dialect,
    terminal: Terminal<'a>,
    user: String,
) -> Shell<'a> {
    Shell {
        server,
        unit,
        dialect,
        terminal,
        user,
        mode: Mode::User,
        page: server.behaviour.cli.page.unwrap_or(dialect.page),
    }
}

/// What is said where there is no room.
fn busy<'a>(server: &'a Server, dialect: &'a Dialect) -> &'a str {
    let said = server.behaviour.cli.busy_reply.as_deref();
    said.unwrap_or(dialect.busy)
}

/// Any user, or the one whom the inventory names; any password, or the one of the settings. Without a password
/// there was a key, which is not looked at.
fn let_in(server: &Server, user: &str, password: Option<&str>) -> bool {
    let wanted = server.behaviour.cli.password.as_deref();
    let is_right = (wanted.zip(password)).is_none_or(|(wanted, given)| wanted == given);
    server.lets_in(user) && is_right
}
