// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `control_msgs`.

/// Messages of `control_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `control_msgs/msg/DynamicJointState`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct DynamicJointState {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// `control_msgs/msg/InterfaceValue[]`
        pub interface_values: Vec<crate::control_msgs::msg::InterfaceValue>,
    }

    impl crate::Message for DynamicJointState {
        const TYPE_NAME: &'static str = "control_msgs/msg/DynamicJointState";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::DynamicJointState_";
        const TYPE_HASH: &'static str =
            "RIHS01_18024c98a62697680f581108eeed40b28fb4542fa0ac5a8e36f56c62b6813d26";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/DynamicJointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: control_msgs/InterfaceValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/InterfaceValue.msg")),
        );
    }

    /// `control_msgs/msg/GripperCommand`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct GripperCommand {
        /// `float64`
        pub position: f64,
        /// `float64`
        pub max_effort: f64,
    }

    impl crate::Message for GripperCommand {
        const TYPE_NAME: &'static str = "control_msgs/msg/GripperCommand";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::GripperCommand_";
        const TYPE_HASH: &'static str =
            "RIHS01_57eb8f326c9889ca8bb34ead82cc94cc09bf6bc5c3b6c09546dca3a00b589890";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/GripperCommand.msg")),
        );
    }

    /// `control_msgs/msg/InterfaceValue`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct InterfaceValue {
        /// `string[]`
        pub interface_names: Vec<std::string::String>,
        /// `float64[]`
        pub values: Vec<f64>,
    }

    impl crate::Message for InterfaceValue {
        const TYPE_NAME: &'static str = "control_msgs/msg/InterfaceValue";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::InterfaceValue_";
        const TYPE_HASH: &'static str =
            "RIHS01_74a12144ef6b7af67533195cb30f7f607d3301b66950208a72d280695f3e190c";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/InterfaceValue.msg")),
        );
    }

    /// `control_msgs/msg/JointComponentTolerance`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct JointComponentTolerance {
        /// `string`
        pub joint_name: std::string::String,
        /// `uint16`
        pub component: u16,
        /// `float64`
        pub position: f64,
        /// `float64`
        pub velocity: f64,
        /// `float64`
        pub acceleration: f64,
    }

    impl JointComponentTolerance {
        /// `X_AXIS = 1`
        pub const X_AXIS: u16 = 1;
        /// `Y_AXIS = 2`
        pub const Y_AXIS: u16 = 2;
        /// `Z_AXIS = 3`
        pub const Z_AXIS: u16 = 3;
        /// `TRANSLATION = 4`
        pub const TRANSLATION: u16 = 4;
        /// `ROTATION = 5`
        pub const ROTATION: u16 = 5;
    }

    impl crate::Message for JointComponentTolerance {
        const TYPE_NAME: &'static str = "control_msgs/msg/JointComponentTolerance";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::JointComponentTolerance_";
        const TYPE_HASH: &'static str =
            "RIHS01_739ea7566931944d33830fa10f1bf5e7a7fbdc3172bce7a7eaac642bd6e3ffa4";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/JointComponentTolerance.msg")),
        );
    }

    /// `control_msgs/msg/JointJog`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct JointJog {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// `float64[]`
        pub displacements: Vec<f64>,
        /// `float64[]`
        pub velocities: Vec<f64>,
        /// `float64`
        pub duration: f64,
    }

    impl crate::Message for JointJog {
        const TYPE_NAME: &'static str = "control_msgs/msg/JointJog";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::JointJog_";
        const TYPE_HASH: &'static str =
            "RIHS01_ba249455a20f70168a1acb7bf43b776b72ff1f7eb5fc4cfea443f749e963c6e7";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/JointJog.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `control_msgs/msg/JointTolerance`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct JointTolerance {
        /// `string`
        pub name: std::string::String,
        /// `float64`
        pub position: f64,
        /// `float64`
        pub velocity: f64,
        /// `float64`
        pub acceleration: f64,
    }

    impl crate::Message for JointTolerance {
        const TYPE_NAME: &'static str = "control_msgs/msg/JointTolerance";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::JointTolerance_";
        const TYPE_HASH: &'static str =
            "RIHS01_c254f9cece0f3b733017b6990fd46d1326e25242d6b8844398c97d9a88e7d648";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/JointTolerance.msg")),
        );
    }

    /// `control_msgs/msg/JointTrajectoryControllerState`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct JointTrajectoryControllerState {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// `trajectory_msgs/msg/JointTrajectoryPoint`
        pub reference: crate::trajectory_msgs::msg::JointTrajectoryPoint,
        /// `trajectory_msgs/msg/JointTrajectoryPoint`
        pub feedback: crate::trajectory_msgs::msg::JointTrajectoryPoint,
        /// `trajectory_msgs/msg/JointTrajectoryPoint`
        pub error: crate::trajectory_msgs::msg::JointTrajectoryPoint,
        /// `trajectory_msgs/msg/JointTrajectoryPoint`
        pub output: crate::trajectory_msgs::msg::JointTrajectoryPoint,
        /// `string[]`
        pub multi_dof_joint_names: Vec<std::string::String>,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
        pub multi_dof_reference: crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
        pub multi_dof_feedback: crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
        pub multi_dof_error: crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
        pub multi_dof_output: crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint,
        /// `float64`
        pub speed_scaling_factor: f64,
    }

    impl crate::Message for JointTrajectoryControllerState {
        const TYPE_NAME: &'static str = "control_msgs/msg/JointTrajectoryControllerState";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::JointTrajectoryControllerState_";
        const TYPE_HASH: &'static str =
            "RIHS01_51d8dd89cc624cbe9daaeeb4d80d6de9b86168ffdc3be41fefc0953e3c26e480";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/JointTrajectoryControllerState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
            "================================================================================\nMSG: trajectory_msgs/MultiDOFJointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/MultiDOFJointTrajectoryPoint.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
        );
    }

    /// `control_msgs/msg/SpeedScalingFactor`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct SpeedScalingFactor {
        /// `float64`
        pub factor: f64,
    }

    impl crate::Message for SpeedScalingFactor {
        const TYPE_NAME: &'static str = "control_msgs/msg/SpeedScalingFactor";
        const DDS_TYPE_NAME: &'static str = "control_msgs::msg::dds_::SpeedScalingFactor_";
        const TYPE_HASH: &'static str =
            "RIHS01_0c240f349f2b74e33e8741f83e0f196ddeb6585923663876ed3c1f51f0566037";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/SpeedScalingFactor.msg")),
        );
    }
}

/// Services of `control_msgs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `control_msgs/srv/QueryTrajectoryState_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct QueryTrajectoryStateRequest {
        /// `builtin_interfaces/msg/Time`
        pub time: crate::builtin_interfaces::msg::Time,
    }

    impl crate::Message for QueryTrajectoryStateRequest {
        const TYPE_NAME: &'static str = "control_msgs/srv/QueryTrajectoryState_Request";
        const DDS_TYPE_NAME: &'static str = "control_msgs::srv::dds_::QueryTrajectoryState_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_ec3322824b7a1ee850e03ff951f48b10395cab62a5a5662da32000f8b06aa791";
        const DEFINITION: &'static str = concat!(
            "builtin_interfaces/Time time\n",
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `control_msgs/srv/QueryTrajectoryState_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct QueryTrajectoryStateResponse {
        /// `bool`
        pub success: bool,
        /// `string`
        pub message: std::string::String,
        /// `string[]`
        pub name: Vec<std::string::String>,
        /// `float64[]`
        pub position: Vec<f64>,
        /// `float64[]`
        pub velocity: Vec<f64>,
        /// `float64[]`
        pub acceleration: Vec<f64>,
    }

    impl crate::Message for QueryTrajectoryStateResponse {
        const TYPE_NAME: &'static str = "control_msgs/srv/QueryTrajectoryState_Response";
        const DDS_TYPE_NAME: &'static str = "control_msgs::srv::dds_::QueryTrajectoryState_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_f7b920129b8d5841312bcb89e6275508e19b3735a371b2df6e417447a44ea5db";
        const DEFINITION: &'static str = concat!(
            "bool success\nstring message\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] acceleration\n",
        );
    }

    /// Service `control_msgs/srv/QueryTrajectoryState`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct QueryTrajectoryState;

    impl crate::Service for QueryTrajectoryState {
        type Request = QueryTrajectoryStateRequest;
        type Response = QueryTrajectoryStateResponse;
        const TYPE_NAME: &'static str = "control_msgs/srv/QueryTrajectoryState";
        const TYPE_HASH: &'static str =
            "RIHS01_4a0935dffef18bc5b9e101c9d03d84e681ecd4cebd724b8f11fde008751a325a";
    }
}

/// Actions of `control_msgs`.
pub mod action {
    use serde::{Deserialize, Serialize};

    /// `control_msgs/action/FollowJointTrajectory_Goal`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct FollowJointTrajectoryGoal {
        /// `trajectory_msgs/msg/JointTrajectory`
        pub trajectory: crate::trajectory_msgs::msg::JointTrajectory,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectory`
        pub multi_dof_trajectory: crate::trajectory_msgs::msg::MultiDOFJointTrajectory,
        /// `control_msgs/msg/JointTolerance[]`
        pub path_tolerance: Vec<crate::control_msgs::msg::JointTolerance>,
        /// `control_msgs/msg/JointComponentTolerance[]`
        pub component_path_tolerance: Vec<crate::control_msgs::msg::JointComponentTolerance>,
        /// `control_msgs/msg/JointTolerance[]`
        pub goal_tolerance: Vec<crate::control_msgs::msg::JointTolerance>,
        /// `control_msgs/msg/JointComponentTolerance[]`
        pub component_goal_tolerance: Vec<crate::control_msgs::msg::JointComponentTolerance>,
        /// `builtin_interfaces/msg/Duration`
        pub goal_time_tolerance: crate::builtin_interfaces::msg::Duration,
    }

    impl crate::Message for FollowJointTrajectoryGoal {
        const TYPE_NAME: &'static str = "control_msgs/action/FollowJointTrajectory_Goal";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::FollowJointTrajectory_Goal_";
        const TYPE_HASH: &'static str =
            "RIHS01_8a9060704b269608f5a340934cc26e66869dd14bdac29e2e7fd9ec8b9882d205";
        const DEFINITION: &'static str = concat!(
            "trajectory_msgs/JointTrajectory trajectory\ntrajectory_msgs/MultiDOFJointTrajectory multi_dof_trajectory\nJointTolerance[] path_tolerance\nJointComponentTolerance[] component_path_tolerance\nJointTolerance[] goal_tolerance\nJointComponentTolerance[] component_goal_tolerance\nbuiltin_interfaces/Duration goal_time_tolerance\n",
            "================================================================================\nMSG: trajectory_msgs/JointTrajectory\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectory.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
            "================================================================================\nMSG: trajectory_msgs/MultiDOFJointTrajectory\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/MultiDOFJointTrajectory.msg")),
            "================================================================================\nMSG: trajectory_msgs/MultiDOFJointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/MultiDOFJointTrajectoryPoint.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: control_msgs/JointTolerance\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/JointTolerance.msg")),
            "================================================================================\nMSG: control_msgs/JointComponentTolerance\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/JointComponentTolerance.msg")),
        );
    }

    /// `control_msgs/action/FollowJointTrajectory_Result`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct FollowJointTrajectoryResult {
        /// `int32`
        pub error_code: i32,
        /// `string`
        pub error_string: std::string::String,
    }

    impl FollowJointTrajectoryResult {
        /// `SUCCESSFUL = 0`
        pub const SUCCESSFUL: i32 = 0;
        /// `INVALID_GOAL = -1`
        pub const INVALID_GOAL: i32 = -1;
        /// `INVALID_JOINTS = -2`
        pub const INVALID_JOINTS: i32 = -2;
        /// `OLD_HEADER_TIMESTAMP = -3`
        pub const OLD_HEADER_TIMESTAMP: i32 = -3;
        /// `PATH_TOLERANCE_VIOLATED = -4`
        pub const PATH_TOLERANCE_VIOLATED: i32 = -4;
        /// `GOAL_TOLERANCE_VIOLATED = -5`
        pub const GOAL_TOLERANCE_VIOLATED: i32 = -5;
    }

    impl crate::Message for FollowJointTrajectoryResult {
        const TYPE_NAME: &'static str = "control_msgs/action/FollowJointTrajectory_Result";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::FollowJointTrajectory_Result_";
        const TYPE_HASH: &'static str =
            "RIHS01_8002e99ed2c14c6faa522f2a93c26d744c5982f254f9e98ff9c6f19789bdb220";
        const DEFINITION: &'static str = concat!(
            "int32 error_code\nint32 SUCCESSFUL = 0\nint32 INVALID_GOAL = -1\nint32 INVALID_JOINTS = -2\nint32 OLD_HEADER_TIMESTAMP = -3\nint32 PATH_TOLERANCE_VIOLATED = -4\nint32 GOAL_TOLERANCE_VIOLATED = -5\nstring error_string\n",
        );
    }

    /// `control_msgs/action/FollowJointTrajectory_Feedback`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct FollowJointTrajectoryFeedback {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// `trajectory_msgs/msg/JointTrajectoryPoint`
        pub desired: crate::trajectory_msgs::msg::JointTrajectoryPoint,
        /// `trajectory_msgs/msg/JointTrajectoryPoint`
        pub actual: crate::trajectory_msgs::msg::JointTrajectoryPoint,
        /// `trajectory_msgs/msg/JointTrajectoryPoint`
        pub error: crate::trajectory_msgs::msg::JointTrajectoryPoint,
        /// `string[]`
        pub multi_dof_joint_names: Vec<std::string::String>,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
        pub multi_dof_desired: crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
        pub multi_dof_actual: crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
        pub multi_dof_error: crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint,
    }

    impl crate::Message for FollowJointTrajectoryFeedback {
        const TYPE_NAME: &'static str = "control_msgs/action/FollowJointTrajectory_Feedback";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::FollowJointTrajectory_Feedback_";
        const TYPE_HASH: &'static str =
            "RIHS01_3fd0aaecf71725121ae1ff7f01098a5e0da581e672be18a6b2c286cb43d96b49";
        const DEFINITION: &'static str = concat!(
            "std_msgs/Header header\nstring[] joint_names\ntrajectory_msgs/JointTrajectoryPoint desired\ntrajectory_msgs/JointTrajectoryPoint actual\ntrajectory_msgs/JointTrajectoryPoint error\nstring[] multi_dof_joint_names\ntrajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_desired\ntrajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_actual\ntrajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_error\n",
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
            "================================================================================\nMSG: trajectory_msgs/MultiDOFJointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/MultiDOFJointTrajectoryPoint.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
        );
    }

    /// Action `control_msgs/action/FollowJointTrajectory`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct FollowJointTrajectory;

    impl crate::Action for FollowJointTrajectory {
        type Goal = FollowJointTrajectoryGoal;
        type Result = FollowJointTrajectoryResult;
        type Feedback = FollowJointTrajectoryFeedback;
        const TYPE_NAME: &'static str = "control_msgs/action/FollowJointTrajectory";
        const TYPE_HASH: &'static str =
            "RIHS01_738ebcb7a2d7cfa42f9f1001cc99ce3a4383d1cfe508015d9be8485e4b1c66f6";
        const SEND_GOAL: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/FollowJointTrajectory_SendGoal",
            dds_type_name: "control_msgs::action::dds_::FollowJointTrajectory_SendGoal_",
            type_hash: "RIHS01_b13789dddc325a7a962825c45e28c77d37237ec129dd0c34dc5994562938c57f",
        };
        const SEND_GOAL_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/FollowJointTrajectory_SendGoal_Request",
            dds_type_name: "control_msgs::action::dds_::FollowJointTrajectory_SendGoal_Request_",
            type_hash: "RIHS01_179c93691f1f6d1d115881ff88c3917b7cc6eac2ba4bf56766cc7c4389e19ef1",
        };
        const SEND_GOAL_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/FollowJointTrajectory_SendGoal_Response",
            dds_type_name: "control_msgs::action::dds_::FollowJointTrajectory_SendGoal_Response_",
            type_hash: "RIHS01_e6a48ba740ae254500129a877f0b071be8663a115da1a539b74599cc97921fbf",
        };
        const GET_RESULT: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/FollowJointTrajectory_GetResult",
            dds_type_name: "control_msgs::action::dds_::FollowJointTrajectory_GetResult_",
            type_hash: "RIHS01_e3ceb38e3e1867c8dc0f46014df26e90eb93422f27e9e97f936e07f94be4bc8b",
        };
        const GET_RESULT_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/FollowJointTrajectory_GetResult_Request",
            dds_type_name: "control_msgs::action::dds_::FollowJointTrajectory_GetResult_Request_",
            type_hash: "RIHS01_ecf7ea8463d3beec7084bca75216d0b01b87b6e1e4e09679bb26093041efcbe9",
        };
        const GET_RESULT_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/FollowJointTrajectory_GetResult_Response",
            dds_type_name: "control_msgs::action::dds_::FollowJointTrajectory_GetResult_Response_",
            type_hash: "RIHS01_08eefbaa146ce02ba45898d5e99160afd6c4c54a30d159aee0f2ca6035b1580f",
        };
        const FEEDBACK_MESSAGE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/FollowJointTrajectory_FeedbackMessage",
            dds_type_name: "control_msgs::action::dds_::FollowJointTrajectory_FeedbackMessage_",
            type_hash: "RIHS01_80398fcb9674a79081a9906e2ccf0c804dd7cb15e22e362e606ee87186beab71",
        };
    }

    /// `control_msgs/action/GripperCommand_Goal`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct GripperCommandGoal {
        /// `control_msgs/msg/GripperCommand`
        pub command: crate::control_msgs::msg::GripperCommand,
    }

    impl crate::Message for GripperCommandGoal {
        const TYPE_NAME: &'static str = "control_msgs/action/GripperCommand_Goal";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::GripperCommand_Goal_";
        const TYPE_HASH: &'static str =
            "RIHS01_607d9f41eb241e1922e90f02125e87ae6bfb78f7f64a71dc92630263d01f8b6d";
        const DEFINITION: &'static str = concat!(
            "GripperCommand command\n",
            "================================================================================\nMSG: control_msgs/GripperCommand\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/control_msgs/msg/GripperCommand.msg")),
        );
    }

    /// `control_msgs/action/GripperCommand_Result`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct GripperCommandResult {
        /// `float64`
        pub position: f64,
        /// `float64`
        pub effort: f64,
        /// `bool`
        pub stalled: bool,
        /// `bool`
        pub reached_goal: bool,
    }

    impl crate::Message for GripperCommandResult {
        const TYPE_NAME: &'static str = "control_msgs/action/GripperCommand_Result";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::GripperCommand_Result_";
        const TYPE_HASH: &'static str =
            "RIHS01_bf512d5aa6a0e4fe4d8be22b2ec4a1973c3d250fa1f65e47450322c25c45c0a0";
        const DEFINITION: &'static str = concat!(
            "float64 position\nfloat64 effort\nbool stalled\nbool reached_goal\n",
        );
    }

    /// `control_msgs/action/GripperCommand_Feedback`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct GripperCommandFeedback {
        /// `float64`
        pub position: f64,
        /// `float64`
        pub effort: f64,
        /// `bool`
        pub stalled: bool,
        /// `bool`
        pub reached_goal: bool,
    }

    impl crate::Message for GripperCommandFeedback {
        const TYPE_NAME: &'static str = "control_msgs/action/GripperCommand_Feedback";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::GripperCommand_Feedback_";
        const TYPE_HASH: &'static str =
            "RIHS01_8f7c520077bab528bb9161ee3b83c81eee1f8aecadb8922ce82c79d667a819c4";
        const DEFINITION: &'static str = concat!(
            "float64 position\nfloat64 effort\nbool stalled\nbool reached_goal\n",
        );
    }

    /// Action `control_msgs/action/GripperCommand`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GripperCommand;

    impl crate::Action for GripperCommand {
        type Goal = GripperCommandGoal;
        type Result = GripperCommandResult;
        type Feedback = GripperCommandFeedback;
        const TYPE_NAME: &'static str = "control_msgs/action/GripperCommand";
        const TYPE_HASH: &'static str =
            "RIHS01_e17c0e644eccf14bea84a0a93e0977182872c2eb7873ca6694900059b46dbc84";
        const SEND_GOAL: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/GripperCommand_SendGoal",
            dds_type_name: "control_msgs::action::dds_::GripperCommand_SendGoal_",
            type_hash: "RIHS01_6bf8cc4ce80cd499e7dd3258c03c50c3fa6672b469ff8355339ef1df77fcd212",
        };
        const SEND_GOAL_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/GripperCommand_SendGoal_Request",
            dds_type_name: "control_msgs::action::dds_::GripperCommand_SendGoal_Request_",
            type_hash: "RIHS01_1b869b7b4042272dc0f8ed65468c4e57c9e532ea5e53ce74fda0767eefbfa983",
        };
        const SEND_GOAL_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/GripperCommand_SendGoal_Response",
            dds_type_name: "control_msgs::action::dds_::GripperCommand_SendGoal_Response_",
            type_hash: "RIHS01_0c8dda5e9d39ab5e3162b66e79b292a4258659ddfcf8722d39463f718b6c59bc",
        };
        const GET_RESULT: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/GripperCommand_GetResult",
            dds_type_name: "control_msgs::action::dds_::GripperCommand_GetResult_",
            type_hash: "RIHS01_7e60a7606063d4a2728d21badac099e68b734a196ac3ab42d1d4c668eb0bb3cd",
        };
        const GET_RESULT_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/GripperCommand_GetResult_Request",
            dds_type_name: "control_msgs::action::dds_::GripperCommand_GetResult_Request_",
            type_hash: "RIHS01_1a3308da3acbc62cd8a3c823de80ba9e5f9b6bb6f6056d1ad6b29f5f285f97ae",
        };
        const GET_RESULT_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/GripperCommand_GetResult_Response",
            dds_type_name: "control_msgs::action::dds_::GripperCommand_GetResult_Response_",
            type_hash: "RIHS01_32ed5e1b5906767a3e9914dca4c4aed22529918f6c2360e6fb382363d4df4b45",
        };
        const FEEDBACK_MESSAGE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/GripperCommand_FeedbackMessage",
            dds_type_name: "control_msgs::action::dds_::GripperCommand_FeedbackMessage_",
            type_hash: "RIHS01_392ff03fcd872f9dc2405cbeb2897fcf011ad9998458b6aa85c603b8a49e431d",
        };
    }

    /// `control_msgs/action/ParallelGripperCommand_Goal`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ParallelGripperCommandGoal {
        /// `sensor_msgs/msg/JointState`
        pub command: crate::sensor_msgs::msg::JointState,
    }

    impl crate::Message for ParallelGripperCommandGoal {
        const TYPE_NAME: &'static str = "control_msgs/action/ParallelGripperCommand_Goal";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::ParallelGripperCommand_Goal_";
        const TYPE_HASH: &'static str =
            "RIHS01_412807b6b6acf2bf406fb0cf3b5c8f84286cd4e4d425734155aa1ff41caa0063";
        const DEFINITION: &'static str = concat!(
            "sensor_msgs/JointState command\n",
            "================================================================================\nMSG: sensor_msgs/JointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/JointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `control_msgs/action/ParallelGripperCommand_Result`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ParallelGripperCommandResult {
        /// `sensor_msgs/msg/JointState`
        pub state: crate::sensor_msgs::msg::JointState,
        /// `bool`
        pub stalled: bool,
        /// `bool`
        pub reached_goal: bool,
    }

    impl crate::Message for ParallelGripperCommandResult {
        const TYPE_NAME: &'static str = "control_msgs/action/ParallelGripperCommand_Result";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::ParallelGripperCommand_Result_";
        const TYPE_HASH: &'static str =
            "RIHS01_51acbcd62aa44097d3877c506eab1146856fa8768628ffbe102c1699152d2afa";
        const DEFINITION: &'static str = concat!(
            "sensor_msgs/JointState state\nbool stalled\nbool reached_goal\n",
            "================================================================================\nMSG: sensor_msgs/JointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/JointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `control_msgs/action/ParallelGripperCommand_Feedback`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ParallelGripperCommandFeedback {
        /// `sensor_msgs/msg/JointState`
        pub state: crate::sensor_msgs::msg::JointState,
    }

    impl crate::Message for ParallelGripperCommandFeedback {
        const TYPE_NAME: &'static str = "control_msgs/action/ParallelGripperCommand_Feedback";
        const DDS_TYPE_NAME: &'static str = "control_msgs::action::dds_::ParallelGripperCommand_Feedback_";
        const TYPE_HASH: &'static str =
            "RIHS01_ed6f7c4e5aea7f960432663c0e762e001a0a1f5cc0130d126e60041412d0543c";
        const DEFINITION: &'static str = concat!(
            "sensor_msgs/JointState state\n",
            "================================================================================\nMSG: sensor_msgs/JointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/JointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// Action `control_msgs/action/ParallelGripperCommand`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ParallelGripperCommand;

    impl crate::Action for ParallelGripperCommand {
        type Goal = ParallelGripperCommandGoal;
        type Result = ParallelGripperCommandResult;
        type Feedback = ParallelGripperCommandFeedback;
        const TYPE_NAME: &'static str = "control_msgs/action/ParallelGripperCommand";
        const TYPE_HASH: &'static str =
            "RIHS01_adfd3c1ebe8abc38ebcc0e454b6423d291d4010dd5697d14eca5b9be4726ae18";
        const SEND_GOAL: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/ParallelGripperCommand_SendGoal",
            dds_type_name: "control_msgs::action::dds_::ParallelGripperCommand_SendGoal_",
            type_hash: "RIHS01_567c37373fed1260adbe047415688c73e4f3e94b2e3982761ecc71fd63d710a7",
        };
        const SEND_GOAL_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/ParallelGripperCommand_SendGoal_Request",
            dds_type_name: "control_msgs::action::dds_::ParallelGripperCommand_SendGoal_Request_",
            type_hash: "RIHS01_dc8e5d95c0e15af6f03ff237eb8cfdaac14cc2b09f51b363311e98ec0a8487a0",
        };
        const SEND_GOAL_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/ParallelGripperCommand_SendGoal_Response",
            dds_type_name: "control_msgs::action::dds_::ParallelGripperCommand_SendGoal_Response_",
            type_hash: "RIHS01_613e4f060bff03b152eeaba1f8c6baa9d0309527b28b08bc9aae28ece7ef8b47",
        };
        const GET_RESULT: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/ParallelGripperCommand_GetResult",
            dds_type_name: "control_msgs::action::dds_::ParallelGripperCommand_GetResult_",
            type_hash: "RIHS01_e4c7f0e8a831ce5625ed20abcd13796406d945f92ebc7ad5972e0b0d29b381bd",
        };
        const GET_RESULT_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/ParallelGripperCommand_GetResult_Request",
            dds_type_name: "control_msgs::action::dds_::ParallelGripperCommand_GetResult_Request_",
            type_hash: "RIHS01_cea82415cadc3288fdfa8aaba509e9939732aaecac6edf9cb954e5a7161646ec",
        };
        const GET_RESULT_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/ParallelGripperCommand_GetResult_Response",
            dds_type_name: "control_msgs::action::dds_::ParallelGripperCommand_GetResult_Response_",
            type_hash: "RIHS01_c973b1bb9b454de1c3f38a2af9d45bc1930b809f746d6d6ec91bb3c783cb09eb",
        };
        const FEEDBACK_MESSAGE: crate::TypeInfo = crate::TypeInfo {
            type_name: "control_msgs/action/ParallelGripperCommand_FeedbackMessage",
            dds_type_name: "control_msgs::action::dds_::ParallelGripperCommand_FeedbackMessage_",
            type_hash: "RIHS01_c61f4cf99d06c5a3e24bed17c2910bdf66a30d89461e2ac7b5fd538a34b022cc",
        };
    }
}
