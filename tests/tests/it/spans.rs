//! Every stage of a chunk is a `tracing` span.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Remembers the names of spans.
struct Names {
    names: &'static Mutex<BTreeSet<&'static str>>,
    next: AtomicU64,
}

impl Subscriber for Names {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("f1_policy_node")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.names.lock().insert(span.metadata().name());
        Id::from_u64(1 + self.next.fetch_add(1, Ordering::Relaxed))
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn every_stage_of_a_chunk_is_a_span() {
    static SEEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let collector = || Names { names: &SEEN, next: AtomicU64::new(0) };
    // While there is a single dispatcher, a span that another test's thread enters first is turned
    // off for ever, because that thread has no subscriber. With two, both are asked.
    let _second = tracing::Dispatch::new(collector());
    // The virtual clock runs everything on this thread.
    tracing::subscriber::with_default(collector(), || {
        let graph = crate::closed_loop::start();
        let executor = graph.context.executor();
        executor.spin_for(Duration::from_secs(3));
        graph.process.core().set_instruction(&graph.sim.instruction());
        executor.spin_for(Duration::from_secs(2));
        graph.context.shutdown();
    });
    let stages = [
        "decode",
        "resize",
        "history",
        "image_encoder",
        "foresight",
        "action",
        "decode_chunk",
        "filter",
        "imagine",
    ];
    let seen = SEEN.lock();
    for stage in stages {
        assert!(seen.contains(stage), "{stage} is not among {seen:?}");
    }
}
