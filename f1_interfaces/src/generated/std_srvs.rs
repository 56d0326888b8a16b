// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `std_srvs`.

/// Services of `std_srvs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `std_srvs/srv/Empty_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct EmptyRequest {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for EmptyRequest {
        const TYPE_NAME: &'static str = "std_srvs/srv/Empty_Request";
        const DDS_TYPE_NAME: &'static str = "std_srvs::srv::dds_::Empty_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_458eaf200a3f63d9cc53d19436edebc0c140ef4c93ca75d5bd4ce19fd7759e35";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// `std_srvs/srv/Empty_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct EmptyResponse {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for EmptyResponse {
        const TYPE_NAME: &'static str = "std_srvs/srv/Empty_Response";
        const DDS_TYPE_NAME: &'static str = "std_srvs::srv::dds_::Empty_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_0a2858b3f60df644a61d0fa44cfc923a3d3628e0ad9c8ad8534b1a2c92a413dc";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// Service `std_srvs/srv/Empty`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Empty;

    impl crate::Service for Empty {
        type Request = EmptyRequest;
        type Response = EmptyResponse;
        const TYPE_NAME: &'static str = "std_srvs/srv/Empty";
        const TYPE_HASH: &'static str =
            "RIHS01_5888399dedec5ccc85ea6451949fd2c9f97bfdf963f9a588821639fcd31b5d19";
    }

    /// `std_srvs/srv/SetBool_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct SetBoolRequest {
        /// `bool`
        pub data: bool,
    }

    impl crate::Message for SetBoolRequest {
        const TYPE_NAME: &'static str = "std_srvs/srv/SetBool_Request";
        const DDS_TYPE_NAME: &'static str = "std_srvs::srv::dds_::SetBool_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_c62fbb99d94e1b25e8ef9e109f9581956bb1b3361a45a4e5810c36a90d29932e";
        const DEFINITION: &'static str = concat!(
            "bool data\n",
        );
    }

    /// `std_srvs/srv/SetBool_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetBoolResponse {
        /// `bool`
        pub success: bool,
        /// `string`
        pub message: std::string::String,
    }

    impl crate::Message for SetBoolResponse {
        const TYPE_NAME: &'static str = "std_srvs/srv/SetBool_Response";
        const DDS_TYPE_NAME: &'static str = "std_srvs::srv::dds_::SetBool_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_d0814e7f7b4880ab77e9c57426c7aa1562ab69f11eef8e2e968812f9cbd0b059";
        const DEFINITION: &'static str = concat!(
            "bool success\nstring message\n",
        );
    }

    /// Service `std_srvs/srv/SetBool`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SetBool;

    impl crate::Service for SetBool {
        type Request = SetBoolRequest;
        type Response = SetBoolResponse;
        const TYPE_NAME: &'static str = "std_srvs/srv/SetBool";
        const TYPE_HASH: &'static str =
            "RIHS01_abe9e4bb6b41b40e6789712c00ec8871923e089af3f667a79992a428cff2da0a";
    }

    /// `std_srvs/srv/Trigger_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct TriggerRequest {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for TriggerRequest {
        const TYPE_NAME: &'static str = "std_srvs/srv/Trigger_Request";
        const DDS_TYPE_NAME: &'static str = "std_srvs::srv::dds_::Trigger_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_d010825374ce8918e72bfd826c82603e60f45419e932ea976f807b74a863a199";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// `std_srvs/srv/Trigger_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct TriggerResponse {
        /// `bool`
        pub success: bool,
        /// `string`
        pub message: std::string::String,
    }

    impl crate::Message for TriggerResponse {
        const TYPE_NAME: &'static str = "std_srvs/srv/Trigger_Response";
        const DDS_TYPE_NAME: &'static str = "std_srvs::srv::dds_::Trigger_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_2d946c21e2fc3f1e9ca6986a8191d85fcc70097a8bb7771a053564bc47009cdf";
        const DEFINITION: &'static str = concat!(
            "bool success\nstring message\n",
        );
    }

    /// Service `std_srvs/srv/Trigger`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Trigger;

    impl crate::Service for Trigger {
        type Request = TriggerRequest;
        type Response = TriggerResponse;
        const TYPE_NAME: &'static str = "std_srvs/srv/Trigger";
        const TYPE_HASH: &'static str =
            "RIHS01_eeff2cd6fa5ad9d27cdf4dec64818317839b62f212a91e6b5304b634b2062c5f";
    }
}
