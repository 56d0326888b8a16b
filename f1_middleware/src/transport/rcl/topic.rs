//! Topics: serialized bytes, but for the feedback of actions, which r2r knows as types only.

use std::marker::PhantomData;
use std::sync::Weak;

use r2r::WrappedTypesupport;

use super::types::{WithMessage, feedback};
use super::*;

/// Sends bytes on a topic.
trait Sender: Send {
    fn send(&self, bytes: &[u8]) -> r2r::Result<()>;
    fn readers(&self) -> usize;
    /// Leaves the topic; r2r keeps a publisher otherwise until the node ends.
    fn leave(self: Box<Self>, node: &mut r2r::Node);
}

struct Raw(r2r::PublisherUntyped);

impl Sender for Raw {
    fn send(&self, bytes: &[u8]) -> r2r::Result<()> {
        self.0.publish_raw(bytes)
    }

    fn readers(&self) -> usize {
        self.0.get_inter_process_subscription_count().unwrap_or(0)
    }

    fn leave(self: Box<Self>, node: &mut r2r::Node) {
        node.destroy_publisher_untyped(self.0);
    }
}

struct Typed<T: WrappedTypesupport>(r2r::Publisher<T>);

impl<T: WrappedTypesupport + Send + 'static> Sender for Typed<T> {
    fn send(&self, bytes: &[u8]) -> r2r::Result<()> {
        self.0.publish(&T::from_serialized_bytes(bytes)?)
    }

    fn readers(&self) -> usize {
        self.0.get_inter_process_subscription_count().unwrap_or(0)
    }

    fn leave(self: Box<Self>, node: &mut r2r::Node) {
        node.destroy_publisher(self.0);
    }
}

struct RclOutlet {
    topic: String,
    support: TypeSupport,
    node: Weak<RclNode>,
    /// `None` only while it is dropped.
    sender: Mutex<Option<Box<dyn Sender>>>,
}

impl Outlet for RclOutlet {
    fn publish(&self, value: Value) -> Result<()> {
        let bytes = with_header(self.support.encode(&self.topic, &value)?);
        // The node has left the graph: what still holds its endpoints is silent.
        if self.node.strong_count() == 0 {
            return Ok(());
        }
        let sender = self.sender.lock();
        let sent = sender.as_ref().map_or(Ok(()), |sender| sender.send(&bytes));
        sent.map_err(|error| failed(format!("publish on {}", self.topic), error))
    }

    fn readers(&self) -> usize {
        self.sender.lock().as_ref().map_or(0, |sender| sender.readers())
    }
}

impl Drop for RclOutlet {
    fn drop(&mut self) {
        if let (Some(node), Some(sender)) = (self.node.upgrade(), self.sender.get_mut().take()) {
            node.with(|node| sender.leave(node));
        }
    }
}

struct AdvertiseTyped<'a> {
    node: &'a RclNode,
    spec: &'a TopicSpec,
}

impl WithMessage for AdvertiseTyped<'_> {
    type Output = r2r::Result<Box<dyn Sender>>;

    fn with<T: WrappedTypesupport + Send + 'static>(self) -> Self::Output {
        let made = self
            .node
            .with(|node| node.create_publisher::<T>(&self.spec.name, profile(&self.spec.qos)))?;
        Ok(Box::new(Typed(made)))
    }
}

pub(super) fn advertise(node: &Arc<RclNode>, spec: TopicSpec) -> Result<Arc<dyn Outlet>> {
    let action = || format!("publish on {} ({})", spec.name, spec.support.name);
    let sender: Box<dyn Sender> =
        match feedback(spec.support.name, AdvertiseTyped { node, spec: &spec }) {
            Some(made) => made.map_err(|error| failed(action(), error))?,
            None => Box::new(Raw(node
                .with(|node| {
                    node.create_publisher_untyped(&spec.name, spec.support.name, profile(&spec.qos))
                })
                .map_err(|error| failed(action(), error))?)),
        };
    Ok(Arc::new(RclOutlet {
        topic: spec.name,
        support: spec.support,
        node: Arc::downgrade(node),
        sender: Mutex::new(Some(sender)),
    }))
}

struct RawInlet<S> {
    stream: S,
    topic: String,
    support: TypeSupport,
    sink: Arc<dyn SampleSink>,
    wanted: Weak<AtomicUsize>,
}

impl<S> RawInlet<S> {
    fn take(topic: &str, support: &TypeSupport, sink: &Arc<dyn SampleSink>, bytes: &[u8]) {
        match decode(support, topic, bytes) {
            // r2r's raw subscription does not tell who published, and when.
            Ok(value) => sink.deliver(value, MessageInfo::default()),
            Err(error) => sink.refuse(error),
        }
    }
}

impl<S: futures::Stream<Item = Vec<u8>> + Unpin + Send> Pending for RawInlet<S> {
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let RawInlet { stream, topic, support, sink, wanted } = self;
        wanted.strong_count() > 0
            && drain(stream, task, |bytes| RawInlet::<S>::take(topic, support, sink, &bytes))
    }
}

struct TypedInlet<S, T> {
    raw: RawInlet<S>,
    message: PhantomData<fn() -> T>,
}

impl<T, S> Pending for TypedInlet<S, T>
where
    T: WrappedTypesupport + Send + 'static,
    S: futures::Stream<Item = T> + Unpin + Send,
{
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let RawInlet { stream, topic, support, sink, wanted } = &mut self.raw;
        wanted.strong_count() > 0
            && drain(stream, task, |message: T| match message.to_serialized_bytes() {
                Ok(bytes) => RawInlet::<S>::take(topic, support, sink, &bytes),
                Err(error) => sink.refuse(failed(format!("read {topic}"), error)),
            })
    }
}

struct RclInlet {
    count: Arc<AtomicUsize>,
}

impl Inlet for RclInlet {
    fn writers(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

struct SubscribeTyped<'a> {
    node: &'a RclNode,
    spec: &'a TopicSpec,
    sink: Arc<dyn SampleSink>,
    wanted: Weak<AtomicUsize>,
}

impl WithMessage for SubscribeTyped<'_> {
    type Output = r2r::Result<()>;

    fn with<T: WrappedTypesupport + Send + 'static>(self) -> Self::Output {
        let stream =
            self.node.with(|node| node.subscribe::<T>(&self.spec.name, profile(&self.spec.qos)))?;
        self.node.watch(TypedInlet {
            raw: RawInlet {
                stream,
                topic: self.spec.name.clone(),
                support: self.spec.support,
                sink: self.sink,
                wanted: self.wanted,
            },
            message: PhantomData::<fn() -> T>,
        });
        Ok(())
    }
}

pub(super) fn subscribe(
    node: &Arc<RclNode>,
    spec: TopicSpec,
    sink: Arc<dyn SampleSink>,
) -> Result<Arc<dyn Inlet>> {
    let action = || format!("subscribe to {} ({})", spec.name, spec.support.name);
    let count = Arc::new(AtomicUsize::new(0));
    let wanted = Arc::downgrade(&count);
    let typed = SubscribeTyped { node, spec: &spec, sink: sink.clone(), wanted: wanted.clone() };
    match feedback(spec.support.name, typed) {
        Some(made) => made.map_err(|error| failed(action(), error))?,
        None => {
            let stream = node
                .with(|node| node.subscribe_raw(&spec.name, spec.support.name, profile(&spec.qos)))
                .map_err(|error| failed(action(), error))?;
            node.watch(RawInlet {
                stream,
                topic: spec.name.clone(),
                support: spec.support,
                sink,
                wanted: wanted.clone(),
            });
        }
    }
    node.counted.lock().push(Counted { topic: spec.name, count: wanted });
    Ok(Arc::new(RclInlet { count }))
}
