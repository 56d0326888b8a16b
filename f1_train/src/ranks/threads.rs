//! Ranks that are threads of one process: a stand-in for MPI and NCCL in tests.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::transport::{Operation, WordTransport};
use crate::{Result, TrainError};

/// One rank of several in a process.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    operation: Operation,
    /// To every rank, this one included.
    senders: Vec<Sender<Vec<u32>>>,
    /// From every rank.
    receivers: Vec<Receiver<Vec<u32>>>,
}

impl Threads {
    /// `size` ranks that are connected with each other.
    #[must_use]
    pub fn connected(size: usize) -> Vec<Self> {
        let mut senders: Vec<Vec<Sender<_>>> = (0..size).map(|_| Vec::new()).collect();
        let mut receivers: Vec<Vec<Receiver<_>>> = (0..size).map(|_| Vec::new()).collect();
        for from in &mut senders {
            for to in &mut receivers {
                let (sender, receiver) = channel();
                from.push(sender);
                to.push(receiver);
            }
        }
        senders
            .into_iter()
            .zip(receivers)
            .enumerate()
            .map(|(rank, (senders, receivers))| Self {
                rank,
                operation: Operation::Gather,
                senders,
                receivers,
            })
            .collect()
    }
}

impl WordTransport for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.senders.len()
    }

    fn begin(&mut self, operation: Operation, _count: usize) -> Result<()> {
        self.operation = operation;
        Ok(())
    }

    fn post(&mut self, message: Vec<u32>) -> Result<()> {
        let part = message.len() / self.size();
        for (to, sender) in self.senders.iter().enumerate() {
            let sent = match self.operation {
                Operation::ReduceScatter => {
                    sender.send(message[to * part..(to + 1) * part].to_vec())
                }
                Operation::Gather => sender.send(message.clone()),
                Operation::Broadcast if self.rank == 0 => sender.send(message.clone()),
                Operation::Broadcast => Ok(()),
            };
            sent.map_err(|_| TrainError::RankLost { rank: Some(to) })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u32>> {
        let from = match self.operation {
            Operation::Broadcast => &self.receivers[..1],
            _ => &self.receivers[..],
        };
        let mut all = Vec::new();
        for (rank, receiver) in from.iter().enumerate() {
            let message = receiver.recv().map_err(|_| TrainError::RankLost { rank: Some(rank) })?;
            all.extend(message);
        }
        Ok(all)
    }

    fn close(&mut self) {}

    fn abort(&mut self) {
        self.senders.clear();
        self.receivers.clear();
    }
}
