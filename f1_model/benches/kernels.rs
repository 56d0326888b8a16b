//! One benchmark a kernel, next to candle's own operations: `cargo bench -p f1_model` (`RAYON_NUM_THREADS=1` for one core).
#![allow(clippy::expect_used, reason = "a benchmark stops at the first fault")]

use candle_core::{Device, Tensor};
use divan::{Bencher, counter::ItemsCount};
use f1_model::kernels::{Conv2dGeometry, conv2d, conv2d_plain};

fn main() {
    divan::main();
}

fn normal(shape: &[usize]) -> Tensor {
    Tensor::randn(0f32, 1f32, shape, &Device::Cpu).expect("a CPU tensor")
}

/// (channels in, channels out, side): the tokenizer's levels.
const LEVELS: [(usize, usize, usize); 4] = [(160, 160, 256), (64, 64, 256), (64, 64, 128), (256, 256, 16)];

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
    bencher.counter(ItemsCount::new(2 * m * k * n)).bench(|| x.matmul(&w.t().expect("2-D")).expect("fits"));
}
