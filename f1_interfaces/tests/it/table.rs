//! Every message type behind the same few functions, so that each is compiled once for all tests.

use f1_interfaces::cdr::{self, from_bytes, to_bytes};
use f1_interfaces::{Message, random};

/// A message type without the type.
pub struct Entry {
    /// `sensor_msgs/msg/Image`
    pub name: &'static str,
    /// The encoding of a random value.
    pub sample: fn(u64) -> Vec<u8>,
    /// The encoding of the default.
    pub default: fn() -> Vec<u8>,
    /// Decodes and encodes again.
    pub recode: fn(&[u8]) -> Result<Vec<u8>, cdr::Error>,
    /// Decodes; the value as JSON, bytes as lists of numbers.
    pub json: fn(&[u8]) -> serde_json::Value,
}

/// All message types.
pub fn table() -> Vec<Entry> {
    let mut table = Vec::new();
    macro_rules! add {
        ($type:ty) => {
            table.push(Entry {
                name: <$type as Message>::TYPE_NAME,
                sample: |seed| to_bytes(&random::value::<$type>(seed)).unwrap(),
                default: || to_bytes(&<$type>::default()).unwrap(),
                recode: |bytes| to_bytes(&from_bytes::<$type>(bytes)?),
                json: |bytes| serde_json::to_value(from_bytes::<$type>(bytes).unwrap()).unwrap(),
            })
        };
    }
    f1_interfaces::for_each_message!(add);
    table
}
