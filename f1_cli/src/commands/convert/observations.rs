//! The observations that the policy would have made of a recording: the messages go through the
//! code of the node `perception`, in the order of their receipt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use f1_policy_node::perception::PerceptionSettings;
use f1_policy_node::perception::matching::StampFault;
use f1_policy_node::perception::synchroniser::{JointsTaken, StampRefused, Synchroniser};
use f1_robot::Robot;
use f1_robot::state::raw_state;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::recorded::Recorded;

/// One observation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observation {
    /// The moment it stands for, ns of ROS time.
    pub stamp_ns: i64,
    /// Index of each camera's image.
    pub images: Vec<usize>,
    /// The state vector in the units of the robot file's layout.
    pub state: Vec<f32>,
}

/// All observations of a recording.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// By stamp.
    pub list: Vec<Observation>,
    /// Stamp and joint vector of every measurement, by stamp.
    pub measured: Vec<(i64, Vec<f64>)>,
    /// What was not used, and why, with its number.
    pub notes: Vec<String>,
    /// When a message could not be used, and why.
    pub faults: Vec<(i64, String)>,
    /// Name of each sensor and the stamps of what was used of it.
    pub used: Vec<(String, Vec<i64>)>,
}

/// A message of a recording, by its place.
enum Arrival {
    Image { camera: usize, number: usize },
    Joints(usize),
}

/// Messages of a recording on their way through the synchroniser.
struct Pass<'a> {
    recorded: &'a Recorded,
    robot: &'a Robot,
    settings: &'a PerceptionSettings,
    synchroniser: Synchroniser<usize>,
    /// Images that cannot be decoded, with the reason, by camera and number.
    unreadable: BTreeMap<(usize, usize), String>,
    observed: Observed,
    /// When joint states were first received.
    first_joints_ns: Option<i64>,
    /// How often each kind of fault came, by sensor, with the last reason.
    counts: BTreeMap<(usize, &'static str), (usize, String)>,
}

impl Pass<'_> {
    /// A message of a sensor that came at `received_ns` is not used.
    fn fault(&mut self, sensor: usize, received_ns: i64, kind: &'static str, reason: String) {
        let name = &self.observed.used[sensor].0;
        self.observed.faults.push((received_ns, format!("{name}: {reason}")));
        let entry = self.counts.entry((sensor, kind)).or_default();
        *entry = (entry.0 + 1, reason);
    }

    fn clock_jumped(&mut self, sensor: usize, received_ns: i64, back_ns: i64) {
        self.synchroniser.clear();
        let reason = format!("the clock jumped back by {:.3} s", back_ns as f64 * 1e-9);
        self.fault(sensor, received_ns, "the clock jumped back", reason);
    }

    /// Takes an image; its stamp if it is used.
    fn image(&mut self, camera: usize, number: usize, received_ns: i64) -> Option<i64> {
        let stamp_ns = self.recorded.cameras[camera].images[number].stamp_ns;
        if let Some((kind, reason)) = stamp_fault(stamp_ns, received_ns, self.settings) {
            self.fault(camera, received_ns, kind, reason);
            return None;
        }
        if let Some(reason) = self.unreadable.get(&(camera, number)).cloned() {
            self.fault(camera, received_ns, "cannot be decoded", reason);
            return None;
        }
        match self.synchroniser.frame(camera, stamp_ns, number, received_ns) {
            Ok(()) => return Some(stamp_ns),
            Err(StampFault::ClockJump { back_ns }) => {
                self.clock_jumped(camera, received_ns, back_ns);
            }
            Err(fault) => {
                self.fault(camera, received_ns, "repeated or out of order", fault.to_string());
            }
        }
        None
    }

    /// Takes a message of joint states; its stamp if all joints are known by it.
    fn joints(&mut self, number: usize, received_ns: i64) -> Option<i64> {
        let sensor = self.recorded.cameras.len();
        let joints = &self.recorded.joints[number];
        let (message, stamp_ns) = (&joints.message, joints.stamp_ns);
        if !self.synchroniser.concerns(message) {
            return None;
        }
        if let Some((kind, reason)) = stamp_fault(stamp_ns, received_ns, self.settings) {
            self.fault(sensor, received_ns, kind, reason);
            return None;
        }
        let robot = self.robot;
        let encode = |names: &[String], positions: &[f64]| {
            let state = raw_state(robot, names, positions)?;
            let state = state.into_iter().map(|value| value as f32).collect();
            Ok((robot.joint_vector(names, positions)?, state))
        };
        let arrived = Duration::from_nanos(received_ns.unsigned_abs());
        match self.synchroniser.joint_states(message, stamp_ns, arrived, &encode) {
            JointsTaken::Sample => {
                let sample = self.synchroniser.newest_joints()?;
                let sample = (sample.stamp_ns, sample.positions.clone());
                if self.observed.measured.last() != Some(&sample) {
                    self.observed.measured.push(sample);
                }
                return Some(stamp_ns);
            }
            JointsTaken::Nothing => {}
            JointsTaken::ClockBack(back_ns) => self.clock_jumped(sensor, received_ns, back_ns),
            JointsTaken::Refused(reason) => {
                // Drivers do not begin together: until each had time for a first message, none is
                // missing.
                let first_ns = *self.first_joints_ns.get_or_insert(received_ns);
                let beginning = self.synchroniser.newest_joints().is_none()
                    && received_ns - first_ns <= self.settings.joint_age_ns;
                if beginning {
                    return None;
                }
                let reason = reason.trim_start_matches("joint states: ").to_owned();
                self.fault(sensor, received_ns, "cannot be used", reason);
            }
        }
        None
    }

    /// Takes the sets that became whole.
    fn collect(&mut self) {
        while let Some(set) = self.synchroniser.take() {
            let images = set.frames.iter().map(|frame| frame.map(|(_, number)| number));
            let Some(images) = images.collect::<Option<Vec<usize>>>() else { continue };
            let state = set.joints.state;
            self.observed.list.push(Observation { stamp_ns: set.stamp_ns, images, state });
        }
    }
}

impl Observed {
    pub fn of(
        recorded: &Recorded,
        robot: &Arc<Robot>,
        settings: &PerceptionSettings,
    ) -> Result<Self> {
        let cameras = recorded.cameras.len();
        let names = recorded.cameras.iter().map(|camera| format!("camera `{}`", camera.name));
        let used = names.chain(["joint states".to_owned()]).map(|name| (name, Vec::new()));
        let mut pass = Pass {
            recorded,
            robot,
            settings,
            synchroniser: Synchroniser::new(robot, settings, vec![true; cameras]),
            unreadable: unreadable(recorded),
            observed: Self { used: used.collect(), ..Self::default() },
            first_joints_ns: None,
            counts: BTreeMap::new(),
        };
        for (received_ns, arrival) in arrivals(recorded) {
            let (sensor, used) = match arrival {
                Arrival::Image { camera, number } => {
                    (camera, pass.image(camera, number, received_ns))
                }
                Arrival::Joints(number) => (cameras, pass.joints(number, received_ns)),
            };
            if let Some(stamp_ns) = used {
                pass.observed.used[sensor].1.push(stamp_ns);
                pass.collect();
            }
        }
        let Pass { mut observed, counts, .. } = pass;
        for ((sensor, kind), (count, reason)) in &counts {
            let name = &observed.used[*sensor].0;
            observed.notes.push(format!("{name}: {kind}: {count} messages not used ({reason})"));
        }
        observed.sort();
        if observed.list.is_empty() {
            bail!("{}", observed.nothing(settings));
        }
        Ok(observed)
    }

    fn sort(&mut self) {
        self.list.sort_by_key(|observation| observation.stamp_ns);
        self.measured.sort_by_key(|(stamp_ns, _)| *stamp_ns);
        self.faults.sort_by_key(|(time_ns, _)| *time_ns);
        self.used.iter_mut().for_each(|(_, stamps)| stamps.sort_unstable());
    }

    /// Why there is no observation at all.
    fn nothing(&self, settings: &PerceptionSettings) -> String {
        let mut text = String::from("the policy would have made no observation of this recording");
        for note in &self.notes {
            text.push_str(&format!("\n  {note}"));
        }
        if self.used.iter().all(|(_, stamps)| !stamps.is_empty()) {
            let slop = settings.slop_ns as f64 * 1e-9;
            text.push_str(&format!(
                "\n  stamps of the sensors never lie within {slop:.3} s of each other (sync_slop)"
            ));
        }
        text.push_str(
            "\n  with --stamps receipt the times of receipt are used instead of the stamps",
        );
        text
    }

    /// Why there is nothing new between the observation at `from_ns` and `to_ns`: the sensor of
    /// which nothing was used for longest, with what was wrong with its messages.
    pub fn why_silent(&self, from_ns: i64, to_ns: i64) -> String {
        let last = |stamps: &[i64]| {
            let before = stamps.partition_point(|stamp| *stamp <= to_ns);
            before.checked_sub(1).map_or(i64::MIN, |index| stamps[index])
        };
        let silent = self.used.iter().min_by_key(|(_, stamps)| last(stamps));
        let sensor = silent.map_or("", |(sensor, _)| sensor.as_str());
        let fault = self.faults.iter().rev().find(|(time_ns, text)| {
            (from_ns..=to_ns).contains(time_ns) && text.starts_with(sensor)
        });
        match fault {
            Some((_, text)) => text.clone(),
            None => format!("{sensor}: nothing received"),
        }
    }
}

/// What is wrong with a stamp: a kind that is counted, and the text.
fn stamp_fault(
    stamp_ns: i64,
    received_ns: i64,
    settings: &PerceptionSettings,
) -> Option<(&'static str, String)> {
    let seconds = |ns: i64| ns as f64 * 1e-9;
    if stamp_ns == 0 {
        return Some(("no stamp", "its messages have no stamp".to_owned()));
    }
    match StampRefused::of(stamp_ns, received_ns, settings)? {
        StampRefused::Ahead(ns) => {
            Some(("stamps", format!("its stamp lies {:.3} s after its receipt", seconds(ns))))
        }
        StampRefused::Past(ns) => {
            Some(("stamps", format!("its stamp lies {:.3} s before its receipt", seconds(ns))))
        }
    }
}

/// All messages by their receipt; equal times keep the order of the file.
fn arrivals(recorded: &Recorded) -> Vec<(i64, Arrival)> {
    let mut arrivals: Vec<(i64, usize, Arrival)> = Vec::new();
    for (camera, track) in recorded.cameras.iter().enumerate() {
        arrivals.extend(track.images.iter().enumerate().map(|(number, image)| {
            (image.received_ns, image.order, Arrival::Image { camera, number })
        }));
    }
    arrivals.extend(
        recorded
            .joints
            .iter()
            .enumerate()
            .map(|(number, joints)| (joints.received_ns, joints.order, Arrival::Joints(number))),
    );
    arrivals.sort_by_key(|(received_ns, order, _)| (*received_ns, *order));
    arrivals.into_iter().map(|(received_ns, _, arrival)| (received_ns, arrival)).collect()
}

/// Images that cannot be decoded, with the reason: the policy drops them one by one.
fn unreadable(recorded: &Recorded) -> BTreeMap<(usize, usize), String> {
    let all: Vec<(usize, usize)> = recorded
        .cameras
        .iter()
        .enumerate()
        .flat_map(|(camera, track)| (0..track.images.len()).map(move |number| (camera, number)))
        .collect();
    all.par_iter()
        .filter_map(|&(camera, number)| {
            let error = recorded.cameras[camera].image(number).err()?;
            Some(((camera, number), error.root_cause().to_string()))
        })
        .collect()
}
