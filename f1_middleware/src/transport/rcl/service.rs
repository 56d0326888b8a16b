//! Services, typed in r2r: our structures go through CDR into the types of the install.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;
use std::sync::atomic::AtomicI64;

use r2r::{Client, ServiceRequest, WrappedServiceTypeSupport, WrappedTypesupport};

use super::types::{WithService, service};
use super::*;

/// Requests that may wait for their answers; the oldest is given up.
const MAX_WAITING: usize = 100;

/// The same at the asking end.
const MAX_UNANSWERED: i64 = 100;

fn unknown(spec: &ServiceSpec) -> Error {
    Error::Unsupported(format!(
        "{}: this build of the `rcl` back end has no {}; build it with that interface package sourced",
        spec.name, spec.type_name
    ))
}

struct Server<S: WrappedServiceTypeSupport> {
    name: String,
    response: TypeSupport,
    waiting: Mutex<BTreeMap<i64, ServiceRequest<S>>>,
    _sink: Arc<dyn RequestSink>,
}

impl<S> ServerPort for Server<S>
where
    S: WrappedServiceTypeSupport + Send + 'static,
{
    fn respond(&self, id: RequestId, response: Value) -> Result<()> {
        let Some(request) = self.waiting.lock().remove(&id.sequence) else { return Ok(()) };
        let bytes = with_header(self.response.encode(&self.name, &response)?);
        S::Response::from_serialized_bytes(&bytes)
            .and_then(|response| request.respond(response))
            .map_err(|error| failed(format!("answer on service {}", self.name), error))
    }
}

struct Requests<S: WrappedServiceTypeSupport, R> {
    stream: R,
    server: Weak<Server<S>>,
    request: TypeSupport,
    next: i64,
    sink: Weak<dyn RequestSink>,
}

impl<S, R> Pending for Requests<S, R>
where
    S: WrappedServiceTypeSupport + Send + 'static,
    R: futures::Stream<Item = ServiceRequest<S>> + Unpin + Send,
{
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let (Some(server), Some(sink)) = (self.server.upgrade(), self.sink.upgrade()) else {
            return false;
        };
        let Requests { stream, request: support, next, .. } = self;
        drain(stream, task, |request| {
            let value = request
                .message
                .to_serialized_bytes()
                .map_err(|error| failed(format!("read service {}", server.name), error))
                .and_then(|bytes| decode(support, &server.name, &bytes));
            match value {
                Ok(value) => {
                    *next += 1;
                    let mut waiting = server.waiting.lock();
                    waiting.insert(*next, request);
                    if waiting.len() > MAX_WAITING {
                        waiting.pop_first();
                    }
                    drop(waiting);
                    sink.deliver(RequestId { client: [0; 16], sequence: *next, dialect: 0 }, value);
                }
                Err(error) => sink.refuse(error),
            }
        })
    }
}

struct Serve<'a> {
    node: &'a RclNode,
    spec: &'a ServiceSpec,
    sink: Arc<dyn RequestSink>,
}

impl WithService for Serve<'_> {
    type Output = Result<Arc<dyn ServerPort>>;

    fn with<S>(self) -> Self::Output
    where
        S: WrappedServiceTypeSupport + Send + 'static,
        S::Request: Send,
        S::Response: Send,
    {
        let stream = self
            .node
            .with(|node| node.create_service::<S>(&self.spec.name, profile(&self.spec.qos)))
            .map_err(|error| failed(format!("offer service {}", self.spec.name), error))?;
        let server = Arc::new(Server::<S> {
            name: self.spec.name.clone(),
            response: self.spec.response,
            waiting: Mutex::new(BTreeMap::new()),
            _sink: self.sink.clone(),
        });
        self.node.watch(Requests {
            stream,
            server: Arc::downgrade(&server),
            request: self.spec.request,
            next: 0,
            sink: Arc::downgrade(&self.sink),
        });
        Ok(server)
    }
}

pub(super) fn serve(
    node: &Arc<RclNode>,
    spec: ServiceSpec,
    sink: Arc<dyn RequestSink>,
) -> Result<Arc<dyn ServerPort>> {
    service(spec.type_name, Serve { node, spec: &spec, sink })
        .unwrap_or_else(|| Err(unknown(&spec)))
}

struct RclClient<S: WrappedServiceTypeSupport> {
    name: String,
    request: TypeSupport,
    response: TypeSupport,
    client: Mutex<Client<S>>,
    /// The sequence number given out last.
    last: Arc<AtomicI64>,
    ready: AtomicBool,
    node: Weak<RclNode>,
    sink: Arc<dyn ResponseSink>,
}

struct Answer<T> {
    future: Pin<Box<dyn Future<Output = r2r::Result<T>> + Send>>,
    name: String,
    response: TypeSupport,
    sequence: i64,
    last: Arc<AtomicI64>,
    sink: Weak<dyn ResponseSink>,
}

impl<T: WrappedTypesupport + Send> Pending for Answer<T> {
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(sink) = self.sink.upgrade() else { return false };
        let Poll::Ready(answer) = self.future.as_mut().poll(task) else {
            // A server that went away never answers: its callers have timed out, and this must not
            // pile up.
            return self.last.load(Ordering::SeqCst) - self.sequence < MAX_UNANSWERED;
        };
        let value = answer
            .and_then(|answer| answer.to_serialized_bytes())
            .map_err(|error| failed(format!("read the answer of {}", self.name), error))
            .and_then(|bytes| decode(&self.response, &self.name, &bytes));
        match value {
            Ok(value) => sink.deliver(self.sequence, value),
            Err(error) => sink.refuse(error),
        }
        false
    }
}

/// Asks again and again whether a server is there: r2r answers a question once, when one has come.
struct Availability<S: WrappedServiceTypeSupport> {
    client: Weak<RclClient<S>>,
    question: Option<Pin<Box<dyn Future<Output = r2r::Result<()>> + Send>>>,
    asked: Instant,
}

impl<S> Pending for Availability<S>
where
    S: WrappedServiceTypeSupport + Send + 'static,
{
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(client) = self.client.upgrade() else { return false };
        match &mut self.question {
            Some(question) => match question.as_mut().poll(task) {
                Poll::Ready(outcome) => {
                    client.ready.store(outcome.is_ok(), Ordering::SeqCst);
                    self.question = None;
                }
                // The node has looked since the question was asked: there is no server.
                Poll::Pending => client.ready.store(false, Ordering::SeqCst),
            },
            None if self.asked.elapsed() >= COUNT => {
                self.asked = Instant::now();
                self.question = match r2r::Node::is_available(&*client.client.lock()) {
                    Ok(question) => Some(Box::pin(question)),
                    Err(_) => None,
                };
            }
            None => {}
        }
        true
    }
}

impl<S> ClientPort for RclClient<S>
where
    S: WrappedServiceTypeSupport + Send + 'static,
    S::Response: Send,
{
    fn send(&self, request: Value) -> Result<i64> {
        let action = || format!("call service {}", self.name);
        let bytes = with_header(self.request.encode(&self.name, &request)?);
        let request =
            S::Request::from_serialized_bytes(&bytes).map_err(|error| failed(action(), error))?;
        let Some(node) = self.node.upgrade() else {
            return Err(failed(action(), "its node has ended"));
        };
        let future =
            self.client.lock().request(&request).map_err(|error| failed(action(), error))?;
        let sequence = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        node.watch(Answer {
            future: Box::pin(future),
            name: self.name.clone(),
            response: self.response,
            sequence,
            last: self.last.clone(),
            sink: Arc::downgrade(&self.sink),
        });
        Ok(sequence)
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }
}

struct Connect<'a> {
    node: &'a Arc<RclNode>,
    spec: &'a ServiceSpec,
    sink: Arc<dyn ResponseSink>,
}

impl WithService for Connect<'_> {
    type Output = Result<Arc<dyn ClientPort>>;

    fn with<S>(self) -> Self::Output
    where
        S: WrappedServiceTypeSupport + Send + 'static,
        S::Request: Send,
        S::Response: Send,
    {
        let action = || format!("connect to service {}", self.spec.name);
        let client = self
            .node
            .with(|node| node.create_client::<S>(&self.spec.name, profile(&self.spec.qos)))
            .map_err(|error| failed(action(), error))?;
        let available =
            r2r::Node::is_available(&client).map_err(|error| failed(action(), error))?;
        let client = Arc::new(RclClient::<S> {
            name: self.spec.name.clone(),
            request: self.spec.request,
            response: self.spec.response,
            client: Mutex::new(client),
            last: Arc::new(AtomicI64::new(0)),
            ready: AtomicBool::new(false),
            node: Arc::downgrade(self.node),
            sink: self.sink,
        });
        self.node.watch(Availability {
            client: Arc::downgrade(&client),
            question: Some(Box::pin(available)),
            asked: Instant::now(),
        });
        Ok(client)
    }
}

pub(super) fn client(
    node: &Arc<RclNode>,
    spec: ServiceSpec,
    sink: Arc<dyn ResponseSink>,
) -> Result<Arc<dyn ClientPort>> {
    service(spec.type_name, Connect { node, spec: &spec, sink })
        .unwrap_or_else(|| Err(unknown(&spec)))
}
