//! A gauge of whole cells: cheap to draw again, and the same in ASCII.

use crate::console::theme::Theme;

/// `part` of `whole` as `cells` characters. Full only when all of it is there.
pub(crate) fn gauge(part: u64, whole: u64, cells: usize, theme: &Theme) -> String {
    let (full, empty) = theme.gauge();
    let filled = if whole == 0 {
        0
    } else {
        usize::try_from(u128::from(part.min(whole)) * cells as u128 / u128::from(whole))
            .unwrap_or(cells)
    };
    full.repeat(filled) + &empty.repeat(cells - filled)
}

/// The newest values as one character each, the highest being the tallest.
pub(crate) fn history(
    values: impl ExactSizeIterator<Item = u64> + Clone,
    cells: usize,
    theme: &Theme,
) -> String {
    let most = values.clone().max().unwrap_or(0).max(1);
    let heights = theme.heights();
    let skip = values.len().saturating_sub(cells);
    values
        .skip(skip)
        .map(|value| heights[usize::try_from(value * 7 / most).unwrap_or(7).min(7)])
        .collect()
}

/// Whole percent; 100 only when all of it is there.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        0
    } else {
        u64::try_from(u128::from(part.min(whole)) * 100 / u128::from(whole)).unwrap_or(100)
    }
}
