//! Rows that are written, as an arrow table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StructArray,
};
use arrow_schema::{DataType, Field, Fields, Schema};
use serde_json::{Map, json};

/// Rows of one episode that wait for a table.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// One list of encoded images a camera.
    pub images: Vec<Vec<Vec<u8>>>,
    /// `[frame][dimension]`.
    pub state: Vec<Vec<f32>>,
    /// `[frame][dimension]`.
    pub action: Vec<Vec<f32>>,
    /// The column of booleans, where there is one.
    pub flag: Vec<bool>,
    /// Index of the instruction, one a frame.
    pub task_index: Vec<i64>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.task_index.len()
    }
}

/// The `huggingface` entry that makes the `datasets` library decode the images: without it they
/// arrive as raw bytes.
fn hugging_face_metadata(
    cameras: &[String],
    (state_dim, action_dim): (usize, usize),
    flag: Option<&String>,
) -> String {
    let value = |dtype: &str| json!({"dtype": dtype, "_type": "Value"});
    let vector = |dim: usize| match dim {
        1 => value("float32"),
        _ => json!({"feature": value("float32"), "length": dim, "_type": "Sequence"}),
    };
    let mut features = Map::new();
    for camera in cameras {
        features.insert(camera.clone(), json!({"_type": "Image"}));
    }
    features.insert(super::STATE.into(), vector(state_dim));
    features.insert(super::ACTION.into(), vector(action_dim));
    if let Some(flag) = flag {
        features.insert(flag.clone(), value("bool"));
    }
    features.insert("timestamp".into(), value("float32"));
    for name in ["frame_index", "episode_index", "index", "task_index"] {
        features.insert(name.into(), value("int64"));
    }
    json!({"info": {"features": features}}).to_string()
}

/// The arrow schema of an episode's rows.
pub(super) fn schema(
    cameras: &[String],
    (state_dim, action_dim): (usize, usize),
    flag: Option<&String>,
) -> Arc<Schema> {
    let vector = |dim: usize| match dim {
        1 => DataType::Float32,
        _ => DataType::FixedSizeList(
            Arc::new(Field::new("item", DataType::Float32, true)),
            dim as i32,
        ),
    };
    let mut fields: Vec<Field> = cameras
        .iter()
        .map(|name| Field::new(name, DataType::Struct(image_fields()), true))
        .collect();
    fields.push(Field::new(super::STATE, vector(state_dim), true));
    fields.push(Field::new(super::ACTION, vector(action_dim), true));
    fields.extend(flag.map(|flag| Field::new(flag, DataType::Boolean, true)));
    fields.push(Field::new("timestamp", DataType::Float32, true));
    for name in ["frame_index", "episode_index", "index", "task_index"] {
        fields.push(Field::new(name, DataType::Int64, true));
    }
    let metadata = HashMap::from([(
        "huggingface".to_owned(),
        hugging_face_metadata(cameras, (state_dim, action_dim), flag),
    )]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

fn image_fields() -> Fields {
    Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ])
}

/// Turns waiting rows into a table: those of `episode`, whose first frame has the running number
/// `first_index` in the data set, after `done` frames that were written before.
pub(super) fn to_batch(
    schema: &Arc<Schema>,
    rows: &Rows,
    episode: usize,
    (first_index, done): (usize, usize),
    fps: f64,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let frames = done..done + rows.len();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for camera in &rows.images {
        let mut bytes = BinaryBuilder::with_capacity(rows.len(), camera.iter().map(Vec::len).sum());
        let mut paths = StringBuilder::new();
        for (frame, image) in frames.clone().zip(camera) {
            bytes.append_value(image);
            paths.append_value(format!("frame_{frame:06}{}", extension(image)));
        }
        columns.push(Arc::new(StructArray::try_new(
            image_fields(),
            vec![Arc::new(bytes.finish()), Arc::new(paths.finish())],
            None,
        )?));
    }
    for vectors in [&rows.state, &rows.action] {
        let dim = vectors.first().map_or(0, Vec::len);
        let flat: Float32Array = vectors.iter().flatten().copied().collect::<Vec<f32>>().into();
        columns.push(match dim {
            1 => Arc::new(flat),
            _ => Arc::new(FixedSizeListArray::try_new(
                Arc::new(Field::new("item", DataType::Float32, true)),
                dim as i32,
                Arc::new(flat),
                None,
            )?),
        });
    }
    if !rows.flag.is_empty() {
        columns.push(Arc::new(BooleanArray::from(rows.flag.clone())));
    }
    columns.push(Arc::new(Float32Array::from_iter_values(
        frames.clone().map(|frame| (frame as f64 / fps) as f32),
    )));
    let integers = |value: &dyn Fn(usize) -> usize| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(frames.clone().map(|frame| value(frame) as i64)))
    };
    columns.push(integers(&|frame| frame));
    columns.push(integers(&|_| episode));
    columns.push(integers(&|frame| first_index + frame));
    columns.push(Arc::new(Int64Array::from_iter_values(rows.task_index.iter().copied())));
    RecordBatch::try_new(Arc::clone(schema), columns)
}

fn extension(image: &[u8]) -> &'static str {
    if image.starts_with(b"\x89PNG") { ".png" } else { ".jpg" }
}
