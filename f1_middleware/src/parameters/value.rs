//! The value of a parameter: one of the ten kinds of `rcl_interfaces/ParameterValue`.

use std::fmt;

use f1_interfaces::rcl_interfaces::msg::ParameterValue as Wire;

/// A parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    NotSet,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float.
    Double(f64),
    /// A text.
    String(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// Booleans.
    Bools(Vec<bool>),
    /// Integers.
    Integers(Vec<i64>),
    /// Floats.
    Doubles(Vec<f64>),
    /// Texts.
    Strings(Vec<String>),
}

/// The kind of a [`Value`], with the numbers of `rcl_interfaces/ParameterType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// No value.
    NotSet = 0,
    /// A boolean.
    Bool = 1,
    /// A 64-bit integer.
    Integer = 2,
    /// A 64-bit float.
    Double = 3,
    /// A text.
    String = 4,
    /// Raw bytes.
    Bytes = 5,
    /// Booleans.
    Bools = 6,
    /// Integers.
    Integers = 7,
    /// Floats.
    Doubles = 8,
    /// Texts.
    Strings = 9,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::NotSet => "not set",
            Kind::Bool => "bool",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::String => "string",
            Kind::Bytes => "byte array",
            Kind::Bools => "bool array",
            Kind::Integers => "integer array",
            Kind::Doubles => "double array",
            Kind::Strings => "string array",
        })
    }
}

impl Value {
    /// The kind of this value.
    pub fn kind(&self) -> Kind {
        match self {
            Value::NotSet => Kind::NotSet,
            Value::Bool(_) => Kind::Bool,
            Value::Integer(_) => Kind::Integer,
            Value::Double(_) => Kind::Double,
            Value::String(_) => Kind::String,
            Value::Bytes(_) => Kind::Bytes,
            Value::Bools(_) => Kind::Bools,
            Value::Integers(_) => Kind::Integers,
            Value::Doubles(_) => Kind::Doubles,
            Value::Strings(_) => Kind::Strings,
        }
    }

    /// The value as `kind` where that loses nothing: an integer where a double is wanted, an empty
    /// list of any kind where another kind of list is wanted (YAML `[]` names no kind).
    pub fn coerce(self, kind: Kind) -> Result<Value, Value> {
        match (self, kind) {
            (value, kind) if value.kind() == kind => Ok(value),
            (Value::Integer(value), Kind::Double) => Ok(Value::Double(value as f64)),
            (Value::Integers(values), Kind::Doubles) => {
                Ok(Value::Doubles(values.into_iter().map(|v| v as f64).collect()))
            }
            (value, Kind::Bytes) if value.is_empty_list() => Ok(Value::Bytes(Vec::new())),
            (value, Kind::Bools) if value.is_empty_list() => Ok(Value::Bools(Vec::new())),
            (value, Kind::Integers) if value.is_empty_list() => Ok(Value::Integers(Vec::new())),
            (value, Kind::Doubles) if value.is_empty_list() => Ok(Value::Doubles(Vec::new())),
            (value, Kind::Strings) if value.is_empty_list() => Ok(Value::Strings(Vec::new())),
            (value, _) => Err(value),
        }
    }

    fn is_empty_list(&self) -> bool {
        match self {
            Value::Bytes(values) => values.is_empty(),
            Value::Bools(values) => values.is_empty(),
            Value::Integers(values) => values.is_empty(),
            Value::Doubles(values) => values.is_empty(),
            Value::Strings(values) => values.is_empty(),
            _ => false,
        }
    }

    /// As the message `rcl_interfaces/ParameterValue`.
    pub fn to_message(&self) -> Wire {
        let mut wire = Wire { r#type: self.kind() as u8, ..Wire::default() };
        match self {
            Value::NotSet => {}
            Value::Bool(value) => wire.bool_value = *value,
            Value::Integer(value) => wire.integer_value = *value,
            Value::Double(value) => wire.double_value = *value,
            Value::String(value) => wire.string_value = value.clone(),
            Value::Bytes(values) => wire.byte_array_value = values.clone(),
            Value::Bools(values) => wire.bool_array_value = values.clone(),
            Value::Integers(values) => wire.integer_array_value = values.clone(),
            Value::Doubles(values) => wire.double_array_value = values.clone(),
            Value::Strings(values) => wire.string_array_value = values.clone(),
        }
        wire
    }

    /// From the message; an unknown type number is [`Value::NotSet`].
    pub fn from_message(wire: &Wire) -> Value {
        match wire.r#type {
            1 => Value::Bool(wire.bool_value),
            2 => Value::Integer(wire.integer_value),
            3 => Value::Double(wire.double_value),
            4 => Value::String(wire.string_value.clone()),
            5 => Value::Bytes(wire.byte_array_value.clone()),
            6 => Value::Bools(wire.bool_array_value.clone()),
            7 => Value::Integers(wire.integer_array_value.clone()),
            8 => Value::Doubles(wire.double_array_value.clone()),
            9 => Value::Strings(wire.string_array_value.clone()),
            _ => Value::NotSet,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Debug>(f: &mut fmt::Formatter<'_>, values: &[T]) -> fmt::Result {
            f.debug_list().entries(values).finish()
        }
        match self {
            Value::NotSet => f.write_str("(not set)"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Double(value) => write!(f, "{value:?}"),
            Value::String(value) => write!(f, "{value:?}"),
            Value::Bytes(values) => list(f, values),
            Value::Bools(values) => list(f, values),
            Value::Integers(values) => list(f, values),
            Value::Doubles(values) => list(f, values),
            Value::Strings(values) => list(f, values),
        }
    }
}

/// A Rust type that a parameter can hold.
pub trait ParameterType: Sized {
    /// The kind of parameter that holds it.
    const KIND: Kind;

    /// The value as a parameter.
    fn into_value(self) -> Value;

    /// The value back, `None` where the kind or the range differs.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! parameter_type {
    ($($type:ty => $kind:ident),* $(,)?) => {$(
        impl ParameterType for $type {
            const KIND: Kind = Kind::$kind;

            fn into_value(self) -> Value {
                Value::$kind(self)
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$kind(value) => Some(value.clone()),
                    _ => None,
                }
            }
        }

        impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$kind(value)
            }
        }
    )*};
}

parameter_type! {
    bool => Bool,
    i64 => Integer,
    f64 => Double,
    String => String,
    Vec<u8> => Bytes,
    Vec<bool> => Bools,
    Vec<i64> => Integers,
    Vec<f64> => Doubles,
    Vec<String> => Strings,
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(value.to_owned())
    }
}
