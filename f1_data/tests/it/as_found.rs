//! Data sets as people bring them: edited by hand, with other types of numbers, with gaps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, BooleanArray, FixedSizeListArray, Float16Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, LargeListArray, ListArray, RecordBatch, StringArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field};
use f1_data::lerobot::{ColumnSlice, Columns, Dataset, FormatVersion};

use crate::round_trip::write;

const LAYOUTS: [FormatVersion; 2] = [FormatVersion::V2_1, FormatVersion::V3_0];

/// The file that holds an episode's rows.
fn data_file(root: &Path, version: FormatVersion, episode: usize) -> PathBuf {
    root.join(match version {
        FormatVersion::V3_0 => "data/chunk-000/file-000.parquet".to_owned(),
        _ => format!("data/chunk-000/episode_{episode:06}.parquet"),
    })
}

/// Rewrites a table: `change` gets each column by name and gives the one to write.
fn rewrite(path: &Path, change: impl Fn(&str, &ArrayRef) -> Option<ArrayRef>) {
    let file = std::fs::File::open(path).unwrap();
    let builder =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    let batches: Vec<RecordBatch> = batches
        .iter()
        .map(|batch| {
            let schema = batch.schema();
            let columns =
                schema.fields().iter().zip(batch.columns()).filter_map(|(field, column)| {
                    Some((field.name().clone(), change(field.name(), column)?))
                });
            RecordBatch::try_from_iter_with_nullable(
                columns.map(|(name, column)| (name, column, true)),
            )
            .unwrap()
        })
        .collect();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batches[0].schema(), None).unwrap();
    for batch in &batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
}

/// Takes an episode out of the lists, and its own file where it has one; rows of a shared file
/// stay.
fn remove_episode(root: &Path, version: FormatVersion, episode: usize, length: usize) {
    let info = root.join("meta/info.json");
    let mut value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&info).unwrap()).unwrap();
    value["total_episodes"] = (value["total_episodes"].as_u64().unwrap() - 1).into();
    value["total_frames"] = (value["total_frames"].as_u64().unwrap() - length as u64).into();
    std::fs::write(&info, value.to_string()).unwrap();
    if version == FormatVersion::V3_0 {
        let list = root.join("meta/episodes/chunk-000/file-000.parquet");
        let file = std::fs::File::open(&list).unwrap();
        let builder =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let batch = builder.build().unwrap().next().unwrap().unwrap();
        let numbers = batch.column_by_name("episode_index").unwrap();
        let numbers = numbers.as_any().downcast_ref::<Int64Array>().unwrap();
        let place = numbers.values().iter().position(|number| *number == episode as i64).unwrap();
        let (before, after) =
            (batch.slice(0, place), batch.slice(place + 1, batch.num_rows() - place - 1));
        let file = std::fs::File::create(&list).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&before).unwrap();
        writer.write(&after).unwrap();
        writer.close().unwrap();
        return;
    }
    std::fs::remove_file(data_file(root, version, episode)).unwrap();
    for list in ["meta/episodes.jsonl", "meta/episodes_stats.jsonl"] {
        let path = root.join(list);
        let text = std::fs::read_to_string(&path).unwrap();
        let mark = format!("\"episode_index\":{episode},");
        let kept: String = text
            .lines()
            .filter(|line| !line.replace(' ', "").contains(&mark))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_ne!(kept, text);
        std::fs::write(&path, kept).unwrap();
    }
}

/// First state of each episode of the set that `round_trip::write` makes.
fn first_state(episode: usize) -> f32 {
    (episode * 50 * 3) as f32 * 0.1
}

#[test]
fn an_episode_is_found_by_its_number_where_others_were_removed() {
    for version in LAYOUTS {
        for removed in 0..2usize {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), version);
            remove_episode(dir.path(), version, removed, 5 + removed);
            let dataset = Dataset::open(dir.path()).unwrap();
            let numbers: Vec<usize> = dataset.episodes().iter().map(|e| e.index).collect();
            let there: Vec<usize> = (0..3).filter(|number| *number != removed).collect();
            assert_eq!(numbers, there, "{version:?}");
            assert_eq!(dataset.missing_episodes(), Some(removed.to_string()));
            for number in there {
                let columns = Columns::usual(&dataset.info().cameras());
                let table = dataset.read_episode(number, &columns).unwrap();
                assert_eq!(table.len(), 5 + number);
                assert_eq!(table.state[0][0], first_state(number), "{version:?} {number}");
            }
            let fault =
                dataset.read_episode(removed, &Columns::usual(&[])).unwrap_err().to_string();
            assert!(fault.contains(&format!("no episode {removed}; there are")), "{fault}");
            // Statistics are of the episodes whose numbers are kept.
            let only = dataset.compute_statistics(&Columns::usual(&[]), |n| n == 2).unwrap();
            assert_eq!(only.state.count, [7]);
            assert_eq!(only.state.min[0] as f32, first_state(2));
        }
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), version);
        assert_eq!(Dataset::open(dir.path()).unwrap().missing_episodes(), None);
    }
}

#[test]
fn samples_of_a_data_set_with_a_gap_are_of_the_numbered_episodes() {
    use f1_data::loader::{OpenSource, Reader};
    use f1_data::mixture::{Pick, Position};
    use f1_data::window::Window;
    for version in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), version);
        remove_episode(dir.path(), version, 1, 6);
        let source = OpenSource {
            name: "found".into(),
            dataset: Dataset::open(dir.path()).unwrap(),
            columns: Columns::usual(&[]),
            shown_cameras: 0,
            history_camera: None,
            window: Window::new(1, 0, 1, 2).unwrap(),
            weight: 1.0,
            pick: Pick::All,
            first_frame: 0,
            skip_episodes: vec![0],
            cut_task_at: None,
        };
        let reader = Reader::new(vec![source], 1 << 20);
        let mut order = reader.order(1, Position::default()).unwrap();
        let mut states: Vec<f32> =
            (0..7).map(|_| reader.sample(order.draw()).unwrap().state[0]).collect();
        states.sort_by(f32::total_cmp);
        let wanted: Vec<f32> = (0..7).map(|frame| ((100 + frame) * 3) as f32 * 0.1).collect();
        assert_eq!(states, wanted, "{version:?}");
    }
}

#[test]
fn a_list_that_was_not_counted_again_is_refused_with_the_right_numbers() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), FormatVersion::V2_1);
    let info = dir.path().join("meta/info.json");
    let before = std::fs::read_to_string(&info).unwrap();
    remove_episode(dir.path(), FormatVersion::V2_1, 1, 6);
    std::fs::write(&info, before).unwrap();
    let fault = Dataset::open(dir.path()).unwrap_err().to_string();
    assert!(fault.contains("holds 2 with 12") && fault.contains("info.json"), "{fault}");
}

#[test]
fn a_task_index_without_a_task_is_refused_with_the_episode() {
    for version in LAYOUTS {
        // One that is beyond all, one in a gap of the list, a negative one.
        for (wrong, listed) in [(9, 2), (1, 3), (-1, 2)] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), version);
            if listed == 3 {
                renumber_tasks(dir.path(), version);
            }
            let path = data_file(dir.path(), version, 2);
            rewrite(&path, |name, column| {
                let numbers = column.as_any().downcast_ref::<Int64Array>();
                match (name, numbers) {
                    ("task_index", Some(numbers)) => {
                        let last = numbers.len() - 1;
                        let values = (0..numbers.len())
                            .map(|row| if row == last { wrong } else { numbers.value(row) });
                        Some(Arc::new(Int64Array::from_iter_values(values)))
                    }
                    _ => Some(Arc::clone(column)),
                }
            });
            let dataset = Dataset::open(dir.path()).unwrap();
            let fault = dataset.read_episode(2, &Columns::usual(&[])).unwrap_err().to_string();
            assert!(fault.contains("episode 2"), "{fault}");
            assert!(fault.contains(&format!("frame 6 has task_index {wrong}")), "{fault}");
            assert!(dataset.read_episode(0, &Columns::usual(&[])).is_ok());
        }
    }
}

/// Gives the second task the number 2, so that 1 is in a gap.
fn renumber_tasks(root: &Path, version: FormatVersion) {
    if version == FormatVersion::V3_0 {
        rewrite(&root.join("meta/tasks.parquet"), |name, column| match name {
            "task_index" => Some(Arc::new(Int64Array::from(vec![0, 2]))),
            _ => Some(Arc::clone(column)),
        });
    } else {
        let path = root.join("meta/tasks.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"task_index\":1", "\"task_index\":2")).unwrap();
    }
}

/// Puts a column of another type in the place of the state's three numbers.
fn with_state(version: FormatVersion, column: impl Fn(usize) -> ArrayRef) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), version);
    let files: Vec<PathBuf> = match version {
        FormatVersion::V3_0 => vec![data_file(dir.path(), version, 0)],
        _ => (0..3).map(|episode| data_file(dir.path(), version, episode)).collect(),
    };
    for file in files {
        rewrite(&file, |name, old| match name {
            "observation.state" => Some(column(old.len())),
            _ => Some(Arc::clone(old)),
        });
    }
    dir
}

/// Three values a row in a list of fixed length, of variable length, and of large ones.
fn lists(values: ArrayRef) -> [ArrayRef; 3] {
    let rows = values.len() / 3;
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = arrow_buffer::OffsetBuffer::from_lengths(vec![3; rows]);
    let large = arrow_buffer::OffsetBuffer::<i64>::from_lengths(vec![3; rows]);
    [
        Arc::new(FixedSizeListArray::new(Arc::clone(&item), 3, Arc::clone(&values), None)),
        Arc::new(ListArray::new(Arc::clone(&item), offsets, Arc::clone(&values), None)),
        Arc::new(LargeListArray::new(item, large, values, None)),
    ]
}

#[test]
fn columns_of_every_type_of_number_are_read() {
    let count = |rows: usize| (0..rows * 3).map(|index| index % 100);
    type Column = fn(usize) -> ArrayRef;
    let kinds: [(&str, Column); 11] = [
        ("int8", |n| Arc::new(Int8Array::from_iter_values((0..n * 3).map(|i| (i % 100) as i8)))),
        ("int16", |n| Arc::new(Int16Array::from_iter_values((0..n * 3).map(|i| (i % 100) as i16)))),
        ("int32", |n| Arc::new(Int32Array::from_iter_values((0..n * 3).map(|i| (i % 100) as i32)))),
        ("int64", |n| Arc::new(Int64Array::from_iter_values((0..n * 3).map(|i| (i % 100) as i64)))),
        ("uint8", |n| Arc::new(UInt8Array::from_iter_values((0..n * 3).map(|i| (i % 100) as u8)))),
        ("uint16", |n| {
            Arc::new(UInt16Array::from_iter_values((0..n * 3).map(|i| (i % 100) as u16)))
        }),
        ("uint32", |n| {
            Arc::new(UInt32Array::from_iter_values((0..n * 3).map(|i| (i % 100) as u32)))
        }),
        ("uint64", |n| {
            Arc::new(UInt64Array::from_iter_values((0..n * 3).map(|i| (i % 100) as u64)))
        }),
        ("float16", |n| {
            let values = (0..n * 3).map(|i| half::f16::from_f32((i % 100) as f32));
            Arc::new(Float16Array::from_iter_values(values))
        }),
        ("float64", |n| {
            Arc::new(Float64Array::from_iter_values((0..n * 3).map(|i| (i % 100) as f64)))
        }),
        ("bool", |n| Arc::new(BooleanArray::from_iter((0..n * 3).map(|i| Some(i % 2 == 1))))),
    ];
    for version in LAYOUTS {
        for (kind, values) in kinds {
            for list in 0..3 {
                let dir = with_state(version, |rows| Arc::clone(&lists(values(rows))[list]));
                let dataset = Dataset::open(dir.path()).unwrap();
                let table = dataset.read_episode(0, &Columns::usual(&[])).unwrap();
                let read: Vec<f32> = table.state.concat();
                let wanted: Vec<f32> = match kind {
                    "bool" => count(5).map(|value| (value % 2) as f32).collect(),
                    _ => count(5).map(|value| value as f32).collect(),
                };
                assert_eq!(read, wanted, "{version:?} {kind} {list}");
            }
        }
    }
}

#[test]
fn a_single_number_and_lists_of_lists_are_read_as_rows() {
    for version in LAYOUTS {
        let alone = with_state(version, |rows| {
            Arc::new(BooleanArray::from_iter((0..rows).map(|row| Some(row % 2 == 0))))
        });
        shape(alone.path(), &[1]);
        let table =
            Dataset::open(alone.path()).unwrap().read_episode(0, &Columns::usual(&[])).unwrap();
        assert_eq!(table.state.concat(), [1.0, 0.0, 1.0, 0.0, 1.0]);
        let nested = with_state(version, |rows| {
            let values: ArrayRef = Arc::new(Int16Array::from_iter_values(0..rows as i16 * 6));
            let item = Arc::new(Field::new("item", DataType::Int16, true));
            let inner = FixedSizeListArray::new(item, 3, values, None);
            let item = Arc::new(Field::new("item", inner.data_type().clone(), true));
            Arc::new(FixedSizeListArray::new(item, 2, Arc::new(inner), None))
        });
        shape(nested.path(), &[2, 3]);
        let dataset = Dataset::open(nested.path()).unwrap();
        let mut columns = Columns::usual(&[]);
        let table = dataset.read_episode(0, &columns).unwrap();
        assert_eq!(table.state[1], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        assert_eq!(dataset.info().state_dim(), 6);
        columns.state = vec![ColumnSlice::parse("observation.state[4:6]").unwrap()];
        assert_eq!(dataset.read_episode(0, &columns).unwrap().state[1], [10.0, 11.0]);
    }
}

/// Writes another shape of the state into `info.json`.
fn shape(root: &Path, shape: &[usize]) {
    let info = root.join("meta/info.json");
    let mut value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&info).unwrap()).unwrap();
    value["features"]["observation.state"]["shape"] = serde_json::json!(shape);
    std::fs::write(&info, value.to_string()).unwrap();
}

#[test]
fn another_type_is_refused_with_the_column_and_its_type() {
    for version in LAYOUTS {
        let dir = with_state(version, |rows| {
            let values = StringArray::from_iter_values((0..rows * 3).map(|i| i.to_string()));
            Arc::clone(&lists(Arc::new(values))[0])
        });
        let dataset = Dataset::open(dir.path()).unwrap();
        let fault = dataset.read_episode(1, &Columns::usual(&[])).unwrap_err().to_string();
        assert!(fault.contains("episode 1") && fault.contains("`observation.state`"), "{fault}");
        assert!(fault.contains("Utf8"), "{fault}");
        // It is so in every episode: to leave this one out would not help.
        assert!(!fault.contains("skip_episodes"), "{fault}");
    }
}
