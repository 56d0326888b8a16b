//! Objects that come and go around a moving robot, and going straight home among them, judged by
//! distances that are computed here: segments against balls and boxes, point by point.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use f1_robot::clearance::{HeldObject, Scene, SceneObject, Shape, Solid};
use f1_robot::safety::{
    FilterInput, FilterOutput, FilterSettings, MeasuredState, Response, RobotSpace, Rule,
    SafetyFilter, Verdict,
};
use f1_robot::{RawChunk, Robot};
use nalgebra::{Isometry3, Point3, Vector3};

use crate::checker::{Checker, tracks};
use crate::filter_any_input::{Random, cases};

const MS: i64 = 1_000_000;

fn robot() -> Arc<Robot> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    Arc::new(Robot::load(&root.join("config/robots/bench_arm.yaml")).unwrap())
}

/// An object that this file can measure.
#[derive(Clone, Debug)]
enum Thing {
    Ball { center: Vector3<f64>, radius: f64 },
    Block { pose: Isometry3<f64>, size: [f64; 3] },
}

impl Thing {
    fn random(random: &mut Random) -> Self {
        let center = Vector3::new(
            random.within(0.1, 0.8),
            random.within(-0.5, 0.5),
            random.within(0.1, 0.7),
        );
        if random.one_in(2) {
            Self::Ball { center, radius: random.within(0.02, 0.1) }
        } else {
            let turn = Vector3::new(random.unit(), random.unit(), random.unit());
            let size = [0; 3].map(|_| random.within(0.03, 0.2));
            Self::Block { pose: Isometry3::new(center, turn), size }
        }
    }

    fn object(&self, name: &str) -> SceneObject {
        let shape = match self {
            Self::Ball { center, radius } => {
                Shape::ball(*radius).moved(&Isometry3::translation(center.x, center.y, center.z))
            }
            Self::Block { pose, size } => Shape::cuboid(*size).moved(pose),
        };
        SceneObject { name: name.to_owned(), solids: vec![Solid::Hull(shape)] }
    }

    /// The distance of a point, 0 inside.
    fn distance(&self, point: &Point3<f64>) -> f64 {
        match self {
            Self::Ball { center, radius } => ((point.coords - center).norm() - radius).max(0.0),
            Self::Block { pose, size } => {
                let local = pose.inverse_transform_point(point);
                let out = |axis: usize| (local[axis].abs() - 0.5 * size[axis]).max(0.0);
                Vector3::new(out(0), out(1), out(2)).norm()
            }
        }
    }
}

/// Points of a link's shape, in the link's frame, and the radius around each of them.
struct Sampled {
    link: usize,
    points: Vec<Point3<f64>>,
    radius: f64,
}

/// Points of such a convex body: along the segments between its corners, and on the triangles.
fn points_of(corners: &[Point3<f64>]) -> Vec<Point3<f64>> {
    if let [a, b] = corners {
        return (0..=20).map(|step| a + (b - a) * (f64::from(step) / 20.0)).collect();
    }
    const PARTS: usize = 8;
    let mut points: Vec<Point3<f64>> = Vec::new();
    let count = corners.len();
    let triples =
        (0..count).flat_map(|i| (i..count).flat_map(move |j| (j..count).map(move |k| (i, j, k))));
    for (i, j, k) in triples {
        for (u, v) in (0..=PARTS).flat_map(|u| (0..=PARTS - u).map(move |v| (u, v))) {
            let [u, v] = [u, v].map(|x| x as f64 / PARTS as f64);
            let [a, b, c] = [i, j, k].map(|corner| corners[corner].coords);
            let point = Point3::from(a * u + b * v + c * (1.0 - u - v));
            if points.iter().all(|other| (other - point).norm() > 0.008) {
                points.push(point);
            }
        }
    }
    points
}

/// The moving links as points.
fn sampled(robot: &Robot) -> &'static [Sampled] {
    static SAMPLED: OnceLock<Vec<Sampled>> = OnceLock::new();
    SAMPLED.get_or_init(|| {
        let shapes = robot.clearance().shapes();
        let shapes = shapes.map(|(name, shape)| (robot.kinematics().link(name).unwrap(), shape));
        let moving = shapes.filter(|(link, _)| robot.clearance().moves(*link));
        let sampled = moving.map(|(link, shape)| Sampled {
            link,
            points: points_of(&shape.points),
            radius: shape.radius,
        });
        sampled.collect()
    })
}

/// The least distance of the moving links from some things, or a little more.
fn nearest(robot: &Robot, positions: &[f64], things: &[Thing]) -> f64 {
    let poses = robot.kinematics().link_poses(positions);
    let mut least = f64::INFINITY;
    for Sampled { link, points, radius } in sampled(robot) {
        for point in points {
            let point = poses[*link] * point;
            for thing in things {
                least = least.min(thing.distance(&point) - radius);
            }
        }
    }
    least
}

fn space(robot: &Arc<Robot>, things: &[Thing]) -> Arc<RobotSpace> {
    let objects = things.iter().enumerate();
    let objects = objects.map(|(index, thing)| thing.object(&format!("thing {index}"))).collect();
    let scene = Scene { objects, ..Scene::default() };
    Arc::new(RobotSpace::among(robot.clone(), &scene).unwrap())
}

struct Arm {
    robot: Arc<Robot>,
    filter: SafetyFilter,
    now: i64,
    sequence: u64,
}

impl Arm {
    fn new() -> Self {
        let robot = robot();
        let settings = FilterSettings { latch_count: 0, ..FilterSettings::default() };
        let filter = SafetyFilter::new(robot.clone(), settings);
        Self { robot, filter, now: 0, sequence: 0 }
    }

    /// Positions and velocities, at home before anything was sent.
    fn state(&self) -> (Vec<f64>, Vec<f64>) {
        match self.filter.running_at(self.now) {
            Some(states) => states.iter().map(|state| (state.position, state.velocity)).unzip(),
            None => (self.robot.home().to_vec(), vec![0.0; self.robot.home().len()]),
        }
    }

    fn input(&mut self, rows: Option<Vec<Vec<f64>>>) -> FilterInput {
        let (positions, velocities) = self.state();
        let names: Vec<String> =
            self.robot.joints().iter().map(|joint| joint.name.clone()).collect();
        self.sequence += 1;
        let chunk = rows.map(|rows| RawChunk {
            stamp: self.now,
            sequence: self.sequence,
            epoch: 0,
            joint_names: names.clone(),
            rate_hz: self.robot.rate_hz(),
            rows,
        });
        let state = MeasuredState { stamp: self.now, names, positions, velocities };
        FilterInput { now: self.now, state: Some(state), chunk, lock: false }
    }

    fn step(&mut self, rows: Option<Vec<Vec<f64>>>) -> FilterOutput {
        let input = self.input(rows);
        self.filter.step(&input)
    }

    /// Rows on the straight way to `goal`.
    fn way(&self, goal: &[f64], count: usize) -> Vec<Vec<f64>> {
        let (start, _) = self.state();
        let row = |i: usize| {
            let u = i as f64 / count as f64;
            start.iter().zip(goal).map(|(a, b)| a + (b - a) * u).collect()
        };
        (1..=count).map(row).collect()
    }

    /// The least distance from now to the end of what was sent.
    fn least(&self, output: &FilterOutput, things: &[Thing]) -> f64 {
        let tracks = tracks(self.robot.joints(), &output.trajectories);
        let end = tracks.iter().map(|track| track.end()).fold(0.0, f64::max);
        let steps = (end / 0.01).ceil() as usize;
        let at = |i: usize| -> Vec<f64> {
            let t = end * i as f64 / steps.max(1) as f64;
            tracks.iter().map(|track| track.sample(t)[0]).collect()
        };
        (0..=steps).map(|i| nearest(&self.robot, &at(i), things)).fold(f64::INFINITY, f64::min)
    }
}

#[test]
fn no_accepted_motion_touches_what_comes_and_goes() {
    let total = cases(5000);
    let mut random = Random(24);
    let (mut done, mut moved, mut kept, mut stopped) = (0, 0, 0, 0);
    while done < total {
        let mut arm = Arm::new();
        let mut checker = Checker::default();
        let mut things: Vec<Thing> = Vec::new();
        // Braking because of something that came: where that leads cannot be chosen.
        let mut forced = false;
        for _ in 0..12 {
            // Things come and go between the requests.
            if random.one_in(2) {
                if !things.is_empty() && random.one_in(3) {
                    things.remove(random.below(things.len()));
                } else if things.len() < 4 {
                    things.push(Thing::random(&mut random));
                }
                arm.filter.set_space(space(&arm.robot, &things));
            }
            let joints = arm.robot.joints().to_vec();
            let goal: Vec<f64> = joints.iter().map(|j| random.within(j.lower, j.upper)).collect();
            let share = random.within(0.02, 0.6);
            let (at, _) = arm.state();
            let goal: Vec<f64> = at.iter().zip(&goal).map(|(a, b)| a + share * (b - a)).collect();
            let count = 1 + random.below(25);
            let rows = (!random.one_in(6)).then(|| arm.way(&goal, count));
            let homes = rows.is_none() && random.one_in(2);
            let input = arm.input(rows);
            let before = checker.before(arm.now, input.state.as_ref(), &joints);
            let mut output = arm.filter.step(&input);
            checker.check(&before, &output, &joints, 2e-3).unwrap();
            if homes && output.trajectories.is_empty() && !arm.filter.moves(arm.now) {
                let home = arm.robot.home().to_vec();
                output = arm.filter.go_straight(arm.now, &home, random.within(0.05, 1.0));
                checker.check(&before, &output, &joints, 2e-3).unwrap();
            }
            done += 1;
            let released = matches!(output.verdict, Verdict::Accepted | Verdict::Modified)
                && !output.trajectories.is_empty();
            forced &= arm.filter.moves(arm.now);
            if output.verdict == Verdict::Stopped {
                (stopped, forced) = (stopped + 1, true);
            }
            if released && !forced {
                moved += 1;
                let least = arm.least(&output, &things);
                let allowed = arm.robot.clearance().scene_distance();
                // A start that is a little nearer is allowed, down to half the distance; between
                // samples of 10 ms the arm moves a little.
                assert!(least > 0.5 * allowed - 1e-3, "{least} from {things:?}");
                kept += usize::from(!things.is_empty() && least < 0.1);
            }
            arm.now += random.below(1_200) as i64 * MS;
        }
    }
    println!("{done}: {moved} moved, {kept} of them within 10 cm of something, {stopped} stopped");
    assert!(moved > done / 4 && kept > done / 20 && stopped > done / 500);
}

#[test]
fn what_appears_under_the_moving_arm_stops_it() {
    let mut arm = Arm::new();
    let mut goal = arm.robot.home().to_vec();
    goal[0] += 0.8;
    let way = arm.way(&goal, 20);
    let output = arm.step(Some(way));
    assert!(matches!(output.verdict, Verdict::Accepted | Verdict::Modified));
    // A ball where the tip will be at the end.
    let tip = arm.robot.kinematics().tip_pose(0, &goal).translation.vector;
    let thing = [Thing::Ball { center: tip, radius: 0.05 }];
    assert!(arm.least(&output, &thing) <= 0.0, "the ball is not in the way");
    arm.now = 400 * MS;
    arm.filter.set_space(space(&arm.robot, &thing));
    let output = arm.step(None);
    assert_eq!(output.verdict, Verdict::Stopped);
    let event = output.events.iter().find(|event| event.rule == Rule::SceneClearance).unwrap();
    assert_eq!(event.action, Response::Stopped);
    assert!(event.joint.as_ref().unwrap().contains("thing 0"), "{event:?}");
    assert!(arm.least(&output, &thing) > 0.1, "it was seen too late");
    // A chunk to the same place is cut before the ball; without the ball it is followed.
    arm.now += 1000 * MS;
    let way = arm.way(&goal, 20);
    let output = arm.step(Some(way));
    assert!(output.events.iter().any(|event| event.rule == Rule::SceneClearance), "{output:?}");
    if !output.trajectories.is_empty() {
        assert!(arm.least(&output, &thing) > 0.0);
    }
    arm.now += 3000 * MS;
    arm.filter.set_space(space(&arm.robot, &[]));
    let way = arm.way(&goal, 30);
    let output = arm.step(Some(way));
    assert!(arm.least(&output, &thing) <= 0.0, "the way is free again");
}

#[test]
fn an_arm_that_touches_an_object_is_not_moved() {
    let mut arm = Arm::new();
    let home = arm.robot.home().to_vec();
    let tip = arm.robot.kinematics().tip_pose(0, &home).translation.vector;
    arm.filter.set_space(space(&arm.robot, &[Thing::Ball { center: tip, radius: 0.05 }]));
    let mut goal = home.clone();
    goal[0] += 0.3;
    let way = arm.way(&goal, 10);
    let output = arm.step(Some(way));
    assert!(output.trajectories.is_empty(), "{output:?}");
    assert!(output.events.iter().any(|event| event.rule == Rule::SceneClearance));
}

#[test]
fn the_straight_way_home_is_refused_where_it_would_touch_and_says_what() {
    let mut arm = Arm::new();
    let home = arm.robot.home().to_vec();
    let mut away = home.clone();
    (away[0], away[1]) = (away[0] + 0.8, away[1] + 0.1);
    let way = arm.way(&away, 20);
    arm.step(Some(way));
    arm.now = 8000 * MS;
    arm.step(None);
    let middle: Vec<f64> = home.iter().zip(&arm.state().0).map(|(a, b)| 0.5 * (a + b)).collect();
    let tip = arm.robot.kinematics().tip_pose(0, &middle).translation.vector;
    arm.filter.set_space(space(&arm.robot, &[Thing::Ball { center: tip, radius: 0.03 }]));
    arm.step(None);
    let refused = arm.filter.go_straight(arm.now, &home, 0.2);
    assert!(refused.verdict == Verdict::Rejected && refused.trajectories.is_empty());
    let event = &refused.events[0];
    let subject = event.joint.as_ref().unwrap();
    assert_eq!((event.rule, event.action), (Rule::SceneClearance, Response::Refused));
    assert!(subject.contains("thing 0") && subject.contains("joint1 at"), "{subject}");
    // A goal outside a joint's bounds names the joint.
    let mut outside = home.clone();
    outside[2] = arm.robot.joints()[2].upper + 0.1;
    let refused = arm.filter.go_straight(arm.now, &outside, 0.2);
    assert_eq!(refused.events[0].joint.as_deref(), Some("joint3"));
    // Free, it arrives, and the joints keep to their part of the speed.
    arm.filter.set_space(space(&arm.robot, &[]));
    arm.step(None);
    let scale = 0.2;
    let output = arm.filter.go_straight(arm.now, &home, scale);
    assert_eq!(output.verdict, Verdict::Accepted);
    let tracks = tracks(arm.robot.joints(), &output.trajectories);
    for ((track, joint), home) in tracks.iter().zip(arm.robot.joints()).zip(&home) {
        let end = track.end();
        assert!((track.sample(end)[0] - home).abs() < 1e-9);
        for i in 0..=200 {
            let velocity = track.sample(end * f64::from(i) / 200.0)[1].abs();
            assert!(velocity <= joint.velocity * scale + 1e-9, "{}: {velocity}", joint.name);
        }
    }
}

#[test]
fn a_held_object_moves_with_its_link_and_keeps_clear_too() {
    let robot = robot();
    let home = robot.home().to_vec();
    let tip = robot.kinematics().tip_pose(0, &home);
    let held = HeldObject {
        name: "stick".into(),
        link: "tool_link".into(),
        shapes: vec![Shape::cuboid([0.02, 0.02, 0.3])],
        touch_links: robot.kinematics().link_names().to_vec(),
    };
    // A wall that the stick reaches and the hand does not, when the first joint turns.
    let mut turned = home.clone();
    turned[0] += 0.6;
    let end = robot.kinematics().tip_pose(0, &turned) * Point3::new(0.0, 0.0, 0.14);
    let ball = Thing::Ball { center: end.coords, radius: 0.02 };
    assert!((end - tip * Point3::origin()).norm() > 0.15);
    let follow = |held: Vec<HeldObject>| {
        let mut arm = Arm::new();
        let objects = vec![ball.object("ball")];
        let scene = Scene { objects, held, ..Scene::default() };
        arm.filter.set_space(Arc::new(RobotSpace::among(robot.clone(), &scene).unwrap()));
        let way = arm.way(&turned, 20);
        let output = arm.step(Some(way));
        let named = |event: &f1_robot::safety::Event| {
            event.joint.as_ref().is_some_and(|joint| joint.contains("stick - ball"))
        };
        output.events.iter().any(named)
    };
    assert!(!follow(Vec::new()));
    assert!(follow(vec![held.clone()]));
    let wrong = HeldObject { link: "no_link".into(), ..held };
    let scene = Scene { held: vec![wrong], ..Scene::default() };
    assert_eq!(RobotSpace::among(robot, &scene).unwrap_err(), "stick");
}
