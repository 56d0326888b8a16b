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
    service(spec.type_name, Serve { node, spec: &spec, sink }).unwrap_or_else(|| Err(unknown(&spec)))
}

struct RclClient<S: WrappedServiceTypeSupport> {
    name: String,
    request: TypeSupport,
    response: TypeSupport,
    client: Mutex<Client<S>>,
    next: AtomicI64,
    ready: Arc<AtomicBool>,
    node: Arc<RclNode>,
    sink: Arc<dyn ResponseSink>,
}

struct Answer<T> {
    future: Pin<Box<dyn Future<Output = r2r::Result<T>> + Send>>,
    name: String,
    response: TypeSupport,
    sequence: i64,
    sink: Weak<dyn ResponseSink>,
}

impl<T: WrappedTypesupport + Send> Pending for Answer<T> {
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(sink) = self.sink.upgrade() else { return false };
        let Poll::Ready(answer) = self.future.as_mut().poll(task) else { return true };
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

/// Becomes true when a server is there.
struct Availability {
    future: Pin<Box<dyn Future<Output = r2r::Result<()>> + Send>>,
    ready: Weak<AtomicBool>,
}

impl Pending for Availability {
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(ready) = self.ready.upgrade() else { return false };
        match self.future.as_mut().poll(task) {
            Poll::Ready(outcome) => {
                ready.store(outcome.is_ok(), Ordering::SeqCst);
                false
            }
            Poll::Pending => true,
        }
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
        let request = S::Request::from_serialized_bytes(&bytes).map_err(|error| failed(action(), error))?;
        let future = self.client.lock().request(&request).map_err(|error| failed(action(), error))?;
        let sequence = self.next.fetch_add(1, Ordering::SeqCst) + 1;
        self.node.watch(Answer {
            future: Box::pin(future),
            name: self.name.clone(),
            response: self.response,
            sequence,
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
        let available = r2r::Node::is_available(&client).map_err(|error| failed(action(), error))?;
        let ready = Arc::new(AtomicBool::new(false));
        self.node.watch(Availability { future: Box::pin(available), ready: Arc::downgrade(&ready) });
        Ok(Arc::new(RclClient::<S> {
            name: self.spec.name.clone(),
            request: self.spec.request,
            response: self.spec.response,
            client: Mutex::new(client),
            next: AtomicI64::new(0),
            ready,
            node: self.node.clone(),
            sink: self.sink,
        }))
    }
}

pub(super) fn client(
    node: &Arc<RclNode>,
    spec: ServiceSpec,
    sink: Arc<dyn ResponseSink>,
) -> Result<Arc<dyn ClientPort>> {
    service(spec.type_name, Connect { node, spec: &spec, sink }).unwrap_or_else(|| Err(unknown(&spec)))
}
