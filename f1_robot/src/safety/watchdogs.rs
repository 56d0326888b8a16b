//! The watchdogs: a robot that moves is stopped when what it depends on is too old.

use super::{Event, FilterSettings, Response, Rule};
use crate::trajectory::{Stamp, seconds};

/// When the things that the watchdogs wait for were last seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// The stamp of the newest measured joint state.
    pub joint_state: Option<Stamp>,
    /// The stamp of the observation behind the newest chunk.
    pub observation: Option<Stamp>,
    /// When the newest chunk came.
    pub chunk: Option<Stamp>,
}

/// The watchdogs that have expired at `now`, for a robot that moves.
pub(super) fn expired(seen: &Seen, settings: &FilterSettings, now: Stamp) -> Vec<Event> {
    [
        (Rule::ObservationAge, seen.observation, settings.observation_age),
        (Rule::JointStateAge, seen.joint_state, settings.joint_state_age),
        (Rule::InferenceAge, seen.chunk, settings.inference_age),
    ]
    .into_iter()
    .filter_map(|(rule, at, limit)| {
        let age = seconds(now.saturating_sub(at?));
        (age > limit).then(|| Event::new(rule, Response::Stopped).numbers(age, limit))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::SECOND;

    #[test]
    fn each_watchdog_expires_at_its_own_age() {
        let settings = FilterSettings::default();
        let seen = Seen { joint_state: Some(0), observation: Some(0), chunk: Some(0) };
        let rules = |at: f64| {
            expired(&seen, &settings, (at * 1e9) as i64)
                .into_iter()
                .map(|event| event.rule)
                .collect::<Vec<_>>()
        };
        assert_eq!(rules(0.2), []);
        assert_eq!(rules(0.3), [Rule::JointStateAge]);
        assert_eq!(rules(1.6), [Rule::JointStateAge, Rule::InferenceAge]);
        assert_eq!(rules(2.1).len(), 3);
        assert_eq!(expired(&Seen::default(), &settings, SECOND).len(), 0);
    }
}
