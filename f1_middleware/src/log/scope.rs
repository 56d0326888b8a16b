//! Whose lines a thread writes at the moment.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

use super::Inner;

thread_local! {
    static CURRENT: RefCell<Weak<Inner>> = const { RefCell::new(Weak::new()) };
    /// Whether the line was already published, by [`super::Logger::log`].
    static PUBLISHED: Cell<bool> = const { Cell::new(false) };
}

/// The node for which code runs: what it logs is the node's. Keeps no node alive.
#[derive(Clone)]
pub struct Scope(Weak<Inner>);

/// Puts back what was before, also when the work panics.
struct Restore(Weak<Inner>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.replace(std::mem::take(&mut self.0));
    }
}

impl Scope {
    pub(super) fn of(logger: &Arc<Inner>) -> Scope {
        Scope(Arc::downgrade(logger))
    }

    /// The scope of the calling thread, to take along to a thread that it starts.
    #[must_use]
    pub fn current() -> Scope {
        Scope(CURRENT.with_borrow(Weak::clone))
    }

    /// Runs `work` in this scope.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let _restore = Restore(CURRENT.replace(self.0.clone()));
        work()
    }
}

/// The logger of the calling thread's scope, while its node lives.
pub(super) fn current() -> Option<Arc<Inner>> {
    // A thread that ends has no scope any more.
    CURRENT.try_with(|current| current.borrow().upgrade()).ok().flatten()
}

/// Runs `work`, whose line is published already.
pub(super) fn published(work: impl FnOnce()) {
    let before = PUBLISHED.replace(true);
    work();
    PUBLISHED.set(before);
}

/// Whether the line that is being written is published already.
pub(super) fn is_published() -> bool {
    PUBLISHED.try_with(Cell::get).unwrap_or(true)
}
