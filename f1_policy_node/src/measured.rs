//! Joint states of one or several drivers, merged by joint name with an age for each joint.
//!
//! An arm's driver and a gripper's driver send messages of their own, on one topic or on several.
//! The newest measurement of each joint is kept with its stamp; nodes and `f1 convert` read all
//! joints together from here.

use std::collections::BTreeMap;
use std::time::Duration;

use f1_interfaces::sensor_msgs::msg::JointState;
use f1_robot::Robot;
use f1_robot::robot_file::StatePart;
use f1_robot::state::MeasurementError;

/// The newest measurement of one joint.
#[derive(Debug, Clone, Copy)]
struct Joint {
    /// rad or m.
    position: f64,
    /// rad/s or m/s; not a number where it was not measured.
    velocity: f64,
    /// ns of ROS time.
    stamp_ns: i64,
    /// When the message arrived, on the steady clock.
    arrived: Duration,
}

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// It holds none of the robot's joints, or nothing newer than is known.
    Nothing,
    /// It measured some joints.
    Measured,
    /// Stamps of a joint went back by so much, ns: what was known before is forgotten.
    ClockBack(i64),
}

/// All joints together, each as it was last measured.
#[derive(Debug, Clone, PartialEq)]
pub struct JointSet {
    /// Joints that were measured, by name.
    pub names: Vec<String>,
    /// rad or m.
    pub positions: Vec<f64>,
    /// rad/s or m/s; not a number where none was measured.
    pub velocities: Vec<f64>,
    /// The newest stamp among the joints, ns of ROS time.
    pub stamp_ns: i64,
    /// The joint that was measured longest before `stamp_ns`, and how long before, ns.
    pub oldest: Option<(String, i64)>,
}

/// Keeps the newest measurement of each of a robot's joints.
#[derive(Debug, Clone)]
pub struct JointMerge {
    /// Joints that the robot or its state vector needs, and whether they must be measured: the
    /// others are computed from the joint that they mimic.
    needed: BTreeMap<String, bool>,
    joints: BTreeMap<String, Joint>,
    jump_ns: i64,
}

impl JointMerge {
    /// For a robot; a joint's stamp that goes back by more than `jump_ns` is a jump of the clock.
    #[must_use]
    pub fn new(robot: &Robot, jump_ns: i64) -> Self {
        let mut needed = BTreeMap::new();
        for part in &robot.file().state.parts {
            if let StatePart::JointPositions(part) = part {
                needed.extend(part.joints.iter().map(|joint| (joint.clone(), false)));
            }
        }
        needed.extend(robot.joints().iter().map(|joint| (joint.name.clone(), true)));
        Self { needed, joints: BTreeMap::new(), jump_ns }
    }

    /// Takes a message stamped `stamp_ns` that arrived at `arrived` on the steady clock.
    ///
    /// A joint keeps what was measured last: an older stamp, as of a message that was overtaken, is
    /// passed over.
    ///
    /// # Errors
    /// A message with the robot's joints whose names and positions differ in number, or that names
    /// one of them twice.
    pub fn push(
        &mut self,
        message: &JointState,
        stamp_ns: i64,
        arrived: Duration,
    ) -> Result<Merged, MeasurementError> {
        let mut found = BTreeMap::new();
        for (index, name) in message.name.iter().enumerate() {
            if self.needed.contains_key(name) && found.insert(name, index).is_some() {
                return Err(MeasurementError {
                    missing: vec![format!("{name} (it is named twice)")],
                    not_finite: Vec::new(),
                    lengths: None,
                });
            }
        }
        if found.is_empty() {
            return Ok(Merged::Nothing);
        }
        if message.name.len() != message.position.len() {
            return Err(MeasurementError {
                missing: Vec::new(),
                not_finite: Vec::new(),
                lengths: Some((message.name.len(), message.position.len())),
            });
        }
        let back_ns = found.keys().filter_map(|name| self.joints.get(*name));
        let back_ns = back_ns.map(|joint| joint.stamp_ns.saturating_sub(stamp_ns)).max();
        let jumped = back_ns.filter(|back_ns| *back_ns > self.jump_ns);
        if jumped.is_some() {
            self.joints.clear();
        }
        let mut merged = Merged::Nothing;
        for (name, index) in found {
            if self.joints.get(name).is_some_and(|joint| joint.stamp_ns >= stamp_ns) {
                continue;
            }
            let velocity = message.velocity.get(index).copied().unwrap_or(f64::NAN);
            let position = message.position[index];
            self.joints.insert(name.clone(), Joint { position, velocity, stamp_ns, arrived });
            merged = Merged::Measured;
        }
        Ok(jumped.map_or(merged, Merged::ClockBack))
    }

    /// Whether a message holds any of the robot's joints.
    #[must_use]
    pub fn concerns(&self, message: &JointState) -> bool {
        message.name.iter().any(|name| self.needed.contains_key(name))
    }

    /// All joints that were measured; `None` before the first.
    #[must_use]
    pub fn joints(&self) -> Option<JointSet> {
        let stamp_ns = self.joints.values().map(|joint| joint.stamp_ns).max()?;
        let must = |name: &String| self.needed.get(name).copied().unwrap_or(false);
        let oldest = self
            .joints
            .iter()
            .filter(|(name, _)| must(name))
            .map(|(name, joint)| (name.clone(), stamp_ns - joint.stamp_ns))
            .max_by_key(|(_, age_ns)| *age_ns);
        Some(JointSet {
            names: self.joints.keys().cloned().collect(),
            positions: self.joints.values().map(|joint| joint.position).collect(),
            velocities: self.joints.values().map(|joint| joint.velocity).collect(),
            stamp_ns,
            oldest,
        })
    }

    /// The joint whose last measurement arrived longest ago and when, on the steady clock, of the
    /// joints that must be measured and were at least once.
    #[must_use]
    pub fn longest_silent(&self) -> Option<(&str, Duration)> {
        let measured = self.joints.iter().filter(|(name, _)| self.needed.get(*name) == Some(&true));
        let (name, joint) = measured.min_by_key(|(_, joint)| joint.arrived)?;
        Some((name, joint.arrived))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.joints.clear();
    }
}

impl JointSet {
    /// Says which joint was measured more than `limit_ns` before the newest one, and how long, s.
    #[must_use]
    pub fn apart(&self, limit_ns: i64) -> Option<String> {
        let (name, age_ns) = self.oldest.as_ref().filter(|(_, age_ns)| *age_ns > limit_ns)?;
        let seconds = *age_ns as f64 * 1e-9;
        Some(format!("{name} was measured {seconds:.2} s before the newest joint"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MS: i64 = 1_000_000;

    fn robot() -> Robot {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Robot::load(&root.join("config/robots/bench_arm.yaml")).unwrap()
    }

    /// The joints `names` of the robot at `position`, with the velocities that are given.
    fn message(names: &[String], position: f64, velocity: &[f64]) -> JointState {
        JointState {
            name: names.to_vec(),
            position: vec![position; names.len()],
            velocity: velocity.to_vec(),
            ..JointState::default()
        }
    }

    /// Names of the arm's joints and of the gripper's.
    fn drivers(robot: &Robot) -> (Vec<String>, Vec<String>) {
        let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
        let (arm, gripper) = names.split_at(names.len() - 1);
        (arm.to_vec(), gripper.to_vec())
    }

    #[test]
    fn two_drivers_give_one_set_with_an_age_for_each_joint() {
        let robot = robot();
        let (arm, gripper) = drivers(&robot);
        let mut merge = JointMerge::new(&robot, 500 * MS);
        let at = Duration::from_millis;
        assert_eq!(merge.push(&message(&gripper, 0.04, &[]), 0, at(0)).unwrap(), Merged::Measured);
        let set = merge.joints().unwrap();
        assert!(robot.joint_vector(&set.names, &set.positions).is_err(), "the arm is missing");
        for step in 1..=20 {
            merge.push(&message(&arm, 0.1, &[]), step * 10 * MS, at(step as u64 * 10)).unwrap();
        }
        let set = merge.joints().unwrap();
        let vector = robot.joint_vector(&set.names, &set.positions).unwrap();
        assert_eq!((vector[0], vector[arm.len()]), (0.1, 0.04));
        assert_eq!(set.stamp_ns, 200 * MS);
        assert_eq!(set.oldest, Some((gripper[0].clone(), 200 * MS)));
        assert_eq!(set.apart(200 * MS), None);
        assert!(set.apart(199 * MS).unwrap().contains(&gripper[0]));
        assert_eq!(merge.longest_silent(), Some((gripper[0].as_str(), Duration::ZERO)));
    }

    #[test]
    fn a_velocity_is_measured_joint_by_joint() {
        let robot = robot();
        let (arm, _) = drivers(&robot);
        for (velocity, known) in [
            (vec![], [false, false, false]),
            (vec![1.0], [true, false, false]),
            (vec![f64::NAN, 1.0], [false, true, false]),
        ] {
            let mut merge = JointMerge::new(&robot, 500 * MS);
            merge.push(&message(&arm[..3], 0.1, &velocity), MS, Duration::ZERO).unwrap();
            let set = merge.joints().unwrap();
            let found: Vec<bool> = set.velocities.iter().map(|v| !v.is_nan()).collect();
            assert_eq!(found, known, "{velocity:?}");
        }
    }

    #[test]
    fn an_older_measurement_is_passed_over_and_a_clock_that_goes_back_starts_again() {
        let robot = robot();
        let (arm, gripper) = drivers(&robot);
        let mut merge = JointMerge::new(&robot, 500 * MS);
        let mut push = |names: &[String], position: f64, stamp_ns: i64| {
            merge.push(&message(names, position, &[]), stamp_ns, Duration::ZERO).unwrap()
        };
        push(&arm, 0.1, 10_000 * MS);
        // Two drivers whose clocks differ are no jump.
        assert_eq!(push(&gripper, 0.04, 9_000 * MS), Merged::Measured);
        assert_eq!(push(&arm, 0.2, 9_990 * MS), Merged::Nothing);
        assert_eq!(push(&arm, 0.3, 9_000 * MS), Merged::ClockBack(1_000 * MS));
        let set = merge.joints().unwrap();
        assert_eq!((set.names.len(), set.positions[0]), (arm.len(), 0.3));
    }

    #[test]
    fn messages_without_the_robots_joints_are_passed_over_whatever_they_hold() {
        let robot = robot();
        let mut merge = JointMerge::new(&robot, 500 * MS);
        let mut wheels = message(&["wheel".to_owned()], 1.0, &[]);
        wheels.position.clear();
        assert_eq!(merge.push(&wheels, MS, Duration::ZERO), Ok(Merged::Nothing));
        assert!(merge.joints().is_none());
        let (arm, _) = drivers(&robot);
        let mut short = message(&arm, 0.1, &[]);
        short.position.pop();
        assert!(merge.push(&short, MS, Duration::ZERO).is_err());
        let twice = [arm[0].clone(), arm[0].clone()];
        let error = merge.push(&message(&twice, 0.1, &[]), MS, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains(&arm[0]), "{error}");
    }
}
