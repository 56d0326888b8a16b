//! Which pairs of links, and of links and obstacles, are looked at: settled once, at load.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Clearance, ClearanceScratch};
use crate::JointLimits;
use crate::kinematics::{Tree, moves};
use crate::robot_file::RobotFile;

/// Configurations that are tried to find pairs that are too near as built; the first is home.
const SAMPLES: usize = 400;
/// A pair that is too near in this share of them is built that way.
const ALWAYS: f64 = 0.95;
/// A pair that is too near at home, with one body between its links, is built that way if it is too
/// near in this share of them.
const MOSTLY: f64 = 0.5;

/// Why a pair's distance is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// Too near in 95 of 100 random postures.
    AsBuilt,
    /// Too near at home and in more than half of the postures: shapes that were made from meshes,
    /// of links with one body between them.
    AtHome,
}

/// Two links, or a link and an obstacle, whose distance is not checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// The first link's name.
    pub one: String,
    /// The other link's or the obstacle's name.
    pub other: String,
    /// Why.
    pub reason: LeftOutReason,
    /// Pairs of shapes of the two that are not looked at.
    pub left_out: usize,
    /// Pairs of shapes of the two that are looked at all the same.
    pub checked: usize,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = match self.reason {
            LeftOutReason::AsBuilt => "too near in almost all postures",
            LeftOutReason::AtHome => "too near at home and in most postures",
        };
        write!(f, "{} - {} ({reason}", self.one, self.other)?;
        if self.checked > 0 {
            let all = self.left_out + self.checked;
            write!(f, "; {} of their {all} pairs of shapes", self.left_out)?;
        }
        f.write_str(")")
    }
}

/// The pairs that are looked at, and those that are not.
pub(super) struct Pairs {
    /// Shape against shape.
    pub own: Vec<(usize, usize)>,
    /// Shape against obstacle.
    pub scene: Vec<(usize, usize)>,
    /// Pairs that are too near as built.
    pub left_out: Vec<LeftOut>,
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
        // Where now these shapes of two links are too near and now those, all of them are left out.
        let together = near.together(|pair| links(pairs.own[pair]));
        let whole = |links: (usize, usize)| {
            let count = together.get(&links).copied().unwrap_or_default();
            always(count) && (fitted(links.0) || fitted(links.1))
        };
        // Convex shapes made of meshes are wider than the links where these are hollow. Only the
        // shapes that are too near are left out: the far end of a link can still reach its
        // neighbour's neighbour.
        let reason = |pair: (usize, usize), (count, at_home): (usize, bool)| {
            let (a, b) = links(pair);
            if always(count) || whole((a, b)) {
                return Some(LeftOutReason::AsBuilt);
            }
            let mostly = at_home && count as f64 >= MOSTLY * SAMPLES as f64;
            let wide = (fitted(a) || fitted(b)) && bodies.share(a, b);
            (mostly && wide).then_some(LeftOutReason::AtHome)
        };
        let mut noted = Noted::default();
        let own = std::mem::take(&mut pairs.own);
        for (pair, near) in own.into_iter().zip(&near.own) {
            match reason(pair, *near) {
                Some(reason) => noted.left_out(links(pair), reason),
                None => {
                    noted.checked(links(pair));
                    pairs.own.push(pair);
                }
            }
        }
        let name = |link: usize| tree.links[link].name.clone();
        pairs.left_out = noted.list(|(a, b)| (name(a), name(b)));
        let mut noted = Noted::default();
        let scene = std::mem::take(&mut pairs.scene);
        for ((i, j), count) in scene.into_iter().zip(&near.scene) {
            if always(*count) {
                noted.left_out((link(i), j), LeftOutReason::AsBuilt);
            } else {
                noted.checked((link(i), j));
                pairs.scene.push((i, j));
            }
        }
        pairs.bodies = bodies.of;
        pairs.left_out.extend(noted.list(|(a, j)| (name(a), file.scene[j].name.clone())));
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

/// Counts, for each two links (or link and obstacle), pairs of shapes that are looked at or not.
#[derive(Default)]
struct Noted {
    counts: BTreeMap<(usize, usize), (usize, usize)>,
    reasons: BTreeMap<(usize, usize), LeftOutReason>,
}

impl Noted {
    fn left_out(&mut self, two: (usize, usize), reason: LeftOutReason) {
        self.counts.entry(two).or_default().0 += 1;
        let strongest = self.reasons.entry(two).or_insert(reason);
        *strongest = reason.max(*strongest);
    }

    fn checked(&mut self, two: (usize, usize)) {
        self.counts.entry(two).or_default().1 += 1;
    }

    fn list(&self, names: impl Fn((usize, usize)) -> (String, String)) -> Vec<LeftOut> {
        let listed = self.reasons.iter().map(|(two, reason)| {
            let (left_out, checked) = self.counts.get(two).copied().unwrap_or_default();
            let (one, other) = names(*two);
            LeftOut { one, other, reason: *reason, left_out, checked }
        });
        listed.collect()
    }
}

/// In how many configurations the pairs are too near.
struct Near {
    /// Shape against shape: in how many, and whether at home.
    own: Vec<(usize, bool)>,
    /// The pairs of `own` that are too near, in each configuration.
    own_at: Vec<Vec<usize>>,
    /// Shape against obstacle.
    scene: Vec<usize>,
}

impl Near {
    fn count(clearance: &Clearance, pairs: &Pairs, joints: &[JointLimits], home: &[f64]) -> Self {
        let mut near = Self {
            own: vec![(0, false); pairs.own.len()],
            own_at: Vec::with_capacity(SAMPLES),
            scene: vec![0; pairs.scene.len()],
        };
        let mut scratch = ClearanceScratch::default();
        for sample in 0..SAMPLES {
            let anywhere = joints.iter().enumerate().map(|(i, joint)| {
                let (lower, upper) = joint.range();
                lower + (upper - lower) * scatter(sample, i)
            });
            let positions: Vec<f64> = if sample == 0 { home.to_vec() } else { anywhere.collect() };
            clearance.place(&positions, &mut scratch);
            let mut here = Vec::new();
            for (pair, (i, j)) in pairs.own.iter().enumerate() {
                let least = clearance.self_distance;
                if scratch.own_distance(*i, *j, least) < least {
                    let (count, at_home) = &mut near.own[pair];
                    *count += 1;
                    *at_home |= sample == 0;
                    here.push(pair);
                }
            }
            near.own_at.push(here);
            for (count, (i, j)) in near.scene.iter_mut().zip(&pairs.scene) {
                let least = clearance.scene_distance;
                let distance = clearance.obstacles[*j].distance(&scratch, *i, least);
                *count += usize::from(distance < least);
            }
        }
        near
    }

    /// For each two links, in how many configurations any of their shapes are too near that are not
    /// always so.
    fn together(&self, links: impl Fn(usize) -> (usize, usize)) -> BTreeMap<(usize, usize), usize> {
        let mut counts = BTreeMap::new();
        for here in &self.own_at {
            let sometimes = here.iter().filter(|pair| !always(self.own[**pair].0));
            let links: BTreeSet<(usize, usize)> = sometimes.map(|pair| links(*pair)).collect();
            links.into_iter().for_each(|two| *counts.entry(two).or_default() += 1);
        }
        counts
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
