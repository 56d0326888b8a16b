//! A node: a name in the graph, and the place where endpoints, timers and parameters are made.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::rcl_interfaces::msg::ParameterEvent;
use f1_interfaces::rosgraph_msgs::msg::Clock as ClockMessage;
use f1_interfaces::{Message, Service};
use parking_lot::Mutex;

use crate::clock::{Clock, ClockKind};
use crate::context::Context;
use crate::error::Result;
use crate::executor::{Executor, Lane, Timer};
use crate::log::Logger;
use crate::parameters::{Descriptor, ParameterServices, Parameters, Value as ParameterValue};
use crate::publisher::Publisher;
use crate::qos::Qos;
use crate::service::{ClientSink, PortSlot, Responder, ServerSink, ServiceClient, ServiceServer};
use crate::subscription::{CallbackSink, NewestSink, NewestSubscription, Subscription};
use crate::time::Time;
use crate::transport::{
    MessageInfo, NodeName, SampleSink, ServiceSpec, TopicSpec, Transport, TypeSupport, Value,
};

/// How a node is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    /// The namespace, unless `-r __ns:=` says otherwise.
    pub namespace: String,
    /// Gives the node's callbacks a thread of their own, so that no other node delays them. On a
    /// virtual clock everything stays on one thread.
    pub own_thread: bool,
    /// Offers the parameter services and publishes `/parameter_events`.
    pub parameter_services: bool,
    /// Publishes log lines to `/rosout`.
    pub rosout: bool,
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions {
            namespace: "/".to_owned(),
            own_thread: false,
            parameter_services: true,
            rosout: true,
        }
    }
}

impl NodeOptions {
    /// The defaults, in `namespace`.
    pub fn in_namespace(namespace: impl Into<String>) -> NodeOptions {
        NodeOptions { namespace: namespace.into(), ..NodeOptions::default() }
    }

    /// The same with a thread of its own.
    #[must_use]
    pub fn on_own_thread(mut self) -> NodeOptions {
        self.own_thread = true;
        self
    }
}

struct NodeInner {
    context: Context,
    name: NodeName,
    lane: Arc<Lane>,
    clock: Clock,
    parameters: Parameters,
    logger: Logger,
    /// Endpoints that live as long as the node.
    kept: Mutex<Vec<Box<dyn Any + Send + Sync>>>,
    clock_subscription: Mutex<Option<Box<dyn Any + Send + Sync>>>,
}

/// A node. Cheap to clone; the node leaves the graph with its last clone. Callbacks that own a
/// clone keep it alive: give them what they need instead.
#[derive(Clone)]
pub struct Node {
    inner: Arc<NodeInner>,
}

/// Feeds `/clock` into the context where it arrives, not on an executor that may be busy.
struct ClockSink {
    base: Arc<crate::clock::TimeBase>,
}

impl SampleSink for ClockSink {
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
    pub(crate) fn new(
        context: &Context,
        name: &str,
        options: &NodeOptions,
        lane: Arc<Lane>,
    ) -> Result<Node> {
        let args = &context.inner.args;
        let (name, namespace) = args.node_identity(name, &options.namespace)?;
        let name = NodeName { namespace, name };
        let absolute = name.absolute();
        let transport = &context.inner.transport;
        transport.add_node(&name)?;
        let clock = Clock::new(context.inner.base.clone());
        let rosout = if options.rosout && args.rosout() {
            Some(advertise(context, &name, "/rosout".to_owned(), Qos::rosout())?)
        } else {
            None
        };
        let logger_name = absolute.trim_start_matches('/').replace('/', ".");
        let severity = args.severity(&logger_name);
        let logger = Logger::new(logger_name, clock.clone(), severity, args.stdout(), rosout);
        let parameters = Parameters::new(absolute.clone(), args.parameters(&absolute));
        let node = Node {
            inner: Arc::new(NodeInner {
                context: context.clone(),
                name: name.clone(),
                lane,
                clock,
                parameters: parameters.clone(),
                logger,
                kept: Mutex::new(Vec::new()),
                clock_subscription: Mutex::new(None),
            }),
        };
        if options.parameter_services {
            let events: Publisher<ParameterEvent> =
                advertise(context, &name, "/parameter_events".to_owned(), Qos::parameter_events())?;
            let stamp = node.clock();
            parameters.publish_events_with(move |mut event| {
                event.stamp = WireTime::saturating_from_nanoseconds(stamp.now().nanoseconds());
                if let Err(error) = events.publish(event) {
                    tracing::warn!(%error, "parameter event not sent");
                }
            });
            let services = ParameterServices::offer(&node, &parameters)?;
            node.keep(services);
        }
        node.follow_sim_time(&parameters)?;
        Ok(node)
    }

    fn follow_sim_time(&self, parameters: &Parameters) -> Result<()> {
        let wanted = parameters.declare(
            "use_sim_time",
            false,
            Descriptor::new(
                "Take ROS time from `/clock` (simulation, playback) instead of the system clock.",
            ),
        )?;
        let weak = Arc::downgrade(&self.inner);
        parameters.on_change(move |changes| {
            for (name, value) in changes {
                if name == "use_sim_time"
                    && let ParameterValue::Bool(wanted) = value
                    && let Some(inner) = weak.upgrade()
                    && let Err(error) = (Node { inner }).use_sim_time(*wanted)
                {
                    tracing::error!(%error, "cannot follow /clock");
                }
            }
        });
        self.use_sim_time(wanted)
    }

    fn use_sim_time(&self, wanted: bool) -> Result<()> {
        let mut subscription = self.inner.clock_subscription.lock();
        if wanted && subscription.is_none() && !self.inner.clock.is_virtual() {
            let sink = Arc::new(ClockSink { base: self.inner.context.inner.base.clone() });
            let spec = self.topic_spec::<ClockMessage>("/clock".to_owned(), Qos::clock());
            *subscription = Some(Box::new(self.transport().subscribe(spec, sink)?));
        } else if !wanted {
            *subscription = None;
        }
        self.inner.clock.use_simulated(wanted);
        Ok(())
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.inner.context.inner.transport
    }

    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.inner.lane
    }

    /// Keeps an endpoint (or anything else) alive as long as the node.
    pub fn keep(&self, endpoint: impl Any + Send + Sync) {
        self.inner.kept.lock().push(Box::new(endpoint));
    }

    pub(crate) fn downgrade(&self) -> WeakNode {
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
        Executor { lane: self.inner.lane.clone(), base: self.inner.context.inner.base.clone() }
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
        advertise(&self.inner.context, &self.inner.name, topic, qos)
    }

    /// Subscribes with a callback. At most as many samples wait for it as the profile's depth; a
    /// newer one replaces the oldest.
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
        let sink = CallbackSink::new(
            topic.as_str().into(),
            self.inner.lane.clone(),
            qos.depth(),
            Box::new(move |value, info| {
                if let Ok(message) = value.downcast::<T>() {
                    callback(message, info);
                }
            }),
        );
        let inlet = self.transport().subscribe(self.topic_spec::<T>(topic, qos), sink.clone())?;
        Ok(Subscription { inlet, sink, message: PhantomData })
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
        let sink = NewestSink::new(topic.as_str().into());
        let inlet = self.transport().subscribe(self.topic_spec::<T>(topic, qos), sink.clone())?;
        Ok(NewestSubscription { inlet, sink, message: PhantomData })
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

    /// Offers a service that answers at once.
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
        let slot: PortSlot = Arc::new(OnceLock::new());
        let slot_in_callback = slot.clone();
        let name_of_service: Arc<str> = name.as_str().into();
        let sink = ServerSink::new(
            name_of_service.clone(),
            self.inner.lane.clone(),
            Box::new(move |id, request| {
                if let Ok(request) = request.downcast::<S::Request>() {
                    handle(
                        request,
                        Responder { slot: slot_in_callback.clone(), id, service: PhantomData },
                    );
                }
            }),
        );
        let port = self.transport().serve(self.service_spec::<S>(name, qos), sink)?;
        let _ = slot.set(Arc::downgrade(&port));
        Ok(ServiceServer { _port: port, name: name_of_service, service: PhantomData })
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
        let sink = ClientSink::new(name.as_str().into(), self.inner.lane.clone());
        let port = self.transport().client(self.service_spec::<S>(name, qos), sink.clone())?;
        Ok(ServiceClient { port, sink, clock: self.clock(), service: PhantomData })
    }

    /// Calls back every `period` on the given clock, first one period from now.
    pub fn create_timer(
        &self,
        period: Duration,
        clock: ClockKind,
        callback: impl FnMut() + Send + 'static,
    ) -> Timer {
        let period = period.max(Duration::from_nanos(1));
        self.inner.lane.add_timer(&self.inner.clock, clock, period, period, Box::new(callback))
    }

    /// Calls back once, `delay` from now on the given clock.
    pub fn create_one_shot(
        &self,
        delay: Duration,
        clock: ClockKind,
        callback: impl FnOnce() + Send + 'static,
    ) -> Timer {
        let mut callback = Some(callback);
        self.inner.lane.add_timer(
            &self.inner.clock,
            clock,
            delay,
            Duration::ZERO,
            Box::new(move || {
                if let Some(callback) = callback.take() {
                    callback();
                }
            }),
        )
    }

    /// Runs `work` once on this node's executor, after what is already waiting.
    pub fn post(&self, work: impl FnOnce() + Send + 'static) {
        self.inner.lane.post(Box::new(work));
    }
}

/// A node that does not keep itself alive.
#[derive(Clone)]
pub(crate) struct WeakNode {
    inner: Weak<NodeInner>,
}

impl WeakNode {
    pub(crate) fn upgrade(&self) -> Option<Node> {
        self.inner.upgrade().map(|inner| Node { inner })
    }
}

fn advertise<T: Message>(
    context: &Context,
    node: &NodeName,
    topic: String,
    qos: Qos,
) -> Result<Publisher<T>> {
    let name = topic.as_str().into();
    let support = TypeSupport::of::<T>();
    let outlet = context.inner.transport.advertise(TopicSpec {
        node: node.clone(),
        name: topic,
        support,
        qos,
    })?;
    Ok(Publisher { outlet, topic: name, message: PhantomData })
}

impl Drop for NodeInner {
    fn drop(&mut self) {
        self.context.inner.transport.remove_node(&self.name);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.fully_qualified_name())
    }
}
