//! Single functions: sampling filters, image preparation, embeddings, masks, interpolation.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use f1_kernels as ops;
use f1_kernels::{self as kernels, Conv2dGeometry};
use f1_model::experts::RopeTable;
use f1_model::flow::{euler_times, time_embedding};
use f1_model::image_prep::{Planes, Shrink, Window, centre, frame_size, resize_with_pad};
use f1_model::sampling::filtered_probabilities;
use f1_model::tokenizer::{area_matrix, bicubic_matrix};
use f1_model::training::interpolate;
use f1_model::{Error, Result};
use image::RgbImage;
use serde_json::Value;

use super::compare::{Comparison, F32, Rule};
use super::files::{json, load};

/// Side of the crop of the history cases.
const CROP: usize = 256;
/// Shorter side before the crop, over the crop.
const CROP_RATIO: f64 = 1.125;

struct Run<'a> {
    expected: &'a HashMap<String, Tensor>,
    done: Vec<String>,
    comparison: &'a mut Comparison,
}

impl Run<'_> {
    fn get(&self, name: &str) -> Result<&Tensor> {
        self.expected.get(name).ok_or_else(|| Error::input(format!("utils hold no {name}")))
    }

    fn check(&mut self, name: &str, found: &Tensor, rule: Rule) -> Result<()> {
        let Some(expected) = self.expected.get(name) else { return Ok(()) };
        self.done.push(name.to_string());
        self.comparison.tensor(&format!("utils.{name}"), expected, found, rule, None)
    }
}

pub(super) fn run(dir: &Path, comparison: &mut Comparison) -> Result<()> {
    let expected = load(&dir.join("utils.safetensors"))?;
    let settings = json(&dir.join("utils.json"))?;
    let mut run = Run { expected: &expected, done: Vec::new(), comparison };
    sampling(&mut run, &settings)?;
    images(&mut run, &settings)?;
    embeddings(&mut run)?;
    masks(&mut run)?;
    interpolation(&mut run)?;
    let inputs = [".in", "_u8", ".pos", ".x", ".weight", ".bias", ".att", ".pad", ".logits", ".t"];
    let done = std::mem::take(&mut run.done);
    let mut left: Vec<&String> = expected.keys().filter(|name| !done.contains(name)).collect();
    left.sort();
    for name in left {
        let input = inputs.iter().any(|end| name.ends_with(end)) && !name.ends_with("out_u8")
            || name.starts_with("interp.bicubic_in")
            || name == "interp.x16"
            || name.starts_with("norm.stats.")
            || ["norm.action", "norm.state", "delta.action", "delta.state"]
                .contains(&name.as_str())
            || ["flow.actions", "flow.noise", "flow.time"].contains(&name.as_str());
        if !input {
            run.comparison.leave(&format!("utils.{name}"));
        }
    }
    Ok(())
}

fn sampling(run: &mut Run<'_>, settings: &Value) -> Result<()> {
    let Some(cases) = settings.get("topkp").and_then(Value::as_array) else { return Ok(()) };
    let logits = run.get("topkp.logits")?.clone();
    let rows: Vec<Vec<f32>> = logits.flatten_to(1)?.to_vec2()?;
    for (index, case) in cases.iter().enumerate() {
        let top_k = case.get("top_k").and_then(Value::as_u64).unwrap_or(0) as usize;
        let top_p = case.get("top_p").and_then(Value::as_f64).unwrap_or(0.0);
        let name = format!("topkp.{index}.probs");
        let Some(expected) = run.expected.get(&name) else { continue };
        let expected: Vec<Vec<f32>> = expected.flatten_to(1)?.to_vec2()?;
        let kept: Vec<Vec<f32>> =
            rows.iter().map(|row| filtered_probabilities(row, top_k, top_p)).collect();
        let tensor = |table: &[Vec<f32>]| {
            let ordered: Vec<f32> =
                rows.iter().zip(table).flat_map(|(logits, row)| settle_ties(logits, row)).collect();
            Tensor::from_vec(ordered, logits.dims(), &Device::Cpu)
        };
        run.done.push(name.clone());
        let label = format!("utils.{name}");
        run.comparison.tensor(
            &label,
            &tensor(&expected)?,
            &tensor(&kept)?,
            Rule::Absolute(F32),
            None,
        )?;
    }
    Ok(())
}

/// Probabilities sorted by logit and then by value: which of several equal logits are kept depends
/// on the sort, but not how many.
fn settle_ties(logits: &[f32], probabilities: &[f32]) -> Vec<f32> {
    let mut pairs: Vec<(f32, f32)> =
        logits.iter().map(|logit| logit + 0.0).zip(probabilities.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    pairs.into_iter().map(|(_, probability)| probability).collect()
}

fn images(run: &mut Run<'_>, settings: &Value) -> Result<()> {
    let cases =
        settings.get("resize_with_pad").and_then(Value::as_array).cloned().unwrap_or_default();
    for (index, case) in cases.iter().enumerate() {
        let input = run.get(&format!("resize.{index}.in_u8"))?.to_dtype(DType::F32)?;
        let (_, channels, height, width) = input.dims4()?;
        let planes = (input.squeeze(0)? / 255.0)?.reshape((channels, height * width))?.to_vec2()?;
        let size = |at: usize| {
            case.pointer(&format!("/target_wh/{at}")).and_then(Value::as_u64).unwrap_or(0) as usize
        };
        let fitted = resize_with_pad(&Planes { height, width, planes }, size(0), size(1), 0.0)?;
        let shape = (1, channels, fitted.height, fitted.width);
        let fitted = Tensor::from_vec(fitted.planes.concat(), shape, &Device::Cpu)?;
        run.check(&format!("resize.{index}.out"), &fitted, Rule::Absolute(F32))?;
    }
    for index in 0.. {
        let Some(input) = run.expected.get(&format!("history.{index}.in_u8")) else { break };
        let (channels, height, width) = input.dims3()?;
        let planes: Vec<Vec<u8>> = input.reshape((channels, height * width))?.to_vec2()?;
        let raw = (0..height * width).flat_map(|at| (0..3).map(move |c| (at, c.min(channels - 1))));
        let raw: Vec<u8> = raw.map(|(at, c)| planes[c][at]).collect();
        let image = RgbImage::from_raw(width as u32, height as u32, raw)
            .ok_or_else(|| Error::input("image size overflow"))?;
        let (to_width, to_height) = frame_size(width as u32, height as u32, CROP, CROP_RATIO);
        let window = Window::whole(to_width, to_height);
        let shrunk =
            Shrink::new(image.dimensions(), (to_width, to_height), window)?.apply(&image)?;
        let (left, top) = (centre(to_width, CROP) as usize, centre(to_height, CROP) as usize);
        let plane = |x0: usize, y0: usize, w: usize, h: usize| -> Result<Tensor> {
            let mut values = Vec::with_capacity(channels * w * h);
            for c in 0..channels {
                for y in y0..y0 + h {
                    for x in x0..x0 + w {
                        values.push(shrunk.as_raw()[(y * to_width as usize + x) * 3 + c]);
                    }
                }
            }
            Ok(Tensor::from_vec(values, (channels, h, w), &Device::Cpu)?)
        };
        // Another rounding may change a value by one step of 255.
        let whole = plane(0, 0, to_width as usize, to_height as usize)?;
        run.check(&format!("history.{index}.resized_u8"), &whole, Rule::Absolute(0.125))?;
        run.check(
            &format!("history.{index}.cropped_u8"),
            &plane(left, top, CROP, CROP)?,
            Rule::Absolute(0.125),
        )?;
    }
    Ok(())
}

fn embeddings(run: &mut Run<'_>) -> Result<()> {
    if let Some(times) = run.expected.get("time_emb.t") {
        let times: Vec<f32> = times.to_vec1()?;
        let widths: Vec<usize> = run
            .expected
            .keys()
            .filter_map(|name| name.strip_prefix("time_emb.")?.strip_suffix(".f64")?.parse().ok())
            .collect();
        for width in widths {
            let rows = time_embedding(&times, width);
            let wide = Tensor::from_vec(rows.concat(), (times.len(), width), &Device::Cpu)?;
            run.check(&format!("time_emb.{width}.f64"), &wide, Rule::Absolute(F32))?;
            run.check(
                &format!("time_emb.{width}.f32"),
                &wide.to_dtype(DType::F32)?,
                Rule::Absolute(F32),
            )?;
        }
    }
    let counts =
        run.expected.keys().filter_map(|name| name.strip_prefix("euler_times_")?.parse().ok());
    for steps in counts.collect::<Vec<usize>>() {
        let times = euler_times(steps);
        let count = times.len();
        let times = Tensor::from_vec(times, count, &Device::Cpu)?;
        run.check(&format!("euler_times_{steps}"), &times, Rule::Absolute(F32))?;
    }
    for name in ["rope", "rope256"] {
        let (Some(x), Some(at)) =
            (run.expected.get(&format!("{name}.x")), run.expected.get(&format!("{name}.pos")))
        else {
            continue;
        };
        let table = RopeTable::new(&at.to_vec2::<i64>()?, x.dim(3)?, 10_000.0, &Device::Cpu)?;
        let rotated = ops::rope(x, table.angles())?;
        run.check(&format!("{name}.out"), &rotated, Rule::Absolute(F32))?;
    }
    if let (Some(x), Some(weight)) =
        (run.expected.get("rmsnorm.x"), run.expected.get("rmsnorm.weight"))
    {
        let normed = ops::rms_norm(x, &(weight + 1.0)?, 1e-6)?;
        run.check("rmsnorm.out", &normed, Rule::Absolute(F32))?;
    }
    let flow = ["flow.actions", "flow.noise", "flow.time"].map(|name| run.expected.get(name));
    if let [Some(actions), Some(noise), Some(time)] = flow {
        let (noisy, velocity) = interpolate(actions, noise, &time.to_vec1::<f32>()?)?;
        run.check("flow.x_t", &noisy, Rule::Absolute(F32))?;
        run.check("flow.u_t", &velocity, Rule::Absolute(F32))?;
    }
    for index in 0.. {
        let Some(input) = run.expected.get(&format!("pad_vector.{index}.in")) else { break };
        let out = run.get(&format!("pad_vector.{index}.out"))?;
        let last = input.rank() - 1;
        let padded = input.pad_with_zeros(last, 0, out.dim(last)? - input.dim(last)?)?;
        run.check(&format!("pad_vector.{index}.out"), &padded, Rule::Equal)?;
    }
    Ok(())
}

/// The block rule for any flags; the network itself only needs special cases.
fn masks(run: &mut Run<'_>) -> Result<()> {
    for index in 0.. {
        let (Some(flags), Some(valid)) = (
            run.expected.get(&format!("att2d.{index}.att")),
            run.expected.get(&format!("att2d.{index}.pad")),
        ) else {
            break;
        };
        let (batch, tokens) = flags.dims2()?;
        let flags: Vec<Vec<i64>> = flags.to_vec2()?;
        let valid: Vec<Vec<u8>> = valid.to_vec2()?;
        let mut values = Vec::with_capacity(batch * tokens * tokens);
        for (flags, valid) in flags.iter().zip(&valid) {
            let blocks: Vec<i64> = flags
                .iter()
                .scan(0, |sum, flag| {
                    *sum += flag;
                    Some(*sum)
                })
                .collect();
            for (row, row_valid) in blocks.iter().zip(valid) {
                for (key, key_valid) in blocks.iter().zip(valid) {
                    values.push(u8::from(key <= row && *row_valid != 0 && *key_valid != 0));
                }
            }
        }
        let mask = Tensor::from_vec(values, (batch, tokens, tokens), &Device::Cpu)?;
        run.check(&format!("att2d.{index}.out"), &mask, Rule::Equal)?;
    }
    Ok(())
}

fn interpolation(run: &mut Run<'_>) -> Result<()> {
    let names: Vec<String> =
        run.expected.keys().filter(|name| name.starts_with("interp.")).cloned().collect();
    for name in names {
        let Some((kind, sizes)) = ["area", "bicubic"]
            .iter()
            .find_map(|kind| Some((*kind, name.strip_prefix("interp.")?.strip_prefix(kind)?)))
        else {
            continue;
        };
        let Some((Ok(from), Ok(to))) =
            sizes.split_once("to").map(|(a, b)| (a.parse::<usize>(), b.parse::<usize>()))
        else {
            continue;
        };
        let (input, matrix) = if kind == "area" {
            (run.get(&format!("interp.x{from}"))?, area_matrix(from, to))
        } else {
            (run.get(&format!("interp.bicubic_in{from}"))?, bicubic_matrix(from, to))
        };
        let matrix: Vec<f32> = matrix.concat().into_iter().map(|value| value as f32).collect();
        let matrix = Tensor::from_vec(matrix, (to, from), &Device::Cpu)?;
        let down = matrix.broadcast_matmul(input)?;
        let out = down.contiguous()?.broadcast_matmul(&matrix.t()?)?;
        run.check(&name, &out, Rule::Absolute(F32))?;
    }
    if let (Some(x), Some(weight), Some(bias)) =
        (run.expected.get("phi.x"), run.expected.get("phi.weight"), run.expected.get("phi.bias"))
    {
        let mixed = ((x * 0.5)?
            + (kernels::conv2d(x, weight, Some(bias), Conv2dGeometry::same(1))? * 0.5)?)?;
        run.check("phi.out", &mixed, Rule::Absolute(F32))?;
    }
    Ok(())
}
