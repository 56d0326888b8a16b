//! What a policy computes on its device: operation after operation, or on a GPU as a graph that was
//! recorded before.

#[cfg(any(test, feature = "cuda"))]
mod thread;

use candle_core::{Device, Tensor};

use crate::Result;
use crate::device::Using;

/// What is recorded each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Camera images to understanding tokens.
    Images,
    /// A history frame to its tokens and vectors.
    Frame,
    /// Understanding and foresight.
    Prefix,
    /// The chunk of actions.
    Flow,
    /// The foresight image.
    Foresight,
}

#[cfg(not(feature = "cuda"))]
pub(crate) use plain::Graphs;
#[cfg(feature = "cuda")]
pub(crate) use recorded::{Graphs, Turn};

#[cfg(not(feature = "cuda"))]
mod plain {
    use super::*;

    /// Nothing is recorded in a build without CUDA.
    pub(crate) struct Graphs;

    /// The one who computes a stage.
    pub(crate) struct Turn;

    impl Graphs {
        pub(crate) fn new(_: bool) -> Self {
            Self
        }

        pub(crate) fn turn(&self, _: Stage) -> Turn {
            Turn
        }
    }

    impl Turn {
        pub(crate) fn compute(
            self,
            _: &Device,
            inputs: Vec<Tensor>,
            _: &[usize],
            using: Option<Using>,
            compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + 'static,
        ) -> Result<(Vec<Tensor>, Option<Using>)> {
            Ok((compute(&inputs)?, using))
        }
    }
}

#[cfg(feature = "cuda")]
mod recorded {
    use std::collections::HashMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::{CudaGraph, sys};
    use candle_core::{CudaDevice, DType};

    use super::*;
    use crate::{Error, device};

    /// Graphs kept of a stage; more shapes than these (instructions, cameras) start anew.
    const KEPT: usize = 8;
    /// How far a graph's numbers may be from those computed without it, relative to the largest.
    const TOLERANCE: f32 = 1e-3;

    /// Graphs by the shapes of their inputs and their settings.
    type Kept = HashMap<Vec<Vec<usize>>, Attempt>;

    /// What came of recording one shape.
    enum Attempt {
        Recorded(Recording),
        /// It is tried once more: something else on the device may have broken it, such as memory
        /// that was freed meanwhile.
        FailedOnce,
        Failed,
    }

    /// The graphs recorded so far, if any are wanted.
    pub(crate) struct Graphs {
        stages: Option<[Mutex<Kept>; 5]>,
    }

    /// The one who computes a stage: with graphs only one at a time, because their memory is
    /// theirs. Taken before the device is used, since recording waits until nobody uses it.
    pub(crate) struct Turn<'a> {
        stage: Stage,
        graphs: Option<MutexGuard<'a, Kept>>,
    }

    impl Graphs {
        pub(crate) fn new(wanted: bool) -> Self {
            Self { stages: wanted.then(Default::default) }
        }

        pub(crate) fn turn(&self, stage: Stage) -> Turn<'_> {
            let of_stage = self.stages.as_ref().and_then(|stages| stages.get(stage as usize));
            Turn {
                stage,
                graphs: of_stage.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner)),
            }
        }
    }

    impl Turn<'_> {
        pub(crate) fn is_recorded(&self) -> bool {
            self.graphs.is_some()
        }

        /// `compute` of `inputs`, which must depend on nothing else but their shapes and
        /// `settings`. Returns its outputs, and the permission to use the device, which is
        /// given up while a graph is recorded. The inputs are freed under it, not after. `compute`
        /// is recorded on another thread, so it holds what it needs and borrows nothing.
        pub(crate) fn compute(
            self,
            device: &Device,
            inputs: Vec<Tensor>,
            settings: &[usize],
            using: Option<Using>,
            compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + 'static,
        ) -> Result<(Vec<Tensor>, Option<Using>)> {
            // Locals are dropped before arguments, so before the permission, whatever fails.
            let inputs = inputs;
            let (Some(mut graphs), Device::Cuda(cuda)) = (self.graphs, device) else {
                return Ok((compute(&inputs)?, using));
            };
            let shapes = inputs.iter().map(|input| input.dims().to_vec());
            let key: Vec<Vec<usize>> = shapes.chain([settings.to_vec()]).collect();
            let launched = match graphs.get(&key) {
                Some(Attempt::Recorded(recording)) => Some(recording.outputs(&inputs)),
                Some(Attempt::Failed) => return Ok((compute(&inputs)?, using)),
                Some(Attempt::FailedOnce) | None => None,
            };
            if let Some(launched) = launched {
                let outputs = launched.or_else(|error| {
                    tracing::warn!(stage = ?self.stage, %error, "a CUDA graph failed: from now on without it");
                    graphs.insert(key, Attempt::Failed);
                    compute(&inputs)
                });
                return Ok((outputs?, using));
            }
            let outputs = compute(&inputs)?;
            drop(using);
            let recording = {
                let _alone = device::alone();
                let (device, inputs, outputs) = (cuda.clone(), inputs.clone(), outputs.clone());
                thread::run(move || Recording::checked(&device, &inputs, &outputs, compute))
            };
            // Before graphs that are given up free their memory.
            let using = device::using();
            let attempt = match recording {
                Ok(recording) => Attempt::Recorded(recording),
                Err(error) if graphs.contains_key(&key) => {
                    tracing::warn!(stage = ?self.stage, %error, "no CUDA graph: the operations are started one by one");
                    Attempt::Failed
                }
                Err(error) => {
                    tracing::warn!(stage = ?self.stage, %error, "no CUDA graph yet: recording is tried once more");
                    Attempt::FailedOnce
                }
            };
            if graphs.len() >= KEPT && !graphs.contains_key(&key) {
                graphs.clear();
            }
            let recorded = matches!(attempt, Attempt::Recorded(_));
            graphs.insert(key, attempt);
            // A graph has memory of its own. What the same operations took before it would stay in
            // the pool unused.
            if recorded && let Err(error) = device::release_freed_memory(device) {
                tracing::warn!(stage = ?self.stage, %error, "freed memory stays with this process");
            }
            drop(inputs);
            Ok((outputs, Some(using)))
        }
    }

    /// One stage as a graph: its inputs are written where it reads them, its outputs read where it
    /// left them.
    struct Recording {
        inputs: Vec<Tensor>,
        outputs: Vec<Tensor>,
        graph: Graph,
    }

    struct Graph(CudaGraph);

    // SAFETY: it lives behind its stage's mutex: one thread at a time touches it.
    #[allow(unsafe_code)]
    unsafe impl Send for Graph {}

    impl Recording {
        /// Records `compute` and compares what the graph leaves with `expected`. Nobody else may
        /// use the device meanwhile.
        fn checked(
            device: &CudaDevice,
            inputs: &[Tensor],
            expected: &[Tensor],
            compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>>,
        ) -> Result<Self> {
            let recording = Self::record(device, inputs, expected, compute)?;
            for (found, wanted) in recording.outputs(inputs)?.iter().zip(expected) {
                let off = distance(found, wanted)?;
                // What is not a number is not within it either.
                if !off.is_some_and(|off| off <= TOLERANCE) {
                    return Err(Error::input(format!("the graph's numbers are off by {off:?}")));
                }
            }
            Ok(recording)
        }

        fn record(
            device: &CudaDevice,
            inputs: &[Tensor],
            expected: &[Tensor],
            compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>>,
        ) -> Result<Self> {
            let own = |tensor: &Tensor| tensor.contiguous()?.copy();
            let inputs = inputs.iter().map(own).collect::<candle_core::Result<Vec<_>>>()?;
            let outputs = expected.iter().map(own).collect::<candle_core::Result<Vec<_>>>()?;
            let _uploads = device.enable_cuda_graph_htod_cache();
            let run = || -> Result<()> {
                for (output, found) in outputs.iter().zip(compute(&inputs)?) {
                    output.slice_set(&found.contiguous()?, 0, 0)?;
                }
                Ok(())
            };
            // Loads kernels and uploads shapes, neither of which may happen while recording. The
            // shapes are kept for this thread; see `thread`.
            run()?;
            let stream = device.cuda_stream();
            stream.synchronize().w()?;
            stream
                .begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
                .w()?;
            // A panic would leave the recording open, and nothing could be computed any more.
            let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                Err(Error::input("an operation panicked while it was recorded"))
            });
            // What freeing memory reported of a recording that broke: left there it would keep the
            // recording from being ended, and the next observation from being computed.
            let freeing = stream.context().check_err().w();
            // Memory that a graph leaves behind is freed when it is started again, which is refused
            // otherwise.
            let graph = stream
                .end_capture(
                    sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH,
                )
                .w();
            outcome?;
            freeing?;
            let graph = graph?.ok_or_else(|| Error::input("nothing was recorded"))?;
            Ok(Self { inputs, outputs, graph: Graph(graph) })
        }

        /// Copies of what the graph makes of `inputs`.
        fn outputs(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
            for (own, input) in self.inputs.iter().zip(inputs) {
                own.slice_set(&input.contiguous()?, 0, 0)?;
            }
            self.graph.0.launch().w()?;
            Ok(self.outputs.iter().map(Tensor::copy).collect::<candle_core::Result<_>>()?)
        }
    }

    /// Largest difference, relative to the largest number of `wanted` and at least to 1; none where
    /// there is no number.
    fn distance(found: &Tensor, wanted: &Tensor) -> Result<Option<f32>> {
        let host = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>();
        let (found, wanted) = (host(found)?, host(wanted)?);
        if found.len() != wanted.len()
            || found.iter().chain(&wanted).any(|value| !value.is_finite())
        {
            return Ok(None);
        }
        let largest = wanted.iter().fold(1f32, |most, value| most.max(value.abs()));
        let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        Ok(Some(worst / largest))
    }
}
