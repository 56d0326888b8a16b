//! Samples decoded in parallel, ahead of the step that consumes them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::lerobot::{Columns, DataError, Dataset, EpisodeTable, FrameImage};
use crate::mixture::{Drawn, Order, Pick, Position, Source};
use crate::window::Window;

/// One data set of a run, opened.
#[derive(Debug)]
pub struct OpenSource {
    /// Name in the run file and in `stats.json`.
    pub name: String,
    /// The data set.
    pub dataset: Dataset,
    /// What state, action and cameras are made of.
    pub columns: Columns,
    /// How many of the columns' cameras, from the first, are shown to the understanding expert.
    pub shown_cameras: usize,
    /// Camera whose frames are history and foresight; one of the columns' cameras.
    pub history_camera: Option<String>,
    /// Time windows.
    pub window: Window,
    /// Weight of each sample.
    pub weight: f64,
    /// Which frames become samples.
    pub pick: Pick,
    /// Frames at an episode's beginning that are history only.
    pub first_frame: usize,
    /// Episodes left out.
    pub skip_episodes: Vec<usize>,
    /// Cut instructions at this character (AgiBot: `|`).
    pub cut_task_at: Option<char>,
}

impl OpenSource {
    /// An instruction as the model gets it.
    #[must_use]
    pub fn task<'a>(&self, task: &'a str) -> &'a str {
        match self.cut_task_at {
            Some(mark) => task.split(mark).next().unwrap_or(task).trim(),
            None => task,
        }
    }

    /// This data set's part in a mixture.
    #[must_use]
    pub fn mixture_source(&self) -> Source {
        let mut samples = Vec::new();
        for episode in self.dataset.episodes() {
            if !self.skip_episodes.contains(&episode.index) {
                let frames = self.pick.frames_from(self.first_frame, episode.length);
                samples
                    .extend(frames.into_iter().map(|frame| (episode.index as u32, frame as u32)));
            }
        }
        Source { weight: self.weight, samples }
    }
}

/// One sample in the data set's own units, its images not yet decoded.
#[derive(Debug, Clone)]
pub struct RawSample {
    /// Where it comes from.
    pub drawn: Drawn,
    /// Each shown camera's image now, in the order of the columns.
    pub cameras: Vec<FrameImage>,
    /// History and foresight images, oldest first; empty without a history camera.
    pub history: Vec<FrameImage>,
    /// Their frame numbers in the episode.
    pub history_frames: Vec<usize>,
    /// State now.
    pub state: Vec<f32>,
    /// `[chunk][dimension]`.
    pub actions: Vec<Vec<f32>>,
    /// Which actions lie beyond the episode's end.
    pub padded: Vec<bool>,
    /// Instruction.
    pub task: String,
}

/// Opened data sets with a bounded memory of recently read episodes.
#[derive(Debug)]
pub struct Reader {
    sources: Vec<OpenSource>,
    cache: Mutex<Cache>,
}

#[derive(Debug)]
struct Cache {
    tables: HashMap<(usize, usize), (Arc<EpisodeTable>, u64)>,
    bytes: usize,
    limit: usize,
    clock: u64,
}

impl Reader {
    /// A reader that keeps up to `cache_bytes` of encoded episodes in memory.
    #[must_use]
    pub fn new(sources: Vec<OpenSource>, cache_bytes: usize) -> Self {
        let cache = Cache { tables: HashMap::new(), bytes: 0, limit: cache_bytes, clock: 0 };
        Self { sources, cache: Mutex::new(cache) }
    }

    /// The data sets.
    #[must_use]
    pub fn sources(&self) -> &[OpenSource] {
        &self.sources
    }

    /// An order over these data sets.
    ///
    /// # Errors
    /// When there is nothing to draw or the position belongs to other data sets.
    pub fn order(&self, seed: u64, position: Position) -> Result<Order, DataError> {
        Order::new(self.sources.iter().map(OpenSource::mixture_source).collect(), seed, position)
    }

    /// An episode, from memory or from disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn episode(&self, source: usize, episode: usize) -> Result<Arc<EpisodeTable>, DataError> {
        let key = (source, episode);
        {
            let mut cache = self.cache.lock();
            cache.clock += 1;
            let clock = cache.clock;
            if let Some((table, used)) = cache.tables.get_mut(&key) {
                *used = clock;
                return Ok(Arc::clone(table));
            }
        }
        let from = self
            .sources
            .get(source)
            .ok_or_else(|| DataError::Usage(format!("no data set {source}")))?;
        let table = Arc::new(from.dataset.read_episode(episode, &from.columns)?);
        self.cache.lock().insert(key, Arc::clone(&table));
        Ok(table)
    }

    /// The sample that was drawn.
    ///
    /// # Errors
    /// When its episode cannot be read.
    pub fn sample(&self, drawn: Drawn) -> Result<RawSample, DataError> {
        let table = self.episode(drawn.source, drawn.episode)?;
        let source = &self.sources[drawn.source];
        let length = table.len();
        let image = |camera: &str, frame: usize| table.images[camera][frame].clone();
        let cameras = source.columns.cameras[..source.shown_cameras]
            .iter()
            .map(|camera| image(camera, drawn.frame))
            .collect();
        let history_frames = source.window.frames(drawn.frame, length);
        let history = match &source.history_camera {
            Some(camera) => history_frames.iter().map(|frame| image(camera, *frame)).collect(),
            None => Vec::new(),
        };
        let state = table.state[drawn.frame].clone();
        let (actions, padded) = source.window.chunk(drawn.frame, &table.action, &state);
        // Known: the table was refused otherwise.
        let task = source.dataset.tasks().get(table.task_index[drawn.frame]).unwrap_or_default();
        let task = source.task(task);
        Ok(RawSample {
            drawn,
            cameras,
            history,
            history_frames,
            state,
            actions,
            padded,
            task: task.to_owned(),
        })
    }
}

impl Cache {
    fn insert(&mut self, key: (usize, usize), table: Arc<EpisodeTable>) {
        let bytes = table.bytes();
        while self.bytes + bytes > self.limit {
            let Some(oldest) =
                self.tables.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key)
            else {
                break;
            };
            if let Some((gone, _)) = self.tables.remove(&oldest) {
                self.bytes -= gone.bytes();
            }
        }
        self.clock += 1;
        let clock = self.clock;
        if let Some((replaced, _)) = self.tables.insert(key, (table, clock)) {
            self.bytes -= replaced.bytes();
        }
        self.bytes += bytes;
    }
}

/// One batch of prepared samples.
#[derive(Debug)]
pub struct Batch<T> {
    /// The samples, in drawn order.
    pub samples: Vec<T>,
    /// The order's position after this batch: what a checkpoint saves.
    pub position: Position,
    /// How long the caller waited for it.
    pub waited: Duration,
}

/// Which part of every batch a process prepares, when several train together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// This process, from 0.
    pub rank: usize,
    /// How many there are.
    pub world: usize,
}

impl Share {
    /// The only process.
    pub const WHOLE: Self = Self { rank: 0, world: 1 };
}

type Outcome<T, E> = Result<(Vec<T>, Position), E>;

/// Prepares batches on threads of its own, a few ahead, in the order drawn.
#[derive(Debug)]
pub struct Loader<T, E> {
    batches: Receiver<Outcome<T, E>>,
}

impl<T: Send + 'static, E: Send + 'static> Loader<T, E> {
    /// Starts loading: `prepare` turns a drawn sample into what the step needs, on `workers`
    /// threads, at most `ahead` finished batches waiting.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn start(
        order: Order,
        batch: usize,
        workers: usize,
        ahead: usize,
        prepare: impl Fn(Drawn) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, DataError> {
        Self::start_part(order, Share::WHOLE, batch, workers, ahead, prepare)
    }

    /// As [`Self::start`], for one of several processes: together they draw `batch` samples each,
    /// in turn, and this one prepares its own. Positions count the samples of all.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn start_part(
        order: Order,
        share: Share,
        batch: usize,
        workers: usize,
        ahead: usize,
        prepare: impl Fn(Drawn) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, DataError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .thread_name(|index| format!("loader-{index}"))
            .build()
            .map_err(|fault| DataError::Usage(format!("loader threads: {fault}")))?;
        let (sender, batches) = sync_channel(ahead.max(1));
        std::thread::Builder::new()
            .name("loader".into())
            .spawn(move || feed(order, share, batch, &pool, &prepare, &sender))
            .map_err(|fault| DataError::Usage(format!("loader thread: {fault}")))?;
        Ok(Self { batches })
    }

    /// The next batch, waiting for it if it is not ready.
    ///
    /// # Errors
    /// What `prepare` failed with; `None` when the loader has ended after such a failure.
    pub fn next_batch(&self) -> Option<Result<Batch<T>, E>> {
        let begun = Instant::now();
        let outcome = self.batches.recv().ok()?;
        Some(outcome.map(|(samples, position)| Batch {
            samples,
            position,
            waited: begun.elapsed(),
        }))
    }
}

fn feed<T: Send, E: Send>(
    mut order: Order,
    share: Share,
    batch: usize,
    pool: &rayon::ThreadPool,
    prepare: &(impl Fn(Drawn) -> Result<T, E> + Sync),
    sender: &SyncSender<Outcome<T, E>>,
) {
    loop {
        let mut drawn: Vec<Drawn> = (0..batch * share.world).map(|_| order.draw()).collect();
        drawn.drain(..batch * share.rank);
        drawn.truncate(batch);
        let samples: Result<Vec<T>, E> =
            pool.install(|| drawn.into_par_iter().map(prepare).collect());
        let failed = samples.is_err();
        let gone = sender.send(samples.map(|samples| (samples, order.position().clone()))).is_err();
        if failed || gone {
            return;
        }
    }
}
