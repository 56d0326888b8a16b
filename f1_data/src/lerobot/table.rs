//! One episode's rows as an arrow table, both ways.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array,
    LargeBinaryArray, LargeListArray, ListArray, RecordBatch, StructArray,
};
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use serde_json::{Map, Value, json};

use super::DataError;

/// Rows of one episode that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// One list of encoded images a camera.
    pub images: Vec<Vec<Vec<u8>>>,
    /// `[frame][dimension]`.
    pub state: Vec<Vec<f32>>,
    /// `[frame][dimension]`.
    pub action: Vec<Vec<f32>>,
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
fn hugging_face_metadata(cameras: &[String], state_dim: usize, action_dim: usize) -> String {
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
    features.insert("timestamp".into(), value("float32"));
    for name in ["frame_index", "episode_index", "index", "task_index"] {
        features.insert(name.into(), value("int64"));
    }
    json!({"info": {"features": features}}).to_string()
}

/// The arrow schema of an episode's rows.
pub(super) fn schema(cameras: &[String], state_dim: usize, action_dim: usize) -> Arc<Schema> {
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
    fields.push(Field::new("timestamp", DataType::Float32, true));
    for name in ["frame_index", "episode_index", "index", "task_index"] {
        fields.push(Field::new(name, DataType::Int64, true));
    }
    let metadata = HashMap::from([(
        "huggingface".to_owned(),
        hugging_face_metadata(cameras, state_dim, action_dim),
    )]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

fn image_fields() -> Fields {
    Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ])
}

/// Turns waiting rows into a table; `first_index` is the running number of the first row in the
/// data set.
pub(super) fn to_batch(
    schema: &Arc<Schema>,
    rows: &Rows,
    episode: usize,
    first_index: usize,
    fps: f64,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let frames = rows.len();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for camera in &rows.images {
        let mut bytes = BinaryBuilder::with_capacity(frames, camera.iter().map(Vec::len).sum());
        let mut paths = StringBuilder::new();
        for (frame, image) in camera.iter().enumerate() {
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
    columns.push(Arc::new(Float32Array::from_iter_values(
        (0..frames).map(|i| (i as f64 / fps) as f32),
    )));
    columns.push(Arc::new(Int64Array::from_iter_values((0..frames).map(|i| i as i64))));
    columns.push(Arc::new(Int64Array::from_iter_values((0..frames).map(|_| episode as i64))));
    columns.push(Arc::new(Int64Array::from_iter_values(
        (0..frames).map(|i| (first_index + i) as i64),
    )));
    columns.push(Arc::new(Int64Array::from_iter_values(rows.task_index.iter().copied())));
    RecordBatch::try_new(Arc::clone(schema), columns)
}

fn extension(image: &[u8]) -> &'static str {
    if image.starts_with(b"\x89PNG") { ".png" } else { ".jpg" }
}

/// Reads rows `from..to` of a parquet file, only the `columns` named; the result keeps file order.
pub(super) fn read_rows(
    path: &Path,
    range: Option<(usize, usize)>,
    columns: Option<&[&str]>,
) -> Result<Vec<RecordBatch>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(DataError::parquet(path))?;
    let builder = match columns {
        None => builder,
        Some(names) => {
            let roots: Vec<usize> = builder
                .schema()
                .fields()
                .iter()
                .enumerate()
                .filter(|(_, field)| names.contains(&field.name().as_str()))
                .map(|(index, _)| index)
                .collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            builder.with_projection(mask)
        }
    };
    let builder = match range {
        None => builder,
        Some((from, to)) => builder.with_row_selection(RowSelection::from(vec![
            RowSelector::skip(from),
            RowSelector::select(to - from),
        ])),
    };
    let reader = builder.build().map_err(DataError::parquet(path))?;
    reader.map(|batch| batch.map_err(|fault| DataError::content(path, fault.to_string()))).collect()
}

/// A vector column as `[row][dimension]`, whatever list type the file uses.
pub(super) fn vectors(
    path: &Path,
    batches: &[RecordBatch],
    name: &str,
) -> Result<Vec<Vec<f32>>, DataError> {
    let mut out = Vec::new();
    for batch in batches {
        let column = column(path, batch, name)?;
        for row in 0..column.len() {
            let item: ArrayRef = match column.data_type() {
                DataType::FixedSizeList(..) => {
                    cast::<FixedSizeListArray>(path, column, name)?.value(row)
                }
                DataType::List(_) => cast::<ListArray>(path, column, name)?.value(row),
                DataType::LargeList(_) => cast::<LargeListArray>(path, column, name)?.value(row),
                _ => column.slice(row, 1),
            };
            out.push(floats(path, &item, name)?);
        }
    }
    Ok(out)
}

fn floats(path: &Path, item: &ArrayRef, name: &str) -> Result<Vec<f32>, DataError> {
    let any = item.as_any();
    if item.null_count() > 0 {
        return Err(DataError::content(path, format!("column `{name}` holds nulls")));
    }
    if let Some(values) = any.downcast_ref::<Float32Array>() {
        Ok(values.values().to_vec())
    } else if let Some(values) = any.downcast_ref::<Float64Array>() {
        Ok(values.values().iter().map(|v| *v as f32).collect())
    } else if let Some(values) = any.downcast_ref::<Int64Array>() {
        Ok(values.values().iter().map(|v| *v as f32).collect())
    } else {
        Err(DataError::content(
            path,
            format!("column `{name}` holds {}, not numbers", item.data_type()),
        ))
    }
}

/// An integer column.
pub(super) fn integers(
    path: &Path,
    batches: &[RecordBatch],
    name: &str,
) -> Result<Vec<i64>, DataError> {
    let mut out = Vec::new();
    for batch in batches {
        out.extend_from_slice(cast::<Int64Array>(path, column(path, batch, name)?, name)?.values());
    }
    Ok(out)
}

/// An image column: encoded bytes, or the path of a file beside the data set.
pub(super) fn images(
    path: &Path,
    batches: &[RecordBatch],
    name: &str,
) -> Result<Vec<Vec<u8>>, DataError> {
    let mut out = Vec::new();
    for batch in batches {
        let column = cast::<StructArray>(path, column(path, batch, name)?, name)?;
        let bytes = column.column_by_name("bytes").ok_or_else(|| {
            DataError::content(path, format!("image column `{name}` has no bytes"))
        })?;
        for row in 0..bytes.len() {
            let value = if bytes.is_null(row) {
                return Err(DataError::content(
                    path,
                    format!("`{name}`: row {row} has no image bytes"),
                ));
            } else if let Some(array) = bytes.as_any().downcast_ref::<BinaryArray>() {
                array.value(row)
            } else {
                cast::<LargeBinaryArray>(path, bytes, name)?.value(row)
            };
            out.push(value.to_vec());
        }
    }
    Ok(out)
}

pub(super) fn column<'a>(
    path: &Path,
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a ArrayRef, DataError> {
    batch
        .column_by_name(name)
        .ok_or_else(|| DataError::content(path, format!("the table has no column `{name}`")))
}

pub(super) fn cast<'a, A: 'static>(
    path: &Path,
    column: &'a ArrayRef,
    name: &str,
) -> Result<&'a A, DataError> {
    column.as_any().downcast_ref::<A>().ok_or_else(|| {
        DataError::content(path, format!("column `{name}` holds unexpected {}", column.data_type()))
    })
}

/// A JSON map of numbers as a plain list, `[]` for anything else.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        Value::Number(number) => number.as_f64().into_iter().collect(),
        _ => Vec::new(),
    }
}
