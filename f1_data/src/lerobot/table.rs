//! Columns of parquet files, whatever type they are stored as.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, LargeBinaryArray, RecordBatch, StructArray};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use serde_json::Value;

use super::DataError;

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

/// A vector column as `[row][dimension]`: numbers or booleans, alone or in lists of any depth.
pub(super) fn vectors(
    path: &Path,
    batches: &[RecordBatch],
    name: &str,
) -> Result<Vec<Vec<f32>>, DataError> {
    let mut out = Vec::new();
    let mut values = Vec::new();
    for batch in batches {
        let column = column(path, batch, name)?;
        for row in 0..column.len() {
            values.clear();
            append_numbers(&column.slice(row, 1), &mut values)
                .map_err(|fault| fault.of_column(path, name, column))?;
            out.push(values.iter().map(|value| *value as f32).collect());
        }
    }
    Ok(out)
}

/// A column with one number a row.
pub(super) fn scalars(
    path: &Path,
    batches: &[RecordBatch],
    name: &str,
) -> Result<Vec<f64>, DataError> {
    let mut out = Vec::new();
    for batch in batches {
        let column = column(path, batch, name)?;
        append_numbers(column, &mut out).map_err(|fault| fault.of_column(path, name, column))?;
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if out.len() != rows {
        let what = format!("column `{name}` has {} numbers in {rows} rows", out.len());
        return Err(DataError::content(path, what));
    }
    Ok(out)
}

/// A column of whole numbers.
pub(super) fn integers(
    path: &Path,
    batches: &[RecordBatch],
    name: &str,
) -> Result<Vec<i64>, DataError> {
    scalars(path, batches, name)?
        .into_iter()
        .map(|value| match value.fract() == 0.0 && value.abs() < 2f64.powi(53) {
            true => Ok(value as i64),
            false => {
                let what = format!("column `{name}` holds {value}, not a whole number");
                Err(DataError::content(path, what))
            }
        })
        .collect()
}

/// Why a column is no column of numbers.
enum Unusable {
    Null,
    Type,
}

impl Unusable {
    fn of_column(self, path: &Path, name: &str, column: &ArrayRef) -> DataError {
        let what = match self {
            Self::Null => format!("column `{name}` holds nulls"),
            Self::Type => format!(
                "column `{name}` holds {}; numbers, booleans and lists of them can be read",
                column.data_type()
            ),
        };
        DataError::content(path, what)
    }
}

fn append_numbers(array: &ArrayRef, out: &mut Vec<f64>) -> Result<(), Unusable> {
    if array.null_count() > 0 {
        return Err(Unusable::Null);
    }
    macro_rules! append {
        ($kind:ty) => {
            out.extend(array.as_primitive::<$kind>().values().iter().map(|value| *value as f64))
        };
    }
    match array.data_type() {
        DataType::Float64 => out.extend_from_slice(array.as_primitive::<Float64Type>().values()),
        DataType::Float32 => append!(Float32Type),
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>().values();
            out.extend(values.iter().map(|value| value.to_f64()));
        }
        DataType::Int64 => append!(Int64Type),
        DataType::Int32 => append!(Int32Type),
        DataType::Int16 => append!(Int16Type),
        DataType::Int8 => append!(Int8Type),
        DataType::UInt64 => append!(UInt64Type),
        DataType::UInt32 => append!(UInt32Type),
        DataType::UInt16 => append!(UInt16Type),
        DataType::UInt8 => append!(UInt8Type),
        DataType::Boolean => {
            let values = array.as_boolean().values();
            out.extend(values.iter().map(|value| f64::from(u8::from(value))));
        }
        DataType::FixedSizeList(..) => {
            let lists = array.as_fixed_size_list();
            for row in 0..lists.len() {
                append_numbers(&lists.value(row), out)?;
            }
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            for row in 0..lists.len() {
                append_numbers(&lists.value(row), out)?;
            }
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            for row in 0..lists.len() {
                append_numbers(&lists.value(row), out)?;
            }
        }
        _ => return Err(Unusable::Type),
    }
    Ok(())
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

/// The lines of a JSONL file.
pub(super) fn read_lines(path: &Path) -> Result<Vec<Value>, DataError> {
    let text = std::fs::read_to_string(path).map_err(DataError::io(path))?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).map_err(DataError::json(path)))
        .collect()
}
