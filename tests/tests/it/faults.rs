//! What the nodes do when something is wrong. In each: no controller gets a point outside a limit
//! (an independent sampler at 1 kHz), and `status` says why.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use f1_interfaces::f1_msgs::msg::{PolicyStatus, SafetyEvent};
use f1_interfaces::rosgraph_msgs::msg::Clock as ClockMessage;
use f1_middleware::{Backend, ClockKind, Context, ContextOptions, Node, Qos};
use f1_policy_node::board::PolicyState;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;
use parking_lot::Mutex;

use crate::kit;
use crate::puppet::{Puppet, Setup};

const WAITING: u8 = PolicyStatus::STATE_WAITING;
const HOLDING: u8 = PolicyStatus::STATE_HOLDING;

#[test]
fn a_camera_dies() {
    let puppet = Puppet::moving(Setup::bench());
    puppet.fault(|faults| faults.dead = ["wrist"].into());
    puppet.run(3.0);
    puppet.assert_at_rest(&[WAITING, HOLDING], "camera wrist: nothing received");
    puppet.fault(|faults| faults.dead.clear());
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
}

#[test]
fn a_camera_dies_on_a_robot_with_two_arms_and_three_cameras() {
    let puppet = Puppet::moving(Setup { std: 0.01, ..Setup::new(two_arms()) });
    puppet.fault(|faults| faults.dead = ["hand_left"].into());
    puppet.run(3.0);
    puppet.assert_at_rest(&[WAITING, HOLDING], "camera hand_left: nothing received");
    puppet.fault(|faults| faults.dead.clear());
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
    // One chunk is one trajectory a controller, all with the same stamp.
    let heard = puppet.heard.lock();
    for four in heard.trajectories.chunks(4) {
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
    let puppet = Puppet::moving(Setup::bench());
    puppet.fault(|faults| faults.frozen = ["front"].into());
    // Noticed after a second; the running chunk is not followed to its end.
    puppet.run(1.3);
    let status = puppet.status();
    assert!(status.reason.contains("camera front: the image has not changed"), "{}", status.reason);
    puppet.run(1.0);
    puppet.assert_at_rest(&[HOLDING], "camera front: the image has not changed");
    assert!(said(&puppet, SafetyEvent::ACTION_STOPPED, "has not changed"));
    puppet.fault(|faults| faults.frozen.clear());
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
}

/// Whether an event of this action says this.
fn said(puppet: &Puppet, action: u8, text: &str) -> bool {
    puppet
        .heard
        .lock()
        .events
        .iter()
        .any(|event| event.action == action && event.message.contains(text))
}

#[test]
fn joint_states_stop() {
    let puppet = Puppet::moving(Setup::bench());
    let before = puppet.heard.lock().trajectories.len();
    puppet.fault(|faults| faults.joints_stopped = true);
    puppet.run(0.4);
    let status = puppet.status();
    assert_eq!(status.state, HOLDING, "{}", status.reason);
    assert!(puppet.heard.lock().trajectories.len() > before, "no braking trajectory");
    puppet.run(1.5);
    puppet.assert_at_rest(&[HOLDING], "joint state");
    assert!(
        puppet.status().reason.contains("joint states: nothing received"),
        "{}",
        puppet.status().reason
    );
    puppet.fault(|faults| faults.joints_stopped = false);
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
}

#[test]
fn stamps_in_the_future() {
    for joints in [false, true] {
        let puppet = Puppet::moving(Setup::bench());
        let epoch = puppet.status().epoch;
        puppet.fault(|faults| match joints {
            true => faults.joint_offset_ns = 5_000_000_000,
            false => faults.camera_offset_ns = 5_000_000_000,
        });
        puppet.run(1.5);
        puppet.assert_at_rest(&[WAITING, HOLDING], "in the future");
        // The buffers were reset: a new epoch, with its event.
        assert!(puppet.status().epoch > epoch);
        assert!(
            puppet.heard.lock().events.iter().any(|event| event.message.contains("in the future"))
        );
        puppet.fault(|faults| (faults.joint_offset_ns, faults.camera_offset_ns) = (0, 0));
        puppet.run(1.5);
        puppet.assert_running();
        puppet.assert_limits();
    }
}

#[test]
fn stamps_a_little_in_the_future_are_those_of_another_machine() {
    let puppet = Puppet::start(Setup::bench());
    puppet.fault(|faults| {
        (faults.joint_offset_ns, faults.camera_offset_ns) = (20_000_000, 20_000_000)
    });
    puppet.run(0.5);
    puppet.process.core().set_instruction("put the red cube into the bin");
    puppet.run(2.0);
    puppet.assert_running();
    puppet.assert_limits();
}

#[test]
fn stamps_in_the_past() {
    for (cameras, joints) in
        [(-5_000_000_000, 0), (0, -5_000_000_000), (-5_000_000_000, -5_000_000_000)]
    {
        let puppet = Puppet::moving(Setup::bench());
        puppet
            .fault(|faults| (faults.camera_offset_ns, faults.joint_offset_ns) = (cameras, joints));
        puppet.run(2.5);
        puppet.assert_at_rest(&[WAITING, HOLDING], "in the past");
        puppet.fault(|faults| (faults.camera_offset_ns, faults.joint_offset_ns) = (0, 0));
        puppet.run(1.5);
        puppet.assert_running();
        puppet.assert_limits();
    }
}

#[test]
fn stamps_that_never_fit_together_are_named() {
    // Slow enough that the place of a fifth of a second ago is still within the filter's tolerance.
    let puppet = Puppet::moving(Setup { std: 0.003, ..Setup::bench() });
    puppet.fault(|faults| faults.joint_offset_ns = -200_000_000);
    puppet.run(2.5);
    puppet.assert_at_rest(&[WAITING, HOLDING], "stamps of joint states lie 0.");
    puppet.assert_limits();
}

#[test]
fn not_a_number_among_the_joints() {
    let puppet = Puppet::moving(Setup::bench());
    puppet.fault(|faults| faults.joint_is_nan = true);
    puppet.run(1.5);
    puppet.assert_at_rest(&[HOLDING], "not finite: joint1");
    puppet.fault(|faults| faults.joint_is_nan = false);
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
}

#[test]
fn an_encoding_that_nobody_reads() {
    let puppet = Puppet::moving(Setup::bench());
    let dropped = puppet.status().dropped_frames;
    puppet.fault(|faults| faults.strange = ["wrist"].into());
    puppet.run(3.0);
    puppet.assert_at_rest(&[WAITING, HOLDING], "camera wrist: encoding \"32FC1\" is not supported");
    assert!(puppet.status().dropped_frames >= dropped + 50);
    puppet.fault(|faults| faults.strange.clear());
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
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
    let (state, reason) = process.board().state();
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
    let puppet = Puppet::moving(Setup::bench());
    puppet.set("foresight", "virtual_latency", 5.0).unwrap();
    puppet.run(4.0);
    puppet.assert_at_rest(&[WAITING, HOLDING], "inference takes");
    // The chunk that comes at last answers a world that is gone.
    puppet.run(3.0);
    puppet.assert_at_rest(&[WAITING, HOLDING], "the last chunk was not followed: age");
    puppet.set("foresight", "virtual_latency", 0.05).unwrap();
    puppet.run(7.0);
    puppet.assert_running();
    puppet.assert_limits();
}

#[test]
fn a_locks_publisher_dies() {
    let puppet = Puppet::moving(Setup::bench().with(&["-p", "/f1/safety_filter:locks:=[estop]"]));
    puppet.fault(|faults| faults.lock_dead = true);
    puppet.run(0.8);
    let status = puppet.status();
    assert!(status.reason.contains("lock estop is silent"), "{}", status.reason);
    assert_eq!(status.locks, ["estop"]);
    puppet.run(1.0);
    puppet.assert_at_rest(&[HOLDING], "lock estop is silent");
    puppet.fault(|faults| faults.lock_dead = false);
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
}

#[test]
fn a_lock_that_was_never_heard_is_a_closed_one() {
    let puppet =
        Puppet::start(Setup::bench().with(&["-p", "/f1/safety_filter:locks:=[elsewhere/estop]"]));
    puppet.run(0.5);
    puppet.process.core().set_instruction("put the red cube into the bin");
    puppet.run(2.0);
    assert!(puppet.heard.lock().trajectories.is_empty());
    let status = puppet.status();
    assert_eq!(status.state, HOLDING);
    assert!(
        status.reason.contains("lock elsewhere/estop has never sent a message"),
        "{}",
        status.reason
    );
}

#[test]
fn parameters_are_changed_while_the_robot_moves() {
    let puppet = Puppet::moving(Setup { std: 0.05, ..Setup::bench() });
    puppet.set("safety_filter", "speed", "teach").unwrap();
    puppet.set("safety_filter", "margin", 0.02).unwrap();
    puppet.run(1.0);
    // Valid one by one, wrong together: refused with the reason, and the old set stays.
    let refused = puppet.set("safety_filter", "resume_tolerance", 5.0).unwrap_err();
    assert!(refused.contains("resume_tolerance"), "{refused}");
    assert!(puppet.set("safety_filter", "margin", 7.0).is_err());
    assert!(puppet.set("safety_filter", "locks", vec!["other".to_owned()]).is_err());
    puppet.set("action", "replan_steps", 3_i64).unwrap();
    puppet.set("action", "splice", "ensemble").unwrap();
    puppet.run(1.0);
    puppet.set("action", "splice", "rtc").unwrap();
    puppet.set("safety_filter", "mode", "reject").unwrap();
    puppet.run(1.0);
    puppet.set("safety_filter", "mode", "clamp").unwrap();
    puppet.run(0.5);
    let speed = fastest_end_effector(&puppet);
    assert!(speed <= 0.25 * 1.01, "{speed} m/s in teach");
    puppet.assert_running();
    puppet.assert_limits();
}

/// The end effector's greatest speed over half a second, m/s.
fn fastest_end_effector(puppet: &Puppet) -> f64 {
    let place = || {
        let place = puppet.place();
        let joints: Vec<f64> =
            puppet.robot.joints().iter().map(|joint| place[&joint.name]).collect();
        puppet.robot.kinematics().end_effector(0, &joints).translation.vector
    };
    let mut before = place();
    let mut fastest: f64 = 0.0;
    for _ in 0..50 {
        puppet.run(0.01);
        let now = place();
        fastest = fastest.max((now - before).norm() / 0.01);
        before = now;
    }
    fastest
}

#[test]
fn two_instructions_in_quick_succession() {
    let puppet = Puppet::moving(Setup::bench());
    let epoch = puppet.status().epoch;
    puppet.process.core().set_instruction("put the blue cube into the bin");
    puppet.run(0.02);
    puppet.process.core().set_instruction("put the green cube into the bin");
    let at_ns = puppet.node.now().nanoseconds();
    puppet.run(2.0);
    puppet.assert_running();
    let status = puppet.status();
    assert_eq!(
        (status.instruction.as_str(), status.epoch),
        ("put the green cube into the bin", epoch + 2)
    );
    // No chunk of an instruction that had been replaced came out any more.
    let heard = puppet.heard.lock();
    let later: Vec<_> =
        heard.chunks.iter().filter(|chunk| chunk.header.stamp.nanoseconds() >= at_ns).collect();
    assert!(!later.is_empty());
    assert!(
        later
            .iter()
            .all(|chunk| chunk.instruction == status.instruction && chunk.epoch == epoch + 2)
    );
    assert!(heard.chunks.iter().all(|chunk| !chunk.instruction.contains("blue")));
    drop(heard);
    puppet.assert_limits();
}

#[test]
fn stop_and_reset() {
    let puppet = Puppet::moving(Setup::bench());
    assert!(puppet.process.stopper().stop("safety_filter/stop was called"));
    puppet.run(1.0);
    puppet.assert_at_rest(&[PolicyStatus::STATE_STOPPED], "safety_filter/stop was called");
    let reset = puppet
        .node
        .create_client::<f1_interfaces::std_srvs::srv::Trigger>("safety_filter/reset")
        .unwrap();
    reset
        .call(Default::default(), Duration::from_secs(1), |answer| assert!(answer.unwrap().success))
        .unwrap();
    puppet.run(1.5);
    assert!(said(&puppet, SafetyEvent::ACTION_RELEASED, "safety_filter/reset was called"));
    puppet.assert_running();
    puppet.assert_limits();
}

#[test]
fn too_many_interventions_latch_until_a_reset() {
    let puppet = Puppet::moving(Setup { std: 0.2, ..Setup::bench() });
    puppet.set("safety_filter", "latch_count", 2_i64).unwrap();
    puppet.run(5.0);
    puppet.assert_at_rest(&[PolicyStatus::STATE_STOPPED], "too many interventions");
    assert!(
        puppet.heard.lock().events.iter().any(|event| event.action == SafetyEvent::ACTION_LATCHED)
    );
    puppet.assert_limits();
}

#[test]
fn nodes_that_are_taken_down_in_the_middle_come_up_again() {
    let puppet = Puppet::moving(Setup::bench());
    let lifecycles = puppet.process.lifecycles();
    // Safety filter, action, foresight, perception: foresight goes while it infers.
    let change = |index: usize, transition: f1_middleware::lifecycle::Transition| {
        let done = Arc::new(Mutex::new(None));
        let told = done.clone();
        lifecycles[index].change(transition, move |success| *told.lock() = Some(success));
        puppet.run(0.05);
        assert_eq!(*done.lock(), Some(true), "{transition:?}");
    };
    use f1_middleware::lifecycle::Transition;
    change(2, Transition::Deactivate);
    change(2, Transition::Cleanup);
    puppet.run(1.5);
    puppet.assert_at_rest(&[PolicyStatus::STATE_INACTIVE], "not active: foresight");
    change(2, Transition::Configure);
    change(2, Transition::Activate);
    puppet.run(1.5);
    puppet.assert_running();
    puppet.assert_limits();
}

/// Publishes /clock from the wall clock, plus an offset.
fn give_clock(node: &Node, offset_ns: Arc<Mutex<i64>>) {
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
    let puppet = Puppet::start(setup.with(&["-p", "use_sim_time:=true"]));
    let offset_ns = Arc::new(Mutex::new(0));
    let until = |what: &str, condition: &dyn Fn(&PolicyStatus) -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !puppet.heard.lock().statuses.last().is_some_and(condition) {
            let status = puppet.heard.lock().statuses.last().map(|status| status.reason.clone());
            assert!(Instant::now() < end, "{what}: not in a minute; status {status:?}");
            puppet.run(0.02);
        }
    };
    until("no clock is named", &|status| status.reason.contains("nothing came on /clock"));
    give_clock(&puppet.node, offset_ns.clone());
    puppet.process.core().set_instruction("put the red cube into the bin");
    until("running", &|status| status.state == PolicyStatus::STATE_RUNNING);
    let epoch = puppet.status().epoch;
    *offset_ns.lock() -= 20_000_000_000;
    until("the jump is named", &|status| status.reason.contains("the clock jumped back by"));
    until("running again", &|status| {
        status.state == PolicyStatus::STATE_RUNNING && status.epoch > epoch
    });
    assert!(puppet.heard.lock().events.iter().any(|event| event.rule == "clock"));
    *offset_ns.lock() += 300_000_000_000;
    until("running after a jump ahead", &|status| {
        status.state == PolicyStatus::STATE_RUNNING
            && status.header.stamp.nanoseconds() > 350_000_000_000
    });
    puppet.context.shutdown();
    puppet.context.join();
}
