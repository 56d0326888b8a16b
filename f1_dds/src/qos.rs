//! Quality of service: the policies that ROS 2 exposes, and their form in RustDDS.

use std::time::Duration;

use ros2_client::qos as ros2_qos;
use ros2_client::ros2::QosPolicies;

/// Whether lost samples are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reliability {
    /// Lost samples stay lost.
    BestEffort,
    /// Lost samples are sent again until acknowledged.
    Reliable,
}

/// Whether a late reader gets what was published before it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Only what is published from now on.
    Volatile,
    /// The last samples of every existing writer, as many as its history holds.
    TransientLocal,
}

/// How many samples are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum History {
    /// The newest `n`, at least one.
    KeepLast(usize),
    /// All; a writer stores at most 1000 messages that it cannot send yet.
    KeepAll,
}

/// Messages that a writer with [`History::KeepAll`] stores while they cannot be sent.
const KEEP_ALL: usize = 1000;

/// Samples that a reader keeps for the receiving thread, whatever its depth: the depth counts in
/// the caller's own store.
const READER_DEPTH: usize = 32;

/// A quality-of-service profile. The default is that of ROS 2: reliable, volatile, keep last 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qos {
    /// Reliability.
    pub reliability: Reliability,
    /// Durability.
    pub durability: Durability,
    /// History.
    pub history: History,
    /// The longest time between two samples; `None` promises nothing.
    pub deadline: Option<Duration>,
    /// How long a sample stays valid; `None` is forever.
    pub lifespan: Option<Duration>,
}

impl Default for Qos {
    fn default() -> Qos {
        Qos {
            reliability: Reliability::Reliable,
            durability: Durability::Volatile,
            history: History::KeepLast(10),
            deadline: None,
            lifespan: None,
        }
    }
}

impl Qos {
    /// Reliable, transient local, keep last 1.
    pub(crate) fn latched() -> Qos {
        Qos {
            durability: Durability::TransientLocal,
            history: History::KeepLast(1),
            ..Qos::default()
        }
    }

    /// Messages that a writer stores while they cannot be sent.
    pub(crate) fn depth(&self) -> usize {
        match self.history {
            History::KeepLast(depth) => depth.max(1),
            History::KeepAll => KEEP_ALL,
        }
    }

    /// The profile of a writer in RustDDS. A full send window fails at once: publishing never
    /// blocks.
    pub(crate) fn for_writer(&self) -> QosPolicies {
        self.policies(self.depth())
    }

    /// The profile of a reader in RustDDS.
    pub(crate) fn for_reader(&self) -> QosPolicies {
        self.policies(self.depth().max(READER_DEPTH))
    }

    fn policies(&self, depth: usize) -> QosPolicies {
        let profile = ros2_qos::QosProfile::publisher_default()
            .reliability(match self.reliability {
                Reliability::BestEffort => ros2_qos::Reliability::BestEffort,
                Reliability::Reliable => {
                    ros2_qos::Reliability::Reliable { when_full: ros2_qos::WhenFull::Fail }
                }
            })
            .durability(match self.durability {
                Durability::Volatile => ros2_qos::Durability::Volatile,
                Durability::TransientLocal => ros2_qos::Durability::TransientLocal,
            })
            .history(match self.history {
                History::KeepAll => ros2_qos::History::KeepAll,
                History::KeepLast(_) => ros2_qos::History::KeepLast { depth },
            })
            .deadline(self.deadline)
            .lifespan(self.lifespan);
        (&profile).into()
    }
}
