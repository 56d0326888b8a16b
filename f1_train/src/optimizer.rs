//! AdamW over parameter groups, with clipping by the global norm.
//!
//! On a CPU the update is two fused passes over each tensor; elsewhere it is written in tensor
//! operations.

use std::ops::Range;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Tensor, Var};
use f1_kernels as ops;
use f1_model::parameters::Group;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Elements one thread updates at a time: large enough that splitting costs nothing.
const CHUNK: usize = 1 << 15;

/// Settings of AdamW; the defaults are the recipe's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Decay of the first and second moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Pull toward zero, relative to the learning rate; not on biases and layer norms.
    pub weight_decay: f64,
    /// Largest global norm of the gradients; 0 does not clip.
    pub clip_norm: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { betas: [0.9, 0.95], eps: 1e-8, weight_decay: 1e-10, clip_norm: 1.0 }
    }
}

/// One trained tensor with its moments.
///
/// Where several ranks train together, each keeps the state of a part of it and updates that part:
/// `owned` says which. Alone, a rank owns every element.
#[derive(Debug)]
pub struct Slot {
    /// Official name, or that name with a suffix for adapters.
    pub name: String,
    /// Learning-rate group.
    pub group: Group,
    /// Whether weight decay applies.
    pub decay: bool,
    /// The tensor that the network is built on.
    pub variable: Var,
    /// The elements of the flattened tensor that this rank updates.
    pub owned: Range<usize>,
    /// First and second moment of the owned elements, `[2, owned]` in f32.
    pub moments: Tensor,
    /// The owned elements in f32, flat, when the variable is bf16.
    pub master: Option<Var>,
}

impl Slot {
    /// A tensor with fresh moments, all of it owned.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(name: String, group: Group, decay: bool, variable: Var) -> Result<Self> {
        let value = variable.as_tensor().detach();
        let owned = 0..variable.elem_count();
        Self::part(name, group, decay, variable, &value, owned)
    }

    /// A tensor with fresh moments, of which this rank owns a part. `value` is what the variable
    /// was made of, which may hold more digits.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn part(
        name: String,
        group: Group,
        decay: bool,
        variable: Var,
        value: &Tensor,
        owned: Range<usize>,
    ) -> Result<Self> {
        let moments = Tensor::zeros((2, owned.len()), DType::F32, variable.device())?;
        let master = match variable.dtype() {
            DType::F32 => None,
            _ => {
                let value = value.flatten_all()?.narrow(0, owned.start, owned.len())?;
                let value = value.to_dtype(DType::F32)?.to_device(variable.device())?;
                Some(Var::from_tensor(&value.contiguous()?)?)
            }
        };
        Ok(Self { name, group, decay, variable, owned, moments, master })
    }

    /// The owned elements in f32, `[owned]`.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn owned_value(&self) -> Result<Tensor> {
        match &self.master {
            Some(master) => Ok(master.as_tensor().detach()),
            None => self.owned_part(self.variable.as_tensor()),
        }
    }

    /// The whole tensor in f32, in the variable's shape; to all digits only where this rank owns
    /// all of it or the variable is f32.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn value(&self) -> Result<Tensor> {
        match &self.master {
            Some(master) if self.owned.len() == self.variable.elem_count() => {
                Ok(master.as_tensor().detach().reshape(self.variable.shape())?)
            }
            _ => Ok(self.variable.as_tensor().detach().to_dtype(DType::F32)?),
        }
    }

    /// The owned elements of a tensor of the variable's size, `[owned]`.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn owned_part(&self, whole: &Tensor) -> Result<Tensor> {
        Ok(whole.detach().flatten_all()?.narrow(0, self.owned.start, self.owned.len())?)
    }

    /// Puts a value in the place of the whole tensor, and its owned part in the place of the
    /// owned one.
    ///
    /// # Errors
    /// When the sizes differ.
    pub fn set_value(&self, value: &Tensor) -> Result<()> {
        let value = value.reshape(self.variable.shape())?;
        if let Some(master) = &self.master {
            let part = self.owned_part(&value.to_dtype(DType::F32)?)?;
            master.set(&part.to_device(master.device())?)?;
        }
        let value = value.to_dtype(self.variable.dtype())?.to_device(self.variable.device())?;
        Ok(self.variable.set(&value)?)
    }
}

/// The optimiser: slots in a fixed order, and how many updates they have had.
#[derive(Debug)]
pub struct Optimizer {
    settings: AdamW,
    slots: Vec<Slot>,
    updates: u64,
}

/// Gradients of all slots, in slot order, each of the slot's owned elements; `None` where the loss
/// does not depend on one.
pub type Gradients = Vec<Option<Tensor>>;

/// One update of all slots: what is the same for all of them.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// Factor that clips the gradients.
    scale: f64,
    /// Corrections of the moments' bias toward their start at zero.
    corrections: [f64; 2],
}

impl Optimizer {
    /// An optimiser over these tensors.
    #[must_use]
    pub fn new(settings: AdamW, slots: Vec<Slot>) -> Self {
        Self { settings, slots, updates: 0 }
    }

    /// The trained tensors.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The trained tensors, to restore their moments.
    pub fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    /// Updates made.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Restores the count of updates: Adam's bias correction depends on it.
    pub fn set_updates(&mut self, updates: u64) {
        self.updates = updates;
    }

    /// Takes the slots' gradients out of a backward pass.
    #[must_use]
    pub fn collect(&self, store: &mut GradStore) -> Gradients {
        // Detached: a sum of gradients would go on holding what each was computed from, and moments
        // made of it all steps before.
        let of = |slot: &Slot| Some(store.remove(slot.variable.as_tensor())?.detach());
        self.slots.iter().map(of).collect()
    }

    /// Updates every tensor that has a gradient; `rate` gives each group's learning rate. Returns
    /// the gradients' global norm before clipping; when it is not finite nothing is changed.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn update(&mut self, gradients: &Gradients, rate: impl Fn(Group) -> f64) -> Result<f64> {
        let norm = sum_of_squares(gradients)?.sqrt();
        if norm.is_finite() {
            let update = self.begin_update(norm);
            self.update_slots(0..self.slots.len(), gradients, update, &rate)?;
        }
        Ok(norm)
    }

    /// Counts an update whose gradients have this finite global norm.
    pub fn begin_update(&mut self, norm: f64) -> Update {
        let clip = self.settings.clip_norm;
        let scale = if clip > 0.0 { (clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
        self.updates += 1;
        let exponent = self.updates.min(i32::MAX as u64) as i32;
        let corrections = self.settings.betas.map(|beta| 1.0 - beta.powi(exponent));
        Update { scale, corrections }
    }

    /// Makes an update of some of the slots; `gradients` are those of all.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn update_slots(
        &mut self,
        slots: Range<usize>,
        gradients: &Gradients,
        update: Update,
        rate: impl Fn(Group) -> f64,
    ) -> Result<()> {
        let [beta1, beta2] = self.settings.betas;
        for (slot, gradient) in self.slots[slots.clone()].iter_mut().zip(&gradients[slots]) {
            let Some(gradient) = gradient else { continue };
            let rate = rate(slot.group);
            let decay = if slot.decay { self.settings.weight_decay } else { 0.0 };
            let step = Step {
                keep: (1.0 - rate * decay) as f32,
                rate: (rate / update.corrections[0]) as f32,
                root: update.corrections[1].sqrt() as f32,
                eps: self.settings.eps as f32,
            };
            let accumulate =
                Accumulate { scale: update.scale as f32, beta1: beta1 as f32, beta2: beta2 as f32 };
            let gradient = gradient.flatten_all()?.to_dtype(DType::F32)?.contiguous()?;
            slot.update(&gradient, &accumulate, &step)?;
        }
        Ok(())
    }
}

impl Slot {
    /// Updates the owned elements by a flat gradient of as many.
    fn update(&mut self, gradient: &Tensor, accumulate: &Accumulate, step: &Step) -> Result<()> {
        if self.owned.is_empty() {
            return Ok(());
        }
        let target = self.owned_value()?;
        if gradient.device().is_cpu() {
            // The target shares the memory of the variable, or of its f32 value.
            self.moments.inplace_op2(gradient, accumulate)?;
            target.inplace_op2(&self.moments, step)?;
        } else {
            let gradient = (gradient * f64::from(accumulate.scale))?;
            let (m, v) = (self.moments.get(0)?, self.moments.get(1)?);
            let (b1, b2) = (f64::from(accumulate.beta1), f64::from(accumulate.beta2));
            let m = ((m * b1)? + (&gradient * (1.0 - b1))?)?;
            let v = ((v * b2)? + (gradient.sqr()? * (1.0 - b2))?)?;
            let root = ((v.sqrt()? / f64::from(step.root))? + f64::from(step.eps))?;
            let change = (m.div(&root)? * f64::from(step.rate))?;
            let new = ((&target * f64::from(step.keep))? - change)?;
            match &self.master {
                Some(master) => master.set(&new)?,
                None => {
                    let whole = self.variable.as_tensor().detach().flatten_all()?;
                    whole.slice_set(&new, 0, self.owned.start)?;
                }
            }
            self.moments = Tensor::stack(&[m, v], 0)?;
        }
        if let Some(master) = &self.master
            && self.owned.len() == self.variable.elem_count()
        {
            let value = master.as_tensor().to_dtype(self.variable.dtype())?;
            self.variable.set(&value.reshape(self.variable.shape())?)?;
        }
        Ok(())
    }
}

/// Sum of all squares, in f64: the global norm is its root.
///
/// # Errors
/// When a tensor operation fails.
pub fn sum_of_squares(gradients: &Gradients) -> Result<f64> {
    let mut sum = 0.0;
    let mut on_device = Vec::new();
    for gradient in gradients.iter().flatten() {
        match squares_on_cpu(gradient) {
            Some(squares) => sum += squares,
            None => on_device.push(ops::sum_in_parts(&gradient.to_dtype(DType::F32)?.sqr()?)?),
        }
    }
    Ok(sum + ops::sum_on_host(&on_device)?)
}

/// Sum of the squares of f32 on a CPU; `None` elsewhere.
fn squares_on_cpu(tensor: &Tensor) -> Option<f64> {
    if tensor.device().is_cpu() && tensor.dtype() == DType::F32 && tensor.is_contiguous() {
        let (storage, layout) = tensor.storage_and_layout();
        if let candle_core::Storage::Cpu(CpuStorage::F32(values)) = &*storage {
            let start = layout.start_offset();
            let values = &values[start..start + layout.shape().elem_count()];
            // Chunk sums are added in order: the same number with any number of threads.
            let sums: Vec<f64> = values
                .par_chunks(CHUNK)
                .map(|chunk| chunk.iter().map(|value| f64::from(*value) * f64::from(*value)).sum())
                .collect();
            return Some(sums.iter().sum());
        }
    }
    None
}

/// Adds gradients of one micro-batch to those of the ones before.
///
/// # Errors
/// When a tensor operation fails.
pub fn accumulate(total: &mut Gradients, more: Gradients) -> Result<()> {
    if total.is_empty() {
        *total = more;
        return Ok(());
    }
    for (sum, new) in total.iter_mut().zip(more) {
        *sum = match (sum.take(), new) {
            (Some(sum), Some(new)) => Some((sum + new)?),
            (sum, new) => sum.or(new),
        };
    }
    Ok(())
}

/// `m` and `v` from a gradient.
struct Accumulate {
    scale: f32,
    beta1: f32,
    beta2: f32,
}

/// A parameter from its moments.
struct Step {
    keep: f32,
    rate: f32,
    root: f32,
    eps: f32,
}

fn mutable<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> candle_core::Result<&'a mut [f32]> {
    let (start, count) = (layout.start_offset(), layout.shape().elem_count());
    match storage {
        CpuStorage::F32(values) if layout.is_contiguous() => Ok(&mut values[start..start + count]),
        _ => candle_core::bail!("the optimiser updates contiguous f32 tensors"),
    }
}

fn readable<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    let (start, count) = (layout.start_offset(), layout.shape().elem_count());
    match storage {
        CpuStorage::F32(values) if layout.is_contiguous() => Ok(&values[start..start + count]),
        _ => candle_core::bail!("the optimiser updates contiguous f32 tensors"),
    }
}

impl InplaceOp2 for Accumulate {
    fn name(&self) -> &'static str {
        "adamw-moments"
    }

    fn cpu_fwd(
        &self,
        moments: &mut CpuStorage,
        moments_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let moments = mutable(moments, moments_layout)?;
        let gradient = readable(gradient, gradient_layout)?;
        let (m, v) = moments.split_at_mut(gradient.len());
        m.par_chunks_mut(CHUNK)
            .zip(v.par_chunks_mut(CHUNK))
            .zip(gradient.par_chunks(CHUNK))
            .for_each(|((m, v), gradient)| {
                for ((m, v), gradient) in m.iter_mut().zip(v).zip(gradient) {
                    let gradient = gradient * self.scale;
                    *m = *m * self.beta1 + gradient * (1.0 - self.beta1);
                    *v = *v * self.beta2 + gradient * gradient * (1.0 - self.beta2);
                }
            });
        Ok(())
    }
}

impl InplaceOp2 for Step {
    fn name(&self) -> &'static str {
        "adamw-step"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        moments: &CpuStorage,
        moments_layout: &Layout,
    ) -> candle_core::Result<()> {
        let parameter = mutable(parameter, parameter_layout)?;
        let (m, v) = readable(moments, moments_layout)?.split_at(parameter.len());
        parameter.par_chunks_mut(CHUNK).zip(m.par_chunks(CHUNK)).zip(v.par_chunks(CHUNK)).for_each(
            |((parameter, m), v)| {
                for ((parameter, m), v) in parameter.iter_mut().zip(m).zip(v) {
                    *parameter =
                        *parameter * self.keep - self.rate * m / (v.sqrt() / self.root + self.eps);
                }
            },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// AdamW written out for one number, in f64.
    fn reference(start: f64, gradients: &[f64], rate: f64, decay: f64) -> f64 {
        let (mut p, mut m, mut v) = (start, 0.0, 0.0);
        for (index, g) in gradients.iter().enumerate() {
            p *= 1.0 - rate * decay;
            m = 0.9 * m + 0.1 * g;
            v = 0.95 * v + 0.05 * g * g;
            let (c1, c2) =
                (1.0 - 0.9f64.powi(index as i32 + 1), 1.0 - 0.95f64.powi(index as i32 + 1));
            p -= rate * (m / c1) / ((v / c2).sqrt() + 1e-8);
        }
        p
    }

    #[test]
    fn updates_follow_the_formula_and_groups_have_their_own_rate() {
        let device = Device::Cpu;
        let make = |name: &str, group| {
            let variable = Var::new(&[1.5f32, -2.0], &device).unwrap();
            Slot::new(name.into(), group, true, variable).unwrap()
        };
        let slots = vec![make("a", Group::Vision), make("b", Group::Action)];
        let mut optimizer =
            Optimizer::new(AdamW { weight_decay: 0.1, clip_norm: 0.0, ..AdamW::default() }, slots);
        for gradient in [0.3f32, -0.7, 0.1] {
            let gradient = Tensor::new(&[gradient, gradient * 2.0], &device).unwrap();
            let gradients = vec![Some(gradient.clone()), Some(gradient)];
            optimizer
                .update(&gradients, |group| if group == Group::Vision { 1e-2 } else { 1e-1 })
                .unwrap();
        }
        for (slot, rate) in optimizer.slots().iter().zip([1e-2, 1e-1]) {
            let value = slot.value().unwrap().to_vec1::<f32>().unwrap();
            assert!(
                (f64::from(value[0]) - reference(1.5, &[0.3, -0.7, 0.1], rate, 0.1)).abs() < 1e-6
            );
            assert!(
                (f64::from(value[1]) - reference(-2.0, &[0.6, -1.4, 0.2], rate, 0.1)).abs() < 1e-6
            );
        }
    }

    #[test]
    fn what_is_kept_of_a_step_holds_nothing_else_of_it() {
        let variable = Var::new(&[[1f32, 2.0]], &Device::Cpu).unwrap();
        let mut optimizer = Optimizer::new(
            AdamW::default(),
            vec![Slot::new("a".into(), Group::Action, false, variable.clone()).unwrap()],
        );
        // Used twice, by products whose backward pass multiplies by what is tracked.
        let twice = variable.matmul(&variable.t().unwrap()).unwrap();
        let mut store = twice.sum_all().unwrap().backward().unwrap();
        let gradients = optimizer.collect(&mut store);
        assert!(gradients[0].as_ref().is_some_and(|gradient| !gradient.track_op()));
        optimizer.update(&gradients, |_| 0.1).unwrap();
        assert!(!optimizer.slots()[0].moments.track_op());
    }

    #[test]
    fn a_large_gradient_is_clipped_and_a_broken_one_changes_nothing() {
        let device = Device::Cpu;
        let variable = Var::new(&[0f32, 0.0], &device).unwrap();
        let slot = Slot::new("a".into(), Group::Action, false, variable).unwrap();
        let mut optimizer = Optimizer::new(AdamW::default(), vec![slot]);
        let gradients = vec![Some(Tensor::new(&[30f32, 40.0], &device).unwrap())];
        assert_eq!(optimizer.update(&gradients, |_| 0.1).unwrap(), 50.0);
        let moments = optimizer.slots()[0].moments.to_vec2::<f32>().unwrap();
        assert!((moments[0][0] - 0.06).abs() < 1e-6 && (moments[0][1] - 0.08).abs() < 1e-6);
        let before = optimizer.slots()[0].value().unwrap().to_vec1::<f32>().unwrap();
        let broken = vec![Some(Tensor::new(&[f32::NAN, 0.0], &device).unwrap())];
        assert!(optimizer.update(&broken, |_| 0.1).unwrap().is_nan());
        assert_eq!(optimizer.slots()[0].value().unwrap().to_vec1::<f32>().unwrap(), before);
        assert_eq!(optimizer.updates(), 1);
    }

    #[test]
    fn small_updates_of_bf16_parameters_add_up_in_their_master() {
        let start = Tensor::new(&[1f32], &Device::Cpu).unwrap().to_dtype(DType::BF16).unwrap();
        let slot =
            Slot::new("a".into(), Group::Action, false, Var::from_tensor(&start).unwrap()).unwrap();
        let mut optimizer = Optimizer::new(AdamW::default(), vec![slot]);
        let gradients = vec![Some(Tensor::new(&[1f32], &Device::Cpu).unwrap())];
        for _ in 0..100 {
            optimizer.update(&gradients, |_| 1e-4).unwrap();
        }
        // Each step alone is below bf16's resolution at 1.
        let slot = &optimizer.slots()[0];
        assert!((slot.value().unwrap().to_vec1::<f32>().unwrap()[0] - 0.99).abs() < 1e-4);
        let seen = slot.variable.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap()[0];
        assert!((seen - 0.99).abs() < 4e-3);
    }
}
