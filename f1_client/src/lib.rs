//! A policy server as the policy of the nodes: `model:=ws://HOST:PORT`.
//!
//! The client of openpi's protocol, for our own server and for others. An [`address`] names the
//! server; a [`connection`] keeps a websocket to it, on a thread of its own, and asks it from
//! others; [`metadata`] is what the server says of itself; a [`request`] holds an observation by a
//! layout of `f1_serve`, an [`answer`] a chunk; [`check`] holds the first answer against the robot
//! file; [`policy`] is the [`f1_policy_node::policy::Policy`] of all of them.

pub mod address;
pub mod answer;
pub mod check;
pub mod connection;
pub mod metadata;
pub mod policy;
pub mod request;
pub mod tls;

pub use address::ServerAddress;
pub use policy::connect;
