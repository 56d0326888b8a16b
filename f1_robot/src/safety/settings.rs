//! The filter's parameters, with their defaults and what makes them valid.

use serde::{Deserialize, Serialize};

/// What happens to a chunk that breaks a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is refused.
    Reject,
    /// It is made harmless: clamped into bounds, slowed down, cut.
    #[default]
    Clamp,
}

/// How fast the end effectors may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    /// The robot file's `end_effector_speed.full`.
    #[default]
    Full,
    /// The robot file's `end_effector_speed.teach`, 0.25 m/s unless it says otherwise.
    Teach,
}

/// How a chunk joins the one before (see [`crate::splice`]).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splice {
    /// The new chunk replaces the old one from now on. Real-time chunking also splices so: its
    /// chunk already continues the old one.
    #[default]
    Replace,
    /// Rows due at the same moment are averaged with weights `exp(-decay * age rank)`, oldest
    /// first, as ACT does.
    Ensemble {
        /// ACT's m, 0.01 in its experiments; larger trusts older chunks more.
        decay: f64,
    },
}

/// One lock: a source that can stop the robot and has to keep saying that it does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockSettings {
    /// Its name.
    pub name: String,
    /// Silence for longer counts as locked, seconds.
    pub timeout: f64,
}

/// When repeated interventions stop the robot for good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatchSettings {
    /// So many interventions...
    pub count: usize,
    /// ...within so many seconds latch the stop. An intervention is a chunk that was refused, cut,
    /// moved into bounds or slowed down for a start jump; one that was merely slowed down is
    /// none, nor one that came too late or was made for an instruction that no longer holds.
    pub window: f64,
}

/// The filter's parameters. Times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSettings {
    /// What happens to a chunk that breaks a limit.
    pub mode: Mode,
    /// Which end-effector speed holds.
    pub speed: Speed,
    /// How chunks are joined.
    pub splice: Splice,
    /// Distance to a position limit within which motion toward it is not allowed, as a part of the
    /// joint's range.
    pub margin: f64,
    /// The running motion is kept for so long after a request before a new one takes over: the
    /// time that a message takes to the controller. 0: takes over at once.
    pub lead: f64,
    /// Measured and running position further apart than this: the measured state wins, rad (m). A
    /// gripper may be off by its whole range, because a held object stops it.
    pub position_tolerance: f64,
    /// The same for velocity, rad/s (m/s).
    pub velocity_tolerance: f64,
    /// A robot follows its set-points with a delay of up to this, seconds: a measured state is
    /// compared with the range that the set-points went through in this time, not with the
    /// newest one alone.
    pub tracking_delay: f64,
    /// After a stop, the measured state wins already when it is further away than this, rad (m).
    pub resume_tolerance: f64,
    /// A chunk older than this is refused.
    pub chunk_age: f64,
    /// Watchdog: the robot moves and the newest chunk's observation is older than this.
    pub observation_age: f64,
    /// Watchdog: the robot moves and its state was not measured for this long.
    pub joint_state_age: f64,
    /// Watchdog: the robot moves and no chunk came for this long.
    pub inference_age: f64,
    /// The locks.
    pub locks: Vec<LockSettings>,
    /// The latch; `None`: never.
    pub latch: Option<LatchSettings>,
    /// Whether self and scene clearance are checked.
    pub clearance: bool,
    /// A chunk that could only be followed in more than so many times its own duration plus ten
    /// seconds is refused.
    pub longest_stretch: f64,
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Clamp,
            speed: Speed::Full,
            splice: Splice::Replace,
            margin: 0.0,
            lead: 0.0,
            position_tolerance: 0.1,
            velocity_tolerance: 1.0,
            tracking_delay: 0.1,
            resume_tolerance: 1e-3,
            chunk_age: 1.0,
            observation_age: 2.0,
            joint_state_age: 0.25,
            inference_age: 1.5,
            locks: Vec::new(),
            latch: Some(LatchSettings { count: 10, window: 10.0 }),
            clearance: true,
            longest_stretch: 50.0,
        }
    }
}

impl FilterSettings {
    /// All that is wrong with the parameters as a whole; empty if they are valid.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let numbers = [
            ("lead", self.lead, 0.0, 1.0),
            ("margin", self.margin, 0.0, 0.49),
            ("position_tolerance", self.position_tolerance, 1e-6, 10.0),
            ("velocity_tolerance", self.velocity_tolerance, 1e-6, 100.0),
            ("tracking_delay", self.tracking_delay, 0.0, 1.0),
            ("resume_tolerance", self.resume_tolerance, 1e-6, 10.0),
            ("chunk_age", self.chunk_age, 1e-3, 3600.0),
            ("observation_age", self.observation_age, 1e-3, 3600.0),
            ("joint_state_age", self.joint_state_age, 1e-3, 3600.0),
            ("inference_age", self.inference_age, 1e-3, 3600.0),
            ("longest_stretch", self.longest_stretch, 1.0, 1000.0),
        ];
        for (name, value, least, greatest) in numbers {
            if !(value >= least && value <= greatest) {
                faults.push(format!("{name}: {value} is not within [{least}, {greatest}]"));
            }
        }
        if self.resume_tolerance > self.position_tolerance {
            faults.push("resume_tolerance: greater than position_tolerance".into());
        }
        if let Splice::Ensemble { decay } = self.splice
            && !(0.0..=10.0).contains(&decay)
        {
            faults.push(format!("splice.decay: {decay} is not within [0, 10]"));
        }
        for (i, lock) in self.locks.iter().enumerate() {
            if !(lock.timeout > 0.0 && lock.timeout <= 3600.0) {
                faults
                    .push(format!("locks[{i}].timeout: {} is not within (0, 3600]", lock.timeout));
            }
            if self.locks[..i].iter().any(|other| other.name == lock.name) {
                faults.push(format!("locks[{i}].name: {} is there twice", lock.name));
            }
        }
        if let Some(latch) = self.latch
            && !(latch.count > 0 && latch.window > 0.0 && latch.window <= 3600.0)
        {
            faults
                .push(format!("latch: {} within {} s can never happen", latch.count, latch.window));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_faults_are_listed_at_once() {
        assert_eq!(FilterSettings::default().faults(), Vec::<String>::new());
        let settings =
            FilterSettings { lead: f64::NAN, chunk_age: 0.0, ..FilterSettings::default() };
        assert_eq!(settings.faults().len(), 2);
    }
}
