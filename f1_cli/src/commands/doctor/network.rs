//! Checks of the machine and the environment: what commonly keeps ROS messages from arriving.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use f1_middleware::{RECOMMENDED_RECEIVE_BUFFER, receive_buffer_limit};

use super::finding::Finding;

/// First second of 2025: a clock that shows an earlier time was never set.
const PLAUSIBLE: u64 = 1_735_689_600;

/// The multicast group on which DDS participants discover each other.
const DISCOVERY_GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 0, 1);

/// All checks of the machine and the environment that concern messages, in the order in which they
/// are printed.
pub fn network() -> Vec<Finding> {
    let environment =
        |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let local = environment("ROS_LOCALHOST_ONLY").as_deref() == Some("1")
        || environment("ROS_AUTOMATIC_DISCOVERY_RANGE").as_deref() == Some("LOCALHOST");
    vec![
        receive_buffer(receive_buffer_limit()),
        multicast(local),
        domain(environment("ROS_DOMAIN_ID").as_deref()),
        discovery(
            environment("ROS_AUTOMATIC_DISCOVERY_RANGE").as_deref(),
            environment("ROS_LOCALHOST_ONLY").as_deref(),
        ),
        rmw(
            environment("RMW_IMPLEMENTATION").as_deref(),
            environment("AMENT_PREFIX_PATH").as_deref(),
        ),
        clock(),
    ]
}

fn receive_buffer(limit: Option<u64>) -> Finding {
    const CHECK: &str = "receive buffer";
    match limit {
        Some(limit) if limit >= RECOMMENDED_RECEIVE_BUFFER => {
            Finding::good(CHECK, format!("net.core.rmem_max is {limit}"))
        }
        Some(limit) => Finding::warning(
            CHECK,
            format!("net.core.rmem_max is {limit}: raw camera images will be lost on `dds`"),
            format!(
                "sudo sysctl -w net.core.rmem_max={RECOMMENDED_RECEIVE_BUFFER} (to keep it: a \
                 line `net.core.rmem_max={RECOMMENDED_RECEIVE_BUFFER}` in /etc/sysctl.d/60-ros.conf)"
            ),
        ),
        None => Finding::warning(
            CHECK,
            "net.core.rmem_max cannot be read",
            "make sure that sockets can have 4 MiB of receive buffer",
        ),
    }
}

/// Sends a datagram to the discovery group and waits for it.
fn multicast_loop() -> std::io::Result<()> {
    let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_multicast_loop_v4(true)?;
    socket.join_multicast_v4(&DISCOVERY_GROUP, &Ipv4Addr::UNSPECIFIED)?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let port = socket.local_addr()?.port();
    let sent = b"f1 doctor";
    socket.send_to(sent, SocketAddrV4::new(DISCOVERY_GROUP, port))?;
    let mut buffer = [0; 64];
    loop {
        let (length, _) = socket.recv_from(&mut buffer)?;
        if &buffer[..length] == sent {
            return Ok(());
        }
    }
}

fn multicast(local: bool) -> Finding {
    const CHECK: &str = "multicast";
    match multicast_loop() {
        Ok(()) => Finding::good(CHECK, "datagrams to the discovery group come back"),
        Err(error) if local => {
            Finding::good(CHECK, format!("not available ({error}), not needed on localhost"))
        }
        Err(error) => Finding::warning(
            CHECK,
            format!(
                "datagrams to the discovery group do not come back: {error}; other machines are not found"
            ),
            "sudo ip link set dev INTERFACE multicast on; allow UDP 7400 to 7500 and 239.255.0.1 in the firewall; \
             or ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST if all runs on this machine",
        ),
    }
}

fn domain(value: Option<&str>) -> Finding {
    const CHECK: &str = "domain";
    match value.map(|value| (value, value.trim().parse::<u16>())) {
        None => Finding::good(CHECK, "ROS_DOMAIN_ID is not set: domain 0"),
        Some((_, Ok(domain))) if domain <= 101 => Finding::good(CHECK, format!("domain {domain}")),
        Some((_, Ok(domain))) if domain <= 232 => Finding::warning(
            CHECK,
            format!(
                "domain {domain}: its ports lie in the range that Linux gives to other programs"
            ),
            "choose a ROS_DOMAIN_ID from 0 to 101",
        ),
        Some((value, _)) => Finding::broken(
            CHECK,
            format!("ROS_DOMAIN_ID is {value:?}"),
            "set it to a whole number from 0 to 101, the same on every machine of the robot",
        ),
    }
}

fn discovery(range: Option<&str>, localhost_only: Option<&str>) -> Finding {
    const CHECK: &str = "discovery";
    match (range, localhost_only) {
        (_, Some(value)) if value != "0" && value != "1" => {
            Finding::broken(CHECK, format!("ROS_LOCALHOST_ONLY is {value:?}"), "set it to 0 or 1")
        }
        (Some("LOCALHOST"), _) | (_, Some("1")) => Finding::warning(
            CHECK,
            "only this machine is searched",
            "if the robot is another machine: unset ROS_LOCALHOST_ONLY, ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET",
        ),
        (Some("SUBNET" | "SYSTEM_DEFAULT") | None, _) => {
            Finding::good(CHECK, "the whole subnet is searched")
        }
        (Some(value), _) => Finding::broken(
            CHECK,
            format!("ROS_AUTOMATIC_DISCOVERY_RANGE is {value:?}"),
            "set it to SUBNET or LOCALHOST",
        ),
    }
}

fn rmw(value: Option<&str>, sourced: Option<&str>) -> Finding {
    const CHECK: &str = "rmw";
    let built = match (cfg!(feature = "dds"), cfg!(feature = "rcl")) {
        (true, true) => "back ends mem, dds, rcl",
        (true, false) => "back ends mem, dds",
        (false, true) => "back ends mem, rcl",
        (false, false) => "back end mem only",
    };
    let known =
        ["rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp", "rmw_cyclonedds_cpp", "rmw_connextdds"];
    match value {
        None => Finding::good(CHECK, format!("RMW_IMPLEMENTATION is not set; {built}")),
        Some(value) if known.contains(&value) => Finding::good(CHECK, format!("{value}; {built}")),
        Some("rmw_zenoh_cpp") if !cfg!(feature = "rcl") => Finding::broken(
            CHECK,
            "rmw_zenoh_cpp does not speak DDS, and this build has no `rcl` back end",
            "use the package built with colcon (back end rcl), or rmw_fastrtps_cpp / rmw_cyclonedds_cpp on the robot",
        ),
        Some(value) if sourced.is_some() => Finding::good(CHECK, format!("{value}; {built}")),
        Some(value) => Finding::warning(
            CHECK,
            format!("RMW_IMPLEMENTATION is {value:?}, which this program does not know"),
            "set it as on the robot; to peers of an unknown RMW services are sent in the form of Fast DDS",
        ),
    }
}

fn clock() -> Finding {
    const CHECK: &str = "clock";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now < PLAUSIBLE {
        return Finding::broken(
            CHECK,
            format!("the system clock shows {now} s after 1970: it was never set"),
            "sudo timedatectl set-ntp true",
        );
    }
    let marks = [
        "/run/systemd/timesync/synchronized",
        "/run/chrony/chronyd.pid",
        "/run/chronyd.pid",
        "/run/ntpd.pid",
    ];
    if marks.iter().any(|mark| Path::new(mark).exists()) {
        Finding::good(CHECK, "set, and synchronised")
    } else {
        Finding::warning(
            CHECK,
            "no time synchronisation is running: time stamps of other machines may differ from ours",
            "if cameras or joints come from another machine: sudo apt install chrony",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Verdict;

    #[test]
    fn a_fault_that_stops_the_policy_is_broken_and_others_are_warnings() {
        for (finding, verdict) in [
            (receive_buffer(Some(212_992)), Verdict::Warning),
            (receive_buffer(Some(4_194_304)), Verdict::Good),
            (domain(Some("7")), Verdict::Good),
            (domain(Some("200")), Verdict::Warning),
            (domain(Some("x")), Verdict::Broken),
            (discovery(Some("OFF"), None), Verdict::Broken),
            (discovery(None, Some("1")), Verdict::Warning),
            (discovery(Some("SUBNET"), Some("1")), Verdict::Warning),
            (discovery(Some("SUBNET"), Some("yes")), Verdict::Broken),
            (discovery(None, None), Verdict::Good),
            (rmw(Some("rmw_cyclonedds_cpp"), None), Verdict::Good),
            (rmw(Some("rmw_other"), None), Verdict::Warning),
        ] {
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert_eq!(finding.fix.is_empty(), verdict == Verdict::Good, "{finding:?}");
        }
    }

    #[test]
    fn every_check_says_something() {
        let findings = network();
        assert_eq!(findings.len(), 6);
        assert!(findings.iter().all(|finding| !finding.found.is_empty()));
    }
}
