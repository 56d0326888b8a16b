//! Gradients averaged from GPU to GPU by NCCL, without passing through the processor's memory.
//!
//! One process a GPU: each sees its own alone (`CUDA_VISIBLE_DEVICES`). The processes meet over TCP
//! as without NCCL; process 0 makes the identifier of the ring, the others get it there.
//! Type-checked only: see docs/gpu.md.

use std::cell::RefCell;

use candle_core::backend::BackendStorage as _;
use candle_core::cuda_backend::cudarc::nccl::safe::{Comm, Id, ReduceOp};
use candle_core::cuda_backend::{CudaStorage, cudarc};
use candle_core::{CpuStorage, CudaDevice, CustomOp1, Layout, Shape, Tensor};

use crate::parallel::Place;
use crate::{Result, TrainError};

thread_local! {
    /// The communicator of the thread that trains; it may not be passed to another one.
    static RING: RefCell<Option<Comm>> = const { RefCell::new(None) };
}

fn fault(error: cudarc::nccl::result::NcclError) -> TrainError {
    TrainError::Stopped(format!("NCCL: {error:?}; NCCL_DEBUG=INFO says more"))
}

/// Whether this thread has joined the ring.
pub fn has_joined() -> bool {
    RING.with_borrow(Option::is_some)
}

/// Joins the ring of all processes; `share` gives every process the numbers of process 0.
///
/// # Errors
/// NCCL refuses, or a process is gone.
pub fn join(
    device: &CudaDevice,
    place: &Place,
    share: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<()> {
    let own = if place.rank == 0 { Some(Id::new().map_err(fault)?) } else { None };
    let mut bytes = [0_f32; 128];
    if let Some(id) = &own {
        bytes
            .iter_mut()
            .zip(id.internal())
            .for_each(|(number, byte)| *number = f32::from(*byte as i8));
    }
    share(&mut bytes)?;
    let mut internal = [0 as core::ffi::c_char; 128];
    internal
        .iter_mut()
        .zip(bytes)
        .for_each(|(byte, number)| *byte = number as i8 as core::ffi::c_char);
    let id = own.unwrap_or_else(|| Id::uninit(internal));
    let comm = Comm::from_rank(device.cuda_stream(), place.rank, place.world, id).map_err(fault)?;
    RING.set(Some(comm));
    Ok(())
}

/// The sum of a contiguous f32 tensor over all processes.
///
/// # Errors
/// NCCL refuses, or the thread has not joined.
pub fn sum(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.contiguous()?.apply_op1_no_bwd(&AllReduce)?)
}

struct AllReduce;

impl CustomOp1 for AllReduce {
    fn name(&self) -> &'static str {
        "nccl-all-reduce"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        candle_core::bail!("NCCL sums tensors on GPUs")
    }

    fn cuda_fwd(
        &self,
        storage: &CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CudaStorage, Shape)> {
        let device = storage.device().clone();
        let Some((begin, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("a tensor that is not contiguous")
        };
        let source = storage.as_cuda_slice::<f32>()?.slice(begin..end);
        let mut sum = device.alloc_zeros::<f32>(end - begin)?;
        RING.with_borrow(|ring| match ring {
            Some(ring) => ring
                .all_reduce(&source, &mut sum, &ReduceOp::Sum)
                .map(|_| ())
                .map_err(|error| candle_core::Error::Msg(format!("NCCL: {error:?}"))),
            None => candle_core::bail!("this thread has not joined the ring"),
        })?;
        Ok((CudaStorage::wrap_cuda_slice(sum, device), layout.shape().clone()))
    }
}
