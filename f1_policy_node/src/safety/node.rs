//! The node `safety_filter`: its life, its parameters, what it listens to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use f1_interfaces::sensor_msgs::msg::JointState;
use f1_interfaces::std_msgs::msg::Bool;
use f1_interfaces::std_srvs::srv::{Trigger, TriggerResponse};
use f1_middleware::{ClockKind, Node, Qos};
use f1_robot::safety::{Locks, SafetyFilter};
use parking_lot::Mutex;

use super::motion::Shared;
use super::output::Outputs;
use super::settings::SafetySettings;
use crate::core::Core;
use crate::error::{NodeError, NodeResult};

/// Name of the node, and of its entries on the board.
pub const NAME: &str = "safety_filter";

/// The node `safety_filter`: the only owner of publishers to controllers.
pub struct SafetyFilterNode {
    node: Node,
    core: Arc<Core>,
    configured: Arc<Mutex<Option<Configured>>>,
}

struct Configured {
    shared: Arc<Shared>,
    _keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

/// Stops motion from anywhere in the process: a signal handler's thread, a panic, a shut-down.
/// Cheap to clone.
#[derive(Clone)]
pub struct Stopper {
    configured: Arc<Mutex<Option<Configured>>>,
}

impl Stopper {
    /// Sends the braking trajectories now and keeps everything stopped. Returns `false` when the
    /// filter could not be reached in time (its lock is held by a thread that failed): the
    /// controllers then end on the braking tail of what they already have.
    pub fn stop(&self, reason: &str) -> bool {
        let Some(guard) = self.configured.try_lock_for(Duration::from_millis(200)) else {
            return false;
        };
        match &*guard {
            Some(configured) => configured.shared.stop_within(reason, Duration::from_millis(200)),
            None => true,
        }
    }

    /// Whether anything that was sent still moves, or the joints have not yet followed it to rest.
    #[must_use]
    pub fn moves(&self) -> bool {
        let Some(guard) = self.configured.try_lock_for(Duration::from_millis(200)) else {
            return false;
        };
        guard.as_ref().is_some_and(|configured| configured.shared.moves())
    }
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
        let stopper = Stopper { configured: configured.clone() };
        node.keep(node.create_service::<Trigger>("safety_filter/stop", move |_| {
            let success = stopper.stop("safety_filter/stop was called");
            TriggerResponse { success, message: String::new() }
        })?);
        let reached = configured.clone();
        node.keep(node.create_service::<Trigger>("safety_filter/reset", move |_| {
            match &*reached.lock() {
                Some(configured) => {
                    configured.shared.reset();
                    TriggerResponse { success: true, message: String::new() }
                }
                None => TriggerResponse {
                    success: false,
                    message: "safety_filter is not configured".into(),
                },
            }
        })?);
        Ok(Self { node, core, configured })
    }

    /// The ROS node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Stops motion from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { configured: self.configured.clone() }
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
        let events =
            node.create_publisher("safety_filter/event", Qos::reliable().keep_last(100))?;
        let shared = Arc::new(Shared::new(
            self.core.clone(),
            robot.clone(),
            node.clock(),
            filter,
            locks,
            outputs,
            events,
        ));
        let mut keep: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();
        let heard = shared.clone();
        keep.push(Box::new(node.create_subscription::<JointState>(
            &robot.file().joint_states,
            Qos::sensor_data(),
            move |message, _| heard.joints(&message),
        )?));
        for name in &settings.locks {
            let (heard, lock) = (shared.clone(), name.clone());
            keep.push(Box::new(node.create_subscription::<Bool>(
                name,
                Qos::reliable().keep_last(1),
                move |message, _| heard.lock_heard(&lock, message.data),
            )?));
        }
        let ticking = shared.clone();
        let period = Duration::from_secs_f64(1.0 / settings.rate_hz);
        keep.push(Box::new(node.create_timer(period, ClockKind::Steady, move || ticking.tick())));
        let weak = Arc::downgrade(&shared);
        let parameters = node.parameters().clone();
        node.parameters().on_change(move |_| {
            if let Some(shared) = weak.upgrade() {
                shared.change_settings(SafetySettings::read(&parameters));
            }
        });
        let weak = Arc::downgrade(&shared);
        let told: crate::core::Restart = Box::new(move |epoch, reason| {
            if let Some(shared) = weak.upgrade() {
                shared.restarted(epoch, reason);
            }
        });
        self.core.restarts.lock().insert(NAME, told);
        let taker = shared.clone();
        self.core.chunks.take_with(move |chunk| taker.chunk(chunk));
        *self.configured.lock() = Some(Configured { shared, _keep: keep });
        Ok(())
    }

    /// From now on chunks become motion.
    ///
    /// # Errors
    /// A node that is not configured.
    pub fn activate(&self) -> NodeResult<()> {
        let guard = self.configured.lock();
        let configured = guard.as_ref().ok_or(NodeError::NotConfigured(NAME))?;
        configured.shared.activate();
        self.core.board.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Comes to a stop and is silent then.
    pub fn deactivate(&self) {
        if let Some(configured) = &*self.configured.lock() {
            configured.shared.stop_within("safety_filter was deactivated", Duration::from_secs(1));
            configured.shared.active.store(false, Ordering::SeqCst);
        }
        self.core.board.lock().active.insert(NAME, false);
    }

    /// Drops controllers, subscriptions and resources.
    pub fn cleanup(&self) {
        self.deactivate();
        self.core.chunks.close();
        *self.configured.lock() = None;
        self.core.release(NAME);
    }
}
