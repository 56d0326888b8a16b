//! The node `foresight`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_image::{mean_absolute_error, psnr};
use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::f1_msgs::msg::ForesightError;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image};
use f1_interfaces::std_msgs::msg::Header;
use f1_middleware::{Node, Publisher, Urgency, Worker};
use f1_model::sampling::TokenSource;
use f1_model::{CameraInput, HistoryFrame, PolicyInput, Prefix};
use image::RgbImage;
use parking_lot::Mutex;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::comparison::{comparison, token_agreement};
use super::settings::ForesightSettings;
use crate::condition::{Condition, Source};
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::names::FORESIGHT as NAME;
use crate::observation::{CameraFrame, Foreseen, Observation};
use crate::resources::Resources;
use crate::seed::seed_from_stamp;
use crate::stages::stage;
use crate::topics;

/// An image that was foreseen and waits for its moment.
struct Expectation {
    observation: Arc<Observation>,
    prefix: Prefix,
    image: RgbImage,
    foreseen_ns: i64,
    sequence: u64,
}

/// Publishers of one configuration.
struct Publishers {
    image: Publisher<Image>,
    compressed: Publisher<CompressedImage>,
    comparison: Publisher<Image>,
    error: Publisher<ForesightError>,
}

/// A foreseen image with its messages.
struct Imagined {
    foreseen: Foreseen,
    image: RgbImage,
    raw: Option<Image>,
    compressed: Option<CompressedImage>,
}

/// Expectations whose moment an observation shows.
struct Arrived {
    due: Vec<Expectation>,
    observation: Arc<Observation>,
}

/// Outcome of one comparison.
struct Compared {
    error: ForesightError,
    sheet: Image,
}

struct Shared {
    core: Arc<Core>,
    resources: Arc<Resources>,
    settings: Mutex<ForesightSettings>,
    active: AtomicBool,
    publishers: Publishers,
    waiting: Mutex<VecDeque<Expectation>>,
    /// One stride of the data set, ns: how far ahead the image lies.
    stride_ns: i64,
}

/// The node `foresight`: runs the understanding and generation experts, shows what they foresee.
pub struct Foresight {
    node: Node,
    core: Arc<Core>,
    configured: Mutex<Option<Configured>>,
}

struct Configured {
    shared: Arc<Shared>,
    perceive: Arc<Worker<Arc<Observation>>>,
}

impl Foresight {
    /// Declares the parameters.
    ///
    /// # Errors
    /// Parameters that the middleware refuses.
    pub fn new(node: Node, core: Arc<Core>) -> NodeResult<Self> {
        ForesightSettings::declare(node.parameters())?;
        Ok(Self { node, core, configured: Mutex::new(None) })
    }

    /// The ROS node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Loads the resources, starts the workers, opens the topics.
    ///
    /// # Errors
    /// Resources that cannot be loaded; topics that the middleware refuses.
    pub fn configure(&self) -> NodeResult<()> {
        let resources = self.core.acquire(NAME)?;
        let node = &self.node;
        let settings = ForesightSettings::read(node.parameters())?;
        let publishers = Publishers {
            image: topics::FORESIGHT_IMAGE.publisher(node)?,
            compressed: topics::FORESIGHT_COMPRESSED.publisher(node)?,
            comparison: topics::FORESIGHT_COMPARISON.publisher(node)?,
            error: topics::FORESIGHT_ERROR.publisher(node)?,
        };
        let stride = resources.stride();
        let latency = Duration::from_secs_f64(settings.virtual_latency);
        let shared = Arc::new(Shared {
            core: self.core.clone(),
            resources,
            settings: Mutex::new(settings),
            active: AtomicBool::new(false),
            publishers,
            waiting: Mutex::new(VecDeque::new()),
            stride_ns: (stride * 1e9).round() as i64,
        });
        let parameters = node.parameters().clone();
        let weak = Arc::downgrade(&shared);
        node.parameters().on_change(move |_| {
            if let (Some(shared), Ok(settings)) =
                (weak.upgrade(), ForesightSettings::read(&parameters))
            {
                *shared.settings.lock() = settings;
            }
        });
        let compare = {
            let (work, done) = (shared.clone(), shared.clone());
            Worker::spawn(
                node,
                "compare",
                Urgency::Display,
                Duration::ZERO,
                move |arrived: Arrived| work.compare(&arrived),
                move |compared: Vec<Compared>| done.compared(compared),
            )?
        };
        let imagine = {
            let (work, done) = (shared.clone(), shared.clone());
            Worker::spawn(
                node,
                "imagine",
                Urgency::Display,
                Duration::ZERO,
                move |foreseen: Foreseen| work.imagine(foreseen),
                move |outcome: Result<Imagined, String>| done.imagined(outcome),
            )?
        };
        let perceive = {
            let (work, done) = (shared.clone(), shared.clone());
            Worker::spawn(
                node,
                "perceive",
                Urgency::Motion,
                latency,
                move |observation: Arc<Observation>| work.perceive(&observation),
                move |outcome: Result<Foreseen, String>| done.perceived(outcome, &imagine),
            )?
        };
        let perceive = Arc::new(perceive);
        let (weak, parameters) = (Arc::downgrade(&perceive), node.parameters().clone());
        node.parameters().on_change(move |_| {
            if let (Some(perceive), Ok(settings)) =
                (weak.upgrade(), ForesightSettings::read(&parameters))
            {
                perceive.set_virtual_latency(Duration::from_secs_f64(settings.virtual_latency));
            }
        });
        let (receiving, submit, clock) = (shared.clone(), perceive.clone(), node.clock());
        self.core.observations.handle(move |observation| {
            receiving.offered(&observation, &submit, clock.steady(), clock.now().nanoseconds());
            // Off the path to motion, after inference was given its work.
            if let Some(due) = receiving.due(&observation) {
                compare.submit(Arrived { due, observation });
            }
        });
        *self.configured.lock() = Some(Configured { shared, perceive });
        Ok(())
    }

    /// From now on observations become foresight.
    ///
    /// # Errors
    /// A node that is not configured.
    pub fn activate(&self) -> NodeResult<()> {
        let guard = self.configured.lock();
        let configured = guard.as_ref().ok_or(NodeError::NotConfigured(NAME))?;
        configured.shared.waiting.lock().clear();
        configured.shared.active.store(true, Ordering::SeqCst);
        {
            // Inference that was cut off by a cleanup never came back.
            let mut pacer = self.core.pacer.lock();
            pacer.restart();
            if !configured.perceive.is_busy() {
                pacer.failed();
            }
        }
        self.core.status.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Foresight stops.
    pub fn deactivate(&self) {
        if let Some(configured) = &*self.configured.lock() {
            configured.shared.active.store(false, Ordering::SeqCst);
        }
        let mut status = self.core.status.lock();
        status.active.insert(NAME, false);
        status.clear(&Source::Foresight);
        status.clear(&Source::ForesightImage);
    }

    /// Drops workers, topics and resources.
    pub fn cleanup(&self) {
        self.deactivate();
        self.core.observations.close();
        *self.configured.lock() = None;
        self.core.release(NAME);
    }
}

impl Shared {
    /// An observation came: it is taken when it is time to infer.
    fn offered(
        &self,
        observation: &Arc<Observation>,
        worker: &Worker<Arc<Observation>>,
        now: Duration,
        now_ns: i64,
    ) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        {
            let mut pacer = self.core.pacer.lock();
            if !pacer.due(now_ns, observation.instruction.epoch) {
                return;
            }
            pacer.began(now);
        }
        if worker.submit(observation.clone()) {
            self.core.status.lock().overtaken += 1;
        }
    }

    /// Runs on the worker.
    fn perceive(&self, observation: &Arc<Observation>) -> Result<Foreseen, String> {
        let (policy, threads) = (&self.resources.policy, &self.resources.threads);
        let (cameras, resize) = stage!("resize", || {
            let und = self.resources.understanding_cameras();
            threads.infer(|| {
                let prepared = und.into_par_iter().map(|camera| {
                    match observation.cameras.get(camera).and_then(Option::as_ref) {
                        Some(frame) => policy.prepare_camera(&frame.image).map(Some),
                        None => Ok(None),
                    }
                });
                prepared.collect::<Result<Vec<Option<CameraInput>>, _>>()
            })
        });
        let cameras = cameras.map_err(|error| error.to_string())?;
        let history: Vec<HistoryFrame> =
            observation.history.iter().map(|(_, frame)| frame.clone()).collect();
        let input =
            PolicyInput { cameras, prompt: observation.instruction.prompt.clone(), history };
        let seed = seed_from_stamp(observation.stamp_ns);
        // The two halves of `F1Policy::perceive`, so that each has its time.
        let (embedded, image_encoder) =
            stage!("image_encoder", || threads.infer(|| policy.embed(&input)));
        let embedded = embedded.map_err(|error| error.to_string())?;
        let run = &policy.config().run;
        let mut source = TokenSource::new(run.top_k, run.top_p, seed);
        let (prefix, foresight) = stage!("foresight", || threads
            .infer(|| policy.perceive_embedded(&embedded, &input.history, &mut source)));
        let prefix = prefix.map_err(|error| error.to_string())?;
        let times =
            crate::stages::StageTimes { resize, image_encoder, foresight, ..observation.times };
        Ok(Foreseen { observation: observation.clone(), prefix, seed, times })
    }

    fn perceived(&self, outcome: Result<Foreseen, String>, imagine: &Worker<Foreseen>) {
        match outcome {
            Ok(foreseen) if self.active.load(Ordering::SeqCst) => {
                self.core.status.lock().clear(&Source::Foresight);
                let shown = self.resources.foresees().then(|| foreseen.clone());
                // The chunk first, the image after it.
                if !self.core.prefixes.send(foreseen) {
                    self.core.pacer.lock().failed();
                }
                if let Some(shown) = shown {
                    imagine.submit(shown);
                }
            }
            Ok(_) => self.core.pacer.lock().failed(),
            Err(reason) => {
                self.core.pacer.lock().failed();
                self.core.status.lock().raise(Condition::ForesightFailed(reason));
            }
        }
    }

    /// Runs on the second worker, off the path to motion.
    fn imagine(&self, foreseen: Foreseen) -> Result<Imagined, String> {
        let (policy, threads) = (&self.resources.policy, &self.resources.threads);
        let (image, _) = stage!("imagine", || threads.show(|| policy.imagine(&foreseen.prefix)));
        let image = image.map_err(|error| error.to_string())?;
        let settings = self.settings.lock().clone();
        let observation = &foreseen.observation;
        let header = self.header(observation, observation.stamp_ns + self.stride_ns);
        let raw = settings.publish_raw.then(|| f1_image::encode(&image, header.clone()));
        let compressed = settings.publish_compressed.then(|| f1_image::encode_png(&image, header));
        let compressed = compressed.transpose().map_err(|error| error.to_string())?;
        Ok(Imagined { foreseen, image, raw, compressed })
    }

    fn imagined(&self, outcome: Result<Imagined, String>) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let failed = outcome.as_ref().err().cloned().map(Condition::ForesightImage);
        self.core.status.lock().set(&Source::ForesightImage, failed);
        let Ok(Imagined { foreseen, image, raw, compressed }) = outcome else { return };
        if let Some(message) = raw {
            self.publish(topics::FORESIGHT_IMAGE.name, self.publishers.image.publish(message));
        }
        if let Some(message) = compressed {
            self.publish(
                topics::FORESIGHT_COMPRESSED.name,
                self.publishers.compressed.publish(message),
            );
        }
        if self.settings.lock().compare {
            let (observation, prefix) = (foreseen.observation, foreseen.prefix);
            let foreseen_ns = observation.stamp_ns + self.stride_ns;
            let sequence = self.core.status.lock().chunks;
            let mut waiting = self.waiting.lock();
            waiting.push_back(Expectation { observation, prefix, image, foreseen_ns, sequence });
            // Moments that never come (a camera stopped) must not accumulate.
            while waiting.len() > 32 {
                waiting.pop_front();
            }
        }
    }

    fn publish(&self, topic: &str, outcome: f1_middleware::Result<()>) {
        if let Err(error) = outcome {
            tracing::warn!(%error, topic, "not published");
        }
    }

    fn header(&self, observation: &Observation, stamp_ns: i64) -> Header {
        let frame_id = self
            .resources
            .history_camera()
            .and_then(|camera| observation.cameras.get(camera))
            .and_then(Option::as_ref)
            .map_or_else(String::new, |frame| frame.frame_id.to_string());
        Header { stamp: WireTime::saturating_from_nanoseconds(stamp_ns), frame_id }
    }

    /// The history camera's frame in an observation.
    fn seen<'a>(&self, observation: &'a Observation) -> Option<&'a CameraFrame> {
        observation.cameras.get(self.resources.history_camera()?)?.as_ref()
    }

    /// The expectations whose moment this observation shows; `None` when there is none.
    fn due(&self, observation: &Observation) -> Option<Vec<Expectation>> {
        let came_ns = self.seen(observation)?.stamp_ns;
        let slop_ns = self.settings.lock().compare_slop_ns;
        let mut waiting = self.waiting.lock();
        let mut due = Vec::new();
        while waiting.front().is_some_and(|next| next.foreseen_ns <= came_ns) {
            due.extend(waiting.pop_front().filter(|next| came_ns - next.foreseen_ns <= slop_ns));
        }
        (!due.is_empty()).then_some(due)
    }

    /// Runs on the third worker: the foreseen image against the true one.
    fn compare(&self, arrived: &Arrived) -> Vec<Compared> {
        let Some(came) = self.seen(&arrived.observation) else { return Vec::new() };
        let due = arrived.due.iter();
        due.filter_map(|expected| self.compare_one(expected, &arrived.observation, came)).collect()
    }

    fn compare_one(
        &self,
        expected: &Expectation,
        observation: &Observation,
        came: &CameraFrame,
    ) -> Option<Compared> {
        let camera = self.resources.history_camera()?;
        let before = self.seen(&expected.observation)?;
        // As the network sees it: the same crop and size as the foreseen image.
        let now = self.resources.history_view(&before.image).ok()?;
        let seen = self.resources.history_view(&came.image).ok()?;
        let (error, still) = (psnr(&expected.image, &seen)?, psnr(&now, &seen)?);
        let agreement = self.finest_agreement(expected, observation).unwrap_or(f64::NAN);
        let header = self.header(observation, came.stamp_ns);
        let sheet = comparison(&now, &expected.image, &seen, error);
        let message = ForesightError {
            header: header.clone(),
            camera: self.resources.robot.file().cameras[camera].name.clone(),
            observation_stamp: WireTime::saturating_from_nanoseconds(expected.observation.stamp_ns),
            foreseen_stamp: WireTime::saturating_from_nanoseconds(expected.foreseen_ns),
            sequence: expected.sequence,
            epoch: expected.observation.instruction.epoch,
            psnr: error,
            mean_absolute_error: mean_absolute_error(&expected.image, &seen),
            token_agreement: agreement,
            confidence: f64::from(mean(expected.prefix.token_confidence())),
            psnr_if_still: still,
        };
        Some(Compared { error: message, sheet: f1_image::encode(&sheet, header) })
    }

    fn compared(&self, compared: Vec<Compared>) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let replan_psnr = self.settings.lock().replan_psnr;
        for Compared { error, sheet } in compared {
            self.core.status.lock().foresight = Some((error.psnr, error.token_agreement));
            // A chunk of an epoch that has ended is not replaced a second time.
            if replan_psnr > 0.0 && error.psnr < replan_psnr && error.epoch == self.core.epoch() {
                self.core.pacer.lock().demand();
            }
            self.publish(topics::FORESIGHT_ERROR.name, self.publishers.error.publish(error));
            self.publish(
                topics::FORESIGHT_COMPARISON.name,
                self.publishers.comparison.publish(sheet),
            );
        }
    }

    /// Share of equal tokens in the finest scale that was generated.
    fn finest_agreement(&self, expected: &Expectation, observation: &Observation) -> Option<f64> {
        let (finest, coarser) = expected.prefix.tokens().split_last()?;
        let from: usize = coarser.iter().map(Vec::len).sum();
        let (_, came) = observation.history.last()?;
        token_agreement(finest, came.tokens().get(from..from + finest.len())?)
    }
}

fn mean(values: &[f32]) -> f32 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f32>() / values.len() as f32 }
}
