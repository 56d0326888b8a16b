//! The tables of the layout v3.0: `tasks.parquet` and the list of episodes.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use serde_json::json;

use super::super::stats_file::fields;
use super::{CHUNKS_SIZE, Finished};

/// Tasks as pandas writes them: the instruction is the index of the frame, so the `pandas` entry
/// must say so.
pub(super) fn tasks_table(tasks: &[String]) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let pandas = json!({
        "index_columns": ["__index_level_0__"],
        "column_indexes": [{"name": null, "field_name": null, "pandas_type": "unicode", "numpy_type": "object",
                            "metadata": {"encoding": "UTF-8"}}],
        "columns": [
            {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64", "metadata": null},
            {"name": null, "field_name": "__index_level_0__", "pandas_type": "unicode", "numpy_type": "object", "metadata": null},
        ],
        "creator": {"library": "pyarrow", "version": "15.0.0"},
        "pandas_version": "2.2.0",
    });
    let schema = Schema::new_with_metadata(
        vec![
            Field::new("task_index", DataType::Int64, true),
            Field::new("__index_level_0__", DataType::Utf8, true),
        ],
        std::collections::HashMap::from([("pandas".to_owned(), pandas.to_string())]),
    );
    let numbers = Int64Array::from_iter_values(0..tasks.len() as i64);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(numbers), Arc::new(StringArray::from_iter_values(tasks))],
    )
}

/// The list of episodes, with the statistics of each.
pub(super) fn episodes_table(
    episodes: &[Finished],
    cameras: &[String],
    videos: &[String],
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    let integers = |value: &dyn Fn(usize, &Finished) -> usize| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            episodes.iter().enumerate().map(|(i, e)| value(i, e) as i64),
        ))
    };
    columns.push(("episode_index".into(), integers(&|index, _| index)));
    let mut tasks = ListBuilder::new(StringBuilder::new());
    for episode in episodes {
        for task in &episode.tasks {
            tasks.values().append_value(task);
        }
        tasks.append(true);
    }
    columns.push(("tasks".into(), Arc::new(tasks.finish())));
    columns.push(("length".into(), integers(&|_, e| e.length)));
    columns.push(("data/chunk_index".into(), integers(&|_, e| e.file / CHUNKS_SIZE)));
    columns.push(("data/file_index".into(), integers(&|_, e| e.file % CHUNKS_SIZE)));
    columns.push(("dataset_from_index".into(), integers(&|_, e| e.first_index)));
    columns.push(("dataset_to_index".into(), integers(&|_, e| e.first_index + e.length)));
    for (place, name) in videos.iter().enumerate() {
        let key = |part: &str| format!("videos/{name}/{part}");
        let file = |e: &Finished| e.videos[place].file;
        columns.push((key("chunk_index"), integers(&|_, e| file(e) / CHUNKS_SIZE)));
        columns.push((key("file_index"), integers(&|_, e| file(e) % CHUNKS_SIZE)));
        let seconds = |value: &dyn Fn(&Finished) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(episodes.iter().map(value)))
        };
        columns.push((key("from_timestamp"), seconds(&|e| e.videos[place].from_timestamp)));
        columns.push((key("to_timestamp"), seconds(&|e| e.videos[place].to_timestamp)));
    }
    let count = episodes.first().map_or(0, |episode| episode.statistics.len());
    for column in 0..count {
        let name = &episodes[0].statistics[column].0;
        for (place, (key, _)) in fields(&episodes[0].statistics[column].1).into_iter().enumerate() {
            let lists = episodes.iter().map(|e| fields(&e.statistics[column].1)[place].1);
            let array =
                if cameras.contains(name) { pixel_lists(lists) } else { plain_lists(lists) };
            columns.push((format!("stats/{name}/{key}"), array));
        }
        let mut counts = ListBuilder::new(Int64Builder::new());
        for episode in episodes {
            for value in &episode.statistics[column].1.count {
                counts.values().append_value(*value as i64);
            }
            counts.append(true);
        }
        columns.push((format!("stats/{name}/count"), Arc::new(counts.finish())));
    }
    columns.push(("meta/episodes/chunk_index".into(), integers(&|_, _| 0)));
    columns.push(("meta/episodes/file_index".into(), integers(&|_, _| 0)));
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
}

fn plain_lists<'a>(lists: impl Iterator<Item = &'a [f64]>) -> ArrayRef {
    let mut builder = ListBuilder::new(Float64Builder::new());
    for list in lists {
        builder.values().append_slice(list);
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// `[channel, 1, 1]`, the shape LeRobot keeps images' statistics in.
fn pixel_lists<'a>(lists: impl Iterator<Item = &'a [f64]>) -> ArrayRef {
    let mut builder = ListBuilder::new(ListBuilder::new(ListBuilder::new(Float64Builder::new())));
    for list in lists {
        for value in list {
            builder.values().values().values().append_value(*value);
            builder.values().values().append(true);
            builder.values().append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}
