//! What the checks that cross rooms share. The checks are in `tests/tests/it`, one module a subject.

pub mod environment;
pub mod peer;
