//! Training on several ranks: processes that each compute the gradients of their part of a batch
//! and make the same update.
//!
//! - [`Launch`] reads from the environment which rank this process is.
//! - [`Ranks`] is the connection to the others: by MPI between processes, by
//!   [`Threads`] between threads of a test.
//! - [`Layout`] divides the optimizer's state between ranks (ZeRO stage 1), and gradients into
//!   buckets.
//! - [`Exchange`] sends each bucket of gradients as soon as the backward pass has completed it.
//!
//! An update costs each rank what an all-reduce of the gradients would: every bucket is
//! reduce-scattered, so that a rank gets the sum of its share, and the weights that it has updated
//! by it are all-gathered.

mod exchange;
mod launch;
mod layout;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "nccl")]
mod nccl;
mod threads;
mod transport;
#[cfg(any(feature = "nccl", test))]
mod unique_id;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor};
use f1_data::loader::Share;

pub use self::exchange::Exchange;
pub use self::launch::{Launch, Launcher};
pub use self::layout::{BUCKET_BYTES, Bucket, Layout};
pub use self::threads::Threads;
pub use self::transport::{OnHost, Operation, Transport, WordTransport};
use crate::{Result, TrainError};

/// The connection of a rank to the others. Clones are the same connection.
#[derive(Clone)]
pub struct Ranks {
    transport: Arc<Mutex<Box<dyn Transport>>>,
    rank: usize,
    size: usize,
    bucket_bytes: usize,
}

impl std::fmt::Debug for Ranks {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "rank {} of {}", self.rank, self.size)
    }
}

impl Ranks {
    /// Connects this process with those that were launched with it: by MPI, and where they compute
    /// on GPUs and this build can, by NCCL, whose id MPI hands out or, without it, a socket.
    ///
    /// # Errors
    /// When this build cannot, or a library fails; the message says what to do.
    pub fn connect(launch: &Launch, device: &Device) -> Result<Self> {
        let host = match launch.launcher {
            Launcher::Torchrun => None,
            _ => over_mpi(launch)?,
        };
        #[cfg(feature = "nccl")]
        if let Device::Cuda(device) = device {
            let id = match &host {
                Some(host) => unique_id::broadcast(host, nccl::make_id)?,
                None => unique_id::over_socket(launch, nccl::make_id)?,
            };
            return Ok(Self::new(nccl::Nccl::connect(launch, device, id, host)?));
        }
        host.ok_or_else(|| {
            let (rank, size) = (launch.rank, launch.size);
            let what = match (launch.launcher, device.is_cuda()) {
                (Launcher::Torchrun, true) => {
                    "torchrun's ranks are connected by NCCL: build with --features f1_cli/nccl"
                }
                (Launcher::Torchrun, false) => {
                    "torchrun's ranks are connected by NCCL, on GPUs alone (device: cuda): start \
                     with mpirun"
                }
                _ => {
                    "this build trains in one process: install MPI and libclang (Debian: apt-get \
                     install openmpi-bin libopenmpi-dev libclang-dev) and build with --features \
                     f1_cli/mpi"
                }
            };
            TrainError::Launch(format!("this process was started as rank {rank} of {size}: {what}"))
        })
    }

    /// Ranks that are connected by a transport.
    #[must_use]
    pub fn new(transport: impl Transport + 'static) -> Self {
        let (rank, size) = (transport.rank(), transport.size());
        let transport: Arc<Mutex<Box<dyn Transport>>> = Arc::new(Mutex::new(Box::new(transport)));
        Self { transport, rank, size, bucket_bytes: BUCKET_BYTES }
    }

    /// The same ranks with another least size of a bucket of gradients.
    #[must_use]
    pub fn with_bucket_bytes(self, bucket_bytes: usize) -> Self {
        Self { bucket_bytes, ..self }
    }

    /// This rank, from 0.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many ranks there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Least size of a bucket of f32 gradients.
    #[must_use]
    pub fn bucket_bytes(&self) -> usize {
        self.bucket_bytes
    }

    /// This rank's part of every batch.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { rank: self.rank, world: self.size }
    }

    /// Ends the connection in order: every rank must come here.
    pub fn close(&self) {
        self.transport().close();
    }

    /// Ends all ranks, as far as the library can: MPI's do not return from here.
    pub fn abort(&self) {
        self.transport().abort();
    }

    /// Returns once all ranks have come here.
    ///
    /// # Errors
    /// When another rank is gone.
    pub fn barrier(&self) -> Result<()> {
        self.gather(&[0.0]).map(drop)
    }

    /// Numbers of all ranks, by rank; every rank gives as many.
    ///
    /// # Errors
    /// When another rank is gone.
    pub fn gather(&self, numbers: &[f64]) -> Result<Vec<Vec<f64>>> {
        let message = Tensor::new(numbers, &Device::Cpu)?;
        let all = self.one(Operation::Gather, &message)?.to_vec1::<f64>()?;
        Ok(all.chunks(numbers.len().max(1)).map(<[f64]>::to_vec).collect())
    }

    /// Rows of numbers of all ranks, by rank; a rank may give any number of rows, all of one width.
    ///
    /// # Errors
    /// When another rank is gone.
    pub fn gather_rows(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<Vec<f32>>>> {
        let width = rows.first().map_or(0, Vec::len);
        let sizes = self.gather(&[rows.len() as f64, width as f64])?;
        let most = |field: usize| sizes.iter().map(|of| of[field] as usize).max().unwrap_or(0);
        let (longest, width) = (most(0), most(1).max(1));
        let mut own: Vec<f32> = rows.concat();
        own.resize(longest.max(1) * width, 0.0);
        let count = own.len();
        let message = Tensor::from_vec(own, count, &Device::Cpu)?;
        let all = self.one(Operation::Gather, &message)?.to_vec1::<f32>()?;
        let of_rank = |(values, sizes): (&[f32], &Vec<f64>)| -> Vec<Vec<f32>> {
            values.chunks(width).take(sizes[0] as usize).map(<[f32]>::to_vec).collect()
        };
        Ok(all.chunks(count).zip(&sizes).map(of_rank).collect())
    }

    /// Rank 0's tensor on every rank. Every rank gives one of the same shape and type.
    ///
    /// # Errors
    /// When another rank is gone.
    pub fn broadcast(&self, tensor: &Tensor) -> Result<Tensor> {
        let flat = tensor.detach().flatten_all()?.contiguous()?;
        Ok(self.one(Operation::Broadcast, &flat)?.reshape(tensor.shape())?)
    }

    /// Whole tensors from the parts that the ranks own: one flat tensor a slot, on every rank, on
    /// the processor. `part` gives the owned elements of a slot in f32.
    ///
    /// # Errors
    /// When another rank is gone, or a tensor operation fails.
    pub fn collect(
        &self,
        layout: &Layout,
        part: impl Fn(usize) -> Result<Tensor>,
    ) -> Result<Vec<Tensor>> {
        let mut whole = Vec::new();
        for bucket in &layout.buckets {
            let share = bucket.share_of(layout, DType::F32, &Device::Cpu, &part)?;
            let gathered = self.one(Operation::Gather, &share)?;
            for slot in bucket.slots.clone() {
                whole.push(bucket.tensor(&gathered, slot)?);
            }
        }
        Ok(whole)
    }

    fn one(&self, operation: Operation, message: &Tensor) -> Result<Tensor> {
        let mut transport = self.transport();
        transport.begin(operation, 1)?;
        transport.post(message)?;
        transport.finish()
    }

    fn transport(&self) -> MutexGuard<'_, Box<dyn Transport>> {
        self.transport.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ranks that an MPI launcher started; `None` in a build without MPI.
#[cfg(feature = "mpi")]
fn over_mpi(launch: &Launch) -> Result<Option<Ranks>> {
    Ok(Some(Ranks::new(OnHost::new(mpi::Mpi::connect(launch)?))))
}

#[cfg(not(feature = "mpi"))]
fn over_mpi(_launch: &Launch) -> Result<Option<Ranks>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_that_cannot_be_connected_say_what_to_build() {
        let launch =
            Launch { rank: 1, size: 4, local_rank: 1, launcher: Launcher::Torchrun, master: None };
        let message = Ranks::connect(&launch, &Device::Cpu).unwrap_err().to_string();
        assert!(message.contains("rank 1 of 4") && message.contains("mpirun"), "{message}");
        #[cfg(not(feature = "mpi"))]
        {
            let launch = Launch { launcher: Launcher::OpenMpi, ..launch };
            let message = Ranks::connect(&launch, &Device::Cpu).unwrap_err().to_string();
            assert!(message.contains("--features f1_cli/mpi"), "{message}");
        }
    }

    #[test]
    fn every_operation_gives_every_rank_what_it_says() {
        let of = |ranks: Ranks| {
            let rank = ranks.rank() as f64;
            assert_eq!(ranks.gather(&[rank, 7.0]).unwrap(), [[0.0, 7.0], [1.0, 7.0], [2.0, 7.0]]);
            let rows = vec![vec![rank as f32, 1.0]; ranks.rank()];
            let all = ranks.gather_rows(&rows).unwrap();
            assert_eq!(all, [vec![], vec![vec![1.0, 1.0]], vec![vec![2.0, 1.0]; 2]]);
            let tensor = Tensor::full(rank as f32, (2, 2), &Device::Cpu).unwrap();
            let first = ranks.broadcast(&tensor).unwrap();
            assert_eq!(first.to_vec2::<f32>().unwrap(), [[0.0; 2]; 2]);
            let mut transport = ranks.transport();
            transport.begin(Operation::ReduceScatter, 2).unwrap();
            for factor in [1.0f32, 10.0] {
                // Part r of the message is r + 1 in every element.
                let parts: Vec<f32> =
                    (0..6).map(|at| factor * (rank as f32 + 1.0) * (at / 2 + 1) as f32).collect();
                transport.post(&Tensor::from_vec(parts, 6, &Device::Cpu).unwrap()).unwrap();
            }
            for factor in [1.0f32, 10.0] {
                let sums = transport.finish().unwrap().to_vec1::<f32>().unwrap();
                assert_eq!(sums, [factor * 6.0 * (rank as f32 + 1.0); 2]);
            }
        };
        let of = &of;
        std::thread::scope(|scope| {
            for threads in Threads::connected(3) {
                scope.spawn(move || of(Ranks::new(OnHost::new(threads))));
            }
        });
    }
}
