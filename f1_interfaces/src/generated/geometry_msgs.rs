// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `geometry_msgs`.

/// Messages of `geometry_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `geometry_msgs/msg/Accel`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Accel {
        /// `geometry_msgs/msg/Vector3`
        pub linear: crate::geometry_msgs::msg::Vector3,
        /// `geometry_msgs/msg/Vector3`
        pub angular: crate::geometry_msgs::msg::Vector3,
    }

    impl crate::Message for Accel {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Accel";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Accel_";
        const TYPE_HASH: &'static str =
            "RIHS01_dc448243ded9b1fcbcca24aba0c22f013dae06c354ba2d849571c0a2a3f57ca0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Accel.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `geometry_msgs/msg/Point`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Point {
        /// `float64`
        pub x: f64,
        /// `float64`
        pub y: f64,
        /// `float64`
        pub z: f64,
    }

    impl crate::Message for Point {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Point";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Point_";
        const TYPE_HASH: &'static str =
            "RIHS01_6963084842a9b04494d6b2941d11444708d892da2f4b09843b9c43f42a7f6881";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
        );
    }

    /// `geometry_msgs/msg/Point32`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Point32 {
        /// `float32`
        pub x: f32,
        /// `float32`
        pub y: f32,
        /// `float32`
        pub z: f32,
    }

    impl crate::Message for Point32 {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Point32";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Point32_";
        const TYPE_HASH: &'static str =
            "RIHS01_2fc4db7cae16a4582c79a56b66173a8d48d52c7dc520ddc55a0d4bcf2a4bfdbc";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
        );
    }

    /// `geometry_msgs/msg/PointStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PointStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Point`
        pub point: crate::geometry_msgs::msg::Point,
    }

    impl crate::Message for PointStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/PointStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::PointStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_4c0296af86e01e562e9e0405d138a01537247580076c58ea38d7923ac1045897";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PointStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
        );
    }

    /// `geometry_msgs/msg/Polygon`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Polygon {
        /// `geometry_msgs/msg/Point32[]`
        pub points: Vec<crate::geometry_msgs::msg::Point32>,
    }

    impl crate::Message for Polygon {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Polygon";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Polygon_";
        const TYPE_HASH: &'static str =
            "RIHS01_3782f9f0bf044964d692d6c017d705e37611afb1f0bf6a9dee248a7dda0f784a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
        );
    }

    /// `geometry_msgs/msg/PolygonStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PolygonStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Polygon`
        pub polygon: crate::geometry_msgs::msg::Polygon,
    }

    impl crate::Message for PolygonStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/PolygonStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::PolygonStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_b7cf07932f1523d4b4088075945c1a0141f7cd21da87cc940fc61652e9138b46";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PolygonStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
        );
    }

    /// `geometry_msgs/msg/Pose`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Pose {
        /// `geometry_msgs/msg/Point`
        pub position: crate::geometry_msgs::msg::Point,
        /// `geometry_msgs/msg/Quaternion`
        pub orientation: crate::geometry_msgs::msg::Quaternion,
    }

    impl crate::Message for Pose {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Pose";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Pose_";
        const TYPE_HASH: &'static str =
            "RIHS01_d501954e9476cea2996984e812054b68026ae0bfae789d9a10b23daf35cc90fa";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }

    /// `geometry_msgs/msg/PoseArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PoseArray {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Pose[]`
        pub poses: Vec<crate::geometry_msgs::msg::Pose>,
    }

    impl crate::Message for PoseArray {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/PoseArray";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::PoseArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_af0cc36d190e104d546d168d6b39df04fa4b4ccecf59cb4c9ed328d3d5004aa0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PoseArray.msg")),
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
        );
    }

    /// `geometry_msgs/msg/PoseStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PoseStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Pose`
        pub pose: crate::geometry_msgs::msg::Pose,
    }

    impl crate::Message for PoseStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/PoseStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::PoseStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_10f3786d7d40fd2b54367835614bff85d4ad3b5dab62bf8bca0cc232d73b4cd8";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PoseStamped.msg")),
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
        );
    }

    /// `geometry_msgs/msg/PoseWithCovariance`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Copy)]
    pub struct PoseWithCovariance {
        /// `geometry_msgs/msg/Pose`
        pub pose: crate::geometry_msgs::msg::Pose,
        /// `float64[36]`
        #[serde(with = "crate::array")]
        pub covariance: [f64; 36],
    }

    impl Default for PoseWithCovariance {
        fn default() -> Self {
            Self {
                pose: Default::default(),
                covariance: std::array::from_fn(|_| Default::default()),
            }
        }
    }

    impl crate::Message for PoseWithCovariance {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/PoseWithCovariance";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::PoseWithCovariance_";
        const TYPE_HASH: &'static str =
            "RIHS01_9a7c0fd234b7f45c6098745ecccd773ca1085670e64107135397aee31c02e1bb";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PoseWithCovariance.msg")),
            "================================================================================\nMSG: geometry_msgs/Pose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }

    /// `geometry_msgs/msg/PoseWithCovarianceStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PoseWithCovarianceStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/PoseWithCovariance`
        pub pose: crate::geometry_msgs::msg::PoseWithCovariance,
    }

    impl crate::Message for PoseWithCovarianceStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/PoseWithCovarianceStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::PoseWithCovarianceStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_26432f9803e43727d3c8f668d1fdb3c630f548af631e2f4e31382371bfea3b6e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/PoseWithCovarianceStamped.msg")),
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
        );
    }

    /// `geometry_msgs/msg/Quaternion`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Copy)]
    pub struct Quaternion {
        /// `float64`, default `0`
        pub x: f64,
        /// `float64`, default `0`
        pub y: f64,
        /// `float64`, default `0`
        pub z: f64,
        /// `float64`, default `1`
        pub w: f64,
    }

    impl Default for Quaternion {
        fn default() -> Self {
            Self {
                x: 0.0,
                y: 0.0,
                z: 0.0,
                w: 1.0,
            }
        }
    }

    impl crate::Message for Quaternion {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Quaternion";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Quaternion_";
        const TYPE_HASH: &'static str =
            "RIHS01_8a765f66778c8ff7c8ab94afcc590a2ed5325a1d9a076ffff38fbce36f458684";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }

    /// `geometry_msgs/msg/QuaternionStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct QuaternionStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Quaternion`
        pub quaternion: crate::geometry_msgs::msg::Quaternion,
    }

    impl crate::Message for QuaternionStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/QuaternionStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::QuaternionStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_381add86c6c3160644d228ca342182c7fd6c7fab11c7a85ad817a9cc22dbac6e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/QuaternionStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }

    /// `geometry_msgs/msg/Transform`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Transform {
        /// `geometry_msgs/msg/Vector3`
        pub translation: crate::geometry_msgs::msg::Vector3,
        /// `geometry_msgs/msg/Quaternion`
        pub rotation: crate::geometry_msgs::msg::Quaternion,
    }

    impl crate::Message for Transform {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Transform";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Transform_";
        const TYPE_HASH: &'static str =
            "RIHS01_beb83fbe698636351461f6f35d1abb20010c43d55374d81bd041f1ba2581fddc";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }

    /// `geometry_msgs/msg/TransformStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct TransformStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string`
        pub child_frame_id: std::string::String,
        /// `geometry_msgs/msg/Transform`
        pub transform: crate::geometry_msgs::msg::Transform,
    }

    impl crate::Message for TransformStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/TransformStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::TransformStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_0a241f87d04668d94099cbb5ba11691d5ad32c2f29682e4eb5653424bd275206";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TransformStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Transform\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Transform.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
        );
    }

    /// `geometry_msgs/msg/Twist`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Twist {
        /// `geometry_msgs/msg/Vector3`
        pub linear: crate::geometry_msgs::msg::Vector3,
        /// `geometry_msgs/msg/Vector3`
        pub angular: crate::geometry_msgs::msg::Vector3,
    }

    impl crate::Message for Twist {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Twist";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Twist_";
        const TYPE_HASH: &'static str =
            "RIHS01_9c45bf16fe0983d80e3cfe750d6835843d265a9a6c46bd2e609fcddde6fb8d2a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `geometry_msgs/msg/TwistStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct TwistStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Twist`
        pub twist: crate::geometry_msgs::msg::Twist,
    }

    impl crate::Message for TwistStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/TwistStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::TwistStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_5f0fcd4f81d5d06ad9b4c4c63e3ea51b82d6ae4d0558f1d475229b1121db6f64";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TwistStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `geometry_msgs/msg/TwistWithCovariance`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Copy)]
    pub struct TwistWithCovariance {
        /// `geometry_msgs/msg/Twist`
        pub twist: crate::geometry_msgs::msg::Twist,
        /// `float64[36]`
        #[serde(with = "crate::array")]
        pub covariance: [f64; 36],
    }

    impl Default for TwistWithCovariance {
        fn default() -> Self {
            Self {
                twist: Default::default(),
                covariance: std::array::from_fn(|_| Default::default()),
            }
        }
    }

    impl crate::Message for TwistWithCovariance {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/TwistWithCovariance";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::TwistWithCovariance_";
        const TYPE_HASH: &'static str =
            "RIHS01_49f574f033f095d8b6cd1beaca5ca7925e296e84af1716d16c89d38b059c8c18";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TwistWithCovariance.msg")),
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `geometry_msgs/msg/Vector3`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Vector3 {
        /// `float64`
        pub x: f64,
        /// `float64`
        pub y: f64,
        /// `float64`
        pub z: f64,
    }

    impl crate::Message for Vector3 {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Vector3";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Vector3_";
        const TYPE_HASH: &'static str =
            "RIHS01_cc12fe83e4c02719f1ce8070bfd14aecd40f75a96696a67a2a1f37f7dbb0765d";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `geometry_msgs/msg/Vector3Stamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Vector3Stamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Vector3`
        pub vector: crate::geometry_msgs::msg::Vector3,
    }

    impl crate::Message for Vector3Stamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Vector3Stamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Vector3Stamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_d4829622288cbb443886e7ea94ea5671a3b1be6bab4ad04224432a65f7d7887a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3Stamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `geometry_msgs/msg/Wrench`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Wrench {
        /// `geometry_msgs/msg/Vector3`
        pub force: crate::geometry_msgs::msg::Vector3,
        /// `geometry_msgs/msg/Vector3`
        pub torque: crate::geometry_msgs::msg::Vector3,
    }

    impl crate::Message for Wrench {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/Wrench";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::Wrench_";
        const TYPE_HASH: &'static str =
            "RIHS01_018e8519d57c16adbe97c9fe1460ef21fec7e31bc541de3d653a35895677ce52";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Wrench.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `geometry_msgs/msg/WrenchStamped`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct WrenchStamped {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Wrench`
        pub wrench: crate::geometry_msgs::msg::Wrench,
    }

    impl crate::Message for WrenchStamped {
        const TYPE_NAME: &'static str = "geometry_msgs/msg/WrenchStamped";
        const DDS_TYPE_NAME: &'static str = "geometry_msgs::msg::dds_::WrenchStamped_";
        const TYPE_HASH: &'static str =
            "RIHS01_8dc3deaf06b2ab281f9f9a742a8961c328ca7cec16e3fd6586d3a5c83fa78f77";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/WrenchStamped.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Wrench\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Wrench.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }
}
