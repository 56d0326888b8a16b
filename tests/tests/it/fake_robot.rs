//! A simulated robot behind its topics: cameras, joints and controllers of any robot file, with
//! faults that a test switches on and off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::Message;
use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::control_msgs::msg::JointTrajectoryControllerState;
use f1_interfaces::f1_msgs::msg::{ActionChunk, PolicyStatus, SafetyEvent};
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::{Bool, Float64MultiArray, Header};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{Backend, ClockKind, Context, ContextOptions, Node, NodeOptions, Qos, RosArgs};
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::status::PolicyState;
use f1_policy_node::topics;
use f1_robot::Robot;
use f1_robot::robot_file::ControllerInterface;
use f1_sim::jtc::{Controller, Point, Refusal, Trajectory};
use image::RgbImage;
use parking_lot::Mutex;

use crate::kit;
use crate::sampler::{self, Received};

/// What is wrong with the robot.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Cameras that send nothing.
    pub dead: BTreeSet<&'static str>,
    /// Cameras that send the same image again and again.
    pub frozen: BTreeSet<&'static str>,
    /// Cameras whose encoding is not supported.
    pub strange: BTreeSet<&'static str>,
    /// Added to the stamps of cameras, ns.
    pub camera_offset_ns: i64,
    /// Added to the stamps of the joints, ns.
    pub joint_offset_ns: i64,
    pub joints_stopped: bool,
    /// The last joint's driver sends nothing: it needs [`Setup::two_drivers`].
    pub gripper_stopped: bool,
    /// What hardware that does not measure velocities sends.
    pub velocities: Velocities,
    /// The first joint is not a number.
    pub joint_is_nan: bool,
    /// The lock's publisher is gone.
    pub lock_dead: bool,
    /// Frames come up to so much late, irregularly, and every third not at all.
    pub irregular_ns: i64,
}

/// What the joint states hold of the velocities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Velocities {
    #[default]
    Measured,
    Empty,
    NotANumber,
    /// Those of the first joints only.
    Short,
    /// Every other one.
    Mixed,
}

impl Velocities {
    pub const UNMEASURED: [Self; 4] = [Self::Empty, Self::NotANumber, Self::Short, Self::Mixed];

    fn of(self, measured: Vec<f64>) -> Vec<f64> {
        match self {
            Self::Measured => measured,
            Self::Empty => Vec::new(),
            Self::NotANumber => vec![f64::NAN; measured.len()],
            Self::Short => measured[..measured.len() / 2].to_vec(),
            Self::Mixed => {
                let odd = |(index, velocity)| if index % 2 == 0 { velocity } else { f64::NAN };
                measured.into_iter().enumerate().map(odd).collect()
            }
        }
    }
}

/// What the robot received, and how much it sent.
#[derive(Default)]
pub struct Log {
    pub trajectories: Vec<Received>,
    pub chunks: Vec<ActionChunk>,
    pub statuses: Vec<PolicyStatus>,
    pub events: Vec<SafetyEvent>,
    /// Positions of controllers that take them one at a time, with when they came.
    pub streamed: Vec<(String, i64, Vec<f64>)>,
    /// Images that the cameras sent.
    pub sent: u64,
}

/// How a fake robot is made.
pub struct Setup {
    pub robot: Arc<Robot>,
    pub backend: Backend,
    /// ROS arguments after `--ros-args`.
    pub args: Vec<&'static str>,
    /// Normalised actions are so much, rad or m.
    pub std: f64,
    /// Size of the images.
    pub size: (u32, u32),
    /// Frames a second, Hz.
    pub camera_rate: f64,
    /// Whether the network waits for a whole history.
    pub full_history: bool,
    /// The last joint has a driver of its own, at half the rate, on the robot file's last topic of
    /// joint states.
    pub two_drivers: bool,
}

impl Setup {
    pub fn new(robot: Arc<Robot>) -> Self {
        let backend = Backend::mem_virtual();
        // Random weights ask for what no robot can do, chunk after chunk: the latch has tests of
        // its own.
        let args = vec!["-p", "/f1/safety_filter:latch_count:=0"];
        Self {
            robot,
            backend,
            args,
            std: 0.02,
            size: (64, 48),
            camera_rate: 20.0,
            full_history: false,
            two_drivers: false,
        }
    }

    pub fn bench() -> Self {
        Self::new(kit::robot("bench_arm"))
    }

    pub fn with(mut self, args: &[&'static str]) -> Self {
        self.args.extend_from_slice(args);
        self
    }
}

/// The robot's body: controllers, and the clock that they run on.
struct Body {
    controllers: Vec<Controller>,
    last_ns: i64,
    /// In real time a busy machine may hand a trajectory over when it has ended.
    may_be_late: bool,
}

impl Body {
    fn seconds(now_ns: i64) -> f64 {
        now_ns as f64 * 1e-9
    }

    /// Names, positions and velocities now. A clock that went back leaves every controller where it
    /// is.
    fn advance(&mut self, now_ns: i64) -> (Vec<String>, Vec<f64>, Vec<f64>) {
        let back = now_ns < self.last_ns;
        self.last_ns = now_ns;
        let (mut names, mut positions, mut velocities) = (Vec::new(), Vec::new(), Vec::new());
        for controller in &mut self.controllers {
            if back {
                let place = controller.set_point().positions.clone();
                controller.reset(&place);
            }
            let point = controller.update(Self::seconds(now_ns)).clone();
            names.extend(controller.joints().iter().cloned());
            positions.extend(point.positions);
            velocities.extend(point.velocities);
        }
        (names, positions, velocities)
    }

    fn command(&mut self, name: &str, message: &JointTrajectory, now_ns: i64) {
        self.advance(now_ns);
        let Some(controller) = self.controllers.iter_mut().find(|known| known.name() == name)
        else {
            return;
        };
        let point = |point: &f1_interfaces::trajectory_msgs::msg::JointTrajectoryPoint| Point {
            time: point.time_from_start.seconds(),
            positions: point.positions.clone(),
            velocities: point.velocities.clone(),
            accelerations: point.accelerations.clone(),
        };
        let trajectory = Trajectory {
            start: Some(Self::seconds(message.header.stamp.nanoseconds())),
            joints: message.joint_names.clone(),
            points: message.points.iter().map(point).collect(),
        };
        match controller.command(Self::seconds(now_ns), &trajectory) {
            Err(Refusal::EndsInThePast(_)) if self.may_be_late => {}
            taken => taken.unwrap(),
        }
    }
}

/// Robot, policy and everything that they publish.
pub struct FakeRobot {
    pub context: Context,
    pub process: PolicyProcess,
    pub robot: Arc<Robot>,
    pub node: Node,
    pub faults: Arc<Mutex<Faults>>,
    pub log: Arc<Mutex<Log>>,
    body: Arc<Mutex<Body>>,
}

/// The image of a camera at its `count`th frame.
pub fn image((width, height): (u32, u32), camera: usize, count: u64) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let value =
            |factor: u32| (factor * x + 3 * y + 40 * camera as u32 + 7 * count as u32) as u8;
        image::Rgb([value(1), value(2), value(5)])
    })
}

fn header(stamp_ns: i64) -> Header {
    Header {
        stamp: WireTime::saturating_from_nanoseconds(stamp_ns),
        frame_id: "camera_optical".into(),
    }
}

impl FakeRobot {
    /// Starts robot and policy.
    pub fn start(setup: Setup) -> Self {
        let mut args = vec!["test", "--ros-args"];
        args.extend_from_slice(&setup.args);
        let (args, _) = RosArgs::parse(args).unwrap();
        let context =
            Context::new(ContextOptions { backend: setup.backend.clone(), args }).unwrap();
        let node = context.create_node_with("robot", NodeOptions::in_namespace("/f1")).unwrap();
        let robot = setup.robot.clone();
        let controllers = robot.controllers().iter().map(|controller| {
            let joints = controller.joints.iter();
            let names: Vec<String> =
                joints.clone().map(|joint| robot.joints()[*joint].name.clone()).collect();
            let home: Vec<f64> = joints.map(|joint| robot.home()[*joint]).collect();
            Controller::new(&controller.name, &names, &home)
        });
        let body = Arc::new(Mutex::new(Body {
            controllers: controllers.collect(),
            last_ns: 0,
            may_be_late: !context.is_virtual(),
        }));
        let loaded = setup.robot.clone();
        let (std, full_history) = (setup.std, setup.full_history);
        let load = kit::loading(move || kit::resources(&loaded, std, full_history));
        let process = PolicyProcess::compose(&context, load, &ProcessOptions::default()).unwrap();
        let (faults, log) = (Arc::default(), Arc::default());
        let fake = Self { context, process, robot, node, faults, log, body };
        fake.publish_joints(setup.two_drivers);
        fake.publish_images(&setup);
        fake.publish_lock();
        fake.subscribe();
        fake
    }

    fn publish_joints(&self, two_drivers: bool) {
        let topics = topics::JOINT_STATES.names(&self.robot, &[]);
        let publishers: Vec<_> = topics
            .iter()
            .map(|topic| self.node.create_publisher::<JointState>(topic, Qos::reliable()).unwrap())
            .collect();
        let (faults, body, clock) = (self.faults.clone(), self.body.clone(), self.node.clock());
        let mut count = 0_u64;
        let timer =
            self.node.create_timer(Duration::from_millis(10), ClockKind::Steady, move || {
                let faults = faults.lock().clone();
                let now_ns = clock.now().nanoseconds();
                let (mut name, mut position, velocity) = body.lock().advance(now_ns);
                let mut velocity = faults.velocities.of(velocity);
                let effort =
                    if velocity.is_empty() { Vec::new() } else { vec![f64::NAN; name.len()] };
                if faults.joint_is_nan {
                    position[0] = f64::NAN;
                }
                count += 1;
                if faults.joints_stopped {
                    return;
                }
                let header = header(now_ns + faults.joint_offset_ns);
                if two_drivers {
                    let arm = name.len() - 1;
                    let (name, position) = (name.split_off(arm), position.split_off(arm));
                    let velocity = velocity.split_off(arm.min(velocity.len()));
                    let gripper = JointState {
                        header: header.clone(),
                        name,
                        position,
                        velocity,
                        effort: Vec::new(),
                    };
                    if count.is_multiple_of(2) && !faults.gripper_stopped {
                        publishers[publishers.len() - 1].publish(gripper).unwrap();
                    }
                }
                let arm = JointState { header, name, position, velocity, effort };
                publishers[0].publish(arm).unwrap();
            });
        self.node.keep(timer);
    }

    fn publish_images(&self, setup: &Setup) {
        let period = Duration::from_secs_f64(1.0 / setup.camera_rate);
        for (index, camera) in self.robot.file().cameras.iter().enumerate() {
            let publisher =
                self.node.create_publisher::<Image>(&camera.topic, Qos::reliable()).unwrap();
            let (faults, clock, name) =
                (self.faults.clone(), self.node.clock(), camera.name.clone());
            let (mut count, log) = (0_u64, self.log.clone());
            // Made beforehand: making them would take the time that is measured.
            let images: Vec<RgbImage> =
                (0..8).map(|count| image(setup.size, index, count)).collect();
            let timer = self.node.create_timer(period, ClockKind::Steady, move || {
                let faults = faults.lock().clone();
                let irregular = faults.irregular_ns > 0;
                count += 1;
                if faults.dead.contains(name.as_str()) || (irregular && count.is_multiple_of(3)) {
                    return;
                }
                let late_ns = if irregular {
                    (count * 7919 % 1000) as i64 * faults.irregular_ns / 1000
                } else {
                    0
                };
                let shown = if faults.frozen.contains(name.as_str()) { 0 } else { count };
                let stamp_ns = clock.now().nanoseconds() + faults.camera_offset_ns - late_ns;
                let mut message =
                    f1_image::encode(&images[shown as usize % images.len()], header(stamp_ns));
                if faults.strange.contains(name.as_str()) {
                    message.encoding = "32FC1".into();
                }
                publisher.publish(message).unwrap();
                log.lock().sent += 1;
            });
            self.node.keep(timer);
        }
    }

    fn publish_lock(&self) {
        let publisher =
            self.node.create_publisher::<Bool>("estop", Qos::reliable().keep_last(1)).unwrap();
        let faults = self.faults.clone();
        let timer =
            self.node.create_timer(Duration::from_millis(100), ClockKind::Steady, move || {
                if !faults.lock().lock_dead {
                    publisher.publish(Bool { data: false }).unwrap();
                }
            });
        self.node.keep(timer);
    }

    fn keep<T: Message>(&self, topic: &str, mut into: impl FnMut(&mut Log, &T) + Send + 'static) {
        let log = self.log.clone();
        let qos = Qos::reliable().keep_last(100);
        let subscription = self.node.create_subscription::<T>(topic, qos, move |message, _| {
            into(&mut log.lock(), &message)
        });
        self.node.keep(subscription.unwrap());
    }

    fn subscribe(&self) {
        self.keep(topics::CHUNK.name, |log, chunk: &ActionChunk| log.chunks.push(chunk.clone()));
        self.keep(topics::STATUS.name, |log, status: &PolicyStatus| {
            log.statuses.push(status.clone())
        });
        self.keep(topics::EVENT.name, |log, event: &SafetyEvent| log.events.push(event.clone()));
        for controller in self.robot.controllers() {
            if controller.interface == ControllerInterface::PositionStream {
                self.take_stream(&controller.name);
            }
            if controller.interface != ControllerInterface::JointTrajectory {
                continue;
            }
            let (name, body, clock) =
                (controller.name.clone(), self.body.clone(), self.node.clock());
            self.keep(
                &topics::JOINT_TRAJECTORY.named(&controller.name),
                move |log, message: &JointTrajectory| {
                    let at_ns = clock.now().nanoseconds();
                    body.lock().command(&name, message, at_ns);
                    let (controller, message) = (name.clone(), message.clone());
                    log.trajectories.push(Received { controller, at_ns, message });
                },
            );
        }
    }

    /// A controller that takes each position at once.
    fn take_stream(&self, name: &str) {
        let (body, clock, controller) = (self.body.clone(), self.node.clock(), name.to_owned());
        let topic = topics::POSITION_COMMANDS.named(name);
        self.keep(&topic, move |log, message: &Float64MultiArray| {
            let mut body = body.lock();
            let known = body.controllers.iter_mut().find(|known| known.name() == controller);
            known.unwrap().reset(&message.data);
            let at_ns = clock.now().nanoseconds();
            log.streamed.push((controller.clone(), at_ns, message.data.clone()));
        });
    }

    /// Slows a controller down, as at the robot's pendant, and has it say so if `reports`.
    pub fn slow_down(&self, controller: &str, scale: f64, reports: bool) {
        let mut body = self.body.lock();
        let known = body.controllers.iter_mut().find(|known| known.name() == controller);
        known.unwrap().set_speed_scaling(scale);
        drop(body);
        if !reports {
            return;
        }
        let topic = topics::CONTROLLER_STATE.named(controller);
        let publisher = self
            .node
            .create_publisher::<JointTrajectoryControllerState>(&topic, Qos::reliable())
            .unwrap();
        let (body, name) = (self.body.clone(), controller.to_owned());
        let timer =
            self.node.create_timer(Duration::from_millis(20), ClockKind::Steady, move || {
                let body = body.lock();
                let known = body.controllers.iter().find(|known| known.name() == name).unwrap();
                let speed_scaling_factor = known.speed_scaling();
                drop(body);
                let state = JointTrajectoryControllerState {
                    speed_scaling_factor,
                    ..JointTrajectoryControllerState::default()
                };
                publisher.publish(state).unwrap();
            });
        self.node.keep(timer);
    }

    /// Commands a controller as a goal of an action would.
    pub fn command(&self, controller: &str, message: &JointTrajectory) {
        let at_ns = self.node.now().nanoseconds();
        self.body.lock().command(controller, message, at_ns);
        let (controller, message) = (controller.to_owned(), message.clone());
        self.log.lock().trajectories.push(Received { controller, at_ns, message });
    }

    /// Changes what is wrong.
    pub fn fault(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.faults.lock());
    }

    /// Lets time pass.
    pub fn run(&self, seconds: f64) {
        self.context.executor().spin_for(Duration::from_secs_f64(seconds));
    }

    /// Starts, gives an instruction and waits until the robot moves.
    pub fn moving(setup: Setup) -> Self {
        let fake = Self::start(setup);
        fake.run(0.5);
        fake.process.core().set_instruction("put the red cube into the bin");
        fake.run(1.5);
        fake.assert_running();
        fake
    }

    /// Sets a parameter of perception, foresight, action or safety_filter.
    pub fn set(
        &self,
        node: &str,
        name: &str,
        value: impl Into<f1_middleware::parameters::Value>,
    ) -> Result<(), String> {
        let nodes = self.process.nodes();
        let node = nodes.iter().find(|known| known.name() == node).unwrap();
        node.parameters().set(name, value).map_err(|error| error.to_string())
    }

    /// Where the joints are, by name.
    pub fn positions(&self) -> BTreeMap<String, f64> {
        let now_ns = self.node.now().nanoseconds();
        let (names, positions, _) = self.body.lock().advance(now_ns);
        names.into_iter().zip(positions).collect()
    }

    /// Whether the controllers stand still.
    pub fn is_at_rest(&self) -> bool {
        let now_ns = self.node.now().nanoseconds();
        self.body.lock().advance(now_ns).2.iter().all(|velocity| *velocity == 0.0)
    }

    /// The newest status.
    pub fn status(&self) -> PolicyStatus {
        self.log.lock().statuses.last().cloned().unwrap()
    }

    /// The policy moves the robot, and its status has no condition.
    pub fn assert_running(&self) {
        let state = self.process.status().state();
        assert_eq!(state.0, PolicyState::Running, "{}", state.1);
        let before = self.log.lock().trajectories.len();
        self.run(1.0);
        assert!(
            self.log.lock().trajectories.len() > before,
            "no new trajectory; {:?}",
            self.process.status().state()
        );
    }

    /// The robot stands still, `status` names `reason`, and nothing is sent any more.
    pub fn assert_at_rest(&self, states: &[u8], reason: &str) {
        self.run(0.25);
        let status = self.status();
        assert!(status.reason.contains(reason), "{:?} does not say {reason:?}", status.reason);
        assert!(states.contains(&status.state), "state {}: {}", status.state, status.reason);
        assert!(self.is_at_rest(), "the robot moves");
        let before = self.log.lock().trajectories.len();
        self.run(0.3);
        assert_eq!(self.log.lock().trajectories.len(), before, "something is still sent");
    }

    /// No controller got a point outside a limit.
    pub fn assert_limits(&self) {
        let received = self.log.lock().trajectories.clone();
        assert!(received.len() > 2, "only {} trajectories", received.len());
        assert_eq!(sampler::faults(&self.robot, &received), Vec::<String>::new());
    }
}
