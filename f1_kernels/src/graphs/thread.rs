//! The thread on which graphs are recorded; it never ends.
//!
//! Candle caches the shapes of strided operations that it has uploaded, in a cache for each thread,
//! and frees the cache when the thread ends. A recorded graph reads the shapes from the same
//! addresses at each launch. So the cache must live as long as the process, and the threads of a
//! node that is cleaned up do not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use candle_core::Error;
use parking_lot::Mutex;

type Job = Box<dyn FnOnce() + Send>;

/// The result of `work`, computed on the thread that never ends. Everything that `work` owns is
/// dropped before this returns.
///
/// # Errors
/// Those of `work`, that it panicked, or that the thread cannot be started.
pub(super) fn run<R: Send + 'static, E: From<Error> + Send + 'static>(
    work: impl FnOnce() -> Result<R, E> + Send + 'static,
) -> Result<R, E> {
    let (sender, result) = mpsc::sync_channel(1);
    jobs()?
        .send(Box::new(move || {
            // A caller that has gone is no error of the work.
            let _ = sender.send(work());
        }))
        .map_err(|_| Error::msg("the thread that records graphs has ended"))?;
    result.recv().map_err(|_| Error::msg("recording a graph panicked"))?
}

fn jobs() -> Result<mpsc::Sender<Job>, Error> {
    static JOBS: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);
    let mut open = JOBS.lock();
    if let Some(jobs) = open.as_ref() {
        return Ok(jobs.clone());
    }
    let (sender, receiver) = mpsc::channel::<Job>();
    let forever = move || {
        for job in receiver {
            // The caller sees the closed channel.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    };
    std::thread::Builder::new()
        .name("f1-graphs".to_string())
        .spawn(forever)
        .map_err(|error| Error::msg(format!("no thread to record graphs on: {error}")))?;
    *open = Some(sender.clone());
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn all_work_runs_on_one_thread_that_outlives_its_callers_and_panics() {
        let id = || run(|| Ok::<_, Error>(std::thread::current().id())).unwrap();
        let first = std::thread::spawn(id).join().unwrap();
        assert_ne!(first, std::thread::current().id());
        assert!(run(|| -> Result<(), Error> { panic!("on purpose") }).is_err());
        assert!(run(|| -> Result<(), Error> { Err(Error::msg("on purpose")) }).is_err());
        assert_eq!(std::thread::spawn(id).join().unwrap(), first);
    }

    #[test]
    fn what_the_work_owns_is_dropped_before_its_result_arrives() {
        for fails in [false, true] {
            let held = Arc::new(());
            let work = {
                let held = held.clone();
                move || {
                    if fails {
                        panic!("on purpose, {held:?}")
                    } else {
                        Ok::<_, Error>(Arc::strong_count(&held))
                    }
                }
            };
            assert_eq!(run(work).is_err(), fails);
            assert_eq!(Arc::strong_count(&held), 1);
        }
    }
}
