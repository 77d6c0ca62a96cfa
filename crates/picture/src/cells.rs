use std::ops::Range;

/// Cells in a row.
pub(crate) const CELL_COLUMNS: usize = 16;
/// Rows of cells.
pub(crate) const CELL_ROWS: usize = 9;
/// All of them.
pub(crate) const CELLS: usize = CELL_COLUMNS * CELL_ROWS;

/// The part of a side of `side` pixels that share `index` of `of` equal shares takes.
pub(crate) fn span(index: usize, of: usize, side: usize) -> Range<usize> {
    index * side / of..(index + 1) * side / of
}

/// Whether the cell lies in the first or the last row, where cameras write their place and time (the norm for
/// networking of 2024-12, §5.4: time above, name below). What stands there says nothing about the view.
pub(crate) fn has_text(cell: usize) -> bool {
    !(CELL_COLUMNS..CELLS - CELL_COLUMNS).contains(&cell)
}

/// The cells of a picture with their pixels: columns and rows.
pub(crate) fn cells(
    width: usize,
    height: usize,
) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> {
    (0..CELLS).map(move |cell| {
        let (column, row) = (cell % CELL_COLUMNS, cell / CELL_COLUMNS);
        (
            cell,
            span(column, CELL_COLUMNS, width),
            span(row, CELL_ROWS, height),
        )
    })
}

/// The middle one; sorts what it is given. None of nothing.
pub(crate) fn median(values: &mut [f32]) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f32::total_cmp).1)
}
