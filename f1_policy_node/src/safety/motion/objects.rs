//! Objects that come and go around the robot.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::visualization_msgs::msg::MarkerArray;
use f1_robot::clearance::Scene;
use f1_robot::safety::RobotSpace;

use super::super::markers::{Shown, markers};
use super::Shared;

/// Links nearer than this to what they must not touch are shown in another colour, m.
const NEAR: f64 = 0.03;
/// How long what limited motion is shown.
const SHOWN: Duration = Duration::from_secs(3);

impl Shared {
    /// The planning scene has changed, or is not known for a reason: then nothing moves. A motion
    /// that runs and would now touch something is stopped at once. Whether the filter took it.
    pub fn scene(&self, scene: Option<&Scene>, hold: Option<String>) -> bool {
        let mut hold = hold;
        let space = scene.and_then(|scene| match RobotSpace::among(self.robot.clone(), scene) {
            Ok(space) => Some((Arc::new(space), scene.clone())),
            Err(object) => {
                hold = Some(format!("planning scene: object {object} is held by no link"));
                None
            }
        });
        let taken = space.is_some();
        let changed = {
            let mut guarded = self.guarded.lock();
            if let Some((space, scene)) = space {
                guarded.filter.set_space(space);
                guarded.scene = Some(scene);
            }
            let changed = taken || hold.is_some() != guarded.scene_hold.is_some();
            guarded.scene_hold = hold;
            changed
        };
        if changed {
            self.tick();
        }
        taken
    }

    /// The filter's view of space, for RViz.
    pub fn markers(&self) -> MarkerArray {
        let now_ns = self.clock.now().nanoseconds();
        let guarded = self.guarded.lock();
        let near = guarded
            .filter
            .measured_at(now_ns)
            .and_then(|positions| guarded.filter.nearest(&positions, NEAR));
        let limited = guarded.limited.as_ref();
        let limited = limited.filter(|(at, _)| self.clock.steady() < *at + SHOWN);
        let shown = Shown {
            scene: guarded.scene.as_ref(),
            near: near.as_deref().unwrap_or_default(),
            text: limited.map_or("", |(_, text)| text.as_str()),
            now_ns,
        };
        markers(&self.robot, &shown)
    }

    /// Where the joints are measured; `None` where that is too long ago.
    pub fn measured_positions(&self) -> Option<Vec<f64>> {
        let now = self.clock.now().nanoseconds();
        self.guarded.lock().filter.measured_at(now)
    }
}
