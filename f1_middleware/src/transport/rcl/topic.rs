//! Topics: serialized bytes, except for the feedback of actions, which is typed in r2r.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Context as TaskContext;

use parking_lot::Mutex;
use r2r::WrappedTypesupport;

use super::node::{Counted, Pending, RclNode, decode, drain, failed, profile, with_header};
use super::types::{WithMessage, feedback};
use crate::error::Result;
use crate::transport::{MessageInfo, Reader, SampleHandler, TopicSpec, TypeSupport, Value, Writer};

/// Sends bytes on a topic.
trait Sender: Send {
    fn send(&self, bytes: &[u8]) -> r2r::Result<()>;
    fn reader_count(&self) -> usize;
    /// Ends the publisher, which r2r would keep until the node ends.
    fn destroy(self: Box<Self>, node: &mut r2r::Node);
}

struct Raw(r2r::PublisherUntyped);

impl Sender for Raw {
    fn send(&self, bytes: &[u8]) -> r2r::Result<()> {
        self.0.publish_raw(bytes)
    }

    fn reader_count(&self) -> usize {
        self.0.get_inter_process_subscription_count().unwrap_or(0)
    }

    fn destroy(self: Box<Self>, node: &mut r2r::Node) {
        node.destroy_publisher_untyped(self.0);
    }
}

struct Typed<T: WrappedTypesupport>(r2r::Publisher<T>);

impl<T: WrappedTypesupport + Send + 'static> Sender for Typed<T> {
    fn send(&self, bytes: &[u8]) -> r2r::Result<()> {
        self.0.publish(&T::from_serialized_bytes(bytes)?)
    }

    fn reader_count(&self) -> usize {
        self.0.get_inter_process_subscription_count().unwrap_or(0)
    }

    fn destroy(self: Box<Self>, node: &mut r2r::Node) {
        node.destroy_publisher(self.0);
    }
}

struct RclWriter {
    topic: String,
    support: TypeSupport,
    node: Weak<RclNode>,
    /// `None` only during the drop.
    sender: Mutex<Option<Box<dyn Sender>>>,
}

impl Writer for RclWriter {
    fn publish(&self, value: Value) -> Result<()> {
        let bytes = with_header(self.support.encode(&self.topic, &value)?);
        // A node that has left the graph publishes nothing, even if its endpoints still exist.
        if self.node.strong_count() == 0 {
            return Ok(());
        }
        let sender = self.sender.lock();
        let sent = sender.as_ref().map_or(Ok(()), |sender| sender.send(&bytes));
        sent.map_err(|error| failed(format!("publish on {}", self.topic), error))
    }

    fn reader_count(&self) -> usize {
        self.sender.lock().as_ref().map_or(0, |sender| sender.reader_count())
    }
}

impl Drop for RclWriter {
    fn drop(&mut self) {
        if let (Some(node), Some(sender)) = (self.node.upgrade(), self.sender.get_mut().take()) {
            node.with(|node| sender.destroy(node));
        }
    }
}

struct CreateTypedWriter<'a> {
    node: &'a RclNode,
    spec: &'a TopicSpec,
}

impl WithMessage for CreateTypedWriter<'_> {
    type Output = r2r::Result<Box<dyn Sender>>;

    fn with<T: WrappedTypesupport + Send + 'static>(self) -> Self::Output {
        let made = self
            .node
            .with(|node| node.create_publisher::<T>(&self.spec.name, profile(&self.spec.qos)))?;
        Ok(Box::new(Typed(made)))
    }
}

pub(super) fn create_writer(node: &Arc<RclNode>, spec: TopicSpec) -> Result<Arc<dyn Writer>> {
    let action = || format!("publish on {} ({})", spec.name, spec.support.name);
    let sender: Box<dyn Sender> =
        match feedback(spec.support.name, CreateTypedWriter { node, spec: &spec }) {
            Some(made) => made.map_err(|error| failed(action(), error))?,
            None => Box::new(Raw(node
                .with(|node| {
                    node.create_publisher_untyped(&spec.name, spec.support.name, profile(&spec.qos))
                })
                .map_err(|error| failed(action(), error))?)),
        };
    Ok(Arc::new(RclWriter {
        topic: spec.name,
        support: spec.support,
        node: Arc::downgrade(node),
        sender: Mutex::new(Some(sender)),
    }))
}

struct RawSamples<S> {
    stream: S,
    topic: String,
    support: TypeSupport,
    handler: Arc<dyn SampleHandler>,
    wanted: Weak<AtomicUsize>,
}

impl<S> RawSamples<S> {
    fn take(topic: &str, support: &TypeSupport, handler: &Arc<dyn SampleHandler>, bytes: &[u8]) {
        match decode(support, topic, bytes) {
            // r2r's raw subscription does not say who published and when.
            Ok(value) => handler.deliver(value, MessageInfo::default()),
            Err(error) => handler.refuse(error),
        }
    }
}

impl<S: futures::Stream<Item = Vec<u8>> + Unpin + Send> Pending for RawSamples<S> {
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let RawSamples { stream, topic, support, handler, wanted } = self;
        wanted.strong_count() > 0
            && drain(stream, task, |bytes| RawSamples::<S>::take(topic, support, handler, &bytes))
    }
}

struct TypedSamples<S, T> {
    raw: RawSamples<S>,
    message: PhantomData<fn() -> T>,
}

impl<T, S> Pending for TypedSamples<S, T>
where
    T: WrappedTypesupport + Send + 'static,
    S: futures::Stream<Item = T> + Unpin + Send,
{
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let RawSamples { stream, topic, support, handler, wanted } = &mut self.raw;
        wanted.strong_count() > 0
            && drain(stream, task, |message: T| match message.to_serialized_bytes() {
                Ok(bytes) => RawSamples::<S>::take(topic, support, handler, &bytes),
                Err(error) => handler.refuse(failed(format!("read {topic}"), error)),
            })
    }
}

struct RclReader {
    count: Arc<AtomicUsize>,
}

impl Reader for RclReader {
    fn writer_count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

struct CreateTypedReader<'a> {
    node: &'a RclNode,
    spec: &'a TopicSpec,
    handler: Arc<dyn SampleHandler>,
    wanted: Weak<AtomicUsize>,
}

impl WithMessage for CreateTypedReader<'_> {
    type Output = r2r::Result<()>;

    fn with<T: WrappedTypesupport + Send + 'static>(self) -> Self::Output {
        let stream =
            self.node.with(|node| node.subscribe::<T>(&self.spec.name, profile(&self.spec.qos)))?;
        self.node.watch(TypedSamples {
            raw: RawSamples {
                stream,
                topic: self.spec.name.clone(),
                support: self.spec.support,
                handler: self.handler,
                wanted: self.wanted,
            },
            message: PhantomData::<fn() -> T>,
        });
        Ok(())
    }
}

pub(super) fn create_reader(
    node: &Arc<RclNode>,
    spec: TopicSpec,
    handler: Arc<dyn SampleHandler>,
) -> Result<Arc<dyn Reader>> {
    let action = || format!("subscribe to {} ({})", spec.name, spec.support.name);
    let count = Arc::new(AtomicUsize::new(0));
    let wanted = Arc::downgrade(&count);
    let typed =
        CreateTypedReader { node, spec: &spec, handler: handler.clone(), wanted: wanted.clone() };
    match feedback(spec.support.name, typed) {
        Some(made) => made.map_err(|error| failed(action(), error))?,
        None => {
            let stream = node
                .with(|node| node.subscribe_raw(&spec.name, spec.support.name, profile(&spec.qos)))
                .map_err(|error| failed(action(), error))?;
            node.watch(RawSamples {
                stream,
                topic: spec.name.clone(),
                support: spec.support,
                handler,
                wanted: wanted.clone(),
            });
        }
    }
    node.counted.lock().push(Counted { topic: spec.name, count: wanted });
    Ok(Arc::new(RclReader { count }))
}
