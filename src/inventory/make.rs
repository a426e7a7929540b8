//! Groups made on the spot: `subtend run --image … --source … --entities …`, or in the console.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{
    FileServer, Group, Image, ImageSpec, Inventory, Manner, PeerChoice, SourceChoice, SourceSpec,
};

use crate::model::text::quoted;

use super::error::Complaint;
use super::groups::check_group_name;
use super::lookup::Lookup;

/// Makes a group that is not in the inventory, by the rules of those that are. `entities` are
/// names, ranges and patterns; the group has them in the order of the inventory, each once.
///
/// # Errors
/// Every reason why there can't be such a group, each a sentence with what to do.
pub fn make_group(
    inventory: &Inventory,
    name: &str,
    image: &ImageSpec,
    source: SourceSpec,
    entities: &[String],
    manner: Manner,
) -> Result<Group, Vec<String>> {
    let lookup = Lookup::new(
        &inventory.entities,
        &inventory.images,
        &inventory.file_servers,
    );
    let mut complaints = Vec::new();
    let mut keep = |complaint: Complaint| complaints.push(complaint.to_string());

    let name = check_group_name(name).map_err(&mut keep).ok();
    let image = image_of(&lookup, image).map_err(&mut keep).ok();
    let image = image.as_ref();
    let mut targets = BTreeSet::new();
    for written in entities {
        match lookup.named(written) {
            Ok(found) => targets.extend(found),
            Err(complaint) => keep(complaint),
        }
    }
    if entities.is_empty() {
        keep(Complaint::new("no entities are named", "name at least one"));
    }
    if manner.parallel == Some(0) {
        keep(Complaint::new(
            "no entity at a time is too few",
            "give a number from 1, or none for all at a time",
        ));
    }
    if let Err(wrong) = manner.limits.check() {
        keep(wrong.into());
    }
    if let Some(image) = image {
        let types = lookup.check_types(image, targets.iter().copied());
        types.unwrap_or_else(&mut keep);
    }
    let source = match (source, image) {
        (SourceSpec::FileServer(name), _) => lookup
            .file_server(&name)
            .map(|server| SourceChoice::FileServer(Arc::clone(server)))
            .map_err(&mut keep)
            .ok(),
        (SourceSpec::Peer(name), image) => lookup
            .named_peer(&name, image.map(|image| &**image), &targets)
            .map(SourceChoice::Peer)
            .map_err(|complaints| complaints.into_iter().for_each(&mut keep))
            .ok(),
        (SourceSpec::AnyPeer, Some(image)) => lookup
            .any_peer(image, &targets)
            .map(SourceChoice::Peer)
            .map_err(&mut keep)
            .ok(),
        (SourceSpec::AnyPeer, None) => Some(SourceChoice::Peer(PeerChoice::Any(Vec::new()))),
    };
    match (name, image, source) {
        (Some(name), Some(image), Some(source)) if complaints.is_empty() => Ok(Group {
            name,
            image: Arc::clone(image),
            source,
            entities: targets
                .iter()
                .map(|at| Arc::clone(&lookup.entities[*at]))
                .collect(),
            laggards: manner.laggards,
            limits: manner.limits,
            parallel: manner.parallel,
        }),
        _ => Err(complaints),
    }
}

/// The image that is meant.
///
/// # Errors
/// A sentence with what to do.
pub fn find_image(inventory: &Inventory, image: &ImageSpec) -> Result<Arc<Image>, String> {
    let lookup = Lookup::new(
        &inventory.entities,
        &inventory.images,
        &inventory.file_servers,
    );
    image_of(&lookup, image).map_err(|complaint| complaint.to_string())
}

/// The file server of this name.
///
/// # Errors
/// A sentence with what was probably meant, or what there is.
pub fn find_file_server<'a>(
    inventory: &'a Inventory,
    name: &str,
) -> Result<&'a Arc<FileServer>, String> {
    let lookup = Lookup::new(
        &inventory.entities,
        &inventory.images,
        &inventory.file_servers,
    );
    lookup
        .file_server(name)
        .map_err(|complaint| complaint.to_string())
}

fn image_of(lookup: &Lookup<'_>, image: &ImageSpec) -> Result<Arc<Image>, Complaint> {
    match image {
        ImageSpec::Named(name) => lookup.image(name).cloned(),
        described => describe(described),
    }
}

/// An image that the inventory does not list, by the rules of those that it does.
fn describe(image: &ImageSpec) -> Result<Arc<Image>, Complaint> {
    let ImageSpec::Described {
        name,
        file,
        type_,
        version,
        size,
    } = image
    else {
        return Err(Complaint::new(
            "the image is not described",
            "give its file, type and version",
        ));
    };
    for (what, value) in [
        ("name", name),
        ("file", file),
        ("type", type_),
        ("version", version),
    ] {
        if value.trim().is_empty() || value.contains(['\r', '\n', '\0']) {
            return Err(Complaint::new(
                format!("the image has no usable {what}"),
                "write one",
            ));
        }
    }
    if file.split('/').any(|part| part == "..") {
        return Err(Complaint::new(
            format!("the file {} leaves the file server's url", quoted(file)),
            "write a path without `..`",
        ));
    }
    if file.ends_with('/') {
        return Err(Complaint::new(
            format!("{} names no file", quoted(file)),
            "write the file's path below the file server's url",
        ));
    }
    Ok(Arc::new(Image {
        name: name.as_str().into(),
        file: file.clone(),
        type_: type_.clone(),
        version: version.clone(),
        size: *size,
        sha256: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::{BufferPreference, RemotePath};

    fn network() -> Inventory {
        let mut inventory = testing::inventory(8 << 20, BufferPreference::Size(256 << 10));
        inventory.file_servers = vec![Arc::new(testing::server())];
        let names = [("old", "1"), ("new", "2")];
        inventory.entities = names
            .map(|(name, version)| Arc::new(testing::entity(name, version)))
            .into();
        inventory
    }

    fn described(name: &str, file: &str, type_: &str, version: &str) -> ImageSpec {
        ImageSpec::Described {
            name: name.into(),
            file: file.into(),
            type_: type_.into(),
            version: version.into(),
            size: Some(7),
        }
    }

    fn made(image: &ImageSpec, source: SourceSpec) -> Result<Group, Vec<String>> {
        let entities = ["old".to_owned()];
        make_group(&network(), "g", image, source, &entities, Manner::default())
    }

    #[test]
    fn a_described_image_is_as_good_as_one_of_the_inventory() {
        let found = described("found", "new/adsl 2.bin", "adsl", "2");
        let server = SourceSpec::FileServer("hq".into());
        let group = made(&found, server).unwrap();
        assert_eq!(
            (&*group.image.name, group.image.size, group.image.sha256),
            ("found", Some(7), None)
        );
        let SourceChoice::FileServer(server) = &group.source else {
            panic!("{group:?}");
        };
        let path = RemotePath::new("/images/new/adsl 2.bin");
        assert_eq!(server.path_of(&group.image), path);
        // Peers of its version have it.
        let group = made(&found, SourceSpec::AnyPeer).unwrap();
        let SourceChoice::Peer(PeerChoice::Any(peers)) = &group.source else {
            panic!("{group:?}");
        };
        assert_eq!((peers.len(), &*peers[0].name), (1, "new"));
        assert_eq!(find_image(&network(), &found).unwrap(), group.image);
    }

    #[test]
    fn what_is_described_badly_is_refused() {
        let wrong = |image: ImageSpec| {
            let reasons = made(&image, SourceSpec::FileServer("hq".into())).unwrap_err();
            assert!(find_image(&network(), &image).is_err());
            reasons.join("\n")
        };
        for (image, words) in [
            (described(" ", "f", "adsl", "2"), "no usable name"),
            (described("n", "", "adsl", "2"), "no usable file"),
            (described("n", "f\r\nDELE f", "adsl", "2"), "no usable file"),
            (described("n", "f", "adsl", ""), "no usable version"),
            (
                described("n", "../f", "adsl", "2"),
                "leaves the file server's url",
            ),
            (
                described("n", "a/../../f", "adsl", "2"),
                "leaves the file server's url",
            ),
            (described("n", "a/", "adsl", "2"), "names no file"),
        ] {
            let said = wrong(image);
            assert!(said.contains(words), "{said}");
        }
        // A good image for other entities.
        let reasons = made(
            &described("n", "f", "vdsl", "2"),
            SourceSpec::FileServer("hq".into()),
        );
        let said = reasons.unwrap_err().join("\n");
        assert!(said.contains("vdsl") && said.contains("adsl"), "{said}");
        // None of the inventory is called so.
        let unknown = find_image(&network(), &ImageSpec::Named("n".into())).unwrap_err();
        assert!(unknown.contains("`n`"), "{unknown}");
    }
}
