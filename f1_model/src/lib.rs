//! The F1 network: three experts, one attention, foresight by next-scale prediction, actions by flow matching.

pub mod kernels;
