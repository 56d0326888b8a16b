//! FollowJointTrajectory both ways: accepted, feedback, succeeded, canceled.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Duration as RosDuration;
use f1_interfaces::cdr;
use f1_interfaces::control_msgs::action::{
    FollowJointTrajectory, FollowJointTrajectoryFeedback, FollowJointTrajectoryGoal,
    FollowJointTrajectoryResult,
};
use f1_interfaces::control_msgs::msg::JointTolerance;
use f1_interfaces::trajectory_msgs::msg::JointTrajectoryPoint;
use f1_middleware::action::{CancelDecision, GoalDecision, GoalEvent, GoalStatus};
use f1_middleware::{ActionServer, ClockKind};
use serde_json::{Value, json};

use crate::pair::{PATIENCE, Pair, service_pair, until};

const ACTION: &str = "arm_controller/follow_joint_trajectory";

fn json_of<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap()
}

fn feedback() -> FollowJointTrajectoryFeedback {
    FollowJointTrajectoryFeedback {
        joint_names: vec!["shoulder".to_owned(), "elbow".to_owned()],
        ..Default::default()
    }
}

fn result(text: &str) -> FollowJointTrajectoryResult {
    FollowJointTrajectoryResult {
        error_code: FollowJointTrajectoryResult::SUCCESSFUL,
        error_string: text.to_owned(),
    }
}

/// A server of ours that sends feedback ten times a second and ends each goal after a second, or
/// when canceled.
fn serve(pair: &Pair) -> (ActionServer<FollowJointTrajectory>, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let node = pair.node.clone();
    let server = pair
        .node
        .create_action_server::<FollowJointTrajectory>(
            ACTION,
            |_, goal| {
                if goal.trajectory.joint_names.is_empty() {
                    GoalDecision::Reject
                } else {
                    GoalDecision::Accept
                }
            },
            move |goal| {
                let _ = sender.send(cdr::to_bytes(goal.goal().as_ref()).unwrap());
                let mut beats = 0;
                let timer =
                    node.create_timer(Duration::from_millis(100), ClockKind::Steady, move || {
                        if !goal.is_active() {
                            return;
                        }
                        beats += 1;
                        goal.feedback(feedback());
                        if goal.is_canceling() {
                            goal.canceled(result("canceled"));
                        } else if beats == 10 {
                            goal.succeed(result("there"));
                        }
                    });
                node.keep(timer);
            },
            |_| CancelDecision::Accept,
        )
        .unwrap();
    (server, receiver)
}

/// Numbers that JSON holds exactly, because the peer reports what it received as JSON.
fn goal() -> FollowJointTrajectoryGoal {
    let mut goal = FollowJointTrajectoryGoal::default();
    goal.trajectory.joint_names = vec!["shoulder".to_owned(), "elbow".to_owned()];
    goal.trajectory.points = (0..20)
        .map(|i| JointTrajectoryPoint {
            positions: vec![f64::from(i) * 0.125, -f64::from(i) * 0.25],
            velocities: vec![0.5, -1.0],
            accelerations: vec![0.0, 0.0],
            time_from_start: RosDuration::saturating_from_nanoseconds(i64::from(i) * 100_000_000),
            ..Default::default()
        })
        .collect();
    goal.goal_tolerance =
        vec![JointTolerance { name: "elbow".to_owned(), position: 0.0625, ..Default::default() }];
    goal
}

/// The peer sends a goal: its reply.
fn peer_sends(pair: &mut Pair, goal: &FollowJointTrajectoryGoal, more: Value) -> Value {
    let mut request = json!({
        "op": "send_goal", "action": pair.name(ACTION), "type": "control_msgs/action/FollowJointTrajectory",
        "goal": json_of(goal), "timeout": PATIENCE.as_secs() - 5,
    });
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    pair.peer.request(request).unwrap()
}

#[test]
fn the_peer_sends_us_a_goal() {
    let Some(mut pair) = service_pair() else { return };
    let (_server, goals) = serve(&pair);
    let goal = goal();
    let reply = peer_sends(&mut pair, &goal, json!({}));
    assert_eq!(goals.recv_timeout(PATIENCE).unwrap(), cdr::to_bytes(&goal).unwrap());
    assert_eq!(reply["accepted"], true);
    assert_eq!(reply["status"], 4, "{reply}");
    assert_eq!(reply["result"], json_of(&result("there")));
    let received = pair.peer.event("feedback", PATIENCE).unwrap();
    assert_eq!(received["value"], json_of(&feedback()));
}

#[test]
fn the_peer_cancels_its_goal() {
    let Some(mut pair) = service_pair() else { return };
    let (_server, _goals) = serve(&pair);
    let reply = peer_sends(&mut pair, &goal(), json!({ "cancel_after": 0.3 }));
    assert_eq!(reply["status"], 5, "{reply}");
    assert_eq!(reply["result"], json_of(&result("canceled")));
}

#[test]
fn the_peer_gets_the_rejection_of_its_goal() {
    let Some(mut pair) = service_pair() else { return };
    let (_server, _goals) = serve(&pair);
    let reply = peer_sends(&mut pair, &FollowJointTrajectoryGoal::default(), json!({}));
    assert_eq!((&reply["accepted"], &reply["answered"]), (&json!(false), &json!(true)));
}

/// Starts a server of the peer; returns the events of a goal that we send to it.
fn send(
    pair: &mut Pair,
    goal: FollowJointTrajectoryGoal,
    cancel_after: Option<Duration>,
) -> Vec<String> {
    let action = pair.name(ACTION);
    pair.peer
        .request(json!({
            "op": "action_server", "name": "server", "action": action,
            "type": "control_msgs/action/FollowJointTrajectory",
            "feedback": vec![json_of(&feedback()); 10], "period": 0.1, "result": json_of(&result("peer")),
        }))
        .unwrap();
    let client = pair.node.create_action_client::<FollowJointTrajectory>(ACTION).unwrap();
    until("a server", || client.is_ready());
    let (sender, receiver) = channel();
    let sent = client
        .send(goal, move |event| {
            let _ = sender.send(match event {
                GoalEvent::Accepted => "accepted".to_owned(),
                GoalEvent::Rejected => "rejected".to_owned(),
                GoalEvent::Feedback(received) => {
                    assert_eq!(received, feedback());
                    "feedback".to_owned()
                }
                GoalEvent::Ended(outcome) => {
                    assert_eq!(outcome.result, result("peer"));
                    match outcome.status {
                        GoalStatus::Succeeded => "succeeded".to_owned(),
                        GoalStatus::Canceled => "canceled".to_owned(),
                        other => format!("{other:?}"),
                    }
                }
                GoalEvent::Failed(error) => format!("failed: {error}"),
            });
        })
        .unwrap();
    if let Some(wait) = cancel_after {
        std::thread::sleep(wait);
        sent.cancel(|_| {}).unwrap();
    }
    let mut events = Vec::new();
    loop {
        let event = receiver.recv_timeout(PATIENCE).unwrap();
        let last = event != "accepted" && event != "feedback";
        if events.last() != Some(&event) {
            events.push(event);
        }
        if last {
            return events;
        }
    }
}

#[test]
fn we_send_the_peer_a_goal() {
    let Some(mut pair) = service_pair() else { return };
    let goal = goal();
    let events = send(&mut pair, goal.clone(), None);
    let received = pair.peer.event("goal", PATIENCE).unwrap();
    assert_eq!(received["value"], json_of(&goal));
    assert_eq!(events, ["accepted", "feedback", "succeeded"]);
}

#[test]
fn we_cancel_our_goal() {
    let Some(mut pair) = service_pair() else { return };
    let events = send(&mut pair, goal(), Some(Duration::from_millis(300)));
    assert_eq!(events.last().map(String::as_str), Some("canceled"), "{events:?}");
}
