//! The sizes of a convolution.

use candle_core::{Result, Shape, bail};

/// Stride and zero padding of a convolution, with the padding of each side: the tokenizer pads only
/// at the right and the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dGeometry {
    /// Step in both directions.
    pub stride: usize,
    /// Rows of zeros above.
    pub top: usize,
    /// Columns of zeros to the left.
    pub left: usize,
    /// Rows of zeros below.
    pub bottom: usize,
    /// Columns of zeros to the right.
    pub right: usize,
}

impl Conv2dGeometry {
    /// Stride 1 and the same padding on all four sides.
    pub const fn same(padding: usize) -> Self {
        Self { stride: 1, top: padding, left: padding, bottom: padding, right: padding }
    }

    /// The tokenizer's downsampling: stride 2, one row and column of zeros at the bottom and the
    /// right.
    pub const fn halving() -> Self {
        Self { stride: 2, top: 0, left: 0, bottom: 1, right: 1 }
    }

    /// The output's height and width for an input and a kernel; `None` when the kernel does not
    /// fit.
    pub fn output(
        &self,
        height: usize,
        width: usize,
        kernel: (usize, usize),
    ) -> Option<(usize, usize)> {
        let h = (height + self.top + self.bottom).checked_sub(kernel.0)?;
        let w = (width + self.left + self.right).checked_sub(kernel.1)?;
        Some((h / self.stride + 1, w / self.stride + 1))
    }
}

/// All sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub batch: usize,
    pub in_channels: usize,
    pub height: usize,
    pub width: usize,
    pub out_channels: usize,
    pub kernel_height: usize,
    pub kernel_width: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub geometry: Conv2dGeometry,
}

impl Sizes {
    pub(crate) fn new(x: &Shape, weight: &Shape, geometry: Conv2dGeometry) -> Result<Self> {
        let (batch, in_channels, height, width) = x.dims4()?;
        let (out_channels, weight_in, kernel_height, kernel_width) = weight.dims4()?;
        if weight_in != in_channels || geometry.stride == 0 {
            bail!("conv2d: input {x:?} does not fit weight {weight:?} with {geometry:?}")
        }
        let Some((out_height, out_width)) =
            geometry.output(height, width, (kernel_height, kernel_width))
        else {
            bail!("conv2d: kernel {weight:?} is larger than the padded input {x:?}")
        };
        Ok(Self {
            batch,
            in_channels,
            height,
            width,
            out_channels,
            kernel_height,
            kernel_width,
            out_height,
            out_width,
            geometry,
        })
    }

    pub(crate) fn depth(&self) -> usize {
        self.in_channels * self.kernel_height * self.kernel_width
    }

    pub(crate) fn pixels(&self) -> usize {
        self.out_height * self.out_width
    }

    pub(crate) fn out_shape(&self) -> Shape {
        Shape::from((self.batch, self.out_channels, self.out_height, self.out_width))
    }
}
