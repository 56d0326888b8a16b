//! Prepares camera images for the network on the GPU.

use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, Device, Layout, Result, Shape, Tensor, bail};

use super::{Input, a_thread_each, alloc, int, view};

/// First source index and fixed-point weights of each target index.
type Weights = [(usize, Vec<i32>)];

/// Checks that an image is `u8 [height, width, 3]` of this size. (Its tables are the operation's
/// other tensors.)
fn image(layout: &Layout, (width, height): (usize, usize)) -> Result<()> {
    match layout.dims() {
        [h, w, 3] if (*w, *h) == (width, height) => Ok(()),
        dims => bail!("an image of {dims:?} where [{height}, {width}, 3] belongs"),
    }
}

/// Fits an image into another size, as `prepare_camera` of f1_model does. Inputs are the image, `u8
/// [height, width, 3]`, and the table.
pub struct FitOp {
    /// Width and height of the image.
    pub source: (usize, usize),
    /// Width and height of the result.
    pub target: (usize, usize),
    /// Columns and rows of the result that are not padding.
    pub shown: (usize, usize),
}

gpu_only!(FitOp, "f1-cuda-fit", 2);

impl FitOp {
    /// The table: for each column, then for each row, two source indices and the second's weight.
    ///
    /// # Errors
    /// An error of the device.
    pub fn table<'a>(
        taps: impl Iterator<Item = &'a (usize, usize, f32)>,
        device: &Device,
    ) -> Result<Tensor> {
        let table: Vec<u32> = taps
            .flat_map(|&(first, second, weight)| [first as u32, second as u32, weight.to_bits()])
            .collect();
        Tensor::new(table, device)
    }

    fn run(&self, [pixels, table]: [Input; 2]) -> Result<(CudaStorage, Shape)> {
        image(pixels.1, self.source)?;
        let (width, height) = self.target;
        let (new_width, new_height) = self.shown;
        super::fits("the table of an image", table.1, 3 * (new_width + new_height))?;
        if new_width > width || new_height > height {
            bail!("{new_width}x{new_height} of {width}x{height}")
        }
        let device = &pixels.0.device;
        let (pixels, table) = (view::<u8>(pixels)?, view::<u32>(table)?);
        let count = 3 * width * height;
        let out = alloc::<f32>(device, count)?;
        let shape = Shape::from((3, height, width));
        let (source_width, width, height) = (int(self.source.0)?, int(width)?, int(height)?);
        let (new_width, new_height) = (int(new_width)?, int(new_height)?);
        launch!(
            device,
            IMAGES,
            "f1_fit",
            a_thread_each(count)?,
            [&pixels, &table, &out, &source_width, &width, &height, &new_width, &new_height]
        );
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), shape))
    }
}

/// Shrinks an image and crops a window, as `prepare_frame` of f1_model does. Inputs are the image,
/// `u8 [height, width, 3]`, and the tables of columns and rows.
pub struct ShrinkOp {
    /// Width and height of the image.
    pub source: (usize, usize),
    /// Width and height of the window.
    pub window: (usize, usize),
    /// First source row that is used, and one past the last.
    pub rows: (usize, usize),
    /// Largest number of weights of a column, and of a row.
    pub taps: (usize, usize),
}

gpu_only!(ShrinkOp, "f1-cuda-shrink", 3);

impl ShrinkOp {
    /// A table, and the number of weights stored for each index. Source indices are relative to
    /// `first`.
    ///
    /// # Errors
    /// An error of the device.
    pub fn table(weights: &Weights, first: usize, device: &Device) -> Result<(Tensor, usize)> {
        let taps = weights.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let heads = weights.iter().flat_map(|(start, weights)| [start - first, weights.len()]);
        let mut table: Vec<u32> = heads.map(|number| number as u32).collect();
        for (_, weights) in weights {
            table.extend(weights.iter().map(|weight| weight.cast_unsigned()));
            table.extend(std::iter::repeat_n(0, taps - weights.len()));
        }
        Ok((Tensor::new(table, device)?, taps))
    }

    fn run(&self, [pixels, across, down]: [Input; 3]) -> Result<(CudaStorage, Shape)> {
        image(pixels.1, self.source)?;
        let (width, height) = self.window;
        super::fits("the table of columns", across.1, width * (2 + self.taps.0))?;
        super::fits("the table of rows", down.1, height * (2 + self.taps.1))?;
        let (first, end) = self.rows;
        if first > end || end > self.source.1 {
            bail!("rows {first} to {end} of {}", self.source.1)
        }
        let device = &pixels.0.device;
        let (pixels, across, down) =
            (view::<u8>(pixels)?, view::<u32>(across)?, view::<u32>(down)?);
        let (passed, count) = ((end - first) * width * 3, 3 * width * height);
        let (middle, out) = (alloc::<u8>(device, passed)?, alloc::<f32>(device, count)?);
        let shape = Shape::from((3, height, width));
        let (source_width, first, rows) = (int(self.source.0)?, int(first)?, int(end - first)?);
        let (width, height) = (int(width)?, int(height)?);
        let (columns_taps, rows_taps) = (int(self.taps.0)?, int(self.taps.1)?);
        launch!(
            device,
            IMAGES,
            "f1_shrink_across",
            a_thread_each(passed)?,
            [&pixels, &across, &middle, &source_width, &first, &rows, &width, &columns_taps]
        );
        launch!(
            device,
            IMAGES,
            "f1_shrink_down",
            a_thread_each(count)?,
            [&middle, &down, &out, &width, &height, &rows_taps]
        );
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), shape))
    }
}
