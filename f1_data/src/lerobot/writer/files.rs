//! Files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::super::DataError;

/// Writes a table beside its place and moves it there: a reader never sees half a file.
pub(super) fn write_table(path: &Path, batch: &RecordBatch) -> Result<(), DataError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(DataError::io(parent))?;
    }
    let partial = path.with_extension("partial");
    let file = File::create(&partial).map_err(DataError::io(&partial))?;
    let metadata = batch
        .schema()
        .metadata()
        .iter()
        .map(|(k, v)| KeyValue::new(k.clone(), v.clone()))
        .collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(metadata))
        .build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))
        .map_err(DataError::parquet(path))?;
    writer.write(batch).map_err(DataError::parquet(path))?;
    writer.close().map_err(DataError::parquet(path))?;
    fs::rename(&partial, path).map_err(DataError::io(path))
}

pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).map_err(DataError::io(&partial))?;
    fs::rename(&partial, path).map_err(DataError::io(path))
}

pub(super) fn append_line(path: &Path, value: &Value) -> Result<(), DataError> {
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).map_err(DataError::io(path))?;
    file.write_all(format!("{value}\n").as_bytes()).map_err(DataError::io(path))
}
