//! What is tried, on which device, and what its placeholders stand for: decided before anything is connected to.

use std::sync::Arc;

use crate::cli::Failed;
use crate::cli::args::{TryProcedureArgs, UntilArg};
use crate::model::lookup::Lookup;
use crate::model::procedure::{
    Deed, Part, Placeholder, Procedure, ReactionText, StepSpec, Template, Values,
};
use crate::model::suggest::nearest;
use crate::model::text::quoted;
use crate::model::{Entity, Image, Inventory};
use crate::procedure::{safe_steps, values, values_without_image};

/// A procedure, and the device that it is tried on.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) entity: Arc<Entity>,
    pub(super) procedure: Arc<Procedure>,
    pub(super) until: UntilArg,
    /// With the version that was named, where one was.
    pub(super) image: Option<Image>,
    pub(super) values: Values,
}

impl Chosen {
    /// `run`: what `{run}` stands for.
    ///
    /// # Errors
    /// Why there is nothing that could be tried.
    pub(super) fn new(
        args: &TryProcedureArgs,
        inventory: &Inventory,
        run: &str,
    ) -> Result<Self, Failed> {
        let entity = entity(args, inventory)?;
        let procedure = inventory.procedure(&entity.type_).cloned();
        let procedure = procedure.ok_or_else(|| no_procedure(&entity, inventory))?;
        let image = image(args, &entity, inventory)?;
        let mut values = match &image {
            Some(image) => values(&entity, image, run),
            None => values_without_image(&entity, run),
        };
        if let Some(version) = &args.version {
            values.insert(Placeholder::Version, version.clone());
        }
        let chosen = Self {
            entity,
            procedure,
            until: args.until,
            image,
            values,
        };
        chosen.is_something()?;
        chosen.is_filled()?;
        Ok(chosen)
    }

    /// The parts of which safe steps are carried out; none where everything is.
    pub(super) fn safe_parts(&self) -> &'static [Part] {
        match self.until {
            UntilArg::Before => &[Part::Before],
            UntilArg::Check => &[Part::Before, Part::Check],
            UntilArg::Activate => &[],
        }
    }

    /// The steps that are carried out, as far as nothing fails.
    fn steps(&self) -> Vec<(Part, usize, &StepSpec)> {
        match self.until {
            UntilArg::Activate => {
                let parts = Part::ALL.into_iter().filter(|part| *part != Part::Fetch);
                let steps = parts.flat_map(|part| {
                    let steps = self.procedure.part(part).iter().enumerate();
                    steps.map(move |(number, step)| (part, number, step))
                });
                steps.collect()
            }
            _ => safe_steps(&self.procedure, self.safe_parts()).collect(),
        }
    }

    /// Those that are not, since nothing says that they change nothing.
    pub(super) fn left_out(&self) -> impl Iterator<Item = (Part, usize, &StepSpec)> {
        self.safe_parts().iter().flat_map(|part| {
            let steps = self.procedure.part(*part).iter().enumerate();
            let left_out = steps.filter(|(_, step)| !step.safe);
            left_out.map(|(number, step)| (*part, number, step))
        })
    }

    /// The steps by which a device fetches its image: nothing is served here, so that there is nothing to fetch and
    /// `{url}` has no value.
    pub(super) fn unfetched(&self) -> impl Iterator<Item = (Part, usize)> {
        (0..self.procedure.fetch.len()).map(|number| (Part::Fetch, number))
    }

    fn is_something(&self) -> Result<(), Failed> {
        let name = quoted(&self.procedure.name);
        if self.until == UntilArg::Activate {
            return match self.procedure.activate.is_empty() {
                false => Ok(()),
                true => Err(Failed::usage(format!(
                    "the procedure {name} has no `activate`; leave `--until activate` out"
                ))),
            };
        }
        if self.procedure.session.is_some() || !self.steps().is_empty() {
            return Ok(());
        }
        let parts: Vec<&str> = self.safe_parts().iter().map(|part| part.word()).collect();
        let parts = parts.join("` or `");
        Err(Failed::usage(format!(
            "the procedure {name} has no step in `{parts}` that can be tried without changing anything; mark \
             those that change nothing with `safe: true`"
        )))
    }

    /// Whether there is a value for every placeholder, so that no step fails for the want of one in the middle.
    fn is_filled(&self) -> Result<(), Failed> {
        for (part, number, step) in self.steps() {
            for template in self.templates(part, step) {
                let lacks = |one: &&Placeholder| !self.values.contains_key(one);
                let Some(placeholder) = template.placeholders().find(lacks) else {
                    continue;
                };
                let (part, number) = (part.word(), number + 1);
                let entity = quoted(&self.entity.name);
                return Err(Failed::usage(format!(
                    "`{part}`, step {number}, needs {placeholder}, and {entity} is in no group that gives it an \
                     image: name one with `--image IMAGE`"
                )));
            }
        }
        Ok(())
    }

    /// All that is filled in.
    fn templates<'a>(&self, part: Part, step: &'a StepSpec) -> Vec<&'a Template> {
        let mut templates = step.deed.templates();
        if let Deed::Send { answers, .. } = &step.deed {
            let lines = answers.iter().filter_map(|answer| match &answer.with {
                ReactionText::Line(line) => Some(line),
                ReactionText::Password(_) => None,
            });
            templates.extend(lines);
        }
        let is_compared = part != Part::Check || self.until == UntilArg::Activate;
        let is = step.expect.as_ref().and_then(|expect| expect.is.as_ref());
        templates.extend(is.filter(|_| is_compared).map(|(_, is)| is));
        templates
    }
}

fn entity(args: &TryProcedureArgs, inventory: &Inventory) -> Result<Arc<Entity>, Failed> {
    let Some(entity) = inventory.entity(&args.on) else {
        let names = inventory.entities.iter().map(|entity| &*entity.name);
        let meant =
            nearest(&args.on, names).map(|name| format!("; did you mean {}?", quoted(name)));
        let name = quoted(&args.on);
        let meant = meant.unwrap_or_default();
        return Err(Failed::usage(format!("there is no entity {name}{meant}")));
    };
    if entity.type_ != args.type_ {
        let (name, type_, other) = (&entity.name, &entity.type_, &args.type_);
        return Err(Failed::usage(format!(
            "{} is of type {}, not {}: `subtend try-procedure {type_} --on {name}` tries that of its own type",
            quoted(name),
            quoted(type_),
            quoted(other)
        )));
    }
    Ok(entity.clone())
}

fn no_procedure(entity: &Entity, inventory: &Inventory) -> Failed {
    let (type_, file) = (&entity.type_, inventory.file.display());
    Failed::usage(format!(
        "the type {} has no procedure; add `types: {{ {type_}: {{ procedure: NAME }} }}` to {file}, and describe \
         NAME under `procedures`",
        quoted(type_)
    ))
}

/// The one that was named, or that of the only group which the entity is in.
fn image(
    args: &TryProcedureArgs,
    entity: &Entity,
    inventory: &Inventory,
) -> Result<Option<Image>, Failed> {
    let mut found = match &args.image {
        Some(name) => {
            let image = Lookup::new(inventory).image(name).map_err(Failed::usage)?;
            if image.type_ != entity.type_ {
                return Err(Failed::usage(format!(
                    "the image {} is for type {}, and {} is of type {}",
                    quoted(name),
                    quoted(&image.type_),
                    quoted(&entity.name),
                    quoted(&entity.type_)
                )));
            }
            Some(Image::clone(image))
        }
        None => only_image(entity, inventory),
    };
    if let (Some(image), Some(version)) = (&mut found, &args.version) {
        image.version.clone_from(version);
    }
    Ok(found)
}

fn only_image(entity: &Entity, inventory: &Inventory) -> Option<Image> {
    let groups = inventory.groups.iter();
    let groups = groups.filter(|group| group.entities.iter().any(|one| one.name == entity.name));
    let mut images = groups.map(|group| &group.image);
    let first = images.next()?;
    images
        .all(|image| image.name == first.name)
        .then(|| Image::clone(first))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::inventory;

    const SITE: &str = r#"
memory: 4 MiB
credentials: { craft: { user: craft } }
defaults: { credentials: craft, path: /flash/image.bin }
file_servers: { hq: { url: "ftp://192.0.2.1/" } }
images:
  card-2: { file: card-2.bin, type: card, version: "2" }
  card-3: { file: card-3.bin, type: card, version: "3" }
  plain-2: { file: plain-2.bin, type: plain, version: "2" }
types: { card: { procedure: boots }, mute: { procedure: asks-nothing } }
procedures:
  boots:
    session: { telnet: 23 }
    before:
      - { send: show version, expect: 'Version (?<version>\S+)', safe: true }
      - { send: "backup to {entity}-{run}" }
    activate: [ { send: "boot {path} {version}" } ]
    check: [ { send: show version, expect: 'Version (?<version>\S+)', is: "{version}", safe: true } ]
  asks-nothing:
    activate: [ { site: RESET } ]
    check: [ { site: VERSION, expect: '(?<version>\S+)', is: "{version}" } ]
entities:
  - { name: card1, type: card, version: "1", address: 192.0.2.21 }
  - { name: card2, type: card, version: "1", address: 192.0.2.22 }
  - { name: plain1, type: plain, version: "1", address: 192.0.2.23 }
  - { name: mute1, type: mute, version: "1", address: 192.0.2.24 }
groups:
  cards: { entities: [card1], image: card-2, source: { file_server: hq } }
"#;

    fn args(type_: &str, on: &str, until: UntilArg) -> TryProcedureArgs {
        TryProcedureArgs {
            type_: type_.into(),
            on: on.into(),
            until,
            image: None,
            version: None,
            yes: false,
            json: false,
        }
    }

    fn choose(
        type_: &str,
        on: &str,
        change: impl FnOnce(&mut TryProcedureArgs),
    ) -> Result<Chosen, String> {
        let inventory = inventory::parse(SITE, Path::new("site.yaml"));
        let inventory = inventory.unwrap_or_else(|errors| panic!("{errors}"));
        let mut args = args(type_, on, UntilArg::Check);
        change(&mut args);
        Chosen::new(&args, &inventory, "try-1").map_err(|failed| {
            assert_eq!(failed.code, 2);
            failed.to_string()
        })
    }

    #[test]
    fn the_image_is_that_of_the_only_group_or_the_one_that_was_named() {
        let version = |chosen: &Chosen| chosen.values.get(&Placeholder::Version).cloned();
        let chosen = choose("card", "card1", |_| {}).unwrap();
        assert_eq!(version(&chosen).as_deref(), Some("2"));
        let chosen = choose("card", "card1", |args| args.image = Some("card-3".into())).unwrap();
        assert_eq!(version(&chosen).as_deref(), Some("3"));
        let chosen = choose("card", "card1", |args| args.version = Some("9".into())).unwrap();
        assert_eq!(version(&chosen).as_deref(), Some("9"));
        assert_eq!(chosen.image.unwrap().version, "9");
        // In no group, and what changes nothing needs none.
        let chosen = choose("card", "card2", |_| {}).unwrap();
        assert_eq!(version(&chosen), None);
        let everything = |args: &mut TryProcedureArgs| args.until = UntilArg::Activate;
        let said = choose("card", "card2", everything).unwrap_err();
        assert!(
            said.contains("`activate`, step 1, needs {version}") && said.contains("--image"),
            "{said}"
        );
    }

    #[test]
    fn what_is_not_marked_as_safe_is_left_out_unless_everything_is_wanted() {
        let chosen = choose("card", "card1", |_| {}).unwrap();
        let left_out: Vec<_> = chosen
            .left_out()
            .map(|(part, number, _)| (part, number))
            .collect();
        assert_eq!(left_out, [(Part::Before, 1)]);
        assert_eq!(chosen.steps().len(), 2);
        let chosen = choose("card", "card1", |args| args.until = UntilArg::Activate).unwrap();
        assert_eq!((chosen.left_out().count(), chosen.steps().len()), (0, 4));
    }

    #[test]
    fn what_would_fetch_an_image_is_left_out_and_needs_no_value() {
        let fetch = "fetch: [ { send: \"copy {url}\", fetch: true, within: 9m } ]\n    before:";
        let text = SITE.replacen("before:", fetch, 1);
        let inventory = inventory::parse(&text, Path::new("site.yaml"));
        let inventory = inventory.unwrap_or_else(|errors| panic!("{errors}"));
        for until in [UntilArg::Before, UntilArg::Check, UntilArg::Activate] {
            let chosen = Chosen::new(&args("card", "card1", until), &inventory, "try-1");
            let chosen = chosen.unwrap_or_else(|failed| panic!("{failed}"));
            assert!(chosen.steps().iter().all(|(part, ..)| *part != Part::Fetch));
            assert_eq!(chosen.unfetched().collect::<Vec<_>>(), [(Part::Fetch, 0)]);
        }
    }

    #[test]
    fn it_is_said_why_nothing_can_be_tried() {
        for (type_, on, words) in [
            (
                "card",
                "crad1",
                "there is no entity `crad1`; did you mean `card1`?",
            ),
            ("crd", "card1", "`card1` is of type `card`, not `crd`"),
            (
                "plain",
                "plain1",
                "add `types: { plain: { procedure: NAME } }` to site.yaml",
            ),
            (
                "mute",
                "mute1",
                "mark those that change nothing with `safe: true`",
            ),
        ] {
            let said = choose(type_, on, |_| {}).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
        let said = choose("card", "card1", |args| args.image = Some("plain-2".into())).unwrap_err();
        assert!(said.contains("is for type `plain`"), "{said}");
    }
}
