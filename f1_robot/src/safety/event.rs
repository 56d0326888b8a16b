//! The filter's decisions: verdicts and events.

use serde::{Serialize, Serializer};

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The chunk's waypoints are kept exactly; or there was no chunk and the running motion goes
    /// on.
    Accepted,
    /// The chunk moves the robot, but not exactly as asked; the events say what was changed.
    Modified,
    /// The chunk is refused; what runs goes on to its rest.
    Rejected,
    /// Something demands a stop: the robot brakes to rest and stays there.
    Stopped,
}

/// The check that an event comes from, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A number is not finite, or too large to be plausible.
    Finite,
    /// Joint names are missing, unknown, repeated or in another order.
    Names,
    /// The number of rows or columns, or the rate, is wrong.
    Shape,
    /// The measured state is missing or unusable.
    State,
    /// The clock went backwards.
    Clock,
    /// The chunk is too old, or from the future.
    Age,
    /// The chunk is a repetition or older than one that was taken.
    Sequence,
    /// The chunk is of another epoch.
    Epoch,
    /// The measured state and the running motion disagree.
    Disagreement,
    /// Motion resumes after a stop.
    Resume,
    /// The first waypoint is too far from where the robot is.
    StartJump,
    /// A waypoint is beyond a position limit.
    Position,
    /// A waypoint is within the margin of a position limit.
    Margin,
    /// Velocity.
    Velocity,
    /// Acceleration.
    Acceleration,
    /// Jerk.
    Jerk,
    /// End-effector speed.
    EndEffectorSpeed,
    /// The workspace box.
    Workspace,
    /// Clearance between parts of the robot.
    SelfClearance,
    /// Clearance to the scene.
    SceneClearance,
    /// Waypoints already under way are passed over.
    Splice,
    /// No motion within all limits leads there.
    Unreachable,
    /// A joint moves that its limits do not let stop.
    Unstoppable,
    /// A lock is engaged or silent.
    Lock,
    /// The stop is latched.
    Latch,
    /// No observation for too long.
    ObservationAge,
    /// No measured joint state for too long.
    JointStateAge,
    /// No chunk for too long.
    InferenceAge,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Only reported.
    Reported,
    /// A value was moved to its limit.
    Clamped,
    /// The joint is held still.
    Held,
    /// Time was stretched for all joints together.
    Scaled,
    /// Waypoints at the chunk's start were passed over.
    Skipped,
    /// The chunk was cut before the step.
    Cut,
    /// The measured state replaced the running motion.
    Restarted,
    /// The chunk or the state was refused.
    Refused,
    /// The robot was brought to rest.
    Stopped,
}

/// One decision with the number that caused it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The check.
    pub rule: Rule,
    /// The joint, arm, lock or pair of links; `None`: the whole robot.
    pub joint: Option<String>,
    /// The chunk's row (0-based).
    pub step: Option<usize>,
    /// The value that was asked for or measured; JSON null if there is none or it is not finite.
    #[serde(serialize_with = "finite")]
    pub asked: Option<f64>,
    /// The limit that it broke.
    #[serde(serialize_with = "finite")]
    pub limit: Option<f64>,
    /// What was done.
    pub action: Response,
}

impl Event {
    /// An event about the whole robot, without numbers.
    pub fn new(rule: Rule, action: Response) -> Self {
        Self { rule, joint: None, step: None, asked: None, limit: None, action }
    }

    /// Names the joint (or arm, lock, pair of links).
    #[must_use]
    pub fn joint(mut self, name: impl Into<String>) -> Self {
        self.joint = Some(name.into());
        self
    }

    /// Names the row.
    #[must_use]
    pub fn step(mut self, step: usize) -> Self {
        self.step = Some(step);
        self
    }

    /// Adds the value and its limit.
    #[must_use]
    pub fn numbers(mut self, asked: f64, limit: f64) -> Self {
        (self.asked, self.limit) = (Some(asked), Some(limit));
        self
    }
}

fn finite<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.filter(|value| value.is_finite()).serialize(serializer)
}
