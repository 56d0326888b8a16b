//! Where and how a policy runs.

use candle_core::{DType, Device};
use f1_kernels::device;

use crate::linear::Quant;
use crate::{Error, Result};

/// Where the network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU.
    #[default]
    Cpu,
    /// The first CUDA device; needs a build with the feature `cuda`.
    Cuda,
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// There is no such device, or this build has no CUDA.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Cuda if !candle_core::utils::cuda_is_available() => Err(Error::input(
                "this program was built without CUDA; build it with `--features cuda` (docs/gpu.md), or use \
                 the device cpu",
            )),
            DeviceChoice::Cuda => device::cuda().map_err(|error| {
                Error::input(format!(
                    "no CUDA device can be used: {error}; `nvidia-smi` says what the driver sees"
                ))
            }),
        }
    }
}

/// Precision of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit brain floats where the published files have them, 32-bit floats elsewhere.
    Bf16,
}

impl Dtype {
    pub(super) fn candle(self) -> DType {
        match self {
            Dtype::F32 => DType::F32,
            Dtype::Bf16 => DType::BF16,
        }
    }
}

/// How to load a policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Device.
    pub device: DeviceChoice,
    /// Precision of the weights.
    pub dtype: Dtype,
    /// Quantisation of the experts' linear layers.
    pub quant: Option<Quant>,
    /// On a GPU, record each stage as a CUDA graph, once for each number of cameras and length of
    /// the instruction, and launch the graph from then on. A graph is used after its results
    /// were compared with those of the single operations.
    pub cuda_graphs: bool,
    /// Initialise tensors that the checkpoint lacks; they are listed in the report and the log.
    pub allow_missing: bool,
}
