//! Subscribing: by callback, or bounded newest-wins.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use f1_interfaces::Message;
use parking_lot::Mutex;

use crate::error::Error;
use crate::executor::{Lane, Runnable};
use crate::transport::{Inlet, MessageInfo, SampleSink, Value};

/// What a subscription has seen since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionCounts {
    /// Samples that arrived and could be read.
    pub received: u64,
    /// Samples that a newer one replaced before anyone looked.
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

    // `mem` hands values over as they are: only back ends that decode refuse.
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

/// The bounded store between a back end and a callback.
pub(crate) struct CallbackSink {
    this: std::sync::Weak<CallbackSink>,
    topic: Arc<str>,
    lane: Arc<Lane>,
    depth: usize,
    waiting: Mutex<VecDeque<(Value, MessageInfo)>>,
    scheduled: AtomicBool,
    callback: Mutex<SampleCallback>,
    counters: Counters,
}

impl CallbackSink {
    pub(crate) fn new(
        topic: Arc<str>,
        lane: Arc<Lane>,
        depth: usize,
        callback: SampleCallback,
    ) -> Arc<CallbackSink> {
        Arc::new_cyclic(|this| CallbackSink {
            this: this.clone(),
            topic,
            lane,
            depth,
            waiting: Mutex::new(VecDeque::new()),
            scheduled: AtomicBool::new(false),
            callback: Mutex::new(callback),
            counters: Counters::default(),
        })
    }
}

impl SampleSink for CallbackSink {
    fn deliver(&self, value: Value, info: MessageInfo) {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        waiting.push_back((value, info));
        if waiting.len() > self.depth {
            waiting.pop_front();
            self.counters.replaced.fetch_add(1, Ordering::Relaxed);
        }
        drop(waiting);
        if !self.scheduled.swap(true, Ordering::SeqCst)
            && let Some(this) = self.this.upgrade()
        {
            self.lane.enqueue(this);
        }
    }

    fn refuse(&self, error: Error) {
        self.counters.refuse(&self.topic, &error);
    }
}

impl Runnable for CallbackSink {
    fn run(self: Arc<Self>) {
        self.scheduled.store(false, Ordering::SeqCst);
        let next = self.waiting.lock().pop_front();
        if let Some((value, info)) = next {
            (self.callback.lock())(value, info);
        }
        if !self.waiting.lock().is_empty() && !self.scheduled.swap(true, Ordering::SeqCst) {
            let lane = self.lane.clone();
            lane.enqueue(self);
        }
    }
}

/// A subscription with a callback; dropping it ends it.
#[must_use = "dropping a subscription ends it"]
pub struct Subscription<T> {
    pub(crate) inlet: Arc<dyn Inlet>,
    pub(crate) sink: Arc<CallbackSink>,
    pub(crate) message: PhantomData<fn() -> T>,
}

impl<T> Subscription<T> {
    /// Writers that are connected now.
    pub fn publisher_count(&self) -> usize {
        self.inlet.writers()
    }

    /// The absolute, remapped topic.
    pub fn topic(&self) -> &str {
        &self.sink.topic
    }

    /// What arrived so far.
    pub fn counts(&self) -> SubscriptionCounts {
        self.sink.counters.read()
    }
}

impl<T> std::fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscription({})", self.sink.topic)
    }
}

/// Holds the newest sample only.
pub(crate) struct NewestSink {
    topic: Arc<str>,
    newest: Mutex<Option<(Value, MessageInfo)>>,
    counters: Counters,
}

impl NewestSink {
    pub(crate) fn new(topic: Arc<str>) -> Arc<NewestSink> {
        Arc::new(NewestSink { topic, newest: Mutex::new(None), counters: Counters::default() })
    }
}

impl SampleSink for NewestSink {
    fn deliver(&self, value: Value, info: MessageInfo) {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let before = self.newest.lock().replace((value, info));
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
    pub(crate) inlet: Arc<dyn Inlet>,
    pub(crate) sink: Arc<NewestSink>,
    pub(crate) message: PhantomData<fn() -> T>,
}

impl<T: Message> NewestSubscription<T> {
    /// Takes the newest sample, if one came since the last call.
    pub fn take(&self) -> Option<Arc<T>> {
        self.take_with_info().map(|(message, _)| message)
    }

    /// Takes the newest sample with what is known about it.
    pub fn take_with_info(&self) -> Option<(Arc<T>, MessageInfo)> {
        let (value, info) = self.sink.newest.lock().take()?;
        value.downcast::<T>().ok().map(|message| (message, info))
    }

    /// Looks at the newest sample and leaves it.
    pub fn peek(&self) -> Option<Arc<T>> {
        let value = self.sink.newest.lock().as_ref().map(|(value, _)| value.clone())?;
        value.downcast::<T>().ok()
    }

    /// Writers that are connected now.
    pub fn publisher_count(&self) -> usize {
        self.inlet.writers()
    }

    /// The absolute, remapped topic.
    pub fn topic(&self) -> &str {
        &self.sink.topic
    }

    /// What arrived so far.
    pub fn counts(&self) -> SubscriptionCounts {
        self.sink.counters.read()
    }
}

impl<T> std::fmt::Debug for NewestSubscription<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewestSubscription({})", self.sink.topic)
    }
}
