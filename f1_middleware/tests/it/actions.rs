//! Actions.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::action::{GetResult, GetResultResponse, SendGoal, SendGoalResponse};
use f1_interfaces::action_msgs::msg::{GoalInfo, GoalStatus as StatusMessage, GoalStatusArray};
use f1_interfaces::control_msgs::action::{
    FollowJointTrajectory, FollowJointTrajectoryFeedback, FollowJointTrajectoryGoal,
    FollowJointTrajectoryResult,
};
use f1_middleware::action::{CancelDecision, GoalDecision, GoalEvent, GoalStatus, ServerGoal};
use f1_middleware::{ClockKind, Node, Qos};
use parking_lot::Mutex;

use crate::support::{pairs, virtual_context};

type Goals = Arc<Mutex<Vec<ServerGoal<FollowJointTrajectory>>>>;
type Log = Arc<Mutex<Vec<String>>>;

fn goal(joint: &str) -> FollowJointTrajectoryGoal {
    let mut goal = FollowJointTrajectoryGoal::default();
    goal.trajectory.joint_names = vec![joint.to_owned()];
    goal
}

fn result(code: i32) -> FollowJointTrajectoryResult {
    FollowJointTrajectoryResult { error_code: code, ..Default::default() }
}

/// A server that accepts goals for joint `a` and keeps them.
fn server(node: &Node) -> Goals {
    let goals: Goals = Arc::default();
    let into = goals.clone();
    let server = node
        .create_action_server::<FollowJointTrajectory>(
            "arm/follow_joint_trajectory",
            |_, goal| {
                if goal.trajectory.joint_names == ["a"] {
                    GoalDecision::Accept
                } else {
                    GoalDecision::Reject
                }
            },
            move |goal| into.lock().push(goal),
            |_| CancelDecision::Accept,
        )
        .unwrap();
    node.keep(server);
    goals
}

fn note(log: &Log) -> impl FnMut(GoalEvent<FollowJointTrajectory>) + Send + 'static {
    let log = log.clone();
    move |event| {
        log.lock().push(match event {
            GoalEvent::Accepted => "accepted".to_owned(),
            GoalEvent::Rejected => "rejected".to_owned(),
            GoalEvent::Feedback(feedback) => format!("feedback {}", feedback.joint_names[0]),
            GoalEvent::Ended(outcome) => {
                format!("{:?} {}", outcome.status, outcome.result.error_code)
            }
            GoalEvent::Failed(error) => format!("failed {error}"),
        });
    }
}

#[test]
fn a_goal_is_accepted_gets_feedback_and_succeeds() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("policy").unwrap(), pair.b.create_node("controller").unwrap());
        let goals = server(&b);
        let client =
            a.create_action_client::<FollowJointTrajectory>("arm/follow_joint_trajectory").unwrap();
        let status = a
            .create_newest_subscription::<GoalStatusArray>(
                "arm/follow_joint_trajectory/_action/status",
                Qos::latched(),
            )
            .unwrap();
        pair.spin_until("a server", || client.is_ready() && status.publisher_count() > 0);
        let log: Log = Arc::default();
        client.send(goal("a"), note(&log)).unwrap();
        pair.spin_until("the goal", || !goals.lock().is_empty() && !log.lock().is_empty());
        let accepted_goal = goals.lock()[0].clone();
        assert_eq!(accepted_goal.goal().trajectory.joint_names, ["a"], "{}", pair.name);
        // The feedback topic may be discovered later than the goal service: sent until it
        // arrives.
        pair.spin_until("feedback", || {
            accepted_goal.feedback(FollowJointTrajectoryFeedback {
                joint_names: vec!["a".into()],
                ..Default::default()
            });
            log.lock().len() >= 2
        });
        accepted_goal.succeed(result(0));
        accepted_goal.abort(result(9));
        pair.spin_until("the result", || {
            log.lock().last().is_some_and(|last| !last.starts_with("feedback"))
        });
        log.lock().dedup();
        assert_eq!(*log.lock(), ["accepted", "feedback a", "Succeeded 0"], "{}", pair.name);
        pair.spin_until("the status", || {
            status.take().is_some_and(|list| list.status_list.iter().any(|goal| goal.status == 4))
        });
    }
}

#[test]
fn a_goal_is_rejected_and_another_cancelled() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("policy").unwrap(), pair.b.create_node("controller").unwrap());
        let goals = server(&b);
        let client =
            a.create_action_client::<FollowJointTrajectory>("arm/follow_joint_trajectory").unwrap();
        pair.spin_until("a server", || client.is_ready());
        let (refused, cancelled): (Log, Log) = (Arc::default(), Arc::default());
        client.send(goal("b"), note(&refused)).unwrap();
        let sent = client.send(goal("a"), note(&cancelled)).unwrap();
        pair.spin_until("the goals", || refused.lock().len() == 1 && cancelled.lock().len() == 1);
        assert_eq!(*refused.lock(), ["rejected"], "{}", pair.name);
        let agreed = Arc::new(Mutex::new(None));
        let into = agreed.clone();
        sent.cancel(move |accepted| *into.lock() = Some(accepted)).unwrap();
        pair.spin_until("the cancel", || agreed.lock().is_some());
        assert_eq!(*agreed.lock(), Some(true));
        let accepted_goal = goals.lock()[0].clone();
        assert!(accepted_goal.is_canceling());
        accepted_goal.canceled(result(1));
        pair.spin_until("the end", || cancelled.lock().len() == 2);
        assert_eq!(cancelled.lock()[1], "Canceled 1", "{}", pair.name);
        // A goal that has ended cannot be cancelled again.
        let again = Arc::new(Mutex::new(None));
        let into = again.clone();
        sent.cancel(move |accepted| *into.lock() = Some(accepted)).unwrap();
        pair.spin_until("the second cancel", || again.lock().is_some());
        assert_eq!(*again.lock(), Some(false), "{}: {:?}", pair.name, accepted_goal.status());
    }
}

#[test]
fn a_goal_runs_on_virtual_time_and_is_forgotten_after_its_end() {
    let context = virtual_context();
    let node = context.create_node("n").unwrap();
    let worker = node.clone();
    let served = node
        .create_action_server::<FollowJointTrajectory>(
            "move",
            |_, _| GoalDecision::Accept,
            move |goal| {
                let done = goal.clone();
                let timer =
                    worker.create_one_shot(Duration::from_secs(3), ClockKind::Ros, move || {
                        done.succeed(result(0));
                    });
                worker.keep(timer);
            },
            |_| CancelDecision::Reject,
        )
        .unwrap();
    let client = node.create_action_client::<FollowJointTrajectory>("move").unwrap();
    let log: Log = Arc::default();
    let sent = client.send(goal("a"), note(&log)).unwrap();
    context.executor().spin_for(Duration::from_millis(2900));
    sent.cancel(|accepted| assert!(!accepted)).unwrap();
    assert_eq!(served.active().len(), 1);
    assert_eq!(served.active()[0].status(), GoalStatus::Executing);
    context.executor().spin_for(Duration::from_millis(200));
    assert_eq!(*log.lock(), ["accepted", "Succeeded 0"]);
    assert!(served.active().is_empty());
    context.executor().spin_for(Duration::from_secs(11));
    drop(node);
}

/// A server that loses the first `lost` requests for a result, as a network does while only one
/// side has discovered the other. It reports the goal's end at once.
fn forgetful_server(node: &Node, lost: usize) {
    let status =
        node.create_publisher::<GoalStatusArray>("arm/_action/status", Qos::latched()).unwrap();
    let send = node
        .create_service::<SendGoal<FollowJointTrajectory>>(
            "arm/_action/send_goal",
            move |request| {
                let goal_info = GoalInfo { goal_id: request.goal_id, ..Default::default() };
                let status_list = vec![StatusMessage { goal_info, status: 4 }];
                status.publish(GoalStatusArray { status_list }).unwrap();
                SendGoalResponse { accepted: true, ..Default::default() }
            },
        )
        .unwrap();
    let mut asked = 0;
    let get = node
        .create_deferred_service::<GetResult<FollowJointTrajectory>>(
            "arm/_action/get_result",
            move |_, responder| {
                asked += 1;
                if asked > lost {
                    responder.respond(GetResultResponse { status: 4, result: result(7) });
                }
            },
        )
        .unwrap();
    node.keep((send, get));
}

#[test]
fn a_lost_result_is_requested_again_when_the_status_reports_the_end() {
    for lost in [0, 1, 3] {
        let context = virtual_context();
        let node = context.create_node("n").unwrap();
        forgetful_server(&node, lost);
        let client = node.create_action_client::<FollowJointTrajectory>("arm").unwrap();
        let log: Log = Arc::default();
        client.send(goal("a"), note(&log)).unwrap();
        context.executor().spin_for(Duration::from_secs(9));
        assert_eq!(*log.lock(), ["accepted", "Succeeded 7"], "{lost} lost");
    }
}

#[test]
fn a_result_that_never_arrives_fails_within_the_time_that_servers_keep_it() {
    let context = virtual_context();
    let node = context.create_node("n").unwrap();
    forgetful_server(&node, usize::MAX);
    let client = node.create_action_client::<FollowJointTrajectory>("arm").unwrap();
    let log: Log = Arc::default();
    client.send(goal("a"), note(&log)).unwrap();
    context.executor().spin_for(Duration::from_secs(9));
    let log = log.lock();
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[1].starts_with("failed") && log[1].contains("get_result"), "{log:?}");
}
