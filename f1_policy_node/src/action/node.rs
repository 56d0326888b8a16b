//! The node `action`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::{Duration as WireDuration, Time as WireTime};
use f1_interfaces::f1_msgs::msg::ActionChunk;
use f1_interfaces::geometry_msgs::msg::PoseStamped;
use f1_interfaces::nav_msgs::msg::Path;
use f1_interfaces::std_msgs::msg::Header;
use f1_interfaces::std_srvs::srv::TriggerResponse;
use f1_middleware::{Clock, Node, Publisher, Urgency, Worker};
use f1_model::{ActRequest, RtcGuidance};
use f1_robot::decode::{ChunkStamp, DecodeWarning};
use f1_robot::{RawChunk, splice};
use parking_lot::Mutex;

use super::settings::{ActionSettings, Joining};
use crate::condition::{Condition, Restart, Source};
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::names::ACTION as NAME;
use crate::observation::{Foreseen, PolicyChunk};
use crate::resources::Resources;
use crate::stages::stage;
use crate::topics;

/// What `act` made of one observation.
struct Acted {
    foreseen: Foreseen,
    /// `[horizon][width]`, as the policy gave it.
    normalised: Vec<Vec<f32>>,
    chunk: RawChunk,
    warnings: Vec<DecodeWarning>,
    frozen_rows: usize,
    joining: Joining,
}

/// The chunk that the next one is drawn toward.
struct Previous {
    stamp_ns: i64,
    epoch: u64,
    sequence: u64,
    normalised: Vec<Vec<f32>>,
}

struct Shared {
    core: Arc<Core>,
    resources: Arc<Resources>,
    settings: Mutex<ActionSettings>,
    active: AtomicBool,
    clock: Clock,
    previous: Mutex<Option<Previous>>,
    chunk: Publisher<ActionChunk>,
    /// One an arm, in the robot file's order.
    paths: Vec<Publisher<Path>>,
}

/// The node `action`: integrates the flow while the previous chunk executes.
pub struct Action {
    node: Node,
    core: Arc<Core>,
    configured: Mutex<Option<Arc<Shared>>>,
}

impl Action {
    /// Declares the parameters and offers `action/reset`.
    ///
    /// # Errors
    /// Parameters or names that the middleware refuses.
    pub fn new(node: Node, core: Arc<Core>) -> NodeResult<Self> {
        ActionSettings::declare(node.parameters())?;
        let shared = core.clone();
        let service = topics::RESET_ACTION.offer(&node, move |_| {
            shared.restart(Restart::ActionReset);
            TriggerResponse { success: true, message: format!("epoch {}", shared.epoch()) }
        })?;
        node.keep(service);
        Ok(Self { node, core, configured: Mutex::new(None) })
    }

    /// The ROS node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Loads the resources, starts the worker, opens the topics.
    ///
    /// # Errors
    /// Resources that cannot be loaded; topics that the middleware refuses.
    pub fn configure(&self) -> NodeResult<()> {
        let resources = self.core.acquire(NAME)?;
        let node = &self.node;
        let settings = ActionSettings::read(node.parameters())?;
        if settings.joining == Joining::Rtc && !resources.policy.info().takes_guidance {
            let reason = format!(
                "splice: rtc needs a policy that holds the first rows of a chunk, and {} does not: \
                 choose replace or ensemble",
                resources.model
            );
            self.core.release(NAME);
            return Err(NodeError::Parameter(reason));
        }
        let latency = Duration::from_secs_f64(settings.virtual_latency);
        let paths = topics::PATH
            .names(&resources.robot, &[])
            .iter()
            .map(|name| topics::PATH.publisher_on(node, name))
            .collect::<Result<Vec<_>, _>>()?;
        let shared = Arc::new(Shared {
            core: self.core.clone(),
            resources,
            settings: Mutex::new(settings),
            active: AtomicBool::new(false),
            clock: node.clock(),
            previous: Mutex::new(None),
            chunk: topics::CHUNK.publisher(node)?,
            paths,
        });
        shared.apply_settings();
        let parameters = node.parameters().clone();
        let weak = Arc::downgrade(&shared);
        node.parameters().on_change(move |_| {
            if let (Some(shared), Ok(settings)) =
                (weak.upgrade(), ActionSettings::read(&parameters))
            {
                *shared.settings.lock() = settings;
                shared.apply_settings();
            }
        });
        let worker = {
            let (work, done) = (shared.clone(), shared.clone());
            Worker::spawn(
                node,
                "act",
                Urgency::Motion,
                latency,
                move |foreseen: Foreseen| {
                    work.core.spend(|times| &mut times.act, || work.act(foreseen))
                },
                move |outcome: Result<Acted, String>| done.acted(outcome),
            )?
        };
        let receiving = shared.clone();
        self.core.prefixes.handle(move |foreseen| {
            if receiving.active.load(Ordering::SeqCst) {
                worker.submit(foreseen);
            } else {
                receiving.core.pacer.lock().failed();
            }
        });
        *self.configured.lock() = Some(shared);
        Ok(())
    }

    /// From now on prefixes become chunks.
    ///
    /// # Errors
    /// A node that is not configured.
    pub fn activate(&self) -> NodeResult<()> {
        let guard = self.configured.lock();
        let shared = guard.as_ref().ok_or(NodeError::NotConfigured(NAME))?;
        *shared.previous.lock() = None;
        shared.active.store(true, Ordering::SeqCst);
        self.core.status.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Chunks stop.
    pub fn deactivate(&self) {
        if let Some(shared) = &*self.configured.lock() {
            shared.active.store(false, Ordering::SeqCst);
        }
        let mut status = self.core.status.lock();
        status.active.insert(NAME, false);
        status.clear(&Source::Action);
    }

    /// Drops worker, topics and resources.
    pub fn cleanup(&self) {
        self.deactivate();
        self.core.prefixes.close();
        *self.configured.lock() = None;
        // A chunk that was still integrated does not come any more.
        self.core.pacer.lock().failed();
        self.core.release(NAME);
    }
}

impl Shared {
    fn apply_settings(&self) {
        let horizon = self.resources.policy.horizon();
        let steps = match self.settings.lock().replan_steps {
            0 => horizon.div_ceil(2),
            steps => steps.min(horizon),
        };
        self.core.pacer.lock().set_replan_steps(steps);
    }

    /// Runs on the worker.
    fn act(&self, mut foreseen: Foreseen) -> Result<Acted, String> {
        let joining = self.settings.lock().joining;
        let observation = foreseen.observation.clone();
        let epoch = observation.instruction.epoch;
        let (guidance, frozen_rows) = match joining {
            Joining::Rtc if self.resources.policy.info().takes_guidance => {
                self.guidance(observation.stamp_ns, epoch)
            }
            Joining::Rtc | Joining::Replace | Joining::Ensemble => (None, 0),
        };
        let request = ActRequest { seed: foreseen.seed, guidance };
        let normalised = foreseen.perceived.act(&request, &mut foreseen.times);
        let normalised = normalised.map_err(|error| error.to_string())?;
        // The sequence is given when the chunk is delivered: one of an older epoch takes none.
        let stamp = ChunkStamp { stamp: observation.stamp_ns, sequence: 0, epoch };
        let (decoded, decode) = stage!("decode_chunk", || self.resources.decoder.decode(
            &normalised,
            &observation.joints.positions,
            stamp
        ));
        let decoded = decoded.map_err(|error| error.to_string())?;
        foreseen.times.filter = decode;
        let (chunk, warnings) = (decoded.chunk, decoded.warnings);
        Ok(Acted { foreseen, normalised, chunk, warnings, frozen_rows, joining })
    }

    /// Guidance toward the chunk that is executed, and how many rows are frozen: those that will be
    /// due before this chunk can take over.
    fn guidance(&self, stamp_ns: i64, epoch: u64) -> (Option<RtcGuidance>, usize) {
        let rate_hz = self.resources.robot.rate_hz();
        let horizon = self.resources.policy.horizon();
        let latency = self.core.pacer.lock().expected_latency().as_secs_f64();
        // The observation's own age counts too: rows are due from its stamp on.
        let age = (self.clock.now().nanoseconds() - stamp_ns).max(0) as f64 * 1e-9;
        let frozen = (age.max(latency) * rate_hz).ceil() as usize;
        let previous = self.previous.lock();
        // Only what is really executed is continued: not a chunk that the filter refused or a stop
        // has cut short.
        let followed = self.core.followed();
        let executed = |previous: &&Previous| {
            previous.epoch == epoch && followed == Some((previous.epoch, previous.sequence))
        };
        let Some(previous) = previous.as_ref().filter(executed) else {
            return (None, 0);
        };
        let consumed = splice::consumed(previous.stamp_ns, rate_hz, stamp_ns);
        match splice::rtc(&previous.normalised, consumed, frozen, horizon) {
            Some(rtc) => {
                let held = rtc.weights.iter().filter(|weight| **weight >= 1.0).count();
                (Some(RtcGuidance { previous: rtc.previous, weights: rtc.weights }), held)
            }
            None => (None, 0),
        }
    }

    /// Runs on the executor.
    fn acted(&self, outcome: Result<Acted, String>) {
        let mut acted = match outcome {
            Ok(acted) => acted,
            Err(reason) => {
                self.core.pacer.lock().failed();
                self.core.status.lock().raise(Condition::ActionFailed(reason));
                return;
            }
        };
        let observation = acted.foreseen.observation.clone();
        let epoch = observation.instruction.epoch;
        let latency = self.clock.steady().saturating_sub(observation.arrived);
        if !self.active.load(Ordering::SeqCst) || epoch != self.core.epoch() {
            // Overtaken by a new instruction or a reset: a chunk of an older epoch is void.
            self.core.pacer.lock().failed();
            self.core.status.lock().overtaken += 1;
            return;
        }
        acted.chunk.sequence = self.core.next_sequence();
        // Of some policies the number of rows is known with the first chunk only.
        self.apply_settings();
        let rate_hz = self.resources.robot.rate_hz();
        self.core.pacer.lock().delivered(observation.stamp_ns, rate_hz, epoch, latency);
        {
            let mut status = self.core.status.lock();
            status.clear(&Source::Action);
            status.chunks += 1;
            status.total_chunks += 1;
            status.chunk_rate.tick(self.clock.now().nanoseconds());
        }
        for warning in &acted.warnings {
            tracing::debug!(?warning, "decoding");
        }
        *self.previous.lock() = Some(Previous {
            stamp_ns: observation.stamp_ns,
            epoch,
            sequence: acted.chunk.sequence,
            normalised: acted.normalised.clone(),
        });
        // Motion first, images of it after.
        self.core.chunks.send(PolicyChunk {
            chunk: acted.chunk.clone(),
            joining: acted.joining,
            arrived: observation.arrived,
            times: acted.foreseen.times,
        });
        let messages = self.paths(&acted);
        for (publisher, path) in self.paths.iter().zip(messages) {
            warn_unpublished(topics::PATH.name, publisher.publish(path));
        }
        let message = self.message(acted, latency);
        warn_unpublished(topics::CHUNK.name, self.chunk.publish(message));
    }

    fn message(&self, acted: Acted, latency: Duration) -> ActionChunk {
        let robot = &self.resources.robot;
        let observation = &acted.foreseen.observation;
        let time = WireTime::saturating_from_nanoseconds;
        let seen = robot.file().cameras.iter().zip(&observation.cameras);
        let seen: Vec<_> =
            seen.filter_map(|(camera, frame)| Some((camera, frame.as_ref()?))).collect();
        let stride = self.resources.stride();
        let columns = acted.normalised.first().map_or(0, Vec::len);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        ActionChunk {
            header: Header { stamp: time(observation.stamp_ns), frame_id: base_frame(robot) },
            sequence: acted.chunk.sequence,
            epoch: acted.chunk.epoch,
            seed: acted.foreseen.seed,
            instruction: observation.instruction.text.to_string(),
            camera_names: seen.iter().map(|(camera, _)| camera.name.clone()).collect(),
            camera_stamps: seen.iter().map(|(_, frame)| time(frame.stamp_ns)).collect(),
            history_stamps: observation.history.iter().map(|(stamp, _)| time(*stamp)).collect(),
            joint_state_stamp: time(observation.joints.stamp_ns),
            measured_positions: observation.joints.positions.clone(),
            rate: acted.chunk.rate_hz,
            rows: count(acted.chunk.rows.len()),
            joint_names: acted.chunk.joint_names.clone(),
            positions: acted.chunk.rows.concat(),
            normalised_columns: count(columns),
            normalised: acted.normalised.concat(),
            splice: match acted.joining {
                Joining::Replace => ActionChunk::SPLICE_REPLACE,
                Joining::Ensemble => ActionChunk::SPLICE_ENSEMBLE,
                Joining::Rtc => ActionChunk::SPLICE_RTC,
            },
            frozen_rows: count(acted.frozen_rows),
            foresight_confidence: mean(acted.foreseen.perceived.token_confidence()),
            foresight_stamp: time(
                acted.foreseen.foresight_ns.map_or(0, |from| from + (stride * 1e9).round() as i64),
            ),
            latency: WireDuration::try_from(latency).unwrap_or_default(),
        }
    }

    /// Forward kinematics of the chunk, one path an arm, in the arm's base frame.
    fn paths(&self, acted: &Acted) -> Vec<Path> {
        let robot = &self.resources.robot;
        let arms = robot.file().arms.iter().enumerate();
        arms.map(|(arm, description)| {
            let header = |stamp_ns| Header {
                stamp: WireTime::saturating_from_nanoseconds(stamp_ns),
                frame_id: description.base.clone(),
            };
            let rows = acted.chunk.rows.iter().enumerate();
            let finite = rows.filter(|(_, row)| row.iter().all(|position| position.is_finite()));
            let poses = finite.map(|(index, row)| {
                let pose = robot.kinematics().end_effector(arm, row);
                let (point, turn) = (pose.translation.vector, pose.rotation);
                let mut stamped = PoseStamped {
                    header: header(acted.chunk.due(index)),
                    ..PoseStamped::default()
                };
                let position = &mut stamped.pose.position;
                (position.x, position.y, position.z) = (point.x, point.y, point.z);
                let orientation = &mut stamped.pose.orientation;
                (orientation.x, orientation.y, orientation.z, orientation.w) =
                    (turn.i, turn.j, turn.k, turn.w);
                stamped
            });
            Path { poses: poses.collect(), header: header(acted.chunk.stamp) }
        })
        .collect()
    }
}

fn base_frame(robot: &f1_robot::Robot) -> String {
    robot.file().arms.first().map_or_else(String::new, |arm| arm.base.clone())
}

fn mean(values: &[f32]) -> f32 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f32>() / values.len() as f32 }
}

fn warn_unpublished(topic: &str, outcome: f1_middleware::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, topic, "not published");
    }
}
