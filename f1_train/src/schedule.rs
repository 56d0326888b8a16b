//! Learning-rate schedules with warm-up.

use serde::{Deserialize, Serialize};

/// Shape of the learning rate after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Half a cosine from 1 to `min_ratio`.
    Cosine,
    /// 1 throughout.
    Constant,
}

/// A schedule: a factor on every group's learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Shape after warm-up.
    pub shape: Shape,
    /// Steps over which the factor rises linearly from 0.
    #[serde(default)]
    pub warmup_steps: u64,
    /// Factor at the end of a cosine.
    #[serde(default)]
    pub min_ratio: f64,
}

impl Schedule {
    /// Factor for the update with this number (from 0) in a run of `total` updates.
    #[must_use]
    pub fn factor(&self, step: u64, total: u64) -> f64 {
        if step < self.warmup_steps {
            return step as f64 / self.warmup_steps.max(1) as f64;
        }
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Cosine => {
                let span = total.saturating_sub(self.warmup_steps).max(1);
                let progress = ((step - self.warmup_steps) as f64 / span as f64).min(1.0);
                let half = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
                self.min_ratio + (1.0 - self.min_ratio) * half
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_rises_and_the_cosine_falls_to_its_end() {
        let schedule = Schedule { shape: Shape::Cosine, warmup_steps: 10, min_ratio: 0.1 };
        assert_eq!(schedule.factor(0, 110), 0.0);
        assert_eq!(schedule.factor(5, 110), 0.5);
        assert_eq!(schedule.factor(10, 110), 1.0);
        assert!((schedule.factor(60, 110) - 0.55).abs() < 1e-12);
        assert!((schedule.factor(110, 110) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn constant_stays() {
        let schedule = Schedule { shape: Shape::Constant, warmup_steps: 0, min_ratio: 0.0 };
        assert_eq!([0, 7, 500].map(|step| schedule.factor(step, 500)), [1.0; 3]);
    }
}
