//! The safety filter: it alone makes trajectories for controllers, and checks each before it is
//! released.
//!
//! A chunk becomes a candidate motion (`plan`), the candidate is checked exactly ([`verify`]), and
//! only then it is released as [`CheckedTrajectory`]s, which nothing else can make. If no candidate
//! passes, the motion that runs is kept or stopped; a way to stop it was part of its own check.

#![allow(clippy::neg_cmp_op_on_partial_ord, reason = "a comparison with not-a-number has to fail")]

mod bounds;
mod checked;
mod event;
mod filter;
mod latch;
pub mod limiters;
mod locks;
mod parameter;
mod plan;
mod settings;
mod space;
mod stop;
pub mod verify;
mod watchdogs;

pub use bounds::Bounds;
pub use checked::{CheckedPoint, CheckedTrajectory};
pub use event::{Event, Response, Rule, Verdict};
pub use filter::{FilterInput, FilterOutput, MeasuredState, SafetyFilter};
pub use locks::{EngagedLock, LockReason, Locks};
pub use parameter::{Allowed, Parameter, ParameterValue};
pub use settings::{FilterSettings, Mode, Speed, Splice, parameter_table};
pub use space::{RobotSpace, Space};
