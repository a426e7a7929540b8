//! How the room below a group's own figures is divided, on the screen that there is: pure, since keys must know as much
//! as drawing.

use ratatui::layout::Rect;

/// From this width on plots, and the timeline of the entity under the cursor, stand beside the list.
const WIDE: u16 = 120;
/// From this width on the list is in columns, where there are more entities than rows.
const COLUMNS: u16 = 160;
/// Plots in fewer rows say little.
const ROWS: u16 = 14;
/// The side where the list needs the room, and a share of the width elsewhere.
const SIDE: u16 = 42;
const SHARE: u16 = 38;
/// The width of a column of the list, at least, and blanks between two.
const LEAST: u16 = 57;
const GAP: u16 = 2;
/// Columns at most: eyes follow three.
const MOST: u16 = 3;

/// How many entities are shown at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Shape {
    pub(super) fn one(rows: usize) -> Self {
        Self { rows, columns: 1 }
    }

    pub(super) fn all(self) -> usize {
        (self.rows * self.columns).max(1)
    }
}

/// Where list and side are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    /// The columns of the list, each with its head.
    pub(super) lists: Vec<Rect>,
    pub(super) side: Option<Rect>,
}

impl Room {
    pub(super) fn shape(&self) -> Shape {
        let rows = self.lists.first().map_or(0, |list| list.height);
        Shape {
            rows: usize::from(rows.saturating_sub(1)).max(1),
            columns: self.lists.len().max(1),
        }
    }
}

/// Of the head of the list and what is below it, for this number of entities.
pub(super) fn divide(area: Rect, entities: usize) -> Room {
    let rows = usize::from(area.height.saturating_sub(1));
    let is_wide = area.width >= WIDE && area.height >= ROWS;
    let side = match is_wide {
        false => 0,
        true if entities > rows || area.width < COLUMNS => SIDE,
        true => area.width * SHARE / 100,
    };
    let width = match side {
        0 => area.width,
        side => area.width - side - GAP,
    };
    let needed = entities.div_ceil(rows.max(1)).max(1);
    let most = match area.width >= COLUMNS {
        true => ((width + GAP) / (LEAST + GAP)).clamp(1, MOST),
        false => 1,
    };
    let columns = u16::try_from(needed).unwrap_or(u16::MAX).min(most);
    let one = (width + GAP) / columns - GAP;
    let list = |at: u16| Rect {
        x: area.x + at * (one + GAP),
        width: if columns == 1 { width } else { one },
        ..area
    };
    Room {
        lists: (0..columns).map(list).collect(),
        side: (side > 0).then(|| Rect {
            x: area.right() - side,
            width: side,
            ..area
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_lies_over_anything_else(
            width in 60_u16..400, height in 5_u16..100, entities in 0_usize..5000
        ) {
            let area = Rect::new(0, 7, width, height);
            let room = divide(area, entities);
            let all: Vec<Rect> = room.lists.iter().copied().chain(room.side).collect();
            for (at, one) in all.iter().enumerate() {
                prop_assert_eq!(area.intersection(*one), *one);
                prop_assert!(one.width >= SIDE, "{}", one);
                for other in &all[at + 1..] {
                    prop_assert!(one.intersection(*other).is_empty(), "{} {}", one, other);
                }
            }
        }
    }

    #[test]
    fn the_side_begins_at_120_columns_and_columns_of_the_list_at_160() {
        let of = |width, entities| {
            let room = divide(Rect::new(0, 7, width, 30), entities);
            let lists: Vec<u16> = room.lists.iter().map(|list| list.width).collect();
            (lists, room.side.map(|side| side.width))
        };
        assert_eq!(of(80, 300), (vec![80], None));
        assert_eq!(of(119, 300), (vec![119], None));
        assert_eq!(of(120, 300), (vec![76], Some(42)));
        assert_eq!(of(160, 20), (vec![98], Some(60)));
        assert_eq!(of(160, 300), (vec![57, 57], Some(42)));
        assert_eq!(of(200, 40), (vec![77, 77], Some(42)));
        assert_eq!(of(240, 300), (vec![64, 64, 64], Some(42)));
    }
}
