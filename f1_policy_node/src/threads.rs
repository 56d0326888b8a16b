//! Threads of the network: one pool for what leads to motion, a smaller one for images of it.
//!
//! In one common pool an action step that waits for its last row would be handed a piece of an
//! image to compute first. Both pools yield to the threads that hand messages and trajectories on
//! ([`Urgency`]).

use f1_middleware::Urgency;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The pools of a network that computes on the processor; a network on a GPU needs none.
#[derive(Debug, Default)]
pub struct Threads {
    motion: Option<ThreadPool>,
    display: Option<ThreadPool>,
}

impl Threads {
    /// As many threads as `RAYON_NUM_THREADS` says, else one a core, for inference, and half of
    /// them for images. Where the system gives no threads, work is done in the pool that the
    /// process has.
    #[must_use]
    pub fn new(on_processor: bool) -> Self {
        if !on_processor {
            return Self::default();
        }
        let count = rayon::current_num_threads();
        Self {
            motion: pool("inference", count, Urgency::Motion),
            display: pool("image", count.div_ceil(2), Urgency::Display),
        }
    }

    /// Runs inference.
    pub fn infer<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        run(self.motion.as_ref(), work)
    }

    /// Runs what only shows something.
    pub fn show<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        run(self.display.as_ref(), work)
    }
}

fn run<R: Send>(pool: Option<&ThreadPool>, work: impl FnOnce() -> R + Send) -> R {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

fn pool(name: &'static str, count: usize, urgency: Urgency) -> Option<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(count)
        .thread_name(move |index| format!("{name} {index}"))
        .start_handler(move |_| urgency.apply())
        .build()
        .inspect_err(|error| tracing::warn!(%error, name, "no threads of their own"))
        .ok()
}
