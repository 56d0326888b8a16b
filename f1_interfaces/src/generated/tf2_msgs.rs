// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `tf2_msgs`.

/// Messages of `tf2_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `tf2_msgs/msg/TF2Error`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct TF2Error {
        /// `uint8`
        pub error: u8,
        /// `string`
        pub error_string: std::string::String,
    }

    impl TF2Error {
        /// `NO_ERROR = 0`
        pub const NO_ERROR: u8 = 0;
        /// `LOOKUP_ERROR = 1`
        pub const LOOKUP_ERROR: u8 = 1;
        /// `CONNECTIVITY_ERROR = 2`
        pub const CONNECTIVITY_ERROR: u8 = 2;
        /// `EXTRAPOLATION_ERROR = 3`
        pub const EXTRAPOLATION_ERROR: u8 = 3;
        /// `INVALID_ARGUMENT_ERROR = 4`
        pub const INVALID_ARGUMENT_ERROR: u8 = 4;
        /// `TIMEOUT_ERROR = 5`
        pub const TIMEOUT_ERROR: u8 = 5;
        /// `TRANSFORM_ERROR = 6`
        pub const TRANSFORM_ERROR: u8 = 6;
    }

    impl crate::Message for TF2Error {
        const TYPE_NAME: &'static str = "tf2_msgs/msg/TF2Error";
        const DDS_TYPE_NAME: &'static str = "tf2_msgs::msg::dds_::TF2Error_";
        const TYPE_HASH: &'static str =
            "RIHS01_db2485e7d6a0ec75bf087e058ee45df682acc3a621ca7780503d10aac141809a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/tf2_msgs/msg/TF2Error.msg")),
        );
    }

    /// `tf2_msgs/msg/TFMessage`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct TFMessage {
        /// `geometry_msgs/msg/TransformStamped[]`
        pub transforms: Vec<crate::geometry_msgs::msg::TransformStamped>,
    }

    impl crate::Message for TFMessage {
        const TYPE_NAME: &'static str = "tf2_msgs/msg/TFMessage";
        const DDS_TYPE_NAME: &'static str = "tf2_msgs::msg::dds_::TFMessage_";
        const TYPE_HASH: &'static str =
            "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/tf2_msgs/msg/TFMessage.msg")),
            "================================================================================\nMSG: geometry_msgs/TransformStamped\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TransformStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }
}

/// Services of `tf2_msgs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `tf2_msgs/srv/FrameGraph_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct FrameGraphRequest {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for FrameGraphRequest {
        const TYPE_NAME: &'static str = "tf2_msgs/srv/FrameGraph_Request";
        const DDS_TYPE_NAME: &'static str = "tf2_msgs::srv::dds_::FrameGraph_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_4cc565da6b64726d0b0be1ce20f3a3a695679b841a79abfca2fcdc94f562b08d";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// `tf2_msgs/srv/FrameGraph_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct FrameGraphResponse {
        /// `string`
        pub frame_yaml: std::string::String,
    }

    impl crate::Message for FrameGraphResponse {
        const TYPE_NAME: &'static str = "tf2_msgs/srv/FrameGraph_Response";
        const DDS_TYPE_NAME: &'static str = "tf2_msgs::srv::dds_::FrameGraph_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_e33d5473ce0fac04c66203779f2b719a9de0f8388b248852d3a47a019e62e36d";
        const DEFINITION: &'static str = concat!(
            "string frame_yaml\n",
        );
    }

    /// Service `tf2_msgs/srv/FrameGraph`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct FrameGraph;

    impl crate::Service for FrameGraph {
        type Request = FrameGraphRequest;
        type Response = FrameGraphResponse;
        const TYPE_NAME: &'static str = "tf2_msgs/srv/FrameGraph";
        const TYPE_HASH: &'static str =
            "RIHS01_0d1fbc6222c018ba5f33822904a2fdd4063705289956d3fdde07cd8c50fe8067";
    }
}

/// Actions of `tf2_msgs`.
pub mod action {
    use serde::{Deserialize, Serialize};

    /// `tf2_msgs/action/LookupTransform_Goal`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct LookupTransformGoal {
        /// `string`
        pub target_frame: std::string::String,
        /// `string`
        pub source_frame: std::string::String,
        /// `builtin_interfaces/msg/Time`
        pub source_time: crate::builtin_interfaces::msg::Time,
        /// `builtin_interfaces/msg/Duration`
        pub timeout: crate::builtin_interfaces::msg::Duration,
        /// `builtin_interfaces/msg/Time`
        pub target_time: crate::builtin_interfaces::msg::Time,
        /// `string`
        pub fixed_frame: std::string::String,
        /// `bool`
        pub advanced: bool,
    }

    impl crate::Message for LookupTransformGoal {
        const TYPE_NAME: &'static str = "tf2_msgs/action/LookupTransform_Goal";
        const DDS_TYPE_NAME: &'static str = "tf2_msgs::action::dds_::LookupTransform_Goal_";
        const TYPE_HASH: &'static str =
            "RIHS01_815efc294ad17c813c6043cdde781ff55810d49da02ed07f9237dcd20e88d498";
        const DEFINITION: &'static str = concat!(
            "string target_frame\nstring source_frame\nbuiltin_interfaces/Time source_time\nbuiltin_interfaces/Duration timeout\nbuiltin_interfaces/Time target_time\nstring fixed_frame\nbool advanced\n",
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `tf2_msgs/action/LookupTransform_Result`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct LookupTransformResult {
        /// `geometry_msgs/msg/TransformStamped`
        pub transform: crate::geometry_msgs::msg::TransformStamped,
        /// `tf2_msgs/msg/TF2Error`
        pub error: crate::tf2_msgs::msg::TF2Error,
    }

    impl crate::Message for LookupTransformResult {
        const TYPE_NAME: &'static str = "tf2_msgs/action/LookupTransform_Result";
        const DDS_TYPE_NAME: &'static str = "tf2_msgs::action::dds_::LookupTransform_Result_";
        const TYPE_HASH: &'static str =
            "RIHS01_061d4423af5352ff5314c8effef8faab133991a78f1b2bcd1fecabad80871225";
        const DEFINITION: &'static str = concat!(
            "geometry_msgs/TransformStamped transform\ntf2_msgs/TF2Error error\n",
            "================================================================================\nMSG: geometry_msgs/TransformStamped\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TransformStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: tf2_msgs/TF2Error\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/tf2_msgs/msg/TF2Error.msg")),
        );
    }

    /// `tf2_msgs/action/LookupTransform_Feedback`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct LookupTransformFeedback {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for LookupTransformFeedback {
        const TYPE_NAME: &'static str = "tf2_msgs/action/LookupTransform_Feedback";
        const DDS_TYPE_NAME: &'static str = "tf2_msgs::action::dds_::LookupTransform_Feedback_";
        const TYPE_HASH: &'static str =
            "RIHS01_2da0b02f990f04404ab8c98a2a68cf5bbc773ae747f96911f2d55499cfb51542";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// Action `tf2_msgs/action/LookupTransform`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct LookupTransform;

    impl crate::Action for LookupTransform {
        type Goal = LookupTransformGoal;
        type Result = LookupTransformResult;
        type Feedback = LookupTransformFeedback;
        const TYPE_NAME: &'static str = "tf2_msgs/action/LookupTransform";
        const TYPE_HASH: &'static str =
            "RIHS01_0b8adf6bc0b5958879e3265b41a457e03558fe523890a81252c70eba97a82c5d";
        const SEND_GOAL: crate::TypeInfo = crate::TypeInfo {
            type_name: "tf2_msgs/action/LookupTransform_SendGoal",
            dds_type_name: "tf2_msgs::action::dds_::LookupTransform_SendGoal_",
            type_hash: "RIHS01_4646ff5706c86b04d0a1098d329951a9731a7517e16702905de6073cc72c8530",
        };
        const SEND_GOAL_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "tf2_msgs/action/LookupTransform_SendGoal_Request",
            dds_type_name: "tf2_msgs::action::dds_::LookupTransform_SendGoal_Request_",
            type_hash: "RIHS01_eb1312eb7aab35e35c71bb87c2ba3a94747c5a6544ea32bb2b32b0f75775b8ca",
        };
        const SEND_GOAL_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "tf2_msgs/action/LookupTransform_SendGoal_Response",
            dds_type_name: "tf2_msgs::action::dds_::LookupTransform_SendGoal_Response_",
            type_hash: "RIHS01_c1ada93304793c08813657255e7bde2e40e2114aa634b702c3f8d4b72ae098bc",
        };
        const GET_RESULT: crate::TypeInfo = crate::TypeInfo {
            type_name: "tf2_msgs/action/LookupTransform_GetResult",
            dds_type_name: "tf2_msgs::action::dds_::LookupTransform_GetResult_",
            type_hash: "RIHS01_3cd1715751899e3167b5aec3e4ac194f7da9e8493a77285f9f6a4c914f5e8b24",
        };
        const GET_RESULT_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "tf2_msgs/action/LookupTransform_GetResult_Request",
            dds_type_name: "tf2_msgs::action::dds_::LookupTransform_GetResult_Request_",
            type_hash: "RIHS01_148f9bdc01f98922d6fb2072cb64468b89c57c7825d9d83b932c183deaa4697d",
        };
        const GET_RESULT_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "tf2_msgs/action/LookupTransform_GetResult_Response",
            dds_type_name: "tf2_msgs::action::dds_::LookupTransform_GetResult_Response_",
            type_hash: "RIHS01_954de3efc36b164c4d21116abdbdcc52746e454fd9c169b55d9cfd89e83d299d",
        };
        const FEEDBACK_MESSAGE: crate::TypeInfo = crate::TypeInfo {
            type_name: "tf2_msgs/action/LookupTransform_FeedbackMessage",
            dds_type_name: "tf2_msgs::action::dds_::LookupTransform_FeedbackMessage_",
            type_hash: "RIHS01_10cb89922dcb103e95c185d43e8a5efa3d38db996f733151a2f3e2ac133f4839",
        };
    }
}
