//! What keeps the policy from running: each condition with its text, and each reason for a restart
//! of the policy's memory.

use std::fmt;

/// What sends measurements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensor {
    /// A camera, by its name in the robot file.
    Camera(String),
    /// The joint states.
    Joints,
}

impl fmt::Display for Sensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera(name) => write!(f, "camera {name}"),
            Self::Joints => f.write_str("joint states"),
        }
    }
}

impl Sensor {
    /// The source of conditions of this kind.
    #[must_use]
    pub fn source(&self, check: Check) -> Source {
        match self {
            Self::Camera(name) => Source::Camera(name.clone(), check),
            Self::Joints => Source::JointStates(check),
        }
    }
}

/// What is checked of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// That its messages can be used.
    Content,
    /// That its image changes.
    Frozen,
    /// That it sends at all.
    Silence,
    /// That its stamps fit ROS time.
    Stamp,
}

/// Where a condition comes from; each source has at most one at a time. `status` lists conditions
/// in the order of their sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Flow matching.
    Action,
    /// A check of one camera.
    Camera(String, Check),
    /// The last chunk at the safety filter.
    Chunk,
    /// `/clock`.
    Clock,
    /// Loading robot file, model and statistics.
    Configuration,
    /// A node that cannot be configured, by its name.
    Node(String),
    /// A controller behind an action, by its name.
    Controller(String),
    /// Understanding and generation.
    Foresight,
    /// Decoding the foreseen image.
    ForesightImage,
    /// Going home.
    Home,
    /// The history of a network that was trained on whole ones.
    History,
    /// The time that inference takes.
    Inference,
    /// The instruction.
    Instruction,
    /// A check of the joint states.
    JointStates(Check),
    /// The measured state at the safety filter.
    MeasuredState,
    /// The last restart of the policy's memory.
    Restart,
    /// A controller that takes positions one at a time, by its name.
    Stream(String),
    /// Matching of stamps.
    Synchronisation,
}

impl Source {
    /// Whether the node `perception` sets this condition while it is active.
    #[must_use]
    pub fn is_of_perception(&self) -> bool {
        matches!(
            self,
            Self::Camera(..)
                | Self::JointStates(_)
                | Self::Synchronisation
                | Self::History
                | Self::Clock
        )
    }
}

/// One condition that keeps the policy from running. Times are seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Flow matching failed.
    ActionFailed(String),
    /// A camera message cannot be used.
    Unreadable {
        /// The camera.
        camera: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A camera repeats the same image.
    Frozen {
        /// The camera.
        camera: String,
        /// For how long.
        seconds: f64,
    },
    /// A sensor sends nothing.
    Silent {
        /// The sensor.
        sensor: Sensor,
        /// For how long.
        seconds: f64,
    },
    /// A sensor sends only what cannot be used.
    Unusable {
        /// The sensor.
        sensor: Sensor,
        /// For how long.
        seconds: f64,
        /// What is wrong with its last message.
        fault: String,
    },
    /// A stamp lies ahead of ROS time.
    StampAhead {
        /// The sensor.
        sensor: Sensor,
        /// How far.
        seconds: f64,
    },
    /// A stamp lies too far in the past.
    StampPast {
        /// The sensor.
        sensor: Sensor,
        /// How far.
        seconds: f64,
    },
    /// The measured joints cannot be used; the text begins with `joint states`.
    Joints(String),
    /// The safety filter refused the last chunk.
    ChunkRefused(String),
    /// Simulated time is wanted and none comes.
    NoClock,
    /// Robot file, model or statistics cannot be loaded.
    Configuration(String),
    /// A node cannot be configured.
    NotConfigured {
        /// The node.
        node: String,
        /// What it refuses.
        reason: String,
    },
    /// A controller refuses what it is sent.
    Controller {
        /// The controller.
        name: String,
        /// What it answers.
        reason: String,
    },
    /// Understanding or generation failed.
    ForesightFailed(String),
    /// The foreseen image cannot be decoded.
    ForesightImage(String),
    /// The robot goes home; the policy waits.
    GoingHome,
    /// The history is not whole yet.
    HistoryMissing {
        /// How much of it is missing.
        seconds: f64,
    },
    /// Inference takes longer than the watchdog allows.
    InferenceLate {
        /// How long it has taken so far.
        seconds: f64,
    },
    /// There is nothing to do.
    NoInstruction,
    /// The instruction cannot be encoded.
    InstructionRefused(String),
    /// The safety filter refused the measured state.
    MeasuredRefused(String),
    /// A period of a stream of positions was missed; the robot brakes.
    StreamLate {
        /// The controller.
        name: String,
        /// How long after the position before it one came.
        seconds: f64,
    },
    /// The policy's memory was restarted, and no chunk has moved the robot since.
    Restarted(Restart),
    /// Messages come and their stamps never fit together.
    Unmatched {
        /// For how long.
        seconds: f64,
        /// The sensor whose newest stamp is the oldest.
        late: Sensor,
        /// The sensor whose newest stamp is the newest.
        early: Sensor,
        /// How far these two are apart.
        apart: f64,
        /// How far they may be.
        slop: f64,
    },
}

impl Condition {
    /// Where the condition comes from: the one that it replaces.
    #[must_use]
    pub fn source(&self) -> Source {
        match self {
            Self::ActionFailed(_) => Source::Action,
            Self::Unreadable { camera, .. } => Source::Camera(camera.clone(), Check::Content),
            Self::Frozen { camera, .. } => Source::Camera(camera.clone(), Check::Frozen),
            Self::Silent { sensor, .. } | Self::Unusable { sensor, .. } => {
                sensor.source(Check::Silence)
            }
            Self::StampAhead { sensor, .. } | Self::StampPast { sensor, .. } => {
                sensor.source(Check::Stamp)
            }
            Self::Joints(_) => Source::JointStates(Check::Content),
            Self::ChunkRefused(_) => Source::Chunk,
            Self::NoClock => Source::Clock,
            Self::Configuration(_) => Source::Configuration,
            Self::NotConfigured { node, .. } => Source::Node(node.clone()),
            Self::Controller { name, .. } => Source::Controller(name.clone()),
            Self::ForesightFailed(_) => Source::Foresight,
            Self::ForesightImage(_) => Source::ForesightImage,
            Self::GoingHome => Source::Home,
            Self::HistoryMissing { .. } => Source::History,
            Self::InferenceLate { .. } => Source::Inference,
            Self::NoInstruction | Self::InstructionRefused(_) => Source::Instruction,
            Self::MeasuredRefused(_) => Source::MeasuredState,
            Self::Restarted(_) => Source::Restart,
            Self::StreamLate { name, .. } => Source::Stream(name.clone()),
            Self::Unmatched { .. } => Source::Synchronisation,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ActionFailed(reason) => write!(f, "action failed: {reason}"),
            Self::Unreadable { camera, reason } => write!(f, "camera {camera}: {reason}"),
            Self::Frozen { camera, seconds } => {
                write!(f, "camera {camera}: the image has not changed for {seconds:.1} s")
            }
            Self::Silent { sensor, seconds } => {
                write!(f, "{sensor}: nothing received for {seconds:.1} s")
            }
            Self::Unusable { seconds, fault, .. } => {
                write!(f, "nothing usable for {seconds:.1} s: {fault}")
            }
            Self::StampAhead { sensor, seconds } => {
                write!(f, "{sensor}: its stamp lies {seconds:.3} s in the future")
            }
            Self::StampPast { sensor, seconds } => {
                write!(f, "{sensor}: its stamp lies {seconds:.3} s in the past")
            }
            Self::Joints(reason) | Self::Configuration(reason) => f.write_str(reason),
            Self::NotConfigured { node, reason } => write!(f, "{node}: {reason}"),
            Self::ChunkRefused(reason) => write!(f, "the last chunk was not followed: {reason}"),
            Self::NoClock => f.write_str("use_sim_time is set, but nothing came on /clock"),
            Self::Controller { name, reason } => write!(f, "controller {name}: {reason}"),
            Self::ForesightFailed(reason) => write!(f, "foresight failed: {reason}"),
            Self::ForesightImage(reason) => write!(f, "foresight image: {reason}"),
            Self::GoingHome => f.write_str("going home"),
            Self::HistoryMissing { seconds } => {
                write!(f, "history: {seconds:.1} s of images are missing")
            }
            Self::InferenceLate { seconds } => write!(
                f,
                "inference takes {seconds:.1} s so far; the robot rests at the end of its last chunk"
            ),
            Self::NoInstruction => f.write_str("no instruction"),
            Self::InstructionRefused(reason) => write!(f, "instruction: {reason}"),
            Self::MeasuredRefused(reason) => write!(f, "joint states at the filter: {reason}"),
            Self::StreamLate { name, seconds } => write!(
                f,
                "controller {name}: a period of its stream was missed, {seconds:.4} s passed"
            ),
            Self::Restarted(restart) => restart.fmt(f),
            Self::Unmatched { seconds, late, early, apart, slop } => write!(
                f,
                "no observation for {seconds:.1} s: stamps of {late} lie {apart:.3} s before those of {early}, \
                 sync_slop is {slop:.3} s"
            ),
        }
    }
}

/// Why the policy's memory restarts.
#[derive(Debug, Clone, PartialEq)]
pub enum Restart {
    /// The instruction changed.
    NewInstruction,
    /// The instruction was removed.
    InstructionRemoved,
    /// The service `action/reset` was called.
    ActionReset,
    /// The service `safety_filter/reset` was called.
    FilterReset,
    /// The robot went home, or was on its way.
    WentHome,
    /// A person who had taken over handed back.
    HandedBack,
    /// ROS time went back.
    ClockBack {
        /// How far, s.
        seconds: f64,
    },
    /// A stamp lies ahead of ROS time.
    StampAhead {
        /// The sensor that sent it.
        sensor: Sensor,
        /// How far ahead, s.
        seconds: f64,
    },
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewInstruction => f.write_str("a new instruction"),
            Self::InstructionRemoved => f.write_str("the instruction was taken back"),
            Self::ActionReset => write!(f, "{} was called", crate::topics::RESET_ACTION.name),
            Self::FilterReset => write!(f, "{} was called", crate::topics::RESET_FILTER.name),
            Self::WentHome => f.write_str("the robot went home"),
            Self::HandedBack => f.write_str("a person handed back"),
            Self::ClockBack { seconds } => write!(f, "the clock jumped back by {seconds:.3} s"),
            Self::StampAhead { sensor, seconds } => {
                write!(f, "{sensor}: its stamp lies {seconds:.3} s in the future")
            }
        }
    }
}
