// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `rosgraph_msgs`.

/// Messages of `rosgraph_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `rosgraph_msgs/msg/Clock`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Clock {
        /// `builtin_interfaces/msg/Time`
        pub clock: crate::builtin_interfaces::msg::Time,
    }

    impl crate::Message for Clock {
        const TYPE_NAME: &'static str = "rosgraph_msgs/msg/Clock";
        const DDS_TYPE_NAME: &'static str = "rosgraph_msgs::msg::dds_::Clock_";
        const TYPE_HASH: &'static str =
            "RIHS01_692f7a66e93a3c83e71765d033b60349ba68023a8c689a79e48078bcb5c58564";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/rosgraph_msgs/msg/Clock.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }
}
