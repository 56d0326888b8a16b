//! Reading data sets.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, Float64Array, LargeStringArray, RecordBatch, StringArray};
use image::RgbImage;
use serde_json::Value;

use super::info::fill_template;
use super::table::{cast, column, images, integers, read_rows, vectors};
use super::video::Film;
use super::{ACTION, DataError, FormatVersion, Info, STATE, stats_file};
use f1_robot::statistics::DatasetStatistics;

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
    /// Number in the data set.
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

/// A stored image, cheap to clone.
#[derive(Debug, Clone)]
pub enum FrameImage {
    /// JPEG or PNG bytes.
    Encoded(Arc<[u8]>),
    /// A frame of a video, by its place in the file.
    Filmed(Arc<Film>, usize),
    /// Pixels.
    Raw(Arc<RgbImage>),
}

impl FrameImage {
    /// The pixels.
    ///
    /// # Errors
    /// When the bytes are no JPEG or PNG, or the video is damaged there.
    pub fn decode(&self) -> Result<RgbImage, DataError> {
        match self {
            Self::Encoded(bytes) => image::load_from_memory(bytes)
                .map(image::DynamicImage::into_rgb8)
                .map_err(|source| DataError::Image { what: "image".into(), source }),
            Self::Filmed(film, index) => film.frame(*index),
            Self::Raw(image) => Ok(RgbImage::clone(image)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Encoded(bytes) => bytes.len() + 16,
            Self::Filmed(film, _) => 16 + film.bytes() / film.frames().max(1),
            Self::Raw(image) => image.len() + 64,
        }
    }
}

/// Part of a vector column: all of it, or a range of its dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSlice {
    /// Column name.
    pub column: String,
    /// First and end dimension; all of them when `None`.
    pub range: Option<(usize, usize)>,
}

impl ColumnSlice {
    /// Reads `name` or `name[from:to]`.
    ///
    /// # Errors
    /// When the range is not two growing numbers.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let Some((column, range)) = text.strip_suffix(']').and_then(|text| text.split_once('['))
        else {
            return Ok(Self { column: text.to_owned(), range: None });
        };
        let numbers = range
            .split_once(':')
            .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        match numbers {
            Some((from, to)) if from < to => {
                Ok(Self { column: column.to_owned(), range: Some((from, to)) })
            }
            _ => Err(DataError::Usage(format!(
                "`{text}` is not a column or a column with a range such as name[0:7]"
            ))),
        }
    }
}

/// Which columns make up state, action and cameras: slices are joined in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The state's parts.
    pub state: Vec<ColumnSlice>,
    /// The action's parts.
    pub action: Vec<ColumnSlice>,
    /// Cameras to read.
    pub cameras: Vec<String>,
}

impl Columns {
    /// `observation.state`, `action` and these cameras.
    #[must_use]
    pub fn usual(cameras: &[String]) -> Self {
        let whole = |name: &str| vec![ColumnSlice { column: name.to_owned(), range: None }];
        Self { state: whole(STATE), action: whole(ACTION), cameras: cameras.to_vec() }
    }
}

/// Rows of one episode.
#[derive(Debug, Clone)]
pub struct EpisodeTable {
    /// `[frame][dimension]`, data-set units.
    pub state: Vec<Vec<f32>>,
    /// `[frame][dimension]`, data-set units.
    pub action: Vec<Vec<f32>>,
    /// Index of each frame's instruction.
    pub task_index: Vec<usize>,
    /// Seconds since the episode began.
    pub timestamps: Vec<f64>,
    /// Images by camera, for the cameras that were asked for.
    pub images: HashMap<String, Vec<FrameImage>>,
}

impl EpisodeTable {
    /// Number of frames.
    #[must_use]
    pub fn len(&self) -> usize {
        self.task_index.len()
    }

    /// Whether there are no frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.task_index.is_empty()
    }

    /// Bytes held, for caches.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let vectors = |rows: &[Vec<f32>]| rows.iter().map(|row| row.len() * 4 + 24).sum::<usize>();
        let images: usize = self.images.values().flatten().map(FrameImage::bytes).sum();
        vectors(&self.state) + vectors(&self.action) + self.len() * 16 + images
    }
}

/// A data set on disk, its metadata in memory.
#[derive(Debug)]
pub struct Dataset {
    root: PathBuf,
    info: Info,
    version: FormatVersion,
    tasks: Vec<String>,
    episodes: Vec<Episode>,
    statistics: Option<DatasetStatistics>,
}

impl Dataset {
    /// Opens the data set in `root` and reads its metadata.
    ///
    /// # Errors
    /// When the metadata is missing, contradicts itself or is of an unknown version.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, DataError> {
        let root = root.as_ref().to_path_buf();
        let info = Info::load(&root)?;
        let version = info.version(&root)?;
        let (tasks, episodes) = match version {
            FormatVersion::V3_0 => (tasks_v3(&root)?, episodes_v3(&root, &info)?),
            _ => (tasks_v2(&root)?, episodes_v2(&root, &info)?),
        };
        let frames: usize = episodes.iter().map(|episode| episode.length).sum();
        if episodes.len() != info.total_episodes || frames != info.total_frames {
            return Err(DataError::content(
                &root,
                format!(
                    "info.json promises {} episodes with {} frames, the lists hold {} with {frames}",
                    info.total_episodes,
                    info.total_frames,
                    episodes.len()
                ),
            ));
        }
        let statistics = read_statistics(&root, version)?;
        Ok(Self { root, info, version, tasks, episodes, statistics })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `meta/info.json`.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The layout.
    #[must_use]
    pub fn version(&self) -> FormatVersion {
        self.version
    }

    /// Instructions by task index.
    #[must_use]
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// All episodes, in order.
    #[must_use]
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// The statistics that the data set carries, aggregated over its episodes.
    #[must_use]
    pub fn statistics(&self) -> Option<&DatasetStatistics> {
        self.statistics.as_ref()
    }

    /// Number of frames over all episodes.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.info.total_frames
    }

    /// Reads one episode: vectors, and images of the cameras named.
    ///
    /// # Errors
    /// When a file is damaged or its rows contradict the metadata; the message names the episode
    /// and the mend.
    pub fn read_episode(&self, index: usize, columns: &Columns) -> Result<EpisodeTable, DataError> {
        let episode = self.episodes.get(index).ok_or_else(|| {
            DataError::Usage(format!(
                "{}: episode {index} of {}",
                self.root.display(),
                self.episodes.len()
            ))
        })?;
        self.read(episode, columns).map_err(|fault| {
            DataError::content(
                &self.root,
                format!(
                    "episode {index} cannot be read ({fault}); leave it out with `skip_episodes: [{index}]`"
                ),
            )
        })
    }

    fn read(&self, episode: &Episode, columns: &Columns) -> Result<EpisodeTable, DataError> {
        let path = &episode.data;
        let (mut stored, mut filmed): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for camera in &columns.cameras {
            match self.info.feature(&self.root, camera)?.dtype.as_str() {
                "image" => stored.push(camera),
                "video" => filmed.push(camera),
                other => {
                    return Err(DataError::content(
                        &self.root,
                        format!("`{camera}` is {other}, no camera"),
                    ));
                }
            }
        }
        let mut names = vec!["timestamp", "task_index"];
        names
            .extend(columns.state.iter().chain(&columns.action).map(|slice| slice.column.as_str()));
        names.extend(&stored);
        let batches = read_rows(path, episode.rows, Some(&names))?;
        let mut table = EpisodeTable {
            state: self.joined(path, &batches, &columns.state)?,
            action: self.joined(path, &batches, &columns.action)?,
            task_index: Vec::new(),
            timestamps: vectors(path, &batches, "timestamp")?
                .iter()
                .map(|t| f64::from(t[0]))
                .collect(),
            images: HashMap::new(),
        };
        for index in integers(path, &batches, "task_index")? {
            let known = usize::try_from(index).ok().filter(|index| *index < self.tasks.len());
            let index = known.ok_or_else(|| {
                DataError::content(
                    path,
                    format!("task {index} is not one of the {} known", self.tasks.len()),
                )
            })?;
            table.task_index.push(index);
        }
        let frames = table.len();
        if frames != episode.length {
            return Err(DataError::content(
                path,
                format!("the table has {frames} rows, the list says {}", episode.length),
            ));
        }
        for camera in stored {
            let images = images(path, &batches, camera)?;
            let images =
                images.into_iter().map(|bytes| FrameImage::Encoded(bytes.into())).collect();
            table.images.insert(camera.to_owned(), images);
        }
        for camera in filmed {
            let span = episode.videos.get(camera).ok_or_else(|| {
                DataError::content(&self.root, format!("no video of `{camera}` is listed"))
            })?;
            let images = super::video::images(span, &table.timestamps, self.info.fps)?;
            table.images.insert(camera.to_owned(), images);
        }
        Ok(table)
    }

    fn joined(
        &self,
        path: &Path,
        batches: &[RecordBatch],
        slices: &[ColumnSlice],
    ) -> Result<Vec<Vec<f32>>, DataError> {
        let mut out: Vec<Vec<f32>> = Vec::new();
        for slice in slices {
            let width =
                self.info.feature(&self.root, &slice.column)?.shape.first().copied().unwrap_or(0);
            let (from, to) = slice.range.unwrap_or((0, width));
            let rows = vectors(path, batches, &slice.column)?;
            out.resize(rows.len(), Vec::new());
            for (frame, row) in rows.iter().enumerate() {
                let usable =
                    row.len() == width && to <= width && row.iter().all(|value| value.is_finite());
                if !usable {
                    return Err(DataError::content(
                        path,
                        format!(
                            "`{}` of frame {frame} is not {width} finite numbers",
                            slice.column
                        ),
                    ));
                }
                out[frame].extend_from_slice(&row[from..to]);
            }
        }
        Ok(out)
    }

    /// Exact statistics, read from every row of the episodes `keep` accepts.
    ///
    /// # Errors
    /// When an episode cannot be read or none is kept.
    pub fn compute_statistics(
        &self,
        columns: &Columns,
        keep: impl Fn(usize) -> bool,
    ) -> Result<DatasetStatistics, DataError> {
        let columns = Columns { cameras: Vec::new(), ..columns.clone() };
        let (mut state, mut action) = (Vec::new(), Vec::new());
        for episode in (0..self.episodes.len()).filter(|episode| keep(*episode)) {
            let table = self.read_episode(episode, &columns)?;
            state.extend(table.state);
            action.extend(table.action);
        }
        if state.is_empty() {
            return Err(DataError::content(
                &self.root,
                "no episode is left to compute statistics from",
            ));
        }
        Ok(crate::statistics::of_dataset(&state, &action))
    }
}

fn read_lines(path: &Path) -> Result<Vec<Value>, DataError> {
    let text = fs::read_to_string(path).map_err(DataError::io(path))?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).map_err(DataError::json(path)))
        .collect()
}

fn tasks_v2(root: &Path) -> Result<Vec<String>, DataError> {
    let path = root.join("meta/tasks.jsonl");
    let mut tasks = Vec::new();
    for line in read_lines(&path)? {
        let (Some(index), Some(task)) = (line["task_index"].as_u64(), line["task"].as_str()) else {
            return Err(DataError::content(&path, format!("not a task: {line}")));
        };
        place(&mut tasks, index as usize, task.to_owned());
    }
    Ok(tasks)
}

fn place(tasks: &mut Vec<String>, index: usize, task: String) {
    if tasks.len() <= index {
        tasks.resize(index + 1, String::new());
    }
    tasks[index] = task;
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

fn tasks_v3(root: &Path) -> Result<Vec<String>, DataError> {
    let path = root.join("meta/tasks.parquet");
    let batches = read_rows(&path, None, None)?;
    let numbers = integers(&path, &batches, "task_index")?;
    let mut names = Vec::new();
    for batch in &batches {
        // pandas keeps the instruction as the frame's index, under a name of its own.
        let column = ["task", "__index_level_0__"]
            .iter()
            .find_map(|name| batch.column_by_name(name))
            .ok_or_else(|| DataError::content(&path, "no column `task` or `__index_level_0__`"))?;
        names.extend(strings(&path, column)?);
    }
    let mut tasks = Vec::new();
    for (index, name) in numbers.into_iter().zip(names) {
        place(&mut tasks, index.max(0) as usize, name);
    }
    Ok(tasks)
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
            let from_timestamp =
                cast::<Float64Array>(file, column(file, batch, &key)?, &key)?.value(row);
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

fn read_statistics(
    root: &Path,
    version: FormatVersion,
) -> Result<Option<DatasetStatistics>, DataError> {
    if version == FormatVersion::V2_1 {
        let path = root.join("meta/episodes_stats.jsonl");
        if !path.exists() {
            return Ok(None);
        }
        let parts: Vec<DatasetStatistics> = read_lines(&path)?
            .iter()
            .filter_map(|line| stats_file::from_json(&line["stats"]))
            .collect();
        return Ok((!parts.is_empty()).then(|| crate::statistics::aggregate_datasets(&parts)));
    }
    let path = root.join("meta/stats.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(DataError::io(&path))?;
    Ok(stats_file::from_json(&serde_json::from_str(&text).map_err(DataError::json(&path))?))
}
