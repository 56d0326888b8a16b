//! Linear layers, dense or quantised.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Tensor};
use f1_kernels::{self as ops, QuantisedMatrix, fp8_rounded};

use crate::Result;
use crate::weights::Weights;

/// Block quantisation of the experts' linear layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quant {
    /// 8-bit blocks of 32.
    Q8_0,
    /// 4-bit blocks of 256.
    Q4K,
    /// 8-bit floats (E4M3) with one scale for each matrix, for weights and inputs of the
    /// understanding expert, on GPUs of compute capability 8.9 and up. On a CPU weights and inputs
    /// are rounded to these numbers, to measure what that costs.
    Fp8,
}

impl Quant {
    fn ggml(self) -> Option<GgmlDType> {
        match self {
            Quant::Q8_0 => Some(GgmlDType::Q8_0),
            Quant::Q4K => Some(GgmlDType::Q4K),
            Quant::Fp8 => None,
        }
    }

    /// Widths that are a multiple of this can be quantised.
    pub fn block(self) -> usize {
        self.ggml().map_or(16, |ggml| ggml.block_size())
    }

    /// The quantisation of the other experts, if they are quantised too.
    pub(crate) fn of_small_experts(self) -> Option<Self> {
        (self != Quant::Fp8).then_some(self)
    }
}

/// A linear layer over the last dimension.
#[derive(Clone)]
pub enum Linear {
    /// Plain weights `[out, in]`.
    Dense {
        /// Weight.
        weight: Tensor,
        /// Bias `[out]`.
        bias: Option<Tensor>,
    },
    /// Quantised weights.
    Quantised {
        /// Weight.
        weight: Arc<QuantisedMatrix>,
    },
    /// On a CPU: weights rounded to 8-bit floats; inputs are rounded in the forward pass.
    Rounded {
        /// Weight.
        weight: Tensor,
    },
    /// 8-bit floats on a GPU.
    #[cfg(feature = "cuda")]
    Fp8 {
        /// Bytes of a matrix `[.., input]` and its scale.
        weight: Tensor,
        /// The first row of the matrix that is this layer's.
        first: usize,
        /// Number of rows.
        output: usize,
    },
}

impl Linear {
    /// Dense, with bias.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(output: usize, input: usize, weights: &Weights) -> Result<Self> {
        Ok(Self::Dense {
            weight: weights.get((output, input), "weight")?,
            bias: Some(weights.get(output, "bias")?),
        })
    }

    /// Without bias; quantised if `quant` is set and the width is a multiple of its block.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn without_bias(
        output: usize,
        input: usize,
        quant: Option<Quant>,
        weights: &Weights,
    ) -> Result<Self> {
        let weight = weights.get((output, input), "weight")?;
        let usable = quant.filter(|quant| input.is_multiple_of(quant.block()));
        match usable.map(|quant| (quant, quant.ggml())) {
            // On a GPU weights become 8-bit floats when they are joined.
            Some((Quant::Fp8, _)) if weight.device().is_cpu() => {
                Ok(Self::Rounded { weight: fp8_rounded(&weight)? })
            }
            Some((_, Some(ggml))) => {
                let weight = QTensor::quantize(&weight.to_dtype(DType::F32)?, ggml)?;
                Ok(Self::Quantised { weight: Arc::new(QuantisedMatrix::new(weight)?) })
            }
            _ => Ok(Self::Dense { weight, bias: None }),
        }
    }

    /// One layer whose output is the concatenated output of `parts`; none where one is quantised or
    /// trained. The parts become views of its weights, so that no weight is in memory twice.
    ///
    /// # Errors
    /// They take different widths.
    pub fn join<const N: usize>(parts: [&mut Self; N]) -> Result<Option<Self>> {
        let (mut weights, mut biases) = (Vec::with_capacity(N), Vec::with_capacity(N));
        for part in &parts {
            match part {
                Self::Dense { weight, bias } if !part.is_trained() => {
                    weights.push(weight.clone());
                    biases.extend(bias.clone());
                }
                _ => return Ok(None),
            }
        }
        if !biases.is_empty() && biases.len() < N {
            return Ok(None);
        }
        let joined_weight = Tensor::cat(&weights, 0)?;
        let joined_bias = if biases.is_empty() { None } else { Some(Tensor::cat(&biases, 0)?) };
        let mut first = 0;
        for (part, old) in parts.into_iter().zip(&weights) {
            let rows = old.dim(0)?;
            let bias = joined_bias.as_ref().map(|bias| bias.narrow(0, first, rows)).transpose()?;
            *part = Self::Dense { weight: joined_weight.narrow(0, first, rows)?, bias };
            first += rows;
        }
        Ok(Some(Self::Dense { weight: joined_weight, bias: joined_bias }))
    }

    /// Converts dense weights without bias on a GPU to 8-bit floats; leaves other layers unchanged.
    /// `parts`, whose weights are consecutive rows of these, become views of the result.
    ///
    /// # Errors
    /// The device cannot multiply them.
    pub(crate) fn make_fp8<const N: usize>(&mut self, parts: [&mut Self; N]) -> Result<()> {
        let Self::Dense { weight, bias: None } = &*self else { return Ok(()) };
        let (output, input) = weight.dims2()?;
        if !weight.device().is_cuda() || input % 16 != 0 || output % 16 != 0 {
            return Ok(());
        }
        #[cfg(not(feature = "cuda"))]
        let _ = parts;
        #[cfg(feature = "cuda")]
        {
            ops::check_fp8(weight.device())?;
            let bytes = ops::to_fp8(weight)?;
            let mut first = 0;
            for part in parts {
                if let Self::Dense { weight, .. } = part {
                    let output = weight.dim(0)?;
                    *part = Self::Fp8 { weight: bytes.clone(), first, output };
                    first += output;
                }
            }
            *self = Self::Fp8 { weight: bytes, first: 0, output };
        }
        Ok(())
    }

    /// Whether the weights are tracked for a gradient.
    pub fn is_trained(&self) -> bool {
        match self {
            Self::Dense { weight, bias } => {
                weight.track_op() || bias.as_ref().is_some_and(Tensor::track_op)
            }
            _ => false,
        }
    }

    /// [`Linear::forward`] followed by the tanh form of GELU.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense { weight, bias: Some(bias) } => Ok(ops::linear_gelu(x, weight, bias)?),
            _ => Ok(ops::gelu_tanh(&self.forward(x)?)?),
        }
    }

    /// x `[.., in]` to `[.., out]`.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense { weight, bias } => Ok(ops::linear(x, weight, bias.as_ref())?),
            Self::Rounded { weight } => Ok(ops::linear(&fp8_rounded(x)?, weight, None)?),
            #[cfg(feature = "cuda")]
            Self::Fp8 { weight, first, output } => {
                Ok(ops::fp8_linear(x, weight, *first, *output)?.to_dtype(x.dtype())?)
            }
            Self::Quantised { weight } => Ok(weight.forward(x)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_layer_of_8_bit_floats_is_near_the_dense_one() {
        let random = |shape| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
        let (x, weight) = (random((5, 64)), random((48, 64)));
        let weights = Weights::new([("weight".to_owned(), weight.clone())].into());
        let layer = Linear::without_bias(48, 64, Some(Quant::Fp8), &weights).unwrap();
        assert!(!matches!(layer, Linear::Dense { .. }));
        let (found, dense) = (layer.forward(&x).unwrap(), ops::linear(&x, &weight, None).unwrap());
        let size =
            |x: &Tensor| x.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        let off = size(&(found - &dense).unwrap()) / size(&dense);
        assert!((1e-3..0.06).contains(&off), "{off}");
    }
}
