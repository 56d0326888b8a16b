//! Named tensors from which a network is built.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::config::Config;
use crate::parameters::{Group, Init, Kind, ParameterSpec, used_parameters};
use crate::{Error, Result};

/// Named tensors, read by the constructors of every block; cheap to clone.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use f1_model::linear::Linear;
/// use f1_model::weights::Weights;
///
/// # fn main() -> f1_model::Result<()> {
/// let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
/// let tensors = [("head.weight".into(), zeros(&[3, 8])?), ("head.bias".into(), zeros(&[3])?)];
/// let weights = Weights::new(tensors.into());
/// let head = Linear::new(3, 8, &weights.pp("head"))?;
/// assert_eq!(head.forward(&zeros(&[5, 8])?)?.dims(), [5, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Weights {
    tensors: Arc<HashMap<String, Tensor>>,
    prefix: String,
    allows_tf32: bool,
}

impl Weights {
    /// Weights from a map of official names.
    pub fn new(tensors: HashMap<String, Tensor>) -> Self {
        Self { tensors: Arc::new(tensors), prefix: String::new(), allows_tf32: false }
    }

    /// The weights below `part`.
    pub fn pp(&self, part: impl std::fmt::Display) -> Self {
        let prefix = if self.prefix.is_empty() {
            part.to_string()
        } else {
            format!("{}.{part}", self.prefix)
        };
        Self { tensors: self.tensors.clone(), prefix, allows_tf32: self.allows_tf32 }
    }

    /// These weights, with a tokenizer whose convolutions may round the factors of their products
    /// to TF32 on a GPU, as PyTorch's do by default. All other operations keep their precision.
    #[must_use]
    pub fn allowing_tf32(self) -> Self {
        Self { allows_tf32: true, ..self }
    }

    /// See [`Weights::allowing_tf32`].
    pub fn allows_tf32(&self) -> bool {
        self.allows_tf32
    }

    /// The tensor `name` of this shape.
    ///
    /// # Errors
    /// It is missing or has another shape.
    pub fn get(&self, shape: impl Into<candle_core::Shape>, name: &str) -> Result<Tensor> {
        let full = if self.prefix.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.prefix)
        };
        let expected: candle_core::Shape = shape.into();
        let Some(tensor) = self.tensors.get(&full) else {
            return Err(Error::input(format!(
                "{full}: missing, expected shape {:?}",
                expected.dims()
            )));
        };
        if tensor.shape() != &expected {
            return Err(Error::input(format!(
                "{full}: expected shape {:?}, found {:?}",
                expected.dims(),
                tensor.dims()
            )));
        }
        Ok(tensor.clone())
    }

    /// The tensors below the prefix, on another device.
    ///
    /// # Errors
    /// An error of a device.
    pub fn moved(&self, device: &Device) -> Result<Self> {
        let below = format!("{}.", self.prefix);
        let mut tensors = HashMap::new();
        for (name, tensor) in self.tensors.iter().filter(|(name, _)| name.starts_with(&below)) {
            // Through the host: candle treats two streams of one GPU as two devices.
            tensors.insert(name.clone(), tensor.to_device(&Device::Cpu)?.to_device(device)?);
        }
        Ok(Self {
            tensors: Arc::new(tensors),
            prefix: self.prefix.clone(),
            allows_tf32: self.allows_tf32,
        })
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The tensor of a full official name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }
}

/// Initial values of one tensor in f32: the same for a seed and a name on every machine.
pub fn initial_values(spec: &ParameterSpec, config: &Config, seed: u64) -> Vec<f32> {
    let count = spec.elements();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream_of(&spec.name));
    match spec.init {
        Init::Constant(value) => vec![value as f32; count],
        Init::Normal(deviation) => {
            let deviation = deviation as f32;
            (0..count).map(|_| random.sample::<f32, _>(StandardNormal) * deviation).collect()
        }
        Init::Uniform(bound) => {
            let bound = bound as f32;
            (0..count).map(|_| (random.random::<f32>() * 2.0 - 1.0) * bound).collect()
        }
        Init::ScaleOfToken => config
            .generation
            .iter()
            .flat_map(|generation| generation.scales.iter().enumerate())
            .flat_map(|(index, side)| std::iter::repeat_n(index as f32, side * side))
            .collect(),
    }
}

/// The same as a tensor of `dtype`. On a GPU random values are drawn there, as billions would take
/// a processor a minute: the same for a seed and a name on every GPU, not those of a processor.
///
/// # Errors
/// The device refuses the memory.
pub(crate) fn initial_tensor(
    spec: &ParameterSpec,
    config: &Config,
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let shape = spec.shape.as_slice();
    if device.is_cuda() {
        let draw = |tensor: fn(f32, &[usize], &Device) -> candle_core::Result<Tensor>, size| {
            device.set_seed(seed ^ stream_of(&spec.name))?;
            tensor(size, shape, device)?.to_dtype(dtype)
        };
        match spec.init {
            Init::Normal(deviation) => {
                return Ok(draw(
                    |d, shape, on| Tensor::randn(0.0, d, shape, on),
                    deviation as f32,
                )?);
            }
            Init::Uniform(bound) => {
                return Ok(draw(|b, shape, on| Tensor::rand(-b, b, shape, on), bound as f32)?);
            }
            Init::Constant(_) | Init::ScaleOfToken => {}
        }
    }
    Ok(Tensor::from_vec(initial_values(spec, config, seed), shape, device)?.to_dtype(dtype)?)
}

/// FNV-1a of a name: its random stream does not depend on the order of the table.
fn stream_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The tensors of a model for training: every one by its official name, the trained ones as
/// variables.
pub struct ParameterSet {
    specs: Vec<ParameterSpec>,
    tensors: Vec<Tensor>,
    variables: Vec<Option<Var>>,
}

/// One trained tensor.
pub struct TrainedParameter<'a> {
    /// Name, group, decay flag.
    pub spec: &'a ParameterSpec,
    /// The variable the network was built on.
    pub variable: &'a Var,
}

impl ParameterSet {
    /// Fresh weights in f32; groups for which `trained` holds become variables.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn random(
        config: &Config,
        seed: u64,
        device: &Device,
        trained: impl Fn(Group) -> bool,
    ) -> Result<Self> {
        let specs = used_parameters(config);
        let mut tensors = Vec::with_capacity(specs.len());
        for spec in &specs {
            tensors.push(initial_tensor(spec, config, seed, DType::F32, device)?);
        }
        Self::assemble(specs, tensors, trained)
    }

    /// Weights by official name (as [`crate::checkpoint::load`] returns them) in f32; groups for
    /// which `trained` holds become variables.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn from_weights(
        config: &Config,
        weights: &Weights,
        trained: impl Fn(Group) -> bool,
    ) -> Result<Self> {
        let specs = used_parameters(config);
        let mut tensors = Vec::with_capacity(specs.len());
        for spec in &specs {
            tensors.push(weights.get(spec.shape.as_slice(), &spec.name)?.to_dtype(DType::F32)?);
        }
        Self::assemble(specs, tensors, trained)
    }

    fn assemble(
        specs: Vec<ParameterSpec>,
        tensors: Vec<Tensor>,
        trained: impl Fn(Group) -> bool,
    ) -> Result<Self> {
        let mut variables = Vec::with_capacity(specs.len());
        let mut kept = Vec::with_capacity(specs.len());
        for (spec, tensor) in specs.iter().zip(tensors) {
            if spec.kind == Kind::Parameter && trained(spec.group) {
                let variable = Var::from_tensor(&tensor)?;
                kept.push(variable.as_tensor().clone());
                variables.push(Some(variable));
            } else {
                kept.push(tensor);
                variables.push(None);
            }
        }
        Ok(Self { specs, tensors: kept, variables })
    }

    /// The tensors as weights to build a network on; variables stay variables.
    pub fn weights(&self) -> Weights {
        let map = self
            .specs
            .iter()
            .zip(&self.tensors)
            .map(|(spec, tensor)| (spec.name.clone(), tensor.clone()));
        Weights::new(map.collect())
    }

    /// All tensors with their descriptions, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (&ParameterSpec, &Tensor)> {
        self.specs.iter().zip(&self.tensors)
    }

    /// The trained tensors, in table order.
    pub fn trained(&self) -> impl Iterator<Item = TrainedParameter<'_>> {
        self.specs.iter().zip(&self.variables).filter_map(|(spec, variable)| {
            variable.as_ref().map(|variable| TrainedParameter { spec, variable })
        })
    }

    /// One tensor by its official name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.specs
            .iter()
            .position(|spec| spec.name == name)
            .and_then(|index| self.tensors.get(index))
    }
}
