//! What every back end must do alike, and what stands above them.

mod support;

mod image;
mod pubsub;
mod services;
mod shutdown;
mod sim_time;
mod virtual_time;
mod worker;
