//! The first answer of a server against the robot file: another unit, order or robot shows before
//! anything moves.

use f1_robot::decode::ChunkStamp;
use f1_robot::{ChunkDecoder, Robot};

/// A speed beyond so many times a joint's limit is no motion that a policy of this robot asks for:
/// degrees for radians are 57 times too much. What is less is left to the safety filter.
const SPEED: f64 = 5.0;
/// How far beyond a joint's range a position may lie, as a part of the range.
const BEYOND: f64 = 0.1;
/// Most faults that are listed.
const LISTED: usize = 4;

/// Checks a chunk, `[horizon][action_dim]` in the units of the action layout, that begins at the
/// measured joint vector `start`.
///
/// # Errors
/// The joints whose positions or speeds cannot be meant, with the asked values and the limits.
pub fn check(
    robot: &Robot,
    decoder: &ChunkDecoder,
    rows: &[Vec<f32>],
    start: &[f64],
) -> Result<(), String> {
    let decoded = decoder
        .decode(rows, start, ChunkStamp::default())
        .map_err(|error| format!("the first answer: {error}"))?;
    let waypoints = &decoded.chunk.rows;
    let mut faults = Vec::new();
    for (index, joint) in robot.joints().iter().enumerate() {
        let asked = || waypoints.iter().map(|row| row[index]);
        let unit = if joint.prismatic { "m" } else { "rad" };
        let slack = BEYOND * (joint.upper - joint.lower);
        let outside = asked().find(|position| {
            let within = joint.lower - slack..=joint.upper + slack;
            !joint.continuous && !within.contains(position)
        });
        if let Some(position) = outside {
            faults.push(format!(
                "{} is asked to {position:.3} {unit}, its range is {:.3} to {:.3}",
                joint.name, joint.lower, joint.upper
            ));
            continue;
        }
        // The first row of an absolute chunk may lie anywhere: the start jump is the filter's.
        let steps = waypoints.windows(2).map(|pair| pair[1][index] - pair[0][index]);
        let fastest = steps.fold(0.0, |fastest: f64, step| fastest.max(step.abs()));
        let speed = fastest * decoded.chunk.rate_hz;
        if speed > SPEED * joint.velocity {
            faults.push(format!(
                "{} is asked to move at {speed:.2} {unit}/s, its limit is {:.2}",
                joint.name, joint.velocity
            ));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let more = faults.len().saturating_sub(LISTED);
    faults.truncate(LISTED);
    if more > 0 {
        faults.push(format!("{more} more joints"));
    }
    Err(format!(
        "its first answer does not fit the robot {}: {}; are units and order of its actions those of \
         the robot file?",
        robot.file().name,
        faults.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn another_unit_is_noticed_and_the_benchs_own_motion_is_not() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
        let robot = Arc::new(Robot::load(&file).unwrap());
        let decoder = ChunkDecoder::in_robot_units(robot.clone());
        let joints = robot.joints().iter();
        let start: Vec<f64> = joints.map(|joint| robot.file().home[&joint.name]).collect();
        // Deltas of 0.05 rad at 10 Hz are 0.5 rad/s, of limits from 2 rad/s on.
        let radians = vec![vec![0.05_f32; 8]; 4];
        let degrees: Vec<Vec<f32>> =
            radians.iter().map(|row| row.iter().map(|x| x.to_degrees()).collect()).collect();
        let near = |mut rows: Vec<Vec<f32>>| {
            // The gripper does not move: its range is a few centimetres.
            rows.iter_mut().for_each(|row| row[7] = 0.0);
            check(&robot, &decoder, &rows, &start)
        };
        near(radians).unwrap();
        let fault = near(degrees).unwrap_err();
        assert!(fault.contains("bench_arm") && fault.contains("joint1"), "{fault}");
    }
}
