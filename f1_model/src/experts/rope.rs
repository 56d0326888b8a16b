//! Rotary position embedding: tables of cosines and sines.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Tensor};

use crate::Result;

/// Cosines and sines of explicit positions, `[2, batch or 1, tokens, head_dim / 2]` in f32.
#[derive(Clone)]
pub struct RopeTable {
    angles: Tensor,
}

impl RopeTable {
    /// The table of these positions, one row for each batch element.
    ///
    /// # Errors
    /// The rows differ in length.
    pub fn new(
        positions: &[Vec<i64>],
        head_dim: usize,
        base: f64,
        device: &Device,
    ) -> Result<Self> {
        let half = head_dim / 2;
        let tokens = positions.first().map_or(0, Vec::len);
        // In f32 throughout, as the reference does.
        let periods: Vec<f32> =
            (0..half).map(|i| (base as f32).powf(2.0 / head_dim as f32 * i as f32)).collect();
        let mut cos = Vec::with_capacity(2 * positions.len() * tokens * half);
        let mut sin = Vec::with_capacity(positions.len() * tokens * half);
        for row in positions {
            for position in row {
                for period in &periods {
                    let (s, c) = (*position as f32 / period).sin_cos();
                    cos.push(c);
                    sin.push(s);
                }
            }
        }
        cos.append(&mut sin);
        Ok(Self { angles: Tensor::from_vec(cos, (2, positions.len(), tokens, half), device)? })
    }

    /// The angles in the layout of [`f1_kernels::rope`].
    pub fn angles(&self) -> &Tensor {
        &self.angles
    }

    /// The table of `tokens` tokens from `first` on.
    ///
    /// # Errors
    /// There are fewer.
    pub fn rows(&self, first: usize, tokens: usize) -> Result<Self> {
        Ok(Self { angles: self.angles.narrow(2, first, tokens)? })
    }
}

/// Tables of all positions from 0 on, computed on demand, each at least twice as long as the one
/// before.
///
/// They are never freed, because a recorded CUDA graph reads its table at the same address at each
/// launch. Together they are less than twice as long as the longest.
#[derive(Clone)]
pub struct RopeTables {
    head_dim: usize,
    base: f64,
    device: Device,
    /// Short to long.
    tables: Arc<Mutex<Vec<RopeTable>>>,
}

impl RopeTables {
    /// Nothing is computed yet.
    pub fn new(head_dim: usize, base: f64, device: &Device) -> Self {
        Self { head_dim, base, device: device.clone(), tables: Arc::default() }
    }

    /// The table of these positions, one row for each batch element.
    ///
    /// # Errors
    /// The rows differ in length, or the device refuses the memory.
    pub fn of(&self, positions: &[Vec<i64>]) -> Result<RopeTable> {
        // Without padding all rows are equal and consecutive.
        let same = positions.windows(2).all(|pair| pair[0] == pair[1]);
        let rows = if same { positions.get(..1).unwrap_or(positions) } else { positions };
        match rows {
            [row]
                if !row.is_empty()
                    && row[0] >= 0
                    && row.windows(2).all(|pair| pair[1] == pair[0] + 1) =>
            {
                self.consecutive(row[0] as usize, row.len())
            }
            rows => RopeTable::new(rows, self.head_dim, self.base, &self.device),
        }
    }

    fn consecutive(&self, start: usize, tokens: usize) -> Result<RopeTable> {
        let end = start + tokens;
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for table in tables.iter() {
            if table.angles.dim(2)? >= end {
                return table.rows(start, tokens);
            }
        }
        let all: Vec<i64> = (0..end.next_power_of_two() as i64).collect();
        let longer = RopeTable::new(&[all], self.head_dim, self.base, &self.device)?;
        let rows = longer.rows(start, tokens);
        tables.push(longer);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_long_table_are_those_of_a_short_one() {
        let tables = RopeTables::new(16, 10_000.0, &Device::Cpu);
        let values =
            |table: &RopeTable| table.angles().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for positions in [
            vec![vec![3, 4, 5]],
            vec![vec![0, 1]],
            vec![vec![900, 901]; 2],
            vec![vec![0, 0, 1], vec![2, 3, 4]],
        ] {
            let own = RopeTable::new(&positions, 16, 10_000.0, &Device::Cpu).unwrap();
            let own = if positions.len() == 2 && positions[0] == positions[1] {
                RopeTable::new(&positions[..1], 16, 10_000.0, &Device::Cpu).unwrap()
            } else {
                own
            };
            assert_eq!(values(&tables.of(&positions).unwrap()), values(&own), "{positions:?}");
        }
    }

    #[test]
    fn a_longer_table_does_not_move_the_shorter_one() {
        let tables = RopeTables::new(16, 10_000.0, &Device::Cpu);
        let address = |table: &RopeTable| {
            let (storage, _) = table.angles().storage_and_layout();
            match &*storage {
                candle_core::Storage::Cpu(storage) => storage.as_slice::<f32>().unwrap().as_ptr(),
                _ => unreachable!("a table on a CPU"),
            }
        };
        let short = address(&tables.of(&[vec![0, 1, 2]]).unwrap());
        let long = address(&tables.of(&[(0..2000).collect()]).unwrap());
        assert_ne!(short, long);
        // Only the tables themselves still hold both.
        assert_eq!(address(&tables.of(&[vec![1, 2]]).unwrap()), short);
        assert_eq!(address(&tables.of(&[(5..1500).collect()]).unwrap()), long);
        assert_eq!(tables.tables.lock().unwrap().len(), 2);
    }
}
