// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `service_msgs`.

/// Messages of `service_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `service_msgs/msg/ServiceEventInfo`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct ServiceEventInfo {
        /// `uint8`
        pub event_type: u8,
        /// `builtin_interfaces/msg/Time`
        pub stamp: crate::builtin_interfaces::msg::Time,
        /// `uint8[16]`
        pub client_gid: [u8; 16],
        /// `int64`
        pub sequence_number: i64,
    }

    impl ServiceEventInfo {
        /// `REQUEST_SENT = 0`
        pub const REQUEST_SENT: u8 = 0;
        /// `REQUEST_RECEIVED = 1`
        pub const REQUEST_RECEIVED: u8 = 1;
        /// `RESPONSE_SENT = 2`
        pub const RESPONSE_SENT: u8 = 2;
        /// `RESPONSE_RECEIVED = 3`
        pub const RESPONSE_RECEIVED: u8 = 3;
    }

    impl crate::Message for ServiceEventInfo {
        const TYPE_NAME: &'static str = "service_msgs/msg/ServiceEventInfo";
        const DDS_TYPE_NAME: &'static str = "service_msgs::msg::dds_::ServiceEventInfo_";
        const TYPE_HASH: &'static str =
            "RIHS01_41bcbbe07a75c9b52bc96bfd5c24d7f0fc0a08c0cb7921b3373c5732345a6f45";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/service_msgs/msg/ServiceEventInfo.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }
}
