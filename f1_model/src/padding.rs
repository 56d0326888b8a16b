//! The padding tokens of a batch, and the positions and score biases that follow from them.

use std::ops::Range;

use candle_core::{Device, Tensor};

use crate::experts::Block;
use crate::{Error, Result};

/// Added to the score of a padded key: its softmax is zero in f32.
const MASKED: f32 = -1e30;

/// Validity of the first tokens (understanding); all later tokens are valid.
#[derive(Clone, Debug)]
pub struct Padding {
    rows: Vec<Vec<bool>>,
    /// Later tokens that no query sees, in the samples that are marked.
    hidden: Option<(Vec<bool>, Range<usize>)>,
}

impl Padding {
    /// From a row of flags for each batch element.
    ///
    /// # Errors
    /// Rows differ in length, or one has no valid token.
    pub fn new(rows: Vec<Vec<bool>>) -> Result<Self> {
        let tokens = rows.first().map_or(0, Vec::len);
        for (index, row) in rows.iter().enumerate() {
            if row.len() != tokens {
                return Err(Error::input(format!(
                    "padding row {index} has {} flags, not {tokens}",
                    row.len()
                )));
            }
            if !row.iter().any(|valid| *valid) {
                return Err(Error::input(format!(
                    "sample {index} has no valid understanding token"
                )));
            }
        }
        Ok(Self { rows, hidden: None })
    }

    /// No padding.
    pub fn none(batch: usize, tokens: usize) -> Self {
        Self { rows: vec![vec![true; tokens]; batch], hidden: None }
    }

    /// The same with `tokens` hidden in the marked samples: their scores are biased as those of
    /// padded keys are, while positions stay as they were.
    ///
    /// # Errors
    /// Another number of marks than samples.
    pub fn hiding(&self, marked: &[bool], tokens: Range<usize>) -> Result<Self> {
        if marked.len() != self.batch() {
            return Err(Error::input(format!(
                "{} marks for {} samples",
                marked.len(),
                self.batch()
            )));
        }
        let hidden = marked.contains(&true).then(|| (marked.to_vec(), tokens));
        Ok(Self { rows: self.rows.clone(), hidden })
    }

    /// Batch elements.
    pub fn batch(&self) -> usize {
        self.rows.len()
    }

    /// Tokens covered.
    pub fn tokens(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    /// The flags.
    pub fn rows(&self) -> &[Vec<bool>] {
        &self.rows
    }

    /// Valid tokens of each batch element.
    pub fn counts(&self) -> Vec<usize> {
        self.rows.iter().map(|row| row.iter().filter(|valid| **valid).count()).collect()
    }

    /// Positions of these tokens and of `following` valid ones: the cumulative count of valid
    /// tokens minus one.
    pub fn positions(&self, following: usize) -> Vec<Vec<i64>> {
        self.rows
            .iter()
            .map(|row| {
                let mut count = 0i64;
                row.iter()
                    .copied()
                    .chain(std::iter::repeat_n(true, following))
                    .map(|valid| {
                        count += i64::from(valid);
                        count - 1
                    })
                    .collect()
            })
            .collect()
    }

    /// Bias of `keys` keys `[batch, 1, keys]`; `None` when nothing is padded.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn bias(&self, keys: usize, device: &Device) -> Result<Option<Tensor>> {
        if self.hidden.is_none() && self.rows.iter().all(|row| row.iter().all(|valid| *valid)) {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(self.batch() * keys);
        for (sample, row) in self.rows.iter().enumerate() {
            let padded = row.iter().map(|valid| if *valid { 0.0 } else { MASKED });
            values.extend(padded.chain(std::iter::repeat(0.0)).take(keys));
            if let Some((marked, tokens)) = &self.hidden
                && marked[sample]
            {
                let first = sample * keys;
                let range = tokens.start.min(keys)..tokens.end.min(keys);
                values[first + range.start..first + range.end].fill(MASKED);
            }
        }
        Ok(Some(Tensor::from_vec(values, (self.batch(), 1, keys), device)?))
    }

    /// The dense mask of blocks and padding, `[batch][row][key]`, for comparison with a reference.
    /// `first` is the index of the first row among all tokens.
    pub fn dense_mask(&self, blocks: &[Block], first: usize, keys: usize) -> Vec<Vec<Vec<bool>>> {
        let valid = |batch: &Vec<bool>, token: usize| batch.get(token).copied().unwrap_or(true);
        self.rows
            .iter()
            .map(|batch| {
                let mut rows = Vec::new();
                for block in blocks {
                    for _ in 0..block.rows {
                        let row = first + rows.len();
                        rows.push(
                            (0..keys)
                                .map(|key| {
                                    key < block.keys && valid(batch, row) && valid(batch, key)
                                })
                                .collect(),
                        );
                    }
                }
                rows
            })
            .collect()
    }
}
