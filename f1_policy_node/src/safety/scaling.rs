//! How fast controllers run what they were sent: a robot that is slowed at its pendant, or by
//! `speed_scaling_input`, does not lag.
//!
//! Source: ros2_control's JointTrajectoryController, which publishes the factor in force on
//! `controller_state` and takes one on `speed_scaling_input`.

use std::collections::BTreeMap;
use std::time::Duration;

/// A state that is older than this says nothing any more.
const STALE: Duration = Duration::from_secs(1);

/// More than this is faster than what was checked.
const FULL: f64 = 1.0 + 1e-6;

#[derive(Debug, Clone, Copy, Default)]
struct Controller {
    /// The factor that the controller reports, and when it did.
    state: Option<(Duration, f64)>,
    /// Whether it ever reported one: a controller that does not know speed scaling reports 0.
    reports: bool,
    /// The factor that it was last asked for.
    input: Option<f64>,
}

impl Controller {
    fn factor(&self, now: Duration) -> f64 {
        let fresh = self.state.filter(|(at, _)| now.saturating_sub(*at) <= STALE);
        let reported = fresh.filter(|_| self.reports).map(|(_, factor)| factor);
        reported.or(self.input).unwrap_or(1.0)
    }
}

/// The factors of all controllers, by name. Times are on the steady clock.
#[derive(Debug, Default)]
pub(super) struct SpeedScaling {
    controllers: BTreeMap<String, Controller>,
}

impl SpeedScaling {
    /// A controller's state came; what is no factor is passed over.
    pub(super) fn receive_state(&mut self, controller: &str, now: Duration, factor: f64) {
        if factor.is_finite() && factor >= 0.0 {
            let known = self.controllers.entry(controller.to_owned()).or_default();
            known.state = Some((now, factor));
            known.reports |= factor > 0.0;
        }
    }

    /// A controller was asked for a factor; as it does, negative ones are passed over.
    pub(super) fn receive_input(&mut self, controller: &str, factor: f64) {
        if factor.is_finite() && factor >= 0.0 {
            self.controllers.entry(controller.to_owned()).or_default().input = Some(factor);
        }
    }

    /// The slowest controller's factor, at most 1: the filter knows one motion of all joints.
    pub(super) fn factor(&self, now: Duration) -> f64 {
        self.controllers.values().map(|one| one.factor(now)).fold(1.0, f64::min)
    }

    /// Why the policy must not move the robot: a controller runs faster than what was checked.
    pub(super) fn hold(&self, now: Duration) -> Option<String> {
        let mut factors = self.controllers.iter().map(|(name, one)| (name, one.factor(now)));
        let (name, factor) = factors.find(|(_, factor)| *factor > FULL)?;
        Some(format!("controller {name} runs at {factor:.2} times the speed that was checked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_state_goes_before_the_input_while_it_is_fresh() {
        let mut scaling = SpeedScaling::default();
        assert_eq!(scaling.factor(at(0)), 1.0);
        scaling.receive_input("arm", 0.5);
        assert_eq!(scaling.factor(at(0)), 0.5);
        scaling.receive_state("arm", at(0), 0.3);
        scaling.receive_state("hand", at(0), 0.8);
        assert_eq!(scaling.factor(at(1)), 0.3, "the slowest");
        assert_eq!(scaling.factor(at(2)), 0.5, "the state is stale");
        scaling.receive_state("arm", at(3), 0.0);
        assert_eq!(scaling.factor(at(3)), 0.0, "it pauses");
        for wrong in [f64::NAN, -1.0, f64::INFINITY] {
            scaling.receive_state("arm", at(3), wrong);
            scaling.receive_input("arm", wrong);
        }
        assert_eq!(scaling.factor(at(3)), 0.0);
    }

    #[test]
    fn a_controller_that_does_not_know_speed_scaling_runs_at_full_speed() {
        let mut scaling = SpeedScaling::default();
        scaling.receive_state("arm", at(0), 0.0);
        assert_eq!(scaling.factor(at(0)), 1.0);
    }

    #[test]
    fn a_controller_that_runs_faster_than_what_was_checked_is_named() {
        let mut scaling = SpeedScaling::default();
        scaling.receive_state("arm", at(0), 1.0);
        assert_eq!(scaling.hold(at(0)), None);
        scaling.receive_state("arm", at(0), 1.2);
        assert!(scaling.hold(at(0)).unwrap().contains("arm runs at 1.20 times"));
        assert_eq!(scaling.factor(at(0)), 1.0);
    }
}
