//! The tensors of a run: which are trained, which are adapted, which are frozen.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use f1_kernels::with_gradients;
use f1_model::Config;
use f1_model::parameters::{Group, Kind, ParameterSpec, used_parameters};
use f1_model::weights::Weights;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::Result;
use crate::optimizer::Slot;
use crate::ranks::Layout;
use crate::run_file::{Precision, RunFile};

/// All tensors of a model under training.
///
/// Frozen tensors are plain tensors: no gradient is ever computed for them and the optimiser does
/// not know them. Trained ones are variables held by the optimiser's slots. Adapted ones are frozen
/// tensors plus a product of two thin variables.
#[derive(Debug)]
pub struct Parameters {
    /// Everything by official name; variables included, so that their newest values are seen.
    tensors: HashMap<String, Tensor>,
    adapters: Vec<Adapter>,
    /// Places of the trained tensors among the slots, by name.
    places: HashMap<String, usize>,
    specs: Vec<ParameterSpec>,
}

/// A trained tensor on its way to a slot.
struct Trained<'a> {
    name: String,
    spec: &'a ParameterSpec,
    variable: Var,
    /// What the variable was made of: it may hold more digits.
    value: Tensor,
}

#[derive(Debug)]
struct Adapter {
    name: String,
    /// `[rank, input]`.
    down: Var,
    /// `[output, rank]`.
    up: Var,
    scale: f64,
}

impl Parameters {
    /// Splits `weights` (f32) into trained, adapted and frozen ones as the run says; also the
    /// optimiser's slots.
    ///
    /// # Errors
    /// When a tensor is missing or memory runs out.
    pub fn new(
        config: &Config,
        weights: &Weights,
        run: &RunFile,
        device: &Device,
    ) -> Result<(Self, Vec<Slot>)> {
        let (parameters, slots, _) = Self::shared(config, weights, run, device, 0, 1, usize::MAX)?;
        Ok((parameters, slots))
    }

    /// As [`Self::new`], with the slots' state divided between `size` ranks in buckets of at least
    /// `bytes` of gradients; also that division.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn shared(
        config: &Config,
        weights: &Weights,
        run: &RunFile,
        device: &Device,
        rank: usize,
        size: usize,
        bytes: usize,
    ) -> Result<(Self, Vec<Slot>, Layout)> {
        let specs = used_parameters(config);
        let (mut tensors, mut trained, mut adapters) = (HashMap::new(), Vec::new(), Vec::new());
        for spec in &specs {
            let value = weights.get(spec.shape.as_slice(), &spec.name)?;
            let tensor = match spec.stored {
                DType::I64 => value.clone(),
                DType::BF16 if run.precision == Precision::Bf16 => value.to_dtype(DType::BF16)?,
                _ => value.to_dtype(DType::F32)?,
            };
            let tensor = tensor.to_device(device)?;
            if spec.kind == Kind::Parameter && run.trains(spec.group) {
                let variable = Var::from_tensor(&tensor)?;
                tensors.insert(spec.name.clone(), variable.as_tensor().clone());
                trained.push(Trained { name: spec.name.clone(), spec, variable, value });
                continue;
            }
            if run.adapts(spec.group) && is_adaptable(spec) {
                let adapter = Adapter::new(spec, run, device)?;
                for (name, variable) in [
                    (adapter.down_name(), adapter.down.clone()),
                    (adapter.up_name(), adapter.up.clone()),
                ] {
                    let value = variable.as_tensor().detach();
                    trained.push(Trained { name, spec, variable, value });
                }
                adapters.push(adapter);
            }
            tensors.insert(spec.name.clone(), tensor);
        }
        let sizes: Vec<(usize, DType)> =
            trained.iter().map(|of| (of.variable.elem_count(), of.variable.dtype())).collect();
        let layout = Layout::new(&sizes, rank, size, bytes);
        let mut slots = Vec::with_capacity(trained.len());
        for (index, Trained { name, spec, variable, value }) in trained.into_iter().enumerate() {
            // Adapters decay, whatever they adapt.
            let decay = spec.decay || name != spec.name;
            let owned = layout.owned(index);
            slots.push(Slot::part(name, spec.group, decay, variable, &value, owned)?);
        }
        let places = slots.iter().enumerate().map(|(at, slot)| (slot.name.clone(), at)).collect();
        Ok((Self { tensors, adapters, places, specs }, slots, layout))
    }

    /// The weights as the network takes them now: a network must be built anew for every step,
    /// because some blocks rearrange their tensors when they are built.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn weights(&self) -> Result<Weights> {
        self.weights_through(|_, tensor| Ok(tensor.clone()))
    }

    /// As [`Self::weights`], with every trained tensor passed through `step`, which gets its place
    /// among the slots: an operation whose backward pass sees the tensor's gradient.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn weights_through(
        &self,
        step: impl Fn(usize, &Tensor) -> Result<Tensor>,
    ) -> Result<Weights> {
        let through = |name: &str, tensor: &Tensor| match self.places.get(name) {
            Some(slot) => step(*slot, tensor),
            None => Ok(tensor.clone()),
        };
        let mut tensors = HashMap::with_capacity(self.tensors.len());
        for (name, tensor) in &self.tensors {
            tensors.insert(name.clone(), through(name, tensor)?);
        }
        for adapter in &self.adapters {
            if let Some(frozen) = self.tensors.get(&adapter.name) {
                let up = through(&adapter.up_name(), adapter.up.as_tensor())?;
                let down = through(&adapter.down_name(), adapter.down.as_tensor())?;
                tensors.insert(adapter.name.clone(), adapter.onto(frozen, &up, &down)?);
            }
        }
        Ok(Weights::new(tensors))
    }

    /// As [`Parameters::weights`], without a graph, with the slots' f32 values (or their averages)
    /// in place: for writing.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn to_save(&self, values: &HashMap<String, Tensor>) -> Result<Weights> {
        let mut tensors: HashMap<String, Tensor> =
            self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.detach())).collect();
        for adapter in &self.adapters {
            if let Some(frozen) = self.tensors.get(&adapter.name) {
                let down = values.get(&adapter.down_name()).unwrap_or(adapter.down.as_tensor());
                let up = values.get(&adapter.up_name()).unwrap_or(adapter.up.as_tensor());
                let change = (up.detach().matmul(&down.detach())? * adapter.scale)?;
                tensors.insert(
                    adapter.name.clone(),
                    (frozen.to_dtype(DType::F32)? + change)?.detach(),
                );
            }
        }
        for (name, value) in values {
            if tensors.contains_key(name) {
                tensors.insert(name.clone(), value.detach());
            }
        }
        Ok(Weights::new(tensors))
    }

    /// One tensor.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Trained elements of each group and all elements, for the run's first lines.
    #[must_use]
    pub fn counts(&self, slots: &[Slot]) -> Vec<(Group, usize, usize)> {
        Group::ALL
            .iter()
            .map(|group| {
                let trained = slots
                    .iter()
                    .filter(|slot| slot.group == *group)
                    .map(|slot| slot.variable.elem_count())
                    .sum();
                let all = self
                    .specs
                    .iter()
                    .filter(|spec| spec.group == *group)
                    .map(ParameterSpec::elements)
                    .sum();
                (*group, trained, all)
            })
            .collect()
    }
}

impl Adapter {
    fn new(spec: &ParameterSpec, run: &RunFile, device: &Device) -> Result<Self> {
        let (rank, alpha) = run.lora.as_ref().map_or((1, 1.0), |lora| (lora.rank, lora.alpha));
        let (output, input) = (spec.shape[0], spec.shape[1]);
        let mut random = ChaCha8Rng::seed_from_u64(run.seed);
        random.set_stream(
            spec.name
                .bytes()
                .fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(byte.into())),
        );
        let deviation = (1.0 / input as f32).sqrt();
        let values: Vec<f32> = (0..rank * input)
            .map(|_| random.sample::<f32, _>(StandardNormal) * deviation)
            .collect();
        Ok(Self {
            name: spec.name.clone(),
            down: Var::from_tensor(&Tensor::from_vec(values, (rank, input), device)?)?,
            // Zero: the adapted model begins as the frozen one.
            up: Var::zeros((output, rank), DType::F32, device)?,
            scale: alpha / rank as f64,
        })
    }

    fn down_name(&self) -> String {
        format!("{}.lora_down", self.name)
    }

    fn up_name(&self) -> String {
        format!("{}.lora_up", self.name)
    }

    /// The frozen weight with the adapter's product on it, in the weight's type. None of the f32
    /// sums on the way stays for the backward pass: over all layers they would be twice the
    /// model.
    fn onto(&self, frozen: &Tensor, up: &Tensor, down: &Tensor) -> Result<Tensor> {
        let scale = self.scale;
        let forward = |[up, down]: [&Tensor; 2]| {
            let change = (up.matmul(down)? * scale)?;
            (frozen.to_dtype(DType::F32)? + change)?.to_dtype(frozen.dtype())
        };
        let backward = move |[up, down]: [&Tensor; 2], grad: &Tensor| {
            let grad = (grad.to_dtype(DType::F32)? * scale)?;
            let (up, down) = (up.detach(), down.detach());
            Ok([Some(grad.matmul(&down.t()?)?), Some(up.t()?.matmul(&grad)?)])
        };
        Ok(with_gradients([up, down], forward, backward)?)
    }
}

/// Attention and MLP weights: matrices inside a layer.
pub(crate) fn is_adaptable(spec: &ParameterSpec) -> bool {
    spec.kind == Kind::Parameter && spec.shape.len() == 2 && spec.name.contains(".layers.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapted_weight_has_the_gradients_of_its_product() {
        let random = |shape: (usize, usize)| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
        let adapter = Adapter {
            name: String::new(),
            down: Var::from_tensor(&random((2, 5))).unwrap(),
            up: Var::from_tensor(&random((4, 2))).unwrap(),
            scale: 0.7,
        };
        let (frozen, weighting) = (random((4, 5)), random((4, 5)));
        let change = (adapter.up.matmul(adapter.down.as_tensor()).unwrap() * 0.7).unwrap();
        let plain = (&frozen + change).unwrap();
        let found = adapter.onto(&frozen, &adapter.up, &adapter.down).unwrap();
        let far = |a: &Tensor, b: &Tensor| -> f32 {
            (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
        };
        assert!(far(&found, &plain) < 1e-6);
        let gradients =
            |out: Tensor| out.mul(&weighting).unwrap().sum_all().unwrap().backward().unwrap();
        let (found, plain) = (gradients(found), gradients(plain));
        for variable in [&adapter.up, &adapter.down] {
            assert!(far(found.get(variable).unwrap(), plain.get(variable).unwrap()) < 1e-5);
        }
    }
}
