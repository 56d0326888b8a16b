//! Intermediate tensors, kept by name when somebody compares them.

use std::collections::BTreeMap;

use candle_core::Tensor;

/// Keeps named intermediate tensors when on; costs nothing when off.
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

    /// Keeps everything offered.
    pub fn on() -> Self {
        Self { tensors: Some(BTreeMap::new()), prefix: String::new() }
    }

    /// Whether tensors are kept; then nothing that is dead for the result may be skipped.
    pub fn is_on(&self) -> bool {
        self.tensors.is_some()
    }

    /// Names what follows, replacing the previous prefix.
    pub fn set_prefix(&mut self, prefix: impl Into<String>) {
        self.prefix = prefix.into();
    }

    /// Keeps `tensor` under the prefix and the name.
    pub fn keep(&mut self, name: impl std::fmt::Display, tensor: &Tensor) {
        if let Some(tensors) = &mut self.tensors {
            tensors.insert(format!("{}{name}", self.prefix), tensor.detach());
        }
    }

    /// Everything kept.
    pub fn into_tensors(self) -> BTreeMap<String, Tensor> {
        self.tensors.unwrap_or_default()
    }
}
