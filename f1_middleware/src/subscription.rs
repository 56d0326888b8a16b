//! Subscriptions: with a callback, or holding the newest sample.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use f1_interfaces::Message;
use parking_lot::Mutex;

use crate::error::Error;
use crate::executor::{CallbackGroup, Source};
use crate::transport::{MessageInfo, Reader, SampleHandler, Value};

/// What a subscription has seen since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionCounts {
    /// Samples that arrived and could be read.
    pub received: u64,
    /// Samples that a newer one replaced before they were taken.
    pub replaced: u64,
    /// Samples that could not be decoded.
    pub refused: u64,
}

#[derive(Default)]
struct Counters {
    received: AtomicU64,
    replaced: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    fn read(&self) -> SubscriptionCounts {
        SubscriptionCounts {
            received: self.received.load(Ordering::Relaxed),
            replaced: self.replaced.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    // `mem` passes values on as they are: only back ends that decode refuse.
    #[cfg_attr(not(any(feature = "dds", feature = "rcl", feature = "rcl-check")), allow(dead_code))]
    fn refuse(&self, topic: &str, error: &Error) {
        let before = self.refused.fetch_add(1, Ordering::Relaxed);
        // Once, then at powers of two: a stream of bad samples must not become a stream of logs.
        if (before + 1).is_power_of_two() {
            tracing::warn!(topic, count = before + 1, %error, "sample refused");
        }
    }
}

pub(crate) type SampleCallback = Box<dyn FnMut(Value, MessageInfo) + Send>;

/// The bounded store between a back end and a callback, as deep as the profile's history.
pub(crate) struct CallbackQueue {
    this: Weak<CallbackQueue>,
    topic: Arc<str>,
    group: Arc<CallbackGroup>,
    depth: usize,
    waiting: Mutex<VecDeque<(Value, MessageInfo)>>,
    scheduled: AtomicBool,
    callback: Mutex<SampleCallback>,
    counters: Counters,
}

impl CallbackQueue {
    pub(crate) fn new(
        topic: Arc<str>,
        group: Arc<CallbackGroup>,
        depth: usize,
        callback: SampleCallback,
    ) -> Arc<CallbackQueue> {
        Arc::new_cyclic(|this| CallbackQueue {
            this: this.clone(),
            topic,
            group,
            depth,
            waiting: Mutex::new(VecDeque::new()),
            scheduled: AtomicBool::new(false),
            callback: Mutex::new(callback),
            counters: Counters::default(),
        })
    }
}

impl SampleHandler for CallbackQueue {
    fn deliver(&self, value: Value, info: MessageInfo) {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        waiting.push_back((value, info));
        if waiting.len() > self.depth {
            waiting.pop_front();
            self.counters.replaced.fetch_add(1, Ordering::Relaxed);
        }
        drop(waiting);
        if !self.scheduled.swap(true, Ordering::SeqCst) {
            self.group.enqueue(self.this.clone());
        }
    }

    fn refuse(&self, error: Error) {
        self.counters.refuse(&self.topic, &error);
    }
}

impl Source for CallbackQueue {
    fn run(self: Arc<Self>) {
        self.scheduled.store(false, Ordering::SeqCst);
        let next = self.waiting.lock().pop_front();
        if let Some((value, info)) = next {
            (self.callback.lock())(value, info);
        }
        if !self.waiting.lock().is_empty() && !self.scheduled.swap(true, Ordering::SeqCst) {
            self.group.enqueue(self.this.clone());
        }
    }
}

/// A subscription with a callback; dropping it ends it.
#[must_use = "dropping a subscription ends it"]
pub struct Subscription<T> {
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) queue: Arc<CallbackQueue>,
    pub(crate) message: PhantomData<fn() -> T>,
}

impl<T> Subscription<T> {
    /// Writers that are connected now.
    pub fn publisher_count(&self) -> usize {
        self.reader.writer_count()
    }

    /// The absolute, remapped topic.
    pub fn topic(&self) -> &str {
        &self.queue.topic
    }

    /// What arrived so far.
    pub fn counts(&self) -> SubscriptionCounts {
        self.queue.counters.read()
    }
}

impl<T> std::fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscription({})", self.queue.topic)
    }
}

/// Holds the newest sample only.
pub(crate) struct NewestSample {
    topic: Arc<str>,
    sample: Mutex<Option<(Value, MessageInfo)>>,
    counters: Counters,
}

impl NewestSample {
    pub(crate) fn new(topic: Arc<str>) -> Arc<NewestSample> {
        Arc::new(NewestSample { topic, sample: Mutex::new(None), counters: Counters::default() })
    }
}

impl SampleHandler for NewestSample {
    fn deliver(&self, value: Value, info: MessageInfo) {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let before = self.sample.lock().replace((value, info));
        if before.is_some() {
            self.counters.replaced.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn refuse(&self, error: Error) {
        self.counters.refuse(&self.topic, &error);
    }
}

/// A subscription that holds the newest sample until it is taken; it never calls back.
#[must_use = "dropping a subscription ends it"]
pub struct NewestSubscription<T> {
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) newest: Arc<NewestSample>,
    pub(crate) message: PhantomData<fn() -> T>,
}

impl<T: Message> NewestSubscription<T> {
    /// Takes the newest sample, if one came since the last call.
    pub fn take(&self) -> Option<Arc<T>> {
        self.take_with_info().map(|(message, _)| message)
    }

    /// Takes the newest sample with what is known about it.
    pub fn take_with_info(&self) -> Option<(Arc<T>, MessageInfo)> {
        let (value, info) = self.newest.sample.lock().take()?;
        value.downcast::<T>().ok().map(|message| (message, info))
    }

    /// The newest sample, which stays.
    pub fn peek(&self) -> Option<Arc<T>> {
        let value = self.newest.sample.lock().as_ref().map(|(value, _)| value.clone())?;
        value.downcast::<T>().ok()
    }

    /// Writers that are connected now.
    pub fn publisher_count(&self) -> usize {
        self.reader.writer_count()
    }

    /// The absolute, remapped topic.
    pub fn topic(&self) -> &str {
        &self.newest.topic
    }

    /// What arrived so far.
    pub fn counts(&self) -> SubscriptionCounts {
        self.newest.counters.read()
    }
}

impl<T> std::fmt::Debug for NewestSubscription<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewestSubscription({})", self.newest.topic)
    }
}
