//! Writing data sets, layouts v2.1 and v3.0, with images inside the parquet files or in videos.

mod features;
mod files;
mod tables;
mod video;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::Schema;
use image::RgbImage;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde_json::json;

use super::info::fill_template;
use super::rows::{Rows, schema, to_batch};
use super::stats_file::{ColumnStatistics, PixelSums, Vectors, episode_statistics, to_json};
use super::{DataError, FormatVersion};
use f1_robot::statistics::VectorStatistics;

pub use features::{CameraFeature, Features, ImageEncoding};
use files::{append_line, write_atomically, write_table};
use video::{VideoPlace, VideoTrack};

/// A v3.0 file is closed once it is this large, in bytes: LeRobot's own default of 100 MB.
const FILE_BYTES: usize = 100 << 20;
/// Encoded images that wait for a table, and a table that waits for the disk, bytes: what is held
/// in memory does not grow with the episode.
const WAITING_BYTES: usize = 16 << 20;
const DATA_V2: &str = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet";
const DATA_V3: &str = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet";
const CHUNKS_SIZE: usize = 1000;

/// One finished episode, as the metadata files list it.
struct Finished {
    length: usize,
    first_index: usize,
    tasks: Vec<String>,
    statistics: ColumnStatistics,
    /// Number of the v3.0 data file.
    file: usize,
    /// Where its videos are, one for each camera that has them.
    videos: Vec<VideoPlace>,
}

/// A parquet file that is being written.
struct OpenFile {
    writer: ArrowWriter<File>,
    /// Where it is written.
    path: PathBuf,
}

/// Writes one data set, frame by frame.
///
/// In layout v2.1 every finished episode is on disk and listed; in v3.0 the metadata comes with
/// [`Writer::finish`].
pub struct Writer {
    root: PathBuf,
    features: Features,
    version: FormatVersion,
    schema: Arc<Schema>,
    tasks: Vec<String>,
    /// The episode's frames that are in no file yet.
    rows: Rows,
    waiting_bytes: usize,
    /// The episode's vectors so far.
    vectors: Vectors,
    pixels: Vec<PixelSums>,
    videos: Vec<VideoTrack>,
    episodes: Vec<Finished>,
    frames: usize,
    open_file: Option<OpenFile>,
    /// Number of the v3.0 data file.
    file_number: usize,
    flagged: bool,
}

impl Writer {
    /// Starts a data set in `root`, which must not hold one yet.
    ///
    /// # Errors
    /// When the folder cannot be made, already holds a data set, or the features cannot be written.
    pub fn create(
        root: impl AsRef<Path>,
        features: Features,
        version: FormatVersion,
    ) -> Result<Self, DataError> {
        let root = root.as_ref().to_path_buf();
        if version == FormatVersion::V2_0 {
            return Err(DataError::Usage("layout v2.0 is only read; write v2.1 or v3.0".into()));
        }
        features.check()?;
        if root.join("meta/info.json").exists() {
            return Err(DataError::content(
                &root,
                "already holds a data set; choose another folder",
            ));
        }
        for folder in ["meta", "data"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(DataError::io(&path))?;
        }
        let dimensions = (features.state.len(), features.action.len());
        let schema = schema(&features.stored_names(), dimensions, features.flag.as_ref());
        let videos = features
            .videos()
            .map(|camera| VideoTrack::new(camera, features.fps, version))
            .collect();
        let mut writer = Self {
            root,
            version,
            schema,
            tasks: Vec::new(),
            rows: Rows::default(),
            waiting_bytes: 0,
            vectors: Vectors::default(),
            pixels: Vec::new(),
            videos,
            episodes: Vec::new(),
            frames: 0,
            open_file: None,
            file_number: 0,
            flagged: false,
            features,
        };
        writer.begin_episode();
        Ok(writer)
    }

    fn begin_episode(&mut self) {
        self.clear_rows();
        self.vectors = Vectors::default();
        self.pixels = vec![PixelSums::new(); self.features.cameras.len()];
    }

    fn clear_rows(&mut self) {
        let cameras = self.features.stored_names().len();
        self.rows = Rows { images: vec![Vec::new(); cameras], ..Rows::default() };
        self.waiting_bytes = 0;
    }

    /// The value of the features' column of booleans for the frames from here on.
    pub fn flag(&mut self, flagged: bool) {
        self.flagged = flagged;
    }

    /// Adds one frame to the current episode: an image of each camera, state and action in the
    /// data set's own units, and the instruction.
    ///
    /// # Errors
    /// When an image or vector has another size than the features say, or cannot be encoded or
    /// written.
    pub fn add_frame(
        &mut self,
        images: &[RgbImage],
        state: &[f32],
        action: &[f32],
        task: &str,
    ) -> Result<(), DataError> {
        let wants =
            (self.features.cameras.len(), self.features.state.len(), self.features.action.len());
        if (images.len(), state.len(), action.len()) != wants {
            return Err(DataError::Usage(format!(
                "frame has (cameras, state, action) = {:?}, the data set {wants:?}",
                (images.len(), state.len(), action.len())
            )));
        }
        if let Some(bad) = state.iter().chain(action).find(|value| !value.is_finite()) {
            return Err(DataError::Usage(format!("state or action holds {bad}")));
        }
        self.add_images(images)?;
        self.rows.state.push(state.to_vec());
        self.rows.action.push(action.to_vec());
        let task_index = match self.tasks.iter().position(|known| known == task) {
            Some(index) => index,
            None => {
                self.tasks.push(task.to_owned());
                self.tasks.len() - 1
            }
        };
        self.rows.task_index.push(task_index as i64);
        self.vectors.push(state, action, task_index as i64);
        if self.features.flag.is_some() {
            self.rows.flag.push(self.flagged);
            self.vectors.flag.push(self.flagged);
        }
        if self.waiting_bytes >= WAITING_BYTES { self.write_rows() } else { Ok(()) }
    }

    fn add_images(&mut self, images: &[RgbImage]) -> Result<(), DataError> {
        let pairs: Vec<(&CameraFeature, &RgbImage)> =
            self.features.cameras.iter().zip(images).collect();
        for (camera, image) in &pairs {
            features::check_size(camera, image)?;
        }
        let encoded: Vec<Vec<u8>> = pairs
            .par_iter()
            .map(|(camera, image)| features::encode(camera, image))
            .collect::<Result<_, _>>()?;
        // A tenth of the frames is enough for numbers that only people read.
        if self.vectors.len().is_multiple_of(10) {
            for (sums, image) in self.pixels.iter_mut().zip(images) {
                sums.add(image);
            }
        }
        let (mut stored, mut videos) = (0, 0);
        for ((camera, bytes), image) in self.features.cameras.iter().zip(encoded).zip(images) {
            if camera.encoding == ImageEncoding::Video {
                self.videos[videos].add(&self.root, self.episodes.len(), image)?;
                videos += 1;
            } else {
                self.waiting_bytes += bytes.len();
                self.rows.images[stored].push(bytes);
                stored += 1;
            }
        }
        Ok(())
    }

    /// Ends the episode and writes it.
    ///
    /// # Errors
    /// When it is empty or the disk refuses.
    pub fn finish_episode(&mut self) -> Result<(), DataError> {
        let length = self.vectors.len();
        if length == 0 {
            return Err(DataError::Usage("an episode needs at least one frame".into()));
        }
        let episode = self.episodes.len();
        let fps = f64::from(self.features.fps);
        let cameras = self.features.camera_names();
        let statistics = episode_statistics(
            &cameras,
            &self.pixels,
            &self.vectors,
            (episode, self.frames),
            fps,
            self.features.flag.as_ref(),
        );
        let mut tasks: Vec<String> = Vec::new();
        for index in &self.vectors.task_index {
            let task = &self.tasks[*index as usize];
            if !tasks.contains(task) {
                tasks.push(task.clone());
            }
        }
        self.write_rows()?;
        let file = self.file_number;
        self.close_file_of_episode()?;
        let mut videos = Vec::with_capacity(self.videos.len());
        for track in &mut self.videos {
            videos.push(track.finish_episode()?);
        }
        let first_index = self.frames;
        self.episodes.push(Finished { length, first_index, tasks, statistics, file, videos });
        self.frames += length;
        self.begin_episode();
        if self.version != FormatVersion::V3_0 {
            self.list_last_episode()?;
        }
        Ok(())
    }

    /// Moves the waiting rows into the open file.
    fn write_rows(&mut self) -> Result<(), DataError> {
        if self.rows.len() == 0 {
            return Ok(());
        }
        let done = self.vectors.len() - self.rows.len();
        let fps = f64::from(self.features.fps);
        let batch =
            to_batch(&self.schema, &self.rows, self.episodes.len(), (self.frames, done), fps)
                .map_err(|fault| DataError::content(&self.root, fault.to_string()))?;
        self.clear_rows();
        let mut file = match self.open_file.take() {
            Some(file) => file,
            None => self.create_file()?,
        };
        file.writer.write(&batch).map_err(DataError::parquet(&file.path))?;
        if file.writer.in_progress_size() >= WAITING_BYTES {
            file.writer.flush().map_err(DataError::parquet(&file.path))?;
        }
        self.open_file = Some(file);
        Ok(())
    }

    fn create_file(&self) -> Result<OpenFile, DataError> {
        let path = match self.version {
            FormatVersion::V3_0 => self.root.join(data_file(self.file_number)),
            // Beside its place: a reader never sees half an episode.
            _ => self.file_of_episode().with_extension("partial"),
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(DataError::io(parent))?;
        }
        let file = File::create(&path).map_err(DataError::io(&path))?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(self.properties()))
            .map_err(DataError::parquet(&path))?;
        Ok(OpenFile { writer, path })
    }

    /// v2.1: the file of the current episode.
    fn file_of_episode(&self) -> PathBuf {
        let episode = self.episodes.len();
        let chunk = episode / CHUNKS_SIZE;
        self.root
            .join(fill_template(DATA_V2, &[("episode_chunk", &chunk), ("episode_index", &episode)]))
    }

    /// Ends a row group with the episode, so that an episode is read without its neighbours, and
    /// the file where it is the episode's own or large enough.
    fn close_file_of_episode(&mut self) -> Result<(), DataError> {
        let Some(mut file) = self.open_file.take() else { return Ok(()) };
        if self.version != FormatVersion::V3_0 {
            file.writer.close().map_err(DataError::parquet(&file.path))?;
            let place = self.file_of_episode();
            return fs::rename(&file.path, &place).map_err(DataError::io(&place));
        }
        file.writer.flush().map_err(DataError::parquet(&file.path))?;
        if file.writer.bytes_written() >= FILE_BYTES {
            file.writer.close().map_err(DataError::parquet(&file.path))?;
            self.file_number += 1;
        } else {
            self.open_file = Some(file);
        }
        Ok(())
    }

    fn properties(&self) -> WriterProperties {
        let mut builder = WriterProperties::builder().set_compression(Compression::SNAPPY);
        for camera in self.features.stored_names() {
            // Images are compressed already; a dictionary of them would only cost memory.
            let column = ColumnPath::from(vec![camera, "bytes".to_owned()]);
            builder = builder
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_statistics_enabled(column.clone(), EnabledStatistics::None)
                .set_column_compression(column, Compression::UNCOMPRESSED);
        }
        // Both in the arrow schema and as a plain key: readers differ in where they look.
        let metadata = self
            .schema
            .metadata()
            .iter()
            .map(|(k, v)| KeyValue::new(k.clone(), v.clone()))
            .collect();
        builder.set_key_value_metadata(Some(metadata)).build()
    }

    /// v2.1: adds the newest episode to the lists and renews `info.json`.
    fn list_last_episode(&self) -> Result<(), DataError> {
        let Some(last) = self.episodes.last() else { return Ok(()) };
        let number = self.episodes.len() - 1;
        let statistics = to_json(&last.statistics, &self.features.camera_names());
        append_line(
            &self.root.join("meta/episodes_stats.jsonl"),
            &json!({"episode_index": number, "stats": statistics}),
        )?;
        let entry = json!({"episode_index": number, "tasks": last.tasks, "length": last.length});
        append_line(&self.root.join("meta/episodes.jsonl"), &entry)?;
        let tasks: String = (self.tasks.iter().enumerate())
            .map(|(index, task)| format!("{}\n", json!({"task_index": index, "task": task})))
            .collect();
        write_atomically(&self.root.join("meta/tasks.jsonl"), tasks.as_bytes())?;
        self.write_info()
    }

    fn write_info(&self) -> Result<(), DataError> {
        let episodes = self.episodes.len();
        let v3 = self.version == FormatVersion::V3_0;
        let videos = !self.videos.is_empty();
        let mut info = json!({
            "codebase_version": self.version.as_str(),
            "robot_type": self.features.robot_type,
            "total_episodes": episodes,
            "total_frames": self.frames,
            "total_tasks": self.tasks.len(),
            "chunks_size": CHUNKS_SIZE,
            "fps": self.features.fps,
            "splits": {"train": format!("0:{episodes}")},
            "data_path": if v3 { DATA_V3 } else { DATA_V2 },
            "video_path": videos.then(|| video::template(self.version)),
            "features": self.features.to_json(),
        });
        if v3 {
            info["data_files_size_in_mb"] = json!(FILE_BYTES >> 20);
            info["video_files_size_in_mb"] = json!(video::FILE_BYTES >> 20);
        } else {
            info["total_videos"] = json!(self.videos.len() * episodes);
            info["total_chunks"] = json!(episodes.div_ceil(CHUNKS_SIZE));
        }
        let path = self.root.join("meta/info.json");
        let text = serde_json::to_string_pretty(&info).map_err(DataError::json(&path))?;
        write_atomically(&path, text.as_bytes())
    }

    /// Closes the data set; frames of an unfinished episode are an error, never silently lost.
    ///
    /// # Errors
    /// When frames wait in an unfinished episode, no episode was written, or the disk refuses.
    pub fn finish(mut self) -> Result<PathBuf, DataError> {
        if self.vectors.len() > 0 {
            let waiting = self.vectors.len();
            return Err(DataError::Usage(format!(
                "{waiting} frames wait in an unfinished episode"
            )));
        }
        if self.episodes.is_empty() {
            return Err(DataError::Usage("a data set needs at least one episode".into()));
        }
        for track in &mut self.videos {
            track.finish()?;
        }
        if self.version == FormatVersion::V3_0 {
            if let Some(file) = self.open_file.take() {
                file.writer.close().map_err(DataError::parquet(&file.path))?;
            }
            self.write_v3_metadata()?;
            self.write_info()?;
        }
        Ok(self.root)
    }

    fn write_v3_metadata(&self) -> Result<(), DataError> {
        let fault =
            |fault: arrow_schema::ArrowError| DataError::content(&self.root, fault.to_string());
        let tasks = tables::tasks_table(&self.tasks).map_err(fault)?;
        write_table(&self.root.join("meta/tasks.parquet"), &tasks)?;
        let cameras = self.features.camera_names();
        let videos: Vec<String> =
            self.features.videos().map(|camera| camera.name.clone()).collect();
        let episodes = tables::episodes_table(&self.episodes, &cameras, &videos).map_err(fault)?;
        write_table(&self.root.join("meta/episodes/chunk-000/file-000.parquet"), &episodes)?;
        let columns = self.episodes.first().map_or(0, |episode| episode.statistics.len());
        let whole: ColumnStatistics = (0..columns)
            .map(|column| {
                let parts: Vec<VectorStatistics> =
                    self.episodes.iter().map(|e| e.statistics[column].1.clone()).collect();
                (
                    self.episodes[0].statistics[column].0.clone(),
                    crate::statistics::aggregate(&parts),
                )
            })
            .collect();
        let path = self.root.join("meta/stats.json");
        let text = serde_json::to_string_pretty(&to_json(&whole, &cameras))
            .map_err(DataError::json(&path))?;
        write_atomically(&path, text.as_bytes())
    }
}

fn data_file(number: usize) -> PathBuf {
    let (chunk, file) = (number / CHUNKS_SIZE, number % CHUNKS_SIZE);
    fill_template(DATA_V3, &[("chunk_index", &chunk), ("file_index", &file)])
}
