//! How large the cells are, so that all entities are seen and the screen is filled: pure, since keys must know as much as
//! drawing.

/// Columns for the name of a line's first entity, where cells have none.
pub(super) const NAME: usize = 14;
/// Cells of one column stand in blocks of ten, with a blank between, so that they can be counted.
pub(super) const BLOCK: usize = 10;
/// Cells with a name, width and height, the largest first; below the name there is a gauge, then a note, then nothing.
const NAMED: [(usize, usize); 10] = [
    (40, 4),
    (32, 4),
    (32, 3),
    (24, 3),
    (32, 2),
    (24, 2),
    (18, 2),
    (24, 1),
    (18, 1),
    (14, 1),
];
/// The widest cell without a name.
const SMALL: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) in_line: usize,
    /// Each cell has the name of its entity.
    pub(super) is_named: bool,
}

impl Grid {
    /// For a place of this width and height, and so many entities, of whose names the longest is this long.
    pub(super) fn of((width, rows): (usize, usize), entities: usize, longest: usize) -> Self {
        let holds = |grid: &Self| entities.div_ceil(grid.in_line) * grid.height <= rows;
        let named = NAMED
            .into_iter()
            // A name that is cut in half says nothing.
            .filter(|(cell, _)| longest + 4 <= *cell || *cell == NAMED[0].0)
            .map(|(cell, height)| {
                let in_line = (width / cell).max(1);
                Self {
                    // What is left over is shared.
                    width: width / in_line,
                    height,
                    in_line,
                    is_named: true,
                }
            });
        let small = (1..=SMALL).rev().map(|cell| Self::small(width, cell));
        named
            .chain(small)
            .find(holds)
            .unwrap_or_else(|| Self::small(width, 1))
    }

    fn small(width: usize, cell: usize) -> Self {
        let room = width.saturating_sub(NAME);
        let in_line = match cell {
            1 => room / (BLOCK + 1) * BLOCK,
            _ => room / cell / BLOCK * BLOCK,
        };
        Self {
            width: cell,
            height: 1,
            in_line: in_line.max(BLOCK.min(room / cell)).max(1),
            is_named: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_are_as_large_as_all_of_them_can_be() {
        let of = |width, rows, entities| {
            let grid = Grid::of((width, rows), entities, 9);
            (grid.width, grid.height, grid.in_line)
        };
        assert_eq!(of(80, 14, 6), (40, 4, 2));
        assert_eq!(of(80, 14, 8), (40, 3, 2));
        assert_eq!(of(80, 14, 12), (26, 3, 3));
        assert_eq!(of(80, 14, 28), (20, 2, 4));
        assert_eq!(of(80, 14, 70), (16, 1, 5));
        assert_eq!(of(80, 14, 140), (6, 1, 10));
        assert_eq!(of(80, 14, 300), (2, 1, 30));
        assert_eq!(of(80, 14, 3000), (1, 1, 60), "on several pages");
        assert_eq!(of(200, 50, 3000), (3, 1, 60));
    }

    #[test]
    fn long_names_are_not_cut_in_half() {
        let grid = Grid::of((80, 14), 28, 25);
        assert!(!grid.is_named, "{grid:?}");
        assert!(Grid::of((200, 50), 28, 25).is_named);
    }

    proptest! {
        #[test]
        fn a_line_of_cells_fits_its_place(
            width in 60_usize..400, rows in 1_usize..100, entities in 0_usize..5000, longest in 0_usize..64
        ) {
            let grid = Grid::of((width, rows), entities, longest);
            let taken = match (grid.is_named, grid.width) {
                (true, cell) => cell * grid.in_line,
                (false, 1) => NAME - 1 + grid.in_line + grid.in_line.div_ceil(BLOCK),
                (false, cell) => NAME - 1 + cell * grid.in_line,
            };
            prop_assert!(taken <= width, "{:?}", grid);
            prop_assert!(grid.in_line > 0);
        }
    }
}
