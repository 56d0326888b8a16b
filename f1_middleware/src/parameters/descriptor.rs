//! What a declaration says of a parameter beside its name and default.

use super::error::ParameterError;
use super::value::Value;

/// Bounds of a number, both inclusive. A step of zero is any value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// For integers.
    Integer {
        /// Smallest value.
        from: i64,
        /// Largest value.
        to: i64,
        /// Distance between allowed values, from `from`; 0 is any.
        step: u64,
    },
    /// For floats.
    Double {
        /// Smallest value.
        from: f64,
        /// Largest value.
        to: f64,
        /// Distance between allowed values, from `from`; 0 is any.
        step: f64,
    },
}

/// What a declaration says beside the name and the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Descriptor {
    /// One or two sentences with the unit.
    pub description: String,
    /// Set at start only.
    pub read_only: bool,
    /// Bounds of a number, or of every number in a list.
    pub range: Option<Range>,
    /// The texts that are allowed; empty is any.
    pub choices: Vec<String>,
}

impl Descriptor {
    /// A description, no further bounds.
    pub fn new(description: impl Into<String>) -> Descriptor {
        Descriptor { description: description.into(), ..Descriptor::default() }
    }

    /// Set at start only.
    #[must_use]
    pub fn read_only(mut self) -> Descriptor {
        self.read_only = true;
        self
    }

    /// Integers from `from` to `to`, both allowed.
    #[must_use]
    pub fn integers(mut self, from: i64, to: i64) -> Descriptor {
        self.range = Some(Range::Integer { from, to, step: 0 });
        self
    }

    /// Floats from `from` to `to`, both allowed.
    #[must_use]
    pub fn doubles(mut self, from: f64, to: f64) -> Descriptor {
        self.range = Some(Range::Double { from, to, step: 0.0 });
        self
    }

    /// One of these texts.
    #[must_use]
    pub fn one_of<S: Into<String>>(mut self, choices: impl IntoIterator<Item = S>) -> Descriptor {
        self.choices = choices.into_iter().map(Into::into).collect();
        self
    }

    /// What is allowed, in words; empty where everything is.
    pub fn constraint(&self) -> String {
        let step =
            |step: String| if step.is_empty() { step } else { format!(" in steps of {step}") };
        match (&self.range, self.choices.is_empty()) {
            (Some(Range::Integer { from, to, step: by }), _) => {
                format!(
                    "{from} to {to}{}",
                    step(if *by > 0 { by.to_string() } else { String::new() })
                )
            }
            (Some(Range::Double { from, to, step: by }), _) => {
                format!(
                    "{from:?} to {to:?}{}",
                    step(if *by > 0.0 { format!("{by:?}") } else { String::new() })
                )
            }
            (None, false) => format!("one of {}", self.choices.join(", ")),
            (None, true) => String::new(),
        }
    }

    /// A text that YAML reads as a truth value (`on`, `off`), where it is one of the choices: the
    /// text again.
    pub(super) fn worded(&self, value: Value) -> Value {
        let Value::Bool(truth) = value else { return value };
        let word = if truth { "on" } else { "off" };
        match self.choices.iter().find(|choice| *choice == word) {
            Some(word) => Value::String(word.clone()),
            None => value,
        }
    }

    pub(super) fn check(&self, name: &str, value: &Value) -> Result<(), ParameterError> {
        let refuse = |value: String| {
            Err(ParameterError::OutOfRange {
                name: name.to_owned(),
                value,
                reason: self.constraint(),
            })
        };
        let integer = |value: i64| match self.range {
            Some(Range::Integer { from, to, step }) => {
                let inside = (from..=to).contains(&value);
                // Both ends are allowed whatever the step is, as in rclcpp.
                let on_step = step == 0
                    || value == to
                    || (value.wrapping_sub(from) as u64).is_multiple_of(step);
                inside && on_step
            }
            _ => true,
        };
        let double = |value: f64| match self.range {
            Some(Range::Double { from, to, step }) => {
                let inside = (from..=to).contains(&value);
                let steps = if step > 0.0 { (value - from) / step } else { 0.0 };
                inside && (value == to || (steps - steps.round()).abs() < 1e-6)
            }
            _ => true,
        };
        let text = |value: &String| self.choices.is_empty() || self.choices.contains(value);
        let allowed = match value {
            Value::Integer(value) => integer(*value),
            Value::Double(value) => double(*value),
            Value::String(value) => text(value),
            Value::Integers(values) => values.iter().all(|value| integer(*value)),
            Value::Doubles(values) => values.iter().all(|value| double(*value)),
            Value::Strings(values) => values.iter().all(text),
            _ => true,
        };
        if allowed { Ok(()) } else { refuse(value.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_count_from_the_lower_bound_and_both_ends_are_allowed() {
        let descriptor = Descriptor {
            range: Some(Range::Integer { from: 1, to: 8, step: 3 }),
            ..Descriptor::default()
        };
        let allowed: Vec<i64> =
            (-1..10).filter(|v| descriptor.check("x", &Value::Integer(*v)).is_ok()).collect();
        assert_eq!(allowed, [1, 4, 7, 8]);
    }
}
