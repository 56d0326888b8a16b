//! Two-dimensional convolution for the image tokenizer. Candle's own CPU convolution leaves three
//! quarters of the machine idle at 160 channels and 256 x 256 pixels.

mod backward;
mod cpu;
pub(crate) mod geometry;
mod rows;
mod tiled;
mod weight_gradient;
mod winograd;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
pub use geometry::Conv2dGeometry;
use geometry::Sizes;

#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{channel_sums, contiguous, is_fast};

/// Convolution of `x` `[batch, in, height, width]` with `weight` `[out, in, kernel, kernel]` and
/// `bias` `[out]`, zero padded as `geometry` says. Differentiable in all three. f32 on a CPU runs
/// the kernels of this module; on a GPU, without a gradient, patches of channels-last memory are
/// multiplied (and the result is channels last too); everything else is candle's.
///
/// # Errors
/// Shapes that do not fit, or an error of the device.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Conv2dGeometry,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let Some(bias) = bias
        && convolves(x, weight, bias)
    {
        return cuda::conv2d(x, weight, bias, geometry, 1, None, false);
    }
    if !is_fast(x) || weight.dtype() != DType::F32 {
        return conv2d_plain(x, weight, bias, geometry);
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, Conv2d(geometry)),
        None => x.apply_op2(&weight, Conv2d(geometry)),
    }
}

/// Whether the GPU kernel serves these tensors. A build with cuDNN uses that instead.
#[cfg(feature = "cuda")]
fn convolves(x: &Tensor, weight: &Tensor, bias: &Tensor) -> bool {
    cfg!(not(feature = "cudnn")) && cuda::serves(x, &[weight, bias], true)
}

/// Weight and bias of a convolution, in the layout that is fastest on their device.
#[derive(Clone, Debug)]
pub struct Conv2dWeights {
    weight: Tensor,
    bias: Tensor,
    #[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "processors have no TF32"))]
    tf32: bool,
}

impl Conv2dWeights {
    /// Takes `weight` `[out, in, kernel, kernel]` and `bias` `[out]`. On a GPU weights that are not
    /// trained are laid out channels last, and with `tf32` products round their factors to TF32
    /// (ten bits of fraction).
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn new(weight: Tensor, bias: Tensor, tf32: bool) -> Result<Self> {
        #[cfg(feature = "cuda")]
        if convolves(&weight, &weight, &bias) {
            let weight = cuda::pixels_first(&weight)?.permute((0, 3, 1, 2))?;
            return Ok(Self { weight, bias, tf32 });
        }
        Ok(Self { weight, bias, tf32 })
    }

    /// [`conv2d`] of `x`.
    ///
    /// # Errors
    /// As [`conv2d`].
    pub fn forward(&self, x: &Tensor, geometry: Conv2dGeometry) -> Result<Tensor> {
        self.enlarged(x, 1, geometry)
    }

    /// `onto`, which has the shape of the result, plus [`conv2d`] of `x`.
    ///
    /// # Errors
    /// As [`conv2d`].
    pub fn add_to(&self, onto: &Tensor, x: &Tensor, geometry: Conv2dGeometry) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if convolves(x, &self.weight, &self.bias) && onto.dtype() == x.dtype() && !onto.track_op() {
            return cuda::conv2d(x, &self.weight, &self.bias, geometry, 1, Some(onto), self.tf32);
        }
        onto + self.forward(x, geometry)?
    }

    /// [`conv2d`] of `x` enlarged `times` by repeating pixels.
    ///
    /// # Errors
    /// As [`conv2d`].
    pub fn enlarged(&self, x: &Tensor, times: usize, geometry: Conv2dGeometry) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if convolves(x, &self.weight, &self.bias) {
            return cuda::conv2d(x, &self.weight, &self.bias, geometry, times, None, self.tf32);
        }
        if times == 1 {
            return conv2d(x, &self.weight, Some(&self.bias), geometry);
        }
        let (batch, channels, height, width) = x.dims4()?;
        // By broadcasting, whose backward pass is a sum. That of the nearest-neighbour operation is
        // a grouped convolution.
        let large = x
            .reshape((batch, channels, height, 1, width, 1))?
            .broadcast_as((batch, channels, height, times, width, times))?
            .reshape((batch, channels, times * height, times * width))?;
        conv2d(&large, &self.weight, Some(&self.bias), geometry)
    }
}

/// [`conv2d`] by candle's own operations: for other devices and types, and the reference in tests.
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_plain(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Conv2dGeometry,
) -> Result<Tensor> {
    let Conv2dGeometry { stride, top, left, bottom, right } = geometry;
    let y = if top == left && top == bottom && top == right {
        x.conv2d(weight, top, stride, 1, 1)?
    } else {
        let padded = x.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)?;
        padded.conv2d(weight, 0, stride, 1, 1)?
    };
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

struct Conv2d(Conv2dGeometry);

impl Conv2d {
    fn run(
        &self,
        x: (&CpuStorage, &Layout),
        weight: (&CpuStorage, &Layout),
        bias: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::new(x.1.shape(), weight.1.shape(), self.0)?;
        let input = contiguous(x.0, x.1)?;
        let kernel = contiguous(weight.0, weight.1)?;
        let bias = bias.map(|(storage, layout)| contiguous(storage, layout)).transpose()?;
        if bias.is_some_and(|bias| bias.len() != sizes.out_channels) {
            bail!("conv2d: bias does not have {} numbers", sizes.out_channels)
        }
        let out = cpu::convolve(&sizes, input, kernel, bias);
        Ok((CpuStorage::F32(out), sizes.out_shape()))
    }
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "f1-conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, lx), (w, lw), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        backward::backward(x, w, grad, self.0).map(|(dx, dw)| (Some(dx), Some(dw)))
    }
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "f1-conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, lx), (w, lw), Some((b, lb)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = backward::backward(x, w, grad, self.0)?;
        Ok((Some(dx), Some(dw), Some(channel_sums(grad)?)))
    }
}
