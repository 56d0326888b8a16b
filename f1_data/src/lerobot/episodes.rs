//! The list of a data set's episodes: `episodes.jsonl` (v2.0, v2.1) or `meta/episodes` (v3.0).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use super::info::fill_template;
use super::table::{integers, read_lines, read_rows, scalars};
use super::{DataError, FormatVersion, Info};

/// Where an episode's images are inside a video file.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoSpan {
    /// The file.
    pub path: PathBuf,
    /// Seconds into the file at which the episode begins (0 before v3.0).
    pub from_timestamp: f64,
}

/// One episode of a data set.
#[derive(Debug, Clone)]
pub struct Episode {
    /// Number in the data set; numbers may be missing where an episode was removed.
    pub index: usize,
    /// Frames.
    pub length: usize,
    /// Parquet file of its rows.
    pub data: PathBuf,
    /// Rows of that file, the whole file when `None`.
    pub rows: Option<(usize, usize)>,
    /// Where its images are, by camera, when they are in videos.
    pub videos: HashMap<String, VideoSpan>,
}

/// Reads the list, sorted by number.
pub(super) fn read(
    root: &Path,
    info: &Info,
    version: FormatVersion,
) -> Result<Vec<Episode>, DataError> {
    let episodes = match version {
        FormatVersion::V3_0 => episodes_v3(root, info)?,
        _ => episodes_v2(root, info)?,
    };
    if let Some(pair) = episodes.windows(2).find(|pair| pair[0].index == pair[1].index) {
        let what = format!("episode {} is listed twice", pair[0].index);
        return Err(DataError::content(root, what));
    }
    Ok(episodes)
}

/// Numbers below the largest one that no episode has.
pub(super) fn missing(episodes: &[Episode]) -> Vec<usize> {
    let mut missing = Vec::new();
    let mut next = 0;
    for episode in episodes {
        missing.extend(next..episode.index);
        next = episode.index + 1;
    }
    missing
}

/// Growing numbers as text: `1, 4 to 6`.
pub(crate) fn ranges(numbers: impl Iterator<Item = usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            _ => format!("{first} to {last}"),
        })
        .collect();
    texts.join(", ")
}

fn episodes_v2(root: &Path, info: &Info) -> Result<Vec<Episode>, DataError> {
    let path = root.join("meta/episodes.jsonl");
    let mut episodes = Vec::new();
    // A writer that was stopped may have listed one episode more than it counted.
    for line in read_lines(&path)?.into_iter().take(info.total_episodes) {
        let (Some(index), Some(length)) = (line["episode_index"].as_u64(), line["length"].as_u64())
        else {
            return Err(DataError::content(&path, format!("not an episode: {line}")));
        };
        let (index, length) = (index as usize, length as usize);
        let chunk = index / info.chunks_size.max(1);
        let data =
            fill_template(&info.data_path, &[("episode_chunk", &chunk), ("episode_index", &index)]);
        let mut videos = HashMap::new();
        for camera in info.cameras() {
            if let (Some(template), "video") =
                (&info.video_path, info.feature(root, &camera)?.dtype.as_str())
            {
                let values: [(&str, &dyn std::fmt::Display); 3] =
                    [("episode_chunk", &chunk), ("episode_index", &index), ("video_key", &camera)];
                let path = root.join(fill_template(template, &values));
                videos.insert(camera.clone(), VideoSpan { path, from_timestamp: 0.0 });
            }
        }
        episodes.push(Episode { index, length, data: root.join(data), rows: None, videos });
    }
    episodes.sort_by_key(|episode| episode.index);
    Ok(episodes)
}

fn episodes_v3(root: &Path, info: &Info) -> Result<Vec<Episode>, DataError> {
    let mut files = Vec::new();
    let folder = root.join("meta/episodes");
    for chunk in sorted_entries(&folder)? {
        if chunk.is_dir() {
            files.extend(
                sorted_entries(&chunk)?
                    .into_iter()
                    .filter(|f| f.extension().is_some_and(|e| e == "parquet")),
            );
        }
    }
    let videos: Vec<String> = info
        .cameras()
        .into_iter()
        .filter(|camera| info.features[camera]["dtype"] == "video")
        .collect();
    let mut found: Vec<(Episode, usize)> = Vec::new();
    for file in &files {
        let mut names: Vec<String> = [
            "episode_index",
            "length",
            "data/chunk_index",
            "data/file_index",
            "dataset_from_index",
        ]
        .map(str::to_owned)
        .into();
        for camera in &videos {
            names.extend(
                ["chunk_index", "file_index", "from_timestamp"]
                    .map(|key| format!("videos/{camera}/{key}")),
            );
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for batch in read_rows(file, None, Some(&names))? {
            read_episode_rows(root, info, file, &batch, &videos, &mut found)?;
        }
    }
    found.sort_by_key(|(episode, _)| episode.index);
    // Rows are numbered over the whole data set; a file begins with its first episode.
    let mut starts: HashMap<PathBuf, usize> = HashMap::new();
    for (episode, from) in &found {
        let start = starts.entry(episode.data.clone()).or_insert(*from);
        *start = (*start).min(*from);
    }
    Ok(found
        .into_iter()
        .map(|(mut episode, from)| {
            let start = from - starts[&episode.data];
            episode.rows = Some((start, start + episode.length));
            episode
        })
        .collect())
}

fn read_episode_rows(
    root: &Path,
    info: &Info,
    file: &Path,
    batch: &RecordBatch,
    cameras: &[String],
    found: &mut Vec<(Episode, usize)>,
) -> Result<(), DataError> {
    let batches = std::slice::from_ref(batch);
    let numbers = |name: &str| -> Result<Vec<usize>, DataError> {
        Ok(integers(file, batches, name)?.into_iter().map(|value| value.max(0) as usize).collect())
    };
    let indices = numbers("episode_index")?;
    let lengths = numbers("length")?;
    let (chunks, numbers_in_chunk) = (numbers("data/chunk_index")?, numbers("data/file_index")?);
    let froms = numbers("dataset_from_index")?;
    for (row, &index) in indices.iter().enumerate() {
        let values: [(&str, &dyn std::fmt::Display); 2] =
            [("chunk_index", &chunks[row]), ("file_index", &numbers_in_chunk[row])];
        let data = root.join(fill_template(&info.data_path, &values));
        let mut videos = HashMap::new();
        for camera in cameras {
            let Some(template) = &info.video_path else { continue };
            let chunk = numbers(&format!("videos/{camera}/chunk_index"))?[row];
            let number = numbers(&format!("videos/{camera}/file_index"))?[row];
            let key = format!("videos/{camera}/from_timestamp");
            let from_timestamp = scalars(file, batches, &key)?[row];
            let values: [(&str, &dyn std::fmt::Display); 3] =
                [("video_key", camera), ("chunk_index", &chunk), ("file_index", &number)];
            let path = root.join(fill_template(template, &values));
            videos.insert(camera.clone(), VideoSpan { path, from_timestamp });
        }
        found.push((Episode { index, length: lengths[row], data, rows: None, videos }, froms[row]));
    }
    Ok(())
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        out.push(entry.map_err(DataError::io(folder))?.path());
    }
    out.sort();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn growing_numbers_are_written_as_ranges() {
        assert_eq!(ranges([1, 4, 5, 6, 9].into_iter()), "1, 4 to 6, 9");
        assert_eq!(ranges(std::iter::empty()), "");
    }
}
