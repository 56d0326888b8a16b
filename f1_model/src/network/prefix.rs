//! The prefix that actions are generated from: understanding, then foresight scale by scale.

use candle_core::Tensor;

use super::{F1Network, Foresight};
use crate::config::AttentionMode;
use crate::experts::{Block, KvCache, Role, Stream, Wanted};
use crate::padding::Padding;
use crate::recorder::Recorder;
use crate::sampling::TokenSource;
use crate::{Error, Result};
use f1_kernels::softmax;

/// Understanding, history condition and foresight tokens of a batch, which the action expert
/// attends to.
#[derive(Clone)]
pub struct PrefixState {
    /// Keys and values of all prefix tokens.
    pub cache: KvCache,
    /// Validity of the understanding tokens.
    pub padding: Padding,
    /// Tokens behind the understanding tokens.
    pub following: usize,
    /// Accumulated map of the generated scales.
    pub f_hat: Option<Tensor>,
    /// The same with its gradient, where the last scale is the expected one
    /// (`f1.expected_image`).
    pub expected: Option<Tensor>,
    /// Ids of each generated scale, `[batch, side^2]` in u32.
    pub tokens: Vec<Tensor>,
    /// Logits of each generated scale, `[batch, side^2, vocabulary]`.
    pub logits: Vec<Tensor>,
}

/// Next-scale prediction between two scales.
struct Generation<'a> {
    foresight: &'a Foresight,
    padding: &'a Padding,
    /// Positions of all prefix tokens, for each sample.
    positions: Vec<Vec<i64>>,
    /// Attention of each scale from the second on.
    blocks: Vec<Block>,
    /// Position and scale embeddings of the generated tokens.
    table: Tensor,
    cache: KvCache,
    /// Prefix tokens passed through the experts so far.
    keys: usize,
    /// Tokens drawn so far.
    drawn: usize,
    f_hat: Tensor,
    expected: Option<Tensor>,
    tokens: Vec<Tensor>,
    logits: Vec<Tensor>,
}

impl Generation<'_> {
    /// Positions of the next `count` tokens.
    fn next_positions(&self, count: usize) -> Vec<Vec<i64>> {
        positions_of(&self.positions, self.keys, count)
    }
}

/// Positions of `count` tokens from the token `first` on, for each sample.
fn positions_of(all: &[Vec<i64>], first: usize, count: usize) -> Vec<Vec<i64>> {
    all.iter().map(|row| row[first..first + count].to_vec()).collect()
}

impl F1Network {
    /// The attention blocks of `understanding` tokens, the condition, and the scales from the
    /// second to `scales`.
    pub fn prefix_blocks(&self, understanding: usize, scales: usize) -> Vec<Block> {
        let Some(foresight) = &self.foresight else {
            return vec![Block { rows: understanding, keys: understanding }];
        };
        let condition = foresight.heads.condition_tokens();
        let shared = understanding + condition - 1;
        let mut blocks = match self.config.run.attention {
            AttentionMode::Released => vec![Block { rows: shared, keys: shared }],
            AttentionMode::Uga => vec![
                Block { rows: understanding, keys: understanding },
                Block { rows: condition - 1, keys: shared },
            ],
        };
        let mut keys = shared + 1;
        blocks.push(Block { rows: 1, keys });
        for side in foresight.heads.scales().iter().take(scales).skip(1) {
            keys += side * side;
            blocks.push(Block { rows: side * side, keys });
        }
        blocks
    }

    /// An empty cache with space for `tokens` tokens.
    fn cache(&self, batch: usize, tokens: usize) -> Result<KvCache> {
        self.experts.cache(batch, tokens, self.stream, &self.device)
    }

    /// Understanding and foresight: fills the cache and generates `num_resolutions` scales.
    ///
    /// `understanding` `[batch, tokens, width]`, `history` `[batch, frames, L - 1, codes]` (absent
    /// in the pi0 layout). Differentiable; token ids carry no gradient.
    ///
    /// # Errors
    /// The history is absent where it is needed, or sizes do not fit.
    pub fn perceive(
        &self,
        understanding: &Tensor,
        padding: &Padding,
        history: Option<&Tensor>,
        source: &mut TokenSource,
        recorder: &mut Recorder,
    ) -> Result<PrefixState> {
        let Some(foresight) = &self.foresight else {
            return self.understand(understanding, padding, recorder);
        };
        let history = history.ok_or_else(|| Error::input("this model needs history frames"))?;
        let (mut generation, out) =
            self.condition_pass(foresight, understanding, padding, history, recorder)?;
        self.draw_scale(&mut generation, 0, &out, source, recorder)?;
        for scale in 1..foresight.config.num_resolutions {
            let out = self.scale_pass(&mut generation, scale, recorder)?;
            self.draw_scale(&mut generation, scale, &out, source, recorder)?;
        }
        Ok(PrefixState {
            following: generation.keys - understanding.dim(1)?,
            cache: generation.cache,
            padding: padding.clone(),
            f_hat: Some(generation.f_hat),
            expected: generation.expected,
            tokens: generation.tokens,
            logits: generation.logits,
        })
    }

    /// The understanding tokens of a pass. Their output is used by a recorder only.
    fn understanding_stream(&self, tokens: &Tensor, recorder: &Recorder) -> Result<Stream> {
        Ok(Stream {
            role: Role::Understanding,
            hidden: tokens.to_dtype(self.stream)?,
            wanted: if recorder.is_on() { Wanted::All } else { Wanted::Nothing },
        })
    }

    /// The prefix of the pi0 layout: understanding alone.
    fn understand(
        &self,
        understanding: &Tensor,
        padding: &Padding,
        recorder: &mut Recorder,
    ) -> Result<PrefixState> {
        let tokens = understanding.dim(1)?;
        recorder.set_prefix("pass0.");
        let (_, cache) = self.experts.forward(
            vec![self.understanding_stream(understanding, recorder)?],
            &self.cache(padding.batch(), tokens)?,
            &self.rope(&padding.positions(0))?,
            &[Block { rows: tokens, keys: tokens }],
            padding.bias(tokens, &self.device)?.as_ref(),
            recorder,
        )?;
        Ok(PrefixState {
            cache,
            padding: padding.clone(),
            following: 0,
            f_hat: None,
            expected: None,
            tokens: Vec::new(),
            logits: Vec::new(),
        })
    }

    /// Understanding alone of a model that foresees, at the positions that it has before foresight:
    /// for a model that was trained to act without, see [`crate::config::RunConfig`].
    ///
    /// # Errors
    /// Understanding that attends to the condition cannot be had without it; sizes do not fit.
    pub fn perceive_without_foresight(
        &self,
        understanding: &Tensor,
        padding: &Padding,
        recorder: &mut Recorder,
    ) -> Result<PrefixState> {
        let following = match &self.foresight {
            Some(foresight) if self.config.run.attention == AttentionMode::Uga => {
                foresight.heads.condition_tokens() + foresight.config.generated_tokens() - 1
            }
            Some(_) => {
                return Err(Error::input(
                    "attention \"released\" lets understanding see the condition: foresight \
                     cannot be left out or kept",
                ));
            }
            None => 0,
        };
        Ok(PrefixState { following, ..self.understand(understanding, padding, recorder)? })
    }

    /// The prefix of a new observation with the foresight of an earlier one: understanding is
    /// computed anew, the keys and values of condition and scales are `before`'s.
    ///
    /// # Errors
    /// As [`F1Network::perceive_without_foresight`]; another number of understanding tokens than
    /// before, or padding.
    pub fn renew_understanding(
        &self,
        understanding: &Tensor,
        before: &PrefixState,
        recorder: &mut Recorder,
    ) -> Result<PrefixState> {
        let tokens = understanding.dim(1)?;
        if before.padding.counts() != [tokens] || before.cache.len() != tokens + before.following {
            return Err(Error::input(format!(
                "{tokens} understanding tokens do not fit a prefix of {} with {} behind them",
                before.cache.len(),
                before.following
            )));
        }
        let padding = Padding::none(1, tokens);
        let new = self.perceive_without_foresight(understanding, &padding, recorder)?;
        let cache = new.cache.followed_by_tail(&before.cache, tokens)?;
        Ok(PrefixState { cache, ..before.clone() })
    }

    /// The first pass: understanding and condition tokens. Also returns the output of the last
    /// condition token `[batch, 1, width]`, which predicts the first scale.
    fn condition_pass<'a>(
        &self,
        foresight: &'a Foresight,
        understanding: &Tensor,
        padding: &'a Padding,
        history: &Tensor,
        recorder: &mut Recorder,
    ) -> Result<(Generation<'a>, Tensor)> {
        let heads = &foresight.heads;
        let table = heads.output_table()?;
        recorder.set_prefix("");
        let condition = heads.condition(history, recorder)?;
        recorder.keep("wm.embs", &condition);
        let condition = heads.open_first_scale(&condition, &table)?;
        recorder.keep("wm.embs_with_pos", &condition);

        let (tokens, count) = (understanding.dim(1)?, heads.condition_tokens());
        let generated = foresight.config.num_resolutions;
        // The tokens of the last scale are never passed through the experts.
        let following = count + foresight.config.generated_tokens() - 1;
        let positions = padding.positions(following);
        let mut blocks = self.prefix_blocks(tokens, generated);
        let of_scales = blocks.split_off(blocks.len() - (generated - 1));
        let keys = tokens + count;

        recorder.set_prefix("pass0.");
        let condition = Stream {
            role: Role::Generation,
            hidden: condition.to_dtype(self.stream)?,
            wanted: if recorder.is_on() { Wanted::All } else { Wanted::Last },
        };
        let (mut outputs, cache) = self.experts.forward(
            vec![self.understanding_stream(understanding, recorder)?, condition],
            &self.cache(padding.batch(), tokens + following)?,
            &self.rope(&positions_of(&positions, 0, keys))?,
            &blocks,
            padding.bias(keys, &self.device)?.as_ref(),
            recorder,
        )?;
        let out = generation_output(&mut outputs)?;
        let out = out.narrow(1, out.dim(1)? - 1, 1)?;
        let generation = Generation {
            foresight,
            padding,
            positions,
            blocks: of_scales,
            table,
            cache,
            keys,
            drawn: 0,
            f_hat: foresight.tokenizer.quantizer().empty_map(padding.batch())?,
            expected: None,
            tokens: Vec::new(),
            logits: Vec::new(),
        };
        Ok((generation, out))
    }

    /// Passes the input tokens of a scale from the second on through the generation expert, whose
    /// output `[batch, side^2, width]` predicts the scale.
    fn scale_pass(
        &self,
        generation: &mut Generation,
        scale: usize,
        recorder: &mut Recorder,
    ) -> Result<Tensor> {
        let heads = &generation.foresight.heads;
        let quantizer = generation.foresight.tokenizer.quantizer();
        let map = quantizer.reduce(&generation.f_hat, scale)?;
        let input = heads.scale_input(&map, &generation.table, generation.drawn)?;
        let count = input.dim(1)?;
        recorder.set_prefix(format!("pass{scale}."));
        let rope = self.rope(&generation.next_positions(count))?;
        generation.keys += count;
        let stream = Stream {
            role: Role::Generation,
            hidden: input.to_dtype(self.stream)?,
            wanted: Wanted::All,
        };
        let (mut outputs, cache) = self.experts.forward(
            vec![stream],
            &generation.cache,
            &rope,
            &generation.blocks[scale - 1..scale],
            generation.padding.bias(generation.keys, &self.device)?.as_ref(),
            recorder,
        )?;
        generation.cache = cache;
        generation_output(&mut outputs)
    }

    /// Draws the tokens of a scale from the generation expert's output and adds them to the
    /// accumulated map.
    fn draw_scale(
        &self,
        generation: &mut Generation,
        scale: usize,
        out: &Tensor,
        source: &mut TokenSource,
        recorder: &mut Recorder,
    ) -> Result<()> {
        let heads = &generation.foresight.heads;
        let quantizer = generation.foresight.tokenizer.quantizer();
        let normed = heads.normed(out)?;
        let logits = heads.logits(&normed)?;
        let ids = source.take(&logits, generation.drawn)?;
        generation.drawn += ids.dim(1)?;
        let map = quantizer.lookup(&ids, scale)?.detach();
        let expected = self.config.run.expected_image
            && scale + 1 == generation.foresight.config.num_resolutions;
        let added = match expected {
            true => {
                let codes = quantizer.expected_contribution(&softmax(&logits)?, scale)?;
                // The head knows the last scale alone.
                let is_last = scale + 1 == heads.scales().len();
                match if is_last { heads.map_beyond_codes(&normed)? } else { None } {
                    Some(beyond) => (codes + beyond)?,
                    None => codes,
                }
            }
            false => quantizer.contribution(&map, scale)?,
        };
        let f_hat = (&generation.f_hat + added)?;
        generation.expected = expected.then(|| f_hat.clone());
        let f_hat = f_hat.detach();
        recorder.set_prefix(format!("gen.scale{scale}."));
        recorder.keep("logits", &logits);
        recorder.keep("indices", &ids);
        recorder.keep("h", &map);
        recorder.keep("f_hat", &f_hat);
        if recorder.is_on() && scale + 1 < heads.scales().len() {
            recorder.keep("next_map", &quantizer.reduce_map(&f_hat, scale + 1)?);
        }
        generation.f_hat = f_hat;
        generation.tokens.push(ids);
        generation.logits.push(logits);
        Ok(())
    }
}

/// The generation expert's output, the last stream of a pass.
fn generation_output(outputs: &mut Vec<Option<Tensor>>) -> Result<Tensor> {
    outputs.pop().flatten().ok_or_else(|| Error::input("the generation expert gave no output"))
}
