// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `builtin_interfaces`.

/// Messages of `builtin_interfaces`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `builtin_interfaces/msg/Duration`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Duration {
        /// `int32`
        pub sec: i32,
        /// `uint32`
        pub nanosec: u32,
    }

    impl crate::Message for Duration {
        const TYPE_NAME: &'static str = "builtin_interfaces/msg/Duration";
        const DDS_TYPE_NAME: &'static str = "builtin_interfaces::msg::dds_::Duration_";
        const TYPE_HASH: &'static str =
            "RIHS01_e8d009f659816f758b75334ee1a9ca5b5c0b859843261f14c7f937349599d93b";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `builtin_interfaces/msg/Time`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Time {
        /// `int32`
        pub sec: i32,
        /// `uint32`
        pub nanosec: u32,
    }

    impl crate::Message for Time {
        const TYPE_NAME: &'static str = "builtin_interfaces/msg/Time";
        const DDS_TYPE_NAME: &'static str = "builtin_interfaces::msg::dds_::Time_";
        const TYPE_HASH: &'static str =
            "RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }
}
