//! Draws tokens on the GPU.

use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, Layout, Result, Shape, Tensor, bail};

use super::{Input, alloc, fits, grid, int, rows_of, view};

/// Most logits of a row (`ROW` in `sampling.cu`).
pub const LONGEST_ROW: usize = 4096;
/// Threads of a block (`THREADS` in `sampling.cu`).
const THREADS: u32 = 1024;

/// Draws a token from each row of `logits` `[.., vocabulary]` in f32 after top-k and top-p, with
/// one uniform number in [0, 1) for each row: ids `[..]` in u32.
///
/// # Errors
/// More logits than [`LONGEST_ROW`], sizes that do not fit, or an error of the device.
pub fn draw(logits: &Tensor, uniform: &Tensor, top_k: usize, top_p: f64) -> Result<Tensor> {
    logits.contiguous()?.apply_op2_no_bwd(&uniform.contiguous()?, &Draw { top_k, top_p })
}

struct Draw {
    top_k: usize,
    top_p: f64,
}

gpu_only!(Draw, "f1-cuda-draw", 2);

impl Draw {
    fn run(&self, [logits, uniform]: [Input; 2]) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = logits;
        let (count, rows) = rows_of(layout)?;
        if count > LONGEST_ROW {
            bail!("drawing from {count} logits, {LONGEST_ROW} at most")
        }
        fits("numbers to draw by", uniform.1, rows)?;
        let device = &storage.device;
        let (logits, uniform) = (view::<f32>(logits)?, view::<f32>(uniform)?);
        let ids = alloc::<u32>(device, rows)?;
        if rows > 0 {
            // A top-k of 0, or of more than there are, keeps all.
            let (count_, top_k) = (int(count)?, int(self.top_k.min(count))?);
            let config = grid(rows, THREADS)?;
            launch!(
                device,
                SAMPLING,
                "f1_draw",
                config,
                [&logits, &uniform, &ids, &count_, &top_k, &self.top_p]
            );
        }
        let dims = layout.dims();
        Ok((
            CudaStorage::wrap_cuda_slice(ids, device.clone()),
            Shape::from(&dims[..dims.len() - 1]),
        ))
    }
}
