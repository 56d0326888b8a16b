//! The `rcl` back end: an installed, sourced ROS 2 through the crate r2r; any RMW, security, all of
//! `--ros-args`.
//!
//! Messages of topics cross as serialized bytes (r2r's raw publish and subscribe), so that our own
//! structures stay the only ones. Services and the topics inside actions are typed in r2r: see
//! [`types`]. Each node has a thread that spins it and polls r2r's streams and futures after every
//! turn.
//!
//! rcl reads the process's arguments as well. Names that cross the trait are absolute and remapped
//! already, so that no rule of rcl applies to them, unless rules are chained or swapped (`a:=b`,
//! `b:=a`).
//!
//! Parameters, lifecycle, `/clock` and logs are ours here too: r2r offers parameter services only
//! on request. Endpoints hold their node weakly, so that a node that is removed leaves the graph
//! even if its endpoints still exist.

mod node;
mod service;
mod topic;
mod transport;
mod types;

pub(crate) use transport::RclTransport;
