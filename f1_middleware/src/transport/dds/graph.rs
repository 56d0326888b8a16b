//! Who is connected to whom, and telling other tools which node owns which endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::no_key::DataWriter;
use ros2_client::dds::rustdds::{
    DomainParticipantStatusEvent as Event, GUID, RTPSEntity, Timestamp,
};

use super::adapter::RawWriter;
use super::environment::ServiceMapping;
use super::links::{Links, participant_of};
use crate::transport::NodeName;

/// Maker of Cyclone DDS, from the OMG's list.
const CYCLONE: [u8; 2] = [0x01, 0x10];

#[derive(Default)]
struct NodeEndpoints {
    readers: Vec<GUID>,
    writers: Vec<GUID>,
}

/// Something to try again until it says that it is done.
type Deferred = Box<dyn FnMut() -> bool + Send>;

pub(super) struct Graph {
    links: Mutex<Links>,
    deferred: Mutex<Vec<Deferred>>,
    nodes: Mutex<BTreeMap<(String, String), NodeEndpoints>>,
    changed: AtomicBool,
    participant: GUID,
    writer: Arc<DataWriter<Bytes, RawWriter>>,
    long_gids: bool,
    fallback: ServiceMapping,
}

impl Graph {
    pub(super) fn new(
        participant: GUID,
        writer: DataWriter<Bytes, RawWriter>,
        long_gids: bool,
        fallback: ServiceMapping,
    ) -> Graph {
        let writer = Arc::new(writer);
        let graph = Graph {
            links: Mutex::new(Links::default()),
            deferred: Mutex::new(Vec::new()),
            nodes: Mutex::new(BTreeMap::new()),
            changed: AtomicBool::new(false),
            participant,
            writer: writer.clone(),
            long_gids,
            fallback,
        };
        graph.watch(&writer);
        graph
    }

    /// Takes one event of the participant.
    pub(super) fn take(&self, event: Event) {
        self.links.lock().take(event, Instant::now());
    }

    /// Looks which readers have heard of our writers since.
    pub(super) fn listen(&self) {
        self.links.lock().listen(Instant::now());
    }

    /// Endpoints of other participants that a local one exchanges messages with.
    pub(super) fn count(&self, local: GUID) -> usize {
        self.links.lock().of(local).filter(|guid| !self.is_own(*guid)).count()
    }

    /// Whether an endpoint is one of ours: those are served inside the process.
    pub(super) fn is_own(&self, guid: GUID) -> bool {
        participant_of(&guid) == participant_of(&self.participant)
    }

    /// Whether a local endpoint is matched with one of another participant, heard or not.
    pub(super) fn is_seen(&self, local: GUID) -> bool {
        self.links.lock().seen_by(local).any(|guid| !self.is_own(guid))
    }

    /// Whether a local endpoint exchanges messages with a participant whose identity begins so.
    pub(super) fn reaches(&self, local: GUID, participant: &[u8]) -> bool {
        self.links.lock().of(local).any(|remote| remote.to_bytes().starts_with(participant))
    }

    /// Tries `work` with every look at the graph until it returns true.
    pub(super) fn defer(&self, work: Deferred) {
        self.deferred.lock().push(work);
    }

    pub(super) fn run_deferred(&self) {
        // Taken out, so that the work may look at the graph and defer more.
        let mut work = std::mem::take(&mut *self.deferred.lock());
        work.retain_mut(|attempt| !attempt());
        self.deferred.lock().append(&mut work);
    }

    /// How to speak to the owner of a remote endpoint.
    pub(super) fn mapping(&self, remote: GUID) -> ServiceMapping {
        match self.links.lock().vendor(remote) {
            Some(CYCLONE) => ServiceMapping::Cyclone,
            Some(_) => ServiceMapping::Enhanced,
            None => self.fallback,
        }
    }

    /// How to speak to whoever a local writer is connected to.
    pub(super) fn mapping_of_peers(&self, local: GUID) -> ServiceMapping {
        let first = self.links.lock().seen_by(local).find(|guid| !self.is_own(*guid));
        first.map_or(self.fallback, |remote| self.mapping(remote))
    }

    pub(super) fn add_node(&self, node: &NodeName) {
        self.nodes
            .lock()
            .insert((node.namespace.clone(), node.name.clone()), NodeEndpoints::default());
        self.changed.store(true, Ordering::SeqCst);
    }

    pub(super) fn remove_node(&self, node: &NodeName) {
        self.nodes.lock().remove(&(node.namespace.clone(), node.name.clone()));
        self.changed.store(true, Ordering::SeqCst);
    }

    pub(super) fn add_reader(&self, node: &NodeName, guid: GUID) {
        self.edit(node, |endpoints| endpoints.readers.push(guid));
    }

    pub(super) fn add_writer(&self, node: &NodeName, writer: &Arc<DataWriter<Bytes, RawWriter>>) {
        self.edit(node, |endpoints| endpoints.writers.push(writer.guid()));
        self.watch(writer);
    }

    fn watch(&self, writer: &Arc<DataWriter<Bytes, RawWriter>>) {
        let weak = Arc::downgrade(writer);
        let acknowledged = move || {
            weak.upgrade().is_some_and(|writer| {
                writer.wait_for_acknowledgments(Duration::ZERO).unwrap_or(false)
            })
        };
        self.links.lock().watch(writer.guid(), Box::new(acknowledged));
    }

    pub(super) fn remove_endpoint(&self, node: &NodeName, guid: GUID) {
        self.edit(node, |endpoints| {
            endpoints.readers.retain(|own| *own != guid);
            endpoints.writers.retain(|own| *own != guid);
        });
        self.links.lock().forget(guid);
    }

    fn edit(&self, node: &NodeName, edit: impl FnOnce(&mut NodeEndpoints)) {
        if let Some(endpoints) =
            self.nodes.lock().get_mut(&(node.namespace.clone(), node.name.clone()))
        {
            edit(endpoints);
            self.changed.store(true, Ordering::SeqCst);
        }
    }

    /// Tells the graph what has changed since the last call, so that a burst of new endpoints is
    /// one message.
    pub(super) fn publish_changes(&self) {
        if !self.changed.swap(false, Ordering::SeqCst) {
            return;
        }
        let bytes = self.participant_entities_info();
        if let Err(error) = self.writer.write(Bytes::from(bytes), Some(Timestamp::now())) {
            tracing::debug!(?error, "graph information not sent");
            self.changed.store(true, Ordering::SeqCst);
        }
    }

    /// `rmw_dds_common/msg/ParticipantEntitiesInfo` in CDR. Written by hand because the identity's
    /// length differs between distributions.
    fn participant_entities_info(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put_gid(&mut bytes, self.participant);
        let nodes = self.nodes.lock();
        put_u32(&mut bytes, nodes.len());
        for ((namespace, name), endpoints) in nodes.iter() {
            put_string(&mut bytes, namespace);
            put_string(&mut bytes, name);
            for list in [&endpoints.readers, &endpoints.writers] {
                put_u32(&mut bytes, list.len());
                for guid in list {
                    self.put_gid(&mut bytes, *guid);
                }
            }
        }
        bytes
    }

    fn put_gid(&self, bytes: &mut Vec<u8>, guid: GUID) {
        bytes.extend_from_slice(&guid.to_bytes());
        if self.long_gids {
            bytes.extend_from_slice(&[0; 8]);
        }
    }
}

fn put_u32(bytes: &mut Vec<u8>, value: usize) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend_from_slice(&(value as u32).to_le_bytes());
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    put_u32(bytes, text.len() + 1);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
}
