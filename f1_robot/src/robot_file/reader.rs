//! Reading a file so that every fault in it is listed at once, each with its path in the file.
//!
//! A derived `Deserialize` stops at the first fault. [`section!`] declares a plain struct once and
//! gives it a [`Read`] implementation that goes on after a fault: unknown keys, missing keys and
//! values of the wrong kind are all collected.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::MAX_ENTRIES;

/// One fault of a robot file (or of the URDF it names).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where: a path in the file such as `controllers[1].joints[0]`, or `urdf` for the robot
    /// description.
    pub path: String,
    /// What is wrong and, where it helps, what is right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// The faults found so far.
///
/// A value that cannot be read is replaced by a placeholder so that reading goes on; faults that
/// are found later in a placeholder would be noise, so faults at, below or above a place that could
/// not be read are dropped.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) list: Vec<Fault>,
    unreadable: Vec<String>,
}

impl Faults {
    /// A value could not be read at all.
    fn unreadable(&mut self, path: &str, message: impl Into<String>) {
        self.list.push(Fault { path: path.into(), message: message.into() });
        self.unreadable.push(path.into());
    }

    /// A value was read and is wrong.
    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let path = path.into();
        if !self.touches_unreadable(&path) {
            self.list.push(Fault { path, message: message.into() });
        }
    }

    /// Whether a value at, below or above `path` could not be read.
    pub(crate) fn touches_unreadable(&self, path: &str) -> bool {
        let under = |inner: &str, outer: &str| {
            outer.is_empty()
                || inner
                    .strip_prefix(outer)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.unreadable.iter().any(|broken| under(path, broken) || under(broken, path))
    }
}

/// A value that can be read from a parsed file. Every fault is added to `faults`; an unusable value
/// becomes the placeholder, which never leaves this crate because a file with faults is refused as
/// a whole.
pub(crate) trait Read: Sized {
    fn placeholder() -> Self;
    fn read(value: &Value, path: &str, faults: &mut Faults) -> Self;
}

/// Names what a value is, for messages.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(b) => format!("`{b}`"),
        Value::Number(n) => format!("`{n}`"),
        Value::String(s) => format!("the text `{}`", s.chars().take(60).collect::<String>()),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
    }
}

pub(crate) fn expected<T: Read>(what: &str, value: &Value, path: &str, faults: &mut Faults) -> T {
    faults.unreadable(path, format!("expected {what}, found {}", kind(value)));
    T::placeholder()
}

macro_rules! read_scalar {
    ($type:ty, $placeholder:expr, $what:literal, $get:expr) => {
        impl Read for $type {
            fn placeholder() -> Self {
                $placeholder
            }

            fn read(value: &Value, path: &str, faults: &mut Faults) -> Self {
                let get: fn(&Value) -> Option<$type> = $get;
                get(value).unwrap_or_else(|| expected($what, value, path, faults))
            }
        }
    };
}

read_scalar!(f64, f64::NAN, "a finite number", |value| value
    .as_f64()
    .filter(|number| number.is_finite()));
read_scalar!(usize, 0, "a whole number that is not negative", |value| value
    .as_u64()
    .and_then(|number| usize::try_from(number).ok()));
read_scalar!(bool, false, "true or false", Value::as_bool);
read_scalar!(String, String::new(), "a text", |value| value.as_str().map(String::from));

impl<T: Read> Read for Option<T> {
    fn placeholder() -> Self {
        None
    }

    fn read(value: &Value, path: &str, faults: &mut Faults) -> Self {
        Some(T::read(value, path, faults))
    }
}

impl<T: Read> Read for Vec<T> {
    fn placeholder() -> Self {
        Vec::new()
    }

    fn read(value: &Value, path: &str, faults: &mut Faults) -> Self {
        let Value::Array(items) = value else { return expected("a list", value, path, faults) };
        if items.len() > MAX_ENTRIES {
            faults.unreadable(path, format!("{} entries; at most {MAX_ENTRIES}", items.len()));
            return Self::placeholder();
        }
        items
            .iter()
            .enumerate()
            .map(|(i, item)| T::read(item, &format!("{path}[{i}]"), faults))
            .collect()
    }
}

impl<const N: usize> Read for [f64; N] {
    fn placeholder() -> Self {
        [f64::NAN; N]
    }

    fn read(value: &Value, path: &str, faults: &mut Faults) -> Self {
        let items = Vec::<f64>::read(value, path, faults);
        let count = items.len();
        <[f64; N]>::try_from(items).unwrap_or_else(|_| {
            if !faults.touches_unreadable(path) {
                faults.unreadable(path, format!("expected {N} numbers, found {count}"));
            }
            Self::placeholder()
        })
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn placeholder() -> Self {
        BTreeMap::new()
    }

    fn read(value: &Value, path: &str, faults: &mut Faults) -> Self {
        let Value::Object(map) = value else { return expected("a map", value, path, faults) };
        if map.len() > MAX_ENTRIES {
            faults.unreadable(path, format!("{} entries; at most {MAX_ENTRIES}", map.len()));
            return Self::placeholder();
        }
        map.iter()
            .map(|(key, item)| (key.clone(), T::read(item, &below(path, key), faults)))
            .collect()
    }
}

/// The path of `key` below `path`.
pub(crate) fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}

/// Adds a fault for each key of `map` that is not in `known`.
pub(crate) fn refuse_unknown(
    map: &serde_json::Map<String, Value>,
    known: &[&str],
    path: &str,
    faults: &mut Faults,
) {
    for key in map.keys() {
        if !known.contains(&key.as_str()) {
            faults.list.push(Fault {
                path: below(path, key),
                message: format!("unknown key; known here: {}", known.join(", ")),
            });
        }
    }
}

/// Reads `key` of `map`, or takes the default; without a default a missing key is a fault.
pub(crate) fn field<T: Read>(
    map: &serde_json::Map<String, Value>,
    key: &str,
    default: Option<fn() -> T>,
    path: &str,
    faults: &mut Faults,
) -> T {
    match (map.get(key), default) {
        (Some(value), _) => T::read(value, &below(path, key), faults),
        (None, Some(default)) => default(),
        (None, None) => {
            faults.unreadable(&below(path, key), "missing");
            T::placeholder()
        }
    }
}

/// Declares a struct of the robot file: `field: Type` is required, `field: Type = default` is not.
macro_rules! section {
    ($(#[$meta:meta])* pub struct $name:ident {
        $( $(#[$field_meta:meta])* pub $field:ident : $type:ty $(= $default:expr)? ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field : $type ),*
        }

        impl $crate::robot_file::reader::Read for $name {
            fn placeholder() -> Self {
                Self { $( $field: <$type as $crate::robot_file::reader::Read>::placeholder() ),* }
            }

            fn read(
                value: &serde_json::Value,
                path: &str,
                faults: &mut $crate::robot_file::reader::Faults,
            ) -> Self {
                use $crate::robot_file::reader::{expected, field, refuse_unknown};
                let serde_json::Value::Object(map) = value else {
                    return expected("a map", value, path, faults);
                };
                refuse_unknown(map, &[$( stringify!($field) ),*], path, faults);
                Self { $( $field:
                    field::<$type>(map, stringify!($field), section!(@default $type $(, $default)?), path, faults)
                ),* }
            }
        }
    };
    (@default $type:ty) => { None };
    (@default $type:ty, $default:expr) => { Some(|| -> $type { $default }) };
}
pub(crate) use section;

/// Declares an enum whose variants are plain words in the file.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident {
        $(#[$first_meta:meta])* $first:ident = $first_word:literal
        $(, $(#[$variant_meta:meta])* $variant:ident = $word:literal )* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
        pub enum $name {
            $(#[$first_meta])* #[serde(rename = $first_word)] $first,
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant ),*
        }

        impl $crate::robot_file::reader::Read for $name {
            fn placeholder() -> Self {
                Self::$first
            }

            fn read(
                value: &serde_json::Value,
                path: &str,
                faults: &mut $crate::robot_file::reader::Faults,
            ) -> Self {
                match value.as_str() {
                    Some($first_word) => Self::$first,
                    $( Some($word) => Self::$variant, )*
                    _ => $crate::robot_file::reader::expected(
                        concat!("one of `", $first_word, "`" $(, ", `", $word, "`")*), value, path, faults),
                }
            }
        }
    };
}
pub(crate) use words;

/// Declares an enum of sections distinguished by the key `kind`.
macro_rules! kinds {
    ($(#[$meta:meta])* pub enum $name:ident {
        $(#[$first_meta:meta])* $first:ident($first_section:ident) = $first_word:literal
        $(, $(#[$variant_meta:meta])* $variant:ident($section:ident) = $word:literal )* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(tag = "kind")]
        pub enum $name {
            $(#[$first_meta])* #[serde(rename = $first_word)] $first($first_section),
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant($section) ),*
        }

        impl $crate::robot_file::reader::Read for $name {
            fn placeholder() -> Self {
                Self::$first(<$first_section as $crate::robot_file::reader::Read>::placeholder())
            }

            fn read(
                value: &serde_json::Value,
                path: &str,
                faults: &mut $crate::robot_file::reader::Faults,
            ) -> Self {
                use $crate::robot_file::reader::{Read, expected, unreadable_kind};
                let serde_json::Value::Object(map) = value else {
                    return expected("a map", value, path, faults);
                };
                let mut rest = map.clone();
                let kind = rest.remove("kind").unwrap_or_default();
                let rest = serde_json::Value::Object(rest);
                match kind.as_str() {
                    Some($first_word) => Self::$first(<$first_section as Read>::read(&rest, path, faults)),
                    $( Some($word) => Self::$variant(<$section as Read>::read(&rest, path, faults)), )*
                    _ => {
                        unreadable_kind(
                            concat!("one of `", $first_word, "`" $(, ", `", $word, "`")*), &kind, path, faults);
                        Self::placeholder()
                    }
                }
            }
        }
    };
}
pub(crate) use kinds;

/// The key `kind` names no known kind: nothing else in the section can be judged.
pub(crate) fn unreadable_kind(what: &str, value: &Value, path: &str, faults: &mut Faults) {
    faults.list.push(Fault {
        path: below(path, "kind"),
        message: format!("expected {what}, found {}", kind(value)),
    });
    faults.unreadable.push(path.into());
}
