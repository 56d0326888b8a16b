//! One module a command: arguments, `run`, and nothing that belongs in a library.

pub mod bench;
pub mod convert;
pub mod demo;
pub mod demonstrate;
pub mod doctor;
pub mod eval;
pub mod fetch;
pub mod filter;
pub mod inspect;
pub mod record;
pub mod run;
pub mod serve;
pub mod server_args;
pub mod stats;
pub mod study;
pub mod train;
pub mod verify;
