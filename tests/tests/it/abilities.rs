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
use f1_policy_node::status::PolicyState;
use parking_lot::Mutex;

use crate::fake_robot::{FakeRobot, Setup};
use crate::kit;

fn positions(fake: &FakeRobot) -> Vec<Vec<f64>> {
    let log = fake.log.lock();
    log.chunks.iter().map(|chunk| chunk.positions.clone()).collect()
}

#[test]
fn a_network_trained_on_whole_histories_waits_for_one_and_reports_it() {
    let fake = FakeRobot::start(Setup { full_history: true, ..Setup::bench() });
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(0.25);
    assert!(fake.status().reason.contains("s of images are missing"), "{:?}", fake.status().reason);
    assert!(positions(&fake).is_empty() && fake.is_at_rest());
    fake.run(4.0);
    fake.assert_running();
    let chunk = fake.log.lock().chunks[0].clone();
    let stamps: Vec<i64> = chunk.history_stamps.iter().map(|stamp| stamp.nanoseconds()).collect();
    assert!(stamps.is_sorted_by(|before, after| before < after), "repeated frames: {stamps:?}");
    fake.assert_limits();
}

#[test]
fn an_optional_camera_may_be_absent() {
    let optional = &["-p", "/f1/perception:optional_cameras:=[wrist]"];
    let fake = FakeRobot::start(Setup::bench().with(optional));
    fake.fault(|faults| faults.dead = ["wrist"].into());
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(2.0);
    fake.assert_running();
    assert!(fake.log.lock().chunks.iter().all(|chunk| chunk.camera_names == ["front"]));
    // It is seen from the moment at which it comes.
    fake.fault(|faults| faults.dead.clear());
    fake.run(2.0);
    let chunk = fake.log.lock().chunks.last().cloned().unwrap();
    assert_eq!(chunk.camera_names, ["front", "wrist"]);
    fake.assert_limits();
}

#[test]
fn the_camera_that_foresight_needs_cannot_be_optional() {
    let fake =
        FakeRobot::start(Setup::bench().with(&["-p", "/f1/perception:optional_cameras:=[front]"]));
    fake.run(0.5);
    assert!(!fake.process.is_started());
    assert_ne!(fake.process.status().state().0, PolicyState::Running);
}

#[test]
fn history_keeps_its_stride_in_time_whatever_the_frames_do() {
    let fake = FakeRobot::start(Setup { camera_rate: 30.0, ..Setup::bench() });
    // Every third frame is lost, the others come up to 15 ms late.
    fake.fault(|faults| faults.irregular_ns = 15_000_000);
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(4.0);
    fake.assert_running();
    let log = fake.log.lock();
    let full = log.chunks.iter().filter(|chunk| chunk.header.stamp.nanoseconds() > 3_000_000_000);
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
fn ensemble_averages_overlapping_chunks() {
    let follow = |splice: &'static str| {
        let args = ["-p", splice, "-p", "/f1/action:replan_steps:=3"];
        let fake = FakeRobot::start(Setup { std: 0.01, ..Setup::bench().with(&args) });
        fake.run(0.5);
        fake.process.core().set_instruction("put the red cube into the bin");
        fake.run(1.5);
        fake.assert_running();
        fake.assert_limits();
        let log = fake.log.lock();
        let arms = log.trajectories.iter().filter(|one| one.controller == "arm_controller");
        let ends: Vec<Vec<f64>> =
            arms.map(|one| one.message.points.last().unwrap().positions.clone()).collect();
        let chunks = log.chunks.clone();
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
    let fake = FakeRobot::moving(Setup { std: 0.01, ..Setup::bench().with(&args) });
    fake.assert_limits();
    let log = fake.log.lock();
    let mut held = 0;
    for pair in log.chunks.windows(2) {
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
    let fake = FakeRobot::moving(Setup::bench().with(&["-p", "/f1/action:splice:=rtc"]));
    fake.fault(|faults| faults.joints_stopped = true);
    fake.run(1.0);
    let before = fake.log.lock().chunks.len();
    fake.fault(|faults| faults.joints_stopped = false);
    fake.run(1.5);
    let log = fake.log.lock();
    let first = &log.chunks[before..];
    assert!(first[0].frozen_rows == 0, "{}", first[0].frozen_rows);
}

#[test]
fn the_policy_infers_anew_when_the_scene_departs_from_the_foresight() {
    let chunks = |replan: &'static str| {
        let args = ["-p", "/f1/action:replan_steps:=12", "-p", replan];
        let fake = FakeRobot::start(Setup::bench().with(&args));
        fake.run(0.5);
        fake.process.core().set_instruction("put the red cube into the bin");
        fake.run(4.0);
        positions(&fake).len()
    };
    // Random weights foresee nothing: every comparison is far below 50 dB.
    let (patient, watchful) =
        (chunks("/f1/foresight:replan_psnr:=0.0"), chunks("/f1/foresight:replan_psnr:=50.0"));
    assert!(watchful > patient + 1, "{watchful} chunks against {patient}");
}

type Goals = Arc<Mutex<Vec<ServerGoal<FollowJointTrajectory>>>>;

/// An action server as a JointTrajectoryController: a new goal replaces the one that runs.
fn serve_arm(
    fake: &FakeRobot,
    commands: &Arc<Mutex<Vec<f1_interfaces::trajectory_msgs::msg::JointTrajectory>>>,
) -> Goals {
    let goals: Goals = Arc::default();
    let (taken, into) = (goals.clone(), commands.clone());
    let server = fake.node.create_action_server::<FollowJointTrajectory>(
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
    fake.node.keep(server.unwrap());
    goals
}

#[test]
fn goals_are_replaced_smoothly_and_cancelled_after_a_stop() {
    let args = ["-p", "/f1/safety_filter:follow_joint_trajectory:=true"];
    let fake = FakeRobot::start(Setup::bench().with(&args));
    let commands = Arc::new(Mutex::new(Vec::new()));
    let goals = serve_arm(&fake, &commands);
    let follow = || {
        for trajectory in std::mem::take(&mut *commands.lock()) {
            fake.command("arm_controller", &trajectory);
        }
    };
    let run = |steps: usize| {
        for _ in 0..steps {
            fake.run(0.005);
            follow();
        }
    };
    run(100);
    fake.process.core().set_instruction("put the red cube into the bin");
    run(500);
    let state = fake.process.status().state();
    // The gripper's controller has no server here, and status says so only when its goals are not
    // answered.
    assert!(goals.lock().len() >= 4, "{} goals; {state:?}", goals.lock().len());
    assert!(goals.lock().last().unwrap().is_active());
    assert!(fake.process.stopper().stop("test"));
    run(20);
    // The braking goal itself is followed to its end, then what is open is cancelled.
    run(200);
    assert!(fake.is_at_rest());
    let last = goals.lock().last().cloned().unwrap();
    assert!(last.is_canceling(), "{:?}", last.status());
    last.canceled(Default::default());
    fake.assert_limits();
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
        let fake = FakeRobot::start(Setup::new(robot));
        let targets: Arc<Mutex<Vec<f64>>> = Arc::default();
        let into = targets.clone();
        if parallel {
            let server = fake.node.create_action_server::<ParallelGripperCommand>(
                "gripper_controller/gripper_cmd",
                |_, _| GoalDecision::Accept,
                move |goal| {
                    assert_eq!(goal.goal().command.name, ["gripper_joint"]);
                    into.lock().push(goal.goal().command.position[0]);
                    goal.succeed(Default::default());
                },
                |_| CancelDecision::Accept,
            );
            fake.node.keep(server.unwrap());
        } else {
            let mut refusals = 2;
            let server = fake.node.create_action_server::<GripperCommand>(
                "gripper_controller/gripper_cmd",
                move |_, _| {
                    // A gripper that is not homed yet refuses at first; a refused goal is sent
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
            fake.node.keep(server.unwrap());
        }
        fake.run(0.5);
        fake.process.core().set_instruction("put the red cube into the bin");
        fake.run(3.0);
        fake.assert_running();
        fake.assert_limits();
        let targets = targets.lock().clone();
        assert!(targets.len() >= 2, "{targets:?}");
        assert!(targets.iter().all(|target| (-1e-9..=0.05 + 1e-9).contains(target)), "{targets:?}");
        // No flood: a gripper action restarts its controller.
        assert!(targets.len() < 100, "{} goals in three seconds", targets.len());
    }
}

/// What a client of `execute_task` receives.
#[derive(Default)]
struct Answers {
    feedback: Vec<f1_interfaces::f1_msgs::action::ExecuteTaskFeedback>,
    ended: Option<(GoalStatus, ExecuteTaskResult)>,
}

type TaskClient = f1_middleware::ActionClient<ExecuteTask>;

fn tasks(fake: &FakeRobot) -> TaskClient {
    fake.node.create_action_client("execute_task").unwrap()
}

fn execute(
    client: &TaskClient,
    instruction: &str,
    limit: f64,
) -> (Arc<Mutex<Answers>>, f1_middleware::action::ClientGoal) {
    let answers: Arc<Mutex<Answers>> = Arc::default();
    let into = answers.clone();
    let goal = ExecuteTaskGoal {
        instruction: instruction.into(),
        time_limit: Duration::from_secs_f64(limit).try_into().unwrap(),
        home_first: false,
    };
    let sent = client.send(goal, move |event| match event {
        GoalEvent::Feedback(feedback) => into.lock().feedback.push(feedback),
        GoalEvent::Ended(outcome) => into.lock().ended = Some((outcome.status, outcome.result)),
        _ => {}
    });
    (answers, sent.unwrap())
}

#[test]
fn a_task_runs_to_its_time_limit_with_feedback() {
    let fake = FakeRobot::start(Setup::bench());
    let client = tasks(&fake);
    fake.run(0.5);
    let (answers, _goal) = execute(&client, "put the red cube into the bin", 2.0);
    fake.run(1.8);
    assert!(answers.lock().ended.is_none());
    {
        let answers = answers.lock();
        let last = answers.feedback.last().unwrap();
        assert!(answers.feedback.len() >= 10 && last.chunk_count >= 2, "{last:?}");
        assert!(last.elapsed.seconds() > 1.5 && last.foresight_psnr.is_finite(), "{last:?}");
    }
    fake.run(0.5);
    let (status, result) = answers.lock().ended.clone().unwrap();
    assert_eq!(
        (status, result.outcome),
        (GoalStatus::Succeeded, ExecuteTaskResult::OUTCOME_TIME_LIMIT)
    );
    assert!((result.elapsed.seconds() - 2.0).abs() < 0.2, "{result:?}");
    fake.run(1.0);
    fake.assert_at_rest(
        &[f1_interfaces::f1_msgs::msg::PolicyStatus::STATE_WAITING],
        "no instruction",
    );
    fake.assert_limits();
}

#[test]
fn a_task_is_cancelled_replaced_or_stopped() {
    let fake = FakeRobot::start(Setup::bench());
    let client = tasks(&fake);
    fake.run(0.5);
    let (answers, goal) = execute(&client, "put the red cube into the bin", 0.0);
    fake.run(1.5);
    goal.cancel(|accepted| assert!(accepted)).unwrap();
    fake.run(1.0);
    let ended = |answers: &Arc<Mutex<Answers>>| {
        answers.lock().ended.clone().map(|(status, result)| (status, result.outcome))
    };
    assert_eq!(ended(&answers), Some((GoalStatus::Canceled, ExecuteTaskResult::OUTCOME_CANCELLED)));
    fake.assert_at_rest(
        &[f1_interfaces::f1_msgs::msg::PolicyStatus::STATE_WAITING],
        "no instruction",
    );

    let (first, _goal) = execute(&client, "put the red cube into the bin", 0.0);
    fake.run(0.5);
    let (second, _goal) = execute(&client, "put the blue cube into the bin", 0.0);
    fake.run(1.0);
    assert_eq!(ended(&first), Some((GoalStatus::Aborted, ExecuteTaskResult::OUTCOME_REPLACED)));
    assert_eq!(
        (ended(&second), fake.status().instruction.as_str()),
        (None, "put the blue cube into the bin")
    );
    assert!(fake.process.stopper().stop("test"));
    fake.run(1.0);
    assert_eq!(ended(&second), Some((GoalStatus::Aborted, ExecuteTaskResult::OUTCOME_STOPPED)));
    fake.assert_limits();
}

#[test]
fn status_and_diagnostics_contain_the_times_of_the_stages() {
    let fake = FakeRobot::start(Setup::bench());
    let entries: Arc<Mutex<Vec<f1_interfaces::diagnostic_msgs::msg::DiagnosticStatus>>> =
        Arc::default();
    let into = entries.clone();
    let log =
        fake.node.create_subscription::<f1_interfaces::diagnostic_msgs::msg::DiagnosticArray>(
            "/diagnostics",
            f1_middleware::Qos::reliable(),
            move |message, _| into.lock().extend(message.status.iter().cloned()),
        );
    fake.node.keep(log.unwrap());
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(3.0);
    let status = fake.status();
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
        let entries = entries.lock();
        let entry = entries.iter().rfind(|entry| entry.name.contains(node)).unwrap();
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
fn an_instruction_of_any_publisher_is_taken_once() {
    let fake = FakeRobot::start(Setup::bench());
    fake.run(0.5);
    let publish = |publisher: &f1_middleware::Publisher<Text>, text: &str| {
        publisher.publish(Text { data: text.to_owned() }).unwrap();
    };
    // As `ros2 topic pub` makes it: nothing is kept.
    let plain = fake.node.create_publisher::<Text>("instruction", Qos::reliable()).unwrap();
    publish(&plain, "pick up the red cube");
    fake.run(1.0);
    assert_eq!(fake.status().instruction, "pick up the red cube");

    let latched = fake.node.create_publisher::<Text>("instruction", Qos::latched()).unwrap();
    publish(&latched, "pick up the blue ball");
    fake.run(1.0);
    assert_eq!(fake.status().instruction, "pick up the blue ball");
    // Two at once come twice each; the second holds.
    publish(&latched, "pick up the red cube");
    publish(&latched, "pick up the green ball");
    fake.run(1.0);
    assert_eq!(fake.status().instruction, "pick up the green ball");
}
