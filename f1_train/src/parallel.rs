//! Data parallel training: several processes, each with its part of every batch, average their
//! gradients over TCP.
//!
//! Process 0 listens, the others connect to it. In every update each sends its gradients, process 0
//! adds them up in the order of their ranks (the sum is the same however the network hurries) and
//! sends the mean back to all, so that all of them make the same update. Tensors pass through the
//! processor's memory; with the feature `nccl` those of GPUs go from GPU to GPU.

use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use candle_core::{DType, Tensor};
use f1_data::loader::Share;

use crate::optimizer::{Gradients, Slot};
use crate::{Result, TrainError};

/// Longest wait for the other processes to appear.
const MEETING: Duration = Duration::from_secs(600);
/// Longest wait for a message once all are there: process 0 may be encoding all frames of a data
/// set meanwhile. A process that ends is noticed at once.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);
const GREETING: &[u8; 8] = b"f1train1";

/// Which process of how many this is, and where they meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// 0 to `world - 1`; process 0 writes checkpoints.
    pub rank: usize,
    /// How many processes there are.
    pub world: usize,
    /// `host:port` of process 0.
    pub meet: String,
}

impl Place {
    /// This process's part of every batch.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { rank: self.rank, world: self.world }
    }
}

/// Connections to the other processes.
#[derive(Debug)]
pub struct Peers {
    place: Place,
    /// Of process 0: one to every other, by rank. Of the others: one to process 0.
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    rank: usize,
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
}

impl Line {
    fn new(rank: usize, stream: TcpStream) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            rank,
            reader: BufReader::new(stream.try_clone()?),
            writer: BufWriter::new(stream),
        })
    }

    fn send(&mut self, values: &[f32]) -> Result<()> {
        let rank = self.rank;
        let mut write = || -> std::io::Result<()> {
            self.writer.write_all(&(values.len() as u64).to_le_bytes())?;
            for value in values {
                self.writer.write_all(&value.to_le_bytes())?;
            }
            self.writer.flush()
        };
        write().map_err(|fault| lost(rank, &fault))
    }

    fn receive(&mut self, length: usize) -> Result<Vec<f32>> {
        let rank = self.rank;
        let mut read = || -> std::io::Result<Vec<u8>> {
            let mut header = [0; 8];
            self.reader.read_exact(&mut header)?;
            let sent = u64::from_le_bytes(header);
            if sent != length as u64 {
                return Err(std::io::Error::other(format!(
                    "it sent {sent} numbers instead of {length}"
                )));
            }
            let mut bytes = vec![0; length * 4];
            self.reader.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|fault| lost(rank, &fault))?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

fn lost(rank: usize, fault: &std::io::Error) -> TrainError {
    TrainError::Stopped(format!(
        "process {rank} of this run is gone or does not answer ({fault}): see what it says, then start all of them again \
         with --resume"
    ))
}

impl Peers {
    /// Meets the other processes; returns once all are there. `run` is the run's fingerprint,
    /// `step` where it stands: both must be the same everywhere.
    ///
    /// # Errors
    /// When the address cannot be used, not all come in time, or one comes with another run.
    pub fn meet(place: Place, run: &str, step: u64) -> Result<Self> {
        let fault = |what: String| TrainError::Stopped(format!("{}: {what}", place.meet));
        if place.world < 2 || place.rank >= place.world {
            return Err(fault(format!(
                "rank {} of {} processes: there is none",
                place.rank, place.world
            )));
        }
        let mut introduction = GREETING.to_vec();
        introduction.extend(format!("{run:>16.16}").bytes());
        introduction.extend(step.to_le_bytes());
        introduction.extend((place.world as u64).to_le_bytes());
        let common = introduction.len();
        introduction.extend((place.rank as u64).to_le_bytes());
        let begun = Instant::now();
        let mut lines = Vec::new();
        if place.rank == 0 {
            let listener =
                TcpListener::bind(&place.meet).map_err(|error| fault(error.to_string()))?;
            listener.set_nonblocking(true).map_err(|error| fault(error.to_string()))?;
            while lines.len() + 1 < place.world {
                if begun.elapsed() > MEETING {
                    let there = lines.len() + 1;
                    return Err(fault(format!("only {there} of {} processes came", place.world)));
                }
                let Ok((mut stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                };
                let mut said = vec![0; introduction.len()];
                let heard = stream
                    .set_nonblocking(false)
                    .and_then(|()| stream.set_read_timeout(Some(Duration::from_secs(10))))
                    .and_then(|()| stream.read_exact(&mut said));
                // Whoever else knocks at the port is no reason to stop.
                if heard.is_err() || said[..GREETING.len()] != *GREETING {
                    continue;
                }
                let rank =
                    u64::from_le_bytes(said[common..].try_into().unwrap_or_default()) as usize;
                if said[..common] != introduction[..common] {
                    let why =
                        "its run file, its place in the run or its number of processes is another";
                    return Err(fault(format!("process {rank} does not fit: {why}")));
                }
                if rank == 0
                    || rank >= place.world
                    || lines.iter().any(|line: &Line| line.rank == rank)
                {
                    return Err(fault(format!("two processes have rank {rank}")));
                }
                lines.push(Line::new(rank, stream).map_err(|error| fault(error.to_string()))?);
            }
            lines.sort_by_key(|line| line.rank);
        } else {
            let stream = loop {
                match connect(&place.meet) {
                    Ok(stream) => break stream,
                    Err(_) if begun.elapsed() < MEETING => {
                        std::thread::sleep(Duration::from_millis(100))
                    }
                    Err(error) => return Err(fault(format!("process 0 does not answer: {error}"))),
                }
            };
            let mut line = Line::new(0, stream).map_err(|error| fault(error.to_string()))?;
            let sent = line.writer.write_all(&introduction).and_then(|()| line.writer.flush());
            sent.map_err(|error| lost(0, &error))?;
            lines.push(line);
        }
        let mut peers = Self { place, lines };
        // Whoever was refused learns of it here and not in the middle of an update.
        peers.wait()?;
        Ok(peers)
    }

    /// Which process this is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns once all have come here.
    ///
    /// # Errors
    /// When one is gone.
    pub fn wait(&mut self) -> Result<()> {
        self.mean(&mut [0.0])
    }

    /// Replaces numbers by their mean over all processes: bit for bit the same everywhere.
    ///
    /// # Errors
    /// When one is gone.
    pub fn mean(&mut self, values: &mut [f32]) -> Result<()> {
        if self.place.rank == 0 {
            for line in &mut self.lines {
                let theirs = line.receive(values.len())?;
                values.iter_mut().zip(theirs).for_each(|(sum, value)| *sum += value);
            }
            let share = 1.0 / self.place.world as f32;
            values.iter_mut().for_each(|value| *value *= share);
            self.lines.iter_mut().try_for_each(|line| line.send(values))
        } else {
            for line in &mut self.lines {
                line.send(values)?;
                values.copy_from_slice(&line.receive(values.len())?);
            }
            Ok(())
        }
    }

    /// Averages the gradients of all slots, and `more` numbers with them.
    ///
    /// # Errors
    /// When one is gone, or a tensor operation fails.
    pub fn average(
        &mut self,
        slots: &[Slot],
        gradients: &mut Gradients,
        more: &mut [f32],
    ) -> Result<()> {
        #[cfg(feature = "nccl")]
        if let Some(candle_core::Device::Cuda(device)) =
            slots.first().map(|slot| slot.variable.device())
        {
            return self.average_on_gpus(device, slots, gradients, more);
        }
        let mut flat: Vec<f32> = Vec::new();
        for (index, slot) in slots.iter().enumerate() {
            // A process whose loss was broken sends what breaks everybody's, so that all leave the
            // update out.
            match gradients.get(index) {
                Some(Some(gradient)) => {
                    flat.extend(gradient.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
                }
                Some(None) => flat.resize(flat.len() + slot.variable.elem_count(), 0.0),
                None => flat.resize(flat.len() + slot.variable.elem_count(), f32::NAN),
            }
        }
        let of_slots = flat.len();
        flat.extend_from_slice(more);
        self.mean(&mut flat)?;
        more.copy_from_slice(&flat[of_slots..]);
        let (mut at, mut out) = (0, Vec::with_capacity(slots.len()));
        for (index, slot) in slots.iter().enumerate() {
            let count = slot.variable.elem_count();
            let values = flat[at..at + count].to_vec();
            at += count;
            // What no loss depends on has no gradient and no decay either, alone or together.
            let none = matches!(gradients.get(index), Some(None))
                && values.iter().all(|value| *value == 0.0);
            let shape = slot.variable.shape();
            out.push(if none {
                None
            } else {
                Some(Tensor::from_vec(values, shape, slot.variable.device())?)
            });
        }
        *gradients = out;
        Ok(())
    }
}

#[cfg(feature = "nccl")]
impl Peers {
    /// As [`Peers::average`], the tensors by NCCL; `more`, and who has which gradient, still goes
    /// over TCP.
    fn average_on_gpus(
        &mut self,
        device: &candle_core::CudaDevice,
        slots: &[Slot],
        gradients: &mut Gradients,
        more: &mut [f32],
    ) -> Result<()> {
        let place = self.place.clone();
        if !crate::nccl::has_joined() {
            crate::nccl::join(device, &place, |numbers| {
                // The mean of one process's numbers and nothing but zeros, times their number.
                self.mean(numbers)?;
                numbers
                    .iter_mut()
                    .for_each(|number| *number = (*number * place.world as f32).round());
                Ok(())
            })?;
        }
        // 1 where a process has a gradient, not-a-number where its loss was broken.
        let has = |index: usize| match gradients.get(index) {
            Some(Some(_)) => 1.0,
            Some(None) => 0.0,
            None => f32::NAN,
        };
        let mut had: Vec<f32> = (0..slots.len()).map(has).collect();
        had.extend_from_slice(more);
        self.mean(&mut had)?;
        more.copy_from_slice(&had[slots.len()..]);
        let mut out = Vec::with_capacity(slots.len());
        for (index, slot) in slots.iter().enumerate() {
            if had[index] == 0.0 {
                out.push(None);
                continue;
            }
            let own = match gradients.get(index) {
                Some(Some(gradient)) => gradient.to_dtype(DType::F32)?,
                Some(None) => {
                    Tensor::zeros(slot.variable.shape(), DType::F32, slot.variable.device())?
                }
                None => Tensor::full(f32::NAN, slot.variable.shape(), slot.variable.device())?,
            };
            out.push(Some((crate::nccl::sum(&own)? / place.world as f64)?));
        }
        *gradients = out;
        Ok(())
    }
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name leads nowhere");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_address() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    }

    fn meet(rank: usize, world: usize, meet: &str, run: &str) -> Result<Peers> {
        Peers::meet(Place { rank, world, meet: meet.to_owned() }, run, 7)
    }

    #[test]
    fn three_processes_come_to_the_same_mean() {
        let address = free_address();
        let means: Vec<Vec<f32>> = std::thread::scope(|scope| {
            let address = &address;
            let work = move |rank: usize| {
                let mut peers = meet(rank, 3, address, "run").unwrap();
                let mut values: Vec<f32> =
                    (0..100_000).map(|i| (i * (rank + 1)) as f32 * 1e-3).collect();
                peers.mean(&mut values).unwrap();
                values
            };
            let threads: Vec<_> = [2, 0, 1].map(|rank| scope.spawn(move || work(rank))).into();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(means[0], means[1]);
        assert_eq!(means[0], means[2]);
        assert!((means[0][50_000] - 100.0).abs() < 1e-3);
    }

    #[test]
    fn another_run_is_refused_and_a_lost_process_is_named() {
        let address = free_address();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| meet(1, 2, &address, "another"));
            let message = meet(0, 2, &address, "run").unwrap_err().to_string();
            assert!(message.contains("process 1 does not fit"), "{message}");
            assert!(other.join().unwrap().is_err());
        });
        let address = free_address();
        std::thread::scope(|scope| {
            scope.spawn(|| drop(meet(1, 2, &address, "run").unwrap()));
            let mut peers = meet(0, 2, &address, "run").unwrap();
            let message = peers.mean(&mut [1.0]).unwrap_err().to_string();
            assert!(message.contains("process 1 of this run is gone"), "{message}");
        });
        assert!(meet(2, 2, "127.0.0.1:1", "run").is_err());
    }
}
