// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `rcl_interfaces`.

/// Messages of `rcl_interfaces`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `rcl_interfaces/msg/FloatingPointRange`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct FloatingPointRange {
        /// `float64`
        pub from_value: f64,
        /// `float64`
        pub to_value: f64,
        /// `float64`
        pub step: f64,
    }

    impl crate::Message for FloatingPointRange {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/FloatingPointRange";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::FloatingPointRange_";
        const TYPE_HASH: &'static str =
            "RIHS01_e6af23a23c177fee5f3075c8b1e435162a9b63c863d78c06017460b49684262d";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/FloatingPointRange.msg")),
        );
    }

    /// `rcl_interfaces/msg/IntegerRange`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct IntegerRange {
        /// `int64`
        pub from_value: i64,
        /// `int64`
        pub to_value: i64,
        /// `uint64`
        pub step: u64,
    }

    impl crate::Message for IntegerRange {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/IntegerRange";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::IntegerRange_";
        const TYPE_HASH: &'static str =
            "RIHS01_f7b7fdc0f65f07702e099218e13288c3963bcb9345bde78b560e6cd19800fc5a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/IntegerRange.msg")),
        );
    }

    /// `rcl_interfaces/msg/ListParametersResult`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ListParametersResult {
        /// `string[]`
        pub names: Vec<std::string::String>,
        /// `string[]`
        pub prefixes: Vec<std::string::String>,
    }

    impl crate::Message for ListParametersResult {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/ListParametersResult";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::ListParametersResult_";
        const TYPE_HASH: &'static str =
            "RIHS01_237ae3428413dcbcfb452b510c42355f3a2b021dc091afa3e18526d57022f1cd";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ListParametersResult.msg")),
        );
    }

    /// `rcl_interfaces/msg/Log`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct Log {
        /// `builtin_interfaces/msg/Time`
        pub stamp: crate::builtin_interfaces::msg::Time,
        /// `uint8`
        pub level: u8,
        /// `string`
        pub name: std::string::String,
        /// `string`
        pub msg: std::string::String,
        /// `string`
        pub file: std::string::String,
        /// `string`
        pub function: std::string::String,
        /// `uint32`
        pub line: u32,
    }

    impl Log {
        /// `DEBUG = 10`
        pub const DEBUG: u8 = 10;
        /// `INFO = 20`
        pub const INFO: u8 = 20;
        /// `WARN = 30`
        pub const WARN: u8 = 30;
        /// `ERROR = 40`
        pub const ERROR: u8 = 40;
        /// `FATAL = 50`
        pub const FATAL: u8 = 50;
    }

    impl crate::Message for Log {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/Log";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::Log_";
        const TYPE_HASH: &'static str =
            "RIHS01_e28ce254ca8abc06abf92773b74602cdbf116ed34fbaf294fb9f81da9f318eac";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/Log.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `rcl_interfaces/msg/LoggerLevel`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct LoggerLevel {
        /// `string`
        pub name: std::string::String,
        /// `uint32`
        pub level: u32,
    }

    impl LoggerLevel {
        /// `LOG_LEVEL_UNKNOWN = 0`
        pub const LOG_LEVEL_UNKNOWN: u8 = 0;
        /// `LOG_LEVEL_DEBUG = 10`
        pub const LOG_LEVEL_DEBUG: u8 = 10;
        /// `LOG_LEVEL_INFO = 20`
        pub const LOG_LEVEL_INFO: u8 = 20;
        /// `LOG_LEVEL_WARN = 30`
        pub const LOG_LEVEL_WARN: u8 = 30;
        /// `LOG_LEVEL_ERROR = 40`
        pub const LOG_LEVEL_ERROR: u8 = 40;
        /// `LOG_LEVEL_FATAL = 50`
        pub const LOG_LEVEL_FATAL: u8 = 50;
    }

    impl crate::Message for LoggerLevel {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/LoggerLevel";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::LoggerLevel_";
        const TYPE_HASH: &'static str =
            "RIHS01_95785cc42f048ab4f395af65035aeaf2181d8e1c7a44edb8ad4558445fdb43c0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/LoggerLevel.msg")),
        );
    }

    /// `rcl_interfaces/msg/Parameter`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Parameter {
        /// `string`
        pub name: std::string::String,
        /// `rcl_interfaces/msg/ParameterValue`
        pub value: crate::rcl_interfaces::msg::ParameterValue,
    }

    impl crate::Message for Parameter {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/Parameter";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::Parameter_";
        const TYPE_HASH: &'static str =
            "RIHS01_ddfe6442cffc462317adb5c92536a7b6dd55858c5c3e1e328165a6b73c2831af";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/Parameter.msg")),
            "================================================================================\nMSG: rcl_interfaces/ParameterValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterValue.msg")),
        );
    }

    /// `rcl_interfaces/msg/ParameterDescriptor`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ParameterDescriptor {
        /// `string`
        pub name: std::string::String,
        /// `uint8`
        pub r#type: u8,
        /// `string`
        pub description: std::string::String,
        /// `string`
        pub additional_constraints: std::string::String,
        /// `bool`, default `false`
        pub read_only: bool,
        /// `bool`, default `false`
        pub dynamic_typing: bool,
        /// `rcl_interfaces/msg/FloatingPointRange[<=1]`
        #[serde(serialize_with = "crate::bounded::sequence::serialize::<_, 1, _>", deserialize_with = "crate::bounded::sequence::deserialize::<_, 1, _>")]
        pub floating_point_range: Vec<crate::rcl_interfaces::msg::FloatingPointRange>,
        /// `rcl_interfaces/msg/IntegerRange[<=1]`
        #[serde(serialize_with = "crate::bounded::sequence::serialize::<_, 1, _>", deserialize_with = "crate::bounded::sequence::deserialize::<_, 1, _>")]
        pub integer_range: Vec<crate::rcl_interfaces::msg::IntegerRange>,
    }

    impl Default for ParameterDescriptor {
        fn default() -> Self {
            Self {
                name: Default::default(),
                r#type: Default::default(),
                description: Default::default(),
                additional_constraints: Default::default(),
                read_only: false,
                dynamic_typing: false,
                floating_point_range: Default::default(),
                integer_range: Default::default(),
            }
        }
    }

    impl crate::Message for ParameterDescriptor {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/ParameterDescriptor";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::ParameterDescriptor_";
        const TYPE_HASH: &'static str =
            "RIHS01_52175dbfda6c51153101d33d2a9da05743f66f02d5ab2ca9ec4709b46b73d704";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterDescriptor.msg")),
            "================================================================================\nMSG: rcl_interfaces/FloatingPointRange\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/FloatingPointRange.msg")),
            "================================================================================\nMSG: rcl_interfaces/IntegerRange\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/IntegerRange.msg")),
        );
    }

    /// `rcl_interfaces/msg/ParameterEvent`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ParameterEvent {
        /// `builtin_interfaces/msg/Time`
        pub stamp: crate::builtin_interfaces::msg::Time,
        /// `string`
        pub node: std::string::String,
        /// `rcl_interfaces/msg/Parameter[]`
        pub new_parameters: Vec<crate::rcl_interfaces::msg::Parameter>,
        /// `rcl_interfaces/msg/Parameter[]`
        pub changed_parameters: Vec<crate::rcl_interfaces::msg::Parameter>,
        /// `rcl_interfaces/msg/Parameter[]`
        pub deleted_parameters: Vec<crate::rcl_interfaces::msg::Parameter>,
    }

    impl crate::Message for ParameterEvent {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/ParameterEvent";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::ParameterEvent_";
        const TYPE_HASH: &'static str =
            "RIHS01_043e627780fcad87a22d225bc2a037361dba713fca6a6b9f4b869a5aa0393204";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterEvent.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: rcl_interfaces/Parameter\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/Parameter.msg")),
            "================================================================================\nMSG: rcl_interfaces/ParameterValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterValue.msg")),
        );
    }

    /// `rcl_interfaces/msg/ParameterEventDescriptors`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ParameterEventDescriptors {
        /// `rcl_interfaces/msg/ParameterDescriptor[]`
        pub new_parameters: Vec<crate::rcl_interfaces::msg::ParameterDescriptor>,
        /// `rcl_interfaces/msg/ParameterDescriptor[]`
        pub changed_parameters: Vec<crate::rcl_interfaces::msg::ParameterDescriptor>,
        /// `rcl_interfaces/msg/ParameterDescriptor[]`
        pub deleted_parameters: Vec<crate::rcl_interfaces::msg::ParameterDescriptor>,
    }

    impl crate::Message for ParameterEventDescriptors {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/ParameterEventDescriptors";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::ParameterEventDescriptors_";
        const TYPE_HASH: &'static str =
            "RIHS01_456f90915d72ef69379e702ef3ba2a115098ff677eab9c0080fa11239c6b147e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterEventDescriptors.msg")),
            "================================================================================\nMSG: rcl_interfaces/ParameterDescriptor\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterDescriptor.msg")),
            "================================================================================\nMSG: rcl_interfaces/FloatingPointRange\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/FloatingPointRange.msg")),
            "================================================================================\nMSG: rcl_interfaces/IntegerRange\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/IntegerRange.msg")),
        );
    }

    /// `rcl_interfaces/msg/ParameterType`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct ParameterType {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl ParameterType {
        /// `PARAMETER_NOT_SET = 0`
        pub const PARAMETER_NOT_SET: u8 = 0;
        /// `PARAMETER_BOOL = 1`
        pub const PARAMETER_BOOL: u8 = 1;
        /// `PARAMETER_INTEGER = 2`
        pub const PARAMETER_INTEGER: u8 = 2;
        /// `PARAMETER_DOUBLE = 3`
        pub const PARAMETER_DOUBLE: u8 = 3;
        /// `PARAMETER_STRING = 4`
        pub const PARAMETER_STRING: u8 = 4;
        /// `PARAMETER_BYTE_ARRAY = 5`
        pub const PARAMETER_BYTE_ARRAY: u8 = 5;
        /// `PARAMETER_BOOL_ARRAY = 6`
        pub const PARAMETER_BOOL_ARRAY: u8 = 6;
        /// `PARAMETER_INTEGER_ARRAY = 7`
        pub const PARAMETER_INTEGER_ARRAY: u8 = 7;
        /// `PARAMETER_DOUBLE_ARRAY = 8`
        pub const PARAMETER_DOUBLE_ARRAY: u8 = 8;
        /// `PARAMETER_STRING_ARRAY = 9`
        pub const PARAMETER_STRING_ARRAY: u8 = 9;
    }

    impl crate::Message for ParameterType {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/ParameterType";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::ParameterType_";
        const TYPE_HASH: &'static str =
            "RIHS01_df29ed057a834862187be24dd187d981790ff3ea6502f4cd27b432cbc42c6d46";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterType.msg")),
        );
    }

    /// `rcl_interfaces/msg/ParameterValue`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ParameterValue {
        /// `uint8`
        pub r#type: u8,
        /// `bool`
        pub bool_value: bool,
        /// `int64`
        pub integer_value: i64,
        /// `float64`
        pub double_value: f64,
        /// `string`
        pub string_value: std::string::String,
        /// `byte[]`
        #[serde(with = "serde_bytes")]
        pub byte_array_value: Vec<u8>,
        /// `bool[]`
        pub bool_array_value: Vec<bool>,
        /// `int64[]`
        pub integer_array_value: Vec<i64>,
        /// `float64[]`
        pub double_array_value: Vec<f64>,
        /// `string[]`
        pub string_array_value: Vec<std::string::String>,
    }

    impl crate::Message for ParameterValue {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/ParameterValue";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::ParameterValue_";
        const TYPE_HASH: &'static str =
            "RIHS01_115fc089a387e23c7ecd3525c9189c379109119d6ab82e8dfbde0fdf6a7f9b68";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterValue.msg")),
        );
    }

    /// `rcl_interfaces/msg/SetLoggerLevelsResult`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetLoggerLevelsResult {
        /// `bool`
        pub successful: bool,
        /// `string`
        pub reason: std::string::String,
    }

    impl crate::Message for SetLoggerLevelsResult {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/SetLoggerLevelsResult";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::SetLoggerLevelsResult_";
        const TYPE_HASH: &'static str =
            "RIHS01_9316e5e679a5b72d2dd7fd80c539bae9e106fa0890a06dc5da3a8177a3ff6909";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/SetLoggerLevelsResult.msg")),
        );
    }

    /// `rcl_interfaces/msg/SetParametersResult`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetParametersResult {
        /// `bool`
        pub successful: bool,
        /// `string`
        pub reason: std::string::String,
    }

    impl crate::Message for SetParametersResult {
        const TYPE_NAME: &'static str = "rcl_interfaces/msg/SetParametersResult";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::msg::dds_::SetParametersResult_";
        const TYPE_HASH: &'static str =
            "RIHS01_cfcc0fb0371ee5159b403960ef4300f8f9d2f1fd6117c8666b7f9654d528a9b1";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/SetParametersResult.msg")),
        );
    }
}

/// Services of `rcl_interfaces`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `rcl_interfaces/srv/DescribeParameters_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct DescribeParametersRequest {
        /// `string[]`
        pub names: Vec<std::string::String>,
    }

    impl crate::Message for DescribeParametersRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/DescribeParameters_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::DescribeParameters_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_05dd1c2bc87dec2627105c8070d6f9725c781a4f2ab852975bf105462b82b644";
        const DEFINITION: &'static str = concat!(
            "string[] names\n",
        );
    }

    /// `rcl_interfaces/srv/DescribeParameters_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct DescribeParametersResponse {
        /// `rcl_interfaces/msg/ParameterDescriptor[]`
        pub descriptors: Vec<crate::rcl_interfaces::msg::ParameterDescriptor>,
    }

    impl crate::Message for DescribeParametersResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/DescribeParameters_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::DescribeParameters_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_ad6747319613c6131589e062e095b469a46cc764f7d0f12a001a49e6cd893995";
        const DEFINITION: &'static str = concat!(
            "ParameterDescriptor[] descriptors\n",
            "================================================================================\nMSG: rcl_interfaces/ParameterDescriptor\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterDescriptor.msg")),
            "================================================================================\nMSG: rcl_interfaces/FloatingPointRange\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/FloatingPointRange.msg")),
            "================================================================================\nMSG: rcl_interfaces/IntegerRange\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/IntegerRange.msg")),
        );
    }

    /// Service `rcl_interfaces/srv/DescribeParameters`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct DescribeParameters;

    impl crate::Service for DescribeParameters {
        type Request = DescribeParametersRequest;
        type Response = DescribeParametersResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/DescribeParameters";
        const TYPE_HASH: &'static str =
            "RIHS01_845b484d71eb0673dae682f2e3ba3c4851a65a3dcfb97bddd82c5b57e91e4cff";
    }

    /// `rcl_interfaces/srv/GetLoggerLevels_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetLoggerLevelsRequest {
        /// `string[]`
        pub names: Vec<std::string::String>,
    }

    impl crate::Message for GetLoggerLevelsRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetLoggerLevels_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::GetLoggerLevels_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_490ace424a5f5b14cb4e1e95030d7fe366d8df0fd9fe4d03b44d6009504fd2cc";
        const DEFINITION: &'static str = concat!(
            "string[] names\n",
        );
    }

    /// `rcl_interfaces/srv/GetLoggerLevels_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetLoggerLevelsResponse {
        /// `rcl_interfaces/msg/LoggerLevel[]`
        pub levels: Vec<crate::rcl_interfaces::msg::LoggerLevel>,
    }

    impl crate::Message for GetLoggerLevelsResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetLoggerLevels_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::GetLoggerLevels_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_228685d350911d213047abe756f5bf566d2f76b359c4e9fac16e5ef652aff910";
        const DEFINITION: &'static str = concat!(
            "LoggerLevel[] levels\n",
            "================================================================================\nMSG: rcl_interfaces/LoggerLevel\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/LoggerLevel.msg")),
        );
    }

    /// Service `rcl_interfaces/srv/GetLoggerLevels`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetLoggerLevels;

    impl crate::Service for GetLoggerLevels {
        type Request = GetLoggerLevelsRequest;
        type Response = GetLoggerLevelsResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetLoggerLevels";
        const TYPE_HASH: &'static str =
            "RIHS01_03bf1bebd0d6514c7ed0ba7c5e08dc9f2f39c759fe99e1e30ea4157d7674f72d";
    }

    /// `rcl_interfaces/srv/GetParameterTypes_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetParameterTypesRequest {
        /// `string[]`
        pub names: Vec<std::string::String>,
    }

    impl crate::Message for GetParameterTypesRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameterTypes_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::GetParameterTypes_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_87d7ec5ef545d4daa289d500025d31fb2437bc8b8365ca367161c4dac4be33fd";
        const DEFINITION: &'static str = concat!(
            "string[] names\n",
        );
    }

    /// `rcl_interfaces/srv/GetParameterTypes_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetParameterTypesResponse {
        /// `uint8[]`
        #[serde(with = "serde_bytes")]
        pub types: Vec<u8>,
    }

    impl crate::Message for GetParameterTypesResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameterTypes_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::GetParameterTypes_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_ac1335dce67c478e669434f6ac2fbff34fcd529580f272d3006785ba8b54e47f";
        const DEFINITION: &'static str = concat!(
            "uint8[] types\n",
        );
    }

    /// Service `rcl_interfaces/srv/GetParameterTypes`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetParameterTypes;

    impl crate::Service for GetParameterTypes {
        type Request = GetParameterTypesRequest;
        type Response = GetParameterTypesResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameterTypes";
        const TYPE_HASH: &'static str =
            "RIHS01_da199c878688b3e530bdfe3ca8f74cb9fa0c303101e980a9e8f260e25e1c80ca";
    }

    /// `rcl_interfaces/srv/GetParameters_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetParametersRequest {
        /// `string[]`
        pub names: Vec<std::string::String>,
    }

    impl crate::Message for GetParametersRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameters_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::GetParameters_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_135a9e1c3d7cebef792f6687d7ddf99949b21a0bd9a320d863a9110a3f5cf4d6";
        const DEFINITION: &'static str = concat!(
            "string[] names\n",
        );
    }

    /// `rcl_interfaces/srv/GetParameters_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct GetParametersResponse {
        /// `rcl_interfaces/msg/ParameterValue[]`
        pub values: Vec<crate::rcl_interfaces::msg::ParameterValue>,
    }

    impl crate::Message for GetParametersResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameters_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::GetParameters_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_9fa773b46e39cc5d02db6224d8fd520bb9caeeffc2b27c96c1e59431baba9f2a";
        const DEFINITION: &'static str = concat!(
            "ParameterValue[] values\n",
            "================================================================================\nMSG: rcl_interfaces/ParameterValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterValue.msg")),
        );
    }

    /// Service `rcl_interfaces/srv/GetParameters`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetParameters;

    impl crate::Service for GetParameters {
        type Request = GetParametersRequest;
        type Response = GetParametersResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameters";
        const TYPE_HASH: &'static str =
            "RIHS01_bf9803d5c74cf989a5de3e0c2e99444599a627c7ff75f97b8c05b01003675cbc";
    }

    /// `rcl_interfaces/srv/ListParameters_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ListParametersRequest {
        /// `string[]`
        pub prefixes: Vec<std::string::String>,
        /// `uint64`
        pub depth: u64,
    }

    impl ListParametersRequest {
        /// `DEPTH_RECURSIVE = 0`
        pub const DEPTH_RECURSIVE: u64 = 0;
    }

    impl crate::Message for ListParametersRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/ListParameters_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::ListParameters_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_a1b0b5d6b967a5b8ac5bc8563c3ea678f349e312a6a4967227c5a96bc5ce38df";
        const DEFINITION: &'static str = concat!(
            "uint64 DEPTH_RECURSIVE=0\nstring[] prefixes\nuint64 depth\n",
        );
    }

    /// `rcl_interfaces/srv/ListParameters_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ListParametersResponse {
        /// `rcl_interfaces/msg/ListParametersResult`
        pub result: crate::rcl_interfaces::msg::ListParametersResult,
    }

    impl crate::Message for ListParametersResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/ListParameters_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::ListParameters_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_31b937b82de3612426be79f231e386259f97e8dc843e3f2845288b4bfa296bdd";
        const DEFINITION: &'static str = concat!(
            "ListParametersResult result\n",
            "================================================================================\nMSG: rcl_interfaces/ListParametersResult\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ListParametersResult.msg")),
        );
    }

    /// Service `rcl_interfaces/srv/ListParameters`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ListParameters;

    impl crate::Service for ListParameters {
        type Request = ListParametersRequest;
        type Response = ListParametersResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/ListParameters";
        const TYPE_HASH: &'static str =
            "RIHS01_3e6062bfbb27bfb8730d4cef2558221f51a11646d78e7bb30a1e83afac3aad9d";
    }

    /// `rcl_interfaces/srv/SetLoggerLevels_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetLoggerLevelsRequest {
        /// `rcl_interfaces/msg/LoggerLevel[]`
        pub levels: Vec<crate::rcl_interfaces::msg::LoggerLevel>,
    }

    impl crate::Message for SetLoggerLevelsRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetLoggerLevels_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::SetLoggerLevels_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_4e7768e0f4c749205f35bc05449f83fad18c42de52c16b1934d66c2f68ffd862";
        const DEFINITION: &'static str = concat!(
            "LoggerLevel[] levels\n",
            "================================================================================\nMSG: rcl_interfaces/LoggerLevel\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/LoggerLevel.msg")),
        );
    }

    /// `rcl_interfaces/srv/SetLoggerLevels_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetLoggerLevelsResponse {
        /// `rcl_interfaces/msg/SetLoggerLevelsResult[]`
        pub results: Vec<crate::rcl_interfaces::msg::SetLoggerLevelsResult>,
    }

    impl crate::Message for SetLoggerLevelsResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetLoggerLevels_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::SetLoggerLevels_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_ba51739027e57cb9120015737f4618579684047d862b2b16a76bc399d987d6d3";
        const DEFINITION: &'static str = concat!(
            "SetLoggerLevelsResult[] results\n",
            "================================================================================\nMSG: rcl_interfaces/SetLoggerLevelsResult\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/SetLoggerLevelsResult.msg")),
        );
    }

    /// Service `rcl_interfaces/srv/SetLoggerLevels`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SetLoggerLevels;

    impl crate::Service for SetLoggerLevels {
        type Request = SetLoggerLevelsRequest;
        type Response = SetLoggerLevelsResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetLoggerLevels";
        const TYPE_HASH: &'static str =
            "RIHS01_3ff86cb4e91fbf9abae15c234ecc874448de6ece8e193401c077cf116e4f6d78";
    }

    /// `rcl_interfaces/srv/SetParameters_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct SetParametersRequest {
        /// `rcl_interfaces/msg/Parameter[]`
        pub parameters: Vec<crate::rcl_interfaces::msg::Parameter>,
    }

    impl crate::Message for SetParametersRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParameters_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::SetParameters_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_130d46386b7e84ea9ecf60608a4d83cbe5e5cb7c6cc5b712b7a4e3a6c254e932";
        const DEFINITION: &'static str = concat!(
            "Parameter[] parameters\n",
            "================================================================================\nMSG: rcl_interfaces/Parameter\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/Parameter.msg")),
            "================================================================================\nMSG: rcl_interfaces/ParameterValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterValue.msg")),
        );
    }

    /// `rcl_interfaces/srv/SetParameters_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetParametersResponse {
        /// `rcl_interfaces/msg/SetParametersResult[]`
        pub results: Vec<crate::rcl_interfaces::msg::SetParametersResult>,
    }

    impl crate::Message for SetParametersResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParameters_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::SetParameters_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_7a0e8140a0b8d98308fa81a5403a766e610af29a239caf54b7553227906fc266";
        const DEFINITION: &'static str = concat!(
            "SetParametersResult[] results\n",
            "================================================================================\nMSG: rcl_interfaces/SetParametersResult\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/SetParametersResult.msg")),
        );
    }

    /// Service `rcl_interfaces/srv/SetParameters`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SetParameters;

    impl crate::Service for SetParameters {
        type Request = SetParametersRequest;
        type Response = SetParametersResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParameters";
        const TYPE_HASH: &'static str =
            "RIHS01_56eed9a67e169f9cb6c1f987bc88f868c14a8fc9f743a263bc734c154015d7e0";
    }

    /// `rcl_interfaces/srv/SetParametersAtomically_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct SetParametersAtomicallyRequest {
        /// `rcl_interfaces/msg/Parameter[]`
        pub parameters: Vec<crate::rcl_interfaces::msg::Parameter>,
    }

    impl crate::Message for SetParametersAtomicallyRequest {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParametersAtomically_Request";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::SetParametersAtomically_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_db0bd950ed5ed867a0e90b225e44dea382d762c0762ff3e0ee842190042a59e5";
        const DEFINITION: &'static str = concat!(
            "Parameter[] parameters\n",
            "================================================================================\nMSG: rcl_interfaces/Parameter\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/Parameter.msg")),
            "================================================================================\nMSG: rcl_interfaces/ParameterValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/ParameterValue.msg")),
        );
    }

    /// `rcl_interfaces/srv/SetParametersAtomically_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetParametersAtomicallyResponse {
        /// `rcl_interfaces/msg/SetParametersResult`
        pub result: crate::rcl_interfaces::msg::SetParametersResult,
    }

    impl crate::Message for SetParametersAtomicallyResponse {
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParametersAtomically_Response";
        const DDS_TYPE_NAME: &'static str = "rcl_interfaces::srv::dds_::SetParametersAtomically_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_31b1a38c5b0b9d893ee24da45f69638f4561c78461d82d52750f429b534502b8";
        const DEFINITION: &'static str = concat!(
            "SetParametersResult result\n",
            "================================================================================\nMSG: rcl_interfaces/SetParametersResult\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rcl_interfaces/msg/SetParametersResult.msg")),
        );
    }

    /// Service `rcl_interfaces/srv/SetParametersAtomically`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SetParametersAtomically;

    impl crate::Service for SetParametersAtomically {
        type Request = SetParametersAtomicallyRequest;
        type Response = SetParametersAtomicallyResponse;
        const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParametersAtomically";
        const TYPE_HASH: &'static str =
            "RIHS01_0e192ef259c07fc3c07a13191d27002222e65e00ccec653ca05e856f79285fcd";
    }
}
