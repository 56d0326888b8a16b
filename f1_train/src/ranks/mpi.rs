//! Messages between ranks by MPI.
//!
//! One thread makes all calls of MPI, so that the library needs no more than
//! `MPI_THREAD_FUNNELED`. It starts each message as a non-blocking collective operation and tests
//! the open ones: a library without a thread of its own moves data only while it is called.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mpi::Threading;
use mpi::request::{LocalScope, Request};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Root as _};

use super::launch::Launch;
use super::transport::{Operation, WordTransport};
use crate::{Result, TrainError};

/// Pause between two tests of open messages: short beside the milliseconds that one takes, long
/// enough to leave the core to the backward pass.
const PAUSE: Duration = Duration::from_micros(100);

/// What the thread is asked for.
enum Command {
    Begin(Operation, usize),
    Post(Vec<u32>),
    Close,
    Abort,
}

/// This process's part in MPI's world of ranks.
#[derive(Debug)]
pub struct Mpi {
    rank: usize,
    size: usize,
    commands: Sender<Command>,
    results: Receiver<Vec<u32>>,
    thread: Option<JoinHandle<()>>,
}

impl Mpi {
    /// Joins the ranks that the launcher started.
    ///
    /// # Errors
    /// When MPI cannot be initialised, or knows of other ranks than the launcher.
    pub fn connect(launch: &Launch) -> Result<Self> {
        let (commands, inbox) = channel();
        let (outbox, results) = channel();
        let (ready, started) = channel();
        let thread = std::thread::Builder::new()
            .name("mpi".into())
            .spawn(move || run(&ready, &inbox, &outbox))
            .map_err(|fault| TrainError::Launch(format!("no thread for MPI: {fault}")))?;
        let Ok(Some((rank, size))) = started.recv() else {
            return Err(TrainError::Launch("MPI cannot be initialised".to_owned()));
        };
        let connected = Self { rank, size, commands, results, thread: Some(thread) };
        if (rank, size) == (launch.rank, launch.size) {
            return Ok(connected);
        }
        // Every process would train alone, and all would write into one folder.
        let fault = format!(
            "the launcher started rank {} of {}, but the MPI library that this program is linked \
             to says {rank} of {size}: use the mpirun, or the --mpi of srun, that belongs to it",
            launch.rank, launch.size
        );
        Err(TrainError::Launch(fault))
    }
}

impl WordTransport for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn begin(&mut self, operation: Operation, count: usize) -> Result<()> {
        let command = Command::Begin(operation, count);
        self.commands.send(command).map_err(|_| TrainError::RankLost { rank: None })
    }

    fn post(&mut self, message: Vec<u32>) -> Result<()> {
        let command = Command::Post(message);
        self.commands.send(command).map_err(|_| TrainError::RankLost { rank: None })
    }

    fn finish(&mut self) -> Result<Vec<u32>> {
        self.results.recv().map_err(|_| TrainError::RankLost { rank: None })
    }

    fn close(&mut self) {
        // The thread is gone only where MPI has ended the process.
        let _ = self.commands.send(Command::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn abort(&mut self) {
        let _ = self.commands.send(Command::Abort);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        // A rank that ends before its time would let the others wait for ever.
        if self.thread.is_some() {
            self.abort();
        }
    }
}

/// The thread that calls MPI.
fn run(
    ready: &Sender<Option<(usize, usize)>>,
    commands: &Receiver<Command>,
    results: &Sender<Vec<u32>>,
) {
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        let _ = ready.send(None);
        return;
    };
    let world = universe.world();
    let _ = ready.send(Some((world.rank() as usize, world.size() as usize)));
    loop {
        match commands.recv() {
            Ok(Command::Begin(operation, count)) => {
                series(&world, operation, count, commands, results);
            }
            Ok(Command::Close) => return,
            Ok(Command::Post(_) | Command::Abort) | Err(_) => world.abort(1),
        }
    }
}

/// One series of messages.
fn series(
    world: &SimpleCommunicator,
    operation: Operation,
    count: usize,
    commands: &Receiver<Command>,
    results: &Sender<Vec<u32>>,
) {
    let sent: Vec<OnceCell<Vec<u32>>> = (0..count).map(|_| OnceCell::new()).collect();
    let mut received: Vec<Vec<u32>> = vec![Vec::new(); count];
    mpi::request::scope(|scope| {
        let mut free = sent.iter().zip(&mut received);
        let mut open: VecDeque<Request<'_, [u32], &LocalScope<'_>>> = VecDeque::new();
        let (mut posted, mut finished) = (0, 0);
        while finished < count {
            match commands.recv_timeout(PAUSE) {
                Ok(Command::Post(message)) => {
                    let Some((cell, buffer)) = free.next() else { world.abort(1) };
                    let message: &Vec<u32> = cell.get_or_init(|| message);
                    open.push_back(start(world, scope, operation, message, buffer));
                    posted += 1;
                }
                Err(RecvTimeoutError::Timeout) => {}
                // No other rank can finish what this rank has begun.
                Ok(_) | Err(RecvTimeoutError::Disconnected) => world.abort(1),
            }
            while let Some(oldest) = open.pop_front() {
                match oldest.test_with_data() {
                    Ok((_, data)) => {
                        finished += 1;
                        let _ = results.send(data.to_vec());
                    }
                    Err(still_open) => {
                        open.push_front(still_open);
                        break;
                    }
                }
            }
        }
        debug_assert_eq!(posted, count);
    });
}

/// Starts the operation on one message.
fn start<'a, 'scope>(
    world: &SimpleCommunicator,
    scope: &'scope LocalScope<'a>,
    operation: Operation,
    message: &'a [u32],
    buffer: &'a mut Vec<u32>,
) -> Request<'a, [u32], &'scope LocalScope<'a>> {
    match operation {
        // The parts are exchanged here and added up by the ranks: libraries differ in the order
        // of their sums, and OpenMPI's non-blocking reduce-scatter sends half as much again as it
        // must.
        Operation::ReduceScatter => {
            buffer.resize(message.len(), 0);
            world.immediate_all_to_all_into(scope, message, &mut buffer[..])
        }
        Operation::Gather => {
            buffer.resize(message.len() * world.size() as usize, 0);
            world.immediate_all_gather_into(scope, message, &mut buffer[..])
        }
        Operation::Broadcast => {
            buffer.extend_from_slice(message);
            world.process_at_rank(0).immediate_broadcast_into(scope, &mut buffer[..])
        }
    }
}
