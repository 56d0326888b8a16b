//! msgpack bytes to values and back, with bounds on what a peer can make us build.

use rmpv::Value;

use crate::RequestError;

/// Deepest nesting of maps and lists in a message.
pub const MAX_DEPTH: usize = 16;
/// Largest message, bytes: three cameras of 1280x720 as raw pixels are 8 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// Most values of a message, maps and lists included. A value takes many times the memory of the
/// one byte that can announce it; what holds many numbers is one array of bytes.
pub const MAX_VALUES: usize = 100_000;

/// Reads one message, which must be a map and the only thing in the bytes.
///
/// # Errors
/// [`RequestError::Malformed`]: too large, too many values, too deep, truncated, trailing bytes, or
/// no map.
pub fn read(bytes: &[u8]) -> Result<Vec<(Value, Value)>, RequestError> {
    let malformed = |reason: String| RequestError::Malformed(reason);
    if bytes.len() > MAX_BYTES {
        return Err(malformed(format!("{} bytes, at most {MAX_BYTES} are taken", bytes.len())));
    }
    count(bytes).map_err(malformed)?;
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

/// Walks over the values of a message without building them.
fn count(bytes: &[u8]) -> Result<(), String> {
    let mut rest = bytes;
    let (mut left, mut seen) = (1_usize, 0_usize);
    while left > 0 {
        left -= 1;
        seen += 1;
        let (inner, skipped) = header(&mut rest)?;
        left = left.saturating_add(inner);
        if seen.saturating_add(left) > MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
        rest = rest.get(skipped..).ok_or("truncated")?;
    }
    Ok(())
}

/// Takes a value's header from the front: the values within it, and the bytes that follow.
fn header(rest: &mut &[u8]) -> Result<(usize, usize), String> {
    let mut number = |size: usize| {
        let (bytes, after) = rest.split_at_checked(size).ok_or("truncated")?;
        *rest = after;
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).map_err(|_| "a length beyond this machine")
    };
    let marker = number(1)?;
    let sized = match marker {
        0x80..=0x8f => (2 * (marker & 0x0f), 0),
        0x90..=0x9f => (marker & 0x0f, 0),
        0xa0..=0xbf => (0, marker & 0x1f),
        0xc1 => return Err("a byte that msgpack does not use".into()),
        // Binary, extensions (with a byte for their type), text.
        0xc4..=0xc6 => (0, number(1 << (marker - 0xc4))?),
        0xc7..=0xc9 => (0, number(1 << (marker - 0xc7))?.saturating_add(1)),
        0xca => (0, 4),
        0xcb => (0, 8),
        0xcc..=0xcf => (0, 1 << (marker - 0xcc)),
        0xd0..=0xd3 => (0, 1 << (marker - 0xd0)),
        0xd4..=0xd8 => (0, (1 << (marker - 0xd4)) + 1),
        0xd9..=0xdb => (0, number(1 << (marker - 0xd9))?),
        0xdc..=0xdd => (number(2 << (marker - 0xdc))?, 0),
        0xde..=0xdf => (number(2 << (marker - 0xde))?.saturating_mul(2), 0),
        // Small numbers, nil, booleans.
        _ => (0, 0),
    };
    Ok(sized)
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

    #[test]
    fn many_small_values_are_refused_before_memory_is_taken_for_them() {
        // A list of sixty million nils is 60 MB of bytes and 2 GB of values.
        let mut many = vec![0x81, 0xa1, b'a', 0xdd];
        many.extend(60_000_000_u32.to_be_bytes());
        many.resize(many.len() + 60_000_000, 0xc0);
        let fault = read(&many).unwrap_err().to_string();
        assert!(fault.contains("values"), "{fault}");
        let list = Value::Array(vec![Value::Nil; MAX_VALUES - 3]);
        assert!(read(&write(&map([("a", list.clone())]))).is_ok());
        assert!(read(&write(&map([("a", list), ("b", Value::Nil)]))).is_err());
    }

    #[test]
    fn every_kind_of_value_is_walked_over() {
        let long = |size| Value::Binary(vec![7; size]);
        let text = |size| Value::from("x".repeat(size));
        let values = [
            Value::Nil,
            true.into(),
            1.into(),
            (-1).into(),
            200.into(),
            (-100).into(),
            70_000.into(),
            (-70_000).into(),
            u64::MAX.into(),
            i64::MIN.into(),
            Value::F32(0.5),
            Value::F64(0.5),
            text(3),
            text(40),
            text(300),
            text(70_000),
            long(3),
            long(300),
            long(70_000),
            Value::Array(vec![1.into(); 20]),
            Value::Array(vec![1.into(); 70_000]),
            Value::Map((0..20).map(|key| (key.into(), key.into())).collect()),
        ];
        let extensions = [1, 2, 3, 4, 8, 16, 300, 70_000];
        let values = values.into_iter();
        for value in values.chain(extensions.map(|size| Value::Ext(5, vec![1; size]))) {
            let bytes = write(&map([("a", value.clone())]));
            assert_eq!(get(&read(&bytes).unwrap(), "a"), Some(&value));
            assert!(count(&bytes[..bytes.len() - 1]).is_err(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&bytes);
        }
    }
}
