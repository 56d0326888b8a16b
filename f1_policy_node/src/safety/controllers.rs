//! What the clients of one controller share: its answers, as a condition of the status.

use std::sync::Arc;

use crate::condition::{Condition, Source};
use crate::core::Core;

/// Reports what a controller answers to goals. Cheap to clone.
#[derive(Clone)]
pub(super) struct Answers {
    core: Arc<Core>,
    controller: Arc<str>,
}

impl Answers {
    /// For the controller of this name.
    pub fn of(core: &Arc<Core>, controller: &str) -> Self {
        Self { core: core.clone(), controller: controller.into() }
    }

    /// The controller took a goal.
    pub fn accepted(&self) {
        self.core.status.lock().clear(&Source::Controller(self.controller.to_string()));
    }

    /// The controller did not take a goal, or gave it up.
    pub fn refused(&self, reason: String) {
        let condition = Condition::Controller { name: self.controller.to_string(), reason };
        tracing::error!("{condition}");
        self.core.status.lock().raise(condition);
    }
}
