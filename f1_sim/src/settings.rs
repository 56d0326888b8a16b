//! What one episode of the bench is made of.

use crate::disturb::Disturb;
use crate::kinds::Kind;
use crate::task::{Split, Task};

/// A camera of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CameraId {
    /// Stands opposite the arm and sees belt, arm and bin.
    Fixed,
    /// Rides on the hand and looks between the fingers.
    Wrist,
}

/// One episode.
#[derive(Clone, Debug)]
pub struct BenchSettings {
    /// What is asked for.
    pub task: Task,
    /// Which objects and speeds are drawn.
    pub split: Split,
    /// Fixes everything that is drawn.
    pub seed: u64,
    /// Belt speed, m/s; `None`: drawn from the split.
    pub speed: Option<f64>,
    /// The object asked for; `None`: drawn from the split.
    pub kind: Option<Kind>,
    /// The one thing that lies beside it is of these, in another colour; empty: one or two things
    /// drawn from the split.
    pub beside: Vec<Kind>,
    /// Of three things in a row any may be the one asked for; without it, it is the one in the
    /// middle.
    pub anywhere: bool,
    /// Pixels of both cameras: width, height.
    pub image: [u32; 2],
    /// Scale of sensor noise, lamp changes and camera jitter; 1 is nominal.
    pub disturbance: f32,
    /// Time constant with which joints follow set-points, s.
    pub lag: f64,
    /// Joint positions at the start (robot's joint order); `None`: home.
    pub start: Option<Vec<f64>>,
    /// Seconds that the belt runs and the arm waits before the episode begins, so that a history
    /// of images can be had.
    pub lead_in: f64,
    /// What happens in mid-episode, 1 to 4 s after the instruction.
    pub disturb: Option<Disturb>,
}

impl BenchSettings {
    /// An episode of `task` with nominal disturbances and 64x64 images.
    #[must_use]
    pub fn new(task: Task, split: Split, seed: u64) -> Self {
        BenchSettings {
            task,
            split,
            seed,
            speed: None,
            kind: None,
            beside: Vec::new(),
            anywhere: false,
            image: [64, 64],
            disturbance: 1.0,
            lag: 0.04,
            start: None,
            lead_in: 0.0,
            disturb: None,
        }
    }
}
