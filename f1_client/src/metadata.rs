//! What a policy server says of itself: everything of ours, little or nothing of others.

use f1_policy_node::policy::{ForesightInfo, Passes, PolicyInfo};
use f1_serve::message;
use rmpv::Value;

/// Most frames of a history that are sent with a request.
const MAX_HISTORY: u64 = 64;
/// Largest side of a foreseen image, pixels.
const MAX_SIDE: u64 = 4096;
/// Most control steps between two frames of a history.
const MAX_STRIDE: u64 = 10_000;

/// A server's metadata, as far as it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// Name of the layout that the server reads.
    pub layout: Option<String>,
    /// Numbers of the state.
    pub state_width: Option<usize>,
    /// Numbers of an action.
    pub action_width: Option<usize>,
    /// Actions of a chunk.
    pub horizon: Option<usize>,
    /// Keys that a request may add.
    pub extra_keys: Vec<String>,
    /// What the nodes know of the policy.
    pub info: PolicyInfo,
}

impl Metadata {
    /// Reads the server's first message.
    ///
    /// # Errors
    /// Bytes that are no message, and numbers of our own server that cannot be.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let map = message::read(bytes).map_err(|error| format!("its metadata: {error}"))?;
        let text = |name: &str| message::get(&map, name).and_then(Value::as_str).map(str::to_owned);
        let mut metadata = Self {
            layout: None,
            state_width: None,
            action_width: None,
            horizon: None,
            extra_keys: Vec::new(),
            info: PolicyInfo {
                past_frames: None,
                passes: Passes::whole_only("a policy server computes foresight with each chunk"),
                foresight: None,
                stride_steps: 1,
                full_history: false,
                takes_guidance: false,
            },
        };
        // The keys mean what they say in our own server's metadata only.
        if text("server").as_deref() != Some("f1_serve") {
            return Ok(metadata);
        }
        let number = |name: &str, most: u64| match message::get(&map, name).and_then(Value::as_u64)
        {
            Some(number) if number <= most => Ok(number as usize),
            found => {
                Err(format!("its metadata: {name} is {found:?}, from 0 to {most} is possible"))
            }
        };
        let flag = |name: &str| message::get(&map, name).and_then(Value::as_bool) == Some(true);
        metadata.layout = text("layout");
        metadata.state_width = Some(number("state_width", 4096)?);
        metadata.action_width = Some(number("action_width", 4096)?);
        metadata.horizon = Some(number("action_horizon", 4096)?.max(1));
        if let Some(Value::Array(keys)) = message::get(&map, "extra_keys") {
            let keys = keys.iter().filter_map(Value::as_str).map(str::to_owned);
            metadata.extra_keys = keys.collect();
        }
        metadata.info.stride_steps = number("history_stride", MAX_STRIDE)?.max(1);
        metadata.info.full_history = flag("needs_full_history");
        metadata.info.takes_guidance = metadata.takes("frozen");
        if flag("foresees") && metadata.takes("foresight") && metadata.takes("history") {
            let crop_ratio = message::get(&map, "crop_ratio").and_then(Value::as_f64);
            let crop_ratio = crop_ratio.filter(|ratio| *ratio > 0.0 && *ratio <= 1.0);
            metadata.info.foresight = Some(ForesightInfo {
                history_frames: number("history_frames", MAX_HISTORY)?.max(1),
                side: number("frame_side", MAX_SIDE)?.max(1),
                crop_ratio: crop_ratio.ok_or("its metadata: crop_ratio is from 0 to 1")?,
            });
        }
        Ok(metadata)
    }

    /// Whether a request may hold this key beside the observation.
    #[must_use]
    pub fn takes(&self, key: &str) -> bool {
        self.extra_keys.iter().any(|known| known == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Vec<(Value, Value)> {
        let keys = f1_serve::openpi::EXTRA_KEYS.map(Value::from).to_vec();
        let Value::Map(map) = message::map([
            ("server", "f1_serve".into()),
            ("layout", "bench".into()),
            ("state_width", 8.into()),
            ("action_width", 8.into()),
            ("action_horizon", 8.into()),
            ("history_frames", 4.into()),
            ("history_stride", 5.into()),
            ("needs_full_history", true.into()),
            ("foresees", true.into()),
            ("frame_side", 32.into()),
            ("crop_ratio", 0.875.into()),
            ("extra_keys", Value::Array(keys)),
        ]) else {
            panic!("a map")
        };
        map
    }

    fn read(map: Vec<(Value, Value)>) -> Result<Metadata, String> {
        Metadata::read(&message::write(&Value::Map(map)))
    }

    #[test]
    fn our_server_says_what_its_policy_needs() {
        let metadata = read(ours()).unwrap();
        assert_eq!(metadata.horizon, Some(8));
        assert!(metadata.info.full_history && metadata.info.takes_guidance);
        let foresight = metadata.info.foresight.unwrap();
        assert_eq!((foresight.history_frames, foresight.side), (4, 32));
    }

    #[test]
    fn another_server_is_taken_for_one_that_foresees_nothing() {
        let mut map = ours();
        map[0].1 = "pi0".into();
        let metadata = read(map).unwrap();
        assert_eq!((metadata.info.foresight, metadata.horizon), (None, None));
        assert!(!metadata.takes("seed"));
        assert_eq!(read(Vec::new()).unwrap().layout, None);
    }

    #[test]
    fn numbers_that_cannot_be_are_refused_by_name() {
        for (name, value) in [
            ("history_frames", Value::from(1_000_000)),
            ("frame_side", (-1).into()),
            ("action_horizon", u64::MAX.into()),
            ("crop_ratio", f64::NAN.into()),
            ("history_stride", "five".into()),
        ] {
            let mut map = ours();
            let entry = map.iter_mut().find(|(key, _)| key.as_str() == Some(name)).unwrap();
            entry.1 = value;
            assert!(read(map).unwrap_err().contains(name), "{name}");
        }
    }
}
