//! A key that takes one topic or a list of topics.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::reader::{Faults, Read, expected};

/// Topics of one type: in the file a text, or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics(Vec<String>);

impl Topics {
    /// The topics, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The topics, in the file's order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl From<&str> for Topics {
    fn from(topic: &str) -> Self {
        Self(vec![topic.to_owned()])
    }
}

impl std::fmt::Display for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl Serialize for Topics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [topic] => topic.serialize(serializer),
            topics => topics.serialize(serializer),
        }
    }
}

impl Read for Topics {
    fn placeholder() -> Self {
        Self(Vec::new())
    }

    fn read(value: &Value, path: &str, faults: &mut Faults) -> Self {
        match value {
            Value::String(topic) => Self(vec![topic.clone()]),
            Value::Array(_) => Self(Vec::read(value, path, faults)),
            _ => expected("a topic or a list of topics", value, path, faults),
        }
    }
}
