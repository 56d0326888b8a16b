//! Distances between the robot's links and to fixed obstacles.
//!
//! Every collision shape of the URDF becomes one or more capsules that enclose it; obstacles are
//! boxes. Which pairs are looked at is settled once, when the robot is loaded.

mod capsule;
mod shapes;

use std::collections::BTreeSet;

use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};

pub use capsule::{segment_box_distance, segment_distance};

use crate::JointLimits;
use crate::kinematics::{Kinematics, Tree, moves};
use crate::robot_file::RobotFile;
use crate::robot_file::reader::Faults;

/// Configurations that are tried to find pairs that always touch.
const SAMPLES: usize = 400;
/// A pair that is too near in this share of them is taken as always touching.
const ALWAYS: f64 = 0.95;

/// A capsule fixed to a link.
#[derive(Debug, Clone, PartialEq)]
struct Capsule {
    link: usize,
    a: Point3<f64>,
    b: Point3<f64>,
    radius: f64,
}

#[derive(Debug, Clone)]
struct ObstacleBox {
    name: String,
    inverse: Isometry3<f64>,
    half: Vector3<f64>,
}

/// What is nearest: a distance in m (negative: shapes overlap by that much at most) and between
/// what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// The distance, or the cut-off if nothing is nearer.
    pub distance: f64,
    /// Between which two: link indices for the robot itself; a link and an obstacle's index for
    /// the scene. `None` if nothing is nearer than the cut-off.
    pub pair: Option<(usize, usize)>,
}

/// The nearest pairs at one configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distances {
    /// Between the robot's own links.
    pub own: Nearest,
    /// Between links and obstacles.
    pub scene: Nearest,
}

/// Buffers kept between calls.
#[derive(Debug, Clone, Default)]
pub struct ClearanceScratch {
    poses: Vec<Isometry3<f64>>,
    placed: Vec<Placed>,
}

/// A capsule at a configuration, with its bounding sphere.
#[derive(Debug, Clone, Copy)]
struct Placed {
    a: Point3<f64>,
    b: Point3<f64>,
    radius: f64,
    center: Point3<f64>,
    bound: f64,
}

/// The clearance checks of one robot.
#[derive(Debug, Clone)]
pub struct Clearance {
    kinematics: Kinematics,
    capsules: Vec<Capsule>,
    obstacles: Vec<ObstacleBox>,
    /// Capsule against capsule.
    own_pairs: Vec<(usize, usize)>,
    /// Capsule against obstacle.
    scene_pairs: Vec<(usize, usize)>,
    left_out: Vec<(String, String)>,
    self_distance: f64,
    scene_distance: f64,
}

impl Clearance {
    pub(crate) fn new(
        tree: &Tree,
        kinematics: &Kinematics,
        joints: &[JointLimits],
        home: &[f64],
        file: &RobotFile,
        faults: &mut Faults,
    ) -> Self {
        let mut capsules = Vec::new();
        for (link, entry) in tree.links.iter().enumerate() {
            for collision in &entry.collision {
                match shapes::capsules(collision) {
                    Ok(list) => {
                        capsules.extend(list.into_iter().map(|(a, b, radius)| Capsule {
                            link,
                            a,
                            b,
                            radius,
                        }));
                    }
                    Err(message) => faults.add("urdf", format!("link `{}`: {message}", entry.name)),
                }
            }
        }
        let obstacles = file
            .scene
            .iter()
            .map(|obstacle| {
                let [roll, pitch, yaw] = obstacle.rpy;
                let rotation = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
                let pose = Isometry3::from_parts(Point3::from(obstacle.center).into(), rotation);
                ObstacleBox {
                    name: obstacle.name.clone(),
                    inverse: pose.inverse(),
                    half: Vector3::from(obstacle.size) * 0.5,
                }
            })
            .collect();
        let mut clearance = Self {
            kinematics: kinematics.clone(),
            capsules,
            obstacles,
            own_pairs: Vec::new(),
            scene_pairs: Vec::new(),
            left_out: Vec::new(),
            self_distance: file.clearance.self_distance,
            scene_distance: file.clearance.scene_distance,
        };
        clearance.choose_pairs(tree, joints, home, file);
        let at_home = clearance.distances(home, f64::INFINITY, &mut ClearanceScratch::default());
        for (nearest, least, key) in [
            (at_home.own, clearance.self_distance, "self_distance"),
            (at_home.scene, clearance.scene_distance, "scene_distance"),
        ] {
            if let Some(pair) = nearest.pair.filter(|_| nearest.distance < least) {
                let (one, other) = if key == "self_distance" {
                    clearance.own_names(pair)
                } else {
                    clearance.scene_names(pair)
                };
                let distance = nearest.distance;
                faults.add(
                    "home",
                    format!(
                        "`{one}` and `{other}` are {distance:.4} m apart, less than clearance.{key} = {least}"
                    ),
                );
            }
        }
        clearance
    }

    /// Settles which pairs are looked at.
    fn choose_pairs(
        &mut self,
        tree: &Tree,
        joints: &[JointLimits],
        home: &[f64],
        file: &RobotFile,
    ) {
        let body = bodies(tree, joints);
        let neighbours: BTreeSet<(usize, usize)> = tree
            .links
            .iter()
            .enumerate()
            .filter_map(|(link, entry)| {
                entry.parent.as_ref().map(|(parent, _)| ordered(body[link], body[*parent]))
            })
            .collect();
        let ignored = |a: usize, b: usize| {
            let (a, b) = (&tree.links[a].name, &tree.links[b].name);
            file.clearance
                .ignore
                .iter()
                .any(|pair| pair.len() == 2 && pair.contains(a) && pair.contains(b) && a != b)
        };
        let mut own: Vec<(usize, usize)> = Vec::new();
        for i in 0..self.capsules.len() {
            for j in i + 1..self.capsules.len() {
                let (a, b) = (self.capsules[i].link, self.capsules[j].link);
                // One rigid body cannot touch itself; two that share a joint are kept apart by its
                // bounds.
                if body[a] != body[b]
                    && !neighbours.contains(&ordered(body[a], body[b]))
                    && !ignored(a, b)
                {
                    own.push((i, j));
                }
            }
        }
        let mut scene: Vec<(usize, usize)> = Vec::new();
        for (i, capsule) in self.capsules.iter().enumerate() {
            for (j, obstacle) in file.scene.iter().enumerate() {
                let allowed = obstacle.allow.contains(&tree.links[capsule.link].name);
                if body[capsule.link] != body[0] && !allowed {
                    scene.push((i, j));
                }
            }
        }
        // What is too near almost everywhere is built that way. Shapes are judged link by link.
        let mut near_own = vec![0usize; own.len()];
        let mut near_scene = vec![0usize; scene.len()];
        let mut scratch = ClearanceScratch::default();
        for sample in 0..SAMPLES {
            let positions: Vec<f64> = joints
                .iter()
                .enumerate()
                .map(|(i, joint)| match sample {
                    0 => home[i],
                    _ => joint.lower + (joint.upper - joint.lower) * scatter(sample, i),
                })
                .collect();
            self.place(&positions, &mut scratch);
            for (count, (i, j)) in near_own.iter_mut().zip(&own) {
                *count += usize::from(
                    own_distance(&scratch.placed[*i], &scratch.placed[*j]) < self.self_distance,
                );
            }
            for (count, (i, j)) in near_scene.iter_mut().zip(&scene) {
                let distance = self.obstacles[*j].distance(&scratch.placed[*i]);
                *count += usize::from(distance < self.scene_distance);
            }
        }
        let always = |count: usize| count as f64 >= ALWAYS * SAMPLES as f64;
        let links = |(i, j): (usize, usize)| ordered(self.capsules[i].link, self.capsules[j].link);
        let touching: BTreeSet<(usize, usize)> = own
            .iter()
            .zip(&near_own)
            .filter(|(_, count)| always(**count))
            .map(|(pair, _)| links(*pair))
            .collect();
        let standing: BTreeSet<(usize, usize)> = scene
            .iter()
            .zip(&near_scene)
            .filter(|(_, count)| always(**count))
            .map(|((i, j), _)| (self.capsules[*i].link, *j))
            .collect();
        own.retain(|pair| !touching.contains(&links(*pair)));
        scene.retain(|(i, j)| !standing.contains(&(self.capsules[*i].link, *j)));
        let name = |link: usize| tree.links[link].name.clone();
        self.left_out = touching.iter().map(|(a, b)| (name(*a), name(*b))).collect();
        self.left_out
            .extend(standing.iter().map(|(link, j)| (name(*link), file.scene[*j].name.clone())));
        self.own_pairs = own;
        self.scene_pairs = scene;
    }

    /// Least distance between the robot's own links that must be kept, m.
    pub fn self_distance(&self) -> f64 {
        self.self_distance
    }

    /// Least distance to obstacles that must be kept, m.
    pub fn scene_distance(&self) -> f64 {
        self.scene_distance
    }

    /// The names of a pair of [`Distances::own`].
    pub fn own_names(&self, pair: (usize, usize)) -> (&str, &str) {
        let names = self.kinematics.link_names();
        (&names[pair.0], &names[pair.1])
    }

    /// The names of a pair of [`Distances::scene`].
    pub fn scene_names(&self, pair: (usize, usize)) -> (&str, &str) {
        (&self.kinematics.link_names()[pair.0], &self.obstacles[pair.1].name)
    }

    /// Pairs that are left out because they always touch, by name.
    pub fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// For each joint a bound on how far any point of the robot moves per unit of its motion within
    /// the joints' bounds (`positions`), m/rad (m/m): two points come closer by no more than
    /// the sum over all joints, because a joint that moves both does not change their distance.
    pub fn reach(&self, kinematics: &Kinematics, positions: &[(f64, f64)]) -> Vec<f64> {
        let mut reach = vec![0.0_f64; kinematics.dof()];
        for capsule in &self.capsules {
            let length = capsule.a.coords.norm().max(capsule.b.coords.norm()) + capsule.radius;
            let levers = kinematics.levers(capsule.link, length, positions);
            reach.iter_mut().zip(levers).for_each(|(reach, lever)| *reach = reach.max(lever));
        }
        // Two fingers of one joint come closer twice as fast as each moves.
        let several =
            reach.iter_mut().enumerate().filter(|(joint, _)| kinematics.drives_several(*joint));
        several.for_each(|(_, reach)| *reach *= 2.0);
        reach
    }

    /// The numbers of capsules, own pairs and scene pairs that are looked at.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.capsules.len(), self.own_pairs.len(), self.scene_pairs.len())
    }

    fn place(&self, positions: &[f64], scratch: &mut ClearanceScratch) {
        self.kinematics.link_poses_into(positions, &mut scratch.poses);
        let poses = &scratch.poses;
        scratch.placed.clear();
        scratch.placed.extend(self.capsules.iter().map(|capsule| {
            let pose = &poses[capsule.link];
            let (a, b) = (pose * capsule.a, pose * capsule.b);
            let center = nalgebra::center(&a, &b);
            Placed {
                a,
                b,
                radius: capsule.radius,
                center,
                bound: (b - a).norm() * 0.5 + capsule.radius,
            }
        }));
    }

    /// The nearest pairs at a joint vector. Only distances below `cutoff` are looked for (the
    /// sharper, the faster); infinity finds the nearest pair however far.
    pub fn distances(
        &self,
        positions: &[f64],
        cutoff: f64,
        scratch: &mut ClearanceScratch,
    ) -> Distances {
        self.place(positions, scratch);
        let placed = &scratch.placed;
        let mut own = Nearest { distance: cutoff, pair: None };
        for &(i, j) in &self.own_pairs {
            let (a, b) = (&placed[i], &placed[j]);
            let reach = own.distance + a.bound + b.bound;
            if reach > 0.0 && (a.center - b.center).norm_squared() < reach * reach {
                let distance = own_distance(a, b);
                if distance < own.distance {
                    own = Nearest {
                        distance,
                        pair: Some((self.capsules[i].link, self.capsules[j].link)),
                    };
                }
            }
        }
        let mut scene = Nearest { distance: cutoff, pair: None };
        for &(i, j) in &self.scene_pairs {
            let (capsule, obstacle) = (&placed[i], &self.obstacles[j]);
            if obstacle.point_distance(&capsule.center) - capsule.bound < scene.distance {
                let distance = obstacle.distance(capsule);
                if distance < scene.distance {
                    scene = Nearest { distance, pair: Some((self.capsules[i].link, j)) };
                }
            }
        }
        Distances { own, scene }
    }
}

impl ObstacleBox {
    fn point_distance(&self, point: &Point3<f64>) -> f64 {
        let local = (self.inverse * point).coords.abs() - self.half;
        local.sup(&Vector3::zeros()).norm()
    }

    fn distance(&self, capsule: &Placed) -> f64 {
        let (a, b) = (self.inverse * capsule.a, self.inverse * capsule.b);
        segment_box_distance(&a, &b, &self.half) - capsule.radius
    }
}

fn own_distance(a: &Placed, b: &Placed) -> f64 {
    segment_distance(&a.a, &a.b, &b.a, &b.b) - a.radius - b.radius
}

fn ordered(a: usize, b: usize) -> (usize, usize) {
    if a < b { (a, b) } else { (b, a) }
}

/// For each link the first link of the rigid body it belongs to: fixed joints and joints that
/// nothing commands do not part links.
fn bodies(tree: &Tree, joints: &[JointLimits]) -> Vec<usize> {
    let mut body: Vec<usize> = (0..tree.links.len()).collect();
    for (link, entry) in tree.links.iter().enumerate() {
        if let Some((parent, joint)) = &entry.parent {
            let driver = joint.mimic.as_ref().map_or(&joint.name, |mimic| &mimic.joint);
            if !moves(joint) || !joints.iter().any(|commanded| commanded.name == *driver) {
                body[link] = body[*parent];
            }
        }
    }
    body
}

/// A number in 0..1 that depends on both arguments only: the same pairs are chosen on every
/// machine.
fn scatter(sample: usize, dimension: usize) -> f64 {
    // SplitMix64.
    let mut x = (sample as u64) << 32 | dimension as u64;
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 11) as f64 / (1u64 << 53) as f64
}
