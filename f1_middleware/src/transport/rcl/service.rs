//! Services, typed in r2r: our structures are converted by CDR into the types of the install.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use parking_lot::Mutex;
use r2r::{ServiceRequest, WrappedServiceTypeSupport, WrappedTypesupport};

use super::node::{COUNT, Pending, RclNode, decode, drain, failed, profile, with_header};
use super::types::{WithService, service};
use crate::error::{Error, Result};
use crate::transport::{
    Client, RequestHandler, RequestId, RequestOrigin, ResponseHandler, Server, ServiceSpec,
    TypeSupport, Value,
};

/// Requests of one server that may wait for their answers; beyond that the oldest is dropped.
const MAX_WAITING: usize = 100;

/// Requests of one client that may wait for their answers.
const MAX_UNANSWERED: i64 = 100;

fn unknown(spec: &ServiceSpec) -> Error {
    Error::Unsupported(format!(
        "{}: this build of the `rcl` back end has no {}; build it with that interface package sourced",
        spec.name, spec.type_name
    ))
}

struct RclServer<S: WrappedServiceTypeSupport> {
    name: String,
    response: TypeSupport,
    waiting: Mutex<BTreeMap<i64, ServiceRequest<S>>>,
    _handler: Arc<dyn RequestHandler>,
}

impl<S> Server for RclServer<S>
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
    server: Weak<RclServer<S>>,
    request: TypeSupport,
    next: i64,
    handler: Weak<dyn RequestHandler>,
}

impl<S, R> Pending for Requests<S, R>
where
    S: WrappedServiceTypeSupport + Send + 'static,
    R: futures::Stream<Item = ServiceRequest<S>> + Unpin + Send,
{
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let (Some(server), Some(handler)) = (self.server.upgrade(), self.handler.upgrade()) else {
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
                    handler.deliver(
                        RequestId { client: [0; 16], sequence: *next, origin: RequestOrigin::Rcl },
                        value,
                    );
                }
                Err(error) => handler.refuse(error),
            }
        })
    }
}

struct CreateServer<'a> {
    node: &'a RclNode,
    spec: &'a ServiceSpec,
    handler: Arc<dyn RequestHandler>,
}

impl WithService for CreateServer<'_> {
    type Output = Result<Arc<dyn Server>>;

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
        let server = Arc::new(RclServer::<S> {
            name: self.spec.name.clone(),
            response: self.spec.response,
            waiting: Mutex::new(BTreeMap::new()),
            _handler: self.handler.clone(),
        });
        self.node.watch(Requests {
            stream,
            server: Arc::downgrade(&server),
            request: self.spec.request,
            next: 0,
            handler: Arc::downgrade(&self.handler),
        });
        Ok(server)
    }
}

pub(super) fn create_server(
    node: &Arc<RclNode>,
    spec: ServiceSpec,
    handler: Arc<dyn RequestHandler>,
) -> Result<Arc<dyn Server>> {
    service(spec.type_name, CreateServer { node, spec: &spec, handler })
        .unwrap_or_else(|| Err(unknown(&spec)))
}

struct RclClient<S: WrappedServiceTypeSupport> {
    name: String,
    request: TypeSupport,
    response: TypeSupport,
    client: Mutex<r2r::Client<S>>,
    /// The sequence number given out last.
    last: Arc<AtomicI64>,
    ready: AtomicBool,
    node: Weak<RclNode>,
    handler: Arc<dyn ResponseHandler>,
}

struct Answer<T> {
    future: Pin<Box<dyn Future<Output = r2r::Result<T>> + Send>>,
    name: String,
    response: TypeSupport,
    sequence: i64,
    last: Arc<AtomicI64>,
    handler: Weak<dyn ResponseHandler>,
}

impl<T: WrappedTypesupport + Send> Pending for Answer<T> {
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(handler) = self.handler.upgrade() else { return false };
        let Poll::Ready(answer) = self.future.as_mut().poll(task) else {
            // A server that is gone never answers. Its callers get a timeout, and these futures
            // must not accumulate.
            return self.last.load(Ordering::SeqCst) - self.sequence < MAX_UNANSWERED;
        };
        let value = answer
            .and_then(|answer| answer.to_serialized_bytes())
            .map_err(|error| failed(format!("read the answer of {}", self.name), error))
            .and_then(|bytes| decode(&self.response, &self.name, &bytes));
        match value {
            Ok(value) => handler.deliver(self.sequence, value),
            Err(error) => handler.refuse(error),
        }
        false
    }
}

/// Asks again and again whether a server exists: r2r's future completes once, when one does.
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
                // The node has spun since the question was asked: there is no server.
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

impl<S> Client for RclClient<S>
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
            return Err(failed(action(), "its node does not exist any more"));
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
            handler: Arc::downgrade(&self.handler),
        });
        Ok(sequence)
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }
}

struct CreateClient<'a> {
    node: &'a Arc<RclNode>,
    spec: &'a ServiceSpec,
    handler: Arc<dyn ResponseHandler>,
}

impl WithService for CreateClient<'_> {
    type Output = Result<Arc<dyn Client>>;

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
            handler: self.handler,
        });
        self.node.watch(Availability {
            client: Arc::downgrade(&client),
            question: Some(Box::pin(available)),
            asked: Instant::now(),
        });
        Ok(client)
    }
}

pub(super) fn create_client(
    node: &Arc<RclNode>,
    spec: ServiceSpec,
    handler: Arc<dyn ResponseHandler>,
) -> Result<Arc<dyn Client>> {
    service(spec.type_name, CreateClient { node, spec: &spec, handler })
        .unwrap_or_else(|| Err(unknown(&spec)))
}
