//! Clearance: distances against parry3d, pairs that are left out, shipped robots.

use f1_robot::Robot;
use f1_robot::clearance::{ClearanceScratch, segment_box_distance, segment_distance};
use nalgebra::{Point3, Vector3};
use parry3d::math::{Pose, Vector};
use parry3d::query;
use parry3d::shape::{Ball, Cuboid, Segment};
use rand::Rng;

use crate::shipped::{ROBOTS, anywhere, generator, load, vector};

fn to_parry(point: &Point3<f64>) -> Vector {
    Vector::new(point.x as f32, point.y as f32, point.z as f32)
}

fn random_point(generator: &mut impl Rng, size: f64) -> Point3<f64> {
    Point3::new(
        generator.random_range(-size..size),
        generator.random_range(-size..size),
        generator.random_range(-size..size),
    )
}

#[test]
fn segment_distances_agree_with_parry() {
    let mut generator = generator(1);
    for case in 0..20_000 {
        let mut points: Vec<Point3<f64>> =
            (0..4).map(|_| random_point(&mut generator, 1.0)).collect();
        match case % 5 {
            // A point, two points, parallel segments.
            1 => points[1] = points[0],
            2 => (points[1], points[3]) = (points[0], points[2]),
            3 => points[3] = points[2] + (points[1] - points[0]) * 0.7,
            _ => {}
        }
        let ours = segment_distance(&points[0], &points[1], &points[2], &points[3]);
        let one = Segment::new(to_parry(&points[0]), to_parry(&points[1]));
        let other = Segment::new(to_parry(&points[2]), to_parry(&points[3]));
        let theirs = f64::from(
            query::distance(&Pose::IDENTITY, &one, &Pose::IDENTITY, &other).unwrap().distance,
        );
        assert!((ours - theirs).abs() < 2e-4, "case {case}: {ours} {theirs} {points:?}");
    }
}

#[test]
fn segment_to_box_distances_agree_with_sampled_point_distances() {
    let mut generator = generator(2);
    for case in 0..5_000 {
        let (a, mut b) = (random_point(&mut generator, 1.5), random_point(&mut generator, 1.5));
        if case % 3 == 0 {
            b.y = a.y;
        }
        let half = Vector3::new(
            generator.random_range(0.05..0.8),
            generator.random_range(0.05..0.8),
            generator.random_range(0.05..0.8),
        );
        let ours = segment_box_distance(&a, &b, &half);
        // Independent: parry's distance of points to a cuboid, along the segment.
        let cuboid = Cuboid::new(Vector::new(half.x as f32, half.y as f32, half.z as f32));
        let mut nearest = f64::INFINITY;
        for step in 0..=200 {
            let point = a + (b - a) * (f64::from(step) / 200.0);
            let pose = Pose::from_translation(to_parry(&point));
            let distance =
                query::distance(&pose, &Ball::new(0.0), &Pose::IDENTITY, &cuboid).unwrap();
            nearest = nearest.min(f64::from(distance.distance));
        }
        let spacing = (b - a).norm() / 200.0;
        assert!(
            ours <= nearest + 1e-4 && ours >= nearest - spacing,
            "case {case}: {ours} {nearest}"
        );
    }
}

#[test]
fn a_hand_computed_configuration_has_its_distance() {
    let robot = load("bench_arm");
    let mut scratch = ClearanceScratch::default();
    // Straight up: the lowest shape that moves is link1's cylinder, from 0.12 up, with radius
    // 0.055.
    let up = robot.clearance().distances(&[0.0; 8], f64::INFINITY, &mut scratch);
    assert!((up.scene.distance - (0.12 - 0.055)).abs() < 1e-9, "{up:?}");
    assert_eq!(robot.clearance().scene_names(up.scene.pair.unwrap()), ("link1", "table"));
    // Level at 0.18 with the hand down: the fingers' boxes end 0.19 below the wrist, inside the
    // table. They are enclosed in strips of 0.01 by 0.012.
    let quarter = std::f64::consts::FRAC_PI_2;
    let hand_down = vector(&robot, &[("joint2", quarter), ("joint6", quarter)]);
    let down = robot.clearance().distances(&hand_down, f64::INFINITY, &mut scratch);
    assert!((down.scene.distance + 0.005f64.hypot(0.006)).abs() < 1e-9, "{down:?}");
    // Tool straight down onto the table: deeper than the table's top.
    let down = vector(&robot, &[("joint2", 1.2), ("joint4", 1.2), ("joint6", 0.7)]);
    assert!(robot.clearance().distances(&down, 1.0, &mut scratch).scene.distance < 0.0);
}

#[test]
fn shipped_robots_are_clear_at_home_and_can_touch_themselves() {
    for name in ROBOTS {
        let robot = load(name);
        let clearance = robot.clearance();
        let mut scratch = ClearanceScratch::default();
        let home = clearance.distances(robot.home(), f64::INFINITY, &mut scratch);
        assert!(home.own.distance >= clearance.self_distance(), "{name}: {home:?}");
        assert!(home.scene.distance >= clearance.scene_distance(), "{name}: {home:?}");
        let mut generator = generator(3);
        let mut touching = 0;
        for _ in 0..2000 {
            let distances =
                clearance.distances(&anywhere(&robot, &mut generator), f64::INFINITY, &mut scratch);
            touching += usize::from(distances.own.distance < 0.0);
        }
        println!(
            "{name}: (capsules, own pairs, scene pairs) {:?}, home {:.3} {:.3}, touching {touching} of 2000, left out {:?}",
            clearance.size(),
            home.own.distance,
            home.scene.distance,
            clearance.left_out()
        );
        assert!(touching > 0, "{name}: nothing ever touches, so the check checks nothing");
        assert!(touching < 2000, "{name}: something always touches");
    }
}

#[test]
fn a_cutoff_changes_nothing_but_the_far_distances() {
    let robot = load("genie1");
    let mut scratch = ClearanceScratch::default();
    let mut generator = generator(4);
    for _ in 0..500 {
        let positions = anywhere(&robot, &mut generator);
        let all = robot.clearance().distances(&positions, f64::INFINITY, &mut scratch).own;
        let near = robot.clearance().distances(&positions, 0.05, &mut scratch).own;
        if all.distance < 0.05 {
            assert_eq!(all.distance, near.distance);
        } else {
            assert_eq!((near.distance, near.pair), (0.05, None));
        }
    }
}

#[test]
fn arms_that_reach_for_the_same_point_are_too_near() {
    let robot = load("arx_lift2");
    let mut scratch = ClearanceScratch::default();
    let mut positions = robot.home().to_vec();
    let clear = robot.clearance().distances(&positions, f64::INFINITY, &mut scratch).own.distance;
    for (joint, turn) in [("left_joint11", -0.55), ("right_joint21", 0.55)] {
        positions[robot.joint_index(joint).unwrap()] = turn;
    }
    let distances = robot.clearance().distances(&positions, f64::INFINITY, &mut scratch).own;
    let names = robot.clearance().own_names(distances.pair.unwrap());
    assert!(distances.distance < 0.0 && clear > 0.02, "{clear} {distances:?} {names:?}");
    assert!(names.0.starts_with("left") && names.1.starts_with("right"), "{names:?}");
}

#[test]
fn a_home_that_touches_is_a_fault_with_both_links() {
    let text = std::fs::read_to_string(crate::shipped::path("bench_arm")).unwrap();
    let urdf = std::fs::read_to_string(
        crate::shipped::path("bench_arm").with_file_name("../../urdf/bench_arm.urdf"),
    );
    let text = text.replace("  joint2: 0.47\n", "  joint2: 1.6\n");
    let error = Robot::from_text(&text, &urdf.unwrap()).unwrap_err();
    assert!(
        error.faults.iter().any(|fault| fault.path == "home" && fault.message.contains("table")),
        "{error}"
    );
}

#[test]
fn no_distance_changes_faster_than_the_reach_allows() {
    let mut fingers = 0;
    let mut generator = generator(9);
    for name in ROBOTS {
        let robot = load(name);
        let bounds: Vec<(f64, f64)> =
            robot.joints().iter().map(|joint| (joint.lower, joint.upper)).collect();
        let reach = robot.clearance().reach(robot.kinematics(), &bounds);
        // No arm on this list is longer with its hand and its sliding joints.
        assert!(reach.iter().all(|reach| (0.0..5.0).contains(reach)), "{name}: {reach:?}");
        assert!(reach.iter().any(|reach| *reach > 0.5), "{name}: {reach:?}");
        // A sliding finger's joint that drives the other finger too: they meet twice as fast.
        for (joint, reach) in robot.joints().iter().zip(&reach) {
            if joint.prismatic && robot.urdf().contains(&format!("<mimic joint=\"{}\"", joint.name))
            {
                assert!(*reach >= 2.0, "{name}: {} {reach}", joint.name);
                fingers += 1;
            }
        }
        let mut scratch = ClearanceScratch::default();
        let mut least = f64::INFINITY;
        for _ in 0..300 {
            let here = anywhere(&robot, &mut generator);
            let there: Vec<f64> =
                here.iter().map(|p| p + generator.random_range(-0.02..0.02)).collect();
            let moved: f64 = here
                .iter()
                .zip(&there)
                .zip(&reach)
                .map(|((a, b), reach)| reach * (a - b).abs())
                .sum();
            let [before, after] = [&here, &there]
                .map(|at| robot.clearance().distances(at, f64::INFINITY, &mut scratch));
            for (before, after) in [
                (before.own.distance, after.own.distance),
                (before.scene.distance, after.scene.distance),
            ] {
                // Capsules that reach into each other are as near as they get.
                if before.is_finite() && after.is_finite() {
                    least = least.min(moved - (before - after).abs());
                }
            }
        }
        assert!(least >= 0.0, "{name}: {least}");
    }
    assert!(fingers >= 3, "{fingers}");
}
