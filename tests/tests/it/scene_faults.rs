//! MoveIt's planning scene around the robot: not answered, changing under the moving arm, gone,
//! and in frames that are outdated.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::f1_msgs::action::GoHomeResult;
use f1_interfaces::f1_msgs::msg::{PolicyStatus, SafetyEvent};
use f1_interfaces::geometry_msgs::msg::TransformStamped;
use f1_interfaces::moveit_msgs::msg::{CollisionObject, PlanningScene};
use f1_interfaces::moveit_msgs::srv::{GetPlanningScene, GetPlanningSceneResponse};
use f1_interfaces::shape_msgs::msg::SolidPrimitive;
use f1_interfaces::tf2_msgs::msg::TFMessage;
use f1_middleware::{ClockKind, Publisher, Qos};
use parking_lot::Mutex;

use crate::fake_robot::{FakeRobot, Setup};
use crate::stacks;

const HOLDING: u8 = PolicyStatus::STATE_HOLDING;
const WAITING: u8 = PolicyStatus::STATE_WAITING;
const TOPIC: &str = "/monitored_planning_scene";

fn bench() -> Setup {
    Setup::bench().with(&["-p", "/f1/safety_filter:planning_scene:=true"])
}

fn ball(id: &str, frame: &str, [x, y, z]: [f64; 3], operation: u8) -> CollisionObject {
    let primitive = SolidPrimitive {
        r#type: SolidPrimitive::SPHERE,
        dimensions: vec![0.08],
        ..SolidPrimitive::default()
    };
    let mut ball = CollisionObject { id: id.into(), operation, ..CollisionObject::default() };
    ball.header.frame_id = frame.into();
    (ball.pose.position.x, ball.pose.position.y, ball.pose.position.z) = (x, y, z);
    ball.pose.orientation.w = 1.0;
    ball.primitives = vec![primitive];
    ball
}

fn difference(object: CollisionObject) -> PlanningScene {
    let mut scene = PlanningScene { is_diff: true, ..PlanningScene::default() };
    scene.robot_state.is_diff = true;
    scene.world.collision_objects = vec![object];
    scene
}

/// The end effector's place in the robot's root.
fn tip(fake: &FakeRobot) -> [f64; 3] {
    let places = fake.positions();
    let positions: Vec<f64> = fake.robot.joints().iter().map(|joint| places[&joint.name]).collect();
    fake.robot.kinematics().tip_pose(0, &positions).translation.vector.into()
}

/// What MoveIt's `move_group` offers.
struct MoveIt {
    /// The answer.
    scene: Arc<Mutex<PlanningScene>>,
    /// How often it was asked.
    asked: Arc<Mutex<usize>>,
}

impl MoveIt {
    /// Offers the service.
    fn offer(fake: &FakeRobot) -> Self {
        let moveit = Self { scene: Arc::default(), asked: Arc::default() };
        let (scene, asked) = (moveit.scene.clone(), moveit.asked.clone());
        let service =
            fake.node.create_service::<GetPlanningScene>("/get_planning_scene", move |_| {
                *asked.lock() += 1;
                GetPlanningSceneResponse { scene: scene.lock().clone() }
            });
        fake.node.keep(service.unwrap());
        moveit
    }
}

fn publisher(fake: &FakeRobot) -> Publisher<PlanningScene> {
    fake.node.create_publisher(TOPIC, Qos::reliable().keep_last(10)).unwrap()
}

/// A robot that moves among the objects of MoveIt.
fn moving() -> (FakeRobot, MoveIt, Publisher<PlanningScene>) {
    let fake = FakeRobot::start(bench());
    let (moveit, publisher) = (MoveIt::offer(&fake), publisher(&fake));
    fake.run(1.0);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(1.5);
    fake.assert_running();
    (fake, moveit, publisher)
}

#[test]
fn until_the_planning_scene_is_whole_nothing_moves() {
    let fake = FakeRobot::start(bench());
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(2.0);
    fake.assert_at_rest(&[WAITING, HOLDING], "planning scene: no node offers /get_planning_scene");
    let moveit = MoveIt::offer(&fake);
    fake.run(2.0);
    // Without the topic it would not be noticed that the scene changes.
    fake.assert_at_rest(&[WAITING, HOLDING], "planning scene: no node publishes");
    assert_eq!((fake.log.lock().trajectories.len(), *moveit.asked.lock()), (0, 0));
    let _publisher = publisher(&fake);
    fake.run(3.0);
    fake.assert_running();
    assert_eq!(*moveit.asked.lock(), 1);
    fake.assert_limits();
}

#[test]
fn an_object_that_appears_under_the_moving_arm_stops_it_until_it_is_gone() {
    let (fake, _moveit, publisher) = moving();
    let place = tip(&fake);
    publisher.publish(difference(ball("cup", "base_link", place, CollisionObject::ADD))).unwrap();
    fake.run(1.0);
    let stops = |event: &&SafetyEvent| {
        event.rule == "scene_clearance" && event.action == SafetyEvent::ACTION_STOPPED
    };
    let event = fake.log.lock().events.iter().find(stops).cloned();
    let event = event.expect("the arm was not stopped");
    assert!(event.subject.contains("cup"), "{event:?}");
    assert!(fake.is_at_rest());
    let sent = fake.log.lock().trajectories.len();
    fake.run(2.0);
    assert_eq!(fake.log.lock().trajectories.len(), sent, "it was moved along the object");
    publisher.publish(difference(ball("cup", "", [0.0; 3], CollisionObject::REMOVE))).unwrap();
    fake.run(2.0);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn a_frame_that_is_outdated_stops_the_robot_though_moveit_has_a_copy_of_it() {
    let (fake, _moveit, publisher) = moving();
    let transform = |fake: &FakeRobot| {
        let mut one = TransformStamped { child_frame_id: "tray".into(), ..Default::default() };
        one.header.frame_id = "base_link".into();
        one.header.stamp = WireTime::saturating_from_nanoseconds(fake.node.now().nanoseconds());
        one.transform.rotation.w = 1.0;
        one
    };
    let frames: Publisher<TFMessage> =
        fake.node.create_publisher("/tf", Qos::reliable().keep_last(100)).unwrap();
    let (shown, clock) = (Arc::new(Mutex::new(true)), fake.node.clock());
    let (shows, mut one) = (shown.clone(), transform(&fake));
    let timer = fake.node.create_timer(Duration::from_millis(50), ClockKind::Steady, move || {
        if *shows.lock() {
            one.header.stamp = WireTime::saturating_from_nanoseconds(clock.now().nanoseconds());
            frames.publish(TFMessage { transforms: vec![one.clone()] }).unwrap();
        }
    });
    fake.node.keep(timer);
    fake.run(0.2);
    let mut scene = difference(ball("cup", "tray", [3.0, 0.0, 0.5], CollisionObject::ADD));
    scene.fixed_frame_transforms = vec![transform(&fake)];
    publisher.publish(scene).unwrap();
    fake.run(1.0);
    fake.assert_running();
    *shown.lock() = false;
    fake.run(2.0);
    fake.assert_at_rest(&[HOLDING], "planning scene: object cup: frame tray was last seen");
    *shown.lock() = true;
    fake.run(2.0);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn after_a_gap_the_scene_is_asked_for_again() {
    let (fake, moveit, publisher) = moving();
    assert_eq!(*moveit.asked.lock(), 1);
    drop(publisher);
    fake.run(1.0);
    fake.assert_at_rest(&[HOLDING], "planning scene: no node publishes /monitored_planning_scene");
    // What changes meanwhile is in the answer.
    let object = ball("rock", "moon", [3.0, 0.0, 0.5], CollisionObject::ADD);
    moveit.scene.lock().world.collision_objects = vec![object];
    let first = self::publisher(&fake);
    fake.run(1.5);
    fake.assert_at_rest(&[HOLDING], "planning scene: object rock: frame moon is not known");
    assert_eq!(*moveit.asked.lock(), 2);
    // A program that was killed and started again: both are in the graph for a while.
    moveit.scene.lock().world.collision_objects.clear();
    let _second = self::publisher(&fake);
    fake.run(2.0);
    assert_eq!(*moveit.asked.lock(), 3);
    fake.assert_running();
    drop(first);
    fake.run(3.0);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn an_object_that_appears_on_the_way_home_stops_the_robot_and_ends_the_goal() {
    let (fake, _moveit, publisher) = moving();
    fake.run(4.0);
    fake.process.core().set_instruction("");
    let homes = stacks::homes(&fake);
    let (way, _goal) = stacks::go_home(&homes, 0.02);
    fake.run(1.0);
    assert!(way.lock().ended.is_none() && !fake.is_at_rest());
    let place = tip(&fake);
    publisher.publish(difference(ball("cup", "base_link", place, CollisionObject::ADD))).unwrap();
    fake.run(1.5);
    let (_, result) = way.lock().ended.clone().expect("it goes on");
    assert_eq!(result.outcome, GoHomeResult::OUTCOME_STOPPED, "{}", result.message);
    assert!(result.message.contains("cup"), "{}", result.message);
    assert!(fake.is_at_rest());
    // From there it is refused, and says why.
    let (way, _goal) = stacks::go_home(&homes, 0.02);
    fake.run(1.0);
    let (_, result) = way.lock().ended.clone().expect("it was not refused");
    assert_eq!(result.outcome, GoHomeResult::OUTCOME_REFUSED, "{}", result.message);
    assert!(result.message.contains("cup"), "{}", result.message);
    fake.assert_limits();
}
