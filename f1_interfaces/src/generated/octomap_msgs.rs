// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `octomap_msgs`.

/// Messages of `octomap_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `octomap_msgs/msg/Octomap`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Octomap {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `bool`
        pub binary: bool,
        /// `string`
        pub id: std::string::String,
        /// `float64`
        pub resolution: f64,
        /// `int8[]`
        pub data: Vec<i8>,
    }

    impl crate::Message for Octomap {
        const TYPE_NAME: &'static str = "octomap_msgs/msg/Octomap";
        const DDS_TYPE_NAME: &'static str = "octomap_msgs::msg::dds_::Octomap_";
        const TYPE_HASH: &'static str =
            "RIHS01_9891a19a05b70ec20aa8f45db3f8300b9ab80afff32c61c549d25087da9625b0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/Octomap.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `octomap_msgs/msg/OctomapWithPose`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct OctomapWithPose {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Pose`
        pub origin: crate::geometry_msgs::msg::Pose,
        /// `octomap_msgs/msg/Octomap`
        pub octomap: crate::octomap_msgs::msg::Octomap,
    }

    impl crate::Message for OctomapWithPose {
        const TYPE_NAME: &'static str = "octomap_msgs/msg/OctomapWithPose";
        const DDS_TYPE_NAME: &'static str = "octomap_msgs::msg::dds_::OctomapWithPose_";
        const TYPE_HASH: &'static str =
            "RIHS01_e65f8760aa96a2acef86b6d206175cfc78420082b6159dd3fa6ebf93f5f81979";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/OctomapWithPose.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Pose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: octomap_msgs/Octomap\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/Octomap.msg")),
        );
    }
}
