// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `diagnostic_msgs`.

/// Messages of `diagnostic_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `diagnostic_msgs/msg/DiagnosticArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct DiagnosticArray {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `diagnostic_msgs/msg/DiagnosticStatus[]`
        pub status: Vec<crate::diagnostic_msgs::msg::DiagnosticStatus>,
    }

    impl crate::Message for DiagnosticArray {
        const TYPE_NAME: &'static str = "diagnostic_msgs/msg/DiagnosticArray";
        const DDS_TYPE_NAME: &'static str = "diagnostic_msgs::msg::dds_::DiagnosticArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/DiagnosticArray.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: diagnostic_msgs/DiagnosticStatus\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/DiagnosticStatus.msg")),
            "================================================================================\nMSG: diagnostic_msgs/KeyValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/KeyValue.msg")),
        );
    }

    /// `diagnostic_msgs/msg/DiagnosticStatus`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct DiagnosticStatus {
        /// `byte`
        pub level: u8,
        /// `string`
        pub name: std::string::String,
        /// `string`
        pub message: std::string::String,
        /// `string`
        pub hardware_id: std::string::String,
        /// `diagnostic_msgs/msg/KeyValue[]`
        pub values: Vec<crate::diagnostic_msgs::msg::KeyValue>,
    }

    impl DiagnosticStatus {
        /// `OK = 0`
        pub const OK: u8 = 0;
        /// `WARN = 1`
        pub const WARN: u8 = 1;
        /// `ERROR = 2`
        pub const ERROR: u8 = 2;
        /// `STALE = 3`
        pub const STALE: u8 = 3;
    }

    impl crate::Message for DiagnosticStatus {
        const TYPE_NAME: &'static str = "diagnostic_msgs/msg/DiagnosticStatus";
        const DDS_TYPE_NAME: &'static str = "diagnostic_msgs::msg::dds_::DiagnosticStatus_";
        const TYPE_HASH: &'static str =
            "RIHS01_b0e3e692ea2d54a8af2f4ef1930e81556a2db55216b771f8a7d2724ed47bf0e4";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/DiagnosticStatus.msg")),
            "================================================================================\nMSG: diagnostic_msgs/KeyValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/KeyValue.msg")),
        );
    }

    /// `diagnostic_msgs/msg/KeyValue`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct KeyValue {
        /// `string`
        pub key: std::string::String,
        /// `string`
        pub value: std::string::String,
    }

    impl crate::Message for KeyValue {
        const TYPE_NAME: &'static str = "diagnostic_msgs/msg/KeyValue";
        const DDS_TYPE_NAME: &'static str = "diagnostic_msgs::msg::dds_::KeyValue_";
        const TYPE_HASH: &'static str =
            "RIHS01_d68081eaa540288c5440753baecef0c4e16e81a5f78ad68902ded5100413bb42";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/KeyValue.msg")),
        );
    }
}

/// Services of `diagnostic_msgs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `diagnostic_msgs/srv/AddDiagnostics_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct AddDiagnosticsRequest {
        /// `string`
        pub load_namespace: std::string::String,
    }

    impl crate::Message for AddDiagnosticsRequest {
        const TYPE_NAME: &'static str = "diagnostic_msgs/srv/AddDiagnostics_Request";
        const DDS_TYPE_NAME: &'static str = "diagnostic_msgs::srv::dds_::AddDiagnostics_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_e0b6572a07c2b3ca2c4f2acf742297661f6ceb50f5baa4f9305b6094cf950146";
        const DEFINITION: &'static str = concat!(
            "string load_namespace\n",
        );
    }

    /// `diagnostic_msgs/srv/AddDiagnostics_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct AddDiagnosticsResponse {
        /// `bool`
        pub success: bool,
        /// `string`
        pub message: std::string::String,
    }

    impl crate::Message for AddDiagnosticsResponse {
        const TYPE_NAME: &'static str = "diagnostic_msgs/srv/AddDiagnostics_Response";
        const DDS_TYPE_NAME: &'static str = "diagnostic_msgs::srv::dds_::AddDiagnostics_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_e7070a2373c892c4cf071dcd90405d7696187eb2ff0e40d8b6472a04a4b73d22";
        const DEFINITION: &'static str = concat!(
            "bool success\nstring message\n",
        );
    }

    /// Service `diagnostic_msgs/srv/AddDiagnostics`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AddDiagnostics;

    impl crate::Service for AddDiagnostics {
        type Request = AddDiagnosticsRequest;
        type Response = AddDiagnosticsResponse;
        const TYPE_NAME: &'static str = "diagnostic_msgs/srv/AddDiagnostics";
        const TYPE_HASH: &'static str =
            "RIHS01_6b91084c9f8bffd9b0c1f6883e0e8e491a831f4fc6c6aec77a4efaf3f1ea90b5";
    }

    /// `diagnostic_msgs/srv/SelfTest_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct SelfTestRequest {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for SelfTestRequest {
        const TYPE_NAME: &'static str = "diagnostic_msgs/srv/SelfTest_Request";
        const DDS_TYPE_NAME: &'static str = "diagnostic_msgs::srv::dds_::SelfTest_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_3bb94b497e74e9beed2dddc7212d3ae596696d30413bd1550fe932fc20efb8a4";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// `diagnostic_msgs/srv/SelfTest_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SelfTestResponse {
        /// `string`
        pub id: std::string::String,
        /// `byte`
        pub passed: u8,
        /// `diagnostic_msgs/msg/DiagnosticStatus[]`
        pub status: Vec<crate::diagnostic_msgs::msg::DiagnosticStatus>,
    }

    impl crate::Message for SelfTestResponse {
        const TYPE_NAME: &'static str = "diagnostic_msgs/srv/SelfTest_Response";
        const DDS_TYPE_NAME: &'static str = "diagnostic_msgs::srv::dds_::SelfTest_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_489da82e00dce6671cb0ff423a0f0939b546336fbfe49d6c7e64c9b89f898f57";
        const DEFINITION: &'static str = concat!(
            "string id\nbyte passed\nDiagnosticStatus[] status\n",
            "================================================================================\nMSG: diagnostic_msgs/DiagnosticStatus\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/DiagnosticStatus.msg")),
            "================================================================================\nMSG: diagnostic_msgs/KeyValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/diagnostic_msgs/msg/KeyValue.msg")),
        );
    }

    /// Service `diagnostic_msgs/srv/SelfTest`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SelfTest;

    impl crate::Service for SelfTest {
        type Request = SelfTestRequest;
        type Response = SelfTestResponse;
        const TYPE_NAME: &'static str = "diagnostic_msgs/srv/SelfTest";
        const TYPE_HASH: &'static str =
            "RIHS01_df1e4e54a814a16ccc77471e9239618d46818e8d0e3b45ad6f8c34c6e2abfef6";
    }
}
