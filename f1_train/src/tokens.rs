//! Tokens of every history frame, and its features where the model's map is continuous, encoded
//! once.
//!
//! The tokenizer is frozen in the three stages and a centre crop shows it the same pixels every
//! time, so a frame's tokens never change: encoding them again each epoch would be most of a small
//! machine's training time.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use f1_data::loader::{OpenSource, Reader};
use f1_model::network::F1Network;
use f1_model::parameters::Group;
use f1_model::weights::Weights;
use f1_model::{Config, image_prep};
use half::f16;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::{Result, TrainError};

/// Frames encoded together.
const BATCH: usize = 16;
const MAGIC: &[u8; 8] = b"f1tokens";

/// Token ids by source, episode and frame.
#[derive(Debug)]
pub struct TokenCache {
    /// Token ids of a frame.
    length: usize,
    /// Numbers of a frame's features; 0 where the model takes none.
    features: usize,
    /// `[source][episode]`: its number, and what its frames hold, one frame after another: ids,
    /// then the bits of the features as f16. Numbers grow; some may be missing.
    frames: Vec<Vec<(usize, Vec<u16>)>>,
}

impl TokenCache {
    /// Encodes every frame of the history cameras, or reads what an earlier run left in `folder`;
    /// `progress` gets the number of frames done and of all frames.
    ///
    /// # Errors
    /// When a frame cannot be read, or the codebook is too large to keep.
    pub fn build(
        reader: &Reader,
        network: &F1Network,
        weights: &Weights,
        folder: &Path,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Self> {
        let foresight = network.foresight()?;
        if foresight.config.tokenizer.vocab_size > usize::from(u16::MAX) + 1 {
            return Err(TrainError::Stopped(
                "a codebook of more than 65536 codes cannot be cached".into(),
            ));
        }
        let length = foresight.config.total_tokens();
        let features = match foresight.config.continuous_map {
            true => foresight.config.full_map_tokens() * foresight.config.tokenizer.z_channels,
            false => 0,
        };
        std::fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
        let mut fingerprint = fingerprint(network.config(), weights)?;
        if features > 0 {
            mix(&mut fingerprint, b"features");
        }
        let width = length + features;
        let all = reader.sources().iter().map(|source| source.dataset.frames()).sum();
        let mut done = 0;
        let mut frames = Vec::new();
        for (index, source) in reader.sources().iter().enumerate() {
            let camera = source.history_camera.as_deref().unwrap_or_default();
            let mut hash = fingerprint;
            mix(&mut hash, source.dataset.root().to_string_lossy().as_bytes());
            mix(&mut hash, camera.as_bytes());
            mix(&mut hash, &source.dataset.frames().to_le_bytes());
            mix(&mut hash, &source.dataset.episodes().len().to_le_bytes());
            if let Some(missing) = source.dataset.missing_episodes() {
                mix(&mut hash, missing.as_bytes());
            }
            let path = folder.join(format!("{hash:016x}.tokens"));
            let lengths: Vec<usize> =
                source.dataset.episodes().iter().map(|episode| episode.length * width).collect();
            if let Some(kept) = load(&path, &lengths) {
                done += source.dataset.frames();
                progress(done, all);
                frames.push(numbered(source, kept));
                continue;
            }
            let mut of_source = Vec::new();
            for episode in source.dataset.episodes() {
                if source.skip_episodes.contains(&episode.index) {
                    of_source.push(vec![0; episode.length * width]);
                    continue;
                }
                of_source.push(encode_episode(reader, network, index, episode.index, camera)?);
                done += episode.length;
                progress(done, all);
            }
            save(&path, &of_source)?;
            frames.push(numbered(source, of_source));
        }
        Ok(Self { length, features, frames })
    }

    /// Ids and features of one frame.
    ///
    /// # Errors
    /// When there is no such frame.
    pub fn get(&self, source: usize, episode: usize, frame: usize) -> Result<(Vec<u32>, Vec<f32>)> {
        let of_source = self.frames.get(source).map_or(&[][..], Vec::as_slice);
        let place = of_source.binary_search_by_key(&episode, |(number, _)| *number);
        let width = self.length + self.features;
        let numbers = place
            .ok()
            .and_then(|place| of_source[place].1.get(frame * width..(frame + 1) * width))
            .ok_or_else(|| {
                TrainError::Stopped(format!("no tokens of episode {episode}, frame {frame}"))
            })?;
        let (ids, features) = numbers.split_at(self.length);
        Ok((
            ids.iter().map(|id| u32::from(*id)).collect(),
            features.iter().map(|bits| f16::from_bits(*bits).to_f32()).collect(),
        ))
    }
}

/// Each episode's frames with its number.
fn numbered(source: &OpenSource, frames: Vec<Vec<u16>>) -> Vec<(usize, Vec<u16>)> {
    source.dataset.episodes().iter().map(|episode| episode.index).zip(frames).collect()
}

fn encode_episode(
    reader: &Reader,
    network: &F1Network,
    source: usize,
    episode: usize,
    camera: &str,
) -> Result<Vec<u16>> {
    let table = reader.episode(source, episode)?;
    let images = table.images.get(camera).ok_or_else(|| {
        TrainError::Stopped(format!("no camera `{camera}` for history and foresight"))
    })?;
    let config = network.config();
    let side = network.foresight()?.config.frame_side();
    let mut numbers = Vec::new();
    for group in images.chunks(BATCH) {
        let frames: Vec<Tensor> = group
            .par_iter()
            .map(|image| -> Result<Tensor> {
                let image = image.decode().map_err(|fault| {
                    TrainError::Stopped(format!("episode {episode}, `{camera}`: {fault}"))
                })?;
                Ok(image_prep::prepare_frame(&image, side, config.run.crop_ratio, &Device::Cpu)?)
            })
            .collect::<Result<_>>()?;
        let frames = Tensor::stack(&frames, 0)?.unsqueeze(0)?.to_device(network.device())?;
        let tokens = network.tokenize(&frames)?;
        let ids: Vec<Vec<u32>> = tokens.ids.squeeze(0)?.to_vec2()?;
        let features: Vec<Vec<f32>> = match &tokens.features {
            Some(features) => features.squeeze(0)?.flatten_from(1)?.to_vec2()?,
            None => vec![Vec::new(); ids.len()],
        };
        for (ids, features) in ids.iter().zip(features) {
            numbers.extend(ids.iter().map(|id| *id as u16));
            numbers.extend(features.iter().map(|value| f16::from_f32(*value).to_bits()));
        }
    }
    Ok(numbers)
}

/// A number that changes when the tokenizer or the crop does.
fn fingerprint(config: &Config, weights: &Weights) -> Result<u64> {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    mix(&mut hash, &config.run.crop_ratio.to_bits().to_le_bytes());
    for spec in f1_model::parameters::used_parameters(config) {
        if spec.group == Group::Tokenizer
            && let Some(tensor) = weights.tensor(&spec.name)
        {
            let values: Vec<f32> =
                tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?;
            for value in values {
                hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    Ok(hash)
}

fn mix(hash: &mut u64, bytes: &[u8]) {
    for byte in bytes {
        *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

fn save(path: &PathBuf, ids: &[Vec<u16>]) -> Result<()> {
    let partial = path.with_extension("partial");
    let file = File::create(&partial).map_err(TrainError::io(&partial))?;
    let mut out = BufWriter::new(file);
    out.write_all(MAGIC).map_err(TrainError::io(&partial))?;
    for id in ids.iter().flatten() {
        out.write_all(&id.to_le_bytes()).map_err(TrainError::io(&partial))?;
    }
    out.flush().map_err(TrainError::io(&partial))?;
    std::fs::rename(&partial, path).map_err(TrainError::io(path))
}

/// What an earlier run kept; `None` when there is nothing that fits.
fn load(path: &Path, lengths: &[usize]) -> Option<Vec<Vec<u16>>> {
    let mut bytes = Vec::new();
    BufReader::new(File::open(path).ok()?).read_to_end(&mut bytes).ok()?;
    let body = bytes.strip_prefix(MAGIC)?;
    if body.len() != lengths.iter().sum::<usize>() * 2 {
        return None;
    }
    let mut values = body.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Some(lengths.iter().map(|length| values.by_ref().take(*length).collect()).collect())
}
