//! The filter's parameters: the one table of their names, defaults, ranges, units and texts.

use serde::{Deserialize, Serialize};

use super::parameter::{Allowed, Field, Parameter, ParameterValue};

/// Declares an enum whose variants are the words of a parameter.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident {
        $( $(#[$variant_meta:meta])* $variant:ident = $word:literal ),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant ),+
        }

        impl $name {
            /// The words that the parameter takes.
            pub const WORDS: &'static [&'static str] = &[$( $word ),+];

            /// The parameter's word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word ),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $( $word => Ok(Self::$variant), )+
                    _ => Err(format!("'{word}' is none of {}", Self::WORDS.join(", "))),
                }
            }
        }

        impl Field for $name {
            fn to_value(&self) -> ParameterValue {
                ParameterValue::Text(self.word().into())
            }

            fn from_value(value: &ParameterValue) -> Option<Self> {
                match value {
                    ParameterValue::Text(word) => word.parse().ok(),
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// What happens to a chunk that breaks a limit.
    pub enum Mode {
        /// It is refused.
        Reject = "reject",
        /// It is changed until it keeps every limit: clamped into bounds, slowed down, cut.
        Clamp = "clamp",
    }
}

words! {
    /// Which speed limit of the end effectors holds.
    pub enum Speed {
        /// The robot file's `end_effector_speed.full`.
        Full = "full",
        /// The robot file's `end_effector_speed.teach`, 0.25 m/s unless it says otherwise.
        Teach = "teach",
    }
}

/// How a chunk joins the one before (see [`crate::splice`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splice {
    /// The new chunk replaces the old one from now on. Real-time chunking uses this too: its
    /// chunk already continues the old one.
    #[default]
    Replace,
    /// Rows due at the same moment are averaged with weights `exp(-ensemble_decay * rank)`, oldest
    /// chunk first, as ACT does.
    Ensemble,
}

/// Declares [`FilterSettings`], their defaults and their table from one list.
macro_rules! filter_settings {
    ($( $name:ident: $type:ty = $default:expr, $allowed:expr, $unit:literal, $text:literal; )+) => {
        /// The filter's parameters. Times in seconds.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct FilterSettings {
            /// How chunks are joined. No parameter of the filter: the chunk's maker chooses.
            pub splice: Splice,
            $(
                #[doc = $text]
                pub $name: $type,
            )+
        }

        impl Default for FilterSettings {
            fn default() -> Self {
                Self { splice: Splice::default(), $( $name: $default ),+ }
            }
        }

        /// The table.
        static PARAMETERS: &[Parameter<FilterSettings>] = &[$(
            Parameter {
                name: stringify!($name),
                allowed: $allowed,
                unit: $unit,
                text: $text,
                get: |settings| settings.$name.to_value(),
                set: |settings, value| match <$type as Field>::from_value(value) {
                    Some(value) => {
                        settings.$name = value;
                        true
                    }
                    None => false,
                },
            }
        ),+];
    };
}

filter_settings! {
    mode: Mode = Mode::Clamp, Allowed::OneOf(Mode::WORDS), "",
        "What happens to a chunk that breaks a limit: `reject` refuses it, `clamp` changes it until \
         it keeps every limit.";
    speed: Speed = Speed::Full, Allowed::OneOf(Speed::WORDS), "",
        "Which speed limit of the end effector holds: the robot file's `end_effector_speed.full` or \
         `end_effector_speed.teach` (0.25 m/s unless the file says otherwise).";
    margin: f64 = 0.0, Allowed::Doubles(0.0, 0.49), "part of the joint's range",
        "Distance to a position limit within which motion toward it is not allowed; motion away \
         from it is.";
    lead: f64 = 0.02, Allowed::Doubles(0.0, 1.0), "s",
        "The running motion is kept for so long after a request before a new one takes over: the \
         time that a message takes to the controller.";
    position_tolerance: f64 = 0.1, Allowed::Doubles(1e-6, 10.0), "rad or m",
        "Measured and running position further apart than this: the measured state is used. A gripper \
         may be off by its whole range, because a held object stops it.";
    velocity_tolerance: f64 = 1.0, Allowed::Doubles(1e-6, 100.0), "rad/s or m/s",
        "Measured and running velocity further apart than this: the measured state is used.";
    tracking_delay: f64 = 0.1, Allowed::Doubles(0.0, 1.0), "s",
        "A robot follows its set-points with a delay of up to this: a measured state is compared \
         with the range that the set-points went through in this time (five times it after a stop).";
    resume_tolerance: f64 = 0.01, Allowed::Doubles(1e-6, 10.0), "rad or m",
        "After a stop the measured state is used where it is further away than this.";
    chunk_age: f64 = 1.0, Allowed::Doubles(1e-3, 3600.0), "s",
        "A chunk whose observation is older than this is refused.";
    observation_age: f64 = 2.0, Allowed::Doubles(1e-3, 3600.0), "s",
        "Watchdog: the robot moves and the newest chunk's observation is older than this.";
    joint_state_age: f64 = 0.25, Allowed::Doubles(1e-3, 3600.0), "s",
        "Watchdog: the robot moves and its joints were not measured for this long.";
    inference_age: f64 = 1.5, Allowed::Doubles(1e-3, 3600.0), "s",
        "Watchdog: the robot moves and no chunk came for this long.";
    ensemble_decay: f64 = 0.01, Allowed::Doubles(0.0, 10.0), "",
        "Weights of the splice `ensemble` are exp(-decay * rank), oldest chunk first; ACT's \
         experiments use 0.01.";
    latch_count: usize = 10, Allowed::Integers(0, 10_000), "",
        "So many interventions within `latch_window` stop the robot until a reset; 0: never.";
    latch_window: f64 = 10.0, Allowed::Doubles(0.01, 3600.0), "s",
        "Interventions within this time count together for `latch_count`.";
    lock_timeout: f64 = 0.5, Allowed::Doubles(0.01, 60.0), "s",
        "A lock that is silent for longer counts as engaged.";
    clearance: bool = true, Allowed::Any, "",
        "Check the distances between the robot's links and to the scene.";
    longest_stretch: f64 = 50.0, Allowed::Doubles(1.0, 1000.0), "",
        "A chunk that could only be followed in more than so many times its own duration plus ten \
         seconds is refused.";
}

impl FilterSettings {
    /// The table of all parameters.
    pub fn parameters() -> &'static [Parameter<Self>] {
        PARAMETERS
    }

    /// All that is wrong with the parameters, singly and as a whole; empty if they are valid.
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = PARAMETERS
            .iter()
            .map(|parameter| (parameter, parameter.value(self)))
            .filter(|(parameter, value)| !parameter.allowed.contains(value))
            .map(|(parameter, value)| {
                format!("{}: {value} is not allowed: {}", parameter.name, parameter.allowed)
            })
            .collect();
        if self.resume_tolerance > self.position_tolerance {
            faults.push("resume_tolerance: greater than position_tolerance".into());
        }
        faults
    }
}

/// The table of all parameters in Markdown, as docs/safety.md shows it.
pub fn parameter_table() -> String {
    let mut table =
        "| parameter | default | allowed | unit | |\n|---|---|---|---|---|\n".to_owned();
    for parameter in FilterSettings::parameters() {
        table.push_str(&format!(
            "| `{}` | `{}` | {} | {} | {} |\n",
            parameter.name,
            parameter.default_value(),
            parameter.allowed,
            parameter.unit,
            parameter.text
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_faults_are_listed_at_once() {
        assert_eq!(FilterSettings::default().faults(), Vec::<String>::new());
        let settings =
            FilterSettings { lead: f64::NAN, chunk_age: 0.0, ..FilterSettings::default() };
        assert_eq!(settings.faults().len(), 2);
    }

    #[test]
    fn every_parameter_is_read_back_as_it_was_set_and_nothing_else_changes() {
        for parameter in FilterSettings::parameters() {
            let other = match (parameter.allowed, parameter.default_value()) {
                (Allowed::Doubles(from, to), _) => ParameterValue::Double(0.5 * (from + to)),
                (Allowed::Integers(_, to), _) => ParameterValue::Integer(to),
                (Allowed::OneOf(words), default) => ParameterValue::Text(
                    words
                        .iter()
                        .map(ToString::to_string)
                        .find(|word| *word != default.to_string())
                        .unwrap(),
                ),
                (Allowed::Any, ParameterValue::Bool(default)) => ParameterValue::Bool(!default),
                (Allowed::Any, value) => panic!("{}: {value}", parameter.name),
            };
            let mut settings = FilterSettings::default();
            parameter.set(&mut settings, &other).unwrap();
            for any in FilterSettings::parameters() {
                let expected =
                    if any.name == parameter.name { other.clone() } else { any.default_value() };
                assert_eq!(any.value(&settings), expected, "{} {}", parameter.name, any.name);
            }
        }
    }

    #[test]
    fn values_of_another_type_or_out_of_range_are_refused_by_name() {
        let mut settings = FilterSettings::default();
        for (name, value) in [
            ("lead", ParameterValue::Double(2.0)),
            ("lead", ParameterValue::Double(f64::NAN)),
            ("lead", ParameterValue::Text("soon".into())),
            ("latch_count", ParameterValue::Integer(-1)),
            ("mode", ParameterValue::Text("maybe".into())),
        ] {
            let parameter =
                FilterSettings::parameters().iter().find(|entry| entry.name == name).unwrap();
            let error = parameter.set(&mut settings, &value).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
        assert_eq!(settings, FilterSettings::default());
    }
}
