//! `defaults`: what holds for everything that does not say otherwise.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::names::Pattern;
use crate::model::scheme::{FTP_KEYS, HTTP_KEYS, SSH_KEYS, TLS_KEYS};
use crate::model::staging::{AUTO, Names, NamesError};
use crate::model::{
    CredentialsRef, Dialect, Http, Name, RemotePath, Ssh, Staging, Timeouts, Tls, VerifyMode,
};

use super::credentials;
use super::dialect;
use super::error::{Complaint, Problems, quoted};
use super::fields::{Fields, Shape, mapping};
use super::http;
use super::procedures;
use super::ssh;
use super::tls;
use super::tree::Node;
use super::values::{self, DELIVERY_KEYS, TIME_KEYS};

const DEFAULTS: Shape = Shape::new(
    "`defaults`",
    &[
        &["credentials", "path"],
        TIME_KEYS,
        DELIVERY_KEYS,
        &["labels", "deliver"],
        &TLS_KEYS,
        &SSH_KEYS,
        &FTP_KEYS,
        &HTTP_KEYS,
    ],
);

const TIMEOUTS: Shape = Shape::new(
    "`timeouts`",
    &[&["connect", "reply", "progress", "confirm"]],
);

/// Words that mean something else in `select`.
pub(super) const NO_LABELS: [&str; 3] = ["type", "version", "name"];

#[derive(Debug)]
pub(super) struct Defaults {
    pub credentials: Option<Name>,
    /// `Err` when it is given but unusable: that entities have no path need not be reported.
    pub path: Option<Result<RemotePath, ()>>,
    pub timeouts: Timeouts,
    pub tls: Tls,
    pub ssh: Ssh,
    pub dialect: Dialect,
    pub http: Http,
    pub delivery: Delivery,
    pub labels: BTreeMap<String, String>,
    /// Whether entities fetch their image.
    pub fetches: Option<bool>,
}

/// How a file gets onto an entity.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub verify: VerifyMode,
    pub staging: Staging,
    pub delete_first: bool,
    pub staging_name: Name,
}

pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    credentials: &[CredentialsRef],
    inventory: &Path,
) -> Defaults {
    let fields = node.map(|node| Fields::read(problems, node, &DEFAULTS));
    let fields = &fields.unwrap_or_default();
    let dialect = dialect::read(problems, fields, &Dialect::default());
    let usual = Delivery {
        verify: VerifyMode::default(),
        staging: Staging::default(),
        delete_first: false,
        staging_name: AUTO.into(),
    };
    let delivery = delivery(problems, fields, &usual);
    check_folder(problems, fields, &delivery, &dialect);
    Defaults {
        credentials: credentials::reference(problems, fields.get("credentials"), credentials),
        path: (fields.get("path")).map(|node| default_path(problems, node).ok_or(())),
        timeouts: timeouts(problems, fields, Timeouts::default()),
        tls: tls::read(problems, fields, &Tls::default(), inventory),
        ssh: ssh::read(problems, fields, &Ssh::default(), inventory),
        dialect,
        http: http::read(problems, fields, &Http::default()),
        delivery,
        labels: labels(problems, fields.get("labels"), &BTreeMap::new()),
        fetches: procedures::deliver(problems, fields),
    }
}

/// A staging name in a folder of its own can't be sent without one. It is said where one of the two
/// is written.
pub(super) fn check_folder(
    problems: &mut Problems,
    fields: &Fields<'_>,
    delivery: &Delivery,
    dialect: &Dialect,
) {
    let mut keys = ["staging_name", "cwd"].iter();
    let written = keys.find_map(|key| fields.get(key));
    let contradicts =
        delivery.staging == Staging::Rename && dialect.cwd && delivery.staging_name.contains('/');
    if let Some(node) = written.filter(|_| contradicts) {
        problems.report(
            &node.span,
            format!(
                "the staging name {} is in a folder of its own, and `cwd: true` sends names \
                 without a folder only",
                quoted(&delivery.staging_name)
            ),
            "write a name beside the file, like `staging_name: \"{stem}.new\"`, or leave `cwd` out",
        );
    }
}

fn default_path(problems: &mut Problems, node: &Node) -> Option<RemotePath> {
    let written = values::text(problems, node, "path")?;
    let path = Pattern::ranges(written).and_then(|pattern| match pattern.has_range() {
        true => Err(Complaint::new(
            format!(
                "{} has a range, but there are no names here to go with it",
                quoted(written)
            ),
            "write a path with a range beside the names of its entities",
        )),
        false => check_path(written),
    });
    problems.ok(&node.span, path)
}

/// The destination file on an entity.
pub(super) fn check_path(path: &str) -> Result<RemotePath, Complaint> {
    if path.chars().any(char::is_control) {
        return Err(Complaint::new(
            format!("the path {} holds a control character", quoted(path)),
            "a path can't hold CR, LF, NUL and the like: write plain text",
        ));
    }
    RemotePath::new(path).map_err(|_| {
        Complaint::new(
            format!("{} does not name a file", quoted(path)),
            "write the whole path of the destination file, like `/flash/image.bin`",
        )
    })
}

/// `timeouts`, each of the four separately, and `min_rate` beside it; what is not given stays as it
/// is in `base`.
pub(super) fn timeouts(problems: &mut Problems, of: &Fields<'_>, base: Timeouts) -> Timeouts {
    let min_rate = of.value(problems, "min_rate", values::rate);
    let fields = of.get("timeouts");
    let fields = fields.map(|node| Fields::read(problems, node, &TIMEOUTS));
    let fields = fields.unwrap_or_default();
    let mut one = |key, base| fields.value(problems, key, values::time).unwrap_or(base);
    Timeouts {
        connect: one("connect", base.connect),
        reply: one("reply", base.reply),
        progress: one("progress", base.progress),
        confirm: one("confirm", base.confirm),
        min_rate: min_rate.unwrap_or(base.min_rate),
    }
}

pub(super) fn delivery(problems: &mut Problems, fields: &Fields<'_>, base: &Delivery) -> Delivery {
    let verify = fields.value(problems, "verify", |problems, node, key| {
        let choices = VerifyMode::ALL.map(|mode| (mode.word(), mode));
        values::choice(problems, node, key, &choices)
    });
    let staging = fields.value(problems, "staging", |problems, node, key| {
        let choices = [("rename", Staging::Rename), ("direct", Staging::Direct)];
        values::choice(problems, node, key, &choices)
    });
    let delete_first = fields.value(problems, "delete_first", values::boolean);
    let staging_name = fields.value(problems, "staging_name", |problems, node, key| {
        let pattern = values::text(problems, node, key)?;
        // A path that any pattern can be tried on: what depends on the path is found later.
        let tried = RemotePath::new("/a/b.c").map(|path| Names::new(&path, pattern, ""));
        match tried {
            Ok(Err(
                error @ (NamesError::Placeholder(_) | NamesError::Outside(_) | NamesError::Path(_)),
            )) => {
                wrong_name(problems, node, pattern, &error);
                None
            }
            _ => Some(Name::from(pattern)),
        }
    });
    if staging == Some(Staging::Direct) {
        for (key, contradicts) in [
            ("delete_first", delete_first == Some(true)),
            ("staging_name", staging_name.is_some()),
        ] {
            if let Some(node) = fields.get(key).filter(|_| contradicts) {
                problems.report(
                    &node.span,
                    format!("`{key}` makes no sense beside `staging: direct`"),
                    format!(
                        "with `staging: direct` the data goes to the final name at once: leave \
                         `{key}` out, or write `staging: rename`"
                    ),
                );
            }
        }
    }
    Delivery {
        verify: verify.unwrap_or(base.verify),
        staging: staging.unwrap_or(base.staging),
        delete_first: delete_first.unwrap_or(base.delete_first),
        staging_name: staging_name.unwrap_or_else(|| base.staging_name.clone()),
    }
}

pub(super) fn wrong_name(problems: &mut Problems, node: &Node, pattern: &str, error: &NamesError) {
    problems.report(
        &node.span,
        format!("`staging_name` can't be {}: {error}", quoted(pattern)),
        "leave `staging_name: auto`, or write a name of its own like `{stem}.new`, or `tmp/{name}` \
         in a directory below the file's own",
    );
}

/// The labels of an entity: its own, and those of `base` that it does not give itself.
pub(super) fn labels(
    problems: &mut Problems,
    node: Option<&Node>,
    base: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels = base.clone();
    let entries = node.and_then(|node| {
        mapping(problems, node, "`labels`", || {
            "write `labels: { site: north }`".into()
        })
    });
    for (key, at, value) in entries.unwrap_or_default() {
        if NO_LABELS.contains(&key) {
            problems.report(
                at,
                format!("a label can't be called {}", quoted(key)),
                format!("`{key}` is a key of the entity itself: choose another word"),
            );
        } else if let Err(complaint) = values::check_name(key) {
            problems.complain(at, complaint);
        } else if let Some(text) = values::label(problems, value, key) {
            labels.insert(key.to_owned(), text);
        }
    }
    labels
}
