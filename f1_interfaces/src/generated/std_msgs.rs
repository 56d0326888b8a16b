// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `std_msgs`.

/// Messages of `std_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `std_msgs/msg/Bool`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Bool {
        /// `bool`
        pub data: bool,
    }

    impl crate::Message for Bool {
        const TYPE_NAME: &'static str = "std_msgs/msg/Bool";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Bool_";
        const TYPE_HASH: &'static str =
            "RIHS01_feb91e995ff9ebd09c0cb3d2aed18b11077585839fb5db80193b62d74528f6c9";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Bool.msg")),
        );
    }

    /// `std_msgs/msg/Byte`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Byte {
        /// `byte`
        pub data: u8,
    }

    impl crate::Message for Byte {
        const TYPE_NAME: &'static str = "std_msgs/msg/Byte";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Byte_";
        const TYPE_HASH: &'static str =
            "RIHS01_41e1a3345f73fe93ede006da826a6ee274af23dd4653976ff249b0f44e3e798f";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Byte.msg")),
        );
    }

    /// `std_msgs/msg/ByteMultiArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ByteMultiArray {
        /// `std_msgs/msg/MultiArrayLayout`
        pub layout: crate::std_msgs::msg::MultiArrayLayout,
        /// `byte[]`
        #[serde(with = "serde_bytes")]
        pub data: Vec<u8>,
    }

    impl crate::Message for ByteMultiArray {
        const TYPE_NAME: &'static str = "std_msgs/msg/ByteMultiArray";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::ByteMultiArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_972fec7f50ab3c1d06783c228e79e8a9a509021708c511c059926261ada901d4";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/ByteMultiArray.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayLayout\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayLayout.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayDimension\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayDimension.msg")),
        );
    }

    /// `std_msgs/msg/Char`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Char {
        /// `uint8`
        pub data: u8,
    }

    impl crate::Message for Char {
        const TYPE_NAME: &'static str = "std_msgs/msg/Char";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Char_";
        const TYPE_HASH: &'static str =
            "RIHS01_3ad2d04dd29ba19d04b16659afa3ccaedd691914b02a64e82e252f2fa6a586a9";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Char.msg")),
        );
    }

    /// `std_msgs/msg/ColorRGBA`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct ColorRGBA {
        /// `float32`
        pub r: f32,
        /// `float32`
        pub g: f32,
        /// `float32`
        pub b: f32,
        /// `float32`
        pub a: f32,
    }

    impl crate::Message for ColorRGBA {
        const TYPE_NAME: &'static str = "std_msgs/msg/ColorRGBA";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::ColorRGBA_";
        const TYPE_HASH: &'static str =
            "RIHS01_77a7a5b9ae477306097665106e0413ba74440245b1f3d0c6d6405fe5c7813fe8";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/ColorRGBA.msg")),
        );
    }

    /// `std_msgs/msg/Empty`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Empty {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for Empty {
        const TYPE_NAME: &'static str = "std_msgs/msg/Empty";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Empty_";
        const TYPE_HASH: &'static str =
            "RIHS01_20b625256f32d5dbc0d04fee44f43c41e51c70d3502f84b4a08e7a9c26a96312";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Empty.msg")),
        );
    }

    /// `std_msgs/msg/Float32`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Float32 {
        /// `float32`
        pub data: f32,
    }

    impl crate::Message for Float32 {
        const TYPE_NAME: &'static str = "std_msgs/msg/Float32";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Float32_";
        const TYPE_HASH: &'static str =
            "RIHS01_7170d3d8f841f7be3172ce5f4f59f3a4d7f63b0447e8b33327601ad64d83d6e2";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Float32.msg")),
        );
    }

    /// `std_msgs/msg/Float32MultiArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Float32MultiArray {
        /// `std_msgs/msg/MultiArrayLayout`
        pub layout: crate::std_msgs::msg::MultiArrayLayout,
        /// `float32[]`
        pub data: Vec<f32>,
    }

    impl crate::Message for Float32MultiArray {
        const TYPE_NAME: &'static str = "std_msgs/msg/Float32MultiArray";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Float32MultiArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_0599f6f85b4bfca379873a0b4375a0aca022156bd2d7021275d116ed1fa8bfe0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Float32MultiArray.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayLayout\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayLayout.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayDimension\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayDimension.msg")),
        );
    }

    /// `std_msgs/msg/Float64`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct Float64 {
        /// `float64`
        pub data: f64,
    }

    impl crate::Message for Float64 {
        const TYPE_NAME: &'static str = "std_msgs/msg/Float64";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Float64_";
        const TYPE_HASH: &'static str =
            "RIHS01_705ba9c3d1a09df43737eb67095534de36fd426c0587779bda2bc51fe790182a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Float64.msg")),
        );
    }

    /// `std_msgs/msg/Float64MultiArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct Float64MultiArray {
        /// `std_msgs/msg/MultiArrayLayout`
        pub layout: crate::std_msgs::msg::MultiArrayLayout,
        /// `float64[]`
        pub data: Vec<f64>,
    }

    impl crate::Message for Float64MultiArray {
        const TYPE_NAME: &'static str = "std_msgs/msg/Float64MultiArray";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Float64MultiArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_1025ddc6b9552d191f89ef1a8d2f60f3d373e28b283d8891ddcc974e8c55397f";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Float64MultiArray.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayLayout\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayLayout.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayDimension\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayDimension.msg")),
        );
    }

    /// `std_msgs/msg/Header`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct Header {
        /// `builtin_interfaces/msg/Time`
        pub stamp: crate::builtin_interfaces::msg::Time,
        /// `string`
        pub frame_id: std::string::String,
    }

    impl crate::Message for Header {
        const TYPE_NAME: &'static str = "std_msgs/msg/Header";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Header_";
        const TYPE_HASH: &'static str =
            "RIHS01_f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `std_msgs/msg/Int16`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Int16 {
        /// `int16`
        pub data: i16,
    }

    impl crate::Message for Int16 {
        const TYPE_NAME: &'static str = "std_msgs/msg/Int16";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Int16_";
        const TYPE_HASH: &'static str =
            "RIHS01_1dcc3464e47c288a55f943a389d337cdb06804de3f5cd7a266b0de718eee17e5";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Int16.msg")),
        );
    }

    /// `std_msgs/msg/Int32`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Int32 {
        /// `int32`
        pub data: i32,
    }

    impl crate::Message for Int32 {
        const TYPE_NAME: &'static str = "std_msgs/msg/Int32";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Int32_";
        const TYPE_HASH: &'static str =
            "RIHS01_b6578ded3c58c626cfe8d1a6fb6e04f706f97e9f03d2727c9ff4e74b1cef0deb";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Int32.msg")),
        );
    }

    /// `std_msgs/msg/Int32MultiArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct Int32MultiArray {
        /// `std_msgs/msg/MultiArrayLayout`
        pub layout: crate::std_msgs::msg::MultiArrayLayout,
        /// `int32[]`
        pub data: Vec<i32>,
    }

    impl crate::Message for Int32MultiArray {
        const TYPE_NAME: &'static str = "std_msgs/msg/Int32MultiArray";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Int32MultiArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_84a7346323525d1b4dfca899df3820f245e54009dac5a6b69217d14fdefd1701";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Int32MultiArray.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayLayout\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayLayout.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayDimension\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayDimension.msg")),
        );
    }

    /// `std_msgs/msg/Int64`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Int64 {
        /// `int64`
        pub data: i64,
    }

    impl crate::Message for Int64 {
        const TYPE_NAME: &'static str = "std_msgs/msg/Int64";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Int64_";
        const TYPE_HASH: &'static str =
            "RIHS01_8cd1048c2f186b6bd9a92472dc1ce51723c0833a221e2b7aecfff111774f4b49";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Int64.msg")),
        );
    }

    /// `std_msgs/msg/Int8`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct Int8 {
        /// `int8`
        pub data: i8,
    }

    impl crate::Message for Int8 {
        const TYPE_NAME: &'static str = "std_msgs/msg/Int8";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::Int8_";
        const TYPE_HASH: &'static str =
            "RIHS01_26525065a403d972cb672f0777e333f0c799ad444ae5fcd79e43d1e73bd0f440";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Int8.msg")),
        );
    }

    /// `std_msgs/msg/MultiArrayDimension`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct MultiArrayDimension {
        /// `string`
        pub label: std::string::String,
        /// `uint32`
        pub size: u32,
        /// `uint32`
        pub stride: u32,
    }

    impl crate::Message for MultiArrayDimension {
        const TYPE_NAME: &'static str = "std_msgs/msg/MultiArrayDimension";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::MultiArrayDimension_";
        const TYPE_HASH: &'static str =
            "RIHS01_5e773a60a4c7fc8a54985f307c7837aa2994252a126c301957a24e31282c9cbe";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayDimension.msg")),
        );
    }

    /// `std_msgs/msg/MultiArrayLayout`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct MultiArrayLayout {
        /// `std_msgs/msg/MultiArrayDimension[]`
        pub dim: Vec<crate::std_msgs::msg::MultiArrayDimension>,
        /// `uint32`
        pub data_offset: u32,
    }

    impl crate::Message for MultiArrayLayout {
        const TYPE_NAME: &'static str = "std_msgs/msg/MultiArrayLayout";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::MultiArrayLayout_";
        const TYPE_HASH: &'static str =
            "RIHS01_4c66e6f78e740ac103a94cf63259f968e48c617e7699e829b63c21a5cb50dac6";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayLayout.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayDimension\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayDimension.msg")),
        );
    }

    /// `std_msgs/msg/String`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct String {
        /// `string`
        pub data: std::string::String,
    }

    impl crate::Message for String {
        const TYPE_NAME: &'static str = "std_msgs/msg/String";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::String_";
        const TYPE_HASH: &'static str =
            "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/String.msg")),
        );
    }

    /// `std_msgs/msg/UInt16`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct UInt16 {
        /// `uint16`
        pub data: u16,
    }

    impl crate::Message for UInt16 {
        const TYPE_NAME: &'static str = "std_msgs/msg/UInt16";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::UInt16_";
        const TYPE_HASH: &'static str =
            "RIHS01_08a406e4b022bc22e907f985d6a9e9dd1d4fbecae573549cf49350113e7757b1";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/UInt16.msg")),
        );
    }

    /// `std_msgs/msg/UInt32`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct UInt32 {
        /// `uint32`
        pub data: u32,
    }

    impl crate::Message for UInt32 {
        const TYPE_NAME: &'static str = "std_msgs/msg/UInt32";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::UInt32_";
        const TYPE_HASH: &'static str =
            "RIHS01_a5c874829b752bc5fa190024b0ad76f578cc278271e855c7d02a818b3516fb4a";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/UInt32.msg")),
        );
    }

    /// `std_msgs/msg/UInt64`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct UInt64 {
        /// `uint64`
        pub data: u64,
    }

    impl crate::Message for UInt64 {
        const TYPE_NAME: &'static str = "std_msgs/msg/UInt64";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::UInt64_";
        const TYPE_HASH: &'static str =
            "RIHS01_fbdc52018fc13755dce18024d1a671c856aa8b4aaf63adfb095b608f98e8c943";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/UInt64.msg")),
        );
    }

    /// `std_msgs/msg/UInt8`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct UInt8 {
        /// `uint8`
        pub data: u8,
    }

    impl crate::Message for UInt8 {
        const TYPE_NAME: &'static str = "std_msgs/msg/UInt8";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::UInt8_";
        const TYPE_HASH: &'static str =
            "RIHS01_6138bd83d8c3569cb80a667db03cfc1629f529fee79d944c39c34e352e72f010";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/UInt8.msg")),
        );
    }

    /// `std_msgs/msg/UInt8MultiArray`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct UInt8MultiArray {
        /// `std_msgs/msg/MultiArrayLayout`
        pub layout: crate::std_msgs::msg::MultiArrayLayout,
        /// `uint8[]`
        #[serde(with = "serde_bytes")]
        pub data: Vec<u8>,
    }

    impl crate::Message for UInt8MultiArray {
        const TYPE_NAME: &'static str = "std_msgs/msg/UInt8MultiArray";
        const DDS_TYPE_NAME: &'static str = "std_msgs::msg::dds_::UInt8MultiArray_";
        const TYPE_HASH: &'static str =
            "RIHS01_5687e861b8d307a5e48b7515467ae7a5fc2daf805bd0ce6d8e9e604bade9f385";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/UInt8MultiArray.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayLayout\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayLayout.msg")),
            "================================================================================\nMSG: std_msgs/MultiArrayDimension\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/MultiArrayDimension.msg")),
        );
    }
}
