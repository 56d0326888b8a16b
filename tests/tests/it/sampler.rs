//! An independent look at what was published: every trajectory sampled at 1 kHz as a controller
//! would run it, against the limits of the robot. Shares no code with the planner: its own
//! quintics, its own rule of replacement.

use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_robot::{JointLimits, Robot};

/// A trajectory with the moment at which its controller received it.
#[derive(Clone, Debug)]
pub struct Received {
    pub controller: String,
    pub at_ns: i64,
    pub message: JointTrajectory,
}

/// Position, velocity, acceleration, jerk.
type Sample = [f64; 4];

/// The quintic through two points, `t` s after the first of them, which lie `span` s apart.
fn quintic(from: [f64; 3], to: [f64; 3], span: f64, t: f64) -> Sample {
    let [p0, v0, a0] = from;
    let [p1, v1, a1] = to;
    let (d, s) = (p1 - p0 - v0 * span - 0.5 * a0 * span * span, span);
    let (dv, da) = (v1 - v0 - a0 * span, a1 - a0);
    let c3 = (10.0 * d - 4.0 * dv * s + 0.5 * da * s * s) / s.powi(3);
    let c4 = (-15.0 * d + 7.0 * dv * s - da * s * s) / s.powi(4);
    let c5 = (6.0 * d - 3.0 * dv * s + 0.5 * da * s * s) / s.powi(5);
    [
        p0 + v0 * t + 0.5 * a0 * t * t + c3 * t.powi(3) + c4 * t.powi(4) + c5 * t.powi(5),
        v0 + a0 * t + 3.0 * c3 * t * t + 4.0 * c4 * t.powi(3) + 5.0 * c5 * t.powi(4),
        a0 + 6.0 * c3 * t + 12.0 * c4 * t * t + 20.0 * c5 * t.powi(3),
        6.0 * c3 + 24.0 * c4 * t + 60.0 * c5 * t * t,
    ]
}

/// Where one joint of a trajectory is at an instant.
fn sample(message: &JointTrajectory, joint: usize, at_ns: i64) -> Sample {
    let stamp_ns = message.header.stamp.nanoseconds();
    let time = (at_ns - stamp_ns) as f64 * 1e-9;
    let point = |index: usize| {
        let point = &message.points[index];
        [point.positions[joint], point.velocities[joint], point.accelerations[joint]]
    };
    let due = |index: usize| message.points[index].time_from_start.seconds();
    let Some(next) = (0..message.points.len()).find(|index| due(*index) > time) else {
        return [point(message.points.len() - 1)[0], 0.0, 0.0, 0.0];
    };
    if next == 0 {
        return [point(0)[0], 0.0, 0.0, 0.0];
    }
    quintic(point(next - 1), point(next), due(next) - due(next - 1), time - due(next - 1))
}

/// Everything that is wrong with what one robot's controllers received; empty when every limit was
/// kept.
pub fn faults(robot: &Robot, received: &[Received]) -> Vec<String> {
    let mut faults = Vec::new();
    for controller in robot.controllers() {
        let own: Vec<&Received> =
            received.iter().filter(|r| r.controller == controller.name).collect();
        for one in &own {
            shape(one, &mut faults);
        }
        if !faults.is_empty() {
            return faults;
        }
        for joint in &controller.joints {
            check_joint(&robot.joints()[*joint], &own, &mut faults);
        }
    }
    faults.truncate(20);
    faults
}

fn shape(received: &Received, faults: &mut Vec<String>) {
    let (message, width) = (&received.message, received.message.joint_names.len());
    let whole =
        |values: &[f64]| values.len() == width && values.iter().all(|value| value.is_finite());
    for (index, point) in message.points.iter().enumerate() {
        if !(whole(&point.positions) && whole(&point.velocities) && whole(&point.accelerations)) {
            faults.push(format!("{}: point {index} is not whole and finite", received.controller));
        }
    }
    let times: Vec<i64> =
        message.points.iter().map(|point| point.time_from_start.nanoseconds()).collect();
    if times.is_empty() || times.windows(2).any(|pair| pair[1] <= pair[0]) {
        faults.push(format!("{}: times {times:?}", received.controller));
    }
    if message.points.last().is_some_and(|last| last.velocities.iter().any(|v| v.abs() > 1e-9)) {
        faults.push(format!("{}: does not end at rest", received.controller));
    }
    if message.header.stamp.nanoseconds() < received.at_ns - 50_000_000 {
        faults.push(format!("{}: begins before it was received", received.controller));
    }
}

fn check_joint(limits: &JointLimits, own: &[&Received], faults: &mut Vec<String>) {
    const STEP_NS: i64 = 1_000_000;
    let mut before: Option<(i64, Sample)> = None;
    for (index, received) in own.iter().enumerate() {
        let joint =
            received.message.joint_names.iter().position(|name| *name == limits.name).unwrap();
        let start_ns = received.message.header.stamp.nanoseconds();
        let last_ns =
            received.message.points.last().unwrap().time_from_start.nanoseconds() + start_ns;
        let until_ns =
            own.get(index + 1).map_or(last_ns, |next| next.message.header.stamp.nanoseconds());
        let mut at_ns = start_ns;
        while at_ns <= until_ns {
            let now = sample(&received.message, joint, at_ns);
            let mut broken = |what: &str, value: f64, limit: f64| {
                if value.abs() > limit {
                    faults.push(format!(
                        "{} {what} {value:.6} beyond {limit:.6}, {:.3} s after trajectory {index}",
                        limits.name,
                        (at_ns - start_ns) as f64 * 1e-9
                    ));
                }
            };
            let slack = 1.0 + 1e-6;
            let middle = limits.middle();
            broken("position", now[0] - middle, (limits.upper - limits.lower) / 2.0 * slack + 1e-9);
            broken("velocity", now[1], limits.velocity * slack + 1e-9);
            broken("acceleration", now[2], limits.acceleration * slack + 1e-9);
            broken("jerk", now[3], limits.jerk * 1.001 + 1e-6);
            if let Some((then_ns, then)) = before {
                // From one sample to the next, over the seam of two trajectories as well: no step.
                let dt = (at_ns - then_ns).max(STEP_NS) as f64 * 1e-9;
                broken("step of position", now[0] - then[0], limits.velocity * dt * 1.01 + 1e-6);
                broken(
                    "step of velocity",
                    now[1] - then[1],
                    limits.acceleration * dt * 1.01 + 1e-6,
                );
            }
            if faults.len() > 20 {
                return;
            }
            before = Some((at_ns, now));
            at_ns += STEP_NS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sampler_sees_a_step_and_a_limit_that_is_broken() {
        let robot = crate::kit::robot("bench_arm");
        let joint = &robot.joints()[0];
        let point = |t: i64, position: f64, velocity: f64| {
            f1_interfaces::trajectory_msgs::msg::JointTrajectoryPoint {
                positions: vec![position; 7],
                velocities: vec![velocity; 7],
                accelerations: vec![0.0; 7],
                effort: Vec::new(),
                time_from_start:
                    f1_interfaces::builtin_interfaces::msg::Duration::saturating_from_nanoseconds(t),
            }
        };
        let trajectory = |stamp_ns: i64, points| Received {
            controller: "arm_controller".into(),
            at_ns: stamp_ns,
            message: JointTrajectory {
                header: f1_interfaces::std_msgs::msg::Header {
                    stamp:
                        f1_interfaces::builtin_interfaces::msg::Time::saturating_from_nanoseconds(
                            stamp_ns,
                        ),
                    frame_id: String::new(),
                },
                joint_names: robot.joints()[..7].iter().map(|joint| joint.name.clone()).collect(),
                points,
            },
        };
        let second = 1_000_000_000;
        let place = 0.6;
        let slow = trajectory(second, vec![point(0, place, 0.0), point(second, place + 0.05, 0.0)]);
        assert_eq!(faults(&robot, std::slice::from_ref(&slow)), Vec::<String>::new());
        let fast = trajectory(
            second,
            vec![point(0, 0.0, 0.0), point(second / 10, joint.upper / 2.0, 0.0)],
        );
        assert!(faults(&robot, &[fast]).iter().any(|fault| fault.contains("velocity")));
        let elsewhere = trajectory(
            2 * second,
            vec![point(0, place + 0.1, 0.0), point(second, place + 0.1, 0.0)],
        );
        let found = faults(&robot, &[slow, elsewhere]);
        assert!(found.iter().any(|fault| fault.contains("step of position")), "{found:?}");
    }
}
