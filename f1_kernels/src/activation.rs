//! Elementwise functions of the MLPs: tanh-GELU, its gated form, and SiLU.

use super::simd::{GELU_CUBIC, TWO_SQRT_2_OVER_PI, arch, gelu_gate, map1, map2, sigmoid};
use super::{ELEMENTS_PER_TASK, contiguous, is_fast, recomputed, values};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// `gelu_tanh(gate) * up`, the gated MLP of the decoder stacks; both of one shape. Differentiable
/// in both.
///
/// # Errors
/// Shapes that differ, or an error of the device.
pub fn geglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if super::cuda::serves(gate, &[up], true) {
        return super::cuda::geglu(gate, up);
    }
    if !is_fast(gate) || !is_fast(up) {
        if gate.track_op() || up.track_op() {
            let plain = |[gate, up]: [&Tensor; 2]| gate.gelu()?.mul(up);
            return recomputed([gate, up], |[gate, up]| geglu(gate, up), plain);
        }
        return gate.gelu()?.mul(up);
    }
    gate.contiguous()?.apply_op2(&up.contiguous()?, GeGlu)
}

/// [`geglu`] of rows that hold the gate and then `up`: `[.., 2 width]` to `[.., width]`.
/// Differentiable.
///
/// # Errors
/// A width that is odd, or an error of the device.
pub fn geglu_joined(both: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if super::cuda::serves(both, &[], true) {
        return super::cuda::geglu_joined(both);
    }
    let width = both.dim(D::Minus1)?;
    if width % 2 != 0 {
        bail!("geglu of {:?}", both.shape())
    }
    geglu(&both.narrow(D::Minus1, 0, width / 2)?, &both.narrow(D::Minus1, width / 2, width / 2)?)
}

/// The tanh form of GELU. Differentiable.
///
/// # Errors
/// An error of the device.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    if !is_fast(x) { x.gelu() } else { x.contiguous()?.apply_op1(Activation::Gelu) }
}

/// `x * sigmoid(x)`. Differentiable.
///
/// # Errors
/// An error of the device.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if !is_fast(x) { x.silu() } else { x.contiguous()?.apply_op1(Activation::Silu) }
}

struct GeGlu;

impl CustomOp2 for GeGlu {
    fn name(&self) -> &'static str {
        "f1-geglu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if la.shape() != lb.shape() {
            bail!("geglu: gate {:?} and up {:?} differ", la.shape(), lb.shape())
        }
        let (gate, up) = (contiguous(a, la)?, contiguous(b, lb)?);
        let mut out = vec![0f32; gate.len()];
        out.par_chunks_mut(ELEMENTS_PER_TASK)
            .zip(gate.par_chunks(ELEMENTS_PER_TASK))
            .zip(up.par_chunks(ELEMENTS_PER_TASK))
            .for_each(|((out, gate), up)| arch().dispatch(GegluForward { gate, up, out }));
        Ok((CpuStorage::F32(out), la.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut d_gate = vec![0f32; gate.elem_count()];
        let mut d_up = vec![0f32; gate.elem_count()];
        values(gate, |gate| {
            values(up, |up| {
                values(grad, |grad| {
                    d_gate
                        .par_chunks_mut(ELEMENTS_PER_TASK)
                        .zip(d_up.par_chunks_mut(ELEMENTS_PER_TASK))
                        .zip(gate.par_chunks(ELEMENTS_PER_TASK))
                        .zip(up.par_chunks(ELEMENTS_PER_TASK))
                        .zip(grad.par_chunks(ELEMENTS_PER_TASK))
                        .for_each(|((((d_gate, d_up), gate), up), grad)| {
                            arch().dispatch(GegluBackward { gate, up, grad, d_gate, d_up });
                        });
                    Ok(())
                })
            })
        })?;
        let (shape, device) = (gate.shape(), gate.device());
        Ok((
            Some(Tensor::from_vec(d_gate, shape, device)?),
            Some(Tensor::from_vec(d_up, shape, device)?),
        ))
    }
}

struct GegluForward<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for GegluForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        map2(
            simd,
            self.gate,
            self.up,
            self.out,
            #[inline(always)]
            |gate, up| simd.mul_f32s(simd.mul_f32s(gate, gelu_gate(simd, gate)), up),
        );
    }
}

struct GegluBackward<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    grad: &'a [f32],
    d_gate: &'a mut [f32],
    d_up: &'a mut [f32],
}

impl WithSimd for GegluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { gate, up, grad, d_gate, d_up } = self;
        map2(
            simd,
            gate,
            grad,
            d_up,
            #[inline(always)]
            |gate, grad| simd.mul_f32s(simd.mul_f32s(gate, gelu_gate(simd, gate)), grad),
        );
        map2(
            simd,
            up,
            grad,
            d_gate,
            #[inline(always)]
            |up, grad| simd.mul_f32s(up, grad),
        );
        update(
            simd,
            gate,
            d_gate,
            #[inline(always)]
            |gate, grad| simd.mul_f32s(gelu_slope(simd, gate), grad),
        );
    }
}

/// `dst = f(src, dst)`.
#[inline(always)]
fn update<S: Simd>(simd: S, src: &[f32], dst: &mut [f32], f: impl Fn(S::f32s, S::f32s) -> S::f32s) {
    let (src, src_tail) = S::as_simd_f32s(src);
    let (dst, dst_tail) = S::as_mut_simd_f32s(dst);
    for (dst, &src) in dst.iter_mut().zip(src) {
        *dst = f(src, *dst);
    }
    if !dst_tail.is_empty() {
        let value = f(simd.partial_load_f32s(src_tail), simd.partial_load_f32s(dst_tail));
        simd.partial_store_f32s(dst_tail, value);
    }
}

/// d/dx of `x g(x)` with `g = sigmoid(a x + b x^3)`: `g + x g (1 - g) (a + 3 b x^2)`.
#[inline(always)]
fn gelu_slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let gate = gelu_gate(simd, x);
    let x2 = simd.mul_f32s(x, x);
    let inner = simd.mul_add_f32s(
        x2,
        simd.splat_f32s(3.0 * TWO_SQRT_2_OVER_PI * GELU_CUBIC),
        simd.splat_f32s(TWO_SQRT_2_OVER_PI),
    );
    let rest = simd.sub_f32s(simd.splat_f32s(1.0), gate);
    simd.mul_f32s(gate, simd.mul_add_f32s(simd.mul_f32s(x, rest), inner, simd.splat_f32s(1.0)))
}

/// d/dx of `x s(x)`, s the sigmoid: `s (1 + x (1 - s))`.
#[inline(always)]
pub(crate) fn silu_slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let s = sigmoid(simd, x);
    simd.mul_f32s(s, simd.mul_add_f32s(x, simd.sub_f32s(one, s), one))
}

#[derive(Clone, Copy)]
enum Activation {
    Gelu,
    Silu,
}

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        match self {
            Self::Gelu => "f1-gelu-tanh",
            Self::Silu => "f1-silu",
        }
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(x, layout)?;
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(ELEMENTS_PER_TASK)
            .zip(x.par_chunks(ELEMENTS_PER_TASK))
            .for_each(|(out, x)| arch().dispatch(ActivationForward { kind: *self, x, out }));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0f32; x.elem_count()];
        values(x, |x| {
            values(grad, |grad| {
                dx.par_chunks_mut(ELEMENTS_PER_TASK)
                    .zip(x.par_chunks(ELEMENTS_PER_TASK))
                    .zip(grad.par_chunks(ELEMENTS_PER_TASK))
                    .for_each(|((dx, x), grad)| {
                        arch().dispatch(ActivationBackward { kind: *self, x, grad, dx })
                    });
                Ok(())
            })
        })?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

struct ActivationForward<'a> {
    kind: Activation,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for ActivationForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.kind {
            Activation::Gelu => map1(
                simd,
                self.x,
                self.out,
                #[inline(always)]
                |x| simd.mul_f32s(x, gelu_gate(simd, x)),
            ),
            Activation::Silu => map1(
                simd,
                self.x,
                self.out,
                #[inline(always)]
                |x| simd.mul_f32s(x, sigmoid(simd, x)),
            ),
        }
    }
}

struct ActivationBackward<'a> {
    kind: Activation,
    x: &'a [f32],
    grad: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for ActivationBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { kind, x, grad, dx } = self;
        match kind {
            Activation::Gelu => map2(
                simd,
                x,
                grad,
                dx,
                #[inline(always)]
                |x, g| simd.mul_f32s(gelu_slope(simd, x), g),
            ),
            Activation::Silu => map2(
                simd,
                x,
                grad,
                dx,
                #[inline(always)]
                |x, g| simd.mul_f32s(silu_slope(simd, x), g),
            ),
        }
    }
}
