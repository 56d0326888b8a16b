//! Blocks shared by encoder and decoder.

use candle_core::Tensor;
use f1_kernels::{self as ops, Conv2dGeometry, Conv2dWeights};

use crate::Result;
use crate::weights::Weights;

/// GroupNorm epsilon of the tokenizer.
const EPSILON: f64 = 1e-6;

/// Convolution with bias.
#[derive(Clone)]
pub(super) struct Conv {
    weights: Conv2dWeights,
    padding: usize,
}

impl Conv {
    pub(super) fn new(
        output: usize,
        input: usize,
        kernel: usize,
        weights: &Weights,
    ) -> Result<Self> {
        let weight = weights.get((output, input, kernel, kernel), "weight")?;
        let bias = weights.get(output, "bias")?;
        Ok(Self {
            weights: Conv2dWeights::new(weight, bias, weights.allows_tf32())?,
            padding: kernel / 2,
        })
    }

    /// An image of the same size.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.weights.forward(x, Conv2dGeometry::same(self.padding))?)
    }

    /// An image of the same size, added to `onto`.
    pub(super) fn add_to(&self, onto: &Tensor, x: &Tensor) -> Result<Tensor> {
        Ok(self.weights.add_to(onto, x, Conv2dGeometry::same(self.padding))?)
    }

    /// An image of half the size: one row and column of zeros at the bottom and right, then stride
    /// 2.
    pub(super) fn halved(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.weights.forward(x, Conv2dGeometry::halving())?)
    }

    /// Of the image made twice as large by repeating pixels.
    pub(super) fn doubled(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.weights.enlarged(x, 2, Conv2dGeometry::same(self.padding))?)
    }
}

/// GroupNorm, with SiLU where asked.
#[derive(Clone)]
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
}

impl Norm {
    pub(super) fn new(width: usize, groups: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            weight: weights.get(width, "weight")?,
            bias: weights.get(width, "bias")?,
            groups,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, silu: bool) -> Result<Tensor> {
        Ok(ops::group_norm(x, &self.weight, &self.bias, self.groups, EPSILON, silu)?)
    }
}

/// Residual block.
#[derive(Clone)]
pub(super) struct Residual {
    norm1: Norm,
    conv1: Conv,
    norm2: Norm,
    conv2: Conv,
    nin_shortcut: Option<Conv>,
}

impl Residual {
    pub(super) fn new(
        input: usize,
        output: usize,
        groups: usize,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            norm1: Norm::new(input, groups, &weights.pp("norm1"))?,
            conv1: Conv::new(output, input, 3, &weights.pp("conv1"))?,
            norm2: Norm::new(output, groups, &weights.pp("norm2"))?,
            conv2: Conv::new(output, output, 3, &weights.pp("conv2"))?,
            nin_shortcut: if input == output {
                None
            } else {
                Some(Conv::new(output, input, 1, &weights.pp("nin_shortcut"))?)
            },
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.conv1.forward(&self.norm1.forward(x, true)?)?;
        let h = self.norm2.forward(&h, true)?;
        match &self.nin_shortcut {
            Some(shortcut) => self.conv2.add_to(&shortcut.forward(x)?, &h),
            None => self.conv2.add_to(x, &h),
        }
    }
}

/// Attention over positions with one head.
#[derive(Clone)]
pub(super) struct Attention {
    norm: Norm,
    qkv: Conv,
    proj_out: Conv,
}

impl Attention {
    pub(super) fn new(width: usize, groups: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            norm: Norm::new(width, groups, &weights.pp("norm"))?,
            qkv: Conv::new(3 * width, width, 1, &weights.pp("qkv"))?,
            proj_out: Conv::new(width, width, 1, &weights.pp("proj_out"))?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        let qkv = self.qkv.forward(&self.norm.forward(x, false)?)?;
        // On a GPU the channels of a position lie together already.
        let qkv = qkv.permute((0, 2, 3, 1))?.reshape((batch, height * width, 3, channels))?;
        let part = |index| qkv.narrow(2, index, 1)?.contiguous();
        let out =
            ops::attention(&part(0)?, &part(1)?, &part(2)?, None, (channels as f64).powf(-0.5))?;
        let out = out.reshape((batch, height, width, channels))?.permute((0, 3, 1, 2))?;
        self.proj_out.add_to(x, &out)
    }
}

/// Residual, attention, residual: the middle of encoder and decoder.
#[derive(Clone)]
pub(super) struct Middle {
    block_1: Residual,
    attn_1: Attention,
    block_2: Residual,
}

impl Middle {
    pub(super) fn new(width: usize, groups: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            block_1: Residual::new(width, width, groups, &weights.pp("block_1"))?,
            attn_1: Attention::new(width, groups, &weights.pp("attn_1"))?,
            block_2: Residual::new(width, width, groups, &weights.pp("block_2"))?,
        })
    }

    pub(super) fn forward(
        &self,
        x: &Tensor,
        at: &str,
        recorder: &mut crate::recorder::Recorder,
    ) -> Result<Tensor> {
        let x = self.block_1.forward(x)?;
        recorder.keep(format_args!("{at}.mid.block_1"), &x);
        let x = self.attn_1.forward(&x)?;
        recorder.keep(format_args!("{at}.mid.attn_1"), &x);
        let x = self.block_2.forward(&x)?;
        recorder.keep(format_args!("{at}.mid.block_2"), &x);
        Ok(x)
    }
}
