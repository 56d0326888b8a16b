//! How fast the end effectors get along a motion.

use super::{STEP, Space, greatest};
use crate::safety::Speed;
use crate::safety::limiters::end_effector_speed;
use crate::trajectory::quintic::Hull;
use crate::trajectory::{Motion, State, seconds};

/// How fast the end effectors get.
#[derive(Debug, Clone, Default)]
pub struct Speeds {
    /// For each interval, how many times the planned end-effector speed was reached.
    pub excess: Vec<f64>,
    /// The fastest: excess, arm, interval, speed and limit, m/s.
    pub fastest: Option<(f64, usize, usize, f64, f64)>,
}

/// Where there is something faster already, what is faster by less than this is not looked for.
const FASTER: f64 = 1.05;

/// The end effectors' speeds along a motion. `dues` are the ends of its intervals, nanoseconds
/// after the start; what follows the last belongs to the last.
///
/// Segments through which the joints' greatest speeds allow none to get too fast are passed over.
/// In the others speed is computed at both ends and, as long as the greatest acceleration in
/// between allows more than the limit, in the middle, down to [`STEP`].
pub fn speeds(motion: &Motion, space: &dyn Space, speed: Speed, dues: &[i64]) -> Speeds {
    let limit = space.speed_limit(speed);
    let mut look = SpeedLook {
        motion,
        space,
        arm: 0,
        states: Vec::new(),
        positions: Vec::new(),
        velocities: Vec::new(),
    };
    let mut found = Speeds { excess: vec![0.0; dues.len()], fastest: None };
    let joints = motion.joints();
    let mut peaks: Vec<(f64, f64)> = Vec::with_capacity(joints);
    let arms: Vec<(f64, &[f64])> = (0..space.arms())
        .map(|arm| {
            look.arm = arm;
            (look.of(motion.knot(0)), space.tip_reach(arm))
        })
        .collect();
    // Where each arm was looked at last.
    let mut last: Vec<(i64, f64)> = arms.iter().map(|(start, _)| (0, *start)).collect();
    for (segment, a, b, duration) in motion.segments() {
        peaks.clear();
        peaks.extend(a.iter().zip(b).map(|(a, b)| {
            if a == b && a.is_rest() {
                return (0.0, 0.0);
            }
            let hull = Hull::between(a, b, duration);
            (greatest(&hull.velocity), greatest(&hull.acceleration))
        }));
        let (from, until) = (motion.times()[segment], motion.times()[segment + 1]);
        let interval = dues.partition_point(|&due| due < until).min(dues.len().saturating_sub(1));
        for (arm, (start, reach)) in arms.iter().enumerate() {
            let bound: f64 =
                peaks.iter().zip(*reach).map(|((speed, _), reach)| speed * reach).sum();
            if end_effector_speed::excess(bound, limit, *start) <= 1.0 {
                continue;
            }
            look.arm = arm;
            let before = if last[arm].0 == from { last[arm].1 } else { look.of(a) };
            let after = look.of(b);
            last[arm] = (until, after);
            let known = found.excess.get(interval).copied().unwrap_or(0.0)
                * limit
                * end_effector_speed::PLANNED;
            let enough = limit.max(*start).max(known * FASTER);
            let most =
                look.most((from, before), (until, after), tip_acceleration(&peaks, reach), enough);
            let excess = end_effector_speed::excess(most, limit, *start);
            if let Some(worst) = found.excess.get_mut(interval) {
                *worst = worst.max(excess);
            }
            if found.fastest.is_none_or(|(worst, ..)| excess > worst) {
                found.fastest = Some((excess, arm, interval, most, limit));
            }
        }
    }
    found
}

/// A bound on an end effector's acceleration, m/s²: from the joints' greatest speeds and
/// accelerations and how far each moves it. The second derivative of its position by two joints is
/// at most the longer of their levers (of a joint that drives others of the same arm the levers are
/// their sum, and its own turning counts once).
fn tip_acceleration(peaks: &[(f64, f64)], reach: &[f64]) -> f64 {
    let moving = || peaks.iter().zip(reach).filter(|(_, reach)| **reach > 0.0);
    moving()
        .map(|((speed, acceleration), lever)| {
            let turning: f64 = moving().map(|((other, _), reach)| other * reach.max(*lever)).sum();
            acceleration * lever + speed * turning
        })
        .sum()
}

struct SpeedLook<'a> {
    motion: &'a Motion,
    space: &'a dyn Space,
    arm: usize,
    states: Vec<State>,
    positions: Vec<f64>,
    velocities: Vec<f64>,
}

impl SpeedLook<'_> {
    /// The end effector's speed `time` nanoseconds after the start, m/s.
    fn at(&mut self, time: i64) -> f64 {
        let mut states = std::mem::take(&mut self.states);
        self.motion.sample_into(self.motion.start() + time, &mut states);
        let speed = self.of(&states);
        self.states = states;
        speed
    }

    /// The end effector's speed in a state, m/s.
    fn of(&mut self, states: &[State]) -> f64 {
        self.positions.clear();
        self.positions.extend(states.iter().map(|state| state.position));
        self.velocities.clear();
        self.velocities.extend(states.iter().map(|state| state.velocity));
        self.space.tip_speed(self.arm, &self.positions, &self.velocities)
    }

    /// The greatest speed found between two instants (nanoseconds, m/s), where speed changes by at
    /// most `slope` m/s². What is below `enough` is not looked for.
    fn most(&mut self, a: (i64, f64), b: (i64, f64), slope: f64, enough: f64) -> f64 {
        let (found, duration) = (a.1.max(b.1), seconds(b.0 - a.0));
        let possible = 0.5 * (a.1 + b.1 + slope * duration);
        if possible <= enough.max(found * FASTER) || duration <= STEP {
            return found;
        }
        let time = a.0 + (b.0 - a.0) / 2;
        let middle = (time, self.at(time));
        let before = self.most(a, middle, slope, enough.max(found));
        before.max(self.most(middle, b, slope, enough.max(before)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::Robot;
    use crate::safety::space::RobotSpace;
    use crate::trajectory::spline::{self, Waypoints};

    const MILLISECOND: i64 = 1_000_000;

    /// A motion from rest through a few places near each other, and how long its parts take.
    fn anywhere(robot: &Robot, generator: &mut ChaCha8Rng) -> (Motion, Vec<i64>) {
        let first: Vec<State> = robot
            .joints()
            .iter()
            .map(|joint| {
                State::rest(generator.random_range(joint.lower.max(-2.0)..joint.upper.min(2.0)))
            })
            .collect();
        let step = generator.random_range(0.005..0.3);
        let mut here: Vec<f64> = first.iter().map(|state| state.position).collect();
        let rows: Vec<Vec<f64>> = (0..6)
            .map(|_| {
                here.iter_mut().for_each(|p| *p += generator.random_range(-step..step));
                here.clone()
            })
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let durations: Vec<i64> =
            rows.iter().map(|_| generator.random_range(30..400) * MILLISECOND).collect();
        (
            spline::monotone(0, &first, &Waypoints { durations: &durations, rows: &rows }).unwrap(),
            durations,
        )
    }

    #[test]
    fn nothing_faster_than_the_limit_is_missed_and_nothing_is_made_up() {
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let (mut slow, mut fast) = (0, 0);
        for name in ["bench_arm", "genie1", "google_robot"] {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join(format!("../config/robots/{name}.yaml"));
            let robot = Arc::new(Robot::load(&path).unwrap());
            let space = RobotSpace::new(robot.clone());
            let limit = space.speed_limit(Speed::Teach);
            for _ in 0..60 {
                let (motion, durations) = anywhere(&robot, &mut generator);
                let dues: Vec<i64> =
                    (1..=durations.len()).map(|n| durations[..n].iter().sum()).collect();
                let found = speeds(&motion, &space, Speed::Teach, &dues);
                let mut worst = vec![0.0_f64; dues.len()];
                for ms in 0..=motion.end() / MILLISECOND {
                    let states = motion.sample(ms * MILLISECOND);
                    let positions: Vec<f64> = states.iter().map(|state| state.position).collect();
                    let velocities: Vec<f64> = states.iter().map(|state| state.velocity).collect();
                    let fastest = (0..space.arms())
                        .map(|arm| space.tip_speed(arm, &positions, &velocities))
                        .fold(0.0, f64::max);
                    // What is between two parts belongs to both.
                    let part =
                        |after: i64| dues.partition_point(|&due| due < ms * MILLISECOND + after);
                    for interval in [part(0), part(1)] {
                        let worst = &mut worst[interval.min(dues.len() - 1)];
                        *worst = worst.max(fastest);
                    }
                }
                for (worst, excess) in worst.iter().zip(&found.excess) {
                    let speed = excess * limit * end_effector_speed::PLANNED;
                    // What is found was sampled: it is there (in between the milliseconds, a little
                    // more).
                    assert!(speed <= worst * 1.01 + 1e-3, "{name}: {speed} {worst}");
                    if *worst > limit {
                        assert!(
                            *excess > 1.0 && speed * FASTER * 1.01 >= *worst,
                            "{name}: {speed} {worst}"
                        );
                        fast += 1;
                    } else {
                        slow += 1;
                    }
                }
            }
        }
        assert!(slow > 100 && fast > 100, "{slow} {fast}");
    }

    #[test]
    fn an_end_effector_accelerates_no_more_than_its_bound() {
        let mut generator = ChaCha8Rng::seed_from_u64(6);
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/robots/genie1.yaml");
        let robot = Arc::new(Robot::load(&path).unwrap());
        let space = RobotSpace::new(robot.clone());
        let mut nearest = f64::INFINITY;
        for _ in 0..40 {
            let (motion, _) = anywhere(&robot, &mut generator);
            for (segment, a, b, duration) in motion.segments() {
                let hulls = a.iter().zip(b).map(|(a, b)| Hull::between(a, b, duration));
                let peaks: Vec<(f64, f64)> = hulls
                    .map(|hull| (greatest(&hull.velocity), greatest(&hull.acceleration)))
                    .collect();
                for arm in 0..space.arms() {
                    let mut look = SpeedLook {
                        motion: &motion,
                        space: &space,
                        arm,
                        states: Vec::new(),
                        positions: Vec::new(),
                        velocities: Vec::new(),
                    };
                    let bound = tip_acceleration(&peaks, space.tip_reach(arm));
                    let (from, until) = (motion.times()[segment], motion.times()[segment + 1]);
                    for i in 0..20 {
                        let time = from + (until - from) * i / 20;
                        let change = (look.at(time + 10_000) - look.at(time)).abs() / 1e-5;
                        assert!(change <= bound * (1.0 + 1e-6) + 1e-6, "{change} {bound}");
                        nearest = nearest.min(bound / change);
                    }
                }
            }
        }
        assert!(nearest < 20.0, "the bound says nothing: {nearest}");
    }
}
