//! Q8_0 weights times f32 activations by 512-bit dot products of bytes (AVX-512 VNNI).
//!
//! Activations are quantised in blocks of 32 like the weights, so the product of two blocks is an
//! exact integer. Weights are stored in the order in which they are read: panels of 32 output
//! columns, four inputs of a column in one 32-bit lane.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Result, Tensor, bail};
use pulp::bytemuck;
use rayon::prelude::*;
use std::arch::x86_64::{
    __m512, __m512i, _CMP_UNORD_Q, _mm512_abs_ps, _mm512_add_epi32, _mm512_cmp_ps_mask,
    _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_dpbusd_epi32,
    _mm512_fmadd_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_add_epi32, _mm512_reduce_max_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
};

/// Numbers that share a scale.
const BLOCK: usize = 32;
/// Bytes of a block as candle stores it: a half-precision scale, then the numbers.
const BLOCK_BYTES: usize = 2 + BLOCK;
/// Output columns of a panel: two vectors of lanes.
const COLUMNS: usize = 32;
/// Rows computed in registers in one pass over a panel.
const ROWS: usize = 6;
/// Largest number of rows in one task: their activations and one panel fit in the second-level
/// cache.
const TASK_ROWS: usize = 16 * ROWS;

/// The weights `[out, in]` of one layer, packed.
pub(crate) struct Q8Matrix {
    input: usize,
    output: usize,
    /// `[panel][block][8]`, two vectors each: numbers plus 128, unsigned.
    weights: Vec<[[__m512i; 2]; BLOCK / 4]>,
    /// `[panel][block]`.
    scales: Vec<[__m512; 2]>,
}

/// A block of activations.
#[derive(Clone, Copy, Default)]
struct Activations {
    /// Four signed bytes each.
    numbers: [i32; BLOCK / 4],
    scale: f32,
    /// -128 times the sum of the numbers: corrects a dot product for the 128 added to each weight.
    offset: i32,
}

impl Q8Matrix {
    /// Whether [`Q8Matrix::new`] takes these weights: Q8_0 on a processor with the instructions.
    pub(crate) fn serves(weights: &QTensor) -> bool {
        weights.dtype() == GgmlDType::Q8_0 && weights.device().is_cpu() && Self::is_supported()
    }

    fn is_supported() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
    }

    /// Packs a Q8_0 tensor `[out, in]` of a CPU.
    ///
    /// # Errors
    /// The tensor has another type, or this processor lacks the instructions.
    pub(crate) fn new(tensor: &QTensor) -> Result<Self> {
        if !Self::serves(tensor) {
            bail!(
                "a {:?} tensor cannot be packed for byte dot products on this processor",
                tensor.dtype()
            );
        }
        let (output, input) = tensor.shape().dims2()?;
        let blocks = input / BLOCK;
        let data = tensor.data()?;
        let (stored, _) = data.as_chunks::<BLOCK_BYTES>();
        let panels = output.div_ceil(COLUMNS);
        let mut numbers = vec![[[[0u8; 64]; 2]; BLOCK / 4]; panels * blocks];
        let mut scales = vec![[[0f32; 16]; 2]; panels * blocks];
        for (row, stored) in stored.chunks_exact(blocks.max(1)).enumerate() {
            let (panel, vector, lane) = (row / COLUMNS, row % COLUMNS / 16, row % 16);
            for (block, stored) in stored.iter().enumerate() {
                let at = panel * blocks + block;
                scales[at][vector][lane] =
                    half::f16::from_le_bytes([stored[0], stored[1]]).to_f32();
                for (k, &number) in stored[2..].iter().enumerate() {
                    numbers[at][k / 4][vector][4 * lane + k % 4] = number ^ 0x80;
                }
            }
        }
        Ok(Self {
            input,
            output,
            weights: numbers
                .into_iter()
                .map(|block| block.map(|group| group.map(bytemuck::cast)))
                .collect(),
            scales: scales.into_iter().map(|block| block.map(bytemuck::cast)).collect(),
        })
    }

    /// x `[.., in]` to `[.., out]`, in f32. Not differentiable.
    ///
    /// # Errors
    /// Another width or device.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let width = shape.pop().unwrap_or(0);
        if width != self.input {
            bail!(
                "a quantised linear layer of input width {} was given {:?}",
                self.input,
                x.shape()
            );
        }
        let rows: usize = shape.iter().product();
        shape.push(self.output);
        let out = super::values(&x.to_dtype(DType::F32)?, |x| Ok(self.multiply(x, rows)))?;
        Tensor::from_vec(out, shape, x.device())
    }

    fn multiply(&self, x: &[f32], rows: usize) -> Vec<f32> {
        let mut out = vec![0f32; rows * self.output];
        if out.is_empty() || self.input == 0 {
            return out;
        }
        let share =
            rows.div_ceil(rayon::current_num_threads()).next_multiple_of(ROWS).min(TASK_ROWS);
        out.par_chunks_mut(share * self.output).zip(x.par_chunks(share * self.input)).for_each(
            |(out, x)| {
                let mut activations = vec![Activations::default(); x.len() / BLOCK];
                #[allow(
                    unsafe_code,
                    reason = "the processor's instructions are chosen at run time"
                )]
                // SAFETY: a matrix exists only where `Q8Matrix::new` found these instructions.
                unsafe {
                    quantise(x, &mut activations);
                    self.multiply_rows(&activations, out);
                }
            },
        );
        out
    }

    /// `out` `[rows][out]` of the blocks `[rows][in / 32]`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn multiply_rows(&self, x: &[Activations], out: &mut [f32]) {
        let blocks = self.input / BLOCK;
        let panels = self.weights.chunks_exact(blocks).zip(self.scales.chunks_exact(blocks));
        for (panel, (weights, scales)) in panels.enumerate() {
            let first = panel * COLUMNS;
            let last = (first + COLUMNS).min(self.output);
            for (x, out) in x.chunks(ROWS * blocks).zip(out.chunks_mut(ROWS * self.output)) {
                match x.len() / blocks {
                    1 => tile::<1>(weights, scales, x, out, self.output, first, last),
                    2 => tile::<2>(weights, scales, x, out, self.output, first, last),
                    3 => tile::<3>(weights, scales, x, out, self.output, first, last),
                    4 => tile::<4>(weights, scales, x, out, self.output, first, last),
                    5 => tile::<5>(weights, scales, x, out, self.output, first, last),
                    _ => tile::<ROWS>(weights, scales, x, out, self.output, first, last),
                }
            }
        }
    }
}

/// Columns `first..last` of `R` rows of `stride` numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn tile<const R: usize>(
    weights: &[[[__m512i; 2]; BLOCK / 4]],
    scales: &[[__m512; 2]],
    x: &[Activations],
    out: &mut [f32],
    stride: usize,
    first: usize,
    last: usize,
) {
    let blocks = weights.len();
    let x: [&[Activations]; R] = std::array::from_fn(|row| &x[row * blocks..(row + 1) * blocks]);
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (block, (weights, scale)) in weights.iter().zip(scales).enumerate() {
        let mut dots = [[_mm512_set1_epi32(0); 2]; R];
        for (dots, x) in dots.iter_mut().zip(x) {
            *dots = [_mm512_set1_epi32(x[block].offset); 2];
        }
        for (group, &[low, high]) in weights.iter().enumerate() {
            for (dots, x) in dots.iter_mut().zip(x) {
                let numbers = _mm512_set1_epi32(x[block].numbers[group]);
                dots[0] = _mm512_dpbusd_epi32(dots[0], low, numbers);
                dots[1] = _mm512_dpbusd_epi32(dots[1], high, numbers);
            }
        }
        for ((sums, dots), x) in sums.iter_mut().zip(dots).zip(x) {
            let own = _mm512_set1_ps(x[block].scale);
            for v in 0..2 {
                sums[v] = _mm512_fmadd_ps(
                    _mm512_cvtepi32_ps(dots[v]),
                    _mm512_mul_ps(scale[v], own),
                    sums[v],
                );
            }
        }
    }
    for (sums, out) in sums.into_iter().zip(out.chunks_mut(stride)) {
        let sums: [f32; COLUMNS] = bytemuck::cast(sums);
        match out[first..last].as_mut_array::<COLUMNS>() {
            Some(out) => *out = sums,
            None => out[first..last].copy_from_slice(&sums[..last - first]),
        }
    }
}

/// Quantises blocks of 32 numbers to bytes. A block with a number that is not finite gets a scale
/// that is not finite.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn quantise(x: &[f32], blocks: &mut [Activations]) {
    let (x, _) = x.as_chunks::<BLOCK>();
    for (&x, out) in x.iter().zip(blocks) {
        let x: [__m512; 2] = bytemuck::cast(x);
        let top = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(x[0]), _mm512_abs_ps(x[1])));
        let unordered = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x[0], x[1]);
        let inverse = _mm512_set1_ps(if top > 0.0 { 127.0 / top } else { 0.0 });
        let numbers = x.map(|x| _mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)));
        out.numbers = bytemuck::cast(numbers.map(|numbers| _mm512_cvtepi32_epi8(numbers)));
        out.offset =
            _mm512_reduce_add_epi32(_mm512_add_epi32(numbers[0], numbers[1])).wrapping_mul(-128);
        out.scale = if unordered == 0 { top / 127.0 } else { f32::NAN };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_core::quantized::QMatMul;

    fn normal(shape: (usize, usize)) -> Tensor {
        Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap()
    }

    fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
        tensor.to_vec2().unwrap()
    }

    #[test]
    fn products_equal_those_of_the_dequantised_numbers() {
        if !Q8Matrix::is_supported() {
            return;
        }
        // Partial panels, every remainder of rows, several tasks, one block.
        for (m, k, n) in
            [(1, 32, 1), (2, 64, 33), (3, 96, 31), (4, 512, 64), (5, 256, 100), (205, 128, 48)]
        {
            let (x, w) = (normal((m, k)), normal((n, k)));
            let quantised = QTensor::quantize(&w, GgmlDType::Q8_0).unwrap();
            let found = rows(&Q8Matrix::new(&quantised).unwrap().forward(&x).unwrap());
            let mut blocks = vec![Activations::default(); m * k / BLOCK];
            let flat = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            #[allow(unsafe_code, reason = "checked above")]
            // SAFETY: the test has returned above where the instructions are missing.
            unsafe {
                quantise(&flat, &mut blocks);
            }
            let taken: Vec<f32> = blocks
                .iter()
                .flat_map(|block| {
                    let bytes: [i8; BLOCK] = bytemuck::cast(block.numbers);
                    assert_eq!(
                        block.offset,
                        -128 * bytes.iter().map(|&b| i32::from(b)).sum::<i32>()
                    );
                    bytes.map(|byte| f32::from(byte) * block.scale)
                })
                .collect();
            for (x, taken) in flat.chunks(BLOCK).zip(taken.chunks(BLOCK)) {
                let top = x.iter().fold(0f32, |top, x| top.max(x.abs()));
                assert!(
                    x.iter().zip(taken).all(|(x, taken)| (x - taken).abs() <= 0.51 * top / 127.0)
                );
            }
            let taken = Tensor::from_vec(taken, (m, k), &Device::Cpu).unwrap();
            let weights = quantised.dequantize(&Device::Cpu).unwrap();
            let expected = rows(&taken.matmul(&weights.t().unwrap()).unwrap());
            let candle = QMatMul::from_qtensor(quantised).unwrap();
            let candle = rows(&by_candle(&candle, &x));
            for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
                for (column, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let bound = 1e-5 * (k as f32).sqrt().max(1.0);
                    assert!(
                        (found - expected).abs() < bound,
                        "{m}x{k}x{n}: {found} is not {expected}"
                    );
                    // Candle has one scale for 256 activations where the depth is a multiple of
                    // that: the same product, rounded more coarsely. The bound is about seven
                    // standard deviations of that rounding.
                    let coarse = 0.06 * (k as f32).sqrt();
                    assert!(
                        (found - candle[row][column]).abs() < coarse,
                        "{found}, {}",
                        candle[row][column]
                    );
                }
            }
        }
    }

    fn by_candle(layer: &QMatMul, x: &Tensor) -> Tensor {
        use candle_core::Module;
        layer.forward(x).unwrap()
    }

    #[test]
    fn numbers_that_are_not_finite_stay_so() {
        if !Q8Matrix::is_supported() {
            return;
        }
        let layer = QTensor::quantize(&normal((40, 64)), GgmlDType::Q8_0).unwrap();
        let layer = Q8Matrix::new(&layer).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = vec![0.5f32; 128];
            x[70] = bad;
            let out =
                rows(&layer.forward(&Tensor::from_vec(x, (2, 64), &Device::Cpu).unwrap()).unwrap());
            assert!(out[0].iter().all(|value| value.is_finite()));
            assert!(out[1].iter().all(|value| !value.is_finite()));
        }
        let zeros = Tensor::zeros((3, 64), DType::F32, &Device::Cpu).unwrap();
        assert!(rows(&layer.forward(&zeros).unwrap()).concat().iter().all(|&value| value == 0.0));
    }
}
