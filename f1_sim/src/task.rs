//! What is asked for, with which objects and speeds, and when it counts as done.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::kinds::Kind;

/// A task of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Pick an object from the moving belt.
    Dynamic,
    /// Pick an object from the standing belt.
    Static,
    /// Take an object from the standing belt and drop it into the bin.
    Bin,
}

impl Task {
    /// Whether the belt moves.
    #[must_use]
    pub const fn belt_moves(self) -> bool {
        matches!(self, Task::Dynamic)
    }

    /// Seconds after which an episode counts as failed.
    #[must_use]
    pub const fn time_limit(self) -> f64 {
        match self {
            Task::Dynamic | Task::Static => 9.0,
            Task::Bin => 12.0,
        }
    }

    /// The sentence given to the policy.
    #[must_use]
    pub fn instruction(self, kind: Kind) -> String {
        match self {
            Task::Dynamic | Task::Static => format!("pick up the {}", kind.words()),
            Task::Bin => format!("put the {} in the bin", kind.words()),
        }
    }

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Task::Dynamic => "dynamic",
            Task::Static => "static",
            Task::Bin => "bin",
        }
    }
}

impl std::str::FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dynamic" => Ok(Task::Dynamic),
            "static" => Ok(Task::Static),
            "bin" => Ok(Task::Bin),
            other => Err(format!("task {other:?} is none of dynamic, static, bin")),
        }
    }
}

/// Which objects and belt speeds an episode draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// What demonstrations show: nine colour-and-shape pairs, speeds outside the held-out band.
    Training,
    /// Trained pairs at belt speeds never shown.
    NewSpeeds,
    /// Pairs never shown, at belt speeds never shown.
    NewPairs,
}

/// Slowest belt that moves, m/s.
pub const SLOWEST: f64 = 0.04;
/// Fastest belt, m/s.
pub const FASTEST: f64 = 0.15;
/// Speeds kept out of training, m/s.
pub const HELD_OUT_SPEEDS: [f64; 2] = [0.085, 0.115];

impl Split {
    /// Whether an instruction may ask for `kind`.
    #[must_use]
    pub fn allows(self, kind: Kind) -> bool {
        match self {
            Split::Training | Split::NewSpeeds => kind.is_trained(),
            Split::NewPairs => !kind.is_trained(),
        }
    }

    /// Whether `kind` may lie beside what is asked for.
    #[must_use]
    pub fn shows(self, kind: Kind) -> bool {
        match self {
            Split::Training | Split::NewSpeeds => kind.is_trained(),
            Split::NewPairs => true,
        }
    }

    /// Draws a belt speed, m/s.
    pub fn speed(self, rng: &mut ChaCha8Rng) -> f64 {
        let [low, high] = HELD_OUT_SPEEDS;
        match self {
            Split::Training => {
                let at = rng.random_range(0.0..(low - SLOWEST) + (FASTEST - high));
                if at < low - SLOWEST { SLOWEST + at } else { high + at - (low - SLOWEST) }
            }
            Split::NewSpeeds | Split::NewPairs => rng.random_range(low..high),
        }
    }
}

/// How an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Still possible.
    Running,
    /// Done as asked.
    Success,
    /// Another object was taken.
    WrongObject,
    /// The object went past the end of the belt.
    Missed,
    /// The object lies where the task no longer can be done.
    Lost,
    /// Time is up.
    TimeOut,
}

impl Outcome {
    /// Whether the episode is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        self != Outcome::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn training_never_draws_a_held_out_speed_and_tests_draw_nothing_else() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let held_out = HELD_OUT_SPEEDS[0]..HELD_OUT_SPEEDS[1];
        for _ in 0..2000 {
            let speed = Split::Training.speed(&mut rng);
            assert!((SLOWEST..=FASTEST).contains(&speed) && !held_out.contains(&speed), "{speed}");
            assert!(held_out.contains(&Split::NewSpeeds.speed(&mut rng)));
        }
    }
}
