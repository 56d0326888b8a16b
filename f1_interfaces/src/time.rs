//! Conversions of stamps and durations.

use crate::builtin_interfaces::msg::{Duration, Time};

const BILLION: i64 = 1_000_000_000;

/// A time that `builtin_interfaces` cannot hold: its seconds are 32 bits wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{nanoseconds} ns do not fit a ROS time: its seconds are 32 bits wide")]
pub struct TimeError {
    /// The time asked for.
    pub nanoseconds: i64,
}

fn split(nanoseconds: i64) -> Result<(i32, u32), TimeError> {
    let sec =
        i32::try_from(nanoseconds.div_euclid(BILLION)).map_err(|_| TimeError { nanoseconds })?;
    // The remainder is below a billion.
    let nanosec = u32::try_from(nanoseconds.rem_euclid(BILLION)).unwrap_or(0);
    Ok((sec, nanosec))
}

macro_rules! nanoseconds {
    ($name:ident) => {
        impl $name {
            /// All of it in nanoseconds.
            pub const fn nanoseconds(self) -> i64 {
                self.sec as i64 * BILLION + self.nanosec as i64
            }

            /// From nanoseconds.
            ///
            /// # Errors
            /// Seconds that do not fit 32 bits (after the year 2038).
            pub fn from_nanoseconds(nanoseconds: i64) -> Result<Self, TimeError> {
                let (sec, nanosec) = split(nanoseconds)?;
                Ok(Self { sec, nanosec })
            }

            /// From nanoseconds; what does not fit becomes the nearest that does.
            pub fn saturating_from_nanoseconds(nanoseconds: i64) -> Self {
                Self::from_nanoseconds(nanoseconds).unwrap_or(if nanoseconds < 0 {
                    Self { sec: i32::MIN, nanosec: 0 }
                } else {
                    Self { sec: i32::MAX, nanosec: 999_999_999 }
                })
            }

            /// All of it in seconds.
            pub fn seconds(self) -> f64 {
                f64::from(self.sec) + f64::from(self.nanosec) * 1e-9
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                (self.sec, self.nanosec).cmp(&(other.sec, other.nanosec))
            }
        }
    };
}

nanoseconds!(Time);
nanoseconds!(Duration);

impl TryFrom<std::time::Duration> for Duration {
    type Error = TimeError;

    fn try_from(duration: std::time::Duration) -> Result<Duration, TimeError> {
        let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Duration::from_nanoseconds(nanoseconds)
    }
}

impl Duration {
    /// From seconds, rounded to the nanosecond; what does not fit becomes the nearest that does,
    /// NaN becomes zero.
    pub fn from_seconds(seconds: f64) -> Duration {
        // The cast saturates and turns NaN into zero.
        Duration::saturating_from_nanoseconds((seconds * 1e9).round() as i64)
    }

    /// As a standard duration; a negative one becomes zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.nanoseconds()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_times_keep_their_nanoseconds_positive() {
        let time = Time::from_nanoseconds(-1);
        assert_eq!(time, Ok(Time { sec: -1, nanosec: 999_999_999 }));
        assert_eq!(time.map(Time::nanoseconds), Ok(-1));
        assert_eq!(Duration::from_seconds(-0.25).nanoseconds(), -250_000_000);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        assert!(Time::from_nanoseconds(i64::MAX).is_err());
        assert_eq!(Time::saturating_from_nanoseconds(i64::MAX).sec, i32::MAX);
        assert_eq!(Duration::from_seconds(f64::NAN), Duration::default());
    }
}
