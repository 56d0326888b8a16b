//! The thread on which graphs are recorded; it never ends.
//!
//! Candle keeps the shapes of strided operations that it has uploaded, for each thread its own, and
//! frees them when the thread ends. What is recorded copies them from where they lay, each time its
//! graph is started. So they must lie there as long as the process runs, and the threads of a node
//! that is cleaned up do not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, mpsc};

use crate::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// What `work` returns, computed on the thread that never ends. All that `work` holds is dropped
/// when this returns.
///
/// # Errors
/// The work's own, that it panicked, or that the thread cannot be started.
pub(super) fn run<R: Send + 'static>(
    work: impl FnOnce() -> Result<R> + Send + 'static,
) -> Result<R> {
    let (sender, result) = mpsc::sync_channel(1);
    jobs()?
        .send(Box::new(move || {
            // Nobody waiting is no fault of the work's.
            let _ = sender.send(work());
        }))
        .map_err(|_| Error::input("the thread that records graphs has ended"))?;
    result.recv().map_err(|_| Error::input("recording a graph panicked"))?
}

fn jobs() -> Result<mpsc::Sender<Job>> {
    static JOBS: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);
    let mut open = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(jobs) = open.as_ref() {
        return Ok(jobs.clone());
    }
    let (sender, receiver) = mpsc::channel::<Job>();
    let forever = move || {
        for job in receiver {
            // Whoever waits for it sees that no result comes.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    };
    std::thread::Builder::new()
        .name("f1-graphs".to_string())
        .spawn(forever)
        .map_err(|error| Error::input(format!("no thread to record graphs on: {error}")))?;
    *open = Some(sender.clone());
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn all_work_is_done_on_one_thread_that_outlives_who_asked_and_what_panicked() {
        let id = || run(|| Ok(std::thread::current().id())).unwrap();
        let first = std::thread::spawn(id).join().unwrap();
        assert_ne!(first, std::thread::current().id());
        assert!(run(|| -> Result<()> { panic!("on purpose") }).is_err());
        assert!(run(|| -> Result<()> { Err(Error::input("on purpose")) }).is_err());
        assert_eq!(std::thread::spawn(id).join().unwrap(), first);
    }

    #[test]
    fn what_the_work_holds_is_dropped_when_its_result_is_there() {
        for fails in [false, true] {
            let held = Arc::new(());
            let work = {
                let held = held.clone();
                move || {
                    if fails {
                        panic!("on purpose, {held:?}")
                    } else {
                        Ok(Arc::strong_count(&held))
                    }
                }
            };
            assert_eq!(run(work).is_err(), fails);
            assert_eq!(Arc::strong_count(&held), 1);
        }
    }
}
