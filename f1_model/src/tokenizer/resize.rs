//! Area and bicubic resizing of square maps as matrices: small, exact and differentiable.

use candle_core::{Device, Tensor};

use crate::Result;

/// Rows of the 1-D adaptive-average matrix `[target, source]`.
pub fn area_matrix(source: usize, target: usize) -> Vec<Vec<f64>> {
    (0..target)
        .map(|row| {
            let (from, to) = (row * source / target, ((row + 1) * source).div_ceil(target));
            let share = 1.0 / (to - from) as f64;
            (0..source)
                .map(|column| if (from..to).contains(&column) { share } else { 0.0 })
                .collect()
        })
        .collect()
}

/// Rows of the 1-D bicubic matrix `[target, source]`: a = -0.75, half-pixel centres, clamped
/// borders, no antialias.
pub fn bicubic_matrix(source: usize, target: usize) -> Vec<Vec<f64>> {
    const A: f64 = -0.75;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let scale = source as f64 / target as f64;
    (0..target)
        .map(|row| {
            let centre = (row as f64 + 0.5) * scale - 0.5;
            let base = centre.floor();
            let t = centre - base;
            let mut weights = vec![0.0; source];
            for (offset, weight) in
                [(-1.0, far(t + 1.0)), (0.0, near(t)), (1.0, near(1.0 - t)), (2.0, far(2.0 - t))]
            {
                let column = (base + offset).clamp(0.0, source.saturating_sub(1) as f64) as usize;
                weights[column] += weight;
            }
            weights
        })
        .collect()
}

/// The 2-D form of a 1-D matrix as one tensor `[source^2, target^2]`, to be multiplied from the
/// right.
pub(super) fn square(matrix: &[Vec<f64>], device: &Device) -> Result<Tensor> {
    let target = matrix.len();
    let source = matrix.first().map_or(0, Vec::len);
    let mut values = vec![0f32; source * source * target * target];
    for (row, row_weights) in matrix.iter().enumerate() {
        for (column, column_weights) in matrix.iter().enumerate() {
            for (y, a) in row_weights.iter().enumerate() {
                for (x, b) in column_weights.iter().enumerate() {
                    values[(y * source + x) * target * target + row * target + column] =
                        (a * b) as f32;
                }
            }
        }
    }
    Ok(Tensor::from_vec(values, (source * source, target * target), device)?)
}

/// Resizes maps `[batch, channels, s, s]` with a matrix of `square` form to `[batch, channels, t,
/// t]`.
///
/// # Errors
/// The sizes do not fit.
pub fn resize_map(map: &Tensor, matrix: &Tensor) -> Result<Tensor> {
    let (batch, channels, side, _) = map.dims4()?;
    let (_, area) = matrix.dims2()?;
    let target = area.isqrt();
    Ok(map
        .reshape((batch * channels, side * side))?
        .contiguous()?
        .matmul(matrix)?
        .reshape((batch, channels, target, target))?)
}
