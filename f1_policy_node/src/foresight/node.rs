//! The node `foresight`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::f1_msgs::msg::ForesightError;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image};
use f1_interfaces::std_msgs::msg::Header;
use f1_middleware::{Node, Publisher, Qos, Worker};
use f1_model::{CameraInput, HistoryFrame, PolicyInput, Prefix};
use image::RgbImage;
use parking_lot::Mutex;

use super::comparison::{comparison, mean_absolute_error, psnr, token_agreement};
use super::settings::ForesightSettings;
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::observation::{Foreseen, Observation};
use crate::resources::Resources;
use crate::seed::seed_from_stamp;
use crate::stages::timed;

/// Name of the node, and of its entries on the board.
pub const NAME: &str = "foresight";

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
    _perceive: Arc<Worker<Arc<Observation>>>,
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
        let one = Qos::reliable().keep_last(1);
        // Best effort where a lost packet of a large sample would stall the writer, reliable elsewhere.
        let image_qos = if node.context().backend() == "dds" { one.best_effort() } else { one };
        let publishers = Publishers {
            image: node.create_publisher("foresight/image", image_qos)?,
            compressed: node.create_publisher("foresight/image/compressed", one)?,
            comparison: node.create_publisher("foresight/comparison", one)?,
            error: node.create_publisher("foresight/error", Qos::reliable())?,
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
            if let (Some(shared), Ok(settings)) = (weak.upgrade(), ForesightSettings::read(&parameters)) {
                *shared.settings.lock() = settings;
            }
        });
        let imagine = {
            let (work, done) = (shared.clone(), shared.clone());
            Worker::spawn(
                node,
                "imagine",
                Duration::ZERO,
                move |foreseen: Foreseen| work.imagine(&foreseen).map(|image| (foreseen, image)),
                move |outcome| done.imagined(outcome),
            )?
        };
        let perceive = {
            let (work, done) = (shared.clone(), shared.clone());
            Worker::spawn(
                node,
                "perceive",
                latency,
                move |observation: Arc<Observation>| work.perceive(&observation),
                move |outcome: Result<Foreseen, String>| done.perceived(outcome, &imagine),
            )?
        };
        let perceive = Arc::new(perceive);
        let (taker, submit, clock) = (shared.clone(), perceive.clone(), node.clock());
        self.core.observations.take_with(move |observation| {
            taker.offered(observation, &submit, clock.now().nanoseconds());
        });
        *self.configured.lock() = Some(Configured { shared, _perceive: perceive });
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
        self.core.pacer.lock().restart();
        self.core.board.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Foresight stops.
    pub fn deactivate(&self) {
        if let Some(configured) = &*self.configured.lock() {
            configured.shared.active.store(false, Ordering::SeqCst);
        }
        let mut board = self.core.board.lock();
        board.active.insert(NAME, false);
        board.condition("foresight", None);
    }

    /// Drops workers, topics and resources.
    pub fn cleanup(&self) {
        self.deactivate();
        self.core.observations.close();
        *self.configured.lock() = None;
        self.core.board.lock().active.remove(NAME);
        self.core.release(NAME);
    }
}

impl Shared {
    /// An observation came: compare what was foreseen for its moment, then take it when it is time to infer.
    fn offered(&self, observation: Arc<Observation>, worker: &Worker<Arc<Observation>>, now_ns: i64) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        self.compare(&observation);
        let mut pacer = self.core.pacer.lock();
        if !pacer.due(now_ns, observation.instruction.epoch) {
            return;
        }
        pacer.began();
        drop(pacer);
        if worker.submit(observation) {
            self.core.board.lock().overtaken += 1;
        }
    }

    /// Runs on the worker.
    fn perceive(&self, observation: &Arc<Observation>) -> Result<Foreseen, String> {
        let policy = &self.resources.policy;
        let (cameras, resize) = timed(|| {
            let und = self.resources.understanding_cameras();
            let prepared = und.into_iter().map(|camera| {
                match observation.cameras.get(camera).and_then(Option::as_ref) {
                    Some(frame) => policy.prepare_camera(&frame.image).map(Some),
                    None => Ok(None),
                }
            });
            prepared.collect::<Result<Vec<Option<CameraInput>>, _>>()
        });
        let cameras = cameras.map_err(|error| error.to_string())?;
        let history: Vec<HistoryFrame> = observation.history.iter().map(|(_, frame)| frame.clone()).collect();
        let input = PolicyInput { cameras, prompt: observation.instruction.prompt.clone(), history };
        let seed = seed_from_stamp(observation.stamp_ns);
        let (prefix, foresight) = timed(|| policy.perceive(&input, seed));
        let prefix = prefix.map_err(|error| error.to_string())?;
        let times = crate::stages::StageTimes { resize, foresight, ..observation.times };
        Ok(Foreseen { observation: observation.clone(), prefix, seed, times })
    }

    fn perceived(&self, outcome: Result<Foreseen, String>, imagine: &Worker<Foreseen>) {
        match outcome {
            Ok(foreseen) if self.active.load(Ordering::SeqCst) => {
                self.core.board.lock().condition("foresight", None);
                if self.resources.foresees() {
                    imagine.submit(foreseen.clone());
                }
                if !self.core.prefixes.send(foreseen) {
                    self.core.pacer.lock().failed();
                }
            }
            Ok(_) => self.core.pacer.lock().failed(),
            Err(reason) => {
                self.core.pacer.lock().failed();
                self.core.board.lock().condition("foresight", Some(format!("foresight failed: {reason}")));
            }
        }
    }

    /// Runs on the second worker, off the path to motion.
    fn imagine(&self, foreseen: &Foreseen) -> Result<RgbImage, String> {
        self.resources.policy.imagine(&foreseen.prefix).map_err(|error| error.to_string())
    }

    fn imagined(&self, outcome: Result<(Foreseen, RgbImage), String>) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let (foreseen, image) = match outcome {
            Ok(outcome) => outcome,
            Err(reason) => {
                self.core
                    .board
                    .lock()
                    .condition("foresight image", Some(format!("foresight image: {reason}")));
                return;
            }
        };
        let settings = self.settings.lock().clone();
        let observation = foreseen.observation;
        let foreseen_ns = observation.stamp_ns + self.stride_ns;
        let header = self.header(&observation, foreseen_ns);
        if settings.publish_raw {
            let message = f1_middleware::image::encode(&image, header.clone());
            self.publish("foresight/image", self.publishers.image.publish(message));
        }
        if settings.publish_compressed {
            match f1_middleware::image::encode_png(&image, header) {
                Ok(message) => {
                    self.publish("foresight/image/compressed", self.publishers.compressed.publish(message));
                }
                Err(error) => tracing::warn!(%error, "foresight image not compressed"),
            }
        }
        if settings.compare {
            let sequence = self.core.board.lock().chunks;
            let mut waiting = self.waiting.lock();
            waiting.push_back(Expectation {
                observation,
                prefix: foreseen.prefix,
                image,
                foreseen_ns,
                sequence,
            });
            // Moments that never come (a camera died) must not pile up.
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

    /// Compares every expectation whose moment this observation shows.
    fn compare(&self, observation: &Observation) {
        let settings = self.settings.lock().clone();
        let Some(camera) = self.resources.history_camera() else { return };
        let Some(Some(came)) = observation.cameras.get(camera) else { return };
        let due: Vec<Expectation> = {
            let mut waiting = self.waiting.lock();
            let mut due = Vec::new();
            while waiting.front().is_some_and(|next| next.foreseen_ns <= came.stamp_ns) {
                due.extend(waiting.pop_front());
            }
            due
        };
        for expected in due {
            if came.stamp_ns - expected.foreseen_ns <= settings.compare_slop_ns {
                self.compare_one(&expected, observation, &came.image, came.stamp_ns, &settings);
            }
        }
    }

    fn compare_one(
        &self,
        expected: &Expectation,
        observation: &Observation,
        came: &RgbImage,
        came_ns: i64,
        settings: &ForesightSettings,
    ) {
        let Some(camera) = self.resources.history_camera() else { return };
        let Some(Some(before)) = expected.observation.cameras.get(camera) else { return };
        // As the network sees it: the same crop and size as the foreseen image.
        let fitted = |image: &RgbImage| self.resources.history_view(image);
        let (Ok(now), Ok(came)) = (fitted(&before.image), fitted(came)) else { return };
        let (Some(error), Some(still)) = (psnr(&expected.image, &came), psnr(&now, &came)) else { return };
        let agreement = self.finest_agreement(expected, observation).unwrap_or(f64::NAN);
        let message = ForesightError {
            header: self.header(observation, came_ns),
            camera: self.resources.robot.file().cameras[camera].name.clone(),
            observation_stamp: WireTime::saturating_from_nanoseconds(expected.observation.stamp_ns),
            foreseen_stamp: WireTime::saturating_from_nanoseconds(expected.foreseen_ns),
            sequence: expected.sequence,
            epoch: expected.observation.instruction.epoch,
            psnr: error,
            mean_absolute_error: mean_absolute_error(&expected.image, &came),
            token_agreement: agreement,
            confidence: f64::from(mean(expected.prefix.token_confidence())),
            psnr_if_still: still,
        };
        self.publish("foresight/error", self.publishers.error.publish(message));
        let sheet = comparison(&now, &expected.image, &came, error);
        let sheet = f1_middleware::image::encode(&sheet, self.header(observation, came_ns));
        self.publish("foresight/comparison", self.publishers.comparison.publish(sheet));
        self.core.board.lock().foresight = Some((error, agreement));
        if settings.replan_psnr > 0.0 && error < settings.replan_psnr {
            self.core.pacer.lock().demand();
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
