// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `unique_identifier_msgs`.

/// Messages of `unique_identifier_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `unique_identifier_msgs/msg/UUID`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct UUID {
        /// `uint8[16]`
        pub uuid: [u8; 16],
    }

    impl crate::Message for UUID {
        const TYPE_NAME: &'static str = "unique_identifier_msgs/msg/UUID";
        const DDS_TYPE_NAME: &'static str = "unique_identifier_msgs::msg::dds_::UUID_";
        const TYPE_HASH: &'static str =
            "RIHS01_1b8e8aca958cbea28fe6ef60bf6c19b683c97a9ef60bb34752067d0f2f7ab437";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/unique_identifier_msgs/msg/UUID.msg")),
        );
    }
}
