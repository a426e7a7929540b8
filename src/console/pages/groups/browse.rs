//! Looking at a file server for an image that the inventory does not list, and describing it.

use crate::console::action::Action;
use crate::console::asked::{Asked, File, OfGroups, Place};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::keymap::{Kind, Scope};
use crate::console::state::Shared;
use crate::model::names::natural;
use crate::model::text::{quoted, shown};
use crate::model::{ImageSpec, Inventory, SourceSpec, names, units};
use crate::protocol::Command;

use super::View;
use super::members::{types, url};
use super::{changed, made, push, push_text};

const UP: &str = "up";
const AGAIN: &str = "again";
/// Before the name of a directory or a file.
const DIRECTORY: &str = "directory:";
const FILE: &str = "file:";

pub(super) fn ask_server(shared: &mut Shared, at: usize) -> Option<Effect> {
    let servers = &shared.site.inventory.file_servers;
    if let [only] = servers.as_slice() {
        let server = only.name.to_string();
        let path = String::new();
        return look(shared, Place { at, server, path });
    }
    let rows = servers.iter().map(|server| Row {
        label: server.name.to_string(),
        detail: url(server),
        value: server.name.to_string(),
    });
    let rows = rows.collect();
    push(
        shared,
        Dialog::list("File server", rows, Asked::Groups(OfGroups::Server { at })),
    );
    None
}

/// Asks for the directory; what is known of it is shown meanwhile.
pub(super) fn look(shared: &mut Shared, place: Place) -> Option<Effect> {
    let key = (place.server.as_str().into(), place.path.clone());
    if shared
        .answers
        .listings
        .get(&key)
        .is_some_and(Result::is_err)
    {
        shared.answers.listings.remove(&key);
    }
    let command = Command::Browse {
        server: place.server.clone(),
        path: place.path.clone(),
    };
    let title = shown(&format!("{}: /{}", place.server, place.path));
    let rows = rows(shared, &place);
    push(
        shared,
        Dialog::list(title, rows, Asked::Groups(OfGroups::Browse(place))),
    );
    Some(Effect::Send(vec![command]))
}

/// The directory as a list: directories first.
pub(super) fn rows(shared: &Shared, place: &Place) -> Vec<Row> {
    let mut rows = Vec::new();
    if !place.path.is_empty() {
        rows.push(Row {
            label: "..".into(),
            detail: "up".into(),
            value: UP.into(),
        });
    }
    let again = shared
        .keys()
        .key(Scope::Dialog(Kind::List), &Action::Submit);
    let again = format!("{again} asks again");
    let key = (place.server.as_str().into(), place.path.clone());
    let listing = match shared.answers.listings.get(&key) {
        None => {
            rows.push(nothing("loading...", ""));
            return rows;
        }
        Some(Err(cause)) => {
            rows.push(nothing(cause, &again));
            return rows;
        }
        Some(Ok(listing)) => listing,
    };
    let mut entries: Vec<_> = listing.entries.iter().collect();
    entries.sort_by(|a, b| {
        let kind = b.is_directory.cmp(&a.is_directory);
        kind.then_with(|| natural(&a.name, &b.name))
    });
    if entries.is_empty() {
        rows.push(nothing("this directory is empty", &again));
    }
    rows.extend(entries.into_iter().map(|entry| {
        let (mark, kind) = if entry.is_directory {
            ("/", DIRECTORY)
        } else {
            ("", FILE)
        };
        Row {
            label: format!("{}{mark}", entry.name),
            detail: match entry.size {
                Some(size) if !entry.is_directory => units::size(size),
                _ => String::new(),
            },
            value: format!("{kind}{}", entry.name),
        }
    }));
    rows
}

fn nothing(label: &str, detail: &str) -> Row {
    Row {
        label: label.into(),
        detail: detail.into(),
        value: AGAIN.into(),
    }
}

pub(super) fn chosen(shared: &mut Shared, place: Place, value: &str) -> Option<Effect> {
    let below = |name: &str| {
        if place.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", place.path)
        }
    };
    let path = if value == AGAIN {
        place.path
    } else if value == UP {
        let up = place.path.rsplit_once('/');
        up.map_or("", |(up, _)| up).to_owned()
    } else if let Some(name) = value.strip_prefix(DIRECTORY) {
        below(name)
    } else {
        let name = value.strip_prefix(FILE)?;
        let key = (place.server.as_str().into(), place.path.clone());
        let listing = shared.answers.listings.get(&key)?.as_ref().ok()?;
        let size = listing
            .entries
            .iter()
            .find(|entry| entry.name == name)?
            .size;
        let file = File {
            at: place.at,
            file: below(name),
            server: place.server,
            size,
            type_: String::new(),
        };
        ask_type(shared, file);
        return None;
    };
    look(shared, Place { path, ..place })
}

fn ask_type(shared: &mut Shared, file: File) {
    let types = types(&shared.site.inventory, &shared.resolved.groups[file.at]);
    let type_ = types.first().copied().unwrap_or_default().to_owned();
    let title = format!("Type of the entities that {} is for", shown(&file.file));
    push_text(shared, title, Vec::new(), &type_, OfGroups::FileType(file));
}

pub(super) fn typed(shared: &mut Shared, file: File, type_: &str) {
    let type_ = type_.trim();
    if type_.is_empty() {
        shared.complain("an image is for entities of one type: write it");
        ask_type(shared, file);
        return;
    }
    // With two Enters it would be taken for whatever the group has.
    let known = shared.site.inventory.images.iter();
    let mut known = known.filter(|image| image.file == file.file);
    if let Some(other) = known.find(|image| image.type_ != type_) {
        let said = format!(
            "{} is for type {}, by the inventory (image {}): it is not taken for {}",
            shown(&file.file),
            quoted(&other.type_),
            quoted(&other.name),
            quoted(type_)
        );
        shared.complain(said);
        return;
    }
    let type_ = type_.to_owned();
    ask_version(shared, File { type_, ..file });
}

/// Another type that the name of a file begins with: `adsl-2.5.bin` for entities of type `ont`.
fn looks_like<'i>(inventory: &'i Inventory, file: &File) -> Option<&'i str> {
    let base = base_name(&file.file).to_lowercase();
    let begins = |type_: &str| {
        let rest = base.strip_prefix(&type_.to_lowercase());
        !type_.is_empty() && rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let types = inventory.entities.iter().map(|entity| &*entity.type_);
    let mut types = types.chain(inventory.images.iter().map(|image| &*image.type_));
    match begins(&file.type_) {
        true => None,
        false => types.find(|type_| begins(type_)),
    }
}

fn ask_version(shared: &mut Shared, file: File) {
    let title = format!("Version of {}", shown(&file.file));
    let guess = version_in(base_name(&file.file)).to_owned();
    let mut lines = vec!["entities that have this version are skipped".to_owned()];
    if let Some(other) = looks_like(&shared.site.inventory, &file) {
        let said = format!("! its name begins like a file for type {}", quoted(other));
        lines.push(said);
    }
    push_text(shared, title, lines, &guess, OfGroups::FileVersion(file));
}

fn base_name(file: &str) -> &str {
    file.rsplit_once('/').map_or(file, |(_, name)| name)
}

/// What looks like a version in the name of a file, for the operator to correct.
fn version_in(name: &str) -> &str {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let is_version = |text: &&str| {
        text.contains('.')
            && text.starts_with(|c: char| c.is_ascii_digit())
            && text.ends_with(|c: char| c.is_ascii_digit())
    };
    stem.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .map(|text| text.trim_matches('.'))
        .find(is_version)
        .unwrap_or_default()
}

pub(super) fn described(
    view: &mut View,
    shared: &mut Shared,
    file: File,
    version: &str,
) -> Option<Effect> {
    let version = version.trim();
    if version.is_empty() {
        shared.complain("an image has a version: write it");
        ask_version(shared, file);
        return None;
    }
    let newer = newer(shared, file.at, version);
    let other = looks_like(&shared.site.inventory, &file).map(str::to_owned);
    if newer.is_empty() && other.is_none() {
        return taken(view, shared, file, version);
    }
    let mut lines = Vec::new();
    if !newer.is_empty() {
        let versions = newer.join(", ");
        lines.push(format!(
            "{version} is lower than what entities have: {versions}."
        ));
    }
    if let Some(other) = other {
        lines.push(format!(
            "Its name begins like a file for type {}.",
            quoted(&other)
        ));
    }
    let title = format!("Is {} meant?", shown(&file.file));
    let version = version.to_owned();
    let asked = OfGroups::LowerVersion { file, version };
    push(shared, Dialog::confirm(title, lines, Asked::Groups(asked)));
    None
}

/// The versions of the group's entities that are higher than this one, as people order them.
fn newer(shared: &Shared, at: usize, version: &str) -> Vec<String> {
    let entities = &shared.site.inventory.entities;
    let members = shared.resolved.groups[at].members.iter();
    let versions: std::collections::BTreeSet<String> = members
        .map(|member| shared.presence.version(&entities[*member]).into_owned())
        .filter(|one| !one.is_empty() && natural(one, version).is_gt())
        .collect();
    versions.into_iter().collect()
}

/// The file is the group's image.
pub(super) fn taken(
    view: &mut View,
    shared: &mut Shared,
    file: File,
    version: &str,
) -> Option<Effect> {
    let name = name_for(shared, &file, version);
    let group = made(shared, file.at)?;
    let no_source = group.source == SourceSpec::FileServer(String::new());
    if no_source {
        group.source = SourceSpec::FileServer(file.server.clone());
    }
    group.image = ImageSpec::Described {
        name: name.clone(),
        file: file.file,
        type_: file.type_,
        version: version.to_owned(),
        size: file.size,
    };
    let effect = changed(view, shared);
    shared.say(if no_source {
        format!("image {name}, read from {}", file.server)
    } else {
        format!("image {name}")
    });
    effect
}

/// The file's name without its ending; with it, or with the version, where the inventory has such
/// an image.
fn name_for(shared: &Shared, file: &File, version: &str) -> String {
    let base = base_name(&file.file);
    let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
    let clean = |name: &str| names::usable(name, usize::MAX);
    let taken = |name: &String| shared.site.inventory.image(name).is_some() || name.is_empty();
    [
        stem.to_owned(),
        base.to_owned(),
        format!("{}-{version}", file.type_),
        format!("{base}-{version}"),
    ]
    .iter()
    .map(|name| clean(name))
    .find(|name| !taken(name))
    .unwrap_or_else(|| format!("{}-{version}-other", clean(base)))
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn a_version_is_guessed_from_a_file_name_where_there_is_one() {
        for (name, version) in [
            ("adsl-2.5.bin", "2.5"),
            ("vdsl_v3.10.1-rc.img", "3.10.1"),
            ("image.bin", ""),
            ("card7.bin", ""),
            ("adsl-2.5", ""),
        ] {
            assert_eq!(version_in(name), version, "{name}");
        }
    }
}
