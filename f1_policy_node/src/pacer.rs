//! When to infer anew: after so many executed steps, when the scene departs from the foresight, or
//! when no chunk runs.

use std::time::Duration;

/// The chunk that the robot follows at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Running {
    stamp_ns: i64,
    rate_hz: f64,
    epoch: u64,
}

/// Decides which observation is inferred. Times of chunks are ROS time, latency is on the
/// steady clock.
#[derive(Debug, Clone)]
pub struct Pacer {
    replan_steps: f64,
    running: Option<Running>,
    /// When the inference that runs began, on the steady clock.
    in_flight: Option<Duration>,
    demanded: bool,
    latency: Duration,
}

impl Pacer {
    /// Replans after `replan_steps` executed rows.
    #[must_use]
    pub fn new(replan_steps: usize) -> Self {
        Self {
            replan_steps: replan_steps as f64,
            running: None,
            in_flight: None,
            demanded: false,
            latency: Duration::ZERO,
        }
    }

    /// Changes the number of rows after which to replan.
    pub fn set_replan_steps(&mut self, replan_steps: usize) {
        self.replan_steps = replan_steps as f64;
    }

    /// Whether an observation of `epoch` should be taken now. The rows that pass while inference
    /// runs count as executed: the new chunk is there when it is wanted, not when it was asked
    /// for.
    #[must_use]
    pub fn due(&self, now_ns: i64, epoch: u64) -> bool {
        if self.in_flight.is_some() {
            return false;
        }
        let Some(running) = self.running.filter(|running| running.epoch == epoch) else {
            return true;
        };
        let executed = (now_ns - running.stamp_ns) as f64 * 1e-9 * running.rate_hz;
        self.demanded
            || executed + self.latency.as_secs_f64() * running.rate_hz >= self.replan_steps
            || executed < 0.0
    }

    /// How long nothing needs to be inferred for a chunk of `epoch`: until an observation is due;
    /// zero while inference runs or when one is due already.
    #[must_use]
    pub fn idle_for(&self, now_ns: i64, epoch: u64) -> Duration {
        let Some(running) = self.running.filter(|running| running.epoch == epoch) else {
            return Duration::ZERO;
        };
        if self.in_flight.is_some() || self.demanded || running.rate_hz <= 0.0 {
            return Duration::ZERO;
        }
        let executed = (now_ns - running.stamp_ns) as f64 * 1e-9;
        let left = self.replan_steps / running.rate_hz - executed - self.latency.as_secs_f64();
        Duration::try_from_secs_f64(left).unwrap_or(Duration::ZERO)
    }

    /// Inference has begun, at `now` on the steady clock.
    pub fn began(&mut self, now: Duration) {
        self.in_flight = Some(now);
        self.demanded = false;
    }

    /// Inference ended with a chunk stamped `stamp_ns`, `latency` after the observation's last
    /// message arrived.
    pub fn delivered(&mut self, stamp_ns: i64, rate_hz: f64, epoch: u64, latency: Duration) {
        self.in_flight = None;
        self.running = Some(Running { stamp_ns, rate_hz, epoch });
        // Half old, half new: follows a change within a few chunks and forgives a single slow one.
        self.latency = if self.latency.is_zero() { latency } else { (self.latency + latency) / 2 };
    }

    /// Inference ended without a chunk.
    pub fn failed(&mut self) {
        self.in_flight = None;
    }

    /// When the inference that runs began, on the steady clock.
    #[must_use]
    pub fn in_flight_since(&self) -> Option<Duration> {
        self.in_flight
    }

    /// The scene departed from the foresight: the next observation is taken.
    pub fn demand(&mut self) {
        self.demanded = true;
    }

    /// Forgets the running chunk (reset, new instruction, deactivation); latency stays known.
    pub fn restart(&mut self) {
        self.running = None;
        self.demanded = false;
    }

    /// The latency that is expected of the next chunk.
    #[must_use]
    pub fn expected_latency(&self) -> Duration {
        self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_first_observation_is_due_and_then_one_at_a_time() {
        let mut pacer = Pacer::new(5);
        assert!(pacer.due(0, 1));
        pacer.began(Duration::ZERO);
        assert!(!pacer.due(0, 1));
        pacer.failed();
        assert!(pacer.due(0, 1));
    }

    #[test]
    fn a_chunk_is_asked_for_so_early_that_it_is_there_when_its_steps_are_used() {
        let mut pacer = Pacer::new(5);
        pacer.began(Duration::ZERO);
        pacer.delivered(0, 10.0, 1, Duration::from_millis(200));
        assert!(!pacer.due(SECOND / 5, 1));
        assert!(pacer.due(3 * SECOND / 10, 1));
    }

    #[test]
    fn it_is_idle_until_a_chunk_is_asked_for() {
        let mut pacer = Pacer::new(5);
        assert_eq!(pacer.idle_for(0, 1), Duration::ZERO);
        pacer.delivered(0, 10.0, 1, Duration::from_millis(200));
        assert_eq!(pacer.idle_for(SECOND / 10, 1).as_millis(), 200);
        assert_eq!(pacer.idle_for(4 * SECOND / 10, 1), Duration::ZERO);
        assert_eq!(pacer.idle_for(SECOND / 10, 2), Duration::ZERO);
        pacer.demand();
        assert_eq!(pacer.idle_for(SECOND / 10, 1), Duration::ZERO);
    }

    #[test]
    fn a_new_epoch_and_a_demand_are_due_at_once() {
        let mut pacer = Pacer::new(50);
        pacer.delivered(0, 10.0, 1, Duration::ZERO);
        assert!(!pacer.due(1, 1));
        assert!(pacer.due(1, 2));
        pacer.demand();
        assert!(pacer.due(1, 1));
        pacer.began(Duration::ZERO);
        pacer.delivered(2, 10.0, 1, Duration::ZERO);
        assert!(!pacer.due(3, 1));
    }
}
