//! Which pairs of links, and of links and obstacles, are looked at: settled once, at load.

use std::collections::{BTreeMap, BTreeSet};

use super::{Clearance, ClearanceScratch};
use crate::JointLimits;
use crate::kinematics::{Tree, moves};
use crate::robot_file::RobotFile;

/// Configurations that are tried to find pairs that are too near as built; the first is home.
const SAMPLES: usize = 400;
/// A pair that is too near in this share of them is built that way.
const ALWAYS: f64 = 0.95;

/// The pairs that are looked at, and those that are not.
pub(super) struct Pairs {
    /// Shape against shape.
    pub own: Vec<(usize, usize)>,
    /// Shape against obstacle.
    pub scene: Vec<(usize, usize)>,
    /// By name: pairs that are too near as built.
    pub left_out: Vec<(String, String)>,
    /// By link: the first link of its rigid body.
    pub bodies: Vec<usize>,
}

impl Pairs {
    pub(super) fn choose(
        clearance: &Clearance,
        tree: &Tree,
        joints: &[JointLimits],
        home: &[f64],
        file: &RobotFile,
    ) -> Self {
        let bodies = Bodies::of(tree, joints);
        let mut pairs = Self::possible(clearance, tree, &bodies, file);
        let near = Near::count(clearance, &pairs, joints, home);
        let link = |shape: usize| clearance.shapes[shape].link;
        let links = |(i, j): (usize, usize)| ordered(link(i), link(j));
        let fitted = |link: usize| {
            let name = &tree.links[link].name;
            clearance.fitted.contains(name) || clearance.given.contains(name)
        };
        let mut touching: BTreeSet<(usize, usize)> = pairs
            .own
            .iter()
            .zip(&near.own)
            .filter(|(_, count)| always(**count))
            .map(|(pair, _)| links(*pair))
            .collect();
        // Convex shapes made of meshes are wider than the links where these are hollow: links with
        // one body between them, which cannot come apart, are left out if they are too near at
        // home.
        let at_home = near.links.iter().filter(|((a, b), (count, home))| {
            (fitted(*a) || fitted(*b)) && (always(*count) || (*home && bodies.share(*a, *b)))
        });
        touching.extend(at_home.map(|(pair, _)| *pair));
        let standing: BTreeSet<(usize, usize)> = pairs
            .scene
            .iter()
            .zip(&near.scene)
            .filter(|(_, count)| always(**count))
            .map(|((i, j), _)| (link(*i), *j))
            .collect();
        pairs.bodies = bodies.of;
        pairs.own.retain(|pair| !touching.contains(&links(*pair)));
        pairs.scene.retain(|(i, j)| !standing.contains(&(link(*i), *j)));
        let name = |link: usize| tree.links[link].name.clone();
        pairs.left_out = touching.iter().map(|(a, b)| (name(*a), name(*b))).collect();
        pairs
            .left_out
            .extend(standing.iter().map(|(link, j)| (name(*link), file.scene[*j].name.clone())));
        pairs
    }

    /// The pairs that can come near each other at all.
    fn possible(clearance: &Clearance, tree: &Tree, bodies: &Bodies, file: &RobotFile) -> Self {
        let ignored = |a: usize, b: usize| {
            let (a, b) = (&tree.links[a].name, &tree.links[b].name);
            file.clearance
                .ignore
                .iter()
                .any(|pair| pair.len() == 2 && pair.contains(a) && pair.contains(b) && a != b)
        };
        let shapes = &clearance.shapes;
        let mut own: Vec<(usize, usize)> = Vec::new();
        for i in 0..shapes.len() {
            for j in i + 1..shapes.len() {
                let (a, b) = (shapes[i].link, shapes[j].link);
                // One rigid body cannot touch itself; two that share a joint are kept apart by its
                // bounds.
                if bodies.of[a] != bodies.of[b] && !bodies.are_neighbours(a, b) && !ignored(a, b) {
                    own.push((i, j));
                }
            }
        }
        let mut scene: Vec<(usize, usize)> = Vec::new();
        for (i, shape) in shapes.iter().enumerate() {
            for (j, obstacle) in file.scene.iter().enumerate() {
                let allowed = obstacle.allow.contains(&tree.links[shape.link].name);
                if bodies.of[shape.link] != bodies.of[0] && !allowed {
                    scene.push((i, j));
                }
            }
        }
        Self { own, scene, left_out: Vec::new(), bodies: Vec::new() }
    }
}

fn always(count: usize) -> bool {
    count as f64 >= ALWAYS * SAMPLES as f64
}

/// In how many configurations the pairs are too near.
struct Near {
    /// Shape against shape.
    own: Vec<usize>,
    /// Shape against obstacle.
    scene: Vec<usize>,
    /// Link against link: in how many, and whether at home.
    links: BTreeMap<(usize, usize), (usize, bool)>,
}

impl Near {
    fn count(clearance: &Clearance, pairs: &Pairs, joints: &[JointLimits], home: &[f64]) -> Self {
        let mut near = Self {
            own: vec![0; pairs.own.len()],
            scene: vec![0; pairs.scene.len()],
            links: BTreeMap::new(),
        };
        let mut scratch = ClearanceScratch::default();
        for sample in 0..SAMPLES {
            let anywhere = joints.iter().enumerate().map(|(i, joint)| {
                let (lower, upper) = joint.range();
                lower + (upper - lower) * scatter(sample, i)
            });
            let positions: Vec<f64> = if sample == 0 { home.to_vec() } else { anywhere.collect() };
            clearance.place(&positions, &mut scratch);
            let mut near_links = BTreeSet::new();
            for (count, (i, j)) in near.own.iter_mut().zip(&pairs.own) {
                let least = clearance.self_distance;
                if scratch.own_distance(*i, *j, least) < least {
                    *count += 1;
                    let links = (clearance.shapes[*i].link, clearance.shapes[*j].link);
                    near_links.insert(ordered(links.0, links.1));
                }
            }
            for pair in near_links {
                let (count, at_home) = near.links.entry(pair).or_default();
                *count += 1;
                *at_home |= sample == 0;
            }
            for (count, (i, j)) in near.scene.iter_mut().zip(&pairs.scene) {
                let least = clearance.scene_distance;
                let distance = clearance.obstacles[*j].distance(&scratch, *i, least);
                *count += usize::from(distance < least);
            }
        }
        near
    }
}

fn ordered(a: usize, b: usize) -> (usize, usize) {
    if a < b { (a, b) } else { (b, a) }
}

/// The rigid bodies that links form.
struct Bodies {
    /// For each link the first link of its body: fixed joints and joints that nothing commands do
    /// not part links.
    of: Vec<usize>,
    /// Bodies that share a joint.
    neighbours: BTreeSet<(usize, usize)>,
}

impl Bodies {
    fn of(tree: &Tree, joints: &[JointLimits]) -> Self {
        let mut of: Vec<usize> = (0..tree.links.len()).collect();
        for (link, entry) in tree.links.iter().enumerate() {
            if let Some((parent, joint)) = &entry.parent {
                let driver = joint.mimic.as_ref().map_or(&joint.name, |mimic| &mimic.joint);
                if !moves(joint) || !joints.iter().any(|commanded| commanded.name == *driver) {
                    of[link] = of[*parent];
                }
            }
        }
        let neighbours = tree.links.iter().enumerate().filter_map(|(link, entry)| {
            entry.parent.as_ref().map(|(parent, _)| ordered(of[link], of[*parent]))
        });
        let neighbours = neighbours.collect();
        Self { of, neighbours }
    }

    /// Whether the bodies of two links share a joint.
    fn are_neighbours(&self, a: usize, b: usize) -> bool {
        self.neighbours.contains(&ordered(self.of[a], self.of[b]))
    }

    /// Whether the bodies of two links share a neighbour.
    fn share(&self, a: usize, b: usize) -> bool {
        let next = |body: usize, other: usize| {
            body != other && self.neighbours.contains(&ordered(body, other))
        };
        let (a, b) = (self.of[a], self.of[b]);
        self.of.iter().any(|body| next(*body, a) && next(*body, b))
    }
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
