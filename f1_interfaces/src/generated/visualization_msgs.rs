// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `visualization_msgs`.

/// Messages of `visualization_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `visualization_msgs/msg/Marker`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Marker {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `string`
        pub ns: std::string::String,
        /// `int32`
        pub id: i32,
        /// `int32`
        pub r#type: i32,
        /// `int32`
        pub action: i32,
        /// `geometry_msgs/msg/Pose`
        pub pose: crate::geometry_msgs::msg::Pose,
        /// `geometry_msgs/msg/Vector3`
        pub scale: crate::geometry_msgs::msg::Vector3,
        /// `std_msgs/msg/ColorRGBA`
        pub color: crate::std_msgs::msg::ColorRGBA,
        /// `builtin_interfaces/msg/Duration`
        pub lifetime: crate::builtin_interfaces::msg::Duration,
        /// `bool`
        pub frame_locked: bool,
        /// `geometry_msgs/msg/Point[]`
        pub points: Vec<crate::geometry_msgs::msg::Point>,
        /// `std_msgs/msg/ColorRGBA[]`
        pub colors: Vec<crate::std_msgs::msg::ColorRGBA>,
        /// `string`
        pub texture_resource: std::string::String,
        /// `sensor_msgs/msg/CompressedImage`
        pub texture: crate::sensor_msgs::msg::CompressedImage,
        /// `visualization_msgs/msg/UVCoordinate[]`
        pub uv_coordinates: Vec<crate::visualization_msgs::msg::UVCoordinate>,
        /// `string`
        pub text: std::string::String,
        /// `string`
        pub mesh_resource: std::string::String,
        /// `visualization_msgs/msg/MeshFile`
        pub mesh_file: crate::visualization_msgs::msg::MeshFile,
        /// `bool`
        pub mesh_use_embedded_materials: bool,
    }

    impl Marker {
        /// `ARROW = 0`
        pub const ARROW: i32 = 0;
        /// `CUBE = 1`
        pub const CUBE: i32 = 1;
        /// `SPHERE = 2`
        pub const SPHERE: i32 = 2;
        /// `CYLINDER = 3`
        pub const CYLINDER: i32 = 3;
        /// `LINE_STRIP = 4`
        pub const LINE_STRIP: i32 = 4;
        /// `LINE_LIST = 5`
        pub const LINE_LIST: i32 = 5;
        /// `CUBE_LIST = 6`
        pub const CUBE_LIST: i32 = 6;
        /// `SPHERE_LIST = 7`
        pub const SPHERE_LIST: i32 = 7;
        /// `POINTS = 8`
        pub const POINTS: i32 = 8;
        /// `TEXT_VIEW_FACING = 9`
        pub const TEXT_VIEW_FACING: i32 = 9;
        /// `MESH_RESOURCE = 10`
        pub const MESH_RESOURCE: i32 = 10;
        /// `TRIANGLE_LIST = 11`
        pub const TRIANGLE_LIST: i32 = 11;
        /// `ARROW_STRIP = 12`
        pub const ARROW_STRIP: i32 = 12;
        /// `ADD = 0`
        pub const ADD: i32 = 0;
        /// `MODIFY = 0`
        pub const MODIFY: i32 = 0;
        /// `DELETE = 2`
        pub const DELETE: i32 = 2;
        /// `DELETEALL = 3`
        pub const DELETEALL: i32 = 3;
    }

    impl crate::Message for Marker {
        const TYPE_NAME: &'static str = "visualization_msgs/msg/Marker";
        const DDS_TYPE_NAME: &'static str = "visualization_msgs::msg::dds_::Marker_";
        const TYPE_HASH: &'static str =
            "RIHS01_45b13ccf791f225962bf74e746f9644518855d783a6f42ba0cc14fde2b4f3ce0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/Marker.msg")),
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
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: std_msgs/ColorRGBA\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/ColorRGBA.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
            "================================================================================\nMSG: sensor_msgs/CompressedImage\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/CompressedImage.msg")),
            "================================================================================\nMSG: visualization_msgs/UVCoordinate\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/UVCoordinate.msg")),
            "================================================================================\nMSG: visualization_msgs/MeshFile\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/MeshFile.msg")),
        );
    }

    /// `visualization_msgs/msg/MarkerArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct MarkerArray {
        /// `visualization_msgs/msg/Marker[]`
        pub markers: Vec<crate::visualization_msgs::msg::Marker>,
    }

    impl crate::Message for MarkerArray {
        const TYPE_NAME: &'static str = "visualization_msgs/msg/MarkerArray";
        const DDS_TYPE_NAME: &'static str = "visualization_msgs::msg::dds_::MarkerArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_86cb8800b6fb05b5eff1abd7a56f62a5641d3ae9a1c29e78e67e704f1d067dcf";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/MarkerArray.msg")),
            "================================================================================\nMSG: visualization_msgs/Marker\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/Marker.msg")),
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
            "================================================================================\nMSG: geometry_msgs/Vector3\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Vector3.msg")),
            "================================================================================\nMSG: std_msgs/ColorRGBA\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/ColorRGBA.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
            "================================================================================\nMSG: sensor_msgs/CompressedImage\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/CompressedImage.msg")),
            "================================================================================\nMSG: visualization_msgs/UVCoordinate\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/UVCoordinate.msg")),
            "================================================================================\nMSG: visualization_msgs/MeshFile\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/MeshFile.msg")),
        );
    }

    /// `visualization_msgs/msg/MeshFile`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct MeshFile {
        /// `string`
        pub filename: std::string::String,
        /// `uint8[]`
        #[serde(with = "serde_bytes")]
        pub data: Vec<u8>,
    }

    impl crate::Message for MeshFile {
        const TYPE_NAME: &'static str = "visualization_msgs/msg/MeshFile";
        const DDS_TYPE_NAME: &'static str = "visualization_msgs::msg::dds_::MeshFile_";
        const TYPE_HASH: &'static str =
            "RIHS01_7710ece15a148fb7c9b546364cfb215bb06098087bd6394fe5b73a493508f8c4";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/MeshFile.msg")),
        );
    }

    /// `visualization_msgs/msg/UVCoordinate`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct UVCoordinate {
        /// `float32`
        pub u: f32,
        /// `float32`
        pub v: f32,
    }

    impl crate::Message for UVCoordinate {
        const TYPE_NAME: &'static str = "visualization_msgs/msg/UVCoordinate";
        const DDS_TYPE_NAME: &'static str = "visualization_msgs::msg::dds_::UVCoordinate_";
        const TYPE_HASH: &'static str =
            "RIHS01_f27f7ed21fe360c6066944f856b801a0c0d1e94e815b6886444b42d90b196a26";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/visualization_msgs/msg/UVCoordinate.msg")),
        );
    }
}
