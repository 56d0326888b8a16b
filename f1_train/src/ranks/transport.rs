//! Collective operations between ranks.

use std::collections::VecDeque;

use candle_core::{DType, Device, Tensor};
use half::bf16;

use crate::{Result, TrainError};

/// A collective operation. Every message of a series is one call of it on every rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A message has as many equal parts as there are ranks. What comes back on rank r is the sum
    /// of all ranks' parts r, in f32.
    ReduceScatter,
    /// What comes back is the messages of all ranks, by rank.
    Gather,
    /// What comes back is the message of rank 0; those of the others count for their length alone.
    Broadcast,
}

/// Moves flat tensors between ranks in the background.
///
/// Messages go out in series: [`Self::begin`], then [`Self::post`] and [`Self::finish`] as many
/// times as announced, in any interleaving that finishes no message before it is posted. All ranks
/// make the same series, with messages of the same lengths and types in the same order.
pub trait Transport: Send {
    /// This rank.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// Begins a series of `count` messages.
    ///
    /// # Errors
    /// When another rank is gone.
    fn begin(&mut self, operation: Operation, count: usize) -> Result<()>;

    /// Sends a message, a flat tensor; returns at once.
    ///
    /// # Errors
    /// When another rank is gone.
    fn post(&mut self, message: &Tensor) -> Result<()>;

    /// The result of the oldest message that was posted and not finished, of its type and on its
    /// device.
    ///
    /// # Errors
    /// When another rank is gone.
    fn finish(&mut self) -> Result<Tensor>;

    /// Says that this rank has ended in order. Without it, the end of a rank is a fault.
    fn close(&mut self);

    /// Ends all ranks, as far as the library can.
    fn abort(&mut self);
}

/// What a library does for [`OnHost`]: it moves 32-bit words through the processor's memory, in
/// series as [`Transport`] does.
pub trait WordTransport: Send {
    /// See [`Transport::rank`].
    fn rank(&self) -> usize;

    /// See [`Transport::size`].
    fn size(&self) -> usize;

    /// See [`Transport::begin`].
    ///
    /// # Errors
    /// When another rank is gone.
    fn begin(&mut self, operation: Operation, count: usize) -> Result<()>;

    /// See [`Transport::post`].
    ///
    /// # Errors
    /// When another rank is gone.
    fn post(&mut self, message: Vec<u32>) -> Result<()>;

    /// See [`Transport::finish`], but that a reduce-scatter is not added up: what comes back is the
    /// parts for this rank, by rank.
    ///
    /// # Errors
    /// When another rank is gone.
    fn finish(&mut self) -> Result<Vec<u32>>;

    /// See [`Transport::close`].
    fn close(&mut self);

    /// See [`Transport::abort`].
    fn abort(&mut self);
}

/// Tensors over a transport of words. Sums are made here, in the order of the ranks: the same
/// numbers with every library.
#[derive(Debug)]
pub struct OnHost<W> {
    words: W,
    operation: Operation,
    /// Type and device of the messages that are posted and not finished.
    open: VecDeque<(DType, Device)>,
}

impl<W: WordTransport> OnHost<W> {
    /// Tensors over `words`.
    pub fn new(words: W) -> Self {
        Self { words, operation: Operation::Gather, open: VecDeque::new() }
    }
}

impl<W: WordTransport> Transport for OnHost<W> {
    fn rank(&self) -> usize {
        self.words.rank()
    }

    fn size(&self) -> usize {
        self.words.size()
    }

    fn begin(&mut self, operation: Operation, count: usize) -> Result<()> {
        self.operation = operation;
        self.words.begin(operation, count)
    }

    fn post(&mut self, message: &Tensor) -> Result<()> {
        self.words.post(words_of(message)?)?;
        self.open.push_back((message.dtype(), message.device().clone()));
        Ok(())
    }

    fn finish(&mut self) -> Result<Tensor> {
        let words = self.words.finish()?;
        let Some((dtype, device)) = self.open.pop_front() else {
            return Err(TrainError::Stopped("a message is awaited that was not posted".to_owned()));
        };
        let result = match self.operation {
            Operation::ReduceScatter => {
                let sums = sum(&words, self.words.size());
                let count = sums.len();
                Tensor::from_vec(sums, count, &Device::Cpu)?
            }
            _ => tensor_of(words, dtype)?,
        };
        Ok(result.to_device(&device)?)
    }

    fn close(&mut self) {
        self.words.close();
    }

    fn abort(&mut self) {
        self.words.abort();
    }
}

/// Sums of the ranks' parts, which are of f32, in the order of the ranks.
fn sum(words: &[u32], size: usize) -> Vec<f32> {
    let values: &[f32] = bytemuck::cast_slice(words);
    let mut parts = values.chunks((values.len() / size).max(1));
    let mut sums = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    sums
}

/// The words of a flat tensor; of bf16, an even number of elements.
fn words_of(flat: &Tensor) -> Result<Vec<u32>> {
    Ok(match flat.dtype() {
        DType::BF16 => bytemuck::pod_collect_to_vec(&flat.to_vec1::<bf16>()?),
        DType::F64 => bytemuck::pod_collect_to_vec(&flat.to_vec1::<f64>()?),
        DType::I64 => bytemuck::pod_collect_to_vec(&flat.to_vec1::<i64>()?),
        DType::U32 => flat.to_vec1::<u32>()?,
        _ => bytemuck::cast_vec(flat.to_vec1::<f32>()?),
    })
}

/// The flat tensor of words, on the processor.
fn tensor_of(words: Vec<u32>, dtype: DType) -> Result<Tensor> {
    fn flat<T: candle_core::WithDType>(values: Vec<T>) -> Result<Tensor> {
        let count = values.len();
        Ok(Tensor::from_vec(values, count, &Device::Cpu)?)
    }
    match dtype {
        DType::BF16 => flat::<bf16>(bytemuck::pod_collect_to_vec(&words)),
        DType::F64 => flat::<f64>(bytemuck::pod_collect_to_vec(&words)),
        DType::I64 => flat::<i64>(bytemuck::pod_collect_to_vec(&words)),
        DType::U32 => flat(words),
        _ => flat::<f32>(bytemuck::cast_vec(words)),
    }
}
