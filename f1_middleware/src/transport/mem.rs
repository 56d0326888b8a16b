//! The `mem` back end: topics and services inside one process, values passed as `Arc`.
//!
//! Quality of service has the effect that it has on a network, so that a mistake shows in a unit
//! test: a reader is connected only if the writer offers what it requests, and transient-local
//! samples reach late readers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::*;
use crate::clock::{Clock, TimeBase};
use crate::qos::Durability;

/// The first number of requests inside a process, apart from those of any network.
const FIRST_NUMBER: i64 = 1 << 50;

struct TopicReader {
    id: u64,
    qos: Qos,
    handler: Arc<dyn SampleHandler>,
}

struct TopicWriter {
    id: u64,
    qos: Qos,
    kept: VecDeque<(Value, MessageInfo)>,
}

struct Topic {
    type_name: &'static str,
    readers: Vec<TopicReader>,
    writers: Vec<TopicWriter>,
}

struct Service {
    type_name: &'static str,
    handler: Weak<dyn RequestHandler>,
}

#[derive(Default)]
struct Registry {
    topics: BTreeMap<String, Topic>,
    services: BTreeMap<String, Service>,
    clients: BTreeMap<[u8; 16], Weak<dyn ResponseHandler>>,
    nodes: Vec<String>,
}

#[derive(Default)]
struct BusInner {
    registry: Mutex<Registry>,
    next: AtomicU64,
}

/// Connects the contexts of one process that run on the `mem` back end.
#[derive(Clone, Default)]
pub struct MemBus {
    inner: Arc<BusInner>,
}

impl MemBus {
    /// A new bus: only contexts that share it are connected.
    pub fn new() -> MemBus {
        MemBus::default()
    }
}

impl std::fmt::Debug for MemBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemBus")
    }
}

pub(crate) struct MemTransport {
    bus: MemBus,
    clock: Clock,
}

impl MemTransport {
    pub(crate) fn new(bus: MemBus, base: Arc<TimeBase>) -> MemTransport {
        MemTransport { bus, clock: Clock::new(base) }
    }
}

impl BusInner {
    fn id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst) + 1
    }
}

fn identity(id: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&id.to_be_bytes());
    bytes
}

impl Registry {
    fn topic(&mut self, spec: &TopicSpec) -> Result<&mut Topic> {
        let topic = self.topics.entry(spec.name.clone()).or_insert_with(|| Topic {
            type_name: spec.support.name,
            readers: Vec::new(),
            writers: Vec::new(),
        });
        if topic.readers.is_empty() && topic.writers.is_empty() {
            topic.type_name = spec.support.name;
        }
        if topic.type_name != spec.support.name {
            return Err(Error::TypeMismatch {
                name: spec.name.clone(),
                existing: topic.type_name.to_owned(),
                asked: spec.support.name.to_owned(),
            });
        }
        Ok(topic)
    }
}

impl Transport for MemTransport {
    fn add_node(&self, node: &NodeName) -> Result<()> {
        let mut registry = self.bus.inner.registry.lock();
        let name = node.absolute();
        if registry.nodes.contains(&name) {
            return Err(Error::AlreadyExists { what: "node", name });
        }
        registry.nodes.push(name);
        Ok(())
    }

    fn remove_node(&self, node: &NodeName) {
        let name = node.absolute();
        self.bus.inner.registry.lock().nodes.retain(|existing| *existing != name);
    }

    fn create_writer(&self, spec: TopicSpec) -> Result<Arc<dyn Writer>> {
        let id = self.bus.inner.id();
        let mut registry = self.bus.inner.registry.lock();
        let topic = registry.topic(&spec)?;
        for reader in &topic.readers {
            warn_unservice(&spec.name, &spec.qos, &reader.qos);
        }
        topic.writers.push(TopicWriter { id, qos: spec.qos, kept: VecDeque::new() });
        Ok(Arc::new(MemWriter {
            bus: self.bus.inner.clone(),
            clock: self.clock.clone(),
            topic: spec.name,
            qos: spec.qos,
            id,
            sequence: AtomicI64::new(0),
        }))
    }

    fn create_reader(
        &self,
        spec: TopicSpec,
        handler: Arc<dyn SampleHandler>,
    ) -> Result<Arc<dyn Reader>> {
        let id = self.bus.inner.id();
        let mut registry = self.bus.inner.registry.lock();
        let topic = registry.topic(&spec)?;
        let mut kept = Vec::new();
        for writer in &topic.writers {
            warn_unservice(&spec.name, &writer.qos, &spec.qos);
            if writer.qos.serves(&spec.qos).is_ok()
                && spec.qos.durability == Durability::TransientLocal
            {
                kept.extend(writer.kept.iter().cloned());
            }
        }
        topic.readers.push(TopicReader { id, qos: spec.qos, handler: handler.clone() });
        drop(registry);
        for (value, info) in kept {
            handler.deliver(value, info);
        }
        Ok(Arc::new(MemReader { bus: self.bus.inner.clone(), topic: spec.name, qos: spec.qos, id }))
    }

    fn create_server(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Arc<dyn Server>> {
        let mut registry = self.bus.inner.registry.lock();
        if registry
            .services
            .get(&spec.name)
            .is_some_and(|service| service.handler.strong_count() > 0)
        {
            return Err(Error::AlreadyExists { what: "service", name: spec.name });
        }
        registry.services.insert(
            spec.name.clone(),
            Service { type_name: spec.type_name, handler: Arc::downgrade(&handler) },
        );
        Ok(Arc::new(MemServer { bus: self.bus.inner.clone(), name: spec.name, handler }))
    }

    fn create_client(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn ResponseHandler>,
    ) -> Result<Arc<dyn Client>> {
        let client = identity(self.bus.inner.id());
        self.bus.inner.registry.lock().clients.insert(client, Arc::downgrade(&handler));
        Ok(Arc::new(MemClient {
            bus: self.bus.inner.clone(),
            name: spec.name,
            type_name: spec.type_name,
            client,
            sequence: AtomicI64::new(FIRST_NUMBER),
            _handler: handler,
        }))
    }

    fn shut_down(&self) {}
}

fn warn_unservice(topic: &str, offered: &Qos, requested: &Qos) {
    if let Err(policy) = offered.serves(requested) {
        tracing::warn!(
            topic,
            policy,
            "a reader requests a stronger quality of service than a writer offers: they are not connected"
        );
    }
}

struct MemWriter {
    bus: Arc<BusInner>,
    clock: Clock,
    topic: String,
    qos: Qos,
    id: u64,
    sequence: AtomicI64,
}

impl Writer for MemWriter {
    fn publish(&self, value: Value) -> Result<()> {
        let info = MessageInfo {
            source_stamp: self.clock.now(),
            publisher: identity(self.id),
            sequence: self.sequence.fetch_add(1, Ordering::SeqCst) + 1,
        };
        let mut registry = self.bus.registry.lock();
        let Some(topic) = registry.topics.get_mut(&self.topic) else { return Ok(()) };
        if self.qos.durability == Durability::TransientLocal
            && let Some(writer) = topic.writers.iter_mut().find(|writer| writer.id == self.id)
        {
            writer.kept.push_back((value.clone(), info.clone()));
            while writer.kept.len() > self.qos.depth() {
                writer.kept.pop_front();
            }
        }
        let handlers: Vec<Arc<dyn SampleHandler>> = topic
            .readers
            .iter()
            .filter(|reader| self.qos.serves(&reader.qos).is_ok())
            .map(|reader| reader.handler.clone())
            .collect();
        drop(registry);
        for handler in handlers {
            handler.deliver(value.clone(), info.clone());
        }
        Ok(())
    }

    fn reader_count(&self) -> usize {
        let registry = self.bus.registry.lock();
        registry.topics.get(&self.topic).map_or(0, |topic| {
            topic.readers.iter().filter(|reader| self.qos.serves(&reader.qos).is_ok()).count()
        })
    }
}

impl Drop for MemWriter {
    fn drop(&mut self) {
        if let Some(topic) = self.bus.registry.lock().topics.get_mut(&self.topic) {
            topic.writers.retain(|writer| writer.id != self.id);
        }
    }
}

struct MemReader {
    bus: Arc<BusInner>,
    topic: String,
    qos: Qos,
    id: u64,
}

impl Reader for MemReader {
    fn writer_count(&self) -> usize {
        let registry = self.bus.registry.lock();
        registry.topics.get(&self.topic).map_or(0, |topic| {
            topic.writers.iter().filter(|writer| writer.qos.serves(&self.qos).is_ok()).count()
        })
    }
}

impl Drop for MemReader {
    fn drop(&mut self) {
        // Dropped outside the lock: the handler may own other endpoints.
        let mut removed = Vec::new();
        if let Some(topic) = self.bus.registry.lock().topics.get_mut(&self.topic) {
            removed.extend(topic.readers.extract_if(.., |reader| reader.id == self.id));
        }
        drop(removed);
    }
}

struct MemServer {
    bus: Arc<BusInner>,
    name: String,
    handler: Arc<dyn RequestHandler>,
}

impl Server for MemServer {
    fn respond(&self, id: RequestId, response: Value) -> Result<()> {
        let handler = self.bus.registry.lock().clients.get(&id.client).and_then(Weak::upgrade);
        if let Some(handler) = handler {
            handler.deliver(id.sequence, response);
        }
        Ok(())
    }
}

impl Drop for MemServer {
    fn drop(&mut self) {
        let mut registry = self.bus.registry.lock();
        let own = Arc::downgrade(&self.handler);
        if registry.services.get(&self.name).is_some_and(|service| service.handler.ptr_eq(&own)) {
            registry.services.remove(&self.name);
        }
    }
}

struct MemClient {
    bus: Arc<BusInner>,
    name: String,
    type_name: &'static str,
    client: [u8; 16],
    sequence: AtomicI64,
    _handler: Arc<dyn ResponseHandler>,
}

impl MemClient {
    fn server(&self) -> Result<Option<Arc<dyn RequestHandler>>> {
        let registry = self.bus.registry.lock();
        match registry.services.get(&self.name) {
            Some(service) if service.type_name != self.type_name => Err(Error::TypeMismatch {
                name: self.name.clone(),
                existing: service.type_name.to_owned(),
                asked: self.type_name.to_owned(),
            }),
            Some(service) => Ok(service.handler.upgrade()),
            None => Ok(None),
        }
    }
}

impl Client for MemClient {
    fn send(&self, request: Value) -> Result<i64> {
        let sequence = self.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        // Without a server the request is lost, as on a network; the caller's timeout reports it.
        if let Some(server) = self.server()? {
            server.deliver(
                RequestId { client: self.client, sequence, origin: RequestOrigin::InProcess },
                request,
            );
        }
        Ok(sequence)
    }

    fn is_ready(&self) -> bool {
        matches!(self.server(), Ok(Some(_)))
    }
}

impl Drop for MemClient {
    fn drop(&mut self) {
        self.bus.registry.lock().clients.remove(&self.client);
    }
}
