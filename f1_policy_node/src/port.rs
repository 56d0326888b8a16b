//! The seam between two nodes of this process: one sender's values go to whoever takes the port at
//! the moment.
//!
//! A port holds no queue. The taker decides what to do with a value at once (hand it to a worker,
//! where the newest wins), and while nobody takes the port values are dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

type Taker<T> = Arc<dyn Fn(T) + Send + Sync>;

/// A place where values of one kind are handed over. Cheap to clone.
pub struct Port<T> {
    taker: Arc<Mutex<Option<Taker<T>>>>,
    dropped: Arc<AtomicU64>,
}

impl<T> Clone for Port<T> {
    fn clone(&self) -> Self {
        Self { taker: self.taker.clone(), dropped: self.dropped.clone() }
    }
}

impl<T> Default for Port<T> {
    fn default() -> Self {
        Self { taker: Arc::new(Mutex::new(None)), dropped: Arc::new(AtomicU64::new(0)) }
    }
}

impl<T> Port<T> {
    /// From now on `taker` gets every value; it replaces an earlier one. It must not block.
    pub fn take_with(&self, taker: impl Fn(T) + Send + Sync + 'static) {
        *self.taker.lock() = Some(Arc::new(taker));
    }

    /// From now on values are dropped.
    pub fn close(&self) {
        *self.taker.lock() = None;
    }

    /// Hands a value over; `false` when nobody takes the port.
    pub fn send(&self, value: T) -> bool {
        // The lock is not held while the taker runs: it may close the port.
        let taker = self.taker.lock().clone();
        match taker {
            Some(taker) => {
                taker(value);
                true
            }
            None => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Values that nobody took.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_reach_the_taker_and_are_counted_without_one() {
        let port = Port::default();
        assert!(!port.send(1));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (taker, inner) = (seen.clone(), port.clone());
        port.take_with(move |value| {
            taker.lock().push(value);
            inner.close();
        });
        assert!(port.send(2));
        assert!(!port.send(3));
        assert_eq!((seen.lock().clone(), port.dropped()), (vec![2], 2));
    }
}
