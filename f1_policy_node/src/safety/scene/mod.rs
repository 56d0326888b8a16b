//! MoveIt's planning scene: asked for, followed, and given to the safety filter.
//!
//! Until it has answered, and while a frame or a shape is not known, nothing moves.

mod frames;
mod shapes;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use f1_interfaces::moveit_msgs::msg::{PlanningScene, PlanningSceneComponents};
use f1_interfaces::moveit_msgs::srv::{GetPlanningScene, GetPlanningSceneRequest};
use f1_interfaces::tf2_msgs::msg::TFMessage;
use f1_middleware::{ClockKind, Node, Qos, ServiceClient, Subscription, Timer};
use f1_robot::Robot;
use f1_robot::clearance::Scene;
use nalgebra::Isometry3;
use parking_lot::Mutex;

use self::frames::{Frames, Now};
use self::world::World;
use super::motion::Shared;
use super::settings::SceneSettings;
use crate::error::NodeResult;

/// How often the scene is looked at.
const PERIOD: Duration = Duration::from_millis(20);
/// How long an answer may take, and how long after a failed one it is asked again.
const ANSWER: Duration = Duration::from_secs(2);
/// How long after the publishers of differences have changed it is asked: by then what they publish
/// arrives here, so that no difference is missed after the answer.
const MATCHED: Duration = Duration::from_millis(500);
/// Differences that may wait for the answer; beyond that it is asked again.
const MAX_WAITING: usize = 1000;
/// All components of the scene.
const ALL: u32 = PlanningSceneComponents::SCENE_SETTINGS
    | PlanningSceneComponents::ROBOT_STATE
    | PlanningSceneComponents::ROBOT_STATE_ATTACHED_OBJECTS
    | PlanningSceneComponents::WORLD_OBJECT_NAMES
    | PlanningSceneComponents::WORLD_OBJECT_GEOMETRY
    | PlanningSceneComponents::OCTOMAP
    | PlanningSceneComponents::TRANSFORMS
    | PlanningSceneComponents::ALLOWED_COLLISION_MATRIX
    | PlanningSceneComponents::LINK_PADDING_AND_SCALING
    | PlanningSceneComponents::OBJECT_COLORS;

/// What is known, and what is waited for.
struct State {
    world: World,
    frames: Frames,
    /// The scene is whole: it was answered, and no difference is missing since.
    known: bool,
    /// When it was asked for.
    asked: Option<Duration>,
    /// Counts questions: an answer to an older one is void.
    question: u64,
    /// Why the last question had no answer.
    fault: Option<String>,
    /// Differences that came while it was asked for.
    waiting: Vec<Arc<PlanningScene>>,
    /// How many publish differences, and since when.
    publishers: (usize, Duration),
    /// Differences that came and were not read.
    lost: u64,
    /// What the filter was given last.
    given: Option<Scene>,
    octomap: bool,
}

/// Follows the planning scene; dropping it ends that.
pub(super) struct SceneWatch {
    state: Arc<Mutex<State>>,
    _timer: Timer,
    _subscriptions: [Subscription<TFMessage>; 2],
}

/// What the callbacks share.
struct Watch {
    state: Arc<Mutex<State>>,
    shared: Weak<Shared>,
    robot: Arc<Robot>,
    settings: SceneSettings,
    client: ServiceClient<GetPlanningScene>,
    differences: Subscription<PlanningScene>,
    clock: f1_middleware::Clock,
}

impl SceneWatch {
    /// Begins to follow the scene.
    ///
    /// # Errors
    /// Names that the middleware refuses; a build without moveit_msgs.
    pub(super) fn start(
        node: &Node,
        shared: &Arc<Shared>,
        robot: &Arc<Robot>,
        settings: &SceneSettings,
    ) -> NodeResult<Self> {
        let state = Arc::new(Mutex::new(State::new(robot)));
        let clock = node.clock();
        let transforms = |topic: &str, qos: Qos, stays: bool| {
            let (state, clock) = (state.clone(), clock.clone());
            node.create_subscription::<TFMessage>(topic, qos, move |message, _| {
                let received = (!stays).then(|| clock.steady());
                state.lock().frames.receive(&message, received);
            })
        };
        let subscriptions = [
            transforms(&settings.tf_topic, Qos::reliable().keep_last(100), false)?,
            transforms(&settings.tf_static_topic, Qos::latched().keep_last(100), true)?,
        ];
        let (changed, clock_of_changes) = (state.clone(), clock.clone());
        let (robot_of_changes, shared_of_changes) = (robot.clone(), Arc::downgrade(shared));
        let differences = node.create_subscription::<PlanningScene>(
            &settings.scene_topic,
            Qos::reliable().keep_last(100),
            move |message, _| {
                let now = clock_of_changes.steady();
                let links = links(&robot_of_changes, &shared_of_changes);
                changed.lock().receive(&message, now, &links);
            },
        )?;
        let watch = Arc::new(Watch {
            state: state.clone(),
            shared: Arc::downgrade(shared),
            robot: robot.clone(),
            settings: settings.clone(),
            client: node.create_client::<GetPlanningScene>(&settings.scene_service)?,
            differences,
            clock,
        });
        watch.tick();
        let timer = node.create_timer(PERIOD, ClockKind::Steady, move || {
            watch.tick();
            Watch::ask(&watch);
        });
        Ok(Self { state, _timer: timer, _subscriptions: subscriptions })
    }

    /// What was known is no longer believed: the scene is asked for anew, and nothing moves until
    /// it is answered.
    pub(super) fn ask_again(&self, shared: &Shared) {
        let mut state = self.state.lock();
        state.forget();
        shared.scene(None, Some("planning scene: it is asked for".to_owned()));
    }
}

/// The robot's links in its root, as they are measured; empty where they are not.
fn links(robot: &Robot, shared: &Weak<Shared>) -> BTreeMap<String, Isometry3<f64>> {
    let positions = shared.upgrade().and_then(|shared| shared.measured_positions());
    let Some(positions) = positions else { return BTreeMap::new() };
    let kinematics = robot.kinematics();
    kinematics.link_names().iter().cloned().zip(kinematics.link_poses(&positions)).collect()
}

impl State {
    fn new(robot: &Robot) -> Self {
        let kinematics = robot.kinematics();
        let names = kinematics.link_names();
        let poses = kinematics.link_poses(robot.home());
        let fixed = names.iter().cloned().zip(poses).enumerate();
        let fixed = fixed.filter(|(link, _)| !robot.clearance().moves(*link));
        let root = names.first().map_or("", String::as_str);
        Self {
            world: World::default(),
            frames: Frames::new(root, fixed.map(|(_, entry)| entry).collect()),
            known: false,
            asked: None,
            question: 0,
            fault: None,
            waiting: Vec::new(),
            publishers: (0, Duration::ZERO),
            lost: 0,
            given: None,
            octomap: false,
        }
    }

    fn forget(&mut self) {
        (self.known, self.asked) = (false, None);
        self.question += 1;
        self.waiting.clear();
    }

    /// A scene came by topic: a difference, or all of it.
    fn receive(
        &mut self,
        scene: &Arc<PlanningScene>,
        now: Duration,
        links: &BTreeMap<String, Isometry3<f64>>,
    ) {
        if self.known || !scene.is_diff {
            self.world.apply(scene, links);
            self.known = true;
        } else if let Some(asked) = self.asked {
            if now.saturating_sub(asked) <= ANSWER && self.waiting.len() < MAX_WAITING {
                self.waiting.push(scene.clone());
            } else {
                // The answer would lack this difference.
                self.forget();
            }
        }
    }

    /// The scene was answered; what came meanwhile is applied to it.
    fn answered(&mut self, scene: &PlanningScene, links: &BTreeMap<String, Isometry3<f64>>) {
        let whole = PlanningScene { is_diff: false, ..scene.clone() };
        self.world.apply(&whole, links);
        for difference in std::mem::take(&mut self.waiting) {
            self.world.apply(&difference, links);
        }
        (self.known, self.asked, self.fault) = (true, None, None);
    }
}

impl Watch {
    /// Asks for the scene if it is not known.
    fn ask(watch: &Arc<Watch>) {
        let now = watch.clock.steady();
        let question = {
            let mut state = watch.state.lock();
            let waits = state.asked.is_some_and(|asked| now.saturating_sub(asked) <= ANSWER);
            let (publishers, since) = state.publishers;
            let matched = publishers > 0 && now.saturating_sub(since) >= MATCHED;
            if state.known || waits || !matched || !watch.client.is_ready() {
                return;
            }
            state.asked = Some(now);
            state.waiting.clear();
            state.question += 1;
            state.question
        };
        let components = PlanningSceneComponents { components: ALL };
        let answered = Arc::downgrade(watch);
        let sent =
            watch.client.call(GetPlanningSceneRequest { components }, ANSWER, move |answer| {
                let Some(watch) = answered.upgrade() else { return };
                let links = links(&watch.robot, &watch.shared);
                {
                    let mut state = watch.state.lock();
                    if state.question != question || state.known {
                        return;
                    }
                    match answer {
                        Ok(answer) => state.answered(&answer.scene, &links),
                        Err(error) => state.fault = Some(error.to_string()),
                    }
                }
                watch.tick();
            });
        if let Err(error) = sent {
            watch.state.lock().fault = Some(error.to_string());
        }
    }

    /// Gives the filter what has changed, or the reason why nothing may move.
    fn tick(&self) {
        let Some(shared) = self.shared.upgrade() else { return };
        // Locked until the filter has it: an activation in between forgets what is known.
        let mut state = self.state.lock();
        match self.look(&mut state) {
            Ok(scene) if state.given.as_ref() == Some(&scene) => {
                shared.scene(None, None);
            }
            Ok(scene) => {
                if shared.scene(Some(&scene), None) {
                    state.given = Some(scene);
                }
            }
            Err(reason) => {
                shared.scene(None, Some(format!("planning scene: {reason}")));
            }
        }
        if state.world.octomap && !std::mem::replace(&mut state.octomap, true) {
            tracing::warn!("the planning scene has an octomap, which is not looked at");
        }
    }

    fn look(&self, state: &mut State) -> Result<Scene, String> {
        let now = Now {
            steady: self.clock.steady(),
            ros_ns: self.clock.now().nanoseconds(),
            limit: self.settings.tf_timeout,
        };
        let publishers = self.differences.publisher_count();
        let counts = self.differences.counts();
        let lost = counts.refused + counts.replaced;
        if publishers != state.publishers.0 {
            // One that is gone left a gap; one that came may be the same program, started again.
            state.publishers = (publishers, now.steady);
            state.forget();
        }
        if lost != state.lost {
            state.lost = lost;
            state.forget();
        }
        if !state.known {
            let service = &self.settings.scene_service;
            return Err(match &state.fault {
                _ if !self.client.is_ready() => format!("nobody offers {service}"),
                _ if publishers == 0 => format!("nobody publishes {}", self.settings.scene_topic),
                Some(fault) => format!("{service} does not answer: {fault}"),
                None => format!("{service} has not answered"),
            });
        }
        state.world.scene(&self.robot, &state.frames, now)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn an_answer_that_would_lack_a_difference_is_void() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
        let (robot, none) = (Robot::load(&file).unwrap(), BTreeMap::new());
        let difference = Arc::new(PlanningScene { is_diff: true, ..PlanningScene::default() });
        for (count, late) in [(MAX_WAITING + 1, Duration::ZERO), (1, ANSWER * 2)] {
            let mut state = State::new(&robot);
            (state.asked, state.question) = (Some(Duration::ZERO), 7);
            for _ in 0..count {
                state.receive(&difference, late, &none);
            }
            assert!(state.question > 7 && !state.known, "question {}", state.question);
            assert!(state.asked.is_none() && state.waiting.is_empty());
        }
        let mut state = State::new(&robot);
        (state.asked, state.question) = (Some(Duration::ZERO), 7);
        state.receive(&difference, ANSWER, &none);
        assert_eq!((state.question, state.waiting.len()), (7, 1));
    }
}
