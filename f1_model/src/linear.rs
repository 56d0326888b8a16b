//! Linear layers, dense or quantised.

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Module, Tensor};

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
        weight: std::sync::Arc<QMatMul>,
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
                Ok(Self::Quantised { weight: std::sync::Arc::new(QMatMul::from_qtensor(weight)?) })
            }
            _ => Ok(Self::Dense { weight, bias: None }),
        }
    }

    /// x `[.., in]` to `[.., out]`.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense { weight, bias } => Ok(ops::linear(x, weight, bias.as_ref())?),
            Self::Quantised { weight } => {
                let dtype = x.dtype();
                Ok(weight.forward(&x.to_dtype(DType::F32)?.contiguous()?)?.to_dtype(dtype)?)
            }
        }
    }

    /// Whether the weights are quantised.
    pub fn is_quantised(&self) -> bool {
        matches!(self, Self::Quantised { .. })
    }
}
