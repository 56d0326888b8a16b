//! Image to features.

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
    downsample: Option<Conv>,
}

/// The encoder.
#[derive(Clone)]
pub(super) struct Encoder {
    conv_in: Conv,
    levels: Vec<Level>,
    middle: Middle,
    norm_out: Norm,
    conv_out: Conv,
}

impl Encoder {
    pub(super) fn new(config: &TokenizerConfig, weights: &Weights) -> Result<Self> {
        let groups = config.norm_groups;
        let last = config.ch_mult.len().saturating_sub(1);
        let mut width = config.ch;
        let mut levels = Vec::new();
        for (index, mult) in config.ch_mult.iter().enumerate() {
            let at = weights.pp("down").pp(index);
            let output = config.ch * mult;
            let mut level = Level { blocks: Vec::new(), attentions: Vec::new(), downsample: None };
            for block in 0..config.num_res_blocks {
                level.blocks.push(Residual::new(width, output, groups, &at.pp("block").pp(block))?);
                width = output;
                if index == last {
                    level.attentions.push(Attention::new(width, groups, &at.pp("attn").pp(block))?);
                }
            }
            if index != last {
                level.downsample = Some(Conv::new(width, width, 3, &at.pp("downsample.conv"))?);
            }
            levels.push(level);
        }
        Ok(Self {
            conv_in: Conv::new(config.ch, 3, 3, &weights.pp("conv_in"))?,
            levels,
            middle: Middle::new(width, groups, &weights.pp("mid"))?,
            norm_out: Norm::new(width, groups, &weights.pp("norm_out"))?,
            conv_out: Conv::new(config.z_channels, width, 3, &weights.pp("conv_out"))?,
        })
    }

    pub(super) fn forward(&self, images: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        let mut x = self.conv_in.forward(images)?;
        recorder.keep("encoder.conv_in", &x);
        for (index, level) in self.levels.iter().enumerate() {
            for (block, residual) in level.blocks.iter().enumerate() {
                x = residual.forward(&x)?;
                recorder.keep(format_args!("encoder.down.{index}.block.{block}"), &x);
                if let Some(attention) = level.attentions.get(block) {
                    x = attention.forward(&x)?;
                    recorder.keep(format_args!("encoder.down.{index}.attn.{block}"), &x);
                }
            }
            if let Some(conv) = &level.downsample {
                x = conv.halved(&x)?;
                recorder.keep(format_args!("encoder.down.{index}.downsample"), &x);
            }
        }
        x = self.middle.forward(&x, "encoder", recorder)?;
        if recorder.is_on() {
            recorder.keep("encoder.norm_out", &self.norm_out.forward(&x, false)?);
        }
        x = self.conv_out.forward(&self.norm_out.forward(&x, true)?)?;
        recorder.keep("encoder.conv_out", &x);
        Ok(x)
    }
}
