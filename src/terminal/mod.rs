//! One terminal, for the console and for a run that is redrawn in place.
//!
//! | file | what |
//! | --- | --- |
//! | `modes` | the terminal taken over and given back, whatever happens |
//! | `input`, `mender` | crossterm's events in, on a thread of their own; keys that a slow line tore apart |
//! | `output` | bytes out, on a thread that alone may wait for their reader |
//! | `canvas`, `inline` | pictures as bytes: ratatui's back end, for a whole screen or some rows of one |
//! | `clipboard` | text for the clipboard of the terminal |
//! | `notices` | title, bar of progress and bell |
//! | `palette`, `themes` | colours and signs; the themes by their names |

mod canvas;
pub(crate) mod clipboard;
#[cfg(test)]
mod contrast;
mod inline;
mod input;
mod mender;
mod modes;
mod notices;
mod output;
mod palette;
mod themes;

pub(crate) use canvas::Canvas;
pub(crate) use inline::Inline;
pub(crate) use input::Input;
pub(crate) use modes::{Device, Terminal};
pub(crate) use notices::{Bar, Notice, Notices, Understands};
pub(crate) use output::{Output, OutputFigures};
pub(crate) use palette::{Palette, Theme, Tone};

pub use modes::give_back;
pub use notices::Wanted;
pub use themes::ThemeName;
