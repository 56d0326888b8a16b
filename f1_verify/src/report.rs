//! The verdict on a golden directory.

use serde::Serialize;

/// Verdict on one family of tensors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Name; digits are replaced by `#`.
    pub name: String,
    /// Largest error; relative to the tensor's maximum in families of gradients.
    pub max_abs_err: f64,
    /// Largest error allowed.
    pub tolerance: f64,
    /// Whether every tensor of the family is within its tolerance.
    pub pass: bool,
    /// Tensors compared.
    pub tensors: usize,
}

/// Verdict on a directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Whether every family passes and something was compared.
    pub pass: bool,
    /// Tensors compared.
    pub compared: usize,
    /// Tensors in the files that were not compared.
    pub not_compared: usize,
    /// Families, sorted by name.
    pub families: Vec<Family>,
    /// Names of the tensors not compared.
    pub left: Vec<String>,
}
