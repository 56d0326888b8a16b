//! What every back end must do alike, and what stands above them.

mod support;

mod pubsub;
mod services;
mod sim_time;
mod shutdown;
mod virtual_time;
mod worker;
