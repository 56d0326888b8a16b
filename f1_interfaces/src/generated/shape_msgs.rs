// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `shape_msgs`.

/// Messages of `shape_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `shape_msgs/msg/Mesh`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Mesh {
        /// `shape_msgs/msg/MeshTriangle[]`
        pub triangles: Vec<crate::shape_msgs::msg::MeshTriangle>,
        /// `geometry_msgs/msg/Point[]`
        pub vertices: Vec<crate::geometry_msgs::msg::Point>,
    }

    impl crate::Message for Mesh {
        const TYPE_NAME: &'static str = "shape_msgs/msg/Mesh";
        const DDS_TYPE_NAME: &'static str = "shape_msgs::msg::dds_::Mesh_";
        const TYPE_HASH: &'static str =
            "RIHS01_f2150b82d8ee7e8bc3f396a2b158aefb4b9a5510a474be271ba1268aebb55289";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Mesh.msg")),
            "================================================================================\nMSG: shape_msgs/MeshTriangle\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
        );
    }

    /// `shape_msgs/msg/MeshTriangle`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct MeshTriangle {
        /// `uint32[3]`
        pub vertex_indices: [u32; 3],
    }

    impl crate::Message for MeshTriangle {
        const TYPE_NAME: &'static str = "shape_msgs/msg/MeshTriangle";
        const DDS_TYPE_NAME: &'static str = "shape_msgs::msg::dds_::MeshTriangle_";
        const TYPE_HASH: &'static str =
            "RIHS01_618e5c073eeb729e433ef6226e72c01d995c459fb7d76348c9700409a5020bd0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
        );
    }

    /// `shape_msgs/msg/Plane`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Plane {
        /// `float64[4]`
        pub coef: [f64; 4],
    }

    impl crate::Message for Plane {
        const TYPE_NAME: &'static str = "shape_msgs/msg/Plane";
        const DDS_TYPE_NAME: &'static str = "shape_msgs::msg::dds_::Plane_";
        const TYPE_HASH: &'static str =
            "RIHS01_dfbfe8314689c850615d4a727af017e9aa86c10e369a606c8c851ef8f16c58c8";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Plane.msg")),
        );
    }

    /// `shape_msgs/msg/SolidPrimitive`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct SolidPrimitive {
        /// `uint8`
        pub r#type: u8,
        /// `float64[<=3]`
        #[serde(serialize_with = "crate::bounded::sequence::serialize::<_, 3, _>", deserialize_with = "crate::bounded::sequence::deserialize::<_, 3, _>")]
        pub dimensions: Vec<f64>,
        /// `geometry_msgs/msg/Polygon`
        pub polygon: crate::geometry_msgs::msg::Polygon,
    }

    impl SolidPrimitive {
        /// `BOX = 1`
        pub const BOX: u8 = 1;
        /// `SPHERE = 2`
        pub const SPHERE: u8 = 2;
        /// `CYLINDER = 3`
        pub const CYLINDER: u8 = 3;
        /// `CONE = 4`
        pub const CONE: u8 = 4;
        /// `PRISM = 5`
        pub const PRISM: u8 = 5;
        /// `BOX_X = 0`
        pub const BOX_X: u8 = 0;
        /// `BOX_Y = 1`
        pub const BOX_Y: u8 = 1;
        /// `BOX_Z = 2`
        pub const BOX_Z: u8 = 2;
        /// `SPHERE_RADIUS = 0`
        pub const SPHERE_RADIUS: u8 = 0;
        /// `CYLINDER_HEIGHT = 0`
        pub const CYLINDER_HEIGHT: u8 = 0;
        /// `CYLINDER_RADIUS = 1`
        pub const CYLINDER_RADIUS: u8 = 1;
        /// `CONE_HEIGHT = 0`
        pub const CONE_HEIGHT: u8 = 0;
        /// `CONE_RADIUS = 1`
        pub const CONE_RADIUS: u8 = 1;
        /// `PRISM_HEIGHT = 0`
        pub const PRISM_HEIGHT: u8 = 0;
    }

    impl crate::Message for SolidPrimitive {
        const TYPE_NAME: &'static str = "shape_msgs/msg/SolidPrimitive";
        const DDS_TYPE_NAME: &'static str = "shape_msgs::msg::dds_::SolidPrimitive_";
        const TYPE_HASH: &'static str =
            "RIHS01_2802a15190aadc3f496584df4b0b4c5824d8a0b31aaef839faa75bc34dda38ac";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/SolidPrimitive.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
        );
    }
}
