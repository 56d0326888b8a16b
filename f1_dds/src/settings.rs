//! Settings of the network, from the environment variables that every ROS 2 process reads.

use std::net::{IpAddr, Ipv4Addr};

use crate::error::{Error, Result};
use crate::request::ServiceMapping;

/// How far participants discover each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoveryRange {
    /// All hosts that multicast reaches.
    Subnet,
    /// This machine only.
    Localhost,
}

/// The settings of a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `ROS_DOMAIN_ID`, 0 to 232.
    pub domain: u16,
    /// `ROS_AUTOMATIC_DISCOVERY_RANGE`; `ROS_LOCALHOST_ONLY=1` overrides it, as in rcl.
    pub range: DiscoveryRange,
    /// The form of services for peers whose vendor is not known: from `RMW_IMPLEMENTATION`. Peers
    /// of a known vendor get their own.
    pub mapping: ServiceMapping,
    /// `F1_DDS_MAX_RAW_BYTES`: a larger message is refused.
    pub max_message_bytes: usize,
    /// `ROS_DISTRO` is Humble or older: identities in the graph messages have 24 bytes instead of
    /// 16.
    pub long_gids: bool,
}

/// Larger than a compressed image, smaller than a raw 640x480 one: RustDDS sends a message as one
/// burst, which the receiver's socket buffer must hold.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 200_000;

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// A variable with a value that is not allowed.
    pub fn from_environment() -> Result<Settings> {
        Settings::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings> {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let wrong = |variable: &'static str, value: &str, reason: &str| {
            Err(Error::Environment { variable, value: value.to_owned(), reason: reason.to_owned() })
        };
        let domain = match get("ROS_DOMAIN_ID") {
            None => 0,
            Some(value) => match value.trim().parse::<u16>() {
                Ok(domain) if domain <= 232 => domain,
                _ => {
                    return wrong(
                        "ROS_DOMAIN_ID",
                        &value,
                        "a whole number from 0 to 232 is expected",
                    );
                }
            },
        };
        let localhost_only = match get("ROS_LOCALHOST_ONLY").as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(value) => return wrong("ROS_LOCALHOST_ONLY", value, "0 or 1 is expected"),
        };
        let range = match get("ROS_AUTOMATIC_DISCOVERY_RANGE").as_deref() {
            _ if localhost_only => DiscoveryRange::Localhost,
            None | Some("SUBNET" | "SYSTEM_DEFAULT") => DiscoveryRange::Subnet,
            Some("LOCALHOST") => DiscoveryRange::Localhost,
            Some(value) => {
                return wrong(
                    "ROS_AUTOMATIC_DISCOVERY_RANGE",
                    value,
                    "SUBNET, LOCALHOST or SYSTEM_DEFAULT is expected; discovery cannot be turned OFF here",
                );
            }
        };
        let mapping = match get("RMW_IMPLEMENTATION").as_deref() {
            Some(rmw) if rmw.contains("cyclonedds") => ServiceMapping::Cyclone,
            _ => ServiceMapping::Enhanced,
        };
        let max_message_bytes = match get("F1_DDS_MAX_RAW_BYTES") {
            None => DEFAULT_MAX_MESSAGE_BYTES,
            Some(value) => match value.trim().parse() {
                Ok(bytes) => bytes,
                Err(_) => {
                    return wrong("F1_DDS_MAX_RAW_BYTES", &value, "a number of bytes is expected");
                }
            },
        };
        let long_gids =
            matches!(get("ROS_DISTRO").as_deref(), Some("humble" | "galactic" | "foxy"));
        Ok(Settings { domain, range, mapping, max_message_bytes, long_gids })
    }

    /// The interfaces to announce on; `None` is all.
    pub(crate) fn networks(&self) -> Option<Vec<IpAddr>> {
        match self.range {
            DiscoveryRange::Subnet => None,
            DiscoveryRange::Localhost => Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings> {
        Settings::read(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_is_domain_zero_on_the_subnet() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.domain, settings.range), (0, DiscoveryRange::Subnet));
        assert_eq!((settings.mapping, settings.long_gids), (ServiceMapping::Enhanced, false));
    }

    #[test]
    fn localhost_only_overrides_the_discovery_range_as_in_rcl() {
        let both = [("ROS_LOCALHOST_ONLY", "1"), ("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")];
        assert_eq!(read(&both).unwrap().range, DiscoveryRange::Localhost);
        assert_eq!(read(&both[..1]).unwrap().range, DiscoveryRange::Localhost);
        assert_eq!(
            read(&[("ROS_LOCALHOST_ONLY", "0"), both[1]]).unwrap().range,
            DiscoveryRange::Subnet
        );
        assert_eq!(
            read(&[("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")]).unwrap().networks(),
            Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        );
    }

    #[test]
    fn values_that_are_not_allowed_are_refused_with_the_variable_s_name() {
        for (name, value) in [
            ("ROS_DOMAIN_ID", "233"),
            ("ROS_DOMAIN_ID", "-1"),
            ("ROS_LOCALHOST_ONLY", "yes"),
            ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF"),
            ("F1_DDS_MAX_RAW_BYTES", "big"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }

    #[test]
    fn rmw_and_distribution_choose_the_form_of_services_and_identities() {
        let cyclone = read(&[("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp")]).unwrap();
        assert_eq!(cyclone.mapping, ServiceMapping::Cyclone);
        assert!(read(&[("ROS_DISTRO", "humble")]).unwrap().long_gids);
    }
}
