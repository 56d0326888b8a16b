//! The matrix microkernel of convolution and attention: a few rows times one panel of columns, in
//! registers.

use super::simd::{MICRO_ROWS, PANEL_VECTORS};
use pulp::Simd;

/// Columns of a full panel on this instruction set.
#[inline(always)]
pub(crate) const fn panel_columns<S: Simd>() -> usize {
    PANEL_VECTORS * S::F32_LANES
}

/// Number of floats that `rows x depth` takes once packed by [`pack_rows`].
pub(crate) const fn packed_rows_len(rows: usize, depth: usize) -> usize {
    rows.div_ceil(MICRO_ROWS) * MICRO_ROWS * depth
}

/// Packs the row-major matrix `a` (element `(r, k)` at `r * row_stride + k * depth_stride`) into
/// blocks `[depth][MICRO_ROWS]`; missing rows are zero.
pub(crate) fn pack_rows(
    a: &[f32],
    rows: usize,
    depth: usize,
    row_stride: usize,
    depth_stride: usize,
    scale: f32,
    packed: &mut [f32],
) {
    for (block, out) in packed.chunks_exact_mut(MICRO_ROWS * depth).enumerate() {
        let first = block * MICRO_ROWS;
        if depth_stride == 1 && first + MICRO_ROWS <= rows {
            let sources: [&[f32]; MICRO_ROWS] = std::array::from_fn(|r| {
                &a[(first + r) * row_stride..(first + r) * row_stride + depth]
            });
            let (out, _) = out.as_chunks_mut::<MICRO_ROWS>();
            for (k, out) in out.iter_mut().enumerate() {
                for (out, source) in out.iter_mut().zip(sources) {
                    *out = source[k] * scale;
                }
            }
            continue;
        }
        for r in 0..MICRO_ROWS {
            if first + r < rows {
                let source = &a[(first + r) * row_stride..];
                for k in 0..depth {
                    out[k * MICRO_ROWS + r] = source[k * depth_stride] * scale;
                }
            } else {
                for k in 0..depth {
                    out[k * MICRO_ROWS + r] = 0.0;
                }
            }
        }
    }
}

/// `acc[r][v] += sum_k a[k][r] * b[k][v]` over the first `V` vectors of a column panel.
#[inline(always)]
pub(crate) fn multiply<S: Simd, const V: usize>(
    simd: S,
    a: &[[f32; MICRO_ROWS]],
    b: &[[S::f32s; PANEL_VECTORS]],
    mut acc: [[S::f32s; V]; MICRO_ROWS],
) -> [[S::f32s; V]; MICRO_ROWS] {
    for (a, b) in a.iter().zip(b) {
        for r in 0..MICRO_ROWS {
            let factor = simd.splat_f32s(a[r]);
            for v in 0..V {
                acc[r][v] = simd.mul_add_e_f32s(factor, b[v], acc[r][v]);
            }
        }
    }
    acc
}

/// As [`multiply`] with eight separate rows of `a`, read from position `from` on.
#[inline(always)]
pub(crate) fn multiply_rows<S: Simd, const V: usize>(
    simd: S,
    a: &[&[f32]; MICRO_ROWS],
    from: usize,
    b: &[[S::f32s; PANEL_VECTORS]],
    mut acc: [[S::f32s; V]; MICRO_ROWS],
) -> [[S::f32s; V]; MICRO_ROWS] {
    let depth = b.len();
    let a: [&[f32]; MICRO_ROWS] = std::array::from_fn(|r| &a[r][from..from + depth]);
    for k in 0..depth {
        let b = &b[k];
        for r in 0..MICRO_ROWS {
            let factor = simd.splat_f32s(a[r][k]);
            for v in 0..V {
                acc[r][v] = simd.mul_add_e_f32s(factor, b[v], acc[r][v]);
            }
        }
    }
    acc
}

/// As [`multiply`] with `a[k][0..8]` at `k * stride`: eight neighbouring columns of a row-major
/// matrix.
#[inline(always)]
pub(crate) fn multiply_strided<S: Simd, const V: usize>(
    simd: S,
    a: &[f32],
    stride: usize,
    b: &[[S::f32s; PANEL_VECTORS]],
    mut acc: [[S::f32s; V]; MICRO_ROWS],
) -> [[S::f32s; V]; MICRO_ROWS] {
    for (a, b) in a.chunks(stride).zip(b) {
        let Some((a, _)) = a.split_first_chunk::<MICRO_ROWS>() else { break };
        for r in 0..MICRO_ROWS {
            let factor = simd.splat_f32s(a[r]);
            for v in 0..V {
                acc[r][v] = simd.mul_add_e_f32s(factor, b[v], acc[r][v]);
            }
        }
    }
    acc
}

/// Packs the matrix `b` (element `(k, n)` at `k * depth_stride + n * column_stride`) into panels of
/// `width` columns, `[panel][depth][width]`; the buffer is zero beyond the last column.
pub(crate) fn pack_columns(
    b: &[f32],
    depth: usize,
    columns: usize,
    depth_stride: usize,
    column_stride: usize,
    width: usize,
    packed: &mut [f32],
) {
    for (panel, out) in packed.chunks_exact_mut(width * depth).enumerate() {
        let first = panel * width;
        let used = width.min(columns - first);
        if column_stride == 1 {
            for (k, out) in out.chunks_exact_mut(width).enumerate() {
                let from = k * depth_stride + first;
                out[..used].copy_from_slice(&b[from..from + used]);
            }
        } else {
            for n in 0..used {
                let column = &b[(first + n) * column_stride..];
                for k in 0..depth {
                    out[k * width + n] = column[k * depth_stride];
                }
            }
        }
    }
}
