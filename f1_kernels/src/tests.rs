//! Every kernel against candle's own operations: values and gradients, on sizes that do not fill
//! the vectors.

use super::*;
use candle_core::{Device, Var};

fn normal(shape: &[usize]) -> Var {
    Var::from_tensor(&Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap()).unwrap()
}

/// Largest difference, relative to the largest number of `expected` (at least 1).
fn error(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    let top =
        expected.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    let worst = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    worst.to_scalar::<f32>().unwrap() / top.max(1.0)
}

/// Every instruction set of this machine, the portable fallback included.
fn architectures() -> Vec<pulp::Arch> {
    let mut all = vec![pulp::Arch::Scalar, pulp::Arch::new()];
    #[cfg(not(f1_portable))]
    if let Some(v3) = pulp::x86::V3::try_new() {
        all.push(pulp::Arch::V3(v3));
    }
    all
}

/// [`agree_here`] on every instruction set.
fn agree(
    inputs: &[&Var],
    fused: impl Fn() -> Result<Tensor> + Sync,
    plain: impl Fn() -> Result<Tensor> + Sync,
) {
    for arch in architectures() {
        let force = move |_| simd::FORCED_ARCH.set(Some(arch));
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(2).start_handler(force).build().unwrap();
        pool.install(|| agree_here(inputs, &fused, &plain));
    }
}

/// Values and gradients of both forms agree; gradients are those of a randomly weighted output.
fn agree_here(
    inputs: &[&Var],
    fused: impl Fn() -> Result<Tensor>,
    plain: impl Fn() -> Result<Tensor>,
) {
    let (found, expected) = (fused().unwrap(), plain().unwrap());
    assert!(error(&found, &expected) < 2e-5, "values differ by {}", error(&found, &expected));
    let weights = Tensor::randn(0f32, 1f32, expected.shape(), &Device::Cpu).unwrap();
    let found = (found * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let expected = (expected * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    for (i, input) in inputs.iter().enumerate() {
        let (found, expected) = (found.get(input).unwrap(), expected.get(input).unwrap());
        assert!(
            error(found, expected) < 5e-5,
            "gradient {i} differs by {}",
            error(found, expected)
        );
    }
}

#[test]
fn convolution_equals_candles() {
    // batch, in, out, height, width, kernel, geometry: odd sizes, several tiles, depth beyond one
    // block, 1 x 1, one-sided pads.
    let cases = [
        (2, 3, 5, 7, 9, 3, Conv2dGeometry::same(1)),
        (1, 70, 20, 33, 21, 3, Conv2dGeometry::same(1)),
        (2, 17, 9, 16, 16, 1, Conv2dGeometry::same(0)),
        (1, 8, 16, 10, 12, 3, Conv2dGeometry::halving()),
        (2, 5, 7, 11, 9, 3, Conv2dGeometry::halving()),
        (1, 4, 6, 9, 8, 3, Conv2dGeometry { stride: 1, top: 0, left: 1, bottom: 2, right: 0 }),
        // Winograd: partial patches at the right and the bottom, several panels, rows shorter than
        // a vector, one-sided pads.
        (1, 16, 24, 35, 131, 3, Conv2dGeometry::same(1)),
        (4, 20, 17, 16, 16, 3, Conv2dGeometry::same(1)),
        (1, 33, 16, 31, 33, 3, Conv2dGeometry { stride: 1, top: 0, left: 1, bottom: 2, right: 0 }),
        (1, 3, 4, 14, 14, 7, Conv2dGeometry { stride: 7, top: 0, left: 0, bottom: 0, right: 0 }),
    ];
    for (batch, input, output, height, width, kernel, geometry) in cases {
        let x = normal(&[batch, input, height, width]);
        let w = normal(&[output, input, kernel, kernel]);
        let b = normal(&[output]);
        agree(
            &[&x, &w, &b],
            || conv2d(&x, &w, Some(&b), geometry),
            || conv2d_plain(&x, &w, Some(&b), geometry),
        );
        agree(
            &[&x, &w],
            || conv2d(&x, &w, None, geometry),
            || conv2d_plain(&x, &w, None, geometry),
        );
    }
}

#[test]
fn a_convolution_that_does_not_fit_is_an_error() {
    let x = normal(&[1, 3, 2, 2]);
    assert!(conv2d(&x, &normal(&[4, 2, 1, 1]), None, Conv2dGeometry::same(0)).is_err());
    assert!(conv2d(&x, &normal(&[4, 3, 5, 5]), None, Conv2dGeometry::same(0)).is_err());
    assert!(
        conv2d(&x, &normal(&[4, 3, 1, 1]), Some(&normal(&[3])), Conv2dGeometry::same(0)).is_err()
    );
}

#[test]
fn group_norm_equals_candles() {
    for (channels, groups, side, silu) in [(6, 3, 5, true), (32, 32, 4, true), (8, 2, 7, false)] {
        let x = normal(&[2, channels, side, side]);
        let (w, b) = (normal(&[channels]), normal(&[channels]));
        agree(
            &[&x, &w, &b],
            || group_norm(&x, &w, &b, groups, 1e-6, silu),
            || group_norm_plain(&x, &w, &b, groups, 1e-6, silu),
        );
    }
}

#[test]
fn row_norms_equal_candles() {
    for width in [1, 7, 16, 50, 256] {
        let x = normal(&[2, 3, width]);
        let (w, b) = (normal(&[width]), normal(&[width]));
        agree(&[&x, &w], || rms_norm(&x, &w, 1e-6), || rms_norm_plain(&x, &w, 1e-6));
        let delta = normal(&[2, 3, width]);
        let summed = || x.add(&delta);
        agree(
            &[&x, &delta, &w],
            || Ok(add_rms_norm(&x, &delta, &w, 1e-6)?.1),
            || rms_norm_plain(&summed()?, &w, 1e-6),
        );
        if width > 1 {
            let weights =
                LayerNormWeights::new(w.as_tensor().clone(), b.as_tensor().clone()).unwrap();
            agree(
                &[&x, &w, &b],
                || layer_norm(&x, &weights, 1e-5),
                || layer_norm_plain(&x, &w, &b, 1e-5),
            );
            agree(
                &[&x, &delta, &w, &b],
                || Ok(add_layer_norm(&x, &delta, &weights, 1e-5)?.1),
                || layer_norm_plain(&summed()?, &w, &b, 1e-5),
            );
        }
    }
}

#[test]
fn activations_equal_candles() {
    let (x, y) = (normal(&[3, 45]), normal(&[3, 45]));
    agree(&[&x, &y], || geglu(&x, &y), || x.gelu()?.mul(&y));
    agree(
        &[&x, &y],
        || geglu_joined(&Tensor::cat(&[x.as_tensor(), y.as_tensor()], 1)?),
        || x.gelu()?.mul(&y),
    );
    agree(&[&x], || gelu_tanh(&x), || x.gelu());
    agree(&[&x], || silu(&x), || x.silu());
}

#[test]
fn activations_stay_finite_far_out() {
    let far =
        Tensor::new(&[-1e30f32, -200.0, -89.0, 0.0, 89.0, 200.0, 1e18], &Device::Cpu).unwrap();
    for y in [gelu_tanh(&far).unwrap(), silu(&far).unwrap()] {
        let y = y.to_vec1::<f32>().unwrap();
        assert!(y[..3].iter().all(|v| v.abs() < 1e-6), "{y:?}");
        assert_eq!(&y[3..], &[0.0, 89.0, 200.0, 1e18]);
    }
}

#[test]
fn rope_equals_candles() {
    for batch in [1, 2] {
        let x = normal(&[2, 5, 3, 12]);
        let angles = Tensor::rand(0f32, 6f32, (batch, 5, 6), &Device::Cpu).unwrap();
        let angles = Tensor::stack(&[angles.cos().unwrap(), angles.sin().unwrap()], 0).unwrap();
        agree(&[&x], || rope(&x, &angles), || rope_plain(&x, &angles));
    }
}

/// A block mask: query i attends to keys up to `i * keys / queries + 3`; in batch row b the first b
/// keys are hidden.
fn block_mask(batch: usize, queries: usize, keys: usize) -> Tensor {
    let mut mask = Vec::new();
    for b in 0..batch {
        for i in 0..queries {
            for j in 0..keys {
                let seen = j >= b && j <= (i + 1) * keys / queries + 3;
                mask.push(if seen { 0f32 } else { -1e30 });
            }
        }
    }
    Tensor::from_vec(mask, (batch, queries, keys), &Device::Cpu).unwrap()
}

#[test]
fn attention_equals_candles() {
    // batch, queries, keys, heads, key heads, width
    for (batch, queries, keys, heads, kv, width) in
        [(1, 1, 1, 1, 1, 4), (2, 37, 150, 4, 1, 16), (1, 70, 130, 4, 2, 64), (2, 5, 49, 2, 2, 72)]
    {
        let q = normal(&[batch, queries, heads, width]);
        let k = normal(&[batch, keys, kv, width]);
        let v = normal(&[batch, keys, kv, width]);
        let scale = 1.0 / (width as f64).sqrt();
        let masks = [(batch, queries), (1, queries), (batch, 1)];
        let masks = masks.map(|(batch, queries)| Some(block_mask(batch, queries, keys)));
        for mask in [None].into_iter().chain(masks) {
            agree(
                &[&q, &k, &v],
                || attention(&q, &k, &v, mask.as_ref(), scale),
                || attention_plain(&q, &k, &v, mask.as_ref(), scale),
            );
        }
    }
}

#[test]
fn attention_reads_views_as_they_lie() {
    let q = normal(&[2, 4, 9, 16]);
    let k = normal(&[2, 2, 70, 16]);
    let view = |x: &Var, from, len| x.transpose(1, 2).unwrap().narrow(1, from, len).unwrap();
    agree(
        &[&q, &k],
        || attention(&view(&q, 1, 7), &view(&k, 0, 60), &view(&k, 5, 60), None, 0.3),
        || attention_plain(&view(&q, 1, 7), &view(&k, 0, 60), &view(&k, 5, 60), None, 0.3),
    );
}

#[test]
fn a_query_that_sees_nothing_stays_finite() {
    let (q, k) = (normal(&[1, 3, 2, 8]), normal(&[1, 60, 1, 8]));
    let mask = Tensor::full(-1e30f32, (1, 3, 60), &Device::Cpu).unwrap();
    let out = attention(&q, &k, &k, Some(&mask), 1.0).unwrap().flatten_all().unwrap();
    assert!(out.to_vec1::<f32>().unwrap().iter().all(|v| v.is_finite()));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let x = normal(&[2, 16, 40, 40]);
    let w = normal(&[24, 16, 3, 3]);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let many = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let run = || {
        conv2d(&x, &w, None, Conv2dGeometry::same(1))
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    assert_eq!(one.install(run), many.install(run));
}
