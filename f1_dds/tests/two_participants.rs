//! Two participants on the loopback: topics, late readers, services, limits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use f1_dds::{
    DEFAULT_MAX_MESSAGE_BYTES, DiscoveryRange, Durability, Error, History, NodeName, Participant,
    Qos, RequestHandler, RequestId, ResponseHandler, SampleHandler, SampleInfo, ServiceMapping,
    Settings,
};

/// After this long a condition has failed: far above what a busy machine needs.
const LIMIT: Duration = Duration::from_secs(60);

const TYPE: &str = "std_msgs::msg::dds_::UInt64_";
const SERVICE: [&str; 2] =
    ["std_srvs::srv::dds_::SetBool_Request_", "std_srvs::srv::dds_::SetBool_Response_"];

/// A participant with one node. Test processes use domains of their own.
fn participant(name: &str) -> (Participant, NodeName) {
    let participant = Participant::new(Settings {
        domain: 100 + (std::process::id() % 100) as u16,
        range: DiscoveryRange::Localhost,
        mapping: ServiceMapping::Enhanced,
        max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
        long_gids: false,
    })
    .unwrap();
    let node = NodeName::new("/", name);
    participant.add_node(&node).unwrap();
    (participant, node)
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "{what}: not in {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Collects the numbers of a topic.
struct Numbers(Sender<(u64, SampleInfo)>);

impl SampleHandler for Numbers {
    type Message = u64;

    fn decode(&self, body: &[u8], big_endian: bool) -> Result<u64, String> {
        let bytes = body.first_chunk::<8>().ok_or("shorter than eight bytes")?;
        Ok(if big_endian { u64::from_be_bytes(*bytes) } else { u64::from_le_bytes(*bytes) })
    }

    fn received(&self, message: u64, info: SampleInfo) {
        let _ = self.0.send((message, info));
    }

    fn refused(&self, error: Error) {
        panic!("{error}");
    }
}

fn numbers() -> (Arc<Numbers>, Receiver<(u64, SampleInfo)>) {
    let (sender, receiver) = channel();
    (Arc::new(Numbers(sender)), receiver)
}

#[test]
fn messages_arrive_in_order_with_their_writer_and_number() {
    let ((talker, talker_node), (listener, listener_node)) =
        (participant("talker"), participant("listener"));
    let (handler, received) = numbers();
    let qos = Qos { history: History::KeepLast(100), ..Qos::default() };
    let reader = listener.create_reader(&listener_node, "/numbers", TYPE, &qos, handler).unwrap();
    let writer = talker.create_writer(&talker_node, "/numbers", TYPE, &qos).unwrap();
    until("a connection", || writer.reader_count() == 1 && reader.writer_count() == 1);
    for number in 0..50_u64 {
        writer.publish(number.to_le_bytes()).unwrap();
    }
    let mut last = None;
    for number in 0..50 {
        let (found, info) = received.recv_timeout(LIMIT).unwrap();
        assert_eq!(found, number);
        assert!(info.source_stamp > 0);
        if let Some((writer, sequence)) = last {
            assert_eq!((info.writer, info.sequence), (writer, sequence + 1));
        }
        last = Some((info.writer, info.sequence));
    }
    drop(reader);
    until("the end of the subscription", || writer.reader_count() == 0);
}

#[test]
fn a_late_reader_gets_the_newest_latched_message_and_no_volatile_one() {
    let ((talker, talker_node), (listener, listener_node)) =
        (participant("early"), participant("late"));
    let latched = Qos {
        durability: Durability::TransientLocal,
        history: History::KeepLast(1),
        ..Qos::default()
    };
    let kept = talker.create_writer(&talker_node, "/latched", TYPE, &latched).unwrap();
    let lost = talker.create_writer(&talker_node, "/volatile", TYPE, &Qos::default()).unwrap();
    assert!(kept.is_wanted() && !lost.is_wanted());
    for number in 0..10_u64 {
        kept.publish(number.to_le_bytes()).unwrap();
        lost.publish(number.to_le_bytes()).unwrap();
    }
    let (handler, from_latched) = numbers();
    let _latched_reader =
        listener.create_reader(&listener_node, "/latched", TYPE, &latched, handler).unwrap();
    let (handler, from_volatile) = numbers();
    let _volatile_reader = listener
        .create_reader(&listener_node, "/volatile", TYPE, &Qos::default(), handler)
        .unwrap();
    assert_eq!(from_latched.recv_timeout(LIMIT).unwrap().0, 9);
    // The first message after the connection is the first that arrives.
    until("a connection", || lost.reader_count() == 1);
    lost.publish(10_u64.to_le_bytes()).unwrap();
    assert_eq!(from_volatile.recv_timeout(LIMIT).unwrap().0, 10);
}

/// Passes requests to the test.
struct Requests(Sender<(RequestId, Vec<u8>)>);

impl RequestHandler for Requests {
    fn received(&self, id: RequestId, body: &[u8], _: bool) {
        let _ = self.0.send((id, body.to_vec()));
    }

    fn refused(&self, error: Error) {
        panic!("{error}");
    }
}

/// Passes responses to the test.
struct Responses(Sender<(i64, Vec<u8>)>);

impl ResponseHandler for Responses {
    fn received(&self, sequence: i64, body: &[u8], _: bool) {
        let _ = self.0.send((sequence, body.to_vec()));
    }

    fn refused(&self, error: Error) {
        panic!("{error}");
    }
}

#[test]
fn each_client_gets_the_response_to_its_own_request() {
    let ((first, first_node), (second, second_node), (server, server_node)) =
        (participant("first"), participant("second"), participant("server"));
    let qos = Qos::default();
    let (sender, requests) = channel();
    let handler = Arc::new(Requests(sender));
    let service = server.create_server(&server_node, "/double", SERVICE, &qos, handler).unwrap();
    let client = |participant: &Participant, node: &NodeName| {
        let (sender, responses) = channel();
        let handler = Arc::new(Responses(sender));
        let client = participant.create_client(node, "/double", SERVICE, &qos, handler).unwrap();
        until("the server", || client.is_ready());
        (client, responses)
    };
    let (a, b) = (client(&first, &first_node), client(&second, &second_node));
    for round in 1..4_u64 {
        let sent = [(&a, round), (&b, 100 * round)]
            .map(|((client, _), number)| client.send(&number.to_le_bytes()).unwrap());
        for _ in 0..2 {
            let (id, body) = requests.recv_timeout(LIMIT).unwrap();
            let number = u64::from_le_bytes(*body.first_chunk().unwrap());
            service.respond(id, &(2 * number).to_le_bytes()).unwrap();
        }
        for (((_, responses), number), sent) in [(&a, round), (&b, 100 * round)].iter().zip(sent) {
            let (sequence, body) = responses.recv_timeout(LIMIT).unwrap();
            assert_eq!(sequence, sent);
            assert_eq!(u64::from_le_bytes(*body.first_chunk().unwrap()), 2 * number);
        }
    }
}

#[test]
fn a_message_above_the_limit_and_a_second_node_of_a_name_are_refused() {
    let (participant, node) = participant("alone");
    assert!(
        matches!(participant.add_node(&node), Err(Error::NodeExists(name)) if name == "/alone")
    );
    let latched = Qos { durability: Durability::TransientLocal, ..Qos::default() };
    let writer = participant.create_writer(&node, "/large", TYPE, &latched).unwrap();
    let large = vec![0; DEFAULT_MAX_MESSAGE_BYTES + 1];
    assert!(matches!(writer.publish(large), Err(Error::TooLarge { .. })));
}
