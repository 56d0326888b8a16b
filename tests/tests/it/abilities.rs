//! What the nodes can do beside the plain loop: joining chunks, replanning, masked cameras,
//! actions.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::control_msgs::action::{
    FollowJointTrajectory, GripperCommand, GripperCommandResult, ParallelGripperCommand,
};
use f1_interfaces::f1_msgs::action::{ExecuteTask, ExecuteTaskGoal, ExecuteTaskResult};
use f1_interfaces::f1_msgs::msg::ActionChunk;
use f1_interfaces::std_msgs::msg::String as Text;
use f1_middleware::Qos;
use f1_middleware::action::{CancelDecision, GoalDecision, GoalEvent, GoalStatus, ServerGoal};
use f1_policy_node::board::PolicyState;
use parking_lot::Mutex;

use crate::kit;
use crate::puppet::{Puppet, Setup};

fn positions(puppet: &Puppet) -> Vec<Vec<f64>> {
    let heard = puppet.heard.lock();
    heard.chunks.iter().map(|chunk| chunk.positions.clone()).collect()
}

#[test]
fn a_network_trained_on_whole_histories_waits_for_one_and_says_so() {
    let puppet = Puppet::start(Setup { full_history: true, ..Setup::bench() });
    puppet.process.core().set_instruction("put the red cube into the bin");
    puppet.run(0.25);
    assert!(
        puppet.status().reason.contains("s of images are missing"),
        "{:?}",
        puppet.status().reason
    );
    assert!(positions(&puppet).is_empty() && puppet.stands());
    puppet.run(4.0);
    puppet.assert_running();
    let chunk = puppet.heard.lock().chunks[0].clone();
    let stamps: Vec<i64> = chunk.history_stamps.iter().map(|stamp| stamp.nanoseconds()).collect();
    assert!(stamps.is_sorted_by(|before, after| before < after), "repeated frames: {stamps:?}");
    puppet.assert_limits();
}

#[test]
fn an_optional_camera_may_be_absent() {
    let optional = &["-p", "/f1/perception:optional_cameras:=[wrist]"];
    let puppet = Puppet::start(Setup::bench().with(optional));
    puppet.fault(|faults| faults.dead = ["wrist"].into());
    puppet.run(0.5);
    puppet.process.core().set_instruction("put the red cube into the bin");
    puppet.run(2.0);
    puppet.assert_running();
    assert!(puppet.heard.lock().chunks.iter().all(|chunk| chunk.camera_names == ["front"]));
    // It is seen from the moment at which it comes.
    puppet.fault(|faults| faults.dead.clear());
    puppet.run(2.0);
    let chunk = puppet.heard.lock().chunks.last().cloned().unwrap();
    assert_eq!(chunk.camera_names, ["front", "wrist"]);
    puppet.assert_limits();
}

#[test]
fn the_camera_that_foresight_needs_cannot_be_optional() {
    let puppet =
        Puppet::start(Setup::bench().with(&["-p", "/f1/perception:optional_cameras:=[front]"]));
    puppet.run(0.5);
    assert!(!puppet.process.is_started());
    assert_ne!(puppet.process.board().state().0, PolicyState::Running);
}

#[test]
fn history_keeps_its_stride_in_time_whatever_the_frames_do() {
    let puppet = Puppet::start(Setup { camera_rate: 30.0, ..Setup::bench() });
    // Every third frame is lost, the others come up to 15 ms late.
    puppet.fault(|faults| faults.irregular_ns = 15_000_000);
    puppet.run(0.5);
    puppet.process.core().set_instruction("put the red cube into the bin");
    puppet.run(4.0);
    puppet.assert_running();
    let heard = puppet.heard.lock();
    let full = heard.chunks.iter().filter(|chunk| chunk.header.stamp.nanoseconds() > 3_000_000_000);
    let mut looked = 0;
    for chunk in full {
        let stamps: Vec<i64> =
            chunk.history_stamps.iter().map(|stamp| stamp.nanoseconds()).collect();
        assert_eq!(stamps.len(), 4);
        for pair in stamps.windows(2) {
            // Three steps of the data set at 10 Hz; two frames in a row may be 80 ms apart.
            let gap = (pair[1] - pair[0]) as f64 * 1e-9;
            assert!((gap - 0.3).abs() < 0.09, "{stamps:?}");
            looked += 1;
        }
    }
    assert!(looked >= 9, "{looked}");
}

#[test]
fn ensemble_averages_what_overlapping_chunks_say() {
    let follow = |splice: &'static str| {
        let args = ["-p", splice, "-p", "/f1/action:replan_steps:=3"];
        let puppet = Puppet::start(Setup { std: 0.01, ..Setup::bench().with(&args) });
        puppet.run(0.5);
        puppet.process.core().set_instruction("put the red cube into the bin");
        puppet.run(1.5);
        puppet.assert_running();
        puppet.assert_limits();
        let heard = puppet.heard.lock();
        let arms = heard.trajectories.iter().filter(|one| one.controller == "arm_controller");
        let ends: Vec<Vec<f64>> =
            arms.map(|one| one.message.points.last().unwrap().positions.clone()).collect();
        let chunks = heard.chunks.clone();
        (chunks, ends)
    };
    let (replaced, plain) = follow("/f1/action:splice:=replace");
    let (averaged, smooth) = follow("/f1/action:splice:=ensemble");
    assert!(replaced.iter().all(|chunk| chunk.splice == ActionChunk::SPLICE_REPLACE));
    assert!(averaged.iter().all(|chunk| chunk.splice == ActionChunk::SPLICE_ENSEMBLE));
    assert!(replaced.len() >= 4 && averaged.len() >= 4);
    // The first chunk has none before it: the same motion. Later ones differ.
    assert_eq!(plain[0], smooth[0]);
    assert_ne!(plain[2], smooth[2]);
}

#[test]
fn real_time_chunking_holds_the_rows_that_are_executed_anyway() {
    let args = [
        "-p",
        "/f1/action:splice:=rtc",
        "-p",
        "/f1/action:replan_steps:=5",
        "-p",
        "/f1/foresight:virtual_latency:=0.2",
    ];
    let puppet = Puppet::moving(Setup { std: 0.01, ..Setup::bench().with(&args) });
    puppet.assert_limits();
    let heard = puppet.heard.lock();
    let mut held = 0;
    for pair in heard.chunks.windows(2) {
        let [before, after] = [&pair[0], &pair[1]];
        assert_eq!(after.splice, ActionChunk::SPLICE_RTC);
        let span =
            (after.header.stamp.nanoseconds() - before.header.stamp.nanoseconds()) as f64 * 1e-9;
        let consumed = (span * after.rate + 1e-6).floor() as usize;
        let width = after.normalised_columns as usize;
        for row in 0..after.frozen_rows as usize {
            let old = &before.normalised[(consumed + row) * width..(consumed + row + 1) * width];
            let new = &after.normalised[row * width..(row + 1) * width];
            let worst = old.iter().zip(new).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 0.05, "row {row}: {worst}");
            held += 1;
        }
    }
    // 0.23 s of latency at 10 Hz are three rows a chunk.
    assert!(held >= 6, "{held} rows were held");
}

#[test]
fn after_a_stop_nothing_of_the_old_chunk_is_held() {
    let puppet = Puppet::moving(Setup::bench().with(&["-p", "/f1/action:splice:=rtc"]));
    puppet.fault(|faults| faults.joints_stopped = true);
    puppet.run(1.0);
    let before = puppet.heard.lock().chunks.len();
    puppet.fault(|faults| faults.joints_stopped = false);
    puppet.run(1.5);
    let heard = puppet.heard.lock();
    let first = &heard.chunks[before..];
    assert!(first[0].frozen_rows == 0, "{}", first[0].frozen_rows);
}

#[test]
fn the_plan_is_left_when_the_world_leaves_it() {
    let chunks = |replan: &'static str| {
        let args = ["-p", "/f1/action:replan_steps:=12", "-p", replan];
        let puppet = Puppet::start(Setup::bench().with(&args));
        puppet.run(0.5);
        puppet.process.core().set_instruction("put the red cube into the bin");
        puppet.run(4.0);
        positions(&puppet).len()
    };
    // Random weights foresee nothing: every comparison is far below 50 dB.
    let (patient, watchful) =
        (chunks("/f1/foresight:replan_psnr:=0.0"), chunks("/f1/foresight:replan_psnr:=50.0"));
    assert!(watchful > patient + 1, "{watchful} chunks against {patient}");
}

type Goals = Arc<Mutex<Vec<ServerGoal<FollowJointTrajectory>>>>;

/// An action server as a JointTrajectoryController: a new goal replaces the one that runs.
fn serve_arm(
    puppet: &Puppet,
    commands: &Arc<Mutex<Vec<f1_interfaces::trajectory_msgs::msg::JointTrajectory>>>,
) -> Goals {
    let goals: Goals = Arc::default();
    let (taken, into) = (goals.clone(), commands.clone());
    let server = puppet.node.create_action_server::<FollowJointTrajectory>(
        "arm_controller/follow_joint_trajectory",
        |_, _| GoalDecision::Accept,
        move |goal: ServerGoal<FollowJointTrajectory>| {
            into.lock().push(goal.goal().trajectory.clone());
            let mut goals = taken.lock();
            if let Some(before) = goals.last() {
                before.abort(Default::default());
            }
            goals.push(goal);
        },
        |_| CancelDecision::Accept,
    );
    puppet.node.keep(server.unwrap());
    goals
}

#[test]
fn goals_are_replaced_smoothly_and_cancelled_after_a_stop() {
    let args = ["-p", "/f1/safety_filter:follow_joint_trajectory:=true"];
    let puppet = Puppet::start(Setup::bench().with(&args));
    let commands = Arc::new(Mutex::new(Vec::new()));
    let goals = serve_arm(&puppet, &commands);
    let obey = || {
        for trajectory in std::mem::take(&mut *commands.lock()) {
            puppet.command("arm_controller", &trajectory);
        }
    };
    let run = |steps: usize| {
        for _ in 0..steps {
            puppet.run(0.005);
            obey();
        }
    };
    run(100);
    puppet.process.core().set_instruction("put the red cube into the bin");
    run(500);
    let state = puppet.process.board().state();
    // The gripper's controller has no server here, and status says so only when its goals are not
    // answered.
    assert!(goals.lock().len() >= 4, "{} goals; {state:?}", goals.lock().len());
    assert!(goals.lock().last().unwrap().is_active());
    assert!(puppet.process.stopper().stop("test"));
    run(20);
    // The braking goal itself is followed to its end, then what is open is cancelled.
    run(200);
    assert!(puppet.stands());
    let last = goals.lock().last().cloned().unwrap();
    assert!(last.is_canceling(), "{:?}", last.status());
    last.canceled(Default::default());
    puppet.assert_limits();
}

#[test]
fn grippers_follow_goals_of_their_action() {
    for parallel in [false, true] {
        let robot = kit::changed_robot("bench_arm", |text| {
            let interface = if parallel { "parallel_gripper_command" } else { "gripper_command" };
            text.replace(
                "{name: gripper_controller, joints: [gripper_joint], interface: joint_trajectory}",
                &format!(
                    "{{name: gripper_controller, joints: [gripper_joint], interface: {interface}}}"
                ),
            )
        });
        let puppet = Puppet::start(Setup::new(robot));
        let targets: Arc<Mutex<Vec<f64>>> = Arc::default();
        let into = targets.clone();
        if parallel {
            let server = puppet.node.create_action_server::<ParallelGripperCommand>(
                "gripper_controller/gripper_cmd",
                |_, _| GoalDecision::Accept,
                move |goal| {
                    assert_eq!(goal.goal().command.name, ["gripper_joint"]);
                    into.lock().push(goal.goal().command.position[0]);
                    goal.succeed(Default::default());
                },
                |_| CancelDecision::Accept,
            );
            puppet.node.keep(server.unwrap());
        } else {
            let mut refusals = 2;
            let server = puppet.node.create_action_server::<GripperCommand>(
                "gripper_controller/gripper_cmd",
                move |_, _| {
                    // A gripper that is not homed yet refuses at first; what was refused is sent
                    // again.
                    refusals -= 1;
                    if refusals >= 0 { GoalDecision::Reject } else { GoalDecision::Accept }
                },
                move |goal| {
                    into.lock().push(goal.goal().command.position);
                    goal.succeed(GripperCommandResult::default());
                },
                |_| CancelDecision::Accept,
            );
            puppet.node.keep(server.unwrap());
        }
        puppet.run(0.5);
        puppet.process.core().set_instruction("put the red cube into the bin");
        puppet.run(3.0);
        puppet.assert_running();
        puppet.assert_limits();
        let targets = targets.lock().clone();
        assert!(targets.len() >= 2, "{targets:?}");
        assert!(targets.iter().all(|target| (-1e-9..=0.05 + 1e-9).contains(target)), "{targets:?}");
        // No flood: a gripper action restarts its controller.
        assert!(targets.len() < 100, "{} goals in three seconds", targets.len());
    }
}

/// What a client of `execute_task` is told.
#[derive(Default)]
struct Told {
    feedback: Vec<f1_interfaces::f1_msgs::action::ExecuteTaskFeedback>,
    ended: Option<(GoalStatus, ExecuteTaskResult)>,
}

type TaskClient = f1_middleware::ActionClient<ExecuteTask>;

fn tasks(puppet: &Puppet) -> TaskClient {
    puppet.node.create_action_client("execute_task").unwrap()
}

fn execute(
    client: &TaskClient,
    instruction: &str,
    limit: f64,
) -> (Arc<Mutex<Told>>, f1_middleware::action::ClientGoal) {
    let told: Arc<Mutex<Told>> = Arc::default();
    let into = told.clone();
    let goal = ExecuteTaskGoal {
        instruction: instruction.into(),
        time_limit: Duration::from_secs_f64(limit).try_into().unwrap(),
    };
    let sent = client.send(goal, move |event| match event {
        GoalEvent::Feedback(feedback) => into.lock().feedback.push(feedback),
        GoalEvent::Ended(outcome) => into.lock().ended = Some((outcome.status, outcome.result)),
        _ => {}
    });
    (told, sent.unwrap())
}

#[test]
fn a_task_runs_to_its_time_limit_with_feedback() {
    let puppet = Puppet::start(Setup::bench());
    let client = tasks(&puppet);
    puppet.run(0.5);
    let (told, _goal) = execute(&client, "put the red cube into the bin", 2.0);
    puppet.run(1.8);
    assert!(told.lock().ended.is_none());
    {
        let told = told.lock();
        let last = told.feedback.last().unwrap();
        assert!(told.feedback.len() >= 10 && last.chunk_count >= 2, "{last:?}");
        assert!(last.elapsed.seconds() > 1.5 && last.foresight_psnr.is_finite(), "{last:?}");
    }
    puppet.run(0.5);
    let (status, result) = told.lock().ended.clone().unwrap();
    assert_eq!(
        (status, result.outcome),
        (GoalStatus::Succeeded, ExecuteTaskResult::OUTCOME_TIME_LIMIT)
    );
    assert!((result.elapsed.seconds() - 2.0).abs() < 0.2, "{result:?}");
    puppet.run(1.0);
    puppet.assert_at_rest(
        &[f1_interfaces::f1_msgs::msg::PolicyStatus::STATE_WAITING],
        "no instruction",
    );
    puppet.assert_limits();
}

#[test]
fn a_task_is_cancelled_replaced_or_stopped() {
    let puppet = Puppet::start(Setup::bench());
    let client = tasks(&puppet);
    puppet.run(0.5);
    let (told, goal) = execute(&client, "put the red cube into the bin", 0.0);
    puppet.run(1.5);
    goal.cancel(|accepted| assert!(accepted)).unwrap();
    puppet.run(1.0);
    let ended = |told: &Arc<Mutex<Told>>| {
        told.lock().ended.clone().map(|(status, result)| (status, result.outcome))
    };
    assert_eq!(ended(&told), Some((GoalStatus::Canceled, ExecuteTaskResult::OUTCOME_CANCELLED)));
    puppet.assert_at_rest(
        &[f1_interfaces::f1_msgs::msg::PolicyStatus::STATE_WAITING],
        "no instruction",
    );

    let (first, _goal) = execute(&client, "put the red cube into the bin", 0.0);
    puppet.run(0.5);
    let (second, _goal) = execute(&client, "put the blue cube into the bin", 0.0);
    puppet.run(1.0);
    assert_eq!(ended(&first), Some((GoalStatus::Aborted, ExecuteTaskResult::OUTCOME_REPLACED)));
    assert_eq!(
        (ended(&second), puppet.status().instruction.as_str()),
        (None, "put the blue cube into the bin")
    );
    assert!(puppet.process.stopper().stop("test"));
    puppet.run(1.0);
    assert_eq!(ended(&second), Some((GoalStatus::Aborted, ExecuteTaskResult::OUTCOME_STOPPED)));
    puppet.assert_limits();
}

#[test]
fn status_and_diagnostics_tell_the_times_of_the_stages() {
    let puppet = Puppet::start(Setup::bench());
    let said: Arc<Mutex<Vec<f1_interfaces::diagnostic_msgs::msg::DiagnosticStatus>>> =
        Arc::default();
    let into = said.clone();
    let heard =
        puppet.node.create_subscription::<f1_interfaces::diagnostic_msgs::msg::DiagnosticArray>(
            "/diagnostics",
            f1_middleware::Qos::reliable(),
            move |message, _| into.lock().extend(message.status.iter().cloned()),
        );
    puppet.node.keep(heard.unwrap());
    puppet.run(0.5);
    puppet.process.core().set_instruction("put the red cube into the bin");
    puppet.run(3.0);
    let status = puppet.status();
    let times = [
        status.decode_time,
        status.resize_time,
        status.history_time,
        status.image_encoder_time,
        status.foresight_time,
        status.action_time,
        status.filter_time,
    ];
    assert!(times.iter().all(|time| *time > 0.0 && *time < 60.0), "{times:?}");
    assert!(
        status.observation_rate > 15.0 && status.chunk_rate > 0.5 && status.trajectory_rate > 0.5
    );
    assert!(status.observation_age < 0.2 && status.joint_state_age < 0.1);
    for node in ["perception", "foresight", "action", "safety_filter"] {
        let said = said.lock();
        let entry = said.iter().rfind(|entry| entry.name.contains(node)).unwrap();
        for key in [
            "decode (ms)",
            "image encoder (ms)",
            "foresight (ms)",
            "action (ms)",
            "filter (ms)",
            "latency (ms)",
        ] {
            let value = entry.values.iter().find(|value| value.key == key);
            assert!(value.is_some_and(|value| value.value.parse::<f64>().is_ok()), "{node}: {key}");
        }
    }
}

#[test]
fn an_instruction_is_heard_from_any_publisher_and_once() {
    let puppet = Puppet::start(Setup::bench());
    puppet.run(0.5);
    let say = |publisher: &f1_middleware::Publisher<Text>, text: &str| {
        publisher.publish(Text { data: text.to_owned() }).unwrap();
    };
    // As `ros2 topic pub` makes it: nothing is kept.
    let plain = puppet.node.create_publisher::<Text>("instruction", Qos::reliable()).unwrap();
    say(&plain, "pick up the red cube");
    puppet.run(1.0);
    assert_eq!(puppet.status().instruction, "pick up the red cube");

    let latched = puppet.node.create_publisher::<Text>("instruction", Qos::latched()).unwrap();
    say(&latched, "pick up the blue ball");
    puppet.run(1.0);
    assert_eq!(puppet.status().instruction, "pick up the blue ball");
    // Two at once come twice each; the second holds.
    say(&latched, "pick up the red cube");
    say(&latched, "pick up the green ball");
    puppet.run(1.0);
    assert_eq!(puppet.status().instruction, "pick up the green ball");
}
