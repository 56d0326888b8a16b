//! Stages of a computation that a GPU runs as recorded CUDA graphs.
//!
//! A stage is a function of tensors. Without recording it runs operation by operation; with it, the
//! first call of each shape is recorded and later ones launch the recording as one graph.

#[cfg(feature = "cuda")]
mod recorded;
#[cfg(any(test, feature = "cuda"))]
mod thread;

use candle_core::{Device, Error, Tensor};
#[cfg(feature = "cuda")]
use parking_lot::{Mutex, MutexGuard};

use crate::stream::ReadLock;

/// Errors that a stage may have: those of tensor operations are among them.
pub trait StageError: From<Error> + std::fmt::Display + Send + 'static {}

impl<E: From<Error> + std::fmt::Display + Send + 'static> StageError for E {}

/// The graphs of one stage, by the shapes of its inputs.
pub struct StageGraphs {
    #[cfg(feature = "cuda")]
    stage: &'static str,
    /// None where nothing is to be recorded.
    #[cfg(feature = "cuda")]
    graphs: Option<Mutex<recorded::Graphs>>,
}

/// Permission to compute a stage. With graphs there is one at a time, because a graph's tensors are
/// shared by its launches.
pub struct StageLock<'a> {
    #[cfg(feature = "cuda")]
    stage: &'static str,
    #[cfg(feature = "cuda")]
    graphs: Option<MutexGuard<'a, recorded::Graphs>>,
    #[cfg(not(feature = "cuda"))]
    _stage: std::marker::PhantomData<&'a StageGraphs>,
}

impl StageGraphs {
    /// No graphs yet. `stage` is the name in logs; with `record` graphs are recorded, in builds
    /// with the feature `cuda` and on GPUs.
    pub fn new(stage: &'static str, record: bool) -> Self {
        #[cfg(not(feature = "cuda"))]
        let _ = (stage, record);
        Self {
            #[cfg(feature = "cuda")]
            stage,
            #[cfg(feature = "cuda")]
            graphs: record.then(Mutex::default),
        }
    }

    /// Waits for the stage. Taken before the read lock of the stream, because recording waits until
    /// no thread holds that lock.
    pub fn lock(&self) -> StageLock<'_> {
        StageLock {
            #[cfg(feature = "cuda")]
            stage: self.stage,
            #[cfg(feature = "cuda")]
            graphs: self.graphs.as_ref().map(Mutex::lock),
            #[cfg(not(feature = "cuda"))]
            _stage: std::marker::PhantomData,
        }
    }
}

impl StageLock<'_> {
    /// Whether this stage is recorded.
    pub fn is_recorded(&self) -> bool {
        #[cfg(feature = "cuda")]
        return self.graphs.is_some();
        #[cfg(not(feature = "cuda"))]
        false
    }

    /// `compute` of `inputs`. Its results may depend on nothing but `inputs` and `settings`, and
    /// its operations only on the shapes of `inputs` and on `settings`. It is recorded on another
    /// thread, so it owns what it needs.
    ///
    /// `lock` is the stream's read lock where `device` is a GPU. It is released while a graph is
    /// recorded, and a read lock is returned with the outputs: they are freed under it.
    ///
    /// # Errors
    /// Those of `compute`. A failed recording is logged, and the stage runs without it.
    pub fn compute<E: StageError>(
        self,
        device: &Device,
        inputs: Vec<Tensor>,
        settings: &[usize],
        lock: Option<ReadLock>,
        compute: impl Fn(&[Tensor]) -> Result<Vec<Tensor>, E> + Send + 'static,
    ) -> Result<(Vec<Tensor>, Option<ReadLock>), E> {
        #[cfg(feature = "cuda")]
        if let (Some(mut graphs), Device::Cuda(device)) = (self.graphs, device) {
            let stage = self.stage;
            return recorded::compute(stage, &mut graphs, device, inputs, settings, lock, compute);
        }
        let _ = (device, settings);
        // Locals are dropped before arguments: the inputs are freed under the lock.
        let inputs = inputs;
        Ok((compute(&inputs)?, lock))
    }
}
