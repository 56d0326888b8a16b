//! A controller with the semantics of ros2_control's `JointTrajectoryController`, one joint group
//! at a time.
//!
//! A new trajectory replaces the running one at the moment its first segment begins; a stamp of
//! zero means "now", a stamp in the future lets the old trajectory run until then, and one that
//! ends in the past is refused. Between two points a segment is a quintic when both carry
//! accelerations, a cubic when both carry velocities, and a straight line otherwise. Before the
//! first point the segment starts from the set-point that the controller had when the trajectory
//! was taken up.

use f1_robot::safety::CheckedTrajectory;
use thiserror::Error;

/// One point of a trajectory: positions and, optionally, velocities and accelerations of every
/// joint (rad or m, seconds).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Seconds after the trajectory's start.
    pub time: f64,
    /// One value a joint.
    pub positions: Vec<f64>,
    /// Empty, or one value a joint.
    pub velocities: Vec<f64>,
    /// Empty, or one value a joint.
    pub accelerations: Vec<f64>,
}

/// A trajectory as it comes in a `trajectory_msgs/JointTrajectory`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// Start in seconds on the bench's clock; `None` stands for the zero stamp, which means "when
    /// it arrives".
    pub start: Option<f64>,
    /// Names, in the order of the values of each point.
    pub joints: Vec<String>,
    /// Points with strictly increasing times.
    pub points: Vec<Point>,
}

impl From<&CheckedTrajectory> for Trajectory {
    fn from(checked: &CheckedTrajectory) -> Self {
        let points = checked.points().iter().map(|point| Point {
            time: point.t,
            positions: point.position.clone(),
            velocities: point.velocity.clone(),
            accelerations: point.acceleration.clone(),
        });
        Trajectory {
            start: Some(checked.stamp() as f64 * 1e-9),
            joints: checked.joint_names().to_vec(),
            points: points.collect(),
        }
    }
}

/// Why a trajectory was refused; the controller goes on with the one it had.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("the trajectory has no points")]
    Empty,
    #[error("joint {0:?} is not one of this controller")]
    UnknownJoint(String),
    #[error("joint {0:?} is missing: partial goals are not allowed")]
    MissingJoint(String),
    #[error("point {point}: {count} {what}, {expected} joints")]
    Shape { point: usize, what: &'static str, count: usize, expected: usize },
    #[error("point {0}: a value is not finite")]
    NotFinite(usize),
    #[error("point {0}: times do not increase")]
    TimesDoNotIncrease(usize),
    #[error("last point: its velocity is not zero")]
    LastVelocityNotZero,
    #[error("the trajectory ended {0:.3} s ago")]
    EndsInThePast(f64),
}

/// Position, velocity and acceleration of every joint of a controller at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetPoint {
    /// rad or m.
    pub positions: Vec<f64>,
    /// Per second.
    pub velocities: Vec<f64>,
    /// Per second squared.
    pub accelerations: Vec<f64>,
}

impl SetPoint {
    /// At rest at `positions`.
    #[must_use]
    pub fn at_rest(positions: Vec<f64>) -> Self {
        let zero = vec![0.0; positions.len()];
        SetPoint { positions, velocities: zero.clone(), accelerations: zero }
    }

    fn to_point(&self, time: f64) -> Point {
        Point {
            time,
            positions: self.positions.clone(),
            velocities: self.velocities.clone(),
            accelerations: self.accelerations.clone(),
        }
    }
}

#[derive(Clone, Debug)]
struct Active {
    start: f64,
    /// The set-point at the moment the trajectory was taken up, as a point relative to `start`
    /// (its time is not positive).
    before: Point,
    points: Vec<Point>,
}

/// The controller of one group of joints.
#[derive(Clone, Debug)]
pub struct Controller {
    name: String,
    joints: Vec<String>,
    active: Option<Active>,
    waiting: Option<(f64, Vec<Point>)>,
    set_point: SetPoint,
    allow_nonzero_velocity_at_end: bool,
    /// Speed scaling: the part of real time by which the trajectory goes on.
    scale: f64,
    /// By how much the running trajectory is behind, s.
    behind: f64,
    /// When it was last updated, s.
    updated: Option<f64>,
}

impl Controller {
    /// A controller named `name` that holds `joints` at `positions`.
    #[must_use]
    pub fn new(name: &str, joints: &[String], positions: &[f64]) -> Self {
        Controller {
            name: name.to_owned(),
            joints: joints.to_vec(),
            active: None,
            waiting: None,
            set_point: SetPoint::at_rest(positions.to_vec()),
            allow_nonzero_velocity_at_end: false,
            scale: 1.0,
            behind: 0.0,
            updated: None,
        }
    }

    /// The controller's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The joints, in the order of every set-point.
    #[must_use]
    pub fn joints(&self) -> &[String] {
        &self.joints
    }

    /// The last set-point given by [`Controller::update`].
    #[must_use]
    pub fn set_point(&self) -> &SetPoint {
        &self.set_point
    }

    /// Runs trajectories at `scale` times their speed from the last update on, as a robot slowed at
    /// its pendant does; 0 pauses.
    pub fn set_speed_scaling(&mut self, scale: f64) {
        self.scale = scale.max(0.0);
    }

    /// The speed scaling in force.
    #[must_use]
    pub fn speed_scaling(&self) -> f64 {
        self.scale
    }

    /// Holds `positions` and forgets every trajectory.
    pub fn reset(&mut self, positions: &[f64]) {
        self.behind = 0.0;
        self.active = None;
        self.waiting = None;
        self.set_point = SetPoint::at_rest(positions.to_vec());
    }

    /// Takes a trajectory at time `now` (seconds).
    ///
    /// # Errors
    /// The first fault found, with the same rules as `validate_trajectory_msg` of ros2_control; the
    /// running trajectory stays.
    pub fn command(&mut self, now: f64, trajectory: &Trajectory) -> Result<(), Refusal> {
        let order = self.order(trajectory)?;
        let last = trajectory.points.last().ok_or(Refusal::Empty)?;
        if let Some(start) = trajectory.start
            && start + last.time < now
        {
            return Err(Refusal::EndsInThePast(now - start - last.time));
        }
        if !self.allow_nonzero_velocity_at_end
            && last.velocities.iter().any(|v| v.abs() > f64::from(f32::EPSILON))
        {
            return Err(Refusal::LastVelocityNotZero);
        }
        let mut previous = f64::NEG_INFINITY;
        let mut points = Vec::with_capacity(trajectory.points.len());
        for (index, point) in trajectory.points.iter().enumerate() {
            if point.time <= previous {
                return Err(Refusal::TimesDoNotIncrease(index));
            }
            previous = point.time;
            points.push(self.checked_point(index, point, &order)?);
        }
        let start = trajectory.start.unwrap_or(now);
        if start > now {
            self.waiting = Some((start, points));
        } else {
            self.take_up(now, start, points);
        }
        Ok(())
    }

    /// The set-point at `now`; call it with times that do not decrease.
    pub fn update(&mut self, now: f64) -> &SetPoint {
        if let Some((start, points)) = self.waiting.take_if(|(start, _)| *start <= now) {
            // The old trajectory runs up to the very start of the new one.
            self.set_point = self.sample(start - self.behind);
            self.take_up(start, start, points);
        }
        let elapsed = self.updated.replace(now).map_or(0.0, |before| now - before);
        self.behind += elapsed.max(0.0) * (1.0 - self.scale);
        self.set_point = self.scaled(self.sample(now - self.behind));
        &self.set_point
    }

    /// What the hardware does: at a part of the speed, velocities are that part.
    fn scaled(&self, mut set_point: SetPoint) -> SetPoint {
        set_point.velocities.iter_mut().for_each(|velocity| *velocity *= self.scale);
        set_point.accelerations.iter_mut().for_each(|one| *one *= self.scale * self.scale);
        set_point
    }

    fn take_up(&mut self, now: f64, start: f64, points: Vec<Point>) {
        self.waiting = None;
        let before = self.sample(now - self.behind).to_point(now - start);
        // A new trajectory is up to date when it is taken up.
        self.behind = 0.0;
        self.active = Some(Active { start, before, points });
    }

    fn sample(&self, now: f64) -> SetPoint {
        let Some(active) = &self.active else {
            return SetPoint::at_rest(self.set_point.positions.clone());
        };
        let time = now - active.start;
        let Some(next) = active.points.iter().position(|point| point.time > time) else {
            // Past the end a JTC holds the last point at rest.
            let positions =
                active.points.last().map_or_else(Vec::new, |point| point.positions.clone());
            return SetPoint::at_rest(positions);
        };
        let from = if next == 0 { &active.before } else { &active.points[next - 1] };
        if next == 0 && active.before.time >= active.points[0].time {
            return SetPoint::at_rest(active.points[0].positions.clone());
        }
        interpolate(from, &active.points[next], time)
    }

    /// For each joint of the controller its column in the trajectory.
    fn order(&self, trajectory: &Trajectory) -> Result<Vec<usize>, Refusal> {
        if let Some(unknown) = trajectory.joints.iter().find(|name| !self.joints.contains(name)) {
            return Err(Refusal::UnknownJoint(unknown.clone()));
        }
        let find = |name: &String| trajectory.joints.iter().position(|other| other == name);
        self.joints
            .iter()
            .map(|name| find(name).ok_or_else(|| Refusal::MissingJoint(name.clone())))
            .collect()
    }

    fn checked_point(
        &self,
        index: usize,
        point: &Point,
        order: &[usize],
    ) -> Result<Point, Refusal> {
        let expected = self.joints.len();
        let pick = |what: &'static str,
                    values: &[f64],
                    optional: bool|
         -> Result<Vec<f64>, Refusal> {
            if optional && values.is_empty() {
                return Ok(Vec::new());
            }
            if values.len() != expected {
                return Err(Refusal::Shape { point: index, what, count: values.len(), expected });
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(Refusal::NotFinite(index));
            }
            Ok(order.iter().map(|&column| values[column]).collect())
        };
        if !point.time.is_finite() || point.time < 0.0 {
            return Err(Refusal::NotFinite(index));
        }
        Ok(Point {
            time: point.time,
            positions: pick("positions", &point.positions, false)?,
            velocities: pick("velocities", &point.velocities, true)?,
            accelerations: pick("accelerations", &point.accelerations, true)?,
        })
    }
}

/// The spline of ros2_control between two points, at `time` (seconds, on the points' axis).
fn interpolate(from: &Point, to: &Point, time: f64) -> SetPoint {
    let span = to.time - from.time;
    let t = (time - from.time).clamp(0.0, span);
    let count = to.positions.len();
    let mut out = SetPoint::at_rest(vec![0.0; count]);
    let velocities = from.velocities.len() == count && to.velocities.len() == count;
    let accelerations =
        velocities && from.accelerations.len() == count && to.accelerations.len() == count;
    for joint in 0..count {
        let (p0, p1) = (from.positions[joint], to.positions[joint]);
        // Coefficients of a polynomial in t, lowest power first.
        let c = if accelerations {
            let (v0, v1) = (from.velocities[joint], to.velocities[joint]);
            let (a0, a1) = (from.accelerations[joint], to.accelerations[joint]);
            let (s2, s3, s4, s5) = (span * span, span.powi(3), span.powi(4), span.powi(5));
            [
                p0,
                v0,
                0.5 * a0,
                (20.0 * (p1 - p0) - (8.0 * v1 + 12.0 * v0) * span - (3.0 * a0 - a1) * s2)
                    / (2.0 * s3),
                (-30.0 * (p1 - p0) + (14.0 * v1 + 16.0 * v0) * span + (3.0 * a0 - 2.0 * a1) * s2)
                    / (2.0 * s4),
                (12.0 * (p1 - p0) - 6.0 * (v1 + v0) * span + (a1 - a0) * s2) / (2.0 * s5),
            ]
        } else if velocities {
            let (v0, v1) = (from.velocities[joint], to.velocities[joint]);
            let c2 = (3.0 * (p1 - p0) - (2.0 * v0 + v1) * span) / span.powi(2);
            let c3 = (-2.0 * (p1 - p0) + (v0 + v1) * span) / span.powi(3);
            [p0, v0, c2, c3, 0.0, 0.0]
        } else {
            [p0, (p1 - p0) / span, 0.0, 0.0, 0.0, 0.0]
        };
        out.positions[joint] = c.iter().rev().fold(0.0, |sum, k| sum * t + k);
        out.velocities[joint] = (1..6).rev().fold(0.0, |sum, k| sum * t + k as f64 * c[k]);
        out.accelerations[joint] =
            (2..6).rev().fold(0.0, |sum, k| sum * t + (k * (k - 1)) as f64 * c[k]);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn controller() -> Controller {
        Controller::new("arm", &["a".to_owned(), "b".to_owned()], &[0.0, 1.0])
    }

    fn point(time: f64, p: [f64; 2], v: Option<[f64; 2]>, a: Option<[f64; 2]>) -> Point {
        Point {
            time,
            positions: p.to_vec(),
            velocities: v.map_or_else(Vec::new, |v| v.to_vec()),
            accelerations: a.map_or_else(Vec::new, |a| a.to_vec()),
        }
    }

    fn goal(start: Option<f64>, points: Vec<Point>) -> Trajectory {
        Trajectory { start, joints: vec!["a".to_owned(), "b".to_owned()], points }
    }

    #[test]
    fn positions_alone_are_joined_by_straight_lines() {
        let mut c = controller();
        c.command(0.0, &goal(None, vec![point(1.0, [1.0, 2.0], None, None)])).unwrap();
        let s = c.update(0.25);
        assert!((s.positions[0] - 0.25).abs() < 1e-12 && (s.velocities[1] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_quintic_reproduces_a_fifth_order_polynomial() {
        // x(t) = t^5 - 2 t^3 + t, sampled with its derivatives at t = 0.5 and t = 1.5.
        let x = |t: f64| t.powi(5) - 2.0 * t.powi(3) + t;
        let v = |t: f64| 5.0 * t.powi(4) - 6.0 * t * t + 1.0;
        let a = |t: f64| 20.0 * t.powi(3) - 12.0 * t;
        let at = |t: f64| point(t, [x(t), 0.0], Some([v(t), 0.0]), Some([a(t), 0.0]));
        let s = interpolate(&at(0.5), &at(1.5), 1.1);
        assert!((s.positions[0] - x(1.1)).abs() < 1e-9);
        assert!((s.velocities[0] - v(1.1)).abs() < 1e-9);
        assert!((s.accelerations[0] - a(1.1)).abs() < 1e-9);
    }

    #[test]
    fn a_cubic_reproduces_a_third_order_polynomial() {
        let x = |t: f64| t.powi(3) - t;
        let v = |t: f64| 3.0 * t * t - 1.0;
        let at = |t: f64| point(t, [x(t), 0.0], Some([v(t), 0.0]), None);
        let s = interpolate(&at(0.2), &at(1.0), 0.7);
        assert!((s.positions[0] - x(0.7)).abs() < 1e-9 && (s.velocities[0] - v(0.7)).abs() < 1e-9);
    }

    #[test]
    fn a_new_trajectory_replaces_the_running_one_from_its_set_point() {
        let mut c = controller();
        c.command(0.0, &goal(None, vec![point(1.0, [1.0, 1.0], None, None)])).unwrap();
        c.update(0.5);
        c.command(0.5, &goal(None, vec![point(0.5, [0.0, 1.0], None, None)])).unwrap();
        assert!((c.update(0.5).positions[0] - 0.5).abs() < 1e-12, "no step at the replacement");
        assert!((c.update(0.75).positions[0] - 0.25).abs() < 1e-12);
        assert!((c.update(9.0).positions[0]).abs() < 1e-12, "the end is held");
    }

    #[test]
    fn a_future_stamp_waits_while_the_old_trajectory_runs() {
        let mut c = controller();
        c.command(0.0, &goal(None, vec![point(1.0, [1.0, 1.0], None, None)])).unwrap();
        c.command(0.1, &goal(Some(0.6), vec![point(0.4, [0.6, 1.0], None, None)])).unwrap();
        assert!((c.update(0.5).positions[0] - 0.5).abs() < 1e-12);
        assert!((c.update(0.8).positions[0] - 0.6).abs() < 1e-12);
    }

    #[test]
    fn points_already_past_are_skipped_by_stamp() {
        let mut c = controller();
        let points = vec![point(0.2, [0.2, 1.0], None, None), point(1.0, [1.0, 1.0], None, None)];
        c.command(1.0, &goal(Some(0.5), points)).unwrap();
        assert!((c.update(1.0).positions[0] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn names_are_matched_not_positions_in_the_list() {
        let mut c = controller();
        let mut t = goal(None, vec![point(1.0, [5.0, 6.0], None, None)]);
        t.joints.reverse();
        c.command(0.0, &t).unwrap();
        assert_eq!(c.update(1.0).positions, vec![6.0, 5.0]);
    }

    #[test]
    fn faults_are_refused_and_the_running_trajectory_stays() {
        let mut c = controller();
        c.command(0.0, &goal(None, vec![point(1.0, [1.0, 1.0], None, None)])).unwrap();
        let bad = [
            (goal(None, vec![]), Refusal::Empty),
            (goal(Some(-2.0), vec![point(1.0, [0.0; 2], None, None)]), Refusal::EndsInThePast(1.5)),
            (
                goal(None, vec![point(1.0, [0.0; 2], Some([0.1, 0.0]), None)]),
                Refusal::LastVelocityNotZero,
            ),
            (goal(None, vec![point(1.0, [f64::NAN, 0.0], None, None)]), Refusal::NotFinite(0)),
            (
                goal(
                    None,
                    vec![point(1.0, [0.0; 2], None, None), point(1.0, [0.0; 2], None, None)],
                ),
                Refusal::TimesDoNotIncrease(1),
            ),
        ];
        for (trajectory, why) in bad {
            assert_eq!(c.command(0.5, &trajectory).unwrap_err(), why);
        }
        assert!((c.update(0.5).positions[0] - 0.5).abs() < 1e-12);
    }
}
