//! A person who takes over: whether one has, from a topic with a heartbeat or a joystick's button.
//!
//! Times are on the steady clock. What was never received, and what is silent, lets nothing move:
//! a person who cannot take over must not have to.

use std::time::Duration;

use f1_interfaces::sensor_msgs::msg::Joy;

/// Where takeovers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TakeoverFrom {
    /// From nowhere.
    #[default]
    Off,
    /// From the topic `takeover`.
    Topic,
    /// From the topic `joy`.
    Joy(Buttons),
}

/// Which buttons of a joystick take over and hand back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buttons {
    /// Takes over when it is pressed.
    pub take: usize,
    /// Hands back when it is pressed; `None`: releasing `take` does.
    pub hand_back: Option<usize>,
}

/// Whether a person has taken over.
#[derive(Debug)]
pub(super) struct Takeover {
    from: TakeoverFrom,
    timeout: Duration,
    /// What was said last, and when.
    last: Option<(Duration, bool)>,
    /// Why the last message could not be used.
    fault: Option<String>,
    /// A reset ended a takeover whose source is silent.
    reset: bool,
}

impl Takeover {
    pub(super) fn new(from: TakeoverFrom, timeout: Duration) -> Self {
        Self { from, timeout, last: None, fault: None, reset: false }
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    fn topic(&self) -> &'static str {
        match self.from {
            TakeoverFrom::Joy(_) => crate::topics::JOY.name,
            TakeoverFrom::Off | TakeoverFrom::Topic => crate::topics::TAKEOVER.name,
        }
    }

    /// A message came: whether a person is to have taken over.
    pub(super) fn receive(&mut self, now: Duration, taken: bool) {
        (self.last, self.fault, self.reset) = (Some((now, taken)), None, false);
    }

    /// The joystick's state came.
    pub(super) fn receive_joy(&mut self, now: Duration, joy: &Joy) {
        let TakeoverFrom::Joy(buttons) = self.from else { return };
        let count = joy.buttons.len();
        let highest = buttons.take.max(buttons.hand_back.unwrap_or(0));
        if highest >= count {
            self.fault = Some(format!("it has {count} buttons, and button {highest} is asked for"));
            return;
        }
        let pressed = |button: usize| joy.buttons[button] != 0;
        let before = self.last.is_some_and(|(_, taken)| taken);
        let taken = match buttons.hand_back {
            None => pressed(buttons.take),
            Some(hand_back) => pressed(buttons.take) || (before && !pressed(hand_back)),
        };
        self.receive(now, taken);
    }

    /// Whether a person has taken over and not handed back, also when the source is silent since.
    pub(super) fn is_taken(&self) -> bool {
        self.last.is_some_and(|(_, taken)| taken)
    }

    /// Ends a takeover whose source is silent; one that goes on stays.
    pub(super) fn reset(&mut self, now: Duration) {
        if self.last.is_some_and(|(at, taken)| taken && now.saturating_sub(at) > self.timeout) {
            (self.last, self.reset) = (None, true);
        }
    }

    /// Why the policy must not move the robot.
    pub(super) fn hold(&self, now: Duration) -> Option<String> {
        if self.from == TakeoverFrom::Off {
            return None;
        }
        let topic = self.topic();
        if let Some(fault) = &self.fault {
            return Some(format!("{topic} cannot be used: {fault}"));
        }
        let Some((at, taken)) = self.last else {
            let since = if self.reset { " since the reset" } else { "" };
            return Some(format!("{topic} has not sent a message{since}"));
        };
        let age = now.saturating_sub(at);
        match (taken, age > self.timeout) {
            (true, false) => Some("a person has taken over".to_owned()),
            (true, true) => Some(format!(
                "a person has taken over, and {topic} is silent for {:.2} s: it stays at rest \
                 until it says that the person has handed back, or {} is called",
                age.as_secs_f64(),
                crate::topics::RESET_FILTER.name
            )),
            (false, true) => Some(format!("{topic} is silent for {:.2} s", age.as_secs_f64())),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_millis(500);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn holds(takeover: &Takeover, milliseconds: u64) -> String {
        takeover.hold(at(milliseconds)).unwrap_or_default()
    }

    #[test]
    fn what_was_never_received_or_is_silent_lets_nothing_move() {
        assert_eq!(Takeover::new(TakeoverFrom::Off, HALF).hold(at(0)), None);
        let mut takeover = Takeover::new(TakeoverFrom::Topic, HALF);
        assert_eq!(holds(&takeover, 60_000), "takeover has not sent a message");
        takeover.receive(at(100), false);
        assert_eq!(takeover.hold(at(600)), None);
        assert_eq!(holds(&takeover, 700), "takeover is silent for 0.60 s");
        takeover.receive(at(700), false);
        assert_eq!(takeover.hold(at(800)), None);
    }

    #[test]
    fn a_takeover_ends_when_it_is_handed_back_and_not_by_silence() {
        let mut takeover = Takeover::new(TakeoverFrom::Topic, HALF);
        takeover.receive(at(0), true);
        assert!(holds(&takeover, 100) == "a person has taken over" && takeover.is_taken());
        assert!(holds(&takeover, 5000).contains("is silent for 5.00 s"));
        assert!(takeover.is_taken());
        takeover.receive(at(5000), false);
        assert!(takeover.hold(at(5000)).is_none() && !takeover.is_taken());
        // A reset ends only one whose source is silent, and what is silent lets nothing move.
        takeover.receive(at(6000), true);
        takeover.reset(at(6100));
        assert!(takeover.is_taken());
        takeover.reset(at(7000));
        assert!(!takeover.is_taken());
        assert_eq!(holds(&takeover, 7000), "takeover has not sent a message since the reset");
    }

    #[test]
    fn buttons_take_over_while_held_or_until_another_is_pressed() {
        let joy = |buttons: &[i32]| Joy { buttons: buttons.to_vec(), ..Joy::default() };
        let held = Buttons { take: 1, hand_back: None };
        let mut takeover = Takeover::new(TakeoverFrom::Joy(held), HALF);
        takeover.receive_joy(at(0), &joy(&[0]));
        assert!(holds(&takeover, 0).contains("it has 1 buttons, and button 1 is asked for"));
        for (buttons, taken) in [([0, 0], false), ([0, 1], true), ([1, 0], false)] {
            takeover.receive_joy(at(0), &joy(&buttons));
            assert_eq!(takeover.is_taken(), taken, "{buttons:?}");
        }
        let toggled = Buttons { take: 1, hand_back: Some(0) };
        let mut takeover = Takeover::new(TakeoverFrom::Joy(toggled), HALF);
        for (buttons, taken) in
            [([0, 0], false), ([0, 1], true), ([0, 0], true), ([1, 1], true), ([1, 0], false)]
        {
            takeover.receive_joy(at(0), &joy(&buttons));
            assert_eq!(takeover.is_taken(), taken, "{buttons:?}");
        }
    }
}
