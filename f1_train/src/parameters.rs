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
    specs: Vec<ParameterSpec>,
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
        let specs = used_parameters(config);
        let (mut tensors, mut slots, mut adapters) = (HashMap::new(), Vec::new(), Vec::new());
        for spec in &specs {
            let tensor = weights.get(spec.shape.as_slice(), &spec.name)?.to_device(device)?;
            let tensor = match spec.stored {
                DType::I64 => tensor,
                DType::BF16 if run.precision == Precision::Bf16 => tensor.to_dtype(DType::BF16)?,
                _ => tensor.to_dtype(DType::F32)?,
            };
            if spec.kind == Kind::Parameter && run.trains(spec.group) {
                let variable = Var::from_tensor(&tensor)?;
                tensors.insert(spec.name.clone(), variable.as_tensor().clone());
                let mut slot = Slot::new(spec.name.clone(), spec.group, spec.decay, variable)?;
                if let Some(master) = &slot.master {
                    // The file may hold more than bf16 keeps.
                    master.set(
                        &weights
                            .get(spec.shape.as_slice(), &spec.name)?
                            .to_dtype(DType::F32)?
                            .to_device(device)?,
                    )?;
                    slot.decay = spec.decay;
                }
                slots.push(slot);
                continue;
            }
            if run.adapts(spec.group) && is_adaptable(spec) {
                let adapter = Adapter::new(spec, run, device)?;
                for (suffix, variable) in [("lora_down", &adapter.down), ("lora_up", &adapter.up)] {
                    let name = format!("{}.{suffix}", spec.name);
                    slots.push(Slot::new(name, spec.group, true, variable.clone())?);
                }
                adapters.push(adapter);
            }
            tensors.insert(spec.name.clone(), tensor);
        }
        Ok((Self { tensors, adapters, specs }, slots))
    }

    /// The weights as the network takes them now: a network must be built anew for every step,
    /// because some blocks rearrange their tensors when they are built.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn weights(&self) -> Result<Weights> {
        let mut tensors = self.tensors.clone();
        for adapter in &self.adapters {
            if let Some(frozen) = self.tensors.get(&adapter.name) {
                tensors.insert(adapter.name.clone(), adapter.onto(frozen)?);
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
                let down = values
                    .get(&format!("{}.lora_down", adapter.name))
                    .unwrap_or(adapter.down.as_tensor());
                let up = values
                    .get(&format!("{}.lora_up", adapter.name))
                    .unwrap_or(adapter.up.as_tensor());
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

    /// The frozen weight with the adapter's product on it, in the weight's type. Of the f32 sums
    /// between nothing stays for the backward pass: over all layers they would be twice the
    /// model.
    fn onto(&self, frozen: &Tensor) -> Result<Tensor> {
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
        Ok(with_gradients([self.up.as_tensor(), self.down.as_tensor()], forward, backward)?)
    }
}

/// Attention and MLP weights: matrices inside a layer.
fn is_adaptable(spec: &ParameterSpec) -> bool {
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
        let found = adapter.onto(&frozen).unwrap();
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
