//! How well colours stand out, by the measure of WCAG 2: 4.5 for text, 3 for what is only drawn.

use ratatui::style::{Color, Modifier, Style};

use super::palette::{Palette, Theme, Tone};
use crate::model::{EntityState, Standing};

type Rgb = [u8; 3];

const DARK: [Rgb; 2] = [[0, 0, 0], [0x1e, 0x1e, 0x1e]];
const LIGHT: [Rgb; 2] = [[0xff, 0xff, 0xff], [0xfd, 0xf6, 0xe3]];
const TONES: [Tone; 5] = [Tone::Faint, Tone::Good, Tone::Busy, Tone::Look, Tone::Bad];
const TEXT: f64 = 4.5;
const HIGH: f64 = 7.0;

/// xterm's 256 colours, which all terminals have from 16 on.
fn rgb(number: u8) -> Rgb {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match number {
        0..16 => panic!("{number} is a colour of the terminal's own"),
        16..232 => {
            let place = usize::from(number - 16);
            [STEPS[place / 36], STEPS[place / 6 % 6], STEPS[place % 6]]
        }
        232.. => [8 + 10 * (number - 232); 3],
    }
}

fn luminance(colour: Rgb) -> f64 {
    let linear = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        match part <= 0.040_45 {
            true => part / 12.92,
            false => ((part + 0.055) / 1.055).powf(2.4),
        }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let [one, other] = [luminance(one), luminance(other)];
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Every style that text is drawn in; gauges and plots are drawn in the same ones.
fn styles(theme: &Theme) -> Vec<(String, Style)> {
    let tones = TONES.map(|tone| (format!("{tone:?}"), theme.tone(tone)));
    let others = [
        ("tab", theme.tab()),
        ("here", theme.here()),
        ("found", theme.found()),
        ("hint", theme.hint()),
        ("error", theme.error()),
        ("notice", theme.notice()),
        ("title", theme.title()),
        ("head", theme.head()),
        ("cursor", theme.cursor()),
    ];
    let others = others.map(|(name, style)| (name.to_owned(), style));
    tones.into_iter().chain(others).collect()
}

#[test]
fn what_is_written_stands_out_from_the_backgrounds_that_a_theme_is_for() {
    for (palette, backgrounds, least) in [
        (Palette::Indexed, DARK, TEXT),
        (Palette::LightIndexed, LIGHT, TEXT),
        (Palette::VividIndexed, DARK, HIGH),
    ] {
        let theme = Theme {
            palette,
            ascii: false,
        };
        let mut coloured = 0;
        for (name, style) in styles(&theme) {
            assert_eq!(
                style.bg, None,
                "{palette:?} {name}: the background is the terminal's"
            );
            let colour = match style.fg {
                // The terminal's own, which it can be read in.
                None => continue,
                Some(Color::Indexed(number)) => rgb(number),
                Some(other) => panic!("{palette:?} {name}: {other} is another in each terminal"),
            };
            coloured += 1;
            for background in backgrounds {
                let found = contrast(colour, background);
                assert!(
                    found >= least,
                    "{palette:?} {name} on {background:?}: {found:.2}"
                );
            }
        }
        assert!(coloured >= 8, "{palette:?}: {coloured}");
    }
}

#[test]
fn the_measure_is_that_of_the_standard() {
    let near = |found: f64, wanted: f64| (found - wanted).abs() < 0.01;
    assert!(near(contrast([0; 3], [255; 3]), 21.0));
    assert!(near(contrast([255; 3], [255; 3]), 1.0));
    // The grey that is known as the least one for text on white.
    assert!(near(contrast([0x76; 3], [255; 3]), 4.54));
}

/// What a person without green, or without red, sees: both become one.
#[test]
fn failed_and_done_differ_in_more_than_red_and_green() {
    for palette in [
        Palette::Mono,
        Palette::Sixteen,
        Palette::Indexed,
        Palette::LightSixteen,
        Palette::LightIndexed,
        Palette::VividSixteen,
        Palette::VividIndexed,
    ] {
        let theme = Theme {
            palette,
            ascii: false,
        };
        let of = |state: EntityState| theme.of_state(Standing::In(state));
        let (failed, done) = (of(EntityState::Failed), of(EntityState::Delivered));
        let signs = [EntityState::Failed, EntityState::Delivered].map(|state| theme.sign(state));
        assert_ne!(signs[0], signs[1], "{palette:?}");
        assert!(failed.add_modifier.contains(Modifier::BOLD), "{palette:?}");
        assert!(!done.add_modifier.contains(Modifier::BOLD), "{palette:?}");
        if let (Some(Color::Indexed(failed)), Some(Color::Indexed(done))) = (failed.fg, done.fg) {
            let [failed, done] = [failed, done].map(rgb);
            let blue = i32::from(done[2]) - i32::from(failed[2]);
            assert!(blue >= 95, "{palette:?}: {failed:?} {done:?}");
        }
    }
}

/// Of text that can't be read on white there is none, whatever the terminal makes of its 16 colours.
#[test]
fn the_light_theme_has_no_bright_colour() {
    let theme = Theme {
        palette: Palette::LightSixteen,
        ascii: false,
    };
    for (name, style) in styles(&theme) {
        let dark = [Color::DarkGray, Color::Blue, Color::Magenta, Color::Red];
        assert!(
            style.fg.is_none_or(|colour| dark.contains(&colour)),
            "{name}"
        );
    }
}

#[test]
fn figures_on_a_map_can_be_read() {
    for palette in [
        Palette::Indexed,
        Palette::LightIndexed,
        Palette::VividIndexed,
    ] {
        let theme = Theme {
            palette,
            ascii: false,
        };
        for tenths in 0..10 {
            let style = theme.heat(tenths);
            let (Some(Color::Indexed(text)), Some(Color::Indexed(below))) = (style.fg, style.bg)
            else {
                panic!("{style:?}");
            };
            let found = contrast(rgb(text), rgb(below));
            assert!(found >= TEXT, "{palette:?} {tenths}: {found:.2}");
        }
    }
}
