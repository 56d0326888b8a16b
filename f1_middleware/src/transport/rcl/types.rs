//! The table from type names to r2r's types, for services and the topics inside actions.
//!
//! r2r's own bindings (for a machine without ROS) have the packages of every install. The build
//! script finds the others: `lifecycle_msgs`, `std_srvs`, `control_msgs`, `f1_msgs` and `test_msgs`
//! are in this table if they are sourced during the build.

use r2r::{WrappedActionTypeSupport, WrappedServiceTypeSupport};

/// Work that needs the type of a service.
pub(super) trait WithService {
    type Output;

    fn with<S>(self) -> Self::Output
    where
        S: WrappedServiceTypeSupport + Send + 'static,
        S::Request: Send,
        S::Response: Send;
}

/// Work that needs the type of a message inside an action.
pub(super) trait WithMessage {
    type Output;

    fn with<T: r2r::WrappedTypesupport + Send + 'static>(self) -> Self::Output;
}

macro_rules! services {
    ($name:ident, $with:ident, $($(#[$gate:meta])* $text:literal => $service:ty,)*) => {
        match $name {
            $($(#[$gate])* $text => Some($with.with::<$service>()),)*
            _ => None,
        }
    };
}

macro_rules! actions {
    ($name:ident, $with:ident, $($(#[$gate:meta])* $text:literal => $action:ty,)*) => {
        match $name {
            $(
                $(#[$gate])*
                concat!($text, "_SendGoal") => {
                    Some($with.with::<<$action as WrappedActionTypeSupport>::SendGoal>())
                }
                $(#[$gate])*
                concat!($text, "_GetResult") => {
                    Some($with.with::<<$action as WrappedActionTypeSupport>::GetResult>())
                }
            )*
            _ => None,
        }
    };
}

macro_rules! feedbacks {
    ($name:ident, $with:ident, $($(#[$gate:meta])* $text:literal => $action:ty,)*) => {
        match $name {
            $(
                $(#[$gate])*
                concat!($text, "_FeedbackMessage") => {
                    Some($with.with::<<$action as WrappedActionTypeSupport>::FeedbackMessage>())
                }
            )*
            _ => None,
        }
    };
}

/// The table of actions, for one of the macros above.
macro_rules! all_actions {
    ($mac:ident, $name:ident, $with:ident) => {
        $mac! { $name, $with,
            #[cfg(ros_test_msgs)]
            "test_msgs/action/Fibonacci" => r2r::test_msgs::action::Fibonacci::Action,
            #[cfg(ros_control_msgs)]
            "control_msgs/action/FollowJointTrajectory" =>
                r2r::control_msgs::action::FollowJointTrajectory::Action,
            #[cfg(ros_control_msgs)]
            "control_msgs/action/GripperCommand" => r2r::control_msgs::action::GripperCommand::Action,
            #[cfg(ros_parallel_gripper)]
            "control_msgs/action/ParallelGripperCommand" =>
                r2r::control_msgs::action::ParallelGripperCommand::Action,
            #[cfg(ros_f1_msgs)]
            "f1_msgs/action/ExecuteTask" => r2r::f1_msgs::action::ExecuteTask::Action,
            #[cfg(ros_f1_msgs)]
            "f1_msgs/action/GoHome" => r2r::f1_msgs::action::GoHome::Action,
        }
    };
}

/// Calls `with` for the service of this name; `None` if this build does not have it.
pub(super) fn service<W: WithService>(name: &str, with: W) -> Option<W::Output> {
    use r2r::{action_msgs, rcl_interfaces};
    if name.contains("/action/") {
        return all_actions!(actions, name, with);
    }
    services! { name, with,
        "action_msgs/srv/CancelGoal" => action_msgs::srv::CancelGoal::Service,
        #[cfg(ros_lifecycle_msgs)]
        "lifecycle_msgs/srv/ChangeState" => r2r::lifecycle_msgs::srv::ChangeState::Service,
        #[cfg(ros_lifecycle_msgs)]
        "lifecycle_msgs/srv/GetState" => r2r::lifecycle_msgs::srv::GetState::Service,
        #[cfg(ros_lifecycle_msgs)]
        "lifecycle_msgs/srv/GetAvailableStates" => r2r::lifecycle_msgs::srv::GetAvailableStates::Service,
        #[cfg(ros_lifecycle_msgs)]
        "lifecycle_msgs/srv/GetAvailableTransitions" =>
            r2r::lifecycle_msgs::srv::GetAvailableTransitions::Service,
        "rcl_interfaces/srv/DescribeParameters" => rcl_interfaces::srv::DescribeParameters::Service,
        "rcl_interfaces/srv/GetParameterTypes" => rcl_interfaces::srv::GetParameterTypes::Service,
        "rcl_interfaces/srv/GetParameters" => rcl_interfaces::srv::GetParameters::Service,
        "rcl_interfaces/srv/ListParameters" => rcl_interfaces::srv::ListParameters::Service,
        #[cfg(ros_logger_levels)]
        "rcl_interfaces/srv/GetLoggerLevels" => rcl_interfaces::srv::GetLoggerLevels::Service,
        #[cfg(ros_logger_levels)]
        "rcl_interfaces/srv/SetLoggerLevels" => rcl_interfaces::srv::SetLoggerLevels::Service,
        "rcl_interfaces/srv/SetParameters" => rcl_interfaces::srv::SetParameters::Service,
        "rcl_interfaces/srv/SetParametersAtomically" =>
            rcl_interfaces::srv::SetParametersAtomically::Service,
        #[cfg(ros_test_msgs)]
        "test_msgs/srv/BasicTypes" => r2r::test_msgs::srv::BasicTypes::Service,
        #[cfg(ros_moveit_msgs)]
        "moveit_msgs/srv/GetPlanningScene" => r2r::moveit_msgs::srv::GetPlanningScene::Service,
        #[cfg(ros_std_srvs)]
        "std_srvs/srv/Empty" => r2r::std_srvs::srv::Empty::Service,
        #[cfg(ros_std_srvs)]
        "std_srvs/srv/SetBool" => r2r::std_srvs::srv::SetBool::Service,
        #[cfg(ros_std_srvs)]
        "std_srvs/srv/Trigger" => r2r::std_srvs::srv::Trigger::Service,
        #[cfg(ros_f1_msgs)]
        "f1_msgs/srv/SetInstruction" => r2r::f1_msgs::srv::SetInstruction::Service,
    }
}

/// Calls `with` for the feedback message of this name; `None` if this build does not have it.
pub(super) fn feedback<W: WithMessage>(name: &str, with: W) -> Option<W::Output> {
    all_actions!(feedbacks, name, with)
}
