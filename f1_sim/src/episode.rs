//! One episode with a policy in the loop, without ROS: bench, policy, decoding and safety filter on
//! one virtual clock.
//!
//! The same parts run behind topics in the demo; here an episode is a function of its settings, so
//! that thousands can be measured and repeated.

use std::sync::Arc;
use std::time::Instant;

use f1_model::{ActRequest, F1Policy, HistoryFrame, PolicyInput};
use f1_robot::decode::{ChunkDecoder, ChunkStamp};
use f1_robot::safety::{Event, FilterInput, FilterSettings, MeasuredState, SafetyFilter, Verdict};
use f1_robot::state::StateEncoder;
use f1_robot::statistics::StatisticsFile;
use f1_robot::{RawChunk, Robot};
use image::RgbImage;

use crate::arm::{ArmError, Violation};
use crate::expert::{Disturbance, Expert, STEP};
use crate::{Bench, BenchSettings, CameraId, Outcome};

/// What can stop an episode (a failed task is not among it).
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EpisodeError {
    #[error(transparent)]
    Arm(#[from] ArmError),
    #[error(transparent)]
    Model(#[from] f1_model::Error),
    #[error(transparent)]
    Statistics(#[from] f1_robot::statistics::StatisticsError),
    #[error(transparent)]
    State(#[from] f1_robot::state::MeasurementError),
    #[error(transparent)]
    Decode(#[from] f1_robot::decode::DecodeError),
}

/// A policy with what it needs to drive the bench.
pub struct Driver {
    /// The robot.
    pub robot: Arc<Robot>,
    /// The policy.
    pub policy: Arc<F1Policy>,
    decoder: ChunkDecoder,
    encoder: StateEncoder,
}

/// How the loop is run.
#[derive(Clone, Debug)]
pub struct LoopSettings {
    /// Steps of the data set's rate between two inferences.
    pub every: u64,
    /// Seconds from an observation to its chunk's arrival at the filter.
    pub latency: f64,
    /// The safety filter.
    pub filter: FilterSettings,
    /// Keep every foresight image (for images; costs a decoding each).
    pub keep_foresight: bool,
}

impl Default for LoopSettings {
    fn default() -> Self {
        // No latch: an intervention is counted here, and an episode is not a robot that somebody
        // must look after.
        let filter = FilterSettings { latch_count: 0, ..FilterSettings::default() };
        LoopSettings { every: 2, latency: 0.02, filter, keep_foresight: false }
    }
}

/// A foreseen image beside the newest and the true one.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// Seconds of the observation.
    pub time: f64,
    /// What the history camera saw.
    pub now: RgbImage,
    /// What was foreseen.
    pub foreseen: Option<RgbImage>,
    /// The true image one stride later.
    pub came: Option<RgbImage>,
    /// Share of foreseen tokens that were those of the image that came.
    pub token_accuracy: Option<f64>,
}

/// What happened in an episode.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The sentence.
    pub instruction: String,
    /// Seconds on the bench's clock.
    pub seconds: f64,
    /// Limits broken at the controllers, counted by the bench.
    pub violations: u64,
    /// The first of them, word for word.
    pub broken: Vec<Violation>,
    /// Decisions of the filter.
    pub events: Vec<Event>,
    /// Chunks by verdict: accepted, modified, rejected, stopped.
    pub verdicts: [u64; 4],
    /// Milliseconds of each inference.
    pub latency_ms: Vec<f64>,
    /// Foresights, in order.
    pub foreseen: Vec<Foreseen>,
}

impl Driver {
    /// A driver; `statistics` is the file beside the checkpoint.
    ///
    /// # Errors
    /// Statistics that do not fit the robot.
    pub fn new(
        robot: Arc<Robot>,
        policy: Arc<F1Policy>,
        statistics: &StatisticsFile,
    ) -> Result<Self, EpisodeError> {
        let entry = statistics.get(&robot.file().statistics.name)?;
        let decoder = ChunkDecoder::new(robot.clone(), entry)?;
        let encoder = StateEncoder::new(robot.clone(), entry)?;
        Ok(Driver { robot, policy, decoder, encoder })
    }

    /// Plays one episode to its end.
    ///
    /// # Errors
    /// Whatever is wrong with model, robot file or statistics.
    pub fn play(
        &self,
        bench: BenchSettings,
        settings: &LoopSettings,
    ) -> Result<Report, EpisodeError> {
        self.play_until(&mut Bench::new(self.robot.clone(), bench)?, settings, f64::INFINITY)
    }

    /// Plays on `bench` until the episode is over or its clock shows `until` seconds.
    ///
    /// # Errors
    /// Whatever is wrong with model, robot file or statistics.
    pub fn play_until(
        &self,
        bench: &mut Bench,
        settings: &LoopSettings,
        until: f64,
    ) -> Result<Report, EpisodeError> {
        let config = self.policy.config();
        let foresees = config.generation.is_some();
        let (frames_wanted, stride) = (config.run.history_frames, config.run.obs_img_stride);
        let seed = bench.settings().seed;
        let prompt = self.policy.encode_prompt(&bench.instruction())?;
        // The nodes refuse a model that is shown its past as cameras; here it is played, for
        // comparison.
        let shown = config.run.history_in_understanding;
        let mut history: Vec<HistoryFrame> = Vec::new();
        let mut images: Vec<RgbImage> = Vec::new();
        while bench.time() < -0.5 * STEP {
            let fixed = bench.render(CameraId::Fixed);
            if foresees {
                history.push(self.policy.encode_frame(&fixed)?);
            }
            if shown {
                images.push(fixed);
            }
            bench.advance(STEP);
        }
        let mut tokens: Vec<(u64, Vec<u32>)> = Vec::new();
        closed_loop(&self.robot, bench, settings, until, |bench, step, report| {
            let wanted = step.is_multiple_of(settings.every);
            if !foresees && !shown && !wanted {
                return Ok(None);
            }
            let fixed = bench.render(CameraId::Fixed);
            if foresees {
                let frame = self.policy.encode_frame(&fixed)?;
                compare(report, &mut tokens, step, stride as u64, &frame, &fixed);
                history.push(frame);
            }
            if shown {
                images.push(fixed.clone());
            }
            if !wanted {
                return Ok(None);
            }
            let begun = Instant::now();
            let wrist = bench.render(CameraId::Wrist);
            let joints = bench.joint_state();
            let state = self.encoder.encode(&joints.names, &joints.positions)?;
            let past = |length: usize| {
                let last = length.saturating_sub(1);
                (0..frames_wanted).rev().map(move |back| last.saturating_sub(back * stride))
            };
            let mut cameras = vec![&fixed, &wrist];
            if shown {
                cameras
                    .extend(past(images.len()).take(frames_wanted - 1).map(|index| &images[index]));
            }
            let cameras = cameras
                .into_iter()
                .map(|image| self.policy.prepare_camera(image).map(Some))
                .collect::<Result<_, _>>()?;
            let input = PolicyInput {
                cameras,
                prompt: prompt.clone(),
                history: if foresees {
                    past(history.len()).map(|i| history[i].clone()).collect()
                } else {
                    Vec::new()
                },
            };
            let request_seed = seed.wrapping_mul(1_000_003).wrapping_add(step);
            let prefix = self.policy.perceive(&input, request_seed)?;
            let request = ActRequest { seed: request_seed, guidance: None };
            let chunk = self.policy.act(&prefix, &state, &request)?;
            report.latency_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            let stamp = ChunkStamp { stamp: stamp(bench.time()), sequence: step, epoch: 0 };
            let decoded = self.decoder.decode(&chunk, &joints.positions, stamp)?;
            if foresees {
                tokens.push((step, prefix.tokens().concat()));
                let foreseen = if settings.keep_foresight {
                    Some(self.policy.imagine(&prefix)?)
                } else {
                    None
                };
                let time = bench.time();
                let entry =
                    Foreseen { time, now: fixed, foreseen, came: None, token_accuracy: None };
                report.foreseen.push(entry);
            }
            Ok(Some(decoded.chunk))
        })
    }
}

/// Plays an episode with the scripted expert in the policy's place: its chunks go through filter
/// and controllers as a policy's do. What it reaches is what the loop itself allows.
///
/// # Errors
/// A robot that the bench cannot play.
pub fn play_expert(
    robot: &Arc<Robot>,
    bench: BenchSettings,
    settings: &LoopSettings,
    horizon: usize,
) -> Result<Report, EpisodeError> {
    let mut bench = Bench::new(robot.clone(), bench)?;
    bench.advance_to(0.0);
    closed_loop(robot, &mut bench, settings, f64::INFINITY, |bench, step, _| {
        if !step.is_multiple_of(settings.every) {
            return Ok(None);
        }
        let mut imagined = bench.clone();
        let mut expert = Expert::new(&imagined, Disturbance::NONE);
        let mut rows = Vec::with_capacity(horizon);
        for _ in 0..horizon {
            rows.push(expert.step(&mut imagined)?.joints);
            imagined.advance(STEP);
        }
        Ok(Some(RawChunk {
            stamp: stamp(bench.time()),
            sequence: step,
            epoch: 0,
            joint_names: robot.joints().iter().map(|joint| joint.name.clone()).collect(),
            rate_hz: 1.0 / STEP,
            rows,
        }))
    })
}

/// Bench, filter and controllers on one clock; `infer` is asked at every step of the data set's
/// rate and its chunk arrives `latency` later.
fn closed_loop(
    robot: &Arc<Robot>,
    bench: &mut Bench,
    settings: &LoopSettings,
    until: f64,
    mut infer: impl FnMut(&Bench, u64, &mut Report) -> Result<Option<RawChunk>, EpisodeError>,
) -> Result<Report, EpisodeError> {
    let mut filter = SafetyFilter::new(robot.clone(), settings.filter.clone());
    let mut coming: Option<(u64, RawChunk)> = None;
    let mut report = Report {
        outcome: Outcome::Running,
        instruction: bench.instruction(),
        seconds: 0.0,
        violations: 0,
        broken: Vec::new(),
        events: Vec::new(),
        verdicts: [0; 4],
        latency_ms: Vec::new(),
        foreseen: Vec::new(),
    };
    // The filter is asked five times in each step of the data set's rate.
    let per_step = 5;
    let late = (settings.latency / STEP * per_step as f64).round() as u64;
    let mut tick: u64 = 0;
    while !bench.outcome().is_over() && bench.time() < until {
        let now = stamp(bench.time());
        if tick.is_multiple_of(per_step)
            && let Some(chunk) = infer(bench, tick / per_step, &mut report)?
        {
            coming = Some((tick + late, chunk));
        }
        let joints = bench.joint_state();
        let state = MeasuredState {
            stamp: now,
            names: joints.names,
            positions: joints.positions,
            velocities: joints.velocities,
        };
        let chunk = coming.take_if(|(due, _)| *due <= tick).map(|(_, chunk)| chunk);
        let had_chunk = chunk.is_some();
        let output = filter.step(&FilterInput { now, state: Some(state), chunk, lock: false });
        if had_chunk {
            report.verdicts[match output.verdict {
                Verdict::Accepted => 0,
                Verdict::Modified => 1,
                Verdict::Rejected => 2,
                Verdict::Stopped => 3,
            }] += 1;
        }
        report.events.extend(output.events);
        for trajectory in &output.trajectories {
            bench.command(trajectory.controller(), &trajectory.into())?;
        }
        tick += 1;
        bench.advance_to(tick as f64 * STEP / per_step as f64);
    }
    report.outcome = bench.outcome();
    report.seconds = bench.time();
    report.violations = bench.arm().violation_count();
    report.broken = bench.arm().violations().to_vec();
    Ok(report)
}

fn stamp(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// Adds the true image to the foresight made one stride ago.
fn compare(
    report: &mut Report,
    tokens: &mut Vec<(u64, Vec<u32>)>,
    step: u64,
    stride: u64,
    frame: &HistoryFrame,
    image: &RgbImage,
) {
    tokens.retain(|(made, _)| made + stride >= step);
    let Some((made, foreseen)) = tokens.iter().find(|(made, _)| made + stride == step) else {
        return;
    };
    let right = foreseen.iter().zip(frame.tokens()).filter(|(a, b)| a == b).count();
    let time = *made as f64 * STEP;
    if let Some(entry) = report.foreseen.iter_mut().find(|entry| (entry.time - time).abs() < 1e-6) {
        entry.came = Some(image.clone());
        entry.token_accuracy = Some(right as f64 / foreseen.len().max(1) as f64);
    }
}
