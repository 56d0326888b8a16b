// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `action_msgs`.

/// Messages of `action_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `action_msgs/msg/GoalInfo`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct GoalInfo {
        /// `unique_identifier_msgs/msg/UUID`
        pub goal_id: crate::unique_identifier_msgs::msg::UUID,
        /// `builtin_interfaces/msg/Time`
        pub stamp: crate::builtin_interfaces::msg::Time,
    }

    impl crate::Message for GoalInfo {
        const TYPE_NAME: &'static str = "action_msgs/msg/GoalInfo";
        const DDS_TYPE_NAME: &'static str = "action_msgs::msg::dds_::GoalInfo_";
        const TYPE_HASH: &'static str =
            "RIHS01_6398fe763154554353930716b225947f93b672f0fb2e49fdd01bb7a7e37933e9";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalInfo.msg")),
            "================================================================================\nMSG: unique_identifier_msgs/UUID\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/unique_identifier_msgs/msg/UUID.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `action_msgs/msg/GoalStatus`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct GoalStatus {
        /// `action_msgs/msg/GoalInfo`
        pub goal_info: crate::action_msgs::msg::GoalInfo,
        /// `int8`
        pub status: i8,
    }

    impl GoalStatus {
        /// `STATUS_UNKNOWN = 0`
        pub const STATUS_UNKNOWN: i8 = 0;
        /// `STATUS_ACCEPTED = 1`
        pub const STATUS_ACCEPTED: i8 = 1;
        /// `STATUS_EXECUTING = 2`
        pub const STATUS_EXECUTING: i8 = 2;
        /// `STATUS_CANCELING = 3`
        pub const STATUS_CANCELING: i8 = 3;
        /// `STATUS_SUCCEEDED = 4`
        pub const STATUS_SUCCEEDED: i8 = 4;
        /// `STATUS_CANCELED = 5`
        pub const STATUS_CANCELED: i8 = 5;
        /// `STATUS_ABORTED = 6`
        pub const STATUS_ABORTED: i8 = 6;
    }

    impl crate::Message for GoalStatus {
        const TYPE_NAME: &'static str = "action_msgs/msg/GoalStatus";
        const DDS_TYPE_NAME: &'static str = "action_msgs::msg::dds_::GoalStatus_";
        const TYPE_HASH: &'static str =
            "RIHS01_32f4cfd717735d17657e1178f24431c1ce996c878c515230f6c5b3476819dbb9";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalStatus.msg")),
            "================================================================================\nMSG: action_msgs/GoalInfo\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalInfo.msg")),
            "================================================================================\nMSG: unique_identifier_msgs/UUID\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/unique_identifier_msgs/msg/UUID.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `action_msgs/msg/GoalStatusArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GoalStatusArray {
        /// `action_msgs/msg/GoalStatus[]`
        pub status_list: Vec<crate::action_msgs::msg::GoalStatus>,
    }

    impl crate::Message for GoalStatusArray {
        const TYPE_NAME: &'static str = "action_msgs/msg/GoalStatusArray";
        const DDS_TYPE_NAME: &'static str = "action_msgs::msg::dds_::GoalStatusArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_6c1684b00f177d37438febe6e709fc4e2b0d4248dca4854946f9ed8b30cda83e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalStatusArray.msg")),
            "================================================================================\nMSG: action_msgs/GoalStatus\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalStatus.msg")),
            "================================================================================\nMSG: action_msgs/GoalInfo\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalInfo.msg")),
            "================================================================================\nMSG: unique_identifier_msgs/UUID\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/unique_identifier_msgs/msg/UUID.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }
}

/// Services of `action_msgs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `action_msgs/srv/CancelGoal_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct CancelGoalRequest {
        /// `action_msgs/msg/GoalInfo`
        pub goal_info: crate::action_msgs::msg::GoalInfo,
    }

    impl crate::Message for CancelGoalRequest {
        const TYPE_NAME: &'static str = "action_msgs/srv/CancelGoal_Request";
        const DDS_TYPE_NAME: &'static str = "action_msgs::srv::dds_::CancelGoal_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_3d3c84653c1f96918086887e1dcb236faec88b81a5b14fd4cf4840065bcdf8af";
        const DEFINITION: &'static str = concat!(
            "GoalInfo goal_info\n",
            "================================================================================\nMSG: action_msgs/GoalInfo\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalInfo.msg")),
            "================================================================================\nMSG: unique_identifier_msgs/UUID\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/unique_identifier_msgs/msg/UUID.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `action_msgs/srv/CancelGoal_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct CancelGoalResponse {
        /// `int8`
        pub return_code: i8,
        /// `action_msgs/msg/GoalInfo[]`
        pub goals_canceling: Vec<crate::action_msgs::msg::GoalInfo>,
    }

    impl CancelGoalResponse {
        /// `ERROR_NONE = 0`
        pub const ERROR_NONE: i8 = 0;
        /// `ERROR_REJECTED = 1`
        pub const ERROR_REJECTED: i8 = 1;
        /// `ERROR_UNKNOWN_GOAL_ID = 2`
        pub const ERROR_UNKNOWN_GOAL_ID: i8 = 2;
        /// `ERROR_GOAL_TERMINATED = 3`
        pub const ERROR_GOAL_TERMINATED: i8 = 3;
    }

    impl crate::Message for CancelGoalResponse {
        const TYPE_NAME: &'static str = "action_msgs/srv/CancelGoal_Response";
        const DDS_TYPE_NAME: &'static str = "action_msgs::srv::dds_::CancelGoal_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_35e682cf3f510e83c70a82a4aac888496dedee56773bf9d8e5e0aa81f9e1c960";
        const DEFINITION: &'static str = concat!(
            "int8 ERROR_NONE=0\nint8 ERROR_REJECTED=1\nint8 ERROR_UNKNOWN_GOAL_ID=2\nint8 ERROR_GOAL_TERMINATED=3\nint8 return_code\nGoalInfo[] goals_canceling\n",
            "================================================================================\nMSG: action_msgs/GoalInfo\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/action_msgs/msg/GoalInfo.msg")),
            "================================================================================\nMSG: unique_identifier_msgs/UUID\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/unique_identifier_msgs/msg/UUID.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// Service `action_msgs/srv/CancelGoal`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct CancelGoal;

    impl crate::Service for CancelGoal {
        type Request = CancelGoalRequest;
        type Response = CancelGoalResponse;
        const TYPE_NAME: &'static str = "action_msgs/srv/CancelGoal";
        const TYPE_HASH: &'static str =
            "RIHS01_573d8b0a534451d7bc2ac8c5ffde8ac14b8593b7001175d0cd6516dcbeb8689a";
    }
}
