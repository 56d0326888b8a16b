//! MoveIt's planning scene as far as it concerns distances: objects, what links hold, what may
//! touch what. Differences are applied as MoveIt's own receiver applies them.
//!
//! Source: MoveIt's `planning_scene.cpp` (`processCollisionObjectMsg`,
//! `processAttachedCollisionObjectMsg`) and `collision_matrix.cpp`.

use std::collections::{BTreeMap, BTreeSet};

use f1_interfaces::moveit_msgs::msg::{
    AllowedCollisionMatrix, AttachedCollisionObject, CollisionObject, PlanningScene,
};
use f1_robot::Robot;
use f1_robot::clearance::{HeldObject, Scene, SceneObject, Solid};
use nalgebra::Isometry3;

use super::frames::{Frames, Now};
use super::shapes::{self, Part};

/// The fault of an object whose message does not say where it is.
const NO_FRAME: &str = "its message names no frame";

/// An object with its parts.
#[derive(Debug, Clone, Default)]
struct Object {
    frame: String,
    pose: Isometry3<f64>,
    /// In the object's own frame.
    parts: Vec<Part>,
    /// Why it cannot be represented.
    fault: Option<String>,
}

/// An object that a link holds.
#[derive(Debug, Clone)]
struct Held {
    link: String,
    object: Object,
    touch_links: Vec<String>,
}

/// Which names may touch.
#[derive(Debug, Clone, Default)]
struct Allowed {
    pairs: BTreeMap<(String, String), bool>,
    defaults: BTreeMap<String, bool>,
}

impl Allowed {
    fn of(matrix: &AllowedCollisionMatrix) -> Self {
        let mut pairs = BTreeMap::new();
        for (name, row) in matrix.entry_names.iter().zip(&matrix.entry_values) {
            for (other, enabled) in matrix.entry_names.iter().zip(&row.enabled) {
                pairs.insert((name.clone(), other.clone()), *enabled);
            }
        }
        let defaults = matrix.default_entry_names.iter().cloned();
        Self {
            pairs,
            defaults: defaults.zip(matrix.default_entry_values.iter().copied()).collect(),
        }
    }

    /// Whether two names may touch: their own entry, else the defaults of both. A matrix that
    /// says two things of a pair forbids.
    fn allows(&self, a: &str, b: &str) -> bool {
        if let Some(enabled) = self.pairs.get(&(a.to_owned(), b.to_owned())) {
            return *enabled;
        }
        match (self.defaults.get(a), self.defaults.get(b)) {
            (Some(one), Some(other)) => *one && *other,
            (Some(only), None) | (None, Some(only)) => *only,
            (None, None) => false,
        }
    }
}

/// The scene as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    objects: BTreeMap<String, Object>,
    held: BTreeMap<String, Held>,
    allowed: Allowed,
    /// An octomap is there, which is not looked at.
    pub octomap: bool,
}

impl World {
    /// Takes a scene: all of it, or what has changed. `links` are the robot's links in its root as
    /// they are measured, for objects that are let go.
    pub(super) fn apply(
        &mut self,
        scene: &PlanningScene,
        links: &BTreeMap<String, Isometry3<f64>>,
    ) {
        if !scene.is_diff {
            *self = Self::default();
        }
        // As MoveIt does: an object that is let go is removed from its link here, and the world
        // then says where it is.
        let state = &scene.robot_state;
        if !state.is_diff && !state.joint_state.name.is_empty() {
            self.held.clear();
        }
        for attached in &state.attached_collision_objects {
            self.attach(attached, links);
        }
        if !scene.allowed_collision_matrix.entry_names.is_empty()
            || !scene.allowed_collision_matrix.default_entry_names.is_empty()
        {
            self.allowed = Allowed::of(&scene.allowed_collision_matrix);
        }
        // `fixed_frame_transforms` are not read: they are copies of /tf, and grow old.
        for object in &scene.world.collision_objects {
            self.change(object);
        }
        let octomap = &scene.world.octomap.octomap;
        if !octomap.id.is_empty() {
            self.octomap = !octomap.data.is_empty();
        }
    }

    fn change(&mut self, message: &CollisionObject) {
        let id = message.id.clone();
        match message.operation {
            CollisionObject::REMOVE if id.is_empty() => self.objects.clear(),
            CollisionObject::REMOVE => {
                self.objects.remove(&id);
            }
            CollisionObject::MOVE => {
                let Some(object) = self.objects.get_mut(&id) else {
                    self.objects.insert(id, faulty("it was moved, and was never added"));
                    return;
                };
                object.frame.clone_from(&message.header.frame_id);
                if object.frame.is_empty() {
                    object.fault = Some(NO_FRAME.to_owned());
                }
                match shapes::pose(&message.pose) {
                    Ok(pose) => object.pose = pose,
                    Err(fault) => object.fault = Some(fault),
                }
                let poses = message.primitive_poses.iter().chain(&message.mesh_poses);
                if poses.chain(&message.plane_poses).next().is_some() {
                    object.fault = Some("its parts were moved apart".to_owned());
                }
            }
            CollisionObject::APPEND if self.objects.contains_key(&id) => {
                if let Some(known) = self.objects.get_mut(&id) {
                    known.append(message);
                }
            }
            CollisionObject::ADD | CollisionObject::APPEND => {
                self.objects.insert(id, object(message));
            }
            other => {
                self.objects.insert(id, faulty(format!("operation {other} is not known")));
            }
        }
    }

    fn attach(
        &mut self,
        message: &AttachedCollisionObject,
        links: &BTreeMap<String, Isometry3<f64>>,
    ) {
        let (id, link) = (&message.object.id, &message.link_name);
        match message.object.operation {
            CollisionObject::REMOVE => {
                let gone = |name: &String, held: &Held| {
                    (id.is_empty() || name == id) && (link.is_empty() || held.link == *link)
                };
                let names: Vec<String> = self
                    .held
                    .iter()
                    .filter(|(name, held)| gone(name, held))
                    .map(|(name, _)| name.clone())
                    .collect();
                for name in names {
                    self.let_go(&name, links);
                }
            }
            CollisionObject::ADD | CollisionObject::APPEND => {
                let appends = message.object.operation == CollisionObject::APPEND;
                let before = self.held.get(id).filter(|held| held.link == *link);
                let mut held = match before {
                    Some(before) if appends || is_empty(&message.object) => before.object.clone(),
                    _ => object(&message.object),
                };
                if is_empty(&message.object) {
                    // What is known of this name is taken up where it is.
                    if before.is_none() {
                        let faulty = || faulty("it is attached without a shape");
                        held = self.objects.get(id).cloned().unwrap_or_else(faulty);
                    }
                } else if appends && before.is_some() {
                    held.append(&message.object);
                }
                self.objects.remove(id);
                let touch_links = message.touch_links.clone();
                let held = Held { link: link.clone(), object: held, touch_links };
                self.held.insert(id.clone(), held);
            }
            other => {
                let object = faulty(format!("operation {other} cannot be used to attach"));
                let held = Held { link: link.clone(), object, touch_links: Vec::new() };
                self.held.insert(id.clone(), held);
            }
        }
    }

    /// What was held stays where it is.
    fn let_go(&mut self, id: &str, links: &BTreeMap<String, Isometry3<f64>>) {
        let Some(held) = self.held.remove(id) else { return };
        if self.objects.contains_key(id) {
            return;
        }
        let mut object = held.object;
        if object.frame == held.link {
            match links.get(&held.link) {
                Some(pose) => {
                    object.pose = pose * object.pose;
                    object.frame = String::new();
                }
                None => object.fault = Some("where it was let go is not known".to_owned()),
            }
        }
        self.objects.insert(id.to_owned(), object);
    }

    /// The scene in the robot's root frame.
    ///
    /// # Errors
    /// The object that cannot be represented or placed, by its id.
    pub(super) fn scene(&self, robot: &Robot, frames: &Frames, now: Now) -> Result<Scene, String> {
        let mut scene = Scene::default();
        for (id, object) in &self.objects {
            let named = |fault: String| format!("object {id}: {fault}");
            if let Some(fault) = &object.fault {
                return Err(named(fault.clone()));
            }
            // An empty frame is the robot's root: an object that was let go there.
            let frame = if object.frame.is_empty() {
                Isometry3::identity()
            } else {
                frames.in_root(&object.frame, now).map_err(named)?
            };
            let pose = frame * object.pose;
            let solids = object.parts.iter().map(|part| match part.moved(&pose) {
                Part::Body(shape) => Solid::Hull(shape),
                Part::Plane(point, normal) => {
                    Solid::Plane { normal, offset: normal.dot(&point.coords) }
                }
            });
            scene.objects.push(SceneObject { name: id.clone(), solids: solids.collect() });
        }
        let links = robot.kinematics().link_names();
        for (id, held) in &self.held {
            let named = |fault: String| format!("attached object {id}: {fault}");
            if let Some(fault) = &held.object.fault {
                return Err(named(fault.clone()));
            }
            if !links.contains(&held.link) {
                return Err(named(format!("the robot has no link {}", held.link)));
            }
            if held.object.frame != held.link {
                let (frame, link) = (&held.object.frame, &held.link);
                return Err(named(format!("its frame is {frame}, not the link {link}")));
            }
            let mut shapes = Vec::new();
            for part in &held.object.parts {
                match part.moved(&held.object.pose) {
                    Part::Body(shape) => shapes.push(shape),
                    Part::Plane(..) => return Err(named("a plane cannot be held".to_owned())),
                }
            }
            let (name, link, touch_links) =
                (id.clone(), held.link.clone(), held.touch_links.clone());
            scene.held.push(HeldObject { name, link, shapes, touch_links });
        }
        scene.allowed = self.allowed_pairs(links);
        Ok(scene)
    }

    fn allowed_pairs(&self, links: &[String]) -> BTreeSet<(String, String)> {
        let mut pairs = BTreeSet::new();
        let mut note = |a: &String, b: &String| {
            if self.allowed.allows(a, b) && self.allowed.allows(b, a) {
                pairs.insert((a.clone(), b.clone()));
            }
        };
        for link in links {
            self.objects.keys().chain(self.held.keys()).for_each(|id| note(link, id));
        }
        for held in self.held.keys() {
            self.objects.keys().for_each(|id| note(held, id));
        }
        pairs
    }
}

impl Object {
    /// More parts. Where a message that adds parts places the whole object elsewhere, it is not
    /// known which of the two holds.
    fn append(&mut self, message: &CollisionObject) {
        let added = object(message);
        if added.frame != self.frame || added.pose != self.pose {
            self.fault = Some("parts were added at another place".to_owned());
        }
        self.parts.extend(added.parts);
        self.fault = self.fault.take().or(added.fault);
    }
}

/// A message without a shape.
fn is_empty(message: &CollisionObject) -> bool {
    message.primitives.is_empty() && message.meshes.is_empty() && message.planes.is_empty()
}

fn faulty(fault: impl Into<String>) -> Object {
    Object { fault: Some(fault.into()), ..Object::default() }
}

/// An object of a message.
fn object(message: &CollisionObject) -> Object {
    if message.header.frame_id.is_empty() {
        return faulty(NO_FRAME);
    }
    match parts(message) {
        Ok((pose, parts)) => {
            Object { frame: message.header.frame_id.clone(), pose, parts, fault: None }
        }
        Err(fault) => faulty(fault),
    }
}

fn parts(message: &CollisionObject) -> Result<(Isometry3<f64>, Vec<Part>), String> {
    // MoveIt leaves out shapes that its messages cannot hold.
    if is_empty(message) {
        return Err("it has no shape".to_owned());
    }
    let counts = [
        (message.primitives.len(), message.primitive_poses.len()),
        (message.meshes.len(), message.mesh_poses.len()),
        (message.planes.len(), message.plane_poses.len()),
    ];
    if let Some((shapes, poses)) = counts.iter().find(|(shapes, poses)| poses > shapes) {
        return Err(format!("{shapes} shapes have {poses} poses"));
    }
    let mut parts = Vec::new();
    let mut place = |part: Part, pose: Option<&f1_interfaces::geometry_msgs::msg::Pose>| {
        // A shape without a pose stands at the object's own.
        let pose = pose.map_or(Ok(Isometry3::identity()), shapes::pose)?;
        parts.push(part.moved(&pose));
        Ok::<(), String>(())
    };
    for (index, primitive) in message.primitives.iter().enumerate() {
        place(shapes::primitive(primitive)?, message.primitive_poses.get(index))?;
    }
    for (index, mesh) in message.meshes.iter().enumerate() {
        place(shapes::mesh(mesh)?, message.mesh_poses.get(index))?;
    }
    for (index, plane) in message.planes.iter().enumerate() {
        place(shapes::plane(plane)?, message.plane_poses.get(index))?;
    }
    Ok((shapes::pose(&message.pose)?, parts))
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
