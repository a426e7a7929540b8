//! `subtend config`: the settings of the console that are in force, as a file.

use super::Failed;
use super::args::{ConfigArgs, ScreenArgs};
use crate::config::{self, Config, Given, Place};
use crate::terminal::ThemeName;

impl From<&ScreenArgs> for Given {
    fn from(args: &ScreenArgs) -> Self {
        let mono = args.mono.then_some((ThemeName::Mono, "--mono"));
        Self {
            theme: mono.or(args.theme.map(|theme| (theme, "--theme"))),
            time: args.time.clone(),
            ascii: args.ascii,
            slow: args.slow,
            mouse: args.mouse,
            no_notices: args.no_notices,
        }
    }
}

/// What is in force for a console with these options.
///
/// # Errors
/// All that is wrong with the file, or a variable.
pub(super) fn in_force(place: &Place, args: &ScreenArgs) -> Result<Config, Failed> {
    let variable = |name: &str| std::env::var(name).ok();
    config::load(place, &Given::from(args), variable).map_err(Failed::usage)
}

/// What `subtend config` prints.
///
/// # Errors
/// As [`in_force`]; nobody knows where the file would be.
pub(super) fn config(
    args: &ConfigArgs,
    place: &Place,
    screen: &ScreenArgs,
) -> Result<String, Failed> {
    if args.path {
        let file = place.file().map_err(Failed::usage)?;
        return Ok(format!("{}\n", file.display()));
    }
    let config = in_force(place, screen)?;
    Ok(match args.check {
        true => String::new(),
        false => config::print(&config, place),
    })
}
