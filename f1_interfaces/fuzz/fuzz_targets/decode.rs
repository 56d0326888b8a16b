//! Arbitrary bytes as every message: an error or a message that encodes and comes back the same,
//! never a panic. `cargo +nightly fuzz run decode` in `f1_interfaces`.
#![no_main]

use f1_interfaces::cdr::{from_bytes, to_bytes};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first_chunk::<2>() else {
        return;
    };
    let mut types: Vec<fn(&[u8])> = Vec::new();
    macro_rules! add {
        ($type:ty) => {
            types.push(|bytes| {
                if let Ok(message) = from_bytes::<$type>(bytes) {
                    let bytes = to_bytes(&message).expect("a decoded message is within its bounds");
                    let again = from_bytes::<$type>(&bytes).expect("our own encoding decodes");
                    assert_eq!(to_bytes(&again).ok(), Some(bytes));
                }
            });
        };
    }
    f1_interfaces::for_each_message!(add);
    types[usize::from(u16::from_le_bytes(*which)) % types.len()](bytes);
});
