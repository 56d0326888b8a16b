//! Frames of `/tf` and `/tf_static`, as far as the planning scene needs them. A transform is
//! outdated when it is not repeated (on the steady clock) and when its stamp is old (in ROS time):
//! a tracker that lost its object may repeat what it saw last.

use std::collections::BTreeMap;
use std::time::Duration;

use f1_interfaces::geometry_msgs::msg::{Pose, Transform};
use f1_interfaces::tf2_msgs::msg::TFMessage;
use nalgebra::Isometry3;

use super::shapes;

/// A tree is not deeper than this; a longer way up is a loop.
const DEEPEST: usize = 200;

/// When frames are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// The steady clock.
    pub steady: Duration,
    /// ROS time, ns.
    pub ros_ns: i64,
    /// A transform that is older is outdated.
    pub limit: Duration,
}

#[derive(Debug, Clone)]
struct Edge {
    parent: String,
    /// In the parent.
    pose: Isometry3<f64>,
    /// When it was received, and its stamp, ns; `None` for one that stays.
    received: Option<(Duration, i64)>,
}

impl Edge {
    /// The age, if it is outdated.
    fn outdated(&self, now: Now) -> Option<Duration> {
        let (received, stamp_ns) = self.received?;
        let old = u64::try_from(now.ros_ns.saturating_sub(stamp_ns)).unwrap_or(0);
        let age = now.steady.saturating_sub(received).max(Duration::from_nanos(old));
        (age > now.limit).then_some(age)
    }
}

/// Frames by name, each below its parent.
#[derive(Debug, Clone)]
pub(super) struct Frames {
    root: String,
    edges: BTreeMap<String, Edge>,
    /// Links that no joint moves, in the root.
    fixed: BTreeMap<String, Isometry3<f64>>,
}

/// The name without the slash that ROS 1 had before it.
fn plain(name: &str) -> &str {
    name.trim_start_matches('/')
}

impl Frames {
    /// Frames around the robot's root link; `fixed` are links that no joint moves, with their poses
    /// in the root.
    pub(super) fn new(root: &str, fixed: BTreeMap<String, Isometry3<f64>>) -> Self {
        Self { root: root.to_owned(), edges: BTreeMap::new(), fixed }
    }

    /// Takes transforms that were received at `now`, or that stay. What is no transform is passed
    /// over.
    pub(super) fn receive(&mut self, message: &TFMessage, received: Option<Duration>) {
        for transform in &message.transforms {
            let (child, parent) = (plain(&transform.child_frame_id), &transform.header.frame_id);
            if let Ok(pose) = isometry(&transform.transform)
                && !child.is_empty()
                && child != plain(parent)
            {
                let stamp_ns = transform.header.stamp.nanoseconds();
                let received = received.map(|received| (received, stamp_ns));
                let edge = Edge { parent: plain(parent).to_owned(), pose, received };
                self.edges.insert(child.to_owned(), edge);
            }
        }
    }

    /// The frames above one, itself first, with its pose in each of them.
    fn above(&self, frame: &str, now: Now) -> Result<Vec<Above>, String> {
        let mut all = vec![(frame.to_owned(), Isometry3::identity())];
        let (mut name, mut pose) = (frame, Isometry3::identity());
        while let Some(edge) = self.edges.get(name) {
            if let Some(age) = edge.outdated(now) {
                let seconds = age.as_secs_f64();
                return Err(format!("frame {name} was last seen {seconds:.2} s ago"));
            }
            pose = edge.pose * pose;
            name = &edge.parent;
            all.push((name.to_owned(), pose));
            if all.len() > DEEPEST {
                return Err(format!("the frames above {frame} form a loop"));
            }
        }
        Ok(all)
    }

    /// The pose of a frame in the robot's root.
    ///
    /// # Errors
    /// A frame that is not known or outdated, by its name.
    pub(super) fn in_root(&self, frame: &str, now: Now) -> Result<Isometry3<f64>, String> {
        let frame = plain(frame);
        if frame == self.root {
            return Ok(Isometry3::identity());
        }
        if let Some(pose) = self.fixed.get(frame) {
            return Ok(*pose);
        }
        let (of_frame, of_root) = (self.above(frame, now)?, self.above(&self.root, now)?);
        for (name, in_common) in &of_frame {
            // A fixed link of the robot may be what connects both.
            if let Some(pose) = self.fixed.get(name) {
                return Ok(pose * in_common);
            }
            if let Some((_, root_in_common)) = of_root.iter().find(|(above, _)| above == name) {
                return Ok(root_in_common.inverse() * in_common);
            }
        }
        Err(format!("frame {frame} is not known"))
    }
}

type Above = (String, Isometry3<f64>);

fn isometry(transform: &Transform) -> Result<Isometry3<f64>, String> {
    let (translation, orientation) = (&transform.translation, transform.rotation);
    let mut message = Pose { orientation, ..Pose::default() };
    (message.position.x, message.position.y, message.position.z) =
        (translation.x, translation.y, translation.z);
    shapes::pose(&message)
}

#[cfg(test)]
mod tests {
    use f1_interfaces::geometry_msgs::msg::TransformStamped;

    use super::*;

    fn transform(parent: &str, child: &str, x: f64) -> TFMessage {
        let mut one = TransformStamped { child_frame_id: child.into(), ..Default::default() };
        one.header.frame_id = parent.into();
        (one.transform.translation.x, one.transform.rotation.w) = (x, 1.0);
        TFMessage { transforms: vec![one] }
    }

    fn at(seconds: u64) -> Now {
        let (steady, limit) = (Duration::from_secs(seconds), Duration::from_secs(1));
        Now { steady, ros_ns: seconds as i64 * 1_000_000_000, limit }
    }

    /// The same, with a stamp.
    fn stamped(mut message: TFMessage, seconds: i32) -> TFMessage {
        message.transforms[0].header.stamp.sec = seconds;
        message
    }

    #[test]
    fn frames_are_found_above_below_and_beside_the_root() {
        let received = Some(Duration::from_secs(10));
        let mut frames = Frames::new("base", BTreeMap::new());
        let x = |frames: &Frames, frame: &str| {
            frames.in_root(frame, at(10)).map(|pose| pose.translation.x)
        };
        assert_eq!(x(&frames, "base"), Ok(0.0));
        assert_eq!(x(&frames, "table"), Err("frame table is not known".to_owned()));
        frames.receive(&transform("world", "base", 1.0), None);
        frames.receive(&transform("/world", "table", 3.0), None);
        frames.receive(&stamped(transform("table", "cup", 0.5), 10), received);
        assert_eq!(x(&frames, "world"), Ok(-1.0));
        assert_eq!(x(&frames, "/table"), Ok(2.0));
        assert_eq!(x(&frames, "cup"), Ok(2.5));
        let late = frames.in_root("cup", at(12));
        assert_eq!(late, Err("frame cup was last seen 2.00 s ago".to_owned()));
        // What stays does not get old; a loop ends.
        assert!(frames.in_root("table", at(1000)).is_ok());
        frames.receive(&transform("a", "b", 0.0), None);
        frames.receive(&transform("b", "a", 0.0), None);
        assert!(x(&frames, "a").unwrap_err().contains("loop"));
    }

    #[test]
    fn a_transform_that_is_repeated_with_an_old_stamp_is_outdated() {
        let mut frames = Frames::new("base", BTreeMap::new());
        frames.receive(&stamped(transform("base", "cup", 0.5), 7), Some(Duration::from_secs(10)));
        let late = frames.in_root("cup", at(10));
        assert_eq!(late, Err("frame cup was last seen 3.00 s ago".to_owned()));
        // While ROS time stands still, what is not repeated is outdated all the same.
        frames.receive(&stamped(transform("base", "cup", 0.5), 10), Some(Duration::from_secs(10)));
        assert!(frames.in_root("cup", at(10)).is_ok());
        let paused = Now { steady: Duration::from_secs(13), ..at(10) };
        assert!(frames.in_root("cup", paused).is_err());
    }
}
