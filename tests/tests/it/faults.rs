//! What the nodes do when something is wrong. In each: no controller gets a point outside a limit
//! (an independent sampler at 1 kHz), and `status` gives the reason.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use f1_interfaces::f1_msgs::msg::{PolicyStatus, SafetyEvent};
use f1_interfaces::rosgraph_msgs::msg::Clock as ClockMessage;
use f1_middleware::{Backend, ClockKind, Context, ContextOptions, Node, Qos};
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;
use f1_policy_node::status::PolicyState;
use parking_lot::Mutex;

use crate::fake_robot::{FakeRobot, Setup, Velocities};
use crate::kit;

const WAITING: u8 = PolicyStatus::STATE_WAITING;
const HOLDING: u8 = PolicyStatus::STATE_HOLDING;

#[test]
fn a_camera_dies() {
    let fake = FakeRobot::moving(Setup::bench());
    fake.fault(|faults| faults.dead = ["wrist"].into());
    fake.run(3.0);
    fake.assert_at_rest(&[WAITING, HOLDING], "camera wrist: nothing received");
    fake.fault(|faults| faults.dead.clear());
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn a_camera_dies_on_a_robot_with_two_arms_and_three_cameras() {
    let fake = FakeRobot::moving(Setup { std: 0.01, ..Setup::new(two_arms()) });
    fake.fault(|faults| faults.dead = ["hand_left"].into());
    fake.run(3.0);
    fake.assert_at_rest(&[WAITING, HOLDING], "camera hand_left: nothing received");
    fake.fault(|faults| faults.dead.clear());
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
    // One chunk is one trajectory a controller, all with the same stamp.
    let log = fake.log.lock();
    for four in log.trajectories.chunks(4) {
        let stamp = four[0].message.header.stamp;
        assert!(four.len() == 4 && four.iter().all(|one| one.message.header.stamp == stamp));
    }
}

/// Genie 1 with actions as joint deltas: random weights then move it a little.
fn two_arms() -> Arc<f1_robot::Robot> {
    kit::changed_robot("genie1", |text| {
        let (before, actions) = text.split_once("\naction:").unwrap();
        let actions = actions
            .replace("kind: joint_positions", "kind: joint_deltas\n      reference: chained");
        format!("{before}\naction:{actions}")
    })
}

#[test]
fn a_camera_freezes() {
    let fake = FakeRobot::moving(Setup::bench());
    fake.fault(|faults| faults.frozen = ["front"].into());
    // Detected after a second; the running chunk is not followed to its end.
    fake.run(1.3);
    let status = fake.status();
    assert!(status.reason.contains("camera front: the image has not changed"), "{}", status.reason);
    fake.run(1.0);
    fake.assert_at_rest(&[HOLDING], "camera front: the image has not changed");
    assert!(has_event(&fake, SafetyEvent::ACTION_STOPPED, "has not changed"));
    fake.fault(|faults| faults.frozen.clear());
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

/// Whether an event of this action contains this text.
fn has_event(fake: &FakeRobot, action: u8, text: &str) -> bool {
    fake.log
        .lock()
        .events
        .iter()
        .any(|event| event.action == action && event.message.contains(text))
}

#[test]
fn joint_states_stop() {
    let fake = FakeRobot::moving(Setup::bench());
    let before = fake.log.lock().trajectories.len();
    fake.fault(|faults| faults.joints_stopped = true);
    fake.run(0.4);
    let status = fake.status();
    assert_eq!(status.state, HOLDING, "{}", status.reason);
    assert!(fake.log.lock().trajectories.len() > before, "no braking trajectory");
    fake.run(1.5);
    fake.assert_at_rest(&[HOLDING], "joint state");
    assert!(
        fake.status().reason.contains("joint states: nothing received"),
        "{}",
        fake.status().reason
    );
    fake.fault(|faults| faults.joints_stopped = false);
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn stamps_in_the_future() {
    for joints in [false, true] {
        let fake = FakeRobot::moving(Setup::bench());
        let epoch = fake.status().epoch;
        fake.fault(|faults| match joints {
            true => faults.joint_offset_ns = 5_000_000_000,
            false => faults.camera_offset_ns = 5_000_000_000,
        });
        fake.run(1.5);
        fake.assert_at_rest(&[WAITING, HOLDING], "in the future");
        // The buffers were reset: a new epoch, with its event.
        assert!(fake.status().epoch > epoch);
        assert!(fake.log.lock().events.iter().any(|event| event.message.contains("in the future")));
        fake.fault(|faults| (faults.joint_offset_ns, faults.camera_offset_ns) = (0, 0));
        fake.run(1.5);
        fake.assert_running();
        fake.assert_limits();
    }
}

#[test]
fn stamps_a_little_in_the_future_are_those_of_another_machine() {
    let fake = FakeRobot::start(Setup::bench());
    fake.fault(|faults| {
        (faults.joint_offset_ns, faults.camera_offset_ns) = (20_000_000, 20_000_000)
    });
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(2.0);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn stamps_in_the_past() {
    for (cameras, joints) in
        [(-5_000_000_000, 0), (0, -5_000_000_000), (-5_000_000_000, -5_000_000_000)]
    {
        let fake = FakeRobot::moving(Setup::bench());
        fake.fault(|faults| (faults.camera_offset_ns, faults.joint_offset_ns) = (cameras, joints));
        fake.run(2.5);
        fake.assert_at_rest(&[WAITING, HOLDING], "in the past");
        fake.fault(|faults| (faults.camera_offset_ns, faults.joint_offset_ns) = (0, 0));
        fake.run(1.5);
        fake.assert_running();
        fake.assert_limits();
    }
}

#[test]
fn stamps_that_never_fit_together_are_named() {
    // Slow enough that the place of a fifth of a second ago is still within the filter's tolerance.
    let fake = FakeRobot::moving(Setup { std: 0.003, ..Setup::bench() });
    fake.fault(|faults| faults.joint_offset_ns = -200_000_000);
    fake.run(2.5);
    fake.assert_at_rest(&[WAITING, HOLDING], "stamps of joint states lie 0.");
    fake.assert_limits();
}

#[test]
fn not_a_number_among_the_joints() {
    let fake = FakeRobot::moving(Setup::bench());
    fake.fault(|faults| faults.joint_is_nan = true);
    fake.run(1.5);
    fake.assert_at_rest(&[HOLDING], "not finite: joint1");
    fake.fault(|faults| faults.joint_is_nan = false);
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn velocities_that_are_not_measured_change_nothing() {
    let play = |velocities: Velocities| {
        let setup = Setup::bench();
        let fake = FakeRobot::start(setup);
        fake.fault(|faults| faults.velocities = velocities);
        fake.run(0.5);
        fake.process.core().set_instruction("put the red cube into the bin");
        fake.run(3.0);
        fake.assert_running();
        fake.assert_limits();
        let log = fake.log.lock();
        let stamps = log.trajectories.iter().map(|one| one.message.header.stamp);
        stamps.collect::<Vec<_>>()
    };
    let measured = play(Velocities::Measured);
    assert!(measured.len() > 6, "{} trajectories", measured.len());
    for velocities in Velocities::UNMEASURED {
        assert_eq!(play(velocities), measured, "{velocities:?}");
    }
}

/// The bench arm, its gripper's driver on the topic of the arm's or on one of its own.
fn two_drivers(own_topic: bool) -> Setup {
    let robot = kit::changed_robot("bench_arm", |text| match own_topic {
        true => format!("joint_states: [joint_states, gripper/joint_states]\n{text}"),
        false => text,
    });
    Setup { two_drivers: true, ..Setup::new(robot) }
}

#[test]
fn several_drivers_send_joint_states() {
    for own_topic in [false, true] {
        let fake = FakeRobot::moving(two_drivers(own_topic));
        assert!(fake.log.lock().chunks.iter().all(|chunk| chunk.measured_positions.len() == 8));
        fake.assert_limits();
    }
}

#[test]
fn one_of_several_drivers_stops() {
    for own_topic in [false, true] {
        let fake = FakeRobot::moving(two_drivers(own_topic));
        let before = fake.log.lock().trajectories.len();
        fake.fault(|faults| faults.gripper_stopped = true);
        // Braked as soon as one joint is too old, although the others still come.
        fake.run(0.4);
        let status = fake.status();
        assert_eq!(status.state, HOLDING, "{}", status.reason);
        assert!(fake.log.lock().trajectories.len() > before, "no braking trajectory");
        fake.run(1.5);
        fake.assert_at_rest(&[HOLDING], "gripper_joint");
        fake.fault(|faults| faults.gripper_stopped = false);
        fake.run(1.5);
        fake.assert_running();
        fake.assert_limits();
    }
}

#[test]
fn a_driver_that_never_sends_is_named() {
    let fake = FakeRobot::start(two_drivers(true));
    fake.fault(|faults| faults.gripper_stopped = true);
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(2.0);
    assert!(fake.log.lock().trajectories.is_empty());
    let reason = fake.status().reason;
    assert!(reason.contains("missing: gripper_joint"), "{reason}");
}

#[test]
fn an_encoding_that_is_not_supported() {
    let fake = FakeRobot::moving(Setup::bench());
    let dropped = fake.status().dropped_frames;
    fake.fault(|faults| faults.strange = ["wrist"].into());
    fake.run(3.0);
    fake.assert_at_rest(&[WAITING, HOLDING], "camera wrist: encoding \"32FC1\" is not supported");
    assert!(fake.status().dropped_frames >= dropped + 50);
    fake.fault(|faults| faults.strange.clear());
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn a_checkpoint_for_another_robot() {
    let context = Context::new(ContextOptions::new(Backend::mem_virtual())).unwrap();
    let robot = kit::robot("genie1");
    let load = move || {
        // The shipped bench model: eight joints; the robot has sixteen.
        let policy =
            f1_model::F1Policy::load(&kit::root().join("models/f1_bench"), &Default::default())
                .unwrap();
        let statistics = kit::statistics(&robot, vec![0.0; robot.file().action_dim()], 0.01);
        Resources::assemble(
            robot.clone(),
            Arc::new(policy),
            &statistics,
            Path::new("models/f1_bench"),
        )
    };
    let process = PolicyProcess::compose(
        &context,
        Box::new(move |_| Box::new(load)),
        &ProcessOptions::default(),
    )
    .unwrap();
    context.executor().spin_for(Duration::from_secs(1));
    assert!(!process.is_started());
    let (state, reason) = process.status().state();
    assert_eq!(state, PolicyState::Unconfigured);
    // All faults at once.
    for fault in [
        "state: the robot file needs 16",
        "action: the robot file needs 16",
        "genie1",
        "models/f1_bench",
    ] {
        assert!(reason.contains(fault), "{reason}");
    }
}

#[test]
fn inference_takes_five_seconds() {
    let fake = FakeRobot::moving(Setup::bench());
    fake.set("foresight", "virtual_latency", 5.0).unwrap();
    fake.run(4.0);
    fake.assert_at_rest(&[WAITING, HOLDING], "inference takes");
    // The chunk that comes at last is for a scene of long ago.
    fake.run(3.0);
    fake.assert_at_rest(&[WAITING, HOLDING], "the last chunk was not followed: age");
    fake.set("foresight", "virtual_latency", 0.05).unwrap();
    fake.run(7.0);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn a_locks_publisher_dies() {
    let fake = FakeRobot::moving(Setup::bench().with(&["-p", "/f1/safety_filter:locks:=[estop]"]));
    fake.fault(|faults| faults.lock_dead = true);
    fake.run(0.8);
    let status = fake.status();
    assert!(status.reason.contains("lock estop is silent"), "{}", status.reason);
    assert_eq!(status.locks, ["estop"]);
    fake.run(1.0);
    fake.assert_at_rest(&[HOLDING], "lock estop is silent");
    fake.fault(|faults| faults.lock_dead = false);
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn a_lock_that_never_sent_a_message_counts_as_locked() {
    let fake = FakeRobot::start(
        Setup::bench().with(&["-p", "/f1/safety_filter:locks:=[elsewhere/estop]"]),
    );
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(2.0);
    assert!(fake.log.lock().trajectories.is_empty());
    let status = fake.status();
    assert_eq!(status.state, HOLDING);
    assert!(
        status.reason.contains("lock elsewhere/estop has never sent a message"),
        "{}",
        status.reason
    );
}

#[test]
fn parameters_are_changed_while_the_robot_moves() {
    let fake = FakeRobot::moving(Setup { std: 0.05, ..Setup::bench() });
    fake.set("safety_filter", "speed", "teach").unwrap();
    fake.set("safety_filter", "margin", 0.02).unwrap();
    fake.run(1.0);
    // Valid one by one, wrong together: refused with the reason, and the old set stays.
    let refused = fake.set("safety_filter", "resume_tolerance", 5.0).unwrap_err();
    assert!(refused.contains("resume_tolerance"), "{refused}");
    assert!(fake.set("safety_filter", "margin", 7.0).is_err());
    assert!(fake.set("safety_filter", "locks", vec!["other".to_owned()]).is_err());
    fake.set("action", "replan_steps", 3_i64).unwrap();
    fake.set("action", "splice", "ensemble").unwrap();
    fake.run(1.0);
    fake.set("action", "splice", "rtc").unwrap();
    fake.set("safety_filter", "mode", "reject").unwrap();
    fake.run(1.0);
    fake.set("safety_filter", "mode", "clamp").unwrap();
    fake.run(0.5);
    let speed = fastest_end_effector(&fake);
    assert!(speed <= 0.25 * 1.01, "{speed} m/s in teach");
    fake.assert_running();
    fake.assert_limits();
}

/// The end effector's greatest speed over half a second, m/s.
fn fastest_end_effector(fake: &FakeRobot) -> f64 {
    let tip = || {
        let positions = fake.positions();
        let joints: Vec<f64> =
            fake.robot.joints().iter().map(|joint| positions[&joint.name]).collect();
        fake.robot.kinematics().end_effector(0, &joints).translation.vector
    };
    let mut before = tip();
    let mut fastest: f64 = 0.0;
    for _ in 0..50 {
        fake.run(0.01);
        let now = tip();
        fastest = fastest.max((now - before).norm() / 0.01);
        before = now;
    }
    fastest
}

#[test]
fn two_instructions_in_quick_succession() {
    let fake = FakeRobot::moving(Setup::bench());
    let epoch = fake.status().epoch;
    fake.process.core().set_instruction("put the blue cube into the bin");
    fake.run(0.02);
    fake.process.core().set_instruction("put the green cube into the bin");
    let at_ns = fake.node.now().nanoseconds();
    fake.run(2.0);
    fake.assert_running();
    let status = fake.status();
    assert_eq!(
        (status.instruction.as_str(), status.epoch),
        ("put the green cube into the bin", epoch + 2)
    );
    // No chunk of an instruction that had been replaced came out any more.
    let log = fake.log.lock();
    let later: Vec<_> =
        log.chunks.iter().filter(|chunk| chunk.header.stamp.nanoseconds() >= at_ns).collect();
    assert!(!later.is_empty());
    assert!(
        later
            .iter()
            .all(|chunk| chunk.instruction == status.instruction && chunk.epoch == epoch + 2)
    );
    assert!(log.chunks.iter().all(|chunk| !chunk.instruction.contains("blue")));
    drop(log);
    fake.assert_limits();
}

#[test]
fn stop_and_reset() {
    let fake = FakeRobot::moving(Setup::bench());
    assert!(fake.process.stopper().stop("safety_filter/stop was called"));
    fake.run(1.0);
    fake.assert_at_rest(&[PolicyStatus::STATE_STOPPED], "safety_filter/stop was called");
    let reset = fake
        .node
        .create_client::<f1_interfaces::std_srvs::srv::Trigger>("safety_filter/reset")
        .unwrap();
    reset
        .call(Default::default(), Duration::from_secs(1), |answer| assert!(answer.unwrap().success))
        .unwrap();
    fake.run(1.5);
    assert!(has_event(&fake, SafetyEvent::ACTION_RELEASED, "safety_filter/reset was called"));
    fake.assert_running();
    fake.assert_limits();
}

#[test]
fn too_many_interventions_latch_until_a_reset() {
    let fake = FakeRobot::moving(Setup { std: 0.2, ..Setup::bench() });
    fake.set("safety_filter", "latch_count", 2_i64).unwrap();
    fake.run(5.0);
    fake.assert_at_rest(&[PolicyStatus::STATE_STOPPED], "too many interventions");
    assert!(fake.log.lock().events.iter().any(|event| event.action == SafetyEvent::ACTION_LATCHED));
    fake.assert_limits();
}

#[test]
fn nodes_that_are_taken_down_in_the_middle_come_up_again() {
    let fake = FakeRobot::moving(Setup::bench());
    let lifecycles = fake.process.lifecycles();
    // Safety filter, action, foresight, perception: foresight goes while it infers.
    let change = |index: usize, transition: f1_middleware::lifecycle::Transition| {
        let done = Arc::new(Mutex::new(None));
        let into = done.clone();
        lifecycles[index].change(transition, move |success| *into.lock() = Some(success));
        fake.run(0.05);
        assert_eq!(*done.lock(), Some(true), "{transition:?}");
    };
    use f1_middleware::lifecycle::Transition;
    change(2, Transition::Deactivate);
    change(2, Transition::Cleanup);
    fake.run(1.5);
    fake.assert_at_rest(&[PolicyStatus::STATE_INACTIVE], "not active: foresight");
    change(2, Transition::Configure);
    change(2, Transition::Activate);
    fake.run(1.5);
    fake.assert_running();
    fake.assert_limits();
}

/// Publishes /clock from the wall clock, plus an offset.
fn publish_clock(node: &Node, offset_ns: Arc<Mutex<i64>>) {
    let publisher = node.create_publisher::<ClockMessage>("/clock", Qos::reliable()).unwrap();
    let steady = node.clock();
    let timer = node.create_timer(Duration::from_millis(5), ClockKind::Steady, move || {
        let now_ns = 100_000_000_000 + steady.steady().as_nanos() as i64 + *offset_ns.lock();
        let clock =
            f1_interfaces::builtin_interfaces::msg::Time::saturating_from_nanoseconds(now_ns);
        publisher.publish(ClockMessage { clock }).unwrap();
    });
    node.keep(timer);
}

/// In real time: a virtual clock cannot go back, the clock of a simulation can.
#[test]
fn the_clock_jumps() {
    let setup = Setup { backend: Backend::mem(), ..Setup::bench() };
    let fake = FakeRobot::start(setup.with(&["-p", "use_sim_time:=true"]));
    let offset_ns = Arc::new(Mutex::new(0));
    let until = |what: &str, condition: &dyn Fn(&PolicyStatus) -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !fake.log.lock().statuses.last().is_some_and(condition) {
            let status = fake.log.lock().statuses.last().map(|status| status.reason.clone());
            assert!(Instant::now() < end, "{what}: not in a minute; status {status:?}");
            fake.run(0.02);
        }
    };
    until("no clock is named", &|status| status.reason.contains("nothing came on /clock"));
    publish_clock(&fake.node, offset_ns.clone());
    fake.process.core().set_instruction("put the red cube into the bin");
    until("running", &|status| status.state == PolicyStatus::STATE_RUNNING);
    let epoch = fake.status().epoch;
    *offset_ns.lock() -= 20_000_000_000;
    until("the jump is named", &|status| status.reason.contains("the clock jumped back by"));
    until("running again", &|status| {
        status.state == PolicyStatus::STATE_RUNNING && status.epoch > epoch
    });
    assert!(fake.log.lock().events.iter().any(|event| event.rule == "clock"));
    *offset_ns.lock() += 300_000_000_000;
    until("running after a jump ahead", &|status| {
        status.state == PolicyStatus::STATE_RUNNING
            && status.header.stamp.nanoseconds() > 350_000_000_000
    });
    fake.context.shutdown();
    fake.context.join();
}
