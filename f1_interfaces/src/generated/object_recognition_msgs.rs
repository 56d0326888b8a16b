// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `object_recognition_msgs`.

/// Messages of `object_recognition_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `object_recognition_msgs/msg/ObjectType`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ObjectType {
        /// `string`
        pub key: std::string::String,
        /// `string`
        pub db: std::string::String,
    }

    impl crate::Message for ObjectType {
        const TYPE_NAME: &'static str = "object_recognition_msgs/msg/ObjectType";
        const DDS_TYPE_NAME: &'static str = "object_recognition_msgs::msg::dds_::ObjectType_";
        const TYPE_HASH: &'static str =
            "RIHS01_5eb3ee3976403366d7c50d7dbee8bec96b3bced1e752674a7194a35841632134";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/object_recognition_msgs/msg/ObjectType.msg")),
        );
    }
}
