//! Reading data sets.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use super::columns::{ColumnSlice, Columns};
use super::episodes::{self, Episode};
use super::frame_image::{self, FrameImage};
use super::table::{images, integers, read_lines, read_rows, scalars, vectors};
use super::tasks::Tasks;
use super::{DataError, FormatVersion, Info, advice, stats_file};
use f1_robot::statistics::DatasetStatistics;

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
    tasks: Tasks,
    episodes: Vec<Episode>,
    statistics: Option<DatasetStatistics>,
}

impl Dataset {
    /// Opens the data set in `root` and reads its metadata. Numbers that no episode has are
    /// reported as a warning.
    ///
    /// # Errors
    /// When the metadata is missing, contradicts itself or is of an unknown version.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, DataError> {
        let root = root.as_ref().to_path_buf();
        let info = Info::load(&root)?;
        let version = info.version(&root)?;
        let tasks = match version {
            FormatVersion::V3_0 => Tasks::read_v3(&root)?,
            _ => Tasks::read_v2(&root)?,
        };
        let episodes = episodes::read(&root, &info, version)?;
        let frames: usize = episodes.iter().map(|episode| episode.length).sum();
        if episodes.len() != info.total_episodes || frames != info.total_frames {
            return Err(DataError::content(
                root.join("meta/info.json"),
                format!(
                    "total_episodes is {} and total_frames {}, the list of episodes holds {} with \
                     {frames}: where episodes were removed by hand, write these numbers there",
                    info.total_episodes,
                    info.total_frames,
                    episodes.len()
                ),
            ));
        }
        let statistics = read_statistics(&root, version)?;
        let dataset = Self { root, info, version, tasks, episodes, statistics };
        if let Some(missing) = dataset.missing_episodes() {
            tracing::warn!(
                "{}: no episode {missing}; the others keep their numbers",
                dataset.root.display()
            );
        }
        Ok(dataset)
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
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// All episodes, by number. Numbers may be missing.
    #[must_use]
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// The numbers below the largest one that no episode has, as text (`1, 4 to 6`); `None` where
    /// there is none.
    #[must_use]
    pub fn missing_episodes(&self) -> Option<String> {
        let missing = episodes::missing(&self.episodes);
        (!missing.is_empty()).then(|| episodes::ranges(missing.into_iter()))
    }

    /// The episode with this number.
    #[must_use]
    pub fn episode(&self, number: usize) -> Option<&Episode> {
        let place = self.episodes.binary_search_by_key(&number, |episode| episode.index).ok()?;
        self.episodes.get(place)
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

    /// Reads the episode with this number: vectors, and images of the cameras named.
    ///
    /// # Errors
    /// When there is no such episode, a file is damaged or its rows contradict the metadata; the
    /// message names the episode and says how to go on.
    pub fn read_episode(
        &self,
        number: usize,
        columns: &Columns,
    ) -> Result<EpisodeTable, DataError> {
        let episode = self.episode(number).ok_or_else(|| {
            let there = episodes::ranges(self.episodes.iter().map(|episode| episode.index));
            DataError::Usage(format!(
                "{}: no episode {number}; there are {there}",
                self.root.display()
            ))
        })?;
        self.read(episode, columns).map_err(|fault| {
            let way = self.way_on(number, columns, &fault);
            DataError::content(
                &self.root,
                format!("episode {number} cannot be read ({fault}){way}"),
            )
        })
    }

    /// What to do about an episode that cannot be read. To leave it out is an advice only where
    /// another one can be read.
    fn way_on(&self, number: usize, columns: &Columns, fault: &DataError) -> String {
        let others = self.episodes.iter().filter(|episode| episode.index != number);
        let differs = others.take(2).any(|other| self.read(other, columns).is_ok());
        let convert = match fault {
            DataError::UnsupportedVideo { path, .. } if differs => {
                format!("; convert it: {}", advice::convert_file(path))
            }
            DataError::UnsupportedVideo { .. } => {
                format!(
                    "; convert all videos of the data set: {}",
                    advice::convert_folder(&self.root.join("videos"))
                )
            }
            _ => String::new(),
        };
        match differs {
            true if convert.is_empty() => {
                format!("; leave it out with `skip_episodes: [{number}]`")
            }
            true => format!("{convert}; or leave it out with `skip_episodes: [{number}]`"),
            false => convert,
        }
    }

    fn read(&self, episode: &Episode, columns: &Columns) -> Result<EpisodeTable, DataError> {
        let path = &episode.data;
        let (mut stored, mut in_videos): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for camera in &columns.cameras {
            match self.info.feature(&self.root, camera)?.dtype.as_str() {
                "image" => stored.push(camera),
                "video" => in_videos.push(camera),
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
        let batches = read_rows(path, rows_of(episode)?, Some(&names))?;
        let mut table = EpisodeTable {
            state: self.joined(path, &batches, &columns.state)?,
            action: self.joined(path, &batches, &columns.action)?,
            task_index: self.task_indices(path, &batches)?,
            timestamps: scalars(path, &batches, "timestamp")?,
            images: HashMap::new(),
        };
        if let Some(circles) = &columns.circles {
            circles.bring(&mut table.state, &mut table.action);
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
        for camera in in_videos {
            let span = episode.videos.get(camera).ok_or_else(|| {
                DataError::content(&self.root, format!("no video of `{camera}` is listed"))
            })?;
            let images = frame_image::from_video(span, &table.timestamps, self.info.fps)?;
            table.images.insert(camera.to_owned(), images);
        }
        Ok(table)
    }

    fn task_indices(&self, path: &Path, batches: &[RecordBatch]) -> Result<Vec<usize>, DataError> {
        integers(path, batches, "task_index")?
            .into_iter()
            .enumerate()
            .map(|(frame, index)| {
                let known = usize::try_from(index).ok().filter(|i| self.tasks.get(*i).is_some());
                known.ok_or_else(|| {
                    DataError::content(
                        path,
                        format!(
                            "frame {frame} has task_index {index}, and no task has this number; \
                             there are {}",
                            self.tasks.numbers()
                        ),
                    )
                })
            })
            .collect()
    }

    fn joined(
        &self,
        path: &Path,
        batches: &[RecordBatch],
        slices: &[ColumnSlice],
    ) -> Result<Vec<Vec<f32>>, DataError> {
        let mut out: Vec<Vec<f32>> = Vec::new();
        for slice in slices {
            let width = self.info.feature(&self.root, &slice.column)?.width();
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

    /// Exact statistics, read from every row of the episodes whose numbers `keep` accepts.
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
        for episode in self.episodes.iter().filter(|episode| keep(episode.index)) {
            let table = self.read_episode(episode.index, &columns)?;
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

/// Rows of an episode in its file. The list says where they are; where an episode was removed from
/// the list and its rows were not, they are found by the column `episode_index`.
fn rows_of(episode: &Episode) -> Result<Option<(usize, usize)>, DataError> {
    let (path, number) = (&episode.data, episode.index as i64);
    let Some(listed) = episode.rows else { return Ok(None) };
    let column = ["episode_index"];
    // A list that points beyond the file is no reason to give up yet either.
    let there = read_rows(path, Some(listed), Some(&column))
        .and_then(|batches| integers(path, &batches, "episode_index"));
    if there.is_ok_and(|numbers| {
        numbers.len() == episode.length && numbers.iter().all(|found| *found == number)
    }) {
        return Ok(Some(listed));
    }
    let all = integers(path, &read_rows(path, None, Some(&column))?, "episode_index")?;
    let first = all.iter().position(|found| *found == number);
    let count = all.iter().filter(|found| **found == number).count();
    match first {
        Some(first)
            if count == episode.length
                && all[first..first + count].iter().all(|found| *found == number) =>
        {
            Ok(Some((first, first + count)))
        }
        _ => Err(DataError::content(
            path,
            format!("{count} rows are of this episode, the list says {}", episode.length),
        )),
    }
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
