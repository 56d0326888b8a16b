//! The network: images, prompt, history and state in; foresight tokens and actions out.
//!
//! Everything here works on batches and is differentiable; [`crate::F1Policy`] is the user's side
//! of it and [`crate::training`] holds the losses.

use candle_core::{DType, Device, Tensor};

use crate::config::{AttentionMode, Config, GenerationConfig};
use crate::experts::{
    Block, Expert, Experts, KvCache, Role, RopeTable, RopeTables, Stream, Wanted,
};
use crate::flow::ActionHeads;
use crate::foresight::ForesightHeads;
use crate::linear::Quant;
use crate::padding::Padding;
use crate::parameters::{
    ACTION, GENERATION, PALIGEMMA, TEXT_EMBEDDING, TOKENIZER, UNDERSTANDING, used_parameters,
};
use crate::recorder::Recorder;
use crate::sampling::TokenSource;
use crate::siglip::Siglip;
use crate::tokenizer::VqVae;
use crate::weights::Weights;
use crate::{Error, Result, ops};

/// Generation heads and tokenizer, absent in the pi0 layout.
#[derive(Clone)]
pub struct Foresight {
    /// Settings.
    pub config: GenerationConfig,
    /// Embeddings and head.
    pub heads: ForesightHeads,
    /// Image tokenizer.
    pub tokenizer: VqVae,
}

/// The whole network.
#[derive(Clone)]
pub struct F1Network {
    config: Config,
    siglip: Siglip,
    text_embedding: Tensor,
    experts: Experts,
    foresight: Option<Foresight>,
    actions: ActionHeads,
    ropes: RopeTables,
    device: Device,
    stream: DType,
    unquantised: Vec<String>,
}

/// Understanding, history condition and foresight tokens of a batch: what the action expert attends
/// to.
#[derive(Clone)]
pub struct PrefixState {
    /// Keys and values of all prefix tokens.
    pub cache: KvCache,
    /// Validity of the understanding tokens.
    pub padding: Padding,
    /// Tokens behind the understanding tokens.
    pub following: usize,
    /// Accumulated map of the generated scales: what the foresight image is made of.
    pub f_hat: Option<Tensor>,
    /// Ids of each generated scale, `[batch, side^2]` in u32.
    pub tokens: Vec<Tensor>,
    /// Logits of each generated scale, `[batch, side^2, vocabulary]`.
    pub logits: Vec<Tensor>,
}

impl F1Network {
    /// Builds the network from official names.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped, or the configuration is faulty.
    pub fn new(config: &Config, weights: &Weights, quant: Option<Quant>) -> Result<Self> {
        config.validate("network")?;
        let und = &config.understanding;
        let text_embedding = weights.get((und.vocab_size, und.hidden_size), TEXT_EMBEDDING)?;
        let understanding = Expert::new(und, quant, &weights.pp(UNDERSTANDING))?;
        let small = quant.and_then(Quant::of_small_experts);
        let action = Expert::new(&config.action, small, &weights.pp(ACTION))?;
        let model = weights.pp("model");
        let (generation, foresight) = match &config.generation {
            Some(generation) => (
                Some(Expert::new(&generation.expert, small, &weights.pp(GENERATION))?),
                Some(Foresight {
                    config: generation.clone(),
                    heads: ForesightHeads::new(generation, &model)?,
                    tokenizer: VqVae::new(generation, &weights.pp(TOKENIZER))?,
                }),
            ),
            None => (None, None),
        };
        let device = text_embedding.device().clone();
        // On a CPU activations stay f32 under bf16 weights: widening a weight is cheaper than bf16
        // arithmetic.
        let stream = if device.is_cpu() { DType::F32 } else { text_embedding.dtype() };
        Ok(Self {
            config: config.clone(),
            siglip: Siglip::new(config, &weights.pp(PALIGEMMA))?,
            text_embedding,
            experts: Experts::new(understanding, generation, action, und),
            foresight,
            actions: ActionHeads::new(config, &model)?,
            ropes: RopeTables::new(und.head_dim, und.rope_theta, &device),
            device,
            stream,
            unquantised: quant.map_or_else(Vec::new, |quant| unquantised(config, quant)),
        })
    }

    /// Puts weights that multiply the same numbers below one another: fewer and larger products,
    /// the same numbers. For a network that is not trained.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn join(&mut self) -> Result<()> {
        self.siglip.join()?;
        self.experts.join()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Generation heads and tokenizer.
    ///
    /// # Errors
    /// This model has no generation expert.
    pub fn foresight(&self) -> Result<&Foresight> {
        self.foresight.as_ref().ok_or_else(|| Error::input("this model has no generation expert"))
    }

    /// Whether the model foresees.
    pub fn has_foresight(&self) -> bool {
        self.foresight.is_some()
    }

    /// Linear layers that stayed dense although quantisation was asked for, by official name.
    pub fn unquantised(&self) -> &[String] {
        &self.unquantised
    }

    /// The decoder stacks.
    pub fn experts(&self) -> &Experts {
        &self.experts
    }

    /// The action projections.
    pub fn actions(&self) -> &ActionHeads {
        &self.actions
    }

    /// Tokens of one camera's images `[batch, 3, side, side]`: `[batch, tokens, width]`.
    ///
    /// # Errors
    /// The images have another size.
    pub fn embed_images(&self, images: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        self.siglip.forward(&images.to_dtype(self.stream)?, recorder)
    }

    /// Embeds prompt ids `[batch, tokens]` in u32.
    ///
    /// # Errors
    /// An id is outside the vocabulary.
    pub fn embed_prompt(&self, ids: &Tensor) -> Result<Tensor> {
        let (batch, tokens) = ids.dims2()?;
        let width = self.config.understanding.hidden_size;
        let rows =
            self.text_embedding.index_select(&ids.flatten_all()?, 0)?.to_dtype(self.stream)?;
        Ok((rows.reshape((batch, tokens, width))? * (width as f64).sqrt())?)
    }

    /// Token ids `[n, L]` of history frames `[n, 3, s, s]`, and their vectors for the temporal
    /// convolution, see [`crate::tokenizer::Quantizer::history_vectors`].
    ///
    /// # Errors
    /// The frames have another size.
    pub fn encode_frames(&self, frames: &Tensor) -> Result<(Tensor, Tensor)> {
        self.foresight()?.tokenizer.encode_with_vectors(frames)
    }

    fn rope(&self, positions: &[Vec<i64>]) -> Result<RopeTable> {
        self.ropes.of(positions)
    }

    /// Who sees whom among `understanding` tokens, the condition, and the scales from the second to
    /// `scales`.
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

    /// An empty cache with room for `tokens` tokens.
    fn cache(&self, batch: usize, tokens: usize) -> Result<KvCache> {
        self.experts.cache(batch, tokens, self.stream, &self.device)
    }

    /// Understanding and foresight: fills the cache and generates `num_resolutions` scales.
    ///
    /// `understanding` `[batch, tokens, width]`, `history` `[batch, frames, vectors, codes]` as
    /// [`F1Network::encode_frames`] gives them (absent in the pi0 layout). Differentiable; token ids carry no gradient.
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
        let tokens = understanding.dim(1)?;
        let understanding = Stream {
            role: Role::Understanding,
            hidden: understanding.to_dtype(self.stream)?,
            wanted: if recorder.is_on() { Wanted::All } else { Wanted::Nothing },
        };
        let Some(foresight) = &self.foresight else {
            let rope = self.rope(&padding.positions(0))?;
            let bias = padding.bias(tokens, &self.device)?;
            let blocks = self.prefix_blocks(tokens, 0);
            recorder.set_prefix("pass0.");
            let (_, cache) = self.experts.forward(
                vec![understanding],
                &self.cache(padding.batch(), tokens)?,
                &rope,
                &blocks,
                bias.as_ref(),
                recorder,
            )?;
            return Ok(PrefixState {
                cache,
                padding: padding.clone(),
                following: 0,
                f_hat: None,
                tokens: Vec::new(),
                logits: Vec::new(),
            });
        };
        let history = history.ok_or_else(|| Error::input("this model needs history frames"))?;
        let heads = &foresight.heads;
        let quantizer = foresight.tokenizer.quantizer();
        let table = heads.output_table()?;
        recorder.set_prefix("");
        let condition = heads.condition(history, recorder)?;
        recorder.keep("wm.embs", &condition);
        let condition = heads.open_first_scale(&condition, &table)?;
        recorder.keep("wm.embs_with_pos", &condition);

        let generated = foresight.config.num_resolutions;
        let count = heads.condition_tokens();
        let positions = padding.positions(count + foresight.config.generated_tokens() - 1);
        let slice = |from: usize, len: usize| -> Vec<Vec<i64>> {
            positions.iter().map(|row| row[from..from + len].to_vec()).collect()
        };
        let mut blocks = self.prefix_blocks(tokens, generated);
        let of_scales = blocks.split_off(blocks.len() - (generated - 1));

        recorder.set_prefix("pass0.");
        let mut keys = tokens + count;
        let generation = Stream {
            role: Role::Generation,
            hidden: condition.to_dtype(self.stream)?,
            wanted: if recorder.is_on() { Wanted::All } else { Wanted::Last },
        };
        let (mut outputs, mut cache) = self.experts.forward(
            vec![understanding, generation],
            &self
                .cache(padding.batch(), tokens + count + foresight.config.generated_tokens() - 1)?,
            &self.rope(&slice(0, keys))?,
            &blocks,
            padding.bias(keys, &self.device)?.as_ref(),
            recorder,
        )?;
        let mut out = outputs.pop().flatten();

        let mut f_hat = quantizer.empty_map(padding.batch())?;
        let (mut tokens_of, mut logits_of) = (Vec::new(), Vec::new());
        let mut offset = 0;
        for scale in 0..generated {
            if scale > 0 {
                let side = heads.scales()[scale];
                let input = heads.scale_input(&quantizer.reduce(&f_hat, scale)?, &table, offset)?;
                recorder.set_prefix(format!("pass{scale}."));
                let rope = self.rope(&slice(keys, side * side))?;
                keys += side * side;
                let stream = Stream {
                    role: Role::Generation,
                    hidden: input.to_dtype(self.stream)?,
                    wanted: Wanted::All,
                };
                let bias = padding.bias(keys, &self.device)?;
                let (mut outputs, longer) = self.experts.forward(
                    vec![stream],
                    &cache,
                    &rope,
                    &of_scales[scale - 1..scale],
                    bias.as_ref(),
                    recorder,
                )?;
                cache = longer;
                out = outputs.pop().flatten();
            }
            let last =
                out.take().ok_or_else(|| Error::input("the generation expert gave no output"))?;
            let last = if scale == 0 { last.narrow(1, last.dim(1)? - 1, 1)? } else { last };
            let logits = heads.logits(&last)?;
            let ids = source.take(&logits, offset)?;
            offset += ids.dim(1)?;
            let map = quantizer.lookup(&ids, scale)?.detach();
            let added = match self.config.run.expected_image && scale + 1 == generated {
                true => quantizer.expected_contribution(&ops::softmax(&logits)?, scale)?,
                false => quantizer.contribution(&map, scale)?,
            };
            f_hat = (f_hat + added.detach())?;
            recorder.set_prefix(format!("gen.scale{scale}."));
            recorder.keep("logits", &logits);
            recorder.keep("indices", &ids);
            recorder.keep("h", &map);
            recorder.keep("f_hat", &f_hat);
            if recorder.is_on() && scale + 1 < heads.scales().len() {
                recorder.keep("next_map", &quantizer.reduce_map(&f_hat, scale + 1)?);
            }
            tokens_of.push(ids);
            logits_of.push(logits);
        }
        Ok(PrefixState {
            following: keys - tokens,
            cache,
            padding: padding.clone(),
            f_hat: Some(f_hat),
            tokens: tokens_of,
            logits: logits_of,
        })
    }

    /// The action expert's tokens after a prefix, cut in blocks: the state, then the chunk.
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

    /// Velocity `[batch, chunk, max_action_dim]` of noisy actions at one time a sample, in one
    /// pass: for training.
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
        // A recorder keeps every step's keys and values: they must not be written over.
        let cache = if recorder.is_on() {
            prefix.cache.clone()
        } else {
            prefix.cache.with_room(1 + self.config.chunk_size)?
        };
        self.act_after(prefix, &cache, state, noise, guidance, recorder)
    }

    /// As [`F1Network::act`] with the prefix's keys and values in `cache`, whose room is written
    /// to.
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
        // The state goes with the first step, which leaves its keys and values to the others.
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
                // The clean chunk being headed for is x - t v; pull it, then turn it back into a
                // velocity.
                let clean = (&x - (&velocity * f64::from(time))?)?;
                let pull = previous.broadcast_sub(&clean)?.broadcast_mul(weights)?;
                velocity = ((&x - (clean + pull)?)? / f64::from(time))?;
            }
            x = (x + (velocity * f64::from(step_size))?)?;
        }
        Ok(x)
    }
}

/// The experts' linear layers whose width is not a multiple of the block.
fn unquantised(config: &Config, quant: Quant) -> Vec<String> {
    let experts = match quant.of_small_experts() {
        Some(_) => vec![UNDERSTANDING, GENERATION, ACTION],
        None => vec![UNDERSTANDING],
    };
    used_parameters(config)
        .into_iter()
        .filter(|spec| {
            let of_layer = experts.iter().any(|prefix| {
                spec.name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(".layers."))
            });
            of_layer && spec.shape.len() == 2 && spec.shape[1] % quant.block() != 0
        })
        .map(|spec| spec.name)
        .collect()
}
