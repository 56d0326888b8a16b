//! AdamW with groups, and clipping by the global norm.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use crate::parameters::Group;
use crate::weights::ParameterSet;
use crate::{Result, ops};

/// Settings shared by all groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, where a tensor decays at all.
    pub weight_decay: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 1e-10 }
    }
}

/// One trained tensor with its moments.
pub struct OptimizedTensor {
    /// Official name.
    pub name: String,
    /// Group, for its learning rate.
    pub group: Group,
    /// Whether weight decay applies.
    pub decay: bool,
    variable: Var,
    first: Option<Tensor>,
    second: Option<Tensor>,
    steps: u32,
}

impl OptimizedTensor {
    /// First and second moment and the number of steps taken, once there was a gradient.
    pub fn moments(&self) -> Option<(&Tensor, &Tensor, u32)> {
        Some((self.first.as_ref()?, self.second.as_ref()?, self.steps))
    }

    /// Puts moments back when training resumes.
    pub fn set_moments(&mut self, first: Tensor, second: Tensor, steps: u32) {
        self.first = Some(first);
        self.second = Some(second);
        self.steps = steps;
    }

    /// The variable.
    pub fn variable(&self) -> &Var {
        &self.variable
    }
}

/// AdamW as PyTorch does it; a tensor without a gradient in a step is left alone, decay included.
pub struct AdamW {
    settings: AdamWSettings,
    tensors: Vec<OptimizedTensor>,
}

impl AdamW {
    /// For the trained tensors of a set.
    pub fn new(parameters: &ParameterSet, settings: AdamWSettings) -> Self {
        let tensors = parameters
            .trained()
            .map(|parameter| OptimizedTensor {
                name: parameter.spec.name.clone(),
                group: parameter.spec.group,
                decay: parameter.spec.decay,
                variable: parameter.variable.clone(),
                first: None,
                second: None,
                steps: 0,
            })
            .collect();
        Self { settings, tensors }
    }

    /// The trained tensors.
    pub fn tensors(&self) -> &[OptimizedTensor] {
        &self.tensors
    }

    /// The trained tensors, to put moments back.
    pub fn tensors_mut(&mut self) -> &mut [OptimizedTensor] {
        &mut self.tensors
    }

    /// Norm of all gradients together.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn gradient_norm(&self, gradients: &GradStore) -> Result<f64> {
        let of = |tensor: &OptimizedTensor| gradients.get(tensor.variable.as_tensor());
        let sums = self
            .tensors
            .iter()
            .filter_map(of)
            .map(|gradient| Ok(ops::sum_in_parts(&gradient.detach().sqr()?)?));
        Ok(ops::sum_on_host(&sums.collect::<Result<Vec<_>>>()?)?.sqrt())
    }

    /// One step; gradients are scaled down to a global norm of `clip` first. Returns the norm
    /// before clipping.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn step(
        &mut self,
        gradients: &GradStore,
        clip: Option<f64>,
        learning_rate: impl Fn(Group) -> f64,
    ) -> Result<f64> {
        let norm = self.gradient_norm(gradients)?;
        // The small number is PyTorch's.
        let scale = clip.map_or(1.0, |clip| (clip / (norm + 1e-6)).min(1.0));
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        for tensor in &mut self.tensors {
            let Some(gradient) = gradients.get(tensor.variable.as_tensor()) else { continue };
            let gradient = (gradient.detach() * scale)?;
            let rate = learning_rate(tensor.group);
            tensor.steps += 1;
            let first = match &tensor.first {
                Some(first) => ((first * beta1)? + (&gradient * (1.0 - beta1))?)?,
                None => (&gradient * (1.0 - beta1))?,
            };
            let square = gradient.sqr()?;
            let second = match &tensor.second {
                Some(second) => ((second * beta2)? + (square * (1.0 - beta2))?)?,
                None => (square * (1.0 - beta2))?,
            };
            let steps = f64::from(tensor.steps);
            let (bias1, bias2) = (1.0 - beta1.powf(steps), 1.0 - beta2.powf(steps));
            let root = ((second.sqrt()? / bias2.sqrt())? + epsilon)?;
            let update = ((&first / root)? * (rate / bias1))?;
            let value = tensor.variable.as_tensor().detach();
            let kept = if tensor.decay { (value * (1.0 - rate * weight_decay))? } else { value };
            tensor.variable.set(&(kept - update)?)?;
            tensor.first = Some(first.detach());
            tensor.second = Some(second.detach());
        }
        Ok(norm)
    }
}
