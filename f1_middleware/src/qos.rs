//! Quality of service: the policies that ROS 2 exposes, and the presets that `f1_policy` uses.

use std::time::Duration;

/// Whether lost samples are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reliability {
    /// Lost samples stay lost.
    BestEffort,
    /// Lost samples are sent again until acknowledged.
    Reliable,
}

/// Whether a reader gets what was published before it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Only what is published from now on.
    Volatile,
    /// The last samples of every existing writer, as many as the history holds.
    TransientLocal,
}

/// How many samples are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum History {
    /// The newest `n`; older ones are dropped.
    KeepLast(usize),
    /// All that resource limits allow.
    KeepAll,
}

/// A quality-of-service profile.
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

impl Qos {
    /// Reliable, volatile, keep last 10: the ROS 2 default.
    pub const fn reliable() -> Qos {
        Qos {
            reliability: Reliability::Reliable,
            durability: Durability::Volatile,
            history: History::KeepLast(10),
            deadline: None,
            lifespan: None,
        }
    }

    /// Best effort, volatile, keep last 5: `rmw_qos_profile_sensor_data`.
    pub const fn sensor_data() -> Qos {
        Qos {
            reliability: Reliability::BestEffort,
            history: History::KeepLast(5),
            ..Qos::reliable()
        }
    }

    /// Reliable, transient local, keep last 1: what a later reader must still receive
    /// (instruction, status).
    pub const fn latched() -> Qos {
        Qos {
            durability: Durability::TransientLocal,
            history: History::KeepLast(1),
            ..Qos::reliable()
        }
    }

    /// `/clock`: best effort, keep last 1.
    pub const fn clock() -> Qos {
        Qos { history: History::KeepLast(1), ..Qos::sensor_data() }
    }

    /// `/rosout`: reliable, transient local, keep last 1000, lifespan ten seconds.
    pub const fn rosout() -> Qos {
        Qos {
            history: History::KeepLast(1000),
            lifespan: Some(Duration::from_secs(10)),
            ..Qos::latched()
        }
    }

    /// `/parameter_events`: reliable, volatile, keep last 1000.
    pub const fn parameter_events() -> Qos {
        Qos { history: History::KeepLast(1000), ..Qos::reliable() }
    }

    /// Requests and replies of services: reliable, volatile, keep last 10.
    pub const fn services() -> Qos {
        Qos::reliable()
    }

    /// The same profile keeping the newest `depth` samples (at least one).
    pub const fn keep_last(self, depth: usize) -> Qos {
        Qos { history: History::KeepLast(if depth == 0 { 1 } else { depth }), ..self }
    }

    /// The same profile, best effort.
    pub const fn best_effort(self) -> Qos {
        Qos { reliability: Reliability::BestEffort, ..self }
    }

    /// The same profile, transient local.
    pub const fn transient_local(self) -> Qos {
        Qos { durability: Durability::TransientLocal, ..self }
    }

    /// Samples that a store of ours holds: the depth, or 1000 for keep-all, so that it is bounded.
    pub const fn depth(&self) -> usize {
        match self.history {
            History::KeepLast(depth) => {
                if depth == 0 {
                    1
                } else {
                    depth
                }
            }
            History::KeepAll => 1000,
        }
    }

    /// Whether a writer that offers `self` serves a reader that requests `requested` (DDS
    /// request-offered rule).
    ///
    /// # Errors
    /// Names the policy that is not compatible.
    pub fn serves(&self, requested: &Qos) -> Result<(), &'static str> {
        if requested.reliability == Reliability::Reliable
            && self.reliability == Reliability::BestEffort
        {
            return Err("reliability");
        }
        if requested.durability == Durability::TransientLocal
            && self.durability == Durability::Volatile
        {
            return Err("durability");
        }
        match (self.deadline, requested.deadline) {
            (None, Some(_)) => return Err("deadline"),
            (Some(offered), Some(asked)) if offered > asked => return Err("deadline"),
            _ => {}
        }
        Ok(())
    }
}

impl Default for Qos {
    fn default() -> Qos {
        Qos::reliable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_serves_a_reader_that_requests_less() {
        assert!(Qos::reliable().serves(&Qos::sensor_data()).is_ok());
        assert_eq!(Qos::sensor_data().serves(&Qos::reliable()), Err("reliability"));
        assert_eq!(Qos::reliable().serves(&Qos::latched()), Err("durability"));
        assert!(Qos::latched().serves(&Qos::reliable()).is_ok());
        let with = |deadline| Qos { deadline, ..Qos::reliable() };
        assert_eq!(with(None).serves(&with(Some(Duration::from_secs(1)))), Err("deadline"));
    }

    #[test]
    fn a_depth_of_zero_means_one() {
        assert_eq!(Qos::reliable().keep_last(0).depth(), 1);
    }
}
