//! Why a parameter is refused.

use super::value::Kind;

/// Why a parameter was refused; the old values stay.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// It is not declared.
    #[error("parameter {0} is not declared")]
    NotDeclared(String),
    /// It was declared before.
    #[error("parameter {0} is declared already")]
    AlreadyDeclared(String),
    /// The value is of another kind.
    #[error("parameter {name} is a {expected}, not a {given}")]
    WrongKind {
        /// The parameter.
        name: String,
        /// As declared.
        expected: Kind,
        /// As given.
        given: Kind,
    },
    /// The value lies outside the declared range or choice.
    #[error("parameter {name}: {value} is not allowed: {reason}")]
    OutOfRange {
        /// The parameter.
        name: String,
        /// The value as text.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// It can be set at start only.
    #[error("parameter {0} is read-only")]
    ReadOnly(String),
    /// Each value alone is allowed, the set is not.
    #[error("the parameters do not fit together: {0}")]
    Inconsistent(String),
}
