//! Frames of `/tf` and `/tf_static`, as far as the planning scene needs them. Ages are on the
//! steady clock: a transform that is not repeated is outdated, whatever its stamp says.

use std::collections::BTreeMap;
use std::time::Duration;

use f1_interfaces::geometry_msgs::msg::{Pose, Transform};
use f1_interfaces::tf2_msgs::msg::TFMessage;
use nalgebra::Isometry3;

use super::shapes;

/// A tree is not deeper than this; a longer way up is a loop.
const DEEPEST: usize = 200;

#[derive(Debug, Clone)]
struct Edge {
    parent: String,
    /// In the parent.
    pose: Isometry3<f64>,
    /// When it was received; `None` for one that stays.
    received: Option<Duration>,
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
                let edge = Edge { parent: plain(parent).to_owned(), pose, received };
                self.edges.insert(child.to_owned(), edge);
            }
        }
    }

    /// The frames above one, itself first, with its pose in each of them.
    fn above(&self, frame: &str, now: Duration, limit: Duration) -> Result<Vec<Above>, String> {
        let mut all = vec![(frame.to_owned(), Isometry3::identity())];
        let (mut name, mut pose) = (frame, Isometry3::identity());
        while let Some(edge) = self.edges.get(name) {
            if let Some(age) = edge.received.map(|received| now.saturating_sub(received))
                && age > limit
            {
                let seconds = age.as_secs_f64();
                return Err(format!("frame {name} was last received {seconds:.2} s ago"));
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
    pub(super) fn in_root(
        &self,
        frame: &str,
        now: Duration,
        limit: Duration,
    ) -> Result<Isometry3<f64>, String> {
        let frame = plain(frame);
        if frame == self.root {
            return Ok(Isometry3::identity());
        }
        if let Some(pose) = self.fixed.get(frame) {
            return Ok(*pose);
        }
        let (of_frame, of_root) =
            (self.above(frame, now, limit)?, self.above(&self.root, now, limit)?);
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
    let (translation, orientation) = (&transform.translation, transform.rotation.clone());
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

    #[test]
    fn frames_are_found_above_below_and_beside_the_root() {
        let at = Duration::from_secs;
        let mut frames = Frames::new("base", BTreeMap::new());
        let x = |frames: &Frames, frame: &str| {
            frames.in_root(frame, at(10), at(1)).map(|pose| pose.translation.x)
        };
        assert_eq!(x(&frames, "base"), Ok(0.0));
        assert_eq!(x(&frames, "table"), Err("frame table is not known".to_owned()));
        frames.receive(&transform("world", "base", 1.0), None);
        frames.receive(&transform("/world", "table", 3.0), None);
        frames.receive(&transform("table", "cup", 0.5), Some(at(10)));
        assert_eq!(x(&frames, "world"), Ok(-1.0));
        assert_eq!(x(&frames, "/table"), Ok(2.0));
        assert_eq!(x(&frames, "cup"), Ok(2.5));
        let late = frames.in_root("cup", at(12), at(1));
        assert_eq!(late, Err("frame cup was last received 2.00 s ago".to_owned()));
        // What stays does not get old; a loop ends.
        assert!(frames.in_root("table", at(1000), at(1)).is_ok());
        frames.receive(&transform("a", "b", 0.0), None);
        frames.receive(&transform("b", "a", 0.0), None);
        assert!(x(&frames, "a").unwrap_err().contains("loop"));
    }
}
