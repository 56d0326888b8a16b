//! msgpack bytes to values and back, with bounds on what a peer can make us build.

use rmpv::Value;

use crate::RequestError;

/// Deepest nesting of maps and lists in a message.
pub const MAX_DEPTH: usize = 16;
/// Largest message, bytes: three cameras of 1280x720 as raw pixels are 8 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// Reads one message, which must be a map and the only thing in the bytes.
///
/// # Errors
/// [`RequestError::Malformed`]: too large, too deep, truncated, trailing bytes, or no map.
pub fn read(bytes: &[u8]) -> Result<Vec<(Value, Value)>, RequestError> {
    let malformed = |reason: String| RequestError::Malformed(reason);
    if bytes.len() > MAX_BYTES {
        return Err(malformed(format!("{} bytes, at most {MAX_BYTES} are taken", bytes.len())));
    }
    let mut rest = bytes;
    let value = rmpv::decode::read_value_with_max_depth(&mut rest, MAX_DEPTH)
        .map_err(|error| malformed(format!("not msgpack: {error}")))?;
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes behind the message", rest.len())));
    }
    match value {
        Value::Map(map) => Ok(map),
        other => Err(malformed(format!("a map belongs here, not {}", kind(&other)))),
    }
}

/// Writes a value as msgpack bytes.
#[must_use]
pub fn write(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    if rmpv::encode::write_value(&mut bytes, value).is_err() {
        bytes.clear();
    }
    bytes
}

/// A map with text keys.
#[must_use]
pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

/// The entry under a text key; keys that are binary count as their text, as Python clients that
/// pack `bytes` keys write them.
#[must_use]
pub fn get<'a>(map: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
    let is = |key: &Value| match key {
        Value::String(text) => text.as_str() == Some(name),
        Value::Binary(bytes) => bytes == name.as_bytes(),
        _ => false,
    };
    map.iter().find(|(key, _)| is(key)).map(|(_, value)| value)
}

/// The keys of a map as text, for messages; long ones are cut.
#[must_use]
pub fn keys(map: &[(Value, Value)]) -> Vec<String> {
    let text = |key: &Value| match key {
        Value::String(text) => text.as_str().unwrap_or("?").chars().take(60).collect(),
        Value::Binary(bytes) => String::from_utf8_lossy(bytes).chars().take(60).collect(),
        other => kind(other).to_owned(),
    };
    map.iter().take(30).map(|(key, _)| text(key)).collect()
}

/// What a value is, for messages.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::F32(_) | Value::F64(_) => "a float",
        Value::String(_) => "text",
        Value::Binary(_) => "bytes",
        Value::Array(_) => "a list",
        Value::Map(_) => "a map",
        Value::Ext(..) => "an extension",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_one_map_and_nothing_else() {
        let good = write(&map([("a", Value::from(1))]));
        assert_eq!(get(&read(&good).unwrap(), "a"), Some(&Value::from(1)));
        let mut trailing = good.clone();
        trailing.push(0);
        for bad in [&trailing[..], &good[..good.len() - 1], &[], &[0x93, 1, 2, 3]] {
            assert!(matches!(read(bad), Err(RequestError::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn deep_nesting_and_huge_announcements_are_refused_without_memory() {
        // A map whose value is a list in a list in a list ...
        let mut deep = vec![0x81, 0xa1, b'a'];
        deep.extend(std::iter::repeat_n(0x91, 100_000));
        assert!(read(&deep).is_err());
        // A list that announces four thousand million entries, and bytes that announce 4 GB.
        assert!(read(&[0x81, 0xa1, b'a', 0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(read(&[0x81, 0xa1, b'a', 0xc6, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(read(&[0xdf, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&bytes);
        }
    }
}
