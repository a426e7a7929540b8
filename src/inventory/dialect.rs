//! `cwd`, `account`, `before_store`, `data` and `data_address`: what a server wants that others do
//! not ask for.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use crate::model::{Account, Active, DataAddress, DataMode, Dialect};

use super::error::{Complaint, Problems, quoted};
use super::fields::{Fields, Shape};
use super::tree::{Node, Value};
use super::values;

const DATA: Shape = Shape::new("`data`", &[&["active"]]);

const ACTIVE: Shape = Shape::new("`active`", &[&["address", "ports"]]);

const DATA_WAYS: &str = "write `data: passive`, `data: active`, or `data: { active: { address: \
                         192.0.2.1, ports: 50000-50099 } }`, where this host is to be connected to";

/// Verbs that the transfer itself sends, or that would end what it relies on.
const NOT_BEFORE: [&str; 28] = [
    "USER", "PASS", "ACCT", "AUTH", "PBSZ", "PROT", "CCC", "TYPE", "MODE", "STRU", "EPSV", "PASV",
    "EPRT", "PORT", "STOR", "STOU", "APPE", "RETR", "REST", "RNFR", "RNTO", "DELE", "ABOR", "REIN",
    "QUIT", "LIST", "NLST", "MLSD",
];

/// What is not given stays as it is in `base`.
pub(super) fn read(problems: &mut Problems, fields: &Fields<'_>, base: &Dialect) -> Dialect {
    let cwd = fields.value(problems, "cwd", values::boolean);
    let account = fields.get("account");
    let account = account.and_then(|node| account_of(problems, node));
    let before_store = fields.get("before_store");
    let before_store = before_store.map(|node| commands(problems, node));
    let data = fields.get("data").and_then(|node| data(problems, node));
    let data_address = fields.value(problems, "data_address", |problems, node, key| {
        let choices = [
            ("same-host", DataAddress::SameHost),
            ("as-told", DataAddress::AsTold),
        ];
        values::choice(problems, node, key, &choices)
    });
    let read = Dialect {
        cwd: cwd.unwrap_or(base.cwd),
        account: account.or_else(|| base.account.clone()),
        before_store: before_store.unwrap_or_else(|| base.before_store.clone()),
        data: data.unwrap_or_else(|| base.data.clone()),
        data_address: data_address.unwrap_or(base.data_address),
    };
    if let Some(node) = fields.get("data_address").or(fields.get("data"))
        && matches!(read.data, DataMode::Active(_))
        && read.data_address == DataAddress::AsTold
    {
        problems.report(
            &node.span,
            "`data_address: as-told` makes no sense beside `data: active`",
            "in active mode the server connects to this host and names no address: leave \
             `data_address` out, or write `data: { active: { address: 192.0.2.1 } }` for the one \
             that it is to connect to",
        );
    }
    read
}

/// Messages never repeat it: some servers use it like a second password.
fn account_of(problems: &mut Problems, node: &Node) -> Option<Account> {
    let complaint = match (node.text(), &node.value) {
        (_, Value::Broken) => return None,
        (Some(""), _) => Complaint::new("`account` is empty", "give it a value, or leave it out"),
        (Some(text), _) if text.chars().any(char::is_control) => Complaint::new(
            "`account` holds a control character",
            "write what the server wants behind `ACCT`, on one line",
        ),
        (Some(text), _) => return Some(Account::new(text)),
        (None, _) => Complaint::new(
            format!("`account` must be text, and this is {}", node.kind()),
            "write what the server wants behind `ACCT`: `account: VALUE`",
        ),
    };
    problems.complain(&node.span, complaint);
    None
}

fn commands(problems: &mut Problems, node: &Node) -> std::sync::Arc<[String]> {
    let mut commands = Vec::new();
    for (text, at) in values::texts(problems, node, "before_store") {
        match command(text) {
            Ok(()) => commands.push(text.to_owned()),
            Err(complaint) => problems.complain(&at.span, complaint),
        }
    }
    commands.into()
}

fn command(text: &str) -> Result<(), Complaint> {
    let like = "write commands as they are sent, like `before_store: [\"ALLO 8388608\", \"SITE \
                MEDIA FLASH\"]`";
    if text.chars().any(char::is_control) {
        let message = format!("the command {} holds a control character", quoted(text));
        return Err(Complaint::new(message, like));
    }
    let verb = text.split(' ').next().unwrap_or("").to_ascii_uppercase();
    if verb.is_empty() || !verb.chars().all(|c| c.is_ascii_alphanumeric()) {
        let message = format!("{} does not begin with a command of FTP", quoted(text));
        return Err(Complaint::new(message, like));
    }
    if NOT_BEFORE.contains(&verb.as_str()) {
        return Err(Complaint::new(
            format!("{} can't be sent before a file is stored", quoted(&verb)),
            "the transfer itself sends it where it belongs: leave it out",
        ));
    }
    Ok(())
}

fn data(problems: &mut Problems, node: &Node) -> Option<DataMode> {
    if !matches!(node.value, Value::Mapping(_)) {
        let choices = [("passive", false), ("active", true)];
        if matches!(node.value, Value::Sequence(_)) {
            let kind = node.kind();
            let message = format!("`data` must be a word or a mapping, and this is {kind}");
            return problems.refuse(&node.span, message, DATA_WAYS);
        }
        let active = values::choice(problems, node, "data", &choices)?;
        return Some(match active {
            true => DataMode::Active(Active::default()),
            false => DataMode::Passive,
        });
    }
    let fields = Fields::read(problems, node, &DATA);
    let Some(node) = fields.get("active") else {
        if matches!(&node.value, Value::Mapping(entries) if entries.is_empty()) {
            problems.report(&node.span, "`data` is empty", DATA_WAYS);
        }
        return None;
    };
    let fields = Fields::read(problems, node, &ACTIVE);
    if !fields.are_there() {
        return None;
    }
    let address = fields.value(problems, "address", |problems, node, key| {
        let written = values::text(problems, node, key)?;
        let address = written.parse::<Ipv4Addr>().ok();
        let address = address.filter(|one| !one.is_unspecified() && !one.is_multicast());
        address.or_else(|| {
            problems.refuse(
                &node.span,
                format!("{} is no address to connect to", quoted(written)),
                "write the IPv4 address at which the server reaches this host, like `192.0.2.1`; \
                 without it that of the control connection is told",
            )
        })
    });
    let ports = fields.value(problems, "ports", |problems, node, key| {
        let written = values::text(problems, node, key)?;
        ports(written).or_else(|| {
            problems.refuse(
                &node.span,
                format!("{} is no range of ports", quoted(written)),
                "write the first and the last one, like `50000-50099`: as many as entities are \
                 sent to at a time, at least",
            )
        })
    });
    Some(DataMode::Active(Active { address, ports }))
}

/// `50000-50099`, or one port.
fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ports_are_read_or_refused() {
        assert_eq!(ports("50000-50099"), Some(50000..=50099));
        assert_eq!(ports("50000 - 50000"), Some(50000..=50000));
        assert_eq!(ports("2020"), Some(2020..=2020));
        for wrong in ["", "-", "0", "0-9", "9-8", "1-70000", "a-b", "1-2-3"] {
            assert_eq!(ports(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn commands_that_a_transfer_relies_on_are_refused() {
        for good in [
            "ALLO 8388608",
            "SITE MEDIA FLASH",
            "MEDIA flash",
            "ACTIVATE",
        ] {
            assert!(command(good).is_ok(), "{good}");
        }
        for wrong in [
            "STOR x",
            "dele /a",
            "TYPE A",
            "quit",
            "",
            " SITE",
            "A\r\nDELE b",
            "<x>",
        ] {
            assert!(command(wrong).is_err(), "{wrong}");
        }
    }
}
