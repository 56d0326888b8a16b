// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `sensor_msgs`.

/// Messages of `sensor_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `sensor_msgs/msg/CameraInfo`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct CameraInfo {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `uint32`
        pub height: u32,
        /// `uint32`
        pub width: u32,
        /// `string`
        pub distortion_model: std::string::String,
        /// `float64[]`
        pub d: Vec<f64>,
        /// `float64[9]`
        pub k: [f64; 9],
        /// `float64[9]`
        pub r: [f64; 9],
        /// `float64[12]`
        pub p: [f64; 12],
        /// `uint32`
        pub binning_x: u32,
        /// `uint32`
        pub binning_y: u32,
        /// `sensor_msgs/msg/RegionOfInterest`
        pub roi: crate::sensor_msgs::msg::RegionOfInterest,
    }

    impl crate::Message for CameraInfo {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/CameraInfo";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::CameraInfo_";
        const TYPE_HASH: &'static str =
            "RIHS01_b3dfd68ff46c9d56c80fd3bd4ed22c7a4ddce8c8348f2f59c299e73118e7e275";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/CameraInfo.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: sensor_msgs/RegionOfInterest\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/RegionOfInterest.msg")),
        );
    }

    /// `sensor_msgs/msg/CompressedImage`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct CompressedImage {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string`
        pub format: std::string::String,
        /// `uint8[]`
        #[serde(with = "serde_bytes")]
        pub data: Vec<u8>,
    }

    impl crate::Message for CompressedImage {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/CompressedImage";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::CompressedImage_";
        const TYPE_HASH: &'static str =
            "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/CompressedImage.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `sensor_msgs/msg/Image`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct Image {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `uint32`
        pub height: u32,
        /// `uint32`
        pub width: u32,
        /// `string`
        pub encoding: std::string::String,
        /// `uint8`
        pub is_bigendian: u8,
        /// `uint32`
        pub step: u32,
        /// `uint8[]`
        #[serde(with = "serde_bytes")]
        pub data: Vec<u8>,
    }

    impl crate::Message for Image {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/Image";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::Image_";
        const TYPE_HASH: &'static str =
            "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/Image.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `sensor_msgs/msg/Imu`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Imu {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Quaternion`
        pub orientation: crate::geometry_msgs::msg::Quaternion,
        /// `float64[9]`
        pub orientation_covariance: [f64; 9],
        /// `geometry_msgs/msg/Vector3`
        pub angular_velocity: crate::geometry_msgs::msg::Vector3,
        /// `float64[9]`
        pub angular_velocity_covariance: [f64; 9],
        /// `geometry_msgs/msg/Vector3`
        pub linear_acceleration: crate::geometry_msgs::msg::Vector3,
        /// `float64[9]`
        pub linear_acceleration_covariance: [f64; 9],
    }

    impl crate::Message for Imu {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/Imu";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::Imu_";
        const TYPE_HASH: &'static str =
            "RIHS01_7d9a00ff131080897a5ec7e26e315954b8eae3353c3f995c55faf71574000b5b";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/Imu.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: geometry_msgs/Quaternion\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Quaternion.msg")),
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
        );
    }

    /// `sensor_msgs/msg/JointState`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct JointState {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub name: Vec<std::string::String>,
        /// `float64[]`
        pub position: Vec<f64>,
        /// `float64[]`
        pub velocity: Vec<f64>,
        /// `float64[]`
        pub effort: Vec<f64>,
    }

    impl crate::Message for JointState {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/JointState";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::JointState_";
        const TYPE_HASH: &'static str =
            "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/JointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `sensor_msgs/msg/Joy`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Joy {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `float32[]`
        pub axes: Vec<f32>,
        /// `int32[]`
        pub buttons: Vec<i32>,
    }

    impl crate::Message for Joy {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/Joy";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::Joy_";
        const TYPE_HASH: &'static str =
            "RIHS01_0d356c79cad3401e35ffeb75a96a96e08be3ef896b8b83841d73e890989372c5";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/Joy.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `sensor_msgs/msg/MultiDOFJointState`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct MultiDOFJointState {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// `geometry_msgs/msg/Transform[]`
        pub transforms: Vec<crate::geometry_msgs::msg::Transform>,
        /// `geometry_msgs/msg/Twist[]`
        pub twist: Vec<crate::geometry_msgs::msg::Twist>,
        /// `geometry_msgs/msg/Wrench[]`
        pub wrench: Vec<crate::geometry_msgs::msg::Wrench>,
    }

    impl crate::Message for MultiDOFJointState {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/MultiDOFJointState";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::MultiDOFJointState_";
        const TYPE_HASH: &'static str =
            "RIHS01_4d4ded702cfba7ff3ec783835c1a1425f75e53939a430ff355d1fee4b3bbc40b";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/MultiDOFJointState.msg")),
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
            "================================================================================\nMSG: geometry_msgs/Twist\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Twist.msg")),
            "================================================================================\nMSG: geometry_msgs/Wrench\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Wrench.msg")),
        );
    }

    /// `sensor_msgs/msg/PointCloud2`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct PointCloud2 {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `uint32`
        pub height: u32,
        /// `uint32`
        pub width: u32,
        /// `sensor_msgs/msg/PointField[]`
        pub fields: Vec<crate::sensor_msgs::msg::PointField>,
        /// `bool`
        pub is_bigendian: bool,
        /// `uint32`
        pub point_step: u32,
        /// `uint32`
        pub row_step: u32,
        /// `uint8[]`
        #[serde(with = "serde_bytes")]
        pub data: Vec<u8>,
        /// `bool`
        pub is_dense: bool,
    }

    impl crate::Message for PointCloud2 {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/PointCloud2";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::PointCloud2_";
        const TYPE_HASH: &'static str =
            "RIHS01_9198cabf7da3796ae6fe19c4cb3bdd3525492988c70522628af5daa124bae2b5";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/PointCloud2.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: sensor_msgs/PointField\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/PointField.msg")),
        );
    }

    /// `sensor_msgs/msg/PointField`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct PointField {
        /// `string`
        pub name: std::string::String,
        /// `uint32`
        pub offset: u32,
        /// `uint8`
        pub datatype: u8,
        /// `uint32`
        pub count: u32,
    }

    impl PointField {
        /// `INT8 = 1`
        pub const INT8: u8 = 1;
        /// `UINT8 = 2`
        pub const UINT8: u8 = 2;
        /// `INT16 = 3`
        pub const INT16: u8 = 3;
        /// `UINT16 = 4`
        pub const UINT16: u8 = 4;
        /// `INT32 = 5`
        pub const INT32: u8 = 5;
        /// `UINT32 = 6`
        pub const UINT32: u8 = 6;
        /// `FLOAT32 = 7`
        pub const FLOAT32: u8 = 7;
        /// `FLOAT64 = 8`
        pub const FLOAT64: u8 = 8;
    }

    impl crate::Message for PointField {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/PointField";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::PointField_";
        const TYPE_HASH: &'static str =
            "RIHS01_5c6a4750728c2bcfbbf7037225b20b02d4429634732146b742dee1726637ef01";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/PointField.msg")),
        );
    }

    /// `sensor_msgs/msg/RegionOfInterest`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct RegionOfInterest {
        /// `uint32`
        pub x_offset: u32,
        /// `uint32`
        pub y_offset: u32,
        /// `uint32`
        pub height: u32,
        /// `uint32`
        pub width: u32,
        /// `bool`
        pub do_rectify: bool,
    }

    impl crate::Message for RegionOfInterest {
        const TYPE_NAME: &'static str = "sensor_msgs/msg/RegionOfInterest";
        const DDS_TYPE_NAME: &'static str = "sensor_msgs::msg::dds_::RegionOfInterest_";
        const TYPE_HASH: &'static str =
            "RIHS01_ad16bcba5f9131dcdba6fbded19f726f5440e3c513b4fb586dd3027eeed8abb1";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/RegionOfInterest.msg")),
        );
    }
}
