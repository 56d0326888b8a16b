//! The encoding.

use f1_interfaces::cdr::{self, from_bytes, to_bytes};
use f1_interfaces::rcl_interfaces::msg::ParameterDescriptor;
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::{Empty, Header, String as StringMessage};
use f1_interfaces::type_description_interfaces::msg::FieldType;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cases;
use crate::table::table;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// Bytes seen on ROS 2 networks.
#[test]
fn known_messages_have_their_known_bytes() {
    let string = |data: &str| StringMessage { data: data.to_owned() };
    assert_eq!(to_bytes(&string("hello")).unwrap(), hex("000100000600000068656c6c6f00"));
    assert_eq!(to_bytes(&string("")).unwrap(), hex("000100000100000000"));
    let joint_state = JointState {
        header: header("base"),
        name: vec!["j1".to_owned(), "j2".to_owned()],
        position: vec![0.5, -1.0],
        ..JointState::default()
    };
    assert_eq!(
        to_bytes(&joint_state).unwrap(),
        hex(
            "00010000010000000200000005000000626173650000000002000000030000006a310000030000006a32000002000000\
             00000000000000000000e03f000000000000f0bf0000000000000000"
        )
    );
    let image = Image {
        header: header("cam"),
        height: 1,
        width: 2,
        encoding: "rgb8".to_owned(),
        is_bigendian: 0,
        step: 6,
        data: vec![1, 2, 3, 4, 5, 6],
    };
    assert_eq!(
        to_bytes(&image).unwrap(),
        hex(
            "0001000001000000020000000400000063616d0001000000020000000500000072676238000000000600000006000000\
             010203040506"
        )
    );
    // Nothing is one byte: IDL has no empty structure.
    assert_eq!(to_bytes(&Empty::default()).unwrap(), hex("0001000000"));
}

fn header(frame_id: &str) -> Header {
    Header {
        stamp: f1_interfaces::builtin_interfaces::msg::Time { sec: 1, nanosec: 2 },
        frame_id: frame_id.to_owned(),
    }
}

#[test]
fn both_byte_orders_are_read() {
    let message: StringMessage = from_bytes(&hex("000000000000000668656c6c6f00")).unwrap();
    assert_eq!(message.data, "hello");
    assert!(matches!(
        from_bytes::<StringMessage>(&hex("000700000600000068656c6c6f00")),
        Err(cdr::Error::Encoding(7))
    ));
    assert!(matches!(from_bytes::<StringMessage>(&[0, 1]), Err(cdr::Error::NoHeader(2))));
}

#[test]
fn every_message_comes_back_as_it_went() {
    for entry in table() {
        for seed in 0..cases(20) {
            let bytes = (entry.sample)(seed);
            assert_eq!((entry.recode)(&bytes).unwrap(), bytes, "{}", entry.name);
        }
    }
}

/// Random bytes, and true messages with bytes changed, cut off or put on: an error or a message,
/// never a panic.
#[test]
fn arbitrary_bytes_never_panic() {
    let table = table();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut accepted = 0u64;
    let cases = cases(1_000_000);
    for case in 0..cases {
        let entry = &table[random.random_range(0..table.len())];
        let mut bytes = if case % 2 == 0 {
            let mut bytes = vec![0; random.random_range(0..200)];
            random.fill_bytes(&mut bytes);
            if bytes.len() > 4 {
                bytes[..4].copy_from_slice(&[0, (case / 2 % 2) as u8, 0, 0]);
            }
            bytes
        } else {
            (entry.sample)(case)
        };
        for _ in 0..random.random_range(0..4) {
            if !bytes.is_empty() {
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..3) {
                    0 => bytes[at] = random.random(),
                    1 => bytes.truncate(at),
                    _ => bytes.insert(at, random.random()),
                }
            }
        }
        accepted += u64::from((entry.recode)(&bytes).is_ok());
    }
    // The test means something only when bytes get far into the decoder.
    assert!(accepted > cases / 20, "{accepted} of {cases} were messages");
}

#[test]
fn a_bound_is_held_both_ways() {
    let too_many = ParameterDescriptor {
        integer_range: vec![Default::default(); 2],
        ..ParameterDescriptor::default()
    };
    assert!(to_bytes(&too_many).is_err());
    let too_long = FieldType { nested_type_name: "x".repeat(256), ..FieldType::default() };
    assert!(to_bytes(&too_long).is_err());
    let mut bytes = to_bytes(&ParameterDescriptor::default()).unwrap();
    // The count of integer ranges is the last number.
    let at = bytes.len() - 4;
    bytes[at] = 2;
    bytes.extend([0; 64]);
    assert!(from_bytes::<ParameterDescriptor>(&bytes).is_err());
}

#[test]
fn a_type_is_listed_once() {
    let mut names: Vec<_> = table().iter().map(|entry| entry.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
