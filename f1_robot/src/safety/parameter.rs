//! Everything about a parameter in one place: name, default, what is allowed, unit and text.
//!
//! [`super::FilterSettings::parameters`] is the table of the filter's parameters. Defaults, the
//! declaration of ROS parameters, their reading and the documentation come from it.

use std::fmt;

/// A parameter's value, in the types that ROS 2 knows.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// A number.
    Double(f64),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Bool(bool),
    /// A word.
    Text(String),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Double(value) => write!(f, "{value:?}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// Which values a parameter may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowed {
    /// Every value of its type.
    Any,
    /// Numbers between these, both included.
    Doubles(f64, f64),
    /// Whole numbers between these, both included.
    Integers(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Allowed {
    /// Whether a value is allowed. Not-a-number never is within a range.
    pub fn contains(&self, value: &ParameterValue) -> bool {
        match (self, value) {
            (Self::Any, _) => true,
            (Self::Doubles(from, to), ParameterValue::Double(value)) => {
                (from..=to).contains(&value)
            }
            (Self::Integers(from, to), ParameterValue::Integer(value)) => {
                (from..=to).contains(&value)
            }
            (Self::OneOf(words), ParameterValue::Text(value)) => words.contains(&value.as_str()),
            _ => false,
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Doubles(from, to) => write!(f, "{from:?} to {to:?}"),
            Self::Integers(from, to) => write!(f, "{from} to {to}"),
            Self::OneOf(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// A type that a field of settings may have.
pub(super) trait Field: Sized {
    /// The value as a parameter.
    fn to_value(&self) -> ParameterValue;
    /// The field's value, if the parameter's type is the field's.
    fn from_value(value: &ParameterValue) -> Option<Self>;
}

impl Field for f64 {
    fn to_value(&self) -> ParameterValue {
        ParameterValue::Double(*self)
    }

    fn from_value(value: &ParameterValue) -> Option<Self> {
        if let ParameterValue::Double(value) = value { Some(*value) } else { None }
    }
}

impl Field for usize {
    fn to_value(&self) -> ParameterValue {
        ParameterValue::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }

    fn from_value(value: &ParameterValue) -> Option<Self> {
        if let ParameterValue::Integer(value) = value { Self::try_from(*value).ok() } else { None }
    }
}

impl Field for bool {
    fn to_value(&self) -> ParameterValue {
        ParameterValue::Bool(*self)
    }

    fn from_value(value: &ParameterValue) -> Option<Self> {
        if let ParameterValue::Bool(value) = value { Some(*value) } else { None }
    }
}

/// One parameter of the settings `S`.
#[derive(Debug)]
pub struct Parameter<S> {
    /// Its name: that of the ROS parameter and of the field of `S`.
    pub name: &'static str,
    /// Which values it may have.
    pub allowed: Allowed,
    /// The unit; empty: none.
    pub unit: &'static str,
    /// What it is, in one or two sentences.
    pub text: &'static str,
    pub(super) get: fn(&S) -> ParameterValue,
    pub(super) set: fn(&mut S, &ParameterValue) -> bool,
}

impl<S: Default> Parameter<S> {
    /// The default: that of `S`.
    pub fn default_value(&self) -> ParameterValue {
        self.value(&S::default())
    }

    /// The value in `settings`.
    pub fn value(&self, settings: &S) -> ParameterValue {
        (self.get)(settings)
    }

    /// Sets the value in `settings`.
    ///
    /// # Errors
    /// A value of another type or one that is not allowed; `settings` stay as they are.
    pub fn set(&self, settings: &mut S, value: &ParameterValue) -> Result<(), String> {
        if !self.allowed.contains(value) || !(self.set)(settings, value) {
            return Err(format!("{}: {value} is not allowed: {}", self.name, self.allowed));
        }
        Ok(())
    }

    /// Text and unit, as a declaration shows them.
    pub fn description(&self) -> String {
        match self.unit {
            "" => self.text.into(),
            unit => format!("{} Unit: {unit}.", self.text),
        }
    }
}
