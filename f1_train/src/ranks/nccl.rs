//! Messages between GPUs by NCCL, without passing through the processor's memory.
//!
//! One thread makes all calls of NCCL: a communicator may not be passed to another one. It works on
//! a stream of its own, beside the one that computes, so that messages travel while the backward
//! pass goes on. This file has not been compiled yet, and no machine with two GPUs was available.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use candle_core::backend::BackendStorage as _;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaStream};
use candle_core::cuda_backend::cudarc::nccl::result::NcclError;
use candle_core::cuda_backend::cudarc::nccl::safe::{Comm, Id, NcclType, ReduceOp};
use candle_core::cuda_backend::{CudaDType, CudaStorage};
use candle_core::{CpuStorage, CudaDevice, CustomOp1, DType, Device, Layout, Shape, Tensor};
use half::bf16;

use super::transport::{Operation, Transport};
use super::unique_id::UniqueId;
use super::{Launch, Ranks};
use crate::{Result, TrainError};

/// A result, and the message that must stay in memory until the streams have met.
type Sent = Result<(Tensor, Tensor)>;

/// This process's part in NCCL's ring of GPUs.
pub struct Nccl {
    rank: usize,
    size: usize,
    device: CudaDevice,
    /// What NCCL works on.
    stream: Arc<CudaStream>,
    operation: Operation,
    commands: Sender<(Operation, Tensor)>,
    results: Receiver<Sent>,
    /// Devices of the messages that are posted and not finished.
    open: VecDeque<Device>,
    /// The ranks' connection by MPI, which ends all of them where one fails.
    host: Option<Ranks>,
}

fn fault(what: impl std::fmt::Debug) -> TrainError {
    TrainError::Stopped(format!("NCCL: {what:?}; NCCL_DEBUG=INFO says more"))
}

/// A new id, which rank 0 makes.
///
/// # Errors
/// NCCL refuses.
pub fn make_id() -> Result<UniqueId> {
    let id = Id::new().map_err(fault)?;
    Ok(id.internal().map(|byte| byte as u8))
}

impl Nccl {
    /// Joins the ring that `id` names, with the GPU of `device`.
    ///
    /// # Errors
    /// NCCL refuses, or another rank is gone.
    pub fn connect(
        launch: &Launch,
        device: &CudaDevice,
        id: UniqueId,
        host: Option<Ranks>,
    ) -> Result<Self> {
        let compute = device.cuda_stream();
        let stream = compute.context().new_stream().map_err(fault)?;
        let (commands, inbox) = channel();
        let (outbox, results) = channel();
        let (ready, started) = channel();
        let (rank, size, own) = (launch.rank, launch.size, Arc::clone(&stream));
        std::thread::Builder::new()
            .name("nccl".into())
            .spawn(move || run(own, &compute, rank, size, id, &ready, &inbox, &outbox))
            .map_err(|error| TrainError::Launch(format!("no thread for NCCL: {error}")))?;
        started.recv().map_err(|_| TrainError::RankLost { rank: None })?.map_err(fault)?;
        let device = device.clone();
        let (operation, open) = (Operation::Gather, VecDeque::new());
        Ok(Self { rank, size, device, stream, operation, commands, results, open, host })
    }
}

impl Transport for Nccl {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn begin(&mut self, operation: Operation, _count: usize) -> Result<()> {
        self.operation = operation;
        Ok(())
    }

    fn post(&mut self, message: &Tensor) -> Result<()> {
        self.open.push_back(message.device().clone());
        let message = message.to_device(&Device::Cuda(self.device.clone()))?.contiguous()?;
        let command = (self.operation, message);
        self.commands.send(command).map_err(|_| TrainError::RankLost { rank: None })
    }

    fn finish(&mut self) -> Result<Tensor> {
        let sent = self.results.recv().map_err(|_| TrainError::RankLost { rank: None })?;
        let (result, message) = sent?;
        // What computes on the result comes after it, and so does freeing the message.
        self.device.cuda_stream().join(&self.stream).map_err(fault)?;
        drop(message);
        match self.open.pop_front() {
            Some(device) => Ok(result.to_device(&device)?),
            None => Ok(result),
        }
    }

    fn close(&mut self) {
        if let Some(host) = &self.host {
            host.close();
        }
    }

    fn abort(&mut self) {
        // Without MPI, the launcher ends the others when this process fails.
        if let Some(host) = &self.host {
            host.abort();
        }
    }
}

/// The thread that calls NCCL.
#[allow(clippy::too_many_arguments)]
fn run(
    stream: Arc<CudaStream>,
    compute: &CudaStream,
    rank: usize,
    size: usize,
    id: UniqueId,
    ready: &Sender<std::result::Result<(), NcclError>>,
    commands: &Receiver<(Operation, Tensor)>,
    results: &Sender<Sent>,
) {
    let id = Id::uninit(id.map(|byte| byte as core::ffi::c_char));
    let comm = match Comm::from_rank(Arc::clone(&stream), rank, size, id) {
        Ok(comm) => comm,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    while let Ok((operation, message)) = commands.recv() {
        let collective = Collective { comm: &comm, compute, operation };
        let sent = message.apply_op1_no_bwd(&collective).map_err(TrainError::from);
        if results.send(sent.map(|result| (result, message))).is_err() {
            return;
        }
    }
}

/// One collective operation on a contiguous tensor.
struct Collective<'a> {
    comm: &'a Comm,
    /// The stream on which the message was computed.
    compute: &'a CudaStream,
    operation: Operation,
}

impl Collective<'_> {
    fn call<T: CudaDType + NcclType + candle_core::cuda_backend::cudarc::driver::DeviceRepr>(
        &self,
        storage: &CudaStorage,
        range: (usize, usize),
    ) -> candle_core::Result<(CudaStorage, Shape)>
    where
        CudaSlice<T>: Into<CudaSlice<T>>,
        T: candle_core::cuda_backend::cudarc::driver::ValidAsZeroBits,
    {
        let message = storage.as_cuda_slice::<T>()?.slice(range.0..range.1);
        let (length, size) = (range.1 - range.0, self.comm.world_size());
        let count = match self.operation {
            Operation::ReduceScatter => length / size,
            Operation::Gather => length * size,
            Operation::Broadcast => length,
        };
        let device = storage.device().clone();
        let mut result = device.alloc_zeros::<T>(count)?;
        let error = |what: &dyn std::fmt::Debug| candle_core::Error::Msg(format!("NCCL: {what:?}"));
        // The message, and the memory of the result, come first.
        self.comm.stream().join(self.compute).map_err(|what| error(&what))?;
        match self.operation {
            Operation::ReduceScatter => {
                self.comm.reduce_scatter(&message, &mut result, &ReduceOp::Sum)
            }
            Operation::Gather => self.comm.all_gather(&message, &mut result),
            Operation::Broadcast => self.comm.broadcast(Some(&message), &mut result, 0),
        }
        .map_err(|what| error(&what))?;
        Ok((CudaStorage::wrap_cuda_slice(result, device), Shape::from(count)))
    }
}

impl CustomOp1 for Collective<'_> {
    fn name(&self) -> &'static str {
        "nccl"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        candle_core::bail!("NCCL moves tensors between GPUs")
    }

    fn cuda_fwd(
        &self,
        storage: &CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CudaStorage, Shape)> {
        let Some(range) = layout.contiguous_offsets() else {
            candle_core::bail!("a tensor that is not contiguous")
        };
        match storage.dtype() {
            DType::BF16 => self.call::<bf16>(storage, range),
            DType::F64 => self.call::<f64>(storage, range),
            DType::I64 => self.call::<i64>(storage, range),
            DType::U32 => self.call::<u32>(storage, range),
            _ => self.call::<f32>(storage, range),
        }
    }
}
