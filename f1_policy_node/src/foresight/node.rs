//! The node `foresight`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::f1_msgs::msg::ForesightError;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image};
use f1_interfaces::std_msgs::msg::Header;
use f1_middleware::{Node, Publisher, Urgency, Worker};
use image::RgbImage;
use parking_lot::Mutex;

use super::compare::{Arrived, Compared, Expectation};
use super::mode::{Kept, Mode, Taken};
use super::settings::ForesightSettings;
use crate::condition::{Condition, Source};
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::names::FORESIGHT as NAME;
use crate::observation::{Foreseen, Observation};
use crate::pacer::Pacer;
use crate::policy::PerceiveRequest;
use crate::resources::Resources;
use crate::seed::seed_from_stamp;
use crate::topics;

/// Publishers of one configuration.
pub(super) struct Publishers {
    image: Publisher<Image>,
    compressed: Publisher<CompressedImage>,
    pub comparison: Publisher<Image>,
    pub error: Publisher<ForesightError>,
}

/// A foreseen image with its messages.
struct Imagined {
    foreseen: Foreseen,
    image: RgbImage,
    raw: Option<Image>,
    compressed: Option<CompressedImage>,
}

/// An observation for the worker.
#[derive(Clone)]
struct Work {
    observation: Arc<Observation>,
    /// Whether a chunk is wanted, or the foresight error alone.
    chunk: bool,
}

/// What the worker made of it.
struct Worked {
    foreseen: Foreseen,
    chunk: bool,
}

pub(super) struct Shared {
    pub core: Arc<Core>,
    pub resources: Arc<Resources>,
    pub settings: Mutex<ForesightSettings>,
    pub active: AtomicBool,
    pub publishers: Publishers,
    pub waiting: Mutex<VecDeque<Expectation>>,
    /// The foresight that mode `cached` uses again.
    pub kept: Mutex<Option<Kept>>,
    /// Stamp and epoch of the newest observation that was given to the worker, ns.
    newest: Mutex<Option<(i64, u64)>>,
    /// How long the worker took for the last one; on a virtual clock what it appears to take, so
    /// that a simulation is the same on every machine.
    took: Mutex<Duration>,
    virtual_clock: bool,
    /// One stride of the data set, ns: how far ahead the image lies.
    pub stride_ns: i64,
}

/// The node `foresight`: hands observations to the policy, shows what it foresees.
pub struct Foresight {
    node: Node,
    core: Arc<Core>,
    configured: Mutex<Option<Configured>>,
}

struct Configured {
    shared: Arc<Shared>,
    perceive: Arc<Worker<Work>>,
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
        settings.mode.check(&resources.policy.info().passes).map_err(NodeError::Parameter)?;
        self.core.set_without_foresight(settings.mode == Mode::Off);
        let stride = resources.stride();
        let latency = Duration::from_secs_f64(settings.virtual_latency);
        let shared = Arc::new(Shared {
            core: self.core.clone(),
            resources,
            settings: Mutex::new(settings),
            active: AtomicBool::new(false),
            publishers,
            waiting: Mutex::new(VecDeque::new()),
            kept: Mutex::new(None),
            newest: Mutex::new(None),
            took: Mutex::new(latency),
            virtual_clock: node.clock().is_virtual(),
            stride_ns: (stride * 1e9).round() as i64,
        });
        let weak = Arc::downgrade(&shared);
        node.parameters().on_set(move |proposal| match weak.upgrade() {
            Some(shared) => Mode::proposed(proposal, &shared.resources.policy.info().passes),
            None => Ok(()),
        });
        let parameters = node.parameters().clone();
        let weak = Arc::downgrade(&shared);
        node.parameters().on_change(move |_| {
            if let (Some(shared), Ok(settings)) =
                (weak.upgrade(), ForesightSettings::read(&parameters))
            {
                if shared.virtual_clock {
                    *shared.took.lock() = Duration::from_secs_f64(settings.virtual_latency);
                }
                shared.core.set_without_foresight(settings.mode == Mode::Off);
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
                move |arrived: Arrived| {
                    work.core.spend(|times| &mut times.show, || work.compare(&arrived))
                },
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
                move |foreseen: Foreseen| {
                    work.core.spend(|times| &mut times.show, || work.imagine(foreseen))
                },
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
                move |input: Work| {
                    work.core.spend(|times| &mut times.perceive, || work.work(&input))
                },
                move |outcome: Result<Worked, (String, bool)>| done.worked(outcome, &imagine),
            )?
        };
        let perceive = Arc::new(perceive);
        let (weak, parameters) = (Arc::downgrade(&perceive), node.parameters().clone());
        node.parameters().on_change(move |_| {
            if let (Some(perceive), Ok(settings)) =
                (weak.upgrade(), ForesightSettings::read(&parameters))
            {
                let latency = Duration::from_secs_f64(settings.virtual_latency);
                perceive.set_virtual_latency(latency);
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
        configured.shared.forget_foresight();
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
        worker: &Worker<Work>,
        now: Duration,
        now_ns: i64,
    ) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let newest = (observation.stamp_ns, observation.instruction.epoch);
        let chunk = {
            let mut pacer = self.core.pacer.lock();
            let due = pacer.due(now_ns, observation.instruction.epoch);
            if due {
                pacer.began(now);
            } else if worker.is_busy() || !self.error_is_due(newest, now_ns, &pacer) {
                return;
            }
            due
        };
        *self.newest.lock() = Some(newest);
        if worker.submit(Work { observation: observation.clone(), chunk }) {
            self.core.status.lock().overtaken += 1;
        }
    }

    /// Whether this observation is wanted for the foresight error alone: the last one is long
    /// enough ago, and the worker is done before the next chunk is due.
    fn error_is_due(&self, newest: (i64, u64), now_ns: i64, pacer: &Pacer) -> bool {
        let settings = self.settings.lock();
        if settings.error_rate <= 0.0
            || !settings.compare
            || settings.mode != Mode::On
            || !self.resources.foresees()
            || !self.resources.policy.info().passes.foresight_alone
        {
            return false;
        }
        let period = Duration::from_secs_f64(1.0 / settings.error_rate);
        let took = *self.took.lock();
        let (stamp_ns, epoch) = newest;
        let last = *self.newest.lock();
        // A frame that comes a little early is not left to the next one.
        let passed = last.is_some_and(|(last_ns, last_epoch)| {
            last_epoch == epoch && (stamp_ns - last_ns) as f64 * 1e-9 >= 0.9 * period.as_secs_f64()
        });
        // Monitoring takes a quarter of the time at most: a large model is left to its chunks.
        passed && took * 4 <= period && pacer.idle_for(now_ns, epoch) >= took
    }

    /// Runs on the worker.
    fn work(&self, work: &Work) -> Result<Worked, (String, bool)> {
        let (outcome, took) = crate::stages::timed(|| self.perceive(&work.observation));
        if !self.virtual_clock {
            *self.took.lock() = took;
        }
        match outcome {
            Ok(foreseen) => Ok(Worked { foreseen, chunk: work.chunk }),
            Err(reason) => Err((reason, work.chunk)),
        }
    }

    /// Understanding and foresight of an observation.
    fn perceive(&self, observation: &Arc<Observation>) -> Result<Foreseen, String> {
        let seed = seed_from_stamp(observation.stamp_ns);
        let show = self.shows();
        let mut times = observation.times;
        let request = PerceiveRequest { observation, seed, show };
        let taken = self.take(&request, &mut times);
        let Taken { perceived, foresight_ns } = taken.map_err(|error| error.to_string())?;
        let observation = observation.clone();
        Ok(Foreseen { observation, perceived, foresight_ns, seed, times })
    }

    /// Whether anybody is shown what is foreseen.
    fn shows(&self) -> bool {
        let settings = self.settings.lock();
        self.resources.foresees()
            && (settings.publish_raw || settings.publish_compressed || settings.compare)
    }

    fn worked(&self, outcome: Result<Worked, (String, bool)>, imagine: &Worker<Foreseen>) {
        let active = self.active.load(Ordering::SeqCst);
        match outcome {
            Ok(Worked { foreseen, chunk }) if active => {
                self.core.status.lock().clear(&Source::Foresight);
                // An image that was foreseen from an earlier observation was shown then.
                let is_new = foreseen.foresight_ns == Some(foreseen.observation.stamp_ns);
                let shown = (is_new && self.shows()).then(|| foreseen.clone());
                // The chunk first, the image after it.
                if chunk && !self.core.prefixes.send(foreseen) {
                    self.core.pacer.lock().failed();
                }
                if let Some(shown) = shown {
                    imagine.submit(shown);
                }
            }
            Ok(Worked { chunk: true, .. }) => self.core.pacer.lock().failed(),
            Ok(_) => {}
            Err((reason, chunk)) => {
                if chunk {
                    self.core.pacer.lock().failed();
                }
                self.core.status.lock().raise(Condition::ForesightFailed(reason));
            }
        }
    }

    /// Runs on the second worker, off the path to motion.
    fn imagine(&self, foreseen: Foreseen) -> Result<Imagined, String> {
        let image = foreseen.perceived.imagine().map_err(|error| error.to_string())?;
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
            let (observation, perceived) = (foreseen.observation, foreseen.perceived);
            let foreseen_ns = observation.stamp_ns + self.stride_ns;
            let sequence = self.core.status.lock().chunks;
            let mut waiting = self.waiting.lock();
            waiting.push_back(Expectation { observation, perceived, image, foreseen_ns, sequence });
            // Moments that never come (a camera stopped) must not accumulate.
            while waiting.len() > 32 {
                waiting.pop_front();
            }
        }
    }

    pub(super) fn publish(&self, topic: &str, outcome: f1_middleware::Result<()>) {
        if let Err(error) = outcome {
            tracing::warn!(%error, topic, "not published");
        }
    }

    pub(super) fn header(&self, observation: &Observation, stamp_ns: i64) -> Header {
        let frame_id = self
            .resources
            .history_camera()
            .and_then(|camera| observation.cameras.get(camera))
            .and_then(Option::as_ref)
            .map_or_else(String::new, |frame| frame.frame_id.to_string());
        Header { stamp: WireTime::saturating_from_nanoseconds(stamp_ns), frame_id }
    }
}
