//! A port hands values from one node of the process to another.
//!
//! It holds no queue: its handler gets each value at once and passes it on to a worker, where the
//! newest value replaces an older one. Without a handler values are dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

type Handler<T> = Arc<dyn Fn(T) + Send + Sync>;

/// Hands over values of one kind. Cheap to clone.
pub struct Port<T> {
    handler: Arc<Mutex<Option<Handler<T>>>>,
    dropped: Arc<AtomicU64>,
}

impl<T> Clone for Port<T> {
    fn clone(&self) -> Self {
        Self { handler: self.handler.clone(), dropped: self.dropped.clone() }
    }
}

impl<T> Default for Port<T> {
    fn default() -> Self {
        Self { handler: Arc::new(Mutex::new(None)), dropped: Arc::new(AtomicU64::new(0)) }
    }
}

impl<T> Port<T> {
    /// From now on `handler` gets every value; it replaces an earlier one. It must not block.
    pub fn handle(&self, handler: impl Fn(T) + Send + Sync + 'static) {
        *self.handler.lock() = Some(Arc::new(handler));
    }

    /// From now on values are dropped.
    pub fn close(&self) {
        *self.handler.lock() = None;
    }

    /// Hands a value over; `false` without a handler.
    pub fn send(&self, value: T) -> bool {
        // The lock is not held while the handler runs: it may close the port.
        let handler = self.handler.lock().clone();
        match handler {
            Some(handler) => {
                handler(value);
                true
            }
            None => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Values that were sent while there was no handler.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_reach_the_handler_and_are_counted_without_one() {
        let port = Port::default();
        assert!(!port.send(1));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (into, inner) = (seen.clone(), port.clone());
        port.handle(move |value| {
            into.lock().push(value);
            inner.close();
        });
        assert!(port.send(2));
        assert!(!port.send(3));
        assert_eq!((seen.lock().clone(), port.dropped()), (vec![2], 2));
    }
}
