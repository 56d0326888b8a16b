//! Linear layers, dense or quantised.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Module, Tensor};

#[cfg(target_arch = "x86_64")]
use crate::kernels::Q8Matrix;
use crate::weights::Weights;
use crate::{Result, ops};

/// Block quantisation of the experts' linear layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quant {
    /// 8-bit blocks of 32.
    Q8_0,
    /// 4-bit blocks of 256.
    Q4K,
}

impl Quant {
    fn ggml(self) -> GgmlDType {
        match self {
            Quant::Q8_0 => GgmlDType::Q8_0,
            Quant::Q4K => GgmlDType::Q4K,
        }
    }

    /// Widths that are a multiple of this can be quantised.
    pub fn block(self) -> usize {
        self.ggml().block_size()
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
        weight: Arc<QMatMul>,
    },
    /// Q8_0 weights on a processor that multiplies bytes.
    #[cfg(target_arch = "x86_64")]
    Bytes {
        /// Weight.
        weight: Arc<Q8Matrix>,
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

    /// Without bias; quantised when asked and when the width is a multiple of the block.
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
        match quant {
            Some(quant) if input.is_multiple_of(quant.block()) => {
                let weight = QTensor::quantize(&weight.to_dtype(DType::F32)?, quant.ggml())?;
                #[cfg(target_arch = "x86_64")]
                if quant == Quant::Q8_0 && weight.device().is_cpu() && Q8Matrix::is_supported() {
                    return Ok(Self::Bytes { weight: Arc::new(Q8Matrix::new(&weight)?) });
                }
                Ok(Self::Quantised { weight: Arc::new(QMatMul::from_qtensor(weight)?) })
            }
            _ => Ok(Self::Dense { weight, bias: None }),
        }
    }

    /// One layer whose output is that of `parts`, one behind another; none where one is quantised or trained. The parts then are
    /// views of its weights, so that nothing is kept twice.
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

    /// Whether a gradient is wanted of the weights.
    pub fn is_trained(&self) -> bool {
        match self {
            Self::Dense { weight, bias } => weight.track_op() || bias.as_ref().is_some_and(Tensor::track_op),
            _ => false,
        }
    }

    /// The tanh form of GELU of [`Linear::forward`].
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
            #[cfg(target_arch = "x86_64")]
            Self::Bytes { weight } => Ok(weight.forward(x)?.to_dtype(x.dtype())?),
            Self::Quantised { weight } => {
                let dtype = x.dtype();
                Ok(weight.forward(&x.to_dtype(DType::F32)?.contiguous()?)?.to_dtype(dtype)?)
            }
        }
    }

    /// Whether the weights are quantised.
    pub fn is_quantised(&self) -> bool {
        !matches!(self, Self::Dense { .. })
    }
}
