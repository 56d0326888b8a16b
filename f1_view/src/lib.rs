//! A live page that the program itself serves: what it sees, foresees and does, and why it does not
//! move.
//!
//! A program gives a [`Source`]: its state as JSON, its images, and what it does on a
//! [`Command`]. A page asks for one update after the other over one websocket, so that a page that
//! stalls asks for nothing and gets the newest when it goes on. Images become JPEG once for all
//! pages, on a thread of low priority, and only while a page asks for them.
//!
//! [`foxglove`] serves topics to viewers of robot data on Foxglove's websocket protocol.

mod access;
mod encoder;
pub mod foxglove;
mod page;
mod running;
mod server;
mod source;

pub use access::{Settings, Token};
pub use server::{Server, ViewError};
pub use source::{Command, ImageState, Source};

/// Where the page is unless another address is given.
pub const ADDRESS: &str = "127.0.0.1:8080";
