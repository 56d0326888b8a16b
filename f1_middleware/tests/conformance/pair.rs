//! A node of ours and a peer, in one domain.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use f1_interfaces::{Message, cdr};
use f1_middleware::{Backend, Context, ContextOptions, Node, NodeOptions};
use f1_tests::peer::Peer;
use serde_json::{Value, json};

/// After this long a condition has failed, far above what a busy machine needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Our node, the peer, and a namespace that no other test uses.
pub struct Pair {
    pub context: Context,
    pub node: Node,
    pub peer: Peer,
    pub prefix: String,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.context.shutdown();
        self.context.join();
    }
}

/// The domain of this process. Tests of other processes may share it: names are unique.
pub fn domain() -> u16 {
    std::env::var("ROS_DOMAIN_ID").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Makes both.
pub fn pair() -> Pair {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let backend = Backend::from_name(Backend::DEFAULT_NAME).unwrap();
    let prefix = format!("/conformance_{}_{count}", std::process::id());
    let context = Context::new(ContextOptions::new(backend)).unwrap();
    let options = NodeOptions::in_namespace(&prefix).on_own_thread();
    let node = context.create_node_with("ours", options).unwrap();
    Pair { node, context, peer: Peer::session(domain()).unwrap(), prefix }
}

/// [`pair`], for tests of services and of what uses them. The peer marks requests as rmw_cyclonedds
/// does; `dds` uses the form of each peer's vendor, an installed ROS 2 only that of its RMW.
pub fn service_pair() -> Option<Pair> {
    let rmw = std::env::var("RMW_IMPLEMENTATION").unwrap_or_default();
    if cfg!(feature = "rcl") && !rmw.contains("cyclonedds") {
        eprintln!(
            "not checked: services of Cyclone DDS and of RMW_IMPLEMENTATION={rmw:?} are not \
             compatible; set it to rmw_cyclonedds_cpp"
        );
        return None;
    }
    Some(pair())
}

impl Pair {
    /// The absolute name of something in the pair's namespace.
    pub fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Has the peer publish and waits until `readers` of ours are seen.
    pub fn peer_publisher<T: Message>(&mut self, topic: &str, qos: Value) {
        let request = json!({
            "op": "publisher", "name": topic, "topic": self.name(topic), "type": T::TYPE_NAME, "qos": qos,
        });
        self.peer.request(request).unwrap();
    }

    /// Has the peer subscribe.
    pub fn peer_subscription<T: Message>(&mut self, topic: &str, mode: &str, qos: Value) {
        let request = json!({
            "op": "subscribe", "name": topic, "topic": self.name(topic), "type": T::TYPE_NAME, "mode": mode,
            "qos": qos,
        });
        self.peer.request(request).unwrap();
    }

    /// Waits until the peer sees us at the endpoint `name`.
    pub fn peer_matched(&mut self, name: &str) {
        let reply = self
            .peer
            .request(json!({ "op": "matched", "name": name, "timeout": PATIENCE.as_secs() - 1 }))
            .unwrap();
        assert!(reply["matched"].as_u64() >= Some(1), "the peer does not see us at {name}");
    }

    /// Has the peer publish a message.
    pub fn peer_publishes<T: Message>(&mut self, topic: &str, message: &T) {
        let bytes = cdr::to_bytes(message).unwrap();
        let request = json!({ "op": "publish", "name": topic, "cdr": hex(&bytes) });
        self.peer.request(request).unwrap();
    }

    /// The encoding of the next message that the peer received there.
    pub fn peer_received(&mut self, topic: &str) -> Vec<u8> {
        let event = self
            .peer
            .wait(PATIENCE, topic, |line| line["event"] == "message" && line["name"] == topic)
            .unwrap();
        unhex(event["cdr"].as_str().unwrap())
    }
}

/// Waits for a condition.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The bytes of a message as a DDS hands them over: padded to four, which some writers note in the
/// header's options.
pub fn assert_encodes<T: Message>(found: &[u8], message: &T) {
    let wanted = cdr::to_bytes(message).unwrap();
    assert_eq!(found[..2], wanted[..2], "{}: encoding", T::TYPE_NAME);
    let padded = wanted.len()..wanted.len() + 4;
    assert!(
        padded.contains(&found.len()),
        "{}: {} bytes where {} are meant",
        T::TYPE_NAME,
        found.len(),
        wanted.len()
    );
    assert_eq!(found[4..wanted.len()], wanted[4..], "{}: content", T::TYPE_NAME);
    assert!(found[wanted.len()..].iter().all(|byte| *byte == 0), "{}: padding", T::TYPE_NAME);
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}
