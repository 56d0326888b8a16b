//! How much of the prefix is computed for an observation: all of it, understanding with the
//! foresight of an earlier observation, or understanding alone.

use std::sync::Arc;

use f1_middleware::parameters::Proposal;

use super::node::Shared;
use crate::policy::{Passes, PerceiveRequest, Perceived, PolicyError};
use crate::stages::StageTimes;

/// Which passes run for a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Understanding and foresight.
    #[default]
    On,
    /// Understanding; foresight only when that of an earlier observation is too old, of another
    /// instruction, or was not what came.
    Cached,
    /// Understanding alone.
    Off,
}

/// Names of the modes, the default first.
pub const MODES: [&str; 3] = ["on", "cached", "off"];

impl Mode {
    /// From its name; an unknown one is the default.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "cached" => Self::Cached,
            "off" => Self::Off,
            _ => Self::On,
        }
    }

    /// Whether a policy can be run in this mode.
    ///
    /// # Errors
    /// The mode's name, and why it cannot.
    pub fn check(self, passes: &Passes) -> Result<(), String> {
        let (name, pass) = match self {
            Self::On => return Ok(()),
            Self::Cached => ("cached", &passes.renew),
            Self::Off => ("off", &passes.understand),
        };
        pass.as_ref().map(|_| ()).map_err(|reason| format!("mode {name}: {reason}"))
    }

    /// Checks a change of the parameter `mode` against a policy.
    ///
    /// # Errors
    /// Why the policy cannot be run in the mode that is asked for.
    pub fn proposed(proposal: &Proposal<'_>, passes: &Passes) -> Result<(), String> {
        if !proposal.changed().iter().any(|name| name == "mode") {
            return Ok(());
        }
        let name: String = proposal.get("mode")?;
        Self::named(&name).check(passes)
    }
}

/// Foresight that may be used again.
#[derive(Clone)]
pub(super) struct Kept {
    perceived: Arc<dyn Perceived>,
    /// Of the observation that it was foreseen from.
    stamp_ns: i64,
    epoch: u64,
}

/// What was made of an observation, and of which observation its foresight is.
pub(super) struct Taken {
    pub perceived: Arc<dyn Perceived>,
    /// Stamp of the observation that the foresight is of, ns; none without foresight.
    pub foresight_ns: Option<i64>,
}

impl Shared {
    /// Takes an observation, with as many passes as the mode asks for.
    pub(super) fn take(
        &self,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
    ) -> Result<Taken, PolicyError> {
        let policy = &self.resources.policy;
        let observation = request.observation;
        let (stamp_ns, epoch) = (observation.stamp_ns, observation.instruction.epoch);
        let (mode, keep_ns) = {
            let settings = self.settings.lock();
            (settings.mode, settings.cache_ns)
        };
        let foresees = self.resources.foresees();
        if foresees && mode == Mode::Off {
            let perceived = policy.understand(request, times)?;
            return Ok(Taken { perceived, foresight_ns: None });
        }
        if foresees && mode == Mode::Cached {
            let fit = |kept: &&Kept| {
                kept.epoch == epoch && (0..keep_ns).contains(&(stamp_ns - kept.stamp_ns))
            };
            // The lock is not held while the network computes.
            let kept = self.kept.lock().as_ref().filter(fit).cloned();
            if let Some(Kept { perceived, stamp_ns, .. }) = kept {
                match perceived.renew(request, times) {
                    Ok(perceived) => {
                        return Ok(Taken { perceived, foresight_ns: Some(stamp_ns) });
                    }
                    // A camera came or went: the tokens are others.
                    Err(error) => tracing::debug!(%error, "foresight is not kept"),
                }
            }
        }
        let perceived = policy.perceive(request, times)?;
        if foresees && mode == Mode::Cached {
            *self.kept.lock() = Some(Kept { perceived: perceived.clone(), stamp_ns, epoch });
        }
        Ok(Taken { perceived, foresight_ns: foresees.then_some(stamp_ns) })
    }

    /// The scene departs from what was foreseen: the next prefix is computed whole.
    pub(super) fn forget_foresight(&self) {
        *self.kept.lock() = None;
    }
}
