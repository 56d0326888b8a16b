//! What configuring loads: the robot, the policy, the statistics; checked against each other, all
//! faults at once.

use std::path::Path;
use std::sync::Arc;

use f1_model::image_prep::{prepare_frame, to_image};
use f1_model::{Config, F1Policy, LoadOptions};
use f1_robot::ChunkDecoder;
use f1_robot::Robot;
use f1_robot::robot_file::CameraRole;
use f1_robot::state::StateEncoder;
use f1_robot::statistics::{DatasetStatistics, StatisticsFile};

use crate::policy::network::NetworkPolicy;
use crate::policy::{ForesightInfo, Policy};

/// Why the policy cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// A parameter that says what to load is missing or wrong.
    #[error("parameter {0}")]
    Parameter(String),
    /// The robot file, with all its faults.
    #[error(transparent)]
    Robot(#[from] f1_robot::RobotFileError),
    /// The checkpoint.
    #[error("model {folder}: {source}")]
    Model {
        /// The checkpoint folder.
        folder: String,
        /// What is wrong, with the tensor's name where it is one.
        source: f1_model::Error,
    },
    /// A name of the hub.
    #[error(transparent)]
    Hub(#[from] f1_hub::HubError),
    /// The statistics.
    #[error("statistics of the robot {robot}: {source}; `f1 stats DATASET` makes stats.json")]
    Statistics {
        /// The robot's name.
        robot: String,
        /// What is wrong.
        source: f1_robot::statistics::StatisticsError,
    },
    /// Robot file and checkpoint do not fit; every fault.
    #[error("robot {robot} and model {model} do not fit:\n  {}", .faults.join("\n  "))]
    Mismatch {
        /// The robot's name.
        robot: String,
        /// The checkpoint folder.
        model: String,
        /// Every fault.
        faults: Vec<String>,
    },
    /// A policy server cannot be used.
    #[error("policy server {url}: {reason}")]
    Server {
        /// Its address.
        url: String,
        /// Why.
        reason: String,
    },
}

/// Everything that inference for one robot needs. Shared by `Arc`; dropped on cleanup.
pub struct Resources {
    /// The robot.
    pub robot: Arc<Robot>,
    /// The policy.
    pub policy: Arc<dyn Policy>,
    /// Measured joints to the policy's state.
    pub encoder: StateEncoder,
    /// The policy's chunk to joint waypoints.
    pub decoder: ChunkDecoder,
    /// The checkpoint's folder or the policy server's address.
    pub model: String,
}

impl std::fmt::Debug for Resources {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Resources")
            .field("robot", &self.robot.file().name)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Resources {
    /// Loads robot file and checkpoint folder and checks them against each other.
    ///
    /// # Errors
    /// Whatever is wrong with either, or that they do not fit.
    pub fn load(
        robot_file: &Path,
        model: &Path,
        options: &LoadOptions,
    ) -> Result<Self, ResourceError> {
        Self::load_with(robot_file, model, None, options)
    }

    /// As [`Resources::load`], with a `tokenizer.json` from elsewhere.
    ///
    /// # Errors
    /// As [`Resources::load`].
    pub fn load_with(
        robot_file: &Path,
        model: &Path,
        tokenizer: Option<&Path>,
        options: &LoadOptions,
    ) -> Result<Self, ResourceError> {
        let robot = Arc::new(Robot::load(robot_file)?);
        let statistics = Self::statistics(&robot, robot_file, model)?;
        let failed = |source| ResourceError::Model { folder: model.display().to_string(), source };
        let mut policy = F1Policy::load(model, options).map_err(failed)?;
        if let Some(tokenizer) = tokenizer {
            policy.set_tokenizer(tokenizer).map_err(failed)?;
        }
        Self::assemble(robot, Arc::new(policy), &statistics, model)
    }

    /// Puts loaded parts together.
    ///
    /// # Errors
    /// Statistics that do not fit the robot, a robot that does not fit the network.
    pub fn assemble(
        robot: Arc<Robot>,
        policy: Arc<F1Policy>,
        statistics: &DatasetStatistics,
        model: &Path,
    ) -> Result<Self, ResourceError> {
        let faults = Self::mismatches(&robot, policy.config());
        if !faults.is_empty() {
            return Err(ResourceError::Mismatch {
                robot: robot.file().name.clone(),
                model: model.display().to_string(),
                faults,
            });
        }
        let (encoder, decoder) = Self::normalisation(&robot, statistics)?;
        let policy = Arc::new(NetworkPolicy::new(policy, &robot));
        Ok(Self { robot, policy, encoder, decoder, model: model.display().to_string() })
    }

    /// A policy whose state and actions are in the units of the robot file's layouts: whatever
    /// normalises them is its own. `model` names it.
    #[must_use]
    pub fn in_robot_units(robot: Arc<Robot>, policy: Arc<dyn Policy>, model: String) -> Self {
        let encoder = StateEncoder::in_robot_units(robot.clone());
        let decoder = ChunkDecoder::in_robot_units(robot.clone());
        Self { robot, policy, encoder, decoder, model }
    }

    /// The entry of `stats.json` that the robot file names: from the path that it gives, else from
    /// the checkpoint folder.
    ///
    /// # Errors
    /// A file or an entry that is not there or cannot be read.
    pub fn statistics(
        robot: &Robot,
        robot_file: &Path,
        model: &Path,
    ) -> Result<DatasetStatistics, ResourceError> {
        let source = &robot.file().statistics;
        let path = match &source.path {
            Some(path) => robot_file.parent().unwrap_or(Path::new(".")).join(path),
            None => model.join("stats.json"),
        };
        StatisticsFile::load(&path).and_then(|file| file.get(&source.name).cloned()).map_err(
            |source| ResourceError::Statistics { robot: robot.file().name.clone(), source },
        )
    }

    /// What normalises the state and decodes the network's chunks.
    ///
    /// # Errors
    /// Statistics that do not fit the robot.
    pub fn normalisation(
        robot: &Arc<Robot>,
        statistics: &DatasetStatistics,
    ) -> Result<(StateEncoder, ChunkDecoder), ResourceError> {
        let wrong = |source| ResourceError::Statistics { robot: robot.file().name.clone(), source };
        let encoder = StateEncoder::new(robot.clone(), statistics).map_err(wrong)?;
        let decoder = ChunkDecoder::new(robot.clone(), statistics).map_err(wrong)?;
        Ok((encoder, decoder))
    }

    /// The robot file's cameras that the policy sees: their indices in the file, in order.
    #[must_use]
    pub fn understanding_cameras(&self) -> Vec<usize> {
        cameras_with(&self.robot, CameraRole::Und)
    }

    /// Whether the policy foresees.
    #[must_use]
    pub fn foresees(&self) -> bool {
        self.policy.info().foresight.is_some()
    }

    /// Whether the understanding expert is shown past images of the history camera.
    #[must_use]
    pub fn shows_past(&self) -> bool {
        self.policy.info().past_frames.is_some()
    }

    /// One stride: the distance of two history frames, and how far ahead the foreseen image lies,
    /// s.
    #[must_use]
    pub fn stride(&self) -> f64 {
        self.policy.info().stride_steps as f64 / self.robot.rate_hz()
    }

    /// The camera's image as the policy sees its history: the shorter side shrunk, the middle
    /// cut out.
    ///
    /// # Errors
    /// An image without pixels, or a policy that does not foresee.
    pub fn history_view(
        &self,
        image: &image::RgbImage,
    ) -> Result<image::RgbImage, f1_model::Error> {
        let (side, crop_ratio) = match self.policy.info().foresight {
            Some(ForesightInfo { side, crop_ratio, .. }) => (side, crop_ratio),
            None => (1, 1.0),
        };
        to_image(&prepare_frame(image, side, crop_ratio, &candle_core::Device::Cpu)?)
    }

    /// Why robot file and network do not fit: all faults, empty when they fit.
    #[must_use]
    pub fn mismatches(robot: &Robot, config: &Config) -> Vec<String> {
        let file = robot.file();
        let mut faults = Vec::new();
        let mut larger = |what: &str, needed: usize, width: usize| {
            if needed > width {
                faults.push(format!(
                    "{what}: the robot file needs {needed}, the network takes {width}"
                ));
            }
        };
        larger("state", file.state_dim(), config.max_state_dim);
        larger("action", file.action_dim(), config.max_action_dim);
        if cameras_with(robot, CameraRole::History).is_empty() {
            let no_camera = "but no camera has the role history";
            if config.generation.is_some() {
                faults.push(format!("cameras: the network foresees, {no_camera}"));
            } else if config.run.history_in_understanding {
                faults.push(format!("cameras: the network is shown past images, {no_camera}"));
            }
        }
        faults
    }

    /// The camera whose history conditions foresight.
    #[must_use]
    pub fn history_camera(&self) -> Option<usize> {
        cameras_with(&self.robot, CameraRole::History).first().copied()
    }
}

/// The robot file's cameras with a role: their indices in the file, in order.
pub fn cameras_with(robot: &Robot, role: CameraRole) -> Vec<usize> {
    let cameras = robot.file().cameras.iter().enumerate();
    cameras.filter(|(_, camera)| camera.roles.contains(&role)).map(|(index, _)| index).collect()
}
