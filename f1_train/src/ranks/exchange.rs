//! Gradients on their way to the ranks that update by them, while the backward pass goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor};
use f1_kernels::with_gradients;

use super::layout::Layout;
use super::{Operation, Ranks};
use crate::optimizer::{Gradients, Optimizer, Update, accumulate};
use crate::{Result, TrainError};

/// The exchange of one rank's gradients and weights with the others.
pub struct Exchange {
    ranks: Ranks,
    layout: Arc<Layout>,
    state: Arc<Mutex<State>>,
    /// The order in which buckets leave, the same on every rank: that in which rank 0's first
    /// backward pass completed them.
    order: Option<Arc<Vec<usize>>>,
}

/// Gradients of one update, of this rank's part of the batch.
struct State {
    device: Device,
    /// By slot. A slot's place is empty again once its bucket is sent.
    gradients: Gradients,
    /// By slot, whether there was a gradient.
    present: Vec<bool>,
    /// By bucket, slots whose gradient is not complete.
    missing: Vec<usize>,
    /// Buckets in the order in which they were completed.
    completed: Vec<usize>,
    /// How many buckets have left.
    sent: usize,
    /// Why one could not be sent.
    fault: Option<TrainError>,
}

/// The gradients of an update, as its rank applies them.
#[derive(Debug)]
pub struct Reduced {
    /// Means over all ranks, of the elements that this rank owns; `None` where no rank has one.
    pub gradients: Gradients,
    /// Of all ranks, by rank: what each gave to [`Exchange::reduce`].
    pub numbers: Vec<Vec<f64>>,
    /// The global norm of the means; not a number where the update is to be left out.
    pub norm: f64,
    /// Ranks whose loss was not finite.
    pub not_finite: Vec<usize>,
}

impl Exchange {
    /// The exchange between these ranks, of tensors on `device`.
    #[must_use]
    pub fn new(ranks: Ranks, layout: Layout, device: &Device) -> Self {
        let state = Arc::new(Mutex::new(State::on(device.clone())));
        Self { ranks, layout: Arc::new(layout), state, order: None }
    }

    /// The ranks.
    #[must_use]
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// The division of the trained tensors.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Begins the last backward pass of an update; `before` are the sums of those before it. What
    /// passes through [`Self::pass`] from here on is sent as it is completed.
    ///
    /// # Errors
    /// When another rank is gone.
    pub fn begin(&mut self, before: Gradients) -> Result<()> {
        let slots = self.layout.buckets.last().map_or(0, |bucket| bucket.slots.end);
        let mut gradients = before;
        gradients.resize_with(slots, || None);
        let present = gradients.iter().map(Option::is_some).collect();
        let missing = self.layout.buckets.iter().map(|bucket| bucket.slots.len()).collect();
        let mut state = lock(&self.state);
        *state = State { gradients, present, missing, ..State::on(state.device.clone()) };
        drop(state);
        self.ranks.transport().begin(Operation::ReduceScatter, self.layout.buckets.len())
    }

    /// A trained tensor on its way into the network. Candle's backward pass computes the gradient
    /// of this operation's result when all that depends on it is done: it is complete then.
    ///
    /// # Errors
    /// When memory runs out: the result is a copy of the tensor.
    pub fn pass(&self, slot: usize, tensor: &Tensor) -> Result<Tensor> {
        let (ranks, layout) = (self.ranks.clone(), Arc::clone(&self.layout));
        let (state, order) = (Arc::clone(&self.state), self.order.clone());
        let backward = move |[_]: [&Tensor; 1], gradient: &Tensor| {
            let mut state = lock(&state);
            if let Err(fault) = state.complete(slot, gradient, &layout, &ranks, order.as_deref()) {
                state.fault.get_or_insert(fault);
            }
            // The sum over all ranks takes its place.
            Ok([None])
        };
        Ok(with_gradients([tensor], |[tensor]| Ok(tensor.clone()), backward)?)
    }

    /// Sends what the backward pass left, adds up what comes, and exchanges `numbers` of each
    /// rank. `finite` is whether this rank's loss was: where one was not, no rank has gradients.
    ///
    /// # Errors
    /// When another rank is gone, or a tensor operation fails.
    pub fn reduce(&mut self, finite: bool, numbers: &[f64]) -> Result<Reduced> {
        let order = self
            .order
            .clone()
            .unwrap_or_else(|| Arc::new((0..self.layout.buckets.len()).collect()));
        let present = {
            let mut state = lock(&self.state);
            if let Some(fault) = state.fault.take() {
                return Err(fault);
            }
            state.send_rest(&self.layout, &self.ranks, &order)?;
            std::mem::take(&mut state.present)
        };
        let mut gradients: Gradients = Vec::new();
        gradients.resize_with(present.len(), || None);
        for bucket in order.iter() {
            let sums = self.ranks.transport().finish()?;
            self.spread(*bucket, &sums, &mut gradients)?;
        }
        self.learn_order()?;
        let squares = crate::optimizer::sum_of_squares(&gradients)?;
        let mut own = vec![squares, f64::from(u8::from(finite))];
        own.extend(present.iter().map(|present| f64::from(u8::from(*present))));
        own.extend(numbers);
        let all = self.ranks.gather(&own)?;
        let not_finite: Vec<usize> = (0..all.len()).filter(|rank| all[*rank][1] == 0.0).collect();
        for (slot, gradient) in gradients.iter_mut().enumerate() {
            // What no loss depends on has no gradient and no decay either.
            if all.iter().all(|rank| rank[2 + slot] == 0.0) {
                *gradient = None;
            }
        }
        let squares: f64 = all.iter().map(|rank| rank[0]).sum();
        let numbers = all.iter().map(|rank| rank[2 + present.len()..].to_vec()).collect();
        let norm = if not_finite.is_empty() { squares.sqrt() } else { f64::NAN };
        Ok(Reduced { gradients, numbers, norm, not_finite })
    }

    /// Makes an update of this rank's part of every tensor and puts everybody's in its place.
    ///
    /// # Errors
    /// When another rank is gone, or a tensor operation fails.
    pub fn update(
        &mut self,
        optimizer: &mut Optimizer,
        gradients: &Gradients,
        update: Update,
        rate: impl Fn(f1_model::parameters::Group) -> f64,
    ) -> Result<()> {
        let layout = Arc::clone(&self.layout);
        let mut transport = self.ranks.transport();
        transport.begin(Operation::Gather, layout.buckets.len())?;
        for bucket in &layout.buckets {
            // One bucket's weights travel while the next one's are computed.
            optimizer.update_slots(bucket.slots.clone(), gradients, update, &rate)?;
            let slots = optimizer.slots();
            let first = &slots[bucket.slots.start].variable;
            let part = |slot: usize| slots[slot].owned_value();
            let share = bucket.share_of(&layout, first.dtype(), first.device(), part)?;
            transport.post(&share)?;
        }
        for bucket in &layout.buckets {
            let gathered = transport.finish()?;
            for slot in bucket.slots.clone() {
                let variable = &optimizer.slots()[slot].variable;
                variable.set(&bucket.tensor(&gathered, slot)?.reshape(variable.shape())?)?;
            }
        }
        Ok(())
    }

    /// Takes the slots' owned parts out of a bucket's share of sums, as means over the ranks.
    fn spread(&self, bucket: usize, sums: &Tensor, gradients: &mut Gradients) -> Result<()> {
        let means = (sums / self.ranks.size() as f64)?;
        let mut begin = 0;
        for slot in self.layout.buckets[bucket].slots.clone() {
            let length = self.layout.owned(slot).len();
            gradients[slot] = Some(means.narrow(0, begin, length)?);
            begin += length;
        }
        Ok(())
    }

    /// After the first backward pass: the order in which buckets leave from now on.
    fn learn_order(&mut self) -> Result<()> {
        if self.order.is_some() {
            return Ok(());
        }
        let completed = std::mem::take(&mut lock(&self.state).completed);
        let own: Vec<u32> = completed.iter().map(|bucket| *bucket as u32).collect();
        let order = self.ranks.broadcast(&Tensor::new(own, &Device::Cpu)?)?.to_vec1::<u32>()?;
        self.order = Some(Arc::new(order.into_iter().map(|bucket| bucket as usize).collect()));
        Ok(())
    }
}

impl State {
    fn on(device: Device) -> Self {
        Self {
            device,
            gradients: Vec::new(),
            present: Vec::new(),
            missing: Vec::new(),
            completed: Vec::new(),
            sent: 0,
            fault: None,
        }
    }

    /// Takes a slot's gradient and sends its bucket, if that is complete and its turn has come.
    fn complete(
        &mut self,
        slot: usize,
        gradient: &Tensor,
        layout: &Layout,
        ranks: &Ranks,
        order: Option<&Vec<usize>>,
    ) -> Result<()> {
        // Detached, or it would hold all that it was computed from.
        let mut total = vec![self.gradients[slot].take()];
        accumulate(&mut total, vec![Some(gradient.detach())])?;
        self.gradients[slot] = total.pop().flatten();
        self.present[slot] = true;
        let Some(bucket) = layout.buckets.iter().position(|of| of.slots.contains(&slot)) else {
            return Ok(());
        };
        self.missing[bucket] -= 1;
        if self.missing[bucket] == 0 {
            self.completed.push(bucket);
        }
        let Some(order) = order else { return Ok(()) };
        while let Some(next) = order.get(self.sent).filter(|next| self.missing[**next] == 0) {
            self.send(*next, layout, ranks)?;
        }
        Ok(())
    }

    /// Sends all buckets that have not left, complete or not: what is missing has no gradient.
    fn send_rest(&mut self, layout: &Layout, ranks: &Ranks, order: &[usize]) -> Result<()> {
        for bucket in 0..layout.buckets.len() {
            if self.missing[bucket] > 0 {
                self.completed.push(bucket);
            }
        }
        for bucket in &order[self.sent..] {
            self.send(*bucket, layout, ranks)?;
        }
        Ok(())
    }

    fn send(&mut self, bucket: usize, layout: &Layout, ranks: &Ranks) -> Result<()> {
        let of = &layout.buckets[bucket];
        let mut parts = Vec::new();
        for (place, slot) in of.slots.clone().enumerate() {
            parts.push(match self.gradients[slot].take() {
                Some(gradient) => gradient.flatten_all()?.to_dtype(DType::F32)?,
                None => Tensor::zeros(of.length(place), DType::F32, &self.device)?,
            });
        }
        let padding = of.padded(layout.size) - of.elements;
        if padding > 0 {
            parts.push(Tensor::zeros(padding, DType::F32, &self.device)?);
        }
        self.sent += 1;
        ranks.transport().post(&Tensor::cat(&parts, 0)?)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
