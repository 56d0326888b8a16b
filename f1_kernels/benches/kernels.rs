//! A benchmark of each kernel beside candle's own operations: `cargo bench -p f1_kernels`
//! (`RAYON_NUM_THREADS=1` for one core).
#![allow(clippy::expect_used, reason = "a benchmark stops at the first fault")]

use candle_core::Module;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Tensor};
use divan::{Bencher, counter::ItemsCount};
use f1_kernels::{
    Conv2dGeometry, LayerNormWeights, QuantisedMatrix, attention, attention_plain, conv2d,
    conv2d_plain, geglu, gelu_tanh, group_norm, group_norm_plain, keep_freed_memory, layer_norm,
    rms_norm, rms_norm_plain, rope, rope_plain, silu,
};

fn main() {
    keep_freed_memory();
    divan::main();
}

fn normal(shape: &[usize]) -> Tensor {
    Tensor::randn(0f32, 1f32, shape, &Device::Cpu).expect("a CPU tensor")
}

/// (channels in, channels out, side): the tokenizer's levels.
const LEVELS: [(usize, usize, usize); 4] =
    [(160, 160, 256), (64, 64, 256), (64, 64, 128), (256, 256, 16)];

/// Items are floating-point operations: divan's throughput column reads in FLOP/s.
#[divan::bench(args = LEVELS, sample_count = 5, sample_size = 1)]
fn conv3x3(bencher: Bencher, (input, output, side): (usize, usize, usize)) {
    let x = normal(&[1, input, side, side]);
    let w = normal(&[output, input, 3, 3]);
    let b = normal(&[output]);
    bencher
        .counter(ItemsCount::new(2 * 9 * input * output * side * side))
        .bench(|| conv2d(&x, &w, Some(&b), Conv2dGeometry::same(1)).expect("fits"));
}

#[divan::bench(args = LEVELS, sample_count = 3, sample_size = 1)]
fn conv3x3_candle(bencher: Bencher, (input, output, side): (usize, usize, usize)) {
    let x = normal(&[1, input, side, side]);
    let w = normal(&[output, input, 3, 3]);
    let b = normal(&[output]);
    bencher
        .counter(ItemsCount::new(2 * 9 * input * output * side * side))
        .bench(|| conv2d_plain(&x, &w, Some(&b), Conv2dGeometry::same(1)).expect("fits"));
}

/// (rows, depth, columns) of linear layers.
#[divan::bench(args = [(1024, 1024, 1024), (1496, 512, 2048), (51, 256, 1024)], sample_count = 5)]
fn linear(bencher: Bencher, (m, k, n): (usize, usize, usize)) {
    let x = normal(&[m, k]);
    let w = normal(&[n, k]);
    bencher
        .counter(ItemsCount::new(2 * m * k * n))
        .bench(|| x.matmul(&w.t().expect("2-D")).expect("fits"));
}

/// (rows, depth, columns) of quantised layers: the first pass and a flow step of the timing
/// configuration.
const QUANTISED: [(usize, usize, usize); 4] =
    [(816, 512, 2048), (816, 2048, 512), (680, 256, 1024), (50, 256, 1024)];

fn eight_bit(k: usize, n: usize) -> QTensor {
    QTensor::quantize(&normal(&[n, k]), GgmlDType::Q8_0).expect("whole blocks")
}

#[divan::bench(args = QUANTISED, sample_count = 5)]
fn linear_q8(bencher: Bencher, (m, k, n): (usize, usize, usize)) {
    let (x, w) = (normal(&[m, k]), QuantisedMatrix::new(eight_bit(k, n)).expect("a matrix"));
    bencher.counter(ItemsCount::new(2 * m * k * n)).bench(|| w.forward(&x).expect("fits"));
}

#[divan::bench(args = QUANTISED, sample_count = 3)]
fn linear_q8_candle(bencher: Bencher, (m, k, n): (usize, usize, usize)) {
    let (x, w) = (normal(&[m, k]), QMatMul::from_qtensor(eight_bit(k, n)).expect("a matrix"));
    bencher.counter(ItemsCount::new(2 * m * k * n)).bench(|| w.forward(&x).expect("fits"));
}

/// The tokenizer's downsampling of 64 channels at 256 x 256.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn conv3x3_halving(bencher: Bencher) {
    let (x, w, b) = (normal(&[1, 64, 256, 256]), normal(&[64, 64, 3, 3]), normal(&[64]));
    bencher
        .counter(ItemsCount::new(2usize * 9 * 64 * 64 * 128 * 128))
        .bench(|| conv2d(&x, &w, Some(&b), Conv2dGeometry::halving()).expect("fits"));
}

/// (queries, keys): the first pass and a flow step of the timing configuration, eight heads of 64.
const PASSES: [(usize, usize); 2] = [(1496, 1496), (50, 1576)];

fn heads(queries: usize, keys: usize) -> [Tensor; 3] {
    [normal(&[1, queries, 8, 64]), normal(&[1, keys, 1, 64]), normal(&[1, keys, 1, 64])]
}

#[divan::bench(args = PASSES, sample_count = 5, sample_size = 1)]
fn attention_fused(bencher: Bencher, (queries, keys): (usize, usize)) {
    let [q, k, v] = heads(queries, keys);
    bencher
        .counter(ItemsCount::new(4 * queries * keys * 8 * 64))
        .bench(|| attention(&q, &k, &v, None, 0.125).expect("fits"));
}

#[divan::bench(args = PASSES, sample_count = 3, sample_size = 1)]
fn attention_candle(bencher: Bencher, (queries, keys): (usize, usize)) {
    let [q, k, v] = heads(queries, keys);
    bencher
        .counter(ItemsCount::new(4 * queries * keys * 8 * 64))
        .bench(|| attention_plain(&q, &k, &v, None, 0.125).expect("fits"));
}

/// Forward and backward of attention at a training batch of the bench model.
#[divan::bench(args = [true, false], sample_count = 3, sample_size = 1)]
fn attention_training(bencher: Bencher, fused: bool) {
    let variable =
        |shape: &[usize]| candle_core::Var::from_tensor(&normal(shape)).expect("a CPU tensor");
    let (q, k, v) =
        (variable(&[32, 200, 8, 32]), variable(&[32, 200, 1, 32]), variable(&[32, 200, 1, 32]));
    bencher.bench(|| {
        let out = if fused {
            attention(&q, &k, &v, None, 0.2)
        } else {
            attention_plain(&q, &k, &v, None, 0.2)
        };
        out.and_then(|out| out.sum_all()).and_then(|sum| sum.backward()).expect("differentiable")
    });
}

#[divan::bench(args = [true, false], sample_count = 5, sample_size = 1)]
fn group_norm_silu(bencher: Bencher, fused: bool) {
    let (x, w, b) = (normal(&[1, 64, 256, 256]), normal(&[64]), normal(&[64]));
    let form = if fused { group_norm } else { group_norm_plain };
    bencher.bench(|| form(&x, &w, &b, 32, 1e-6, true).expect("fits"));
}

#[divan::bench(args = [true, false], sample_count = 5, sample_size = 1)]
fn rms_norm_1496x512(bencher: Bencher, fused: bool) {
    let (x, w) = (normal(&[1496, 512]), normal(&[512]));
    let form = if fused { rms_norm } else { rms_norm_plain };
    bencher.bench(|| form(&x, &w, 1e-6).expect("fits"));
}

/// Forward and backward pass of a convolution of a training step.
#[divan::bench(args = [true, false], sample_count = 3, sample_size = 1)]
fn conv3x3_training(bencher: Bencher, fused: bool) {
    let variable =
        |shape: &[usize]| candle_core::Var::from_tensor(&normal(shape)).expect("a CPU tensor");
    let (x, w, b) = (variable(&[4, 64, 64, 64]), variable(&[64, 64, 3, 3]), variable(&[64]));
    let form = if fused { conv2d } else { conv2d_plain };
    bencher.bench(|| {
        let out = form(&x, &w, Some(&b), Conv2dGeometry::same(1));
        out.and_then(|out| out.sum_all()).and_then(|sum| sum.backward()).expect("differentiable")
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn layer_norm_768x256(bencher: Bencher) {
    let (x, w, b) = (normal(&[768, 256]), normal(&[256]), normal(&[256]));
    let weights = LayerNormWeights::new(w, b).expect("of one width");
    bencher.bench(|| layer_norm(&x, &weights, 1e-6).expect("fits"));
}

#[divan::bench(args = [true, false], sample_count = 5, sample_size = 1)]
fn rope_1496x8x64(bencher: Bencher, fused: bool) {
    let (x, angles) = (normal(&[1, 1496, 8, 64]), normal(&[2, 1, 1496, 32]));
    let form = if fused { rope } else { rope_plain };
    bencher.bench(|| form(&x, &angles).expect("fits"));
}

#[divan::bench(args = [true, false], sample_count = 5, sample_size = 1)]
fn geglu_1496x2048(bencher: Bencher, fused: bool) {
    let (gate, up) = (normal(&[1496, 2048]), normal(&[1496, 2048]));
    bencher.bench(|| {
        let out =
            if fused { geglu(&gate, &up) } else { gate.gelu().and_then(|gate| gate.mul(&up)) };
        out.expect("fits")
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn gelu_768x1024(bencher: Bencher) {
    let x = normal(&[768, 1024]);
    bencher.bench(|| gelu_tanh(&x).expect("fits"));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn silu_768x1024(bencher: Bencher) {
    let x = normal(&[768, 1024]);
    bencher.bench(|| silu(&x).expect("fits"));
}
