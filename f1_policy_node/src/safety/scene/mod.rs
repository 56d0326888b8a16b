//! MoveIt's planning scene: asked for, followed, and given to the safety filter.
//!
//! Until it has answered, and while a frame or a shape is not known, nothing moves. Callbacks only
//! put messages into an inbox; a thread of its own reads them, so that a mesh of many points delays
//! no step of the filter.

mod frames;
mod shapes;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use f1_interfaces::moveit_msgs::msg::{PlanningScene, PlanningSceneComponents};
use f1_interfaces::moveit_msgs::srv::{
    GetPlanningScene, GetPlanningSceneRequest, GetPlanningSceneResponse,
};
use f1_interfaces::tf2_msgs::msg::TFMessage;
use f1_middleware::{Clock, ClockKind, Node, Qos, ServiceClient, Subscription, Timer};
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
/// Nothing moves while a scene whose meshes have more vertices is read.
const QUICK: usize = 2000;
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

/// The robot's links in its root as they were measured; empty where they were not.
type Links = BTreeMap<String, Isometry3<f64>>;

/// What came and was not read yet.
enum Received {
    /// A scene by topic, and when, on the steady clock.
    Scene(Arc<PlanningScene>, Duration, Links),
    /// The answer to a question.
    Answer(u64, Result<Arc<GetPlanningSceneResponse>, String>, Links),
    /// Transforms, and when on the steady clock; `None`: they stay.
    Transforms(Arc<TFMessage>, Option<Duration>),
}

impl Received {
    /// Vertices of all meshes.
    fn vertices(&self) -> usize {
        let scene = match self {
            Self::Scene(scene, ..) => scene,
            Self::Answer(_, Ok(answer), _) => &answer.scene,
            Self::Answer(..) | Self::Transforms(..) => return 0,
        };
        let attached = &scene.robot_state.attached_collision_objects;
        let held = attached.iter().map(|attached| &attached.object);
        let objects = scene.world.collision_objects.iter().chain(held);
        objects.flat_map(|object| &object.meshes).map(|mesh| mesh.vertices.len()).sum()
    }
}

type Inbox = Arc<Mutex<Vec<Received>>>;

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
    waiting: Vec<(Arc<PlanningScene>, Links)>,
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
    /// Whether what is known is to be forgotten. Locked while the filter is given something.
    again: Arc<Mutex<bool>>,
    _timer: Timer,
    _transforms: [Subscription<TFMessage>; 2],
}

/// What its thread owns.
struct Watch {
    state: State,
    inbox: Inbox,
    again: Arc<Mutex<bool>>,
    shared: Weak<Shared>,
    robot: Arc<Robot>,
    settings: SceneSettings,
    client: ServiceClient<GetPlanningScene>,
    differences: Subscription<PlanningScene>,
    clock: Clock,
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
        let (inbox, again) = (Inbox::default(), Arc::<Mutex<bool>>::default());
        let transforms = |topic: &str, qos: Qos, stays: bool| {
            let (inbox, clock) = (inbox.clone(), node.clock());
            node.create_subscription::<TFMessage>(topic, qos, move |message, _| {
                let at = (!stays).then(|| clock.steady());
                inbox.lock().push(Received::Transforms(message, at));
            })
        };
        let transforms = [
            transforms(&settings.tf_topic, Qos::reliable().keep_last(100), false)?,
            transforms(&settings.tf_static_topic, Qos::latched().keep_last(100), true)?,
        ];
        let (into, clock) = (inbox.clone(), node.clock());
        let (of, measured) = (robot.clone(), Arc::downgrade(shared));
        let differences = node.create_subscription::<PlanningScene>(
            &settings.scene_topic,
            Qos::reliable().keep_last(100),
            move |message, _| {
                let links = links(&of, &measured);
                into.lock().push(Received::Scene(message, clock.steady(), links));
            },
        )?;
        let mut watch = Watch {
            state: State::new(robot),
            inbox,
            again: again.clone(),
            shared: Arc::downgrade(shared),
            robot: robot.clone(),
            settings: settings.clone(),
            client: node.create_client::<GetPlanningScene>(&settings.scene_service)?,
            differences,
            clock: node.clock(),
        };
        // Nothing moves before its first look.
        watch.tick();
        let timer =
            node.create_timer_on_thread("planning scene", PERIOD, ClockKind::Steady, move || {
                watch.tick()
            })?;
        Ok(Self { again, _timer: timer, _transforms: transforms })
    }

    /// What was known is no longer believed: the scene is asked for anew, and nothing moves until
    /// it is answered.
    pub(super) fn ask_again(&self, shared: &Shared) {
        let mut again = self.again.lock();
        *again = true;
        shared.scene(None, Some("planning scene: it is asked for".to_owned()));
    }
}

fn links(robot: &Robot, shared: &Weak<Shared>) -> Links {
    let positions = shared.upgrade().and_then(|shared| shared.measured_positions());
    let Some(positions) = positions else { return Links::new() };
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

    fn read(&mut self, received: Received) {
        match received {
            Received::Transforms(message, at) => self.frames.receive(&message, at),
            Received::Scene(scene, at, links) => self.receive(scene, at, links),
            Received::Answer(question, ..) if question != self.question || self.known => {}
            Received::Answer(_, Ok(answer), links) => self.answered(&answer.scene, &links),
            Received::Answer(_, Err(fault), _) => self.fault = Some(fault),
        }
    }

    /// A scene came by topic: a difference, or all of it.
    fn receive(&mut self, scene: Arc<PlanningScene>, now: Duration, links: Links) {
        if self.known || !scene.is_diff {
            self.world.apply(&scene, &links);
            self.known = true;
        } else if let Some(asked) = self.asked {
            if now.saturating_sub(asked) <= ANSWER && self.waiting.len() < MAX_WAITING {
                self.waiting.push((scene, links));
            } else {
                // The answer would lack this difference.
                self.forget();
            }
        }
    }

    /// The scene was answered; what came meanwhile is applied to it.
    fn answered(&mut self, scene: &PlanningScene, links: &Links) {
        let whole = PlanningScene { is_diff: false, ..scene.clone() };
        self.world.apply(&whole, links);
        for (difference, links) in std::mem::take(&mut self.waiting) {
            self.world.apply(&difference, &links);
        }
        (self.known, self.asked, self.fault) = (true, None, None);
    }
}

impl Watch {
    /// Reads what came, gives the filter what has changed, or the reason why nothing may move, and
    /// asks for the scene if it is not known.
    fn tick(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        if std::mem::take(&mut *self.again.lock()) {
            self.state.forget();
        }
        let received = std::mem::take(&mut *self.inbox.lock());
        if received.iter().map(Received::vertices).sum::<usize>() > QUICK {
            self.give(&shared, None, Some("planning scene: large meshes are read".to_owned()));
        }
        for one in received {
            self.state.read(one);
        }
        match self.look() {
            Ok(scene) if self.state.given.as_ref() == Some(&scene) => {
                self.give(&shared, None, None);
            }
            Ok(scene) => {
                if self.give(&shared, Some(&scene), None) {
                    self.state.given = Some(scene);
                }
            }
            Err(reason) => {
                self.give(&shared, None, Some(format!("planning scene: {reason}")));
            }
        }
        let octomap = self.state.world.octomap;
        if octomap && !self.state.octomap {
            tracing::warn!("the planning scene has an octomap, which is not looked at");
        }
        self.state.octomap = octomap;
        self.ask();
    }

    /// Gives the filter a scene, or a reason to hold, unless an activation wants that all is
    /// forgotten. Whether the filter took the scene.
    fn give(&self, shared: &Shared, scene: Option<&Scene>, hold: Option<String>) -> bool {
        let again = self.again.lock();
        !*again && shared.scene(scene, hold)
    }

    /// Asks for the scene if it is not known.
    fn ask(&mut self) {
        let (now, state) = (self.clock.steady(), &mut self.state);
        let waits = state.asked.is_some_and(|asked| now.saturating_sub(asked) <= ANSWER);
        let (publishers, since) = state.publishers;
        let matched = publishers > 0 && now.saturating_sub(since) >= MATCHED;
        if state.known || waits || !matched || !self.client.is_ready() {
            return;
        }
        state.asked = Some(now);
        state.waiting.clear();
        state.question += 1;
        let question = state.question;
        let components = PlanningSceneComponents { components: ALL };
        let (inbox, robot, shared) = (self.inbox.clone(), self.robot.clone(), self.shared.clone());
        let request = GetPlanningSceneRequest { components };
        let sent = self.client.call(request, ANSWER, move |answer| {
            let (links, answer) = (links(&robot, &shared), answer.map_err(|e| e.to_string()));
            inbox.lock().push(Received::Answer(question, answer, links));
        });
        if let Err(error) = sent {
            state.fault = Some(error.to_string());
        }
    }

    fn look(&mut self) -> Result<Scene, String> {
        let (state, settings) = (&mut self.state, &self.settings);
        let (steady, ros_ns) = (self.clock.steady(), self.clock.now().nanoseconds());
        let publishers = self.differences.publisher_count();
        let counts = self.differences.counts();
        let lost = counts.refused + counts.replaced;
        if publishers != state.publishers.0 {
            // One that is gone left a gap; one that came may be the same program, started again.
            state.publishers = (publishers, steady);
            state.forget();
        }
        if lost != state.lost {
            state.lost = lost;
            state.forget();
        }
        if !state.known {
            let service = &settings.scene_service;
            return Err(match &state.fault {
                _ if !self.client.is_ready() => format!("no node offers {service}"),
                _ if publishers == 0 => format!("no node publishes {}", settings.scene_topic),
                Some(fault) => format!("{service} does not answer: {fault}"),
                None => format!("{service} has not answered"),
            });
        }
        let now = Now { steady, ros_ns, limit: settings.tf_timeout };
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
        let robot = Robot::load(&file).unwrap();
        let difference = Arc::new(PlanningScene { is_diff: true, ..PlanningScene::default() });
        for (count, late) in [(MAX_WAITING + 1, Duration::ZERO), (1, ANSWER * 2)] {
            let mut state = State::new(&robot);
            (state.asked, state.question) = (Some(Duration::ZERO), 7);
            for _ in 0..count {
                state.read(Received::Scene(difference.clone(), late, Links::new()));
            }
            assert!(state.asked.is_none() && state.waiting.is_empty());
            state.read(Received::Answer(7, Ok(Arc::default()), Links::new()));
            assert!(!state.known, "question {}", state.question);
        }
        let mut state = State::new(&robot);
        (state.asked, state.question) = (Some(Duration::ZERO), 7);
        state.read(Received::Scene(difference, ANSWER, Links::new()));
        assert_eq!((state.question, state.waiting.len()), (7, 1));
        state.read(Received::Answer(7, Ok(Arc::default()), Links::new()));
        assert!(state.known);
    }
}
