//! Which remote endpoints our own are connected to, and since when messages reach them.
//!
//! To be matched is not to be heard. A reader of Cyclone DDS takes the first heartbeat that it
//! hears of a writer for the end of what is not meant for it, and RustDDS sends a writer's first
//! heartbeat when it sees the reader, which may not know the writer yet. A message written in
//! between is passed over, however reliable, and with it a request or the first trajectory. So
//! every volatile writer begins with a sample that is addressed to nobody ([`prime`]): as long as a
//! reader has not acknowledged it, RustDDS goes on telling of itself. A reader counts once that has
//! happened.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::time::{Duration, Instant};

use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::no_key::DataWriter;
use ros2_client::dds::rustdds::{DomainParticipantStatusEvent as Event, GUID, WriteOptionsBuilder};

use super::adapter::RawWriter;

/// After this long a reader counts whether or not it has acknowledged: another one of the same
/// writer may hold the acknowledgement back.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether all readers of a writer have acknowledged all that was written.
type Acknowledged = Box<dyn Fn() -> bool + Send>;

struct Link {
    since: Instant,
    heard: bool,
}

#[derive(Default)]
pub(super) struct Links {
    /// Local endpoint to the remote endpoints that it is matched with.
    matched: BTreeMap<GUID, BTreeMap<GUID, Link>>,
    /// Of local writers.
    acknowledged: BTreeMap<GUID, Acknowledged>,
    /// First twelve bytes of an identity (its participant) to the maker.
    vendors: BTreeMap<[u8; 12], [u8; 2]>,
    /// Some link may not be heard yet.
    open: bool,
}

/// The first twelve bytes of an identity.
pub(super) fn participant_of(guid: &GUID) -> [u8; 12] {
    let mut prefix = [0; 12];
    prefix.copy_from_slice(&guid.to_bytes()[..12]);
    prefix
}

/// Writes the sample that is addressed to nobody; readers are told of a gap.
pub(super) fn prime(
    writer: &DataWriter<Bytes, RawWriter>,
) -> Result<(), impl std::fmt::Debug + use<>> {
    let nobody = WriteOptionsBuilder::new().to_single_reader(GUID::GUID_UNKNOWN).build();
    writer.write_with_options(Bytes::new(), nobody).map(|_| ())
}

impl Links {
    /// Takes one event of the participant.
    pub(super) fn take(&mut self, event: Event, now: Instant) {
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
                let link = Link { since: now, heard: false };
                self.matched.entry(local_writer).or_default().insert(remote_reader, link);
                self.open = true;
            }
            Event::RemoteWriterMatched { local_reader, remote_writer } => {
                let link = Link { since: now, heard: true };
                self.matched.entry(local_reader).or_default().insert(remote_writer, link);
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
                    "a reader asks for more than we offer"
                );
            }
            Event::RemoteWriterQosIncompatible { local_reader, remote_writer, .. } => {
                tracing::warn!(
                    ?local_reader,
                    ?remote_writer,
                    "a writer offers less than we ask for"
                );
            }
            _ => {}
        }
    }

    /// Has a local writer asked whether its readers have heard of it.
    pub(super) fn watch(&mut self, writer: GUID, acknowledged: Acknowledged) {
        self.acknowledged.insert(writer, acknowledged);
    }

    /// A local endpoint is gone.
    pub(super) fn forget(&mut self, local: GUID) {
        self.matched.remove(&local);
        self.acknowledged.remove(&local);
    }

    /// Looks which readers have heard of their writers since.
    pub(super) fn listen(&mut self, now: Instant) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        for (local, remotes) in &mut self.matched {
            if remotes.values().all(|link| link.heard) {
                continue;
            }
            // RustDDS may know more readers than were told here, never fewer: if all of those have,
            // these have.
            let all = self.acknowledged.get(local).is_some_and(|acknowledged| acknowledged());
            for link in remotes.values_mut() {
                link.heard |= all || now.saturating_duration_since(link.since) >= PATIENCE;
                self.open |= !link.heard;
            }
        }
    }

    /// The remote endpoints that a local one exchanges messages with.
    pub(super) fn of(&self, local: GUID) -> impl Iterator<Item = GUID> {
        let remotes = self.matched.get(&local).into_iter().flatten();
        remotes.filter(|(_, link)| link.heard).map(|(remote, _)| *remote)
    }

    /// The remote endpoints that a local one is matched with, whether or not they have heard of it.
    pub(super) fn seen_by(&self, local: GUID) -> impl Iterator<Item = GUID> {
        self.matched.get(&local).into_iter().flatten().map(|(remote, _)| *remote)
    }

    /// Who made the participant of an endpoint, as far as it was seen.
    pub(super) fn vendor(&self, endpoint: GUID) -> Option<[u8; 2]> {
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
        let (mut links, start) = (Links::default(), Instant::now());
        let acknowledged = Arc::new(AtomicBool::new(false));
        let told = acknowledged.clone();
        links.watch(guid(1), Box::new(move || told.load(Ordering::SeqCst)));
        links.take(matched(guid(1), guid(9)), start);
        links.listen(start);
        assert_eq!(links.of(guid(1)).count(), 0);
        acknowledged.store(true, Ordering::SeqCst);
        links.listen(start);
        assert_eq!(links.of(guid(1)).collect::<Vec<_>>(), [guid(9)]);

        // What is written later and not acknowledged yet does not take that back.
        acknowledged.store(false, Ordering::SeqCst);
        links.take(matched(guid(1), guid(8)), start);
        links.listen(start);
        assert_eq!(links.of(guid(1)).collect::<Vec<_>>(), [guid(9)]);
        links.listen(start + PATIENCE);
        assert_eq!(links.of(guid(1)).collect::<Vec<_>>(), [guid(8), guid(9)]);
    }

    #[test]
    fn a_reader_that_was_seen_before_its_writer_was_watched_is_not_taken_for_connected() {
        let (mut links, start) = (Links::default(), Instant::now());
        links.take(matched(guid(1), guid(9)), start);
        links.listen(start);
        assert_eq!(links.of(guid(1)).count(), 0);
        links.watch(guid(1), Box::new(|| true));
        links.listen(start);
        assert_eq!(links.of(guid(1)).count(), 1);
        links.forget(guid(1));
        assert_eq!(links.of(guid(1)).count(), 0);
    }

    #[test]
    fn a_writer_counts_at_once() {
        let mut links = Links::default();
        let event = Event::RemoteWriterMatched { local_reader: guid(1), remote_writer: guid(9) };
        links.take(event, Instant::now());
        assert_eq!(links.of(guid(1)).count(), 1);
    }
}
