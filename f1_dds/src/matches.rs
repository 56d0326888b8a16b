//! Which remote endpoints our own are matched with, and since when messages reach them.
//!
//! A matched reader can still miss the first samples. A reader of Cyclone DDS takes the first
//! heartbeat that it receives of a writer as the end of what was sent before it joined, and RustDDS
//! sends a writer's first heartbeat when it discovers the reader, which may not have discovered the
//! writer yet. A message written in between is skipped, even by a reliable reader: a request, or
//! the first trajectory. Therefore every volatile writer begins with a sample that is addressed to
//! no reader ([`prime`]): as long as a reader has not acknowledged it, RustDDS repeats its
//! heartbeat. A reader counts as connected once it has acknowledged that sample.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::time::{Duration, Instant};

use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::{DomainParticipantStatusEvent as Event, GUID, WriteOptionsBuilder};

use crate::adapter::BytesWriter;

/// After this long a reader counts as connected whether or not it has acknowledged: RustDDS says
/// only whether all readers of a writer have, and one that stalls would hold the others back.
const ACKNOWLEDGMENT_LIMIT: Duration = Duration::from_millis(500);

/// Whether all readers of a writer have acknowledged all that was written.
type Acknowledged = Box<dyn Fn() -> bool + Send>;

struct Match {
    since: Instant,
    connected: bool,
}

#[derive(Default)]
pub(crate) struct Matches {
    /// From a local endpoint to the remote endpoints that it is matched with.
    matched: BTreeMap<GUID, BTreeMap<GUID, Match>>,
    /// Of local writers.
    acknowledged: BTreeMap<GUID, Acknowledged>,
    /// From the first twelve bytes of an identity (its participant) to the vendor.
    vendors: BTreeMap<[u8; 12], [u8; 2]>,
    /// Some match may not be connected yet.
    pending: bool,
}

/// The first twelve bytes of an identity.
pub(crate) fn participant_of(guid: &GUID) -> [u8; 12] {
    let mut prefix = [0; 12];
    prefix.copy_from_slice(&guid.to_bytes()[..12]);
    prefix
}

/// Writes the sample that is addressed to no reader; to readers it is a gap.
pub(crate) fn prime(writer: &BytesWriter) -> Result<(), impl std::fmt::Debug + use<>> {
    let nobody = WriteOptionsBuilder::new().to_single_reader(GUID::GUID_UNKNOWN).build();
    writer.write_with_options(Bytes::new(), nobody).map(|_| ())
}

impl Matches {
    /// Takes one event of the participant.
    pub(crate) fn take(&mut self, event: Event, now: Instant) {
        match event {
            Event::ParticipantDiscovered { dpd } => {
                self.vendors.insert(participant_of(&dpd.guid), dpd.vendor_id.as_bytes());
            }
            Event::ParticipantLost { id, .. } => {
                let range = id.range();
                for remotes in self.matched.values_mut() {
                    remotes.retain(|remote, _| !range.contains(remote));
                }
            }
            Event::RemoteReaderMatched { local_writer, remote_reader } => {
                let new = Match { since: now, connected: false };
                self.matched.entry(local_writer).or_default().insert(remote_reader, new);
                self.pending = true;
            }
            Event::RemoteWriterMatched { local_reader, remote_writer } => {
                let new = Match { since: now, connected: true };
                self.matched.entry(local_reader).or_default().insert(remote_writer, new);
            }
            Event::ReaderLost { guid, .. } | Event::WriterLost { guid, .. } => {
                for remotes in self.matched.values_mut() {
                    remotes.remove(&guid);
                }
            }
            Event::RemoteReaderQosIncompatible { local_writer, remote_reader, .. } => {
                tracing::warn!(
                    ?local_writer,
                    ?remote_reader,
                    "a reader requests a stronger quality of service than we offer"
                );
            }
            Event::RemoteWriterQosIncompatible { local_reader, remote_writer, .. } => {
                tracing::warn!(
                    ?local_reader,
                    ?remote_writer,
                    "a writer offers a weaker quality of service than we request"
                );
            }
            _ => {}
        }
    }

    /// Adds a local writer; `acknowledged` is asked while one of its readers is not connected.
    pub(crate) fn add_writer(&mut self, writer: GUID, acknowledged: Acknowledged) {
        self.acknowledged.insert(writer, acknowledged);
    }

    /// A local endpoint is gone.
    pub(crate) fn remove(&mut self, local: GUID) {
        self.matched.remove(&local);
        self.acknowledged.remove(&local);
    }

    /// Checks which readers have acknowledged since the last call.
    pub(crate) fn check_acknowledgments(&mut self, now: Instant) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        for (local, remotes) in &mut self.matched {
            if remotes.values().all(|remote| remote.connected) {
                continue;
            }
            // RustDDS may know more readers than were reported here, never fewer: if all of those
            // have acknowledged, these have.
            let all = self.acknowledged.get(local).is_some_and(|acknowledged| acknowledged());
            for remote in remotes.values_mut() {
                let late = now.saturating_duration_since(remote.since) >= ACKNOWLEDGMENT_LIMIT;
                remote.connected |= all || late;
                self.pending |= !remote.connected;
            }
        }
    }

    /// The remote endpoints that exchange messages with a local one.
    pub(crate) fn connected(&self, local: GUID) -> impl Iterator<Item = GUID> {
        let remotes = self.matched.get(&local).into_iter().flatten();
        remotes.filter(|(_, remote)| remote.connected).map(|(guid, _)| *guid)
    }

    /// The remote endpoints that a local one is matched with, connected or not.
    pub(crate) fn matched(&self, local: GUID) -> impl Iterator<Item = GUID> {
        self.matched.get(&local).into_iter().flatten().map(|(guid, _)| *guid)
    }

    /// The vendor of an endpoint's participant, if it was seen in discovery.
    pub(crate) fn vendor(&self, endpoint: GUID) -> Option<[u8; 2]> {
        self.vendors.get(&participant_of(&endpoint)).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn guid(number: u8) -> GUID {
        GUID::from_bytes([number; 16])
    }

    fn matched(writer: GUID, reader: GUID) -> Event {
        Event::RemoteReaderMatched { local_writer: writer, remote_reader: reader }
    }

    #[test]
    fn a_reader_counts_once_it_has_acknowledged() {
        let (mut matches, start) = (Matches::default(), Instant::now());
        let acknowledged = Arc::new(AtomicBool::new(false));
        let answer = acknowledged.clone();
        matches.add_writer(guid(1), Box::new(move || answer.load(Ordering::SeqCst)));
        matches.take(matched(guid(1), guid(9)), start);
        matches.check_acknowledgments(start);
        assert_eq!(matches.connected(guid(1)).count(), 0);
        acknowledged.store(true, Ordering::SeqCst);
        matches.check_acknowledgments(start);
        assert_eq!(matches.connected(guid(1)).collect::<Vec<_>>(), [guid(9)]);

        // A later message that is not acknowledged yet does not take that back.
        acknowledged.store(false, Ordering::SeqCst);
        matches.take(matched(guid(1), guid(8)), start);
        matches.check_acknowledgments(start);
        assert_eq!(matches.connected(guid(1)).collect::<Vec<_>>(), [guid(9)]);
        matches.check_acknowledgments(start + ACKNOWLEDGMENT_LIMIT);
        assert_eq!(matches.connected(guid(1)).collect::<Vec<_>>(), [guid(8), guid(9)]);
    }

    #[test]
    fn a_reader_that_matched_before_its_writer_was_added_does_not_count_yet() {
        let (mut matches, start) = (Matches::default(), Instant::now());
        matches.take(matched(guid(1), guid(9)), start);
        matches.check_acknowledgments(start);
        assert_eq!(matches.connected(guid(1)).count(), 0);
        matches.add_writer(guid(1), Box::new(|| true));
        matches.check_acknowledgments(start);
        assert_eq!(matches.connected(guid(1)).count(), 1);
        matches.remove(guid(1));
        assert_eq!(matches.connected(guid(1)).count(), 0);
    }

    #[test]
    fn a_writer_counts_at_once() {
        let mut matches = Matches::default();
        let event = Event::RemoteWriterMatched { local_reader: guid(1), remote_writer: guid(9) };
        matches.take(event, Instant::now());
        assert_eq!(matches.connected(guid(1)).count(), 1);
    }
}
