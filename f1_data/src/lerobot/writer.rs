//! Writing data sets, layouts v2.1 and v3.0, with images inside the parquet files.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde_json::{Map, Value, json};

use super::info::{default_features, fill_template};
use super::stats_file::{ColumnStatistics, PixelSums, episode_statistics, fields, to_json};
use super::table::{Rows, schema, to_batch};
use super::{ACTION, DataError, FormatVersion, STATE};
use f1_robot::statistics::VectorStatistics;

/// A v3.0 file is closed once it is this large, in bytes: LeRobot's own default of 100 MB.
const FILE_BYTES: usize = 100 << 20;
const DATA_V2: &str = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet";
const DATA_V3: &str = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet";
const CHUNKS_SIZE: usize = 1000;

/// How a camera's images are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageEncoding {
    /// Lossless.
    Png,
    /// Lossy; quality 1..=100, 95 is a careful choice.
    Jpeg {
        /// 1..=100.
        quality: u8,
    },
}

/// One camera of a data set.
#[derive(Debug, Clone)]
pub struct CameraFeature {
    /// Column, `observation.images.front`.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// How images are stored.
    pub encoding: ImageEncoding,
}

/// What a data set holds.
#[derive(Debug, Clone)]
pub struct Features {
    /// Frames a second.
    pub fps: u32,
    /// Free text.
    pub robot_type: String,
    /// Cameras, in the order their images are given to [`Writer::add_frame`].
    pub cameras: Vec<CameraFeature>,
    /// Names of the state's dimensions.
    pub state: Vec<String>,
    /// Names of the action's dimensions.
    pub action: Vec<String>,
}

impl Features {
    fn camera_names(&self) -> Vec<String> {
        self.cameras.iter().map(|camera| camera.name.clone()).collect()
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        for camera in &self.cameras {
            let shape = [camera.height, camera.width, 3];
            let names = ["height", "width", "channels"];
            out.insert(
                camera.name.clone(),
                json!({"dtype": "image", "shape": shape, "names": names}),
            );
        }
        for (name, dimensions) in [(STATE, &self.state), (ACTION, &self.action)] {
            let shape = [dimensions.len()];
            out.insert(
                name.into(),
                json!({"dtype": "float32", "shape": shape, "names": dimensions}),
            );
        }
        out.extend(default_features().map(|(name, feature)| (name.to_owned(), feature)));
        out
    }
}

/// One finished episode, as the metadata files list it.
struct Finished {
    length: usize,
    first_index: usize,
    tasks: Vec<String>,
    statistics: ColumnStatistics,
    /// Number of the v3.0 data file.
    file: usize,
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
    rows: Rows,
    pixels: Vec<PixelSums>,
    episodes: Vec<Finished>,
    frames: usize,
    open_file: Option<ArrowWriter<File>>,
    open_file_number: usize,
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
        if features.state.is_empty() || features.action.is_empty() || features.fps == 0 {
            return Err(DataError::Usage("a data set needs a state, an action and a rate".into()));
        }
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
        let schema = schema(&features.camera_names(), features.state.len(), features.action.len());
        let mut writer = Self {
            root,
            version,
            schema,
            tasks: Vec::new(),
            rows: Rows::default(),
            pixels: Vec::new(),
            episodes: Vec::new(),
            frames: 0,
            open_file: None,
            open_file_number: 0,
            features,
        };
        writer.clear_episode();
        Ok(writer)
    }

    /// Adds one frame to the current episode: an image of each camera, state and action in the
    /// data set's own units, and the instruction.
    ///
    /// # Errors
    /// When an image or vector has another size than the features say, or cannot be encoded.
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
        let pairs: Vec<(&CameraFeature, &RgbImage)> =
            self.features.cameras.iter().zip(images).collect();
        let encoded: Vec<Vec<u8>> = pairs
            .par_iter()
            .map(|(camera, image)| encode(camera, image))
            .collect::<Result<_, _>>()?;
        // A tenth of the frames is enough for numbers that only people read.
        let sampled = self.rows.len().is_multiple_of(10);
        for (index, image) in encoded.into_iter().enumerate() {
            if sampled {
                self.pixels[index].add(&images[index]);
            }
            self.rows.images[index].push(image);
        }
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
        Ok(())
    }

    /// Number of frames in the episode that is being written.
    #[must_use]
    pub fn pending_frames(&self) -> usize {
        self.rows.len()
    }

    /// Forgets the frames of the current episode: a demonstration that failed.
    pub fn discard_episode(&mut self) {
        self.clear_episode();
    }

    fn clear_episode(&mut self) {
        let cameras = self.features.cameras.len();
        self.rows = Rows { images: vec![Vec::new(); cameras], ..Rows::default() };
        self.pixels = vec![PixelSums::new(); cameras];
    }

    /// Ends the episode and writes it.
    ///
    /// # Errors
    /// When it is empty or the disk refuses.
    pub fn finish_episode(&mut self) -> Result<(), DataError> {
        let length = self.rows.len();
        if length == 0 {
            return Err(DataError::Usage("an episode needs at least one frame".into()));
        }
        let episode = self.episodes.len();
        let fps = f64::from(self.features.fps);
        let cameras = self.features.camera_names();
        let batch = to_batch(&self.schema, &self.rows, episode, self.frames, fps)
            .map_err(|fault| DataError::content(&self.root, fault.to_string()))?;
        let statistics =
            episode_statistics(&cameras, &self.pixels, &self.rows, episode, self.frames, fps);
        let mut tasks: Vec<String> = Vec::new();
        for index in &self.rows.task_index {
            let task = &self.tasks[*index as usize];
            if !tasks.contains(task) {
                tasks.push(task.clone());
            }
        }
        let file = match self.version {
            FormatVersion::V3_0 => self.append_to_file(&batch)?,
            _ => {
                self.write_own_file(&batch, episode)?;
                0
            }
        };
        self.episodes.push(Finished { length, first_index: self.frames, tasks, statistics, file });
        self.frames += length;
        self.clear_episode();
        if self.version != FormatVersion::V3_0 {
            self.list_last_episode()?;
        }
        Ok(())
    }

    fn properties(&self) -> WriterProperties {
        let mut builder = WriterProperties::builder().set_compression(Compression::SNAPPY);
        for camera in &self.features.cameras {
            // Images are compressed already; a dictionary of them would only cost memory.
            let column = ColumnPath::from(vec![camera.name.clone(), "bytes".to_owned()]);
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

    fn write_own_file(&self, batch: &RecordBatch, episode: usize) -> Result<(), DataError> {
        let chunk = episode / CHUNKS_SIZE;
        let name =
            fill_template(DATA_V2, &[("episode_chunk", &chunk), ("episode_index", &episode)]);
        write_table(&self.root.join(name), batch, Some(self.properties()))
    }

    fn append_to_file(&mut self, batch: &RecordBatch) -> Result<usize, DataError> {
        let path = self.root.join(data_file(self.open_file_number));
        let mut writer = match self.open_file.take() {
            Some(writer) => writer,
            None => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(DataError::io(parent))?;
                }
                let file = File::create(&path).map_err(DataError::io(&path))?;
                ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(self.properties()))
                    .map_err(DataError::parquet(&path))?
            }
        };
        let number = self.open_file_number;
        writer.write(batch).map_err(DataError::parquet(&path))?;
        // A row group an episode: an episode is read without its neighbours.
        writer.flush().map_err(DataError::parquet(&path))?;
        if writer.bytes_written() >= FILE_BYTES {
            writer.close().map_err(DataError::parquet(&path))?;
            self.open_file_number += 1;
        } else {
            self.open_file = Some(writer);
        }
        Ok(number)
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
            "video_path": null,
            "features": self.features.to_json(),
        });
        if v3 {
            info["data_files_size_in_mb"] = json!(FILE_BYTES >> 20);
            info["video_files_size_in_mb"] = json!(200);
        } else {
            info["total_videos"] = json!(0);
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
        if self.rows.len() > 0 {
            let waiting = self.rows.len();
            return Err(DataError::Usage(format!(
                "{waiting} frames wait in an unfinished episode"
            )));
        }
        if self.episodes.is_empty() {
            return Err(DataError::Usage("a data set needs at least one episode".into()));
        }
        if self.version == FormatVersion::V3_0 {
            if let Some(writer) = self.open_file.take() {
                writer.close().map_err(DataError::parquet(
                    self.root.join(data_file(self.open_file_number)),
                ))?;
            }
            self.write_v3_metadata()?;
            self.write_info()?;
        }
        Ok(self.root)
    }

    fn write_v3_metadata(&self) -> Result<(), DataError> {
        let tasks =
            tasks_table(&self.tasks).map_err(|e| DataError::content(&self.root, e.to_string()))?;
        write_table(&self.root.join("meta/tasks.parquet"), &tasks, None)?;
        let cameras = self.features.camera_names();
        let episodes = episodes_table(&self.episodes, &cameras)
            .map_err(|e| DataError::content(&self.root, e.to_string()))?;
        write_table(&self.root.join("meta/episodes/chunk-000/file-000.parquet"), &episodes, None)?;
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

/// Tasks as pandas writes them: the instruction is the index of the frame, so the `pandas` entry
/// must say so.
fn tasks_table(tasks: &[String]) -> Result<RecordBatch, arrow_schema::ArrowError> {
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

fn episodes_table(
    episodes: &[Finished],
    cameras: &[String],
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

fn encode(camera: &CameraFeature, image: &RgbImage) -> Result<Vec<u8>, DataError> {
    if image.dimensions() != (camera.width, camera.height) {
        return Err(DataError::Usage(format!(
            "camera `{}` gave {}x{}, the data set has {}x{}",
            camera.name,
            image.width(),
            image.height(),
            camera.width,
            camera.height
        )));
    }
    let mut out = Vec::new();
    let outcome = match camera.encoding {
        ImageEncoding::Png => image.write_with_encoder(PngEncoder::new_with_quality(
            &mut out,
            CompressionType::Fast,
            FilterType::Adaptive,
        )),
        ImageEncoding::Jpeg { quality } => {
            image.write_with_encoder(JpegEncoder::new_with_quality(&mut out, quality))
        }
    };
    outcome.map_err(|source| DataError::Image { what: camera.name.clone(), source })?;
    Ok(out)
}

/// Writes a table beside its place and moves it there: a reader never sees half a file.
fn write_table(
    path: &Path,
    batch: &RecordBatch,
    properties: Option<WriterProperties>,
) -> Result<(), DataError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(DataError::io(parent))?;
    }
    let partial = path.with_extension("partial");
    let file = File::create(&partial).map_err(DataError::io(&partial))?;
    let properties = properties.or_else(|| {
        let metadata = batch
            .schema()
            .metadata()
            .iter()
            .map(|(k, v)| KeyValue::new(k.clone(), v.clone()))
            .collect();
        let builder = WriterProperties::builder().set_compression(Compression::SNAPPY);
        Some(builder.set_key_value_metadata(Some(metadata)).build())
    });
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), properties).map_err(DataError::parquet(path))?;
    writer.write(batch).map_err(DataError::parquet(path))?;
    writer.close().map_err(DataError::parquet(path))?;
    fs::rename(&partial, path).map_err(DataError::io(path))
}

fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).map_err(DataError::io(&partial))?;
    fs::rename(&partial, path).map_err(DataError::io(path))
}

fn append_line(path: &Path, value: &Value) -> Result<(), DataError> {
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).map_err(DataError::io(path))?;
    file.write_all(format!("{value}\n").as_bytes()).map_err(DataError::io(path))
}
