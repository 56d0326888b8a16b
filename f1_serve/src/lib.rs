//! The network behind the sockets that the field's clients use.
//!
//! Two protocols, both msgpack over a websocket: [`openpi`] (Physical Intelligence's
//! `openpi-client`) and [`vla_eval`] (the harness `vla-eval`). A [`layout`] names the keys of one
//! kind of client; an [`observation`] is what a request holds, by that layout; a [`session`] keeps
//! what one connection has shown; the [`engine`] computes, for all connections, with
//! a [`model`].

pub mod array;
pub mod engine;
mod error;
pub mod explain;
pub mod key;
pub mod layout;
pub mod message;
pub mod model;
pub mod observation;
pub mod openpi;
pub mod server;
pub mod session;
pub mod view;
pub mod vla_eval;

pub use error::{RequestError, ServeError};
