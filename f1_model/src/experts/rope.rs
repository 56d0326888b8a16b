//! Rotary position embedding: tables of cosines and sines.

use candle_core::{DType, Device, Tensor};

use crate::Result;

/// Cosines and sines of explicit positions, `[batch or 1, tokens, head_dim / 2]` in f32.
#[derive(Clone)]
pub struct RopeTable {
    /// Cosines.
    pub cos: Tensor,
    /// Sines.
    pub sin: Tensor,
}

impl RopeTable {
    /// For one row of positions a batch element.
    ///
    /// # Errors
    /// The rows differ in length.
    pub fn new(positions: &[Vec<i64>], head_dim: usize, base: f64, device: &Device) -> Result<Self> {
        let half = head_dim / 2;
        let tokens = positions.first().map_or(0, Vec::len);
        // In f32 throughout, as the reference does.
        let periods: Vec<f32> =
            (0..half).map(|i| (base as f32).powf(2.0 / head_dim as f32 * i as f32)).collect();
        let mut cos = Vec::with_capacity(positions.len() * tokens * half);
        let mut sin = Vec::with_capacity(cos.capacity());
        for row in positions {
            for position in row {
                for period in &periods {
                    let (s, c) = (*position as f32 / period).sin_cos();
                    cos.push(c);
                    sin.push(s);
                }
            }
        }
        let shape = (positions.len(), tokens, half);
        Ok(Self {
            cos: Tensor::from_vec(cos, shape, device)?.to_dtype(DType::F32)?,
            sin: Tensor::from_vec(sin, shape, device)?.to_dtype(DType::F32)?,
        })
    }

    /// For consecutive positions from `start`, the same in every batch element.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn consecutive(
        start: usize,
        tokens: usize,
        head_dim: usize,
        base: f64,
        device: &Device,
    ) -> Result<Self> {
        let row: Vec<i64> = (start..start + tokens).map(|position| position as i64).collect();
        Self::new(&[row], head_dim, base, device)
    }
}
