//! Declared parameters: each has a type, a description and a range, and the set of all values must
//! be valid as a whole.

mod descriptor;
mod error;
mod page;
mod store;
mod value;
pub(crate) mod yaml;

pub use descriptor::{Descriptor, Range};
pub use error::ParameterError;
pub use page::markdown;
pub use store::{Parameters, Proposal};
pub use value::{Kind, ParameterType, Value};
