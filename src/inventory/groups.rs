//! `groups`: which entities get which image, and from where.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::model::campaign::Judged;
use crate::model::limits::BadLimit;
use crate::model::lookup::Lookup;
use crate::model::procedure::Versions;
use crate::model::rate::Sharing;
use crate::model::{
    Campaign, Entity, Extent, Flaw, Group, Image, Laggards, Limits, PeerChoice, SourceChoice,
    SourceSpec,
};

use super::campaign;
use super::credentials::absolute;
use super::error::{Problems, Span, quoted, some_of};
use super::fields::{Fields, Shape, section};
use super::members::{Targets, targets};
use super::procedures::Kinds;
use super::rates;
use super::tree::{Node, Value};
use super::values;

const GROUP: Shape = Shape::new(
    "a group",
    &[
        &[
            "select",
            "entities",
            "image",
            "source",
            "sources",
            "laggards",
            "laggard_limit",
            "retries",
            "retry_for",
            "parallel",
            "activate",
            "rate",
        ],
        campaign::KEYS,
    ],
);

const SOURCE: Shape = Shape::new("`source`", &[&["file_server", "file", "peer"]]);

const SOURCE_HELP: &str =
    "write `{ file_server: NAME }`, `{ file: PATH }`, `{ peer: ENTITY }` or `{ peer: any }`";
const SOURCES_HELP: &str =
    "write the preferred one first: `sources: [ { file_server: NAME }, { peer: any } ]`";

/// Reads the section. Groups with errors are left out.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    file: &Path,
    lookup: &Lookup<'_>,
    kinds: &Kinds<'_>,
) -> Vec<Arc<Group>> {
    let mut groups = Vec::new();
    let mut taken: HashMap<usize, &str> = HashMap::new();
    for (name, at, node) in section(problems, node, "groups") {
        let fields = Fields::read(problems, node, &GROUP);
        if !fields.are_there() {
            continue;
        }
        let before = problems.len();
        let targets = targets(problems, &fields, at, lookup);
        let is_whole = problems.len() == before;
        claim(problems, name, &targets, lookup, &mut taken);
        groups.extend(read_group(
            problems,
            (name, file),
            &fields,
            (&targets, is_whole),
            (lookup, kinds),
        ));
    }
    groups
}

fn read_group(
    problems: &mut Problems,
    (name, file): (&str, &Path),
    fields: &Fields<'_>,
    (targets, is_whole): (&Targets<'_>, bool),
    (lookup, kinds): (&Lookup<'_>, &Kinds<'_>),
) -> Option<Arc<Group>> {
    let image = fields.require(problems, "image", "adsl-2.4");
    let image = image.and_then(|node| {
        let name = values::text(problems, node, "image")?;
        problems.ok(&node.span, lookup.image(name))
    });
    let wanted: BTreeSet<usize> = targets.iter().map(|(at, _)| *at).collect();
    if let Some(image) = image {
        // What `select` and what each item of `entities` brought in is reported where it stands.
        let mut origins: Vec<(&Span, Vec<usize>)> = Vec::new();
        for (target, at) in targets {
            match origins.iter_mut().find(|(origin, _)| origin == at) {
                Some((_, group)) => group.push(*target),
                None => origins.push((at, vec![*target])),
            }
        }
        for (at, targets) in origins {
            for flaw in lookup.wrong_types(image, targets) {
                problems.complain(at, flaw.into());
            }
        }
    }
    let sources = sources(
        problems,
        fields,
        Wanted {
            file,
            image: image.map(|image| &**image),
            targets: &wanted,
            lookup,
            is_only: true,
        },
    );
    let laggards = fields.value(problems, "laggards", |problems, node, key| {
        let choices = [Laggards::CatchUp, Laggards::Wait, Laggards::Drop];
        values::choice(problems, node, key, &choices.map(|one| (one.word(), one)))
    });
    let limits = read_limits(problems, fields);
    let parallel = fields.value(problems, "parallel", values::count);
    let rate = rates::read(problems, fields, || {
        let entities = wanted.iter().map(|at| &*lookup.entities[*at]);
        Sharing::of(entities, parallel)
    });
    let image = image.map(|image| (image, &**image));
    let (extent, in_window) = extent(problems, fields, image.map(|(_, image)| image), kinds);
    // Of a group that is not known, nothing is too much or too little.
    let members = wanted.iter().filter(|_| is_whole);
    let members: Vec<&Entity> = members.map(|at| &*lookup.entities[*at]).collect();
    let judged = Judged {
        entities: &members,
        all: lookup.entities,
        image: image.map(|(_, image)| image),
        versions: image.map_or(Versions::None, |(_, image)| lookup.versions(&image.type_)),
    };
    let campaign = Campaign {
        rate,
        ..campaign::read(problems, fields, &judged, in_window)
    };
    let image = image.map(|(image, _)| image);
    let mut sources = sources?.into_iter();
    let procedure = image.and_then(|image| lookup.procedure(&image.type_));
    Some(Arc::new(Group {
        name: name.into(),
        image: Arc::clone(image?),
        source: sources.next()?,
        then: sources.collect(),
        entities: wanted
            .iter()
            .map(|at| Arc::clone(&lookup.entities[*at]))
            .collect(),
        laggards: laggards.unwrap_or_default(),
        limits,
        parallel,
        extent,
        procedure,
        campaign: Arc::new(campaign),
    }))
}

/// `activate`: whether the devices are made to run the image, too, and whether the window is for that alone.
fn extent(
    problems: &mut Problems,
    fields: &Fields<'_>,
    image: Option<&Image>,
    kinds: &Kinds<'_>,
) -> (Extent, bool) {
    const CHOICES: [(&str, (Extent, bool)); 3] = [
        ("now", (Extent::Upgrade, false)),
        ("later", (Extent::Deliver, false)),
        ("window", (Extent::Upgrade, true)),
    ];
    let Some(node) = fields.get("activate") else {
        return Default::default();
    };
    if let Some(image) = image.filter(|image| !kinds.may_activate(&image.type_)) {
        problems.complain(
            &node.span,
            Flaw::NothingActivates(image.type_.clone()).into(),
        );
    }
    values::choice(problems, node, "activate", &CHOICES).unwrap_or_default()
}

/// Each has its default where it is absent.
fn read_limits(problems: &mut Problems, fields: &Fields<'_>) -> Limits {
    let default = Limits::default();
    Limits {
        laggard: limit(problems, fields, "laggard_limit", Limits::read_laggard)
            .unwrap_or(default.laggard),
        retries: limit(problems, fields, "retries", Limits::read_retries)
            .unwrap_or(default.retries),
        retry_for: limit(problems, fields, "retry_for", Limits::read_retry_for)
            .unwrap_or(default.retry_for),
    }
}

fn limit<T>(
    problems: &mut Problems,
    fields: &Fields<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, BadLimit>,
) -> Option<T> {
    let node = fields.get(key)?;
    let written = values::text(problems, node, key)?;
    problems.ok(&node.span, read(written))
}

/// An entity gets one image at a time: `run --all` runs all groups at once.
fn claim<'n>(
    problems: &mut Problems,
    group: &'n str,
    targets: &Targets<'_>,
    lookup: &Lookup<'_>,
    taken: &mut HashMap<usize, &'n str>,
) {
    // By the group that has them already; in the order in which they are met.
    let mut twice: Vec<(&str, &Span, Vec<usize>)> = Vec::new();
    for (target, at) in targets {
        match taken.get(target) {
            Some(other) if *other == group => {}
            Some(other) => match twice.iter_mut().find(|(known, _, _)| known == other) {
                Some((_, _, entities)) => entities.push(*target),
                None => twice.push((other, at, vec![*target])),
            },
            None => {
                taken.insert(*target, group);
            }
        }
    }
    for (other, at, entities) in twice {
        let names = some_of(entities.iter().map(|at| &*lookup.entities[*at].name));
        let (are, them) = if entities.len() == 1 {
            ("is", "it")
        } else {
            ("are", "them")
        };
        problems.report(
            at,
            format!("{names} {are} in the group {} already", quoted(other)),
            format!("groups run at the same time, with one image an entity: leave {them} out here"),
        );
    }
}

/// What a source is judged by beside its own words.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// The inventory's, where a path begins.
    file: &'a Path,
    image: Option<&'a Image>,
    targets: &'a BTreeSet<usize>,
    lookup: &'a Lookup<'a>,
    /// The group names no other.
    is_only: bool,
}

/// `source`, or `sources` in the order of preference: never empty. `None` with a word about it.
fn sources(
    problems: &mut Problems,
    fields: &Fields<'_>,
    wanted: Wanted<'_>,
) -> Option<Vec<SourceChoice>> {
    let Some(at) = fields.key_span("sources") else {
        if fields.is_meant("sources") {
            return None;
        }
        let node = fields.require(problems, "source", "{ file_server: NAME }")?;
        return source(problems, node, "`source`", wanted).map(|source| vec![source]);
    };
    if fields.key_span("source").is_some() {
        let message = "a group has both `source` and `sources`";
        let help = "write all of them under `sources`, the preferred one first";
        return problems.refuse(at, message, help);
    }
    let node = fields.get("sources")?;
    let items = match &node.value {
        Value::Sequence(items) if !items.is_empty() => items,
        Value::Broken => return None,
        other => {
            let what = match other {
                Value::Sequence(_) => "the list `sources` is empty".to_owned(),
                _ => format!("`sources` must be a list, and this is {}", node.kind()),
            };
            return problems.refuse(&node.span, what, SOURCES_HELP);
        }
    };
    let is_only = items.len() == 1;
    let wanted = Wanted { is_only, ..wanted };
    let mut found: Vec<(SourceChoice, &Span)> = Vec::new();
    for item in items {
        let source = source(problems, item, "a source of `sources`", wanted);
        found.extend(source.map(|source| (source, &item.span)));
    }
    for (at, (source, span)) in found.iter().enumerate() {
        let spec = SourceSpec::of(source);
        if found[..at]
            .iter()
            .any(|(one, _)| SourceSpec::of(one) == spec)
        {
            problems.complain(span, Flaw::SourceTwice(spec.label()).into());
        }
    }
    let is_whole = found.len() == items.len();
    is_whole.then(|| found.into_iter().map(|(source, _)| source).collect())
}

fn source(
    problems: &mut Problems,
    node: &Node,
    what: &'static str,
    wanted: Wanted<'_>,
) -> Option<SourceChoice> {
    let lookup = wanted.lookup;
    if let Some(written) = node.text() {
        let help = match written {
            _ if lookup.file_server(written).is_ok() => {
                format!("write `{{ file_server: {written} }}`")
            }
            "any" => "write `{ peer: any }`".into(),
            _ if lookup.named(written, &mut BTreeSet::new()).is_ok() => {
                format!("write `{{ peer: {written} }}`")
            }
            _ => SOURCE_HELP.into(),
        };
        let message = format!("{what} must say what kind of source it is");
        return problems.refuse(&node.span, message, help);
    }
    if matches!(node.value, Value::Sequence(_)) && what == "`source`" {
        let message = "`source` is one, and this is a list";
        return problems.refuse(&node.span, message, SOURCES_HELP);
    }
    let fields = Fields::read(problems, node, &Shape { what, ..SOURCE });
    if !fields.are_there() {
        return None;
    }
    let kinds = ["file_server", "file", "peer"];
    let there: Vec<&str> = (kinds.into_iter())
        .filter(|kind| fields.key_span(kind).is_some())
        .collect();
    match there[..] {
        ["file_server"] => {
            let node = fields.get("file_server")?;
            let name = values::text(problems, node, "file_server")?;
            let server = problems.ok(&node.span, lookup.file_server(name))?;
            Some(SourceChoice::FileServer(Arc::clone(server)))
        }
        ["file"] => {
            let node = fields.get("file")?;
            let path = absolute(wanted.file, values::text(problems, node, "file")?);
            let path = lookup.file(&path.to_string_lossy());
            problems.ok(&node.span, path).map(SourceChoice::File)
        }
        ["peer"] => peer(problems, fields.get("peer")?, wanted),
        [one, other, ..] => {
            let message = format!("{what} has both `{one}` and `{other}`");
            problems.refuse(&node.span, message, SOURCE_HELP)
        }
        _ => {
            let message = format!("{what} names neither a file server nor a file or a peer");
            problems.refuse(&node.span, message, SOURCE_HELP)
        }
    }
}

fn peer(problems: &mut Problems, node: &Node, wanted: Wanted<'_>) -> Option<SourceChoice> {
    let (image, targets, lookup) = (wanted.image, wanted.targets, wanted.lookup);
    let name = values::text(problems, node, "peer")?;
    let peer = if name != "any" {
        let peer = lookup.named_peer(name, image, targets);
        peer.map(|at| PeerChoice::Named(Arc::clone(&lookup.entities[at])))
    } else if let Some(image) = image {
        let any = lookup.any_peer(image, targets, wanted.is_only);
        any.map_err(|flaw| vec![flaw])
    } else {
        Ok(PeerChoice::Any(Vec::new()))
    };
    let report = |flaws: Vec<Flaw>| {
        flaws
            .into_iter()
            .for_each(|flaw| problems.complain(&node.span, flaw.into()));
    };
    peer.map(SourceChoice::Peer).map_err(report).ok()
}
