//! Services: servers that answer at once or later, and clients that call back or wait.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use f1_interfaces::Service;
use parking_lot::Mutex;

use crate::clock::{Clock, ClockKind};
use crate::error::{Error, Result};
use crate::executor::{CallbackGroup, Executor, Source, Timer};
use crate::log::Scope;
use crate::transport::{Client, RequestHandler, RequestId, ResponseHandler, Server, Value};

/// Requests that may wait for a server's callback; beyond that the oldest is dropped.
const MAX_WAITING: usize = 100;

type RequestCallback = Box<dyn FnMut(RequestId, Value) + Send>;

pub(crate) struct RequestQueue {
    this: Weak<RequestQueue>,
    name: Arc<str>,
    group: Arc<CallbackGroup>,
    waiting: Mutex<VecDeque<(RequestId, Value)>>,
    scheduled: AtomicBool,
    callback: Mutex<RequestCallback>,
}

impl RequestQueue {
    pub(crate) fn new(
        name: Arc<str>,
        group: Arc<CallbackGroup>,
        callback: RequestCallback,
    ) -> Arc<RequestQueue> {
        Arc::new_cyclic(|this| RequestQueue {
            this: this.clone(),
            name,
            group,
            waiting: Mutex::new(VecDeque::new()),
            scheduled: AtomicBool::new(false),
            callback: Mutex::new(callback),
        })
    }

    fn schedule(&self) {
        if !self.scheduled.swap(true, Ordering::SeqCst) {
            self.group.enqueue(self.this.clone());
        }
    }
}

impl RequestHandler for RequestQueue {
    fn deliver(&self, id: RequestId, request: Value) {
        let mut waiting = self.waiting.lock();
        waiting.push_back((id, request));
        if waiting.len() > MAX_WAITING {
            waiting.pop_front();
            tracing::warn!(service = %self.name, "more than {MAX_WAITING} requests wait: the oldest is dropped");
        }
        drop(waiting);
        self.schedule();
    }

    fn refuse(&self, error: Error) {
        tracing::warn!(service = %self.name, %error, "request refused");
    }
}

impl Source for RequestQueue {
    fn run(self: Arc<Self>) {
        self.scheduled.store(false, Ordering::SeqCst);
        let next = self.waiting.lock().pop_front();
        if let Some((id, request)) = next {
            (self.callback.lock())(id, request);
        }
        if !self.waiting.lock().is_empty() {
            self.schedule();
        }
    }
}

/// Where responders find the server, which is made after the queue of its requests.
pub(crate) type ServerSlot = Arc<OnceLock<Weak<dyn Server>>>;

/// A service that is offered; dropping it withdraws the service.
#[must_use = "dropping a service withdraws it"]
pub struct ServiceServer<S> {
    pub(crate) _server: Arc<dyn Server>,
    pub(crate) name: Arc<str>,
    pub(crate) service: PhantomData<fn(S)>,
}

impl<S> ServiceServer<S> {
    /// The absolute, remapped name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Answers one request, now or later. If it is dropped without an answer, the caller gets a
/// timeout.
pub struct Responder<S> {
    pub(crate) slot: ServerSlot,
    pub(crate) id: RequestId,
    pub(crate) service: PhantomData<fn(S)>,
}

impl<S: Service> Responder<S> {
    /// Sends the answer. An answer that cannot be sent is logged.
    pub fn respond(self, response: S::Response) {
        if let Some(server) = self.slot.get().and_then(Weak::upgrade)
            && let Err(error) = server.respond(self.id, Arc::new(response))
        {
            tracing::warn!(%error, "response not sent");
        }
    }
}

type ResponseCallback = Box<dyn FnOnce(Result<Value>) + Send>;

struct PendingCall {
    callback: ResponseCallback,
    /// Dropped, and so cancelled, with the call.
    _timeout: Option<Timer>,
}

pub(crate) struct PendingCalls {
    name: Arc<str>,
    group: Arc<CallbackGroup>,
    scope: Scope,
    pending: Mutex<BTreeMap<i64, PendingCall>>,
    /// Answers that came before `send` returned their sequence number.
    early: Mutex<BTreeMap<i64, Value>>,
    sending: Mutex<()>,
}

impl PendingCalls {
    pub(crate) fn new(
        name: Arc<str>,
        group: Arc<CallbackGroup>,
        scope: Scope,
    ) -> Arc<PendingCalls> {
        Arc::new(PendingCalls {
            name,
            group,
            scope,
            pending: Mutex::new(BTreeMap::new()),
            early: Mutex::new(BTreeMap::new()),
            sending: Mutex::new(()),
        })
    }

    fn finish(&self, sequence: i64, outcome: Result<Value>) {
        let call = self.pending.lock().remove(&sequence);
        if let Some(call) = call {
            let scope = self.scope.clone();
            self.group.post(Box::new(move || scope.run(|| (call.callback)(outcome))));
        }
    }
}

impl ResponseHandler for PendingCalls {
    fn deliver(&self, sequence: i64, response: Value) {
        let mut early = self.early.lock();
        if self.pending.lock().contains_key(&sequence) {
            drop(early);
            self.finish(sequence, Ok(response));
        } else {
            early.insert(sequence, response);
            // Answers to calls that timed out must not pile up.
            while early.len() > MAX_WAITING {
                early.pop_first();
            }
        }
    }

    fn refuse(&self, error: Error) {
        tracing::warn!(service = %self.name, %error, "response refused");
    }
}

/// The calling end of a service.
pub struct ServiceClient<S> {
    pub(crate) client: Arc<dyn Client>,
    pub(crate) calls: Arc<PendingCalls>,
    pub(crate) clock: Clock,
    pub(crate) service: PhantomData<fn(S)>,
}

impl<S> Clone for ServiceClient<S> {
    fn clone(&self) -> ServiceClient<S> {
        ServiceClient {
            client: self.client.clone(),
            calls: self.calls.clone(),
            clock: self.clock.clone(),
            service: PhantomData,
        }
    }
}

impl<S: Service> ServiceClient<S> {
    /// The absolute, remapped name.
    pub fn name(&self) -> &str {
        &self.calls.name
    }

    /// Whether a server is connected.
    pub fn is_ready(&self) -> bool {
        self.client.is_ready()
    }

    /// Sends a request; `callback` runs on the executor with the answer, or with
    /// [`Error::Timeout`].
    ///
    /// # Errors
    /// If the request cannot be sent at all (the callback is then not called).
    pub fn call(
        &self,
        request: S::Request,
        timeout: Duration,
        callback: impl FnOnce(Result<Arc<S::Response>>) + Send + 'static,
    ) -> Result<()> {
        let name = self.calls.name.clone();
        let callback: ResponseCallback = Box::new(move |outcome| {
            callback(outcome.and_then(|value| {
                value.downcast::<S::Response>().map_err(|_| Error::TypeMismatch {
                    name: name.to_string(),
                    existing: "another type".to_owned(),
                    asked: S::TYPE_NAME.to_owned(),
                })
            }));
        });
        let _one_at_a_time = self.calls.sending.lock();
        let sequence = self.client.send(Arc::new(request))?;
        let weak = Arc::downgrade(&self.calls);
        let timer = self.calls.group.add_timer(
            &self.clock,
            ClockKind::Steady,
            timeout,
            Duration::ZERO,
            Box::new(move || {
                if let Some(calls) = weak.upgrade() {
                    let name = calls.name.to_string();
                    calls.finish(
                        sequence,
                        Err(Error::Timeout { name, seconds: timeout.as_secs_f64() }),
                    );
                }
            }),
        );
        let mut early = self.calls.early.lock();
        self.calls.pending.lock().insert(sequence, PendingCall { callback, _timeout: Some(timer) });
        let answered = early.remove(&sequence);
        drop(early);
        if let Some(response) = answered {
            self.calls.finish(sequence, Ok(response));
        }
        Ok(())
    }

    /// Sends a request and runs `executor` until the answer is there. For programs and tests; never
    /// call it from inside a callback.
    ///
    /// # Errors
    /// [`Error::Timeout`] without an answer in `timeout`; also while no server is connected.
    pub fn call_and_spin(
        &self,
        executor: &Executor,
        request: S::Request,
        timeout: Duration,
    ) -> Result<Arc<S::Response>> {
        let start = self.clock.steady();
        let late =
            || Error::Timeout { name: self.name().to_owned(), seconds: timeout.as_secs_f64() };
        if !executor.spin_while(timeout, || !self.is_ready()) {
            return Err(late());
        }
        let left =
            timeout.saturating_sub(self.clock.steady() - start).max(Duration::from_millis(1));
        let slot = Arc::new(Mutex::new(None));
        let filled = slot.clone();
        self.call(request, left, move |outcome| *filled.lock() = Some(outcome))?;
        executor.spin_while(left + Duration::from_secs(1), || slot.lock().is_none());
        slot.lock().take().unwrap_or_else(|| Err(late()))
    }
}
