//! One module a behaviour.
#![allow(missing_docs)]

mod round_trip;
