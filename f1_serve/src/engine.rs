//! The thread that computes, for all connections: requests wait in one bounded queue and are
//! served in the order they came, as many together as wait. A connection has one request at a time,
//! so that everybody gets the same share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::model::{Answer, Job, Model};
use crate::{RequestError, ServeError};

/// Requests that may wait at once.
const QUEUE: usize = 256;

struct Waiting {
    job: Job,
    reply: oneshot::Sender<Result<Answer, RequestError>>,
}

/// How much was computed.
#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    batches: AtomicU64,
    jobs: AtomicU64,
}

/// Hands requests to the thread that computes. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    sender: mpsc::Sender<Waiting>,
    counts: Arc<Counts>,
}

impl Engine {
    /// Starts the thread, which computes at most `batch` requests together; it ends when the last
    /// handle is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(model: Arc<Model>, batch: usize) -> Result<Self, ServeError> {
        let (sender, mut receiver) = mpsc::channel::<Waiting>(QUEUE);
        let counts = Arc::new(Counts::default());
        let noted = counts.clone();
        let run = move || {
            while let Some(first) = receiver.blocking_recv() {
                let mut waiting = vec![first];
                // Does not wait for more requests to arrive.
                while waiting.len() < batch.max(1)
                    && let Ok(next) = receiver.try_recv()
                {
                    waiting.push(next);
                }
                noted.waiting.fetch_sub(waiting.len(), Ordering::Relaxed);
                // A client that has gone needs no answer.
                waiting.retain(|waiting| !waiting.reply.is_closed());
                if waiting.is_empty() {
                    continue;
                }
                noted.batches.fetch_add(1, Ordering::Relaxed);
                noted.jobs.fetch_add(waiting.len() as u64, Ordering::Relaxed);
                let jobs: Vec<&Job> = waiting.iter().map(|waiting| &waiting.job).collect();
                let answers = model.infer_batch(&jobs);
                for (waiting, answer) in waiting.into_iter().zip(answers) {
                    let _ = waiting.reply.send(answer);
                }
            }
        };
        std::thread::Builder::new()
            .name("inference".into())
            .spawn(run)
            .map_err(ServeError::Thread)?;
        Ok(Self { sender, counts })
    }

    /// One answer, after those that waited before it.
    ///
    /// # Errors
    /// [`RequestError::Busy`] when the queue is full; what the network refuses.
    pub async fn infer(&self, job: Job) -> Result<Answer, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        if self.sender.try_send(Waiting { job, reply }).is_err() {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(RequestError::Busy(QUEUE));
        }
        let ended = || RequestError::Inference("the thread that computes has ended".into());
        answer.await.map_err(|_| ended())?
    }

    /// Requests that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.counts.waiting.load(Ordering::Relaxed)
    }

    /// (computations, requests computed in them) so far.
    #[must_use]
    pub fn computed(&self) -> (u64, u64) {
        (self.counts.batches.load(Ordering::Relaxed), self.counts.jobs.load(Ordering::Relaxed))
    }
}
