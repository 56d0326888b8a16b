//! What every message, service and action can say of itself.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

/// A structure that can be published, or sent as a part of a service or an action.
pub trait Message:
    Serialize + DeserializeOwned + Clone + Debug + Default + PartialEq + Send + Sync + 'static
{
    /// `sensor_msgs/msg/Image`
    const TYPE_NAME: &'static str;
    /// `sensor_msgs::msg::dds_::Image_`, the name that DDS announces.
    const DDS_TYPE_NAME: &'static str;
    /// `RIHS01_...` (REP 2016).
    const TYPE_HASH: &'static str;
    /// The text of the definition and of all that it needs, in the concatenated form of bags and
    /// MCAP (`ros2msg`).
    const DEFINITION: &'static str;
}

/// A service: a request answered by a response.
pub trait Service: Send + Sync + 'static {
    /// What the client sends.
    type Request: Message;
    /// What the server answers.
    type Response: Message;
    /// `std_srvs/srv/Trigger`
    const TYPE_NAME: &'static str;
    /// `RIHS01_...` (REP 2016).
    const TYPE_HASH: &'static str;
}

/// An action: a goal that takes time, gives feedback and ends in a result.
///
/// The messages that carry them are in [`crate::action`].
pub trait Action: Clone + Copy + Debug + Default + PartialEq + Send + Sync + 'static {
    /// What is asked.
    type Goal: Message;
    /// The result.
    type Result: Message;
    /// Feedback while the goal runs.
    type Feedback: Message;
    /// `control_msgs/action/FollowJointTrajectory`
    const TYPE_NAME: &'static str;
    /// `RIHS01_...` (REP 2016).
    const TYPE_HASH: &'static str;
    /// The service that sends a goal.
    const SEND_GOAL: TypeInfo;
    /// Its request.
    const SEND_GOAL_REQUEST: TypeInfo;
    /// Its response.
    const SEND_GOAL_RESPONSE: TypeInfo;
    /// The service that waits for a result.
    const GET_RESULT: TypeInfo;
    /// Its request.
    const GET_RESULT_REQUEST: TypeInfo;
    /// Its response.
    const GET_RESULT_RESPONSE: TypeInfo;
    /// The message of the feedback topic.
    const FEEDBACK_MESSAGE: TypeInfo;
}

/// Names of a type that rosidl derives from an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// `control_msgs/action/FollowJointTrajectory_SendGoal_Request`
    pub type_name: &'static str,
    /// `control_msgs::action::dds_::FollowJointTrajectory_SendGoal_Request_`
    pub dds_type_name: &'static str,
    /// `RIHS01_...` (REP 2016).
    pub type_hash: &'static str,
}
