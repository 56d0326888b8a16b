//! The bench on topics: to the policy a robot like any other.
//!
//! It gives `joint_states`, both cameras' images, and for programs that keep score the episode's
//! `bench/outcome`; it takes `<controller>/joint_trajectory` for every controller of the robot
//! file. An episode runs from one reset to the next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::{Header, String as StringMessage};
use f1_interfaces::std_srvs::srv::{Trigger, TriggerResponse};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{ClockKind, Context, Node, NodeOptions, Publisher, Qos};
use f1_robot::Robot;
use parking_lot::Mutex;

use crate::arm::ArmError;
use crate::bench::Bench;
use crate::disturb::Disturbed;
use crate::jtc::{Point, Trajectory};
use crate::score::Truth;
use crate::settings::{BenchSettings, CameraId};
use crate::task::Outcome;

/// Why the bench cannot be put on topics.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The middleware refuses.
    #[error(transparent)]
    Middleware(#[from] f1_middleware::Error),
    /// The bench cannot play this robot.
    #[error(transparent)]
    Arm(#[from] ArmError),
    /// The robot file has no camera of this name, which the bench renders.
    #[error("the robot file has no camera named {0}")]
    NoCamera(&'static str),
}

/// Images whose truth is kept: more than an episode has.
pub const TRUTHS: usize = 1024;

/// How the bench is put on topics.
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Namespace, unless `-r __ns:=` says otherwise.
    pub namespace: String,
    /// Frames a second of each camera, Hz.
    pub camera_rate: f64,
    /// Joint states a second, Hz.
    pub joint_rate: f64,
    /// Lays out the next episode, with the next seed, when one is over.
    pub endless: bool,
    /// Keeps what the renderer knows of each image of the history camera, for [`SimNode::truths`].
    pub truth: bool,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            namespace: "/f1".into(),
            camera_rate: 20.0,
            joint_rate: 100.0,
            endless: false,
            truth: false,
        }
    }
}

/// The episode that runs, with the instant at which it began.
struct Episode {
    bench: Bench,
    /// ROS time at which the bench's clock is zero, ns.
    began_ns: i64,
    /// Violations of episodes before this one.
    violations: u64,
    /// Trajectories that came after their first point's instant, in all episodes.
    late: u64,
    reported: Outcome,
    /// Newest last, where they are kept.
    truths: VecDeque<Truth>,
}

impl Episode {
    fn seconds(&self, now_ns: i64) -> f64 {
        (now_ns - self.began_ns) as f64 * 1e-9
    }

    /// The ROS time at which the clock of a bench laid out at `now_ns` is zero: after its lead-in.
    fn begins_ns(bench: &Bench, now_ns: i64) -> i64 {
        now_ns - (bench.time() * 1e9).round() as i64
    }
}

/// The bench as a ROS node.
pub struct SimNode {
    node: Node,
    robot: Arc<Robot>,
    episode: Arc<Mutex<Episode>>,
}

impl SimNode {
    /// Puts an episode on topics; time passes as the context's executor runs.
    ///
    /// # Errors
    /// Names that the middleware refuses, or a robot that the bench cannot play.
    pub fn start(
        context: &Context,
        robot: &Arc<Robot>,
        settings: BenchSettings,
        options: &SimOptions,
    ) -> Result<Self, SimError> {
        let node = context.create_node_with(
            "bench",
            NodeOptions::in_namespace(options.namespace.clone()).on_own_thread(),
        )?;
        let bench = Bench::new(robot.clone(), settings)?;
        let began_ns = Episode::begins_ns(&bench, node.now().nanoseconds());
        let episode = Arc::new(Mutex::new(Episode {
            bench,
            began_ns,
            violations: 0,
            late: 0,
            reported: Outcome::Running,
            truths: VecDeque::new(),
        }));
        let sim = Self { node, robot: robot.clone(), episode };
        sim.give_joints(options)?;
        sim.give_images(options)?;
        sim.give_outcome(options)?;
        sim.take_trajectories()?;
        let reset = (sim.robot.clone(), sim.episode.clone(), sim.node.clock());
        sim.node.keep(sim.node.create_service::<Trigger>("bench/reset", move |_| {
            let (robot, episode, clock) = &reset;
            let mut episode = episode.lock();
            let mut settings = episode.bench.settings().clone();
            settings.seed = settings.seed.wrapping_add(1);
            let outcome = replace(&mut episode, robot, settings, clock.now().nanoseconds());
            TriggerResponse {
                success: outcome.is_ok(),
                message: outcome.map_or_else(|error| error.to_string(), |()| String::new()),
            }
        })?);
        Ok(sim)
    }

    /// The ROS node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Lays out another episode; it begins now.
    ///
    /// # Errors
    /// A robot that the bench cannot play.
    pub fn reset(&self, settings: BenchSettings) -> Result<(), SimError> {
        Ok(replace(&mut self.episode.lock(), &self.robot, settings, self.node.now().nanoseconds())?)
    }

    /// How the episode stands.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.episode.lock().bench.outcome()
    }

    /// Seconds since the episode began; negative during its lead-in.
    #[must_use]
    pub fn time(&self) -> f64 {
        self.episode.lock().bench.time()
    }

    /// The sentence for the policy.
    #[must_use]
    pub fn instruction(&self) -> String {
        self.episode.lock().bench.instruction()
    }

    /// What a camera sees now.
    #[must_use]
    pub fn render(&self, camera: CameraId) -> image::RgbImage {
        self.episode.lock().bench.render(camera)
    }

    /// Set-points outside a limit that the controllers counted, over all episodes.
    #[must_use]
    pub fn violations(&self) -> u64 {
        let episode = self.episode.lock();
        episode.violations + episode.bench.arm().violation_count()
    }

    /// Trajectories that came after their first point's instant, over all episodes: the controllers
    /// join those midway, with a step. It takes a machine or a network that holds messages up
    /// for longer than the safety filter looks ahead.
    #[must_use]
    pub fn late_trajectories(&self) -> u64 {
        self.episode.lock().late
    }

    /// What happened in mid-episode.
    #[must_use]
    pub fn disturbed(&self) -> Option<Disturbed> {
        self.episode.lock().bench.disturbed()
    }

    /// What the history camera saw since the last reset, oldest first, at most the last
    /// [`TRUTHS`] images; empty without [`SimOptions::truth`].
    #[must_use]
    pub fn truths(&self) -> Vec<Truth> {
        self.episode.lock().truths.iter().cloned().collect()
    }

    fn give_joints(&self, options: &SimOptions) -> Result<(), SimError> {
        // Of several topics the first: joints are taken by name, whichever they come on.
        let topic = self.robot.file().joint_states.iter().next().unwrap_or("joint_states");
        let publisher: Publisher<JointState> =
            self.node.create_publisher(topic, Qos::reliable())?;
        let (episode, clock) = (self.episode.clone(), self.node.clock());
        let period = Duration::from_secs_f64(1.0 / options.joint_rate.max(1.0));
        let timer = self.node.create_timer(period, ClockKind::Ros, move || {
            let now_ns = clock.now().nanoseconds();
            let reading = {
                let mut episode = episode.lock();
                let seconds = episode.seconds(now_ns);
                episode.bench.advance_to(seconds);
                episode.bench.joint_state()
            };
            let message = JointState {
                header: header(now_ns, ""),
                name: reading.names,
                position: reading.positions,
                velocity: reading.velocities,
                effort: Vec::new(),
            };
            warn("joint_states", publisher.publish(message));
        });
        self.node.keep(timer);
        Ok(())
    }

    fn give_images(&self, options: &SimOptions) -> Result<(), SimError> {
        let period = Duration::from_secs_f64(1.0 / options.camera_rate.max(0.1));
        let mut cameras = Vec::new();
        for (name, camera) in [("front", CameraId::Fixed), ("wrist", CameraId::Wrist)] {
            let description = self.robot.file().cameras.iter().find(|known| known.name == name);
            let description = description.ok_or(SimError::NoCamera(name))?;
            let publisher: Publisher<Image> =
                self.node.create_publisher(&description.topic, Qos::reliable().keep_last(2))?;
            cameras.push((camera, description.frame.clone().unwrap_or_default(), publisher));
        }
        let (episode, clock, truth) = (self.episode.clone(), self.node.clock(), options.truth);
        let timer = self.node.create_timer(period, ClockKind::Ros, move || {
            let now_ns = clock.now().nanoseconds();
            let bench = {
                let mut episode = episode.lock();
                let seconds = episode.seconds(now_ns);
                episode.bench.advance_to(seconds);
                // Rendering takes longer than a controller period: it works on a copy, and the
                // controllers go on.
                episode.bench.clone()
            };
            if truth {
                let seen = Truth {
                    stamp_ns: now_ns,
                    visible: bench.visible(CameraId::Fixed),
                    size: bench.settings().image,
                    disturbed: bench.disturbance_shows(CameraId::Fixed),
                };
                let mut episode = episode.lock();
                if episode.truths.len() >= TRUTHS {
                    episode.truths.pop_front();
                }
                episode.truths.push_back(seen);
            }
            for (camera, frame, publisher) in &cameras {
                let image = bench.render(*camera);
                let message = f1_image::encode(&image, header(now_ns, frame));
                warn("image", publisher.publish(message));
            }
        });
        self.node.keep(timer);
        Ok(())
    }

    fn give_outcome(&self, options: &SimOptions) -> Result<(), SimError> {
        let publisher: Publisher<StringMessage> =
            self.node.create_publisher("bench/outcome", Qos::latched())?;
        let (episode, robot, clock, endless) =
            (self.episode.clone(), self.robot.clone(), self.node.clock(), options.endless);
        let timer = self.node.create_timer(Duration::from_millis(50), ClockKind::Ros, move || {
            let mut episode = episode.lock();
            let outcome = episode.bench.outcome();
            if outcome != episode.reported {
                episode.reported = outcome;
                let settings = episode.bench.settings();
                let text = format!(
                    "{} seed {}: {outcome:?} after {:.2} s",
                    settings.task.name(),
                    settings.seed,
                    episode.bench.time()
                );
                if outcome.is_over() {
                    tracing::info!("{text}");
                }
                warn("bench/outcome", publisher.publish(StringMessage { data: text }));
            }
            if endless && outcome.is_over() {
                let mut settings = episode.bench.settings().clone();
                settings.seed = settings.seed.wrapping_add(1);
                if let Err(error) =
                    replace(&mut episode, &robot, settings, clock.now().nanoseconds())
                {
                    tracing::error!(%error, "no next episode");
                }
            }
        });
        self.node.keep(timer);
        Ok(())
    }

    fn take_trajectories(&self) -> Result<(), SimError> {
        for controller in self.robot.controllers() {
            let topic = format!("{}/joint_trajectory", controller.full_name());
            let (episode, clock, name) =
                (self.episode.clone(), self.node.clock(), controller.full_name());
            let subscription = self.node.create_subscription::<JointTrajectory>(
                &topic,
                Qos::reliable().keep_last(1),
                move |message, _| {
                    let now_ns = clock.now().nanoseconds();
                    let mut episode = episode.lock();
                    let seconds = episode.seconds(now_ns);
                    episode.bench.advance_to(seconds);
                    let stamp_ns = message.header.stamp.nanoseconds();
                    let trajectory = Trajectory {
                        start: (stamp_ns != 0).then(|| episode.seconds(stamp_ns)),
                        joints: message.joint_names.clone(),
                        points: message
                            .points
                            .iter()
                            .map(|point| Point {
                                time: point.time_from_start.seconds(),
                                positions: point.positions.clone(),
                                velocities: point.velocities.clone(),
                                accelerations: point.accelerations.clone(),
                            })
                            .collect(),
                    };
                    let begins = trajectory.start.zip(trajectory.points.first());
                    if begins.is_some_and(|(start, first)| start + first.time < seconds) {
                        episode.late += 1;
                    }
                    if let Err(error) = episode.bench.command(&name, &trajectory) {
                        tracing::warn!(%error, controller = name, "trajectory refused");
                    }
                },
            )?;
            self.node.keep(subscription);
        }
        Ok(())
    }
}

fn replace(
    episode: &mut Episode,
    robot: &Arc<Robot>,
    settings: BenchSettings,
    now_ns: i64,
) -> Result<(), ArmError> {
    let bench = Bench::new(robot.clone(), settings)?;
    episode.violations += episode.bench.arm().violation_count();
    episode.began_ns = Episode::begins_ns(&bench, now_ns);
    episode.bench = bench;
    episode.reported = Outcome::Running;
    episode.truths.clear();
    Ok(())
}

fn header(stamp_ns: i64, frame: &str) -> Header {
    Header { stamp: WireTime::saturating_from_nanoseconds(stamp_ns), frame_id: frame.to_owned() }
}

fn warn(topic: &str, outcome: f1_middleware::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, topic, "not published");
    }
}
