//! The parameters of the node `safety_filter`.

use std::time::Duration;

use f1_middleware::parameters::{Descriptor, ParameterError, Parameters, Proposal};
use f1_robot::safety::{FilterSettings, LatchSettings, Mode, Speed, Splice};

/// The parameters of the node `safety_filter`.
#[derive(Debug, Clone, PartialEq)]
pub struct SafetySettings {
    /// What the filter itself takes.
    pub filter: FilterSettings,
    /// How often the filter looks at watchdogs and locks, Hz.
    pub rate_hz: f64,
    /// Sends goals of FollowJointTrajectory instead of messages on the topic, where the robot file
    /// leaves it open.
    pub follow_joint_trajectory: bool,
    /// Topics of the locks.
    pub locks: Vec<String>,
    /// A lock that is silent for longer counts as locked.
    pub lock_timeout: Duration,
    /// The decay of `ensemble`.
    pub ensemble_decay: f64,
}

/// Reads one parameter, from the parameters as they stand or from a proposed set.
trait Source {
    fn double(&self, name: &str) -> Result<f64, String>;
    fn integer(&self, name: &str) -> Result<i64, String>;
    fn flag(&self, name: &str) -> Result<bool, String>;
    fn text(&self, name: &str) -> Result<String, String>;
    fn texts(&self, name: &str) -> Result<Vec<String>, String>;
}

macro_rules! source {
    ($type:ty) => {
        impl Source for $type {
            fn double(&self, name: &str) -> Result<f64, String> {
                self.get(name).map_err(|error| error.to_string())
            }
            fn integer(&self, name: &str) -> Result<i64, String> {
                self.get(name).map_err(|error| error.to_string())
            }
            fn flag(&self, name: &str) -> Result<bool, String> {
                self.get(name).map_err(|error| error.to_string())
            }
            fn text(&self, name: &str) -> Result<String, String> {
                self.get(name).map_err(|error| error.to_string())
            }
            fn texts(&self, name: &str) -> Result<Vec<String>, String> {
                self.get(name).map_err(|error| error.to_string())
            }
        }
    };
}

source!(Parameters);
source!(Proposal<'_>);

impl SafetySettings {
    /// Declares the parameters with their ranges, and refuses sets that are not valid as a whole.
    ///
    /// # Errors
    /// A given value of another kind or outside its range.
    pub fn declare(parameters: &Parameters) -> Result<(), ParameterError> {
        let defaults = FilterSettings::default();
        let latch = defaults.latch.unwrap_or(LatchSettings { count: 10, window: 10.0 });
        let double = |name: &str, default: f64, from: f64, to: f64, text: &str| {
            parameters.declare(name, default, Descriptor::new(text).doubles(from, to)).map(|_| ())
        };
        parameters.declare(
            "mode",
            "clamp".to_owned(),
            Descriptor::new(
                "What happens to a chunk that breaks a limit: reject refuses it, clamp makes it harmless.",
            )
            .one_of(["reject", "clamp"]),
        )?;
        parameters.declare(
            "speed",
            "full".to_owned(),
            Descriptor::new(
                "End-effector speed: full or teach (0.25 m/s unless the robot file says otherwise).",
            )
            .one_of(["full", "teach"]),
        )?;
        double("rate", 50.0, 5.0, 1000.0, "How often watchdogs and locks are looked at, Hz.")?;
        double(
            "margin",
            defaults.margin,
            0.0,
            0.49,
            "Distance to a position limit within which motion toward it is not allowed, as a part of the joint's range.",
        )?;
        double(
            "lead",
            0.02,
            0.0,
            1.0,
            "The running motion is kept for so long after a chunk before the new one takes over, s: the time that a message takes to the controller.",
        )?;
        double(
            "position_tolerance",
            defaults.position_tolerance,
            1e-6,
            10.0,
            "Measured and running position further apart than this: the measured state wins, rad or m.",
        )?;
        double(
            "velocity_tolerance",
            defaults.velocity_tolerance,
            1e-6,
            100.0,
            "The same for velocity, rad/s or m/s.",
        )?;
        double(
            "tracking_delay",
            defaults.tracking_delay,
            0.0,
            1.0,
            "A robot follows its set-points with a delay of up to this, s: measured states are compared with the range that the set-points went through in this time.",
        )?;
        double(
            "resume_tolerance",
            0.01,
            1e-6,
            10.0,
            "After a stop the measured state wins already when it is further away than this, rad or m.",
        )?;
        double(
            "chunk_age",
            defaults.chunk_age,
            1e-3,
            3600.0,
            "A chunk whose observation is older than this is refused, s.",
        )?;
        double(
            "observation_age",
            defaults.observation_age,
            1e-3,
            3600.0,
            "Watchdog: the robot moves and the newest chunk's observation is older than this, s.",
        )?;
        double(
            "joint_state_age",
            defaults.joint_state_age,
            1e-3,
            3600.0,
            "Watchdog: the robot moves and its joints were not measured for this long, s.",
        )?;
        double(
            "inference_age",
            defaults.inference_age,
            1e-3,
            3600.0,
            "Watchdog: the robot moves and no chunk came for this long, s.",
        )?;
        double(
            "ensemble_decay",
            0.01,
            0.0,
            10.0,
            "Weights of ensemble are exp(-decay * rank), oldest chunk first.",
        )?;
        parameters.declare(
            "locks",
            Vec::<String>::new(),
            Descriptor::new(
                "Topics of std_msgs/Bool that can stop the robot: true stops, and silence stops too.",
            )
            .read_only(),
        )?;
        double(
            "lock_timeout",
            0.5,
            0.01,
            60.0,
            "A lock that is silent for longer counts as locked, s.",
        )?;
        parameters.declare(
            "latch_count",
            i64::try_from(latch.count).unwrap_or(10),
            Descriptor::new("So many interventions within latch_window stop the robot until safety_filter/reset; 0: never.").integers(0, 10_000),
        )?;
        double("latch_window", latch.window, 0.01, 3600.0, "See latch_count, s.")?;
        parameters.declare(
            "clearance",
            defaults.clearance,
            Descriptor::new("Check self and scene clearance."),
        )?;
        double(
            "longest_stretch",
            defaults.longest_stretch,
            1.0,
            1000.0,
            "A chunk that could only be followed in more than so many times its own duration (plus ten seconds) is refused.",
        )?;
        parameters.declare(
            "follow_joint_trajectory",
            false,
            Descriptor::new(
                "Send goals of FollowJointTrajectory instead of messages on <controller>/joint_trajectory.",
            )
            .read_only(),
        )?;
        parameters.on_set(|proposal| {
            let faults = Self::from_source(proposal)?.filter.faults();
            if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
        });
        Ok(())
    }

    /// The values as they stand. The way in which chunks are joined belongs to the node `action`.
    ///
    /// # Errors
    /// What is wrong with the set.
    pub fn read(parameters: &Parameters) -> Result<Self, String> {
        Self::from_source(parameters)
    }

    fn from_source(source: &dyn Source) -> Result<Self, String> {
        let locks = source.texts("locks")?;
        let timeout = source.double("lock_timeout")?;
        let count = usize::try_from(source.integer("latch_count")?).unwrap_or(0);
        let filter = FilterSettings {
            mode: if source.text("mode")? == "reject" { Mode::Reject } else { Mode::Clamp },
            speed: if source.text("speed")? == "teach" { Speed::Teach } else { Speed::Full },
            splice: Splice::Replace,
            margin: source.double("margin")?,
            lead: source.double("lead")?,
            position_tolerance: source.double("position_tolerance")?,
            velocity_tolerance: source.double("velocity_tolerance")?,
            tracking_delay: source.double("tracking_delay")?,
            resume_tolerance: source.double("resume_tolerance")?,
            chunk_age: source.double("chunk_age")?,
            observation_age: source.double("observation_age")?,
            joint_state_age: source.double("joint_state_age")?,
            inference_age: source.double("inference_age")?,
            // The node watches the locks itself, on the steady clock.
            locks: Vec::new(),
            latch: (count > 0)
                .then_some(LatchSettings { count, window: source.double("latch_window")? }),
            clearance: source.flag("clearance")?,
            longest_stretch: source.double("longest_stretch")?,
        };
        Ok(Self {
            filter,
            rate_hz: source.double("rate")?,
            follow_joint_trajectory: source.flag("follow_joint_trajectory")?,
            locks,
            lock_timeout: Duration::from_secs_f64(timeout),
            ensemble_decay: source.double("ensemble_decay")?,
        })
    }
}
