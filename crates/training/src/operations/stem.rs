//! The dense 3x3 convolution of the stem, zero padding 1, stride 1, as columns and one product per picture.

/// The neighbourhoods of every pixel of one picture: [height · width, 9 · channels], taps row by row,
/// channels inside a tap.
pub(crate) fn columns(picture: &[f32], height: usize, width: usize, channels: usize, result: &mut [f32]) {
    let row_length = width * channels;
    for (y, out_row) in result.chunks_exact_mut(width * 9 * channels).enumerate() {
        for (ky, source) in (y..y + 3)
            .map(|row| row.checked_sub(1).filter(|row| *row < height))
            .enumerate()
        {
            let row = source.map(|row| &picture[row * row_length..(row + 1) * row_length]);
            for (x, out) in out_row.chunks_exact_mut(9 * channels).enumerate() {
                let out = &mut out[ky * 3 * channels..(ky + 1) * 3 * channels];
                let Some(row) = row else {
                    out.fill(0.0);
                    continue;
                };
                // The three taps of a row are neighbours in memory, except at the picture's edge.
                if x > 0 && x + 1 < width {
                    out.copy_from_slice(&row[(x - 1) * channels..(x + 2) * channels]);
                } else {
                    for (kx, out) in out.chunks_exact_mut(channels).enumerate() {
                        match (x + kx).checked_sub(1).filter(|column| *column < width) {
                            Some(column) => {
                                out.copy_from_slice(&row[column * channels..(column + 1) * channels]);
                            }
                            None => out.fill(0.0),
                        }
                    }
                }
            }
        }
    }
}
