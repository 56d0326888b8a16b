// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `trajectory_msgs`.

/// Messages of `trajectory_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `trajectory_msgs/msg/JointTrajectory`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct JointTrajectory {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// `trajectory_msgs/msg/JointTrajectoryPoint[]`
        pub points: Vec<crate::trajectory_msgs::msg::JointTrajectoryPoint>,
    }

    impl crate::Message for JointTrajectory {
        const TYPE_NAME: &'static str = "trajectory_msgs/msg/JointTrajectory";
        const DDS_TYPE_NAME: &'static str = "trajectory_msgs::msg::dds_::JointTrajectory_";
        const TYPE_HASH: &'static str =
            "RIHS01_179b33eba59d676f6d967ac71fe35e7ca2f64b2f3928f4a018cec115e213796e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectory.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `trajectory_msgs/msg/JointTrajectoryPoint`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct JointTrajectoryPoint {
        /// `float64[]`
        pub positions: Vec<f64>,
        /// `float64[]`
        pub velocities: Vec<f64>,
        /// `float64[]`
        pub accelerations: Vec<f64>,
        /// `float64[]`
        pub effort: Vec<f64>,
        /// `builtin_interfaces/msg/Duration`
        pub time_from_start: crate::builtin_interfaces::msg::Duration,
    }

    impl crate::Message for JointTrajectoryPoint {
        const TYPE_NAME: &'static str = "trajectory_msgs/msg/JointTrajectoryPoint";
        const DDS_TYPE_NAME: &'static str = "trajectory_msgs::msg::dds_::JointTrajectoryPoint_";
        const TYPE_HASH: &'static str =
            "RIHS01_de8907036d8bd45aac6f30cc9044a3d4a329c42cbf719aff7d95a584cfa532d7";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `trajectory_msgs/msg/MultiDOFJointTrajectory`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct MultiDOFJointTrajectory {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint[]`
        pub points: Vec<crate::trajectory_msgs::msg::MultiDOFJointTrajectoryPoint>,
    }

    impl crate::Message for MultiDOFJointTrajectory {
        const TYPE_NAME: &'static str = "trajectory_msgs/msg/MultiDOFJointTrajectory";
        const DDS_TYPE_NAME: &'static str = "trajectory_msgs::msg::dds_::MultiDOFJointTrajectory_";
        const TYPE_HASH: &'static str =
            "RIHS01_3a18fd095292a65cfde8833c72985a30af981f3ec44494655c6267262b443a4a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/MultiDOFJointTrajectory.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: trajectory_msgs/MultiDOFJointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/MultiDOFJointTrajectoryPoint.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `trajectory_msgs/msg/MultiDOFJointTrajectoryPoint`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct MultiDOFJointTrajectoryPoint {
        /// `geometry_msgs/msg/Transform[]`
        pub transforms: Vec<crate::geometry_msgs::msg::Transform>,
        /// `geometry_msgs/msg/Twist[]`
        pub velocities: Vec<crate::geometry_msgs::msg::Twist>,
        /// `geometry_msgs/msg/Twist[]`
        pub accelerations: Vec<crate::geometry_msgs::msg::Twist>,
        /// `builtin_interfaces/msg/Duration`
        pub time_from_start: crate::builtin_interfaces::msg::Duration,
    }

    impl crate::Message for MultiDOFJointTrajectoryPoint {
        const TYPE_NAME: &'static str = "trajectory_msgs/msg/MultiDOFJointTrajectoryPoint";
        const DDS_TYPE_NAME: &'static str = "trajectory_msgs::msg::dds_::MultiDOFJointTrajectoryPoint_";
        const TYPE_HASH: &'static str =
            "RIHS01_6ada1085b5ee64eaa069b074968e69f0e27c8c5e6f5bb0586dd1c834ef0e32b8";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/MultiDOFJointTrajectoryPoint.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }
}
