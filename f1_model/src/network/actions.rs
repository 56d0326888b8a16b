//! The action expert after a prefix: the velocity of the flow, and its integration to actions.

use candle_core::{DType, Tensor};

use super::{F1Network, PrefixState};
use crate::experts::{Block, KvCache, Role, RopeTable, Stream, Wanted};
use crate::recorder::Recorder;
use crate::{Error, Result};

impl F1Network {
    /// The attention blocks of the action expert's tokens after a prefix: the state, then the
    /// chunk.
    pub fn action_blocks(&self, prefix: &PrefixState) -> [Block; 2] {
        let keys = prefix.cache.len();
        let chunk = self.config.chunk_size;
        [Block { rows: 1, keys: keys + 1 }, Block { rows: chunk, keys: keys + 1 + chunk }]
    }

    fn action_rope(&self, prefix: &PrefixState, first: usize, rows: usize) -> Result<RopeTable> {
        let positions: Vec<Vec<i64>> = prefix
            .padding
            .counts()
            .into_iter()
            .map(|count| {
                let start = count + prefix.following + first;
                (start..start + rows).map(|position| position as i64).collect()
            })
            .collect();
        self.rope(&positions)
    }

    /// Velocity `[batch, chunk, max_action_dim]` of noisy actions at one time for each sample, in
    /// one pass: for training.
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn velocity(
        &self,
        prefix: &PrefixState,
        state: &Tensor,
        actions: &Tensor,
        times: &[f32],
        recorder: &mut Recorder,
    ) -> Result<Tensor> {
        let state = self.actions.embed_state(state)?;
        let tokens = self.actions.embed_actions(actions, times)?;
        let embedded = Tensor::cat(&[&state, &tokens], 1)?;
        let chunk = self.config.chunk_size;
        let rope = self.action_rope(prefix, 0, 1 + chunk)?;
        let blocks = self.action_blocks(prefix);
        let bias = prefix.padding.bias(prefix.cache.len() + 1 + chunk, &self.device)?;
        recorder.keep("embs", &embedded);
        let stream = Stream {
            role: Role::Action,
            hidden: embedded.to_dtype(self.stream)?,
            wanted: Wanted::All,
        };
        let (mut outputs, _) = self.experts.forward(
            vec![stream],
            &prefix.cache,
            &rope,
            &blocks,
            bias.as_ref(),
            recorder,
        )?;
        let out = outputs
            .pop()
            .flatten()
            .ok_or_else(|| Error::input("the action expert gave no output"))?;
        self.actions.velocity(&out.narrow(1, 1, chunk)?)
    }

    /// Actions `[batch, chunk, max_action_dim]` from noise by Euler steps of the flow.
    ///
    /// `guidance` is the previous chunk and its weights, `[batch or 1, chunk, max_action_dim]` and
    /// `[batch or 1, chunk, 1]`. The state's keys and values are computed once, the prefix's are
    /// reused.
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn act(
        &self,
        prefix: &PrefixState,
        state: &Tensor,
        noise: &Tensor,
        guidance: Option<&(Tensor, Tensor)>,
        recorder: &mut Recorder,
    ) -> Result<Tensor> {
        // A recorder keeps every step's keys and values: they must not be overwritten.
        let cache = if recorder.is_on() {
            prefix.cache.clone()
        } else {
            prefix.cache.with_capacity_for(1 + self.config.chunk_size)?
        };
        self.act_after(prefix, &cache, state, noise, guidance, recorder)
    }

    /// As [`F1Network::act`] with the prefix's keys and values in `cache`, whose free capacity is
    /// written to.
    pub(crate) fn act_after(
        &self,
        prefix: &PrefixState,
        cache: &KvCache,
        state: &Tensor,
        noise: &Tensor,
        guidance: Option<&(Tensor, Tensor)>,
        recorder: &mut Recorder,
    ) -> Result<Tensor> {
        let chunk = self.config.chunk_size;
        let blocks = self.action_blocks(prefix);
        let base = prefix.tokens.len().max(1);
        let state = self.actions.embed_state(state)?;
        recorder.set_prefix("act.");
        recorder.keep("state", &state);
        let rope = self.action_rope(prefix, 0, 1 + chunk)?;
        let bias = prefix.padding.bias(prefix.cache.len() + 1 + chunk, &self.device)?;
        // The first step also computes the state's keys and values, which the others reuse.
        let mut cache = cache.clone();
        let step_size = -1.0f32 / self.config.num_steps as f32;
        let mut x = noise.to_dtype(DType::F32)?;
        for (step, &time) in self.actions.times().iter().enumerate() {
            let embedded = self.actions.embed_actions_at(&x, step)?;
            recorder.set_prefix("");
            recorder.keep(format_args!("act.step{step}.x_t"), &x);
            recorder.keep(format_args!("act.step{step}.embs"), &embedded);
            recorder.set_prefix(format!("pass{}.", base + step));
            let (hidden, before) = match step {
                0 => (Tensor::cat(&[&state, &embedded], 1)?, 1),
                _ => (embedded, 0),
            };
            let rope = rope.rows(1 - before, before + chunk)?;
            let hidden = hidden.to_dtype(self.stream)?;
            let stream = Stream { role: Role::Action, hidden, wanted: Wanted::All };
            let (mut outputs, longer) = self.experts.forward(
                vec![stream],
                &cache,
                &rope,
                &blocks[1 - before..],
                bias.as_ref(),
                recorder,
            )?;
            if step == 0 {
                cache = longer.first(cache.len() + 1)?;
            }
            let out = outputs
                .pop()
                .flatten()
                .ok_or_else(|| Error::input("the action expert gave no output"))?;
            let mut velocity = self.actions.velocity(&out.narrow(1, before, chunk)?)?;
            recorder.set_prefix("");
            recorder.keep(format_args!("act.step{step}.v_t"), &velocity);
            if let Some((previous, weights)) = guidance {
                // The clean chunk of this velocity is x - t v. Pull it toward the previous chunk
                // and convert the result to a velocity.
                let clean = (&x - (&velocity * f64::from(time))?)?;
                let pull = previous.broadcast_sub(&clean)?.broadcast_mul(weights)?;
                velocity = ((&x - (clean + pull)?)? / f64::from(time))?;
            }
            x = (x + (velocity * f64::from(step_size))?)?;
        }
        Ok(x)
    }
}
