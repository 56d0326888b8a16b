//! `yuv422_yuy2` (YUYV): ITU-R BT.601, limited range, as OpenCV and `cv_bridge` convert it.

/// Fixed-point bits of the coefficients.
const SHIFT: i32 = 20;
const HALF: i32 = 1 << (SHIFT - 1);

fn clamp(value: i32) -> u8 {
    (value >> SHIFT).clamp(0, 255) as u8
}

fn pixel(y: u8, u: i32, v: i32) -> [u8; 3] {
    // 255/219, and 255/224 times the chroma weights, times 2^20.
    let y = (i32::from(y) - 16).max(0) * 1_220_542 + HALF;
    [clamp(y + 1_673_527 * v), clamp(y - 852_492 * v - 409_993 * u), clamp(y + 2_116_026 * u)]
}

/// Appends one row, Y0 U Y1 V for each two pixels.
pub(crate) fn row_to_rgb(row: &[u8], out: &mut Vec<u8>) {
    for [y0, u, y1, v] in row.as_chunks::<4>().0 {
        let (u, v) = (i32::from(*u) - 128, i32::from(*v) - 128);
        out.extend_from_slice(&pixel(*y0, u, v));
        out.extend_from_slice(&pixel(*y1, u, v));
    }
}

/// All rows of an RGB image of even width; chroma is the mean of each pair.
pub(crate) fn from_rgb(rgb: &[u8]) -> Vec<u8> {
    let luma = |[r, g, b]: [f32; 3]| 16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0;
    let round = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    let mut out = Vec::with_capacity(rgb.len() / 3 * 2);
    for pair in rgb.as_chunks::<6>().0 {
        let [r0, g0, b0, r1, g1, b1] = pair.map(f32::from);
        let mean = [(r0 + r1) / 2.0, (g0 + g1) / 2.0, (b0 + b1) / 2.0];
        let [r, g, b] = mean;
        let u = 128.0 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255.0;
        let v = 128.0 + (112.0 * r - 93.786 * g - 18.214 * b) / 255.0;
        out.extend_from_slice(&[
            round(luma([r0, g0, b0])),
            round(u),
            round(luma([r1, g1, b1])),
            round(v),
        ]);
    }
    out
}
