//! An interface file, parsed.

use std::collections::BTreeMap;

/// A primitive type of the ROS interface language.
///
/// `char` is an alias of `uint8` there and `byte` is an octet; both become `u8` in Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
    /// `bool`
    Bool,
    /// `byte`
    Byte,
    /// `int8`
    Int8,
    /// `uint8` and `char`
    Uint8,
    /// `int16`
    Int16,
    /// `uint16`
    Uint16,
    /// `int32`
    Int32,
    /// `uint32`
    Uint32,
    /// `int64`
    Int64,
    /// `uint64`
    Uint64,
    /// `float32`
    Float32,
    /// `float64`
    Float64,
}

impl Primitive {
    /// The primitive with this name in an interface file.
    pub fn named(name: &str) -> Option<Primitive> {
        Some(match name {
            "bool" => Primitive::Bool,
            "byte" => Primitive::Byte,
            "int8" => Primitive::Int8,
            "uint8" | "char" => Primitive::Uint8,
            "int16" => Primitive::Int16,
            "uint16" => Primitive::Uint16,
            "int32" => Primitive::Int32,
            "uint32" => Primitive::Uint32,
            "int64" => Primitive::Int64,
            "uint64" => Primitive::Uint64,
            "float32" => Primitive::Float32,
            "float64" => Primitive::Float64,
            _ => return None,
        })
    }

    /// The Rust type.
    pub fn rust(self) -> &'static str {
        match self {
            Primitive::Bool => "bool",
            Primitive::Byte | Primitive::Uint8 => "u8",
            Primitive::Int8 => "i8",
            Primitive::Int16 => "i16",
            Primitive::Uint16 => "u16",
            Primitive::Int32 => "i32",
            Primitive::Uint32 => "u32",
            Primitive::Int64 => "i64",
            Primitive::Uint64 => "u64",
            Primitive::Float32 => "f32",
            Primitive::Float64 => "f64",
        }
    }

    /// True for `float32` and `float64`.
    pub fn is_float(self) -> bool {
        matches!(self, Primitive::Float32 | Primitive::Float64)
    }

    /// True where a sequence of it is a string of bytes (`byte[]`, `uint8[]`, `char[]`).
    pub fn is_octet(self) -> bool {
        matches!(self, Primitive::Byte | Primitive::Uint8)
    }
}

/// The type of one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// A number, a boolean or an octet.
    Primitive(Primitive),
    /// `string`, or `string<=bound`.
    String {
        /// The greatest number of bytes, when limited.
        bound: Option<u32>,
    },
    /// Another structure.
    Nested(Name),
}

/// How many elements a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One element.
    Single,
    /// `[N]`
    Array(u32),
    /// `[]`
    Sequence,
    /// `[<=N]`
    BoundedSequence(u32),
}

/// The kind of file a structure comes from: the middle part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `.msg`
    Msg,
    /// `.srv`
    Srv,
    /// `.action`
    Action,
}

impl Kind {
    /// Folder name and file extension, which are the same word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Msg => "msg",
            Kind::Srv => "srv",
            Kind::Action => "action",
        }
    }
}

/// The full name of a structure, `sensor_msgs/msg/Image`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// `sensor_msgs`
    pub package: String,
    /// `msg`
    pub kind: Kind,
    /// `Image`, `Trigger_Request`
    pub name: String,
}

impl Name {
    /// Makes a name from its parts.
    pub fn new(package: &str, kind: Kind, name: &str) -> Name {
        Name { package: package.to_owned(), kind, name: name.to_owned() }
    }

    /// `sensor_msgs/msg/Image`
    pub fn full(&self) -> String {
        format!("{}/{}/{}", self.package, self.kind.word(), self.name)
    }

    /// `sensor_msgs::msg::dds_::Image_`, the name under which DDS announces it.
    pub fn dds(&self) -> String {
        format!("{}::{}::dds_::{}_", self.package, self.kind.word(), self.name)
    }

    /// The identifier in Rust: `Trigger_Request` becomes `TriggerRequest`.
    pub fn rust(&self) -> String {
        self.name.replace('_', "")
    }
}

/// One field of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the file.
    pub name: String,
    /// Type of one element.
    pub element: Element,
    /// Number of elements.
    pub shape: Shape,
    /// The default as written in the file.
    pub default: Option<String>,
    /// Comment lines before it and behind it.
    pub comment: Vec<String>,
}

/// One constant of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// Its name in the file.
    pub name: String,
    /// Its type: a primitive or a string.
    pub element: Element,
    /// The value as written in the file.
    pub value: String,
    /// Comment lines before it and behind it.
    pub comment: Vec<String>,
}

/// A message, or one part of a service or an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Full name.
    pub name: Name,
    /// Fields in the order of the file. Never empty: see [`EMPTY_MEMBER`].
    pub fields: Vec<Field>,
    /// Constants in the order of the file.
    pub constants: Vec<Constant>,
    /// Comment at the top of the file, set off by an empty line.
    pub comment: Vec<String>,
    /// The text it was read from.
    pub text: String,
}

/// The member that rosidl puts into a structure without fields, because IDL allows none that is
/// empty.
pub const EMPTY_MEMBER: &str = "structure_needs_at_least_one_member";

/// One interface file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interface {
    /// A `.msg` file.
    Message(Structure),
    /// A `.srv` file.
    Service {
        /// `std_srvs/srv/Trigger`
        name: Name,
        /// `std_srvs/srv/Trigger_Request`
        request: Structure,
        /// `std_srvs/srv/Trigger_Response`
        response: Structure,
    },
    /// A `.action` file.
    Action {
        /// `control_msgs/action/FollowJointTrajectory`
        name: Name,
        /// `..._Goal`
        goal: Structure,
        /// `..._Result`
        result: Structure,
        /// `..._Feedback`
        feedback: Structure,
    },
}

impl Interface {
    /// The name of the file's interface.
    pub fn name(&self) -> &Name {
        match self {
            Interface::Message(structure) => &structure.name,
            Interface::Service { name, .. } | Interface::Action { name, .. } => name,
        }
    }

    /// The structures written in the file.
    pub fn structures(&self) -> Vec<&Structure> {
        match self {
            Interface::Message(structure) => vec![structure],
            Interface::Service { request, response, .. } => vec![request, response],
            Interface::Action { goal, result, feedback, .. } => vec![goal, result, feedback],
        }
    }
}

/// All interfaces that were read, by name.
pub type Interfaces = BTreeMap<Name, Interface>;
