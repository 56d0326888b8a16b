//! Records intermediate tensors by name, to compare them with a reference.

use std::collections::BTreeMap;

use candle_core::Tensor;

/// Keeps named intermediate tensors when it is on; costs nothing when it is off.
#[derive(Default)]
pub struct Recorder {
    tensors: Option<BTreeMap<String, Tensor>>,
    prefix: String,
}

impl Recorder {
    /// Keeps nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Keeps every tensor.
    pub fn on() -> Self {
        Self { tensors: Some(BTreeMap::new()), prefix: String::new() }
    }

    /// Whether tensors are kept. Then nothing is skipped, even if the result does not depend on it.
    pub fn is_on(&self) -> bool {
        self.tensors.is_some()
    }

    /// Sets the prefix of the following names.
    pub fn set_prefix(&mut self, prefix: impl Into<String>) {
        self.prefix = prefix.into();
    }

    /// Keeps `tensor` by the name behind the prefix.
    pub fn keep(&mut self, name: impl std::fmt::Display, tensor: &Tensor) {
        if let Some(tensors) = &mut self.tensors {
            tensors.insert(format!("{}{name}", self.prefix), tensor.detach());
        }
    }

    /// All tensors kept.
    pub fn into_tensors(self) -> BTreeMap<String, Tensor> {
        self.tensors.unwrap_or_default()
    }
}
