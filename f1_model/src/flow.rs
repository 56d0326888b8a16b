//! Around the action expert: projections, time embedding, Euler steps, guidance.

use candle_core::{DType, Device, Tensor};
use f1_kernels as ops;

use crate::config::Config;
use crate::linear::Linear;
use crate::weights::Weights;
use crate::{Error, Result};

/// Shortest period of the time embedding.
const MIN_PERIOD: f64 = 4e-3;
/// Longest period of the time embedding.
const MAX_PERIOD: f64 = 4.0;

/// The embedding of each time: sines, then cosines; computed in f64.
pub fn time_embedding(times: &[f32], width: usize) -> Vec<Vec<f64>> {
    let half = width / 2;
    times
        .iter()
        .map(|time| {
            let angle = |index: usize| {
                let fraction = if half > 1 { index as f64 / (half - 1) as f64 } else { 0.0 };
                let period = MIN_PERIOD * (MAX_PERIOD / MIN_PERIOD).powf(fraction);
                f64::from(*time) * (1.0 / period * 2.0 * std::f64::consts::PI)
            };
            (0..half).map(|i| angle(i).sin()).chain((0..half).map(|i| angle(i).cos())).collect()
        })
        .collect()
}

/// Times of the Euler steps, from 1 down; accumulated in f32.
pub fn euler_times(steps: usize) -> Vec<f32> {
    let step = -1.0f32 / steps as f32;
    let mut times = Vec::with_capacity(steps);
    let mut time = 1.0f32;
    while time >= -step / 2.0 {
        times.push(time);
        time += step;
    }
    times
}

/// Steering of a new chunk toward the one being executed (real-time chunking).
///
/// At each flow step the predicted clean chunk is pulled toward `previous` by `weights`: an action
/// of weight 1 becomes exactly the previous one, one of weight 0 is free. This is pseudo-inverse
/// guidance (Black et al., "Real-Time Execution of Action Chunking Flow Policies", 2025) with the
/// denoiser's Jacobian taken as the identity: no backward pass through the expert.
#[derive(Clone, Debug, PartialEq)]
pub struct RtcGuidance {
    /// `[chunk][action]`, normalised, aligned to the new chunk.
    pub previous: Vec<Vec<f32>>,
    /// `[chunk]`, from 1 (frozen) to 0 (free).
    pub weights: Vec<f32>,
}

impl RtcGuidance {
    /// As tensors `[1, chunk, width]` and `[1, chunk, 1]`; shorter actions are padded with zeros.
    pub(crate) fn tensors(
        &self,
        chunk: usize,
        width: usize,
        device: &Device,
    ) -> Result<(Tensor, Tensor)> {
        if self.previous.len() != chunk || self.weights.len() != chunk {
            return Err(Error::input(format!(
                "guidance has {} actions and {} weights, the chunk has {chunk} steps",
                self.previous.len(),
                self.weights.len()
            )));
        }
        if self.weights.iter().any(|weight| !(0.0..=1.0).contains(weight)) {
            return Err(Error::input("guidance weights must be within 0..=1"));
        }
        let mut values = Vec::with_capacity(chunk * width);
        for action in &self.previous {
            if action.len() > width || action.iter().any(|value| !value.is_finite()) {
                return Err(Error::input(format!(
                    "guidance actions must be finite and at most {width} wide"
                )));
            }
            values.extend(action.iter().copied().chain(std::iter::repeat(0.0)).take(width));
        }
        Ok((
            Tensor::from_vec(values, (1, chunk, width), device)?,
            Tensor::from_vec(self.weights.clone(), (1, chunk, 1), device)?,
        ))
    }
}

/// Projections of the action expert, in f32.
#[derive(Clone)]
pub struct ActionHeads {
    state_proj: Linear,
    action_in_proj: Linear,
    action_out_proj: Linear,
    action_time_mlp_in: Linear,
    action_time_mlp_out: Linear,
    width: usize,
    steps: StepTable,
}

/// The parts of the action embedding that do not depend on the actions, computed once.
///
/// `action_time_mlp_in(cat(action_in_proj(x), emb(t)))` is `fused x + bias(t)`.
#[derive(Clone)]
struct StepTable {
    times: Vec<f32>,
    /// None while any of its weights is trained.
    fused: Option<(Tensor, Vec<Tensor>)>,
}

impl ActionHeads {
    /// Reads the heads below `weights` (`model`).
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &Config, weights: &Weights) -> Result<Self> {
        let width = config.proj_width;
        let action_in_proj =
            Linear::new(width, config.max_action_dim, &weights.pp("action_in_proj"))?;
        let action_time_mlp_in = Linear::new(width, 2 * width, &weights.pp("action_time_mlp_in"))?;
        let times = euler_times(config.num_steps);
        let fused = fuse(&action_in_proj, &action_time_mlp_in, &times, width)?;
        Ok(Self {
            state_proj: Linear::new(width, config.max_state_dim, &weights.pp("state_proj"))?,
            action_in_proj,
            action_out_proj: Linear::new(
                config.max_action_dim,
                width,
                &weights.pp("action_out_proj"),
            )?,
            action_time_mlp_in,
            action_time_mlp_out: Linear::new(width, width, &weights.pp("action_time_mlp_out"))?,
            width,
            steps: StepTable { times, fused },
        })
    }

    /// Times of the Euler steps.
    pub fn times(&self) -> &[f32] {
        &self.steps.times
    }

    /// State token `[batch, 1, width]` of states `[batch, max_state_dim]`.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn embed_state(&self, state: &Tensor) -> Result<Tensor> {
        Ok(self.state_proj.forward(state)?.unsqueeze(1)?)
    }

    /// Action tokens `[batch, chunk, width]` of noisy actions `[batch, chunk, max_action_dim]` at a
    /// time for each sample.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn embed_actions(&self, actions: &Tensor, times: &[f32]) -> Result<Tensor> {
        let (batch, chunk, _) = actions.dims3()?;
        let rows: Vec<f32> = time_embedding(times, self.width)
            .into_iter()
            .flatten()
            .map(|value| value as f32)
            .collect();
        let time = Tensor::from_vec(rows, (times.len(), 1, self.width), actions.device())?
            .broadcast_as((batch, chunk, self.width))?
            .contiguous()?;
        let embedded = Tensor::cat(&[&self.action_in_proj.forward(actions)?, &time], 2)?;
        self.action_time_mlp_out.forward(&ops::silu(&self.action_time_mlp_in.forward(&embedded)?)?)
    }

    /// As [`ActionHeads::embed_actions`] at Euler step `step`, from the table.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn embed_actions_at(&self, actions: &Tensor, step: usize) -> Result<Tensor> {
        match self
            .steps
            .fused
            .as_ref()
            .and_then(|(weight, biases)| Some((weight, biases.get(step)?)))
        {
            Some((weight, bias)) => {
                let hidden = ops::silu(&ops::linear(actions, weight, Some(bias))?)?;
                self.action_time_mlp_out.forward(&hidden)
            }
            None => {
                let time = self.steps.times.get(step).copied().unwrap_or(0.0);
                self.embed_actions(actions, &vec![time; actions.dim(0)?])
            }
        }
    }

    /// Velocity `[batch, chunk, max_action_dim]` in f32 of expert outputs.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn velocity(&self, out: &Tensor) -> Result<Tensor> {
        self.action_out_proj.forward(&out.to_dtype(DType::F32)?)
    }
}

/// Multiplies the two linear layers in front of the SiLU into one, with a bias for each Euler step.
fn fuse(
    action: &Linear,
    joint: &Linear,
    times: &[f32],
    width: usize,
) -> Result<Option<(Tensor, Vec<Tensor>)>> {
    let (
        Linear::Dense { weight: action, bias: Some(action_bias) },
        Linear::Dense { weight: joint, bias: Some(joint_bias) },
    ) = (action, joint)
    else {
        return Ok(None);
    };
    if action.track_op() || joint.track_op() || action_bias.track_op() || joint_bias.track_op() {
        return Ok(None);
    }
    let of_action = joint.narrow(1, 0, width)?.contiguous()?;
    let of_time = joint.narrow(1, width, width)?.contiguous()?;
    let weight = of_action.matmul(action)?;
    let constant =
        (ops::linear(&action_bias.unsqueeze(0)?, &of_action, None)?.squeeze(0)? + joint_bias)?;
    let mut biases = Vec::with_capacity(times.len());
    for row in time_embedding(times, width) {
        let row: Vec<f32> = row.into_iter().map(|value| value as f32).collect();
        let embedded = Tensor::from_vec(row, (1, width), action.device())?;
        biases.push((ops::linear(&embedded, &of_time, None)?.squeeze(0)? + &constant)?);
    }
    Ok(Some((weight, biases)))
}
