//! One test binary for this room: one module a behaviour.

mod checkpoints;
mod configs;
mod goldens;
mod policy;
mod support;
