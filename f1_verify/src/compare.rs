//! Compares tensors by name and collects verdicts by family.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Tensor};
use f1_model::{Error, Result};

use super::report::{Family, Report};

/// Default absolute tolerance in f32.
pub(super) const F32: f64 = 1e-4;
/// Tolerance of tokenizer features and images.
pub(super) const IMAGE: f64 = 3e-4;
/// Tolerance of gradients, relative to the tensor's maximum.
pub(super) const GRADIENT: f64 = 1e-3;
/// Values up to this size have the plain tolerance. That of larger ones grows in proportion, as the
/// spacing of f32 does.
const PLAIN: f64 = 32.0;

/// Collects comparisons.
#[derive(Default)]
pub(super) struct Comparison {
    families: BTreeMap<String, Family>,
    compared: usize,
    left: Vec<String>,
    group: String,
    /// The smallest absolute tolerance.
    least: f64,
}

/// How one tensor is compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Absolute.
    Absolute(f64),
    /// Relative to the largest absolute value of the expected tensor.
    Relative(f64),
    /// As [`Rule::Relative`], but relative to this size where the tensor is smaller: a gradient
    /// that is zero up to rounding is compared relative to the others.
    Gradient(f64),
    /// Equal.
    Equal,
}

impl Comparison {
    /// Prefix of the families that follow.
    pub(super) fn set_group(&mut self, group: String) {
        self.group = group;
    }

    /// A comparison whose absolute tolerances are at least `least`, for devices that sum in another
    /// order.
    pub(super) fn at_least(least: f64) -> Self {
        Self { least, ..Self::default() }
    }

    /// Counts a tensor of the files as not compared.
    pub(super) fn leave(&mut self, name: &str) {
        self.left.push(format!("{}{name}", self.group));
    }

    /// Compares one tensor. `valid` marks, for `[batch][token]`, the rows that count.
    ///
    /// The expected tensor may hold only the first samples of the batch.
    pub(super) fn tensor(
        &mut self,
        name: &str,
        expected: &Tensor,
        found: &Tensor,
        rule: Rule,
        valid: Option<&[Vec<bool>]>,
    ) -> Result<()> {
        let found = match (expected.dims().first(), found.dims().first()) {
            (Some(&few), Some(&many)) if few < many && expected.rank() == found.rank() => {
                found.narrow(0, 0, few)?
            }
            _ => found.clone(),
        };
        let equal_shapes = expected.dims() == found.dims();
        if !equal_shapes && expected.elem_count() != found.elem_count() {
            self.verdict(name, f64::INFINITY, 0.0, false);
            return Ok(());
        }
        let dims = expected.dims().to_vec();
        let expected = values(expected)?;
        let found = values(&found)?;
        let row: usize = dims.iter().skip(2).product();
        let tokens = dims.get(1).copied().unwrap_or(1);
        let counts = |index: usize| match valid {
            Some(valid) if dims.len() >= 2 => {
                let (sample, token) = (index / row / tokens, index / row % tokens);
                valid.get(sample).and_then(|flags| flags.get(token)).copied().unwrap_or(true)
            }
            _ => true,
        };
        let (mut worst, mut largest) = (0f64, 0f64);
        for (index, (a, b)) in expected.iter().zip(&found).enumerate() {
            if counts(index) {
                let error = (a - b).abs();
                worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
                largest = largest.max(a.abs());
            }
        }
        match rule {
            Rule::Equal => self.verdict(name, worst, 0.0, worst == 0.0),
            Rule::Absolute(tolerance) => {
                let tolerance = tolerance.max(self.least) * (largest / PLAIN).max(1.0);
                self.verdict(name, worst, tolerance, worst <= tolerance);
            }
            Rule::Relative(tolerance) => {
                let relative = if largest > 0.0 { worst / largest } else { worst };
                self.verdict(name, relative, tolerance, relative <= tolerance);
            }
            Rule::Gradient(floor) => {
                let size = largest.max(floor);
                let relative = if size > 0.0 { worst / size } else { worst };
                self.verdict(name, relative, GRADIENT, relative <= GRADIENT);
            }
        }
        Ok(())
    }

    /// A single number.
    pub(super) fn number(&mut self, name: &str, expected: f64, found: f64, rule: Rule) {
        let error = (expected - found).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        let (error, tolerance) = match rule {
            Rule::Equal => (error, 0.0),
            Rule::Absolute(tolerance) => (error, tolerance.max(self.least)),
            Rule::Gradient(floor) => {
                (error / expected.abs().max(floor).max(f64::MIN_POSITIVE), GRADIENT)
            }
            Rule::Relative(tolerance) => (error / expected.abs().max(f64::MIN_POSITIVE), tolerance),
        };
        self.verdict(name, error, tolerance, error <= tolerance);
    }

    fn verdict(&mut self, name: &str, error: f64, tolerance: f64, pass: bool) {
        self.compared += 1;
        let key = format!("{}{}", self.group, family(name));
        if !pass {
            tracing::warn!(
                tensor = format!("{}{name}", self.group),
                error,
                tolerance,
                "out of tolerance"
            );
        }
        let entry = self.families.entry(key.clone()).or_insert(Family {
            name: key,
            max_abs_err: 0.0,
            tolerance,
            pass: true,
            tensors: 0,
        });
        // JSON has no infinity.
        entry.max_abs_err = entry.max_abs_err.max(error.min(f64::MAX));
        entry.tolerance = entry.tolerance.max(tolerance);
        entry.pass &= pass;
        entry.tensors += 1;
    }

    /// Compares every expected tensor that `found` holds and counts the others as not compared, as
    /// well as documented tensors that the files lack.
    pub(super) fn all(
        &mut self,
        prefix: &str,
        expected: &HashMap<String, Tensor>,
        found: &BTreeMap<String, Tensor>,
        rule: impl Fn(&str) -> Rule,
        valid: impl Fn(&str) -> Option<Vec<Vec<bool>>>,
        documented: impl Fn(&str) -> bool,
    ) -> Result<()> {
        for name in found.keys().filter(|name| documented(name)) {
            let full = format!("{prefix}{name}");
            if !expected.contains_key(&full) {
                self.leave(&format!("{full} (absent from the files)"));
            }
        }
        let mut names: Vec<&String> =
            expected.keys().filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        for name in names {
            let short = &name[prefix.len()..];
            match found.get(short) {
                Some(tensor) => {
                    let flags = valid(short);
                    self.tensor(name, &expected[name], tensor, rule(short), flags.as_deref())
                        .map_err(|error| Error::input(format!("{name}: {error}")))?;
                }
                None => self.leave(name),
            }
        }
        Ok(())
    }

    /// The verdict.
    pub(super) fn finish(mut self) -> Report {
        self.left.sort();
        let families: Vec<Family> = self.families.into_values().collect();
        Report {
            pass: self.compared > 0 && families.iter().all(|family| family.pass),
            compared: self.compared,
            not_compared: self.left.len(),
            families,
            left: self.left,
        }
    }
}

/// The size below which a gradient counts as rounding: a thousandth of the largest of the run.
pub(super) fn gradient_floor<'a>(
    expected: impl IntoIterator<Item = (&'a String, &'a Tensor)>,
) -> Result<f64> {
    let mut largest = 0f32;
    for (_, tensor) in expected.into_iter().filter(|(name, _)| name.contains("grad.")) {
        if tensor.elem_count() > 0 {
            largest =
                largest.max(tensor.to_dtype(DType::F32)?.abs()?.max_all()?.to_scalar::<f32>()?);
        }
    }
    Ok(1e-3 * f64::from(largest))
}

/// The family of a tensor: digits become `#`; the gradients of a run are one family, as are its
/// optimised parameters.
fn family(name: &str) -> String {
    for marker in [".grad.", ".grad_l2."] {
        if let Some(at) = name.find(marker) {
            return format!("{}{marker}*", &name[..at]);
        }
    }
    if let Some((head, tail)) = name.split_once(".after")
        && let Some((steps, _)) =
            tail.split_once('.').filter(|(steps, _)| steps.parse::<usize>().is_ok())
    {
        return format!("{head}.after{steps}.*");
    }
    // The digits of a number type are no index.
    let (kind, rest) = match name.strip_prefix("bf16.") {
        Some(rest) => ("bf16.", rest),
        None => ("", name),
    };
    let mut out = String::with_capacity(name.len());
    out.push_str(kind);
    for c in rest.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    let flat = tensor.flatten_all()?;
    Ok(match flat.dtype() {
        DType::F64 => flat.to_vec1::<f64>()?,
        DType::I64 => flat.to_vec1::<i64>()?.into_iter().map(|value| value as f64).collect(),
        DType::U32 => flat.to_vec1::<u32>()?.into_iter().map(f64::from).collect(),
        DType::U8 => flat.to_vec1::<u8>()?.into_iter().map(f64::from).collect(),
        _ => flat.to_dtype(DType::F32)?.to_vec1::<f32>()?.into_iter().map(f64::from).collect(),
    })
}
