//! Every tensor of a model by its official name: shape, group, weight decay, stored type, initial
//! value.
//!
//! This one table is used for loading, checking, writing, random initialisation, the optimiser's
//! groups and `f1 inspect`. Names, shapes and stored types are those of the published checkpoint.

use candle_core::DType;

use crate::config::{Config, ExpertConfig, GenerationConfig};

/// Prefix of the three experts.
pub const EXPERTS: &str = "model.paligemma_with_expert";
/// Prefix of PaliGemma.
pub const PALIGEMMA: &str = "model.paligemma_with_expert.paligemma";
/// Prefix of the understanding expert's decoder stack.
pub const UNDERSTANDING: &str = "model.paligemma_with_expert.paligemma.language_model.model";
/// Prefix of the generation expert's decoder stack.
pub const GENERATION: &str = "model.paligemma_with_expert.gemma_wm_expert.model";
/// Prefix of the action expert's decoder stack.
pub const ACTION: &str = "model.paligemma_with_expert.gemma_expert.model";
/// The text embedding, tied to the language head and saved under the head's name.
pub const TEXT_EMBEDDING: &str =
    "model.paligemma_with_expert.paligemma.language_model.lm_head.weight";
/// Prefix of the image tokenizer.
pub const TOKENIZER: &str = "model.vae";

/// Which part of the model a tensor belongs to; the optimiser's learning rates follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// SigLIP and the projector.
    Vision,
    /// PaliGemma's language model.
    Understanding,
    /// Generation expert, its embeddings, head and temporal convolution.
    Generation,
    /// Action expert and the action projections.
    Action,
    /// Image tokenizer, frozen in the three stages.
    Tokenizer,
}

impl Group {
    /// All groups in order.
    pub const ALL: [Group; 5] =
        [Group::Vision, Group::Understanding, Group::Generation, Group::Action, Group::Tokenizer];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Group::Vision => "vision",
            Group::Understanding => "understanding",
            Group::Generation => "generation",
            Group::Action => "action",
            Group::Tokenizer => "tokenizer",
        }
    }
}

/// The role of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Trained.
    Parameter,
    /// A buffer, never trained.
    Buffer,
    /// Present in published files but unused: never loaded, never written.
    Unused,
}

/// Initial values when a model starts from scratch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All equal.
    Constant(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// Uniform within plus and minus this bound.
    Uniform(f64),
    /// The scale of each token, 0 for the first.
    ScaleOfToken,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// Official name.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Type in the published checkpoint.
    pub stored: DType,
    /// Part of the model.
    pub group: Group,
    /// Role.
    pub kind: Kind,
    /// Whether weight decay applies.
    pub decay: bool,
    /// Initial value.
    pub init: Init,
}

impl ParameterSpec {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

struct Table {
    specs: Vec<ParameterSpec>,
    group: Group,
    stored: DType,
}

impl Table {
    fn push(&mut self, name: String, shape: &[usize], kind: Kind, decay: bool, init: Init) {
        self.specs.push(ParameterSpec {
            name,
            shape: shape.to_vec(),
            stored: self.stored,
            group: self.group,
            kind,
            decay,
            init,
        });
    }

    fn weight(&mut self, name: String, shape: &[usize]) {
        let fan_in: usize = shape.iter().skip(1).product();
        self.push(
            name,
            shape,
            Kind::Parameter,
            true,
            Init::Normal((1.0 / fan_in.max(1) as f64).sqrt()),
        );
    }

    fn bias(&mut self, name: String, width: usize) {
        self.push(name, &[width], Kind::Parameter, false, Init::Constant(0.0));
    }

    fn linear(&mut self, name: &str, output: usize, input: usize) {
        self.weight(format!("{name}.weight"), &[output, input]);
        self.bias(format!("{name}.bias"), output);
    }

    fn conv(&mut self, name: &str, output: usize, input: usize, kernel: usize) {
        let bound = (1.0 / (input * kernel * kernel).max(1) as f64).sqrt();
        let weight = [output, input, kernel, kernel];
        self.push(format!("{name}.weight"), &weight, Kind::Parameter, true, Init::Uniform(bound));
        self.bias(format!("{name}.bias"), output);
    }

    /// LayerNorm or GroupNorm: weight one, bias zero, no decay.
    fn norm(&mut self, name: &str, width: usize) {
        self.push(format!("{name}.weight"), &[width], Kind::Parameter, false, Init::Constant(1.0));
        self.bias(format!("{name}.bias"), width);
    }

    fn stack(&mut self, prefix: &str, expert: &ExpertConfig) {
        let (hidden, mlp) = (expert.hidden_size, expert.intermediate_size);
        let (query, key) = (expert.heads * expert.head_dim, expert.kv_heads * expert.head_dim);
        for layer in 0..expert.layers {
            let at = format!("{prefix}.layers.{layer}");
            // RMSNorm multiplies by one plus its weight.
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                let name = format!("{at}.{norm}.weight");
                self.push(name, &[hidden], Kind::Parameter, false, Init::Constant(0.0));
            }
            self.weight(format!("{at}.self_attn.q_proj.weight"), &[query, hidden]);
            self.weight(format!("{at}.self_attn.k_proj.weight"), &[key, hidden]);
            self.weight(format!("{at}.self_attn.v_proj.weight"), &[key, hidden]);
            self.weight(format!("{at}.self_attn.o_proj.weight"), &[hidden, query]);
            self.weight(format!("{at}.mlp.gate_proj.weight"), &[mlp, hidden]);
            self.weight(format!("{at}.mlp.up_proj.weight"), &[mlp, hidden]);
            self.weight(format!("{at}.mlp.down_proj.weight"), &[hidden, mlp]);
        }
    }

    fn final_norm(&mut self, prefix: &str, hidden: usize) {
        self.push(
            format!("{prefix}.norm.weight"),
            &[hidden],
            Kind::Parameter,
            true,
            Init::Constant(0.0),
        );
    }
}

/// Every tensor of the published layout for `config`, the unused heads included.
pub fn parameters(config: &Config) -> Vec<ParameterSpec> {
    let mut table = Table { specs: Vec::new(), group: Group::Vision, stored: DType::BF16 };
    vision(&mut table, config);

    table.group = Group::Understanding;
    let und = &config.understanding;
    table.push(
        TEXT_EMBEDDING.to_string(),
        &[und.vocab_size, und.hidden_size],
        Kind::Parameter,
        true,
        Init::Normal((1.0 / und.hidden_size as f64).sqrt()),
    );
    table.stack(UNDERSTANDING, und);
    table.final_norm(UNDERSTANDING, und.hidden_size);

    if let Some(generation) = &config.generation {
        table.group = Group::Generation;
        table.stack(GENERATION, &generation.expert);
        table.stored = DType::F32;
        table.final_norm(GENERATION, generation.expert.hidden_size);
        unused_head(&mut table, "gemma_wm_expert", &generation.expert);
        generation_heads(&mut table, generation);
    }

    table.group = Group::Action;
    table.stored = DType::BF16;
    table.stack(ACTION, &config.action);
    table.stored = DType::F32;
    table.final_norm(ACTION, config.action.hidden_size);
    unused_head(&mut table, "gemma_expert", &config.action);
    let width = config.proj_width;
    table.linear("model.state_proj", width, config.max_state_dim);
    table.linear("model.action_in_proj", width, config.max_action_dim);
    table.linear("model.action_out_proj", config.max_action_dim, width);
    table.linear("model.action_time_mlp_in", width, 2 * width);
    table.linear("model.action_time_mlp_out", width, width);

    if let Some(generation) = &config.generation {
        table.group = Group::Tokenizer;
        tokenizer(&mut table, generation);
    }
    table.specs
}

/// The tensors a model of this configuration holds in memory and writes: all but the unused heads.
pub fn used_parameters(config: &Config) -> Vec<ParameterSpec> {
    parameters(config).into_iter().filter(|spec| spec.kind != Kind::Unused).collect()
}

fn unused_head(table: &mut Table, expert: &str, config: &ExpertConfig) {
    let shape = [config.vocab_size, config.hidden_size];
    table.push(
        format!("{EXPERTS}.{expert}.lm_head.weight"),
        &shape,
        Kind::Unused,
        true,
        Init::Constant(0.0),
    );
}

fn vision(table: &mut Table, config: &Config) {
    let vision = &config.vision;
    let hidden = vision.hidden_size;
    let tower = format!("{PALIGEMMA}.vision_tower.vision_model");
    let patch = [hidden, 3, vision.patch_size, vision.patch_size];
    table.weight(format!("{tower}.embeddings.patch_embedding.weight"), &patch);
    table.bias(format!("{tower}.embeddings.patch_embedding.bias"), hidden);
    table.push(
        format!("{tower}.embeddings.position_embedding.weight"),
        &[vision.tokens(), hidden],
        Kind::Parameter,
        true,
        Init::Normal((1.0 / hidden.max(1) as f64).sqrt()),
    );
    for layer in 0..vision.layers {
        let at = format!("{tower}.encoder.layers.{layer}");
        table.norm(&format!("{at}.layer_norm1"), hidden);
        for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            table.linear(&format!("{at}.self_attn.{projection}"), hidden, hidden);
        }
        table.norm(&format!("{at}.layer_norm2"), hidden);
        table.linear(&format!("{at}.mlp.fc1"), vision.intermediate_size, hidden);
        table.linear(&format!("{at}.mlp.fc2"), hidden, vision.intermediate_size);
    }
    table.norm(&format!("{tower}.post_layernorm"), hidden);
    table.linear(
        &format!("{PALIGEMMA}.multi_modal_projector.linear"),
        config.understanding.hidden_size,
        hidden,
    );
}

fn generation_heads(table: &mut Table, generation: &GenerationConfig) {
    let width = generation.expert.hidden_size;
    let codes = generation.tokenizer.z_channels;
    let tokens = generation.total_tokens();
    // Standard deviation of the reference's position tables.
    let small = Init::Normal((1.0 / (3.0 * width.max(1) as f64)).sqrt());
    let kernel = generation.temporal_kernel;
    table.weight("model.temporal_conv.conv.weight".to_string(), &[codes, codes, kernel]);
    table.bias("model.temporal_conv.conv.bias".to_string(), codes);
    table.linear("model.wm_embeddings", width, codes);
    for (name, shape) in [
        ("model.wm_hist_pos_embs", vec![1, tokens - 1, codes]),
        ("model.wm_sos_token_embs", vec![1, 1, width]),
        ("model.wm_cond_pos_embs", vec![1, tokens, width]),
        ("model.wm_output_position_embedding", vec![1, tokens, width]),
        ("model.lvl_embed.weight", vec![generation.scales.len(), width]),
    ] {
        table.push(name.to_string(), &shape, Kind::Parameter, true, small);
    }
    if generation.condition_full_map {
        table.weight("model.full_map_conv.conv.weight".to_string(), &[width, codes, kernel]);
        table.bias("model.full_map_conv.conv.bias".to_string(), width);
        let shape = [1, generation.full_map_tokens(), width];
        table.push("model.wm_full_map_pos_embs".to_string(), &shape, Kind::Parameter, true, small);
    }
    if generation.continuous_map {
        let name = "model.wm_map_proj";
        let zero = Init::Constant(0.0);
        table.push(format!("{name}.weight"), &[codes, width], Kind::Parameter, true, zero);
        table.push(format!("{name}.bias"), &[codes], Kind::Parameter, true, zero);
    }
    table.push("model.mask_embedding".to_string(), &[1, 1, codes], Kind::Buffer, false, small);
    table.norm("model.wm_out_layer_norm", width);
    table.linear("model.wm_out_proj", generation.tokenizer.vocab_size, width);
    table.stored = DType::I64;
    table.push("model.lvl_1L".to_string(), &[1, tokens], Kind::Buffer, false, Init::ScaleOfToken);
    table.stored = DType::F32;
}

fn residual(table: &mut Table, at: &str, input: usize, output: usize) {
    table.norm(&format!("{at}.norm1"), input);
    table.conv(&format!("{at}.conv1"), output, input, 3);
    table.norm(&format!("{at}.norm2"), output);
    table.conv(&format!("{at}.conv2"), output, output, 3);
    if input != output {
        table.conv(&format!("{at}.nin_shortcut"), output, input, 1);
    }
}

fn attention(table: &mut Table, at: &str, width: usize) {
    table.norm(&format!("{at}.norm"), width);
    table.conv(&format!("{at}.qkv"), 3 * width, width, 1);
    table.conv(&format!("{at}.proj_out"), width, width, 1);
}

fn middle(table: &mut Table, at: &str, width: usize) {
    residual(table, &format!("{at}.block_1"), width, width);
    attention(table, &format!("{at}.attn_1"), width);
    residual(table, &format!("{at}.block_2"), width, width);
}

fn tokenizer(table: &mut Table, generation: &GenerationConfig) {
    let config = &generation.tokenizer;
    let levels = config.ch_mult.len();
    let widths: Vec<usize> = config.ch_mult.iter().map(|mult| config.ch * mult).collect();
    let lowest = widths.last().copied().unwrap_or(config.ch);
    let codes = config.z_channels;

    let at = format!("{TOKENIZER}.encoder");
    table.conv(&format!("{at}.conv_in"), config.ch, 3, 3);
    let mut width = config.ch;
    for (level, &output) in widths.iter().enumerate() {
        for block in 0..config.num_res_blocks {
            residual(table, &format!("{at}.down.{level}.block.{block}"), width, output);
            width = output;
            if level + 1 == levels {
                attention(table, &format!("{at}.down.{level}.attn.{block}"), width);
            }
        }
        if level + 1 < levels {
            table.conv(&format!("{at}.down.{level}.downsample.conv"), width, width, 3);
        }
    }
    middle(table, &format!("{at}.mid"), lowest);
    table.norm(&format!("{at}.norm_out"), lowest);
    table.conv(&format!("{at}.conv_out"), codes, lowest, 3);

    let at = format!("{TOKENIZER}.decoder");
    table.conv(&format!("{at}.conv_in"), lowest, codes, 3);
    middle(table, &format!("{at}.mid"), lowest);
    let mut width = lowest;
    for (level, &output) in widths.iter().enumerate().rev() {
        for block in 0..=config.num_res_blocks {
            residual(table, &format!("{at}.up.{level}.block.{block}"), width, output);
            width = output;
            if level + 1 == levels {
                attention(table, &format!("{at}.up.{level}.attn.{block}"), width);
            }
        }
        if level > 0 {
            table.conv(&format!("{at}.up.{level}.upsample.conv"), width, width, 3);
        }
    }
    table.norm(&format!("{at}.norm_out"), width);
    table.conv(&format!("{at}.conv_out"), 3, width, 3);

    table.conv(&format!("{TOKENIZER}.quant_conv"), codes, codes, 3);
    table.conv(&format!("{TOKENIZER}.post_quant_conv"), codes, codes, 3);
    let at = format!("{TOKENIZER}.quantize");
    table.push(
        format!("{at}.embedding.weight"),
        &[config.vocab_size, codes],
        Kind::Parameter,
        true,
        Init::Normal((1.0 / codes.max(1) as f64).sqrt()),
    );
    for name in phi_names(config.share_quant_resi, generation.scales.len()) {
        table.conv(&format!("{at}.{name}"), codes, codes, 3);
    }
    let hits = [generation.scales.len(), config.vocab_size];
    table.push(format!("{at}.ema_vocab_hit_SV"), &hits, Kind::Buffer, false, Init::Constant(0.0));
}

/// Names of the `phi` convolutions below `quantize`, in order.
pub fn phi_names(shared: usize, scales: usize) -> Vec<String> {
    match shared {
        0 => (0..scales).map(|index| format!("quant_resi.{index}")).collect(),
        1 => vec!["quant_resi.qresi".to_string()],
        n => (0..n).map(|index| format!("quant_resi.qresi_ls.{index}")).collect(),
    }
}
