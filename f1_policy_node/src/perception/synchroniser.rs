//! From stamped camera frames and joint states to sets that belong together. The node `perception`
//! and `f1 convert` match messages with this code.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::sensor_msgs::msg::JointState;
use f1_robot::Robot;
use f1_robot::state::MeasurementError;

use super::joints::JointBuffer;
use super::matching::{StampFault, StampMatcher};
use super::settings::PerceptionSettings;
use crate::measured::{JointMerge, Merged};
use crate::observation::JointSample;

/// Why a stamp is refused, with its distance from ROS time, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampRefused {
    /// It lies ahead of the present by so much.
    Ahead(i64),
    /// It lies in the past by so much.
    Past(i64),
}

impl StampRefused {
    /// Whether a stamp can be used at `now_ns`.
    #[must_use]
    pub fn of(stamp_ns: i64, now_ns: i64, settings: &PerceptionSettings) -> Option<Self> {
        let ahead_ns = stamp_ns.saturating_sub(now_ns);
        if ahead_ns > settings.future_ns {
            Some(Self::Ahead(ahead_ns))
        } else if ahead_ns.saturating_neg() > settings.stale_ns {
            Some(Self::Past(ahead_ns.saturating_neg()))
        } else {
            None
        }
    }
}

/// What became of one message of joint states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JointsTaken {
    /// All joints are known: there is a new sample.
    Sample,
    /// The message holds none of the robot's joints, or nothing new.
    Nothing,
    /// Stamps went back by so much, ns: nothing that is kept can be compared with what comes.
    ClockBack(i64),
    /// The joints together cannot be used; the text says why and begins with `joint states`.
    Refused(String),
}

/// One set of messages that belong together.
#[derive(Debug, Clone)]
pub struct MatchedSet<F> {
    /// The oldest stamp of the required cameras, ns of ROS time.
    pub stamp_ns: i64,
    /// One frame a camera with its stamp; `None` only for an optional camera.
    pub frames: Vec<Option<(i64, F)>>,
    /// The joints nearest to the stamp.
    pub joints: JointSample,
}

/// Positions in the order of the robot's joints, and the state vector, out of joints by name.
pub type Encode<'a> =
    dyn Fn(&[String], &[f64]) -> Result<(Vec<f64>, Vec<f32>), MeasurementError> + 'a;

/// Matches the frames of several cameras and the joints by their stamps.
#[derive(Debug)]
pub struct Synchroniser<F> {
    matcher: StampMatcher<F>,
    merge: JointMerge,
    samples: JointBuffer,
    /// Which cameras are required.
    required: Vec<bool>,
    slop_ns: i64,
    joint_age_ns: i64,
}

impl<F: Clone> Synchroniser<F> {
    /// For a robot whose camera `i` is required where `required[i]`; at least one must be.
    #[must_use]
    pub fn new(robot: &Arc<Robot>, settings: &PerceptionSettings, required: Vec<bool>) -> Self {
        Self {
            matcher: StampMatcher::new(settings.matching(), &required),
            merge: JointMerge::new(robot, settings.jump_ns),
            samples: JointBuffer::default(),
            required,
            slop_ns: settings.slop_ns,
            joint_age_ns: settings.joint_age_ns,
        }
    }

    /// Takes a frame of a camera, stamped `stamp_ns`, at ROS time `now_ns`.
    ///
    /// # Errors
    /// A stamp that cannot be used.
    pub fn frame(
        &mut self,
        camera: usize,
        stamp_ns: i64,
        frame: F,
        now_ns: i64,
    ) -> Result<(), StampFault> {
        self.matcher.push(camera, stamp_ns, frame, now_ns)
    }

    /// Takes a message of joint states, stamped `stamp_ns`, that arrived at `arrived` on the steady
    /// clock.
    pub fn joint_states(
        &mut self,
        message: &JointState,
        stamp_ns: i64,
        arrived: Duration,
        encode: &Encode<'_>,
    ) -> JointsTaken {
        let merged = match self.merge.push(message, stamp_ns, arrived) {
            Ok(merged) => merged,
            Err(error) => return JointsTaken::Refused(error.to_string()),
        };
        let set = match (merged, self.merge.joints()) {
            (Merged::Nothing, _) | (_, None) => return JointsTaken::Nothing,
            (Merged::ClockBack(back_ns), _) => return JointsTaken::ClockBack(back_ns),
            (Merged::Measured, Some(set)) => set,
        };
        let (positions, state) = match encode(&set.names, &set.positions) {
            Ok(encoded) => encoded,
            Err(error) => return JointsTaken::Refused(error.to_string()),
        };
        if let Some(reason) = set.apart(self.joint_age_ns) {
            return JointsTaken::Refused(format!("joint states: {reason}"));
        }
        self.samples.push(JointSample { stamp_ns: set.stamp_ns, positions, state, arrived });
        JointsTaken::Sample
    }

    /// Whether a message holds any of the robot's joints.
    #[must_use]
    pub fn concerns(&self, message: &JointState) -> bool {
        self.merge.concerns(message)
    }

    /// The newest set that was not taken yet.
    pub fn take(&mut self) -> Option<MatchedSet<F>> {
        // The joints must have arrived before a set is taken: a set is served once.
        let required = self.required.iter().enumerate().filter(|(_, required)| **required);
        let oldest = required.map(|(camera, _)| self.matcher.newest_ns(camera)).min().flatten()?;
        let joints_ns = self.newest_joints_ns()?;
        if joints_ns < oldest - self.slop_ns {
            return None;
        }
        let set = self.matcher.newest()?;
        let joints = self.samples.nearest(set.stamp_ns, self.slop_ns)?.clone();
        Some(MatchedSet { stamp_ns: set.stamp_ns, frames: set.values, joints })
    }

    /// Newest stamp of a camera, ns.
    #[must_use]
    pub fn newest_ns(&self, camera: usize) -> Option<i64> {
        self.matcher.newest_ns(camera)
    }

    /// Stamp of the newest sample of the joints, ns.
    #[must_use]
    pub fn newest_joints_ns(&self) -> Option<i64> {
        self.samples.newest().map(|sample| sample.stamp_ns)
    }

    /// The newest sample of the joints.
    #[must_use]
    pub fn newest_joints(&self) -> Option<&JointSample> {
        self.samples.newest()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.matcher.reset();
        self.merge.clear();
        self.samples.clear();
    }
}
