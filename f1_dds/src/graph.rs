//! Which endpoints are connected, and announcing to other tools which node owns which endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::{
    DomainParticipantStatusEvent as Event, GUID, RTPSEntity, Timestamp,
};

use crate::adapter::BytesWriter;
use crate::matches::{Matches, participant_of};
use crate::node_name::NodeName;
use crate::request::ServiceMapping;

/// The vendor number of Cyclone DDS, from the OMG's list.
const CYCLONE_VENDOR: [u8; 2] = [0x01, 0x10];

#[derive(Default)]
struct NodeEndpoints {
    readers: Vec<GUID>,
    writers: Vec<GUID>,
}

/// Work that is tried again until it returns true.
type Deferred = Box<dyn FnMut() -> bool + Send>;

/// Nodes with their endpoints, and the remote endpoints that these are connected to.
pub(crate) struct Graph {
    matches: Mutex<Matches>,
    deferred: Mutex<Vec<Deferred>>,
    nodes: Mutex<BTreeMap<NodeName, NodeEndpoints>>,
    changed: AtomicBool,
    participant: GUID,
    /// Of `ros_discovery_info`.
    writer: Arc<BytesWriter>,
    long_gids: bool,
    default_mapping: ServiceMapping,
}

impl Graph {
    pub(crate) fn new(
        participant: GUID,
        writer: BytesWriter,
        long_gids: bool,
        default_mapping: ServiceMapping,
    ) -> Graph {
        let writer = Arc::new(writer);
        let graph = Graph {
            matches: Mutex::new(Matches::default()),
            deferred: Mutex::new(Vec::new()),
            nodes: Mutex::new(BTreeMap::new()),
            changed: AtomicBool::new(false),
            participant,
            writer: writer.clone(),
            long_gids,
            default_mapping,
        };
        graph.watch_acknowledgments(&writer);
        graph
    }

    /// Takes one event of the participant.
    pub(crate) fn take(&self, event: Event) {
        self.matches.lock().take(event, Instant::now());
    }

    /// Checks which readers of our writers are connected by now.
    pub(crate) fn check_acknowledgments(&self) {
        self.matches.lock().check_acknowledgments(Instant::now());
    }

    /// How many endpoints of other participants exchange messages with a local one.
    pub(crate) fn connected_count(&self, local: GUID) -> usize {
        self.matches.lock().connected(local).filter(|guid| !self.is_own(*guid)).count()
    }

    /// Whether an endpoint is one of ours. Those are served inside the process.
    pub(crate) fn is_own(&self, guid: GUID) -> bool {
        participant_of(&guid) == participant_of(&self.participant)
    }

    /// Whether a local endpoint is matched with one of another participant, connected or not.
    pub(crate) fn is_matched(&self, local: GUID) -> bool {
        self.matches.lock().matched(local).any(|guid| !self.is_own(guid))
    }

    /// Whether a local endpoint exchanges messages with a participant whose identity begins with
    /// these bytes.
    pub(crate) fn reaches(&self, local: GUID, participant: &[u8]) -> bool {
        self.matches.lock().connected(local).any(|guid| guid.to_bytes().starts_with(participant))
    }

    /// Tries `work` on the receiving thread, again and again until it returns true.
    pub(crate) fn defer(&self, work: Deferred) {
        self.deferred.lock().push(work);
    }

    pub(crate) fn run_deferred(&self) {
        // Taken out, so that the work may use the graph and defer more.
        let mut work = std::mem::take(&mut *self.deferred.lock());
        work.retain_mut(|attempt| !attempt());
        self.deferred.lock().append(&mut work);
    }

    /// The service mapping of a remote endpoint's RMW.
    pub(crate) fn mapping(&self, remote: GUID) -> ServiceMapping {
        match self.matches.lock().vendor(remote) {
            Some(CYCLONE_VENDOR) => ServiceMapping::Cyclone,
            Some(_) => ServiceMapping::Enhanced,
            None => self.default_mapping,
        }
    }

    /// The service mapping of the peers that a local writer is matched with.
    pub(crate) fn mapping_of_peers(&self, local: GUID) -> ServiceMapping {
        let first = self.matches.lock().matched(local).find(|guid| !self.is_own(*guid));
        first.map_or(self.default_mapping, |remote| self.mapping(remote))
    }

    /// Adds a node; false if one of this name exists.
    pub(crate) fn add_node(&self, node: &NodeName) -> bool {
        let mut nodes = self.nodes.lock();
        if nodes.contains_key(node) {
            return false;
        }
        nodes.insert(node.clone(), NodeEndpoints::default());
        self.changed.store(true, Ordering::SeqCst);
        true
    }

    pub(crate) fn remove_node(&self, node: &NodeName) {
        self.nodes.lock().remove(node);
        self.changed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn add_reader(&self, node: &NodeName, guid: GUID) {
        self.edit(node, |endpoints| endpoints.readers.push(guid));
    }

    pub(crate) fn add_writer(&self, node: &NodeName, writer: &Arc<BytesWriter>) {
        self.edit(node, |endpoints| endpoints.writers.push(writer.guid()));
        self.watch_acknowledgments(writer);
    }

    fn watch_acknowledgments(&self, writer: &Arc<BytesWriter>) {
        let weak = Arc::downgrade(writer);
        let acknowledged = move || {
            weak.upgrade().is_some_and(|writer| {
                writer.wait_for_acknowledgments(Duration::ZERO).unwrap_or(false)
            })
        };
        self.matches.lock().add_writer(writer.guid(), Box::new(acknowledged));
    }

    pub(crate) fn remove_endpoint(&self, node: &NodeName, guid: GUID) {
        self.edit(node, |endpoints| {
            endpoints.readers.retain(|own| *own != guid);
            endpoints.writers.retain(|own| *own != guid);
        });
        self.matches.lock().remove(guid);
    }

    fn edit(&self, node: &NodeName, edit: impl FnOnce(&mut NodeEndpoints)) {
        if let Some(endpoints) = self.nodes.lock().get_mut(node) {
            edit(endpoints);
            self.changed.store(true, Ordering::SeqCst);
        }
    }

    /// Announces what has changed since the last call, so that many new endpoints are one message.
    pub(crate) fn publish_changes(&self) {
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
        for (node, endpoints) in nodes.iter() {
            put_string(&mut bytes, &node.namespace);
            put_string(&mut bytes, &node.name);
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
