//! The parameters of the node `safety_filter`: the filter's own, which come from its table
//! ([`FilterSettings::parameters`]), and a few of the node.

use std::time::Duration;

use f1_middleware::parameters::{Descriptor, ParameterError, ParameterType, Parameters, Proposal};
use f1_robot::safety::{Allowed, FilterSettings, Parameter, ParameterValue};

use super::takeover::{Buttons, TakeoverFrom};

/// The parameters of the node `safety_filter`.
#[derive(Debug, Clone, PartialEq)]
pub struct SafetySettings {
    /// What the filter itself takes.
    pub filter: FilterSettings,
    /// How often the filter looks at watchdogs and locks, Hz.
    pub rate_hz: f64,
    /// Sends goals of FollowJointTrajectory instead of messages on the topic, where the robot file
    /// leaves it open.
    pub follow_joint_trajectory: bool,
    /// Topics of the locks.
    pub locks: Vec<String>,
    /// Part of the joints' velocity limits at which the robot goes home.
    pub home_speed: f64,
    /// Whether controllers say how fast they run what they were sent.
    pub speed_scaling: bool,
    /// MoveIt's planning scene; `None`: it is not followed.
    pub scene: Option<SceneSettings>,
    /// Where takeovers by a person come from.
    pub takeover: TakeoverFrom,
    /// A source of takeovers that is silent for longer lets nothing move.
    pub takeover_timeout: Duration,
}

/// How the planning scene is followed.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneSettings {
    /// Differences and whole scenes.
    pub scene_topic: String,
    /// Where the scene is asked for.
    pub scene_service: String,
    /// Transforms.
    pub tf_topic: String,
    /// Transforms that stay.
    pub tf_static_topic: String,
    /// A transform that was not repeated for longer is outdated.
    pub tf_timeout: Duration,
}

fn declare_scene(parameters: &Parameters) -> Result<(), ParameterError> {
    let text = "Keep clear of the objects of MoveIt's planning scene. Until it has answered, and \
                while one of its objects cannot be represented or placed, nothing moves. Needs \
                `clearance`.";
    parameters.declare("planning_scene", false, Descriptor::new(text).read_only())?;
    for (name, default, text) in [
        ("planning_scene_topic", "/monitored_planning_scene", "Where the planning scene changes."),
        ("planning_scene_service", "/get_planning_scene", "Where the planning scene is asked for."),
        ("tf_topic", "/tf", "Frames of objects of the planning scene."),
        ("tf_static_topic", "/tf_static", "Frames that do not move."),
    ] {
        let descriptor = Descriptor::new(text).read_only();
        parameters.declare(name, default.to_owned(), descriptor)?;
    }
    let text = "A frame of an object of the planning scene that was not received for longer is \
                outdated: nothing moves. Unit: s.";
    let descriptor = Descriptor::new(text).doubles(0.05, 60.0).read_only();
    parameters.declare("tf_timeout", 1.0, descriptor)?;
    Ok(())
}

fn scene(source: &impl Source) -> Result<Option<SceneSettings>, String> {
    if !source.get::<bool>("planning_scene")? {
        return Ok(None);
    }
    if !source.get::<bool>("clearance")? {
        return Err("planning_scene needs clearance: true".to_owned());
    }
    Ok(Some(SceneSettings {
        scene_topic: source.get("planning_scene_topic")?,
        scene_service: source.get("planning_scene_service")?,
        tf_topic: source.get("tf_topic")?,
        tf_static_topic: source.get("tf_static_topic")?,
        tf_timeout: Duration::from_secs_f64(source.get("tf_timeout")?),
    }))
}

/// Reads where takeovers come from.
fn takeover(source: &impl Source) -> Result<TakeoverFrom, String> {
    let button = |name: &str| -> Result<Option<usize>, String> {
        Ok(usize::try_from(source.get::<i64>(name)?).ok())
    };
    match source.get::<String>("takeover")?.as_str() {
        "topic" => Ok(TakeoverFrom::Topic),
        "joy" => {
            let take = button("takeover_button")?.unwrap_or_default();
            let hand_back = button("hand_back_button")?;
            if hand_back == Some(take) {
                return Err("takeover_button and hand_back_button are the same".to_owned());
            }
            Ok(TakeoverFrom::Joy(Buttons { take, hand_back }))
        }
        _ => Ok(TakeoverFrom::Off),
    }
}

fn declare_takeover(parameters: &Parameters) -> Result<(), ParameterError> {
    let text = "Where a person's takeover comes from: `topic`, messages on `takeover`; `joy`, a \
                button of a joystick on `joy`; `off`. With a source nothing moves until it has \
                sent a message, nor while it is silent.";
    parameters.declare(
        "takeover",
        "off".to_owned(),
        Descriptor::new(text).one_of(["off", "topic", "joy"]).read_only(),
    )?;
    parameters.declare(
        "takeover_timeout",
        0.5,
        Descriptor::new(
            "A source of takeovers that is silent for longer lets nothing move. Unit: s.",
        )
        .doubles(0.01, 60.0),
    )?;
    parameters.declare(
        "takeover_button",
        4_i64,
        Descriptor::new("The joystick's button that takes over, counted from 0.")
            .integers(0, 99)
            .read_only(),
    )?;
    parameters.declare(
        "hand_back_button",
        -1_i64,
        Descriptor::new(
            "The joystick's button that hands back; -1: the person has the robot while \
             `takeover_button` is held.",
        )
        .integers(-1, 99)
        .read_only(),
    )?;
    Ok(())
}

/// Where values are read from: the parameters as they stand, or a proposed set.
trait Source {
    fn get<T: ParameterType>(&self, name: &str) -> Result<T, String>;
}

impl Source for Parameters {
    fn get<T: ParameterType>(&self, name: &str) -> Result<T, String> {
        Parameters::get(self, name).map_err(|error| error.to_string())
    }
}

impl Source for Proposal<'_> {
    fn get<T: ParameterType>(&self, name: &str) -> Result<T, String> {
        Proposal::get(self, name)
    }
}

/// Declares one parameter of the filter.
fn declare(
    parameters: &Parameters,
    parameter: &Parameter<FilterSettings>,
) -> Result<(), ParameterError> {
    let descriptor = Descriptor::new(parameter.description());
    let descriptor = match parameter.allowed {
        Allowed::Any => descriptor,
        Allowed::Doubles(from, to) => descriptor.doubles(from, to),
        Allowed::Integers(from, to) => descriptor.integers(from, to),
        Allowed::OneOf(words) => descriptor.one_of(words.iter().copied()),
    };
    match parameter.default_value() {
        ParameterValue::Double(value) => {
            parameters.declare(parameter.name, value, descriptor).map(drop)
        }
        ParameterValue::Integer(value) => {
            parameters.declare(parameter.name, value, descriptor).map(drop)
        }
        ParameterValue::Bool(value) => {
            parameters.declare(parameter.name, value, descriptor).map(drop)
        }
        ParameterValue::Text(value) => {
            parameters.declare(parameter.name, value, descriptor).map(drop)
        }
    }
}

/// Reads one parameter of the filter.
fn read(
    source: &impl Source,
    parameter: &Parameter<FilterSettings>,
) -> Result<ParameterValue, String> {
    let name = parameter.name;
    Ok(match parameter.default_value() {
        ParameterValue::Double(_) => ParameterValue::Double(source.get(name)?),
        ParameterValue::Integer(_) => ParameterValue::Integer(source.get(name)?),
        ParameterValue::Bool(_) => ParameterValue::Bool(source.get(name)?),
        ParameterValue::Text(_) => ParameterValue::Text(source.get(name)?),
    })
}

impl SafetySettings {
    /// Declares the parameters with their ranges, and refuses sets that are not valid as a whole.
    ///
    /// # Errors
    /// A given value of another kind or outside its range.
    pub fn declare(parameters: &Parameters) -> Result<(), ParameterError> {
        for parameter in FilterSettings::parameters() {
            declare(parameters, parameter)?;
        }
        parameters.declare(
            "rate",
            50.0,
            Descriptor::new("How often watchdogs and locks are looked at. Unit: Hz.")
                .doubles(5.0, 1000.0),
        )?;
        parameters.declare(
            "locks",
            Vec::<String>::new(),
            Descriptor::new(
                "Topics of std_msgs/Bool that can stop the robot: true stops, and silence stops \
                 too.",
            )
            .read_only(),
        )?;
        parameters.declare(
            "follow_joint_trajectory",
            false,
            Descriptor::new(
                "Send goals of FollowJointTrajectory instead of messages on \
                 <controller>/joint_trajectory.",
            )
            .read_only(),
        )?;
        parameters.declare(
            "home_speed",
            0.2,
            Descriptor::new(
                "Part of the joints' velocity limits at which the robot goes home, unless the goal \
                 says otherwise.",
            )
            .doubles(0.01, 1.0),
        )?;
        parameters.declare(
            "speed_scaling",
            false,
            Descriptor::new(
                "Take from <controller>/controller_state and <controller>/speed_scaling_input how \
                 fast a JointTrajectoryController runs what it was sent, so that a robot that is \
                 slowed at its pendant does not count as one that lags. Needs control_msgs of \
                 Jazzy or newer.",
            )
            .read_only(),
        )?;
        declare_scene(parameters)?;
        declare_takeover(parameters)?;
        parameters.on_set(|proposal| {
            let faults = Self::from_source(proposal)?.filter.faults();
            if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
        });
        Ok(())
    }

    /// The values as they stand. The way in which chunks are joined belongs to the node `action`.
    ///
    /// # Errors
    /// What is wrong with the set.
    pub fn read(parameters: &Parameters) -> Result<Self, String> {
        Self::from_source(parameters)
    }

    fn from_source(source: &impl Source) -> Result<Self, String> {
        let mut filter = FilterSettings::default();
        for parameter in FilterSettings::parameters() {
            parameter.set(&mut filter, &read(source, parameter)?)?;
        }
        Ok(Self {
            filter,
            rate_hz: source.get("rate")?,
            follow_joint_trajectory: source.get("follow_joint_trajectory")?,
            locks: source.get("locks")?,
            home_speed: source.get("home_speed")?,
            speed_scaling: source.get("speed_scaling")?,
            scene: scene(source)?,
            takeover: takeover(source)?,
            takeover_timeout: Duration::from_secs_f64(source.get("takeover_timeout")?),
        })
    }

    /// A lock that is silent for longer counts as engaged.
    #[must_use]
    pub fn lock_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.filter.lock_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_s_defaults_are_the_filter_s() {
        let parameters = Parameters::new("/f1/safety_filter", Vec::new());
        SafetySettings::declare(&parameters).unwrap();
        let settings = SafetySettings::read(&parameters).unwrap();
        assert_eq!(settings.filter, FilterSettings::default());
    }

    #[test]
    fn a_set_that_is_invalid_as_a_whole_is_refused_and_the_old_one_stays() {
        let parameters = Parameters::new("/f1/safety_filter", Vec::new());
        SafetySettings::declare(&parameters).unwrap();
        let error = parameters.set("resume_tolerance", 5.0).unwrap_err();
        assert!(error.to_string().contains("position_tolerance"), "{error}");
        let settings = SafetySettings::read(&parameters).unwrap();
        assert_eq!(settings.filter, FilterSettings::default());
        parameters.set("lead", 0.1).unwrap();
        assert_eq!(SafetySettings::read(&parameters).unwrap().filter.lead, 0.1);
    }
}
