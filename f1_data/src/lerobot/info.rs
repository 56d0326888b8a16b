//! `meta/info.json`: the description of a data set.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ACTION, DataError, STATE};

/// Published layout of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatVersion {
    /// One parquet file an episode, statistics of the whole data set.
    V2_0,
    /// One parquet file an episode, statistics of each episode.
    V2_1,
    /// Many episodes a file.
    V3_0,
}

impl FormatVersion {
    /// The name in `info.json`: `v2.1`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2_0 => "v2.0",
            Self::V2_1 => "v2.1",
            Self::V3_0 => "v3.0",
        }
    }

    /// Reads the name; `2.1` without the `v` is accepted.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim_start_matches('v') {
            "2.0" => Some(Self::V2_0),
            "2.1" => Some(Self::V2_1),
            "3.0" => Some(Self::V3_0),
            _ => None,
        }
    }
}

/// One column of a data set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Feature {
    /// `image`, `video`, `float32`, `int64`, ...
    pub dtype: String,
    /// Shape of one frame's value: `[height, width, 3]`, `[dimensions]`.
    pub shape: Vec<usize>,
    /// Names of the dimensions; a list, a map with lists, or nothing.
    #[serde(default)]
    pub names: Value,
    /// Everything else (codec, rate), kept as found.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Feature {
    /// Names of the dimensions of a vector feature, if the data set gives them.
    #[must_use]
    pub fn dimension_names(&self) -> Option<Vec<String>> {
        let list = match &self.names {
            Value::Array(list) => list.clone(),
            Value::Object(map) => map.values().find_map(Value::as_array)?.clone(),
            _ => return None,
        };
        list.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// Numbers in one frame's value.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }
}

/// `meta/info.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Info {
    /// Layout, `v2.1`.
    pub codebase_version: String,
    /// Free text.
    #[serde(default)]
    pub robot_type: Option<String>,
    /// Number of episodes.
    pub total_episodes: usize,
    /// Number of frames over all episodes.
    pub total_frames: usize,
    /// Number of different instructions.
    #[serde(default)]
    pub total_tasks: usize,
    /// Episodes (v2) or files (v3) in one folder.
    #[serde(default = "default_chunks_size")]
    pub chunks_size: usize,
    /// Frames a second.
    pub fps: f64,
    /// Template of the frames' parquet files.
    pub data_path: String,
    /// Template of the video files.
    #[serde(default)]
    pub video_path: Option<String>,
    /// Columns, in file order.
    pub features: Map<String, Value>,
    /// Everything else, kept as found.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

fn default_chunks_size() -> usize {
    1000
}

impl Info {
    /// Reads `meta/info.json` of the data set in `root`.
    ///
    /// # Errors
    /// When the file is missing or is not the description of a data set.
    pub fn load(root: &Path) -> Result<Self, DataError> {
        let path = root.join("meta/info.json");
        let text = std::fs::read_to_string(&path).map_err(DataError::io(&path))?;
        serde_json::from_str(&text).map_err(DataError::json(&path))
    }

    /// The layout.
    ///
    /// # Errors
    /// When this program does not know it.
    pub fn version(&self, root: &Path) -> Result<FormatVersion, DataError> {
        FormatVersion::parse(&self.codebase_version).ok_or_else(|| {
            DataError::content(
                root,
                format!(
                    "data set version {} is not one of v2.0, v2.1, v3.0",
                    self.codebase_version
                ),
            )
        })
    }

    /// A column's description.
    ///
    /// # Errors
    /// When the data set has no such column.
    pub fn feature(&self, root: &Path, name: &str) -> Result<Feature, DataError> {
        let value = self.features.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.features.keys().map(String::as_str).collect();
            DataError::content(root, format!("no column `{name}`; there are {}", known.join(", ")))
        })?;
        serde_json::from_value(value.clone()).map_err(DataError::json(root.join("meta/info.json")))
    }

    /// Names of all cameras, in file order.
    #[must_use]
    pub fn cameras(&self) -> Vec<String> {
        self.features
            .iter()
            .filter(|(_, value)| matches!(value["dtype"].as_str(), Some("image" | "video")))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Width of the state vector, 0 without one.
    #[must_use]
    pub fn state_dim(&self) -> usize {
        self.vector_dim(STATE)
    }

    /// Width of the action vector, 0 without one.
    #[must_use]
    pub fn action_dim(&self) -> usize {
        self.vector_dim(ACTION)
    }

    fn vector_dim(&self, name: &str) -> usize {
        let shape = self.features.get(name).and_then(|feature| feature["shape"].as_array());
        shape.map_or(0, |shape| shape.iter().filter_map(Value::as_u64).product::<u64>() as usize)
    }
}

/// Fills a Python format template such as
/// `data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet`.
pub(crate) fn fill_template(template: &str, values: &[(&str, &dyn std::fmt::Display)]) -> PathBuf {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let Some(length) = rest[open..].find('}') else { break };
        out.push_str(&rest[..open]);
        let field = &rest[open + 1..open + length];
        let (name, format) = field.split_once(':').unwrap_or((field, ""));
        match values.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => {
                let digits =
                    format.trim_end_matches('d').trim_start_matches('0').parse().unwrap_or(0);
                let text = value.to_string();
                if format.ends_with('d') {
                    out.push_str(&format!("{text:0>digits$}"))
                } else {
                    out.push_str(&text)
                }
            }
            None => out.push_str(&rest[open..=open + length]),
        }
        rest = &rest[open + length + 1..];
    }
    out.push_str(rest);
    PathBuf::from(out)
}

/// The five bookkeeping columns every data set carries.
pub(crate) fn default_features() -> [(&'static str, Value); 5] {
    let column = |dtype: &str| json!({"dtype": dtype, "shape": [1], "names": null});
    [
        ("timestamp", column("float32")),
        ("frame_index", column("int64")),
        ("episode_index", column("int64")),
        ("index", column("int64")),
        ("task_index", column("int64")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_like_python_does() {
        let path = fill_template(
            "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
            &[("episode_chunk", &7), ("video_key", &"front"), ("episode_index", &1234567)],
        );
        assert_eq!(path, Path::new("videos/chunk-007/front/episode_1234567.mp4"));
    }
}
