//! Shared by the CPU kernels: vector widths, aligned scratch memory, and transcendental functions.
//!
//! Everything is written once against [`pulp::Simd`] and dispatched at run time (AVX-512, AVX2 or
//! the portable fallback), so no kernel needs `unsafe`. A closure that touches vectors must itself
//! be `#[inline(always)]`: otherwise it is compiled without the instruction set of the enclosing
//! function and runs fifteen times slower.

use pulp::Simd;

/// Vectors in a column panel of the matrix microkernel.
pub(crate) const PANEL_VECTORS: usize = 3;
/// Rows that the microkernel computes at once.
pub(crate) const MICRO_ROWS: usize = 8;

/// The instruction set that the CPU kernels use: the best of this processor, or the portable
/// fallback in a portable build. Detection is cached by `pulp`.
#[inline]
pub fn arch() -> pulp::Arch {
    #[cfg(test)]
    if let Some(forced) = FORCED_ARCH.get() {
        return forced;
    }
    if cfg!(f1_portable) { pulp::Arch::Scalar } else { pulp::Arch::new() }
}

#[cfg(test)]
thread_local! {
    /// The result of [`arch`] on this thread: tests run every instruction set of the machine.
    pub(crate) static FORCED_ARCH: std::cell::Cell<Option<pulp::Arch>> = const { std::cell::Cell::new(None) };
}

/// A scratch buffer of `f32` that starts on a cache line, so that a panel load never crosses two.
pub(crate) struct AlignedBuffer {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    const LINE: usize = 16;

    /// A zeroed buffer of `len` numbers.
    pub(crate) fn zeroed(len: usize) -> Self {
        let storage = vec![0f32; len + Self::LINE];
        let start = storage.as_ptr().align_offset(64).min(Self::LINE);
        Self { storage, start, len }
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

/// `e^x` to about 2 ulp for `x` in [-87.3, 88.0]; arguments beyond are clamped.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // Round to the nearest integer n by adding 1.5 * 2^23: the low mantissa bits of the sum are n.
    const MAGIC: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(-87.3)), simd.splat_f32s(88.0));
    let shifted =
        simd.mul_add_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), simd.splat_f32s(MAGIC));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(MAGIC));
    let r = simd.mul_add_f32s(n, simd.splat_f32s(-LN2_HIGH), x);
    let r = simd.mul_add_f32s(n, simd.splat_f32s(-LN2_LOW), r);
    // Taylor-like minimax of degree 6 on |r| <= ln2 / 2 (Cephes).
    let mut p = simd.splat_f32s(1.987_569_1e-4);
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = simd.mul_add_f32s(p, r, simd.splat_f32s(c));
    }
    let p = simd.mul_add_f32s(p, simd.mul_f32s(r, r), simd.add_f32s(r, simd.splat_f32s(1.0)));
    let exponent =
        simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), exponent))
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// The factor g with `gelu_tanh(x) = x * g(x)`: `0.5 (1 + tanh u) = sigmoid(2u)`, `u = sqrt(2/pi)
/// (x + 0.044715 x^3)`.
#[inline(always)]
pub(crate) fn gelu_gate<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x2 = simd.mul_f32s(x, x);
    let inner = simd.mul_add_f32s(
        x2,
        simd.splat_f32s(TWO_SQRT_2_OVER_PI * GELU_CUBIC),
        simd.splat_f32s(TWO_SQRT_2_OVER_PI),
    );
    sigmoid(simd, simd.mul_f32s(x, inner))
}

/// `2 sqrt(2 / pi)`.
pub(crate) const TWO_SQRT_2_OVER_PI: f32 = 1.595_769_2;
/// The cubic coefficient of the tanh form of GELU.
pub(crate) const GELU_CUBIC: f32 = 0.044_715;

/// Applies `f` to every vector of `src` into `dst`, the tail included.
#[inline(always)]
pub(crate) fn map1<S: Simd>(simd: S, src: &[f32], dst: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let (src_body, src_tail) = S::as_simd_f32s(src);
    let (dst_body, dst_tail) = S::as_mut_simd_f32s(dst);
    for (d, &s) in dst_body.iter_mut().zip(src_body) {
        *d = f(s);
    }
    if !dst_tail.is_empty() {
        let value = f(simd.partial_load_f32s(src_tail));
        simd.partial_store_f32s(dst_tail, value);
    }
}

/// Applies `f` to every pair of vectors of `a` and `b` into `dst`, the tail included.
#[inline(always)]
pub(crate) fn map2<S: Simd>(
    simd: S,
    a: &[f32],
    b: &[f32],
    dst: &mut [f32],
    f: impl Fn(S::f32s, S::f32s) -> S::f32s,
) {
    let (a_body, a_tail) = S::as_simd_f32s(a);
    let (b_body, b_tail) = S::as_simd_f32s(b);
    let (dst_body, dst_tail) = S::as_mut_simd_f32s(dst);
    for ((d, &a), &b) in dst_body.iter_mut().zip(a_body).zip(b_body) {
        *d = f(a, b);
    }
    if !dst_tail.is_empty() {
        let value = f(simd.partial_load_f32s(a_tail), simd.partial_load_f32s(b_tail));
        simd.partial_store_f32s(dst_tail, value);
    }
}

/// Sum over `f` of every element, in vector partial sums.
#[inline(always)]
pub(crate) fn sum_map<S: Simd>(simd: S, x: &[f32], f: impl Fn(S::f32s) -> S::f32s) -> f32 {
    let (body, tail) = S::as_simd_f32s(x);
    let mut sums = [simd.splat_f32s(0.0); 4];
    let mut chunks = body.chunks_exact(4);
    for chunk in &mut chunks {
        for (sum, &v) in sums.iter_mut().zip(chunk) {
            *sum = simd.add_f32s(*sum, f(v));
        }
    }
    for &v in chunks.remainder() {
        sums[0] = simd.add_f32s(sums[0], f(v));
    }
    let mut total = simd.reduce_sum_f32s(
        simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3])),
    );
    for &v in tail {
        // One lane at a time: `f` of a padded vector would add f(0) for the lanes beyond the end.
        let mut lane = [0f32];
        simd.partial_store_f32s(&mut lane, f(simd.splat_f32s(v)));
        total += lane[0];
    }
    total
}
