//! ROS 2 nodes over three back ends: names, parameters, lifecycle, actions, clocks and logs are the
//! same on each.
//!
//! A [`Context`] is one process in the ROS graph; it runs on `mem` (in process, real or virtual
//! clock), `dds` (RTPS over UDP, no ROS install) or `rcl` (an installed ROS 2). [`Node`]s make
//! publishers, subscriptions, services, actions and timers.
//!
//! ```
//! use f1_interfaces::std_msgs::msg::String as Text;
//! use f1_middleware::{Backend, Context, ContextOptions, Qos};
//!
//! # fn main() -> Result<(), f1_middleware::Error> {
//! let context = Context::new(ContextOptions::new(Backend::mem_virtual()))?;
//! let node = context.create_node("talker")?;
//! let newest = node.create_newest_subscription::<Text>("chatter", Qos::reliable())?;
//! let publisher = node.create_publisher::<Text>("chatter", Qos::reliable())?;
//! publisher.publish(Text { data: "hello".into() })?;
//! assert_eq!(newest.take().map(|text| text.data.clone()), Some("hello".to_owned()));
//! # Ok(())
//! # }
//! ```

pub mod action;
pub mod args;
pub mod clock;
pub mod context;
pub mod diagnostics;
mod error;
pub mod executor;
pub mod lifecycle;
pub mod log;
pub mod names;
pub mod node;
mod node_creation;
mod parameter_services;
pub mod parameters;
mod publisher;
pub mod qos;
mod receive_buffer;
pub mod service;
pub mod subscription;
pub mod time;
mod transport;
pub mod worker;

pub use action::{ActionClient, ActionServer};
pub use args::{RosArgs, Severity};
pub use clock::{Clock, ClockKind};
pub use context::{Backend, Context, ContextOptions, ShutdownGuard};
pub use diagnostics::Diagnostics;
pub use error::{Error, Result};
pub use executor::{Executor, Timer};
pub use lifecycle::{Lifecycle, ManagedNode};
pub use log::Logger;
pub use node::{Node, WeakNode};
pub use node_creation::NodeOptions;
pub use parameters::Parameters;
pub use publisher::Publisher;
pub use qos::Qos;
pub use receive_buffer::{RECOMMENDED_RECEIVE_BUFFER, receive_buffer_limit};
pub use service::{Responder, ServiceClient, ServiceServer};
pub use subscription::{NewestSubscription, Subscription};
pub use time::Time;
pub use transport::MessageInfo;
pub use transport::mem::MemBus;
pub use worker::{Urgency, Worker};
