//! The node `safety_filter`: its life, its parameters, its subscriptions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use f1_interfaces::std_srvs::srv::TriggerResponse;
use f1_middleware::{ClockKind, Node};
use f1_robot::Robot;
use f1_robot::safety::{Locks, SafetyFilter};
use parking_lot::Mutex;

use super::motion::{Checks, Reports, Shared, StopRequest};
use super::outputs::Outputs;
use super::scene::SceneWatch;
use super::settings::SafetySettings;
use super::takeover::{Takeover, TakeoverFrom};
use crate::core::{Core, RestartHandler};
use crate::error::{NodeError, NodeResult};
use crate::names::SAFETY_FILTER as NAME;
use crate::topics;

/// How often markers are drawn.
const DRAWN: Duration = Duration::from_millis(200);
/// How long the end of a position stream is waited for: above the time to brake from full speed.
const STREAM_ENDS: Duration = Duration::from_secs(5);
/// How long a caller waits for the node's lock.
const ASK: Duration = Duration::from_millis(200);

/// The node `safety_filter`: the only owner of publishers to controllers.
pub struct SafetyFilterNode {
    node: Node,
    core: Arc<Core>,
    configured: Arc<Mutex<Option<Configured>>>,
    stop: StopRequest,
}

struct Configured {
    shared: Arc<Shared>,
    scene: Option<SceneWatch>,
    _keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

/// Stops motion from anywhere in the process: a signal handler's thread, a panic, a shut-down.
/// Cheap to clone.
#[derive(Clone)]
pub struct Stopper {
    configured: Arc<Mutex<Option<Configured>>>,
    stop: StopRequest,
}

impl Stopper {
    /// Sends the braking trajectories now and keeps everything stopped. Returns `false` when the
    /// filter could not be reached in time (another thread holds its lock): the filter stops at its
    /// next step, and should it never come to one, the controllers end on the braking tail of what
    /// they already have.
    pub fn stop(&self, reason: &str) -> bool {
        *self.stop.lock() = Some(reason.to_owned());
        let Some(guard) = self.configured.try_lock_for(ASK) else { return false };
        match &*guard {
            Some(configured) => configured.shared.stop_within(reason, ASK),
            None => true,
        }
    }

    /// A handle that keeps neither the node nor its publishers alive, for the context's own hooks.
    #[must_use]
    pub fn downgrade(&self) -> WeakStopper {
        WeakStopper { configured: Arc::downgrade(&self.configured), stop: self.stop.clone() }
    }

    /// Whether anything that was sent still moves, or the joints have not yet followed it to rest;
    /// `None` when it cannot be known because another thread holds a lock for too long. A caller
    /// that waits for rest must not take that for rest.
    #[must_use]
    pub fn moves(&self) -> Option<bool> {
        let guard = self.configured.try_lock_for(ASK)?;
        guard.as_ref().map_or(Some(false), |configured| configured.shared.moves())
    }
}

/// A [`Stopper`] that does not keep the node alive.
#[derive(Clone)]
pub struct WeakStopper {
    configured: Weak<Mutex<Option<Configured>>>,
    stop: StopRequest,
}

impl WeakStopper {
    /// The stopper, while the node lives.
    #[must_use]
    pub fn upgrade(&self) -> Option<Stopper> {
        let configured = self.configured.upgrade()?;
        Some(Stopper { configured, stop: self.stop.clone() })
    }
}

type Kept = Box<dyn std::any::Any + Send + Sync>;

/// Listens to how fast controllers run what they were sent.
fn subscribe_scaling(node: &Node, shared: &Arc<Shared>, robot: &Robot) -> NodeResult<Vec<Kept>> {
    let mut keep: Vec<Kept> = Vec::new();
    let (states, inputs) = (&topics::CONTROLLER_STATE, &topics::SPEED_SCALING_INPUT);
    for name in states.names(robot, &[]) {
        let (received, controller) = (shared.clone(), name.clone());
        keep.push(Box::new(states.subscription_to(node, &name, move |state, _| {
            let factor = state.speed_scaling_factor;
            received.scaling(|scaling, now| scaling.receive_state(&controller, now, factor));
        })?));
    }
    for (name, controller) in inputs.names(robot, &[]).iter().zip(states.names(robot, &[])) {
        let received = shared.clone();
        keep.push(Box::new(inputs.subscription_to(node, name, move |input, _| {
            received.scaling(|scaling, _| scaling.receive_input(&controller, input.factor));
        })?));
    }
    Ok(keep)
}

/// Listens where takeovers come from.
fn subscribe_takeover(
    node: &Node,
    shared: &Arc<Shared>,
    from: TakeoverFrom,
) -> NodeResult<Option<Kept>> {
    let received = shared.clone();
    Ok(match from {
        TakeoverFrom::Off => None,
        TakeoverFrom::Topic => Some(Box::new(topics::TAKEOVER.subscription_to(
            node,
            topics::TAKEOVER.name,
            move |message, _| {
                received.takeover(|takeover, now| takeover.receive(now, message.data));
            },
        )?)),
        TakeoverFrom::Joy(_) => Some(Box::new(topics::JOY.subscription_to(
            node,
            topics::JOY.name,
            move |message, _| {
                received.takeover(|takeover, now| takeover.receive_joy(now, &message));
            },
        )?)),
    })
}

impl SafetyFilterNode {
    /// Declares the parameters and offers `safety_filter/stop` and `safety_filter/reset`.
    ///
    /// # Errors
    /// Parameters or names that the middleware refuses.
    pub fn new(node: Node, core: Arc<Core>) -> NodeResult<Self> {
        SafetySettings::declare(node.parameters())?;
        node.parameters().validate()?;
        let configured: Arc<Mutex<Option<Configured>>> = Arc::default();
        let stop = StopRequest::default();
        let stopper = Stopper { configured: configured.clone(), stop: stop.clone() };
        node.keep(topics::STOP.offer(&node, move |_| {
            let success = stopper.stop(&format!("{} was called", topics::STOP.name));
            TriggerResponse { success, message: String::new() }
        })?);
        let reached = configured.clone();
        node.keep(topics::RESET_FILTER.offer(&node, move |_| match &*reached.lock() {
            Some(configured) => {
                configured.shared.reset();
                TriggerResponse { success: true, message: String::new() }
            }
            None => TriggerResponse {
                success: false,
                message: "safety_filter is not configured".into(),
            },
        })?);
        Ok(Self { node, core, configured, stop })
    }

    /// The ROS node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Stops motion from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { configured: self.configured.clone(), stop: self.stop.clone() }
    }

    /// Loads the resources, opens the controllers, the joint states and the locks.
    ///
    /// # Errors
    /// Resources that cannot be loaded; parameters that are not valid as a whole; topics that the
    /// middleware refuses.
    pub fn configure(&self) -> NodeResult<()> {
        let resources = self.core.acquire(NAME)?;
        let node = &self.node;
        let settings = SafetySettings::read(node.parameters()).map_err(NodeError::Parameter)?;
        let robot = resources.robot.clone();
        let efforts: BTreeMap<usize, f64> = robot
            .file()
            .grippers
            .iter()
            .filter_map(|gripper| Some((robot.joint_index(&gripper.joint)?, gripper.max_effort?)))
            .collect();
        let outputs =
            Outputs::open(node, &robot, settings.follow_joint_trajectory, &efforts, &self.core)?;
        let filter = SafetyFilter::new(robot.clone(), settings.filter.clone());
        let locks = Locks::new(&settings.locks, settings.lock_timeout());
        let takeover = Takeover::new(settings.takeover, settings.takeover_timeout);
        let events = topics::EVENT.publisher(node)?;
        let shared = Arc::new(Shared::new(
            self.core.clone(),
            robot.clone(),
            node.clock(),
            Checks { filter, locks, takeover, home_speed: settings.home_speed },
            outputs,
            Reports { events, taken: topics::TAKEOVER_ACTIVE.publisher(node)? },
            self.stop.clone(),
        ));
        let mut keep: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();
        for topic in topics::JOINT_STATES.names(&robot, &[]) {
            let measured = shared.clone();
            keep.push(Box::new(topics::JOINT_STATES.subscription_to(
                node,
                &topic,
                move |message, _| measured.joints(&message),
            )?));
        }
        for name in topics::LOCK.names(&robot, &settings.locks) {
            let (received, lock) = (shared.clone(), name.clone());
            keep.push(Box::new(topics::LOCK.subscription_to(node, &name, move |message, _| {
                received.lock_received(&lock, message.data)
            })?));
        }
        keep.extend(subscribe_takeover(node, &shared, settings.takeover)?);
        if settings.speed_scaling {
            keep.extend(subscribe_scaling(node, &shared, &robot)?);
        }
        let ticking = shared.clone();
        let period = Duration::from_secs_f64(1.0 / settings.rate_hz);
        keep.push(Box::new(node.create_timer(period, ClockKind::Steady, move || ticking.tick())));
        let (drawn, markers) = (shared.clone(), topics::MARKERS.publisher(node)?);
        keep.push(Box::new(node.create_timer(DRAWN, ClockKind::Steady, move || {
            // No subscription: nothing is drawn.
            if markers.subscription_count() > 0
                && let Err(error) = markers.publish(drawn.markers())
            {
                tracing::warn!(%error, "markers not published");
            }
        })));
        let weak = Arc::downgrade(&shared);
        let parameters = node.parameters().clone();
        node.parameters().on_change(move |_| {
            if let Some(shared) = weak.upgrade() {
                shared.change_settings(SafetySettings::read(&parameters));
            }
        });
        let weak = Arc::downgrade(&shared);
        let restarted: RestartHandler = Box::new(move |epoch, reason| {
            if let Some(shared) = weak.upgrade() {
                shared.restarted(epoch, reason);
            }
        });
        self.core.restarts.lock().insert(NAME, restarted);
        let following = shared.clone();
        self.core.chunks.handle(move |chunk| following.chunk(chunk));
        let going = shared.clone();
        self.core.homes.handle(move |request| going.go_home(request));
        let scene = settings.scene.as_ref();
        let scene =
            scene.map(|scene| SceneWatch::start(node, &shared, &robot, scene)).transpose()?;
        *self.configured.lock() = Some(Configured { shared, scene, _keep: keep });
        Ok(())
    }

    /// From now on chunks become motion.
    ///
    /// # Errors
    /// A node that is not configured.
    pub fn activate(&self) -> NodeResult<()> {
        let guard = self.configured.lock();
        let configured = guard.as_ref().ok_or(NodeError::NotConfigured(NAME))?;
        if let Some(scene) = &configured.scene {
            scene.ask_again(&configured.shared);
        }
        configured.shared.activate();
        self.core.status.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Comes to a stop and is silent then.
    pub fn deactivate(&self) {
        if let Some(configured) = &*self.configured.lock() {
            let reason = "safety_filter was deactivated";
            configured.shared.stop_within(reason, Duration::from_secs(1));
            // In this order: a wish to go home that comes now is refused, and none is left for the
            // next activation.
            configured.shared.active.store(false, Ordering::SeqCst);
            configured.shared.end_home(reason);
        }
        self.core.status.lock().active.insert(NAME, false);
    }

    /// Drops controllers, subscriptions and resources.
    pub fn cleanup(&self) {
        self.deactivate();
        self.core.chunks.close();
        self.core.homes.close();
        self.wait_for_streams();
        *self.configured.lock() = None;
        self.core.release(NAME);
    }

    /// A controller that takes positions one at a time would stand still at once if they ended in
    /// the middle of braking. They come from threads of their own; on a virtual clock, where there
    /// are none, nothing is waited for.
    fn wait_for_streams(&self) {
        let clock = self.node.clock();
        let shared = self.configured.lock().as_ref().map(|configured| configured.shared.clone());
        let Some(shared) = shared.filter(|_| !clock.is_virtual()) else { return };
        let end = clock.steady() + STREAM_ENDS;
        while shared.is_streaming() && clock.steady() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_another_thread_holds_the_lock_it_is_not_known_whether_the_robot_moves() {
        let configured: Arc<Mutex<Option<Configured>>> = Arc::default();
        let stopper = Stopper { configured: configured.clone(), stop: StopRequest::default() };
        assert_eq!(stopper.moves(), Some(false));
        let held = configured.lock();
        assert_eq!(stopper.moves(), None);
        // The stop is not lost: the filter obeys it at its next step.
        assert!(!stopper.stop("a test"));
        assert_eq!(stopper.stop.lock().as_deref(), Some("a test"));
        drop(held);
        assert_eq!(stopper.moves(), Some(false));
    }
}
