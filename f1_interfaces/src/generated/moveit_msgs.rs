// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `moveit_msgs`.

/// Messages of `moveit_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `moveit_msgs/msg/AllowedCollisionEntry`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct AllowedCollisionEntry {
        /// `bool[]`
        pub enabled: Vec<bool>,
    }

    impl crate::Message for AllowedCollisionEntry {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/AllowedCollisionEntry";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::AllowedCollisionEntry_";
        const TYPE_HASH: &'static str =
            "RIHS01_eeb7cc3f1bfdb8c778aa7454ae90037c2749dab3ca0abdfe3dad2ae8723977db";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AllowedCollisionEntry.msg")),
        );
    }

    /// `moveit_msgs/msg/AllowedCollisionMatrix`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct AllowedCollisionMatrix {
        /// `string[]`
        pub entry_names: Vec<std::string::String>,
        /// `moveit_msgs/msg/AllowedCollisionEntry[]`
        pub entry_values: Vec<crate::moveit_msgs::msg::AllowedCollisionEntry>,
        /// `string[]`
        pub default_entry_names: Vec<std::string::String>,
        /// `bool[]`
        pub default_entry_values: Vec<bool>,
    }

    impl crate::Message for AllowedCollisionMatrix {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/AllowedCollisionMatrix";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::AllowedCollisionMatrix_";
        const TYPE_HASH: &'static str =
            "RIHS01_ac0159eec0d99f73158c7349c9d1c01b3dc7f749d75a2ea22e74a2a1091a9b05";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AllowedCollisionMatrix.msg")),
            "================================================================================\nMSG: moveit_msgs/AllowedCollisionEntry\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AllowedCollisionEntry.msg")),
        );
    }

    /// `moveit_msgs/msg/AttachedCollisionObject`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct AttachedCollisionObject {
        /// `string`
        pub link_name: std::string::String,
        /// `moveit_msgs/msg/CollisionObject`
        pub object: crate::moveit_msgs::msg::CollisionObject,
        /// `string[]`
        pub touch_links: Vec<std::string::String>,
        /// `trajectory_msgs/msg/JointTrajectory`
        pub detach_posture: crate::trajectory_msgs::msg::JointTrajectory,
        /// `float64`
        pub weight: f64,
    }

    impl crate::Message for AttachedCollisionObject {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/AttachedCollisionObject";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::AttachedCollisionObject_";
        const TYPE_HASH: &'static str =
            "RIHS01_7fdfe7951a33a857f20fc42c9ed410a38d06dd0c209ac774ecea746dc487dc41";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AttachedCollisionObject.msg")),
            "================================================================================\nMSG: moveit_msgs/CollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/CollisionObject.msg")),
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
            "================================================================================\nMSG: object_recognition_msgs/ObjectType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/object_recognition_msgs/msg/ObjectType.msg")),
            "================================================================================\nMSG: shape_msgs/SolidPrimitive\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/SolidPrimitive.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
            "================================================================================\nMSG: shape_msgs/Mesh\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Mesh.msg")),
            "================================================================================\nMSG: shape_msgs/MeshTriangle\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
            "================================================================================\nMSG: shape_msgs/Plane\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Plane.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectory\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectory.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `moveit_msgs/msg/CollisionObject`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct CollisionObject {
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `geometry_msgs/msg/Pose`
        pub pose: crate::geometry_msgs::msg::Pose,
        /// `string`
        pub id: std::string::String,
        /// `object_recognition_msgs/msg/ObjectType`
        pub r#type: crate::object_recognition_msgs::msg::ObjectType,
        /// `shape_msgs/msg/SolidPrimitive[]`
        pub primitives: Vec<crate::shape_msgs::msg::SolidPrimitive>,
        /// `geometry_msgs/msg/Pose[]`
        pub primitive_poses: Vec<crate::geometry_msgs::msg::Pose>,
        /// `shape_msgs/msg/Mesh[]`
        pub meshes: Vec<crate::shape_msgs::msg::Mesh>,
        /// `geometry_msgs/msg/Pose[]`
        pub mesh_poses: Vec<crate::geometry_msgs::msg::Pose>,
        /// `shape_msgs/msg/Plane[]`
        pub planes: Vec<crate::shape_msgs::msg::Plane>,
        /// `geometry_msgs/msg/Pose[]`
        pub plane_poses: Vec<crate::geometry_msgs::msg::Pose>,
        /// `string[]`
        pub subframe_names: Vec<std::string::String>,
        /// `geometry_msgs/msg/Pose[]`
        pub subframe_poses: Vec<crate::geometry_msgs::msg::Pose>,
        /// `byte`
        pub operation: u8,
    }

    impl CollisionObject {
        /// `ADD = 0`
        pub const ADD: u8 = 0;
        /// `REMOVE = 1`
        pub const REMOVE: u8 = 1;
        /// `APPEND = 2`
        pub const APPEND: u8 = 2;
        /// `MOVE = 3`
        pub const MOVE: u8 = 3;
    }

    impl crate::Message for CollisionObject {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/CollisionObject";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::CollisionObject_";
        const TYPE_HASH: &'static str =
            "RIHS01_74b0acd6d56be032bf4f764b2c2633f50588b5fb2bd71e97206c59052747cf7e";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/CollisionObject.msg")),
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
            "================================================================================\nMSG: object_recognition_msgs/ObjectType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/object_recognition_msgs/msg/ObjectType.msg")),
            "================================================================================\nMSG: shape_msgs/SolidPrimitive\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/SolidPrimitive.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
            "================================================================================\nMSG: shape_msgs/Mesh\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Mesh.msg")),
            "================================================================================\nMSG: shape_msgs/MeshTriangle\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
            "================================================================================\nMSG: shape_msgs/Plane\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Plane.msg")),
        );
    }

    /// `moveit_msgs/msg/LinkPadding`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct LinkPadding {
        /// `string`
        pub link_name: std::string::String,
        /// `float64`
        pub padding: f64,
    }

    impl crate::Message for LinkPadding {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/LinkPadding";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::LinkPadding_";
        const TYPE_HASH: &'static str =
            "RIHS01_864762d9e19f758b0385427f75691374cae830495727c96405f2bad0eb20c766";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/LinkPadding.msg")),
        );
    }

    /// `moveit_msgs/msg/LinkScale`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct LinkScale {
        /// `string`
        pub link_name: std::string::String,
        /// `float64`
        pub scale: f64,
    }

    impl crate::Message for LinkScale {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/LinkScale";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::LinkScale_";
        const TYPE_HASH: &'static str =
            "RIHS01_4666a0685f26365ccf4c9bfed0b14c654604fa0564be65c221d8d54fdc7a0f83";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/LinkScale.msg")),
        );
    }

    /// `moveit_msgs/msg/ObjectColor`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ObjectColor {
        /// `string`
        pub id: std::string::String,
        /// `std_msgs/msg/ColorRGBA`
        pub color: crate::std_msgs::msg::ColorRGBA,
    }

    impl crate::Message for ObjectColor {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/ObjectColor";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::ObjectColor_";
        const TYPE_HASH: &'static str =
            "RIHS01_4f937f7b22942a9c4a6409c20255aaad1b5d9a003ae3c0edb779698be443c127";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/ObjectColor.msg")),
            "================================================================================\nMSG: std_msgs/ColorRGBA\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/ColorRGBA.msg")),
        );
    }

    /// `moveit_msgs/msg/PlanningScene`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PlanningScene {
        /// `string`
        pub name: std::string::String,
        /// `moveit_msgs/msg/RobotState`
        pub robot_state: crate::moveit_msgs::msg::RobotState,
        /// `string`
        pub robot_model_name: std::string::String,
        /// `geometry_msgs/msg/TransformStamped[]`
        pub fixed_frame_transforms: Vec<crate::geometry_msgs::msg::TransformStamped>,
        /// `moveit_msgs/msg/AllowedCollisionMatrix`
        pub allowed_collision_matrix: crate::moveit_msgs::msg::AllowedCollisionMatrix,
        /// `moveit_msgs/msg/LinkPadding[]`
        pub link_padding: Vec<crate::moveit_msgs::msg::LinkPadding>,
        /// `moveit_msgs/msg/LinkScale[]`
        pub link_scale: Vec<crate::moveit_msgs::msg::LinkScale>,
        /// `moveit_msgs/msg/ObjectColor[]`
        pub object_colors: Vec<crate::moveit_msgs::msg::ObjectColor>,
        /// `moveit_msgs/msg/PlanningSceneWorld`
        pub world: crate::moveit_msgs::msg::PlanningSceneWorld,
        /// `bool`
        pub is_diff: bool,
    }

    impl crate::Message for PlanningScene {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/PlanningScene";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::PlanningScene_";
        const TYPE_HASH: &'static str =
            "RIHS01_0f58540ad5eab4b9ea827d53b763c793d8cabd202b3b301fcee25afa4ce1bd80";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/PlanningScene.msg")),
            "================================================================================\nMSG: moveit_msgs/RobotState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/RobotState.msg")),
            "================================================================================\nMSG: sensor_msgs/JointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/JointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: sensor_msgs/MultiDOFJointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/MultiDOFJointState.msg")),
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
            "================================================================================\nMSG: moveit_msgs/AttachedCollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AttachedCollisionObject.msg")),
            "================================================================================\nMSG: moveit_msgs/CollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/CollisionObject.msg")),
            "================================================================================\nMSG: geometry_msgs/Pose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: object_recognition_msgs/ObjectType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/object_recognition_msgs/msg/ObjectType.msg")),
            "================================================================================\nMSG: shape_msgs/SolidPrimitive\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/SolidPrimitive.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
            "================================================================================\nMSG: shape_msgs/Mesh\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Mesh.msg")),
            "================================================================================\nMSG: shape_msgs/MeshTriangle\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
            "================================================================================\nMSG: shape_msgs/Plane\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Plane.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectory\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectory.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
            "================================================================================\nMSG: geometry_msgs/TransformStamped\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TransformStamped.msg")),
            "================================================================================\nMSG: moveit_msgs/AllowedCollisionMatrix\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AllowedCollisionMatrix.msg")),
            "================================================================================\nMSG: moveit_msgs/AllowedCollisionEntry\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AllowedCollisionEntry.msg")),
            "================================================================================\nMSG: moveit_msgs/LinkPadding\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/LinkPadding.msg")),
            "================================================================================\nMSG: moveit_msgs/LinkScale\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/LinkScale.msg")),
            "================================================================================\nMSG: moveit_msgs/ObjectColor\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/ObjectColor.msg")),
            "================================================================================\nMSG: std_msgs/ColorRGBA\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/ColorRGBA.msg")),
            "================================================================================\nMSG: moveit_msgs/PlanningSceneWorld\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/PlanningSceneWorld.msg")),
            "================================================================================\nMSG: octomap_msgs/OctomapWithPose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/OctomapWithPose.msg")),
            "================================================================================\nMSG: octomap_msgs/Octomap\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/Octomap.msg")),
        );
    }

    /// `moveit_msgs/msg/PlanningSceneComponents`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct PlanningSceneComponents {
        /// `uint32`
        pub components: u32,
    }

    impl PlanningSceneComponents {
        /// `SCENE_SETTINGS = 1`
        pub const SCENE_SETTINGS: u32 = 1;
        /// `ROBOT_STATE = 2`
        pub const ROBOT_STATE: u32 = 2;
        /// `ROBOT_STATE_ATTACHED_OBJECTS = 4`
        pub const ROBOT_STATE_ATTACHED_OBJECTS: u32 = 4;
        /// `WORLD_OBJECT_NAMES = 8`
        pub const WORLD_OBJECT_NAMES: u32 = 8;
        /// `WORLD_OBJECT_GEOMETRY = 16`
        pub const WORLD_OBJECT_GEOMETRY: u32 = 16;
        /// `OCTOMAP = 32`
        pub const OCTOMAP: u32 = 32;
        /// `TRANSFORMS = 64`
        pub const TRANSFORMS: u32 = 64;
        /// `ALLOWED_COLLISION_MATRIX = 128`
        pub const ALLOWED_COLLISION_MATRIX: u32 = 128;
        /// `LINK_PADDING_AND_SCALING = 256`
        pub const LINK_PADDING_AND_SCALING: u32 = 256;
        /// `OBJECT_COLORS = 512`
        pub const OBJECT_COLORS: u32 = 512;
    }

    impl crate::Message for PlanningSceneComponents {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/PlanningSceneComponents";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::PlanningSceneComponents_";
        const TYPE_HASH: &'static str =
            "RIHS01_76b77cb53f7a0b680d46fad6c0056d3710a74ec335dd5f361f3df62383313d69";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/PlanningSceneComponents.msg")),
        );
    }

    /// `moveit_msgs/msg/PlanningSceneWorld`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PlanningSceneWorld {
        /// `moveit_msgs/msg/CollisionObject[]`
        pub collision_objects: Vec<crate::moveit_msgs::msg::CollisionObject>,
        /// `octomap_msgs/msg/OctomapWithPose`
        pub octomap: crate::octomap_msgs::msg::OctomapWithPose,
    }

    impl crate::Message for PlanningSceneWorld {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/PlanningSceneWorld";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::PlanningSceneWorld_";
        const TYPE_HASH: &'static str =
            "RIHS01_e08e6a4a81ca6b6a6953ac758dadc2c949555093efea6a9a22d9accf62c2c099";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/PlanningSceneWorld.msg")),
            "================================================================================\nMSG: moveit_msgs/CollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/CollisionObject.msg")),
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
            "================================================================================\nMSG: object_recognition_msgs/ObjectType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/object_recognition_msgs/msg/ObjectType.msg")),
            "================================================================================\nMSG: shape_msgs/SolidPrimitive\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/SolidPrimitive.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
            "================================================================================\nMSG: shape_msgs/Mesh\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Mesh.msg")),
            "================================================================================\nMSG: shape_msgs/MeshTriangle\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
            "================================================================================\nMSG: shape_msgs/Plane\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Plane.msg")),
            "================================================================================\nMSG: octomap_msgs/OctomapWithPose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/OctomapWithPose.msg")),
            "================================================================================\nMSG: octomap_msgs/Octomap\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/Octomap.msg")),
        );
    }

    /// `moveit_msgs/msg/RobotState`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct RobotState {
        /// `sensor_msgs/msg/JointState`
        pub joint_state: crate::sensor_msgs::msg::JointState,
        /// `sensor_msgs/msg/MultiDOFJointState`
        pub multi_dof_joint_state: crate::sensor_msgs::msg::MultiDOFJointState,
        /// `moveit_msgs/msg/AttachedCollisionObject[]`
        pub attached_collision_objects: Vec<crate::moveit_msgs::msg::AttachedCollisionObject>,
        /// `bool`
        pub is_diff: bool,
    }

    impl crate::Message for RobotState {
        const TYPE_NAME: &'static str = "moveit_msgs/msg/RobotState";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::msg::dds_::RobotState_";
        const TYPE_HASH: &'static str =
            "RIHS01_7c516dc15713e545cb2836c5ca745fbdcfcc10de4855a41c83e6b4bf1afc3f83";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/RobotState.msg")),
            "================================================================================\nMSG: sensor_msgs/JointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/JointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: sensor_msgs/MultiDOFJointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/MultiDOFJointState.msg")),
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
            "================================================================================\nMSG: moveit_msgs/AttachedCollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AttachedCollisionObject.msg")),
            "================================================================================\nMSG: moveit_msgs/CollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/CollisionObject.msg")),
            "================================================================================\nMSG: geometry_msgs/Pose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: object_recognition_msgs/ObjectType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/object_recognition_msgs/msg/ObjectType.msg")),
            "================================================================================\nMSG: shape_msgs/SolidPrimitive\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/SolidPrimitive.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
            "================================================================================\nMSG: shape_msgs/Mesh\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Mesh.msg")),
            "================================================================================\nMSG: shape_msgs/MeshTriangle\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
            "================================================================================\nMSG: shape_msgs/Plane\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Plane.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectory\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectory.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }
}

/// Services of `moveit_msgs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `moveit_msgs/srv/GetPlanningScene_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct GetPlanningSceneRequest {
        /// `moveit_msgs/msg/PlanningSceneComponents`
        pub components: crate::moveit_msgs::msg::PlanningSceneComponents,
    }

    impl crate::Message for GetPlanningSceneRequest {
        const TYPE_NAME: &'static str = "moveit_msgs/srv/GetPlanningScene_Request";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::srv::dds_::GetPlanningScene_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_ac8ce45f7638bcc6d6661f66e836e4edd218107682f68e3292dac1f79f29c1ec";
        const DEFINITION: &'static str = concat!(
            "PlanningSceneComponents components\n",
            "================================================================================\nMSG: moveit_msgs/PlanningSceneComponents\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/PlanningSceneComponents.msg")),
        );
    }

    /// `moveit_msgs/srv/GetPlanningScene_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct GetPlanningSceneResponse {
        /// `moveit_msgs/msg/PlanningScene`
        pub scene: crate::moveit_msgs::msg::PlanningScene,
    }

    impl crate::Message for GetPlanningSceneResponse {
        const TYPE_NAME: &'static str = "moveit_msgs/srv/GetPlanningScene_Response";
        const DDS_TYPE_NAME: &'static str = "moveit_msgs::srv::dds_::GetPlanningScene_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_8a2b63777b386eeffec08730a19dae73e4950fec294825d9d53f24b935e6ec95";
        const DEFINITION: &'static str = concat!(
            "PlanningScene scene\n",
            "================================================================================\nMSG: moveit_msgs/PlanningScene\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/PlanningScene.msg")),
            "================================================================================\nMSG: moveit_msgs/RobotState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/RobotState.msg")),
            "================================================================================\nMSG: sensor_msgs/JointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/JointState.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: sensor_msgs/MultiDOFJointState\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/sensor_msgs/msg/MultiDOFJointState.msg")),
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
            "================================================================================\nMSG: moveit_msgs/AttachedCollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AttachedCollisionObject.msg")),
            "================================================================================\nMSG: moveit_msgs/CollisionObject\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/CollisionObject.msg")),
            "================================================================================\nMSG: geometry_msgs/Pose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Pose.msg")),
            "================================================================================\nMSG: geometry_msgs/Point\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point.msg")),
            "================================================================================\nMSG: object_recognition_msgs/ObjectType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/object_recognition_msgs/msg/ObjectType.msg")),
            "================================================================================\nMSG: shape_msgs/SolidPrimitive\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/SolidPrimitive.msg")),
            "================================================================================\nMSG: geometry_msgs/Polygon\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Polygon.msg")),
            "================================================================================\nMSG: geometry_msgs/Point32\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/Point32.msg")),
            "================================================================================\nMSG: shape_msgs/Mesh\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Mesh.msg")),
            "================================================================================\nMSG: shape_msgs/MeshTriangle\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/MeshTriangle.msg")),
            "================================================================================\nMSG: shape_msgs/Plane\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/shape_msgs/msg/Plane.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectory\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectory.msg")),
            "================================================================================\nMSG: trajectory_msgs/JointTrajectoryPoint\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/trajectory_msgs/msg/JointTrajectoryPoint.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
            "================================================================================\nMSG: geometry_msgs/TransformStamped\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/geometry_msgs/msg/TransformStamped.msg")),
            "================================================================================\nMSG: moveit_msgs/AllowedCollisionMatrix\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AllowedCollisionMatrix.msg")),
            "================================================================================\nMSG: moveit_msgs/AllowedCollisionEntry\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/AllowedCollisionEntry.msg")),
            "================================================================================\nMSG: moveit_msgs/LinkPadding\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/LinkPadding.msg")),
            "================================================================================\nMSG: moveit_msgs/LinkScale\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/LinkScale.msg")),
            "================================================================================\nMSG: moveit_msgs/ObjectColor\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/ObjectColor.msg")),
            "================================================================================\nMSG: std_msgs/ColorRGBA\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/ColorRGBA.msg")),
            "================================================================================\nMSG: moveit_msgs/PlanningSceneWorld\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/moveit_msgs/msg/PlanningSceneWorld.msg")),
            "================================================================================\nMSG: octomap_msgs/OctomapWithPose\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/OctomapWithPose.msg")),
            "================================================================================\nMSG: octomap_msgs/Octomap\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/octomap_msgs/msg/Octomap.msg")),
        );
    }

    /// Service `moveit_msgs/srv/GetPlanningScene`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetPlanningScene;

    impl crate::Service for GetPlanningScene {
        type Request = GetPlanningSceneRequest;
        type Response = GetPlanningSceneResponse;
        const TYPE_NAME: &'static str = "moveit_msgs/srv/GetPlanningScene";
        const TYPE_HASH: &'static str =
            "RIHS01_7ed7e96238b902174d985b0eb739ea08c95377e8e46a6a9014c22497faf79cd2";
    }
}
