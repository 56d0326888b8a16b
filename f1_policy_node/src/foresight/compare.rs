//! What was foreseen against what came: the foresight error, and what follows from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use f1_image::{mean_absolute_error, psnr};
use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::f1_msgs::msg::ForesightError;
use f1_interfaces::sensor_msgs::msg::Image;
use f1_model::image_measures::{ForesightErrors, decibels, worst_square};
use image::RgbImage;

use super::comparison::{comparison, token_agreement};
use super::node::Shared;
use crate::observation::{CameraFrame, Observation};
use crate::policy::Perceived;
use crate::topics;

/// An image that was foreseen and waits for its moment.
pub(super) struct Expectation {
    pub observation: Arc<Observation>,
    pub perceived: Arc<dyn Perceived>,
    pub image: RgbImage,
    pub foreseen_ns: i64,
    pub sequence: u64,
}

/// Expectations whose moment an observation shows.
pub(super) struct Arrived {
    pub due: Vec<Expectation>,
    pub observation: Arc<Observation>,
}

/// What came of one expectation.
pub(super) struct Compared {
    error: ForesightError,
    sheet: Image,
}

impl Shared {
    /// The history camera's frame in an observation.
    fn seen<'a>(&self, observation: &'a Observation) -> Option<&'a CameraFrame> {
        observation.cameras.get(self.resources.history_camera()?)?.as_ref()
    }

    /// The expectations whose moment this observation shows; `None` when there is none.
    pub fn due(&self, observation: &Observation) -> Option<Vec<Expectation>> {
        let came_ns = self.seen(observation)?.stamp_ns;
        let slop_ns = self.settings.lock().compare_slop_ns;
        let mut waiting = self.waiting.lock();
        let mut due = Vec::new();
        while waiting.front().is_some_and(|next| next.foreseen_ns <= came_ns) {
            due.extend(waiting.pop_front().filter(|next| came_ns - next.foreseen_ns <= slop_ns));
        }
        (!due.is_empty()).then_some(due)
    }

    /// Runs on the third worker: what was foreseen against what came.
    pub fn compare(&self, arrived: &Arrived) -> Vec<Compared> {
        let Some(came) = self.seen(&arrived.observation) else { return Vec::new() };
        let due = arrived.due.iter();
        due.filter_map(|expected| self.compare_one(expected, &arrived.observation, came)).collect()
    }

    fn compare_one(
        &self,
        expected: &Expectation,
        observation: &Observation,
        came: &CameraFrame,
    ) -> Option<Compared> {
        let camera = self.resources.history_camera()?;
        let before = self.seen(&expected.observation)?;
        // As the network sees it: the same crop and size as the foreseen image.
        let now = self.resources.history_view(&before.image).ok()?;
        let seen = self.resources.history_view(&came.image).ok()?;
        let (error, still) = (psnr(&expected.image, &seen)?, psnr(&now, &seen)?);
        let (mut foreseen, mut repeated) = (ForesightErrors::default(), ForesightErrors::default());
        foreseen.add(&expected.image, &now, &seen);
        repeated.add(&now, &now, &seen);
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let agreement = self.finest_agreement(expected, observation).unwrap_or(f64::NAN);
        let header = self.header(observation, came.stamp_ns);
        let sheet = comparison(&now, &expected.image, &seen, error);
        let message = ForesightError {
            header: header.clone(),
            camera: self.resources.robot.file().cameras[camera].name.clone(),
            observation_stamp: WireTime::saturating_from_nanoseconds(expected.observation.stamp_ns),
            foreseen_stamp: WireTime::saturating_from_nanoseconds(expected.foreseen_ns),
            sequence: expected.sequence,
            epoch: expected.observation.instruction.epoch,
            psnr: error,
            mean_absolute_error: mean_absolute_error(&expected.image, &seen),
            token_agreement: agreement,
            confidence: f64::from(mean(expected.perceived.token_confidence())),
            psnr_if_still: still,
            psnr_changed: or_nan(foreseen.psnr_changed()),
            psnr_changed_if_still: or_nan(repeated.psnr_changed()),
            ssim: or_nan(foreseen.ssim()),
            ssim_if_still: or_nan(repeated.ssim()),
            psnr_worst: decibels(worst_square(&expected.image, &seen)?),
        };
        Some(Compared { error: message, sheet: f1_image::encode(&sheet, header) })
    }

    /// Runs on the executor.
    pub fn compared(&self, compared: Vec<Compared>) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let (replan_psnr, signal) = {
            let settings = self.settings.lock();
            (settings.replan_psnr, settings.replan_signal)
        };
        for Compared { error, sheet } in compared {
            self.core.status.lock().foresight = Some(error.clone());
            // A chunk of an epoch that has ended is not replaced a second time.
            let departs = replan_psnr > 0.0 && signal.of(&error) < replan_psnr;
            if departs && error.epoch == self.core.epoch() {
                self.forget_foresight();
                self.core.pacer.lock().demand();
            }
            self.publish(topics::FORESIGHT_ERROR.name, self.publishers.error.publish(error));
            self.publish(
                topics::FORESIGHT_COMPARISON.name,
                self.publishers.comparison.publish(sheet),
            );
        }
    }

    /// Share of equal tokens in the finest scale that was generated.
    fn finest_agreement(&self, expected: &Expectation, observation: &Observation) -> Option<f64> {
        let (finest, coarser) = expected.perceived.tokens().split_last()?;
        let from: usize = coarser.iter().map(Vec::len).sum();
        let (_, came) = observation.history.last()?;
        token_agreement(finest, came.tokens().get(from..from + finest.len())?)
    }
}

fn mean(values: &[f32]) -> f32 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f32>() / values.len() as f32 }
}
