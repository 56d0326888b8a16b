//! Points in ROS time, in nanoseconds.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in ROS time: nanoseconds since the epoch of the clock in use (UNIX epoch for the system
/// clock).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// Nanoseconds in one second.
pub const NANOSECONDS: i64 = 1_000_000_000;

impl Time {
    /// The zero of the clock; as a stamp it means "not set".
    pub const ZERO: Time = Time(0);

    /// From nanoseconds.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Time {
        Time(nanoseconds)
    }

    /// From seconds; rounds to the nearest nanosecond and saturates.
    pub fn from_seconds(seconds: f64) -> Time {
        Time((seconds * NANOSECONDS as f64).round() as i64)
    }

    /// Nanoseconds since the clock's epoch.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// Seconds since the clock's epoch.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / NANOSECONDS as f64
    }

    /// Time from `earlier` to `self`; zero where `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// Splits into the two fields of `builtin_interfaces/Time`: whole seconds (rounded down) and
    /// nanoseconds. Seconds outside `i32` saturate, as the message cannot carry them.
    pub fn split(self) -> (i32, u32) {
        let seconds = self.0.div_euclid(NANOSECONDS);
        let nanoseconds = self.0.rem_euclid(NANOSECONDS) as u32;
        match i32::try_from(seconds) {
            Ok(seconds) => (seconds, nanoseconds),
            Err(_) if seconds > 0 => (i32::MAX, 999_999_999),
            Err(_) => (i32::MIN, 0),
        }
    }

    /// The reverse of [`Time::split`].
    pub fn join(seconds: i32, nanoseconds: u32) -> Time {
        Time(i64::from(seconds) * NANOSECONDS + i64::from(nanoseconds))
    }
}

/// A [`Duration`] as signed nanoseconds, saturating at 292 years.
pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(nanoseconds(duration)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(nanoseconds(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_split_toward_minus_infinity() {
        let time = Time::from_nanoseconds(-1);
        assert_eq!(time.split(), (-1, 999_999_999));
        assert_eq!(Time::join(-1, 999_999_999), time);
    }

    #[test]
    fn a_time_that_the_message_cannot_hold_saturates() {
        assert_eq!(Time::from_nanoseconds(i64::MAX).split(), (i32::MAX, 999_999_999));
    }

    #[test]
    fn since_is_never_negative() {
        assert_eq!(Time::from_seconds(1.0).since(Time::from_seconds(2.0)), Duration::ZERO);
        assert_eq!(
            Time::from_seconds(2.5).since(Time::from_seconds(2.0)),
            Duration::from_millis(500)
        );
    }
}
