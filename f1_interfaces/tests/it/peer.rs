//! Our encoding against Cyclone's, through the Python peer: every type, byte for byte and value for
//! value.

use std::time::Duration;

use f1_tests::peer::Peer;
use serde_json::{Value, json};

use crate::cases;
use crate::table::table;

const PATIENCE: Duration = Duration::from_secs(60);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ask(peer: &mut Peer, request: &Value) -> Value {
    peer.send(request).unwrap();
    let answer = peer.next(PATIENCE).unwrap();
    assert_eq!(answer["error"], Value::Null, "{}", request["type"]);
    answer
}

#[test]
fn random_values_of_every_type_are_encoded_as_cyclone_encodes_them() {
    let mut peer = Peer::start("codec", 0).unwrap();
    for entry in table() {
        for seed in 0..cases(10) {
            let bytes = (entry.sample)(seed);
            let answer = ask(
                &mut peer,
                &json!({ "type": entry.name, "cdr": hex(&bytes), "value": (entry.json)(&bytes) }),
            );
            assert_eq!(answer["equal"], true, "{}: {answer}", entry.name);
            assert_eq!(answer["cdr"], hex(&bytes), "{}", entry.name);
        }
    }
}

#[test]
fn defaults_of_every_type_are_the_peers() {
    let mut peer = Peer::start("codec", 0).unwrap();
    for entry in table() {
        let answer = ask(&mut peer, &json!({ "type": entry.name }));
        assert_eq!(answer["cdr"], hex(&(entry.default)()), "{}", entry.name);
    }
}
