//! Stops: of the running motion, and of a robot that was measured moving.
//!
//! Why a stop always exists. The running motion was released with its own end at rest, within all
//! limits; so at any instant "play on to the end" is a stop within all limits. Everything here only
//! looks for a faster one, and takes it if it passes the same exact check.

use super::{Bounds, verify};
use crate::trajectory::brake::{self, GRID};
use crate::trajectory::{Motion, Stamp, State, path_stop, seconds};

/// A motion with the instant until which it is the stop of a state that broke limits when it was
/// measured.
#[derive(Debug, Clone)]
pub struct Running {
    /// The motion.
    pub motion: Motion,
    /// Until then only the rules of [`verify::stop`] hold; `Stamp::MIN`: all rules hold
    /// everywhere.
    pub unclean_until: Stamp,
}

/// The joints' fastest stops from `first`; `None` if a joint moves that cannot be stopped: its
/// index.
pub fn profiles(first: &[State], bounds: &[Bounds]) -> Result<Vec<brake::Profile>, usize> {
    let stop = |(joint, (state, bounds)): (usize, (&State, &Bounds))| {
        let able = state.is_rest()
            || (bounds.can_stop() && state.acceleration.abs() <= bounds.acceleration * 1.001);
        let profile =
            if able { brake::profile(state, bounds.acceleration, bounds.jerk) } else { None };
        profile.ok_or(joint)
    };
    first.iter().zip(bounds).enumerate().map(stop).collect()
}

/// The stop of a measured state, each joint as fast as it can. Where it rests cannot be chosen.
///
/// # Errors
/// The index of a joint that moves and cannot be stopped within its limits.
pub fn measured(start: Stamp, first: &[State], bounds: &[Bounds]) -> Result<Running, usize> {
    let profiles = profiles(first, bounds)?;
    let motion = brake::join(start, first, &profiles);
    verify::stop(&motion, bounds).map_err(|fault| fault.joint)?;
    let clean = verify::motion(&motion, bounds).is_ok();
    let unclean_until = if clean { Stamp::MIN } else { motion.end() };
    Ok(Running { motion, unclean_until })
}

/// How much longer than the fastest stop a stop along the path may take.
const ALONG: [f64; 4] = [1.6, 2.0, 2.6, 3.4];

/// The stop of the running motion from `at`: along its path if that is about as fast, else each
/// joint for itself, if need be a little later, and in the worst case at the motion's own end.
pub fn running(running: &Running, at: Stamp, bounds: &[Bounds]) -> Running {
    let clean = |motion: Motion| Running { motion, unclean_until: Stamp::MIN };
    let first = running.motion.sample(at);
    if running.motion.is_at_rest(at) {
        return clean(Motion::hold(at, first.iter().map(|state| state.position)));
    }
    if at < running.unclean_until {
        // Every joint brakes as fast as it can already.
        let motion = running.motion.piece(at, running.unclean_until, GRID);
        return Running { motion, unclean_until: running.unclean_until };
    }
    let fastest = profiles(&first, bounds);
    if let Ok(profiles) = &fastest {
        let shortest = seconds(profiles.iter().map(brake::duration).max().unwrap_or(0)).max(0.02);
        for factor in ALONG {
            let motion = path_stop::along(&running.motion, at, shortest * factor);
            if verify::motion(&motion, bounds).is_ok() {
                return clean(motion);
            }
        }
        let motion = brake::join(at, &first, profiles);
        if verify::motion(&motion, bounds).is_ok() {
            return clean(motion);
        }
    }
    let mut delay = 4_000_000;
    while at + delay < running.motion.end() {
        // A knot too close to the instant from which the joints brake would leave a very short
        // segment: brake at the knot.
        let knots = running.motion.times().iter().map(|time| running.motion.start() + time);
        let near = knots.into_iter().find(|knot| (knot - (at + delay)).abs() < GRID);
        let from = near.unwrap_or(at + delay);
        let later = running.motion.sample(from);
        if let Ok(profiles) = profiles(&later, bounds) {
            let mut motion = running.motion.piece(at, from, GRID);
            motion.append(&brake::join(from, &later, &profiles));
            if verify::motion(&motion, bounds).is_ok() {
                return clean(motion);
            }
        }
        delay += delay / 2;
    }
    clean(running.motion.piece(at, running.motion.end(), GRID))
}
