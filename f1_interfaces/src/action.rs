//! The messages that carry an action's goal, result and feedback.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::builtin_interfaces::msg::Time;
use crate::unique_identifier_msgs::msg::UUID;
use crate::{Action, Message, Service};

/// Service `_action/send_goal` of `A`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendGoal<A>(PhantomData<fn() -> A>);

/// Service `_action/get_result` of `A`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetResult<A>(PhantomData<fn() -> A>);

impl<A: Action> Service for SendGoal<A> {
    type Request = SendGoalRequest<A>;
    type Response = SendGoalResponse<A>;
    const TYPE_NAME: &'static str = A::SEND_GOAL.type_name;
    const TYPE_HASH: &'static str = A::SEND_GOAL.type_hash;
}

impl<A: Action> Service for GetResult<A> {
    type Request = GetResultRequest<A>;
    type Response = GetResultResponse<A>;
    const TYPE_NAME: &'static str = A::GET_RESULT.type_name;
    const TYPE_HASH: &'static str = A::GET_RESULT.type_hash;
}

/// Asks for a goal, under an identifier that the client chose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SendGoalRequest<A: Action> {
    /// The goal's identifier.
    pub goal_id: UUID,
    /// What is asked.
    pub goal: A::Goal,
}

/// Whether the goal is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SendGoalResponse<A: Action> {
    /// True when the server will work on it.
    pub accepted: bool,
    /// When it was taken, in ROS time.
    pub stamp: Time,
    /// Which action it belongs to; not on the wire.
    #[serde(skip)]
    pub action: PhantomData<A>,
}

/// Asks for the result of a goal; answered when the goal has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct GetResultRequest<A: Action> {
    /// The goal's identifier.
    pub goal_id: UUID,
    /// Which action it belongs to; not on the wire.
    #[serde(skip)]
    pub action: PhantomData<A>,
}

/// How the goal ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct GetResultResponse<A: Action> {
    /// One of the constants of [`crate::action_msgs::msg::GoalStatus`].
    pub status: i8,
    /// The result.
    pub result: A::Result,
}

/// Feedback with the goal that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct FeedbackMessage<A: Action> {
    /// The goal's identifier.
    pub goal_id: UUID,
    /// The feedback.
    pub feedback: A::Feedback,
}

macro_rules! message {
    ($name:ident, $info:ident) => {
        impl<A: Action> Message for $name<A> {
            const TYPE_NAME: &'static str = A::$info.type_name;
            const DDS_TYPE_NAME: &'static str = A::$info.dds_type_name;
            const TYPE_HASH: &'static str = A::$info.type_hash;
            // rosidl has no text for these: it derives them from the action's.
            const DEFINITION: &'static str = "";
        }
    };
}

message!(SendGoalRequest, SEND_GOAL_REQUEST);
message!(SendGoalResponse, SEND_GOAL_RESPONSE);
message!(GetResultRequest, GET_RESULT_REQUEST);
message!(GetResultResponse, GET_RESULT_RESPONSE);
message!(FeedbackMessage, FEEDBACK_MESSAGE);
