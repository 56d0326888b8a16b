//! Features to image.

use candle_core::Tensor;

use super::blocks::{Attention, Conv, Middle, Norm, Residual};
use crate::Result;
use crate::config::TokenizerConfig;
use crate::recorder::Recorder;
use crate::weights::Weights;

#[derive(Clone)]
struct Level {
    blocks: Vec<Residual>,
    attentions: Vec<Attention>,
    upsample: Option<Conv>,
}

/// The decoder.
#[derive(Clone)]
pub(super) struct Decoder {
    conv_in: Conv,
    middle: Middle,
    /// From the lowest resolution up; the first has the highest index.
    levels: Vec<(usize, Level)>,
    norm_out: Norm,
    conv_out: Conv,
}

impl Decoder {
    pub(super) fn new(config: &TokenizerConfig, weights: &Weights) -> Result<Self> {
        let groups = config.norm_groups;
        let last = config.ch_mult.len().saturating_sub(1);
        let lowest = config.ch * config.ch_mult.last().copied().unwrap_or(1);
        let mut width = lowest;
        let mut levels = Vec::new();
        for (index, mult) in config.ch_mult.iter().enumerate().rev() {
            let at = weights.pp("up").pp(index);
            let output = config.ch * mult;
            let mut level = Level { blocks: Vec::new(), attentions: Vec::new(), upsample: None };
            for block in 0..=config.num_res_blocks {
                level.blocks.push(Residual::new(width, output, groups, &at.pp("block").pp(block))?);
                width = output;
                if index == last {
                    level.attentions.push(Attention::new(width, groups, &at.pp("attn").pp(block))?);
                }
            }
            if index > 0 {
                level.upsample = Some(Conv::new(width, width, 3, &at.pp("upsample.conv"))?);
            }
            levels.push((index, level));
        }
        Ok(Self {
            conv_in: Conv::new(lowest, config.z_channels, 3, &weights.pp("conv_in"))?,
            middle: Middle::new(lowest, groups, &weights.pp("mid"))?,
            levels,
            norm_out: Norm::new(width, groups, &weights.pp("norm_out"))?,
            conv_out: Conv::new(3, width, 3, &weights.pp("conv_out"))?,
        })
    }

    pub(super) fn forward(&self, features: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        let mut x = self.conv_in.forward(features)?;
        recorder.keep("decoder.conv_in", &x);
        x = self.middle.forward(&x, "decoder", recorder)?;
        for (index, level) in &self.levels {
            for (block, residual) in level.blocks.iter().enumerate() {
                x = residual.forward(&x)?;
                recorder.keep(format_args!("decoder.up.{index}.block.{block}"), &x);
                if let Some(attention) = level.attentions.get(block) {
                    x = attention.forward(&x)?;
                    recorder.keep(format_args!("decoder.up.{index}.attn.{block}"), &x);
                }
            }
            if let Some(conv) = &level.upsample {
                x = conv.doubled(&x)?;
                recorder.keep(format_args!("decoder.up.{index}.upsample"), &x);
            }
        }
        if recorder.is_on() {
            recorder.keep("decoder.norm_out", &self.norm_out.forward(&x, false)?);
        }
        x = self.conv_out.forward(&self.norm_out.forward(&x, true)?)?;
        recorder.keep("decoder.conv_out", &x);
        Ok(x)
    }
}
