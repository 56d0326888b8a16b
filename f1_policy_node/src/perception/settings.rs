//! The parameters of the node `perception`.

use f1_middleware::parameters::{Descriptor, ParameterError, Parameters};

use super::matching::MatchSettings;

// Defaults, s.
const SLOP: f64 = 0.05;
const FUTURE: f64 = 0.1;
const STALE: f64 = 1.0;
const JUMP: f64 = 0.5;
const FROZEN: f64 = 1.0;
const SILENT: f64 = 1.0;
const JOINT_AGE: f64 = 0.25;

/// The parameters of the node `perception`, read when it is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct PerceptionSettings {
    /// Largest distance of the stamps in one observation, ns.
    pub slop_ns: i64,
    /// How far a stamp may lie ahead of now, ns.
    pub future_ns: i64,
    /// A stamp this far before now is of no use, ns.
    pub stale_ns: i64,
    /// A stamp this far before the last one is a jump of the clock, ns.
    pub jump_ns: i64,
    /// An image that does not change for longer is a frozen camera, ns; 0 never.
    pub frozen_ns: i64,
    /// A camera that sends nothing for longer is silent, ns.
    pub silent_ns: i64,
    /// The joints of one observation were measured at most so far apart, ns.
    pub joint_age_ns: i64,
    /// Distance of two encoded history frames, ns; 0 takes the data set's step.
    pub history_period_ns: i64,
    /// Cameras that may be absent: they are masked then.
    pub optional_cameras: Vec<String>,
}

impl PerceptionSettings {
    /// Declares the parameters with their ranges; values come from the command line and parameter
    /// files.
    ///
    /// # Errors
    /// A given value of another kind or outside its range.
    pub fn declare(parameters: &Parameters) -> Result<(), ParameterError> {
        parameters.declare(
            "instruction",
            String::new(),
            Descriptor::new(
                "What to do, in plain language. Empty: the robot comes to rest and waits.",
            ),
        )?;
        let seconds = |name: &str, default: f64, from: f64, to: f64, text: &str| {
            parameters.declare(name, default, Descriptor::new(text).doubles(from, to)).map(|_| ())
        };
        seconds(
            "sync_slop",
            SLOP,
            0.001,
            1.0,
            "Largest distance of the stamps in one observation, s. Cameras that run free give sets of different tightness; the tight ones are taken.",
        )?;
        seconds(
            "future_tolerance",
            FUTURE,
            0.0,
            10.0,
            "How far a stamp may lie ahead of ROS time, s; beyond it the message is refused.",
        )?;
        seconds(
            "stale_after",
            STALE,
            0.01,
            60.0,
            "A message whose stamp lies further in the past is refused, s: the sender's clock is wrong, or the link too slow.",
        )?;
        seconds(
            "clock_jump",
            JUMP,
            0.01,
            60.0,
            "A stamp this far before the last one of its source is a jump of the clock, s: buffers restart.",
        )?;
        seconds(
            "frozen_after",
            FROZEN,
            0.0,
            60.0,
            "A camera whose image does not change for longer counts as frozen and stops motion, s; 0: never.",
        )?;
        seconds(
            "silent_after",
            SILENT,
            0.05,
            60.0,
            "A camera or the joint states that send nothing for longer are named in status and diagnostics, s.",
        )?;
        seconds(
            "joint_age",
            JOINT_AGE,
            0.001,
            60.0,
            "The joints of one observation were measured at most so far apart, s: drivers of one robot may send at different rates, and one that stops ends the observations.",
        )?;
        seconds(
            "history_period",
            0.0,
            0.0,
            10.0,
            "Distance of two encoded history frames, s; 0: one step of the data set (1 / rate of the robot file).",
        )?;
        parameters.declare(
            "optional_cameras",
            Vec::<String>::new(),
            Descriptor::new(
                "Names of the robot file's cameras that may be absent; they are masked then.",
            ),
        )?;
        Ok(())
    }

    /// The values as they stand.
    ///
    /// # Errors
    /// Parameters that were not declared.
    pub fn read(parameters: &Parameters) -> Result<Self, ParameterError> {
        let ns =
            |name: &str| parameters.get::<f64>(name).map(|seconds| (seconds * 1e9).round() as i64);
        Ok(Self {
            slop_ns: ns("sync_slop")?,
            future_ns: ns("future_tolerance")?,
            stale_ns: ns("stale_after")?,
            jump_ns: ns("clock_jump")?,
            frozen_ns: ns("frozen_after")?,
            silent_ns: ns("silent_after")?,
            joint_age_ns: ns("joint_age")?,
            history_period_ns: ns("history_period")?,
            optional_cameras: parameters.get("optional_cameras")?,
        })
    }

    /// The defaults, for what runs without a node.
    #[must_use]
    pub fn offline() -> Self {
        let ns = |seconds: f64| (seconds * 1e9).round() as i64;
        Self {
            slop_ns: ns(SLOP),
            future_ns: ns(FUTURE),
            stale_ns: ns(STALE),
            jump_ns: ns(JUMP),
            frozen_ns: ns(FROZEN),
            silent_ns: ns(SILENT),
            joint_age_ns: ns(JOINT_AGE),
            history_period_ns: 0,
            optional_cameras: Vec::new(),
        }
    }

    /// What the matcher tolerates.
    #[must_use]
    pub fn matching(&self) -> MatchSettings {
        MatchSettings {
            slop_ns: self.slop_ns,
            jump_ns: self.jump_ns,
            future_ns: self.future_ns,
            depth: 16,
        }
    }
}
