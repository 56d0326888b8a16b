use std::path::Path;
use std::time::Duration;

use f1_interfaces::geometry_msgs::msg::Pose;
use f1_interfaces::moveit_msgs::msg::AllowedCollisionEntry;
use f1_interfaces::shape_msgs::msg::{Plane, SolidPrimitive};

use super::*;

fn robot() -> Robot {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
    Robot::load(&file).unwrap()
}

fn at(x: f64) -> Pose {
    let mut pose = Pose::default();
    (pose.position.x, pose.orientation.w) = (x, 1.0);
    pose
}

/// A ball of 5 cm, `x` m from the frame `base_link`.
fn ball(id: &str, x: f64, operation: u8) -> CollisionObject {
    let ball = SolidPrimitive {
        r#type: SolidPrimitive::SPHERE,
        dimensions: vec![0.05],
        ..Default::default()
    };
    let mut object =
        CollisionObject { id: id.into(), operation, pose: at(x), ..Default::default() };
    object.header.frame_id = "base_link".into();
    object.primitives = vec![ball];
    object.primitive_poses = vec![at(0.0)];
    object
}

fn difference(objects: Vec<CollisionObject>) -> PlanningScene {
    let mut scene = PlanningScene { is_diff: true, ..Default::default() };
    scene.robot_state.is_diff = true;
    scene.world.collision_objects = objects;
    scene
}

fn attached(id: &str, link: &str, operation: u8) -> PlanningScene {
    let mut object = ball(id, 0.1, operation);
    object.header.frame_id = link.into();
    let mut scene = difference(Vec::new());
    scene.robot_state.attached_collision_objects = vec![AttachedCollisionObject {
        link_name: link.into(),
        object,
        touch_links: vec!["tool_link".into()],
        ..Default::default()
    }];
    scene
}

/// The scene, and the root link's name in place of `base_link`.
fn scene(world: &World) -> Result<Scene, String> {
    let frames = Frames::new("base_link", BTreeMap::new());
    let now = Now { steady: Duration::ZERO, ros_ns: 0, limit: Duration::from_secs(1) };
    world.scene(&robot(), &frames, now)
}

fn places(world: &World) -> Vec<(String, f64)> {
    let place = |object: &SceneObject| match &object.solids[0] {
        Solid::Hull(shape) => (object.name.clone(), shape.points[0].x),
        Solid::Plane { offset, .. } => (object.name.clone(), *offset),
    };
    scene(world).unwrap().objects.iter().map(place).collect()
}

fn list(places: &[(&str, f64)]) -> Vec<(String, f64)> {
    places.iter().map(|(id, x)| ((*id).to_owned(), *x)).collect()
}

#[test]
fn differences_add_move_append_and_remove() {
    let (mut world, none) = (World::default(), BTreeMap::new());
    let mut change = |objects: Vec<CollisionObject>| {
        world.apply(&difference(objects), &none);
        places(&world)
    };
    let (add, remove) = (CollisionObject::ADD, CollisionObject::REMOVE);
    assert_eq!(change(vec![ball("a", 1.0, add), ball("b", 2.0, add)]).len(), 2);
    let moved = CollisionObject {
        primitives: Vec::new(),
        primitive_poses: Vec::new(),
        ..ball("a", 3.0, CollisionObject::MOVE)
    };
    assert_eq!(change(vec![moved]), list(&[("a", 3.0), ("b", 2.0)]));
    change(vec![ball("b", 2.0, CollisionObject::APPEND)]);
    assert_eq!(change(vec![ball("a", 0.0, remove)]), list(&[("b", 2.0)]));
    assert!(change(vec![ball("", 0.0, remove)]).is_empty());
    // All of a scene replaces what was known.
    change(vec![ball("c", 1.0, add)]);
    let mut whole = difference(vec![ball("d", 4.0, add)]);
    whole.is_diff = false;
    world.apply(&whole, &none);
    assert_eq!(places(&world), list(&[("d", 4.0)]));
}

#[test]
fn what_cannot_be_represented_is_refused_by_its_id_until_it_is_gone() {
    let plane = |coef: [f64; 4]| {
        let mut object = ball("bad", 0.0, CollisionObject::ADD);
        (object.primitives, object.primitive_poses) = (Vec::new(), Vec::new());
        (object.planes, object.plane_poses) = (vec![Plane { coef }], vec![at(0.0)]);
        object
    };
    let sized = |kind: u8, dimensions: Vec<f64>| {
        let mut object = ball("bad", 0.0, CollisionObject::ADD);
        object.primitives[0] = SolidPrimitive { r#type: kind, dimensions, ..Default::default() };
        object
    };
    let mut lost = ball("bad", 0.0, CollisionObject::ADD);
    lost.header.frame_id = "moon".into();
    let mut turned = ball("bad", f64::NAN, CollisionObject::ADD);
    turned.pose.orientation.w = 3.0;
    let mut nowhere = ball("bad", 0.0, CollisionObject::ADD);
    nowhere.header.frame_id = String::new();
    let mut nothing = ball("bad", 0.0, CollisionObject::ADD);
    nothing.primitives.clear();
    nothing.primitive_poses.clear();
    let mut mesh = ball("bad", 0.0, CollisionObject::ADD);
    mesh.meshes = vec![Default::default()];
    for (object, said) in [
        (sized(99, vec![1.0]), "type 99"),
        (sized(SolidPrimitive::BOX, vec![1.0, 1.0]), "sizes"),
        (sized(SolidPrimitive::CYLINDER, vec![1.0, f64::NAN]), "sizes"),
        (sized(SolidPrimitive::SPHERE, vec![-1.0]), "sizes"),
        (plane([0.0, 0.0, 0.0, 1.0]), "coefficients"),
        (lost, "frame moon is not known"),
        (turned, "position"),
        (mesh, "without points"),
        (nowhere, "names no frame"),
        (nothing, "no shape"),
        (ball("bad", 0.0, 17), "operation 17"),
        (ball("bad", 0.0, CollisionObject::MOVE), "never added"),
    ] {
        let (mut world, none) = (World::default(), BTreeMap::new());
        world.apply(&difference(vec![ball("good", 1.0, CollisionObject::ADD), object]), &none);
        let fault = scene(&world).unwrap_err();
        assert!(fault.contains("object bad") && fault.contains(said), "{fault}");
        world.apply(&difference(vec![ball("bad", 0.0, CollisionObject::REMOVE)]), &none);
        assert_eq!(places(&world), list(&[("good", 1.0)]));
    }
    let mut world = World::default();
    world.apply(&difference(vec![plane([0.0, 0.0, 2.0, -1.0])]), &BTreeMap::new());
    assert_eq!(places(&world), list(&[("bad", 0.5)]));
}

#[test]
fn attached_objects_leave_the_world_and_come_back_where_they_are_let_go() {
    let mut world = World::default();
    let link = "tool_link";
    let links = BTreeMap::from([(link.to_owned(), Isometry3::translation(0.4, 0.0, 0.3))]);
    world.apply(&difference(vec![ball("cup", 1.0, CollisionObject::ADD)]), &links);
    world.apply(&attached("cup", link, CollisionObject::ADD), &links);
    let held = scene(&world).unwrap();
    assert!(held.objects.is_empty());
    assert_eq!((held.held[0].link.as_str(), held.held[0].touch_links.len()), (link, 1));
    world.apply(&attached("cup", link, CollisionObject::REMOVE), &links);
    assert_eq!(places(&world), list(&[("cup", 0.5)]));
    world.apply(&attached("cup", "no_link", CollisionObject::ADD), &links);
    let fault = scene(&world).unwrap_err();
    assert!(fault.contains("attached object cup") && fault.contains("no_link"), "{fault}");
}

#[test]
fn the_matrix_of_allowed_collisions_decides_what_may_touch() {
    let mut world = World::default();
    let entry = |enabled: Vec<bool>| AllowedCollisionEntry { enabled };
    let mut scene_message = difference(vec![
        ball("cup", 1.0, CollisionObject::ADD),
        ball("wall", 2.0, CollisionObject::ADD),
    ]);
    scene_message.allowed_collision_matrix = AllowedCollisionMatrix {
        entry_names: vec!["cup".into(), "tool_link".into()],
        entry_values: vec![entry(vec![false, true]), entry(vec![true, false])],
        default_entry_names: vec!["wall".into()],
        default_entry_values: vec![false],
    };
    world.apply(&scene_message, &BTreeMap::new());
    let allowed = scene(&world).unwrap().allowed;
    let pair = ("tool_link".to_owned(), "cup".to_owned());
    assert_eq!(allowed.into_iter().collect::<Vec<_>>(), [pair]);
}

#[test]
fn an_object_that_is_let_go_stands_where_the_same_message_says() {
    let mut world = World::default();
    let link = "tool_link";
    let links = BTreeMap::from([(link.to_owned(), Isometry3::translation(0.4, 0.0, 0.3))]);
    // MoveIt says of an object that was let go: no link holds it, and the world has it here.
    let mut let_go = attached("cup", link, CollisionObject::REMOVE);
    let_go.world.collision_objects = vec![ball("cup", 1.5, CollisionObject::ADD)];
    for known in [links, BTreeMap::new()] {
        world.apply(&attached("cup", link, CollisionObject::ADD), &known);
        world.apply(&let_go, &known);
        assert_eq!(places(&world), list(&[("cup", 1.5)]));
        // The same once more, as after an answer that has it already.
        world.apply(&let_go, &known);
        assert_eq!(places(&world), list(&[("cup", 1.5)]));
    }
}

#[test]
fn attaching_once_more_without_a_shape_keeps_the_shape() {
    let (mut world, none) = (World::default(), BTreeMap::new());
    let link = "tool_link";
    world.apply(&attached("cup", link, CollisionObject::ADD), &none);
    let mut again = attached("cup", link, CollisionObject::ADD);
    again.robot_state.attached_collision_objects[0].object.primitives.clear();
    again.robot_state.attached_collision_objects[0].object.primitive_poses.clear();
    world.apply(&again, &none);
    assert_eq!(scene(&world).unwrap().held[0].shapes.len(), 1);
    world.apply(&attached("cup", link, CollisionObject::APPEND), &none);
    assert_eq!(scene(&world).unwrap().held[0].shapes.len(), 2);
}

#[test]
fn parts_that_are_added_at_another_place_are_refused() {
    let (mut world, none) = (World::default(), BTreeMap::new());
    world.apply(&difference(vec![ball("a", 1.0, CollisionObject::ADD)]), &none);
    world.apply(&difference(vec![ball("a", 2.0, CollisionObject::APPEND)]), &none);
    assert!(scene(&world).unwrap_err().contains("object a: parts were added at another place"));
}

#[test]
fn a_matrix_that_says_two_things_of_a_pair_forbids_it() {
    let mut world = World::default();
    let mut message = difference(vec![ball("cup", 1.0, CollisionObject::ADD)]);
    let entry = |enabled: Vec<bool>| AllowedCollisionEntry { enabled };
    message.allowed_collision_matrix = AllowedCollisionMatrix {
        entry_names: vec!["cup".into(), "tool_link".into()],
        entry_values: vec![entry(vec![false, true]), entry(vec![false, false])],
        ..Default::default()
    };
    world.apply(&message, &BTreeMap::new());
    assert!(scene(&world).unwrap().allowed.is_empty());
}
