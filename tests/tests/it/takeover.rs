//! A person takes the robot over and hands it back.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::{Duration as WireDuration, Time as WireTime};
use f1_interfaces::f1_msgs::msg::PolicyStatus;
use f1_interfaces::sensor_msgs::msg::Joy;
use f1_interfaces::std_msgs::msg::{Bool, Header};
use f1_interfaces::std_srvs::srv::{Trigger, TriggerRequest};
use f1_interfaces::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use f1_middleware::{ClockKind, Qos};
use f1_policy_node::topics;
use parking_lot::Mutex;

use crate::fake_robot::{FakeRobot, Setup};

const HOLDING: u8 = PolicyStatus::STATE_HOLDING;
const WAITING: u8 = PolicyStatus::STATE_WAITING;

/// What the person's program says ten times a second; nothing, it is silent.
type Says = Arc<Mutex<Option<bool>>>;

/// A robot whose policy has an instruction, with a person beside it.
fn with_person(setup: Setup, says: Option<bool>) -> (FakeRobot, Says) {
    let fake = FakeRobot::start(setup.with(&["-p", "/f1/safety_filter:takeover:=topic"]));
    let says: Says = Arc::new(Mutex::new(says));
    let publisher =
        fake.node.create_publisher::<Bool>("takeover", Qos::reliable().keep_last(1)).unwrap();
    let said = says.clone();
    let timer = fake.node.create_timer(Duration::from_millis(100), ClockKind::Steady, move || {
        let said = *said.lock();
        if let Some(data) = said {
            publisher.publish(Bool { data }).unwrap();
        }
    });
    fake.node.keep(timer);
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(1.5);
    (fake, says)
}

/// The person moves the first joint by `angle` in two seconds, through the policy's controller.
fn moves_by_hand(fake: &FakeRobot, angle: f64) {
    let controller = &fake.robot.controllers()[0];
    let joints: Vec<String> =
        controller.joints.iter().map(|joint| fake.robot.joints()[*joint].name.clone()).collect();
    let places = fake.positions();
    let mut positions: Vec<f64> = joints.iter().map(|joint| places[joint]).collect();
    let point = |positions: &[f64], seconds: f64| JointTrajectoryPoint {
        positions: positions.to_vec(),
        velocities: vec![0.0; positions.len()],
        accelerations: vec![0.0; positions.len()],
        time_from_start: WireDuration::try_from(Duration::from_secs_f64(seconds)).unwrap(),
        ..JointTrajectoryPoint::default()
    };
    let first = point(&positions, 0.0);
    positions[0] += angle;
    let stamp = WireTime::saturating_from_nanoseconds(fake.node.now().nanoseconds());
    let message = JointTrajectory {
        header: Header { stamp, ..Header::default() },
        joint_names: joints,
        points: vec![first, point(&positions, 2.0)],
    };
    fake.command(&controller.name, &message);
}

fn sent(fake: &FakeRobot) -> usize {
    fake.log.lock().trajectories.len()
}

#[test]
fn a_takeover_that_is_configured_and_was_never_received_lets_nothing_move() {
    let (fake, says) = with_person(Setup::bench(), None);
    fake.assert_at_rest(&[WAITING, HOLDING], "takeover has not sent a message");
    assert_eq!(sent(&fake), 0);
    *says.lock() = Some(false);
    fake.run(1.0);
    fake.assert_running();
    // The heartbeat ends: the policy does not move what no person can take over.
    *says.lock() = None;
    fake.run(2.0);
    fake.assert_at_rest(&[HOLDING], "takeover is silent for");
    *says.lock() = Some(false);
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn a_person_who_takes_over_has_the_robot_alone_until_it_is_handed_back() {
    let (fake, says) = with_person(Setup::bench(), Some(false));
    fake.assert_running();
    let active = fake
        .node
        .create_newest_subscription::<Bool>(topics::TAKEOVER_ACTIVE.name, Qos::latched())
        .unwrap();
    *says.lock() = Some(true);
    fake.run(1.5);
    fake.assert_at_rest(&[HOLDING], "a person has taken over");
    assert!(active.take().unwrap().data);
    // The robot moves, and nothing is sent into the person's motion.
    let before = sent(&fake);
    moves_by_hand(&fake, 0.3);
    fake.run(1.0);
    assert!(!fake.is_at_rest());
    fake.run(2.0);
    assert_eq!(sent(&fake), before + 1, "something was sent beside the person's own motion");
    // Silence is no handing back, nor is a reset while the person has the robot.
    *says.lock() = None;
    fake.run(2.0);
    fake.assert_at_rest(&[HOLDING], "a person has taken over, and takeover is silent for");
    *says.lock() = Some(true);
    fake.run(0.3);
    let reset = fake.node.create_client::<Trigger>(topics::RESET_FILTER.name).unwrap();
    let executor = fake.context.executor();
    reset.call_and_spin(&executor, TriggerRequest::default(), Duration::from_secs(5)).unwrap();
    fake.assert_at_rest(&[HOLDING], "a person has taken over");
    assert_eq!(sent(&fake), before + 1);
    // The policy resumes where the person left the robot.
    let places = fake.positions();
    *says.lock() = Some(false);
    fake.run(1.5);
    fake.assert_running();
    assert!(!active.take().unwrap().data);
    let log = fake.log.lock();
    let first = &log.trajectories[before + 1].message;
    for (joint, position) in first.joint_names.iter().zip(&first.points[0].positions) {
        assert!((places[joint] - position).abs() < 1e-6, "{joint}: {position}");
    }
    drop(log);
    fake.assert_limits();
}

#[test]
fn a_reset_ends_a_takeover_whose_source_is_gone_and_the_heartbeat_is_still_asked_for() {
    let (fake, says) = with_person(Setup::bench(), Some(false));
    *says.lock() = Some(true);
    fake.run(1.0);
    *says.lock() = None;
    fake.run(1.0);
    let reset = fake.node.create_client::<Trigger>(topics::RESET_FILTER.name).unwrap();
    let executor = fake.context.executor();
    reset.call_and_spin(&executor, TriggerRequest::default(), Duration::from_secs(5)).unwrap();
    fake.run(1.0);
    fake.assert_at_rest(&[HOLDING], "takeover has not sent a message since the reset");
    *says.lock() = Some(false);
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn a_button_takes_over_while_it_is_held() {
    let args =
        ["-p", "/f1/safety_filter:takeover:=joy", "-p", "/f1/safety_filter:takeover_button:=2"];
    let fake = FakeRobot::start(Setup::bench().with(&args));
    let pressed = Arc::new(Mutex::new(0));
    let publisher = fake.node.create_publisher::<Joy>("joy", Qos::reliable()).unwrap();
    let button = pressed.clone();
    let timer = fake.node.create_timer(Duration::from_millis(50), ClockKind::Steady, move || {
        let buttons = vec![0, 0, *button.lock()];
        publisher.publish(Joy { buttons, ..Joy::default() }).unwrap();
    });
    fake.node.keep(timer);
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(1.5);
    fake.assert_running();
    *pressed.lock() = 1;
    fake.run(1.5);
    fake.assert_at_rest(&[HOLDING], "a person has taken over");
    *pressed.lock() = 0;
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}
