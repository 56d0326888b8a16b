//! `--ros-args`: remaps, namespace, node name, parameters, parameter files and log levels, as rcl
//! reads them.
//!
//! Source: ROS 2 design document "ROS Command Line Arguments", rcl's `arguments.c` and rclcpp's
//! `parameter_map`.

use std::path::Path;

use crate::log::is_at_or_below;
use crate::names::{self, NameError};
use crate::parameters::Value;
use crate::parameters::yaml::Yaml;

/// A fault in the ROS arguments; all faults of one command line are reported together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ROS arguments: {}", .faults.join("; "))]
pub struct ArgumentError {
    /// One line a fault.
    pub faults: Vec<String>,
}

/// The severity of a log line, numbered as in `rcl_interfaces/Log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Severity {
    /// For a developer.
    Debug = 10,
    /// For the user.
    Info = 20,
    /// May become a problem.
    Warn = 30,
    /// Something failed, the node goes on.
    Error = 40,
    /// The node cannot go on.
    Fatal = 50,
}

impl Severity {
    /// The severity of this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Severity> {
        [Severity::Debug, Severity::Info, Severity::Warn, Severity::Error, Severity::Fatal]
            .into_iter()
            .find(|severity| *severity as u32 == number)
    }

    fn parse(text: &str) -> Option<Severity> {
        Some(match text.to_ascii_uppercase().as_str() {
            "DEBUG" => Severity::Debug,
            "INFO" => Severity::Info,
            "WARN" | "WARNING" => Severity::Warn,
            "ERROR" => Severity::Error,
            "FATAL" => Severity::Fatal,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
enum RemapKind {
    Node,
    Namespace,
    Topic(String),
    Service(String),
    Any(String),
}

#[derive(Clone, Debug, PartialEq)]
struct Remap {
    /// Applies to the node of this name only.
    node: Option<String>,
    from: RemapKind,
    to: String,
}

#[derive(Clone, Debug, PartialEq)]
struct Override {
    /// Absolute pattern of node names, `/**`, `/f1/*`, `/f1/action`.
    node: String,
    name: String,
    value: Value,
}

/// The arguments after `--ros-args` on a command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RosArgs {
    remaps: Vec<Remap>,
    overrides: Vec<Override>,
    log_level: Option<Severity>,
    logger_levels: Vec<(String, Severity)>,
    enclave: Option<String>,
    rosout: Option<bool>,
    stdout: Option<bool>,
}

impl RosArgs {
    /// No arguments.
    pub fn none() -> RosArgs {
        RosArgs::default()
    }

    /// Splits a command line (without the program's name) into ROS arguments and all others, in
    /// order.
    ///
    /// ROS arguments stand between `--ros-args` and `--` or the end, any number of times.
    ///
    /// # Errors
    /// Every unknown flag, malformed rule and unreadable parameter file, all at once.
    pub fn parse<I, S>(arguments: I) -> Result<(RosArgs, Vec<String>), ArgumentError>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let mut args = RosArgs::default();
        let mut rest = Vec::new();
        let mut faults = Vec::new();
        let mut inside = false;
        let mut arguments = arguments.into_iter().map(Into::into);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--ros-args" => inside = true,
                "--" if inside => inside = false,
                _ if !inside => rest.push(argument),
                flag => args.take_flag(flag, &mut arguments, &mut faults),
            }
        }
        if faults.is_empty() { Ok((args, rest)) } else { Err(ArgumentError { faults }) }
    }

    /// Reads the arguments of this process.
    ///
    /// # Errors
    /// As [`RosArgs::parse`].
    pub fn from_env() -> Result<(RosArgs, Vec<String>), ArgumentError> {
        RosArgs::parse(std::env::args().skip(1))
    }

    fn take_flag(
        &mut self,
        flag: &str,
        arguments: &mut impl Iterator<Item = String>,
        faults: &mut Vec<String>,
    ) {
        let mut value = |what: &str| {
            arguments.next().ok_or_else(|| format!("{flag} must be followed by {what}"))
        };
        let outcome = match flag {
            "-r" | "--remap" => value("from:=to").and_then(|rule| self.add_remap(&rule)),
            "-p" | "--param" => value("name:=value").and_then(|rule| self.add_parameter(&rule)),
            "--params-file" => value("a file").and_then(|path| self.add_file(Path::new(&path))),
            "--log-level" => value("a level").and_then(|level| self.add_log_level(&level)),
            "-e" | "--enclave" => value("an enclave").map(|enclave| self.enclave = Some(enclave)),
            // Accepted without effect: our logs have no configuration file.
            "--log-config-file" | "--log-file-name" => value("a file").map(|_| ()),
            "--enable-rosout-logs" => {
                self.rosout = Some(true);
                Ok(())
            }
            "--disable-rosout-logs" => {
                self.rosout = Some(false);
                Ok(())
            }
            "--enable-stdout-logs" => {
                self.stdout = Some(true);
                Ok(())
            }
            "--disable-stdout-logs" => {
                self.stdout = Some(false);
                Ok(())
            }
            "--enable-external-lib-logs" | "--disable-external-lib-logs" => Ok(()),
            unknown => Err(format!("unknown ROS argument {unknown}")),
        };
        if let Err(fault) = outcome {
            faults.push(fault);
        }
    }

    /// Adds one remap rule, `from:=to`, `node:from:=to`, `__ns:=/f1` or `__node:=name`.
    ///
    /// # Errors
    /// Says what is wrong with the rule.
    pub fn add_remap(&mut self, rule: &str) -> Result<(), String> {
        let fault = |reason: String| format!("remap {rule:?}: {reason}");
        let (from, to) =
            rule.split_once(":=").ok_or_else(|| fault("`:=` is missing".to_owned()))?;
        if from.is_empty() || to.is_empty() {
            return Err(fault("both sides of `:=` must be given".to_owned()));
        }
        let (scheme, from) = match from.strip_prefix("rostopic://") {
            Some(from) => (Some(true), from),
            None => match from.strip_prefix("rosservice://") {
                Some(from) => (Some(false), from),
                None => (None, from),
            },
        };
        let (node, from) = match from.split_once(':') {
            Some((node, from)) => {
                names::check_node_name(node).map_err(|error| fault(error.to_string()))?;
                (Some(node.to_owned()), from)
            }
            None => (None, from),
        };
        let from = match (from, scheme) {
            ("__ns", _) => {
                names::absolute_namespace(to).map_err(|error| fault(error.to_string()))?;
                if !to.starts_with('/') {
                    return Err(fault("a namespace must start with a slash".to_owned()));
                }
                RemapKind::Namespace
            }
            ("__node" | "__name", _) => {
                names::check_node_name(to).map_err(|error| fault(error.to_string()))?;
                RemapKind::Node
            }
            (from, scheme) => {
                for name in [from, to] {
                    names::expand(name, "/", "node").map_err(|error| fault(error.to_string()))?;
                }
                match scheme {
                    Some(true) => RemapKind::Topic(from.to_owned()),
                    Some(false) => RemapKind::Service(from.to_owned()),
                    None => RemapKind::Any(from.to_owned()),
                }
            }
        };
        self.remaps.push(Remap { node, from, to: to.to_owned() });
        Ok(())
    }

    /// Adds one parameter, `name:=value` or `node:name:=value`; the value is YAML.
    ///
    /// # Errors
    /// Says what is wrong with the rule.
    pub fn add_parameter(&mut self, rule: &str) -> Result<(), String> {
        let fault = |reason: String| format!("parameter {rule:?}: {reason}");
        let (target, text) =
            rule.split_once(":=").ok_or_else(|| fault("`:=` is missing".to_owned()))?;
        let (node, name) = match target.split_once(':') {
            Some((node, name)) => (absolute_pattern(node), name),
            None => ("/**".to_owned(), target),
        };
        if name.is_empty() {
            return Err(fault("the name is missing".to_owned()));
        }
        let value = Yaml::parse(text).and_then(Yaml::into_value).map_err(&fault)?;
        self.overrides.push(Override { node, name: name.to_owned(), value });
        Ok(())
    }

    /// Adds the parameters of a YAML file (`node: {ros__parameters: {name: value}}`, wildcards
    /// `/**` and `*`).
    ///
    /// # Errors
    /// Names the file and what is wrong in it.
    pub fn add_file(&mut self, path: &Path) -> Result<(), String> {
        let fault = |reason: String| format!("parameter file {}: {reason}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let yaml = Yaml::parse(&text).map_err(&fault)?;
        self.add_nodes(yaml, "").map_err(fault)
    }

    fn add_nodes(&mut self, yaml: Yaml, path: &str) -> Result<(), String> {
        let Yaml::Map(entries) = yaml else {
            return Err(format!(
                "{}: a map of node names is expected",
                if path.is_empty() { "top level" } else { path }
            ));
        };
        for (key, value) in entries {
            if key == "ros__parameters" {
                if path.is_empty() {
                    return Err("ros__parameters must stand below a node's name".to_owned());
                }
                let mut found = Vec::new();
                value.into_parameters("", &mut found)?;
                self.overrides.extend(found.into_iter().map(|(name, value)| Override {
                    node: absolute_pattern(path),
                    name,
                    value,
                }));
            } else {
                let key = key.trim_matches('/');
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}/{key}") };
                self.add_nodes(value, &path)?;
            }
        }
        Ok(())
    }

    fn add_log_level(&mut self, rule: &str) -> Result<(), String> {
        let (logger, level) = match rule.split_once(":=") {
            Some((logger, level)) => (Some(logger), level),
            None => (None, rule),
        };
        let severity = Severity::parse(level).ok_or_else(|| {
            format!("--log-level {rule}: the level is one of debug, info, warn, error, fatal")
        })?;
        match logger {
            Some(logger) => self.logger_levels.push((logger.to_owned(), severity)),
            None => self.log_level = Some(severity),
        }
        Ok(())
    }

    /// The name and absolute namespace of a node after remapping.
    ///
    /// # Errors
    /// If either is not a valid name.
    pub fn node_identity(
        &self,
        name: &str,
        namespace: &str,
    ) -> Result<(String, String), NameError> {
        let rule = |kind: &RemapKind, name: &str| {
            self.remaps
                .iter()
                .find(|r| r.from == *kind && r.node.as_deref().is_none_or(|node| node == name))
                .map(|r| r.to.as_str())
        };
        let name = rule(&RemapKind::Node, name).unwrap_or(name).to_owned();
        names::check_node_name(&name)?;
        let namespace = rule(&RemapKind::Namespace, &name).unwrap_or(namespace);
        Ok((name, names::absolute_namespace(namespace)?))
    }

    /// The absolute, remapped name of a topic for the node `node` in `namespace` (both already
    /// remapped).
    ///
    /// # Errors
    /// If the name is not valid.
    pub fn topic(&self, name: &str, namespace: &str, node: &str) -> Result<String, NameError> {
        self.resolve(name, namespace, node, true)
    }

    /// The absolute, remapped name of a service.
    ///
    /// # Errors
    /// If the name is not valid.
    pub fn service(&self, name: &str, namespace: &str, node: &str) -> Result<String, NameError> {
        self.resolve(name, namespace, node, false)
    }

    fn resolve(
        &self,
        name: &str,
        namespace: &str,
        node: &str,
        topic: bool,
    ) -> Result<String, NameError> {
        let expanded = names::expand(name, namespace, node)?;
        for rule in &self.remaps {
            if rule.node.as_deref().is_some_and(|only| only != node) {
                continue;
            }
            let from = match &rule.from {
                RemapKind::Any(from) => from,
                RemapKind::Topic(from) if topic => from,
                RemapKind::Service(from) if !topic => from,
                _ => continue,
            };
            if names::expand(from, namespace, node)? == expanded {
                return names::expand(&rule.to, namespace, node);
            }
        }
        Ok(expanded)
    }

    /// The parameters given for the node with this absolute name; a later one replaces an earlier
    /// one.
    pub fn parameters(&self, node: &str) -> Vec<(String, Value)> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for given in self.overrides.iter().filter(|o| pattern_matches(&o.node, node)) {
            match found.iter_mut().find(|(name, _)| *name == given.name) {
                Some(entry) => entry.1 = given.value.clone(),
                None => found.push((given.name.clone(), given.value.clone())),
            }
        }
        found
    }

    /// The lowest severity that the logger of this name logs. A logger's name is the node's
    /// absolute name with dots for slashes; a rule for `a` covers `a.b` too. Default: info.
    pub fn severity(&self, logger: &str) -> Severity {
        self.given_severity(logger).unwrap_or(Severity::Info)
    }

    /// The same, `None` where no argument says it.
    pub fn given_severity(&self, logger: &str) -> Option<Severity> {
        self.logger_levels
            .iter()
            .filter(|(name, _)| is_at_or_below(logger, name))
            .max_by_key(|(name, _)| name.len())
            .map(|(_, severity)| *severity)
            .or(self.log_level)
    }

    /// Whether log lines go to `/rosout`.
    pub fn rosout(&self) -> bool {
        self.rosout.unwrap_or(true)
    }

    /// Whether log lines go to the console (through `tracing`).
    pub fn stdout(&self) -> bool {
        self.stdout.unwrap_or(true)
    }

    /// The security enclave. Only the `rcl` back end uses it.
    pub fn enclave(&self) -> Option<&str> {
        self.enclave.as_deref()
    }
}

fn absolute_pattern(pattern: &str) -> String {
    format!("/{}", pattern.trim_matches('/'))
}

/// Whether an absolute node name matches a pattern: `*` is one token, `**` any number of them.
fn pattern_matches(pattern: &str, name: &str) -> bool {
    fn matches(pattern: &[&str], name: &[&str]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((&"**", rest)) => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
            Some((token, rest)) => name.split_first().is_some_and(|(first, tail)| {
                (*token == "*" || token == first) && matches(rest, tail)
            }),
        }
    }
    let pattern: Vec<&str> = pattern.split('/').filter(|token| !token.is_empty()).collect();
    let name: Vec<&str> = name.split('/').filter(|token| !token.is_empty()).collect();
    matches(&pattern, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> RosArgs {
        RosArgs::parse(line.split_whitespace()).unwrap().0
    }

    #[test]
    fn ros_arguments_are_removed_and_the_others_keep_their_order() {
        let (args, rest) = RosArgs::parse([
            "a",
            "--ros-args",
            "-r",
            "x:=y",
            "--",
            "b",
            "--ros-args",
            "-p",
            "n:=1",
        ])
        .unwrap();
        assert_eq!(rest, ["a", "b"]);
        assert_eq!(args.topic("x", "/", "n").unwrap(), "/y");
        assert_eq!(args.parameters("/n"), [("n".to_owned(), Value::Integer(1))]);
    }

    #[test]
    fn all_faults_are_listed_at_once() {
        let error =
            RosArgs::parse(["--ros-args", "-r", "bad", "--nope", "--log-level", "loud", "-p"])
                .unwrap_err();
        assert_eq!(error.faults.len(), 4, "{error}");
    }

    #[test]
    fn namespace_and_name_are_remapped() {
        let args = args("--ros-args -r __ns:=/robot1 -r __node:=eye");
        assert_eq!(
            args.node_identity("perception", "/f1").unwrap(),
            ("eye".into(), "/robot1".into())
        );
    }

    #[test]
    fn a_rule_for_one_node_leaves_the_others_alone() {
        let args = args("--ros-args -r perception:camera:=/cam0 -r action:__ns:=/left");
        assert_eq!(args.topic("camera", "/f1", "perception").unwrap(), "/cam0");
        assert_eq!(args.topic("camera", "/f1", "foresight").unwrap(), "/f1/camera");
        assert_eq!(args.node_identity("action", "/f1").unwrap().1, "/left");
        assert_eq!(args.node_identity("perception", "/f1").unwrap().1, "/f1");
    }

    #[test]
    fn the_first_matching_rule_wins_and_relative_rules_expand() {
        let args =
            args("--ros-args -r joint_states:=/robot/joint_states -r /f1/joint_states:=/never");
        assert_eq!(args.topic("joint_states", "/f1", "n").unwrap(), "/robot/joint_states");
        assert_eq!(args.topic("/f1/joint_states", "/f1", "n").unwrap(), "/robot/joint_states");
        assert_eq!(args.topic("joint_states", "/other", "n").unwrap(), "/robot/joint_states");
    }

    #[test]
    fn topic_rules_and_service_rules_are_separate() {
        let args = args("--ros-args -r rostopic://a:=b -r rosservice://a:=c");
        assert_eq!(args.topic("a", "/", "n").unwrap(), "/b");
        assert_eq!(args.service("a", "/", "n").unwrap(), "/c");
    }

    #[test]
    fn later_parameters_replace_earlier_ones() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("p.yaml");
        std::fs::write(
            &file,
            "/**:\n  ros__parameters:\n    rate: 10.0\n    model: {device: cpu}\n\
             f1:\n  action:\n    ros__parameters:\n      rate: 20.0\n\
             /f1/*:\n  ros__parameters:\n    deep: true\n",
        )
        .unwrap();
        let line = format!("--ros-args --params-file {} -p action:extra:=[1,2]", file.display());
        let args = args(&line);
        let action = args.parameters("/f1/action");
        assert!(action.contains(&("rate".into(), Value::Double(20.0))));
        assert!(action.contains(&("model.device".into(), Value::String("cpu".into()))));
        assert!(action.contains(&("deep".into(), Value::Bool(true))));
        // `action:` without a namespace is `/action`, as in rclcpp.
        assert!(!action.iter().any(|(name, _)| name == "extra"));
        let other = args.parameters("/elsewhere");
        assert!(other.contains(&("rate".into(), Value::Double(10.0))));
        assert!(!other.iter().any(|(name, _)| name == "deep"));
    }

    #[test]
    fn log_levels_apply_to_a_logger_and_below() {
        let args = args("--ros-args --log-level warn --log-level f1.action:=debug");
        assert_eq!(args.severity("f1.action"), Severity::Debug);
        assert_eq!(args.severity("f1.action.rtc"), Severity::Debug);
        assert_eq!(args.severity("f1.actions"), Severity::Warn);
        assert_eq!(RosArgs::none().severity("x"), Severity::Info);
    }

    #[test]
    fn wildcards_match_whole_tokens() {
        for (pattern, name, expected) in [
            ("/**", "/a/b", true),
            ("/*", "/a", true),
            ("/*", "/a/b", false),
            ("/**/b", "/a/b", true),
            ("/**/b", "/b", true),
            ("/a/**", "/a", true),
            ("/a*", "/ab", false),
        ] {
            assert_eq!(pattern_matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
