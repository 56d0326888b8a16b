// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `type_description_interfaces`.

/// Messages of `type_description_interfaces`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `type_description_interfaces/msg/Field`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct Field {
        /// `string`
        pub name: std::string::String,
        /// `type_description_interfaces/msg/FieldType`
        pub r#type: crate::type_description_interfaces::msg::FieldType,
        /// `string`
        pub default_value: std::string::String,
    }

    impl crate::Message for Field {
        const TYPE_NAME: &'static str = "type_description_interfaces/msg/Field";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::msg::dds_::Field_";
        const TYPE_HASH: &'static str =
            "RIHS01_c0b01379cd4226281285ccaf6be46653968f855f7c5e41614ff5d7a854efef7c";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/Field.msg")),
            "================================================================================\nMSG: type_description_interfaces/FieldType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/FieldType.msg")),
        );
    }

    /// `type_description_interfaces/msg/FieldType`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Eq, Hash)]
    pub struct FieldType {
        /// `uint8`, default `0`
        pub type_id: u8,
        /// `uint64`
        pub capacity: u64,
        /// `uint64`
        pub string_capacity: u64,
        /// `string<=255`
        #[serde(serialize_with = "crate::bounded::string::serialize::<255, _>", deserialize_with = "crate::bounded::string::deserialize::<255, _>")]
        pub nested_type_name: std::string::String,
    }

    impl FieldType {
        /// `FIELD_TYPE_NOT_SET = 0`
        pub const FIELD_TYPE_NOT_SET: u8 = 0;
        /// `FIELD_TYPE_NESTED_TYPE = 1`
        pub const FIELD_TYPE_NESTED_TYPE: u8 = 1;
        /// `FIELD_TYPE_INT8 = 2`
        pub const FIELD_TYPE_INT8: u8 = 2;
        /// `FIELD_TYPE_UINT8 = 3`
        pub const FIELD_TYPE_UINT8: u8 = 3;
        /// `FIELD_TYPE_INT16 = 4`
        pub const FIELD_TYPE_INT16: u8 = 4;
        /// `FIELD_TYPE_UINT16 = 5`
        pub const FIELD_TYPE_UINT16: u8 = 5;
        /// `FIELD_TYPE_INT32 = 6`
        pub const FIELD_TYPE_INT32: u8 = 6;
        /// `FIELD_TYPE_UINT32 = 7`
        pub const FIELD_TYPE_UINT32: u8 = 7;
        /// `FIELD_TYPE_INT64 = 8`
        pub const FIELD_TYPE_INT64: u8 = 8;
        /// `FIELD_TYPE_UINT64 = 9`
        pub const FIELD_TYPE_UINT64: u8 = 9;
        /// `FIELD_TYPE_FLOAT = 10`
        pub const FIELD_TYPE_FLOAT: u8 = 10;
        /// `FIELD_TYPE_DOUBLE = 11`
        pub const FIELD_TYPE_DOUBLE: u8 = 11;
        /// `FIELD_TYPE_LONG_DOUBLE = 12`
        pub const FIELD_TYPE_LONG_DOUBLE: u8 = 12;
        /// `FIELD_TYPE_CHAR = 13`
        pub const FIELD_TYPE_CHAR: u8 = 13;
        /// `FIELD_TYPE_WCHAR = 14`
        pub const FIELD_TYPE_WCHAR: u8 = 14;
        /// `FIELD_TYPE_BOOLEAN = 15`
        pub const FIELD_TYPE_BOOLEAN: u8 = 15;
        /// `FIELD_TYPE_BYTE = 16`
        pub const FIELD_TYPE_BYTE: u8 = 16;
        /// `FIELD_TYPE_STRING = 17`
        pub const FIELD_TYPE_STRING: u8 = 17;
        /// `FIELD_TYPE_WSTRING = 18`
        pub const FIELD_TYPE_WSTRING: u8 = 18;
        /// `FIELD_TYPE_FIXED_STRING = 19`
        pub const FIELD_TYPE_FIXED_STRING: u8 = 19;
        /// `FIELD_TYPE_FIXED_WSTRING = 20`
        pub const FIELD_TYPE_FIXED_WSTRING: u8 = 20;
        /// `FIELD_TYPE_BOUNDED_STRING = 21`
        pub const FIELD_TYPE_BOUNDED_STRING: u8 = 21;
        /// `FIELD_TYPE_BOUNDED_WSTRING = 22`
        pub const FIELD_TYPE_BOUNDED_WSTRING: u8 = 22;
        /// `FIELD_TYPE_NESTED_TYPE_ARRAY = 49`
        pub const FIELD_TYPE_NESTED_TYPE_ARRAY: u8 = 49;
        /// `FIELD_TYPE_INT8_ARRAY = 50`
        pub const FIELD_TYPE_INT8_ARRAY: u8 = 50;
        /// `FIELD_TYPE_UINT8_ARRAY = 51`
        pub const FIELD_TYPE_UINT8_ARRAY: u8 = 51;
        /// `FIELD_TYPE_INT16_ARRAY = 52`
        pub const FIELD_TYPE_INT16_ARRAY: u8 = 52;
        /// `FIELD_TYPE_UINT16_ARRAY = 53`
        pub const FIELD_TYPE_UINT16_ARRAY: u8 = 53;
        /// `FIELD_TYPE_INT32_ARRAY = 54`
        pub const FIELD_TYPE_INT32_ARRAY: u8 = 54;
        /// `FIELD_TYPE_UINT32_ARRAY = 55`
        pub const FIELD_TYPE_UINT32_ARRAY: u8 = 55;
        /// `FIELD_TYPE_INT64_ARRAY = 56`
        pub const FIELD_TYPE_INT64_ARRAY: u8 = 56;
        /// `FIELD_TYPE_UINT64_ARRAY = 57`
        pub const FIELD_TYPE_UINT64_ARRAY: u8 = 57;
        /// `FIELD_TYPE_FLOAT_ARRAY = 58`
        pub const FIELD_TYPE_FLOAT_ARRAY: u8 = 58;
        /// `FIELD_TYPE_DOUBLE_ARRAY = 59`
        pub const FIELD_TYPE_DOUBLE_ARRAY: u8 = 59;
        /// `FIELD_TYPE_LONG_DOUBLE_ARRAY = 60`
        pub const FIELD_TYPE_LONG_DOUBLE_ARRAY: u8 = 60;
        /// `FIELD_TYPE_CHAR_ARRAY = 61`
        pub const FIELD_TYPE_CHAR_ARRAY: u8 = 61;
        /// `FIELD_TYPE_WCHAR_ARRAY = 62`
        pub const FIELD_TYPE_WCHAR_ARRAY: u8 = 62;
        /// `FIELD_TYPE_BOOLEAN_ARRAY = 63`
        pub const FIELD_TYPE_BOOLEAN_ARRAY: u8 = 63;
        /// `FIELD_TYPE_BYTE_ARRAY = 64`
        pub const FIELD_TYPE_BYTE_ARRAY: u8 = 64;
        /// `FIELD_TYPE_STRING_ARRAY = 65`
        pub const FIELD_TYPE_STRING_ARRAY: u8 = 65;
        /// `FIELD_TYPE_WSTRING_ARRAY = 66`
        pub const FIELD_TYPE_WSTRING_ARRAY: u8 = 66;
        /// `FIELD_TYPE_FIXED_STRING_ARRAY = 67`
        pub const FIELD_TYPE_FIXED_STRING_ARRAY: u8 = 67;
        /// `FIELD_TYPE_FIXED_WSTRING_ARRAY = 68`
        pub const FIELD_TYPE_FIXED_WSTRING_ARRAY: u8 = 68;
        /// `FIELD_TYPE_BOUNDED_STRING_ARRAY = 69`
        pub const FIELD_TYPE_BOUNDED_STRING_ARRAY: u8 = 69;
        /// `FIELD_TYPE_BOUNDED_WSTRING_ARRAY = 70`
        pub const FIELD_TYPE_BOUNDED_WSTRING_ARRAY: u8 = 70;
        /// `FIELD_TYPE_NESTED_TYPE_BOUNDED_SEQUENCE = 97`
        pub const FIELD_TYPE_NESTED_TYPE_BOUNDED_SEQUENCE: u8 = 97;
        /// `FIELD_TYPE_INT8_BOUNDED_SEQUENCE = 98`
        pub const FIELD_TYPE_INT8_BOUNDED_SEQUENCE: u8 = 98;
        /// `FIELD_TYPE_UINT8_BOUNDED_SEQUENCE = 99`
        pub const FIELD_TYPE_UINT8_BOUNDED_SEQUENCE: u8 = 99;
        /// `FIELD_TYPE_INT16_BOUNDED_SEQUENCE = 100`
        pub const FIELD_TYPE_INT16_BOUNDED_SEQUENCE: u8 = 100;
        /// `FIELD_TYPE_UINT16_BOUNDED_SEQUENCE = 101`
        pub const FIELD_TYPE_UINT16_BOUNDED_SEQUENCE: u8 = 101;
        /// `FIELD_TYPE_INT32_BOUNDED_SEQUENCE = 102`
        pub const FIELD_TYPE_INT32_BOUNDED_SEQUENCE: u8 = 102;
        /// `FIELD_TYPE_UINT32_BOUNDED_SEQUENCE = 103`
        pub const FIELD_TYPE_UINT32_BOUNDED_SEQUENCE: u8 = 103;
        /// `FIELD_TYPE_INT64_BOUNDED_SEQUENCE = 104`
        pub const FIELD_TYPE_INT64_BOUNDED_SEQUENCE: u8 = 104;
        /// `FIELD_TYPE_UINT64_BOUNDED_SEQUENCE = 105`
        pub const FIELD_TYPE_UINT64_BOUNDED_SEQUENCE: u8 = 105;
        /// `FIELD_TYPE_FLOAT_BOUNDED_SEQUENCE = 106`
        pub const FIELD_TYPE_FLOAT_BOUNDED_SEQUENCE: u8 = 106;
        /// `FIELD_TYPE_DOUBLE_BOUNDED_SEQUENCE = 107`
        pub const FIELD_TYPE_DOUBLE_BOUNDED_SEQUENCE: u8 = 107;
        /// `FIELD_TYPE_LONG_DOUBLE_BOUNDED_SEQUENCE = 108`
        pub const FIELD_TYPE_LONG_DOUBLE_BOUNDED_SEQUENCE: u8 = 108;
        /// `FIELD_TYPE_CHAR_BOUNDED_SEQUENCE = 109`
        pub const FIELD_TYPE_CHAR_BOUNDED_SEQUENCE: u8 = 109;
        /// `FIELD_TYPE_WCHAR_BOUNDED_SEQUENCE = 110`
        pub const FIELD_TYPE_WCHAR_BOUNDED_SEQUENCE: u8 = 110;
        /// `FIELD_TYPE_BOOLEAN_BOUNDED_SEQUENCE = 111`
        pub const FIELD_TYPE_BOOLEAN_BOUNDED_SEQUENCE: u8 = 111;
        /// `FIELD_TYPE_BYTE_BOUNDED_SEQUENCE = 112`
        pub const FIELD_TYPE_BYTE_BOUNDED_SEQUENCE: u8 = 112;
        /// `FIELD_TYPE_STRING_BOUNDED_SEQUENCE = 113`
        pub const FIELD_TYPE_STRING_BOUNDED_SEQUENCE: u8 = 113;
        /// `FIELD_TYPE_WSTRING_BOUNDED_SEQUENCE = 114`
        pub const FIELD_TYPE_WSTRING_BOUNDED_SEQUENCE: u8 = 114;
        /// `FIELD_TYPE_FIXED_STRING_BOUNDED_SEQUENCE = 115`
        pub const FIELD_TYPE_FIXED_STRING_BOUNDED_SEQUENCE: u8 = 115;
        /// `FIELD_TYPE_FIXED_WSTRING_BOUNDED_SEQUENCE = 116`
        pub const FIELD_TYPE_FIXED_WSTRING_BOUNDED_SEQUENCE: u8 = 116;
        /// `FIELD_TYPE_BOUNDED_STRING_BOUNDED_SEQUENCE = 117`
        pub const FIELD_TYPE_BOUNDED_STRING_BOUNDED_SEQUENCE: u8 = 117;
        /// `FIELD_TYPE_BOUNDED_WSTRING_BOUNDED_SEQUENCE = 118`
        pub const FIELD_TYPE_BOUNDED_WSTRING_BOUNDED_SEQUENCE: u8 = 118;
        /// `FIELD_TYPE_NESTED_TYPE_UNBOUNDED_SEQUENCE = 145`
        pub const FIELD_TYPE_NESTED_TYPE_UNBOUNDED_SEQUENCE: u8 = 145;
        /// `FIELD_TYPE_INT8_UNBOUNDED_SEQUENCE = 146`
        pub const FIELD_TYPE_INT8_UNBOUNDED_SEQUENCE: u8 = 146;
        /// `FIELD_TYPE_UINT8_UNBOUNDED_SEQUENCE = 147`
        pub const FIELD_TYPE_UINT8_UNBOUNDED_SEQUENCE: u8 = 147;
        /// `FIELD_TYPE_INT16_UNBOUNDED_SEQUENCE = 148`
        pub const FIELD_TYPE_INT16_UNBOUNDED_SEQUENCE: u8 = 148;
        /// `FIELD_TYPE_UINT16_UNBOUNDED_SEQUENCE = 149`
        pub const FIELD_TYPE_UINT16_UNBOUNDED_SEQUENCE: u8 = 149;
        /// `FIELD_TYPE_INT32_UNBOUNDED_SEQUENCE = 150`
        pub const FIELD_TYPE_INT32_UNBOUNDED_SEQUENCE: u8 = 150;
        /// `FIELD_TYPE_UINT32_UNBOUNDED_SEQUENCE = 151`
        pub const FIELD_TYPE_UINT32_UNBOUNDED_SEQUENCE: u8 = 151;
        /// `FIELD_TYPE_INT64_UNBOUNDED_SEQUENCE = 152`
        pub const FIELD_TYPE_INT64_UNBOUNDED_SEQUENCE: u8 = 152;
        /// `FIELD_TYPE_UINT64_UNBOUNDED_SEQUENCE = 153`
        pub const FIELD_TYPE_UINT64_UNBOUNDED_SEQUENCE: u8 = 153;
        /// `FIELD_TYPE_FLOAT_UNBOUNDED_SEQUENCE = 154`
        pub const FIELD_TYPE_FLOAT_UNBOUNDED_SEQUENCE: u8 = 154;
        /// `FIELD_TYPE_DOUBLE_UNBOUNDED_SEQUENCE = 155`
        pub const FIELD_TYPE_DOUBLE_UNBOUNDED_SEQUENCE: u8 = 155;
        /// `FIELD_TYPE_LONG_DOUBLE_UNBOUNDED_SEQUENCE = 156`
        pub const FIELD_TYPE_LONG_DOUBLE_UNBOUNDED_SEQUENCE: u8 = 156;
        /// `FIELD_TYPE_CHAR_UNBOUNDED_SEQUENCE = 157`
        pub const FIELD_TYPE_CHAR_UNBOUNDED_SEQUENCE: u8 = 157;
        /// `FIELD_TYPE_WCHAR_UNBOUNDED_SEQUENCE = 158`
        pub const FIELD_TYPE_WCHAR_UNBOUNDED_SEQUENCE: u8 = 158;
        /// `FIELD_TYPE_BOOLEAN_UNBOUNDED_SEQUENCE = 159`
        pub const FIELD_TYPE_BOOLEAN_UNBOUNDED_SEQUENCE: u8 = 159;
        /// `FIELD_TYPE_BYTE_UNBOUNDED_SEQUENCE = 160`
        pub const FIELD_TYPE_BYTE_UNBOUNDED_SEQUENCE: u8 = 160;
        /// `FIELD_TYPE_STRING_UNBOUNDED_SEQUENCE = 161`
        pub const FIELD_TYPE_STRING_UNBOUNDED_SEQUENCE: u8 = 161;
        /// `FIELD_TYPE_WSTRING_UNBOUNDED_SEQUENCE = 162`
        pub const FIELD_TYPE_WSTRING_UNBOUNDED_SEQUENCE: u8 = 162;
        /// `FIELD_TYPE_FIXED_STRING_UNBOUNDED_SEQUENCE = 163`
        pub const FIELD_TYPE_FIXED_STRING_UNBOUNDED_SEQUENCE: u8 = 163;
        /// `FIELD_TYPE_FIXED_WSTRING_UNBOUNDED_SEQUENCE = 164`
        pub const FIELD_TYPE_FIXED_WSTRING_UNBOUNDED_SEQUENCE: u8 = 164;
        /// `FIELD_TYPE_BOUNDED_STRING_UNBOUNDED_SEQUENCE = 165`
        pub const FIELD_TYPE_BOUNDED_STRING_UNBOUNDED_SEQUENCE: u8 = 165;
        /// `FIELD_TYPE_BOUNDED_WSTRING_UNBOUNDED_SEQUENCE = 166`
        pub const FIELD_TYPE_BOUNDED_WSTRING_UNBOUNDED_SEQUENCE: u8 = 166;
    }

    impl Default for FieldType {
        fn default() -> Self {
            Self {
                type_id: 0,
                capacity: Default::default(),
                string_capacity: Default::default(),
                nested_type_name: Default::default(),
            }
        }
    }

    impl crate::Message for FieldType {
        const TYPE_NAME: &'static str = "type_description_interfaces/msg/FieldType";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::msg::dds_::FieldType_";
        const TYPE_HASH: &'static str =
            "RIHS01_a70b6dd919645a03a3586f7f821defbc886ea3e531a1d95cc0f380a3973ccaa6";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/FieldType.msg")),
        );
    }

    /// `type_description_interfaces/msg/IndividualTypeDescription`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct IndividualTypeDescription {
        /// `string<=255`
        #[serde(serialize_with = "crate::bounded::string::serialize::<255, _>", deserialize_with = "crate::bounded::string::deserialize::<255, _>")]
        pub type_name: std::string::String,
        /// `type_description_interfaces/msg/Field[]`
        pub fields: Vec<crate::type_description_interfaces::msg::Field>,
    }

    impl crate::Message for IndividualTypeDescription {
        const TYPE_NAME: &'static str = "type_description_interfaces/msg/IndividualTypeDescription";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::msg::dds_::IndividualTypeDescription_";
        const TYPE_HASH: &'static str =
            "RIHS01_55c827d86c3c141bdd318fe6c22e11190e4d3b37c8f4f9751a084aa05ce96560";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/IndividualTypeDescription.msg")),
            "================================================================================\nMSG: type_description_interfaces/Field\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/Field.msg")),
            "================================================================================\nMSG: type_description_interfaces/FieldType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/FieldType.msg")),
        );
    }

    /// `type_description_interfaces/msg/KeyValue`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct KeyValue {
        /// `string`
        pub key: std::string::String,
        /// `string`
        pub value: std::string::String,
    }

    impl crate::Message for KeyValue {
        const TYPE_NAME: &'static str = "type_description_interfaces/msg/KeyValue";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::msg::dds_::KeyValue_";
        const TYPE_HASH: &'static str =
            "RIHS01_274fe56bf14f33c7512e34c646a37579ee36779f745f049a9760763e817f0c42";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/KeyValue.msg")),
        );
    }

    /// `type_description_interfaces/msg/TypeDescription`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct TypeDescription {
        /// `type_description_interfaces/msg/IndividualTypeDescription`
        pub type_description: crate::type_description_interfaces::msg::IndividualTypeDescription,
        /// `type_description_interfaces/msg/IndividualTypeDescription[]`
        pub referenced_type_descriptions: Vec<crate::type_description_interfaces::msg::IndividualTypeDescription>,
    }

    impl crate::Message for TypeDescription {
        const TYPE_NAME: &'static str = "type_description_interfaces/msg/TypeDescription";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::msg::dds_::TypeDescription_";
        const TYPE_HASH: &'static str =
            "RIHS01_739f2508c9fa3a6f330913ff5b9d25fb74159a077da71e1087f51a60c12a080b";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/TypeDescription.msg")),
            "================================================================================\nMSG: type_description_interfaces/IndividualTypeDescription\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/IndividualTypeDescription.msg")),
            "================================================================================\nMSG: type_description_interfaces/Field\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/Field.msg")),
            "================================================================================\nMSG: type_description_interfaces/FieldType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/FieldType.msg")),
        );
    }

    /// `type_description_interfaces/msg/TypeSource`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct TypeSource {
        /// `string`
        pub type_name: std::string::String,
        /// `string`
        pub encoding: std::string::String,
        /// `string`
        pub raw_file_contents: std::string::String,
    }

    impl crate::Message for TypeSource {
        const TYPE_NAME: &'static str = "type_description_interfaces/msg/TypeSource";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::msg::dds_::TypeSource_";
        const TYPE_HASH: &'static str =
            "RIHS01_faeaec7596c04ecf5b6e99ad225e4c7cbb997ad5435f793526fb3984d011aae5";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/TypeSource.msg")),
        );
    }
}

/// Services of `type_description_interfaces`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `type_description_interfaces/srv/GetTypeDescription_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Eq, Hash)]
    pub struct GetTypeDescriptionRequest {
        /// `string`
        pub type_name: std::string::String,
        /// `string`
        pub type_hash: std::string::String,
        /// `bool`, default `true`
        pub include_type_sources: bool,
    }

    impl Default for GetTypeDescriptionRequest {
        fn default() -> Self {
            Self {
                type_name: Default::default(),
                type_hash: Default::default(),
                include_type_sources: true,
            }
        }
    }

    impl crate::Message for GetTypeDescriptionRequest {
        const TYPE_NAME: &'static str = "type_description_interfaces/srv/GetTypeDescription_Request";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::srv::dds_::GetTypeDescription_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_470f56ccbcf13d55c78c8b735fb12da03e639e5acded994426c89d94778d9e28";
        const DEFINITION: &'static str = concat!(
            "string type_name\nstring type_hash\nbool include_type_sources true\n",
        );
    }

    /// `type_description_interfaces/srv/GetTypeDescription_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetTypeDescriptionResponse {
        /// `bool`
        pub successful: bool,
        /// `string`
        pub failure_reason: std::string::String,
        /// `type_description_interfaces/msg/TypeDescription`
        pub type_description: crate::type_description_interfaces::msg::TypeDescription,
        /// `type_description_interfaces/msg/TypeSource[]`
        pub type_sources: Vec<crate::type_description_interfaces::msg::TypeSource>,
        /// `type_description_interfaces/msg/KeyValue[]`
        pub extra_information: Vec<crate::type_description_interfaces::msg::KeyValue>,
    }

    impl crate::Message for GetTypeDescriptionResponse {
        const TYPE_NAME: &'static str = "type_description_interfaces/srv/GetTypeDescription_Response";
        const DDS_TYPE_NAME: &'static str = "type_description_interfaces::srv::dds_::GetTypeDescription_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_648c49d976240861a482f961c5621ddd0d2135d8cce6f297a76d4f6376d93b75";
        const DEFINITION: &'static str = concat!(
            "bool successful\nstring failure_reason\nTypeDescription type_description\nTypeSource[] type_sources\nKeyValue[] extra_information\n",
            "================================================================================\nMSG: type_description_interfaces/TypeDescription\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/TypeDescription.msg")),
            "================================================================================\nMSG: type_description_interfaces/IndividualTypeDescription\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/IndividualTypeDescription.msg")),
            "================================================================================\nMSG: type_description_interfaces/Field\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/Field.msg")),
            "================================================================================\nMSG: type_description_interfaces/FieldType\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/FieldType.msg")),
            "================================================================================\nMSG: type_description_interfaces/TypeSource\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/TypeSource.msg")),
            "================================================================================\nMSG: type_description_interfaces/KeyValue\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/type_description_interfaces/msg/KeyValue.msg")),
        );
    }

    /// Service `type_description_interfaces/srv/GetTypeDescription`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetTypeDescription;

    impl crate::Service for GetTypeDescription {
        type Request = GetTypeDescriptionRequest;
        type Response = GetTypeDescriptionResponse;
        const TYPE_NAME: &'static str = "type_description_interfaces/srv/GetTypeDescription";
        const TYPE_HASH: &'static str =
            "RIHS01_69b9c19c1021405984cc60dbbb1edceb147a6538b411d812ba6afabeed962cd5";
    }
}
