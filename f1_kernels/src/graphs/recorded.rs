//! Recording a stage as a CUDA graph, checking the graph and launching it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaGraph, sys};
use candle_core::{CudaDevice, DType, Device, Error, Tensor};

use super::{StageError, thread};
use crate::stream::ReadLock;
use crate::{device, stream};

/// Graphs kept of a stage. Shapes change with the instruction's length and the cameras; when there
/// are more, all are dropped.
const KEPT: usize = 8;
/// Largest difference between a graph's numbers and those computed without it, relative to the
/// largest number.
const TOLERANCE: f32 = 1e-3;

/// Graphs of one stage by the shapes of their inputs and their settings.
pub(super) type Graphs = HashMap<Vec<Vec<usize>>, Attempt>;

/// The outcome of recording one shape.
pub(super) enum Attempt {
    Recorded(Recording),
    /// Recording is tried once more: another operation on the device may have broken it, such as
    /// memory that was freed meanwhile.
    FailedOnce,
    Failed,
}

/// As [`super::StageLock::compute`], by a graph where there is one for these shapes.
pub(super) fn compute<E: StageError>(
    stage: &'static str,
    graphs: &mut Graphs,
    device: &CudaDevice,
    inputs: Vec<Tensor>,
    settings: &[usize],
    lock: Option<ReadLock>,
    compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>, E> + Send + 'static,
) -> Result<(Vec<Tensor>, Option<ReadLock>), E> {
    // Locals are dropped before arguments: the inputs are freed under the lock in every case.
    let inputs = inputs;
    let shapes = inputs.iter().map(|input| input.dims().to_vec());
    let key: Vec<Vec<usize>> = shapes.chain([settings.to_vec()]).collect();
    let launched = match graphs.get(&key) {
        Some(Attempt::Recorded(recording)) => Some(recording.outputs(&inputs)),
        Some(Attempt::Failed) => return Ok((compute(&inputs)?, lock)),
        Some(Attempt::FailedOnce) | None => None,
    };
    if let Some(launched) = launched {
        let outputs = launched.or_else(|error| {
            tracing::warn!(stage, %error, "a CUDA graph failed: this stage runs without it from now on");
            graphs.insert(key, Attempt::Failed);
            compute(&inputs)
        });
        return Ok((outputs?, lock));
    }
    let outputs = compute(&inputs)?;
    drop(lock);
    let recording = {
        let _lock = stream::write_lock();
        let (device, inputs, outputs) = (device.clone(), inputs.clone(), outputs.clone());
        thread::run(move || Recording::checked(&device, &inputs, &outputs, compute))
    };
    // Graphs that are given up below free their memory: under the lock.
    let lock = stream::read_lock();
    let attempt = match recording {
        Ok(recording) => Attempt::Recorded(recording),
        Err(error) if graphs.contains_key(&key) => {
            tracing::warn!(stage, %error, "no CUDA graph: the operations are started one by one");
            Attempt::Failed
        }
        Err(error) => {
            tracing::warn!(stage, %error, "no CUDA graph yet: recording is tried once more");
            Attempt::FailedOnce
        }
    };
    if graphs.len() >= KEPT && !graphs.contains_key(&key) {
        graphs.clear();
    }
    let recorded = matches!(attempt, Attempt::Recorded(_));
    graphs.insert(key, attempt);
    // A graph has memory of its own. What the same operations took before would stay in the pool
    // unused.
    if recorded && let Err(error) = device::release_freed_memory(&Device::Cuda(device.clone())) {
        tracing::warn!(stage, %error, "unused GPU memory stays with this process");
    }
    drop(inputs);
    Ok((outputs, Some(lock)))
}

/// One stage as a graph, which always reads the same input tensors and writes the same output
/// tensors.
pub(super) struct Recording {
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    graph: Graph,
}

struct Graph(CudaGraph);

// SAFETY: it lives behind its stage's mutex: one thread at a time uses it.
#[allow(unsafe_code)]
unsafe impl Send for Graph {}

impl Recording {
    /// Records `compute` and compares the graph's outputs with `expected`. The caller holds the
    /// write lock.
    fn checked<E: StageError>(
        device: &CudaDevice,
        inputs: &[Tensor],
        expected: &[Tensor],
        compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>, E>,
    ) -> Result<Self, E> {
        let recording = Self::record(device, inputs, expected, compute)?;
        for (found, wanted) in recording.outputs(inputs)?.iter().zip(expected) {
            let off = distance(found, wanted)?;
            // A comparison with NaN is false: not within the tolerance either.
            if !off.is_some_and(|off| off <= TOLERANCE) {
                return Err(Error::msg(format!("the graph's numbers are off by {off:?}")).into());
            }
        }
        Ok(recording)
    }

    fn record<E: StageError>(
        device: &CudaDevice,
        inputs: &[Tensor],
        expected: &[Tensor],
        compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>, E>,
    ) -> Result<Self, E> {
        let own = |tensor: &Tensor| tensor.contiguous()?.copy();
        let inputs = inputs.iter().map(own).collect::<candle_core::Result<Vec<_>>>()?;
        let outputs = expected.iter().map(own).collect::<candle_core::Result<Vec<_>>>()?;
        let _uploads = device.enable_cuda_graph_htod_cache();
        let run = || -> Result<(), E> {
            for (output, found) in outputs.iter().zip(compute(&inputs)?) {
                output.slice_set(&found.contiguous()?, 0, 0)?;
            }
            Ok(())
        };
        // Loads kernels and uploads shapes, neither of which may happen while recording. The
        // shapes are cached by this thread; see `thread`.
        run()?;
        let stream = device.cuda_stream();
        stream.synchronize().w()?;
        stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
        // A panic would leave the capture open, and the device could compute nothing any more.
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            Err(Error::msg("an operation panicked while it was recorded").into())
        });
        // Takes the error that freeing memory reported during a broken recording. Left in place,
        // it would fail the end of the capture and the next observation.
        let freeing = stream.context().check_err().w();
        // Frees the memory of one launch at the next one, which is refused otherwise.
        let graph = stream
            .end_capture(
                sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH,
            )
            .w();
        outcome?;
        freeing?;
        let graph = graph?.ok_or_else(|| Error::msg("nothing was recorded"))?;
        Ok(Self { inputs, outputs, graph: Graph(graph) })
    }

    /// Copies of the graph's outputs for `inputs`.
    fn outputs(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        for (own, input) in self.inputs.iter().zip(inputs) {
            own.slice_set(&input.contiguous()?, 0, 0)?;
        }
        self.graph.0.launch().w()?;
        self.outputs.iter().map(Tensor::copy).collect()
    }
}

/// Largest difference, relative to the largest number of `wanted` or to 1 if that is larger; none
/// where a number is not finite.
fn distance(found: &Tensor, wanted: &Tensor) -> Result<Option<f32>, Error> {
    let host = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>();
    let (found, wanted) = (host(found)?, host(wanted)?);
    if found.len() != wanted.len() || found.iter().chain(&wanted).any(|value| !value.is_finite()) {
        return Ok(None);
    }
    let largest = wanted.iter().fold(1f32, |most, value| most.max(value.abs()));
    let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    Ok(Some(worst / largest))
}
