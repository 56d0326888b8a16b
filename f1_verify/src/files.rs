//! Reading a golden directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::config::Config;
use f1_model::image_prep::{Planes, resize_with_pad};
use f1_model::network::F1Network;
use f1_model::training::Batch;
use f1_model::weights::Weights;
use f1_model::{Error, Result};
use serde_json::Value;

use super::inputs;

/// A golden directory.
pub(super) struct GoldenDir {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) inputs: HashMap<String, Tensor>,
    pub(super) outputs: HashMap<String, Tensor>,
    pub(super) meta: Value,
    pub(super) weights: Weights,
    /// The network's device, which holds inputs and weights; outputs are on the CPU.
    pub(super) device: Device,
    /// History frames of a sample.
    pub(super) observed: usize,
}

/// Reads a safetensors file onto the CPU.
pub(super) fn load(path: &Path) -> Result<HashMap<String, Tensor>> {
    candle_core::safetensors::load(path, &Device::Cpu).map_err(|error| Error::Checkpoint {
        path: path.to_path_buf(),
        faults: vec![error.to_string()],
    })
}

/// Reads a JSON file.
pub(super) fn json(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
    serde_json::from_str(&text)
        .map_err(|error| Error::input(format!("{}: {error}", path.display())))
}

impl GoldenDir {
    pub(super) fn open(path: &Path, device: &Device) -> Result<Self> {
        let required = ["meta.json", "inputs.safetensors", "outputs.safetensors"];
        let missing: Vec<&str> =
            required.into_iter().filter(|name| !path.join(name).is_file()).collect();
        if !missing.is_empty() {
            return Err(Error::input(format!(
                "{}: a golden directory without {}",
                path.display(),
                missing.join(" and ")
            )));
        }
        let meta = json(&path.join("meta.json"))?;
        let file = ["config.json", "f1_config.json"]
            .iter()
            .map(|name| path.join(name))
            .find(|file| file.is_file())
            .ok_or_else(|| {
                Error::input(format!("{}: neither config.json nor f1_config.json", path.display()))
            })?;
        let mut text = json(&file)?;
        let observed = meta
            .pointer("/preset/n_obs")
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok());
        if let (Some(frames), Some(map)) = (observed, text.as_object_mut()) {
            // The reference takes the length of the history from its batch; here it is configured.
            let block = map.entry("f1").or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Some(block) = block.as_object_mut() {
                block.insert("history_frames".to_string(), Value::from(frames));
            }
        }
        let config = Config::from_json(&text.to_string(), &file.display().to_string())?;
        let (weights, _) = checkpoint::load(path, &config, LoadPrecision::default(), device)?;
        let on_device = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_device(device)?));
        let inputs_file = path.join("inputs.safetensors");
        let inputs = load(&inputs_file)?;
        let golden = Self {
            device: device.clone(),
            observed: observed.unwrap_or(config.run.history_frames),
            inputs: inputs.into_iter().map(on_device).collect::<Result<_>>()?,
            outputs: load(&path.join("outputs.safetensors"))?,
            path: path.to_path_buf(),
            config,
            meta,
            weights,
        };
        inputs::check(&inputs_file, &golden.inputs, &golden.config, golden.observed)?;
        Ok(golden)
    }

    pub(super) fn input(&self, name: &str) -> Result<&Tensor> {
        self.inputs
            .get(name)
            .ok_or_else(|| Error::input(format!("{}: inputs hold no {name}", self.path.display())))
    }

    /// Prepared images of every camera, `[batch, 3, side, side]`, and which samples have it.
    pub(super) fn cameras(&self) -> Result<Vec<(usize, Tensor, Vec<bool>)>> {
        let [width, height] = self.config.image_fit;
        let mut cameras = Vec::new();
        let most = self.inputs.keys().filter(|name| name.starts_with("image")).count();
        // A camera may be absent from the files; the others keep their order.
        for slot in 0..most {
            let Some(images) = self.inputs.get(&format!("image{slot}")) else { continue };
            let (batch, channels, rows, columns) = images.dims4()?;
            let mut values = Vec::with_capacity(batch * channels * width * height);
            for sample in images
                .to_dtype(DType::F32)?
                .reshape((batch, channels, rows * columns))?
                .to_vec3::<f32>()?
            {
                let planes = Planes { height: rows, width: columns, planes: sample };
                let fitted = resize_with_pad(&planes, width, height, 0.0)?;
                values.extend(fitted.planes.into_iter().flatten().map(|value| value * 2.0 - 1.0));
            }
            let prepared =
                Tensor::from_vec(values, (batch, channels, height, width), &self.device)?;
            let valid = match self.inputs.get(&format!("image{slot}_mask")) {
                Some(mask) => flags(mask)?,
                None => vec![true; batch],
            };
            cameras.push((cameras.len(), prepared, valid));
        }
        Ok(cameras)
    }

    /// Frames `[batch, frames, 3, side, side]` in [-1, 1].
    pub(super) fn history(&self) -> Result<Tensor> {
        match self.inputs.get("history_u8") {
            Some(bytes) => {
                let unit = (bytes.to_dtype(DType::F32)? / 255.0)?;
                Ok(((&unit + &unit)? - 1.0)?)
            }
            None => Ok(self.input("history")?.to_dtype(DType::F32)?),
        }
    }

    /// A state or action padded with zeros to `width`.
    pub(super) fn padded(&self, name: &str, width: usize) -> Result<Tensor> {
        let tensor = self.input(name)?.to_dtype(DType::F32)?;
        let last = tensor.rank() - 1;
        let missing = width.saturating_sub(tensor.dim(last)?);
        Ok(tensor.pad_with_zeros(last, 0, missing)?)
    }

    /// Prompt ids and validity.
    pub(super) fn prompt(&self) -> Result<(Tensor, Vec<Vec<bool>>)> {
        let ids = self.input("lang_tokens")?.to_dtype(DType::U32)?;
        let mask = self.input("lang_masks")?;
        let rows = (0..mask.dim(0)?).map(|row| flags(&mask.get(row)?)).collect::<Result<_>>()?;
        Ok((ids, rows))
    }

    /// The training batch; frames are tokenised by `network` if it has a generation expert.
    pub(super) fn batch(&self, network: &F1Network) -> Result<Batch> {
        let mut images = Vec::new();
        let mut image_valid = Vec::new();
        for (_, tensor, valid) in self.cameras()? {
            images.push(tensor);
            image_valid.push(valid);
        }
        let (prompt, prompt_valid) = self.prompt()?;
        let frame_tokens =
            if network.has_foresight() { Some(network.tokenize(&self.history()?)?) } else { None };
        let actions = self.padded("action", self.config.max_action_dim)?;
        let padded = match self.inputs.get("action_is_pad") {
            Some(mask) => {
                (0..mask.dim(0)?).map(|row| flags(&mask.get(row)?)).collect::<Result<_>>()?
            }
            None => vec![vec![false; actions.dim(1)?]; actions.dim(0)?],
        };
        Ok(Batch {
            images,
            image_valid,
            prompt,
            prompt_valid,
            frame_tokens,
            state: self.padded("state", self.config.max_state_dim)?,
            noise: self.input("train_noise")?.to_dtype(DType::F32)?,
            time: self.input("train_time")?.to_dtype(DType::F32)?.to_vec1()?,
            more_draws: Vec::new(),
            actions,
            action_is_pad: padded,
        })
    }
}

/// The flags of a mask, flattened.
pub(super) fn flags(mask: &Tensor) -> Result<Vec<bool>> {
    Ok(mask
        .flatten_all()?
        .to_dtype(DType::U8)?
        .to_vec1::<u8>()?
        .into_iter()
        .map(|flag| flag != 0)
        .collect())
}
