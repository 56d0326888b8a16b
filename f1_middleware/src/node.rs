//! A node: a name in the graph that owns endpoints, timers and parameters.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use f1_interfaces::rosgraph_msgs::msg::Clock as ClockMessage;
use f1_interfaces::{Message, Service};
use parking_lot::Mutex;

use crate::clock::{Clock, ClockKind, Jump, JumpListener};
use crate::context::Context;
use crate::error::Result;
use crate::executor::{CallbackGroup, Executor, Timer};
use crate::log::Logger;
use crate::parameters::Parameters;
use crate::publisher::Publisher;
use crate::qos::Qos;
use crate::service::{
    PendingCalls, RequestQueue, Responder, ServerSlot, ServiceClient, ServiceServer,
};
use crate::subscription::{CallbackQueue, NewestSample, NewestSubscription, Subscription};
use crate::time::Time;
use crate::transport::{
    MessageInfo, NodeName, SampleHandler, ServiceSpec, TopicSpec, Transport, TypeSupport, Value,
};

struct NodeInner {
    context: Context,
    name: NodeName,
    group: Arc<CallbackGroup>,
    clock: Clock,
    parameters: Parameters,
    logger: Logger,
    /// Endpoints that live as long as the node.
    kept: Mutex<Vec<Box<dyn Any + Send + Sync>>>,
    clock_subscription: Mutex<Option<Box<dyn Any + Send + Sync>>>,
}

/// A node. Cheap to clone; the node leaves the graph with its last clone. A callback that owns a
/// clone keeps it alive: give it what it needs instead, or a [`WeakNode`].
#[derive(Clone)]
pub struct Node {
    inner: Arc<NodeInner>,
}

/// Sets the context's simulated time where `/clock` arrives, not on an executor that may be busy.
struct ClockHandler {
    base: Arc<crate::clock::TimeBase>,
}

impl SampleHandler for ClockHandler {
    fn deliver(&self, value: Value, _info: MessageInfo) {
        if let Some(message) = value.downcast_ref::<ClockMessage>() {
            self.base.set_simulated(Time::from_nanoseconds(message.clock.nanoseconds()));
        }
    }

    fn refuse(&self, error: crate::Error) {
        tracing::warn!(%error, "/clock refused");
    }
}

impl Node {
    /// Adds a node to the graph. Without parameter services and `/rosout`: see
    /// [`Context::create_node_with`].
    pub(crate) fn new(
        context: &Context,
        name: NodeName,
        group: Arc<CallbackGroup>,
    ) -> Result<Node> {
        let args = &context.inner.args;
        let absolute = name.absolute();
        context.inner.transport.add_node(&name)?;
        let clock = Clock::new(context.inner.base.clone());
        let logger_name = absolute.trim_start_matches('/').replace('/', ".");
        let level = args.given_severity(&logger_name);
        let logger = Logger::new(logger_name, clock.clone(), level, args.stdout(), &group);
        Ok(Node {
            inner: Arc::new(NodeInner {
                context: context.clone(),
                name,
                group,
                parameters: Parameters::new(absolute.clone(), args.parameters(&absolute)),
                logger,
                clock,
                kept: Mutex::new(Vec::new()),
                clock_subscription: Mutex::new(None),
            }),
        })
    }

    /// Follows the topic `/clock`, or no longer.
    pub(crate) fn use_sim_time(&self, wanted: bool) -> Result<()> {
        let mut subscription = self.inner.clock_subscription.lock();
        if wanted && subscription.is_none() && !self.inner.clock.is_virtual() {
            let handler = Arc::new(ClockHandler { base: self.inner.context.inner.base.clone() });
            let spec = self.topic_spec::<ClockMessage>("/clock".to_owned(), Qos::clock());
            *subscription = Some(Box::new(self.transport().create_reader(spec, handler)?));
        } else if !wanted {
            *subscription = None;
        }
        self.inner.clock.use_simulated(wanted);
        Ok(())
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.inner.context.inner.transport
    }

    pub(crate) fn group(&self) -> &Arc<CallbackGroup> {
        &self.inner.group
    }

    /// Keeps an endpoint (or anything else) alive as long as the node.
    pub fn keep(&self, endpoint: impl Any + Send + Sync) {
        self.inner.kept.lock().push(Box::new(endpoint));
    }

    /// A handle that does not keep the node alive, for callbacks that the node or its context owns.
    pub fn downgrade(&self) -> WeakNode {
        WeakNode { inner: Arc::downgrade(&self.inner) }
    }

    /// The node's base name.
    pub fn name(&self) -> &str {
        &self.inner.name.name
    }

    /// The absolute namespace.
    pub fn namespace(&self) -> &str {
        &self.inner.name.namespace
    }

    /// The absolute name.
    pub fn fully_qualified_name(&self) -> String {
        self.inner.name.absolute()
    }

    /// The context.
    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    /// The node's clock.
    pub fn clock(&self) -> Clock {
        self.inner.clock.clone()
    }

    /// ROS time now.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// Steady time since the context was made.
    pub fn steady_now(&self) -> Duration {
        self.inner.clock.steady()
    }

    /// The node's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.inner.parameters
    }

    /// The node's logger.
    pub fn logger(&self) -> &Logger {
        &self.inner.logger
    }

    /// What runs this node's callbacks.
    pub fn executor(&self) -> Executor {
        Executor { group: self.inner.group.clone(), base: self.inner.context.inner.base.clone() }
    }

    /// The absolute, remapped form of a topic name.
    ///
    /// # Errors
    /// An invalid name.
    pub fn resolve_topic(&self, name: &str) -> Result<String> {
        let node = &self.inner.name;
        Ok(self.inner.context.inner.args.topic(name, &node.namespace, &node.name)?)
    }

    /// The absolute, remapped form of a service or action name.
    ///
    /// # Errors
    /// An invalid name.
    pub fn resolve_service(&self, name: &str) -> Result<String> {
        let node = &self.inner.name;
        Ok(self.inner.context.inner.args.service(name, &node.namespace, &node.name)?)
    }

    fn topic_spec<T: Message>(&self, name: String, qos: Qos) -> TopicSpec {
        TopicSpec { node: self.inner.name.clone(), name, support: TypeSupport::of::<T>(), qos }
    }

    /// Makes a publisher.
    ///
    /// # Errors
    /// An invalid name, another type on the topic (`mem`), or a network fault.
    pub fn create_publisher<T: Message>(&self, topic: &str, qos: Qos) -> Result<Publisher<T>> {
        self.create_resolved_publisher(self.resolve_topic(topic)?, qos)
    }

    pub(crate) fn create_resolved_publisher<T: Message>(
        &self,
        topic: String,
        qos: Qos,
    ) -> Result<Publisher<T>> {
        let name = topic.as_str().into();
        let writer = self.transport().create_writer(self.topic_spec::<T>(topic, qos))?;
        Ok(Publisher { writer, topic: name, message: PhantomData })
    }

    /// Subscribes with a callback. At most as many samples as the profile's depth wait for it; then
    /// a newer one replaces the oldest.
    ///
    /// # Errors
    /// As [`Node::create_publisher`].
    pub fn create_subscription<T: Message>(
        &self,
        topic: &str,
        qos: Qos,
        callback: impl FnMut(Arc<T>, MessageInfo) + Send + 'static,
    ) -> Result<Subscription<T>> {
        self.create_resolved_subscription(self.resolve_topic(topic)?, qos, callback)
    }

    pub(crate) fn create_resolved_subscription<T: Message>(
        &self,
        topic: String,
        qos: Qos,
        mut callback: impl FnMut(Arc<T>, MessageInfo) + Send + 'static,
    ) -> Result<Subscription<T>> {
        let scope = self.logger().scope();
        let queue = CallbackQueue::new(
            topic.as_str().into(),
            self.inner.group.clone(),
            qos.depth(),
            Box::new(move |value, info| {
                if let Ok(message) = value.downcast::<T>() {
                    scope.run(|| callback(message, info));
                }
            }),
        );
        let spec = self.topic_spec::<T>(topic, qos);
        let reader = self.transport().create_reader(spec, queue.clone())?;
        Ok(Subscription { reader, queue, message: PhantomData })
    }

    /// Subscribes without a callback: the newest sample is held until it is taken.
    ///
    /// # Errors
    /// As [`Node::create_publisher`].
    pub fn create_newest_subscription<T: Message>(
        &self,
        topic: &str,
        qos: Qos,
    ) -> Result<NewestSubscription<T>> {
        let topic = self.resolve_topic(topic)?;
        let newest = NewestSample::new(topic.as_str().into());
        let spec = self.topic_spec::<T>(topic, qos);
        let reader = self.transport().create_reader(spec, newest.clone())?;
        Ok(NewestSubscription { reader, newest, message: PhantomData })
    }

    fn service_spec<S: Service>(&self, name: String, qos: Qos) -> ServiceSpec {
        ServiceSpec {
            node: self.inner.name.clone(),
            name,
            type_name: S::TYPE_NAME,
            request: TypeSupport::of::<S::Request>(),
            response: TypeSupport::of::<S::Response>(),
            qos,
        }
    }

    /// Offers a service whose answer is the callback's return value.
    ///
    /// # Errors
    /// An invalid name, a service of this name in this process (`mem`), or a network fault.
    pub fn create_service<S: Service>(
        &self,
        name: &str,
        mut answer: impl FnMut(&S::Request) -> S::Response + Send + 'static,
    ) -> Result<ServiceServer<S>> {
        self.create_deferred_service::<S>(name, move |request, responder| {
            responder.respond(answer(&request));
        })
    }

    /// Offers a service whose answer may come later, from any thread.
    ///
    /// # Errors
    /// As [`Node::create_service`].
    pub fn create_deferred_service<S: Service>(
        &self,
        name: &str,
        handle: impl FnMut(Arc<S::Request>, Responder<S>) + Send + 'static,
    ) -> Result<ServiceServer<S>> {
        self.create_resolved_service(self.resolve_service(name)?, Qos::services(), handle)
    }

    pub(crate) fn create_resolved_service<S: Service>(
        &self,
        name: String,
        qos: Qos,
        mut handle: impl FnMut(Arc<S::Request>, Responder<S>) + Send + 'static,
    ) -> Result<ServiceServer<S>> {
        let slot: ServerSlot = Arc::new(OnceLock::new());
        let slot_in_callback = slot.clone();
        let name_of_service: Arc<str> = name.as_str().into();
        let scope = self.logger().scope();
        let queue = RequestQueue::new(
            name_of_service.clone(),
            self.inner.group.clone(),
            Box::new(move |id, request| {
                if let Ok(request) = request.downcast::<S::Request>() {
                    let slot = slot_in_callback.clone();
                    let responder = Responder { slot, id, service: PhantomData };
                    scope.run(|| handle(request, responder));
                }
            }),
        );
        let server = self.transport().create_server(self.service_spec::<S>(name, qos), queue)?;
        let _ = slot.set(Arc::downgrade(&server));
        Ok(ServiceServer { _server: server, name: name_of_service, service: PhantomData })
    }

    /// Makes a client of a service; the server may come later.
    ///
    /// # Errors
    /// An invalid name or a network fault.
    pub fn create_client<S: Service>(&self, name: &str) -> Result<ServiceClient<S>> {
        self.create_resolved_client(self.resolve_service(name)?, Qos::services())
    }

    pub(crate) fn create_resolved_client<S: Service>(
        &self,
        name: String,
        qos: Qos,
    ) -> Result<ServiceClient<S>> {
        let calls = PendingCalls::new(
            name.as_str().into(),
            self.inner.group.clone(),
            self.logger().scope(),
        );
        let spec = self.service_spec::<S>(name, qos);
        let client = self.transport().create_client(spec, calls.clone())?;
        Ok(ServiceClient { client, calls, clock: self.clock(), service: PhantomData })
    }

    /// Calls back every `period` on the given clock, first one period from now.
    pub fn create_timer(
        &self,
        period: Duration,
        clock: ClockKind,
        mut callback: impl FnMut() + Send + 'static,
    ) -> Timer {
        let period = period.max(Duration::from_nanos(1));
        let scope = self.logger().scope();
        let callback = Box::new(move || scope.run(&mut callback));
        self.inner.group.add_timer(&self.inner.clock, clock, period, period, callback)
    }

    /// As [`Node::create_timer`], on a thread of its own named `thread`: no callback of the node
    /// delays it. On a virtual clock everything stays on one thread. The thread ends with the
    /// context.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn create_timer_on_thread(
        &self,
        thread: &str,
        period: Duration,
        clock: ClockKind,
        mut callback: impl FnMut() + Send + 'static,
    ) -> Result<Timer> {
        let group = if self.inner.clock.is_virtual() {
            self.inner.group.clone()
        } else {
            self.inner.context.spawn_group(thread)?
        };
        let period = period.max(Duration::from_nanos(1));
        let scope = self.logger().scope();
        let callback = Box::new(move || scope.run(&mut callback));
        Ok(group.add_timer(&self.inner.clock, clock, period, period, callback))
    }

    /// Calls back once, `delay` from now on the given clock.
    pub fn create_one_shot(
        &self,
        delay: Duration,
        clock: ClockKind,
        callback: impl FnOnce() + Send + 'static,
    ) -> Timer {
        let mut callback = Some(callback);
        let scope = self.logger().scope();
        self.inner.group.add_timer(
            &self.inner.clock,
            clock,
            delay,
            Duration::ZERO,
            Box::new(move || {
                if let Some(callback) = callback.take() {
                    scope.run(callback);
                }
            }),
        )
    }

    /// Calls back on this node's executor when simulated time steps back, until the listener is
    /// dropped.
    pub fn on_jump_back(&self, callback: impl Fn(Jump) + Send + Sync + 'static) -> JumpListener {
        // Weak: the time base owns no group, which owns what waits to run.
        let (group, callback) = (Arc::downgrade(&self.inner.group), Arc::new(callback));
        let scope = self.logger().scope();
        self.inner.clock.on_jump_back(move |jump| {
            if let Some(group) = group.upgrade() {
                let (callback, scope) = (callback.clone(), scope.clone());
                group.post(Box::new(move || scope.run(|| callback(jump))));
            }
        })
    }

    /// Runs `work` once on this node's executor, after the callbacks that are ready already.
    pub fn post(&self, work: impl FnOnce() + Send + 'static) {
        let scope = self.logger().scope();
        self.inner.group.post(Box::new(move || scope.run(work)));
    }
}

/// A handle of a node that does not keep it alive.
#[derive(Clone)]
pub struct WeakNode {
    inner: Weak<NodeInner>,
}

impl WeakNode {
    /// The node, if it still exists.
    pub fn upgrade(&self) -> Option<Node> {
        self.inner.upgrade().map(|inner| Node { inner })
    }
}

impl Drop for NodeInner {
    fn drop(&mut self) {
        self.parameters.close();
        self.context.inner.transport.remove_node(&self.name);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.fully_qualified_name())
    }
}
