// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `nav_msgs`.

/// Messages of `nav_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `nav_msgs/msg/Odometry`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Odometry {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string`
        pub child_frame_id: std::string::String,
        /// `geometry_msgs/msg/PoseWithCovariance`
        pub pose: crate::geometry_msgs::msg::PoseWithCovariance,
        /// `geometry_msgs/msg/TwistWithCovariance`
        pub twist: crate::geometry_msgs::msg::TwistWithCovariance,
    }

    impl crate::Message for Odometry {
        const TYPE_NAME: &'static str = "nav_msgs/msg/Odometry";
        const DDS_TYPE_NAME: &'static str = "nav_msgs::msg::dds_::Odometry_";
        const TYPE_HASH: &'static str =
            "RIHS01_3cc97dc7fb7502f8714462c526d369e35b603cfc34d946e3f2eda2766dfec6e0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/nav_msgs/msg/Odometry.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/PoseWithCovariance\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PoseWithCovariance.msg")),
            "================================================================================\nMSG: geometry_msgs/Pose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: geometry_msgs/TwistWithCovariance\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TwistWithCovariance.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `nav_msgs/msg/Path`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Path {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/PoseStamped[]`
        pub poses: Vec<crate::geometry_msgs::msg::PoseStamped>,
    }

    impl crate::Message for Path {
        const TYPE_NAME: &'static str = "nav_msgs/msg/Path";
        const DDS_TYPE_NAME: &'static str = "nav_msgs::msg::dds_::Path_";
        const TYPE_HASH: &'static str =
            "RIHS01_1957a5bb3cee5da65c4e52e52b65a93df227efce4c20f8458b36e73066ca334b";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/nav_msgs/msg/Path.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/PoseStamped\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PoseStamped.msg")),
            "================================================================================\nMSG: geometry_msgs/Pose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }
}
