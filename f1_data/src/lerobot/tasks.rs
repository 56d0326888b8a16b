//! The instructions of a data set, by their numbers.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::{Array as _, ArrayRef, LargeStringArray, StringArray};

use super::DataError;
use super::table::{integers, read_lines, read_rows};

/// Instructions by task index. Numbers may be missing: rows of a missing one are refused when their
/// episode is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tasks(BTreeMap<usize, String>);

impl Tasks {
    /// Reads `tasks.jsonl` of the layouts v2.0 and v2.1.
    pub(super) fn read_v2(root: &Path) -> Result<Self, DataError> {
        let path = root.join("meta/tasks.jsonl");
        let mut tasks = Self::default();
        for line in read_lines(&path)? {
            let (Some(index), Some(task)) = (line["task_index"].as_u64(), line["task"].as_str())
            else {
                return Err(DataError::content(&path, format!("not a task: {line}")));
            };
            tasks.add(&path, index as usize, task.to_owned())?;
        }
        Ok(tasks)
    }

    /// Reads `tasks.parquet` of the layout v3.0.
    pub(super) fn read_v3(root: &Path) -> Result<Self, DataError> {
        let path = root.join("meta/tasks.parquet");
        let batches = read_rows(&path, None, None)?;
        let numbers = integers(&path, &batches, "task_index")?;
        let mut names = Vec::new();
        for batch in &batches {
            // pandas keeps the instruction as the frame's index, under a name of its own.
            let column = ["task", "__index_level_0__"]
                .iter()
                .find_map(|name| batch.column_by_name(name))
                .ok_or_else(|| {
                    DataError::content(&path, "no column `task` or `__index_level_0__`")
                })?;
            names.extend(strings(&path, column)?);
        }
        let mut tasks = Self::default();
        for (index, name) in numbers.into_iter().zip(names) {
            let index = usize::try_from(index)
                .map_err(|_| DataError::content(&path, format!("task number {index}")))?;
            tasks.add(&path, index, name)?;
        }
        Ok(tasks)
    }

    fn add(&mut self, path: &Path, index: usize, task: String) -> Result<(), DataError> {
        match self.0.insert(index, task) {
            Some(before) if before != self.0[&index] => Err(DataError::content(
                path,
                format!("task {index} is listed twice: \"{before}\" and \"{}\"", self.0[&index]),
            )),
            _ => Ok(()),
        }
    }

    /// The instruction with this number.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        self.0.get(&index).map(String::as_str)
    }

    /// Number of instructions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All instructions, by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// The numbers that have an instruction, for messages: `0 to 3, 5`.
    pub(super) fn numbers(&self) -> String {
        super::episodes::ranges(self.0.keys().copied())
    }
}

fn strings(path: &Path, column: &ArrayRef) -> Result<Vec<String>, DataError> {
    if let Some(array) = column.as_any().downcast_ref::<StringArray>() {
        Ok(array.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
    } else if let Some(array) = column.as_any().downcast_ref::<LargeStringArray>() {
        Ok(array.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
    } else {
        Err(DataError::content(path, format!("tasks are {}, not text", column.data_type())))
    }
}
